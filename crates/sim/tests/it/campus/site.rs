//! A site for a campus: rigs, racks under contract and not, and a battery.

use engine::Site;
use engine::site::{
    Battery, DecideOn, Envelope, Hall, Interconnection, Load, LoadKind, LookAhead,
    Machines, Market, OperatingPoint, Policy, PueCurve, Racks, Rate, Rigs, Terms,
};
use settle::tariff::Tariff;
use units::{
    Energy, EnergyPrice, GpuHourPrice, HashRate, Money, Power, Pue, Seconds, Share,
    Temperature,
};

/// The loads, by their places.
pub(crate) const RIGS: usize = 0;
pub(crate) const TENANT: usize = 1;
pub(crate) const SPOT: usize = 2;
pub(crate) const BATTERY: usize = 3;

/// A site with so many rigs, four racks under contract, two that are not, and a
/// battery.
pub(crate) fn site(rigs: u32) -> Site {
    let load = |name: &str, hall, kind| Load {
        name: name.into(),
        feeder: None,
        hall,
        envelope: Envelope {
            ramp_up_per_minute: None,
            ramp_down_per_minute: None,
            up_min: Seconds::ZERO,
            down_min: Seconds::ZERO,
        },
        kind,
    };
    let point = |watts, rate| OperatingPoint { power: Power::from_watts(watts), rate };
    let racks = |count, terms| {
        LoadKind::Racks(Racks {
            model: "GB300 NVL72".into(),
            machines: Machines {
                count,
                standby: Power::from_kw(10),
                points: vec![
                    point(90_000, Rate::Throughput(Share::from_ppm(800_000))),
                    point(130_000, Rate::Throughput(Share::WHOLE)),
                ],
            },
            gpus_per_rack: 72,
            beside_gpus: Power::ZERO,
            first_rack: None,
            terms,
        })
    };
    let price = GpuHourPrice::parse_usd("2.50").expect("a price");
    let contracted = Terms::Contracted {
        price,
        worth: EnergyPrice::from_usd_per_mwh(9_000),
        tranche: None,
    };
    let rigs = LoadKind::Rigs(Rigs {
        model: "Antminer S21".into(),
        machines: Machines {
            count: rigs,
            standby: Power::from_watts(20),
            points: vec![
                point(2_400, Rate::Hash(HashRate::from_ths(150))),
                point(3_500, Rate::Hash(HashRate::from_ths(200))),
            ],
        },
        strike: None,
        restart: Seconds::minutes(10),
        restart_cost: Money::from_micro_usd(10_000),
    });
    let battery = LoadKind::Battery(Battery {
        charge_max: Power::from_kw(500),
        discharge_max: Power::from_kw(500),
        stored_min: Energy::ZERO,
        stored_max: Energy::from_mwh(1),
        stored_first: Energy::from_kwh(500),
        charge_efficiency: Share::from_ppm(930_000),
        discharge_efficiency: Share::from_ppm(930_000),
        charge_below: EnergyPrice::from_usd_per_mwh(10),
        discharge_above: EnergyPrice::from_usd_per_mwh(100),
    });
    Site {
        name: "a campus".into(),
        market: Market { name: "ERCOT".into(), settlement_point: "HB_WEST".into() },
        interconnection: Interconnection {
            import_limit: Power::from_mw(1_000),
            export_limit: Power::from_mw(1),
            ramp_up_per_minute: None,
            ramp_down_per_minute: None,
            ramp_emergency_per_minute: None,
        },
        feeders: Vec::new(),
        halls: vec![Hall {
            name: "sheds".into(),
            feeder: 0,
            pue: PueCurve::ByTemperature {
                points: vec![
                    (Temperature::from_millidegrees(0), Pue::from_ppm(1_031_003)),
                    (Temperature::from_millidegrees(35_000), Pue::from_ppm(1_080_007)),
                ],
                missing: Pue::from_ppm(1_100_000),
            },
        }],
        tariff: Tariff {
            adders: Vec::new(),
            blocks: Vec::new(),
            coincident_peaks: Vec::new(),
        },
        pool_fee: Share::from_ppm(10_000),
        loads: vec![
            load("rigs", Some(0), rigs),
            load("tenant", Some(0), racks(4, contracted)),
            load(
                "spot",
                Some(0),
                racks(2, Terms::Uncommitted { price, notice: Seconds::ZERO }),
            ),
            load("battery", None, battery),
        ],
        programmes: Vec::new(),
        lock_outs: Vec::new(),
        holds: Vec::new(),
        policy: Policy {
            decide_on: DecideOn::RealTime,
            follows_price: true,
            hysteresis: EnergyPrice::ZERO,
            restart_spread: Seconds::hours(1),
            hashprice_age_max: Seconds::hours(72),
            stale_price_hold: Seconds::minutes(15),
            lease: Seconds::minutes(5),
            look_ahead: LookAhead::NONE,
        },
    }
}
