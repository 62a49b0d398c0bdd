//! Seeks a plan: tries ways for machines to be on, and changes the best of them.
//!
//! Each try is one exact solution with the machines fixed. From the best plans it
//! goes on by
//! - **replies**: the best way of one machine while the others stay. What being on
//!   adds in an interval is worked out from that interval alone, solved with the
//!   machine on and off, stored energy and peaks at their prices; exact where nothing
//!   else couples intervals;
//! - **moves**: a start or a stop one interval earlier or later, a run dropped, added,
//!   shifted, or joined to the next;
//! - **exchanges**: one machine off as soon as it may be, or on as long as it can,
//!   another's reply to that, and its own reply.

use std::collections::BTreeMap;

use super::super::Solver;
use super::super::answer::Answer;
use super::super::horizon::{Block, Dated, End, Grid, Horizon, Ramp};
use super::{Problem, times};

/// From how many plans the search goes on.
const STARTS: usize = 4;

/// For how many machines all corners are looked at.
const CORNERS: usize = 7;

/// A gain no larger than this part of the cost is rounding.
const ROUNDING: f64 = 1e-9;

/// When each machine is on.
type Ways = Vec<Vec<bool>>;

/// What was tried, and the best of it.
pub(super) struct Search<'a> {
    problem: &'a Problem<'a>,
    fixed: Horizon,
    answer: Answer,
    tried: BTreeMap<Ways, f64>,
    best: Option<(Ways, Answer, f64)>,
    /// How many solutions are left.
    left: usize,
}

impl<'a> Search<'a> {
    pub(super) fn new(problem: &'a Problem<'a>, tries: usize) -> Self {
        Self {
            problem,
            fixed: problem.horizon.clone(),
            answer: Answer::default(),
            tried: BTreeMap::new(),
            best: None,
            left: tries.max(1),
        }
    }

    /// The best plan, and what it costs with its starts, USD.
    pub(super) fn into_best(self) -> Option<(Ways, Answer, f64)> {
        self.best
    }

    /// What a plan costs, USD: infinite where it keeps not all limits, or where all
    /// tries are used.
    pub(super) fn look_at(&mut self, solver: &mut Solver, on: &Ways) -> f64 {
        if let Some(usd) = self.tried.get(on) {
            return *usd;
        }
        if self.left == 0 {
            return f64::INFINITY;
        }
        self.left -= 1;
        let mut usd = f64::INFINITY;
        if self.solve(solver, on) {
            usd = self.answer.cost_usd + self.problem.starts_usd(on);
            if self.best.as_ref().is_none_or(|best| usd < best.2) {
                self.best = Some((on.clone(), self.answer.clone(), usd));
            }
        }
        self.tried.insert(on.clone(), usd);
        usd
    }

    /// The relaxation, rounded: on where it draws half of what it can, or what it
    /// must at the least, or anything at all.
    pub(super) fn look_at_relaxed(&mut self, solver: &mut Solver, relaxed: &Answer) {
        let problem = self.problem;
        let drawn: Vec<Vec<f64>> = problem
            .machines
            .iter()
            .map(|machine| {
                let before = problem.horizon.loads[..machine.load].iter();
                let before: usize = before.map(|load| load.segments_mw.len()).sum();
                let load = &problem.horizon.loads[machine.load];
                let share = |t: usize| {
                    let first = t * problem.horizon.segments() + before;
                    let own = &relaxed.segments_mw[first..][..load.segments_mw.len()];
                    let whole: f64 = load.segments_mw.iter().sum();
                    let most =
                        load.floor_mw.at(t).max(0.5 * load.ceiling_mw.at(t).min(whole));
                    let total: f64 = own.iter().sum();
                    if most > 0.0 { total / most } else { 0.0 }
                };
                (0..problem.horizon.len()).map(share).collect()
            })
            .collect();
        for least in [1.0 - 1e-6, 0.5, 1e-6] {
            self.look_at_wish(solver, |machine, t| drawn[machine][t] >= least);
        }
    }

    /// Shares of the time, rounded.
    pub(super) fn look_at_shares(&mut self, solver: &mut Solver, shares: &[Vec<f64>]) {
        self.look_at_wish(solver, |machine, t| shares[machine][t] >= 0.5);
    }

    /// Where nothing keeps all limits yet, each machine as little or as much on as
    /// it can be, in the order of counting.
    pub(super) fn look_at_corners(&mut self, solver: &mut Solver, least: &Ways) {
        let problem = self.problem;
        let wish = vec![true; problem.horizon.len()];
        let each = problem.machines.iter().zip(&problem.can);
        let most: Ways =
            each.map(|(machine, can)| times::nearest(machine, can, &wish)).collect();
        for corner in 0..1_usize << most.len().min(CORNERS) {
            if self.best.is_some() {
                return;
            }
            let mut on = least.clone();
            for (machine, way) in most.iter().enumerate().take(CORNERS) {
                if corner >> machine & 1 == 1 {
                    on[machine].clone_from(way);
                }
            }
            self.look_at(solver, &on);
        }
    }

    /// What the best plan so far costs, USD.
    pub(super) fn best_usd(&self) -> Option<f64> {
        self.best.as_ref().map(|best| best.2)
    }

    /// The permitted plan nearest to a wish.
    fn look_at_wish(&mut self, solver: &mut Solver, wish: impl Fn(usize, usize) -> bool) {
        let problem = self.problem;
        let n = problem.horizon.len();
        let own = problem.machines.iter().zip(&problem.can).enumerate();
        let ways = own.map(|(place, (machine, can))| {
            let wish: Vec<bool> = (0..n).map(|t| wish(place, t)).collect();
            times::nearest(machine, can, &wish)
        });
        self.look_at(solver, &ways.collect());
    }

    /// Goes on from the best plans so far, each with a share of the tries.
    pub(super) fn improve(&mut self, solver: &mut Solver) {
        let mut starts: Vec<(f64, Ways)> =
            self.tried.iter().map(|(on, usd)| (*usd, on.clone())).collect();
        starts.retain(|(usd, _)| *usd < f64::INFINITY);
        starts.sort_by(|one, other| one.0.total_cmp(&other.0));
        starts.truncate(STARTS);
        let all = self.left;
        let count = starts.len();
        for (place, (usd, on)) in starts.into_iter().enumerate() {
            // What one leaves the next may use.
            let held = (all / count * (count - 1 - place)).min(self.left);
            self.left -= held;
            self.improve_one(solver, on, usd);
            self.left += held;
        }
    }

    fn improve_one(&mut self, solver: &mut Solver, mut on: Ways, mut usd: f64) {
        let machines = self.problem.machines.len();
        while self.left > 0 {
            let before = usd;
            for machine in 0..machines {
                if let Some(way) = self.reply(solver, &on, machine) {
                    self.keep_better(solver, &mut on, &mut usd, &[(machine, way)]);
                }
            }
            for machine in 0..machines {
                for way in self.moves(&on[machine], machine) {
                    self.keep_better(solver, &mut on, &mut usd, &[(machine, way)]);
                }
            }
            if is_less(usd, before) {
                continue;
            }
            for one in 0..machines {
                for other in (0..machines).filter(|other| *other != one) {
                    self.exchange(solver, &mut on, &mut usd, (one, other));
                }
            }
            if !is_less(usd, before) {
                return;
            }
        }
    }

    /// Takes a change where it pays.
    fn keep_better(
        &mut self,
        solver: &mut Solver,
        on: &mut Ways,
        usd: &mut f64,
        changes: &[(usize, Vec<bool>)],
    ) {
        let mut changed = on.clone();
        for (machine, way) in changes {
            changed[*machine].clone_from(way);
        }
        let found = self.look_at(solver, &changed);
        if is_less(found, *usd) {
            (*on, *usd) = (changed, found);
        }
    }

    /// Makes one machine do as little or as much as it can, and another reply.
    fn exchange(
        &mut self,
        solver: &mut Solver,
        on: &mut Ways,
        usd: &mut f64,
        (one, other): (usize, usize),
    ) {
        let problem = self.problem;
        for wish in [false, true] {
            let wish = vec![wish; problem.horizon.len()];
            let mut changed = on.clone();
            changed[one] =
                times::nearest(&problem.machines[one], &problem.can[one], &wish);
            let Some(reply) = self.reply(solver, &changed, other) else { continue };
            changed[other] = reply;
            if let Some(reply) = self.reply(solver, &changed, one) {
                changed[one] = reply;
            }
            let found = self.look_at(solver, &changed);
            if is_less(found, *usd) {
                (*on, *usd) = (changed, found);
            }
        }
    }

    /// The best way of a machine while the others stay.
    fn reply(
        &mut self,
        solver: &mut Solver,
        on: &Ways,
        machine: usize,
    ) -> Option<Vec<bool>> {
        // About as much as two whole solutions.
        self.left = self.left.checked_sub(2)?;
        let problem = self.problem;
        let coupled = !problem.horizon.batteries.is_empty()
            || !problem.horizon.grid.peaks.is_empty();
        if coupled && !self.solve(solver, on) {
            return None;
        }
        problem.fix(&mut self.fixed, on);
        let load = problem.machines[machine].load;
        let own = &problem.horizon.loads[load];
        let mut answer = Answer::default();
        let mut cost = |horizon: &Horizon| {
            let solved = solver.try_into(horizon, &mut answer);
            solved.map_or(IMPOSSIBLE_USD, |()| answer.cost_usd)
        };
        let added = |t: usize| {
            if !problem.can[machine][t] {
                return f64::INFINITY;
            }
            let mut alone = interval(&self.fixed, &self.answer, coupled, t);
            alone.loads[load].floor_mw = Dated::Always(own.floor_mw.at(t));
            alone.loads[load].ceiling_mw = Dated::Always(own.ceiling_mw.at(t));
            let on_usd = cost(&alone);
            alone.loads[load].floor_mw = Dated::Always(0.0);
            alone.loads[load].ceiling_mw = Dated::Always(0.0);
            on_usd - cost(&alone)
        };
        let usd: Vec<f64> = (0..problem.horizon.len()).map(added).collect();
        Some(times::best(&problem.machines[machine], &usd).on)
    }

    /// Small changes of a way, those that are permitted.
    fn moves(&self, on: &[bool], machine: usize) -> Vec<Vec<bool>> {
        let n = on.len();
        let own = &self.problem.machines[machine];
        let mut moves = Vec::new();
        let mut change = |spans: &[(usize, usize, bool)]| {
            let mut way = on.to_vec();
            for (from, to, is_on) in spans {
                way[*from..*to].fill(*is_on);
            }
            let can = &self.problem.can[machine];
            let can_be = way.iter().zip(can).all(|(on, can)| *can || !*on);
            if can_be && times::permits(own, &way) {
                moves.push(way);
            }
        };
        let mut from = 0;
        while from < n {
            let is_on = on[from];
            let to = (from..n).find(|t| on[*t] != is_on).unwrap_or(n);
            // Dropped or joined; shorter at either end; longer at either.
            change(&[(from, to, !is_on)]);
            change(&[(from, from + 1, !is_on)]);
            change(&[(to - 1, to, !is_on)]);
            if is_on && to < n {
                change(&[(from, from + 1, false), (to, to + 1, true)]);
            }
            if is_on && from > 0 {
                change(&[(from - 1, from, true), (to - 1, to, false)]);
            }
            if !is_on {
                for start in from..to {
                    change(&[(start, start.saturating_add(own.up.max(1)).min(to), true)]);
                }
            }
            from = to;
        }
        moves
    }

    /// Solves with machines fixed; whether all limits can be kept.
    fn solve(&mut self, solver: &mut Solver, on: &Ways) -> bool {
        self.problem.fix(&mut self.fixed, on);
        if self.fixed.is_empty() {
            self.answer.fit(&self.fixed);
            return true;
        }
        solver.try_into(&self.fixed, &mut self.answer).is_ok()
    }
}

/// What an interval that keeps not all limits is taken to cost, USD: more than any
/// that does, and not so much that others are lost beside it.
const IMPOSSIBLE_USD: f64 = 1e9;

fn is_less(usd: f64, than: f64) -> bool {
    usd < than - ROUNDING * than.abs().max(1.0)
}

/// Interval `t` alone, with stores and peaks at the prices of an answer where they
/// couple it with others. Ramps are left to who looks at the whole.
fn interval(horizon: &Horizon, answer: &Answer, coupled: bool, t: usize) -> Horizon {
    let grid = &horizon.grid;
    let prices = &answer.prices;
    let peak = if coupled { prices.peak_usd_per_mwh[t].max(0.0) } else { 0.0 };
    let at = |figure: &Dated| Dated::Always(figure.at(t));
    let block = |block: &Block| Block {
        from: 0,
        to: 1,
        mw: block.mw,
        resale_usd_per_mwh: Dated::Always(block.resale_usd_per_mwh.at(t) + peak),
    };
    let mut alone = Horizon {
        hours: horizon.hours,
        grid: Grid {
            import_usd_per_mwh: vec![grid.import_usd_per_mwh[t] + peak],
            export_usd_per_mwh: Some(vec![horizon.price(t).export]),
            import_limit_mw: at(&grid.import_limit_mw),
            export_limit_mw: at(&grid.export_limit_mw),
            base_mw: at(&grid.base_mw),
            ramp: Ramp::FREE,
            blocks: grid
                .blocks
                .iter()
                .filter(|b| (b.from..b.to).contains(&t))
                .map(block)
                .collect(),
            peaks: Vec::new(),
        },
        feeders: horizon.feeders.clone(),
        loads: horizon.loads.clone(),
        worth_usd_per_mwh: horizon.worth_usd_per_mwh[t * horizon.segments()..]
            [..horizon.segments()]
            .to_vec(),
        batteries: horizon.batteries.clone(),
    };
    for feeder in &mut alone.feeders {
        feeder.limit_mw = at(&feeder.limit_mw);
    }
    for load in &mut alone.loads {
        (load.floor_mw, load.ceiling_mw) = (at(&load.floor_mw), at(&load.ceiling_mw));
        load.ramp = Ramp::FREE;
    }
    let stores = horizon.batteries.len();
    for (store, battery) in alone.batteries.iter_mut().enumerate() {
        (battery.charge_mw, battery.discharge_mw) =
            (at(&battery.charge_mw), at(&battery.discharge_mw));
        (battery.stored_min_mwh, battery.stored_max_mwh) =
            (at(&battery.stored_min_mwh), at(&battery.stored_max_mwh));
        if t > 0 {
            battery.stored_mwh = answer.stored_mwh[(t - 1) * stores + store];
        }
        let worth = prices.stored_usd_per_mwh[t * stores + store].max(0.0);
        battery.end = End::Worth(vec![(battery.stored_max_mwh.at(0), worth)]);
    }
    alone
}
