//! Acceptance: what the tools wrote, read strictly, and the evidence signed.
//!
//! A drop folder holds a folder for each rack, with the tools' own outputs under fixed
//! names: those of the rack in it, those of a tray in `slot-00` and so on.
//!
//! | file | what wrote it |
//! |---|---|
//! | `run.json` | the burn-in job, or a person: when the tools ran |
//! | `inventory.json` | the burn-in job: serial numbers and firmware; of the rack its leaks and flow |
//! | `dcgmi.json` | `dcgmi diag -r LEVEL -j` |
//! | `nvbandwidth.txt` | `nvbandwidth` |
//! | `soak.json` | the burn-in job: counters at the ends of the soak |
//! | `nccl-all_reduce.txt` and others | a program of nccl-tests, by its collective |
//!
//! A result is never guessed: a file that cannot be read is a failure of what it is
//! about, with file and place, and of nothing else. What is no file of an acceptance is
//! noted and passed by.

pub mod bundle;
mod dcgmi;
mod folder;
mod inventory;
mod nccl;
mod nvbandwidth;
mod plan;
mod prefix;

use std::collections::BTreeMap;

use engine::capacity::acceptance::{RackResults, Results, TrayResults, Unread};

pub use bundle::{Bundle, BundleError, Evidence};
pub use folder::{Dropped, files};
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

impl From<Unreadable> for Unread {
    fn from(why: Unreadable) -> Self {
        Self { file: why.file, expected: why.expected, found: why.found }
    }
}

/// The names of files of an acceptance, but for collectives.
const KNOWN: [&str; 5] =
    ["run.json", "inventory.json", "dcgmi.json", "nvbandwidth.txt", "soak.json"];

/// Reads the files of one rack.
pub fn read_results(files: &[(String, String)]) -> Results {
    let mut results = Results::default();
    let mut folders: BTreeMap<u8, String> = BTreeMap::new();
    for (name, text) in files {
        let read = match name.split_once('/') {
            None => of_rack(name, text, &mut results.rack),
            Some((folder, file)) => match slot_of(folder) {
                Some(slot) if !file.contains('/') => {
                    let first = folders.entry(slot).or_insert_with(|| folder.to_owned());
                    let tray = results.trays.entry(slot).or_default();
                    // Which of two is meant, nobody can say.
                    let read = match first == folder {
                        true => of_tray(name, file, text, tray),
                        false => {
                            let expected = format!("one folder of the slot, {first}");
                            Err(Unreadable::new(name, expected, format!("{folder} too")))
                        }
                    };
                    match read {
                        Ok(known) => Ok(known),
                        Err(why) => {
                            tray.unread.push(why.into());
                            Ok(true)
                        }
                    }
                }
                Some(_) | None => Ok(false),
            },
        };
        match read {
            Ok(true) => {}
            Ok(false) => results.notes.push(strange(name)),
            Err(why) => results.rack.unread.push(why.into()),
        }
    }
    results
}

/// The slot of a folder's name.
fn slot_of(folder: &str) -> Option<u8> {
    let digits = folder.strip_prefix("slot-")?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|slot| plain && *slot < 64)
}

/// The collective of a file's name.
fn collective_of(file: &str) -> Option<&str> {
    let name = file.strip_prefix("nccl-")?.strip_suffix(".txt")?;
    Some(name).filter(|name| !name.is_empty())
}

/// Reads a file of the rack as a whole. Says whether it is one.
fn of_rack(name: &str, text: &str, rack: &mut RackResults) -> Result<bool, Unreadable> {
    match (name, collective_of(name)) {
        ("run.json", _) => rack.ran = Some(inventory::ran(name, &whole(name, text)?)?),
        ("inventory.json", _) => inventory::rack(name, &whole(name, text)?, rack)?,
        (_, Some(collective)) => {
            let run = nccl::read(name, collective, &whole(name, text)?)?;
            rack.nccl.insert(collective.to_owned(), run);
        }
        (_, None) => return Ok(false),
    }
    Ok(true)
}

/// Reads a file of a tray. Says whether it is one.
fn of_tray(
    name: &str,
    file: &str,
    text: &str,
    tray: &mut TrayResults,
) -> Result<bool, Unreadable> {
    let text = || whole(name, text);
    match (file, collective_of(file)) {
        ("run.json", _) => tray.ran = Some(inventory::ran(name, &text()?)?),
        ("inventory.json", _) => {
            tray.inventory = Some(inventory::tray(name, &text()?)?);
        }
        ("dcgmi.json", _) => tray.dcgm = Some(dcgmi::read(name, &text()?)?),
        ("nvbandwidth.txt", _) => {
            tray.nvbandwidth = Some(nvbandwidth::read(name, &text()?)?);
        }
        ("soak.json", _) => tray.soak = Some(inventory::soak(name, &text()?)?),
        (_, Some(collective)) => {
            let run = nccl::read(name, collective, &text()?)?;
            tray.nccl.insert(collective.to_owned(), run);
        }
        (_, None) => return Ok(false),
    }
    Ok(true)
}

/// A text without the mark that some programs put before it.
fn whole(file: &str, text: &str) -> Result<String, Unreadable> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match text.contains(['\u{fffd}', '\0']) {
        true => Err(Unreadable::new(file, "text in UTF-8", "bytes that are none")),
        false => Ok(text.to_owned()),
    }
}

/// What is said of a file that is none of an acceptance; the name that was meant, where
/// it is one letter or two beside it.
fn strange(name: &str) -> String {
    let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
    let lower = file.to_ascii_lowercase();
    let near = |known: &&&str| distance(&lower, known) <= 2;
    let meant = KNOWN.iter().find(near).map(ToString::to_string).or_else(|| {
        let nccl = lower.starts_with("nccl") && !lower.ends_with('~');
        nccl.then(|| "nccl-COLLECTIVE.txt".to_owned())
    });
    let misplaced = slot_of(folder).is_none()
        && KNOWN.contains(&file)
        && !matches!(file, "run.json" | "inventory.json");
    match meant {
        _ if !folder.is_empty() && slot_of(folder).is_none() => {
            format!("{name}: passed by; the folder of a tray is called slot-00")
        }
        _ if misplaced => {
            format!("{name}: passed by; it belongs into the folder of a tray")
        }
        Some(meant) => format!("{name}: passed by; is {meant} meant?"),
        None => format!("{name}: passed by, no file of an acceptance"),
    }
}

/// How many letters have to be put in, taken out or changed between two words.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut before: Vec<usize> = (0..=other.len()).collect();
    for (row, letter) in one.chars().enumerate() {
        let mut now = vec![row + 1];
        for (column, found) in other.iter().enumerate() {
            let changed = before[column] + usize::from(letter != *found);
            now.push(changed.min(before[column + 1] + 1).min(now[column] + 1));
        }
        before = now;
    }
    before[other.len()]
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
