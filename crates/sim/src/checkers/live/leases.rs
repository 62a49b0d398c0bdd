//! L2: while a process works, no lease runs out; when it has died or can keep nothing,
//! they do, and draw falls no faster than the ramp.

use std::collections::VecDeque;

use engine::Lease;
use engine::site::LoadIx;
use units::{Power, Seconds, Timestamp};

use super::books::{Books, draw, last_point};
use crate::campus::Campus;
use crate::run::live::{Counts, Invariant};

const MINUTE: Seconds = Seconds::minutes(1);

/// What was handed out last, and how draw fell when nobody was left to renew it.
#[derive(Clone, Debug, Default)]
pub(super) struct Leases {
    last: Option<Lease>,
    /// Since when nobody watches: the process died, or does nothing.
    unwatched_at: Option<Timestamp>,
    /// What machines drew in the last minute since then.
    drawn: VecDeque<(Timestamp, Power)>,
}

impl Leases {
    pub(super) fn resumed(&mut self) {
        self.last = None;
        self.unwatched_at = None;
        self.drawn.clear();
    }

    pub(super) fn unwatched(&mut self, at: Timestamp) {
        self.unwatched_at.get_or_insert(at);
    }

    /// Machines came or went: what is drawn less is no fall.
    pub(super) fn site_changed(&mut self) {
        self.drawn.clear();
    }

    /// Loads hold their orders as long as the policy says, not longer.
    pub(super) fn given(
        &mut self,
        books: &Books,
        at: Timestamp,
        lease: Lease,
        broken: &mut Vec<String>,
        counts: &mut Counts,
    ) {
        counts.checked(Invariant::L2);
        let longest = at + books.site.policy.lease;
        if lease.until <= at || lease.until > longest {
            broken.push(format!(
                "L2: expected a lease from {at} until {longest} at most, found {lease:?}"
            ));
        }
        self.last = Some(lease);
    }

    /// While a process works, it renews them in time.
    pub(super) fn time_passed(
        &mut self,
        at: Timestamp,
        alive: bool,
        broken: &mut Vec<String>,
        counts: &mut Counts,
    ) {
        if let Some(lease) = self.last.filter(|_| alive && self.unwatched_at.is_none()) {
            counts.checked(Invariant::L2);
            if at > lease.until {
                broken.push(format!(
                    "L2: expected leases renewed before {}, found none at {at}",
                    lease.until
                ));
            }
        }
    }

    /// When nobody watches, machines fall to rest no faster than the ramp, but for one
    /// step of a machine of each load. A battery stops at once.
    pub(super) fn fall(
        &mut self,
        books: &Books,
        at: Timestamp,
        campus: &Campus,
        alive: bool,
        broken: &mut Vec<String>,
        counts: &mut Counts,
    ) {
        let (Some(unwatched_at), false) = (self.unwatched_at, alive) else { return };
        let Some(ramp) = books.site.interconnection.ramp_down_per_minute else { return };
        // What was ordered in its last minute is another matter.
        if at - unwatched_at <= MINUTE {
            return;
        }
        let now: Power =
            (0..books.site.loads.len()).map(|l| drawn(books, l, campus)).sum();
        while self.drawn.front().is_some_and(|(then, _)| at - *then > MINUTE) {
            self.drawn.pop_front();
        }
        let steps: Power = (0..books.site.loads.len())
            .map(|l| crate::world::largest_step(&books.site, l))
            .sum();
        counts.checked(Invariant::S12);
        if let Some((_, before)) = self.drawn.front()
            && *before - now > ramp + steps
        {
            broken.push(format!(
                "S12: without a process, draw falls by {} in a minute, ramp {ramp}",
                *before - now
            ));
        }
        self.drawn.push_back((at, now));
    }
}

/// What the machines of a load truly draw at the meter, by the curve.
fn drawn(books: &Books, load: LoadIx, campus: &Campus) -> Power {
    let Some(machines) = books.site.loads[load].machines() else { return Power::ZERO };
    let last = last_point(machines);
    let points = books.points(load, campus);
    let plug: Power = points.iter().map(|point| draw(machines, (*point).min(last))).sum();
    books.site.pue_of(load, books.outside).at_meter(plug)
}
