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
//! order of their names. In a rack, the trays that failed least get the seats; those
//! that work is announced for get them last.
//!
//! All blocks of a reservation, and all of a tranche, are of one model: a tenant's job
//! runs as fast as the slowest of them.
//!
//! [`Body::Reserve`]: super::Body::Reserve

use std::collections::{BTreeMap, BTreeSet};

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
    /// The model they are to be of, if one is named; else that of the tranche's blocks,
    /// and the one with the most room where it has none.
    pub model: Option<String>,
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
    /// Why these racks, a line each; and last why this model.
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
    /// A model is named that no rack here is of.
    #[error("expected a model that is here ({here}), found `{named}`")]
    NoSuchModel {
        /// What was named.
        named: String,
        /// What there is.
        here: String,
    },
    /// A model is named, and the tranche has blocks of another.
    #[error("expected {has}, of which the tranche's blocks are, found `{named}`")]
    OtherModel {
        /// What was named.
        named: String,
        /// What the tranche has.
        has: String,
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
    let (model, why_model) = model(estate, wanted)?;
    let needed = usize::from(wanted.trays_per_block.max(1));
    let mut passed_over: BTreeMap<&'static str, u32> = BTreeMap::new();
    let mut pass = |why| *passed_over.entry(why).or_default() += 1;
    let mut rooms: BTreeMap<u16, Vec<Room>> = BTreeMap::new();
    for place in 0..estate.racks().len() {
        let rack = RackNo(super::estate::number(place));
        if model.as_ref().is_some_and(|model| estate.shape_of(rack).name != *model) {
            pass("of another model");
            continue;
        }
        match room(estate, rack, wanted, needed) {
            Ok(room) => rooms.entry(estate.rack(rack).shape).or_default().push(room),
            Err(why) => pass(why),
        }
    }
    // All of one model: the one with the most room first, then what else holds it.
    let mut models: Vec<(u16, Vec<Room>)> = rooms.into_iter().collect();
    models.sort_by_key(|(shape, rooms)| {
        let gpus = rooms.first().map_or(0, |room| estate.shape_of(room.rack).gpus());
        (std::cmp::Reverse((rooms.len(), gpus)), *shape)
    });
    let mut first_against = None;
    for (_, rooms) in models {
        match place_in(estate, wanted, needed, rooms, why_model, &passed_over) {
            Ok(placement) => return Ok(placement),
            Err(against) => {
                first_against.get_or_insert(against);
            }
        }
    }
    Err(first_against.unwrap_or_else(|| too_little(1, 0, &passed_over)))
}

/// The model that blocks are to be of, and why; none where any will do.
fn model(
    estate: &Estate,
    wanted: &Wanted,
) -> Result<(Option<String>, &'static str), NoRoom> {
    let has = wanted.tranche.as_ref().map(|tranche| estate.models_of(tranche));
    let has = has.unwrap_or_default();
    if let Some(named) = &wanted.model {
        let racks = 0..estate.racks().len();
        let here: BTreeSet<&str> = racks
            .map(|place| RackNo(super::estate::number(place)))
            .map(|rack| estate.shape_of(rack).name.as_str())
            .collect();
        if !here.contains(named.as_str()) {
            let here: Vec<&str> = here.into_iter().collect();
            let here = if here.is_empty() { "none".into() } else { here.join(", ") };
            return Err(NoRoom::NoSuchModel { named: named.clone(), here });
        }
        if !has.is_empty() && !has.contains(named.as_str()) {
            let has = has.into_iter().collect::<Vec<&str>>().join(" or ");
            return Err(NoRoom::OtherModel { named: named.clone(), has });
        }
        return Ok((Some(named.clone()), "as was asked for"));
    }
    match has.into_iter().next() {
        Some(model) => Ok((Some(model.to_owned()), "as the tranche's other blocks are")),
        None => Ok((None, "the model with the most room for it")),
    }
}

/// Finds room in racks of one model.
fn place_in(
    estate: &Estate,
    wanted: &Wanted,
    needed: usize,
    mut rooms: Vec<Room>,
    why_model: &str,
    passed_over: &BTreeMap<&'static str, u32>,
) -> Result<Placement, NoRoom> {
    let Some(shape) = rooms.first().map(|room| estate.shape_of(room.rack)) else {
        return Err(too_little(1, 0, passed_over));
    };
    let per_block =
        u32::try_from(needed).unwrap_or(u32::MAX) * u32::from(shape.gpus_per_tray);
    if wanted.gpus == 0 || !wanted.gpus.is_multiple_of(per_block) {
        return Err(NoRoom::NotWhole { gpus: wanted.gpus, per_block });
    }
    let blocks_wanted = wanted.gpus / per_block;
    let trays = match shape.is_joined() {
        true => format!("{needed} trays of one domain"),
        false => "a tray that is a domain of its own".to_owned(),
    };
    let mut placement = Placement {
        blocks: Vec::new(),
        spares: Vec::new(),
        reasons: Vec::new(),
        passed_over: passed_over.clone(),
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
                        "{name}: {trays}, {} left with {} kept as \
                         spares, {} failures in its time",
                        room.free.len(),
                        room.keeps,
                        room.failures
                    ),
                    true => format!(
                        "{name}: {trays}, out of its spares because \
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
    placement.reasons.push(format!("all of {}, {why_model}", shape.name));
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
    if needed > 1 && !estate.shape_of(rack).is_joined() {
        return Err("each of its trays is an NVLink domain of its own");
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
    // What is to be worked on comes last, the soonest last of all.
    let known = estate.known();
    let works = |tray: &TrayNo| {
        let work = estate.next_work(*tray, known);
        work.map(|window| std::cmp::Reverse(window.during.start))
    };
    free.sort_by_key(|tray| (works(tray), estate.tray(*tray).failures, *tray));
    let keeps = wanted.spares.of(found.failures).saturating_sub(kept);
    Ok(Room { rack, free, failures: found.failures, keeps })
}

fn too_little(wanted: u32, found: u32, why: &BTreeMap<&'static str, u32>) -> NoRoom {
    let why: Vec<String> =
        why.iter().map(|(why, racks)| format!("{racks} because {why}")).collect();
    let why = if why.is_empty() { "none".to_owned() } else { why.join(", ") };
    NoRoom::TooLittle { wanted, found, why }
}
