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

use plan::{Held, Outcome, Past, Plan, Search, Trials};

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
    let outcomes = spread(range, threads, stop, done, |number| plan.path(seed, number));
    Paths { outcomes, asked }
}

/// Lives `paths` of the futures that `seed` grows, each also in the markets as they were;
/// `done` hears how many are finished.
pub fn hold(
    plan: &Plan,
    past: &Past,
    (seed, paths): (u64, u64),
    threads: usize,
    stop: &AtomicBool,
    done: &(dyn Fn(u64) + Sync),
) -> Vec<Held> {
    spread(0..paths, threads, stop, done, |number| plan.held(past, seed, number))
}

/// Looks through schedules of a plan over `paths` futures that choose and as many others
/// that value, valuing no more than `limit` schedules to choose from; `done` hears how
/// many futures are finished.
pub fn search(
    plan: &Plan,
    seed: u64,
    (paths, limit): (u64, usize),
    threads: usize,
    stop: &AtomicBool,
    done: &(dyn Fn(u64) + Sync),
) -> Search {
    let finished = AtomicU64::new(0);
    let count = |_| done(finished.fetch_add(1, Ordering::Relaxed) + 1);
    let mut run = |plan: &Plan, range: Range<u64>| {
        let asked = range.end - range.start;
        let found = spread(range, threads, stop, &count, |path| plan.glimpse(seed, path));
        (found.len() as u64 == asked).then_some(found)
    };
    let trials =
        Trials { seed, choosing: 0..paths, valuing: paths..2 * paths, run: &mut run };
    plan.search(limit, trials)
}

/// What `of` says of each number, in order, as far as they were reached before `stop`.
fn spread<T: Send>(
    range: Range<u64>,
    threads: usize,
    stop: &AtomicBool,
    done: &(dyn Fn(u64) + Sync),
    of: impl Fn(u64) -> T + Sync,
) -> Vec<T> {
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
                    let found = of(number);
                    let mut finished = finished.lock().expect("no thread panicked");
                    finished.insert(number, found);
                    done(finished.len() as u64);
                }
            });
        }
    });
    finished.into_inner().expect("no thread panicked").into_values().collect()
}
