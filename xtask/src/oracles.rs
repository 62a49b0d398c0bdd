//! The Python environment that the tests compare us with.
//!
//! Some tests hand our files to programs that we did not write. Python libraries
//! live in virtual environments in the target folder, at pinned versions; accounting
//! programs come from Debian's packages. Where one cannot be had, the tests that need
//! it are skipped and say so. The programs that a benchmark measures us against
//! have an environment of their own.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::shell::{program, quietly, run, target};

/// What is installed, each at one version.
const REQUIREMENTS: &str = include_str!("../oracles.txt");

/// What the validator of FOCUS and an emulated hall need, in an environment of their own.
const FOCUS: &str = include_str!("../oracles-focus.txt");

/// Accounting programs, which are packages of Debian too.
const ACCOUNTING: [Packaged; 2] =
    [("hledger", "--version", "hledger"), ("ledger", "--version", "ledger")];

/// Of a Slurm that runs on one machine.
const CLUSTER: [Packaged; 3] = [
    ("slurmctld", "-V", "slurm-wlm"),
    ("munged", "--version", "munge"),
    ("ip", "-V", "iproute2"),
];

/// A program, what it is asked for its version, and Debian's package of it.
type Packaged = (&'static str, &'static str, &'static str);

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

/// Makes the environment of what needs a newer Python, unless it is there already.
pub(crate) fn install_focus() -> Oracles {
    let made = newer_python().and_then(|python| {
        in_folder(&target().join("oracles-focus"), &python, FOCUS, &[])
    });
    match made {
        Ok(python) => Oracles::Ready(python),
        Err(error) => {
            println!(
                "skipped: the validator of FOCUS, and simhall: {error:#}; they need Python 3.12 with its \
                 venv module, and a package index"
            );
            Oracles::Absent
        }
    }
}

/// Installs the accounting programs where that is ours to do, and says which are absent.
pub(crate) fn install_accounting() {
    for name in install_programs(&ACCOUNTING) {
        println!("skipped: the comparisons with {name}, which is not installed");
    }
}

/// Installs what a cluster of one machine takes, and says what is absent.
pub(crate) fn install_cluster() {
    for name in install_programs(&CLUSTER) {
        println!("skipped: the job files for Slurm, because {name} is not installed");
    }
}

/// Installs Debian's packages of programs that are absent, where that is ours to do.
/// Returns what is absent still.
fn install_programs(programs: &[Packaged]) -> Vec<&'static str> {
    let is_there =
        |name: &str, flag: &str| quietly(&mut program(name, &[flag])).is_some();
    let absent = || programs.iter().filter(|(name, flag, _)| !is_there(name, flag));
    let wanted: Vec<&str> = absent().map(|(.., package)| *package).collect();
    if !wanted.is_empty()
        && may_install()
        && let Err(error) = install_packages(&wanted)
    {
        println!("cannot install {}: {error:#}", wanted.join(" and "));
    }
    absent().map(|(name, ..)| *name).collect()
}

/// A Python of 3.12 or later: on the path, or among those of a version manager.
fn newer_python() -> Result<String> {
    let mut candidates: Vec<String> =
        ["python3", "python3.12", "python3.13", "python3.14"].map(str::to_owned).into();
    let kept = std::env::var("PYENV_ROOT").ok().map(PathBuf::from);
    let kept =
        kept.or_else(|| Some(PathBuf::from(std::env::var("HOME").ok()?).join(".pyenv")));
    let versions = kept.and_then(|kept| fs::read_dir(kept.join("versions")).ok());
    let mut managed: Vec<String> = versions
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.path().join("bin/python3").to_str().map(str::to_owned))
        .collect();
    managed.sort();
    candidates.extend(managed);
    // Its libraries are built for 3.12; a later one may have to build them.
    const IS_NEWER: &str = "import sys; assert sys.version_info[:2] == (3, 12)";
    let is_newer =
        |python: &String| quietly(&mut program(python, &["-c", IS_NEWER])).is_some();
    candidates.into_iter().find(is_newer).context("expected a Python 3.12, found none")
}

/// A virtual environment in `folder` with `requirements` installed; its Python.
pub(crate) fn environment(folder: &Path, requirements: &str) -> Result<PathBuf> {
    in_folder(folder, "python3", requirements, &["--only-binary", ":all:"])
}

fn in_folder(
    folder: &Path,
    base: &str,
    wanted: &str,
    options: &[&str],
) -> Result<PathBuf> {
    let python = folder.join("bin/python");
    let installed = folder.join("installed.txt");
    if python.exists() && fs::read_to_string(&installed).is_ok_and(|text| text == wanted)
    {
        return Ok(python);
    }
    let Some(version) = quietly(&mut program(base, &["-c", VERSION])) else {
        bail!("expected a `python3` of 3.9 or later, found none");
    };
    println!("making a Python environment for comparisons ({})", version.trim());
    let folder_text = folder.to_str().context("the target folder is not UTF-8")?;
    if !make(base, folder_text) {
        install_venv()?;
        if !make(base, folder_text) {
            bail!("expected `{base} -m venv` to work, found that it fails");
        }
    }
    let python_text = python.to_str().context("the target folder is not UTF-8")?;
    let requirements = folder.join("requirements.txt");
    fs::write(&requirements, wanted)?;
    let requirements = requirements.to_str().context("the target folder is not UTF-8")?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    let what = ["--requirement", requirements];
    run(program(python_text, &pip).args(options).args(what))?;
    fs::write(&installed, wanted)?;
    Ok(python)
}

/// Prints the version, or fails when it is too old.
const VERSION: &str = "import sys; assert sys.version_info >= (3, 9); print(\"Python\", sys.version.split()[0])";

fn make(base: &str, folder: &str) -> bool {
    quietly(&mut program(base, &["-m", "venv", "--clear", folder])).is_some()
}

/// Debian ships `venv` apart from Python; where we may, we install it.
fn install_venv() -> Result<()> {
    if !may_install() {
        bail!(
            "expected `python3 -m venv` to work, found that it fails; install python3-venv"
        );
    }
    install_packages(&["python3-venv"])
}

/// Whether Debian's packages are ours to install.
fn may_install() -> bool {
    let is_root = quietly(&mut program("id", &["-u"])).is_some_and(|id| id.trim() == "0");
    is_root && quietly(&mut program("apt-get", &["--version"])).is_some()
}

fn install_packages(names: &[&str]) -> Result<()> {
    let mut update = program("apt-get", &["update", "--quiet"]);
    run(update.env("DEBIAN_FRONTEND", "noninteractive"))?;
    let mut install =
        program("apt-get", &["install", "--yes", "--quiet", "--no-install-recommends"]);
    install.args(names);
    run(install.env("DEBIAN_FRONTEND", "noninteractive"))
}
