//! The journal as it grows: the last day of decisions and metered intervals, and the
//! newest events, for everybody who looks or listens.
//!
//! One task reads the store; listeners are told that there is news and take what they
//! have not seen. Nobody who listens slowly holds up anybody else.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use adapters::store::{Access, Store, StoreAddress};
use tokio::sync::watch;
use tracing::warn;
use units::{Interval, Seconds, Timestamp};

use super::document::{DecisionDocument, IntervalDocument};
use super::past::seq_at;
use super::told::{Told, said};
use crate::live::clock::Clock;
use crate::live::journal::read_head;
use crate::live::status::Board;

/// How far back decisions and intervals are kept, in the site's time.
const KEPT: Seconds = Seconds::hours(50);

/// The most of each that is kept.
const KEPT_MAX: usize = 4_000;

/// The most events that are kept for those who come back.
const EVENTS_MAX: usize = 20_000;

/// The most records that are read at the start.
const BACKFILL_MAX: u64 = 300_000;

/// How often it is looked whether the journal has grown.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How long to wait before a store that cannot be read is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// The journal as it grows. Clones are the same feed.
#[derive(Clone, Debug)]
pub struct Feed {
    kept: Arc<Mutex<Kept>>,
    news: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    events: VecDeque<Told>,
    decisions: VecDeque<Arc<DecisionDocument>>,
    intervals: VecDeque<Arc<IntervalDocument>>,
    /// Events of records before this one are gone.
    events_from: u64,
    /// The last record that was read.
    read_to: u64,
    /// From when on decisions and intervals are all there.
    since: Option<Timestamp>,
    /// Whether the backlog is read.
    is_caught_up: bool,
}

/// Why events cannot be taken up again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone {
    /// The first record whose events are still there.
    pub from: u64,
}

impl Feed {
    /// Follows the journal in a store, in a task of its own.
    pub fn follow(address: StoreAddress, board: Board, clock: Clock) -> Self {
        let feed = Self { kept: Arc::default(), news: watch::Sender::new(0) };
        let following = feed.clone();
        tokio::spawn(async move {
            loop {
                if let Err(error) = following.read_on(&address, &board, clock).await {
                    warn!(event = "journal_not_followed", error = format!("{error:#}"));
                }
                tokio::time::sleep(AGAIN_AFTER).await;
            }
        });
        feed
    }

    /// Told whenever a record was read.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// The last record that was read.
    pub fn read_to(&self) -> u64 {
        self.kept().read_to
    }

    /// Events after a record, at most so many, whole records only; and the last
    /// record that was looked at.
    ///
    /// # Errors
    ///
    /// When some of them are gone.
    pub fn events_after(&self, seq: u64, limit: usize) -> Result<(Vec<Told>, u64), Gone> {
        let kept = self.kept();
        if seq + 1 < kept.events_from {
            return Err(Gone { from: kept.events_from });
        }
        let first = kept.events.partition_point(|told| told.seq <= seq);
        let mut events: Vec<Told> = Vec::new();
        for told in kept.events.range(first..) {
            if events.len() >= limit && events.last().is_some_and(|e| e.seq != told.seq) {
                let seen = events.last().map_or(seq, |last| last.seq);
                return Ok((events, seen));
            }
            events.push(told.clone());
        }
        Ok((events, kept.read_to.max(seq)))
    }

    /// The newest decision.
    pub fn decision(&self) -> Option<Arc<DecisionDocument>> {
        self.kept().decisions.back().cloned()
    }

    /// The decisions that touch a time, the earliest first, if they are all kept.
    pub fn decisions(&self, during: Interval) -> Option<Vec<Arc<DecisionDocument>>> {
        let kept = self.kept();
        kept.has(during.start).then(|| {
            let those = kept.decisions.iter();
            those
                .filter(|one| one.start < during.end && during.start < one.end)
                .cloned()
                .collect()
        })
    }

    /// The metered intervals that touch a time, the earliest first, if they are all
    /// kept.
    pub fn intervals(&self, during: Interval) -> Option<Vec<Arc<IntervalDocument>>> {
        let kept = self.kept();
        kept.has(during.start).then(|| {
            let those = kept.intervals.iter();
            those
                .filter(|one| one.start < during.end && during.start < one.end)
                .cloned()
                .collect()
        })
    }

    async fn read_on(
        &self,
        address: &StoreAddress,
        board: &Board,
        clock: Clock,
    ) -> anyhow::Result<()> {
        let mut store = Store::open(address, Access::Read).await?;
        let read_to = self.read_to();
        let (mut site, from) = if read_to > 0 {
            (board.site(), read_to + 1)
        } else {
            let since = clock.now() - KEPT;
            let tail = store.tail().await?.seq;
            let first = seq_at(&mut store, since).await?;
            let from = first.max(tail.saturating_sub(BACKFILL_MAX)).max(1);
            let head = read_head(&mut store).await?;
            let whole = from <= 1;
            let complete_from = if whole {
                Timestamp::from_unix_seconds(i64::MIN / 4)
            } else if first == from {
                since
            } else {
                clock.now()
            };
            self.begin_at(from, complete_from);
            (if whole { Some(Arc::new(head.site)) } else { board.site() }, from)
        };
        let knew = from <= 1 || read_to > 0;
        let mut changes = 0;
        let mut records = store.records(from).await?;
        loop {
            match records.next().await? {
                Some(record) => {
                    if site.is_none() {
                        site = board.site();
                    }
                    let read = || {
                        let estate = board.estate();
                        said(&record, site.as_ref(), estate.as_deref())
                    };
                    let mut said = read()?;
                    // A tenant hears its own names alone: the board soon knows them.
                    while said.events.iter().any(Told::waits_for_names) {
                        tokio::time::sleep(LOOK_EVERY).await;
                        said = read()?;
                    }
                    if let Some(changed) = &said.site {
                        site = Some(Arc::clone(changed));
                        changes += 1;
                        if changes == 1 && !knew {
                            self.kept().forget_words();
                        }
                    }
                    self.take(record.seq, said);
                    self.news.send_replace(record.seq);
                }
                None => {
                    let seq = records.reached().seq;
                    self.caught_up(clock.now());
                    // The board knows first that there is more.
                    while board.status().is_none_or(|status| status.journal.seq <= seq) {
                        tokio::time::sleep(LOOK_EVERY).await;
                    }
                }
            }
        }
    }

    fn begin_at(&self, seq: u64, complete_from: Timestamp) {
        let mut kept = self.kept();
        kept.events_from = seq;
        kept.since = Some(complete_from);
    }

    fn caught_up(&self, now: Timestamp) {
        let mut kept = self.kept();
        kept.is_caught_up = true;
        kept.forget_before(now - KEPT);
    }

    fn take(&self, seq: u64, said: super::told::Said) {
        let mut kept = self.kept();
        kept.read_to = seq;
        kept.decisions.extend(said.decisions.into_iter().map(Arc::new));
        kept.intervals.extend(said.intervals.into_iter().map(Arc::new));
        kept.events.extend(said.events);
        while kept.events.len() > EVENTS_MAX {
            if let Some(gone) = kept.events.pop_front() {
                kept.events_from = gone.seq + 1;
            }
        }
        while kept.decisions.len() > KEPT_MAX {
            if let Some(gone) = kept.decisions.pop_front() {
                kept.since = kept.since.max(Some(gone.end));
            }
        }
        while kept.intervals.len() > KEPT_MAX {
            if let Some(gone) = kept.intervals.pop_front() {
                kept.since = kept.since.max(Some(gone.end));
            }
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("whoever held it let it go whole")
    }

    /// A feed that follows nothing, for tests.
    #[cfg(test)]
    pub(super) fn idle(events: Vec<Told>, events_from: u64) -> Self {
        let read_to = events.last().map_or(0, |told| told.seq);
        let events = events.into();
        let kept = Kept { events, events_from, read_to, ..Kept::default() };
        Self { kept: Arc::new(Mutex::new(kept)), news: watch::Sender::new(read_to) }
    }
}

impl Kept {
    fn has(&self, from: Timestamp) -> bool {
        self.is_caught_up && self.since.is_some_and(|since| since <= from)
    }

    fn forget_before(&mut self, at: Timestamp) {
        while self.decisions.front().is_some_and(|one| one.end < at) {
            self.decisions.pop_front();
            self.since = self.since.max(Some(at));
        }
        while self.intervals.front().is_some_and(|one| one.end < at) {
            self.intervals.pop_front();
            self.since = self.since.max(Some(at));
        }
    }

    /// What was read so far was of another site than it was told by.
    fn forget_words(&mut self) {
        for one in &mut self.decisions {
            let mut without = (**one).clone();
            for (place, load) in without.loads.iter_mut().enumerate() {
                load.load = format!("load {place}");
                load.used_for = None;
                load.explanation = None;
            }
            *one = Arc::new(without);
        }
        for one in &mut self.intervals {
            let mut without = (**one).clone();
            for (place, load) in without.loads.iter_mut().enumerate() {
                load.load = format!("load {place}");
                load.used_for = None;
            }
            *one = Arc::new(without);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::told::EventKind;
    use super::*;

    #[test]
    fn events_are_taken_up_where_they_were_left_or_are_gone() {
        let told = |seq| Told {
            seq,
            kind: EventKind::Alarm,
            tenant: None,
            data: String::new(),
            own: None,
        };
        let feed = Feed::idle([10, 10, 11, 14].map(told).to_vec(), 8);
        let after = |seq, limit| {
            feed.events_after(seq, limit).map(|(events, seen)| {
                (events.iter().map(|told| told.seq).collect::<Vec<_>>(), seen)
            })
        };
        assert_eq!(after(6, 9), Err(Gone { from: 8 }));
        assert_eq!(after(7, 9), Ok((vec![10, 10, 11, 14], 14)));
        assert_eq!(after(10, 9), Ok((vec![11, 14], 14)));
        assert_eq!(after(7, 1), Ok((vec![10, 10], 10)), "a record is told whole");
        assert_eq!(after(14, 9), Ok((vec![], 14)));
    }
}
