//! Who is asked next: what is urgent first, no more at once than the network bears,
//! overall and behind one switch.

use std::collections::VecDeque;

/// How urgent it is to ask a device, most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// It has an order, or its lease is over.
    Order,
    /// Somebody waits to hear how it stands.
    ReadBack,
    /// It is its turn.
    Round,
    /// It did not answer of late.
    Probe,
}

const URGENCIES: usize = 4;

/// Devices that wait to be asked, and how many are being asked.
#[derive(Debug)]
pub(super) struct Line {
    /// Each switch's devices that wait, by urgency.
    lots: Vec<Lot>,
    /// Switches with somebody waiting, by urgency; each at most once.
    turns: [VecDeque<usize>; URGENCIES],
    asked: usize,
    asked_routinely: usize,
    at_once: usize,
    per_lot: usize,
}

#[derive(Debug, Default)]
struct Lot {
    waiting: [VecDeque<usize>; URGENCIES],
    in_turn: [bool; URGENCIES],
    asked: usize,
}

impl Urgency {
    /// Whether it may wait for what is urgent.
    fn is_routine(self) -> bool {
        match self {
            Self::Order | Self::ReadBack => false,
            Self::Round | Self::Probe => true,
        }
    }
}

impl Line {
    /// Nobody waits behind any of `lots` switches.
    pub(super) fn new(lots: usize, at_once: usize, per_lot: usize) -> Self {
        Self {
            lots: (0..lots).map(|_| Lot::default()).collect(),
            turns: Default::default(),
            asked: 0,
            asked_routinely: 0,
            at_once: at_once.max(1),
            per_lot: per_lot.max(1),
        }
    }

    /// A device behind a switch waits.
    pub(super) fn wait(&mut self, device: usize, lot: usize, urgency: Urgency) {
        let place = urgency as usize;
        self.lots[lot].waiting[place].push_back(device);
        self.take_turn(lot, place);
    }

    fn take_turn(&mut self, lot: usize, place: usize) {
        let of = &mut self.lots[lot];
        if !of.in_turn[place] && !of.waiting[place].is_empty() && of.asked < self.per_lot
        {
            of.in_turn[place] = true;
            self.turns[place].push_back(lot);
        }
    }

    /// The next device to ask, switch by switch in turn. It counts as asked until
    /// [`Line::answered`].
    pub(super) fn next(&mut self) -> Option<(usize, Urgency)> {
        use Urgency::{Order, Probe, ReadBack, Round};
        // A quarter is kept free for what is urgent.
        let routine_max = (self.at_once * 3 / 4).max(1);
        for urgency in [Order, ReadBack, Round, Probe] {
            let place = urgency as usize;
            if self.asked >= self.at_once
                || (urgency.is_routine() && self.asked_routinely >= routine_max)
            {
                return None;
            }
            while let Some(lot) = self.turns[place].pop_front() {
                let of = &mut self.lots[lot];
                of.in_turn[place] = false;
                if of.asked >= self.per_lot {
                    continue;
                }
                let Some(device) = of.waiting[place].pop_front() else { continue };
                of.asked += 1;
                self.asked += 1;
                self.asked_routinely += usize::from(urgency.is_routine());
                self.take_turn(lot, place);
                return Some((device, urgency));
            }
        }
        None
    }

    /// A device behind a switch, asked with that urgency, is not asked any more.
    pub(super) fn answered(&mut self, lot: usize, urgency: Urgency) {
        self.lots[lot].asked -= 1;
        self.asked -= 1;
        self.asked_routinely -= usize::from(urgency.is_routine());
        for place in 0..URGENCIES {
            self.take_turn(lot, place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Line, Urgency};

    #[test]
    fn orders_go_first_and_no_switch_is_asked_more_than_it_bears() {
        let mut line = Line::new(2, 10, 2);
        for device in 0..4 {
            line.wait(device, 0, Urgency::Round);
        }
        line.wait(10, 1, Urgency::Round);
        line.wait(3, 0, Urgency::Order);
        let next = |line: &mut Line| line.next().map(|(device, _)| device);
        assert_eq!(next(&mut line), Some(3));
        assert_eq!(next(&mut line), Some(0));
        // The first switch is at its most.
        assert_eq!(next(&mut line), Some(10));
        assert_eq!(next(&mut line), None);
        line.answered(0, Urgency::Order);
        assert_eq!(next(&mut line), Some(1));
        assert_eq!(next(&mut line), None);
    }

    #[test]
    fn a_round_leaves_room_for_orders() {
        let mut line = Line::new(1, 4, 100);
        (0..9).for_each(|device| line.wait(device, 0, Urgency::Round));
        let taken = std::iter::from_fn(|| line.next()).count();
        assert_eq!(taken, 3);
        line.wait(20, 0, Urgency::Order);
        assert_eq!(line.next(), Some((20, Urgency::Order)));
        assert_eq!(line.next(), None);
    }
}
