//! Proves worlds from seeds: `sim [--verbose] [--steps] SEED...`, where a seed may
//! be a range such as `1..=20`. `--verbose` prints a line a tick, `--steps` every
//! input and what it led to, `--brief` failures alone; `--first` stops at the first.
#![expect(clippy::print_stdout, reason = "a command line answers on standard output")]
#![expect(clippy::disallowed_methods, reason = "a command line reads its arguments")]

use std::process::ExitCode;

use engine::{Input, Output};
use sim::World;
use sim::run::{LEGEND, Tally, run};

fn main() -> ExitCode {
    let mut manner = Manner::default();
    let mut seeds = Vec::new();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--verbose" => manner.verbose = true,
            "--steps" => manner.steps = true,
            "--brief" => manner.brief = true,
            "--first" => manner.first = true,
            text => {
                let Some(range) = seeds_of(text) else {
                    println!("expected a seed or a range such as 1..=20, found `{text}`");
                    return ExitCode::from(2);
                };
                seeds.extend(range);
            }
        }
    }
    // What a failing engine says as it stops is part of the failure's report.
    std::panic::set_hook(Box::new(|_| {}));
    prove_all(&seeds, &manner)
}

/// What is printed, and when it stops.
#[derive(Default)]
struct Manner {
    verbose: bool,
    steps: bool,
    brief: bool,
    first: bool,
}

fn prove_all(seeds: &[u64], manner: &Manner) -> ExitCode {
    let mut tally = Tally::default();
    let mut failed = 0;
    for seed in seeds {
        let world = World::draw(*seed);
        if manner.verbose {
            println!("seed {seed}, {} faults\n{LEGEND}", world.options.mood);
        }
        let line = |text: &str| {
            if manner.verbose {
                println!("{text}");
            }
        };
        let step = |input: &Input, outputs: &[Output]| {
            if manner.steps {
                println!("{} {:?}", input.at, input.event);
                outputs.iter().for_each(|output| println!("    {output:?}"));
            }
        };
        match run(&world, step, line) {
            Ok(proof) => {
                tally = tally.with(proof.tally);
                if !manner.brief {
                    println!(
                        "seed {seed:>20}  {:5}  {:>6} steps  digest {:016x}  holds",
                        proof.mood, proof.steps, proof.digest
                    );
                }
            }
            Err(failure) => {
                failed += 1;
                println!("seed {seed:>20}  fails\n{failure}\n");
                if manner.first {
                    return ExitCode::FAILURE;
                }
            }
        }
    }
    for (name, count) in tally.parts() {
        println!("{count:>9} {name}");
    }
    if failed > 0 {
        println!("{failed} of {} seeds fail", seeds.len());
        return ExitCode::FAILURE;
    }
    println!("{} seeds hold", seeds.len());
    ExitCode::SUCCESS
}

fn seeds_of(text: &str) -> Option<std::ops::RangeInclusive<u64>> {
    match text.split_once("..=") {
        Some((first, last)) => Some(first.parse().ok()?..=last.parse().ok()?),
        None => {
            let seed = text.parse().ok()?;
            Some(seed..=seed)
        }
    }
}
