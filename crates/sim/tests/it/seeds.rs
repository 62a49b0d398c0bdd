//! Worlds that must hold: those that once found something, and a fixed list.

use std::path::Path;

use sim::World;
use sim::run::{Tally, prove};

/// The seeds kept in `seeds/`: each file has the seed and what it found.
fn kept() -> Vec<(String, u64)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let files = std::fs::read_dir(&folder).expect("a folder of seeds");
    let mut kept: Vec<(String, u64)> = files
        .map(|file| file.expect("a readable folder").path())
        .filter(|path| path.is_file())
        .map(|path| {
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
fn seeds_that_once_found_something_hold() {
    let kept = kept();
    assert!(kept.len() >= 7, "found only {} seeds", kept.len());
    for (file, seed) in kept {
        if let Err(failure) = prove(seed) {
            panic!("{file}\n{failure}");
        }
    }
}

#[test]
fn fixed_seeds_hold_and_everything_happens_in_them() {
    let mut tally = Tally::default();
    for seed in 1..=150 {
        match prove(seed) {
            Ok(proof) => tally = tally.with(proof.tally),
            Err(failure) => panic!("{failure}"),
        }
    }
    // A run in which nothing goes wrong proves nothing.
    for (what, count) in tally.parts() {
        assert!(count >= 20, "expected {what} in 150 worlds, found {count}");
    }
}

#[test]
fn a_run_repeated_says_the_same() {
    for seed in [1, 5, 9] {
        let (first, again) = (prove(seed), prove(seed));
        assert!(first.is_ok());
        assert_eq!(first, again, "seed {seed}");
        assert_ne!(
            first.map(|proof| proof.digest),
            prove(seed + 1_000).map(|proof| proof.digest)
        );
    }
}

#[test]
fn parts_of_a_world_do_not_move_one_another() {
    use engine::{Event, Signal};
    let weather = |world: &World| -> Vec<Signal> {
        let signals =
            world.happenings.iter().filter_map(|happening| match &happening.event {
                Event::Signal(signal @ Signal::Temperature(_)) => Some(signal.clone()),
                Event::Signal(_)
                | Event::Tick(_)
                | Event::Wake
                | Event::Receipt(_)
                | Event::Operator { .. }
                | Event::Trouble { .. }
                | Event::Resume
                | Event::Estate(_)
                | Event::Change(_) => None,
            });
        signals.collect()
    };
    let calm = sim::world::Options::calm();
    let mut crowded = calm.clone();
    crowded.import_limit_ppm = 900_000;
    crowded.request_ppm = 900_000;
    let (one, other) = (World::draw_with(3, calm), World::draw_with(3, crowded));
    assert_ne!(one.happenings.len(), other.happenings.len());
    assert_eq!(one.site, other.site);
    assert_eq!(weather(&one), weather(&other));
    assert!(!weather(&one).is_empty());
}
