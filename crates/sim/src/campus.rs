//! A live site that is not there, machine by machine: each has its own draw, its
//! own lease and its own temper.
//!
//! [`crate::Plant`] is the ideal site of history and plans; a [`Campus`] is what a
//! running engine meets. Orders go in, and what comes back says who answered and
//! how late. A machine that hears nothing more goes to its fail-safe level when
//! its lease ends, with or without an engine.
//!
//! A batch of orders and a [`Lease`] that is kept are told to every load: each
//! machine that hears holds what was said last.
//!
//! Invariant: the same seed and the same calls give the same campus; nothing is
//! drawn from a clock or in the order of memory.
//! Invariant: a machine never carries out an order of an older generation than
//! the newest it carried out.

mod agenda;
mod answers;
mod dynamics;
mod electrical;
mod executions;
mod group;
mod interconnection;
mod stands;
mod temper;

use engine::site::{LoadIx, Machines};
use engine::{
    Lease, Order, OrderBatch, Ranges, ReadBack, Reading, Receipt, Setpoint, Site, Survey,
    Sweep,
};
use serde::{Deserialize, Serialize};
use units::{Energy, Interval, Power, Seconds, Temperature, Timestamp};

pub use answers::Answer;
pub use dynamics::Dynamics;
pub use executions::{Execution, Executions};
pub use stands::Stands;
pub use temper::{Back, MeterTemper, Often, Temper, Tempers};

use crate::seed::{Generator, generator, sub_seed};
use agenda::{Agenda, Due};
use answers::Answers;
use group::{Around, Group, Lot};
use interconnection::{House, Meter};

/// How many machines in a row hang on one switch.
const SWITCH: u32 = 48;

const MINUTE: Seconds = Seconds::minutes(1);

/// Every machine of a live site.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Campus {
    site: Site,
    seed: u64,
    tempers: Tempers,
    dynamics: Dynamics,
    now: Timestamp,
    outside: Option<Temperature>,
    groups: Vec<Group>,
    agenda: Agenda,
    done: Executions,
    house: House,
    house_energy: Energy,
    house_counted: Timestamp,
    meter: Meter,
}

impl Campus {
    /// Every machine of `site` at rest, from `now` on.
    pub fn new(site: Site, seed: u64, tempers: Tempers, now: Timestamp) -> Self {
        let seed = sub_seed(seed, "campus");
        let groups: Vec<Group> = (0..site.loads.len())
            .map(|load| Group::at_rest(&site, load, None, seed, tempers.noise_ppm, now))
            .collect();
        let none_done = |group: &Group| vec![Execution::default(); group.size() as usize];
        let done = Executions(groups.iter().map(none_done).collect());
        let mut agenda = Agenda::default();
        if tempers.stir() {
            agenda.put(now + MINUTE, Due::Minute);
        }
        Self {
            house: House::new(&tempers, now),
            house_energy: Energy::ZERO,
            house_counted: now,
            meter: Meter::default(),
            site,
            seed,
            tempers,
            dynamics: Dynamics::at_once(),
            now,
            outside: None,
            groups,
            agenda,
            done,
        }
    }

    /// The same as somebody else left it: so many machines in a million run warm,
    /// at points drawn from the seed, on nobody's lease.
    pub fn found_running(mut self, ppm: u32) -> Self {
        let mut draws = generator(self.seed, "found");
        for load in 0..self.groups.len() {
            self.groups[load].count_on(&self.site, self.now);
            self.groups[load].found(&mut draws, ppm);
        }
        self
    }

    /// Draw and heat follow as `dynamics` say from now on.
    pub fn set_dynamics(&mut self, dynamics: Dynamics) {
        self.dynamics = dynamics;
        self.groups.iter_mut().for_each(|group| group.set_dynamics(dynamics));
    }

    /// The time it is.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The site it is.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// Lets time pass: machines warm up, leases end, tempers come and go.
    ///
    /// Panics where `to` is before now.
    pub fn advance(&mut self, to: Timestamp) {
        assert!(to >= self.now, "time passes forwards: from {} to {to}", self.now);
        while let Some((at, due)) = self.agenda.take(to) {
            self.now = at.max(self.now);
            for due in due {
                self.happen(due);
            }
        }
        self.now = to;
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Warm { load, machine } => {
                let now = self.now;
                self.group(load, |group, _| group.warm(machine, now));
            }
            Due::Follow { load, machine } => {
                self.group(load, |group, around| group.follow(machine, around));
            }
            Due::Lapse(load) => self.group(load, |group, around| group.lapse(around)),
            Due::LapseOf { load, machine } => {
                self.group(load, |group, around| group.lapse_of(machine, around));
            }
            Due::Calm { load, machine } => {
                self.group(load, |group, around| group.calm(machine, around));
            }
            Due::Rejoin { load, machine } => {
                let now = self.now;
                self.group(load, |group, _| group.rejoin(machine, now));
            }
            Due::Booted { load, machine, at } => {
                self.group(load, |group, around| group.booted(machine, at, around));
            }
            Due::Revert { load, machine, at, generation } => {
                self.group(load, |group, around| {
                    group.revert(machine, at, generation, around);
                });
            }
            Due::House => {
                self.count_house();
                self.house.end_jump(self.now);
            }
            Due::Minute => self.stir(),
        }
    }

    /// Changes one load, its energy counted up to now.
    fn group<T>(
        &mut self,
        load: LoadIx,
        change: impl FnOnce(&mut Group, &mut Around<'_>) -> T,
    ) -> T {
        let lot = self.lot();
        let group = &mut self.groups[load];
        group.count_on(&self.site, self.now);
        let mut around =
            Around { agenda: &mut self.agenda, done: &mut self.done.0[load], lot };
        change(group, &mut around)
    }

    fn lot(&self) -> Lot {
        Lot { seed: self.seed, now: self.now }
    }

    /// The weather changes from now on.
    pub fn weather(&mut self, outside: Option<Temperature>) {
        if outside == self.outside {
            return;
        }
        self.outside = outside;
        for (load, group) in self.groups.iter_mut().enumerate() {
            group.count_on(&self.site, self.now);
            group.weather(self.site.pue_of(load, outside));
        }
    }

    /// Carries out a batch of orders now, as far as machines hear it and do as they
    /// are told, and says who answers what, and when. Every load hears the batch's
    /// lease.
    pub fn obey(&mut self, batch: &OrderBatch) -> Vec<Answer> {
        self.hold(batch.lease);
        let mut answers = Answers::default();
        for order in &batch.orders {
            if order.load < self.groups.len() {
                self.obey_one(order, batch.generation, &mut answers);
            }
        }
        answers.say(&self.groups, self.now)
    }

    fn obey_one(&mut self, order: &Order, generation: u64, answers: &mut Answers) {
        let load = order.load;
        let level = match (order.setpoint, self.site.loads[load].machines()) {
            (Setpoint::Level(level), Some(machines)) => {
                order.moves.is_empty().then(|| (machines.clone(), level))
            }
            (Setpoint::Power(power), None) => {
                self.group(load, |group, around| {
                    let reply = group.order(0, power.as_watts(), generation, around);
                    reply.into_iter().for_each(|reply| answers.note(load, 0, reply));
                });
                return;
            }
            (Setpoint::Level(_), None) | (Setpoint::Power(_), Some(_)) => return,
        };
        self.group(load, |group, around| {
            let count = group.size();
            let mut order_one = |machine, point| {
                let reply = group.order(machine, point, generation, around);
                reply.into_iter().for_each(|reply| answers.note(load, machine, reply));
            };
            // A group order: the machines go to the level in their own order.
            if let Some((machines, level)) = level {
                (0..machines.count).for_each(|machine| {
                    order_one(machine, i64::from(machines.point_at(level, machine)));
                });
            }
            for to in &order.moves {
                for machine in within(&to.machines, count) {
                    order_one(machine, i64::from(to.point));
                }
            }
        });
    }

    /// Every load is told how long it may go on as it was last ordered.
    pub fn keep(&mut self, lease: &Lease) {
        self.hold(Some(*lease));
    }

    fn hold(&mut self, lease: Option<Lease>) {
        for group in &mut self.groups {
            group.hold(lease, self.now, &mut self.agenda);
        }
    }

    /// Looks at loads and machines: who answers, and when. Machines that do not
    /// answer are in `silent` of the first receipt.
    pub fn look(&mut self, asked: &ReadBack) -> Vec<Answer> {
        let mut answers = Answers::default();
        let lot = self.lot();
        for load in &asked.loads {
            let Some(group) = self.groups.get_mut(*load) else { continue };
            if group.is_single()
                && let Some(reply) = group.ask(0, lot)
            {
                answers.note(*load, 0, reply);
            }
        }
        for (load, machines) in &asked.machines {
            let Some(group) = self.groups.get_mut(*load) else { continue };
            if group.is_single() {
                continue;
            }
            for machine in within(machines, group.size()) {
                match group.ask(machine, lot) {
                    Some(reply) => answers.note(*load, machine, reply),
                    None => answers.note_silent(*load, machine),
                }
            }
        }
        answers.say(&self.groups, self.now)
    }

    /// A sweep of every machine and every load that is one device. It waits for
    /// whoever answers at all; the others are in `silent`.
    pub fn survey(&mut self) -> Receipt {
        let mut receipt =
            Receipt { observed_at: self.now, observed: Vec::new(), surveys: Vec::new() };
        for (load, group) in self.groups.iter_mut().enumerate() {
            if !group.is_single() {
                receipt.surveys.push(Survey::of(load, group.looks()));
            } else if group.looks().any(|(_, look)| look.is_some()) {
                let setpoint = group.says();
                receipt.observed.push(engine::Observed { load, setpoint });
            }
            group.all_answered(self.now);
        }
        receipt
    }

    /// What the site truly draws at the interconnection, the house included;
    /// negative sends back.
    pub fn draw(&self) -> Power {
        self.groups.iter().map(Group::power).sum::<Power>() + self.house.power()
    }

    /// What the meter at the interconnection shows of it.
    pub fn show(&mut self) -> Option<Power> {
        let lot = self.lot();
        self.meter.show(self.now, self.draw(), || lot.draws("spike", 0, 0))
    }

    /// Reads every energy meter over the time since the last sweep, and starts
    /// anew. The register at the interconnection is right unless that meter is
    /// silent.
    pub fn sweep(&mut self, during: Interval) -> Sweep {
        self.count_house();
        let mut site = std::mem::take(&mut self.house_energy);
        let mut readings = Vec::with_capacity(self.groups.len());
        for (load, group) in self.groups.iter_mut().enumerate() {
            group.count_on(&self.site, self.now);
            let (energy, work) = group.read(&self.site);
            site += energy;
            readings.push(Reading { load, energy, work });
        }
        let silent = self.meter.is_silent(self.now);
        Sweep { during, site: (!silent).then_some(site), readings }
    }

    /// What a load truly draws at the meter.
    pub fn draw_of(&self, load: LoadIx) -> Power {
        self.groups[load].power()
    }

    /// What the house draws beside the loads.
    pub fn draw_of_house(&self) -> Power {
        self.house.power()
    }

    /// Where a machine truly is on its curve: 0 is at rest, and for a load that is
    /// one device.
    pub fn point(&self, load: LoadIx, machine: u32) -> u8 {
        self.groups[load].point(machine)
    }

    /// Where a load truly is as a whole: the steps its machines have taken, or the
    /// power of one device.
    pub fn setpoint(&self, load: LoadIx) -> Setpoint {
        self.groups[load].setpoint()
    }

    /// What a battery truly holds; nothing for other loads.
    pub fn stored(&mut self, load: LoadIx) -> Energy {
        self.groups[load].count_on(&self.site, self.now);
        self.groups[load].stored()
    }

    /// Whether a machine hears what it is told now.
    pub fn hears(&self, load: LoadIx, machine: u32) -> bool {
        self.groups[load].hears(machine)
    }

    /// What is wrong with a machine now.
    pub fn temper(&self, load: LoadIx, machine: u32) -> Option<Temper> {
        self.groups[load].temper(machine)
    }

    /// When a machine's lease ends; `None` is never.
    pub fn lease_end(&self, load: LoadIx, machine: u32) -> Option<Timestamp> {
        self.groups[load].lease_end(machine)
    }

    /// What was truly done with orders so far.
    pub fn executed(&self) -> &Executions {
        &self.done
    }

    /// Something goes wrong with machines from now on, in place of what was wrong
    /// with them before.
    pub fn take_temper(
        &mut self,
        load: LoadIx,
        machines: &Ranges,
        temper: Temper,
        lasts: Seconds,
    ) {
        let until = self.now + lasts;
        self.group(load, |group, around| {
            for machine in within(machines, group.size()) {
                group.take(machine, temper, until, around.agenda);
            }
        });
    }

    /// Machines lose the network: they hear and say nothing, and go on as they are
    /// until their leases end.
    pub fn cut_off(&mut self, load: LoadIx, machines: &Ranges, lasts: Seconds) {
        let until = self.now + lasts;
        self.group(load, |group, around| {
            for machine in within(machines, group.size()) {
                group.cut_off(machine, until, around.agenda);
            }
        });
    }

    /// Machines reboot: they are at rest and silent for so long.
    pub fn reboot(
        &mut self,
        load: LoadIx,
        machines: &Ranges,
        back: Back,
        lasts: Seconds,
    ) {
        let up_at = self.now + lasts;
        self.group(load, |group, around| {
            for machine in within(machines, group.size()) {
                group.reboot(machine, back, up_at, around);
            }
        });
    }

    /// The meter at the interconnection goes wrong.
    pub fn take_meter_temper(&mut self, temper: MeterTemper, lasts: Seconds) {
        let draw = self.draw();
        self.meter.take(temper, self.now + lasts, draw);
    }

    /// The house draws so much more for a while.
    pub fn jump_house(&mut self, by: Power, lasts: Seconds) {
        self.count_house();
        self.house.jump(by, self.now + lasts);
        self.agenda.put(self.now + lasts, Due::House);
    }

    /// Tempers end and no more come: machines answer again, and what boots is at
    /// rest.
    pub fn calm(&mut self) {
        self.tempers = self.tempers.calmed();
        self.meter.calm();
        self.count_house();
        self.house.jump(Power::ZERO, self.now);
        for load in 0..self.groups.len() {
            self.group(load, |group, around| group.calm_all(around));
        }
    }

    /// The site file changed: loads and machines that are still there stay as they
    /// are, by the load's name and the machine's number; new ones are at rest.
    pub fn change(&mut self, site: Site) {
        for group in &mut self.groups {
            group.count_on(&self.site, self.now);
        }
        let old_site = std::mem::replace(&mut self.site, site);
        let mut old: Vec<Option<Group>> =
            std::mem::take(&mut self.groups).into_iter().map(Some).collect();
        let mut old_done = std::mem::take(&mut self.done.0);
        self.agenda.forget_loads();
        for (load, of) in self.site.loads.iter().enumerate() {
            let noise = self.tempers.noise_ppm;
            let mut group = Group::at_rest(
                &self.site,
                load,
                self.outside,
                self.seed,
                noise,
                self.now,
            );
            group.set_dynamics(self.dynamics);
            let mut done = Vec::new();
            let before = old_site.load_named(&of.name).filter(|before| {
                std::mem::discriminant(&old_site.loads[*before].kind)
                    == std::mem::discriminant(&of.kind)
            });
            if let Some((before, left)) =
                before.and_then(|before| Some((before, old[before].take()?)))
            {
                done = std::mem::take(&mut old_done[before]);
                group.take_over(left, self.now, &mut self.agenda);
            }
            done.resize(group.size() as usize, Execution::default());
            self.groups.push(group);
            self.done.0.push(done);
        }
    }

    fn count_house(&mut self) {
        self.house_energy += self.house.power() * (self.now - self.house_counted);
        self.house_counted = self.now;
    }

    /// A minute passes: what goes wrong in the next one is drawn.
    fn stir(&mut self) {
        if !self.tempers.stir() {
            return;
        }
        self.agenda.put(self.now + MINUTE, Due::Minute);
        self.count_house();
        let minute = format!("minute {}", self.now.as_unix_seconds());
        let mut draws = generator(self.seed, &minute);
        self.house.stir(&self.tempers, self.now, &mut draws);
        let draw = self.draw();
        self.meter.stir(&self.tempers, self.now, draw, &mut draws);
        self.strike(&mut draws);
    }

    fn strike(&mut self, draws: &mut Generator) {
        let sizes: Vec<u64> =
            self.groups.iter().map(|group| u64::from(group.size())).collect();
        let all: u64 = sizes.iter().sum();
        if all == 0 {
            return;
        }
        let pick = |draws: &mut Generator| {
            let mut number = draws.below(all);
            let mut load = 0;
            while number >= sizes[load] {
                number -= sizes[load];
                load += 1;
            }
            (load, number as u32)
        };
        let tempers = self.tempers;
        let kinds = [
            (tempers.ignores, Temper::Ignores),
            (tempers.mute, Temper::Mute),
            (tempers.lies, Temper::Lies),
            (tempers.half_obeys, Temper::HalfObeys),
            (tempers.hangs, Temper::Hangs),
            (tempers.late, Temper::Late),
            (tempers.reverts, Temper::Reverts),
            (tempers.repeats, Temper::Repeats),
            (tempers.clock_off, Temper::ClockOff(Seconds::ZERO)),
        ];
        for (often, temper) in kinds {
            for _ in 0..often.strikes(all, draws) {
                let (load, machine) = pick(draws);
                let (length, off) = (often.length(draws), draws.integer(-3_600..=3_600));
                let temper = match temper {
                    Temper::ClockOff(_) => Temper::ClockOff(Seconds::from_seconds(off)),
                    Temper::Ignores
                    | Temper::Mute
                    | Temper::Lies
                    | Temper::HalfObeys
                    | Temper::Hangs
                    | Temper::Late
                    | Temper::Reverts
                    | Temper::Repeats => temper,
                };
                self.take_temper(
                    load,
                    &std::iter::once(machine).collect(),
                    temper,
                    length,
                );
            }
        }
        for _ in 0..tempers.reboots.strikes(all, draws) {
            let (load, machine) = pick(draws);
            let length = tempers.reboots.length(draws);
            let back = *draws.pick(&[Back::AtRest, Back::AsBefore, Back::Full]);
            self.reboot(load, &std::iter::once(machine).collect(), back, length);
        }
        for _ in 0..tempers.switch_off.strikes(all, draws) {
            let (load, machine) = pick(draws);
            let length = tempers.switch_off.length(draws);
            let first = machine - machine % SWITCH;
            self.cut_off(load, &(first..first + SWITCH).collect(), length);
        }
    }
}

/// The machines of a set that a load of so many has.
fn within(machines: &Ranges, count: u32) -> impl Iterator<Item = u32> {
    machines.iter().take_while(move |number| *number < count)
}
