//! What a person gets from a backtest, over a small made-up run.

pub(crate) mod world;

use std::path::Path;

use mw::answer::Answer;
use mw::report::{html, json, parquet, summary};
use serde_json::Value;

fn answer() -> Answer {
    world::run(6, |_| ())
}

#[test]
fn the_summary_reads_at_a_glance() {
    insta::assert_snapshot!(summary::text(&answer()));
}

#[test]
fn the_summary_of_a_run_that_was_not_compared_shows_the_run_alone() {
    let mut answer = answer();
    answer.always_on = Default::default();
    let text = summary::text(&answer);
    assert!(!text.contains("always on"), "{text}");
    assert!(!text.contains("difference"), "{text}");
}

#[test]
fn an_empty_run_is_shown_and_not_divided_by() {
    let empty = world::run(0, |_| ());
    assert!(summary::text(&empty).contains("0 intervals"));
    assert!(json::summary(&empty)["always_on"].is_null());
    html::page(&empty).expect("an empty page");
}

/// Every key with the kind of its value, once each, in the order met.
fn keys(value: &Value, path: &str, found: &mut Vec<String>) {
    let mut note = |kind: &str| {
        let line = format!("{path}: {kind}");
        if !found.contains(&line) {
            found.push(line);
        }
    };
    match value {
        Value::Null => note("null"),
        Value::Bool(_) => note("flag"),
        Value::Number(number) => {
            assert!(number.is_i64() || number.is_u64(), "{path} is a float");
            note("integer");
        }
        Value::String(text) => {
            let decimal = !text.is_empty()
                && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'.'))
                && !path.ends_with("month");
            note(if decimal { "decimal text" } else { "text" });
        }
        Value::Array(items) => {
            for item in items {
                keys(item, &format!("{path}[]"), found);
            }
        }
        Value::Object(object) => {
            for (key, item) in object {
                let path =
                    if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                keys(item, &path, found);
            }
        }
    }
}

#[test]
fn the_document_names_every_unit_in_its_keys() {
    let mut found = Vec::new();
    keys(&json::summary(&answer()), "", &mut found);
    insta::assert_snapshot!(found.join("\n"));
}

#[test]
fn the_document_and_the_ledger_agree() {
    let (mut margin, mut joules) = (units::Money::ZERO, units::Energy::ZERO);
    let answer = world::run(4, |line| {
        margin += line.row.margin().unwrap_or_default();
        joules += line.row.site;
    });
    let document = json::summary(&answer);
    let policy = &document["policy"];
    // An hour of these four days has no settlement price, and so no money.
    assert!(!answer.policy.left_out.is_zero(), "an hour has no settlement price");
    assert_eq!(answer.policy.margin(), Some(margin));
    assert_eq!(policy["site_energy_j"], joules.as_joules());
    assert_eq!(policy["margin_usd"], margin.to_usd_text(2));
    let parts = ["revenue", "power_cost", "wear"]
        .map(|part| policy[format!("{part}_micro_usd")].as_i64().expect("an integer"));
    assert_eq!(policy["margin_micro_usd"], parts.iter().sum::<i64>());
}

#[test]
fn the_page_is_one_file_that_asks_nobody() {
    let page = html::page(&answer()).expect("a page");
    let links = page.replace("http://www.w3.org/2000/svg", "");
    for wrong in ["http:", "https:", "src=", "@import", "url(http", "<link", "fetch("] {
        assert!(!links.contains(wrong), "the page holds {wrong}");
    }
    let script = include_str!("../../templates/report.js");
    assert!(script.len() < 20_000, "{} bytes of script", script.len());
    assert!(page.len() < 2_000_000, "{} bytes of page", page.len());
    assert!(!page.contains("NaN") && !page.contains("inf "), "a place is no number");
}

#[test]
fn names_from_files_are_text_and_not_markup() {
    let mut answer = answer();
    answer.notes.push("</script><script>alert(1)</script>".into());
    answer.site.name = "\"><img onerror=alert(2)>".into();
    let page = html::page(&answer).expect("a page");
    for wrong in ["<img", "<script>alert", "<old>", "&lt;Mixed"] {
        assert!(!page.contains(wrong), "the page holds {wrong}");
    }
    assert!(page.contains("s19 &#60;old&#62;"), "a load's name is escaped");
}

#[test]
fn every_picture_and_table_is_on_the_page_without_its_script() {
    let answer = answer();
    let page = html::page(&answer).expect("a page");
    for id in ["megawatts", "duration", "months"] {
        assert!(page.contains(&format!("<svg id=\"{id}\"")), "{id}");
    }
    assert_eq!(
        page.matches("<details class=\"moments\">").count(),
        answer.highlights.len()
    );
    for highlight in &answer.highlights {
        assert_eq!(highlight.reasons.len(), answer.loads.len());
    }
    assert!(page.contains("Antminer S21, 17.5 J/TH: 8.4 %"), "break-evens are named");
}

#[test]
fn the_reference_of_the_detail_is_fresh() {
    for (page, made) in [
        ("backtest-parquet.md", parquet::reference()),
        ("plan-parquet.md", parquet::plan_reference()),
    ] {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference").join(page);
        if std::env::var_os("MW_UPDATE_REFERENCE").is_some() {
            std::fs::write(&path, &made).expect("the page can be written");
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == made, "docs/reference/{page} is stale: run `cargo xtask docs`");
    }
}

#[test]
fn the_reference_of_the_document_names_every_key() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs/reference/backtest-json.md");
    let page = std::fs::read_to_string(&path).expect("the page is there");
    let mut found = Vec::new();
    keys(&json::summary(&answer()), "", &mut found);
    for key in found {
        let path = key.split(": ").next().unwrap_or_default();
        let name = path.trim_end_matches("[]").rsplit('.').next().unwrap_or_default();
        let name = name.trim_end_matches("[]");
        // Money and energy are described once for both of their keys; an
        // object's counts are named by the words that the page lists.
        let stem = ["_micro_usd", "_usd", "_mwh", "_j"]
            .iter()
            .find_map(|unit| name.strip_suffix(unit))
            .unwrap_or(name);
        assert!(
            page.contains(&format!("`{name}`")) || page.contains(&format!("`{stem}`")),
            "docs/reference/backtest-json.md does not name `{path}`"
        );
    }
}
