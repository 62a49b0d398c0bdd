//! What the check finds where several levels are met one after another.

use engine::check::{Fault, Violation, check_now};
use engine::site::{Hold, LoadIx};
use engine::state::{Lift, LiftOf};
use engine::{
    Ask, Dispatch, Engine, Event, Input, Instruction, Known, Output, Reason, Signal,
    Source,
};
use units::{EnergyPrice, Interval, Power, Seconds};

use crate::world::{at, site};

/// Rigs, and the battery that counts in the band with them.
const RIGS: LoadIx = 0;
const BATTERY: LoadIx = 3;

/// At a price that only instructions are met at: a band of 3.95 MW that can be
/// tripped, and 5.95 MW for the whole site.
fn band_and_level() -> (Engine, Dispatch) {
    let mut site = site();
    let hour = Interval::starting(at("2024-08-20T14:00Z"), Seconds::hours(1));
    let spot = site.load_named("spot").expect("a load");
    site.holds.push(Hold {
        load: spot,
        power: Power::from_kw(100),
        during: hour,
        reason: "a test".into(),
        role: "dispatcher".into(),
    });
    let mut engine = Engine::new(site, hour.start);
    let price = Known {
        value: EnergyPrice::from_usd_per_mwh(250),
        during: hour,
        known_at: hour.start,
        source: Source::Lmp,
    };
    let asks = [
        ("R1", Ask::Arm(Power::from_kw(3_950))),
        ("R2", Ask::BasePoint(Power::from_kw(5_950))),
    ];
    let asks = asks.map(|(name, ask)| {
        Signal::Instruction(Instruction {
            name: name.into(),
            programme: 0,
            ask,
            during: hour,
            best_effort: false,
            known_at: hour.start,
        })
    });
    for signal in asks.into_iter().chain([Signal::Price(price)]) {
        let _ = engine.step(&Input { at: hour.start, event: Event::Signal(signal) });
    }
    let tick = Event::Tick(Interval::starting(hour.start, Seconds::minutes(5)));
    let outputs = engine.step(&Input { at: hour.start, event: tick });
    let dispatch = outputs.into_iter().find_map(|output| {
        if let Output::Dispatch(dispatch) = output { Some(dispatch) } else { None }
    });
    (engine, dispatch.expect("a tick is decided"))
}

#[test]
fn a_battery_raised_for_a_later_level_does_not_fill_an_earlier_band() {
    let (engine, dispatch) = band_and_level();
    let lifts = &dispatch.asked.lifts;
    let band = lifts[0];
    let reason =
        |Lift { programme, level, of }| Reason::Instructed { programme, level, of };
    assert_eq!(dispatch.entries[RIGS].reason, reason(band));
    assert_eq!(dispatch.entries[BATTERY].reason, reason(lifts[1]));
    assert_eq!((band.of, lifts[1].of), (LiftOf::Armed, LiftOf::Site));
    assert!(dispatch.drawn(&engine.state().site, band) > band.level + Power::from_kw(5));
    assert_eq!(check_now(engine.state(), &dispatch), []);
}

#[test]
fn a_band_filled_too_far_is_found_whatever_was_lifted_after_it() {
    let (engine, mut dispatch) = band_and_level();
    // The same draw, for a band that is two steps of a rig lower than what the rigs
    // draw alone.
    let level = dispatch.entries[RIGS].to - Power::from_kw(5);
    dispatch.asked.lifts[0].level = level;
    let Lift { programme, of, .. } = dispatch.asked.lifts[0];
    dispatch.entries[RIGS].reason = Reason::Instructed { programme, level, of };
    let found = Violation { load: Some(RIGS), fault: Fault::ReasonContradicts };
    assert_eq!(check_now(engine.state(), &dispatch), [found]);
}
