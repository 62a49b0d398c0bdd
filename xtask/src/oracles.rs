//! The Python environment that the tests compare us with.
//!
//! Some tests hand our files to libraries that we did not write. Those live in
//! a virtual environment in the target folder, at pinned versions. Where it
//! cannot be made, the tests that need it are skipped and say so.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::shell::{program, quietly, run, target};

/// What is installed, each at one version.
const REQUIREMENTS: &str = include_str!("../oracles.txt");

/// The environment, or why there is none.
pub(crate) enum Oracles {
    /// Its Python.
    Ready(PathBuf),
    /// Tests that need it are skipped.
    Absent,
}

impl Oracles {
    /// The Python to run comparisons with, if there is one.
    pub(crate) fn python(&self) -> Option<&Path> {
        match self {
            Self::Ready(python) => Some(python),
            Self::Absent => None,
        }
    }
}

/// Makes the environment, unless it is there already.
pub(crate) fn install() -> Oracles {
    let folder = target().join("oracles");
    match environment(&folder, REQUIREMENTS) {
        Ok(python) => Oracles::Ready(python),
        Err(error) => {
            println!(
                "skipped: the comparisons with Python libraries: {error:#}; \
                 they need Python 3.9 or later with its venv module, and a package index"
            );
            Oracles::Absent
        }
    }
}

/// A virtual environment in `folder` with `requirements` installed; its Python.
pub(crate) fn environment(folder: &Path, requirements: &str) -> Result<PathBuf> {
    let python = folder.join("bin/python");
    let installed = folder.join("installed.txt");
    if python.exists()
        && fs::read_to_string(&installed).is_ok_and(|text| text == requirements)
    {
        return Ok(python);
    }
    let Some(version) = quietly(&mut program("python3", &["-c", VERSION])) else {
        bail!("expected a `python3` of 3.9 or later, found none");
    };
    println!("making the Python environment for comparisons ({})", version.trim());
    let folder_text = folder.to_str().context("the target folder is not UTF-8")?;
    if !make(folder_text) {
        install_venv()?;
        if !make(folder_text) {
            bail!("expected `python3 -m venv` to work, found that it fails");
        }
    }
    let python_text = python.to_str().context("the target folder is not UTF-8")?;
    let list = folder.join("requirements.txt");
    fs::write(&list, requirements)?;
    let list = list.to_str().context("the target folder is not UTF-8")?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    let what = ["--only-binary", ":all:", "--requirement", list];
    run(program(python_text, &pip).args(what))?;
    fs::write(&installed, requirements)?;
    Ok(python)
}

/// Prints the version, or fails when it is too old.
const VERSION: &str = "import sys; assert sys.version_info >= (3, 9); print(\"Python\", sys.version.split()[0])";

fn make(folder: &str) -> bool {
    quietly(&mut program("python3", &["-m", "venv", "--clear", folder])).is_some()
}

/// Debian ships `venv` apart from Python; where we may, we install it.
fn install_venv() -> Result<()> {
    let is_root = quietly(&mut program("id", &["-u"])).is_some_and(|id| id.trim() == "0");
    if !is_root || quietly(&mut program("apt-get", &["--version"])).is_none() {
        bail!(
            "expected `python3 -m venv` to work, found that it fails; install python3-venv"
        );
    }
    let mut update = program("apt-get", &["update", "--quiet"]);
    run(update.env("DEBIAN_FRONTEND", "noninteractive"))?;
    let mut install =
        program("apt-get", &["install", "--yes", "--quiet", "--no-install-recommends"]);
    install.arg("python3-venv");
    run(install.env("DEBIAN_FRONTEND", "noninteractive"))
}
