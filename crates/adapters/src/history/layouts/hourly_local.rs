//! Hourly prices keyed by a market-local date and an hour ending.
//!
//! `delivery_date,hour_ending,<point>_dam,<point>_rtm,…,as_regup,…`: hours 1 to
//! 24, so that a spring day has 23 and an autumn day 25 where the file has them
//! all. `_dam` is the day-ahead price, `_rtm` the hourly mean of the real-time
//! settlement prices.

use std::collections::BTreeSet;

use super::super::cell;
use super::super::draft::{Column, Draft, SeriesKind, Step};
use super::super::error::HistoryError;
use super::super::local_time::{LocalHours, Repeat, Resolved, civil_date};
use super::super::market;
use super::super::note::{NoteKind, counted};
use super::super::table::{Header, Row, Table};
use super::Layout;

pub(super) const LAYOUT: Layout =
    Layout { name: "hourly prices, market-local hours", recognises, read };

const HOUR: Step = Step::Seconds(3_600);

fn recognises(header: &Header) -> bool {
    header.has(&["delivery_date", "hour_ending"])
        && header.names().any(|name| price_column(name).is_some())
}

/// The point and kind that a column's name says, if it is a price.
fn price_column(name: &str) -> Option<(String, SeriesKind)> {
    let name = name.to_ascii_lowercase();
    let named = |suffix, kind| {
        let point = name.strip_suffix(suffix)?;
        (!point.is_empty()).then(|| (point.to_ascii_uppercase(), kind))
    };
    named("_dam", SeriesKind::DayAhead).or_else(|| named("_rtm", SeriesKind::Settlement))
}

fn read(table: &mut Table<'_>, draft: &mut Draft) -> Result<(), HistoryError> {
    let header = table.header.clone();
    let mut date =
        Column::of(&header, header.place(&["delivery_date"]), "a date YYYY-MM-DD");
    let mut hour =
        Column::of(&header, header.place(&["hour_ending"]), "an hour ending 1 to 24");
    let flag = Flag::of(&header, "dst_flag");
    let mut prices = Vec::new();
    let mut unused = Vec::new();
    let mut guessed = Vec::new();
    for (place, name) in header.names().enumerate() {
        match price_column(name) {
            Some((point, kind)) => {
                // The keys are local: the market's zone must be known, and
                // points of this layout without a market's mark are ERCOT's.
                let found =
                    market::of_point(&point).or(market::of_file_name(&draft.name));
                let rules = found.unwrap_or(market::known("ERCOT"));
                let series = draft.prices(kind, rules, &point, HOUR);
                if found.is_none() {
                    draft.market_guessed(series);
                    guessed.push(point.clone());
                }
                prices.push((Column::new(&header, place), point, series, rules));
            }
            None if ["delivery_date", "hour_ending", "dst_flag", ""]
                .contains(&name.to_ascii_lowercase().as_str()) => {}
            None => unused.push(name),
        }
    }
    draft.left_alone("columns that are not prices of energy", &unused);
    if let Some(first) = guessed.first() {
        draft.note(
            NoteKind::Assumed,
            Some(1),
            None,
            format!("nothing says which market {first} belongs to"),
            format!("{} taken as ERCOT's", counted(guessed.len(), "column")),
        );
    }
    let zone = prices.first().map_or_else(|| market::known("ERCOT"), |first| first.3);
    let mut hours = LocalHours::new(zone.time_zone());
    let mut local = LocalNotes::default();
    while let Some(row) = table.next(draft) {
        let day = date.parse(row, draft, None, cell::date);
        let hour = hour.parse(row, draft, None, hour_ending);
        let (Some(day), Some(hour)) = (day, hour) else {
            continue;
        };
        let resolved = hours.resolve(day, hour - 1, 0, b"", flag.read(row));
        let Some(start) = local.note(resolved, day, hour, row.line, draft) else {
            continue;
        };
        for (column, point, series, _) in &mut prices {
            if let Some(price) = column.number(row, 6, draft, Some(point)) {
                draft.push(*series, start, price, row.line);
            }
        }
    }
    local.finish(&hours, draft);
    draft.finish([&date, &hour].into_iter().chain(prices.iter().map(|price| &price.0)))
}

/// Reads an hour ending: `1` to `24`, or `01:00` to `24:00`.
pub(super) fn hour_ending(text: &[u8]) -> Option<i64> {
    let hour = text.strip_suffix(b":00").unwrap_or(text);
    cell::scaled(hour, 0).filter(|hour| (1..=24).contains(hour))
}

/// The column that flags the repeated autumn hour, where there is one.
pub(super) struct Flag(Option<usize>);

impl Flag {
    pub(super) fn of(header: &Header, name: &str) -> Self {
        Self(header.find(&[name]))
    }

    pub(super) fn read(&self, row: Row<'_>) -> Repeat {
        match self.0.map(|place| row.field(place)) {
            None | Some(b"") => Repeat::ByOrder,
            Some(b"Y" | b"y" | b"1" | b"true" | b"True" | b"TRUE") => {
                Repeat::Flagged(true)
            }
            Some(_) => Repeat::Flagged(false),
        }
    }
}

/// Notes on local hours that are not plain, one a file and hour.
#[derive(Default)]
pub(super) struct LocalNotes {
    by_order: Option<(u64, u64)>,
    skipped: BTreeSet<(i64, i64)>,
}

impl LocalNotes {
    /// The instant a row came to, with a note where it has none.
    pub(super) fn note(
        &mut self,
        resolved: Resolved,
        day: i64,
        hour: i64,
        line: u64,
        draft: &mut Draft,
    ) -> Option<i64> {
        match resolved {
            Resolved::At(start) => Some(start),
            Resolved::AtByOrder(start) => {
                self.by_order.get_or_insert((0, line)).0 += 1;
                Some(start)
            }
            Resolved::Skipped => {
                if self.skipped.insert((day, hour)) {
                    let date = civil_date(day);
                    draft.note(
                        NoteKind::SkippedHour,
                        Some(line),
                        None,
                        format!("{date} has no hour ending {hour}: the clocks skip it"),
                        "rows of that hour skipped".to_owned(),
                    );
                }
                None
            }
        }
    }

    /// Says at the end how repeated hours without a flag were told apart.
    pub(super) fn finish(&self, hours: &LocalHours, draft: &mut Draft) {
        let Some((rows, line)) = self.by_order else {
            return;
        };
        draft.note(
            NoteKind::RepeatedHour,
            Some(line),
            None,
            format!("{} in repeated autumn hours without a flag", counted(rows, "row")),
            "the first row of an hour taken as daylight time, the next as standard time"
                .to_owned(),
        );
        for (day, hour) in hours.met_once() {
            let (date, hour) = (civil_date(day), hour + 1);
            draft.note(
                NoteKind::RepeatedHour,
                None,
                None,
                format!("{date} has hour ending {hour} once, the market has it twice"),
                "taken as the first; the second is missing".to_owned(),
            );
        }
    }
}
