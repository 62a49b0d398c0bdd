//! What one interval of the one-interval policy costs, by length of run and by
//! number of loads.
//!
//! ```text
//! cargo run --release -p mw --example decide_cost
//! valgrind --tool=callgrind target/release/examples/decide_cost 18 2000
//! ```
//!
//! Prints a line a case: loads, intervals, whether each interval is also run
//! always on, and nanoseconds an interval (the median of five runs). Made-up
//! prices at five minutes; everything from signal to priced row is inside.

use std::time::Instant;

use engine::site::{
    DecideOn, Envelope, Feeder, Hall, Interconnection, Load, LoadKind, LookAhead,
    Machines, Market, OperatingPoint, Policy, PueCurve, Racks, Rate, Rigs, Terms,
};
use engine::{Known, Signal, Site, Source};
use mw::drive::backtest::{Options, run};
use mw::feed::{Basis, Feed, Settlement};
use settle::tariff::Tariff;
use units::{
    EnergyPrice, GpuHourPrice, HashRate, Hashprice, Interval, Money, Power, Pue, Seconds,
    Share, Timestamp,
};

const YEAR: i64 = 105_120;

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn main() -> anyhow::Result<()> {
    // With arguments: one case, run once, for counting instructions.
    let arguments: Vec<i64> =
        std::env::args().skip(1).map(|text| text.parse()).collect::<Result<_, _>>()?;
    if let [loads, intervals] = arguments[..] {
        let (site, feed, range) =
            (site(loads as usize), feed(intervals), range(intervals));
        return run(&site, &feed, range, Options::default(), |_| Ok(()));
    }
    println!(
        "{:>6} {:>10} {:>10} {:>12}",
        "loads", "intervals", "compare", "ns/interval"
    );
    let by_length = [1, 2, 4].map(|years| (18, years * YEAR, false));
    let by_loads = [6, 12, 24, 48].map(|loads| (loads, YEAR, false));
    for (loads, intervals, compare) in
        by_length.into_iter().chain(by_loads).chain([(18, YEAR, true)])
    {
        let (site, feed, range) = (site(loads), feed(intervals), range(intervals));
        let mut runs = Vec::new();
        for _ in 0..5 {
            let mut margin = Money::ZERO;
            let began = Instant::now();
            run(
                &site,
                &feed,
                range,
                Options { compare, ..Options::default() },
                |line| {
                    margin += line.row.margin().unwrap_or_default();
                    Ok(())
                },
            )?;
            runs.push(began.elapsed().as_nanos() / intervals as u128);
            std::hint::black_box(margin);
        }
        runs.sort_unstable();
        println!("{loads:>6} {intervals:>10} {compare:>10} {:>12}", runs[2]);
    }
    Ok(())
}

fn range(intervals: i64) -> Interval {
    Interval::starting(
        Timestamp::from_unix_seconds(1_735_689_600),
        Seconds::minutes(5 * intervals),
    )
}

/// A third of the loads are contracted racks, the rest rigs of ever worse
/// efficiency; together a little more than the site may draw.
fn site(loads: usize) -> Site {
    let racks = loads / 3;
    let rigs = loads - racks;
    let envelope = Envelope {
        ramp_up_per_minute: None,
        ramp_down_per_minute: None,
        up_min: Seconds::minutes(15),
        down_min: Seconds::minutes(15),
    };
    let load = |at: usize, kind: LoadKind| Load {
        name: format!("load-{at}"),
        feeder: Some(1 + at % 2),
        hall: Some(at % 2),
        envelope: envelope.clone(),
        kind,
    };
    let rack_load = |at: usize| {
        let point = OperatingPoint {
            power: Power::from_kw(132),
            rate: Rate::Throughput(Share::WHOLE),
        };
        load(
            at,
            LoadKind::Racks(Racks {
                model: "rack".into(),
                machines: Machines {
                    count: (200_000 / 132 / racks.max(1)) as u32,
                    standby: Power::from_kw(10),
                    points: vec![point],
                },
                gpus_per_rack: 72,
                beside_gpus: Power::ZERO,
                first_rack: None,
                terms: Terms::Contracted {
                    price: GpuHourPrice::from_micro_usd(2_910_000),
                    worth: EnergyPrice::from_usd_per_mwh(1_107),
                    tranche: None,
                },
            }),
        )
    };
    let rig_load = |at: usize| {
        let watts = 2_700 + 2_000 * (at - racks) as i64 / rigs as i64;
        let point = OperatingPoint {
            power: Power::from_watts(watts),
            rate: Rate::Hash(HashRate::from_ths(200)),
        };
        load(
            at,
            LoadKind::Rigs(Rigs {
                model: "rig".into(),
                machines: Machines {
                    count: (580_000_000 / watts / rigs as i64) as u32,
                    standby: Power::from_watts(25),
                    points: vec![point],
                },
                strike: None,
                restart: Seconds::minutes(10),
                restart_cost: Money::from_micro_usd(20_000),
            }),
        )
    };
    let feeder = |name: &str, parent, megawatts| Feeder {
        name: name.into(),
        parent,
        limit: Power::from_mw(megawatts),
    };
    let hall = |name: &str, feeder| Hall {
        name: name.into(),
        feeder,
        pue: PueCurve::Constant(Pue::from_ppm(1_050_000)),
    };
    Site {
        name: "bench".into(),
        market: Market { name: "ERCOT".into(), settlement_point: "HB_WEST".into() },
        interconnection: Interconnection {
            import_limit: Power::from_mw(750),
            export_limit: Power::ZERO,
            ramp_up_per_minute: None,
            ramp_down_per_minute: None,
            ramp_emergency_per_minute: None,
        },
        feeders: vec![
            feeder("main", None, 750),
            feeder("a", Some(0), 400),
            feeder("b", Some(0), 400),
        ],
        halls: vec![hall("a", 1), hall("b", 2)],
        tariff: Tariff {
            adders: Vec::new(),
            blocks: Vec::new(),
            coincident_peaks: Vec::new(),
        },
        pool_fee: Share::from_ppm(10_000),
        loads: (0..racks).map(rack_load).chain((racks..loads).map(rig_load)).collect(),
        programmes: Vec::new(),
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

/// Prices that wander, with a spike now and then, from a fixed sequence.
fn feed(intervals: i64) -> Feed {
    let whole = range(intervals);
    let settlement_steps = vec![(whole.start, Seconds::minutes(15))];
    let mut feed = Feed { settlement_steps, ..Feed::default() };
    let mut noise: u64 = 1;
    let mut micro = 35_000_000_i64;
    for at in 0..intervals {
        noise = noise
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let shock = (noise >> 40) as i64 - (1 << 23);
        let spike = if noise >> 54 == 0 { 900_000_000 } else { 0 };
        micro += (35_000_000 - micro) / 12 + shock + spike;
        let during = Interval::starting(
            whole.start + Seconds::minutes(5 * at),
            Seconds::minutes(5),
        );
        let price = EnergyPrice::from_micro_usd_per_mwh(micro);
        let known =
            Known { value: price, during, known_at: during.start, source: Source::Lmp };
        if at % 288 == 0 {
            let during =
                Interval::starting(during.start - Seconds::hours(24), Seconds::hours(24));
            let value = Hashprice::from_micro_usd_per_ph_day(
                50_000_000 + (noise >> 44) as i64 * 8,
            );
            let hashprice =
                Known { value, during, known_at: during.end, source: Source::Bitcoin };
            feed.signals.push((during.end, Signal::Hashprice(hashprice)));
            feed.hashprices.insert(during.end, value);
        }
        feed.signals.push((during.start, Signal::Price(known)));
        feed.lmp_starts.push(during.start);
        if at % 3 == 0 {
            let during = Interval::starting(during.start, Seconds::minutes(15));
            feed.settlements.push(Settlement { during, price, basis: Basis::Published });
        }
    }
    feed
}
