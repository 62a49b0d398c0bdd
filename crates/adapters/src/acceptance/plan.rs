//! The acceptance plan as a file of TOML.

use std::collections::BTreeMap;

use engine::capacity::acceptance::{Plan, Rate};
use serde::Deserialize;
use units::Seconds;

use super::{Unreadable, thousandths};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    shape: String,
    #[serde(default)]
    firmware: BTreeMap<String, String>,
    flow_ml_per_minute: Option<i64>,
    dcgm_level: u8,
    #[serde(default)]
    nvbandwidth_gb_per_s: BTreeMap<String, String>,
    #[serde(default)]
    nccl_busbw_gb_per_s: BTreeMap<String, String>,
    nccl_least_bytes: Option<u64>,
    within_percent: u8,
    soak_hours: i64,
    #[serde(default)]
    flat: Vec<String>,
}

/// The least size of a collective where the plan names none: from a gibibyte on, links
/// are what bounds it.
const NCCL_LEAST_BYTES: u64 = 1 << 30;

/// Reads a plan.
///
/// # Errors
///
/// [`Unreadable`] with what has to be there.
pub fn read_plan(file: &str, text: &str) -> Result<Plan, Unreadable> {
    let wrong = |expected: &str, found: String| Unreadable::new(file, expected, found);
    let written: Written = toml::from_str(text)
        .map_err(|error| wrong("an acceptance plan", error.message().to_owned()))?;
    let rates = |table: BTreeMap<String, String>| {
        let rate = |(name, text): (String, String)| {
            let rate = thousandths(&text).ok_or_else(|| {
                wrong("a bandwidth in GB/s, in quotes", format!("{name} = {text}"))
            })?;
            Ok((name, Rate(rate)))
        };
        table.into_iter().map(rate).collect::<Result<BTreeMap<_, _>, Unreadable>>()
    };
    if written.dcgm_level > 4 {
        return Err(wrong("dcgm_level from 0 to 4", written.dcgm_level.to_string()));
    }
    if written.within_percent > 100 {
        let found = written.within_percent.to_string();
        return Err(wrong("within_percent from 0 to 100", found));
    }
    if !(0..=1_000).contains(&written.soak_hours) {
        return Err(wrong("soak_hours from 0 to 1000", written.soak_hours.to_string()));
    }
    Ok(Plan {
        name: written.name,
        shape: written.shape,
        firmware: written.firmware,
        flow_ml_per_minute: written.flow_ml_per_minute,
        dcgm_level: written.dcgm_level,
        nvbandwidth: rates(written.nvbandwidth_gb_per_s)?,
        nccl: rates(written.nccl_busbw_gb_per_s)?,
        nccl_least_bytes: written.nccl_least_bytes.unwrap_or(NCCL_LEAST_BYTES),
        within_ppm: i64::from(written.within_percent) * 10_000,
        soak: Seconds::hours(written.soak_hours),
        flat: written.flat,
    })
}
