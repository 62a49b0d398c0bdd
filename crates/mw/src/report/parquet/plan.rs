//! A plan's futures as four Parquet files: each future, its cash by month, its sites, its
//! tranches.
//!
//! Whole numbers as they left the path: whoever adds them up comes to the summary's means.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result};
use plan::{Delivered, Line, Outcome, Plan, SiteTotals, Use};
use units::Timestamp;

use super::table::{Column, Subject, Table, Values};

/// The file with one row a future.
pub(super) const PATHS: &str = "paths.parquet";

/// The file with one row a future and month.
pub(super) const CASH: &str = "cash.parquet";

/// The file with one row a future and site.
pub(super) const SITES: &str = "sites.parquet";

/// The file with one row a future and tranche.
pub(super) const TRANCHES: &str = "tranches.parquet";

/// One row a future.
pub(super) struct Futures;

impl Subject for Futures {
    type Row<'a> = &'a Outcome;
}

/// One row a future and month.
pub(super) struct Months;

/// What a row about a month is made from.
pub(super) struct MonthRow<'a> {
    outcome: &'a Outcome,
    place: usize,
    start: Timestamp,
    coverage: Option<i64>,
}

impl Subject for Months {
    type Row<'a> = MonthRow<'a>;
}

/// One row a future and site.
pub(super) struct Sites;

/// What a row about a site is made from.
pub(super) struct SiteRow<'a> {
    path: u64,
    site: usize,
    one: &'a SiteTotals,
}

impl Subject for Sites {
    type Row<'a> = SiteRow<'a>;
}

/// One row a future and tranche.
pub(super) struct Tranches;

/// What a row about a tranche is made from.
pub(super) struct TrancheRow<'a> {
    path: u64,
    one: &'a Delivered,
}

impl Subject for Tranches {
    type Row<'a> = TrancheRow<'a>;
}

fn number(path: u64) -> i64 {
    i64::try_from(path).expect("futures are counted by a person")
}

const fn yes(is_so: bool) -> &'static str {
    if is_so { "yes" } else { "no" }
}

/// A column of what a use of a future drew, cost or earned.
macro_rules! of_use {
    ($name:literal, $meaning:literal, $use:ident, $field:ident) => {
        Column {
            name: $name,
            meaning: $meaning,
            values: Values::Whole(|r| r.uses[Use::$use as usize].$field.as_micro_usd()),
        }
    };
}

/// The columns of `paths.parquet`.
pub(super) const OF_PATHS: &[Column<Futures>] = &[
    Column {
        name: "path",
        meaning: "The future's number; with the seed it says what comes.",
        values: Values::Whole(|r| number(r.path)),
    },
    Column {
        name: "npv_micro_usd",
        meaning: "Present value of the plan's net cash.",
        values: Values::Whole(|r| r.npv.as_micro_usd()),
    },
    Column {
        name: "npv_stay_micro_usd",
        meaning: "The same, had nothing been converted.",
        values: Values::Whole(|r| r.npv_stay.as_micro_usd()),
    },
    Column {
        name: "irr_ppm",
        meaning: "The rate a year that converting earns on what owners put in beyond staying. Null where no single rate does.",
        values: Values::MaybeWhole(|r| r.irr_ppm),
    },
    Column {
        name: "contract_value_micro_usd",
        meaning: "Present value of everything tenants pay, power that they are charged for left out.",
        values: Values::Whole(|r| r.contract_value.as_micro_usd()),
    },
    Column {
        name: "mining_given_up_micro_usd",
        meaning: "Present value of what mining pays when nothing is converted, less what it pays in the plan.",
        values: Values::Whole(|r| r.mining_given_up.as_micro_usd()),
    },
    Column {
        name: "tax_value_micro_usd",
        meaning: "Present value of taxes beyond those of staying.",
        values: Values::Whole(|r| r.tax_value.as_micro_usd()),
    },
    Column {
        name: "coverage_least_ppm",
        meaning: "The least coverage at a month's end. Null where no debt was served.",
        values: Values::MaybeWhole(|r| r.coverage.iter().flatten().min().copied()),
    },
    Column {
        name: "mining_wh",
        meaning: "Energy mined with, at the meter.",
        values: Values::Whole(|r| r.uses[Use::Mining as usize].watt_hours),
    },
    of_use!("mining_power_micro_usd", "What it cost, with adders.", Mining, power),
    of_use!("mining_earned_micro_usd", "What the pool paid.", Mining, earned),
    Column {
        name: "contract_wh",
        meaning: "Energy of racks under contract, at the meter.",
        values: Values::Whole(|r| r.uses[Use::Contract as usize].watt_hours),
    },
    of_use!("contract_power_micro_usd", "What it cost, with adders.", Contract, power),
    of_use!(
        "contract_earned_micro_usd",
        "What contracts earned by the month of service, power charged to tenants included, before what was paid ahead is taken off.",
        Contract,
        earned
    ),
    Column {
        name: "let_wh",
        meaning: "Energy of racks let by the hour, at the meter.",
        values: Values::Whole(|r| r.uses[Use::Spot as usize].watt_hours),
    },
    of_use!("let_power_micro_usd", "What it cost, with adders.", Spot, power),
    of_use!("let_earned_micro_usd", "What letting brought.", Spot, earned),
    Column {
        name: "idle_wh",
        meaning: "Rig capacity that stood idle.",
        values: Values::Whole(|r| r.idle_watt_hours),
    },
    Column {
        name: "power_mean_micro_usd_per_mwh",
        meaning: "The mean settled price of power over all hours.",
        values: Values::Whole(|r| r.price_micro_usd_per_mwh),
    },
    Column {
        name: "hashprice_mean_micro_usd_per_ph_day",
        meaning: "The mean hashprice.",
        values: Values::Whole(|r| r.hashprice_micro_usd_per_ph_day),
    },
    Column {
        name: "coin_last_micro_usd",
        meaning: "The coin's price at the end.",
        values: Values::Whole(|r| r.coin_last_micro_usd),
    },
];

/// A column of a month's cash.
macro_rules! of_line {
    ($name:literal, $meaning:literal, $line:ident) => {
        Column {
            name: $name,
            meaning: $meaning,
            values: Values::Whole(|r| {
                r.outcome.months[r.place].of(Line::$line).as_micro_usd()
            }),
        }
    };
}

/// The columns of `cash.parquet`.
pub(super) const OF_CASH: &[Column<Months>] = &[
    Column {
        name: "path",
        meaning: "The future's number.",
        values: Values::Whole(|r| number(r.outcome.path)),
    },
    Column {
        name: "month_start",
        meaning: "When the month begins.",
        values: Values::Instant(|r| r.start),
    },
    of_line!("mining_micro_usd", "What the pool pays.", Mining),
    of_line!("spot_micro_usd", "GPU-hours sold on the open market.", Spot),
    of_line!(
        "contract_micro_usd",
        "Statements paid by tenants: fees, less credits, less what was paid ahead, and refunds.",
        Contract
    ),
    of_line!("prepayment_micro_usd", "What tenants pay ahead.", Prepayment),
    of_line!(
        "closed_micro_usd",
        "In the last month: what tenants still owe for what they were served, less what they paid ahead and were not served for.",
        Closed
    ),
    of_line!("power_mining_micro_usd", "Power of rigs, with adders.", PowerMining),
    of_line!("power_racks_micro_usd", "Power of racks, with adders.", PowerRacks),
    of_line!(
        "blocks_micro_usd",
        "Fixed-price blocks against the settlement price.",
        Blocks
    ),
    of_line!("peaks_micro_usd", "Charges for demand at the system's peaks.", Peaks),
    of_line!("running_micro_usd", "Running the site beside power.", Running),
    of_line!("works_micro_usd", "Buildings.", Works),
    of_line!("equipment_micro_usd", "Machines ordered.", Equipment),
    of_line!(
        "resale_micro_usd",
        "Rigs sold, and what machines are worth at the end.",
        Resale
    ),
    of_line!("drawn_micro_usd", "What lenders give.", Drawn),
    of_line!("interest_micro_usd", "Interest and fees.", Interest),
    of_line!("repaid_micro_usd", "What lenders get back.", Repaid),
    of_line!(
        "owed_micro_usd",
        "What lenders are still owed when the plan ends, paid then.",
        Owed
    ),
    of_line!("tax_micro_usd", "Tax.", Tax),
    Column {
        name: "net_micro_usd",
        meaning: "All lines: what owners get, or put in.",
        values: Values::Whole(|r| r.outcome.months[r.place].net().as_micro_usd()),
    },
    Column {
        name: "stay_net_micro_usd",
        meaning: "The same in the same future, had nothing been converted.",
        values: Values::Whole(|r| r.outcome.stay[r.place].as_micro_usd()),
    },
    Column {
        name: "coverage_ppm",
        meaning: "Coverage at the month's end. Null where it is not tested, no debt was served, or none is owed any more.",
        values: Values::MaybeWhole(|r| r.coverage),
    },
];

/// A column of what a use of a site drew, cost or earned.
macro_rules! of_site_use {
    ($name:literal, $meaning:literal, $use:ident, $field:ident) => {
        Column {
            name: $name,
            meaning: $meaning,
            values: Values::Whole(|r| {
                r.one.uses[Use::$use as usize].$field.as_micro_usd()
            }),
        }
    };
}

/// A column of a site's money.
macro_rules! of_site {
    ($name:literal, $meaning:literal, $field:ident) => {
        Column {
            name: $name,
            meaning: $meaning,
            values: Values::Whole(|r| r.one.$field.as_micro_usd()),
        }
    };
}

/// The columns of `sites.parquet`.
pub(super) const OF_SITES: &[Column<Sites>] = &[
    Column {
        name: "path",
        meaning: "The future's number.",
        values: Values::Whole(|r| number(r.path)),
    },
    Column {
        name: "site",
        meaning: "The site's place among the plan's, from 0.",
        values: Values::Whole(|r| r.site as i64),
    },
    Column {
        name: "mining_wh",
        meaning: "Energy mined with, at the meter.",
        values: Values::Whole(|r| r.one.uses[Use::Mining as usize].watt_hours),
    },
    of_site_use!("mining_power_micro_usd", "What it cost, with adders.", Mining, power),
    of_site_use!("mining_earned_micro_usd", "What the pool paid.", Mining, earned),
    Column {
        name: "contract_wh",
        meaning: "Energy of racks under contract, at the meter.",
        values: Values::Whole(|r| r.one.uses[Use::Contract as usize].watt_hours),
    },
    of_site_use!(
        "contract_power_micro_usd",
        "What it cost, with adders.",
        Contract,
        power
    ),
    of_site_use!(
        "contract_earned_micro_usd",
        "What contracts earned by the month of service; a tranche of several sites by what each had accepted of it.",
        Contract,
        earned
    ),
    Column {
        name: "let_wh",
        meaning: "Energy of racks let by the hour, at the meter.",
        values: Values::Whole(|r| r.one.uses[Use::Spot as usize].watt_hours),
    },
    of_site_use!("let_power_micro_usd", "What it cost, with adders.", Spot, power),
    of_site_use!("let_earned_micro_usd", "What letting brought.", Spot, earned),
    of_site!(
        "blocks_micro_usd",
        "Fixed-price blocks against the settlement price.",
        blocks
    ),
    of_site!("peaks_micro_usd", "Charges for demand at the system's peaks.", peaks),
    of_site!("running_micro_usd", "Running it beside power.", running),
    of_site!("built_micro_usd", "Buildings and machines, less what is sold.", built),
    Column {
        name: "power_mean_micro_usd_per_mwh",
        meaning: "The mean settled price of power over all hours.",
        values: Values::Whole(|r| r.one.price_micro_usd_per_mwh),
    },
    of_site!(
        "worth_micro_usd",
        "Present value of all of it, before lenders and tax, contracts by the month of service.",
        worth
    ),
    of_site!("worth_stay_micro_usd", "The same, had nothing been converted.", worth_stay),
];

/// The columns of `tranches.parquet`.
pub(super) const OF_TRANCHES: &[Column<Tranches>] = &[
    Column {
        name: "path",
        meaning: "The future's number.",
        values: Values::Whole(|r| number(r.path)),
    },
    Column {
        name: "contract",
        meaning: "The contract's place among the plan's, from 0.",
        values: Values::Whole(|r| r.one.deal as i64),
    },
    Column {
        name: "tranche",
        meaning: "The tranche's place in its contract, from 0.",
        values: Values::Whole(|r| r.one.tranche as i64),
    },
    Column {
        name: "is_signed",
        meaning: "`yes` or `no`: whether its contract was signed.",
        values: Values::Word(|r| yes(r.one.signed)),
    },
    Column {
        name: "late_days",
        meaning: "From the delivery date to the acceptance of the last of it.",
        values: Values::Whole(|r| r.one.days_late),
    },
    Column {
        name: "is_missed",
        meaning: "`yes` or `no`: whether that was after the long stop.",
        values: Values::Word(|r| yes(r.one.missed)),
    },
    Column {
        name: "missed_cost_micro_usd",
        meaning: "What missing it cost: present value after tax of the same future with it on its day, less that of the future as it was.",
        values: Values::Whole(|r| r.one.cost.as_micro_usd()),
    },
];

/// Writes the futures of a plan into `dir`, which is made if absent; files of an earlier
/// run there are replaced.
///
/// # Errors
/// Where a file cannot be written.
pub fn plan(dir: &Path, plan: &Plan, outcomes: &[Outcome]) -> Result<()> {
    fs::create_dir_all(dir)
        .with_context(|| format!("cannot make the folder {}", dir.display()))?;
    let open = |name| {
        let path = dir.join(name);
        File::create(&path).with_context(|| format!("cannot write {}", path.display()))
    };
    // What is said of a site beside the columns is of the first.
    let site = &plan.sites[0].site;
    let mut paths = Table::create(open(PATHS)?, OF_PATHS, site)?;
    let mut cash = Table::create(open(CASH)?, OF_CASH, site)?;
    let mut sites = Table::create(open(SITES)?, OF_SITES, site)?;
    let mut tranches = Table::create(open(TRANCHES)?, OF_TRANCHES, site)?;
    let starts: Vec<Timestamp> = (0..plan.months)
        .map(|place| plan.zone().month(plan.period(place)).start)
        .collect();
    for outcome in outcomes {
        paths.push(&[outcome])?;
        // Coverage begins with the first month that is tested.
        let untested = plan.months - outcome.coverage.len();
        let rows: Vec<MonthRow<'_>> = starts
            .iter()
            .enumerate()
            .map(|(place, start)| {
                let tested = place.checked_sub(untested);
                let coverage = tested.and_then(|at| outcome.coverage[at]);
                MonthRow { outcome, place, start: *start, coverage }
            })
            .collect();
        cash.push(&rows)?;
        let rows: Vec<SiteRow<'_>> = outcome
            .sites
            .iter()
            .enumerate()
            .map(|(site, one)| SiteRow { path: outcome.path, site, one })
            .collect();
        sites.push(&rows)?;
        let rows: Vec<TrancheRow<'_>> = outcome
            .delivered
            .iter()
            .map(|one| TrancheRow { path: outcome.path, one })
            .collect();
        tranches.push(&rows)?;
    }
    paths.finish()?;
    cash.finish()?;
    sites.finish()?;
    tranches.finish()
}
