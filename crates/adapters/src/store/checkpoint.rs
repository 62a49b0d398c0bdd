//! Checkpoints: signed statements of where the journal stood.
//!
//! Who can write to the database can also make a new chain; who cannot sign
//! cannot make a checkpoint. A checkpoint that was given to a witness proves
//! what the journal held, whatever becomes of the store.
//!
//! Signed is
//!
//! ```text
//! "megawatt checkpoint 1" 00 ‖ store id (16) ‖ number (8) ‖ seq (8) ‖ chain (32) ‖ at (8)
//! ```
//!
//! and the journal's next record names the checkpoint: number (8), SHA-256 of
//! what was signed and the signature (32).

use serde_json::{Value, json};
use units::Timestamp;

use super::back::{Beside, CheckpointRow, Row};
use super::chain::{Hash, StoreId, from_hex, hex};
use super::key::{Key, PublicKey};
use super::record::Kind;
use super::snapshot::own_row;
use super::{Store, StoreError, Tail};

const TAG: &[u8] = b"megawatt checkpoint 1\0";

/// The form of the exported text.
const FORM: u64 = 1;

/// A signed statement that a store's journal had a chain value after a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which store.
    pub store: StoreId,
    /// Its number in the store, from 1, without gaps.
    pub number: u64,
    /// The last record it covers.
    pub seq: u64,
    /// The chain after that record.
    pub chain: Hash,
    /// When it was signed, as the signer said.
    pub at: Timestamp,
    /// Whose signature it is.
    pub key: PublicKey,
    /// Ed25519, over the layout above.
    pub signature: [u8; 64],
}

/// Why text is not a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected the text of a checkpoint, found {0}")]
pub struct CheckpointError(String);

impl Checkpoint {
    /// The text to be given to a witness: one line of JSON.
    pub fn to_json(&self) -> String {
        let text = json!({
            "megawatt_checkpoint": FORM,
            "store": self.store.to_string(),
            "number": self.number,
            "seq": self.seq,
            "chain": self.chain.to_string(),
            "at_unix_seconds": self.at.as_unix_seconds(),
            "public_key": self.key.to_string(),
            "signature": hex(&self.signature),
        });
        text.to_string()
    }

    /// Reads the text that a witness kept.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let wrong = |what: String| CheckpointError(what);
        let value: Value =
            serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        let number = |key: &str| {
            value[key].as_u64().ok_or_else(|| wrong(format!("no whole number `{key}`")))
        };
        let digits = |key: &str| {
            value[key].as_str().ok_or_else(|| wrong(format!("no text `{key}`")))
        };
        let short = |key: &str| wrong(format!("`{key}` without its hexadecimal digits"));
        let form = number("megawatt_checkpoint")?;
        if form != FORM {
            return Err(wrong(format!("form {form}; this program reads form {FORM}")));
        }
        let at = value["at_unix_seconds"].as_i64();
        let at =
            at.ok_or_else(|| wrong("no whole number `at_unix_seconds`".to_owned()))?;
        let key = PublicKey::parse(digits("public_key")?);
        Ok(Self {
            store: StoreId(from_hex(digits("store")?).ok_or_else(|| short("store"))?),
            number: number("number")?,
            seq: number("seq")?,
            chain: Hash(from_hex(digits("chain")?).ok_or_else(|| short("chain"))?),
            at: Timestamp::from_unix_seconds(at),
            key: key.map_err(|_| short("public_key"))?,
            signature: from_hex(digits("signature")?)
                .ok_or_else(|| short("signature"))?,
        })
    }

    /// Whether `key` signed it.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        key.signed(&self.message(), &self.signature)
    }

    /// What was signed.
    fn message(&self) -> Vec<u8> {
        let mut message = TAG.to_vec();
        message.extend(self.store.0);
        message.extend(self.number.to_le_bytes());
        message.extend(self.seq.to_le_bytes());
        message.extend(self.chain.0);
        message.extend(self.at.as_unix_seconds().to_le_bytes());
        message
    }

    /// What the journal says of it.
    pub(super) fn named(&self) -> Named {
        let mut bytes = self.message();
        bytes.extend(self.signature);
        Named { number: self.number, hash: Hash::of(&bytes) }
    }

    /// What a row says, if its parts have the right lengths.
    pub(super) fn of(
        row: &CheckpointRow,
        store: StoreId,
        key: PublicKey,
    ) -> Option<Self> {
        Some(Self {
            store,
            number: u64::try_from(row.number).ok()?,
            seq: u64::try_from(row.seq).ok()?,
            chain: Hash(row.chain.as_slice().try_into().ok()?),
            at: Timestamp::from_unix_seconds(row.at),
            key,
            signature: row.signature.as_slice().try_into().ok()?,
        })
    }
}

/// What a record says of the checkpoint that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) number: u64,
    pub(super) hash: Hash,
}

impl Named {
    /// What a record says, if it names a checkpoint.
    pub(super) fn of(row: &Row) -> Option<Self> {
        if Kind::from_number(row.kind) != Some(Kind::Checkpoint) {
            return None;
        }
        let (number, hash) = row.bytes.split_first_chunk::<8>()?;
        Some(Self {
            number: u64::from_le_bytes(*number),
            hash: Hash(hash.try_into().ok()?),
        })
    }

    fn to_bytes(self) -> Vec<u8> {
        let mut bytes = self.number.to_le_bytes().to_vec();
        bytes.extend(self.hash.0);
        bytes
    }
}

impl Store {
    /// Signs where the journal stands now.
    ///
    /// # Errors
    ///
    /// [`StoreError::OtherKey`] when `key` is not the one pinned, and as
    /// [`append`](Self::append); after one it can be signed again.
    pub async fn checkpoint(
        &mut self,
        key: &Key,
        at: Timestamp,
    ) -> Result<Checkpoint, StoreError> {
        if key.public() != self.key {
            return Err(StoreError::OtherKey {
                pinned: self.key.to_string(),
                found: key.public().to_string(),
            });
        }
        let tail = self.ready().await?;
        let last =
            self.ask(async |back| back.last_checkpoint().await).await?.unwrap_or(0);
        let mut checkpoint = Checkpoint {
            store: self.id,
            number: u64::try_from(last).unwrap_or(0) + 1,
            seq: tail.seq,
            chain: tail.chain,
            at,
            key: self.key,
            signature: [0; 64],
        };
        checkpoint.signature = key.sign(&checkpoint.message());
        let (row, after) =
            own_row(tail, at, Kind::Checkpoint, checkpoint.named().to_bytes());
        let beside = CheckpointRow {
            number: last + 1,
            seq: row.seq - 1,
            at: at.as_unix_seconds(),
            chain: checkpoint.chain.0.to_vec(),
            signature: checkpoint.signature.to_vec(),
        };
        let rows = std::slice::from_ref(&row);
        let _: Tail = self.write(tail, after, rows, &Beside::Checkpoint(&beside)).await?;
        Ok(checkpoint)
    }

    /// Checkpoints from a number on, at most 1,000, to be given to a witness.
    /// Nothing is checked: that is for [`verify()`](super::verify()).
    pub async fn checkpoints(
        &mut self,
        from: u64,
    ) -> Result<Vec<Checkpoint>, StoreError> {
        let from = i64::try_from(from).unwrap_or(i64::MAX);
        let rows = self.ask(async |back| back.checkpoints(from).await).await?;
        let (store, key) = (self.id, self.key);
        Ok(rows.iter().filter_map(|row| Checkpoint::of(row, store, key)).collect())
    }

    /// The last checkpoint, if there is any.
    pub async fn last_checkpoint(&mut self) -> Result<Option<Checkpoint>, StoreError> {
        match self.ask(async |back| back.last_checkpoint().await).await? {
            Some(last) => {
                let from = u64::try_from(last).unwrap_or(0);
                Ok(self.checkpoints(from).await?.pop())
            }
            None => Ok(None),
        }
    }
}
