//! Proves worlds from seeds: `sim [--live] [--verbose] [--steps] SEED...`, where a
//! seed may be a range such as `1..=20`. `--live` draws sites known machine by
//! machine, `--capacity` walks through the life of a hundred racks. `--verbose` prints a line a tick, `--steps` every input and what it led
//! to, `--brief` failures alone; `--first` stops at the first, `--until TEXT` at the
//! first that says so. `--matrix` prints what was checked under which faults.
#![expect(clippy::print_stdout, reason = "a command line answers on standard output")]
#![expect(clippy::disallowed_methods, reason = "a command line reads its arguments")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use engine::{Input, Output};
use sim::World;
use sim::run::live::{Fault, Invariant};
use sim::run::{self, LEGEND, Tally};
use sim::world::LiveWorld;

fn main() -> ExitCode {
    let mut manner = Manner::default();
    let mut seeds = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--live" => manner.live = true,
            "--capacity" => manner.capacity = true,
            "--verbose" => manner.verbose = true,
            "--steps" => manner.steps = true,
            "--brief" => manner.brief = true,
            "--first" => manner.until = Some(String::new()),
            "--until" => manner.until = arguments.next(),
            "--matrix" => manner.matrix = true,
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

/// What is run, what is printed, and when it stops.
#[derive(Default)]
struct Manner {
    live: bool,
    capacity: bool,
    verbose: bool,
    steps: bool,
    brief: bool,
    matrix: bool,
    /// Stops at the first failure that says this.
    until: Option<String>,
}

impl Manner {
    /// Whether nothing more needs to be run after this.
    fn is_enough(&self, outcome: &Outcome) -> bool {
        match (&self.until, &outcome.result) {
            (Some(text), Err(failure)) => failure.contains(text),
            (Some(_), Ok(_)) | (None, _) => false,
        }
    }
}

/// How often each invariant was checked in worlds with a fault, and in how many.
#[derive(Default)]
struct Matrix(BTreeMap<(Invariant, Option<Fault>), (u64, u64)>);

impl Matrix {
    fn add(&mut self, checked: &BTreeMap<Invariant, u64>, faults: &BTreeSet<Fault>) {
        for (invariant, count) in checked {
            for fault in faults.iter().copied().map(Some).chain([None]) {
                let (total, worlds) = self.0.entry((*invariant, fault)).or_default();
                *total += count;
                *worlds += 1;
            }
        }
    }

    fn print(&self) {
        for ((invariant, fault), (total, worlds)) in &self.0 {
            let fault = fault.map_or("any".to_owned(), |fault| format!("{fault:?}"));
            println!("matrix {invariant:?} {fault} {total} {worlds}");
        }
    }
}

/// What a world came to: what happened in it, and a line that says so.
struct Outcome {
    counts: Vec<(&'static str, u64)>,
    stood_above: Vec<i64>,
    /// What was checked, and the faults it was checked under.
    checked: Option<(BTreeMap<Invariant, u64>, BTreeSet<Fault>)>,
    result: Result<String, String>,
}

/// Every seed, two at a time, told in the order of the seeds.
fn prove_all(seeds: &[u64], manner: &Manner) -> ExitCode {
    let next = AtomicUsize::new(0);
    let outcomes: Mutex<BTreeMap<usize, Outcome>> = Mutex::default();
    let stop = AtomicUsize::new(usize::MAX);
    let told = manner.verbose || manner.steps;
    let work = || {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(seed) = seeds.get(place) else { return };
            if place > stop.load(Ordering::Relaxed) {
                return;
            }
            let outcome = match (manner.capacity, manner.live) {
                (true, _) => capacity(*seed),
                (false, true) => live(*seed, manner),
                (false, false) => grouped(*seed, manner),
            };
            if manner.is_enough(&outcome) {
                stop.fetch_min(place, Ordering::Relaxed);
            }
            outcomes
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(place, outcome);
        }
    };
    std::thread::scope(|scope| {
        // What is told step by step is told in order.
        for _ in 0..if told { 1 } else { 2 } {
            scope.spawn(work);
        }
    });
    let outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    tell(seeds, outcomes, manner)
}

fn tell(seeds: &[u64], outcomes: BTreeMap<usize, Outcome>, manner: &Manner) -> ExitCode {
    let mut counts: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut stood_above = Vec::new();
    let mut matrix = Matrix::default();
    let mut failed = 0;
    for (place, outcome) in outcomes {
        let seed = seeds[place];
        let enough = manner.is_enough(&outcome);
        if let Some((checked, faults)) = outcome.checked {
            matrix.add(&checked, &faults);
        }
        match outcome.result {
            Ok(line) if manner.brief => drop(line),
            Ok(line) => println!("seed {seed:>20}  {line}"),
            Err(failure) => {
                failed += 1;
                println!("seed {seed:>20}  fails\n{failure}\n");
                if enough {
                    return ExitCode::FAILURE;
                }
            }
        }
        for (name, count) in outcome.counts {
            *counts.entry(name).or_default() += count;
        }
        stood_above.extend(outcome.stood_above);
    }
    for (name, count) in counts {
        println!("{count:>9} {name}");
    }
    if manner.matrix {
        matrix.print();
    }
    stood_above.sort_unstable();
    if let Some(last) = stood_above.len().checked_sub(1) {
        let at = |percent: usize| stood_above[last * percent / 100];
        println!("draw stood above a limit for {} s (p50), {} s (p99)", at(50), at(99));
    }
    if failed > 0 {
        println!("{failed} of {} seeds fail", seeds.len());
        return ExitCode::FAILURE;
    }
    println!("{} seeds hold", seeds.len());
    ExitCode::SUCCESS
}

fn step_teller(manner: &Manner) -> impl FnMut(&Input, &[Output]) {
    let steps = manner.steps;
    move |input, outputs| {
        if steps {
            println!("{} {:?}", input.at, input.event);
            outputs.iter().for_each(|output| println!("    {output:?}"));
        }
    }
}

fn line_teller(manner: &Manner) -> impl FnMut(&str) {
    let verbose = manner.verbose;
    move |text| {
        if verbose {
            println!("{text}");
        }
    }
}

fn grouped(seed: u64, manner: &Manner) -> Outcome {
    let world = World::draw(seed);
    if manner.verbose {
        println!("seed {seed}, {} faults\n{LEGEND}", world.options.mood);
    }
    let done = run::run(&world, step_teller(manner), line_teller(manner));
    let counts = done.as_ref().map_or(Tally::default(), |proof| proof.tally);
    let result = done
        .map(|proof| {
            let (mood, steps, digest) = (proof.mood, proof.steps, proof.digest);
            format!("{mood:6}  {steps:>6} steps  digest {digest:016x}  holds")
        })
        .map_err(|failure| failure.to_string());
    Outcome {
        counts: counts.parts().to_vec(),
        stood_above: Vec::new(),
        checked: None,
        result,
    }
}

fn live(seed: u64, manner: &Manner) -> Outcome {
    let world = LiveWorld::draw(seed);
    if manner.verbose {
        println!(
            "live seed {seed}, {} faults\n{}",
            world.mishaps.mood,
            run::live::LEGEND
        );
    }
    match run::live::run(&world, step_teller(manner), line_teller(manner)) {
        Err(failure) => Outcome {
            counts: Vec::new(),
            stood_above: Vec::new(),
            checked: None,
            result: Err(failure.to_string()),
        },
        Ok(proof) => {
            let (mood, steps, digest) = (proof.mood, proof.steps, proof.digest);
            let line = format!("{mood:6}  {steps:>6} steps  digest {digest:016x}  holds");
            Outcome {
                counts: proof.counts.notes.into_iter().collect(),
                stood_above: proof.counts.stood_above,
                checked: Some((proof.counts.checked, proof.counts.faults)),
                result: Ok(line),
            }
        }
    }
}

fn capacity(seed: u64) -> Outcome {
    let walked = sim::capacity::walk(seed);
    let counts = walked.as_ref().map_or(BTreeMap::new(), |walked| walked.counts.clone());
    Outcome {
        counts: counts.into_iter().collect(),
        stood_above: Vec::new(),
        checked: None,
        result: walked
            .map(|walked| format!("{:>6} events  holds", walked.events))
            .map_err(|broken| broken.to_string()),
    }
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
