//! What holds of any decision, whatever was heard before it.

use engine::check::check_now;
use engine::site::{ForecastFrom, LookAhead};
use engine::{
    Ask, Engine, Event, Forecast, Input, Instruction, Known, Observed, Output, Person,
    Receipt, Request, Signal, Source,
};
use proptest::prelude::*;
use units::{EnergyPrice, Hashprice, Interval, Power, Seconds, Temperature, Timestamp};

use crate::world::{at, site};

fn ahead() -> LookAhead {
    LookAhead { length: Seconds::hours(24), forecast: ForecastFrom::Told }
}

/// An hourly curve from `from` on.
fn forecast(from: Timestamp, usd: &[i64]) -> Signal {
    Signal::Forecast(Forecast {
        from,
        step: Seconds::hours(1),
        prices: usd.iter().map(|usd| EnergyPrice::from_usd_per_mwh(*usd)).collect(),
        known_at: from,
        source: Source::Forecaster,
    })
}

proptest! {
    #[test]
    fn where_nothing_couples_intervals_nothing_is_looked_ahead_for(
        moments in prop::collection::vec(
            (-300_i64..1_000, prop::collection::vec(-300_i64..1_000, 1..30)), 1..20),
    ) {
        let mut alone = site();
        alone.loads.retain(|load| load.machines().is_some());
        let grid = &mut alone.interconnection;
        (grid.ramp_up_per_minute, grid.ramp_down_per_minute) = (None, None);
        for load in &mut alone.loads {
            load.envelope.up_min = Seconds::ZERO;
            load.envelope.down_min = Seconds::ZERO;
        }
        let mut looking = alone.clone();
        looking.policy.look_ahead = ahead();
        let start = at("2024-08-20");
        let mut engines = [Engine::new(alone, start), Engine::new(looking, start)];
        let mut tick = Interval::starting(start, Seconds::minutes(5));
        for (usd, said) in moments {
            let price = Signal::Price(Known {
                value: EnergyPrice::from_usd_per_mwh(usd),
                during: tick,
                known_at: tick.start,
                source: Source::Lmp,
            });
            let events = [
                Event::Signal(forecast(tick.start, &said)),
                Event::Signal(price),
                Event::Tick(tick),
            ];
            for event in events {
                let input = Input { at: tick.start, event };
                let [plain, looked] = engines.each_mut().map(|engine| engine.step(&input));
                prop_assert_eq!(plain, looked);
            }
            tick = Interval::starting(tick.end, Seconds::minutes(5));
        }
    }
}

proptest! {
    #[test]
    fn no_decision_breaks_a_rule(
        moments in prop::collection::vec(
            (-300_i64..4_000, 0_i64..120, -10_i64..45, 0_i64..7_000, 0_u8..16), 1..40),
        said in prop::collection::vec(
            prop::collection::vec(-300_i64..4_000, 0..30), 40),
    ) {
        let mut site = site();
        site.policy.look_ahead = ahead();
        let mut engine = Engine::new(site, at("2024-08-20"));
        let five = Seconds::minutes(5);
        let mut tick = Interval::starting(at("2024-08-20"), five);
        for ((price, hashprice, degrees, limit_kw, heard), said) in moments.into_iter().zip(said) {
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
                let instruction = Instruction {
                    name: "limit".into(),
                    programme: 0,
                    ask: Ask::Limit(value),
                    during: tick,
                    best_effort: false,
                    known_at,
                };
                events.push(Event::Signal(Signal::Instruction(instruction)));
            }
            if !said.is_empty() {
                events.push(Event::Signal(forecast(tick.start, &said)));
            }
            events.push(Event::Tick(tick));
            for event in events {
                let mut inbox = vec![event];
                while let Some(event) = inbox.pop() {
                    for output in engine.step(&Input { at: now, event }) {
                        let state = engine.state();
                        match output {
                            Output::Dispatch(dispatch) => {
                                prop_assert_eq!(check_now(state, &dispatch), vec![]);
                            }
                            Output::Orders(batch) => {
                                let seen = |order: &engine::Order| Observed {
                                    load: order.load,
                                    setpoint: order.setpoint,
                                };
                                inbox.push(Event::Receipt(Receipt {
                                    observed_at: now,
                                    observed: batch.orders.iter().map(seen).collect(),
                                    surveys: Vec::new(),
                                }));
                            }
                            Output::ReadBack(_)
                            | Output::Keep(_)
                            | Output::Metered(_)
                            | Output::Alarm(_)
                            | Output::Estate(_)
                            | Output::Notice(_) => {}
                        }
                    }
                }
            }
            tick = Interval::starting(tick.end, five);
        }
    }
}

/// One instruction of a random sequence: what it asks, of whom, and when.
fn instruction() -> impl Strategy<Value = (usize, u8, i64, i64, i64, u8, bool)> {
    (
        0_usize..4,
        0_u8..12,
        -500_i64..70_000,
        -300_i64..600,
        -60_i64..1_200,
        0_u8..4,
        any::<bool>(),
    )
}

proptest! {
    #[test]
    fn no_instruction_lets_more_be_drawn_than_the_tightest_limit(
        steps in prop::collection::vec((instruction(), 1_i64..90, 0_i64..8_000, 0_u8..6), 1..40),
    ) {
        let start = at("2024-08-20");
        let mut engine = Engine::new(site(), start);
        let mut folded = engine.clone();
        let five = Seconds::minutes(5);
        let (mut now, mut tick) = (start, Interval::starting(start, five));
        let day = Interval::starting(start - Seconds::hours(24), Seconds::hours(24));
        let hashprice = Known {
            value: Hashprice::from_micro_usd_per_ph_day(50_000_000),
            during: day,
            known_at: start,
            source: Source::Bitcoin,
        };
        let price = |tick: Interval, value| Known {
            value: EnergyPrice::from_usd_per_mwh(value),
            during: tick,
            known_at: tick.start,
            source: Source::Lmp,
        };
        let mut events = vec![
            Event::Signal(Signal::Hashprice(hashprice)),
            Event::Signal(Signal::Price(price(tick, 30))),
            Event::Tick(tick),
        ];
        for ((programme, kind, kw, from, length, name, best_effort), after, draw, other) in steps {
            let level = Power::from_kw(kw);
            let ask = match kind {
                0..=2 => Ask::Limit(level),
                3 => Ask::DispatchTo(level),
                4 => Ask::BasePoint(level),
                5 => Ask::Arm(level),
                6 => Ask::Test(level),
                7 => Ask::Trip,
                8 => Ask::Restore,
                9 => Ask::Disarm,
                10 => Ask::Price(EnergyPrice::from_usd_per_mwh(kw)),
                _ => Ask::Withdraw,
            };
            let begins = now + Seconds::from_seconds(from);
            let told = Instruction {
                name: "abc"[..usize::from(name)].into(),
                programme,
                ask,
                during: Interval { start: begins, end: begins + Seconds::from_seconds(length) },
                best_effort,
                known_at: now,
            };
            let by = |name: &str| Person { name: name.into(), role: "dispatcher".into() };
            events.push(match other {
                0 => Event::Signal(Signal::Draw(Known {
                    value: Power::from_kw(draw),
                    during: Interval::starting(now, Seconds::from_seconds(1)),
                    known_at: now,
                    source: Source::Meter,
                })),
                1 => Event::Signal(Signal::Heard(programme)),
                2 => Event::Operator { by: by("Alex"), request: Request::Instruct(told) },
                3 => Event::Operator {
                    by: by("Sam"),
                    request: Request::Confirm { programme, name: told.name },
                },
                _ => Event::Signal(Signal::Instruction(told)),
            });
            for event in std::mem::take(&mut events) {
                let mut inbox = vec![event];
                while let Some(event) = inbox.pop() {
                    let input = Input { at: now, event };
                    let outputs = engine.step(&input);
                    for output in &outputs {
                        let state = engine.state();
                        match output {
                            Output::Dispatch(dispatch) => {
                                prop_assert_eq!(check_now(state, dispatch), vec![]);
                                let limit = state.import_limit(dispatch.interval);
                                let floor = Power::from_kw(250);
                                prop_assert!(dispatch.net() <= limit.max(floor), "{dispatch:#?}");
                            }
                            Output::Orders(batch) => {
                                let seen = |order: &engine::Order| Observed {
                                    load: order.load,
                                    setpoint: order.setpoint,
                                };
                                inbox.push(Event::Receipt(Receipt {
                                    observed_at: now,
                                    observed: batch.orders.iter().map(seen).collect(),
                                    surveys: Vec::new(),
                                }));
                            }
                            Output::ReadBack(_)
                            | Output::Keep(_)
                            | Output::Metered(_)
                            | Output::Alarm(_)
                            | Output::Estate(_)
                            | Output::Notice(_) => {}
                        }
                    }
                    folded.fold(&engine::journal::Step { input, outputs });
                    let same = format!("{:?}", folded.state()) == format!("{:?}", engine.state());
                    prop_assert!(same, "folding the record came to another state");
                }
            }
            now = now + Seconds::from_seconds(after);
            if now >= tick.end {
                tick = Interval::starting(tick.end, five);
                events.push(Event::Signal(Signal::Price(price(tick, draw / 40))));
                events.push(Event::Tick(tick));
            } else if engine.next_wake().0 <= now {
                events.push(Event::Wake);
            }
            let (next, why) = engine.next_wake();
            prop_assert!(next > engine.at() || events.len() > 1, "wakes at once for `{why}`");
        }
    }
}
