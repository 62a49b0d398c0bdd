//! What only the burn-in job knows, as files of our own: what is in a tray, counters at
//! the ends of a soak, leaks and flow, and when the tools ran.

use std::collections::BTreeMap;

use engine::capacity::acceptance::{Inventory, RackResults, Ran, Soak};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use units::Timestamp;

use super::Unreadable;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTray {
    serial: String,
    gpus: Vec<String>,
    firmware: BTreeMap<String, String>,
    at: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRack {
    leaks: Vec<String>,
    flow_ml_per_minute: Option<i64>,
    at: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRun {
    from: String,
    to: String,
    by: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSoak {
    from: String,
    to: String,
    before: BTreeMap<String, i64>,
    after: BTreeMap<String, i64>,
}

fn json<T: DeserializeOwned>(
    file: &str,
    text: &str,
    what: &str,
) -> Result<T, Unreadable> {
    serde_json::from_str(text)
        .map_err(|error| Unreadable::new(file, what, error.to_string()))
}

pub(super) fn tray(file: &str, text: &str) -> Result<Inventory, Unreadable> {
    let WrittenTray { serial, gpus, firmware, at } =
        json(file, text, "serial, gpus and firmware of a tray")?;
    let at = at.map(|at| instant(file, &at)).transpose()?;
    Ok(Inventory { serial, gpus, firmware, at })
}

pub(super) fn rack(
    file: &str,
    text: &str,
    results: &mut RackResults,
) -> Result<(), Unreadable> {
    let found: WrittenRack = json(file, text, "leaks and flow_ml_per_minute of a rack")?;
    results.leaks = Some(found.leaks);
    results.flow_ml_per_minute = found.flow_ml_per_minute;
    results.looked_at = found.at.map(|at| instant(file, &at)).transpose()?;
    Ok(())
}

pub(super) fn ran(file: &str, text: &str) -> Result<Ran, Unreadable> {
    let found: WrittenRun = json(file, text, "from, to and by of the tools' runs")?;
    if found.by.trim().is_empty() {
        return Err(Unreadable::new(file, "`by`, who says when the tools ran", "nobody"));
    }
    let (from, to) = (instant(file, &found.from)?, instant(file, &found.to)?);
    Ok(Ran { from, to, by: found.by })
}

fn instant(file: &str, text: &str) -> Result<Timestamp, Unreadable> {
    let wrong = |error: units::TimestampError| {
        Unreadable::new(file, "an instant with its offset", error.to_string())
    };
    Timestamp::parse(text).map_err(wrong)
}

pub(super) fn soak(file: &str, text: &str) -> Result<Soak, Unreadable> {
    let found: WrittenSoak = json(file, text, "from, to, before and after of a soak")?;
    Ok(Soak {
        from: instant(file, &found.from)?,
        to: instant(file, &found.to)?,
        before: found.before,
        after: found.after,
    })
}
