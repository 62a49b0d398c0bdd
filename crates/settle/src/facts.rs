//! What happened, as it was recorded: append-only and with two times.
//!
//! A [`Fact`] says what was true from `valid_from` to `valid_to` and when it
//! became known. Facts are never changed; a correction is another fact that
//! becomes known later. [`Facts::read`] reads them from JSON lines and refuses
//! what it cannot read; whether a fact that was read counts is decided by the
//! intake, which sets doubtful ones aside with a reason.

mod doubt;
pub(crate) mod intake;
mod limits;
mod read;
pub(crate) mod record;
mod succession;

pub use intake::Quarantined;
pub(crate) use limits::beyond_per_mwh;

use crate::calendar::Period;
use crate::contract::Hash;
use crate::exact::Exact;
use std::sync::Arc;
use units::{Interval, Timestamp};

/// One recorded fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Its place in the record; strictly rising.
    pub seq: u64,
    /// The site it comes from; facts in a row share its name.
    pub site: Arc<str>,
    /// What at the site reported it, shared in the same way.
    pub source: Arc<str>,
    /// The source's own count. With site and source, the key for ever.
    pub source_seq: u64,
    /// From when it is true.
    pub valid_from: Timestamp,
    /// Until when it is true; `None` while it lasts.
    pub valid_to: Option<Timestamp>,
    /// When it became known to the record; never falling along `seq`.
    pub known_at: Timestamp,
    /// How far the source's clock was off, in seconds, when it said so.
    pub clock_offset_seconds: Option<Exact>,
    /// What it says.
    pub body: Body,
    /// The chain over the stored lines up to and including this one.
    pub chain: Hash,
}

/// What a fact says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Units were accepted at `valid_from`.
    Acceptance(Acceptance),
    /// Units were in a state.
    UnitState(UnitState),
    /// What an incident was found to be.
    IncidentClassification {
        /// The incident that unit states refer to.
        incident: String,
        /// What it was.
        class: State,
        /// The notice or instruction that is its evidence, where it has one.
        reference: Option<String>,
    },
    /// Notice of a window, given when the fact became known.
    Notice {
        /// What unit states refer to.
        id: String,
        /// What it is about.
        about: About,
    },
    /// An instruction of the grid operator over a window.
    GridInstruction {
        /// What unit states refer to.
        id: String,
    },
    /// A contracted flex event over a window.
    Flex {
        /// Its name.
        id: String,
        /// The tranche it concerns.
        tranche: TrancheName,
    },
    /// What the customer used.
    Usage {
        /// The tranche it was used in.
        tranche: TrancheName,
        /// How much.
        gpu_seconds: i64,
    },
    /// What a meter counted over an interval.
    MeterInterval {
        /// The meter; `main` is the revenue meter.
        meter: String,
        /// Energy in watt-hours; drawn is positive.
        wh: i64,
        /// Whose it is.
        owner: MeterOwner,
    },
    /// What energy cost over an interval.
    EnergyPrice {
        /// The price's name.
        index: String,
        /// Per MWh, in units of the contract's currency.
        per_mwh: Exact,
    },
    /// The value of an index from an instant on.
    IndexValue {
        /// The index's name.
        index: String,
        /// Its value.
        value: Exact,
    },
    /// What the utility billed for an interval.
    UtilityBill {
        /// The amount, in units of the contract's currency.
        amount: Exact,
        /// The bill's number; the latest known of a number counts.
        number: String,
    },
    /// Money received.
    Payment {
        /// The amount, in units of `currency`.
        amount: Exact,
        /// What it was paid in.
        currency: String,
        /// What it was paid for.
        purpose: Purpose,
    },
    /// The customer asks for a month's availability credit.
    Claim {
        /// The tranche.
        tranche: TrancheName,
        /// The month.
        period: Period,
    },
    /// A month is in dispute, whatever its age.
    Dispute {
        /// The tranche.
        tranche: TrancheName,
        /// The month.
        period: Period,
    },
    /// Somebody decided.
    Approval {
        /// What was approved.
        approves: Approves,
        /// The amount, where one is approved.
        amount: Option<Exact>,
        /// Who decided.
        by: String,
    },
    /// Service ended early at `valid_from`.
    Termination {
        /// The tranche; `None` for all.
        tranche: Option<TrancheName>,
        /// Why.
        cause: Cause,
    },
    /// A version of the contract became known.
    ContractVersion {
        /// The hash of its file.
        sha256: Hash,
    },
}

/// Units that were accepted together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptance {
    /// The contract they were accepted for.
    pub contract: String,
    /// The tranche they belong to.
    pub tranche: String,
    /// The units.
    pub units: Vec<AcceptedUnit>,
    /// Units of the tranche in whose place these come, in the order in which they
    /// leave: each stops counting then, as far as the quantity has no room for both.
    pub replaces: Vec<String>,
}

/// One accepted unit: a slot, never a serial number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedUnit {
    /// The slot.
    pub unit: String,
    /// How much it brings.
    pub size: Size,
    /// The domain whose units count together under `basis = "blocks"`.
    pub domain: Option<String>,
}

/// How much a unit brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// GPUs.
    Gpus(i64),
    /// Kilowatts.
    Kilowatts(i64),
}

/// Units in a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitState {
    /// The units.
    pub units: Vec<String>,
    /// The state.
    pub state: State,
    /// The incident, notice or instruction it refers to.
    pub reference: Option<String>,
    /// The power each GPU was held to.
    pub cap_w_per_gpu: Option<Exact>,
}

/// What a unit was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It worked.
    Available,
    /// It was reachable but failed its acceptance test.
    Degraded,
    /// It did not work.
    Down,
    /// It was in announced maintenance.
    Planned,
    /// The grid operator had it off.
    Grid,
    /// Force majeure had it off.
    ForceMajeure,
    /// The customer had it off.
    CustomerCaused,
    /// It did not count at all.
    NotAccepted,
    /// Nobody knows.
    Unknown,
}

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// Maintenance announced ahead.
    PlannedMaintenance,
    /// Force majeure.
    ForceMajeure,
}

/// A tranche of this contract or, when `contract` says so, of another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TrancheName {
    /// The contract, where the fact names one.
    pub contract: Option<String>,
    /// The tranche.
    pub tranche: String,
}

/// Whose energy a meter counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MeterOwner {
    /// The site's own, or everybody's for the main meter.
    Site,
    /// A tranche's.
    Tranche(TrancheName),
    /// A contract's that is named without a tranche.
    Contract(String),
}

/// What a payment was for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The prepayment of a tranche.
    Prepayment(TrancheName),
    /// A document, by its number.
    Document(String),
    /// It did not say.
    Unstated,
}

/// What an approval approves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Approves {
    /// A fact set aside counts after all.
    Quarantined {
        /// The fact's source.
        source: String,
        /// The fact's number at its source.
        source_seq: u64,
    },
    /// A fact set aside is dropped.
    Discarded {
        /// The fact's source.
        source: String,
        /// The fact's number at its source.
        source_seq: u64,
    },
    /// The fee for ending a tranche.
    TerminationFee {
        /// The tranche.
        tranche: String,
    },
}

/// Why service ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The supplier failed.
    Supplier,
    /// The customer failed.
    Customer,
    /// Somebody had the right to end it without a reason.
    Convenience,
    /// The long stop had passed.
    LongStop,
}

/// The record, as far as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    facts: Vec<Fact>,
}

impl Facts {
    /// The facts in the order of their `seq`.
    pub fn all(&self) -> &[Fact] {
        &self.facts
    }

    /// The facts that were known by `as_of`.
    pub fn known_by(&self, as_of: Timestamp) -> &[Fact] {
        &self.facts[..self.facts.partition_point(|fact| fact.known_at <= as_of)]
    }
}

impl Fact {
    /// Whether both say the same, whatever their places in the record.
    pub fn says_as(&self, other: &Self) -> bool {
        self.body == other.body
            && self.valid_from == other.valid_from
            && self.valid_to == other.valid_to
    }

    /// The interval the fact is true in; one without an end runs on for ever.
    pub fn during(&self) -> Interval {
        let end = self.valid_to.unwrap_or(FOR_EVER);
        Interval { start: self.valid_from, end }
    }
}

impl Body {
    /// The kind's name in the record.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Acceptance(_) => "acceptance",
            Self::UnitState(_) => "unit_state",
            Self::IncidentClassification { .. } => "incident_classification",
            Self::Notice { .. } => "notice",
            Self::GridInstruction { .. } => "grid_instruction",
            Self::Flex { .. } => "flex",
            Self::Usage { .. } => "usage",
            Self::MeterInterval { .. } => "meter_interval",
            Self::EnergyPrice { .. } => "energy_price",
            Self::IndexValue { .. } => "index_value",
            Self::UtilityBill { .. } => "utility_bill",
            Self::Payment { .. } => "payment",
            Self::Claim { .. } => "claim",
            Self::Dispute { .. } => "dispute",
            Self::Approval { .. } => "approval",
            Self::Termination { .. } => "termination",
            Self::ContractVersion { .. } => "contract_version",
        }
    }
}

/// The first instant that no fact speaks of: 2200-01-01T00:00:00Z.
const TOO_LATE: Timestamp = Timestamp::from_unix_seconds(7_258_118_400);

/// An instant after every instant a calendar has: 9999-12-30T00:00:00Z.
pub(crate) const FOR_EVER: Timestamp = Timestamp::from_unix_seconds(253_402_128_000);
