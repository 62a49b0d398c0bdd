//! Carries a dispatch out: which orders, in which order, how fast.
//!
//! [`Act`] has no choices left, only patience. Draw is lowered first and raised
//! when there is room for it at worst, which means with every unanswered order
//! counted as whichever of old and new draws more. Both directions keep to the
//! ramp limits minute by minute; an emergency lowers at its own, faster ramp.
//!
//! Invariant: no order raises worst-case draw above the limit of the site or of
//! a feeder.
//! Invariant: an unanswered order is read back, never repeated.

mod lease;
mod lower;
mod order;
mod raise;
mod ramp;
mod way;
mod worst;

use serde::{Deserialize, Serialize};
use units::{Pue, Seconds, Temperature, Timestamp};

pub use order::{
    Lease, Look, Move, Observed, Order, OrderBatch, ReadBack, Receipt, Survey,
};

pub(crate) use worst::is_under;

use lower::Turn;
use ramp::{Moved, RAMP_WINDOW};

use crate::decide::room::Import;
use crate::decide::{Dispatch, Limit, Reason, Setpoint};
use crate::site::{LoadIx, Site};
use crate::state::{Reach, State};

/// How long an order may stay unanswered before its load is read back.
pub const ANSWER_WITHIN: Seconds = Seconds::minutes(1);

/// After a start, the longest that machines are waited for before the first
/// order; what was not seen by then counts at its worst.
pub const SEE_WITHIN: Seconds = Seconds::from_seconds(30);

/// After a start, orders wait until all but one machine in this many were seen.
const SEEN_BUT_ONE_IN: u32 = 20;

/// What is still to be done to make the last dispatch so.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Act {
    legs: Vec<Leg>,
    generation: u64,
    emergency: bool,
    /// What the loads together may draw.
    import: Import,
    outside: Option<Temperature>,
    moved: Moved,
    /// What every load holds its orders on.
    pub(crate) lease: Option<Lease>,
    /// When nobody watched, and the process came back.
    resumed_at: Option<Timestamp>,
}

/// One load's part of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Leg {
    target: Setpoint,
    /// The overhead of its hall at the dispatch's outside temperature.
    pue: Pue,
    /// When its unanswered order was given, or last asked about.
    asked_at: Option<Timestamp>,
    /// Since when what is believed holds: an older look says nothing new.
    known_since: Option<Timestamp>,
    moved: Moved,
    /// It did not do as ordered, and is left alone until the next dispatch.
    left_alone: bool,
    /// It is under contract, and this limit cuts it: others go first.
    cut_by: Option<Limit>,
    /// How far it could be moved when that was decided.
    reach: Reach,
    /// Nobody has seen it since the process came back.
    unseen: bool,
}

/// How machines take orders otherwise than a decision took them to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReachChanged {
    /// Fewer do: loads may draw more than it left room for.
    Worse,
    /// More do: room that was kept for them is free.
    Better,
}

impl Act {
    /// Nothing to do: every load is asked for what it does already.
    pub fn idle(state: &State) -> Self {
        let site = &state.site;
        let leg = |load: LoadIx| Leg {
            target: state.fleet.of(load).ordered,
            pue: site.pue_of(load, None),
            asked_at: None,
            known_since: None,
            moved: Moved::default(),
            left_alone: false,
            cut_by: None,
            reach: state.fleet.reach(site, load),
            unseen: false,
        };
        Self {
            legs: (0..site.loads.len()).map(leg).collect(),
            generation: 0,
            emergency: false,
            import: Import::whole(site),
            outside: None,
            moved: Moved::default(),
            lease: None,
            resumed_at: None,
        }
    }

    /// The same under a changed site, until the next dispatch: what was moved and
    /// what was asked stays true of the loads that it still has, by name.
    pub(crate) fn carried_over(&self, from: &Site, state: &State) -> Self {
        let mut next = Self::idle(state);
        for (load, leg) in next.legs.iter_mut().enumerate() {
            let old = from.load_named(&state.site.loads[load].name);
            if let Some(old) = old.and_then(|old| self.legs.get(old)) {
                leg.asked_at = old.asked_at.filter(|_| state.fleet.of(load).unanswered);
                leg.known_since = old.known_since;
                leg.moved = old.moved.clone();
                leg.unseen = old.unseen;
            }
        }
        next.generation = self.generation;
        next.moved = self.moved.clone();
        next.lease = self.lease;
        next.resumed_at = self.resumed_at;
        next
    }

    /// The number of the last dispatch.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Nobody watched for a while: every load may be anywhere, and is looked at
    /// before the first order.
    pub(crate) fn resume(&mut self, state: &mut State, at: Timestamp) {
        state.fleet.resume(&state.site, at);
        for leg in &mut self.legs {
            leg.asked_at = Some(at - Seconds::hours(1));
            leg.known_since = Some(at);
            leg.unseen = true;
        }
        self.resumed_at = Some(at);
        self.lease = None;
    }

    /// Until when orders wait for loads to be seen after a start; `None` when
    /// they do not wait.
    fn waits_until(&self, state: &State, at: Timestamp) -> Option<Timestamp> {
        let until = self.resumed_at? + SEE_WITHIN;
        let (mut all, mut unseen) = (0_u32, 0_u32);
        for (load, leg) in self.legs.iter().enumerate() {
            match state.fleet.crew(load) {
                Some(crew) => {
                    all += crew.machines().len() as u32;
                    unseen += crew.sums().unseen;
                }
                None => {
                    all += 1;
                    unseen += u32::from(leg.unseen);
                }
            }
        }
        (at < until && unseen * SEEN_BUT_ONE_IN > all).then_some(until)
    }

    /// Whether machines stopped taking orders since the last decision, or take them
    /// again: it left room for more or for fewer than there are.
    pub(crate) fn reach_since_decided(&self, state: &State) -> Option<ReachChanged> {
        let mut changed = None;
        for (load, leg) in self.legs.iter().enumerate() {
            if state.fleet.crew(load).is_none() {
                continue;
            }
            let floor = state.fleet.reach(&state.site, load).floor;
            if floor > leg.reach.floor {
                return Some(ReachChanged::Worse);
            }
            if floor < leg.reach.floor {
                changed = Some(ReachChanged::Better);
            }
        }
        changed
    }

    /// Takes on a dispatch in place of the one before.
    pub(crate) fn aim(&mut self, state: &mut State, dispatch: &Dispatch, at: Timestamp) {
        if state.fleet.is_by_machine() {
            for load in 0..self.legs.len() {
                state.aim_crew(load, at);
                self.legs[load].reach = state.fleet.reach(&state.site, load);
            }
        }
        let site = &state.site;
        let warmer = self.outside != dispatch.outside;
        for (load, (leg, entry)) in
            self.legs.iter_mut().zip(&dispatch.entries).enumerate()
        {
            leg.target = entry.setpoint;
            leg.left_alone = false;
            leg.cut_by = None;
            if let Reason::FirmShed { limit } = entry.reason {
                leg.cut_by = Some(limit);
            }
            if warmer {
                leg.pue = site.pue_of(load, dispatch.outside);
            }
        }
        self.generation = dispatch.generation;
        self.emergency = dispatch.emergency;
        self.import = dispatch.import();
        self.outside = dispatch.outside;
    }

    /// When it wants to go on without having heard anything, and why.
    pub(crate) fn next_wake(
        &self,
        state: &State,
        at: Timestamp,
    ) -> Option<(Timestamp, &'static str)> {
        let asked = self.legs.iter().enumerate().filter_map(|(load, leg)| {
            state.fleet.crew(load).map_or(leg.asked_at, |crew| crew.asked_first())
        });
        let answer = asked
            .min()
            .map(|asked_at| (asked_at + ANSWER_WITHIN, "read back what was ordered"));
        let waits = self.waits_until(state, at);
        let go_on = match waits {
            Some(until) => Some((until, "give orders to what was seen")),
            None => self.wants_to_move(state, at).then(|| {
                let moved = self.legs.iter().map(|leg| &leg.moved).chain([&self.moved]);
                let frees = moved.filter_map(|moved| moved.frees(at)).min();
                (frees.unwrap_or(at + RAMP_WINDOW), "go on within the ramp")
            }),
        };
        let lease = state.lease_length().zip(self.lease).filter(|_| waits.is_none());
        let lease = lease.map(|(length, lease)| {
            (lease.until - length.half(), "tell loads that somebody watches")
        });
        let next = [answer, go_on, lease].into_iter().flatten().min()?;
        // What was due before and could not be done is tried again in a while.
        Some((next.0.max(at + Seconds::from_seconds(1)), next.1))
    }

    /// Takes in what loads were seen at, as it reaches us at `at`.
    pub(crate) fn hear(&mut self, state: &mut State, receipt: &Receipt, at: Timestamp) {
        // A look cannot be from later than it reached us: somebody's clock is fast.
        let observed_at = receipt.observed_at.min(at);
        for survey in &receipt.surveys {
            state.fleet.hear(&state.site, survey, observed_at);
        }
        for observed in &receipt.observed {
            let load = observed.load;
            if load < self.legs.len() && state.fleet.crew(load).is_some() {
                continue;
            }
            let Some(leg) = self.legs.get_mut(load) else {
                continue;
            };
            let Some(seen) = state.site.loads[load].within(observed.setpoint) else {
                continue;
            };
            let ordered = state.fleet.of(load).ordered;
            // Within one second a look may be from before the order: then it is
            // no answer unless it shows what was ordered.
            let too_old = leg.known_since.is_some_and(|since| {
                observed_at < since
                    || (observed_at == since && seen != ordered && !leg.unseen)
            });
            if too_old {
                continue;
            }
            // What nobody has seen since the start is not held to an old order.
            leg.left_alone |= seen != ordered && !leg.unseen;
            leg.unseen = false;
            leg.asked_at = None;
            leg.known_since = Some(observed_at);
            state.fleet.count_charge(&state.site, load, at);
            state.fleet.of_mut(load).seen_at(seen);
        }
    }

    /// What was not answered in time, and is to be looked at. Each is asked for
    /// again as long as it is silent.
    pub(crate) fn overdue(&self, state: &State, at: Timestamp) -> ReadBack {
        let mut silent = ReadBack::default();
        for (load, leg) in self.legs.iter().enumerate() {
            if let Some(crew) = state.fleet.crew(load) {
                let machines = crew.overdue(at, ANSWER_WITHIN);
                if !machines.is_empty() {
                    silent.machines.push((load, machines));
                }
            } else if leg.asked_at.is_some_and(|asked| at - asked >= ANSWER_WITHIN) {
                silent.loads.push(load);
            }
        }
        silent
    }

    /// These were asked for again.
    pub(crate) fn asked(&mut self, state: &mut State, asked: &ReadBack, at: Timestamp) {
        for load in &asked.loads {
            if let Some(leg) = self.legs.get_mut(*load) {
                leg.asked_at = Some(at);
            }
        }
        state.fleet.asked(&state.site, asked, at);
    }

    /// The orders to give at `at`: everything that limits and ramps allow now.
    pub(crate) fn proceed(
        &mut self,
        state: &mut State,
        at: Timestamp,
    ) -> Option<OrderBatch> {
        if !self.wants_to_move(state, at) || self.waits_until(state, at).is_some() {
            return None;
        }
        let mut orders = Vec::new();
        // Shed what can be shed before what is under contract, and bring back in
        // the opposite order.
        let room = self.room_at_worst(state);
        self.rest_what_is_worked_on(state, at, &mut orders);
        self.make_room_to_export(state, at, &mut orders);
        self.lower(state, at, Turn::Sheddable, &room, &mut orders);
        self.lower(state, at, Turn::Contracted, &room, &mut orders);
        self.lower(state, at, Turn::Discharge, &room, &mut orders);
        self.make_way(state, at, &mut orders);
        self.raise(state, at, true, &mut orders);
        self.raise(state, at, false, &mut orders);
        if orders.is_empty() {
            return None;
        }
        let lease = self.new_lease(state, at);
        self.lease = lease;
        Some(OrderBatch { generation: self.generation, lease, orders })
    }

    /// Gives one order: the load may be anywhere between before and after until
    /// it is seen, and what it moves counts against the ramps, both ways at worst.
    pub(crate) fn give(&mut self, state: &mut State, at: Timestamp, order: &Order) {
        let load = order.load;
        if load >= self.legs.len() {
            return;
        }
        self.moved.forget_before(at);
        self.legs[load].moved.forget_before(at);
        let now = self.now(state, load);
        let to = self.power(state, load, order.setpoint);
        let (down, up) = self.swing(state, load, order, to);
        let makes_way = self.is_at_most_its_target(state, load)
            && state.fleet.crew(load).is_some_and(|c| c.any_in_service(&order.moves));
        state.fleet.count_charge(&state.site, load, at);
        if state.fleet.crew(load).is_some() {
            state.fleet.order_machines(&state.site, load, &order.moves, at);
        } else {
            let mut belief = *state.fleet.of(load);
            belief.is_ordered(order.setpoint, |s| self.power(state, load, s));
            *state.fleet.of_mut(load) = belief;
            self.legs[load].known_since = Some(at);
            self.legs[load].asked_at = Some(at);
        }
        if self.now(state, load) < now {
            self.note_movement(&state.site, load, at, up);
            self.note_movement(&state.site, load, at, -down);
            // Where a machine makes way for another, the load is not lowered.
            if !makes_way {
                state.fleet.of_mut(load).lowered_at = Some(at);
            }
        } else {
            self.note_movement(&state.site, load, at, -down);
            self.note_movement(&state.site, load, at, up);
            state.fleet.of_mut(load).raised_at = Some(at);
        }
    }

    fn wants_to_move(&self, state: &State, at: Timestamp) -> bool {
        self.legs.iter().enumerate().any(|(load, leg)| {
            let to_rest = state.fleet.crew(load).is_some_and(|c| c.sums().to_rest > 0);
            to_rest
                || (!leg.left_alone && state.fleet.of(load).ordered != leg.target)
                || self.wants_places_changed(state, load, at)
        })
    }
}
