//! What reserved and used capacity costs, before anything comes off.

use std::collections::BTreeSet;

use settle::calendar::Period;
use settle::contract::{Contract, Index, PriceUnit, Tranche};
use settle::exact::Exact;
use settle::facts::{Body, Fact};

use super::record::{Record, end, is_ours, quantity, start};
use super::terms::{At, Terms};
use super::timeline::{self, Piece};

/// What a tranche's capacity costs in a month, exact, in minor units.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fees {
    pub(super) capacity: Exact,
    pub(super) shortfall: Exact,
    /// The price of a GPU-second above the reserved quantity.
    pub(super) overage_price: Exact,
    /// GPU-seconds paid for and not used.
    pub(super) unused: Exact,
    /// GPU-seconds used above the reserved quantity.
    pub(super) above: i128,
    pub(super) lacks_price: bool,
    pub(super) lacks_usage: bool,
}

/// An exact number of minor units, rounded as the contract says.
pub(super) fn rounded(contract: &Contract, exact: Exact) -> i64 {
    i64::try_from(exact.rounded(contract.rounding)).expect("an amount in 64 bits")
}

/// Units of the currency in minor units.
pub(super) fn minor(contract: &Contract, exact: Exact) -> Exact {
    exact * Exact::whole(10_i128.pow(u32::from(contract.currency.places)))
}

/// The amount written for an instant: the last step that began, or the first amount.
fn amount_at(terms: &Terms<'_>, tranche: &Tranche, at: At) -> Exact {
    let mut amount = tranche.price.amount;
    for step in &tranche.price.steps {
        if terms.midnight(step.from) <= at {
            amount = step.amount;
        }
    }
    amount
}

/// How much an index multiplies an amount by at an instant; `None` without a value.
fn index_at(record: &Record<'_>, index: &Index, at: At) -> Option<Exact> {
    let mut latest: Option<(&Fact, Exact)> = None;
    for fact in &record.facts {
        let Body::IndexValue { index: name, value } = &fact.body else { continue };
        let holds = *name == index.name && start(fact) <= at && at < end(fact);
        if holds && latest.is_none_or(|(other, _)| start(other) <= start(fact)) {
            latest = Some((fact, *value));
        }
    }
    let mut ratio = latest?.1 / index.base;
    if let Some(floor) = index.floor {
        ratio = ratio.max(floor);
    }
    if let Some(cap) = index.cap {
        ratio = ratio.min(cap);
    }
    Some(Exact::ONE - index.share + index.share * ratio)
}

/// The price at an instant, in units of the currency; `None` when the index has no
/// value.
fn price_at(
    terms: &Terms<'_>,
    record: &Record<'_>,
    tranche: &Tranche,
    at: At,
) -> Option<Exact> {
    let amount = amount_at(terms, tranche, at);
    match &tranche.price.index {
        Some(index) => Some(amount * index_at(record, index, at)?),
        None => Some(amount),
    }
}

/// A stretch of time split at each instant at which the price can change.
fn price_edges(
    terms: &Terms<'_>,
    record: &Record<'_>,
    tranche: &Tranche,
    from: At,
    to: At,
) -> Vec<At> {
    let mut edges = BTreeSet::from([from, to]);
    let mut add = |at: At| {
        if from < at && at < to {
            edges.insert(at);
        }
    };
    tranche.price.steps.iter().for_each(|step| add(terms.midnight(step.from)));
    for fact in &record.facts {
        if matches!(fact.body, Body::IndexValue { .. }) {
            add(start(fact));
            add(end(fact));
        }
    }
    edges.into_iter().collect()
}

/// GPU-seconds used in a month, and whether usage covers `needed` of it. What a
/// source says later of the same interval replaces what it said.
fn used_in(
    terms: &Terms<'_>,
    record: &Record<'_>,
    tranche: &str,
    month: (At, At),
    needed: (At, At),
) -> (Option<i64>, bool) {
    let mut intervals: Vec<(At, At, &str, &str, i64)> = Vec::new();
    for fact in &record.facts {
        let Body::Usage { tranche: name, gpu_seconds } = &fact.body else { continue };
        let is_here = month.0 <= start(fact) && start(fact) < month.1;
        if !is_ours(terms, name) || name.tranche != tranche || !is_here {
            continue;
        }
        let said = (start(fact), end(fact), &*fact.site, &*fact.source);
        intervals
            .retain(|(from, to, site, source, _)| (*from, *to, *site, *source) != said);
        intervals.push((said.0, said.1, said.2, said.3, *gpu_seconds));
    }
    intervals.sort_unstable();
    let mut covered = needed.0;
    for (from, to, ..) in &intervals {
        if *from <= covered {
            covered = covered.max(*to);
        }
    }
    let used = intervals.iter().map(|(.., used)| used).sum();
    ((!intervals.is_empty()).then_some(used), covered >= needed.1)
}

/// The fees of a month: the price of each piece of it times what was reserved in
/// it, shared between what was used and what was not.
pub(super) fn fees(
    terms: &Terms<'_>,
    record: &Record<'_>,
    tranche: &Tranche,
    pieces: &[Vec<Piece>],
    period: Period,
    service: Option<(At, At)>,
) -> Fees {
    let contract = terms.of(period);
    let month = terms.month(period);
    let reserved = i128::from(timeline::count(pieces, month.0, month.1).reserved);
    let mut fees = Fees {
        capacity: Exact::ZERO,
        shortfall: Exact::ZERO,
        overage_price: Exact::ZERO,
        unused: Exact::ZERO,
        above: 0,
        lacks_price: false,
        lacks_usage: false,
    };

    // The mean price, weighted by what was reserved; by time when nothing was.
    let mut weighted = Exact::ZERO;
    let mut weights = 0;
    let edges = price_edges(terms, record, tranche, month.0, month.1);
    for pair in edges.windows(2) {
        let reserved_here = timeline::count(pieces, pair[0], pair[1]).reserved;
        let weight = match reserved {
            0 => i128::from(pair[1] - pair[0]),
            _ => i128::from(reserved_here),
        };
        weights += weight;
        match price_at(terms, record, tranche, pair[0]) {
            Some(price) => weighted += price * Exact::whole(weight),
            None if reserved_here > 0 => fees.lacks_price = true,
            None => {}
        }
    }
    let price = minor(contract, weighted / Exact::whole(weights));

    match tranche.price.unit {
        PriceUnit::MwMonth | PriceUnit::Flat => {
            let full =
                i128::from(quantity(tranche.quantity)) * i128::from(month.1 - month.0);
            fees.capacity = price * Exact::ratio(reserved, full);
        }
        PriceUnit::GpuHour => {
            let share = contract.take_or_pay.share;
            let needed = match service {
                Some((from, to)) => (from.max(month.0), to.min(month.1)),
                None => (month.0, month.0),
            };
            let (found, covers) = used_in(
                terms,
                record,
                &tranche.id,
                month,
                (needed.0, needed.1.max(needed.0)),
            );
            fees.lacks_usage = share < Exact::ONE && !covers;
            let used = match found {
                Some(used) => i128::from(used),
                None if share == Exact::ONE => reserved,
                None => 0,
            };
            let a_second = price / Exact::whole(3_600);
            let least = share * Exact::whole(reserved);
            let unused = (least - Exact::whole(used)).max(Exact::ZERO);
            fees.capacity = a_second * Exact::whole(used.min(reserved));
            fees.shortfall = a_second * unused;
            fees.unused = unused;
            fees.above = (used - reserved).max(0);
            fees.overage_price = match tranche.price.overage {
                Some(overage) => minor(contract, overage) / Exact::whole(3_600),
                None => a_second,
            };
        }
    }
    fees
}

/// What the full quantity costs over so many months of service from an instant, in
/// minor units: by elapsed seconds, or by months. `None` when the index is asked
/// for and has no value; an index that is not asked for stands at its base.
fn full_fee(
    terms: &Terms<'_>,
    contract: &Contract,
    tranche: &Tranche,
    from: At,
    months: i64,
    indexed: Option<&Record<'_>>,
) -> Option<Exact> {
    let nothing =
        Record { facts: Vec::new(), set_aside: Vec::new(), accepted: Default::default() };
    let mut fee = Exact::ZERO;
    for month in 0..months {
        let first = terms.months_after(from, month);
        let next = terms.months_after(from, month + 1);
        let record = indexed.unwrap_or(&nothing);
        for pair in price_edges(terms, record, tranche, first, next).windows(2) {
            let price = match indexed {
                Some(record) => price_at(terms, record, tranche, pair[0])?,
                None => amount_at(terms, tranche, pair[0]),
            };
            let seconds = i128::from(pair[1] - pair[0]);
            fee += price
                * match tranche.price.unit {
                    PriceUnit::GpuHour => {
                        let gpus = i128::from(quantity(tranche.quantity));
                        Exact::ratio(gpus * seconds, 3_600)
                    }
                    PriceUnit::MwMonth | PriceUnit::Flat => {
                        Exact::ratio(seconds, i128::from(next - first))
                    }
                };
        }
    }
    Some(minor(contract, fee))
}

/// The value both parties signed: the price over the whole term from delivery, for
/// the full quantity, an index at its base.
pub(super) fn signed_value(
    terms: &Terms<'_>,
    contract: &Contract,
    tranche: &Tranche,
) -> Exact {
    let delivery = terms.midnight(tranche.delivery);
    full_fee(terms, contract, tranche, delivery, tranche.months, None)
        .expect("a price at its base is known")
}

/// The fee of the full quantity over the first month of service.
pub(super) fn first_month_fee(
    terms: &Terms<'_>,
    record: &Record<'_>,
    contract: &Contract,
    tranche: &Tranche,
    anchor: At,
) -> Option<Exact> {
    full_fee(terms, contract, tranche, anchor, 1, Some(record))
}

/// The most a fee for ending early can be: the reserved fees from then to the
/// natural end, less the share that is saved.
pub(super) fn remaining_fees(
    terms: &Terms<'_>,
    contract: &Contract,
    tranche: &Tranche,
    ended: At,
    natural: At,
) -> Exact {
    let Some(termination) = &contract.termination else { return Exact::ZERO };
    if !termination.fee || natural <= ended {
        return Exact::ZERO;
    }
    let mut fee = Exact::ZERO;
    let mut period = terms.period(ended);
    while terms.month(period).0 < natural {
        let month = terms.month(period);
        let (from, to) = (month.0.max(ended), month.1.min(natural));
        let nothing = Record {
            facts: Vec::new(),
            set_aside: Vec::new(),
            accepted: Default::default(),
        };
        for pair in price_edges(terms, &nothing, tranche, from, to).windows(2) {
            let seconds = i128::from(pair[1] - pair[0]);
            fee += amount_at(terms, tranche, pair[0])
                * match tranche.price.unit {
                    PriceUnit::GpuHour => {
                        let gpus = i128::from(quantity(tranche.quantity));
                        Exact::ratio(gpus * seconds, 3_600) * contract.take_or_pay.share
                    }
                    PriceUnit::MwMonth | PriceUnit::Flat => {
                        Exact::ratio(seconds, i128::from(month.1 - month.0))
                    }
                };
        }
        period = period.next();
    }
    minor(contract, fee) * (Exact::ONE - termination.mitigation)
}
