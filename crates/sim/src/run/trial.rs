//! S11, tried out: an input that nobody could have, that is out of date or that
//! cannot be leaves the next decision as it would have been without it.
//!
//! Two copies of the engine decide the same interval; one of them hears
//! something bad first.

use engine::{
    Dispatch, Engine, Event, Input, Known, Observed, Output, Reading, Receipt, Setpoint,
    Signal, Site, Source, Survey, Sweep, Work,
};
use units::{
    Energy, EnergyPrice, Hashprice, Interval, Power, Seconds, Temperature, Timestamp,
};

use crate::seed::Generator;
use crate::world::largest_step;

/// Tries one bad input just before a tick; says what it changed.
///
/// A reading is the exception: one that cannot be may make a battery more
/// careful. Then others may take the room it leaves, and no more than that.
pub(super) fn bad_input_changes_nothing(
    engine: &Engine,
    at: Timestamp,
    interval: Interval,
    stored: &[Energy],
    draws: &mut Generator,
) -> Option<String> {
    let bad = bad_input(engine, at, stored, draws);
    // Any receipt lets the engine go on with what it was about to do.
    let nothing_seen =
        Receipt { observed_at: at, observed: Vec::new(), surveys: Vec::new() };
    // Any input lets it see that a limit has begun.
    let nobody = engine.state().site.programmes.len();
    let nothing_new = match &bad {
        Event::Receipt(_) => Event::Receipt(nothing_seen),
        Event::Signal(_)
        | Event::Tick(_)
        | Event::Wake
        | Event::Operator { .. }
        | Event::Change(_)
        | Event::Trouble { .. }
        | Event::Resume
        | Event::Estate(_) => Event::Signal(Signal::Heard(nobody)),
    };
    let nothing_new = Some(nothing_new);
    let is_reading = matches!(bad, Event::Signal(Signal::Sweep(_)));
    let decided = |first: Option<Event>| {
        let mut engine = engine.clone();
        let mut orders = Vec::new();
        let mut dispatches = Vec::new();
        for event in first.into_iter().chain([Event::Tick(interval)]) {
            for output in engine.step(&Input { at, event }) {
                match output {
                    Output::Dispatch(dispatch) => dispatches.push(dispatch),
                    Output::Orders(batch) => orders.push(batch),
                    Output::ReadBack(_)
                    | Output::Keep(_)
                    | Output::Metered(_)
                    | Output::Notice(_)
                    | Output::Alarm(_)
                    | Output::Estate(_) => {}
                }
            }
        }
        (dispatches, orders)
    };
    let (expected, found) = (decided(nothing_new), decided(Some(bad.clone())));
    let holds = if is_reading {
        let (expected, found) = (expected.0.last()?, found.0.last()?);
        draws_no_more(&engine.state().site, expected, found)
    } else {
        let setpoints = |dispatches: &[Dispatch]| -> Vec<Setpoint> {
            let entries = dispatches.iter().flat_map(|dispatch| &dispatch.entries);
            entries.map(|entry| entry.setpoint).collect()
        };
        setpoints(&expected.0) == setpoints(&found.0) && expected.1 == found.1
    };
    (!holds).then(|| {
        format!(
            "S11: bad input changes a decision: {bad:?}\n  without it {:?}\n  \
             with it    {:?}",
            expected.0, found.0
        )
    })
}

/// What is drawn more is no more than what batteries leave, and a machine's step.
fn draws_no_more(site: &Site, expected: &Dispatch, found: &Dispatch) -> bool {
    let charging = |dispatch: &Dispatch| -> Power {
        let batteries = dispatch.entries.iter().map(|entry| match entry.setpoint {
            Setpoint::Power(power) => power.max(Power::ZERO),
            Setpoint::Level(_) => Power::ZERO,
        });
        batteries.sum()
    };
    let drawn = |dispatch: &Dispatch| -> Power {
        dispatch.entries.iter().map(|entry| entry.to.max(Power::ZERO)).sum()
    };
    let steps = (0..site.loads.len()).map(|load| largest_step(site, load));
    let careful = charging(found) < charging(expected);
    let slack = steps.max().filter(|_| careful).unwrap_or(Power::ZERO);
    drawn(found) <= drawn(expected) + slack
}

fn bad_input(
    engine: &Engine,
    at: Timestamp,
    stored: &[Energy],
    draws: &mut Generator,
) -> Event {
    let loads = engine.state().site.loads.len();
    let later = at + Seconds::from_seconds(draws.integer(1..=100_000));
    let hour = Seconds::hours(1);
    let cheap = EnergyPrice::from_usd_per_mwh(-500);
    let source = *draws.pick(&[Source::Lmp, Source::SettlementPoint, Source::DayAhead]);
    let price = |during, known_at, source| {
        Event::Signal(Signal::Price(Known { value: cheap, during, known_at, source }))
    };
    match draws.below(9) {
        // Known from when nobody can know it yet, about now.
        0 => price(Interval::starting(at, hour), later, source),
        // About an interval that has not come, or not ended.
        1 => price(Interval::starting(later, hour), at, Source::Lmp),
        2 => price(Interval::starting(at, hour), at, Source::SettlementPoint),
        // From nowhere that sells power.
        3 => price(Interval::starting(at, hour), at, Source::Weather),
        // Long past.
        4 => {
            let past = Interval::starting(at - Seconds::hours(1_000), hour);
            price(past, past.end, *draws.pick(&[Source::Lmp, Source::SettlementPoint]))
        }
        5 => {
            let day = Seconds::hours(24);
            let (during, known_at) = if draws.chance(500_000) {
                (Interval::starting(at - day, day), later)
            } else {
                (Interval::starting(at, day), at)
            };
            Event::Signal(Signal::Hashprice(Known {
                value: Hashprice::from_micro_usd_per_ph_day(1_000_000_000),
                during,
                known_at,
                source: Source::Bitcoin,
            }))
        }
        6 => Event::Signal(Signal::Temperature(Known {
            value: Temperature::from_millidegrees(-40_000),
            during: Interval::starting(later, hour),
            known_at: at,
            source: Source::Weather,
        })),
        // A meter that shows what cannot be, of a load that may not exist.
        7 => {
            let load = draws.below(loads as u64 + 2) as usize;
            let truth = stored.get(load).copied().unwrap_or(Energy::ZERO);
            let off = Energy::from_kwh(draws.integer(500..=5_000));
            let shown = if draws.chance(500_000) { truth + off } else { truth - off };
            Event::Signal(Signal::Sweep(Sweep {
                during: Interval { start: at - Seconds::minutes(5), end: at },
                site: Some(Energy::from_mwh(draws.integer(-1_000..=1_000))),
                readings: vec![Reading { load, energy: off, work: Work::Stored(shown) }],
            }))
        }
        // A look from long ago, or at a load that is not there.
        _ => {
            let setpoint = *draws.pick(&[
                Setpoint::Level(0),
                Setpoint::Level(u32::MAX),
                Setpoint::Power(Power::from_mw(-900)),
            ]);
            Event::Receipt(Receipt {
                observed_at: at,
                observed: vec![Observed {
                    load: loads + draws.below(3) as usize,
                    setpoint,
                }],
                surveys: Vec::new(),
            })
        }
    }
}

/// The same for what may be said to a live site: what nobody can ask, what is over,
/// what a machine that is not there says.
pub(super) fn bad_live_input_changes_nothing(
    engine: &Engine,
    at: Timestamp,
    interval: Interval,
    draws: &mut Generator,
) -> Option<String> {
    let bad = bad_live_input(engine, at, draws);
    let decided = |first: Option<Event>| {
        let mut engine = engine.clone();
        let mut setpoints = Vec::new();
        let mut orders = Vec::new();
        for event in first.into_iter().chain([Event::Tick(interval)]) {
            for output in engine.step(&Input { at, event }) {
                match output {
                    Output::Dispatch(dispatch) => {
                        let entries = dispatch.entries.iter();
                        setpoints = entries.map(|entry| entry.setpoint).collect();
                    }
                    Output::Orders(batch) => orders.push(batch.orders),
                    Output::ReadBack(_)
                    | Output::Keep(_)
                    | Output::Metered(_)
                    | Output::Notice(_)
                    | Output::Alarm(_)
                    | Output::Estate(_) => {}
                }
            }
        }
        (setpoints, orders)
    };
    let nothing_seen =
        Receipt { observed_at: at, observed: Vec::new(), surveys: Vec::new() };
    // Any input lets it see that a limit has begun.
    let nobody = engine.state().site.programmes.len();
    let nothing_new = match &bad {
        // What is over before it was said still says that the link is there.
        Event::Signal(Signal::Instruction(over))
            if over.during.start < over.during.end && over.during.end <= at =>
        {
            Event::Signal(Signal::Heard(over.programme))
        }
        Event::Receipt(_) => Event::Receipt(nothing_seen),
        Event::Signal(_)
        | Event::Tick(_)
        | Event::Wake
        | Event::Operator { .. }
        | Event::Change(_)
        | Event::Trouble { .. }
        | Event::Resume
        | Event::Estate(_) => Event::Signal(Signal::Heard(nobody)),
    };
    let (expected, found) = (decided(Some(nothing_new)), decided(Some(bad.clone())));
    let name = if matches!(bad, Event::Receipt(_)) { "S11" } else { "S9" };
    (expected != found).then(|| {
        format!(
            "{name}: bad input changes a decision: {bad:?}\n  without it {expected:?}\n  \
             with it    {found:?}"
        )
    })
}

fn bad_live_input(engine: &Engine, at: Timestamp, draws: &mut Generator) -> Event {
    let site = &engine.state().site;
    let loads = site.loads.len();
    if draws.chance(700_000) {
        return Event::Signal(crate::world::junk(draws, site, at));
    }
    // Machines and loads that are not there, and a point beyond the curve.
    let load = draws.below(loads as u64 + 2) as usize;
    let count = site.loads.get(load).and_then(|load| load.machines());
    let beyond = count.map_or(0, |machines| machines.count);
    let seen = (beyond..beyond + 3).map(|machine| (machine, Some((9, Power::ZERO))));
    Event::Receipt(Receipt {
        observed_at: at + Seconds::from_seconds(draws.integer(0..=5_000)),
        observed: vec![Observed {
            load: loads + draws.below(3) as usize,
            setpoint: Setpoint::Power(Power::from_mw(900)),
        }],
        surveys: vec![Survey::of(load, seen)],
    })
}
