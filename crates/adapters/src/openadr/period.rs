//! When something holds: instants and durations as OpenADR writes them.

use serde_json::Value;
use units::{Interval, Seconds, Timestamp};

use crate::device::DeviceText;

/// A start, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Period {
    /// `None` is now.
    pub(super) start: Option<Timestamp>,
    /// `None` is without end.
    pub(super) duration: Option<Seconds>,
}

/// Longer than anything that has an end: years that stand for none.
const WITHOUT_END: i64 = 366 * 86_400 * 50;

impl Period {
    /// Reads an `intervalPeriod`.
    pub(super) fn read(value: &Value) -> Result<Self, String> {
        let object = value.as_object().ok_or("expected an intervalPeriod of keys")?;
        let start = match object.get("start") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => start(text)?,
            Some(other) => return Err(wrong("a start as text", &other.to_string())),
        };
        Ok(Self { start, duration: duration_of(object.get("duration"))? })
    }
}

/// Reads a duration where there is one.
pub(super) fn duration_of(value: Option<&Value>) -> Result<Option<Seconds>, String> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => duration(text),
        Some(other) => Err(wrong("a duration as text", &other.to_string())),
    }
}

/// An instant; `None` for the year 1, which stands for now.
fn start(text: &str) -> Result<Option<Timestamp>, String> {
    if text.starts_with("0001-01-01") {
        return Ok(None);
    }
    // Fractions of a second are nothing to a grid.
    let whole = match text.split_once('.') {
        Some((whole, rest)) => {
            let zone = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            format!("{whole}{zone}")
        }
        None => text.to_owned(),
    };
    let at = Timestamp::parse(&whole)
        .map_err(|_| wrong("a start such as 2026-01-31T14:00:00Z", text))?;
    Ok(Some(at))
}

/// Reads an ISO 8601 duration; `None` for one of generations, which stands for no end.
fn duration(text: &str) -> Result<Option<Seconds>, String> {
    let expected = || wrong("a duration such as PT1H", text);
    let rest = text.strip_prefix('P').ok_or_else(expected)?;
    let (days, time) = rest.split_once('T').unwrap_or((rest, ""));
    if rest.is_empty() || (rest.contains('T') && time.is_empty()) {
        return Err(expected());
    }
    let units: [(&str, &[(char, i64)]); 2] = [
        // A month is taken at its longest, as is a year.
        (days, &[('Y', 366 * 86_400), ('M', 31 * 86_400), ('W', 604_800), ('D', 86_400)]),
        (time, &[('H', 3_600), ('M', 60), ('S', 1)]),
    ];
    let mut total: i64 = 0;
    for (mut part, mut allowed) in units {
        while !part.is_empty() {
            let end =
                part.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(expected)?;
            let unit = part[end..].chars().next().ok_or_else(expected)?;
            let place = allowed.iter().position(|(name, _)| *name == unit);
            let place = place.ok_or_else(expected)?;
            let count: i64 = part[..end].parse().map_err(|_| expected())?;
            if !part[..end].bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(expected());
            }
            let seconds = count.saturating_mul(allowed[place].1);
            total = total.saturating_add(seconds);
            allowed = &allowed[place + 1..];
            part = &part[end + 1..];
        }
    }
    if total == 0 {
        return Err(wrong("a duration of more than nothing", text));
    }
    Ok((total < WITHOUT_END).then_some(Seconds::from_seconds(total)))
}

/// From `start`, for `duration` or, without one, for `longest`; no longer than that.
/// Says whether the end is ours.
pub(super) fn bounded(
    start: Timestamp,
    duration: Option<Seconds>,
    longest: Seconds,
) -> (Interval, bool) {
    match duration {
        Some(duration) if duration <= longest => {
            (Interval::starting(start, duration), false)
        }
        Some(_) | None => (Interval::starting(start, longest), true),
    }
}

fn wrong(expected: &str, found: &str) -> String {
    format!("expected {expected}, found `{}`", DeviceText::of(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_strictly() {
        for (text, seconds) in [
            ("PT5M", Some(300)),
            ("PT1H", Some(3_600)),
            ("PT1H30M5S", Some(5_405)),
            ("P1D", Some(86_400)),
            ("P1W", Some(604_800)),
            ("P0Y0M0DT1H0M0S", Some(3_600)),
            ("P9999Y", None),
            ("P99999999999Y", None),
        ] {
            let found = duration(text).expect(text).map(Seconds::as_seconds);
            assert_eq!(found, seconds, "{text}");
        }
        for text in [
            "", "P", "PT", "1H", "PT1", "PTH", "PT-1H", "PT+1H", "PT1M1H", "PT0S", "P1H",
            "PT1.5H", "-PT1H",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_year_one_is_now() {
        assert_eq!(start("0001-01-01T00:00:00Z"), Ok(None));
        assert_eq!(start("0001-01-01"), Ok(None));
        let at = Timestamp::parse("2026-01-31T14:00Z").expect("a time");
        assert_eq!(start("2026-01-31T14:00:00Z"), Ok(Some(at)));
        assert_eq!(start("2026-01-31T14:00:00.123456Z"), Ok(Some(at)));
        assert_eq!(start("2026-01-31T08:00:00.5-06:00"), Ok(Some(at)));
        assert!(start("soon").is_err());
        assert!(start("2026-01-31T14:00:00").is_err());
    }
}
