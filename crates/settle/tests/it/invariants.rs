//! What holds for every contract and every record, over generated ones.

use crate::world::{Said, at, lines, month, versions};
use proptest::prelude::*;
use settle::calendar::Period;
use settle::contract::Versions;
use settle::exact::{Exact, Rounding};
use settle::facts::Facts;
use settle::settlement::{OwedTable, Settlement, cut, statement, statements};
use settle::statement::{LineKind, Statement};
use std::collections::BTreeMap;
use units::{Seconds, Timestamp};

/// The choices of a generated contract.
#[derive(Clone, Debug)]
struct Terms {
    blocks: bool,
    degraded: &'static str,
    min_incident: u32,
    year_cap: bool,
    monthly: bool,
    prepaid: bool,
    delay: bool,
    step: bool,
    amount: u32,
}

/// Something that happens to a unit, in quarter hours from the first of April.
#[derive(Clone, Debug)]
struct Happening {
    what: u8,
    unit: u8,
    start: u16,
    length: u16,
    learned: u16,
}

/// Five units in a domain, two GPUs each; five months of service.
const LAST: &str = "2026-08";
const QUARTER: i64 = 900;

fn terms() -> impl Strategy<Value = Terms> {
    let flags =
        (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let degraded =
        prop_oneof![Just("count-as-down"), Just("count-as-available"), Just("0.5")];
    let least = prop_oneof![Just(0_u32), Just(300), Just(3_600)];
    (flags, degraded, least, any::<bool>(), 1_u32..500_000).prop_map(
        |(
            (blocks, year_cap, monthly, prepaid, delay),
            degraded,
            min_incident,
            step,
            amount,
        )| {
            Terms {
                blocks,
                degraded,
                min_incident,
                year_cap,
                monthly,
                prepaid,
                delay,
                step,
                amount,
            }
        },
    )
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let one = (0_u8..9, 0_u8..5, 0_u16..14_600, 1_u16..400, 0_u16..6_000).prop_map(
        |(what, unit, start, length, learned)| Happening {
            what,
            unit,
            start,
            length,
            learned,
        },
    );
    prop::collection::vec(one, 0..30)
}

fn contract(terms: &Terms, step_from: Option<&str>) -> String {
    let mut text = crate::world::contract("");
    let (head, _) = text.split_once("[[tranche]]").expect("a tranche");
    text = head.to_owned();
    let basis = if terms.blocks { "blocks" } else { "gpu-seconds" };
    text.push_str(&format!(
        "[sla]\nbasis = \"{basis}\"\ntarget = \"0.999\"\n\
         tiers = [{{ below = \"0.999\", credit = \"0.033\" }}, {{ below = \"0.98\", credit = \"0.21\" }}]\n\
         month_cap = \"0.2\"\ndegraded = \"{}\"\nmin_incident_seconds = {}\n\
         gap_policy = \"exclude\"\n",
        terms.degraded, terms.min_incident
    ));
    if terms.year_cap {
        text.push_str("year_cap = \"0.04\"\n");
    }
    if terms.blocks {
        text.push_str("[sla.block]\nunits = 5\nneeded = 4\n");
    }
    text.push_str(
        "[sla.excused]\nplanned_maintenance = { notice_hours = 24, hours_per_month = 8 }\n\
         grid_emergency = { hours_per_year = 40 }\nforce_majeure = { notice_hours = 48 }\n\
         customer_caused = {}\n",
    );
    if terms.prepaid {
        text.push_str(
            "[prepayment]\npercent = \"13\"\ncredit_from = 2\ncredit_over = 3\n",
        );
    }
    if terms.delay {
        text.push_str(
            "[delay]\ngrace_days = 1\n\
             credit = { per_day = \"0.05\", of = \"monthly-fee\", cap_days = 20 }\n",
        );
    }
    let amount = format!("{}.{:03}", terms.amount / 1_000, terms.amount % 1_000);
    let unit = if terms.monthly { "flat" } else { "gpu-hour" };
    let after = if terms.step { "3.333" } else { amount.as_str() };
    let mut steps = vec![format!("{{ from = 2026-06-11, amount = \"{after}\" }}")];
    if let Some(from) = step_from {
        // The price that holds then anyway: a split and not a change.
        let same = if from < "2026-06-11" { amount.as_str() } else { after };
        steps.push(format!("{{ from = {from}, amount = \"{same}\" }}"));
        steps.sort();
        steps.dedup_by_key(|step| step[..20].to_owned());
    }
    text.push_str(&format!(
        "[[tranche]]\nid = \"H1\"\ngpus = 10\nprice = {{ unit = \"{unit}\", amount = \"{amount}\", \
         steps = [{}] }}\ndelivery = 2026-04-01\nmonths = 5\n",
        steps.join(", ")
    ));
    text
}

fn fact(
    kind: &str,
    body: String,
    from: Timestamp,
    to: Option<Timestamp>,
    known: Timestamp,
) -> Said {
    let kind = kind.to_owned();
    Said { kind, body, from, to, known, extra: String::new(), source_seq: None }
}

/// The record of a run: all accepted on 4 April, paid ahead, then what happens.
fn record(happenings: &[Happening]) -> Vec<Said> {
    let begun = at("2026-04-04T06:00");
    let mut said = crate::world::said(
        "raw payment {\"amount\":\"900\",\"currency\":\"USD\",\"for\":\"prepayment:H1\"} 2026-03-01
         raw payment {\"amount\":\"70\",\"currency\":\"USD\",\"for\":\"prepayment:H1\"} 2026-05-20 known=2026-07-20
         accept H1 u0..u4 2 2026-04-04T06:00 domain=d
         u0..u4 available 2026-04-04T06:00",
    );
    let quarter = |number: u16| Seconds::from_seconds(i64::from(number) * QUARTER);
    for (place, happening) in happenings.iter().enumerate() {
        let start = begun + quarter(happening.start);
        let end = start + quarter(happening.length);
        let known = end + quarter(happening.learned);
        let (state, reference) = match happening.what {
            0..=2 => ("down", format!("i{place}")),
            3 => ("degraded", format!("i{place}")),
            4 => ("planned", format!("n{place}")),
            5 => ("grid", format!("g{place}")),
            6 => ("force_majeure", format!("f{place}")),
            7 => ("customer_caused", format!("i{place}")),
            _ => ("unknown", format!("i{place}")),
        };
        let evidence =
            |kind: &str, body: String, known| fact(kind, body, start, Some(end), known);
        match happening.what {
            4 => {
                let body = format!(
                    "{{\"id\":\"{reference}\",\"about\":\"planned_maintenance\"}}"
                );
                said.push(evidence("notice", body, start - Seconds::hours(30)));
            }
            5 => {
                let body = format!("{{\"id\":\"{reference}\"}}");
                said.push(evidence("grid_instruction", body, end));
            }
            6 => {
                let body =
                    format!("{{\"id\":\"{reference}\",\"about\":\"force_majeure\"}}");
                said.push(evidence("notice", body, start + Seconds::hours(10)));
            }
            _ => {}
        }
        let unit = happening.unit;
        let body = format!(
            "{{\"unit\":\"u{unit}\",\"state\":\"{state}\",\"ref\":\"{reference}\"}}"
        );
        said.push(fact("unit_state", body, start, Some(end), known));
    }
    said
}

fn read(said: &[Said]) -> Facts {
    Facts::read(&lines(said)).unwrap_or_else(|problems| panic!("{problems}"))
}

fn end(versions: &Versions) -> Timestamp {
    cut(versions.first(), month(LAST)).max(cut(versions.first(), month("2026-09")))
}

/// What was issued, summed by tranche, month and kind.
fn issued(made: &[Statement]) -> OwedTable {
    let mut table: BTreeMap<_, settle::exact::Amount> = OwedTable::new();
    for line in made.iter().flat_map(|statement| &statement.lines) {
        let key = (line.tranche.clone(), line.service, line.kind);
        let before = table.get(&key).map_or(0, |amount| amount.as_minor());
        let sum = settle::exact::Amount::from_minor(before + line.amount.as_minor(), 2);
        table.insert(key, sum);
    }
    table.retain(|_, amount| !amount.is_zero());
    table
}

fn owed(
    versions: &Versions,
    facts: &Facts,
    period: Period,
    as_of: Timestamp,
) -> OwedTable {
    Settlement::new(versions.clone(), facts.clone()).owed(period, as_of)
}

fn of(table: &OwedTable, period: Period, kind: LineKind) -> i64 {
    table.get(&("H1".to_owned(), period, kind)).map_or(0, |amount| amount.as_minor())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// I1, I7, I10, I12: month by month comes to the same as all at once, cent
    /// for cent; kept state to the same bytes as none; numbers have no gaps and
    /// no statement posts to a closed month.
    #[test]
    fn month_by_month_comes_to_the_same_as_all_at_once(terms in terms(), happenings in happenings()) {
        let versions = versions(&contract(&terms, None));
        let facts = read(&record(&happenings));
        let as_of = end(&versions);
        let made = statements(&versions, &facts, as_of);
        let mut kept = Settlement::new(versions.clone(), facts.clone());
        let mut before: Vec<Statement> = Vec::new();
        for (place, one) in made.iter().enumerate() {
            prop_assert_eq!(&one.held, &[]);
            let expected = format!("CAP-{:04}", place + 1);
            prop_assert_eq!(one.number.as_deref(), Some(expected.as_str()));
            let pure = statement(&versions, &facts, &before, one.period, one.as_of);
            let incremental = kept.statement(one.period, one.as_of);
            prop_assert_eq!(pure.to_json(), one.to_json());
            prop_assert_eq!(incremental.to_json(), one.to_json());
            for line in &one.lines {
                prop_assert!(line.service <= one.period);
                prop_assert_eq!(line.correction.is_some(), line.service < one.period);
            }
            if let Some(last) = before.last() {
                prop_assert_eq!(last.period.next(), one.period);
                prop_assert_eq!(last.carried_out, one.carried_in);
            }
            let paid = one.total.as_minor() - one.carried_in.as_minor();
            prop_assert_eq!(one.payable.as_minor() - one.carried_out.as_minor(), paid);
            kept.issue(one);
            before.push(one.clone());
        }
        let last = made.last().expect("statements");
        prop_assert_eq!(issued(&made), owed(&versions, &facts, last.period, last.as_of));
    }

    /// I2 and I3: prepayments add up, and credits keep under their caps.
    #[test]
    fn prepayments_add_up_and_credits_stay_under_their_caps(terms in terms(), happenings in happenings()) {
        let versions = versions(&contract(&terms, None));
        let facts = read(&record(&happenings));
        let made = statements(&versions, &facts, end(&versions));
        let mut sums = (0, 0);
        for one in &made {
            for line in &one.lines {
                if line.kind == LineKind::Prepayment {
                    sums.0 -= line.amount.as_minor();
                }
                if line.kind == LineKind::Refund {
                    sums.1 -= line.amount.as_minor();
                }
            }
            for row in &one.prepayment {
                prop_assert_eq!(row.applied.as_minor(), sums.0);
                prop_assert_eq!(row.refunded.as_minor(), sums.1);
                prop_assert!(row.remaining.as_minor() >= 0);
                let parts = row.applied.as_minor() + row.remaining.as_minor() + row.refunded.as_minor();
                prop_assert_eq!(parts, row.received.as_minor());
            }
        }
        if terms.prepaid {
            // Service has ended: nothing is left over.
            prop_assert_eq!(made.last().expect("statements").prepayment[0].remaining.as_minor(), 0);
        }
        let table = issued(&made);
        let (mut fees, mut credits) = (0, 0);
        for number in 0..6 {
            let period = month("2026-04").plus(number);
            let fee = of(&table, period, LineKind::Capacity);
            let credit = -of(&table, period, LineKind::Sla);
            fees += fee;
            credits += credit;
            // Half a cent for each rounding of fee and credit.
            prop_assert!(10 * credit <= 2 * fee + 10);
            if terms.year_cap {
                prop_assert!(100 * credits <= 4 * fees + 100);
            }
            let left = fee - credit + of(&table, period, LineKind::Delay);
            prop_assert!(left >= 0, "credits above the fee");
            prop_assert!(left + of(&table, period, LineKind::Prepayment) >= 0);
        }
    }

    /// I5: every reserved second is in exactly one class, and is what was accepted.
    #[test]
    fn unit_seconds_are_conserved(terms in terms(), happenings in happenings()) {
        let versions = versions(&contract(&terms, None));
        let facts = read(&record(&happenings));
        let mut total = 0;
        for one in statements(&versions, &facts, end(&versions)) {
            for row in &one.availability {
                let s = row.seconds;
                let parts = s.available + s.degraded + s.down + s.excused() + s.unknown;
                prop_assert_eq!(parts, s.reserved);
                total += s.reserved;
            }
        }
        // From 4 April to 4 September.
        prop_assert_eq!(total, 153 * 86_400 * 10);
    }

    /// I6: a split at any day without a change of price changes nothing.
    #[test]
    fn splitting_a_month_changes_nothing(terms in terms(), happenings in happenings(), day in 1_i64..150) {
        let from = settle::calendar::Date::new(2026, 4, 1).expect("a date").plus_days(day);
        let from = from.to_string();
        prop_assume!(from != "2026-06-11");
        let whole = versions(&contract(&terms, None));
        let split = versions(&contract(&terms, Some(&from)));
        let facts = read(&record(&happenings));
        let as_of = end(&whole);
        prop_assert_eq!(
            owed(&whole, &facts, month("2026-09"), as_of),
            owed(&split, &facts, month("2026-09"), as_of)
        );
    }

    /// I8: more unexcused downtime never raises what is to be paid.
    #[test]
    fn more_downtime_never_costs_the_customer_more(
        terms in terms(), happenings in happenings(),
        unit in 0_u8..5, start in 0_u16..14_000, length in 1_u16..400,
    ) {
        // A degraded second that counts as available is better than an excused
        // one, which does not count: blocks can trade one for the other.
        prop_assume!(!terms.blocks || terms.degraded == "count-as-down");
        // Downtime in place of excused time leaves allowed hours for later, where
        // they can be worth more: a block may stand the first and not the second.
        let excused = |one: &Happening| (4..8).contains(&one.what) && one.unit == unit;
        let during = |one: &Happening| {
            one.start < start + length && start < one.start + one.length
        };
        prop_assume!(!happenings.iter().any(|one| excused(one) && during(one)));
        let versions = versions(&contract(&terms, None));
        let mut worse = record(&happenings);
        let facts = read(&worse);
        let begun = at("2026-04-04T06:00");
        let start = begun + Seconds::from_seconds(i64::from(start) * QUARTER);
        let end_of = start + Seconds::from_seconds(i64::from(length) * QUARTER);
        let body = format!("{{\"unit\":\"u{unit}\",\"state\":\"down\"}}");
        worse.push(fact("unit_state", body, start, Some(end_of), at("2026-10-01")));
        let worse = read(&worse);
        let sum = |facts| -> i64 {
            let table = owed(&versions, facts, month("2026-09"), end(&versions));
            table.values().map(|amount| amount.as_minor()).sum()
        };
        prop_assert!(sum(&worse) <= sum(&facts));
    }

    /// I9: the zone moves seconds between months and makes none.
    #[test]
    fn total_seconds_do_not_depend_on_the_zone(terms in terms(), happenings in happenings()) {
        let text = contract(&terms, None);
        let mut said = record(&happenings);
        let body = "{\"tranche\":\"all\",\"cause\":\"convenience\"}".to_owned();
        said.push(fact("termination", body, at("2026-08-20"), None, at("2026-08-20")));
        let facts = read(&said);
        let totals = ["UTC", "America/Chicago", "Asia/Kolkata"].map(|zone| {
            let versions = versions(&text.replace("\"UTC\"", &format!("\"{zone}\"")));
            let made = statements(&versions, &facts, end(&versions));
            let rows = made.iter().flat_map(|one| &one.availability);
            rows.map(|row| row.seconds.reserved).sum::<i64>()
        });
        prop_assert_eq!(totals[0], totals[1]);
        prop_assert_eq!(totals[0], totals[2]);
    }
}

/// The rounding of a line and of its parts differ by at most half a unit each,
/// which is why parts are never rounded.
#[test]
fn parts_that_are_rounded_do_not_sum_to_the_whole() {
    let third = Exact::ratio(1, 3);
    let parts: i128 = (0..3).map(|_| third.rounded(Rounding::HalfUp)).sum();
    assert_ne!(parts, (third + third + third).rounded(Rounding::HalfUp));
}
