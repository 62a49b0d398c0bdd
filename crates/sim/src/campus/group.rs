//! One load of a campus, machine by machine: where each is, what it says, and
//! what they draw together.

use std::collections::{BTreeMap, BTreeSet};

use engine::site::{Battery, Load, LoadIx, LoadKind, Machines, Rate};
use engine::{Lease, Setpoint, Site, Work};
use serde::{Deserialize, Serialize};
use units::{Energy, GpuSeconds, Hashes, Power, Pue, Seconds, Temperature, Timestamp};

use super::agenda::{Agenda, Due};
use super::dynamics::{Dynamics, Follows, Heat};
use super::executions::Execution;
use super::stands::Stands;
use super::temper::{Back, Temper};
use crate::seed::{Generator, generator, sub_seed};

/// No order is open.
const NOTHING: i64 = i64::MIN;

/// Later than any run lasts.
const NEVER: Timestamp = Timestamp::from_unix_seconds(i64::MAX / 2);

/// Where a load goes by itself when its lease ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailSafe {
    /// It stays as it is.
    Stay,
    /// It goes to rest; a battery to zero.
    Rest,
}

/// Where a load goes by itself when its lease ends: what is under contract stays,
/// for a lost link is no reason to break it.
pub(super) fn fail_safe(load: &Load) -> FailSafe {
    if load.is_firm() { FailSafe::Stay } else { FailSafe::Rest }
}

/// Every machine of one load; a load that is one device counts as one machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Group {
    load: LoadIx,
    machines: Vec<Machine>,
    /// What a machine draws at the plug at each point; none for one device.
    curve: Vec<Power>,
    /// What a warm machine gives at each point a second: gigahashes, or millionths
    /// of a GPU-second.
    rates: Vec<i64>,
    restart: Seconds,
    dynamics: Dynamics,
    falls: bool,
    /// The overhead of its hall in the weather of now.
    pue: Pue,
    /// What the machines draw together at the plug; of one device, at the meter.
    plug: Power,
    /// What the warm machines give together a second.
    rate: i64,
    /// Until when energy and work are counted.
    counted: Timestamp,
    energy: Energy,
    work: i128,
    /// What a battery holds, in millionths of a joule.
    stored: i128,
    /// What the machines were told last, but for those in `own`.
    lease: Option<Lease>,
    /// The next machine whose lease ends.
    next_to_lapse: u32,
    /// When that is.
    lapses: Option<Timestamp>,
    /// When the lease ends of machines that did not hear the last word.
    own: BTreeMap<u32, Option<Timestamp>>,
    moods: BTreeMap<u32, Mood>,
    /// Machines whose switch is off, until when.
    cut: BTreeMap<u32, Timestamp>,
    /// Machines that hear nothing now.
    deaf: BTreeSet<u32>,
}

/// One machine. Where it is counts steps of the curve, 0 at rest; of a load that
/// is one device it is watts.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Machine {
    /// Where it truly is.
    at: i64,
    /// Where it says it is.
    says: i64,
    /// The last order sent to it, answered or not.
    asked: i64,
    /// From when that order is answered.
    answered_from: Timestamp,
    /// From when it gives something, once started.
    warm_at: Timestamp,
    /// How far its draw is from the model's, in millionths.
    noise_ppm: i32,
    /// What it draws at the plug, in watts; of one device it is where it is.
    drawn: i64,
    follows: Follows,
    heat: Heat,
    warm: bool,
    deaf: bool,
    mute: bool,
    booting: bool,
}

/// What is wrong with a machine, and until when.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Mood {
    temper: Temper,
    until: Timestamp,
}

/// How a machine answers: after how long, once more after how long, and how far
/// its clock is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) after: Seconds,
    pub(super) again: Option<Seconds>,
    pub(super) clock_off: Seconds,
}

/// Draws that depend on the moment and the machine alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lot {
    pub(super) seed: u64,
    pub(super) now: Timestamp,
}

impl Lot {
    pub(super) fn draws(&self, what: &str, load: LoadIx, machine: u32) -> Generator {
        let part = format!("{what} {} {load} {machine}", self.now.as_unix_seconds());
        generator(self.seed, &part)
    }
}

/// What a group needs from the campus around it to change.
pub(super) struct Around<'a> {
    pub(super) agenda: &'a mut Agenda,
    /// What the machines of this group did.
    pub(super) done: &'a mut [Execution],
    pub(super) lot: Lot,
}

impl Group {
    /// Every machine of a load at rest.
    pub(super) fn at_rest(
        site: &Site,
        load: LoadIx,
        outside: Option<Temperature>,
        seed: u64,
        noise_ppm: u32,
        now: Timestamp,
    ) -> Self {
        let of = &site.loads[load];
        let mut draws = generator(sub_seed(seed, "draw"), &of.name);
        let range = i64::from(noise_ppm);
        let count = of.machines().map_or(1, |machines| machines.count);
        let machine = |_| Machine {
            at: 0,
            says: 0,
            asked: NOTHING,
            answered_from: NEVER,
            warm_at: now,
            noise_ppm: draws.integer(-range..=range) as i32,
            drawn: 0,
            follows: Follows::settled(now),
            heat: Heat::cold(now),
            warm: false,
            deaf: false,
            mute: false,
            booting: false,
        };
        let stored = match &of.kind {
            LoadKind::Rigs(_) | LoadKind::Racks(_) => 0,
            LoadKind::Battery(battery) => {
                i128::from(battery.stored_first.as_joules()) * 1_000_000
            }
        };
        let mut group = Self {
            load,
            machines: (0..count).map(machine).collect(),
            curve: of.machines().map_or_else(Vec::new, curve),
            rates: rates(of),
            restart: match &of.kind {
                LoadKind::Rigs(rigs) => rigs.restart,
                LoadKind::Racks(_) | LoadKind::Battery(_) => Seconds::ZERO,
            },
            dynamics: Dynamics::at_once(),
            falls: fail_safe(of) == FailSafe::Rest,
            pue: site.pue_of(load, outside),
            plug: Power::ZERO,
            rate: 0,
            counted: now,
            energy: Energy::ZERO,
            work: 0,
            stored,
            lease: None,
            next_to_lapse: 0,
            lapses: None,
            own: BTreeMap::new(),
            moods: BTreeMap::new(),
            cut: BTreeMap::new(),
            deaf: BTreeSet::new(),
        };
        group.settle();
        group
    }

    /// How draw and heat follow from now on; `restart` in place of the site's own.
    pub(super) fn set_dynamics(&mut self, dynamics: Dynamics) {
        self.dynamics = dynamics;
        if let Some(restart) = dynamics.restart {
            self.restart = restart;
        }
    }

    /// Every machine draws what its model says at its point.
    fn settle(&mut self) {
        for at in 0..self.machines.len() {
            self.machines[at].drawn = self.model(&self.machines[at]).as_watts();
        }
        self.sum();
    }

    /// Takes over what the same load was before the site file changed. What was to
    /// happen by itself is put on the agenda anew.
    pub(super) fn take_over(&mut self, old: Self, now: Timestamp, agenda: &mut Agenda) {
        let last = self.last();
        let count = self.count();
        for (machine, before) in self.machines.iter_mut().zip(&old.machines) {
            *machine = *before;
            if !self.curve.is_empty() {
                machine.at = before.at.min(last);
                machine.says = before.says.min(last);
            }
            machine.booting = false;
        }
        for (number, at) in (0_u32..).zip(0..self.machines.len()) {
            if self.machines[at].follows.is_moving() {
                let due = Due::Follow { load: self.load, machine: number };
                agenda.put(now + Seconds::from_seconds(1), due);
            } else {
                self.machines[at].drawn = self.model(&self.machines[at]).as_watts();
            }
        }
        (self.energy, self.work, self.stored) = (old.energy, old.work, old.stored);
        self.own = old.own;
        self.moods = old.moods;
        self.cut = old.cut;
        self.own.retain(|machine, _| *machine < count);
        self.moods.retain(|machine, _| *machine < count);
        self.cut.retain(|machine, _| *machine < count);
        for (number, machine) in (0_u32..).zip(&self.machines) {
            if machine.at > 0 && !machine.warm && !self.curve.is_empty() {
                agenda.put(
                    machine.warm_at.max(now),
                    Due::Warm { load: self.load, machine: number },
                );
            }
        }
        for (machine, mood) in &self.moods {
            agenda.put(mood.until, Due::Calm { load: self.load, machine: *machine });
        }
        for (machine, until) in &self.cut {
            agenda.put(*until, Due::Rejoin { load: self.load, machine: *machine });
        }
        for (machine, until) in &self.own {
            if let Some(until) = until {
                let due = Due::LapseOf { load: self.load, machine: *machine };
                agenda.put(*until, due);
            }
        }
        for machine in 0..count {
            self.reckon_deaf(machine);
        }
        self.lease = old.lease;
        self.next_lapse(now, agenda);
        self.sum();
    }

    fn sum(&mut self) {
        self.plug = self.machines.iter().map(|machine| self.draw(machine)).sum();
        self.rate = self.machines.iter().map(|machine| self.gives(machine)).sum();
    }

    fn count(&self) -> u32 {
        self.machines.len() as u32
    }

    /// The last point of the curve.
    fn last(&self) -> i64 {
        self.curve.len().saturating_sub(1) as i64
    }

    fn is_one_device(&self) -> bool {
        self.curve.is_empty()
    }

    /// What a machine draws: at the plug, or at the meter for one device.
    fn draw(&self, machine: &Machine) -> Power {
        match self.is_one_device() {
            true => Power::from_watts(machine.at),
            false => Power::from_watts(machine.drawn),
        }
    }

    /// What it draws where it is, once it has come to it.
    fn model(&self, machine: &Machine) -> Power {
        if self.is_one_device() {
            return Power::from_watts(machine.at);
        }
        let model = self.curve[machine.at as usize].as_watts();
        Power::from_watts(model + model * i64::from(machine.noise_ppm) / 1_000_000)
    }

    fn gives(&self, machine: &Machine) -> i64 {
        if machine.warm { self.rates[machine.at as usize] } else { 0 }
    }

    /// What the load draws at the meter.
    pub(super) fn power(&self) -> Power {
        if self.is_one_device() { self.plug } else { self.pue.at_meter(self.plug) }
    }

    /// Counts energy and work on to `now`.
    pub(super) fn count_on(&mut self, site: &Site, now: Timestamp) {
        if now <= self.counted {
            return;
        }
        let duration = now - self.counted;
        let energy = self.power() * duration;
        self.energy += energy;
        self.work += i128::from(self.rate) * i128::from(duration.as_seconds());
        match &site.loads[self.load].kind {
            LoadKind::Rigs(_) | LoadKind::Racks(_) => {}
            LoadKind::Battery(battery) => self.stored += stored_by(battery, energy),
        }
        self.counted = now;
    }

    /// What the meter of the load counted since it was last read.
    pub(super) fn energy(&self) -> Energy {
        self.energy
    }

    /// What the meter of the load read since it was last read.
    pub(super) fn read(&mut self, site: &Site) -> (Energy, Work) {
        let work = match &site.loads[self.load].kind {
            LoadKind::Rigs(_) => {
                Work::Hashes(Hashes::from_gigahashes(std::mem::take(&mut self.work)))
            }
            LoadKind::Racks(_) => {
                let whole = self.work / 1_000_000;
                self.work -= whole * 1_000_000;
                let seconds = i64::try_from(whole).expect("GPU time fits in 64 bits");
                Work::Gpu(GpuSeconds::from_seconds(seconds))
            }
            LoadKind::Battery(_) => Work::Stored(self.stored()),
        };
        (std::mem::take(&mut self.energy), work)
    }

    /// What a battery holds.
    pub(super) fn stored(&self) -> Energy {
        let joules = self.stored.div_euclid(1_000_000);
        Energy::from_joules(i64::try_from(joules).expect("a stored energy fits"))
    }

    pub(super) fn weather(&mut self, pue: Pue) {
        self.pue = pue;
    }

    /// Where a machine truly is: steps of the curve, 0 for one device.
    pub(super) fn point(&self, machine: u32) -> u8 {
        match self.machines.get(machine as usize) {
            Some(machine) if !self.is_one_device() => machine.at as u8,
            Some(_) | None => 0,
        }
    }

    /// Where it truly is as a whole: the level with as many steps taken, or the
    /// power of one device.
    pub(super) fn setpoint(&self) -> Setpoint {
        if self.is_one_device() {
            return Setpoint::Power(self.plug);
        }
        let steps: i64 = self.machines.iter().map(|machine| machine.at).sum();
        Setpoint::Level(u32::try_from(steps).expect("a level fits in 32 bits"))
    }

    /// How many machines it has, one device counting as one.
    pub(super) fn size(&self) -> u32 {
        self.count()
    }

    pub(super) fn is_single(&self) -> bool {
        self.is_one_device()
    }

    /// What a machine says about itself: its point, and its draw at the plug, which
    /// is always true.
    pub(super) fn look(&self, machine: u32) -> (u8, Power) {
        let machine = &self.machines[machine as usize];
        (machine.says as u8, self.draw(machine))
    }

    /// What a load that is one device says about itself.
    pub(super) fn says(&self) -> Setpoint {
        Setpoint::Power(Power::from_watts(self.machines[0].says))
    }

    /// What each machine says when everybody is asked; `None` does not answer.
    pub(super) fn looks(&self) -> impl Iterator<Item = (u32, Option<(u8, Power)>)> {
        (0_u32..).zip(&self.machines).map(|(number, machine)| {
            let look = (machine.says as u8, self.draw(machine));
            (number, (!machine.deaf && !machine.mute).then_some(look))
        })
    }

    /// Everybody who answers has been asked: no order is open any more.
    pub(super) fn all_answered(&mut self, now: Timestamp) {
        for machine in &mut self.machines {
            if !machine.deaf && !machine.mute {
                machine.answered_from = machine.answered_from.min(now);
            }
        }
    }

    /// Whether a machine hears what it is told.
    pub(super) fn hears(&self, machine: u32) -> bool {
        self.machines.get(machine as usize).is_some_and(|machine| !machine.deaf)
    }

    /// What is wrong with a machine.
    pub(super) fn temper(&self, machine: u32) -> Option<Temper> {
        self.moods.get(&machine).map(|mood| mood.temper)
    }

    /// When a machine's lease ends.
    pub(super) fn lease_end(&self, machine: u32) -> Option<Timestamp> {
        match self.own.get(&machine) {
            Some(own) => *own,
            None => self.lease.map(|lease| lease.of_machine(machine, self.count())),
        }
    }

    /// How a machine stands; nothing for one device.
    pub(super) fn stands(&self, machine: u32, lot: Lot) -> Option<Stands> {
        let of = self.machines.get(machine as usize).filter(|_| !self.is_one_device())?;
        Some(Stands {
            says: of.says as u8,
            point: of.at as u8,
            draw: self.draw(of),
            starting: of.at > 0 && !of.warm,
            heat: of.heat.now(of.drawn, self.most(), self.dynamics.warms_in, lot.now),
            temper: self.temper(machine),
            answers_after: self.replies(machine, lot).map(|reply| reply.after),
        })
    }

    /// Asks a machine where it is; nothing if it does not answer.
    pub(super) fn ask(&mut self, machine: u32, lot: Lot) -> Option<Reply> {
        let reply = self.replies(machine, lot)?;
        let of = self.machines.get_mut(machine as usize)?;
        of.answered_from = of.answered_from.min(lot.now + reply.after);
        Some(reply)
    }

    /// How a machine answers now; nothing if it does not.
    fn replies(&self, machine: u32, lot: Lot) -> Option<Reply> {
        let of = self.machines.get(machine as usize)?;
        if of.deaf || of.mute {
            return None;
        }
        let mut reply =
            Reply { after: Seconds::ZERO, again: None, clock_off: Seconds::ZERO };
        if let Some(mood) = self.moods.get(&machine) {
            let delay = || {
                let mut draws = lot.draws("answer", self.load, machine);
                Seconds::from_seconds(draws.integer(1..=100))
            };
            match mood.temper {
                Temper::Late => reply.after = delay(),
                Temper::Repeats => reply.again = Some(delay()),
                Temper::ClockOff(by) => reply.clock_off = by,
                Temper::Ignores
                | Temper::Mute
                | Temper::Lies
                | Temper::HalfObeys
                | Temper::Hangs
                | Temper::Reverts => {}
            }
        }
        Some(reply)
    }

    /// Gives a machine an order: to a point of the curve, or watts for one device.
    /// Says how it answers.
    pub(super) fn order(
        &mut self,
        machine: u32,
        to: i64,
        generation: u64,
        around: &mut Around<'_>,
    ) -> Option<Reply> {
        let now = around.lot.now;
        let to = if self.is_one_device() { to } else { to.clamp(0, self.last()) };
        let of = self.machines.get_mut(machine as usize)?;
        let done = &mut around.done[machine as usize];
        done.repeated += u32::from(of.asked == to && now < of.answered_from);
        of.asked = to;
        of.answered_from = NEVER;
        if of.deaf {
            return None;
        }
        if generation < done.newest {
            done.refused += 1;
            return self.ask(machine, around.lot);
        }
        let from = of.at;
        let temper = self.moods.get(&machine).map(|mood| mood.temper);
        match temper {
            Some(Temper::Ignores | Temper::Hangs) => {}
            Some(Temper::Lies) => {
                done.newest = generation;
                of.says = to;
            }
            Some(Temper::HalfObeys) => {
                (done.newest, done.executed) = (generation, done.executed + 1);
                let mut draws = around.lot.draws("half", self.load, machine);
                let part = draws.integer(from.min(to)..=from.max(to));
                self.put(machine, if part == to { from } else { part }, around);
            }
            Some(Temper::Reverts) => {
                (done.newest, done.executed) = (generation, done.executed + 1);
                let mut draws = around.lot.draws("revert", self.load, machine);
                let after = Seconds::from_seconds(draws.integer(10..=300));
                let due = Due::Revert { load: self.load, machine, at: from, generation };
                around.agenda.put(now + after, due);
                self.put(machine, to, around);
            }
            Some(Temper::Mute | Temper::Late | Temper::Repeats | Temper::ClockOff(_))
            | None => {
                (done.newest, done.executed) = (generation, done.executed + 1);
                self.put(machine, to, around);
            }
        }
        self.ask(machine, around.lot)
    }

    /// Moves a machine. Energy is counted up to now already.
    fn put(&mut self, number: u32, to: i64, around: &mut Around<'_>) {
        let before = self.machines[number as usize];
        let mut after = before;
        (after.at, after.says) = (to, to);
        if !self.is_one_device() {
            if to == 0 {
                after.warm = false;
            } else if before.at == 0 {
                around.done[number as usize].starts += 1;
                after.warm = self.restart <= Seconds::ZERO;
                after.warm_at = around.lot.now + self.restart;
                if !after.warm {
                    let due = Due::Warm { load: self.load, machine: number };
                    around.agenda.put(after.warm_at, due);
                }
            }
            self.set_off(number, &before, &mut after, around);
        }
        self.plug += self.draw(&after) - self.draw(&before);
        self.rate += self.gives(&after) - self.gives(&before);
        self.machines[number as usize] = after;
    }

    /// Its draw sets off for where the machine was put.
    fn set_off(
        &self,
        number: u32,
        before: &Machine,
        after: &mut Machine,
        around: &mut Around<'_>,
    ) {
        let now = around.lot.now;
        let target = self.model(after).as_watts();
        after.heat.settle(before.drawn, self.most(), self.dynamics.warms_in, now);
        let was_moving = before.follows.is_moving();
        after.follows = self.dynamics.between(before.drawn, target, now);
        let starts = before.at == 0 && after.at > 0;
        after.drawn = match after.follows.is_moving() {
            true if starts => self.dynamics.inrush_of(target).max(before.drawn),
            true => before.drawn,
            false => target,
        };
        if after.follows.is_moving() && !was_moving {
            let due = Due::Follow { load: self.load, machine: number };
            around.agenda.put(now + Seconds::from_seconds(1), due);
        }
    }

    /// A machine's draw goes on towards where the machine was put.
    pub(super) fn follow(&mut self, number: u32, around: &mut Around<'_>) {
        let Some(before) = self.machines.get(number as usize).copied() else { return };
        if !before.follows.is_moving() {
            return;
        }
        let now = around.lot.now;
        let mut after = before;
        after.heat.settle(before.drawn, self.most(), self.dynamics.warms_in, now);
        let target = self.model(&after).as_watts();
        after.drawn = after.follows.at(target, now);
        if let Some(next) = after.follows.next(now) {
            around.agenda.put(next, Due::Follow { load: self.load, machine: number });
        }
        self.plug += self.draw(&after) - self.draw(&before);
        self.machines[number as usize] = after;
    }

    /// What a machine draws at the last point of its curve, in watts.
    fn most(&self) -> i64 {
        self.curve.last().map_or(1, |most| most.as_watts().max(1))
    }

    /// A machine that was started has warmed up, unless it was stopped since.
    pub(super) fn warm(&mut self, machine: u32, now: Timestamp) {
        let Some(of) = self.machines.get_mut(machine as usize) else { return };
        if of.at > 0 && !of.warm && of.warm_at <= now {
            of.warm = true;
            self.rate += self.rates[of.at as usize];
        }
    }

    /// Every machine that hears is told how long its orders hold; `None` is until
    /// further notice.
    pub(super) fn hold(
        &mut self,
        lease: Option<Lease>,
        now: Timestamp,
        agenda: &mut Agenda,
    ) {
        for machine in &self.deaf {
            if self.own.contains_key(machine) {
                continue;
            }
            let end = self.lease.map(|lease| lease.of_machine(*machine, self.count()));
            self.own.insert(*machine, end);
            if let (Some(end), true) = (end, self.falls) {
                let due = Due::LapseOf { load: self.load, machine: *machine };
                agenda.put(end.max(now), due);
            }
        }
        self.own.retain(|machine, _| self.deaf.contains(machine));
        self.lease = lease;
        self.next_to_lapse = 0;
        self.next_lapse(now, agenda);
    }

    fn next_lapse(&mut self, now: Timestamp, agenda: &mut Agenda) {
        self.lapses = None;
        let Some(lease) = self.lease else { return };
        if self.falls && self.next_to_lapse < self.count() {
            let at = lease.of_machine(self.next_to_lapse, self.count()).max(now);
            self.lapses = Some(at);
            agenda.put(at, Due::Lapse(self.load));
        }
    }

    /// The lease of the next machines ends, unless it was renewed since.
    pub(super) fn lapse(&mut self, around: &mut Around<'_>) {
        let now = around.lot.now;
        let Some(lease) = self.lease.filter(|_| self.lapses.is_some_and(|at| at <= now))
        else {
            return;
        };
        while self.next_to_lapse < self.count()
            && lease.of_machine(self.next_to_lapse, self.count()) <= now
        {
            let machine = self.next_to_lapse;
            self.next_to_lapse += 1;
            if !self.own.contains_key(&machine) {
                self.fall(machine, around);
            }
        }
        self.next_lapse(now, around.agenda);
    }

    /// Lets a machine go to its fail-safe level if its lease is over.
    pub(super) fn lapse_of(&mut self, machine: u32, around: &mut Around<'_>) {
        if self.lease_is_over(machine, around.lot.now) {
            self.fall(machine, around);
        }
    }

    fn lease_is_over(&self, machine: u32, now: Timestamp) -> bool {
        self.falls && self.lease_end(machine).is_some_and(|end| end <= now)
    }

    fn fall(&mut self, machine: u32, around: &mut Around<'_>) {
        let Some(of) = self.machines.get_mut(machine as usize) else { return };
        if of.booting || of.at == 0 {
            return;
        }
        match self.moods.get(&machine).map(|mood| mood.temper) {
            Some(Temper::Ignores | Temper::Hangs) => {}
            Some(Temper::Lies) => of.says = 0,
            Some(
                Temper::Mute
                | Temper::HalfObeys
                | Temper::Late
                | Temper::Reverts
                | Temper::Repeats
                | Temper::ClockOff(_),
            )
            | None => {
                around.done[machine as usize].lapsed += 1;
                self.put(machine, 0, around);
            }
        }
    }

    /// Something goes wrong with a machine, in place of what was wrong before.
    pub(super) fn take(
        &mut self,
        machine: u32,
        temper: Temper,
        until: Timestamp,
        agenda: &mut Agenda,
    ) {
        let Some(of) = self.machines.get_mut(machine as usize) else { return };
        of.says = of.at;
        of.mute = temper == Temper::Mute;
        self.moods.insert(machine, Mood { temper, until });
        self.reckon_deaf(machine);
        agenda.put(until, Due::Calm { load: self.load, machine });
    }

    /// A machine's temper ends, if it was to end by now.
    pub(super) fn calm(&mut self, machine: u32, around: &mut Around<'_>) {
        let over = |mood: &Mood| mood.until <= around.lot.now;
        if self.moods.get(&machine).is_some_and(over) {
            self.end_temper(machine, around);
        }
    }

    fn end_temper(&mut self, machine: u32, around: &mut Around<'_>) {
        self.moods.remove(&machine);
        let of = &mut self.machines[machine as usize];
        of.says = of.at;
        of.mute = false;
        self.reckon_deaf(machine);
        self.lapse_of(machine, around);
    }

    /// Everything that is wrong ends now; machines that boot come back at rest.
    pub(super) fn calm_all(&mut self, around: &mut Around<'_>) {
        self.cut.clear();
        for machine in &mut self.machines {
            machine.booting = false;
        }
        let moody: Vec<u32> = self.moods.keys().copied().collect();
        for machine in moody {
            self.end_temper(machine, around);
        }
        for machine in std::mem::take(&mut self.deaf) {
            self.reckon_deaf(machine);
        }
    }

    /// A machine's switch is off until then.
    pub(super) fn cut_off(
        &mut self,
        machine: u32,
        until: Timestamp,
        agenda: &mut Agenda,
    ) {
        if machine < self.count() {
            self.cut.insert(machine, until);
            self.reckon_deaf(machine);
            agenda.put(until, Due::Rejoin { load: self.load, machine });
        }
    }

    /// A machine's switch is on again, if it was to be by now.
    pub(super) fn rejoin(&mut self, machine: u32, now: Timestamp) {
        if self.cut.get(&machine).is_some_and(|until| *until <= now) {
            self.cut.remove(&machine);
            self.reckon_deaf(machine);
        }
    }

    /// A machine reboots: it is at rest until it has booted.
    pub(super) fn reboot(
        &mut self,
        machine: u32,
        back: Back,
        up_at: Timestamp,
        around: &mut Around<'_>,
    ) {
        let (last, one_device) = (self.last(), self.is_one_device());
        let Some(of) = self.machines.get_mut(machine as usize) else { return };
        if of.booting {
            return;
        }
        let at = match back {
            Back::AtRest => 0,
            Back::Full if !one_device => last,
            Back::AsBefore | Back::Full => of.at,
        };
        of.booting = true;
        self.put(machine, 0, around);
        self.reckon_deaf(machine);
        around.agenda.put(up_at, Due::Booted { load: self.load, machine, at });
    }

    /// A machine has booted. It does not start on a lease that is over.
    pub(super) fn booted(&mut self, machine: u32, at: i64, around: &mut Around<'_>) {
        let Some(of) = self.machines.get_mut(machine as usize) else { return };
        if !of.booting {
            return;
        }
        of.booting = false;
        self.reckon_deaf(machine);
        if !self.lease_is_over(machine, around.lot.now) {
            self.put(machine, at, around);
        }
    }

    /// A machine goes back to where it was, unless it was ordered anew since.
    pub(super) fn revert(
        &mut self,
        machine: u32,
        at: i64,
        generation: u64,
        around: &mut Around<'_>,
    ) {
        let reverts = self.temper(machine) == Some(Temper::Reverts);
        let over = self.lease_is_over(machine, around.lot.now);
        if let (Some(done), true, false) =
            (around.done.get(machine as usize), reverts, over)
            && done.newest == generation
            && !self.machines[machine as usize].booting
        {
            self.put(machine, at, around);
        }
    }

    /// Puts machines where they are found, warm: nobody ordered it.
    pub(super) fn found(&mut self, draws: &mut Generator, ppm: u32) {
        let last = self.last();
        if !self.is_one_device() {
            for machine in &mut self.machines {
                let (runs, point) = (draws.chance(ppm), draws.integer(1..=last.max(1)));
                machine.at = if runs { point.min(last) } else { 0 };
                machine.says = machine.at;
                machine.warm = machine.at > 0;
            }
        }
        self.settle();
    }

    fn reckon_deaf(&mut self, machine: u32) {
        let hangs = self.temper(machine) == Some(Temper::Hangs);
        let of = &mut self.machines[machine as usize];
        of.deaf = hangs || of.booting || self.cut.contains_key(&machine);
        if of.deaf {
            self.deaf.insert(machine);
        } else {
            self.deaf.remove(&machine);
        }
    }
}

/// What a machine draws at the plug at rest and at each point.
fn curve(machines: &Machines) -> Vec<Power> {
    let points = machines.points.iter().map(|point| point.power);
    std::iter::once(machines.standby).chain(points).collect()
}

/// What a machine gives a second at rest and at each point.
fn rates(load: &Load) -> Vec<i64> {
    let gpus = match &load.kind {
        LoadKind::Racks(racks) => i64::from(racks.gpus_per_rack),
        LoadKind::Rigs(_) | LoadKind::Battery(_) => 0,
    };
    let rate = |rate: Rate| match rate {
        Rate::Hash(rate) => rate.as_ghs(),
        Rate::Throughput(share) => share.as_ppm() * gpus,
    };
    let points = load.machines().map_or(&[][..], |machines| &machines.points);
    std::iter::once(0).chain(points.iter().map(|point| rate(point.rate))).collect()
}

/// What energy at the meter adds to what a battery holds, in millionths of a
/// joule, rounded towards nothing.
fn stored_by(battery: &Battery, at_meter: Energy) -> i128 {
    let joules = i128::from(at_meter.as_joules());
    if joules >= 0 {
        joules * i128::from(battery.charge_efficiency.as_ppm())
    } else {
        let efficiency = i128::from(battery.discharge_efficiency.as_ppm().max(1));
        joules * 1_000_000 * 1_000_000 / efficiency
    }
}
