//! Emulated rigs against clients that we did not write: they find out what a rig is, read
//! it, and tell it what to be, and what they were told and read is what the machine does.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};

use mw::emulate::rigs::{Firmware, Timing};
use serde_json::{Value, json};

use crate::rigs::Shed;

/// The only port that they know.
const PORT: u16 = 4_028;

/// A client that we did not write: the Python package, and our script that lets it go.
#[derive(Clone, Copy, Debug)]
struct Client {
    package: &'static str,
    script: &'static str,
    /// Its rigs' network, so that no two of a process's are at one address.
    network: u8,
}

const PYASIC: Client =
    Client { package: "pyasic", script: "drive_pyasic.py", network: 41 };
const ASIC_RS: Client =
    Client { package: "pyasic_rs", script: "drive_asic_rs.py", network: 43 };

impl Client {
    /// An address of this process's own.
    fn address(self) -> SocketAddr {
        let [_, _, high, low] = std::process::id().to_be_bytes();
        SocketAddr::from(([127, self.network, high, low.clamp(1, 254)], PORT))
    }

    /// A Python that has it, if there is one.
    fn python(self) -> Option<OsString> {
        let package = self.package;
        let Some(python) = std::env::var_os("MW_ORACLE_PYTHON") else {
            eprintln!("skipped: MW_ORACLE_PYTHON names no Python with {package}");
            return None;
        };
        let import = format!("import {package}");
        let has_it = Command::new(&python).args(["-c", &import]).output();
        if !has_it.expect("MW_ORACLE_PYTHON names a program").status.success() {
            eprintln!("skipped: {} has no {package}", python.to_string_lossy());
            return None;
        }
        Some(python)
    }

    /// What it made of the rig at an address: an answer a command.
    fn drive(self, python: &OsString, at: SocketAddr, commands: &[&str]) -> Value {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/rigs_oracle");
        let Output { status, stdout, stderr } = Command::new(python)
            .arg(scripts.join(self.script))
            .arg(at.ip().to_string())
            .args(commands)
            .output()
            .expect("a program that starts");
        let said = String::from_utf8_lossy(&stdout).into_owned();
        let complaints = String::from_utf8_lossy(&stderr).into_owned();
        assert!(status.success(), "{said}\n{complaints}");
        let last = said.lines().last().expect("an answer");
        serde_json::from_str(last).expect("JSON")
    }

    /// What it makes of a rig that works at its last point, and where the rig is in the
    /// end; nothing where it is not there.
    fn driven(
        self,
        firmware: Firmware,
        model: &str,
        commands: &'static [&'static str],
    ) -> Option<(Value, u8)> {
        let python = self.python()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let at = [self.address()];
            let shed = Shed::at(firmware, Timing::Fast, model, &at, 3_600);
            shed.machines[0].go_to(2);
            while shed.machines[0].stands().starting {
                tokio::task::yield_now().await;
            }
            let at = shed.rigs.addresses()[0];
            let driving = move || self.drive(&python, at, commands);
            let said = tokio::task::spawn_blocking(driving).await.expect("an answer");
            Some((said, shed.machines[0].stands().point))
        })
    }
}

/// What a client reads of a rig. Before it has warmed up, how fast it hashes is nobody's
/// guess: `null` then.
fn read(mut said: Value, warms_up: usize, leave_out: &[&str]) -> Value {
    said[warms_up]["hashrate"] = Value::Null;
    for data in said.as_array_mut().into_iter().flatten() {
        if let Some(data) = data.as_object_mut() {
            data.retain(|key, _| !leave_out.contains(&key.as_str()));
        }
    }
    said
}

#[test]
fn oracle_pyasic_drives_a_whatsminer() {
    let commands = &[
        "password=correct horse",
        "data",
        "limit=2600",
        "data",
        "stop",
        "data",
        "resume",
        "data",
    ];
    let said = PYASIC.driven(Firmware::Whatsminer, "M50S_VH50", commands);
    let Some((said, point)) = said else { return };
    let data = |watts: i64, limit: i64, terahashes: Option<i64>, mining: bool| {
        json!({
            "make": "WhatsMiner", "model": "M50S VH50", "wattage": watts,
            "limit": limit, "hashrate": terahashes, "mining": mining,
            "pool": "stratum+tcp://pool.example:3333", "mac": "C4:11:04:00:00:00",
        })
    };
    let expected = json!([
        data(3_500, 3_500, Some(200), true),
        true,
        data(2_600, 2_600, Some(160), true),
        true,
        data(30, 2_600, Some(0), false),
        true,
        data(2_600, 2_600, None, true),
    ]);
    let said = read(said, 6, &[]);
    assert_eq!(said, expected, "{said:#}");
    assert_eq!(point, 1);
}

#[test]
fn oracle_pyasic_drives_luxos() {
    let commands = &["data", "limit=2700", "data", "stop", "data", "resume", "data"];
    let said = PYASIC.driven(Firmware::LuxOs, "Antminer S21", commands);
    let Some((said, point)) = said else { return };
    let data = |watts: i64, limit: i64, terahashes: Option<i64>| {
        json!({
            "make": "AntMiner", "model": "S21", "wattage": watts,
            "limit": limit, "hashrate": terahashes,
            "pool": "stratum+tcp://pool.example:3333",
        })
    };
    let expected = json!([
        data(3_500, 3_500, Some(200)),
        true,
        data(2_600, 2_600, Some(160)),
        true,
        data(30, 2_600, Some(0)),
        true,
        data(2_600, 2_600, None),
    ]);
    // It knows no hardware address of LuxOS, and takes a miner that sleeps to be mining.
    let said = read(said, 6, &["mining", "mac"]);
    assert_eq!(said, expected, "{said:#}");
    assert_eq!(point, 1);
}

#[test]
fn oracle_asic_rs_drives_a_whatsminer() {
    let commands = &[
        "password=correct horse",
        "data",
        "limit=2600",
        "data",
        "stop",
        "data",
        "resume",
        "data",
    ];
    let said = ASIC_RS.driven(Firmware::Whatsminer, "M50S_VH50", commands);
    let Some((said, point)) = said else { return };
    let data = |watts: i64, limit: &str, terahashes: Option<i64>, mining: bool| {
        json!({
            "make": "Whatsminer", "model": "M50SVH50", "wattage": watts,
            "limit": format!("TuningTarget.power(watts={limit})"),
            "hashrate": terahashes, "mining": mining,
            "pool": "stratum+tcp://pool.example:3333", "mac": "C4:11:04:00:00:00",
        })
    };
    let expected = json!([
        data(3_500, "3500.0", Some(200), true),
        true,
        data(2_600, "2600.0", Some(160), true),
        true,
        data(30, "2600.0", Some(0), false),
        true,
        data(2_600, "2600.0", None, true),
    ]);
    let said = read(said, 6, &[]);
    assert_eq!(said, expected, "{said:#}");
    assert_eq!(point, 1);
}

#[test]
fn oracle_asic_rs_drives_luxos() {
    // It sets no limit on LuxOS.
    let commands = &["data", "stop", "data", "resume", "data"];
    let said = ASIC_RS.driven(Firmware::LuxOs, "Antminer S21", commands);
    let Some((said, point)) = said else { return };
    let data = |watts: i64, terahashes: Option<i64>| {
        json!({
            "make": "Antminer", "model": "S21", "wattage": watts,
            "limit": "TuningTarget.power(watts=3500.0)", "hashrate": terahashes,
            "pool": "stratum+tcp://pool.example:3333", "mac": "C4:11:04:00:00:00",
        })
    };
    let expected =
        json!(
            [data(3_500, Some(200)), true, data(30, Some(0)), true, data(3_500, None),]
        );
    // It takes a miner that sleeps to be mining.
    let said = read(said, 4, &["mining"]);
    assert_eq!(said, expected, "{said:#}");
    assert_eq!(point, 2);
}

/// The library behind our own door: what it is told it does, what it shows is what the
/// machine does, and a machine that hangs is silent and not mining.
#[cfg(feature = "asic-rs")]
#[test]
fn oracle_asic_rs_behind_our_door_drives_a_whatsminer() {
    use std::time::{Duration, Instant};

    use adapters::deliver::Secret;
    use adapters::device::asic_rs::{AsicRs, Login};
    use adapters::device::reach::Network;
    use adapters::device::{Allowed, Driver, Outcome, Running, Wanted, carry_out};
    use sim::campus::Temper;
    use units::{Power, Seconds};

    let within = || Instant::now() + Duration::from_secs(20);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let at = [Client { network: 44, ..ASIC_RS }.address()];
        let shed = Shed::at(Firmware::Whatsminer, Timing::Fast, "M50S_VH50", &at, 3_600);
        let allowed = Network::parse("127.0.0.0/8").expect("a network");
        let at = Allowed::new(vec![allowed], Vec::new()).reach(at[0]).expect("loopback");
        let password = Secret::new("correct horse".to_owned());
        let driver = AsicRs::new(at, Some(Login { user: "admin".to_owned(), password }));
        let identity = driver.identify(within()).await.expect("it is there");
        assert_eq!(identity.model.expect("a model").as_str(), "M50SVH50");
        for (wanted, point) in [
            (Wanted::AtMost(Power::from_watts(2_600)), 1),
            (Wanted::Rest, 0),
            (Wanted::AtMost(Power::from_watts(3_500)), 2),
        ] {
            let done = carry_out(&driver, wanted, within()).await;
            let Outcome::Done(look) = done else { panic!("{wanted:?}: {done:?}") };
            let rests = look.running.map(|field| field.value) == Some(Running::Resting);
            assert_eq!(rests, wanted == Wanted::Rest, "{look:?}");
            assert_eq!(shed.machines[0].stands().point, point);
        }
        shed.machines[0].take_temper(Temper::Hangs, Seconds::hours(24));
        let soon = Instant::now() + Duration::from_secs(2);
        let found = driver.look(soon).await;
        assert!(found.is_err(), "{found:?}");
    });
}
