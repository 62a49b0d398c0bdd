//! Reads records in order and checks that each follows from the one before.

use std::collections::VecDeque;

use super::back::{Back, Row};
use super::chain::Hash;
use super::record::{Kind, Record};
use super::{Store, StoreError, Tail, instant};

/// A page of records holds about this many bytes.
const PAGE_BYTES: usize = 4 << 20;

/// The most records in a page, and in the first.
const PAGE_ROWS_MAX: i64 = 512;
const PAGE_ROWS_FIRST: i64 = 32;

/// Pages through rows without holding more than one page.
pub(super) struct Pages {
    next: i64,
    rows: i64,
    ended: bool,
}

/// Records from a number on, one by one.
#[derive(Debug)]
pub struct Records<'a> {
    store: &'a mut Store,
    pages: Pages,
    read: VecDeque<Row>,
    tail: Tail,
}

impl Store {
    /// Reads records from `from` on, up to where the journal ends when its end
    /// is reached. Numbers begin at 1.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchRecord`] when the journal ends before `from - 1`.
    pub async fn records(&mut self, from: u64) -> Result<Records<'_>, StoreError> {
        let from = from.max(1);
        let tail = self.link(from - 1).await?;
        let pages = Pages::from(i64::try_from(from).unwrap_or(i64::MAX));
        Ok(Records { store: self, pages, read: VecDeque::new(), tail })
    }

    /// Reads one record, without checking that it follows from those before it.
    pub async fn record(&mut self, seq: u64) -> Result<Record, StoreError> {
        let number = i64::try_from(seq).unwrap_or(i64::MAX);
        let row = self.ask(async |back| back.page(number, 1).await).await?.pop();
        match row.filter(|row| row.seq == number) {
            Some(row) => self.believed(row),
            None => {
                let last = self.read_tail().await?.seq;
                Err(StoreError::NoSuchRecord { of: seq, last })
            }
        }
    }

    /// The chain after a record; before the first it follows from the store itself.
    async fn link(&mut self, seq: u64) -> Result<Tail, StoreError> {
        if seq == 0 {
            return Ok(Tail { seq, chain: Hash::first(self.id, &self.key) });
        }
        let record = self.record(seq).await?;
        Ok(Tail { seq, chain: record.chain })
    }

    pub(super) fn believed(&self, row: Row) -> Result<Record, StoreError> {
        let altered =
            |seq| StoreError::Altered { address: self.address.to_string(), seq };
        let seq = u64::try_from(row.seq).map_err(|_| altered(0))?;
        let chain = row.chain.try_into().map_err(|_| altered(seq))?;
        let kind =
            Kind::from_number(row.kind).ok_or_else(|| StoreError::UnknownKind {
                address: self.address.to_string(),
                seq,
                kind: row.kind,
            })?;
        Ok(Record {
            seq,
            at: instant(row.at),
            kind,
            bytes: row.bytes,
            chain: Hash(chain),
        })
    }
}

impl Records<'_> {
    /// The next record, or nothing at the end of the journal. Asked again
    /// there, it looks for records that came since.
    ///
    /// # Errors
    ///
    /// [`StoreError::Altered`] at the first record that does not follow from
    /// the one before it.
    pub async fn next(&mut self) -> Result<Option<Record>, StoreError> {
        if self.read.is_empty() {
            self.pages.ended = false;
            let pages = &mut self.pages;
            self.read = self.store.ask(async |back| pages.next(back).await).await?.into();
        }
        let Some(row) = self.read.pop_front() else {
            return Ok(None);
        };
        let kind = u8::try_from(row.kind).unwrap_or(0);
        let expected = self.tail.chain.then(row.seq, row.at, kind, &row.bytes);
        let record = self.store.believed(row)?;
        if record.seq != self.tail.seq + 1 || record.chain != expected {
            let address = self.store.address.to_string();
            return Err(StoreError::Altered { address, seq: self.tail.seq + 1 });
        }
        self.tail = Tail { seq: record.seq, chain: record.chain };
        Ok(Some(record))
    }

    /// Where reading has come to.
    pub fn reached(&self) -> Tail {
        self.tail
    }
}

impl Pages {
    pub(super) fn from(seq: i64) -> Self {
        Self { next: seq, rows: PAGE_ROWS_FIRST, ended: false }
    }

    /// The next rows in order; none at the end.
    pub(super) async fn next(
        &mut self,
        back: &mut Back,
    ) -> Result<Vec<Row>, sqlx::Error> {
        if self.ended {
            return Ok(Vec::new());
        }
        let page = back.page(self.next, self.rows).await?;
        let Some(last) = page.last() else {
            self.ended = true;
            return Ok(page);
        };
        match last.seq.checked_add(1) {
            Some(next) => self.next = next,
            None => self.ended = true,
        }
        let bytes: usize = page.iter().map(|row| row.bytes.len() + 64).sum();
        let fitting = PAGE_BYTES / (bytes / page.len()).max(1);
        self.rows =
            i64::try_from(fitting).unwrap_or(PAGE_ROWS_MAX).clamp(1, PAGE_ROWS_MAX);
        Ok(page)
    }
}

impl std::fmt::Debug for Pages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "from {}", self.next)
    }
}
