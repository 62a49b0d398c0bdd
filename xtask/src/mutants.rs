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
//! is looked for in those first. What nothing simulated can find is looked for by a
//! test that must fail, `test = "CRATE NAME"`, or by a measurement that must say that a
//! figure is beyond its bound, `bench = "CRATE EXAMPLE"`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use clap::Args;
use toml::Table;

use crate::shell::{cargo, root, target};

/// Which faults are planted.
#[derive(Debug, Args)]
pub(crate) struct MutantsArgs {
    /// Plant only those whose file names begin so, such as `07`.
    only: Vec<String>,
}

impl MutantsArgs {
    fn takes(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| name.starts_with(only))
    }
}

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
    /// What finds it, where no simulated site does.
    probe: Option<Probe>,
}

/// Something of a crate that finds a mutant.
#[derive(Debug)]
struct Probe {
    kind: ProbeKind,
    package: String,
    /// Of a test with its modules, as in the test binary; of an example.
    name: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum ProbeKind {
    /// A test that must fail.
    Test,
    /// A measurement that must find a figure beyond its bound.
    Bench,
}

/// What a measurement says of a figure that is beyond its bound.
const BEYOND: &str = "BEYOND";

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
            probe: Probe::of(&table)?,
        })
    }
}

impl Probe {
    fn of(table: &Table) -> anyhow::Result<Option<Self>> {
        for (key, kind) in [("test", ProbeKind::Test), ("bench", ProbeKind::Bench)] {
            let Some(text) = table.get(key) else { continue };
            let words = text.as_str().and_then(|text| text.split_once(' '));
            let (package, name) = words.with_context(|| {
                format!("expected a crate and a name in it as `{key}`, found {text:?}")
            })?;
            let (package, name) = (package.to_owned(), name.to_owned());
            return Ok(Some(Self { kind, package, name }));
        }
        Ok(None)
    }

    /// Compiles what it is in.
    fn compile(&self, tree: &Path) -> anyhow::Result<()> {
        let mut compile = match self.kind {
            ProbeKind::Test => {
                let mut test = self.cargo(tree, "test");
                test.args(["--test", "it", "--no-run"]);
                test
            }
            ProbeKind::Bench => {
                let mut build = self.cargo(tree, "build");
                build.args(["--example", &self.name]);
                build
            }
        };
        compiled(&mut compile)
    }

    /// Whether it finds nothing in the code in `tree`, which compiles.
    fn passes(&self, tree: &Path) -> anyhow::Result<bool> {
        match self.kind {
            ProbeKind::Test => {
                let mut run = self.cargo(tree, "test");
                run.args(["--test", "it", "--", "--exact", &self.name]);
                let output = run.output()?;
                let said = String::from_utf8_lossy(&output.stdout);
                ensure!(
                    said.contains("running 1 test"),
                    "expected one test `{}` in {}, found\n{said}",
                    self.name,
                    self.package
                );
                Ok(output.status.success())
            }
            ProbeKind::Bench => {
                let folder = target().join("mutants").join("bench");
                let mut run = self.cargo(tree, "run");
                run.args(["--example", &self.name, "--", "--folder"]).arg(folder);
                let output = run.output()?;
                ensure!(
                    output.status.success(),
                    "expected {} to measure, found\n{}",
                    self.name,
                    String::from_utf8_lossy(&output.stderr)
                );
                Ok(!String::from_utf8_lossy(&output.stdout).contains(BEYOND))
            }
        }
    }

    fn cargo(&self, tree: &Path, what: &str) -> Command {
        let mut command = cargo(&[what, "--quiet", "--offline", "-p", &self.package]);
        apart(&mut command, tree);
        command
    }
}

impl Mutant {
    /// Whether it is about a run, which the scorecard is about, and not about capacity
    /// alone, whose promises have names of their own.
    #[cfg(test)]
    pub(crate) fn is_of_a_run(&self) -> bool {
        self.kind != Kind::Capacity && !self.caught_by.starts_with('C')
    }

    /// How the line begins in which its checker says so, after the time.
    fn said(&self) -> String {
        let is_named = self.caught_by.ends_with(|last: char| last.is_ascii_digit());
        format!("Z: {}{}", self.caught_by, if is_named { ":" } else { "" })
    }
}

/// Plants mutants in turn, and the unmutated code as control.
pub(crate) fn run(arguments: &MutantsArgs) -> anyhow::Result<()> {
    println!("\n$ cargo xtask mutants");
    let tree = copy_crates()?;
    compile(&tree)?;
    let mut mutants = read_mutants()?;
    mutants.retain(|(name, _)| arguments.takes(name));
    ensure!(!mutants.is_empty(), "expected mutants named {:?}", arguments.only);
    for kind in Kind::ALL {
        let is_needed = |(_, m): &(String, Mutant)| m.probe.is_none() && m.kind == kind;
        if !mutants.iter().any(is_needed) {
            continue;
        }
        let broken = broken(kind, kind.seeds(), None)?;
        ensure!(
            broken.is_empty(),
            "expected the simulation to hold without a mutant, found {broken:?}"
        );
        println!("control: {} hold over seeds {}", kind.name(), kind.seeds());
    }

    for probe in mutants.iter().filter_map(|(_, mutant)| mutant.probe.as_ref()) {
        probe.compile(&tree)?;
        ensure!(
            probe.passes(&tree)?,
            "expected {} to find nothing without a mutant",
            probe.name
        );
        println!("control: {} finds nothing", probe.name);
    }
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
        let found = look_for(mutant, &tree);
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
    for name in ["crates", "examples", "fixtures"] {
        copy(&root().join(name), &tree.join(name))?;
    }
    for file in ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml"] {
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

/// What finds the mutant that is planted in `tree`, if anything does.
fn look_for(mutant: &Mutant, tree: &Path) -> anyhow::Result<Option<String>> {
    match &mutant.probe {
        Some(probe) => {
            probe.compile(tree)?;
            let passes = probe.passes(tree)?;
            Ok((!passes).then(|| format!("{}: by {}", mutant.caught_by, probe.name)))
        }
        None => {
            compile(tree)?;
            find(mutant)
        }
    }
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

/// Compiles the simulation in `tree`.
fn compile(tree: &Path) -> anyhow::Result<()> {
    let mut compile =
        cargo(&["build", "--quiet", "--offline", "-p", "sim", "--example", "sim"]);
    apart(&mut compile, tree);
    compiled(&mut compile)
}

/// A command over the code in `tree`, which leaves nothing in our own target.
fn apart(command: &mut Command, tree: &Path) {
    command
        .current_dir(tree)
        .env("CARGO_TARGET_DIR", build())
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("RUSTFLAGS", "--cap-lints=warn");
}

/// Runs a command that compiles.
///
/// An error is code that does not compile: a mutant is a fault of meaning, and
/// one that the compiler finds proves nothing.
fn compiled(command: &mut Command) -> anyhow::Result<()> {
    let compiled =
        command.stderr(Stdio::piped()).output().context("cannot start cargo")?;
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
