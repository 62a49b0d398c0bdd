//! How long settling a large contract takes: 19,008 trays of four GPUs, 61
//! months, 36 incidents a day. Prints times; run it in release.
//!
//! With a folder as argument it writes there what another program needs to do the
//! same, counted unit by unit, and what it came to: `facts.jsonl`, `terms.json` and
//! `owed.csv`. `cargo xtask bench settle` compares.

#![expect(clippy::print_stdout, reason = "an example that reports")]
#![expect(
    clippy::disallowed_methods,
    reason = "it measures time on the processor, and writes what it measured"
)]

use settle::calendar::{Period, Zone};
use settle::contract::{Contract, Versions};
use settle::facts::Facts;
use settle::settlement::{Settlement, cut, statement, statements};
use std::fmt::Write;
use units::{Seconds, Timestamp};

const TRAYS: u64 = 19_008;

/// How many days exposures are worked out for.
const DAYS: u32 = 100;

/// A fifth of 19,008 GPUs at 2.40 USD over 43,824 hours.
const PREPAID: &str = "399843164.16";

fn contract(blocks: bool) -> String {
    let basis = if blocks { "basis = \"blocks\"" } else { "basis = \"gpu-seconds\"" };
    let block = if blocks { "[sla.block]\nunits = 18\nneeded = 16\n" } else { "" };
    let mut text = format!(
        r#"schema = "capacity-contract/1"
id = "CAP"
supplier = "site-co"
customer = "tenant"
currency = "USD"
timezone = "UTC"
effective = 2026-01-01
[billing]
grace_days = 5
due_days = 30
restate_limit_months = 24
[sla]
{basis}
target = "0.995"
tiers = [ {{ below = "0.995", credit = "0.05" }}, {{ below = "0.99", credit = "0.10" }} ]
month_cap = "0.25"
year_cap = "0.10"
min_incident_seconds = 300
[sla.excused]
grid_emergency = {{ hours_per_year = 40 }}
{block}
[prepayment]
percent = "20"
credit_from = 25
credit_over = 36
"#
    );
    for tranche in 1..=4 {
        write!(
            text,
            "[[tranche]]\nid = \"H{tranche}\"\ngpus = 19008\n\
             price = {{ unit = \"gpu-hour\", amount = \"2.40\" }}\n\
             delivery = 2026-04-01\nmonths = 60\n"
        )
        .expect("text grows");
    }
    text
}

/// A small generator with a fixed seed, so that every run is the same.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % limit
    }
}

fn record() -> String {
    let mut text = String::new();
    let mut seq = 0;
    let start = Timestamp::parse("2026-04-15").expect("a date").as_unix_seconds();
    let mut line = |kind: &str, from: i64, to: Option<i64>, known: i64, body: &str| {
        seq += 1;
        let at = |seconds| {
            let text = Timestamp::from_unix_seconds(seconds).to_string();
            if text.len() == 17 { text.replace('Z', ":00Z") } else { text }
        };
        let to = to.map_or(String::new(), |to| format!("\"valid_to\":\"{}\",", at(to)));
        writeln!(
            text,
            "{{\"seq\":{seq},\"site\":\"s\",\"source\":\"ops\",\"source_seq\":{seq},\
             \"kind\":\"{kind}\",\"valid_from\":\"{}\",{to}\"known_at\":\"{}\",\
             \"body\":{body}}}",
            at(from),
            at(known)
        )
        .expect("text grows");
    };
    let paid = start - 60 * 86_400;
    for tranche in 1..=4 {
        let body = format!(
            "{{\"amount\":\"{PREPAID}\",\"currency\":\"USD\",\"for\":\"prepayment:H{tranche}\"}}"
        );
        line("payment", paid, Some(paid + 1), paid, &body);
    }
    for tranche in 1..=4 {
        let trays = TRAYS / 4;
        let units: Vec<String> = (0..trays)
            .map(|tray| {
                format!(
                    "{{\"unit\":\"h{tranche}/rack{}/tray{}\",\"gpus\":4,\"domain\":\"h{tranche}/rack{}\"}}",
                    tray / 18,
                    tray % 18,
                    tray / 18
                )
            })
            .collect();
        let names: Vec<String> = (0..trays)
            .map(|tray| format!("\"h{tranche}/rack{}/tray{}\"", tray / 18, tray % 18))
            .collect();
        let body = format!(
            "{{\"contract\":\"CAP\",\"tranche\":\"H{tranche}\",\"units\":[{}]}}",
            units.join(",")
        );
        line("acceptance", start, None, start, &body);
        let body = format!("{{\"units\":[{}],\"state\":\"available\"}}", names.join(","));
        line("unit_state", start, None, start, &body);
    }
    let mut draw = Draw(7);
    let seconds = 61 * 2_629_800;
    let step = 86_400 / 36;
    for incident in 0..seconds / step {
        let from = start + incident * step;
        let to = from + 60 + i64::try_from(draw.below(36_000)).expect("small");
        let (tranche, tray) = (1 + draw.below(4), draw.below(TRAYS / 4));
        let body = format!(
            "{{\"unit\":\"h{tranche}/rack{}/tray{}\",\"state\":\"down\",\"ref\":\"i{incident}\"}}",
            tray / 18,
            tray % 18
        );
        // Known at once with an end that is found later would be two facts; one
        // bounded fact an incident is what an incident log gives.
        let known = from + 40_000 - (from + 40_000 - start) % step;
        line("unit_state", from, Some(to), known.max(from), &body);
    }
    text
}

/// Time on the processor, so that other work on the machine does not count.
struct Clock(u64);

impl Clock {
    fn start() -> Self {
        Self(Self::now())
    }

    fn now() -> u64 {
        let text = std::fs::read_to_string("/proc/self/schedstat").expect("Linux");
        text.split(' ').next().and_then(|field| field.parse().ok()).expect("a number")
    }

    fn elapsed(&self) -> std::time::Duration {
        std::time::Duration::from_nanos(Self::now() - self.0)
    }
}

/// Writes what another program needs to do the same, and what it came to.
fn write_down(
    folder: &str,
    versions: &Versions,
    facts: &Facts,
    record: &str,
    last: Period,
) {
    let write = |name: &str, text: &str| {
        std::fs::write(format!("{folder}/{name}"), text).expect("the folder is there");
    };
    write("facts.jsonl", record);
    let contract = versions.first();
    let terms = contract.prepayment.as_ref().expect("it is paid ahead");
    let anchor = Timestamp::parse("2026-04-15").expect("a date");
    let mut ends = Vec::new();
    let mut instalments = Vec::new();
    for tranche in &contract.tranches {
        let end = contract.zone.months_after(anchor, tranche.months);
        ends.push(format!("\"{}\":{}", tranche.id, end.as_unix_seconds()));
        let agreed = settle::prepayment::agreed(contract, tranche).as_minor();
        let part = agreed / terms.credit_over;
        let plan: Vec<String> = (0..terms.credit_over)
            .map(|place| {
                let months = terms.credit_from + place - 1;
                let begins = contract.zone.months_after(anchor, months);
                let rest = agreed - part * (terms.credit_over - 1);
                let amount = if place == terms.credit_over - 1 { rest } else { part };
                format!("[{},{amount}]", begins.as_unix_seconds())
            })
            .collect();
        instalments.push(format!("\"{}\":[{}]", tranche.id, plan.join(",")));
    }
    write(
        "terms.json",
        &format!(
            "{{\"first_month\":\"2026-04\",\"months\":61,\"cents\":240,\
             \"min_incident_seconds\":300,\"tiers\":[[995,50],[990,100]],\
             \"year_cap\":\"0.10\",\"ends\":{{{}}},\"instalments\":{{{}}}}}",
            ends.join(","),
            instalments.join(",")
        ),
    );
    let as_of = cut(contract, last);
    let mut settlement = Settlement::new(versions.clone(), facts.clone());
    let owed = settlement.owed(last, as_of);
    let rows = owed.iter().map(|((tranche, period, kind), amount)| {
        format!("{tranche},{period},{},{}\n", kind.name(), amount.as_minor())
    });
    write("owed.csv", &rows.collect::<String>());
}

/// How long what is at stake takes on each of a hundred days in the middle of the term.
fn exposure_a_day_later(versions: &Versions, facts: &Facts) -> std::time::Duration {
    let mut settlement = Settlement::new(versions.clone(), facts.clone());
    let mut at = Timestamp::parse("2029-01-01").expect("a date");
    settlement.exposure(at);
    let begun = Clock::start();
    for _ in 0..DAYS {
        at = at + Seconds::hours(24);
        assert_eq!(settlement.exposure(at).len(), 4);
    }
    begun.elapsed() / DAYS
}

fn main() {
    for blocks in [false, true] {
        println!("{}", if blocks { "blocks, 16 of 18" } else { "unit by unit" });
        let text = contract(blocks);
        let contract = Contract::read(&text).expect("a contract");
        let versions = Versions::single(contract).expect("one version");
        let record = record();
        let begun = Clock::start();
        let facts = Facts::read(&record).expect("facts");
        let took = begun.elapsed();
        println!("  read {} facts, {} bytes: {took:?}", facts.all().len(), record.len());
        println!("  read, in seconds on the processor: {}", took.as_secs_f64());
        let last = Period::new(2031, 4).expect("a month");
        let utc = Zone::named("UTC").expect("a zone");
        let as_of = cut(versions.first(), last);
        let begun = Clock::start();
        let whole = statement(&versions, &facts, &[], last, as_of);
        let took = begun.elapsed();
        println!("  whole, {} lines: {took:?}", whole.lines.len());
        if let (Some(folder), false) = (std::env::args().nth(1), blocks) {
            println!("  whole, in seconds on the processor: {}", took.as_secs_f64());
            write_down(&folder, &versions, &facts, &record, last);
        }
        println!("  exposure a day later: {:?}", exposure_a_day_later(&versions, &facts));
        let mut settlement = Settlement::new(versions.clone(), facts.clone());
        let mut period = Period::new(2026, 4).expect("a month");
        let (mut longest, begun) = (std::time::Duration::ZERO, Clock::start());
        let mut payable = 0;
        while period <= last {
            let month = Clock::start();
            let made = settlement.statement(period, cut(versions.first(), period));
            assert!(made.held.is_empty(), "{:?}", made.held.first());
            settlement.issue(&made);
            payable += made.payable.as_minor();
            if period.first_day() > utc.date(as_of).plus_months(-60) {
                longest = longest.max(month.elapsed());
            }
            period = period.next();
        }
        println!(
            "  61 months in order: {:?}, longest {longest:?}, payable {payable}",
            begun.elapsed()
        );
        let begun = Clock::start();
        let all = statements(&versions, &facts, as_of);
        println!("  statements(): {} in {:?}", all.len(), begun.elapsed());
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM"));
    println!("{}", peak.unwrap_or("peak memory unknown"));
}
