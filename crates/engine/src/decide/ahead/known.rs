//! What is known of a horizon's markets from the horizon before.
//!
//! Who decides every quarter of an hour asks about a horizon that has moved on by an
//! interval, and most of what it knew then still holds. The market of an interval
//! follows from the figures of that interval alone. Where all of them are the same
//! to the last bit as an interval's of the last call, at the same place or one
//! further on, so is its market, and what it does where the store gains as much at the
//! same price as then: nothing is guessed, and an answer is the same with and without.
//!
//! Kept for short horizons without feeders, floors and blocks, where comparing costs
//! less than working out.

use super::horizon::{Cap, Dated, Horizon};

/// The figures of the last call.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// How many intervals are known.
    count: usize,
    /// How many segments there are, how wide each is, and what the battery is.
    widths: Vec<f64>,
    battery: [f64; 4],
    series: [Series; 7],
    caps: Vec<Cap>,
    /// Worths, those of the last call from `first` on.
    worths: Vec<f64>,
    first: usize,
    /// Of each interval of this call, whether it is known.
    is_known: Vec<bool>,
}

/// Longer horizons are not kept.
const LONGEST: usize = 1_024;

/// How many horizons' worths pile up before the old ones are dropped.
const PILE: usize = 8;

impl Known {
    /// Begins a call on a site with segments of `widths` and a battery described by
    /// `battery`: finds what is known of it, and remembers the rest. Returns how far
    /// what is known has to move, if anything is kept.
    pub(super) fn begin(
        &mut self,
        horizon: &Horizon,
        caps: &[Cap],
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
        let price = horizon.grid.import_usd_per_mwh[0].to_bits();
        let prices = &self.series[0].figures;
        let is_at = |at: usize| {
            at < self.count && prices.get(at).is_some_and(|was| was.to_bits() == price)
        };
        // The same prices twice in a row mean the same either way.
        let moved = [1, 0].into_iter().find(|at| is_at(*at)).unwrap_or(0);

        let both = n.min(self.count.saturating_sub(moved));
        self.is_known.clear();
        self.is_known.resize(both, true);
        for (was, now) in self.series.iter_mut().zip(series_of(horizon)) {
            was.compare(now, moved, &mut self.is_known);
            was.remember(now);
        }
        for (t, is_known) in self.is_known.iter_mut().enumerate() {
            let (was, now) = (self.caps[t + moved], caps[t]);
            *is_known &= is_same(&[was.mw, was.over], &[now.mw, now.over]);
        }
        self.caps.clear();
        self.caps.extend_from_slice(caps);
        self.compare_worths(&horizon.worth_usd_per_mwh, moved);
        self.is_known.resize(n, false);
        // Nothing is known of the next call if this one ends early.
        self.count = 0;
        Some(moved)
    }

    fn compare_worths(&mut self, worths: &[f64], moved: usize) {
        let (both, count) = (self.is_known.len(), self.widths.len());
        let from = self.first + moved * count;
        let (now, later) = worths.split_at(both * count);
        if both > 0 && is_same(&self.worths[from..][..now.len()], now) {
            self.worths.truncate(from + now.len());
            self.worths.extend_from_slice(later);
            self.first = from;
            if self.first > PILE * worths.len() {
                self.worths.drain(..self.first);
                self.first = 0;
            }
            return;
        }
        for (t, is_known) in self.is_known.iter_mut().enumerate() {
            let was = &self.worths[from + t * count..][..count];
            *is_known &= is_same(was, &now[t * count..][..count]);
        }
        self.worths.clear();
        self.worths.extend_from_slice(worths);
        self.first = 0;
    }

    /// Whether interval `t` is the one that was `moved` further on.
    pub(super) fn is_known(&self, t: usize) -> bool {
        self.is_known[t]
    }

    /// Ends a call that saw all of its `n` intervals.
    pub(super) fn end(&mut self, n: usize) {
        self.count = n;
    }
}

/// What one figure was in each interval of the last call, or one for all.
#[derive(Clone, Debug, Default)]
struct Series {
    figures: Vec<f64>,
    is_steady: bool,
}

/// What one figure is in each interval of a horizon.
#[derive(Clone, Copy)]
enum Figures<'a> {
    Always(f64),
    Each(&'a [f64]),
}

impl Series {
    /// Clears the mark of every interval in which the figure is not what it was `moved`
    /// further on.
    fn compare(&self, now: Figures<'_>, moved: usize, is_known: &mut [bool]) {
        let was = |t: usize| self.figures[if self.is_steady { 0 } else { t + moved }];
        let both = is_known.len();
        let is_same = match now {
            _ if both == 0 => true,
            Figures::Always(now) => self.is_steady && is_same(&self.figures, &[now]),
            Figures::Each(now) => {
                !self.is_steady && is_same(&self.figures[moved..][..both], &now[..both])
            }
        };
        if is_same {
            return;
        }
        for (t, is_known) in is_known.iter_mut().enumerate() {
            let now = match now {
                Figures::Always(now) => now,
                Figures::Each(now) => now[t],
            };
            *is_known &= was(t).to_bits() == now.to_bits();
        }
    }

    fn remember(&mut self, now: Figures<'_>) {
        self.figures.clear();
        match now {
            Figures::Always(now) => self.figures.push(now),
            Figures::Each(now) => self.figures.extend_from_slice(now),
        }
        self.is_steady = matches!(now, Figures::Always(_));
    }
}

impl<'a> From<&'a Dated> for Figures<'a> {
    fn from(dated: &'a Dated) -> Self {
        match dated {
            Dated::Always(figure) => Self::Always(*figure),
            Dated::Each(figures) => Self::Each(figures),
        }
    }
}

/// The figures of a horizon's intervals beside worths and caps.
fn series_of(horizon: &Horizon) -> [Figures<'_>; 7] {
    let grid = &horizon.grid;
    let import = Figures::Each(&grid.import_usd_per_mwh);
    let export = grid.export_usd_per_mwh.as_ref();
    let nothing = Figures::Always(0.0);
    let (charge, discharge) = match horizon.batteries.first() {
        Some(store) => ((&store.charge_mw).into(), (&store.discharge_mw).into()),
        None => (nothing, nothing),
    };
    [
        import,
        export.map_or(import, |prices| Figures::Each(prices)),
        (&grid.import_limit_mw).into(),
        (&grid.export_limit_mw).into(),
        (&grid.base_mw).into(),
        charge,
        discharge,
    ]
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
        let prices: Vec<f64> = (0..420).map(price).collect();
        let (mut solver, mut answer) = (Solver::default(), Answer::default());
        let mut held = 5.0;
        for step in 0..400 {
            let mut horizon = day(&prices[step..step + 20], 90.0);
            horizon.batteries[0].stored_mwh = held;
            // Now and then a figure is no longer what it was, or the site is not.
            match step % 19 {
                // Limits of their own for each interval, and what moves on with them.
                11..=14 => {
                    let limit = |t: usize| [40.0, 36.0, 38.0][(step + t) % 3];
                    let limits: Vec<f64> = (0..20).map(limit).collect();
                    horizon.grid.import_limit_mw = Dated::Each(limits.clone());
                    horizon.batteries[0].charge_mw = Dated::Each(limits);
                }
                16 => horizon.batteries[0].discharge_mw = Dated::Each(vec![10.0; 20]),
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
