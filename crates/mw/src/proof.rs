//! What a run's records prove by themselves: decided again, folded, and held
//! against the rules.
//!
//! Two engines walk the record. One steps from the inputs alone, and what it says is
//! compared with what was recorded. The other folds what was recorded, as a restart
//! does, and is compared with the snapshots.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use adapters::store::Snapshot;
use engine::check::{Violation, check_now};
use engine::journal::{Head, Step, is_state_read};
use engine::{Dispatch, Engine, Event, MeteredInterval, Notice, OrderBatch, Output};
use units::{Interval, Timestamp};

use crate::capacity::grounds::{Claims, Rests, rests};
use crate::records::{Entry, What};

/// The most findings that are listed; the rest are counted.
const FINDINGS_MAX: usize = 100;

/// Something that a run's records contradict.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// The engine says something else about the recorded input.
    Differs {
        /// Which record.
        seq: u64,
        /// When it was made.
        at: Timestamp,
    },
    /// A step arrived before the one before it.
    OutOfOrder {
        /// Which record.
        seq: u64,
    },
    /// Folding the record leads to another state than the snapshot.
    SnapshotDiffers {
        /// The record that names the snapshot.
        record: u64,
        /// The record after which it was the state.
        of: u64,
    },
    /// Orders of a dispatch that is not the last one before them.
    OrderWithoutDispatch {
        /// Which record.
        seq: u64,
        /// The generation that the orders name.
        generation: u64,
    },
    /// An order to a load that its dispatch does not name.
    OrderWithoutReason {
        /// Which record.
        seq: u64,
        /// The load, by its place in the site.
        load: usize,
    },
    /// A decision is against the rules.
    AgainstTheRules {
        /// Which record.
        seq: u64,
        /// The interval decided.
        during: Interval,
        /// What is wrong with it, first of all.
        first: Violation,
        /// How much is wrong with it.
        count: usize,
    },
    /// Some time was metered a second time.
    MeteredTwice {
        /// Which record.
        seq: u64,
        /// What was metered again.
        during: Interval,
    },
    /// Some time between metered intervals was not metered.
    NotMetered(Interval),
    /// The record ends where it cannot be read on.
    Unreadable(String),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Differs { seq, at } => {
                write!(f, "record {seq} at {at} comes out differently when decided again")
            }
            Self::OutOfOrder { seq } => {
                write!(f, "record {seq} is earlier than the one before it")
            }
            Self::SnapshotDiffers { record, of } => write!(
                f,
                "the snapshot of record {record} is not the state that the records up to {of} lead to"
            ),
            Self::OrderWithoutDispatch { seq, generation } => write!(
                f,
                "record {seq} orders in the name of dispatch {generation}, which is not the last before it"
            ),
            Self::OrderWithoutReason { seq, load } => {
                write!(
                    f,
                    "record {seq} orders load {load}, which its dispatch gives no reason for"
                )
            }
            Self::AgainstTheRules { seq, during, first, count } => write!(
                f,
                "the decision of {during} in record {seq} is against the rules in {count} ways, first {first:?}"
            ),
            Self::MeteredTwice { seq, during } => {
                write!(f, "{during} is metered a second time in record {seq}")
            }
            Self::NotMetered(during) => write!(f, "{during} is not metered"),
            Self::Unreadable(why) => write!(f, "the record cannot be read on: {why}"),
        }
    }
}

/// What was found in a run's records.
#[derive(Clone, Debug, Default)]
#[must_use = "findings that nobody reads prove nothing"]
pub struct Found {
    /// How many steps there were.
    pub steps: u64,
    /// How many decisions.
    pub dispatches: u64,
    /// How many orders to loads.
    pub orders: u64,
    /// How many metered intervals.
    pub metered: u64,
    /// What they cover, from the first to the last.
    pub metered_over: Option<Interval>,
    /// How many snapshots were compared with the state.
    pub snapshots: u64,
    /// How often the run was started, beyond the first time.
    pub starts: u64,
    /// How many decisions are against the rules.
    pub against_the_rules: u64,
    /// What is wrong, in the order it was met; at most 100.
    pub findings: Vec<Finding>,
    /// How many more findings there are than are listed.
    pub unlisted: u64,
}

impl Found {
    fn note(&mut self, finding: Finding) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        } else {
            self.unlisted += 1;
        }
    }

    /// Notes that the record could not be read on.
    pub fn unreadable(&mut self, why: &anyhow::Error) {
        self.note(Finding::Unreadable(format!("{why:#}")));
    }
}

/// A walk along a run's records.
pub struct Walk {
    folded: Engine,
    /// Decides again; absent where that is not asked for.
    again: Option<Engine>,
    /// Snapshots to compare, by the record after which they were the state.
    snapshots: BTreeMap<u64, Snapshot>,
    last: Option<Dispatch>,
    claims: Claims,
    found: Found,
}

/// The engine that a run begins with.
pub fn engine_of(head: &Head) -> Engine {
    if head.by_machine {
        Engine::live(head.site.clone(), head.start)
    } else {
        Engine::new(head.site.clone(), head.start)
    }
}

impl Walk {
    /// Begins after the head. With `again`, every input is decided again.
    pub fn begin(head: &Head, again: bool, snapshots: Vec<Snapshot>) -> Self {
        let folded = engine_of(head);
        let again = again.then(|| folded.clone());
        // A state in another format is for another program to compare.
        let ours = snapshots.into_iter().filter(|kept| is_state_read(kept.format));
        let snapshots = ours.map(|kept| (kept.of, kept)).collect();
        let claims = Claims::default();
        Self { folded, again, snapshots, last: None, claims, found: Found::default() }
    }

    /// Takes in the next record. Returns whether the walk can go on.
    pub fn take(&mut self, entry: &Entry) -> anyhow::Result<bool> {
        if let What::Step(step) = &entry.what {
            if step.input.at < self.folded.at() {
                self.found.note(Finding::OutOfOrder { seq: entry.seq });
                return Ok(false);
            }
            self.step(entry.seq, step)?;
        }
        self.compare(entry.seq)?;
        Ok(true)
    }

    /// What the run's accepted capacity rests on, by the evidence in its folder; nothing
    /// where it has none.
    pub fn rests(&self, folder: &Path) -> Option<Rests> {
        let estate = self.folded.estate().filter(|_| !self.claims.is_empty())?;
        Some(rests(estate, &self.claims, folder))
    }

    /// What was found, once every record was taken in.
    pub fn end(self) -> Found {
        self.found
    }

    fn step(&mut self, seq: u64, step: &Step) -> anyhow::Result<()> {
        self.found.steps += 1;
        self.found.starts += u64::from(matches!(step.input.event, Event::Resume));
        self.folded.fold(step);
        let refused = |output: &Output| {
            matches!(output, Output::Notice(Notice::EstateRefused { .. }))
        };
        if let Event::Estate(event) = &step.input.event
            && !step.outputs.iter().any(refused)
        {
            self.claims.take(event);
        }
        if let Some(again) = &mut self.again {
            let outputs = again.step(&step.input);
            if postcard::to_stdvec(&outputs)? != postcard::to_stdvec(&step.outputs)? {
                self.found.note(Finding::Differs { seq, at: step.input.at });
                // What follows is compared from where the record went on.
                *again = self.folded.clone();
            }
        }
        for output in &step.outputs {
            match output {
                Output::Dispatch(dispatch) => self.dispatch(seq, dispatch),
                Output::Orders(batch) => self.orders(seq, batch),
                Output::Metered(metered) => self.metered(seq, metered),
                Output::ReadBack(_)
                | Output::Keep(_)
                | Output::Notice(_)
                | Output::Alarm(_)
                | Output::Estate(_) => {}
            }
        }
        Ok(())
    }

    fn dispatch(&mut self, seq: u64, dispatch: &Dispatch) {
        self.found.dispatches += 1;
        let wrong = check_now(self.folded.state(), dispatch);
        if let Some(first) = wrong.first() {
            self.found.against_the_rules += 1;
            self.found.note(Finding::AgainstTheRules {
                seq,
                during: dispatch.interval,
                first: first.clone(),
                count: wrong.len(),
            });
        }
        self.last = Some(dispatch.clone());
    }

    fn orders(&mut self, seq: u64, batch: &OrderBatch) {
        self.found.orders += batch.orders.len() as u64;
        let Some(dispatch) =
            self.last.as_ref().filter(|last| last.generation == batch.generation)
        else {
            let generation = batch.generation;
            return self.found.note(Finding::OrderWithoutDispatch { seq, generation });
        };
        for order in &batch.orders {
            if dispatch.entries.get(order.load).is_none() {
                self.found.note(Finding::OrderWithoutReason { seq, load: order.load });
            }
        }
    }

    /// Metered intervals follow each other without a gap, each once.
    fn metered(&mut self, seq: u64, metered: &MeteredInterval) {
        self.found.metered += 1;
        let during = metered.during;
        let Some(over) = &mut self.found.metered_over else {
            self.found.metered_over = Some(during);
            return;
        };
        let end = over.end;
        over.end = end.max(during.end);
        if during.start < end {
            self.found.note(Finding::MeteredTwice { seq, during });
        } else if during.start > end {
            let gap = Interval { start: end, end: during.start };
            self.found.note(Finding::NotMetered(gap));
        }
    }

    /// Compares the snapshot of this record, if one is kept.
    fn compare(&mut self, seq: u64) -> anyhow::Result<()> {
        let Some(kept) = self.snapshots.remove(&seq) else { return Ok(()) };
        self.found.snapshots += 1;
        if postcard::to_stdvec(&self.folded)? != kept.bytes {
            let (record, of) = (kept.record, kept.of);
            self.found.note(Finding::SnapshotDiffers { record, of });
        }
        Ok(())
    }
}
