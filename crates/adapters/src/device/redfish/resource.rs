//! One resource as a service wrote it, read property by property.
//!
//! A property of the wrong type, or a text where a number belongs, is a property
//! that is absent: it costs itself and never the resource around it.

use std::time::Instant;

use serde_json::Value;
use units::{Power, Temperature, Timestamp};

use super::path::Path;
use super::wire::{Said, nonsense};
use crate::device::{DeviceText, Unanswered};

/// The most members of a collection that are looked at.
const MEMBERS_MAX: usize = 512;

/// What no device draws: more than a hall.
const WATTS_MAX: f64 = 1e9;

/// A resource.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    pub(super) path: Path,
    /// For a change that is refused where somebody else changed it meanwhile.
    pub(super) etag: Option<String>,
    /// When it was read.
    pub(super) read: Instant,
    /// The service's time then.
    pub(super) date: Option<Timestamp>,
    json: Value,
}

impl Resource {
    /// What was said, if it is a resource.
    pub(super) fn of(path: &Path, said: &Said) -> Result<Self, Unanswered> {
        let json: Value = serde_json::from_slice(&said.body)
            .map_err(|_| nonsense(&format!("no JSON at {path}")))?;
        if !json.is_object() {
            return Err(nonsense(&format!("no object at {path}")));
        }
        let header = |name: &str| said.headers.get(name)?.to_str().ok();
        Ok(Self {
            path: path.clone(),
            etag: header("etag").map(str::to_owned),
            read: Instant::now(),
            date: header("date").and_then(http_date),
            json,
        })
    }

    /// A resource that a test made up.
    #[cfg(test)]
    pub(super) fn made_up(path: &str, json: Value) -> Self {
        let path = Path::of(path).expect("a path");
        Self { path, etag: None, read: Instant::now(), date: None, json }
    }

    /// The part at a JSON pointer.
    pub(super) fn part(&self, pointer: &str) -> Option<&Value> {
        self.json.pointer(pointer).filter(|part| !part.is_null())
    }

    /// A text, unless it says that there is none.
    pub(super) fn text(&self, pointer: &str) -> Option<&str> {
        text(self.part(pointer)?)
    }

    /// What a device writes about itself.
    pub(super) fn said(&self, pointer: &str) -> Option<DeviceText> {
        self.text(pointer).map(DeviceText::of)
    }

    /// What it is called: its `Id`, or the end of its path.
    pub(super) fn name(&self) -> DeviceText {
        self.said("/Id").unwrap_or_else(|| DeviceText::of(self.path.name()))
    }

    pub(super) fn number(&self, pointer: &str) -> Option<f64> {
        number(self.part(pointer)?)
    }

    pub(super) fn watts(&self, pointer: &str) -> Option<Power> {
        watts(self.number(pointer)?)
    }

    /// Where a link leads.
    pub(super) fn link(&self, pointer: &str) -> Option<Path> {
        link(self.part(pointer)?)
    }

    /// Where several lead.
    pub(super) fn links(&self, pointer: &str) -> Vec<Path> {
        let several = self.part(pointer).and_then(Value::as_array);
        several.into_iter().flatten().take(MEMBERS_MAX).filter_map(link).collect()
    }

    /// The elements of a list.
    pub(super) fn each(&self, pointer: &str) -> impl Iterator<Item = &Value> {
        let list = self.part(pointer).and_then(Value::as_array);
        list.into_iter().flatten().take(MEMBERS_MAX * 8)
    }
}

/// A text, unless it is empty or says that there is none.
pub(super) fn text(part: &Value) -> Option<&str> {
    let text = part.as_str()?.trim();
    let is_none = ["", "n/a", "na", "none", "null", "unknown"]
        .iter()
        .any(|none| text.eq_ignore_ascii_case(none));
    (!is_none).then_some(text)
}

/// A number, or the text of one: reports write their values as text.
pub(super) fn number(part: &Value) -> Option<f64> {
    let number = match part {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    number.is_finite().then_some(number)
}

/// A power that a device can have.
pub(super) fn watts(number: f64) -> Option<Power> {
    (number.abs() <= WATTS_MAX).then(|| Power::from_watts(number.round() as i64))
}

/// A temperature that a device can have.
pub(super) fn celsius(number: f64) -> Option<Temperature> {
    let fits = (-100.0..=1_000.0).contains(&number);
    fits.then(|| Temperature::from_millidegrees((number * 1_000.0).round() as i64))
}

fn link(part: &Value) -> Option<Path> {
    let inner = part.get("@odata.id").unwrap_or(part);
    Path::of(inner.as_str()?)
}

/// A time as a service writes it, to the second.
pub(super) fn timestamp(text: &str) -> Option<Timestamp> {
    let instant: jiff::Timestamp = text.trim().parse().ok()?;
    Some(Timestamp::from_unix_seconds(instant.as_second()))
}

fn http_date(text: &str) -> Option<Timestamp> {
    let zoned = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(Timestamp::from_unix_seconds(zoned.timestamp().as_second()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{celsius, number, text, timestamp, watts};

    #[test]
    fn what_is_no_figure_is_absent() {
        for (part, expected) in [
            (json!(231.939), Some(231.939)),
            (json!("1361.533741"), Some(1361.533741)),
            (json!("nan"), None),
            (json!("inf"), None),
            (json!(""), None),
            (json!(null), None),
            (json!({"Reading": 3}), None),
            (json!("STATIC:3:0"), None),
        ] {
            assert_eq!(number(&part), expected, "{part}");
        }
        assert_eq!(watts(231.939).map(units::Power::as_watts), Some(232));
        assert_eq!(watts(1e300), None);
        assert_eq!(celsius(4_294_967_295.0), None);
    }

    #[test]
    fn what_says_that_there_is_none_is_none() {
        for said in ["", " ", "N/A", "NA", "None"] {
            assert_eq!(text(&json!(said)), None, "{said}");
        }
        assert_eq!(text(&json!(" SIM1 ")), Some("SIM1"));
        assert!(timestamp("2026-06-29T08:05:27.513+00:00").is_some());
        assert!(timestamp("<b>").is_none());
    }
}
