//! What is known: prices, readings, instructions and forecasts, each with the
//! time it is about and the time it could first be known.
//!
//! Signals change the state and nothing else.

use serde::{Deserialize, Serialize};
use units::{
    Energy, EnergyPrice, GpuHourPrice, GpuSeconds, Hashes, Hashprice, Interval, Power,
    Share, Temperature, Timestamp,
};

mod exposure;
mod forecast;
mod instruction;

pub use exposure::{Capacity, Exposure, FlexEvent};
pub use forecast::Forecast;
pub use instruction::{Ask, Instruction};

use crate::site::{LoadIx, ProgrammeIx};

/// A value, what it is about, and when it could first be known.
///
/// A correction is a new `Known` with a later `known_at`; nothing is
/// overwritten at the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known<T> {
    /// The value.
    pub value: T,
    /// When it is true.
    pub during: Interval,
    /// When it could first be known.
    pub known_at: Timestamp,
    /// Where it comes from.
    pub source: Source,
}

/// Where a value comes from, as a reason names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Source {
    /// The grid's real-time dispatch: known when its interval starts.
    Lmp,
    /// The real-time settlement price: known when its interval ends.
    SettlementPoint,
    /// The day-ahead market.
    DayAhead,
    /// Bitcoin's price, difficulty and fees of a whole day.
    Bitcoin,
    /// A weather observation.
    Weather,
    /// The system operator's forecasts.
    SystemForecast,
    /// An instruction from the grid.
    Grid,
    /// The meter at the interconnection.
    Meter,
    /// What the same time of an earlier day cost.
    EarlierDay,
    /// A quantile of what the same time of many earlier days cost.
    Quantile,
    /// A price forecast from outside.
    Forecaster,
    /// What came to be, told before it was: in comparisons alone.
    Foresight,
    /// What machines say of themselves, added up: where there is no meter.
    Looks,
    /// Who buys GPU capacity by the hour.
    SpotMarket,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Lmp => "LMP",
            Self::SettlementPoint => "settlement price",
            Self::DayAhead => "day-ahead price",
            Self::Bitcoin => "bitcoin day",
            Self::Weather => "weather",
            Self::SystemForecast => "system forecast",
            Self::Grid => "grid instruction",
            Self::Meter => "interconnection meter",
            Self::EarlierDay => "price of the day before",
            Self::Quantile => "quantile of earlier days",
            Self::Forecaster => "price forecast",
            Self::Foresight => "perfect foresight",
            Self::Looks => "what machines say of themselves",
            Self::SpotMarket => "spot offer",
        })
    }
}

/// One thing that became known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Signal {
    /// A price of power at the site's settlement point.
    Price(Known<EnergyPrice>),
    /// What mining earned on a day.
    Hashprice(Known<Hashprice>),
    /// Outside air temperature.
    Temperature(Known<Temperature>),
    /// The system's forecast demand.
    DemandForecast(Known<Power>),
    /// How likely an interval is to be a coincident peak, from a forecaster.
    PeakProbability(Known<Share>),
    /// Something the grid asks.
    Instruction(Instruction),
    /// A programme's link was heard from, with nothing new to say.
    Heard(ProgrammeIx),
    /// What the site draws at the interconnection at this moment.
    Draw(Known<Power>),
    /// What the meters read over an interval.
    Sweep(Sweep),
    /// What a tranche under contract stands to lose.
    Exposure(Exposure),
    /// Prices that are expected.
    Forecast(Forecast),
    /// What is offered for a GPU-hour of capacity that nobody has promised.
    SpotOffer(Known<GpuHourPrice>),
}

/// Every meter of the site, read over the same interval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    /// The interval read.
    pub during: Interval,
    /// Net energy at the interconnection; `None` where that meter did not answer.
    pub site: Option<Energy>,
    /// One reading a load that answered, in the site's order.
    pub readings: Vec<Reading>,
}

/// What one load's meter read over an interval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// Which load.
    pub load: LoadIx,
    /// Energy at the meter, with its share of cooling.
    pub energy: Energy,
    /// What the energy became.
    pub work: Work,
}

/// What energy became.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Work {
    /// Hashes the pool counted.
    Hashes(Hashes),
    /// GPU time delivered.
    Gpu(GpuSeconds),
    /// What the battery holds at the end of the interval.
    Stored(Energy),
}

impl<T> Known<T> {
    /// When it could first be known: when it says, and no sooner than its source
    /// can know it.
    pub fn knowable_at(&self) -> Timestamp {
        let by_source = match self.source {
            Source::Lmp | Source::Weather | Source::Meter | Source::Looks => {
                self.during.start
            }
            Source::SettlementPoint | Source::Bitcoin => self.during.end,
            Source::DayAhead
            | Source::SystemForecast
            | Source::Grid
            | Source::EarlierDay
            | Source::Quantile
            | Source::Forecaster
            | Source::SpotMarket
            | Source::Foresight => self.known_at,
        };
        self.known_at.max(by_source)
    }
}

impl Signal {
    /// When it could first be known: when it says, and no sooner than its source
    /// can know it. A meter is read when its interval ends.
    pub fn knowable_at(&self) -> Option<Timestamp> {
        match self {
            Self::Price(known) => Some(known.knowable_at()),
            Self::Hashprice(known) => Some(known.knowable_at()),
            Self::Temperature(known) => Some(known.knowable_at()),
            Self::DemandForecast(known) => Some(known.knowable_at()),
            Self::PeakProbability(known) => Some(known.knowable_at()),
            Self::Draw(known) => Some(known.knowable_at()),
            Self::Instruction(instruction) => Some(instruction.known_at),
            Self::Exposure(exposure) => Some(exposure.known_at),
            Self::Heard(_) => None,
            Self::Sweep(sweep) => Some(sweep.during.end),
            Self::Forecast(forecast) => Some(forecast.known_at),
            Self::SpotOffer(known) => Some(known.knowable_at()),
        }
    }

    /// When it says it could first be known; a reading is known when it arrives.
    pub fn known_at(&self) -> Option<Timestamp> {
        match self {
            Self::Price(known) => Some(known.known_at),
            Self::Hashprice(known) => Some(known.known_at),
            Self::Temperature(known) => Some(known.known_at),
            Self::DemandForecast(known) => Some(known.known_at),
            Self::PeakProbability(known) => Some(known.known_at),
            Self::Draw(known) => Some(known.known_at),
            Self::Instruction(instruction) => Some(instruction.known_at),
            Self::Forecast(forecast) => Some(forecast.known_at),
            Self::Exposure(exposure) => Some(exposure.known_at),
            Self::SpotOffer(known) => Some(known.known_at),
            Self::Heard(_) | Self::Sweep(_) => None,
        }
    }
}
