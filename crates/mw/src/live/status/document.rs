//! The status document: how a living run stands, as other programs read it.
//!
//! Units are in the names of keys. Powers are at the meter, in decimal megawatts
//! as text; instants are in UTC. `docs/reference/control.md` describes every key.

use serde::{Deserialize, Serialize};
use units::{Power, Timestamp};

use super::text::{instant, maybe_instant, maybe_mw, mw};

/// The version of the document; rises when a key changes its meaning.
pub const FORMAT: u32 = 1;

/// How a living run stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Status {
    /// The version of this document.
    pub format: u32,
    /// The program that runs the site.
    pub program: String,
    /// Its process.
    pub pid: u32,
    /// The site's name.
    pub site: String,
    /// The site's time when this was so.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// How well the journal is kept.
    pub journal: JournalStatus,
    /// The last decision; none before the first.
    pub decision: Option<DecisionStatus>,
    /// What is drawn and may be.
    pub power: PowerStatus,
    /// Every limit on draw that holds now, tightest first.
    pub limits: Vec<LimitStatus>,
    /// Every load, in the site's order.
    pub loads: Vec<LoadStatus>,
    /// Every grid programme, in the site's order.
    pub programmes: Vec<ProgrammeStatus>,
    /// Every grid feed, by programme.
    #[serde(default)]
    pub feeds: Vec<FeedStatus>,
    /// What the grid asked for and has not ended.
    pub instructions: Vec<InstructionStatus>,
    /// What people asked for that would relax a limit, and waits for another person,
    /// as far as this process has heard.
    pub waiting: Vec<WaitingStatus>,
    /// What people set by hand and has not ended.
    pub by_hand: Vec<ByHandStatus>,
    /// Alarms that stand, most urgent first.
    pub alarms: Vec<AlarmStatus>,
    /// What the run lives on, and how old it is.
    pub sources: Vec<SourceStatus>,
    /// Counts since the process was started.
    pub counts: Counts,
}

/// How well the journal is kept.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema,
)]
pub struct JournalStatus {
    /// The last durable record.
    pub seq: u64,
    /// Since when it cannot be written; while that is so, nothing is ordered.
    #[serde(with = "maybe_instant")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub failing_since: Option<Timestamp>,
    /// Why.
    pub failing_because: Option<String>,
}

/// The last decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DecisionStatus {
    /// Its number.
    pub generation: u64,
    /// When what it decides begins.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub start: Timestamp,
    /// When it has ended.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub end: Timestamp,
    /// Whether it answers an emergency.
    pub emergency: bool,
    /// What loads are asked to draw together.
    #[serde(rename = "asked_mw", with = "mw")]
    #[schema(value_type = String)]
    pub asked: Power,
    /// The price it was decided on, in USD per MWh.
    pub price_usd_per_mwh: Option<String>,
    /// Where that price is from.
    pub price_source: Option<String>,
}

/// What is drawn and may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PowerStatus {
    /// The interconnection's meter, as last read.
    #[serde(rename = "draw_mw", with = "maybe_mw")]
    #[schema(value_type = Option<String>)]
    pub draw: Option<Power>,
    /// Since when that meter is silent.
    #[serde(with = "maybe_instant")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub meter_silent_since: Option<Timestamp>,
    /// What the site draws beyond what its loads explain, as counted against limits.
    #[serde(rename = "unexplained_mw", with = "mw")]
    #[schema(value_type = String)]
    pub unexplained: Power,
    /// What loads are ordered to draw.
    #[serde(rename = "ordered_mw", with = "mw")]
    #[schema(value_type = String)]
    pub ordered: Power,
    /// What they may draw at least.
    #[serde(rename = "least_mw", with = "mw")]
    #[schema(value_type = String)]
    pub least: Power,
    /// What the site may draw at worst: every load at its most, and the unexplained.
    #[serde(rename = "worst_mw", with = "mw")]
    #[schema(value_type = String)]
    pub worst: Power,
    /// The tightest limit on import.
    #[serde(rename = "import_limit_mw", with = "mw")]
    #[schema(value_type = String)]
    pub import_limit: Power,
    /// Who set it.
    pub import_limit_by: String,
    /// The limit less the worst: negative is a limit that may be passed.
    #[serde(rename = "headroom_mw", with = "mw")]
    #[schema(value_type = String)]
    pub headroom: Power,
}

/// A limit on draw that holds now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LimitStatus {
    /// The level.
    #[serde(rename = "limit_mw", with = "mw")]
    #[schema(value_type = String)]
    pub level: Power,
    /// Who set it.
    pub by: String,
    /// When it ends; nothing where it does not by itself.
    #[serde(with = "maybe_instant")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// Whether contract load may stay on where it cannot be met otherwise.
    pub best_effort: bool,
}

/// How one load stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LoadStatus {
    /// What people call it.
    pub name: String,
    /// `rigs`, `racks` or `battery`.
    pub kind: String,
    /// Its machines' model.
    pub model: Option<String>,
    /// Whether it is under contract.
    pub firm: bool,
    /// What the last decision asks of it.
    #[serde(rename = "asked_mw", with = "maybe_mw")]
    #[schema(value_type = Option<String>)]
    pub asked: Option<Power>,
    /// Why, with figures.
    pub reason: Option<String>,
    /// What it is ordered to draw.
    #[serde(rename = "ordered_mw", with = "mw")]
    #[schema(value_type = String)]
    pub ordered: Power,
    /// What it may draw at least.
    #[serde(rename = "least_mw", with = "mw")]
    #[schema(value_type = String)]
    pub least: Power,
    /// What it may draw at most.
    #[serde(rename = "most_mw", with = "mw")]
    #[schema(value_type = String)]
    pub most: Power,
    /// Its machines by how they stand; nothing for what is one device.
    pub machines: Option<MachineCounts>,
    /// What it serves of what it could and should; nothing for what is no rack.
    #[serde(default)]
    pub capacity: Option<CapacityStatus>,
    /// Since when some of it is silent, as this process has seen.
    #[serde(with = "maybe_instant")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub silent_since: Option<Timestamp>,
}

/// GPUs of a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CapacityStatus {
    /// All of them.
    pub gpus: u32,
    /// Those that are under contract.
    pub committed_gpus: u32,
    /// Those that are served for sure: by what was seen and ordered, silent racks
    /// left out.
    pub delivered_gpus: u32,
}

/// Machines of a load by how they stand. A machine may count in several.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema,
)]
pub struct MachineCounts {
    /// All of them.
    pub count: u32,
    /// They do as they are told.
    pub in_hand: u32,
    /// They answer nobody, and count at their nameplate.
    pub silent: u32,
    /// They answer, and do something else than ordered.
    pub defiant: u32,
    /// They have an order that was not answered yet.
    pub unanswered: u32,
    /// Nobody has seen them since the start.
    pub unseen: u32,
    /// A person works on them.
    pub locked_out: u32,
    /// A person works on them, and they were seen running.
    pub locked_out_running: u32,
}

/// How a grid programme stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ProgrammeStatus {
    /// What people call it.
    pub name: String,
    /// After how many seconds without a word its link counts as lost; nothing for
    /// a feed that speaks only when it has something to say.
    pub silent_after_seconds: Option<i64>,
    /// Since when its link is lost, and the fail-safe holds.
    #[serde(with = "maybe_instant")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub lost_since: Option<Timestamp>,
    /// What the fail-safe is, in words.
    pub fail_safe: String,
    /// Whether its loads are tripped.
    pub tripped: bool,
}

/// How a grid feed stands, and every event it has.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema,
)]
pub struct FeedStatus {
    /// Of which programme.
    pub programme: String,
    /// Whose events they are, as host and port.
    pub vtn: String,
    /// When it was last heard; nothing where it never was.
    #[serde(with = "maybe_instant")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub heard_at: Option<Timestamp>,
    /// Why it was not heard the last time.
    pub failing_because: Option<String>,
    /// What it has.
    pub events: Vec<EventStatus>,
}

/// An event of a feed, used or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EventStatus {
    /// The feed's id of it.
    pub id: String,
    /// What the feed calls it.
    pub name: Option<String>,
    /// `acted`, `shown`, `overruled` or `quarantined`.
    pub verdict: String,
    /// Why it is quarantined.
    pub why: Option<String>,
    /// What it carries that nothing is done about.
    pub shown: Vec<String>,
    /// When what it asks begins.
    #[serde(with = "maybe_instant")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub start: Option<Timestamp>,
    /// When it has ended.
    #[serde(with = "maybe_instant")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub end: Option<Timestamp>,
    /// Whether that end is the site's, for want of one.
    pub end_imposed: bool,
}

/// Something the grid asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct InstructionStatus {
    /// Under which programme.
    pub programme: String,
    /// What it is called.
    pub name: String,
    /// What is asked: `limit`, `dispatch`, `base_point`, `arm`, `disarm`, `trip`,
    /// `restore`, `test`, `price` or `withdraw`.
    pub ask: String,
    /// The level it names.
    #[serde(rename = "level_mw", with = "maybe_mw")]
    #[schema(value_type = Option<String>)]
    pub level: Option<Power>,
    /// When it begins.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub start: Timestamp,
    /// When it has ended.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub end: Timestamp,
    /// When it was known.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub known_at: Timestamp,
    /// Whether contract load may stay on where it cannot be met otherwise.
    pub best_effort: bool,
}

/// Something that would relax a limit, and waits for a second person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct WaitingStatus {
    /// Under which programme.
    pub programme: String,
    /// The instruction's name.
    pub name: String,
    /// When it lapses.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
}

/// Something that a person set by hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ByHandStatus {
    /// `lock_out`, `maintenance` or `hold`.
    pub kind: String,
    /// Which load.
    pub load: String,
    /// Which machines of it; nothing is all.
    pub machines: Option<String>,
    /// The level it is held at.
    #[serde(rename = "level_mw", with = "maybe_mw")]
    #[schema(value_type = Option<String>)]
    pub level: Option<Power>,
    /// Who set it, as a role.
    pub role: String,
    /// Why.
    pub reason: String,
    /// Since when.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// When it ends; for a lock-out by a person, when that is expected.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
    /// Whether it stays until it is released, whatever `until` says.
    pub until_released: bool,
}

/// An alarm that stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AlarmStatus {
    /// Its number, to acknowledge it by.
    pub id: u32,
    /// `critical`, `warning` or `note`.
    pub urgency: String,
    /// Since when.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// How far it was taken up.
    pub level: u8,
    /// The consequence, in one line.
    pub headline: String,
    /// Consequence, cause and what to do.
    pub body: String,
    /// Who looks after it.
    pub acknowledged_by: Option<String>,
}

/// Something the run lives on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SourceStatus {
    /// Which, as a word: `hashprice`, `price`, `meter`.
    pub source: String,
    /// When the newest value was known; nothing where none ever was.
    #[serde(with = "maybe_instant")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub known_at: Option<Timestamp>,
    /// How old that is.
    pub age_seconds: Option<i64>,
}

/// Counts since the process was started.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema,
)]
pub struct Counts {
    /// Turns of the loop.
    pub turns: u64,
    /// Decisions taken.
    pub decisions: u64,
    /// Decisions that answered an emergency.
    pub emergencies: u64,
    /// Machines and devices that were ordered.
    pub ordered: u64,
    /// Machines and devices that did not answer and were looked at.
    pub read_back: u64,
    /// Requests by people that were granted.
    pub accepted: u64,
    /// Requests by people that were refused.
    pub refused: u64,
    /// Metered intervals.
    pub metered: u64,
    /// Metered intervals over the import limit.
    pub limit_breaches: u64,
    /// Alarms raised.
    pub alarms_raised: u64,
    /// Alarm messages delivered.
    pub alarms_delivered: u64,
    /// Alarm messages given up.
    pub alarms_given_up: u64,
}

/// How one machine stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MachineStatus {
    /// Its number in its load, from 0.
    pub machine: u32,
    /// `in_hand`, `silent` or `defiant`.
    pub standing: String,
    /// The point of its curve that it was last ordered to or seen at; 0 is at rest.
    pub ordered_point: u8,
    /// The highest point that it may be at.
    pub most_point: u8,
    /// What it drew at the plug when it was last seen, in watts.
    pub seen_draw_w: i64,
    /// Whether its last order was not answered yet.
    pub unanswered: bool,
    /// Whether nobody has seen it since the start.
    pub unseen: bool,
    /// Whether a person works on it.
    pub locked_out: bool,
    /// Whether it is out of service.
    pub in_maintenance: bool,
}
