//! Plans as files: the example, what is wrong with one, and the same figures however the
//! paths were spread.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use engine::site::LoadKind;
use engine::{Known, Signal, Source};
use mw::drive::backtest::{Options, run as backtest};
use mw::feed::{Basis, Feed, Settlement};
use mw::plan_file::{self, LoadedPlan};
use mw::plan_run::{Paths, Shard, ShardFile, run, search};
use mw::report;
use plan::{Answer, Line, irr, monthly_rate, npv};
use serde_json::{Value, json};
use units::{EnergyPrice, Interval, Money, Power, Seconds, Share};

use crate::backtest::{mw, root};
use crate::books::folder;

fn example() -> LoadedPlan {
    let path = root().join("examples/childress-750mw");
    plan_file::load(&path).unwrap_or_else(|error| panic!("{error}"))
}

fn paths(loaded: &LoadedPlan, threads: usize) -> Paths {
    run(&loaded.plan, 9, 0..7, threads, &AtomicBool::new(false), &|_| {})
}

#[test]
fn the_example_answers_what_its_public_figures_imply() {
    let loaded = example();
    let found = paths(&loaded, 2);
    let answer = Answer::of(&loaded.plan, &found.outcomes).expect("paths");
    // A fifth of 9.7 billion, and 3.65 billion of debt, against 5.8 billion of machines.
    let [ahead, drawn, machines] = answer.funded_usd.last().copied().expect("months");
    assert!((ahead - 1_940e6).abs() < 1e6, "{ahead}");
    assert!((drawn - 3_650e6).abs() < 1.0 && (machines + 5_800e6).abs() < 1.0);
    // 1.94 billion a year over 200 MW of IT load, at the meter of halls with 1.10.
    let convert = answer.per_mwh[1].expect("racks serve");
    assert!((convert.earned - 1_107.0 / 1.1).abs() < 15.0, "{convert:?}");
    assert_eq!(answer.tranches.len(), 4);
    let text = report::plan::text(&loaded.plan, &answer, 9, 7);
    for part in
        ["mine it", "convert it", "sell it back", "Coverage", "Break-even", "tenants"]
    {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
}

#[test]
fn threads_change_nothing() {
    let loaded = example();
    let one = paths(&loaded, 1);
    let three = paths(&loaded, 3);
    assert_eq!(one.outcomes, three.outcomes);
    let document = |found: &Paths| {
        let answer = Answer::of(&loaded.plan, &found.outcomes).expect("paths");
        report::plan::document(&loaded.plan, &answer, 9, 7).to_string()
    };
    assert_eq!(document(&one), document(&three));
}

#[test]
fn what_is_finished_when_it_is_stopped_is_kept() {
    let loaded = example();
    let stop = AtomicBool::new(false);
    let halt = |count| {
        if count == 3 {
            stop.store(true, Ordering::Relaxed);
        }
    };
    let found = run(&loaded.plan, 9, 0..1_000, 1, &stop, &halt);
    assert_eq!((found.outcomes.len(), found.asked), (3, 1_000));
    assert_eq!(found.outcomes[..], paths(&loaded, 1).outcomes[..3]);
    let answer = Answer::of(&loaded.plan, &found.outcomes).expect("paths");
    let text = report::plan::text(&loaded.plan, &answer, 9, 1_000);
    assert!(text.contains("3 of 1000 futures were finished"), "{text}");
}

#[test]
fn merged_parts_are_the_single_run_bit_for_bit() {
    let loaded = example();
    let whole = paths(&loaded, 2);
    let folder = folder("plan-shards");
    let files: Vec<PathBuf> = (1..=3)
        .map(|number| {
            let shard: Shard = format!("{number}/3").parse().expect("a part");
            let stop = AtomicBool::new(false);
            let found = run(&loaded.plan, 9, shard.range(7), 1, &stop, &|_| {});
            let file = ShardFile::new(loaded.hash, 9, 7, &found.outcomes);
            let path = folder.join(format!("{number}.json"));
            let text = serde_json::to_string(&file).expect("a part is written");
            fs::write(&path, text).expect("the folder can be written");
            path
        })
        .collect();
    let read =
        |place: usize| ShardFile::read(&files[place], loaded.hash).expect("a part");
    let plan = &loaded.plan;
    let (seed, count, merged) =
        ShardFile::merge(vec![read(2), read(0), read(1)], plan).expect("all parts");
    assert_eq!((seed, count), (9, 7));
    assert_eq!(merged, whole.outcomes);

    let wrong = |parts| ShardFile::merge(parts, plan).expect_err("wrong").to_string();
    assert!(wrong(vec![read(0), read(2)]).contains("found it in none"));
    assert!(wrong(vec![read(0), read(1)]).contains("expected 7 paths"));
    assert!(wrong(vec![read(0), read(0), read(1), read(2)]).contains("found it in two"));
    let other = plan_file::load(&root().join("examples/childress-750mw/plan.toml"));
    let other = settle::contract::Hash::of(&other.expect("the example").hash.0);
    let refused =
        ShardFile::read(&files[0], other).expect_err("another plan").to_string();
    assert!(refused.contains("plan_sha256: expected"), "{refused}");
    // A figure changed by hand.
    let text = fs::read_to_string(&files[0]).expect("a part");
    let figure = "\"price_micro_usd_per_mwh\":";
    let text = text.replacen(figure, &format!("{figure}1"), 1);
    fs::write(&files[0], text).expect("the folder can be written");
    let refused =
        ShardFile::read(&files[0], loaded.hash).expect_err("by hand").to_string();
    assert!(refused.contains("outcomes_sha256: expected"), "{refused}");
    for text in ["0/3", "4/3", "3", "a/b", "1/0"] {
        assert!(text.parse::<Shard>().is_err(), "{text}");
    }
}

#[test]
fn parts_cover_every_path_once() {
    for (paths, of) in [(7_u64, 3_u64), (1_000, 7), (2, 5), (10_000_000, 1_024)] {
        let mut next = 0;
        for number in 1..=of {
            let shard: Shard = format!("{number}/{of}").parse().expect("a part");
            let range = shard.range(paths);
            assert_eq!(range.start, next);
            assert!(range.end - range.start <= paths.div_ceil(of));
            next = range.end;
        }
        assert_eq!(next, paths);
    }
}

/// A folder with the example, some of its lines written otherwise.
fn changed(name: &str, lines: &[(&str, &str)]) -> PathBuf {
    let example = root().join("examples/childress-750mw");
    let folder = folder(name);
    for name in ["site.toml", "contract.toml", "plan.toml"] {
        let mut text = fs::read_to_string(example.join(name)).expect("the example");
        for (from, to) in lines {
            text = text.replacen(from, to, 1);
        }
        fs::write(folder.join(name), text).expect("the folder can be written");
    }
    folder
}

/// What is said about the example with one of its lines written otherwise.
fn said(number: usize, from: &str, to: &str) -> String {
    let folder = changed(&format!("plan-wrong-{number}"), &[(from, to)]);
    match plan_file::load(&folder) {
        Ok(_) => panic!("\"{to}\" in place of \"{from}\" is let through"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_is_wrong_with_a_plan_is_told_by_file_and_key() {
    let cases = [
        (
            "ready = 2026-07-01",
            "ready = 2025-01-01",
            &["conversions[1].ready", "lead time of -243 days"][..],
        ),
        ("months = 72", "months = 0", &["months", "1 to 240"]),
        (
            "first_month = \"2026-01\"",
            "first_month = \"January\"",
            &["first_month", "a month such as"],
        ),
        (
            "name = \"childress-750mw\"\nsite = ",
            "nome = 1\nsite = ",
            &["unknown field `nome`"],
        ),
        ("file = \"contract.toml\"", "file = \"contracts.toml\"", &["contracts[0].file"]),
        (
            "signed_percent = 100",
            "signed_percent = 130",
            &["contracts[0].signed_percent", "0 to 100", "130"],
        ),
        (
            "racks = [\"horizon-1\"]",
            "racks = [\"horizon-9\"]",
            &["conversions[0].racks", "\"horizon-9\""],
        ),
        (
            "racks = [\"horizon-1\"]",
            "racks = [\"s21\"]",
            &["conversions[0].racks", "the name of racks"],
        ),
        (
            "racks = [\"horizon-1\"]",
            "racks = [\"horizon-1\", \"horizon-2\"]",
            &["all serve one tranche"],
        ),
        (
            "volatility_percent = 44",
            "volatility_percent = -1",
            &["futures.coin.volatility_percent"],
        ),
        ("half_life_days = 9 ", "half_life_days = 0 ", &["futures.fees.half_life_days"]),
        (
            "forward_usd_per_mwh = 34",
            "forward_usd_per_mwh = 1",
            &["futures.power.forward_usd_per_mwh", "spikes"],
        ),
        (
            "bounds_usd_per_mwh = [-250, 5000]",
            "bounds_usd_per_mwh = [5000, -250]",
            &["bounds_usd_per_mwh"],
        ),
        (
            "ratio_min = 1.05",
            "ratio_min = 2.5",
            &["covenant.ratio_min", "at best in", "no future of this plan"],
        ),
        ("maturity = \"2031-12\"", "maturity = \"2026-11\"", &["loans[0].maturity"]),
        ("kind = \"notes\"", "kind = \"bonds\"", &["bonds"]),
        (
            "equipment = { price_musd = 1450",
            "equipment = { price_musd = -1450",
            &["equipment.price_musd"],
        ),
        (
            "first_month = \"2026-01\"",
            "first_month = \"9999-01\"",
            &["first_month", "2009 to 2100"],
        ),
        (
            "ready = 2026-07-01",
            "ready = 9999-12-30",
            &["conversions[1].ready", "within thirty years"],
        ),
        ("days_max = 365", "days_max = 1e12", &["conversions[0].slip"]),
        (
            "bounds_usd_per_mwh = [-250, 5000]",
            "bounds_usd_per_mwh = [nan, 5000]",
            &["bounds_usd_per_mwh"],
        ),
        (
            "behind_utc_hours = 6",
            "behind_utc_hours = 600",
            &["behind_utc_hours", "-14 to 14"],
        ),
        ("limit_musd = 2100", "limit_musd = 1e9", &["loans[0].limit_musd"]),
        (
            "volatility_percent = 44",
            "volatility_percent = nan",
            &["futures.coin.volatility_percent"],
        ),
        // In the files beside it.
        (
            "import_limit_mw = 750",
            "import_limit_mw = 200",
            &["interconnection.import_limit_mw"],
        ),
        (
            "price = { unit = \"gpu-hour\", amount = \"2.911141\" }\n",
            "",
            &["contract.toml", "tranche[1].price", "expected a table"],
        ),
        (
            "price = { unit = \"gpu-hour\", amount = \"2.911141\" }",
            "price = { unit = \"gpu-hour\", amount = \"0\" }",
            &["price above nought"],
        ),
        (
            "[running]",
            "[schedule]\nevery_months = 0\n[running]",
            &["schedule.every_months", "1 to 240"],
        ),
        (
            "[running]",
            "[schedule]\nbreach_percent_max = 101\n[running]",
            &["schedule.breach_percent_max", "0 to 100"],
        ),
        (
            "repayment = \"straight\" ",
            "repayment = \"straight\"\nsecured_on = \"NOBODY\" ",
            &["loans[0].secured_on", "\"NOBODY\"", "CHILDRESS-2025-11"],
        ),
        (
            "[futures.delivery]",
            "[futures.together]\ncoin_fees_percent = 99\ncoin_rent_percent = 99\nfees_rent_percent = -99\n[futures.delivery]",
            &["futures.together", "contradict one another"],
        ),
        (
            "[futures.delivery]",
            "[futures.together]\ncoin_rent_percent = 250\n[futures.delivery]",
            &["futures.together.coin_rent_percent", "-99 to 99"],
        ),
        (
            "lag_up_days = 180 ",
            "switch_off_percent = 0\nlag_up_days = 180 ",
            &["futures.network.switch_off_percent", "1 to 100"],
        ),
        ("gpus = 19008", "gpus = 19009", &["the 19009 of tranche H1", "19008"]),
        // What certainly fails.
        (
            "forward_usd_per_mwh = 34",
            "forward_usd_per_mwh = 4900",
            &["futures.power.forward_usd_per_mwh", "bounds_usd_per_mwh"],
        ),
        (
            "name = \"Horizon 2\"",
            "name = \"Horizon 1\"",
            &["conversions[1].name", "again"],
        ),
        ("name = \"Horizon 2\"", "name = \" \"", &["conversions[1].name", "none"]),
        (
            "name = \"delayed draw term loan\"",
            "name = \"senior notes\"",
            &["loans[1].name"],
        ),
        (
            "rigs_out = [\"m60s\"]",
            "rigs_out = [\"m60s\", \"m60s\"]",
            &["load m60s once", "it 2 times"],
        ),
        ("issue = \"2026-06\"", "issue = \"2032-06\"", &["loans[0].issue", "2031-12"]),
        (
            "draws_until = \"2027-05\"",
            "draws_until = \"2024-05\"",
            &["loans[1].draws_until", "nothing could be drawn"],
        ),
        (
            "limit_musd = 2100",
            "limit_musd = 9000",
            &["loans[0].limit_musd", "of works and machines"],
        ),
        (
            "limit_musd = 1550",
            "limit_musd = 5801",
            &["loans[1].limit_musd", "of machines"],
        ),
        ("limit_musd = 2100", "limit_musd = 7000", &["loans: expected", "together"]),
        ("from = \"2027-12\"", "from = \"2040-01\"", &["covenant.from", "2031-12"]),
        (
            "ready = 2026-04-01",
            "ready = 2033-04-01",
            &["conversions[0].ready", "long stop of tranche H1", "no future meets it"],
        ),
        (
            "delivery = 2026-12-01",
            "delivery = 2036-12-01",
            &["conversions[3].ready", "within a year", "tranche H4"],
        ),
        (
            "racks = [\"horizon-1\"]",
            "racks = [\"horizon-1\"]\nmachines = \"tenant\"",
            &["conversions[0].machines", "an order for them"],
        ),
        (
            "mode   = \"included\"",
            "mode   = \"index\"\nindex = \"HENRY_HUB\"",
            &["contracts[0].file", "HENRY_HUB", "a site's settlement point"],
        ),
    ];
    for (number, (from, to, parts)) in cases.into_iter().enumerate() {
        let said = said(number, from, to);
        assert!(said.contains("plan.toml"), "{to}: {said}");
        assert!(said.contains("expected") && said.contains("found"), "{to}: {said}");
        for part in parts {
            assert!(said.contains(part), "{to}: {part} is missing from: {said}");
        }
    }
}

#[test]
fn every_key_that_is_read_is_told() {
    let read = |path: &str| fs::read_to_string(root().join(path)).expect("a file");
    let page = read("docs/concepts/plan.md");
    let written = read("crates/mw/src/plan_file/written.rs");
    let keys = written.lines().filter_map(|line| {
        let (key, _) = line.trim().strip_prefix("pub(super) ")?.split_once(':')?;
        Some(key)
    });
    let mut told = 0;
    for key in keys {
        let found = [
            format!("`{key}`"),
            format!("[{key}]"),
            format!(".{key}]"),
            format!(".{key}."),
        ];
        let found = found.iter().any(|text| page.contains(text));
        assert!(found || page.contains(&format!("{key} = ")), "{key} is not told");
        told += 1;
    }
    assert!(told > 100, "{told} keys were found");
}

#[test]
fn what_a_plan_does_not_do_with_a_contract_is_said() {
    let folder = changed(
        "plan-terms",
        &[
            ("percent     = \"100\"", "percent     = \"80\""),
            ("claim       = \"automatic\"", "claim = \"customer-claim:30d\""),
            (
                "fee = \"remaining",
                "availability = { below = \"0.97\", months = 3 }\nfee = \"remaining",
            ),
            // Shipped 400 days before: paid for in the year before the plan.
            ("ships_days_before = 45", "ships_days_before = 400"),
        ],
    );
    let loaded = plan_file::load(&folder).unwrap_or_else(|error| panic!("{error}"));
    let stop = AtomicBool::new(false);
    let found = run(&loaded.plan, 9, 0..1, 1, &stop, &|_| {});
    let answer = Answer::of(&loaded.plan, &found.outcomes).expect("a path");
    let text = report::plan::text(&loaded.plan, &answer, 9, 1);
    for part in [
        "CHILDRESS-2025-11 takes 80 % of what is reserved",
        "claims them within 30 days: every one is claimed",
        "below 97 % available in 3 months in a row: no future lets it",
        "and machines of 1450.0 million USD were paid before 2026-01",
        "Rigs of Horizon 3 had left before 2026-01",
    ] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    let document = report::plan::document(&loaded.plan, &answer, 9, 1);
    let notes = document["notes"].as_array().expect("notes");
    assert!(notes.len() >= 6, "{notes:?}");
    assert!(notes.iter().all(|note| text.contains(note.as_str().expect("text"))));
}

#[test]
fn a_covenant_that_no_future_meets_is_said_first() {
    // Everything is down for twenty-five days, twenty times a year.
    let lines = [
        ("outages_per_year = 0.5", "outages_per_year = 20"),
        ("outage_hours = 6 ", "outage_hours = 600 "),
    ];
    let folder = changed("plan-breach", &lines);
    let loaded = plan_file::load(&folder).unwrap_or_else(|error| panic!("{error}"));
    let found = paths(&loaded, 2);
    let answer = Answer::of(&loaded.plan, &found.outcomes).expect("paths");
    assert_eq!(answer.breach, Some(1.0));
    let text = report::plan::text(&loaded.plan, &answer, 9, 7);
    let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part}:\n{text}"));
    assert!(at("NO FUTURE MEETS THE COVENANT") < at("What it is worth"), "{text}");
    let document = report::plan::document(&loaded.plan, &answer, 9, 7);
    assert_eq!(document["warnings"].as_array().map(Vec::len), Some(1));
    // As the example is, some futures do.
    let loaded = example();
    let answer = Answer::of(&loaded.plan, &paths(&loaded, 2).outcomes).expect("paths");
    let document = report::plan::document(&loaded.plan, &answer, 9, 7);
    assert_eq!(document["warnings"], json!([]));
}

#[test]
fn what_cannot_be_written_is_found_before_the_run_and_a_merge_has_a_page() {
    let example = root().join("examples/childress-750mw");
    let example = example.to_str().expect("a path");
    let nowhere = folder("plan-nowhere").join("no/such/folder/x");
    let nowhere = nowhere.to_str().expect("a path");
    // Ten million futures would take a day.
    let all = ["plan", example, "--paths", "10000000"];
    let file = folder("plan-file").join("file");
    fs::write(&file, "kept").expect("the folder can be written");
    let inside = file.join("folder");
    let inside = inside.to_str().expect("a path");
    for (to, said) in [
        (&["--report", nowhere][..], "cannot write the page"),
        (&["--parquet", inside], "cannot make the folder"),
        (&["--shard", "1/2", "--out", nowhere], "cannot write the part"),
    ] {
        let done = mw(&[&all[..], to].concat());
        let found = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(1), "{found}");
        assert!(found.contains(said), "{found}");
    }
    assert_eq!(fs::read_to_string(&file).expect("still there"), "kept");

    let dir = folder("plan-merged-page");
    let path = |name: &str| dir.join(name).to_str().expect("a path").to_owned();
    let (part, page) = (path("part.json"), path("plan.html"));
    let done = mw(&["plan", example, "--paths", "2", "--shard", "1/1", "--out", &part]);
    assert!(done.status.success(), "{done:?}");
    let done = mw(&["plan", "merge", example, &part, "--report", &page]);
    assert!(done.status.success(), "{done:?}");
    let page = fs::read_to_string(page).expect("it was written");
    assert!(page.contains("<svg id=\"cash\""), "the page has its pictures");
}

/// Waits until a process has used so many hundredths of a second of a processor: that the
/// one future is lived takes a few of them, and what follows takes days.
#[cfg(unix)]
#[expect(clippy::disallowed_methods, reason = "it looks in steps until it is so")]
fn until_it_has_run(process: u32, hundredths: u64) {
    loop {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("it runs");
        let (_, after) = stat.rsplit_once(')').expect("a name in brackets");
        let used = after.split_whitespace().skip(11).take(2);
        let used: u64 = used.map(|ticks| ticks.parse::<u64>().expect("a count")).sum();
        if used >= hundredths {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_within_what_matters_keeps_the_answer_and_says_what_is_left_out() {
    let example = root().join("examples/childress-750mw");
    let run = Command::new(env!("CARGO_BIN_EXE_mw"))
        .arg("plan")
        .arg(example)
        .args(["--paths", "1", "--tornado", "100000", "--threads", "1"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("it runs");
    until_it_has_run(run.id(), 300);
    let told = Command::new("kill").args(["-INT", &run.id().to_string()]).status();
    assert!(told.expect("kill runs").success());
    let done = run.wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{done:?}");
    assert!(text.contains("What it is worth at"), "{text}");
    assert!(
        text.contains(
            "Stopped: 12 of 12 assumptions were not moved over all 100000 futures"
        ),
        "{text}"
    );
}

#[test]
fn the_command_prints_units_in_its_keys_and_refuses_what_is_not_there() {
    let example = root().join("examples/childress-750mw");
    let example = example.to_str().expect("a path");
    let done = mw(&["plan", example, "--paths", "2", "--seed", "5", "--json"]);
    assert!(done.status.success(), "{done:?}");
    let answer: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    assert_eq!(answer["paths"], 2);
    assert_eq!(answer["cash"].as_array().map(Vec::len), Some(72));
    assert!(answer["cash"][3]["mean"]["power_racks_usd"].as_f64() < Some(0.0));
    // A page that needs nothing else, with a picture of each kind.
    let page = folder("plan-page").join("plan.html");
    let shown = page.to_str().expect("a path");
    let done =
        mw(&["plan", example, "--paths", "2", "--tornado", "1", "--report", shown]);
    assert!(done.status.success(), "{done:?}");
    let text = String::from_utf8_lossy(&done.stdout);
    assert!(text.contains("What matters, over the first 1 futures"), "{text}");
    let page = fs::read_to_string(&page).expect("it was written");
    for id in ["cash", "net", "gain", "tornado"] {
        assert!(page.contains(&format!("<svg id=\"{id}\"")), "{id} is missing");
    }
    assert!(page.contains("over 1 of the same futures"));
    assert!(!page.contains("<svg id=\"frontier\""), "no schedule was looked for");
    assert!(!page.contains("http"), "it asks nobody");
    assert!(!page.contains("NaN"), "every place is a number");
    let wrong = mw(&["plan", "/nowhere/plan.toml"]);
    assert_eq!(wrong.status.code(), Some(1));
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(said.contains("expected a plan file"), "{said}");
    assert_eq!(mw(&["plan"]).status.code(), Some(2));
    assert_eq!(mw(&["plan", example, "--shard", "1/2"]).status.code(), Some(2));
}

/// A plan of the example in which the fourth hall is on offer and owners have a limit.
fn on_offer() -> LoadedPlan {
    let mut loaded = example();
    let plan = &mut loaded.plan;
    plan.deals[0].signed = Share::from_ppm(900_000);
    plan.bounds.every_months = 24;
    plan.bounds.owners_max = Some(Money::from_usd(9_000_000_000));
    loaded
}

#[test]
fn a_search_is_the_same_on_any_number_of_threads_and_keeps_what_it_had_when_stopped() {
    let loaded = on_offer();
    let stop = AtomicBool::new(false);
    let found = |threads| search(&loaded.plan, 9, (3, 50), threads, &stop, &|_| {});
    let (one, three) = (found(1), found(3));
    assert_eq!(one, three);
    assert_eq!((one.how, one.stopped), (plan::How::All, false));
    assert!(!one.frontier.is_empty());
    let document = report::plan::schedule_document(&loaded.plan, &one);
    assert_eq!(document["exhaustive"], true);
    assert_eq!(document["looked_at"], one.looked_at);
    assert_eq!(document["stated"]["begins"]["Horizon 4"], "2026-02");
    let text = report::plan::schedule(&loaded.plan, &one);
    for part in ["Horizon 1 is as stated", "every one", "2026-02", "worst 5 %"] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    let halt = |count| {
        if count == 4 {
            stop.store(true, Ordering::Relaxed);
        }
    };
    let halted = search(&loaded.plan, 9, (3, 50), 1, &stop, &halt);
    assert!(halted.stopped && halted.looked_at == 0, "{halted:?}");
    let text = report::plan::schedule(&loaded.plan, &halted);
    assert!(text.contains("stopped before it was done"), "{text}");
    assert!(text.contains("No schedule was valued"), "{text}");
    assert!(!text.contains("within the plan's bounds"), "nobody knows that: {text}");
}

#[test]
fn the_command_shows_schedules_as_a_table_and_as_json() {
    let example = root().join("examples/childress-750mw");
    let example = example.to_str().expect("a path");
    let done = mw(&["plan", example, "--paths", "2", "--schedule=2", "--json"]);
    assert!(done.status.success(), "{done:?}");
    let answer: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    let found = &answer["schedule"];
    // Signed: never is no option, and most months miss the covenant at best.
    let counted = found["looked_at"].as_u64().zip(found["cannot_be"].as_u64());
    let (looked_at, cannot_be) = counted.expect("counts");
    assert_eq!(
        Some((looked_at + cannot_be).to_string().as_str()),
        found["schedules"].as_str()
    );
    assert!(looked_at >= 1 && cannot_be >= 1);
    assert_eq!(found["frontier"][0]["begins"]["Horizon 1"], "2025-06");
    assert_eq!(found["frontier"][0]["valued"]["debt_peak_usd"], 3_650e6);
    let done = mw(&["plan", example, "--paths", "2", "--schedule=2"]);
    assert!(String::from_utf8_lossy(&done.stdout).contains("What to convert and when"));
    for wrong in ["--schedule=1", "--schedules-max=4"] {
        assert_eq!(mw(&["plan", example, wrong]).status.code(), Some(2), "{wrong}");
    }
}

#[test]
fn calibration_is_read_back_as_a_plan() {
    let folder = folder("plan-calibrate");
    let history = folder.join("history");
    let history = history.to_str().expect("a path");
    let made = mw(&["history", "synth", "--seed", "3", "--years", "2", "--out", history]);
    assert!(made.status.success(), "{made:?}");
    let shown = mw(&[
        "plan",
        "calibrate",
        "--history",
        history,
        "--point",
        "HB_SYNTH",
        "--as-of",
        "2026-07-01",
    ]);
    assert!(shown.status.success(), "{shown:?}");
    let futures = String::from_utf8(shown.stdout).expect("text");
    // Nothing of later days is read: the price is that of the last day of June.
    let earlier = mw(&[
        "plan",
        "calibrate",
        "--history",
        history,
        "--point",
        "HB_SYNTH",
        "--as-of",
        "2025-02-01",
    ]);
    assert_eq!(earlier.status.code(), Some(1));
    let said = String::from_utf8_lossy(&earlier.stderr).into_owned();
    assert!(said.contains("bitcoin days known by then, found 31"), "{said}");

    let example = root().join("examples/childress-750mw");
    for name in ["site.toml", "contract.toml"] {
        fs::copy(example.join(name), folder.join(name)).expect("the example");
    }
    let plan = fs::read_to_string(example.join("plan.toml")).expect("the example");
    let kept = plan.split("# The row of 2025-12-29").next().expect("what stands before");
    fs::write(folder.join("plan.toml"), kept.to_owned() + &futures).expect("written");
    let loaded = plan_file::load(&folder).unwrap_or_else(|error| panic!("{error}"));
    assert!((0.2..1.2).contains(&loaded.plan.futures.coin.volatility_per_root_year));
    assert_eq!(loaded.plan.futures.power.behind_utc_hours, 6);
}

/// A month of the example's rigs with the machines a plan leaves out of the hour.
fn rigs_alone() -> plan::Plan {
    let mut plan = example().plan;
    plan.sites[0].site.loads.retain(|load| matches!(load.kind, LoadKind::Rigs(_)));
    for load in &mut plan.sites[0].site.loads {
        load.envelope.up_min = Seconds::ZERO;
        load.envelope.down_min = Seconds::ZERO;
    }
    let grid = &mut plan.sites[0].site.interconnection;
    grid.ramp_up_per_minute = None;
    grid.ramp_down_per_minute = None;
    grid.ramp_emergency_per_minute = None;
    // So that the limit binds and loads change places under it.
    grid.import_limit = Power::from_mw(400);
    plan.sites[0].site.tariff.coincident_peaks.clear();
    plan.months = 1;
    plan.conversions.clear();
    plan.deals.clear();
    plan.loans.clear();
    plan.covenant = None;
    plan.sites[0].running.mining_per_mw_month = Money::ZERO;
    plan
}

/// The same future as a plan draws it, as a backtest is fed.
fn fed(plan: &plan::Plan, seed: u64, path: u64) -> (Feed, Interval) {
    let during = plan.zone().month(plan.first);
    let futures = &plan.futures;
    let mut power = futures.power.path(seed, path, during.start);
    let mut coin = futures.coin.path(seed, path);
    let mut fees = futures.fees.path(seed, path);
    let mut network = futures.network.path();
    let day = Seconds::hours(24);
    let mut feed = Feed {
        settlement_steps: vec![(during.start, Seconds::hours(1))],
        ..Feed::default()
    };
    let mut known = None;
    let mut at = during.start;
    while at < during.end {
        let price = coin.next_day();
        let chain = network.next_day(price, fees.next_day());
        let hashprice = chain.hashprice(price);
        feed.hashprices.insert(at, hashprice);
        let told = Known {
            value: known.unwrap_or(hashprice),
            during: Interval::starting(at - day, day),
            known_at: at,
            source: Source::Bitcoin,
        };
        feed.signals.push((at, Signal::Hashprice(told)));
        known = Some(hashprice);
        for hour in 0..24 {
            let during = Interval::starting(at + Seconds::hours(hour), Seconds::hours(1));
            let drawn = power.next_hour();
            let micro =
                |usd: f64| EnergyPrice::from_micro_usd_per_mwh((usd * 1e6) as i64);
            let lmp = Known {
                value: micro(drawn.known),
                during,
                known_at: during.start,
                source: Source::Lmp,
            };
            feed.signals.push((during.start, Signal::Price(lmp)));
            feed.lmp_starts.push(during.start);
            let price = micro(drawn.settled);
            feed.settlements.push(Settlement { during, price, basis: Basis::Published });
        }
        at = at + day;
    }
    (feed, during)
}

#[test]
fn a_plan_agrees_with_a_backtest_of_the_same_future_to_the_cent() {
    let plan = rigs_alone();
    for path in 0..3 {
        let outcome = plan.path(11, path);
        let (feed, range) = fed(&plan, 11, path);
        let (mut power, mut mining, mut wear) = (Money::ZERO, Money::ZERO, Money::ZERO);
        let mut drawn = units::Energy::ZERO;
        backtest(&plan.sites[0].site, &feed, range, Options::default(), |line| {
            power += line.row.bill.expect("every hour has a price").total();
            mining += line.row.mining.expect("every day has a hashprice");
            wear += line.row.wear;
            drawn += line.row.site;
            Ok(())
        })
        .expect("a run");
        let month = &outcome.months[0];
        let cents = |what: &str, found: Money, expected: Money| {
            let off = (found - expected).as_micro_usd().abs();
            assert!(off < 10_000, "path {path}, {what}: {found} for {expected}");
        };
        cents("power", month.of(Line::PowerMining), power);
        cents("mining", month.of(Line::Mining), mining);
        cents("wear", month.of(Line::Running), wear);
        assert!(wear < Money::ZERO, "machines were started");
        let hours = outcome.uses[0].watt_hours;
        assert_eq!(hours, drawn.as_joules() / 3_600, "path {path}");
    }
}

#[test]
fn values_and_rates_are_those_of_two_libraries() {
    let Some(python) = std::env::var_os("MW_ORACLE_PYTHON") else {
        eprintln!("skipped: MW_ORACLE_PYTHON names no Python");
        return;
    };
    let loaded = example();
    let rate = monthly_rate(Share::from_ppm(120_000));
    let mut cases = Vec::new();
    for outcome in paths(&loaded, 2).outcomes {
        let pairs = outcome.months.iter().zip(&outcome.stay);
        let flows: Vec<Money> = pairs.map(|(month, stay)| month.net() - *stay).collect();
        // The same without what comes in before anything is put in has one root.
        let mut plain = flows.clone();
        plain[0] = Money::from_usd(-2_500_000_000);
        for flows in [flows, plain] {
            let usd: Vec<f64> =
                flows.iter().map(|flow| flow.as_micro_usd() as f64 / 1e6).collect();
            let per_month =
                irr(&flows, rate).map(|per_year| (1.0 + per_year).powf(1.0 / 12.0) - 1.0);
            cases.push(json!({
                "rate": rate, "flows": usd, "npv": npv(rate, &flows), "irr_per_month": per_month,
            }));
        }
    }
    let file = folder("plan-oracle").join("cases.json");
    fs::write(&file, Value::Array(cases).to_string()).expect("the folder can be written");
    let script = root().join("crates/mw/tests/it/plan_oracle/value.py");
    let output = Command::new(python).arg(script).arg(&file).output().expect("a Python");
    let said =
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
}

#[test]
fn lenders_that_rely_on_a_contract_lend_on_none_that_may_not_be_signed() {
    let mut plan = example().plan;
    plan.loans[0].secured_on = Some(0);
    assert_eq!(plan.doubts(), Vec::new());
    plan.deals[0].signed = Share::from_ppm(600_000);
    let doubts = plan.doubts();
    let [doubt] = &doubts[..] else { panic!("one doubt: {doubts:?}") };
    assert_eq!(doubt.key, "loans[0].secured_on");
    assert_eq!(doubt.found, "CHILDRESS-2025-11, signed in 60.00 % of futures");
}

#[test]
fn a_page_shows_the_frontier_of_a_search() {
    let loaded = on_offer();
    let stop = AtomicBool::new(false);
    let search = search(&loaded.plan, 9, (3, 50), 2, &stop, &|_| {});
    let outcomes = paths(&loaded, 2).outcomes;
    let answer = Answer::of(&loaded.plan, &outcomes).expect("paths");
    let none = report::plan::Tornado::default();
    let page = report::plan::page(
        &loaded.plan,
        &answer,
        &outcomes,
        (9, 7),
        &none,
        Some(&search),
    )
    .expect("a page");
    let figure = page.split("<svg id=\"frontier\"").nth(1).expect("a frontier");
    let figure = figure.split("</svg>").next().expect("its end");
    let marks = figure.matches("worst twentieth ").count();
    assert_eq!(marks, search.frontier.len() + 1, "each, and the one in the file");
    assert!(page.contains("What to convert and when"), "the table is there, too");
    assert!(!page.contains("NaN"), "every place is a number");
}

/// The whole numbers of a column of a Parquet file, in order; `None` where there is none.
fn column(file: &std::path::Path, name: &str) -> Vec<Option<i64>> {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;
    let file = fs::File::open(file).expect("it was written");
    let reader = SerializedFileReader::new(file).expect("Parquet");
    let of = |field: &Field| {
        if let Field::Long(value) | Field::TimestampMicros(value) = field {
            return Some(*value);
        }
        assert!(matches!(field, Field::Null), "{name}: {field}");
        None
    };
    reader
        .get_row_iter(None)
        .expect("rows")
        .map(|row| {
            let row = row.expect("a row");
            let mut columns = row.get_column_iter();
            of(columns.find(|(column, _)| *column == name).expect("the column").1)
        })
        .collect()
}

#[test]
fn futures_in_parquet_are_those_of_the_run_and_add_up_to_its_answer() {
    let example_path = root().join("examples/childress-750mw");
    let folder = folder("plan-parquet");
    let run = |rest: &[&str]| {
        let mut arguments = vec!["plan", example_path.to_str().expect("a path")];
        arguments.extend(["--paths", "5", "--seed", "9"]);
        arguments.extend(rest);
        let done = mw(&arguments);
        assert!(done.status.success(), "{done:?}");
        done
    };
    let at = folder.join("once");
    let done = run(&["--json", "--parquet", at.to_str().expect("a path")]);
    let answer: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    let outcomes = paths(&example(), 2).outcomes;
    let outcomes = &outcomes[..5];

    let of = |file: &str, name: &str| column(&at.join(file), name);
    let whole =
        |found: Vec<Option<i64>>| -> Vec<i64> { found.into_iter().flatten().collect() };
    assert_eq!(whole(of("paths.parquet", "path")), [0, 1, 2, 3, 4]);
    let npvs = whole(of("paths.parquet", "npv_micro_usd"));
    assert_eq!(npvs, outcomes.iter().map(|o| o.npv.as_micro_usd()).collect::<Vec<_>>());
    let mean = npvs.iter().sum::<i64>() as f64 / 5e6;
    let said = answer["npv_usd"]["mean"].as_f64().expect("a mean");
    assert!((mean - said).abs() < 1e-6 * said.abs(), "{mean} for {said}");
    let rates = of("paths.parquet", "irr_ppm");
    assert_eq!(rates, outcomes.iter().map(|o| o.irr_ppm).collect::<Vec<_>>());

    let months = outcomes[0].months.len();
    let tax = whole(of("cash.parquet", "tax_micro_usd"));
    assert_eq!(tax.len(), 5 * months);
    let net = whole(of("cash.parquet", "net_micro_usd"));
    let starts = whole(of("cash.parquet", "month_start"));
    let coverage = of("cash.parquet", "coverage_ppm");
    for (path, outcome) in outcomes.iter().enumerate() {
        for (place, month) in outcome.months.iter().enumerate() {
            let row = path * months + place;
            assert_eq!(tax[row], month.of(Line::Tax).as_micro_usd());
            assert_eq!(net[row], month.net().as_micro_usd());
        }
        let own: Vec<_> = coverage[path * months..(path + 1) * months].to_vec();
        // The covenant is tested from 2027-12 on, the 24th month.
        assert!(own[..23].iter().all(Option::is_none));
        assert_eq!(own[23..], outcome.coverage[..]);
    }
    let january = units::Timestamp::parse("2026-01-01").expect("a date");
    assert_eq!(starts[0], january.as_unix_seconds() * 1_000_000);
    let late = whole(of("tranches.parquet", "late_days"));
    let days: Vec<i64> =
        outcomes.iter().flat_map(|o| &o.delivered).map(|one| one.days_late).collect();
    assert_eq!(late, days);

    // Parts that are put together write the same bytes.
    let parts: Vec<PathBuf> =
        (1..=2).map(|at| folder.join(format!("{at}.json"))).collect();
    for (at, part) in parts.iter().enumerate() {
        let shard = format!("{}/2", at + 1);
        run(&["--shard", &shard, "--out", part.to_str().expect("a path")]);
    }
    let merged = folder.join("merged");
    let mut arguments = vec!["plan", "merge", example_path.to_str().expect("a path")];
    arguments.extend(parts.iter().map(|part| part.to_str().expect("a path")));
    arguments.extend(["--parquet", merged.to_str().expect("a path")]);
    let done = mw(&arguments);
    assert!(done.status.success(), "{done:?}");
    for file in ["paths.parquet", "cash.parquet", "tranches.parquet"] {
        let read =
            |folder: &PathBuf| fs::read(folder.join(file)).expect("it was written");
        assert_eq!(read(&at), read(&merged), "{file}");
    }
}
