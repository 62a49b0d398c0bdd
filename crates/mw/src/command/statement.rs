//! `mw statement`: look at a statement, and check one from contract and facts alone.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use settle::settlement::{differences, statements};
use settle::statement::Statement as Document;

use super::Ending;
use super::backtest::print;
use crate::contract_files;
use crate::report::statement::page;

/// Look at a statement, and check one from contract and facts alone.
#[derive(Debug, Subcommand)]
pub(super) enum Statement {
    /// Show a statement on a page.
    Show(Show),
    /// Build a statement again from the contract and the facts alone, and compare.
    Verify(Verify),
}

/// Show a statement on a page.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// The statement's file, or a folder of statements or of a run.
    path: PathBuf,
    /// Of a folder: the statement's number or its month.
    which: Option<String>,
}

/// Build a statement again from the contract and the facts alone, and compare.
///
/// Facts that became known after the statement was made are left out, as they were
/// then. Exit code 3 where it differs.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// The statement's file, or a folder of statements or of a run, each of which is checked.
    path: PathBuf,
    /// The contract: its file, or a folder with the file of every version.
    #[arg(long)]
    contract: PathBuf,
    /// What happened: a file of facts, or the folder of a run that wrote one.
    #[arg(long, value_name = "FILE|RUN")]
    facts: PathBuf,
}

impl Statement {
    pub(super) fn run(self) -> anyhow::Result<Ending> {
        match self {
            Self::Show(command) => command.run(),
            Self::Verify(command) => command.run(),
        }
    }
}

impl Show {
    fn run(self) -> anyhow::Result<Ending> {
        let mut found = read(&self.path)?;
        if let Some(which) = &self.which {
            let is_meant = |one: &Document| {
                one.number.as_deref() == Some(which) || one.period.to_string() == *which
            };
            found.retain(is_meant);
            if found.is_empty() {
                bail!(
                    "{} has no statement {which}: expected a number such as {}, or a month \
                     such as 2026-05",
                    self.path.display(),
                    "CAP-2026-001-0002"
                );
            }
        }
        let pages: Vec<String> = found.iter().map(page).collect();
        print(&pages.join("\n\n"))?;
        Ok(Ending::Well)
    }
}

impl Verify {
    fn run(self) -> anyhow::Result<Ending> {
        let documents = read(&self.path)?;
        let versions = contract_files::versions(&self.contract)?;
        let facts = contract_files::facts(&self.facts)?;
        let last = documents.iter().map(|one| one.as_of).max().expect("read finds one");
        let built = statements(&versions, &facts, last);
        let mut ending = Ending::Well;
        for document in &documents {
            let name = document.number.clone().unwrap_or_else(|| "held".to_owned());
            let before: Vec<Document> = built
                .iter()
                .filter(|one| one.period < document.period)
                .cloned()
                .collect();
            let found = differences(&versions, &facts, &before, document);
            if found.is_empty() {
                print(&format!(
                    "{name} {}: as contract and facts say\n",
                    document.period
                ))?;
                continue;
            }
            ending = Ending::Differs;
            print(&format!("{name} {}: differs\n", document.period))?;
            for difference in found {
                print(&format!("  {difference}\n"))?;
            }
        }
        Ok(ending)
    }
}

/// The statements in a file or a folder, in the order of their months.
fn read(path: &Path) -> anyhow::Result<Vec<Document>> {
    let mut files = vec![path.to_owned()];
    if path.is_dir() {
        files.clear();
        // A run keeps its statements in a folder of their own.
        let inside = path.join(contract_files::STATEMENTS);
        let folder = if inside.is_dir() { inside } else { path.to_owned() };
        let entries = fs::read_dir(&folder)
            .with_context(|| format!("cannot read the folder {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                files.push(path);
            }
        }
    }
    let mut documents = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file)
            .with_context(|| format!("cannot read {}", file.display()))?;
        let document = Document::from_json(&text).with_context(|| {
            format!("{}: expected a statement that `mw settle` wrote", file.display())
        })?;
        documents.push(document);
    }
    if documents.is_empty() {
        bail!(
            "{} has no statements: expected files of `mw settle --out`, or the folder of \
             a run whose racks serve a contract",
            path.display()
        );
    }
    documents.sort_by_key(|one| (one.period, one.revision));
    Ok(documents)
}
