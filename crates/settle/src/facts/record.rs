//! What of the record counts, arranged for settling.

use super::{About, Body, Cause, Fact, MeterOwner, State, UnitState};
use crate::calendar::Period;
use crate::exact::Exact;
use crate::names::Names;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;
use units::{Interval, Timestamp};

/// A place in a list, in four bytes: what is kept of a hundred thousand facts stays
/// small enough for the processor to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(NonZeroU32);

impl Place {
    pub(crate) fn new(place: usize) -> Self {
        let after = u32::try_from(place + 1).ok().and_then(NonZeroU32::new);
        Self(after.expect("fewer than four billion of everything"))
    }

    pub(crate) fn get(self) -> usize {
        usize::try_from(self.0.get() - 1).expect("32 bits are a place")
    }
}

/// A value from a fact with the fact's place in the record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct From<T> {
    pub(crate) value: T,
    pub(crate) seq: u64,
}

/// A slot and what was said about it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slot {
    /// What was said about it, by place in [`Record::said`].
    pub(crate) said: Vec<Place>,
    /// The acceptances of the slot, by place in [`Record::tenures`].
    pub(crate) tenures: Vec<Place>,
}

/// One thing said about some slots.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Assertion {
    /// Until [`FOR_EVER`](super::FOR_EVER) where no end was stated.
    pub(crate) during: Interval,
    /// Greater is later known, because `known_at` never falls along `seq`.
    pub(crate) seq: u64,
    pub(crate) state: State,
    /// The reference, by place in [`Record::references`].
    pub(crate) reference: Option<Place>,
    /// The assertion before it with the same reference, by place in [`Record::said`].
    before: Option<Place>,
    /// The power each GPU was held to, by place in [`Record::caps`].
    pub(crate) cap_w_per_gpu: Option<Place>,
    /// The fact, by its place among all.
    fact: Place,
}

impl Assertion {
    /// Whether it was said without an end.
    pub(crate) fn is_open(&self) -> bool {
        self.during.end == super::FOR_EVER
    }
}

/// A slot's time in a tranche.
#[derive(Clone, Debug)]
pub(crate) struct Tenure {
    pub(crate) slot: Place,
    /// By place in [`Record::tranches`].
    pub(crate) tranche: usize,
    /// From acceptance to the end the acceptance states, if it does.
    pub(crate) during: Interval,
    pub(crate) size: i64,
    /// The domain, by its number in [`Record::domain_of`].
    pub(crate) domain: Option<Place>,
    /// The acceptance.
    pub(crate) seq: u64,
    /// When another took its place, and by which acceptance.
    pub(crate) replaced: Option<From<Timestamp>>,
    /// How much of its size came in the place of others: it is no new delivery.
    pub(crate) in_place: i64,
}

impl Tenure {
    /// The time in which the slot counts for the tranche.
    pub(crate) fn counts(&self) -> Interval {
        let end = self.replaced.map_or(self.during.end, |replaced| replaced.value);
        Interval { start: self.during.start, end: end.min(self.during.end) }
    }

    /// How much of the tranche was delivered with it for the first time.
    pub(crate) fn delivers(&self) -> i64 {
        self.size - self.in_place
    }
}

/// A reference that unit states use: an incident, a notice or an instruction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reference {
    /// The last assertion that uses it, by place in [`Record::said`].
    last: Option<Place>,
    /// What else is known of it; of most incidents nothing ever is.
    evidence: Option<Box<Evidence>>,
}

/// What is known of a reference beside the states that use it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evidence {
    /// What the incident was found to be, and by which evidence, by its place in
    /// [`Record::references`].
    pub(crate) class: Option<From<(State, Option<Place>)>>,
    pub(crate) notices: Vec<Notice>,
    pub(crate) instructions: Vec<From<Interval>>,
    /// The references whose classification names this one as evidence.
    pub(crate) evidence_of: BTreeSet<Place>,
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
    pub(crate) source: (Arc<str>, Arc<str>),
    pub(crate) seq: u64,
}

/// What belongs to one tranche besides its units.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrancheRecord {
    pub(crate) id: String,
    /// The units' times in it, by place in [`Record::tenures`].
    pub(crate) tenures: Vec<Place>,
    /// The acceptances that stand, by `seq`.
    pub(crate) acceptances: BTreeSet<u64>,
    /// The first acceptance.
    pub(crate) anchor: Option<Timestamp>,
    /// How much is accepted and was not replaced: GPUs or kilowatts.
    pub(crate) accepted: i64,
    /// How many units of each domain are.
    pub(crate) domains: BTreeMap<Place, u32>,
    /// Whether a unit of it was ever replaced.
    pub(crate) has_replaced: bool,
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
    /// What was said about slots, in the order it was let in.
    pub(crate) said: Vec<Assertion>,
    pub(crate) named: Named,
    pub(crate) caps: Vec<Exact>,
    pub(crate) tenures: Vec<Tenure>,
    pub(crate) tranches: Vec<TrancheRecord>,
    pub(crate) references: Vec<Reference>,
    pub(crate) reference_of: Names,
    /// The names of domains, whose numbers are domains.
    pub(crate) domain_of: Names,
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
    /// Every payment that counts, whatever it was for, in minor units.
    pub(crate) received: Vec<From<i64>>,
    /// The first month with an acceptance known by that month's cut.
    pub(crate) first_accepted: Option<Period>,
    /// What changed since the last settlement.
    pub(crate) touched: Touched,
}

/// What facts name, by number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Named {
    /// The slots of every fact, one fact after another.
    slots: Vec<Place>,
    /// Of every fact, where its slots end, and its reference.
    of_facts: Vec<(Place, Option<Place>)>,
}

impl Named {
    /// Makes room for so many more facts.
    pub(crate) fn expect(&mut self, facts: usize) {
        self.slots.reserve(facts);
        self.of_facts.reserve(facts);
    }

    /// The slots that a fact names, by its place among all.
    pub(crate) fn slots(&self, fact: Place) -> &[Place] {
        let end_of = |fact: usize| self.of_facts[fact].0.get();
        let start = fact.get().checked_sub(1).map_or(0, end_of);
        &self.slots[start..end_of(fact.get())]
    }
}

/// What changed since the last settlement.
#[derive(Clone, Debug, Default)]
pub(crate) struct Touched {
    /// Slots whose time must be counted again, in no order.
    slots: Vec<Place>,
    /// Of every slot, whether it is one of those.
    is_touched: Vec<bool>,
    /// Tranches whose every unit must be counted again.
    pub(crate) tranches: BTreeSet<usize>,
    /// Whether energy must be allocated again.
    pub(crate) power: bool,
}

impl Touched {
    /// Marks a slot whose time must be counted again.
    pub(crate) fn slot(&mut self, slot: Place) {
        let place = slot.get();
        if self.is_touched.len() <= place {
            self.is_touched.resize(place + 1, false);
        }
        if !std::mem::replace(&mut self.is_touched[place], true) {
            self.slots.push(slot);
        }
    }

    /// The slots marked; none are afterwards.
    pub(crate) fn take_slots(&mut self) -> Vec<Place> {
        let slots = std::mem::take(&mut self.slots);
        for slot in &slots {
            self.is_touched[slot.get()] = false;
        }
        slots
    }
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

    /// The place of a reference; a new one is entered.
    pub(crate) fn reference(&mut self, id: &str) -> Place {
        let place = self.reference_of.number(id);
        if place == self.references.len() {
            self.references.push(Reference::default());
        }
        Place::new(place)
    }

    /// What is known of a reference beside the states that use it.
    pub(crate) fn evidence(&self, reference: Place) -> Option<&Evidence> {
        self.references[reference.get()].evidence.as_deref()
    }

    /// The same, to add to.
    pub(crate) fn evidence_mut(&mut self, reference: Place) -> &mut Evidence {
        self.references[reference.get()].evidence.get_or_insert_default()
    }

    /// Numbers the slots and the reference that a fact names, whether or not it will
    /// count. Facts are taken one after another, from the first.
    ///
    /// This is done for many facts before any of them is judged: a name is found
    /// somewhere in memory, and the processor then looks for several at a time.
    pub(crate) fn name(&mut self, body: &Body) {
        let mut reference = None;
        match body {
            Body::UnitState(said) => {
                for unit in &said.units {
                    self.named.slots.push(Place::new(self.slot_of.number(unit)));
                }
                reference = said.reference.as_deref().map(|id| self.reference(id));
            }
            Body::Acceptance(acceptance) => {
                for unit in &acceptance.units {
                    self.named.slots.push(Place::new(self.slot_of.number(&unit.unit)));
                }
            }
            Body::IncidentClassification { .. }
            | Body::Notice { .. }
            | Body::GridInstruction { .. }
            | Body::Flex { .. }
            | Body::Usage { .. }
            | Body::MeterInterval { .. }
            | Body::EnergyPrice { .. }
            | Body::IndexValue { .. }
            | Body::UtilityBill { .. }
            | Body::Payment { .. }
            | Body::Claim { .. }
            | Body::Dispute { .. }
            | Body::Approval { .. }
            | Body::Termination { .. }
            | Body::ContractVersion { .. } => {}
        }
        self.named.of_facts.push((Place::new(self.named.slots.len()), reference));
        if self.slots.len() < self.slot_of.count() {
            self.slots.resize_with(self.slot_of.count(), Slot::default);
        }
    }

    /// Enters what a fact says about those of its units that are accepted.
    pub(crate) fn say(&mut self, place: usize, fact: &Fact, said: &UnitState) {
        let (fact_place, place) = (Place::new(place), Place::new(self.said.len()));
        for slot in self.named.slots(fact_place) {
            let found = &mut self.slots[slot.get()];
            if !found.tenures.is_empty() {
                found.said.push(place);
                self.touched.slot(*slot);
            }
        }
        let cap_w_per_gpu = said.cap_w_per_gpu.map(|cap| {
            self.caps.push(cap);
            Place::new(self.caps.len() - 1)
        });
        let (_, reference) = self.named.of_facts[fact_place.get()];
        let before = reference
            .and_then(|reference| self.references[reference.get()].last.replace(place));
        self.said.push(Assertion {
            during: fact.during(),
            seq: fact.seq,
            state: said.state,
            reference,
            before,
            cap_w_per_gpu,
            fact: fact_place,
        });
    }

    pub(crate) fn assertion(&self, place: Place) -> &Assertion {
        &self.said[place.get()]
    }

    /// The slots whose states rest on a reference: that use it, or use an incident it
    /// is the evidence of. One may come twice.
    pub(crate) fn resting_on(&self, reference: Place) -> impl Iterator<Item = Place> {
        let evidence = self.evidence(reference).into_iter();
        let incidents = evidence.flat_map(|evidence| &evidence.evidence_of).copied();
        let references = std::iter::once(reference).chain(incidents);
        references.flat_map(|reference| {
            let last = self.references[reference.get()].last;
            let uses = std::iter::successors(last, |said| self.assertion(*said).before);
            uses.flat_map(|said| self.named.slots(self.assertion(said).fact)).copied()
        })
    }

    /// Marks every slot whose state rests on a reference.
    pub(crate) fn touch_reference(&mut self, reference: Place) {
        let slots: Vec<Place> = self.resting_on(reference).collect();
        slots.into_iter().for_each(|slot| self.touched.slot(slot));
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
