//! Walks a whole store and lists what is wrong with it.
//!
//! It trusts nothing but SHA-256, the public key it is given and the
//! checkpoints that a witness kept. Without a key it takes the store's own,
//! which then proves only that one key signed everything.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use super::back::{Back, CheckpointRow, Row};
use super::chain::{Hash, StoreId};
use super::checkpoint::{self, Checkpoint};
use super::key::PublicKey;
use super::read::Pages;
use super::record::Kind;
use super::snapshot::{self, KEPT};
use super::{Store, StoreError, Tail};

/// The most findings that are listed; the rest are counted.
const FINDINGS_MAX: usize = 100;

/// What a store is compared with.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// The key that must have signed, from a source other than the store.
    pub key: Option<PublicKey>,
    /// Checkpoints that a witness kept.
    pub witnessed: Vec<Checkpoint>,
}

/// What was read and what is wrong with it.
#[derive(Clone, Debug)]
#[must_use = "a verdict that nobody reads finds nothing"]
pub struct Verdict {
    /// Which store.
    pub store: StoreId,
    /// The key that signatures were checked with.
    pub key: PublicKey,
    /// How many records there are.
    pub records: u64,
    /// Where the journal ends.
    pub tail: Tail,
    /// How many snapshots are kept.
    pub snapshots: u64,
    /// How many checkpoints there are.
    pub checkpoints: u64,
    /// The last record that a good checkpoint covers, the store's or a
    /// witness's. Records after it are chained and not signed: who can write
    /// to the database could have replaced them.
    pub covered: u64,
    /// What is wrong, in the order it was met; at most 100.
    pub findings: Vec<Finding>,
    /// How many more findings there are than are listed.
    pub unlisted: u64,
}

/// Something that is wrong with a store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// The database finds its own file damaged.
    Database(String),
    /// Reading stopped, because the database could not read on.
    Unreadable {
        /// The first record that was not read.
        from: i64,
        /// What the database said.
        why: String,
    },
    /// A record has a number that no record can have.
    Misnumbered(i64),
    /// Records are missing, from the first to the last of them.
    Missing(i64, i64),
    /// A record does not follow from the one before it: it or its hash was
    /// edited, or another record stands in its place.
    Altered(i64),
    /// A record is of no known kind.
    UnknownKind(i64, i64),
    /// A snapshot is not what the journal says.
    SnapshotAltered(i64),
    /// A snapshot that should be kept is not there.
    SnapshotMissing(i64),
    /// There is a snapshot that no record names.
    SnapshotInserted(i64),
    /// A checkpoint is not what the journal says.
    CheckpointAltered(i64),
    /// A checkpoint that the journal names is not there.
    CheckpointMissing(u64),
    /// There is a checkpoint that no record names.
    CheckpointInserted(i64),
    /// A checkpoint's signature is not that of the key.
    BadSignature(i64),
    /// The journal had another chain value when a checkpoint was signed.
    CheckpointDiffers {
        /// Which checkpoint.
        number: u64,
        /// The record up to which something differs.
        seq: u64,
    },
    /// The journal ends before a checkpoint.
    CutShort {
        /// Which checkpoint.
        number: u64,
        /// The last record when it was signed.
        seq: u64,
        /// The last record now.
        last: u64,
    },
    /// The store names another key than is expected.
    OtherKey {
        /// The key expected, in hexadecimal digits.
        expected: String,
        /// The key in the store.
        found: String,
    },
    /// What a witness kept is of another store.
    WitnessOfOtherStore {
        /// The checkpoint's number.
        number: u64,
        /// The store it names.
        store: StoreId,
    },
    /// What a witness kept is not signed by the key.
    WitnessNotSigned(u64),
    /// The journal had another chain value when the witness was given it.
    WitnessDiffers {
        /// Which checkpoint.
        number: u64,
        /// The record up to which something differs.
        seq: u64,
    },
    /// The journal ends before what a witness was given.
    WitnessCutShort {
        /// Which checkpoint.
        number: u64,
        /// The last record when it was signed.
        seq: u64,
        /// The last record now.
        last: u64,
    },
}

impl Verdict {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }

    /// How many findings there are.
    pub fn count(&self) -> u64 {
        self.findings.len() as u64 + self.unlisted
    }

    fn note(&mut self, finding: Finding) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        } else {
            self.unlisted += 1;
        }
    }
}

/// Reads everything in a store and says what is wrong with it.
///
/// `progress` is told how many records were read, of how many. The store may
/// be written to meanwhile: what is verified is its state when this began.
///
/// # Errors
///
/// When the store cannot be read at all. A damaged file is a finding.
pub async fn verify(
    store: &mut Store,
    expected: &Expected,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<Verdict, StoreError> {
    let (id, pinned, shown) = (store.id, store.key, store.address.to_string());
    let key = expected.key.unwrap_or(pinned);
    let mut verdict = Verdict {
        store: id,
        key,
        records: 0,
        tail: Tail { seq: 0, chain: Hash::first(id, &pinned) },
        snapshots: 0,
        checkpoints: 0,
        covered: 0,
        findings: Vec::new(),
        unlisted: 0,
    };
    if key != pinned {
        verdict.note(Finding::OtherKey {
            expected: key.to_string(),
            found: pinned.to_string(),
        });
    }
    let back = store.connected().await?;
    let begun = back.begin_to_read().await;
    begun.map_err(|error| StoreError::of(&shown, error))?;
    let walked = Walk::begin(&mut verdict, expected, pinned).over(back, progress).await;
    let ended = match walked {
        Ok(()) => back.commit().await,
        Err(error) => Err(error),
    };
    if let Err(error) = ended {
        store.disconnect().await;
        store.tail = None;
        let error = StoreError::of(&shown, error);
        let StoreError::Corrupt { source, .. } = error else {
            return Err(error);
        };
        let from = i64::try_from(verdict.tail.seq).unwrap_or(i64::MAX).saturating_add(1);
        verdict.note(Finding::Unreadable { from, why: source.to_string() });
    }
    Ok(verdict)
}

/// What is remembered between records.
struct Walk<'a> {
    verdict: &'a mut Verdict,
    expected: &'a Expected,
    pinned: PublicKey,
    /// The number that comes next.
    next: i64,
    /// What the next record may follow from: the chain value in the last row,
    /// and the one that the row should have. They differ after an edit, and
    /// then either may be the one that was left alone. None after a gap.
    links: Vec<Hash>,
    /// The store's own checkpoints, by the record they cover.
    due: BTreeMap<i64, Vec<Checkpoint>>,
    /// Those of them that no record has named so far, by number.
    unnamed: BTreeMap<i64, Option<checkpoint::Named>>,
    /// The same for what a witness kept.
    witnessed: BTreeMap<u64, Vec<&'a Checkpoint>>,
    /// The last records that name snapshots.
    named: VecDeque<(i64, snapshot::Named)>,
}

impl<'a> Walk<'a> {
    fn begin(
        verdict: &'a mut Verdict,
        expected: &'a Expected,
        pinned: PublicKey,
    ) -> Self {
        let links = vec![verdict.tail.chain];
        Self {
            verdict,
            expected,
            pinned,
            next: 1,
            links,
            due: BTreeMap::new(),
            unnamed: BTreeMap::new(),
            witnessed: BTreeMap::new(),
            named: VecDeque::new(),
        }
    }

    async fn over(
        mut self,
        back: &mut Back,
        progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<(), sqlx::Error> {
        for line in back.own_check().await? {
            self.verdict.note(Finding::Database(line));
        }
        self.witnesses();
        self.checkpoints(back).await?;
        let all =
            back.tail().await?.map_or(0, |(seq, _, _)| u64::try_from(seq).unwrap_or(0));
        let mut pages = Pages::from(i64::MIN);
        loop {
            let page = pages.next(back).await?;
            if page.is_empty() {
                break;
            }
            for row in &page {
                self.record(row);
            }
            progress(self.verdict.records.min(all), all);
        }
        self.end();
        self.snapshots(back).await
    }

    /// What a witness kept, before it is compared with the journal.
    fn witnesses(&mut self) {
        for kept in &self.expected.witnessed {
            let number = kept.number;
            if kept.store != self.verdict.store {
                let store = kept.store;
                self.verdict.note(Finding::WitnessOfOtherStore { number, store });
            } else if !kept.is_signed_by(&self.verdict.key) {
                self.verdict.note(Finding::WitnessNotSigned(number));
            } else {
                self.witnessed.entry(kept.seq).or_default().push(kept);
            }
        }
    }

    /// The store's own checkpoints, before they are compared with the journal.
    async fn checkpoints(&mut self, back: &mut Back) -> Result<(), sqlx::Error> {
        let mut from = i64::MIN;
        loop {
            let rows = back.checkpoints(from).await?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            let next = last.number.checked_add(1);
            for row in &rows {
                self.verdict.checkpoints += 1;
                self.checkpoint(row);
            }
            match next {
                Some(next) => from = next,
                None => return Ok(()),
            }
        }
    }

    fn checkpoint(&mut self, row: &CheckpointRow) {
        let read = Checkpoint::of(row, self.verdict.store, self.pinned);
        self.unnamed.insert(row.number, read.as_ref().map(Checkpoint::named));
        match read.filter(|read| read.is_signed_by(&self.verdict.key)) {
            Some(read) => self.due.entry(row.seq).or_default().push(read),
            None => self.verdict.note(Finding::BadSignature(row.number)),
        }
    }

    fn record(&mut self, row: &Row) {
        self.verdict.records += 1;
        if row.seq < 1 {
            return self.verdict.note(Finding::Misnumbered(row.seq));
        }
        if row.seq > self.next {
            self.verdict.note(Finding::Missing(self.next, row.seq - 1));
            // Nothing can be said of whether this one follows; the next can.
            self.links.clear();
        }
        let kind = Kind::from_number(row.kind);
        if kind.is_none() {
            self.verdict.note(Finding::UnknownKind(row.seq, row.kind));
        }
        let number = kind.map_or(0, Kind::number);
        let follows = |link: &Hash| link.then(row.seq, row.at, number, &row.bytes);
        let right: Vec<Hash> = self.links.iter().map(follows).collect();
        let stored = <[u8; 32]>::try_from(row.chain.as_slice()).ok().map(Hash);
        let is_right = stored.is_some_and(|stored| right.contains(&stored));
        if !is_right && (!right.is_empty() || stored.is_none()) {
            self.verdict.note(Finding::Altered(row.seq));
        }
        self.links = if is_right { Vec::new() } else { right };
        self.links.truncate(1);
        self.links.extend(stored);
        self.named_by(row, kind);
        if let Some(stored) = stored {
            self.compare(row.seq, stored);
            self.verdict.tail.chain = stored;
        }
        self.verdict.tail.seq = u64::try_from(row.seq).unwrap_or(0);
        self.next = row.seq.saturating_add(1);
    }

    /// What a record says about the tables beside the journal.
    fn named_by(&mut self, row: &Row, kind: Option<Kind>) {
        match kind {
            Some(Kind::Snapshot) => match snapshot::Named::of(row) {
                Some(named) => {
                    self.named.push_back((row.seq, named));
                    if self.named.len() > usize::try_from(KEPT).unwrap_or(1) {
                        self.named.pop_front();
                    }
                }
                None => self.verdict.note(Finding::SnapshotAltered(row.seq)),
            },
            Some(Kind::Checkpoint) => {
                let Some(named) = checkpoint::Named::of(row) else {
                    return self.verdict.note(Finding::Altered(row.seq));
                };
                let number = i64::try_from(named.number).unwrap_or(-1);
                match self.unnamed.remove(&number) {
                    Some(Some(found)) if found == named => {}
                    Some(_) => self.verdict.note(Finding::CheckpointAltered(number)),
                    None => self.verdict.note(Finding::CheckpointMissing(named.number)),
                }
            }
            Some(Kind::Head | Kind::Step | Kind::Outcome | Kind::Stop) | None => {}
        }
    }

    /// Compares the chain with what was signed about it.
    fn compare(&mut self, seq: i64, stored: Hash) {
        let Ok(number) = u64::try_from(seq) else { return };
        for due in self.due.remove(&seq).unwrap_or_default() {
            if due.chain == stored {
                self.verdict.covered = self.verdict.covered.max(number);
            } else {
                let (number, seq) = (due.number, due.seq);
                self.verdict.note(Finding::CheckpointDiffers { number, seq });
            }
        }
        for kept in self.witnessed.remove(&number).unwrap_or_default() {
            if kept.chain == stored {
                self.verdict.covered = self.verdict.covered.max(number);
            } else {
                let (number, seq) = (kept.number, kept.seq);
                self.verdict.note(Finding::WitnessDiffers { number, seq });
            }
        }
    }

    /// What was signed and never met.
    fn end(&mut self) {
        let last = self.verdict.tail.seq;
        for due in std::mem::take(&mut self.due).into_values().flatten() {
            let (number, seq) = (due.number, due.seq);
            // One within the journal covers a record that is missing, which is
            // a finding already.
            if seq > last {
                self.verdict.note(Finding::CutShort { number, seq, last });
            }
        }
        for kept in std::mem::take(&mut self.witnessed).into_values().flatten() {
            let (number, seq) = (kept.number, kept.seq);
            if seq > last {
                self.verdict.note(Finding::WitnessCutShort { number, seq, last });
            }
        }
        for number in std::mem::take(&mut self.unnamed).into_keys() {
            self.verdict.note(Finding::CheckpointInserted(number));
        }
    }

    async fn snapshots(self, back: &mut Back) -> Result<(), sqlx::Error> {
        let kept = back.snapshots().await?;
        self.verdict.snapshots = kept.len() as u64;
        for record in &kept {
            let named =
                self.named.iter().find(|(seq, _)| seq == record).map(|(_, it)| *it);
            let Some(named) = named else {
                self.verdict.note(Finding::SnapshotInserted(*record));
                continue;
            };
            let stored = back.snapshot(*record).await?;
            if !stored.is_some_and(|stored| named.is(&stored)) {
                self.verdict.note(Finding::SnapshotAltered(*record));
            }
        }
        for (record, _) in &self.named {
            if !kept.contains(record) {
                self.verdict.note(Finding::SnapshotMissing(*record));
            }
        }
        Ok(())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(line) => write!(f, "the database file is damaged: {line}"),
            Self::Unreadable { from, why } => {
                write!(f, "the database cannot read on from record {from}: {why}")
            }
            Self::Misnumbered(seq) => write!(f, "a record has the number {seq}"),
            Self::Missing(from, to) if from == to => {
                write!(f, "record {from} is missing")
            }
            Self::Missing(from, to) => write!(f, "records {from} to {to} are missing"),
            Self::Altered(seq) => {
                write!(f, "record {seq} does not follow from the one before it")
            }
            Self::UnknownKind(seq, kind) => {
                write!(f, "record {seq} is of kind {kind}, expected 1 to 6")
            }
            Self::SnapshotAltered(record) => {
                write!(f, "the snapshot of record {record} is not what the journal says")
            }
            Self::SnapshotMissing(record) => {
                write!(f, "the snapshot of record {record} is missing")
            }
            Self::SnapshotInserted(record) => {
                write!(f, "there is a snapshot {record} that the journal does not name")
            }
            Self::CheckpointAltered(number) => {
                write!(f, "checkpoint {number} is not what the journal says")
            }
            Self::CheckpointMissing(number) => {
                write!(f, "checkpoint {number} is missing")
            }
            Self::CheckpointInserted(number) => {
                write!(f, "there is a checkpoint {number} that the journal does not name")
            }
            Self::BadSignature(number) => {
                write!(f, "checkpoint {number} is not signed by the key")
            }
            Self::CheckpointDiffers { number, seq } => write!(
                f,
                "the journal up to record {seq} is not the one that checkpoint {number} signed"
            ),
            Self::CutShort { number, seq, last } => write!(
                f,
                "the journal ends at record {last}; it had {seq} at checkpoint {number}"
            ),
            Self::OtherKey { expected, found } => {
                write!(f, "expected the key {expected}, found {found} in the store")
            }
            Self::WitnessOfOtherStore { number, store } => {
                write!(f, "the witness's checkpoint {number} is of the store {store}")
            }
            Self::WitnessNotSigned(number) => {
                write!(f, "the witness's checkpoint {number} is not signed by the key")
            }
            Self::WitnessDiffers { number, seq } => write!(
                f,
                "the journal up to record {seq} is not the one that the witness's checkpoint \
                 {number} signed"
            ),
            Self::WitnessCutShort { number, seq, last } => write!(
                f,
                "the journal ends at record {last}; it had {seq} at the witness's checkpoint \
                 {number}"
            ),
        }
    }
}
