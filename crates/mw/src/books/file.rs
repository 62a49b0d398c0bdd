//! The books file: which records a site's books are made from.
//!
//! Paths are relative to the file. Everything but the site's name, currency and zone
//! may be left out.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;
use settle::calendar::Zone;
use settle::contract::Currency;
use settle::exact::Exact;

/// The books file's name in a folder.
pub const BOOKS: &str = "books.toml";

/// The file as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BooksFile {
    /// `site-books/1`.
    pub schema: String,
    /// Whose books they are.
    pub site: String,
    /// What the site's own records are in, by its letters of ISO 4217.
    pub currency: String,
    /// The zone whose days the site's own records mean.
    pub timezone: String,
    /// The contracts.
    #[serde(default)]
    pub contract: Vec<ContractEntry>,
    /// What power costs and grid programmes pay.
    #[serde(default)]
    pub power: Vec<PowerEntry>,
    /// What mining earns.
    pub mining: Option<MiningEntry>,
    /// What is owned.
    pub assets: Option<AssetsEntry>,
    /// The run whose intervals say what each hall and machine earned.
    pub run: Option<PathBuf>,
    /// Parties as invoices name them.
    #[serde(default)]
    pub party: Vec<Party>,
    /// What a lender looks at beyond the contracts.
    pub debt: Option<DebtEntry>,
}

/// A contract and its records.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContractEntry {
    /// Its file, or a folder with the file of every version.
    pub contract: PathBuf,
    /// The facts' file, or the folder of a run that wrote one.
    pub facts: PathBuf,
    /// The register whose documents were issued. Without one, statements count as
    /// issued at their cuts.
    pub register: Option<PathBuf>,
}

/// One biller of power.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PowerEntry {
    /// Its name.
    pub biller: String,
    /// Rows of what was metered, by month and charge.
    pub accrued: Option<PathBuf>,
    /// Whether the run's intervals are accrued to this biller.
    #[serde(default)]
    pub from_run: bool,
    /// Rows of bills.
    pub bills: Option<PathBuf>,
    /// Rows of decisions about disputed bills.
    pub decisions: Option<PathBuf>,
    /// The share of a charge up to which a difference is trued up.
    pub tolerance: Option<String>,
}

/// What mining earns.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MiningEntry {
    /// Rows of what each day earned.
    pub earned: PathBuf,
    /// Rows of what pools paid.
    pub payouts: Option<PathBuf>,
    /// Rows of what was given up.
    pub given_up: Option<PathBuf>,
    /// The fee agreed with each pool, as a share.
    #[serde(default)]
    pub fees: BTreeMap<String, String>,
    /// The share of what was earned up to which a difference is let pass.
    pub tolerance: Option<String>,
}

/// What is owned.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssetsEntry {
    /// Rows of the asset register.
    pub register: PathBuf,
}

/// What is owed to lenders.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DebtEntry {
    /// Rows of interest and principal, by month.
    pub service: PathBuf,
    /// The coverage a covenant asks for.
    pub covenant: Option<String>,
}

/// A party as an invoice names it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Party {
    /// What contracts call it.
    pub id: String,
    /// Its registered name.
    pub name: String,
    /// Street and number.
    pub street: Option<String>,
    /// City.
    pub city: Option<String>,
    /// Postcode.
    pub postcode: Option<String>,
    /// The country's two letters of ISO 3166.
    pub country: String,
    /// Its number for value added tax, or another tax on sales.
    pub tax_id: Option<String>,
}

impl BooksFile {
    /// Whether a path is a books file or a folder with one.
    pub fn is_at(path: &Path) -> bool {
        if path.is_dir() {
            return path.join(BOOKS).is_file();
        }
        let text = fs::read_to_string(path).unwrap_or_default();
        let table: Result<toml::Table, _> = toml::from_str(&text);
        let schema = table.ok().and_then(|table| table.get("schema").cloned());
        schema.is_some_and(|schema| {
            schema.as_str().is_some_and(|schema| schema.starts_with("site-books/"))
        })
    }

    /// Reads a books file, or that of a folder; the paths it names come out relative to
    /// where the program runs.
    ///
    /// # Errors
    ///
    /// What is wrong with the file.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let file = if path.is_dir() { path.join(BOOKS) } else { path.to_owned() };
        let name = file.display();
        let text =
            fs::read_to_string(&file).with_context(|| format!("cannot read {name}"))?;
        let mut read: Self = toml::from_str(&text).with_context(|| name.to_string())?;
        if read.schema != "site-books/1" {
            bail!("{name}, schema: expected \"site-books/1\", found \"{}\"", read.schema);
        }
        let folder = file.parent().unwrap_or(Path::new(""));
        for path in read.paths() {
            *path = folder.join(&*path);
        }
        read.check(&name.to_string())?;
        Ok(read)
    }

    fn paths(&mut self) -> Vec<&mut PathBuf> {
        let mut paths: Vec<&mut PathBuf> = Vec::new();
        for contract in &mut self.contract {
            paths.extend([&mut contract.contract, &mut contract.facts]);
            paths.extend(&mut contract.register);
        }
        for power in &mut self.power {
            paths.extend(&mut power.accrued);
            paths.extend(&mut power.bills);
            paths.extend(&mut power.decisions);
        }
        if let Some(mining) = &mut self.mining {
            paths.push(&mut mining.earned);
            paths.extend(&mut mining.payouts);
            paths.extend(&mut mining.given_up);
        }
        paths.extend(self.assets.as_mut().map(|assets| &mut assets.register));
        paths.extend(self.debt.as_mut().map(|debt| &mut debt.service));
        paths.extend(&mut self.run);
        paths
    }

    fn check(&self, name: &str) -> anyhow::Result<()> {
        if Currency::of_code(&self.currency).is_none() {
            bail!(
                "{name}, currency: expected a currency of ISO 4217 such as \"USD\", found \
                 \"{}\"",
                self.currency
            );
        }
        if Zone::named(&self.timezone).is_none() {
            bail!(
                "{name}, timezone: expected a zone such as \"America/Chicago\", found \"{}\"",
                self.timezone
            );
        }
        for (place, power) in self.power.iter().enumerate() {
            if self.power[..place].iter().any(|before| before.biller == power.biller) {
                bail!("{name}, power: expected {} once, found it twice", power.biller);
            }
            if power.from_run && self.run.is_none() {
                bail!(
                    "{name}, power.from_run: expected the key run beside it, found none"
                );
            }
        }
        for party in &self.party {
            let letters = party.country.bytes().all(|b| b.is_ascii_uppercase());
            if party.country.len() != 2 || !letters {
                bail!(
                    "{name}, party {}: expected the two capital letters of a country, found \
                     \"{}\"",
                    party.id,
                    party.country
                );
            }
        }
        Ok(())
    }

    /// The currency of the site's own records.
    pub fn currency(&self) -> Currency {
        Currency::of_code(&self.currency).expect("checked when it was read")
    }
}

/// A share from 0 to 1, or what it is unless said.
pub fn share(key: &str, text: Option<&str>, unless: Exact) -> anyhow::Result<Exact> {
    let Some(text) = text else { return Ok(unless) };
    let share = Exact::parse(text).ok();
    share.filter(|share| !share.is_negative() && *share <= Exact::ONE).with_context(
        || {
            format!(
                "{key}: expected a share from 0 to 1 such as \"0.005\", found \"{text}\""
            )
        },
    )
}
