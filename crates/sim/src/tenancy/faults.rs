//! What is wrong with a record: duplicates, contradictions, clocks, strangers.

use super::happenings::acceptance;
use super::log::{DAY, Entry, HOUR, Log};
use super::signed::{PowerTerms, Signed};
use crate::seed::{Generator, generator};

/// What goes wrong with a record.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Contradiction,
    UnknownUnit,
    UnknownTranche,
    ClockOff,
    ClockAhead,
    NegativeDuration,
    OverlappingAcceptance,
    TooMuch,
    TooEarly,
    UsageAcrossEdge,
    NegativeEnergy,
    AboveMain,
}

const FAULTS: [Fault; 12] = [
    Fault::Contradiction,
    Fault::UnknownUnit,
    Fault::UnknownTranche,
    Fault::ClockOff,
    Fault::ClockAhead,
    Fault::NegativeDuration,
    Fault::OverlappingAcceptance,
    Fault::TooMuch,
    Fault::TooEarly,
    Fault::UsageAcrossEdge,
    Fault::NegativeEnergy,
    Fault::AboveMain,
];

/// Spoils a record: some of its facts come twice, and in a share of worlds a few
/// are wrong, most of which somebody then decides about.
pub(super) fn spoil(seed: u64, signed: &Signed, log: &mut Log) {
    let draw = &mut generator(seed, "faults");
    repeat(draw, log);
    if !draw.chance(350_000) {
        return;
    }
    for _ in 0..draw.integer(1..=3) {
        let fault = *draw.pick(&FAULTS);
        let Some(place) = plant(draw, signed, fault, log) else { continue };
        let entry = log.entries[place].clone();
        if draw.chance(850_000) {
            decide(draw, fault, &entry, log);
        }
    }
}

/// Some facts are sent again, as they were.
fn repeat(draw: &mut Generator, log: &mut Log) {
    for place in 0..log.entries.len() {
        if draw.chance(20_000) {
            let mut again = log.entries[place].clone();
            again.known += draw.integer(0..=20 * DAY);
            log.entries.push(again);
        }
    }
}

/// Somebody decides about a fact that was set aside: it is dropped, or let in where
/// that has a meaning.
fn decide(draw: &mut Generator, fault: Fault, entry: &Entry, log: &mut Log) {
    let may_be_let_in = match fault {
        Fault::Contradiction
        | Fault::ClockOff
        | Fault::ClockAhead
        | Fault::NegativeDuration
        | Fault::TooMuch
        | Fault::TooEarly => true,
        Fault::UnknownUnit
        | Fault::UnknownTranche
        | Fault::OverlappingAcceptance
        | Fault::UsageAcrossEdge
        | Fault::NegativeEnergy
        | Fault::AboveMain => false,
    };
    let verb =
        if may_be_let_in && draw.chance(500_000) { "quarantine" } else { "discard" };
    let body = format!(
        "{{\"approves\":\"{verb}:{}/{}\",\"by\":\"Ada\"}}",
        entry.source, entry.source_seq
    );
    let known = entry.known + draw.integer(0..=8 * DAY);
    log.note("finance", "approval", (known, None), known, body);
}

/// Plants a fault; returns the place of the fact that is wrong.
fn plant(
    draw: &mut Generator,
    signed: &Signed,
    fault: Fault,
    log: &mut Log,
) -> Option<usize> {
    let slice = &signed.slices[draw.below(signed.slices.len() as u64) as usize];
    let unit = slice.units[0].name.clone();
    let delivery = signed.zone.midnight(slice.delivery).as_unix_seconds();
    let at = draw.integer(delivery + 46 * DAY..=signed.end().max(delivery + 47 * DAY));
    let down = format!("{{\"unit\":\"{unit}\",\"state\":\"down\",\"ref\":\"F\"}}");
    let stretch = (at, Some(at + draw.integer(HOUR..=9 * HOUR)));
    let known = at + 10 * HOUR;
    Some(match fault {
        Fault::Contradiction => {
            let states: Vec<usize> = (0..log.entries.len())
                .filter(|place| {
                    let entry = &log.entries[*place];
                    entry.kind == "unit_state" && entry.to.is_some()
                })
                .collect();
            if states.is_empty() {
                return None;
            }
            let mut other = log.entries[*draw.pick(&states)].clone();
            other.to = other.to.map(|to| to + draw.integer(1..=DAY));
            other.known += draw.integer(DAY..=9 * DAY);
            log.entries.push(other);
            log.entries.len() - 1
        }
        Fault::UnknownUnit => {
            let body = "{\"unit\":\"nobody\",\"state\":\"down\"}".to_owned();
            log.note("bmc", "unit_state", stretch, known, body)
        }
        Fault::UnknownTranche => {
            let body = "{\"tranche\":\"H9\",\"period\":\"2026-05\"}".to_owned();
            log.note("tenant", "dispute", (known, None), known, body)
        }
        Fault::ClockOff => {
            let place = log.note("bmc", "unit_state", stretch, known, down);
            log.entries[place].clock_offset = Some(*draw.pick(&[-3, 3, 600, 2, -2]));
            place
        }
        Fault::ClockAhead => {
            let ahead = *draw.pick(&[300, 301, 4_000]);
            log.note("bmc", "unit_state", stretch, at - ahead, down)
        }
        Fault::NegativeDuration => {
            let backwards = (at, Some(at - draw.integer(0..=HOUR)));
            log.note("bmc", "unit_state", backwards, known, down)
        }
        Fault::OverlappingAcceptance => {
            let other = signed.slices.iter().find(|other| other.id != slice.id)?;
            if other.is_gpus != slice.is_gpus {
                return None;
            }
            let body = acceptance(other, [(unit.as_str(), 1, "elsewhere")]);
            log.note("ops", "acceptance", (at, None), known, body)
        }
        Fault::TooMuch => {
            let size = slice.quantity() + 1;
            let name = format!("{}-extra", slice.id);
            let body = acceptance(slice, [(name.as_str(), size, "extra")]);
            log.note("ops", "acceptance", (at, None), known, body)
        }
        Fault::TooEarly => {
            let at = delivery - draw.integer(1..=3 * DAY);
            let unit = &slice.units[slice.units.len() - 1];
            let body = acceptance(
                slice,
                [(unit.name.as_str(), unit.size, unit.domain.as_str())],
            );
            log.note("ops", "acceptance", (at, None), known, body)
        }
        Fault::UsageAcrossEdge => {
            let month = signed
                .zone
                .month(signed.zone.period(units::Timestamp::from_unix_seconds(at)));
            let edge = month.end.as_unix_seconds();
            let body = format!("{{\"tranche\":\"{}\",\"gpu_seconds\":5}}", slice.id);
            log.note("usage", "usage", (edge - HOUR, Some(edge + 1)), edge + DAY, body)
        }
        Fault::NegativeEnergy => {
            let body =
                format!("{{\"meter\":\"odd\",\"wh\":-5,\"tranche\":\"{}\"}}", slice.id);
            log.note("meters", "meter_interval", stretch, known, body)
        }
        Fault::AboveMain => {
            if signed.power == PowerTerms::Included {
                return None;
            }
            let mains: Vec<Entry> = log
                .entries
                .iter()
                .filter(|entry| entry.body.starts_with("{\"meter\":\"main\""))
                .cloned()
                .collect();
            let main = draw.pick(&mains).clone();
            let body = format!(
                "{{\"meter\":\"odd\",\"wh\":90000000,\"tranche\":\"{}\"}}",
                slice.id
            );
            log.note(
                "meters",
                "meter_interval",
                (main.from, main.to),
                main.known + HOUR,
                body,
            )
        }
    })
}
