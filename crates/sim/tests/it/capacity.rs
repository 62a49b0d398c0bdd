//! Walks through the life of a hundred racks that must hold.

use std::collections::BTreeMap;

use sim::capacity::walk;

#[test]
fn fixed_seeds_hold_and_everything_happens_in_them() {
    let mut counts: BTreeMap<&'static str, u64> = BTreeMap::new();
    for seed in 1..=4 {
        let walked = walk(seed).unwrap_or_else(|broken| panic!("{broken}"));
        assert!(walked.events > 5_000, "seed {seed}: {} events", walked.events);
        for (what, count) in walked.counts {
            *counts.entry(what).or_default() += count;
        }
    }
    // A walk in which nothing goes wrong proves nothing.
    for what in [
        "GPU lost",
        "blocks accepted",
        "blocks given back",
        "blocks handed over",
        "controller silent",
        "critical health",
        "emergencies beside other work",
        "everything came free",
        "health warning",
        "incidents classified",
        "late looks",
        "machines swapped",
        "ordered once more",
        "orders ignored",
        "power cycles",
        "power lost",
        "racks change",
        "racks installed",
        "refused",
        "released by two",
        "reservations",
        "retired slots filled",
        "spares take over",
        "tenants swap machines",
        "trays given back",
        "trays repaired",
        "trays retired",
        "two tenants in one fault",
        "work announced",
        "work called off",
        "work done",
        "work put off",
    ] {
        let count = counts.get(what).copied().unwrap_or(0);
        assert!(count >= 3, "expected {what} in four walks, found {count}: {counts:?}");
    }
}

#[test]
fn a_walk_repeated_is_the_same() {
    let (first, again) = (walk(11), walk(11));
    assert!(first.is_ok(), "{first:?}");
    assert_eq!(first, again);
}
