//! What a tranche's power costs: its meters, its part of the losses, and the price
//! until the bill comes.

use std::collections::{BTreeMap, BTreeSet};

use settle::calendar::Period;
use settle::contract::{Contract, PowerMode};
use settle::exact::Exact;
use settle::facts::{Body, MeterOwner};

use super::fees::{minor, rounded};
use super::record::{Record, end, is_ours, start};
use super::terms::{At, Terms};

/// The energy of one metering interval, by sub-meter with its part of the losses.
struct Metered {
    from: At,
    to: At,
    main: i64,
    subs: BTreeMap<String, i64>,
}

/// What a month's power costs a tranche, in minor units.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PowerFee {
    pub(super) amount: i64,
    pub(super) lacks_price: bool,
}

/// Splits a whole into parts in proportion to `weights`: each gets what it has in
/// full, and what is left goes to the largest remainders, one each.
pub(super) fn largest_remainder(
    whole: i64,
    weights: &BTreeMap<String, i64>,
) -> BTreeMap<String, i64> {
    let sum: i128 = weights.values().map(|weight| i128::from(*weight)).sum();
    if sum == 0 {
        return weights.keys().map(|name| (name.clone(), 0)).collect();
    }
    let mut parts: BTreeMap<String, i64> = BTreeMap::new();
    let mut remainders: Vec<(i128, &String)> = Vec::new();
    for (name, weight) in weights {
        let product = i128::from(whole) * i128::from(*weight);
        let part = i64::try_from(product.div_euclid(sum)).expect("a part of a whole");
        parts.insert(name.clone(), part);
        remainders.push((product.rem_euclid(sum), name));
    }
    remainders.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    let mut left = whole - parts.values().sum::<i64>();
    for (_, name) in remainders {
        if left > 0 {
            *parts.get_mut(name).expect("named above") += 1;
            left -= 1;
        }
    }
    parts
}

/// The latest known reading of each meter, interval by interval of the main meter.
fn metered(record: &Record<'_>, from: At, to: At) -> Vec<Metered> {
    let mut intervals: BTreeMap<(At, At), BTreeMap<String, i64>> = BTreeMap::new();
    for fact in &record.facts {
        if let Body::MeterInterval { meter, wh, .. } = &fact.body
            && from <= start(fact)
            && start(fact) < to
        {
            let meters = intervals.entry((start(fact), end(fact))).or_default();
            meters.insert(meter.clone(), *wh);
        }
    }
    let mut all = Vec::new();
    for ((from, to), mut meters) in intervals {
        let Some(main) = meters.remove("main") else { continue };
        let losses = main - meters.values().sum::<i64>();
        let shares = largest_remainder(losses, &meters);
        let subs = meters
            .into_iter()
            .map(|(meter, wh)| {
                let with_losses = wh + shares[&meter];
                (meter, with_losses)
            })
            .collect();
        all.push(Metered { from, to, main, subs });
    }
    all
}

/// The sub-meters of a tranche.
fn own_meters(terms: &Terms<'_>, record: &Record<'_>, tranche: &str) -> BTreeSet<String> {
    let mut own = BTreeSet::new();
    for fact in &record.facts {
        if let Body::MeterInterval { meter, owner: MeterOwner::Tranche(name), .. } =
            &fact.body
            && is_ours(terms, name)
            && name.tranche == tranche
        {
            own.insert(meter.clone());
        }
    }
    own
}

/// The mean price of an index over an interval, by time; `None` when part of it has
/// none.
fn mean_price(record: &Record<'_>, index: &str, from: At, to: At) -> Option<Exact> {
    let mut edges = BTreeSet::from([from, to]);
    for fact in &record.facts {
        if let Body::EnergyPrice { index: name, .. } = &fact.body
            && name == index
        {
            edges.extend(
                [start(fact), end(fact)].into_iter().filter(|at| from < *at && *at < to),
            );
        }
    }
    let edges: Vec<At> = edges.into_iter().collect();
    let mut sum = Exact::ZERO;
    for pair in edges.windows(2) {
        let mut latest = None;
        for fact in &record.facts {
            if let Body::EnergyPrice { index: name, per_mwh } = &fact.body
                && name == index
                && start(fact) <= pair[0]
                && pair[0] < end(fact)
            {
                latest = Some(*per_mwh);
            }
        }
        sum += latest? * Exact::whole((pair[1] - pair[0]).into());
    }
    Some(sum / Exact::whole((to - from).into()))
}

/// The cost of a month's energy at its estimate or its index.
fn priced(
    contract: &Contract,
    record: &Record<'_>,
    own: &BTreeSet<String>,
    metered: &[Metered],
) -> PowerFee {
    let mut cost = Exact::ZERO;
    let mut lacks_price = false;
    for interval in metered {
        let wh: i64 = own.iter().filter_map(|meter| interval.subs.get(meter)).sum();
        if wh == 0 {
            continue;
        }
        let index = contract.power.index.as_ref();
        let price = match (index, contract.power.estimate_per_mwh) {
            (Some(index), _) => mean_price(record, index, interval.from, interval.to),
            (None, estimate) => estimate,
        };
        let adder = match contract.power.mode {
            PowerMode::Index => contract.power.adder_per_mwh,
            PowerMode::PassThrough | PowerMode::Included => Exact::ZERO,
        };
        match price {
            Some(price) => cost += (price + adder) * Exact::ratio(wh.into(), 1_000_000),
            None => lacks_price = true,
        }
    }
    PowerFee { amount: rounded(contract, minor(contract, cost)), lacks_price }
}

/// The latest known bill of each number, with its interval and exact amount.
fn bills(record: &Record<'_>) -> Vec<(At, At, Exact)> {
    let mut bills: BTreeMap<&str, (At, At, Exact)> = BTreeMap::new();
    for fact in &record.facts {
        if let Body::UtilityBill { amount, number } = &fact.body {
            bills.insert(number, (start(fact), end(fact), *amount));
        }
    }
    bills.into_values().collect()
}

/// What the utility billed for a month, in minor units; `None` until its bills
/// cover the month. A bill that straddles is split by energy.
fn billed(
    contract: &Contract,
    record: &Record<'_>,
    metered_here: &[Metered],
    month: (At, At),
) -> Option<i64> {
    let mut bills = bills(record);
    bills.retain(|(from, to, _)| *from < month.1 && month.0 < *to);
    bills.sort_unstable_by_key(|(from, to, _)| (*from, *to));
    let mut covered = month.0;
    for (from, to, _) in &bills {
        if *from <= covered {
            covered = covered.max(*to);
        }
    }
    if covered < month.1 {
        return None;
    }
    let mut sum = Exact::ZERO;
    for (from, to, amount) in bills {
        let all: i64 =
            metered(record, from, to).iter().map(|interval| interval.main).sum();
        let here: i64 = metered_here
            .iter()
            .filter(|interval| from <= interval.from && interval.from < to)
            .map(|interval| interval.main)
            .sum();
        if from >= month.0 && to <= month.1 {
            sum += amount;
        } else if all != 0 {
            sum += amount * Exact::ratio(here.into(), all.into());
        }
    }
    Some(rounded(contract, minor(contract, sum)))
}

/// What a month's power costs a tranche.
pub(super) fn power(
    terms: &Terms<'_>,
    record: &Record<'_>,
    tranche: &str,
    period: Period,
) -> PowerFee {
    let contract = terms.of(period);
    let month = terms.month(period);
    let metered = metered(record, month.0, month.1);
    let own = own_meters(terms, record, tranche);
    match contract.power.mode {
        PowerMode::Included => PowerFee::default(),
        PowerMode::Index => priced(contract, record, &own, &metered),
        PowerMode::PassThrough => {
            let billed = match contract.power.true_up {
                true => billed(contract, record, &metered, month),
                false => None,
            };
            let Some(billed) = billed else {
                return priced(contract, record, &own, &metered);
            };
            let mut energy: BTreeMap<String, i64> = BTreeMap::new();
            for (meter, wh) in metered.iter().flat_map(|interval| &interval.subs) {
                *energy.entry(meter.clone()).or_default() += wh;
            }
            let parts = largest_remainder(billed, &energy);
            let amount = own.iter().filter_map(|meter| parts.get(meter)).sum();
            PowerFee { amount, lacks_price: false }
        }
    }
}
