//! A plan file as written, and the plan as meant.
//!
//! [`load`] reads the file, its site and its contracts, and hands out a [`plan::Plan`]
//! about which there is no doubt.
//!
//! Invariant: nothing of a broken file comes out; every problem names file and key, says
//! what was expected and found, and what to do.

mod conversions;
mod days;
mod futures;
mod loans;
mod sites;
mod written;

use std::fmt;
use std::path::{Path, PathBuf};

use plan::{Bounds, Covenant, Deal, OnLongStop, Plan, Rules};
use settle::calendar::{Date, Period};
use settle::contract::Hash;
use units::{Money, Share, decimal};

pub(crate) use days::write as write_days;

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
    /// What tells one plan from another: the SHA-256 of its file, its sites' and its
    /// contracts', and of what these name, in that order.
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
        let mut hashed = Vec::from(Hash::of(text.as_bytes()).0);
        let mut sites = self.sites(&file, &folder, &mut hashed)?;
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
                        written::OnLongStop::EndsOrder => OnLongStop::EndsOrder,
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
        let conversions = self.conversions(&file, &sites, &deals);
        let futures = self.futures(&file, &mut sites, &folder, &mut hashed)?;
        let plan = Plan {
            name: file.name.clone(),
            first,
            months: file.months,
            conversions,
            loans: self.loans(&file, &deals),
            covenant: self.covenant(&file),
            rules: Rules {
                discount: self.percent(
                    "rules",
                    "discount_percent",
                    file.rules.discount_percent,
                ),
                tax: self.percent("rules", "tax_percent", file.rules.tax_percent),
                depreciation_months: file.rules.depreciation_months,
            },
            futures,
            bounds: self.bounds(file.schedule.as_ref()),
            deals,
            sites,
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
