//! Compares optima over horizons drawn from seeds with what HiGHS finds:
//! `ahead --python PYTHON [--verbose] SEED...`, where a seed may be a range such as
//! `1..=1000`. `--without ramps`, `peaks`, `blocks`, `feeders`, `stores` (but one)
//! takes a feature away from each. `--instance FILE` compares the horizon in a file of JSON instead, and
//! `--whole` prints a failing horizon as it was drawn and not made smaller.
//! `--machines` compares plans with machines that are on or off instead, and says by
//! how much they cost more.
#![expect(clippy::print_stdout, reason = "a command line answers on standard output")]
#![expect(clippy::disallowed_methods, reason = "a command line reads its arguments")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::process::ExitCode;

use engine::decide::ahead::{Horizon, Ramp, Solver};
use sim::ahead::draw::{draw, with_machines};
use sim::ahead::{json, shrink::shrink};

use self::committed::{Excess, compare_committed};
use self::peer::{Compared, Peer, compare};

#[path = "../tests/it/ahead_oracle/committed.rs"]
mod committed;
#[path = "../tests/it/ahead_oracle/peer.rs"]
mod peer;

fn main() -> ExitCode {
    let (mut python, mut verbose, mut whole) = (OsString::from("python3"), false, false);
    let mut horizons: Vec<(String, Horizon)> = Vec::new();
    let (mut without, mut with_them) = (Vec::new(), Vec::new());
    let mut machines = false;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--python" => python = arguments.next().unwrap_or_default().into(),
            "--verbose" => verbose = true,
            "--whole" => whole = true,
            "--machines" => machines = true,
            "--without" => without.extend(arguments.next()),
            "--instance" => {
                let file = arguments.next().unwrap_or_default();
                match in_file(&file) {
                    Ok(horizon) => horizons.push((file, horizon)),
                    Err(error) => {
                        println!("error: {file}: {error}");
                        return ExitCode::from(2);
                    }
                }
            }
            text => {
                let Some(seeds) = seeds_of(text) else {
                    println!("expected a seed or a range such as 1..=20, found `{text}`");
                    return ExitCode::from(2);
                };
                if machines {
                    with_them.extend(seeds);
                    continue;
                }
                horizons.extend(seeds.map(|seed| (format!("seed {seed}"), draw(seed))));
            }
        }
    }
    for (_, horizon) in &mut horizons {
        without.iter().for_each(|feature| take_away(horizon, feature));
    }
    let Some(mut peer) = Peer::start(&python) else {
        println!("expected a Python with highspy, found none at {}", python.display());
        return ExitCode::from(2);
    };
    if machines {
        return commit_all(&with_them, &mut peer, verbose);
    }
    // What a failing solver says as it stops is part of the failure's report.
    std::panic::set_hook(Box::new(|_| {}));
    prove_all(&horizons, &mut peer, verbose, whole)
}

fn commit_all(seeds: &[u64], peer: &mut Peer, verbose: bool) -> ExitCode {
    let mut solver = Solver::default();
    let (mut found, mut failed) = (Vec::new(), 0);
    for seed in seeds {
        let (horizon, machines) = with_machines(*seed);
        let compared = compare_committed(&horizon, &machines, &mut solver, peer);
        if verbose {
            println!("seed {seed}: {} machines, {compared:?}", machines.len());
        }
        match compared {
            Ok(excess) => found.extend(excess),
            Err(why) => {
                failed += 1;
                println!("seed {seed}: {why}");
            }
        }
    }
    println!("{}; {failed} failed", Excess::tell(&found).0);
    if failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn prove_all(
    horizons: &[(String, Horizon)],
    peer: &mut Peer,
    verbose: bool,
    whole: bool,
) -> ExitCode {
    let mut solver = Solver::default();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let (mut windows, mut pivots, mut failed) = (0, 0, 0);
    for (name, horizon) in horizons {
        let compared = compare(horizon, &mut solver, peer);
        if verbose {
            println!("{name}: {compared:?}");
        }
        let count = match compared {
            Ok(Compared::Optimal { windows: own, pivots: steps, general }) => {
                windows += own;
                pivots += steps;
                if general { "optima by the general method" } else { "optima" }.to_owned()
            }
            Ok(Compared::Conflict) => "conflicts".to_owned(),
            Err(why) => {
                failed += 1;
                let kind = kind(&why);
                let small = if whole {
                    horizon.clone()
                } else {
                    shrink(horizon, |smaller| {
                        let found = compare(smaller, &mut solver, peer);
                        found.is_err_and(|found| self::kind(&found) == kind)
                    })
                };
                let again = compare(&small, &mut solver, peer).err().unwrap_or_default();
                println!(
                    "{name} fails: {why}\n  smaller: {again}\n  {}",
                    json::write(&small)
                );
                format!("fail: {kind}")
            }
        };
        *counts.entry(count).or_default() += 1;
    }
    for (what, count) in counts {
        println!("{count:>9} {what}");
    }
    println!("{windows:>9} windows repaired, {pivots} pivots in them");
    if failed > 0 {
        println!("{failed} of {} horizons fail", horizons.len());
        return ExitCode::FAILURE;
    }
    println!("{} horizons hold", horizons.len());
    ExitCode::SUCCESS
}

fn take_away(horizon: &mut Horizon, feature: &str) {
    match feature {
        "ramps" => {
            horizon.grid.ramp = Ramp::FREE;
            horizon.loads.iter_mut().for_each(|load| load.ramp = Ramp::FREE);
        }
        "peaks" => horizon.grid.peaks.clear(),
        "blocks" => horizon.grid.blocks.clear(),
        "feeders" => {
            horizon.feeders.clear();
            horizon.loads.iter_mut().for_each(|load| load.feeder = None);
            horizon.batteries.iter_mut().for_each(|store| store.feeder = None);
        }
        "stores" => horizon.batteries.truncate(1),
        other => println!("note: no feature is called {other}"),
    }
}

/// The words that say what kind of failure it is.
fn kind(why: &str) -> String {
    why.split(':').next().unwrap_or_default().to_owned()
}

fn in_file(file: &str) -> Result<Horizon, String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    let value: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| error.to_string())?;
    // As it is printed, or as it is told to the peer.
    json::read(value.get("horizon").unwrap_or(&value))
}

fn seeds_of(text: &str) -> Option<std::ops::RangeInclusive<u64>> {
    let Some((from, to)) = text.split_once("..=") else {
        let seed = text.parse().ok()?;
        return Some(seed..=seed);
    };
    Some(from.parse().ok()?..=to.parse().ok()?)
}
