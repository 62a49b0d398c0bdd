//! Up: contracts first, and only into room that is there at worst.

use units::{Power, Timestamp};

use super::{Act, Order};
use crate::decide::room::Room;
use crate::decide::{Setpoint, highest_level};
use crate::site::LoadIx;
use crate::state::State;

impl Act {
    pub(super) fn raise(
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
            let wanted = self.power(state, load, target);
            // What a held machine waits for is not lost in rounding to a level.
            let now = match state.fleet.crew(load) {
                Some(crew) if crew.sums().held_low > 0 => self.now(state, load),
                Some(_) | None => self.power(state, load, ordered),
            };
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
            // Of machines known one by one, those that have answered are raised, from
            // where they are: what the others may draw makes no room for them, and how
            // little it may be takes none away.
            let as_ordered = self.now(state, load);
            let (counted, from) = match state.fleet.crew(load) {
                Some(_) => (as_ordered - Power::from_watts(1), as_ordered),
                None => (worst, self.least(state, load)),
            };
            let ceiling = (counted + left)
                .max(Power::ZERO)
                .min(from + self.room_up(&state.site, load, at));
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
        if moves.is_empty() {
            return None;
        }
        let setpoint = state.fleet.of(load).ordered;
        let mut order = Order { load, setpoint, moves };
        self.give(state, at, &order);
        order.setpoint = state.fleet.of(load).ordered;
        Some(order)
    }
}
