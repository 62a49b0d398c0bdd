//! `cargo xtask kill`: live runs ended at hundreds of points, and what is left of them.

use anyhow::Result;

use crate::shell::{cargo, program, run as carry_out, target};

/// What `cargo xtask kill` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct KillArgs {
    /// How many points.
    #[arg(long, default_value_t = 300)]
    points: usize,
    /// How many at a time.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// One point, as a failure names it; may be given several times.
    #[arg(long, value_name = "POINT")]
    only: Vec<String>,
}

/// Builds the program and ends it.
pub(crate) fn run(arguments: &KillArgs) -> Result<()> {
    let build = [
        "build",
        "--release",
        "--locked",
        "-p",
        "mw",
        "--bin",
        "mw",
        "--example",
        "kill",
    ];
    carry_out(&mut cargo(&build))?;
    let release = target().join("release");
    let mut kill = program(&release.join("examples/kill").display().to_string(), &[]);
    kill.arg("--mw").arg(release.join("mw"));
    kill.arg("--folder").arg(target().join("kill"));
    kill.args(["--points", &arguments.points.to_string()]);
    kill.args(["--jobs", &arguments.jobs.to_string()]);
    for point in &arguments.only {
        kill.args(["--only", point]);
    }
    carry_out(&mut kill)
}
