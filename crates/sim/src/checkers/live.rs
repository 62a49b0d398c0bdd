//! What must always be true of a live site, checked by a bystander.
//!
//! The bystander reads the record as it grows and keeps [`Books`] of its own,
//! machine by machine: what each was ordered, where it was seen, and what it can be
//! drawing as far as anybody was told. It knows the truth as well, from the campus,
//! and shares the site's arithmetic with the engine and nothing else.

mod alarms;
mod asked;
mod books;
mod end;
mod leases;
mod limits;
mod orders;
mod tenants;

use std::collections::BTreeSet;

use engine::{Event, Input, OrderBatch, Output};
use units::{Power, Timestamp};

use super::ramps;
use crate::campus::Campus;
use crate::run::live::{Counts, Invariant};
use crate::world::LiveWorld;
pub(super) use asked::counts_from;
use books::Books;

/// Every checker of a live run.
#[derive(Clone, Debug)]
pub(crate) struct Checkers {
    books: Books,
    limits: limits::Excesses,
    alarms: alarms::Alarms,
    leases: leases::Leases,
    ramps: ramps::Movements,
    tenants: tenants::Tenants,
    /// Where every machine of the loads that a batch is about stood before it.
    before: Vec<(usize, Vec<u8>, Power)>,
    /// Whether machines can do what nobody told them.
    tempers: bool,
    broken: Vec<String>,
}

impl Checkers {
    pub(crate) fn of(world: &LiveWorld) -> Self {
        let mood = world.mishaps.mood;
        Self {
            books: Books::of(world),
            limits: limits::Excesses::of(world),
            alarms: alarms::Alarms::default(),
            leases: leases::Leases::default(),
            ramps: ramps::Movements::default(),
            tenants: tenants::Tenants::of(world),
            before: Vec::new(),
            tempers: mood != "calm" && mood != "killed",
            broken: Vec::new(),
        }
    }

    /// What broke since this was last asked.
    pub(crate) fn broken(&mut self) -> Vec<String> {
        std::mem::take(&mut self.broken)
    }

    /// A step is in the record: what was heard, and what is to be done about it.
    pub(crate) fn recorded(
        &mut self,
        input: &Input,
        outputs: &[Output],
        counts: &mut Counts,
    ) {
        let at = input.at;
        if let Event::Resume = input.event {
            self.leases.resumed();
        }
        self.books.hear(input, counts);
        for output in outputs {
            match output {
                Output::Dispatch(dispatch) => {
                    let broken = &mut self.broken;
                    orders::in_dispatch(&self.books, at, dispatch, broken, counts);
                    self.books.dispatch = Some(dispatch.clone());
                    self.books.outside = dispatch.outside;
                }
                Output::Orders(batch) => self.ordered(at, batch, counts),
                Output::ReadBack(asked) => self.books.asked_again(asked, at),
                Output::Keep(lease) => {
                    self.leases.given(&self.books, at, *lease, &mut self.broken, counts);
                }
                Output::Alarm(change) => self.alarms.hear(change, counts),
                Output::Metered(_) | Output::Notice(_) | Output::Estate(_) => {}
            }
        }
    }

    fn ordered(&mut self, at: Timestamp, batch: &OrderBatch, counts: &mut Counts) {
        let broken = &mut self.broken;
        orders::generation(&self.books, batch, broken, counts);
        orders::after_a_start(&self.books, at, broken, counts);
        for order in &batch.orders {
            orders::no_repeat(&self.books, order, broken, counts);
            orders::nobody_is_started(&self.books, at, order, broken, counts);
            orders::contracts_last(&self.books, at, order, batch, broken, counts);
            tenants::ordered(&self.books, at, order, broken, counts);
        }
        match batch.lease {
            Some(lease) => self.leases.given(&self.books, at, lease, broken, counts),
            None => broken.push("L2: expected a lease on every order, found none".into()),
        }
        let emergency = self.books.dispatch.as_ref().is_some_and(|d| d.emergency);
        let fast = emergency || limits::over_some_limit(&self.books, at);
        self.ramps.pace(at, fast);
        let before = limits::at_worst(&self.books);
        for order in &batch.orders {
            self.books.order(at, order);
        }
        limits::of_orders(&self.books, at, &before, &mut self.broken, counts);
    }

    /// The step was carried out.
    pub(crate) fn stepped(&mut self, input: &Input, counts: &mut Counts) {
        let alarm = self.alarms.say_above();
        self.limits.after(&self.books, input.at, alarm, &mut self.broken, counts);
        self.tenants.after(&self.books, input.at, &mut self.broken, counts);
    }

    /// Orders are about to reach the campus.
    pub(crate) fn before_orders(&mut self, batch: &OrderBatch, campus: &Campus) {
        let loads: BTreeSet<_> = batch.orders.iter().map(|order| order.load).collect();
        self.before = loads
            .into_iter()
            .map(|load| (load, self.books.points(load, campus), campus.draw_of(load)))
            .collect();
    }

    /// They did: what moved, moved by order.
    pub(crate) fn after_orders(
        &mut self,
        at: Timestamp,
        batch: &OrderBatch,
        campus: &Campus,
        counts: &mut Counts,
    ) {
        counts.checked(Invariant::S12);
        for (load, before, drawn) in std::mem::take(&mut self.before) {
            let after = self.books.points(load, campus);
            let by = if before.is_empty() {
                self.books.moved_battery(load, drawn, campus.draw_of(load))
            } else {
                orders::nobody_started(
                    &self.books,
                    at,
                    load,
                    &before,
                    &after,
                    &mut self.broken,
                    counts,
                );
                self.books.moved(load, &before, &after)
            };
            self.ramps.moved(at, load, by, &self.books.site, &mut self.broken);
        }
        orders::no_older(batch, campus, &mut self.broken, counts);
    }

    /// Time passed; whether a process lives.
    pub(crate) fn time_passed(
        &mut self,
        at: Timestamp,
        campus: &Campus,
        alive: bool,
        counts: &mut Counts,
    ) {
        self.leases.time_passed(at, alive, &mut self.broken, counts);
        if !self.tempers {
            let books = &self.books;
            self.leases.fall(books, at, campus, alive, &mut self.broken, counts);
        }
    }

    /// An interval was decided.
    pub(crate) fn ticked(
        &mut self,
        at: Timestamp,
        engine: &engine::Engine,
        counts: &mut Counts,
    ) {
        end::judged_alike(&self.books, at, engine, &mut self.broken, counts);
    }

    /// From now on nobody watches: the process died, or its journal cannot be written.
    pub(crate) fn unwatched(&mut self, at: Timestamp) {
        self.tenants.unwatched();
        self.leases.unwatched(at);
    }

    /// The site has other machines now, whoever knows of it.
    pub(crate) fn site_changed(&mut self) {
        self.leases.site_changed();
    }

    /// Nothing went wrong for a good while: everything must have come right.
    pub(crate) fn ended(
        &mut self,
        at: Timestamp,
        engine: &engine::Engine,
        campus: &Campus,
        counts: &mut Counts,
    ) {
        end::came_right(&self.books, at, engine, campus, &mut self.broken, counts);
        tenants::came_right(&self.books, at, &mut self.broken, counts);
        alarms::are_over(engine, at, &mut self.broken, counts);
    }

    /// The line of a tick.
    pub(crate) fn line(&self, at: Timestamp, campus: &Campus, life: u32) -> String {
        let (silent, defiant, unanswered) = self.books.ill();
        let (generation, mark, limit, asked) = match &self.books.dispatch {
            None => (0, ' ', Power::ZERO, Power::ZERO),
            Some(dispatch) => (
                dispatch.generation,
                if dispatch.emergency { '!' } else { ' ' },
                dispatch.import_limit,
                dispatch.net(),
            ),
        };
        let worst = limits::at_worst(&self.books).first().copied().unwrap_or(Power::ZERO);
        format!(
            "{:20} {generation:>4}{mark} {:>9} {:>9} {:>9} {:>9} {silent:>4} {defiant:>4} \
             {unanswered:>4} {life:>3}",
            at.to_string(),
            limit.to_mw_text(3),
            asked.to_mw_text(3),
            worst.to_mw_text(3),
            campus.draw().to_mw_text(3),
        )
    }
}
