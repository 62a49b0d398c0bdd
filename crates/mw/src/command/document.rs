//! `mw document`: a contract's statements from draft to issue, each step by somebody.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};
use settle::contract::Hash;
use settle::documents::{State, Step};
use settle::settlement::Settlement;
use settle::statement::Statement;
use units::Timestamp;

use super::Ending;
use super::backtest::print;
use crate::books::register::{Done, RegisterFolder};
use crate::contract_files;
use crate::live::clock::Clock;
use crate::report::statement::page;

/// Draft, approve and issue a contract's statements, and dispute them.
///
/// A register is a folder in which every step is a file that is never written again.
/// Of two people who act at once one is first, and the other is told so: exit code 3.
#[derive(Debug, Subcommand)]
pub(super) enum Document {
    /// Draft the next statement that is due, from the facts known.
    Draft(Draft),
    /// Approve a draft, as a second person.
    Approve(Approve),
    /// Issue what was approved.
    Issue(OnDocument),
    /// Take a draft back, which frees its number.
    Withdraw(WithReason),
    /// Say that an issued statement is wrong; a later one corrects it.
    Dispute(WithReason),
    /// End a dispute without a correction.
    Dismiss(WithReason),
    /// List every document and where it is, or show one.
    Show(Show),
}

/// Draft the next statement that is due, from the facts known.
#[derive(Debug, Args)]
pub(super) struct Draft {
    /// The contract: its file, or a folder with the file of every version.
    contract: PathBuf,
    /// What happened: a file of facts, or the folder of a run that wrote one.
    #[arg(long, value_name = "FILE|RUN")]
    facts: PathBuf,
    #[command(flatten)]
    act: Act,
    /// What became known later is left out; now unless given.
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    as_of: Option<Timestamp>,
}

/// Where the register is, and who acts.
#[derive(Debug, Args)]
pub(super) struct Act {
    /// The register's folder; made with the first draft.
    #[arg(long, value_name = "DIR")]
    register: PathBuf,
    /// Who does it.
    #[arg(long, value_name = "NAME")]
    by: String,
}

/// Approve a draft, as a second person.
#[derive(Debug, Args)]
pub(super) struct Approve {
    #[command(flatten)]
    on: OnDocument,
    /// The hash of what was seen; of what is drafted unless given.
    #[arg(long, value_name = "SHA256")]
    seen: Option<String>,
}

/// A document, and who acts on it.
#[derive(Debug, Args)]
pub(super) struct OnDocument {
    /// The document's number.
    number: String,
    #[command(flatten)]
    act: Act,
}

/// A document, who acts on it, and why.
#[derive(Debug, Args)]
pub(super) struct WithReason {
    #[command(flatten)]
    on: OnDocument,
    /// Why.
    #[arg(long)]
    why: String,
}

/// List every document and where it is, or show one.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// The register's folder.
    #[arg(long, value_name = "DIR")]
    register: PathBuf,
    /// A document's number: its statement on a page.
    number: Option<String>,
}

impl Document {
    pub(super) fn run(self) -> anyhow::Result<Ending> {
        match self {
            Self::Draft(command) => command.run(),
            Self::Approve(command) => command.run(),
            Self::Issue(command) => command.act(&Step::Issue),
            Self::Withdraw(command) => {
                let why = command.why.clone();
                command.on.act(&Step::Withdraw { why })
            }
            Self::Dispute(command) => {
                let why = command.why.clone();
                command.on.act(&Step::Dispute { why })
            }
            Self::Dismiss(command) => {
                let why = command.why.clone();
                command.on.act(&Step::Dismiss { why })
            }
            Self::Show(command) => command.run(),
        }
    }
}

impl Act {
    /// Does a step, and says where the document is then.
    fn step(&self, number: &str, step: &Step) -> anyhow::Result<Ending> {
        let folder = RegisterFolder::at(&self.register);
        match folder.act(Clock::wall().now(), &self.by, number, step)? {
            Done::Written => {
                let register = folder.read()?;
                let document =
                    register.document(number).context("it was just written")?;
                print(&format!("{number}: {}\n", document.state))?;
                Ok(Ending::Well)
            }
            Done::Refused(why) => {
                eprintln!("refused: {why}");
                Ok(Ending::Refused)
            }
        }
    }
}

impl OnDocument {
    fn act(&self, step: &Step) -> anyhow::Result<Ending> {
        self.act.step(&self.number, step)
    }
}

impl Draft {
    fn run(self) -> anyhow::Result<Ending> {
        let versions = contract_files::versions(&self.contract)?;
        let facts = contract_files::facts(&self.facts)?;
        let as_of = self.as_of.unwrap_or_else(|| Clock::wall().now());
        let folder = RegisterFolder::at(&self.act.register);
        let register = folder.read()?;
        let issued = folder.issued(&register, &versions.first().id)?;
        let statement = next(versions, facts, &issued, as_of);
        if statement.is_held() {
            print(&page(&statement))?;
            return Ok(Ending::Wrong);
        }
        let (number, step) = folder.keep(&statement)?;
        self.act.step(&number, &step)
    }
}

/// The statement after those issued, from the facts known by `as_of`.
fn next(
    versions: settle::contract::Versions,
    facts: settle::facts::Facts,
    issued: &[Statement],
    as_of: Timestamp,
) -> Statement {
    let period = match issued.last() {
        Some(last) => last.period.next(),
        None => {
            let first = settle::settlement::statements(&versions, &facts, as_of);
            first.first().map_or_else(
                || versions.first().first_delivery().period(),
                |statement| statement.period,
            )
        }
    };
    let mut settlement = Settlement::new(versions, facts);
    for statement in issued {
        settlement.issue(statement);
    }
    settlement.statement(period, as_of)
}

impl Approve {
    fn run(self) -> anyhow::Result<Ending> {
        let folder = RegisterFolder::at(&self.on.act.register);
        let sha256 = match &self.seen {
            Some(text) => Hash::parse(text).with_context(|| {
                format!("--seen: expected 64 hexadecimal digits, found `{text}`")
            })?,
            None => {
                let register = folder.read()?;
                let known = register.document(&self.on.number);
                known.map_or(Hash::start(), |document| document.sha256)
            }
        };
        self.on.act(&Step::Approve { sha256 })
    }
}

impl Show {
    fn run(self) -> anyhow::Result<Ending> {
        let folder = RegisterFolder::at(&self.register);
        let register = folder.read()?;
        if let Some(number) = &self.number {
            let document = register.document(number).with_context(|| {
                format!(
                    "{}: expected the number of a document, found {number}",
                    self.register.display()
                )
            })?;
            let statement = folder.document(document)?;
            print(&format!("{number}: {}, {}\n\n", document.state, document.sha256))?;
            print(&page(&statement))?;
            return Ok(Ending::Well);
        }
        let mut text = String::new();
        for document in register.documents() {
            let open =
                matches!(document.state, State::Draft { .. } | State::Approved { .. });
            let seen =
                if open { format!(", {}", document.sha256) } else { String::new() };
            text.push_str(&format!(
                "{} of {}: {}{seen}\n",
                document.number, document.period, document.state
            ));
        }
        if text.is_empty() {
            text.push_str("nothing was drafted\n");
        }
        print(&text)?;
        Ok(Ending::Well)
    }
}
