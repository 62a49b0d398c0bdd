//! `cargo xtask bench`: measures a year's backtest and the cost of a decision, what a
//! live run costs, how fast the optimum ahead is beside other programs, what a plan's
//! futures take beside others, what settling a large contract costs beside DuckDB, or
//! what exporting a large ledger takes.
//!
//! Prints each figure with its command and the machine. Nothing here passes or
//! fails by time, since a slow machine is not a fault; but a plan has a stated bound.

mod dispatch;
mod plan;
mod settle;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::shell::{self, cargo, history, quietly, shown, target};

/// What `cargo xtask bench` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    /// What to measure.
    #[arg(value_enum, default_value_t = What::Backtest)]
    what: What,
    /// Measure a release build from nothing too.
    #[arg(long)]
    build: bool,
    #[command(flatten)]
    dispatch: dispatch::DispatchArgs,
    #[command(flatten)]
    plan: plan::PlanArgs,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// A year's backtest, and the cost of a decision.
    Backtest,
    /// A large contract, beside the same recomputation in DuckDB.
    Settle,
    /// A live run: state, ticks, sweeps, journal, restart; and the simulated machines.
    Live,
    /// The optimum over a horizon, beside HiGHS and PyPSA on the same arrays.
    Dispatch,
    /// A thousand futures of a plan, beside NumPy and PyPSA on the same futures.
    Plan,
    /// A ledger of a million entries, exported for each accounting program.
    Books,
}

/// How often each run is repeated; the median is what is shown.
const RUNS: usize = 5;

/// Measures and prints.
pub(crate) fn run(arguments: &BenchArgs) -> Result<()> {
    println!("{}", machine());
    if arguments.build {
        build_from_nothing()?;
    }
    if arguments.what == What::Dispatch {
        return dispatch::run(&arguments.dispatch);
    }
    if arguments.what == What::Plan {
        return plan::run(&arguments.plan);
    }
    if arguments.what == What::Settle {
        return settle::run();
    }
    shell::run(&mut cargo(&["build", "--release", "--locked", "--package", "mw"]))?;
    match arguments.what {
        What::Live => return live(),
        What::Books => return books(),
        What::Backtest | What::Settle | What::Dispatch | What::Plan => {}
    }
    backtests()?;
    println!("\nThe policy alone, signals to priced rows, on made-up prices:");
    let decide =
        ["run", "--release", "--locked", "--package", "mw", "--example", "decide_cost"];
    shell::run(&mut cargo(&decide))
}

/// What a live run costs, and how fast its simulated site is.
fn live() -> Result<()> {
    let cost =
        ["run", "--release", "--locked", "--package", "mw", "--example", "live_cost"];
    let mut cost = cargo(&cost);
    cost.arg("--").arg("--mw").arg(target().join("release/mw"));
    shell::run(cost.arg("--folder").arg(target().join("bench/live")))?;
    println!("\nThe simulated site alone:");
    let speed =
        ["run", "--release", "--locked", "--package", "sim", "--example", "campus_speed"];
    shell::run(&mut cargo(&speed))
}

/// What exporting a ledger of a million entries takes.
fn books() -> Result<()> {
    let cost =
        ["run", "--release", "--locked", "--package", "mw", "--example", "books_cost"];
    let mut cost = cargo(&cost);
    shell::run(cost.arg("--").arg(target().join("bench/books")))
}

/// A year of five-minute intervals at the large example, start to end of the
/// process: reading the history is inside.
fn backtests() -> Result<()> {
    let folder = target().join("bench");
    let made_up = folder.join("history");
    let mw = target().join("release/mw");
    if !made_up.is_dir() {
        fs::create_dir_all(&folder)?;
        let mut synth = Command::new(&mw);
        synth.args(["history", "synth", "--seed", "7", "--years", "1", "--out"]);
        shell::run(synth.arg(&made_up).current_dir(shell::root()))?;
    }
    let mut cases =
        vec![("made-up prices, seed 7", made_up, vec!["--point", "HB_SYNTH"])];
    match history() {
        Some(real) => {
            let year =
                ["--point", "HB_WEST", "--from", "2024-01-01", "--to", "2025-01-01"];
            cases.push(("hub West, 2024", real, year.to_vec()));
        }
        None => println!("skipped: hub West, 2024, because ../shared/data is absent"),
    }
    for (name, history, rest) in cases {
        println!("\nA year at five minutes, whole process: {name}");
        for out in [None, Some(folder.join("run"))] {
            let command = || backtest(&mw, &history, &rest, out.as_deref());
            println!("$ {}", shown(&command()));
            let cost = median(command, out.as_deref())?;
            println!(
                "  wall {:.2} s, CPU {:.2} s, peak memory {} MB",
                cost.wall.as_secs_f64(),
                cost.cpu.as_secs_f64(),
                cost.memory_kb * 1_024 / 1_000_000
            );
        }
    }
    Ok(())
}

fn backtest(mw: &Path, history: &Path, rest: &[&str], out: Option<&Path>) -> Command {
    let mut command = Command::new(mw);
    command
        .args(["backtest", "examples/childress-750mw", "--history"])
        .arg(history)
        .args(rest);
    if let Some(out) = out {
        command.arg("--out").arg(out);
    }
    command.current_dir(shell::root());
    command
}

/// What one run of a program took.
#[derive(Clone, Copy)]
struct Cost {
    wall: Duration,
    /// User and system, to the hundredth of a second that the kernel counts in.
    cpu: Duration,
    /// The largest resident size, read every two milliseconds.
    memory_kb: u64,
}

fn median(command: impl Fn() -> Command, out: Option<&Path>) -> Result<Cost> {
    let mut costs = Vec::new();
    for _ in 0..RUNS {
        if let Some(out) = out.filter(|out| out.exists()) {
            fs::remove_dir_all(out)?;
        }
        costs.push(measure(&mut command())?);
    }
    costs.sort_by_key(|cost| cost.cpu);
    Ok(costs[RUNS / 2])
}

#[expect(clippy::disallowed_methods, reason = "looks at a running program now and then")]
fn measure(command: &mut Command) -> Result<Cost> {
    let cpu_before = cpu_of_children()?;
    let began = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {}", shown(command)))?;
    let status_file = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut memory_kb = 0;
    let status = loop {
        // A program that has ended has no size any more.
        memory_kb = memory_kb.max(peak_memory(&status_file).unwrap_or(0));
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let wall = began.elapsed();
    if !status.success() {
        bail!("expected success, found {status}: {}", shown(command));
    }
    Ok(Cost { wall, cpu: cpu_of_children()? - cpu_before, memory_kb })
}

/// The largest resident size so far, in kB.
fn peak_memory(status: &Path) -> Option<u64> {
    let text = fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// The CPU time of every program that we started and that has ended.
fn cpu_of_children() -> Result<Duration> {
    let text = fs::read_to_string("/proc/self/stat").context("measuring needs Linux")?;
    // The name in parentheses may hold spaces; what follows it does not. The
    // times of children are fields 16 and 17, in hundredths of a second.
    let (_, rest) = text.rsplit_once(')').context("a process has a name")?;
    let times = rest.split_whitespace().skip(13).take(2).map(str::parse::<u64>);
    let hundredths: u64 = times.sum::<Result<u64, _>>()?;
    Ok(Duration::from_millis(10 * hundredths))
}

/// What it takes to build the program where nothing is built yet.
fn build_from_nothing() -> Result<()> {
    let folder = target().join("bench/from-nothing");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    // Downloads are no part of it.
    shell::run(&mut cargo(&["fetch", "--locked"]))?;
    let mut build = cargo(&["build", "--release", "--locked", "--package", "mw"]);
    let cost = measure(build.env("CARGO_TARGET_DIR", &folder))?;
    fs::remove_dir_all(&folder)?;
    println!(
        "\nRelease build from nothing\n$ {}\n  wall {:.0} s, CPU {:.0} s",
        shown(&build),
        cost.wall.as_secs_f64(),
        cost.cpu.as_secs_f64()
    );
    Ok(())
}

fn program(path: &Path) -> Command {
    Command::new(path)
}

fn machine() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("a CPU of unknown model", |rest| {
            rest.trim_start_matches([' ', '\t', ':'])
        });
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let rustc = quietly(program(Path::new("rustc")).arg("--version")).unwrap_or_default();
    format!("{model}, {cores} cores, {}", rustc.trim())
}
