//! What makes a fact doubtful: each doubt with what was expected and found.

use super::intake::{Intake, Terms};
use super::record::{MAIN, Place, TrancheRecord};
use super::succession::Room;
use super::{Acceptance, Body, Fact, MeterOwner, Purpose, Size, State, TrancheName};
use crate::contract::{Basis, Quantity, Tranche};
use crate::exact::Exact;
use std::collections::BTreeMap;
use units::{Interval, Timestamp};

/// How far ahead of `known_at` a state may begin, in seconds.
const AHEAD_SECONDS_MAX: i64 = 300;
/// How far a source's clock may be off, in seconds, either way.
const CLOCK_OFFSET_SECONDS_MAX: i128 = 2;

/// Why a fact is set aside.
pub(super) enum Doubt {
    Never(String),
    UntilSlot(String, String),
    UntilTranche(String, String),
}

impl Intake {
    /// What makes a fact doubtful.
    pub(super) fn doubt(
        &self,
        terms: Terms<'_>,
        fact: &Fact,
        place: Place,
    ) -> Option<Doubt> {
        if let Some(end) = fact.valid_to
            && end <= fact.valid_from
        {
            let text = format!("expected an end after {}, found {end}", fact.valid_from);
            return Some(Doubt::Never(text));
        }
        if let Some(offset) = fact.clock_offset_seconds {
            let limit = Exact::whole(CLOCK_OFFSET_SECONDS_MAX);
            if offset > limit || offset < -limit {
                let text = format!(
                    "expected a clock within 2 s, found it {} s off",
                    offset.to_text()
                );
                return Some(Doubt::Never(text));
            }
        }
        if let Some(text) = super::limits::beyond(terms, fact) {
            return Some(Doubt::Never(text));
        }
        match &fact.body {
            Body::Acceptance(acceptance) => {
                self.doubt_acceptance(terms, fact, place, acceptance)
            }
            Body::UnitState(said) => {
                let excused_ahead = matches!(said.state, State::Planned | State::Grid);
                let ahead = (fact.valid_from - fact.known_at).as_seconds();
                if ahead > AHEAD_SECONDS_MAX && !excused_ahead {
                    let text = format!(
                        "expected a state from at most 300 s after it was known, found \
                         {ahead} s; a clock is ahead"
                    );
                    return Some(Doubt::Never(text));
                }
                let slots = self.record.named.slots(place);
                let (unnamed, _) =
                    said.units.iter().zip(slots).find(|(unit, slot)| {
                        self.record.slots[slot.get()].tenures.is_empty()
                            && !self.record.foreign.contains_key(*unit)
                    })?;
                let text = format!("expected a unit that was accepted, found {unnamed}");
                Some(Doubt::UntilSlot(unnamed.clone(), text))
            }
            Body::IncidentClassification { .. }
            | Body::Notice { .. }
            | Body::GridInstruction { .. }
            | Body::IndexValue { .. }
            | Body::Approval { .. }
            | Body::ContractVersion { .. } => None,
            Body::Flex { tranche, .. }
            | Body::Claim { tranche, .. }
            | Body::Dispute { tranche, .. } => self.doubt_tranche(terms, tranche),
            Body::Termination { tranche, .. } => {
                self.doubt_tranche(terms, tranche.as_ref()?)
            }
            Body::Usage { tranche, gpu_seconds } => {
                self.doubt_tranche(terms, tranche).or_else(|| {
                    if *gpu_seconds < 0 {
                        let text =
                            format!("expected use of 0 or more, found {gpu_seconds}");
                        return Some(Doubt::Never(text));
                    }
                    doubt_edge(terms, fact)
                        .or_else(|| self.doubt_used_twice(terms, fact, tranche))
                })
            }
            Body::MeterInterval { meter, wh, owner } => {
                self.doubt_reading(terms, fact, meter, *wh, owner)
            }
            Body::EnergyPrice { .. } => doubt_end(fact),
            Body::UtilityBill { amount, .. } => {
                doubt_end(fact).or_else(|| doubt_minor(terms, *amount))
            }
            Body::Payment { amount, currency, purpose } => {
                if *currency != terms.latest().currency.code {
                    let text = format!(
                        "expected {}, found {currency}",
                        terms.latest().currency.code
                    );
                    return Some(Doubt::Never(text));
                }
                if amount.is_negative() || amount.is_zero() {
                    let text =
                        format!("expected more than 0, found {}", amount.to_text());
                    return Some(Doubt::Never(text));
                }
                doubt_minor(terms, *amount).or_else(|| match purpose {
                    Purpose::Prepayment(tranche) => self.doubt_tranche(terms, tranche),
                    Purpose::Document(_) | Purpose::Unstated => None,
                })
            }
        }
    }

    fn doubt_tranche(&self, terms: Terms<'_>, name: &TrancheName) -> Option<Doubt> {
        let known = terms.tranche(&name.tranche).is_some();
        match &name.contract {
            Some(contract) if contract != terms.id() => return None,
            Some(_) if known => return None,
            Some(_) => {}
            None => match (known, self.record.foreign_tranches.contains(&name.tranche)) {
                (true, false) | (false, true) => return None,
                (true, true) => {
                    let text = format!(
                        "expected the contract of {} too, found two contracts that have \
                         such a tranche",
                        name.tranche
                    );
                    return Some(Doubt::Never(text));
                }
                (false, false) => {}
            },
        }
        let text = format!("expected a tranche of the contract, found {}", name.tranche);
        Some(Doubt::UntilTranche(name.tranche.clone(), text))
    }

    fn doubt_acceptance(
        &self,
        terms: Terms<'_>,
        fact: &Fact,
        place: Place,
        acceptance: &Acceptance,
    ) -> Option<Doubt> {
        let slots = self.record.named.slots(place);
        let never = |text: String| Some(Doubt::Never(text));
        let ours = acceptance.contract == terms.id();
        let tranche = if ours { terms.tranche(&acceptance.tranche) } else { None };
        if ours && tranche.is_none() {
            return never(format!(
                "expected a tranche of the contract, found {}",
                acceptance.tranche
            ));
        }
        for (unit, slot) in acceptance.units.iter().zip(slots) {
            let unit_of = (unit.unit.as_str(), *slot);
            let contract = &acceptance.contract;
            if let Some(other) =
                self.held_elsewhere(terms, unit_of, contract, tranche, fact)
            {
                return never(format!(
                    "expected {} in one tranche at a time, found it accepted for {other} too",
                    unit.unit
                ));
            }
        }
        let tranche = tranche?;
        let delivery = terms.zone().midnight(tranche.delivery);
        if fact.valid_from < delivery && !tranche.early {
            return never(format!(
                "expected acceptance from {} on, found {}; the tranche does not say \
                 early = \"accept\"",
                tranche.delivery, fact.valid_from
            ));
        }
        self.doubt_quantity(terms, fact, slots, acceptance, tranche)
    }

    /// The tranche or contract a slot is accepted for at an overlapping time.
    fn held_elsewhere(
        &self,
        terms: Terms<'_>,
        (unit, slot): (&str, Place),
        contract: &str,
        tranche: Option<&Tranche>,
        fact: &Fact,
    ) -> Option<String> {
        let during = fact.during();
        if let Some(others) = self.record.foreign.get(unit)
            && let Some((other, _)) = others
                .iter()
                .find(|(other, held)| other != contract && held.overlaps(during))
        {
            return Some(other.clone());
        }
        for place in &self.record.slots[slot.get()].tenures {
            let tenure = &self.record.tenures[place.get()];
            let id = &self.record.tranches[tenure.tranche].id;
            if tranche.is_some_and(|tranche| tranche.id == *id) {
                continue;
            }
            let counts = tenure.counts();
            let end = self.service_end(terms, tenure.tranche).min(counts.end);
            let held = Interval { start: counts.start, end };
            if held.start < held.end && held.overlaps(during) {
                return Some(id.clone());
            }
        }
        None
    }

    /// The end of a tranche's service by the latest version that has it.
    fn service_end(&self, terms: Terms<'_>, place: usize) -> Timestamp {
        let tranche = &self.record.tranches[place];
        let end = self
            .record
            .anchor(place)
            .zip(terms.tranche(&tranche.id))
            .map_or(super::FOR_EVER, |(anchor, stated)| {
                terms.zone().months_after(anchor, stated.months)
            });
        tranche.ending.map_or(end, |ending| end.min(ending.at))
    }

    fn doubt_quantity(
        &self,
        terms: Terms<'_>,
        fact: &Fact,
        slots: &[Place],
        acceptance: &Acceptance,
        tranche: &Tranche,
    ) -> Option<Doubt> {
        let blocks = room(terms, tranche).domain;
        let mut total: i64 = 0;
        let mut domains: BTreeMap<&str, u32> = BTreeMap::new();
        for unit in &acceptance.units {
            let size = match (unit.size, tranche.quantity) {
                (Size::Gpus(size), Quantity::Gpus(_))
                | (Size::Kilowatts(size), Quantity::Kilowatts(_)) => size,
                (Size::Gpus(_), Quantity::Kilowatts(_)) => {
                    let text = format!("expected kw for {}, found gpus", unit.unit);
                    return Some(Doubt::Never(text));
                }
                (Size::Kilowatts(_), Quantity::Gpus(_)) => {
                    let text = format!("expected gpus for {}, found kw", unit.unit);
                    return Some(Doubt::Never(text));
                }
            };
            total = total.saturating_add(size);
            match (&unit.domain, blocks) {
                (None, Some(_)) => {
                    let text = format!(
                        "expected a domain for {}, found none; the contract counts blocks",
                        unit.unit
                    );
                    return Some(Doubt::Never(text));
                }
                (Some(domain), Some(_)) => *domains.entry(domain).or_default() += 1,
                (_, None) => {}
            }
        }
        let standing =
            self.record.tranches.iter().position(|found| found.id == tranche.id);
        let mut crowded = None;
        if let Some(place) = standing {
            let room = room(terms, tranche);
            if self.record.tranches[place].has_replaced || !acceptance.replaces.is_empty()
            {
                let record = &self.record;
                let found =
                    record.succession(place, slots, acceptance, fact.valid_from, room);
                (total, crowded) = (found.most, found.crowded);
                domains.clear();
            } else {
                self.add_standing(place, slots, &mut total, &mut domains);
            }
        }
        if total > tranche.quantity.count() {
            let text = format!(
                "expected at most {} accepted for {}, found {total}",
                tranche.quantity.count(),
                tranche.id
            );
            return Some(Doubt::Never(text));
        }
        let limit = blocks?;
        let (domain, count) = crowded.or_else(|| {
            let mut domains = domains.into_iter();
            let (name, count) = domains.find(|(_, count)| *count > limit)?;
            Some((name.to_owned(), count))
        })?;
        let text = format!("expected at most {limit} units in {domain}, found {count}");
        Some(Doubt::Never(text))
    }

    /// Adds what is accepted in a tranche of which nothing was ever replaced; what is
    /// accepted again is counted once.
    fn add_standing(
        &self,
        tranche: usize,
        slots: &[Place],
        total: &mut i64,
        domains: &mut BTreeMap<&str, u32>,
    ) {
        let standing = &self.record.tranches[tranche];
        *total = total.saturating_add(standing.accepted);
        let counted = |domain: &str| {
            let domain = Place::new(self.record.domain_of.get(domain)?);
            standing.domains.get(&domain)
        };
        for (domain, count) in domains.iter_mut() {
            *count += counted(domain).copied().unwrap_or(0);
        }
        for tenure in slots.iter().filter_map(|slot| {
            let tenures = self.record.slots[slot.get()].tenures.iter();
            let mut tenures = tenures.map(|place| &self.record.tenures[place.get()]);
            tenures.find(|tenure| tenure.tranche == tranche)
        }) {
            *total -= tenure.size;
            if let Some(domain) = tenure.domain
                && let Some(count) =
                    domains.get_mut(self.record.domain_of.name(domain.get()))
            {
                *count -= 1;
            }
        }
    }

    fn doubt_reading(
        &self,
        terms: Terms<'_>,
        fact: &Fact,
        meter: &str,
        wh: i64,
        owner: &MeterOwner,
    ) -> Option<Doubt> {
        if let Some(doubt) = doubt_edge(terms, fact) {
            return Some(doubt);
        }
        if meter != MAIN && wh < 0 {
            let text = format!("expected energy of 0 or more on {meter}, found {wh} Wh");
            return Some(Doubt::Never(text));
        }
        match owner {
            MeterOwner::Site => {}
            MeterOwner::Tranche(name) => {
                if let Some(doubt) = self.doubt_tranche(terms, name) {
                    return Some(doubt);
                }
            }
            MeterOwner::Contract(contract) => {
                if contract == terms.id() && terms.latest().tranches.len() > 1 {
                    let text = format!("expected the tranche of {meter}, found none");
                    return Some(Doubt::Never(text));
                }
            }
        }
        let during = fact.during();
        let key = (during.start, during.end);
        if let Some(others) = self.record.intervals_of.get(meter) {
            let before = others.range(..during.end).next_back();
            if let Some((start, end)) = before
                && *end > during.start
                && (*start, *end) != key
            {
                let text = format!(
                    "expected intervals of {meter} that do not overlap, found one from \
                     {start} to {end} too"
                );
                return Some(Doubt::Never(text));
            }
        }
        let readings = self.record.readings.get(&key)?;
        let subs: i128 = readings
            .iter()
            .filter(|(name, _)| *name != MAIN && *name != meter)
            .map(|(_, reading)| i128::from(reading.wh))
            .sum();
        let (subs, main) = if meter == MAIN {
            (subs, Some(wh))
        } else {
            (subs + i128::from(wh), readings.get(MAIN).map(|reading| reading.wh))
        };
        // Without a sub-meter there is nothing to compare an export with.
        let compared = meter != MAIN || readings.keys().any(|name| name != MAIN);
        let main = main.filter(|_| compared)?;
        (subs > i128::from(main)).then(|| {
            let text = format!(
                "expected sub-meters at most the {main} Wh of the main meter, found {subs} Wh"
            );
            Doubt::Never(text)
        })
    }
}

impl Intake {
    /// Usage of which a part is counted already, by the same source.
    fn doubt_used_twice(
        &self,
        terms: Terms<'_>,
        fact: &Fact,
        name: &TrancheName,
    ) -> Option<Doubt> {
        if name.contract.as_deref().is_some_and(|contract| contract != terms.id()) {
            return None;
        }
        let of_name = |found: &&TrancheRecord| found.id == name.tranche;
        let found = self.record.tranches.iter().find(of_name)?;
        let during = fact.during();
        let twice = found.usage.iter().find(|used| {
            used.source.0 == fact.site
                && used.source.1 == fact.source
                && used.during != during
                && used.during.overlaps(during)
        })?;
        let text = format!(
            "expected usage of {} that is counted once, found part of it in fact {} too; \
             the same interval again takes its place",
            name.tranche, twice.seq
        );
        Some(Doubt::Never(text))
    }
}

/// What a tranche has room for.
pub(super) fn room(terms: Terms<'_>, tranche: &Tranche) -> Room {
    let domain = match terms.latest().sla.as_ref().map(|sla| sla.basis) {
        Some(Basis::Blocks { units, .. }) => Some(units),
        Some(Basis::GpuSeconds) | None => None,
    };
    Room { quantity: tranche.quantity.count(), domain }
}

/// A fact that must have an end and lie in one month.
fn doubt_edge(terms: Terms<'_>, fact: &Fact) -> Option<Doubt> {
    if let Some(doubt) = doubt_end(fact) {
        return Some(doubt);
    }
    let month = terms.zone().month(terms.zone().period(fact.valid_from));
    let end = fact.valid_to?;
    (end > month.end).then(|| {
        let text =
            format!("expected an interval in one month, found it across {}", month.end);
        Doubt::Never(text)
    })
}

fn doubt_end(fact: &Fact) -> Option<Doubt> {
    match fact.valid_to {
        Some(_) => None,
        None => Some(Doubt::Never("expected valid_to, found none".to_owned())),
    }
}

/// An amount must be a whole number of minor units that fits a document.
fn doubt_minor(terms: Terms<'_>, amount: Exact) -> Option<Doubt> {
    let currency = &terms.latest().currency;
    let minor = amount * currency.minor_per_unit();
    let fits = i64::try_from(minor.floor()).is_ok();
    (minor.denominator() != 1 || !fits).then(|| {
        let text = format!(
            "expected an amount with {} digits after the point, found {}",
            currency.places,
            amount.to_text()
        );
        Doubt::Never(text)
    })
}
