//! `cargo xtask docs`: writes the reference pages that are made from code.
//!
//! The tests that fail when a page is stale are the ones that write it: one
//! comparison, told to update.

use anyhow::Result;

use crate::shell::{self, cargo};

/// Writes `docs/reference/`.
pub(crate) fn run() -> Result<()> {
    let mut command =
        cargo(&["test", "--locked", "--quiet", "--package", "mw", "reference"]);
    shell::run(command.env("MW_UPDATE_REFERENCE", "1"))
}
