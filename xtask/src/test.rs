//! `cargo xtask test`: installs what the tests need, then runs them.

use std::process::Command;

use anyhow::Result;

use crate::oracles::{self, Oracles};
use crate::shell::{self, cargo, history, quietly};

/// What `cargo xtask test` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct TestArgs {
    /// Run only the comparisons with other programs, over real history.
    #[arg(long)]
    peers: bool,
}

/// A test whose path has this word compares us with a program that we did not
/// write.
const COMPARISON: &str = "oracle";

/// Runs all tests, or the comparisons alone.
pub(crate) fn run(arguments: &TestArgs) -> Result<()> {
    if arguments.peers { comparisons() } else { everything() }
}

/// Installs what the tests need and runs all of them.
pub(crate) fn everything() -> Result<()> {
    let oracles = oracles::install();
    // Examples in documentation first, so that the last line is the tally of
    // everything else.
    start(cargo(&["test", "--workspace", "--locked", "--doc", "--quiet"]), &oracles)?;
    if has_nextest() {
        return start(
            cargo(&["nextest", "run", "--workspace", "--locked", "--no-fail-fast"]),
            &oracles,
        );
    }
    println!("cargo-nextest is not installed: the tests run under `cargo test`");
    let all =
        ["test", "--workspace", "--locked", "--bins", "--lib", "--tests", "--examples"];
    start(cargo(&all), &oracles)
}

/// Runs the comparisons with other programs over real history.
pub(crate) fn comparisons() -> Result<()> {
    if history().is_none() {
        println!(
            "skipped: the comparisons over real history, because ../shared/data is absent"
        );
        return Ok(());
    }
    let oracles = oracles::install();
    let command = if has_nextest() {
        let filter = format!("test({COMPARISON})");
        let run = ["nextest", "run", "--workspace", "--locked", "--no-tests", "warn"];
        let mut command = cargo(&run);
        command.args(["--success-output", "immediate", "-E", &filter]);
        command
    } else {
        cargo(&["test", "--workspace", "--locked", COMPARISON, "--", "--nocapture"])
    };
    start(command, &oracles)
}

fn start(mut command: Command, oracles: &Oracles) -> Result<()> {
    if let Some(python) = oracles.python() {
        command.env("MW_ORACLE_PYTHON", python);
    }
    shell::run(&mut command)
}

fn has_nextest() -> bool {
    quietly(&mut cargo(&["nextest", "--version"])).is_some()
}
