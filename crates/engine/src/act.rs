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
use crate::decide::{Dispatch, Setpoint, highest_level};
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
    /// When the current ramp minute began, and how far draw moved in it.
    minute: Timestamp,
    moved: Moved,
    wake: Option<(Timestamp, &'static str)>,
}

/// One load's part of it.
#[derive(Clone, Debug)]
struct Leg {
    target: Setpoint,
    /// The overhead of its hall at the dispatch's outside temperature.
    pue: Pue,
    /// When its unanswered order was given.
    asked_at: Option<Timestamp>,
    /// How far it moved in the current ramp minute.
    moved: Moved,
    /// It did not do as ordered, and is left alone until the next dispatch.
    left_alone: bool,
}

/// How far draw moved in a ramp minute.
#[derive(Clone, Copy, Debug, Default)]
struct Moved {
    up: Power,
    down: Power,
}

impl Act {
    /// Nothing to do: every load is asked for what it does already.
    pub fn idle(state: &State, at: Timestamp) -> Self {
        let site = &state.site;
        let leg = |load: LoadIx| Leg {
            target: state.fleet.of(load).ordered,
            pue: site.pue_of(load, None),
            asked_at: None,
            moved: Moved::default(),
            left_alone: false,
        };
        Self {
            legs: (0..site.loads.len()).map(leg).collect(),
            generation: 0,
            emergency: false,
            import_limit: site.interconnection.import_limit,
            outside: None,
            minute: at,
            moved: Moved::default(),
            wake: None,
        }
    }

    /// Takes on a dispatch in place of the one before.
    pub fn aim(&mut self, site: &Site, dispatch: &Dispatch) {
        let warmer = self.outside != dispatch.outside;
        for (load, (leg, entry)) in
            self.legs.iter_mut().zip(&dispatch.entries).enumerate()
        {
            leg.target = entry.setpoint;
            leg.left_alone = false;
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

    /// Takes in what loads were seen at.
    pub fn hear(&mut self, state: &mut State, receipt: &Receipt) {
        for observed in &receipt.observed {
            let Some(leg) = self.legs.get_mut(observed.load) else {
                continue;
            };
            if leg.asked_at.is_some_and(|asked_at| receipt.observed_at < asked_at) {
                continue;
            }
            let belief = state.fleet.of_mut(observed.load);
            leg.left_alone |= observed.setpoint != belief.ordered;
            leg.asked_at = None;
            belief.ordered = observed.setpoint;
            belief.confirmed = observed.setpoint;
            belief.unanswered = false;
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
            if at - self.minute >= RAMP_WINDOW {
                self.minute = at;
                self.moved = Moved::default();
                self.legs.iter_mut().for_each(|leg| leg.moved = Moved::default());
            }
            // Shed what can be shed before what is under contract, and bring
            // back in the opposite order.
            self.lower(state, at, false, &mut orders);
            self.lower(state, at, true, &mut orders);
            self.raise(state, at, true, &mut orders);
            self.raise(state, at, false, &mut orders);
        }
        self.wake = self.next_deadline(state);
        (!orders.is_empty()).then_some(OrderBatch { generation: self.generation, orders })
    }

    fn wants_to_move(&self, state: &State) -> bool {
        self.legs.iter().enumerate().any(|(load, leg)| {
            !leg.left_alone && state.fleet.of(load).ordered != leg.target
        })
    }

    fn next_deadline(&self, state: &State) -> Option<(Timestamp, &'static str)> {
        let answer = self.legs.iter().filter_map(|leg| leg.asked_at).min();
        let answer = answer
            .map(|asked_at| (asked_at + ANSWER_WITHIN, "read back what was ordered"));
        let ramp = self
            .wants_to_move(state)
            .then_some((self.minute + RAMP_WINDOW, "go on within the ramp"));
        [answer, ramp].into_iter().flatten().min()
    }

    fn lower(
        &mut self,
        state: &mut State,
        at: Timestamp,
        firm: bool,
        orders: &mut Vec<Order>,
    ) {
        for load in 0..self.legs.len() {
            if self.legs[load].left_alone || state.site.loads[load].is_firm() != firm {
                continue;
            }
            let ordered = state.fleet.of(load).ordered;
            let target = self.legs[load].target;
            let (now, wanted) =
                (self.power(state, load, ordered), self.power(state, load, target));
            if wanted >= now {
                continue;
            }
            let drop =
                self.room_down(&state.site, load).min(self.room_to_export(state, load));
            let floor = now - drop;
            let setpoint = match (ordered, target) {
                (Setpoint::Level(from), Setpoint::Level(to)) if wanted < floor => {
                    let machines = state.site.loads[load].machines();
                    let under = floor - Power::from_watts(1);
                    let level =
                        |m| highest_level(m, self.legs[load].pue, to, from, under) + 1;
                    Setpoint::Level(machines.map_or(to, level).min(from))
                }
                (Setpoint::Power(_), Setpoint::Power(_)) => {
                    Setpoint::Power(wanted.max(floor))
                }
                (Setpoint::Level(_) | Setpoint::Power(_), target) => target,
            };
            if setpoint != ordered {
                let to = self.power(state, load, setpoint);
                self.moved.down += now - to;
                self.legs[load].moved.down += now - to;
                state.fleet.of_mut(load).lowered_at = Some(at);
                self.order(state, at, load, setpoint, orders);
            }
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
            if wanted <= now {
                continue;
            }
            let room = room.get_or_insert_with(|| self.room_at_worst(state));
            let worst =
                state.fleet.of(load).draw_at_worst(|s| self.power(state, load, s));
            // Below its own worst a load takes no more room than it is counted
            // with; a battery that stops sending back takes none either.
            let left = room.left_for(&state.site, load).0.max(Power::ZERO);
            let ceiling = (worst + left).min(now + self.room_up(&state.site, load));
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
                room.take(&state.site, load, (to - worst).max(Power::ZERO));
                self.moved.up += to - now;
                self.legs[load].moved.up += to - now;
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
        let belief = state.fleet.of_mut(load);
        // While an answer is out, either of the two may be true: the one that
        // draws more stays the one to count.
        if belief.unanswered {
            let draws_more = self.power(state, load, state.fleet.of(load).ordered)
                > self.power(state, load, state.fleet.of(load).confirmed);
            let belief = state.fleet.of_mut(load);
            if draws_more {
                belief.confirmed = belief.ordered;
            }
        }
        let belief = state.fleet.of_mut(load);
        belief.ordered = setpoint;
        belief.unanswered = true;
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

    fn room_down(&self, site: &Site, load: LoadIx) -> Power {
        let grid = &site.interconnection;
        let by_site = if self.emergency {
            grid.ramp_emergency_per_minute
        } else {
            grid.ramp_down_per_minute
        };
        let by_load = if self.emergency {
            None
        } else {
            site.loads[load].envelope.ramp_down_per_minute
        };
        tighter(by_site, self.moved.down, by_load, self.legs[load].moved.down)
    }

    fn room_up(&self, site: &Site, load: LoadIx) -> Power {
        let by_site = site.interconnection.ramp_up_per_minute;
        let by_load = site.loads[load].envelope.ramp_up_per_minute;
        tighter(by_site, self.moved.up, by_load, self.legs[load].moved.up)
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
