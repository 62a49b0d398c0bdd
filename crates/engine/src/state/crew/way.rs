//! Who makes way for whom: what is ordered of a load may meet its target while a held
//! machine rests and one on offer runs, or while a dark one runs and one on offer rests.
//!
//! Then the lesser comes down, and what waits goes up once there is room for it at
//! worst, as any raise does. A machine that did not start when it was told to takes
//! nobody's place again for a while.

use units::{Power, Timestamp};

use super::{Crew, Duty, Machine, Standing, TRY_AGAIN_AFTER, draw, last_point};
use crate::act::Move;
use crate::site::Machines;

impl Machine {
    /// Whether it could go up at once if there were room.
    fn is_ready_below(&self, last: u8) -> bool {
        self.takes_orders()
            && !self.unanswered
            && !self.is_out_of_service()
            && self.ordered < last
    }

    /// Whether others make way for it at `at`.
    fn waits(&self, last: u8, at: Timestamp) -> bool {
        let failed_lately = self.defiances > 0 && at - self.asked_at < TRY_AGAIN_AFTER;
        self.is_ready_below(last) && !failed_lately
    }

    /// Whether it is held and rests as far as anybody knows.
    pub(super) fn is_held_down(&self) -> bool {
        self.duty == Duty::Held && self.least.min(self.ordered) == 0
    }

    /// Whether nothing lower is raised before it has come up: it was not seen to do
    /// something else than it was told.
    pub(super) fn goes_first(&self) -> bool {
        self.duty == Duty::Held && self.defiances == 0
    }
}

impl Crew {
    /// The machines to bring down so that those that go before them fit under `power`
    /// with the others: dark ones first, then those on offer, each no further than
    /// needed, as far as what they come down by at the plug `fits`.
    pub(crate) fn way(
        &self,
        group: &Machines,
        power: Power,
        at: Timestamp,
        fits: impl Fn(Power) -> bool,
    ) -> Vec<Move> {
        if self.sums.held_low == 0 && self.sums.dark_up == 0 {
            return Vec::new();
        }
        let last = last_point(group);
        let missing = |duty: Duty| -> Power {
            let waiting = self.machines.iter().filter(|m| m.duty == duty);
            let waiting = waiting.filter(|m| m.waits(last, at));
            waiting.map(|m| draw(group, last) - draw(group, m.ordered)).sum()
        };
        let left = (power - self.sums.ordered).max(Power::ZERO);
        let held = missing(Duty::Held) - left;
        let mut down = Power::ZERO;
        let mut to: Vec<Vec<u32>> = vec![Vec::new(); usize::from(last)];
        let mut freed = Power::ZERO;
        for (duty, needed) in
            [(Duty::Dark, held + missing(Duty::Free)), (Duty::Free, held)]
        {
            for (number, machine) in self.to_lower(duty) {
                let mut point = machine.ordered;
                let highest = draw(group, machine.worst(last));
                let by = |point: u8| highest - draw(group, point);
                while point > 0 && freed < needed && fits(down + by(point - 1)) {
                    freed += draw(group, point) - draw(group, point - 1);
                    point -= 1;
                }
                if point < machine.ordered {
                    down += by(point);
                    to[usize::from(point)].push(number);
                }
            }
        }
        let moves = (0_u8..).zip(to).filter(|(_, machines)| !machines.is_empty());
        let sorted = moves.map(|(point, mut machines)| {
            machines.sort_unstable();
            Move { point, machines: machines.into_iter().collect() }
        });
        sorted.collect()
    }

    /// The machines of a duty that can be lowered: the highest first, and of those the
    /// last, so that the same run from day to day.
    fn to_lower(&self, duty: Duty) -> Vec<(u32, &Machine)> {
        let runs = |m: &Machine| {
            m.duty == duty && m.takes_orders() && m.ordered > 0 && !m.is_out_of_service()
        };
        let machines = (0_u32..).zip(&self.machines).filter(|(_, m)| runs(m));
        let mut machines: Vec<(u32, &Machine)> = machines.collect();
        machines.sort_by_key(|(number, m)| std::cmp::Reverse((m.ordered, *number)));
        machines
    }

    /// Whether a held machine that is not up yet has room to go a step further under
    /// `power`: what machines at mixed points come to may look like the target.
    pub(crate) fn held_fits(&self, group: &Machines, power: Power) -> bool {
        let last = last_point(group);
        let left = power - self.sums.ordered;
        let step = |m: &Machine| draw(group, m.ordered + 1) - draw(group, m.ordered);
        self.sums.held_low > 0
            && self.machines.iter().any(|m| {
                m.duty == Duty::Held && m.is_ready_below(last) && step(m) <= left
            })
    }

    /// Whether any of the machines that moves are about is in service: what is out of
    /// service comes to rest for its own sake.
    pub(crate) fn any_in_service(&self, moves: &[Move]) -> bool {
        let mut numbers = moves.iter().flat_map(|to| to.machines.iter());
        numbers.any(|number| {
            let machine = self.machines.get(number as usize);
            machine.is_some_and(|m| !m.is_out_of_service())
        })
    }

    /// Held machines that rest though nobody works on them, as far as they are known:
    /// of what answers nobody, nobody knows.
    pub(crate) fn held_down_unasked(&self) -> u32 {
        let is_down = |m: &&Machine| {
            let known = !m.unseen && m.standing != Standing::Silent;
            m.is_held_down() && known && !m.is_out_of_service()
        };
        match self.sums.held_down {
            0 => 0,
            _ => self.machines.iter().filter(is_down).count() as u32,
        }
    }
}
