//! The optimum over a horizon: what everything does, what every limit is worth,
//! and how it is known to be the optimum.

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
    /// What one more MW of export limit would earn for an hour, USD/MWh.
    pub export_usd_per_mwh: Vec<f64>,
    /// The same of each feeder: interval by interval.
    pub feeders_usd_per_mwh: Vec<f64>,
    /// What a MWh held by each store at the end of the interval is worth,
    /// USD/MWh: interval by interval.
    pub stored_usd_per_mwh: Vec<f64>,
    /// What a MWh more of room for stored energy would earn, USD/MWh: interval
    /// by interval.
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
}
