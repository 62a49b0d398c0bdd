//! Snapshots: the program's state after a record, so that recovery need not
//! read the whole journal.
//!
//! A snapshot's bytes lie in a table of their own, compressed. A record of the
//! journal names it:
//!
//! ```text
//! of (8)  format (4)  length as stored (8)  SHA-256 as stored (32)
//! ```

use super::back::{Back, Beside, Row};
use super::chain::Hash;
use super::record::Kind;
use super::{Appended, Store, StoreError, Tail};
use units::Timestamp;

/// How many snapshots are kept: the newest, and two to fall back to.
pub(super) const KEPT: i64 = 3;

/// The most bytes of a snapshot before it is compressed.
const SNAPSHOT_BYTES_MAX: usize = 512 << 20;

/// A snapshot that was read back and found whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The record after which this was the state.
    pub of: u64,
    /// The record that names the snapshot.
    pub record: u64,
    /// The program's own number for how `bytes` are to be read.
    pub format: u32,
    /// The state.
    pub bytes: Vec<u8>,
    /// Newer snapshots that were damaged and passed over, by their records.
    pub passed_over: Vec<u64>,
}

/// What a record says of the snapshot that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) of: u64,
    pub(super) format: u32,
    pub(super) length: u64,
    pub(super) hash: Hash,
}

impl Store {
    /// Keeps the state after record `of`, and deletes all but the last three.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append); after one the snapshot can be put again.
    pub async fn put_snapshot(
        &mut self,
        of: u64,
        at: Timestamp,
        format: u32,
        bytes: &[u8],
    ) -> Result<Appended, StoreError> {
        if bytes.len() > SNAPSHOT_BYTES_MAX {
            return Err(StoreError::TooLarge {
                what: "snapshot",
                most: SNAPSHOT_BYTES_MAX,
                found: bytes.len(),
            });
        }
        let tail = self.ready().await?;
        if of > tail.seq {
            return Err(StoreError::NoSuchRecord { of, last: tail.seq });
        }
        let stored =
            snap::raw::Encoder::new().compress_vec(bytes).expect("fewer than 2^32 bytes");
        let named =
            Named { of, format, length: stored.len() as u64, hash: Hash::of(&stored) };
        let (row, after) = own_row(tail, at, Kind::Snapshot, named.to_bytes());
        let beside = Beside::Snapshot { record: row.seq, bytes: &stored, keep: KEPT };
        self.write(tail, after, std::slice::from_ref(&row), &beside).await
    }

    /// The newest snapshot that is whole, if there is any.
    pub async fn last_snapshot(&mut self) -> Result<Option<Snapshot>, StoreError> {
        let kept = self.ask(async |back| back.snapshots().await).await?;
        let mut passed_over = Vec::new();
        for record in kept {
            match self.whole(record).await? {
                Some(snapshot) => return Ok(Some(Snapshot { passed_over, ..snapshot })),
                None => passed_over.push(u64::try_from(record).unwrap_or(0)),
            }
        }
        Ok(None)
    }

    /// Every snapshot that is kept and whole, newest first.
    pub async fn kept_snapshots(&mut self) -> Result<Vec<Snapshot>, StoreError> {
        let kept = self.connected().await?.snapshots().await;
        let mut whole = Vec::new();
        for record in kept.map_err(|error| self.meaning(error))? {
            whole.extend(self.whole(record).await?);
        }
        Ok(whole)
    }

    /// The snapshot that a record names, unless either is damaged.
    async fn whole(&mut self, record: i64) -> Result<Option<Snapshot>, StoreError> {
        let read = async |back: &mut Back| {
            let row = back.page(record, 1).await?.pop().filter(|row| row.seq == record);
            let stored = back.snapshot(record).await?;
            Ok(row.zip(stored))
        };
        let Some((row, stored)) = self.ask(read).await? else {
            return Ok(None);
        };
        let Some(named) = Named::of(&row).filter(|named| named.is(&stored)) else {
            return Ok(None);
        };
        let Some(bytes) = unpacked(&stored) else {
            return Ok(None);
        };
        let record = u64::try_from(record).unwrap_or(0);
        let (of, format) = (named.of, named.format);
        Ok(Some(Snapshot { of, record, format, bytes, passed_over: Vec::new() }))
    }
}

impl Named {
    const LENGTH: usize = 8 + 4 + 8 + 32;

    /// What a record says, if it names a snapshot.
    pub(super) fn of(row: &Row) -> Option<Self> {
        if Kind::from_number(row.kind) != Some(Kind::Snapshot)
            || row.bytes.len() != Self::LENGTH
        {
            return None;
        }
        let (of, rest) = row.bytes.split_first_chunk::<8>()?;
        let (format, rest) = rest.split_first_chunk::<4>()?;
        let (length, hash) = rest.split_first_chunk::<8>()?;
        Some(Self {
            of: u64::from_le_bytes(*of),
            format: u32::from_le_bytes(*format),
            length: u64::from_le_bytes(*length),
            hash: Hash(hash.try_into().ok()?),
        })
    }

    fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::LENGTH);
        bytes.extend(self.of.to_le_bytes());
        bytes.extend(self.format.to_le_bytes());
        bytes.extend(self.length.to_le_bytes());
        bytes.extend(self.hash.0);
        bytes
    }

    /// Whether these are the bytes that it names.
    pub(super) fn is(&self, stored: &[u8]) -> bool {
        stored.len() as u64 == self.length && Hash::of(stored) == self.hash
    }
}

/// The state itself, unless it claims to be larger than any may be.
fn unpacked(stored: &[u8]) -> Option<Vec<u8>> {
    let length = snap::raw::decompress_len(stored).ok()?;
    if length > SNAPSHOT_BYTES_MAX {
        return None;
    }
    snap::raw::Decoder::new().decompress_vec(stored).ok()
}

/// A record that the store makes itself.
pub(super) fn own_row(
    before: Tail,
    at: Timestamp,
    kind: Kind,
    bytes: Vec<u8>,
) -> (Row, Tail) {
    let record = super::NewRecord { at, kind, bytes };
    let (mut rows, after) = super::rows_after(before, &[record]);
    (rows.pop().expect("one row for one record"), after)
}
