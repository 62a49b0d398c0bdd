//! The engine's one door: an input in, what to do about it out.

use serde::{Deserialize, Serialize};
use units::{Interval, Power, Timestamp};

use crate::act::{Act, OrderBatch, Receipt};
use crate::decide::{Dispatch, Memo, decide};
use crate::meter::{Band, MeteredInterval, meter};
use crate::signals::Signal;
use crate::site::{Hold, LoadIx, LockOut, Site};
use crate::state::{Fleet, State};

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
    Operator(Request),
    /// The site's configuration changed.
    Change(Change),
}

/// What a person can ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Someone works on a load.
    LockOut(LockOut),
    /// The work is done; `role` must be the one that locked it out.
    Release {
        /// Which load.
        load: LoadIx,
        /// Who asks.
        role: String,
    },
    /// Keep a load at a level by hand.
    Hold(Hold),
    /// Give a held load back to the engine.
    EndHold(LoadIx),
}

/// What can change in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// The site file, read anew.
    Site(Box<Site>),
}

/// What to do about an input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Output {
    /// The decision, with its reasons.
    Dispatch(Dispatch),
    /// Orders to loads.
    Orders(OrderBatch),
    /// Loads to be looked at: their last order was not answered.
    ReadBack(Vec<LoadIx>),
    /// What was drawn and what it became.
    Metered(MeteredInterval),
    /// Something a person should see.
    Notice(Notice),
}

/// Something a person should see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Notice {
    /// A signal was about a time nobody could know yet; it was dropped.
    FromTheFuture {
        /// When it said it could first be known.
        known_at: Timestamp,
    },
    /// A request was refused.
    Refused {
        /// Why.
        why: RefusedBecause,
    },
}

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefusedBecause {
    /// Only the role that locked a load out can release it.
    AnotherRoleLockedItOut,
    /// The load is not of this site.
    NoSuchLoad,
}

/// The engine: the state of one site and what is being done about it.
#[derive(Clone, Debug)]
pub struct Engine {
    state: State,
    memo: Memo,
    act: Act,
    band: Band,
    interval: Option<Interval>,
    generation: u64,
    at: Timestamp,
}

impl Engine {
    /// An engine for `site`, with every load at rest, that starts at `at`.
    pub fn new(site: Site, at: Timestamp) -> Self {
        let state = State::new(site);
        let act = Act::idle(&state);
        let band = Band::of(&state);
        Self {
            state,
            memo: Memo::default(),
            act,
            band,
            interval: None,
            generation: 0,
            at,
        }
    }

    /// Takes in one thing that happened and returns what to do about it.
    pub fn step(&mut self, input: &Input) -> Vec<Output> {
        assert!(
            input.at >= self.at,
            "inputs arrive in order: {} after {}",
            input.at,
            self.at
        );
        self.at = input.at;
        let mut outputs = Vec::new();
        match &input.event {
            Event::Tick(interval) => self.tick(*interval, &mut outputs),
            Event::Wake => self.wake(&mut outputs),
            Event::Signal(signal) => self.learn(signal, &mut outputs),
            Event::Receipt(receipt) => {
                self.band.widen(&self.state);
                self.act.hear(&mut self.state, receipt, self.at);
                self.carry_on(&mut outputs);
            }
            Event::Operator(request) => self.serve(request, &mut outputs),
            Event::Change(Change::Site(site)) => self.change_site(site, &mut outputs),
        }
        outputs
    }

    /// When the engine next wants a [`Event::Wake`] or tick, and why. Before
    /// the first tick it wants one at once.
    pub fn next_wake(&self) -> (Timestamp, &'static str) {
        let tick = self.interval.map_or(self.at, |interval| interval.end);
        let tick = (tick, "decide the next interval");
        self.act.next_wake().map_or(tick, |wake| wake.min(tick))
    }

    /// What is believed about the site.
    pub fn state(&self) -> &State {
        &self.state
    }

    fn tick(&mut self, interval: Interval, outputs: &mut Vec<Output>) {
        self.state.forget_before(interval.start);
        self.interval = Some(interval);
        self.decide(interval, false, outputs);
        self.wake(outputs);
    }

    fn wake(&mut self, outputs: &mut Vec<Output>) {
        let silent = self.act.overdue(self.at);
        if !silent.is_empty() {
            outputs.push(Output::ReadBack(silent));
        }
        self.carry_on(outputs);
    }

    fn decide(&mut self, interval: Interval, emergency: bool, outputs: &mut Vec<Output>) {
        self.generation += 1;
        self.state.count_charges(self.at);
        let dispatch =
            decide(&self.state, &mut self.memo, interval, self.generation, emergency);
        self.act.aim(&self.state.site, &dispatch);
        if self.state.overheads_at(dispatch.outside) {
            self.band.widen(&self.state);
        }
        outputs.push(Output::Dispatch(dispatch));
    }

    /// What cannot wait for the next tick is a decision at once, for what is left
    /// of the interval.
    fn decide_at_once(&mut self, emergency: bool, outputs: &mut Vec<Output>) {
        let Some(rest) = self.rest_of_interval() else { return };
        self.decide(rest, emergency, outputs);
        self.carry_on(outputs);
    }

    /// What is left of the interval; where the next tick is late, one more of its
    /// length. At the end itself the next tick is due, and decides.
    fn rest_of_interval(&self) -> Option<Interval> {
        let interval = self.interval.filter(|interval| interval.end != self.at)?;
        let late = self.at > interval.end;
        let end = if late { self.at + interval.duration() } else { interval.end };
        Some(Interval { start: self.at, end })
    }

    fn carry_on(&mut self, outputs: &mut Vec<Output>) {
        if let Some(orders) = self.act.proceed(&mut self.state, self.at) {
            self.band.widen(&self.state);
            outputs.push(Output::Orders(orders));
        }
    }

    fn learn(&mut self, signal: &Signal, outputs: &mut Vec<Output>) {
        if let Some(known_at) = signal.knowable_at().filter(|at| *at > self.at) {
            outputs.push(Output::Notice(Notice::FromTheFuture { known_at }));
            return;
        }
        if let Signal::Sweep(sweep) = signal {
            outputs.push(Output::Metered(meter(&self.state, &mut self.band, sweep)));
        }
        let limit_before = self.import_limit_now();
        self.state.learn(signal, self.at);
        if self.import_limit_now() < limit_before {
            self.decide_at_once(true, outputs);
        }
    }

    fn import_limit_now(&self) -> Power {
        match self.rest_of_interval() {
            Some(rest) => self.state.import_limit(rest),
            None => self.state.site.interconnection.import_limit,
        }
    }

    fn serve(&mut self, request: &Request, outputs: &mut Vec<Output>) {
        match self.state.serve(request, self.at) {
            Ok(()) => {
                let emergency = matches!(request, Request::LockOut(_));
                self.decide_at_once(emergency, outputs);
            }
            Err(why) => outputs.push(Output::Notice(Notice::Refused { why })),
        }
    }

    fn change_site(&mut self, site: &Site, outputs: &mut Vec<Output>) {
        let mut state = self.state.clone();
        state.fleet = Fleet::carried_over(state.fleet, &self.state.site, site);
        state.replace_site(site.clone());
        self.act = self.act.carried_over(&self.state.site, &state);
        self.band = Band::of(&state);
        self.state = state;
        self.memo.forget();
        self.decide_at_once(false, outputs);
    }
}
