//! A plan file as written: every key, and nothing else.
//!
//! Amounts in `_musd` are millions of dollars. Unknown keys are errors.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::value::Datetime;

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) format: u32,
    pub(super) name: String,
    /// The only site.
    pub(super) site: Option<String>,
    /// In its place, several.
    #[serde(default)]
    pub(super) sites: Vec<Site>,
    pub(super) first_month: String,
    pub(super) months: usize,
    #[serde(default)]
    pub(super) contracts: Vec<Contract>,
    #[serde(default)]
    pub(super) conversions: Vec<Conversion>,
    #[serde(default)]
    pub(super) loans: Vec<Loan>,
    pub(super) covenant: Option<Covenant>,
    pub(super) running: Running,
    pub(super) rules: Rules,
    pub(super) schedule: Option<Schedule>,
    pub(super) futures: Futures,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Site {
    pub(super) name: String,
    pub(super) file: String,
    /// That of the site file if nothing is said.
    pub(super) market: Option<String>,
    /// That of the plan if nothing is said.
    pub(super) running: Option<Running>,
    /// That of the plan's futures if nothing is said.
    pub(super) power: Option<Power>,
    /// In its place, a file that `mw plan calibrate` wrote.
    pub(super) power_from: Option<String>,
}

/// What `mw plan calibrate` wrote, of which a site takes the price of power alone.
#[derive(Debug, Deserialize)]
pub(super) struct Calibrated {
    pub(super) futures: CalibratedFutures,
}

#[derive(Debug, Deserialize)]
pub(super) struct CalibratedFutures {
    pub(super) power: Power,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Schedule {
    pub(super) every_months: Option<usize>,
    pub(super) owners_musd_max: Option<f64>,
    pub(super) breach_percent_max: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Contract {
    pub(super) file: String,
    pub(super) signed_percent: f64,
    pub(super) on_long_stop: OnLongStop,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OnLongStop {
    Ends,
    EndsOrder,
    Waits,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Conversion {
    pub(super) name: String,
    /// May be left out where its loads are in one site alone.
    pub(super) site: Option<String>,
    #[serde(default)]
    pub(super) rigs_out: Vec<String>,
    pub(super) racks: Vec<String>,
    pub(super) begins: Datetime,
    pub(super) ready: Datetime,
    pub(super) slip: Slip,
    pub(super) works: Works,
    pub(super) equipment: Option<Equipment>,
    /// The tenant's where a tranche for megawatts is served and nothing is ordered, else the
    /// site's, if nothing is said.
    pub(super) machines: Option<Owner>,
    #[serde(default)]
    pub(super) resale_musd: f64,
    #[serde(default)]
    pub(super) book_value_musd: f64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Owner {
    Site,
    Tenant,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Slip {
    pub(super) on_time_percent: f64,
    pub(super) median_days: f64,
    pub(super) ninetieth_days: f64,
    pub(super) days_max: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Works {
    pub(super) cost_musd: f64,
    pub(super) schedule_percent: Vec<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Equipment {
    pub(super) price_musd: f64,
    pub(super) ships_days_before: i64,
    pub(super) payable_days: i64,
    pub(super) cancellable: bool,
    pub(super) residual_percent: f64,
}

/// Every kind's keys; which of them are to be there follows from the kind.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Loan {
    pub(super) kind: LoanKind,
    pub(super) name: String,
    pub(super) limit_musd: f64,
    pub(super) rate_percent: f64,
    pub(super) repay_from: String,
    pub(super) maturity: String,
    pub(super) repayment: Repayment,
    pub(super) secured_on: Option<String>,
    /// Of a delayed draw.
    pub(super) undrawn_fee_percent: Option<f64>,
    /// Of a delayed draw.
    pub(super) equipment_percent: Option<f64>,
    /// Of a delayed draw, where it is not the plan's first month.
    pub(super) draws_from: Option<String>,
    /// Of a delayed draw.
    pub(super) draws_until: Option<String>,
    /// Of notes.
    pub(super) issue: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum LoanKind {
    DelayedDraw,
    Notes,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Repayment {
    Level,
    Straight,
    Bullet,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Covenant {
    pub(super) ratio_min: f64,
    pub(super) from: String,
    pub(super) over_months: usize,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Running {
    pub(super) mining_usd_per_mw_month: f64,
    pub(super) racks_usd_per_mw_month: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rules {
    pub(super) discount_percent: f64,
    pub(super) tax_percent: f64,
    pub(super) depreciation_months: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Futures {
    pub(super) coin: Coin,
    pub(super) fees: Fees,
    pub(super) network: Network,
    /// May be left out where every site has its own.
    pub(super) power: Option<Power>,
    pub(super) rental: Rental,
    pub(super) failures: Failures,
    pub(super) delivery: Delivery,
    pub(super) together: Option<Together>,
    /// What contracts' prices move with, by name.
    #[serde(default)]
    pub(super) indexes: BTreeMap<String, Index>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Coin {
    pub(super) price_usd: f64,
    pub(super) drift_percent_per_year: f64,
    pub(super) volatility_percent: f64,
    pub(super) jumps_per_year: f64,
    pub(super) jump_mean_percent: f64,
    pub(super) jump_deviation_percent: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fees {
    pub(super) mean_btc_per_block: f64,
    pub(super) half_life_days: f64,
    pub(super) deviation_percent: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Network {
    pub(super) height: u64,
    pub(super) difficulty: f64,
    pub(super) breakeven_usd_per_ph_day: f64,
    /// All of the breakeven if nothing is said.
    pub(super) switch_off_percent: Option<f64>,
    pub(super) better_percent_per_year: f64,
    pub(super) lag_up_days: f64,
    pub(super) lag_down_days: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Index {
    pub(super) value: f64,
    pub(super) percent_per_year: f64,
}

/// What is not told does not move together.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Together {
    pub(super) coin_fees_percent: f64,
    pub(super) coin_power_percent: f64,
    pub(super) coin_rent_percent: f64,
    pub(super) fees_power_percent: f64,
    pub(super) fees_rent_percent: f64,
    pub(super) power_rent_percent: f64,
    pub(super) markets_percent: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Power {
    pub(super) behind_utc_hours: i64,
    /// A file of days of history, beside the plan.
    pub(super) days: Option<String>,
    /// A week if nothing is said.
    pub(super) block_days: Option<usize>,
    /// Three weeks if nothing is said.
    pub(super) season_days: Option<i64>,
    #[serde(default)]
    pub(super) coin_on_same_days: bool,
    pub(super) calm_usd_per_mwh: Vec<Vec<f64>>,
    pub(super) forward_usd_per_mwh: Option<f64>,
    pub(super) level: Level,
    pub(super) deviation: Deviation,
    pub(super) spike: Spike,
    pub(super) low: Low,
    pub(super) bounds_usd_per_mwh: [f64; 2],
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Level {
    pub(super) half_life_days: f64,
    pub(super) deviation_percent: f64,
    pub(super) starts_percent: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Deviation {
    pub(super) half_life_hours: f64,
    pub(super) deviation_percent: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Spike {
    pub(super) begins_percent_per_hour: f64,
    pub(super) ends_percent_per_hour: f64,
    pub(super) median_usd_per_mwh: f64,
    pub(super) deviation_percent: f64,
    pub(super) by_hour: Option<Vec<f64>>,
    pub(super) rate: Option<Wanders>,
}

/// How something wanders about one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanders {
    pub(super) half_life_days: f64,
    pub(super) deviation_percent: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Low {
    pub(super) begins_percent_per_hour: f64,
    pub(super) ends_percent_per_hour: f64,
    pub(super) depth_usd_per_mwh: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rental {
    pub(super) price_usd_per_gpu_hour: f64,
    pub(super) decline_percent_per_year: f64,
    pub(super) half_life_days: f64,
    pub(super) deviation_percent: f64,
    pub(super) launches_per_year: f64,
    pub(super) launch_fall_percent: f64,
    pub(super) let_percent: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Failures {
    pub(super) gpu_hours_per_incident: f64,
    pub(super) gpus_per_incident: f64,
    pub(super) repair_hours: f64,
    pub(super) counted_percent: f64,
    pub(super) outages_per_year: f64,
    pub(super) outage_hours: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Delivery {
    pub(super) correlation_percent: f64,
}
