//! What two parties signed, as far as it moves money.
//!
//! A [`Contract`] is one version, read from one file by [`Contract::read`];
//! [`Versions`] is the chain of amendments. The contract states terms only:
//! that a unit was accepted, or was down, is a fact and never stands here.
//!
//! Every decimal is an [`Exact`]. Percentages written as `"20"` are kept as
//! shares (`1/5`); shares written as `"0.05"` are kept as they are.

mod read;
mod sections;
mod tranche;
mod versions;
mod written;

pub use versions::Versions;
pub use written::{Problem, Problems};

use crate::calendar::{Date, Zone};
use crate::exact::{Exact, Rounding};
use crate::statement::LineKind;
use std::collections::BTreeMap;

/// The SHA-256 of a file or a chain of lines.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

/// One version of a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contract {
    /// The SHA-256 of the file's bytes, stamped on every statement.
    pub hash: Hash,
    /// What both parties call the contract; the same in every amendment.
    pub id: String,
    /// The version this one amends; `None` in the first.
    pub supersedes: Option<Hash>,
    /// Who provides the capacity and is paid.
    pub supplier: String,
    /// Who uses the capacity and pays.
    pub customer: String,
    /// What amounts are in.
    pub currency: Currency,
    /// The zone whose months and days the contract means.
    pub zone: Zone,
    /// The day from which this version settles; in an amendment the first of a
    /// month.
    pub effective: Date,
    /// The signed document this file stands for, as written.
    pub document: Option<Document>,
    /// How an exact line becomes minor units.
    pub rounding: Rounding,
    /// When and how statements are made.
    pub billing: Billing,
    /// What is owed for reserved capacity that was not used.
    pub take_or_pay: TakeOrPay,
    /// The availability promised, if any.
    pub sla: Option<Sla>,
    /// The power each GPU must be able to draw to count as available.
    pub power_floor_watts_per_gpu: Option<Exact>,
    /// Hours in each calendar month in which a unit may be held below the
    /// power floor by a flex event.
    pub flex_hours_per_month: Option<Exact>,
    /// What is paid ahead and credited later, if anything.
    pub prepayment: Option<Prepayment>,
    /// What late delivery costs, if anything.
    pub delay: Option<Delay>,
    /// How the contract can end early, if stated.
    pub termination: Option<Termination>,
    /// How power is charged.
    pub power: Power,
    /// The share of tax on the lines of each kind.
    pub tax: BTreeMap<LineKind, Exact>,
    /// The slices of capacity, in the order written.
    pub tranches: Vec<Tranche>,
    /// Choices of accounting policy, as written; they move no statement.
    pub accounting: BTreeMap<String, String>,
}

/// A currency and its minor unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Currency {
    /// The three letters of ISO 4217.
    pub code: String,
    /// Digits after the point: 2 for dollars and cents.
    pub places: u8,
}

/// The signed document a file stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The name of the document's file.
    pub name: String,
    /// Its hash, as written.
    pub sha256: String,
}

/// When and how statements are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Billing {
    /// Days after a month's end in which late facts still count for it.
    pub grace_days: i64,
    /// Days from a statement to the day it is due.
    pub due_days: i64,
    /// How many months back a change is billed without a dispute.
    pub restate_limit_months: i32,
}

/// What is owed for reserved capacity that was not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakeOrPay {
    /// The share of the reserved quantity that is paid in any case.
    pub share: Exact,
    /// Whether paid but unused quantity can be used later.
    pub make_up: MakeUp,
}

/// Whether paid but unused quantity can be used later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MakeUp {
    /// It is lost.
    None,
    /// Until the tranche's service ends.
    TermEnd,
    /// In so many months after the month it was paid in.
    Months(i32),
}

/// The availability promised and what missing it costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sla {
    /// What availability is counted over.
    pub basis: Basis,
    /// The availability promised.
    pub target: Exact,
    /// Credits by availability, best availability first.
    pub tiers: Vec<Tier>,
    /// The most a month's credit can be, as a share of the month's fee.
    pub month_cap: Exact,
    /// The most twelve months' credits can be, as a share of their fees.
    pub year_cap: Option<Exact>,
    /// Who has to ask for a credit.
    pub claim: Claim,
    /// How much of a degraded second counts as down: 1 in full, 0 not at all.
    pub degraded: Exact,
    /// A run of down shorter than this counts as available.
    pub min_incident_seconds: i64,
    /// What time of unknown state does.
    pub gap_policy: GapPolicy,
    /// What excuses a unit that is not available.
    pub excused: Excused,
}

/// What availability is counted over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Each unit by itself, weighted by its GPUs.
    GpuSeconds,
    /// Units of one domain together.
    Blocks {
        /// Units a block has.
        units: u32,
        /// Units that must be available for the block to be.
        needed: u32,
    },
}

/// A credit below an availability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// The availability below which, strictly, the credit is due.
    pub below: Exact,
    /// The credit as a share of the month's fee.
    pub credit: Exact,
}

/// Who has to ask for a credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Nobody: it is given.
    Automatic,
    /// The customer, within so many days of the month's end.
    Customer {
        /// Days after the month's end.
        days: i64,
    },
}

/// What time of unknown state does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapPolicy {
    /// It holds the statement until somebody says what it was.
    Ask,
    /// It is left out of both sides of availability and listed.
    Exclude,
}

/// What excuses a unit that is not available.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excused {
    /// Maintenance announced ahead.
    pub planned: Option<Planned>,
    /// An instruction of the grid operator.
    pub grid: Option<GridEmergency>,
    /// Hours after its beginning in which force majeure must be notified.
    pub force_majeure_notice_hours: Option<Exact>,
    /// What the customer caused.
    pub customer_caused: bool,
}

/// Maintenance announced ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Hours before the window in which notice must have been given.
    pub notice_hours: Exact,
    /// Hours each unit may be in maintenance in a calendar month.
    pub hours_per_month: Option<Exact>,
}

/// An instruction of the grid operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GridEmergency {
    /// Hours each unit may be off for it in a calendar year.
    pub hours_per_year: Option<Exact>,
}

/// What is paid ahead and credited later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepayment {
    /// The share of each tranche's signed value that is paid ahead.
    pub share: Exact,
    /// Days before delivery at which it is due.
    pub due_days_before_delivery: i64,
    /// The first month of service in which it is credited.
    pub credit_from: i64,
    /// The number of equal instalments.
    pub credit_over: i64,
    /// When what is left at an early end is paid back.
    pub refundable: Refundable,
}

/// When what is left of a prepayment at an early end is paid back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refundable {
    /// When the supplier's failure ended it, or the long stop.
    OnSupplierTermination,
    /// However it ended.
    Always,
    /// Not at all.
    Never,
}

/// What late delivery costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delay {
    /// Days late that cost nothing.
    pub grace_days: i64,
    /// The credit for each day after those.
    pub credit: Option<DelayCredit>,
    /// Days after delivery at which the customer may end a tranche that is not
    /// accepted in full.
    pub long_stop_days: Option<i64>,
}

/// The credit for each day of late delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DelayCredit {
    /// The share of a monthly fee that each day costs.
    pub per_day: Exact,
    /// The most days that cost.
    pub cap_days: i64,
}

/// How the contract can end early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Termination {
    /// Whether ending early costs the reserved fees that remain.
    pub fee: bool,
    /// The share of those fees that the supplier is taken to save.
    pub mitigation: Exact,
    /// The right to end a tranche that is not available.
    pub availability: Option<AvailabilityRight>,
}

/// The right to end a tranche that is not available.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AvailabilityRight {
    /// The availability below which, strictly, a month counts.
    pub below: Exact,
    /// How many months in a row.
    pub months: i32,
}

/// How power is charged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Power {
    /// Who pays what.
    pub mode: PowerMode,
    /// The name of the energy price used until a bill comes, or of the index.
    pub index: Option<String>,
    /// A fixed price per MWh used until a bill comes.
    pub estimate_per_mwh: Option<Exact>,
    /// What is added to the index, per MWh.
    pub adder_per_mwh: Exact,
    /// Whether the utility's bill replaces the estimate.
    pub true_up: bool,
}

/// Who pays what for power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerMode {
    /// The fee includes it.
    Included,
    /// The customer pays what the supplier pays.
    PassThrough,
    /// The customer pays an index and an adder.
    Index,
}

/// A slice of capacity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tranche {
    /// What both parties call it.
    pub id: String,
    /// How much of it there is.
    pub quantity: Quantity,
    /// What it costs.
    pub price: Price,
    /// The day it was to be delivered.
    pub delivery: Date,
    /// Months of service from the first acceptance.
    pub months: i64,
    /// Whether it may be accepted before its delivery date.
    pub early: bool,
}

/// How much of a tranche there is, and what its seconds are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// GPUs; seconds are GPU-seconds.
    Gpus(i64),
    /// Kilowatts; seconds are kW-seconds.
    Kilowatts(i64),
}

/// What a tranche costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// What the amount is for.
    pub unit: PriceUnit,
    /// The amount from the beginning, in units of the currency.
    pub amount: Exact,
    /// The megawatts the amount is for, as written.
    pub mw: Option<Exact>,
    /// The price of a GPU-hour above the reserved quantity, where it differs.
    pub overage: Option<Exact>,
    /// Later amounts, in order.
    pub steps: Vec<Step>,
    /// What the amount moves with.
    pub index: Option<Index>,
}

/// What an amount is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PriceUnit {
    /// One GPU for one hour.
    GpuHour,
    /// All of the tranche's megawatts for a calendar month.
    MwMonth,
    /// The whole tranche for a calendar month.
    Flat,
}

/// An amount from a day on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The first day.
    pub from: Date,
    /// The amount, in units of the currency.
    pub amount: Exact,
}

/// What an amount moves with: amount x (1 - share + share x value / base).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// The index's name in the facts.
    pub name: String,
    /// The value at which the amount is as written.
    pub base: Exact,
    /// The share of the amount that moves.
    pub share: Exact,
    /// The least value / base counts as.
    pub floor: Option<Exact>,
    /// The most value / base counts as.
    pub cap: Option<Exact>,
}

impl Hash {
    /// The hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest;
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// The hash that chains `bytes` to what came before: the previous hash, the
    /// length in eight bytes, least first, and the bytes.
    pub fn chained(self, bytes: &[u8]) -> Self {
        use sha2::Digest;
        let length = u64::try_from(bytes.len()).expect("a length fits 64 bits");
        let mut hasher = sha2::Sha256::new();
        hasher.update(self.0);
        hasher.update(length.to_le_bytes());
        hasher.update(bytes);
        Self(hasher.finalize().into())
    }

    /// What a chain starts from.
    pub const fn start() -> Self {
        Self([0; 32])
    }

    /// Reads 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(pair).ok()?;
            if digits.starts_with('+') {
                return None;
            }
            *byte = u8::from_str_radix(digits, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl std::fmt::Display for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for Hash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Hash {
    fn deserialize<D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| serde::de::Error::custom("expected 64 hexadecimal digits"))
    }
}

impl Currency {
    /// The currency of that ISO 4217 code; `None` when it is not in our list.
    ///
    /// Places are those of ISO 4217's table of currencies.
    pub fn of_code(code: &str) -> Option<Self> {
        let places = match code {
            "CLP" | "ISK" | "JPY" | "KRW" | "PYG" | "UGX" | "VND" => 0,
            "AED" | "ARS" | "AUD" | "BRL" | "CAD" | "CHF" | "CNY" | "COP" | "CZK"
            | "DKK" | "EGP" | "EUR" | "GBP" | "HKD" | "HUF" | "IDR" | "ILS" | "INR"
            | "KES" | "MXN" | "MYR" | "NGN" | "NOK" | "NZD" | "PEN" | "PHP" | "PLN"
            | "QAR" | "RON" | "SAR" | "SEK" | "SGD" | "THB" | "TRY" | "TWD" | "UAH"
            | "USD" | "ZAR" => 2,
            "BHD" | "JOD" | "KWD" | "OMR" | "TND" => 3,
            _ => return None,
        };
        Some(Self { code: code.to_owned(), places })
    }

    /// Minor units in one unit of the currency.
    pub fn minor_per_unit(&self) -> Exact {
        Exact::whole(10_i128.pow(u32::from(self.places)))
    }
}

impl Quantity {
    /// The number of units: GPUs or kilowatts.
    pub const fn count(self) -> i64 {
        match self {
            Self::Gpus(count) | Self::Kilowatts(count) => count,
        }
    }

    /// What one second of one unit is called.
    pub const fn second(self) -> &'static str {
        match self {
            Self::Gpus(_) => "GPU-seconds",
            Self::Kilowatts(_) => "kW-seconds",
        }
    }
}

impl Contract {
    /// The tranche of that name.
    pub fn tranche(&self, id: &str) -> Option<&Tranche> {
        self.tranches.iter().find(|tranche| tranche.id == id)
    }

    /// The first month in which a tranche is to be delivered.
    pub fn first_delivery(&self) -> Date {
        let dates = self.tranches.iter().map(|tranche| tranche.delivery);
        dates.min().expect("a contract has a tranche")
    }
}
