//! What caused a correction: the facts that became known since the last document.

use super::compose::Composing;
use crate::facts::record::Place;
use crate::facts::{Body, Fact};
use std::collections::BTreeSet;
use units::Interval;

impl Composing<'_> {
    /// What became known since the last document.
    pub(super) fn learned(&self) -> Learned<'_> {
        let since = self.documents.last.as_ref().and_then(|last| last.last_seq);
        let first =
            since.map_or(0, |seq| self.facts.partition_point(|fact| fact.seq <= seq));
        let facts = self.facts.iter().enumerate().skip(first);
        let concerned = facts.map(|(place, fact)| (fact, self.concerns(fact, place)));
        Learned { facts: concerned.collect() }
    }

    /// The tranches a fact may concern; `None` for all.
    fn concerns(&self, fact: &Fact, place: usize) -> Option<BTreeSet<usize>> {
        let record = self.books.record;
        let named = |id: &str| {
            let place = record.tranches.iter().position(|tranche| tranche.id == id);
            Some(place.into_iter().collect())
        };
        let of_slots = |slots: &mut dyn Iterator<Item = usize>| {
            let tenures = slots.flat_map(|slot| &record.slots[slot].tenures);
            Some(tenures.map(|tenure| record.tenures[tenure.get()].tranche).collect())
        };
        match &fact.body {
            Body::Acceptance(acceptance) if acceptance.contract == self.contract.id => {
                named(&acceptance.tranche)
            }
            Body::Acceptance(_) => Some(BTreeSet::new()),
            Body::UnitState(_) => {
                let slots = record.named.slots(Place::new(place)).iter();
                of_slots(&mut slots.map(|slot| slot.get()))
            }
            Body::IncidentClassification { incident: id, .. }
            | Body::Notice { id, .. }
            | Body::GridInstruction { id } => {
                let Some(reference) = record.reference_of.get(id) else {
                    return Some(BTreeSet::new());
                };
                let slots = record.resting_on(Place::new(reference));
                of_slots(&mut slots.map(Place::get))
            }
            Body::Flex { tranche, .. }
            | Body::Usage { tranche, .. }
            | Body::Claim { tranche, .. }
            | Body::Dispute { tranche, .. } => named(&tranche.tranche),
            Body::Termination { tranche, .. } => named(&tranche.as_ref()?.tranche),
            Body::Payment { purpose, .. } => match purpose {
                crate::facts::Purpose::Prepayment(name) => named(&name.tranche),
                crate::facts::Purpose::Document(_) | crate::facts::Purpose::Unstated => {
                    Some(BTreeSet::new())
                }
            },
            Body::MeterInterval { .. }
            | Body::EnergyPrice { .. }
            | Body::IndexValue { .. }
            | Body::UtilityBill { .. }
            | Body::Approval { .. }
            | Body::ContractVersion { .. } => None,
        }
    }
}

/// Facts that became known, with the tranches they may concern.
pub(super) struct Learned<'f> {
    facts: Vec<(&'f Fact, Option<BTreeSet<usize>>)>,
}

impl Learned<'_> {
    /// The facts that may have changed a tranche's month: those true in it, or
    /// where there are none those about the tranche before it, whose effect
    /// reached it through a cap, a budget or a prepayment.
    pub(super) fn touching(&self, tranche: usize, month: Interval) -> Vec<u64> {
        let concerned = || {
            let facts = self.facts.iter();
            facts.filter(|(_, tranches)| {
                tranches.as_ref().is_none_or(|tranches| tranches.contains(&tranche))
            })
        };
        // A claim or an approval says now something about then.
        let timeless = |fact: &Fact| {
            matches!(
                fact.body,
                Body::Claim { .. }
                    | Body::Dispute { .. }
                    | Body::Approval { .. }
                    | Body::IncidentClassification { .. }
                    | Body::ContractVersion { .. }
            )
        };
        let direct: Vec<u64> = concerned()
            .filter(|(fact, _)| fact.during().overlaps(month) || timeless(fact))
            .map(|(fact, _)| fact.seq)
            .collect();
        if !direct.is_empty() {
            return direct;
        }
        let earlier = concerned().filter(|(fact, _)| fact.valid_from < month.end);
        let earlier: Vec<u64> = earlier.map(|(fact, _)| fact.seq).collect();
        if earlier.is_empty() {
            concerned().map(|(fact, _)| fact.seq).collect()
        } else {
            earlier
        }
    }
}
