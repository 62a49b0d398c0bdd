//! A part of a plan's paths, on one machine of many, and its file.

use anyhow::{Context, bail};
use plan::{Delivered, Line, Month, Outcome, Plan, SiteTotals, UseTotals};
use serde::{Deserialize, Serialize};
use settle::contract::Hash;
use std::ops::Range;
use std::path::Path;
use std::str::FromStr;
use units::Money;

/// The format of a shard's file.
const FORMAT: &str = "mw-plan-shard/3";

/// Part `number` of `of`, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    number: u64,
    of: u64,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/');
        let parsed = parts.and_then(|(number, of)| {
            Some(Self { number: number.parse().ok()?, of: of.parse().ok()? })
        });
        parsed.filter(|shard| (1..=shard.of).contains(&shard.number)).ok_or_else(|| {
            format!("expected a part such as 3/8, counted from 1, found \"{text}\"")
        })
    }
}

impl Shard {
    /// The paths of this part of so many: neighbours, and no part larger than another by
    /// more than one.
    pub fn range(self, paths: u64) -> Range<u64> {
        let edge = |number: u64| {
            let exact = u128::from(paths) * u128::from(number) / u128::from(self.of);
            u64::try_from(exact).expect("no more than all paths")
        };
        edge(self.number - 1)..edge(self.number)
    }
}

/// What one machine found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardFile {
    format: String,
    /// The version of the program: another may draw otherwise.
    program: String,
    /// What tells one plan from another.
    plan_sha256: String,
    /// What the futures grow from.
    pub seed: u64,
    /// How many paths the whole run has.
    pub paths: u64,
    /// The SHA-256 of the outcomes as they are written: what was changed by hand is seen.
    outcomes_sha256: String,
    outcomes: Vec<Kept>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    path: u64,
    /// Cash by month and line, in millionths of a dollar.
    months_micro_usd: Vec<Vec<i64>>,
    stay_micro_usd: Vec<i64>,
    /// By use: watt-hours, power and earned in millionths of a dollar.
    uses: Vec<[i64; 3]>,
    sites: Vec<KeptSite>,
    delivered: Vec<KeptDelivered>,
    coverage_ppm: Vec<Option<i64>>,
    npv_micro_usd: i64,
    npv_stay_micro_usd: i64,
    irr_ppm: Option<i64>,
    contract_value_micro_usd: i64,
    mining_given_up_micro_usd: i64,
    tax_value_micro_usd: i64,
    price_micro_usd_per_mwh: i64,
    idle_watt_hours: i64,
    idle_value_micro_usd: i64,
    hashprice_micro_usd_per_ph_day: i64,
    coin_last_micro_usd: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptDelivered {
    deal: usize,
    tranche: usize,
    signed: bool,
    days_late: i64,
    missed: bool,
    cost_micro_usd: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptSite {
    /// By use, as those of all sites.
    uses: Vec<[i64; 3]>,
    blocks_micro_usd: i64,
    peaks_micro_usd: i64,
    running_micro_usd: i64,
    built_micro_usd: i64,
    price_micro_usd_per_mwh: i64,
    worth_micro_usd: i64,
    worth_stay_micro_usd: i64,
}

fn kept_uses(uses: &[UseTotals]) -> Vec<[i64; 3]> {
    let micro = |money: Money| money.as_micro_usd();
    uses.iter().map(|one| [one.watt_hours, micro(one.power), micro(one.earned)]).collect()
}

/// The uses; `None` where there are more or fewer.
fn uses(kept: &[[i64; 3]]) -> Option<[UseTotals; 3]> {
    let of = |one: &[i64; 3]| UseTotals {
        watt_hours: one[0],
        power: Money::from_micro_usd(one[1]),
        earned: Money::from_micro_usd(one[2]),
    };
    kept.iter().map(of).collect::<Vec<_>>().try_into().ok()
}

impl From<&SiteTotals> for KeptSite {
    fn from(of: &SiteTotals) -> Self {
        Self {
            uses: kept_uses(&of.uses),
            blocks_micro_usd: of.blocks.as_micro_usd(),
            peaks_micro_usd: of.peaks.as_micro_usd(),
            running_micro_usd: of.running.as_micro_usd(),
            built_micro_usd: of.built.as_micro_usd(),
            price_micro_usd_per_mwh: of.price_micro_usd_per_mwh,
            worth_micro_usd: of.worth.as_micro_usd(),
            worth_stay_micro_usd: of.worth_stay.as_micro_usd(),
        }
    }
}

impl KeptSite {
    fn site(&self) -> Option<SiteTotals> {
        let money = Money::from_micro_usd;
        Some(SiteTotals {
            uses: uses(&self.uses)?,
            blocks: money(self.blocks_micro_usd),
            peaks: money(self.peaks_micro_usd),
            running: money(self.running_micro_usd),
            built: money(self.built_micro_usd),
            price_micro_usd_per_mwh: self.price_micro_usd_per_mwh,
            worth: money(self.worth_micro_usd),
            worth_stay: money(self.worth_stay_micro_usd),
        })
    }
}

impl From<&Outcome> for Kept {
    fn from(of: &Outcome) -> Self {
        let micro = |money: &Money| money.as_micro_usd();
        let lines = |month: &Month| {
            Line::ALL.iter().map(|line| micro(&month.of(*line))).collect()
        };
        Self {
            path: of.path,
            months_micro_usd: of.months.iter().map(lines).collect(),
            stay_micro_usd: of.stay.iter().map(micro).collect(),
            uses: kept_uses(&of.uses),
            sites: of.sites.iter().map(KeptSite::from).collect(),
            delivered: of
                .delivered
                .iter()
                .map(|one| KeptDelivered {
                    deal: one.deal,
                    tranche: one.tranche,
                    signed: one.signed,
                    days_late: one.days_late,
                    missed: one.missed,
                    cost_micro_usd: micro(&one.cost),
                })
                .collect(),
            coverage_ppm: of.coverage.clone(),
            npv_micro_usd: micro(&of.npv),
            npv_stay_micro_usd: micro(&of.npv_stay),
            irr_ppm: of.irr_ppm,
            contract_value_micro_usd: micro(&of.contract_value),
            mining_given_up_micro_usd: micro(&of.mining_given_up),
            tax_value_micro_usd: micro(&of.tax_value),
            price_micro_usd_per_mwh: of.price_micro_usd_per_mwh,
            idle_watt_hours: of.idle_watt_hours,
            idle_value_micro_usd: micro(&of.idle_value),
            hashprice_micro_usd_per_ph_day: of.hashprice_micro_usd_per_ph_day,
            coin_last_micro_usd: of.coin_last_micro_usd,
        }
    }
}

impl Kept {
    /// The outcome of a plan; `None` where the file does not have the shape of one.
    fn outcome(self, plan: &Plan) -> Option<Outcome> {
        let (months, sites) = (plan.months, plan.sites.len());
        let money = Money::from_micro_usd;
        let month = |lines: &Vec<i64>| {
            let mut month = Month::default();
            (lines.len() == Line::ALL.len()).then(|| {
                for (line, micro) in Line::ALL.into_iter().zip(lines) {
                    month.add(line, money(*micro));
                }
                month
            })
        };
        let delivered = |one: &KeptDelivered| Delivered {
            deal: one.deal,
            tranche: one.tranche,
            signed: one.signed,
            days_late: one.days_late,
            missed: one.missed,
            cost: money(one.cost_micro_usd),
        };
        let outcome = Outcome {
            path: self.path,
            months: self.months_micro_usd.iter().map(month).collect::<Option<_>>()?,
            stay: self.stay_micro_usd.into_iter().map(money).collect(),
            uses: uses(&self.uses)?,
            sites: self.sites.iter().map(KeptSite::site).collect::<Option<_>>()?,
            delivered: self.delivered.iter().map(delivered).collect(),
            coverage: self.coverage_ppm,
            npv: money(self.npv_micro_usd),
            npv_stay: money(self.npv_stay_micro_usd),
            irr_ppm: self.irr_ppm,
            contract_value: money(self.contract_value_micro_usd),
            mining_given_up: money(self.mining_given_up_micro_usd),
            tax_value: money(self.tax_value_micro_usd),
            price_micro_usd_per_mwh: self.price_micro_usd_per_mwh,
            idle_watt_hours: self.idle_watt_hours,
            idle_value: money(self.idle_value_micro_usd),
            hashprice_micro_usd_per_ph_day: self.hashprice_micro_usd_per_ph_day,
            coin_last_micro_usd: self.coin_last_micro_usd,
        };
        let has_months = outcome.months.len() == months && outcome.stay.len() == months;
        (has_months && outcome.sites.len() == sites).then_some(outcome)
    }
}

impl ShardFile {
    /// The file of outcomes.
    pub fn new(plan: Hash, seed: u64, paths: u64, outcomes: &[Outcome]) -> Self {
        let outcomes: Vec<Kept> = outcomes.iter().map(Kept::from).collect();
        Self {
            format: FORMAT.to_owned(),
            program: program(),
            plan_sha256: plan.to_string(),
            seed,
            paths,
            outcomes_sha256: sealed(seed, paths, &outcomes),
            outcomes,
        }
    }

    /// Reads one, and refuses what is of another plan or another program.
    ///
    /// # Errors
    ///
    /// With file, what was expected, what was found and what to do.
    pub fn read(path: &Path, plan: Hash) -> anyhow::Result<Self> {
        let shown = path.display();
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the part {shown}"))?;
        let file: Self = serde_json::from_str(&text).with_context(|| {
            format!("{shown}: expected what `mw plan --shard` wrote; run that part again")
        })?;
        let (own, hash) = (program(), plan.to_string());
        for (what, expected, found) in [
            ("format", FORMAT, &file.format),
            ("program", own.as_str(), &file.program),
            ("plan_sha256", hash.as_str(), &file.plan_sha256),
        ] {
            if expected != found {
                bail!(
                    "{shown}, {what}: expected {expected}, found {found}; run every part \
                     with one program on the same plan, site and contracts"
                );
            }
        }
        let found = sealed(file.seed, file.paths, &file.outcomes);
        if file.outcomes_sha256 != found {
            bail!(
                "{shown}, outcomes_sha256: expected {found} of what is in it, found {}; it was changed after it was written: run that part again",
                file.outcomes_sha256
            );
        }
        Ok(file)
    }

    /// Puts parts of a plan together: the outcomes in order, with the seed and how many paths the
    /// whole run has.
    ///
    /// # Errors
    ///
    /// When parts are of two runs, a path is in two of them, or one is missing.
    pub fn merge(
        parts: Vec<Self>,
        plan: &Plan,
    ) -> anyhow::Result<(u64, u64, Vec<Outcome>)> {
        let Some(first) = parts.first() else {
            bail!("expected parts to merge, found none")
        };
        let (seed, paths) = (first.seed, first.paths);
        let mut outcomes = Vec::new();
        for part in parts {
            if (part.seed, part.paths) != (seed, paths) {
                bail!(
                    "expected parts of {paths} paths from seed {seed}, found one of {} from \
                     seed {}; merge the parts of one run",
                    part.paths,
                    part.seed
                );
            }
            for kept in part.outcomes {
                let path = kept.path;
                let outcome = kept.outcome(plan).with_context(|| {
                    format!("path {path}: expected {} months of an outcome and {} sites; run its part again", plan.months, plan.sites.len())
                })?;
                outcomes.push(outcome);
            }
        }
        outcomes.sort_by_key(|outcome| outcome.path);
        for (expected, outcome) in outcomes.iter().enumerate() {
            let (expected, found) = (expected as u64, outcome.path);
            if found < expected {
                bail!(
                    "path {found}: expected it in one part, found it in two; leave one out"
                );
            }
            if found > expected {
                bail!(
                    "path {expected}: expected it in some part, found it in none; run its part"
                );
            }
        }
        if outcomes.len() as u64 != paths {
            bail!("expected {paths} paths, found {}; give every part", outcomes.len());
        }
        Ok((seed, paths, outcomes))
    }
}

/// What tells outcomes from others: their hash, with seed and count.
fn sealed(seed: u64, paths: u64, outcomes: &[Kept]) -> String {
    let text = serde_json::to_string(&(seed, paths, outcomes));
    Hash::of(text.expect("whole numbers are written").as_bytes()).to_string()
}

fn program() -> String {
    format!("mw {} model {}", env!("CARGO_PKG_VERSION"), plan::MODEL)
}
