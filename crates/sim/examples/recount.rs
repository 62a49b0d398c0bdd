//! Settles worlds both ways: `recount [--brief | --text] SEED...`, where a seed may
//! be a range such as `1..=10000`. `--brief` prints one line a failure, `--text`
//! prints what was drawn and settles nothing.
#![expect(clippy::print_stdout, reason = "a command line answers on standard output")]
#![expect(clippy::disallowed_methods, reason = "a command line reads its arguments")]

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use sim::recount::{Compared, compare};
use sim::tenancy::Tenancy;

fn main() -> ExitCode {
    let mut brief = false;
    let mut text = false;
    let mut seeds: Vec<u64> = Vec::new();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--brief" => brief = true,
            "--text" => text = true,
            argument => match seeds_of(argument) {
                Some(range) => seeds.extend(range),
                None => {
                    println!(
                        "expected a seed or a range such as 1..=20, found `{argument}`"
                    );
                    return ExitCode::from(2);
                }
            },
        }
    }
    if text {
        for seed in seeds {
            let tenancy = Tenancy::draw(seed);
            println!("{}\n{}", tenancy.contracts.join("\n# amended by\n"), tenancy.facts);
        }
        return ExitCode::SUCCESS;
    }
    // What a failing settlement says as it stops is part of the failure's report.
    std::panic::set_hook(Box::new(|_| {}));
    let next = AtomicUsize::new(0);
    let outcome = Mutex::new((Compared::default(), 0_usize));
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = prove(*seed);
                    let mut outcome =
                        outcome.lock().unwrap_or_else(PoisonError::into_inner);
                    match result {
                        Ok(compared) => outcome.0 += compared,
                        Err(failure) => {
                            outcome.1 += 1;
                            let lines = if brief { 2 } else { usize::MAX };
                            println!("seed {seed}: ");
                            failure
                                .lines()
                                .take(lines)
                                .for_each(|line| println!("{line}"));
                        }
                    }
                }
            });
        }
    });
    let (compared, failed) = outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!(
        "{} worlds, {} differ; {} statements ({} held), {} lines ({} corrections) agree",
        seeds.len(),
        failed,
        compared.statements,
        compared.held,
        compared.lines,
        compared.corrections
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Settles one world both ways; a failure says what was drawn.
fn prove(seed: u64) -> Result<Compared, String> {
    let result = std::panic::catch_unwind(|| {
        let tenancy = Tenancy::draw(seed);
        compare(&tenancy.versions(), &tenancy.facts(), tenancy.as_of)
            .map_err(|failure| format!("{failure}\n{}", tenancy.contracts.join("\n")))
    });
    result.unwrap_or_else(|panic| {
        let said = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("stopped: {}", said.unwrap_or_default()))
    })
}

fn seeds_of(text: &str) -> Option<Vec<u64>> {
    match text.split_once("..=") {
        Some((first, last)) => Some((first.parse().ok()?..=last.parse().ok()?).collect()),
        None => Some(vec![text.parse().ok()?]),
    }
}
