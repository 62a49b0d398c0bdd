//! Reads the record of a run: where a time is in it, and what was decided and metered
//! from there on.

use std::sync::Arc;

use adapters::store::{Access, Store, StoreAddress};
use engine::Site;
use units::{Interval, Timestamp};

use super::document::{DecisionDocument, IntervalDocument};
use super::told::said;

/// The most records that one question reads through.
const RECORDS_MAX: u64 = 20_000;

/// How many bytes of records one question reads through.
const BYTES_MAX: usize = 64 << 20;

/// What was found, and where to go on.
#[derive(Debug, Default)]
pub struct Found {
    /// Decisions of the time asked for.
    pub decisions: Vec<DecisionDocument>,
    /// Metered intervals of that time.
    pub intervals: Vec<IntervalDocument>,
    /// The next record to read; nothing when all was read.
    pub next: Option<u64>,
}

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Decisions.
    Decisions,
    /// Metered intervals.
    Intervals,
}

/// The first record that was made at or after an instant; one past the last where
/// none was.
///
/// # Errors
///
/// When the store cannot be read.
pub async fn seq_at(store: &mut Store, at: Timestamp) -> anyhow::Result<u64> {
    let (mut low, mut high) = (1, store.tail().await?.seq + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        if store.record(middle).await?.at < at {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// Looks through the record from a place, or from the beginning of a time, for at
/// most `limit` of what is wanted that begins in it.
///
/// # Errors
///
/// When the store cannot be read.
pub async fn look(
    address: &StoreAddress,
    site: Option<&Arc<Site>>,
    wanted: Wanted,
    during: Interval,
    place: Option<u64>,
    limit: usize,
) -> anyhow::Result<Found> {
    let mut store = Store::open(address, Access::Read).await?;
    let from = match place {
        Some(place) => place,
        None => seq_at(&mut store, during.start).await?,
    };
    let mut found = Found::default();
    let tail = store.tail().await?.seq;
    if from <= tail {
        let mut site = site.cloned();
        let (mut read, mut bytes) = (0, 0);
        let mut records = store.records(from).await?;
        while let Some(record) = records.next().await? {
            let (seq, at) = (record.seq, record.at);
            // What was metered comes a while after its end.
            let late = match wanted {
                Wanted::Decisions => units::Seconds::ZERO,
                Wanted::Intervals => units::Seconds::hours(1),
            };
            if at >= during.end + late {
                break;
            }
            let said = said(&record, site.as_ref(), None)?;
            if said.site.is_some() {
                site = said.site;
            }
            let inside = |start: Timestamp| during.contains(start);
            match wanted {
                Wanted::Decisions => {
                    let those = said.decisions.into_iter();
                    found.decisions.extend(those.filter(|one| inside(one.start)));
                }
                Wanted::Intervals => {
                    let those = said.intervals.into_iter();
                    found.intervals.extend(those.filter(|one| inside(one.start)));
                }
            }
            read += 1;
            bytes += record.bytes.len();
            let count = found.decisions.len().max(found.intervals.len());
            if count >= limit || read >= RECORDS_MAX || bytes >= BYTES_MAX {
                found.next = (seq < tail).then_some(seq + 1);
                break;
            }
        }
    }
    // What was read stands, however the connection ends.
    drop(store.close().await);
    Ok(found)
}
