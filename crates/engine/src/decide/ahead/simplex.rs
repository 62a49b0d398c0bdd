//! A small linear program, solved exactly: the dual simplex method with bounds.
//!
//! Minimise `cost x` subject to `A x = right` and `low <= x <= high`. Rows may be
//! added to a solved program, and the next solution starts from the last. Almost
//! every column is bounded on both sides, so any basis becomes dual feasible by
//! moving the others to the right bound; from there each step takes the variable
//! furthest outside its bounds out of the basis, and takes in the one that keeps
//! reduced costs of the right sign, flipping on the way the bounds of those that
//! do not suffice alone. The inverse of the basis is kept dense: programs here
//! have some dozens of rows.
//!
//! Deterministic: ties go to the larger pivot, then to the lower index.

/// Where a column that is not in the basis stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Basic(usize),
    Low,
    High,
}

/// A linear program and the state of its solution.
#[derive(Clone, Debug, Default)]
pub(super) struct Program {
    cost: Vec<f64>,
    low: Vec<f64>,
    high: Vec<f64>,
    place: Vec<Place>,
    reduced: Vec<f64>,
    /// Entries by row: where each row's begin, and last where they end.
    row_from: Vec<usize>,
    row_entries: Vec<(usize, f64)>,
    /// Entries by column, as lists.
    column_head: Vec<usize>,
    column_entries: Vec<(usize, f64, usize)>,
    right: Vec<f64>,
    basis: Vec<usize>,
    basic: Vec<f64>,
    /// Row `p` of the inverse, that of the variable at place `p`, by row of `A`.
    inverse: Vec<f64>,
    stride: usize,
    alpha: Vec<f64>,
    touched: Vec<usize>,
    seen: Vec<bool>,
    column: Vec<f64>,
    work: Vec<f64>,
    candidates: Vec<(f64, f64, usize)>,
    /// Steps taken since the program was begun.
    pub(super) pivots: usize,
}

/// Why a program has no solution.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Failure {
    /// No values keep all of these rows together with the bounds.
    Infeasible(Vec<usize>),
    /// Rounding or degeneracy was in the way.
    Stuck,
}

const NONE: usize = usize::MAX;
/// How far outside its bounds a value may be: a tenth of a watt, in MW.
const PRIMAL: f64 = 1e-8;
/// What is taken for zero in reduced costs and pivots.
const DUAL: f64 = 1e-9;
const PIVOT: f64 = 1e-9;

impl Program {
    /// Begins anew.
    pub(super) fn clear(&mut self) {
        self.cost.clear();
        self.low.clear();
        self.high.clear();
        self.place.clear();
        self.reduced.clear();
        self.row_from.clear();
        self.row_from.push(0);
        self.row_entries.clear();
        self.column_head.clear();
        self.column_entries.clear();
        self.right.clear();
        self.basis.clear();
        self.basic.clear();
        self.seen.clear();
        self.alpha.clear();
        self.pivots = 0;
    }

    /// Adds a column; returns its index.
    pub(super) fn column(&mut self, cost: f64, low: f64, high: f64) -> usize {
        debug_assert!(low <= high, "bounds in order");
        self.cost.push(cost);
        self.low.push(low);
        self.high.push(high);
        self.place.push(Place::Low);
        self.reduced.push(0.0);
        self.column_head.push(NONE);
        self.alpha.push(0.0);
        self.seen.push(false);
        self.cost.len() - 1
    }

    /// Adds an entry to the row being written.
    pub(super) fn entry(&mut self, column: usize, value: f64) {
        let row = self.right.len();
        self.row_entries.push((column, value));
        self.column_entries.push((row, value, self.column_head[column]));
        self.column_head[column] = self.column_entries.len() - 1;
    }

    /// Ends the row being written; `basic` is its first basic variable. Returns
    /// its index.
    pub(super) fn end_row(&mut self, right: f64, basic: usize) -> usize {
        self.right.push(right);
        self.row_from.push(self.row_entries.len());
        self.basis.push(basic);
        self.right.len() - 1
    }

    /// The basic variables, row by row.
    pub(super) fn basis(&self) -> &[usize] {
        &self.basis
    }

    /// The column of a row's last entry.
    pub(super) fn last_of(&self, row: usize) -> usize {
        self.row_entries[self.row_from[row + 1] - 1].0
    }

    /// Chooses another first basic variable for a row.
    pub(super) fn set_basic(&mut self, row: usize, basic: usize) {
        self.basis[row] = basic;
    }

    /// Stands a column at its upper bound as long as its cost does not object.
    pub(super) fn prefer_high(&mut self, column: usize) {
        self.place[column] = Place::High;
    }

    /// Marks a column as one to choose for a first basis.
    pub(super) fn mark(&mut self, column: usize) {
        self.seen[column] = true;
    }

    /// Whether a column was marked.
    pub(super) fn is_marked(&self, column: usize) -> bool {
        self.seen[column]
    }

    /// The bounds of a column.
    pub(super) fn bounds(&self, column: usize) -> (f64, f64) {
        (self.low[column], self.high[column])
    }

    /// Whether a value would stand strictly between the bounds of a column.
    pub(super) fn is_inside(&self, column: usize, value: f64) -> bool {
        value > self.low[column] + 1e-7 && value < self.high[column] - 1e-7
    }

    /// How many columns there are.
    pub(super) fn count(&self) -> usize {
        self.cost.len()
    }

    /// How many rows there are.
    pub(super) fn rows(&self) -> usize {
        self.right.len()
    }

    /// The value of a column.
    pub(super) fn value(&self, column: usize) -> f64 {
        match self.place[column] {
            Place::Basic(at) => self.basic[at],
            Place::Low => self.low[column],
            Place::High => self.high[column],
        }
    }

    /// The multiplier of a row: what the cost rises by per unit of its right
    /// side.
    pub(super) fn multiplier(&self, row: usize) -> f64 {
        let mut sum = 0.0;
        for (at, column) in self.basis.iter().enumerate() {
            let cost = self.cost[*column];
            if cost != 0.0 {
                sum += cost * self.inverse[at * self.stride + row];
            }
        }
        sum
    }

    /// Starts from the basis that was chosen with the rows. False if it is none.
    pub(super) fn start(&mut self) -> bool {
        self.seen.fill(false);
        let rows = self.rows();
        self.stride = rows + 16;
        if !self.invert() {
            return false;
        }
        for (at, column) in self.basis.iter().enumerate() {
            self.place[*column] = Place::Basic(at);
        }
        self.price_out();
        true
    }

    /// Works out the inverse of the basis. Most entries are zero and stay so.
    fn invert(&mut self) -> bool {
        let rows = self.rows();
        let stride = self.stride;
        self.inverse.clear();
        self.inverse.resize(stride * stride, 0.0);
        // `left` starts as the basis by row of A and column of the basis, the
        // inverse as the unit matrix; elimination turns the first into the unit
        // matrix and the second into the inverse.
        self.work.clear();
        self.work.resize(rows * rows, 0.0);
        for (at, column) in self.basis.iter().enumerate() {
            let mut entry = self.column_head[*column];
            while entry != NONE {
                let (row, value, next) = self.column_entries[entry];
                if row < rows {
                    self.work[row * rows + at] = value;
                }
                entry = next;
            }
        }
        let mut unit = vec![0.0; rows * rows];
        for row in 0..rows {
            unit[row * rows + row] = 1.0;
        }
        let mut used = vec![false; rows];
        let mut row_of = vec![NONE; rows];
        let mut nonzero: Vec<usize> = Vec::with_capacity(rows);
        let mut unit_nonzero: Vec<usize> = Vec::with_capacity(rows);
        for at in 0..rows {
            let mut best = (0.0, NONE);
            for row in 0..rows {
                let size = self.work[row * rows + at].abs();
                if !used[row] && size > best.0 {
                    best = (size, row);
                }
            }
            let (size, pivot) = best;
            if size < 1e-7 {
                return false;
            }
            used[pivot] = true;
            row_of[at] = pivot;
            let scale = 1.0 / self.work[pivot * rows + at];
            nonzero.clear();
            unit_nonzero.clear();
            for k in 0..rows {
                if self.work[pivot * rows + k] != 0.0 {
                    self.work[pivot * rows + k] *= scale;
                    nonzero.push(k);
                }
                if unit[pivot * rows + k] != 0.0 {
                    unit[pivot * rows + k] *= scale;
                    unit_nonzero.push(k);
                }
            }
            for row in 0..rows {
                let factor = self.work[row * rows + at];
                if row == pivot || factor == 0.0 {
                    continue;
                }
                for k in &nonzero {
                    let value = self.work[pivot * rows + k];
                    self.work[row * rows + k] -= factor * value;
                }
                for k in &unit_nonzero {
                    let value = unit[pivot * rows + k];
                    unit[row * rows + k] -= factor * value;
                }
            }
        }
        for at in 0..rows {
            let from = row_of[at] * rows;
            self.inverse[at * stride..at * stride + rows]
                .copy_from_slice(&unit[from..from + rows]);
        }
        true
    }

    /// Reduced costs and values from the inverse; what is not basic goes to the
    /// bound its reduced cost wants.
    fn price_out(&mut self) {
        let rows = self.rows();
        let multipliers: Vec<f64> = (0..rows).map(|row| self.multiplier(row)).collect();
        self.reduced.copy_from_slice(&self.cost);
        for row in 0..rows {
            let multiplier = multipliers[row];
            if multiplier == 0.0 {
                continue;
            }
            for (column, value) in
                &self.row_entries[self.row_from[row]..self.row_from[row + 1]]
            {
                self.reduced[*column] -= multiplier * value;
            }
        }
        for column in 0..self.cost.len() {
            if let Place::Basic(_) = self.place[column] {
                self.reduced[column] = 0.0;
                continue;
            }
            let reduced = self.reduced[column];
            let finite = (self.low[column].is_finite(), self.high[column].is_finite());
            self.place[column] = match finite {
                (true, false) => Place::Low,
                (false, _) => Place::High,
                (true, true) if reduced < -DUAL => Place::High,
                (true, true) if reduced > DUAL => Place::Low,
                (true, true) => self.place[column],
            };
        }
        self.values();
    }

    /// Values of the basis from those of the others.
    fn values(&mut self) {
        let rows = self.rows();
        self.column.clear();
        self.column.extend_from_slice(&self.right);
        for column in 0..self.cost.len() {
            let value = match self.place[column] {
                Place::Basic(_) => continue,
                Place::Low => self.low[column],
                Place::High => self.high[column],
            };
            if value == 0.0 {
                continue;
            }
            let mut entry = self.column_head[column];
            while entry != NONE {
                let (row, a, next) = self.column_entries[entry];
                self.column[row] -= a * value;
                entry = next;
            }
        }
        self.basic.clear();
        for at in 0..rows {
            let inverse = &self.inverse[at * self.stride..at * self.stride + rows];
            let mut sum = 0.0;
            for (a, b) in inverse.iter().zip(&self.column) {
                sum += a * b;
            }
            self.basic.push(sum);
        }
    }

    /// Takes in rows that were written since the last solution; their first basic
    /// variable stands in no other row.
    pub(super) fn take_in_rows(&mut self, from: usize) {
        let rows = self.rows();
        if rows > self.stride {
            let (old, stride) = (self.stride, rows + 16);
            let mut wider = vec![0.0; stride * stride];
            for at in 0..from {
                wider[at * stride..at * stride + from]
                    .copy_from_slice(&self.inverse[at * old..at * old + from]);
            }
            self.inverse = wider;
            self.stride = stride;
        }
        let stride = self.stride;
        for row in from..rows {
            for at in 0..row {
                self.inverse[at * stride + row] = 0.0;
            }
            for k in 0..rows {
                self.inverse[row * stride + k] = 0.0;
            }
            let own = self.basis[row];
            let mut scale = 1.0;
            let mut value = self.right[row];
            for entry in self.row_from[row]..self.row_from[row + 1] {
                let (column, a) = self.row_entries[entry];
                if column == own {
                    scale = 1.0 / a;
                    continue;
                }
                value -= a * self.value(column);
                if let Place::Basic(at) = self.place[column] {
                    for k in 0..row {
                        let inverse = self.inverse[at * stride + k];
                        self.inverse[row * stride + k] -= a * inverse;
                    }
                }
            }
            self.inverse[row * stride + row] = 1.0;
            for k in 0..=row {
                self.inverse[row * stride + k] *= scale;
            }
            self.place[own] = Place::Basic(row);
            self.reduced[own] = 0.0;
            self.basic.push(value * scale);
        }
    }

    /// Goes on until every value is within its bounds.
    pub(super) fn solve(&mut self) -> Result<(), Failure> {
        let most = 200 + 20 * self.rows();
        let mut fresh = false;
        for step in 0..most {
            let Some((at, below)) = self.furthest_outside() else {
                // What was summed up in many steps is worked out once more.
                if step == 0 || fresh {
                    return Ok(());
                }
                self.values();
                fresh = true;
                continue;
            };
            fresh = false;
            if self.step(at, below)? {
                self.pivots += 1;
            } else {
                return Err(Failure::Stuck);
            }
        }
        Err(Failure::Stuck)
    }

    fn furthest_outside(&self) -> Option<(usize, bool)> {
        let mut worst = (PRIMAL, None);
        for (at, column) in self.basis.iter().enumerate() {
            let value = self.basic[at];
            let below = self.low[*column] - value;
            let above = value - self.high[*column];
            if below > worst.0 {
                worst = (below, Some((at, true)));
            } else if above > worst.0 {
                worst = (above, Some((at, false)));
            }
        }
        worst.1
    }

    /// One step: what stands at `at` leaves for the bound it is beyond.
    fn step(&mut self, at: usize, below: bool) -> Result<bool, Failure> {
        let rows = self.rows();
        let stride = self.stride;
        // The row of the tableau, over the rows of A that it touches.
        self.touched.clear();
        for row in 0..rows {
            let rho = self.inverse[at * stride + row];
            if rho.abs() < 1e-13 {
                continue;
            }
            for (column, value) in
                &self.row_entries[self.row_from[row]..self.row_from[row + 1]]
            {
                if !self.seen[*column] {
                    self.seen[*column] = true;
                    self.alpha[*column] = 0.0;
                    self.touched.push(*column);
                }
                self.alpha[*column] += rho * value;
            }
        }
        self.candidates.clear();
        for column in &self.touched {
            self.seen[*column] = false;
            let alpha = self.alpha[*column];
            let toward = if below { alpha } else { -alpha };
            let eligible = match self.place[*column] {
                Place::Basic(_) => false,
                Place::Low => toward < -PIVOT,
                Place::High => toward > PIVOT,
            };
            if eligible && self.low[*column] < self.high[*column] {
                let ratio = (self.reduced[*column] / alpha).abs();
                self.candidates.push((ratio, alpha.abs(), *column));
            }
        }
        let leaving = self.basis[at];
        let bound = if below { self.low[leaving] } else { self.high[leaving] };
        let mut slope = (self.basic[at] - bound).abs();
        self.candidates.sort_unstable_by(|a, b| {
            a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)).then(a.2.cmp(&b.2))
        });
        let mut chosen = None;
        for (place, (_, size, column)) in self.candidates.iter().enumerate() {
            slope -= size * (self.high[*column] - self.low[*column]);
            if slope < PRIMAL {
                chosen = Some(place);
                break;
            }
        }
        let Some(mut chosen) = chosen else {
            // All of them together do not bring it back.
            let rows = (0..rows)
                .filter(|row| self.inverse[at * stride + row].abs() > 1e-9)
                .collect();
            return Err(Failure::Infeasible(rows));
        };
        // Of those as good as the chosen one, the largest pivot.
        let limit = self.candidates[chosen].0 + DUAL;
        let flips = chosen;
        for (place, (ratio, size, _)) in
            self.candidates.iter().enumerate().skip(chosen + 1)
        {
            if *ratio > limit {
                break;
            }
            if *size > 10.0 * self.candidates[chosen].1 {
                chosen = place;
            }
        }
        let entering = self.candidates[chosen].2;
        // Flip what stands before it.
        self.work.clear();
        self.work.resize(rows, 0.0);
        let mut any = false;
        for place in 0..flips {
            let column = self.candidates[place].2;
            let range = self.high[column] - self.low[column];
            let (to, change) = match self.place[column] {
                Place::Low => (Place::High, range),
                Place::High => (Place::Low, -range),
                Place::Basic(_) => continue,
            };
            self.place[column] = to;
            any = true;
            let mut entry = self.column_head[column];
            while entry != NONE {
                let (row, value, next) = self.column_entries[entry];
                self.work[row] += value * change;
                entry = next;
            }
        }
        if any {
            for place in 0..rows {
                let inverse = &self.inverse[place * stride..place * stride + rows];
                let mut sum = 0.0;
                for (a, b) in inverse.iter().zip(&self.work) {
                    sum += a * b;
                }
                self.basic[place] -= sum;
            }
        }
        // The entering column, in terms of the basis.
        self.column.clear();
        self.column.resize(rows, 0.0);
        let mut entry = self.column_head[entering];
        while entry != NONE {
            let (row, value, next) = self.column_entries[entry];
            for place in 0..rows {
                self.column[place] += self.inverse[place * stride + row] * value;
            }
            entry = next;
        }
        let pivot = self.column[at];
        if pivot.abs() < PIVOT {
            return Ok(false);
        }
        let dual = self.reduced[entering] / pivot;
        for column in &self.touched {
            if !matches!(self.place[*column], Place::Basic(_)) {
                self.reduced[*column] -= dual * self.alpha[*column];
            }
        }
        self.reduced[entering] = 0.0;
        self.reduced[leaving] = -dual;
        let primal = (self.basic[at] - bound) / pivot;
        let before = self.value(entering);
        for place in 0..rows {
            self.basic[place] -= primal * self.column[place];
        }
        self.basic[at] = before + primal;
        self.place[leaving] = if below { Place::Low } else { Place::High };
        self.place[entering] = Place::Basic(at);
        self.basis[at] = entering;
        self.update_inverse(at, pivot);
        Ok(true)
    }

    fn update_inverse(&mut self, at: usize, pivot: f64) {
        let rows = self.rows();
        let stride = self.stride;
        let scale = 1.0 / pivot;
        self.work.clear();
        for value in &mut self.inverse[at * stride..at * stride + rows] {
            *value *= scale;
            if value.abs() < 1e-14 {
                *value = 0.0;
            }
            self.work.push(*value);
        }
        for place in 0..rows {
            let factor = self.column[place];
            if place == at || factor == 0.0 {
                continue;
            }
            let row = &mut self.inverse[place * stride..place * stride + rows];
            for (value, pivot) in row.iter_mut().zip(&self.work) {
                *value -= factor * pivot;
            }
        }
    }
}
