//! Makes a horizon smaller, so that what fails can be read.

use engine::decide::ahead::{Dated, Demand, Horizon, Ramp};

/// The smallest horizon found that still `fails`, one step smaller at a time.
pub fn shrink(horizon: &Horizon, mut fails: impl FnMut(&Horizon) -> bool) -> Horizon {
    let mut smallest = horizon.clone();
    while let Some(smaller) = steps(&smallest).into_iter().find(|next| fails(next)) {
        smallest = smaller;
    }
    smallest
}

/// Horizons a step smaller than this one, those that take most away first.
fn steps(horizon: &Horizon) -> Vec<Horizon> {
    let n = horizon.len();
    let mut steps = Vec::new();
    for part in [2, 4, 8].into_iter().map(|parts| n.div_ceil(parts)).chain([1]) {
        if part < n {
            steps.extend([part_of(horizon, 0, n - part), part_of(horizon, part, n)]);
        }
    }
    let mut first = 0;
    for (place, load) in horizon.loads.iter().enumerate() {
        steps.push(without_load(horizon, place, first));
        first += load.segments_mw.len();
    }
    let mut with = |change: &dyn Fn(&mut Horizon)| {
        let mut changed = horizon.clone();
        change(&mut changed);
        if changed != *horizon {
            steps.push(changed);
        }
    };
    for place in 0..horizon.batteries.len() {
        with(&|h| {
            h.batteries.remove(place);
        });
    }
    for place in 0..horizon.grid.peaks.len() {
        with(&|h| {
            h.grid.peaks.remove(place);
        });
    }
    for place in 0..horizon.grid.blocks.len() {
        with(&|h| {
            h.grid.blocks.remove(place);
        });
    }
    for place in 0..horizon.feeders.len() {
        with(&|h| remove_feeder(h, place));
    }
    with(&|h| h.grid.ramp = Ramp::FREE);
    with(&|h| h.grid.ramp.before_mw = None);
    with(&|h| h.grid.base_mw = Dated::Always(0.0));
    if horizon.grid.blocks.is_empty() {
        with(&|h| h.grid.export_usd_per_mwh = None);
    }
    for place in 0..horizon.loads.len() {
        let load =
            |change: fn(&mut Demand)| move |h: &mut Horizon| change(&mut h.loads[place]);
        with(&load(|load| load.ramp = Ramp::FREE));
        with(&load(|load| load.ramp.before_mw = None));
        with(&load(|load| load.floor_mw = Dated::Always(0.0)));
        with(&load(|load| load.ceiling_mw = Dated::Always(f64::INFINITY)));
    }
    for place in 0..horizon.batteries.len() {
        with(&|h| h.batteries[place].wear_usd_per_mwh = 0.0);
    }
    steps
}

/// The intervals from `from` to before `to` alone.
fn part_of(horizon: &Horizon, from: usize, to: usize) -> Horizon {
    let mut part = horizon.clone();
    let dated = |value: &mut Dated| {
        if let Dated::Each(values) = value {
            *values = values[from..to].to_vec();
        }
    };
    let inside = |own_from: &mut usize, own_to: &mut usize| {
        *own_from = (*own_from).clamp(from, to) - from;
        *own_to = (*own_to).clamp(from, to) - from;
        *own_from < *own_to
    };
    let grid = &mut part.grid;
    grid.import_usd_per_mwh = grid.import_usd_per_mwh[from..to].to_vec();
    grid.export_usd_per_mwh =
        grid.export_usd_per_mwh.as_ref().map(|pays| pays[from..to].to_vec());
    for value in [&mut grid.import_limit_mw, &mut grid.export_limit_mw, &mut grid.base_mw]
    {
        dated(value);
    }
    grid.blocks.retain_mut(|block| {
        dated(&mut block.resale_usd_per_mwh);
        inside(&mut block.from, &mut block.to)
    });
    grid.peaks.retain_mut(|peak| inside(&mut peak.from, &mut peak.to));
    part.feeders.iter_mut().for_each(|feeder| dated(&mut feeder.limit_mw));
    for load in &mut part.loads {
        dated(&mut load.floor_mw);
        dated(&mut load.ceiling_mw);
    }
    let width = horizon.segments();
    part.worth_usd_per_mwh = part.worth_usd_per_mwh[from * width..to * width].to_vec();
    for store in &mut part.batteries {
        for value in [
            &mut store.charge_mw,
            &mut store.discharge_mw,
            &mut store.stored_min_mwh,
            &mut store.stored_max_mwh,
        ] {
            dated(value);
        }
    }
    part
}

fn without_load(horizon: &Horizon, place: usize, first: usize) -> Horizon {
    let mut without = horizon.clone();
    let gone = without.loads.remove(place).segments_mw.len();
    let width = horizon.segments().max(1);
    let worths = horizon.worth_usd_per_mwh.chunks_exact(width);
    without.worth_usd_per_mwh = worths
        .flat_map(|own| own[..first].iter().chain(&own[first + gone..]))
        .copied()
        .collect();
    without
}

/// Whatever hangs on it hangs on what is above it then.
fn remove_feeder(horizon: &mut Horizon, place: usize) {
    let above = horizon.feeders.remove(place).parent;
    let moved = |at: Option<usize>| match at {
        Some(at) if at == place => above,
        Some(at) if at > place => Some(at - 1),
        other => other,
    };
    horizon.feeders.iter_mut().for_each(|feeder| feeder.parent = moved(feeder.parent));
    horizon.loads.iter_mut().for_each(|load| load.feeder = moved(load.feeder));
    horizon.batteries.iter_mut().for_each(|store| store.feeder = moved(store.feeder));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ahead::draw::draw;

    #[test]
    fn what_fails_is_left_and_little_else() {
        // As if a floor were what goes wrong.
        let has_floor = |horizon: &Horizon| {
            let floor =
                |t: usize| horizon.loads.iter().any(|load| load.floor_mw.at(t) > 0.0);
            (0..horizon.len()).any(floor)
        };
        let drawn = (1..).map(draw).filter(has_floor).take(20);
        for horizon in drawn {
            let small = shrink(&horizon, has_floor);
            let sizes = (small.len(), small.loads.len(), small.batteries.len());
            assert_eq!((sizes, small.feeders.len()), ((1, 1, 0), 0));
            assert_eq!(small.worth_usd_per_mwh.len(), small.segments());
        }
    }
}
