//! Live worlds that must hold: those that once found something, and a fixed list.

use std::path::Path;

use sim::run::live::{Invariant, prove};

/// The seeds kept in `seeds/live/`: each file has the seed and what it found.
fn kept() -> Vec<(String, u64)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds/live");
    let files = std::fs::read_dir(&folder).expect("a folder of seeds");
    let mut kept: Vec<(String, u64)> = files
        .map(|file| {
            let path = file.expect("a readable folder").path();
            let text = std::fs::read_to_string(&path).expect("a readable file");
            let (seed, found) = text.split_once('\n').expect("a seed and a word on it");
            assert!(!found.trim().is_empty(), "{} says what it found", path.display());
            (path.display().to_string(), seed.trim().parse().expect("a seed"))
        })
        .collect();
    kept.sort();
    kept
}

#[test]
fn live_seeds_that_once_found_something_hold() {
    let kept = kept();
    assert!(kept.len() >= 8, "found only {} seeds", kept.len());
    for (file, seed) in kept {
        if let Err(failure) = prove(seed) {
            panic!("{file}\n{failure}");
        }
    }
}

#[test]
fn fixed_live_seeds_hold_and_everything_is_checked_in_them() {
    let mut checked = std::collections::BTreeMap::<Invariant, u64>::new();
    let mut faults = std::collections::BTreeSet::new();
    for seed in 1..=32 {
        match prove(seed) {
            Ok(proof) => {
                for (invariant, count) in proof.counts.checked {
                    *checked.entry(invariant).or_default() += count;
                }
                faults.extend(proof.counts.faults);
            }
            Err(failure) => panic!("{failure}"),
        }
    }
    // A run in which nothing goes wrong proves nothing.
    for invariant in Invariant::ALL {
        let count = checked.get(&invariant).copied().unwrap_or(0);
        assert!(count >= 5, "expected {invariant:?} checked in 32 worlds, found {count}");
    }
    assert!(faults.len() >= 9, "expected nine kinds of faults, found {faults:?}");
}

#[test]
fn a_live_run_repeated_says_the_same() {
    for seed in [1, 2] {
        let (first, again) = (prove(seed), prove(seed));
        assert!(first.is_ok());
        assert_eq!(first, again, "seed {seed}");
    }
}
