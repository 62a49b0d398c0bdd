//! The whole horizon as one window: exact whatever couples its intervals.
//!
//! Several stores, or ramps that bind nearly everywhere, leave nothing to
//! decompose. Its cost grows with the cube of the number of intervals, so it is
//! for horizons of days. A longer one is gone through day by day, each looking a
//! day further than it is kept for: a plan that keeps every limit and need not be
//! the best; what it may miss is the distance to the bound.

use std::collections::BTreeMap;

use super::answer::Answer;
use super::free::Free;
use super::horizon::{Cap, Horizon};
use super::ramps::Unrepaired;
use super::stored::{Piece, Span};
use super::window::{Outside, Step, Stop, Window};

/// The most rows of a first basis that are solved as one.
const LARGEST: usize = 1_600;

/// How many rows a part of a longer horizon has, twice what is kept of it.
const PART: usize = 192;

/// Solves `horizon`, starting from the plan of `answer`. `free` is the pass without
/// ramps where there is no more than one store.
pub(super) fn solve(
    window: &mut Window,
    free: Option<&mut Free>,
    horizon: &Horizon,
    caps: &[Cap],
    answer: &mut Answer,
) -> Result<(), Unrepaired> {
    answer.found.general = true;
    let (n, width) = (horizon.len(), 1 + horizon.batteries.len());
    if n * width <= LARGEST {
        return part(window, None, horizon, caps, (0, n), answer);
    }
    let free = match free {
        Some(free) => {
            free.backward(horizon);
            Some(&*free)
        }
        None => None,
    };
    let long = (PART / width).max(8);
    let mut from = 0;
    while from < n {
        let to = (from + long).min(n);
        part(window, free, horizon, caps, (from, to), answer)?;
        from = if to == n { n } else { from + long / 2 };
    }
    Ok(())
}

/// Solves intervals `from..to` after what `answer` has before them.
fn part(
    window: &mut Window,
    free: Option<&Free>,
    horizon: &Horizon,
    caps: &[Cap],
    (from, to): (usize, usize),
    answer: &mut Answer,
) -> Result<(), Unrepaired> {
    let stores = horizon.batteries.len();
    let steps: Vec<Step> = (from..to).map(Step::Interval).collect();
    let before: Vec<Outside<'_>> = (horizon.batteries.iter().enumerate())
        .map(|(store, battery)| match from.checked_sub(1) {
            None => Outside::Held(battery.stored_mwh),
            Some(t) => Outside::Held(answer.stored_mwh[t * stores + store]),
        })
        .collect();
    // Beyond the part, energy is worth what it costs to go on without ramps, or
    // what power costs on the whole.
    let flat = flat_worth(horizon, to);
    let after: Vec<Outside<'_>> = (0..stores)
        .map(|store| match free {
            _ if to == horizon.len() => Outside::End,
            Some(free) => Outside::Costs(&free.onward, free.from_here[to]),
            None => {
                let from = horizon.batteries[store].stored_min_mwh.at(to - 1);
                Outside::Costs(&flat, Span { from, start: store, end: store + 1 })
            }
        })
        .collect();
    window.follow_on(horizon, answer, from);
    let at = |t: usize| answer.prices.ramps.partition_point(|price| price.t < t);
    let known = at(from)..at(to);
    let mut ramps = answer.prices.ramps[known.clone()].to_vec();
    let outside = (before.as_slice(), after.as_slice());
    let solved =
        window.solve(horizon, caps, &steps, &BTreeMap::new(), outside, answer, &ramps);
    answer.found.pivots += window.pivots();
    match solved {
        Ok(()) => {
            window.write(horizon, answer, &mut ramps);
            ramps.sort_by_key(|price| price.t);
            answer.prices.ramps.splice(known, ramps);
            Ok(())
        }
        Err(Stop::Infeasible(conflict)) if from == 0 && to == horizon.len() => {
            Err(Unrepaired::Conflict(conflict))
        }
        Err(Stop::Infeasible(_) | Stop::Stuck) => Err(Unrepaired::TooWide),
    }
}

fn flat_worth(horizon: &Horizon, to: usize) -> Vec<Piece> {
    let prices = &horizon.grid.import_usd_per_mwh;
    let mean = prices.iter().sum::<f64>() / prices.len() as f64;
    let piece = |store: &super::Store| Piece {
        slope: -mean * store.discharge_efficiency,
        width: store.stored_max_mwh.at(to - 1) - store.stored_min_mwh.at(to - 1),
    };
    horizon.batteries.iter().map(piece).collect()
}
