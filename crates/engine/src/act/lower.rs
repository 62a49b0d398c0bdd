//! Down: what is worked on first, what can be shed before what is under contract,
//! and never more than the site may send back.

use units::{Power, Timestamp};

use super::{Act, Order, is_under};
use crate::decide::room::Room;
use crate::decide::{Limit, Setpoint, highest_level};
use crate::site::LoadIx;
use crate::state::State;

/// Whose turn it is to go down.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// What can be shed; a battery stops charging.
    Sheddable,
    /// What is under contract.
    Contracted,
    /// A battery discharges, into what room to export is left.
    Discharge,
}

impl Act {
    /// Brings machines to rest that somebody works on, or that are out of service,
    /// before anything else moves, as far as ramps and the export limit allow.
    pub(super) fn rest_what_is_worked_on(
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

    pub(super) fn lower(
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
                // Where a raise is not answered yet, less than it is still more
                // than nothing: too much for the ramp up, or for a load that a
                // person works on.
                let (_, up) = self.swing(state, load, &order, to);
                let starts =
                    up > Power::ZERO && to > Power::ZERO && state.is_locked_out(load, at);
                if starts || up > self.room_up(&state.site, load, at) {
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
    pub(super) fn make_room_to_export(
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
        self.legs.iter().enumerate().any(|(other, leg)| {
            !leg.left_alone
                && !site.loads[other].is_firm()
                && is_under(site, other, limit)
                && self.power(state, other, state.fleet.of(other).ordered)
                    > self.power(state, other, leg.target).max(Power::ZERO)
        })
    }

    /// The order that brings a load to `setpoint`, and where it would be then; nothing
    /// if no machine of it can be moved. Where machines cannot meet what was decided,
    /// they go below it, but not below `lowest`.
    pub(super) fn order_to(
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

    /// The limit that cuts a load under contract, and what the load is asked then.
    pub(crate) fn cut(&self, load: LoadIx) -> Option<(Limit, Setpoint)> {
        let leg = self.legs.get(load)?;
        leg.cut_by.map(|limit| (limit, leg.target))
    }
}
