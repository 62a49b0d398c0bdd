//! Real history, where it lies beside the project: counts that a reader with a
//! wrong clock, a lost row or a doubled one would not meet.

use std::path::PathBuf;

use adapters::history::{self, Catalog, Derivation, History};
use units::{Interval, Seconds, Timestamp};

fn real() -> Option<Catalog> {
    let folder =
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data"));
    if !folder.is_dir() {
        eprintln!("skipped: no real history beside the project");
        return None;
    }
    Some(history::open(&[folder]).expect("real history can be read"))
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("an instant")
}

fn houston(catalog: &Catalog) -> History {
    catalog.assemble("HB_HOUSTON", Some("ERCOT")).expect("hub Houston")
}

#[test]
fn four_years_of_houston_settle_every_quarter_hour() {
    let Some(catalog) = real() else { return };
    let history = houston(&catalog);
    let years = [
        ("2022-01-01", "2023-01-01", 35_040),
        ("2023-01-01", "2024-01-01", 35_040),
        ("2024-01-01", "2025-01-01", 35_136),
        ("2025-01-01", "2026-01-01", 35_040),
    ];
    for (from, to, expected) in years {
        let year = Interval { start: at(from), end: at(to) };
        let found = history.settlement.iter().filter(|s| year.contains(s.during.start));
        let published = found.filter(|s| s.derived == Derivation::Published);
        assert_eq!(published.count(), expected, "{from}");
    }
}

#[test]
fn series_are_sorted_and_known_in_time() {
    let Some(catalog) = real() else { return };
    let history = houston(&catalog);
    for pair in history.settlement.windows(2) {
        assert!(pair[0].during.end <= pair[1].during.start, "{}", pair[1].during);
    }
    for settled in &history.settlement {
        assert!(settled.during.end <= settled.known_at, "{}", settled.during);
    }
    for pair in history.lmp.windows(2) {
        assert!(pair[0].during.end <= pair[1].during.start, "{}", pair[1].during);
    }
    for known in &history.day_ahead {
        let lead = known.during.start - known.known_at;
        let local_day = Seconds::minutes(10 * 60 + 30);
        assert!(lead >= local_day && lead <= local_day + Seconds::hours(25), "{lead}");
    }
}

#[test]
fn a_year_of_west_has_its_dispatch_prices_and_their_means() {
    let Some(catalog) = real() else { return };
    let west = catalog.assemble("hb_west", None).expect("hub West");
    assert_eq!(west.lmp.len(), 105_336);
    let means = west.settlement.iter().filter(|s| s.derived == Derivation::MeanLmp);
    assert_eq!(means.count(), 35_112);
    assert!(west.notes.iter().any(|note| note.message.contains("time-weighted mean")));
}

#[test]
fn hourly_means_agree_with_the_quarter_hours_they_are_of() {
    let Some(catalog) = real() else { return };
    // Where both exist the finest wins, so hourly means are left after 2025.
    let history = houston(&catalog);
    let hourly =
        history.settlement.iter().filter(|s| s.derived == Derivation::HourlyMean);
    assert!(hourly.clone().all(|s| s.during.start >= at("2026-01-01")));
    assert_eq!(hourly.count() % 4, 0);
}

#[test]
fn the_hourly_file_lacks_what_its_notes_say() {
    let Some(catalog) = real() else { return };
    let history = houston(&catalog);
    let hours = |from: &str, to: &str| {
        let day = Interval { start: at(from), end: at(to) };
        history.day_ahead.iter().filter(|known| day.contains(known.during.start)).count()
    };
    // The file breaks off in the first hour of each spring change, and has the
    // repeated autumn hour once.
    assert_eq!(hours("2024-03-10T00:00-06:00", "2024-03-11T00:00-05:00"), 1);
    assert_eq!(hours("2024-11-03T00:00-05:00", "2024-11-04T00:00-06:00"), 24);
    assert_eq!(hours("2024-07-01T00:00-05:00", "2024-07-02T00:00-05:00"), 24);
}

#[test]
fn bitcoin_days_are_whole() {
    let Some(catalog) = real() else { return };
    let history = houston(&catalog);
    assert_eq!(history.bitcoin.len(), 4_062);
    for pair in history.bitcoin.windows(2) {
        assert_eq!(pair[0].day.end, pair[1].day.start);
    }
    let missing = history.bitcoin.iter().filter(|day| day.derived.fees_missing).count();
    assert_eq!(missing, 24);
}

#[test]
fn two_days_of_new_south_wales_become_dollars() {
    let Some(catalog) = real() else { return };
    let history = catalog.assemble("NSW1", None).expect("the region");
    assert_eq!(history.lmp.len(), 575);
    assert_eq!(history.settlement.len(), 96);
    // Weather and demand of another market are not this one's.
    assert!(history.temperature.is_empty() && history.demand_forecast.is_empty());
}
