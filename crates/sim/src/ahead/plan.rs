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

#[cfg(test)]
mod tests {
    use engine::decide::ahead::{Block, Dated, Demand, Grid, Peak, Store};

    use super::*;
    use crate::ahead::bound::{Limits, bound};
    use crate::seed;
    use engine::decide::ahead::{Prices, RampPrice};

    /// Two hours of everything, small enough to work out by hand.
    fn horizon() -> Horizon {
        let always = Dated::Always;
        Horizon {
            hours: 1.0,
            grid: Grid {
                import_usd_per_mwh: vec![20.0, 60.0],
                export_usd_per_mwh: Some(vec![10.0, 50.0]),
                import_limit_mw: Dated::Each(vec![14.0, 15.0]),
                export_limit_mw: always(5.0),
                base_mw: always(1.0),
                ramp: Ramp { up_mw: 5.0, down_mw: 7.0, before_mw: Some(8.0) },
                blocks: vec![Block {
                    from: 0,
                    to: 2,
                    mw: 4.0,
                    resale_usd_per_mwh: Dated::Each(vec![15.0, 55.0]),
                }],
                peaks: vec![Peak { from: 0, to: 2, usd_per_mw: 3.0, already_mw: 11.0 }],
            },
            feeders: vec![
                Feeder { parent: None, limit_mw: always(12.5) },
                Feeder { parent: Some(0), limit_mw: always(12.0) },
            ],
            loads: vec![Demand {
                feeder: Some(1),
                segments_mw: vec![8.0, 4.0],
                floor_mw: always(7.0),
                ceiling_mw: always(9.0),
                ramp: Ramp { up_mw: 4.0, down_mw: 0.5, before_mw: Some(4.0) },
            }],
            worth_usd_per_mwh: vec![70.0, 40.0, 70.0, 40.0],
            batteries: vec![Store {
                feeder: Some(0),
                charge_mw: always(6.0),
                discharge_mw: always(5.0),
                stored_min_mwh: always(1.0),
                stored_max_mwh: always(8.0),
                charge_efficiency: 1.0,
                discharge_efficiency: 0.8,
                wear_usd_per_mwh: 2.0,
                stored_mwh: 3.0,
                end: End::Worth(vec![(4.0, 25.0), (4.0, 5.0)]),
            }],
        }
    }

    /// Eight MW of load, four of charge; then three of discharge.
    fn answer() -> Answer {
        Answer {
            segments_mw: vec![8.0, 0.0, 8.0, 0.0],
            exchange_mw: vec![13.0, 6.0],
            charge_mw: vec![4.0, 0.0],
            discharge_mw: vec![0.0, 3.0],
            stored_mwh: vec![7.0, 3.25],
            peaks_mw: vec![13.0],
            ..Answer::default()
        }
    }

    #[test]
    fn a_plan_costs_what_it_comes_to_by_hand() {
        // 4 at 15 and 9 at 20; 4 at 55 and 2 at 60; 16 worth 70; 3 worn at 2; 2
        // above the peak at 3; 3.25 held at 25.
        let expected = 240.0 + 340.0 - 1_120.0 + 6.0 + 6.0 - 81.25;
        assert_eq!(broken(&horizon(), &answer()), Vec::<String>::new());
        assert_eq!(cost_usd(&horizon(), &answer()).0, expected);
        // What is sent back earns the price of that.
        assert_eq!(exchange_usd_per_hour(&horizon(), 1, -2.0), -100.0);
    }

    #[test]
    fn every_limit_is_looked_at() {
        type Change = fn(&mut Horizon, &mut Answer);
        let cases: &[(&str, Change)] = &[
            ("0: import:", |h, _| h.grid.import_limit_mw = Dated::Always(12.0)),
            ("1: export:", |h, _| h.grid.export_limit_mw = Dated::Always(-7.0)),
            ("0: balance, exchange too low", |h, _| h.grid.base_mw = Dated::Always(1.1)),
            ("0: balance, exchange too high", |h, _| h.grid.base_mw = Dated::Always(0.9)),
            ("0: feeder 0", |h, _| h.feeders[0].limit_mw = Dated::Always(11.0)),
            ("1: feeder 1", |h, _| h.feeders[1].limit_mw = Dated::Each(vec![9.0, 7.0])),
            ("0: segment 0:", |h, _| h.loads[0].segments_mw[0] = 7.0),
            ("0: segment 1 below", |_, a| a.segments_mw = vec![9.0, -1.0, 8.0, 0.0]),
            ("0: ceiling of load 0", |h, _| h.loads[0].ceiling_mw = Dated::Always(7.5)),
            ("1: floor of load 0", |h, _| h.loads[0].floor_mw = Dated::Always(8.5)),
            ("0: load 0 rising", |h, _| h.loads[0].ramp.up_mw = 3.0),
            ("0: load 0 falling", |h, _| h.loads[0].ramp.before_mw = Some(9.0)),
            ("0: exchange rising", |h, _| h.grid.ramp.up_mw = 4.0),
            ("1: exchange falling", |h, _| h.grid.ramp.down_mw = 6.0),
            ("0: store 0 charging:", |h, _| {
                h.batteries[0].charge_mw = Dated::Always(3.0)
            }),
            ("1: store 0 discharging:", |h, _| {
                h.batteries[0].discharge_mw = Dated::Always(2.0);
            }),
            ("1: store 0 charging below", |_, a| a.charge_mw[1] = -1.0),
            ("0: store 0 discharging below", |_, a| a.discharge_mw[0] = -1.0),
            ("0: store 0 full", |h, _| {
                h.batteries[0].stored_max_mwh = Dated::Always(6.0)
            }),
            ("1: store 0 empty", |h, _| {
                h.batteries[0].stored_min_mwh = Dated::Always(4.0)
            }),
            ("0: store 0 holds too much", |h, _| h.batteries[0].stored_mwh = 2.0),
            ("1: store 0 holds too little", |_, a| a.stored_mwh[1] = 3.0),
            ("1: store 0 ends too full", |h, _| h.batteries[0].end = End::At(3.0)),
            ("1: store 0 ends too empty", |h, _| h.batteries[0].end = End::At(3.5)),
            ("peak 0", |_, a| a.peaks_mw[0] = 12.0),
            ("exchange_mw: expected 2", |_, a| a.exchange_mw.push(0.0)),
            ("1: import", |_, a| a.exchange_mw[1] = f64::NAN),
        ];
        for (expected, change) in cases {
            let (mut horizon, mut answer) = (horizon(), answer());
            change(&mut horizon, &mut answer);
            let broken = broken(&horizon, &answer);
            assert!(
                broken.iter().any(|fault| fault.contains(expected)),
                "expected {expected}, found {broken:?}"
            );
        }
    }

    #[test]
    fn no_prices_put_the_bound_above_a_plan_within_all_limits() {
        let (horizon, mut draw) = (horizon(), seed::generator(1, "prices"));
        let cost = cost_usd(&horizon, &answer()).0;
        let mut best = f64::NEG_INFINITY;
        for _ in 0..20_000 {
            let mut usd = |from: f64, to: f64| from + (to - from) * draw.unit();
            let worth = usd(20.0, 60.0);
            let prices = Prices {
                power_usd_per_mwh: vec![worth, usd(20.0, 80.0)],
                import_usd_per_mwh: vec![0.0; 2],
                peak_usd_per_mwh: vec![0.0; 2],
                export_usd_per_mwh: vec![0.0; 2],
                feeders_usd_per_mwh: vec![usd(0.0, 9.0), usd(0.0, 9.0), 0.0, 0.0],
                stored_usd_per_mwh: vec![worth, worth + usd(-5.0, 5.0)],
                store_room_usd_per_mwh: vec![0.0; 2],
                ramps: vec![
                    RampPrice { t: 0, load: Some(0), usd_per_mw: usd(-9.0, 9.0) },
                    RampPrice { t: 1, load: None, usd_per_mw: usd(-9.0, 9.0) },
                ],
            };
            let bound = bound(&horizon, &prices, Limits::Kept).expect("a bound");
            assert!(bound <= cost + 1e-9, "{bound} above {cost}: {prices:?}");
            best = best.max(bound);
        }
        // It is not below everything either.
        assert!(best > cost - 150.0, "{best}, {cost}");
    }
}
