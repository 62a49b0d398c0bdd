//! What a Whatsminer's answers mean. Codes after MicroBT's public API documents (2.0).

use serde_json::Value;

use super::super::said::{self, HashUnit};
use super::super::{
    Answer, DeviceText, Field, Identity, Look, Quality, Refusal, Running, Unanswered,
};
use super::seal::Salts;

/// Of what a miner complains, the most that is kept.
const FAULTS_MAX: usize = 16;

/// Of its pools, the most that are kept.
const POOLS_MAX: usize = 8;

/// What the answer to `get_version` makes known; only a Whatsminer answers so.
pub(super) fn version(answer: &Value) -> Result<Identity, Unanswered> {
    let said = &answer["Msg"];
    let firmware = said::text(&said["fw_ver"]);
    if firmware.is_none() && said::text(&said["api_ver"]).is_none() {
        return Err(not_one("get_version"));
    }
    let maker = Some(DeviceText::of("MicroBT"));
    Ok(Identity { maker, firmware, ..Identity::default() })
}

/// What `devdetails` adds.
pub(super) fn details(identity: &mut Identity, answer: &Value) {
    let model = said::text(&answer["DEVDETAILS"][0]["Model"]);
    identity.model =
        model.map(|model| DeviceText::of(&format!("Whatsminer {}", model.as_str())));
}

/// What `get_miner_info` adds: older firmwares know no serial number.
pub(super) fn info(identity: &mut Identity, answer: &Value) {
    let said = &answer["Msg"];
    identity.serial = said::text(&said["minersn"]).or_else(|| said::text(&said["mac"]));
}

/// What it handed out for a token.
pub(super) fn salts(answer: &Value) -> Option<Salts> {
    let said = |key: &str| {
        let text = answer["Msg"][key].as_str()?;
        // They are hashed, so that a long one costs time.
        (!text.is_empty() && text.len() <= 64).then(|| text.to_owned())
    };
    Some(Salts { salt: said("salt")?, new_salt: said("newsalt")?, time: said("time")? })
}

/// Whether an answer has the pools in it.
pub(super) fn has_pools(answer: &Value) -> bool {
    section(answer, "pools", "POOLS").is_some()
}

/// How it stands, by `summary`, `pools` and `status`.
pub(super) fn look(
    summary: &Value,
    pools: &Value,
    status: &Value,
) -> Result<Look, Unanswered> {
    let summary =
        section(summary, "summary", "SUMMARY").ok_or_else(|| not_one("summary"))?;
    let summary = &summary[0];
    let pools = section(pools, "pools", "POOLS").ok_or_else(|| not_one("pools"))?;
    let status = &status["Msg"];

    let hashrate = ["HS RT", "MHS 5s", "MHS 1m", "MHS av"]
        .iter()
        .find_map(|key| said::hashrate(&summary[key], HashUnit::Mega));
    let hottest = said::hottest(
        ["Chip Temp Max", "Temperature"]
            .iter()
            .filter_map(|key| said::celsius(&summary[key])),
    );
    let limit = said::watts(&summary["Power Limit"])
        .or_else(|| said::watts(&status["power_limit_set"]))
        .filter(|limit| !limit.value.is_zero());
    let off = said::yes(&status["mineroff"]).or_else(|| said::yes(&status["btmineroff"]));
    let running = off.map(|off| match (off, hashrate) {
        (true, _) => Field::reported(Running::Resting),
        (false, Some(rate)) if rate.value.is_zero() => Field::reported(Running::Starting),
        (false, Some(_)) => Field::reported(Running::Working),
        // It says that it is not off, and not whether it has begun.
        (false, None) => {
            Field { quality: Quality::Derived, ..Field::reported(Running::Starting) }
        }
    });
    let faults = (0..FAULTS_MAX)
        .map_while(|at| summary.get(format!("Error Code {at}")))
        .filter_map(|code| said::number(code).filter(|code| *code != 0.0))
        .map(|code| DeviceText::of(&format!("error {code}")));
    let hashrate = match off {
        // What it did before it was switched off.
        Some(true) => None,
        Some(false) | None => hashrate,
    };
    Ok(Look {
        running,
        limit,
        draw: said::watts(&summary["Power"]),
        hashrate,
        hottest,
        pools: pools
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|pool| said::text(&pool["URL"]))
            .take(POOLS_MAX)
            .collect(),
        faults: faults.collect(),
        ..Look::default()
    })
}

/// What it said to a command that it understood.
pub(super) fn answer(said: &Value) -> Answer {
    let Some(status) = status(said) else {
        return Answer::Unknown(not_one("the command"));
    };
    if matches!(status, "S" | "I") {
        return Answer::Accepted;
    }
    let message = message(said);
    Answer::Refused(match said["Code"].as_i64() {
        _ if is_read_only(said) => Refusal::Unsupported(DeviceText::of(
            "its API is read-only; enable it with the maker's tool",
        )),
        Some(14) => Refusal::Unsupported(message),
        Some(45 | 135) => Refusal::Login,
        Some(136) => Refusal::Busy(message),
        _ => Refusal::Other(message),
    })
}

/// What it said in the open to a command under a new seal. It could not open it, which
/// is what a wrong password looks like, unless it says otherwise.
pub(super) fn not_understood(said: &Value) -> Answer {
    match said["Code"].as_i64() {
        Some(14 | 23 | 45 | 132 | 135 | 137) if !is_read_only(said) => {
            Answer::Refused(Refusal::Login)
        }
        _ => answer(said),
    }
}

/// Whether it takes no command from anybody: "can't access write cmd".
fn is_read_only(said: &Value) -> bool {
    message(said).as_str().contains("write cmd")
}

/// The list of this name: alone, or among the answers to several questions at once.
fn section<'a>(answer: &'a Value, joined: &str, name: &str) -> Option<&'a Value> {
    let alone = answer.get(name);
    let list = alone.or_else(|| answer.get(joined)?.get(0)?.get(name))?;
    list.is_array().then_some(list)
}

fn status(said: &Value) -> Option<&str> {
    said["STATUS"].as_str().or_else(|| said["STATUS"][0]["STATUS"].as_str())
}

fn message(said: &Value) -> DeviceText {
    let text = said["Msg"].as_str().or_else(|| said["STATUS"][0]["Msg"].as_str());
    DeviceText::of(text.unwrap_or("no reason"))
}

fn not_one(question: &str) -> Unanswered {
    let what = format!("the answer to {question} is not a Whatsminer's");
    Unanswered::Nonsense(DeviceText::of(&what))
}
