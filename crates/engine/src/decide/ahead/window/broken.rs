//! Limits that a window has no rows for yet: which of them its solution breaks.

use super::super::horizon::Horizon;
use super::{Columns, PRIMAL, Step, Window};

impl Window {
    /// Writes rows for feeders and ramps that the solution breaks. What nothing moved
    /// since they were last looked at keeps them.
    pub(super) fn add_broken(&mut self, horizon: &Horizon) {
        let mut moved = std::mem::take(&mut self.moved);
        let mut suspects = std::mem::take(&mut self.suspects);
        suspects.clear();
        if self.program.take_moved(&mut moved) {
            for column in &moved {
                self.suspect(horizon, *column, &mut suspects);
            }
            suspects.sort_unstable();
            suspects.dedup();
        } else {
            self.suspect_all(horizon, &mut suspects);
        }
        let limits = horizon.feeders.len() + horizon.loads.len() + 1;
        for row in &suspects {
            let (at, limit) = (row / limits, row % limits);
            let Step::Interval(t) = self.steps[at] else { continue };
            if self.has_row[*row] {
                continue;
            }
            if limit < horizon.feeders.len() {
                if self.is_over(horizon, at, limit) {
                    self.has_row[*row] = true;
                    self.feeder_row(horizon, at, limit);
                }
                continue;
            }
            let who = limit - horizon.feeders.len();
            let load = (who < horizon.loads.len()).then_some(who);
            let ramp = horizon.ramp(load);
            if ramp.is_free() {
                continue;
            }
            let before = match self.earlier(at) {
                Some(earlier) => self.drawn(earlier, load),
                None => match self.settled_before(at, t, who, ramp) {
                    Some(before) => before,
                    None => continue,
                },
            };
            let rise = self.drawn(at, load) - before;
            if rise > ramp.up_mw + PRIMAL || rise < -ramp.down_mw - PRIMAL {
                self.has_row[*row] = true;
                self.ramp_row(at, load, ramp);
            }
        }
        (self.moved, self.suspects) = (moved, suspects);
    }

    /// All feeders, and the ramps that something moves further than one way allows.
    fn suspect_all(&self, horizon: &Horizon, suspects: &mut Vec<usize>) {
        let feeders = horizon.feeders.len();
        let whos = horizon.loads.len() + 1;
        let loads = |who: usize| (who + 1 < whos).then_some(who);
        let mut before: Vec<f64> = Vec::with_capacity(whos);
        for at in 0..self.steps.len() {
            let first = at * (feeders + whos);
            suspects.extend(first..first + feeders);
            let Step::Interval(t) = self.steps[at] else {
                before.clear();
                continue;
            };
            let is_first = before.is_empty();
            for who in 0..whos {
                let ramp = horizon.ramp(loads(who));
                let free = ramp.is_free();
                let drawn = if free { 0.0 } else { self.drawn(at, loads(who)) };
                if is_first {
                    if !free && self.settled_before(at, t, who, ramp).is_some() {
                        suspects.push(first + feeders + who);
                    }
                    before.push(drawn);
                    continue;
                }
                let moved = drawn - before[who];
                if moved > ramp.up_mw || moved < -ramp.down_mw {
                    suspects.push(first + feeders + who);
                }
                before[who] = drawn;
            }
        }
    }

    /// The limits that a column counts for: feeders of its step, and ramps into the
    /// step and out of it.
    fn suspect(&self, horizon: &Horizon, column: usize, suspects: &mut Vec<usize>) {
        let from = |columns: &Columns| columns.segments;
        let Some(at) =
            self.columns.partition_point(|step| from(step) <= column).checked_sub(1)
        else {
            return;
        };
        let columns = self.columns[at];
        if matches!(self.steps[at], Step::Stretch(..)) || column >= columns.end {
            return;
        }
        let feeders = horizon.feeders.len();
        let limits = feeders + horizon.loads.len() + 1;
        let who = if column < columns.grid {
            let segment = column - columns.segments;
            self.first.partition_point(|first| *first <= segment) - 1
        } else if column < columns.grid_end {
            horizon.loads.len()
        } else {
            suspects.extend(at * limits..at * limits + feeders);
            return;
        };
        if who < horizon.loads.len() {
            suspects.extend(at * limits..at * limits + feeders);
        }
        suspects.push(at * limits + feeders + who);
        if at + 1 < self.steps.len() {
            suspects.push((at + 1) * limits + feeders + who);
        }
    }

    fn is_over(&self, horizon: &Horizon, at: usize, feeder: usize) -> bool {
        let columns = self.columns[at];
        let mut flow = 0.0;
        for load in 0..horizon.loads.len() {
            if horizon.is_below(load, feeder) {
                flow += self.drawn(at, Some(load));
            }
        }
        for (store, battery) in horizon.batteries.iter().enumerate() {
            if horizon.hangs_below(battery.feeder, feeder) {
                flow += self.program.value(columns.charge(store))
                    - self.program.value(columns.discharge(store));
            }
        }
        flow > horizon.feeders[feeder].limit_mw.at(self.steps[at].from()) + PRIMAL
    }
}
