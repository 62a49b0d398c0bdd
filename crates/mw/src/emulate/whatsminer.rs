//! A Whatsminer's firmware in front of a machine: its open questions and its encrypted
//! commands. Source: MicroBT's public API documents (2.0), and what clients of others
//! take for an answer.

use std::time::{Duration, Instant};

use adapters::device::whatsminer::seal::{Fill, Salts, Seal};
use serde_json::{Value, json};
use units::Power;

use super::rigs::{Quirk, Rig, Says};

/// How long a token holds.
const TOKEN_LASTS: Duration = Duration::from_secs(30 * 60);

/// What a question takes a real one.
const LOOKED_UP_IN: Duration = Duration::from_millis(60);

/// Command understood and done.
const OK: i64 = 131;

/// The answer to what was asked.
pub(super) fn answer(rig: &Rig, question: &[u8]) -> Says {
    let asked: Value = serde_json::from_slice(question).unwrap_or(Value::Null);
    if asked["enc"] == 1 {
        return sealed(rig, asked["data"].as_str().unwrap_or_default());
    }
    let Some(command) = named(&asked) else {
        return said(&no(23, "invalid json message"), Duration::ZERO);
    };
    said(&open(rig, command), rig.takes(LOOKED_UP_IN))
}

fn named(asked: &Value) -> Option<&str> {
    asked["command"].as_str().or_else(|| asked["cmd"].as_str())
}

/// The answer to an open question, or to several.
fn open(rig: &Rig, command: &str) -> Value {
    if command.contains('+') {
        let each = command.split('+').take(16);
        let answers = each.map(|one| (one.to_owned(), json!([open(rig, one)])));
        let mut answers: serde_json::Map<String, Value> = answers.collect();
        answers.insert("id".to_owned(), json!(1));
        return Value::Object(answers);
    }
    match command {
        "summary" => list(rig, 11, "Summary", "SUMMARY", json!([summary(rig)])),
        "pools" => list(rig, 7, "Pool(s)", "POOLS", pools(rig)),
        "devs" | "edevs" => list(rig, 9, "ASC(s)", "DEVS", boards(rig)),
        "devdetails" => list(rig, 69, "Device Details", "DEVDETAILS", details(rig)),
        "get_token" => {
            rig.kept().token = Some(Instant::now());
            let Salts { salt, new_salt, time } = salts();
            let message = json!({ "time": time, "salt": salt, "newsalt": new_salt });
            json!({ "STATUS": "S", "When": 0, "Code": 134, "Msg": message, "Description": "" })
        }
        "get_version" => yes(json!({
            "api_ver": "2.0.5",
            "fw_ver": "20240624.18.REL",
            "platform": "H616",
            "chip": "K82",
        })),
        "get_miner_info" => yes(json!({
            "ip": "dhcp", "proto": "dhcp", "hostname": "WhatsMiner",
            "mac": rig.mac(), "ledstat": "auto", "minersn": serial(rig),
        })),
        "get_psu" => yes(json!({
            "name": "P463B", "hw_version": "", "sw_version": "20221108",
            "model": "P463B", "vin": "23000", "fan_speed": "6000",
        })),
        "get_error_code" => yes(json!({ "error_code": [] })),
        "status" => {
            let off = rig.machine.stands().says == 0;
            yes(json!({
                "mineroff": off.to_string(),
                "mineroff_reason": if off { "power off by api" } else { "" },
                "mineroff_time": "",
                "FirmwareVersion": "20240624.18.REL",
                "power_mode": "normal",
                "power_limit_set": rig.limit().as_watts().to_string(),
                "hash_percent": "0",
            }))
        }
        _ => no(14, "invalid cmd"),
    }
}

fn summary(rig: &Rig) -> Value {
    let megahashes = rig.hashrate().as_ghs() * 1_000;
    let (elapsed, celsius) = (rig.since.elapsed().as_secs(), rig.celsius());
    json!({
        "Elapsed": elapsed, "Uptime": elapsed + 60,
        "MHS av": megahashes, "MHS 5s": megahashes, "MHS 1m": megahashes,
        "MHS 5m": megahashes, "MHS 15m": megahashes, "HS RT": megahashes,
        "Accepted": 5_412, "Rejected": 0, "Total MH": 0, "Pool Rejected%": 0.0,
        "Temperature": celsius, "freq_avg": 600, "Target Freq": 600,
        "Fan Speed In": 5_400, "Fan Speed Out": 5_280,
        "Power": rig.machine.stands().draw.as_watts(),
        "Power Limit": rig.limit().as_watts(),
        "Power Mode": "Normal", "Power Fanspeed": 6_000,
        "Env Temp": 28.5, "Chip Temp Min": celsius - 12,
        "Chip Temp Max": celsius + 6, "Chip Temp Avg": celsius,
        "Factory GHS": rated(rig), "Error Code Count": 0,
        "Hash Stable": megahashes > 0, "MAC": rig.mac(),
        "Firmware Version": "'20240624.18.REL'",
        "Upfreq Complete": i64::from(megahashes > 0),
    })
}

/// What it hashes at its last point, in gigahashes.
fn rated(rig: &Rig) -> i64 {
    match rig.points.last().map(|point| point.rate) {
        Some(engine::site::Rate::Hash(rate)) => rate.as_ghs(),
        Some(engine::site::Rate::Throughput(_)) | None => 0,
    }
}

fn pools(rig: &Rig) -> Value {
    let each = (1..).zip(rig.pools()).map(|(number, url)| {
        json!({
            "POOL": number, "URL": url, "Status": "Alive", "Priority": number - 1,
            "Accepted": 5_412, "Rejected": 0, "Get Failures": 0, "Remote Failures": 0,
            "User": "site.worker", "Stratum Active": number == 1, "Last Share Time": 0,
            "Stratum Difficulty": 65_536, "Pool Rejected%": 0.0, "Pool Stale%": 0.0,
        })
    });
    Value::Array(each.collect())
}

fn boards(rig: &Rig) -> Value {
    let (megahashes, celsius) = (rig.hashrate().as_ghs() * 1_000 / 3, rig.celsius());
    let each = (0..3).map(|board| {
        json!({
            "ASC": board, "Slot": board, "ID": board, "Name": "SM", "Enabled": "Y",
            "Status": "Alive", "Temperature": celsius, "Chip Frequency": 600,
            "Fan Speed In": 5_400, "Fan Speed Out": 5_280,
            "MHS av": megahashes, "MHS 5s": megahashes, "MHS 1m": megahashes,
            "MHS 5m": megahashes, "MHS 15m": megahashes, "HS RT": megahashes,
            "Factory GHS": rated(rig) / 3, "Upfreq Complete": 1,
            "Effective Chips": 135, "PCB SN": format!("{}{board}", serial(rig)),
            "Chip Temp Min": celsius - 12, "Chip Temp Max": celsius + 6,
            "Chip Temp Avg": celsius, "chip_vol_diff": 4,
        })
    });
    Value::Array(each.collect())
}

fn details(rig: &Rig) -> Value {
    let model = rig.model();
    let each = (0..3).map(|board| {
        json!({
            "DEVDETAILS": board, "Name": "SM", "ID": board, "Driver": "bitmicro",
            "Kernel": "", "Model": model,
        })
    });
    Value::Array(each.collect())
}

fn serial(rig: &Rig) -> String {
    format!("HTM38X{:08}", rig.machine.number())
}

/// A command under a seal.
fn sealed(rig: &Rig, data: &str) -> Says {
    let (quirk, token) = {
        let kept = rig.kept();
        (kept.quirk, kept.token)
    };
    let other = || Seal::of("another", &salts());
    let is_other = matches!(quirk, Some(Quirk::OtherLogin | Quirk::OtherSeal));
    let other = is_other.then(other);
    let seal = other.as_ref().unwrap_or(&rig.seal);
    let fill = match quirk {
        Some(Quirk::CountedSeal) => Fill::Counts,
        Some(_) | None => Fill::Zeros,
    };
    let closed = |answer: &Value, after| {
        let closed = seal.close(&answer.to_string(), fill);
        said(&json!({ "enc": closed }), after)
    };
    let opened = seal.open(data);
    let command: Option<Value> =
        opened.and_then(|text| serde_json::from_slice(&text).ok());
    let Some(command) = command else {
        let unread = no(23, "enc json load err");
        return match quirk {
            Some(Quirk::OtherSeal) => closed(&unread, Duration::ZERO),
            Some(_) | None => said(&unread, Duration::ZERO),
        };
    };
    if quirk == Some(Quirk::CountedSeal) && !seal.is_filled(data, Fill::Counts) {
        return closed(&no(23, "json cmd err"), Duration::ZERO);
    }
    if quirk == Some(Quirk::ReadOnly) {
        return said(&no(45, "can't access write cmd"), Duration::ZERO);
    }
    let holds = token.is_some_and(|since| since.elapsed() < TOKEN_LASTS);
    if !holds || command["token"].as_str() != Some(seal.token()) {
        return closed(&no(135, "check token err"), Duration::ZERO);
    }
    if quirk == Some(Quirk::Refuses) {
        return closed(&no(132, "command error"), Duration::ZERO);
    }
    let done = match named(&command) {
        Some("power_off") => rig.go_to(0),
        Some("power_on") => {
            let limit = rig.kept().limit;
            rig.go_to(rig.point_within(limit))
        }
        Some("adjust_power_limit") => match limit_in(&command) {
            Some(limit) if rig.point_within(limit) > 0 => {
                rig.kept().limit = limit;
                match rig.machine.stands().says {
                    0 => rig.machine.answers_after(),
                    _ => rig.go_to(rig.point_within(limit)),
                }
            }
            Some(_) | None => return closed(&no(132, "command error"), Duration::ZERO),
        },
        Some("set_normal_power" | "set_low_power" | "set_high_power" | "set_led") => {
            rig.machine.answers_after()
        }
        Some(_) | None => return closed(&no(14, "invalid cmd"), Duration::ZERO),
    };
    match (done, quirk) {
        (None, _) | (Some(_), Some(Quirk::ActsAndHolds)) => Says::Hangs,
        (Some(_), Some(Quirk::ActsUnanswered)) => Says::Nothing,
        (Some(after), _) => closed(&yes(json!("API command OK")), after),
    }
}

fn limit_in(command: &Value) -> Option<Power> {
    let said = &command["power_limit"];
    let watts = said.as_i64().or_else(|| said.as_str()?.parse().ok())?;
    (0..=99_999).contains(&watts).then(|| Power::from_watts(watts))
}

/// What it hands out for a token. Always the same, so that a fleet of them does not spend
/// its time hashing; the token ends all the same.
pub(super) fn salts() -> Salts {
    Salts { salt: "BQ5hoXV9".into(), new_salt: "jbzkfQls".into(), time: "5626".into() }
}

fn list(rig: &Rig, code: i64, message: &str, name: &str, list: Value) -> Value {
    let id = match rig.kept().quirk {
        Some(Quirk::OtherNumber) => 7,
        Some(_) | None => 1,
    };
    let status = json!([{
        "STATUS": "S", "When": 0, "Code": code, "Msg": message, "Description": "btminer",
    }]);
    json!({ "STATUS": status, name: list, "id": id })
}

fn yes(message: Value) -> Value {
    json!({ "STATUS": "S", "When": 0, "Code": OK, "Msg": message, "Description": "" })
}

fn no(code: i64, message: &str) -> Value {
    json!({ "STATUS": "E", "When": 0, "Code": code, "Msg": message, "Description": "" })
}

fn said(answer: &Value, after: Duration) -> Says {
    Says::Answer(answer.to_string().into_bytes(), after)
}
