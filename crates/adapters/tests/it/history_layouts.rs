//! Each layout's samples, as a desk would read them: what was found, what was
//! odd, and every value with the time it was known.

use std::fmt::Write as _;
use std::path::PathBuf;

use adapters::history::{self, History};
use engine::Known;
use units::Interval;

fn fixture(folder: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/history"))
        .join(folder)
}

/// Reads a folder of samples and prints it with the history of each point.
fn page(folder: &str, points: &[&str]) -> String {
    let catalog = history::open(&[fixture(folder)]).expect("the samples can be read");
    let mut page = catalog.check().to_string();
    for point in points {
        let history = catalog.assemble(point, None).expect("the point is in the samples");
        writeln!(page, "\n{} {}", history.market.name, history.point)
            .expect("text grows");
        page.push_str(&values(&history));
        for note in history.notes.iter().filter(|note| note.file.is_none()) {
            writeln!(page, "  {}: {note}", note.kind).expect("text grows");
        }
    }
    page
}

fn values(history: &History) -> String {
    let mut lines = Vec::new();
    fn line(
        what: &str,
        during: Interval,
        value: impl std::fmt::Display,
        known: units::Timestamp,
    ) -> String {
        format!("  {what:<12} {during}  {value}  known {known}")
    }
    fn all<T: std::fmt::Display>(what: &str, known: &[Known<T>]) -> Vec<String> {
        known.iter().map(|k| line(what, k.during, &k.value, k.known_at)).collect()
    }
    lines.extend(all("lmp", &history.lmp));
    for settled in &history.settlement {
        let what = format!("{:?}", settled.derived);
        lines.push(line(&what, settled.during, settled.price, settled.known_at));
    }
    lines.extend(all("day-ahead", &history.day_ahead));
    lines.extend(all("demand", &history.demand_forecast));
    lines.extend(
        history.temperature.iter().map(|k| {
            line("temperature", k.during, k.value.as_millidegrees(), k.known_at)
        }),
    );
    lines.extend(all("probability", &history.peak_probability));
    for curve in &history.price_forecasts {
        for (during, price) in curve.steps() {
            lines.push(line("forecast", during, price, curve.known_at));
        }
    }
    lines.extend(all("spot offer", &history.spot_offers));
    lines.extend(
        history.coincident_peaks.iter().map(|peak| format!("  peak         {peak}")),
    );
    for day in &history.bitcoin {
        let value = format!("{}, {}, {:?}", day.hashprice, day.reward, day.derived);
        lines.push(line("bitcoin", day.day, value, day.known_at));
    }
    lines.join("\n") + "\n"
}

#[test]
fn reads_ercot_settlement_prices() {
    insta::assert_snapshot!(page("ercot_settlement", &["HB_TEST", "LZ_TEST"]));
}

#[test]
fn reads_ercot_day_ahead_prices() {
    insta::assert_snapshot!(page("ercot_day_ahead", &["HB_TEST"]));
}

#[test]
fn reads_ercot_sced_lmps() {
    insta::assert_snapshot!(page("ercot_sced_lmp", &["HB_TEST"]));
}

#[test]
fn reads_gridstatus_prices() {
    insta::assert_snapshot!(page("gridstatus", &["HB_TEST", "TH_TEST", "NODE.1"]));
}

#[test]
fn reads_aemo_prices() {
    insta::assert_snapshot!(page("aemo", &["NSW1", "VIC1"]));
}

#[test]
fn reads_hourly_prices_in_local_hours() {
    insta::assert_snapshot!(page("hourly_local", &["HB_ONCE"]));
}

#[test]
fn a_spring_day_has_23_hours_and_an_autumn_day_25() {
    let catalog =
        history::open(&[fixture("hourly_local")]).expect("the samples can be read");
    let history = catalog.assemble("HB_TEST", Some("ERCOT")).expect("the point");
    let on = |day: &str, next: &str| {
        let midnight = |text| units::Timestamp::parse(text).expect("an instant");
        let (from, to) = (midnight(day), midnight(next));
        let inside = history.day_ahead.iter().filter(|k| from <= k.during.start);
        inside.filter(|k| k.during.end <= to).count()
    };
    assert_eq!(on("2025-03-09T00:00-06:00", "2025-03-10T00:00-05:00"), 23);
    assert_eq!(on("2025-11-02T00:00-05:00", "2025-11-03T00:00-06:00"), 25);
}

#[test]
fn reads_our_own_columns() {
    insta::assert_snapshot!(page("own", &["HB_NAMED", "HB_OTHER", "HB_HUBAVG"]));
}

/// What was odd about offers goes with the history of every point.
#[test]
fn spot_offers_that_cannot_be_are_missing_and_noted() {
    let catalog = history::open(&[fixture("own")]).expect("the samples can be read");
    let history = catalog.assemble("HB_OTHER", None).expect("the point");
    let offers: Vec<_> =
        history.spot_offers.iter().map(|offer| offer.value.as_micro_usd()).collect();
    // In the order they became known; the bound itself may be offered.
    assert_eq!(offers, [1_990_000, 2_200_000, 10_000_000_000, 2_505_000]);
    let of_offers = history
        .notes
        .iter()
        .filter(|note| note.file.as_deref() == Some("spot_offer.csv"));
    let said: Vec<_> = of_offers.map(|note| note.to_string()).collect();
    for expected in [
        "2 spot offers above 10000.00 USD/GPU-hour, a thousand times what a GPU is sold for",
        "1 spot offer below nothing",
        "1 spot offer known when over",
        "1 spot offer of no length",
        "the spot offer of 2025-01-01T07:00Z a second time",
        "`spot_offer_usd_gpu_hour` is blank",
    ] {
        assert!(said.iter().any(|note| note.contains(expected)), "{expected}: {said:#?}");
    }
}

#[test]
fn survives_broken_files() {
    insta::assert_snapshot!(page("broken", &["HB_UNTIDY", "HB_BOM", "HB_SEMICOLON"]));
}

#[test]
fn reads_coin_metrics_days() {
    let folders = [fixture("coin_metrics"), fixture("ercot_day_ahead")];
    let catalog = history::open(&folders).expect("the samples can be read");
    let history = catalog.assemble("HB_TEST", None).expect("the point");
    let days: Vec<String> = history
        .bitcoin
        .iter()
        .map(|day| format!("{} {} {}", day.day.start, day.hashprice, day.difficulty))
        .collect();
    insta::assert_snapshot!(days.join("\n"));
    let notes: Vec<String> = catalog.notes().iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(notes.join("\n"));
}

#[test]
fn every_fixture_folder_says_where_it_comes_from() {
    for entry in std::fs::read_dir(fixture("")).expect("the fixtures") {
        let folder = entry.expect("an entry").path();
        assert!(folder.join("README.md").is_file(), "{}", folder.display());
    }
}
