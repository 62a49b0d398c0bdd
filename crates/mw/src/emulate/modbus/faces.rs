//! The simulated site as its meter and its batteries show it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use adapters::device::modbus::{Meaning, Micro};
use engine::Setpoint;
use engine::site::{Battery, LoadIx, LoadKind};
use units::{Energy, Power};

use super::{Emulated, Exception, Face};

/// How often an instrument measures.
const MEASURES_EVERY: Duration = Duration::from_millis(100);

/// How long a battery takes from rest to all it can.
const RAMP: Duration = Duration::from_secs(2);

/// How often a battery moves on.
const STEP: Duration = Duration::from_millis(50);

/// The meter at the interconnection.
pub(super) struct MeterFace {
    site: Emulated,
    began: Instant,
}

impl MeterFace {
    pub(super) fn new(site: Emulated) -> Self {
        Self { site, began: Instant::now() }
    }
}

/// Measurements since an instrument was switched on.
fn beats(began: Instant) -> i128 {
    i128::try_from(began.elapsed().as_millis() / MEASURES_EVERY.as_millis()).unwrap_or(0)
}

fn watts(power: Power) -> Micro {
    Micro(i128::from(power.as_watts()) * 1_000_000)
}

fn watt_hours(energy: Energy) -> Micro {
    Micro(i128::from(energy.as_joules()) * 1_000_000 / 3_600)
}

impl Face for MeterFace {
    fn figure(&self, means: Meaning) -> Option<Micro> {
        let beats = beats(self.began);
        // What nobody models moves a little, as on any bus.
        let sway = |of: i128| (beats * 7_919).rem_euclid(2 * of + 1) - of;
        match means {
            Meaning::Power => self.site.with(|works| works.now().show()).map(watts),
            Meaning::EnergyImport => {
                Some(watt_hours(self.site.with(|works| works.registers().imported)))
            }
            Meaning::EnergyExport => {
                Some(watt_hours(self.site.with(|works| works.registers().exported)))
            }
            Meaning::Frequency => Some(Micro(60_000_000 + sway(20) * 1_000)),
            Meaning::Voltage => Some(Micro(138_000_000_000 + sway(50) * 1_000_000)),
            Meaning::PowerFactor => Some(Micro(980_000)),
            Meaning::Status => Some(Micro(1_000_000)),
            Meaning::Heartbeat => Some(Micro(beats * 1_000_000)),
            Meaning::Setpoint
            | Meaning::StateOfCharge
            | Meaning::Stored
            | Meaning::Watchdog => None,
        }
    }

    fn write(&self, _: Meaning, _: Micro) -> Result<(), Exception> {
        Err(Exception::Address)
    }

    fn answers(&self) -> bool {
        // A meter that is silent says nothing, not even that.
        self.site.with(|works| works.now().show()).is_some()
    }
}

/// A battery. Clones are the same.
#[derive(Clone)]
pub(super) struct BatteryFace {
    site: Emulated,
    load: LoadIx,
    battery: Battery,
    watchdog: Option<Duration>,
    began: Instant,
    set: Arc<Mutex<Set>>,
}

/// What it was told.
#[derive(Clone, Copy)]
struct Set {
    to: Power,
    beat: Option<Instant>,
    /// Left alone, it went to rest.
    left_alone: bool,
}

/// Numbers of its status register.
const RESTS: i128 = 1;
const WORKS: i128 = 2;
const LEFT_ALONE: i128 = 4;

impl BatteryFace {
    /// The battery that is a load of the site; `None` for another load.
    pub(super) fn new(
        site: Emulated,
        load: LoadIx,
        watchdog: Option<Duration>,
    ) -> Option<Self> {
        let battery =
            site.with(|works| match &works.campus.site().loads.get(load)?.kind {
                LoadKind::Battery(battery) => Some(battery.clone()),
                LoadKind::Rigs(_) | LoadKind::Racks(_) => None,
            })?;
        let set = Set { to: Power::ZERO, beat: None, left_alone: false };
        let (began, set) = (Instant::now(), Arc::new(Mutex::new(set)));
        Some(Self { site, load, battery, watchdog, began, set })
    }

    fn set(&self) -> Set {
        *self.set.lock().expect("no panic while held")
    }

    fn draws(&self) -> Power {
        let at = self.site.with(|works| works.now().setpoint(self.load));
        match at {
            Setpoint::Power(power) => power,
            Setpoint::Level(_) => Power::ZERO,
        }
    }

    fn stored(&self) -> Energy {
        self.site.with(|works| works.now().stored(self.load))
    }

    /// Moves towards what it was told, step by step, until the caller ends.
    pub(super) async fn move_on(&self) {
        loop {
            tokio::time::sleep(STEP).await;
            self.step();
        }
    }

    fn step(&self) {
        {
            let mut set = self.set.lock().expect("no panic while held");
            let over = |held: Duration| set.beat.is_none_or(|beat| beat.elapsed() > held);
            if !set.to.is_zero() && self.watchdog.is_some_and(over) {
                (set.to, set.left_alone) = (Power::ZERO, true);
            }
        }
        let mut to = self.set().to;
        let stored = self.stored();
        if (stored >= self.battery.stored_max && to > Power::ZERO)
            || (stored <= self.battery.stored_min && to < Power::ZERO)
        {
            to = Power::ZERO;
        }
        let at = self.draws().as_watts();
        let most = self.battery.charge_max.max(self.battery.discharge_max).as_watts();
        let parts = (RAMP.as_millis() / STEP.as_millis()) as i64;
        let stride = (most / parts).max(1);
        let next = at + (to.as_watts() - at).clamp(-stride, stride);
        if next != at {
            self.site.with(|works| {
                works.now().set_power(self.load, Power::from_watts(next));
            });
        }
    }
}

impl Face for BatteryFace {
    fn figure(&self, means: Meaning) -> Option<Micro> {
        match means {
            Meaning::Power => Some(watts(self.draws())),
            Meaning::Setpoint => Some(watts(self.set().to)),
            Meaning::Stored => Some(watt_hours(self.stored())),
            Meaning::StateOfCharge => {
                let full = i128::from(self.battery.stored_max.as_joules().max(1));
                let stored = i128::from(self.stored().as_joules());
                Some(Micro(stored * 100_000_000 / full))
            }
            Meaning::Status => {
                let set = self.set();
                let status = match (set.left_alone, set.to.is_zero()) {
                    (true, _) => LEFT_ALONE,
                    (false, true) => RESTS,
                    (false, false) => WORKS,
                };
                Some(Micro(status * 1_000_000))
            }
            Meaning::Heartbeat => Some(Micro(beats(self.began) * 1_000_000)),
            Meaning::EnergyImport
            | Meaning::EnergyExport
            | Meaning::Frequency
            | Meaning::Voltage
            | Meaning::PowerFactor
            | Meaning::Watchdog => None,
        }
    }

    fn write(&self, means: Meaning, figure: Micro) -> Result<(), Exception> {
        let mut set = self.set.lock().expect("no panic while held");
        match means {
            Meaning::Watchdog => {
                (set.beat, set.left_alone) = (Some(Instant::now()), false);
                Ok(())
            }
            Meaning::Setpoint => {
                let watts = i64::try_from(figure.0 / 1_000_000);
                let power = Power::from_watts(watts.map_err(|_| Exception::Value)?);
                if power > self.battery.charge_max || -power > self.battery.discharge_max
                {
                    return Err(Exception::Value);
                }
                set.to = power;
                Ok(())
            }
            Meaning::Power
            | Meaning::EnergyImport
            | Meaning::EnergyExport
            | Meaning::Frequency
            | Meaning::Voltage
            | Meaning::PowerFactor
            | Meaning::Heartbeat
            | Meaning::Status
            | Meaning::StateOfCharge
            | Meaning::Stored => Err(Exception::Address),
        }
    }
}
