//! Ramps: few bind, so the plan without them is repaired where it breaks them.
//!
//! Around every broken ramp a window is solved with all limits in it, against
//! what it costs to arrive at its first interval and to go on from its last. That
//! answers a problem with fewer limits than the real one: ramps count in windows
//! alone. If its plan keeps every ramp all the same, it answers the real one.
//! Where it does not, the window grows. Windows that pull on the same stored
//! energy in different directions become one: then no window hides what it costs
//! another, and prices agree across all of them.

use super::answer::Answer;
use super::conflict::Conflict;
use super::free::Free;
use super::horizon::{Cap, Horizon, Ramp};
use super::window::{Gains, Outside, Step, Stop, Window};

/// Repairs ramps; keeps its buffers.
#[derive(Clone, Debug, Default)]
pub(super) struct Repair {
    window: Window,
    windows: Vec<Chain>,
    ramped: Vec<Ramped>,
    steps: Vec<Step>,
    gains: Vec<Gains>,
}

/// A window: intervals with all limits, with stretches between, and whether its
/// plan stands.
#[derive(Clone, Debug)]
struct Chain {
    /// Where all limits are looked at, in order and apart.
    parts: Vec<(usize, usize)>,
    /// Intervals between, after which what is held is bounded.
    splits: Vec<usize>,
    solved: bool,
    /// How often it grew: each time it reaches twice as far.
    grown: u32,
}

impl Chain {
    fn from(&self) -> usize {
        self.parts[0].0
    }

    fn to(&self) -> usize {
        self.parts[self.parts.len() - 1].1
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
    /// Makes the plan of `answer`, the optimum without ramps, keep them.
    pub(super) fn repair(
        &mut self,
        horizon: &Horizon,
        free: &mut Free,
        caps: &[Cap],
        answer: &mut Answer,
    ) -> Result<(), Unrepaired> {
        self.watch(horizon);
        self.windows.clear();
        let n = horizon.len();
        let mut t = 0;
        while let Some(broken) = self.next_broken(horizon, answer, t, n) {
            let from = broken.saturating_sub(BEFORE);
            let to = (broken + AFTER).min(n);
            match self.windows.last_mut() {
                Some(last) if last.to() >= from => last.widen(from, to),
                Some(_) | None => {
                    let (parts, splits) = (vec![(from, to)], Vec::new());
                    self.windows.push(Chain { parts, splits, solved: false, grown: 0 });
                }
            }
            t = broken + 1;
        }
        if self.windows.is_empty() {
            return Ok(());
        }
        free.backward(horizon);
        self.settle_all(horizon, free, caps, answer)?;
        // Where two windows are joined, those before need not agree any more.
        let (mut from, mut joined) = (0, false);
        loop {
            let Some(seam) = self.seam(horizon, answer, from) else {
                if !joined {
                    break;
                }
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

    fn settle_all(
        &mut self,
        horizon: &Horizon,
        free: &mut Free,
        caps: &[Cap],
        answer: &mut Answer,
    ) -> Result<(), Unrepaired> {
        while let Some(at) = self.windows.iter().position(|window| !window.solved) {
            self.settle(horizon, free, caps, answer, at)?;
        }
        Ok(())
    }

    /// Makes one window of two neighbours.
    fn join(&mut self, at: usize) {
        let next = self.windows.remove(at + 1);
        let window = &mut self.windows[at];
        window.parts.extend(next.parts);
        window.splits.extend(next.splits);
        window.grown = window.grown.max(next.grown);
        window.tidy();
    }

    /// Lays out the steps of a window: without a store there is nothing to know
    /// of what lies between its parts.
    fn lay_out(&mut self, free: &Free, at: usize) {
        self.steps.clear();
        self.gains.clear();
        let window = &mut self.windows[at];
        window.splits.sort_unstable();
        window.splits.dedup();
        let mut end = window.from();
        for (from, to) in &window.parts {
            let ends = window.splits.iter().map(|split| split + 1).chain([*from]);
            for to in ends {
                if to > end && to <= *from {
                    self.gains.push(free.gains_of(end, to));
                    self.steps.push(Step::Stretch(end, to));
                    end = to;
                }
            }
            self.steps.extend((*from..*to).map(Step::Interval));
            end = *to;
        }
    }

    /// Solves one window and fits the plan around it. Where that breaks a limit
    /// outside, or reaches into another window, the window has grown and is not
    /// solved.
    fn settle(
        &mut self,
        horizon: &Horizon,
        free: &mut Free,
        caps: &[Cap],
        answer: &mut Answer,
        at: usize,
    ) -> Result<(), Unrepaired> {
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
                t => Outside::Costs(&free.arrive, free.marks[t].arrive),
            });
            after.push(if to == n {
                Outside::End
            } else {
                Outside::Costs(&free.onward, free.from_here[to])
            });
        }
        let outside = (before.as_slice(), after.as_slice());
        self.window.stand_alone();
        let solved =
            self.window.solve(horizon, caps, &self.steps, &self.gains, outside, answer);
        answer.found.pivots += self.window.pivots();
        solved.map_err(|stop| match stop {
            Stop::Infeasible(conflict) => Unrepaired::Conflict(conflict),
            Stop::Stuck => Unrepaired::TooWide,
        })?;
        let planned = answer.stored_mwh.get(to - 1).copied().unwrap_or(0.0);
        self.window.write(horizon, answer);
        self.windows[at].solved = true;
        for step in &self.steps {
            let Step::Stretch(from, to) = *step else { continue };
            let outside = free
                .share_out(horizon, caps, answer, (from, to))
                .map_err(Unrepaired::Conflict)?;
            if let Some(split) = outside {
                self.windows[at].splits.push(split);
                self.windows[at].solved = false;
            }
        }
        if !self.windows[at].solved {
            return Ok(());
        }
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
        // What was fitted around lies within other windows: they are one.
        let (mut at, mut overlaps) = (at, false);
        while at + 1 < self.windows.len()
            && self.windows[at + 1].solved
            && self.windows[at + 1].from() < last
        {
            self.join(at);
            overlaps = true;
        }
        while at > 0 && self.windows[at - 1].to() > first {
            at -= 1;
            self.join(at);
            overlaps = true;
        }
        if !overlaps {
            self.grow(horizon, answer, at, first, last);
        }
        Ok(())
    }

    /// Widens a window by the ramps that its plan breaks at its edges, in its
    /// stretches and in what was fitted around it.
    fn grow(
        &mut self,
        horizon: &Horizon,
        answer: &Answer,
        at: usize,
        first: usize,
        last: usize,
    ) {
        let n = horizon.len();
        let mut t = first;
        let inside = |parts: &[(usize, usize)], t: usize| {
            parts.iter().any(|(a, b)| *a < t && t < *b)
        };
        let parts = self.windows[at].parts.clone();
        while let Some(broken) = self.next_broken(horizon, answer, t, (last + 1).min(n)) {
            t = broken + 1;
            let elsewhere = self
                .windows
                .iter()
                .enumerate()
                .any(|(other, window)| other != at && inside(&window.parts, broken));
            if !inside(&parts, broken) && !elsewhere {
                let far = 1 << self.windows[at].grown.min(4);
                let to = (broken + AFTER * far).min(n);
                self.windows[at].widen(broken.saturating_sub(BEFORE * far), to);
            }
        }
        self.windows[at].grown += u32::from(!self.windows[at].solved);
        while at + 1 < self.windows.len()
            && self.windows[at + 1].from() < self.windows[at].to()
        {
            self.join(at);
        }
        if at > 0 && self.windows[at - 1].to() > self.windows[at].from() {
            self.join(at - 1);
        }
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
        (from..to).find(|t| {
            self.ramped.iter().any(|ramped| {
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

/// A ramp is broken by more than this, MW.
const BROKEN: f64 = 1e-7;
