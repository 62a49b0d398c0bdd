//! Places within a load: what nobody can have, and what is on offer, makes way for what
//! is held, where the load draws what it is to draw and no more may be drawn.

use units::{Power, Timestamp};

use super::{Act, Order};
use crate::decide::Setpoint;
use crate::site::{LoadIx, Machines};
use crate::state::{Crew, State};

impl Act {
    /// Brings machines down that make way for others, as far as ramps and the export
    /// limit allow. The others go up like anything that is raised: into room that is
    /// there at worst, so not before these were seen to be down where a limit is near.
    pub(super) fn make_way(
        &mut self,
        state: &mut State,
        at: Timestamp,
        orders: &mut Vec<Order>,
    ) {
        for load in 0..self.legs.len() {
            let Some((crew, machines, power)) = self.places(state, load, at) else {
                continue;
            };
            let room = self.room_down(&state.site, load, at, self.emergency);
            let room = room.min(self.room_to_export(state, load));
            let pue = self.legs[load].pue;
            let moves = crew.way(machines, power, at, |down| pue.at_meter(down) <= room);
            if moves.is_empty() {
                continue;
            }
            let to = pue.at_meter(crew.ordered_after(machines, &moves));
            let setpoint = state.fleet.of(load).ordered;
            let mut order = Order { load, setpoint, moves };
            // Where a raise is not answered yet, this may bring some of it up.
            let (_, up) = self.swing(state, load, &order, to);
            if up > self.room_up(&state.site, load, at) {
                continue;
            }
            self.give(state, at, &order);
            order.setpoint = state.fleet.of(load).ordered;
            orders.push(order);
        }
    }

    /// Whether machines of a load are to change places, or a held one has room to go
    /// up.
    pub(super) fn wants_places_changed(
        &self,
        state: &State,
        load: LoadIx,
        at: Timestamp,
    ) -> bool {
        self.places(state, load, at).is_some_and(|(crew, machines, power)| {
            crew.held_fits(machines, power)
                || !crew.way(machines, power, at, |_| true).is_empty()
        })
    }

    /// The machines of a load and what they are to draw at the plug, where one may have
    /// to make way for another and may be started.
    fn places<'a>(
        &self,
        state: &'a State,
        load: LoadIx,
        at: Timestamp,
    ) -> Option<(&'a Crew, &'a Machines, Power)> {
        let crew = state.fleet.crew(load)?;
        if crew.sums().held_low == 0 && crew.sums().dark_up == 0 {
            return None;
        }
        let machines = state.site.loads[load].machines()?;
        let Setpoint::Level(target) = self.legs[load].target else { return None };
        let is_free = !self.legs[load].left_alone && !state.is_locked_out(load, at);
        is_free.then(|| (crew, machines, machines.power_at(target)))
    }

    /// Whether a load draws no more than it is to draw, as ordered.
    pub(super) fn is_at_most_its_target(&self, state: &State, load: LoadIx) -> bool {
        match (state.fleet.of(load).ordered, self.legs[load].target) {
            (Setpoint::Level(ordered), Setpoint::Level(target)) => ordered <= target,
            (Setpoint::Level(_) | Setpoint::Power(_), _) => false,
        }
    }
}
