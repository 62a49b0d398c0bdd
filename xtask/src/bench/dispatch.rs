//! `cargo xtask bench dispatch`: the optimum over a horizon beside other programs.
//!
//! Every program is handed the same arrays: a year of prices at a hub, and what
//! mining earned in it. What is measured is CPU time from arrays in to primal and
//! duals out, on one core, as the median of several runs:
//!
//! - the reference year as one problem, without ramps and with them;
//! - a decision each quarter of an hour with a day of perfect prices handed anew
//!   (96 intervals, free end, full windows only; stored energy and ramps go on
//!   from the interval carried out), without ramps and with them;
//! - the year's 365 days with everything at once, which `sim::ahead::reference::full`
//!   defines: a feeder tree, a peak charge, blocks, segments, wear and ramps;
//! - the same days with a charge that leaves the peak to be chosen
//!   (`sim::ahead::reference::pressed`), so that ramps bind beside all the rest;
//! - how the time of ours grows with the horizon and with the number of loads, in CPU
//!   time, and in instructions where valgrind can count them: those are the same
//!   however busy the machine is, and have to stay within their limits.
//!
//! The reference problem and how HiGHS and PyPSA solve it stand in
//! `../shared/bench` and are run unchanged; another year or hub goes to them under
//! the file name they know. Ours is `crates/sim/examples/dispatch_speed.rs`.
//!
//! Fails where two programs do not find the same: objectives to a millionth. Of
//! the rolling runs windows are compared, two hundred of them in the state that
//! ours had reached. What a rolling run earns is printed beside and not compared
//! so closely: windows have several optima with different first intervals.
//!
//! PyPSA is measured for a bounded number of steps and its figures are printed
//! beside, never alone: most of its time is not solving.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::oracles;
use crate::shell::{self, cargo, history, program, quietly, root, shown, target};

/// What is measured against, each at one version.
pub(super) const PEERS: &str = include_str!("../../dispatch/peers.txt");

/// What `cargo xtask bench dispatch` takes besides.
#[derive(Debug, clap::Args)]
pub(super) struct DispatchArgs {
    /// dispatch: the year.
    #[arg(long, default_value_t = 2025)]
    year: u32,
    /// dispatch: the hub.
    #[arg(long, default_value = "HB_HOUSTON")]
    hub: String,
    /// dispatch: the folder of prices [default: ../shared/data].
    #[arg(long)]
    prices: Option<PathBuf>,
    /// dispatch: how often each program runs; the median is what is shown.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// dispatch: how many decisions of the rolling runs; the year has 34,944.
    #[arg(long, default_value_t = 8_736)]
    steps: usize,
    /// dispatch: how many decisions PyPSA is measured for; 0 leaves it out.
    #[arg(long, default_value_t = 24)]
    pypsa_steps: usize,
}

/// A row of the table: what is solved, and how much faster we want to be.
struct Row {
    what: &'static str,
    case: &'static str,
    /// What HiGHS is asked for; `None` is a horizon that we write down.
    highs: Option<&'static [&'static str]>,
    at_least: u32,
    aim: u32,
}

const ROWS: [Row; 6] = [
    Row {
        what: "year, no ramps",
        case: "year",
        highs: Some(&["year", "simplex", "noramp"]),
        at_least: 500,
        aim: 1_500,
    },
    Row {
        what: "year, ramps",
        case: "year-ramps",
        highs: Some(&["year", "simplex"]),
        at_least: 30,
        aim: 200,
    },
    Row {
        what: "rolling, no ramps",
        case: "rolling",
        highs: Some(&["rolling", "STEPS", "noramp"]),
        at_least: 50,
        aim: 100,
    },
    Row {
        what: "rolling, ramps",
        case: "rolling-ramps",
        highs: Some(&["rolling", "STEPS"]),
        at_least: 15,
        aim: 80,
    },
    Row { what: "everything at once", case: "full", highs: None, at_least: 20, aim: 100 },
    Row {
        what: "the same, ramps bind",
        case: "pressed",
        highs: None,
        at_least: 20,
        aim: 100,
    },
];

/// What twice the horizon and ten times the loads may take, as often as once.
const SCALING: [(&str, f64); 2] = [("twice", 2.2), ("tenfold", 12.0)];

/// Two programs find the same where their objectives differ by no more of them.
const SAME: f64 = 1e-6;

/// Prepares the peers, runs all, and prints how they compare.
pub(super) fn run(arguments: &DispatchArgs) -> Result<()> {
    let scripts = root().join("../shared/bench");
    if !scripts.is_dir() {
        bail!("expected the reference problem in ../shared/bench, found no such folder");
    }
    let prices = arguments.prices.clone().or_else(history);
    let prices =
        prices.context("expected prices in ../shared/data, found none; use --prices")?;
    let python = oracles::environment(&target().join("bench/peers"), PEERS)?;
    let name = format!("dispatch-{}-{}", arguments.hub.to_lowercase(), arguments.year);
    let bench = Bench { python, scripts, folder: target().join("bench").join(name) };
    fs::create_dir_all(&bench.folder)?;

    let mut year = bench.python(&root().join("xtask/dispatch/year.py"));
    year.arg(&prices)
        .arg(&arguments.hub)
        .arg(arguments.year.to_string())
        .arg(&bench.folder);
    shell::run(&mut year)?;
    let build = ["build", "--release", "--locked", "--package", "sim"];
    shell::run(cargo(&build).args(["--example", "dispatch_speed"]))?;

    let intervals = fs::metadata(bench.folder.join("arrays.bin"))?.len() / 8 / 13;
    let steps = arguments.steps.min(intervals as usize - 96);
    let mut table = Vec::new();
    let mut apart = Vec::new();
    for row in &ROWS {
        println!("\n{}", row.what);
        let (line, differs) = bench.compare(row, arguments.runs, steps)?;
        table.push(line);
        apart.extend(differs);
    }
    println!("\nscaling of ours");
    for case in ["scale", "scale-ramps"] {
        bench.ours(case, arguments.runs, &[])?;
        apart.extend(bench.count(case)?);
    }
    if arguments.pypsa_steps > 0 {
        println!("\nPyPSA, which builds a model around the same solver");
        for mode in [["window", "2976"], ["rolling", &arguments.pypsa_steps.to_string()]]
        {
            bench.say(bench.python(&bench.scripts.join("bench_pypsa.py")).args(mode))?;
        }
    }
    let head = ("", "HiGHS CPU", "ours CPU", "ratio", "at least", "aim");
    println!(
        "\n{} {}, {} intervals, CPU seconds; a decision of {steps} where it says rolling\n\
         {:<22}{:>14}{:>14}{:>9}{:>10}{:>8}",
        arguments.hub,
        arguments.year,
        intervals,
        head.0,
        head.1,
        head.2,
        head.3,
        head.4,
        head.5
    );
    table.iter().for_each(|line| println!("{line}"));
    if !apart.is_empty() {
        bail!("expected programs to agree and limits to hold:\n{}", apart.join("\n"));
    }
    Ok(())
}

/// Where the programs are and what they are handed.
struct Bench {
    python: PathBuf,
    scripts: PathBuf,
    folder: PathBuf,
}

impl Bench {
    /// A row of the table, and what does not agree.
    fn compare(
        &self,
        row: &Row,
        runs: usize,
        steps: usize,
    ) -> Result<(String, Vec<String>)> {
        let dump = self.folder.join(format!("{}.json", row.case));
        let dump = dump.to_str().context("the target folder is not UTF-8")?;
        let steps = steps.to_string();
        let is_rolling = row.case.starts_with("rolling");
        let flags: &[&str] = match row.highs {
            // A run more: the first of a rolling case writes down what is compared.
            Some(_) if is_rolling => &["--steps", &steps, "--dump", dump],
            Some(_) => &[],
            None => &["--dump", dump],
        };
        let ours = self.ours(row.case, runs + usize::from(is_rolling), flags)?;
        let theirs = self.theirs(row, runs, &steps, dump)?;
        let (their_cpu, theirs) = &theirs[theirs.len() / 2];
        let our_cpu = figure(&ours, "cpu_s")?;
        let (beside, apart) = if is_rolling {
            self.windows_agree(row, dump, &ours, theirs)?
        } else {
            objectives_agree(row, &ours, theirs)?
        };
        let line = format!(
            "{:<22}{their_cpu:>14.3}{our_cpu:>14.5}{:>8.0}x{:>9}x{:>7}x  {beside}; \
             peak {} and {} MB",
            row.what,
            their_cpu / our_cpu,
            row.at_least,
            row.aim,
            figure(theirs, "peak_mb")?,
            figure(&ours, "peak_mb")?,
        );
        Ok((line, apart))
    }

    /// Runs HiGHS and returns CPU seconds and figures, the fastest first.
    fn theirs(
        &self,
        row: &Row,
        runs: usize,
        steps: &str,
        dump: &str,
    ) -> Result<Vec<(f64, String)>> {
        let mut lines = Vec::new();
        for _ in 0..runs.max(1) {
            let line = match row.highs {
                Some(words) => {
                    let words = words.iter().map(|word| match *word {
                        "STEPS" => steps,
                        other => other,
                    });
                    let script = self.scripts.join("bench_highspy.py");
                    self.say(self.python(&script).args(words))?
                }
                None => self.say(self.python(&oracle()).args(["bench", dump]))?,
            };
            lines.push((figure(&line, "cpu_s")?, line));
        }
        lines.sort_by(|one, other| one.0.total_cmp(&other.0));
        Ok(lines)
    }

    /// What both earned, and whether HiGHS finds the same for our windows.
    fn windows_agree(
        &self,
        row: &Row,
        dump: &str,
        ours: &str,
        theirs: &str,
    ) -> Result<(String, Vec<String>)> {
        let checked = self.say(self.python(&oracle()).args(["check", dump]))?;
        let worst = figure(&checked, "worst")?;
        let said = format!(
            "profit {:.2} and {:.2}, windows within {worst:.1e}",
            figure(theirs, "profit")?,
            figure(ours, "profit")?
        );
        let differ = format!("{}: windows differ by up to {worst:e}", row.what);
        Ok((said, if worst > SAME { vec![differ] } else { Vec::new() }))
    }

    /// Runs ours and returns its figures.
    fn ours(&self, case: &str, runs: usize, flags: &[&str]) -> Result<String> {
        let ours = target().join("release/examples/dispatch_speed");
        let ours = ours.to_str().context("the target folder is not UTF-8")?;
        let mut command = program(ours, &[]);
        // Most of ours takes so little that more runs cost nothing.
        let is_long = case.starts_with("rolling") || case == "pressed";
        let runs = if is_long { runs } else { runs.max(1) * 5 };
        command.arg(self.folder.join("arrays.bin")).args([
            case,
            "--runs",
            &runs.to_string(),
        ]);
        self.say(command.args(flags))
    }

    /// How many instructions the parts of a scaling case take; says which are too many.
    fn count(&self, case: &str) -> Result<Vec<String>> {
        if quietly(&mut program("valgrind", &["--version"])).is_none() {
            println!("skipped: instructions are not counted without valgrind");
            return Ok(Vec::new());
        }
        let ours = target().join("release/examples/dispatch_speed");
        let taken = |part: &str| -> Result<f64> {
            let mut command = program(
                "valgrind",
                &["--tool=callgrind", "--callgrind-out-file=/dev/null"],
            );
            command.arg(&ours).arg(self.folder.join("arrays.bin"));
            command.args([case, "--only", part]);
            let output = command.output().context("cannot start valgrind")?;
            let text = String::from_utf8_lossy(&output.stderr);
            collected(&text).with_context(|| {
                format!("expected a count from {}, found: {text}", shown(&command))
            })
        };
        let built = taken("none")?;
        let once = taken("once")? - built;
        let mut apart = Vec::new();
        for (part, most) in SCALING {
            let times = (taken(part)? - built) / once;
            println!(
                "  {case}, {part}: {times:.2} times the instructions, {most} at most"
            );
            if times > most {
                apart.push(format!(
                    "{case}, {part}: expected {most} at most, found {times}"
                ));
            }
        }
        Ok(apart)
    }

    /// A script, on one core and over our prices.
    fn python(&self, script: &Path) -> Command {
        let python = self.python.to_string_lossy();
        let mut command = program(&python, &[]);
        command.arg(script).env("DATA", &self.folder).env("PYTHONPATH", &self.scripts);
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        for threads in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"] {
            command.env(threads, "1");
        }
        command
    }

    /// Runs a program, prints its figures, and returns them: its last line.
    fn say(&self, command: &mut Command) -> Result<String> {
        println!("$ {}", shown(command));
        let output = command
            .output()
            .with_context(|| format!("cannot start {}", shown(command)))?;
        let text = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            bail!(
                "expected success, found {}: {}\n{}",
                output.status,
                shown(command),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        let line = text.lines().last().unwrap_or_default().to_owned();
        println!("  {line}");
        Ok(line)
    }
}

/// What both found, and whether our objective and our bound are theirs.
fn objectives_agree(
    row: &Row,
    ours: &str,
    theirs: &str,
) -> Result<(String, Vec<String>)> {
    // The reference problem counts what is not served, ours what is.
    let offset = if row.highs.is_none() { figure(ours, "offset")? } else { 0.0 };
    let expected = figure(theirs, "objective")? + offset;
    let mut apart = Vec::new();
    for name in ["objective", "bound"] {
        let found = figure(ours, name)?;
        if (found - expected).abs() > SAME * expected.abs() {
            apart.push(format!(
                "{}: HiGHS finds {expected}, ours has {name} {found}",
                row.what
            ));
        }
    }
    if figure(ours, "broken")? > 0.0 {
        apart.push(format!("{}: limits are broken by more than a watt", row.what));
    }
    let said = format!("objective {expected:.4} and {:.4}", figure(ours, "objective")?);
    Ok((said, apart))
}

/// Our own script around HiGHS.
fn oracle() -> PathBuf {
    root().join("crates/sim/tests/it/ahead_oracle/highs.py")
}

/// How many instructions callgrind says that it saw.
fn collected(text: &str) -> Option<f64> {
    text.lines().find_map(|line| line.split_once("Collected : "))?.1.trim().parse().ok()
}

/// A figure of a flat object of JSON.
pub(super) fn figure(line: &str, name: &str) -> Result<f64> {
    let found = line.split_once(&format!("\"{name}\":")).map(|(_, rest)| {
        rest.split([',', '}']).next().unwrap_or_default().trim().to_owned()
    });
    let found = found.with_context(|| format!("expected {name}, found none: {line}"))?;
    found.parse().with_context(|| format!("{name}: expected a number, found {found}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_of_instructions_is_read() {
        let text = "==7== Events    : Ir\n==7== Collected : 108588318\n==7== \n";
        assert_eq!(collected(text), Some(108_588_318.0));
        assert_eq!(collected("valgrind: cannot"), None);
    }

    #[test]
    fn figures_are_read_by_their_names() {
        let line =
            r#"{"mode": "year", "cpu_s": 5.95, "objective": -370909096.7675, "T":96}"#;
        for (name, expected) in [
            ("cpu_s", Some(5.95)),
            ("objective", Some(-370_909_096.767_5)),
            ("T", Some(96.0)),
            ("s", None),
        ] {
            assert_eq!(figure(line, name).ok(), expected, "{name}");
        }
    }
}
