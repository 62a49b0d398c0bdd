//! Firmwares with cgminer's API in front of a machine: LuxOS, which can be told, and two
//! that are only looked at. Source: cgminer's `API-README`, Luxor's public API documents,
//! and what clients of others take for an answer.

use std::time::Duration;

use engine::site::Rate;
use serde_json::{Map, Value, json};

use super::rigs::{Firmware, Quirk, Rig, Says};

/// What a question takes a real one.
const LOOKED_UP_IN: Duration = Duration::from_millis(40);

/// The answer to what was asked.
pub(super) fn answer(rig: &Rig, question: &[u8]) -> Says {
    let asked: Option<Value> = serde_json::from_slice(question).ok();
    let text = String::from_utf8_lossy(question);
    let (command, parameter) = match &asked {
        Some(asked) => (
            asked["command"].as_str().unwrap_or_default(),
            asked["parameter"].as_str().unwrap_or_default(),
        ),
        None => text.trim().split_once('|').unwrap_or((text.trim(), "")),
    };
    match (rig.manner.firmware, asked.is_some()) {
        // The oldest take no JSON.
        (Firmware::Avalon, true) => {
            said(between_pipes(&no(rig, 14, "Invalid command")), rig)
        }
        (Firmware::Avalon, false) => {
            let answer = one(rig, command, parameter);
            answer.map_or(Says::Hangs, |answer| said(between_pipes(&answer), rig))
        }
        (Firmware::Whatsminer | Firmware::LuxOs | Firmware::Antminer, _) => {
            match (told(rig, command, parameter), rig.kept().quirk) {
                (None, _) => Says::Hangs,
                (Some(_), Some(Quirk::ActsUnanswered)) if is_command(command) => {
                    Says::Nothing
                }
                (Some(answer), _) => said(answer.to_string(), rig),
            }
        }
    }
}

fn is_command(command: &str) -> bool {
    matches!(command, "curtail" | "profileset")
}

/// The answer to one question, or to several; nothing where the machine answers nobody.
fn told(rig: &Rig, command: &str, parameter: &str) -> Option<Value> {
    if !command.contains('+') {
        return one(rig, command, parameter);
    }
    // Bitmain's own takes one at a time.
    if rig.manner.firmware == Firmware::Antminer {
        return Some(no(rig, 14, "Invalid command"));
    }
    let mut answers = Map::new();
    for question in command.split('+').take(16) {
        answers.insert(question.to_owned(), json!([one(rig, question, "")?]));
    }
    answers.insert("id".to_owned(), json!(1));
    Some(Value::Object(answers))
}

fn one(rig: &Rig, command: &str, parameter: &str) -> Option<Value> {
    let luxos = rig.manner.firmware == Firmware::LuxOs;
    let list = |code, message: &str, name: &str, list: Value| {
        Some(with_list(rig, code, message, name, list))
    };
    match command {
        "version" => list(22, "Versions", "VERSION", json!([version(rig)])),
        "summary" => list(11, "Summary", "SUMMARY", json!([summary(rig)])),
        "pools" => list(7, "Pool(s)", "POOLS", pools(rig)),
        "stats" => list(70, "Stats", "STATS", stats(rig)),
        "devs" => list(9, "ASC(s)", "DEVS", boards(rig)),
        "config" if luxos => list(33, "Config", "CONFIG", json!([config(rig)])),
        "power" if luxos => {
            let watts = rig.machine.stands().draw.as_watts();
            list(311, "Power usage", "POWER", json!([{ "PSU": true, "Watts": watts }]))
        }
        "profiles" if luxos => list(330, "Profiles", "PROFILES", profiles(rig)),
        "fans" if luxos => {
            let fan = |id| json!({ "FAN": format!("FAN{id}"), "ID": id, "RPM": 4_300, "Speed": 60 });
            let mut answer =
                with_list(rig, 202, "Fans", "FANS", (0..4).map(fan).collect());
            answer["FANCTRL"] = json!([{ "MinFans": 3, "PowerOffSpeed": 20 }]);
            Some(answer)
        }
        "tempctrl" if luxos => {
            let targets = json!([{ "Mode": "Automatic", "Target": 60, "Hot": 80, "Dangerous": 90 }]);
            list(201, "Temperature control", "TEMPCTRL", targets)
        }
        "groups" if luxos => {
            let groups = json!([{ "GROUP": 0, "Name": "default", "Quota": 1 }]);
            list(305, "Groups", "GROUPS", groups)
        }
        "atm" if luxos => {
            let atm = json!([{ "Enabled": false, "MaxProfile": "", "MinProfile": "" }]);
            list(339, "ATM", "ATM", atm)
        }
        "session" if luxos => {
            let id = rig.kept().session.clone().unwrap_or_default();
            list(315, "Session", "SESSION", json!([{ "SessionID": id }]))
        }
        "logon" if luxos => {
            if rig.kept().session.is_some() {
                return Some(no(rig, 402, "Another session is active"));
            }
            let id = format!("s{:07}", rig.machine.number());
            rig.kept().session = Some(id.clone());
            list(316, "Session created", "SESSION", json!([{ "SessionID": id }]))
        }
        "logoff" | "curtail" | "profileset" if luxos => {
            let (session, parameter) =
                parameter.split_once(',').unwrap_or((parameter, ""));
            if rig.kept().session.as_deref() != Some(session) {
                return Some(no(rig, 403, "Invalid session id"));
            }
            if rig.kept().quirk == Some(Quirk::Refuses) && is_command(command) {
                return Some(no(rig, 14, "Command rejected"));
            }
            in_session(rig, command, parameter)
        }
        _ => Some(no(rig, 14, "Invalid command")),
    }
}

/// What only who is logged on may do.
fn in_session(rig: &Rig, command: &str, parameter: &str) -> Option<Value> {
    let asleep = rig.machine.stands().says == 0;
    match (command, parameter) {
        ("logoff", _) => {
            rig.kept().session = None;
            Some(status(rig, "S", 317, "Session ended"))
        }
        ("curtail", "sleep") if asleep => {
            Some(no(rig, 14, "Miner is already in sleep mode"))
        }
        ("curtail", "wakeup") if !asleep => Some(no(rig, 14, "Miner is already active")),
        ("curtail", "sleep") => {
            rig.go_to(0)?;
            Some(status(rig, "S", 318, "Curtail mode set"))
        }
        ("curtail", "wakeup") => {
            let limit = rig.kept().limit;
            rig.go_to(rig.point_within(limit))?;
            Some(status(rig, "S", 318, "Curtail mode set"))
        }
        ("profileset", name) => {
            let found = (1_u8..)
                .zip(&rig.points[1..])
                .find(|(_, point)| profile_name(point.power.as_watts()) == name);
            let Some((at, point)) = found else {
                return Some(no(rig, 14, "Profile not found"));
            };
            rig.kept().limit = point.power;
            if !asleep {
                rig.go_to(at)?;
            }
            let profile = json!([{ "Board": -1, "Profile": name }]);
            Some(with_list(rig, 334, "Profile set", "PROFILE", profile))
        }
        _ => Some(no(rig, 14, "Invalid parameter")),
    }
}

fn version(rig: &Rig) -> Value {
    let model = rig.model();
    match rig.manner.firmware {
        Firmware::Avalon => json!({
            "CGMiner": "4.11.1", "API": "3.7", "PROD": format!("AvalonMiner {model}"),
            "MODEL": model, "HWTYPE": "MM3v2_X3", "SWTYPE": "MM314",
            "LVERSION": "21072802_4ec6bb0_211fc46", "DNA": rig.mac().replace(':', ""),
            "MAC": rig.mac(),
        }),
        Firmware::Antminer => json!({
            "BMMiner": "1.0.0", "API": "3.1", "Miner": "uart_trans.1.3",
            "CompileTime": "Mon Aug  5 14:00:18 CST 2024", "Type": model,
        }),
        Firmware::LuxOs | Firmware::Whatsminer => json!({
            "API": "3.7", "CompileTime": "Tue Apr  8 22:05:35 UTC 2025",
            "LUXminer": "2025.4.8.220305-57b389c7", "Miner": "2025.4.8.220305",
            "Type": model,
        }),
    }
}

fn summary(rig: &Rig) -> Value {
    let gigahashes = rig.hashrate().as_ghs();
    let elapsed = rig.since.elapsed().as_secs();
    match rig.manner.firmware {
        Firmware::Avalon => json!({
            "Elapsed": elapsed, "MHS av": gigahashes * 1_000, "MHS 5s": gigahashes * 1_000,
            "Accepted": 5_412, "Rejected": 0,
        }),
        Firmware::Antminer | Firmware::LuxOs | Firmware::Whatsminer => json!({
            "Elapsed": elapsed, "GHS 5s": gigahashes, "GHS 1m": gigahashes,
            "GHS av": gigahashes, "Accepted": 1_483, "Rejected": 1,
            "Hardware Errors": 0, "Pool Rejected%": 0.07, "Pool Stale%": 0.0,
        }),
    }
}

fn pools(rig: &Rig) -> Value {
    let each = (0..).zip(rig.pools()).map(|(number, url)| {
        json!({
            "POOL": number, "URL": url, "Status": "Alive", "Priority": number,
            "GROUP": 0, "User": "site.worker", "Stratum Active": number == 0,
            "Accepted": 724, "Rejected": 0, "Get Failures": 0, "Remote Failures": 0,
        })
    });
    Value::Array(each.collect())
}

fn boards(rig: &Rig) -> Value {
    let (megahashes, celsius) = (rig.hashrate().as_ghs() * 1_000 / 3, rig.celsius());
    let each = (0..3).map(|board| {
        json!({
            "ASC": board, "ID": board, "Name": "", "Enabled": "Y", "Status": "Alive",
            "Temperature": celsius, "MHS 5s": megahashes, "MHS av": megahashes,
            "Profile": profile_name(rig.limit().as_watts()),
        })
    });
    Value::Array(each.collect())
}

fn stats(rig: &Rig) -> Value {
    let (gigahashes, celsius) = (rig.hashrate().as_ghs(), rig.celsius());
    let elapsed = rig.since.elapsed().as_secs();
    if rig.manner.firmware == Firmware::Avalon {
        let watts = rig.machine.stands().draw.as_watts();
        let state = if gigahashes > 0 { "In Work" } else { "In Init" };
        let written = format!(
            "Ver[1246-83-21072802_4ec6bb0_211fc46] SYSTEMSTATU[Work: {state}, Hash Board: 3 ] \
             Elapsed[{elapsed}] Temp[30] TMax[{celsius}] TAvg[{celsius}] Fan1[5344] \
             PS[0 1214 1316 242 {watts} 1320 3504] GHSspd[{gigahashes}.00] SoftOFF[0]"
        );
        return json!([{ "STATS": 0, "ID": "AVA100", "Elapsed": elapsed, "MM ID0": written }]);
    }
    let mut figures = json!({
        "STATS": 0, "ID": "BC50", "Elapsed": elapsed, "GHS 5s": gigahashes,
        "GHS av": gigahashes, "rate_unit": "GH", "total_rateideal": rated(rig),
        "fan_num": 4, "fan1": 4_300, "fan2": 4_300, "temp_max": celsius,
    });
    for board in 1..=3 {
        let each = format!("{celsius}-{celsius}-{celsius}-{celsius}");
        figures[format!("chain_rate{board}")] = json!((gigahashes / 3).to_string());
        figures[format!("chain_acn{board}")] = json!(108);
        figures[format!("temp{board}")] = json!(celsius);
        figures[format!("temp_chip{board}")] = json!(each);
        figures[format!("temp_pcb{board}")] = json!(each);
    }
    json!([{ "Type": rig.model(), "Miner": "1.0" }, figures])
}

/// What it hashes at its last point, in gigahashes.
fn rated(rig: &Rig) -> i64 {
    rig.points.last().map_or(0, |point| gigahashes(point.rate))
}

fn gigahashes(rate: Rate) -> i64 {
    match rate {
        Rate::Hash(rate) => rate.as_ghs(),
        Rate::Throughput(_) => 0,
    }
}

fn config(rig: &Rig) -> Value {
    let asleep = rig.machine.stands().says == 0;
    json!({
        "CurtailMode": if asleep { "Sleep" } else { "None" },
        "IsAtmEnabled": false, "IsPowerSupplyOn": !asleep, "IsTuning": false,
        "MACAddr": rig.mac().to_lowercase(), "Model": rig.model(), "OS": "LuxOS",
        "Profile": profile_name(rig.limit().as_watts()), "RedLed": "auto",
        "SerialNumber": format!("JYZZ{:08}", rig.machine.number()),
        "SystemStatus": if asleep { "Sleeping" } else { "Normal" }, "Hostname": "luxos",
    })
}

fn profiles(rig: &Rig) -> Value {
    let each = (0..).zip(&rig.points[1..]).map(|(step, point)| {
        let watts = point.power.as_watts();
        json!({
            "Profile Name": profile_name(watts), "Watts": watts, "Step": step.to_string(),
            "Hashrate": gigahashes(point.rate) / 1_000, "Frequency": 400 + 25 * step,
            "Voltage": 13.5, "IsTuned": true, "IsDynamic": false,
        })
    });
    Value::Array(each.collect())
}

fn profile_name(watts: i64) -> String {
    format!("{watts}W")
}

fn with_list(rig: &Rig, code: i64, message: &str, name: &str, list: Value) -> Value {
    let mut answer = status(rig, "S", code, message);
    answer[name] = list;
    answer
}

fn no(rig: &Rig, code: i64, message: &str) -> Value {
    status(rig, "E", code, message)
}

fn status(rig: &Rig, status: &str, code: i64, message: &str) -> Value {
    let id = match rig.kept().quirk {
        Some(Quirk::OtherNumber) => 7,
        Some(_) | None => 1,
    };
    let description = match rig.manner.firmware {
        Firmware::LuxOs => "LUXminer 2025.4.8.220305-57b389c7",
        Firmware::Avalon => "cgminer 4.11.1",
        Firmware::Antminer | Firmware::Whatsminer => "bmminer 1.0.0",
    };
    json!({
        "STATUS": [{
            "STATUS": status, "When": 0, "Code": code, "Msg": message,
            "Description": description,
        }],
        "id": id,
    })
}

/// The same answer as the older form has it: `STATUS=S,Code=11|SUMMARY,Elapsed=5|`.
fn between_pipes(answer: &Value) -> String {
    let mut text = String::new();
    for (name, list) in answer.as_object().into_iter().flatten() {
        for record in list.as_array().into_iter().flatten().filter_map(Value::as_object) {
            let mut fields: Vec<String> = Vec::new();
            let own = match name.as_str() {
                "POOLS" => "POOL",
                "DEVS" => "ASC",
                other => other,
            };
            match record.get(own) {
                Some(number) => fields.push(format!("{own}={}", plain(number))),
                None => fields.push(own.to_owned()),
            }
            let others = record.iter().filter(|(key, _)| *key != own);
            fields.extend(others.map(|(key, value)| format!("{key}={}", plain(value))));
            text.push_str(&fields.join(","));
            text.push('|');
        }
    }
    text
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn said(answer: impl Into<Vec<u8>>, rig: &Rig) -> Says {
    Says::Answer(answer.into(), rig.takes(LOOKED_UP_IN))
}
