//! A bound worked out from prices alone: how an optimum is known to be one.
//!
//! Pay for every limit what its price says, and every load, the grid and every
//! battery may do what is best for itself, free of each other. No plan within the
//! limits costs less than all of that together, whatever the prices are. A plan
//! that costs the same is an optimum.

use super::answer::{Answer, Prices};
use super::horizon::{Cap, Demand, End, Horizon};

/// The least that anything within the limits costs, USD, as far as `prices` say.
pub(super) fn bound(horizon: &Horizon, prices: &Prices) -> f64 {
    let loads = Rising::of(horizon, prices);
    let mut total = 0.0;
    let simple =
        horizon.feeders.is_empty() && horizon.loads.iter().all(Demand::is_unbounded);
    let mut widths = Vec::new();
    if simple {
        for load in &horizon.loads {
            widths.extend_from_slice(&load.segments_mw);
        }
    }
    for t in 0..horizon.len() {
        if simple && !loads.touches(t) {
            let power = prices.power_usd_per_mwh[t];
            let worth = &horizon.worth_usd_per_mwh[t * widths.len()..][..widths.len()];
            let gained =
                sum_of(worth, &widths, |worth, width| (power - worth).min(0.0) * width);
            total += (gained + rest(horizon, prices, 0.0, t)) * horizon.hours;
        } else {
            total += interval(horizon, prices, &loads, t);
        }
    }
    for store in 0..horizon.batteries.len() {
        total += stored(horizon, prices, store);
    }
    total + loads.fixed + peaks(horizon, prices)
}

/// The sum over two lists side by side, four at a time: the order of additions is
/// fixed, and none waits for the one before.
#[inline]
pub(super) fn sum_of(a: &[f64], b: &[f64], of: impl Fn(f64, f64) -> f64) -> f64 {
    let (a4, a_rest) = a.as_chunks::<4>();
    let (b4, b_rest) = b.as_chunks::<4>();
    let mut sums = [0.0; 4];
    for (a, b) in a4.iter().zip(b4) {
        for lane in 0..4 {
            sums[lane] += of(a[lane], b[lane]);
        }
    }
    let mut total = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    for (a, b) in a_rest.iter().zip(b_rest) {
        total += of(*a, *b);
    }
    total
}

/// What ramp prices add to the price of power of a load or the exchange, and
/// what ramps cost at their limits.
struct Rising {
    /// By load, and last the exchange: sorted intervals and USD/MWh.
    added: Vec<Vec<(usize, f64)>>,
    /// Intervals in which anything is added; empty where nothing is.
    touched: Vec<bool>,
    fixed: f64,
}

impl Rising {
    fn of(horizon: &Horizon, prices: &Prices) -> Self {
        let grid = horizon.loads.len();
        if prices.ramps.is_empty() {
            return Self { added: Vec::new(), touched: Vec::new(), fixed: 0.0 };
        }
        let mut added = vec![Vec::new(); grid + 1];
        let mut fixed = 0.0;
        for price in &prices.ramps {
            let (who, ramp) = match price.load {
                Some(load) => (load, &horizon.loads[load].ramp),
                None => (grid, &horizon.grid.ramp),
            };
            let usd = price.usd_per_mw;
            fixed -= if usd > 0.0 { usd * ramp.up_mw } else { -usd * ramp.down_mw };
            added[who].push((price.t, usd / horizon.hours));
            match (price.t.checked_sub(1), ramp.before_mw) {
                (Some(before), _) => added[who].push((before, -usd / horizon.hours)),
                (None, Some(before)) => fixed -= usd * before,
                (None, None) => {}
            }
        }
        let mut touched = vec![false; horizon.len()];
        for list in &mut added {
            list.sort_by_key(|(t, _)| *t);
            list.iter().for_each(|(t, _)| touched[*t] = true);
        }
        Self { added, touched, fixed }
    }

    /// Whether anything is added in interval `t`.
    #[inline]
    fn touches(&self, t: usize) -> bool {
        self.touched.get(t).is_some_and(|touched| *touched)
    }

    fn at(&self, who: usize, t: usize) -> f64 {
        if !self.touches(t) {
            return 0.0;
        }
        let list = &self.added[who];
        let from = list.partition_point(|(at, _)| *at < t);
        list[from..].iter().take_while(|(at, _)| *at == t).map(|(_, usd)| usd).sum()
    }
}

/// Loads and the exchange of one interval, and what power and feeders cost.
fn interval(horizon: &Horizon, prices: &Prices, rising: &Rising, t: usize) -> f64 {
    let feeders = horizon.feeders.len();
    let inside = &prices.feeders_usd_per_mwh;
    let mut total = 0.0;
    for (feeder, circuit) in horizon.feeders.iter().enumerate() {
        total -= inside[t * feeders + feeder].max(0.0) * circuit.limit_mw.at(t);
    }
    let mut segment = t * horizon.segments();
    for (load, demand) in horizon.loads.iter().enumerate() {
        let mut price = delivered(horizon, prices, t, demand.feeder);
        if rising.touches(t) {
            price += rising.at(load, t);
        }
        let worths = &horizon.worth_usd_per_mwh[segment..][..demand.segments_mw.len()];
        total += drawn(demand, t, price, worths);
        segment += worths.len();
    }
    total += rest(horizon, prices, rising.at(horizon.loads.len(), t), t);
    total * horizon.hours
}

/// Stores and the exchange of one interval; `rising` is what ramp prices add to
/// the price of the exchange.
fn rest(horizon: &Horizon, prices: &Prices, rising: f64, t: usize) -> f64 {
    let power = prices.power_usd_per_mwh[t];
    let mut total = power * horizon.grid.base_mw.at(t);
    let stores = horizon.batteries.len();
    for (store, battery) in horizon.batteries.iter().enumerate() {
        let price = delivered(horizon, prices, t, battery.feeder);
        let stored = prices.stored_usd_per_mwh[t * stores + store];
        let charge = price - stored * battery.charge_efficiency;
        let give =
            battery.wear_usd_per_mwh - price + stored / battery.discharge_efficiency;
        total += charge.min(0.0) * battery.charge_mw.at(t);
        total += give.min(0.0) * battery.discharge_mw.at(t);
    }
    total + exchange(horizon, prices, power - rising, t)
}

/// What a MWh costs where something hangs, USD/MWh.
#[inline]
fn delivered(horizon: &Horizon, prices: &Prices, t: usize, mut at: Option<usize>) -> f64 {
    let inside = &prices.feeders_usd_per_mwh;
    let mut price = prices.power_usd_per_mwh[t];
    while let Some(feeder) = at {
        price += inside[t * horizon.feeders.len() + feeder].max(0.0);
        at = horizon.feeders[feeder].parent;
    }
    price
}

/// The least that a load within its floor and ceiling costs at a price, USD an hour.
#[inline]
fn drawn(demand: &Demand, t: usize, price: f64, worths: &[f64]) -> f64 {
    let mut total = 0.0;
    let mut floor = demand.floor_mw.at(t);
    let mut ceiling = demand.ceiling_mw.at(t);
    for (width, worth) in demand.segments_mw.iter().zip(worths) {
        let most = width.min(ceiling.max(0.0));
        let least = most.min(floor.max(0.0));
        ceiling -= most;
        floor -= least;
        let cost = price - worth;
        total += cost * if cost < 0.0 { most } else { least };
    }
    total
}

/// The least that a load within its floor and ceiling costs at `prices` in each
/// interval, USD.
pub(super) fn drawn_by(horizon: &Horizon, prices: &Prices, load: usize) -> Vec<f64> {
    let rising = Rising::of(horizon, prices);
    let demand = &horizon.loads[load];
    let before = horizon.loads[..load].iter().map(|other| other.segments_mw.len());
    let before: usize = before.sum();
    let cost = |t: usize| {
        let price = delivered(horizon, prices, t, demand.feeder) + rising.at(load, t);
        let first = t * horizon.segments() + before;
        let worths = &horizon.worth_usd_per_mwh[first..][..demand.segments_mw.len()];
        horizon.hours * drawn(demand, t, price, worths)
    };
    (0..horizon.len()).map(cost).collect()
}

/// The best the exchange can do when it is paid `paid` for a MWh handed on.
fn exchange(horizon: &Horizon, prices: &Prices, paid: f64, t: usize) -> f64 {
    let (least, most) = horizon.exchange_range(t);
    let peak = prices.peak_usd_per_mwh[t];
    let simple = horizon.grid.blocks.is_empty() && least <= 0.0;
    if simple {
        let price = horizon.price(t);
        let sent = (price.export - paid) * least;
        return sent
            + (price.export - paid).min(0.0) * (most.min(0.0) - least)
            + (price.import + peak - paid).min(0.0) * most.max(0.0);
    }
    // A peak charge is a price on all that is drawn.
    let mut parts = Vec::new();
    horizon.exchange_parts(t, Cap::NONE, &mut parts);
    let mut total =
        horizon.exchange_costs(t, least) + (peak * least.max(0.0)) - paid * least;
    let mut at = least;
    for (cost, width) in parts {
        let cost = if at < 0.0 { cost } else { cost + peak };
        total += (cost - paid).min(0.0) * width;
        at += width;
    }
    total
}

/// Writes what peaks and the limits of the exchange are worth, from what power is.
pub(super) fn price_limits(horizon: &Horizon, caps: &[Cap], answer: &mut Answer) {
    let rising = Rising::of(horizon, &answer.prices);
    for t in 0..horizon.len() {
        let paid = answer.prices.power_usd_per_mwh[t] - rising.at(horizon.loads.len(), t);
        let (least, most) = horizon.exchange_range(t);
        let cap = caps[t];
        answer.prices.peak_usd_per_mwh[t] = if cap.mw < least {
            // What must be drawn is above it.
            cap.over
        } else if cap.binds_below(most) && answer.exchange_mw[t] > cap.mw - 1e-6 {
            (paid - horizon.next_costs(t, cap.mw)).clamp(0.0, cap.over)
        } else {
            0.0
        };
    }
    price_exchange(horizon, &mut answer.prices);
}

/// Writes what the limits of the exchange are worth, from what power and peaks are: one
/// more MW would be had at what the next costs, and one less spared what the last does.
pub(super) fn price_exchange(horizon: &Horizon, prices: &mut Prices) {
    let rising = Rising::of(horizon, prices);
    for t in 0..horizon.len() {
        let (least, most) = horizon.exchange_range(t);
        let paid = prices.power_usd_per_mwh[t] - rising.at(horizon.loads.len(), t);
        let left = paid - prices.peak_usd_per_mwh[t];
        prices.import_usd_per_mwh[t] = (left - horizon.next_costs(t, most)).max(0.0);
        prices.export_usd_per_mwh[t] = (horizon.last_costs(t, least) - left).max(0.0);
    }
}

/// Writes what room in the stores is worth, from what stored energy is.
pub(super) fn price_rooms(horizon: &Horizon, answer: &mut Answer) {
    let stores = horizon.batteries.len();
    for store in 0..stores {
        for t in 0..horizon.len() {
            let price = |t: usize| answer.prices.stored_usd_per_mwh[t * stores + store];
            let later = if t + 1 < horizon.len() {
                price(t + 1)
            } else {
                horizon.worth_at_end(
                    store,
                    answer.stored_mwh[t * stores + store],
                    price(t),
                )
            };
            answer.prices.store_room_usd_per_mwh[t * stores + store] = later - price(t);
        }
    }
}

/// What is held: at the price of the interval before for that of the next, and
/// at the end for what it is worth beyond.
fn stored(horizon: &Horizon, prices: &Prices, store: usize) -> f64 {
    let (count, n) = (horizon.batteries.len(), horizon.len());
    let battery = &horizon.batteries[store];
    let price = |t: usize| prices.stored_usd_per_mwh[t * count + store];
    if n == 0 {
        return 0.0;
    }
    let mut total = -price(0) * battery.stored_mwh;
    for t in 0..n {
        let (least, most) = (battery.stored_min_mwh.at(t), battery.stored_max_mwh.at(t));
        let best = |gain: f64| if gain > 0.0 { gain * least } else { gain * most };
        if t + 1 < n {
            total += best(price(t) - price(t + 1));
            continue;
        }
        match &battery.end {
            End::At(held) => total += price(t) * held,
            End::Free => total += best(price(t)),
            End::Worth(parts) => {
                let mut from = 0.0;
                total += price(t) * least;
                for (width, usd) in parts.iter().copied().chain([(f64::INFINITY, 0.0)]) {
                    let to = (from + width).min(most);
                    total -= usd * (to.min(least) - from).max(0.0);
                    let gain = price(t) - usd;
                    let part = (to - from.max(least)).max(0.0);
                    total += gain.min(0.0) * part;
                    from = to.max(from);
                }
            }
        }
    }
    total
}

/// What a peak costs beyond what its prices pay for.
fn peaks(horizon: &Horizon, prices: &Prices) -> f64 {
    let mut total = 0.0;
    for peak in &horizon.grid.peaks {
        let paid: f64 = (prices.peak_usd_per_mwh[peak.from..peak.to].iter()).sum::<f64>()
            * horizon.hours;
        let most = (peak.from..peak.to)
            .map(|t| horizon.grid.import_limit_mw.at(t))
            .fold(peak.already_mw, f64::max);
        let free = peak.usd_per_mw - paid;
        total += free * if free >= 0.0 { peak.already_mw } else { most };
        total -= peak.usd_per_mw * peak.already_mw;
    }
    total
}

/// Writes what peaks are worth once more, so that it adds up to no more than their charge
/// and no MW that is drawn pays more than keeps it from being drawn. What is beyond is what
/// the import limit is worth.
pub(super) fn part_peaks(horizon: &Horizon, prices: &mut Prices) {
    let rising = Rising::of(horizon, prices);
    for peak in &horizon.grid.peaks {
        let mut paid = 0.0;
        for t in peak.from..peak.to {
            let own = &mut prices.peak_usd_per_mwh[t];
            if horizon.exchange_range(t).0 <= 0.0 {
                let power =
                    prices.power_usd_per_mwh[t] - rising.at(horizon.loads.len(), t);
                *own = own.min(power - horizon.next_costs(t, 0.0)).max(0.0);
            }
            paid += *own * horizon.hours;
        }
        if paid > peak.usd_per_mw {
            let share = peak.usd_per_mw.max(0.0) / paid;
            let span = &mut prices.peak_usd_per_mwh[peak.from..peak.to];
            span.iter_mut().for_each(|price| *price *= share);
        }
    }
    price_exchange(horizon, prices);
}
