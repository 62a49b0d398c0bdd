//! A large contract settled by us and by DuckDB, side by side in one run.
//!
//! Both get the same facts, one thread and all the memory there is. What each
//! computes is compared amount by amount; where they differ the run fails.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::program;
use crate::oracles;
use crate::shell::{self, cargo, quietly, root, target};

/// The peer, at one version.
const REQUIREMENTS: &str = "duckdb==2.0.1\n";

/// How often both are run; the medians are what is shown.
const RUNS: usize = 3;

/// What one run of a program took, in seconds on the processor, and its peak memory.
struct Took {
    read: f64,
    compute: f64,
    memory_kb: f64,
}

/// Runs both and prints what they took.
pub(super) fn run() -> Result<()> {
    let folder = target().join("bench/settle");
    fs::create_dir_all(&folder)?;
    let python = oracles::environment(&target().join("bench/duckdb"), REQUIREMENTS)
        .context("DuckDB cannot be prepared")?;
    let build = ["build", "--release", "--locked", "--package", "settle", "--example"];
    shell::run(cargo(&build).arg("speed"))?;
    println!(
        "\n19,008 trays of 4 GPUs, 61 months, 36 incidents a day; figures agree to the cent:"
    );
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut said = String::new();
    for _ in 0..RUNS {
        let (took, text) = by_us(&folder)?;
        (said, _) = (text, ours.push(took));
        theirs.push(by_duckdb(&python, &folder)?);
    }
    let median = |runs: &[Took], of: fn(&Took) -> f64| {
        let mut all: Vec<f64> = runs.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    for (what, of) in [
        ("computing", (|took| took.compute) as fn(&Took) -> f64),
        ("reading and computing", |took| took.read + took.compute),
    ] {
        let (we, they) = (median(&ours, of), median(&theirs, of));
        println!(
            "  {what}: {we:.3} s, DuckDB {they:.3} s on the processor: {:.1} times",
            they / we
        );
    }
    println!(
        "  peak memory: {:.0} MB, DuckDB {:.0} MB",
        median(&ours, |took| took.memory_kb) * 1_024.0 / 1e6,
        median(&theirs, |took| took.memory_kb) * 1_024.0 / 1e6
    );
    println!("\nThe last of our runs in full:\n{}", said.trim_end());
    Ok(())
}

fn by_us(folder: &Path) -> Result<(Took, String)> {
    let program_path = target().join("release/examples/speed");
    let text = quietly(program(&program_path).arg(folder))
        .context("the settlement did not come to its end")?;
    let after = |label: &str| -> Result<f64> {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(label));
        let word = line.and_then(|rest| rest.split_whitespace().next());
        word.and_then(|word| word.parse().ok())
            .with_context(|| format!("expected `{label}` in what it prints"))
    };
    let took = Took {
        read: after("read, in seconds on the processor:")?,
        compute: after("whole, in seconds on the processor:")?,
        memory_kb: after("VmHWM:")?,
    };
    Ok((took, text))
}

fn by_duckdb(python: &Path, folder: &Path) -> Result<Took> {
    let script = root().join("xtask/src/bench/settle.py");
    let mut command = program(python);
    let text = quietly(command.arg(script).arg(folder)).with_context(|| {
        format!("DuckDB came to other figures: {}", shell::shown(&command))
    })?;
    let after = |key: &str| -> Result<f64> {
        let rest = text.split_once(&format!("\"{key}\": ")).map(|(_, rest)| rest);
        let word = rest.and_then(|rest| rest.split([',', '}']).next());
        word.and_then(|word| word.trim().parse().ok())
            .with_context(|| format!("expected `{key}` in what it prints"))
    };
    Ok(Took {
        read: after("read")?,
        compute: after("compute")?,
        memory_kb: after("memory_kb")?,
    })
}
