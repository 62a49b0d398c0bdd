//! Ramps: few bind, so the plan without them is repaired where it breaks them.
//!
//! Around every broken ramp a window is solved with all limits in it, against
//! what it costs to arrive at its first interval and to go on from its last. That
//! answers a problem with fewer limits than the real one: ramps count in windows
//! alone. If its plan keeps every ramp all the same, it answers the real one.
//! Where it does not, the window grows. Windows that pull on the same stored
//! energy in different directions become one: then no window hides what it costs
//! another, and prices agree across all of them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::answer::{AGREE, Answer, RampPrice};
use super::conflict::Conflict;
use super::free::Free;
use super::horizon::{Cap, Horizon, Ramp};
use super::known::is_same;
use super::window::{Gains, Outside, Step, Stop, Window};

/// Repairs ramps; keeps its buffers.
#[derive(Clone, Debug, Default)]
pub(super) struct Repair {
    window: Window,
    windows: Vec<Chain>,
    /// What has a ramp: so many loads, and then the exchange.
    ramped: Vec<Ramped>,
    ramped_loads: usize,
    /// Windows to solve, by how wide they are and where they begin.
    open: BinaryHeap<Reverse<(usize, usize)>>,
    steps: Vec<Step>,
    shared: Vec<Shared>,
    /// What each stretch that was ever laid out can gain.
    gains: BTreeMap<Step, Gains>,
}

/// A window: intervals with all limits, with stretches between, and whether its
/// plan stands.
#[derive(Clone, Debug, Default)]
struct Chain {
    /// Where all limits are looked at, in order and apart.
    parts: Vec<(usize, usize)>,
    /// Intervals between, after which what is held is bounded.
    splits: Vec<usize>,
    /// Ramps that have a price in its plan.
    ramps: Vec<RampPrice>,
    solved: bool,
    /// How often it grew: each time it reaches twice as far.
    grown: u32,
    /// What the plan held at its end when what follows was last fitted to that, MWh;
    /// nothing where it still is.
    fitted: Option<f64>,
}

impl Chain {
    fn from(&self) -> usize {
        self.parts[0].0
    }

    fn to(&self) -> usize {
        self.parts[self.parts.len() - 1].1
    }

    /// In how many intervals all limits are looked at.
    fn width(&self) -> usize {
        self.parts.iter().map(|(from, to)| to - from).sum()
    }

    /// Whether a ramp into an interval is looked at: both sides of it are.
    fn has_inside(&self, t: usize) -> bool {
        let part = self.parts.partition_point(|(_, to)| *to <= t);
        self.parts.get(part).is_some_and(|(from, _)| *from < t)
    }

    /// Looks at all limits in `from..to` too.
    fn widen(&mut self, from: usize, to: usize) {
        self.parts.push((from, to));
        self.tidy();
    }

    fn tidy(&mut self) {
        self.parts.sort_unstable();
        self.parts.dedup_by(|next, last| {
            let joins = next.0 <= last.1;
            if joins {
                last.1 = last.1.max(next.1);
            }
            joins
        });
        self.solved = false;
    }
}

/// What settles the plan within a stretch: what is held before and after it, MWh, and the
/// price of stored energy, where it is one and the plan keeps to it.
#[derive(Clone, Copy, Debug, Default)]
struct Shared {
    from: f64,
    to: f64,
    price: Option<f64>,
}

impl Shared {
    fn of(horizon: &Horizon, answer: &Answer, step: &Step) -> Self {
        let (Step::Stretch(from, to), [store, ..]) = (*step, &horizon.batteries[..])
        else {
            return Self::default();
        };
        let start = match from {
            0 => store.stored_mwh,
            t => answer.stored_mwh[t - 1],
        };
        let price = answer.prices.stored_usd_per_mwh[from];
        let mut before = start;
        let stands = (from..to).all(|t| {
            let charged = store.charge_efficiency * answer.charge_mw[t];
            let discharged = answer.discharge_mw[t] / store.discharge_efficiency;
            let held = before + horizon.hours * (charged - discharged);
            before = answer.stored_mwh[t];
            // Where fits of two windows met, what is held may not follow on.
            let follows = (held - before).abs() <= SAME
                && before >= store.stored_min_mwh.at(t) - SAME
                && before <= store.stored_max_mwh.at(t) + SAME;
            follows && (answer.prices.stored_usd_per_mwh[t] - price).abs() <= AGREE
        });
        Self { from: start, to: before, price: stands.then_some(price) }
    }

    /// Whether the plan that was settled so still stands.
    fn stands(&self, now: &Self) -> bool {
        let same = |a: f64, b: f64| (a - b).abs() <= SAME;
        let priced = self.price.zip(now.price);
        priced.is_some_and(|(a, b)| (a - b).abs() <= AGREE)
            && same(self.from, now.from)
            && same(self.to, now.to)
    }
}

/// Something whose movement is limited: its segments, or the exchange.
#[derive(Clone, Copy, Debug)]
struct Ramped {
    segments: Option<(usize, usize)>,
    up: f64,
    down: f64,
    before: Option<f64>,
}

/// Why a plan could not be repaired.
#[derive(Debug)]
pub(super) enum Unrepaired {
    /// Limits contradict each other.
    Conflict(Conflict),
    /// Windows grew too wide, or one could not be solved.
    TooWide,
}

impl Unrepaired {
    /// The conflict. A plan that could not be made to keep every ramp is no conflict:
    /// the answer says what it is.
    pub(super) fn told(self, answer: &mut Answer) -> Result<(), Conflict> {
        match self {
            Self::Conflict(conflict) => Err(conflict),
            Self::TooWide => {
                answer.found.relaxed = true;
                Ok(())
            }
        }
    }
}

/// How far a window reaches before and beyond a broken ramp, in intervals. What
/// lies outside is exact, so little is needed; it grows where it has to.
const BEFORE: usize = 2;
const AFTER: usize = 3;

/// The most rows of a window's first basis: beyond, the inverse costs too much.
const WIDEST: usize = 6_000;

impl Repair {
    /// Forgets the windows of another horizon.
    pub(super) fn begin(&mut self) {
        self.windows.clear();
    }

    /// Makes the plan of `answer`, the optimum without ramps, keep them. Where the same
    /// horizon is asked about again at other caps, windows begin as wide as they were.
    pub(super) fn repair(
        &mut self,
        horizon: &Horizon,
        free: &mut Free,
        caps: &[Cap],
        answer: &mut Answer,
    ) -> Result<(), Unrepaired> {
        let repaired = self.repair_all(horizon, free, caps, answer);
        // What did not succeed is still a plan to start from.
        let ramps = &mut answer.prices.ramps;
        self.windows.iter().for_each(|window| ramps.extend_from_slice(&window.ramps));
        ramps.sort_by_key(|price| price.t);
        repaired
    }

    fn repair_all(
        &mut self,
        horizon: &Horizon,
        free: &mut Free,
        caps: &[Cap],
        answer: &mut Answer,
    ) -> Result<(), Unrepaired> {
        self.watch(horizon);
        for window in &mut self.windows {
            (window.solved, window.grown, window.fitted) = (false, 0, None);
        }
        if self.ramped.is_empty() {
            return Ok(());
        }
        self.open_broken(horizon, answer);
        if self.windows.is_empty() {
            return Ok(());
        }
        free.backward(horizon);
        self.gains.clear();
        self.settle_all(horizon, free, caps, answer)?;
        // Where two windows are joined, those before need not agree any more.
        let (mut from, mut joined) = (0, false);
        loop {
            let Some(seam) = self.seam(horizon, answer, from) else {
                // What was fitted around a window that was then joined to another may
                // break a ramp that neither looks at.
                if !joined && !self.open_broken(horizon, answer) {
                    break;
                }
                self.settle_all(horizon, free, caps, answer)?;
                (from, joined) = (0, false);
                continue;
            };
            (from, joined) = (seam, true);
            let right = self.windows.partition_point(|window| window.from() <= seam);
            if right == 0 || right == self.windows.len() {
                return Err(Unrepaired::TooWide);
            }
            self.join(right - 1);
            self.settle_all(horizon, free, caps, answer)?;
        }
        answer.found.windows += self.windows.len();
        Ok(())
    }

    /// Opens a window around every ramp that the plan breaks and no window looks at.
    /// Says whether there was one.
    fn open_broken(&mut self, horizon: &Horizon, answer: &Answer) -> bool {
        let n = horizon.len();
        let (mut t, mut opened) = (0, false);
        while let Some(broken) = self.next_broken(horizon, answer, t, n) {
            t = broken + 1;
            if self.is_looked_at(broken) {
                continue;
            }
            opened = true;
            let (from, to) = (broken.saturating_sub(BEFORE), (broken + AFTER).min(n));
            let mut at = self.windows.partition_point(|window| window.from() < to);
            if at > 0 && self.windows[at - 1].to() >= from {
                at -= 1;
                self.windows[at].widen(from, to);
                self.join_overlapping(at);
            } else {
                let parts = vec![(from, to)];
                self.windows.insert(at, Chain { parts, ..Chain::default() });
            }
        }
        opened
    }

    /// Whether a window looks at a ramp into an interval.
    fn is_looked_at(&self, t: usize) -> bool {
        let around = self.windows.partition_point(|window| window.from() < t);
        around.checked_sub(1).is_some_and(|around| self.windows[around].has_inside(t))
    }

    /// Joins a window to those that it reaches into; returns where it stands then.
    fn join_overlapping(&mut self, mut at: usize) -> usize {
        while at + 1 < self.windows.len()
            && self.windows[at + 1].from() < self.windows[at].to()
        {
            self.join(at);
        }
        while at > 0 && self.windows[at - 1].to() > self.windows[at].from() {
            at -= 1;
            self.join(at);
        }
        at
    }

    /// Solves windows until all are. Narrow ones come first: what several of them reach
    /// into is then solved once with all of them.
    fn settle_all(
        &mut self,
        horizon: &Horizon,
        free: &mut Free,
        caps: &[Cap],
        answer: &mut Answer,
    ) -> Result<(), Unrepaired> {
        let unsolved = self.windows.iter().filter(|window| !window.solved);
        self.open.clear();
        self.open.extend(unsolved.map(|window| Reverse((window.width(), window.from()))));
        while let Some(Reverse((width, from))) = self.open.pop() {
            let at = self.windows.partition_point(|window| window.from() < from);
            // What was joined or has grown since stands in the list anew.
            let is_current = |window: &&Chain| {
                !window.solved && window.from() == from && window.width() == width
            };
            if self.windows.get(at).filter(is_current).is_none() {
                continue;
            }
            let at = self.settle(horizon, free, caps, answer, at)?;
            let window = &self.windows[at];
            if !window.solved {
                self.open.push(Reverse((window.width(), window.from())));
            }
        }
        Ok(())
    }

    /// Makes one window of two neighbours.
    fn join(&mut self, at: usize) {
        let next = self.windows.remove(at + 1);
        let window = &mut self.windows[at];
        if next.to() >= window.to() {
            window.fitted = next.fitted;
        }
        window.parts.extend(next.parts);
        window.splits.extend(next.splits);
        window.ramps.extend(next.ramps);
        window.grown = window.grown.max(next.grown);
        window.tidy();
    }

    /// Lays out the steps of a window: without a store there is nothing to know
    /// of what lies between its parts.
    fn lay_out(&mut self, free: &Free, at: usize) {
        self.steps.clear();
        let window = &mut self.windows[at];
        window.splits.sort_unstable();
        window.splits.dedup();
        let mut end = window.from();
        for (from, to) in &window.parts {
            let ends = window.splits.iter().map(|split| split + 1).chain([*from]);
            for to in ends {
                if to > end && to <= *from {
                    let step = Step::Stretch(end, to);
                    self.gains.entry(step).or_insert_with(|| free.gains_of(end, to));
                    self.steps.push(step);
                    end = to;
                }
            }
            self.steps.extend((*from..*to).map(Step::Interval));
            end = *to;
        }
    }

    /// Solves one window and fits the plan around it. Where that breaks a limit
    /// outside, or reaches into another window, the window has grown and is not
    /// solved. Returns where it stands then.
    fn settle(
        &mut self,
        horizon: &Horizon,
        free: &mut Free,
        caps: &[Cap],
        answer: &mut Answer,
        at: usize,
    ) -> Result<usize, Unrepaired> {
        let (from, to) = (self.windows[at].from(), self.windows[at].to());
        let n = horizon.len();
        self.lay_out(free, at);
        let stores = horizon.batteries.len();
        if self.steps.len() * (1 + stores) > WIDEST {
            return Err(Unrepaired::TooWide);
        }
        let (mut before, mut after) = (Vec::new(), Vec::new());
        if let Some(store) = horizon.batteries.first() {
            before.push(match from {
                0 => Outside::Held(store.stored_mwh),
                t => Outside::Costs(&free.arrive, free.to_here[t]),
            });
            after.push(if to == n {
                Outside::End
            } else {
                Outside::Costs(&free.onward, free.from_here[to])
            });
        }
        let outside = (before.as_slice(), after.as_slice());
        self.window.stand_alone();
        let ramps = &mut self.windows[at].ramps;
        let (steps, gains) = (&self.steps, &self.gains);
        let solved =
            self.window.solve(horizon, caps, steps, gains, outside, answer, ramps);
        answer.found.pivots += self.window.pivots();
        solved.map_err(|stop| match stop {
            Stop::Infeasible(conflict) => Unrepaired::Conflict(conflict),
            Stop::Stuck => Unrepaired::TooWide,
        })?;
        let planned = answer.stored_mwh.get(to - 1).copied().unwrap_or(0.0);
        self.shared.clear();
        self.shared
            .extend(self.steps.iter().map(|step| Shared::of(horizon, answer, step)));
        self.window.write(horizon, answer, ramps);
        let planned = *self.windows[at].fitted.get_or_insert(planned);
        self.windows[at].solved = true;
        for (step, before) in self.steps.iter().zip(&self.shared) {
            let Step::Stretch(from, to) = *step else { continue };
            if before.stands(&Shared::of(horizon, answer, step)) {
                continue;
            }
            let outside = free
                .share_out(horizon, caps, answer, (from, to))
                .map_err(Unrepaired::Conflict)?;
            if let Some(split) = outside {
                self.windows[at].splits.push(split);
                self.windows[at].solved = false;
            }
        }
        if !self.windows[at].solved {
            return Ok(at);
        }
        self.windows[at].fitted = None;
        let (mut first, mut last) = (from, to);
        if stores > 0 {
            let price = |t: usize| answer.prices.stored_usd_per_mwh[t];
            let back = (self.window.held_before(0), price(from));
            let on = (answer.stored_mwh[to - 1], price(to - 1));
            first = free
                .trace_back(horizon, caps, answer, from, back, true)
                .map_err(Unrepaired::Conflict)?;
            last = free
                .trace_on(horizon, caps, answer, to, on, planned)
                .map_err(Unrepaired::Conflict)?;
        }
        // What was fitted around lies within other windows: they are one, with all that
        // lie between. Those that are not solved yet see to themselves.
        let (mut at, mut overlaps) = (at, false);
        let until = self.windows.partition_point(|window| window.from() < last);
        let right = &self.windows[at + 1..until.max(at + 1)];
        let joined = right.iter().rposition(|window| window.solved).map_or(0, |k| k + 1);
        for _ in 0..joined {
            self.join(at);
            overlaps = true;
        }
        while at > 0 && self.windows[at - 1].to() > first {
            at -= 1;
            self.join(at);
            overlaps = true;
        }
        if overlaps {
            return Ok(at);
        }
        Ok(self.grow(horizon, answer, at, first, last))
    }

    /// Widens a window by the ramps that its plan breaks at its edges, in its
    /// stretches and in what was fitted around it. Returns where it stands then.
    fn grow(
        &mut self,
        horizon: &Horizon,
        answer: &Answer,
        at: usize,
        first: usize,
        last: usize,
    ) -> usize {
        let n = horizon.len();
        let mut broken = Vec::new();
        // What the window looks at itself keeps them.
        let parts = self.windows[at].parts.iter().map(|(from, to)| (from + 1, *to));
        let mut t = first;
        for (from, to) in parts.chain([(last + 1, last + 1)]) {
            while let Some(next) = self.next_broken(horizon, answer, t, from.min(n)) {
                t = next + 1;
                if !self.is_looked_at(next) {
                    broken.push(next);
                }
            }
            t = t.max(to);
        }
        let window = &mut self.windows[at];
        let far = 1 << window.grown.min(4);
        for t in broken {
            window.widen(t.saturating_sub(BEFORE * far), (t + AFTER * far).min(n));
        }
        window.grown += u32::from(!window.solved);
        self.join_overlapping(at)
    }

    /// The first interval from `from` on at whose end stored energy has two prices
    /// that nothing in the plan explains.
    fn seam(&self, horizon: &Horizon, answer: &Answer, from: usize) -> Option<usize> {
        let store = horizon.batteries.first()?;
        if self.windows.len() < 2 {
            return None;
        }
        let prices = &answer.prices.stored_usd_per_mwh;
        (from..horizon.len() - 1).find(|t| {
            let gain = prices[*t] - prices[t + 1];
            let held = answer.stored_mwh[*t];
            let best = if gain > 0.0 {
                store.stored_min_mwh.at(*t)
            } else {
                store.stored_max_mwh.at(*t)
            };
            gain * (held - best) > 1e-5
        })
    }

    fn watch(&mut self, horizon: &Horizon) {
        self.ramped.clear();
        let mut from = 0;
        for demand in &horizon.loads {
            let to = from + demand.segments_mw.len();
            if !demand.ramp.is_free() {
                let Ramp { up_mw: up, down_mw: down, before_mw: before } = demand.ramp;
                self.ramped.push(Ramped { segments: Some((from, to)), up, down, before });
            }
            from = to;
        }
        self.ramped_loads = self.ramped.len();
        if !horizon.grid.ramp.is_free() {
            let Ramp { up_mw: up, down_mw: down, before_mw: before } = horizon.grid.ramp;
            self.ramped.push(Ramped { segments: None, up, down, before });
        }
    }

    /// The first interval of `from..to` that is ramped into too fast.
    fn next_broken(
        &self,
        horizon: &Horizon,
        answer: &Answer,
        from: usize,
        to: usize,
    ) -> Option<usize> {
        let count = horizon.segments();
        let drawn = |ramped: &Ramped, t: usize| match ramped.segments {
            None => answer.exchange_mw[t],
            Some((from, to)) => {
                answer.segments_mw[t * count + from..t * count + to].iter().sum::<f64>()
            }
        };
        let all = &answer.segments_mw;
        (from..to).find(|t| {
            // Most of the time no load moves at all.
            let moves = t.checked_sub(1).is_none_or(|before| {
                !is_same(&all[before * count..][..count], &all[t * count..][..count])
            });
            let watched = if moves { 0 } else { self.ramped_loads };
            self.ramped[watched..].iter().any(|ramped| {
                if let (Some(before), Some((from, to))) =
                    (t.checked_sub(1), ramped.segments)
                    && is_same(
                        &all[before * count..][from..to],
                        &all[t * count..][from..to],
                    )
                {
                    return false;
                }
                let before = match t.checked_sub(1) {
                    Some(before) => drawn(ramped, before),
                    None => match ramped.before {
                        Some(before) => before,
                        None => return false,
                    },
                };
                let rise = drawn(ramped, *t) - before;
                rise > ramped.up + BROKEN || rise < -ramped.down - BROKEN
            })
        })
    }
}

/// Two stored energies this close are one, MWh.
const SAME: f64 = 1e-9;

/// A ramp is broken by more than this, MW.
const BROKEN: f64 = 1e-7;
