//! A live run's record in the store, and how a run is recovered from it.
//!
//! Every input is durable with what it led to before anything is done about it.
//! Recovery is the last snapshot and the steps after it, folded as recorded.

use adapters::store::{
    Access, Key, Kind, NewRecord, Record, Store, StoreAddress, StoreError,
};
use anyhow::{Context, bail};
use engine::journal::{FORMAT, Head, OLDEST, Step, is_read, is_state_read};
use engine::{Engine, Person, Site};
use units::{Interval, Timestamp};

/// Steps between two snapshots: what a restart has to fold.
const SNAPSHOT_EVERY: u64 = 2_000;

/// Records between two signed checkpoints.
const CHECKPOINT_EVERY: u64 = 1_000;

/// A live run's record, open to append.
pub struct Journal {
    store: Store,
    key: Key,
    snapshot_at: u64,
    checkpoint_at: u64,
    /// The last record's number.
    seq: u64,
}

/// What a run was found at.
pub struct Recovered {
    /// The engine as it was after the last durable step.
    pub engine: Engine,
    /// The record it came from.
    pub journal: Journal,
    /// How many steps were folded after the snapshot.
    pub folded: u64,
    /// What a person should know.
    pub notes: Vec<String>,
}

impl Journal {
    /// Begins a run in a new store.
    pub async fn begin(
        address: &StoreAddress,
        key: Key,
        site: &Site,
        start: Timestamp,
    ) -> anyhow::Result<Recovered> {
        let head = Head {
            format: FORMAT,
            program: program(),
            site: site.clone(),
            by_machine: true,
            start,
            range: Interval { start, end: start },
        };
        let first = NewRecord { at: start, kind: Kind::Head, bytes: bytes_of(&head) };
        let store = Store::create(address, &key.public(), &[first]).await?;
        let engine = Engine::live(site.clone(), start);
        let journal = Self { store, key, snapshot_at: 1, checkpoint_at: 1, seq: 1 };
        Ok(Recovered { engine, journal, folded: 0, notes: Vec::new() })
    }

    /// Goes on with the run in a store.
    pub async fn recover(address: &StoreAddress, key: Key) -> anyhow::Result<Recovered> {
        let mut store = Store::open(address, Access::Write).await?;
        if key.public() != *store.public_key() {
            bail!(
                "the store was begun with the key {}, the data folder has {}; put the run's own \
                 key there: without it nothing more can be signed",
                store.public_key(),
                key.public()
            );
        }
        let mut notes = Vec::new();
        let head = read_head(&mut store).await?;
        if head.program != program() {
            notes.push(format!("the journal was begun by {}", head.program));
        }
        let kept = store.last_snapshot().await?;
        let snapshot = kept.filter(|kept| is_state_read(kept.format));
        let (mut engine, after) = match snapshot {
            Some(kept) => {
                if !kept.passed_over.is_empty() {
                    notes.push(format!(
                        "passed over damaged snapshots {:?}; run `mw verify`",
                        kept.passed_over
                    ));
                }
                let engine: Engine = postcard::from_bytes(&kept.bytes)
                    .context("cannot read the last snapshot")?;
                (engine, kept.of)
            }
            None => (Engine::live(head.site.clone(), head.start), 1),
        };
        let mut folded = 0;
        let mut seq = after;
        let mut records = store.records(after + 1).await?;
        while let Some(record) = records.next().await? {
            seq = record.seq;
            if let Some(step) = step_of(&record)? {
                engine.fold(&step);
                folded += 1;
            }
        }
        let journal = Self { store, key, snapshot_at: after, checkpoint_at: after, seq };
        Ok(Recovered { engine, journal, folded, notes })
    }

    /// Keeps steps, all or none, and returns when they are durable.
    ///
    /// After an error call it again with the same steps: nothing is kept twice.
    pub async fn append(&mut self, steps: &[NewRecord]) -> Result<(), StoreError> {
        self.seq = self.store.append(steps).await?.seq;
        Ok(())
    }

    /// Keeps the engine's state and signs where the journal stands, when it is
    /// time to.
    pub async fn keep_state(
        &mut self,
        engine: &Engine,
        now: bool,
    ) -> Result<(), StoreError> {
        if now || self.seq - self.snapshot_at >= SNAPSHOT_EVERY {
            let state = bytes_of(engine);
            let of = self.seq;
            self.seq =
                self.store.put_snapshot(of, engine.at(), FORMAT, &state).await?.seq;
            self.snapshot_at = self.seq;
        }
        if now || self.seq - self.checkpoint_at >= CHECKPOINT_EVERY {
            self.store.checkpoint(&self.key, engine.at()).await?;
            self.seq = self.store.tail().await?.seq;
            self.checkpoint_at = self.seq;
        }
        Ok(())
    }

    /// The last record's number.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Ends the run on purpose, and notes whose.
    pub async fn end(
        mut self,
        engine: &Engine,
        by: Option<&Person>,
    ) -> Result<(), StoreError> {
        let bytes = by.map(bytes_of).unwrap_or_default();
        let stop = NewRecord { at: engine.at(), kind: Kind::Stop, bytes };
        self.append(&[stop]).await?;
        self.keep_state(engine, true).await?;
        self.store.close().await
    }
}

/// A step as a record.
pub fn record_of(step: &Step) -> NewRecord {
    NewRecord { at: step.input.at, kind: Kind::Step, bytes: bytes_of(step) }
}

/// The step that a record holds; `None` for a record of another kind.
pub fn step_of(record: &Record) -> anyhow::Result<Option<Step>> {
    match record.kind {
        Kind::Step => postcard::from_bytes(&record.bytes)
            .map(Some)
            .with_context(|| format!("cannot read record {} as a step", record.seq)),
        Kind::Head | Kind::Outcome | Kind::Stop | Kind::Snapshot | Kind::Checkpoint => {
            Ok(None)
        }
    }
}

/// What the run in a store began with.
pub async fn read_head(store: &mut Store) -> anyhow::Result<Head> {
    let first = store.record(1).await?;
    if first.kind != Kind::Head {
        bail!(
            "expected the store's first record to be a run's head, found a {}",
            first.kind.name()
        );
    }
    // The format comes first, so that any program can say which one it found.
    let (format, _) = postcard::take_from_bytes::<u32>(&first.bytes)
        .context("cannot read the run's head")?;
    if !is_read(format) {
        bail!(
            "the store's journal is in format {format}; this program reads {OLDEST} to {FORMAT}; \
             go on with the program that wrote it, or begin a new store"
        );
    }
    postcard::from_bytes(&first.bytes).context("cannot read the run's head")
}

fn program() -> String {
    format!("mw {}", env!("CARGO_PKG_VERSION"))
}

fn bytes_of(value: &impl serde::Serialize) -> Vec<u8> {
    postcard::to_stdvec(value).expect("what is kept can be written")
}
