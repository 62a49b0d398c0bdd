//! Which units leave a full tranche when others come in their place.
//!
//! An acceptance may name units that it replaces. Each of them stops counting when the
//! newcomers begin, in the order named, and only as far as there is no room for both: a
//! unit that was taken back is still owed where the tranche has room for its successor
//! beside it. [`Record::succession`] finds out what an acceptance would come to and
//! changes nothing; [`Record::succeed`] carries it out.
//!
//! Invariant: an acceptance that no unit rests on any more replaces nothing.

use super::record::{From, Place, Record};
use super::{Acceptance, FOR_EVER, Size};
use std::collections::{BTreeMap, BTreeSet};
use units::Timestamp;

/// What there is room for.
#[derive(Clone, Copy)]
pub(super) struct Room {
    /// The tranche's quantity.
    pub(super) quantity: i64,
    /// The units of a domain, where blocks are counted.
    pub(super) domain: Option<u32>,
}

/// What an acceptance comes to.
#[derive(Default)]
pub(super) struct Succession {
    /// The tenures that end when it begins.
    ended: Vec<Place>,
    /// The tenures that an earlier acceptance had ended, of which nothing stands.
    reopened: Vec<Place>,
    /// The most that is accepted at any one time from its beginning on.
    pub(super) most: i64,
    /// A domain with more units than it has room for, and how many.
    pub(super) crowded: Option<(String, u32)>,
}

/// A tenure that an acceptance entered.
pub(super) struct Newcomer {
    pub(super) tenure: Place,
    /// The acceptance that the unit rested on before; the same where on none.
    pub(super) before: u64,
    /// How much of it had come in the place of others by that.
    pub(super) in_place: i64,
}

/// A unit's time in the tranche, as it would be. An end that an acceptance states
/// itself makes no room.
struct Term<'r> {
    /// Where it stands already.
    place: Option<Place>,
    size: i64,
    domain: Option<&'r str>,
    start: Timestamp,
    end: Timestamp,
}

impl Record {
    /// The tenure that an acceptance of a slot takes the place of: of those in the same
    /// tranche, the first that was not replaced before it begins.
    pub(super) fn accepted_before(
        &self,
        slot: Place,
        tranche: usize,
        from: Timestamp,
    ) -> Option<Place> {
        self.slots[slot.get()].tenures.iter().copied().find(|place| {
            let tenure = &self.tenures[place.get()];
            let is_over = tenure.replaced.is_some_and(|replaced| replaced.value <= from);
            tenure.tranche == tranche && !is_over
        })
    }

    /// What an acceptance from an instant on comes to.
    pub(super) fn succession(
        &self,
        tranche: usize,
        slots: &[Place],
        acceptance: &Acceptance,
        from: Timestamp,
        room: Room,
    ) -> Succession {
        let again: BTreeMap<Place, Place> = slots
            .iter()
            .filter_map(|slot| Some((self.accepted_before(*slot, tranche, from)?, *slot)))
            .collect();
        let standing = &self.tranches[tranche].tenures;
        let said_again: BTreeSet<u64> =
            again.keys().map(|place| self.tenures[place.get()].seq).collect();
        // Acceptances of which something else still stands.
        let rested_on: BTreeSet<u64> = standing
            .iter()
            .filter(|place| !again.contains_key(place))
            .map(|place| self.tenures[place.get()].seq)
            .collect();
        let is_void = |seq: u64| said_again.contains(&seq) && !rested_on.contains(&seq);
        let mut terms = Vec::new();
        let mut found = Succession::default();
        for place in standing {
            let tenure = &self.tenures[place.get()];
            let replaced = tenure.replaced.filter(|by| !is_void(by.seq));
            if tenure.replaced.is_some() && replaced.is_none() {
                found.reopened.push(*place);
            }
            if !again.contains_key(place) {
                terms.push(Term {
                    place: Some(*place),
                    size: tenure.size,
                    domain: tenure.domain.map(|place| self.domain_of.name(place.get())),
                    start: tenure.during.start,
                    end: replaced.map_or(FOR_EVER, |by| by.value),
                });
            }
        }
        for (unit, slot) in acceptance.units.iter().zip(slots) {
            let (Size::Gpus(size) | Size::Kilowatts(size)) = unit.size;
            let before = self.accepted_before(*slot, tranche, from);
            let replaced = before
                .and_then(|place| self.tenures[place.get()].replaced)
                .filter(|by| !is_void(by.seq));
            terms.push(Term {
                place: None,
                size,
                domain: unit.domain.as_deref(),
                start: from,
                end: replaced.map_or(FOR_EVER, |by| by.value),
            });
        }
        for name in &acceptance.replaces {
            let Some(slot) = self.slot_of.get(name).map(Place::new) else { continue };
            let tenures = &self.slots[slot.get()].tenures;
            let is_there = |term: &Term<'_>| term.start < from && from < term.end;
            let leaves = terms.iter().enumerate().find_map(|(at, term)| {
                let place = term.place.filter(|place| tenures.contains(place))?;
                is_there(term).then_some((at, place))
            });
            let Some((at, place)) = leaves else { continue };
            let domain = terms[at].domain.zip(room.domain);
            let fits = most(&terms, from) <= room.quantity
                && domain.is_none_or(|(name, limit)| units(&terms, name, from) <= limit);
            if !fits {
                terms[at].end = from;
                found.ended.push(place);
            }
        }
        found.most = most(&terms, from);
        found.crowded = room.domain.and_then(|limit| {
            let mut names = acceptance.units.iter().filter_map(|u| u.domain.as_deref());
            let name = names.find(|name| units(&terms, name, from) > limit)?;
            Some((name.to_owned(), units(&terms, name, from)))
        });
        found
    }

    /// Ends and reopens tenures, and says of the newcomers how much of them came in the
    /// place of others. They were entered before.
    pub(super) fn succeed(
        &mut self,
        tranche: usize,
        succession: &Succession,
        newcomers: &[Newcomer],
        from: From<Timestamp>,
    ) {
        for place in &succession.reopened {
            self.tenures[place.get()].replaced = None;
        }
        let mut freed = 0;
        for place in &succession.ended {
            let tenure = &mut self.tenures[place.get()];
            tenure.replaced = Some(from);
            freed += tenure.size;
        }
        let standing = &self.tranches[tranche].tenures;
        let rested_on: BTreeSet<u64> =
            standing.iter().map(|place| self.tenures[place.get()].seq).collect();
        for Newcomer { tenure, before, in_place } in newcomers {
            let tenure = &mut self.tenures[tenure.get()];
            // What an acceptance replaced that still stands stays replaced.
            if rested_on.contains(before) {
                tenure.in_place = (*in_place).min(tenure.size);
            }
            let part = tenure.delivers().min(freed);
            tenure.in_place += part;
            freed -= part;
        }
        let found = &mut self.tranches[tranche];
        (found.accepted, found.has_replaced) = (0, false);
        found.domains.clear();
        for place in &found.tenures {
            let tenure = &self.tenures[place.get()];
            if tenure.replaced.is_some() {
                found.has_replaced = true;
                continue;
            }
            found.accepted += tenure.size;
            if let Some(domain) = tenure.domain {
                *found.domains.entry(domain).or_default() += 1;
            }
        }
        self.touched.tranches.insert(tranche);
    }
}

/// The most of something at any one time from an instant on: it can grow only where
/// a term begins.
fn most_of(terms: &[Term<'_>], from: Timestamp, of: impl Fn(&Term<'_>) -> i64) -> i64 {
    let later = terms.iter().map(|term| term.start).filter(|start| *start > from);
    let starts: BTreeSet<Timestamp> = later.chain([from]).collect();
    let at = |at: Timestamp| {
        let there = terms.iter().filter(|term| term.start <= at && at < term.end);
        there.map(&of).fold(0, i64::saturating_add)
    };
    starts.into_iter().map(at).max().unwrap_or(0)
}

fn most(terms: &[Term<'_>], from: Timestamp) -> i64 {
    most_of(terms, from, |term| term.size)
}

fn units(terms: &[Term<'_>], domain: &str, from: Timestamp) -> u32 {
    let count = most_of(terms, from, |term| i64::from(term.domain == Some(domain)));
    u32::try_from(count).unwrap_or(u32::MAX)
}
