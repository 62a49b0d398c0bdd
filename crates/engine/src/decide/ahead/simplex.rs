//! A small linear program, solved exactly: the dual simplex method with bounds.
//!
//! Minimise `cost x` subject to `A x = right` and `low <= x <= high`. Rows may be
//! added to a solved program, and the next solution starts from the last. Almost
//! every column is bounded on both sides, so any basis becomes dual feasible by
//! moving the others to the right bound; from there each step takes the variable
//! furthest outside its bounds out of the basis, and takes in the one that keeps
//! reduced costs of the right sign, flipping on the way the bounds of those that
//! do not suffice alone. The basis is kept factored (`factor`), and every vector that
//! is solved for knows where it is not zero: a step costs what it reaches.
//!
//! Deterministic: ties go to the larger pivot, then to the lower index.

use super::factor::{Factor, Sparse};

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
    factor: Factor,
    /// The row of the inverse that leaves, by row of `A`.
    rho: Sparse,
    /// The column that enters, by place in the basis.
    entering: Sparse,
    /// What flipped columns add, by row and then by place.
    flipped: Sparse,
    /// What the cost rises by per unit of each row's right side, once solved.
    multipliers: Vec<f64>,
    alpha: Vec<f64>,
    touched: Vec<usize>,
    seen: Vec<bool>,
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

    /// The multiplier of a row, once solved: what the cost rises by per unit of its
    /// right side.
    pub(super) fn multiplier(&self, row: usize) -> f64 {
        self.multipliers.get(row).copied().unwrap_or(0.0)
    }

    /// Starts from the basis that was chosen with the rows. False if it is none.
    pub(super) fn start(&mut self) -> bool {
        self.seen.fill(false);
        let rows = self.rows();
        for vector in [&mut self.rho, &mut self.entering, &mut self.flipped] {
            vector.reset(rows);
        }
        if !self.factor() {
            return false;
        }
        for (at, column) in self.basis.iter().enumerate() {
            self.place[*column] = Place::Basic(at);
        }
        self.price_out();
        true
    }

    /// Factors the basis.
    fn factor(&mut self) -> bool {
        self.factor.begin(self.rows());
        for column in &self.basis {
            let mut entry = self.column_head[*column];
            while entry != NONE {
                let (row, value, next) = self.column_entries[entry];
                self.factor.entry(row, value);
                entry = next;
            }
            self.factor.end_column();
        }
        self.factor.factor(&self.basis)
    }

    /// Multipliers from the costs of the basis.
    fn multiply(&mut self) {
        self.rho.clear();
        for (at, column) in self.basis.iter().enumerate() {
            let cost = self.cost[*column];
            if cost != 0.0 {
                self.rho.add(at, cost);
            }
        }
        self.factor.solve_turned(&mut self.rho);
        self.multipliers.clear();
        self.multipliers.extend((0..self.basis.len()).map(|row| self.rho.at(row)));
    }

    /// Reduced costs and values from the basis; what is not basic goes to the
    /// bound its reduced cost wants.
    fn price_out(&mut self) {
        let rows = self.rows();
        self.multiply();
        self.reduced.copy_from_slice(&self.cost);
        for row in 0..rows {
            let multiplier = self.multipliers[row];
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
        let supply = &mut self.flipped;
        supply.clear();
        for row in 0..rows {
            if self.right[row] != 0.0 {
                supply.add(row, self.right[row]);
            }
        }
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
                supply.add(row, -a * value);
                entry = next;
            }
        }
        self.factor.solve(supply);
        self.basic.clear();
        self.basic.extend((0..rows).map(|at| supply.at(at)));
    }

    /// Takes in rows that were written since the last solution; their first basic
    /// variable stands in no other row.
    pub(super) fn take_in_rows(&mut self, from: usize) {
        let rows = self.rows();
        for vector in [&mut self.rho, &mut self.entering, &mut self.flipped] {
            vector.reset(rows);
        }
        for row in from..rows {
            let own = self.basis[row];
            let mut scale = 1.0;
            let mut value = self.right[row];
            let begin = self.factor.begin_row();
            for entry in self.row_from[row]..self.row_from[row + 1] {
                let (column, a) = self.row_entries[entry];
                if column == own {
                    scale = a;
                    continue;
                }
                value -= a * self.value(column);
                if let Place::Basic(at) = self.place[column] {
                    self.factor.row_entry(at, a);
                }
            }
            self.factor.end_row(begin, row, scale);
            self.place[own] = Place::Basic(row);
            self.reduced[own] = 0.0;
            self.basic.push(value / scale);
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
                    self.multiply();
                    return Ok(());
                }
                self.values();
                fresh = true;
                continue;
            };
            fresh = false;
            if self.factor.is_worn() {
                self.begin_afresh()?;
            }
            if self.step(at, below)? {
                self.pivots += 1;
            } else if self.factor.is_fresh() {
                return Err(Failure::Stuck);
            } else {
                self.begin_afresh()?;
            }
        }
        Err(Failure::Stuck)
    }

    /// Factors the basis anew and works out what follows from it.
    fn begin_afresh(&mut self) -> Result<(), Failure> {
        if !self.factor() {
            return Err(Failure::Stuck);
        }
        self.price_out();
        Ok(())
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
        self.rho.clear();
        self.rho.add(at, 1.0);
        self.factor.solve_turned(&mut self.rho);
        self.tableau_row();
        self.gather_candidates(below);
        let leaving = self.basis[at];
        let bound = if below { self.low[leaving] } else { self.high[leaving] };
        let Some((flips, chosen)) = self.choose((self.basic[at] - bound).abs()) else {
            // All of them together do not bring it back.
            let rows = (0..self.rows()).filter(|row| self.rho.at(*row).abs() > 1e-9);
            return Err(Failure::Infeasible(rows.collect()));
        };
        let entering = self.candidates[chosen].2;
        self.entering.clear();
        add_column(
            &mut self.entering,
            &self.column_entries,
            self.column_head[entering],
            1.0,
        );
        self.factor.solve(&mut self.entering);
        let pivot = self.entering.at(at);
        if pivot.abs() < PIVOT
            || (pivot - self.alpha[entering]).abs() > 1e-6 * (1.0 + pivot.abs())
        {
            return Ok(false);
        }
        self.flip(flips);
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
        let mut from = 0;
        while let Some(place) = self.entering.next(from) {
            from = place + 1;
            self.basic[place] -= primal * self.entering.at(place);
        }
        self.basic[at] = before + primal;
        self.place[leaving] = if below { Place::Low } else { Place::High };
        self.place[entering] = Place::Basic(at);
        self.basis[at] = entering;
        self.factor.exchange(at, &self.entering);
        Ok(true)
    }

    /// The row of the tableau of `rho`, over the columns that it touches.
    fn tableau_row(&mut self) {
        self.touched.clear();
        let mut from = 0;
        while let Some(row) = self.rho.next(from) {
            from = row + 1;
            let rho = self.rho.at(row);
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
    }

    /// Columns that can bring back what leaves, with how soon their reduced costs
    /// change sign and how much they bring.
    fn gather_candidates(&mut self, below: bool) {
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
    }

    /// How many candidates flip because they do not suffice alone to bring back
    /// `slope`, and which then enters.
    fn choose(&mut self, mut slope: f64) -> Option<(usize, usize)> {
        let count = self.candidates.len();
        let mut sorted = 0;
        let mut chosen = None;
        for place in 0..count {
            sorted = sort_until(&mut self.candidates, sorted, place);
            let (_, size, column) = self.candidates[place];
            slope -= size * (self.high[column] - self.low[column]);
            if slope < PRIMAL {
                chosen = Some(place);
                break;
            }
        }
        let flips = chosen?;
        // Of those as good as the chosen one, the largest pivot.
        let limit = self.candidates[flips].0 + DUAL;
        let mut chosen = flips;
        for place in flips + 1..count {
            sorted = sort_until(&mut self.candidates, sorted, place);
            let (ratio, size, _) = self.candidates[place];
            if ratio > limit {
                break;
            }
            if size > 10.0 * self.candidates[chosen].1 {
                chosen = place;
            }
        }
        Some((flips, chosen))
    }

    /// Moves the first candidates from one bound to the other.
    fn flip(&mut self, count: usize) {
        if count == 0 {
            return;
        }
        self.flipped.clear();
        for place in 0..count {
            let column = self.candidates[place].2;
            let range = self.high[column] - self.low[column];
            let (to, change) = match self.place[column] {
                Place::Low => (Place::High, range),
                Place::High => (Place::Low, -range),
                Place::Basic(_) => continue,
            };
            self.place[column] = to;
            let head = self.column_head[column];
            add_column(&mut self.flipped, &self.column_entries, head, change);
        }
        self.factor.solve(&mut self.flipped);
        let mut from = 0;
        while let Some(place) = self.flipped.next(from) {
            from = place + 1;
            self.basic[place] -= self.flipped.at(place);
        }
    }
}

/// Adds a column of `A`, so many times, to a vector by row.
fn add_column(
    to: &mut Sparse,
    entries: &[(usize, f64, usize)],
    mut entry: usize,
    times: f64,
) {
    while entry != NONE {
        let (row, value, next) = entries[entry];
        to.add(row, value * times);
        entry = next;
    }
}

/// Makes sure that the candidates up to `place` are the first and in order; so many
/// are already. Few are ever asked for.
fn sort_until(list: &mut [(f64, f64, usize)], sorted: usize, place: usize) -> usize {
    if place < sorted {
        return sorted;
    }
    let before = |a: &(f64, f64, usize), b: &(f64, f64, usize)| {
        a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)).then(a.2.cmp(&b.2))
    };
    let rest = &mut list[sorted..];
    let more = (8 + 3 * sorted).min(rest.len());
    if more < rest.len() {
        rest.select_nth_unstable_by(more, before);
    }
    rest[..more].sort_unstable_by(before);
    sorted + more
}
