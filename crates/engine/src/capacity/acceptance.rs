//! Whether a rack passes its acceptance: a plan, what the tools said, a verdict.
//!
//! A [`Plan`] is data, agreed with the tenant. [`Results`] are read from the tools' own
//! outputs elsewhere. [`judge()`] holds one against the other and leaves a [`Check`]
//! for everything that was asked, with what was expected and what was found. What was
//! not delivered fails: nothing passes by not having been run.
//!
//! A tray passes when all its own checks and all checks of its rack do.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use units::{Seconds, Timestamp};

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
}

/// What stands for the rack as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RackResults {
    /// Leak detectors that found something; nothing when nobody looked.
    pub leaks: Option<Vec<String>>,
    /// The flow of coolant, in millilitres a minute.
    pub flow_ml_per_minute: Option<i64>,
    /// Each collective that was run.
    pub nccl: BTreeMap<String, Collective>,
}

/// What stands for a tray.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrayResults {
    /// What is in it.
    pub inventory: Option<Inventory>,
    /// What `dcgmi diag` said of each test.
    pub dcgm: Option<BTreeMap<String, Outcome>>,
    /// Every cell of each nvbandwidth test.
    pub nvbandwidth: Option<BTreeMap<String, Vec<Rate>>>,
    /// The soak.
    pub soak: Option<Soak>,
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
}

/// What became of a diagnostic, over all GPUs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It passed on every GPU.
    Passed,
    /// It did not run.
    Skipped,
    /// It failed, and why as far as it said.
    Failed(String),
}

/// One collective at its largest size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collective {
    /// How many GPUs took part.
    pub ranks: u32,
    /// The size, in bytes.
    pub bytes: u64,
    /// The lesser of the bus bandwidths out of place and in place.
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

/// Holds what the tools said of some slots of a rack against the plan.
///
/// `order` has the serial number that belongs into each slot that is judged, and
/// `gpus` how many GPUs a tray has.
pub fn judge(
    plan: &Plan,
    order: &BTreeMap<u8, String>,
    gpus: u8,
    results: &Results,
) -> Verdict {
    let mut judged = Judged { checks: Vec::new() };
    judged.rack(plan, order, gpus, &results.rack);
    let rack_passed = judged.checks.iter().all(|check| check.passed);
    let mut passed = 0;
    let none = TrayResults::default();
    for (slot, serial) in order {
        let begun = judged.checks.len();
        let tray = results.trays.get(slot).unwrap_or(&none);
        judged.tray(plan, *slot, serial, gpus, tray);
        if rack_passed && judged.checks[begun..].iter().all(|check| check.passed) {
            passed |= 1 << slot;
        }
    }
    Verdict { checks: judged.checks, passed }
}

struct Judged {
    checks: Vec<Check>,
}

/// What stands for what was not delivered.
const NOTHING: &str = "no result";

impl Judged {
    fn note(
        &mut self,
        slot: Option<u8>,
        what: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
        passed: bool,
    ) {
        let (what, expected, found) = (what.into(), expected.into(), found.into());
        self.checks.push(Check { slot, what, expected, found, passed });
    }

    fn rack(
        &mut self,
        plan: &Plan,
        order: &BTreeMap<u8, String>,
        gpus: u8,
        rack: &RackResults,
    ) {
        let (found, dry) = match &rack.leaks {
            Some(leaks) if leaks.is_empty() => ("no leak".to_owned(), true),
            Some(leaks) => (leaks.join(", "), false),
            None => (NOTHING.to_owned(), false),
        };
        self.note(None, "leaks", "no leak", found, dry);
        if let Some(least) = plan.flow_ml_per_minute {
            let found = rack.flow_ml_per_minute;
            let text = found.map_or(NOTHING.to_owned(), |flow| format!("{flow} ml/min"));
            let enough = found.is_some_and(|flow| flow >= least);
            self.note(None, "flow", format!("at least {least} ml/min"), text, enough);
        }
        let ranks = u32::try_from(order.len()).unwrap_or(u32::MAX) * u32::from(gpus);
        for (name, target) in &plan.nccl {
            // Rounded up: what is below the share of the target is below it.
            let least = target.0 * (1_000_000 - plan.within_ppm);
            let least =
                Rate(least.div_euclid(1_000_000) + i64::from(least % 1_000_000 > 0));
            let expected = format!("{ranks} GPUs, at least {least}, no wrong result");
            match rack.nccl.get(name) {
                Some(run) => {
                    let found = format!(
                        "{} GPUs, {} at {} bytes, {} wrong",
                        run.ranks, run.busbw, run.bytes, run.wrong
                    );
                    let good = run.ranks == ranks && run.busbw >= least && run.wrong == 0;
                    self.note(None, format!("nccl {name}"), expected, found, good);
                }
                None => self.note(None, format!("nccl {name}"), expected, NOTHING, false),
            }
        }
    }

    fn tray(
        &mut self,
        plan: &Plan,
        slot: u8,
        serial: &str,
        gpus: u8,
        tray: &TrayResults,
    ) {
        let at = Some(slot);
        self.inventory(plan, slot, serial, gpus, tray.inventory.as_ref());
        for test in dcgm_tests(plan.dcgm_level) {
            let outcome = tray.dcgm.as_ref().and_then(|tests| tests.get(*test));
            let (found, good) = match outcome {
                Some(Outcome::Passed) => ("passed".to_owned(), true),
                Some(Outcome::Skipped) => ("skipped".to_owned(), false),
                Some(Outcome::Failed(why)) => (format!("failed: {why}"), false),
                None => (NOTHING.to_owned(), false),
            };
            self.note(at, format!("dcgm {test}"), "passed", found, good);
        }
        // What was not asked for and failed has failed all the same.
        for (test, outcome) in tray.dcgm.iter().flatten() {
            if let Outcome::Failed(why) = outcome
                && !dcgm_tests(plan.dcgm_level).contains(&test.as_str())
            {
                let found = format!("failed: {why}");
                self.note(at, format!("dcgm {test}"), "passed", found, false);
            }
        }
        for (test, least) in &plan.nvbandwidth {
            let cells = tray.nvbandwidth.as_ref().and_then(|tests| tests.get(test));
            let worst = cells.and_then(|cells| cells.iter().min());
            let found = worst.map_or(NOTHING.to_owned(), |worst| worst.to_string());
            let good = worst.is_some_and(|worst| worst >= least);
            let expected = format!("at least {least} in every cell");
            self.note(at, format!("nvbandwidth {test}"), expected, found, good);
        }
        self.soak(plan, slot, tray.soak.as_ref());
    }

    fn inventory(
        &mut self,
        plan: &Plan,
        slot: u8,
        serial: &str,
        gpus: u8,
        found: Option<&Inventory>,
    ) {
        let at = Some(slot);
        let is = found.map_or(NOTHING, |found| found.serial.as_str());
        self.note(at, "serial number", serial, is, is == serial);
        let mut distinct: Vec<&String> =
            found.iter().flat_map(|found| &found.gpus).collect();
        distinct.sort_unstable();
        distinct.dedup();
        let count = distinct.len();
        let whole = count == usize::from(gpus)
            && found.is_some_and(|found| found.gpus.len() == count);
        self.note(at, "GPUs", gpus.to_string(), count.to_string(), whole);
        for (name, version) in &plan.firmware {
            let is = found.and_then(|found| found.firmware.get(name));
            let is = is.map_or(NOTHING, String::as_str);
            self.note(at, format!("firmware {name}"), version, is, is == version);
        }
    }

    fn soak(&mut self, plan: &Plan, slot: u8, soak: Option<&Soak>) {
        let at = Some(slot);
        if plan.soak == Seconds::from_seconds(0) {
            return;
        }
        let lasted = soak.map(|soak| soak.to - soak.from);
        let found = lasted.map_or(NOTHING.to_owned(), |lasted| lasted.to_string());
        let enough = lasted.is_some_and(|lasted| lasted >= plan.soak);
        self.note(at, "soak", format!("at least {}", plan.soak), found, enough);
        for counter in &plan.flat {
            let ends = soak.and_then(|soak| {
                Some((*soak.before.get(counter)?, *soak.after.get(counter)?))
            });
            let (found, flat) = match ends {
                Some((before, after)) => {
                    (format!("{before} to {after}"), before == after)
                }
                None => (NOTHING.to_owned(), false),
            };
            self.note(at, format!("counter {counter}"), "no change", found, flat);
        }
    }
}
