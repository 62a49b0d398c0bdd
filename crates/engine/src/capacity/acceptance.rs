//! Whether a rack passes its acceptance: a plan, what the tools said, a verdict.
//!
//! A [`Plan`] is data, agreed with the tenant. [`Results`] are read from the tools' own
//! outputs elsewhere. [`judge()`] holds one against the other and leaves a [`Check`]
//! for everything that was asked, with what was expected and what was found. What was
//! not delivered fails: nothing passes by not having been run, or by having been run
//! on another machine, on a part of its GPUs, or before it came into its slot.
//!
//! A tray passes when all its own checks and all checks of its rack do.

mod judge;
mod subject;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use settle::contract::Hash;
use units::{Seconds, Timestamp};

use super::Actor;

pub use judge::judge;
pub use subject::{Slot, Subject};

/// A bandwidth in thousandths of a GB/s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rate(pub i64);

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:03} GB/s", self.0 / 1_000, self.0 % 1_000)
    }
}

/// What a rack has to show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// What it is called.
    pub name: String,
    /// The generation it is for.
    pub shape: String,
    /// The version of each firmware.
    pub firmware: BTreeMap<String, String>,
    /// The least flow of coolant through the rack, in millilitres a minute.
    pub flow_ml_per_minute: Option<i64>,
    /// The level of `dcgmi diag`, 1 to 4; 0 for none.
    pub dcgm_level: u8,
    /// The least that every cell of an nvbandwidth test shows.
    pub nvbandwidth: BTreeMap<String, Rate>,
    /// The target of the bus bandwidth of each collective, at its largest size.
    pub nccl: BTreeMap<String, Rate>,
    /// The least that a collective's largest size comes to, in bytes: a small one says
    /// nothing of bandwidth.
    pub nccl_least_bytes: u64,
    /// How far below a collective's target is still good enough, in parts per million.
    pub within_ppm: i64,
    /// How long the soak lasts.
    pub soak: Seconds,
    /// Counters that stand still in it.
    pub flat: Vec<String>,
}

/// What the tools said of a rack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Results {
    /// What stands for the rack as a whole.
    pub rack: RackResults,
    /// What stands for a slot.
    pub trays: BTreeMap<u8, TrayResults>,
    /// Files that say nothing of an acceptance, and why, for people.
    pub notes: Vec<String>,
}

/// A file that says nothing that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The file, and the line or key where there is one.
    pub file: String,
    /// What has to be there.
    pub expected: String,
    /// What is.
    pub found: String,
}

/// When tools ran, as somebody stated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// From.
    pub from: Timestamp,
    /// To.
    pub to: Timestamp,
    /// Who says so: a person, or the burn-in job.
    pub by: String,
}

/// What stands for the rack as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RackResults {
    /// Leak detectors that found something; nothing when nobody looked.
    pub leaks: Option<Vec<String>>,
    /// The flow of coolant, in millilitres a minute.
    pub flow_ml_per_minute: Option<i64>,
    /// When leaks and flow were read, where their file says so.
    pub looked_at: Option<Timestamp>,
    /// Each collective that was run over the trays of the rack.
    pub nccl: BTreeMap<String, Collective>,
    /// When the tools ran, for all files of the rack that do not say so themselves.
    pub ran: Option<Ran>,
    /// Files that cannot be used.
    pub unread: Vec<Unread>,
}

/// What stands for a tray.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrayResults {
    /// What is in it.
    pub inventory: Option<Inventory>,
    /// What `dcgmi diag` said.
    pub dcgm: Option<Diagnostic>,
    /// The matrix of each nvbandwidth test.
    pub nvbandwidth: Option<BTreeMap<String, Matrix>>,
    /// Each collective that was run in the tray alone.
    pub nccl: BTreeMap<String, Collective>,
    /// The soak.
    pub soak: Option<Soak>,
    /// When the tools ran, where the tray's folder says so itself.
    pub ran: Option<Ran>,
    /// Files that cannot be used.
    pub unread: Vec<Unread>,
}

/// What is in a tray.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inventory {
    /// Its serial number.
    pub serial: String,
    /// The serial numbers of its GPUs.
    pub gpus: Vec<String>,
    /// The version of each firmware.
    pub firmware: BTreeMap<String, String>,
    /// When it was read, where the file says so.
    pub at: Option<Timestamp>,
}

/// What `dcgmi diag` said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostic {
    /// Each test.
    pub tests: BTreeMap<String, Tested>,
    /// The serial numbers of its GPUs, where it names them.
    pub serials: BTreeSet<String>,
}

/// One test of a diagnostic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tested {
    /// What became of it, over all GPUs.
    pub outcome: Outcome,
    /// The GPUs that it says something of.
    pub gpus: BTreeSet<u32>,
}

/// What became of a diagnostic, over all GPUs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It passed on every GPU that it names.
    Passed,
    /// It did not run.
    Skipped,
    /// It failed, and why as far as it said.
    Failed(String),
}

/// One test of nvbandwidth.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matrix {
    /// How many GPUs it has columns for.
    pub columns: u32,
    /// How many rows it has.
    pub rows: u32,
    /// Every cell that has a figure.
    pub cells: Vec<Rate>,
    /// Cells without one, other than those of a GPU and itself.
    pub missing: u32,
}

/// One collective at its largest size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collective {
    /// How many ranks took part.
    pub ranks: u32,
    /// How many GPUs that are.
    pub gpus: u32,
    /// On how many hosts.
    pub hosts: u32,
    /// The size, in bytes.
    pub bytes: u64,
    /// The lesser of the bus bandwidths out of place and in place; the former alone
    /// where the program does not check the latter.
    pub busbw: Rate,
    /// Wrong results, over all sizes.
    pub wrong: u64,
}

/// Counters at the two ends of a soak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Soak {
    /// When it began.
    pub from: Timestamp,
    /// When it ended.
    pub to: Timestamp,
    /// Each counter then.
    pub before: BTreeMap<String, i64>,
    /// Each counter in the end.
    pub after: BTreeMap<String, i64>,
}

/// One thing that was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The slot; nothing for the rack as a whole.
    pub slot: Option<u8>,
    /// What was asked.
    pub what: String,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
    /// Whether it is good.
    pub passed: bool,
}

/// What a rack came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Everything that was asked.
    pub checks: Vec<Check>,
    /// The slots that passed, a bit each.
    pub passed: u64,
}

impl Verdict {
    /// What was not good.
    pub fn failures(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| !check.passed)
    }
}

impl std::fmt::Display for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.slot {
            Some(slot) => write!(f, "slot {slot}, ")?,
            None => f.write_str("rack, ")?,
        }
        write!(f, "{}: expected {}, found {}", self.what, self.expected, self.found)
    }
}

/// What stands for evidence in the facts where somebody accepts by hand: the hash of who
/// said what, which whoever knows the words comes to again.
pub fn word(by: &Actor, why: &str) -> Hash {
    Hash::of(format!("accepted by hand by {by}: {why}").as_bytes())
}

/// The tests that a level of `dcgmi diag` runs, as DCGM 4 names them (its user guide,
/// "DCGM Diagnostics", table of levels).
pub fn dcgm_tests(level: u8) -> &'static [&'static str] {
    const TESTS: [&str; 9] = [
        "software",
        "memory",
        "pcie",
        "memory_bandwidth",
        "diagnostic",
        "targeted_stress",
        "targeted_power",
        "memtest",
        "pulse_test",
    ];
    match level {
        0 => &[],
        1 => &TESTS[..1],
        2 => &TESTS[..3],
        3 => &TESTS[..7],
        _ => &TESTS,
    }
}
