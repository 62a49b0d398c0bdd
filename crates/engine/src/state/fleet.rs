//! Where each load is believed to be, and where it could be at worst.

use units::{Energy, Interval, Power, Timestamp};

use crate::decide::Setpoint;
use crate::signals::{Sweep, Work};
use crate::site::{LoadIx, LoadKind, Site};

/// Every load's belief, in the site's order.
#[derive(Clone, Debug)]
pub struct Fleet {
    loads: Vec<LoadState>,
}

/// Where one load is believed to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadState {
    /// What it was last asked.
    pub ordered: Setpoint,
    /// What it was last seen at.
    pub confirmed: Setpoint,
    /// Whether the last order has not been answered yet.
    pub unanswered: bool,
    /// When it was last raised; `None` is never.
    pub raised_at: Option<Timestamp>,
    /// When it was last lowered; `None` is never.
    pub lowered_at: Option<Timestamp>,
    /// What a battery is believed to hold.
    pub stored: Energy,
}

impl Fleet {
    /// Every load at rest, as configured.
    pub fn at_rest(site: &Site) -> Self {
        let rest = |load: &crate::site::Load| {
            let (setpoint, stored) = match &load.kind {
                LoadKind::Rigs(_) | LoadKind::Racks(_) => {
                    (Setpoint::Level(0), Energy::ZERO)
                }
                LoadKind::Battery(battery) => {
                    (Setpoint::Power(Power::ZERO), battery.stored_first)
                }
            };
            LoadState {
                ordered: setpoint,
                confirmed: setpoint,
                unanswered: false,
                raised_at: None,
                lowered_at: None,
                stored,
            }
        };
        Self { loads: site.loads.iter().map(rest).collect() }
    }

    /// The belief about one load.
    pub fn of(&self, load: LoadIx) -> &LoadState {
        &self.loads[load]
    }

    /// The belief about one load, to change.
    pub fn of_mut(&mut self, load: LoadIx) -> &mut LoadState {
        &mut self.loads[load]
    }

    /// Keeps the beliefs about loads that a changed site still has, by name.
    pub fn carried_over(self, from: &Site, to: &Site) -> Self {
        let mut next = Self::at_rest(to);
        for (ix, load) in to.loads.iter().enumerate() {
            let Some(old) = from.load_named(&load.name) else {
                continue;
            };
            let same_kind = std::mem::discriminant(&from.loads[old].kind)
                == std::mem::discriminant(&load.kind);
            if same_kind {
                let most = load.machines().map_or(0, crate::site::Machines::level_max);
                next.loads[ix] = self.loads[old].within(most);
            }
        }
        next
    }

    pub(crate) fn learn_stored(&mut self, sweep: &Sweep) {
        for reading in &sweep.readings {
            match (reading.work, self.loads.get_mut(reading.load)) {
                (Work::Stored(stored), Some(load)) => load.stored = stored,
                (Work::Stored(_) | Work::Hashes(_) | Work::Gpu(_), _) => {}
            }
        }
    }
}

impl LoadState {
    /// The same belief about a group that now has `most` levels.
    fn within(self, most: u32) -> Self {
        let clamp = |setpoint| match setpoint {
            Setpoint::Level(level) => Setpoint::Level(level.min(most)),
            Setpoint::Power(power) => Setpoint::Power(power),
        };
        Self { ordered: clamp(self.ordered), confirmed: clamp(self.confirmed), ..self }
    }

    /// The most it can be drawing: an unanswered order counts as whichever of
    /// old and new is more.
    pub fn draw_at_worst(&self, power_of: impl Fn(Setpoint) -> Power) -> Power {
        power_of(self.ordered).max(power_of(self.confirmed)).max(Power::ZERO)
    }

    /// The least it can be drawing, or the most it can be sending back.
    pub fn draw_at_least(&self, power_of: impl Fn(Setpoint) -> Power) -> Power {
        power_of(self.ordered).min(power_of(self.confirmed))
    }

    /// Whether it may not be lowered for price in `interval`, having been
    /// raised a short while ago; until when.
    pub fn kept_up_until(
        &self,
        interval: Interval,
        up_min: units::Seconds,
    ) -> Option<Timestamp> {
        self.raised_at.map(|at| at + up_min).filter(|until| interval.start < *until)
    }

    /// Whether it may not be raised in `interval`, having been lowered a short
    /// while ago; until when.
    pub fn kept_down_until(
        &self,
        interval: Interval,
        down_min: units::Seconds,
    ) -> Option<Timestamp> {
        self.lowered_at.map(|at| at + down_min).filter(|until| interval.start < *until)
    }
}
