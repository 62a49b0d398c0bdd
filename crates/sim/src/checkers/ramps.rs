//! S12: within any minute, draw moves no further than the ramps allow.
//!
//! Measured on what the loads truly draw. A change of overhead with the weather
//! is not a ramp.

use std::collections::VecDeque;

use engine::site::{LoadIx, Site};
use units::{Power, Timestamp};

use super::MINUTE;

/// What moved in the last minute.
#[derive(Clone, Debug, Default)]
pub(super) struct Movements {
    recent: VecDeque<Movement>,
    /// When orders last went out at the emergency's pace.
    fast_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
struct Movement {
    at: Timestamp,
    load: LoadIx,
    by: Power,
}

impl Movements {
    /// Orders go out, at an emergency's pace or not.
    pub(super) fn pace(&mut self, at: Timestamp, fast: bool) {
        if fast {
            self.fast_at = Some(at);
        }
    }

    /// A load moved by order.
    pub(super) fn moved(
        &mut self,
        at: Timestamp,
        load: LoadIx,
        by: Power,
        site: &Site,
        broken: &mut Vec<String>,
    ) {
        while (self.recent.front()).is_some_and(|movement| at - movement.at >= MINUTE) {
            self.recent.pop_front();
        }
        self.recent.push_back(Movement { at, load, by });
        let fast = self.fast_at.is_some_and(|fast_at| at - fast_at < MINUTE);
        let grid = &site.interconnection;
        let envelope = &site.loads[load].envelope;
        let down = if fast {
            (grid.ramp_emergency_per_minute, None)
        } else {
            (grid.ramp_down_per_minute, envelope.ramp_down_per_minute)
        };
        let up = (grid.ramp_up_per_minute, envelope.ramp_up_per_minute);
        let whole = |_: &Movement| true;
        let own = |movement: &Movement| movement.load == load;
        let checks = [
            ("the site", up.0, down.0, self.extremes(whole)),
            (site.loads[load].name.as_str(), up.1, down.1, self.extremes(own)),
        ];
        for (name, up, down, (rise, fall)) in checks {
            if up.is_some_and(|ramp| rise > ramp) {
                broken.push(format!(
                    "S12: {name} rises by {rise} in a minute, ramp {up:?}"
                ));
            }
            if down.is_some_and(|ramp| fall > ramp) {
                broken.push(format!(
                    "S12: {name} falls by {fall} in a minute, ramp {down:?}"
                ));
            }
        }
    }

    /// The furthest rise and fall that end now and began within the minute.
    fn extremes(&self, counts: impl Fn(&Movement) -> bool) -> (Power, Power) {
        let (mut sum, mut rise, mut fall) = (Power::ZERO, Power::ZERO, Power::ZERO);
        // Movements of one instant count together: some go up to let others down.
        let mut rest = self.recent.iter().rev().peekable();
        while let Some(movement) = rest.next() {
            if counts(movement) {
                sum += movement.by;
            }
            if rest.peek().is_none_or(|next| next.at != movement.at) {
                rise = rise.max(sum);
                fall = fall.max(-sum);
            }
        }
        (rise, fall)
    }
}
