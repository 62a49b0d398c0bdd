//! What is known of a horizon's markets from the horizon before.
//!
//! Who decides every quarter of an hour asks about a horizon that has moved on by an
//! interval, and most of what it knew then still holds. The market of an interval
//! follows from the figures of that interval alone. Where all of them are the same
//! to the last bit as an interval's of the last call, at the same place or one
//! further on, so is its market: nothing is guessed, and an answer is the same with
//! and without.
//!
//! Kept for short horizons without feeders, floors and blocks, where comparing costs
//! less than working out.

use super::horizon::{Cap, Horizon};

/// The figures of an interval beside worths, as bits.
type Figures = [u64; 9];

/// The figures of the last call.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// How many intervals are known.
    count: usize,
    /// How many segments there are, how wide each is, and what the battery is.
    widths: Vec<f64>,
    battery: [f64; 4],
    figures: Vec<Figures>,
    worths: Vec<f64>,
}

/// Longer horizons are not kept.
const LONGEST: usize = 1_024;

impl Known {
    /// Begins a call on a site with segments of `widths` and a battery described by
    /// `battery`. Returns how far what is known has to move, if anything is.
    pub(super) fn begin(
        &mut self,
        horizon: &Horizon,
        widths: &[f64],
        battery: [f64; 4],
        is_simple: bool,
    ) -> Option<usize> {
        let n = horizon.len();
        let is_short = n <= LONGEST;
        if !is_simple || !is_short || !horizon.grid.blocks.is_empty() {
            self.count = 0;
            return None;
        }
        if self.widths != widths || self.battery != battery {
            self.widths.clear();
            self.widths.extend_from_slice(widths);
            self.battery = battery;
            self.count = 0;
        }
        self.figures.resize(n.max(self.count), [0; 9]);
        self.worths.resize(n.max(self.count) * widths.len(), 0.0);
        let price = horizon.grid.import_usd_per_mwh[0].to_bits();
        let is_at = |at: usize| at < self.count && self.figures[at][0] == price;
        // The same prices twice in a row mean the same either way.
        let moved = [1, 0].into_iter().find(|at| is_at(*at)).unwrap_or(0);
        Some(moved)
    }

    /// Whether interval `t` is the one that was at `at`; remembers it.
    #[inline]
    pub(super) fn is_known(
        &mut self,
        horizon: &Horizon,
        cap: Cap,
        t: usize,
        at: usize,
    ) -> bool {
        let count = self.widths.len();
        let figures = figures_of(horizon, cap, t);
        let worth = &horizon.worth_usd_per_mwh[t * count..(t + 1) * count];
        let is_known = at < self.count
            && are_same(&figures, &self.figures[at])
            && is_same(worth, &self.worths[at * count..(at + 1) * count]);
        self.figures[t] = figures;
        if !is_known || at != t {
            self.worths[t * count..(t + 1) * count].copy_from_slice(worth);
        }
        is_known
    }

    /// Ends a call: all `n` intervals are known, or none.
    pub(super) fn end(&mut self, n: usize) {
        self.count = n;
    }

    /// Forgets everything.
    pub(super) fn forget(&mut self) {
        self.count = 0;
    }
}

/// Without a branch for each figure: they are nearly always all the same.
#[inline]
fn are_same(a: &Figures, b: &Figures) -> bool {
    let mut differs = 0;
    for at in 0..a.len() {
        differs |= a[at] ^ b[at];
    }
    differs == 0
}

/// Whether figures are the same to the last bit, without a branch for each.
#[inline]
pub(super) fn is_same(a: &[f64], b: &[f64]) -> bool {
    let mut differs = u64::from(a.len() != b.len());
    for (a, b) in a.iter().zip(b) {
        differs |= a.to_bits() ^ b.to_bits();
    }
    differs == 0
}

#[inline]
fn figures_of(horizon: &Horizon, cap: Cap, t: usize) -> Figures {
    let (grid, price) = (&horizon.grid, horizon.price(t));
    let battery = horizon.batteries.first();
    let (charge, discharge) = battery
        .map_or((0.0, 0.0), |store| (store.charge_mw.at(t), store.discharge_mw.at(t)));
    let figures = [
        price.import,
        price.export,
        grid.import_limit_mw.at(t),
        grid.export_limit_mw.at(t),
        grid.base_mw.at(t),
        cap.mw,
        cap.over,
        charge,
        discharge,
    ];
    figures.map(f64::to_bits)
}

#[cfg(test)]
mod tests {
    use super::super::{Answer, Solver};
    use super::super::{Dated, Demand, End, Grid, Horizon, Ramp, Store};

    fn day(prices: &[f64], worth: f64) -> Horizon {
        let load = |mw: f64| Demand {
            feeder: None,
            segments_mw: vec![mw, mw / 2.0],
            floor_mw: Dated::Always(0.0),
            ceiling_mw: Dated::Always(f64::INFINITY),
            ramp: Ramp::FREE,
        };
        let worths = [worth, worth - 10.0, worth / 2.0, worth / 4.0];
        Horizon {
            hours: 0.25,
            grid: Grid {
                import_usd_per_mwh: prices.to_vec(),
                export_usd_per_mwh: None,
                import_limit_mw: Dated::Always(40.0),
                export_limit_mw: Dated::Always(10.0),
                base_mw: Dated::Always(1.0),
                ramp: Ramp::FREE,
                blocks: Vec::new(),
                peaks: Vec::new(),
            },
            feeders: Vec::new(),
            loads: vec![load(20.0), load(16.0)],
            worth_usd_per_mwh: worths.repeat(prices.len()),
            batteries: vec![Store {
                feeder: None,
                charge_mw: Dated::Always(10.0),
                discharge_mw: Dated::Always(10.0),
                stored_min_mwh: Dated::Always(0.0),
                stored_max_mwh: Dated::Always(20.0),
                charge_efficiency: 0.94,
                discharge_efficiency: 0.94,
                wear_usd_per_mwh: 1.0,
                stored_mwh: 5.0,
                end: End::Free,
            }],
        }
    }

    #[test]
    fn an_answer_is_the_same_with_and_without_what_is_known() {
        let price = |t: usize| [30.0, 12.0, -20.0, 75.0, 75.0, 140.0, 41.0][t * t % 7];
        let prices: Vec<f64> = (0..80).map(price).collect();
        let (mut solver, mut answer) = (Solver::default(), Answer::default());
        let mut held = 5.0;
        for step in 0..60 {
            let mut horizon = day(&prices[step..step + 20], 90.0);
            horizon.batteries[0].stored_mwh = held;
            // Now and then a figure is no longer what it was, or the site is not.
            match step % 9 {
                3 => horizon.grid.import_usd_per_mwh[7] += 1.0,
                5 => horizon.worth_usd_per_mwh[22] += 1.0,
                7 => horizon.grid.import_limit_mw = Dated::Always(35.0),
                8 => horizon.batteries[0].wear_usd_per_mwh = 2.0,
                _ => {}
            }
            solver.solve_into(&horizon, &mut answer).expect("a plan");
            let alone = Solver::default().solve(&horizon).expect("a plan");
            assert_eq!(answer, alone, "step {step}");
            held = answer.stored_mwh[0].clamp(0.0, 20.0);
        }
    }
}
