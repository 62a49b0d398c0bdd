//! Emulated rigs against clients that we did not write: they find out what a rig is, read
//! it, and tell it what to be, and what they were told and read is what the machine does.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};

use mw::emulate::rigs::{Firmware, Timing};
use serde_json::{Value, json};

use crate::rigs::Shed;

/// The only port that `pyasic` knows.
const PORT: u16 = 4_028;

/// An address of this process's own.
fn address() -> SocketAddr {
    let [_, _, high, low] = std::process::id().to_be_bytes();
    SocketAddr::from(([127, 41, high, low.clamp(1, 254)], PORT))
}

/// A Python that has `pyasic`, if there is one.
fn python() -> Option<OsString> {
    let Some(python) = std::env::var_os("MW_ORACLE_PYTHON") else {
        eprintln!("skipped: MW_ORACLE_PYTHON names no Python with pyasic");
        return None;
    };
    let has_it = Command::new(&python).args(["-c", "import pyasic"]).output();
    if !has_it.expect("MW_ORACLE_PYTHON names a program that starts").status.success() {
        eprintln!("skipped: {} has no pyasic", python.to_string_lossy());
        return None;
    }
    Some(python)
}

/// What `pyasic` made of the rig at an address: an answer a command.
fn pyasic(python: &OsString, at: SocketAddr, commands: &[&str]) -> Value {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Output { status, stdout, stderr } = Command::new(python)
        .arg(here.join("tests/it/rigs_oracle/drive.py"))
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

/// What `pyasic` makes of a rig that works at its last point, and where the rig is in the
/// end; nothing where it is not there.
fn driven(
    firmware: Firmware,
    model: &str,
    commands: &'static [&'static str],
) -> Option<(Value, u8)> {
    let python = python()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let shed = Shed::at(firmware, Timing::Fast, model, &[address()], 3_600);
        shed.machines[0].go_to(2);
        while shed.machines[0].stands().starting {
            tokio::task::yield_now().await;
        }
        let at = shed.rigs.addresses()[0];
        let driving = move || pyasic(&python, at, commands);
        let said = tokio::task::spawn_blocking(driving).await.expect("an answer");
        Some((said, shed.machines[0].stands().point))
    })
}

/// What `pyasic` reads of a rig. Before it has warmed up, how fast it hashes is nobody's
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
    let Some((said, point)) = driven(Firmware::Whatsminer, "M50S_VH50", commands) else {
        return;
    };
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
    let Some((said, point)) = driven(Firmware::LuxOs, "Antminer S21", commands) else {
        return;
    };
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
