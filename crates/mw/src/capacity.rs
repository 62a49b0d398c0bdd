//! An estate kept as files: a record of events, a drop folder, signed evidence.
//!
//! ```text
//! DIR/estate.log      a line for each event: the chain up to it, a space, the event
//! DIR/results/RACK/   what the tools wrote, before it is judged
//! DIR/bundles/        the signed evidence of every acceptance
//! DIR/key             what signs it; its owner's alone
//! ```
//!
//! Invariant: the record is only added to, whole events at a time, and each was taken
//! in by the estate before it was written.

pub mod beside;
pub mod facts;
pub mod own;
pub mod stake;

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use engine::capacity::{Estate, Event, NewFact, Output};
use settle::contract::Hash;
use units::Timestamp;

/// The record's name in its folder.
pub const LOG: &str = "estate.log";

/// The events of a folder's record, for a run to take over at `now`.
///
/// # Errors
///
/// As [`Record::open`], and where the record goes on after `now`.
pub fn events_by(folder: &Path, now: Timestamp) -> anyhow::Result<Vec<Event>> {
    let record = Record::open(folder)?;
    let last = record.estate.known();
    if last > now {
        bail!(
            "{}: expected events by {now}, the site's time, found one of {last}",
            record.path.display()
        );
    }
    Ok(record.events)
}

/// An estate and the record it was folded from.
#[derive(Debug)]
pub struct Record {
    file: File,
    path: PathBuf,
    /// The estate as it is.
    pub estate: Estate,
    /// The events, in order.
    pub events: Vec<Event>,
    /// Every fact that followed, in order.
    pub facts: Vec<NewFact>,
    /// What a person should have seen, in order.
    pub notices: Vec<String>,
    /// The chain over all events.
    pub chain: Hash,
}

impl Record {
    /// Reads the record of a folder and folds it.
    ///
    /// # Errors
    ///
    /// A record that cannot be read, whose chain is broken, or that holds an event
    /// which the estate refuses: with its line.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        if !folder.join(LOG).is_file() {
            bail!(
                "expected the folder of an estate of racks, found no {LOG} in {}; name the \
                 folder that `mw capacity add` writes to, or begin one with `mw capacity \
                 add {} EVENTS`",
                folder.display(),
                folder.display()
            );
        }
        Self::read(folder, OpenOptions::new().read(true))
    }

    /// Reads the record of a folder to add to it; nobody else can meanwhile. A folder
    /// without one gets an empty one.
    ///
    /// # Errors
    ///
    /// As [`Record::open`], and when the folder cannot be written.
    pub fn open_to_add(folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        Self::read(folder, &options)
    }

    fn read(folder: &Path, options: &OpenOptions) -> anyhow::Result<Self> {
        let path = folder.join(LOG);
        let mut file = options
            .open(&path)
            .with_context(|| format!("cannot open the record {}", path.display()))?;
        file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
        let mut text = String::new();
        file.read_to_string(&mut text)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let mut record = Self {
            file,
            path,
            estate: Estate::default(),
            events: Vec::new(),
            facts: Vec::new(),
            notices: Vec::new(),
            chain: Hash::start(),
        };
        if !text.is_empty() && !text.ends_with('\n') {
            bail!(
                "{}: expected a whole last line, found it cut off; restore it from a copy",
                record.path.display()
            );
        }
        for (place, line) in text.lines().enumerate() {
            record.take_line(line).with_context(|| {
                format!("{}, line {}", record.path.display(), place + 1)
            })?;
        }
        Ok(record)
    }

    fn take_line(&mut self, line: &str) -> anyhow::Result<()> {
        let (chain, event) = line
            .split_once(' ')
            .context("expected a chain value, a space and an event, found no space")?;
        let expected = self.chain.chained(event.as_bytes());
        if Hash::parse(chain) != Some(expected) {
            bail!("expected the chain {expected}, found {chain}: a line was altered");
        }
        let event: Event = serde_json::from_str(event).context("expected an event")?;
        let outputs = self.estate.refold(&event)?;
        self.keep(&event, &outputs);
        self.chain = expected;
        Ok(())
    }

    fn fold(&mut self, event: &Event) -> anyhow::Result<Vec<Output>> {
        let outputs = self.estate.fold(event)?;
        self.keep(event, &outputs);
        Ok(outputs)
    }

    fn keep(&mut self, event: &Event, outputs: &[Output]) {
        self.events.push(event.clone());
        for output in outputs {
            match output {
                Output::Fact(fact) => self.facts.push(fact.clone()),
                Output::Notice { text, .. } => self.notices.push(text.clone()),
                Output::Order { .. } | Output::Moved { .. } | Output::Told { .. } => {}
            }
        }
    }

    /// Takes in events and keeps them: all of them or, if one is refused, none.
    ///
    /// # Errors
    ///
    /// What the estate refuses, with the event's place from 1; or a disk that does not
    /// take them. After an error this value is spent: open the record anew.
    pub fn add(&mut self, events: &[Event]) -> anyhow::Result<Vec<Output>> {
        let mut lines = String::new();
        let mut all = Vec::new();
        for (place, event) in events.iter().enumerate() {
            let outputs =
                self.fold(event).with_context(|| format!("event {}", place + 1))?;
            all.extend(outputs);
            let text = serde_json::to_string(event).context("cannot write an event")?;
            self.chain = self.chain.chained(text.as_bytes());
            lines += &format!("{} {text}\n", self.chain);
        }
        self.file
            .write_all(lines.as_bytes())
            .and_then(|()| self.file.sync_all())
            .with_context(|| format!("cannot add to {}", self.path.display()))?;
        Ok(all)
    }
}
