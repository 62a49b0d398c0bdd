//! A living run: what happens becomes inputs, the engine steps, the steps become
//! durable, and only then is anything done about them.
//!
//! ```text
//! gather ──► step ──► keep ──► carry out
//! ```
//!
//! Invariant: nothing reaches a device or a phone that is not in the journal.
//! Invariant: one task steps the engine; whoever else has something to say puts it
//! into the inbox.

pub mod alarms;
pub mod clock;
pub mod contacts;
pub mod control;
pub mod devices;
pub mod exposures;
pub mod feeds;
pub mod journal;
pub mod launch;
pub mod log;
pub mod metrics;
pub mod numbering;
pub mod outward;
pub mod racks;
pub mod signals;
pub mod status;
pub mod trays;
pub mod watchdog;
pub mod wire;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use engine::capacity::{self, Actor, Body};
use engine::journal::Step;
use engine::{
    Change, Engine, Event, Input, Notice, Output, Person, Receipt, Request, Signal, Site,
};
use tokio::sync::mpsc::Receiver;
use tokio::sync::{oneshot, watch};
use tracing::{error, info, warn};
use units::{Interval, Seconds, Timestamp};

use alarms::Alarms;
use clock::Clock;
use devices::Devices;
use journal::{Journal, Recovered, record_of};
use numbering::Numbering;
use racks::Racks;
use signals::Signals;
use status::Board;
use watchdog::Watchdog;
use wire::ToSite;

/// How long one decided interval is.
pub const INTERVAL: Seconds = Seconds::minutes(5);

/// How often every machine is looked at, in the site's time.
const SURVEY_EVERY: Seconds = Seconds::from_seconds(30);

/// How often meters are asked again for an interval that is missing.
const METERS_EVERY: Seconds = Seconds::from_seconds(10);

/// The loop comes round at least this often, by the wall.
const TURN_EVERY: Duration = Duration::from_secs(5);

/// The most that is taken in before it is made durable together.
const GATHER_MAX: usize = 256;

/// The most that is rehearsed in one turn: each takes a copy of the engine.
const REHEARSALS_MAX: usize = 4;

/// How long to wait before the journal is tried again.
const JOURNAL_AGAIN: Duration = Duration::from_secs(1);

/// What took longer to become durable is about a site that has moved on.
const KEPT_IN_TIME: Duration = Duration::from_secs(5);

/// Everything that can happen to a living run.
#[derive(Debug)]
pub enum Happened {
    /// Machines were seen.
    Seen(Receipt),
    /// Something became known.
    Heard(Signal),
    /// A person asks for something, and waits for the answer.
    Asked {
        /// Who.
        by: Person,
        /// What.
        request: Request,
        /// Where the answer goes once it is durable.
        answer: oneshot::Sender<Vec<Output>>,
    },
    /// A person had the site file read anew, and waits for the answer.
    Changed {
        /// Who.
        by: Person,
        /// What it says.
        site: Box<Site>,
        /// Where the answer goes once it is durable.
        answer: oneshot::Sender<Vec<Output>>,
    },
    /// Something happened to racks or to who has them.
    Estate {
        /// Who says so.
        by: Actor,
        /// What it is.
        body: Box<Body>,
        /// Where the answer goes once it is durable, where somebody waits for it.
        answer: Option<oneshot::Sender<Vec<Output>>>,
    },
    /// Somebody wants to know what would come of an event, which does not happen.
    Rehearsed {
        /// What would happen.
        event: Box<Event>,
        /// Where the answer goes.
        answer: oneshot::Sender<Vec<Output>>,
    },
    /// The program's own trouble began or ended.
    Trouble(engine::Trouble, bool),
    /// The link to the site was lost.
    LinkLost,
    /// It is there again.
    LinkBack {
        /// What the site's loads are called, in the order in which it numbers them.
        loads: Vec<String>,
    },
    /// It is time to stop, and who says so; nobody when the time is up.
    Stop(Option<Person>),
}

/// A step, and how the site numbered loads when it was made.
#[derive(Debug)]
pub struct Stepped {
    /// What happened and what it led to, as the program numbers loads.
    pub step: Step,
    loads: Arc<Numbering>,
}

/// A living run.
pub struct Live {
    /// The one engine.
    pub engine: Engine,
    /// Where every step is durable.
    pub journal: Journal,
    /// The site.
    pub devices: Devices,
    /// Its racks, where there are any.
    pub racks: Racks,
    /// The site's time.
    pub clock: Clock,
    /// What is known when, from files.
    pub signals: Signals,
    /// What happened and waits.
    pub inbox: Receiver<Happened>,
    /// What others may look at.
    pub board: Board,
    /// Takes alarms to people.
    pub alarms: Alarms,
    /// Ends the process when the loop does not come round.
    pub watchdog: Watchdog,
    /// What the site's loads are called, in the order in which it numbers them.
    pub site_loads: Vec<String>,
    /// Told of every site file that is decided by.
    pub changed: watch::Sender<Arc<Site>>,
    /// What loops and timers remember.
    pub rounds: Rounds,
}

/// When things were last done that are done from time to time.
#[derive(Debug, Default)]
pub struct Rounds {
    surveyed_at: Option<Timestamp>,
    meters_asked_at: Option<Timestamp>,
    waiting: Vec<(oneshot::Sender<Vec<Output>>, usize)>,
    answers: Vec<(oneshot::Sender<Vec<Output>>, Vec<Output>)>,
    rehearsals: Vec<(Box<Event>, oneshot::Sender<Vec<Output>>)>,
    numbering: Arc<Numbering>,
    stopping: bool,
    /// Who ends the run, where a person does.
    stopped_by: Option<Person>,
}

impl Live {
    /// Lives until it is told to stop. `resumed` is what was made durable at the start
    /// and has still to be carried out.
    pub async fn run(mut self, resumed: Vec<Step>) -> anyhow::Result<()> {
        self.number_loads();
        let loads = &self.rounds.numbering;
        let resumed =
            resumed.into_iter().map(|step| Stepped { step, loads: Arc::clone(loads) });
        self.carry_out(resumed.collect());
        while !self.rounds.stopping {
            let events = self.gather().await;
            self.board.gathered();
            let mut steps = self.step(events);
            while !self.keep(&steps).await? {
                self.carry_out_late(steps);
                steps = self.step(vec![Event::Resume]);
            }
            self.carry_out(steps);
            self.ask_round();
            self.board.show(&self.engine, self.clock.now(), self.journal.seq());
            self.answer();
            self.watchdog.came_round();
        }
        info!(event = "stopped", seq = self.journal.seq());
        let by = self.rounds.stopped_by.as_ref();
        self.journal.end(&self.engine, by).await.context("cannot end the journal")
    }

    /// What happened, in the order it reached us, or what it is time for.
    async fn gather(&mut self) -> Vec<Event> {
        let due = self.clock.until(self.next_due()).min(TURN_EVERY);
        let first = match tokio::time::timeout(due, self.inbox.recv()).await {
            Ok(Some(happened)) => Some(happened),
            Ok(None) => Some(Happened::Stop(None)),
            Err(_) => None,
        };
        let mut events = Vec::new();
        let mut next = first;
        while let Some(happened) = next {
            self.understand(happened, &mut events);
            let has_room = events.len() < GATHER_MAX
                && self.rounds.rehearsals.len() < REHEARSALS_MAX;
            next = has_room.then(|| self.inbox.try_recv().ok()).flatten();
        }
        let now = self.clock.now();
        events.extend(self.signals.known_by(now).map(Event::Signal));
        events.extend(self.time_for(now));
        events
    }

    /// When something is due without anything happening.
    fn next_due(&self) -> Timestamp {
        let (wake, _) = self.engine.next_wake();
        let signal = self.signals.next_at();
        let survey = self.rounds.surveyed_at.map(|at| at + SURVEY_EVERY);
        [Some(wake), signal, survey].into_iter().flatten().min().expect("a wake")
    }

    /// The tick or the wake that is due.
    fn time_for(&self, now: Timestamp) -> Option<Event> {
        let decided = self.engine.interval().is_some_and(|interval| now < interval.end);
        if !decided {
            return Some(Event::Tick(Interval::starting(now.floor(INTERVAL), INTERVAL)));
        }
        (self.engine.next_wake().0 <= now).then_some(Event::Wake)
    }

    fn understand(&mut self, happened: Happened, events: &mut Vec<Event>) {
        match happened {
            Happened::Seen(receipt) => events.push(Event::Receipt(receipt)),
            Happened::Heard(signal) => events.push(Event::Signal(signal)),
            Happened::Asked { by, request, answer } => {
                info!(event = "asked", by = by.name, role = by.role, request = ?request);
                self.rounds.waiting.push((answer, events.len()));
                events.push(Event::Operator { by, request });
            }
            Happened::Changed { by, site, answer } => {
                info!(event = "changed", by = by.name, role = by.role);
                self.rounds.waiting.push((answer, events.len()));
                events.push(Event::Change(Change::Site(site)));
            }
            Happened::Estate { by, body, answer } => {
                if let Some(answer) = answer {
                    info!(event = "asked", by = %by, racks = ?body);
                    self.rounds.waiting.push((answer, events.len()));
                }
                events.push(of_racks(self.engine.at(), by, *body));
            }
            Happened::Rehearsed { event, answer } => {
                self.rounds.rehearsals.push((event, answer));
            }
            Happened::Trouble(what, standing) => {
                events.push(Event::Trouble { what, standing });
            }
            Happened::LinkLost => {
                warn!(event = "link_lost", "the site is not heard");
                let what = engine::Trouble::SiteLinkLost;
                events.push(Event::Trouble { what, standing: true });
            }
            Happened::LinkBack { loads } => {
                info!(event = "link_back");
                self.site_loads = loads;
                let what = engine::Trouble::SiteLinkLost;
                events.push(Event::Trouble { what, standing: false });
                self.rounds.surveyed_at = None;
            }
            Happened::Stop(by) => {
                self.rounds.stopping = true;
                self.rounds.stopped_by = by;
            }
        }
    }

    /// Hands every event to the engine at the present time.
    fn step(&mut self, events: Vec<Event>) -> Vec<Stepped> {
        let mut steps = Vec::with_capacity(events.len());
        self.number_loads();
        for event in events {
            let at = self.clock.now().max(self.engine.at());
            let event = match event {
                Event::Receipt(seen) => {
                    Event::Receipt(self.rounds.numbering.receipt(seen))
                }
                Event::Signal(heard) => {
                    Event::Signal(self.rounds.numbering.signal(heard))
                }
                Event::Estate(happened) => of_racks(at, happened.by, happened.body),
                event @ (Event::Tick(_)
                | Event::Wake
                | Event::Operator { .. }
                | Event::Change(_)
                | Event::Resume
                | Event::Trouble { .. }) => event,
            };
            let input = Input { at, event };
            let began = Instant::now();
            let outputs = self.engine.step(&input);
            if outputs.iter().any(|output| matches!(output, Output::Dispatch(_))) {
                self.board.decided_in(began.elapsed());
            }
            if matches!(input.event, Event::Change(_)) {
                self.number_loads();
                self.changed.send_replace(Arc::new(self.engine.state().site.clone()));
            }
            let loads = Arc::clone(&self.rounds.numbering);
            steps.push(Stepped { step: Step { input, outputs }, loads });
        }
        steps
    }

    /// Puts the program's loads beside the site's: either's order may have changed.
    fn number_loads(&mut self) {
        let site = &self.engine.state().site;
        let numbering = Numbering::of(site, &self.site_loads);
        if numbering == *self.rounds.numbering {
            return;
        }
        for load in numbering.missing(site) {
            warn!(event = "load_missing", load, "the site has no load of this name");
        }
        self.rounds.numbering = Arc::new(numbering);
    }

    /// Makes steps durable, and says whether that was in time to do what they say.
    /// While the journal cannot be written nothing is done: leases end, and the site
    /// falls to where it is safe.
    async fn keep(&mut self, steps: &[Stepped]) -> anyhow::Result<bool> {
        let began = Instant::now();
        let mut records: Vec<_> =
            steps.iter().map(|stepped| record_of(&stepped.step)).collect();
        records.extend(self.alarms.outcomes(&self.engine, self.journal.seq()));
        if records.is_empty() {
            return Ok(true);
        }
        let mut failed = false;
        while let Err(error) = self.journal.append(&records).await {
            self.board.journal_failed(&error);
            self.alarms.journal_failed(&error, self.clock.now());
            if !error.may_pass() {
                return Err(error).context("cannot write the journal");
            }
            if !failed {
                error!(event = "journal_failed", error = %error, "nothing is done until it is durable");
            }
            failed = true;
            tokio::time::sleep(JOURNAL_AGAIN).await;
            self.watchdog.came_round();
        }
        if failed {
            info!(event = "journal_back");
            self.board.journal_back();
            self.alarms.journal_back();
        }
        // A state that could not be kept is kept another time.
        if let Err(error) = self.journal.keep_state(&self.engine, false).await {
            warn!(event = "state_not_kept", error = %error);
        }
        Ok(began.elapsed() < KEPT_IN_TIME)
    }

    /// Does what the engine said, but orders nothing: the orders were decided before
    /// an outage, machines have fallen back meanwhile, and the engine is told so.
    fn carry_out_late(&mut self, mut steps: Vec<Stepped>) {
        warn!(event = "orders_too_late", "machines are looked at before the next order");
        for stepped in &mut steps {
            let outputs = &mut stepped.step.outputs;
            outputs
                .retain(|output| !matches!(output, Output::Orders(_) | Output::Keep(_)));
        }
        self.carry_out(steps);
    }

    /// Does what the engine said. What the site does not hear stays unanswered,
    /// and the engine reads it back.
    fn carry_out(&mut self, steps: Vec<Stepped>) {
        let mut answers = std::mem::take(&mut self.rounds.waiting).into_iter().peekable();
        for (place, Stepped { step, loads }) in steps.into_iter().enumerate() {
            if let Some((answer, _)) = answers.next_if(|(_, of)| *of == place) {
                self.rounds.answers.push((answer, step.outputs.clone()));
            }
            for output in step.outputs {
                self.board.happened(&output);
                match output {
                    Output::Orders(batch) => {
                        self.devices.say(ToSite::Orders(loads.orders(batch)));
                    }
                    Output::Keep(lease) => self.devices.say(ToSite::Keep(lease)),
                    Output::ReadBack(asked) => {
                        self.devices.say(ToSite::Look(loads.asked(asked)));
                    }
                    Output::Alarm(change) => self.alarms.tell(&self.engine, &change),
                    Output::Dispatch(dispatch) => {
                        self.devices.say(ToSite::Weather(dispatch.outside));
                    }
                    Output::Estate(followed) => self.racks.carry_out(&followed),
                    Output::Metered(_) | Output::Notice(_) => {}
                }
            }
        }
    }

    /// Answers those who asked, when it is durable, done, and to be seen.
    fn answer(&mut self) {
        for (answer, outputs) in self.rounds.answers.drain(..) {
            // Whoever asked may have left.
            drop(answer.send(outputs));
        }
        // What only would happen, happens to a copy, which is forgotten.
        for (event, answer) in self.rounds.rehearsals.drain(..) {
            let at = self.clock.now().max(self.engine.at());
            let mut event = *event;
            if let Event::Estate(asked) = &mut event {
                asked.at = at;
            }
            let outputs = self.engine.clone().step(&Input { at, event });
            drop(answer.send(outputs));
        }
    }

    /// Looks at every machine and reads the meters, when it is time to.
    fn ask_round(&mut self) {
        let now = self.clock.now();
        let is_due =
            |last: Option<Timestamp>, every| last.is_none_or(|at| now >= at + every);
        if is_due(self.rounds.surveyed_at, SURVEY_EVERY) {
            self.devices.say(ToSite::Survey);
            self.rounds.surveyed_at = Some(now);
        }
        let metered_to = self.engine.metered_to();
        if now.floor(INTERVAL) > metered_to
            && is_due(self.rounds.meters_asked_at, METERS_EVERY)
        {
            self.devices.say(ToSite::MetersFrom(metered_to));
            self.rounds.meters_asked_at = Some(now);
        }
    }
}

/// What happened to racks, as it reached us at `at`.
fn of_racks(at: Timestamp, by: Actor, body: Body) -> Event {
    Event::Estate(Box::new(capacity::Event { at, by, body }))
}

/// Goes on with a run: the engine as it was, told that nobody watched, that the site
/// file may have changed meanwhile, and of racks that a record of their own was kept of
/// until now.
pub async fn resume(
    recovered: Recovered,
    site: &Site,
    estate: Vec<capacity::Event>,
    now: Timestamp,
) -> anyhow::Result<(Engine, Journal, Vec<Step>)> {
    let Recovered { mut engine, mut journal, folded, notes } = recovered;
    let known = &engine.state().site.name;
    if *known != site.name {
        bail!(
            "the record is of the site `{known}`, the site file of `{}`; name the folder of \
             this site's own run with --data, or a new one",
            site.name
        );
    }
    for note in notes {
        warn!(event = "recovered", note);
    }
    info!(event = "recovered", folded, seq = journal.seq(), at = %engine.at());
    let at = now.max(engine.at());
    let mut events = vec![Event::Resume];
    if engine.state().site != *site {
        events.insert(0, Event::Change(Change::Site(Box::new(site.clone()))));
    }
    if engine.estate().is_some() && !estate.is_empty() {
        info!(event = "racks_known", "the record of racks was taken over before");
    } else {
        events
            .extend(estate.into_iter().map(|happened| Event::Estate(Box::new(happened))));
    }
    let mut steps = Vec::new();
    for event in events {
        let input = Input { at, event };
        let outputs = engine.step(&input);
        let refused = outputs.iter().find_map(|output| match output {
            Output::Notice(Notice::EstateRefused { why, .. }) => Some(why),
            Output::Dispatch(_)
            | Output::Orders(_)
            | Output::ReadBack(_)
            | Output::Keep(_)
            | Output::Metered(_)
            | Output::Notice(_)
            | Output::Alarm(_)
            | Output::Estate(_) => None,
        });
        if let Some(why) = refused {
            bail!("the record of racks cannot be taken over: {why}");
        }
        steps.push(Step { input, outputs });
    }
    let records: Vec<_> = steps.iter().map(record_of).collect();
    journal.append(&records).await.context("cannot write the journal")?;
    Ok((engine, journal, steps))
}
