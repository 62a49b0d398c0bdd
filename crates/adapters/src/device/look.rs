//! How a device stands: each figure with when it was read and how far it is to be
//! believed.

use std::time::{Duration, Instant};

use units::{Energy, HashRate, Power, Temperature};

use super::{DeviceText, Wanted};

/// A figure, when it was true, and how far it is to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<T> {
    /// The figure.
    pub value: T,
    /// When it was true: when it was read, less the age that the device gives.
    pub at: Instant,
    /// How far it is to be believed.
    pub quality: Quality,
}

impl<T> Field<T> {
    /// What a device says, as of now.
    pub fn reported(value: T) -> Self {
        // The clock of deadlines, which a test may hold.
        let at = tokio::time::Instant::now().into_std();
        Self { value, at, quality: Quality::Reported }
    }

    /// How old it is.
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.at)
    }
}

/// How far a figure is to be believed, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quality {
    /// Outside what such a device can be at.
    Implausible,
    /// Worked out from other figures.
    Derived,
    /// What the device's firmware says of itself.
    Reported,
    /// Read from an instrument.
    Measured,
}

/// What a device is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Who made it.
    pub maker: Option<DeviceText>,
    /// Its model.
    pub model: Option<DeviceText>,
    /// Its serial number, or the hardware address where it has none.
    pub serial: Option<DeviceText>,
    /// Its firmware.
    pub firmware: Option<DeviceText>,
    /// The least and the most it can be limited to, at the plug.
    pub limits: Option<(Power, Power)>,
}

/// What a device is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Running {
    /// At rest.
    Resting,
    /// On its way to work.
    Starting,
    /// At work.
    Working,
}

/// How a device stands. What it did not give is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// What it does.
    pub running: Option<Field<Running>>,
    /// The most that it is set to draw.
    pub limit: Option<Field<Power>>,
    /// What it is set to draw or give: batteries.
    pub flow: Option<Field<Power>>,
    /// What it draws at the plug.
    pub draw: Option<Field<Power>>,
    /// How fast it hashes.
    pub hashrate: Option<Field<HashRate>>,
    /// Its hottest part.
    pub hottest: Option<Field<Temperature>>,
    /// What is stored in it: batteries.
    pub stored: Option<Field<Energy>>,
    /// Where it sends its work, most preferred first.
    pub pools: Vec<DeviceText>,
    /// What it complains of.
    pub faults: Vec<DeviceText>,
}

/// How far a device's own rounding of a limit may be off.
const LIMIT_OFF_BY: Power = Power::from_watts(10);

impl Look {
    /// Whether the device is set to what is wanted. What it draws follows in its own
    /// time.
    pub fn shows(&self, wanted: Wanted) -> bool {
        let running = self.running.map(|field| field.value);
        match wanted {
            Wanted::Rest => running == Some(Running::Resting),
            Wanted::AtMost(power) => {
                matches!(running, Some(Running::Starting | Running::Working))
                    && self.limit.is_some_and(|limit| limit.value <= power + LIMIT_OFF_BY)
            }
            Wanted::Flow(power) => self.flow.is_some_and(|flow| {
                let off_by = flow.value.max(power) - flow.value.min(power);
                off_by <= LIMIT_OFF_BY
            }),
        }
    }
}
