//! Worked figures: the published test vectors and the edge cases, each by name.

use crate::world::{at, check, check_once, contract, contract_with, month, versions};
use settle::contract::Contract;
use settle::exact::{Exact, Rounding};
use settle::prepayment::signed_value;
use settle::settlement::{Settlement, cut, statement};

/// H1 of the example: 18,432 GPUs at 2.40 an hour for five years.
fn h1(zone: &str) -> String {
    contract_with(
        "",
        "[prepayment]\npercent = \"20\"\ncredit_from = 25\ncredit_over = 36",
        "\"2.40\"",
    )
    .replace("gpus = 10", "gpus = 18432")
    .replace("months = 12", "months = 60")
    .replace("\"UTC\"", &format!("\"{zone}\""))
}

fn minor(exact: Exact) -> i128 {
    (exact * Exact::whole(100)).rounded(Rounding::HalfUp)
}

#[test]
fn the_signed_value_and_its_prepayment_are_the_published_ones() {
    let contract = Contract::read(&h1("UTC")).expect("a contract");
    let value = signed_value(&contract, &contract.tranches[0]);
    assert_eq!(minor(value), 193_863_352_320);
    assert_eq!(minor(value * Exact::ratio(1, 5)), 38_772_670_464);
}

#[test]
fn april_and_an_hour_of_it_are_the_published_amounts() {
    check_once(
        &h1("UTC"),
        "accept H1 hall 18432 2026-04-01
         hall available 2026-04-01",
        "2026-04",
        "H1 2026-04 capacity 31850496.00",
    );
    check_once(
        &h1("UTC"),
        "accept H1 hall 18432 2026-04-30T23:00
         hall available 2026-04-30T23:00",
        "2026-04",
        "H1 2026-04 capacity 44236.80",
    );
}

#[test]
fn a_clock_change_adds_or_takes_the_hour_that_passes() {
    // Delivery before March, so that both changes lie in the term.
    let text =
        h1("America/Chicago").replace("delivery = 2026-04-01", "delivery = 2026-01-01");
    let versions = versions(&text);
    let facts = crate::world::facts(
        "accept H1 hall 18432 2026-01-01T06:00
         hall available 2026-01-01T06:00",
    );
    for (period, hours) in [("2026-03", 743), ("2026-10", 744), ("2026-11", 721)] {
        let as_of = cut(versions.first(), month(period));
        let made = statement(&versions, &facts, &[], month(period), as_of);
        let line = made.lines.iter().find(|line| line.service == month(period));
        let amount = line.expect("a line").amount.as_minor();
        assert_eq!(amount, hours * 4_423_680, "{period}");
    }
}

#[test]
fn a_leap_day_is_paid_by_the_hour_and_not_by_the_month() {
    let text = contract("").replace("months = 12", "months = 60")
        + "[[tranche]]\nid = \"C1\"\nprice = { unit = \"mw-month\", amount = \"1000\", mw = \"1\" }\n\
           delivery = 2026-04-01\nmonths = 60\n";
    let versions = versions(&text);
    let facts = crate::world::facts(
        "accept H1 a 10 2026-04-01
         accept C1 hall 1000kw 2026-04-01
         a,hall available 2026-04-01",
    );
    let made = statement(
        &versions,
        &facts,
        &[],
        month("2028-02"),
        cut(versions.first(), month("2028-02")),
    );
    let of = |tranche: &str| {
        let mut lines = made.lines.iter();
        let line = lines.find(|l| l.tranche == tranche && l.service == month("2028-02"));
        line.expect("a line").amount.to_string()
    };
    assert_eq!(of("H1"), "6960.00"); // 10 x 29 x 24
    assert_eq!(of("C1"), "1000.00");
}

#[test]
fn sixty_months_of_service_from_mid_month_touch_sixty_one_statements() {
    let versions = versions(&h1("UTC"));
    let facts = crate::world::facts(
        "accept H1 hall 18432 2026-04-15
         hall available 2026-04-15",
    );
    let last = month("2031-05");
    let made = statement(&versions, &facts, &[], last, cut(versions.first(), last));
    let months: Vec<_> = made.lines.iter().map(|line| line.service).collect();
    assert_eq!(months.len(), 61);
    assert!(months.contains(&month("2026-04")) && months.contains(&month("2031-04")));
    let total: i64 = made.lines.iter().map(|line| line.amount.as_minor()).sum();
    // Fees on the actual term: 2026-04-15 to 2031-04-15 has 1,826 days.
    assert_eq!(total, 1_826 * 24 * 4_423_680);
}

#[test]
fn the_prepayment_is_fixed_on_the_signed_value_and_ends_at_nothing() {
    let versions = versions(&h1("UTC"));
    let facts = crate::world::facts(
        "raw payment {\"amount\":\"387726704.64\",\"currency\":\"USD\",\"for\":\"prepayment:H1\"} 2026-02-01
         accept H1 hall 18432 2026-05-07
         hall available 2026-05-07",
    );
    let made = settle::settlement::statements(&versions, &facts, at("2031-07-01"));
    let credits: Vec<i64> = made
        .iter()
        .flat_map(|statement| &statement.lines)
        .filter(|line| line.kind.name() == "prepayment")
        .map(|line| line.amount.as_minor())
        .collect();
    assert_eq!(credits.len(), 36);
    // 38,772,670,464 = 36 x 1,077,018,624 exactly; the last takes what is left.
    assert!(credits.iter().all(|credit| *credit == -1_077_018_624), "{credits:?}");
    let first =
        made.iter().find(|s| s.lines.iter().any(|l| l.kind.name() == "prepayment"));
    // The 25th month of service begins on 2028-05-07.
    assert_eq!(first.expect("a credit").period, month("2028-05"));
    let last = made.last().expect("statements");
    assert_eq!(last.prepayment[0].remaining.to_string(), "0.00");
    assert_eq!(last.prepayment[0].refunded.to_string(), "0.00");
}

#[test]
fn the_last_instalment_takes_the_residue() {
    let extra = "[prepayment]\npercent = \"10\"\ncredit_from = 1\ncredit_over = 7";
    // A year of 10 GPUs is 87,600.00; a tenth is 8,760.00 = 7 x 1,251.42 + 0.06.
    check(
        &contract(extra),
        "raw payment {\"amount\":\"8760\",\"currency\":\"USD\",\"for\":\"prepayment:H1\"} 2026-02-01
         accept H1 a 10 2026-04-01
         a available 2026-04-01",
        "2026-11-06",
        "CAP-0001 2026-04 total 5948.58 payable 5948.58
         H1 2026-04 capacity 7200.00
         H1 2026-04 prepayment -1251.42
         CAP-0002 2026-05 total 6188.58 payable 6188.58
         H1 2026-05 capacity 7440.00
         H1 2026-05 prepayment -1251.42
         CAP-0003 2026-06 total 5948.58 payable 5948.58
         H1 2026-06 capacity 7200.00
         H1 2026-06 prepayment -1251.42
         CAP-0004 2026-07 total 6188.58 payable 6188.58
         H1 2026-07 capacity 7440.00
         H1 2026-07 prepayment -1251.42
         CAP-0005 2026-08 total 6188.58 payable 6188.58
         H1 2026-08 capacity 7440.00
         H1 2026-08 prepayment -1251.42
         CAP-0006 2026-09 total 5948.58 payable 5948.58
         H1 2026-09 capacity 7200.00
         H1 2026-09 prepayment -1251.42
         CAP-0007 2026-10 total 6188.52 payable 6188.52
         H1 2026-10 capacity 7440.00
         H1 2026-10 prepayment -1251.48",
    );
}

#[test]
fn months_of_service_are_clamped_to_the_end_of_a_month_and_never_chained() {
    let extra = "[prepayment]\npercent = \"100\"\ncredit_from = 1\ncredit_over = 3";
    let text = contract(extra)
        .replace("months = 12", "months = 3")
        .replace("2026-04-01", "2027-01-31");
    // Service from 31 January runs to 30 April; instalments begin on 31 January,
    // 28 February and 31 March.
    let versions = versions(&text);
    let facts = crate::world::facts(
        "raw payment {\"amount\":\"21360\",\"currency\":\"USD\",\"for\":\"prepayment:H1\"} 2027-01-01
         accept H1 a 10 2027-01-31
         a available 2027-01-31",
    );
    let made = settle::settlement::statements(&versions, &facts, at("2027-06-06"));
    let credited: Vec<String> = made
        .iter()
        .flat_map(|statement| &statement.lines)
        .filter(|line| line.kind.name() != "capacity")
        .map(|line| format!("{} {} {}", line.service, line.kind.name(), line.amount))
        .collect();
    assert_eq!(
        credited,
        [
            // January's fee is one day; what is in arrears is credited later.
            "2027-01 prepayment -240.00",
            "2027-02 prepayment -6720.00",
            "2027-03 prepayment -7440.00",
            "2027-04 prepayment -6960.00",
        ]
    );
}

#[test]
fn availability_at_the_threshold_is_not_below_it() {
    let sla =
        "[sla]\ntarget = \"0.995\"\ntiers = [{ below = \"0.995\", credit = \"0.05\" }]";
    // April has 720 h x 10 GPUs; half a percent of it is 36 GPU-hours.
    check_once(
        &contract(sla),
        "accept H1 a 10 2026-04-01
         a available 2026-04-01
         a down 2026-04-10T00:00..2026-04-10T03:36",
        "2026-04",
        "H1 2026-04 capacity 7200.00",
    );
    check_once(
        &contract(sla),
        "accept H1 a 10 2026-04-01
         a available 2026-04-01
         a down 2026-04-10T00:00..2026-04-10T03:36:01",
        "2026-04",
        "H1 2026-04 capacity 7200.00
         H1 2026-04 sla -360.00",
    );
}

#[test]
fn the_example_contract_parses_as_it_stands() {
    // The example of the specification, word for word.
    let contract = Contract::read(include_str!("example.toml"));
    let contract = contract.unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(contract.tranches.len(), 2);
    assert_eq!(contract.hash.to_string().len(), 64);
}

/// Ten GPUs at 1.00 an hour from the first of April; half of them are down from noon of
/// the second day on. By its midnight 480 hours have passed, 60 of them lost.
#[test]
fn a_month_that_goes_on_counts_what_has_passed_and_no_more() {
    let text = contract(
        "[sla]\ntarget = \"0.99\"\ntiers = [ { below = \"0.99\", credit = \"0.10\" } ]\n\
         month_cap = \"1\"\nyear_cap = \"1\"\nclaim = \"automatic\"\n\
         degraded = \"count-as-down\"\nmin_incident_seconds = 300\n",
    );
    let facts = "accept H1 a 5 2026-04-01
                 accept H1 b 5 2026-04-01
                 a,b available 2026-04-01
                 a down 2026-04-02T12:00";
    let april = month("2026-04");
    let now = at("2026-04-03");
    let settlement = Settlement::new(versions(&text), crate::world::facts(facts));
    let made = settlement.so_far(april, now);
    assert!(made.is_held(), "the month is not over");
    let lines: Vec<(&str, String)> =
        made.lines.iter().map(|l| (l.kind.name(), l.amount.to_string())).collect();
    assert_eq!(lines, [("capacity", "480.00".to_owned()), ("sla", "-48.00".to_owned())]);
    let seconds = &made.availability[0].seconds;
    assert_eq!(seconds.reserved, 480 * 3_600);
    assert_eq!(seconds.available, 420 * 3_600);
    // At its end it is what the statement says.
    let end = at("2026-05-01");
    let whole = settlement.so_far(april, end);
    let made = statement(&versions(&text), settlement.facts(), &[], april, end);
    let amounts = |made: &settle::statement::Statement| -> Vec<String> {
        made.lines.iter().map(|line| line.amount.to_string()).collect()
    };
    assert_eq!(amounts(&whole), amounts(&made));
}
