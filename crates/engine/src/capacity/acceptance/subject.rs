//! What is judged: the machines of a rack that wait for a verdict, since when they are
//! in their slots, and what stands beside them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use units::Timestamp;

use super::super::phase::Phase;
use super::super::{Estate, RackNo};

/// Machines of one rack that are judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// When they are judged.
    pub at: Timestamp,
    /// GPUs of one tray.
    pub gpus_per_tray: u8,
    /// Whether the trays of the rack are one NVLink domain; each is one otherwise.
    pub one_domain: bool,
    /// Leak detectors of the rack.
    pub leak_detectors: u8,
    /// The machines.
    pub slots: BTreeMap<u8, Slot>,
    /// Other trays of the domain that passed before and that a collective has to take in.
    pub beside: u8,
    /// Trays of the domain that it may: a tenant's, and those that are kept from
    /// everybody.
    pub others: u8,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// The serial number of the machine that belongs into it.
    pub serial: String,
    /// Since when it is in burn-in: what ran before, ran on a machine that was not
    /// installed, or not repaired, yet.
    pub since: Timestamp,
}

impl Subject {
    /// The trays of a rack that wait for a verdict, at an instant.
    pub fn of(estate: &Estate, rack: RackNo, at: Timestamp) -> Self {
        let shape = estate.shape_of(rack);
        let mut subject = Self {
            at,
            gpus_per_tray: shape.gpus_per_tray,
            one_domain: shape.switch_trays > 0,
            leak_detectors: shape.leak_detectors,
            slots: BTreeMap::new(),
            beside: 0,
            others: 0,
        };
        for number in estate.rack(rack).tray_numbers() {
            let tray = estate.tray(number);
            match tray.phase {
                Phase::BurnIn => {
                    let serial = tray.serial.clone();
                    subject.slots.insert(tray.slot, Slot { serial, since: tray.since });
                }
                Phase::Accepted
                    if tray.cordon.is_none()
                        && estate.worked_on(number, at).is_none() =>
                {
                    subject.beside += 1;
                }
                Phase::Accepted | Phase::InService | Phase::Draining => {
                    subject.others += 1;
                }
                Phase::Ordered
                | Phase::Received
                | Phase::Installed
                | Phase::Discovered
                | Phase::Validating
                | Phase::Repair
                | Phase::Retired => {}
            }
        }
        subject
    }

    /// The slots judged, a bit each.
    pub fn bits(&self) -> u64 {
        self.slots.keys().map(|slot| 1_u64 << slot).sum()
    }

    /// The last of them that came into its slot did so then.
    pub(super) fn since(&self) -> Timestamp {
        let since = self.slots.values().map(|slot| slot.since).max();
        since.unwrap_or(self.at)
    }

    /// How many ranks a collective over the domain has: from the least, which is every
    /// tray that has to take part, to all that stand in it.
    pub(super) fn ranks(&self) -> (u32, u32) {
        let judged = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        let free = judged + u32::from(self.beside);
        let all = free + u32::from(self.others);
        // One tray alone says nothing of the switches between it and the others.
        let least = free.max(all.min(2));
        let gpus = u32::from(self.gpus_per_tray);
        (least * gpus, all * gpus)
    }
}
