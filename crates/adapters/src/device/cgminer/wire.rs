//! Questions in the two forms of cgminer's API, and their answers as one.

use std::time::Instant;

use serde_json::{Map, Value, json};

use super::super::{DeviceText, Reached, Unanswered, question};
use super::words;

/// How a miner is spoken with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaks {
    /// `{"command":"summary"}`
    Json,
    /// `summary`, and an answer between pipes.
    Text,
}

/// Asks one question.
pub(super) async fn ask(
    at: Reached,
    speaks: Speaks,
    command: &str,
    by: Instant,
) -> Result<Value, Unanswered> {
    let question = match speaks {
        Speaks::Json => json!({ "command": command }).to_string(),
        Speaks::Text => command.to_owned(),
    };
    let answer = words::parse(&question::ask(at, question.as_bytes(), by).await?)?;
    refused(command, answer)
}

/// Gives a command with its parameter. What is refused is an answer too.
pub(super) async fn command(
    at: Reached,
    command: &str,
    parameter: &str,
    by: Instant,
) -> Result<Value, Unanswered> {
    let question = json!({ "command": command, "parameter": parameter }).to_string();
    words::parse(&question::ask(at, question.as_bytes(), by).await?)
}

/// Asks several questions: on one connection where the miner takes them so, one by one
/// otherwise. What it has no answer to is left out, but not the first.
pub(super) async fn ask_together(
    at: Reached,
    speaks: Speaks,
    questions: &[&str],
    by: Instant,
) -> Result<Value, Unanswered> {
    if speaks == Speaks::Json {
        match ask(at, speaks, &questions.join("+"), by).await {
            Ok(answer) if answer.get(questions[0]).is_some() => {
                return Ok(joined(&answer));
            }
            Ok(_) | Err(Unanswered::Nonsense(_)) => {}
            Err(why) => return Err(why),
        }
    }
    let mut together = Map::new();
    for (at_place, question) in questions.iter().enumerate() {
        match ask(at, speaks, question, by).await {
            Ok(Value::Object(answer)) => together.extend(answer),
            Ok(_) => {}
            Err(Unanswered::Nonsense(_)) if at_place > 0 => {}
            Err(why) => return Err(why),
        }
    }
    Ok(Value::Object(together))
}

/// The answers to several questions as if they were one: `{"summary":[{"SUMMARY":…}],…}`
/// is `{"SUMMARY":…,…}`.
fn joined(answer: &Value) -> Value {
    let each = answer.as_object().into_iter().flatten();
    let each = each.filter_map(|(_, one)| one.get(0)?.as_object());
    Value::Object(each.flat_map(Clone::clone).collect())
}

/// An answer that says no to a question has no answer in it.
fn refused(command: &str, answer: Value) -> Result<Value, Unanswered> {
    match words::refusal(&answer) {
        None => Ok(answer),
        Some(why) => {
            let what = format!("{command} is refused: {why}");
            Err(Unanswered::Nonsense(DeviceText::of(&what)))
        }
    }
}
