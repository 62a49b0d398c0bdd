//! What goes to loads and what comes back: orders, leases, looks.

use serde::{Deserialize, Serialize};
use units::{Power, Seconds, Timestamp};

use crate::decide::Setpoint;
use crate::ranges::Ranges;
use crate::site::LoadIx;

/// Orders of one moment, for several loads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderBatch {
    /// The dispatch they carry out; a load refuses an older one.
    pub generation: u64,
    /// How long they hold without another word; `None` where each load is an ideal
    /// device that needs none.
    pub lease: Option<Lease>,
    /// The orders, each absolute.
    pub orders: Vec<Order>,
}

/// An order to one load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Which load.
    pub load: LoadIx,
    /// What it shall draw.
    pub setpoint: Setpoint,
    /// Where the load is known machine by machine: which of them move, and to
    /// which point of the curve. The others stay as they are.
    pub moves: Vec<Move>,
}

/// Machines of one load that move to the same point of its curve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// How many steps of the curve are taken: 0 is at rest.
    pub point: u8,
    /// Which machines.
    pub machines: Ranges,
}

/// How long an order holds without another word from the engine.
///
/// A load that hears nothing more goes to its fail-safe level by itself: a dead
/// process lets the site fall. Machine `i` of `n` in a load goes at
/// `until + over * i / n`, so that the fall keeps to the ramp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// When the first machine goes.
    pub until: Timestamp,
    /// How long it takes until the last one has gone.
    pub over: Seconds,
}

impl Lease {
    /// When machine `number` of `count` goes to its fail-safe level.
    pub fn of_machine(&self, number: u32, count: u32) -> Timestamp {
        let share = self.over.as_seconds() * i64::from(number) / i64::from(count.max(1));
        self.until + Seconds::from_seconds(share)
    }
}

/// Loads to be looked at: they did not answer, or nobody has seen them yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadBack {
    /// Loads that are one device.
    pub loads: Vec<LoadIx>,
    /// Machines of loads that are known machine by machine.
    pub machines: Vec<(LoadIx, Ranges)>,
}

impl ReadBack {
    /// Whether nothing is to be looked at.
    pub fn is_empty(&self) -> bool {
        self.loads.is_empty() && self.machines.is_empty()
    }
}

/// What loads were seen at, answering orders or being read back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// When they were looked at. A look older than the last order says nothing
    /// about it.
    pub observed_at: Timestamp,
    /// What each load that is one device was seen at.
    pub observed: Vec<Observed>,
    /// What machines were seen at.
    pub surveys: Vec<Survey>,
}

/// What one load was seen at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// Which load.
    pub load: LoadIx,
    /// What it is set to now.
    pub setpoint: Setpoint,
}

/// What machines of one load were seen at: one record for a whole sweep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survey {
    /// Which load.
    pub load: LoadIx,
    /// Machines that answered, by the point of the curve they are set to.
    pub at_point: Vec<Move>,
    /// Machines that were asked and did not answer.
    pub silent: Ranges,
    /// What each machine that answered draws, at the plug, in the order of the
    /// machines: each as the difference from the one before.
    draws: Vec<u8>,
}

/// What one machine was seen at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Which machine of its load.
    pub machine: u32,
    /// The point of the curve it is set to.
    pub point: u8,
    /// What it draws at the plug.
    pub draw: Power,
}

impl Survey {
    /// What was seen, machines in rising order; `None` is no answer.
    pub fn of(
        load: LoadIx,
        seen: impl IntoIterator<Item = (u32, Option<(u8, Power)>)>,
    ) -> Self {
        let mut by_point: Vec<(u8, Vec<u32>)> = Vec::new();
        let (mut silent, mut draws, mut before) = (Vec::new(), Vec::new(), 0_i64);
        for (machine, look) in seen {
            let Some((point, draw)) = look else {
                silent.push(machine);
                continue;
            };
            let at = by_point.partition_point(|(other, _)| *other < point);
            if by_point.get(at).is_none_or(|(other, _)| *other != point) {
                by_point.insert(at, (point, Vec::new()));
            }
            by_point[at].1.push(machine);
            put_difference(&mut draws, draw.as_watts() - before);
            before = draw.as_watts();
        }
        let at_point = by_point
            .into_iter()
            .map(|(point, machines)| Move {
                point,
                machines: machines.into_iter().collect(),
            })
            .collect();
        Self { load, at_point, silent: silent.into_iter().collect(), draws }
    }

    /// Every machine that answered, in rising order. What does not fit together
    /// in a survey from outside ends it.
    pub fn looks(&self) -> Vec<Look> {
        let mut points: Vec<(u32, u8)> = self
            .at_point
            .iter()
            .flat_map(|at| at.machines.iter().map(|machine| (machine, at.point)))
            .collect();
        points.sort_unstable();
        let (mut rest, mut watts) = (self.draws.as_slice(), 0_i64);
        points
            .into_iter()
            .map_while(|(machine, point)| {
                watts = watts.checked_add(take_difference(&mut rest)?)?;
                Some(Look { machine, point, draw: Power::from_watts(watts) })
            })
            .collect()
    }
}

/// Small differences of either sign take one byte.
fn put_difference(bytes: &mut Vec<u8>, difference: i64) {
    let mut left = ((difference << 1) ^ (difference >> 63)) as u64;
    while left >= 0x80 {
        bytes.push(left as u8 | 0x80);
        left >>= 7;
    }
    bytes.push(left as u8);
}

fn take_difference(bytes: &mut &[u8]) -> Option<i64> {
    let (mut value, mut shift) = (0_u64, 0_u32);
    loop {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f).checked_shl(shift)?;
        if first & 0x80 == 0 {
            return Some((value >> 1) as i64 ^ -((value & 1) as i64));
        }
        shift += 7;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_survey_reads_back_what_was_seen() {
        let seen = [
            (0, Some((1, Power::from_watts(3_500)))),
            (1, None),
            (4, Some((0, Power::from_watts(20)))),
            (5, Some((1, Power::from_watts(3_611)))),
            (9, Some((1, Power::from_watts(-3)))),
        ];
        let survey = Survey::of(2, seen);
        assert_eq!(survey.silent.to_string(), "1");
        let looks: Vec<_> =
            survey.looks().iter().map(|l| (l.machine, Some((l.point, l.draw)))).collect();
        let answered: Vec<_> =
            seen.into_iter().filter(|(_, look)| look.is_some()).collect();
        assert_eq!(looks, answered);
    }

    #[test]
    fn like_draws_take_about_a_byte_each() {
        let draw = |machine: u32| {
            Power::from_watts(3_500 + i64::from(machine * 7_919 % 61) - 30)
        };
        let survey = Survey::of(0, (0..1_000).map(|m| (m, Some((1, draw(m))))));
        assert!(survey.draws.len() < 1_100, "{}", survey.draws.len());
    }

    #[test]
    fn a_survey_that_is_cut_short_ends_early() {
        let mut survey =
            Survey::of(0, (0..3).map(|m| (m, Some((1, Power::from_watts(3_500))))));
        survey.draws.truncate(3);
        assert_eq!(survey.looks().len(), 2);
    }
}
