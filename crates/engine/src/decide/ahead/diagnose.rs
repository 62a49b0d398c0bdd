//! Which limits contradict: the fewest that cannot be kept together.
//!
//! What a method stumbles over first need not be what is wrong. So once it is
//! known that there is no plan, limits are lifted one after the other: one without
//! which there is still none has no part in it. What is left contradicts itself,
//! and lifting any of it would do.

use std::collections::BTreeMap;

use super::conflict::{Bound, Conflict};
use super::horizon::{Cap, Dated, End, Horizon};
use super::stored::{Piece, Span};
use super::window::{Outside, Step, Stop, Window};

/// Intervals looked at together at the most.
const LONGEST: usize = 400;

/// Names the limits that contradict in `horizon`, which has no plan; `found` says
/// where that was noticed.
pub(super) fn diagnose(horizon: &Horizon, found: Conflict) -> Conflict {
    let mut window = Window::default();
    let Some((mut part, from)) = shortest(horizon, &found, &mut window) else {
        return found;
    };
    let mut kept = Vec::new();
    for bound in every(horizon) {
        let mut without = part.clone();
        without.lift(bound);
        if has_plan(&mut window, &without) {
            kept.push(bound);
        } else {
            part = without;
        }
    }
    if kept.is_empty() {
        return found;
    }
    Conflict { from, to: from + part.horizon.len(), limits: kept }
}

/// The fewest intervals up to where it was noticed that have no plan by
/// themselves; what is held before them is free unless they begin the horizon.
fn shortest(
    horizon: &Horizon,
    found: &Conflict,
    window: &mut Window,
) -> Option<(Part, usize)> {
    let to = found.to.min(horizon.len());
    let mut from = found.from.min(to.saturating_sub(1));
    loop {
        let part = Part::of(horizon, from, to);
        if !has_plan(window, &part) {
            return Some((part, from));
        }
        if from == 0 && to == horizon.len() {
            return None;
        }
        if from == 0 || to - from >= LONGEST {
            // Noticed before it is the fault of what follows.
            let part = Part::of(horizon, 0, horizon.len().min(LONGEST));
            return (!has_plan(window, &part)).then_some((part, 0));
        }
        from = from.saturating_sub((to - from).max(4));
    }
}

/// Everything that limits or demands in a horizon.
fn every(horizon: &Horizon) -> Vec<Bound> {
    let mut bounds = vec![Bound::Import, Bound::Export, Bound::ExchangeRamp];
    bounds.extend((0..horizon.feeders.len()).map(Bound::Feeder));
    for load in 0..horizon.loads.len() {
        bounds.extend([Bound::Floor(load), Bound::Ceiling(load), Bound::LoadRamp(load)]);
    }
    for store in 0..horizon.batteries.len() {
        bounds.extend([Bound::StorePower(store), Bound::Stored(store)]);
    }
    bounds
}

/// Some intervals of a horizon alone, worth and prices left out: what has a plan
/// in the whole has one in every part.
#[derive(Clone)]
struct Part {
    horizon: Horizon,
    /// Where each store may stand before; nothing where it stands where it does.
    before: Option<Vec<(f64, f64)>>,
}

impl Part {
    /// Takes a limit away.
    fn lift(&mut self, bound: Bound) {
        let horizon = &mut self.horizon;
        let without = |ramp: &mut super::Ramp| {
            (ramp.up_mw, ramp.down_mw) = (f64::INFINITY, f64::INFINITY);
        };
        match bound {
            Bound::Import => horizon.grid.import_limit_mw = Dated::Always(MUCH),
            Bound::Export => horizon.grid.export_limit_mw = Dated::Always(MUCH),
            Bound::ExchangeRamp => without(&mut horizon.grid.ramp),
            Bound::Feeder(feeder) => {
                horizon.feeders[feeder].limit_mw = Dated::Always(MUCH);
            }
            Bound::Floor(load) => horizon.loads[load].floor_mw = Dated::Always(0.0),
            Bound::Ceiling(load) => {
                let demand = &mut horizon.loads[load];
                demand.ceiling_mw = Dated::Always(f64::INFINITY);
                if let Some(last) = demand.segments_mw.last_mut() {
                    *last += MUCH;
                }
            }
            Bound::LoadRamp(load) => without(&mut horizon.loads[load].ramp),
            Bound::StorePower(store) => {
                let store = &mut horizon.batteries[store];
                store.charge_mw = Dated::Always(MUCH);
                store.discharge_mw = Dated::Always(MUCH);
            }
            Bound::Stored(place) => {
                let store = &mut horizon.batteries[place];
                store.stored_min_mwh = Dated::Always(-MUCH);
                store.stored_max_mwh = Dated::Always(MUCH);
                store.end = End::Free;
                if let Some(before) = &mut self.before {
                    before[place] = (-MUCH, MUCH);
                }
            }
        }
    }
}

/// Whether anything keeps every limit.
fn has_plan(window: &mut Window, part: &Part) -> bool {
    let horizon = &part.horizon;
    let n = horizon.len();
    if horizon.contradiction().is_some() {
        return false;
    }
    let steps: Vec<Step> = (0..n).map(Step::Interval).collect();
    let ranges: Vec<Piece> = (part.before.iter().flatten())
        .map(|(low, high)| Piece { slope: 0.0, width: high - low })
        .collect();
    let before: Vec<Outside<'_>> = match &part.before {
        None => horizon
            .batteries
            .iter()
            .map(|store| Outside::Held(store.stored_mwh))
            .collect(),
        Some(before) => (before.iter().enumerate())
            .map(|(at, (from, _))| {
                Outside::Costs(&ranges, Span { from: *from, start: at, end: at + 1 })
            })
            .collect(),
    };
    let after = vec![Outside::End; before.len()];
    let mut plan = super::Answer::default();
    plan.fit(horizon);
    let caps = vec![Cap::NONE; n];
    let outside = (before.as_slice(), after.as_slice());
    let solved =
        window.solve(horizon, &caps, &steps, &BTreeMap::new(), outside, &plan, &[]);
    !matches!(solved, Err(Stop::Infeasible(_)))
}

/// More than any site has, MW or MWh.
const MUCH: f64 = 1e5;

impl Part {
    fn of(whole: &Horizon, from: usize, to: usize) -> Self {
        let dated = |dated: &Dated| match dated {
            Dated::Always(value) => Dated::Always(*value),
            Dated::Each(values) => Dated::Each(values[from..to].to_vec()),
        };
        let ramp = |ramp: &super::Ramp| super::Ramp {
            before_mw: if from == 0 { ramp.before_mw } else { None },
            ..*ramp
        };
        let mut part = whole.clone();
        let n = to - from;
        part.grid.import_usd_per_mwh = vec![0.0; n];
        part.grid.export_usd_per_mwh = None;
        part.grid.import_limit_mw = dated(&whole.grid.import_limit_mw);
        part.grid.export_limit_mw = dated(&whole.grid.export_limit_mw);
        part.grid.base_mw = dated(&whole.grid.base_mw);
        part.grid.ramp = ramp(&whole.grid.ramp);
        part.grid.blocks.clear();
        part.grid.peaks.clear();
        for feeder in &mut part.feeders {
            feeder.limit_mw = dated(&feeder.limit_mw);
        }
        for load in &mut part.loads {
            load.floor_mw = dated(&load.floor_mw);
            load.ceiling_mw = dated(&load.ceiling_mw);
            load.ramp = ramp(&load.ramp);
        }
        part.worth_usd_per_mwh = vec![0.0; n * whole.segments()];
        for store in &mut part.batteries {
            store.charge_mw = dated(&store.charge_mw);
            store.discharge_mw = dated(&store.discharge_mw);
            store.stored_min_mwh = dated(&store.stored_min_mwh);
            store.stored_max_mwh = dated(&store.stored_max_mwh);
            store.wear_usd_per_mwh = 0.0;
            if to < whole.len() || matches!(store.end, End::Worth(_)) {
                store.end = End::Free;
            }
        }
        let before = (from > 0).then(|| {
            let held = |store: &super::Store| {
                (store.stored_min_mwh.at(from - 1), store.stored_max_mwh.at(from - 1))
            };
            whole.batteries.iter().map(held).collect()
        });
        Self { horizon: part, before }
    }
}
