//! What of a rack is promised, on offer, or neither: what a decision about its power
//! may do with it.

use units::{Seconds, Timestamp};

use super::phase::{Phase, Power, Reported};
use super::{Estate, RackNo, Tray, TrayNo};

/// What who has a rack lets a decision do with its power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RackUse {
    /// It is promised, being tested or being wiped: it stays up.
    Held,
    /// It may be sold by the hour.
    Offered {
        /// GPUs of it that may.
        gpus: u32,
        /// Until when, where it is promised and the notice runs.
        until: Option<Timestamp>,
        /// When the first of its trays was not seen for too long, if no look comes.
        unseen: Timestamp,
    },
    /// Nothing of it can be sold.
    Dark,
}

impl Estate {
    /// What who has a rack lets a decision do with its power at `at`, where whoever
    /// buys by the hour keeps what is promised for `notice`.
    pub fn rack_use(&self, rack: RackNo, at: Timestamp, notice: Seconds) -> RackUse {
        let per_tray = u32::from(self.shape_of(rack).gpus_per_tray);
        let mut gpus = 0;
        let mut until: Option<Timestamp> = None;
        let mut unseen: Option<Timestamp> = None;
        let mut count = |tray: &Tray| {
            gpus += per_tray;
            // A look counts up to and with the end of the silence that is allowed.
            let seen = tray.look.as_ref().map(|look| look.at);
            let ends = seen.map(|at| at + self.silence() + Seconds::from_seconds(1));
            unseen = [unseen, ends].into_iter().flatten().min();
        };
        for number in self.rack(rack).tray_numbers() {
            let tray = self.tray(number);
            match tray.phase {
                Phase::Installed
                | Phase::Discovered
                | Phase::Validating
                | Phase::BurnIn
                | Phase::InService
                | Phase::Draining => return RackUse::Held,
                Phase::Ordered
                | Phase::Received
                | Phase::Accepted
                | Phase::Repair
                | Phase::Retired => {}
            }
            let Some((block, _)) = tray.seat else {
                if self.unfree_at(number, at).is_none() || self.rests(number, at) {
                    count(tray);
                }
                continue;
            };
            let block = self.block(block).expect("a seat is of a block");
            let ends = block.reserved + notice;
            let begun = block.accepted.is_some() || block.handed_over.is_some();
            if begun || ends <= at {
                return RackUse::Held;
            }
            until = Some(until.map_or(ends, |soonest| soonest.min(ends)));
            if self.is_healthy_at(number, at) || self.rests(number, at) {
                count(tray);
            }
        }
        match unseen {
            Some(unseen) => RackUse::Offered { gpus, until, unseen },
            None => RackUse::Dark,
        }
    }

    /// Whether a tray was well but for its power when it was seen, and that lately: a
    /// decision had it rest, and may start it again.
    fn rests(&self, number: TrayNo, at: Timestamp) -> bool {
        let tray = self.tray(number);
        let clean =
            !tray.dirty && tray.cordon.is_none() && self.worked_on(number, at).is_none();
        let whole = self.domain_is_whole(number) == Some(true);
        let off = tray.look.as_ref().is_some_and(|look| {
            at - look.at <= self.silence()
                && look.shows.power == Power::Off
                && look.shows.health == Reported::Ok
        });
        tray.phase == Phase::Accepted && clean && whole && off
    }
}
