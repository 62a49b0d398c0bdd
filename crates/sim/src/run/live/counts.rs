//! What a run comes to: what was checked how often, and what went wrong in it.

use std::collections::{BTreeMap, BTreeSet};

/// What must always be true, as the scorecard names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(
    missing_docs,
    reason = "named as in the scorecard, whose table says what each is"
)]
pub enum Invariant {
    S1,
    S2,
    S3,
    S4,
    S5,
    S6,
    S7,
    S8,
    S9,
    S11,
    S12,
    S13,
    L1,
    L2,
    L4,
    L5,
    L7,
}

impl Invariant {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::S1,
        Self::S2,
        Self::S3,
        Self::S4,
        Self::S5,
        Self::S6,
        Self::S7,
        Self::S8,
        Self::S9,
        Self::S11,
        Self::S12,
        Self::S13,
        Self::L1,
        Self::L2,
        Self::L4,
        Self::L5,
        Self::L7,
    ];
}

/// What goes wrong, as the scorecard names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(
    missing_docs,
    reason = "named as in the scorecard, whose table says what each is"
)]
pub enum Fault {
    F1,
    F2,
    F3,
    F4,
    F5,
    F6,
    F7,
    F8,
    F9,
    F10,
    F11,
    F12,
    F13,
    F14,
}

/// What was checked, met and done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// How often each invariant was looked at.
    pub checked: BTreeMap<Invariant, u64>,
    /// What went wrong at least once.
    pub faults: BTreeSet<Fault>,
    /// Other things worth a count, by name.
    pub notes: BTreeMap<&'static str, u64>,
    /// For how long draw stood above a limit that orders alone did not bring it below
    /// at once, in seconds.
    pub stood_above: Vec<i64>,
}

impl Counts {
    pub(crate) fn checked(&mut self, invariant: Invariant) {
        *self.checked.entry(invariant).or_default() += 1;
    }

    pub(crate) fn fault(&mut self, fault: Fault) {
        self.faults.insert(fault);
    }

    pub(crate) fn note(&mut self, what: &'static str) {
        *self.notes.entry(what).or_default() += 1;
    }
}

/// A live run in which nothing broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// What the world grew from.
    pub seed: u64,
    /// How what goes wrong was drawn.
    pub mood: &'static str,
    /// One number for all outputs.
    pub digest: u64,
    /// How many inputs the process took.
    pub steps: u64,
    /// What happened, so that a proof can be told from an empty one.
    pub counts: Counts,
}
