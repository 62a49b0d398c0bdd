//! `mw settle`: what a contract's facts come to, month by month.

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use settle::contract::Versions;
use settle::facts::Facts;
use settle::settlement::statements;
use settle::statement::Statement;
use units::Timestamp;

use super::Ending;
use super::backtest::print;
use crate::contract_files;
use crate::report::statement::overview;
use crate::run_folder::RunFolder;

/// Settle a contract: every statement that is due, from the facts known at its cut.
///
/// Facts that came later are billed as corrections on the next statement. A month
/// about which something has to be decided first is held, with the reason, and so
/// are the months after it: exit code 1. Contract files and facts are described in
/// the reference.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("given").args(["facts", "synth"]).required(true))]
pub(super) struct Settle {
    /// The contract: its file, or a folder with the file of every version.
    contract: PathBuf,
    /// What happened: a file of facts, or the folder of a run that wrote one.
    #[arg(long, value_name = "FILE|RUN")]
    facts: Option<PathBuf>,
    /// Make the facts of the whole term up, from a seed.
    #[arg(long, value_name = "SEED")]
    synth: Option<u64>,
    /// Settle what is due by this instant; now, or the last fact where that is later.
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    as_of: Option<Timestamp>,
    /// A folder to make, with each statement as JSON and the facts.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print the statements as JSON.
    #[arg(long)]
    json: bool,
}

impl Settle {
    pub(super) fn run(self) -> anyhow::Result<Ending> {
        let versions = contract_files::versions(&self.contract)?;
        let folder = self.out.as_deref().map(RunFolder::create).transpose()?;
        let (facts, text) = self.facts(&versions)?;
        let as_of =
            self.as_of.unwrap_or_else(|| contract_files::due_by(&versions, &facts));
        let made = statements(&versions, &facts, as_of);
        if let Some(folder) = folder {
            for one in made.iter().filter(|one| !one.is_held()) {
                folder.write(&file_name(one, "json"), &(one.to_json() + "\n"))?;
            }
            folder.write(contract_files::FACTS, &text)?;
            folder.keep()?;
        }
        if self.json {
            print(&(serde_json::to_string_pretty(&made)? + "\n"))?;
        } else {
            print(&overview(&made))?;
        }
        let held = made.iter().any(Statement::is_held);
        Ok(if held { Ending::Wrong } else { Ending::Well })
    }

    /// The facts and their text.
    fn facts(&self, versions: &Versions) -> anyhow::Result<(Facts, String)> {
        match (&self.facts, self.synth) {
            (Some(path), _) => contract_files::facts_and_text(path),
            (None, seed) => contract_files::made_up(versions, seed.unwrap_or_default()),
        }
    }
}

/// What a statement's file is called: its number, with a dash for what may not stand in
/// a file's name.
pub(super) fn file_name(statement: &Statement, ending: &str) -> String {
    let number = statement.number.as_deref().unwrap_or("held");
    let safe = |c: char| if c.is_alphanumeric() || "-._".contains(c) { c } else { '-' };
    format!("{}.{ending}", number.chars().map(safe).collect::<String>())
}
