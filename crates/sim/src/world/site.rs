//! Draws a site: every shape that a site file may describe, and its limits.

use engine::Setpoint;
use engine::site::{
    Battery, DecideOn, Envelope, FailSafe, Feeder, FeederIx, ForecastFrom, Hall, HallIx,
    Hold, Interconnection, Load, LoadIx, LoadKind, LockOut, LookAhead, Machines, Market,
    OperatingPoint, Policy, Programme, PueCurve, Racks, Rate, Rigs, Site, Terms, Tranche,
};
use settle::tariff::{Adder, CoincidentPeakRule, PeakWatch, Tariff};
use units::{
    Energy, EnergyPrice, GpuHourPrice, HashRate, Interval, Money, Power, PowerPrice, Pue,
    Seconds, Share, Temperature, Timestamp,
};

use crate::seed::{Generator, generator};

/// How large a drawn site is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    /// Up to two thousand machines a load, each load one ideal device.
    Grouped,
    /// Few enough that every machine can be known by itself, and ramps that are
    /// done within ten minutes.
    ByMachine,
}

/// The site of a seed, for a run that begins at `start`.
pub(super) fn draw(seed: u64, start: Timestamp, size: Size) -> Site {
    let mut feeders = draw_feeders(&mut generator(seed, "feeders"));
    let halls = draw_halls(&mut generator(seed, "halls"), feeders.len());
    let most = match size {
        Size::Grouped => 8,
        Size::ByMachine => 5,
    };
    let count = generator(seed, "loads").integer(2..=most) as usize;
    let loads: Vec<Load> = (0..count)
        .map(|load| {
            let mut own = generator(seed, &format!("load {load}"));
            let mut load = draw_load(&mut own, load, &halls, feeders.len());
            if let (Size::ByMachine, Some(machines)) = (size, load.machines()) {
                let few = 3 + (machines.count - 1) % 398;
                set_count(&mut load, few);
            }
            load
        })
        .collect();
    let mut site = Site {
        name: "drawn".to_owned(),
        market: Market {
            name: "ERCOT".to_owned(),
            settlement_point: "HB_WEST".to_owned(),
        },
        interconnection: Interconnection {
            import_limit: Power::ZERO,
            export_limit: Power::ZERO,
            ramp_up_per_minute: None,
            ramp_down_per_minute: None,
            ramp_emergency_per_minute: None,
        },
        feeders: Vec::new(),
        halls,
        tariff: draw_tariff(&mut generator(seed, "tariff"), start),
        pool_fee: Share::from_ppm(20_000),
        loads,
        programmes: vec![grid()],
        lock_outs: Vec::new(),
        holds: Vec::new(),
        policy: Policy {
            look_ahead: draw_look_ahead(&mut generator(seed, "look ahead")),
            ..draw_policy(&mut generator(seed, "policy"))
        },
    };
    std::mem::swap(&mut site.feeders, &mut feeders);
    let mut limits = generator(seed, "limits");
    draw_limits(&mut limits, &mut site);
    draw_ramps(&mut generator(seed, "ramps"), &mut site, size);
    draw_entries(&mut generator(seed, "entries"), &mut site, start);
    site
}

/// The programme of a site whose grid speaks only when it has something to say.
fn grid() -> Programme {
    Programme {
        name: "grid".to_owned(),
        loads: Vec::new(),
        response: Seconds::minutes(10),
        longest: Seconds::hours(24),
        silent_after: None,
        fail_safe: FailSafe::Hold,
    }
}

fn draw_feeders(draws: &mut Generator) -> Vec<Feeder> {
    let mut feeders: Vec<Feeder> = Vec::new();
    let mut depths: Vec<u32> = Vec::new();
    for feeder in 0..draws.integer(1..=5) as usize {
        let above = draws.below(feeder as u64 + 1) as usize;
        let parent = (above < feeder && depths[above] < 3).then_some(above);
        depths.push(parent.map_or(1, |parent| depths[parent] + 1));
        feeders.push(Feeder {
            name: format!("feeder-{feeder}"),
            parent,
            limit: Power::ZERO,
        });
    }
    feeders
}

fn draw_halls(draws: &mut Generator, feeders: usize) -> Vec<Hall> {
    (0..draws.integer(1..=4))
        .map(|hall| {
            let least = draws.integer(1_000_000..=1_300_000);
            let pue = if draws.chance(500_000) {
                PueCurve::Constant(Pue::from_ppm(least))
            } else {
                let mut pue = least;
                let mut points = Vec::new();
                for degrees in [0, 15, 25, 35] {
                    points.push((
                        Temperature::from_millidegrees(degrees * 1_000),
                        Pue::from_ppm(pue),
                    ));
                    pue += draws.integer(0..=80_000);
                }
                PueCurve::ByTemperature { points, missing: Pue::from_ppm(pue) }
            };
            Hall {
                name: format!("hall-{hall}"),
                feeder: draws.below(feeders as u64) as FeederIx,
                pue,
            }
        })
        .collect()
}

fn draw_load(
    draws: &mut Generator,
    load: LoadIx,
    halls: &[Hall],
    feeders: usize,
) -> Load {
    let hall = draws.below(halls.len() as u64) as HallIx;
    let (kind, name) = match draws.below(10) {
        0..=3 => (LoadKind::Rigs(draw_rigs(draws)), "rigs"),
        4..=6 => {
            let mut racks = draw_racks(draws, true);
            if let Terms::Contracted { tranche, .. } = &mut racks.terms {
                let id = format!("tranche-{load}");
                *tranche = Some(Tranche { contract: "drawn".to_owned(), id });
            }
            (LoadKind::Racks(racks), "racks")
        }
        7 => (LoadKind::Racks(draw_racks(draws, false)), "spot"),
        _ => (LoadKind::Battery(draw_battery(draws)), "battery"),
    };
    let is_battery = matches!(kind, LoadKind::Battery(_));
    let feeder = if is_battery {
        let place = draws.below(feeders as u64 + 1) as FeederIx;
        (place < feeders).then_some(place)
    } else {
        Some(halls[hall].feeder)
    };
    let mut least_time = || {
        let minutes = *draws.pick(&[0, 0, 7, 10, 30]);
        if is_battery { Seconds::ZERO } else { Seconds::minutes(minutes) }
    };
    Load {
        name: format!("{name}-{load}"),
        feeder,
        hall: (!is_battery).then_some(hall),
        envelope: Envelope {
            ramp_up_per_minute: None,
            ramp_down_per_minute: None,
            up_min: least_time(),
            down_min: least_time(),
        },
        kind,
    }
}

/// One to three points; each watt more gives no more than the watts before it.
fn draw_rigs(draws: &mut Generator) -> Rigs {
    let standby = draws.integer(0..=60);
    let mut watts = draws.integer(1_500..=4_000);
    // In millijoules a terahash: what the next watts spend on a hash.
    let mut marginal = draws.integer(12_000..=35_000);
    let mut rate = (watts - standby) * 1_000_000 / marginal;
    let mut points = Vec::new();
    for _ in 0..draws.integer(1..=3) {
        points.push(OperatingPoint {
            power: Power::from_watts(watts),
            rate: Rate::Hash(HashRate::from_ghs(rate)),
        });
        marginal += draws.integer(1_000..=20_000);
        let more = draws.integer(200..=1_500);
        watts += more;
        rate += more * 1_000_000 / marginal;
    }
    Rigs {
        model: "drawn rig".to_owned(),
        machines: Machines {
            count: draws.integer(1..=2_000) as u32,
            standby: Power::from_watts(standby),
            points,
        },
        strike: draws
            .chance(250_000)
            .then(|| EnergyPrice::from_usd_per_mwh(draws.integer(30..=120))),
        restart: Seconds::minutes(draws.integer(0..=10)),
        restart_cost: Money::from_micro_usd(draws.integer(0..=500_000)),
    }
}

fn draw_racks(draws: &mut Generator, contracted: bool) -> Racks {
    let standby = draws.integer(0..=5_000);
    let whole = draws.integer(40_000..=140_000);
    // Shares of full power and of full throughput.
    const CURVES: [&[(i64, i64)]; 3] = [
        &[(1_000_000, 1_000_000)],
        &[(600_000, 750_000), (1_000_000, 1_000_000)],
        &[(500_000, 700_000), (750_000, 900_000), (1_000_000, 1_000_000)],
    ];
    let curve = *draws.pick(&CURVES);
    let points = curve
        .iter()
        .map(|(power, throughput)| OperatingPoint {
            power: Share::from_ppm(*power).of_power(Power::from_watts(whole)),
            rate: Rate::Throughput(Share::from_ppm(*throughput)),
        })
        .collect();
    let price = GpuHourPrice::from_micro_usd(draws.integer(20_000..=3_000_000));
    let terms = if contracted {
        let worth = EnergyPrice::from_usd_per_mwh(draws.integer(500..=9_000));
        Terms::Contracted { price, worth, tranche: None }
    } else {
        Terms::Uncommitted { price, notice: Seconds::ZERO }
    };
    Racks {
        model: "drawn rack".to_owned(),
        machines: Machines {
            count: draws.integer(1..=40) as u32,
            standby: Power::from_watts(standby),
            points,
        },
        gpus_per_rack: 72,
        beside_gpus: Power::from_watts(standby),
        first_rack: None,
        terms,
    }
}

fn draw_battery(draws: &mut Generator) -> Battery {
    let power = draws.integer(200..=6_000);
    let capacity = power * draws.integer(1..=3);
    let part = |ppm: i64| {
        Energy::from_joules(Energy::from_kwh(capacity).as_joules() / 1_000_000 * ppm)
    };
    let charge_below = draws.integer(-20..=30);
    Battery {
        charge_max: Power::from_kw(power),
        discharge_max: Power::from_kw(draws.integer(power / 2..=power)),
        stored_min: part(draws.integer(0..=150_000)),
        stored_max: part(draws.integer(850_000..=1_000_000)),
        stored_first: part(draws.integer(150_000..=850_000)),
        charge_efficiency: Share::from_ppm(draws.integer(850_000..=1_000_000)),
        discharge_efficiency: Share::from_ppm(draws.integer(850_000..=1_000_000)),
        charge_below: EnergyPrice::from_usd_per_mwh(charge_below),
        discharge_above: EnergyPrice::from_usd_per_mwh(
            charge_below + draws.integer(20..=200),
        ),
    }
}

fn draw_tariff(draws: &mut Generator, start: Timestamp) -> Tariff {
    let year = Interval {
        start: start - Seconds::hours(24 * 180),
        end: start + Seconds::hours(24 * 180),
    };
    let adders = (0..draws.integer(0..=2))
        .map(|adder| Adder {
            name: format!("adder-{adder}"),
            price: EnergyPrice::from_micro_usd_per_mwh(draws.integer(0..=8_000_000)),
            during: year,
        })
        .collect();
    let august = Interval {
        start: Timestamp::parse("2024-08-01T05:00Z").expect("an instant"),
        end: Timestamp::parse("2024-09-01T05:00Z").expect("an instant"),
    };
    let rule = CoincidentPeakRule {
        name: "4CP".to_owned(),
        months: vec![august],
        peaks_per_month: 1,
        peaks_per_year: 4,
        interval: Seconds::minutes(15),
        charge_per_kw_month: PowerPrice::from_micro_usd_per_kw(5_000_000),
        watch: PeakWatch {
            share_of_high: Share::from_ppm(draws.integer(900_000..=1_000_000)),
            probability: Share::from_ppm(draws.integer(1_000..=100_000)),
        },
    };
    Tariff {
        adders,
        blocks: Vec::new(),
        coincident_peaks: if draws.chance(400_000) { vec![rule] } else { Vec::new() },
    }
}

fn draw_policy(draws: &mut Generator) -> Policy {
    Policy {
        decide_on: *draws.pick(&[
            DecideOn::RealTime,
            DecideOn::RealTime,
            DecideOn::DayAhead,
        ]),
        follows_price: draws.chance(920_000),
        hysteresis: EnergyPrice::from_usd_per_mwh(draws.integer(0..=10)),
        restart_spread: Seconds::minutes(draws.integer(30..=240)),
        hashprice_age_max: Seconds::hours(draws.integer(12..=72)),
        stale_price_hold: Seconds::minutes(draws.integer(0..=90)),
        lease: Seconds::minutes(10),
        look_ahead: LookAhead::NONE,
    }
}

/// Mostly a forecaster's word: a run is shorter than the day that others need.
fn draw_look_ahead(draws: &mut Generator) -> LookAhead {
    let told = ForecastFrom::Told;
    LookAhead {
        length: Seconds::hours(draws.integer(0..=30)),
        forecast: *draws.pick(&[
            told,
            told,
            told,
            ForecastFrom::DayAhead,
            ForecastFrom::Persistence,
            ForecastFrom::Quantile { share: Share::from_ppm(500_000), days: 7 },
        ]),
    }
}

/// Limits from what must be drawn whatever is decided to more than can be.
fn draw_limits(draws: &mut Generator, site: &mut Site) {
    for feeder in 0..site.feeders.len() {
        let behind = behind(site, Some(feeder));
        site.feeders[feeder].limit = limit_for(draws, site, &behind);
    }
    let all = behind(site, None);
    site.interconnection.import_limit = limit_for(draws, site, &all);
    let back: Power = site
        .loads
        .iter()
        .map(|load| match &load.kind {
            LoadKind::Battery(battery) => battery.discharge_max,
            LoadKind::Rigs(_) | LoadKind::Racks(_) => Power::ZERO,
        })
        .sum();
    site.interconnection.export_limit =
        Share::from_ppm(*draws.pick(&[0, 0, 300_000, 1_000_000])).of_power(back);
}

fn limit_for(draws: &mut Generator, site: &Site, behind: &[LoadIx]) -> Power {
    // A site file's limits leave room for everything under contract. A site may
    // all the same come to less, by a grid's limit; some sites are drawn so.
    let counts_contracts = draws.chance(750_000);
    let least: Power = behind
        .iter()
        .map(|load| {
            if counts_contracts && site.loads[*load].is_firm() {
                most(site, *load)
            } else {
                rest(site, *load)
            }
        })
        .sum();
    let all: Power = behind.iter().map(|load| most(site, *load)).sum();
    let part = draws.integer(0..=1_300_000);
    least + Share::from_ppm(part).of_power(all - least)
}

fn behind(site: &Site, feeder: Option<FeederIx>) -> Vec<LoadIx> {
    (0..site.loads.len())
        .filter(|load| match feeder {
            None => true,
            Some(feeder) => {
                site.path(site.loads[*load].feeder).any(|above| above == feeder)
            }
        })
        .collect()
}

/// Ramps that let at least the largest step of one machine through, and are
/// done within half an hour.
fn draw_ramps(draws: &mut Generator, site: &mut Site, size: Size) {
    let (minutes_of_load, minutes_of_site) = match size {
        Size::Grouped => (15, 20),
        Size::ByMachine => (6, 10),
    };
    for load in 0..site.loads.len() {
        let step = largest_step(site, load);
        let whole = most(site, load);
        let mut ramp = || {
            let minutes = draws.integer(1..=minutes_of_load);
            let even = Power::from_watts(whole.as_watts() / minutes);
            draws.chance(250_000).then_some(step.max(even))
        };
        let (up, down) = (ramp(), ramp());
        let envelope = &mut site.loads[load].envelope;
        envelope.ramp_up_per_minute = up;
        envelope.ramp_down_per_minute = down;
    }
    let step = (0..site.loads.len())
        .map(|load| largest_step(site, load))
        .max()
        .unwrap_or(Power::ZERO);
    let whole: Power = (0..site.loads.len()).map(|load| most(site, load)).sum();
    let mut ramp = |least: Power| {
        let minutes = draws.integer(1..=minutes_of_site);
        let even = Power::from_watts(whole.as_watts() / minutes);
        draws.chance(500_000).then_some(step.max(even).max(least))
    };
    let up = ramp(Power::ZERO);
    let down = ramp(Power::ZERO);
    let emergency = down.and_then(&mut ramp);
    let grid = &mut site.interconnection;
    grid.ramp_up_per_minute = up;
    grid.ramp_down_per_minute = down;
    grid.ramp_emergency_per_minute = emergency;
}

/// The most one machine of a load adds at the meter in one step, in any weather.
pub(crate) fn largest_step(site: &Site, load: LoadIx) -> Power {
    let Some(machines) = site.loads[load].machines() else {
        return Power::from_watts(1);
    };
    let pue = worst_pue(site, load);
    let step = |at| {
        // What the meter shows of a step depends on where it begins, by a watt.
        pue.at_meter(machines.step_power(at)) + Power::from_watts(1)
    };
    (0..machines.points.len()).map(step).max().unwrap_or(Power::ZERO)
}

fn draw_entries(draws: &mut Generator, site: &mut Site, start: Timestamp) {
    for _ in 0..draws.integer(0..=2) {
        let load = draws.below(site.loads.len() as u64) as LoadIx;
        let during = draw_during(draws, start);
        site.lock_outs.push(lock_out(draws, load, during));
    }
    for _ in 0..draws.integer(0..=2) {
        let load = draws.below(site.loads.len() as u64) as LoadIx;
        let during = draw_during(draws, start);
        let alone = site
            .holds
            .iter()
            .all(|hold| hold.load != load || !hold.during.overlaps(during));
        if alone {
            site.holds.push(hold(draws, site, load, during));
        }
    }
}

fn draw_during(draws: &mut Generator, start: Timestamp) -> Interval {
    let from = start + Seconds::from_seconds(draws.integer(0..=14_400));
    Interval::starting(from, Seconds::from_seconds(draws.integer(60..=7_200)))
}

/// A lock-out by one of two roles.
pub(super) fn lock_out(draws: &mut Generator, load: LoadIx, during: Interval) -> LockOut {
    LockOut {
        load,
        machines: None,
        during,
        until_released: false,
        role: role(draws).to_owned(),
        reason: "a fan is replaced".to_owned(),
    }
}

/// The roles that lock out and release.
pub(super) const ROLES: [&str; 2] = ["rig technician", "electrician"];

/// One of the two.
pub(super) fn role(draws: &mut Generator) -> &'static str {
    draws.pick::<&'static str>(&ROLES)
}

/// A hold at a level that the load can take.
pub(super) fn hold(
    draws: &mut Generator,
    site: &Site,
    load: LoadIx,
    during: Interval,
) -> Hold {
    let (least, most) = match &site.loads[load].kind {
        LoadKind::Battery(battery) => (-battery.discharge_max, battery.charge_max),
        LoadKind::Rigs(_) | LoadKind::Racks(_) => (Power::ZERO, most(site, load)),
    };
    Hold {
        load,
        power: Power::from_watts(draws.integer(least.as_watts()..=most.as_watts())),
        during,
        role: "operator".to_owned(),
        reason: "a test".to_owned(),
    }
}

/// The most a load can draw at the meter in any weather.
pub(crate) fn most(site: &Site, load: LoadIx) -> Power {
    match &site.loads[load].kind {
        LoadKind::Battery(battery) => battery.charge_max,
        LoadKind::Rigs(Rigs { machines, .. })
        | LoadKind::Racks(Racks { machines, .. }) => {
            worst_pue(site, load).at_meter(machines.ceiling())
        }
    }
}

/// What a load draws at rest at the meter in any weather.
pub(super) fn rest(site: &Site, load: LoadIx) -> Power {
    match &site.loads[load].kind {
        LoadKind::Battery(_) => Power::ZERO,
        LoadKind::Rigs(_) | LoadKind::Racks(_) => {
            site.loads[load].machines().map_or(Power::ZERO, |machines| {
                worst_pue(site, load).at_meter(machines.floor())
            })
        }
    }
}

fn worst_pue(site: &Site, load: LoadIx) -> Pue {
    site.loads[load].hall.map_or(Pue::ONE, |hall| match &site.halls[hall].pue {
        PueCurve::Constant(pue) => *pue,
        PueCurve::ByTemperature { missing, .. } => *missing,
    })
}

/// The setpoint of a load at rest.
pub(crate) fn at_rest(site: &Site, load: LoadIx) -> Setpoint {
    match &site.loads[load].kind {
        LoadKind::Battery(_) => Setpoint::Power(Power::ZERO),
        LoadKind::Rigs(_) | LoadKind::Racks(_) => Setpoint::Level(0),
    }
}

/// Gives a group another number of machines.
pub(super) fn set_count(load: &mut Load, count: u32) {
    match &mut load.kind {
        LoadKind::Rigs(Rigs { machines, .. })
        | LoadKind::Racks(Racks { machines, .. }) => {
            machines.count = count;
        }
        LoadKind::Battery(_) => {}
    }
}
