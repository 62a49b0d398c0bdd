//! An emulated power shelf: six supplies that share what their rack draws.
//!
//! A real one feeds the rack's busbar. It is looked at, and takes no orders.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::net::TcpListener;
use units::Power;

use super::apart::Apart;
use super::body::TraySpec;
use super::tree::{collection, link, odata};
use super::{Rack, Timing, Tray};
use crate::live::clock::Clock;

/// How many supplies it has.
pub(super) const SUPPLIES: usize = 6;

/// What one supply can give, in watts: of an ordinary shelf of 33 kW.
const CAPACITY_WATTS: i64 = 5_500;

/// One emulated power shelf. Clones are the same shelf.
#[derive(Clone, Debug)]
pub struct Shelf {
    face: Tray,
    feeds: Feeds,
}

/// What a shelf feeds, and which of its supplies have failed.
#[derive(Clone, Debug)]
pub(super) struct Feeds {
    rack: Rack,
    failed: Arc<Mutex<BTreeSet<usize>>>,
}

impl Shelf {
    /// The shelf of a rack. Its number makes its serial numbers.
    pub fn new(
        number: u32,
        rack: Rack,
        login: Option<(String, String)>,
        clock: Clock,
    ) -> Self {
        let feeds = Feeds { rack, failed: Arc::default() };
        // It has no system of its own: what a tray has of one stays off.
        let none = TraySpec::gb300(0.0, 0.0, 1);
        let apart = Some(Apart::Shelf(feeds.clone()));
        let face = Tray::facing(number, none, Timing::FAST, login, clock, apart);
        Self { face, feeds }
    }

    /// Serves whoever connects, until the listener or the caller ends.
    ///
    /// # Errors
    ///
    /// As [`Tray::serve`].
    pub async fn serve(&self, listener: TcpListener) -> io::Result<()> {
        self.face.serve(listener).await
    }

    /// A supply fails, or is well again: the others give what it gave.
    pub fn fail(&self, supply: usize, fails: bool) {
        let mut failed = self.feeds.failed();
        match fails {
            true => failed.insert(supply),
            false => failed.remove(&supply),
        };
    }
}

impl Feeds {
    fn failed(&self) -> MutexGuard<'_, BTreeSet<usize>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a supply draws: an equal part of what the rack draws, to a watt; the first that
    /// is well has what is left over.
    fn input(&self, supply: usize) -> Power {
        let failed = self.failed();
        let well: Vec<usize> = (0..SUPPLIES).filter(|at| !failed.contains(at)).collect();
        let watts = self.rack.draw().as_watts();
        let Ok(count @ 1..) = i64::try_from(well.len()) else { return Power::ZERO };
        match (well.contains(&supply), well.first() == Some(&supply)) {
            (false, _) => Power::ZERO,
            (true, false) => Power::from_watts(watts / count),
            (true, true) => Power::from_watts(watts - watts / count * (count - 1)),
        }
    }

    /// The resource at a path, without the service's prefix.
    pub(super) fn at(&self, path: &str, parts: &[&str], number: u32) -> Option<Value> {
        let named = |supply: &usize| format!("PSU_{supply}");
        Some(match parts {
            ["Chassis"] => collection(path, "Chassis", ["Shelf_0"]),
            ["Chassis", "Shelf_0"] => self.chassis(path, number),
            ["Chassis", "Shelf_0", "PowerSubsystem"] => self.subsystem(path),
            ["Chassis", "Shelf_0", "PowerSubsystem", "PowerSupplies"] => {
                let all: Vec<String> =
                    (0..SUPPLIES).map(|supply| named(&supply)).collect();
                collection(path, "PowerSupply", all.iter().map(String::as_str))
            }
            ["Chassis", "Shelf_0", "PowerSubsystem", "PowerSupplies", id, rest @ ..] => {
                let supply = (0..SUPPLIES).find(|supply| named(supply) == *id)?;
                match rest {
                    [] => self.supply(path, number, supply),
                    ["Metrics"] => self.metrics(path, supply),
                    _ => return None,
                }
            }
            _ => return None,
        })
    }

    fn health(&self) -> &'static str {
        if self.failed().is_empty() { "OK" } else { "Critical" }
    }

    fn chassis(&self, path: &str, number: u32) -> Value {
        json!({
            "@odata.id": odata(path),
            "@odata.type": "#Chassis.v1_25_0.Chassis",
            "Id": "Shelf_0",
            "Name": "Power shelf",
            "ChassisType": "Shelf",
            "Manufacturer": "Megawatt",
            "Model": "33 kW power shelf",
            "SerialNumber": format!("EMS{number:05}"),
            "PowerSubsystem": link(&format!("{path}/PowerSubsystem")),
            "Status": { "State": "Enabled", "Health": "OK", "HealthRollup": self.health() }
        })
    }

    fn subsystem(&self, path: &str) -> Value {
        json!({
            "@odata.id": odata(path),
            "@odata.type": "#PowerSubsystem.v1_1_2.PowerSubsystem",
            "Id": "PowerSubsystem",
            "Name": "Power subsystem",
            "CapacityWatts": CAPACITY_WATTS * SUPPLIES as i64,
            "PowerSupplies": link(&format!("{path}/PowerSupplies")),
            "Status": { "State": "Enabled", "Health": "OK", "HealthRollup": self.health() }
        })
    }

    fn supply(&self, path: &str, number: u32, supply: usize) -> Value {
        let is_well = !self.failed().contains(&supply);
        json!({
            "@odata.id": odata(path),
            "@odata.type": "#PowerSupply.v1_6_0.PowerSupply",
            "Id": format!("PSU_{supply}"),
            "Name": format!("Power supply {supply}"),
            "Manufacturer": "Megawatt",
            "Model": "5.5 kW supply",
            "SerialNumber": format!("EMS{number:05}P{supply}"),
            "PowerSupplyType": "AC",
            "PowerCapacityWatts": CAPACITY_WATTS,
            "Metrics": link(&format!("{path}/Metrics")),
            "Status": {
                "State": if is_well { "Enabled" } else { "UnavailableOffline" },
                "Health": if is_well { "OK" } else { "Critical" }
            }
        })
    }

    fn metrics(&self, path: &str, supply: usize) -> Value {
        json!({
            "@odata.id": odata(path),
            "@odata.type": "#PowerSupplyMetrics.v1_1_2.PowerSupplyMetrics",
            "Id": "Metrics",
            "Name": format!("Metrics of power supply {supply}"),
            "InputPowerWatts": { "Reading": self.input(supply).as_watts() },
            "Status": { "State": "Enabled", "Health": "OK" }
        })
    }
}
