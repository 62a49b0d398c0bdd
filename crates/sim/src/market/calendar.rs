//! What the market's clock and calendar say of each hour.

use units::Timestamp;

/// How far the market's clock is behind UTC, all year: Central standard time.
const BEHIND_UTC_HOURS: i64 = 6;

/// The mean length of a Gregorian year.
const DAYS_PER_YEAR: f64 = 365.242_5;

/// One hour, as people and the sun see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hour {
    /// The hour of the market's day, 0 to 23.
    pub(super) of_day: usize,
    /// The day since 1970-01-01 by the market's clock.
    pub(super) day: i64,
    /// Where in the year: 0 is about 1 January, 0.5 about 1 July.
    pub(super) season: f64,
    /// Whether it is a Saturday or a Sunday.
    pub(super) weekend: bool,
}

/// So many hours from `start`, and one more to show where the last one leads.
pub(super) fn hours(start: Timestamp, count: i64) -> Vec<Hour> {
    let first = start.as_unix_seconds() / 3_600 - BEHIND_UTC_HOURS;
    (first..=first + count).map(hour).collect()
}

fn hour(since_1970: i64) -> Hour {
    let day = since_1970.div_euclid(24);
    let years = day as f64 / DAYS_PER_YEAR;
    Hour {
        of_day: since_1970.rem_euclid(24) as usize,
        day,
        season: years - years.floor(),
        // 1970-01-01 was a Thursday: Saturday is two days on.
        weekend: matches!(day.rem_euclid(7), 2 | 3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_of_the_markets_day() {
        // 2025-07-05 04:00Z is Friday 22:00 by the market's clock.
        let start = Timestamp::parse("2025-07-05T04:00Z").unwrap();
        let hours = hours(start, 3);
        assert_eq!(hours.len(), 4);
        assert_eq!((hours[0].of_day, hours[0].weekend), (22, false));
        assert_eq!((hours[2].of_day, hours[2].weekend), (0, true));
        assert!((hours[0].season - 0.5).abs() < 0.02);
    }
}
