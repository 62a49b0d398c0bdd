//! A live engine on a simulated site, without a program, a wall clock or a wire
//! around them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use engine::journal::Step;
use engine::{Engine, Event, Input, Known, Output, Receipt, Signal, Site, Source};
use mw::live::INTERVAL;
use sim::campus::{Answer, Campus, Tempers};
use units::{EnergyPrice, Hashprice, Interval, Seconds, Timestamp};

/// How often every machine is looked at.
pub(crate) const SURVEY_EVERY: Seconds = Seconds::from_seconds(30);

/// How often the interconnection's meter is read.
pub(crate) const DRAW_EVERY: Seconds = Seconds::from_seconds(5);

/// How long a step took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Took {
    /// By the wall.
    pub(crate) wall: Duration,
    /// Of that, on a processor, to some milliseconds: others may have it meanwhile.
    pub(crate) on_cpu: Duration,
}

/// An engine on a simulated site, without a program around them.
pub(crate) struct Driven {
    /// The engine.
    pub(crate) engine: Engine,
    /// The site.
    pub(crate) campus: Campus,
    /// The time of both.
    pub(crate) now: Timestamp,
    answers: BTreeMap<Timestamp, Vec<Receipt>>,
    /// How long each step of a kind took.
    pub(crate) took: BTreeMap<&'static str, Vec<Took>>,
    /// What happened and what it led to, where that is kept.
    pub(crate) steps: Vec<Step>,
    keeps: bool,
}

impl Driven {
    /// Every machine at rest, and an engine that has seen none of them. With `keeps`
    /// every step is kept.
    pub(crate) fn new(
        site: &Site,
        tempers: Tempers,
        now: Timestamp,
        keeps: bool,
    ) -> Self {
        let mut driven = Self {
            engine: Engine::live(site.clone(), now),
            campus: Campus::new(site.clone(), 1, tempers, now),
            now,
            answers: BTreeMap::new(),
            took: BTreeMap::new(),
            steps: Vec::new(),
            keeps,
        };
        driven.step("resume", Event::Resume);
        driven
    }

    /// Hands the engine one event, and what it says to the site.
    pub(crate) fn step(&mut self, kind: &'static str, event: Event) {
        let input = Input { at: self.now, event };
        let (began, had) = (Instant::now(), on_cpu());
        let outputs = self.engine.step(&input);
        let on_cpu = on_cpu().saturating_sub(had);
        self.took.entry(kind).or_default().push(Took { wall: began.elapsed(), on_cpu });
        for output in &outputs {
            let answers = match output {
                Output::Orders(batch) => self.campus.obey(batch),
                Output::ReadBack(asked) => self.campus.look(asked),
                Output::Keep(lease) => {
                    self.campus.keep(lease);
                    Vec::new()
                }
                Output::Dispatch(_)
                | Output::Metered(_)
                | Output::Notice(_)
                | Output::Alarm(_)
                | Output::Estate(_) => Vec::new(),
            };
            for Answer { after, receipt } in answers {
                let due = self.now + after.max(Seconds::from_seconds(1));
                self.answers.entry(due).or_default().push(receipt);
            }
        }
        if self.keeps {
            self.steps.push(Step { input, outputs });
        }
    }

    /// Lets the site's time pass, as the program's loop would.
    pub(crate) fn advance(&mut self, end: Timestamp) {
        while self.now < end {
            let (wake, _) = self.engine.next_wake();
            let after = self.now + Seconds::from_seconds(1);
            let due = [
                wake.max(after),
                next(self.now, DRAW_EVERY),
                next(self.now, SURVEY_EVERY),
                next(self.now, INTERVAL),
                self.answers.keys().next().copied().unwrap_or(end).max(after),
                end,
            ];
            self.now = due.into_iter().min().unwrap_or(end);
            self.campus.advance(self.now);
            while let Some(first) =
                self.answers.first_entry().filter(|e| *e.key() <= self.now)
            {
                for receipt in first.remove() {
                    self.step("receipt", Event::Receipt(receipt));
                }
            }
            if self.now.floor(INTERVAL) == self.now {
                let last = Interval { start: self.now - INTERVAL, end: self.now };
                let sweep = self.campus.sweep(last);
                self.step("meters", Event::Signal(Signal::Sweep(sweep)));
                self.learn_prices();
                let tick = Interval::starting(self.now, INTERVAL);
                self.step("tick", Event::Tick(tick));
            }
            if self.now.floor(DRAW_EVERY) == self.now
                && let Some(value) = self.campus.show()
            {
                let during = Interval::starting(self.now, Seconds::from_seconds(1));
                let draw =
                    Known { value, during, known_at: self.now, source: Source::Meter };
                self.step("draw", Event::Signal(Signal::Draw(draw)));
            }
            if self.now.floor(SURVEY_EVERY) == self.now {
                let survey = self.campus.survey();
                self.step("survey", Event::Receipt(survey));
            }
            if self.engine.next_wake().0 <= self.now {
                self.step("wake", Event::Wake);
            }
        }
    }

    /// A dear interval in every six, so that the rigs go and come back.
    fn learn_prices(&mut self) {
        let during = Interval::starting(self.now, INTERVAL);
        let number = self.now.as_unix_seconds() / INTERVAL.as_seconds();
        let dollars = if number % 6 == 5 { 900 } else { 20 };
        let price = EnergyPrice::from_usd_per_mwh(dollars);
        let known =
            Known { value: price, during, known_at: self.now, source: Source::Lmp };
        self.step("price", Event::Signal(Signal::Price(known)));
        let day = Interval { start: self.now - Seconds::hours(24), end: self.now };
        let value = Hashprice::from_micro_usd_per_ph_day(50_000_000);
        let known =
            Known { value, during: day, known_at: self.now, source: Source::Bitcoin };
        self.step("hashprice", Event::Signal(Signal::Hashprice(known)));
    }
}

fn next(now: Timestamp, every: Seconds) -> Timestamp {
    now.floor(every) + every
}

/// How long this thread has been on a processor; nothing where that is not told.
fn on_cpu() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = told.split(' ').next().and_then(|first| first.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or(0))
}
