//! Power that is passed through: losses allocated, estimated, then billed.

use crate::contract::{Contract, Power, PowerMode};
use crate::exact::{Exact, Rounding};
use crate::facts::MeterOwner;
use crate::facts::record::{From, MAIN, Reading, Record};
use crate::timeline::Months;
use std::collections::{BTreeMap, BTreeSet};
use units::{Interval, Timestamp};

/// Places of a price kept as a whole number; written prices have at most these.
const PRICE_PLACES: i128 = 1_000_000_000_000;
const WH_PER_MWH: i128 = 1_000_000;

/// What a tranche's power came to in a month.
#[derive(Clone, Debug, Default)]
pub(crate) struct PowerMonth {
    /// Its own energy and its part of the losses.
    pub(crate) wh: i64,
    /// The estimate, or the index price, in units of the currency.
    pub(crate) estimate: Exact,
    /// Its part of the utility's bills in minor units, once they cover the month.
    pub(crate) billed: Option<i64>,
    /// Whether a price is missing for part of the month.
    pub(crate) missing: bool,
    pub(crate) facts: BTreeSet<u64>,
}

/// The whole site's energy in a month.
#[derive(Clone, Debug, Default)]
struct SiteMonth {
    main_wh: i64,
    /// Allocated energy by sub-meter.
    meters: BTreeMap<String, (MeterOwner, i64)>,
}

/// Splits `total` in proportion to `weights` by largest remainder: whole parts
/// that sum to the total; of equal remainders the first takes the unit.
pub(crate) fn largest_remainder(total: i128, weights: &[i128]) -> Vec<i128> {
    let sum: i128 = weights.iter().sum();
    if sum <= 0 {
        return vec![0; weights.len()];
    }
    let product = |weight: &i128| {
        total.checked_mul(*weight).expect("an allocation fits in 128 bits")
    };
    let mut parts: Vec<i128> =
        weights.iter().map(|weight| product(weight).div_euclid(sum)).collect();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|place| (-product(&weights[*place]).rem_euclid(sum), *place));
    let left = total - parts.iter().sum::<i128>();
    for place in order.into_iter().take(usize::try_from(left).expect("fewer than parts"))
    {
        parts[place] += 1;
    }
    parts
}

/// The tranche a meter's energy belongs to.
fn tranche_of<'o>(owner: &'o MeterOwner, contract: &'o Contract) -> Option<&'o str> {
    match owner {
        MeterOwner::Site => None,
        MeterOwner::Tranche(name) => {
            let ours = name.contract.as_deref().is_none_or(|id| id == contract.id);
            ours.then_some(name.tranche.as_str())
        }
        // A contract with one tranche needs no more than its own name.
        MeterOwner::Contract(id) if *id == contract.id => {
            contract.tranches.first().map(|tranche| tranche.id.as_str())
        }
        MeterOwner::Contract(_) => None,
    }
}

/// Each tranche's power by month.
pub(crate) fn months<'c>(
    record: &Record,
    months: &Months,
    contract_of: impl Fn(usize) -> &'c Contract,
) -> BTreeMap<String, BTreeMap<usize, PowerMonth>> {
    let mut found: BTreeMap<String, BTreeMap<usize, PowerMonth>> = BTreeMap::new();
    let mut site: BTreeMap<usize, SiteMonth> = BTreeMap::new();
    let mut prices: BTreeMap<&str, Vec<(Interval, From<Exact>)>> = BTreeMap::new();
    for ((start, end), readings) in &record.readings {
        let during = Interval { start: *start, end: *end };
        if !months.covers(during) {
            continue;
        }
        let place = months.place(*start);
        let contract = contract_of(place);
        let power = &contract.power;
        let resolved = match &power.index {
            Some(index) => prices
                .entry(index)
                .or_insert_with(|| resolve(record.prices.get(index).map_or(&[], |p| p))),
            None => &mut Vec::new(),
        };
        let price = price_over(power, resolved, during);
        let month = site.entry(place).or_default();
        let main = readings.get(MAIN);
        month.main_wh += main.map_or(0, |main| main.wh);
        for (name, reading, wh) in allocated(readings) {
            let entry = month.meters.entry(name.to_owned());
            let entry = entry.or_insert_with(|| (reading.owner.clone(), 0));
            entry.1 += wh;
            let Some(tranche) = tranche_of(&reading.owner, contract) else { continue };
            if power.mode == PowerMode::Included || contract.tranche(tranche).is_none() {
                continue;
            }
            let row = found.entry(tranche.to_owned()).or_default();
            let row = row.entry(place).or_default();
            row.wh += wh;
            row.facts.insert(reading.seq);
            row.facts.extend(main.map(|main| main.seq));
            match &price {
                Some((cost, seqs)) => {
                    row.estimate += *cost * Exact::ratio(wh.into(), WH_PER_MWH);
                    row.facts.extend(seqs);
                }
                None => row.missing |= wh != 0,
            }
        }
    }
    bill(record, months, &site, &contract_of, &mut found);
    found
}

/// Each sub-meter's energy with its part of the interval's losses.
fn allocated(readings: &BTreeMap<String, Reading>) -> Vec<(&str, &Reading, i64)> {
    let subs: Vec<(&String, &Reading)> =
        readings.iter().filter(|(name, _)| *name != MAIN).collect();
    let weights: Vec<i128> =
        subs.iter().map(|(_, reading)| i128::from(reading.wh.max(0))).collect();
    let own: i128 = subs.iter().map(|(_, reading)| i128::from(reading.wh)).sum();
    // Without a reading of the main meter the losses are not known.
    let losses = readings.get(MAIN).map_or(0, |main| i128::from(main.wh) - own);
    let parts = largest_remainder(losses, &weights);
    subs.into_iter()
        .zip(parts)
        .map(|((name, reading), part)| {
            let wh = i128::from(reading.wh) + part;
            let wh = i64::try_from(wh).expect("a meter's energy fits 64 bits");
            (name.as_str(), reading, wh)
        })
        .collect()
}

/// Prices over time without overlaps: of those that cover an instant, the
/// latest known.
fn resolve(prices: &[From<(Interval, Exact)>]) -> Vec<(Interval, From<Exact>)> {
    let mut sorted: Vec<&From<(Interval, Exact)>> = prices.iter().collect();
    sorted.sort_by_key(|price| price.value.0.start);
    let mut edges: Vec<Timestamp> = sorted
        .iter()
        .flat_map(|price| [price.value.0.start, price.value.0.end])
        .collect();
    edges.sort_unstable();
    edges.dedup();
    let mut next = 0;
    let mut covering: BTreeMap<u64, &From<(Interval, Exact)>> = BTreeMap::new();
    let mut resolved = Vec::with_capacity(edges.len());
    for pair in edges.windows(2) {
        while let Some(price) = sorted.get(next)
            && price.value.0.start <= pair[0]
        {
            covering.insert(price.seq, price);
            next += 1;
        }
        while let Some((seq, price)) = covering.last_key_value()
            && price.value.0.end <= pair[0]
        {
            let seq = *seq;
            covering.remove(&seq);
        }
        if let Some(price) = covering.last_key_value() {
            let during = Interval { start: pair[0], end: pair[1] };
            let value = From { value: price.1.value.1, seq: price.1.seq };
            resolved.push((during, value));
        }
    }
    resolved
}

/// The price per MWh over an interval, weighted by time, with the facts it is
/// from; `None` where part of the interval has none.
fn price_over(
    power: &Power,
    resolved: &[(Interval, From<Exact>)],
    during: Interval,
) -> Option<(Exact, Vec<u64>)> {
    if power.mode != PowerMode::Index
        && let Some(fixed) = power.estimate_per_mwh
    {
        return Some((fixed, Vec::new()));
    }
    let adder = match power.mode {
        PowerMode::Index => power.adder_per_mwh,
        PowerMode::PassThrough | PowerMode::Included => Exact::ZERO,
    };
    let first = resolved.partition_point(|(span, _)| span.end <= during.start);
    let mut seqs = Vec::new();
    let mut weighted = 0_i128;
    let mut covered = 0_i128;
    for (span, price) in &resolved[first..] {
        if span.start >= during.end {
            break;
        }
        let start = span.start.max(during.start);
        let seconds = i128::from((span.end.min(during.end) - start).as_seconds());
        let places = price.value * Exact::whole(PRICE_PLACES);
        weighted += places.floor() * seconds;
        covered += seconds;
        seqs.push(price.seq);
    }
    let length = i128::from(during.duration().as_seconds());
    (covered == length).then(|| {
        let mean = Exact::ratio(weighted, length) * Exact::ratio(1, PRICE_PLACES);
        (mean + adder, seqs)
    })
}

/// Replaces estimates where the utility's bills cover the whole month.
fn bill<'c>(
    record: &Record,
    months: &Months,
    site: &BTreeMap<usize, SiteMonth>,
    contract_of: &impl Fn(usize) -> &'c Contract,
    found: &mut BTreeMap<String, BTreeMap<usize, PowerMonth>>,
) {
    let mut totals: BTreeMap<usize, (i128, Vec<Interval>, Vec<u64>)> = BTreeMap::new();
    for bill in record.bills.values() {
        if !months.covers(bill.during) {
            continue;
        }
        let first = months.place(bill.during.start);
        let last = months.place(bill.during.end + units::Seconds::from_seconds(-1));
        let places: Vec<usize> = (first..=last).collect();
        let energy = |place: &usize| -> i128 {
            let month = months.month(*place);
            let start = month.start.max(bill.during.start);
            let end = month.end.min(bill.during.end);
            let readings = record.readings.range((start, start)..(end, end));
            let main = readings.filter_map(|(_, readings)| readings.get(MAIN));
            main.map(|main| i128::from(main.wh.max(0))).sum()
        };
        let mut weights: Vec<i128> = places.iter().map(energy).collect();
        if weights.iter().sum::<i128>() == 0 {
            // Nothing was metered: by time, so that the bill is not lost.
            weights = places
                .iter()
                .map(|place| {
                    let month = months.month(*place);
                    let start = month.start.max(bill.during.start);
                    i128::from((month.end.min(bill.during.end) - start).as_seconds())
                })
                .collect();
        }
        let minor_per_unit = contract_of(first).currency.minor_per_unit();
        let minor = (bill.amount * minor_per_unit).rounded(Rounding::HalfUp);
        for (place, part) in places.iter().zip(largest_remainder(minor, &weights)) {
            let entry = totals.entry(*place).or_default();
            entry.0 += part;
            entry.1.push(bill.during);
            entry.2.push(bill.seq);
        }
    }
    for (place, (minor, mut spans, seqs)) in totals {
        let contract = contract_of(place);
        let passed = contract.power.mode == PowerMode::PassThrough;
        let Some(energy) = site.get(&place) else { continue };
        spans.sort_unstable_by_key(|span| span.start);
        let month = months.month(place);
        let mut covered = month.start;
        for span in spans {
            if span.start <= covered {
                covered = covered.max(span.end);
            }
        }
        if !passed || !contract.power.true_up || covered < month.end {
            continue;
        }
        // What no sub-meter was given is the site's own.
        let mut weights: Vec<i128> =
            energy.meters.values().map(|(_, wh)| i128::from((*wh).max(0))).collect();
        let given: i128 = weights.iter().sum();
        weights.push((i128::from(energy.main_wh) - given).max(0));
        let parts = largest_remainder(minor, &weights);
        for ((owner, _), part) in energy.meters.values().zip(parts) {
            let tranche = tranche_of(owner, contract);
            let row = tranche
                .and_then(|tranche| found.get_mut(tranche))
                .and_then(|rows| rows.get_mut(&place));
            if let Some(row) = row {
                let part = i64::try_from(part).expect("a bill fits 64 bits");
                *row.billed.get_or_insert(0) += part;
                row.facts.extend(&seqs);
            }
        }
    }
}
