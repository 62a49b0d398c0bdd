//! The judgement: what the tools said, held against what was agreed, check by check.
//!
//! Invariant: everything that is asked leaves a check, and what says nothing fails it.

use std::collections::{BTreeMap, BTreeSet};

use units::{Seconds, Timestamp};

use super::{
    Check, Collective, Diagnostic, Inventory, Matrix, Outcome, Plan, RackResults, Ran,
    Rate, Results, Slot, Soak, Subject, TrayResults, Unread, Verdict, dcgm_tests,
};

/// Holds what the tools said of some slots of a rack against the plan.
pub fn judge(plan: &Plan, subject: &Subject, results: &Results) -> Verdict {
    let mut judged = Judged { checks: Vec::new(), plan, subject };
    judged.rack(&results.rack);
    let rack_passed = judged.checks.iter().all(|check| check.passed);
    let owners = owners(&results.trays);
    let mut passed = 0;
    let none = TrayResults::default();
    for (slot, asked) in &subject.slots {
        let begun = judged.checks.len();
        let tray = results.trays.get(slot).unwrap_or(&none);
        let ran = tray.ran.as_ref().or(results.rack.ran.as_ref());
        judged.tray(*slot, asked, tray, ran);
        judged.elsewhere(*slot, tray.inventory.as_ref(), &owners);
        if rack_passed && judged.checks[begun..].iter().all(|check| check.passed) {
            passed |= 1 << slot;
        }
    }
    Verdict { checks: judged.checks, passed }
}

/// The slots in whose inventories a GPU is.
fn owners(trays: &BTreeMap<u8, TrayResults>) -> BTreeMap<&str, BTreeSet<u8>> {
    let mut owners: BTreeMap<&str, BTreeSet<u8>> = BTreeMap::new();
    for (slot, tray) in trays {
        for gpu in tray.inventory.iter().flat_map(|found| &found.gpus) {
            owners.entry(gpu).or_default().insert(*slot);
        }
    }
    owners
}

struct Judged<'a> {
    checks: Vec<Check>,
    plan: &'a Plan,
    subject: &'a Subject,
}

/// What stands for what was not delivered.
const NOTHING: &str = "no result";

impl Judged<'_> {
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

    fn unread(&mut self, slot: Option<u8>, unread: &[Unread]) {
        for Unread { file, expected, found } in unread {
            self.note(slot, file, expected, found, false);
        }
    }

    /// What ran from one instant to another lies between the machine's coming into
    /// burn-in and now.
    fn time(
        &mut self,
        slot: Option<u8>,
        what: &str,
        since: Timestamp,
        ran: Option<(Timestamp, Timestamp)>,
    ) {
        let at = self.subject.at;
        let expected = format!("a run in this burn-in, from {since} to {at}");
        let (found, good) = match ran {
            Some((from, to)) if from == to => {
                (from.to_string(), from >= since && to <= at)
            }
            Some((from, to)) => {
                (format!("{from} to {to}"), from >= since && from <= to && to <= at)
            }
            None => ("nobody says when: state it in run.json".to_owned(), false),
        };
        self.note(slot, format!("time of {what}"), expected, found, good);
    }

    fn rack(&mut self, rack: &RackResults) {
        let plan = self.plan;
        self.unread(None, &rack.unread);
        if self.subject.leak_detectors > 0 || rack.leaks.is_some() {
            let (found, dry) = match &rack.leaks {
                Some(leaks) if leaks.is_empty() => ("no leak".to_owned(), true),
                Some(leaks) => (leaks.join(", "), false),
                None => (NOTHING.to_owned(), false),
            };
            self.note(None, "leaks", "no leak", found, dry);
        }
        if let Some(least) = plan.flow_ml_per_minute {
            let found = rack.flow_ml_per_minute;
            let text = found.map_or(NOTHING.to_owned(), |flow| format!("{flow} ml/min"));
            let enough = found.is_some_and(|flow| flow >= least);
            self.note(None, "flow", format!("at least {least} ml/min"), text, enough);
        }
        let since = self.subject.since();
        if let Some(at) = rack.looked_at {
            self.time(None, "leaks and flow", since, Some((at, at)));
        }
        if self.subject.one_domain {
            let ranks = self.subject.ranks();
            for (name, target) in &plan.nccl {
                self.collective(None, name, *target, ranks, rack.nccl.get(name));
            }
        }
        let undated = rack.leaks.is_some() && rack.looked_at.is_none();
        if undated || (self.subject.one_domain && !rack.nccl.is_empty()) {
            let ran = rack.ran.as_ref().map(|ran| (ran.from, ran.to));
            self.time(None, "the tools of the rack", since, ran);
        }
    }

    fn collective(
        &mut self,
        slot: Option<u8>,
        name: &str,
        target: Rate,
        (fewest, most): (u32, u32),
        run: Option<&Collective>,
    ) {
        // Rounded up: what is below the share of the target is below it.
        let least = target.0 * (1_000_000 - self.plan.within_ppm);
        let least = Rate(least.div_euclid(1_000_000) + i64::from(least % 1_000_000 > 0));
        let bytes = self.plan.nccl_least_bytes;
        let of = match fewest == most {
            true => format!("{most} GPUs"),
            false => format!("{fewest} to {most} GPUs"),
        };
        let expected = format!(
            "{of}, each once, at least {least} at {bytes} bytes or more, no wrong result"
        );
        let what = format!("nccl {name}");
        let Some(run) = run else {
            return self.note(slot, what, expected, NOTHING, false);
        };
        let found = format!(
            "{} ranks on {} GPUs of {} hosts, {} at {} bytes, {} wrong",
            run.ranks, run.gpus, run.hosts, run.busbw, run.bytes, run.wrong
        );
        let per_host = u32::from(self.subject.gpus_per_tray);
        let whole = (fewest..=most).contains(&run.ranks)
            && run.ranks % per_host == 0
            && run.gpus == run.ranks
            // No host can have more of them than a tray has.
            && run.hosts * per_host >= run.ranks;
        let good = whole && run.bytes >= bytes && run.busbw >= least && run.wrong == 0;
        self.note(slot, what, expected, found, good);
    }

    fn tray(&mut self, slot: u8, asked: &Slot, tray: &TrayResults, ran: Option<&Ran>) {
        let (plan, at) = (self.plan, Some(slot));
        self.unread(at, &tray.unread);
        self.inventory(slot, &asked.serial, tray.inventory.as_ref());
        self.diagnostic(slot, tray);
        for (test, least) in &plan.nvbandwidth {
            let found = tray.nvbandwidth.as_ref().and_then(|tests| tests.get(test));
            self.matrix(slot, test, *least, found);
        }
        if !self.subject.one_domain {
            let gpus = u32::from(self.subject.gpus_per_tray);
            for (name, target) in &plan.nccl {
                self.collective(at, name, *target, (gpus, gpus), tray.nccl.get(name));
            }
        }
        self.soak(slot, asked.since, tray.soak.as_ref());
        if let Some(read) = tray.inventory.as_ref().and_then(|found| found.at) {
            self.time(at, "the inventory", asked.since, Some((read, read)));
        }
        let undated = tray.inventory.as_ref().is_some_and(|found| found.at.is_none());
        let of_domain = !self.subject.one_domain && !tray.nccl.is_empty();
        if undated || of_domain || tray.dcgm.is_some() || tray.nvbandwidth.is_some() {
            let ran = ran.map(|ran| (ran.from, ran.to));
            self.time(at, "the tools", asked.since, ran);
        }
    }

    fn diagnostic(&mut self, slot: u8, tray: &TrayResults) {
        let at = Some(slot);
        let gpus = usize::from(self.subject.gpus_per_tray);
        let asked = dcgm_tests(self.plan.dcgm_level);
        let none = Diagnostic::default();
        let found = tray.dcgm.as_ref().unwrap_or(&none);
        for test in asked {
            let expected = format!("passed on {gpus} GPUs");
            let (said, good) = match found.tests.get(*test) {
                None => (NOTHING.to_owned(), false),
                Some(tested) => match &tested.outcome {
                    Outcome::Passed => {
                        let names: Vec<String> =
                            tested.gpus.iter().map(ToString::to_string).collect();
                        let whole = names.len() == gpus;
                        let named = match whole {
                            true => String::new(),
                            false => format!(": {}", names.join(", ")),
                        };
                        (format!("passed on {} GPUs{named}", names.len()), whole)
                    }
                    Outcome::Skipped => ("skipped".to_owned(), false),
                    Outcome::Failed(why) => (format!("failed: {why}"), false),
                },
            };
            self.note(at, format!("dcgm {test}"), expected, said, good);
        }
        // What was not asked for and failed has failed all the same.
        for (test, tested) in &found.tests {
            if let Outcome::Failed(why) = &tested.outcome
                && !asked.contains(&test.as_str())
            {
                let found = format!("failed: {why}");
                self.note(at, format!("dcgm {test}"), "passed", found, false);
            }
        }
        if let Some(inventory) = &tray.inventory
            && !found.serials.is_empty()
        {
            let ours: BTreeSet<String> = inventory.gpus.iter().cloned().collect();
            let list = |serials: &BTreeSet<String>| {
                serials.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
            };
            let (expected, said) = (list(&ours), list(&found.serials));
            self.note(at, "GPUs of dcgmi", expected, said, ours == found.serials);
        }
    }

    fn matrix(&mut self, slot: u8, test: &str, least: Rate, found: Option<&Matrix>) {
        let gpus = u32::from(self.subject.gpus_per_tray);
        let expected = format!("{gpus} GPUs, at least {least} in every cell");
        let (said, good) = match found {
            None => (NOTHING.to_owned(), false),
            Some(matrix) => {
                let worst = matrix.cells.iter().min();
                let square = matrix.rows == gpus || matrix.rows == 1;
                let whole = matrix.columns == gpus && square && matrix.missing == 0;
                let worst_of =
                    worst.map_or(NOTHING.to_owned(), |worst| worst.to_string());
                let missing = match matrix.missing {
                    0 => String::new(),
                    count => format!(", {count} cells without a figure"),
                };
                (
                    format!("{} GPUs{missing}, {worst_of} in the least", matrix.columns),
                    whole && worst.is_some_and(|worst| *worst >= least),
                )
            }
        };
        self.note(Some(slot), format!("nvbandwidth {test}"), expected, said, good);
    }

    fn inventory(&mut self, slot: u8, serial: &str, found: Option<&Inventory>) {
        let at = Some(slot);
        let gpus = self.subject.gpus_per_tray;
        let is = found.map_or(NOTHING, |found| found.serial.as_str());
        self.note(at, "serial number", serial, is, is == serial);
        let distinct: BTreeSet<&String> =
            found.iter().flat_map(|found| &found.gpus).collect();
        let count = distinct.len();
        let whole = count == usize::from(gpus)
            && found.is_some_and(|found| found.gpus.len() == count);
        self.note(at, "GPUs", gpus.to_string(), count.to_string(), whole);
        for (name, version) in &self.plan.firmware {
            let is = found.and_then(|found| found.firmware.get(name));
            let is = is.map_or(NOTHING, String::as_str);
            self.note(at, format!("firmware {name}"), version, is, is == version);
        }
    }

    /// A GPU is in one tray.
    fn elsewhere(
        &mut self,
        slot: u8,
        found: Option<&Inventory>,
        owners: &BTreeMap<&str, BTreeSet<u8>>,
    ) {
        for gpu in found.iter().flat_map(|found| &found.gpus) {
            let Some(slots) = owners.get(gpu.as_str()) else { continue };
            if let Some(other) = slots.iter().find(|other| **other != slot) {
                let found = format!("it in the inventory of slot {other} too");
                self.note(Some(slot), format!("GPU {gpu}"), "one slot", found, false);
            }
        }
    }

    fn soak(&mut self, slot: u8, since: Timestamp, soak: Option<&Soak>) {
        let (plan, at) = (self.plan, Some(slot));
        if plan.soak == Seconds::from_seconds(0) {
            return;
        }
        let lasted = soak.map(|soak| soak.to - soak.from);
        let found = lasted.map_or(NOTHING.to_owned(), |lasted| lasted.to_string());
        let enough = lasted.is_some_and(|lasted| lasted >= plan.soak);
        self.note(at, "soak", format!("at least {}", plan.soak), found, enough);
        if let Some(soak) = soak {
            self.time(at, "the soak", since, Some((soak.from, soak.to)));
        }
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
