//! Calendar months of a contract's time zone, and months of service.
//!
//! Instants are UTC; a zone is needed only to say when a month or a day begins.
//! Zone rules travel with the program, so every machine finds the same edges.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use units::{Interval, Timestamp};

/// A calendar day.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(jiff::civil::Date);

/// A calendar month, such as 2026-05: what a statement settles.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period {
    year: i16,
    month: i8,
}

/// A time zone by its name in the IANA database.
#[derive(Clone)]
pub struct Zone {
    name: String,
    rules: jiff::tz::TimeZone,
}

impl Date {
    /// The day, when it exists in the calendar.
    pub fn new(year: i16, month: i8, day: i8) -> Option<Self> {
        jiff::civil::Date::new(year, month, day).ok().map(Self)
    }

    /// Reads `2026-05-31`.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 10 {
            return None;
        }
        text.parse().ok().map(Self)
    }

    /// The day so many days later, or earlier when negative.
    ///
    /// # Panics
    /// Beyond the year 9999.
    pub fn plus_days(self, days: i64) -> Self {
        let span = jiff::Span::new().days(days);
        Self(self.0.checked_add(span).expect("a date within ten millennia"))
    }

    /// The day so many months later, the last of the month when it has no such day.
    ///
    /// # Panics
    /// Beyond the year 9999.
    pub fn plus_months(self, months: i64) -> Self {
        let span = jiff::Span::new().months(months);
        Self(self.0.checked_add(span).expect("a date within ten millennia"))
    }

    /// How many days this lies after `earlier`; negative when before it.
    pub fn days_since(self, earlier: Self) -> i64 {
        let span = self.0.since(earlier.0).expect("two dates have a distance");
        i64::from(span.get_days())
    }

    /// Whether this is the first of a month.
    pub fn is_first_of_month(self) -> bool {
        self.0.day() == 1
    }

    /// The month this lies in.
    pub fn period(self) -> Period {
        Period { year: self.0.year(), month: self.0.month() }
    }
}

impl Period {
    /// The month, when there is one of that number.
    pub fn new(year: i16, month: i8) -> Option<Self> {
        Date::new(year, month, 1).map(Date::period)
    }

    /// Reads `2026-05`.
    pub fn parse(text: &str) -> Option<Self> {
        let (year, month) = text.split_once('-')?;
        if year.len() != 4 || month.len() != 2 {
            return None;
        }
        Self::new(year.parse().ok()?, month.parse().ok()?)
    }

    /// The calendar year.
    pub const fn year(self) -> i16 {
        self.year
    }

    /// The month of the year, from 1.
    pub const fn month(self) -> i8 {
        self.month
    }

    /// Months since the year nought, so that differences are lengths.
    pub const fn ordinal(self) -> i32 {
        // The widening is exact; `from` is not usable in a constant.
        self.year as i32 * 12 + self.month as i32 - 1
    }

    /// The month so many months later, or earlier when negative.
    ///
    /// # Panics
    /// Beyond the year 9999.
    pub fn plus(self, months: i32) -> Self {
        let ordinal = self.ordinal() + months;
        let year = i16::try_from(ordinal.div_euclid(12)).expect("a year of four digits");
        let month = i8::try_from(ordinal.rem_euclid(12) + 1).expect("a month");
        Self { year, month }
    }

    /// The month after.
    pub fn next(self) -> Self {
        self.plus(1)
    }

    /// The month before.
    pub fn previous(self) -> Self {
        self.plus(-1)
    }

    /// How many months this lies after `earlier`.
    pub const fn months_since(self, earlier: Self) -> i32 {
        self.ordinal() - earlier.ordinal()
    }

    /// The first day of the month.
    pub fn first_day(self) -> Date {
        Date::new(self.year, self.month, 1).expect("a month has a first day")
    }
}

impl Zone {
    /// The zone of that name; `None` when the database does not know it.
    pub fn named(name: &str) -> Option<Self> {
        let rules = jiff::tz::TimeZoneDatabase::bundled().get(name).ok()?;
        Some(Self { name: name.to_owned(), rules })
    }

    /// The zone's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The instant at which `date` begins. Where a clock change takes midnight
    /// away, the first instant after it.
    pub fn midnight(&self, date: Date) -> Timestamp {
        let start =
            self.rules.to_zoned(date.0.to_datetime(jiff::civil::Time::midnight()));
        stamp(start.expect("an instant within ten millennia").timestamp())
    }

    /// The instants of a month: `[start, end)`.
    pub fn month(&self, period: Period) -> Interval {
        Interval {
            start: self.midnight(period.first_day()),
            end: self.midnight(period.next().first_day()),
        }
    }

    /// The day an instant lies in.
    pub fn date(&self, at: Timestamp) -> Date {
        Date(self.rules.to_datetime(instant(at)).date())
    }

    /// The month an instant lies in.
    pub fn period(&self, at: Timestamp) -> Period {
        self.date(at).period()
    }

    /// The instant so many months after `anchor` by the wall clock, the last of
    /// the month when it has no such day. Never chained: each month is counted
    /// from the anchor.
    ///
    /// ```
    /// use settle::calendar::Zone;
    /// use units::Timestamp;
    /// let utc = Zone::named("UTC").unwrap();
    /// let anchor = Timestamp::parse("2027-01-31").unwrap();
    /// assert_eq!(utc.months_after(anchor, 1), Timestamp::parse("2027-02-28").unwrap());
    /// assert_eq!(utc.months_after(anchor, 2), Timestamp::parse("2027-03-31").unwrap());
    /// ```
    pub fn months_after(&self, anchor: Timestamp, months: i64) -> Timestamp {
        let zoned = instant(anchor).to_zoned(self.rules.clone());
        let span = jiff::Span::new().months(months);
        stamp(zoned.checked_add(span).expect("within ten millennia").timestamp())
    }
}

fn instant(at: Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_second(at.as_unix_seconds())
        .expect("an instant within ten millennia")
}

fn stamp(at: jiff::Timestamp) -> Timestamp {
    Timestamp::from_unix_seconds(at.as_second())
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

impl std::fmt::Debug for Zone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

impl std::fmt::Display for Date {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0.to_string())
    }
}

impl std::fmt::Display for Period {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("{:04}-{:02}", self.year, self.month))
    }
}

impl std::fmt::Debug for Date {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::fmt::Debug for Period {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(format!("expected a date, found `{text}`"))
        })
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(format!("expected a month, found `{text}`"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(zone: &str, year: i16, month: i8) -> i64 {
        let zone = Zone::named(zone).expect("a zone");
        let month = Period::new(year, month).expect("a month");
        zone.month(month).duration().as_seconds() / 3_600
    }

    #[test]
    fn months_have_the_hours_that_pass() {
        assert_eq!(hours("America/Chicago", 2026, 3), 743);
        assert_eq!(hours("America/Chicago", 2026, 11), 721);
        assert_eq!(hours("UTC", 2028, 2), 29 * 24);
    }

    #[test]
    fn months_count_across_years() {
        let december = Period::new(2026, 12).expect("a month");
        assert_eq!(december.next().to_string(), "2027-01");
        assert_eq!(december.plus(-12).to_string(), "2025-12");
        assert_eq!(december.next().months_since(december), 1);
        assert!(Period::parse("2026-13").is_none());
        assert!(Period::parse("2026-5").is_none());
    }

    #[test]
    fn an_unknown_zone_is_none() {
        assert!(Zone::named("Mars/Olympus").is_none());
    }
}
