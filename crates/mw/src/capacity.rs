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
pub mod grounds;
pub mod judging;
pub mod own;
pub mod stake;

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use engine::capacity::{Body, Estate, Event, NewFact, Output, RackNo, TrayNo};
use serde_json::Value;
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
        let record = Self::read(folder, OpenOptions::new().read(true))?;
        if record.events.is_empty() {
            bail!(
                "expected the record of an estate of racks, found {} empty; begin it with \
                 `mw capacity add {} EVENTS`",
                record.path.display(),
                folder.display()
            );
        }
        Ok(record)
    }

    /// Reads the record of a folder that has one, to add to it; nobody else can
    /// meanwhile.
    ///
    /// # Errors
    ///
    /// As [`Record::open`].
    pub fn open_to_go_on(folder: &Path) -> anyhow::Result<Self> {
        // What is not there is not begun by it.
        drop(Self::open(folder)?);
        Self::open_to_add(folder)
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

    /// Takes in events and keeps them: all of them or, if one is refused, none. Where an
    /// event is from, `place` says.
    ///
    /// # Errors
    ///
    /// What the estate refuses, with the event's place and what it is about; or a disk
    /// that does not take them. After an error this value is spent: open the record
    /// anew. A record that was empty is not left behind.
    pub fn add(
        &mut self,
        events: &[Event],
        place: &dyn Fn(usize) -> String,
    ) -> anyhow::Result<Vec<Output>> {
        let begun = !self.events.is_empty();
        let added = self.add_all(events, place);
        if added.is_err() && !begun {
            drop(std::fs::remove_file(&self.path));
        }
        added
    }

    fn add_all(
        &mut self,
        events: &[Event],
        place: &dyn Fn(usize) -> String,
    ) -> anyhow::Result<Vec<Output>> {
        let mut lines = String::new();
        let mut all = Vec::new();
        for (number, event) in events.iter().enumerate() {
            let about = about(&self.estate, &event.body);
            let outputs = self
                .fold(event)
                .with_context(|| format!("{}: {about}", place(number)))?;
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

/// What an event is about, in names: `cordon of R1.t03`.
fn about(estate: &Estate, body: &Body) -> String {
    let Ok(value) = serde_json::to_value(body) else { return "an event".to_owned() };
    let Some((kind, of)) = value.as_object().and_then(|body| body.iter().next()) else {
        return value.as_str().unwrap_or("an event").to_owned();
    };
    let number = |of: &Value| of.as_u64().and_then(|number| u32::try_from(number).ok());
    let rack = |of: &Value| {
        let number = number(of)?;
        let known = (number as usize) < estate.racks().len();
        known.then(|| estate.rack(RackNo(number)).name.clone())
    };
    let tray = |of: &Value| {
        let number = number(of)?;
        let known = (number as usize) < estate.trays().len();
        known.then(|| estate.slot_name(TrayNo(number)))
    };
    let mut names = Vec::new();
    for key in ["tray", "out", "into"] {
        names.extend(tray(&of[key]));
    }
    for listed in [&of["trays"], &of["spares"]] {
        names.extend(listed.as_array().into_iter().flatten().filter_map(tray));
    }
    names.extend(rack(&of["rack"]));
    for block in of["blocks"].as_array().into_iter().flatten() {
        names.extend(rack(&block["rack"]));
    }
    names.extend(number(&of["block"]).map(|block| format!("block {block}")));
    for key in ["id", "name", "incident"] {
        names.extend(of[key].as_str().map(str::to_owned));
    }
    names.truncate(NAMES_MAX);
    match names.is_empty() {
        true => kind.clone(),
        false => format!("{kind} of {}", names.join(", ")),
    }
}

/// Names of what an event is about that are said; it may be a whole hall.
const NAMES_MAX: usize = 6;
