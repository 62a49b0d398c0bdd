//! What a Whatsminer's answers mean. Codes after MicroBT's public API documents (2.0).

use serde_json::Value;

use super::super::said::{self, HashUnit};
use super::super::{
    Answer, DeviceText, Field, Identity, Look, Quality, Refusal, Running, Unanswered,
};
use super::seal::Salts;

/// Of what a miner complains, the most that is kept.
const FAULTS_MAX: usize = 16;

/// Understood and done.
const OK: i64 = 131;

/// The token that a command carries is not one, or is one no more.
const NO_TOKEN: i64 = 135;

/// As many tokens are out as it keeps.
const TOO_MANY: i64 = 136;

/// It opened the command, and found no JSON in it.
const NO_JSON: i64 = 23;

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
    let boards = section(answer, "devdetails", "DEVDETAILS").unwrap_or_default();
    let model = boards.first().and_then(|board| said::text(&board["Model"]));
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

/// Whether an answer to several questions at once has the pools in it.
pub(super) fn has_pools(answer: &Value) -> bool {
    answer.get("pools").is_some() || answer.get("POOLS").is_some()
}

/// How it stands, by `summary`, `pools` and `status`.
pub(super) fn look(
    summary: &Value,
    pools: &Value,
    status: &Value,
) -> Result<Look, Unanswered> {
    let found = section(summary, "summary", "SUMMARY");
    let summary = *found
        .and_then(|it| it.first().copied())
        .as_ref()
        .ok_or_else(|| not_one("summary"))?;
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
            .into_iter()
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
        // Some say that and nothing else.
        return match said["Code"].as_i64() {
            Some(TOO_MANY) => Answer::Refused(Refusal::Busy(message(said))),
            _ => Answer::Unknown(not_one("the command")),
        };
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
        Some(45 | NO_TOKEN) => Refusal::Login,
        Some(TOO_MANY) => Refusal::Busy(message),
        _ => Refusal::Other(message),
    })
}

/// What it said in the open to a command under a new seal. It could not open it, which
/// is what a wrong password looks like, unless it says otherwise.
pub(super) fn not_understood(said: &Value) -> Answer {
    match said["Code"].as_i64() {
        Some(14 | 23 | 45 | 132 | NO_TOKEN | 137) if !is_read_only(said) => {
            Answer::Refused(Refusal::Login)
        }
        _ => answer(said),
    }
}

/// Whether it may be that the token was forgotten.
pub(super) fn is_token_no_more(said: &Value) -> bool {
    said["Code"].as_i64() == Some(NO_TOKEN)
}

/// Whether it could not read what it opened.
pub(super) fn is_unread(said: &Value) -> bool {
    said["Code"].as_i64() == Some(NO_JSON)
}

/// Whether it takes no command from anybody: "can't access write cmd".
fn is_read_only(said: &Value) -> bool {
    message(said).as_str().contains("write cmd")
}

/// What is in the list of this name: alone, among the answers to several questions at
/// once, or, as newer firmwares write it, under `Msg`.
fn section<'a>(answer: &'a Value, joined: &str, name: &str) -> Option<Vec<&'a Value>> {
    let answer = answer.get(joined).and_then(|it| it.get(0)).unwrap_or(answer);
    if let Some(list) = answer.get(name) {
        return Some(list.as_array()?.iter().collect());
    }
    match answer.get("Msg").filter(|_| answer["Code"] == OK)? {
        Value::Array(list) => Some(list.iter().collect()),
        one @ Value::Object(_) => Some(vec![one]),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
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

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::super::said;
    use super::{answer, info, look, not_understood, salts, version};
    use crate::device::{Answer, Refusal};

    fn says(code: i64, message: &str) -> Value {
        json!({ "STATUS": "E", "Code": code, "Msg": message })
    }

    /// What becomes of a code in an answer under the seal, and in the open.
    #[test]
    fn codes_are_told_apart_by_whether_the_command_was_opened() {
        let kind = |answer: Answer| match answer {
            Answer::Accepted => "accepted",
            Answer::Refused(Refusal::Login) => "login",
            Answer::Refused(Refusal::Unsupported(_)) => "unsupported",
            Answer::Refused(Refusal::Busy(_)) => "busy",
            Answer::Refused(Refusal::Other(_)) => "other",
            Answer::Refused(Refusal::OutOfRange { .. }) => "range",
            Answer::Unknown(_) => "unknown",
        };
        for (said, sealed, open) in [
            (says(14, "invalid cmd"), "unsupported", "login"),
            (says(23, "enc json load err"), "other", "login"),
            (says(45, "permission denied"), "login", "login"),
            (says(45, "can't access write cmd"), "unsupported", "unsupported"),
            (says(132, "command error"), "other", "login"),
            (says(135, "check token error"), "login", "login"),
            (says(136, "over max connect"), "busy", "busy"),
            (json!({ "Code": 136 }), "busy", "busy"),
            (
                json!({ "STATUS": "S", "Code": 131, "Msg": "API command OK" }),
                "accepted",
                "accepted",
            ),
            (json!({ "Msg": "hello" }), "unknown", "unknown"),
            (json!([]), "unknown", "unknown"),
        ] {
            let found = (kind(answer(&said)), kind(not_understood(&said)));
            assert_eq!(found, (sealed, open), "{said}");
        }
    }

    proptest! {
        /// A real answer with bytes changed, and bytes that are none: whatever is made of
        /// it, it is made without a panic.
        #[test]
        fn no_bytes_make_it_panic(
            bytes in vec(any::<u8>(), 0..300),
            places in vec((0_usize..3_000, any::<u8>()), 0..8),
        ) {
            let real = include_bytes!("../../../../../fixtures/miners/whatsminer.json");
            let mut changed = real.to_vec();
            for (place, byte) in places {
                let place = place % changed.len();
                changed[place] = byte;
            }
            for bytes in [bytes, changed] {
                let Ok(all) = said::json(&bytes) else { continue };
                let mut identity = version(&all["get_version"]).unwrap_or_default();
                info(&mut identity, &all["get_miner_info"]);
                // What it did not say is not made up.
                prop_assert_eq!(identity.limits, None);
                let (summary, pools) = (&all["summary"], &all["pools"]);
                drop(look(summary, pools, &all["status"]));
                drop((salts(&all), answer(&all), not_understood(&all)));
            }
        }
    }
}
