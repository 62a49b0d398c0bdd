//! The sites whose speed is measured, over prices and worths from outside.
//!
//! [`reference()`] is the problem that other programs are measured on: 750 MW of
//! import, 100 MW of export, twelve classes of mining machines, 200 MW of GPUs
//! whose unserved energy costs 4,000 USD/MWh, a battery. [`full`] is the same
//! plant with everything that a real site has beside it, and [`pressed`] that one on
//! days on which its limits bind together.

use engine::decide::ahead::{
    Block, Dated, Demand, End, Feeder, Grid, Horizon, Peak, Ramp, Store,
};

/// The length of an interval, hours.
pub const HOURS: f64 = 0.25;

/// Classes of mining machines, MW.
pub const CLASSES_MW: [f64; 12] =
    [90.0, 80.0, 80.0, 70.0, 60.0, 60.0, 50.0, 50.0, 40.0, 30.0, 25.0, 15.0];

/// What the GPUs must draw, MW.
pub const GPUS_MW: f64 = 200.0;

/// What each MWh costs that they do not get, USD/MWh.
pub const UNSERVED_USD_PER_MWH: f64 = 4_000.0;

/// What the battery holds at the start and, where it is fixed, at the end, MWh.
pub const STORED_MWH: f64 = 100.0;

/// How far the exchange may move, MW.
pub const EXCHANGE_RAMP_MW: f64 = 225.0;

/// What part of its size a class may rise by in an interval.
pub const CLASS_RAMP: f64 = 0.5;

/// Whether ramps are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ramps {
    /// They are.
    Kept,
    /// Nothing limits how fast anything moves.
    Free,
}

/// The reference problem over `prices` (USD/MWh) and the worth of each class
/// (USD/MWh, interval by interval).
///
/// GPUs are worth here what it would cost not to serve them, so that its
/// [objective](reference_cost_usd) is higher by a constant.
pub fn reference(prices: &[f64], worths: &[f64], ramps: Ramps, end: End) -> Horizon {
    let ramp = |up_mw: f64, down_mw: f64| match ramps {
        Ramps::Kept => Ramp { up_mw, down_mw, before_mw: None },
        Ramps::Free => Ramp::FREE,
    };
    let class = |mw: &f64| demand(None, vec![*mw], ramp(CLASS_RAMP * mw, f64::INFINITY));
    let mut loads: Vec<Demand> = CLASSES_MW.iter().map(class).collect();
    loads.push(demand(None, vec![GPUS_MW], Ramp::FREE));
    let mut worth_usd_per_mwh = Vec::with_capacity(prices.len() * loads.len());
    for own in worths.chunks_exact(CLASSES_MW.len()) {
        worth_usd_per_mwh.extend_from_slice(own);
        worth_usd_per_mwh.push(UNSERVED_USD_PER_MWH);
    }
    Horizon {
        hours: HOURS,
        grid: Grid {
            import_usd_per_mwh: prices.to_vec(),
            export_usd_per_mwh: None,
            import_limit_mw: Dated::Always(750.0),
            export_limit_mw: Dated::Always(100.0),
            base_mw: Dated::Always(0.0),
            ramp: ramp(EXCHANGE_RAMP_MW, EXCHANGE_RAMP_MW),
            blocks: Vec::new(),
            peaks: Vec::new(),
        },
        feeders: Vec::new(),
        loads,
        worth_usd_per_mwh,
        batteries: vec![battery(None, 0.0, end)],
    }
}

/// The objective of the reference problem, USD, from ours: what unserved energy
/// costs instead of what served energy is worth.
pub fn reference_cost_usd(intervals: usize, cost_usd: f64) -> f64 {
    cost_usd + intervals as f64 * HOURS * GPUS_MW * UNSERVED_USD_PER_MWH
}

/// The plant of the reference problem with everything at once.
///
/// - Three halls behind feeders: A (classes 0 to 5, 380 MW) with two circuits of
///   its own (A1, classes 0 to 2; A2, classes 3 to 5), B (classes 6 to 11 and the
///   battery, 190 MW), G (GPUs, 260 MW). A and B are worked on for a day every
///   four weeks and carry half of it then.
/// - A MWh drawn costs the price and 3 USD; one sent back pays the price less 1.
/// - A block of 250 MW always, and one of 200 MW more in the third quarter; what is
///   not drawn is sold at the price.
/// - A charge of 7,500 USD/MW on the highest draw of each month (a twelfth of a
///   year), 300 MW of which were drawn already.
/// - 5 MW drawn in any case, spot work of the GPUs in two segments (40 MW at 90
///   and 20 MW at 45 USD/MWh), at least 50 MW of class 0, wear of 5 USD/MWh, and
///   ramps of every class, of the GPUs and of the exchange.
pub fn full(prices: &[f64], worths: &[f64]) -> Horizon {
    const DAY: usize = 96;
    const MONTH: usize = 2_920;
    let n = prices.len();
    let mut horizon = reference(prices, worths, Ramps::Kept, End::At(STORED_MWH));
    let worked_on = |mw: f64, from: usize| {
        let of = |t: usize| if t / DAY % 28 == from { mw / 2.0 } else { mw };
        Dated::Each((0..n).map(of).collect())
    };
    let feeder = |parent, limit_mw| Feeder { parent, limit_mw };
    horizon.feeders = vec![
        feeder(None, worked_on(380.0, 12)),
        feeder(Some(0), Dated::Always(220.0)),
        feeder(Some(0), Dated::Always(170.0)),
        feeder(None, worked_on(190.0, 19)),
        feeder(None, Dated::Always(260.0)),
    ];
    for (class, load) in horizon.loads.iter_mut().enumerate() {
        load.feeder = Some(match class {
            0..3 => 1,
            3..6 => 2,
            6..12 => 3,
            _ => 4,
        });
    }
    horizon.loads[0].floor_mw = Dated::Always(50.0);
    horizon.loads[12].ramp = Ramp { up_mw: 100.0, down_mw: 100.0, before_mw: None };
    let spot = Ramp { up_mw: 15.0, down_mw: 30.0, before_mw: None };
    horizon.loads.push(demand(Some(4), vec![40.0, 20.0], spot));
    let with_spot = |own: &[f64]| [own, &[90.0, 45.0]].concat();
    horizon.worth_usd_per_mwh =
        horizon.worth_usd_per_mwh.chunks_exact(13).flat_map(with_spot).collect();
    horizon.batteries[0] = battery(Some(3), 5.0, End::At(STORED_MWH));

    let grid = &mut horizon.grid;
    grid.base_mw = Dated::Always(5.0);
    grid.import_usd_per_mwh = prices.iter().map(|price| price + 3.0).collect();
    grid.export_usd_per_mwh = Some(prices.iter().map(|price| price - 1.0).collect());
    let block = |from: usize, to: usize, mw| Block {
        from,
        to,
        mw,
        resale_usd_per_mwh: Dated::Each(prices.to_vec()),
    };
    grid.blocks = vec![block(0, n, 250.0), block(n / 2, n - n / 4, 200.0)];
    let peak = |from: usize| Peak {
        from,
        to: (from + MONTH).min(n),
        usd_per_mw: 7_500.0,
        already_mw: 300.0,
    };
    grid.peaks = (0..n).step_by(MONTH).map(peak).collect();
    horizon
}

/// [`full`] with a peak charge that is a choice of the day, and the ramps of the
/// [`reference()`] alone: then what to draw at the most is found between the ends, and
/// ramps bind on most days while feeders, blocks, the peak and the battery do.
///
/// The charge is a day's share of the month's, 250 USD/MW, of which 300 MW were drawn
/// already.
pub fn pressed(prices: &[f64], worths: &[f64]) -> Horizon {
    let mut horizon = full(prices, worths);
    for peak in &mut horizon.grid.peaks {
        peak.usd_per_mw = 250.0;
    }
    horizon
}

fn demand(feeder: Option<usize>, segments_mw: Vec<f64>, ramp: Ramp) -> Demand {
    Demand {
        feeder,
        segments_mw,
        floor_mw: Dated::Always(0.0),
        ceiling_mw: Dated::Always(f64::INFINITY),
        ramp,
    }
}

fn battery(feeder: Option<usize>, wear_usd_per_mwh: f64, end: End) -> Store {
    Store {
        feeder,
        charge_mw: Dated::Always(100.0),
        discharge_mw: Dated::Always(100.0),
        stored_min_mwh: Dated::Always(0.0),
        stored_max_mwh: Dated::Always(200.0),
        charge_efficiency: 0.94,
        discharge_efficiency: 0.94,
        wear_usd_per_mwh,
        stored_mwh: STORED_MWH,
        end,
    }
}
