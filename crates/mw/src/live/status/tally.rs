//! What is counted and timed since the process was started.

use std::collections::VecDeque;
use std::time::Duration;

use engine::{AlarmChange, Dispatch, MeteredInterval, Notice, Output};
use units::{Energy, Power, Seconds, Timestamp};

use super::Counts;

/// How long decided limits are remembered, to hold metered intervals against.
const LIMITS_KEPT: Seconds = Seconds::hours(2);

/// Counts and times since the process was started.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Turns of the loop.
    pub turns: u64,
    /// Alarm messages delivered.
    pub alarms_delivered: u64,
    /// Alarm messages given up.
    pub alarms_given_up: u64,
    /// How long a turn of the loop took, from what was gathered to what was done.
    pub turn: Buckets,
    /// How long a step of the engine took that decided.
    pub decision: Buckets,
    decisions: u64,
    emergencies: u64,
    ordered: u64,
    read_back: u64,
    accepted: u64,
    refused: u64,
    metered: u64,
    limit_breaches: u64,
    alarms_raised: u64,
    /// From when on which import limit was decided on, earliest first.
    limits: VecDeque<(Timestamp, Power)>,
}

/// How often something took how long.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Buckets {
    counts: [u64; Self::BOUNDS.len()],
    beyond: u64,
    sum: Duration,
}

impl Buckets {
    /// Upper bounds in milliseconds: a tick may take a hundred, and the watchdog
    /// ends a turn of thirty seconds.
    pub const BOUNDS: [u64; 11] =
        [1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000];

    /// It took so long once more.
    pub fn add(&mut self, spent: Duration) {
        let fits = |bound: &u64| spent <= Duration::from_millis(*bound);
        match Self::BOUNDS.iter().position(fits) {
            Some(bucket) => self.counts[bucket] += 1,
            None => self.beyond += 1,
        }
        self.sum += spent;
    }

    /// Each bound in milliseconds with how often it took no longer.
    pub fn cumulative(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let mut sum = 0;
        Self::BOUNDS.into_iter().zip(&self.counts).map(move |(bound, count)| {
            sum += count;
            (bound, sum)
        })
    }

    /// How often it happened.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum::<u64>() + self.beyond
    }

    /// How long it took in all.
    pub fn sum(&self) -> Duration {
        self.sum
    }
}

impl Tally {
    /// The counts, as the status document has them.
    pub fn counts(&self) -> Counts {
        Counts {
            turns: self.turns,
            decisions: self.decisions,
            emergencies: self.emergencies,
            ordered: self.ordered,
            read_back: self.read_back,
            accepted: self.accepted,
            refused: self.refused,
            metered: self.metered,
            limit_breaches: self.limit_breaches,
            alarms_raised: self.alarms_raised,
            alarms_delivered: self.alarms_delivered,
            alarms_given_up: self.alarms_given_up,
        }
    }

    /// Counts what came out of the engine.
    pub(super) fn count(&mut self, output: &Output) {
        match output {
            Output::Dispatch(dispatch) => self.count_decision(dispatch),
            Output::Orders(batch) => {
                self.ordered += batch
                    .orders
                    .iter()
                    .map(|order| match order.moves.as_slice() {
                        [] => 1,
                        moves => {
                            moves.iter().map(|to| u64::from(to.machines.len())).sum()
                        }
                    })
                    .sum::<u64>();
            }
            Output::ReadBack(asked) => {
                let machines =
                    asked.machines.iter().map(|(_, which)| u64::from(which.len()));
                self.read_back += asked.loads.len() as u64 + machines.sum::<u64>();
            }
            Output::Metered(metered) => self.count_metered(metered),
            Output::Notice(Notice::Accepted(_)) => self.accepted += 1,
            Output::Notice(Notice::Refused { .. }) => self.refused += 1,
            Output::Notice(_) | Output::Keep(_) => {}
            Output::Alarm(AlarmChange::Raised { .. }) => self.alarms_raised += 1,
            Output::Alarm(_) | Output::Estate(_) => {}
        }
    }

    fn count_decision(&mut self, dispatch: &Dispatch) {
        self.decisions += 1;
        self.emergencies += u64::from(dispatch.emergency);
        let from = dispatch.interval.start;
        while self.limits.back().is_some_and(|(start, _)| *start >= from) {
            self.limits.pop_back();
        }
        while self.limits.front().is_some_and(|(start, _)| from - *start > LIMITS_KEPT) {
            self.limits.pop_front();
        }
        self.limits.push_back((from, dispatch.import_limit));
    }

    /// A metered interval breaches the limit where its energy is more than the
    /// limits decided on would let through in it. What was decided before this
    /// process began is not held against anything.
    fn count_metered(&mut self, metered: &MeteredInterval) {
        self.metered += 1;
        if let Some(most) = self.most_over(metered.during.start, metered.during.end)
            && metered.site > most
        {
            self.limit_breaches += 1;
        }
    }

    fn most_over(&self, start: Timestamp, end: Timestamp) -> Option<Energy> {
        self.limits.front().filter(|(first, _)| *first <= start)?;
        let ends = self.limits.iter().skip(1).map(|(at, _)| *at).chain([end]);
        let parts = self.limits.iter().zip(ends).map(|((from, limit), until)| {
            let (from, until) = ((*from).max(start), until.min(end));
            *limit * (until - from).max(Seconds::ZERO)
        });
        Some(parts.sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_count_up_to_their_bounds() {
        let mut buckets = Buckets::default();
        for millis in [0, 1, 2, 100, 101, 200_000] {
            buckets.add(Duration::from_millis(millis));
        }
        let counts: Vec<_> = buckets.cumulative().map(|(_, count)| count).collect();
        assert_eq!(counts, [2, 3, 3, 3, 4, 5, 5, 5, 5, 5, 5]);
        assert_eq!(buckets.count(), 6);
        assert_eq!(buckets.sum(), Duration::from_millis(200_204));
    }

    #[test]
    fn energy_is_held_against_the_limits_in_force() {
        let at = |minute: i64| Timestamp::from_unix_seconds(minute * 60);
        let check = |limits: &[(i64, i64)], over: (i64, i64), expected: Option<i64>| {
            let limits = limits
                .iter()
                .map(|(from, mw)| (at(*from), Power::from_mw(*mw)))
                .collect();
            let tally = Tally { limits, ..Tally::default() };
            let expected = expected
                .map(|mw_minutes| Power::from_mw(mw_minutes) * Seconds::minutes(1));
            assert_eq!(tally.most_over(at(over.0), at(over.1)), expected);
        };
        check(&[(0, 6)], (0, 5), Some(30));
        check(&[(0, 6), (3, 4)], (0, 5), Some(26));
        check(&[(0, 6), (3, 4), (5, 1)], (0, 5), Some(26));
        check(&[(0, 6), (5, 4)], (5, 10), Some(20));
        check(&[(5, 6)], (0, 5), None);
        check(&[], (0, 5), None);
    }
}
