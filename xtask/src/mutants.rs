//! `cargo xtask mutants`: planted faults that the simulation must find.
//!
//! A mutant is a file in `crates/sim/mutants`: one text of the shipped code and
//! what to put in its place. Each is planted alone in a copy of the crates it
//! concerns, and the simulation runs over a fixed list of seeds. One that
//! survives, or that another checker finds alone, says that its checker has gone
//! blind, and fails the command.
//!
//! A mutant with `live = true` is looked for in sites known machine by machine, one
//! with `capacity = true` in walks through the life of racks; one that names `seeds`
//! is looked for in those first.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, bail, ensure};
use toml::Table;

use crate::shell::{cargo, root, target};

/// The crates that a mutant can touch, and those that find it.
const CRATES: [&str; 4] = ["units", "settle", "engine", "sim"];

/// The seeds a mutant has to survive to fail the command: of sites whose loads are
/// one device each, of live ones, and of walks through the life of racks.
const SEEDS: &str = "1..=500";
const SEEDS_LIVE: &str = "1..=40";
const SEEDS_CAPACITY: &str = "1..=12";

/// What is simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Sites whose loads are one device each.
    Grouped,
    /// Sites known machine by machine.
    Live,
    /// Racks and who has them.
    Capacity,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Grouped, Self::Live, Self::Capacity];

    fn seeds(self) -> &'static str {
        match self {
            Self::Grouped => SEEDS,
            Self::Live => SEEDS_LIVE,
            Self::Capacity => SEEDS_CAPACITY,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Grouped => "grouped sites",
            Self::Live => "live sites",
            Self::Capacity => "walks through the life of racks",
        }
    }

    fn flag(self) -> Option<&'static str> {
        match self {
            Self::Grouped => None,
            Self::Live => Some("--live"),
            Self::Capacity => Some("--capacity"),
        }
    }
}

/// One planted fault.
#[derive(Debug)]
pub(crate) struct Mutant {
    /// What is broken, in words.
    what: String,
    /// What the checker that must find it says first.
    caught_by: String,
    /// The file, from the project's root.
    file: PathBuf,
    /// A text that stands in it exactly once.
    find: String,
    /// What stands there instead.
    replace: String,
    /// Where it is looked for.
    kind: Kind,
    /// Seeds that find it soonest, as long as they draw the worlds that they draw now.
    seeds: Option<String>,
}

impl Mutant {
    fn read(text: &str) -> anyhow::Result<Self> {
        let table: Table = text.parse()?;
        let key = |key: &str| {
            let text = table.get(key).and_then(|value| value.as_str());
            text.map(str::to_owned).with_context(|| format!("expected the text `{key}`"))
        };
        let flag =
            |key: &str| table.get(key).and_then(toml::Value::as_bool) == Some(true);
        Ok(Self {
            what: key("what")?,
            caught_by: key("caught_by")?,
            file: PathBuf::from(key("file")?),
            find: key("find")?,
            replace: key("replace")?,
            kind: match (flag("live"), flag("capacity")) {
                (false, false) => Kind::Grouped,
                (true, false) => Kind::Live,
                (false, true) => Kind::Capacity,
                (true, true) => bail!("expected one of `live` and `capacity`"),
            },
            seeds: key("seeds").ok(),
        })
    }
}

impl Mutant {
    /// How the line begins in which its checker says so, after the time.
    fn said(&self) -> String {
        let is_named = self.caught_by.ends_with(|last: char| last.is_ascii_digit());
        format!("Z: {}{}", self.caught_by, if is_named { ":" } else { "" })
    }
}

/// Plants every mutant in turn, and the unmutated code as control.
pub(crate) fn run() -> anyhow::Result<()> {
    println!("\n$ cargo xtask mutants");
    let tree = copy_crates()?;
    compile(&tree)?;
    for kind in Kind::ALL {
        let broken = broken(kind, kind.seeds(), None)?;
        ensure!(
            broken.is_empty(),
            "expected the simulation to hold without a mutant, found {broken:?}"
        );
        println!("control: {} hold over seeds {}", kind.name(), kind.seeds());
    }

    let mutants = read_mutants()?;
    let mut survivors = Vec::new();
    for (name, mutant) in &mutants {
        let path = tree.join(&mutant.file);
        let shipped = fs::read_to_string(&path)
            .with_context(|| format!("{name}: cannot read {}", mutant.file.display()))?;
        let found = shipped.matches(&mutant.find).count();
        ensure!(
            found == 1,
            "{name}: expected its text once in {}, found it {found} times",
            mutant.file.display()
        );
        fs::write(&path, shipped.replace(&mutant.find, &mutant.replace))?;
        let found = compile(&tree).and_then(|()| find(mutant));
        fs::write(&path, shipped)?;
        match found.with_context(|| name.clone())? {
            Some(broken) => {
                println!("{name:34} found: {}\n{:36}{broken}", mutant.what, "")
            }
            None => {
                println!("{name:34} SURVIVES: {} ({})", mutant.what, mutant.caught_by);
                survivors.push(name.clone());
            }
        }
    }
    if !survivors.is_empty() {
        bail!("expected every mutant to be found, found none of {survivors:?}");
    }
    println!("{} mutants, each found", mutants.len());
    Ok(())
}

pub(crate) fn read_mutants() -> anyhow::Result<Vec<(String, Mutant)>> {
    let folder = root().join("crates/sim/mutants");
    let mut mutants = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        if path.extension().is_none_or(|ending| ending != "toml") {
            continue;
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let mutant = Mutant::read(&fs::read_to_string(&path)?)
            .with_context(|| format!("cannot read the mutant {name}"))?;
        mutants.push((name, mutant));
    }
    mutants.sort_by(|a: &(String, Mutant), b| a.0.cmp(&b.0));
    ensure!(
        mutants.len() >= 10,
        "expected ten mutants at least, found {}",
        mutants.len()
    );
    Ok(mutants)
}

/// Copies the crates into a workspace of their own, so that nothing planted can
/// reach the shipped code.
fn copy_crates() -> anyhow::Result<PathBuf> {
    let tree = target().join("mutants").join("tree");
    if tree.exists() {
        fs::remove_dir_all(&tree)?;
    }
    for name in CRATES {
        copy(&root().join("crates").join(name), &tree.join("crates").join(name))?;
    }
    for file in ["Cargo.toml", "Cargo.lock"] {
        let text = fs::read_to_string(root().join(file))?;
        let members = text
            .replace(r#"members = ["crates/*", "xtask"]"#, r#"members = ["crates/*"]"#)
            .replace(r#"default-members = ["crates/mw"]"#, "");
        fs::write(tree.join(file), members)?;
    }
    Ok(tree)
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy(&from, &to)?;
        } else {
            fs::copy(&from, &to)?;
        }
    }
    Ok(())
}

/// What the mutant's own checker says first, if it finds the mutant.
fn find(mutant: &Mutant) -> anyhow::Result<Option<String>> {
    let (all, said) = (mutant.kind.seeds(), mutant.said());
    for seeds in [mutant.seeds.as_deref(), Some(all)].into_iter().flatten() {
        let broken = broken(mutant.kind, seeds, Some(&said))?;
        let found = broken.iter().find(|line| line.contains(&said));
        if let Some(line) = found {
            return Ok(Some(line.chars().take(100).collect()));
        }
    }
    Ok(None)
}

fn build() -> PathBuf {
    target().join("mutants").join("build")
}

/// Compiles the code in `tree`.
///
/// An error is code that does not compile: a mutant is a fault of meaning, and
/// one that the compiler finds proves nothing.
fn compile(tree: &Path) -> anyhow::Result<()> {
    let mut compile =
        cargo(&["build", "--quiet", "--offline", "-p", "sim", "--example", "sim"]);
    compile
        .current_dir(tree)
        .env("CARGO_TARGET_DIR", build())
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("RUSTFLAGS", "--cap-lints=warn");
    compile.stderr(Stdio::piped());
    let compiled = compile.output().context("cannot start cargo")?;
    ensure!(
        compiled.status.success(),
        "expected code that compiles, found\n{}",
        String::from_utf8_lossy(&compiled.stderr)
    );
    Ok(())
}

/// What breaks over the seeds, with the code last compiled; no more seeds are run once
/// something says `until`.
fn broken(kind: Kind, seeds: &str, until: Option<&str>) -> anyhow::Result<Vec<String>> {
    let program = build().join("debug/examples/sim").display().to_string();
    let mut run = crate::shell::program(&program, &["--brief"]);
    run.args(until.map(|text| ["--until", text]).into_iter().flatten());
    run.args(kind.flag());
    run.args(seeds.split(' '));
    let output = run.output().context("cannot start the simulation")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let broken: Vec<String> = said
        .lines()
        .filter_map(|line| line.strip_prefix("broken at "))
        .map(str::to_owned)
        .collect();
    ensure!(
        output.status.success() == broken.is_empty(),
        "expected a simulation that says what breaks, found {}\n{said}",
        output.status
    );
    Ok(broken)
}
