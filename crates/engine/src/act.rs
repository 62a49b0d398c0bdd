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

mod order;

use serde::{Deserialize, Serialize};
use units::{Power, Pue, Seconds, Temperature, Timestamp};

pub use order::{
    Lease, Look, Move, Observed, Order, OrderBatch, ReadBack, Receipt, Survey,
};

use crate::decide::room::{Import, Room};
use crate::decide::{Dispatch, Limit, Reason, Setpoint, highest_level};
use crate::site::{LoadIx, Site};
use crate::state::{Reach, State};

/// How long an order may stay unanswered before its load is read back.
pub const ANSWER_WITHIN: Seconds = Seconds::minutes(1);

/// After a start, the longest that machines are waited for before the first
/// order; what was not seen by then counts at its worst.
pub const SEE_WITHIN: Seconds = Seconds::from_seconds(30);

/// After a start, orders wait until all but one machine in this many were seen.
const SEEN_BUT_ONE_IN: u32 = 20;

const RAMP_WINDOW: Seconds = Seconds::minutes(1);

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

/// Whose turn it is to go down.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// What can be shed; a battery stops charging.
    Sheddable,
    /// What is under contract.
    Contracted,
    /// A battery discharges, into what room to export is left.
    Discharge,
}

/// How far draw was moved in the last minute, order by order: a ramp holds over
/// any minute, whenever it begins.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Moved {
    recent: Vec<(Timestamp, Power)>,
}

impl Moved {
    fn note(&mut self, at: Timestamp, by: Power) {
        self.recent.push((at, by));
    }

    fn forget_before(&mut self, at: Timestamp) {
        self.recent.retain(|(moved_at, _)| at - *moved_at < RAMP_WINDOW);
    }

    /// What counts at `at`: nothing is forgotten by asking, so that whoever folds
    /// the record keeps the same.
    fn since(&self, at: Timestamp) -> impl Iterator<Item = Power> {
        let counts = move |moved_at: &Timestamp| at - *moved_at < RAMP_WINDOW;
        self.recent
            .iter()
            .filter(move |(moved_at, _)| counts(moved_at))
            .map(|(_, by)| *by)
    }

    fn up(&self, at: Timestamp) -> Power {
        self.since(at).map(|by| by.max(Power::ZERO)).sum()
    }

    fn down(&self, at: Timestamp) -> Power {
        self.since(at).map(|by| (-by).max(Power::ZERO)).sum()
    }

    /// When it has room again, at `at` or later.
    fn frees(&self, at: Timestamp) -> Option<Timestamp> {
        let ends = self.recent.iter().map(|(moved_at, _)| *moved_at + RAMP_WINDOW);
        ends.filter(|end| *end >= at).min()
    }
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

    /// The lease to hand out now, if every load's is half over: loads that are
    /// there hold their orders only so long as somebody watches.
    pub(crate) fn lease_to_keep(&self, state: &State, at: Timestamp) -> Option<Lease> {
        let length = state.lease_length()?;
        let due = self.lease.is_none_or(|lease| at >= lease.until - length.half());
        if !due || self.waits_until(state, at).is_some() {
            return None;
        }
        self.new_lease(state, at)
    }

    /// A lease from `at` on. Were it to end, loads would fall to their fail-safe
    /// levels over the time that the site's ramp asks for.
    fn new_lease(&self, state: &State, at: Timestamp) -> Option<Lease> {
        let length = state.lease_length()?;
        // Those that run may stand side by side and go one after the other: only
        // with every machine counted does no minute see more than the ramp.
        let nameplate = |load: LoadIx| {
            state.site.loads[load].machines().map_or(Power::ZERO, |machines| {
                self.legs[load].pue.at_meter(machines.ceiling())
            })
        };
        let drawn: Power = (0..self.legs.len()).map(nameplate).sum();
        let over = match state.site.interconnection.ramp_down_per_minute {
            Some(ramp) if ramp > Power::ZERO => {
                let minutes = drawn.as_watts() / ramp.as_watts() + 1;
                Seconds::minutes(minutes)
            }
            Some(_) | None => Seconds::ZERO,
        };
        Some(Lease { until: at + length, over })
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
            None => self.wants_to_move(state).then(|| {
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
        if !self.wants_to_move(state) || self.waits_until(state, at).is_some() {
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
        let (now, least, most) =
            (self.now(state, load), self.least(state, load), self.most(state, load));
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
        let to = self.now(state, load);
        if to < now {
            self.note_movement(&state.site, load, at, (to - least).max(Power::ZERO));
            self.note_movement(&state.site, load, at, to - most);
            state.fleet.of_mut(load).lowered_at = Some(at);
        } else {
            self.note_movement(&state.site, load, at, (to - most).min(Power::ZERO));
            self.note_movement(&state.site, load, at, to - least);
            state.fleet.of_mut(load).raised_at = Some(at);
        }
    }

    /// The order that brings a load to `setpoint`, and where it would be then; nothing
    /// if no machine of it can be moved. Where machines cannot meet what was decided,
    /// they go below it, but not below `lowest`.
    fn order_to(
        &self,
        state: &State,
        load: LoadIx,
        setpoint: Setpoint,
        lowest: Power,
    ) -> Option<(Order, Power)> {
        let crew = state.fleet.crew(load).zip(state.site.loads[load].machines());
        let (Some((crew, machines)), Setpoint::Level(level)) = (crew, setpoint) else {
            let order = Order { load, setpoint, moves: Vec::new() };
            return Some((order, self.power(state, load, setpoint)));
        };
        let power = machines.power_at(level);
        let moves = if power < crew.sums().ordered {
            let is_target = setpoint == self.legs[load].target;
            let pue = self.legs[load].pue;
            crew.down_to(machines, power, |plug| {
                is_target && pue.at_meter(plug) >= lowest
            })
        } else {
            crew.up_to(machines, power)
        };
        if moves.is_empty() {
            return None;
        }
        let to = self.legs[load].pue.at_meter(crew.ordered_after(machines, &moves));
        Some((Order { load, setpoint, moves }, to))
    }

    fn wants_to_move(&self, state: &State) -> bool {
        self.legs.iter().enumerate().any(|(load, leg)| {
            let to_rest = state.fleet.crew(load).is_some_and(|c| c.sums().to_rest > 0);
            to_rest || (!leg.left_alone && state.fleet.of(load).ordered != leg.target)
        })
    }

    /// Brings machines to rest that somebody works on, or that are out of service,
    /// before anything else moves, as far as ramps and the export limit allow.
    fn rest_what_is_worked_on(
        &mut self,
        state: &mut State,
        at: Timestamp,
        orders: &mut Vec<Order>,
    ) {
        for load in 0..self.legs.len() {
            let crew = state.fleet.crew(load).filter(|crew| crew.sums().to_rest > 0);
            let Some((crew, machines)) = crew.zip(state.site.loads[load].machines())
            else {
                continue;
            };
            let room = self.room_down(&state.site, load, at, self.emergency);
            let room = room.min(self.room_to_export(state, load));
            let pue = self.legs[load].pue;
            let moves = crew.to_rest(machines, |down| pue.at_meter(down) <= room);
            if moves.is_empty() {
                continue;
            }
            let setpoint = state.fleet.of(load).ordered;
            let mut order = Order { load, setpoint, moves };
            self.give(state, at, &order);
            order.setpoint = state.fleet.of(load).ordered;
            orders.push(order);
        }
    }

    fn lower(
        &mut self,
        state: &mut State,
        at: Timestamp,
        turn: Turn,
        room: &Room,
        orders: &mut Vec<Order>,
    ) {
        for load in 0..self.legs.len() {
            if self.legs[load].left_alone {
                continue;
            }
            let ordered = state.fleet.of(load).ordered;
            let Some(target) = self.down_to(state, load, turn) else { continue };
            let (now, wanted) =
                (self.power(state, load, ordered), self.power(state, load, target));
            if wanted >= now || self.others_go_first(state, load) {
                continue;
            }
            // Above a limit at worst, draw comes down at an emergency's pace,
            // whatever the decision was for.
            let over = room.left_for(&state.site, load).0 < Power::ZERO;
            let most = self.most(state, load);
            let mut to_export = self.room_to_export(state, load);
            if turn == Turn::Discharge {
                to_export = (to_export - self.still_to_fall(state)).max(Power::ZERO);
            }
            let drop = self
                .room_down(&state.site, load, at, over || self.emergency)
                .min(to_export);
            let floor = most - drop;
            let setpoint = match (ordered, target) {
                (Setpoint::Level(from), Setpoint::Level(to)) if wanted < floor => {
                    let machines = state.site.loads[load].machines();
                    let under = floor - Power::from_watts(1);
                    let level =
                        |m| highest_level(m, self.legs[load].pue, to, from, under) + 1;
                    Setpoint::Level(machines.map_or(to, level).min(from))
                }
                (Setpoint::Power(_), Setpoint::Power(_)) => {
                    Setpoint::Power(wanted.max(floor).min(now))
                }
                (Setpoint::Level(_) | Setpoint::Power(_), target) => target,
            };
            if setpoint != ordered {
                let Some((order, to)) = self.order_to(state, load, setpoint, floor)
                else {
                    continue;
                };
                let least = self.least(state, load);
                // Where a raise is not answered yet, less than it is still more
                // than nothing: too much for the ramp up, or for a load that a
                // person works on.
                let starts = to > least.max(Power::ZERO) && state.is_locked_out(load, at);
                if starts || to - least > self.room_up(&state.site, load, at) {
                    continue;
                }
                self.give(state, at, &order);
                orders.push(order);
            }
        }
    }

    /// How far down a load is to go in a turn; nothing if it is not its turn.
    fn down_to(&self, state: &State, load: LoadIx, turn: Turn) -> Option<Setpoint> {
        let target = self.legs[load].target;
        match (target, turn) {
            (Setpoint::Level(_), Turn::Sheddable) => {
                (!state.site.loads[load].is_firm()).then_some(target)
            }
            (Setpoint::Level(_), Turn::Contracted) => {
                state.site.loads[load].is_firm().then_some(target)
            }
            (Setpoint::Power(power), Turn::Sheddable) => {
                Some(Setpoint::Power(power.max(Power::ZERO)))
            }
            (Setpoint::Power(_), Turn::Discharge) => {
                (!state.fleet.of(load).unanswered).then_some(target)
            }
            (Setpoint::Level(_), Turn::Discharge)
            | (Setpoint::Power(_), Turn::Contracted) => None,
        }
    }

    /// How far draw is still to come down.
    fn still_to_fall(&self, state: &State) -> Power {
        let fall = |load: LoadIx| {
            let leg = &self.legs[load];
            if leg.left_alone {
                return Power::ZERO;
            }
            let ordered = self.power(state, load, state.fleet.of(load).ordered);
            let target = self.power(state, load, leg.target);
            (ordered.max(Power::ZERO) - target.max(Power::ZERO)).max(Power::ZERO)
        };
        (0..self.legs.len()).map(fall).sum()
    }

    /// Where draw cannot come down because the site may send back no more,
    /// batteries discharge less first; they go on when others draw again.
    fn make_room_to_export(
        &mut self,
        state: &mut State,
        at: Timestamp,
        orders: &mut Vec<Order>,
    ) {
        let fall = self.still_to_fall(state);
        if fall.is_zero() {
            return;
        }
        let least = |load: LoadIx| self.least(state, load);
        let net: Power = (0..self.legs.len()).map(least).sum();
        let room = (net + state.site.interconnection.export_limit).max(Power::ZERO);
        let mut missing = fall - room;
        for load in 0..self.legs.len() {
            let belief = state.fleet.of(load);
            let Setpoint::Power(now) = belief.ordered else { continue };
            let (left_alone, room_up) =
                (self.legs[load].left_alone, self.room_up(&state.site, load, at));
            let step = missing.min(-now).min(room_up);
            if step <= Power::ZERO || left_alone || belief.unanswered {
                continue;
            }
            missing -= step;
            let setpoint = Setpoint::Power(now + step);
            let order = Order { load, setpoint, moves: Vec::new() };
            self.give(state, at, &order);
            orders.push(order);
        }
    }

    /// Whether a contract load that a limit cuts has to wait for what can be
    /// shed under the same limit and is still on its way down.
    fn others_go_first(&self, state: &State, load: LoadIx) -> bool {
        let Some(limit) = self.legs[load].cut_by else { return false };
        let site = &state.site;
        let is_under = |other: LoadIx| match limit {
            Limit::Import | Limit::BestEffort => true,
            Limit::Feeder(feeder) => {
                site.path(site.loads[other].feeder).any(|above| above == feeder)
            }
            Limit::Export => false,
        };
        self.legs.iter().enumerate().any(|(other, leg)| {
            !leg.left_alone
                && !site.loads[other].is_firm()
                && is_under(other)
                && self.power(state, other, state.fleet.of(other).ordered)
                    > self.power(state, other, leg.target).max(Power::ZERO)
        })
    }

    /// Keeps account of a movement where a ramp limits it.
    fn note_movement(&mut self, site: &Site, load: LoadIx, at: Timestamp, by: Power) {
        if by.is_zero() {
            return;
        }
        let grid = &site.interconnection;
        let envelope = &site.loads[load].envelope;
        let of_site = [
            grid.ramp_up_per_minute,
            grid.ramp_down_per_minute,
            grid.ramp_emergency_per_minute,
        ];
        if of_site.iter().any(Option::is_some) {
            self.moved.note(at, by);
        }
        let of_load = [envelope.ramp_up_per_minute, envelope.ramp_down_per_minute];
        if of_load.iter().any(Option::is_some) {
            self.legs[load].moved.note(at, by);
        }
    }

    fn raise(
        &mut self,
        state: &mut State,
        at: Timestamp,
        firm: bool,
        orders: &mut Vec<Order>,
    ) {
        let mut room: Option<Room> = None;
        for load in 0..self.legs.len() {
            if self.legs[load].left_alone || state.site.loads[load].is_firm() != firm {
                continue;
            }
            let ordered = state.fleet.of(load).ordered;
            let target = self.legs[load].target;
            let (now, wanted) =
                (self.power(state, load, ordered), self.power(state, load, target));
            // Nothing starts a load that a person works on, not even an order
            // that was decided on before; a battery may stop sending back.
            let starts = wanted > Power::ZERO && state.is_locked_out(load, at);
            if wanted <= now || starts {
                continue;
            }
            let room = room.get_or_insert_with(|| self.room_at_worst(state));
            let worst = self.worst(state, load);
            // Below its own worst a load takes no more room than it is counted
            // with, unless that is too much already; a battery that stops
            // sending back takes none.
            let left = room.left_for(&state.site, load).0;
            let least = self.least(state, load);
            // Of machines known one by one, those that have answered are raised: what
            // the others may draw makes no room for them.
            let counted = match state.fleet.crew(load) {
                Some(_) => self.now(state, load) - Power::from_watts(1),
                None => worst,
            };
            let ceiling = (counted + left)
                .max(Power::ZERO)
                .min(least + self.room_up(&state.site, load, at));
            if state.fleet.crew(load).is_some() {
                let Some(order) = self.raise_machines(state, at, load, ceiling) else {
                    continue;
                };
                let to = self.now(state, load);
                room.take(&state.site, load, (to - counted).max(Power::ZERO));
                orders.push(order);
                continue;
            }
            let setpoint = match (ordered, target) {
                (Setpoint::Level(from), Setpoint::Level(to)) => {
                    let machines = state.site.loads[load].machines();
                    let level =
                        |m| highest_level(m, self.legs[load].pue, from, to, ceiling);
                    Setpoint::Level(machines.map_or(from, level))
                }
                (Setpoint::Power(_), Setpoint::Power(_)) => {
                    Setpoint::Power(wanted.min(ceiling).max(now))
                }
                (Setpoint::Level(_), Setpoint::Power(_))
                | (Setpoint::Power(_), Setpoint::Level(_)) => target,
            };
            if setpoint != ordered {
                let Some((order, to)) = self.order_to(state, load, setpoint, now) else {
                    continue;
                };
                let most = self.most(state, load);
                if most - to > self.room_down(&state.site, load, at, self.emergency) {
                    continue;
                }
                room.take(&state.site, load, (to - counted).max(Power::ZERO));
                self.give(state, at, &order);
                orders.push(order);
            }
        }
    }

    /// Raises machines that are known one by one towards the target of their load, up
    /// to `ceiling` at the meter.
    fn raise_machines(
        &mut self,
        state: &mut State,
        at: Timestamp,
        load: LoadIx,
        ceiling: Power,
    ) -> Option<Order> {
        let crew = state.fleet.crew(load)?;
        let machines = state.site.loads[load].machines()?;
        let Setpoint::Level(target) = self.legs[load].target else { return None };
        let pue = self.legs[load].pue;
        let power = machines.power_at(target).min(pue.at_plug(ceiling));
        let moves = crew.up_to(machines, power);
        let to = pue.at_meter(crew.ordered_after(machines, &moves));
        let drop = self.most(state, load) - to;
        let stays = moves.is_empty();
        if stays || drop > self.room_down(&state.site, load, at, self.emergency) {
            return None;
        }
        let setpoint = state.fleet.of(load).ordered;
        let mut order = Order { load, setpoint, moves };
        self.give(state, at, &order);
        order.setpoint = state.fleet.of(load).ordered;
        Some(order)
    }

    /// The limits that loads may be above at worst: which, by how much, and whether
    /// everything under it that can be shed is ordered off. None while loads are
    /// still waited for after a start.
    pub(crate) fn passed_at_worst(
        &self,
        state: &State,
        at: Timestamp,
    ) -> Vec<(Limit, Power, bool)> {
        if self.waits_until(state, at).is_some() {
            return Vec::new();
        }
        let site = &state.site;
        let room = self.room_at_worst(state);
        let feeders = (0..site.feeders.len()).map(Limit::Feeder);
        feeders
            .chain([Limit::Import])
            .filter_map(|limit| {
                let over = -room.left_under(limit);
                let all_shed = |load: LoadIx| {
                    let floor = match state.fleet.of(load).ordered {
                        Setpoint::Level(level) => {
                            level <= state.fleet.reach(site, load).floor
                        }
                        Setpoint::Power(power) => power <= Power::ZERO,
                    };
                    floor || site.loads[load].is_firm() || !is_under(site, load, limit)
                };
                let shed = (0..self.legs.len()).all(all_shed);
                (over > Power::ZERO).then_some((limit, over, shed))
            })
            .collect()
    }

    /// The limit that cuts a load under contract, and what the load is asked then.
    pub(crate) fn cut(&self, load: LoadIx) -> Option<(Limit, Setpoint)> {
        let leg = self.legs.get(load)?;
        leg.cut_by.map(|limit| (limit, leg.target))
    }

    /// What a load draws at worst beyond what it was ordered.
    pub(crate) fn doubt(&self, state: &State, load: LoadIx) -> Power {
        self.worst(state, load) - self.now(state, load).max(Power::ZERO)
    }

    /// What is left under every limit with every load counted at its worst.
    fn room_at_worst(&self, state: &State) -> Room {
        let mut room = Room::whole(&state.site, self.import);
        for load in 0..self.legs.len() {
            room.take(&state.site, load, self.worst(state, load));
        }
        room
    }

    /// How far a load may go down before the site could send back more than it may.
    fn room_to_export(&self, state: &State, load: LoadIx) -> Power {
        let least = |load: LoadIx| self.least(state, load);
        let net: Power = (0..self.legs.len()).map(least).sum();
        let own = self.now(state, load) - least(load);
        (net + state.site.interconnection.export_limit).max(Power::ZERO) + own
    }

    fn room_down(
        &self,
        site: &Site,
        load: LoadIx,
        at: Timestamp,
        emergency: bool,
    ) -> Power {
        let grid = &site.interconnection;
        let (by_site, by_load) = if emergency {
            (grid.ramp_emergency_per_minute, None)
        } else {
            let envelope = &site.loads[load].envelope;
            (grid.ramp_down_per_minute, envelope.ramp_down_per_minute)
        };
        tighter(by_site, self.moved.down(at), by_load, self.legs[load].moved.down(at))
    }

    fn room_up(&self, site: &Site, load: LoadIx, at: Timestamp) -> Power {
        let by_site = site.interconnection.ramp_up_per_minute;
        let by_load = site.loads[load].envelope.ramp_up_per_minute;
        tighter(by_site, self.moved.up(at), by_load, self.legs[load].moved.up(at))
    }

    /// What a load draws as ordered, at the meter. Machines known one by one are
    /// added up: at mixed points they need not meet a level.
    fn now(&self, state: &State, load: LoadIx) -> Power {
        match state.fleet.crew(load) {
            Some(crew) => self.legs[load].pue.at_meter(crew.sums().ordered),
            None => self.power(state, load, state.fleet.of(load).ordered),
        }
    }

    /// The least it can be drawing.
    fn least(&self, state: &State, load: LoadIx) -> Power {
        match state.fleet.crew(load) {
            Some(crew) => self.legs[load].pue.at_meter(crew.sums().least),
            None => state.fleet.of(load).draw_at_least(|s| self.power(state, load, s)),
        }
    }

    /// The most, negative where it sends back even then.
    fn most(&self, state: &State, load: LoadIx) -> Power {
        match state.fleet.crew(load) {
            Some(crew) => self.legs[load].pue.at_meter(crew.sums().most),
            None => state.fleet.of(load).draw_at_most(|s| self.power(state, load, s)),
        }
    }

    /// The most, and no less than nothing.
    fn worst(&self, state: &State, load: LoadIx) -> Power {
        self.most(state, load).max(Power::ZERO)
    }

    fn power(&self, state: &State, load: LoadIx, setpoint: Setpoint) -> Power {
        match (setpoint, state.site.loads[load].machines()) {
            (Setpoint::Level(level), Some(machines)) => {
                self.legs[load].pue.at_meter(machines.power_at(level))
            }
            (Setpoint::Level(_), None) => Power::ZERO,
            (Setpoint::Power(power), _) => power,
        }
    }
}

/// Whether a load draws under a limit.
pub(crate) fn is_under(site: &Site, load: LoadIx, limit: Limit) -> bool {
    match limit {
        Limit::Import | Limit::BestEffort => true,
        Limit::Feeder(feeder) => {
            site.path(site.loads[load].feeder).any(|above| above == feeder)
        }
        Limit::Export => false,
    }
}

/// More than any site draws: stands for no limit.
const UNLIMITED: Power = Power::from_mw(1_000_000);

/// What two ramp limits leave of a minute.
fn tighter(
    by_site: Option<Power>,
    site_moved: Power,
    by_load: Option<Power>,
    load_moved: Power,
) -> Power {
    let left = |limit: Option<Power>, moved| {
        limit.map_or(UNLIMITED, |limit| (limit - moved).max(Power::ZERO))
    };
    left(by_site, site_moved).min(left(by_load, load_moved))
}
