//! Running a plan's paths: over threads, until a person stops it, and as shards.
//!
//! Paths are handed out one after the other to whoever is free, and put in order at the
//! end, so that neither threads nor shards change a figure.
//!
//! Invariant: what is kept of a path is whole numbers, so a merged run is the single run.

mod shard;

pub use shard::{Shard, ShardFile};

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use plan::{Outcome, Plan};

/// Paths that were run.
#[derive(Clone, Debug)]
pub struct Paths {
    /// What each came to, in order.
    pub outcomes: Vec<Outcome>,
    /// How many were asked for.
    pub asked: u64,
}

/// Runs `range` of the paths that `seed` grows, on so many threads, until `stop` is set;
/// `done` hears how many are finished.
pub fn run(
    plan: &Plan,
    seed: u64,
    range: Range<u64>,
    threads: usize,
    stop: &AtomicBool,
    done: &(dyn Fn(u64) + Sync),
) -> Paths {
    let asked = range.end - range.start;
    let next = AtomicU64::new(range.start);
    let finished = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= range.end {
                        break;
                    }
                    let outcome = plan.path(seed, number);
                    let mut finished = finished.lock().expect("no thread panicked");
                    finished.insert(number, outcome);
                    done(finished.len() as u64);
                }
            });
        }
    });
    let finished = finished.into_inner().expect("no thread panicked");
    Paths { outcomes: finished.into_values().collect(), asked }
}
