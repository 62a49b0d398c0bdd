//! The record that availability and money follow from, and a tenant's part of it.
//!
//! A statement is made from the part of the record that its customer can read, so that
//! both sides come to the same bytes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use engine::capacity::{BlockNo, Estate};
use serde_json::{Value, json};
use settle::contract::{PowerMode, Versions};
use settle::facts::Facts;
use settle::statement::Statement;
use units::Timestamp;

use super::document::{FactsDocument, ForecastDocument, StatementsDocument};
use crate::api::call::Call;
use crate::api::problem::{Kind, Problem};
use crate::api::{Api, read};
use crate::capacity::beside::{Part, Whose, together};
use crate::capacity::own::Own as OwnNames;
use crate::capacity::stake::{Stake, stakes};
use crate::live::control::speaker::Failed;
use crate::tenancy::Tenancy;

/// Where the record is.
#[derive(Clone, Debug)]
pub struct Records {
    /// What the run itself writes of its racks.
    pub racks: PathBuf,
    /// What is known of its contracts from elsewhere, where the run was given that.
    pub beside: Option<PathBuf>,
}

/// What is a tenant's, by name.
struct Own {
    units: BTreeSet<String>,
    incidents: BTreeSet<String>,
    notices: BTreeSet<String>,
    /// Contract and tranche of its blocks.
    tranches: BTreeSet<(String, String)>,
}

impl Own {
    fn of(estate: &Estate, tenant: &str) -> Self {
        let mut own = Self {
            units: BTreeSet::new(),
            incidents: BTreeSet::new(),
            notices: estate.notices_of(tenant),
            tranches: BTreeSet::new(),
        };
        for (place, block) in (0..).zip(estate.blocks()) {
            if block.tenant != tenant {
                continue;
            }
            let number = BlockNo(place);
            let seats = 0..block.seats.len();
            own.units.extend(seats.map(|seat| estate.seat_name(number, seat)));
            let (contract, id) = (&block.tranche.contract, &block.tranche.tranche);
            own.tranches.insert((contract.clone(), id.clone()));
        }
        let incidents = estate.incidents().iter();
        let theirs = incidents.filter(|incident| incident.tenant == tenant);
        own.incidents.extend(theirs.map(|incident| incident.id.clone()));
        own
    }

    /// A fact as the tenant may read it; nothing where it is about what is another's.
    fn part(&self, fact: &Value) -> Option<Value> {
        let body = &fact["body"];
        let text = |key: &str| body[key].as_str();
        let has =
            |own: &BTreeSet<String>, key| text(key).is_some_and(|id| own.contains(id));
        match fact["kind"].as_str()? {
            "acceptance" => {
                let units = body["units"].as_array()?;
                let theirs = |unit: &Value| {
                    unit["unit"].as_str().is_some_and(|unit| self.units.contains(unit))
                };
                units.iter().all(theirs).then(|| fact.clone())
            }
            "unit_state" => {
                let mut kept = fact.clone();
                let units = kept["body"]["units"].as_array_mut()?;
                units.retain(|unit| {
                    unit.as_str().is_some_and(|unit| self.units.contains(unit))
                });
                (!units.is_empty()).then_some(kept)
            }
            "notice" => has(&self.notices, "id").then(|| fact.clone()),
            "incident_classification" => {
                has(&self.incidents, "incident").then(|| fact.clone())
            }
            "flex" => {
                let tranche = (text("contract")?.to_owned(), text("tranche")?.to_owned());
                self.tranches.contains(&tranche).then(|| fact.clone())
            }
            _ => None,
        }
    }
}

/// The lines of the record, or a tenant's part of them.
pub async fn answer(
    api: &Api,
    call: &Call,
    estate: &Estate,
    tenant: Option<&str>,
) -> Result<Value, Problem> {
    let text = text(&api.facts).await?;
    let facts = lines(estate, &text, &api.contracts(), tenant);
    let (facts, next) = super::page(api, call, "facts", facts)?;
    read::json(&FactsDocument { facts, next })
}

fn lines(
    estate: &Estate,
    text: &str,
    contracts: &[Versions],
    tenant: Option<&str>,
) -> Vec<Value> {
    let all = text.lines().filter_map(|line| serde_json::from_str(line).ok());
    let Some(tenant) = tenant else { return all.collect() };
    let own = Own::of(estate, tenant);
    let whose: Vec<Whose> = of_tenant(contracts, Some(tenant)).map(whose).collect();
    let mut beside = Part::of(&whose);
    let mut theirs: Vec<Value> = all
        .filter_map(|fact: Value| match own.part(&fact) {
            Some(part) => {
                beside.leave(&part);
                Some(part)
            }
            None => beside.read(&fact),
        })
        .collect();
    OwnNames::of(estate, tenant).facts(&mut theirs);
    theirs
}

fn whose(versions: &Versions) -> Whose {
    let all = versions.all().iter();
    let tranches: BTreeSet<String> = all
        .clone()
        .flat_map(|version| version.tranches.iter().map(|one| one.id.clone()))
        .collect();
    Whose {
        contract: versions.first().id.clone(),
        tranches: tranches.into_iter().collect(),
        power: all.clone().any(|version| version.power.mode != PowerMode::Included),
    }
}

/// A tenant's part of the record, as lines.
pub fn part(estate: &Estate, text: &str, contracts: &[Versions], tenant: &str) -> String {
    let facts = lines(estate, text, contracts, Some(tenant)).into_iter();
    facts.map(|fact| format!("{fact}\n")).collect()
}

/// The statements of a tenant's contracts, or of all: of every month that was cut off,
/// and of the one that goes on.
///
/// # Errors
///
/// When the run has only begun.
pub fn settled(
    api: &Api,
    estate: &Estate,
    text: &str,
    tenant: Option<&str>,
) -> Result<Vec<Statement>, Problem> {
    let site = api.speaker.board.site().ok_or(Failed::TooSoon)?;
    let at = api.speaker.clock.now();
    let mut made = Vec::new();
    let contracts = api.contracts();
    for versions in of_tenant(&contracts, tenant) {
        let part = part(estate, text, &contracts, &versions.first().customer);
        let facts = Facts::read(&part).map_err(|problems| {
            tracing::error!(event = "facts_unreadable", %problems);
            Kind::Internal.because("the record of facts cannot be read; see the log")
        })?;
        let one = std::slice::from_ref(versions);
        for settled in Tenancy::new(&site, one, &facts).settle(at) {
            made.extend(settled.statements);
        }
    }
    Ok(made)
}

/// The statements of a tenant's contracts, or of all.
pub async fn statements(
    api: &Api,
    estate: &Estate,
    tenant: Option<&str>,
) -> Result<Value, Problem> {
    let at = api.speaker.clock.now();
    let text = text(&api.facts).await?;
    let made = settled(api, estate, &text, tenant)?;
    let made = made.iter().map(|one| json!(one)).collect();
    read::json(&StatementsDocument { at, statements: made })
}

/// When each tranche of a tenant's contracts, or of all, will be there, and what hangs on
/// it.
///
/// # Errors
///
/// When the record of facts cannot be read.
pub async fn forecast(
    api: &Api,
    estate: &Estate,
    tenant: Option<&str>,
) -> Result<Value, Problem> {
    let at = api.speaker.clock.now();
    let text = text(&api.facts).await?;
    let contracts = api.contracts();
    let mut tranches = Vec::new();
    for versions in of_tenant(&contracts, tenant) {
        let lines = part(estate, &text, &contracts, &versions.first().customer);
        let stakes = stakes_of(estate, &lines, versions, at)?;
        tranches.extend(stakes.iter().map(|stake| stake.document(tenant.is_none())));
    }
    read::json(&ForecastDocument { at, tranches })
}

/// What hangs on the dates of a contract's tranches, by its part of the record.
///
/// # Errors
///
/// When the record of facts cannot be read.
pub fn stakes_of(
    estate: &Estate,
    lines: &str,
    versions: &Versions,
    now: Timestamp,
) -> Result<Vec<Stake>, Problem> {
    stakes(estate, lines, versions, now).map_err(|error| {
        tracing::error!(event = "stakes_not_made", error = format!("{error:#}"));
        Kind::Internal.because("what is at stake cannot be worked out; see the log")
    })
}

/// The contracts of a tenant, or all.
pub fn of_tenant<'a>(
    contracts: &'a [Versions],
    tenant: Option<&str>,
) -> impl Iterator<Item = &'a Versions> {
    contracts
        .iter()
        .filter(move |one| tenant.is_none_or(|tenant| one.first().customer == tenant))
}

/// The record: what the racks say, and what is known beside it; empty before the first
/// fact.
///
/// # Errors
///
/// When it cannot be read now.
pub async fn text(records: &Records) -> Result<String, Problem> {
    let racks = whole_lines(&records.racks).await?;
    match &records.beside {
        Some(beside) => Ok(together(&racks, &whole_lines(beside).await?)),
        None => Ok(racks),
    }
}

async fn whole_lines(path: &Path) -> Result<String, Problem> {
    match tokio::fs::read_to_string(path).await {
        Ok(text) => {
            // A line that is being written has not been said yet.
            let whole = text.rfind('\n').map_or(0, |end| end + 1);
            Ok(text[..whole].to_owned())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => {
            tracing::warn!(event = "facts_not_read", %error);
            Err(Kind::Unavailable.because("the record of facts cannot be read now"))
        }
    }
}
