//! What was read over Redfish, and counters of a soak, as files of our own.

use std::collections::BTreeMap;

use engine::capacity::acceptance::{Inventory, RackResults, Soak};
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
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRack {
    leaks: Vec<String>,
    flow_ml_per_minute: Option<i64>,
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
    let WrittenTray { serial, gpus, firmware } =
        json(file, text, "serial, gpus and firmware of a tray")?;
    Ok(Inventory { serial, gpus, firmware })
}

pub(super) fn rack(
    file: &str,
    text: &str,
    results: &mut RackResults,
) -> Result<(), Unreadable> {
    let found: WrittenRack = json(file, text, "leaks and flow_ml_per_minute of a rack")?;
    results.leaks = Some(found.leaks);
    results.flow_ml_per_minute = found.flow_ml_per_minute;
    Ok(())
}

pub(super) fn soak(file: &str, text: &str) -> Result<Soak, Unreadable> {
    let found: WrittenSoak = json(file, text, "from, to, before and after of a soak")?;
    let instant = |text: &str| {
        Timestamp::parse(text)
            .map_err(|error| Unreadable::new(file, "an instant", error.to_string()))
    };
    Ok(Soak {
        from: instant(&found.from)?,
        to: instant(&found.to)?,
        before: found.before,
        after: found.after,
    })
}
