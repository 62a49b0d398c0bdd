//! `mw grid`: what the grid asks and allows, and what a person passes on from it.

use clap::{Args, Subcommand};

use super::Ending;
use super::asking::{Got, RunFolder, Who, ago, length, line};
use super::backtest::print;
use crate::live::control::{Told, Wish};
use crate::live::status::{InstructionStatus, Status};

/// Look at what the grid asks and allows, and pass on what it says by telephone.
#[derive(Debug, Subcommand)]
pub(super) enum Grid {
    /// Say which limits are in force and who set them, how the links are, what was
    /// asked, and what waits for a second person.
    Status {
        #[command(flatten)]
        run: RunFolder,
    },
    /// Draw no more than a level.
    Limit {
        #[command(flatten)]
        passed: Passed,
        #[command(flatten)]
        level: Level,
        #[command(flatten)]
        length: Length,
    },
    /// Draw a level, as near as loads allow.
    Dispatch {
        #[command(flatten)]
        passed: Passed,
        #[command(flatten)]
        level: Level,
        #[command(flatten)]
        length: Length,
    },
    /// Draw a level now; the next one replaces it.
    BasePoint {
        #[command(flatten)]
        passed: Passed,
        #[command(flatten)]
        level: Level,
        #[command(flatten)]
        length: Length,
    },
    /// Keep at least a level drawn, so that it can be tripped.
    Arm {
        #[command(flatten)]
        passed: Passed,
        #[command(flatten)]
        level: Level,
        #[command(flatten)]
        length: Length,
    },
    /// Keep no reserve any more.
    Disarm {
        #[command(flatten)]
        passed: Passed,
    },
    /// Put the programme's loads off at once, until they are restored.
    Trip {
        #[command(flatten)]
        passed: Passed,
        #[command(flatten)]
        length: Length,
    },
    /// Let the programme's loads come back. A second person has to confirm it.
    Restore {
        #[command(flatten)]
        passed: Passed,
    },
    /// Draw no more than a level, as a test of the real path.
    Test {
        #[command(flatten)]
        passed: Passed,
        #[command(flatten)]
        level: Level,
        #[command(flatten)]
        length: Length,
    },
    /// End what the name stands for. A second person has to confirm it where that
    /// lets more be drawn.
    Withdraw {
        #[command(flatten)]
        passed: Passed,
    },
    /// Agree, as a second person, to what waits for one.
    Confirm {
        #[command(flatten)]
        passed: Passed,
    },
}

/// What is passed on, and by whom.
#[derive(Debug, Args)]
pub(super) struct Passed {
    #[command(flatten)]
    run: RunFolder,
    /// Under which grid programme.
    #[arg(long)]
    programme: String,
    /// What it is called: a later one of the name replaces it.
    #[arg(long)]
    name: String,
    #[command(flatten)]
    who: Who,
}

/// A level at the interconnection.
#[derive(Debug, Args)]
pub(super) struct Level {
    /// The level at the interconnection, in MW.
    #[arg(long, value_name = "MW")]
    mw: String,
    /// Contract load may stay on where the level cannot be met otherwise.
    #[arg(long)]
    best_effort: bool,
}

/// When it holds.
#[derive(Debug, Args)]
pub(super) struct Length {
    /// For how long, such as `2h`, or until which instant.
    #[arg(long = "for", value_name = "TIME")]
    until: String,
    /// From when; now unless given.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
}

/// How long what ends something is remembered.
const ENDS_FOR: &str = "1m";

impl Grid {
    pub(super) fn run(self) -> anyhow::Result<Ending> {
        match self {
            Self::Status { run } => match run.status()? {
                Got::Ended(ending) => Ok(ending),
                Got::Reply(status) => {
                    print(&if run.json { json(&status) } else { text(&status) })?;
                    Ok(Ending::Well)
                }
            },
            Self::Limit { passed, level, length } => {
                passed.on(Told::Limit, Some(level), Some(length))
            }
            Self::Dispatch { passed, level, length } => {
                passed.on(Told::Dispatch, Some(level), Some(length))
            }
            Self::BasePoint { passed, level, length } => {
                passed.on(Told::BasePoint, Some(level), Some(length))
            }
            Self::Arm { passed, level, length } => {
                passed.on(Told::Arm, Some(level), Some(length))
            }
            Self::Disarm { passed } => passed.on(Told::Disarm, None, None),
            Self::Trip { passed, length } => passed.on(Told::Trip, None, Some(length)),
            Self::Restore { passed } => passed.on(Told::Restore, None, None),
            Self::Test { passed, level, length } => {
                passed.on(Told::Test, Some(level), Some(length))
            }
            Self::Withdraw { passed } => passed.on(Told::Withdraw, None, None),
            Self::Confirm { passed: Passed { run, programme, name, who } } => {
                run.wish(&who, Wish::Confirm { programme, name })
            }
        }
    }
}

impl Passed {
    fn on(
        self,
        told: Told,
        level: Option<Level>,
        length: Option<Length>,
    ) -> anyhow::Result<Ending> {
        let Self { run, programme, name, who } = self;
        let (power_mw, best_effort) = match level {
            Some(Level { mw, best_effort }) => (Some(mw), best_effort),
            None => (None, false),
        };
        let (until, from) = match length {
            Some(Length { until, from }) => (until, from),
            None => (ENDS_FOR.to_owned(), None),
        };
        let wish = Wish::Instruct {
            programme,
            name,
            told,
            power_mw,
            price_usd_per_mwh: None,
            from,
            until,
            best_effort,
        };
        run.wish(&who, wish)
    }
}

/// The part of the status that is about the grid.
fn json(status: &Status) -> String {
    line(&serde_json::json!({
        "format": status.format,
        "site": status.site,
        "at": status.at.to_string(),
        "power": status.power,
        "limits": status.limits,
        "programmes": status.programmes,
        "instructions": status.instructions,
        "waiting": status.waiting,
    }))
}

fn text(status: &Status) -> String {
    let (now, power) = (status.at, &status.power);
    let mut text = format!(
        "{} at {now}: may draw {}, set by {}\n",
        status.site, power.import_limit, power.import_limit_by
    );
    let draw = power.draw.map_or("unknown".to_owned(), |draw| draw.to_string());
    text.push_str(&format!(
        "draws {draw}, at worst {}; {} left\n",
        power.worst, power.headroom
    ));
    for waiting in &status.waiting {
        text.push_str(&format!(
            "WAITS FOR A SECOND PERSON: `{}` of {}, lapses in {}\n",
            waiting.name,
            waiting.programme,
            length(waiting.until - now)
        ));
    }
    text.push_str("\nlimits, the tightest first:\n");
    for limit in &status.limits {
        text.push_str(&format!(
            "  {:>12}  {}{}{}\n",
            limit.level.to_string(),
            limit.by,
            if limit.best_effort { ", best effort" } else { "" },
            limit.until.map_or(String::new(), |until| format!(
                ", for another {}",
                length(until - now)
            )),
        ));
    }
    if !status.programmes.is_empty() {
        text.push_str("\nprogrammes:\n");
    }
    for programme in &status.programmes {
        let link = match (programme.lost_since, programme.silent_after_seconds) {
            (Some(since), _) => {
                format!("LINK LOST {}: {}", ago(now, since), programme.fail_safe)
            }
            (None, Some(after)) => format!(
                "link heard within {after} s; were it lost: {}",
                programme.fail_safe
            ),
            (None, None) => "speaks only when it has something to say".to_owned(),
        };
        let tripped = if programme.tripped { ", ITS LOADS ARE TRIPPED" } else { "" };
        text.push_str(&format!("  {}: {link}{tripped}\n", programme.name));
    }
    if !status.instructions.is_empty() {
        text.push_str("\ninstructions:\n");
    }
    for one in &status.instructions {
        text.push_str(&instruction(one, status));
    }
    text
}

fn instruction(one: &InstructionStatus, status: &Status) -> String {
    let now = status.at;
    let level = one.level.map_or(String::new(), |level| format!(" {level}"));
    let when = if now < one.start {
        format!(
            "starts in {}, for {}",
            length(one.start - now),
            length(one.end - one.start)
        )
    } else {
        format!("for another {}", length(one.end - now))
    };
    format!(
        "  `{}` of {}: {}{level}, {when}, known {}\n",
        one.name,
        one.programme,
        one.ask.replace('_', " "),
        ago(now, one.known_at)
    )
}
