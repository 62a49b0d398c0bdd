//! S2 where racks are promised: what somebody has is not lowered, and nothing on offer
//! runs in its place.
//!
//! Who has which rack, the bystander folds from the same record; what follows from it
//! for the machines of a load is worked out here.

use std::collections::BTreeMap;

use engine::capacity::{Estate, Event, RackUse};
use engine::site::{LoadIx, LoadKind, Maintenance, Site, Terms};
use engine::{Order, Ranges, Request};
use units::{Interval, Seconds, Timestamp};

use super::books::{Books, last_point};
use crate::run::live::{Counts, Invariant};
use crate::world::LiveWorld;

/// Until who has a rack shows in what may be ordered: the process comes round.
const SHOWS_WITHIN: Seconds = Seconds::minutes(1);

/// Others make way again for one that did not start after a quarter of an hour.
const MAKES_WAY_WITHIN: Seconds = Seconds::minutes(15);

/// Which racks somebody has, as far as the record says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Promised {
    estate: Estate,
    /// Since when each machine is held, by load and number.
    held: BTreeMap<(LoadIx, u32), Timestamp>,
    /// When a machine that is held no more was let go.
    let_go: BTreeMap<(LoadIx, u32), Timestamp>,
    /// Machines that anybody asked to take out of service, granted or not.
    maintained: Vec<Maintenance>,
}

/// For how long promised racks have waited.
#[derive(Clone, Debug)]
pub(super) struct Tenants {
    /// How long the site's ramps take at the most.
    ramping: Seconds,
    /// Since when a held machine could run, rests, and another runs in its place.
    waits: BTreeMap<(LoadIx, u32), Timestamp>,
}

impl Promised {
    /// Something happened to racks; what the estate refuses did not.
    pub(super) fn fold(&mut self, event: &Event) {
        drop(self.estate.fold(event));
    }

    /// Takes in what a person asked for.
    pub(super) fn serve(&mut self, request: &Request) {
        if let Request::Maintain(maintenance) = request {
            self.maintained.push(maintenance.clone());
        }
    }

    /// Time passed, and with it notices.
    pub(super) fn pass(
        &mut self,
        site: &Site,
        counts: impl Iterator<Item = usize>,
        at: Timestamp,
    ) {
        let mut held = BTreeMap::new();
        for (load, count) in counts.enumerate() {
            if !site.loads[load].may_be_promised() {
                continue;
            }
            for number in 0..count as u32 {
                if self.use_of(site, load, number, at) == Some(RackUse::Held) {
                    let since = self.held.get(&(load, number)).copied().unwrap_or(at);
                    held.insert((load, number), since);
                }
            }
        }
        for machine in self.held.keys().filter(|machine| !held.contains_key(machine)) {
            self.let_go.insert(*machine, at);
        }
        self.let_go.retain(|_, since| at - *since < SHOWS_WITHIN);
        self.held = held;
    }

    /// What a machine's rack is to a decision.
    fn use_of(
        &self,
        site: &Site,
        load: LoadIx,
        number: u32,
        at: Timestamp,
    ) -> Option<RackUse> {
        let LoadKind::Racks(racks) = &site.loads[load].kind else { return None };
        let Terms::Uncommitted { notice, .. } = racks.terms else { return None };
        let rack = self.estate.rack_named(&racks.rack_name(number)?);
        let found = rack.map(|rack| self.estate.rack_use(rack, at, notice));
        Some(found.unwrap_or(RackUse::Dark))
    }

    /// Whether somebody has a machine now, however lately.
    pub(super) fn is_held(&self, load: LoadIx, number: u32) -> bool {
        self.held.contains_key(&(load, number))
    }

    /// Whether somebody has a machine, or had it until so lately that it need not show yet.
    pub(super) fn is_or_was_held(&self, load: LoadIx, number: u32) -> bool {
        self.is_held(load, number) || self.let_go.contains_key(&(load, number))
    }

    /// Whether somebody has it, and has for long enough that it shows.
    fn keeps_up(&self, load: LoadIx, number: u32, at: Timestamp) -> bool {
        self.held.get(&(load, number)).is_some_and(|since| at - *since >= SHOWS_WITHIN)
    }
}

/// Whether a machine rests for the sake of somebody who works on it, or may: at some time
/// of the interval that was decided last.
fn is_out_of_service(books: &Books, load: LoadIx, number: u32, at: Timestamp) -> bool {
    let during = books.dispatch.as_ref().map(|dispatch| dispatch.interval);
    let during = during.filter(|during| during.contains(at));
    let during = during.unwrap_or(Interval::starting(at, Seconds::from_seconds(1)));
    let is_of = |of: LoadIx, some: Option<&Ranges>| {
        of == load && some.is_none_or(|some| some.contains(number))
    };
    let locked = books.by_hand.lock_outs.iter().any(|lock_out| {
        lock_out.touches(during) && is_of(lock_out.load, lock_out.machines.as_ref())
    });
    locked
        || books.promised.maintained.iter().any(|entry| {
            entry.during.overlaps(during) && is_of(entry.load, entry.machines.as_ref())
        })
}

/// No order lowers what somebody has, unless somebody works on it.
pub(super) fn ordered(
    books: &Books,
    at: Timestamp,
    order: &Order,
    broken: &mut Vec<String>,
    counts: &mut Counts,
) {
    let load = order.load;
    for to in &order.moves {
        for number in to.machines.iter() {
            if !books.promised.keeps_up(load, number, at) {
                continue;
            }
            counts.checked(Invariant::S2);
            counts.note("orders to promised racks");
            let known = &books.crews[load][number as usize];
            let is_lowered = to.point < known.ordered;
            if is_lowered && !is_out_of_service(books, load, number, at) {
                broken.push(format!(
                    "S2: machine {number} of {} is promised and ordered down from {} \
                         to {} at {at}",
                    books.site.loads[load].name, known.ordered, to.point
                ));
            }
        }
    }
}

impl Tenants {
    pub(super) fn of(world: &LiveWorld) -> Self {
        Self { ramping: world.world.ramping(), waits: BTreeMap::new() }
    }

    /// From now on nobody watches.
    pub(super) fn unwatched(&mut self) {
        self.waits.clear();
    }

    /// A promised rack that could run does, before long, or nothing on offer does.
    pub(super) fn after(
        &mut self,
        books: &Books,
        at: Timestamp,
        broken: &mut Vec<String>,
        counts: &mut Counts,
    ) {
        if books.resumed_at.is_some() || books.dispatch.is_none() {
            self.waits.clear();
            return;
        }
        let within = MAKES_WAY_WITHIN + self.ramping + books.grace;
        let mut waits = BTreeMap::new();
        for (load, number) in books.promised.held.keys().copied() {
            let crew = &books.crews[load];
            let in_service = |number: u32| {
                !crew[number as usize].is_troubled(at, books.grace)
                    && !is_out_of_service(books, load, number, at)
            };
            let known = &crew[number as usize];
            let could = in_service(number) && !known.unanswered && !known.unseen;
            let runs_instead = (0..crew.len() as u32).any(|other| {
                let runs = crew[other as usize].ordered > 0 && in_service(other);
                runs && !books.promised.is_held(load, other)
            });
            if !(could && known.ordered == 0 && runs_instead) {
                continue;
            }
            counts.checked(Invariant::S2);
            counts.note("promised racks that waited");
            let since = self.waits.get(&(load, number)).copied().unwrap_or(at);
            waits.insert((load, number), since);
            if at - since > within {
                broken.push(format!(
                    "S2: machine {number} of {} is promised and rests since {since}, and \
                     others run in its place at {at}",
                    books.site.loads[load].name
                ));
            }
        }
        self.waits = waits;
    }
}

/// When nothing has gone wrong for a good while, what somebody has runs in full, and
/// nothing runs that nobody can have.
pub(super) fn came_right(
    books: &Books,
    at: Timestamp,
    broken: &mut Vec<String>,
    counts: &mut Counts,
) {
    for (load, crew) in books.crews.iter().enumerate() {
        let Some(machines) = books.site.loads[load].machines() else { continue };
        if !books.site.loads[load].may_be_promised() {
            continue;
        }
        let name = &books.site.loads[load].name;
        for (number, known) in (0..).zip(crew) {
            if is_out_of_service(books, load, number, at) {
                continue;
            }
            let point = known.ordered;
            let lately = |since: &Timestamp| at - *since < MAKES_WAY_WITHIN;
            if let Some(since) = books.promised.held.get(&(load, number)) {
                counts.checked(Invariant::S2);
                counts.note("promised racks at the end");
                if !lately(since) && point != last_point(machines) {
                    broken.push(format!(
                        "liveness: machine {number} of {name} is promised since \
                             {since} and ordered to {point} at {at}"
                    ));
                }
            } else if books.promised.use_of(&books.site, load, number, at)
                == Some(RackUse::Dark)
            {
                counts.checked(Invariant::S2);
                if point > 0 {
                    broken.push(format!(
                        "liveness: machine {number} of {name} can be sold to nobody \
                             and is ordered to {point} at {at}"
                    ));
                }
            }
        }
    }
}
