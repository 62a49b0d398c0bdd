//! `cargo xtask tidy`: the rules of the repository that no compiler knows.
//!
//! Each rule reads the tracked files and lists what breaks it, with file, line
//! and what to do. The same rules run as an ordinary test.

mod laws;
mod lints;
mod pages;
mod sources;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::shell::{program, quietly, root};

/// One thing that breaks a rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    /// Counted from 1; 0 is the file as a whole.
    line: usize,
    what: String,
}

/// The tracked text files, and those not tracked yet that git does not ignore.
struct Tree {
    root: PathBuf,
    files: Vec<Text>,
}

/// One file.
struct Text {
    /// From the root, with `/`.
    path: String,
    text: String,
}

/// The rules, each of which lists what breaks it.
const RULES: &[fn(&Tree) -> Vec<Finding>] = &[
    laws::dependencies,
    laws::crates_are_described,
    lints::clippy_files_agree,
    sources::first_lines,
    sources::forgotten_modules,
    sources::one_test_binary,
    sources::leftovers,
    sources::banned_words,
    sources::floats,
    sources::hash_order,
    sources::outside_places,
    pages::fixtures_name_their_source,
    pages::links_lead_somewhere,
];

/// Longer files are worth a look: does it still have one subject?
const LONG: usize = 1_200;

/// Checks every rule and prints what breaks them.
pub(crate) fn run() -> Result<()> {
    println!("\n$ cargo xtask tidy");
    let tree = Tree::read(root())?;
    for (path, lines) in tree.long_files() {
        println!("note: {path} has {lines} lines; does it still have one subject?");
    }
    let findings = tree.findings();
    for Finding { path, line, what } in &findings {
        println!("{path}:{line}: {what}");
    }
    if !findings.is_empty() {
        bail!("expected a tidy repository, found {} things to mend", findings.len());
    }
    println!("tidy: {} files", tree.files.len());
    Ok(())
}

impl Finding {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into() }
    }
}

impl Tree {
    fn read(root: PathBuf) -> Result<Self> {
        let list = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
        let listed = quietly(&mut program("git", &list))
            .context("expected a git work tree, found that `git ls-files` fails")?;
        let mut paths: Vec<&str> = listed.split_terminator('\0').collect();
        paths.sort_unstable();
        paths.dedup();
        let files =
            paths.into_iter().filter_map(|path| Text::read(&root, path)).collect();
        Ok(Self { root, files })
    }

    fn findings(&self) -> Vec<Finding> {
        let mut findings: Vec<Finding> =
            RULES.iter().flat_map(|rule| rule(self)).collect();
        findings.sort();
        findings
    }

    fn long_files(&self) -> impl Iterator<Item = (&str, usize)> {
        self.rust()
            .map(|file| (file.path.as_str(), file.text.lines().count()))
            .filter(|(_, lines)| *lines > LONG)
    }

    fn rust(&self) -> impl Iterator<Item = &Text> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }

    fn markdown(&self) -> impl Iterator<Item = &Text> {
        self.files.iter().filter(|file| file.path.ends_with(".md"))
    }

    fn file(&self, path: &str) -> Option<&Text> {
        self.files.iter().find(|file| file.path == path)
    }
}

impl Text {
    /// Nothing for what is not text, or was deleted and not yet committed so.
    fn read(root: &Path, path: &str) -> Option<Self> {
        let text = std::fs::read_to_string(root.join(path)).ok()?;
        Some(Self { path: path.to_owned(), text })
    }

    fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// Lines with their numbers, from 1.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(at, line)| (at + 1, line))
    }

    /// Whether it belongs to one of these crates.
    fn is_of(&self, crates: &[&str]) -> bool {
        self.path
            .strip_prefix("crates/")
            .and_then(|rest| rest.split('/').next())
            .is_some_and(|name| crates.contains(&name))
    }
}

#[cfg(test)]
impl Tree {
    /// A made-up repository.
    fn of(files: &[(&str, &str)]) -> Self {
        let file = |(path, text): &(&str, &str)| Text {
            path: (*path).to_owned(),
            text: (*text).to_owned(),
        };
        Self { root: root(), files: files.iter().map(file).collect() }
    }
}

/// Checks one rule on a made-up repository: which lines it finds fault with.
#[cfg(test)]
fn check(rule: fn(&Tree) -> Vec<Finding>, files: &[(&str, &str)], expected: &[&str]) {
    let mut findings = rule(&Tree::of(files));
    findings.sort();
    let found: Vec<String> =
        findings.iter().map(|found| format!("{}:{}", found.path, found.line)).collect();
    assert_eq!(found, expected, "{findings:#?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_keeps_its_rules() {
        let tree = Tree::read(root()).expect("a git work tree");
        assert!(tree.files.len() > 20, "found only {} files", tree.files.len());
        let findings = tree.findings();
        assert!(findings.is_empty(), "{findings:#?}");
    }
}
