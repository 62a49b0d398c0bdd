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

mod asleep;

use std::cmp::Ordering;

use super::factor::{Factor, Sparse};
use asleep::{Asleep, Late};

/// Where a column that is not in the basis stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Basic(u32),
    Low,
    High,
}

/// What belongs to a column: side by side, as a step asks for all of it at once.
#[derive(Clone, Copy, Debug)]
struct Column {
    cost: f64,
    low: f64,
    high: f64,
    reduced: f64,
    /// Its figure in the row of the tableau that was worked out last.
    alpha: f64,
    place: Place,
    /// Where its entries begin.
    head: u32,
    seen: bool,
    has_moved: bool,
    /// Left out of its row for now.
    asleep: bool,
}

/// An entry of a column, and where its next stands.
#[derive(Clone, Copy, Debug)]
struct Entry {
    row: u32,
    next: u32,
    value: f64,
}

/// A column that could enter.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    /// How soon its reduced cost changes sign.
    ratio: f64,
    /// How much a unit of it brings back of what leaves, and how much all of it does.
    size: f64,
    reach: f64,
    column: usize,
}

impl Candidate {
    /// Which changes sign sooner; of two at once, which has the larger pivot.
    fn order(&self, other: &Self) -> Ordering {
        self.ratio
            .total_cmp(&other.ratio)
            .then(other.size.total_cmp(&self.size))
            .then(self.column.cmp(&other.column))
    }
}

/// A linear program and the state of its solution.
#[derive(Clone, Debug, Default)]
pub(super) struct Program {
    columns: Vec<Column>,
    /// Entries by row: where each row's begin, and last where they end.
    row_from: Vec<usize>,
    row_entries: Vec<(usize, f64)>,
    /// Entries by column, as lists.
    column_entries: Vec<Entry>,
    right: Vec<f64>,
    basis: Vec<usize>,
    basic: Vec<f64>,
    /// How far what is basic is outside its bounds, or how little within them.
    excess: Vec<f64>,
    factor: Factor,
    /// The row of the inverse that leaves, by row of `A`.
    rho: Sparse,
    /// The column that enters, by place in the basis.
    entering: Sparse,
    /// What flipped columns add, by row and then by place.
    flipped: Sparse,
    /// What the cost rises by per unit of each row's right side, once solved.
    multipliers: Vec<f64>,
    touched: Vec<usize>,
    /// Columns whose value changed since somebody asked, and whether all may have.
    moved: Vec<usize>,
    all_moved: bool,
    /// Whether values were worked out from the basis and not summed up in steps.
    is_exact: bool,
    candidates: Vec<Candidate>,
    /// Columns that do not sleep.
    awake: Vec<u32>,
    /// By row: what sleeps in it, and where what was added to it since begins.
    asleep: Vec<Asleep>,
    late_from: Vec<u32>,
    late: Vec<Late>,
    /// What costs this little more or less than what wakes is woken with it.
    near: f64,
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

const NONE: u32 = u32::MAX;
/// How far outside its bounds a value may be: a tenth of a watt, in MW.
const PRIMAL: f64 = 1e-8;
/// What is taken for zero in reduced costs and pivots.
const DUAL: f64 = 1e-9;
const PIVOT: f64 = 1e-9;
/// How far costs are moved apart, as a share of them.
const APART: f64 = 1e-6;
/// How often what was summed up may turn out not to stand.
pub(super) const ROUNDS: usize = 50;

impl Program {
    /// Begins anew; what costs as little as `near` more or less than what wakes is woken
    /// with it.
    pub(super) fn clear(&mut self, near: f64) {
        self.near = near;
        self.asleep.clear();
        self.late_from.clear();
        self.late.clear();
        self.multipliers.clear();
        self.columns.clear();
        self.row_from.clear();
        self.row_from.push(0);
        self.row_entries.clear();
        self.column_entries.clear();
        self.right.clear();
        self.basis.clear();
        self.basic.clear();
        self.excess.clear();
        self.moved.clear();
        self.pivots = 0;
    }

    /// Adds a column; returns its index.
    pub(super) fn column(&mut self, cost: f64, low: f64, high: f64) -> usize {
        debug_assert!(low <= high, "bounds in order");
        self.columns.push(Column {
            cost,
            low,
            high,
            reduced: 0.0,
            alpha: 0.0,
            place: Place::Low,
            head: NONE,
            seen: false,
            has_moved: false,
            asleep: false,
        });
        self.columns.len() - 1
    }

    /// Adds an entry to the row being written.
    pub(super) fn entry(&mut self, column: usize, value: f64) {
        let row = self.right.len() as u32;
        self.row_entries.push((column, value));
        let next = self.columns[column].head;
        self.columns[column].head = self.column_entries.len() as u32;
        self.column_entries.push(Entry { row, next, value });
    }

    /// Ends the row being written; `basic` is its first basic variable. Returns
    /// its index.
    pub(super) fn end_row(&mut self, right: f64, basic: usize) -> usize {
        self.right.push(right);
        self.row_from.push(self.row_entries.len());
        self.late_from.push(NONE);
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
        self.columns[column].place = Place::High;
    }

    /// Marks a column as one to choose for a first basis.
    pub(super) fn mark(&mut self, column: usize) {
        self.columns[column].seen = true;
    }

    /// Whether a column was marked.
    pub(super) fn is_marked(&self, column: usize) -> bool {
        self.columns[column].seen
    }

    /// The bounds of a column.
    pub(super) fn bounds(&self, column: usize) -> (f64, f64) {
        (self.columns[column].low, self.columns[column].high)
    }

    /// Whether a value would stand strictly between the bounds of a column.
    pub(super) fn is_inside(&self, column: usize, value: f64) -> bool {
        let (low, high) = self.bounds(column);
        value > low + 1e-7 && value < high - 1e-7
    }

    /// How many columns there are.
    pub(super) fn count(&self) -> usize {
        self.columns.len()
    }

    /// How many rows there are.
    pub(super) fn rows(&self) -> usize {
        self.right.len()
    }

    /// The value of a column.
    pub(super) fn value(&self, column: usize) -> f64 {
        let Column { low, high, place, .. } = self.columns[column];
        match place {
            Place::Basic(at) => self.basic[at as usize],
            Place::Low => low,
            Place::High => high,
        }
    }

    /// The sum of the values of columns.
    #[inline]
    pub(super) fn sum_of(&self, columns: std::ops::Range<usize>) -> f64 {
        let value = |column: &Column| match column.place {
            Place::Basic(at) => self.basic[at as usize],
            Place::Low => column.low,
            Place::High => column.high,
        };
        self.columns[columns].iter().map(value).sum()
    }

    /// The multiplier of a row, once solved: what the cost rises by per unit of its
    /// right side.
    pub(super) fn multiplier(&self, row: usize) -> f64 {
        self.multipliers.get(row).copied().unwrap_or(0.0)
    }

    /// Starts from the basis that was chosen with the rows. False if it is none.
    pub(super) fn start(&mut self) -> bool {
        self.awake.clear();
        for (at, column) in self.columns.iter_mut().enumerate() {
            column.seen = false;
            if !column.asleep {
                self.awake.push(at as u32);
            }
        }
        let rows = self.rows();
        for vector in [&mut self.rho, &mut self.entering, &mut self.flipped] {
            vector.reset(rows);
        }
        if !self.factor() {
            return false;
        }
        for (at, column) in self.basis.iter().enumerate() {
            self.columns[*column].place = Place::Basic(at as u32);
        }
        self.price_out();
        true
    }

    /// Factors the basis.
    fn factor(&mut self) -> bool {
        self.factor.begin(self.rows());
        for column in &self.basis {
            let mut entry = self.columns[*column].head;
            while entry != NONE {
                let Entry { row, next, value } = self.column_entries[entry as usize];
                self.factor.entry(row as usize, value);
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
            let cost = self.columns[*column].cost;
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
        self.wake_wrong();
        for column in &self.awake {
            let column = &mut self.columns[*column as usize];
            column.reduced = column.cost;
        }
        for row in 0..rows {
            let multiplier = self.multipliers[row];
            if multiplier == 0.0 {
                continue;
            }
            for (column, value) in
                &self.row_entries[self.row_from[row]..self.row_from[row + 1]]
            {
                self.columns[*column].reduced -= multiplier * value;
            }
            Self::each_late(&self.late, self.late_from[row], |column| {
                self.columns[column].reduced -= multiplier;
            });
        }
        for column in &self.awake {
            let column = &mut self.columns[*column as usize];
            if let Place::Basic(_) = column.place {
                column.reduced = 0.0;
                continue;
            }
            let finite = (column.low.is_finite(), column.high.is_finite());
            column.place = match finite {
                (true, false) => Place::Low,
                (false, _) => Place::High,
                (true, true) if column.reduced < -DUAL => Place::High,
                (true, true) if column.reduced > DUAL => Place::Low,
                (true, true) => column.place,
            };
        }
        self.all_moved = true;
        self.values();
    }

    /// Values of the basis from those of the others.
    fn values(&mut self) {
        let rows = self.rows();
        self.flipped.clear();
        for row in 0..rows {
            if self.right[row] != 0.0 {
                self.flipped.add(row, self.right[row]);
            }
        }
        let mut supply = std::mem::take(&mut self.flipped);
        for (row, sum) in self.sleeping() {
            supply.add(row, -sum);
        }
        for column in &self.awake {
            let column = &self.columns[*column as usize];
            let value = match column.place {
                Place::Basic(_) => continue,
                Place::Low => column.low,
                Place::High => column.high,
            };
            if value != 0.0 {
                add_column(&mut supply, &self.column_entries, column.head, -value);
            }
        }
        self.factor.solve(&mut supply);
        self.basic.clear();
        self.basic.extend((0..rows).map(|at| supply.at(at)));
        self.excess.resize(rows, 0.0);
        for at in 0..rows {
            self.excess[at] = self.outside(at);
        }
        self.flipped = supply;
        self.is_exact = true;
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
                if let Place::Basic(at) = self.columns[column].place {
                    self.factor.row_entry(at as usize, a);
                }
            }
            self.factor.end_row(begin, row, scale);
            self.columns[own].place = Place::Basic(row as u32);
            self.columns[own].reduced = 0.0;
            self.awake.push(own as u32);
            self.multipliers.push(0.0);
            self.basic.push(value / scale);
            self.excess.push(self.outside(row));
        }
    }

    /// Goes on until every value is within its bounds. Values are then summed up in
    /// steps, and there are no multipliers yet: see [`Self::finish`].
    ///
    /// Where many columns cost the same, steps can lead back to where they began. Then
    /// costs are moved apart a little, and back once that is solved.
    pub(super) fn solve(&mut self) -> Result<(), Failure> {
        match self.walk() {
            Err(Failure::Stuck) => {
                let costs: Vec<f64> = self.columns.iter().map(|c| c.cost).collect();
                for (at, column) in self.columns.iter_mut().enumerate() {
                    // The golden ratio spreads them over what is added.
                    let spread = (at as f64 * 0.618_033_988_749_895).fract();
                    column.cost += APART * (1.0 + column.cost.abs()) * (0.5 - spread);
                }
                self.begin_afresh()?;
                let apart = self.walk();
                for (column, cost) in self.columns.iter_mut().zip(costs) {
                    column.cost = cost;
                }
                self.begin_afresh()?;
                apart?;
                self.walk()
            }
            done => done,
        }
    }

    fn walk(&mut self) -> Result<(), Failure> {
        for _ in 0..200 + 20 * self.rows() {
            let Some((at, below)) = self.furthest_outside() else { return Ok(()) };
            if self.factor.is_worn() {
                self.begin_afresh()?;
                continue;
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

    /// Works out once more, from the basis, what was summed up in many steps, and
    /// the multipliers. False where that leaves something to solve.
    pub(super) fn finish(&mut self) -> bool {
        if !self.is_exact {
            self.values();
            if self.furthest_outside().is_some() {
                return false;
            }
        }
        self.multiply();
        if self.wake_wrong() {
            self.price_out();
            return false;
        }
        true
    }

    /// Solves to the end.
    pub(super) fn optimum(&mut self) -> Result<(), Failure> {
        for _ in 0..ROUNDS {
            self.solve()?;
            if self.finish() {
                return Ok(());
            }
        }
        Err(Failure::Stuck)
    }

    /// Writes the columns whose value changed since this was last asked. False if
    /// all may have.
    pub(super) fn take_moved(&mut self, moved: &mut Vec<usize>) -> bool {
        moved.clear();
        moved.append(&mut self.moved);
        moved.iter().for_each(|column| self.columns[*column].has_moved = false);
        !std::mem::take(&mut self.all_moved)
    }

    /// Factors the basis anew and works out what follows from it.
    fn begin_afresh(&mut self) -> Result<(), Failure> {
        if !self.factor() {
            return Err(Failure::Stuck);
        }
        self.price_out();
        Ok(())
    }

    /// How far the basic value at a place is outside its bounds.
    #[inline]
    fn outside(&self, at: usize) -> f64 {
        let Column { low, high, .. } = self.columns[self.basis[at]];
        (low - self.basic[at]).max(self.basic[at] - high)
    }

    /// The place that is furthest outside its bounds, and whether it is below.
    fn furthest_outside(&self) -> Option<(usize, bool)> {
        // Four side by side: one after the other, each would wait for the one before.
        let mut worst = [PRIMAL; 4];
        let (fours, rest) = self.excess.as_chunks::<4>();
        for four in fours {
            for (worst, excess) in worst.iter_mut().zip(four) {
                *worst = if excess > worst { *excess } else { *worst };
            }
        }
        let worst = worst.iter().chain(rest).copied().fold(PRIMAL, f64::max);
        if worst <= PRIMAL {
            return None;
        }
        let at = self.excess.iter().position(|excess| *excess == worst)?;
        Some((at, self.basic[at] < self.columns[self.basis[at]].low))
    }

    /// One step: what stands at `at` leaves for the bound it is beyond.
    fn step(&mut self, at: usize, below: bool) -> Result<bool, Failure> {
        self.rho.clear();
        self.rho.add(at, 1.0);
        self.factor.solve_turned(&mut self.rho);
        let leaving = self.basis[at];
        let (low, high) = self.bounds(leaving);
        let bound = if below { low } else { high };
        let slope = (self.basic[at] - bound).abs();
        let (flips, entering) = loop {
            self.tableau_row();
            self.gather_candidates(below);
            let Some((flips, chosen)) = self.choose(slope) else {
                if self.wake_touched() {
                    continue;
                }
                // All of them together do not bring it back.
                let rows = (0..self.rows()).filter(|row| self.rho.at(*row).abs() > 1e-9);
                return Err(Failure::Infeasible(rows.collect()));
            };
            let entering = self.candidates[chosen].column;
            let Column { reduced, alpha, .. } = self.columns[entering];
            if !self.wake_passed(reduced / alpha) {
                break (flips, entering);
            }
        };
        self.entering.clear();
        add_column(
            &mut self.entering,
            &self.column_entries,
            self.columns[entering].head,
            1.0,
        );
        self.factor.solve(&mut self.entering);
        let pivot = self.entering.at(at);
        if pivot.abs() < PIVOT
            || (pivot - self.columns[entering].alpha).abs() > 1e-6 * (1.0 + pivot.abs())
        {
            return Ok(false);
        }
        self.flip(flips);
        let dual = self.columns[entering].reduced / pivot;
        for column in &self.touched {
            let column = &mut self.columns[*column];
            if !matches!(column.place, Place::Basic(_)) {
                column.reduced -= dual * column.alpha;
            }
        }
        self.columns[entering].reduced = 0.0;
        self.columns[leaving].reduced = -dual;
        let mut from = 0;
        while let Some(row) = self.rho.next(from) {
            from = row + 1;
            self.multipliers[row] += dual * self.rho.at(row);
        }
        let primal = (self.basic[at] - bound) / pivot;
        let before = self.value(entering);
        let mut from = 0;
        while let Some(place) = self.entering.next(from) {
            from = place + 1;
            self.basic[place] -= primal * self.entering.at(place);
            self.excess[place] = self.outside(place);
            moves(&mut self.moved, &mut self.columns, self.basis[place]);
        }
        moves(&mut self.moved, &mut self.columns, entering);
        self.is_exact = false;
        self.basic[at] = before + primal;
        self.columns[leaving].place = if below { Place::Low } else { Place::High };
        self.columns[entering].place = Place::Basic(at as u32);
        self.basis[at] = entering;
        self.excess[at] = self.outside(at);
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
            let entries = &self.row_entries[self.row_from[row]..self.row_from[row + 1]];
            self.touched.reserve(entries.len());
            let mut add = |column: usize, value: f64| {
                let place = &mut self.columns[column];
                if !place.seen {
                    place.seen = true;
                    place.alpha = 0.0;
                    self.touched.push(column);
                }
                place.alpha += rho * value;
            };
            entries.iter().for_each(|(column, value)| add(*column, *value));
            Self::each_late(&self.late, self.late_from[row], |column| add(column, 1.0));
        }
    }

    /// Columns that can bring back what leaves, with how soon their reduced costs
    /// change sign and how much they bring.
    fn gather_candidates(&mut self, below: bool) {
        self.candidates.clear();
        for at in &self.touched {
            let column = &mut self.columns[*at];
            column.seen = false;
            let alpha = column.alpha;
            let toward = if below { alpha } else { -alpha };
            let eligible = match column.place {
                Place::Basic(_) => false,
                Place::Low => toward < -PIVOT,
                Place::High => toward > PIVOT,
            };
            if eligible && column.low < column.high {
                let (ratio, size) = ((column.reduced / alpha).abs(), alpha.abs());
                let reach = size * (column.high - column.low);
                self.candidates.push(Candidate { ratio, size, reach, column: *at });
            }
        }
    }

    /// How many candidates flip because they do not suffice alone to bring back
    /// `slope`, and which then enters: those that flip come first in the list.
    fn choose(&mut self, mut slope: f64) -> Option<(usize, usize)> {
        let list = &mut self.candidates;
        // Halved again and again around a candidate from the middle: those before it flip
        // as long as they do not suffice.
        let (mut from, mut to) = (0, list.len());
        while to - from > FEW {
            let middle = split(&mut list[from..to]) + from;
            let before: f64 = list[from..middle].iter().map(|one| one.reach).sum();
            if slope - before < PRIMAL {
                to = middle;
            } else {
                slope -= before;
                from = middle;
            }
        }
        list[from..to].sort_unstable_by(Candidate::order);
        let flips = (from..list.len()).find(|at| {
            slope -= list[*at].reach;
            slope < PRIMAL
        })?;
        // Of those as good as the chosen one, the largest pivot.
        let first = list[flips];
        let good = |one: &Candidate| one.ratio <= first.ratio + DUAL;
        let mut chosen = flips;
        for (at, one) in list.iter().enumerate().skip(flips + 1) {
            let best = &list[chosen];
            if good(one)
                && one.size > 10.0 * first.size
                && (one.size > best.size
                    || (one.size == best.size && one.order(best).is_lt()))
            {
                chosen = at;
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
            let column = self.candidates[place].column;
            let (low, high) = self.bounds(column);
            let range = high - low;
            let (to, change) = match self.columns[column].place {
                Place::Low => (Place::High, range),
                Place::High => (Place::Low, -range),
                Place::Basic(_) => continue,
            };
            self.columns[column].place = to;
            moves(&mut self.moved, &mut self.columns, column);
            let head = self.columns[column].head;
            add_column(&mut self.flipped, &self.column_entries, head, change);
        }
        self.factor.solve(&mut self.flipped);
        let mut from = 0;
        while let Some(place) = self.flipped.next(from) {
            from = place + 1;
            self.basic[place] -= self.flipped.at(place);
            self.excess[place] = self.outside(place);
            moves(&mut self.moved, &mut self.columns, self.basis[place]);
        }
    }
}

/// Notes that the value of a column changes.
#[inline]
fn moves(moved: &mut Vec<usize>, columns: &mut [Column], column: usize) {
    if !columns[column].has_moved {
        columns[column].has_moved = true;
        moved.push(column);
    }
}

/// Adds a column of `A`, so many times, to a vector by row.
fn add_column(to: &mut Sparse, entries: &[Entry], mut entry: u32, times: f64) {
    while entry != NONE {
        let Entry { row, next, value } = entries[entry as usize];
        to.add(row as usize, value * times);
        entry = next;
    }
}

/// Moves the candidates before one from the middle of the list in front of it; says where
/// it stands then, which is never at the front.
fn split(list: &mut [Candidate]) -> usize {
    let last = list.len() - 1;
    let middle = list.len() / 2;
    // The middle one of three, and the first of the others in front.
    let order = |list: &mut [Candidate], a: usize, b: usize| {
        if list[b].order(&list[a]).is_lt() {
            list.swap(a, b);
        }
    };
    order(list, 0, middle);
    order(list, middle, last);
    order(list, 0, middle);
    list.swap(middle, last);
    let pivot = list[last];
    let mut to = 0;
    for at in 0..last {
        if list[at].order(&pivot).is_lt() {
            list.swap(at, to);
            to += 1;
        }
    }
    list.swap(to, last);
    to
}

/// So few candidates are put in order and looked at one by one.
const FEW: usize = 8;
