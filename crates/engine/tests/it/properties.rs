//! What holds of any decision, whatever was heard before it.

use engine::check::{Facts, check};
use engine::{Engine, Event, Input, Known, Observed, Output, Receipt, Signal, Source};
use proptest::prelude::*;
use units::{EnergyPrice, Hashprice, Interval, Power, Seconds, Temperature};

use crate::world::{at, site};

proptest! {
    #[test]
    fn no_decision_breaks_a_rule(
        moments in prop::collection::vec(
            (-300_i64..4_000, 0_i64..120, -10_i64..45, 0_i64..7_000, 0_u8..16), 1..40),
    ) {
        let mut engine = Engine::new(site(), at("2024-08-20"));
        let five = Seconds::minutes(5);
        let mut tick = Interval::starting(at("2024-08-20"), five);
        for (price, hashprice, degrees, limit_kw, heard) in moments {
            let during = Interval::starting(tick.start - five, five);
            let hour = Interval::starting(tick.start - Seconds::hours(1), Seconds::hours(1));
            let (known_at, now) = (tick.start, tick.start);
            let mut events = Vec::new();
            if heard & 1 == 0 {
                let value = EnergyPrice::from_usd_per_mwh(price);
                let source = Source::SettlementPoint;
                events.push(Event::Signal(Signal::Price(Known { value, during, known_at, source })));
            }
            if heard & 2 == 0 {
                let value = Hashprice::from_micro_usd_per_ph_day(hashprice * 1_000_000);
                let source = Source::Bitcoin;
                events.push(Event::Signal(Signal::Hashprice(Known { value, during: hour, known_at, source })));
            }
            if heard & 4 == 0 {
                let value = Temperature::from_millidegrees(degrees * 1_000);
                let source = Source::Weather;
                events.push(Event::Signal(Signal::Temperature(Known { value, during: hour, known_at, source })));
            }
            if heard & 8 == 0 {
                let value = Power::from_kw(limit_kw);
                let source = Source::Grid;
                events.push(Event::Signal(Signal::ImportLimit(Known { value, during: tick, known_at, source })));
            }
            events.push(Event::Tick(tick));
            for event in events {
                let mut inbox = vec![event];
                while let Some(event) = inbox.pop() {
                    for output in engine.step(&Input { at: now, event }) {
                        let state = engine.state();
                        match output {
                            Output::Dispatch(dispatch) => {
                                let facts = Facts {
                                    site: &state.site,
                                    limits: &state.limits,
                                    lock_outs: &state.lock_outs,
                                    holds: &state.holds,
                                };
                                prop_assert_eq!(check(facts, &dispatch), vec![]);
                            }
                            Output::Orders(batch) => {
                                let seen = |order: &engine::Order| Observed {
                                    load: order.load,
                                    setpoint: order.setpoint,
                                };
                                inbox.push(Event::Receipt(Receipt {
                                    observed_at: now,
                                    observed: batch.orders.iter().map(seen).collect(),
                                }));
                            }
                            Output::ReadBack(_) | Output::Metered(_) | Output::Notice(_) => {}
                        }
                    }
                }
            }
            tick = Interval::starting(tick.end, five);
        }
    }
}
