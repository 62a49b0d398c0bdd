//! A run's totals recomputed from its Parquet in another language, and statements from
//! contract and facts.

use std::path::{Path, PathBuf};
use std::process::Command;

use mw::report::{json, parquet};
use settle::statement::Statement;

use crate::report::world;

/// Recomputes the totals of the run in `run_dir` (its Parquet files and
/// `summary.json`) with Python, and panics where they disagree.
///
/// `MW_ORACLE_PYTHON` names a Python that has pyarrow; without it this says
/// that it is skipped and returns `false`.
pub(crate) fn recompute(run_dir: &Path) -> bool {
    let Some(python) = std::env::var_os("MW_ORACLE_PYTHON") else {
        eprintln!("skipped: MW_ORACLE_PYTHON names no Python with pyarrow");
        return false;
    };
    let (agrees, said) = ask(&python, run_dir);
    assert!(agrees, "{said}");
    true
}

fn ask(python: &std::ffi::OsStr, run_dir: &Path) -> (bool, String) {
    ask_script(python, "recompute.py", &[run_dir])
}

/// What a script in the folder `oracle` says, and whether it agrees.
fn ask_script(
    python: &std::ffi::OsStr,
    script: &str,
    arguments: &[&Path],
) -> (bool, String) {
    let output = Command::new(python)
        .arg(scripts().join(script))
        .args(arguments)
        .output()
        .expect("MW_ORACLE_PYTHON names a program that starts");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// A folder of this test's own under the target folder, empty.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("the target folder can be written");
    folder
}

fn write_run(name: &str, days: i64) -> PathBuf {
    let folder = folder(name);
    let (site, feed) = (world::site(), world::feed(world::range(days)));
    let mut writers =
        parquet::Writers::create(&folder, &site, &feed).expect("files can be made");
    let answer = world::run(days, |line| {
        writers.line(line).expect("a line can be written");
    });
    writers.finish().expect("files can be closed");
    let summary = json::summary(&answer);
    std::fs::write(folder.join("summary.json"), summary.to_string())
        .expect("a file can be written");
    folder
}

#[test]
fn another_language_comes_to_the_same_totals() {
    recompute(&write_run("oracle-agrees", 6));
}

#[test]
fn another_language_notices_a_cent() {
    let Some(python) = std::env::var_os("MW_ORACLE_PYTHON") else {
        eprintln!("skipped: MW_ORACLE_PYTHON names no Python with pyarrow");
        return;
    };
    let folder = write_run("oracle-notices", 3);
    let path = folder.join("summary.json");
    let text = std::fs::read_to_string(&path).expect("it was just written");
    let mut summary: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let margin = &mut summary["policy"]["margin_usd"];
    let bent = units::Money::parse_usd(margin.as_str().expect("text")).expect("dollars")
        + units::Money::from_micro_usd(10_000);
    *margin = bent.to_usd_text(2).into();
    std::fs::write(&path, summary.to_string()).expect("a file can be written");
    let (agrees, said) = ask(&python, &folder);
    assert!(!agrees && said.contains("margin, USD"), "{said}");
}

#[test]
fn another_language_comes_to_the_same_statements() {
    for (name, seed) in
        [("cloud", 1), ("cloud", 2), ("blocks", 3), ("usage", 4), ("colocation", 5)]
    {
        let file = scripts().join(format!("{name}.toml"));
        let versions = mw::contract_files::versions(&file).expect("a contract");
        let pace = sim::tenancy::Pace { incidents_a_day: 2 };
        let text = sim::tenancy::term(versions.first(), seed, pace);
        check_statements(&format!("{name}-{seed}"), &file, &text);
    }
}

/// Contracts and records made for this alone, unlike what is drawn: blocks that an amendment
/// turns into single units, a tranche that comes with it, and the supplier's failure;
/// power at an index on a site with two contracts, and an approved fee for ending; use
/// in a currency without cents, bills over two months and corrected, flexible load.
#[test]
fn another_language_comes_to_the_same_under_contracts_kept_for_it() {
    for name in ["blocks", "colocation", "usage"] {
        let folder = scripts().join("kept").join(name);
        let text = std::fs::read_to_string(folder.join(mw::contract_files::FACTS));
        check_statements(&format!("kept-{name}"), &folder, &text.expect("a record"));
    }
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/oracle")
}

/// Settles a contract, its file or the folder of its versions, up to the month in which
/// the last fact became known, and has it recomputed. A cent more somewhere must be found.
fn check_statements(name: &str, contract: &Path, text: &str) {
    let Some(python) = std::env::var_os("MW_ORACLE_PYTHON") else {
        eprintln!("skipped: MW_ORACLE_PYTHON names no Python");
        return;
    };
    let versions = mw::contract_files::versions(contract).expect("a contract");
    let facts = settle::facts::Facts::read(text).expect("facts");
    let last = facts.all().last().expect("facts").known_at;
    let month = versions.first().zone.period(last);
    let as_of = settle::settlement::cut(versions.first(), month);
    let made = settle::settlement::statements(&versions, &facts, as_of);
    assert!(made.len() > 4, "{name}: {} statements", made.len());
    let folder = folder(&format!("statements-{name}"));
    let write = |one: &Statement| {
        let number = one.number.as_deref().expect("it is issued");
        std::fs::write(folder.join(format!("{number}.json")), one.to_json())
            .expect("a file");
    };
    std::fs::write(folder.join(mw::contract_files::FACTS), text).expect("a file");
    made.iter().filter(|one| !one.is_held()).for_each(write);
    let (agrees, said) = ask_script(&python, "settle.py", &[contract, &folder]);
    assert!(agrees, "{name}: {said}");
    if said.contains("skipped") {
        eprintln!("{}", said.trim_end());
    }
    let mut wrong = made[3].clone();
    let amount = wrong.lines[0].amount;
    wrong.lines[0].amount =
        settle::exact::Amount::from_minor(amount.as_minor() + 1, amount.places());
    write(&wrong);
    let (agrees, said) = ask_script(&python, "settle.py", &[contract, &folder]);
    assert!(!agrees || said.contains("skipped"), "{name}: a wrong cent is not found");
}
