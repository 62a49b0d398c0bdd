//! Where each load is believed to be, and where it could be at worst.

use units::{Interval, Power, Timestamp};

use super::charge::Charge;
use crate::decide::Setpoint;
use crate::signals::{Sweep, Work};
use crate::site::{Battery, LoadIx, LoadKind, Site};

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
    /// Of where it was last seen and what it was ordered before, while no look
    /// has answered an order, what draws least.
    pub at_least: Setpoint,
    /// The same, what draws most.
    pub at_most: Setpoint,
    /// Whether the last order has not been answered yet.
    pub unanswered: bool,
    /// When it was last raised; `None` is never.
    pub raised_at: Option<Timestamp>,
    /// When it was last lowered; `None` is never.
    pub lowered_at: Option<Timestamp>,
    /// What a battery is believed to hold.
    pub charge: Charge,
}

impl Fleet {
    /// Every load at rest, as configured.
    pub fn at_rest(site: &Site) -> Self {
        let rest = |load: &crate::site::Load| {
            let (setpoint, stored) = match &load.kind {
                LoadKind::Rigs(_) | LoadKind::Racks(_) => {
                    (Setpoint::Level(0), units::Energy::ZERO)
                }
                LoadKind::Battery(battery) => {
                    (Setpoint::Power(Power::ZERO), battery.stored_first)
                }
            };
            LoadState {
                ordered: setpoint,
                at_least: setpoint,
                at_most: setpoint,
                unanswered: false,
                raised_at: None,
                lowered_at: None,
                charge: Charge::exactly(stored),
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

    /// Counts on to `at` what a battery holds; nothing for what is none.
    pub(crate) fn count_charge(&mut self, site: &Site, load: LoadIx, at: Timestamp) {
        if let LoadKind::Battery(battery) = &site.loads[load].kind {
            self.loads[load].count_charge(battery, at);
        }
    }

    /// Counts on what every battery holds, at a tick.
    pub(crate) fn count_charges(&mut self, site: &Site, at: Timestamp) {
        for (belief, load) in self.loads.iter_mut().zip(&site.loads) {
            if let LoadKind::Battery(battery) = &load.kind {
                belief.count_charge(battery, at);
                belief.charge.tick(at);
            }
        }
    }

    pub(crate) fn learn_stored(&mut self, site: &Site, sweep: &Sweep) {
        for reading in &sweep.readings {
            let (Work::Stored(stored), true) =
                (reading.work, reading.load < self.loads.len())
            else {
                continue;
            };
            self.count_charge(site, reading.load, sweep.during.end);
            self.loads[reading.load].charge.read(stored, sweep.during);
        }
    }
}

impl LoadState {
    /// Takes in a look: it is there and nowhere else.
    pub(crate) fn seen_at(&mut self, setpoint: Setpoint) {
        self.ordered = setpoint;
        self.at_least = setpoint;
        self.at_most = setpoint;
        self.unanswered = false;
    }

    /// Takes in an order. Until it is answered, either may be true: what was
    /// ordered or seen before, or this.
    pub(crate) fn is_ordered(
        &mut self,
        setpoint: Setpoint,
        power_of: impl Fn(Setpoint) -> Power,
    ) {
        let before = power_of(self.ordered);
        if before < power_of(self.at_least) {
            self.at_least = self.ordered;
        }
        if before > power_of(self.at_most) {
            self.at_most = self.ordered;
        }
        self.ordered = setpoint;
        self.unanswered = true;
    }

    fn count_charge(&mut self, battery: &Battery, at: Timestamp) {
        let power = |setpoint| match setpoint {
            Setpoint::Power(power) => power,
            Setpoint::Level(_) => Power::ZERO,
        };
        let lowest = power(self.ordered).min(power(self.at_least));
        let highest = power(self.ordered).max(power(self.at_most));
        self.charge.count_on(battery, at, lowest, highest);
    }

    /// The same belief about a group that now has `most` levels.
    fn within(self, most: u32) -> Self {
        let clamp = |setpoint| match setpoint {
            Setpoint::Level(level) => Setpoint::Level(level.min(most)),
            Setpoint::Power(power) => Setpoint::Power(power),
        };
        Self {
            ordered: clamp(self.ordered),
            at_least: clamp(self.at_least),
            at_most: clamp(self.at_most),
            ..self
        }
    }

    /// The most it can be drawing: an unanswered order counts as whichever of
    /// old and new is more.
    pub fn draw_at_worst(&self, power_of: impl Fn(Setpoint) -> Power) -> Power {
        power_of(self.ordered).max(power_of(self.at_most)).max(Power::ZERO)
    }

    /// The most it can be drawing, negative where it sends back even then.
    pub fn draw_at_most(&self, power_of: impl Fn(Setpoint) -> Power) -> Power {
        power_of(self.ordered).max(power_of(self.at_most))
    }

    /// The least it can be drawing, or the most it can be sending back.
    pub fn draw_at_least(&self, power_of: impl Fn(Setpoint) -> Power) -> Power {
        power_of(self.ordered).min(power_of(self.at_least))
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
