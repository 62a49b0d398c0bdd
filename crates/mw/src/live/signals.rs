//! What becomes known from files: prices, hashprice, weather, each at the time it
//! could first be known.

use engine::Signal;
use engine::site::LookAhead;
use units::{Interval, Seconds, Timestamp};

use crate::feed::Feed;

/// Signals of a history, released by the site's time.
#[derive(Debug, Default)]
pub struct Signals {
    /// Earliest first.
    all: Vec<(Timestamp, Signal)>,
    next: usize,
}

/// A run that goes on hears again what became known shortly before it was
/// stopped: hearing it twice changes nothing.
const AGAIN: Seconds = Seconds::hours(1);

impl Signals {
    /// What a run that starts at `start` hears of a feed; one that goes on was at
    /// `heard_to`.
    pub fn of(
        feed: &Feed,
        policy: &LookAhead,
        start: Timestamp,
        heard_to: Option<Timestamp>,
    ) -> Self {
        let last =
            feed.signals.last().map_or(start, |(at, _)| *at + Seconds::from_seconds(1));
        let range = Interval { start, end: last.max(start) };
        let heard = feed.heard_over(range, policy);
        let all: Vec<_> = heard.map(|(at, signal)| (at, signal.clone())).collect();
        let next =
            heard_to.map_or(0, |to| all.partition_point(|(at, _)| *at + AGAIN < to));
        Self { all, next }
    }

    /// When the next one becomes known.
    pub fn next_at(&self) -> Option<Timestamp> {
        self.all.get(self.next).map(|(at, _)| *at)
    }

    /// What became known by `now` and was not heard yet.
    pub fn known_by(&mut self, now: Timestamp) -> impl Iterator<Item = Signal> {
        let from = self.next;
        self.next += self.all[from..].partition_point(|(at, _)| *at <= now);
        self.all[from..self.next].iter().map(|(_, signal)| signal.clone())
    }
}
