//! The record that a site leaves over the whole term of a given contract.
//!
//! Units are trays of four GPUs, eighteen to a rack, which is a domain; capacity
//! without GPUs comes in suites. Racks are accepted together, some weeks after the
//! date agreed; trays and racks fail and come back; maintenance is announced; the
//! grid calls now and then; what is paid ahead is paid when it is due.

use settle::calendar::Period;
use settle::contract::{Contract, PowerMode, PriceUnit, Quantity, Tranche};
use settle::exact::{Exact, Rounding};
use units::Timestamp;

use super::log::{DAY, HOUR, Log, list};
use crate::seed::{Generator, generator};

/// How much happens under a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Incidents a day that change what units are, over the whole contract.
    pub incidents_a_day: i64,
}

impl Default for Pace {
    /// One unexpected stop in 29 days of a rack of 72 GPUs, for a thousand racks.
    fn default() -> Self {
        Self { incidents_a_day: 36 }
    }
}

/// GPUs of one tray.
const GPUS_OF_TRAY: i64 = 4;

/// Trays of one rack.
const TRAYS_OF_RACK: i64 = 18;

/// Suites that capacity without GPUs comes in.
const SUITES: i64 = 10;

/// How long incidents last, in seconds, and how often each: minutes to days.
const LASTS: [(i64, i64); 6] =
    [(180, 15), (1_500, 30), (7_200, 25), (6 * HOUR, 18), (DAY, 9), (4 * DAY, 3)];

/// A rack or a suite of a tranche.
struct Block {
    tranche: String,
    units: Vec<String>,
    accepted: i64,
    end: i64,
    /// When something goes on in it already.
    busy: Vec<(i64, i64)>,
}

/// The facts of the whole term of `contract`, as JSON lines.
pub fn term(contract: &Contract, seed: u64, pace: Pace) -> String {
    let mut log = Log::default();
    let mut blocks = Vec::new();
    for tranche in &contract.tranches {
        let draw = &mut generator(seed, &tranche.id);
        pay_ahead(contract, tranche, &mut log);
        blocks.extend(accept(draw, contract, tranche, &mut log));
    }
    maintain(&mut generator(seed, "maintenance"), &mut blocks, &mut log);
    call(&mut generator(seed, "grid"), &mut blocks, &mut log);
    lose_halls(&mut generator(seed, "halls"), &mut blocks, &mut log);
    fail(&mut generator(seed, "incidents"), pace, &mut blocks, &mut log);
    if contract.take_or_pay.share < Exact::whole(1) {
        for tranche in &contract.tranches {
            use_it(&mut generator(seed, "usage"), contract, tranche, &blocks, &mut log);
        }
    }
    indices(&mut generator(seed, "index"), contract, &blocks, &mut log);
    power(&mut generator(seed, "power"), contract, &blocks, &mut log);
    log.text()
}

fn pay_ahead(contract: &Contract, tranche: &Tranche, log: &mut Log) {
    let Some(prepayment) = &contract.prepayment else { return };
    let zone = &contract.zone;
    let start = zone.midnight(tranche.delivery);
    let end = zone.months_after(start, tranche.months);
    let seconds = i128::from((end - start).as_seconds());
    let times = match tranche.price.unit {
        PriceUnit::GpuHour => {
            Exact::ratio(i128::from(tranche.quantity.count()) * seconds, 3_600)
        }
        PriceUnit::MwMonth | PriceUnit::Flat => Exact::whole(i128::from(tranche.months)),
    };
    let minor = tranche.price.amount * times * prepayment.share;
    let minor = (minor * contract.currency.minor_per_unit()).rounded(Rounding::HalfUp);
    let amount = Exact::ratio(minor, 1) / contract.currency.minor_per_unit();
    let paid = start.as_unix_seconds() - prepayment.due_days_before_delivery * DAY;
    let body = format!(
        "{{\"amount\":\"{}\",\"currency\":\"{}\",\"for\":\"prepayment:{}\"}}",
        amount.to_text(),
        contract.currency.code,
        tranche.id
    );
    log.note("bank", "payment", (paid, Some(paid + 1)), paid + HOUR, body);
}

fn accept(
    draw: &mut Generator,
    contract: &Contract,
    tranche: &Tranche,
    log: &mut Log,
) -> Vec<Block> {
    let delivery = contract.zone.midnight(tranche.delivery).as_unix_seconds();
    // Between the day agreed and three weeks past the usual days of grace.
    let accepted = delivery + draw.integer(0..=36) * DAY + 12 * HOUR;
    let anchor = Timestamp::from_unix_seconds(accepted);
    let end = contract.zone.months_after(anchor, tranche.months).as_unix_seconds();
    let mut blocks: Vec<Block> = Vec::new();
    let mut written = Vec::new();
    let mut note = |blocks: &mut Vec<Block>, rack: i64, unit: String, size: String| {
        let domain = format!("{}-R{rack:04}", tranche.id);
        written.push(format!("{{\"unit\":\"{unit}\",{size},\"domain\":\"{domain}\"}}"));
        match blocks.get_mut(rack as usize - 1) {
            Some(block) => block.units.push(unit),
            None => blocks.push(Block {
                tranche: tranche.id.clone(),
                units: vec![unit],
                accepted,
                end,
                busy: Vec::new(),
            }),
        }
    };
    match tranche.quantity {
        Quantity::Gpus(gpus) => {
            let trays = (gpus + GPUS_OF_TRAY - 1) / GPUS_OF_TRAY;
            for tray in 0..trays {
                let (rack, slot) = (tray / TRAYS_OF_RACK + 1, tray % TRAYS_OF_RACK + 1);
                let size = GPUS_OF_TRAY.min(gpus - tray * GPUS_OF_TRAY);
                let unit = format!("{}-R{rack:04}-T{slot:02}", tranche.id);
                note(&mut blocks, rack, unit, format!("\"gpus\":{size}"));
            }
        }
        Quantity::Kilowatts(kilowatts) => {
            let suites = SUITES.min(kilowatts);
            for suite in 0..suites {
                let size = kilowatts * (suite + 1) / suites - kilowatts * suite / suites;
                let unit = format!("{}-S{:02}", tranche.id, suite + 1);
                note(&mut blocks, suite + 1, unit, format!("\"kw\":{size}"));
            }
        }
    }
    let body = format!(
        "{{\"contract\":\"{}\",\"tranche\":\"{}\",\"units\":[{}]}}",
        contract.id,
        tranche.id,
        written.join(",")
    );
    log.note("acceptance", "acceptance", (accepted, None), accepted + HOUR, body);
    let units: Vec<String> =
        blocks.iter().flat_map(|block| block.units.clone()).collect();
    state(log, &units, "available", None, (accepted, None), accepted + HOUR);
    blocks
}

/// Announced a week and a half ahead: a twentieth of the racks each month.
fn maintain(draw: &mut Generator, blocks: &mut [Block], log: &mut Log) {
    let Some((first, last)) = span(blocks) else { return };
    let mut number = 0;
    let mut month = first;
    while month < last {
        for _ in 0..blocks.len() / 20 {
            let from = month + draw.integer(10 * DAY..=28 * DAY);
            let to = from + draw.integer(1..=4) * HOUR;
            let Some(block) = idle(draw, blocks, from, to) else { continue };
            number += 1;
            let id = format!("PM-{number}");
            let body = format!("{{\"id\":\"{id}\",\"about\":\"planned_maintenance\"}}");
            log.note("desk", "notice", (from, Some(to)), from - 9 * DAY, body);
            state(log, &block.units, "planned", Some(&id), (from, Some(to)), from);
        }
        month += 30 * DAY;
    }
}

/// Three calls a year, of one to three hours, each of a few racks.
fn call(draw: &mut Generator, blocks: &mut [Block], log: &mut Log) {
    let Some((first, last)) = span(blocks) else { return };
    let mut number = 0;
    let mut at = first;
    loop {
        at += draw.integer(60 * DAY..=180 * DAY);
        let to = at + draw.integer(1..=3) * HOUR;
        if to > last {
            return;
        }
        number += 1;
        let id = format!("GRID-{number}");
        let body = format!("{{\"id\":\"{id}\"}}");
        log.note("grid", "grid_instruction", (at, Some(to)), at - 600, body);
        for _ in 0..(blocks.len() / 50).max(1) {
            let Some(block) = idle(draw, blocks, at, to) else { continue };
            state(log, &block.units, "grid", Some(&id), (at, Some(to)), at);
        }
    }
}

/// Twice a year a tranche loses half its racks for most of a day: a cooling loop, a
/// transformer.
fn lose_halls(draw: &mut Generator, blocks: &mut [Block], log: &mut Log) {
    let Some((first, last)) = span(blocks) else { return };
    let mut tranches: Vec<String> = blocks.iter().map(|b| b.tranche.clone()).collect();
    tranches.dedup();
    for tranche in tranches {
        let mut at = first;
        let mut number = 0;
        loop {
            at += draw.integer(90 * DAY..=270 * DAY);
            let to = at + draw.integer(6 * HOUR..=20 * HOUR);
            if to > last {
                break;
            }
            number += 1;
            let id = format!("HALL-{tranche}-{number}");
            let own = |block: &&mut Block| block.tranche == tranche;
            let hit: Vec<&mut Block> = blocks.iter_mut().filter(own).step_by(2).collect();
            let mut units = Vec::new();
            for block in hit {
                if take(block, at, to) {
                    units.extend(block.units.iter().cloned());
                }
            }
            if !units.is_empty() {
                state(log, &units, "down", Some(&id), (at, None), at + 60);
                state(log, &units, "available", None, (to, None), to + 60);
            }
        }
    }
}

/// A tray fails, a whole rack does, or a tray works and fails its checks.
fn fail(draw: &mut Generator, pace: Pace, blocks: &mut [Block], log: &mut Log) {
    let Some((first, last)) = span(blocks) else { return };
    let between = DAY / pace.incidents_a_day.max(1);
    let mut number = 0;
    let mut at = first;
    while at < last {
        at += draw.integer(1..=2 * between - 1);
        let to = at + lasts(draw);
        let Some(block) = idle(draw, blocks, at, to) else { continue };
        number += 1;
        let id = format!("INC-{number}");
        let (units, what) = match draw.integer(0..=19) {
            0 => (block.units.clone(), "down"),
            1 => (vec![draw.pick(&block.units).clone()], "degraded"),
            _ => (vec![draw.pick(&block.units).clone()], "down"),
        };
        state(log, &units, what, Some(&id), (at, None), at + draw.integer(5..=120));
        state(log, &units, "available", None, (to, None), to + draw.integer(5..=120));
    }
}

fn lasts(draw: &mut Generator) -> i64 {
    let of: i64 = LASTS.iter().map(|(_, weight)| weight).sum();
    let mut left = draw.integer(1..=of);
    for (about, weight) in LASTS {
        left -= weight;
        if left <= 0 {
            return draw.integer(about / 2..=about * 2);
        }
    }
    LASTS[0].0
}

/// Most of what is reserved, month by month.
fn use_it(
    draw: &mut Generator,
    contract: &Contract,
    tranche: &Tranche,
    blocks: &[Block],
    log: &mut Log,
) {
    let Quantity::Gpus(gpus) = tranche.quantity else { return };
    let Some(block) = blocks.iter().find(|block| block.tranche == tranche.id) else {
        return;
    };
    for (from, to) in months(contract, block.accepted, block.end) {
        let (from, to) = (from.max(block.accepted), to.min(block.end));
        let used = gpus * (to - from) / 100 * draw.integer(70..=102);
        let body = format!("{{\"tranche\":\"{}\",\"gpu_seconds\":{used}}}", tranche.id);
        log.note("usage", "usage", (from, Some(to)), to + HOUR, body);
    }
}

/// Every index that a price moves with, a value each month.
fn indices(draw: &mut Generator, contract: &Contract, blocks: &[Block], log: &mut Log) {
    let Some((_, last)) = span(blocks) else { return };
    let mut first = contract.zone.midnight(contract.effective).as_unix_seconds();
    first -= 40 * DAY;
    let mut known: Vec<&str> = Vec::new();
    for index in contract.tranches.iter().filter_map(|one| one.price.index.as_ref()) {
        if known.contains(&index.name.as_str()) {
            continue;
        }
        known.push(&index.name);
        let mut value = index.base;
        for (from, _) in months(contract, first, last) {
            let body = format!(
                "{{\"index\":\"{}\",\"value\":\"{}\"}}",
                index.name,
                value.to_text()
            );
            log.note("statistics", "index_value", (from, None), from, body);
            value = value * Exact::ratio(i128::from(1_000 + draw.integer(-2..=6)), 1_000);
            let tenths = (value * Exact::whole(10_000)).rounded(Rounding::HalfUp);
            value = Exact::ratio(tenths, 10_000);
        }
    }
}

/// Meters, prices and the utility's bill, month by month, where power is charged.
fn power(draw: &mut Generator, contract: &Contract, blocks: &[Block], log: &mut Log) {
    let Some((first, last)) = span(blocks) else { return };
    if contract.power.mode == PowerMode::Included {
        return;
    }
    for (from, to) in months(contract, first, last) {
        let mut sum = 0;
        for tranche in &contract.tranches {
            let watts = match tranche.quantity {
                Quantity::Gpus(gpus) => gpus * 2_500,
                Quantity::Kilowatts(kilowatts) => kilowatts * 1_000,
            };
            let wh = watts * ((to - from) / 3_600) / 100 * draw.integer(80..=97);
            sum += wh;
            let body = format!(
                "{{\"meter\":\"{0}\",\"wh\":{wh},\"tranche\":\"{0}\"}}",
                tranche.id
            );
            log.note("meters", "meter_interval", (from, Some(to)), to + HOUR, body);
        }
        let main = sum + sum / 100;
        let body = format!("{{\"meter\":\"main\",\"wh\":{main}}}");
        log.note("meters", "meter_interval", (from, Some(to)), to + HOUR, body);
        let cents = draw.integer(2_500..=6_500);
        let price = Exact::ratio(i128::from(cents), 100);
        if let Some(index) = &contract.power.index {
            let body =
                format!("{{\"index\":\"{index}\",\"per_mwh\":\"{}\"}}", price.to_text());
            log.note("market", "energy_price", (from, Some(to)), to + HOUR, body);
        }
        let billed = price * Exact::ratio(i128::from(main) * 101, 100_000_000);
        let billed = Exact::ratio((billed * Exact::whole(100)).floor(), 100);
        let body = format!(
            "{{\"amount\":\"{}\",\"number\":\"U-{}\"}}",
            billed.to_text(),
            from / DAY
        );
        log.note("utility", "utility_bill", (from, Some(to)), to + 12 * DAY, body);
    }
}

/// Notes that units are in a state.
fn state(
    log: &mut Log,
    units: &[String],
    what: &str,
    reference: Option<&str>,
    during: (i64, Option<i64>),
    known: i64,
) {
    let reference = reference.map_or(String::new(), |id| format!(",\"ref\":\"{id}\""));
    let body = format!("{{\"units\":{},\"state\":\"{what}\"{reference}}}", list(units));
    log.note("watch", "unit_state", during, known, body);
}

/// A block in which nothing goes on from `from` to `to`; from now on something does.
fn idle<'a>(
    draw: &mut Generator,
    blocks: &'a mut [Block],
    from: i64,
    to: i64,
) -> Option<&'a mut Block> {
    let place = draw.below(blocks.len() as u64) as usize;
    let block = &mut blocks[place];
    take(block, from, to).then_some(block)
}

/// Whether nothing goes on in a block from `from` to `to`; from now on something does.
fn take(block: &mut Block, from: i64, to: i64) -> bool {
    let in_service = block.accepted < from && to < block.end;
    let is_busy = block.busy.iter().any(|(start, end)| *start <= to && from <= *end);
    if !in_service || is_busy {
        return false;
    }
    block.busy.push((from, to));
    true
}

/// From the first acceptance to the last end.
fn span(blocks: &[Block]) -> Option<(i64, i64)> {
    let first = blocks.iter().map(|block| block.accepted).min()?;
    Some((first, blocks.iter().map(|block| block.end).max()?))
}

/// The calendar months that touch `[first, last)`.
fn months(contract: &Contract, first: i64, last: i64) -> Vec<(i64, i64)> {
    let at = Timestamp::from_unix_seconds;
    let mut period: Period = contract.zone.period(at(first));
    let mut found = Vec::new();
    loop {
        let month = contract.zone.month(period);
        if month.start >= at(last) {
            return found;
        }
        found.push((month.start.as_unix_seconds(), month.end.as_unix_seconds()));
        period = period.next();
    }
}
