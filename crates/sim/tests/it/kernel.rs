//! The kernel that a plan asks decides as the whole engine does.

use std::collections::VecDeque;

use engine::decide::Kernel;
use engine::site::{DecideOn, Envelope, LookAhead};
use engine::{
    Dispatch, Engine, Event, Input, Known, Output, Setpoint, Signal, Site, Source,
};
use sim::world::Options;
use sim::{Plant, World, seed};
use units::{EnergyPrice, Hashprice, Interval, Power, Seconds, Timestamp};

/// The site of a drawn world, without what a kernel leaves out.
fn site(number: u64) -> Site {
    let mut site = World::draw_with(number, Options::calm()).site;
    site.loads.retain(|load| load.machines().is_some());
    for load in &mut site.loads {
        load.envelope = Envelope {
            ramp_up_per_minute: None,
            ramp_down_per_minute: None,
            up_min: Seconds::ZERO,
            down_min: Seconds::ZERO,
        };
    }
    site.interconnection.ramp_up_per_minute = None;
    site.interconnection.ramp_down_per_minute = None;
    site.interconnection.ramp_emergency_per_minute = None;
    site.tariff.coincident_peaks.clear();
    site.programmes.clear();
    site.lock_outs.clear();
    site.holds.clear();
    site.policy.look_ahead = LookAhead::NONE;
    site.policy.decide_on = DecideOn::RealTime;
    site.policy.hashprice_age_max = Seconds::hours(72);
    site
}

/// The engine and machines that do as they are told.
struct Whole {
    engine: Engine,
    plant: Plant,
}

impl Whole {
    fn input(&mut self, at: Timestamp, event: Event) -> Option<Dispatch> {
        let mut inbox = VecDeque::from([Input { at, event }]);
        let mut decided = None;
        while let Some(input) = inbox.pop_front() {
            for output in self.engine.step(&input) {
                match output {
                    Output::Dispatch(dispatch) => decided = Some(dispatch),
                    Output::Orders(batch) => {
                        let receipt = Event::Receipt(self.plant.obey(&batch));
                        inbox.push_back(Input { at, event: receipt });
                    }
                    Output::ReadBack(_)
                    | Output::Keep(_)
                    | Output::Metered(_)
                    | Output::Notice(_)
                    | Output::Alarm(_)
                    | Output::Estate(_) => {}
                }
            }
        }
        decided
    }
}

fn levels(dispatch: &Dispatch) -> Vec<u32> {
    let level = |entry: &engine::Entry| match entry.setpoint {
        Setpoint::Level(level) => level,
        Setpoint::Power(_) => panic!("machines have levels"),
    };
    dispatch.entries.iter().map(level).collect()
}

#[test]
fn the_kernel_takes_the_levels_of_the_dispatch() {
    let (mut moved, mut limited) = (0, 0);
    for number in 1..=30 {
        let site = site(number);
        let start = Timestamp::parse("2025-03-01").expect("a date");
        let mut draws = seed::generator(number, "kernel");
        let mut whole = Whole {
            engine: Engine::new(site.clone(), start),
            plant: Plant::at_rest(site.clone(), start),
        };
        let mut kernel = Kernel::new(site.clone());
        for hour in 0..240 {
            let interval =
                Interval::starting(start + Seconds::hours(hour), Seconds::hours(1));
            let at = interval.start;
            if hour % 24 == 0 {
                let micro = draws.integer(20_000_000..=90_000_000);
                let hashprice = Hashprice::from_micro_usd_per_ph_day(micro);
                let known = Known {
                    value: hashprice,
                    during: Interval::starting(
                        at - Seconds::hours(24),
                        Seconds::hours(24),
                    ),
                    known_at: at,
                    source: Source::Bitcoin,
                };
                whole.input(at, Event::Signal(Signal::Hashprice(known)));
                kernel.set_hashprice(Some(hashprice));
            }
            // Near worth, so that bands and single steps matter, and now and then far.
            let price = EnergyPrice::from_micro_usd_per_mwh(if draws.chance(100_000) {
                draws.integer(-50_000_000..=3_000_000_000)
            } else {
                draws.integer(20_000_000..=260_000_000)
            });
            let known = Known {
                value: price,
                during: interval,
                known_at: at,
                source: Source::Lmp,
            };
            whole.input(at, Event::Signal(Signal::Price(known)));
            let dispatch =
                whole.input(at, Event::Tick(interval)).expect("a tick decides");
            let before = kernel.levels().to_vec();
            let told = kernel.decide(price + site.tariff.adders_at(at));
            let expected = levels(&dispatch);
            let reasons: Vec<_> = dispatch.entries.iter().map(|e| &e.reason).collect();
            assert_eq!(
                kernel.levels(),
                expected,
                "world {number}, hour {hour}: {reasons:?}"
            );
            assert_eq!(told, before != expected);
            let draw: Power = dispatch.entries.iter().map(|entry| entry.to).sum();
            assert_eq!(kernel.draw(), draw, "world {number}, hour {hour}");
            moved += u32::from(told);
            let by_limit = |entry: &engine::Entry| {
                matches!(entry.reason, engine::Reason::Limited { .. })
            };
            limited += u32::from(dispatch.entries.iter().any(by_limit));
            whole.plant.advance(interval.end);
        }
    }
    assert!(moved > 1_000 && limited > 300, "moved {moved}, limited {limited}");
}

#[test]
fn a_load_that_is_not_there_draws_nothing() {
    let site = site(3);
    let cheap = EnergyPrice::from_usd_per_mwh(-100);
    let mut kernel = Kernel::new(site.clone());
    kernel.set_hashprice(Some(Hashprice::from_micro_usd_per_ph_day(60_000_000)));
    kernel.decide(cheap);
    let with = kernel.draw();
    for load in 0..site.loads.len() {
        kernel.set_present(load, false);
    }
    kernel.decide(cheap);
    assert!(with > Power::ZERO);
    assert_eq!(kernel.draw(), Power::ZERO);
    for load in 0..site.loads.len() {
        kernel.set_present(load, true);
    }
    kernel.decide(cheap);
    assert_eq!(kernel.draw(), with, "it is as it was once all are back");
}
