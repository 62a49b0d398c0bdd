//! Machines that are on or off: a plan in whole numbers, and how far from the best
//! it can be at most.
//!
//! A load with a [`Machine`] draws nothing while it is off and at least its floor
//! while it is on; where floor and ceiling are the same it is all or nothing. It
//! stays on and off for as long as it must, and a start costs something. A row of
//! equal containers is as many loads: the smaller the largest machine, the smaller
//! the gap.
//!
//! **Bound.** Pay for every limit that machines share with others what its price
//! says. What remains of each machine is then a choice of its own, and `times`
//! finds its best way over all that are permitted, exactly. The rest does what is
//! best for itself, as `certify` works it out. No plan costs less than all of that
//! together, *whatever the prices are*: whoever keeps a limit is paid nothing or
//! less for it. So prices can be sought by any means, and the best bound of those
//! looked at counts. `prices` starts from those of the relaxation, in which
//! machines may run in part, and moves them a fixed number of steps. A machine that
//! limits leave no room for in an interval is off in it from the start.
//!
//! What prices cannot reach, cases may: `branch` takes apart by a machine and an
//! interval, on or off, bounds each case like the whole and keeps the lowest, a fixed
//! number of times. On small horizons that ends with the optimum.
//!
//! **Plan.** Once it is said when machines are on, what is left is a horizon that
//! [`Solver::solve`] solves exactly: floors and ceilings where they are on, no draw where
//! they are off. `search` tries the ways that the prices suggest and the
//! relaxation rounded, then changes the best of them, a machine or two at a time,
//! while that pays and for a fixed number of tries. The plan in which machines are
//! off as soon as they may be is always among those tried; where it is no plan, a
//! fixed number of others is, and the answer may be that none was found.
//!
//! **Gap.** Cost less bound, of which one part is that the plan may not be the best
//! and the other that the bound may be below it. Of the second, what prices leave is
//! at most what the largest machines are worth, one for each limit that binds: it is
//! there where two machines compete for room that holds one and a half. Everything is counted in steps and
//! tries, never in time, so that the same question has the same answer.

mod branch;
mod prices;
mod search;
mod times;

#[cfg(test)]
mod tests;

use super::Solver;
use super::answer::Answer;
use super::conflict::Conflict;
use super::horizon::{Dated, Horizon};
use search::Search;

/// A load that is on or off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Machine {
    /// The load, by its place in the horizon. It has at most one machine, and its
    /// floor is the least it draws while it is on.
    pub load: usize,
    /// For how many intervals it stays on at the least.
    pub up: usize,
    /// For how many intervals it stays off at the least.
    pub down: usize,
    /// What a start costs, USD; never negative.
    pub start_usd: f64,
    /// How it stood before the first interval.
    pub before: Before,
}

impl Machine {
    /// For how many intervals it must still stay on.
    fn stays_on(&self) -> usize {
        match self.before {
            Before::On(stood) => self.up.saturating_sub(stood),
            Before::Off(_) => 0,
        }
    }

    /// For how many intervals it must still stay off.
    fn stays_off(&self) -> usize {
        match self.before {
            Before::On(_) => 0,
            Before::Off(stood) => self.down.saturating_sub(stood),
        }
    }
}

/// How a machine stood before the first interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// On, for so many intervals.
    On(usize),
    /// Off, for so many intervals.
    Off(usize),
}

/// How hard to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// How often prices are moved.
    pub steps: usize,
    /// How many horizons are solved at the most in search of a plan.
    pub tries: usize,
    /// How many cases are taken apart at the most to raise the bound.
    pub cases: usize,
}

impl Default for Effort {
    fn default() -> Self {
        Self { steps: 32, tries: 1_000, cases: 300 }
    }
}

/// A plan in which machines are on or off.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Committed {
    /// When each machine is on: machine by machine, then interval by interval.
    pub on: Vec<Vec<bool>>,
    /// The optimum at that; its cost, bound and prices are those of the horizon in
    /// which machines are fixed, without starts.
    pub plan: Answer,
    /// What the plan costs with its starts, USD.
    pub cost_usd: f64,
    /// What no plan with these machines goes below, USD.
    pub bound_usd: f64,
}

impl Committed {
    /// What the best plan can cost less than this one, at most, USD.
    pub fn gap_usd(&self) -> f64 {
        (self.cost_usd - self.bound_usd).max(0.0)
    }
}

impl Solver {
    /// A plan over `horizon` in which `machines` are on or off, and a bound on all.
    ///
    /// Fails where limits contradict each other: with machines running in part, or
    /// with them off as soon as they may be and in everything else that was tried.
    pub fn commit(
        &mut self,
        horizon: &Horizon,
        machines: &[Machine],
        effort: Effort,
    ) -> Result<Committed, Conflict> {
        let problem = Problem::of(horizon, machines);
        let first = problem.earliest_off();
        let relaxed = self.solve(&problem.part(&problem.all(true)))?;
        let mut search = Search::new(&problem, effort.tries);
        search.look_at(self, &first);
        search.look_at_relaxed(self, &relaxed);
        search.look_at_corners(self, &first);
        let (bound, prices) =
            prices::bound(self, &problem, relaxed, effort.steps, &mut search);
        search.improve(self);
        let from = (bound, &prices);
        let bound_usd = branch::bound(self, &problem, from, effort.cases, &mut search);
        let Some((on, plan, cost_usd)) = search.into_best() else {
            let mut fixed = horizon.clone();
            problem.fix(&mut fixed, &first);
            return match self.solve(&fixed) {
                Err(conflict) => Err(conflict),
                Ok(_) => unreachable!("it was looked at and cannot be kept"),
            };
        };
        Ok(Committed { on, plan, cost_usd, bound_usd })
    }
}

/// A horizon with machines in it.
struct Problem<'a> {
    horizon: &'a Horizon,
    machines: &'a [Machine],
    /// In which intervals each machine can be on at all, or must be.
    can: Vec<Vec<bool>>,
    /// The horizon with no machine in it.
    rest: Horizon,
}

impl<'a> Problem<'a> {
    fn of(horizon: &'a Horizon, machines: &'a [Machine]) -> Self {
        let mut rest = horizon.clone();
        for machine in machines {
            rest.loads[machine.load].floor_mw = Dated::Always(0.0);
            rest.loads[machine.load].ceiling_mw = Dated::Always(0.0);
        }
        let can = machines.iter().map(|machine| {
            let can = |t| t < machine.stays_on() || fits(horizon, &rest, machine.load, t);
            (0..horizon.len()).map(can).collect()
        });
        Self { can: can.collect(), horizon, machines, rest }
    }

    /// All machines on, or off, whether they may or not.
    fn all(&self, on: bool) -> Vec<Vec<f64>> {
        let share = if on { 1.0 } else { 0.0 };
        vec![vec![share; self.horizon.len()]; self.machines.len()]
    }

    /// The horizon in which each machine may run in part, up to a share of all it
    /// can draw.
    fn part(&self, shares: &[Vec<f64>]) -> Horizon {
        let mut relaxed = self.rest.clone();
        for (machine, shares) in self.machines.iter().zip(shares) {
            let load = &self.horizon.loads[machine.load];
            let whole: f64 = load.segments_mw.iter().sum();
            let most = shares.iter().enumerate();
            let most = most.map(|(t, share)| share * load.ceiling_mw.at(t).min(whole));
            relaxed.loads[machine.load].ceiling_mw = Dated::Each(most.collect());
        }
        relaxed
    }

    /// Writes into a copy of the horizon when machines are on.
    fn fix(&self, fixed: &mut Horizon, on: &[Vec<bool>]) {
        for (machine, on) in self.machines.iter().zip(on) {
            let load = &self.horizon.loads[machine.load];
            let only = |figure: &Dated| {
                let at = |(t, on): (usize, &bool)| if *on { figure.at(t) } else { 0.0 };
                Dated::Each(on.iter().enumerate().map(at).collect())
            };
            fixed.loads[machine.load].floor_mw = only(&load.floor_mw);
            fixed.loads[machine.load].ceiling_mw = only(&load.ceiling_mw);
        }
    }

    /// What each interval in which a machine is on costs at the least, USD: infinite
    /// where it cannot be.
    fn on_usd(&self, machine: usize, usd: impl Fn(usize) -> f64) -> Vec<f64> {
        let can = self.can[machine].iter().enumerate();
        can.map(|(t, can)| if *can { usd(t) } else { f64::INFINITY }).collect()
    }

    /// The plan in which every machine is off as soon as it may be.
    fn earliest_off(&self) -> Vec<Vec<bool>> {
        let n = self.horizon.len();
        let way = |machine: &Machine| (0..n).map(|t| t < machine.stays_on()).collect();
        self.machines.iter().map(way).collect()
    }

    /// What starts cost, USD.
    fn starts_usd(&self, on: &[Vec<bool>]) -> f64 {
        let each = self.machines.iter().zip(on);
        each.map(|(machine, on)| times::starts(machine, on) as f64 * machine.start_usd)
            .sum()
    }
}

/// Whether a machine can be on in an interval at all: its least draw beside what the
/// others must have, at each circuit on its way, with stores giving all they can.
fn fits(horizon: &Horizon, rest: &Horizon, load: usize, t: usize) -> bool {
    let own = &horizon.loads[load];
    let whole: f64 = own.segments_mw.iter().sum();
    let least = own.floor_mw.at(t);
    if least > own.ceiling_mw.at(t).min(whole) {
        return false;
    }
    let needed = |circuit: Option<usize>| {
        let is_below =
            |at| circuit.is_none_or(|circuit| horizon.hangs_below(at, circuit));
        let floors = rest.loads.iter().filter(|load| is_below(load.feeder));
        let floors: f64 = floors.map(|load| load.floor_mw.at(t).max(0.0)).sum();
        let given = rest.batteries.iter().filter(|store| is_below(store.feeder));
        let given: f64 = given.map(|store| store.discharge_mw.at(t)).sum();
        least + floors - given
    };
    let grid = &horizon.grid;
    let mut keeps =
        needed(None) + grid.base_mw.at(t) <= grid.import_limit_mw.at(t) + WITHIN;
    let mut at = own.feeder;
    while let Some(circuit) = at {
        let limit = horizon.feeders[circuit].limit_mw.at(t);
        keeps &= needed(Some(circuit)) <= limit + WITHIN;
        at = horizon.feeders[circuit].parent;
    }
    keeps
}

/// To what limits are kept, MW.
const WITHIN: f64 = 1e-7;
