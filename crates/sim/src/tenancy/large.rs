//! The record that the site of a large contract leaves: racks accepted around
//! their delivery dates, a steady run of incidents, maintenance with notice, grid
//! instructions, prepayments, and energy by the month.
//!
//! The rates are assumptions, not measurements: nine incidents in ten stop one tray
//! and the others a rack, a quarter for minutes, half for up to four hours; a quarter
//! are reported as they happen, and one in twenty is classified afterwards.

use settle::calendar::{Date, Period, Zone};
use units::Timestamp;

use super::Tenancy;
use super::log::{DAY, HOUR, Log, list};
use super::signed::decimal;
use crate::seed::{Generator, generator};

/// How large a contract is and how much happens under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// GPUs, in racks of 72, which are 18 trays of 4; rounded down to whole racks.
    pub gpus: i64,
    /// Months the record reaches over.
    pub months: i64,
    /// Incidents a day that change what a unit is.
    pub incidents_a_day: i64,
}

impl Scale {
    /// Four tranches of a campus: 76,032 GPUs in 1,056 racks over five years and a
    /// month.
    pub const CAMPUS: Self = Self { gpus: 76_032, months: 61, incidents_a_day: 36 };
}

const TRAYS: i64 = 18;
const GPUS_A_TRAY: i64 = 4;
const GPUS_A_RACK: i64 = TRAYS * GPUS_A_TRAY;
const TRANCHES_MAX: i64 = 4;
/// Hundredths of a dollar for a GPU-hour.
const PRICE: i64 = 240;
/// Service months of each tranche.
const TERM: i64 = 60;

/// A tranche and its racks, by their numbers.
struct Slice {
    id: String,
    racks: std::ops::Range<i64>,
    delivery: Date,
    months: i64,
}

/// Draws a large contract and its record.
pub(super) fn draw(seed: u64, scale: Scale) -> Tenancy {
    assert!(scale.gpus >= GPUS_A_RACK, "a large contract has at least one rack");
    assert!(scale.months >= 1, "a record reaches over at least a month");
    let zone = Zone::named("America/Chicago").expect("a zone");
    let first = Period::new(2026, 4).expect("a month");
    let last = first.plus(i32::try_from(scale.months - 1).expect("months"));
    let end = zone.month(last).end.as_unix_seconds();
    let slices = slices(scale, first);
    let mut log = Log::default();
    let mut accepted: Vec<i64> = Vec::new();
    for slice in &slices {
        accepted.extend(accept(&mut generator(seed, &slice.id), &zone, slice, &mut log));
        pay(&zone, slice, &mut log);
    }
    let site = Site { accepted, start: zone.month(first).start.as_unix_seconds(), end };
    site.incidents(&mut generator(seed, "incidents"), scale.incidents_a_day, &mut log);
    site.maintenance(&mut generator(seed, "maintenance"), &mut log);
    site.grid(&mut generator(seed, "grid"), &mut log);
    let mut period = first;
    while period <= last {
        energy(
            &mut generator(seed, &period.to_string()),
            &zone,
            period,
            &slices,
            &mut log,
        );
        period = period.next();
    }
    let as_of = log.last_known().max(end) + 10 * DAY;
    Tenancy {
        contracts: vec![contract(&slices)],
        facts: log.text(),
        as_of: Timestamp::from_unix_seconds(as_of),
    }
}

/// Racks in up to four tranches, a quarter of a year apart.
fn slices(scale: Scale, first: Period) -> Vec<Slice> {
    let racks = scale.gpus / GPUS_A_RACK;
    let count = TRANCHES_MAX.min(racks);
    (0..count)
        .map(|place| Slice {
            id: format!("H{}", place + 1),
            racks: racks * place / count..racks * (place + 1) / count,
            // None may begin after the record ends.
            delivery: first
                .plus(i32::try_from((place * 3).min(scale.months - 1)).expect("months"))
                .first_day(),
            months: TERM,
        })
        .collect()
}

fn tray(rack: i64, tray: i64) -> String {
    format!("r{rack:04}-t{tray:02}")
}

/// Each rack is accepted within six weeks of the tranche's delivery; returns when,
/// rack by rack.
fn accept(draw: &mut Generator, zone: &Zone, slice: &Slice, log: &mut Log) -> Vec<i64> {
    let delivery = zone.midnight(slice.delivery).as_unix_seconds();
    let mut accepted = Vec::new();
    for rack in slice.racks.clone() {
        // Most are there on the day; the rest follow in batches of a working day.
        let days = if draw.chance(600_000) { 0 } else { draw.integer(1..=42) };
        let at = delivery + days * DAY + 17 * HOUR;
        let units: Vec<String> = (0..TRAYS).map(|number| tray(rack, number)).collect();
        let listed: Vec<String> = units
            .iter()
            .map(|unit| {
                format!("{{\"unit\":\"{unit}\",\"gpus\":{GPUS_A_TRAY},\"domain\":\"r{rack:04}\"}}")
            })
            .collect();
        let body = format!(
            "{{\"contract\":\"CAMPUS-1\",\"tranche\":\"{}\",\"units\":[{}],\
             \"evidence\":\"burn-in r{rack:04}\"}}",
            slice.id,
            listed.join(",")
        );
        log.note("ops", "acceptance", (at, None), at + HOUR, body);
        let body = format!("{{\"units\":{},\"state\":\"available\"}}", list(&units));
        log.note("bmc", "unit_state", (at, None), at + HOUR, body);
        accepted.push(at);
    }
    accepted
}

/// A fifth of a tranche's value is paid sixty days before delivery.
fn pay(zone: &Zone, slice: &Slice, log: &mut Log) {
    let delivery = zone.midnight(slice.delivery).as_unix_seconds();
    let end = zone.midnight(slice.delivery.plus_months(slice.months)).as_unix_seconds();
    let gpus = (slice.racks.end - slice.racks.start) * GPUS_A_RACK;
    let value = i128::from(gpus) * i128::from(end - delivery) * i128::from(PRICE);
    // In hundredths; the term is a whole number of hours.
    let paid = i64::try_from(value / 3_600 / 5).expect("a prepayment in 64 bits");
    let at = delivery - 60 * DAY;
    let body = format!(
        "{{\"amount\":\"{}\",\"currency\":\"USD\",\"for\":\"prepayment:{}\"}}",
        decimal(paid),
        slice.id
    );
    log.note("bank", "payment", (at, None), at + 9 * HOUR, body);
}

/// The racks, when they were accepted, and the time the record covers.
struct Site {
    accepted: Vec<i64>,
    start: i64,
    end: i64,
}

impl Site {
    /// A rack that is in service at an instant, if the one drawn is.
    fn rack(&self, draw: &mut Generator, at: i64) -> Option<i64> {
        let rack = draw.below(self.accepted.len() as u64) as usize;
        (self.accepted[rack] < at).then_some(rack as i64)
    }

    /// Trays and racks fail, day after day.
    fn incidents(&self, draw: &mut Generator, a_day: i64, log: &mut Log) {
        let mut number = 0;
        let mut day = self.start;
        while day < self.end {
            for _ in 0..a_day {
                let from = day + draw.integer(0..=DAY - 1);
                let Some(rack) = self.rack(draw, from) else { continue };
                if from < self.end {
                    number += 1;
                    incident(draw, rack, from, number, log);
                }
            }
            day += DAY;
        }
    }

    /// Every fourth week a few racks are maintained, with ten days' notice.
    fn maintenance(&self, draw: &mut Generator, log: &mut Log) {
        let mut from = self.start + 30 * DAY + 6 * HOUR;
        let mut number = 0;
        while from < self.end {
            number += 1;
            let (id, to) = (format!("M{number}"), from + 6 * HOUR);
            let given = from - 10 * DAY;
            let body = format!("{{\"id\":\"{id}\",\"about\":\"planned_maintenance\"}}");
            log.note("ops", "notice", (from, Some(to)), given, body);
            for _ in 0..1 + self.accepted.len() / 50 {
                let Some(rack) = self.rack(draw, from) else { continue };
                let units: Vec<String> =
                    (0..TRAYS).map(|number| tray(rack, number)).collect();
                let until = to - draw.integer(0..=2 * HOUR);
                let body = format!(
                    "{{\"units\":{},\"state\":\"planned\",\"ref\":\"{id}\"}}",
                    list(&units)
                );
                log.note("ops", "unit_state", (from, Some(until)), until + 600, body);
            }
            from += 28 * DAY;
        }
    }

    /// A few times a year the grid operator has racks switched off for some hours.
    fn grid(&self, draw: &mut Generator, log: &mut Log) {
        let mut number = 0;
        let mut at = self.start + draw.integer(20..=120) * DAY;
        while at < self.end {
            number += 1;
            let (id, to) = (format!("G{number}"), at + draw.integer(1..=4) * HOUR);
            let body = format!("{{\"id\":\"{id}\"}}");
            log.note("grid", "grid_instruction", (at, Some(to)), at, body);
            for _ in 0..1 + self.accepted.len() / 20 {
                let Some(rack) = self.rack(draw, at) else { continue };
                let units: Vec<String> =
                    (0..TRAYS).map(|number| tray(rack, number)).collect();
                let body = format!(
                    "{{\"units\":{},\"state\":\"grid\",\"ref\":\"{id}\"}}",
                    list(&units)
                );
                log.note("ops", "unit_state", (at, Some(to)), to + 60, body);
            }
            at += draw.integer(60..=150) * DAY;
        }
    }
}

/// One incident: mostly a tray for minutes to hours, sometimes a rack or days.
fn incident(draw: &mut Generator, rack: i64, from: i64, number: u64, log: &mut Log) {
    let units: Vec<String> = match draw.chance(100_000) {
        true => (0..TRAYS).map(|number| tray(rack, number)).collect(),
        false => vec![tray(rack, draw.integer(0..=TRAYS - 1))],
    };
    let to = from
        + match draw.integer(0..=19) {
            0..=4 => draw.integer(20..=300),
            5..=14 => draw.integer(600..=4 * HOUR),
            15..=18 => draw.integer(4 * HOUR..=24 * HOUR),
            _ => draw.integer(DAY..=6 * DAY),
        };
    let state =
        *draw.pick(&["down", "down", "down", "down", "degraded", "customer_caused"]);
    let with = format!("\"units\":{},\"ref\":\"I{number}\"", list(&units));
    let body = format!("{{{with},\"state\":\"{state}\"}}");
    if draw.chance(250_000) {
        log.note("bmc", "unit_state", (from, None), from + 30, body);
        let body = format!("{{\"units\":{},\"state\":\"available\"}}", list(&units));
        log.note("bmc", "unit_state", (to, None), to + 30, body);
    } else {
        log.note("bmc", "unit_state", (from, Some(to)), to + 30, body);
    }
    if draw.chance(50_000) {
        let class = *draw.pick(&["down", "customer_caused", "degraded"]);
        let body = format!("{{\"incident\":\"I{number}\",\"class\":\"{class}\"}}");
        let known = to + draw.integer(HOUR..=20 * DAY);
        log.note("ops", "incident_classification", (from, None), known, body);
    }
}

/// A month's energy, its price and, three weeks later, the utility's bill.
fn energy(
    draw: &mut Generator,
    zone: &Zone,
    period: Period,
    slices: &[Slice],
    log: &mut Log,
) {
    let month = zone.month(period);
    let (from, to) = (month.start.as_unix_seconds(), month.end.as_unix_seconds());
    let mut sum = 0;
    for slice in slices {
        if zone.midnight(slice.delivery).as_unix_seconds() >= to {
            continue;
        }
        let gpus = (slice.racks.end - slice.racks.start) * GPUS_A_RACK;
        // A GPU with its part of the building draws 1.5 to 2 kW.
        let wh = gpus * draw.integer(1_500..=2_000) * ((to - from) / HOUR);
        sum += wh;
        let id = &slice.id;
        let body =
            format!("{{\"meter\":\"{id}-main\",\"wh\":{wh},\"tranche\":\"{id}\"}}");
        log.note("meters", "meter_interval", (from, Some(to)), to + HOUR, body);
    }
    let losses = sum / 1_000 * draw.integer(5..=15);
    let body = format!("{{\"meter\":\"main\",\"wh\":{}}}", sum + losses);
    log.note("meters", "meter_interval", (from, Some(to)), to + HOUR, body);
    let price = draw.integer(2_500..=5_500);
    let body = format!("{{\"index\":\"lmp\",\"per_mwh\":\"{}\"}}", decimal(price));
    log.note("market", "energy_price", (from, Some(to)), to + 2 * HOUR, body);
    let bill = (sum + losses) / 1_000_000 * (price + draw.integer(-200..=200));
    let body = format!("{{\"amount\":\"{}\",\"number\":\"U-{period}\"}}", decimal(bill));
    log.note("utility", "utility_bill", (from, Some(to)), to + 21 * DAY, body);
}

fn contract(slices: &[Slice]) -> String {
    let mut text = String::from(
        "schema = \"capacity-contract/1\"\nid = \"CAMPUS-1\"\nsupersedes = \"\"\n\
         supplier = \"site-co\"\ncustomer = \"hyperscaler-a\"\ncurrency = \"USD\"\n\
         timezone = \"America/Chicago\"\neffective = 2026-01-15\n\
         [billing]\nperiod = \"calendar-month\"\nmode = \"arrears\"\ngrace_days = 5\n\
         due_days = 30\nrestate_limit_months = 24\n\
         [sla]\nbasis = \"gpu-seconds\"\ntarget = \"0.995\"\n\
         tiers = [{ below = \"0.995\", credit = \"0.05\" }, \
         { below = \"0.99\", credit = \"0.10\" }, { below = \"0.95\", credit = \"0.25\" }]\n\
         month_cap = \"0.25\"\nyear_cap = \"0.10\"\nmin_incident_seconds = 300\n\
         [sla.excused]\n\
         planned_maintenance = { notice_hours = 168, hours_per_month = 8 }\n\
         grid_emergency = { evidence = \"operator-instruction\", hours_per_year = 40 }\n\
         force_majeure = { notice_hours = 48 }\ncustomer_caused = {}\n\
         [prepayment]\npercent = \"20\"\ndue = \"days-before-delivery:60\"\n\
         credit_from = 25\ncredit_over = 36\nrefundable = \"on-supplier-termination\"\n\
         [delay]\ngrace_days = 15\n\
         credit = { per_day = \"0.005\", of = \"monthly-fee\", cap_days = 60 }\n\
         long_stop_days = 120\n\
         [power]\nmode = \"pass-through\"\nindex = \"lmp\"\n\
         true_up = \"on-utility-invoice\"\n",
    );
    for slice in slices {
        let gpus = (slice.racks.end - slice.racks.start) * GPUS_A_RACK;
        text.push_str(&format!(
            "[[tranche]]\nid = \"{}\"\ngpus = {gpus}\n\
             price = {{ unit = \"gpu-hour\", amount = \"{}\" }}\ndelivery = {}\nmonths = {}\n",
            slice.id,
            decimal(PRICE),
            slice.delivery,
            slice.months
        ));
    }
    text
}
