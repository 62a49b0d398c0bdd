//! When a tranche will be there, from the racks' real progress.
//!
//! What is left of a rack's way is judged by how long its phases took the trays that
//! are through: the middle one for a likely date, nine out of ten for a cautious one.
//! A phase that too few have been through counts with the time it is allowed, and one
//! that takes longer than it should counts as ending now at the earliest.

use serde::Serialize;
use units::{Seconds, Timestamp};

use super::asset::{RackNo, TrayNo};
use super::phase::Phase;
use super::{Estate, TrancheOf};

/// Too few trays to go by.
const FEW: usize = 18;

/// When one rack will be accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RackForecast {
    /// The rack.
    pub rack: String,
    /// GPUs that it brings.
    pub gpus: u32,
    /// The phase of the tray that is furthest behind.
    pub phase: &'static str,
    /// When it will likely be ready.
    pub likely: Timestamp,
    /// When it will be ready if it goes as badly as one in ten.
    pub cautious: Timestamp,
}

/// When a tranche will be there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Forecast {
    /// GPUs that were accepted for it, and when.
    pub accepted: Vec<(Timestamp, u32)>,
    /// GPUs that are left to be accepted.
    pub left: u32,
    /// The racks that will bring them, by likely date.
    pub racks: Vec<RackForecast>,
    /// GPUs for which there is no rack with a date.
    pub without: u32,
}

impl Forecast {
    /// When the last GPU will likely, and cautiously, be ready; nothing while some
    /// have no rack with a date, or when all are accepted.
    pub fn complete(&self) -> Option<(Timestamp, Timestamp)> {
        if self.without > 0 {
            return None;
        }
        let likely = self.racks.iter().map(|rack| rack.likely).max()?;
        let cautious = self.racks.iter().map(|rack| rack.cautious).max()?;
        Some((likely, cautious))
    }
}

/// Foretells a tranche of so many GPUs.
pub fn forecast(estate: &Estate, tranche: &TrancheOf, gpus: u32) -> Forecast {
    let mut accepted = Vec::new();
    let mut left = gpus;
    let mut taken = vec![false; estate.racks().len()];
    for block in estate.blocks() {
        let Some(at) = block.accepted.filter(|_| block.tranche == *tranche) else {
            continue;
        };
        let count = u32::try_from(block.seats.len()).expect("at most 64 seats")
            * u32::from(estate.shape_of(block.rack).gpus_per_tray);
        accepted.push((at, count));
        left = left.saturating_sub(count);
        taken[block.rack.place()] = true;
    }
    accepted.sort_unstable();
    let mut racks: Vec<RackForecast> = (0..estate.racks().len())
        .filter(|place| !taken[*place])
        .map(|place| RackNo(super::estate::number(place)))
        .filter(|rack| estate.rack(*rack).meant_for.as_ref() == Some(tranche))
        .filter_map(|rack| rack_forecast(estate, rack))
        .collect();
    racks.sort_by(|a, b| (a.likely, &a.rack).cmp(&(b.likely, &b.rack)));
    let mut without = left;
    racks.retain_mut(|rack| {
        rack.gpus = rack.gpus.min(without);
        without -= rack.gpus;
        rack.gpus > 0
    });
    Forecast { accepted, left, racks, without }
}

/// When a rack will be ready; nothing while nobody said when it comes.
fn rack_forecast(estate: &Estate, rack: RackNo) -> Option<RackForecast> {
    let trays = || {
        let trays = estate.rack(rack).tray_numbers();
        trays.filter(|tray| estate.tray(*tray).phase != Phase::Retired)
    };
    let gpus = u32::try_from(trays().count()).expect("at most 64 trays")
        * u32::from(estate.shape_of(rack).gpus_per_tray);
    let behind = trays().map(|tray| way(estate.tray(tray).phase)).min()?;
    let ready = |percent| {
        let dates: Option<Vec<Timestamp>> =
            trays().map(|tray| ready(estate, tray, percent)).collect();
        dates?.into_iter().max()
    };
    Some(RackForecast {
        rack: estate.rack(rack).name.clone(),
        gpus,
        phase: LINE.get(behind).map_or("accepted", |phase| phase.name()),
        likely: ready(50)?,
        cautious: ready(90)?,
    })
}

/// The phases before acceptance, in order.
const LINE: [Phase; 6] = [
    Phase::Ordered,
    Phase::Received,
    Phase::Installed,
    Phase::Discovered,
    Phase::Validating,
    Phase::BurnIn,
];

/// How far along the line a phase is; repair is before the slot.
fn way(phase: Phase) -> usize {
    if phase == Phase::Repair {
        return 1;
    }
    LINE.iter().position(|one| *one == phase).unwrap_or(LINE.len())
}

fn ready(estate: &Estate, tray: TrayNo, percent: usize) -> Option<Timestamp> {
    let found = estate.tray(tray);
    let now = estate.known();
    let later = |from: usize| -> Seconds {
        let rest = LINE.iter().skip(from).map(|phase| took(estate, *phase, percent));
        rest.fold(Seconds::from_seconds(0), |sum, one| sum + one)
    };
    match found.phase {
        Phase::Ordered => {
            // It comes when it was said to, or from now on at any time.
            let due = estate.rack(found.rack).due?;
            Some(due.max(now) + later(1))
        }
        Phase::Accepted | Phase::InService | Phase::Draining | Phase::Retired => {
            Some(now)
        }
        Phase::Repair => {
            let back = found.since + took(estate, Phase::Repair, percent);
            Some(back.max(now) + later(2))
        }
        Phase::Received
        | Phase::Installed
        | Phase::Discovered
        | Phase::Validating
        | Phase::BurnIn => {
            let through = found.since + took(estate, found.phase, percent);
            Some(through.max(now) + later(way(found.phase) + 1))
        }
    }
}

/// How long a phase takes, for so many in a hundred.
fn took(estate: &Estate, phase: Phase, percent: usize) -> Seconds {
    match estate.took.get(&phase) {
        Some(took) if took.len() >= FEW => {
            let mut took = took.clone();
            took.sort_unstable();
            took[(took.len() - 1) * percent / 100]
        }
        Some(_) | None => estate.times.allowed(phase).unwrap_or(Seconds::from_seconds(0)),
    }
}
