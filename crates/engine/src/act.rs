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

use serde::{Deserialize, Serialize};
use units::{Power, Pue, Seconds, Temperature, Timestamp};

use crate::decide::room::Room;
use crate::decide::{Dispatch, Limit, Reason, Setpoint, highest_level};
use crate::site::{LoadIx, Site};
use crate::state::State;

/// How long an order may stay unanswered before its load is read back.
pub const ANSWER_WITHIN: Seconds = Seconds::minutes(1);

const RAMP_WINDOW: Seconds = Seconds::minutes(1);

/// Orders of one moment, for several loads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderBatch {
    /// The dispatch they carry out; a load refuses an older one.
    pub generation: u64,
    /// The orders, each absolute.
    pub orders: Vec<Order>,
}

/// An order to one load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Which load.
    pub load: LoadIx,
    /// What it shall draw.
    pub setpoint: Setpoint,
}

/// What loads were seen at, answering orders or being read back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// When they were looked at. A look older than the last order says nothing
    /// about it.
    pub observed_at: Timestamp,
    /// What each was seen at.
    pub observed: Vec<Observed>,
}

/// What one load was seen at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// Which load.
    pub load: LoadIx,
    /// What it is set to now.
    pub setpoint: Setpoint,
}

/// What is still to be done to make the last dispatch so.
#[derive(Clone, Debug)]
pub struct Act {
    legs: Vec<Leg>,
    generation: u64,
    emergency: bool,
    import_limit: Power,
    outside: Option<Temperature>,
    moved: Moved,
    wake: Option<(Timestamp, &'static str)>,
}

/// One load's part of it.
#[derive(Clone, Debug)]
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
#[derive(Clone, Debug, Default)]
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

    fn up(&self) -> Power {
        self.recent.iter().map(|(_, by)| (*by).max(Power::ZERO)).sum()
    }

    fn down(&self) -> Power {
        self.recent.iter().map(|(_, by)| (-*by).max(Power::ZERO)).sum()
    }

    /// When it has room again.
    fn oldest(&self) -> Option<Timestamp> {
        self.recent.first().map(|(at, _)| *at)
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
        };
        Self {
            legs: (0..site.loads.len()).map(leg).collect(),
            generation: 0,
            emergency: false,
            import_limit: site.interconnection.import_limit,
            outside: None,
            moved: Moved::default(),
            wake: None,
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
            }
        }
        next.generation = self.generation;
        next.moved = self.moved.clone();
        next.wake = self.wake;
        next
    }

    /// Takes on a dispatch in place of the one before.
    pub fn aim(&mut self, site: &Site, dispatch: &Dispatch) {
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
        self.import_limit = dispatch.import_limit;
        self.outside = dispatch.outside;
    }

    /// When it wants to go on without having heard anything, and why.
    pub fn next_wake(&self) -> Option<(Timestamp, &'static str)> {
        self.wake
    }

    /// Takes in what loads were seen at, as it reaches us at `at`.
    pub fn hear(&mut self, state: &mut State, receipt: &Receipt, at: Timestamp) {
        for observed in &receipt.observed {
            let load = observed.load;
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
                receipt.observed_at < since
                    || (receipt.observed_at == since && seen != ordered)
            });
            if too_old {
                continue;
            }
            leg.left_alone |= seen != ordered;
            leg.asked_at = None;
            leg.known_since = Some(receipt.observed_at);
            state.fleet.count_charge(&state.site, load, at);
            state.fleet.of_mut(load).seen_at(seen);
        }
    }

    /// The loads whose orders were not answered in time: they are to be read
    /// back. Each is asked for again as long as it is silent.
    pub fn overdue(&mut self, at: Timestamp) -> Vec<LoadIx> {
        let mut silent = Vec::new();
        for (load, leg) in self.legs.iter_mut().enumerate() {
            if leg.asked_at.is_some_and(|asked_at| at - asked_at >= ANSWER_WITHIN) {
                leg.asked_at = Some(at);
                silent.push(load);
            }
        }
        silent
    }

    /// The orders to give at `at`: everything that limits and ramps allow now.
    pub fn proceed(&mut self, state: &mut State, at: Timestamp) -> Option<OrderBatch> {
        let mut orders = Vec::new();
        if self.wants_to_move(state) {
            self.moved.forget_before(at);
            self.legs.iter_mut().for_each(|leg| leg.moved.forget_before(at));
            // Shed what can be shed before what is under contract, and bring
            // back in the opposite order.
            let room = self.room_at_worst(state);
            self.make_room_to_export(state, at, &mut orders);
            self.lower(state, at, Turn::Sheddable, &room, &mut orders);
            self.lower(state, at, Turn::Contracted, &room, &mut orders);
            self.lower(state, at, Turn::Discharge, &room, &mut orders);
            self.raise(state, at, true, &mut orders);
            self.raise(state, at, false, &mut orders);
        }
        self.wake = self.next_deadline(state, at);
        (!orders.is_empty()).then_some(OrderBatch { generation: self.generation, orders })
    }

    fn wants_to_move(&self, state: &State) -> bool {
        self.legs.iter().enumerate().any(|(load, leg)| {
            !leg.left_alone && state.fleet.of(load).ordered != leg.target
        })
    }

    fn next_deadline(
        &self,
        state: &State,
        at: Timestamp,
    ) -> Option<(Timestamp, &'static str)> {
        let answer = self.legs.iter().filter_map(|leg| leg.asked_at).min();
        let answer = answer
            .map(|asked_at| (asked_at + ANSWER_WITHIN, "read back what was ordered"));
        let ramp = self.wants_to_move(state).then(|| {
            let moved = self.legs.iter().map(|leg| &leg.moved).chain([&self.moved]);
            let oldest = moved.filter_map(Moved::oldest).min().unwrap_or(at);
            (oldest + RAMP_WINDOW, "go on within the ramp")
        });
        [answer, ramp].into_iter().flatten().min()
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
            let most = state.fleet.of(load).draw_at_most(|s| self.power(state, load, s));
            let mut to_export = self.room_to_export(state, load);
            if turn == Turn::Discharge {
                to_export = (to_export - self.still_to_fall(state)).max(Power::ZERO);
            }
            let drop =
                self.room_down(&state.site, load, over || self.emergency).min(to_export);
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
                let to = self.power(state, load, setpoint);
                let least =
                    state.fleet.of(load).draw_at_least(|s| self.power(state, load, s));
                // Where a raise is not answered yet, less than it is still more
                // than nothing: too much for the ramp up, or for a load that a
                // person works on.
                let starts = to > least.max(Power::ZERO) && state.is_locked_out(load, at);
                if starts || to - least > self.room_up(&state.site, load) {
                    continue;
                }
                self.note_movement(&state.site, load, at, (to - least).max(Power::ZERO));
                self.note_movement(&state.site, load, at, to - most);
                state.fleet.of_mut(load).lowered_at = Some(at);
                self.order(state, at, load, setpoint, orders);
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
        let least = |load: LoadIx| {
            state.fleet.of(load).draw_at_least(|s| self.power(state, load, s))
        };
        let net: Power = (0..self.legs.len()).map(least).sum();
        let room = (net + state.site.interconnection.export_limit).max(Power::ZERO);
        let mut missing = fall - room;
        for load in 0..self.legs.len() {
            let belief = state.fleet.of(load);
            let Setpoint::Power(now) = belief.ordered else { continue };
            let (left_alone, room_up) =
                (self.legs[load].left_alone, self.room_up(&state.site, load));
            let step = missing.min(-now).min(room_up);
            if step <= Power::ZERO || left_alone || belief.unanswered {
                continue;
            }
            missing -= step;
            self.note_movement(&state.site, load, at, step);
            state.fleet.of_mut(load).raised_at = Some(at);
            self.order(state, at, load, Setpoint::Power(now + step), orders);
        }
    }

    /// Whether a contract load that a limit cuts has to wait for what can be
    /// shed under the same limit and is still on its way down.
    fn others_go_first(&self, state: &State, load: LoadIx) -> bool {
        let Some(limit) = self.legs[load].cut_by else { return false };
        let site = &state.site;
        let is_under = |other: LoadIx| match limit {
            Limit::Import => true,
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
            let worst =
                state.fleet.of(load).draw_at_worst(|s| self.power(state, load, s));
            // Below its own worst a load takes no more room than it is counted
            // with, unless that is too much already; a battery that stops
            // sending back takes none.
            let left = room.left_for(&state.site, load).0;
            let least =
                state.fleet.of(load).draw_at_least(|s| self.power(state, load, s));
            let ceiling = (worst + left)
                .max(Power::ZERO)
                .min(least + self.room_up(&state.site, load));
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
                let to = self.power(state, load, setpoint);
                let most =
                    state.fleet.of(load).draw_at_most(|s| self.power(state, load, s));
                if most - to > self.room_down(&state.site, load, self.emergency) {
                    continue;
                }
                self.note_movement(&state.site, load, at, (to - most).min(Power::ZERO));
                room.take(&state.site, load, (to - worst).max(Power::ZERO));
                self.note_movement(&state.site, load, at, to - least);
                state.fleet.of_mut(load).raised_at = Some(at);
                self.order(state, at, load, setpoint, orders);
            }
        }
    }

    fn order(
        &mut self,
        state: &mut State,
        at: Timestamp,
        load: LoadIx,
        setpoint: Setpoint,
        orders: &mut Vec<Order>,
    ) {
        state.fleet.count_charge(&state.site, load, at);
        let mut belief = *state.fleet.of(load);
        belief.is_ordered(setpoint, |s| self.power(state, load, s));
        *state.fleet.of_mut(load) = belief;
        self.legs[load].known_since = Some(at);
        self.legs[load].asked_at = Some(at);
        orders.push(Order { load, setpoint });
    }

    /// What is left under every limit with every load counted at its worst.
    fn room_at_worst(&self, state: &State) -> Room {
        let mut room = Room::whole(&state.site, self.import_limit);
        for load in 0..self.legs.len() {
            let worst =
                state.fleet.of(load).draw_at_worst(|s| self.power(state, load, s));
            room.take(&state.site, load, worst);
        }
        room
    }

    /// How far a load may go down before the site could send back more than it may.
    fn room_to_export(&self, state: &State, load: LoadIx) -> Power {
        let least = |load: LoadIx| {
            state.fleet.of(load).draw_at_least(|s| self.power(state, load, s))
        };
        let net: Power = (0..self.legs.len()).map(least).sum();
        let own = self.power(state, load, state.fleet.of(load).ordered) - least(load);
        (net + state.site.interconnection.export_limit).max(Power::ZERO) + own
    }

    fn room_down(&self, site: &Site, load: LoadIx, emergency: bool) -> Power {
        let grid = &site.interconnection;
        let (by_site, by_load) = if emergency {
            (grid.ramp_emergency_per_minute, None)
        } else {
            let envelope = &site.loads[load].envelope;
            (grid.ramp_down_per_minute, envelope.ramp_down_per_minute)
        };
        tighter(by_site, self.moved.down(), by_load, self.legs[load].moved.down())
    }

    fn room_up(&self, site: &Site, load: LoadIx) -> Power {
        let by_site = site.interconnection.ramp_up_per_minute;
        let by_load = site.loads[load].envelope.ramp_up_per_minute;
        tighter(by_site, self.moved.up(), by_load, self.legs[load].moved.up())
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
