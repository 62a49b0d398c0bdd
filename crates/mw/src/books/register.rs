//! The register on disk: a folder in which every event is a file of its own.
//!
//! An event's file is written whole under another name, made durable, and then linked
//! to the name of its place. A link to a name that is taken fails, so of two people who
//! act at once one is first, and the other is told what the first one did. A crash
//! leaves either no event or a whole one. Files are never written again.
//!
//! ```text
//! register/events/000001.json     chained: each names the hash of all before it
//! register/CAP-0001-1f0c….json    a document, by number and hash of its bytes
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use settle::contract::Hash;
use settle::documents::{Document, Event, Register, Step};
use settle::statement::Statement;
use units::Timestamp;

/// How often somebody else may be first before it is given up.
const TRIES_MAX: usize = 100;

/// The largest event that is read.
const EVENT_BYTES_MAX: u64 = 1 << 20;

/// A register's folder.
#[derive(Clone, Debug)]
pub struct RegisterFolder {
    folder: PathBuf,
}

/// How an attempt ended.
#[derive(Debug)]
pub enum Done {
    /// It is durable.
    Written,
    /// The register does not allow it, and why. Nothing was changed.
    Refused(settle::documents::Refusal),
}

impl RegisterFolder {
    /// A register in a folder, which need not be there yet.
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    fn events(&self) -> PathBuf {
        self.folder.join("events")
    }

    fn event(&self, place: u64) -> PathBuf {
        self.events().join(format!("{place:06}.json"))
    }

    /// Reads every event in order.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, an event that does not follow from the one before
    /// it, or one that is missing while a later one is there.
    pub fn read(&self) -> anyhow::Result<Register> {
        let mut register = Register::default();
        let mut places = Vec::new();
        if self.events().is_dir() {
            for entry in fs::read_dir(self.events())? {
                let name = entry?.file_name();
                let name = name.to_string_lossy();
                // A file under another name was not finished, and is no event.
                if let Some(place) = name.strip_suffix(".json").map(str::parse::<u64>) {
                    places.push(place.with_context(|| {
                        format!(
                            "{}: expected an event's number, found {name}",
                            self.place()
                        )
                    })?);
                }
            }
        }
        places.sort_unstable();
        for (before, place) in places.iter().enumerate() {
            let expected = before as u64 + 1;
            if *place != expected {
                bail!("{}: expected event {expected}, found {place}", self.place());
            }
            let event = self.read_event(*place)?;
            register.take(&event).with_context(|| {
                format!("{}: event {place} does not follow", self.place())
            })?;
        }
        Ok(register)
    }

    fn place(&self) -> String {
        self.folder.display().to_string()
    }

    fn read_event(&self, place: u64) -> anyhow::Result<Event> {
        let path = self.event(place);
        let name = path.display();
        let size =
            fs::metadata(&path).with_context(|| format!("cannot read {name}"))?.len();
        if size > EVENT_BYTES_MAX {
            bail!("{name}: expected at most {EVENT_BYTES_MAX} bytes, found {size}");
        }
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {name}"))?;
        let event: Event = serde_json::from_str(&text)
            .with_context(|| format!("{name}: expected an event"))?;
        // What is hashed is what is kept: another spelling is another event.
        if event.to_json() + "\n" != text {
            bail!("{name}: expected the event as it was written, found another spelling");
        }
        Ok(event)
    }

    /// Does something to a document, unless the register does not allow it.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read or written.
    pub fn act(
        &self,
        at: Timestamp,
        by: &str,
        number: &str,
        step: &Step,
    ) -> anyhow::Result<Done> {
        fs::create_dir_all(self.events())
            .with_context(|| format!("cannot make the folder {}", self.place()))?;
        for _ in 0..TRIES_MAX {
            let mut register = self.read()?;
            let event = register.event(at, by, number, step.clone());
            if let Err(refusal) = register.take(&event) {
                return Ok(Done::Refused(refusal));
            }
            if self.write(&event)? {
                return Ok(Done::Written);
            }
        }
        bail!("{}: others were first {TRIES_MAX} times; try again", self.place())
    }

    /// Writes an event at its place; false when another was first.
    fn write(&self, event: &Event) -> anyhow::Result<bool> {
        let path = self.event(event.place);
        let partial = self.events().join(format!(
            "{:06}.partial-{}-{:?}",
            event.place,
            std::process::id(),
            std::thread::current().id()
        ));
        write_durably(&partial, (event.to_json() + "\n").as_bytes())?;
        let linked = fs::hard_link(&partial, &path);
        fs::remove_file(&partial)?;
        match linked {
            Ok(()) => {
                File::open(self.events())?.sync_all()?;
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => {
                Err(error).with_context(|| format!("cannot write {}", path.display()))
            }
        }
    }

    /// Keeps a document's bytes, and says what the register calls it.
    ///
    /// # Errors
    ///
    /// When the folder cannot be written, or the statement is held.
    pub fn keep(&self, statement: &Statement) -> anyhow::Result<(String, Step)> {
        let number = statement
            .number
            .clone()
            .context("expected a statement with a number, found a held one")?;
        let bytes = statement.to_json() + "\n";
        let step = Step::draft(statement, bytes.as_bytes());
        fs::create_dir_all(&self.folder)
            .with_context(|| format!("cannot make the folder {}", self.place()))?;
        let path = self.document_file(&number, Hash::of(bytes.as_bytes()));
        if !path.exists() {
            let partial = path.with_extension(format!("partial-{}", std::process::id()));
            write_durably(&partial, bytes.as_bytes())?;
            fs::rename(&partial, &path)?;
            File::open(&self.folder)?.sync_all()?;
        }
        Ok((number, step))
    }

    fn document_file(&self, number: &str, sha256: Hash) -> PathBuf {
        let safe: String = number
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || "-._".contains(c) { c } else { '-' })
            .collect();
        self.folder.join(format!("{safe}-{}.json", &sha256.to_string()[..16]))
    }

    /// A document as it was kept.
    ///
    /// # Errors
    ///
    /// When its file is missing, or is not what was drafted.
    pub fn document(&self, document: &Document) -> anyhow::Result<Statement> {
        let path = self.document_file(&document.number, document.sha256);
        let name = path.display();
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {name}"))?;
        let found = Hash::of(text.as_bytes());
        if found != document.sha256 {
            bail!(
                "{name}: expected the bytes that were drafted, {}, found {found}",
                document.sha256
            );
        }
        Statement::from_json(&text)
            .with_context(|| format!("{name}: expected a statement"))
    }

    /// The statements of a contract that the customer has, in order.
    ///
    /// # Errors
    ///
    /// As [`RegisterFolder::document`].
    pub fn issued(
        &self,
        register: &Register,
        contract: &str,
    ) -> anyhow::Result<Vec<Statement>> {
        register.issued(contract).map(|document| self.document(document)).collect()
    }
}

fn write_durably(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let write = || -> std::io::Result<()> {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
