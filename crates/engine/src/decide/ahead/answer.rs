//! The optimum over a horizon: what everything does, what every limit is worth,
//! and how it is known to be the optimum.

use std::ops::Range;

use super::certify;
use super::horizon::{End, Horizon};

/// The optimum over a horizon. Arrays stand as in the
/// [`Horizon`](super::Horizon) they answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// What it costs, USD: energy, peaks and wear less worth. Negative is a
    /// profit.
    pub cost_usd: f64,
    /// A lower bound on what anything within the limits costs, USD, worked out
    /// from the prices below and not from the plan.
    pub bound_usd: f64,
    /// What each segment draws, MW: interval by interval.
    pub segments_mw: Vec<f64>,
    /// The exchange with the grid, MW; negative is sent back.
    pub exchange_mw: Vec<f64>,
    /// What each store takes in at the meter, MW: interval by interval.
    pub charge_mw: Vec<f64>,
    /// What each store gives back at the meter, MW: interval by interval.
    pub discharge_mw: Vec<f64>,
    /// What each store holds when the interval ends, MWh: interval by interval.
    pub stored_mwh: Vec<f64>,
    /// The highest draw of each span with a peak charge, MW.
    pub peaks_mw: Vec<f64>,
    /// What limits are worth.
    pub prices: Prices,
    /// How it was found.
    pub found: Found,
}

/// Shadow prices: what the cost would fall by, were a limit wider by one.
/// All are positive or zero but those of power and of stored energy.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prices {
    /// What a MWh at the interconnection is worth, USD/MWh.
    pub power_usd_per_mwh: Vec<f64>,
    /// What one more MW of import limit would earn for an hour, USD/MWh.
    pub import_usd_per_mwh: Vec<f64>,
    /// What a MW more of a charged peak would earn for an hour, USD/MWh: over its
    /// span they add up to its charge, or to less where nothing above what was
    /// drawn already is charged.
    pub peak_usd_per_mwh: Vec<f64>,
    /// What one more MW of export limit would earn for an hour, USD/MWh.
    pub export_usd_per_mwh: Vec<f64>,
    /// The same of each feeder: interval by interval.
    pub feeders_usd_per_mwh: Vec<f64>,
    /// What a MWh held by each store at the end of the interval is worth,
    /// USD/MWh: interval by interval.
    pub stored_usd_per_mwh: Vec<f64>,
    /// What a MWh more of room for stored energy would earn, USD/MWh: positive
    /// where the store is full, negative where it may hold no less.
    pub store_room_usd_per_mwh: Vec<f64>,
    /// Ramp limits that bind.
    pub ramps: Vec<RampPrice>,
}

/// What a ramp limit that binds is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RampPrice {
    /// The interval that was ramped into.
    pub t: usize,
    /// The load; `None` is the exchange with the grid.
    pub load: Option<usize>,
    /// What a MW more of ramp would have earned, USD/MW: positive where the
    /// limit on rising binds, negative where the one on falling does.
    pub usd_per_mw: f64,
}

/// How an optimum was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Windows in which ramps were repaired.
    pub windows: usize,
    /// Exact steps taken in them.
    pub pivots: usize,
    /// Passes over the horizon.
    pub passes: usize,
    /// Whether the method for the general case was needed.
    pub general: bool,
    /// Whether even that found no plan that keeps every limit: the plan may break
    /// ramps, or leave several stores out. Its bound holds all the same.
    pub relaxed: bool,
}

impl Answer {
    /// Makes room for the answer to a horizon.
    pub(super) fn fit(&mut self, horizon: &Horizon) {
        let n = horizon.len();
        let stores = horizon.batteries.len();
        let fit = |list: &mut Vec<f64>, count: usize| {
            list.clear();
            list.resize(count, 0.0);
        };
        fit(&mut self.segments_mw, n * horizon.segments());
        fit(&mut self.exchange_mw, n);
        fit(&mut self.charge_mw, n * stores);
        fit(&mut self.discharge_mw, n * stores);
        fit(&mut self.stored_mwh, n * stores);
        fit(&mut self.peaks_mw, horizon.grid.peaks.len());
        let prices = &mut self.prices;
        fit(&mut prices.power_usd_per_mwh, n);
        fit(&mut prices.import_usd_per_mwh, n);
        fit(&mut prices.export_usd_per_mwh, n);
        fit(&mut prices.peak_usd_per_mwh, n);
        fit(&mut prices.feeders_usd_per_mwh, n * horizon.feeders.len());
        fit(&mut prices.stored_usd_per_mwh, n * stores);
        fit(&mut prices.store_room_usd_per_mwh, n * stores);
        prices.ramps.clear();
        self.found = Found { passes: 1, ..Found::default() };
    }

    /// Whether the plan has the one store hold this at the end of interval `t`,
    /// at this price on its later side.
    pub(super) fn agrees(&self, t: usize, held: f64, price: f64) -> bool {
        let room = self.prices.store_room_usd_per_mwh[t];
        let later = self.prices.stored_usd_per_mwh[t] + room;
        (self.stored_mwh[t] - held).abs() <= AGREE && (later - price).abs() <= AGREE
    }

    /// What intervals cost together, were each an hour long, USD: energy and wear less
    /// worth.
    pub(super) fn hourly(&self, horizon: &Horizon, span: Range<usize>) -> f64 {
        let segments = horizon.segments();
        let stores = horizon.batteries.len();
        let cost = |t: usize| {
            let drawn = &self.segments_mw[t * segments..(t + 1) * segments];
            let worth = &horizon.worth_usd_per_mwh[t * segments..(t + 1) * segments];
            let earned = certify::sum_of(drawn, worth, |drawn, worth| drawn * worth);
            let mut cost = horizon.exchange_costs(t, self.exchange_mw[t]) - earned;
            for (store, battery) in horizon.batteries.iter().enumerate() {
                cost += battery.wear_usd_per_mwh * self.discharge_mw[t * stores + store];
            }
            cost
        };
        span.map(cost).sum()
    }

    /// What a store holds at the end is worth beyond it, USD.
    pub(super) fn worth_at_end(&self, horizon: &Horizon, store: usize) -> f64 {
        let battery = &horizon.batteries[store];
        let End::Worth(parts) = &battery.end else { return 0.0 };
        let mut held = match horizon.len() {
            0 => battery.stored_mwh,
            n => self.stored_mwh[(n - 1) * horizon.batteries.len() + store],
        };
        let mut total = 0.0;
        for (width, usd) in parts {
            let part = held.min(*width).max(0.0);
            total += part * usd;
            held -= part;
        }
        total
    }

    /// What the plan costs, USD, and the peaks it has.
    pub(super) fn price(&mut self, horizon: &Horizon) {
        let hourly = self.hourly(horizon, 0..horizon.len());
        let mut total = hourly * horizon.hours;
        for (at, peak) in horizon.grid.peaks.iter().enumerate() {
            let span = &self.exchange_mw[peak.from..peak.to];
            let highest = span.iter().copied().fold(0.0, f64::max);
            self.peaks_mw[at] = highest;
            total += peak.usd_per_mw * (highest - peak.already_mw).max(0.0);
        }
        for store in 0..horizon.batteries.len() {
            total -= self.worth_at_end(horizon, store);
        }
        self.cost_usd = total;
    }
}

impl Prices {
    /// The prices of intervals `from..to`.
    pub(super) fn of_span(&self, horizon: &Horizon, from: usize, to: usize) -> Self {
        let mut ramps = self.ramps.clone();
        ramps.retain(|price| (from..to).contains(&price.t));
        let span = |list: &[f64], width: usize| list[from * width..to * width].to_vec();
        let stores = horizon.batteries.len();
        Self {
            power_usd_per_mwh: span(&self.power_usd_per_mwh, 1),
            import_usd_per_mwh: span(&self.import_usd_per_mwh, 1),
            peak_usd_per_mwh: span(&self.peak_usd_per_mwh, 1),
            export_usd_per_mwh: span(&self.export_usd_per_mwh, 1),
            feeders_usd_per_mwh: span(&self.feeders_usd_per_mwh, horizon.feeders.len()),
            stored_usd_per_mwh: span(&self.stored_usd_per_mwh, stores),
            store_room_usd_per_mwh: span(&self.store_room_usd_per_mwh, stores),
            ramps,
        }
    }

    /// Sets all prices to a mix of others, in shares.
    pub(super) fn mix(&mut self, horizon: &Horizon, others: &[Self], shares: &[f64]) {
        let Some(first) = others.first() else { return };
        let mut sum = first.clone();
        let mut whole = shares[0];
        for (other, share) in others.iter().zip(shares).skip(1) {
            if *share > 0.0 {
                whole += share;
                let part = (other, share / whole);
                let before = sum.clone();
                sum.mix_span(horizon, 0, horizon.len(), part, &before);
            }
        }
        *self = sum;
    }

    /// Sets intervals `from..to` to a mix of two answers of [`Self::of_span`].
    pub(super) fn mix_span(
        &mut self,
        horizon: &Horizon,
        from: usize,
        to: usize,
        (one, share): (&Self, f64),
        other: &Self,
    ) {
        let mix = |to_: &mut [f64], width: usize, a: &[f64], b: &[f64]| {
            for ((to, a), b) in to_[from * width..to * width].iter_mut().zip(a).zip(b) {
                *to = share * a + (1.0 - share) * b;
            }
        };
        let stores = horizon.batteries.len();
        let feeders = horizon.feeders.len();
        let (a, b) = (one, other);
        mix(&mut self.power_usd_per_mwh, 1, &a.power_usd_per_mwh, &b.power_usd_per_mwh);
        mix(&mut self.peak_usd_per_mwh, 1, &a.peak_usd_per_mwh, &b.peak_usd_per_mwh);
        mix(
            &mut self.import_usd_per_mwh,
            1,
            &a.import_usd_per_mwh,
            &b.import_usd_per_mwh,
        );
        mix(
            &mut self.export_usd_per_mwh,
            1,
            &a.export_usd_per_mwh,
            &b.export_usd_per_mwh,
        );
        let (inside, rooms) =
            (&mut self.feeders_usd_per_mwh, &mut self.store_room_usd_per_mwh);
        mix(inside, feeders, &a.feeders_usd_per_mwh, &b.feeders_usd_per_mwh);
        mix(rooms, stores, &a.store_room_usd_per_mwh, &b.store_room_usd_per_mwh);
        let stored = &mut self.stored_usd_per_mwh;
        mix(stored, stores, &a.stored_usd_per_mwh, &b.stored_usd_per_mwh);
        self.ramps.retain(|price| !(from..to).contains(&price.t));
        for (list, share) in [(&a.ramps, share), (&b.ramps, 1.0 - share)] {
            let part = |price: &RampPrice| RampPrice {
                usd_per_mw: price.usd_per_mw * share,
                ..*price
            };
            self.ramps.extend(list.iter().map(part).filter(|p| p.usd_per_mw != 0.0));
        }
    }
}

impl Found {
    /// Counts what another solution took.
    pub(super) fn add(&mut self, other: Self) {
        self.windows += other.windows;
        self.pivots += other.pivots;
        self.passes += other.passes;
        self.general |= other.general;
        self.relaxed |= other.relaxed;
    }
}

/// Two plans this close are the same, in MWh and USD/MWh.
pub(super) const AGREE: f64 = 1e-7;
