//! Spot offers in a history: a backtest decides on them as a living run does.

use std::fmt::Write as _;
use std::path::Path;

use crate::backtest::{fresh, mw};
use crate::oracle;

/// A hundred racks and a thousand rigs, and room for either.
const SITE: &str = r#"format = 1
name = "either"

[market]
name = "ERCOT"
settlement_point = "HB_EITHER"

[interconnection]
import_limit_mw = 1.2

[pool]
fee_percent = 2

[[feeders]]
name = "a"
limit_mw = 1.2

[[halls]]
name = "hall"
feeder = "a"
pue = 1

[[rigs]]
name = "rigs"
model = "Antminer S21"
count = 280
hall = "hall"
restart_minutes = 0
restart_cost_usd = 0
strike_usd_per_mwh = 90

[[racks]]
name = "spot"
model = "DGX H100"
count = 100
hall = "hall"
uncommitted = { price_usd_per_gpu_hour = 0.05 }
"#;

/// Twelve hours at 30 USD/MWh, and offers with it.
fn history(folder: &Path) {
    std::fs::create_dir_all(folder).expect("a folder");
    let mut prices =
        "interval_start_utc,settlement_point,market,rt_spp_usd_mwh\n".to_owned();
    for quarter in 0..48 {
        let (hour, minute) = (quarter / 4, quarter % 4 * 15);
        writeln!(prices, "2025-01-01T{hour:02}:{minute:02}:00Z,HB_EITHER,ERCOT,30")
            .expect("text grows");
    }
    std::fs::write(folder.join("prices.csv"), prices).expect("a file");
    let offers = "known_at_utc,interval_start_utc,interval_end_utc,spot_offer_usd_gpu_hour\n\
                  2025-01-01T03:40:00Z,2025-01-01T04:00:00Z,2025-01-01T10:00:00Z,0.20\n\
                  2025-01-01T06:05:00Z,2025-01-01T06:00:00Z,2025-01-01T08:00:00Z,0\n\
                  2025-01-01T05:00:00Z,2025-01-01T05:00:00Z,2025-01-01T06:00:00Z,10001\n";
    std::fs::write(folder.join("offers.csv"), offers).expect("a file");
}

fn text(arguments: &[&str]) -> String {
    let output = mw(arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "mw {arguments:?}: {error}");
    String::from_utf8(output.stdout).expect("the program prints UTF-8")
}

/// Eight GPUs at 0.05 USD are 0.40 USD an hour over the 8.7 kW from rest on: 45.97
/// USD/MWh, and at 0.20 USD 183.91. Rigs mine up to 90 USD/MWh.
#[test]
fn an_offer_takes_power_from_mining_and_gives_it_back() {
    let folder = fresh("spot-offers");
    history(&folder.join("history"));
    std::fs::write(folder.join("site.toml"), SITE).expect("a site");
    let at = |name: &str| folder.join(name).display().to_string();
    let (site, history, run) = (at("site.toml"), at("history"), at("run"));
    let summary = text(&[
        "backtest",
        &site,
        "--history",
        &history,
        "--out",
        &run,
        "--json",
        "--from",
        "2025-01-01T01:00Z",
        "--to",
        "2025-01-01T12:00Z",
    ]);
    assert!(
        summary.contains("1 spot offer above 10000.00 USD/GPU-hour"),
        "what is odd is in the summary: {summary}"
    );
    let replayed = text(&["replay", &run, "--json"]);
    let replayed: serde_json::Value = serde_json::from_str(&replayed).expect("JSON");
    assert_eq!(replayed["identical"], true, "{replayed}");
    assert_eq!(replayed["violations"], 0, "{replayed}");
    oracle::recompute(Path::new(&run));

    // What each is asked in the interval that begins then, and the reason.
    let asked = |clock: &str| {
        let instant = format!("2025-01-01T{clock}Z");
        let page = text(&["replay", &run, "--explain", &instant]);
        let of = |load: &str| {
            let line =
                page.lines().find(|line| line.split_whitespace().nth(1) == Some(load));
            line.unwrap_or_else(|| panic!("no {load} in\n{page}")).to_owned()
        };
        let draw = |load: &str| {
            let line = of(load);
            let mut words = line.split_whitespace().skip_while(|word| *word != "->");
            words.nth(1).expect("a power").parse::<f64>().expect("a number")
        };
        (draw("rigs"), draw("spot"), of("spot"))
    };
    // 280 rigs of 3.5 kW are 0.98 MW beside 0.15 MW of racks at rest.
    let (rigs, spot, _) = asked("03:45");
    assert!(rigs > 0.9 && spot < 0.3, "{rigs} {spot}: known and not yet about now");
    let (rigs, spot, why) = asked("04:00");
    assert!(rigs < 0.3 && spot == 1.02, "{rigs} {spot}: in the same decision");
    let expected =
        "183.91 USD/MWh (0.20 USD/GPU-hour until 10:00, spot offer, known 03:40)";
    assert!(why.contains(expected), "{why}");
    let (rigs, spot, _) = asked("06:00");
    assert!(rigs < 0.3 && spot == 1.02, "{rigs} {spot}: the other is not known yet");
    // Withdrawn by one of nothing, as far as that goes.
    let (rigs, spot, _) = asked("06:15");
    assert!(rigs > 0.9 && spot == 0.15, "{rigs} {spot}");
    let (rigs, spot, _) = asked("08:00");
    assert!(rigs < 0.3 && spot == 1.02, "{rigs} {spot}: the first stands again");
    let (rigs, spot, why) = asked("10:00");
    assert!(rigs > 0.9 && spot < 0.3, "{rigs} {spot}: at the price of the site file");
    assert!(why.contains("0.05 USD/GPU-hour"), "{why}");

    // 100 racks of 8 GPUs from 4:00 to 6:15 and from 8:00 to 10:00 at 0.20 USD, and for
    // five hours the 8 racks that find room beside the rigs at 0.05 USD: 680 and 16 USD.
    let summary: serde_json::Value = serde_json::from_str(&summary).expect("JSON");
    let earned = summary.pointer("/policy/uncommitted_revenue_usd");
    assert_eq!(earned, Some(&serde_json::json!("696.00")), "{summary:#}");
}
