//! Which facts count, which are set aside, and the acceptances that result.

use std::collections::{BTreeMap, BTreeSet};

use settle::contract::{Basis, Quantity};
use settle::exact::Exact;
use settle::facts::{
    Acceptance, Approves, Body, Cause, Fact, Facts, MeterOwner, Purpose, Size, State,
    TrancheName,
};
use units::Timestamp;

use super::terms::{At, Terms};

/// Seconds a report may be ahead of the moment it became known.
const AHEAD_MAX: i64 = 300;
/// Seconds a source's clock may be off.
const OFFSET_MAX: i128 = 2;
/// An instant after all others.
const NEVER: At = i64::MAX;

/// The facts that count, and those set aside.
pub(super) struct Record<'f> {
    /// What counts, in the order of `seq`.
    pub(super) facts: Vec<&'f Fact>,
    pub(super) set_aside: Vec<SetAside>,
    /// The accepted units of each of our tranches.
    pub(super) accepted: BTreeMap<String, Vec<Accepted>>,
}

/// A fact that was set aside.
pub(super) struct SetAside {
    pub(super) seq: u64,
    pub(super) from: At,
    pub(super) to: At,
}

/// A unit's acceptance.
#[derive(Clone, Debug)]
pub(super) struct Accepted {
    pub(super) unit: String,
    pub(super) at: At,
    /// When another took its place; for ever where none did.
    pub(super) until: At,
    pub(super) size: i64,
    /// How much of it came in nobody's place.
    pub(super) delivered: i64,
    pub(super) domain: Option<String>,
    /// The fact that says so, and the one whose units took its place.
    said_by: u64,
    ended_by: Option<u64>,
}

impl Accepted {
    fn is_there(&self, at: At) -> bool {
        self.at <= at && at < self.until
    }
}

/// What somebody decided about a fact that was set aside.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Decision {
    LetIn,
    Drop,
}

/// Sorts the facts known at `as_of`.
pub(super) fn sort_out<'f>(
    terms: &Terms<'_>,
    facts: &'f Facts,
    as_of: Timestamp,
) -> Record<'f> {
    let known: Vec<&Fact> =
        facts.all().iter().filter(|fact| fact.known_at <= as_of).collect();
    let (firsts, contradictions) = by_key(&known);
    let decisions = decisions(&firsts);
    // Nobody decides about what is not known yet.
    let decision = |fact: &Fact| {
        let key = (fact.source.to_string(), fact.source_seq);
        decisions.get(&key)?.iter().rfind(|(seq, _)| *seq > fact.seq).copied()
    };
    let decided = |fact: &Fact| decision(fact).map(|(_, decision)| decision);

    // A contradiction that was let in stands where the first stood.
    let mut standing = firsts;
    let mut set_aside: Vec<&Fact> = Vec::new();
    for fact in contradictions {
        match decided(fact) {
            // What was let in and is said again was decided already.
            None if known.iter().any(|other| {
                says_again(other, fact) && decided(other) == Some(Decision::LetIn)
            }) => {}
            None => set_aside.push(fact),
            Some(Decision::Drop) => {}
            Some(Decision::LetIn) => {
                standing.retain(|other| key(other) != key(fact));
                standing.push(fact);
                standing.sort_by_key(|fact| fact.seq);
            }
        }
    }

    // Everything that one fact alone, or the contract alone, shows to be wrong.
    let mut doubtful: BTreeSet<u64> = BTreeSet::new();
    for fact in &standing {
        if wrong_in_itself(fact) || wrong_by_the_contract(terms, fact) {
            doubtful.insert(fact.seq);
        }
    }
    let counts = |doubtful: &BTreeSet<u64>, fact: &Fact| {
        !doubtful.contains(&fact.seq) || decided(fact) == Some(Decision::LetIn)
    };

    // Acceptances are taken in one by one, in the order they became known.
    let ends: Vec<&Fact> = standing
        .iter()
        .copied()
        .filter(|fact| matches!(fact.body, Body::Termination { .. }))
        .filter(|fact| counts(&doubtful, fact))
        .collect();
    let accepted_before = |before: u64, doubtful: &mut BTreeSet<u64>| {
        let mut accepted: BTreeMap<(String, String), Vec<Accepted>> = BTreeMap::new();
        for fact in standing.iter().filter(|fact| fact.seq < before) {
            let Body::Acceptance(acceptance) = &fact.body else { continue };
            if !counts(doubtful, fact) {
                continue;
            }
            let is_wrong = overlaps_another(terms, fact, acceptance, &accepted, &ends)
                || exceeds_the_tranche(terms, fact, acceptance, &accepted);
            if is_wrong {
                doubtful.insert(fact.seq);
                if decided(fact) != Some(Decision::LetIn) {
                    continue;
                }
            }
            take_in(terms, fact, acceptance, &mut accepted);
        }
        accepted
    };
    let accepted = accepted_before(u64::MAX, &mut doubtful);

    for fact in &standing {
        // One that was dropped while its unit was unknown stays so when it is accepted.
        let was_dropped = || {
            let Some((seq, Decision::Drop)) = decision(fact) else { return false };
            names_an_unknown_unit(fact, &accepted_before(seq, &mut doubtful.clone()))
        };
        if names_an_unknown_unit(fact, &accepted) || was_dropped() {
            doubtful.insert(fact.seq);
        }
    }

    for seq in meters_above_main(&standing, &doubtful) {
        doubtful.insert(seq);
    }

    let mut counted = Vec::new();
    for fact in standing {
        match (doubtful.contains(&fact.seq), decided(fact)) {
            (false, _) | (true, Some(Decision::LetIn)) => counted.push(fact),
            (true, Some(Decision::Drop)) => {}
            (true, None) => set_aside.push(fact),
        }
    }
    let set_aside = set_aside
        .into_iter()
        .map(|fact| SetAside {
            seq: fact.seq,
            from: start(fact),
            // One that ends before it begins stands where it begins.
            to: end(fact).max(start(fact) + 1),
        })
        .collect();
    let accepted = accepted
        .into_iter()
        .filter(|((contract, _), _)| contract == terms.id())
        .map(|((_, tranche), units)| (tranche, units))
        .collect();
    Record { facts: counted, set_aside, accepted }
}

pub(super) fn start(fact: &Fact) -> At {
    fact.valid_from.as_unix_seconds()
}

/// The end of a fact's validity; one without lasts for ever.
pub(super) fn end(fact: &Fact) -> At {
    fact.valid_to.map_or(NEVER, Timestamp::as_unix_seconds)
}

fn key(fact: &Fact) -> (&str, &str, u64) {
    (&fact.site, &fact.source, fact.source_seq)
}

/// The first fact of each key, and the later ones that say something else. Later
/// ones that say the same are gone.
fn by_key<'f>(known: &[&'f Fact]) -> (Vec<&'f Fact>, Vec<&'f Fact>) {
    let mut firsts: Vec<&Fact> = Vec::new();
    let mut contradictions: Vec<&Fact> = Vec::new();
    let mut seen: BTreeMap<(&str, &str, u64), &Fact> = BTreeMap::new();
    for fact in known {
        match seen.get(&key(fact)) {
            None => {
                seen.insert(key(fact), fact);
                firsts.push(fact);
            }
            Some(first) => {
                if !says_again(first, fact) {
                    contradictions.push(fact);
                }
            }
        }
    }
    (firsts, contradictions)
}

/// Whether two facts of one key say the same.
fn says_again(one: &Fact, other: &Fact) -> bool {
    key(one) == key(other)
        && one.body == other.body
        && one.valid_from == other.valid_from
        && one.valid_to == other.valid_to
}

/// What was decided about each key and when; the latest decision counts.
fn decisions(firsts: &[&Fact]) -> BTreeMap<(String, u64), Vec<(u64, Decision)>> {
    let mut decisions: BTreeMap<(String, u64), Vec<(u64, Decision)>> = BTreeMap::new();
    for fact in firsts.iter().filter(|fact| !wrong_in_itself(fact)) {
        let Body::Approval { approves, .. } = &fact.body else { continue };
        let (source, source_seq, decision) = match approves {
            Approves::Quarantined { source, source_seq } => {
                (source, source_seq, Decision::LetIn)
            }
            Approves::Discarded { source, source_seq } => {
                (source, source_seq, Decision::Drop)
            }
            Approves::TerminationFee { .. } => continue,
        };
        let key = (source.clone(), *source_seq);
        decisions.entry(key).or_default().push((fact.seq, decision));
    }
    decisions
}

/// An end before its beginning, a clock that is off, a report from the future,
/// energy that flows backwards through a sub-meter.
fn wrong_in_itself(fact: &Fact) -> bool {
    let needs_an_end = matches!(
        fact.body,
        Body::Usage { .. }
            | Body::MeterInterval { .. }
            | Body::EnergyPrice { .. }
            | Body::UtilityBill { .. }
    );
    if end(fact) <= start(fact) || needs_an_end && fact.valid_to.is_none() {
        return true;
    }
    let offset = fact.clock_offset_seconds.unwrap_or(Exact::ZERO);
    if offset > Exact::whole(OFFSET_MAX) || offset < Exact::whole(-OFFSET_MAX) {
        return true;
    }
    match &fact.body {
        Body::UnitState(said) => {
            let may_be_ahead = matches!(said.state, State::Planned | State::Grid);
            !may_be_ahead && start(fact) > fact.known_at.as_unix_seconds() + AHEAD_MAX
        }
        Body::MeterInterval { meter, wh, .. } => meter != "main" && *wh < 0,
        Body::Acceptance(_)
        | Body::IncidentClassification { .. }
        | Body::Notice { .. }
        | Body::GridInstruction { .. }
        | Body::Flex { .. }
        | Body::Usage { .. }
        | Body::EnergyPrice { .. }
        | Body::IndexValue { .. }
        | Body::UtilityBill { .. }
        | Body::Payment { .. }
        | Body::Claim { .. }
        | Body::Dispute { .. }
        | Body::Approval { .. }
        | Body::Termination { .. }
        | Body::ContractVersion { .. } => false,
    }
}

/// A tranche the contract does not have, an acceptance before delivery, usage or
/// energy across the edge of a month.
fn wrong_by_the_contract(terms: &Terms<'_>, fact: &Fact) -> bool {
    let is_unknown = |tranche: &str| !terms.tranches().contains(&tranche);
    let unknown = |name: &TrancheName| is_ours(terms, name) && is_unknown(&name.tranche);
    match &fact.body {
        Body::Acceptance(acceptance) => {
            if acceptance.contract != terms.id() {
                return false;
            }
            let contract = terms.at(start(fact));
            let newest = terms.versions.last().expect("a contract has a version");
            let tranche = contract
                .tranche(&acceptance.tranche)
                .or_else(|| newest.tranche(&acceptance.tranche));
            match tranche {
                None => true,
                Some(tranche) => {
                    !tranche.early && start(fact) < terms.midnight(tranche.delivery)
                }
            }
        }
        Body::Usage { tranche, .. } => {
            unknown(tranche) || is_ours(terms, tranche) && crosses_a_month(terms, fact)
        }
        Body::MeterInterval { owner, .. } => {
            let is_unknown = match owner {
                MeterOwner::Tranche(name) => unknown(name),
                MeterOwner::Site | MeterOwner::Contract(_) => false,
            };
            is_unknown || crosses_a_month(terms, fact)
        }
        Body::Payment { purpose: Purpose::Prepayment(name), .. }
        | Body::Flex { tranche: name, .. }
        | Body::Claim { tranche: name, .. }
        | Body::Dispute { tranche: name, .. }
        | Body::Termination { tranche: Some(name), .. } => unknown(name),
        Body::Approval { approves: Approves::TerminationFee { tranche }, .. } => {
            is_unknown(tranche)
        }
        Body::UnitState(_)
        | Body::IncidentClassification { .. }
        | Body::Notice { .. }
        | Body::GridInstruction { .. }
        | Body::EnergyPrice { .. }
        | Body::IndexValue { .. }
        | Body::UtilityBill { .. }
        | Body::Payment { .. }
        | Body::Approval { .. }
        | Body::Termination { .. }
        | Body::ContractVersion { .. } => false,
    }
}

/// A name without a contract means ours.
pub(super) fn is_ours(terms: &Terms<'_>, name: &TrancheName) -> bool {
    name.contract.as_deref().is_none_or(|contract| contract == terms.id())
}

fn crosses_a_month(terms: &Terms<'_>, fact: &Fact) -> bool {
    end(fact) > terms.month(terms.period(start(fact))).1
}

/// A state of a unit that no acceptance that counts names, of whatever contract.
fn names_an_unknown_unit(
    fact: &Fact,
    accepted: &BTreeMap<(String, String), Vec<Accepted>>,
) -> bool {
    let Body::UnitState(said) = &fact.body else { return false };
    !said
        .units
        .iter()
        .all(|unit| accepted.values().flatten().any(|known| known.unit == *unit))
}

/// Until when the units of a tranche belong to it; of another contract, for ever.
fn belongs_until(
    terms: &Terms<'_>,
    contract: &str,
    tranche: &str,
    first: At,
    ends: &[&Fact],
) -> At {
    if contract != terms.id() {
        return NEVER;
    }
    let Some(signed) = terms.at(first).tranche(tranche) else { return NEVER };
    let natural = terms.months_after(first, signed.months);
    match ended_at(terms, tranche, ends) {
        Some((at, _)) => natural.min(at),
        None => natural,
    }
}

/// When and why a tranche was ended early; what became known last counts.
pub(super) fn ended_at(
    terms: &Terms<'_>,
    tranche: &str,
    facts: &[&Fact],
) -> Option<(At, Cause)> {
    let mut found: Option<(At, Cause)> = None;
    for fact in facts {
        let Body::Termination { tranche: named, cause } = &fact.body else { continue };
        let is_meant = match named {
            None => true,
            Some(name) => is_ours(terms, name) && name.tranche == tranche,
        };
        if is_meant {
            found = Some((start(fact), *cause));
        }
    }
    found
}

/// A unit that belongs to another tranche or contract at the same time.
fn overlaps_another(
    terms: &Terms<'_>,
    fact: &Fact,
    acceptance: &Acceptance,
    accepted: &BTreeMap<(String, String), Vec<Accepted>>,
    ends: &[&Fact],
) -> bool {
    let own = (acceptance.contract.clone(), acceptance.tranche.clone());
    let first_of = |units: Option<&Vec<Accepted>>| {
        units.and_then(|units| units.iter().map(|unit| unit.at).min())
    };
    let own_first =
        first_of(accepted.get(&own)).map_or(start(fact), |at| at.min(start(fact)));
    let own_end = belongs_until(terms, &own.0, &own.1, own_first, ends);
    for (other, units) in accepted.iter().filter(|(other, _)| **other != own) {
        let other_first = first_of(Some(units)).expect("a tranche here has a unit");
        let other_end = belongs_until(terms, &other.0, &other.1, other_first, ends);
        for unit in &acceptance.units {
            let overlaps = units.iter().any(|there| {
                there.unit == unit.unit
                    && start(fact) < other_end.min(there.until)
                    && there.at < own_end
            });
            if overlaps {
                return true;
            }
        }
    }
    false
}

/// More than the tranche has.
fn exceeds_the_tranche(
    terms: &Terms<'_>,
    fact: &Fact,
    acceptance: &Acceptance,
    accepted: &BTreeMap<(String, String), Vec<Accepted>>,
) -> bool {
    if acceptance.contract != terms.id() {
        return false;
    }
    let mut with_it = accepted.clone();
    take_in(terms, fact, acceptance, &mut with_it);
    let own = (acceptance.contract.clone(), acceptance.tranche.clone());
    let domains: BTreeSet<&Option<String>> =
        acceptance.units.iter().map(|unit| &unit.domain).collect();
    let room = Room::of(terms, fact, acceptance);
    domains.into_iter().any(|domain| !room.holds(&with_it[&own], domain, start(fact)))
}

/// What a tranche has room for at any one time.
struct Room {
    quantity: i64,
    /// Units of one domain, where blocks are counted.
    in_domain: Option<usize>,
}

impl Room {
    fn of(terms: &Terms<'_>, fact: &Fact, acceptance: &Acceptance) -> Self {
        let newest = terms.versions.last().expect("a contract has a version");
        let signed = terms
            .at(start(fact))
            .tranche(&acceptance.tranche)
            .or_else(|| newest.tranche(&acceptance.tranche))
            .expect("an unknown tranche was set aside");
        let in_domain = newest.sla.as_ref().and_then(|sla| match sla.basis {
            Basis::GpuSeconds => None,
            Basis::Blocks { units, .. } => usize::try_from(units).ok(),
        });
        Self { quantity: quantity(signed.quantity), in_domain }
    }

    /// Whether there is room for all units, and for those of one domain, from an
    /// instant on.
    fn holds(&self, units: &[Accepted], domain: &Option<String>, from: At) -> bool {
        let later = units.iter().map(|unit| unit.at).filter(|at| *at > from);
        later.chain([from]).all(|at| {
            let there: Vec<&Accepted> =
                units.iter().filter(|unit| unit.is_there(at)).collect();
            let sum: i64 = there.iter().map(|unit| unit.size).sum();
            let beside = there.iter().filter(|unit| unit.domain == *domain).count();
            let is_crowded = domain.is_some()
                && self.in_domain.is_some_and(|in_domain| beside > in_domain);
            sum <= self.quantity && !is_crowded
        })
    }
}

pub(super) const fn quantity(quantity: Quantity) -> i64 {
    match quantity {
        Quantity::Gpus(count) | Quantity::Kilowatts(count) => count,
    }
}

/// An acceptance that becomes known later takes the place of an earlier one of the same
/// unit, and its units may take the places of others.
fn take_in(
    terms: &Terms<'_>,
    fact: &Fact,
    acceptance: &Acceptance,
    accepted: &mut BTreeMap<(String, String), Vec<Accepted>>,
) {
    let own = (acceptance.contract.clone(), acceptance.tranche.clone());
    let units = accepted.entry(own).or_default();
    let from = start(fact);
    let mut earlier: Vec<Option<Accepted>> = Vec::new();
    for named in &acceptance.units {
        let place =
            units.iter().position(|unit| unit.unit == named.unit && unit.until > from);
        earlier.push(place.map(|place| units.remove(place)));
    }
    let still_says: BTreeSet<u64> = units.iter().map(|unit| unit.said_by).collect();
    // Where all units of an acceptance are said again, it ended nobody's time.
    let undone: BTreeSet<u64> = earlier
        .iter()
        .flatten()
        .map(|unit| unit.said_by)
        .filter(|seq| !still_says.contains(seq))
        .collect();
    for unit in units.iter_mut().chain(earlier.iter_mut().flatten()) {
        if unit.ended_by.is_some_and(|seq| undone.contains(&seq)) {
            (unit.until, unit.ended_by) = (NEVER, None);
        }
    }
    let first_new = units.len();
    for (named, before) in acceptance.units.iter().zip(&earlier) {
        let (Size::Gpus(size) | Size::Kilowatts(size)) = named.size;
        let kept = before.as_ref().filter(|unit| still_says.contains(&unit.said_by));
        let in_place = kept.map_or(0, |unit| unit.size - unit.delivered);
        units.push(Accepted {
            unit: named.unit.clone(),
            at: from,
            until: before.as_ref().map_or(NEVER, |unit| unit.until),
            size,
            delivered: size - in_place.min(size),
            domain: named.domain.clone(),
            said_by: fact.seq,
            ended_by: before.as_ref().and_then(|unit| unit.ended_by),
        });
    }
    if acceptance.contract != terms.id() {
        return;
    }
    let room = Room::of(terms, fact, acceptance);
    let mut left_behind = 0;
    for name in &acceptance.replaces {
        let leaves = units[..first_new]
            .iter()
            .position(|unit| unit.unit == *name && unit.at < from && from < unit.until);
        let Some(leaves) = leaves else { continue };
        if !room.holds(units, &units[leaves].domain, from) {
            (units[leaves].until, units[leaves].ended_by) = (from, Some(fact.seq));
            left_behind += units[leaves].size;
        }
    }
    for unit in &mut units[first_new..] {
        let in_place = unit.delivered.min(left_behind);
        unit.delivered -= in_place;
        left_behind -= in_place;
    }
}

/// The readings that bring an interval's sub-meters above its main meter.
fn meters_above_main(standing: &[&Fact], doubtful: &BTreeSet<u64>) -> Vec<u64> {
    let mut above = Vec::new();
    let readings: Vec<(&Fact, &str, i64)> = standing
        .iter()
        .filter(|fact| !doubtful.contains(&fact.seq))
        .filter_map(|fact| {
            let Body::MeterInterval { meter, wh, .. } = &fact.body else { return None };
            Some((*fact, meter.as_str(), *wh))
        })
        .collect();
    for (main, _, main_wh) in readings.iter().filter(|(_, meter, _)| *meter == "main") {
        let mut subs: BTreeMap<&str, i64> = BTreeMap::new();
        for (fact, meter, wh) in readings.iter().filter(|(fact, meter, _)| {
            *meter != "main" && start(fact) == start(main) && end(fact) == end(main)
        }) {
            let before = subs.insert(meter, *wh);
            if subs.values().sum::<i64>() > *main_wh {
                above.push(fact.seq);
                match before {
                    Some(before) => subs.insert(meter, before),
                    None => subs.remove(meter),
                };
            }
        }
    }
    above
}
