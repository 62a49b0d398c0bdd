//! What a site is: one interconnection and all behind it, as meant.
//!
//! A [`Site`] is configuration, already checked: every name has become an
//! index, every local date an instant, every curve is in order. The program
//! makes one from a site file; a simulation draws one from a seed.

mod load;
mod programme;

pub use load::{
    Battery, Envelope, Load, LoadKind, Machines, OperatingPoint, Racks, Rate, Rigs,
    Terms, Tranche,
};
pub use programme::{FailSafe, Programme};

use serde::{Deserialize, Serialize};
use settle::tariff::Tariff;
use units::{Interval, Power, Pue, Seconds, Share, Temperature, Timestamp};

use crate::ranges::Ranges;

/// Which feeder, by its place in [`Site::feeders`].
pub type FeederIx = usize;

/// Which hall, by its place in [`Site::halls`].
pub type HallIx = usize;

/// Which load, by its place in [`Site::loads`].
pub type LoadIx = usize;

/// Which grid programme, by its place in [`Site::programmes`].
pub type ProgrammeIx = usize;

/// One interconnection and everything behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// What people call it.
    pub name: String,
    /// Where it buys and sells.
    pub market: Market,
    /// Where it meets the grid.
    pub interconnection: Interconnection,
    /// Circuits, parents before children. A feeder without a parent hangs on
    /// the interconnection.
    pub feeders: Vec<Feeder>,
    /// Rooms with a cooling overhead.
    pub halls: Vec<Hall>,
    /// What power costs.
    pub tariff: Tariff,
    /// What the pool keeps of mining pay.
    pub pool_fee: Share,
    /// Everything that can be told how much to draw.
    pub loads: Vec<Load>,
    /// Grid programmes it has joined.
    pub programmes: Vec<Programme>,
    /// Loads that a person works on, as dated entries.
    pub lock_outs: Vec<LockOut>,
    /// Loads kept at a level by hand, as dated entries.
    pub holds: Vec<Hold>,
    /// How the site decides.
    pub policy: Policy,
}

/// Where a site buys and sells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Market {
    /// The market's short name, such as `ERCOT`.
    pub name: String,
    /// The settlement point, such as `HB_WEST`.
    pub settlement_point: String,
}

/// Where the site meets the grid. Limits are at the meter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interconnection {
    /// The most that may be drawn.
    pub import_limit: Power,
    /// The most that may be sent back.
    pub export_limit: Power,
    /// The most that draw may rise in a minute; `None` is no limit.
    pub ramp_up_per_minute: Option<Power>,
    /// The most that draw may fall in a minute; `None` is no limit.
    pub ramp_down_per_minute: Option<Power>,
    /// The most that draw may fall in a minute in an emergency; `None` is no limit.
    pub ramp_emergency_per_minute: Option<Power>,
}

/// A circuit with a limit on what flows to the loads behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feeder {
    /// What people call it.
    pub name: String,
    /// The feeder above; `None` is the interconnection itself.
    pub parent: Option<FeederIx>,
    /// The most that may flow, at the meter, in either direction.
    pub limit: Power,
}

/// A room with a cooling overhead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hall {
    /// What people call it.
    pub name: String,
    /// The feeder it hangs on.
    pub feeder: FeederIx,
    /// Facility power over IT power.
    pub pue: PueCurve,
}

/// Facility power over IT power as a function of outside temperature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PueCurve {
    /// The same in all weather.
    Constant(Pue),
    /// A table over outside temperature.
    ByTemperature {
        /// Points in rising temperature; between two the dearer one holds, so
        /// that a limit is never met by interpolation.
        points: Vec<(Temperature, Pue)>,
        /// What holds while the temperature is not known; at least every point.
        missing: Pue,
    },
}

impl PueCurve {
    /// The ratio at an outside temperature, or at none known.
    pub fn at(&self, outside: Option<Temperature>) -> Pue {
        match (self, outside) {
            (Self::Constant(pue), _) => *pue,
            (Self::ByTemperature { missing, .. }, None) => *missing,
            (Self::ByTemperature { points, .. }, Some(outside)) => {
                let above =
                    points.partition_point(|(temperature, _)| *temperature < outside);
                let below = above.saturating_sub(1);
                let above = above.min(points.len() - 1);
                points[below].1.max(points[above].1)
            }
        }
    }

    /// Whether it needs the temperature.
    pub fn needs_temperature(&self) -> bool {
        match self {
            Self::Constant(_) => false,
            Self::ByTemperature { .. } => true,
        }
    }
}

/// A person works on a load: nothing can start it until the entry ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockOut {
    /// Which load.
    pub load: LoadIx,
    /// Which machines of it; `None` is the whole load. Where a load is one ideal
    /// device, some of its machines are all of them.
    pub machines: Option<Ranges>,
    /// From when until when.
    pub during: Interval,
    /// Whether it stands until its role releases it, and its end is only when that
    /// is expected.
    pub until_released: bool,
    /// Who may release it, such as `rig technician`.
    pub role: String,
    /// Why.
    pub reason: String,
}

/// A load taken out of service: it rests, and comes back at the end by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maintenance {
    /// Which load.
    pub load: LoadIx,
    /// Which machines of it; `None` is the whole load. Where a load is one ideal
    /// device, some of its machines are all of them.
    pub machines: Option<Ranges>,
    /// From when until when.
    pub during: Interval,
    /// Who took it out, and may put it back.
    pub role: String,
    /// Why.
    pub reason: String,
}

/// A load kept at a level by hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Which load.
    pub load: LoadIx,
    /// The level at the meter: machines are counted down to what fits under it.
    pub power: Power,
    /// From when until when.
    pub during: Interval,
    /// Who holds it.
    pub role: String,
    /// Why.
    pub reason: String,
}

impl LockOut {
    /// Whether it holds at some instant of `interval`.
    pub fn touches(&self, interval: Interval) -> bool {
        if self.until_released {
            return self.during.start < interval.end;
        }
        self.during.overlaps(interval)
    }

    /// Whether it holds at `at`.
    pub fn is_on(&self, at: Timestamp) -> bool {
        self.during.start <= at && (self.until_released || at < self.during.end)
    }

    /// When it ends by itself; `None` when it has to be released.
    pub fn until(&self) -> Option<Timestamp> {
        (!self.until_released).then_some(self.during.end)
    }
}

/// How the site decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Which price an interval is decided on.
    pub decide_on: DecideOn,
    /// Whether price may curtail at all; a site that is always on ignores it.
    pub follows_price: bool,
    /// How far worth must pass cost before a load changes over, in addition to
    /// what a restart costs.
    pub hysteresis: units::EnergyPrice,
    /// The time a curtailment is expected to last: what a restart costs is
    /// spread over it.
    pub restart_spread: Seconds,
    /// How old yesterday's hashprice may grow before mining stops for want of one.
    pub hashprice_age_max: Seconds,
    /// How long a load may stay where it is on a price that went stale.
    pub stale_price_hold: Seconds,
    /// How long an order holds without another word.
    pub lease: Seconds,
    /// How far it looks ahead, and on whose word.
    pub look_ahead: LookAhead,
}

/// How far a decision looks ahead, and on whose word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookAhead {
    /// How far; nothing is not at all, and no more than [`LookAhead::LONGEST`] counts.
    pub length: Seconds,
    /// Whose prices are expected.
    pub forecast: ForecastFrom,
}

/// Whose prices are expected. Where a source says nothing, the price of the same
/// time of the day before is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ForecastFrom {
    /// Those of the same time of the day before.
    Persistence,
    /// Those of the day-ahead market, as far as they are published.
    DayAhead,
    /// A quantile of those of the same time of so many days before.
    Quantile {
        /// Which: a half is the median.
        share: Share,
        /// How many days.
        days: u32,
    },
    /// Those of a forecaster's curves.
    Told,
}

impl LookAhead {
    /// Not at all: each interval by itself.
    pub const NONE: Self =
        Self { length: Seconds::ZERO, forecast: ForecastFrom::Persistence };

    /// The longest a decision looks ahead: three days, 288 quarters of an hour,
    /// which bounds what it costs.
    pub const LONGEST: Seconds = Seconds::hours(72);
}

/// Which price an interval is decided on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DecideOn {
    /// The LMP of the interval, else the last settlement price known.
    RealTime,
    /// The day-ahead price of the interval, as a forecast of the real-time one;
    /// else what `RealTime` uses.
    DayAhead,
}

impl Site {
    /// The load of that name.
    pub fn load_named(&self, name: &str) -> Option<LoadIx> {
        self.loads.iter().position(|load| load.name == name)
    }

    /// The feeders from a load's own up to the interconnection.
    pub fn path(&self, feeder: Option<FeederIx>) -> impl Iterator<Item = FeederIx> + '_ {
        std::iter::successors(feeder, |ix| self.feeders[*ix].parent)
    }

    /// The overhead a load's machines carry at an outside temperature.
    pub fn pue_of(&self, load: LoadIx, outside: Option<Temperature>) -> Pue {
        self.loads[load].hall.map_or(Pue::ONE, |hall| self.halls[hall].pue.at(outside))
    }

    /// How long the site takes to fall to its fail-safe levels within its ramp, machine
    /// by machine, each load at its overhead.
    pub fn falls_over(&self, pue: impl Fn(LoadIx) -> Pue) -> Seconds {
        // Those that run may stand side by side and go one after the other: only
        // with every machine counted does no minute see more than the ramp.
        let nameplate = |load: LoadIx| {
            let machines = self.loads[load].machines();
            machines.map_or(Power::ZERO, |m| pue(load).at_meter(m.ceiling()))
        };
        let drawn: Power = (0..self.loads.len()).map(nameplate).sum();
        match self.interconnection.ramp_down_per_minute {
            Some(ramp) if ramp > Power::ZERO => {
                Seconds::minutes(drawn.as_watts() / ramp.as_watts() + 1)
            }
            Some(_) | None => Seconds::ZERO,
        }
    }

    /// Whether any hall needs the outside temperature.
    pub fn needs_temperature(&self) -> bool {
        self.halls.iter().any(|hall| hall.pue.needs_temperature())
    }

    /// Whether any load mines.
    pub fn mines(&self) -> bool {
        self.loads.iter().any(|load| matches!(load.kind, LoadKind::Rigs(_)))
    }
}
