//! Where each load is believed to be, and where it could be at worst.

use serde::{Deserialize, Serialize};
use units::{Interval, Power, Timestamp};

use super::charge::Charge;
use super::crew::Crew;
use crate::act::{Move, ReadBack, Survey};
use crate::decide::Setpoint;
use crate::signals::{Sweep, Work};
use crate::site::{Battery, LoadIx, LoadKind, Machines, Site};

/// Every load's belief, in the site's order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fleet {
    loads: Vec<LoadState>,
    /// The machines of each load that is known machine by machine.
    crews: Vec<Option<Crew>>,
    by_machine: bool,
}

/// How far a load can be moved, in levels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// As low as it can be brought: machines that take no orders count at most.
    pub floor: u32,
    /// As high.
    pub ceiling: u32,
}

/// Where one load is believed to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
        Self {
            loads: site.loads.iter().map(rest).collect(),
            crews: vec![None; site.loads.len()],
            by_machine: false,
        }
    }

    /// The same, with every machine known by itself.
    pub fn by_machine(site: &Site) -> Self {
        let mut fleet = Self { by_machine: true, ..Self::at_rest(site) };
        fleet.crews =
            site.loads.iter().map(|load| load.machines().map(Crew::at_rest)).collect();
        fleet
    }

    /// Whether every machine is known by itself.
    pub fn is_by_machine(&self) -> bool {
        self.by_machine
    }

    /// The machines of a load that is known machine by machine.
    pub fn crew(&self, load: LoadIx) -> Option<&Crew> {
        self.crews[load].as_ref()
    }

    /// How far a load of machines can be moved.
    pub fn reach(&self, site: &Site, load: LoadIx) -> Reach {
        match (&self.crews[load], site.loads[load].machines()) {
            (None, None) | (Some(_), None) => Reach::default(),
            (None, Some(machines)) => Reach { floor: 0, ceiling: machines.level_max() },
            (Some(crew), Some(machines)) => {
                let floor = level_at_least(machines, crew.sums().floor);
                let ceiling = level_at_most(machines, crew.sums().ceiling).max(floor);
                Reach { floor, ceiling }
            }
        }
    }

    /// Changes the machines of a load, and what is believed of the load with them.
    pub(crate) fn change_crew<T>(
        &mut self,
        site: &Site,
        load: LoadIx,
        change: impl FnOnce(&mut Crew, &Machines) -> T,
    ) -> Option<T> {
        let machines = site.loads[load].machines()?;
        let crew = self.crews[load].as_mut()?;
        let changed = change(crew, machines);
        self.loads[load].summed_up(crew, machines);
        Some(changed)
    }

    /// Nobody watched for a while: every load may be anywhere until it is seen.
    pub(crate) fn resume(&mut self, site: &Site, at: Timestamp) {
        for load in 0..self.loads.len() {
            self.count_charge(site, load, at);
            let whole = match &site.loads[load].kind {
                LoadKind::Rigs(rigs) => {
                    (Setpoint::Level(0), Setpoint::Level(rigs.machines.level_max()))
                }
                LoadKind::Racks(racks) => {
                    (Setpoint::Level(0), Setpoint::Level(racks.machines.level_max()))
                }
                LoadKind::Battery(battery) => (
                    Setpoint::Power(-battery.discharge_max),
                    Setpoint::Power(battery.charge_max),
                ),
            };
            let belief = &mut self.loads[load];
            (belief.at_least, belief.at_most) = whole;
            belief.unanswered = true;
            self.change_crew(site, load, |crew, machines| crew.resume(machines, at));
        }
    }

    /// Takes in what machines of a load were seen at.
    pub(crate) fn hear(&mut self, site: &Site, survey: &Survey, observed_at: Timestamp) {
        if survey.load < self.loads.len() {
            self.change_crew(site, survey.load, |crew, machines| {
                crew.hear(machines, &survey.looks(), &survey.silent, observed_at);
            });
        }
    }

    /// These machines were asked again.
    pub(crate) fn asked(&mut self, site: &Site, asked: &ReadBack, at: Timestamp) {
        for (load, which) in &asked.machines {
            if *load < self.loads.len() {
                self.change_crew(site, *load, |crew, machines| {
                    crew.asked(machines, which, at);
                });
            }
        }
    }

    /// Takes in orders to machines of a load.
    pub(crate) fn order_machines(
        &mut self,
        site: &Site,
        load: LoadIx,
        moves: &[Move],
        at: Timestamp,
    ) {
        self.change_crew(site, load, |crew, machines| crew.order(machines, moves, at));
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
        let mut next = Self { by_machine: self.by_machine, ..Self::at_rest(to) };
        for (ix, load) in to.loads.iter().enumerate() {
            let Some(old) = from.load_named(&load.name) else {
                continue;
            };
            let same_kind = std::mem::discriminant(&from.loads[old].kind)
                == std::mem::discriminant(&load.kind);
            if same_kind {
                let most = load.machines().map_or(0, Machines::level_max);
                next.loads[ix] = self.loads[old].within(most);
                next.crews[ix] = self.crews[old]
                    .clone()
                    .zip(load.machines())
                    .map(|(crew, machines)| crew.resized(machines));
            }
            if self.by_machine && next.crews[ix].is_none() {
                next.crews[ix] = load.machines().map(Crew::at_rest);
            }
            next.change_crew(to, ix, |_, _| ());
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

/// The lowest level that draws at least so much at the plug; the highest of all
/// where none does.
fn level_at_least(machines: &Machines, power: Power) -> u32 {
    let (mut low, mut high) = (0, machines.level_max());
    while low < high {
        let middle = low + (high - low) / 2;
        if machines.power_at(middle) < power { low = middle + 1 } else { high = middle }
    }
    low
}

/// The highest level that draws at most so much at the plug; 0 where none does.
fn level_at_most(machines: &Machines, power: Power) -> u32 {
    let above = level_at_least(machines, power);
    if machines.power_at(above) > power { above.saturating_sub(1) } else { above }
}

impl LoadState {
    /// Takes on what the machines of the load come to, as levels, each rounded to
    /// the side that is worse.
    fn summed_up(&mut self, crew: &Crew, machines: &Machines) {
        let sums = crew.sums();
        self.ordered = Setpoint::Level(level_at_least(machines, sums.ordered));
        self.at_most = Setpoint::Level(level_at_least(machines, sums.most));
        self.at_least = Setpoint::Level(level_at_most(machines, sums.least));
        self.unanswered = sums.unanswered > 0;
    }

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
