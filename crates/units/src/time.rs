//! Instants, durations and half-open intervals, in UTC and whole seconds.
//!
//! Markets and devices speak of local days and hours; their adapters turn those
//! into these types, and nothing further in knows a time zone. A second is
//! fine enough for every market rule and keeps power times time exact.

use crate::quantity::quantity;

quantity!(
    /// A length of time, in seconds.
    Seconds(i64)
);

/// An instant, in seconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Timestamp(i64);

/// A stretch of time, half-open: `[start, end)`.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Interval {
    /// The first instant inside.
    pub start: Timestamp,
    /// The first instant after.
    pub end: Timestamp,
}

/// Why text is not an instant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a date (2025-01-31) or an instant with its offset (2025-01-31T14:00Z), found `{0}`"
)]
pub struct TimestampError(String);

impl Seconds {
    /// So many seconds.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds)
    }

    /// So many minutes.
    pub const fn minutes(minutes: i64) -> Self {
        Self(minutes * 60)
    }

    /// So many hours.
    pub const fn hours(hours: i64) -> Self {
        Self(hours * 3_600)
    }

    /// Half as long, rounded down.
    pub const fn half(self) -> Self {
        Self(self.0 / 2)
    }

    /// The seconds.
    pub const fn as_seconds(self) -> i64 {
        self.0
    }
}

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = match self.0 {
            s if s != 0 && s % 3_600 == 0 => format!("{} h", s / 3_600),
            s if s != 0 && s % 60 == 0 => format!("{} min", s / 60),
            s => format!("{s} s"),
        };
        f.pad(&text)
    }
}

impl Timestamp {
    /// The instant so many seconds after 1970-01-01T00:00:00Z.
    pub const fn from_unix_seconds(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    pub const fn as_unix_seconds(self) -> i64 {
        self.0
    }

    /// Reads a UTC date, which means its midnight, or an instant with an offset.
    ///
    /// ```
    /// let midnight = units::Timestamp::parse("2025-01-31").unwrap();
    /// assert_eq!(midnight, units::Timestamp::parse("2025-01-30T18:00-06:00").unwrap());
    /// ```
    pub fn parse(text: &str) -> Result<Self, TimestampError> {
        let text = text.trim();
        let wrong = || TimestampError(text.to_owned());
        if let Ok(instant) = text.parse::<jiff::Timestamp>() {
            return match instant.subsec_nanosecond() {
                0 => Ok(Self(instant.as_second())),
                _ => Err(wrong()),
            };
        }
        // A date alone; a date and time without an offset would be a guess.
        let date = jiff::civil::Date::strptime("%Y-%m-%d", text).map_err(|_| wrong())?;
        let midnight = date.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| wrong())?;
        Ok(Self(midnight.timestamp().as_second()))
    }

    /// The start of the whole `step` since the epoch that this instant lies in.
    pub fn floor(self, step: Seconds) -> Self {
        Self(self.0.div_euclid(step.0) * step.0)
    }

    /// Year, month and day in UTC.
    pub fn utc_date(self) -> (i16, i8, i8) {
        let date = self.civil();
        (date.year(), date.month(), date.day())
    }

    fn civil(self) -> jiff::civil::DateTime {
        let instant = jiff::Timestamp::from_second(self.0)
            .expect("an instant within ten millennia");
        jiff::tz::TimeZone::UTC.to_datetime(instant)
    }
}

impl std::ops::Add<Seconds> for Timestamp {
    type Output = Self;
    fn add(self, duration: Seconds) -> Self {
        Self(self.0.checked_add(duration.0).expect("Timestamp overflows"))
    }
}

impl std::ops::Sub<Seconds> for Timestamp {
    type Output = Self;
    fn sub(self, duration: Seconds) -> Self {
        Self(self.0.checked_sub(duration.0).expect("Timestamp overflows"))
    }
}

impl std::ops::Sub for Timestamp {
    type Output = Seconds;
    fn sub(self, earlier: Self) -> Seconds {
        Seconds(self.0.checked_sub(earlier.0).expect("Seconds overflow"))
    }
}

impl std::fmt::Display for Timestamp {
    /// Whatever the figure: one that no calendar has is shown in seconds, so that what
    /// was written by mistake can be told.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Ok(instant) = jiff::Timestamp::from_second(self.0) else {
            return f.pad(&format!("{} s since 1970", self.0));
        };
        let at = jiff::tz::TimeZone::UTC.to_datetime(instant);
        let mut text = at.strftime("%Y-%m-%dT%H:%M").to_string();
        if at.second() != 0 {
            text.push_str(&at.strftime(":%S").to_string());
        }
        text.push('Z');
        f.pad(&text)
    }
}

impl std::fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl Interval {
    /// The stretch from `start` for `duration`.
    pub fn starting(start: Timestamp, duration: Seconds) -> Self {
        Self { start, end: start + duration }
    }

    /// How long it is.
    pub fn duration(self) -> Seconds {
        self.end - self.start
    }

    /// Whether `at` lies inside.
    pub fn contains(self, at: Timestamp) -> bool {
        self.start <= at && at < self.end
    }

    /// Whether the two share an instant.
    pub fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }
}

impl std::fmt::Display for Interval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("{} to {}", self.start, self.end))
    }
}

impl std::fmt::Debug for Interval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_that_no_calendar_has_is_shown_in_seconds() {
        let beyond = Timestamp::from_unix_seconds(i64::MAX);
        assert_eq!(beyond.to_string(), "9223372036854775807 s since 1970");
        assert_eq!(format!("{beyond:?}"), beyond.to_string());
    }

    #[test]
    fn instants_read_and_print_alike() {
        for text in ["2025-01-31T14:00Z", "2025-01-31T14:00:07Z", "1969-12-31T23:59Z"] {
            assert_eq!(Timestamp::parse(text).expect("an instant").to_string(), text);
        }
    }

    #[test]
    fn a_time_without_an_offset_is_refused() {
        for wrong in ["2025-01-31T14:00", "2025-13-01", "31/01/2025", "yesterday", ""] {
            assert!(Timestamp::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_interval_holds_its_start_and_not_its_end() {
        let start = Timestamp::parse("2025-01-31").expect("a date");
        let interval = Interval::starting(start, Seconds::minutes(15));
        assert!(interval.contains(start));
        assert!(!interval.contains(interval.end));
        assert!(
            !interval.overlaps(Interval::starting(interval.end, Seconds::minutes(15)))
        );
    }
}
