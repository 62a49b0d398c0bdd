//! The basis of a linear program, factored: two sparse triangles and what changed
//! since.
//!
//! Most of a basis is triangular as it stands: a column with one entry in rows that
//! are left, or a row with one in columns that are left, is eliminated without
//! touching anything else. What remains is eliminated column by column in order of
//! time, each taking the row that is large enough and stands in the fewest columns.
//! A column exchanged or a row added later is kept as such and applied after the
//! triangles (before them in the transposed system), until so many have gathered
//! that factoring anew is cheaper.
//!
//! Vectors are mostly zeros. [`Sparse`] keeps a bit for each place that is not, and
//! every solution walks over bits alone, so it takes as long as what it reaches is
//! wide.

/// A vector of mostly zeros.
#[derive(Clone, Debug, Default)]
pub(super) struct Sparse {
    value: Vec<f64>,
    bits: Vec<u64>,
}

impl Sparse {
    /// All zeros, of a length.
    pub(super) fn reset(&mut self, length: usize) {
        self.clear();
        self.value.resize(length, 0.0);
        self.bits.resize(length.div_ceil(64), 0);
    }

    /// All zeros.
    pub(super) fn clear(&mut self) {
        for word in 0..self.bits.len() {
            let mut bits = std::mem::take(&mut self.bits[word]);
            while bits != 0 {
                self.value[word * 64 + bits.trailing_zeros() as usize] = 0.0;
                bits &= bits - 1;
            }
        }
    }

    #[inline]
    pub(super) fn at(&self, place: usize) -> f64 {
        self.value[place]
    }

    #[inline]
    pub(super) fn add(&mut self, place: usize, value: f64) {
        self.value[place] += value;
        self.bits[place / 64] |= 1 << (place % 64);
    }

    #[inline]
    fn set(&mut self, place: usize, value: f64) {
        self.value[place] = value;
        self.bits[place / 64] |= 1 << (place % 64);
    }

    #[inline]
    fn forget(&mut self, place: usize) {
        self.value[place] = 0.0;
        self.bits[place / 64] &= !(1 << (place % 64));
    }

    /// The first place from `place` on that need not be zero.
    #[inline]
    pub(super) fn next(&self, place: usize) -> Option<usize> {
        let mut word = place / 64;
        let mut bits = self.bits.get(word)? & (u64::MAX << (place % 64));
        while bits == 0 {
            word += 1;
            bits = *self.bits.get(word)?;
        }
        Some(word * 64 + bits.trailing_zeros() as usize)
    }

    /// The last place before `place` that need not be zero.
    #[inline]
    fn last(&self, place: usize) -> Option<usize> {
        let mut word = place / 64;
        let mut bits = match place % 64 {
            0 => 0,
            within => self.bits[word] & ((1 << within) - 1),
        };
        while bits == 0 {
            word = word.checked_sub(1)?;
            bits = self.bits[word];
        }
        Some(word * 64 + 63 - bits.leading_zeros() as usize)
    }
}

/// Lists of places and values, one after the other.
#[derive(Clone, Debug, Default)]
struct Lists {
    from: Vec<u32>,
    entries: Vec<(u32, f64)>,
}

impl Lists {
    fn clear(&mut self) {
        self.from.clear();
        self.from.push(0);
        self.entries.clear();
    }

    fn end(&mut self) {
        self.from.push(self.entries.len() as u32);
    }

    #[inline]
    fn at(&self, list: usize) -> &[(u32, f64)] {
        &self.entries[self.from[list] as usize..self.from[list + 1] as usize]
    }

    /// Those of `other`, by what is a place there.
    fn turn(&mut self, other: &Self, count: usize, cursor: &mut Vec<u32>) {
        cursor.clear();
        cursor.resize(count + 1, 0);
        for (place, _) in &other.entries {
            cursor[*place as usize + 1] += 1;
        }
        for place in 0..count {
            cursor[place + 1] += cursor[place];
        }
        self.from.clear();
        self.from.extend_from_slice(cursor);
        self.entries.clear();
        self.entries.resize(other.entries.len(), (0, 0.0));
        for list in 0..count {
            for (place, value) in other.at(list) {
                let to = &mut cursor[*place as usize];
                self.entries[*to as usize] = (list as u32, *value);
                *to += 1;
            }
        }
    }
}

/// What became of the basis since it was factored.
#[derive(Clone, Copy, Debug)]
struct Change {
    /// Whether a row was added; else a column was exchanged.
    is_row: bool,
    place: usize,
    pivot: f64,
    /// Where its other entries are.
    entries: (usize, usize),
}

/// A factored basis: `rows` triangles, and changes.
#[derive(Clone, Debug, Default)]
pub(super) struct Factor {
    rows: usize,
    /// By pivot: its row and its place in the basis; and back.
    row_of: Vec<u32>,
    place_of: Vec<u32>,
    pivot_of_row: Vec<u32>,
    pivot_of_place: Vec<u32>,
    diagonal: Vec<f64>,
    /// Entries below the diagonal by column and by row, and those above.
    lower: Lists,
    lower_by_row: Lists,
    upper: Lists,
    upper_by_row: Lists,
    changes: Vec<Change>,
    changed: Vec<(u32, f64)>,
    work: Sparse,
    by_row: Lists,
    columns: Lists,
    row_count: Vec<u32>,
    column_count: Vec<u32>,
    order: Vec<u32>,
    /// The row that a column without a choice takes.
    forced: Vec<u32>,
    cursor: Vec<u32>,
    by_pivot: Vec<u64>,
}

const NONE: u32 = u32::MAX;

/// Pivots below this are zero.
const LEAST: f64 = 1e-7;

/// What rounding leaves of an entry.
const CRUMB: f64 = 1e-14;

impl Factor {
    /// Begins a basis of so many rows.
    pub(super) fn begin(&mut self, rows: usize) {
        self.rows = rows;
        self.columns.clear();
    }

    /// An entry of the column being written.
    pub(super) fn entry(&mut self, row: usize, value: f64) {
        self.columns.entries.push((row as u32, value));
    }

    /// Ends a column.
    pub(super) fn end_column(&mut self) {
        self.columns.end();
    }

    /// Whether changes make factoring anew worth while.
    pub(super) fn is_worn(&self) -> bool {
        let triangles = self.lower.entries.len() + self.upper.entries.len();
        self.changes.len() > 100 || self.changed.len() > 2 * (triangles + self.rows) + 64
    }

    /// Whether it is as it was factored.
    pub(super) fn is_fresh(&self) -> bool {
        self.changes.is_empty()
    }

    /// Factors the columns that were written; `time` orders those that are not
    /// triangular. False if they are no basis.
    pub(super) fn factor(&mut self, time: &[usize]) -> bool {
        let rows = self.rows;
        self.changes.clear();
        self.changed.clear();
        self.triangular(time);
        for list in [&mut self.row_of, &mut self.place_of] {
            list.clear();
        }
        self.pivot_of_row.clear();
        self.pivot_of_row.resize(rows, NONE);
        self.pivot_of_place.clear();
        self.pivot_of_place.resize(rows, NONE);
        self.diagonal.clear();
        self.lower.clear();
        self.upper.clear();
        // By row, as long as rows have no pivot.
        self.work.reset(rows);
        let mut by_pivot = std::mem::take(&mut self.by_pivot);
        by_pivot.clear();
        by_pivot.resize(rows.div_ceil(64), 0);
        for at in 0..rows {
            let place = self.order[at] as usize;
            for (row, value) in self.columns.at(place) {
                self.work.add(*row as usize, *value);
                let pivot = self.pivot_of_row[*row as usize];
                if pivot != NONE {
                    by_pivot[pivot as usize / 64] |= 1 << (pivot % 64);
                }
            }
            // What earlier columns take out of it, the first first.
            for word in 0..by_pivot.len() {
                while by_pivot[word] != 0 {
                    let pivot = word * 64 + by_pivot[word].trailing_zeros() as usize;
                    by_pivot[word] &= by_pivot[word] - 1;
                    let value = self.work.at(self.row_of[pivot] as usize);
                    if value.abs() < CRUMB {
                        continue;
                    }
                    self.upper.entries.push((pivot as u32, value));
                    for (row, factor) in self.lower.at(pivot) {
                        self.work.add(*row as usize, -factor * value);
                        let pivot = self.pivot_of_row[*row as usize];
                        if pivot != NONE {
                            by_pivot[pivot as usize / 64] |= 1 << (pivot % 64);
                        }
                    }
                }
            }
            self.upper.end();
            let Some(row) = self.choose(self.forced[at]) else {
                self.work.clear();
                self.by_pivot = by_pivot;
                return false;
            };
            let pivot = self.work.at(row);
            let mut from = 0;
            while let Some(other) = self.work.next(from) {
                from = other + 1;
                let value = self.work.at(other);
                if other != row
                    && self.pivot_of_row[other] == NONE
                    && value.abs() >= CRUMB
                {
                    self.lower.entries.push((other as u32, value / pivot));
                }
            }
            self.lower.end();
            self.diagonal.push(pivot);
            self.row_of.push(row as u32);
            self.place_of.push(place as u32);
            self.pivot_of_row[row] = at as u32;
            self.pivot_of_place[place] = at as u32;
            self.work.clear();
        }
        self.by_pivot = by_pivot;
        for (row, _) in &mut self.lower.entries {
            *row = self.pivot_of_row[*row as usize];
        }
        self.lower_by_row.turn(&self.lower, rows, &mut self.cursor);
        self.upper_by_row.turn(&self.upper, rows, &mut self.cursor);
        true
    }

    /// The row in which the column in work is eliminated.
    fn choose(&self, forced: u32) -> Option<usize> {
        if forced != NONE {
            let row = forced as usize;
            return (self.work.at(row).abs() >= LEAST).then_some(row);
        }
        let free = |from: usize| {
            let mut from = from;
            loop {
                let row = self.work.next(from)?;
                if self.pivot_of_row[row] == NONE {
                    return Some(row);
                }
                from = row + 1;
            }
        };
        let mut most: f64 = 0.0;
        let mut from = 0;
        while let Some(row) = free(from) {
            most = most.max(self.work.at(row).abs());
            from = row + 1;
        }
        if most < LEAST {
            return None;
        }
        let mut best: Option<usize> = None;
        let mut from = 0;
        while let Some(row) = free(from) {
            from = row + 1;
            if self.work.at(row).abs() < 0.1 * most {
                continue;
            }
            let fewer = |best: usize| self.row_count[row] < self.row_count[best];
            if best.is_none_or(fewer) {
                best = Some(row);
            }
        }
        best
    }

    /// Orders columns: first those that have one entry in rows that are left, then
    /// those that hold the one entry of a row, then the others by `time`.
    fn triangular(&mut self, time: &[usize]) {
        let rows = self.rows;
        self.by_row.turn(&self.columns, rows, &mut self.cursor);
        let count = |lists: &Lists, list: usize| lists.at(list).len() as u32;
        self.row_count.clear();
        self.row_count.extend((0..rows).map(|row| count(&self.by_row, row)));
        self.column_count.clear();
        self.column_count.extend((0..rows).map(|place| count(&self.columns, place)));
        self.order.clear();
        self.forced.clear();
        // Rows that are left have no mark.
        self.pivot_of_row.clear();
        self.pivot_of_row.resize(rows, NONE);
        self.pivot_of_place.clear();
        self.pivot_of_place.resize(rows, NONE);
        let single =
            |(place, count): (usize, &u32)| (*count == 1).then_some(place as u32);
        self.cursor.clear();
        self.cursor.extend(self.column_count.iter().enumerate().filter_map(single));
        while let Some(place) = self.cursor.pop() {
            let place = place as usize;
            let left = self.columns.at(place).iter().find(|(row, value)| {
                self.pivot_of_row[*row as usize] == NONE && value.abs() >= LEAST
            });
            let Some((row, _)) = left.copied() else { continue };
            self.pivot_of_row[row as usize] = 0;
            self.pivot_of_place[place] = 0;
            self.order.push(place as u32);
            self.forced.push(row);
            for (other, _) in self.by_row.at(row as usize) {
                let count = &mut self.column_count[*other as usize];
                *count -= 1;
                if *count == 1 && self.pivot_of_place[*other as usize] == NONE {
                    self.cursor.push(*other);
                }
            }
        }
        for row in 0..rows {
            let left =
                |(place, _): &&(u32, f64)| self.pivot_of_place[*place as usize] == NONE;
            self.row_count[row] = match self.pivot_of_row[row] {
                NONE => self.by_row.at(row).iter().filter(left).count() as u32,
                _ => 0,
            };
        }
        let single = |(row, count): (usize, &u32)| (*count == 1).then_some(row as u32);
        self.cursor.clear();
        self.cursor.extend(self.row_count.iter().enumerate().filter_map(single));
        while let Some(row) = self.cursor.pop() {
            if self.pivot_of_row[row as usize] != NONE {
                continue;
            }
            let left = self
                .by_row
                .at(row as usize)
                .iter()
                .find(|(place, _)| self.pivot_of_place[*place as usize] == NONE);
            let Some((place, value)) = left.copied() else { continue };
            // Small beside its column: better left to a choice.
            let most = self.columns.at(place as usize).iter();
            let most = most.fold(0.0, |most: f64, (_, value)| most.max(value.abs()));
            if value.abs() < 0.01 * most {
                continue;
            }
            self.pivot_of_row[row as usize] = 0;
            self.pivot_of_place[place as usize] = 0;
            self.order.push(place);
            self.forced.push(row);
            for (other, _) in self.columns.at(place as usize) {
                let count = &mut self.row_count[*other as usize];
                *count = count.saturating_sub(1);
                if *count == 1 && self.pivot_of_row[*other as usize] == NONE {
                    self.cursor.push(*other);
                }
            }
        }
        let from = self.order.len();
        for place in 0..rows {
            if self.pivot_of_place[place] == NONE {
                self.order.push(place as u32);
                self.forced.push(NONE);
            }
        }
        self.order[from..].sort_unstable_by_key(|place| time[*place as usize]);
    }

    /// Takes in that the column at `place` became another: `column` is the new one
    /// in terms of the basis.
    pub(super) fn exchange(&mut self, place: usize, column: &Sparse) {
        let begin = self.changed.len();
        let mut from = 0;
        while let Some(other) = column.next(from) {
            from = other + 1;
            let value = column.at(other);
            if other != place && value.abs() >= CRUMB {
                self.changed.push((other as u32, value));
            }
        }
        let entries = (begin, self.changed.len());
        let pivot = column.at(place);
        self.changes.push(Change { is_row: false, place, pivot, entries });
    }

    /// An entry, by place in the basis, of the row being added.
    pub(super) fn row_entry(&mut self, place: usize, value: f64) {
        self.changed.push((place as u32, value));
    }

    /// Where entries of a row to be added begin.
    pub(super) fn begin_row(&self) -> usize {
        self.changed.len()
    }

    /// Adds the row `row`, whose entries were written from `begin` on and whose own
    /// variable has `pivot` in it.
    pub(super) fn end_row(&mut self, begin: usize, row: usize, pivot: f64) {
        let entries = (begin, self.changed.len());
        self.changes.push(Change { is_row: true, place: row, pivot, entries });
    }

    /// What combination of the basis gives `x`: rows become places.
    pub(super) fn solve(&mut self, x: &mut Sparse) {
        self.work.reset(self.rows);
        let mut from = 0;
        while let Some(row) = x.next(from).filter(|row| *row < self.rows) {
            from = row + 1;
            self.work.set(self.pivot_of_row[row] as usize, x.at(row));
            x.forget(row);
        }
        let work = &mut self.work;
        let mut from = 0;
        while let Some(pivot) = work.next(from) {
            from = pivot + 1;
            let value = work.at(pivot);
            if value != 0.0 {
                for (row, factor) in self.lower.at(pivot) {
                    work.add(*row as usize, -factor * value);
                }
            }
        }
        let mut before = self.rows;
        while let Some(pivot) = work.last(before) {
            before = pivot;
            let value = work.at(pivot);
            if value.abs() < CRUMB {
                continue;
            }
            let value = value / self.diagonal[pivot];
            for (row, factor) in self.upper.at(pivot) {
                work.add(*row as usize, -factor * value);
            }
            x.set(self.place_of[pivot] as usize, value);
        }
        for change in &self.changes {
            let entries = &self.changed[change.entries.0..change.entries.1];
            if change.is_row {
                let mut sum = x.at(change.place);
                for (place, value) in entries {
                    sum -= value * x.at(*place as usize);
                }
                if sum != 0.0 || x.at(change.place) != 0.0 {
                    x.set(change.place, sum / change.pivot);
                }
            } else {
                let value = x.at(change.place);
                if value != 0.0 {
                    let value = value / change.pivot;
                    x.set(change.place, value);
                    for (place, factor) in entries {
                        x.add(*place as usize, -factor * value);
                    }
                }
            }
        }
    }

    /// What weights of rows give every column of the basis the weight it has in
    /// `x`: places become rows.
    pub(super) fn solve_turned(&mut self, x: &mut Sparse) {
        for change in self.changes.iter().rev() {
            let entries = &self.changed[change.entries.0..change.entries.1];
            if change.is_row {
                let value = x.at(change.place);
                if value != 0.0 {
                    let value = value / change.pivot;
                    x.set(change.place, value);
                    for (place, factor) in entries {
                        x.add(*place as usize, -factor * value);
                    }
                }
            } else {
                let mut sum = x.at(change.place);
                for (place, value) in entries {
                    sum -= value * x.at(*place as usize);
                }
                if sum != 0.0 || x.at(change.place) != 0.0 {
                    x.set(change.place, sum / change.pivot);
                }
            }
        }
        self.work.reset(self.rows);
        let mut from = 0;
        while let Some(place) = x.next(from).filter(|place| *place < self.rows) {
            from = place + 1;
            self.work.set(self.pivot_of_place[place] as usize, x.at(place));
            x.forget(place);
        }
        let work = &mut self.work;
        let mut from = 0;
        while let Some(pivot) = work.next(from) {
            from = pivot + 1;
            let value = work.at(pivot);
            if value != 0.0 {
                let value = value / self.diagonal[pivot];
                work.set(pivot, value);
                for (column, factor) in self.upper_by_row.at(pivot) {
                    work.add(*column as usize, -factor * value);
                }
            }
        }
        let mut before = self.rows;
        while let Some(pivot) = work.last(before) {
            before = pivot;
            let value = work.at(pivot);
            if value.abs() < CRUMB {
                continue;
            }
            for (column, factor) in self.lower_by_row.at(pivot) {
                work.add(*column as usize, -factor * value);
            }
            x.set(self.row_of[pivot] as usize, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A matrix by column that is a basis: a diagonal and little beside it.
    fn matrix(rows: usize, seed: usize) -> Vec<Vec<(usize, f64)>> {
        let column = |at: usize| {
            let mut entries = vec![(at, 2.0 + (at % 3) as f64)];
            for k in 1..=(at + seed) % 4 {
                let row = (at * 7 + k * 5 + seed) % rows;
                if entries.iter().all(|(other, _)| *other != row) {
                    entries.push((row, 0.5 - k as f64 / 4.0 + 0.01));
                }
            }
            entries
        };
        (0..rows).map(column).collect()
    }

    fn times(columns: &[Vec<(usize, f64)>], x: &Sparse) -> Vec<f64> {
        let mut sum = vec![0.0; columns.len()];
        for (at, column) in columns.iter().enumerate() {
            column.iter().for_each(|(row, value)| sum[*row] += value * x.at(at));
        }
        sum
    }

    fn check(factor: &mut Factor, columns: &[Vec<(usize, f64)>]) {
        let rows = columns.len();
        for one in 0..rows {
            let mut x = Sparse::default();
            x.reset(rows);
            x.add(one, 1.0);
            factor.solve(&mut x);
            for (row, value) in times(columns, &x).into_iter().enumerate() {
                let expected = f64::from(u8::from(row == one));
                assert!((value - expected).abs() < 1e-9, "row {row} of {rows}: {value}");
            }
            let mut y = Sparse::default();
            y.reset(rows);
            y.add(one, 1.0);
            factor.solve_turned(&mut y);
            for (place, column) in columns.iter().enumerate() {
                let value: f64 = column.iter().map(|(row, a)| a * y.at(*row)).sum();
                let expected = f64::from(u8::from(place == one));
                assert!((value - expected).abs() < 1e-9, "place {place}: {value}");
            }
        }
    }

    #[test]
    fn solutions_multiply_back_as_columns_change_and_rows_are_added() {
        for (rows, seed) in [(1, 0), (5, 1), (64, 2), (65, 3), (130, 4)] {
            let mut columns = matrix(rows, seed);
            let mut factor = Factor::default();
            factor.begin(rows);
            for column in &columns {
                column.iter().for_each(|(row, value)| factor.entry(*row, *value));
                factor.end_column();
            }
            let time: Vec<usize> = (0..rows).collect();
            assert!(factor.factor(&time), "{rows} rows are a basis");
            check(&mut factor, &columns);

            let place = rows / 2;
            let new = vec![(place, 5.0), ((place + 1) % (rows + 1) % rows, 0.25)];
            let new = if rows == 1 { vec![(0, 5.0)] } else { new };
            let mut entering = Sparse::default();
            entering.reset(rows);
            new.iter().for_each(|(row, value)| entering.add(*row, *value));
            factor.solve(&mut entering);
            factor.exchange(place, &entering);
            columns[place] = new;
            check(&mut factor, &columns);

            // A row over two columns, and one of its own.
            let begin = factor.begin_row();
            for place in [0, rows / 3] {
                if columns[place].iter().all(|(row, _)| *row != rows) {
                    factor.row_entry(place, 1.5);
                    columns[place].push((rows, 1.5));
                }
            }
            factor.end_row(begin, rows, -1.0);
            columns.push(vec![(rows, -1.0)]);
            check(&mut factor, &columns);
        }
    }

    #[test]
    fn columns_that_depend_on_each_other_are_no_basis() {
        let mut factor = Factor::default();
        factor.begin(2);
        for _ in 0..2 {
            factor.entry(0, 1.0);
            factor.entry(1, 2.0);
            factor.end_column();
        }
        assert!(!factor.factor(&[0, 1]));
    }
}
