//! Plans of several sites as files: the example of two campuses, one site told either way,
//! what is wrong, and the same figures from parts and over what happened.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use mw::plan_file::{self, LoadedPlan};
use mw::plan_run::{Paths, Shard, ShardFile, run, search};
use mw::report;
use plan::Answer;
use serde_json::Value;

use crate::backtest::{mw, root};
use crate::books::folder;

fn example() -> PathBuf {
    root().join("examples/two-campuses")
}

fn loaded(path: &Path) -> LoadedPlan {
    plan_file::load(path).unwrap_or_else(|error| panic!("{error}"))
}

fn paths(loaded: &LoadedPlan, range: std::ops::Range<u64>) -> Paths {
    run(&loaded.plan, 9, range, 2, &AtomicBool::new(false), &|_| {})
}

/// A folder with the example, its plan changed.
fn changed(name: &str, from: &str, to: &str) -> PathBuf {
    let folder = folder(name);
    for file in ["mesa.toml", "ridge.toml", "contract.toml", "plan.toml"] {
        let text = fs::read_to_string(example().join(file)).expect("the example");
        let text = if file == "plan.toml" {
            assert!(text.contains(from), "{from} is not in the example");
            text.replacen(from, to, 1)
        } else {
            text
        };
        fs::write(folder.join(file), text).expect("the folder can be written");
    }
    folder
}

#[test]
fn the_example_says_which_campus_earns_what() {
    let loaded = loaded(&example());
    assert_eq!(loaded.plan.sites.iter().map(|place| place.market).max(), Some(1));
    let found = paths(&loaded, 0..6);
    let answer = Answer::of(&loaded.plan, &found.outcomes).expect("paths");
    let document = report::plan::document(&loaded.plan, &answer, 9, 6);
    let sites = document["sites"].as_array().expect("sites");
    let sum = |of: &dyn Fn(&Value) -> f64| sites.iter().map(of).sum::<f64>();
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-6 * b.abs(), "{a} for {b}");
    for (of, all) in
        [("mining", "mine_it"), ("contract", "convert_it"), ("let", "let_it")]
    {
        let all = |key: &str| document[all][key].as_f64().expect("a figure");
        near(sum(&|site| site[of]["mwh"].as_f64().expect("MWh")), all("mwh"));
        let earned = all("earned_usd_per_mwh") * all("mwh");
        near(sum(&|site| site[of]["earned_usd"].as_f64().expect("USD")), earned);
    }
    // 1 152 GPUs of the first tranche and a quarter of the second are at Mesa.
    let contract = |at: usize| sites[at]["contract"]["earned_usd"].as_f64();
    assert!(contract(0) > contract(1), "{sites:?}");
    let text = report::plan::text(&loaded.plan, &answer, 9, 6);
    for part in ["By site", "mesa", "ridge", "sites left as they are", "worth as it is"] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
}

#[test]
fn one_site_is_the_same_plan_told_either_way() {
    let from = root().join("examples/childress-750mw");
    let folder = folder("plan-one-of-sites");
    for name in ["site.toml", "contract.toml", "plan.toml"] {
        let text = fs::read_to_string(from.join(name)).expect("the example");
        let text = text.replacen(
            "site = \"site.toml\"\nfirst_month = \"2026-01\"\nmonths = 72\n",
            "first_month = \"2026-01\"\nmonths = 72\n\n[[sites]]\nname = \"childress\"\n\
             file = \"site.toml\"\n",
            1,
        );
        fs::write(folder.join(name), text).expect("the folder can be written");
    }
    let (one, other) = (loaded(&from), loaded(&folder));
    assert_ne!(one.hash, other.hash, "the file is another");
    let (a, b) = (paths(&one, 0..3), paths(&other, 0..3));
    assert_eq!(a.outcomes, b.outcomes);
    let document = |loaded: &LoadedPlan, found: &Paths| {
        let answer = Answer::of(&loaded.plan, &found.outcomes).expect("paths");
        report::plan::document(&loaded.plan, &answer, 9, 3).to_string()
    };
    assert_eq!(document(&one, &a), document(&other, &b));
}

#[test]
fn parts_of_two_sites_are_the_single_run_bit_for_bit() {
    let loaded = loaded(&example());
    let whole = paths(&loaded, 0..5);
    let folder = folder("plan-sites-shards");
    let files: Vec<PathBuf> = (1..=2)
        .map(|number| {
            let shard: Shard = format!("{number}/2").parse().expect("a part");
            let found = paths(&loaded, shard.range(5));
            let file = ShardFile::new(loaded.hash, 9, 5, &found.outcomes);
            let path = folder.join(format!("{number}.json"));
            let text = serde_json::to_string(&file).expect("a part is written");
            fs::write(&path, text).expect("the folder can be written");
            path
        })
        .collect();
    let read = |at: usize, plan: &LoadedPlan| ShardFile::read(&files[at], plan.hash);
    let parts =
        vec![read(1, &loaded).expect("a part"), read(0, &loaded).expect("a part")];
    let (_, _, merged) = ShardFile::merge(parts, &loaded.plan).expect("all parts");
    assert_eq!(merged, whole.outcomes);
    // A part is of every site's file: another second site is another plan.
    let other = changed("plan-sites-other", "format = 1", "format = 1");
    let ridge = fs::read_to_string(other.join("ridge.toml")).expect("a site");
    let ridge = ridge.replacen("import_limit_mw = 12", "import_limit_mw = 11", 1);
    fs::write(other.join("ridge.toml"), ridge).expect("the folder can be written");
    let other = plan_file::load(&other).unwrap_or_else(|error| panic!("{error}"));
    let refused = read(0, &other).expect_err("another plan").to_string();
    assert!(refused.contains("plan_sha256"), "{refused}");
}

#[test]
fn what_is_wrong_with_sites_is_told_by_key() {
    let cases = [
        (
            "name = \"Mesa hall\"\nsite = \"mesa\"",
            "name = \"Mesa hall\"\nsite = \"mesquite\"",
            &["conversions[0].site", "\"mesquite\"", "mesa, ridge"][..],
        ),
        (
            "name = \"Mesa annex\"\nracks = [\"annex\"]",
            "name = \"Mesa annex\"\nracks = [\"annex\"]\nrigs_out = [\"s21-pro\"]",
            &["conversions[1].site", "no site that has all"],
        ),
        (
            "site = \"ridge\"\nracks = [\"ridge-hall\"]",
            "racks = [\"ridge-hal\"]",
            &["conversions[2].site", "no site"],
        ),
        (
            "site = \"ridge\"\nracks = [\"ridge-hall\"]",
            "racks = []",
            &["conversions[2].site", "in mesa and in ridge", "name the site"],
        ),
        (
            "name = \"ridge\"\nfile",
            "name = \"mesa\"\nfile",
            &["sites[1].name", "\"mesa\""],
        ),
        (
            "first_month",
            "site = \"mesa.toml\"\nfirst_month",
            &["site", "found both", "[[sites]]"],
        ),
        ("file = \"ridge.toml\"", "file = \"ridges.toml\"", &["sites[1].file"]),
        (
            "file = \"ridge.toml\"",
            "file = \"ridge.toml\"\nmarket = \"ERCOT\"",
            &["sites[1].market", "of mesa", "name another market"],
        ),
        (
            "file = \"ridge.toml\"",
            "file = \"ridge.toml\"\npower_from = \"west.toml\"",
            &["sites[1].power_from", "found both"],
        ),
        (
            "behind_utc_hours = 5",
            "behind_utc_hours = 50",
            &["sites[1].power.behind_utc_hours"],
        ),
        ("markets_percent = 40", "markets_percent = 400", &["futures.together"]),
        ("\n[futures.power]\n", "\n[futures.powers]\n", &["missing field"]),
        ("draws_until = \"2027-09\"\n", "", &["loans[0].draws_until", "delayed_draw"]),
        (
            "draws_until = \"2027-09\"\n",
            "draws_until = \"2027-09\"\nissue = \"2027-01\"\n",
            &["loans[0].issue", "no such key"],
        ),
    ];
    for (number, (from, to, parts)) in cases.into_iter().enumerate() {
        let folder = changed(&format!("plan-sites-wrong-{number}"), from, to);
        let said = match plan_file::load(&folder) {
            Ok(_) => panic!("\"{to}\" in place of \"{from}\" is let through"),
            Err(error) => error.to_string(),
        };
        for part in parts {
            assert!(said.contains(part), "{to}: {part} is missing from: {said}");
        }
    }
}

#[test]
fn a_search_moves_conversions_of_both_sites() {
    let loaded = loaded(&example());
    let found = search(&loaded.plan, 9, (3, 6), 2, &AtomicBool::new(false), &|_| {});
    assert!(!found.frontier.is_empty() && found.looked_at > 1, "{found:?}");
    let document = report::plan::schedule_document(&loaded.plan, &found);
    let begins = &document["frontier"][0]["begins"];
    for name in ["Mesa hall", "Mesa annex", "Ridge hall"] {
        assert!(begins[name].is_string(), "{name} is missing: {begins}");
    }
}

#[test]
fn the_command_calibrates_runs_over_history_and_writes_each_site() {
    let dir = folder("plan-sites-command");
    let path = |name: &str| dir.join(name).to_str().expect("a path").to_owned();
    let synth = path("history");
    let made = mw(&["history", "synth", "--seed", "3", "--years", "2", "--out", &synth]);
    assert!(made.status.success(), "{made:?}");
    let as_of = "2026-07-01";
    let command =
        ["plan", "calibrate", "--history", &synth, "--point", "HB_SYNTH", "--as-of"];
    let shown = mw(&[&command[..], &[as_of]].concat());
    assert!(shown.status.success(), "{shown:?}");
    // What calibrating wrote is Ridge's price of power, and Mesa's.
    let folder = changed("plan-sites-calibrated", "format = 1", "format = 1");
    fs::write(folder.join("point.toml"), &shown.stdout).expect("written");
    let text = fs::read_to_string(folder.join("plan.toml")).expect("the plan");
    let (before, rest) = text.split_once("[sites.power]").expect("Ridge's power");
    let (_, rest) = rest.split_once("[[contracts]]").expect("contracts");
    let before = before.replace(
        "first_month = \"2026-01\"\nmonths = 48",
        "first_month = \"2026-02\"\nmonths = 30",
    );
    let after = rest.split_once("[futures.power]").expect("Mesa's power");
    let last = after.1.split_once("[futures.rental]").expect("rent").1;
    let text = format!(
        "{before}power_from = \"point.toml\"\n\n[[contracts]]{}[futures.rental]{last}",
        after.0
    )
    .replace("file = \"mesa.toml\"", "file = \"mesa.toml\"\npower_from = \"point.toml\"");
    fs::write(folder.join("plan.toml"), text).expect("written");
    let plan = plan_file::load(&folder).unwrap_or_else(|error| panic!("{error}")).plan;
    let own = plan.sites[1].prices.as_ref().expect("its own price");
    assert_eq!(own.power, plan.futures.power, "both are of one file");

    let plan = fs::read_to_string(folder.join("plan.toml")).expect("written");
    let lacking = dir.join("lacking");
    fs::create_dir_all(&lacking).expect("the folder can be made");
    for name in ["mesa.toml", "ridge.toml", "contract.toml", "point.toml"] {
        fs::copy(folder.join(name), lacking.join(name)).expect("the folder");
    }
    let first = "file = \"mesa.toml\"\npower_from = \"point.toml\"";
    let plan = plan.replace(first, "file = \"mesa.toml\"");
    fs::write(lacking.join("plan.toml"), plan).expect("written");
    let said = plan_file::load(&lacking).expect_err("no price").to_string();
    assert!(said.contains("futures.power: expected a price of power"), "{said}");

    let shown = folder.to_str().expect("a path");
    let history = ["plan", "backtest", shown, "--history", &synth, "--paths", "3"];
    let points = ["--point", "mesa=HB_SYNTH", "--point", "ridge=HB_SYNTH", "--json"];
    let done = mw(&[&history[..], &points[..]].concat());
    assert!(done.status.success(), "{done:?}");
    let over: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    assert_eq!(over["settlement_point"], "HB_SYNTH and HB_SYNTH");
    for wrong in [&["--point", "HB_SYNTH"][..], &["--point", "east=HB_SYNTH"]] {
        let done = mw(&[&history[..], wrong].concat());
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(1), "{said}");
        assert!(said.contains("SITE=NAME") && said.contains("mesa, ridge"), "{said}");
    }

    let example = example();
    let example = example.to_str().expect("a path");
    let (parquet, page) = (path("parquet"), path("plan.html"));
    let run = ["plan", example, "--paths", "2", "--parquet", &parquet, "--report", &page];
    let done = mw(&run);
    assert!(done.status.success(), "{done:?}");
    assert!(Path::new(&parquet).join("sites.parquet").exists());
    let page = fs::read_to_string(&page).expect("it was written");
    assert!(page.contains("<svg id=\"sites\""), "the sites' picture is missing");
}

#[test]
fn a_contract_of_two_sites_is_charged_power_and_moves_with_an_index() {
    let to = "[futures.indexes.CPI]\nvalue = 325.0\npercent_per_year = 2.5\n\n[futures.together]";
    let folder = changed("plan-sites-charged", "[futures.together]", to);
    let plain = loaded(&folder);
    let contract = fs::read_to_string(folder.join("contract.toml")).expect("a contract");
    let write = |power: &str| {
        let text = contract.replace("mode   = \"included\"", power).replace(
            "amount = \"3.60\" }",
            "amount = \"3.60\", index = { name = \"CPI\", base = \"320\", share = \"1\" } }",
        );
        fs::write(folder.join("contract.toml"), text).expect("written");
    };
    write("mode = \"pass-through\"");
    let said = plan_file::load(&folder).expect_err("a bill of two sites").to_string();
    assert!(said.contains("served from mesa and ridge"), "{said}");
    write("mode = \"index\"\nindex = \"HB_WEST\"\nadder = \"4\"");
    let charged = loaded(&folder);
    let (plain, charged) = (paths(&plain, 0..2), paths(&charged, 0..2));
    for (plain, charged) in plain.outcomes.iter().zip(&charged.outcomes) {
        let used = charged.uses[1];
        assert_eq!(used.power, plain.uses[1].power, "what is drawn is the same");
        // The index begins at 1.6 % above its base and grows to some 10 % in four years,
        // and power is some three hundredths of the fee.
        let [before, after] =
            [plain.uses[1].earned, used.earned].map(|money| money.as_micro_usd() as f64);
        assert!((1.04..1.15).contains(&(after / before)), "{after} for {before}");
        let sum: units::Money =
            charged.sites.iter().map(|site| site.uses[1].earned).sum();
        assert_eq!(sum, used.earned);
    }
}
