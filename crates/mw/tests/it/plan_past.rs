//! Plans run over what happened, and calibrated on what was known.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::backtest::{mw, root};
use crate::books::folder;

/// A plan of a site that mines at Houston, from a January on, its futures as calibrated
/// on what was known by then.
fn houston(name: &str, year: i32, history: &str) -> PathBuf {
    let folder = folder(name);
    let site = fs::read_to_string(root().join("examples/houston-strike/site.toml"));
    let site = site.expect("the example").replace("strike_usd_per_mwh = 90\n", "");
    fs::write(folder.join("site.toml"), site).expect("the folder can be written");
    let as_of = format!("{year}-01-01");
    let calibrated = mw(&[
        "plan",
        "calibrate",
        "--history",
        history,
        "--point",
        "HB_HOUSTON",
        "--as-of",
        &as_of,
    ]);
    assert!(calibrated.status.success(), "{calibrated:?}");
    let head = format!(
        "format = 1\nname = \"houston\"\nsite = \"site.toml\"\nfirst_month = \"{year}-01\"\n\
         months = 36\n[running]\nmining_usd_per_mw_month = 3000\nracks_usd_per_mw_month = 0\n\
         [rules]\ndiscount_percent = 12\ntax_percent = 21\ndepreciation_months = 60\n"
    );
    let futures = String::from_utf8(calibrated.stdout).expect("text");
    fs::write(folder.join("plan.toml"), head + &futures).expect("written");
    folder
}

/// The real history, where it is there.
fn real_history() -> Option<String> {
    let folder = root().join("../shared/data");
    if !folder.is_dir() {
        eprintln!("skipped: no real history at ../shared/data");
        return None;
    }
    Some(folder.to_str().expect("a path").to_owned())
}

#[test]
fn calibration_of_a_cut_history_is_that_of_the_whole_one() {
    let Some(history) = real_history() else { return };
    // Everything from the plan's date on is cut away from the files themselves.
    let cut = folder("plan-cut");
    for name in ["btc_daily_2015_2026.csv", "ercot_hb_houston_rt_15min_2022.csv"] {
        let text = fs::read_to_string(PathBuf::from(&history).join(name));
        let text = text.expect("a file of history");
        let mut lines = text.lines();
        let head = lines.next().expect("a head").to_owned();
        let kept: Vec<&str> = lines.filter(|line| *line < "2023-01-01").collect();
        assert!(kept.len() > 2_000, "{name}");
        let text = head + "\n" + &kept.join("\n") + "\n";
        fs::write(cut.join(name), text).expect("the folder can be written");
    }
    let calibrate = |history: &str| {
        let shown = mw(&[
            "plan",
            "calibrate",
            "--history",
            history,
            "--point",
            "HB_HOUSTON",
            "--as-of",
            "2023-01-01",
        ]);
        assert!(shown.status.success(), "{shown:?}");
        String::from_utf8(shown.stdout).expect("text")
    };
    assert_eq!(calibrate(&history), calibrate(cut.to_str().expect("a path")));
}

#[test]
fn plans_of_three_januaries_are_run_over_what_happened() {
    let Some(history) = real_history() else { return };
    // What a person can add up from the files: the mean of power and of hashprice.
    for (year, stretches) in [(2023, 3), (2024, 3), (2025, 2)] {
        let plan = houston(&format!("plan-houston-{year}"), year, &history);
        let plan = plan.to_str().expect("a path");
        let run = |threads: &str| {
            let shown = mw(&[
                "plan",
                "backtest",
                plan,
                "--history",
                &history,
                "--paths",
                "40",
                "--threads",
                threads,
                "--json",
            ]);
            assert!(shown.status.success(), "{shown:?}");
            String::from_utf8(shown.stdout).expect("text")
        };
        let text = run("2");
        assert_eq!(text, run("1"), "threads change nothing");
        let document: Value = serde_json::from_str(&text).expect("JSON");
        let found = document["stretches"].as_array().expect("stretches");
        assert_eq!(found.len(), stretches, "{year}");
        let figures = &found[0]["figures"];
        let prices =
            PathBuf::from(&history).join(format!("ercot_hb_houston_rt_15min_{year}.csv"));
        let prices = fs::read_to_string(prices).expect("a file of history");
        let (mut sum, mut count) = (0.0, 0.0);
        for line in prices.lines().skip(1) {
            let price = line.split(',').nth(1).expect("a price");
            sum += price.parse::<f64>().expect("a number");
            count += 1.0;
        }
        let power = figures["power_usd_per_mwh"]["happened"].as_f64().expect("a mean");
        assert!(
            (power - sum / count).abs() < 0.05,
            "{year}: {power} for {}",
            sum / count
        );
        let within = |key: &str, low: f64, high: f64| {
            let value = figures[key]["happened"].as_f64().expect("a number");
            assert!((low..high).contains(&value), "{year} {key}: {value}");
            let below = figures[key]["below_percent"].as_f64().expect("a share");
            assert!((0.0..=100.0).contains(&below));
        };
        // What is known of those years beside the files.
        let (coin, hashprice) = match year {
            2023 => ((42_000.0, 42_700.0), (60.0, 90.0)),
            2024 => ((92_000.0, 95_000.0), (50.0, 90.0)),
            _ => ((86_000.0, 90_000.0), (40.0, 60.0)),
        };
        within("coin_last_usd", coin.0, coin.1);
        within("hashprice_usd_per_ph_day", hashprice.0, hashprice.1);
        let net = figures["operating_usd"]["happened"].as_f64().expect("a number");
        let margin =
            figures["mining_pay_less_power_usd"]["happened"].as_f64().expect("a number");
        assert!(net < margin);
    }
}

#[test]
fn futures_of_power_are_put_together_from_days_that_calibration_wrote() {
    let folder = folder("plan-days");
    let history = folder.join("history");
    let history = history.to_str().expect("a path");
    let made = mw(&["history", "synth", "--seed", "3", "--years", "2", "--out", history]);
    assert!(made.status.success(), "{made:?}");
    let days = folder.join("days.csv");
    let shown = mw(&[
        "plan",
        "calibrate",
        "--history",
        history,
        "--point",
        "HB_SYNTH",
        "--as-of",
        "2026-12-15",
        "--days",
        days.to_str().expect("a path"),
    ]);
    assert!(shown.status.success(), "{shown:?}");
    let text = fs::read_to_string(&days).expect("it was written");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.len() > 700, "{}", lines.len());
    assert!(lines.iter().skip(1).all(|line| *line < "2026-12-15"), "nothing later");

    let example = root().join("examples/childress-750mw");
    for name in ["site.toml", "contract.toml"] {
        fs::copy(example.join(name), folder.join(name)).expect("the example");
    }
    let plan = fs::read_to_string(example.join("plan.toml")).expect("the example");
    let write = |keys: &str| {
        let text = plan.replace(
            "behind_utc_hours = 6\n",
            &format!("behind_utc_hours = 6\n{keys}\n"),
        );
        assert_ne!(text, plan);
        fs::write(folder.join("plan.toml"), text).expect("the folder can be written");
    };
    write("days = \"days.csv\"\ncoin_on_same_days = true");
    let loaded = mw::plan_file::load(&folder).unwrap_or_else(|error| panic!("{error}"));
    let blocks = loaded.plan.futures.power_days.as_ref().expect("days");
    assert!(blocks.has_coin());
    assert_eq!(blocks.days().len(), lines.len() - 1);
    // The forward of the file: 34 USD/MWh over all hours, as far as the level is still.
    let mut still = loaded.plan.clone();
    still.futures.power.level = sim::scenario::level::Level::still();
    let mean = |path| {
        let mut markets = still.markets(0, 1, path);
        let hours = (0..2_191).flat_map(|_| markets.next_day().hours);
        hours.map(|hour| hour.settled).sum::<f64>() / (2_191.0 * 24.0)
    };
    let mean = (0..20).map(mean).sum::<f64>() / 20.0;
    assert!((mean / 34.0 - 1.0).abs() < 0.05, "{mean}");

    // Other days are another plan, and what is wrong with days is told.
    let wrong = |keys: &str, text: &str, parts: &[&str]| {
        write(keys);
        fs::write(&days, text).expect("the folder can be written");
        let said = mw::plan_file::load(&folder).expect_err("it is wrong").to_string();
        for part in parts {
            assert!(said.contains(part), "{part}: {said}");
        }
    };
    let cut = lines[..lines.len() - 1].join("\n");
    fs::write(&days, &cut).expect("the folder can be written");
    let other = mw::plan_file::load(&folder).unwrap_or_else(|error| panic!("{error}"));
    assert_ne!(other.hash, loaded.hash);
    let broken = text.replacen(lines[5], "2025-01-05,1,2,3", 1);
    let keys = "days = \"days.csv\"";
    wrong(keys, &broken, &["futures.power.days", "4 values in line 6"]);
    let swapped = text.replacen(lines[9], lines[8], 1);
    wrong(keys, &swapped, &["days in order", "line 10"]);
    wrong(keys, &lines[..90].join("\n"), &["each weekday of each time of the year"]);
    wrong("days = \"none.csv\"", &text, &["none.csv", "mw plan calibrate --days"]);
    wrong(
        "days = \"days.csv\"\nblock_days = 0",
        &text,
        &["futures.power.block_days", "1 to 366"],
    );
}
