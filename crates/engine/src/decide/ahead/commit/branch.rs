//! Raises the bound by cases: a machine is on in some interval, or it is off.
//!
//! Each case is bounded like the whole, with the machine's way held to it and at the
//! prices that its own relaxation has; and as every plan belongs to one of the cases,
//! the lowest of their bounds is one on all. The lowest is taken apart first, until
//! it reaches the best plan, which then is the optimum, or the cases are used up.

use super::super::Solver;
use super::super::answer::{Answer, Prices};
use super::super::horizon::Dated;
use super::Problem;
use super::prices::at_held;
use super::search::Search;

/// What each machine is held to in each interval.
type Held = Vec<Vec<Option<bool>>>;

struct Case {
    bound_usd: f64,
    held: Held,
    /// Which machine and interval to take it apart by; `None` where all are held.
    by: Option<(usize, usize)>,
}

/// A bound on all plans, USD, at least `least`: of `count` cases taken apart.
pub(super) fn bound(
    solver: &mut Solver,
    problem: &Problem<'_>,
    (least, prices): (f64, &Prices),
    count: usize,
    search: &mut Search<'_>,
) -> f64 {
    let n = problem.horizon.len();
    let whole = vec![vec![None; n]; problem.machines.len()];
    let mut open: Vec<Case> = Vec::new();
    open.extend(case(solver, problem, whole, prices, least, search));
    for _ in 0..count {
        let lowest = open.iter().enumerate();
        let lowest = lowest
            .min_by(|(_, one), (_, other)| one.bound_usd.total_cmp(&other.bound_usd));
        let Some((place, lowest)) = lowest else { break };
        let Some((machine, t)) = lowest.by else { break };
        if search.best_usd().is_some_and(|best| lowest.bound_usd >= best) {
            break;
        }
        let apart = open.swap_remove(place);
        for is_on in [false, true] {
            let mut held = apart.held.clone();
            held[machine][t] = Some(is_on);
            open.extend(case(solver, problem, held, prices, apart.bound_usd, search));
        }
    }
    let reached = open.iter().map(|case| case.bound_usd);
    // No plan found costs less than the bound on all of them.
    reached.fold(search.best_usd().unwrap_or(f64::INFINITY), f64::min).max(least)
}

/// Bounds a case; `None` where no plan belongs to it.
fn case(
    solver: &mut Solver,
    problem: &Problem<'_>,
    held: Held,
    prices: &Prices,
    least: f64,
    search: &mut Search<'_>,
) -> Option<Case> {
    let hold = |machine: usize, t: usize| held[machine][t];
    let (from_all, mut ways) = at_held(problem, prices, &hold);
    let mut bound_usd = least.max(from_all);
    let mut relaxed = Answer::default();
    if solver.try_into(&part(problem, &held), &mut relaxed).is_err() {
        return None;
    }
    let (own, theirs) = at_held(problem, &relaxed.prices, &hold);
    if own > bound_usd {
        (bound_usd, ways) = (own, theirs);
    }
    if bound_usd == f64::INFINITY {
        return None;
    }
    search.look_at(solver, &ways);
    let by = worst(problem, &held, &ways, &relaxed);
    Some(Case { bound_usd, held, by })
}

/// The horizon of a case, in which machines that are not held may run in part.
fn part(problem: &Problem<'_>, held: &Held) -> super::Horizon {
    let mut relaxed = problem.rest.clone();
    for (place, machine) in problem.machines.iter().enumerate() {
        let load = &problem.horizon.loads[machine.load];
        let own = held[place].iter().zip(&problem.can[place]).enumerate();
        let (mut floors, mut ceilings) = (Vec::new(), Vec::new());
        for (t, (held, can)) in own {
            let is_off = *held == Some(false) || !can;
            floors.push(if *held == Some(true) { load.floor_mw.at(t) } else { 0.0 });
            ceilings.push(if is_off { 0.0 } else { load.ceiling_mw.at(t) });
        }
        relaxed.loads[machine.load].floor_mw = Dated::Each(floors);
        relaxed.loads[machine.load].ceiling_mw = Dated::Each(ceilings);
    }
    relaxed
}

/// Where the relaxation is furthest from on and off, or from the ways at its prices.
fn worst(
    problem: &Problem<'_>,
    held: &Held,
    ways: &[Vec<bool>],
    relaxed: &Answer,
) -> Option<(usize, usize)> {
    let mut found = None;
    let mut most = -1.0;
    for (place, machine) in problem.machines.iter().enumerate() {
        let load = &problem.horizon.loads[machine.load];
        let before = problem.horizon.loads[..machine.load].iter();
        let before: usize = before.map(|load| load.segments_mw.len()).sum();
        for t in 0..problem.horizon.len() {
            if held[place][t].is_some() {
                continue;
            }
            let first = t * problem.horizon.segments() + before;
            let own = &relaxed.segments_mw[first..][..load.segments_mw.len()];
            let drawn: f64 = own.iter().sum();
            let floor = load.floor_mw.at(t);
            let apart = if ways[place][t] { (floor - drawn).max(0.0) } else { drawn };
            let score = drawn.min((floor - drawn).max(0.0)) + 0.5 * apart;
            if score > most {
                (found, most) = (Some((place, t)), score);
            }
        }
    }
    found
}
