//! What of the record counts, arranged for settling.

use super::{About, Cause, MeterOwner, State};
use crate::calendar::Period;
use crate::exact::Exact;
use crate::names::Names;
use std::collections::{BTreeMap, BTreeSet};
use units::{Interval, Timestamp};

/// A value from a fact with the fact's place in the record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct From<T> {
    pub(crate) value: T,
    pub(crate) seq: u64,
}

/// A slot and what was said about it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slot {
    /// What was said until a stated end.
    pub(crate) bounded: Vec<Assertion>,
    /// What was said without an end, in the order it was learned.
    pub(crate) open: Vec<Assertion>,
    /// The acceptances of the slot, by place in [`Record::tenures`].
    pub(crate) tenures: Vec<usize>,
}

/// One thing said about a slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Assertion {
    pub(crate) during: Interval,
    /// Greater is later known, because `known_at` never falls along `seq`.
    pub(crate) seq: u64,
    pub(crate) state: State,
    /// The reference, by place in [`Record::references`].
    pub(crate) reference: Option<usize>,
    pub(crate) cap_w_per_gpu: Option<Exact>,
}

/// A slot's time in a tranche.
#[derive(Clone, Debug)]
pub(crate) struct Tenure {
    pub(crate) slot: usize,
    /// By place in [`Record::tranches`].
    pub(crate) tranche: usize,
    /// From acceptance to the end the acceptance states, if it does.
    pub(crate) during: Interval,
    pub(crate) size: i64,
    pub(crate) domain: Option<String>,
    /// The acceptance.
    pub(crate) seq: u64,
}

/// What is known of a reference that unit states use.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reference {
    /// The slots whose states use it; one may stand twice.
    pub(crate) slots: Vec<usize>,
    /// What the incident was found to be, and by which evidence.
    pub(crate) class: Option<From<(State, Option<usize>)>>,
    pub(crate) notices: Vec<Notice>,
    pub(crate) instructions: Vec<From<Interval>>,
    /// The references whose classification names this one as evidence.
    pub(crate) evidence_of: BTreeSet<usize>,
}

/// A notice that was given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Notice {
    pub(crate) about: About,
    pub(crate) window: Interval,
    pub(crate) known_at: Timestamp,
    pub(crate) seq: u64,
}

/// One reading of a meter.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) wh: i64,
    pub(crate) owner: MeterOwner,
    pub(crate) seq: u64,
}

/// What the utility billed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bill {
    pub(crate) during: Interval,
    pub(crate) amount: Exact,
    pub(crate) seq: u64,
}

/// An early end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    pub(crate) at: Timestamp,
    pub(crate) cause: Cause,
    pub(crate) seq: u64,
}

/// What a source said was used over an interval.
#[derive(Clone, Debug)]
pub(crate) struct Used {
    pub(crate) during: Interval,
    pub(crate) gpu_seconds: i64,
    /// Whose word it is: the site and the source there.
    pub(crate) source: (String, String),
    pub(crate) seq: u64,
}

/// What belongs to one tranche besides its units.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrancheRecord {
    pub(crate) id: String,
    pub(crate) tenures: Vec<usize>,
    /// The acceptances that stand, by `seq`.
    pub(crate) acceptances: BTreeSet<u64>,
    /// The first acceptance.
    pub(crate) anchor: Option<Timestamp>,
    /// How much is accepted: GPUs or kilowatts.
    pub(crate) accepted: i64,
    /// How many units of each domain are accepted.
    pub(crate) domains: BTreeMap<String, u32>,
    pub(crate) flex: Vec<From<Interval>>,
    pub(crate) usage: Vec<Used>,
    /// Prepayments received: when, and how many minor units.
    pub(crate) payments: Vec<From<(Timestamp, i64)>>,
    /// Claims and when they became known.
    pub(crate) claims: BTreeMap<Period, From<Timestamp>>,
    pub(crate) disputes: BTreeMap<Period, u64>,
    pub(crate) fee_approved: Option<From<Option<Exact>>>,
    pub(crate) ending: Option<Ending>,
}

/// Everything that counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    pub(crate) slots: Vec<Slot>,
    pub(crate) slot_of: Names,
    pub(crate) tenures: Vec<Tenure>,
    pub(crate) tranches: Vec<TrancheRecord>,
    pub(crate) references: Vec<Reference>,
    pub(crate) reference_of: Names,
    /// Slots accepted for other contracts, and when.
    pub(crate) foreign: BTreeMap<String, Vec<(String, Interval)>>,
    /// Tranches of other contracts, by name.
    pub(crate) foreign_tranches: BTreeSet<String>,
    /// Windows that excuse a late delivery.
    pub(crate) delay_excuses: Vec<From<Interval>>,
    pub(crate) prices: BTreeMap<String, Vec<From<(Interval, Exact)>>>,
    pub(crate) index_values: BTreeMap<String, Vec<From<(Timestamp, Exact)>>>,
    /// Readings by interval (start and end) and meter.
    pub(crate) readings: BTreeMap<(Timestamp, Timestamp), BTreeMap<String, Reading>>,
    /// The intervals of each meter, to find overlaps.
    pub(crate) intervals_of: BTreeMap<String, BTreeMap<Timestamp, Timestamp>>,
    pub(crate) bills: BTreeMap<String, Bill>,
    /// The first month with an acceptance known by that month's cut.
    pub(crate) first_accepted: Option<Period>,
    /// What changed since the last settlement.
    pub(crate) touched: Touched,
}

/// What changed since the last settlement.
#[derive(Clone, Debug, Default)]
pub(crate) struct Touched {
    /// Slots whose time must be counted again.
    pub(crate) slots: BTreeSet<usize>,
    /// Tranches whose every unit must be counted again.
    pub(crate) tranches: BTreeSet<usize>,
    /// Whether energy must be allocated again.
    pub(crate) power: bool,
}

/// The name of the revenue meter.
pub(crate) const MAIN: &str = "main";

impl Record {
    pub(crate) fn tranche(&mut self, id: &str) -> usize {
        if let Some(place) = self.tranches.iter().position(|tranche| tranche.id == id) {
            return place;
        }
        self.tranches
            .push(TrancheRecord { id: id.to_owned(), ..TrancheRecord::default() });
        self.tranches.len() - 1
    }

    pub(crate) fn reference(&mut self, id: &str) -> usize {
        let place = self.reference_of.number(id);
        if place == self.references.len() {
            self.references.push(Reference::default());
        }
        place
    }

    /// Marks every slot whose state rests on a reference.
    pub(crate) fn touch_reference(&mut self, reference: usize) {
        let mut slots = std::mem::take(&mut self.touched.slots);
        let found = &self.references[reference];
        slots.extend(&found.slots);
        for incident in &found.evidence_of {
            slots.extend(&self.references[*incident].slots);
        }
        self.touched.slots = slots;
    }

    /// The first acceptance of a tranche: from when its service is counted.
    pub(crate) fn anchor(&self, tranche: usize) -> Option<Timestamp> {
        self.tranches[tranche].anchor
    }

    /// The value of an index at an instant: the latest begun, of those the
    /// latest known.
    pub(crate) fn index_at(&self, name: &str, at: Timestamp) -> Option<From<Exact>> {
        let values = self.index_values.get(name)?;
        let begun = values.iter().filter(|value| value.value.0 <= at);
        let found = begun.max_by_key(|value| (value.value.0, value.seq))?;
        Some(From { value: found.value.1, seq: found.seq })
    }
}
