//! What must always be true, checked after every step by a bystander.
//!
//! The bystander keeps [`Books`] of its own: what was asked, said and ordered,
//! and where every load truly stands. It shares the site's arithmetic with the
//! engine and nothing else.

mod books;
mod by_hand;
mod contracts;
mod doubt;
mod limits;
pub(crate) mod live;
mod merit;
mod metering;
mod people;
mod ramps;
mod storage;
mod times;

pub(crate) use books::{Books, Look};

use engine::check::{Facts, Violation, check};
use engine::site::LoadIx;
use engine::{Dispatch, Event, Input, MeteredInterval, Notice, OrderBatch, Setpoint};
use units::{Energy, Power, Seconds, Timestamp};

use crate::world::World;

const MINUTE: Seconds = Seconds::minutes(1);

/// What is wrong with a decision taken at `at`, when its interval may have begun a
/// while ago. A limit that ended in that while may be counted or not: it is forgotten
/// when the next one is heard.
fn wrong_with(facts: Facts<'_>, dispatch: &Dispatch, at: Timestamp) -> Vec<Violation> {
    let all = check(facts, dispatch);
    let lasting: Vec<_> =
        facts.limits.iter().filter(|cap| cap.during.end > at).copied().collect();
    if all.is_empty() || lasting.len() == facts.limits.len() {
        return all;
    }
    let without = check(Facts { limits: &lasting, ..facts }, dispatch);
    if without.is_empty() { without } else { all }
}

/// Every checker of a run.
#[derive(Clone, Debug)]
pub(crate) struct Checkers {
    pub(crate) books: Books,
    doubt: doubt::Prices,
    limits: limits::Excesses,
    ramps: ramps::Movements,
    metering: metering::Meters,
    /// When a dispatch last asked for something else.
    retargeted_at: Option<Timestamp>,
    /// How long ramps may take.
    ramping: Seconds,
    refusals_due: u32,
    acceptances_due: u32,
    futures_due: u32,
    unused_due: u32,
    /// What broke in this step.
    broken: Vec<String>,
}

impl Checkers {
    pub(crate) fn of(world: &World) -> Self {
        Self {
            books: Books::of(world),
            doubt: doubt::Prices::default(),
            limits: limits::Excesses::of(world),
            ramps: ramps::Movements::default(),
            metering: metering::Meters::of(&world.site),
            retargeted_at: None,
            ramping: world.ramping(),
            refusals_due: 0,
            acceptances_due: 0,
            futures_due: 0,
            unused_due: 0,
            broken: Vec::new(),
        }
    }

    /// What broke since this was last asked.
    pub(crate) fn broken(&mut self) -> Vec<String> {
        std::mem::take(&mut self.broken)
    }

    /// An input is about to reach the engine.
    pub(crate) fn hears(&mut self, input: &Input, looks: &[Look]) {
        match &input.event {
            Event::Signal(signal) => {
                if doubt::nobody_knows_yet(signal, input.at) {
                    self.futures_due += 1;
                    return;
                }
                if self.books.cannot_be(signal) {
                    self.unused_due += 1;
                    return;
                }
                self.doubt.hear(signal);
                self.books.hear(signal);
            }
            Event::Operator { by, request } => {
                let site = self.books.site.clone();
                let due = match self.books.by_hand.serve(&site, by, request, input.at) {
                    true => &mut self.acceptances_due,
                    false => &mut self.refusals_due,
                };
                *due += 1;
            }
            Event::Receipt(_) => self.books.answer(looks),
            Event::Change(engine::Change::Site(site)) => {
                self.books.change(site);
                self.limits.excuse(input.at);
                self.metering.change(site);
            }
            Event::Tick(interval) => self.books.interval = Some(*interval),
            Event::Wake | Event::Resume | Event::Trouble { .. } | Event::Estate(_) => {}
        }
    }

    /// A dispatch came of it.
    pub(crate) fn dispatched(
        &mut self,
        at: Timestamp,
        dispatch: &Dispatch,
        stored: &[Energy],
    ) {
        let books = &self.books;
        let limits = books.limits_counted();
        let facts = Facts {
            site: &books.site,
            limits: &limits,
            tripped: &[],
            lock_outs: &books.by_hand.lock_outs,
            holds: &books.by_hand.holds,
        };
        for violation in wrong_with(facts, dispatch, at) {
            self.broken.push(format!("check: {violation:?}"));
        }
        let expected = books.dispatch.as_ref().map_or(1, |last| last.generation + 1);
        let targets = |dispatch: &Dispatch| -> Vec<Setpoint> {
            dispatch.entries.iter().map(|entry| entry.setpoint).collect()
        };
        if books.dispatch.as_ref().map(targets) != Some(targets(dispatch)) {
            self.retargeted_at = Some(at);
        }
        if dispatch.generation != expected {
            self.broken.push(format!(
                "expected generation {expected}, found {}",
                dispatch.generation
            ));
        }
        let broken = &mut self.broken;
        contracts::in_dispatch(books, dispatch, broken);
        people::in_dispatch(books, dispatch, broken);
        times::in_dispatch(books, dispatch, broken);
        merit::in_dispatch(books, dispatch, broken);
        storage::in_dispatch(books, dispatch, stored, broken);
        self.doubt.in_dispatch(books, dispatch, at, broken);
        self.books.dispatch = Some(dispatch.clone());
    }

    /// The weather of a dispatch holds from now on.
    pub(crate) fn weather(&mut self, at: Timestamp, powers: &[Power]) {
        let dearer = (self.books.loads.iter().zip(powers))
            .any(|(account, power)| *power > account.power);
        if dearer {
            self.limits.excuse(at);
        }
        self.books.outside = self.books.dispatch.as_ref().and_then(|d| d.outside);
        for (account, power) in self.books.loads.iter_mut().zip(powers) {
            account.power = *power;
        }
    }

    /// Orders go out; no load has moved yet.
    pub(crate) fn ordered(&mut self, at: Timestamp, batch: &OrderBatch) {
        let generation = self.books.dispatch.as_ref().map(|d| d.generation);
        if generation != Some(batch.generation) {
            self.broken.push(format!(
                "expected orders of generation {generation:?}, found {}",
                batch.generation
            ));
        }
        let emergency = self.books.dispatch.as_ref().is_some_and(|d| d.emergency);
        let fast = emergency || limits::over_some_limit(&self.books, at);
        self.ramps.pace(at, fast);
        for order in &batch.orders {
            people::in_order(&self.books, at, order, &mut self.broken);
            contracts::in_order(&self.books, at, order, batch, &mut self.broken);
            self.books.no_repeat(order, &mut self.broken);
        }
        let before = limits::at_worst(&self.books);
        for order in &batch.orders {
            self.books.order(at, order);
        }
        limits::of_orders(&self.books, at, &before, &mut self.broken);
    }

    /// A load moved by order.
    pub(crate) fn moved(
        &mut self,
        at: Timestamp,
        load: LoadIx,
        setpoint: Setpoint,
        power: Power,
    ) {
        people::in_move(&self.books, at, load, power, &mut self.broken);
        let before = self.books.loads[load].power;
        let by = power - before;
        self.ramps.moved(at, load, by, &self.books.site, &mut self.broken);
        self.books.loads[load].power = power;
        self.books.loads[load].setpoint = setpoint;
    }

    /// An order or its receipt went astray.
    pub(crate) fn trouble(&mut self, at: Timestamp, load: LoadIx) {
        self.books.loads[load].troubled_at = Some(at);
        self.limits.excuse(at);
    }

    /// Every meter was read, before anything went wrong with the readings.
    pub(crate) fn swept(&mut self, sweep: &engine::Sweep, energies: &[Energy]) {
        self.metering.swept(sweep, energies, &mut self.broken);
    }

    pub(crate) fn metered(&mut self, metered: &MeteredInterval, whole: bool) {
        self.metering.metered(metered, whole, &mut self.broken);
    }

    pub(crate) fn noticed(&mut self, notice: &Notice) {
        let due = match notice {
            Notice::FromTheFuture { .. } => &mut self.futures_due,
            Notice::Refused { .. } => &mut self.refusals_due,
            Notice::Accepted(_) => &mut self.acceptances_due,
            Notice::NotUsed { .. } => &mut self.unused_due,
            Notice::MeteredAlready { .. }
            | Notice::WaitsForAnother { .. }
            | Notice::Lapsed(_)
            | Notice::DrawNotBelieved { .. }
            | Notice::DrawUnknown
            | Notice::ChangeLosesLockOut { .. }
            | Notice::EstateRefused { .. } => {
                self.broken.push(format!("expected no such notice, found {notice:?}"));
                return;
            }
        };
        match due.checked_sub(1) {
            Some(rest) => *due = rest,
            None => self.broken.push(format!("expected no notice, found {notice:?}")),
        }
    }

    /// The step is done.
    pub(crate) fn stepped(&mut self, at: Timestamp) {
        self.limits.after(&self.books, at, &mut self.broken);
        for (due, what) in [
            (&mut self.futures_due, "a signal from the future is noticed"),
            (&mut self.refusals_due, "a request is refused"),
            (&mut self.acceptances_due, "a request is granted"),
            (&mut self.unused_due, "an absurd level is not used"),
        ] {
            if std::mem::take(due) > 0 {
                self.broken.push(format!("expected that {what}"));
            }
        }
    }

    /// The run is over, and nothing went wrong for a good while: everything
    /// must have come right.
    ///
    /// Whether there was time for it: a battery that has run full, or a price
    /// grown old, may have changed the decision a short while ago.
    pub(crate) fn ended(&mut self, at: Timestamp) -> bool {
        let Some(dispatch) = &self.books.dispatch else {
            self.broken.push("expected a dispatch, found none".to_owned());
            return false;
        };
        let settled =
            self.retargeted_at.is_some_and(|changed| at - changed >= self.ramping);
        for (load, entry) in dispatch.entries.iter().enumerate() {
            let account = &self.books.loads[load];
            let name = &self.books.site.loads[load].name;
            if settled && account.setpoint != entry.setpoint {
                self.broken.push(format!(
                    "liveness: expected {name} at {:?}, found it at {:?}",
                    entry.setpoint, account.setpoint
                ));
            }
            if !account.unanswered.is_empty() {
                self.broken.push(format!("liveness: orders to {name} stay unanswered"));
            }
        }
        contracts::at_end(&self.books, dispatch, &mut self.broken);
        settled
    }
}
