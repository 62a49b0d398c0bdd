//! A small site that every scenario happens on.

use engine::Site;
use engine::site::{
    Battery, DecideOn, Envelope, FailSafe, Feeder, Hall, Interconnection, Load, LoadKind,
    LookAhead, Machines, Market, OperatingPoint, Policy, Programme, PueCurve, Racks,
    Rate, Rigs, Terms,
};
use settle::tariff::{Adder, CoincidentPeakRule, PeakWatch, Tariff};
use units::{
    Energy, EnergyPrice, GpuHourPrice, HashRate, Interval, Money, Power, PowerPrice, Pue,
    Seconds, Share, Temperature, Timestamp,
};

pub(crate) fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("an instant")
}

/// Six megawatts: a thousand rigs on one feeder, contracted and uncommitted
/// racks on another, and a battery.
pub(crate) fn site() -> Site {
    let always = Interval { start: at("2020-01-01"), end: at("2030-01-01") };
    let envelope = |minutes: i64, ramp: Option<Power>| Envelope {
        ramp_up_per_minute: ramp,
        ramp_down_per_minute: None,
        up_min: Seconds::minutes(minutes),
        down_min: Seconds::minutes(minutes),
    };
    let rack = |terms: Terms, count: u32| {
        LoadKind::Racks(Racks {
            model: "GB300 NVL72".into(),
            machines: Machines {
                count,
                standby: Power::from_kw(10),
                points: vec![OperatingPoint {
                    power: Power::from_kw(130),
                    rate: Rate::Throughput(Share::WHOLE),
                }],
            },
            gpus_per_rack: 72,
            beside_gpus: Power::ZERO,
            first_rack: None,
            terms,
        })
    };
    let rigs = LoadKind::Rigs(Rigs {
        model: "Antminer S21".into(),
        machines: Machines {
            count: 1_000,
            standby: Power::from_watts(20),
            points: vec![
                OperatingPoint {
                    power: Power::from_watts(2_400),
                    rate: Rate::Hash(HashRate::from_ths(150)),
                },
                OperatingPoint {
                    power: Power::from_watts(3_500),
                    rate: Rate::Hash(HashRate::from_ths(200)),
                },
            ],
        },
        strike: None,
        restart: Seconds::minutes(10),
        restart_cost: Money::from_micro_usd(10_000),
    });
    let load = |name: &str, feeder, hall, envelope, kind| Load {
        name: name.into(),
        feeder: Some(feeder),
        hall,
        envelope,
        kind,
    };
    let feeder = |name: &str, parent, megawatts| Feeder {
        name: name.into(),
        parent,
        limit: Power::from_mw(megawatts),
    };
    let programme = |name: &str, loads, silent_after: Option<i64>, fail_safe| Programme {
        name: name.into(),
        loads,
        response: Seconds::minutes(10),
        longest: Seconds::hours(4),
        silent_after: silent_after.map(Seconds::from_seconds),
        fail_safe,
    };
    Site {
        name: "six megawatts".into(),
        market: Market { name: "ERCOT".into(), settlement_point: "HB_WEST".into() },
        interconnection: Interconnection {
            import_limit: Power::from_mw(6),
            export_limit: Power::from_mw(1),
            ramp_up_per_minute: Some(Power::from_mw(2)),
            ramp_down_per_minute: Some(Power::from_mw(3)),
            ramp_emergency_per_minute: Some(Power::from_mw(6)),
        },
        feeders: vec![
            feeder("main", None, 6),
            feeder("sheds", Some(0), 4),
            feeder("halls", Some(0), 3),
        ],
        halls: vec![
            Hall {
                name: "sheds".into(),
                feeder: 1,
                pue: PueCurve::ByTemperature {
                    points: vec![
                        (Temperature::from_millidegrees(0), Pue::from_ppm(1_030_000)),
                        (
                            Temperature::from_millidegrees(35_000),
                            Pue::from_ppm(1_080_000),
                        ),
                    ],
                    missing: Pue::from_ppm(1_100_000),
                },
            },
            Hall {
                name: "halls".into(),
                feeder: 2,
                pue: PueCurve::Constant(Pue::from_ppm(1_200_000)),
            },
        ],
        tariff: Tariff {
            adders: vec![Adder {
                name: "delivery".into(),
                price: EnergyPrice::from_usd_per_mwh(4),
                during: always,
            }],
            blocks: Vec::new(),
            coincident_peaks: vec![CoincidentPeakRule {
                name: "4CP".into(),
                months: vec![Interval { start: at("2024-08-01"), end: at("2024-09-01") }],
                peaks_per_month: 1,
                peaks_per_year: 4,
                interval: Seconds::minutes(15),
                charge_per_kw_month: PowerPrice::parse_usd_per_kw("6").expect("a price"),
                watch: PeakWatch {
                    share_of_high: Share::from_ppm(980_000),
                    probability: Share::from_ppm(10_000),
                },
            }],
        },
        pool_fee: Share::from_ppm(10_000),
        loads: vec![
            load("rigs", 1, Some(0), envelope(15, None), rigs),
            load(
                "tenant",
                2,
                Some(1),
                envelope(0, None),
                rack(
                    Terms::Contracted {
                        price: GpuHourPrice::from_micro_usd(2_910_000),
                        worth: EnergyPrice::from_usd_per_mwh(1_100),
                        tranche: None,
                    },
                    10,
                ),
            ),
            load(
                "spot",
                2,
                Some(1),
                envelope(0, None),
                rack(
                    Terms::Uncommitted {
                        price: GpuHourPrice::from_micro_usd(1_500_000),
                        notice: Seconds::ZERO,
                    },
                    5,
                ),
            ),
            load(
                "battery",
                0,
                None,
                envelope(0, None),
                LoadKind::Battery(Battery {
                    charge_max: Power::from_mw(1),
                    discharge_max: Power::from_mw(1),
                    stored_min: Energy::ZERO,
                    stored_max: Energy::from_mwh(2),
                    stored_first: Energy::from_mwh(1),
                    charge_efficiency: Share::from_ppm(940_000),
                    discharge_efficiency: Share::from_ppm(940_000),
                    charge_below: EnergyPrice::from_usd_per_mwh(15),
                    discharge_above: EnergyPrice::from_usd_per_mwh(200),
                }),
            ),
        ],
        programmes: vec![
            programme("grid", vec![], None, FailSafe::Hold),
            programme("reserve", vec![0], Some(60), FailSafe::Hold),
            programme("utility", vec![], Some(60), FailSafe::Limit(Power::from_mw(2))),
        ],
        lock_outs: Vec::new(),
        holds: Vec::new(),
        policy: Policy {
            decide_on: DecideOn::RealTime,
            follows_price: true,
            hysteresis: EnergyPrice::from_usd_per_mwh(2),
            restart_spread: Seconds::hours(2),
            hashprice_age_max: Seconds::hours(72),
            stale_price_hold: Seconds::hours(1),
            lease: Seconds::minutes(10),
            look_ahead: LookAhead::NONE,
        },
    }
}
