//! What the API answers with, beyond the status document.
//!
//! Powers are decimal megawatts as text, exact to the watt; prices decimal dollars;
//! instants RFC 3339 in UTC; intervals half-open.

use serde::Serialize;
use units::{Power, Timestamp};
use utoipa::ToSchema;

use super::role::{Permission, Role};
use crate::live::control::LoadChange;
use crate::live::status::text::{instant, maybe_instant, mw};
use crate::live::status::{
    AlarmStatus, ByHandStatus, InstructionStatus, LimitStatus, LoadStatus, MachineStatus,
    ProgrammeStatus, WaitingStatus,
};

/// Who one is.
#[derive(Debug, Serialize, ToSchema)]
pub struct MyselfDocument {
    /// The person, as the record has them.
    pub owner: String,
    /// What they may do.
    pub role: Role,
    /// The tenant they come from, where they do.
    pub tenant: Option<String>,
    /// What the record calls their role.
    pub recorded_role: String,
    /// The name of the token.
    pub token: String,
    /// Everything that may be done with it.
    pub permissions: Vec<Permission>,
    /// When it ends.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// Every load of the site.
#[derive(Debug, Serialize, ToSchema)]
pub struct LoadsDocument {
    /// As of when.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// In the site file's order.
    pub loads: Vec<LoadStatus>,
    /// Lock-outs, maintenance and holds.
    pub by_hand: Vec<ByHandStatus>,
}

/// Some machines of a load.
#[derive(Debug, Serialize, ToSchema)]
pub struct MachinesDocument {
    /// The load.
    pub load: String,
    /// By number.
    pub machines: Vec<MachineStatus>,
    /// Where the list goes on; nothing at its end.
    pub next: Option<String>,
}

/// Alarms that stand.
#[derive(Debug, Serialize, ToSchema)]
pub struct AlarmsDocument {
    /// As of when.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The most urgent first.
    pub alarms: Vec<AlarmStatus>,
}

/// What the grid asks and allows.
#[derive(Debug, Serialize, ToSchema)]
pub struct GridDocument {
    /// As of when.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The site's programmes.
    pub programmes: Vec<ProgrammeStatus>,
    /// What they ask, now and later.
    pub instructions: Vec<InstructionStatus>,
    /// What waits for a second person.
    pub waiting: Vec<WaitingStatus>,
    /// Every limit on draw that holds now, the tightest first.
    pub limits: Vec<LimitStatus>,
}

/// Prices that are expected, by the source that the policy names.
#[derive(Debug, Serialize, ToSchema)]
pub struct OutlookDocument {
    /// As of when.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// A quarter of an hour each.
    pub expected: Vec<ExpectedDocument>,
}

/// A price that is expected of a quarter of an hour.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ExpectedDocument {
    /// When the quarter begins.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub start: Timestamp,
    /// The price of energy, adders apart.
    pub price_usd_per_mwh: String,
    /// Whose word it is.
    pub source: String,
    /// When what it rests on was known.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub known_at: Timestamp,
}

/// A decision, as the record has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct DecisionDocument {
    /// The record that holds it.
    pub seq: u64,
    /// When it was taken.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub decided_at: Timestamp,
    /// Its number: an order of an older one is refused.
    pub generation: u64,
    /// What it decides begins.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub start: Timestamp,
    /// And ends.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub end: Timestamp,
    /// Whether it answered an emergency, between ticks.
    pub emergency: bool,
    /// What the whole site is asked to draw.
    #[serde(rename = "asked_mw", with = "mw")]
    #[schema(value_type = String)]
    pub asked: Power,
    /// The tightest limit on import that binds every load.
    #[serde(rename = "import_limit_mw", with = "mw")]
    #[schema(value_type = String)]
    pub import_limit: Power,
    /// The tightest that binds what can be shed.
    #[serde(rename = "sheddable_limit_mw", with = "mw")]
    #[schema(value_type = String)]
    pub sheddable_limit: Power,
    /// What the site drew beyond what its loads explain; it comes off both.
    #[serde(rename = "unexplained_mw", with = "mw")]
    #[schema(value_type = String)]
    pub unexplained: Power,
    /// The price it was decided on; nothing where none was ever known.
    pub price: Option<PriceDocument>,
    /// What a MWh cost at the margin, with adders; nothing where the price was not
    /// known.
    pub cost_usd_per_mwh: Option<String>,
    /// What a petahash per second earned in a day.
    pub hashprice_usd_per_ph_day: Option<String>,
    /// Up to when it looked ahead, where it did.
    #[serde(with = "maybe_instant")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub looked_ahead_until: Option<Timestamp>,
    /// Every load.
    pub loads: Vec<DecidedLoadDocument>,
}

/// A price that was decided on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PriceDocument {
    /// The price of energy, adders apart.
    pub usd_per_mwh: String,
    /// Whose word it is.
    pub source: String,
    /// When it was known.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub known_at: Timestamp,
    /// `fresh`, `stale` or `expired`.
    pub freshness: String,
}

/// What one load is asked, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct DecidedLoadDocument {
    /// Which load; its place where its name then is not known any more.
    pub load: String,
    /// What its power is for: `contracted`, `uncommitted`, `mining` or `battery`.
    pub used_for: Option<String>,
    /// What it was asked before, at the meter.
    #[serde(rename = "from_mw", with = "mw")]
    #[schema(value_type = String)]
    pub from: Power,
    /// What it is asked.
    #[serde(rename = "to_mw", with = "mw")]
    #[schema(value_type = String)]
    pub to: Power,
    /// What its marginal MWh is worth: the price at which it breaks even.
    pub worth_usd_per_mwh: Option<String>,
    /// Why, in a word.
    pub reason: String,
    /// Why, with figures; nothing where the site file has changed since and the
    /// words would be of another site. `mw replay --explain` has them.
    pub explanation: Option<String>,
}

/// Decisions, the earliest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct DecisionsDocument {
    /// Those found.
    pub decisions: Vec<DecisionDocument>,
    /// Where the list goes on; nothing at its end.
    pub next: Option<String>,
}

/// What was metered over an interval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct IntervalDocument {
    /// The record that holds it.
    pub seq: u64,
    /// When it begins.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub start: Timestamp,
    /// When it ends.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub end: Timestamp,
    /// Net energy at the interconnection, in joules.
    pub site_j: i64,
    /// `measured`, `doubtful` or `estimated`.
    pub site_quality: String,
    /// What the site drew beyond the sum of its loads, in joules.
    pub unexplained_j: i64,
    /// Every load.
    pub loads: Vec<MeteredLoadDocument>,
}

/// What one load drew over an interval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct MeteredLoadDocument {
    /// Which load; its place where its name then is not known any more.
    pub load: String,
    /// What its power is for.
    pub used_for: Option<String>,
    /// Energy at the meter, in joules.
    pub energy_j: i64,
    /// `measured`, `doubtful` or `estimated`.
    pub quality: String,
}

/// Metered intervals, the earliest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct IntervalsDocument {
    /// Those found.
    pub intervals: Vec<IntervalDocument>,
    /// Where the list goes on; nothing at its end.
    pub next: Option<String>,
}

/// What came of something that was asked.
#[derive(Debug, Serialize, ToSchema)]
pub struct DoneDocument {
    /// Whether it was only asked what would come of it, and nothing has changed.
    pub dry_run: bool,
    /// The consequence, and what comes next, a sentence each.
    pub says: Vec<String>,
    /// The tightest import limit before; nothing where it is not about limits.
    pub import_limit_before_mw: Option<String>,
    /// The same after.
    pub import_limit_after_mw: Option<String>,
    /// Loads that are asked something else by it.
    pub changes: Vec<LoadChange>,
}

/// The last signed checkpoint.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckpointDocument {
    /// As `mw verify` takes it; nothing before the first.
    #[schema(value_type = Option<Object>)]
    pub checkpoint: Option<serde_json::Value>,
}
