//! Capacity: racks become trays that a tenant has, and every second of it is counted.
//!
//! [`Estate`] is all of a site's GPU racks and who has them. [`Estate::fold`] takes
//! in one [`Event`] and returns what follows; nothing else changes it. The record of
//! an estate is its events, and folding them again gives the same estate:
//!
//! ```text
//! people, tenants, looks ──► fold ──► orders to machines, facts to `settle`, moves
//!                             ▲ │
//!                        place  └──► index, availability, forecast
//! ```
//!
//! [`phase`] moves a tray along its life, [`meter`] says what a second counts as,
//! [`place`] finds room, [`index`] tells a tenant what is theirs, [`acceptance`]
//! judges tests, and [`forecast`] says when a tranche will be there.
//!
//! Invariant: no clock. What happens between events at a known instant, such as the
//! end of a window, counts from that instant, whenever the next event comes.
//! Invariant: an event that is refused changes nothing.

pub mod acceptance;
mod allowed;
pub mod asset;
pub mod estate;
pub mod forecast;
pub mod index;
pub mod kept;
pub mod meter;
pub mod news;
pub mod offer;
pub mod phase;
pub mod place;
pub mod shape;
pub mod upkeep;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use settle::contract::Hash;
use units::{Interval, Timestamp};

pub use asset::{Block, BlockNo, Rack, RackNo, Tray, TrayNo};
pub use estate::Estate;
pub use kept::Kept;
pub use meter::NewFact;
pub use news::News;
pub use offer::RackUse;
pub use phase::{Command, Phase, Power, Reported, Shows, Step, Times, Wait};
pub use shape::Shape;
pub use upkeep::{Flex, Incident, Window};

/// One thing that happened, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When it became known; never falls.
    pub at: Timestamp,
    /// Who says so.
    pub by: Actor,
    /// What it is.
    pub body: Body,
}

/// Who says something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// One of the site's people.
    Operator(String),
    /// One of a tenant's people or programs, by the tenant's name.
    Tenant(String),
    /// The program itself: its looks and its clock.
    Site,
}

/// A tranche of a contract.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TrancheOf {
    /// The contract.
    pub contract: String,
    /// The tranche.
    pub tranche: String,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// How long things may take, from now on.
    Times(Times),
    /// A generation of racks that is not known without being told.
    Shape(Shape),
    /// A rack was ordered.
    Rack {
        /// Its name, which its slots are named by.
        name: String,
        /// The generation.
        shape: String,
        /// The hall it is to stand in.
        hall: String,
        /// When it is to be at the dock, if anybody said so.
        due: Option<Timestamp>,
        /// The tranche that it is meant for.
        meant_for: Option<TrancheOf>,
    },
    /// A rack is expected at another time than was said.
    Due {
        /// The rack.
        rack: RackNo,
        /// When.
        at: Timestamp,
    },
    /// A rack is at the dock.
    Received {
        /// The rack.
        rack: RackNo,
        /// The serial numbers of its trays, from slot 0; nothing for one that did not
        /// come with it, which may come later.
        serials: Vec<String>,
    },
    /// A rack stands in its place: those of its trays that were received.
    Installed {
        /// The rack.
        rack: RackNo,
    },
    /// Machines were looked at.
    Sweep(Sweep),
    /// Tests of a rack's trays were judged.
    Tested {
        /// The rack.
        rack: RackNo,
        /// The slots judged, a bit each.
        slots: u64,
        /// Those of them that passed every check.
        passed: u64,
        /// The hash of the evidence.
        evidence: Hash,
    },
    /// Free trays are promised to a tenant, all of it or nothing.
    Reserve {
        /// The tenant.
        tenant: String,
        /// The tranche that they deliver.
        tranche: TrancheOf,
        /// One block for each NVLink domain.
        blocks: Vec<Place>,
        /// Trays that are kept beside them as spares.
        spares: Vec<TrayNo>,
        /// GPUs that the tenant's blocks of the tranche may come to with these, where
        /// its contract says so.
        #[serde(default)]
        within: Option<u64>,
    },
    /// A block is accepted under its contract; its seconds are counted from now on.
    Accept {
        /// The block.
        block: BlockNo,
        /// The hash of the evidence it rests on.
        evidence: Hash,
    },
    /// A block is given to its tenant.
    HandOver {
        /// The block.
        block: BlockNo,
    },
    /// A block is given back, or taken back.
    Return {
        /// The block.
        block: BlockNo,
        /// Why, in words.
        why: String,
    },
    /// The tenant gives one tray of a block back because it does not work; its seat
    /// stays the tenant's.
    ReturnTray {
        /// The tray.
        tray: TrayNo,
        /// What is wrong with it.
        fault: String,
    },
    /// The tenant wants a tray switched off and on.
    PowerCycle {
        /// The tray.
        tray: TrayNo,
    },
    /// A tray is kept from being given to anybody; said by the site itself, because it
    /// refuses what was ordered of it.
    Cordon {
        /// The tray.
        tray: TrayNo,
        /// Why, in words.
        why: String,
    },
    /// It no longer is.
    Uncordon {
        /// The tray.
        tray: TrayNo,
    },
    /// A free tray of the same rack takes over a seat.
    Substitute {
        /// The tray whose seat it is.
        out: TrayNo,
        /// The tray that takes it over.
        into: TrayNo,
    },
    /// A person takes a tray out for repair.
    Pull {
        /// The tray.
        tray: TrayNo,
        /// Why, in words.
        why: String,
    },
    /// A tray, or another in its slot, is ready again; into the slot of one that was
    /// retired another comes this way.
    Repaired {
        /// The tray.
        tray: TrayNo,
        /// The serial number of the machine in the slot, where it is another.
        serial: Option<String>,
    },
    /// A tray is gone for good.
    Retire {
        /// The tray.
        tray: TrayNo,
        /// Why, in words.
        why: String,
    },
    /// What is waited for is ordered once more.
    Retry {
        /// The tray.
        tray: TrayNo,
    },
    /// A person lets a machine go that nothing else moves: it goes to repair as it
    /// is, unwiped if it is so, and is wiped before anybody has it again.
    Release {
        /// The tray.
        tray: TrayNo,
        /// The second person, who agrees.
        #[serde(default)]
        second: String,
        /// Why, in words.
        why: String,
    },
    /// Work on machines was announced, in a journal of before format 9, when tenants
    /// were told nothing of their own. Nobody says it any more.
    AnnounceUntold {
        /// The window's name, once for ever.
        id: String,
        /// The machines.
        trays: Vec<TrayNo>,
        /// When.
        window: Interval,
        /// Whether it cannot wait for the tenant's time to hand back.
        emergency: bool,
        /// What is done, in words.
        why: String,
    },
    /// The tenant asks for a later window.
    Defer {
        /// The window.
        id: String,
        /// The new time.
        window: Interval,
    },
    /// Announced work is done and its machines are looked over.
    Done {
        /// The window.
        id: String,
    },
    /// Power is held below the floor of a tranche for a time, as its contract allows.
    Flex {
        /// The event's name, once for ever.
        id: String,
        /// The tranche.
        tranche: TrancheOf,
        /// When.
        during: Interval,
    },
    /// Somebody found out what an incident was.
    Classify {
        /// The incident.
        incident: String,
        /// What it was.
        class: Class,
        /// The notice or instruction that is its evidence, where it has one.
        evidence: Option<String>,
    },
    /// Time passed.
    Wake,
    /// Somebody says that trays passed their tests, without results that were judged.
    TestedByHand {
        /// The rack.
        rack: RackNo,
        /// The slots meant, a bit each.
        slots: u64,
        /// Those of them that are to count as passed.
        passed: u64,
        /// What they go by, in words.
        why: String,
    },
    /// A block is accepted on somebody's word, without evidence.
    AcceptByHand {
        /// The block.
        block: BlockNo,
        /// What they go by, in words.
        why: String,
    },
    /// Work on machines is announced.
    Announce {
        /// The window's name, once for ever.
        id: String,
        /// The machines.
        trays: Vec<TrayNo>,
        /// When.
        window: Interval,
        /// Whether it cannot wait for the tenant's time to hand back.
        emergency: bool,
        /// What is done, in the site's own words; no tenant reads them.
        why: String,
        /// What tenants are told is done; without it, that there is work.
        #[serde(default)]
        told: Option<String>,
    },
    /// Work that has not begun is called off.
    Cancel {
        /// The window.
        id: String,
        /// Why, in the site's own words.
        why: String,
    },
}

/// What an incident was, in the words of a contract's facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// It was up after all, where nobody had looked: the facts say so instead.
    Available,
    /// It answered and failed its tests.
    Degraded,
    /// It was down.
    Down,
    /// The grid operator had it off.
    Grid,
    /// Force majeure had it off.
    ForceMajeure,
    /// The customer had it off.
    CustomerCaused,
}

/// Trays of one NVLink domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The rack.
    pub rack: RackNo,
    /// The slots, in the order of the seats.
    pub slots: Vec<u8>,
}

/// Machines that were looked at, told as what is different from the last look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    /// When.
    pub at: Timestamp,
    /// Which were asked.
    pub of: Asked,
    /// Those that show something else than at their last look, or answer for the
    /// first time.
    pub changed: Vec<(TrayNo, Shows)>,
    /// Those that did not answer. Every other that was asked shows what it showed.
    pub silent: Vec<TrayNo>,
    /// Racks that show something else.
    pub racks: Vec<(RackNo, RackShows)>,
}

/// Which machines were asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// All that answered before, and those told as changed.
    All,
    /// Those of these racks.
    Racks(Vec<RackNo>),
    /// Only those that are told.
    Told,
}

/// What one look showed of a rack beside its trays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RackShows {
    /// Switch trays that work, a bit each.
    pub switches: u16,
    /// Power shelves that work, a bit each.
    pub shelves: u8,
    /// Leak detectors that found something, a bit each.
    pub leaks: u8,
}

/// What follows from an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Output {
    /// Something a machine has to be told, until a look shows it.
    Order {
        /// The machine.
        tray: TrayNo,
        /// What.
        command: Command,
        /// The order's number at the machine.
        generation: u32,
    },
    /// A tray went to another phase.
    Moved {
        /// The tray.
        tray: TrayNo,
        /// From where.
        from: Phase,
        /// To where.
        to: Phase,
        /// Why, in words.
        why: Cow<'static, str>,
    },
    /// Something that `settle` counts.
    Fact(NewFact),
    /// Something that a tenant is to hear of. Only a running engine says it.
    Told {
        /// The tenant.
        tenant: String,
        /// What.
        news: News,
    },
    /// Something a person should see.
    Notice {
        /// The machine, where it is one.
        tray: Option<TrayNo>,
        /// What, in words.
        text: String,
    },
}

/// Why an event was not taken in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// It comes before what is known already.
    #[error("expected an event at or after {known}, found one of {at}")]
    Earlier {
        /// The last event's time.
        known: Timestamp,
        /// This one's.
        at: Timestamp,
    },
    /// It is not theirs, or is not there; a tenant is not told which.
    #[error("expected {what} of yours, found none of that name")]
    NotYours {
        /// What was named.
        what: Cow<'static, str>,
    },
    /// Only the site's own people may say it.
    #[error("expected one of the site's people, found {by}")]
    NotForYou {
        /// Who asked.
        by: String,
    },
    /// It names something that is not there.
    #[error("expected {what} that is known, found {found}")]
    Unknown {
        /// What was named.
        what: Cow<'static, str>,
        /// The name.
        found: String,
    },
    /// It does not fit what is.
    #[error("expected {expected}, found {found}")]
    Unfit {
        /// What it needs.
        expected: String,
        /// What is there.
        found: String,
    },
}

impl Refused {
    pub(crate) fn unfit(expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self::Unfit { expected: expected.into(), found: found.into() }
    }
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Operator(name) => write!(f, "{name}"),
            Self::Tenant(name) => write!(f, "tenant {name}"),
            Self::Site => f.write_str("the site"),
        }
    }
}
