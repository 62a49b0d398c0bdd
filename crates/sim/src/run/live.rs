//! Runs a live world: the engine as a process that can die, a campus that
//! outlives it, the record between them, and every checker after every step.
//!
//! A step is made durable before anything is done about it. A second engine steps
//! through the record and a third one folds it; all three have to stay the same to
//! the byte. A process that dies loses all but the record and its last snapshot,
//! and comes back from those alone.
//!
//! ```
//! let proof = sim::run::live::prove(1).unwrap_or_else(|failure| panic!("{failure}"));
//! assert!(proof.steps > 100);
//! ```

mod counts;
mod network;
mod outage;
mod posted;
mod record;
mod registers;
mod tenants;

pub use counts::{Counts, Fault, Invariant, Proof};

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use engine::capacity;
use engine::site::{ForecastFrom, Site};
use engine::{
    Change, Engine, Event, Input, Known, Notice, Order, OrderBatch, Output, ReadBack,
    Receipt, Signal, Source,
};
use units::{Interval, Seconds, Timestamp};

use super::digest::Digest;
use super::report::Failure;
use super::trial;
use crate::campus::{Answer, Campus};
use crate::checkers::live::Checkers;
use crate::seed::{Generator, generator, sub_seed};
use crate::world::LiveWorld;
use network::Network;
use outage::Outage;
use record::Record;
use registers::Registers;
use tenants::{LOOKED_AT_EVERY, Tenants};

/// What the columns of a tick's line are.
pub const LEGEND: &str = "\
time of the tick | generation, ! in an emergency | import limit, dispatched, counted at \
worst and true draw in MW | machines silent, defiant, unanswered | lives of the process";

/// Every machine is asked how it is this often.
const SURVEY_EVERY: Seconds = Seconds::from_seconds(30);

/// A process that waits for its tick comes round at least this often.
const COMES_ROUND: Seconds = Seconds::from_seconds(20);

/// A site file that was refused is read again after this.
const RELOAD_AFTER: Seconds = Seconds::minutes(10);

/// The bytes of a state for each machine, and for everything else.
const STATE_OF_MACHINE: usize = 64;
const STATE_OF_SITE: usize = 16_384;

/// The bytes of a rack that tenants may have, with who had it, and of what is told of
/// them all.
const STATE_OF_RACK: usize = 2_048;
const STATE_OF_RACKS: usize = 32_768;

/// The bytes of what is expected of a quarter of an hour.
const STATE_OF_QUARTER: usize = 48;

/// The days of quarters that are kept of what a forecaster said: as far as a site
/// looks ahead at the most, and what a price is about at the longest, twice.
const DAYS_TOLD: usize = 5;

/// More steps than this at one instant go on for ever.
const STEPS_AT_ONCE_MAX: u32 = 1_000;

/// Draws the live world of a seed and runs it. An engine that stops is a failure
/// like another.
pub fn prove(seed: u64) -> Result<Proof, Box<Failure>> {
    run(&LiveWorld::draw(seed), |_, _| {}, |_| {})
}

/// Runs a live world. Every durable step goes to `step`, and a line for every tick
/// to `line`.
pub fn run(
    world: &LiveWorld,
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

/// What is still to come, by time; at one instant whoever is started comes first,
/// so that it hears the rest, and ticks last.
type Queue = BTreeMap<(Timestamp, Rank, u64), Coming>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Calm,
    Restart,
    Reading,
    Arrival,
    Tick,
}

#[derive(Clone, Debug)]
enum Coming {
    /// Faults stop.
    Calm,
    /// The energy meters are read.
    Reading,
    /// The interconnection is read.
    Draw,
    /// Every machine is asked how it is.
    Survey,
    /// What the meters said last arrives over and over.
    Flood,
    /// Something from outside.
    Outside(Event),
    /// Whoever looks at racks that tenants may have does.
    Looks,
    /// Something happens to them.
    Racks,
    /// A receipt arrives at the process that asked for it, if that still lives.
    Receipt { life: u32, receipt: Receipt },
    /// The process is started again.
    Restart,
    /// The journal can be written again.
    JournalBack,
    /// The site file is read once more: it was refused while somebody worked on what
    /// it lacks.
    Reload,
    /// An interval is to be decided.
    Tick(Interval),
}

/// Where in a step a process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Death {
    /// What it had heard and decided is lost.
    BeforeTheRecord,
    /// So many effects were carried out; of an order batch that is next, so many
    /// orders in a million went out.
    AfterEffects { whole: usize, of_next_ppm: i64 },
}

struct Runner<'a> {
    world: &'a LiveWorld,
    /// The process, while it lives.
    engine: Option<Engine>,
    /// Steps through every input of the record.
    twin: Engine,
    /// Folds every step of the record.
    folded: Engine,
    record: Record,
    /// Which life of the process this is.
    life: u32,
    /// While the journal cannot be written.
    outage: Option<Outage>,
    campus: Campus,
    network: Network,
    registers: Registers,
    tenants: Tenants,
    /// What the site file says now.
    site_file: Site,
    checkers: Checkers,
    counts: Counts,
    queue: Queue,
    serial: u64,
    now: Timestamp,
    last_wake: Option<Timestamp>,
    /// What the meters said last.
    last_sweep: Option<Signal>,
    last_draw: Option<Signal>,
    ticked: Option<Interval>,
    digest: Digest,
    steps: u64,
    /// Whether the record of before the run is taken over: the process lives through it.
    taking_over: bool,
    /// Of those, how many at the last instant.
    steps_now: u32,
    stepped_at: Timestamp,
    draw_every: Seconds,
    tail: Vec<String>,
    broken: Vec<String>,
    step: &'a mut dyn FnMut(&Input, &[Output]),
    line: &'a mut dyn FnMut(&str),
}

impl<'a> Runner<'a> {
    fn of(
        world: &'a LiveWorld,
        step: &'a mut dyn FnMut(&Input, &[Output]),
        line: &'a mut dyn FnMut(&str),
    ) -> Self {
        let (site, start) = (world.world.site.clone(), world.world.start);
        let engine = Engine::live(site.clone(), start);
        let campus_seed = sub_seed(world.world.seed, "campus");
        let mut pace = generator(world.world.seed, "pace");
        let mut runner = Self {
            world,
            twin: engine.clone(),
            folded: engine.clone(),
            record: Record::of(&engine),
            engine: Some(engine),
            life: 0,
            outage: None,
            campus: Campus::new(site.clone(), campus_seed, world.mishaps.tempers, start),
            network: Network::of(world),
            registers: Registers::of(&site, start),
            tenants: Tenants::default(),
            taking_over: false,
            checkers: Checkers::of(world),
            counts: Counts::default(),
            site_file: site,
            queue: Queue::new(),
            serial: 0,
            now: start,
            last_wake: None,
            last_sweep: None,
            last_draw: None,
            ticked: None,
            digest: Digest::default(),
            steps: 0,
            steps_now: 0,
            stepped_at: start,
            // A meter that is not heard for ten seconds counts as silent.
            draw_every: Seconds::from_seconds(pace.integer(5..=9)),
            tail: Vec::new(),
            broken: Vec::new(),
            step,
            line,
        };
        if world.world.options.mood != "calm" {
            runner.counts.fault(Fault::F9);
        }
        for happening in &world.world.happenings {
            let event = Coming::Outside(happening.event.clone());
            runner.expect(happening.at, Rank::Arrival, event);
        }
        for flood in &world.floods {
            runner.expect(*flood, Rank::Reading, Coming::Flood);
        }
        if world.estate.is_some() {
            let mut draws = generator(world.world.seed, "tenants");
            runner.expect(start + LOOKED_AT_EVERY, Rank::Reading, Coming::Looks);
            for place in 0..world.world.intervals_faulty {
                if draws.chance(500_000) {
                    let interval = world.world.interval(place);
                    let after = draws.below(world.world.step.as_seconds() as u64) as i64;
                    let at = interval.start + Seconds::from_seconds(after);
                    runner.expect(at, Rank::Arrival, Coming::Racks);
                }
            }
        }
        for place in 0..world.world.intervals_faulty + world.world.intervals_calm {
            let interval = world.world.interval(place);
            let at = interval.start + runner.network.tick_delay(interval.start);
            runner.expect(at, Rank::Tick, Coming::Tick(interval));
            runner.expect(interval.end, Rank::Reading, Coming::Reading);
        }
        runner.expect(world.world.calm_from(), Rank::Calm, Coming::Calm);
        runner.expect(start, Rank::Reading, Coming::Survey);
        runner.expect(start + runner.draw_every, Rank::Reading, Coming::Draw);
        runner
    }

    fn expect(&mut self, at: Timestamp, rank: Rank, coming: Coming) {
        self.serial += 1;
        self.queue.insert((at, rank, self.serial), coming);
    }

    fn run(&mut self) {
        self.input(Event::Resume);
        self.take_over();
        while self.broken.is_empty() {
            let Some((&(at, ..), _)) = self.queue.first_key_value() else { break };
            if at > self.world.world.end() {
                break;
            }
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
            self.at_the_end();
        }
    }

    /// When the engine wants to be woken, if that is before `at`. A tick that is
    /// late is late: it does not help to be woken for it, but the loop comes round.
    fn wake_before(&self, at: Timestamp) -> Option<Timestamp> {
        let engine = self.engine.as_ref().filter(|_| self.works())?;
        let (wake, _) = engine.next_wake();
        let for_a_tick = self.ticked.is_none_or(|interval| wake >= interval.end);
        let wake = if for_a_tick { wake.max(self.now) + COMES_ROUND } else { wake };
        (self.now <= wake && wake < at).then_some(wake)
    }

    fn wake(&mut self, wake: Timestamp) {
        if self.last_wake == Some(wake) {
            let why = self.engine.as_ref().map(|engine| engine.next_wake().1);
            self.broken.push(format!("asks to be woken twice at {wake}: {why:?}"));
            return;
        }
        self.last_wake = Some(wake);
        self.pass_time(wake);
        self.input(Event::Wake);
    }

    /// Whether a process lives and can keep what it does.
    fn works(&self) -> bool {
        self.engine.is_some() && self.outage.is_none()
    }

    fn pass_time(&mut self, to: Timestamp) {
        self.campus.advance(to);
        self.now = to;
        let alive = self.works();
        self.checkers.time_passed(to, &self.campus, alive, &mut self.counts);
        self.broken.extend(self.checkers.broken());
    }

    fn meet(&mut self, coming: Coming) {
        match coming {
            Coming::Calm => {
                self.campus.calm();
                if let Some(estate) = self.folded.estate() {
                    self.tenants.mend(estate);
                }
            }
            Coming::Reading => self.read_meters(),
            Coming::Draw => self.read_interconnection(),
            Coming::Survey => self.survey(),
            Coming::Flood => self.flood(),
            Coming::Outside(event) => self.outside(event),
            Coming::Looks => self.look_at_racks(),
            Coming::Racks => self.something_of_racks(),
            Coming::Receipt { life, receipt } => {
                if life == self.life {
                    self.input(Event::Receipt(receipt));
                }
            }
            Coming::Restart => self.restart(),
            Coming::JournalBack => self.journal_is_back(),
            Coming::Reload => {
                let site = Box::new(self.site_file.clone());
                self.input(Event::Change(Change::Site(site)));
            }
            Coming::Tick(interval) => self.tick(interval),
        }
    }

    fn outside(&mut self, event: Event) {
        match &event {
            Event::Change(Change::Site(site)) => {
                self.counts.fault(Fault::F12);
                self.registers.read(&mut self.campus, self.now);
                self.site_file = (**site).clone();
                self.campus.change(self.site_file.clone());
                self.checkers.site_changed();
            }
            Event::Operator { .. } => {
                self.counts.fault(Fault::F11);
                self.counts.note("requests");
            }
            Event::Signal(Signal::Instruction(_)) => self.counts.note("instructions"),
            Event::Signal(_)
            | Event::Tick(_)
            | Event::Wake
            | Event::Receipt(_)
            | Event::Trouble { .. }
            | Event::Resume
            | Event::Estate(_) => {}
        }
        self.input(event);
    }

    /// The interval's energy goes to the engine, from where its last reading ended.
    fn read_meters(&mut self) {
        self.registers.read(&mut self.campus, self.now);
        if self.works()
            && let Some(sweep) = self.registers.since_last_metered(self.now)
        {
            let said = Signal::Sweep(sweep);
            self.last_sweep = Some(said.clone());
            self.input(Event::Signal(said));
        }
    }

    fn read_interconnection(&mut self) {
        self.expect(self.now + self.draw_every, Rank::Reading, Coming::Draw);
        let shown = self.campus.show();
        let Some(shown) = shown.filter(|_| !self.network.draw_is_lost(self.now)) else {
            self.counts.fault(Fault::F8);
            return;
        };
        let during = Interval::starting(self.now, Seconds::from_seconds(1));
        let (known_at, source) = (self.now, Source::Meter);
        let said = Signal::Draw(Known { value: shown, during, known_at, source });
        self.last_draw = Some(said.clone());
        self.input(Event::Signal(said));
    }

    fn survey(&mut self) {
        self.expect(self.now + SURVEY_EVERY, Rank::Reading, Coming::Survey);
        if self.works() {
            let receipt = self.campus.survey();
            self.answers(vec![Answer { after: Seconds::from_seconds(1), receipt }]);
        }
    }

    /// What happened to racks before the run is told at its start.
    fn take_over(&mut self) {
        let Some(standing) = &self.world.estate else { return };
        self.taking_over = true;
        for event in &standing.events {
            self.input(Event::Estate(Box::new(event.clone())));
        }
        self.taking_over = false;
        let site = &self.world.world.site;
        assert!(site.loads[standing.load].may_be_promised(), "racks are tied to a load");
        self.counts.note("sites with an estate");
    }

    fn look_at_racks(&mut self) {
        self.expect(self.now + LOOKED_AT_EVERY, Rank::Reading, Coming::Looks);
        let Some(estate) = self.folded.estate().filter(|_| self.works()) else { return };
        if let Some(event) = self.tenants.look(estate, self.now) {
            self.input(Event::Estate(Box::new(event)));
        }
    }

    fn something_of_racks(&mut self) {
        let mut draws = self.draws("racks");
        let Some(estate) = self.folded.estate().filter(|_| self.works()) else { return };
        if let Some(event) = self.tenants.happens(estate, self.now, &mut draws) {
            self.counts.note("events of racks");
            self.input(Event::Estate(Box::new(event)));
        }
    }

    /// The meters' last words, many times over.
    fn flood(&mut self) {
        self.counts.fault(Fault::F13);
        self.counts.note("floods");
        let said = [self.last_sweep.clone(), self.last_draw.clone()];
        for signal in said.into_iter().flatten().cycle().take(40) {
            self.input(Event::Signal(signal));
        }
    }

    /// Answers go over the network.
    fn answers(&mut self, answers: Vec<Answer>) {
        for (place, answer) in answers.into_iter().enumerate() {
            let at = self.now + answer.after;
            let arrivals = self.network.arrivals(self.now, place, at);
            if arrivals[..] != [at] {
                self.counts.fault(Fault::F5);
                self.counts.note("receipts late, lost or repeated");
            }
            for at in arrivals {
                let receipt = answer.receipt.clone();
                let coming = Coming::Receipt { life: self.life, receipt };
                self.expect(at, Rank::Arrival, coming);
            }
        }
    }

    fn tick(&mut self, interval: Interval) {
        let Some(engine) = self.engine.as_ref().filter(|_| self.works()) else { return };
        // A process that was started in between has decided it already.
        if self.ticked == Some(interval) {
            return;
        }
        let mut draws = self.draws("trial");
        if draws.chance(200_000) {
            self.counts.checked(Invariant::S11);
            self.counts.checked(Invariant::S9);
            self.broken.extend(trial::bad_live_input_changes_nothing(
                engine, self.now, interval, &mut draws,
            ));
        }
        self.ticked = Some(interval);
        self.counts.note("ticks");
        self.input(Event::Tick(interval));
        if let Some(engine) = self.engine.as_ref().filter(|_| self.works()) {
            self.checkers.ticked(self.now, engine, &mut self.counts);
            self.broken.extend(self.checkers.broken());
        }
        let line = self.checkers.line(self.now, &self.campus, self.life);
        (self.line)(&line);
        self.remember(line);
    }

    fn draws(&self, part: &str) -> Generator {
        let seed = sub_seed(self.world.world.seed, part);
        generator(seed, &format!("step {}", self.steps))
    }

    /// Whether the process dies in this step, and where.
    fn death(&self, effects: usize) -> Option<Death> {
        if self.now >= self.world.world.calm_from() || self.taking_over {
            return None;
        }
        let mut draws = self.draws("kill");
        if !draws.chance(self.world.mishaps.kill_ppm) {
            return None;
        }
        let of_next_ppm = draws.integer(0..=1_000_000);
        Some(match draws.below(effects as u64 + 2) as usize {
            0 => Death::BeforeTheRecord,
            place => Death::AfterEffects { whole: place - 1, of_next_ppm },
        })
    }

    /// One step of the process: heard, decided, made durable, carried out.
    fn input(&mut self, event: Event) {
        let Some(engine) = &mut self.engine else {
            self.counts.note("inputs to nobody");
            return;
        };
        if let Some(outage) = &mut self.outage {
            outage.wait(event);
            return;
        }
        let input = Input { at: self.now, event };
        self.steps += 1;
        self.steps_now = if self.stepped_at == self.now { self.steps_now + 1 } else { 0 };
        self.stepped_at = self.now;
        if self.steps_now > STEPS_AT_ONCE_MAX {
            self.broken.push("comes to no rest within one instant".to_owned());
            return;
        }
        let outputs = engine.step(&input);
        let death = self.death(outputs.len());
        if death == Some(Death::BeforeTheRecord) {
            // As with a power that fails: what was not durable is lost.
            self.counts.fault(Fault::F2);
            self.counts.note("deaths before the record");
            self.die();
            return;
        }
        if death.is_none() && !self.taking_over && self.journal_fails(&input, &outputs) {
            return;
        }
        self.keep(&input, &outputs);
        self.carry_out(&outputs, death);
        self.stepped(&input, &outputs);
        if death.is_some() {
            self.counts.note("deaths after the record");
            self.die();
        }
    }

    /// Makes a step durable.
    fn keep(&mut self, input: &Input, outputs: &[Output]) {
        self.record.append(input, outputs);
        self.digest.add_bytes(&record::bytes_of_outputs(outputs));
        (self.step)(input, outputs);
        self.compare(input, outputs);
        for output in outputs {
            match output {
                Output::Metered(metered) => self.registers.metered(metered.during.end),
                Output::Notice(Notice::ChangeLosesLockOut { .. }) => {
                    self.expect(self.now + RELOAD_AFTER, Rank::Arrival, Coming::Reload);
                }
                Output::Dispatch(_)
                | Output::Orders(_)
                | Output::ReadBack(_)
                | Output::Keep(_)
                | Output::Notice(_)
                | Output::Alarm(_)
                | Output::Estate(_) => {}
            }
        }
        self.checkers.recorded(input, outputs, &mut self.counts);
    }

    /// A step was carried out: what broke in it is told with it.
    fn stepped(&mut self, input: &Input, outputs: &[Output]) {
        self.checkers.stepped(input, &mut self.counts);
        let broken = self.checkers.broken();
        if !broken.is_empty() || !self.broken.is_empty() {
            self.remember(format!("{} {input:?}", self.now));
            for output in outputs {
                self.remember(format!("    {output:?}"));
            }
        }
        self.broken.extend(broken);
    }

    /// S8: whoever steps through the record says the same, and whoever folds it
    /// believes the same.
    fn compare(&mut self, input: &Input, outputs: &[Output]) {
        let said = self.twin.step(input);
        if said != outputs {
            self.broken.push(format!(
                "S8: expected the same outputs of the same record at {}, found {said:?}",
                self.now
            ));
        }
        self.folded.fold(self.record.last());
        let Some(engine) = &self.engine else { return };
        let (stepped, folded) =
            (record::bytes_of(engine), record::bytes_of(&self.folded));
        self.counts.checked(Invariant::S8);
        if stepped != folded {
            self.broken.push(format!(
                "S8: expected fold and step to believe the same at {}; {}",
                self.now,
                record::difference(engine, &self.folded)
            ));
        }
        self.counts.checked(Invariant::L7);
        let most = state_most(&self.site_file);
        if stepped.len() > most {
            self.broken.push(format!(
                "L7: expected a state of at most {most} bytes at {}, found {}",
                self.now,
                stepped.len()
            ));
        }
        let mut draws = self.draws("snapshot");
        self.record.may_keep(stepped, &mut draws);
    }

    /// Does what a step asked for, one effect after the other, until the process
    /// dies.
    fn carry_out(&mut self, outputs: &[Output], death: Option<Death>) {
        for (place, output) in outputs.iter().enumerate() {
            match death {
                Some(Death::AfterEffects { whole, of_next_ppm }) if place == whole => {
                    if let Output::Orders(batch) = output {
                        let part = part_of(batch, of_next_ppm);
                        self.obey(output, &part);
                    }
                    return;
                }
                Some(Death::AfterEffects { .. } | Death::BeforeTheRecord) | None => {
                    self.effect(output);
                }
            }
        }
    }

    fn effect(&mut self, output: &Output) {
        match output {
            // The weather a hall has is the weather its operator knows of.
            Output::Dispatch(dispatch) => self.campus.weather(dispatch.outside),
            Output::Orders(batch) => self.obey(output, batch),
            Output::ReadBack(asked) => self.look(output, asked),
            Output::Keep(lease) => {
                self.went_out(output);
                self.campus.keep(lease);
            }
            Output::Metered(_) => self.counts.note("metered intervals"),
            Output::Notice(_) => self.counts.note("notices"),
            Output::Alarm(_) => self.counts.note("alarm changes"),
            Output::Estate(said) => {
                self.counts.note("outputs of the estate");
                self.told_of_racks(output, said);
            }
        }
    }

    /// What a rack's machine is to be told reaches the hall, or is lost on the way.
    fn told_of_racks(&mut self, output: &Output, said: &capacity::Output) {
        if self.network.orders_are_lost(self.now) {
            return;
        }
        self.went_out(output);
        let estate = self.folded.estate().expect("it said something");
        self.tenants.carry_out(estate, said, self.now);
    }

    /// S5: nothing reaches the campus that the record does not have.
    fn went_out(&mut self, output: &Output) {
        self.counts.checked(Invariant::S5);
        if !self.record.last().outputs.contains(output) {
            self.broken.push(format!(
                "S5: expected intent in the record before it goes out, found {output:?}"
            ));
        }
    }

    fn obey(&mut self, output: &Output, batch: &OrderBatch) {
        self.went_out(output);
        if self.network.orders_are_lost(self.now) {
            self.counts.fault(Fault::F5);
            self.counts.note("batches lost");
            return;
        }
        self.counts.note("batches");
        self.checkers.before_orders(batch, &self.campus);
        let answers = self.campus.obey(batch);
        self.checkers.after_orders(self.now, batch, &self.campus, &mut self.counts);
        self.answers(answers);
    }

    fn look(&mut self, output: &Output, asked: &ReadBack) {
        self.went_out(output);
        self.counts.note("read-backs");
        let answers = self.campus.look(asked);
        self.answers(answers);
    }

    /// The process is gone, and comes back in a while.
    fn die(&mut self) {
        self.counts.fault(Fault::F1);
        self.counts.note("deaths");
        self.engine = None;
        self.life += 1;
        self.ticked = None;
        self.last_wake = None;
        let mut draws = self.draws("downtime");
        let seconds = match draws.below(10) {
            0..=4 => draws.integer(1..=20),
            5..=7 => draws.integer(20..=900),
            _ => draws.integer(900..=10_800),
        };
        let calm_from = self.world.world.calm_from();
        let at = (self.now + Seconds::from_seconds(seconds)).min(calm_from);
        self.checkers.unwatched(self.now);
        self.expect(at, Rank::Restart, Coming::Restart);
    }

    /// A process comes back from the last snapshot and the record's tail alone.
    fn restart(&mut self) {
        let engine = self.record.recover();
        self.counts.checked(Invariant::S8);
        let same = [&self.folded, &self.twin].map(record::bytes_of);
        if same.iter().any(|bytes| *bytes != record::bytes_of(&engine)) {
            self.broken.push(format!(
                "recovery: expected the state before the kill; {}",
                record::difference(&self.folded, &engine)
            ));
            return;
        }
        let site_changed = engine.state().site != self.site_file;
        self.engine = Some(engine);
        self.input(Event::Resume);
        if site_changed {
            let site = Box::new(self.site_file.clone());
            self.input(Event::Change(Change::Site(site)));
        }
        if self.works() {
            let receipt = self.campus.survey();
            self.answers(vec![Answer { after: Seconds::from_seconds(2), receipt }]);
        }
        self.tick_at_once();
    }

    /// Who was away decides the interval that it is now.
    fn tick_at_once(&mut self) {
        let step = self.world.world.step;
        let since = (self.now - self.world.world.start).as_seconds();
        let place = (since / step.as_seconds()) as u32;
        self.tick(self.world.world.interval(place));
    }

    /// Nothing went wrong for a good while: everything must have come right.
    fn at_the_end(&mut self) {
        let Some(engine) = &self.engine else {
            self.broken.push("liveness: expected a process, found none".to_owned());
            return;
        };
        self.checkers.ended(self.now, engine, &self.campus, &mut self.counts);
        self.broken.extend(self.checkers.broken());
        self.counts.checked(Invariant::S6);
        let truth = self.registers.total();
        self.broken.extend(self.record.is_metered_once(self.world.world.start, truth));
        let (until, step) = (self.registers.metered_to(), self.world.world.step);
        if self.now - until > step + step {
            self.broken.push(format!("S6: metered until {until} alone, at {}", self.now));
        }
        self.counts.checked(Invariant::S7);
        let (site, seed) = (&self.world.world.site, self.world.world.seed);
        let metered = self.record.metered();
        self.broken.extend(posted::out_of_balance(site, seed, metered, truth));
    }

    fn remember(&mut self, line: String) {
        const KEPT: usize = 24;
        if self.tail.len() == KEPT {
            self.tail.remove(0);
        }
        self.tail.push(line.chars().take(2_000).collect());
    }

    fn finish(self) -> Result<Proof, Box<Failure>> {
        if self.broken.is_empty() {
            return Ok(Proof {
                seed: self.world.world.seed,
                mood: self.world.mishaps.mood,
                digest: self.digest.value(),
                steps: self.steps,
                counts: self.counts,
            });
        }
        Err(Box::new(Failure {
            seed: self.world.world.seed,
            live: true,
            at: self.now,
            broken: self.broken,
            tail: self.tail,
        }))
    }
}

/// The most that an engine's state takes, however long it lives and whatever arrives:
/// so much a machine, and for what people, the grid, markets and forecasters said.
fn state_most(site: &Site) -> usize {
    let machines = site.loads.iter().filter_map(|load| load.machines());
    let machines: usize = machines.map(|machines| machines.count as usize).sum();
    let days = match site.policy.look_ahead.forecast {
        ForecastFrom::Quantile { days, .. } => days.max(4) as usize + 1,
        ForecastFrom::Persistence | ForecastFrom::DayAhead | ForecastFrom::Told => 4,
    };
    let expected = (days + DAYS_TOLD) * 96 * STATE_OF_QUARTER;
    let promised = site.loads.iter().filter(|load| load.may_be_promised());
    let racks: usize = promised
        .filter_map(|load| load.machines())
        .map(|machines| machines.count as usize * STATE_OF_RACK + STATE_OF_RACKS)
        .sum();
    machines * STATE_OF_MACHINE + expected + STATE_OF_SITE + racks
}

/// The orders that went out before the process died: the first ones, and of the
/// next one some of its moves.
fn part_of(batch: &OrderBatch, ppm: i64) -> OrderBatch {
    let machines =
        |order: &Order| order.moves.iter().map(|m| m.machines.len()).sum::<u32>();
    let all: u32 = batch.orders.iter().map(|order| machines(order).max(1)).sum();
    let mut left = (i64::from(all) * ppm / 1_000_000) as u32;
    let mut part = OrderBatch { orders: Vec::new(), ..batch.clone() };
    for order in &batch.orders {
        if left == 0 {
            break;
        }
        let mut cut = order.clone();
        if order.moves.is_empty() {
            left -= 1;
        }
        for one in &mut cut.moves {
            one.machines = one.machines.iter().take(left as usize).collect();
            left -= one.machines.len();
        }
        cut.moves.retain(|one| !one.machines.is_empty());
        part.orders.push(cut);
    }
    part
}
