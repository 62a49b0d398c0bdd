//! What is wrong with a command, a site or a history is said, and nothing is
//! left half-written.

use std::path::{Path, PathBuf};

use crate::backtest::{fresh, mw};

/// Runs a backtest that must fail, and checks what it says and leaves.
fn fails(name: &str, arguments: &[&str], said: &[&str]) {
    let run = fresh(&format!("refused/{name}/run"));
    let folder = run.display().to_string();
    let output = mw(&[&["backtest"], arguments, &["--out", &folder]].concat());
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{name} was accepted");
    for part in said {
        assert!(error.contains(part), "{name}: no `{part}` in:\n{error}");
    }
    assert!(!error.contains("panicked"), "{name}: {error}");
    let left = run.parent().map(std::fs::read_dir).and_then(Result::ok);
    let left = left.map_or(0, Iterator::count);
    assert_eq!(left, 0, "{name} left something behind");
}

/// A folder of history with these files.
fn history(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let folder = fresh(&format!("histories/{name}"));
    std::fs::create_dir_all(&folder).expect("a folder");
    for (file, text) in files {
        std::fs::write(folder.join(file), text).expect("a file");
    }
    folder
}

const BITCOIN: &str = "date,price_usd,difficulty,hashrate_th_s,fees_btc,fees_source,blocks,subsidy_btc\n\
    2022-12-31,16500,35364065900457,250000000,15,made up,144,900\n\
    2023-01-01,16600,35364065900457,250000000,15,made up,144,900\n\
    2023-01-02,16700,35364065900457,250000000,15,made up,144,900\n";

const PRICES: &str = "interval_start_utc,rt_spp_usd_mwh,dst_order_ambiguous\n\
    2023-01-01T00:00Z,20.00,0\n2023-01-01T00:15Z,21.00,0\n2023-01-01T00:30Z,22.00,0\n\
    2023-01-01T00:45Z,23.00,0\n";

const PRICES_FILE: &str = "ercot_hb_houston_rt_15min_2023.csv";

#[test]
fn a_history_that_cannot_be_used_is_refused() {
    let site = "examples/houston-strike";
    let mining = "examples/childress-750mw";
    let refused =
        |name: &str, site: &str, files: &[(&str, &str)], more: &[&str], said: &[&str]| {
            let folder = history(name, files);
            let folder = folder.display().to_string();
            fails(name, &[&[site, "--history", &folder], more].concat(), said);
        };
    let prices = [(PRICES_FILE, PRICES)];
    let both = [(PRICES_FILE, PRICES), ("btc.csv", BITCOIN)];
    refused("empty-folder", site, &[], &[], &["price"]);
    refused("empty-file", site, &[(PRICES_FILE, "")], &[], &["price"]);
    refused(
        "header-only",
        site,
        &[(PRICES_FILE, "interval_start_utc,rt_spp_usd_mwh\n")],
        &[],
        &["price"],
    );
    refused("bitcoin-only", site, &[("btc.csv", BITCOIN)], &[], &["price"]);
    refused(
        "no-bitcoin",
        mining,
        &prices,
        &["--point", "HB_HOUSTON"],
        &["bitcoin", "--history"],
    );
    refused(
        "other-point",
        site,
        &prices,
        &["--point", "HB_WEST"],
        &["HB_WEST", "HB_HOUSTON"],
    );
    refused(
        "after-the-end",
        site,
        &both,
        &["--from", "2030-01-01"],
        &["--from", "2023-01-01"],
    );
    refused(
        "backwards",
        site,
        &both,
        &["--from", "2023-01-02", "--to", "2023-01-01"],
        &["before"],
    );
    let junk = "interval_start_utc,rt_spp_usd_mwh,dst_order_ambiguous\nsoon,cheap,0\nlater,dear,0\n";
    refused("junk", site, &[(PRICES_FILE, junk)], &[], &[PRICES_FILE]);
    refused("not-csv", site, &[(PRICES_FILE, "\u{0}\u{1}\u{2}")], &[], &["price"]);
}

#[test]
fn a_path_that_is_not_there_is_refused() {
    fails("no-site", &["examples/nowhere", "--synth", "1"], &["examples/nowhere"]);
    fails(
        "no-history",
        &["examples/mixed-10mw", "--history", "nowhere"],
        &["nowhere", "folder"],
    );
    fails(
        "file-as-history",
        &["examples/mixed-10mw", "--history", "Cargo.toml"],
        &["Cargo.toml"],
    );
    fails("no-source", &["examples/mixed-10mw"], &["--history"]);
    fails(
        "not-a-time",
        &["examples/mixed-10mw", "--synth", "1", "--from", "June"],
        &["June"],
    );
}

#[test]
fn a_site_with_errors_says_all_of_them_at_once() {
    let folder = fresh("sites/broken");
    std::fs::create_dir_all(&folder).expect("a folder");
    let text = std::fs::read_to_string(
        crate::backtest::root().join("examples/houston-strike/site.toml"),
    )
    .expect("the example");
    let broken = text
        .replace("import_limit_mw = 20", "import_limit = 20")
        .replace("count = 1420", "count = -3")
        .replace("pue = 1.00 ", "pue = 0.90 ");
    std::fs::write(folder.join("site.toml"), broken).expect("a file");
    let site = folder.display().to_string();
    fails(
        "broken-site",
        &[&site, "--synth", "1"],
        &["site.toml:", "import_limit_mw", "count", "pue"],
    );
}

#[test]
fn a_run_is_not_written_over() {
    let run = fresh("taken");
    std::fs::create_dir_all(&run).expect("a folder");
    std::fs::write(run.join("mine.txt"), "mine").expect("a file");
    let folder = run.display().to_string();
    let output =
        mw(&["backtest", "examples/mixed-10mw", "--synth", "1", "--out", &folder]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && error.contains("exists already"), "{error}");
    let kept: Vec<_> =
        std::fs::read_dir(Path::new(&folder)).expect("the folder").collect();
    assert_eq!(kept.len(), 1);
}
