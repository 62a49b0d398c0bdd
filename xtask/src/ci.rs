//! `cargo xtask ci`: everything that must pass before a change lands.

use anyhow::Result;

use crate::shell::{self, cargo};
use crate::{test, tidy};

/// Tests, then everything else, then the comparisons with other programs.
pub(crate) fn run() -> Result<()> {
    test::everything()?;
    lint()?;
    test::comparisons()
}

/// Everything that is not a test run, the quickest to fail first.
pub(crate) fn lint() -> Result<()> {
    shell::run(&mut cargo(&["fmt", "--all", "--check"]))?;
    tidy::run()?;
    shell::run(&mut cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ]))?;
    let mut pages = cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
    shell::run(pages.env("RUSTDOCFLAGS", "-D warnings"))?;
    own("sim")?;
    own("mutants")
}

/// One of our own commands, without arguments. Through cargo, because building
/// the workspace may have replaced the program that is running.
fn own(command: &str) -> Result<()> {
    shell::run(&mut cargo(&[
        "run",
        "--quiet",
        "--locked",
        "--package",
        "xtask",
        "--",
        command,
    ]))
}
