//! How fast: what draw may move in any minute, of the site and of each load.

use serde::{Deserialize, Serialize};
use units::{Power, Seconds, Timestamp};

use super::Act;
use crate::site::{LoadIx, Site};

/// A ramp holds over any minute.
pub(super) const RAMP_WINDOW: Seconds = Seconds::minutes(1);

/// More than any site draws: stands for no limit.
const UNLIMITED: Power = Power::from_mw(1_000_000);

/// How far draw was moved in the last minute, order by order: a ramp holds over
/// any minute, whenever it begins.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Moved {
    recent: Vec<(Timestamp, Power)>,
}

impl Moved {
    fn note(&mut self, at: Timestamp, by: Power) {
        self.recent.push((at, by));
    }

    pub(super) fn forget_before(&mut self, at: Timestamp) {
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
    pub(super) fn frees(&self, at: Timestamp) -> Option<Timestamp> {
        let ends = self.recent.iter().map(|(moved_at, _)| *moved_at + RAMP_WINDOW);
        ends.filter(|end| *end >= at).min()
    }
}

impl Act {
    /// Keeps account of a movement where a ramp limits it.
    pub(super) fn note_movement(
        &mut self,
        site: &Site,
        load: LoadIx,
        at: Timestamp,
        by: Power,
    ) {
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

    pub(super) fn room_down(
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

    pub(super) fn room_up(&self, site: &Site, load: LoadIx, at: Timestamp) -> Power {
        let by_site = site.interconnection.ramp_up_per_minute;
        let by_load = site.loads[load].envelope.ramp_up_per_minute;
        tighter(by_site, self.moved.up(at), by_load, self.legs[load].moved.up(at))
    }
}

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
