//! `cargo xtask sim`: worlds drawn from seeds, and what must always be true in them.

use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail, ensure};

use crate::oracles::{self, Oracles};
use crate::scorecard;
use crate::shell::{cargo, root, run as carry_out, shown};

/// The seeds that always run, of sites whose loads are one ideal device each.
pub(crate) const FIXED: &str = "1..=500";

/// The same, of sites known machine by machine. The scorecard counts over them.
pub(crate) const FIXED_LIVE: &str = "1..=60";

/// How many fresh seeds run beside them.
const FRESH: u64 = 200;

/// How many fresh live ones.
const FRESH_LIVE: u64 = 20;

/// How many fresh horizons.
const FRESH_AHEAD: u64 = 300;

/// What `cargo xtask sim` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct SimArgs {
    /// The seed to draw a world from; without one the fixed list and fresh seeds.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// How many seeds, from that one on.
    #[arg(long, default_value_t = 1, requires = "seed")]
    pub(crate) count: u64,
    /// Draw sites known machine by machine, whose process can die.
    #[arg(long, requires = "seed")]
    pub(crate) live: bool,
    /// Draw horizons instead, and compare their optimum with what HiGHS finds.
    #[arg(long, requires = "seed", conflicts_with = "live")]
    pub(crate) ahead: bool,
    /// Print a line for every tick, or horizon.
    #[arg(long, requires = "seed")]
    pub(crate) verbose: bool,
}

pub(crate) fn run(arguments: &SimArgs) -> anyhow::Result<()> {
    let Some(seed) = arguments.seed else { return everything() };
    let mut command = if arguments.ahead {
        let Oracles::Ready(python) = oracles::install() else {
            bail!("expected HiGHS to compare with, found none");
        };
        comparison(&python)
    } else {
        simulation()
    };
    for (given, flag) in [(arguments.live, "--live"), (arguments.verbose, "--verbose")] {
        if given {
            command.arg(flag);
        }
    }
    command.arg(format!("{seed}..={}", seed.saturating_add(arguments.count - 1)));
    carry_out(&mut command)
}

/// The fixed lists, and fresh seeds from the clock, printed, so that a failure can be
/// had again.
#[expect(clippy::disallowed_methods, reason = "fresh seeds come from the clock")]
fn everything() -> anyhow::Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let first = now.wrapping_mul(1_000);
    let fresh = |count| format!("{first}..={}", first + count - 1);
    let mut grouped = simulation();
    grouped.args(kept("crates/sim/seeds")?);
    carry_out(grouped.args(["--brief", FIXED, &fresh(FRESH)]))?;
    let mut live = simulation();
    live.args(kept("crates/sim/seeds/live")?);
    carry_out(live.args(["--live", "--brief", &fresh(FRESH_LIVE)]))?;
    if let Oracles::Ready(python) = oracles::install() {
        carry_out(comparison(&python).arg(fresh(FRESH_AHEAD)))?;
    }
    scorecard::keep(&fixed_live()?)?;
    scorecard::check()
}

/// Runs the fixed live seeds, tells what came of them, and returns it.
fn fixed_live() -> anyhow::Result<String> {
    let mut command = simulation();
    command.args(["--live", "--brief", "--matrix", FIXED_LIVE]);
    println!("\n$ {}", shown(&command));
    let output = command.output().context("cannot start the simulation")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    for line in said.lines().filter(|line| !line.starts_with("matrix ")) {
        println!("{line}");
    }
    ensure!(
        output.status.success(),
        "expected the fixed live seeds to hold, found {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(said)
}

/// The program that proves worlds from seeds.
fn simulation() -> Command {
    cargo(&["run", "--quiet", "--locked", "-p", "sim", "--example", "sim", "--"])
}

/// The program that compares optima over drawn horizons with HiGHS.
fn comparison(python: &Path) -> Command {
    let run = ["run", "--quiet", "--locked", "-p", "sim", "--example", "ahead", "--"];
    let mut command = cargo(&run);
    command.arg("--python").arg(python);
    command
}

/// The seeds that once found something: the first line of each file kept.
fn kept(folder: &str) -> anyhow::Result<Vec<String>> {
    let mut seeds = Vec::new();
    for file in std::fs::read_dir(root().join(folder))? {
        let path = file?.path();
        if path.is_dir() {
            continue;
        }
        let text = std::fs::read_to_string(&path)?;
        let seed = text.lines().next().unwrap_or_default().trim();
        let seed: u64 = seed.parse().with_context(|| {
            format!(
                "{}: expected a seed in its first line, found `{seed}`",
                path.display()
            )
        })?;
        seeds.push(seed.to_string());
    }
    Ok(seeds)
}
