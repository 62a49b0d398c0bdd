//! Scenarios: a script of what happens, and the text that must come of it.
//!
//! A script in `tests/scripts/NAME.txt` runs on the small site of [`world`];
//! what it prints must be `NAME.out`. `MW_UPDATE_REFERENCE=1` writes that anew.
//!
//! ```text
//! hashprice 50.00 of 2024-08-19          USD/PH/day of a day
//! lmp 38.20 from 14:00                   for five minutes, known then
//! settled 38.20 from 13:45               for a quarter of an hour, known at its end
//! degrees 20 at 14:00                    outside, of the hour before
//! demand 80 from 21:00                   GW, for an hour, known before the day
//! limit 3.0 from 14:02 until 14:30       MW, from the grid, known at once
//! told grid L1 limit 3.0 from 14:02 until 14:30      known now, 30 min if no times;
//!     limit, test, dispatch, base-point, arm (MW); price; disarm, trip, restore,
//!     withdraw; `best-effort` anywhere
//! heard utility at 14:03                 its link was heard from
//! Alex asks grid L1 withdraw             a person passes on an instruction
//! Sam agrees grid L1                     another confirms it
//! draw 5.5 at 14:02:05                   MW at the interconnection
//! ahead 6 on forecasts                   hours to look ahead, and on whose word:
//!     forecasts, persistence
//! forecast 20 30 200 from 15:00          a curve, an hour each, known now
//! decide 14:00                           a tick alone
//! wait until 14:02                       goes on between ticks
//! lockout rigs until 15:00               by the rig technician
//! release rigs as operator
//! hold rigs 1.0 until 15:00              MW at the meter
//! tick 14:00                             decides five minutes and carries them out
//! ```
//!
//! Every dispatch is printed, with the orders that each instant led to, and is
//! held against `engine::check`.

use std::fmt::Write;
use std::path::Path;

use engine::check::check_now;
use engine::site::{ForecastFrom, Hold, LockOut, LookAhead};
use engine::{
    Ask, Change, Engine, Event, Forecast, Input, Instruction, Known, Notice, Observed,
    Output, Person, Receipt, Request, Signal, Source,
};
use units::{
    EnergyPrice, Hashprice, Interval, Power, Seconds, Temperature, Timestamp, decimal,
};

use crate::world::{at, site};

const DAY: &str = "2024-08-20";

struct Scene {
    engine: Engine,
    now: Timestamp,
    shown: String,
}

fn clock(text: &str) -> Timestamp {
    at(&format!("{DAY}T{text}Z"))
}

impl Scene {
    fn hears<T>(
        &mut self,
        value: T,
        during: Interval,
        known_at: Timestamp,
        source: Source,
        of: fn(Known<T>) -> Signal,
    ) {
        self.now = self.now.max(known_at);
        let signal = of(Known { value, during, known_at, source });
        self.input(Event::Signal(signal));
    }

    fn input(&mut self, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            let outputs = self.engine.step(&Input { at: self.now, event });
            for output in outputs {
                self.take(output, &mut events);
            }
        }
    }

    fn take(&mut self, output: Output, events: &mut Vec<Event>) {
        let state = self.engine.state();
        match output {
            Output::Dispatch(dispatch) => {
                assert_eq!(check_now(state, &dispatch), [], "{dispatch:#?}");
                let kind = if dispatch.emergency { ", emergency" } else { "" };
                writeln!(self.shown, "\ndispatch {}{kind}", dispatch.generation)
                    .expect("text");
                for line in dispatch.explain(&state.site) {
                    writeln!(self.shown, "{line}").expect("text");
                }
            }
            Output::Orders(batch) => {
                let observed = |order: &engine::Order| Observed {
                    load: order.load,
                    setpoint: order.setpoint,
                };
                for order in &batch.orders {
                    let name = &state.site.loads[order.load].name;
                    let power = state.power_now(order.load, order.setpoint);
                    writeln!(
                        self.shown,
                        "  {} {name} to {power}",
                        &self.now.to_string()[11..]
                    )
                    .expect("text");
                }
                events.push(Event::Receipt(Receipt {
                    observed_at: self.now,
                    observed: batch.orders.iter().map(observed).collect(),
                    surveys: Vec::new(),
                }));
            }
            Output::Notice(Notice::Accepted(accepted)) => {
                let words = accepted.explain(&state.site);
                writeln!(self.shown, "accepted: {words}").expect("text")
            }
            Output::Notice(Notice::Refused { why }) => {
                writeln!(self.shown, "refused: {}", why.explain(&state.site))
                    .expect("text")
            }
            Output::Notice(notice) => {
                writeln!(self.shown, "notice {notice:?}").expect("text")
            }
            Output::ReadBack(_)
            | Output::Keep(_)
            | Output::Metered(_)
            | Output::Alarm(_)
            | Output::Estate(_) => {}
        }
    }

    fn asks(&mut self, role: &str, request: Request) {
        let by = Person { name: "Alex".into(), role: role.into() };
        self.input(Event::Operator { by, request });
    }

    /// `limit 3.0 best-effort from 14:02 until 14:30`, as words.
    fn instruction(&self, words: &[&str]) -> (Ask, Interval, bool) {
        let best_effort = words.contains(&"best-effort");
        let words: Vec<&str> =
            words.iter().copied().filter(|word| *word != "best-effort").collect();
        let (what, times) = words.split_at(
            words.iter().position(|word| *word == "from").unwrap_or(words.len()),
        );
        let during = match *times {
            ["from", start, "until", end] => {
                Interval { start: clock(start), end: clock(end) }
            }
            _ => Interval::starting(self.now, Seconds::minutes(30)),
        };
        let level = |text: &str| Power::parse_mw(text).expect("megawatts");
        let ask = match *what {
            ["limit", text] => Ask::Limit(level(text)),
            ["dispatch", text] => Ask::DispatchTo(level(text)),
            ["base-point", text] => Ask::BasePoint(level(text)),
            ["arm", text] => Ask::Arm(level(text)),
            ["test", text] => Ask::Test(level(text)),
            ["price", text] => {
                Ask::Price(EnergyPrice::parse_usd_per_mwh(text).expect("a price"))
            }
            ["disarm"] => Ask::Disarm,
            ["trip"] => Ask::Trip,
            ["restore"] => Ask::Restore,
            ["withdraw"] => Ask::Withdraw,
            _ => panic!("expected an instruction, found `{what:?}`"),
        };
        (ask, during, best_effort)
    }

    fn asked(
        &self,
        programme: &str,
        name: &str,
        ask: Ask,
        during: Interval,
        best_effort: bool,
    ) -> Instruction {
        let programme = self.programme(programme);
        let (name, known_at) = (name.to_owned(), self.now);
        Instruction { name, programme, ask, during, best_effort, known_at }
    }

    fn tell(&mut self, programme: &str, name: &str, ask: Ask, during: Interval) {
        let instruction = self.asked(programme, name, ask, during, false);
        self.input(Event::Signal(Signal::Instruction(instruction)));
    }

    fn programme(&self, name: &str) -> usize {
        let named = self.engine.state().site.programmes.iter();
        named.map(|one| one.name.as_str()).position(|one| one == name).unwrap_or(99)
    }

    fn person(&mut self, name: &str, request: Request) {
        let by = Person { name: name.into(), role: "dispatcher".into() };
        self.input(Event::Operator { by, request });
    }

    fn line(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let usd = |text: &str| EnergyPrice::parse_usd_per_mwh(text).expect("a price");
        let five = Seconds::minutes(5);
        match words[..] {
            ["hashprice", value, "of", day] => {
                let micro = decimal::exact(value, 6).expect("a hashprice");
                let day = Interval::starting(at(day), Seconds::hours(24));
                let value = Hashprice::from_micro_usd_per_ph_day(micro);
                self.hears(value, day, day.end, Source::Bitcoin, Signal::Hashprice);
            }
            ["lmp", value, "from", start] => {
                let during = Interval::starting(clock(start), five);
                self.hears(usd(value), during, during.start, Source::Lmp, Signal::Price);
            }
            ["settled", value, "from", start] => {
                let during = Interval::starting(clock(start), Seconds::minutes(15));
                self.hears(
                    usd(value),
                    during,
                    during.end,
                    Source::SettlementPoint,
                    Signal::Price,
                );
            }
            ["degrees", value, "at", time] => {
                let during =
                    Interval { start: clock(time) - Seconds::hours(1), end: clock(time) };
                let value = Temperature::parse_celsius(value).expect("degrees");
                self.hears(
                    value,
                    during,
                    during.end,
                    Source::Weather,
                    Signal::Temperature,
                );
            }
            ["demand", gigawatts, "from", start] => {
                let during = Interval::starting(clock(start), Seconds::hours(1));
                let value =
                    Power::from_mw(1_000 * gigawatts.parse::<i64>().expect("gigawatts"));
                self.hears(
                    value,
                    during,
                    at(DAY),
                    Source::SystemForecast,
                    Signal::DemandForecast,
                );
            }
            ["limit", megawatts, "from", start, "until", end] => {
                let during = Interval { start: clock(start), end: clock(end) };
                let level = Power::parse_mw(megawatts).expect("megawatts");
                self.now = self.now.max(clock(start));
                self.tell("grid", start, Ask::Limit(level), during);
            }
            ["told", programme, name, ref what @ ..] => {
                let (ask, during, best_effort) = self.instruction(what);
                let instruction = self.asked(programme, name, ask, during, best_effort);
                self.input(Event::Signal(Signal::Instruction(instruction)));
            }
            ["heard", programme, "at", time] => {
                self.now = clock(time);
                let programme = self.programme(programme);
                self.input(Event::Signal(Signal::Heard(programme)));
            }
            [person, "asks", programme, name, ref what @ ..] => {
                let (ask, during, best_effort) = self.instruction(what);
                let instruction = self.asked(programme, name, ask, during, best_effort);
                self.person(person, Request::Instruct(instruction));
            }
            [person, "agrees", programme, name] => {
                let (programme, name) = (self.programme(programme), name.to_owned());
                self.person(person, Request::Confirm { programme, name });
            }
            ["draw", megawatts, "at", time] => {
                let start = clock(time);
                let during = Interval::starting(start, Seconds::from_seconds(1));
                let value = Power::parse_mw(megawatts).expect("megawatts");
                self.hears(value, during, start, Source::Meter, Signal::Draw);
            }
            ["ahead", hours, "on", whose] => {
                let mut site = self.engine.state().site.clone();
                site.policy.look_ahead = LookAhead {
                    length: Seconds::hours(hours.parse().expect("hours")),
                    forecast: match whose {
                        "forecasts" => ForecastFrom::Told,
                        "persistence" => ForecastFrom::Persistence,
                        _ => panic!("expected whose word to take, found `{whose}`"),
                    },
                };
                self.input(Event::Change(Change::Site(Box::new(site))));
            }
            ["forecast", ref prices @ .., "from", start] => {
                self.input(Event::Signal(Signal::Forecast(Forecast {
                    from: clock(start),
                    step: Seconds::hours(1),
                    prices: prices.iter().map(|price| usd(price)).collect(),
                    known_at: self.now,
                    source: Source::Forecaster,
                })));
            }
            ["decide", start] => {
                let interval = Interval::starting(clock(start), five);
                self.now = interval.start;
                self.input(Event::Tick(interval));
            }
            ["wait", "until", time] => {
                self.wake_until(clock(time) + Seconds::from_seconds(1));
                self.now = clock(time);
            }
            ["lockout", load, "until", end] => {
                let lock_out = LockOut {
                    load: self.load(load),
                    during: Interval { start: self.now, end: clock(end) },
                    machines: None,
                    until_released: true,
                    role: "rig technician".into(),
                    reason: "fan replacement".into(),
                };
                self.asks("rig technician", Request::LockOut(lock_out));
            }
            ["release", load, "as", role] => {
                let request = Request::Release { load: self.load(load), machines: None };
                self.asks(role, request);
            }
            ["hold", load, megawatts, "until", end] => {
                let hold = Hold {
                    load: self.load(load),
                    power: Power::parse_mw(megawatts).expect("megawatts"),
                    during: Interval { start: self.now, end: clock(end) },
                    role: "operator".into(),
                    reason: "by hand".into(),
                };
                self.asks("operator", Request::Hold(hold));
            }
            ["tick", start] => {
                let interval = Interval::starting(clock(start), five);
                self.now = interval.start;
                self.input(Event::Tick(interval));
                self.wake_until(interval.end);
            }
            _ => panic!("expected a command of a script, found `{line}`"),
        }
    }

    fn wake_until(&mut self, end: Timestamp) {
        while self.engine.next_wake().0 < end {
            let (next, _) = self.engine.next_wake();
            // A tick that is due is the script's to give.
            if next <= self.engine.at() {
                break;
            }
            self.now = next;
            self.input(Event::Wake);
        }
    }

    fn load(&self, name: &str) -> usize {
        self.engine.state().site.load_named(name).expect("a load of the site")
    }
}

fn run(script: &str) -> String {
    let start = at(DAY);
    let mut scene =
        Scene { engine: Engine::new(site(), start), now: start, shown: String::new() };
    for line in script.lines() {
        let command = line.split('#').next().unwrap_or_default().trim();
        if !command.is_empty() {
            writeln!(scene.shown, "> {command}").expect("text");
            scene.line(command);
        }
    }
    scene.shown
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "scripts are files, and a person asks to rewrite them"
)]
fn every_script_comes_out_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).expect("the scripts") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|ending| ending != "txt") {
            continue;
        }
        count += 1;
        let shown = run(&std::fs::read_to_string(&path).expect("a script"));
        let expected = path.with_extension("out");
        if std::env::var_os("MW_UPDATE_REFERENCE").is_some() {
            std::fs::write(&expected, &shown).expect("the expected text can be written");
        }
        let expected = std::fs::read_to_string(&expected).unwrap_or_default();
        assert_eq!(shown, expected, "{}", path.display());
    }
    assert!(count >= 8, "only {count} scripts were found");
}
