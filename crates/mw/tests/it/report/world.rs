//! A small made-up site and market: every use, a spike, negative prices, gaps.

use std::collections::BTreeMap;

use engine::site::{
    Battery, DecideOn, Envelope, Feeder, Hall, Interconnection, Load, LoadKind,
    LookAhead, Machines, Market, OperatingPoint, Policy, PueCurve, Racks, Rate, Rigs,
    Terms,
};
use engine::{Known, Signal, Site, Source};
use mw::answer::{Answer, Tally};
use mw::drive::backtest::{self, Line, Options};
use mw::feed::{Basis, Feed, Settlement};
use mw::hindsight::{Past, perfect};
use settle::tariff::{Adder, CoincidentPeakRule, FixedPriceBlock, PeakWatch, Tariff};
use units::{
    Energy, EnergyPrice, GpuHourPrice, HashRate, Hashprice, Interval, Money, Power,
    PowerPrice, Pue, Seconds, Share, Timestamp,
};

/// The instant of a text that is one.
pub(crate) fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("an instant")
}

/// From the first of August 2024 for so many days.
pub(crate) fn range(days: i64) -> Interval {
    Interval::starting(at("2024-08-01"), Seconds::hours(24 * days))
}

/// A site of 10 MW with contracted and uncommitted racks, two models of rigs
/// and a battery. Its names try the escaping of what is made from them.
pub(crate) fn site() -> Site {
    let envelope = Envelope {
        ramp_up_per_minute: None,
        ramp_down_per_minute: None,
        up_min: Seconds::minutes(10),
        down_min: Seconds::minutes(10),
    };
    let load = |name: &str, kind| Load {
        name: name.into(),
        feeder: Some(0),
        hall: Some(0),
        envelope: envelope.clone(),
        kind,
    };
    let racks = |count, terms| {
        LoadKind::Racks(Racks {
            model: "GB300 NVL72".into(),
            machines: Machines {
                count,
                standby: Power::from_kw(20),
                points: vec![OperatingPoint {
                    power: Power::from_kw(132),
                    rate: Rate::Throughput(Share::WHOLE),
                }],
            },
            gpus_per_rack: 72,
            beside_gpus: Power::ZERO,
            first_rack: None,
            terms,
        })
    };
    let rigs = |model: &str, count, watts, terahashes| {
        LoadKind::Rigs(Rigs {
            model: model.into(),
            machines: Machines {
                count,
                standby: Power::from_watts(30),
                points: vec![OperatingPoint {
                    power: Power::from_watts(watts),
                    rate: Rate::Hash(HashRate::from_ths(terahashes)),
                }],
            },
            strike: None,
            restart: Seconds::minutes(5),
            restart_cost: Money::parse_usd("0.02").expect("an amount"),
        })
    };
    let price = |text| GpuHourPrice::parse_usd(text).expect("a price");
    let year = Interval { start: at("2024-01-01"), end: at("2026-01-01") };
    Site {
        name: "<Mixed> & small".into(),
        market: Market { name: "ERCOT".into(), settlement_point: "HB_WEST".into() },
        interconnection: Interconnection {
            import_limit: Power::from_mw(10),
            export_limit: Power::from_mw(1),
            ramp_up_per_minute: None,
            ramp_down_per_minute: None,
            ramp_emergency_per_minute: None,
        },
        feeders: vec![Feeder {
            name: "north".into(),
            parent: None,
            limit: Power::from_mw(10),
        }],
        halls: vec![Hall {
            name: "hall \"1\"".into(),
            feeder: 0,
            pue: PueCurve::Constant(Pue::from_ppm(1_080_000)),
        }],
        tariff: Tariff {
            adders: vec![Adder {
                name: "delivery".into(),
                price: EnergyPrice::from_usd_per_mwh(4),
                during: year,
            }],
            blocks: vec![FixedPriceBlock {
                name: "hedge".into(),
                power: Power::from_mw(2),
                price: EnergyPrice::from_usd_per_mwh(45),
                during: year,
            }],
            coincident_peaks: vec![CoincidentPeakRule {
                name: "4CP".into(),
                months: vec![Interval {
                    start: at("2024-08-01T05:00Z"),
                    end: at("2024-09-01T05:00Z"),
                }],
                peaks_per_month: 1,
                peaks_per_year: 4,
                interval: Seconds::minutes(15),
                charge_per_kw_month: PowerPrice::parse_usd_per_kw("5.5")
                    .expect("a price"),
                watch: PeakWatch {
                    share_of_high: Share::WHOLE,
                    probability: Share::from_ppm(100_000),
                },
            }],
        },
        pool_fee: Share::from_ppm(7_500),
        loads: vec![
            load(
                "hall-a",
                racks(
                    12,
                    Terms::Contracted {
                        price: price("2.91"),
                        worth: EnergyPrice::from_usd_per_mwh(1_500),
                        tranche: None,
                    },
                ),
            ),
            load(
                "hall-b",
                racks(
                    6,
                    Terms::Uncommitted { price: price("1.60"), notice: Seconds::ZERO },
                ),
            ),
            load("s19 <old>", rigs("Antminer S19 XP", 600, 3_010, 140)),
            load("s21", rigs("Antminer S21", 1_000, 3_500, 200)),
            Load {
                hall: None,
                ..load(
                    "battery",
                    LoadKind::Battery(Battery {
                        charge_max: Power::from_mw(1),
                        discharge_max: Power::from_mw(1),
                        stored_min: Energy::ZERO,
                        stored_max: Energy::from_mwh(2),
                        stored_first: Energy::from_mwh(1),
                        charge_efficiency: Share::from_ppm(950_000),
                        discharge_efficiency: Share::from_ppm(950_000),
                        charge_below: EnergyPrice::from_usd_per_mwh(15),
                        discharge_above: EnergyPrice::from_usd_per_mwh(150),
                    }),
                )
            },
        ],
        programmes: Vec::new(),
        lock_outs: Vec::new(),
        holds: Vec::new(),
        policy: Policy {
            decide_on: DecideOn::RealTime,
            follows_price: true,
            hysteresis: EnergyPrice::from_usd_per_mwh(2),
            restart_spread: Seconds::hours(1),
            hashprice_age_max: Seconds::hours(48),
            stale_price_hold: Seconds::hours(1),
            lease: Seconds::minutes(10),
            look_ahead: LookAhead::NONE,
        },
    }
}

/// Prices with a day's shape, a spike on the third afternoon and each
/// tenth, cheap wind at night, one hour without settlement prices, one without
/// LMPs, and no bitcoin day for the fifth.
pub(crate) fn feed(range: Interval) -> Feed {
    let mut feed = Feed {
        settlement_steps: vec![(range.start, Seconds::minutes(15))],
        coincident_peaks: vec![Interval::starting(
            at("2024-08-03T21:45Z"),
            Seconds::minutes(15),
        )],
        ..Feed::default()
    };
    let five_minutes = Seconds::minutes(5);
    let quarter_hour = Seconds::minutes(15);
    let mut start = range.start;
    while start < range.end {
        let during = Interval::starting(start, five_minutes);
        if !gap(range, during, 40) {
            feed.lmp_starts.push(start);
            let value = lmp(range, start);
            let source = Source::Lmp;
            let known = Known { value, during, known_at: start, source };
            feed.signals.push((start, Signal::Price(known)));
        }
        if start.floor(quarter_hour) == start {
            let during = Interval::starting(start, quarter_hour);
            if !gap(range, during, 30) {
                let held = (0..3)
                    .map(|n| (lmp(range, start + Seconds::minutes(5 * n)), five_minutes));
                let price = EnergyPrice::mean(held).expect("three prices");
                // The market published none for the second day.
                let basis = match day(range, start) {
                    1 => Basis::MeanOfLmps,
                    _ => Basis::Published,
                };
                feed.settlements.push(Settlement { during, price, basis });
            }
        }
        start = during.end;
    }
    let day_long = Seconds::hours(24);
    let mut hashprices = BTreeMap::new();
    let mut start = range.start - day_long;
    while start < range.end {
        let during = Interval::starting(start, day_long);
        let age = day(range, start);
        if age != 4 {
            let micro = 48_000_000 + 700_000 * (age * 7 % 11) - 20_000 * age;
            let value = Hashprice::from_micro_usd_per_ph_day(micro);
            hashprices.insert(start, value);
            let (known_at, source) = (during.end, Source::Bitcoin);
            let known = Known { value, during, known_at, source };
            feed.signals.push((known_at, Signal::Hashprice(known)));
        }
        let at = start + Seconds::hours(21);
        let chance = Known {
            value: Share::from_ppm(200_000),
            during: Interval::starting(at, Seconds::hours(1)),
            known_at: at - Seconds::hours(3),
            source: Source::SystemForecast,
        };
        feed.signals.push((chance.known_at, Signal::PeakProbability(chance)));
        start = during.end;
    }
    feed.hashprices = hashprices;
    feed.signals.sort_by_key(|(known_at, _)| *known_at);
    feed
}

fn day(range: Interval, at: Timestamp) -> i64 {
    (at - range.start).as_seconds().div_euclid(86_400)
}

/// Whether nothing was recorded in the hour so long after the start.
fn gap(range: Interval, during: Interval, hours: i64) -> bool {
    Interval::starting(range.start + Seconds::hours(hours), Seconds::hours(1))
        .overlaps(during)
}

/// Cheap nights, dear evenings, a spike on the third afternoon and every tenth.
fn lmp(range: Interval, at: Timestamp) -> EnergyPrice {
    let minutes = (at - range.start).as_seconds() / 60;
    let (day, minute) = (minutes / 1_440, minutes % 1_440);
    let ripple = (minutes * 7_919 % 1_301) * 9_973;
    let season = (day % 90 - 45).abs() * 300_000;
    let base = match minute / 60 {
        0..=5 => 24_000_000,
        6..=10 => -8_000_000,
        11..=17 => 31_000_000,
        18..=20 => 48_000_000,
        21..=22 => 95_000_000,
        _ => 38_000_000,
    };
    let spike = match (day % 10, minute) {
        (2, 1_270..1_330) => (minute - 1_269) * 31_000_000,
        _ => 0,
    };
    EnergyPrice::from_micro_usd_per_mwh(base + ripple + season + spike)
}

/// Runs the made-up site for so many days and hands each line to `sink` too.
pub(crate) fn run(days: i64, mut sink: impl FnMut(&Line<'_>)) -> Answer {
    let (site, range) = (site(), range(days));
    let feed = feed(range);
    let notes = (1..=8)
        .map(|n| format!("prices.csv row {n}: repeated, the later one is used"))
        .collect();
    let mut tally = Tally::new(&site, &feed, range, notes);
    let mut past = Past::new(&site, &feed, range);
    let options = Options { compare: true, ..Options::default() };
    backtest::run(&site, &feed, range, options, |line| {
        tally.add(line);
        past.add(line);
        sink(line);
        Ok(())
    })
    .expect("a run without a record cannot fail");
    let told = perfect(&site, &feed, range).expect("a run without a record cannot fail");
    let mut answer = tally.finish();
    answer.hindsight = Some(past.judge(told));
    answer
}
