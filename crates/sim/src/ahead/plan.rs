//! A plan for a horizon: what it breaks, and what it costs.
//!
//! Read straight from the definition of the problem, limit by limit and interval
//! by interval, without regard for speed.

use engine::decide::ahead::{Answer, End, Feeder, Horizon, Ramp};

/// To what a plan keeps its limits, MW and MWh: a watt, a watt-hour.
pub const WITHIN: f64 = 1e-6;

/// The limits that a plan does not keep, each in words.
pub fn broken(horizon: &Horizon, answer: &Answer) -> Vec<String> {
    let mut faults = shapes(horizon, answer);
    if !faults.is_empty() {
        return faults;
    }
    let loads = load_totals(horizon, answer);
    let mut at_most = |what: &str, t: usize, value: f64, limit: f64| {
        if value.is_nan() || value > limit + WITHIN {
            faults.push(format!(
                "interval {t}: {what}: expected at most {limit}, found {value}"
            ));
        }
    };
    for t in 0..horizon.len() {
        let grid = &horizon.grid;
        let exchange = answer.exchange_mw[t];
        at_most("import", t, exchange, grid.import_limit_mw.at(t));
        at_most("export", t, -exchange, grid.export_limit_mw.at(t));
        let drawn = grid.base_mw.at(t) + draw_below(horizon, answer, &loads, t, None);
        at_most("balance, exchange too low", t, drawn, exchange);
        at_most("balance, exchange too high", t, exchange, drawn);
        for (place, feeder) in horizon.feeders.iter().enumerate() {
            let flow = draw_below(horizon, answer, &loads, t, Some(place));
            at_most(&format!("feeder {place}"), t, flow, feeder.limit_mw.at(t));
        }
        let mut segment = 0;
        for (place, load) in horizon.loads.iter().enumerate() {
            for width in &load.segments_mw {
                let drawn = answer.segments_mw[t * horizon.segments() + segment];
                at_most(&format!("segment {segment}"), t, drawn, *width);
                at_most(&format!("segment {segment} below nothing"), t, -drawn, 0.0);
                segment += 1;
            }
            let total = loads[place][t];
            at_most(&format!("ceiling of load {place}"), t, total, load.ceiling_mw.at(t));
            at_most(&format!("floor of load {place}"), t, load.floor_mw.at(t), total);
            let (rise, fall) = moved(&load.ramp, &loads[place], t);
            at_most(&format!("load {place} rising"), t, rise, load.ramp.up_mw);
            at_most(&format!("load {place} falling"), t, fall, load.ramp.down_mw);
        }
        let (rise, fall) = moved(&grid.ramp, &answer.exchange_mw, t);
        at_most("exchange rising", t, rise, grid.ramp.up_mw);
        at_most("exchange falling", t, fall, grid.ramp.down_mw);
        let count = horizon.batteries.len();
        for (place, store) in horizon.batteries.iter().enumerate() {
            let own = |values: &[f64], t: usize| values[t * count + place];
            let (charge, discharge) =
                (own(&answer.charge_mw, t), own(&answer.discharge_mw, t));
            at_most(&format!("store {place} charging"), t, charge, store.charge_mw.at(t));
            at_most(&format!("store {place} charging below nothing"), t, -charge, 0.0);
            let most = store.discharge_mw.at(t);
            at_most(&format!("store {place} discharging"), t, discharge, most);
            at_most(
                &format!("store {place} discharging below nothing"),
                t,
                -discharge,
                0.0,
            );
            let held = own(&answer.stored_mwh, t);
            at_most(&format!("store {place} full"), t, held, store.stored_max_mwh.at(t));
            at_most(&format!("store {place} empty"), t, store.stored_min_mwh.at(t), held);
            let before = match t {
                0 => store.stored_mwh,
                _ => own(&answer.stored_mwh, t - 1),
            };
            let gained = horizon.hours
                * (store.charge_efficiency * charge
                    - discharge / store.discharge_efficiency);
            at_most(&format!("store {place} holds too much"), t, held, before + gained);
            at_most(&format!("store {place} holds too little"), t, before + gained, held);
            if let (End::At(mwh), true) = (&store.end, t + 1 == horizon.len()) {
                at_most(&format!("store {place} ends too full"), t, held, *mwh);
                at_most(&format!("store {place} ends too empty"), t, *mwh, held);
            }
        }
    }
    for (place, peak) in horizon.grid.peaks.iter().enumerate() {
        let highest = highest(&answer.exchange_mw[peak.from..peak.to]);
        let said = answer.peaks_mw[place];
        if peak.from < peak.to
            && (highest.max(peak.already_mw) - said.max(peak.already_mw)).abs() > WITHIN
        {
            faults.push(format!("peak {place}: expected {highest}, found {said}"));
        }
    }
    faults
}

/// What a plan costs, USD, worked out from what it draws; and the sum of what was
/// added and taken away, without signs.
pub fn cost_usd(horizon: &Horizon, answer: &Answer) -> (f64, f64) {
    let (mut total, mut gross) = (0.0, 0.0);
    let mut add = |usd: f64| {
        total += usd;
        gross += usd.abs();
    };
    for t in 0..horizon.len() {
        add(horizon.hours * exchange_usd_per_hour(horizon, t, answer.exchange_mw[t]));
        for segment in 0..horizon.segments() {
            let at = t * horizon.segments() + segment;
            add(-horizon.hours * horizon.worth_usd_per_mwh[at] * answer.segments_mw[at]);
        }
        for (place, store) in horizon.batteries.iter().enumerate() {
            let discharge = answer.discharge_mw[t * horizon.batteries.len() + place];
            add(horizon.hours * store.wear_usd_per_mwh * discharge);
        }
    }
    for peak in &horizon.grid.peaks {
        let above = highest(&answer.exchange_mw[peak.from..peak.to]) - peak.already_mw;
        add(peak.usd_per_mw * above.max(0.0));
    }
    for (place, store) in horizon.batteries.iter().enumerate() {
        let last = horizon.len().checked_sub(1);
        let held = last.map_or(store.stored_mwh, |last| {
            answer.stored_mwh[last * horizon.batteries.len() + place]
        });
        add(-end_worth_usd(&store.end, held));
    }
    (total, gross)
}

/// What an exchange costs in an interval, USD an hour: blocks first, the one
/// that fetches least before the others, then the price of a MWh drawn or sent
/// back.
pub fn exchange_usd_per_hour(horizon: &Horizon, t: usize, exchange_mw: f64) -> f64 {
    let grid = &horizon.grid;
    let import = grid.import_usd_per_mwh[t];
    if exchange_mw < 0.0 {
        return grid.export_usd_per_mwh.as_ref().map_or(import, |pays| pays[t])
            * exchange_mw;
    }
    let (mut left, mut usd) = (exchange_mw, 0.0);
    for (resale, mw) in blocks_of(horizon, t) {
        let drawn = left.min(mw);
        usd += resale * drawn;
        left -= drawn;
    }
    usd + import * left
}

/// The blocks of an interval, USD/MWh and MW, the one that fetches least first.
pub(super) fn blocks_of(horizon: &Horizon, t: usize) -> Vec<(f64, f64)> {
    let blocks =
        horizon.grid.blocks.iter().filter(|block| (block.from..block.to).contains(&t));
    let mut blocks: Vec<(f64, f64)> =
        blocks.map(|block| (block.resale_usd_per_mwh.at(t), block.mw)).collect();
    blocks.sort_by(|one, other| one.0.total_cmp(&other.0));
    blocks
}

/// What energy held at the end is worth, USD.
pub(super) fn end_worth_usd(end: &End, held_mwh: f64) -> f64 {
    let End::Worth(parts) = end else { return 0.0 };
    let (mut left, mut usd) = (held_mwh, 0.0);
    for (mwh, usd_per_mwh) in parts {
        let part = left.min(*mwh);
        usd += part * usd_per_mwh;
        left -= part;
    }
    usd
}

/// Whether what hangs at `at` is below the circuit `above`.
pub(super) fn is_below(feeders: &[Feeder], mut at: Option<usize>, above: usize) -> bool {
    while let Some(place) = at {
        if place == above {
            return true;
        }
        at = feeders[place].parent;
    }
    false
}

/// What each load draws, MW: load by load.
fn load_totals(horizon: &Horizon, answer: &Answer) -> Vec<Vec<f64>> {
    let mut first = 0;
    let totals = horizon.loads.iter().map(|load| {
        let own = first..first + load.segments_mw.len();
        first = own.end;
        let total = |t: usize| {
            let row = t * horizon.segments();
            answer.segments_mw[row + own.start..row + own.end].iter().sum()
        };
        (0..horizon.len()).map(total).collect()
    });
    totals.collect()
}

/// What flows towards everything below a circuit, MW; `None` is the
/// interconnection.
fn draw_below(
    horizon: &Horizon,
    answer: &Answer,
    loads: &[Vec<f64>],
    t: usize,
    above: Option<usize>,
) -> f64 {
    let counts = |at| above.is_none_or(|above| is_below(&horizon.feeders, at, above));
    let drawn = horizon.loads.iter().zip(loads).filter(|(load, _)| counts(load.feeder));
    let drawn: f64 = drawn.map(|(_, total)| total[t]).sum();
    let stores = horizon.batteries.iter().enumerate();
    let stored = stores.filter(|(_, store)| counts(store.feeder)).map(|(place, _)| {
        let at = t * horizon.batteries.len() + place;
        answer.charge_mw[at] - answer.discharge_mw[at]
    });
    drawn + stored.sum::<f64>()
}

/// How far a power rose and fell into an interval, MW.
fn moved(ramp: &Ramp, powers: &[f64], t: usize) -> (f64, f64) {
    let before = match t {
        0 => ramp.before_mw,
        _ => Some(powers[t - 1]),
    };
    before.map_or((0.0, 0.0), |before| (powers[t] - before, before - powers[t]))
}

fn highest(powers: &[f64]) -> f64 {
    powers.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

/// Arrays that are not as long as they should be.
fn shapes(horizon: &Horizon, answer: &Answer) -> Vec<String> {
    let (n, stores) = (horizon.len(), horizon.batteries.len());
    let lengths = [
        ("segments_mw", &answer.segments_mw, n * horizon.segments()),
        ("exchange_mw", &answer.exchange_mw, n),
        ("charge_mw", &answer.charge_mw, n * stores),
        ("discharge_mw", &answer.discharge_mw, n * stores),
        ("stored_mwh", &answer.stored_mwh, n * stores),
        ("peaks_mw", &answer.peaks_mw, horizon.grid.peaks.len()),
    ];
    let wrong =
        lengths.into_iter().filter(|(_, found, expected)| found.len() != *expected);
    wrong
        .map(|(name, found, expected)| {
            format!("{name}: expected {expected} figures, found {}", found.len())
        })
        .collect()
}
