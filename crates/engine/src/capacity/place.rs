//! Where a tenant's blocks go: whole NVLink domains, spares kept, and why.
//!
//! [`place()`] changes nothing. What it finds becomes a [`Body::Reserve`], which is
//! checked anew and taken whole or not at all; the record holds the places
//! themselves, so that a replay does not depend on how they were found.
//!
//! A rack keeps a spare for every so many failures in its time, because a spare only
//! helps in the domain that fails. Racks are taken in this order: those that give a
//! block without breaking into their spares; then those that are left with the least
//! over, so that whole domains stay whole; then those that failed least; then in the
//! order of their names. In a rack, the trays that failed least get the seats.
//!
//! [`Body::Reserve`]: super::Body::Reserve

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::asset::{RackNo, TrayNo};
use super::{Estate, Place};

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// GPUs in all.
    pub gpus: u32,
    /// Trays of a block, which share one NVLink domain.
    pub trays_per_block: u8,
    /// Only racks that are meant for this tranche or for none, if one is named.
    pub tranche: Option<super::TrancheOf>,
    /// How spares are kept.
    pub spares: Sparing,
}

/// How many free trays a rack keeps back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sparing {
    /// In every rack.
    pub least: u8,
    /// One more for every so many failures in its time; 0 for never.
    pub failures_per_spare: u32,
    /// At most.
    pub most: u8,
}

impl Default for Sparing {
    /// Two spares in a rack of eighteen is common practice (16 of 18); a rack earns
    /// the second by failing.
    fn default() -> Self {
        Self { least: 1, failures_per_spare: 3, most: 2 }
    }
}

impl Sparing {
    /// How many free trays a rack with so many failures keeps back.
    pub fn of(&self, failures: u32) -> u8 {
        let more = failures.checked_div(self.failures_per_spare).unwrap_or(0);
        let more = u8::try_from(more).unwrap_or(u8::MAX);
        self.least.saturating_add(more).min(self.most.max(self.least))
    }
}

/// Where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// A block each.
    pub blocks: Vec<Place>,
    /// Trays that stay free beside them for when one fails.
    pub spares: Vec<TrayNo>,
    /// Why these racks, a line each.
    pub reasons: Vec<String>,
    /// How many racks were passed over, by why.
    pub passed_over: BTreeMap<&'static str, u32>,
}

/// Why there is no room.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRoom {
    /// What is wanted cannot be divided into blocks.
    #[error(
        "expected GPUs that are whole blocks of {per_block}, found {gpus}; ask for a multiple"
    )]
    NotWhole {
        /// What was wanted.
        gpus: u32,
        /// GPUs of one block.
        per_block: u32,
    },
    /// Too few racks can give a block.
    #[error("expected room for {wanted} blocks, found {found}; racks passed over: {why}")]
    TooLittle {
        /// Blocks wanted.
        wanted: u32,
        /// Blocks found.
        found: u32,
        /// How many racks were passed over, and why.
        why: String,
    },
}

/// One rack that could give blocks.
struct Room {
    rack: RackNo,
    /// Free trays, those that failed least first.
    free: Vec<TrayNo>,
    failures: u32,
    keeps: u8,
}

/// Finds room for what is wanted.
///
/// # Errors
///
/// [`NoRoom`] with what stands against it; nothing is given in part.
pub fn place(estate: &Estate, wanted: &Wanted) -> Result<Placement, NoRoom> {
    let needed = usize::from(wanted.trays_per_block.max(1));
    let mut passed_over: BTreeMap<&'static str, u32> = BTreeMap::new();
    let mut pass = |why| *passed_over.entry(why).or_default() += 1;
    let mut rooms: BTreeMap<u8, Vec<Room>> = BTreeMap::new();
    for place in 0..estate.racks().len() {
        let rack = RackNo(super::estate::number(place));
        match room(estate, rack, wanted, needed) {
            Ok(room) => {
                let gpus = estate.shape_of(rack).gpus_per_tray;
                rooms.entry(gpus).or_default().push(room);
            }
            Err(why) => pass(why),
        }
    }
    // Trays of one generation alone: the one that has the most room.
    let most = rooms.into_iter().max_by_key(|(gpus, rooms)| (rooms.len(), *gpus));
    let Some((gpus, mut rooms)) = most else {
        return Err(too_little(1, 0, &passed_over));
    };
    let per_block = u32::try_from(needed).unwrap_or(u32::MAX) * u32::from(gpus);
    if wanted.gpus == 0 || !wanted.gpus.is_multiple_of(per_block) {
        return Err(NoRoom::NotWhole { gpus: wanted.gpus, per_block });
    }
    let blocks_wanted = wanted.gpus / per_block;
    let mut placement = Placement {
        blocks: Vec::new(),
        spares: Vec::new(),
        reasons: Vec::new(),
        passed_over,
    };
    // First without breaking into any rack's spares, then into those of the racks
    // that failed least.
    for breaks_in in [false, true] {
        let keeps = |room: &Room| if breaks_in { 0 } else { usize::from(room.keeps) };
        rooms.sort_by_key(|room| {
            let over = room.free.len().saturating_sub(needed + keeps(room));
            match breaks_in {
                false => (over, room.failures, room.rack),
                true => (room.failures as usize, 0, room.rack),
            }
        });
        for room in &mut rooms {
            while placement.blocks.len() < blocks_wanted as usize
                && room.free.len() >= needed + keeps(room)
            {
                let seats: Vec<TrayNo> = room.free.drain(..needed).collect();
                let name = &estate.rack(room.rack).name;
                placement.reasons.push(match breaks_in {
                    false => format!(
                        "{name}: {needed} trays of one domain, {} left with {} kept as \
                         spares, {} failures in its time",
                        room.free.len(),
                        room.keeps,
                        room.failures
                    ),
                    true => format!(
                        "{name}: {needed} trays of one domain, out of its spares because \
                         nothing else was left; {} failures in its time",
                        room.failures
                    ),
                });
                let slots = seats.iter().map(|tray| estate.tray(*tray).slot).collect();
                placement.blocks.push(Place { rack: room.rack, slots });
            }
        }
    }
    let found = placement.blocks.len();
    if found < blocks_wanted as usize {
        let found = u32::try_from(found).expect("fewer than were wanted");
        return Err(too_little(blocks_wanted, found, &placement.passed_over));
    }
    for room in &rooms {
        if placement.blocks.iter().any(|block| block.rack == room.rack) {
            placement.spares.extend(room.free.iter().take(usize::from(room.keeps)));
        }
    }
    placement.spares.sort_unstable();
    Ok(placement)
}

fn room(
    estate: &Estate,
    rack: RackNo,
    wanted: &Wanted,
    needed: usize,
) -> Result<Room, &'static str> {
    let found = estate.rack(rack);
    if let (Some(meant), Some(tranche)) = (&found.meant_for, &wanted.tranche)
        && meant != tranche
    {
        return Err("meant for another tranche");
    }
    let mut first_against = None;
    let mut free: Vec<TrayNo> = Vec::new();
    let mut kept: u8 = 0;
    for tray in found.tray_numbers() {
        match estate.unfree(tray) {
            None if estate.tray(tray).spare => kept += 1,
            None => free.push(tray),
            Some(why) => {
                first_against.get_or_insert(why);
            }
        }
    }
    if free.len() < needed {
        return Err(first_against.unwrap_or("too few trays for a block"));
    }
    free.sort_by_key(|tray| (estate.tray(*tray).failures, *tray));
    let keeps = wanted.spares.of(found.failures).saturating_sub(kept);
    Ok(Room { rack, free, failures: found.failures, keeps })
}

fn too_little(wanted: u32, found: u32, why: &BTreeMap<&'static str, u32>) -> NoRoom {
    let why: Vec<String> =
        why.iter().map(|(why, racks)| format!("{racks} because {why}")).collect();
    let why = if why.is_empty() { "none".to_owned() } else { why.join(", ") };
    NoRoom::TooLittle { wanted, found, why }
}
