//! Emulated rigs against clients that we did not write: they find out what a rig is, read
//! it, and tell it what to be, and what they were told and read is what the machine does.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};

use mw::emulate::rigs::{Firmware, Timing};
use serde_json::{Value, json};

use crate::rigs::Shed;

/// `pyasic`, as it comes, and the port that it knows alone.
const PORT: u16 = 4_028;

/// An address of this process's own.
fn address() -> SocketAddr {
    let [_, _, high, low] = std::process::id().to_be_bytes();
    SocketAddr::from(([127, 41, high, low.clamp(1, 254)], PORT))
}

/// What `pyasic` made of a rig; nothing where it is not there.
fn pyasic(shed: &Shed, commands: &[&str]) -> Option<Value> {
    let Some(python) = std::env::var_os("MW_ORACLE_PYTHON") else {
        eprintln!("skipped: MW_ORACLE_PYTHON names no Python with pyasic");
        return None;
    };
    let has_it = Command::new(&python).args(["-c", "import pyasic"]).output();
    if !has_it.expect("MW_ORACLE_PYTHON names a program that starts").status.success() {
        eprintln!("skipped: {} has no pyasic", python.to_string_lossy());
        return None;
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Output { status, stdout, stderr } = Command::new(&python)
        .arg(here.join("tests/it/rigs_oracle/drive.py"))
        .arg(shed.rigs.addresses()[0].ip().to_string())
        .args(commands)
        .output()
        .expect("a program that starts");
    let said = String::from_utf8_lossy(&stdout).into_owned();
    let complaints = String::from_utf8_lossy(&stderr).into_owned();
    assert!(status.success(), "{said}\n{complaints}");
    let last = said.lines().last().expect("an answer");
    Some(serde_json::from_str(last).expect("JSON"))
}

/// A rig that works at its last point, served by a runtime of its own.
fn with_rig(firmware: Firmware, model: &str, drive: impl FnOnce(&Shed)) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let entered = runtime.enter();
    let shed = Shed::at(firmware, Timing::Fast, model, &[address()], 3_600);
    shed.machines[0].go_to(2);
    while shed.machines[0].stands().starting {
        std::thread::yield_now();
    }
    drive(&shed);
    drop(entered);
}

#[test]
fn oracle_pyasic_drives_a_whatsminer() {
    with_rig(Firmware::Whatsminer, "M50S_VH50", |shed| {
        let commands = [
            "password=correct horse",
            "data",
            "limit=2600",
            "data",
            "stop",
            "data",
            "resume",
            "data",
        ];
        let Some(said) = pyasic(shed, &commands) else { return };
        let data = |watts: i64, limit: i64, terahashes: i64, mining: bool| {
            json!({
                "make": "WhatsMiner", "model": "M50S VH50", "wattage": watts,
                "limit": limit, "hashrate": terahashes, "mining": mining,
                "pool": "stratum+tcp://pool.example:3333", "mac": "C4:11:04:00:00:00",
            })
        };
        let expected = json!([
            data(3_500, 3_500, 200, true),
            true,
            data(2_600, 2_600, 160, true),
            true,
            data(10, 2_600, 0, false),
            true,
            data(2_600, 2_600, 0, true),
        ]);
        assert_eq!(said, expected, "{said:#}");
        assert_eq!(shed.machines[0].stands().point, 1);
    });
}

#[test]
fn oracle_pyasic_drives_luxos() {
    with_rig(Firmware::LuxOs, "Antminer S21", |shed| {
        let commands = ["data", "limit=2700", "data", "stop", "data", "resume", "data"];
        let Some(said) = pyasic(shed, &commands) else { return };
        println!("{said:#}");
        assert_eq!(shed.machines[0].stands().point, 1);
    });
}
