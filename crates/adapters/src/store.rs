//! The store: one durable, append-only journal with snapshots and signed checkpoints.
//!
//! A store holds [`Record`]s. It knows when each was made and of what
//! [`Kind`] it is; the bytes are the program's own. What [`Store::append`]
//! has returned for is on the disk, all of it or nothing, and each record
//! carries a hash that follows from the one before it, so that an edited,
//! removed, inserted or reordered record is found by [`verify()`].
//!
//! A [`StoreAddress`] says where it is: a SQLite file, or a schema of a
//! PostgreSQL database. Both hold the same rows, pass the same tests and
//! restore each other's backups.
//!
//! ```
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! # runtime.block_on(async {
//! use adapters::store::{Key, Kind, NewRecord, Store, StoreAddress};
//! use units::Timestamp;
//!
//! # let folder = std::env::temp_dir().join(format!("mw-store-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder)?;
//! let address = StoreAddress::file(&folder.join("site.db"));
//! let key = Key::generate()?;
//! let at = Timestamp::from_unix_seconds(1_790_000_000);
//! let head = NewRecord { at, kind: Kind::Head, bytes: b"a site".to_vec() };
//! let mut store = Store::create(&address, &key.public(), &[head]).await?;
//!
//! let step = NewRecord { at, kind: Kind::Step, bytes: b"a tick".to_vec() };
//! assert_eq!(store.append(&[step]).await?.seq, 2);
//! store.checkpoint(&key, at).await?;
//! store.close().await?;
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Invariant: what was acknowledged is there after a crash at any instant.
//! Invariant: nothing is ever changed but added, snapshots apart, of which the
//! newest few are kept.

mod address;
mod back;
mod backup;
mod chain;
mod checkpoint;
mod error;
mod key;
mod read;
mod record;
mod snapshot;
mod verify;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use address::Place;
pub use address::{AddressError, StoreAddress};
use back::{Back, Beside, Contents, Row, SCHEMA};
pub use backup::{BackedUp, backup, restore};
pub use chain::{Hash, StoreId};
pub use checkpoint::{Checkpoint, CheckpointError};
pub use error::StoreError;
pub use key::{Key, KeyError, PublicKey};
pub use read::Records;
pub use record::{Kind, NewRecord, Record};
pub use snapshot::Snapshot;
use units::Timestamp;
pub use verify::{Expected, Finding, Verdict, verify};

/// The most bytes that one record may hold. A day of sweeps is some tens of
/// megabytes; what is larger is no record but a file.
pub const RECORD_BYTES_MAX: usize = 64 << 20;

/// How long a server may take for one statement before it counts as away.
const SERVER_DEADLINE: Duration = Duration::from_secs(10);

/// What a store is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// To append: one process at a time.
    Write,
    /// To read, while another may write.
    Read,
}

/// An open store.
///
/// One [`Access::Write`] store exists at a time; it ends with the process,
/// however that ends.
#[derive(Debug)]
pub struct Store {
    address: StoreAddress,
    access: Access,
    id: StoreId,
    key: PublicKey,
    /// Absent after an error, until the next call.
    back: Option<Back>,
    /// Where the journal ends, as a writer knows; unknown while a write is
    /// under way and after it failed.
    tail: Option<Tail>,
    /// A write whose commit was begun and not answered.
    pending: Option<Pending>,
    /// The same after it turned out to have happened.
    landed: Option<Pending>,
    /// Held by the one writer of a file.
    _lock: Option<File>,
}

/// Where a journal ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tail {
    /// The last record's number; 0 before the first.
    pub seq: u64,
    /// Its chain value.
    pub chain: Hash,
}

/// What was appended; the journal ends there.
pub type Appended = Tail;

#[derive(Clone, Copy, Debug)]
struct Pending {
    before: Tail,
    after: Tail,
    count: usize,
}

impl Store {
    /// Makes a store with its first records, and opens it to write.
    ///
    /// `key` is pinned: it goes into the chain before the first record, and
    /// checkpoints are signed with it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Taken`] when there is something already. A store that was
    /// not made to the end, because the program or the machine stopped, is
    /// nothing.
    pub async fn create(
        address: &StoreAddress,
        key: &PublicKey,
        first: &[NewRecord],
    ) -> Result<Self, StoreError> {
        check_new(first)?;
        let lock = lock_file(address)?;
        let mut back = connect(address, Access::Write, true, Duration::ZERO).await?;
        match back
            .contents()
            .await
            .map_err(|error| StoreError::of(address.shown(), error))?
        {
            Contents::Nothing => {}
            Contents::SomethingElse | Contents::Store => {
                back.abandon().await;
                return Err(StoreError::Taken(address.to_string()));
            }
        }
        let id = StoreId(key::random()?);
        let before = Tail { seq: 0, chain: Hash::first(id, key) };
        let (rows, tail) = rows_after(before, first);
        let made = async {
            back.begin().await?;
            back.make(address.schema(), id, key).await?;
            back.insert(&rows, &Beside::Nothing).await?;
            back.commit().await
        };
        made.await.map_err(|error| StoreError::of(address.shown(), error))?;
        if let Place::Sqlite(path) = address.place() {
            key::sync_folder_of(path)
                .map_err(|error| StoreError::file("make durable", path, error))?;
        }
        Ok(Self {
            address: address.clone(),
            access: Access::Write,
            id,
            key: *key,
            back: Some(back),
            tail: Some(tail),
            pending: None,
            landed: None,
            _lock: lock,
        })
    }

    /// Opens a store.
    ///
    /// # Errors
    ///
    /// [`StoreError::Missing`] when there is none, [`StoreError::InUse`] when
    /// another process writes and this one wants to, and
    /// [`StoreError::NewerSchema`] when a later program upgraded it.
    pub async fn open(
        address: &StoreAddress,
        access: Access,
    ) -> Result<Self, StoreError> {
        if let Place::Sqlite(path) = address.place()
            && !path.is_file()
        {
            return Err(StoreError::Missing(address.to_string()));
        }
        let lock = match access {
            Access::Write => lock_file(address)?,
            Access::Read => None,
        };
        let back = connect(address, access, false, Duration::ZERO).await?;
        let (back, id, key) = identified(address, access, back).await?;
        let mut store = Self {
            address: address.clone(),
            access,
            id,
            key,
            back: Some(back),
            tail: None,
            pending: None,
            landed: None,
            _lock: lock,
        };
        if access == Access::Write {
            store.tail = Some(store.read_tail().await?);
        }
        Ok(store)
    }

    /// Whether there is a store at the address.
    pub async fn exists(address: &StoreAddress) -> Result<bool, StoreError> {
        match Self::open(address, Access::Read).await {
            Ok(store) => store.close().await.map(|()| true),
            Err(StoreError::Missing(_)) => Ok(false),
            // A file that was being made when the machine stopped: what was begun in
            // it is undone by a writer, not by a reader.
            Err(StoreError::OpenedToRead(_)) => {
                match Self::open(address, Access::Write).await {
                    Ok(store) => store.close().await.map(|()| true),
                    Err(StoreError::Missing(_)) => Ok(false),
                    Err(error) => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Appends records, all of them or none, and returns when they are durable.
    ///
    /// After an error, call it again with the same records first, and more
    /// after them if more have come: what is there already is not written
    /// twice, also when the error left it open whether it was. The same holds
    /// when the future was dropped.
    ///
    /// # Errors
    ///
    /// One for which [`StoreError::may_pass`] holds can be tried again.
    pub async fn append(
        &mut self,
        records: &[NewRecord],
    ) -> Result<Appended, StoreError> {
        check_new(records)?;
        let tail = self.ready().await?;
        let done = self.landed.take().map_or(0, |landed| landed.matched_by(records));
        if records.len() == done {
            return Ok(tail);
        }
        let (rows, after) = rows_after(tail, &records[done..]);
        self.write(tail, after, &rows, &Beside::Nothing).await
    }

    /// Where the journal ends now.
    pub async fn tail(&mut self) -> Result<Tail, StoreError> {
        match self.access {
            Access::Write => self.ready().await,
            Access::Read => self.read_tail().await,
        }
    }

    /// Ends the connection and frees the writer's lock.
    pub async fn close(mut self) -> Result<(), StoreError> {
        match self.back.take() {
            Some(back) => back.close().await.map_err(|error| self.meaning(error)),
            None => Ok(()),
        }
    }

    /// Which store this is.
    pub fn id(&self) -> StoreId {
        self.id
    }

    /// The key that checkpoints are signed with.
    pub fn public_key(&self) -> &PublicKey {
        &self.key
    }

    /// Where it is.
    pub fn address(&self) -> &StoreAddress {
        &self.address
    }

    /// Writes rows and what belongs to them in one transaction.
    async fn write(
        &mut self,
        before: Tail,
        after: Tail,
        rows: &[Row],
        beside: &Beside<'_>,
    ) -> Result<Tail, StoreError> {
        // Until the end is known again, nobody may rely on where it was.
        self.tail = None;
        let shown = self.address.shown().to_owned();
        let is_server = self.is_server();
        let Some(back) = self.back.as_mut() else {
            unreachable!("ready() connects before every write");
        };
        let inserted = within(is_server, async {
            back.begin().await?;
            back.insert(rows, beside).await
        });
        if let Err(error) = inserted.await {
            self.disconnect().await;
            return Err(StoreError::of(&shown, error));
        }
        self.pending = Some(Pending { before, after, count: rows.len() });
        let Err(error) = within(is_server, back.commit()).await else {
            self.pending = None;
            self.tail = Some(after);
            return Ok(after);
        };
        let error = StoreError::of(&shown, error);
        self.disconnect().await;
        match self.ready().await {
            Ok(tail) if tail == after => {
                self.landed = None;
                Ok(tail)
            }
            Ok(_) => Err(error),
            Err(_) => Err(StoreError::OutcomeUnknown {
                address: shown,
                source: Box::new(error),
            }),
        }
    }

    /// Connects if need be, and says where the journal ends.
    async fn ready(&mut self) -> Result<Tail, StoreError> {
        if self.access == Access::Read {
            return Err(StoreError::OpenedToRead(self.address.to_string()));
        }
        if let Some(tail) = self.tail {
            return Ok(tail);
        }
        // A write was given up midway: its transaction ends with its connection.
        self.disconnect().await;
        let tail = self.read_tail().await?;
        if let Some(pending) = self.pending.take()
            && pending.after == tail
        {
            self.landed = Some(pending);
        }
        self.tail = Some(tail);
        Ok(tail)
    }

    /// The connection, made again if it was given up.
    async fn connected(&mut self) -> Result<&mut Back, StoreError> {
        if self.back.is_none() {
            let back = connect(&self.address, self.access, false, PASSING).await?;
            let (back, id, _) = identified(&self.address, self.access, back).await?;
            if id != self.id {
                back.abandon().await;
                return Err(StoreError::NotAStore(self.address.to_string()));
            }
            self.back = Some(back);
        }
        Ok(self.back.as_mut().expect("made above"))
    }

    /// Asks the database something; a connection that fails is given up, and
    /// the next call makes another.
    async fn ask<T>(
        &mut self,
        question: impl AsyncFnOnce(&mut Back) -> Result<T, sqlx::Error>,
    ) -> Result<T, StoreError> {
        let is_server = self.is_server();
        let back = self.connected().await?;
        match within(is_server, question(back)).await {
            Ok(answer) => Ok(answer),
            Err(error) => {
                self.disconnect().await;
                self.tail = None;
                Err(self.meaning(error))
            }
        }
    }

    async fn disconnect(&mut self) {
        if let Some(back) = self.back.take() {
            back.abandon().await;
        }
    }

    async fn read_tail(&mut self) -> Result<Tail, StoreError> {
        let first = Hash::first(self.id, &self.key);
        let row = self.ask(async |back| back.tail().await).await?;
        let Some((seq, _, chain)) = row else {
            return Ok(Tail { seq: 0, chain: first });
        };
        let altered =
            |seq| StoreError::Altered { address: self.address.to_string(), seq };
        let seq = u64::try_from(seq).map_err(|_| altered(0))?;
        let chain = chain.try_into().map_err(|_| altered(seq))?;
        Ok(Tail { seq, chain: Hash(chain) })
    }

    fn is_server(&self) -> bool {
        matches!(self.address.place(), Place::Postgres(_))
    }

    fn meaning(&self, error: sqlx::Error) -> StoreError {
        StoreError::of(self.address.shown(), error)
    }
}

impl Pending {
    /// How many of `records` are the ones that this write wrote.
    fn matched_by(&self, records: &[NewRecord]) -> usize {
        if records.len() < self.count {
            return 0;
        }
        let (_, after) = rows_after(self.before, &records[..self.count]);
        if after == self.after { self.count } else { 0 }
    }
}

/// Refuses what the caller may not append.
fn check_new(records: &[NewRecord]) -> Result<(), StoreError> {
    for record in records {
        if matches!(record.kind, Kind::Snapshot | Kind::Checkpoint) {
            return Err(StoreError::OwnKind(record.kind.name()));
        }
        if record.bytes.len() > RECORD_BYTES_MAX {
            let found = record.bytes.len();
            return Err(StoreError::TooLarge {
                what: "record",
                most: RECORD_BYTES_MAX,
                found,
            });
        }
    }
    Ok(())
}

/// The rows that follow, and where the journal ends after them.
fn rows_after(before: Tail, records: &[NewRecord]) -> (Vec<Row>, Tail) {
    let mut tail = before;
    let mut rows = Vec::with_capacity(records.len());
    for record in records {
        let seq = i64::try_from(tail.seq + 1).expect("fewer than 2^63 records");
        let at = record.at.as_unix_seconds();
        let chain = tail.chain.then(seq, at, record.kind.number(), &record.bytes);
        rows.push(Row {
            seq,
            at,
            kind: i64::from(record.kind.number()),
            bytes: record.bytes.clone(),
            chain: chain.0.to_vec(),
        });
        tail = Tail { seq: tail.seq + 1, chain };
    }
    (rows, tail)
}

/// How long a writer that comes back asks again for its lock: the server may not have
/// noticed yet that the session before is gone, which holds it.
const PASSING: Duration = Duration::from_secs(5);

/// How long it waits before it asks again.
const AGAIN: Duration = Duration::from_millis(50);

/// Connects, and takes the writer's lock of a server's schema; asks again for it as long
/// as `patience` lasts.
async fn connect(
    address: &StoreAddress,
    access: Access,
    create: bool,
    patience: Duration,
) -> Result<Back, StoreError> {
    let write = access == Access::Write;
    let meaning = |error| StoreError::of(address.shown(), error);
    match address.place() {
        Place::Sqlite(path) => Back::sqlite(path, write, create).await.map_err(meaning),
        Place::Postgres(server) => {
            let mut back = within(true, Back::postgres(server)).await.map_err(meaning)?;
            let mut left = patience;
            while write
                && !within(true, back.lock(&server.schema)).await.map_err(meaning)?
            {
                if left.is_zero() {
                    back.abandon().await;
                    return Err(StoreError::InUse(address.to_string()));
                }
                tokio::time::sleep(AGAIN).await;
                left = left.saturating_sub(AGAIN);
            }
            Ok(back)
        }
    }
}

/// Reads which store a connection leads to; upgrades it for a writer.
async fn identified(
    address: &StoreAddress,
    access: Access,
    mut back: Back,
) -> Result<(Back, StoreId, PublicKey), StoreError> {
    let shown = || address.to_string();
    let meaning = |error| StoreError::of(address.shown(), error);
    match back.contents().await.map_err(meaning)? {
        Contents::Nothing => return Err(StoreError::Missing(shown())),
        Contents::SomethingElse => return Err(StoreError::NotAStore(shown())),
        Contents::Store => {}
    }
    let (schema, id, key) = match back.identity().await.map_err(meaning) {
        Ok(identity) => identity,
        // Its table `store` has other columns, or no row: somebody else's.
        Err(StoreError::Database { .. }) => return Err(StoreError::NotAStore(shown())),
        Err(error) => return Err(error),
    };
    match schema.cmp(&SCHEMA) {
        std::cmp::Ordering::Greater => {
            return Err(StoreError::NewerSchema {
                address: shown(),
                found: schema,
                known: SCHEMA,
            });
        }
        std::cmp::Ordering::Less if access == Access::Read => {
            return Err(StoreError::OlderSchema {
                address: shown(),
                found: schema,
                known: SCHEMA,
            });
        }
        std::cmp::Ordering::Less => back.migrate(schema).await.map_err(meaning)?,
        std::cmp::Ordering::Equal => {}
    }
    let id = id.try_into().map_err(|_| StoreError::NotAStore(shown()))?;
    let key =
        PublicKey::from_bytes(&key).ok_or_else(|| StoreError::NotAStore(shown()))?;
    Ok((back, StoreId(id), key))
}

/// Takes the lock of a file's one writer, which ends with the process.
///
/// It is a file beside the store's: closing a second handle of the store's own
/// file would free the database's locks on it.
fn lock_file(address: &StoreAddress) -> Result<Option<File>, StoreError> {
    let Place::Sqlite(path) = address.place() else {
        return Ok(None);
    };
    let beside = beside(path, ".lock");
    let mut options = File::options();
    let lock = options
        .create(true)
        .truncate(false)
        .write(true)
        .open(&beside)
        .map_err(|error| StoreError::file("open", &beside, error))?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse(address.to_string())),
        Err(TryLockError::Error(error)) => Err(StoreError::file("lock", &beside, error)),
    }
}

/// The path with something appended to its name.
fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// Bounds how long a server may take; a file is waited for.
async fn within<T>(
    is_server: bool,
    statement: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    if !is_server {
        return statement.await;
    }
    match tokio::time::timeout(SERVER_DEADLINE, statement).await {
        Ok(answer) => answer,
        Err(_) => Err(sqlx::Error::Io(std::io::Error::new(
            std::io::ErrorKind::TimedOut,
            "no answer within 10 s",
        ))),
    }
}

/// The instant that a row's number stands for.
fn instant(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(from: u64, count: u64, length: usize) -> Vec<NewRecord> {
        let step = |n: u64| NewRecord {
            at: instant(n as i64),
            kind: Kind::Step,
            bytes: vec![n as u8; length],
        };
        (from..from + count).map(step).collect()
    }

    fn with_store<F: Future<Output = ()>>(name: &str, case: impl FnOnce(Store) -> F) {
        let folder =
            std::env::temp_dir().join(format!("mw_{name}_{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().expect("a runtime").block_on(async {
            let address = StoreAddress::file(&folder.join("store.db"));
            let key = Key::from_seed([1; 32]).public();
            case(Store::create(&address, &key, &steps(1, 1, 10)).await.expect("a store"))
                .await;
        });
        std::fs::remove_dir_all(&folder).expect("the test's own folder");
    }

    #[test]
    fn a_commit_whose_answer_was_lost_is_not_written_twice() {
        with_store("lost_answer", |mut store| async move {
            let before = store.tail().await.expect("a tail");
            let lost = |store: &mut Store, after, count| {
                store.tail = None;
                store.pending = Some(Pending { before, after, count });
            };
            // It was committed: the same again, grown by one, adds the one.
            let after = store.append(&steps(2, 3, 10)).await.expect("room");
            lost(&mut store, after, 3);
            assert_eq!(store.append(&steps(2, 4, 10)).await.expect("room").seq, 5);
            // It was committed, and something else comes next: that is added.
            let before = store.tail().await.expect("a tail");
            let after = store.append(&steps(6, 2, 10)).await.expect("room");
            store.tail = None;
            store.pending = Some(Pending { before, after, count: 2 });
            assert_eq!(store.append(&steps(50, 2, 10)).await.expect("room").seq, 9);
            // It was not committed: the same again is written.
            let before = store.tail().await.expect("a tail");
            let (_, after) = rows_after(before, &steps(10, 2, 10));
            store.tail = None;
            store.pending = Some(Pending { before, after, count: 2 });
            assert_eq!(store.append(&steps(10, 2, 10)).await.expect("room"), after);
            let verdict = verify(&mut store, &Expected::default(), &mut |_, _| {}).await;
            assert!(verdict.expect("a verdict").is_sound());
            store.close().await.expect("a close");
        });
    }

    #[test]
    fn a_full_disk_is_said_and_passes() {
        with_store("full", |mut store| async move {
            let Some(Back::Sqlite(connection)) = store.back.as_mut() else {
                unreachable!("a file");
            };
            // Holds for this connection: the next one finds room again.
            sqlx::query("PRAGMA max_page_count = 20")
                .execute(&mut **connection)
                .await
                .expect("a limit");
            let records = steps(2, 5, 30_000);
            let error = store.append(&records).await.expect_err("no room");
            assert!(
                matches!(error, StoreError::Full { .. }) && error.may_pass(),
                "{error}"
            );
            assert_eq!(store.append(&records).await.expect("room").seq, 6);
            let verdict = verify(&mut store, &Expected::default(), &mut |_, _| {}).await;
            assert!(verdict.expect("a verdict").is_sound());
            store.close().await.expect("a close");
        });
    }

    #[test]
    fn a_store_can_be_used_from_any_thread() {
        fn is_send<T: Send>(_: T) {}
        fn check(store: &mut Store, key: &Key) {
            is_send(store.append(&[]));
            is_send(store.tail());
            is_send(store.put_snapshot(1, instant(0), 1, &[]));
            is_send(store.last_snapshot());
            is_send(store.checkpoint(key, instant(0)));
            is_send(store.record(1));
            is_send(async {
                let mut records = store.records(1).await?;
                records.next().await
            });
            is_send(verify(store, &Expected::default(), &mut |_, _| {}));
            is_send(backup(store, Path::new(""), &mut |_, _| {}));
        }
        let _: fn(&mut Store, &Key) = check;
    }
}
