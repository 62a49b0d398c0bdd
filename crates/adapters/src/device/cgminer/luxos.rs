//! What LuxOS can be told beyond looking at it. Source: Luxor's public API documents.
//!
//! It has one session at a time and no password for it: whoever is on the network may
//! take it. A session that is open is used, so that one that was forgotten does not keep
//! a miner from being curtailed; one that was opened for a command is closed again.

use std::time::Instant;

use serde_json::Value;
use units::Power;

use super::super::said;
use super::super::{
    Answer, DeviceText, Field, Identity, Look, Reached, Refusal, Running, Unanswered,
};
use super::wire::{Speaks, ask, ask_together, command};
use super::words::{self, Family, nonsense};

/// Of its profiles, the most that are read.
const PROFILES_MAX: usize = 200;

/// A way in which it can run.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Profile {
    name: String,
    power: Power,
}

/// What only `config` and `profiles` say.
pub(super) async fn identify(
    at: Reached,
    identity: &mut Identity,
    by: Instant,
) -> Result<(), Unanswered> {
    let answers = ask_together(at, Speaks::Json, &["config", "profiles"], by).await?;
    let config = &answers["CONFIG"][0];
    let serial = said::text(&config["SerialNumber"]);
    identity.serial = serial.or_else(|| said::text(&config["MACAddr"]));
    let powers = profiles(&answers).into_iter().map(|profile| profile.power);
    let powers: Vec<Power> = powers.collect();
    identity.limits = powers.iter().min().copied().zip(powers.iter().max().copied());
    Ok(())
}

/// How it stands.
pub(super) async fn look(at: Reached, by: Instant) -> Result<Look, Unanswered> {
    let questions = words::questions(Family::LuxOs);
    stands(&ask_together(at, Speaks::Json, questions, by).await?)
}

/// How it stands, by its answers.
fn stands(answers: &Value) -> Result<Look, Unanswered> {
    let mut look = words::look(answers)?;
    let config = &answers["CONFIG"][0];
    let hashes = look.hashrate.is_some_and(|rate| !rate.value.is_zero());
    look.running = config["CurtailMode"].as_str().map(|mode| {
        let running = match (is_sleep(mode), hashes) {
            (true, _) => Running::Resting,
            (false, true) => Running::Working,
            (false, false) => Running::Starting,
        };
        Field::reported(running)
    });
    look.draw = said::watts(&answers["POWER"][0]["Watts"]);
    look.limit = active(answers).map(|profile| Field::reported(profile.power));
    Ok(look)
}

/// Sends it to sleep.
pub(super) async fn rest(at: Reached, by: Instant) -> Answer {
    in_session(at, &[("curtail", "sleep".to_owned())], by).await
}

/// Lets it work on its best profile within a power.
pub(super) async fn at_most(at: Reached, power: Power, by: Instant) -> Answer {
    let questions = ["config", "profiles"];
    let answers = match ask_together(at, Speaks::Json, &questions, by).await {
        Ok(answers) => answers,
        Err(why) => return Answer::Unknown(why),
    };
    let profiles = profiles(&answers);
    let within = profiles.iter().filter(|profile| profile.power <= power);
    let powers = || profiles.iter().map(|profile| profile.power);
    let (Some(best), Some(least), Some(most)) =
        (within.max_by_key(|profile| profile.power), powers().min(), powers().max())
    else {
        let limits = powers().min().zip(powers().max());
        return Answer::Refused(match limits {
            Some((least, most)) => Refusal::OutOfRange { least, most, asked: power },
            None => Refusal::Unsupported(DeviceText::of("it names no power profiles")),
        });
    };
    let config = &answers["CONFIG"][0];
    let tunes_itself = said::yes(&config["IsAtmEnabled"]) == Some(true);
    if tunes_itself && least < most && best.power < most {
        return Answer::Refused(Refusal::Other(DeviceText::of(
            "its own tuner (ATM) is on and would leave the profile; switch it off",
        )));
    }
    let mut commands = Vec::new();
    if active(&answers).as_ref() != Some(best) {
        commands.push(("profileset", best.name.clone()));
    }
    // The profile first, so that it does not wake up to more.
    if config["CurtailMode"].as_str().is_none_or(is_sleep) {
        commands.push(("curtail", "wakeup".to_owned()));
    }
    in_session(at, &commands, by).await
}

/// Gives commands, one after the other, until one is not accepted.
async fn in_session(at: Reached, commands: &[(&str, String)], by: Instant) -> Answer {
    if commands.is_empty() {
        return Answer::Accepted;
    }
    let (session, is_ours) = match session(at, by).await {
        Ok(session) => session,
        Err(answer) => return answer,
    };
    let mut answer = Answer::Accepted;
    for (name, parameter) in commands {
        answer = match command(at, name, &format!("{session},{parameter}"), by).await {
            Ok(said) => answer_to(&said),
            Err(why) => Answer::Unknown(why),
        };
        if answer != Answer::Accepted {
            break;
        }
    }
    if is_ours {
        // What becomes of it changes nothing of what was asked for: the miner closes it
        // after a while by itself.
        drop(command(at, "logoff", &session, by).await);
    }
    answer
}

/// The session that is open, or one of our own.
async fn session(at: Reached, by: Instant) -> Result<(String, bool), Answer> {
    let open = ask(at, Speaks::Json, "session", by).await;
    if let Some(id) = open.ok().as_ref().and_then(session_id) {
        return Ok((id, false));
    }
    let said = command(at, "logon", "", by).await.map_err(Answer::Unknown)?;
    match (session_id(&said), words::refusal(&said)) {
        (Some(id), None) => Ok((id, true)),
        (_, Some(why)) => Err(Answer::Refused(Refusal::Busy(why))),
        (None, None) => Err(Answer::Unknown(nonsense("a session without a name"))),
    }
}

/// A name that can stand among parameters.
fn session_id(answer: &Value) -> Option<String> {
    let id = answer["SESSION"][0]["SessionID"].as_str()?;
    let plain =
        (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric());
    plain.then(|| id.to_owned())
}

fn answer_to(said: &Value) -> Answer {
    match (words::refusal(said), said.get("STATUS")) {
        (None, Some(_)) => Answer::Accepted,
        (None, None) => Answer::Unknown(nonsense("an answer without a status")),
        // To be what one is already is to be it.
        (Some(why), _) if why.as_str().contains("already") => Answer::Accepted,
        (Some(why), _) if why.as_str().to_ascii_lowercase().contains("session") => {
            Answer::Refused(Refusal::Busy(why))
        }
        (Some(why), _) => Answer::Refused(Refusal::Other(why)),
    }
}

fn is_sleep(mode: &str) -> bool {
    mode.to_ascii_lowercase().contains("sleep")
}

/// The profile that it runs on.
fn active(answers: &Value) -> Option<Profile> {
    let name = answers["CONFIG"][0]["Profile"].as_str()?;
    profiles(answers).into_iter().find(|profile| profile.name == name)
}

/// Its profiles that name a power and can stand among parameters.
fn profiles(answers: &Value) -> Vec<Profile> {
    let list = answers["PROFILES"].as_array().into_iter().flatten();
    list.take(PROFILES_MAX)
        .filter_map(|profile| {
            let name = profile["Profile Name"].as_str()?;
            let plain = |c: char| c.is_ascii_alphanumeric() || " -_.+".contains(c);
            let power = said::watts(&profile["Watts"])?.value;
            let usable = !name.is_empty() && name.len() <= 64 && name.chars().all(plain);
            (usable && !power.is_zero()).then(|| Profile { name: name.to_owned(), power })
        })
        .collect()
}
