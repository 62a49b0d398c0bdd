//! `mw alarm`: what is wrong, and who looks after it.

use clap::Subcommand;

use super::Ending;
use super::asking::{Got, RunFolder, Who, ago, line};
use super::backtest::print;
use crate::live::control::Wish;
use crate::live::status::Status;

/// List the alarms of a living run, and say that somebody looks after one.
#[derive(Debug, Subcommand)]
pub(super) enum Alarm {
    /// List what stands, the most urgent first.
    List {
        #[command(flatten)]
        run: RunFolder,
    },
    /// Say that you look after an alarm: it is not taken further up.
    Acknowledge {
        #[command(flatten)]
        run: RunFolder,
        /// Its number.
        #[arg(value_name = "ID")]
        alarm: u32,
        #[command(flatten)]
        who: Who,
    },
}

impl Alarm {
    pub(super) fn run(self) -> anyhow::Result<Ending> {
        match self {
            Self::List { run } => match run.status()? {
                Got::Ended(ending) => Ok(ending),
                Got::Reply(status) => {
                    let text =
                        if run.json { line(&status.alarms) } else { list(&status) };
                    print(&text)?;
                    Ok(Ending::Well)
                }
            },
            Self::Acknowledge { run, alarm, who } => {
                run.wish(&who, Wish::Acknowledge { alarm })
            }
        }
    }
}

fn list(status: &Status) -> String {
    if status.alarms.is_empty() {
        return format!("No alarm stands at {}, {}.\n", status.site, status.at);
    }
    let mut text = String::new();
    for alarm in &status.alarms {
        text.push_str(&format!(
            "{} {}, {}{}\n",
            alarm.urgency.to_uppercase(),
            alarm.id,
            ago(status.at, alarm.since),
            match &alarm.acknowledged_by {
                Some(by) => format!(", {by} looks after it"),
                None => ", nobody has acknowledged it".to_owned(),
            },
        ));
        for line in alarm.body.lines() {
            text.push_str(&format!("  {line}\n"));
        }
    }
    text
}
