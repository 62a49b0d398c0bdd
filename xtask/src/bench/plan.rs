//! `cargo xtask bench plan`: a thousand futures of a plan, beside other programs.
//!
//! Ours runs whole: `mw plan` draws each future, decides its hours twice (with the
//! conversions and without), settles its contracts, and works out loans, tax and value.
//! The same futures are then written down as arrays (`plan_arrays`) and decided again
//!
//! - by vectorised NumPy, in merit order with our bands and whole machines, once each:
//!   energy, cost of power and mining pay have to be ours within [`SAME`], so that the
//!   benchmark is a second opinion of the decision, too;
//! - by PyPSA, a part of the first future as one linear program. It knows no bands, so it
//!   is held against NumPy without them: the objective has to be the same.
//!
//! NumPy and PyPSA are timed from arrays in memory to answers out, and are spared what
//! ours does beside deciding. Fails where programs do not agree, and where ours takes
//! more than [`WALL_MAX`] on two threads or more memory than [`MEMORY_MAX_MB`].

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::dispatch::{PEERS, figure};
use super::measure;
use crate::oracles;
use crate::shell::{self, cargo, program, root, shown, target};

/// What `cargo xtask bench plan` takes besides.
#[derive(Debug, clap::Args)]
pub(super) struct PlanArgs {
    /// plan: how many futures.
    #[arg(long, default_value_t = 1_000)]
    paths: u64,
    /// plan: how many hours PyPSA solves; 0 leaves it out.
    #[arg(long, default_value_t = 8_760)]
    pypsa_hours: u64,
}

/// The longest that a thousand futures may take, on two threads.
const WALL_MAX: Duration = Duration::from_secs(60);

/// What we want it to take.
const WALL_AIM: Duration = Duration::from_secs(15);

/// The most memory.
const MEMORY_MAX_MB: u64 = 1_000;

/// How far NumPy's means over futures may be from ours: under a limit it serves the
/// worthiest first, where ours lets what runs run.
const SAME: f64 = 1e-3;

/// How far PyPSA's objective may be from the merit order's.
const SAME_LP: f64 = 1e-6;

const PLAN: &str = "examples/childress-750mw";
const SEED: &str = "1";

/// Runs ours and its peers, and prints how they compare.
pub(super) fn run(arguments: &PlanArgs) -> Result<()> {
    let python = oracles::environment(&target().join("bench/peers"), PEERS)?;
    let folder = target().join("bench/plan");
    fs::create_dir_all(&folder)?;
    let build = ["build", "--release", "--locked", "--package", "mw", "--bins"];
    shell::run(cargo(&build).args(["--example", "plan_arrays"]))?;

    let paths = arguments.paths.to_string();
    let mut ours = program(&text_of(&target().join("release/mw"))?, &["plan", PLAN]);
    ours.args(["--paths", &paths, "--seed", SEED, "--threads", "2", "--json"]);
    ours.current_dir(root());
    println!("\n{paths} futures of {PLAN}, hour by hour, whole\n$ {}", shown(&ours));
    let cost = measure(&mut ours)?;
    let (wall, cpu) = (cost.wall.as_secs_f64(), cost.cpu.as_secs_f64());
    let memory_mb = cost.memory_kb * 1_024 / 1_000_000;
    println!("  wall {wall:.2} s, CPU {cpu:.2} s, peak memory {memory_mb} MB");

    let mut arrays =
        program(&text_of(&target().join("release/examples/plan_arrays"))?, &[PLAN]);
    arrays.args([&paths, SEED]).arg(&folder).current_dir(root());
    println!("\nThe same futures as arrays");
    shell::run(&mut arrays)?;
    let site = fs::read_to_string(folder.join("plan.json"))?;
    let hours = figure(&site, "days")? * 24.0;
    let drawing = figure(&site, "drawing_s")? / arguments.paths as f64;

    let numpy = say(python_of(&python, &folder, "numpy"))?;
    let mut apart = Vec::new();
    for name in ["mining_mwh", "contract_mwh", "let_mwh", "power_usd", "pay_usd"] {
        let off = figure(&numpy, &format!("off_{name}"))?;
        println!(
            "  {name}: within {off:.1e} of ours over all, {:.1e} in any future",
            figure(&numpy, &format!("apart_{name}"))?
        );
        if off > SAME {
            apart.push(format!(
                "{name}: expected NumPy within {SAME:e} of ours, found {off:e}"
            ));
        }
    }
    let each = cpu / arguments.paths as f64;
    let merit = figure(&numpy, "cpu_s")? / arguments.paths as f64;
    let mut lines = vec![
        ("mw plan: draws, two lives, settlement, loans, tax, value".to_owned(), each),
        ("  of it drawing markets, once".to_owned(), drawing),
        ("NumPy: merit order of one life, arrays given".to_owned(), merit),
    ];
    if arguments.pypsa_hours > 0 {
        let mut command = python_of(&python, &folder, "pypsa");
        command.arg(arguments.pypsa_hours.to_string());
        let pypsa = say(command)?;
        let (found, expected) = (figure(&pypsa, "objective")?, figure(&pypsa, "merit")?);
        if (found - expected).abs() > SAME_LP * expected.abs() {
            apart.push(format!("expected PyPSA to find {expected}, found {found}"));
        }
        let share = figure(&pypsa, "hours")? / hours;
        let what =
            format!("PyPSA: one life, scaled from {} hours", arguments.pypsa_hours);
        lines.push((what, figure(&pypsa, "cpu_s")? / share));
    }
    println!(
        "\n{hours} hours a future, no look-ahead: an hour is decided on what is known then; CPU seconds a future\n\
         {:<58}{:>10}{:>10}",
        "", "seconds", "to ours"
    );
    for (what, seconds) in &lines {
        println!("{what:<58}{seconds:>10.5}{:>9.2}x", seconds / each);
    }
    println!(
        "wall {wall:.1} s for {paths}, {} s at most and {} s wanted; {memory_mb} MB, {MEMORY_MAX_MB} at most",
        WALL_MAX.as_secs(),
        WALL_AIM.as_secs()
    );
    // Another number of futures is another bound.
    let most = WALL_MAX.as_secs_f64() * (arguments.paths as f64 / 1_000.0).max(1.0);
    if wall > most {
        apart.push(format!("expected at most {most:.0} s, found {wall:.1} s"));
    }
    if memory_mb > MEMORY_MAX_MB {
        apart.push(format!("expected at most {MEMORY_MAX_MB} MB, found {memory_mb}"));
    }
    if !apart.is_empty() {
        bail!("expected programs to agree and bounds to hold:\n{}", apart.join("\n"));
    }
    Ok(())
}

fn text_of(path: &Path) -> Result<String> {
    Ok(path.to_str().context("the target folder is not UTF-8")?.to_owned())
}

/// The script of the peers, on one core.
fn python_of(python: &PathBuf, folder: &Path, peer: &str) -> Command {
    let mut command = Command::new(python);
    command.arg(root().join("xtask/plan/merit.py")).arg(peer).arg(folder);
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    for threads in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"] {
        command.env(threads, "1");
    }
    command
}

/// Runs a program and returns its last line, which is printed.
fn say(mut command: Command) -> Result<String> {
    println!("$ {}", shown(&command));
    let output =
        command.output().with_context(|| format!("cannot start {}", shown(&command)))?;
    if !output.status.success() {
        bail!(
            "expected success, found {}: {}\n{}",
            output.status,
            shown(&command),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().last().unwrap_or_default().to_owned();
    println!("  {line}");
    Ok(line)
}
