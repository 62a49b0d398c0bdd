//! What loads may be drawing, at least and at worst, and which limits that passes.

use units::{Power, Timestamp};

use super::{Act, Order};
use crate::decide::room::Room;
use crate::decide::{Limit, Setpoint};
use crate::site::{LoadIx, Site};
use crate::state::State;

impl Act {
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

    /// What a load draws at worst beyond what it was ordered.
    pub(crate) fn doubt(&self, state: &State, load: LoadIx) -> Power {
        self.worst(state, load) - self.now(state, load).max(Power::ZERO)
    }

    /// What is left under every limit with every load counted at its worst.
    pub(super) fn room_at_worst(&self, state: &State) -> Room {
        let mut room = Room::whole(&state.site, self.import);
        for load in 0..self.legs.len() {
            room.take(&state.site, load, self.worst(state, load));
        }
        room
    }

    /// How far a load may go down before the site could send back more than it may.
    pub(super) fn room_to_export(&self, state: &State, load: LoadIx) -> Power {
        let least = |load: LoadIx| self.least(state, load);
        let net: Power = (0..self.legs.len()).map(least).sum();
        let own = self.now(state, load) - least(load);
        (net + state.site.interconnection.export_limit).max(Power::ZERO) + own
    }

    /// What a load draws as ordered, at the meter. Machines known one by one are
    /// added up: at mixed points they need not meet a level.
    pub(super) fn now(&self, state: &State, load: LoadIx) -> Power {
        match state.fleet.crew(load) {
            Some(crew) => self.legs[load].pue.at_meter(crew.sums().ordered),
            None => self.power(state, load, state.fleet.of(load).ordered),
        }
    }

    /// The least it can be drawing.
    pub(super) fn least(&self, state: &State, load: LoadIx) -> Power {
        match state.fleet.crew(load) {
            Some(crew) => self.legs[load].pue.at_meter(crew.sums().least),
            None => state.fleet.of(load).draw_at_least(|s| self.power(state, load, s)),
        }
    }

    /// The most, negative where it sends back even then.
    pub(super) fn most(&self, state: &State, load: LoadIx) -> Power {
        match state.fleet.crew(load) {
            Some(crew) => self.legs[load].pue.at_meter(crew.sums().most),
            None => state.fleet.of(load).draw_at_most(|s| self.power(state, load, s)),
        }
    }

    /// The most, and no less than nothing.
    pub(super) fn worst(&self, state: &State, load: LoadIx) -> Power {
        self.most(state, load).max(Power::ZERO)
    }

    /// How far an order that brings a load to `to` may move it down and up, from
    /// wherever it may be. Of machines known one by one only those that it moves can
    /// move: what others may be at is no part of it.
    pub(super) fn swing(
        &self,
        state: &State,
        load: LoadIx,
        order: &Order,
        to: Power,
    ) -> (Power, Power) {
        let crew = state.fleet.crew(load).zip(state.site.loads[load].machines());
        let (down, up) = match crew {
            Some((crew, machines)) => {
                let (down, up) = crew.swing(machines, &order.moves);
                let after = crew.ordered_after(machines, &order.moves);
                let meter = |plug| self.legs[load].pue.at_meter(plug);
                (meter(after + down) - meter(after), meter(after) - meter(after - up))
            }
            None => (self.most(state, load) - to, to - self.least(state, load)),
        };
        (down.max(Power::ZERO), up.max(Power::ZERO))
    }

    pub(super) fn power(&self, state: &State, load: LoadIx, setpoint: Setpoint) -> Power {
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
