//! `cargo xtask scorecard`: what must always be true against what goes wrong, each
//! cell with what checks it, how often, and the planted fault it catches.
//!
//! Which cell is checked where stands in `crates/sim/scorecard.toml`; how often comes
//! from the last `cargo xtask sim`, which leaves the counts of its fixed seeds under
//! `target`. Checks are rounded down to their first figure, so that the page changes
//! only when they do.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use toml::{Table, Value};

use crate::shell::{root, target};
use crate::sim::{FIXED, FIXED_LIVE};

/// What `cargo xtask scorecard` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct ScorecardArgs {
    /// Write nothing; fail where the page is not what would be written.
    #[arg(long)]
    check: bool,
}

const PAGE: &str = "docs/scorecard.md";
const CARD: &str = "crates/sim/scorecard.toml";

/// The faults of the columns, and what each is.
const FAULTS: [(&str, &str); 14] = [
    ("F1", "the process dies at any instant"),
    ("F2", "power fails and unsynced writes are lost"),
    ("F3", "the disk is full, fails, or is slow to sync"),
    ("F4", "clocks are off or jump"),
    ("F5", "messages are late, lost, repeated; links fall silent"),
    ("F6", "machines hang, a switch fails, nobody answers"),
    ("F7", "machines lie, half obey, act by themselves, come back"),
    ("F8", "the meter is stuck, silent, spiking, reversed, scaled"),
    ("F9", "prices are stale, absurd, repeated, revised"),
    ("F10", "instructions overlap, contradict, are withdrawn, have no end"),
    ("F11", "several people or centres act at once"),
    ("F12", "the site file changes, an old record is read"),
    ("F13", "ten times as much arrives"),
    ("F14", "hostile input"),
];

/// Writes the page, or checks it.
pub(crate) fn run(arguments: &ScorecardArgs) -> anyhow::Result<()> {
    if arguments.check {
        return check();
    }
    let page = page(&kept()?)?;
    fs::write(root().join(PAGE), page).with_context(|| format!("cannot write {PAGE}"))?;
    println!("{PAGE} is written");
    Ok(())
}

/// Checks that the page says what the last simulation came to.
pub(crate) fn check() -> anyhow::Result<()> {
    let expected = page(&kept()?)?;
    let found = fs::read_to_string(root().join(PAGE)).unwrap_or_default();
    let differs = |(ours, theirs): &(&str, &str)| ours != theirs;
    let first = expected.lines().zip(found.lines()).find(differs);
    ensure!(
        expected == found,
        "expected {PAGE} to say what the simulation came to, found {first:?}; \
         write it with `cargo xtask scorecard`"
    );
    println!("{PAGE} is current");
    Ok(())
}

/// How often invariants were checked under faults, as a simulation prints it.
#[derive(Debug, Default)]
struct Counts(BTreeMap<(String, String), Count>);

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    /// How often the invariant was looked at.
    checks: u64,
    /// In how many worlds, in each of which the fault occurred.
    seeds: u64,
}

/// Keeps what the simulation said of its fixed live seeds.
pub(crate) fn keep(said: &str) -> anyhow::Result<()> {
    let counts = Counts::read(said)?;
    ensure!(!counts.0.is_empty(), "expected counts of what was checked, found none");
    let file = counts_file();
    let folder = file.parent().context("a file has a folder")?;
    fs::create_dir_all(folder)?;
    let lines = said.lines().filter(|line| line.starts_with("matrix "));
    let lines: String = lines.flat_map(|line| [line, "\n"]).collect();
    fs::write(&file, lines).with_context(|| format!("cannot write {}", file.display()))
}

fn counts_file() -> PathBuf {
    target().join("scorecard").join("live.txt")
}

fn kept() -> anyhow::Result<Counts> {
    let said = fs::read_to_string(counts_file()).context(
        "expected the counts of a simulation, found none; run `cargo xtask sim`",
    )?;
    Counts::read(&said)
}

impl Counts {
    fn read(said: &str) -> anyhow::Result<Self> {
        let mut counts = Self::default();
        for cell in said.lines().filter_map(|line| line.strip_prefix("matrix ")) {
            let words: Vec<&str> = cell.split(' ').collect();
            let &[invariant, fault, checks, seeds] = &words[..] else {
                anyhow::bail!("expected a row, a column and two counts, found `{cell}`");
            };
            let count = Count { checks: checks.parse()?, seeds: seeds.parse()? };
            counts.0.insert((invariant.to_owned(), fault.to_owned()), count);
        }
        Ok(counts)
    }

    fn of(&self, row: &str, fault: &str) -> anyhow::Result<Count> {
        let count = self.0.get(&(row.to_owned(), fault.to_owned())).copied();
        count.with_context(|| {
            format!("expected {row} checked under {fault} in live seeds {FIXED_LIVE}, found never")
        })
    }
}

/// One row of the card: what must be true, and where that is checked.
struct Row {
    name: String,
    what: String,
    cells: Vec<Cell>,
    open: Vec<Open>,
}

/// Some faults, and what checks the row under them.
struct Cell {
    faults: Vec<String>,
    by: By,
    mutants: Vec<String>,
}

/// What checks a cell.
enum By {
    /// Live worlds, whose run counts it.
    Live,
    /// Worlds of ideal devices.
    Grouped,
    /// A test: its file and its name.
    Test { file: String, name: String },
    /// One of our own commands, and what it covers.
    Command { command: String, covers: String },
}

/// Some faults that mean something for the row and are not checked, and why not.
struct Open {
    faults: Vec<String>,
    why: String,
}

impl By {
    /// What a cell of the table shows.
    fn shown(&self, row: &str, fault: &str, counts: &Counts) -> anyhow::Result<String> {
        Ok(match self {
            Self::Live => format!("{} seeds", counts.of(row, fault)?.seeds),
            Self::Grouped => "grouped".to_owned(),
            Self::Test { .. } => "test".to_owned(),
            Self::Command { command, .. } => {
                command.split(' ').nth(2).unwrap_or(command).to_owned()
            }
        })
    }

    /// How often and where, in words.
    fn told(
        &self,
        row: &str,
        faults: &[String],
        counts: &Counts,
    ) -> anyhow::Result<String> {
        Ok(match self {
            Self::Live => {
                let each: anyhow::Result<Vec<String>> = faults
                    .iter()
                    .map(|fault| {
                        let count = counts.of(row, fault)?;
                        Ok(format!("{fault} {}", rounded(count.checks)))
                    })
                    .collect();
                format!("live seeds {FIXED_LIVE}; checks at least: {}", each?.join(", "))
            }
            Self::Grouped => format!("grouped seeds {FIXED}"),
            Self::Test { file, name } => format!("`{name}` in [{file}](../{file})"),
            Self::Command { command, covers } => format!("`{command}`: {covers}"),
        })
    }
}

fn rows() -> anyhow::Result<Vec<Row>> {
    let table: Table = fs::read_to_string(root().join(CARD))
        .with_context(|| format!("cannot read {CARD}"))?
        .parse()?;
    list(&Value::Table(table), "row").iter().map(row).collect()
}

fn row(value: &Value) -> anyhow::Result<Row> {
    let name = text(value, "name")?;
    let read = || {
        let cells: anyhow::Result<Vec<Cell>> =
            list(value, "cell").iter().map(cell).collect();
        let open: anyhow::Result<Vec<Open>> =
            list(value, "open").iter().map(open).collect();
        let row = Row {
            name: name.clone(),
            what: text(value, "what")?,
            cells: cells?,
            open: open?,
        };
        for (fault, _) in FAULTS {
            let has = |faults: &[String]| faults.iter().any(|one| one == fault);
            let checked = row.cells.iter().any(|cell| has(&cell.faults));
            let is_open = row.open.iter().any(|open| has(&open.faults));
            ensure!(
                !(checked && is_open),
                "expected {fault} checked or open, found both"
            );
        }
        Ok(row)
    };
    read().with_context(|| format!("in row {name} of {CARD}"))
}

fn cell(value: &Value) -> anyhow::Result<Cell> {
    let by = match (value.get("by").and_then(Value::as_str), value.get("command")) {
        (Some("live"), None) => By::Live,
        (Some("grouped"), None) => By::Grouped,
        (Some(other), _) => {
            let (file, name) = other.split_once(": ").with_context(|| {
                format!("expected `live`, `grouped` or `file: test`, found `{other}`")
            })?;
            By::Test { file: file.to_owned(), name: name.to_owned() }
        }
        (None, _) => By::Command {
            command: text(value, "command")?,
            covers: text(value, "covers")?,
        },
    };
    let mutants = match value.get("mutants") {
        Some(_) => texts(value, "mutants")?,
        None => Vec::new(),
    };
    let cell = Cell { faults: faults(value)?, by, mutants };
    for mutant in &cell.mutants {
        let file = format!("crates/sim/mutants/{mutant}.toml");
        ensure!(root().join(&file).is_file(), "expected the mutant {file}, found none");
    }
    if let By::Test { file, name } = &cell.by {
        let source = fs::read_to_string(root().join(file))
            .with_context(|| format!("expected a file of tests at {file}"))?;
        let mut words = source.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        ensure!(words.any(|word| word == name), "expected the test {name} in {file}");
    }
    if let By::Command { command, .. } = &cell.by {
        let ours = command.strip_prefix("cargo xtask ").unwrap_or_default();
        let name = ours.split(' ').next().unwrap_or_default();
        ensure!(
            crate::has_command(name),
            "expected a command of ours, found `{command}`"
        );
    }
    Ok(cell)
}

fn open(value: &Value) -> anyhow::Result<Open> {
    Ok(Open { faults: faults(value)?, why: text(value, "why")? })
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], |list| list)
}

fn text(value: &Value, key: &str) -> anyhow::Result<String> {
    let text = value.get(key).and_then(Value::as_str);
    text.map(str::to_owned).with_context(|| format!("expected the text `{key}`"))
}

fn texts(value: &Value, key: &str) -> anyhow::Result<Vec<String>> {
    let list = value.get(key).and_then(Value::as_array);
    let list = list.with_context(|| format!("expected the list `{key}`"))?;
    list.iter()
        .map(|one| one.as_str().map(str::to_owned))
        .map(|one| one.with_context(|| format!("expected texts in `{key}`")))
        .collect()
}

fn faults(value: &Value) -> anyhow::Result<Vec<String>> {
    let faults = texts(value, "faults")?;
    let known = |fault: &String| FAULTS.iter().any(|(name, _)| name == fault);
    ensure!(faults.iter().all(known), "expected F1 to F14, found {faults:?}");
    Ok(faults)
}

fn page(counts: &Counts) -> anyhow::Result<String> {
    let rows = rows()?;
    let mut page = String::new();
    writeln!(
        page,
        "# Scorecard\n\n\
         What must always be true, against what goes wrong.\n\
         Written by `cargo xtask scorecard` from `{CARD}` and the counts of \
         `cargo xtask sim`, which fails when this page is out of date.\n"
    )?;
    let table = table(&rows, counts)?;
    let (checked, open) =
        (table.matches(" seeds |").count(), table.matches(" open |").count());
    let others: usize = ["grouped", "test", "kill", "bench"]
        .iter()
        .map(|by| table.matches(&format!(" {by} |")).count())
        .sum();
    let (checked, all) = (checked + others, checked + others + open);
    writeln!(page, "{checked} of {all} cells that mean something are checked.\n")?;
    write!(page, "{table}")?;
    writeln!(
        page,
        "\nA number of seeds says in how many live worlds, of seeds {FIXED_LIVE}, the fault \
         occurred and the invariant was looked at, each many times.\n\
         `grouped` stands for worlds of ideal devices, seeds {FIXED}; `test`, `kill` and \
         `bench` for what is named below; `open` means something and is not checked; a \
         dash means nothing.\n\
         Where several things check a cell, the first of them is shown.\n"
    )?;
    writeln!(page, "## What goes wrong\n\n| fault | |\n|---|---|")?;
    for (name, what) in FAULTS {
        writeln!(page, "| {name} | {what} |")?;
    }
    writeln!(page, "\n## What is checked, by what, and the planted faults it catches")?;
    for row in &rows {
        writeln!(page, "\n### {} {}\n", row.name, row.what)?;
        if !row.cells.is_empty() {
            writeln!(page, "| faults | checked by | catches |\n|---|---|---|")?;
        }
        for cell in &row.cells {
            let told = cell.by.told(&row.name, &cell.faults, counts)?;
            let link =
                |name: &String| format!("[{name}](../crates/sim/mutants/{name}.toml)");
            let mutants: Vec<String> = cell.mutants.iter().map(link).collect();
            let (faults, mutants) = (cell.faults.join(" "), mutants.join(", "));
            writeln!(page, "| {faults} | {told} | {mutants} |")?;
        }
        for (at, open) in row.open.iter().enumerate() {
            if at == 0 && !row.cells.is_empty() {
                writeln!(page)?;
            }
            writeln!(page, "- Open: {}. {}", open.faults.join(" "), open.why)?;
        }
    }
    Ok(page)
}

fn table(rows: &[Row], counts: &Counts) -> anyhow::Result<String> {
    let mut table = String::new();
    let header: Vec<&str> = FAULTS.iter().map(|(name, _)| *name).collect();
    writeln!(
        table,
        "| | {} |\n|---|{}",
        header.join(" | "),
        "---|".repeat(FAULTS.len())
    )?;
    for row in rows {
        write!(table, "| {} |", row.name)?;
        for (fault, _) in FAULTS {
            let meant = |faults: &[String]| faults.iter().any(|one| one == fault);
            let cell = row.cells.iter().find(|cell| meant(&cell.faults));
            let shown = match cell {
                Some(cell) => cell.by.shown(&row.name, fault, counts)?,
                None if row.open.iter().any(|open| meant(&open.faults)) => {
                    "open".to_owned()
                }
                None => "-".to_owned(),
            };
            write!(table, " {shown} |")?;
        }
        writeln!(table)?;
    }
    Ok(table)
}

/// Down to the first figure.
fn rounded(count: u64) -> u64 {
    let mut unit = 1;
    while count / unit >= 10 {
        unit *= 10;
    }
    count / unit * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_rounded_down_to_its_first_figure() {
        for (count, shown) in [(0, 0), (7, 7), (19, 10), (99, 90), (34_567, 30_000)] {
            assert_eq!(rounded(count), shown);
        }
    }

    #[test]
    fn every_test_command_and_mutant_of_the_card_is_there() {
        let rows = rows().expect("a card that can be read");
        assert!(rows.len() >= 20, "found only {} rows", rows.len());
    }

    #[test]
    fn every_mutant_is_on_the_card() {
        let rows = rows().expect("a card that can be read");
        let named: std::collections::BTreeSet<&String> = rows
            .iter()
            .flat_map(|row| &row.cells)
            .flat_map(|cell| &cell.mutants)
            .collect();
        let mutants = crate::mutants::read_mutants().expect("mutants that can be read");
        for (name, _) in mutants.iter().filter(|(_, mutant)| mutant.is_of_a_run()) {
            assert!(named.contains(name), "expected {name} on the card");
        }
    }

    #[test]
    fn every_checked_cell_catches_a_mutant() {
        let rows = rows().expect("a card that can be read");
        let mut blind = Vec::new();
        for row in &rows {
            for (fault, _) in FAULTS {
                let of_fault = |cell: &&Cell| cell.faults.iter().any(|f| f == fault);
                let mut cells = row.cells.iter().filter(of_fault).peekable();
                let is_checked = cells.peek().is_some();
                if is_checked && cells.all(|cell| cell.mutants.is_empty()) {
                    blind.push(format!("{} under {fault}", row.name));
                }
            }
        }
        assert!(blind.is_empty(), "expected a mutant for each, found none for {blind:?}");
    }
}
