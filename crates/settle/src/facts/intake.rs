//! What of the record counts: duplicates are ignored, doubtful facts set aside.
//!
//! The intake takes facts in one by one, in the order of `seq`, so that a
//! record that grows and the same record read at once come to the same. A fact
//! about a unit or tranche nobody has named yet waits, set aside, until an
//! acceptance names it.

use super::doubt::Doubt;
use super::record::{Bill, Ending, From, Notice, Place, Reading, Record, Tenure, Used};
use super::succession::Newcomer;
use super::{About, Acceptance, Approves, Body, Fact, Purpose, Size, TrancheName};
use crate::calendar::Zone;
use crate::contract::{Contract, Tranche};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use units::Timestamp;

/// A fact that was set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// Its place in the record.
    pub seq: u64,
    /// The source and the number there, as an approval names it.
    pub key: String,
    /// From when it would be true.
    pub valid_from: Timestamp,
    /// Until when, when it says so.
    pub valid_to: Option<Timestamp>,
    /// Why it was set aside.
    pub reason: String,
}

/// What somebody decided about a fact that was set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    LetIn { seq: u64 },
    Drop { seq: u64 },
}

/// Takes facts in for one contract.
#[derive(Clone, Debug, Default)]
pub(crate) struct Intake {
    pub(crate) record: Record,
    /// How many facts were taken in.
    pub(crate) taken: usize,
    /// How many said again what was known.
    pub(crate) duplicates: u64,
    pub(crate) quarantined: BTreeMap<u64, Quarantined>,
    source_of: BTreeMap<(Arc<str>, Arc<str>), usize>,
    sources: Vec<Source>,
    /// The source of the fact taken in last.
    last_source: Option<usize>,
    decisions: BTreeMap<(Arc<str>, u64), Decision>,
    /// Facts in whose place another of the same key was let in.
    replaced: BTreeSet<u64>,
    /// Facts set aside because nobody named the slot, by slot.
    waiting_for_slot: BTreeMap<String, Vec<usize>>,
    /// Facts set aside because nobody named the tranche, by tranche.
    waiting_for_tranche: BTreeMap<String, Vec<usize>>,
}

/// The numbers a source has given to facts, and the place of each fact. Nearly every
/// source counts up, and of one that does not only what is out of order is searched.
#[derive(Clone, Debug, Default)]
struct Source {
    /// Numbers that rose, each above all before it.
    rising: Vec<(u64, usize)>,
    /// Numbers below one that came before them.
    late: BTreeMap<u64, usize>,
}

impl Source {
    /// The fact that has a number, or nothing and the number is `place`'s from now on.
    fn first_of(&mut self, number: u64, place: usize) -> Option<usize> {
        if self.rising.last().is_none_or(|(last, _)| *last < number) {
            self.rising.push((number, place));
            return None;
        }
        match self.rising.binary_search_by_key(&number, |(number, _)| *number) {
            Ok(found) => Some(self.rising[found].1),
            Err(_) => match self.late.entry(number) {
                Entry::Occupied(found) => Some(*found.get()),
                Entry::Vacant(free) => {
                    free.insert(place);
                    None
                }
            },
        }
    }
}

/// What the intake knows of the contract: the versions known.
#[derive(Clone, Copy)]
pub(crate) struct Terms<'c> {
    pub(crate) versions: &'c [Contract],
}

impl<'c> Terms<'c> {
    pub(super) fn id(self) -> &'c str {
        &self.versions[0].id
    }

    pub(super) fn zone(self) -> &'c Zone {
        &self.versions[0].zone
    }

    pub(super) fn latest(self) -> &'c Contract {
        self.versions.last().expect("a version is known")
    }

    /// The tranche as the latest version that has it states it.
    pub(super) fn tranche(self, id: &str) -> Option<&'c Tranche> {
        self.versions.iter().rev().find_map(|contract| contract.tranche(id))
    }
}

impl Intake {
    /// Takes in `facts` from the first not yet taken. False when a decision was
    /// found among them that changes what was taken before: start afresh then.
    pub(crate) fn take(&mut self, terms: Terms<'_>, facts: &[Fact]) -> bool {
        let fresh = self.taken == 0;
        for fact in &facts[self.taken..] {
            if let Body::Approval { approves, .. } = &fact.body {
                let (key, decision) = match approves {
                    Approves::Quarantined { source, source_seq } => {
                        ((source, *source_seq), Decision::LetIn { seq: fact.seq })
                    }
                    Approves::Discarded { source, source_seq } => {
                        ((source, *source_seq), Decision::Drop { seq: fact.seq })
                    }
                    Approves::TerminationFee { .. } => continue,
                };
                if !fresh {
                    return false;
                }
                self.decisions.insert((key.0.as_str().into(), key.1), decision);
            }
        }
        if fresh && !self.decisions.is_empty() {
            self.find_replaced(facts);
        }
        self.record.named.expect(facts.len() - self.taken);
        for fact in &facts[self.taken..] {
            self.record.name(&fact.body);
        }
        for place in self.taken..facts.len() {
            self.taken = place + 1;
            self.take_one(terms, facts, place);
        }
        true
    }

    /// Finds the facts in whose place a contradiction was approved: the last
    /// content known before the decision stands, the others do not.
    fn find_replaced(&mut self, facts: &[Fact]) {
        let mut same_key: BTreeMap<(&str, &str, u64), Vec<&Fact>> = BTreeMap::new();
        for fact in facts {
            let key = (fact.source.clone(), fact.source_seq);
            if let Some(Decision::LetIn { seq }) = self.decisions.get(&key)
                && fact.seq < *seq
            {
                let key = (&*fact.site, &*fact.source, fact.source_seq);
                same_key.entry(key).or_default().push(fact);
            }
        }
        for group in same_key.values() {
            let Some(standing) = group.iter().rev().find(|fact| !fact.says_as(group[0]))
            else {
                continue;
            };
            let others = group.iter().filter(|fact| !fact.says_as(standing));
            self.replaced.extend(others.map(|fact| fact.seq));
        }
    }

    /// Whether a fact repeats what was decided against: it is no new contradiction.
    fn was_replaced(&self, facts: &[Fact], fact: &Fact) -> bool {
        let at = |seq: &u64| facts.binary_search_by_key(seq, |fact| fact.seq).ok();
        self.replaced.iter().filter_map(at).map(|at| &facts[at]).any(|earlier| {
            (&earlier.site, &earlier.source, earlier.source_seq)
                == (&fact.site, &fact.source, fact.source_seq)
                && earlier.says_as(fact)
        })
    }

    /// The place of a fact's source; most facts are from the one before's.
    fn source(&mut self, facts: &[Fact], place: usize) -> usize {
        let fact = &facts[place];
        if let (Some(source), Some(before)) = (self.last_source, place.checked_sub(1))
            && facts[before].source == fact.source
            && facts[before].site == fact.site
        {
            return source;
        }
        let key = (fact.site.clone(), fact.source.clone());
        let source = *self.source_of.entry(key).or_insert(self.sources.len());
        if source == self.sources.len() {
            self.sources.push(Source::default());
        }
        self.last_source = Some(source);
        source
    }

    fn take_one(&mut self, terms: Terms<'_>, facts: &[Fact], place: usize) {
        let fact = &facts[place];
        // Found even when the fact is skipped: the next fact looks one back.
        let source = self.source(facts, place);
        if self.replaced.contains(&fact.seq) {
            return;
        }
        let Some(first) = self.sources[source].first_of(fact.source_seq, place) else {
            return self.judge(terms, facts, place);
        };
        let first = &facts[first];
        if first.says_as(fact) || self.was_replaced(facts, fact) {
            self.duplicates += 1;
            return;
        }
        let reason = format!(
            "expected what fact {} said under the same key, found other content; \
             the first stands",
            first.seq
        );
        self.set_aside(fact, reason, false);
    }

    /// Admits a fact or sets it aside.
    fn judge(&mut self, terms: Terms<'_>, facts: &[Fact], place: usize) {
        let fact = &facts[place];
        match self.doubt(terms, fact, Place::new(place)) {
            None => self.admit(terms, facts, place),
            Some(doubt) => {
                let (reason, waits) = match doubt {
                    Doubt::Never(reason) => (reason, false),
                    Doubt::UntilSlot(slot, reason) => {
                        self.waiting_for_slot.entry(slot).or_default().push(place);
                        (reason, true)
                    }
                    Doubt::UntilTranche(tranche, reason) => {
                        self.waiting_for_tranche.entry(tranche).or_default().push(place);
                        (reason, true)
                    }
                };
                if self.set_aside(fact, reason, waits) {
                    self.admit(terms, facts, place);
                }
            }
        }
    }

    /// Sets a fact aside unless somebody decided; true when it was let in. One that
    /// waits for an acceptance is dropped only if it still waits when that is decided.
    fn set_aside(&mut self, fact: &Fact, reason: String, waits: bool) -> bool {
        let key = (fact.source.clone(), fact.source_seq);
        match self.decisions.get(&key) {
            Some(Decision::LetIn { seq }) if *seq > fact.seq => return true,
            Some(Decision::Drop { seq }) if *seq > fact.seq && !waits => return false,
            Some(Decision::LetIn { .. } | Decision::Drop { .. }) | None => {}
        }
        let quarantined = Quarantined {
            seq: fact.seq,
            key: format!("{}/{}", fact.source, fact.source_seq),
            valid_from: fact.valid_from,
            valid_to: fact.valid_to,
            reason,
        };
        self.quarantined.insert(fact.seq, quarantined);
        false
    }

    /// Lets a fact count.
    fn admit(&mut self, terms: Terms<'_>, facts: &[Fact], place: usize) {
        let record = &mut self.record;
        let fact = &facts[place];
        let during = fact.during();
        let seq = fact.seq;
        let ours = |name: &TrancheName| {
            let contract = name.contract.as_deref();
            contract.is_none_or(|contract| contract == terms.id())
                && terms.tranche(&name.tranche).is_some()
        };
        match &fact.body {
            Body::Acceptance(acceptance) => {
                self.accept(terms, fact, place, acceptance);
                self.release(terms, facts, acceptance);
            }
            Body::UnitState(said) => record.say(place, fact, said),
            Body::IncidentClassification { incident, class, reference } => {
                let incident = record.reference(incident);
                let evidence =
                    reference.as_deref().map(|reference| record.reference(reference));
                if let Some(evidence) = evidence {
                    record.evidence_mut(evidence).evidence_of.insert(incident);
                }
                let class = From { value: (*class, evidence), seq };
                record.evidence_mut(incident).class = Some(class);
                record.touch_reference(incident);
            }
            Body::Notice { id, about } => {
                let reference = record.reference(id);
                let notice = Notice {
                    about: *about,
                    window: during,
                    known_at: fact.known_at,
                    seq,
                };
                record.evidence_mut(reference).notices.push(notice);
                record.touch_reference(reference);
                if *about == About::ForceMajeure {
                    record.delay_excuses.push(From { value: during, seq });
                }
            }
            Body::GridInstruction { id } => {
                let reference = record.reference(id);
                let window = From { value: during, seq };
                record.evidence_mut(reference).instructions.push(window);
                record.touch_reference(reference);
                record.delay_excuses.push(window);
            }
            Body::Flex { tranche, .. } => {
                if ours(tranche) {
                    let place = record.tranche(&tranche.tranche);
                    record.tranches[place].flex.push(From { value: during, seq });
                    record.touched.tranches.insert(place);
                }
            }
            Body::Usage { tranche, gpu_seconds } => {
                if ours(tranche) {
                    let place = record.tranche(&tranche.tranche);
                    let source = (fact.site.clone(), fact.source.clone());
                    let new = Used { during, gpu_seconds: *gpu_seconds, source, seq };
                    let usage = &mut record.tranches[place].usage;
                    // What a source says again of an interval takes the place of what
                    // it said.
                    usage.retain(|old| {
                        old.during != new.during || old.source != new.source
                    });
                    usage.push(new);
                }
            }
            Body::MeterInterval { meter, wh, owner } => {
                let key = (during.start, during.end);
                let reading = Reading { wh: *wh, owner: owner.clone(), seq };
                record.readings.entry(key).or_default().insert(meter.clone(), reading);
                let intervals = record.intervals_of.entry(meter.clone()).or_default();
                intervals.insert(during.start, during.end);
                record.touched.power = true;
            }
            Body::EnergyPrice { index, per_mwh } => {
                let price = From { value: (during, *per_mwh), seq };
                record.prices.entry(index.clone()).or_default().push(price);
                record.touched.power = true;
            }
            Body::IndexValue { index, value } => {
                let value = From { value: (fact.valid_from, *value), seq };
                record.index_values.entry(index.clone()).or_default().push(value);
            }
            Body::UtilityBill { amount, number } => {
                let bill = Bill { during, amount: *amount, seq };
                record.bills.insert(number.clone(), bill);
                record.touched.power = true;
            }
            Body::Payment { amount, purpose, .. } => {
                let minor = *amount * terms.latest().currency.minor_per_unit();
                let minor = i64::try_from(minor.floor()).expect("a payment fits");
                record.received.push(From { value: minor, seq });
                if let Purpose::Prepayment(name) = purpose
                    && ours(name)
                {
                    let place = record.tranche(&name.tranche);
                    let payment = From { value: (fact.valid_from, minor), seq };
                    record.tranches[place].payments.push(payment);
                }
            }
            Body::Claim { tranche, period } => {
                if ours(tranche) {
                    let place = record.tranche(&tranche.tranche);
                    // The first claim is the one in time.
                    let claims = &mut record.tranches[place].claims;
                    claims.entry(*period).or_insert(From { value: fact.known_at, seq });
                }
            }
            Body::Dispute { tranche, period } => {
                if ours(tranche) {
                    let place = record.tranche(&tranche.tranche);
                    record.tranches[place].disputes.entry(*period).or_insert(seq);
                }
            }
            Body::Approval { approves, amount, .. } => match approves {
                Approves::TerminationFee { tranche } => {
                    if terms.tranche(tranche).is_some() {
                        let place = record.tranche(tranche);
                        let approved = From { value: *amount, seq };
                        record.tranches[place].fee_approved = Some(approved);
                    }
                }
                Approves::Discarded { source, source_seq } => {
                    let key = format!("{source}/{source_seq}");
                    self.quarantined.retain(|_, one| one.key != key);
                }
                Approves::Quarantined { .. } => {}
            },
            Body::Termination { tranche, cause } => {
                let ending = Ending { at: fact.valid_from, cause: *cause, seq };
                let ids: Vec<&str> = match tranche {
                    Some(name) if ours(name) => vec![&name.tranche],
                    Some(_) => Vec::new(),
                    None => {
                        let all = terms.versions.iter();
                        let all = all.flat_map(|contract| &contract.tranches);
                        all.map(|tranche| tranche.id.as_str()).collect()
                    }
                };
                for id in ids {
                    let place = record.tranche(id);
                    record.tranches[place].ending = Some(ending);
                    record.touched.tranches.insert(place);
                }
            }
            Body::ContractVersion { .. } => {}
        }
    }

    fn accept(
        &mut self,
        terms: Terms<'_>,
        fact: &Fact,
        place: usize,
        acceptance: &Acceptance,
    ) {
        let record = &mut self.record;
        let during = fact.during();
        if acceptance.contract != terms.id() {
            record.foreign_tranches.insert(acceptance.tranche.clone());
            for unit in &acceptance.units {
                let held = record.foreign.entry(unit.unit.clone()).or_default();
                held.retain(|(contract, _)| *contract != acceptance.contract);
                held.push((acceptance.contract.clone(), during));
            }
            return;
        }
        let tranche = record.tranche(&acceptance.tranche);
        let anchor = record.anchor(tranche);
        let mut replaced = false;
        let slots = record.named.slots(Place::new(place)).to_vec();
        let is_plain =
            acceptance.replaces.is_empty() && !record.tranches[tranche].has_replaced;
        let succession = terms
            .tranche(&acceptance.tranche)
            .filter(|_| !is_plain)
            .map(|stated| super::doubt::room(terms, stated))
            .map(|room| {
                record.succession(tranche, &slots, acceptance, during.start, room)
            });
        let mut newcomers = Vec::new();
        for (unit, slot) in acceptance.units.iter().zip(&slots) {
            let size = match unit.size {
                Size::Gpus(size) | Size::Kilowatts(size) => size,
            };
            let domain = unit.domain.as_deref();
            let domain = domain.map(|name| Place::new(record.domain_of.number(name)));
            let found = record.accepted_before(*slot, tranche, during.start);
            let before = found.map(|place| &record.tenures[place.get()]);
            let tenure = Tenure {
                slot: *slot,
                tranche,
                during,
                size,
                domain,
                seq: fact.seq,
                replaced: before.and_then(|before| before.replaced),
                in_place: 0,
            };
            let totals = &mut record.tranches[tranche];
            totals.accepted += size;
            if let Some(domain) = domain {
                *totals.domains.entry(domain).or_default() += 1;
            }
            match found {
                Some(place) => {
                    let before =
                        std::mem::replace(&mut record.tenures[place.get()], tenure);
                    newcomers.push(Newcomer {
                        tenure: place,
                        before: before.seq,
                        in_place: before.in_place,
                    });
                    totals.accepted -= before.size;
                    if let Some(domain) = before.domain
                        && let Some(count) = totals.domains.get_mut(&domain)
                    {
                        *count -= 1;
                    }
                    replaced = true;
                }
                None => {
                    let place = Place::new(record.tenures.len());
                    record.tenures.push(tenure);
                    record.slots[slot.get()].tenures.push(place);
                    record.tranches[tranche].tenures.push(place);
                    newcomers.push(Newcomer {
                        tenure: place,
                        before: fact.seq,
                        in_place: 0,
                    });
                }
            }
            record.touched.slot(*slot);
        }
        if let Some(succession) = succession {
            let from = From { value: during.start, seq: fact.seq };
            record.succeed(tranche, &succession, &newcomers, from);
        }
        let standing = &record.tranches[tranche].tenures;
        let acceptances = if replaced {
            standing.iter().map(|place| record.tenures[place.get()].seq).collect()
        } else {
            let mut acceptances =
                std::mem::take(&mut record.tranches[tranche].acceptances);
            acceptances.insert(fact.seq);
            acceptances
        };
        record.tranches[tranche].acceptances = acceptances;
        let period = terms.zone().period(fact.valid_from);
        if fact.known_at <= crate::settlement::cut(&terms.versions[0], period) {
            let earlier = record.first_accepted.is_none_or(|first| period < first);
            record.first_accepted =
                if earlier { Some(period) } else { record.first_accepted };
        }
        let first = if replaced {
            let tenures = record.tranches[tranche].tenures.iter();
            tenures.map(|place| record.tenures[place.get()].during.start).min()
        } else {
            Some(anchor.map_or(during.start, |anchor| anchor.min(during.start)))
        };
        record.tranches[tranche].anchor = first;
        // A replaced unit may have left a block; a new anchor moves the end.
        if replaced || first != anchor {
            record.touched.tranches.insert(tranche);
        }
    }

    /// Judges again what waited for the slots or the tranche now named.
    fn release(&mut self, terms: Terms<'_>, facts: &[Fact], acceptance: &Acceptance) {
        let mut waiting = Vec::new();
        if !self.waiting_for_slot.is_empty() {
            for unit in &acceptance.units {
                waiting
                    .extend(self.waiting_for_slot.remove(&unit.unit).unwrap_or_default());
            }
        }
        if acceptance.contract != terms.id() {
            let tranche = self.waiting_for_tranche.remove(&acceptance.tranche);
            waiting.extend(tranche.unwrap_or_default());
        }
        waiting.sort_unstable();
        for place in waiting {
            if self.quarantined.remove(&facts[place].seq).is_some() {
                self.judge(terms, facts, place);
            }
        }
    }
}
