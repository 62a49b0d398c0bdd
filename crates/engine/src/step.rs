//! The engine's one door: an input in, what to do about it out.

use serde::{Deserialize, Serialize};
use units::{Interval, Power, Seconds, Timestamp};

use crate::act::{Act, Lease, OrderBatch, ReachChanged, ReadBack, Receipt};
use crate::alarm::{AlarmBook, AlarmChange, Trouble, View, next_deadline, what_is_wrong};
use crate::capacity::{self, Estate, Kept};
use crate::decide::{Dispatch, Memo, decide};
use crate::journal::Step;
use crate::meter::{Band, MeteredInterval, meter};
use crate::people::{Accepted, Person, RefusedBecause, Request};
use crate::signals::Signal;
use crate::site::{LoadIx, ProgrammeIx, Site};
use crate::state::{Doubt, Fleet, Lapse, NotUsed, Passed, State};

/// One thing that happened, and when it reached us.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// When it reached us; never decreases.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
}

/// Everything that can happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// Decide this interval.
    Tick(Interval),
    /// Go on between ticks: deadlines, read-backs, staged restore.
    Wake,
    /// Something became known.
    Signal(Signal),
    /// Loads were seen at something.
    Receipt(Receipt),
    /// A person asked for something.
    Operator {
        /// Who.
        by: Person,
        /// What.
        request: Request,
    },
    /// The configuration changed.
    Change(Change),
    /// Something is wrong with the program itself, or is not any more.
    Trouble {
        /// What.
        what: Trouble,
        /// Whether it is wrong.
        standing: bool,
    },
    /// Nobody watched for a while: the process was started, or started again.
    /// Every load may be anywhere until it is seen.
    Resume,
    /// Something happened to racks or to who has them. It is not later than the
    /// input; a record that was kept elsewhere may be earlier.
    Estate(Box<capacity::Event>),
}

/// What can change in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// The site file, read anew.
    Site(Box<Site>),
}

/// What to do about an input.
#[expect(clippy::large_enum_variant, reason = "few are made, and none is kept for long")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Output {
    /// The decision, with its reasons.
    Dispatch(Dispatch),
    /// Orders to loads.
    Orders(OrderBatch),
    /// Loads to be looked at.
    ReadBack(ReadBack),
    /// Every load may go on as it was last ordered until then.
    Keep(Lease),
    /// What was drawn and what it became.
    Metered(MeteredInterval),
    /// Something a person should see.
    Notice(Notice),
    /// An alarm was raised, has changed or is over.
    Alarm(AlarmChange),
    /// What follows for racks and who has them.
    Estate(capacity::Output),
}

/// Something a person should see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Notice {
    /// A signal was about a time nobody could know yet; it was dropped.
    FromTheFuture {
        /// When it said it could first be known.
        known_at: Timestamp,
    },
    /// A request was granted.
    Accepted(Accepted),
    /// The meters' interval, or a part of it, was taken in before.
    MeteredAlready {
        /// The interval.
        during: Interval,
    },
    /// What a feed said is not used for anything.
    NotUsed {
        /// Under which programme it was said.
        programme: ProgrammeIx,
        /// Why.
        why: NotUsed,
    },
    /// What a person asked for would relax a limit: another has to agree.
    WaitsForAnother {
        /// Under which programme.
        programme: ProgrammeIx,
        /// The instruction's name.
        name: String,
        /// Until when.
        until: Timestamp,
    },
    /// Something came about by itself as time passed.
    Lapsed(Lapse),
    /// What the interconnection meter shows now is not believed.
    DrawNotBelieved {
        /// What it shows.
        draw: Power,
        /// Why.
        why: Doubt,
    },
    /// The interconnection meter is silent: the most of the last hour counts as
    /// drawn beyond what loads explain.
    DrawUnknown,
    /// A request was refused.
    Refused {
        /// Why.
        why: RefusedBecause,
    },
    /// A changed site was not taken over: it does not have what a person works on
    /// any more. Release it, or keep it in the site file.
    ChangeLosesLockOut {
        /// Which load, by name.
        load: String,
        /// The role that locked it out.
        role: String,
    },
    /// What was said about racks was not taken in.
    EstateRefused {
        /// Who said it.
        by: capacity::Actor,
        /// Why.
        why: capacity::Refused,
    },
}

/// The engine: the state of one site and what is being done about it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Engine {
    state: State,
    #[serde(skip)]
    memo: Memo,
    act: Act,
    band: Band,
    interval: Option<Interval>,
    at: Timestamp,
    /// Up to when the meters' intervals were taken in.
    metered_to: Timestamp,
    alarms: AlarmBook,
    /// The site's racks and who has them; nothing where none were ever told of.
    estate: Option<Box<Kept>>,
}

/// What no load explains is decided on again when it rose by so much, or by one
/// part in two hundred of the limit if that is more.
const WORTH_DECIDING: Power = Power::from_kw(50);

/// Above the limit, any rise is decided on, but not more often than this.
const DECIDE_AGAIN_AFTER: Seconds = Seconds::from_seconds(5);

/// What an input calls for, beyond being taken in.
enum CallsFor {
    Nothing,
    GoingOn,
    Decision { interval: Interval, emergency: bool },
}

impl Engine {
    /// An engine for `site` that starts at `at`, with every load at rest and
    /// each group of like machines one ideal device: for history and plans.
    pub fn new(site: Site, at: Timestamp) -> Self {
        Self::over(State::new(site), at)
    }

    /// An engine for `site` that starts at `at` and knows it machine by machine:
    /// for devices that are there. Its first input is [`Event::Resume`].
    pub fn live(site: Site, at: Timestamp) -> Self {
        Self::over(State::by_machine(site), at)
    }

    fn over(state: State, at: Timestamp) -> Self {
        let act = Act::idle(&state);
        let band = Band::of(&state);
        let alarms = AlarmBook::default();
        let memo = Memo::default();
        let (interval, metered_to, estate) = (None, at, None);
        Self { state, memo, act, band, interval, at, metered_to, alarms, estate }
    }

    /// Takes in one thing that happened and returns what to do about it.
    pub fn step(&mut self, input: &Input) -> Vec<Output> {
        let mut outputs = Vec::new();
        let asked = self.asked_before(input);
        match self.take_in(input, &mut outputs, None) {
            CallsFor::Nothing => {
                // Whoever hears of anything watches, also where a tick is late.
                if self.act.lease_runs_out(&self.state, self.at) {
                    self.keep_leases(&mut outputs);
                }
                self.answer(asked, &mut outputs);
                self.review_alarms(&mut outputs);
                return outputs;
            }
            CallsFor::GoingOn => {}
            CallsFor::Decision { interval, emergency } => {
                self.decide(interval, emergency, &mut outputs);
            }
        }
        self.decide_again_if_reach_changed(&mut outputs);
        self.keep_leases(&mut outputs);
        self.carry_on(&mut outputs);
        self.read_back(&mut outputs);
        self.answer(asked, &mut outputs);
        self.review_alarms(&mut outputs);
        outputs
    }

    /// Takes in a step of the record: what happened, and what was done about it
    /// then, whatever this program would do about it now. A restart folds the
    /// record to where it stopped.
    pub fn fold(&mut self, step: &Step) {
        let is_fact = |output: &&Output| {
            matches!(output, Output::Estate(capacity::Output::Fact(_)))
        };
        let told = step.outputs.iter().filter(is_fact).count() as u64;
        let facts = self.facts_told() + told;
        self.take_in(&step.input, &mut Vec::new(), Some(&step.outputs));
        if let Some(kept) = &mut self.estate {
            kept.have_told(facts);
        }
        for output in &step.outputs {
            self.apply(output);
        }
    }

    /// When the engine next wants a [`Event::Wake`] or tick, and why. Before
    /// the first tick it wants one at once.
    pub fn next_wake(&self) -> (Timestamp, &'static str) {
        let tick = self.interval.map_or(self.at, |interval| interval.end);
        let tick = (tick, "decide the next interval");
        let act = self.act.next_wake(&self.state, self.at);
        let told = self.state.obligations.next_deadline(&self.state.site, self.at);
        let meter = self.state.residual.next_deadline();
        let meter = meter
            .filter(|due| *due > self.at)
            .map(|due| (due, "the interconnection meter has been silent"));
        let alarms = self.alarms_wake();
        let racks = self.estate.as_ref().and_then(|kept| kept.next_wake());
        let offers = self.state.offers_change_at();
        let all = [Some(tick), act, told, meter, alarms, racks, offers];
        all.into_iter().flatten().min().unwrap_or(tick)
    }

    /// When alarms want to be looked at without anything having happened.
    fn alarms_wake(&self) -> Option<(Timestamp, &'static str)> {
        if !self.state.fleet.is_by_machine() {
            return None;
        }
        let wrong = next_deadline(&self.view());
        let wrong = wrong.map(|due| (due, "see whether something is overdue"));
        let next = [self.alarms.next_wake(self.at), wrong].into_iter().flatten().min();
        let soon = self.at + Seconds::from_seconds(1);
        next.map(|(due, why)| (due.max(soon), why))
    }

    /// What is believed about the site.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The alarms that stand.
    pub fn alarms(&self) -> &AlarmBook {
        &self.alarms
    }

    /// The site's racks and who has them, where any were ever told of.
    pub fn estate(&self) -> Option<&Estate> {
        self.estate.as_ref().map(|kept| kept.estate())
    }

    /// How many facts the estate has told.
    pub fn facts_told(&self) -> u64 {
        self.estate.as_ref().map_or(0, |kept| kept.facts())
    }

    /// The arrival of the last input.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// Up to when the meters' intervals were taken in.
    pub fn metered_to(&self) -> Timestamp {
        self.metered_to
    }

    /// The interval that was last decided.
    pub fn interval(&self) -> Option<Interval> {
        self.interval
    }

    /// Everything an input changes by itself; where a record says what came of it, what
    /// that refused is refused and nothing else.
    fn take_in(
        &mut self,
        input: &Input,
        outputs: &mut Vec<Output>,
        recorded: Option<&[Output]>,
    ) -> CallsFor {
        assert!(
            input.at >= self.at,
            "inputs arrive in order: {} after {}",
            input.at,
            self.at
        );
        self.at = input.at;
        self.pass_time(input, outputs);
        let calls_for = match &input.event {
            Event::Tick(interval) => {
                self.state.forget_before(interval.start);
                self.interval = Some(*interval);
                CallsFor::Decision { interval: *interval, emergency: false }
            }
            Event::Wake => CallsFor::GoingOn,
            Event::Signal(signal) => self.learn(signal, outputs),
            Event::Receipt(receipt) => {
                self.band.widen(&self.state);
                self.act.hear(&mut self.state, receipt, self.at);
                CallsFor::GoingOn
            }
            Event::Operator { by, request } => self.serve(by, request, outputs),
            Event::Change(Change::Site(site)) => self.change_site(site, outputs),
            Event::Trouble { what, standing } => {
                self.alarms.hear_of_trouble(*what, *standing);
                CallsFor::Nothing
            }
            Event::Resume => {
                self.act.resume(&mut self.state, self.at);
                self.state.obligations.listen_from(&self.state.site, self.at);
                self.band.widen(&self.state);
                CallsFor::GoingOn
            }
            Event::Estate(event) => {
                match recorded {
                    Some(recorded) => self.retake_estate(event, recorded),
                    None => self.take_estate(event, outputs),
                }
                CallsFor::Nothing
            }
        };
        let calls_for = self.as_instructed(input, calls_for);
        let calls_for = self.as_offered(input, calls_for);
        // Whatever comes next, machines know who works on them.
        let second = Interval::starting(self.at, Seconds::from_seconds(1));
        self.state.mark_machines(self.rest_of_interval().unwrap_or(second));
        calls_for
    }

    /// Everything an output changes by itself, when it is made and when it is
    /// read in the record. What was metered or noticed changes nothing.
    fn apply(&mut self, output: &Output) {
        match output {
            Output::Dispatch(dispatch) => {
                self.state.count_charges(self.at);
                self.act.aim(&mut self.state, dispatch, self.at);
                self.state.was_decided(dispatch, self.at);
                if self.state.overheads_at(dispatch.outside) {
                    self.band.widen(&self.state);
                }
            }
            Output::Orders(batch) => {
                for order in &batch.orders {
                    self.act.give(&mut self.state, self.at, order);
                }
                self.act.lease = batch.lease;
                self.band.widen(&self.state);
            }
            Output::ReadBack(asked) => self.act.asked(&mut self.state, asked, self.at),
            Output::Keep(lease) => self.act.lease = Some(*lease),
            Output::Alarm(change) => self.alarms.apply(change, self.at),
            Output::Metered(_) | Output::Notice(_) | Output::Estate(_) => {}
        }
    }

    fn decide(&mut self, interval: Interval, emergency: bool, outputs: &mut Vec<Output>) {
        let generation = self.act.generation() + 1;
        self.state.count_charges(self.at);
        let dispatch =
            decide(&self.state, &mut self.memo, interval, generation, emergency);
        let output = Output::Dispatch(dispatch);
        self.apply(&output);
        outputs.push(output);
    }

    /// Machines that stopped answering may draw more than the decision left room
    /// for, and those that answer again free what was kept for them: then it is taken
    /// again, for what is left of the interval.
    fn decide_again_if_reach_changed(&mut self, outputs: &mut Vec<Output>) {
        let Some(changed) = self.act.reach_since_decided(&self.state) else { return };
        if let Some(interval) = self.rest_of_interval() {
            self.decide(interval, changed == ReachChanged::Worse, outputs);
        }
    }

    fn keep_leases(&mut self, outputs: &mut Vec<Output>) {
        if let Some(lease) = self.act.lease_to_keep(&self.state, self.at) {
            self.act.lease = Some(lease);
            outputs.push(Output::Keep(lease));
        }
    }

    fn carry_on(&mut self, outputs: &mut Vec<Output>) {
        if let Some(orders) = self.act.proceed(&mut self.state, self.at) {
            self.band.widen(&self.state);
            outputs.push(Output::Orders(orders));
        }
    }

    fn read_back(&mut self, outputs: &mut Vec<Output>) {
        let asked = self.act.overdue(&self.state, self.at);
        if !asked.is_empty() {
            self.act.asked(&mut self.state, &asked, self.at);
            outputs.push(Output::ReadBack(asked));
        }
    }

    /// What cannot wait for the next tick is a decision at once, for what is left
    /// of the interval.
    fn decision_at_once(&self, emergency: bool) -> CallsFor {
        match self.rest_of_interval() {
            Some(interval) => CallsFor::Decision { interval, emergency },
            None => CallsFor::Nothing,
        }
    }

    /// What is left of the interval; where the next tick is late, one more of its
    /// length. At the end itself the next tick is due, and decides.
    fn rest_of_interval(&self) -> Option<Interval> {
        let interval = self.interval.filter(|interval| interval.end != self.at)?;
        let late = self.at > interval.end;
        let end = if late { self.at + interval.duration() } else { interval.end };
        Some(Interval { start: self.at, end })
    }

    fn learn(&mut self, signal: &Signal, outputs: &mut Vec<Output>) -> CallsFor {
        if let Some(known_at) = signal.knowable_at().filter(|at| *at > self.at) {
            outputs.push(Output::Notice(Notice::FromTheFuture { known_at }));
            return CallsFor::Nothing;
        }
        if let Signal::Sweep(sweep) = signal {
            // Each interval is metered once, however often it is read.
            if sweep.during.start < self.metered_to
                || sweep.during.end <= sweep.during.start
            {
                outputs.push(Output::Notice(Notice::MeteredAlready {
                    during: sweep.during,
                }));
                return CallsFor::Nothing;
            }
            self.metered_to = sweep.during.end;
            outputs.push(Output::Metered(meter(&self.state, &mut self.band, sweep)));
        }
        match signal {
            Signal::Instruction(instruction) => {
                let told = self.state.learn_instruction(instruction, self.at);
                self.note_unused(instruction.programme, told, outputs);
            }
            Signal::Heard(programme) => {
                let site = &self.state.site;
                let heard = self.state.obligations.hear(site, *programme, self.at);
                self.note_unused(*programme, heard, outputs);
            }
            Signal::Draw(draw) => {
                if let Some(why) = self.state.learn_draw(*draw, self.at) {
                    let notice = Notice::DrawNotBelieved { draw: draw.value, why };
                    outputs.push(Output::Notice(notice));
                }
            }
            Signal::Price(_)
            | Signal::Hashprice(_)
            | Signal::Temperature(_)
            | Signal::DemandForecast(_)
            | Signal::PeakProbability(_)
            | Signal::Forecast(_)
            | Signal::Exposure(_)
            | Signal::SpotOffer(_)
            | Signal::Sweep(_) => self.state.learn(signal, self.at),
        }
        CallsFor::Nothing
    }

    fn note_unused(
        &mut self,
        programme: ProgrammeIx,
        told: Result<(), NotUsed>,
        outputs: &mut Vec<Output>,
    ) {
        if let Err(why) = told {
            self.alarms.heard.quarantine(&self.state.site, programme, why, self.at);
            outputs.push(Output::Notice(Notice::NotUsed { programme, why }));
        }
    }

    /// What comes about by itself as time passes.
    fn pass_time(&mut self, input: &Input, outputs: &mut Vec<Output>) {
        let lapses = self.state.obligations.pass(&self.state.site, self.at);
        outputs.extend(lapses.into_iter().map(|l| Output::Notice(Notice::Lapsed(l))));
        if self.state.residual.pass(self.at) {
            outputs.push(Output::Notice(Notice::DrawUnknown));
        }
        // An event of the estate may be of earlier: then time has not passed for it.
        if !matches!(input.event, Event::Estate(_))
            && let Some(kept) = &mut self.estate
        {
            outputs.extend(kept.pass(self.at).into_iter().map(Output::Estate));
        }
    }

    /// Takes in what happened to racks. What is refused changes nothing.
    fn take_estate(&mut self, event: &capacity::Event, outputs: &mut Vec<Output>) {
        let mut kept = self.estate.take().unwrap_or_default();
        let taken = kept.take(event, self.at);
        if kept.estate().events() > 0 {
            self.estate = Some(kept);
        }
        match taken {
            Ok(followed) => outputs.extend(followed.into_iter().map(Output::Estate)),
            Err(why) => {
                let by = event.by.clone();
                outputs.push(Output::Notice(Notice::EstateRefused { by, why }));
            }
        }
    }

    /// Takes in again what happened to racks, as a record has it.
    fn retake_estate(&mut self, event: &capacity::Event, recorded: &[Output]) {
        let refused = recorded
            .iter()
            .any(|output| matches!(output, Output::Notice(Notice::EstateRefused { .. })));
        if refused {
            return;
        }
        let mut kept = self.estate.take().unwrap_or_default();
        // What cannot be is not in a record that this program or one before it wrote.
        let _ = kept.retake(event);
        if kept.estate().events() > 0 {
            self.estate = Some(kept);
        }
    }

    /// Who has the racks may differ from what was decided on: then the rest of the
    /// interval is decided again.
    fn as_offered(&mut self, input: &Input, calls_for: CallsFor) -> CallsFor {
        let Some(kept) = &self.estate else { return calls_for };
        let due = self.state.offers_change_at().is_some_and(|(due, _)| due <= self.at);
        let told = matches!(input.event, Event::Estate(_) | Event::Change(_));
        if !(due || told) || !self.state.take_offers(kept.estate(), self.at) {
            return calls_for;
        }
        match calls_for {
            CallsFor::Decision { .. } => calls_for,
            CallsFor::Nothing | CallsFor::GoingOn => self.decision_at_once(false),
        }
    }

    /// What the grid asks, or the site draws, may differ from what was decided on:
    /// then it is decided again at once, as an emergency where less may be drawn.
    fn as_instructed(&self, input: &Input, calls_for: CallsFor) -> CallsFor {
        let at_once = matches!(calls_for, CallsFor::Decision { emergency: true, .. });
        if at_once || matches!(input.event, Event::Tick(_)) {
            return calls_for;
        }
        let (Some(rest), decided) = (self.rest_of_interval(), self.state.decided())
        else {
            return calls_for;
        };
        let quiet = self.state.obligations.is_empty() && decided.asked.is_empty();
        let (mut differs, mut tighter) = (false, false);
        if !quiet {
            let now = self.state.obligations.in_force(&self.state.site, rest);
            let told = match &input.event {
                Event::Wake => true,
                Event::Signal(signal) => matches!(signal, Signal::Instruction(_)),
                Event::Tick(_)
                | Event::Receipt(_)
                | Event::Operator { .. }
                | Event::Change(_)
                | Event::Trouble { .. }
                | Event::Resume
                | Event::Estate(_) => false,
            };
            tighter = now.is_tighter_than(&decided.asked);
            differs = told && now != decided.asked;
        }
        match (tighter, self.is_beyond(rest), differs) {
            (true, _, _) | (_, Some(true), _) => self.decision_at_once(true),
            (false, Some(false), _) | (false, None, true) => match calls_for {
                CallsFor::Decision { .. } => calls_for,
                CallsFor::Nothing | CallsFor::GoingOn => self.decision_at_once(false),
            },
            (false, None, false) => calls_for,
        }
    }

    /// Whether the site draws so much more beyond what its loads explain that it is
    /// decided again; and if so, whether that is an emergency.
    fn is_beyond(&self, rest: Interval) -> Option<bool> {
        let (decided, residual) = (self.state.decided(), &self.state.residual);
        let beyond = residual.beyond();
        let worse = beyond - decided.unexplained;
        if worse <= Power::ZERO {
            return None;
        }
        let limit = self.state.import_limit(rest);
        let worth_it = Power::from_watts(limit.as_watts() / 200).max(WORTH_DECIDING);
        let draw = residual.draw().unwrap_or(Power::ZERO);
        let over = draw > limit && self.state.believed().ordered <= limit;
        let rested = decided.at.is_none_or(|at| self.at - at >= DECIDE_AGAIN_AFTER);
        (worse >= worth_it || (over && rested)).then_some(decided.drawn + beyond > limit)
    }

    fn serve(
        &mut self,
        by: &Person,
        request: &Request,
        outputs: &mut Vec<Output>,
    ) -> CallsFor {
        let served = match request {
            Request::Acknowledge { alarm } => by
                .readable()
                .and_then(|()| self.alarms.acknowledge(*alarm, by))
                .map(|()| CallsFor::Nothing),
            Request::Instruct(instruction) => {
                let passed = by.readable().and_then(|()| {
                    let (site, at) = (&self.state.site, self.at);
                    let passed =
                        self.state.obligations.pass_on(site, by, instruction, at);
                    passed.map_err(RefusedBecause::NotUsed)
                });
                passed.map(|passed| match passed {
                    Passed::Taken => self.decision_at_once(false),
                    Passed::Waits(until) => {
                        let (programme, name) =
                            (instruction.programme, instruction.name.clone());
                        let notice = Notice::WaitsForAnother { programme, name, until };
                        outputs.push(Output::Notice(notice));
                        CallsFor::Nothing
                    }
                })
            }
            Request::Confirm { programme, name } => {
                let (site, at) = (&self.state.site, self.at);
                let agreed = by.readable().and_then(|()| {
                    self.state.obligations.confirm(site, by, *programme, name, at)
                });
                agreed.map(|()| self.decision_at_once(false))
            }
            Request::LockOut(_)
            | Request::Release { .. }
            | Request::Maintain(_)
            | Request::EndMaintenance { .. }
            | Request::Hold(_)
            | Request::EndHold(_) => self.state.serve(by, request, self.at).map(|()| {
                let emergency = matches!(request, Request::LockOut(_));
                self.decision_at_once(emergency)
            }),
        };
        served.unwrap_or_else(|why| {
            outputs.push(Output::Notice(Notice::Refused { why }));
            CallsFor::Nothing
        })
    }

    /// What a person asks, the load it is about, and what that, or the site where it
    /// is about none, is ordered to draw before.
    fn asked_before<'a>(
        &self,
        input: &'a Input,
    ) -> Option<(&'a Request, Option<LoadIx>, Power)> {
        let Event::Operator { request, .. } = &input.event else { return None };
        let count = self.state.site.loads.len();
        let load = request.load().filter(|load| *load < count);
        Some((request, load, self.ordered(load)))
    }

    fn ordered(&self, load: Option<LoadIx>) -> Power {
        let of = |load| self.state.power_now(load, self.state.fleet.of(load).ordered);
        match load {
            Some(load) => of(load),
            None => (0..self.state.site.loads.len()).map(of).sum(),
        }
    }

    /// Tells a person who asked what it comes to.
    fn answer(
        &self,
        asked: Option<(&Request, Option<LoadIx>, Power)>,
        outputs: &mut Vec<Output>,
    ) {
        let Some((request, load, from)) = asked else { return };
        let refused = |output: &Output| {
            matches!(
                output,
                Output::Notice(Notice::Refused { .. } | Notice::WaitsForAnother { .. })
            )
        };
        if outputs.iter().any(refused) {
            return;
        }
        let decided = outputs.iter().rev().find_map(|output| match output {
            Output::Dispatch(dispatch) => Some(match load {
                Some(load) => dispatch.entries[load].to,
                None => dispatch.net(),
            }),
            Output::Orders(_)
            | Output::ReadBack(_)
            | Output::Keep(_)
            | Output::Metered(_)
            | Output::Notice(_)
            | Output::Alarm(_)
            | Output::Estate(_) => None,
        });
        let locked_out_by =
            load.map_or(Vec::new(), |load| self.state.locked_out_by(load, self.at));
        outputs.push(Output::Notice(Notice::Accepted(Accepted {
            request: request.clone(),
            from,
            to: decided.unwrap_or(from),
            locked_out_by,
        })));
    }

    fn view(&self) -> View<'_> {
        View {
            state: &self.state,
            act: &self.act,
            interval: self.interval,
            at: self.at,
            heard: &self.alarms.heard,
            racks: self.estate.as_deref(),
        }
    }

    /// Compares what is wrong now with the alarms that stand.
    fn review_alarms(&mut self, outputs: &mut Vec<Output>) {
        if !self.state.fleet.is_by_machine() {
            return;
        }
        let wrong = what_is_wrong(&self.view());
        let changes = self.alarms.review(wrong, self.at);
        outputs.extend(changes.into_iter().map(Output::Alarm));
    }

    fn change_site(&mut self, site: &Site, outputs: &mut Vec<Output>) -> CallsFor {
        if let Some(lost) = self.state.lock_out_lost(site) {
            outputs.push(Output::Notice(Notice::ChangeLosesLockOut {
                load: self.state.site.loads[lost.load].name.clone(),
                role: lost.role.clone(),
            }));
            return CallsFor::Nothing;
        }
        let mut state = self.state.clone();
        state.fleet = Fleet::carried_over(state.fleet, &self.state.site, site);
        state.replace_site(site.clone());
        self.act = self.act.carried_over(&self.state.site, &state);
        self.band = Band::of(&state);
        self.state = state;
        self.memo.forget();
        self.decision_at_once(false)
    }
}
