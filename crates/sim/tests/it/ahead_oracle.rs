//! The optimum over a horizon against HiGHS, over horizons drawn from seeds.

use engine::decide::ahead::Solver;
use sim::ahead::json;
use sim::ahead::{draw::draw, shrink::shrink};

use self::peer::{Compared, Peer, agree, answer_of, compare};

mod peer;

/// HiGHS, or `None` and a word why not.
fn highs() -> Option<Peer> {
    let Some(python) = std::env::var_os("MW_ORACLE_PYTHON") else {
        eprintln!("skipped: MW_ORACLE_PYTHON names no Python with highspy");
        return None;
    };
    let peer = Peer::start(&python);
    if peer.is_none() {
        eprintln!("skipped: {} has no highspy", python.to_string_lossy());
    }
    peer
}

#[test]
fn oracle_highs_finds_the_same_optimum() {
    let Some(mut peer) = highs() else { return };
    let mut solver = Solver::default();
    let (mut optima, mut conflicts) = (0, 0);
    for seed in 1..=300 {
        let horizon = draw(seed);
        match compare(&horizon, &mut solver, &mut peer) {
            Ok(Compared::Optimal { .. }) => optima += 1,
            Ok(Compared::Conflict) => conflicts += 1,
            Err(why) => {
                let kind = |why: &str| why.split(':').next().map(str::to_owned);
                let small = shrink(&horizon, |smaller| {
                    let found = compare(smaller, &mut solver, &mut peer);
                    found.is_err_and(|found| kind(&found) == kind(&why))
                });
                panic!(
                    "seed {seed}: {why}\n{}\nagain: cargo xtask sim --ahead --seed {seed}",
                    json::write(&small)
                );
            }
        }
    }
    println!("{optima} optima and {conflicts} conflicts agree");
    assert!(optima > 200 && conflicts > 5, "{optima} optima, {conflicts} conflicts");
}

/// Who checks answers accepts the optimum of a program that is not ours: what is
/// checked is the problem, and nothing of how we solve it.
#[test]
fn oracle_highs_passes_our_checks() {
    let Some(mut peer) = highs() else { return };
    let mut optima = 0;
    for seed in 1..=300 {
        let horizon = draw(seed);
        let Some((objective, answer)) = peer.optimum(&horizon) else { continue };
        optima += 1;
        agree(&horizon, &answer_of(&answer, objective), objective).unwrap_or_else(
            |why| panic!("seed {seed}: {why}\n{}", json::write(&horizon)),
        );
    }
    assert!(optima > 200, "{optima}");
}
