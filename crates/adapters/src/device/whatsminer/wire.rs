//! What goes over the wire to a Whatsminer: open questions, and commands under a seal.

use std::time::Instant;

use serde_json::{Map, Value, json};

use super::super::{DeviceText, Reached, Unanswered, question, said};
use super::seal::{Fill, Seal};

/// What came back from a command.
#[derive(Debug)]
pub(super) enum Told {
    /// An answer under the same seal: the miner has understood the command.
    Said(Value),
    /// An answer in the open: the miner has not understood it, or does not take it.
    NotUnderstood(Value),
    /// An answer under a seal that is not this one.
    OtherSeal,
}

/// Asks an open question.
pub(super) async fn read(
    at: Reached,
    command: &str,
    by: Instant,
) -> Result<Value, Unanswered> {
    let question = json!({ "command": command }).to_string();
    let answer = said::json(&question::ask(at, question.as_bytes(), by).await?)?;
    match is_no(&answer) && command != "get_token" {
        true => Err(Unanswered::Nonsense(DeviceText::of(&format!(
            "{command} is refused: {}",
            answer["Msg"].as_str().unwrap_or("no reason")
        )))),
        false => Ok(answer),
    }
}

/// Gives a command under a seal, whose token goes into it.
pub(super) async fn tell(
    at: Reached,
    seal: &Seal,
    fill: Fill,
    mut command: Map<String, Value>,
    by: Instant,
) -> Result<Told, Unanswered> {
    command.insert("token".to_owned(), Value::from(seal.token()));
    let closed = seal.close(&Value::Object(command).to_string(), fill);
    let question = json!({ "enc": 1, "data": closed }).to_string();
    let answer = said::json(&question::ask(at, question.as_bytes(), by).await?)?;
    // Some firmwares write a refusal as a text with the JSON in it.
    let answer = match answer.as_str() {
        Some(text) => said::json(text.as_bytes())?,
        None => answer,
    };
    let Some(closed) = answer["enc"].as_str() else {
        return Ok(Told::NotUnderstood(answer));
    };
    let noise = || Unanswered::Nonsense(DeviceText::of("an answer that is not sealed"));
    let opened = seal.open(closed).ok_or_else(noise)?;
    Ok(said::json(&opened).map_or(Told::OtherSeal, Told::Said))
}

/// Whether an answer says no as a whole.
fn is_no(answer: &Value) -> bool {
    matches!(answer["STATUS"].as_str(), Some("E" | "F"))
        || matches!(answer["STATUS"][0]["STATUS"].as_str(), Some("E" | "F"))
}
