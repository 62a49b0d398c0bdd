//! Ends live runs at hundreds of points and checks what is left: `cargo xtask kill`.
#![expect(clippy::print_stdout, reason = "a command line answers on standard output")]

#[path = "../tests/it/live_kill/sweep.rs"]
mod sweep;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use clap::Parser;
use sweep::{Point, Stand, has_strace, points};

/// Ends live runs at many points and checks what is left.
#[derive(Debug, Parser)]
struct Arguments {
    /// The program to end.
    #[arg(long)]
    mw: PathBuf,
    /// A folder for what the runs leave; failures stay in it.
    #[arg(long)]
    folder: PathBuf,
    /// How many points.
    #[arg(long, default_value_t = 300)]
    points: usize,
    /// How many at a time.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// One point, as a failure names it; may be given several times.
    #[arg(long)]
    only: Vec<String>,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    if !has_strace() {
        println!("skipped: ending a run at a call needs `strace` and the right to trace");
        return Ok(ExitCode::SUCCESS);
    }
    let stand = Stand::new(&arguments.mw, &arguments.folder)?;
    let chosen: Vec<Point> = if arguments.only.is_empty() {
        let profile = stand.profile()?;
        println!("calls of one run, by the thread that makes most: {profile:?}");
        points(&profile, arguments.points)
    } else {
        arguments.only.iter().map(|text| Point::parse(text)).collect::<Result<_, _>>()?
    };
    let began = Instant::now();
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(0_usize));
    let (killed, acknowledged) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs.max(1) {
            scope.spawn(|| {
                while let Some(point) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match stand.check(point) {
                        Ok(outcome) => {
                            killed.fetch_add(
                                u64::from(outcome.was_killed),
                                Ordering::Relaxed,
                            );
                            acknowledged
                                .fetch_add(outcome.acknowledged, Ordering::Relaxed);
                        }
                        Err(error) => {
                            let mut failed =
                                failed.lock().expect("nobody panics with it");
                            *failed += 1;
                            println!(
                                "failed: cargo xtask kill --only {point}\n  {error:#}"
                            );
                        }
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner().expect("nobody panicked with it");
    if arguments.only.is_empty()
        && let Err(error) = stand.falls_when_nobody_watches()
    {
        failed += 1;
        println!("failed: a run killed for good\n  {error:#}");
    }
    let ran = chosen.len() + usize::from(arguments.only.is_empty());
    println!(
        "{} points: {} of them ended the run, {} requests were acknowledged before, {:.0} s",
        chosen.len(),
        killed.into_inner(),
        acknowledged.into_inner(),
        began.elapsed().as_secs_f64()
    );
    println!("{} passed, {failed} failed", ran - failed);
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
