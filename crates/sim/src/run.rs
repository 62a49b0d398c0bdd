//! Runs a world: the engine on a plant, with everything that goes wrong, every
//! checker after every step, and a second engine that must say the same.
//!
//! ```
//! let proof = sim::run::prove(1).unwrap_or_else(|failure| panic!("{failure}"));
//! assert!(proof.steps > 100);
//! ```

mod digest;
pub mod live;
mod report;
mod trial;

pub use report::{Failure, LEGEND, Proof, Tally};

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use digest::Digest;
use engine::site::{LoadIx, LoadKind};
use engine::{
    Change, Dispatch, Engine, Event, Input, OrderBatch, Output, Receipt, Setpoint,
    Signal, Site, Sweep, Work,
};
use units::{Energy, Interval, Seconds, Timestamp};

use crate::checkers::{Checkers, Look};
use crate::fault::{Faults, OrderFate};
use crate::plant::Plant;
use crate::seed::{generator, sub_seed};
use crate::world::{World, change_of_count};

/// Draws the world of a seed and runs it. An engine that stops is a failure
/// like another.
pub fn prove(seed: u64) -> Result<Proof, Box<Failure>> {
    run(&World::draw(seed), |_, _| {}, |_| {})
}

/// Runs a world. Every step goes to `step`, and a line for every tick to `line`.
pub fn run(
    world: &World,
    mut step: impl FnMut(&Input, &[Output]),
    mut line: impl FnMut(&str),
) -> Result<Proof, Box<Failure>> {
    let mut runner = Runner::of(world, &mut step, &mut line);
    let done = catch_unwind(AssertUnwindSafe(|| runner.run()));
    if let Err(panic) = done {
        let said = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let said = said.unwrap_or_else(|| "without a word".to_owned());
        runner.broken.push(format!("the program stopped: {said}"));
    }
    runner.finish()
}

/// More steps than this at one instant go on for ever.
const STEPS_AT_ONCE_MAX: u32 = 1_000;

/// What is still to come, by time; at one instant readings come first and ticks
/// last.
type Queue = BTreeMap<(Timestamp, Rank, u64), Coming>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Reading,
    Arrival,
    Tick,
}

#[derive(Clone, Debug)]
enum Coming {
    /// The meters are read.
    Reading(Interval),
    /// Readings arrive; whether whole and in time.
    Sweep(Sweep, bool),
    /// Something from outside.
    Outside(Event),
    /// A load is looked at, having been given an order.
    LookAt(LoadIx),
    /// A receipt arrives.
    Receipt(Receipt, Vec<Look>),
    /// An interval is to be decided.
    Tick(Interval),
}

struct Runner<'a> {
    world: &'a World,
    engine: Engine,
    twin: Engine,
    site: Site,
    plant: Plant,
    faults: Faults,
    checkers: Checkers,
    queue: Queue,
    serial: u64,
    now: Timestamp,
    last_wake: Option<Timestamp>,
    ticked: Option<Interval>,
    /// What each load drew since the meters were last read.
    drawn: Vec<Energy>,
    /// Readings of the part of an interval before the site changed.
    carried: Vec<(Energy, Option<Work>)>,
    sweep_is_whole: bool,
    digest: Digest,
    steps: u64,
    /// Of those, how many at the last instant.
    steps_now: u32,
    stepped_at: Timestamp,
    tally: Tally,
    tail: Vec<String>,
    broken: Vec<String>,
    step: &'a mut dyn FnMut(&Input, &[Output]),
    line: &'a mut dyn FnMut(&str),
}

impl<'a> Runner<'a> {
    fn of(
        world: &'a World,
        step: &'a mut dyn FnMut(&Input, &[Output]),
        line: &'a mut dyn FnMut(&str),
    ) -> Self {
        let site = world.site.clone();
        let loads = site.loads.len();
        let faults = Faults::of(world);
        let mut runner = Self {
            world,
            engine: Engine::new(site.clone(), world.start),
            twin: Engine::new(site.clone(), world.start),
            plant: Plant::at_rest(site.clone(), world.start),
            site,
            checkers: Checkers::of(world),
            queue: Queue::new(),
            serial: 0,
            now: world.start,
            last_wake: None,
            ticked: None,
            drawn: vec![Energy::ZERO; loads],
            carried: vec![(Energy::ZERO, None); loads],
            sweep_is_whole: true,
            digest: Digest::default(),
            steps: 0,
            steps_now: 0,
            stepped_at: world.start,
            tally: Tally::default(),
            tail: Vec::new(),
            broken: Vec::new(),
            step,
            line,
            faults,
        };
        for happening in &world.happenings {
            let event = Coming::Outside(happening.event.clone());
            runner.expect(happening.at, Rank::Arrival, event);
        }
        for place in 0..world.intervals_faulty + world.intervals_calm {
            let interval = world.interval(place);
            let at = interval.start + runner.faults.tick_delay(interval.start);
            runner.expect(at, Rank::Tick, Coming::Tick(interval));
            runner.expect(interval.end, Rank::Reading, Coming::Reading(interval));
        }
        runner
    }

    fn expect(&mut self, at: Timestamp, rank: Rank, coming: Coming) {
        self.serial += 1;
        self.queue.insert((at, rank, self.serial), coming);
    }

    fn run(&mut self) {
        while self.broken.is_empty() {
            let Some((&(at, ..), _)) = self.queue.first_key_value() else {
                break;
            };
            match self.wake_before(at) {
                Some(wake) => self.wake(wake),
                None => {
                    let ((at, ..), coming) =
                        self.queue.pop_first().expect("something is to come");
                    self.pass_time(at);
                    self.meet(coming);
                }
            }
        }
        if self.broken.is_empty() {
            self.tally.settled += u64::from(self.checkers.ended(self.now));
            self.broken = self.checkers.broken();
        }
    }

    /// When the engine wants to be woken, if that is before `at`. A tick that is
    /// late is late: it does not help to be woken for it.
    fn wake_before(&self, at: Timestamp) -> Option<Timestamp> {
        let interval = self.ticked?;
        let (wake, _) = self.engine.next_wake();
        (self.now <= wake && wake < at && wake < interval.end).then_some(wake)
    }

    fn wake(&mut self, wake: Timestamp) {
        if self.last_wake == Some(wake) {
            self.broken.push(format!(
                "asks to be woken twice at {wake}: {}",
                self.engine.next_wake().1
            ));
            return;
        }
        self.last_wake = Some(wake);
        self.pass_time(wake);
        self.input(Event::Wake, &[]);
    }

    fn pass_time(&mut self, to: Timestamp) {
        let passed = to - self.now;
        for (load, drawn) in self.drawn.iter_mut().enumerate() {
            *drawn += self.plant.power(load) * passed;
        }
        self.plant.advance(to);
        self.now = to;
    }

    fn meet(&mut self, coming: Coming) {
        match coming {
            Coming::Reading(interval) => self.read_meters(interval),
            Coming::Sweep(sweep, whole) => {
                self.sweep_is_whole = whole;
                self.input(Event::Signal(Signal::Sweep(sweep)), &[]);
            }
            Coming::Outside(event) => self.outside(event),
            Coming::LookAt(load) => self.answer_of([load]),
            Coming::Receipt(receipt, looks) => {
                self.input(Event::Receipt(receipt), &looks);
            }
            Coming::Tick(interval) => self.tick(interval),
        }
    }

    fn outside(&mut self, event: Event) {
        if let Event::Change(Change::Site(site)) = &event {
            self.rebuild(site);
            self.tally.changes += 1;
        }
        if let Event::Operator { .. } = &event {
            self.tally.requests += 1;
        }
        self.input(event, &[]);
    }

    /// The plant changes with its site file: groups keep the steps they have
    /// taken as far as they still have the machines, batteries what they hold.
    fn rebuild(&mut self, site: &Site) {
        let sweep = self.plant.sweep(Interval { start: self.now, end: self.now });
        for reading in sweep.readings {
            let (energy, work) = &mut self.carried[reading.load];
            *energy += reading.energy;
            *work = Some(match (*work, reading.work) {
                (Some(Work::Hashes(a)), Work::Hashes(b)) => Work::Hashes(a + b),
                (Some(Work::Gpu(a)), Work::Gpu(b)) => Work::Gpu(a + b),
                (_, work) => work,
            });
        }
        let stored = self.stored();
        let mut plant_site = site.clone();
        for (load, stored) in plant_site.loads.iter_mut().zip(&stored) {
            if let LoadKind::Battery(battery) = &mut load.kind {
                battery.stored_first = *stored;
            }
        }
        let mut plant = Plant::at_rest(plant_site, self.now);
        plant.weather(self.checkers.books.outside);
        for load in 0..site.loads.len() {
            let setpoint = change_of_count(site, load, self.plant.setpoint(load));
            plant.set(load, setpoint);
        }
        self.plant = plant;
        self.site = site.clone();
    }

    /// What each battery truly holds.
    fn stored(&self) -> Vec<Energy> {
        // A sweep of a copy, since reading the meters starts them anew.
        let sweep = self.plant.clone().sweep(Interval { start: self.now, end: self.now });
        (sweep.readings.iter())
            .map(|reading| match reading.work {
                Work::Stored(stored) => stored,
                Work::Hashes(_) | Work::Gpu(_) => Energy::ZERO,
            })
            .collect()
    }

    fn read_meters(&mut self, interval: Interval) {
        let mut sweep = self.plant.sweep(interval);
        for (reading, carried) in sweep.readings.iter_mut().zip(&mut self.carried) {
            let (energy, work) = std::mem::take(carried);
            reading.energy += energy;
            reading.work = match (work, reading.work) {
                (Some(Work::Hashes(a)), Work::Hashes(b)) => Work::Hashes(a + b),
                (Some(Work::Gpu(a)), Work::Gpu(b)) => Work::Gpu(a + b),
                (_, work) => work,
            };
        }
        sweep.site = Some(sweep.readings.iter().map(|reading| reading.energy).sum());
        let drawn =
            std::mem::replace(&mut self.drawn, vec![Energy::ZERO; self.site.loads.len()]);
        self.checkers.swept(&sweep, &drawn);
        match self.faults.sweep(sweep.clone()) {
            Some((at, arrives)) => {
                let whole = at == self.now && arrives == sweep;
                let rank = if at == self.now { Rank::Reading } else { Rank::Arrival };
                self.expect(at, rank, Coming::Sweep(arrives, whole));
            }
            None => self.sweep_is_whole = false,
        }
    }

    fn tick(&mut self, interval: Interval) {
        let seed = sub_seed(self.world.seed, "trials");
        let part = format!("tick {}", interval.start.as_unix_seconds());
        let mut draws = generator(seed, &part);
        if draws.chance(300_000) {
            self.tally.trials += 1;
            let stored = self.stored();
            if let Some(what) = trial::bad_input_changes_nothing(
                &self.engine,
                self.now,
                interval,
                &stored,
                &mut draws,
            ) {
                self.broken.push(what);
            }
        }
        self.ticked = Some(interval);
        self.tally.ticks += 1;
        self.input(Event::Tick(interval), &[]);
        let line = report::line_of(self.now, &self.checkers.books);
        (self.line)(&line);
        self.remember(line);
    }

    /// One step of the engine, with everything checked and carried out.
    fn input(&mut self, event: Event, looks: &[Look]) {
        let input = Input { at: self.now, event };
        self.steps += 1;
        self.steps_now = if self.stepped_at == self.now { self.steps_now + 1 } else { 0 };
        self.stepped_at = self.now;
        if self.steps_now > STEPS_AT_ONCE_MAX {
            self.broken.push("comes to no rest within one instant".to_owned());
            return;
        }
        self.checkers.hears(&input, looks);
        let outputs = self.engine.step(&input);
        if self.twin.step(&input) != outputs {
            self.broken
                .push(format!("S8: the same inputs give other outputs at {}", self.now));
        }
        self.digest.add(&outputs);
        (self.step)(&input, &outputs);
        for output in &outputs {
            self.tally.count(output);
            match output {
                Output::Dispatch(dispatch) => self.carry_out(dispatch),
                Output::Orders(batch) => self.obey(batch),
                Output::ReadBack(asked) => self.answer_of(asked.loads.iter().copied()),
                // A group of ideal devices needs no lease.
                Output::Keep(_) => self.broken.push(format!(
                    "expected no lease for ideal devices, found {output:?}"
                )),
                Output::Metered(metered) => {
                    self.checkers.metered(metered, self.sweep_is_whole);
                }
                Output::Notice(notice) => self.checkers.noticed(notice),
                Output::Alarm(_) => self.broken.push(format!(
                    "expected no alarm of ideal devices, found {output:?}"
                )),
                Output::Estate(_) => self.broken.push(format!(
                    "expected nothing of racks that nobody told of, found {output:?}"
                )),
            }
        }
        self.checkers.stepped(self.now);
        let broken = self.checkers.broken();
        if !broken.is_empty() {
            self.remember(format!("{} {input:?}", self.now));
            for output in &outputs {
                self.remember(format!("    {output:?}"));
            }
        }
        self.broken.extend(broken);
    }

    fn carry_out(&mut self, dispatch: &Dispatch) {
        let stored = self.stored();
        self.checkers.dispatched(self.now, dispatch, &stored);
        // The weather a hall has is the weather its operator knows of.
        self.plant.weather(dispatch.outside);
        let powers: Vec<_> =
            (0..self.site.loads.len()).map(|load| self.plant.power(load)).collect();
        self.checkers.weather(self.now, &powers);
    }

    fn obey(&mut self, batch: &OrderBatch) {
        self.checkers.ordered(self.now, batch);
        let mut answered = Vec::new();
        for order in &batch.orders {
            let load = order.load;
            let from = self.plant.setpoint(load);
            match self.faults.order(self.now, load, from, order.setpoint) {
                OrderFate::Obeyed => {
                    self.set(load, order.setpoint);
                    answered.push(load);
                }
                OrderFate::Lost => {
                    self.tally.orders_lost += 1;
                    self.checkers.trouble(self.now, load);
                }
                OrderFate::Half(setpoint) => {
                    self.tally.orders_halved += 1;
                    self.set(load, setpoint);
                    self.checkers.trouble(self.now, load);
                    let soon = self.now + Seconds::from_seconds(5);
                    self.expect(soon, Rank::Arrival, Coming::LookAt(load));
                }
            }
        }
        self.answer_of(answered);
    }

    fn set(&mut self, load: LoadIx, setpoint: Setpoint) {
        self.plant.set(load, setpoint);
        let power = self.plant.power(load);
        self.checkers.moved(self.now, load, setpoint, power);
    }

    /// Loads say where they stand. Those whose answers take equally long share
    /// a receipt.
    fn answer_of(&mut self, loads: impl IntoIterator<Item = LoadIx>) {
        let mut receipts: BTreeMap<Timestamp, Vec<LoadIx>> = BTreeMap::new();
        for load in loads {
            let fate = self.faults.receipt(self.now, load);
            if fate.at != Some(self.now) {
                self.tally.receipts_astray += 1;
                self.checkers.trouble(self.now, load);
            }
            for at in [fate.at, fate.again].into_iter().flatten() {
                receipts.entry(at).or_default().push(load);
            }
        }
        for (at, loads) in receipts {
            let receipt = self.plant.look_at(loads);
            let looks = (receipt.observed.iter())
                .map(|observed| Look {
                    load: observed.load,
                    seen: observed.setpoint,
                    after: self.checkers.books.serial(observed.load),
                })
                .collect();
            self.expect(at, Rank::Arrival, Coming::Receipt(receipt, looks));
        }
    }

    fn remember(&mut self, line: String) {
        const KEPT: usize = 24;
        if self.tail.len() == KEPT {
            self.tail.remove(0);
        }
        self.tail.push(line);
    }

    fn finish(self) -> Result<Proof, Box<Failure>> {
        if self.broken.is_empty() {
            return Ok(Proof {
                seed: self.world.seed,
                mood: self.world.options.mood,
                digest: self.digest.value(),
                steps: self.steps,
                tally: self.tally,
            });
        }
        Err(Box::new(Failure {
            seed: self.world.seed,
            live: false,
            at: self.now,
            broken: self.broken,
            tail: self.tail,
        }))
    }
}
