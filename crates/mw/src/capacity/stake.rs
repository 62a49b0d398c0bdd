//! What the date of a tranche is worth: credits, and the long stop.
//!
//! A date that is foretold becomes a fact that is not there, and `settle` says what it
//! would come to; nothing here knows how a credit is worked out.

use engine::capacity::forecast::{Forecast, forecast};
use engine::capacity::meter::Says;
use engine::capacity::{Estate, NewFact, TrancheOf};
use serde::Serialize;
use settle::contract::{Hash, Quantity, Versions};
use settle::exact::Amount;
use settle::exposure::exposure;
use settle::facts::Facts;
use settle::settlement::Settlement;
use settle::statement::LineKind;
use units::Timestamp;
use utoipa::ToSchema;

/// One tranche, its date and what hangs on it.
#[derive(Clone, Debug)]
pub struct Stake {
    /// The contract.
    pub contract: String,
    /// What its credits are in.
    pub currency: String,
    /// As seen at this time.
    pub as_of: Timestamp,
    /// The tranche.
    pub tranche: String,
    /// GPUs in all.
    pub gpus: u32,
    /// When it was to be delivered.
    pub delivery: Timestamp,
    /// When a right to end it arises.
    pub long_stop: Option<Timestamp>,
    /// What is accepted, and when the rest will be.
    pub forecast: Forecast,
    /// Delay credits for what is accepted.
    pub credits_now: Amount,
    /// Delay credits in all if it goes as is likely; what has no date yet comes on top.
    /// Nothing where nothing is foretold.
    pub credits_likely: Option<Amount>,
    /// Delay credits in all if it goes badly.
    pub credits_cautious: Option<Amount>,
    /// What another day of delay costs now, where anything is owed already.
    pub another_day: Option<Amount>,
}

/// A tranche's dates and what hangs on them, as written for programs.
#[derive(Debug, Serialize, ToSchema)]
pub struct StakeDocument {
    /// The contract.
    pub contract: String,
    /// The tranche.
    pub tranche: String,
    /// As seen at this time.
    pub as_of: String,
    /// GPUs in all.
    pub gpus: u32,
    /// When it was to be delivered.
    pub delivery: String,
    /// When a right to end it arises.
    pub long_stop: Option<String>,
    /// GPUs that are left to be accepted.
    pub left_gpus: u32,
    /// GPUs for which there is no rack with a date.
    pub without_a_rack_gpus: u32,
    /// When all of it will likely be there; nothing while some has no date.
    pub likely: Option<String>,
    /// When it will be if it goes as badly as one in ten.
    pub cautious: Option<String>,
    /// The racks that bring it, by their likely dates; the site's people alone see them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub racks: Vec<RackDocument>,
    /// What the credits are in.
    pub currency: String,
    /// Delay credits in all for what is accepted.
    pub delay_credits_now: String,
    /// Delay credits in all if it goes as is likely, of what has a date.
    pub delay_credits_likely: Option<String>,
    /// Delay credits in all if it goes badly, of what has a date.
    pub delay_credits_cautious: Option<String>,
    /// What another day of delay costs now.
    pub another_day: Option<String>,
}

/// When one rack will be accepted, as written for programs.
#[derive(Debug, Serialize, ToSchema)]
pub struct RackDocument {
    /// The rack.
    pub rack: String,
    /// GPUs that it brings.
    pub gpus: u32,
    /// The phase of the tray that is furthest behind.
    pub phase: String,
    /// When it will likely be ready.
    pub likely: String,
    /// When it will be if it goes as badly as one in ten.
    pub cautious: String,
}

impl Stake {
    /// As written for programs.
    pub fn document(&self, with_racks: bool) -> StakeDocument {
        let complete = self.forecast.complete();
        let racks = self.forecast.racks.iter().filter(|_| with_racks);
        StakeDocument {
            contract: self.contract.clone(),
            tranche: self.tranche.clone(),
            as_of: self.as_of.to_string(),
            gpus: self.gpus,
            delivery: self.delivery.to_string(),
            long_stop: self.long_stop.map(|at| at.to_string()),
            left_gpus: self.forecast.left,
            without_a_rack_gpus: self.forecast.without,
            likely: complete.map(|(likely, _)| likely.to_string()),
            cautious: complete.map(|(_, cautious)| cautious.to_string()),
            racks: racks
                .map(|one| RackDocument {
                    rack: one.rack.clone(),
                    gpus: one.gpus,
                    phase: one.phase.to_owned(),
                    likely: one.likely.to_string(),
                    cautious: one.cautious.to_string(),
                })
                .collect(),
            currency: self.currency.clone(),
            delay_credits_now: self.credits_now.to_string(),
            delay_credits_likely: self.credits_likely.map(|amount| amount.to_string()),
            delay_credits_cautious: self
                .credits_cautious
                .map(|amount| amount.to_string()),
            another_day: self.another_day.map(|amount| amount.to_string()),
        }
    }
}

/// What hangs on the dates of a contract's tranches as seen at `now`, by the lines of its
/// facts and the terms of its last amendment.
///
/// # Errors
///
/// Facts of the estate that `settle` cannot read, which are a fault of this program.
pub fn stakes(
    estate: &Estate,
    facts: &str,
    versions: &Versions,
    now: Timestamp,
) -> anyhow::Result<Vec<Stake>> {
    // A look ahead goes by what was signed last, whenever that begins.
    let contract = versions.all().last().expect("a chain has a version");
    let known = Facts::read(facts)?;
    let exposures = exposure(versions, &known, now);
    let mut stakes = Vec::new();
    for terms in &contract.tranches {
        let Quantity::Gpus(gpus) = terms.quantity else { continue };
        let gpus = u32::try_from(gpus).unwrap_or(u32::MAX);
        let tranche =
            TrancheOf { contract: contract.id.clone(), tranche: terms.id.clone() };
        let forecast = forecast(estate, &tranche, gpus, now);
        let coming = !forecast.racks.is_empty();
        let with = |cautious: bool| -> anyhow::Result<Amount> {
            credits(estate, facts, versions, &tranche, &forecast, Some(cautious))
        };
        let exposed = exposures.iter().find(|one| one.tranche == terms.id);
        stakes.push(Stake {
            contract: contract.id.clone(),
            currency: contract.currency.code.clone(),
            as_of: now,
            tranche: terms.id.clone(),
            gpus,
            delivery: contract.zone.midnight(terms.delivery),
            long_stop: contract.delay.as_ref().and_then(|delay| {
                let days = delay.long_stop_days?;
                Some(contract.zone.midnight(terms.delivery.plus_days(days)))
            }),
            credits_now: credits(estate, facts, versions, &tranche, &forecast, None)?,
            credits_likely: coming.then(|| with(false)).transpose()?,
            credits_cautious: coming.then(|| with(true)).transpose()?,
            another_day: exposed.map(|one| one.delay_day),
            forecast,
        });
    }
    Ok(stakes)
}

/// The months after the last acceptance within which credits are used up: they lessen
/// fees, month by month.
const USED_UP_WITHIN: i32 = 24;

/// The delay credits of a tranche in all, with what is foretold or without.
fn credits(
    estate: &Estate,
    facts: &str,
    versions: &Versions,
    tranche: &TrancheOf,
    forecast: &Forecast,
    cautious: Option<bool>,
) -> anyhow::Result<Amount> {
    let mut facts = facts.to_owned();
    let known = Facts::read(&facts)?;
    let last = known.all().last();
    let mut last = last.map(|last| (last.seq, last.known_at));
    if let Some(cautious) = cautious {
        let mut racks: Vec<(Timestamp, &str, u32)> = forecast
            .racks
            .iter()
            .map(|rack| {
                let at = if cautious { rack.cautious } else { rack.likely };
                (at, rack.rack.as_str(), rack.gpus)
            })
            .collect();
        racks.sort_unstable();
        for (at, rack, gpus) in racks {
            // Facts stand in the order of their becoming known; what is foretold is last.
            let known_at = last.map_or(at, |(_, known_at)| known_at.max(at));
            let seq = last.map_or(1, |(seq, _)| seq + 1);
            last = Some((seq, known_at));
            let per_tray = estate
                .rack_named(rack)
                .map_or(1, |rack| estate.shape_of(rack).gpus_per_tray);
            let mut units = Vec::new();
            let mut left = gpus;
            while left > 0 {
                let size = left.min(u32::from(per_tray));
                left -= size;
                let size = u8::try_from(size).expect("at most 8 GPUs a tray");
                units.push((format!("{rack} foretold {left}"), size, String::new()));
            }
            let foretold = NewFact {
                valid_from: at,
                valid_to: None,
                known_at,
                says: Says::Acceptance {
                    tranche: tranche.clone(),
                    units,
                    domain: rack.to_owned(),
                    evidence: Hash::of(b"foretold"),
                },
            };
            facts.push_str(&foretold.line(seq, "site"));
        }
    }
    let read = Facts::read(&facts)?;
    let places = versions.first().currency.places;
    let Some((_, last)) = last else {
        return Ok(Amount::from_minor(0, places));
    };
    let period = versions.first().zone.period(last).plus(USED_UP_WITHIN);
    let as_of = settle::settlement::cut(versions.first(), period);
    let owed = Settlement::new(versions.clone(), read).owed(period, as_of);
    let minor = owed
        .iter()
        .filter(|((of, _, kind), _)| *of == tranche.tranche && *kind == LineKind::Delay)
        .map(|(_, amount)| amount.as_minor())
        .sum();
    Ok(Amount::from_minor(minor, places))
}
