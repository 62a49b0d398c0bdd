//! `cargo xtask test`: installs what the tests need, then runs them.

use std::process::Command;

use anyhow::Result;

use crate::oracles::{self, Oracles};
use crate::postgres::Postgres;
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

/// The programs that we did not write, as far as they are there.
struct Peers {
    oracles: Oracles,
    focus: Oracles,
    postgres: Option<Postgres>,
}

impl Peers {
    fn start() -> Self {
        oracles::install_accounting();
        Self {
            oracles: oracles::install(),
            focus: oracles::install_focus(),
            postgres: Postgres::start(),
        }
    }
}

/// Runs all tests, or the comparisons alone.
pub(crate) fn run(arguments: &TestArgs) -> Result<()> {
    if arguments.peers { comparisons() } else { everything() }
}

/// Installs what the tests need and runs all of them.
pub(crate) fn everything() -> Result<()> {
    let peers = Peers::start();
    // Examples in documentation first, so that the last line is the tally of
    // everything else.
    start(cargo(&["test", "--workspace", "--locked", "--doc", "--quiet"]), &peers)?;
    if has_nextest() {
        return start(
            cargo(&["nextest", "run", "--workspace", "--locked", "--no-fail-fast"]),
            &peers,
        );
    }
    println!("cargo-nextest is not installed: the tests run under `cargo test`");
    let all =
        ["test", "--workspace", "--locked", "--bins", "--lib", "--tests", "--examples"];
    start(cargo(&all), &peers)
}

/// Runs the comparisons with other programs, over real history where they need it.
pub(crate) fn comparisons() -> Result<()> {
    if history().is_none() {
        println!(
            "skipped: the comparisons over real history, because ../shared/data is absent"
        );
    }
    oracles::install_cluster();
    let peers = Peers::start();
    start(by_library(), &peers)?;
    let command = if has_nextest() {
        let filter = format!("test({COMPARISON})");
        let run = ["nextest", "run", "--workspace", "--locked", "--no-tests", "warn"];
        let mut command = cargo(&run);
        command.args(["--success-output", "immediate", "-E", &filter]);
        command
    } else {
        cargo(&["test", "--workspace", "--locked", COMPARISON, "--", "--nocapture"])
    };
    start(command, &peers)
}

/// The tests of what the default build leaves out: a library that we did not write,
/// behind a door of ours.
fn by_library() -> Command {
    let build = ["test", "--package", "mw", "--locked", "--features", "asic-rs"];
    let mut command = cargo(&build);
    command.args(["--test", "it", "asic_rs_behind"]);
    command
}

fn start(mut command: Command, peers: &Peers) -> Result<()> {
    if let Some(python) = peers.oracles.python() {
        command.env("MW_ORACLE_PYTHON", python);
    }
    if let Some(python) = peers.focus.python() {
        command.env("MW_ORACLE_FOCUS_PYTHON", python);
    }
    if let Some(postgres) = &peers.postgres {
        command.env("MW_ORACLE_POSTGRES", postgres.address());
    }
    shell::run(&mut command)
}

fn has_nextest() -> bool {
    quietly(&mut cargo(&["nextest", "--version"])).is_some()
}
