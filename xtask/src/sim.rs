//! `cargo xtask sim`: worlds drawn from seeds, and what must always be true in them.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;

use crate::shell::{cargo, root, run as carry_out};

/// The seeds that always run.
const FIXED: &str = "1..=500";

/// How many fresh seeds run beside them.
const FRESH: u64 = 200;

/// What `cargo xtask sim` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct SimArgs {
    /// The seed to draw a world from; without one the fixed list and fresh seeds.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// How many seeds, from that one on.
    #[arg(long, default_value_t = 1, requires = "seed")]
    pub(crate) count: u64,
    /// Print a line for every tick.
    #[arg(long)]
    pub(crate) verbose: bool,
}

#[expect(clippy::disallowed_methods, reason = "fresh seeds come from the clock")]
pub(crate) fn run(arguments: &SimArgs) -> anyhow::Result<()> {
    let mut command =
        cargo(&["run", "--quiet", "--locked", "-p", "sim", "--example", "sim", "--"]);
    if arguments.verbose {
        command.arg("--verbose");
    }
    match arguments.seed {
        Some(seed) => {
            command.arg(format!("{seed}..={}", seed.saturating_add(arguments.count - 1)))
        }
        None => {
            // Fresh ones from the clock, printed, so that a failure can be had again.
            let now =
                SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
            let first = now.wrapping_mul(1_000);
            command.args(kept()?);
            command.args(["--brief", FIXED, &format!("{first}..={}", first + FRESH - 1)])
        }
    };
    carry_out(&mut command)
}

/// The seeds that once found something: the first line of each file kept.
fn kept() -> anyhow::Result<Vec<String>> {
    let mut seeds = Vec::new();
    for file in std::fs::read_dir(root().join("crates/sim/seeds"))? {
        let path = file?.path();
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
