//! What is wrong with a site file: where, what was expected, what was found, what to do.

use std::fmt;
use std::path::{Path, PathBuf};

/// Everything found wrong with one site file; at least one problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteErrors {
    path: PathBuf,
    problems: Vec<Problem>,
    /// How many more were found than are kept.
    more: usize,
}

/// One thing wrong with a site file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line and column, from 1; `None` when it is about the file as a whole.
    pub place: Option<(usize, usize)>,
    /// The key, with the tables it is in, such as `rigs[2].count`; empty when it
    /// is about the file as a whole.
    pub key: String,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
    /// What to do about it; empty when the rest says it.
    pub remedy: String,
}

impl SiteErrors {
    /// One problem with a file as a whole.
    pub(super) fn whole_file(
        path: &Path,
        expected: impl Into<String>,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            path: path.to_owned(),
            problems: vec![Problem {
                place: None,
                key: String::new(),
                expected: expected.into(),
                found: found.into(),
                remedy: remedy.into(),
            }],
            more: 0,
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The problems, in the order of their lines; the first thousand found.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "expected {}, found {}", self.expected, self.found)?;
        if !self.remedy.is_empty() {
            write!(f, "; {}", self.remedy)?;
        }
        Ok(())
    }
}

/// How many problems are printed; the rest are counted.
const PRINTED: usize = 50;

/// How many problems are kept; the rest are counted.
const KEPT: usize = 1_000;

impl fmt::Display for SiteErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.problems.iter().take(PRINTED).enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}:", self.path.display())?;
            if let Some((line, column)) = problem.place {
                write!(f, "{line}:{column}:")?;
            }
            write!(f, " {problem}")?;
        }
        match self.problems.len().saturating_sub(PRINTED) + self.more {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

impl std::error::Error for SiteErrors {}

/// Problems and warnings as they are found.
pub(super) struct Findings<'t> {
    text: &'t str,
    /// Where each line starts.
    lines: Vec<usize>,
    problems: Vec<(usize, Problem)>,
    more: usize,
    warnings: Vec<(usize, String)>,
}

impl<'t> Findings<'t> {
    /// Nothing found yet in `text`.
    pub(super) fn new(text: &'t str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self {
            text,
            lines: std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect(),
            problems: Vec::new(),
            more: 0,
            warnings: Vec::new(),
        }
    }

    /// The file as read.
    pub(super) fn text(&self) -> &'t str {
        self.text
    }

    /// Notes a problem at byte `at` of the text.
    pub(super) fn problem(
        &mut self,
        at: usize,
        key: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        if self.problems.len() == KEPT {
            self.more += 1;
            return;
        }
        let problem = Problem {
            place: Some(self.place_of(at)),
            key: key.into(),
            expected: expected.into(),
            found: found.into(),
            remedy: remedy.into(),
        };
        self.problems.push((at, problem));
    }

    /// Notes something a person should look at, that is not wrong.
    pub(super) fn warning(&mut self, at: usize, key: &str, text: impl fmt::Display) {
        let (line, _) = self.place_of(at);
        self.warnings.push((at, format!("line {line}: {key}: {text}")));
    }

    /// Whether nothing is wrong so far.
    pub(super) fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    /// The warnings when nothing is wrong, otherwise all that is; by line.
    pub(super) fn finish(mut self, path: &Path) -> Result<Vec<String>, SiteErrors> {
        if self.problems.is_empty() {
            self.warnings.sort_by_key(|(at, _)| *at);
            return Ok(self.warnings.into_iter().map(|(_, text)| text).collect());
        }
        self.problems.sort_by_key(|(at, _)| *at);
        Err(SiteErrors {
            path: path.to_owned(),
            problems: self.problems.into_iter().map(|(_, problem)| problem).collect(),
            more: self.more,
        })
    }

    fn place_of(&self, at: usize) -> (usize, usize) {
        let line = self.lines.partition_point(|start| *start <= at);
        let start = self.lines[line - 1];
        let before = self.text.get(start..at).unwrap_or_default();
        (line, 1 + before.chars().count())
    }
}
