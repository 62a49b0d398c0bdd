//! A contract and the facts about it, as files.
//!
//! Invariant: nothing of a broken file comes out; every problem names its file,
//! line and key.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use settle::contract::{Contract, Versions};
use settle::facts::{Body, Facts};
use settle::settlement::cut;
use units::Timestamp;

use crate::live::clock::Clock;

/// The facts' name in a run's folder.
pub const FACTS: &str = "facts.jsonl";

/// The folder of statements in a run's folder.
pub const STATEMENTS: &str = "statements";

/// The largest file that is read. Chosen: facts of ten years at a large site stay
/// below a tenth of it.
const BYTES_MAX: u64 = 2 << 30;

/// Reads a contract: its file, or a folder with the file of every version.
///
/// # Errors
///
/// Everything that is wrong with the files, and versions that do not amend one
/// another.
pub fn versions(path: &Path) -> anyhow::Result<Versions> {
    let mut files = vec![path.to_owned()];
    if path.is_dir() {
        files = toml_files(path)?;
    }
    let mut contracts = Vec::new();
    let mut problems = String::new();
    for file in &files {
        match Contract::read(&text(file)?) {
            Ok(contract) => contracts.push(contract),
            Err(found) => problems += &found.in_file(&file.display().to_string()),
        }
    }
    if !problems.is_empty() {
        bail!("{}", problems.trim_end());
    }
    Versions::chain(contracts).map_err(|found| {
        anyhow::anyhow!("{}", found.in_file(&path.display().to_string()).trim_end())
    })
}

/// Everything that is known and due. Facts may be of an imagined future: then it is
/// every month of the term.
pub fn due_by(versions: &Versions, facts: &Facts) -> Timestamp {
    let now = Clock::wall().now();
    let last = facts.all().last().map_or(now, |fact| fact.known_at);
    if last <= now {
        return now;
    }
    let contract = versions.first();
    let ends = facts.all().iter().filter_map(|fact| {
        let Body::Acceptance(accepted) = &fact.body else { return None };
        let tranche = contract.tranche(&accepted.tranche)?;
        let ours = accepted.contract == contract.id;
        ours.then(|| contract.zone.months_after(fact.valid_from, tranche.months))
    });
    let due = ends.map(|end| cut(contract, contract.zone.period(end))).max();
    last.max(due.unwrap_or(last))
}

/// The facts of the whole term of a contract, made up from a seed, and their text.
///
/// # Errors
///
/// When they cannot be read again; that is a fault of ours.
pub fn made_up(versions: &Versions, seed: u64) -> anyhow::Result<(Facts, String)> {
    let pace = sim::tenancy::Pace::default();
    let text = sim::tenancy::term(versions.first(), seed, pace);
    let facts = Facts::read(&text).map_err(|problems| {
        anyhow::anyhow!("made-up facts cannot be read: {problems}")
    })?;
    Ok((facts, text))
}

/// Reads facts: their file, or the folder of a run that wrote them.
///
/// # Errors
///
/// Every line that cannot be read as a fact.
pub fn facts(path: &Path) -> anyhow::Result<Facts> {
    facts_and_text(path).map(|(facts, _)| facts)
}

/// The same, and the text they were read from.
///
/// # Errors
///
/// As [`facts`].
pub fn facts_and_text(path: &Path) -> anyhow::Result<(Facts, String)> {
    let (file, text) = facts_text(path)?;
    let facts = Facts::read(&text).map_err(|found| {
        anyhow::anyhow!("{}", found.in_file(&file.display().to_string()).trim_end())
    })?;
    Ok((facts, text))
}

/// The lines of a file of facts that were known by `at`, and how many became known
/// later.
///
/// # Errors
///
/// As [`facts`].
pub fn facts_known_by(path: &Path, at: Timestamp) -> anyhow::Result<(String, usize)> {
    let (known, text) = facts_and_text(path)?;
    let count = known.known_by(at).len();
    let lines = text.lines().filter(|line| !line.trim().is_empty()).take(count);
    Ok((lines.map(|line| format!("{line}\n")).collect(), known.all().len() - count))
}

/// The file of facts at a path, and its text.
fn facts_text(path: &Path) -> anyhow::Result<(PathBuf, String)> {
    let file = if path.is_dir() { path.join(FACTS) } else { path.to_owned() };
    if path.is_dir() && !file.exists() {
        bail!(
            "{} has no {FACTS}: a run writes it when a load of its site names a contract; \
             name the file of facts instead",
            path.display()
        );
    }
    let text = text(&file)?;
    Ok((file, text))
}

/// The contract's versions in a folder; a site's own file is none.
fn toml_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)
        .with_context(|| format!("cannot read the folder {}", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let is_toml = path.extension().is_some_and(|extension| extension == "toml");
        let is_site = path.file_name().is_some_and(|name| name == "site.toml");
        if is_toml && !is_site {
            files.push(path);
        }
    }
    if files.is_empty() {
        bail!(
            "{} has no contract: expected a .toml file for each version of one",
            folder.display()
        );
    }
    files.sort();
    Ok(files)
}

fn text(path: &Path) -> anyhow::Result<String> {
    let cannot = || format!("cannot read {}", path.display());
    let size = fs::metadata(path).with_context(cannot)?.len();
    if size > BYTES_MAX {
        bail!("{} has {size} bytes; expected at most {BYTES_MAX}", path.display());
    }
    fs::read_to_string(path).with_context(cannot)
}
