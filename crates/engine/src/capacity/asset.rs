//! Racks, trays and blocks, as an estate holds them.
//!
//! A **slot** is a place in a rack and never changes; the machine in it has a
//! serial number, which does. A **seat** is a place in a tenant's block: it is what
//! a contract counts, and keeps its name while trays change under it.

use serde::{Deserialize, Serialize};
use units::Timestamp;

use super::phase::{Asked, Look, Phase, Tested, Word};
use super::{RackShows, TrancheOf};

/// A rack by its place in the estate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RackNo(pub u32);

/// A tray's slot by its place in the estate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TrayNo(pub u32);

/// A block by its place in the estate; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BlockNo(pub u32);

/// One rack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rack {
    /// Its name.
    pub name: String,
    /// Its generation, by its place among the shapes.
    pub shape: u16,
    /// Where it stands.
    pub hall: String,
    /// When it is to be at the dock.
    pub due: Option<Timestamp>,
    /// The tranche it is meant for.
    pub meant_for: Option<TrancheOf>,
    /// Its first tray; the others follow.
    pub first: TrayNo,
    /// How many trays it has.
    pub trays: u8,
    /// What was last seen of it, and when.
    pub shows: Option<(Timestamp, RackShows)>,
    /// Failures in its time, of whatever tray.
    pub failures: u32,
}

/// One slot and the machine in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tray {
    /// Its rack.
    pub rack: RackNo,
    /// Its slot there, from 0.
    pub slot: u8,
    /// The serial number of its machine; empty until one was received.
    pub serial: String,
    /// Where it is in its life.
    pub phase: Phase,
    /// Since when.
    pub since: Timestamp,
    /// What a person said since.
    pub word: Option<Word>,
    /// The last look.
    pub look: Option<Look>,
    /// The last order's number.
    pub generation: u32,
    /// What was ordered and not seen yet.
    pub asked: Option<Asked>,
    /// The last verdict.
    pub tested: Option<Tested>,
    /// Whether a tenant's work may be on it.
    pub dirty: bool,
    /// Why nobody is to have it.
    pub cordon: Option<String>,
    /// Whether it is kept as a spare.
    pub spare: bool,
    /// Its seat: the block, and the place there.
    pub seat: Option<(BlockNo, u8)>,
    /// Whether its tenant's image was seen since it was last handed over.
    pub handed: bool,
    /// Why its tenant gave it back, while it keeps its seat.
    pub returned: Option<String>,
    /// When its tenant asked for the power cycle that is not seen yet.
    pub cycled: Option<Timestamp>,
    /// When its tenant wanted it in place of a machine that worked, until it has it.
    pub wished: Option<Timestamp>,
    /// The windows of work on it that are not done, by their places among the windows,
    /// in the order in which they were announced.
    pub windows: Vec<u32>,
    /// Failures in its time.
    pub failures: u32,
    /// Whether a person was told that its phase takes too long.
    pub told: bool,
}

/// Trays of one NVLink domain that a tenant has together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Whose.
    pub tenant: String,
    /// The tranche it delivers.
    pub tranche: TrancheOf,
    /// The rack.
    pub rack: RackNo,
    /// The tray of each seat; nothing while a seat is empty.
    pub seats: Vec<Option<TrayNo>>,
    /// When it was promised.
    pub reserved: Timestamp,
    /// When it was accepted under its contract.
    pub accepted: Option<Timestamp>,
    /// When it was given to its tenant.
    pub handed_over: Option<Timestamp>,
    /// When it was given back, and by whom: true for the tenant.
    pub returned: Option<(Timestamp, bool)>,
}

impl RackNo {
    pub(crate) fn place(self) -> usize {
        self.0 as usize
    }
}

impl TrayNo {
    pub(crate) fn place(self) -> usize {
        self.0 as usize
    }
}

impl BlockNo {
    pub(crate) fn place(self) -> usize {
        self.0 as usize
    }
}

impl Rack {
    /// Its trays.
    pub fn tray_numbers(&self) -> impl Iterator<Item = TrayNo> + use<> {
        let first = self.first.0;
        (first..first + u32::from(self.trays)).map(TrayNo)
    }
}

impl Tray {
    pub(crate) fn ordered(rack: RackNo, slot: u8, at: Timestamp) -> Self {
        Self {
            rack,
            slot,
            serial: String::new(),
            phase: Phase::Ordered,
            since: at,
            word: None,
            look: None,
            generation: 0,
            asked: None,
            tested: None,
            dirty: false,
            cordon: None,
            spare: false,
            seat: None,
            handed: false,
            returned: None,
            cycled: None,
            wished: None,
            windows: Vec::new(),
            failures: 0,
            told: false,
        }
    }
}

impl Block {
    /// Whether a tenant has it or is to have it.
    pub fn is_live(&self) -> bool {
        self.returned.is_none()
    }
}
