//! Prices at which machines, each for itself, come close to a common plan.
//!
//! The bound is concave in all prices together, so on the way from one set of prices
//! to another its highest place is found by halving. Where to go is told by the
//! horizon itself: let each machine run in part, to the share in which the ways found
//! so far have it on, and ask what limits are worth then. Where too many want to be
//! on, that is more; where too few, less. Shares are averaged over the steps, as
//! Frank and Wolfe do, which settles them. From the best of these the price of power
//! then climbs by its own slope.

use super::super::answer::Prices;
use super::super::certify;
use super::super::{Answer, Solver};
use super::search::Search;
use super::{Problem, times};

/// Into how many parts a way from prices to prices is looked at, by thirds.
const HALVINGS: usize = 7;

/// The best bound of `steps` sets of prices, from those of the relaxation on, USD.
/// The ways that machines have at them are looked at as plans.
pub(super) fn bound(
    solver: &mut Solver,
    problem: &Problem<'_>,
    relaxed: Answer,
    steps: usize,
    search: &mut Search<'_>,
) -> (f64, Prices) {
    let (mut best, mut ways) = at(problem, &relaxed.prices);
    let mut center = relaxed.prices;
    search.look_at(solver, &ways);
    let mut shares = problem.all(false);
    for step in 0..steps {
        let weight = 2.0 / (step as f64 + 2.0);
        for (share, way) in shares.iter_mut().zip(&ways) {
            for (share, on) in share.iter_mut().zip(way) {
                *share += weight * (f64::from(u8::from(*on)) - *share);
            }
        }
        search.look_at_shares(solver, &shares);
        let mut trial = Answer::default();
        if solver.try_into(&problem.part(&shares), &mut trial).is_err() {
            // What must be drawn is more than that: these shares say nothing.
            continue;
        }
        let (reached, theirs) = at(problem, &trial.prices);
        search.look_at(solver, &theirs);
        ways = theirs;
        let on_the_way = |share: f64| between(problem, &center, &trial.prices, share);
        let (mut from, mut to) = (0.0, 1.0);
        let mut found = (reached, 1.0);
        for _ in 0..HALVINGS {
            let (low, high) = (from + (to - from) / 3.0, to - (to - from) / 3.0);
            let bound_at = |share: f64| (at(problem, &on_the_way(share)).0, share);
            let (lower, higher) = (bound_at(low), bound_at(high));
            for place in [lower, higher] {
                if place.0 > found.0 {
                    found = place;
                }
            }
            if lower.0 >= higher.0 { to = high } else { from = low }
        }
        if found.0 > best {
            center = on_the_way(found.1);
            best = found.0;
            search.look_at(solver, &at(problem, &center).1);
        }
    }
    climb(problem, center, best, search.best_usd(), steps)
}

/// The best bound on the way uphill in the price of power, USD: steps as long as the
/// slope says it is to the best plan, halved each time one leads down (Polyak).
/// Slopes are differences, so it is for horizons of days.
fn climb(
    problem: &Problem<'_>,
    center: Prices,
    mut best: f64,
    target: Option<f64>,
    steps: usize,
) -> (f64, Prices) {
    let n = problem.horizon.len();
    let Some(target) = target.filter(|_| n <= LONGEST) else { return (best, center) };
    let (mut prices, mut highest, mut part) = (center.clone(), center, 1.0);
    for _ in 0..steps {
        let here = at(problem, &prices).0;
        let slope = |t: usize| {
            let beside = |usd: f64| {
                let mut moved = prices.clone();
                moved.power_usd_per_mwh[t] += usd;
                at(problem, &moved).0
            };
            (beside(BESIDE) - beside(-BESIDE)) / (2.0 * BESIDE)
        };
        let slopes: Vec<f64> = (0..n).map(slope).collect();
        let square: f64 = slopes.iter().map(|slope| slope * slope).sum();
        if square < 1e-9 || target <= here {
            break;
        }
        for (price, slope) in prices.power_usd_per_mwh.iter_mut().zip(&slopes) {
            *price += part * (target - here) / square * slope;
        }
        let reached = at(problem, &prices).0;
        if reached > best {
            best = reached;
            highest.clone_from(&prices);
        } else {
            part *= 0.5;
            prices.clone_from(&highest);
        }
    }
    (best, highest)
}

/// The most intervals for which slopes are looked at.
const LONGEST: usize = 200;

/// How far beside a price its slope is looked at, USD/MWh.
const BESIDE: f64 = 1e-3;

/// What nothing goes below at these prices, USD, and the way of each machine.
pub(super) fn at(problem: &Problem<'_>, prices: &Prices) -> (f64, Vec<Vec<bool>>) {
    at_held(problem, prices, &|_, _| None)
}

/// The same of plans in which machines are held on or off in some intervals:
/// infinite where there is none.
pub(super) fn at_held(
    problem: &Problem<'_>,
    prices: &Prices,
    held: &impl Fn(usize, usize) -> Option<bool>,
) -> (f64, Vec<Vec<bool>>) {
    let mut total = certify::bound(&problem.rest, prices);
    let mut ways = Vec::new();
    for (place, machine) in problem.machines.iter().enumerate() {
        let usd = certify::drawn_by(problem.horizon, prices, machine.load);
        let on_usd = problem.on_usd(place, |t| match held(place, t) {
            Some(false) => f64::INFINITY,
            _ => usd[t],
        });
        let must = |t: usize| held(place, t) == Some(true);
        let way = times::best_with(machine, &on_usd, must);
        total += way.usd;
        ways.push(way.on);
    }
    (total, ways)
}

/// Prices on the way from one to another.
fn between(problem: &Problem<'_>, one: &Prices, other: &Prices, share: f64) -> Prices {
    let horizon = problem.horizon;
    let mut mixed = one.clone();
    mixed.mix_span(horizon, 0, horizon.len(), (other, share), one);
    mixed.ramps.sort_by_key(|ramp| (ramp.load, ramp.t));
    mixed.ramps.dedup_by(|next, kept| {
        let same = (next.load, next.t) == (kept.load, kept.t);
        if same {
            kept.usd_per_mw += next.usd_per_mw;
        }
        same
    });
    mixed
}
