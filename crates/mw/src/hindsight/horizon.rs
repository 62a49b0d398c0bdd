//! A whole run as one horizon, its optimum, and what each limit was worth in it.
//!
//! Floats begin and end here: exact figures go in, and the answer is snapped to
//! millionths of a dollar.
//!
//! What the run did is among what the horizon allows, so that its optimum is no
//! less: where a ramp, a limit or an overhead let the run draw more than is stated,
//! the limit of that interval is what the run drew.

use engine::decide::ahead::{
    Answer, Dated, Demand, End, Feeder, Grid, Horizon, Ramp, Solver, Store, exact,
};
use engine::site::{Battery, FeederIx, LoadIx, LoadKind};
use units::{Energy, EnergyPrice, Interval, Money, Power, Seconds};

use super::past::Past;
use super::{Bounding, LimitWorth, Shadow};

/// A watt in MW: what the run drew stays within a limit that is no more than it.
const WATT: f64 = 1e-6;

/// The optimum of a run.
pub(super) struct Optimum {
    pub(super) value: Money,
    pub(super) limits: Vec<LimitWorth>,
    pub(super) shadow: Vec<Shadow>,
}

/// The optimum of a run.
///
/// # Errors
///
/// The limits that contradict each other, as a sentence.
pub(super) fn optimum(past: &Past<'_>) -> Result<Optimum, String> {
    let problem = Problem::of(past);
    let answer = Solver::default().solve(&problem.horizon).map_err(|conflict| {
        format!("the optimum in hindsight was not found: {conflict}")
    })?;
    let given: Money = past.slots.iter().map(|slot| slot.given).sum();
    let mut worth = Worth::default();
    problem.worth_of_limits(past, &answer, &mut worth);
    Ok(Optimum {
        value: given - money(answer.cost_usd),
        limits: worth.limits(),
        shadow: worth.shadow,
    })
}

/// A run as a horizon, and what its arrays stand for.
struct Problem {
    horizon: Horizon,
    /// Which load each demand is of.
    loads: Vec<LoadIx>,
    batteries: Vec<LoadIx>,
    /// What each circuit is; the first may stand for all draw.
    circuits: Vec<Bounding>,
}

impl Problem {
    fn of(past: &Past<'_>) -> Self {
        let site = past.site;
        let count = site.loads.len();
        let is_free = |load: &LoadIx| {
            let parts = past.parts.iter().skip(*load).step_by(count);
            past.points[*load] > 0 && parts.clone().any(|part| !part.fixed)
        };
        let loads: Vec<LoadIx> = (0..count).filter(is_free).collect();
        let batteries: Vec<LoadIx> =
            (0..count).filter(|load| past.is_battery(*load)).collect();
        let widths: Vec<Vec<f64>> = loads.iter().map(|l| widths(past, *l)).collect();
        let draws = Draws::of(past, &loads);
        let (circuits, feeders) =
            feeders(past, &loads, &widths, &draws, !batteries.is_empty());
        let above = |feeder: Option<FeederIx>| {
            let place = |limit| circuits.iter().position(|circuit| *circuit == limit);
            let nearest = site.path(feeder).find_map(|f| place(Bounding::Feeder(f)));
            nearest.or_else(|| place(Bounding::Import))
        };
        let grid = &site.interconnection;
        let range = exact::mw(grid.import_limit + grid.export_limit);
        let net: Vec<f64> =
            past.slots.iter().map(|slot| mean(slot.drawn, past.step)).collect();
        let ramps = (grid.ramp_up_per_minute, grid.ramp_down_per_minute);
        let mut demands = Vec::new();
        let mut of = Vec::new();
        for (load, widths) in loads.iter().zip(&widths) {
            for demand in demands_of(past, *load, widths) {
                demands
                    .push(Demand { feeder: above(site.loads[*load].feeder), ..demand });
                of.push(*load);
            }
        }
        let horizon = Horizon {
            hours: exact::hours(past.step),
            grid: Grid {
                import_usd_per_mwh: usd(past.slots.iter().map(|slot| slot.cost)),
                export_usd_per_mwh: Some(usd(past.slots.iter().map(|slot| slot.export))),
                import_limit_mw: dated(
                    (0..net.len()).map(|t| draws.limit(past, t).max(net[t])),
                ),
                export_limit_mw: dated(
                    net.iter().map(|net| exact::mw(grid.export_limit).max(-net)),
                ),
                base_mw: dated(draws.base.iter().copied()),
                ramp: ramp(past.step, ramps, range, &net),
                blocks: Vec::new(),
                peaks: Vec::new(),
            },
            feeders,
            loads: demands,
            worth_usd_per_mwh: worths(past, &loads),
            batteries: batteries.iter().map(|load| store(past, *load)).collect(),
        };
        Self { horizon, loads: of, batteries, circuits }
    }

    fn worth_of_limits(&self, past: &Past<'_>, answer: &Answer, worth: &mut Worth) {
        let hours = self.horizon.hours;
        let prices = &answer.prices;
        let (feeders, batteries) = (self.circuits.len(), self.batteries.len());
        let during = |t: usize| {
            let since = Seconds::from_seconds(past.step.as_seconds() * t as i64);
            Interval::starting(past.range.start + since, past.step)
        };
        for t in 0..self.horizon.len() {
            let during = during(t);
            let mut import = prices.import_usd_per_mwh[t];
            for (place, circuit) in self.circuits.iter().enumerate() {
                let price = prices.feeders_usd_per_mwh[t * feeders + place];
                if *circuit == Bounding::Import {
                    import += price;
                } else {
                    worth.add(during, *circuit, price, hours);
                }
            }
            worth.add(during, Bounding::Import, import, hours);
            let export = prices.export_usd_per_mwh[t];
            worth.add(during, Bounding::Export, export, hours);
            for (place, load) in self.batteries.iter().enumerate() {
                let price = prices.store_room_usd_per_mwh[t * batteries + place];
                worth.add(during, Bounding::StoreRoom(*load), price, 1.0);
            }
        }
        for ramp in &prices.ramps {
            let load = ramp.load.map(|load| self.loads[load]);
            let limit = match ramp.usd_per_mw > 0.0 {
                true => Bounding::RampUp(load),
                false => Bounding::RampDown(load),
            };
            worth.add(during(ramp.t), limit, ramp.usd_per_mw.abs(), 1.0);
        }
        worth.shadow.sort_by_key(|shadow| shadow.during.start);
    }
}

/// What is drawn whatever money decides, and what the run drew.
struct Draws {
    /// At rest, and by loads that something else decided all along.
    base: Vec<f64>,
    /// By all machines.
    machines: Vec<f64>,
}

impl Draws {
    fn of(past: &Past<'_>, free: &[LoadIx]) -> Self {
        let site = past.site;
        let all = |_: LoadIx| true;
        Self {
            base: base(past, free, all),
            machines: drawn(past, |load| site.loads[load].machines().is_some()),
        }
    }

    /// What machines could draw: the limit, or more where the run did.
    fn limit(&self, past: &Past<'_>, t: usize) -> f64 {
        let stated =
            past.slots[t].limit.unwrap_or(past.site.interconnection.import_limit);
        exact::mw(stated).max(self.machines[t] + WATT)
    }
}

/// What is drawn whatever money decides by the loads that `counts`.
fn base(past: &Past<'_>, free: &[LoadIx], counts: impl Fn(LoadIx) -> bool) -> Vec<f64> {
    let parts = past.parts.chunks(past.site.loads.len());
    parts
        .map(|parts| {
            let of = |(load, part): (LoadIx, &super::past::Part)| {
                let energy = if free.contains(&load) { part.rest } else { part.drawn };
                if counts(load) && !past.is_battery(load) {
                    mean(energy, past.step)
                } else {
                    0.0
                }
            };
            parts.iter().enumerate().map(of).sum()
        })
        .collect()
}

/// What the run drew through the loads that `counts`.
fn drawn(past: &Past<'_>, counts: impl Fn(LoadIx) -> bool) -> Vec<f64> {
    let parts = past.parts.chunks(past.site.loads.len());
    parts
        .map(|parts| {
            let counted = parts.iter().enumerate().filter(|(load, _)| counts(*load));
            mean(counted.map(|(_, part)| part.drawn).sum(), past.step)
        })
        .collect()
}

/// Circuits that can bind, below one for all draw where a battery sends back: what
/// it does makes no room under the import limit.
fn feeders(
    past: &Past<'_>,
    loads: &[LoadIx],
    widths: &[Vec<f64>],
    draws: &Draws,
    sends_back: bool,
) -> (Vec<Bounding>, Vec<Feeder>) {
    let site = past.site;
    let mut circuits: Vec<Bounding> = Vec::new();
    let mut list = Vec::new();
    let width = |load: usize| widths[load].iter().sum::<f64>();
    let total: f64 = (0..loads.len()).map(width).sum();
    let left: Vec<f64> = (0..past.slots.len())
        .map(|t| (draws.limit(past, t) - draws.base[t]).max(0.0))
        .collect();
    if sends_back && left.iter().any(|left| *left < total) {
        circuits.push(Bounding::Import);
        list.push(Feeder { parent: None, limit_mw: dated(left.into_iter()) });
    }
    for (feeder, shape) in site.feeders.iter().enumerate() {
        let behind = |load: LoadIx| {
            site.loads[load].machines().is_some()
                && site.path(site.loads[load].feeder).any(|above| above == feeder)
        };
        let free: f64 =
            (0..loads.len()).filter(|load| behind(loads[*load])).map(width).sum();
        let (base, drawn) = (base(past, loads, behind), drawn(past, behind));
        let limit = exact::mw(shape.limit);
        let left: Vec<f64> = (base.iter().zip(drawn))
            .map(|(base, drawn)| (limit.max(drawn + WATT) - base).max(0.0))
            .collect();
        if left.iter().all(|left| *left >= free) {
            continue;
        }
        let place = |limit| circuits.iter().position(|circuit| *circuit == limit);
        let nearest = site.path(shape.parent).find_map(|f| place(Bounding::Feeder(f)));
        let parent = nearest.or_else(|| place(Bounding::Import));
        circuits.push(Bounding::Feeder(feeder));
        list.push(Feeder { parent, limit_mw: dated(left.into_iter()) });
    }
    (circuits, list)
}

/// How wide each point of a load's curve is at its highest overhead.
fn widths(past: &Past<'_>, load: LoadIx) -> Vec<f64> {
    let Some(machines) = past.site.loads[load].machines() else { return Vec::new() };
    let pue = past.widest(load);
    (0..machines.points.len())
        .map(|point| {
            let all = machines.step_power(point).times(i64::from(machines.count));
            exact::mw(pue.at_meter(all))
        })
        .collect()
}

/// A load above its rest: free between nothing and all it could draw, and where
/// something else decided it, what it drew.
///
/// Each point of its curve is a demand of its own, as wide as the overhead of the
/// time makes it; those below are worth more, and so come first. A load with a ramp
/// that can bind is one demand.
fn demands_of(past: &Past<'_>, load: LoadIx, widths: &[f64]) -> Vec<Demand> {
    let step = past.step;
    let whole: f64 = widths.iter().sum();
    let parts = past.parts.iter().skip(load).step_by(past.site.loads.len());
    let above_rest = |energy: Energy, rest: Energy| {
        mean((energy - rest).max(Energy::ZERO), step).min(whole)
    };
    let drawn: Vec<f64> =
        parts.clone().map(|part| above_rest(part.drawn, part.rest)).collect();
    let most: Vec<f64> = (parts.clone().zip(&drawn))
        .map(|(part, drawn)| above_rest(part.most, part.rest).max(*drawn))
        .collect();
    let fixed: Vec<bool> = parts.map(|part| part.fixed).collect();
    let envelope = &past.site.loads[load].envelope;
    let ramps = (envelope.ramp_up_per_minute, envelope.ramp_down_per_minute);
    let ramp = ramp(step, ramps, whole, &drawn);
    let groups: Vec<(f64, &[f64])> = if ramp.is_free() {
        let below = |point: usize| widths[..point].iter().sum::<f64>();
        widths.chunks(1).enumerate().map(|(point, width)| (below(point), width)).collect()
    } else {
        vec![(0.0, widths)]
    };
    groups
        .into_iter()
        .map(|(below, widths)| {
            let width: f64 = widths.iter().sum();
            // What part of the load's range this is, at the overhead of the time.
            let here = |power: f64, most: f64| {
                let scale = if whole > 0.0 { most / whole } else { 0.0 };
                (power - below * scale).clamp(0.0, width * scale)
            };
            let floor = fixed.iter().zip(drawn.iter().zip(&most)).map(
                |(fixed, (drawn, most))| if *fixed { here(*drawn, *most) } else { 0.0 },
            );
            let ceiling = fixed.iter().zip(drawn.iter().zip(&most)).map(
                |(fixed, (drawn, most))| here(if *fixed { *drawn } else { *most }, *most),
            );
            Demand {
                feeder: None,
                segments_mw: widths.to_vec(),
                floor_mw: dated(floor),
                ceiling_mw: dated(ceiling),
                ramp,
            }
        })
        .collect()
}

/// What each segment earned, interval by interval; within a load never more than
/// the one before it.
fn worths(past: &Past<'_>, loads: &[LoadIx]) -> Vec<f64> {
    let each: usize = past.points.iter().sum();
    let mut first = vec![0; past.points.len()];
    for load in 1..first.len() {
        first[load] = first[load - 1] + past.points[load - 1];
    }
    let mut worths = Vec::new();
    for earned in past.earned.chunks(each.max(1)).take(past.slots.len()) {
        for load in loads {
            let mut least = f64::INFINITY;
            for price in &earned[first[*load]..first[*load] + past.points[*load]] {
                least = exact::usd_per_mwh(*price).min(least);
                worths.push(least);
            }
        }
    }
    worths
}

fn battery<'a>(past: &Past<'a>, load: LoadIx) -> &'a Battery {
    match &past.site.loads[load].kind {
        LoadKind::Battery(battery) => battery,
        LoadKind::Rigs(_) | LoadKind::Racks(_) => unreachable!("it is no battery"),
    }
}

/// A battery, which rests where something else kept it at rest.
fn store(past: &Past<'_>, load: LoadIx) -> Store {
    let battery = battery(past, load);
    let parts = past.parts.iter().skip(load).step_by(past.site.loads.len());
    let power = |most: Power| {
        let rests = |part: &super::past::Part| part.fixed && part.drawn.is_zero();
        dated(parts.clone().map(|p| if rests(p) { 0.0 } else { exact::mw(most) }))
    };
    let least = battery.stored_min.min(battery.stored_first);
    let first = battery.stored_first.min(battery.stored_max);
    Store {
        feeder: None,
        charge_mw: power(battery.charge_max),
        discharge_mw: power(battery.discharge_max),
        stored_min_mwh: Dated::Always(exact::mwh(least)),
        stored_max_mwh: Dated::Always(exact::mwh(battery.stored_max)),
        charge_efficiency: exact::part(battery.charge_efficiency),
        discharge_efficiency: exact::part(battery.discharge_efficiency),
        wear_usd_per_mwh: 0.0,
        stored_mwh: exact::mwh(first),
        end: End::Free,
    }
}

/// A ramp over a step, or what the run moved at once where that is more; free where
/// it is no narrower than all there is to move.
fn ramp(
    step: Seconds,
    (up, down): (Option<Power>, Option<Power>),
    range: f64,
    moved: &[f64],
) -> Ramp {
    let minutes = step.as_seconds() as f64 / 60.0;
    let rises = || moved.windows(2).map(|pair| pair[1] - pair[0]);
    let over_step = |ramp: Option<Power>, most: f64| {
        let stated = ramp.map_or(f64::INFINITY, |ramp| exact::mw(ramp) * minutes);
        Some(stated.max(most)).filter(|ramp| *ramp < range).unwrap_or(f64::INFINITY)
    };
    Ramp {
        up_mw: over_step(up, rises().fold(0.0, f64::max)),
        down_mw: over_step(down, rises().map(|rise| -rise).fold(0.0, f64::max)),
        before_mw: None,
    }
}

/// What limits were worth, added up.
#[derive(Default)]
struct Worth {
    sums: std::collections::BTreeMap<Bounding, (f64, u64)>,
    shadow: Vec<Shadow>,
}

impl Worth {
    fn add(&mut self, during: Interval, limit: Bounding, usd: f64, times: f64) {
        let price = exact::price(usd);
        if price <= EnergyPrice::ZERO {
            return;
        }
        let (sum, intervals) = self.sums.entry(limit).or_default();
        *sum += usd * times;
        *intervals += 1;
        self.shadow.push(Shadow { during, limit, price });
    }

    fn limits(&self) -> Vec<LimitWorth> {
        let worth = |(limit, (sum, intervals)): (&Bounding, &(f64, u64))| LimitWorth {
            limit: *limit,
            added: money(*sum),
            intervals: *intervals,
        };
        self.sums.iter().map(worth).collect()
    }
}

fn mean(energy: Energy, step: Seconds) -> f64 {
    exact::mwh(energy) / exact::hours(step)
}

fn money(usd: f64) -> Money {
    Money::from_micro_usd((usd * 1e6).round() as i64)
}

fn usd(prices: impl Iterator<Item = EnergyPrice>) -> Vec<f64> {
    prices.map(exact::usd_per_mwh).collect()
}

/// The same always where it is the same, else one each.
fn dated(values: impl Iterator<Item = f64>) -> Dated {
    let values: Vec<f64> = values.collect();
    match values.first() {
        Some(first) if values.iter().all(|value| value == first) => Dated::Always(*first),
        Some(_) | None => Dated::Each(values),
    }
}
