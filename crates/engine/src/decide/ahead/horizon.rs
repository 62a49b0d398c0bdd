//! What is to be decided over a horizon, as arrays: the statement of the problem.
//!
//! Powers are in MW at the meter, energies in MWh, money in US dollars. Draw is
//! positive, what is sent back negative. Interval `t` of `n` stands at index `t`
//! of every array. Floats live in this folder alone: whoever asks converts exact
//! quantities on the way in and snaps the answer back on the way out.

use super::conflict::{Bound, Conflict};

/// A figure for every interval: the same always, or one each.
#[derive(Clone, Debug, PartialEq)]
pub enum Dated {
    /// The same in every interval.
    Always(f64),
    /// One an interval.
    Each(Vec<f64>),
}

impl Dated {
    /// The figure of interval `t`.
    #[inline]
    pub fn at(&self, t: usize) -> f64 {
        match self {
            Self::Always(value) => *value,
            Self::Each(values) => values[t],
        }
    }
}

/// How far a power may move from one interval to the next, in MW; infinite
/// where nothing limits it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ramp {
    /// The most it may rise.
    pub up_mw: f64,
    /// The most it may fall.
    pub down_mw: f64,
    /// Where it stood in the interval before the first; `None` leaves the first
    /// interval free.
    pub before_mw: Option<f64>,
}

impl Ramp {
    /// No limit.
    pub const FREE: Self =
        Self { up_mw: f64::INFINITY, down_mw: f64::INFINITY, before_mw: None };

    /// Whether it can ever bind.
    pub fn is_free(&self) -> bool {
        self.up_mw == f64::INFINITY && self.down_mw == f64::INFINITY
    }
}

/// A horizon of intervals of one length, and everything that is decided in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Horizon {
    /// The length of an interval, in hours.
    pub hours: f64,
    /// The exchange with the grid.
    pub grid: Grid,
    /// Circuits below the interconnection, parents before children.
    pub feeders: Vec<Feeder>,
    /// Everything that draws.
    pub loads: Vec<Demand>,
    /// What each segment of each load is worth, USD/MWh at the meter: interval by
    /// interval, and within one the segments of the loads in their order. Within
    /// a load the worth never rises from one segment to the next.
    pub worth_usd_per_mwh: Vec<f64>,
    /// Everything that stores.
    pub batteries: Vec<Store>,
}

/// The exchange with the grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// What a MWh drawn costs, USD/MWh; its length is the number of intervals.
    pub import_usd_per_mwh: Vec<f64>,
    /// What a MWh sent back pays: never more than one drawn costs. `None` pays
    /// the same.
    pub export_usd_per_mwh: Option<Vec<f64>>,
    /// The most that may be drawn.
    pub import_limit_mw: Dated,
    /// The most that may be sent back; negative is the least that must be drawn.
    pub export_limit_mw: Dated,
    /// What is drawn whatever is decided, counted under the interconnection
    /// alone.
    pub base_mw: Dated,
    /// How far the exchange may move.
    pub ramp: Ramp,
    /// Energy that is paid for whether it is drawn or not.
    pub blocks: Vec<Block>,
    /// Charges on the highest draw of a span.
    pub peaks: Vec<Peak>,
}

/// Energy that is paid for in any case: drawing it costs what it would have
/// fetched. The payment itself is no part of the objective.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// First interval.
    pub from: usize,
    /// One past the last.
    pub to: usize,
    /// How much.
    pub mw: f64,
    /// What an undrawn MWh fetches, USD/MWh: no more than a drawn one costs and
    /// no less than one sent back pays.
    pub resale_usd_per_mwh: Dated,
}

/// A charge on the highest draw of a span. Spans do not overlap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peak {
    /// First interval.
    pub from: usize,
    /// One past the last.
    pub to: usize,
    /// What a MW costs, USD/MW.
    pub usd_per_mw: f64,
    /// What has been drawn at the most already: only more costs more.
    pub already_mw: f64,
}

/// A circuit with a limit on what flows through it.
#[derive(Clone, Debug, PartialEq)]
pub struct Feeder {
    /// The circuit above, which comes earlier; `None` is the interconnection.
    pub parent: Option<usize>,
    /// The most that may flow towards the loads.
    pub limit_mw: Dated,
}

/// A load with concave worth: segments, the worthiest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Demand {
    /// The circuit it hangs on; `None` is the interconnection.
    pub feeder: Option<usize>,
    /// How wide each segment is.
    pub segments_mw: Vec<f64>,
    /// The least it must draw.
    pub floor_mw: Dated,
    /// The most it may draw; infinite where the segments alone limit it.
    pub ceiling_mw: Dated,
    /// How far it may move.
    pub ramp: Ramp,
}

impl Demand {
    /// Whether its segments alone bound it.
    #[inline]
    pub(super) fn is_unbounded(&self) -> bool {
        matches!(
            (&self.floor_mw, &self.ceiling_mw),
            (Dated::Always(floor), Dated::Always(ceiling))
                if *floor == 0.0 && *ceiling == f64::INFINITY
        )
    }
}

/// A store of energy.
#[derive(Clone, Debug, PartialEq)]
pub struct Store {
    /// The circuit it hangs on; `None` is the interconnection.
    pub feeder: Option<usize>,
    /// The most it may take in, at the meter.
    pub charge_mw: Dated,
    /// The most it may give back, at the meter.
    pub discharge_mw: Dated,
    /// The least it must hold when an interval ends.
    pub stored_min_mwh: Dated,
    /// The most it can hold.
    pub stored_max_mwh: Dated,
    /// What part of the energy drawn is stored.
    pub charge_efficiency: f64,
    /// What part of the stored energy comes back.
    pub discharge_efficiency: f64,
    /// What a MWh given back at the meter costs in wear, USD/MWh.
    pub wear_usd_per_mwh: f64,
    /// What it holds at the start.
    pub stored_mwh: f64,
    /// What it is to hold at the end.
    pub end: End,
}

/// What a store is to hold at the end of the horizon.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// Whatever is best within the horizon.
    Free,
    /// Exactly this, MWh.
    At(f64),
    /// What is held is worth something beyond the horizon: each further part so
    /// many MWh and USD/MWh, from empty up, the worth never rising.
    Worth(Vec<(f64, f64)>),
}

impl Horizon {
    /// The number of intervals.
    pub fn len(&self) -> usize {
        self.grid.import_usd_per_mwh.len()
    }

    /// Whether there is nothing to decide.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a load hangs below a feeder, at any depth.
    pub(super) fn is_below(&self, load: usize, feeder: usize) -> bool {
        self.hangs_below(self.loads[load].feeder, feeder)
    }

    /// Whether what hangs at `at` hangs below a feeder, at any depth.
    pub(super) fn hangs_below(&self, mut at: Option<usize>, feeder: usize) -> bool {
        while let Some(on) = at {
            if on == feeder {
                return true;
            }
            at = self.feeders[on].parent;
        }
        false
    }

    /// How far a load may move, or the exchange.
    pub(super) fn ramp(&self, load: Option<usize>) -> &Ramp {
        load.map_or(&self.grid.ramp, |load| &self.loads[load].ramp)
    }

    /// The number of segments of all loads.
    pub fn segments(&self) -> usize {
        self.loads.iter().map(|load| load.segments_mw.len()).sum()
    }

    /// What an exchange of `mw` costs for an hour in interval `t`, USD.
    pub(super) fn exchange_costs(&self, t: usize, mw: f64) -> f64 {
        let price = self.grid.import_usd_per_mwh[t];
        if mw <= 0.0 {
            return mw * self.grid.export_usd_per_mwh.as_ref().map_or(price, |e| e[t]);
        }
        let mut cost = 0.0;
        let mut left = mw;
        if !self.grid.blocks.is_empty() {
            for (resale, wide) in self.blocks_at(t) {
                let part = left.min(wide);
                cost += part * resale;
                left -= part;
            }
        }
        cost + left * price
    }

    /// The blocks of interval `t`, what fetches the least first: USD/MWh and MW. They
    /// are few, and asked for often: each is looked for when it comes.
    pub(super) fn blocks_at(&self, t: usize) -> impl Iterator<Item = (f64, f64)> + '_ {
        let blocks = self.grid.blocks.iter().enumerate();
        let here = blocks.filter(move |(_, block)| (block.from..block.to).contains(&t));
        let ranked = here.map(move |(at, block)| (block.resale_usd_per_mwh.at(t), at));
        let rank =
            |a: &(f64, usize), b: &(f64, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        let mut last = None;
        std::iter::from_fn(move || {
            let is_next =
                |one: &(f64, usize)| last.is_none_or(|last| rank(one, &last).is_gt());
            let next = ranked.clone().filter(is_next).min_by(rank)?;
            last = Some(next);
            Some((next.0, self.grid.blocks[next.1].mw))
        })
    }

    /// Writes what the exchange costs in interval `t` from as much sent back as may
    /// be upwards: USD/MWh and MW, rising. Nothing where limits contradict.
    pub(super) fn exchange_parts(&self, t: usize, cap: Cap, parts: &mut Vec<(f64, f64)>) {
        parts.clear();
        let (least, most) = self.exchange_range(t);
        let price = self.price(t);
        if least < 0.0 {
            parts.push((price.export, most.min(0.0) - least));
        }
        let mut from = least.max(0.0);
        let mut part = |cost: f64, to: f64| {
            // What rounding leaves is no part.
            if to > from + 1e-9 {
                parts.push((cost, to - from));
                from = to;
            }
        };
        let mut end = 0.0;
        if !self.grid.blocks.is_empty() {
            for (resale, mw) in self.blocks_at(t) {
                if cap.binds_below(most) && cap.mw < end + mw {
                    part(resale, cap.mw.min(most));
                    end += mw;
                    part(resale + cap.over, end.min(most));
                } else {
                    end += mw;
                    part(resale, end.min(most));
                }
            }
        }
        if cap.binds_below(most) {
            part(price.import, cap.mw);
            part(price.import + cap.over, most);
        } else {
            part(price.import, most);
        }
    }

    /// A figure that contradicts another of the same thing in one interval.
    pub(super) fn contradiction(&self) -> Option<Conflict> {
        let found = (0..self.len()).find_map(|t| {
            let (least, most) = self.exchange_range(t);
            if least > most + 1e-9 {
                return Some((t, vec![Bound::Import, Bound::Export]));
            }
            // Less than nothing flows through a feeder where nothing sends back so much.
            let feeder = |f: &Feeder| f.limit_mw.at(t) < -1e5;
            if let Some(feeder) = self.feeders.iter().position(feeder) {
                return Some((t, vec![Bound::Feeder(feeder)]));
            }
            let load = |load: &Demand| {
                let whole: f64 = load.segments_mw.iter().sum();
                load.floor_mw.at(t) > load.ceiling_mw.at(t).min(whole) + 1e-7
            };
            if let Some(load) = self.loads.iter().position(load) {
                return Some((t, vec![Bound::Floor(load), Bound::Ceiling(load)]));
            }
            let store = |store: &Store| {
                store.stored_min_mwh.at(t) > store.stored_max_mwh.at(t) + 1e-7
            };
            let store = self.batteries.iter().position(store)?;
            Some((t, vec![Bound::Stored(store)]))
        });
        found
            .map(|(t, limits)| Conflict::at(t, limits))
            .or_else(|| self.end_contradicts())
    }

    /// A store that is to hold at the end what it cannot hold.
    pub(super) fn end_contradicts(&self) -> Option<Conflict> {
        let last = self.len().checked_sub(1)?;
        let store = self.batteries.iter().position(|store| match store.end {
            End::At(held) => {
                held < store.stored_min_mwh.at(last) - 1e-7
                    || held > store.stored_max_mwh.at(last) + 1e-7
            }
            End::Free | End::Worth(_) => false,
        })?;
        Some(Conflict::at(last, vec![Bound::Stored(store)]))
    }

    /// What a MWh more of a store is worth beyond the end when it holds `held`: the
    /// nearest to `price` of what the two sides say.
    pub(super) fn worth_at_end(&self, store: usize, held: f64, price: f64) -> f64 {
        let parts: &[(f64, f64)] = match &self.batteries[store].end {
            // Held because it must be: nothing beyond is known.
            End::At(_) => return 0.0,
            End::Free => &[],
            End::Worth(parts) => parts,
        };
        let (mut from, mut below) = (0.0, f64::NEG_INFINITY);
        for (width, usd) in parts.iter().copied().chain([(f64::INFINITY, 0.0)]) {
            if held <= from + 1e-8 {
                return price.clamp(usd, below.max(usd));
            }
            if held < from + width - 1e-8 {
                return usd;
            }
            from += width;
            below = usd;
        }
        0.0
    }

    /// What a MWh more than `mw` costs.
    pub(super) fn next_costs(&self, t: usize, mw: f64) -> f64 {
        self.costs_at(t, mw, mw < 0.0, |mw, end| mw < end)
    }

    /// What the last MWh of `mw` costs.
    pub(super) fn last_costs(&self, t: usize, mw: f64) -> f64 {
        self.costs_at(t, mw, mw <= 0.0, |mw, end| mw <= end)
    }

    fn costs_at(
        &self,
        t: usize,
        mw: f64,
        is_sent: bool,
        is_within: impl Fn(f64, f64) -> bool,
    ) -> f64 {
        let price = self.price(t);
        if is_sent {
            return price.export;
        }
        let mut end = 0.0;
        if !self.grid.blocks.is_empty() {
            for (resale, wide) in self.blocks_at(t) {
                end += wide;
                if is_within(mw, end) {
                    return resale;
                }
            }
        }
        price.import
    }

    /// The least and the most that may be exchanged in interval `t`.
    pub(super) fn exchange_range(&self, t: usize) -> (f64, f64) {
        (-self.grid.export_limit_mw.at(t), self.grid.import_limit_mw.at(t))
    }
}

/// A draw beyond which an interval pays more: what keeps a peak down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cap {
    /// From where on, MW.
    pub(super) mw: f64,
    /// How much more, USD/MWh.
    pub(super) over: f64,
}

impl Cap {
    /// None.
    pub(super) const NONE: Self = Self { mw: f64::INFINITY, over: 0.0 };

    /// Whether it is below an import limit, by more than rounding.
    pub(super) fn binds_below(self, most: f64) -> bool {
        self.mw < most - 1e-7
    }
}
