//! An emulated NVLink switch tray: two switches that join the GPUs of a rack.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::apart::Apart;
use super::body::TraySpec;
use super::tree::{collection, link, odata};
use super::{Fault, Timing, Tray};
use crate::live::clock::Clock;

/// The switches of a tray.
const SWITCHES: [&str; 2] = ["NVSwitch_0", "NVSwitch_1"];

/// One emulated switch tray. Clones are the same tray.
#[derive(Clone, Debug)]
pub struct SwitchTray {
    face: Tray,
    joins: Joins,
}

/// Whether its switches work.
#[derive(Clone, Debug, Default)]
pub(super) struct Joins {
    broken: Arc<AtomicBool>,
}

impl SwitchTray {
    /// One that works. Its number makes its serial numbers.
    pub fn new(number: u32, login: Option<(String, String)>, clock: Clock) -> Self {
        let joins = Joins::default();
        let none = TraySpec::gb300(0.0, 0.0, 1);
        let apart = Some(Apart::Switch(joins.clone()));
        let face = Tray::facing(number, none, Timing::FAST, login, clock, apart);
        Self { face, joins }
    }

    /// Serves whoever connects, until the listener or the caller ends.
    ///
    /// # Errors
    ///
    /// As [`Tray::serve`].
    pub async fn serve(&self, listener: TcpListener) -> io::Result<()> {
        self.face.serve(listener).await
    }

    /// Its first switch breaks, or is well again.
    pub fn breaks(&self, breaks: bool) {
        self.joins.broken.store(breaks, Ordering::Relaxed);
    }

    /// Nothing is heard of it, or something is again.
    pub fn hides(&self, hides: bool) {
        if hides { self.face.take(Fault::Unreachable) } else { self.face.calm() }
    }
}

impl Joins {
    fn health(&self) -> &'static str {
        if self.broken.load(Ordering::Relaxed) { "Critical" } else { "OK" }
    }

    /// The resource at a path, without the service's prefix.
    pub(super) fn at(&self, path: &str, parts: &[&str], number: u32) -> Option<Value> {
        Some(match parts {
            ["Chassis"] => collection(path, "Chassis", ["MGX_NVSwitch_0"]),
            ["Chassis", "MGX_NVSwitch_0"] => json!({
                "@odata.id": odata(path),
                "@odata.type": "#Chassis.v1_25_0.Chassis",
                "Id": "MGX_NVSwitch_0",
                "Name": "Switch tray",
                "ChassisType": "Module",
                "Manufacturer": "Megawatt",
                "Model": "NVLink switch tray",
                "SerialNumber": format!("EMN{number:05}"),
                "PowerState": "On",
                "Status": { "State": "Enabled", "Health": "OK" }
            }),
            ["Systems"] => collection(path, "ComputerSystem", ["System_0"]),
            ["Systems", "System_0"] => json!({
                "@odata.id": odata(path),
                "@odata.type": "#ComputerSystem.v1_22_0.ComputerSystem",
                "Id": "System_0",
                "Name": "Switch controller",
                "PowerState": "On",
                "Status": { "State": "Enabled", "Health": "OK" }
            }),
            ["Fabrics"] => collection(path, "Fabric", ["NVLinkFabric_0"]),
            ["Fabrics", "NVLinkFabric_0"] => json!({
                "@odata.id": odata(path),
                "@odata.type": "#Fabric.v1_3_2.Fabric",
                "Id": "NVLinkFabric_0",
                "Name": "NVLink fabric",
                "FabricType": "NVLink",
                "Switches": link(&format!("{path}/Switches")),
                "Status": { "State": "Enabled", "Health": "OK" }
            }),
            ["Fabrics", "NVLinkFabric_0", "Switches"] => {
                collection(path, "Switch", SWITCHES)
            }
            ["Fabrics", "NVLinkFabric_0", "Switches", id] => {
                let place = SWITCHES.iter().position(|known| known == id)?;
                let health = if place == 0 { self.health() } else { "OK" };
                json!({
                    "@odata.id": odata(path),
                    "@odata.type": "#Switch.v1_9_3.Switch",
                    "Id": id,
                    "Name": "NVLink switch",
                    "SwitchType": "NVLink",
                    "Status": { "State": "Enabled", "Health": health }
                })
            }
            _ => return None,
        })
    }
}
