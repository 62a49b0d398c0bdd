//! Modbus against pymodbus, which others wrote: its simulator as our meter, and its
//! client on our emulated meter and battery.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use adapters::device::Quality;
use adapters::device::modbus::{Meaning, ModbusMeter, Plausible, Profile};
use adapters::meter::Meter;
use mw::emulate::modbus::Faults;
use serde_json::Value;
use units::Power;

use crate::emulated_modbus::{battery_at, emulated, meter_of, reached, run};

/// The Python that has pymodbus, or a word that there is none.
fn python() -> Option<PathBuf> {
    let Some(python) = std::env::var_os("MW_ORACLE_PYTHON") else {
        eprintln!("skipped: MW_ORACLE_PYTHON names no Python with pymodbus");
        return None;
    };
    let has_it = Command::new(&python).args(["-c", "import pymodbus"]).output();
    if !has_it.expect("MW_ORACLE_PYTHON names a program that starts").status.success() {
        eprintln!("skipped: {} has no pymodbus", python.to_string_lossy());
        return None;
    }
    Some(python.into())
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/modbus_oracle").join(name)
}

/// A program that ends when this goes: its input ends with it.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        drop(self.0.wait());
    }
}

#[test]
fn oracle_pymodbus_is_a_meter_that_we_read() {
    let Some(python) = python() else { return };
    let child = Command::new(python)
        .arg(script("simulator.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a simulator that starts");
    let mut simulator = Ends(child);
    let mut said = BufReader::new(simulator.0.stdout.take().expect("its output"));
    let mut port = String::new();
    said.read_line(&mut port).expect("its port");
    let port: u16 = port.trim().parse().expect("a port");
    run(async {
        let profile = Profile::named("pymodbus-simulator").expect("a profile");
        let plausible = Plausible { most: Power::from_mw(10) };
        let at = reached(([127, 0, 0, 1], port).into());
        let meter = ModbusMeter::new(at, 1, profile, plausible);
        let by = || Instant::now() + Duration::from_secs(10);
        let shown = meter.read(by()).await.expect("a reading");
        let power = shown.power.expect("a power");
        assert_eq!(power.value, Power::from_watts(100_000));
        assert_eq!(power.quality, Quality::Measured);
        let first = shown.heartbeat.expect("a heartbeat").value;
        let next = meter.read(by()).await.expect("a reading");
        assert_ne!(next.heartbeat.expect("a heartbeat").value, first);
        let figures = meter.figures(by()).await.expect("figures");
        let volts = figures.figure(Meaning::Voltage).expect("a voltage");
        assert_eq!(volts.0, 27_500_000_000, "27.5 kV");
    });
}

#[test]
fn oracle_pymodbus_reads_the_emulated_meter_and_drives_the_battery() {
    let Some(python) = python() else { return };
    run(async {
        let site = emulated();
        let profile = Profile::named("mw-meter").expect("a profile");
        let meter = meter_of(&site, &profile, Faults::default()).await;
        let battery = battery_at(&site, Duration::from_secs(60), Faults::default()).await;
        let asked = tokio::task::spawn_blocking(move || {
            Command::new(python)
                .arg(script("read.py"))
                .args([meter.port().to_string(), battery.port().to_string()])
                .output()
        });
        let output = asked.await.expect("a thread").expect("a client that starts");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}");
        let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(said["power_w"], 50_000);
        let frequency = said["frequency_mhz"].as_u64().expect("a frequency");
        assert!((59_980..=60_020).contains(&frequency), "{frequency}");
        assert_eq!(said["beyond"], 2);
        assert_eq!(said["written"], 2);
        assert_eq!(said["coils"], 1);
        // Its sign is the register's: positive gives.
        assert_eq!(said["setpoint_w"], -500_000);
        assert_eq!(said["too_much"], 3);
    });
}
