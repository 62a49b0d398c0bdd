//! S11, tried out: an input that nobody could have, that is out of date or that
//! cannot be leaves the next decision as it would have been without it.
//!
//! Two copies of the engine decide the same interval; one of them hears
//! something bad first.

use engine::{
    Dispatch, Engine, Event, Input, Known, Observed, Output, Reading, Receipt, Setpoint,
    Signal, Source, Sweep, Work,
};
use units::{
    Energy, EnergyPrice, Hashprice, Interval, Power, Seconds, Temperature, Timestamp,
};

use crate::seed::Generator;

/// Tries one bad input just before a tick; says what it changed.
pub(super) fn bad_input_changes_nothing(
    engine: &Engine,
    at: Timestamp,
    interval: Interval,
    stored: &[Energy],
    draws: &mut Generator,
) -> Option<String> {
    let bad = bad_input(engine, at, stored, draws);
    let tick = Input { at, event: Event::Tick(interval) };
    let mut without = engine.clone();
    let mut with = engine.clone();
    let said = with.step(&Input { at, event: bad.clone() });
    let same_before = said
        .iter()
        .all(|output| !matches!(output, Output::Orders(_) | Output::Dispatch(_)));
    let expected = decided(without.step(&tick));
    let found = decided(with.step(&tick));
    (!same_before || expected != found).then(|| {
        format!(
            "S11: bad input changes a decision: {bad:?}\n  without it {expected:?}\n  \
             with it    {found:?}"
        )
    })
}

fn decided(outputs: Vec<Output>) -> Option<Dispatch> {
    outputs.into_iter().find_map(|output| match output {
        Output::Dispatch(dispatch) => Some(dispatch),
        Output::Orders(_)
        | Output::ReadBack(_)
        | Output::Metered(_)
        | Output::Notice(_) => None,
    })
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
            })
        }
    }
}
