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
    // The fixed seeds. Fresh ones and planted faults are `cargo xtask sim` and
    // `cargo xtask mutants`: what they find is new and not of this change.
    own(&["sim", "--seed", "1", "--count", "500"])?;
    own(&["sim", "--live", "--seed", "1", "--count", "60"])
}

/// One of our own commands. Through cargo, because building the workspace may have
/// replaced the program that is running.
fn own(command: &[&str]) -> Result<()> {
    let ours = ["run", "--quiet", "--locked", "--package", "xtask", "--"];
    shell::run(cargo(&ours).args(command))
}
