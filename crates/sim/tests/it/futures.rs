//! Two futures: worlds that are equal up to an instant and different after it
//! give the same outputs up to it.

use engine::{Input, Notice, Output};
use sim::World;
use sim::run::run;
use units::Timestamp;

/// What the engine said before `until`, notices too: one of a signal from the
/// future tells when it could be known, not what it says.
fn said_before(world: &World, until: Timestamp) -> Vec<(Timestamp, Vec<Output>)> {
    let mut said = Vec::new();
    let keep = |input: &Input, outputs: &[Output]| {
        if input.at < until {
            said.push((input.at, outputs.to_vec()));
        }
    };
    // In another future the world need not come right in time.
    let _ = run(world, keep, |_| {});
    said
}

#[test]
fn two_futures_share_their_past() {
    let mut early = 0;
    let mut different = 0;
    for seed in 1..=40 {
        let world = World::draw(seed);
        for place in [3, world.intervals_faulty / 2] {
            let from = world.interval(place).start;
            let other = world.with_another_future(from, seed + 7);
            let (one, two) = (said_before(&world, from), said_before(&other, from));
            assert_eq!(one, two, "seed {seed}, futures from {from}");
            assert!(!one.is_empty());
            let is_early = |(_, outputs): &(Timestamp, Vec<Output>)| {
                outputs.iter().any(|output| {
                    matches!(output, Output::Notice(Notice::FromTheFuture { .. }))
                })
            };
            early += one.iter().filter(|said| is_early(said)).count();
            let after = world.end();
            different +=
                usize::from(said_before(&world, after) != said_before(&other, after));
        }
    }
    assert!(early > 20, "too few signals came early: {early}");
    assert!(different > 70, "too few futures differ: {different}");
}
