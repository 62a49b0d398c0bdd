//! What commands that speak with a living run have in common: who asks, the run's
//! folder, and how an answer is printed.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use units::{Power, Seconds, Timestamp};

use super::Ending;
use super::backtest::print;
use crate::live::control::client::{NoReply, ask};
use crate::live::control::{Asked, By, LoadChange, Reply, SOCKET, Wish};
use crate::live::status::Status;
use crate::records::{KEY, STORE};

/// The run that is meant.
#[derive(Debug, Args)]
pub(super) struct RunFolder {
    /// The data folder of the run.
    #[arg(value_name = "DIR")]
    pub(super) folder: PathBuf,
    /// Print the answer as JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// Who asks.
#[derive(Debug, Args)]
pub(super) struct Who {
    /// Your name: it is written into the record.
    #[arg(long = "as", value_name = "NAME")]
    person: String,
    /// The role in which you ask, such as `operator` or `rig technician`.
    #[arg(long, value_name = "ROLE")]
    role: String,
    /// Say what would be asked and what it comes to, and ask nothing.
    #[arg(long)]
    dry_run: bool,
}

impl From<&Who> for By {
    fn from(who: &Who) -> Self {
        Self { name: who.person.clone(), role: who.role.clone() }
    }
}

/// What a command has to show, or how it ended without.
pub(super) enum Got<T> {
    /// This.
    Reply(T),
    /// Nothing; it was said why.
    Ended(Ending),
}

impl RunFolder {
    /// Asks the run, and says what is wrong where it does not answer.
    pub(super) fn ask(&self, asked: &Asked) -> anyhow::Result<Got<Reply>> {
        match ask(&self.folder, asked) {
            Ok(Reply::Failed { why }) => bail!("{why}"),
            Ok(reply) => Ok(Got::Reply(reply)),
            Err(error @ (NoReply::Nobody { .. } | NoReply::NotAllowed { .. })) => {
                if self.json {
                    print(&line(&serde_json::json!({
                        "reply": "nobody", "why": error.to_string(),
                    })))?;
                }
                eprintln!("error: {error}");
                Ok(Got::Ended(Ending::NobodyAnswers))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// How the run stands.
    pub(super) fn status(&self) -> anyhow::Result<Got<Box<Status>>> {
        match self.ask(&Asked::Status {})? {
            Got::Ended(ending) => Ok(Got::Ended(ending)),
            Got::Reply(Reply::Status { status }) => Ok(Got::Reply(status)),
            Got::Reply(other) => bail!("expected the status, found {other:?}"),
        }
    }

    /// Asks for something to be done, and prints the answer.
    pub(super) fn wish(&self, who: &Who, wish: Wish) -> anyhow::Result<Ending> {
        let dry_run = who.dry_run;
        let asked = Asked::Ask { by: who.into(), wish, dry_run };
        match self.ask(&asked)? {
            Got::Ended(ending) => Ok(ending),
            Got::Reply(reply) => self.show(&reply),
        }
    }

    /// Prints an answer.
    pub(super) fn show(&self, reply: &Reply) -> anyhow::Result<Ending> {
        let ending = match reply {
            Reply::Refused { .. } => Ending::Refused,
            Reply::Status { .. }
            | Reply::Machines { .. }
            | Reply::Accepted { .. }
            | Reply::Checkpoint { .. }
            | Reply::Judged { .. }
            | Reply::UnderWay { .. }
            | Reply::Failed { .. } => Ending::Well,
        };
        if self.json {
            print(&line(reply))?;
            return Ok(ending);
        }
        match reply {
            Reply::Refused { why } => eprintln!("refused: {why}"),
            Reply::Failed { why } => bail!("{why}"),
            Reply::UnderWay { says } => print(&sentence(says))?,
            Reply::Accepted { says, limit_before, limit_after, changes, dry_run } => {
                let mut text = String::new();
                if *dry_run {
                    text.push_str("Nothing was asked. This would come of it now:\n");
                }
                text.extend(says.iter().map(|said| sentence(said)));
                if says.is_empty() && !*dry_run {
                    text.push_str("Taken in, and in the record.\n");
                }
                for LoadChange { load, from, to, firm, .. } in changes {
                    let firm = if *firm { ", which is under contract" } else { "" };
                    text.push_str(&format!("`{load}`{firm} goes from {from} to {to}.\n"));
                }
                text.push_str(&limit_change(*limit_before, *limit_after));
                print(&text)?;
            }
            Reply::Checkpoint { checkpoint: Some(checkpoint) } => {
                print(&line(checkpoint))?
            }
            Reply::Checkpoint { checkpoint: None } => {
                print("No checkpoint was signed yet.\n")?;
            }
            Reply::Status { .. } | Reply::Machines { .. } | Reply::Judged { .. } => {
                print(&line(reply))?;
            }
        }
        Ok(ending)
    }
}

fn limit_change(before: Power, after: Power) -> String {
    if before == after {
        return format!("The import limit stays at {before}.\n");
    }
    format!("The import limit goes from {before} to {after}.\n")
}

/// A value as a line of JSON.
pub(super) fn line(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("what is printed can be written") + "\n"
}

/// A fragment as a sentence on a line of its own.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}.\n", first.unwrap_or_default(), letters.as_str())
}

/// How long ago something was, in the largest unit that says enough.
pub(super) fn ago(now: Timestamp, at: Timestamp) -> String {
    match (now - at).as_seconds() {
        ..0 => format!("in {}", length(at - now)),
        _ => format!("{} ago", length(now - at)),
    }
}

/// How long something is, in the two largest units.
pub(super) fn length(duration: Seconds) -> String {
    let seconds = duration.as_seconds().max(0);
    let (days, hours, minutes) =
        (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        (..) => format!("{days} d {hours} h"),
    }
}

/// Whether a path can be a run's data folder, for commands that take several kinds.
pub(super) fn is_run(folder: &Path) -> bool {
    [KEY, STORE, SOCKET].iter().any(|name| folder.join(name).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_short_and_have_units() {
        let check = |seconds: i64, text: &str| {
            assert_eq!(length(Seconds::from_seconds(seconds)), text);
        };
        check(0, "0 s");
        check(59, "59 s");
        check(61, "1 min 1 s");
        check(3_600, "1 h 0 min");
        check(90_061, "1 d 1 h");
    }

    #[test]
    fn what_is_said_is_a_sentence() {
        assert_eq!(sentence("`rigs` is held"), "`rigs` is held.\n");
        assert_eq!(sentence("no"), "No.\n");
    }
}
