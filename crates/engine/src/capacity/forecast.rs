//! When a tranche will be there, from the racks' real progress.
//!
//! What is left of a rack's way is judged by how long its phases took the trays that
//! are through: the middle one for a likely date, nine out of ten for a cautious one.
//! A phase that too few have been through counts with the time it is allowed, and one
//! that takes longer than it should counts as ending now at the earliest. Now is told: a
//! rack that does not come makes no events.

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
    /// GPUs that were accepted for it and are still its tenant's, and since when.
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

/// Foretells a tranche of so many GPUs, as seen at `now`.
///
/// What was accepted and is still its tenant's counts as there. What is promised for it
/// comes when its trays are ready. Racks that are meant for it bring what nobody has, up
/// to as many trays as blocks of the tranche take of a rack: the others are spares there.
pub fn forecast(
    estate: &Estate,
    tranche: &TrancheOf,
    gpus: u32,
    now: Timestamp,
) -> Forecast {
    let now = now.max(estate.known());
    let mut accepted = Vec::new();
    let mut coming = Vec::new();
    let mut taken = vec![false; estate.trays().len()];
    let mut largest = 0;
    let mut of_rack = vec![0; estate.racks().len()];
    for block in estate.blocks().iter().filter(|block| block.is_live()) {
        for tray in block.seats.iter().flatten() {
            taken[tray.place()] = true;
        }
        if block.tranche != *tranche {
            continue;
        }
        largest = largest.max(block.seats.len());
        of_rack[block.rack.place()] += block.seats.len();
        let gpus = gpus_of(estate, block.rack, block.seats.len());
        match block.accepted {
            Some(at) => accepted.push((at, gpus)),
            // An empty seat has nothing that could get ready.
            None => coming.extend(
                block
                    .seats
                    .iter()
                    .copied()
                    .collect::<Option<Vec<TrayNo>>>()
                    .and_then(|trays| come(estate, block.rack, &trays, now)),
            ),
        }
    }
    accepted.sort_unstable();
    let there: u32 = accepted.iter().map(|(_, gpus)| gpus).sum();
    let left = gpus.saturating_sub(there);
    for (place, rack) in estate.racks().iter().enumerate() {
        if rack.meant_for.as_ref() != Some(tranche) {
            continue;
        }
        let trays = usize::from(rack.trays);
        let most = match largest {
            0 => trays,
            size => trays / size * size,
        };
        let mut free: Vec<TrayNo> = rack
            .tray_numbers()
            .filter(|tray| !taken[tray.place()] && !estate.tray(*tray).spare)
            .filter(|tray| estate.tray(*tray).phase != Phase::Retired)
            .collect();
        free.sort_by_key(|tray| (ready(estate, *tray, 50, now), *tray));
        free.truncate(most.saturating_sub(of_rack[place]));
        coming.extend(come(estate, RackNo(super::estate::number(place)), &free, now));
    }
    coming.sort_by(|a, b| (a.likely, &a.rack).cmp(&(b.likely, &b.rack)));
    let mut without = left;
    coming.retain_mut(|rack| {
        rack.gpus = rack.gpus.min(without);
        without -= rack.gpus;
        rack.gpus > 0
    });
    Forecast { accepted, left, racks: coming, without }
}

fn gpus_of(estate: &Estate, rack: RackNo, trays: usize) -> u32 {
    u32::try_from(trays).expect("at most 64 trays")
        * u32::from(estate.shape_of(rack).gpus_per_tray)
}

/// When trays of a rack will all be ready; nothing without one, or while nobody said when
/// they come.
fn come(
    estate: &Estate,
    rack: RackNo,
    trays: &[TrayNo],
    now: Timestamp,
) -> Option<RackForecast> {
    let behind = trays.iter().map(|tray| way(estate.tray(*tray).phase)).min()?;
    let all = |percent| {
        let dates = trays.iter().map(|tray| ready(estate, *tray, percent, now));
        dates.collect::<Option<Vec<Timestamp>>>()?.into_iter().max()
    };
    Some(RackForecast {
        rack: estate.rack(rack).name.clone(),
        gpus: gpus_of(estate, rack, trays.len()),
        phase: LINE.get(behind).map_or("accepted", |phase| phase.name()),
        likely: all(50)?,
        cautious: all(90)?,
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

fn ready(
    estate: &Estate,
    tray: TrayNo,
    percent: usize,
    now: Timestamp,
) -> Option<Timestamp> {
    let found = estate.tray(tray);
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
        Phase::Accepted | Phase::InService | Phase::Retired => Some(now),
        Phase::Draining => {
            Some((found.since + took(estate, Phase::Draining, percent)).max(now))
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
