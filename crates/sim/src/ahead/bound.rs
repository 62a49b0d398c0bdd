//! What no plan can go below, from the prices of limits alone.
//!
//! Every limit that has a price is given up and charged at it instead: balance,
//! feeders, ramps and the carrying over of stored energy. What is left falls apart
//! into loads, stores and the exchange, interval by interval, and the least of
//! each is read off its corners. By weak duality the sum of these is no more than
//! any plan costs, whatever the prices; it is as much as the optimum costs for the
//! right prices only.
//!
//! Prices of the import and the export limit, of peaks and of room for stored
//! energy say the same once more, so there are two bounds: [`Limits::Kept`] does
//! without them, [`Limits::Charged`] gives up these limits too and charges their
//! prices. Both are to come out alike.

use engine::decide::ahead::{End, Horizon, Prices, Ramp, Store};

use super::plan::{blocks_of, end_worth_usd, exchange_usd_per_hour, is_below};

/// Whether limits on the exchange and its peaks and on stored energy are kept, or
/// given up and charged at their prices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limits {
    /// Kept; their prices are not looked at.
    Kept,
    /// Given up and charged.
    Charged,
}

/// A slope below nothing by no more than this is nothing, USD/MW: prices are
/// real numbers.
const FLAT: f64 = 1e-6;

/// What no plan costs less than, USD; or what is wrong with the prices.
pub fn bound(horizon: &Horizon, prices: &Prices, limits: Limits) -> Result<f64, String> {
    shapes(horizon, prices)?;
    let (n, hours) = (horizon.len(), horizon.hours);
    let mut total = 0.0;
    for t in 0..n {
        total += hours * prices.power_usd_per_mwh[t] * horizon.grid.base_mw.at(t);
        for (place, feeder) in horizon.feeders.iter().enumerate() {
            let price = prices.feeders_usd_per_mwh[t * horizon.feeders.len() + place];
            not_negative(&format!("feeder {place}, interval {t}"), price)?;
            total -= hours * price * feeder.limit_mw.at(t);
        }
    }
    // What a MWh is worth where something hangs.
    let there = |feeder: Option<usize>, t: usize| {
        let above = (0..horizon.feeders.len())
            .filter(|above| is_below(&horizon.feeders, feeder, *above));
        let feeders = above
            .map(|above| prices.feeders_usd_per_mwh[t * horizon.feeders.len() + above]);
        prices.power_usd_per_mwh[t] + feeders.sum::<f64>()
    };
    let mut first = 0;
    for (place, load) in horizon.loads.iter().enumerate() {
        let ramp = Ramped::new(prices, Some(place), &load.ramp, n)?;
        total += ramp.constant;
        for t in 0..n {
            let slope = hours * there(load.feeder, t) + ramp.slope[t];
            let row = t * horizon.segments() + first;
            let (floor, ceiling) = (load.floor_mw.at(t), load.ceiling_mw.at(t));
            let whole: f64 = load.segments_mw.iter().sum();
            let (least, most) = (floor.max(0.0), ceiling.min(whole));
            let mut corners = vec![least, most];
            let mut sum = 0.0;
            for width in &load.segments_mw {
                sum += width;
                corners.push(sum);
            }
            let usd = |mw: f64| {
                let (mut left, mut usd) = (mw, slope * mw);
                for (k, width) in load.segments_mw.iter().enumerate() {
                    let drawn = left.min(*width);
                    usd -= hours * horizon.worth_usd_per_mwh[row + k] * drawn;
                    left -= drawn;
                }
                usd
            };
            total += lowest(&corners, least, most, usd);
        }
        first += load.segments_mw.len();
    }
    for (place, store) in horizon.batteries.iter().enumerate() {
        let at_meter = |t| there(store.feeder, t);
        total += of_store(horizon, prices, limits, (place, store), at_meter)?;
    }
    Ok(total + of_exchange(horizon, prices, limits)?)
}

/// What ramp prices add: to the cost of each MW in an interval, and in all.
struct Ramped {
    slope: Vec<f64>,
    constant: f64,
}

impl Ramped {
    fn new(
        prices: &Prices,
        load: Option<usize>,
        ramp: &Ramp,
        n: usize,
    ) -> Result<Self, String> {
        let mut own = Self { slope: vec![0.0; n], constant: 0.0 };
        for price in prices.ramps.iter().filter(|price| price.load == load) {
            let (t, usd) = (price.t, price.usd_per_mw);
            let most = if usd > 0.0 { ramp.up_mw } else { ramp.down_mw };
            if most.is_infinite() && usd != 0.0 {
                return Err(format!(
                    "a ramp of {load:?} into {t} has a price and no limit"
                ));
            }
            own.constant -= usd.abs() * most;
            own.slope[t] += usd;
            match (t, ramp.before_mw) {
                (0, None) => {
                    return Err(format!("a ramp of {load:?} comes from nowhere"));
                }
                (0, Some(before)) => own.constant -= usd * before,
                (_, _) => own.slope[t - 1] -= usd,
            }
        }
        Ok(own)
    }
}

fn of_store(
    horizon: &Horizon,
    prices: &Prices,
    limits: Limits,
    (place, store): (usize, &Store),
    at_meter: impl Fn(usize) -> f64,
) -> Result<f64, String> {
    let (n, hours, count) = (horizon.len(), horizon.hours, horizon.batteries.len());
    let worth = |t: usize| prices.stored_usd_per_mwh[t * count + place];
    let mut total = -worth(0) * store.stored_mwh;
    for t in 0..n {
        let power = at_meter(t);
        let charge = hours * (power - store.charge_efficiency * worth(t));
        total += charge.min(0.0) * store.charge_mw.at(t);
        let discharge = hours
            * (store.wear_usd_per_mwh + worth(t) / store.discharge_efficiency - power);
        total += discharge.min(0.0) * store.discharge_mw.at(t);

        let is_last = t + 1 == n;
        if let (End::At(mwh), true) = (&store.end, is_last) {
            total += worth(t) * mwh;
            continue;
        }
        let next = if is_last { 0.0 } else { worth(t + 1) };
        let mut slope = worth(t) - next;
        let (mut least, mut most) =
            (store.stored_min_mwh.at(t), store.stored_max_mwh.at(t));
        // What bends is the worth at the end, which begins at empty.
        let mut corners = vec![0.0];
        let mut lowest_held = f64::NEG_INFINITY;
        if let (End::Worth(parts), true) = (&store.end, is_last) {
            let mut sum = 0.0;
            for (mwh, _) in parts {
                sum += mwh;
                corners.push(sum);
            }
            lowest_held = 0.0;
        }
        match limits {
            Limits::Kept => corners.extend([least, most]),
            Limits::Charged => {
                let room = prices.store_room_usd_per_mwh[t * count + place];
                total -= room * if room > 0.0 { most } else { least };
                slope += room;
                if slope < -FLAT || (slope > FLAT && lowest_held.is_infinite()) {
                    return Err(format!(
                        "store {place}, interval {t}: expected a price of room that makes \
                         holding more worth nothing, found it off by {slope}"
                    ));
                }
                (least, most) = (lowest_held, f64::INFINITY);
            }
        }
        let end = |mwh| if is_last { end_worth_usd(&store.end, mwh) } else { 0.0 };
        total += lowest(&corners, least, most, |mwh| slope * mwh - end(mwh));
    }
    Ok(total)
}

fn of_exchange(
    horizon: &Horizon,
    prices: &Prices,
    limits: Limits,
) -> Result<f64, String> {
    let (n, grid) = (horizon.len(), &horizon.grid);
    let ramp = Ramped::new(prices, None, &grid.ramp, n)?;
    let mut total = ramp.constant;
    let mut cells = Vec::new();
    for t in 0..n {
        let cell = Cell::new(horizon, prices, limits, t, ramp.slope[t])?;
        total += cell.constant;
        cells.push(cell);
    }
    let mut under_a_peak = vec![false; n];
    for (place, peak) in grid.peaks.iter().enumerate() {
        let span = &cells[peak.from..peak.to];
        if limits == Limits::Charged {
            let own = &prices.peak_usd_per_mwh[peak.from..peak.to];
            let charge = horizon.hours * own.iter().sum::<f64>();
            if charge > peak.usd_per_mw + FLAT {
                return Err(format!(
                    "peak {place}: expected prices that add up to no more than {}, found {charge}",
                    peak.usd_per_mw
                ));
            }
            total -= charge * peak.already_mw;
            continue;
        }
        under_a_peak[peak.from..peak.to].fill(true);
        let with = |peak_mw: f64| {
            let above = (peak_mw - peak.already_mw).max(0.0);
            let rest: f64 = span.iter().map(|cell| cell.lowest(horizon, peak_mw)).sum();
            peak.usd_per_mw * above + rest
        };
        let least = span.iter().map(|cell| cell.least).fold(f64::NEG_INFINITY, f64::max);
        let mut corners: Vec<f64> =
            span.iter().flat_map(|cell| cell.corners.clone()).collect();
        corners.extend([peak.already_mw, least]);
        corners.retain(|corner| corner.is_finite() && *corner >= least);
        corners.sort_by(f64::total_cmp);
        // Between two that are the same it neither rises nor falls.
        corners.dedup_by(|one, other| (*one - *other).abs() < 1e-9);
        // Convex in the peak: the first corner after which it rises.
        let (mut low, mut high) = (0, corners.len() - 1);
        while low < high {
            let middle = low.midpoint(high);
            if with(corners[middle]) <= with(corners[middle + 1]) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        total += with(corners[low]);
    }
    let others = cells.iter().zip(under_a_peak).filter(|(_, under)| !under);
    total += others.map(|(cell, _)| cell.lowest(horizon, f64::INFINITY)).sum::<f64>();
    Ok(total)
}

/// The exchange of an interval with everything charged to it.
struct Cell {
    t: usize,
    /// What a MW costs beside its price, USD/MW.
    slope: f64,
    /// Between what it lies, MW.
    least: f64,
    most: f64,
    /// Where its cost bends.
    corners: Vec<f64>,
    constant: f64,
}

impl Cell {
    fn new(
        horizon: &Horizon,
        prices: &Prices,
        limits: Limits,
        t: usize,
        ramp: f64,
    ) -> Result<Self, String> {
        let (grid, hours) = (&horizon.grid, horizon.hours);
        let mut slope = ramp - hours * prices.power_usd_per_mwh[t];
        let (mut least, mut most) =
            (-grid.export_limit_mw.at(t), grid.import_limit_mw.at(t));
        let mut constant = 0.0;
        let mut corners = vec![0.0];
        for (_, mw) in blocks_of(horizon, t) {
            corners.push(corners[corners.len() - 1] + mw);
        }
        match limits {
            Limits::Kept => corners.extend([least, most]),
            Limits::Charged => {
                let import = prices.import_usd_per_mwh[t];
                let export = prices.export_usd_per_mwh[t];
                let peak = prices.peak_usd_per_mwh[t];
                not_negative(&format!("import, interval {t}"), import)?;
                not_negative(&format!("export, interval {t}"), export)?;
                not_negative(&format!("peak, interval {t}"), peak)?;
                constant = -hours * (import * most - export * least);
                slope += hours * (import + peak - export);
                (least, most) = (f64::NEG_INFINITY, f64::INFINITY);
                let pays =
                    grid.export_usd_per_mwh.as_ref().unwrap_or(&grid.import_usd_per_mwh);
                let more = hours * grid.import_usd_per_mwh[t] + slope;
                let less = hours * pays[t] + slope;
                if more < -FLAT || less > FLAT {
                    return Err(format!(
                        "interval {t}: expected prices that make exchanging more or less worth \
                         nothing, found {more} for a MW more and {} for one less",
                        -less
                    ));
                }
            }
        }
        Ok(Self { t, slope, least, most, corners, constant })
    }

    /// The least it costs with no more than `peak_mw`, USD.
    fn lowest(&self, horizon: &Horizon, peak_mw: f64) -> f64 {
        let most = self.most.min(peak_mw);
        let usd = |mw: f64| {
            horizon.hours * exchange_usd_per_hour(horizon, self.t, mw) + self.slope * mw
        };
        let corners = self.corners.iter().chain(most.is_finite().then_some(&most));
        lowest(corners, self.least, most, usd)
    }
}

/// The least of a convex function that bends at `corners` only.
fn lowest<'a>(
    corners: impl IntoIterator<Item = &'a f64>,
    least: f64,
    most: f64,
    usd: impl Fn(f64) -> f64,
) -> f64 {
    let inside = corners.into_iter().filter(|corner| (least..=most).contains(*corner));
    inside.map(|corner| usd(*corner)).fold(f64::INFINITY, f64::min)
}

fn not_negative(what: &str, price: f64) -> Result<(), String> {
    if price >= 0.0 {
        return Ok(());
    }
    Err(format!("{what}: expected a price of nothing or more, found {price}"))
}

fn shapes(horizon: &Horizon, prices: &Prices) -> Result<(), String> {
    let (n, stores) = (horizon.len(), horizon.batteries.len());
    let lengths = [
        ("power", &prices.power_usd_per_mwh, n),
        ("import", &prices.import_usd_per_mwh, n),
        ("export", &prices.export_usd_per_mwh, n),
        ("peak", &prices.peak_usd_per_mwh, n),
        ("feeders", &prices.feeders_usd_per_mwh, n * horizon.feeders.len()),
        ("stored", &prices.stored_usd_per_mwh, n * stores),
        ("store_room", &prices.store_room_usd_per_mwh, n * stores),
    ];
    match lengths.into_iter().find(|(_, found, expected)| found.len() != *expected) {
        None => Ok(()),
        Some((name, found, expected)) => {
            Err(format!("prices of {name}: expected {expected}, found {}", found.len()))
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::decide::ahead::{Dated, Demand, Grid, Peak};

    use super::*;

    /// An hour at 30 USD/MWh: 10 MW worth 50, of which 6 can be drawn.
    fn horizon(peaks: Vec<Peak>) -> Horizon {
        Horizon {
            hours: 1.0,
            grid: Grid {
                import_usd_per_mwh: vec![30.0],
                export_usd_per_mwh: None,
                import_limit_mw: Dated::Always(6.0),
                export_limit_mw: Dated::Always(0.0),
                base_mw: Dated::Always(0.0),
                ramp: Ramp::FREE,
                blocks: Vec::new(),
                peaks,
            },
            feeders: Vec::new(),
            loads: vec![Demand {
                feeder: None,
                segments_mw: vec![10.0],
                floor_mw: Dated::Always(0.0),
                ceiling_mw: Dated::Always(f64::INFINITY),
                ramp: Ramp::FREE,
            }],
            worth_usd_per_mwh: vec![50.0],
            batteries: Vec::new(),
        }
    }

    fn prices(power: f64, import: f64, peak: f64) -> Prices {
        Prices {
            power_usd_per_mwh: vec![power],
            import_usd_per_mwh: vec![import],
            peak_usd_per_mwh: vec![peak],
            export_usd_per_mwh: vec![0.0],
            ..Prices::default()
        }
    }

    #[test]
    fn the_right_prices_give_the_optimum_and_wrong_ones_less() {
        // Six MW earn 20 each. With a charge of 5 on each MW above 2: 15 from there.
        let peak = Peak { from: 0, to: 1, usd_per_mw: 5.0, already_mw: 2.0 };
        let cases = [
            (vec![], prices(50.0, 20.0, 0.0), Ok(-120.0), Ok(-120.0)),
            (vec![], prices(40.0, 10.0, 0.0), Ok(-160.0), Ok(-160.0)),
            (vec![], prices(50.0, 30.0, 0.0), Ok(-120.0), Err("more or less")),
            (vec![], prices(50.0, 10.0, 0.0), Ok(-120.0), Err("more or less")),
            (vec![], prices(50.0, -1.0, 0.0), Ok(-120.0), Err("nothing or more")),
            (vec![peak], prices(50.0, 15.0, 5.0), Ok(-100.0), Ok(-100.0)),
            (vec![peak], prices(50.0, 14.0, 6.0), Ok(-100.0), Err("add up")),
            (vec![peak], prices(50.0, 20.0, 0.0), Ok(-100.0), Ok(-120.0)),
        ];
        for (peaks, prices, kept, charged) in cases {
            let horizon = horizon(peaks);
            for (limits, expected) in [(Limits::Kept, kept), (Limits::Charged, charged)] {
                let found = bound(&horizon, &prices, limits);
                let agrees = match (&found, &expected) {
                    (Ok(found), Ok(expected)) => (found - expected).abs() < 1e-9,
                    (Err(found), Err(expected)) => found.contains(expected),
                    (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
                };
                assert!(agrees, "{prices:?} {limits:?}: {expected:?}, found {found:?}");
            }
        }
    }
}
