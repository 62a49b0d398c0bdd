//! A whole backtest through the program: written, replayed, checked, recomputed.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::oracle;

/// Runs the program from the project's root.
pub(crate) fn mw(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mw"))
        .args(arguments)
        .current_dir(root())
        .output()
        .expect("the program starts")
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The real history beside the checkout, where there is one.
fn shared_history() -> Option<String> {
    let folder = root().join("../shared/data");
    if folder.is_dir() {
        return Some(folder.display().to_string());
    }
    eprintln!("skipped: no real history at ../shared/data");
    None
}

/// A place for a run that is not there yet.
pub(crate) fn fresh(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).expect("an old run can be removed");
    }
    folder
}

fn succeeds(arguments: &[&str]) -> String {
    let output = mw(arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "mw {arguments:?}: {error}");
    String::from_utf8(output.stdout).expect("the program prints UTF-8")
}

/// Runs a backtest into a folder, and holds it against everything that can
/// contradict it: itself again, the rules, and another language.
fn check(name: &str, arguments: &[&str]) -> serde_json::Value {
    let run = fresh(name);
    let folder = run.display().to_string();
    let mut all = vec!["backtest"];
    all.extend(arguments);
    all.extend(["--json", "--out", &folder]);
    let printed = succeeds(&all);
    let kept = std::fs::read_to_string(run.join("summary.json")).expect("a summary");
    assert_eq!(printed, kept);

    let replayed: serde_json::Value =
        serde_json::from_str(&succeeds(&["replay", &folder, "--json"])).expect("JSON");
    assert_eq!(replayed["identical"], true);
    assert_eq!(replayed["violations"], 0, "{replayed}");
    oracle::recompute(&run);

    let page = std::fs::read_to_string(run.join("report.html")).expect("a report");
    // The one address a page may hold is the name of SVG itself.
    let addresses = page.replace("http://www.w3.org/2000/svg", "");
    assert!(page.contains("<svg") && !addresses.contains("http"), "the page reaches out");
    serde_json::from_str(&kept).expect("JSON")
}

#[test]
fn a_made_up_quarter_is_the_same_again_and_within_the_rules() {
    let range = ["--from", "2025-06-15", "--to", "2025-09-15"];
    check("made-up", &[&["examples/mixed-10mw", "--synth", "7"], &range[..]].concat());
}

#[test]
fn every_example_runs_on_a_made_up_week() {
    for example in ["childress-750mw", "houston-strike", "mixed-10mw"] {
        let site = format!("examples/{example}");
        let week = ["--synth", "3", "--from", "2025-08-01", "--to", "2025-08-08"];
        check(&format!("week-{example}"), &[&[site.as_str()], &week[..]].concat());
    }
}

#[test]
fn a_month_of_hub_west_is_the_same_again_and_within_the_rules() {
    let Some(history) = shared_history() else { return };
    let range = ["--from", "2024-08-01", "--to", "2024-09-01"];
    check(
        "hub-west",
        &[&["examples/childress-750mw", "--history", &history], &range[..]].concat(),
    );
}

/// The year that the oracles see, and two winters with their storms.
#[test]
fn oracle_real_spans_are_the_same_again_and_within_the_rules() {
    let Some(history) = shared_history() else { return };
    let spans = [
        ("houston-2022", "HB_HOUSTON", "2022-12-15", "2023-01-15"),
        ("houston-2023", "HB_HOUSTON", "2023-08-10", "2023-09-10"),
        ("west-2024", "HB_WEST", "2024-03-01", "2024-04-01"),
    ];
    for (name, point, from, to) in spans {
        let asked = ["--point", point, "--history", &history, "--from", from, "--to", to];
        check(name, &[&["examples/childress-750mw"], &asked[..]].concat());
    }
}

#[test]
fn a_reason_is_printed_with_its_figures() {
    let run = fresh("explained");
    let folder = run.display().to_string();
    let range = ["--from", "2025-03-01", "--to", "2025-03-03"];
    let start = ["backtest", "examples/mixed-10mw", "--synth", "7", "--out", &folder];
    succeeds(&[&start[..], &range[..]].concat());
    let text = succeeds(&["replay", &folder, "--explain", "2025-03-02T12:02Z"]);
    assert!(
        text.starts_with("2025-03-02T12:00Z to 2025-03-02T12:05Z, dispatch "),
        "{text}"
    );
    for part in ["tenant-a", "under contract", "USD/PH/day", "LMP, known 12:00", "MW"] {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
}

#[test]
fn a_journal_that_was_altered_is_found() {
    let run = fresh("altered");
    let folder = run.display().to_string();
    let range = ["--from", "2025-03-01", "--to", "2025-03-03"];
    let start = ["backtest", "examples/mixed-10mw", "--synth", "7", "--out", &folder];
    succeeds(&[&start[..], &range[..]].concat());
    let journal = run.join("journal.mwj");
    let whole = std::fs::read(&journal).expect("a journal");

    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let cut = whole[..whole.len() - 1].to_vec();
    for (bytes, said) in
        [(flipped, "was altered"), (cut, "cut short"), (b"PK".to_vec(), "not a journal")]
    {
        std::fs::write(&journal, bytes).expect("the journal can be changed");
        let output = mw(&["replay", &folder]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && error.contains(said), "{error}");
    }
}
