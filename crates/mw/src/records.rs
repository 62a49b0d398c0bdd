//! A run's record, wherever it is kept: one door to a journal file and to a store.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use adapters::store::{Access, Kind, Store, StoreAddress};
use anyhow::{Context, bail};
use engine::journal::{Head, Step};
use tokio::runtime::Runtime;
use units::Timestamp;

use crate::journal::Reader;
use crate::live::journal::{read_head, step_of};
use crate::run_folder::JOURNAL;

/// A live run's store, in its data folder.
pub const STORE: &str = "journal.sqlite";

/// The key that signs a live run's checkpoints, in its data folder.
pub const KEY: &str = "key";

/// What every SQLite file begins with.
const SQLITE_MAGIC: &[u8] = b"SQLite format 3\0";

/// Where a run's record is.
#[derive(Clone, Debug)]
pub enum Place {
    /// A journal file, as a backtest leaves it.
    File(PathBuf),
    /// A store, as a live run keeps it.
    Store(StoreAddress),
}

impl Place {
    /// Finds the record of a run: its folder, its journal file, its store's file, or
    /// the address of a store.
    pub fn of(run: &str) -> anyhow::Result<Self> {
        if run.contains("://") || run.starts_with("sqlite:") {
            return Ok(Self::Store(address_of(run)?));
        }
        let path = Path::new(run);
        if path.is_dir() {
            let (store, file) = (path.join(STORE), path.join(JOURNAL));
            return match (store.is_file(), file.is_file()) {
                (true, _) => Ok(Self::Store(StoreAddress::file(&store))),
                (false, true) => Ok(Self::File(file)),
                (false, false) => bail!(
                    "expected {STORE} or {JOURNAL} in {run}, found neither; \
                     name a run's folder, its journal or its store"
                ),
            };
        }
        let mut first = Vec::new();
        let file = File::open(path).with_context(|| format!("cannot read {run}"))?;
        file.take(SQLITE_MAGIC.len() as u64)
            .read_to_end(&mut first)
            .with_context(|| format!("cannot read {run}"))?;
        if first == SQLITE_MAGIC {
            return Ok(Self::Store(StoreAddress::file(path)));
        }
        Ok(Self::File(path.to_owned()))
    }
}

/// The address of a store as it was typed; variables come from the environment.
pub fn address_of(text: &str) -> anyhow::Result<StoreAddress> {
    Ok(StoreAddress::parse(text, &|name| std::env::var(name).ok())?)
}

/// One record after the head.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its number: in a store the record's, in a journal file the step's, from 1.
    pub seq: u64,
    /// When it was made.
    pub at: Timestamp,
    /// What it is.
    pub what: What,
}

/// What a record is.
#[derive(Clone, Debug)]
pub enum What {
    /// An input and what it led to.
    Step(Box<Step>),
    /// What became of something sent.
    Outcome,
    /// The run was ended on purpose.
    Stop,
    /// A snapshot was put beside the journal.
    Snapshot,
    /// A checkpoint was signed.
    Checkpoint,
}

/// A run's record, open to read.
pub struct Records {
    head: Head,
    kept: Kept,
}

enum Kept {
    File(Box<Reader>),
    Store { runtime: Runtime, store: Box<Store> },
}

impl Records {
    /// Opens a record and reads what its run began with. A store may be written to
    /// meanwhile.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is in a format that this program does not read.
    pub fn open(place: &Place) -> anyhow::Result<Self> {
        match place {
            Place::File(path) => {
                let (head, reader) = Reader::open(path)?;
                Ok(Self { head, kept: Kept::File(Box::new(reader)) })
            }
            Place::Store(address) => {
                let runtime = runtime()?;
                let mut store = runtime.block_on(Store::open(address, Access::Read))?;
                let head = runtime.block_on(read_head(&mut store))?;
                Ok(Self { head, kept: Kept::Store { runtime, store: Box::new(store) } })
            }
        }
    }

    /// What the run began with.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Hands over every record after the head, in order, up to where the record ends
    /// when its end is reached, or until the receiver says `false`.
    ///
    /// # Errors
    ///
    /// At the first record that cannot be read or does not follow from the one
    /// before it, and whatever the receiver says.
    pub fn each(
        &mut self,
        mut to: impl FnMut(Entry) -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        match &mut self.kept {
            Kept::File(reader) => {
                let mut seq = 0;
                while let Some(step) = reader.next_step()? {
                    seq += 1;
                    let at = step.input.at;
                    if !to(Entry { seq, at, what: What::Step(Box::new(step)) })? {
                        break;
                    }
                }
                Ok(())
            }
            Kept::Store { runtime, store } => runtime.block_on(async {
                let mut records = store.records(2).await?;
                while let Some(record) = records.next().await? {
                    let what = match record.kind {
                        Kind::Step => match step_of(&record)? {
                            Some(step) => What::Step(Box::new(step)),
                            None => unreachable!("a step is a step"),
                        },
                        Kind::Outcome => What::Outcome,
                        Kind::Stop => What::Stop,
                        Kind::Snapshot => What::Snapshot,
                        Kind::Checkpoint => What::Checkpoint,
                        Kind::Head => bail!(
                            "record {} begins a second run; expected one head in a journal",
                            record.seq
                        ),
                    };
                    if !to(Entry { seq: record.seq, at: record.at, what })? {
                        break;
                    }
                }
                Ok(())
            }),
        }
    }
}

/// What runs the store's own work in a command that does nothing else.
pub fn runtime() -> anyhow::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")
}
