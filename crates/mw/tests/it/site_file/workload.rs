//! Throughput against power as the site file says it, and what is decided along it.

use engine::site::{LoadKind, Racks, Rate};
use engine::{Known, Reason, Setpoint, Signal, Site, Source};
use mw::drive::backtest::{Options, run};
use mw::feed::Feed;
use units::{EnergyPrice, Interval, Power, Seconds};

use super::{RIGHT, at, edited, read};

/// Ten racks of a load on a site where nothing but the price counts.
fn racks(keys: &str) -> String {
    format!(
        "format = 1\nname = \"racks\"\n[market]\nname = \"ERCOT\"\n\
         settlement_point = \"HB_WEST\"\n[interconnection]\nimport_limit_mw = 1.4\n\
         [policy]\nhysteresis_usd_per_mwh = 0\nlook_ahead_hours = 0\n\
         [[feeders]]\nname = \"a\"\nlimit_mw = 1.4\n\
         [[halls]]\nname = \"hall\"\nfeeder = \"a\"\npue = 1\n\
         [[rack_models]]\nname = \"own\"\nmaker = \"us\"\ngpus_per_rack = 8\n\
         power_kw = 10\nstandby_kw = 1\ncooling = \"air\"\ncertainty = \"measured\"\n\
         source = \"here\"\ndate = 2026-11-22\n\
         [[racks]]\nname = \"racks\"\nmodel = \"GB300 NVL72\"\ncount = 10\n\
         hall = \"hall\"\n{keys}\n"
    )
}

const SPOT: &str = "uncommitted = { price_usd_per_gpu_hour = 2 }\n";

fn only(site: &Site) -> &Racks {
    let LoadKind::Racks(racks) = &site.loads[0].kind else { panic!("racks") };
    racks
}

/// What each point draws, in kW, and gives, in tenths of a percent.
fn curve(text: &str) -> Vec<(i64, i64)> {
    let site = read(text).expect("right").site;
    let points = only(&site).machines.points.iter().map(|point| {
        let Rate::Throughput(share) = point.rate else { panic!("a rate") };
        (point.power.as_watts(), share.as_ppm() / 1_000)
    });
    points.collect()
}

#[test]
fn racks_that_say_nothing_run_along_a_concave_curve() {
    let full = (132_000, 1_000);
    let said = |class: &str| curve(&racks(&format!("{SPOT}workload = \"{class}\"")));
    let mixed = [(88_800, 685), (103_200, 800), (117_600, 905), full];
    assert_eq!(curve(&racks(SPOT)), mixed);
    assert_eq!(said("mixed"), mixed);
    assert_eq!(said("training"), [(117_600, 875), full]);
    let inference = [(88_800, 775), (103_200, 860), (117_600, 935), full];
    assert_eq!(said("inference"), inference);
    // Racks that tenants may have are moved whole, until somebody says what they do.
    let named = format!("{SPOT}first_rack = \"R1\"");
    assert_eq!(curve(&racks(&named)), [full]);
    assert_eq!(curve(&racks(&format!("{named}\nworkload = \"inference\""))), inference);
    // 32 kW of 132 for 72 GPUs: a seventh of 444 W, and no GPU gets half a watt.
    let beside = racks(&format!("{SPOT}beside_gpus_kw = 100\nworkload = \"inference\""));
    assert_eq!(curve(&beside), [full]);
    // A curve of one's own stays, and so does a model that nobody knows the GPUs of.
    let own =
        format!("{SPOT}power_curve = [{{ power_kw = 100, throughput_percent = 100 }}]");
    assert_eq!(curve(&racks(&own)), [(100_000, 1_000)]);
    let model = racks(SPOT).replace("GB300 NVL72", "own");
    assert_eq!(curve(&model), [(10_000, 1_000)]);
    // 10 kW less eight times 1 kW.
    let known = model.replace("standby_kw = 1\n", "standby_kw = 1\ngpu_limit_w = 1000\n");
    let whole = (10_000, 1_000);
    assert_eq!(curve(&known), [(6_568, 685), (7_712, 800), (8_856, 905), whole]);
    let LoadKind::Racks(spot) = &read(RIGHT).expect("right").site.loads[2].kind else {
        panic!("racks")
    };
    assert_eq!(spot.beside_gpus, Power::from_watts(4_600), "10.2 kW less 8 times 700 W");
}

#[test]
fn a_workload_that_counts_for_nothing_is_an_error() {
    let check = |text: &str, expected: &str| {
        let said = read(text).expect_err("it is wrong");
        assert!(said.ends_with(expected), "{said}");
    };
    check(
        &edited("model = \"DGX H100\"", "model = \"DGX H100\"\nworkload = \"training\""),
        "racks[1].workload: expected no `workload` beside a curve, the load's or its \
         model's, found \"training\"; leave it out, or write the curve as `power_curve`",
    );
    let of_own =
        racks(&format!("{SPOT}workload = \"mixed\"")).replace("GB300 NVL72", "own");
    check(
        &of_own,
        "racks[0].workload: expected a model that says `gpu_limit_w`, found \"mixed\"; \
         leave it out, or write the curve as `power_curve`",
    );
    check(
        &racks(&format!("{SPOT}workload = \"rendering\"")),
        "racks[0].workload: expected \"inference\" or \"mixed\" or \"training\", found \
         the text \"rendering\"",
    );
    check(
        &racks(SPOT).replace("standby_kw = 1\n", "standby_kw = 1\ngpu_limit_w = 1251\n"),
        "rack_models[0].gpu_limit_w: expected 8 GPUs that draw no more than `power_kw` \
         together, found 1251; write the limit of one GPU, and the draw of the whole rack",
    );
}

/// What a site decides at each price, an hour each: the level and the draw of its racks
/// in MW, and the reason.
fn decided(text: &str, prices: &[i64]) -> Vec<(u32, String, Reason)> {
    let site = read(text).expect("right").site;
    let start = at("2026-01-05T06:00Z");
    let hour = |at: usize| {
        Interval::starting(start + Seconds::hours(at as i64), Seconds::hours(1))
    };
    let signals = prices.iter().enumerate().map(|(place, usd)| {
        let (during, value) = (hour(place), EnergyPrice::from_usd_per_mwh(*usd));
        let known_at = during.start;
        (known_at, Signal::Price(Known { value, during, known_at, source: Source::Lmp }))
    });
    let feed = Feed {
        signals: signals.collect(),
        settlement_steps: vec![(start, Seconds::hours(1))],
        ..Feed::default()
    };
    let range = Interval { start, end: hour(prices.len()).start };
    let mut found = Vec::new();
    run(&site, &feed, range, Options::default(), |line| {
        let entry = &line.dispatch.entries[0];
        let Setpoint::Level(level) = entry.setpoint else { panic!("a level") };
        // What was decided was drawn, and what was drawn did so much work.
        let drawn = line.row.loads[0].energy.over(Seconds::hours(1));
        assert_eq!(drawn, entry.to, "level {level}");
        found.push((level, entry.to.to_mw_text(3), entry.reason));
        Ok(())
    })
    .expect("it runs");
    found
}

/// A rack's hour is 72 times 2 USD. Of inference the last 14.4 kW bring 6.5 % of it, which
/// is 9.36 USD and 650 USD/MWh; those before 7.5 % and 750; those before 8.5 % and 850;
/// and the first 68.8 kW beyond rest 77.5 % and 1,622.09 USD/MWh.
#[test]
fn at_high_prices_racks_on_offer_are_cut_along_the_curve() {
    let found = decided(
        &racks(&format!("{SPOT}workload = \"inference\"")),
        &[649, 651, 749, 751, 849, 851, 1_622, 1_623, 649],
    );
    let levels: Vec<_> = found.iter().map(|(level, draw, _)| (*level, &**draw)).collect();
    assert_eq!(
        levels,
        [
            (40, "1.320"),
            (30, "1.176"),
            (30, "1.176"),
            (20, "1.032"),
            (20, "1.032"),
            (10, "0.888"),
            (10, "0.888"),
            (0, "0.200"),
            (40, "1.320"),
        ]
    );
}

/// Under contract nothing is cut for price, whatever the curve.
#[test]
fn under_contract_racks_keep_full_power_at_any_price() {
    let contracted =
        "contracted = { price_usd_per_gpu_hour = 2, worth_usd_per_mwh = 1107 }\n";
    for workload in ["", "workload = \"inference\""] {
        let found =
            decided(&racks(&format!("{contracted}{workload}")), &[40, 1_106, 5_000]);
        for (level, draw, reason) in found {
            assert_eq!((level, &*draw, reason), (40, "1.320", Reason::Contracted));
        }
    }
}
