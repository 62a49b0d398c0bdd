//! The second settlement: agrees with the first over drawn worlds, and by itself
//! with cases worked out by hand.

use std::collections::{BTreeMap, BTreeSet};

use settle::calendar::Period;
use settle::contract::{Contract, Hash, Versions};
use settle::facts::{Body, Fact, Facts};
use settle::settlement::Settlement;
use settle::statement::{HoldReason, LineKind};
use sim::recount::{Issued, Recount, compare, recount, recount_all};
use sim::tenancy::{Scale, Tenancy};
use units::Timestamp;

#[test]
fn the_two_settlements_agree_on_a_site_of_racks() {
    let scale = Scale { gpus: 288, months: 8, incidents_a_day: 3 };
    let tenancy = Tenancy::large(1, scale);
    let compared = compare(&tenancy.versions(), &tenancy.facts(), tenancy.as_of)
        .unwrap_or_else(|difference| panic!("{difference}"));
    assert!(compared.corrections > 0);
}

#[test]
fn the_two_settlements_agree_on_drawn_contracts_and_facts() {
    let (mut statements, mut corrections, mut replacements) = (0, 0, 0);
    // The last of these once found something.
    for seed in (1..=200).chain([295, 1235, 2497, 3574, 5119, 8700]) {
        let tenancy = Tenancy::draw(seed);
        let compared = compare(&tenancy.versions(), &tenancy.facts(), tenancy.as_of)
            .unwrap_or_else(|difference| panic!("seed {seed}: {difference}"));
        statements += compared.statements;
        corrections += compared.corrections;
        replacements += replacing(&tenancy);
    }
    assert!(statements > 1_000 && corrections > 100, "{statements}, {corrections}");
    assert!(replacements > 100, "{replacements}");
}

/// How many acceptances count that would have been above the quantity by themselves.
fn replacing(tenancy: &Tenancy) -> usize {
    let set_aside = |facts: Facts| {
        let mut settlement = Settlement::new(tenancy.versions(), facts);
        let found = settlement.quarantined(tenancy.as_of).into_iter();
        found.map(|one| one.seq).collect::<BTreeSet<u64>>()
    };
    let replaces = |fact: &&Fact| {
        let Body::Acceptance(acceptance) = &fact.body else { return false };
        !acceptance.replaces.is_empty()
    };
    let facts = tenancy.facts();
    // The same record in which no acceptance says what it replaces.
    let silent: Vec<String> = tenancy
        .facts
        .lines()
        .map(|line| match line.split_once("\"replaces\":[") {
            Some((before, rest)) => {
                let (_, after) = rest.split_once("],").expect("a list ends");
                format!("{before}{after}\n")
            }
            None => format!("{line}\n"),
        })
        .collect();
    let with = set_aside(facts.clone());
    let without = set_aside(Facts::read(&silent.concat()).expect("a record"));
    let replacing = facts.all().iter().filter(replaces).map(|fact| fact.seq);
    replacing.filter(|seq| !with.contains(seq) && without.contains(seq)).count()
}

#[test]
fn the_same_seed_draws_the_same_world() {
    let scale = Scale { gpus: 144, months: 2, incidents_a_day: 2 };
    assert_eq!(Tenancy::draw(5), Tenancy::draw(5));
    assert_ne!(Tenancy::draw(5), Tenancy::draw(6));
    assert_eq!(Tenancy::large(5, scale), Tenancy::large(5, scale));
    assert_ne!(Tenancy::large(5, scale), Tenancy::large(6, scale));
}

/// A contract of one tranche of 8 GPUs at 3.60 an hour, in the zone and with the
/// sections given, and a record written one fact a line.
struct Case {
    zone: &'static str,
    delivery: &'static str,
    months: i64,
    price: &'static str,
    sections: &'static str,
    /// Kind, from, to, known, body.
    facts: Vec<[String; 5]>,
}

impl Case {
    fn new(sections: &'static str) -> Self {
        Self {
            zone: "UTC",
            delivery: "2026-04-01",
            months: 12,
            price: "{ unit = \"gpu-hour\", amount = \"3.60\" }",
            sections,
            facts: Vec::new(),
        }
    }

    fn text(&self, supersedes: &str, effective: &str, price: &str) -> String {
        let billing = match self.sections.contains("[billing]") {
            true => "",
            false => {
                "[billing]\ngrace_days = 5\ndue_days = 30\nrestate_limit_months = 24\n"
            }
        };
        format!(
            "schema = \"capacity-contract/1\"\nid = \"C\"\nsupersedes = \"{supersedes}\"\n\
             supplier = \"s\"\ncustomer = \"c\"\ncurrency = \"USD\"\ntimezone = \"{}\"\n\
             effective = {effective}\n{billing}{}\n[[tranche]]\nid = \"H1\"\ngpus = 8\n\
             price = {price}\ndelivery = {}\nmonths = {}\n",
            self.zone, self.sections, self.delivery, self.months
        )
    }

    fn versions(&self) -> Versions {
        let text = self.text("", "2026-01-15", self.price);
        let contract =
            Contract::read(&text).unwrap_or_else(|problems| panic!("{problems}"));
        Versions::single(contract).expect("one version")
    }

    fn note(&mut self, kind: &str, from: &str, to: &str, known: &str, body: &str) {
        self.facts.push([kind, from, to, known, body].map(str::to_owned));
    }

    /// All 8 GPUs are accepted, as one unit, and work.
    fn accepted(mut self, at: &str) -> Self {
        let body = "{\"contract\":\"C\",\"tranche\":\"H1\",\
                    \"units\":[{\"unit\":\"u\",\"gpus\":8,\"domain\":\"d\"}]}";
        self.note("acceptance", at, "", at, body);
        self.note("unit_state", at, "", at, "{\"unit\":\"u\",\"state\":\"available\"}");
        self
    }

    /// The unit is in a state for a while; known as it ends.
    fn state(mut self, state: &str, from: &str, to: &str) -> Self {
        let body = format!("{{\"unit\":\"u\",\"state\":\"{state}\"}}");
        self.note("unit_state", from, to, to, &body);
        self
    }

    fn fact(mut self, kind: &str, from: &str, to: &str, known: &str, body: &str) -> Self {
        self.note(kind, from, to, known, body);
        self
    }

    fn record(&self) -> Facts {
        let mut facts = self.facts.clone();
        facts.sort_by_key(|fact| Timestamp::parse(&fact[3]).expect("an instant"));
        let mut text = String::new();
        for (place, [kind, from, to, known, body]) in facts.iter().enumerate() {
            let to = match to.as_str() {
                "" => String::new(),
                to => format!(",\"valid_to\":\"{to}\""),
            };
            text.push_str(&format!(
                "{{\"seq\":{0},\"site\":\"s\",\"source\":\"b\",\"source_seq\":{0},\
                 \"kind\":\"{kind}\",\"valid_from\":\"{from}\"{to},\
                 \"known_at\":\"{known}\",\"body\":{body}}}\n",
                place + 1
            ));
        }
        Facts::read(&text).unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// Settles month after month up to an instant.
    fn settle(&self, as_of: &str) -> Vec<(Period, Recount)> {
        let as_of = Timestamp::parse(as_of).expect("an instant");
        recount_all(&self.versions(), &self.record(), as_of)
    }

    /// What one month is settled at, as of its cut.
    fn month(&self, period: &str, as_of: &str) -> Recount {
        let wanted = Period::parse(period).expect("a month");
        let settled = self.settle(as_of);
        let found = settled.into_iter().find(|(period, _)| *period == wanted);
        found.unwrap_or_else(|| panic!("{period} is settled")).1
    }
}

fn place(period: &str, kind: LineKind) -> (String, Period, LineKind) {
    ("H1".to_owned(), Period::parse(period).expect("a month"), kind)
}

/// The lines as period, kind and minor units.
fn check_lines(recount: &Recount, expected: &[(&str, LineKind, i64)]) {
    let expected: BTreeMap<_, _> = expected
        .iter()
        .map(|(period, kind, amount)| (place(period, *kind), *amount))
        .collect();
    assert_eq!(recount.lines, expected);
    assert!(recount.held.is_empty(), "{:?}", recount.held);
}

#[test]
fn months_bill_the_hours_that_pass() {
    // 8 GPUs at 3.60 are 28.80 an hour: 743 and 721 hours, and a leap February.
    for (delivery, accepted, period, cut, hours) in [
        ("2026-03-01", "2026-03-01T06:00:00Z", "2026-03", "2026-04-06T05:00:00Z", 743),
        ("2026-11-01", "2026-11-01T05:00:00Z", "2026-11", "2026-12-06T06:00:00Z", 721),
        ("2028-02-01", "2028-02-01T06:00:00Z", "2028-02", "2028-03-06T06:00:00Z", 696),
    ] {
        let mut case = Case::new("").accepted(accepted);
        (case.zone, case.delivery) = ("America/Chicago", delivery);
        let month = case.month(period, cut);
        check_lines(&month, &[(period, LineKind::Capacity, hours * 2_880)]);
    }
}

#[test]
fn a_leap_day_does_not_change_a_monthly_price() {
    let mut case = Case::new("").accepted("2028-02-01T00:00:00Z");
    case.price = "{ unit = \"mw-month\", amount = \"1000\", mw = \"1\" }";
    case.delivery = "2028-02-01";
    let month = case.month("2028-02", "2028-03-06T00:00:00Z");
    check_lines(&month, &[("2028-02", LineKind::Capacity, 100_000)]);
}

#[test]
fn a_month_accepted_in_its_middle_is_prorated_by_seconds() {
    // The second half of April: 15 of 30 days.
    let mut case = Case::new("").accepted("2026-04-16T00:00:00Z");
    case.price = "{ unit = \"flat\", amount = \"1000.01\" }";
    let month = case.month("2026-04", "2026-05-06T00:00:00Z");
    // 500.005 is rounded half up.
    check_lines(&month, &[("2026-04", LineKind::Capacity, 50_001)]);
}

#[test]
fn a_service_month_of_the_31st_is_clamped_from_its_anchor() {
    // One month of service from 31 January ends on 28 February, two on 31 March.
    for (months, period, cut, days) in [
        (1, "2026-02", "2026-03-06T00:00:00Z", 27),
        (2, "2026-03", "2026-04-06T00:00:00Z", 30),
    ] {
        let mut case = Case::new("").accepted("2026-01-31T00:00:00Z");
        (case.delivery, case.months) = ("2026-01-31", months);
        let month = case.month(period, cut);
        check_lines(&month, &[(period, LineKind::Capacity, days * 24 * 2_880)]);
    }
}

const TIERS: &str = "[sla]\ntarget = \"0.995\"\nmin_incident_seconds = 300\n\
                     tiers = [{ below = \"0.995\", credit = \"0.05\" }, \
                     { below = \"0.9\", credit = \"0.5\" }]\nmonth_cap = \"0.25\"\n";

#[test]
fn availability_at_the_limit_is_no_breach() {
    // April has 2,592,000 seconds; half a percent of them are 12,960.
    let fee = 720 * 2_880;
    for (to, credit) in [("2026-04-02T03:36:00Z", 0), ("2026-04-02T03:36:01Z", fee / 20)]
    {
        let case = Case::new(TIERS).accepted("2026-04-01T00:00:00Z").state(
            "down",
            "2026-04-02T00:00:00Z",
            to,
        );
        let month = case.month("2026-04", "2026-05-06T00:00:00Z");
        let mut expected = vec![("2026-04", LineKind::Capacity, fee)];
        if credit > 0 {
            expected.push(("2026-04", LineKind::Sla, -credit));
        }
        check_lines(&month, &expected);
    }
}

#[test]
fn a_month_cap_holds() {
    let case = Case::new(TIERS).accepted("2026-04-01T00:00:00Z").state(
        "down",
        "2026-04-02T00:00:00Z",
        "2026-04-12T00:00:00Z",
    );
    let month = case.month("2026-04", "2026-05-06T00:00:00Z");
    let fee = 720 * 2_880;
    check_lines(
        &month,
        &[("2026-04", LineKind::Capacity, fee), ("2026-04", LineKind::Sla, -fee / 4)],
    );
    assert_eq!(month.seconds["H1"].down, 8 * 10 * 86_400);
}

#[test]
fn a_run_across_a_months_edge_counts_by_its_whole_length() {
    // 200 seconds on both sides of the edge are one run of 400.
    let case = Case::new(TIERS).accepted("2026-04-01T00:00:00Z").state(
        "down",
        "2026-04-30T23:56:40Z",
        "2026-05-01T00:03:20Z",
    );
    for period in ["2026-04", "2026-05"] {
        let month = case.month(period, "2026-06-06T00:00:00Z");
        assert_eq!(month.seconds["H1"].down, 8 * 200, "{period}");
    }
    let case = Case::new(TIERS).accepted("2026-04-01T00:00:00Z").state(
        "down",
        "2026-04-30T23:57:40Z",
        "2026-05-01T00:02:20Z",
    );
    let month = case.month("2026-04", "2026-05-06T00:00:00Z");
    assert_eq!(month.seconds["H1"].down, 0);
}

#[test]
fn a_late_fact_is_a_correction_on_the_next_statement() {
    let mut case = Case::new(TIERS).accepted("2026-04-01T00:00:00Z");
    case.note(
        "unit_state",
        "2026-04-02T00:00:00Z",
        "2026-04-04T00:00:00Z",
        "2026-05-20T00:00:00Z",
        "{\"unit\":\"u\",\"state\":\"down\"}",
    );
    let settled = case.settle("2026-06-06T00:00:00Z");
    let fee = 720 * 2_880;
    check_lines(&settled[0].1, &[("2026-04", LineKind::Capacity, fee)]);
    check_lines(
        &settled[1].1,
        &[
            ("2026-04", LineKind::Sla, -fee / 20),
            ("2026-05", LineKind::Capacity, 744 * 2_880),
        ],
    );
}

#[test]
fn missing_time_is_neither_up_nor_down() {
    let sections = "[sla]\ntarget = \"0.995\"\ntiers = []\n";
    let mut case = Case::new(sections);
    let body =
        "{\"contract\":\"C\",\"tranche\":\"H1\",\"units\":[{\"unit\":\"u\",\"gpus\":8}]}";
    case.note("acceptance", "2026-04-01T00:00:00Z", "", "2026-04-01T00:00:00Z", body);
    let case = case.state("available", "2026-04-01T01:00:00Z", "2026-05-01T00:00:00Z");
    let month = case.month("2026-04", "2026-05-06T00:00:00Z");
    assert_eq!(month.seconds["H1"].unknown, 8 * 3_600);
    let reasons: Vec<HoldReason> = month.held.iter().map(|held| held.reason).collect();
    assert_eq!(reasons, [HoldReason::Unknown]);
}

#[test]
fn an_index_change_splits_the_month_and_adds_up() {
    // 1.00 for ten days of April and 1.20 for twenty: 8 GPUs x 24 h x (10 + 24).
    let mut case = Case::new("").accepted("2026-04-01T00:00:00Z");
    case.price = "{ unit = \"gpu-hour\", amount = \"1\", index = { name = \"i\", base = \"100\" } }";
    let value = |value: &str| format!("{{\"index\":\"i\",\"value\":\"{value}\"}}");
    let first = "2026-03-01T00:00:00Z";
    let second = "2026-04-11T00:00:00Z";
    let case = case.fact("index_value", first, "", first, &value("100")).fact(
        "index_value",
        second,
        "",
        second,
        &value("120"),
    );
    let month = case.month("2026-04", "2026-05-06T00:00:00Z");
    check_lines(&month, &[("2026-04", LineKind::Capacity, 8 * 24 * 34 * 100)]);
}

const PREPAID: &str = "[prepayment]\npercent = \"20\"\ndue = \"days-before-delivery:0\"\n\
                       credit_from = 2\ncredit_over = 3\nrefundable = \"always\"\n";

#[test]
fn a_prepayment_ends_at_exactly_zero() {
    // Four months from 1 April: 122 days. A fifth of 8 x 122 x 24 x 3.60 is
    // 16,865.28; a third of it 5,621.76. Accepted a week late, so that the months
    // of service touch five months.
    let mut case = Case::new(PREPAID).accepted("2026-04-08T00:00:00Z");
    case.months = 4;
    let paid = "{\"amount\":\"16865.28\",\"currency\":\"USD\",\"for\":\"prepayment:H1\"}";
    let at = "2026-03-01T00:00:00Z";
    let case = case.fact("payment", at, "", at, paid);
    let settled = case.settle("2026-09-30T00:00:00Z");
    let applied: Vec<i64> = settled
        .iter()
        .map(|(period, one)| {
            let place = ("H1".to_owned(), *period, LineKind::Prepayment);
            one.lines.get(&place).copied().unwrap_or(0)
        })
        .collect();
    assert_eq!(applied, [0, -562_176, -562_176, -562_176, 0]);
    let last = settled.last().expect("a month").1.prepayment["H1"];
    assert_eq!((last.received, last.applied), (1_686_528, 1_686_528));
    assert_eq!((last.remaining, last.refunded), (0, 0));
}

#[test]
fn what_is_left_of_a_prepayment_at_an_end_goes_by_its_cause() {
    let refund = |sections: &'static str, cause: &str| {
        let paid = "{\"amount\":\"9000\",\"currency\":\"USD\",\"for\":\"prepayment:H1\"}";
        let body = format!("{{\"tranche\":\"H1\",\"cause\":\"{cause}\"}}");
        let (at, ends) = ("2026-03-01T00:00:00Z", "2026-04-02T00:00:00Z");
        let case = Case::new(sections)
            .accepted("2026-04-01T00:00:00Z")
            .fact("payment", at, "", at, paid)
            .fact("termination", ends, "", ends, &body);
        let month = case.month("2026-04", "2026-05-06T00:00:00Z");
        // A day's fee of 691.20 is credited in full first.
        assert_eq!(month.lines[&place("2026-04", LineKind::Prepayment)], -69_120);
        month.lines.get(&place("2026-04", LineKind::Refund)).copied()
    };
    const SUPPLIER: &str = "[prepayment]\npercent = \"20\"\ncredit_from = 1\ncredit_over = 3\n\
         refundable = \"on-supplier-termination\"\n";
    let rest = Some(69_120 - 900_000);
    assert_eq!(refund(PREPAID, "customer"), rest);
    assert_eq!(refund(SUPPLIER, "supplier"), rest);
    assert_eq!(refund(SUPPLIER, "long_stop"), rest);
    assert_eq!(refund(SUPPLIER, "convenience"), None);
}

#[test]
fn shortfall_is_paid_and_made_up_for_by_later_use() {
    let sections = "[take_or_pay]\npercent = \"80\"\nmake_up = \"months:2\"\n";
    let used = |gpu_seconds: i64| {
        format!("{{\"tranche\":\"H1\",\"gpu_seconds\":{gpu_seconds}}}")
    };
    let april = 8 * 30 * 86_400;
    let may = 8 * 31 * 86_400;
    let case = Case::new(sections)
        .accepted("2026-04-01T00:00:00Z")
        .fact(
            "usage",
            "2026-04-01T00:00:00Z",
            "2026-05-01T00:00:00Z",
            "2026-05-01T00:00:00Z",
            &used(april / 2),
        )
        .fact(
            "usage",
            "2026-05-01T00:00:00Z",
            "2026-06-01T00:00:00Z",
            "2026-06-01T00:00:00Z",
            &used(may + april / 2),
        );
    let settled = case.settle("2026-06-06T00:00:00Z");
    // A GPU-second costs a tenth of a cent.
    check_lines(
        &settled[0].1,
        &[
            ("2026-04", LineKind::Capacity, april / 20),
            ("2026-04", LineKind::Shortfall, april * 3 / 100),
        ],
    );
    // Half of April is above; three tenths were paid for; two tenths are left.
    check_lines(
        &settled[1].1,
        &[
            ("2026-05", LineKind::Capacity, may / 10),
            ("2026-05", LineKind::Overage, april * 2 / 100),
        ],
    );
}

#[test]
fn delay_costs_days_after_grace_and_never_more_than_the_fee() {
    let sections = "[delay]\ngrace_days = 5\n\
                    credit = { per_day = \"0.1\", of = \"monthly-fee\", cap_days = 10 }\n";
    // Accepted on 21 April: 15 days late, 10 count: one fee of the first month of
    // service, of 30 days, against 10 days of April and then May.
    let case = Case::new(sections).accepted("2026-04-21T00:00:00Z");
    let settled = case.settle("2026-06-06T00:00:00Z");
    let day = 24 * 2_880;
    check_lines(
        &settled[0].1,
        &[
            ("2026-04", LineKind::Capacity, 10 * day),
            ("2026-04", LineKind::Delay, -10 * day),
        ],
    );
    check_lines(
        &settled[1].1,
        &[
            ("2026-05", LineKind::Capacity, 31 * day),
            ("2026-05", LineKind::Delay, -20 * day),
        ],
    );
}

#[test]
fn losses_go_by_largest_remainder_and_a_bill_replaces_the_estimate() {
    let sections = "[power]\nmode = \"pass-through\"\nindex = \"lmp\"\n\
                    true_up = \"on-utility-invoice\"\n";
    let (from, to) = ("2026-04-01T00:00:00Z", "2026-05-01T00:00:00Z");
    let meter = |meter: &str, wh: i64, owner: &str| {
        format!("{{\"meter\":\"{meter}\",\"wh\":{wh}{owner}}}")
    };
    let bill = "{\"amount\":\"1000.01\",\"number\":\"U1\"}";
    let case = Case::new(sections)
        .accepted("2026-04-01T00:00:00Z")
        .fact("meter_interval", from, to, to, &meter("main", 1_000_001, ""))
        .fact("meter_interval", from, to, to, &meter("a", 600_000, ",\"tranche\":\"H1\""))
        .fact("meter_interval", from, to, to, &meter("b", 300_000, ""))
        .fact("energy_price", from, to, to, "{\"index\":\"lmp\",\"per_mwh\":\"50\"}")
        .fact("utility_bill", from, to, "2026-05-20T00:00:00Z", bill);
    let settled = case.settle("2026-06-06T00:00:00Z");
    // Losses of 100,001 Wh: 66,667 1/3 and 33,333 2/3; the larger remainder gets one.
    let power = &settled[0].1.lines[&place("2026-04", LineKind::Power)];
    assert_eq!(*power, 3_333, "666,667 Wh at 50 a MWh");
    // Of 100,001 cents, 666,667 of 1,000,001 Wh: 66,667.6.
    assert_eq!(settled[1].1.lines[&place("2026-04", LineKind::Power)], 66_667 - 3_333);
}

#[test]
fn a_credit_above_what_is_owed_is_carried() {
    let sections = "[tax]\ncapacity = \"8.25\"\n";
    let mut case = Case::new(sections).accepted("2026-04-01T00:00:00Z");
    case.months = 1;
    let (versions, facts) = (case.versions(), case.record());
    let mut issued = vec![Issued {
        period: Period::parse("2026-03").expect("a month"),
        lines: BTreeMap::new(),
        carried_out: 3_000_000,
    }];
    let as_of = Timestamp::parse("2026-07-06T00:00:00Z").expect("an instant");
    let month = |issued: &[Issued], period: &str| {
        recount(&versions, &facts, issued, Period::parse(period).expect("a month"), as_of)
    };
    let april = month(&issued, "2026-04");
    // 20,736.00 and a tax of 1,710.72.
    assert_eq!((april.total, april.payable), (2_244_672, 0));
    assert_eq!((april.carried_in, april.carried_out), (3_000_000, 755_328));
    issued.push(Issued::from_recount(Period::parse("2026-04").expect("a month"), &april));
    let may = month(&issued, "2026-05");
    assert_eq!((may.total, may.carried_out), (0, 755_328));
}

#[test]
fn a_version_counts_from_the_month_and_the_day_it_became_known() {
    let mut case = Case::new("").accepted("2026-04-01T00:00:00Z");
    let first = case.text("", "2026-01-15", case.price);
    let cheaper = "{ unit = \"gpu-hour\", amount = \"1.80\" }";
    let hash = Hash::of(first.as_bytes()).to_string();
    let second = case.text(&hash, "2026-05-01", cheaper);
    let known = "2026-06-20T00:00:00Z";
    let body = format!("{{\"sha256\":\"{}\"}}", Hash::of(second.as_bytes()));
    case.note("contract_version", known, "", known, &body);
    let read = |text: &str| Contract::read(text).expect("a contract");
    let versions = Versions::chain(vec![read(&first), read(&second)]).expect("a chain");
    let as_of = Timestamp::parse("2026-07-06T00:00:00Z").expect("an instant");
    let settled = recount_all(&versions, &case.record(), as_of);
    check_lines(&settled[1].1, &[("2026-05", LineKind::Capacity, 744 * 2_880)]);
    check_lines(
        &settled[2].1,
        &[
            ("2026-05", LineKind::Capacity, -744 * 1_440),
            ("2026-06", LineKind::Capacity, 720 * 1_440),
        ],
    );
}
