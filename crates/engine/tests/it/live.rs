//! People and alarms on a site that is known machine by machine: a script of what
//! happens, and the text that must come of it.
//!
//! A script in `tests/live/NAME.txt` runs on the small site of [`world`](crate::world);
//! what it prints must be `NAME.out`. `MW_UPDATE_REFERENCE=1` writes that anew. After
//! each script the record is folded into a new engine, which must reach the same
//! state to the byte.
//!
//! ```text
//! hashprice 50.00 of 2024-08-19          USD/PH/day of a day
//! lmp 38.20 from 14:00 until 16:00       USD/MWh, known at the start
//! tick 14:00                             decides five minutes, and carries on to 14:05
//! wait until 14:03:10                    carries on
//! as rig technician                      who asks from now on
//! lock out rigs 3,5-9 until 15:00        or the whole load, without machines
//! release rigs 3                         or all
//! maintain rigs 0-99 until 14:20
//! back rigs 0-9                          ends maintenance, or all
//! hold rigs 1.0 until 15:00              MW at the meter
//! let go rigs                            ends a hold
//! reason <text>                          for what is asked from now on
//! acknowledge 1
//! silent rigs 0-9                        they answer nobody and hear nothing
//! stuck rigs 0-9                         they answer and do nothing
//! starts rigs 3                          it starts by itself
//! well rigs                              all of them do as they are told again
//! sweep                                  every machine is looked at
//! draw 5.5                               MW at the interconnection
//! limit 3.0 until 14:30                  MW, from the grid
//! rename rigs to asics                   the site file, read anew
//! trouble store full                     or: no trouble store full
//! watch links                            the site file with links that may not be silent
//! alarms                                 what stands
//! loads                                  where every load is ordered to be
//! ```

use std::fmt::Write;
use std::path::Path;

use engine::act::ReadBack;
use engine::check::check_now;
use engine::journal::Step;
use engine::site::{Hold, LockOut, Maintenance};
use engine::{
    AlarmId, Ask, Change, Engine, Event, Input, Instruction, Known, Move, Notice, Output,
    Person, Ranges, Receipt, Request, Setpoint, Signal, Site, Source, Survey, Trouble,
};
use proptest::prelude::*;
use units::{EnergyPrice, Hashprice, Interval, Power, Seconds, Timestamp, decimal};

use crate::world::{at, site};

const DAY: &str = "2024-08-20";

/// One machine as it is.
#[derive(Clone, Copy, Default)]
struct Machine {
    point: u8,
    silent: bool,
    stuck: bool,
}

pub(crate) struct Live {
    pub(crate) engine: Engine,
    /// The site that it began with.
    site: Site,
    pub(crate) now: Timestamp,
    machines: Vec<Vec<Machine>>,
    batteries: Vec<Setpoint>,
    by: Person,
    reason: String,
    pub(crate) steps: Vec<Step>,
    pub(crate) shown: String,
}

/// The small site, whose programmes say something only when they have to.
fn without_links() -> Site {
    let mut site = site();
    site.programmes.iter_mut().for_each(|programme| programme.silent_after = None);
    site
}

fn clock(text: &str) -> Timestamp {
    at(&format!("{DAY}T{text}Z"))
}

impl Live {
    pub(crate) fn new(start: Timestamp) -> Self {
        Self::of(without_links(), start)
    }

    /// The same on another site.
    pub(crate) fn of(site: Site, start: Timestamp) -> Self {
        let count = |load: &engine::site::Load| load.machines().map_or(0, |m| m.count);
        let machines = site.loads.iter();
        let machines = machines.map(|l| vec![Machine::default(); count(l) as usize]);
        Self {
            machines: machines.collect(),
            batteries: vec![Setpoint::Power(Power::ZERO); site.loads.len()],
            engine: Engine::live(site.clone(), start),
            site,
            now: start,
            by: Person { name: "Ana".into(), role: "rig technician".into() },
            reason: "fan replacement".into(),
            steps: Vec::new(),
            shown: String::new(),
        }
    }

    pub(crate) fn show(&mut self, line: &str) {
        writeln!(self.shown, "  {}  {line}", &self.now.to_string()[11..]).expect("text");
    }

    /// One thing happens, and everything that follows from it within seconds.
    pub(crate) fn input(&mut self, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            let input = Input { at: self.now, event };
            let outputs = self.engine.step(&input);
            for output in &outputs {
                self.take(output, &mut events);
            }
            self.steps.push(Step { input, outputs });
            if !events.is_empty() {
                self.now = self.now + Seconds::from_seconds(1);
            }
        }
    }

    fn take(&mut self, output: &Output, events: &mut Vec<Event>) {
        let site = self.engine.state().site.clone();
        match output {
            Output::Dispatch(dispatch) => {
                assert_eq!(check_now(self.engine.state(), dispatch), [], "{dispatch:#?}");
            }
            Output::Orders(batch) => {
                let mut asked = ReadBack::default();
                for order in &batch.orders {
                    let name = &site.loads[order.load].name;
                    if order.moves.is_empty() {
                        self.batteries[order.load] = order.setpoint;
                        asked.loads.push(order.load);
                    }
                    for Move { point, machines } in &order.moves {
                        let line = format!("{name} {machines} to point {point}");
                        self.show(&line);
                        for number in machines.iter() {
                            let machine = &mut self.machines[order.load][number as usize];
                            if !machine.silent && !machine.stuck {
                                machine.point = *point;
                            }
                        }
                    }
                    let moved = order.moves.iter().flat_map(|to| to.machines.iter());
                    let mut moved: Vec<u32> = moved.collect();
                    moved.sort_unstable();
                    if !moved.is_empty() {
                        asked.machines.push((order.load, moved.into_iter().collect()));
                    }
                }
                events.push(self.looks(&asked));
            }
            Output::ReadBack(asked) => events.push(self.looks(asked)),
            Output::Notice(Notice::Accepted(accepted)) => {
                let line = accepted.explain(&site);
                self.show(&line);
            }
            Output::Notice(Notice::Refused { why }) => {
                let line = format!("refused: {}", why.explain(&site));
                self.show(&line);
            }
            Output::Notice(notice) => self.show(&format!("{notice:?}")),
            Output::Alarm(change) => {
                let alarm = change.id().and_then(|id| self.engine.alarms().get(id));
                let what = format!("{change:?}");
                let what = what.split([' ', '{']).next().unwrap_or_default();
                let line = match (change.is_told(), alarm) {
                    (true, Some(alarm)) => {
                        let body = alarm.body().replace('\n', "\n         ");
                        let (id, urgency) = (alarm.message_id(), alarm.urgency);
                        format!("{urgency}: {what} {id}\n         {body}")
                    }
                    (true, None) => format!("{change:?}"),
                    (false, Some(alarm)) => format!("{what} alarm {}", alarm.id),
                    (false, None) => format!("{change:?}"),
                };
                self.show(&line);
            }
            Output::Keep(_) | Output::Metered(_) | Output::Estate(_) => {}
        }
    }

    /// What is seen of what is asked for.
    fn looks(&self, asked: &ReadBack) -> Event {
        let site = &self.engine.state().site;
        let seen = |load: usize, number: u32| {
            let machine = self.machines[load][number as usize];
            let group = site.loads[load].machines().expect("machines");
            let draw = match machine.point {
                0 => group.standby,
                point => group.points[usize::from(point) - 1].power,
            };
            (number, (!machine.silent).then_some((machine.point, draw)))
        };
        let surveys = asked.machines.iter().map(|(load, machines)| {
            Survey::of(*load, machines.iter().map(|number| seen(*load, number)))
        });
        let observed = asked.loads.iter().map(|load| engine::Observed {
            load: *load,
            setpoint: self.batteries[*load],
        });
        Event::Receipt(Receipt {
            observed_at: self.now + Seconds::from_seconds(1),
            observed: observed.collect(),
            surveys: surveys.collect(),
        })
    }

    /// A machine answers from now on, and does nothing.
    pub(crate) fn stuck(&mut self, load: &str, number: u32) {
        self.for_each(load, &number.to_string(), |machine| machine.stuck = true);
    }

    pub(crate) fn sweep(&mut self) {
        let site = &self.engine.state().site;
        let mut all = ReadBack::default();
        for (load, machines) in self.machines.iter().enumerate() {
            match site.loads[load].machines() {
                Some(_) => {
                    all.machines.push((load, Ranges::all(machines.len() as u32)));
                }
                None => all.loads.push(load),
            }
        }
        let looks = self.looks(&all);
        self.now = self.now + Seconds::from_seconds(1);
        self.input(looks);
    }

    pub(crate) fn wait(&mut self, end: Timestamp) {
        let mut wakes = 0;
        while self.engine.next_wake().0 < end {
            self.now = self.engine.next_wake().0.max(self.now);
            let is_tick = self.engine.interval().is_some_and(|i| self.now >= i.end);
            self.input(match is_tick {
                true => Event::Tick(Interval::starting(self.now, Seconds::minutes(5))),
                false => Event::Wake,
            });
            wakes += 1;
            assert!(wakes < 10_000, "wakes all the time: {:?}", self.engine.next_wake());
        }
        self.now = end.max(self.now);
    }

    pub(crate) fn ask(&mut self, request: Request) {
        self.input(Event::Operator { by: self.by.clone(), request });
    }

    pub(crate) fn prices(&mut self, price: i64, until: Timestamp) {
        let start = self.now;
        let value = EnergyPrice::from_usd_per_mwh(price);
        let during = Interval { start, end: until };
        let known = Known { value, during, known_at: start, source: Source::Lmp };
        self.input(Event::Signal(Signal::Price(known)));
        let during = Interval::starting(start - Seconds::hours(24), Seconds::hours(24));
        let value = Hashprice::from_micro_usd_per_ph_day(50_000_000);
        let source = Source::Bitcoin;
        let known = Known { value, during, known_at: start, source };
        self.input(Event::Signal(Signal::Hashprice(known)));
    }

    fn load(&self, name: &str) -> usize {
        let site = &self.engine.state().site;
        site.load_named(name).unwrap_or(site.loads.len())
    }

    fn for_each(&mut self, load: &str, which: &str, change: impl Fn(&mut Machine)) {
        let load = self.load(load);
        let which: Ranges = which.parse().expect("machines");
        which.iter().for_each(|number| change(&mut self.machines[load][number as usize]));
    }

    fn line(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let until = |end: &str| Interval { start: clock("00:00"), end: clock(end) };
        let some = |text: &str| Some(text.parse::<Ranges>().expect("machines"));
        match words[..] {
            ["hashprice", value, "of", day] => {
                let micro = decimal::exact(value, 6).expect("a hashprice");
                let during = Interval::starting(at(day), Seconds::hours(24));
                let value = Hashprice::from_micro_usd_per_ph_day(micro);
                let (known_at, source) = (during.end, Source::Bitcoin);
                let known = Known { value, during, known_at, source };
                self.input(Event::Signal(Signal::Hashprice(known)));
            }
            ["lmp", value, "from", start, "until", end] => {
                let value = EnergyPrice::parse_usd_per_mwh(value).expect("a price");
                let during = Interval { start: clock(start), end: clock(end) };
                self.now = self.now.max(during.start);
                let known =
                    Known { value, during, known_at: during.start, source: Source::Lmp };
                self.input(Event::Signal(Signal::Price(known)));
            }
            ["tick", start] => {
                let interval = Interval::starting(clock(start), Seconds::minutes(5));
                self.now = self.now.max(interval.start);
                self.input(Event::Tick(interval));
            }
            ["wait", "until", end] => self.wait(clock(end)),
            ["as", ..] => self.by.role = words[1..].join(" "),
            ["reason", ..] => self.reason = words[1..].join(" "),
            ["lock", "out", load, ref rest @ ..] => {
                let (machines, end) = match *rest {
                    [machines, "until", end] => (some(machines), end),
                    ["until", end] => (None, end),
                    _ => panic!("expected machines and an end: {line}"),
                };
                self.ask(Request::LockOut(LockOut {
                    load: self.load(load),
                    machines,
                    during: until(end),
                    until_released: true,
                    role: self.by.role.clone(),
                    reason: self.reason.clone(),
                }));
            }
            ["release", load, ref rest @ ..] => {
                let machines = rest.first().and_then(|text| some(text));
                self.ask(Request::Release { load: self.load(load), machines });
            }
            ["maintain", load, machines, "until", end] => {
                self.ask(Request::Maintain(Maintenance {
                    load: self.load(load),
                    machines: some(machines).filter(|_| machines != "all"),
                    during: until(end),
                    role: self.by.role.clone(),
                    reason: self.reason.clone(),
                }));
            }
            ["back", load, ref rest @ ..] => {
                let machines = rest.first().and_then(|text| some(text));
                self.ask(Request::EndMaintenance { load: self.load(load), machines });
            }
            ["hold", load, megawatts, "until", end] => {
                self.ask(Request::Hold(Hold {
                    load: self.load(load),
                    power: Power::parse_mw(megawatts).expect("megawatts"),
                    during: until(end),
                    role: self.by.role.clone(),
                    reason: self.reason.clone(),
                }));
            }
            ["let", "go", load] => self.ask(Request::EndHold(self.load(load))),
            ["acknowledge", number] => {
                let alarm = AlarmId(number.parse().expect("a number"));
                self.ask(Request::Acknowledge { alarm });
            }
            ["silent", load, which] => self.for_each(load, which, |m| m.silent = true),
            ["stuck", load, which] => self.for_each(load, which, |m| m.stuck = true),
            ["starts", load, which] => {
                self.for_each(load, which, |m| (m.point, m.stuck) = (1, true));
            }
            ["well", load] => {
                let load = self.load(load);
                for machine in &mut self.machines[load] {
                    (machine.silent, machine.stuck) = (false, false);
                }
            }
            ["sweep"] => self.sweep(),
            ["draw", megawatts] => {
                let value = Power::parse_mw(megawatts).expect("megawatts");
                let during = Interval::starting(self.now, Seconds::from_seconds(1));
                let (known_at, source) = (self.now, Source::Meter);
                let known = Known { value, during, known_at, source };
                self.input(Event::Signal(Signal::Draw(known)));
            }
            ["limit", megawatts, "until", end] => {
                let level = Power::parse_mw(megawatts).expect("megawatts");
                self.input(Event::Signal(Signal::Instruction(Instruction {
                    name: "L1".into(),
                    programme: 0,
                    ask: Ask::Limit(level),
                    during: Interval { start: self.now, end: clock(end) },
                    best_effort: false,
                    known_at: self.now,
                })));
            }
            ["rename", from, "to", to] => {
                let mut site = self.engine.state().site.clone();
                site.loads[self.load(from)].name = to.into();
                self.input(Event::Change(Change::Site(Box::new(site))));
            }
            ["watch", "links"] => {
                self.input(Event::Change(Change::Site(Box::new(site()))));
            }
            ["trouble", "store", "full"] => self.trouble(Trouble::StoreFull, true),
            ["no", "trouble", "store", "full"] => {
                self.trouble(Trouble::StoreFull, false);
            }
            ["alarms"] => {
                let standing = self.engine.alarms().standing();
                let lines = standing.iter().map(|alarm| {
                    format!("{} {}: {}", alarm.urgency, alarm.id, alarm.headline())
                });
                for line in lines.collect::<Vec<_>>() {
                    self.show(&line);
                }
            }
            ["loads"] => {
                for load in 0..self.machines.len() {
                    let state = self.engine.state();
                    let belief = state.fleet.of(load);
                    let power = state.power_now(load, belief.ordered);
                    let line = format!("{} at {power}", state.site.loads[load].name);
                    self.show(&line);
                }
            }
            _ => panic!("expected a command of a script, found `{line}`"),
        }
    }

    fn trouble(&mut self, what: Trouble, standing: bool) {
        self.input(Event::Trouble { what, standing });
    }

    /// A new engine that is told the record reaches the same state.
    pub(crate) fn fold(&self, start: Timestamp) -> Result<(), &'static str> {
        let mut folded = Engine::live(self.site.clone(), start);
        for step in &self.steps {
            folded.fold(step);
        }
        let bytes =
            |engine| postcard::to_allocvec(engine).expect("a state can be written");
        match bytes(&folded) == bytes(&self.engine) {
            true => Ok(()),
            false => Err("the record folds to another state"),
        }
    }
}

fn run(script: &str) -> String {
    let start = clock("14:00");
    let mut live = Live::new(start);
    live.input(Event::Resume);
    live.sweep();
    for line in script.lines() {
        let command = line.split('#').next().unwrap_or_default().trim();
        if !command.is_empty() {
            writeln!(live.shown, "> {command}").expect("text");
            live.line(command);
        }
    }
    live.fold(start).expect("step and fold reach the same state");
    live.shown
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "scripts are files, and a person asks to rewrite them"
)]
fn every_live_script_comes_out_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/live");
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
    assert!(count >= 5, "only {count} scripts were found");
}

/// One moment of a random story: what happens, to which machine, and how long until
/// the next.
fn moment() -> impl Strategy<Value = (u8, u32, i64)> {
    (0_u8..14, 0_u32..1_000, 0_i64..400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_alarm_is_told_once_and_over_when_its_cause_is(
        story in prop::collection::vec(moment(), 1..30),
    ) {
        let start = clock("00:00");
        let mut live = Live::new(start);
        live.input(Event::Resume);
        live.sweep();
        live.prices(20, start + Seconds::hours(23));
        live.input(Event::Tick(Interval::starting(live.now, Seconds::minutes(5))));
        for (what, machine, after) in story {
            let some = format!("{machine}-{}", (machine + machine % 300).min(999));
            let end = live.now + Seconds::minutes(10);
            let request = LockOut {
                load: 0,
                machines: (machine % 3 > 0).then(|| some.parse().expect("machines")),
                during: Interval { start: live.now, end },
                until_released: true,
                role: String::new(),
                reason: "fan replacement".into(),
            };
            live.by.role =
                ["rig technician", "electrician"][usize::from(machine % 2 == 0)].into();
            match what {
                0 => live.for_each("rigs", &some, |m| m.silent = true),
                1 => live.for_each("rigs", &some, |m| m.stuck = true),
                2 => live.for_each("rigs", &some, |m| (m.point, m.stuck) = (1, true)),
                3 => live.line("well rigs"),
                4 => live.sweep(),
                5 | 6 => live.ask(Request::LockOut(request)),
                7 => live.ask(Request::Release { load: 0, machines: request.machines }),
                8 => live.ask(Request::Maintain(Maintenance {
                    load: 0,
                    machines: request.machines,
                    during: request.during,
                    role: String::new(),
                    reason: request.reason,
                })),
                9 => live.trouble(Trouble::DeliveryFailing, machine % 2 == 0),
                10 => live.input(Event::Resume),
                11 => {
                    let standing = live.engine.alarms().standing();
                    if let Some(alarm) = standing.first().map(|alarm| alarm.id) {
                        live.ask(Request::Acknowledge { alarm });
                    }
                }
                12 => live.input(Event::Signal(Signal::Instruction(Instruction {
                    name: "L1".into(),
                    programme: 0,
                    ask: Ask::Limit(Power::from_kw(i64::from(machine) * 6)),
                    during: Interval { start: live.now, end },
                    best_effort: false,
                    known_at: live.now,
                }))),
                _ => live.trouble(Trouble::ClockJumped, machine % 2 == 0),
            }
            live.wait(live.now + Seconds::from_seconds(after));
        }

        // Everybody goes home, and everything works again.
        live.line("well rigs");
        for role in ["rig technician", "electrician"] {
            live.by.role = role.into();
            live.ask(Request::Release { load: 0, machines: None });
        }
        live.trouble(Trouble::DeliveryFailing, false);
        live.trouble(Trouble::ClockJumped, false);
        for _ in 0..8 {
            live.sweep();
            live.wait(live.now + Seconds::minutes(5));
        }
        let standing = live.engine.alarms().standing();
        prop_assert!(standing.is_empty(), "{standing:#?}\n{}", live.shown);
        prop_assert_eq!(live.fold(start), Ok(()));

        // No word was said twice, and a critical one waits five minutes at least.
        let mut told: Vec<(&str, &str)> = Vec::new();
        for line in live.shown.lines().filter(|line| line.contains(": Raised alarm")
            || line.contains(": Escalated alarm") || line.contains(": Grew alarm"))
        {
            let words: Vec<&str> = line.split_whitespace().collect();
            let message = words[words.len() - 1];
            prop_assert!(told.iter().all(|(other, _)| *other != message), "{line}");
            told.push((message, line));
        }
    }
}
