//! Site files: what is right loads as meant.

mod devices;
mod workload;
mod wrong;

use std::path::{Path, PathBuf};

use engine::site::{
    FailSafe, ForecastFrom, LoadKind, LookAhead, PueCurve, Rate, Site, Terms,
};
use mw::config::{self, LoadedSite};
use units::{EnergyPrice, Power, Pue, Seconds, Share, Temperature, Timestamp};

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn example(name: &str) -> LoadedSite {
    config::load(&project().join("examples").join(name))
        .unwrap_or_else(|errors| panic!("{errors}"))
}

/// A right file that the cases below each break in one way.
const RIGHT: &str = r#"format = 1
name = "test"

[market]
name = "ERCOT"
settlement_point = "HB_WEST"

[interconnection]
import_limit_mw = 5
export_limit_mw = 1
ramp_down_mw_per_minute = 1
ramp_emergency_mw_per_minute = 5

[[feeders]]
name = "a"
limit_mw = 4

[[feeders]]
name = "b"
parent = "a"
limit_mw = 4

[[halls]]
name = "shed"
feeder = "b"
pue = 1.10

[[halls]]
name = "hall"
feeder = "a"
pue_by_temperature = [
    { temperature_c = 0, pue = 1.05 },
    { temperature_c = 30, pue = 1.25 },
]
pue_where_temperature_missing = 1.25

[[tariff.adders]]
name = "delivery"
price_usd_per_mwh = 3.5

[[tariff.fixed_price_blocks]]
name = "block"
power_mw = 2
price_usd_per_mwh = 40
from = 2024-01-01
until = 2025-01-01

[[tariff.coincident_peaks]]
name = "4CP"
months = [6, 7, 8, 9]
peaks_per_month = 1
interval_minutes = 15
charge_usd_per_kw_month = 6
from = 2024-01-01
until = 2025-01-01

[pool]
fee_percent = 2

[[rigs]]
name = "rigs"
model = "Antminer S21"
count = 100
hall = "shed"
tuning = [
    { power_w = 2500, hashrate_ths = 160 },
    { power_w = 3500, hashrate_ths = 200 },
]
standby_w = 40
restart_minutes = 10
restart_cost_usd = 0.02

[[racks]]
name = "tenant"
model = "GB300 NVL72"
count = 10
hall = "hall"
contracted = { price_usd_per_gpu_hour = 3, worth_usd_per_mwh = 1107 }

[[racks]]
name = "spot"
model = "DGX H100"
count = 10
hall = "hall"
uncommitted = { price_usd_per_gpu_hour = 2 }
power_curve = [
    { power_kw = 8, throughput_percent = 90 },
    { power_kw = 10, throughput_percent = 100 },
]

[[batteries]]
name = "battery"
feeder = "a"
charge_mw = 1
discharge_mw = 1
capacity_mwh = 2
stored_min_percent = 10
stored_max_percent = 90
stored_first_percent = 50
charge_efficiency_percent = 95
discharge_efficiency_percent = 95
charge_below_usd_per_mwh = 20
discharge_above_usd_per_mwh = 100

[[lock_outs]]
load = "rigs"
from = 2024-03-01
until = 2024-03-02
role = "technician"
reason = "fans"

[[holds]]
load = "rigs"
power_mw = 0.2
from = 2024-04-01
until = 2024-04-02
reason = "trial"
"#;

fn read(text: &str) -> Result<LoadedSite, String> {
    config::read(Path::new("site.toml"), text.to_owned())
        .map_err(|errors| errors.to_string())
}

/// Reads the right file with the first `from` in it replaced by `to`.
fn edited(from: &str, to: &str) -> String {
    assert!(RIGHT.contains(from), "the right file has {from:?}");
    RIGHT.replacen(from, to, 1)
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("an instant")
}

#[test]
fn the_examples_load_without_a_warning() {
    for name in ["childress-750mw", "mixed-10mw", "houston-strike"] {
        assert_eq!(example(name).warnings, Vec::<String>::new(), "{name}");
    }
}

#[test]
fn a_folder_and_the_file_in_it_are_the_same_site() {
    let folder = project().join("examples/mixed-10mw");
    let file = config::load(&folder.join("site.toml")).expect("it loads");
    assert_eq!(file.site, example("mixed-10mw").site);
    assert_eq!(
        file.text,
        std::fs::read_to_string(folder.join("site.toml")).expect("it is there")
    );
}

/// What all loads would draw at full work, at the worst PUE.
fn ceiling(site: &Site) -> Power {
    site.loads
        .iter()
        .enumerate()
        .map(|(ix, load)| match (&load.kind, load.machines()) {
            (LoadKind::Battery(battery), _) => battery.charge_max,
            (LoadKind::Rigs(_) | LoadKind::Racks(_), machines) => {
                let machines = machines.expect("rigs and racks have machines");
                site.pue_of(ix, None).at_meter(machines.ceiling())
            }
        })
        .sum()
}

#[test]
fn childress_is_twelve_models_and_four_halls_that_pass_the_import_limit() {
    let site = example("childress-750mw").site;
    let mut models: Vec<_> = site
        .loads
        .iter()
        .filter_map(|load| match &load.kind {
            LoadKind::Rigs(rigs) => Some(rigs.model.as_str()),
            LoadKind::Racks(_) | LoadKind::Battery(_) => None,
        })
        .collect();
    assert_eq!(models.len(), 12);
    models.sort_unstable();
    models.dedup();
    assert_eq!(models.len(), 12, "each model once");
    let racks: Vec<_> = site.loads.iter().filter(|load| load.is_firm()).collect();
    assert_eq!(racks.len(), 4);
    for rack in racks {
        let it = rack.machines().expect("racks are machines").ceiling();
        assert_eq!(it.to_mw_text(1), "49.9");
    }
    assert_eq!(site.interconnection.import_limit, Power::from_mw(750));
    assert!(ceiling(&site) > Power::from_mw(760), "{}", ceiling(&site));
}

#[test]
fn mixed_is_twelve_megawatts_behind_ten() {
    let site = example("mixed-10mw").site;
    assert_eq!(site.interconnection.import_limit, Power::from_mw(10));
    assert_eq!(ceiling(&site).to_mw_text(0), "12");
    assert!(site.needs_temperature());
}

#[test]
fn the_strike_fleet_is_17_5_to_21_joules() {
    let site = example("houston-strike").site;
    for load in &site.loads {
        let LoadKind::Rigs(rigs) = &load.kind else { panic!("only rigs") };
        let point = rigs.machines.points[0];
        let Rate::Hash(rate) = point.rate else { panic!("rigs hash") };
        let efficiency = units::Efficiency::of(point.power, rate).expect("it hashes");
        assert!((17_500..=21_000).contains(&efficiency.as_mj_per_th()), "{efficiency}");
        assert_eq!(rigs.strike, Some(EnergyPrice::from_usd_per_mwh(90)));
    }
    assert!(site.tariff.adders.is_empty());
}

#[test]
fn every_figure_arrives_exactly() {
    let site = read(RIGHT).expect("it is right").site;
    assert_eq!(site.pool_fee, Share::from_ppm(20_000));
    assert_eq!(site.tariff.adders[0].price.as_micro_usd_per_mwh(), 3_500_000);
    assert_eq!(
        site.halls[1].pue,
        PueCurve::ByTemperature {
            points: vec![
                (Temperature::from_millidegrees(0), Pue::from_ppm(1_050_000)),
                (Temperature::from_millidegrees(30_000), Pue::from_ppm(1_250_000)),
            ],
            missing: Pue::from_ppm(1_250_000),
        }
    );
    let names: Vec<_> = site.loads.iter().map(|load| load.name.as_str()).collect();
    assert_eq!(names, ["rigs", "tenant", "spot", "battery"]);
    let LoadKind::Rigs(rigs) = &site.loads[0].kind else { panic!("rigs") };
    assert_eq!(rigs.machines.standby, Power::from_watts(40));
    assert_eq!(rigs.machines.points[0].power, Power::from_watts(2_500));
    assert_eq!(rigs.restart, Seconds::minutes(10));
    assert_eq!(rigs.restart_cost.as_micro_usd(), 20_000);
    let LoadKind::Racks(racks) = &site.loads[1].kind else { panic!("racks") };
    assert_eq!(racks.gpus_per_rack, 72);
    assert!(matches!(
        racks.terms,
        Terms::Contracted { worth, .. } if worth == EnergyPrice::from_usd_per_mwh(1_107)
    ));
    let LoadKind::Battery(battery) = &site.loads[3].kind else { panic!("a battery") };
    assert_eq!(battery.stored_min, units::Energy::from_kwh(200));
    assert_eq!(battery.stored_max, units::Energy::from_kwh(1_800));
    assert_eq!(site.loads[3].feeder, Some(0));
    // What is left out of the file is as its reference says.
    assert_eq!(site.policy.hysteresis, EnergyPrice::from_usd_per_mwh(2));
    assert_eq!(site.policy.restart_spread, Seconds::minutes(120));
    assert!(site.policy.follows_price);
}

#[test]
fn a_number_is_not_a_float_on_the_way() {
    // The nearest double of each of these is another number.
    for (text, micro) in [
        ("0.1", 100_000),
        ("3.000001", 3_000_001),
        ("123456.789012", 123_456_789_012),
        ("1e-6", 1),
        ("1_000.5", 1_000_500_000),
    ] {
        let site = read(&edited("= 3.5", &format!("= {text}"))).expect(text).site;
        assert_eq!(site.tariff.adders[0].price.as_micro_usd_per_mwh(), micro, "{text}");
    }
}

#[test]
fn a_day_is_the_markets_and_an_instant_is_its_own() {
    let loaded = read(RIGHT).expect("it is right");
    let site = loaded.site;
    let block = site.tariff.blocks[0].during;
    assert_eq!(block.start, at("2024-01-01T06:00Z"));
    let months = &site.tariff.coincident_peaks[0].months;
    assert_eq!(months.len(), 4);
    // June and July keep summer time.
    assert_eq!(months[0].start, at("2024-06-01T05:00Z"));
    assert_eq!(months[0].end, months[1].start);
    assert_eq!(site.tariff.coincident_peaks[0].peaks_per_year, 4);

    let text = edited("from = 2024-03-01", "from = 2024-03-01T00:00:00Z");
    assert_eq!(
        read(&text).expect("right").site.lock_outs[0].during.start,
        at("2024-03-01")
    );
    let text = edited("\"ERCOT\"", "\"NEM\"");
    let nem = read(&text).expect("right").site;
    assert_eq!(nem.tariff.blocks[0].during.start, at("2023-12-31T14:00Z"));
    let text = edited("\"ERCOT\"", "\"IESO\"\ntime_zone = \"America/Toronto\"");
    let ieso = read(&text).expect("right").site;
    assert_eq!(ieso.tariff.blocks[0].during.start, at("2024-01-01T05:00Z"));
}

#[test]
fn a_site_names_its_programmes_or_has_its_grid() {
    let programmes = |text: &str| {
        let site = read(text).expect("right").site;
        let shown = |one: &engine::site::Programme| {
            (one.name.clone(), one.loads.clone(), one.silent_after, one.fail_safe)
        };
        site.programmes.iter().map(shown).collect::<Vec<_>>()
    };
    let grid = ("grid".to_owned(), Vec::new(), None, FailSafe::Hold);
    assert_eq!(programmes(RIGHT), [grid]);
    let text = edited(
        "[[lock_outs]]",
        "[[programmes]]\nname = \"reserve\"\nloads = [\"spot\", \"rigs\"]\n\
         silent_after_seconds = 30\n\n[[programmes]]\nname = \"utility\"\n\
         fail_safe_limit_mw = 2\n\n[[lock_outs]]",
    );
    let silent = Some(Seconds::from_seconds(30));
    assert_eq!(
        programmes(&text),
        [
            ("reserve".to_owned(), vec![0, 2], silent, FailSafe::Hold),
            ("utility".to_owned(), Vec::new(), None, FailSafe::Limit(Power::from_mw(2))),
        ]
    );
    let ahead = |text: &str| read(text).expect("right").site.policy.look_ahead;
    let day = Seconds::hours(24);
    let expected = LookAhead { length: day, forecast: ForecastFrom::Persistence };
    assert_eq!(ahead(RIGHT), expected);
    let text = edited(
        "[pool]",
        "[policy]\nlook_ahead_hours = 6\nforecast = \"quantile\"\n\
         forecast_quantile_percent = 75\n\n[pool]",
    );
    let share = Share::from_ppm(750_000);
    let quantile = ForecastFrom::Quantile { share, days: 28 };
    let expected = LookAhead { length: Seconds::hours(6), forecast: quantile };
    assert_eq!(ahead(&text), expected);
    let lease = |text: &str| read(text).expect("right").site.policy.lease;
    assert_eq!(lease(RIGHT), Seconds::minutes(10));
    let text = edited("[pool]", "[policy]\nlease_seconds = 90\n\n[pool]");
    assert_eq!(lease(&text), Seconds::from_seconds(90));
}

#[test]
fn a_rule_without_an_end_goes_on() {
    let text = edited(
        "from = 2024-01-01\nuntil = 2025-01-01\n\n[pool]",
        "from = 2024-01-01\n\n[pool]",
    );
    let rule = &read(&text).expect("right").site.tariff.coincident_peaks[0];
    assert_eq!(rule.months.len(), 4 * (2100 - 2024));
    assert!(rule.month_of(at("2050-07-15")).is_some());
    assert!(rule.month_of(at("2050-10-15")).is_none());
}

#[test]
fn parents_come_before_children_whatever_the_file_says() {
    let text = RIGHT
        .replace("name = \"a\"\nlimit_mw", "name = \"a\"\nparent = \"top\"\nlimit_mw")
        + "\n[[feeders]]\nname = \"top\"\nlimit_mw = 5\n";
    let site = read(&text).expect("right").site;
    let names: Vec<_> = site.feeders.iter().map(|feeder| feeder.name.as_str()).collect();
    assert_eq!(names, ["top", "a", "b"]);
    assert_eq!(site.feeders[2].parent, Some(1));
    assert_eq!(site.halls[0].feeder, 2);
}

#[test]
fn what_is_odd_but_not_wrong_is_a_warning() {
    let text = edited("limit_mw = 4\n\n[[halls]]", "limit_mw = 6\n\n[[halls]]")
        + "\n[[feeders]]\nname = \"spare\"\nlimit_mw = 1\n\
           \n[[holds]]\nload = \"tenant\"\npower_mw = 1\nfrom = 2024-04-01\n\
           until = 2024-04-02\nreason = \"leak\"\n";
    let warnings = read(&text).expect("right").warnings;
    assert_eq!(
        warnings,
        [
            "line 21: feeders[1].limit_mw: 6 MW is more than the 4 MW of a above it",
            "line 119: feeders[2]: nothing hangs on feeder \"spare\"",
            "line 125: holds[1].power_mw: holds \"tenant\", which is under contract, below \
             its 1.65 MW",
        ]
    );
}

#[test]
fn the_reference_pages_are_fresh() {
    for (page, made) in [
        ("site-file.md", config::reference()),
        ("machines.md", config::machines_reference()),
        ("openapi.json", mw::api::openapi::page()),
    ] {
        let path = project().join("docs/reference").join(page);
        if std::env::var_os("MW_UPDATE_REFERENCE").is_some() {
            std::fs::write(&path, &made).expect("the page can be written");
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == made, "docs/reference/{page} is stale: run `cargo xtask docs`");
    }
}
