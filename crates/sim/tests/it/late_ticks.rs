//! A tick that is late: what was decided before it is carried on with, people
//! and the grid are heard all the same.

use engine::site::LockOut;
use engine::{
    Ask, Engine, Event, Input, Instruction, Known, Observed, Output, Person, Receipt,
    Request, Setpoint, Signal, Source,
};
use sim::World;
use sim::world::Options;
use units::{EnergyPrice, Interval, Power, Seconds, Timestamp};

/// A site of one load that runs whatever the price, and ramps up for a while.
struct Slow {
    engine: Engine,
    at: Timestamp,
    ordered: Setpoint,
}

impl Slow {
    /// Ticked once, and on its way up.
    fn on_its_way() -> Self {
        let mut site = (1..)
            .map(|seed| World::draw_with(seed, Options::calm()).site)
            .find(|site| {
                site.loads[0].is_firm()
                    && site.loads[0].machines().is_some_and(|m| m.level_max() > 20)
            })
            .expect("some site begins with contracted racks");
        site.loads.truncate(1);
        site.lock_outs.clear();
        site.holds.clear();
        site.interconnection.import_limit = Power::from_mw(500);
        site.feeders.iter_mut().for_each(|feeder| feeder.limit = Power::from_mw(500));
        site.interconnection.ramp_up_per_minute = Some(Power::from_kw(400));
        site.interconnection.ramp_down_per_minute = None;
        site.interconnection.ramp_emergency_per_minute = None;
        site.loads[0].envelope.ramp_up_per_minute = None;
        let at = Timestamp::parse("2024-07-30").expect("a date");
        let mut slow =
            Self { engine: Engine::new(site, at), at, ordered: Setpoint::Level(0) };
        slow.step(0, Event::Tick(Interval::starting(at, Seconds::minutes(5))));
        assert_ne!(slow.ordered, Setpoint::Level(0), "it is on its way up");
        slow
    }

    /// Steps so many seconds after the tick; notes the last order.
    fn step(&mut self, seconds: i64, event: Event) -> Vec<Output> {
        let at = self.at + Seconds::from_seconds(seconds);
        let outputs = self.engine.step(&Input { at, event });
        for output in &outputs {
            if let Output::Orders(batch) = output {
                self.ordered = batch.orders[0].setpoint;
            }
        }
        outputs
    }

    /// The load answers its last order.
    fn answer(&mut self, seconds: i64) {
        let receipt = Receipt {
            observed_at: self.at + Seconds::from_seconds(seconds),
            observed: vec![Observed { load: 0, setpoint: self.ordered }],
            surveys: Vec::new(),
        };
        self.step(seconds, Event::Receipt(receipt));
    }

    fn lock_out(&mut self, seconds: i64) -> Vec<Output> {
        let start = self.at + Seconds::from_seconds(seconds);
        let request = Request::LockOut(LockOut {
            load: 0,
            machines: None,
            during: Interval::starting(start, Seconds::hours(1)),
            until_released: true,
            role: "electrician".to_owned(),
            reason: "a fan is replaced".to_owned(),
        });
        let by = Person { name: "Ada".to_owned(), role: "electrician".to_owned() };
        self.step(seconds, Event::Operator { by, request })
    }
}

#[test]
fn an_old_decision_does_not_start_a_load_that_was_locked_out_since() {
    let mut slow = Slow::on_its_way();
    let before = slow.ordered;
    // The interval is over and its successor's tick is still to come.
    slow.lock_out(300);
    assert_eq!(slow.ordered, before);
    slow.answer(330);
    slow.step(400, Event::Wake);
    assert_eq!(slow.ordered, before);
    let next = Interval::starting(slow.at + Seconds::minutes(5), Seconds::minutes(5));
    slow.step(410, Event::Tick(next));
    assert_eq!(slow.ordered, Setpoint::Level(0));
}

#[test]
fn a_lock_out_after_the_interval_is_decided_at_once() {
    let mut slow = Slow::on_its_way();
    slow.answer(2);
    slow.lock_out(301);
    assert_eq!(slow.ordered, Setpoint::Level(0));
}

#[test]
fn a_limit_after_the_interval_is_decided_at_once() {
    let mut slow = Slow::on_its_way();
    slow.answer(2);
    let start = slow.at + Seconds::from_seconds(310);
    let limit = Signal::Instruction(Instruction {
        name: "limit".to_owned(),
        programme: 0,
        ask: Ask::Limit(Power::ZERO),
        during: Interval::starting(start, Seconds::hours(1)),
        best_effort: false,
        known_at: start,
    });
    slow.step(310, Event::Signal(limit));
    assert_eq!(slow.ordered, Setpoint::Level(0));
}

#[test]
fn a_price_of_an_interval_to_come_is_noticed_and_dropped() {
    let mut slow = Slow::on_its_way();
    let start = slow.at + Seconds::hours(1);
    let price = Signal::Price(Known {
        value: EnergyPrice::from_usd_per_mwh(-250),
        during: Interval::starting(start, Seconds::minutes(5)),
        known_at: slow.at,
        source: Source::Lmp,
    });
    let said = slow.step(1, Event::Signal(price));
    assert!(matches!(said[..], [Output::Notice(_)]), "{said:?}");
}
