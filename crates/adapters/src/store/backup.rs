//! Copies a store into a file while it is written to, and a file into a store.
//!
//! A copy is the same store: the same id, records, chain and checkpoints. It
//! is put in place only when it is whole; one that was cut off leaves a file
//! ending in `.partial`, which the next one to that place removes.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use super::address::Place;
use super::back::{Back, Beside, Contents};
use super::chain::{Hash, StoreId};
use super::key::{PublicKey, sync_folder_of};
use super::read::Pages;
use super::verify::{Expected, Verdict, verify};
use super::{Access, Store, StoreAddress, StoreError, Tail, beside, connect, lock_file};

/// What a copy holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackedUp {
    /// Which store.
    pub store: StoreId,
    /// Where its journal ended.
    pub tail: Tail,
}

/// Copies a store into a new SQLite file, as it is when this begins.
///
/// `progress` is told how many records were copied, of how many.
///
/// # Errors
///
/// [`StoreError::Taken`] when the file exists, and [`StoreError::Altered`]
/// when the journal does not follow: an altered store is no backup.
pub async fn backup(
    store: &mut Store,
    file: &Path,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<BackedUp, StoreError> {
    let (id, key, shown) = (store.id, store.key, store.address.to_string());
    let source = store.connected().await?;
    let begun = source.begin_to_read().await;
    begun.map_err(|error| StoreError::of(&shown, error))?;
    let copied = into_file(source, &shown, (id, key), file, progress).await;
    let ended = source.commit().await;
    if copied.is_err() || ended.is_err() {
        store.disconnect().await;
        store.tail = None;
    }
    Ok(BackedUp { store: id, tail: copied? })
}

/// Makes a store from a backup.
///
/// The backup is verified first, and the new store after. `progress` is told
/// how many records were dealt with, of how many, in each of the three passes.
///
/// # Errors
///
/// [`StoreError::Taken`] when there is something at the address, and
/// [`StoreError::Unsound`] when anything is found in the backup or the copy.
pub async fn restore(
    file: &Path,
    address: &StoreAddress,
    expected: &Expected,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<Verdict, StoreError> {
    let from = StoreAddress::file(file);
    let mut backup = Store::open(&from, Access::Read).await?;
    let before = sound(&mut backup, expected, progress).await?;
    let identity = (backup.id, backup.key);
    let lock = lock_file(address)?;
    let source = backup.connected().await?;
    match address.place() {
        Place::Sqlite(path) => {
            let _: Tail =
                into_file(source, from.shown(), identity, path, progress).await?;
        }
        Place::Postgres(_) => {
            into_server(source, &from, identity, address, progress).await?
        }
    }
    drop(lock);
    backup.close().await?;
    let mut restored = Store::open(address, Access::Read).await?;
    let after = sound(&mut restored, expected, progress).await?;
    restored.close().await?;
    if after.tail != before.tail {
        return Err(StoreError::Unsound {
            place: address.to_string(),
            count: 1,
            first: format!(
                "its journal ends at {}, not {}",
                after.tail.seq, before.tail.seq
            ),
        });
    }
    Ok(after)
}

async fn sound(
    store: &mut Store,
    expected: &Expected,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<Verdict, StoreError> {
    let verdict = verify(store, expected, progress).await?;
    match verdict.findings.first() {
        None => Ok(verdict),
        Some(first) => Err(StoreError::Unsound {
            place: store.address.to_string(),
            count: verdict.count(),
            first: first.to_string(),
        }),
    }
}

/// Copies into a file that appears only when it is whole and durable.
async fn into_file(
    source: &mut Back,
    shown: &str,
    identity: (StoreId, PublicKey),
    file: &Path,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<Tail, StoreError> {
    if file.exists() {
        return Err(StoreError::Taken(file.display().to_string()));
    }
    let partial = beside(file, ".partial");
    remove(&partial)?;
    let written = async {
        let target_shown = partial.display().to_string();
        let meaning = |error| StoreError::of(&target_shown, error);
        let mut target = Back::sqlite_unsafe(&partial).await.map_err(meaning)?;
        let copied =
            copy(source, shown, &mut target, &target_shown, "", identity, progress).await;
        let closed = target.close().await.map_err(meaning);
        let tail = copied?;
        closed?;
        let durable = File::open(&partial).and_then(|file| file.sync_all());
        durable.map_err(|error| StoreError::file("make durable", &partial, error))?;
        fs::rename(&partial, file)
            .and_then(|()| sync_folder_of(file))
            .map_err(|error| StoreError::file("put in place", file, error))?;
        Ok(tail)
    };
    let written = written.await;
    if written.is_err() {
        remove(&partial)?;
    }
    written
}

/// Copies into a server's schema, in one transaction.
async fn into_server(
    source: &mut Back,
    from: &StoreAddress,
    identity: (StoreId, PublicKey),
    address: &StoreAddress,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<(), StoreError> {
    let mut target = connect(address, Access::Write, true, Duration::ZERO).await?;
    let contents = target.contents().await;
    match contents.map_err(|error| StoreError::of(address.shown(), error))? {
        Contents::Nothing => {}
        Contents::SomethingElse | Contents::Store => {
            target.abandon().await;
            return Err(StoreError::Taken(address.to_string()));
        }
    }
    let schema = address.schema();
    let (to, source_shown) = (address.shown(), from.shown());
    let copied =
        copy(source, source_shown, &mut target, to, schema, identity, progress).await;
    target.abandon().await;
    copied.map(|_| ())
}

/// Copies every row within one transaction of the target, and checks the chain
/// on the way.
async fn copy(
    source: &mut Back,
    source_shown: &str,
    target: &mut Back,
    target_shown: &str,
    schema: &str,
    (id, key): (StoreId, PublicKey),
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<Tail, StoreError> {
    let reading = |error| StoreError::of(source_shown, error);
    let writing = |error| StoreError::of(target_shown, error);
    target.begin().await.map_err(writing)?;
    target.make(schema, id, &key).await.map_err(writing)?;
    let all = source.tail().await.map_err(reading)?.map_or(0, |(seq, _, _)| seq);
    let all = u64::try_from(all).unwrap_or(0);
    let mut tail = Tail { seq: 0, chain: Hash::first(id, &key) };
    let mut pages = Pages::from(i64::MIN);
    loop {
        let page = pages.next(source).await.map_err(reading)?;
        if page.is_empty() {
            break;
        }
        for row in &page {
            let number = u8::try_from(row.kind).unwrap_or(0);
            let chain = tail.chain.then(row.seq, row.at, number, &row.bytes);
            let seq = tail.seq + 1;
            if u64::try_from(row.seq) != Ok(seq) || row.chain != chain.0 {
                return Err(StoreError::Altered {
                    address: source_shown.to_owned(),
                    seq,
                });
            }
            tail = Tail { seq, chain };
        }
        target.insert(&page, &Beside::Nothing).await.map_err(writing)?;
        progress(tail.seq, all);
    }
    for record in source.snapshots().await.map_err(reading)? {
        if let Some(bytes) = source.snapshot(record).await.map_err(reading)? {
            target.insert_snapshot(record, &bytes).await.map_err(writing)?;
        }
    }
    let mut from = i64::MIN;
    loop {
        let rows = source.checkpoints(from).await.map_err(reading)?;
        let Some(last) = rows.last() else { break };
        from = last.number + 1;
        for row in &rows {
            target.insert_checkpoint(row).await.map_err(writing)?;
        }
    }
    target.commit().await.map_err(writing)?;
    Ok(tail)
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(StoreError::file("remove", path, error)),
    }
}
