//! The basis that a window begins with: read off the plan without ramps.
//!
//! What stands between its bounds in that plan is basic, and rows of limits that have a
//! price are written from the start, so few steps are left.

use super::super::answer::{Answer, RampPrice};
use super::super::horizon::Horizon;
use super::{PRICED, Row, Step, Window};

impl Window {
    /// The first basis: what stands between its bounds in the plan without ramps.
    /// Between two intervals in which a store is full or empty, one interval in
    /// which it is charged or discharged in part settles what is held.
    pub(super) fn choose_basis(&mut self, horizon: &Horizon, answer: &Answer) {
        let count = horizon.segments();
        let stores = horizon.batteries.len();
        let mut pool = vec![None; stores];
        for (store, pool) in pool.iter_mut().enumerate() {
            *pool =
                self.before[store].iter().copied().find(|c| self.program.is_marked(*c));
        }
        let mut row = 0;
        for at in 0..self.steps.len() {
            let columns = self.columns[at];
            let end = self.steps[at].to() - 1;
            let mut balance = None;
            if let Step::Interval(t) = self.steps[at] {
                let part = |column: &usize| {
                    let segment = t * count + column - columns.segments;
                    self.program.is_inside(*column, answer.segments_mw[segment])
                };
                // What stands below a full feeder is settled by the feeder's row.
                balance = (columns.segments..columns.grid)
                    .filter(part)
                    .find(|column| !self.is_below_full(horizon, answer, t, at, *column));
                if balance.is_none() {
                    let mut left = answer.exchange_mw[t] - columns.least;
                    balance = (columns.grid..columns.grid_end).find(|column| {
                        let part = self.program.is_inside(*column, left);
                        left -= self.program.bounds(*column).1;
                        part
                    });
                }
            }
            let balance_row = row;
            if let Step::Interval(_) = self.steps[at] {
                row += 1;
            }
            for store in 0..stores {
                match self.steps[at] {
                    Step::Interval(t) => {
                        let place = t * stores + store;
                        let moved = [
                            (columns.charge(store), answer.charge_mw[place]),
                            (columns.discharge(store), answer.discharge_mw[place]),
                        ];
                        let partly =
                            moved.iter().find(|(c, mw)| self.program.is_inside(*c, *mw));
                        if let Some((column, _)) = partly {
                            if balance.is_none() {
                                balance = Some(*column);
                            } else {
                                pool[store] = Some(*column);
                            }
                        }
                    }
                    Step::Stretch(..) => {
                        let mut pieces = columns.gains.0..columns.gains.1;
                        let part = pieces.find(|c| self.program.is_marked(*c));
                        pool[store] = part.or(pool[store]);
                    }
                }
                let held = columns.held(store);
                let marked = self.after[store]
                    .iter()
                    .copied()
                    .find(|c| self.program.is_marked(*c));
                let replaced = self.is_replaced(horizon, at, store);
                let basic = if replaced {
                    marked.or(pool[store].take()).unwrap_or(self.after[store][0])
                } else if self
                    .program
                    .is_inside(held, answer.stored_mwh[end * stores + store])
                {
                    held
                } else {
                    pool[store].take().unwrap_or(held)
                };
                self.program.set_basic(row, basic);
                row += 1;
                if self.rows.get(row) == Some(&Row::Worth(store)) {
                    self.program.set_basic(row, marked.unwrap_or(self.after[store][0]));
                    row += 1;
                }
            }
            if let Step::Interval(_) = self.steps[at] {
                let basic = balance.unwrap_or_else(|| columns.some_of_balance());
                self.program.set_basic(balance_row, basic);
            }
        }
    }

    /// Whether a load's column is below a feeder that has a price in a plan.
    fn is_below_full(
        &self,
        horizon: &Horizon,
        answer: &Answer,
        t: usize,
        at: usize,
        column: usize,
    ) -> bool {
        let segment = column - self.columns[at].segments;
        let load = self.first.partition_point(|first| *first <= segment) - 1;
        let prices = &answer.prices.feeders_usd_per_mwh[t * horizon.feeders.len()..];
        let mut above = horizon.loads[load].feeder;
        while let Some(feeder) = above {
            if prices[feeder] > PRICED {
                return true;
            }
            above = horizon.feeders[feeder].parent;
        }
        false
    }

    /// A basis whatever the plan: one column of each row's own.
    pub(super) fn safe_basis(&mut self, horizon: &Horizon) {
        for row in 0..self.rows.len() {
            let basic = match self.rows[row] {
                Row::Balance(at) => self.columns[at].some_of_balance(),
                Row::Stored(at, store) if self.is_replaced(horizon, at, store) => {
                    self.after[store][0]
                }
                Row::Stored(at, store) => self.columns[at].held(store),
                Row::Worth(store) => self.after[store][0],
                Row::Feeder(..) | Row::Ramp(..) => self.program.last_of(row),
            };
            self.program.set_basic(row, basic);
        }
    }

    /// Writes rows for ramps that have a price in the plan to start from: they bind
    /// again as a rule. What stands between its bounds next to such a ramp is basic
    /// in its row.
    pub(super) fn known_rows(
        &mut self,
        horizon: &Horizon,
        answer: &Answer,
        ramps: &[RampPrice],
    ) {
        let limits = horizon.feeders.len() + horizon.loads.len() + 1;
        let mut taken = std::mem::take(&mut self.taken);
        taken.clear();
        taken.resize(self.program.count(), false);
        self.program.basis().iter().for_each(|column| taken[*column] = true);
        self.known_feeders(horizon, answer, &mut taken);
        for price in ramps {
            let at = self.steps.partition_point(|step| step.to() <= price.t);
            if self.steps.get(at) != Some(&Step::Interval(price.t)) {
                continue;
            }
            let who = price.load.unwrap_or(horizon.loads.len());
            let ramp = horizon.ramp(price.load);
            let row = at * limits + horizon.feeders.len() + who;
            let earlier = self.earlier(at);
            let settled = self.settled_before(at, price.t, who, ramp);
            if self.has_row[row] || (earlier.is_none() && settled.is_none()) {
                continue;
            }
            self.has_row[row] = true;
            let between = [Some(at), earlier].into_iter().flatten().find_map(|at| {
                let t = self.steps[at].from();
                self.between(horizon, answer, at, t, price.load, &taken)
            });
            let written = self.program.rows();
            self.ramp_row(at, price.load, ramp);
            taken.resize(self.program.count(), false);
            if let Some(column) = between {
                taken[column] = true;
                self.program.set_basic(written, column);
            }
        }
        self.taken = taken;
    }

    /// The same of feeders that have a price: innermost first, so that each finds what
    /// stands between its bounds below it and is not taken.
    fn known_feeders(
        &mut self,
        horizon: &Horizon,
        answer: &Answer,
        taken: &mut Vec<bool>,
    ) {
        let feeders = horizon.feeders.len();
        let limits = feeders + horizon.loads.len() + 1;
        for at in 0..self.steps.len() {
            let Step::Interval(t) = self.steps[at] else { continue };
            for feeder in (0..feeders).rev() {
                if answer.prices.feeders_usd_per_mwh[t * feeders + feeder] <= PRICED {
                    continue;
                }
                let below = (0..horizon.loads.len())
                    .filter(|load| horizon.is_below(*load, feeder))
                    .find_map(|load| {
                        self.between(horizon, answer, at, t, Some(load), taken)
                    });
                self.has_row[at * limits + feeder] = true;
                let written = self.program.rows();
                self.feeder_row(horizon, at, feeder);
                taken.resize(self.program.count(), false);
                if let Some(column) = below {
                    taken[column] = true;
                    self.program.set_basic(written, column);
                }
            }
        }
    }

    /// A column of a load, or of the exchange, that stands between its bounds in a
    /// plan and is not taken.
    fn between(
        &self,
        horizon: &Horizon,
        answer: &Answer,
        at: usize,
        t: usize,
        load: Option<usize>,
        taken: &[bool],
    ) -> Option<usize> {
        let columns = self.columns[at];
        match load {
            Some(load) => self.of_load(at, load).find(|column| {
                let segment = t * horizon.segments() + column - columns.segments;
                !taken[*column]
                    && self.program.is_inside(*column, answer.segments_mw[segment])
            }),
            None => {
                let mut left = answer.exchange_mw[t] - columns.least;
                (columns.grid..columns.grid_end).find(|column| {
                    let part = self.program.is_inside(*column, left);
                    left -= self.program.bounds(*column).1;
                    part && !taken[*column]
                })
            }
        }
    }
}
