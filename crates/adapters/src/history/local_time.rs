//! A market's local hours as UTC instants, with the hour that spring skips and
//! the hour that autumn repeats.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, TimeZone};

use super::cell::DAY;

/// Where the start of a local hour lies in UTC, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LocalHour {
    /// At one instant, as nearly always.
    Once(i64),
    /// Nowhere: the clocks skip it in spring.
    Skipped,
    /// At two: the clocks repeat it in autumn. The first is daylight time.
    Twice(i64, i64),
}

/// Which of the two hours a row of the repeated autumn hour means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// The file says.
    Flagged(bool),
    /// The file does not say: the first row met is the first hour.
    ByOrder,
}

/// What a local hour of a row came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resolved {
    /// This instant.
    At(i64),
    /// This instant of a repeated hour, told apart by the order of the rows.
    AtByOrder(i64),
    /// No instant: the market's clocks skip that hour.
    Skipped,
}

/// Turns local hours into instants for one file.
pub(crate) struct LocalHours {
    zone: TimeZone,
    last: Option<((i64, i64), LocalHour)>,
    /// How often a key of a repeated hour was met: day, hour, quarter, point.
    met: BTreeMap<(i64, i64, i64, Vec<u8>), u32>,
}

impl LocalHours {
    pub(crate) fn new(zone: TimeZone) -> Self {
        Self { zone, last: None, met: BTreeMap::new() }
    }

    /// Where hour `hour` (0 to 23) of `day` (days since 1970) starts.
    pub(crate) fn at(&mut self, day: i64, hour: i64) -> LocalHour {
        if let Some((key, found)) = self.last
            && key == (day, hour)
        {
            return found;
        }
        let found = local_hour(&self.zone, day, hour);
        self.last = Some(((day, hour), found));
        found
    }

    /// The instant of a row that names `day`, `hour` and the part `offset` of
    /// it (in seconds) for `point`.
    pub(crate) fn resolve(
        &mut self,
        day: i64,
        hour: i64,
        offset: i64,
        point: &[u8],
        repeat: Repeat,
    ) -> Resolved {
        match (self.at(day, hour), repeat) {
            (LocalHour::Once(start), _) => Resolved::At(start + offset),
            (LocalHour::Skipped, _) => Resolved::Skipped,
            (LocalHour::Twice(first, _), Repeat::Flagged(false)) => {
                Resolved::At(first + offset)
            }
            (LocalHour::Twice(_, second), Repeat::Flagged(true)) => {
                Resolved::At(second + offset)
            }
            (LocalHour::Twice(first, second), Repeat::ByOrder) => {
                let met =
                    self.met.entry((day, hour, offset, point.to_vec())).or_default();
                *met += 1;
                let start = if *met == 1 { first } else { second };
                Resolved::AtByOrder(start + offset)
            }
        }
    }

    /// The repeated hours of which only one row was met, as local day and hour.
    pub(crate) fn met_once(&self) -> Vec<(i64, i64)> {
        let mut once: Vec<(i64, i64)> = self
            .met
            .iter()
            .filter(|(_, met)| **met == 1)
            .map(|((day, hour, _, _), _)| (*day, *hour))
            .collect();
        once.dedup();
        once
    }
}

fn local_hour(zone: &TimeZone, day: i64, hour: i64) -> LocalHour {
    let naive = day * DAY + hour * 3_600;
    let date = civil_date(day);
    let hour = i8::try_from(hour).expect("an hour of a day");
    let at = date.at(hour, 0, 0, 0);
    let shifted = |offset: jiff::tz::Offset| naive - i64::from(offset.seconds());
    match zone.to_ambiguous_timestamp(at).offset() {
        AmbiguousOffset::Unambiguous { offset } => LocalHour::Once(shifted(offset)),
        AmbiguousOffset::Gap { .. } => LocalHour::Skipped,
        AmbiguousOffset::Fold { before, after } => {
            LocalHour::Twice(shifted(before), shifted(after))
        }
    }
}

/// The date that is `day` days after 1970-01-01.
pub(crate) fn civil_date(day: i64) -> Date {
    jiff::Timestamp::from_second(day * DAY)
        .map(|midnight| TimeZone::UTC.to_datetime(midnight).date())
        .expect("a date within ten millennia")
}

#[cfg(test)]
mod tests {
    use super::super::cell::{days, utc};
    use super::*;

    fn texas() -> LocalHours {
        LocalHours::new(TimeZone::get("America/Chicago").expect("a bundled zone"))
    }

    #[test]
    fn spring_skips_an_hour_and_autumn_repeats_one() {
        let mut hours = texas();
        let spring = days(2024, 3, 10);
        assert_eq!(hours.at(spring, 1), LocalHour::Once(utc(2024, 3, 10, 7)));
        assert_eq!(hours.at(spring, 2), LocalHour::Skipped);
        assert_eq!(hours.at(spring, 3), LocalHour::Once(utc(2024, 3, 10, 8)));
        let autumn = days(2024, 11, 3);
        let (first, second) = (utc(2024, 11, 3, 6), utc(2024, 11, 3, 7));
        assert_eq!(hours.at(autumn, 1), LocalHour::Twice(first, second));
        assert_eq!(hours.at(autumn, 2), LocalHour::Once(utc(2024, 11, 3, 8)));
    }

    #[test]
    fn without_a_flag_the_first_row_is_daylight_time() {
        let mut hours = texas();
        let autumn = days(2024, 11, 3);
        let (first, second) = (utc(2024, 11, 3, 6), utc(2024, 11, 3, 7));
        let mut row = |repeat| hours.resolve(autumn, 1, 900, b"", repeat);
        assert_eq!(row(Repeat::ByOrder), Resolved::AtByOrder(first + 900));
        assert_eq!(row(Repeat::ByOrder), Resolved::AtByOrder(second + 900));
        assert_eq!(row(Repeat::Flagged(true)), Resolved::At(second + 900));
        assert_eq!(row(Repeat::Flagged(false)), Resolved::At(first + 900));
    }
}
