//! Acceptance: what the tools wrote, read strictly, and the evidence signed.
//!
//! A drop folder holds a folder for each rack, with the tools' own outputs under fixed
//! names: those of the rack in it, those of a tray in `slot-00` and so on.
//!
//! | file | what wrote it |
//! |---|---|
//! | `inventory.json` | the sweep over Redfish: serial numbers and firmware; of the rack its leaks and flow |
//! | `dcgmi.json` | `dcgmi diag -r LEVEL -j` |
//! | `nvbandwidth.txt` | `nvbandwidth` |
//! | `soak.json` | counters at the ends of the soak |
//! | `nccl-all_reduce.txt` and others | a program of nccl-tests, by its collective |
//!
//! What cannot be read is an error with file and place: a result is never guessed.

pub mod bundle;
mod dcgmi;
mod inventory;
mod nccl;
mod nvbandwidth;
mod plan;

use std::path::Path;

use engine::capacity::acceptance::Results;

pub use bundle::{Bundle, BundleError, Evidence};
pub use plan::read_plan;

/// Why a tool's output cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: expected {expected}, found {found}")]
pub struct Unreadable {
    /// The file, and the line or key where there is one.
    pub file: String,
    /// What has to be there.
    pub expected: String,
    /// What is.
    pub found: String,
}

impl Unreadable {
    pub(crate) fn new(
        place: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self { file: place.into(), expected: expected.into(), found: found.into() }
    }
}

/// The files of a rack's folder, by their names in it, in order.
///
/// # Errors
///
/// What the system says of a folder or file that cannot be read.
pub fn files(folder: &Path) -> std::io::Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        if path.is_dir() {
            for inner in std::fs::read_dir(&path)? {
                let inner = inner?.path();
                if let Some(file) = inner.file_name().and_then(|name| name.to_str()) {
                    let text = std::fs::read_to_string(&inner)?;
                    files.push((format!("{name}/{file}"), text));
                }
            }
        } else {
            files.push((name.to_owned(), std::fs::read_to_string(&path)?));
        }
    }
    files.sort();
    Ok(files)
}

/// Reads the files of one rack.
///
/// # Errors
///
/// [`Unreadable`] for the first file that is not what its name says, or has no name
/// that is known.
pub fn read_results(files: &[(String, String)]) -> Result<Results, Unreadable> {
    let mut results = Results::default();
    for (name, text) in files {
        let unknown =
            || Unreadable::new(name, "a file of an acceptance", "a name that is unknown");
        match name.split_once('/') {
            None => match name.as_str() {
                "inventory.json" => inventory::rack(name, text, &mut results.rack)?,
                other => {
                    let collective = other
                        .strip_prefix("nccl-")
                        .and_then(|rest| rest.strip_suffix(".txt"))
                        .ok_or_else(unknown)?;
                    let run = nccl::read(name, text)?;
                    results.rack.nccl.insert(collective.to_owned(), run);
                }
            },
            Some((folder, file)) => {
                let slot: u8 = folder
                    .strip_prefix("slot-")
                    .and_then(|slot| slot.parse().ok())
                    .ok_or_else(unknown)?;
                let tray = results.trays.entry(slot).or_default();
                match file {
                    "inventory.json" => {
                        tray.inventory = Some(inventory::tray(name, text)?)
                    }
                    "dcgmi.json" => tray.dcgm = Some(dcgmi::read(name, text)?),
                    "nvbandwidth.txt" => {
                        tray.nvbandwidth = Some(nvbandwidth::read(name, text)?);
                    }
                    "soak.json" => tray.soak = Some(inventory::soak(name, text)?),
                    _ => return Err(unknown()),
                }
            }
        }
    }
    Ok(results)
}

/// Reads `123.45` as thousandths; more digits are cut off, which only lowers it.
fn thousandths(text: &str) -> Option<i64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(part) || whole.len() > 12 {
        return None;
    }
    let part: String = part.chars().chain("000".chars()).take(3).collect();
    Some(whole.parse::<i64>().ok()? * 1_000 + part.parse::<i64>().ok()?)
}
