//! A plan file as written, and the plan as meant.
//!
//! [`load`] reads the file, its site and its contracts, and hands out a [`plan::Plan`]
//! about which there is no doubt.
//!
//! Invariant: nothing of a broken file comes out; every problem names file and key, says
//! what was expected and found, and what to do.

mod days;
mod written;

use std::fmt;
use std::path::{Path, PathBuf};

use engine::site::{LoadIx, LoadKind, Terms};
use plan::{
    Bounds, Conversion, Covenant, Deal, Equipment, Futures, Loan, LoanKind, OnLongStop,
    Plan, Repayment, Rules, Running, Serves, Works,
};
use settle::calendar::{Date, Period};
use settle::contract::Hash;
use sim::scenario::HOURS_PER_YEAR;
use sim::scenario::coin::Coin;
use sim::scenario::copula::{Copula, FACTORS};
use sim::scenario::delivery::Slip;
use sim::scenario::failure::Failures;
use sim::scenario::fees::Fees;
use sim::scenario::level::Level;
use sim::scenario::maths::ln;
use sim::scenario::network::Network;
use sim::scenario::power::{Power, Regime};
use sim::scenario::rental::Rental;
use sim::scenario::reversion::Reversion;
use units::{Money, Share, decimal};

pub(crate) use days::write as write_days;

use crate::config;
use crate::contract_files;

/// The version of the format this program reads.
const FORMAT: u32 = 1;

/// How many months lie between two beginnings that are looked at, if nothing is said.
const EVERY_MONTHS: usize = 3;

/// The longest plan: twenty years.
const MONTHS_MAX: usize = 240;

/// A plan file that is right.
#[derive(Clone, Debug)]
pub struct LoadedPlan {
    /// The plan.
    pub plan: Plan,
    /// The file.
    pub path: PathBuf,
    /// What tells one plan from another: the SHA-256 of its file, its site's and its
    /// contracts', in that order.
    pub hash: Hash,
}

/// Everything that is wrong with a plan file; at least one problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanErrors {
    path: PathBuf,
    problems: Vec<plan::Doubt>,
}

impl PlanErrors {
    /// The problems, in the order in which they were found.
    pub fn problems(&self) -> &[plan::Doubt] {
        &self.problems
    }
}

impl fmt::Display for PlanErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.problems.iter().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            let key = if problem.key.is_empty() {
                String::new()
            } else {
                format!(", {}", problem.key)
            };
            write!(
                f,
                "{}{key}: expected {}, found {}; {}",
                self.path.display(),
                problem.expected,
                problem.found,
                problem.remedy
            )?;
        }
        Ok(())
    }
}

impl std::error::Error for PlanErrors {}

/// Reads the plan in a folder with a `plan.toml`, or in a file.
///
/// # Errors
///
/// Everything that is wrong with the file, its site and its contracts, and everything
/// that cannot be in it.
pub fn load(path: &Path) -> Result<LoadedPlan, PlanErrors> {
    let path = if path.is_dir() { path.join("plan.toml") } else { path.to_owned() };
    let mut reading = Reading { path: path.clone(), problems: Vec::new() };
    match reading.read() {
        Some((plan, hash)) if reading.problems.is_empty() => {
            let doubts = plan.doubts();
            if doubts.is_empty() {
                return Ok(LoadedPlan { plan, path, hash });
            }
            Err(PlanErrors { path, problems: doubts })
        }
        _ => Err(PlanErrors { path, problems: reading.problems }),
    }
}

/// A file that is being read, and what was found wrong so far.
struct Reading {
    path: PathBuf,
    problems: Vec<plan::Doubt>,
}

impl Reading {
    fn note(
        &mut self,
        key: &str,
        expected: &str,
        found: impl Into<String>,
        remedy: &str,
    ) {
        self.problems.push(plan::Doubt {
            key: key.to_owned(),
            expected: expected.to_owned(),
            found: found.into(),
            remedy: remedy.to_owned(),
        });
    }

    fn read(&mut self) -> Option<(Plan, Hash)> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) => {
                let expected = "a plan file, or a folder with a `plan.toml`";
                self.note("", expected, error.to_string(), "check the path");
                return None;
            }
        };
        let file: written::File = match toml::from_str(&text) {
            Ok(file) => file,
            Err(error) => {
                let found = error.to_string().trim_end().replace('\n', "\n  ");
                self.note(
                    "",
                    "the keys of a plan, each with a value of its kind",
                    found,
                    "see docs/concepts/plan.md and the example beside a site",
                );
                return None;
            }
        };
        if file.format != FORMAT {
            self.note(
                "format",
                &format!("{FORMAT}"),
                file.format.to_string(),
                "this program reads no other",
            );
        }
        if !(1..=MONTHS_MAX).contains(&file.months) {
            let expected = format!("1 to {MONTHS_MAX}");
            self.note("months", &expected, file.months.to_string(), "plan less far");
        }
        let folder = self.path.parent().unwrap_or_else(|| Path::new("")).to_owned();
        let beside = |name: &str| folder.join(name);
        let loaded = match config::load(&beside(&file.site)) {
            Ok(loaded) => loaded,
            Err(error) => {
                self.note(
                    "site",
                    "a site file that is right",
                    error.to_string(),
                    "mend it",
                );
                return None;
            }
        };
        let mut hashed = Vec::from(Hash::of(text.as_bytes()).0);
        hashed.extend(Hash::of(loaded.text.as_bytes()).0);
        let mut deals = Vec::new();
        for (place, written) in file.contracts.iter().enumerate() {
            let key = format!("contracts[{place}]");
            match contract_files::versions(&beside(&written.file)) {
                Ok(versions) if versions.all().len() == 1 => {
                    let contract = versions.first().clone();
                    hashed.extend(contract.hash.0);
                    let signed =
                        self.percent(&key, "signed_percent", written.signed_percent);
                    let on_long_stop = match written.on_long_stop {
                        written::OnLongStop::Ends => OnLongStop::Ends,
                        written::OnLongStop::Waits => OnLongStop::Waits,
                    };
                    deals.push(Deal { contract, signed, on_long_stop });
                }
                Ok(versions) => self.note(
                    &format!("{key}.file"),
                    "one version of a contract",
                    format!("{}", versions.all().len()),
                    "name the file of the version that is planned",
                ),
                Err(error) => self.note(
                    &format!("{key}.file"),
                    "a contract file that is right, with a price for every tranche",
                    format!("{error:#}"),
                    "mend it",
                ),
            }
        }
        let first = self.month("first_month", &file.first_month)?;
        if !(2009..=2100).contains(&first.year()) {
            let found = first.to_string();
            self.note(
                "first_month",
                "a month from 2009 to 2100",
                found,
                "check the year",
            );
            return None;
        }
        let conversions = self.conversions(&file, &loaded.site, &deals);
        let plan = Plan {
            name: file.name.clone(),
            first,
            months: file.months,
            conversions,
            loans: self.loans(&file, &deals),
            covenant: self.covenant(&file),
            running: Running {
                mining_per_mw_month: self.usd(
                    "running",
                    "mining_usd_per_mw_month",
                    file.running.mining_usd_per_mw_month,
                ),
                racks_per_mw_month: self.usd(
                    "running",
                    "racks_usd_per_mw_month",
                    file.running.racks_usd_per_mw_month,
                ),
            },
            rules: Rules {
                discount: self.percent(
                    "rules",
                    "discount_percent",
                    file.rules.discount_percent,
                ),
                tax: self.percent("rules", "tax_percent", file.rules.tax_percent),
                depreciation_months: file.rules.depreciation_months,
            },
            futures: self.futures(&file.futures, &folder, &mut hashed)?,
            bounds: self.bounds(file.schedule.as_ref()),
            deals,
            site: loaded.site,
        };
        if plan.rules.depreciation_months == 0 {
            self.note(
                "rules.depreciation_months",
                "at least 1",
                "0",
                "write off over a month what is not to be kept",
            );
        }
        Some((plan, Hash::of(&hashed)))
    }

    fn conversions(
        &mut self,
        file: &written::File,
        site: &engine::Site,
        deals: &[Deal],
    ) -> Vec<Conversion> {
        let mut conversions = Vec::new();
        for (place, written) in file.conversions.iter().enumerate() {
            let key = format!("conversions[{place}]");
            let racks = self.loads(&format!("{key}.racks"), site, &written.racks, true);
            let rigs_out =
                self.loads(&format!("{key}.rigs_out"), site, &written.rigs_out, false);
            let begins = self.date(&format!("{key}.begins"), &written.begins);
            let ready = self.date(&format!("{key}.ready"), &written.ready);
            let slip = &written.slip;
            let schedule = written.works.schedule_percent.iter();
            let schedule = schedule
                .map(|part| self.percent(&key, "works.schedule_percent", *part))
                .collect();
            let works = Works {
                cost: self.musd(&key, "works.cost_musd", written.works.cost_musd),
                schedule,
            };
            let equipment = written.equipment.as_ref().map(|written| Equipment {
                price: self.musd(&key, "equipment.price_musd", written.price_musd),
                ships_days_before: written.ships_days_before,
                payable_days: written.payable_days,
                cancellable: written.cancellable,
                residual: self.percent(
                    &key,
                    "equipment.residual_percent",
                    written.residual_percent,
                ),
            });
            let resale = self.musd(&key, "resale_musd", written.resale_musd);
            let book_value = self.musd(&key, "book_value_musd", written.book_value_musd);
            let serves = self.serves(&format!("{key}.racks"), site, &racks, deals);
            let (Some(begins), Some(ready)) = (begins, ready) else { continue };
            conversions.push(Conversion {
                name: written.name.clone(),
                rigs_out,
                racks,
                begins,
                ready,
                slip: Slip {
                    on_time: slip.on_time_percent / 100.0,
                    median_days: slip.median_days,
                    ninetieth_days: slip.ninetieth_days,
                    days_max: slip.days_max,
                },
                works,
                equipment,
                resale,
                book_value,
                serves,
                dropped: false,
            });
        }
        conversions
    }

    /// Within what other schedules are looked for; a quarter apart where nothing is said.
    fn bounds(&mut self, written: Option<&written::Schedule>) -> Bounds {
        let every_months = written.and_then(|written| written.every_months);
        let every_months = every_months.unwrap_or(EVERY_MONTHS);
        if !(1..=MONTHS_MAX).contains(&every_months) {
            let expected = format!("1 to {MONTHS_MAX}");
            let found = every_months.to_string();
            self.note("schedule.every_months", &expected, found, "3 is a quarter");
        }
        let owners = written.and_then(|written| written.owners_musd_max);
        let breach = written.and_then(|written| written.breach_percent_max);
        Bounds {
            every_months,
            owners_max: owners.map(|most| self.musd("schedule", "owners_musd_max", most)),
            breach_max: breach
                .map(|most| self.percent("schedule", "breach_percent_max", most)),
        }
    }

    /// The loads of those names, racks or rigs.
    fn loads(
        &mut self,
        key: &str,
        site: &engine::Site,
        names: &[String],
        racks: bool,
    ) -> Vec<LoadIx> {
        let what = if racks { "racks" } else { "rigs" };
        let mut found = Vec::new();
        for name in names {
            let load =
                site.load_named(name).filter(|load| match site.loads[*load].kind {
                    LoadKind::Racks(_) => racks,
                    LoadKind::Rigs(_) => !racks,
                    LoadKind::Battery(_) => false,
                });
            match load {
                Some(load) => found.push(load),
                None => self.note(
                    key,
                    &format!("the name of {what} of the site"),
                    format!("\"{name}\""),
                    "write it as the site file does",
                ),
            }
        }
        found
    }

    /// The one tranche that all of the racks serve, if any does.
    fn serves(
        &mut self,
        key: &str,
        site: &engine::Site,
        racks: &[LoadIx],
        deals: &[Deal],
    ) -> Option<Serves> {
        let mut all = racks.iter().map(|load| {
            let LoadKind::Racks(racks) = &site.loads[*load].kind else { return None };
            let Terms::Contracted { tranche: Some(named), .. } = &racks.terms else {
                return None;
            };
            let deal =
                deals.iter().position(|deal| deal.contract.id == named.contract)?;
            let tranches = &deals[deal].contract.tranches;
            let tranche = tranches.iter().position(|tranche| tranche.id == named.id)?;
            Some(Serves { deal, tranche })
        });
        let first = all.next().flatten();
        if all.any(|other| other != first) {
            self.note(
                key,
                "racks that all serve one tranche",
                "racks of several",
                "write a conversion for each tranche",
            );
        }
        first
    }

    fn loans(&mut self, file: &written::File, deals: &[Deal]) -> Vec<Loan> {
        let mut loans = Vec::new();
        for (place, written) in file.loans.iter().enumerate() {
            let key = format!("loans[{place}]");
            let month = |reading: &mut Self, what: &str, text: &str| {
                reading.month(&format!("{key}.{what}"), text)
            };
            let (name, limit, rate, from, maturity, repayment, secured_on) = match written
            {
                written::Loan::DelayedDraw {
                    name,
                    limit_musd,
                    rate_percent,
                    repay_from,
                    maturity,
                    repayment,
                    secured_on,
                    ..
                }
                | written::Loan::Notes {
                    name,
                    limit_musd,
                    rate_percent,
                    repay_from,
                    maturity,
                    repayment,
                    secured_on,
                    ..
                } => (
                    name,
                    limit_musd,
                    rate_percent,
                    repay_from,
                    maturity,
                    repayment,
                    secured_on,
                ),
            };
            let kind = match written {
                written::Loan::DelayedDraw {
                    undrawn_fee_percent,
                    equipment_percent,
                    draws_until,
                    ..
                } => month(self, "draws_until", draws_until).map(|until| {
                    LoanKind::DelayedDraw {
                        until,
                        share: self.percent(
                            &key,
                            "equipment_percent",
                            *equipment_percent,
                        ),
                        undrawn_fee: self.percent(
                            &key,
                            "undrawn_fee_percent",
                            *undrawn_fee_percent,
                        ),
                    }
                }),
                written::Loan::Notes { issue, .. } => {
                    month(self, "issue", issue).map(|issue| LoanKind::Notes { issue })
                }
            };
            let limit = self.musd(&key, "limit_musd", *limit);
            let rate = self.percent(&key, "rate_percent", *rate);
            let repay_from = month(self, "repay_from", from);
            let maturity = month(self, "maturity", maturity);
            let repayment = match repayment {
                written::Repayment::Level => Repayment::Level,
                written::Repayment::Straight => Repayment::Straight,
                written::Repayment::Bullet => Repayment::Bullet,
            };
            let secured_on = self.secured_on(
                &format!("{key}.secured_on"),
                secured_on.as_deref(),
                deals,
            );
            if let (Some(kind), Some(repay_from), Some(maturity)) =
                (kind, repay_from, maturity)
            {
                let name = name.clone();
                loans.push(Loan {
                    name,
                    kind,
                    limit,
                    rate,
                    repay_from,
                    maturity,
                    repayment,
                    secured_on,
                });
            }
        }
        loans
    }

    /// The contract of that id among the plan's.
    fn secured_on(
        &mut self,
        key: &str,
        id: Option<&str>,
        deals: &[Deal],
    ) -> Option<usize> {
        let id = id?;
        let found = deals.iter().position(|deal| deal.contract.id == id);
        if found.is_none() {
            let ids: Vec<&str> = deals.iter().map(|deal| &*deal.contract.id).collect();
            self.note(
                key,
                "the id of a contract of the plan",
                format!("\"{id}\", where the plan has {}", ids.join(", ")),
                "write it as its contract file does, or name the contract in [[contracts]]",
            );
        }
        found
    }

    fn covenant(&mut self, file: &written::File) -> Option<Covenant> {
        let written = file.covenant.as_ref()?;
        if written.over_months == 0 {
            self.note("covenant.over_months", "at least 1", "0", "12 is usual");
        }
        let from = self.month("covenant.from", &written.from)?;
        let ratio = self.within("covenant", "ratio_min", written.ratio_min, 0.0, 100.0);
        let ratio_min = Share::from_ppm((ratio * 1e6).round() as i64);
        Some(Covenant { ratio_min, from, over_months: written.over_months.max(1) })
    }

    fn futures(
        &mut self,
        written: &written::Futures,
        folder: &Path,
        hashed: &mut Vec<u8>,
    ) -> Option<Futures> {
        let coin = &written.coin;
        let part = |reading: &mut Self,
                    table: &str,
                    key: &str,
                    value: f64,
                    low: f64,
                    high: f64| {
            reading.within(&format!("futures.{table}"), key, value, low, high)
        };
        let positive = |reading: &mut Self, table: &str, key: &str, value: f64| {
            part(reading, table, key, value, 1e-9, 1e18)
        };
        let coin = Coin {
            price_usd: part(self, "coin", "price_usd", coin.price_usd, 1.0, 1e9),
            drift_per_year: part(
                self,
                "coin",
                "drift_percent_per_year",
                coin.drift_percent_per_year,
                -100.0,
                300.0,
            ) / 100.0,
            volatility_per_root_year: part(
                self,
                "coin",
                "volatility_percent",
                coin.volatility_percent,
                0.0,
                500.0,
            ) / 100.0,
            jumps_per_year: part(
                self,
                "coin",
                "jumps_per_year",
                coin.jumps_per_year,
                0.0,
                365.0,
            ),
            jump_mean: part(
                self,
                "coin",
                "jump_mean_percent",
                coin.jump_mean_percent,
                -100.0,
                100.0,
            ) / 100.0,
            jump_deviation: part(
                self,
                "coin",
                "jump_deviation_percent",
                coin.jump_deviation_percent,
                0.0,
                100.0,
            ) / 100.0,
        };
        let fees = &written.fees;
        let fees = Fees {
            mean_btc_per_block: part(
                self,
                "fees",
                "mean_btc_per_block",
                fees.mean_btc_per_block,
                0.0,
                100.0,
            ),
            reversion: Reversion::of(
                positive(self, "fees", "half_life_days", fees.half_life_days) / 365.25,
                part(
                    self,
                    "fees",
                    "deviation_percent",
                    fees.deviation_percent,
                    0.0,
                    500.0,
                ) / 100.0,
            ),
        };
        let network = &written.network;
        if network.height > 10_000_000 {
            let found = network.height.to_string();
            self.note(
                "futures.network.height",
                "up to 10000000",
                found,
                "check the digits",
            );
        }
        let network = Network {
            height: network.height,
            difficulty: part(
                self,
                "network",
                "difficulty",
                network.difficulty,
                // A plain number: 148.258 T is 1.48258e14.
                1e9,
                1e18,
            ),
            breakeven_usd_per_ph_day: positive(
                self,
                "network",
                "breakeven_usd_per_ph_day",
                network.breakeven_usd_per_ph_day,
            ),
            switch_off_share: part(
                self,
                "network",
                "switch_off_percent",
                network.switch_off_percent.unwrap_or(100.0),
                1.0,
                100.0,
            ) / 100.0,
            better_per_year: part(
                self,
                "network",
                "better_percent_per_year",
                network.better_percent_per_year,
                0.0,
                90.0,
            ) / 100.0,
            lag_up_days: part(
                self,
                "network",
                "lag_up_days",
                network.lag_up_days,
                1.0,
                3_650.0,
            ),
            lag_down_days: part(
                self,
                "network",
                "lag_down_days",
                network.lag_down_days,
                1.0,
                3_650.0,
            ),
        };
        let rental = &written.rental;
        let let_share = self.percent("futures.rental", "let_percent", rental.let_percent);
        let rental = Rental {
            price_usd_per_gpu_hour: positive(
                self,
                "rental",
                "price_usd_per_gpu_hour",
                rental.price_usd_per_gpu_hour,
            ),
            decline_per_year: part(
                self,
                "rental",
                "decline_percent_per_year",
                rental.decline_percent_per_year,
                -100.0,
                300.0,
            ) / 100.0,
            reversion: Reversion::of(
                positive(self, "rental", "half_life_days", rental.half_life_days)
                    / 365.25,
                part(
                    self,
                    "rental",
                    "deviation_percent",
                    rental.deviation_percent,
                    0.0,
                    500.0,
                ) / 100.0,
            ),
            launches_per_year: part(
                self,
                "rental",
                "launches_per_year",
                rental.launches_per_year,
                0.0,
                12.0,
            ),
            launch_fall: part(
                self,
                "rental",
                "launch_fall_percent",
                rental.launch_fall_percent,
                -100.0,
                300.0,
            ) / 100.0,
        };
        let failures = &written.failures;
        let failures = Failures {
            gpu_hours_per_incident: positive(
                self,
                "failures",
                "gpu_hours_per_incident",
                failures.gpu_hours_per_incident,
            ),
            gpus_per_incident: positive(
                self,
                "failures",
                "gpus_per_incident",
                failures.gpus_per_incident,
            ),
            repair_hours: part(
                self,
                "failures",
                "repair_hours",
                failures.repair_hours,
                0.0,
                8_760.0,
            ),
            counted: part(
                self,
                "failures",
                "counted_percent",
                failures.counted_percent,
                0.0,
                100.0,
            ) / 100.0,
            outages_per_year: part(
                self,
                "failures",
                "outages_per_year",
                failures.outages_per_year,
                0.0,
                365.0,
            ),
            outage_hours: part(
                self,
                "failures",
                "outage_hours",
                failures.outage_hours,
                0.0,
                8_760.0,
            ),
        };
        let correlation = written.delivery.correlation_percent;
        Some(Futures {
            coin,
            fees,
            network,
            power: self.power(&written.power)?,
            power_days: self.days(&written.power, folder, hashed)?,
            rental,
            let_share,
            failures,
            together: self.together(written.together.as_ref())?,
            delivery_correlation: part(
                self,
                "delivery",
                "correlation_percent",
                correlation,
                0.0,
                100.0,
            ) / 100.0,
        })
    }

    /// How factors move together; nothing where that cannot be.
    fn together(&mut self, written: Option<&written::Together>) -> Option<Copula> {
        let Some(written) = written else { return Some(Copula::APART) };
        let table = "futures.together";
        let mut told = [[0.0; FACTORS]; FACTORS];
        for (one, other, key, value) in [
            (1, 0, "coin_fees_percent", written.coin_fees_percent),
            (2, 0, "coin_power_percent", written.coin_power_percent),
            (3, 0, "coin_rent_percent", written.coin_rent_percent),
            (2, 1, "fees_power_percent", written.fees_power_percent),
            (3, 1, "fees_rent_percent", written.fees_rent_percent),
            (3, 2, "power_rent_percent", written.power_rent_percent),
        ] {
            told[one][other] = self.within(table, key, value, -99.0, 99.0) / 100.0;
        }
        let copula = Copula::of(&told);
        if copula.is_none() {
            self.note(
                table,
                "correlations that draws can have all at once",
                "some that contradict one another",
                "bring them nearer to nought: what moves with one thing moves with what that moves with",
            );
        }
        copula
    }

    fn power(&mut self, written: &written::Power) -> Option<Power> {
        let table = "futures.power";
        let mut calm = [[0.0; 24]; 12];
        let rows = &written.calm_usd_per_mwh;
        let shaped = rows.len() == 12 && rows.iter().all(|row| row.len() == 24);
        let above = rows.iter().flatten().all(|price| *price > 0.0 && *price < 10_000.0);
        if !shaped || !above {
            self.note(
                "futures.power.calm_usd_per_mwh",
                "12 months of 24 prices above nought",
                format!("{} rows", rows.len()),
                "let `mw plan calibrate` write it from history",
            );
            return None;
        }
        for (month, row) in rows.iter().enumerate() {
            calm[month].copy_from_slice(row);
        }
        let regime = |reading: &mut Self, key: &str, begins: f64, ends: f64| Regime {
            begins_per_hour: reading.within(
                table,
                &format!("{key}.begins_percent_per_hour"),
                begins,
                0.0,
                50.0,
            ) / 100.0,
            ends_per_hour: reading.within(
                table,
                &format!("{key}.ends_percent_per_hour"),
                ends,
                0.1,
                100.0,
            ) / 100.0,
        };
        let (spike, low) = (&written.spike, &written.low);
        let mut spike_by_hour = [1.0; 24];
        if let Some(hours) = &spike.by_hour {
            if hours.len() != 24
                || hours.iter().any(|weight| !(0.0..=24.0).contains(weight))
            {
                self.note(
                    "futures.power.spike.by_hour",
                    "24 weights of nought or more, about a mean of 1",
                    format!("{}", hours.len()),
                    "leave it out where every hour is alike",
                );
                return None;
            }
            spike_by_hour.copy_from_slice(hours);
        }
        let [least, most] = written.bounds_usd_per_mwh;
        if least.partial_cmp(&most) != Some(std::cmp::Ordering::Less) {
            self.note(
                "futures.power.bounds_usd_per_mwh",
                "the least price, then the most",
                format!("{least}, {most}"),
                "turn them round",
            );
            return None;
        }
        let behind = written.behind_utc_hours;
        if !(-14..=14).contains(&behind) {
            let key = "futures.power.behind_utc_hours";
            self.note(key, "-14 to 14", behind.to_string(), "6 is Texas in winter");
            return None;
        }
        let power = Power {
            calm_usd_per_mwh: calm,
            behind_utc_hours: behind,
            level: self.level(table, &written.level),
            deviation: Reversion::of(
                self.within(
                    table,
                    "deviation.half_life_hours",
                    written.deviation.half_life_hours,
                    1e-3,
                    8_766.0,
                ) / HOURS_PER_YEAR,
                self.within(
                    table,
                    "deviation.deviation_percent",
                    written.deviation.deviation_percent,
                    0.0,
                    300.0,
                ) / 100.0,
            ),
            spike: regime(
                self,
                "spike",
                spike.begins_percent_per_hour,
                spike.ends_percent_per_hour,
            ),
            spike_by_hour,
            scarcity: self.scarcity(table, spike.rate.as_ref()),
            spike_logarithm: (
                ln(self.within(
                    table,
                    "spike.median_usd_per_mwh",
                    spike.median_usd_per_mwh,
                    1.0,
                    100_000.0,
                )),
                self.within(
                    table,
                    "spike.deviation_percent",
                    spike.deviation_percent,
                    0.0,
                    300.0,
                ) / 100.0,
            ),
            low: regime(
                self,
                "low",
                low.begins_percent_per_hour,
                low.ends_percent_per_hour,
            ),
            low_depth_usd_per_mwh: self.within(
                table,
                "low.depth_usd_per_mwh",
                low.depth_usd_per_mwh,
                0.0,
                10_000.0,
            ),
            bounds_usd_per_mwh: (least, most),
        };
        let Some(forward) = written.forward_usd_per_mwh else { return Some(power) };
        if let Some(starts) = written.level.starts_percent {
            self.note(
                "futures.power.level.starts_percent",
                "no starts_percent beside forward_usd_per_mwh",
                starts.to_string(),
                "leave one of them out: a forward says where prices stand",
            );
            return None;
        }
        let rest = power.mean_usd_per_mwh();
        let scaled = power.at_forward(forward);
        if scaled.is_none() {
            self.note(
                "futures.power.forward_usd_per_mwh",
                "more than spikes and lows alone come to",
                format!("{forward}, where the mean without it is {rest:.2}"),
                "raise it, or let spikes be rarer",
            );
        }
        scaled
    }

    /// How the rate of spikes wanders; it stands still where nothing is said.
    fn scarcity(&mut self, table: &str, written: Option<&written::Wanders>) -> Reversion {
        let Some(written) = written else { return Reversion::of(1.0, 0.0) };
        let days = written.half_life_days;
        let days = self.within(table, "spike.rate.half_life_days", days, 1e-3, 36_500.0);
        let spread = written.deviation_percent;
        let spread =
            self.within(table, "spike.rate.deviation_percent", spread, 0.0, 300.0);
        Reversion::of(days / 365.25, spread / 100.0)
    }

    /// How the level of prices wanders, and from where.
    fn level(&mut self, table: &str, written: &written::Level) -> Level {
        let days = written.half_life_days;
        let days = self.within(table, "level.half_life_days", days, 1e-3, 36_500.0);
        let deviation = written.deviation_percent;
        let deviation =
            self.within(table, "level.deviation_percent", deviation, 0.0, 300.0);
        let starts = written.starts_percent.unwrap_or(100.0);
        let starts = self.within(table, "level.starts_percent", starts, 1.0, 1_000.0);
        Level {
            reversion: Reversion::of(days / 365.25, deviation / 100.0),
            starts: starts / 100.0,
        }
    }

    /// A number within bounds, the nearer of them when it is not.
    fn within(&mut self, table: &str, key: &str, value: f64, low: f64, high: f64) -> f64 {
        if (low..=high).contains(&value) {
            return value;
        }
        let expected = format!("{low} to {high}");
        self.note(
            &format!("{table}.{key}"),
            &expected,
            value.to_string(),
            "check its unit",
        );
        if value > high { high } else { low }
    }

    /// A share of 0 to 100 percent.
    fn percent(&mut self, table: &str, key: &str, value: f64) -> Share {
        let value = self.within(table, key, value, 0.0, 100.0);
        Share::parse_percent(&value.to_string()).unwrap_or_else(|_| {
            self.note(
                &format!("{table}.{key}"),
                "at most four digits after the point",
                value.to_string(),
                "round it",
            );
            Share::from_ppm(0)
        })
    }

    /// Dollars to the millionth, as decimal text writes them.
    fn usd(&mut self, table: &str, key: &str, value: f64) -> Money {
        let value = self.within(table, key, value, 0.0, 1e7);
        self.money(table, key, value, 6)
    }

    /// Millions of dollars.
    fn musd(&mut self, table: &str, key: &str, value: f64) -> Money {
        let value = self.within(table, key, value, -1e5, 1e5);
        self.money(table, key, value, 12)
    }

    fn money(&mut self, table: &str, key: &str, value: f64, places: u32) -> Money {
        match decimal::exact(&value.to_string(), places) {
            Ok(micro) => Money::from_micro_usd(micro),
            Err(error) => {
                let key = format!("{table}.{key}");
                self.note(
                    &key,
                    "an amount in decimal digits",
                    format!("{value}: {error}"),
                    "round it",
                );
                Money::ZERO
            }
        }
    }

    fn month(&mut self, key: &str, text: &str) -> Option<Period> {
        let found = Period::parse(text);
        if found.is_none() {
            self.note(
                key,
                "a month such as \"2026-04\"",
                format!("\"{text}\""),
                "write year and month",
            );
        }
        found
    }

    fn date(&mut self, key: &str, written: &toml::value::Datetime) -> Option<Date> {
        let text = written.to_string();
        let found = Date::parse(&text);
        if found.is_none() {
            self.note(key, "a day such as 2026-04-01", text, "leave the time out");
        }
        found
    }
}
