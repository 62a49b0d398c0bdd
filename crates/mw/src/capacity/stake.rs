//! What the date of a tranche is worth: credits, and the long stop.
//!
//! A date that is foretold becomes a fact that is not there, and `settle` says what it
//! would come to; nothing here knows how a credit is worked out.

use engine::capacity::forecast::{Forecast, forecast};
use engine::capacity::meter::Says;
use engine::capacity::{Estate, NewFact, TrancheOf};
use settle::contract::{Hash, Quantity, Versions};
use settle::exact::Amount;
use settle::exposure::exposure;
use settle::facts::Facts;
use settle::settlement::Settlement;
use settle::statement::LineKind;
use units::Timestamp;

/// One tranche, its date and what hangs on it.
#[derive(Clone, Debug)]
pub struct Stake {
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
    /// Delay credits in all if it goes as is likely.
    pub credits_likely: Option<Amount>,
    /// Delay credits in all if it goes badly.
    pub credits_cautious: Option<Amount>,
    /// What another day of delay costs now, where anything is owed already.
    pub another_day: Option<Amount>,
}

/// What hangs on the dates of a contract's tranches, by the lines of its facts.
///
/// # Errors
///
/// Facts of the estate that `settle` cannot read, which are a fault of this program.
pub fn stakes(
    estate: &Estate,
    facts: &str,
    versions: &Versions,
) -> anyhow::Result<Vec<Stake>> {
    let contract = versions.first();
    let known = Facts::read(facts)?;
    let exposures = exposure(versions, &known, estate.known());
    let mut stakes = Vec::new();
    for terms in &contract.tranches {
        let Quantity::Gpus(gpus) = terms.quantity else { continue };
        let gpus = u32::try_from(gpus).unwrap_or(u32::MAX);
        let tranche =
            TrancheOf { contract: contract.id.clone(), tranche: terms.id.clone() };
        let forecast = forecast(estate, &tranche, gpus);
        let complete = forecast.complete();
        let with = |cautious: bool| -> anyhow::Result<Amount> {
            credits(estate, facts, versions, &tranche, &forecast, Some(cautious))
        };
        let exposed = exposures.iter().find(|one| one.tranche == terms.id);
        stakes.push(Stake {
            tranche: terms.id.clone(),
            gpus,
            delivery: contract.zone.midnight(terms.delivery),
            long_stop: contract.delay.as_ref().and_then(|delay| {
                let days = delay.long_stop_days?;
                Some(contract.zone.midnight(terms.delivery.plus_days(days)))
            }),
            credits_now: credits(estate, facts, versions, &tranche, &forecast, None)?,
            credits_likely: complete.map(|_| with(false)).transpose()?,
            credits_cautious: complete.map(|_| with(true)).transpose()?,
            another_day: exposed.map(|one| one.delay_day),
            forecast,
        });
    }
    Ok(stakes)
}

/// The delay credits of a tranche, with what is foretold or without.
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
    let period = versions.first().zone.period(last);
    let as_of = settle::settlement::cut(versions.first(), period);
    let owed = Settlement::new(versions.clone(), read).owed(period, as_of);
    let minor = owed
        .iter()
        .filter(|((of, _, kind), _)| *of == tranche.tranche && *kind == LineKind::Delay)
        .map(|(_, amount)| amount.as_minor())
        .sum();
    Ok(Amount::from_minor(minor, places))
}
