//! One cell of a file: decimal text to integers, written times to seconds.
//!
//! A million cells are read for each backtest, so the common forms have a
//! plain path of their own; anything unusual goes to `units::decimal`.

/// Seconds in a day.
pub(crate) const DAY: i64 = 86_400;

/// Days since 1970-01-01 of a date in the Gregorian calendar.
///
/// Counts years from March, so that the leap day is the last of its year.
pub(crate) const fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The instant of an hour of a date in UTC, for tables of dated rules.
pub(crate) const fn utc(year: i64, month: i64, day: i64, hour: i64) -> i64 {
    days(year, month, day) * DAY + hour * 3_600
}

/// A written number as an integer count of `10^-places`; more digits are
/// rounded half to even. `None` where it is not a number or does not fit.
pub(crate) fn scaled(cell: &[u8], places: u32) -> Option<i64> {
    plain(cell, places).or_else(|| {
        let text = std::str::from_utf8(cell).ok()?;
        units::decimal::rounded(text, places).ok()
    })
}

/// The plain path of [`scaled`]: a sign, digits, a point, at most `places` more.
fn plain(cell: &[u8], places: u32) -> Option<i64> {
    let (negative, digits) = match cell {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, cell),
    };
    // 17 digits and the widest scale we keep stay inside 64 bits or fall back.
    if digits.is_empty() || digits.len() > 18 || !digits[0].is_ascii_digit() {
        return None;
    }
    let mut value = 0_i64;
    let mut after_point: Option<u32> = None;
    for byte in digits {
        match byte {
            b'0'..=b'9' => {
                value = value * 10 + i64::from(byte - b'0');
                after_point = after_point.map(|n| n + 1);
            }
            b'.' if after_point.is_none() => after_point = Some(0),
            _ => return None,
        }
    }
    let missing = places.checked_sub(after_point.unwrap_or(0))?;
    let value = value.checked_mul(10_i64.checked_pow(missing)?)?;
    Some(if negative { -value } else { value })
}

/// Whether a cell says that there is nothing.
pub(crate) fn is_blank(cell: &[u8]) -> bool {
    match cell.len() {
        0 => true,
        1 => cell == b"-",
        2 => cell.eq_ignore_ascii_case(b"na"),
        3 => cell.eq_ignore_ascii_case(b"nan") || cell.eq_ignore_ascii_case(b"n/a"),
        4 => cell.eq_ignore_ascii_case(b"null") || cell.eq_ignore_ascii_case(b"none"),
        _ => false,
    }
}

fn number(cell: &[u8]) -> Option<i64> {
    if cell.is_empty() || cell.len() > 4 {
        return None;
    }
    cell.iter().try_fold(0_i64, |value, byte| {
        byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0'))
    })
}

/// A written date as days since 1970: `2025-01-31`, `2025/01/31` or `01/31/2025`.
pub(crate) fn date(cell: &[u8]) -> Option<i64> {
    let separator = *cell.iter().find(|byte| !byte.is_ascii_digit())?;
    if separator != b'-' && separator != b'/' {
        return None;
    }
    let mut parts = cell.split(|byte| *byte == separator);
    let (first, second, third) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let (year, month, day) = match (first.len(), third.len()) {
        (4, 1..=2) => (first, second, third),
        (1..=2, 4) => (third, first, second),
        _ => return None,
    };
    let (year, month, day) = (number(year)?, number(month)?, number(day)?);
    let last = match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        1..=12 => 31,
        _ => return None,
    };
    // Power markets and bitcoin are younger than 1990; a later year is a slip.
    ((1990..2200).contains(&year) && (1..=last).contains(&day))
        .then(|| days(year, month, day))
}

/// A written time of day in seconds: `14:05`, `14:05:30`, with zero fractions.
fn time_of_day(cell: &[u8]) -> Option<i64> {
    let whole = match cell.iter().position(|byte| *byte == b'.') {
        Some(point) if cell[point + 1..].iter().all(|byte| *byte == b'0') => {
            &cell[..point]
        }
        Some(_) => return None,
        None => cell,
    };
    let mut parts = whole.split(|byte| *byte == b':');
    let (hour, minute) = (number(parts.next()?)?, number(parts.next()?)?);
    let second = match parts.next() {
        Some(second) => number(second)?,
        None => 0,
    };
    let inside = hour < 24 && minute < 60 && second < 60 && parts.next().is_none();
    inside.then_some(hour * 3_600 + minute * 60 + second)
}

/// A date with a time of day as written, without its offset: days and seconds.
pub(crate) fn civil(cell: &[u8]) -> Option<(i64, i64)> {
    let gap = cell.iter().position(|byte| matches!(byte, b'T' | b' '))?;
    Some((date(&cell[..gap])?, time_of_day(cell[gap + 1..].trim_ascii())?))
}

/// An instant with its offset, in seconds since 1970: `…Z`, `…+10:00`, `…-06`.
///
/// Without an offset it is `None`, unless `utc_by_name`: the column's name
/// says that it is UTC.
pub(crate) fn instant(cell: &[u8], utc_by_name: bool) -> Option<i64> {
    let (local, offset) = split_offset(cell)?;
    let offset = match offset {
        Some(seconds) => seconds,
        None if utc_by_name => 0,
        None => return None,
    };
    let (day, second) = match civil(local) {
        Some(civil) => civil,
        None if utc_by_name && offset == 0 => (date(local)?, 0),
        None => return None,
    };
    Some(day * DAY + second - offset)
}

/// Splits `…Z` or `…±HH[:MM]` from the end; the offset in seconds.
fn split_offset(cell: &[u8]) -> Option<(&[u8], Option<i64>)> {
    if let [local @ .., b'Z' | b'z'] = cell {
        return Some((local, Some(0)));
    }
    // A sign before the eleventh byte belongs to the date.
    let Some(at) =
        cell.iter().rposition(|byte| matches!(byte, b'+' | b'-')).filter(|at| *at > 10)
    else {
        return Some((cell, None));
    };
    let (hours, minutes) = match &cell[at + 1..] {
        [h1, h2] => ([*h1, *h2], *b"00"),
        [h1, h2, m1, m2] | [h1, h2, b':', m1, m2] => ([*h1, *h2], [*m1, *m2]),
        _ => return None,
    };
    let seconds = number(&hours)? * 3_600 + number(&minutes)? * 60;
    let seconds = if cell[at] == b'-' { -seconds } else { seconds };
    Some((cell[..at].trim_ascii_end(), Some(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact() {
        let cases: [(&str, Option<i64>); 14] = [
            ("23.45", Some(23_450_000)),
            ("-0.001", Some(-1_000)),
            ("67.5832701", Some(67_583_270)),
            ("67.5832705", Some(67_583_270)),
            ("67.5832715", Some(67_583_272)),
            ("5000", Some(5_000_000_000)),
            ("1e3", Some(1_000_000_000)),
            (".5", Some(500_000)),
            ("9999999999999999999", None),
            ("--1", None),
            ("1.2.3", None),
            ("12,5", None),
            ("x", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(scaled(text.as_bytes(), 6), expected, "{text}");
        }
    }

    #[test]
    fn times_are_read_in_each_written_form() {
        let noon = utc(2025, 1, 31, 12);
        for text in [
            "2025-01-31T12:00Z",
            "2025-01-31T12:00:00Z",
            "2025-01-31 12:00:00.000+00:00",
            "2025-01-31 06:00:00-06:00",
            "2025-01-31 06:00:00-0600",
            "2025-01-31T22:00+10",
            "2025/01/31 22:00+10:00",
            "01/31/2025 12:00Z",
        ] {
            assert_eq!(instant(text.as_bytes(), false), Some(noon), "{text}");
        }
        for wrong in [
            "2025-01-31T12:00",
            "2025-02-29T12:00Z",
            "2025-01-31T24:00Z",
            "2025-01-31T12:60Z",
            "31/01/2025 12:00Z",
            "2025-01-31T12:00:00.5Z",
            "0025-01-31T12:00Z",
            "Z",
            "",
        ] {
            assert_eq!(instant(wrong.as_bytes(), false), None, "{wrong}");
        }
        assert_eq!(instant(b"2025-01-31T12:00", true), Some(noon));
    }

    #[test]
    fn days_count_from_1970() {
        let cases = [
            ((1970, 1, 1), 0),
            ((1970, 3, 1), 59),
            ((2000, 2, 29), 11_016),
            ((2024, 12, 31), 20_088),
        ];
        for ((year, month, day), expected) in cases {
            assert_eq!(days(year, month, day), expected, "{year}-{month}-{day}");
        }
    }
}
