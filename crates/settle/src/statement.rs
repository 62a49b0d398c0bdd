//! A statement: what is owed for a month, with everything that shows why.
//!
//! The order of the fields is the order they are written in, and every number
//! with a point is text, so that the same statement is always the same bytes.

use crate::calendar::{Date, Period};
use crate::contract::Hash;
use crate::exact::{Amount, Exact};
use serde::{Deserialize, Serialize};
use units::Timestamp;

/// What a line is for. The order is the order of lines within a month.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum LineKind {
    /// Reserved capacity that was used, or is a pure reservation.
    Capacity,
    /// Reserved capacity that was paid and not used.
    Shortfall,
    /// Use above the reserved capacity.
    Overage,
    /// Credit for missed availability; negative.
    Sla,
    /// Credit for late delivery; negative.
    Delay,
    /// Power.
    Power,
    /// Credit of what was paid ahead; negative.
    Prepayment,
    /// What was paid ahead and is owed back; negative.
    Refund,
    /// The approved fee for ending early.
    TerminationFee,
}

/// What is owed for a month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// The document's number, without gaps for a contract; `None` while held.
    pub number: Option<String>,
    /// How many statements of the same month were issued before.
    pub revision: u32,
    /// The contract's id.
    pub contract: String,
    /// The hash of the version that settles the month.
    pub contract_sha256: Hash,
    /// Who is paid.
    pub supplier: String,
    /// Who pays.
    pub customer: String,
    /// What amounts are in.
    pub currency: String,
    /// The month settled.
    pub period: Period,
    /// The instant at which the month's facts are cut off.
    pub cut: Timestamp,
    /// The instant as of which facts were known.
    pub as_of: Timestamp,
    /// Which facts were known.
    pub facts: FactRange,
    /// The version of the engine that settled.
    pub engine: String,
    /// What is owed, line by line: differences against what was issued.
    pub lines: Vec<Line>,
    /// The sum of the lines.
    pub subtotal: Amount,
    /// Tax by kind of line.
    pub taxes: Vec<TaxLine>,
    /// The lines and the taxes.
    pub total: Amount,
    /// Credit carried from the statement before; not negative.
    pub carried_in: Amount,
    /// What is to be paid: the total less the credit, not negative.
    pub payable: Amount,
    /// Credit carried to the next statement; not negative.
    pub carried_out: Amount,
    /// When it is to be paid.
    pub due: Date,
    /// Each tranche's seconds in the month.
    pub availability: Vec<AvailabilityRow>,
    /// Each tranche's prepayment at the end of the month.
    pub prepayment: Vec<PrepaymentRow>,
    /// Each tranche's paid but unused quantity at the end of the month.
    pub make_up: Vec<MakeUpRow>,
    /// Rights that have arisen; nothing exercises them.
    pub rights: Vec<Right>,
    /// Why the statement has no number and nothing is posted; empty otherwise.
    pub held: Vec<Hold>,
}

/// Which facts were known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactRange {
    /// The first `seq`.
    pub first: Option<u64>,
    /// The last `seq`.
    pub last: Option<u64>,
    /// How many.
    pub count: u64,
    /// The chain over their stored lines.
    pub chain_sha256: Hash,
}

/// One line: the difference between what is owed and what was issued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The tranche.
    pub tranche: String,
    /// The month the service was in.
    pub service: Period,
    /// What it is for.
    pub kind: LineKind,
    /// How much, as it is now known.
    pub quantity: Option<LineQuantity>,
    /// The price, as text with its unit, where there is one.
    pub price: Option<String>,
    /// The amount; positive is owed to the supplier.
    pub amount: Amount,
    /// What corrections refer to; `None` on the first statement of a month.
    pub correction: Option<Correction>,
    /// The `seq` of the facts the amount rests on.
    pub facts: Vec<u64>,
    /// How the amount came about, in words.
    pub why: String,
}

/// How much of what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineQuantity {
    /// How much.
    pub amount: Exact,
    /// Of what, such as `GPU-seconds`.
    pub unit: String,
}

/// What a correction refers to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Correction {
    /// The statement that first billed the tranche and month, if any did.
    pub reference: Option<String>,
    /// The `seq` of the facts that became known since.
    pub causes: Vec<u64>,
}

/// Tax on the lines of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaxLine {
    /// The kind of line.
    pub kind: LineKind,
    /// The rate, as a share.
    pub rate: Exact,
    /// The sum of the lines.
    pub base: Amount,
    /// The tax.
    pub amount: Amount,
}

/// A tranche's unit-seconds in a month; reserved is the sum of the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AvailabilityRow {
    /// The tranche.
    pub tranche: String,
    /// What the seconds are of: `GPU-seconds` or `kW-seconds`.
    pub unit: String,
    /// The seconds, by class.
    pub seconds: Seconds,
    /// Availability as an exact fraction.
    pub availability: Exact,
    /// Availability in percent for reading, cut off and never rounded up.
    pub percent: String,
    /// The credit as a share of the month's fee, after the month's cap.
    pub credit: Exact,
}

/// Unit-seconds by class: `reserved` is the sum of all the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seconds {
    /// Accepted and in service.
    pub reserved: i64,
    /// Working, or not working for too short a time to count.
    pub available: i64,
    /// Reachable but failing.
    pub degraded: i64,
    /// Not working and not excused.
    pub down: i64,
    /// Excused: maintenance announced ahead.
    pub planned: i64,
    /// Excused: the grid operator's instruction.
    pub grid: i64,
    /// Excused: force majeure.
    pub force_majeure: i64,
    /// Excused: the customer caused it.
    pub customer_caused: i64,
    /// Excused: a contracted flex event.
    pub flex: i64,
    /// Nobody knows.
    pub unknown: i64,
}

/// A tranche's prepayment: received is applied, remaining and refunded together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrepaymentRow {
    /// The tranche.
    pub tranche: String,
    /// What the contract asks for.
    pub agreed: Amount,
    /// What was received.
    pub received: Amount,
    /// What was credited.
    pub applied: Amount,
    /// What is left, whether still to be credited or retained.
    pub remaining: Amount,
    /// What is owed back.
    pub refunded: Amount,
}

/// A tranche's paid but unused quantity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MakeUpRow {
    /// The tranche.
    pub tranche: String,
    /// GPU-seconds that may still be drawn.
    pub balance: Exact,
}

/// A right that has arisen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Right {
    /// The tranche.
    pub tranche: String,
    /// What the right is.
    pub kind: RightKind,
    /// Since when.
    pub since: Date,
    /// Why, in words.
    pub why: String,
}

/// What a right is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RightKind {
    /// To end a tranche that was not accepted in full by the long stop.
    LongStop,
    /// To end a tranche that was not available for months in a row.
    AvailabilityTermination,
}

/// Why a statement is held.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// What kind of reason.
    pub reason: HoldReason,
    /// The tranche, where it concerns one.
    pub tranche: Option<String>,
    /// The month, where it concerns one.
    pub period: Option<Period>,
    /// The fact, where it concerns one.
    pub seq: Option<u64>,
    /// What was expected, what was found and what to do.
    pub text: String,
}

/// What kind of reason holds a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldReason {
    /// The month is not over, or late facts still count for it.
    NotCut,
    /// The months are not settled in order.
    OutOfOrder,
    /// A fact was set aside.
    Quarantined,
    /// The state of a unit is unknown.
    Unknown,
    /// A price or an index value is missing.
    PriceMissing,
    /// Usage is missing where it is what is paid.
    UsageMissing,
    /// An approved amount is above what the contract allows.
    ApprovalTooHigh,
}

impl LineKind {
    /// Every kind, in order.
    pub const ALL: [Self; 9] = [
        Self::Capacity,
        Self::Shortfall,
        Self::Overage,
        Self::Sla,
        Self::Delay,
        Self::Power,
        Self::Prepayment,
        Self::Refund,
        Self::TerminationFee,
    ];

    /// The kind's name in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Capacity => "capacity",
            Self::Shortfall => "shortfall",
            Self::Overage => "overage",
            Self::Sla => "sla",
            Self::Delay => "delay",
            Self::Power => "power",
            Self::Prepayment => "prepayment",
            Self::Refund => "refund",
            Self::TerminationFee => "termination_fee",
        }
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl Seconds {
    /// Everything that is excused.
    pub const fn excused(&self) -> i64 {
        self.planned + self.grid + self.force_majeure + self.customer_caused + self.flex
    }
}

impl Statement {
    /// Whether nothing may be posted.
    pub fn is_held(&self) -> bool {
        self.number.is_none()
    }

    /// The statement as JSON, always the same bytes for the same statement.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a statement is text and numbers")
    }

    /// Reads a statement back from JSON.
    ///
    /// # Errors
    /// When the text is not a statement.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}
