//! Draws what happens: prices, weather, instructions, requests, changes.
//!
//! First what is true and when it could first be known, then what of it
//! arrives and when: [`crate::fault`] stands between the two.

use engine::site::{LoadIx, LoadKind, Tranche};
use engine::{
    Ask, Capacity, Change, Event, Exposure, FlexEvent, Forecast, Instruction, Known,
    Person, Request, Signal, Site, Source,
};
use units::{
    EnergyPrice, GpuHourPrice, Hashprice, Interval, Money, Power, Seconds, Share,
    Temperature, Timestamp,
};

use super::{Happening, World, site};
use crate::fault;
use crate::seed::{Generator, generator, sub_seed};

/// Everything that arrives in a world, earliest first.
pub(super) fn draw(world: &World) -> Vec<Happening> {
    let seed = sub_seed(world.seed, "happenings");
    let part = |name| generator(seed, name);
    let mut truth = Vec::new();
    prices(&mut part("prices"), world, &mut truth);
    day_ahead(&mut part("day ahead"), world, &mut truth);
    hashprices(&mut part("hashprices"), world, &mut truth);
    weather(&mut part("weather"), world, &mut truth);
    demand(&mut part("demand"), world, &mut truth);
    import_limits(&mut part("import limits"), world, &mut truth);

    let mut happenings = fault::deliver(&mut part("delivery"), world, truth);
    let mut said = Vec::new();
    forecasts(&mut part("forecasts"), world, &mut said);
    happenings.extend(fault::deliver(&mut part("forecast delivery"), world, said));
    requests(&mut part("requests"), world, &mut happenings);
    changes(&mut part("changes"), world, &mut happenings);
    exposures(&mut part("exposures"), world, &mut happenings);
    spot_offers(&mut part("spot offers"), world, &mut happenings);
    happenings.sort_by_key(|happening| happening.at);
    happenings
}

/// Prices wander about a regime's level, spike, and fall below nothing.
fn prices(draws: &mut Generator, world: &World, truth: &mut Vec<Signal>) {
    let has_lmp = draws.chance(850_000);
    let mut level = draws.integer(15..=70);
    let mut spike = 0;
    let mut sum_micro = 0;
    let mut parts = 0;
    let mut value = EnergyPrice::ZERO;
    for place in 0..world.intervals_faulty + world.intervals_calm {
        let during = world.interval(place);
        if during.start < world.calm_from() {
            if draws.chance(60_000) {
                level = draws.integer(-30..=180);
            }
            if draws.chance(50_000) {
                spike = draws.integer(1..=4);
            }
            let wiggle = draws.integer(-8_000_000..=8_000_000);
            let usd = if spike > 0 { draws.integer(200..=5_000) } else { level };
            spike = (spike - 1).max(0);
            value = EnergyPrice::from_micro_usd_per_mwh(usd * 1_000_000 + wiggle);
        }
        if has_lmp {
            truth.push(Signal::Price(Known {
                value,
                during,
                known_at: during.start,
                source: Source::Lmp,
            }));
        }
        sum_micro += value.as_micro_usd_per_mwh();
        parts += 1;
        let quarter = Seconds::minutes(15);
        if during.end.floor(quarter) == during.end {
            truth.push(Signal::Price(Known {
                value: EnergyPrice::from_micro_usd_per_mwh(sum_micro / parts),
                during: Interval { start: during.end - quarter, end: during.end },
                known_at: during.end,
                source: Source::SettlementPoint,
            }));
            (sum_micro, parts) = (0, 0);
        }
    }
}

/// Hourly prices, all of a day known half a day before.
fn day_ahead(draws: &mut Generator, world: &World, truth: &mut Vec<Signal>) {
    let mut usd = draws.integer(10..=90);
    for during in hours(world, Seconds::hours(1)) {
        if during.start < world.calm_from() {
            usd = (usd + draws.integer(-30..=30)).clamp(-30, 400);
        }
        truth.push(Signal::Price(Known {
            value: EnergyPrice::from_usd_per_mwh(usd),
            during,
            known_at: during.start - Seconds::hours(12),
            source: Source::DayAhead,
        }));
    }
}

/// A curve an hour of the prices that a forecaster expects of the day to come.
fn forecasts(draws: &mut Generator, world: &World, said: &mut Vec<Signal>) {
    for hour in hours(world, Seconds::ZERO) {
        let step = Seconds::minutes(*draws.pick(&[5, 15, 60, 60]));
        let steps = 24 * 3_600 / step.as_seconds();
        let prices = (0..steps).map(|_| draws.integer(-40..=250)).collect::<Vec<_>>();
        said.push(Signal::Forecast(Forecast {
            from: hour.start,
            step,
            prices: prices.into_iter().map(EnergyPrice::from_usd_per_mwh).collect(),
            known_at: hour.start,
            source: Source::Forecaster,
        }));
    }
}

fn hashprices(draws: &mut Generator, world: &World, truth: &mut Vec<Signal>) {
    let day = Seconds::hours(24);
    let mut start = world.start.floor(day) - day;
    while start + day < world.calm_from() {
        truth.push(Signal::Hashprice(Known {
            value: Hashprice::from_micro_usd_per_ph_day(
                draws.integer(20_000_000..=70_000_000),
            ),
            during: Interval::starting(start, day),
            known_at: start + day,
            source: Source::Bitcoin,
        }));
        start = start + day;
    }
}

fn weather(draws: &mut Generator, world: &World, truth: &mut Vec<Signal>) {
    let mut millidegrees = draws.integer(-5_000..=38_000);
    for during in hours(world, Seconds::hours(2)) {
        if during.end < world.calm_from() {
            millidegrees += draws.integer(-6_000..=6_000);
        }
        truth.push(Signal::Temperature(Known {
            value: Temperature::from_millidegrees(millidegrees),
            during,
            known_at: during.end,
            source: Source::Weather,
        }));
    }
}

fn demand(draws: &mut Generator, world: &World, truth: &mut Vec<Signal>) {
    let has_probability = draws.chance(300_000);
    for during in hours(world, Seconds::hours(1)) {
        if during.start >= world.calm_from() {
            continue;
        }
        let known_at = during.start - Seconds::hours(12);
        truth.push(Signal::DemandForecast(Known {
            value: Power::from_mw(draws.integer(50_000..=86_000)),
            during,
            known_at,
            source: Source::SystemForecast,
        }));
        if has_probability && draws.chance(300_000) {
            truth.push(Signal::PeakProbability(Known {
                value: Share::from_ppm(draws.integer(0..=100_000)),
                during,
                known_at,
                source: Source::SystemForecast,
            }));
        }
    }
}

/// The grid's limits: at once or announced, mild or below what the site can
/// come down to.
fn import_limits(draws: &mut Generator, world: &World, truth: &mut Vec<Signal>) {
    for place in 0..world.intervals_faulty {
        if !draws.chance(world.options.import_limit_ppm) {
            continue;
        }
        let known_at = instant_in(draws, world.interval(place));
        let start = known_at + Seconds::from_seconds(*draws.pick(&[0, 0, 0, 90, 1_800]));
        let until = start + Seconds::from_seconds(draws.integer(300..=7_200));
        let part = Share::from_ppm(*draws.pick(&[0, 300_000, 500_000, 700_000, 900_000]));
        let end = until.min(world.calm_from());
        if start < end {
            truth.push(Signal::Instruction(Instruction {
                name: format!("limit {place}"),
                programme: 0,
                ask: Ask::Limit(part.of_power(world.site.interconnection.import_limit)),
                during: Interval { start, end },
                best_effort: false,
                known_at,
            }));
        }
    }
}

fn requests(draws: &mut Generator, world: &World, happenings: &mut Vec<Happening>) {
    for place in 0..world.intervals_faulty {
        if !draws.chance(world.options.request_ppm) {
            continue;
        }
        // A request can fall on a tick's own instant.
        let interval = world.interval(place);
        let at = if draws.chance(200_000) {
            interval.start
        } else {
            instant_in(draws, interval)
        };
        let count = world.site.loads.len() as u64;
        let load = draws.below(count) as LoadIx;
        let during = Interval {
            start: at,
            end: (at + Seconds::from_seconds(draws.integer(120..=7_200)))
                .min(world.calm_from()),
        };
        let (role, request) = match draws.below(10) {
            0..=3 => {
                let lock_out = site::lock_out(draws, load, during);
                // Whoever locks out releases in the end.
                let role = lock_out.role.clone();
                let by = Person { name: format!("the {role}"), role: role.clone() };
                let request = Request::Release { load, machines: None };
                let event = Event::Operator { by, request };
                happenings.push(Happening { at: during.end, event });
                (role, Request::LockOut(lock_out))
            }
            4..=6 => {
                let request = Request::Release { load, machines: None };
                (site::role(draws).to_owned(), request)
            }
            7 => {
                let hold = site::hold(draws, &world.site, load, during);
                ("operator".to_owned(), Request::Hold(hold))
            }
            8 => ("operator".to_owned(), Request::EndHold(load)),
            _ => (
                site::role(draws).to_owned(),
                Request::Release { load: count as LoadIx, machines: None },
            ),
        };
        let by = Person { name: format!("the {role}"), role };
        happenings.push(Happening { at, event: Event::Operator { by, request } });
    }
}

/// The site file read anew: a limit moved, machines taken away or put back, or
/// nothing at all.
fn changes(draws: &mut Generator, world: &World, happenings: &mut Vec<Happening>) {
    let mut current = world.site.clone();
    for place in 0..world.intervals_faulty {
        if !draws.chance(world.options.change_ppm) {
            continue;
        }
        change(draws, &world.site, &mut current, world.machines_min);
        happenings.push(Happening {
            at: instant_in(draws, world.interval(place)),
            event: Event::Change(Change::Site(Box::new(current.clone()))),
        });
    }
}

fn change(draws: &mut Generator, first: &Site, site: &mut Site, least: u32) {
    let rest: Power = (0..first.loads.len()).map(|load| site::rest(first, load)).sum();
    let between = |draws: &mut Generator, most: Power| {
        let part = Share::from_ppm(draws.integer(0..=1_000_000));
        let least = rest.min(most);
        least + part.of_power(most - least)
    };
    match draws.below(4) {
        0 => {
            let most = first.interconnection.import_limit;
            site.interconnection.import_limit = between(draws, most);
        }
        1 => {
            let feeder = draws.below(first.feeders.len() as u64) as usize;
            let most = first.feeders[feeder].limit;
            site.feeders[feeder].limit = between(draws, most);
        }
        2 => {
            let load = draws.below(first.loads.len() as u64) as LoadIx;
            if let Some(machines) = first.loads[load].machines() {
                let count = draws.integer(1..=i64::from(machines.count)) as u32;
                // Where every machine is known by itself, people work on the first.
                let count = count.max(least);
                site::set_count(&mut site.loads[load], count);
            }
        }
        _ => {}
    }
}

/// What tranches stand to lose: nothing, the usual, or as if the next second cost a
/// month's credit; for a month, or for a part of an hour.
fn exposures(draws: &mut Generator, world: &World, happenings: &mut Vec<Happening>) {
    let tranches: Vec<Tranche> = (world.site.loads.iter())
        .filter_map(|load| match &load.kind {
            LoadKind::Racks(racks) => racks.tranche().cloned(),
            LoadKind::Rigs(_) | LoadKind::Battery(_) => None,
        })
        .collect();
    for place in 0..world.intervals_faulty {
        for tranche in &tranches {
            if !draws.chance(100_000) {
                continue;
            }
            let known_at = instant_in(draws, world.interval(place));
            let lasts = *draws.pick(&[Seconds::hours(720), Seconds::minutes(20)]);
            let most = *draws.pick(&[0, 50_000_000, 5_000_000_000_000_000]);
            let mut part = || Money::from_micro_usd(draws.integer(0..=most));
            let (credit, fee, ending) = (part(), part(), part());
            let exposure = Exposure {
                tranche: tranche.clone(),
                during: Interval::starting(known_at - Seconds::hours(1), lasts),
                known_at,
                last_fact: Some(u64::from(place)),
                of: *draws.pick(&[Capacity::Gpu, Capacity::Kilowatt]),
                credit,
                fee,
                ending,
                floor: draws
                    .chance(500_000)
                    .then(|| Power::from_watts(draws.integer(0..=2_000))),
                flex: draws.chance(300_000).then(|| flex_event(draws, known_at)),
            };
            let event = Event::Signal(Signal::Exposure(exposure));
            happenings.push(Happening { at: known_at, event });
        }
    }
}

/// A flex event about now, with hours left for it or without.
fn flex_event(draws: &mut Generator, about: Timestamp) -> FlexEvent {
    let start = about + Seconds::minutes(draws.integer(-60..=60));
    FlexEvent {
        id: "F".to_owned(),
        during: Interval::starting(start, Seconds::minutes(draws.integer(1..=90))),
        left: Seconds::minutes(*draws.pick(&[0, 1, 600])),
    }
}

/// Offers for a GPU-hour: some worth nothing, some beyond all others.
fn spot_offers(draws: &mut Generator, world: &World, happenings: &mut Vec<Happening>) {
    for place in 0..world.intervals_faulty {
        if !draws.chance(50_000) {
            continue;
        }
        let known_at = instant_in(draws, world.interval(place));
        let start = known_at + Seconds::minutes(draws.integer(-30..=30));
        let value = GpuHourPrice::from_micro_usd(draws.integer(0..=6_000_000));
        let during = Interval::starting(start, Seconds::minutes(draws.integer(1..=120)));
        let source = Source::SpotMarket;
        let offer = Known { value, during, known_at, source };
        let event = Event::Signal(Signal::SpotOffer(offer));
        happenings.push(Happening { at: known_at, event });
    }
}

/// Hours from a while before the start, so that it begins informed.
fn hours(world: &World, lead: Seconds) -> impl Iterator<Item = Interval> + use<> {
    let hour = Seconds::hours(1);
    let first = world.start.floor(hour) - lead;
    let end = world.end();
    std::iter::successors(Some(first), move |start| Some(*start + hour))
        .take_while(move |start| *start < end)
        .map(move |start| Interval::starting(start, hour))
}

pub(super) fn instant_in(draws: &mut Generator, interval: Interval) -> Timestamp {
    let length = interval.duration().as_seconds();
    interval.start + Seconds::from_seconds(draws.integer(0..=length - 1))
}
