//! Columns that sleep: those that stand at a bound, far from the price of their row.
//!
//! A load that is worth far more than power draws all it can, one worth far less draws
//! nothing, and a window has hundreds of both. Such a column stands in one row alone,
//! and it stands right as long as the row's multiplier keeps to its side of the cost. It
//! is left out of the row until a step would move the multiplier past it: then it wakes,
//! and the step is looked at anew. The steps are those that would be taken with all
//! columns awake.

use super::{Column, DUAL, Entry, NONE, Place, Program};

/// The columns of a row that sleep.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asleep {
    /// All of them are among these.
    from: u32,
    to: u32,
    /// Between which multipliers all of them stand right.
    least: f64,
    most: f64,
    /// What they come to together.
    sum: f64,
}

/// A column that woke, and the next of its row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Late {
    column: u32,
    next: u32,
}

impl Default for Asleep {
    fn default() -> Self {
        Self { from: 0, to: 0, least: f64::NEG_INFINITY, most: f64::INFINITY, sum: 0.0 }
    }
}

impl Asleep {
    /// Counts a column in.
    #[inline]
    fn count(&mut self, column: &Column) {
        let value = if column.place == Place::High { column.high } else { column.low };
        self.sum += value;
        if column.low < column.high {
            match column.place {
                Place::Low => self.most = self.most.min(column.cost),
                Place::High => self.least = self.least.max(column.cost),
                Place::Basic(_) => {}
            }
        }
    }

    fn allows(&self, multiplier: f64) -> bool {
        self.least - DUAL <= multiplier && multiplier <= self.most + DUAL
    }
}

impl Program {
    /// Lets columns of the row being written sleep, those of `from..to` that are marked
    /// for it: each has an entry of 1 in this row and none in another.
    pub(in super::super) fn lull(&mut self, from: usize, to: usize) {
        let row = self.right.len();
        let mut asleep = Asleep { from: from as u32, to: to as u32, ..Asleep::default() };
        for column in &mut self.columns[from..to] {
            if column.asleep {
                // It is in no list, so there is room for where it belongs.
                column.head = row as u32;
                asleep.count(column);
            }
        }
        self.asleep.resize(row, Asleep::default());
        self.asleep.push(asleep);
    }

    /// Marks a column as one to sleep; its place is chosen.
    pub(in super::super) fn put_to_sleep(&mut self, column: usize) {
        self.columns[column].asleep = true;
    }

    /// Whether a column sleeps.
    pub(in super::super) fn is_asleep(&self, column: usize) -> bool {
        self.columns[column].asleep
    }

    /// Wakes a column, if it sleeps: more than its own row is to know it.
    #[inline]
    pub(in super::super) fn wake(&mut self, column: usize) {
        if self.columns[column].asleep {
            self.asleep[self.columns[column].head as usize].sum -= self.value(column);
            self.rouse(column);
        }
    }

    /// Takes a column that sleeps into its row.
    fn rouse(&mut self, column: usize) {
        let multiplier = self.multiplier(self.columns[column].head as usize);
        let own = &mut self.columns[column];
        own.asleep = false;
        own.reduced = own.cost - multiplier;
        self.awake.push(column as u32);
        let row = std::mem::replace(&mut own.head, self.column_entries.len() as u32);
        self.column_entries.push(Entry { row, next: NONE, value: 1.0 });
        let late = &mut self.late_from[row as usize];
        let next = std::mem::replace(late, self.late.len() as u32);
        self.late.push(Late { column: column as u32, next });
    }

    /// What the columns that sleep come to, by row.
    pub(super) fn sleeping(&self) -> impl Iterator<Item = (usize, f64)> {
        self.asleep
            .iter()
            .map(|asleep| asleep.sum)
            .enumerate()
            .filter(|(_, sum)| *sum != 0.0)
    }

    /// Does something with each column that woke in a row: its entry is 1.
    #[inline]
    pub(super) fn each_late(late: &[Late], mut at: u32, mut act: impl FnMut(usize)) {
        while at != NONE {
            let Late { column, next } = late[at as usize];
            act(column as usize);
            at = next;
        }
    }

    /// Wakes what a step would move multipliers past: `dual` times the row that leaves.
    /// Says whether there was any.
    pub(super) fn wake_passed(&mut self, dual: f64) -> bool {
        let (mut from, mut woken) = (0, false);
        while let Some(row) = self.rho.next(from) {
            from = row + 1;
            let multiplier = self.multipliers[row];
            let moved = multiplier + dual * self.rho.at(row);
            if !self.asleep_in(row).allows(moved) {
                woken |= self.wake_row(row, multiplier.min(moved), multiplier.max(moved));
            }
        }
        woken
    }

    /// Wakes all that could help to bring back what leaves. Says whether there was any.
    pub(super) fn wake_touched(&mut self) -> bool {
        let (mut from, mut woken) = (0, false);
        while let Some(row) = self.rho.next(from) {
            from = row + 1;
            woken |= self.wake_row(row, f64::NEG_INFINITY, f64::INFINITY);
        }
        woken
    }

    /// Wakes what stands wrong by multipliers that were worked out anew. Says whether
    /// there was any.
    pub(super) fn wake_wrong(&mut self) -> bool {
        let mut woken = false;
        for row in 0..self.multipliers.len() {
            let multiplier = self.multipliers[row];
            if !self.asleep_in(row).allows(multiplier) {
                let Asleep { least, most, .. } = self.asleep_in(row);
                woken |= self.wake_row(row, multiplier.min(most), multiplier.max(least));
            }
        }
        woken
    }

    fn asleep_in(&self, row: usize) -> Asleep {
        self.asleep.get(row).copied().unwrap_or_default()
    }

    /// Wakes what has its cost between two multipliers, and what is near.
    fn wake_row(&mut self, row: usize, least: f64, most: f64) -> bool {
        let Asleep { from, to, .. } = self.asleep_in(row);
        let mut left = Asleep { from, to, ..Asleep::default() };
        let mut woken = false;
        for column in from as usize..to as usize {
            let own = &self.columns[column];
            if !own.asleep {
                continue;
            }
            let is_near = least - self.near <= own.cost && own.cost <= most + self.near;
            if is_near && own.low < own.high {
                self.rouse(column);
                woken = true;
            } else {
                left.count(own);
            }
        }
        if let Some(asleep) = self.asleep.get_mut(row) {
            *asleep = left;
        }
        woken
    }
}
