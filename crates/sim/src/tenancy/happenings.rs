//! What happens under a small contract: acceptance, incidents with their evidence,
//! use, power, money and decisions.

use settle::calendar::Period;
use units::Timestamp;

use super::log::{DAY, HOUR, Log, list};
use super::signed::{PowerTerms, Signed, Slice, decimal};
use crate::seed::{Generator, generator};

/// Notes everything that happens, as a careful site would report it.
pub(super) fn happen(seed: u64, signed: &Signed, log: &mut Log) {
    for slice in &signed.slices {
        let draw = &mut generator(seed, &slice.id);
        let anchor = accept(draw, signed, slice, log);
        incidents(draw, signed, slice, anchor, log);
        let draw_apart = &mut generator(seed, &format!("{} replaced", slice.id));
        replacements(draw_apart, signed, slice, anchor, log);
        usage(draw, signed, slice, anchor, log);
        payments(draw, signed, slice, log);
        requests(draw, signed, slice, log);
        ends(draw, signed, slice, anchor, log);
    }
    index_values(&mut generator(seed, "index"), signed, log);
    power(&mut generator(seed, "power"), signed, log);
    amendments(&mut generator(seed, "amendments"), signed, log);
    neighbours(&mut generator(seed, "neighbours"), signed, log);
}

/// How long after it was over something becomes known: soon, or late.
fn lag(draw: &mut Generator) -> i64 {
    match draw.integer(0..=19) {
        0 => draw.integer(DAY..=70 * DAY),
        1 => draw.integer(HOUR..=9 * DAY),
        _ => draw.integer(0..=HOUR),
    }
}

fn midnight(signed: &Signed, date: settle::calendar::Date) -> i64 {
    signed.zone.midnight(date).as_unix_seconds()
}

fn month(signed: &Signed, period: Period) -> (i64, i64) {
    let month = signed.zone.month(period);
    (month.start.as_unix_seconds(), month.end.as_unix_seconds())
}

/// The units of a slice are accepted in a few batches; returns the first instant.
fn accept(draw: &mut Generator, signed: &Signed, slice: &Slice, log: &mut Log) -> i64 {
    let delivery = midnight(signed, slice.delivery);
    let mut rest = slice.units.as_slice();
    let mut at = match draw.integer(0..=5) {
        0 if slice.early => delivery - draw.integer(1..=4) * DAY,
        0..=2 => delivery,
        3 => delivery + draw.integer(0..=3 * DAY),
        _ => delivery + draw.integer(0..=45 * DAY),
    };
    let first = at;
    while !rest.is_empty() {
        let count = draw.integer(1..=rest.len() as i64) as usize;
        let (batch, others) = rest.split_at(count);
        rest = others;
        let known = at + draw.integer(0..=DAY);
        let body = acceptance(
            slice,
            batch
                .iter()
                .map(|unit| (unit.name.as_str(), unit.size, unit.domain.as_str())),
        );
        log.note("ops", "acceptance", (at, None), known, body);
        let names: Vec<String> = batch.iter().map(|unit| unit.name.clone()).collect();
        if draw.chance(950_000) {
            let from =
                if draw.chance(950_000) { at } else { at + draw.integer(1..=4 * HOUR) };
            let body = format!("{{\"units\":{},\"state\":\"available\"}}", list(&names));
            log.note("bmc", "unit_state", (from, None), known.max(from), body);
        }
        if draw.chance(60_000) {
            // The acceptance was written down wrong: a correction moves it.
            let moved = (at + draw.integer(-2..=10) * DAY).max(delivery);
            let unit = &batch[0];
            let body = acceptance(
                slice,
                [(unit.name.as_str(), unit.size, unit.domain.as_str())],
            );
            let known = known.max(moved) + lag(draw);
            log.note("ops", "acceptance", (moved, None), known, body);
        }
        at += draw.integer(1..=30 * DAY);
    }
    first
}

/// The body of an acceptance of units with their size and domain.
pub(super) fn acceptance<'u>(
    slice: &Slice,
    units: impl IntoIterator<Item = (&'u str, i64, &'u str)>,
) -> String {
    let size = if slice.is_gpus { "gpus" } else { "kw" };
    let units: Vec<String> = units
        .into_iter()
        .map(|(name, count, domain)| {
            format!("{{\"unit\":\"{name}\",\"{size}\":{count},\"domain\":\"{domain}\"}}")
        })
        .collect();
    format!(
        "{{\"contract\":\"CAP-1\",\"tranche\":\"{}\",\"units\":[{}]}}",
        slice.id,
        units.join(",")
    )
}

/// Units of a slice fail for good and others come in their place, once or one after
/// another; some are written down wrong at first, or too much comes.
fn replacements(
    draw: &mut Generator,
    signed: &Signed,
    slice: &Slice,
    anchor: i64,
    log: &mut Log,
) {
    if !draw.chance(400_000) {
        return;
    }
    // Of every place, who has it: a unit may come back after another.
    let mut places: Vec<(String, i64, String)> = slice
        .units
        .iter()
        .map(|unit| (unit.name.clone(), unit.size, unit.domain.clone()))
        .collect();
    let mut spares: Vec<String> = Vec::new();
    let mut at = anchor + 80 * DAY;
    for number in 0..draw.integer(1..=5) {
        at += draw.integer(DAY..=40 * DAY);
        if at >= signed.end() {
            return;
        }
        let place = draw.below(places.len() as u64) as usize;
        let (left, size, domain) = places[place].clone();
        let failed = at - draw.integer(1..=5 * DAY);
        let state = *draw.pick(&["down", "down", "customer_caused", "degraded"]);
        let body = format!(
            "{{\"unit\":\"{left}\",\"state\":\"{state}\",\"ref\":\"R{number}\"}}"
        );
        log.note("bmc", "unit_state", (failed, None), failed + HOUR, body);
        let name = match spares.pop() {
            Some(spare) if draw.chance(300_000) => spare,
            Some(_) | None => format!("{}-r{number}", slice.id),
        };
        let size = if draw.chance(100_000) { (size - 1).max(1) } else { size };
        let unit = (name.as_str(), size, domain.as_str());
        // It may say more than is needed, and rarely the wrong one.
        let mut replaces = vec![left.clone()];
        if draw.chance(200_000) {
            replaces.push(draw.pick(&places).0.clone());
        }
        if draw.chance(50_000) {
            replaces.insert(0, "nobody".to_owned());
        }
        if draw.chance(30_000) {
            replaces.clear();
        }
        replaces.sort_unstable();
        replaces.dedup();
        replaces.retain(|other| *other != name);
        let accepted = |replaces: &[String]| {
            let plain = acceptance(slice, [unit]);
            let names = list(replaces);
            plain.replacen('{', &format!("{{\"replaces\":{names},"), 1)
        };
        let known = at + lag(draw);
        log.note("ops", "acceptance", (at, None), known, accepted(&replaces));
        let body = format!("{{\"unit\":\"{name}\",\"state\":\"available\"}}");
        log.note("bmc", "unit_state", (at, None), known, body);
        if draw.chance(100_000) {
            let moved = at + draw.integer(-10 * HOUR..=3 * DAY);
            let known = known.max(moved) + lag(draw);
            log.note("ops", "acceptance", (moved, None), known, accepted(&replaces));
        }
        spares.push(std::mem::replace(&mut places[place], (name, size, domain)).0);
    }
}

/// Units of a slice fail, are maintained, instructed, capped, lost sight of.
fn incidents(
    draw: &mut Generator,
    signed: &Signed,
    slice: &Slice,
    anchor: i64,
    log: &mut Log,
) {
    let end = signed.end();
    let months = (end - anchor) / (30 * DAY);
    for number in 0..draw.integer(0..=(2 + months * 3).max(2)) {
        let from = draw.integer(anchor..=(end - 1).max(anchor));
        // A month's edge is where most goes wrong.
        let from = match draw.chance(100_000) {
            true => {
                let period = signed.zone.period(Timestamp::from_unix_seconds(from));
                month(signed, period).0 - draw.integer(0..=600)
            }
            false => from,
        };
        let length = match draw.integer(0..=3) {
            0 => draw.integer(1..=900),
            1 | 2 => draw.integer(600..=12 * HOUR),
            _ => draw.integer(HOUR..=12 * DAY),
        };
        let count = draw.integer(1..=slice.units.len() as i64) as usize;
        let first = draw.below(slice.units.len() as u64) as usize;
        let mut units: Vec<String> = (0..count)
            .map(|step| slice.units[(first + step) % slice.units.len()].name.clone())
            .collect();
        if draw.chance(500_000) {
            units.truncate(1);
        }
        let reference = format!("{}-i{number}", slice.id);
        incident(draw, signed, slice, &units, (from, from + length), &reference, log);
    }
}

fn incident(
    draw: &mut Generator,
    signed: &Signed,
    slice: &Slice,
    units: &[String],
    (from, to): (i64, i64),
    reference: &str,
    log: &mut Log,
) {
    let kinds = [
        "down",
        "down",
        "down",
        "degraded",
        "planned",
        "planned",
        "grid",
        "grid",
        "force_majeure",
        "customer_caused",
        "available",
        "unknown",
        "not_accepted",
        "flex",
    ];
    let mut kind = *draw.pick(&kinds);
    if kind == "unknown" && draw.chance(800_000) {
        kind = "down";
    }
    let with = format!("\"units\":{},\"ref\":\"{reference}\"", list(units));
    let mut known = to + lag(draw);
    match kind {
        "planned" => {
            let margin = draw.pick(&[-3_600, 0, 0, 1, 36_000]);
            let start = from - draw.integer(0..=2 * HOUR);
            let given = start - signed.notice_hours * HOUR - margin;
            let window = (start, Some(to - draw.integer(0..=600).min(to - start - 1)));
            let body =
                format!("{{\"id\":\"{reference}\",\"about\":\"planned_maintenance\"}}");
            log.note("ops", "notice", window, given, body);
        }
        "grid" => {
            let window = (from - draw.integer(-60..=600).min(0), Some(to));
            let window = (window.0.min(to - 1), window.1);
            let body = format!("{{\"id\":\"{reference}\"}}");
            if draw.chance(900_000) {
                log.note(
                    "grid",
                    "grid_instruction",
                    window,
                    from + draw.integer(0..=HOUR),
                    body,
                );
            }
        }
        "force_majeure" => {
            let given = from + draw.integer(0..=60) * HOUR;
            let body = format!("{{\"id\":\"{reference}\",\"about\":\"force_majeure\"}}");
            log.note("ops", "notice", (from, Some(to)), given, body);
        }
        "flex" => {
            let watts = draw.pick(&[899, 900, 700]);
            let body = format!(
                "{{\"units\":{},\"state\":\"available\",\"cap_w_per_gpu\":{watts}}}",
                list(units)
            );
            log.note("bmc", "unit_state", (from, Some(to)), known, body);
            if draw.chance(700_000) {
                let body =
                    format!("{{\"id\":\"{reference}\",\"tranche\":\"{}\"}}", slice.id);
                let window = (from - draw.integer(-300..=300), Some(to));
                let window = (window.0.min(to - 1), window.1);
                log.note("ops", "flex", window, known, body);
            }
            return;
        }
        _ => {}
    }
    let body = format!("{{{with},\"state\":\"{kind}\"}}");
    if draw.chance(300_000) && kind != "not_accepted" && kind != "unknown" {
        // Reported as it happens: open, and over when the units are back.
        log.note("bmc", "unit_state", (from, None), from + draw.integer(0..=600), body);
        let body = format!("{{\"units\":{},\"state\":\"available\"}}", list(units));
        log.note("bmc", "unit_state", (to, None), known, body);
    } else {
        log.note("bmc", "unit_state", (from, Some(to)), known, body);
    }
    if draw.chance(200_000) {
        // A finding that comes later, sometimes twice.
        for _ in 0..draw.integer(1..=2) {
            known += draw.integer(0..=9 * DAY);
            let class = draw.pick(&[
                "down",
                "degraded",
                "planned",
                "grid",
                "force_majeure",
                "customer_caused",
            ]);
            let evidence = match draw.chance(300_000) {
                true => format!(",\"ref\":\"{}-i{}\"", slice.id, draw.integer(0..=9)),
                false => String::new(),
            };
            let body = format!(
                "{{\"incident\":\"{reference}\",\"class\":\"{class}\"{evidence}}}"
            );
            log.note("ops", "incident_classification", (from, None), known, body);
        }
    }
    if draw.chance(60_000) {
        // Seen again, better: another length.
        let length = draw.integer(1..=2 * (to - from));
        let body = format!("{{{with},\"state\":\"down\"}}");
        log.note(
            "bmc",
            "unit_state",
            (from, Some(from + length)),
            known + lag(draw),
            body,
        );
    }
}

/// What the customer used, month by month, where that is what is paid.
fn usage(
    draw: &mut Generator,
    signed: &Signed,
    slice: &Slice,
    anchor: i64,
    log: &mut Log,
) {
    if !signed.has_usage || !slice.is_hourly {
        return;
    }
    let gpus: i64 = slice.units.iter().map(|unit| unit.size).sum();
    let mut period = signed.zone.period(Timestamp::from_unix_seconds(anchor));
    while period <= signed.last {
        let (from, to) = month(signed, period);
        let from = from.max(anchor);
        let middle = if draw.chance(400_000) { draw.integer(from..=to) } else { to };
        for (from, to) in [(from, middle), (middle, to)] {
            if from < to && draw.chance(992_000) {
                let mut used = |log: &mut Log, known| {
                    let share = draw.integer(20..=125);
                    let used = gpus * (to - from) * share / 100;
                    let body = format!(
                        "{{\"tranche\":\"{}\",\"gpu_seconds\":{used}}}",
                        slice.id
                    );
                    log.note("usage", "usage", (from, Some(to)), known, body);
                    draw.chance(60_000)
                };
                if used(log, to + 600) {
                    used(log, to + 12 * DAY);
                }
            }
        }
        period = period.next();
    }
}

/// The prepayment of a slice arrives, mostly in full and ahead.
fn payments(draw: &mut Generator, signed: &Signed, slice: &Slice, log: &mut Log) {
    if signed.prepaid == 0 {
        return;
    }
    let delivery = midnight(signed, slice.delivery);
    for _ in 0..draw.integer(0..=3) {
        let at = delivery + draw.integer(-60..=50) * DAY;
        let amount = match signed.places {
            0 => draw.integer(1_000..=900_000).to_string(),
            _ => decimal(draw.integer(10_000..=90_000_000)),
        };
        let body = format!(
            "{{\"amount\":\"{amount}\",\"currency\":\"{}\",\"for\":\"prepayment:{}\"}}",
            signed.currency, slice.id
        );
        log.note("bank", "payment", (at, None), at + lag(draw), body);
    }
    if draw.chance(300_000) {
        let body = format!(
            "{{\"amount\":\"17\",\"currency\":\"{}\",\"for\":\"CAP-1-0001\"}}",
            signed.currency
        );
        log.note("bank", "payment", (delivery, None), delivery + lag(draw), body);
    }
}

/// Claims and disputes.
fn requests(draw: &mut Generator, signed: &Signed, slice: &Slice, log: &mut Log) {
    let mut period = slice.delivery.period();
    while period <= signed.last {
        let (_, end) = month(signed, period);
        let body = format!("{{\"tranche\":\"{}\",\"period\":\"{period}\"}}", slice.id);
        if let Some(days) = signed.claim_days
            && draw.chance(700_000)
        {
            let known = match draw.chance(100_000) {
                true => {
                    let next = period.next().first_day().plus_days(days);
                    midnight(signed, next) + draw.integer(-1..=1)
                }
                false => end + draw.integer(-9 * DAY..=40 * DAY),
            };
            log.note("tenant", "claim", (known, None), known, body.clone());
        }
        if draw.chance(60_000) {
            let known = end + draw.integer(0..=120 * DAY);
            log.note("tenant", "dispute", (known, None), known, body);
        }
        period = period.next();
    }
}

/// A slice is ended early, and what that costs is approved.
fn ends(
    draw: &mut Generator,
    signed: &Signed,
    slice: &Slice,
    anchor: i64,
    log: &mut Log,
) {
    if !draw.chance(150_000) {
        return;
    }
    let last = signed.end();
    let mut at = draw.integer((anchor + DAY).min(last)..=last.max(anchor + DAY));
    if draw.chance(200_000) {
        at = month(signed, signed.zone.period(Timestamp::from_unix_seconds(at)))
            .0
            .max(anchor + 1);
    }
    let cause = *draw.pick(&["supplier", "customer", "convenience", "long_stop"]);
    let named = if draw.chance(200_000) { "all" } else { &slice.id };
    let body = format!("{{\"tranche\":\"{named}\",\"cause\":\"{cause}\"}}");
    let known = at + draw.integer(-20 * DAY..=20 * DAY);
    log.note("ops", "termination", (at, None), known, body);
    let owes = cause == "customer" || cause == "convenience";
    if owes && signed.has_fee_for_ending && draw.chance(700_000) {
        let amount = if signed.places == 0 { "12" } else { "12.34" };
        let amount = if draw.chance(100_000) { "900000000000" } else { amount };
        let body = format!(
            "{{\"approves\":\"termination-fee:{}\",\"amount\":\"{amount}\",\"by\":\"Ada\"}}",
            slice.id
        );
        let known = known.max(at) + draw.integer(0..=9 * DAY);
        log.note("finance", "approval", (known, None), known, body);
    }
}

/// The index that prices move with.
fn index_values(draw: &mut Generator, signed: &Signed, log: &mut Log) {
    if !signed.slices.iter().any(|slice| slice.index) {
        return;
    }
    let first = signed.slices.iter().map(|slice| midnight(signed, slice.delivery)).min();
    let mut at = first.expect("a tranche") - 40 * DAY;
    if draw.chance(40_000) {
        at += 50 * DAY;
    }
    while at < signed.end() {
        let mut value = |log: &mut Log, known| {
            let value = decimal(draw.integer(10_000..=14_000));
            let body = format!("{{\"index\":\"cpi\",\"value\":\"{value}\"}}");
            log.note("market", "index_value", (at, None), known, body);
            draw.chance(80_000)
        };
        if value(log, at + HOUR) {
            value(log, at + 20 * DAY);
        }
        at += draw.integer(10 * DAY..=80 * DAY);
    }
}

/// Meters, prices and bills of the whole site.
fn power(draw: &mut Generator, signed: &Signed, log: &mut Log) {
    if signed.power == PowerTerms::Included {
        return;
    }
    let first =
        signed.slices.iter().map(|slice| slice.delivery).min().expect("a tranche");
    let mut period = first.period();
    while period <= signed.last {
        let (from, to) = month(signed, period);
        meters(draw, signed, (from, to), log);
        prices(draw, (from, to), log);
        if matches!(signed.power, PowerTerms::Estimated | PowerTerms::PassThrough { .. })
            && draw.chance(800_000)
        {
            bill(draw, signed, (from, to), period, log);
        }
        period = period.next();
    }
}

/// Readings of a month in a few intervals, with losses.
fn meters(draw: &mut Generator, signed: &Signed, (from, to): (i64, i64), log: &mut Log) {
    let parts = draw.integer(1..=3);
    let mut start = from;
    for part in 1..=parts {
        let end = from + (to - from) * part / parts;
        let mut sum = 0;
        let note = |log: &mut Log, meter: &str, wh: i64, owner: String, known: i64| {
            let body = format!("{{\"meter\":\"{meter}\",\"wh\":{wh}{owner}}}");
            log.note("meters", "meter_interval", (start, Some(end)), known, body);
        };
        let known = end + draw.integer(0..=HOUR);
        for slice in &signed.slices {
            for meter in 0..draw.integer(1..=2) {
                let wh = draw.integer(0..=9_000_000);
                sum += wh;
                let owner = format!(",\"tranche\":\"{}\"", slice.id);
                note(log, &format!("{}-m{meter}", slice.id), wh, owner, known);
            }
        }
        if draw.chance(500_000) {
            let wh = draw.integer(0..=900_000);
            sum += wh;
            note(log, "offices", wh, String::new(), known);
        }
        if draw.chance(300_000) {
            let wh = draw.integer(0..=5_000_000);
            sum += wh;
            note(log, "next-door", wh, ",\"contract\":\"CAP-2\"".to_owned(), known);
        }
        let losses = draw.integer(0..=sum / 20);
        note(log, "main", sum + losses, String::new(), known);
        start = end;
    }
}

fn prices(draw: &mut Generator, (from, to): (i64, i64), log: &mut Log) {
    let middle = from + (to - from) / draw.integer(2..=4);
    for (from, to) in [(from, middle), (middle, to)] {
        if draw.chance(990_000) {
            let mut price = |log: &mut Log, known| {
                let price = draw.integer(-500..=9_000);
                let sign = if price < 0 { "-" } else { "" };
                let body = format!(
                    "{{\"index\":\"lmp\",\"per_mwh\":\"{sign}{}\"}}",
                    decimal(price.abs())
                );
                log.note("market", "energy_price", (from, Some(to)), known, body);
                draw.chance(50_000)
            };
            if price(log, to + HOUR) {
                price(log, to + 25 * DAY);
            }
        }
    }
}

fn bill(
    draw: &mut Generator,
    signed: &Signed,
    (from, to): (i64, i64),
    period: Period,
    log: &mut Log,
) {
    let mut bill = |log: &mut Log, known| {
        let cents = draw.integer(1_000..=900_000);
        let amount = if signed.places == 0 { cents.to_string() } else { decimal(cents) };
        let body = format!("{{\"amount\":\"{amount}\",\"number\":\"U-{period}\"}}");
        log.note("utility", "utility_bill", (from, Some(to)), known, body);
        draw.chance(80_000)
    };
    let known = to + 17 * DAY;
    if bill(log, known) {
        bill(log, known + 30 * DAY);
    }
}

/// Amendments are sometimes on record, before or after they become effective.
fn amendments(draw: &mut Generator, signed: &Signed, log: &mut Log) {
    let files = signed.versions();
    for (amendment, file) in signed.amendments.iter().zip(&files[1..]) {
        if draw.chance(500_000) {
            let hash = settle::contract::Hash::of(file.as_bytes());
            let effective = month(signed, amendment.from).0;
            let known = effective + draw.integer(-20 * DAY..=70 * DAY);
            let body = format!("{{\"sha256\":\"{hash}\"}}");
            log.note("legal", "contract_version", (known, None), known, body);
        }
    }
}

/// Another contract on the same site: its facts are not ours.
fn neighbours(draw: &mut Generator, signed: &Signed, log: &mut Log) {
    if !draw.chance(250_000) {
        return;
    }
    let at = midnight(signed, signed.slices[0].delivery);
    let body = "{\"contract\":\"CAP-2\",\"tranche\":\"X1\",\"units\":\
                [{\"unit\":\"x1\",\"gpus\":8,\"domain\":\"x\"}]}";
    log.note("ops", "acceptance", (at, None), at + HOUR, body.to_owned());
    let body = "{\"unit\":\"x1\",\"state\":\"down\"}";
    log.note("bmc", "unit_state", (at + DAY, None), at + DAY, body.to_owned());
    let body = "{\"tranche\":\"X1\",\"contract\":\"CAP-2\",\"gpu_seconds\":12}";
    log.note("usage", "usage", (at, Some(at + HOUR)), at + DAY, body.to_owned());
}
