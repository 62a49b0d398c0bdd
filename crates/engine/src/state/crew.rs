//! The machines of one load, one by one: where each is believed to be.
//!
//! A load that is known machine by machine is moved by moving some of them. What
//! the load draws at worst is the sum of what each draws at worst: an order that
//! was not answered counts as whichever of old and new draws more, and a machine
//! that answers nobody counts at its nameplate. Forty bytes a machine.

mod way;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use units::{Power, Seconds, Timestamp};

use crate::act::{ANSWER_WITHIN, Look, Move};
use crate::ranges::Ranges;
use crate::site::Machines;

/// So many times in a row, and a machine counts as one that answers nobody, or
/// does not do as it is told.
const STRIKES: u8 = 3;

/// Two silences are at least this far apart.
const ONE_SILENCE: Seconds = Seconds::from_seconds(20);

/// How long a machine may take from an order to where it was ordered; until then a
/// look that shows it elsewhere says that it is on its way.
const SETTLES_WITHIN: Seconds = Seconds::from_seconds(30);

/// A machine that says that it is where it was ordered, and still draws more, is looked
/// at again after this: its draw follows within seconds, and until it is seen to, nobody
/// may count on it.
const LOOKED_AT_AGAIN_AFTER: Seconds = Seconds::from_seconds(4);

/// A machine that does not do as it is told is tried again after this.
const TRY_AGAIN_AFTER: Seconds = Seconds::minutes(15);

/// A machine that draws more than this beyond its word is believed by its draw:
/// one part in twenty, and fifty watts.
fn believable(word: Power) -> Power {
    word + Power::from_watts(word.as_watts() / 20 + 50)
}

/// Every machine of one load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crew {
    machines: Vec<Machine>,
    sums: Sums,
}

/// Where one machine is believed to be. Points count steps of the curve: 0 is at
/// rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// What it was last asked, or seen at since.
    pub ordered: u8,
    /// Of where it was seen and what it was asked since, what draws least.
    pub least: u8,
    /// The same, what draws most.
    pub most: u8,
    /// How it takes orders.
    pub standing: Standing,
    /// Whether its last order has not been answered yet.
    pub unanswered: bool,
    /// Whether nobody has seen it since the engine was started.
    pub unseen: bool,
    /// Whether a person works on it.
    pub locked_out: bool,
    /// Whether it is out of service.
    pub in_maintenance: bool,
    /// What who has it lets a decision do with it.
    pub duty: Duty,
    /// Whether it did not do as ordered, and waits for the next dispatch.
    pub left_alone: bool,
    /// Times in a row it did not answer.
    misses: u8,
    /// Times in a row it did something else than ordered.
    defiances: u8,
    /// Watts at the plug when it was last seen.
    draw: u32,
    /// When it last did not answer.
    missed_at: Timestamp,
    /// When it was last asked: ordered, or looked at.
    asked_at: Timestamp,
    /// Since when what is believed holds.
    known_since: Timestamp,
}

/// What who has a machine lets a decision do with it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize,
)]
pub enum Duty {
    /// It is promised or being tested: raised first, and never lowered.
    Held,
    /// It is moved as is decided.
    #[default]
    Free,
    /// Nothing of it can be sold: not raised, and the first to come down.
    Dark,
}

/// How a machine takes orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Standing {
    /// It does as it is told.
    InHand,
    /// It answers nobody: counted at its nameplate.
    Silent,
    /// It answers, and does something else than ordered.
    Defiant,
}

/// What the machines draw together at the plug, and how many are how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    /// As ordered or seen; what takes no orders at most, as a decision counts it.
    pub ordered: Power,
    /// At the least.
    pub least: Power,
    /// At the most.
    pub most: Power,
    /// With every machine that takes orders at rest, and the others at most.
    pub floor: Power,
    /// With every machine that takes orders at its last point, and the others at
    /// most.
    pub ceiling: Power,
    /// Machines with an order that was not answered.
    pub unanswered: u32,
    /// Machines that nobody has seen since the engine was started.
    pub unseen: u32,
    /// Machines that answer nobody.
    pub silent: u32,
    /// Machines that do something else than ordered.
    pub defiant: u32,
    /// Machines that a person works on.
    pub locked_out: u32,
    /// Machines that a person works on and that were seen running when they were
    /// to be at rest.
    pub locked_out_running: u32,
    /// Machines that somebody works on, or that are out of service, and that are
    /// still to be ordered to rest.
    pub to_rest: u32,
    /// Held machines that are ordered to less than their last point.
    pub held_low: u32,
    /// Held machines that rest as far as anybody knows.
    pub held_down: u32,
    /// Dark machines that are ordered to run.
    pub dark_up: u32,
}

impl Machine {
    fn at_rest(at: Timestamp) -> Self {
        Self {
            ordered: 0,
            least: 0,
            most: 0,
            standing: Standing::InHand,
            unanswered: false,
            unseen: false,
            locked_out: false,
            in_maintenance: false,
            duty: Duty::Free,
            left_alone: false,
            misses: 0,
            defiances: 0,
            draw: 0,
            missed_at: at,
            asked_at: at,
            known_since: at,
        }
    }

    /// What it drew at the plug when it was last seen.
    pub fn last_draw(&self) -> Power {
        Power::from_watts(i64::from(self.draw))
    }

    /// Whether it rests, whatever the load is asked.
    fn is_out_of_service(&self) -> bool {
        self.locked_out || self.in_maintenance
    }

    /// Whether a person works on it and it did something else than to rest.
    fn runs_locked_out(&self) -> bool {
        self.locked_out && self.defiances > 0 && self.most > 0
    }

    fn is_to_rest(&self) -> bool {
        self.is_out_of_service() && self.ordered > 0 && self.takes_orders()
    }

    fn takes_orders(&self) -> bool {
        self.standing == Standing::InHand && !self.left_alone
    }

    /// The most it can be drawing, as a point.
    fn worst(&self, last: u8) -> u8 {
        match self.standing {
            Standing::Silent => last,
            Standing::InHand | Standing::Defiant => self.most.max(self.ordered),
        }
    }

    fn order(&mut self, point: u8, at: Timestamp) {
        self.least = self.least.min(self.ordered);
        self.most = self.most.max(self.ordered);
        self.ordered = point;
        self.unanswered = true;
        self.asked_at = at;
        self.known_since = at;
    }

    fn seen_at(&mut self, point: u8) {
        self.ordered = point;
        self.least = point;
        self.most = point;
        self.unanswered = false;
        self.unseen = false;
        self.misses = 0;
    }

    /// It did not answer at `at`. To be asked and to be reported silent shortly
    /// after is one silence.
    fn missed(&mut self, at: Timestamp) {
        if self.misses > 0 && at - self.missed_at < ONE_SILENCE {
            return;
        }
        self.missed_at = at;
        self.misses = self.misses.saturating_add(1);
        if self.misses >= STRIKES {
            self.standing = Standing::Silent;
        }
    }
}

impl Crew {
    /// Every machine of a group at rest.
    pub(crate) fn at_rest(machines: &Machines) -> Self {
        let at = Timestamp::from_unix_seconds(0);
        let each = vec![Machine::at_rest(at); machines.count as usize];
        Self { machines: each, sums: Sums::default() }.summed(machines)
    }

    /// The same crew for a group that now has other machines: those that left are
    /// dropped, those that came are not known yet.
    pub(crate) fn resized(mut self, machines: &Machines) -> Self {
        let last = last_point(machines);
        let mut unknown = Machine::at_rest(Timestamp::from_unix_seconds(0));
        (unknown.most, unknown.unseen, unknown.unanswered) = (last, true, true);
        self.machines.resize(machines.count as usize, unknown);
        for machine in &mut self.machines {
            machine.ordered = machine.ordered.min(last);
            machine.least = machine.least.min(last);
            machine.most = machine.most.min(last);
        }
        self.summed(machines)
    }

    /// The machines.
    pub fn machines(&self) -> &[Machine] {
        &self.machines
    }

    /// What they come to together.
    pub fn sums(&self) -> &Sums {
        &self.sums
    }

    fn summed(mut self, group: &Machines) -> Self {
        self.sum(group);
        self
    }

    fn sum(&mut self, group: &Machines) {
        let draws: Vec<Power> = (0..=last_point(group)).map(|p| draw(group, p)).collect();
        let at = |point: u8| draws[usize::from(point)];
        let last = last_point(group);
        let mut sums = Sums::default();
        for machine in &self.machines {
            let worst = at(machine.worst(last));
            let in_hand = machine.standing == Standing::InHand;
            sums.ordered += if in_hand { at(machine.ordered) } else { worst };
            sums.least += at(machine.least.min(machine.ordered));
            sums.most += worst;
            let rests = machine.is_out_of_service();
            sums.floor += match (in_hand, machine.duty) {
                (true, Duty::Held) if !rests => at(last),
                (true, Duty::Held | Duty::Free | Duty::Dark) => at(0),
                (false, _) => worst,
            };
            sums.ceiling += match (in_hand, machine.duty) {
                (true, Duty::Held | Duty::Free) if !rests => at(last),
                (true, Duty::Held | Duty::Free | Duty::Dark) => at(0),
                (false, _) => worst,
            };
            sums.unanswered += u32::from(machine.unanswered);
            sums.unseen += u32::from(machine.unseen);
            sums.silent += u32::from(machine.standing == Standing::Silent);
            sums.defiant += u32::from(machine.standing == Standing::Defiant);
            sums.locked_out += u32::from(machine.locked_out);
            sums.locked_out_running += u32::from(machine.runs_locked_out());
            sums.to_rest += u32::from(machine.is_to_rest());
            let (held, dark) = (machine.duty == Duty::Held, machine.duty == Duty::Dark);
            sums.held_low += u32::from(held && machine.ordered < last);
            sums.held_down += u32::from(machine.is_held_down());
            sums.dark_up += u32::from(dark && machine.ordered > 0);
        }
        self.sums = sums;
    }

    /// Nobody watched for a while: each machine may be anywhere until it is seen.
    pub(crate) fn resume(&mut self, group: &Machines, at: Timestamp) {
        for machine in &mut self.machines {
            machine.least = 0;
            machine.most = last_point(group);
            machine.unanswered = true;
            machine.unseen = true;
            machine.known_since = at;
            machine.asked_at = at - Seconds::hours(1);
        }
        self.sum(group);
    }

    /// A new dispatch: what was left alone takes orders again, and what defied
    /// them is tried again from time to time.
    pub(crate) fn aim(&mut self, group: &Machines, at: Timestamp) {
        let mut changed = false;
        for machine in &mut self.machines {
            changed |= machine.left_alone;
            machine.left_alone = false;
            if machine.standing == Standing::Defiant
                && at - machine.asked_at >= TRY_AGAIN_AFTER
            {
                machine.standing = Standing::InHand;
                machine.defiances = STRIKES - 1;
                machine.asked_at = at;
                changed = true;
            }
        }
        if changed {
            self.sum(group);
        }
    }

    /// A person works on these machines and on no others; these and no others are
    /// out of service.
    pub(crate) fn mark(
        &mut self,
        group: &Machines,
        locked_out: impl Fn(u32) -> bool,
        in_maintenance: impl Fn(u32) -> bool,
    ) {
        for (number, machine) in (0_u32..).zip(&mut self.machines) {
            machine.locked_out = locked_out(number);
            machine.in_maintenance = in_maintenance(number);
        }
        self.sum(group);
    }

    /// Takes on what who has each machine lets a decision do with it; those that
    /// `duties` leaves out are free. Returns whether anything changed.
    pub(crate) fn take_duties(&mut self, group: &Machines, duties: &[Duty]) -> bool {
        let mut changed = false;
        for (place, machine) in self.machines.iter_mut().enumerate() {
            let duty = duties.get(place).copied().unwrap_or_default();
            changed |= machine.duty != duty;
            machine.duty = duty;
        }
        if changed {
            self.sum(group);
        }
        changed
    }

    /// The machines to bring to rest because somebody works on them or they are out
    /// of service, as far as what their draw comes down by at the plug `fits`. They
    /// go all the way at once: on the way there may be more than where they are.
    pub(crate) fn to_rest(
        &self,
        group: &Machines,
        fits: impl Fn(Power) -> bool,
    ) -> Vec<Move> {
        let mut down = Power::ZERO;
        let mut take = |machine: &Machine| {
            let highest = machine.ordered.max(machine.most);
            let with = down + draw(group, highest) - draw(group, 0);
            let taken = machine.is_to_rest() && fits(with);
            if taken {
                down = with;
            }
            taken
        };
        let machines: Ranges = (0_u32..)
            .zip(&self.machines)
            .filter_map(|(number, machine)| take(machine).then_some(number))
            .collect();
        if machines.is_empty() {
            return Vec::new();
        }
        vec![Move { point: 0, machines }]
    }

    /// How many machines are not known to do as ordered, and since when the first of
    /// them: they answer nobody, or have not answered yet.
    pub(crate) fn unheard(&self) -> Option<(u32, Timestamp)> {
        let unheard = |m: &&Machine| m.standing == Standing::Silent || m.unanswered;
        let machines = self.machines.iter().filter(unheard);
        let since = machines.clone().map(|m| m.known_since).min()?;
        Some((machines.count() as u32, since))
    }

    /// The machines of `which` that a person works on and that were seen running
    /// when they were to be at rest, and what they drew then at the plug.
    pub(crate) fn runs_locked_out(&self, which: impl Fn(u32) -> bool) -> (Ranges, Power) {
        let mut draw = Power::ZERO;
        let machines = (0_u32..)
            .zip(&self.machines)
            .filter(|(number, machine)| machine.runs_locked_out() && which(*number))
            .map(|(number, machine)| {
                draw += machine.last_draw();
                number
            })
            .collect();
        (machines, draw)
    }

    /// Since when the first machine of that standing has been unheard or disobeyed.
    pub(crate) fn standing_since(&self, standing: Standing) -> Option<Timestamp> {
        let machines = self.machines.iter().filter(|m| m.standing == standing);
        machines.map(|m| m.known_since).min()
    }

    /// The machines to move so that what is ordered comes down to `power`: those at
    /// the highest point first. Machines at mixed points may not meet it; then the
    /// smallest step goes below it, if `may_be` what the group draws after it.
    pub(crate) fn down_to(
        &self,
        group: &Machines,
        power: Power,
        may_be: impl Fn(Power) -> bool,
    ) -> Vec<Move> {
        let excess = self.sums.ordered - power;
        let mut candidates = self.candidates(group, |m| {
            let kept_up = m.duty == Duty::Held;
            m.takes_orders() && m.ordered > 0 && !m.is_out_of_service() && !kept_up
        });
        // The last of a point goes first: what nobody can have.
        for at_point in &mut candidates {
            at_point.sort_by_key(|(number, _)| self.machines[*number as usize].duty);
        }
        moves(candidates, |by_point| {
            let mut left = excess;
            for point in (1..by_point.len()).rev() {
                let step = draw(group, point as u8) - draw(group, point as u8 - 1);
                while step <= left
                    && let Some(machine) = by_point[point].pop()
                {
                    left -= step;
                    by_point[point - 1].push(machine);
                }
            }
            let step =
                |point: usize| draw(group, point as u8) - draw(group, point as u8 - 1);
            let last = (1..by_point.len())
                .filter(|point| !by_point[*point].is_empty())
                .min_by_key(|point| step(*point));
            if let Some(point) = last
                && left > Power::ZERO
                && may_be(power + left - step(point))
                && let Some(machine) = by_point[point].pop()
            {
                by_point[point - 1].push(machine);
            }
        })
    }

    /// The machines to move so that what is ordered comes up to `power`, and not
    /// above: those at the lowest point first. While a held one waits for room, none on
    /// offer takes what there is of it.
    pub(crate) fn up_to(&self, group: &Machines, power: Power) -> Vec<Move> {
        let mut left = power - self.sums.ordered;
        // One that has not answered may be higher than it was ordered.
        let of = |duty: Duty| {
            self.candidates(group, |m| {
                m.takes_orders()
                    && !m.unanswered
                    && !m.is_out_of_service()
                    && m.duty == duty
            })
        };
        let mut waits = false;
        let held = moves(of(Duty::Held), |by_point| {
            left = fill(group, by_point, left);
            let below = by_point[..by_point.len() - 1].iter().flatten();
            waits = below
                .map(|(number, _)| self.machines[*number as usize])
                .any(|machine| machine.goes_first());
        });
        if waits {
            return held;
        }
        let free = moves(of(Duty::Free), |by_point| left = fill(group, by_point, left));
        together(held, free)
    }

    fn candidates(
        &self,
        group: &Machines,
        takes: impl Fn(&Machine) -> bool,
    ) -> Vec<Vec<(u32, u8)>> {
        let mut by_point = vec![Vec::new(); usize::from(last_point(group)) + 1];
        for (number, machine) in self.machines.iter().enumerate() {
            if takes(machine) {
                by_point[usize::from(machine.ordered)]
                    .push((number as u32, machine.ordered));
            }
        }
        by_point
    }

    /// What moves would come to, at the plug.
    pub(crate) fn ordered_after(&self, group: &Machines, moves: &[Move]) -> Power {
        let changes = moves.iter().flat_map(|to| {
            to.machines.iter().filter_map(|number| {
                let machine = self.machines.get(number as usize)?;
                Some(draw(group, to.point) - draw(group, machine.ordered))
            })
        });
        self.sums.ordered + changes.sum::<Power>()
    }

    /// How far moves may bring the machines down and up together, at the plug, from
    /// wherever each of them may be.
    pub(crate) fn swing(&self, group: &Machines, moves: &[Move]) -> (Power, Power) {
        let (mut down, mut up) = (Power::ZERO, Power::ZERO);
        let last = last_point(group);
        for to in moves {
            let after = draw(group, to.point.min(last));
            for number in to.machines.iter() {
                let Some(machine) = self.machines.get(number as usize) else { continue };
                let least = draw(group, machine.least.min(machine.ordered));
                let most = draw(group, machine.worst(last));
                down += (most - after).max(Power::ZERO);
                up += (after - least).max(Power::ZERO);
            }
        }
        (down, up)
    }

    /// Takes in orders that were given.
    pub(crate) fn order(&mut self, group: &Machines, moves: &[Move], at: Timestamp) {
        for to in moves {
            let point = to.point.min(last_point(group));
            for number in to.machines.iter() {
                if let Some(machine) = self.machines.get_mut(number as usize) {
                    machine.order(point, at);
                }
            }
        }
        self.sum(group);
    }

    /// Takes in looks at machines, and who was asked and did not answer.
    pub(crate) fn hear(
        &mut self,
        group: &Machines,
        looks: &[Look],
        silent: &Ranges,
        observed_at: Timestamp,
    ) {
        for look in looks {
            if let Some(machine) = self.machines.get_mut(look.machine as usize) {
                hear_one(group, machine, look, observed_at);
            }
        }
        for number in silent.iter() {
            if let Some(machine) = self.machines.get_mut(number as usize)
                && machine.known_since <= observed_at
            {
                machine.missed(observed_at);
            }
        }
        self.sum(group);
    }

    /// The machines whose orders were not answered for `within`.
    pub(crate) fn overdue(&self, at: Timestamp, within: Seconds) -> Ranges {
        let is_overdue = |m: &Machine| m.unanswered && at - m.asked_at >= within;
        (0_u32..)
            .zip(&self.machines)
            .filter_map(|(number, machine)| is_overdue(machine).then_some(number))
            .collect()
    }

    /// The oldest question that was not answered.
    pub(crate) fn asked_first(&self) -> Option<Timestamp> {
        self.machines.iter().filter(|m| m.unanswered).map(|m| m.asked_at).min()
    }

    /// These were asked again.
    pub(crate) fn asked(&mut self, group: &Machines, asked: &Ranges, at: Timestamp) {
        for number in asked.iter() {
            if let Some(machine) = self.machines.get_mut(number as usize) {
                machine.asked_at = at;
                machine.missed(at);
            }
        }
        self.sum(group);
    }
}

/// One look at one machine. A look older than what is believed says nothing, and
/// one of the same second only if it shows what was ordered.
fn hear_one(
    group: &Machines,
    machine: &mut Machine,
    look: &Look,
    observed_at: Timestamp,
) {
    let Some(point) = point_seen(group, look) else { return };
    let too_old = observed_at < machine.known_since
        || (observed_at == machine.known_since
            && point != machine.ordered
            && !machine.unseen);
    let on_its_way = machine.unanswered
        && !machine.unseen
        && point != machine.ordered
        && observed_at < machine.known_since + SETTLES_WITHIN;
    let draws_on = on_its_way && look.point == machine.ordered;
    if draws_on && observed_at >= machine.known_since {
        // As if it had been asked so long ago that it is to be asked again then.
        let again = observed_at + LOOKED_AT_AGAIN_AFTER - ANSWER_WITHIN;
        machine.asked_at = machine.asked_at.min(again);
    }
    if too_old || on_its_way {
        return;
    }
    machine.draw = u32::try_from(look.draw.as_watts().max(0)).unwrap_or(u32::MAX);
    machine.known_since = observed_at;
    let as_ordered = point == machine.ordered;
    // What nobody has seen since the start is not held to an old order.
    if as_ordered || machine.unseen {
        machine.defiances = 0;
        machine.left_alone = false;
        machine.standing = Standing::InHand;
    } else {
        machine.left_alone = true;
        machine.defiances = machine.defiances.saturating_add(1);
        machine.standing = match machine.defiances {
            STRIKES.. => Standing::Defiant,
            _ => Standing::InHand,
        };
    }
    machine.seen_at(point);
}

/// Where a machine is by its word; where its draw is beyond that, by its draw.
fn point_seen(group: &Machines, look: &Look) -> Option<u8> {
    let last = last_point(group);
    if look.point > last {
        return None;
    }
    let by_draw = (look.point..=last).find(|p| look.draw <= believable(draw(group, *p)));
    Some(by_draw.unwrap_or(last))
}

fn last_point(group: &Machines) -> u8 {
    u8::try_from(group.points.len()).expect("a curve has at most 255 points")
}

/// What one machine draws at a point, at the plug.
fn draw(group: &Machines, point: u8) -> Power {
    match point.checked_sub(1) {
        None => group.standby,
        Some(at) => group.points[usize::from(at)].power,
    }
}

/// Moves machines up into `left`, those at the lowest point first; what is left then.
fn fill(group: &Machines, by_point: &mut [Vec<(u32, u8)>], mut left: Power) -> Power {
    for point in 0..by_point.len() - 1 {
        let step = draw(group, point as u8 + 1) - draw(group, point as u8);
        // From the front, so that the same machines run from day to day.
        let fit = if step <= Power::ZERO {
            by_point[point].len()
        } else {
            let fit = left.max(Power::ZERO).as_watts() / step.as_watts();
            by_point[point].len().min(fit as usize)
        };
        left -= step.times(fit as i64);
        let moved: Vec<_> = by_point[point].drain(..fit).collect();
        by_point[point + 1].extend(moved);
        // None goes higher while another waits to come this far.
        if !by_point[point].is_empty() {
            break;
        }
    }
    left
}

/// The moves of machines that are not the same, by point.
fn together(one: Vec<Move>, other: Vec<Move>) -> Vec<Move> {
    let mut by_point: BTreeMap<u8, Vec<u32>> = BTreeMap::new();
    for to in one.iter().chain(&other) {
        by_point.entry(to.point).or_default().extend(to.machines.iter());
    }
    let sorted = by_point.into_iter().map(|(point, mut machines)| {
        machines.sort_unstable();
        Move { point, machines: machines.into_iter().collect() }
    });
    sorted.collect()
}

/// Lets `shift` move machines between points, and says which moved where.
fn moves(
    mut by_point: Vec<Vec<(u32, u8)>>,
    shift: impl FnOnce(&mut Vec<Vec<(u32, u8)>>),
) -> Vec<Move> {
    shift(&mut by_point);
    let mut moves = Vec::new();
    for (point, machines) in by_point.into_iter().enumerate() {
        let point = point as u8;
        let mut moved: Vec<u32> = machines
            .into_iter()
            .filter(|(_, from)| *from != point)
            .map(|(m, _)| m)
            .collect();
        if !moved.is_empty() {
            moved.sort_unstable();
            moves.push(Move { point, machines: moved.into_iter().collect() });
        }
    }
    moves
}

#[cfg(test)]
mod tests;
