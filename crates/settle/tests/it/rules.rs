//! Contract rules, one table each.

use crate::world::{
    at, check, check_once, contract, contract_with, facts, month, same, versions,
};
use settle::contract::{Contract, Versions};
use settle::exact::Exact;
use settle::settlement::{cut, statement, statements};

/// An availability promise with every excuse and no tolerance.
pub(crate) fn sla(keys: &str) -> String {
    format!(
        "[sla]\ntarget = \"1\"\ntiers = [{{ below = \"1\", credit = \"0.10\" }}]\n{keys}\n\
         [sla.excused]\n\
         planned_maintenance = {{ notice_hours = 24, hours_per_month = 2 }}\n\
         grid_emergency = {{ hours_per_year = 2 }}\n\
         force_majeure = {{ notice_hours = 48 }}\n\
         customer_caused = {{}}\n"
    )
}

/// Checks April's hours by class; ten GPUs have 7,200.
#[track_caller]
pub(crate) fn check_hours(contract: &str, said: &str, expected: &str) {
    check_hours_of("2026-04", contract, said, expected);
}

#[track_caller]
pub(crate) fn check_hours_of(period: &str, contract: &str, said: &str, expected: &str) {
    let versions = versions(contract);
    let as_of = cut(versions.first(), month(period));
    let made = statement(&versions, &facts(said), &[], month(period), as_of);
    let mut found = String::new();
    for row in &made.availability {
        let s = &row.seconds;
        for (name, seconds) in [
            ("reserved", s.reserved),
            ("available", s.available),
            ("degraded", s.degraded),
            ("down", s.down),
            ("planned", s.planned),
            ("grid", s.grid),
            ("force_majeure", s.force_majeure),
            ("customer_caused", s.customer_caused),
            ("flex", s.flex),
            ("unknown", s.unknown),
        ] {
            if seconds != 0 {
                let hours = Exact::ratio(seconds.into(), 3_600).to_text();
                found.push_str(&format!("{name} {hours} "));
            }
        }
    }
    same(&found, expected);
}

const UP: &str = "accept H1 a 10 2026-04-01\na available 2026-04-01\n";

fn up(more: &str) -> String {
    format!("{UP}{more}")
}

#[test]
fn planned_work_is_excused_by_notice_and_budget() {
    let terms = contract(&sla(""));
    let notice = "raw notice {\"id\":\"n\",\"about\":\"planned_maintenance\"} \
                  2026-04-10..2026-04-10T04:00";
    let work = "a planned 2026-04-10..2026-04-10T03:00 ref=n";
    for (known, expected) in [
        // Two of the three hours are in the month's budget.
        ("2026-04-09", "reserved 7200 available 7170 down 10 planned 20"),
        // A second short of a day's notice.
        ("2026-04-09T00:00:01", "reserved 7200 available 7170 down 30"),
    ] {
        check_hours(&terms, &up(&format!("{notice} known={known}\n{work}")), expected);
    }
    // A notice of the wrong kind, and one that nobody refers to.
    let wrong = notice.replace("planned_maintenance", "force_majeure");
    check_hours(
        &terms,
        &up(&format!("{wrong} known=2026-04-01\n{work}")),
        "reserved 7200 available 7170 down 30",
    );
    check_hours(
        &terms,
        &up("a planned 2026-04-10..2026-04-10T03:00"),
        "reserved 7200 available 7170 down 30",
    );
}

#[test]
fn a_grid_emergency_needs_the_instruction_and_has_a_budget_a_year() {
    let terms = contract(&sla(""));
    let instruction = "raw grid_instruction {\"id\":\"g\"} 2026-04-10..2026-04-10T01:00";
    check_hours(
        &terms,
        &up(&format!("{instruction}\na grid 2026-04-10..2026-04-10T03:00 ref=g")),
        "reserved 7200 available 7170 down 20 grid 10",
    );
    // The year's two hours were used in April; May has none left.
    let all =
        "raw grid_instruction {\"id\":\"g\"} 2026-04-01..2026-06-01 known=2026-04-01";
    check_hours_of(
        "2026-05",
        &terms,
        &up(&format!(
            "{all}\na grid 2026-04-10..2026-04-10T02:00 ref=g\n\
             a grid 2026-05-10..2026-05-10T01:00 ref=g"
        )),
        "reserved 7440 available 7430 down 10",
    );
}

#[test]
fn force_majeure_needs_a_notice_soon_after_it_began() {
    let terms = contract(&sla(""));
    let storm = "a force_majeure 2026-04-10..2026-04-10T03:00 ref=f";
    let notice =
        "raw notice {\"id\":\"f\",\"about\":\"force_majeure\"} 2026-04-10..2026-04-11";
    check_hours(
        &terms,
        &up(&format!("{storm}\n{notice} known=2026-04-12")),
        "reserved 7200 available 7170 force_majeure 30",
    );
    check_hours(
        &terms,
        &up(&format!("{storm}\n{notice} known=2026-04-12T00:00:01")),
        "reserved 7200 available 7170 down 30",
    );
}

#[test]
fn a_class_that_is_not_listed_is_not_excused() {
    let cause = up("a customer_caused 2026-04-10..2026-04-10T03:00");
    check_hours(
        &contract(&sla("")),
        &cause,
        "reserved 7200 available 7170 customer_caused 30",
    );
    check_hours(
        &contract("[sla]\ntarget = \"0.99\"\ntiers = []"),
        &cause,
        "reserved 7200 available 7170 down 30",
    );
}

#[test]
fn a_classification_moves_every_state_of_its_incident() {
    let terms = contract(&sla(""));
    let classed = "a down 2026-04-10..2026-04-10T03:00 ref=i\n\
         raw incident_classification {\"incident\":\"i\",\"class\":\"customer_caused\"} 2026-04-12";
    check_hours(&terms, &up(classed), "reserved 7200 available 7170 customer_caused 30");
    // The latest known counts, and what is available stays so.
    check_hours(
        &terms,
        &up(&format!(
            "{classed}\na available 2026-04-10T02:00 ref=i known=2026-04-10T04:00\n\
             raw incident_classification {{\"incident\":\"i\",\"class\":\"down\"}} 2026-04-13"
        )),
        "reserved 7200 available 7180 down 20",
    );
}

#[test]
fn the_latest_known_assertion_counts() {
    let terms = contract(&sla(""));
    check_hours(
        &terms,
        &up("a down 2026-04-10..2026-04-10T03:00 known=2026-04-11\n\
             a available 2026-04-10T01:00..2026-04-10T02:00 known=2026-04-12"),
        "reserved 7200 available 7180 down 20",
    );
    // Without an end: from one report to the next, whatever order they came in.
    check_hours(
        &terms,
        &up("a down 2026-04-10\na available 2026-04-10T03:00"),
        "reserved 7200 available 7170 down 30",
    );
    check_hours(
        &terms,
        &up("a available 2026-04-10T03:00 known=2026-04-10T03:00\n\
             a down 2026-04-10 known=2026-04-10T05:00"),
        "reserved 7200 available 7170 down 30",
    );
}

#[test]
fn what_nobody_said_is_unknown_and_holds() {
    let silent = "accept H1 a 10 2026-04-01";
    check_hours(&contract(&sla("")), silent, "reserved 7200 unknown 7200");
    check(
        &contract(&sla("")),
        silent,
        "2026-05-06",
        "held 2026-04
         H1 2026-04 capacity 7200.00
         because expected the state of every unit, found 25920000 unit-seconds unknown; \
         record what they were",
    );
    check(
        &contract(&sla("gap_policy = \"exclude\"")),
        silent,
        "2026-05-06",
        "CAP-0001 2026-04 total 7200.00 payable 7200.00
         H1 2026-04 capacity 7200.00",
    );
}

#[test]
fn time_not_accepted_is_not_reserved() {
    check_hours(
        &contract(&sla("")),
        &up("a not_accepted 2026-04-10..2026-04-10T03:00"),
        "reserved 7170 available 7170",
    );
}

#[test]
fn a_short_incident_does_not_count_and_its_whole_run_decides() {
    let terms = contract(&sla("min_incident_seconds = 300"));
    for (incident, april, may) in [
        // Four minutes across the month's edge.
        ("2026-04-30T23:58..2026-05-01T00:02", "available 7200", "available 7440"),
        // Six minutes.
        (
            "2026-04-30T23:57..2026-05-01T00:03",
            "available 7199.5 down 0.5",
            "available 7439.5 down 0.5",
        ),
        // Exactly the least length.
        ("2026-04-10..2026-04-10T00:05", "available 43195/6 down 5/6", "available 7440"),
    ] {
        let said = up(&format!("a down {incident} known=2026-05-02"));
        check_hours(&terms, &said, &format!("reserved 7200 {april}"));
        check_hours_of("2026-05", &terms, &said, &format!("reserved 7440 {may}"));
    }
    // Degraded joins the run where it counts as down in full.
    let mixed = up("a down 2026-04-10..2026-04-10T00:03\n\
                    a degraded 2026-04-10T00:03..2026-04-10T00:06");
    check_hours(&terms, &mixed, "reserved 7200 available 7199 degraded 0.5 down 0.5");
    let half = contract(&sla("min_incident_seconds = 300\ndegraded = \"0.5\""));
    check_hours(&half, &mixed, "reserved 7200 available 7199.5 degraded 0.5");
}

#[test]
fn power_below_the_floor_is_down_unless_it_is_contracted_flex() {
    let terms = contract(&format!(
        "{}[power_floor]\nwatts_per_gpu = \"900\"\n[flex]\nhours_per_month = 1",
        sla("")
    ));
    let capped = "a available 2026-04-10..2026-04-10T03:00 cap=800";
    check_hours(&terms, &up(capped), "reserved 7200 available 7170 down 30");
    check_hours(
        &terms,
        &up(&format!(
            "{capped}\nraw flex {{\"id\":\"x\",\"tranche\":\"H1\"}} 2026-04-10..2026-04-10T02:00"
        )),
        "reserved 7200 available 7170 down 20 flex 10",
    );
    check_hours(
        &terms,
        &up(&capped.replace("800", "900")),
        "reserved 7200 available 7200",
    );
}

#[test]
fn a_block_is_what_enough_of_its_units_are() {
    let terms = contract(&sla("basis = \"blocks\"\n[sla.block]\nunits = 5\nneeded = 4"));
    let rack = "accept H1 u1..u5 2 2026-04-01 domain=d\nu1..u5 available 2026-04-01\n";
    for (said, expected) in [
        ("u1 down 2026-04-10..2026-04-10T03:00", "reserved 7200 available 7200"),
        (
            "u1,u2 down 2026-04-10..2026-04-10T03:00",
            "reserved 7200 available 7170 down 30",
        ),
        (
            // Three available and the one the customer caused make four.
            "u1 down 2026-04-10..2026-04-10T03:00\n\
             u2 customer_caused 2026-04-10..2026-04-10T03:00",
            "reserved 7200 available 7170 customer_caused 30",
        ),
        (
            "u1 down 2026-04-10..2026-04-10T03:00\nu2 unknown 2026-04-10..2026-04-10T01:00",
            "reserved 7200 available 7190 unknown 10",
        ),
        (
            // With three accepted there is no block.
            "u1,u2 not_accepted 2026-04-10..2026-04-10T01:00",
            "reserved 7196 available 7190 down 6",
        ),
    ] {
        check_hours(&terms, &format!("{rack}{said}"), expected);
    }
}

#[test]
fn take_or_pay_bills_the_floor() {
    let terms = contract("[take_or_pay]\npercent = \"80\"");
    for (used_hours, expected) in [
        (7_200, "H1 2026-04 capacity 7200.00"),
        (5_760, "H1 2026-04 capacity 5760.00"),
        (5_000, "H1 2026-04 capacity 5000.00\nH1 2026-04 shortfall 760.00"),
        (0, "H1 2026-04 shortfall 5760.00"),
        (8_000, "H1 2026-04 capacity 7200.00\nH1 2026-04 overage 800.00"),
    ] {
        let usage = format!(
            "raw usage {{\"tranche\":\"H1\",\"gpu_seconds\":{}}} 2026-04-01..2026-05-01",
            used_hours * 3_600
        );
        check_once(&terms, &up(&usage), "2026-04", expected);
    }
    check_once(
        &terms,
        UP,
        "2026-04",
        "H1 2026-04 capacity 7200.00
         because expected usage for all of the month's service, found none for part of it; \
         record what was used",
    );
}

#[test]
fn usage_said_again_of_an_interval_takes_its_place() {
    let terms = contract("[take_or_pay]\npercent = \"80\"");
    let usage = "raw usage {\"tranche\":\"H1\",\"gpu_seconds\":25920000} 2026-04-01..2026-05-01\n\
                 raw usage {\"tranche\":\"H1\",\"gpu_seconds\":21600000} 2026-04-01..2026-05-01 \
                 known=2026-05-03";
    check_once(&terms, &up(usage), "2026-04", "H1 2026-04 capacity 6000.00");
}

#[test]
fn overage_has_its_own_price_and_draws_on_earlier_shortfall() {
    let usage = "raw usage {\"tranche\":\"H1\",\"gpu_seconds\":18000000} 2026-04-01..2026-05-01\n\
                 raw usage {\"tranche\":\"H1\",\"gpu_seconds\":30384000} 2026-05-01..2026-06-01\n\
                 raw usage {\"tranche\":\"H1\",\"gpu_seconds\":29520000} 2026-06-01..2026-07-01";
    // April is 760 h short; May is 1,000 h over and June 1,000 h.
    for (make_up, may, june) in [
        ("none", "H1 2026-05 overage 1000.00", "H1 2026-06 overage 1000.00"),
        ("months:1", "H1 2026-05 overage 240.00", "H1 2026-06 overage 1000.00"),
        ("term-end", "H1 2026-05 overage 240.00", "H1 2026-06 overage 1000.00"),
    ] {
        let terms = contract(&format!(
            "[take_or_pay]\npercent = \"80\"\nmake_up = \"{make_up}\""
        ));
        let expected = format!(
            "H1 2026-06 capacity 7200.00
             {june}
             H1 2026-04 capacity 5000.00
             H1 2026-04 shortfall 760.00
             H1 2026-05 capacity 7440.00
             {may}"
        );
        check_once(&terms, &up(usage), "2026-06", &expected);
    }
    let dear = contract_with("", "", "\"1.00\", overage = \"1.50\"");
    let over =
        "raw usage {\"tranche\":\"H1\",\"gpu_seconds\":28800000} 2026-04-01..2026-05-01";
    check_once(
        &dear,
        &up(over),
        "2026-04",
        "H1 2026-04 capacity 7200.00
         H1 2026-04 overage 1200.00",
    );
}

#[test]
fn credits_are_capped_by_month_and_then_by_year() {
    let down =
        up("a down 2026-04-10..2026-04-10T03:00\na down 2026-05-10..2026-05-10T03:00");
    check_once(
        &contract(&sla("month_cap = \"0.08\"")),
        &down,
        "2026-05",
        "H1 2026-05 capacity 7440.00
         H1 2026-05 sla -595.20
         H1 2026-04 capacity 7200.00
         H1 2026-04 sla -576.00",
    );
    // A twentieth of April's fee; then of both fees less April's credit.
    check_once(
        &contract(&sla("year_cap = \"0.05\"")),
        &down,
        "2026-05",
        "H1 2026-05 capacity 7440.00
         H1 2026-05 sla -372.00
         H1 2026-04 capacity 7200.00
         H1 2026-04 sla -360.00",
    );
}

#[test]
fn the_cap_of_the_year_looks_back_twelve_months_and_is_cut_to_the_cent() {
    // An outage every month, so that the cap binds each time.
    let terms =
        contract(&sla("year_cap = \"0.033333\"")).replace("months = 12", "months = 24");
    let mut said = UP.to_owned();
    let months: Vec<_> = (0..16).map(|number| month("2026-04").plus(number)).collect();
    for month in &months {
        said.push_str(&format!("a down {month}-10..{month}-11\n"));
    }
    let versions = versions(&terms);
    let last = *months.last().expect("months");
    let made =
        statement(&versions, &facts(&said), &[], last, cut(versions.first(), last));
    let of = |period, kind: &str| {
        let mut lines = made.lines.iter();
        let line = lines.find(|line| line.service == period && line.kind.name() == kind);
        line.map_or(0, |line| line.amount.as_minor())
    };
    let mut credits: Vec<i64> = Vec::new();
    for (place, period) in months.iter().enumerate() {
        let window = &months[place.saturating_sub(11)..=place];
        let fees: i64 = window.iter().map(|period| of(*period, "capacity")).sum();
        let before: i64 = credits[place.saturating_sub(11)..].iter().sum();
        let left = fees * 33_333 / 1_000_000 - before;
        let expected = left.clamp(0, of(*period, "capacity") / 10);
        assert_eq!(-of(*period, "sla"), expected, "{period}");
        credits.push(expected);
    }
    assert_eq!(credits[0], 23_999); // 23,999.76 cents, cut
    assert!(credits[12] > 0);
}

#[test]
fn a_credit_that_must_be_claimed_waits_for_the_claim() {
    let terms = contract(&sla("claim = \"customer-claim:30d\""));
    let down = up("a down 2026-04-10..2026-04-10T03:00");
    let claim = "raw claim {\"tranche\":\"H1\",\"period\":\"2026-04\"}";
    check(
        &terms,
        &format!("{down}\n{claim} 2026-05-31"),
        "2026-06-06",
        "CAP-0001 2026-04 total 7200.00 payable 7200.00
         H1 2026-04 capacity 7200.00
         CAP-0002 2026-05 total 6720.00 payable 6720.00
         H1 2026-05 capacity 7440.00
         H1 2026-04 sla -720.00 corrects CAP-0001",
    );
    check(
        &terms,
        &format!("{down}\n{claim} 2026-05-31T00:00:01"),
        "2026-06-06",
        "CAP-0001 2026-04 total 7200.00 payable 7200.00
         H1 2026-04 capacity 7200.00
         CAP-0002 2026-05 total 7440.00 payable 7440.00
         H1 2026-05 capacity 7440.00",
    );
}

#[test]
fn late_delivery_costs_days_after_grace_and_excuse() {
    let delay = "[delay]\ngrace_days = 15\ncredit = { per_day = \"0.005\", of = \"monthly-fee\", cap_days = 60 }";
    let late = "accept H1 a 10 2026-05-07\na available 2026-05-07\n";
    // 36 days less 15; a month of service from 7 May costs 7,440.00.
    check_once(
        &contract(delay),
        late,
        "2026-05",
        "H1 2026-05 capacity 6000.00
         H1 2026-05 delay -781.20",
    );
    // Three whole days and a part of a fourth are excused.
    check_once(
        &contract(delay),
        &format!(
            "raw grid_instruction {{\"id\":\"g\"}} 2026-04-10..2026-04-13T20:00\n{late}"
        ),
        "2026-05",
        "H1 2026-05 capacity 6000.00
         H1 2026-05 delay -669.60",
    );
    // Half of it a month later: its own days, half the fee each.
    check_once(
        &contract(delay),
        "accept H1 a 5 2026-05-07
         accept H1 b 5 2026-06-07
         a available 2026-05-07
         b available 2026-06-07",
        "2026-06",
        "H1 2026-06 capacity 6480.00
         H1 2026-06 delay -967.20
         H1 2026-05 capacity 3000.00
         H1 2026-05 delay -390.60",
    );
}

#[test]
fn a_delay_credit_above_the_fee_goes_on_to_the_next_month() {
    let delay =
        "[delay]\ncredit = { per_day = \"0.05\", of = \"monthly-fee\", cap_days = 20 }";
    // 29 days late, 20 count: a whole monthly fee of 7,200 + 240 from 30 April.
    check_once(
        &contract(delay),
        "accept H1 a 10 2026-04-30
         a available 2026-04-30",
        "2026-05",
        "H1 2026-05 capacity 7440.00
         H1 2026-05 delay -6960.00
         H1 2026-04 capacity 240.00
         H1 2026-04 delay -240.00",
    );
}

#[test]
fn an_early_end_refunds_by_its_cause() {
    let paid = "raw payment {\"amount\":\"8760\",\"currency\":\"USD\",\"for\":\"prepayment:H1\"} 2026-03-01\n";
    let prepayment =
        "[prepayment]\npercent = \"10\"\ncredit_from = 7\ncredit_over = 6\nrefundable = ";
    let fees = "H1 2026-06 capacity 3600.00\nH1 2026-06 prepayment -3600.00\n";
    let before = "H1 2026-04 capacity 7200.00\nH1 2026-05 capacity 7440.00\n";
    let refund = "H1 2026-06 refund -5160.00\n";
    for (rule, cause, refunded) in [
        ("on-supplier-termination", "supplier", true),
        ("on-supplier-termination", "long_stop", true),
        ("on-supplier-termination", "customer", false),
        ("always", "customer", true),
        ("never", "supplier", false),
    ] {
        let end = format!(
            "raw termination {{\"tranche\":\"H1\",\"cause\":\"{cause}\"}} 2026-06-16"
        );
        let refund = if refunded { refund } else { "" };
        check_once(
            &contract(&format!("{prepayment}\"{rule}\"")),
            &format!("{paid}{UP}{end}"),
            "2026-06",
            &format!("{fees}{refund}{before}"),
        );
    }
}

#[test]
fn a_fee_for_ending_is_posted_only_as_approved_and_within_its_schedule() {
    let terms = contract(
        "[termination]\nfee = \"remaining-reserved-fees less mitigation\"\nmitigation = \"0.5\"",
    );
    let end =
        up("raw termination {\"tranche\":\"all\",\"cause\":\"convenience\"} 2027-03-01");
    let approve = |amount: &str| {
        format!(
            "{end}\nraw approval {{\"approves\":\"termination-fee:H1\",\"amount\":\"{amount}\",\"by\":\"cfo\"}} 2027-03-02"
        )
    };
    let versions = versions(&terms);
    // A month remains: 31 days x 240.00, of which half.
    for (said, fee, held) in [
        (end.clone(), None, false),
        (approve("3720.00"), Some(372_000), false),
        (approve("3720.01"), None, true),
    ] {
        let last = month("2027-03");
        let made =
            statement(&versions, &facts(&said), &[], last, cut(versions.first(), last));
        let found = made.lines.iter().find(|line| line.kind.name() == "termination_fee");
        assert_eq!(found.map(|line| line.amount.as_minor()), fee);
        assert_eq!(made.held.iter().any(|hold| hold.text.contains("approved")), held);
    }
}

#[test]
fn a_late_fact_becomes_a_correction_and_the_old_document_stays() {
    check(
        &contract(&sla("")),
        &up("a down 2026-04-10..2026-04-10T03:00 known=2026-05-20"),
        "2026-07-06",
        "CAP-0001 2026-04 total 7200.00 payable 7200.00
         H1 2026-04 capacity 7200.00
         CAP-0002 2026-05 total 6720.00 payable 6720.00
         H1 2026-05 capacity 7440.00
         H1 2026-04 sla -720.00 corrects CAP-0001
         CAP-0003 2026-06 total 7200.00 payable 7200.00
         H1 2026-06 capacity 7200.00",
    );
}

#[test]
fn a_change_beyond_the_limit_needs_a_dispute() {
    let terms = contract(&sla("")).replace("months = 24", "months = 1");
    let late = up("a down 2026-04-10..2026-04-10T03:00 known=2026-06-20");
    let until = "CAP-0001 2026-04 total 7200.00 payable 7200.00
         H1 2026-04 capacity 7200.00
         CAP-0002 2026-05 total 7440.00 payable 7440.00
         H1 2026-05 capacity 7440.00\n";
    check(
        &terms,
        &late,
        "2026-07-06",
        &format!(
            "{until}CAP-0003 2026-06 total 7200.00 payable 7200.00
             H1 2026-06 capacity 7200.00"
        ),
    );
    check(
        &terms,
        &format!(
            "{late}\nraw dispute {{\"tranche\":\"H1\",\"period\":\"2026-04\"}} 2026-06-21"
        ),
        "2026-07-06",
        &format!(
            "{until}CAP-0003 2026-06 total 6480.00 payable 6480.00
             H1 2026-06 capacity 7200.00
             H1 2026-04 sla -720.00 corrects CAP-0001"
        ),
    );
}

#[test]
fn a_credit_above_what_is_owed_is_carried() {
    // Service ends with April; April's outage is learned in May.
    let said =
        up("raw termination {\"tranche\":\"H1\",\"cause\":\"supplier\"} 2026-05-01
                   a down 2026-04-10..2026-04-10T03:00 known=2026-05-20");
    let versions = versions(&contract(&sla("")));
    let made = statements(&versions, &facts(&said), at("2026-07-06"));
    let found: Vec<String> = made
        .iter()
        .map(|s| format!("{} {} {} {}", s.total, s.carried_in, s.payable, s.carried_out))
        .collect();
    assert_eq!(
        found,
        [
            "7200.00 0.00 7200.00 0.00",
            "-720.00 0.00 0.00 720.00",
            "0.00 720.00 0.00 720.00"
        ]
    );
}

#[test]
fn prices_change_at_their_instant() {
    let steps = "\"1.00\", steps = [{ from = 2026-04-16, amount = \"2.00\" }]";
    check_once(
        &contract_with("", "", steps),
        UP,
        "2026-04",
        "H1 2026-04 capacity 10800.00",
    );
    let index = "\"1.00\", index = { name = \"cpi\", base = \"100\", share = \"0.5\" }";
    let values = "raw index_value {\"index\":\"cpi\",\"value\":\"100\"} 2026-03-01\n\
                  raw index_value {\"index\":\"cpi\",\"value\":\"110\"} 2026-04-16\n";
    check_once(
        &contract_with("", "", index),
        &format!("{values}{UP}"),
        "2026-04",
        "H1 2026-04 capacity 7380.00",
    );
    let capped = index.replace("share", "cap = \"1.04\", share");
    check_once(
        &contract_with("", "", &capped),
        &format!("{values}{UP}"),
        "2026-04",
        "H1 2026-04 capacity 7272.00",
    );
    check_once(
        &contract_with("", "", index),
        UP,
        "2026-04",
        "H1 2026-04 capacity 7200.00
         because expected a value of cpi from 2026-04-01T00:00Z on, found none; record it",
    );
}

#[test]
fn a_line_is_rounded_once_by_the_rule_named() {
    let hour = "accept H1 a 1 2026-04-30T23:00\na available 2026-04-30T23:00";
    let named = |rule: &str| format!("[rounding]\nmoney = \"{rule}\"");
    // Half a cent.
    check_once(
        &contract_with("", &named("line-half-up"), "\"0.005\""),
        hour,
        "2026-04",
        "H1 2026-04 capacity 0.01",
    );
    check_once(
        &contract_with("", &named("line-half-even"), "\"0.005\""),
        hour,
        "2026-04",
        "",
    );
}

#[test]
fn power_is_estimated_and_then_billed() {
    let power = "[power]\nmode = \"pass-through\"\nestimate_per_mwh = \"50\"";
    let metered = up("raw meter_interval {\"meter\":\"main\",\"wh\":1100000} 2026-04-10..2026-04-10T01:00
         raw meter_interval {\"meter\":\"m1\",\"wh\":600000,\"tranche\":\"H1\"} 2026-04-10..2026-04-10T01:00
         raw meter_interval {\"meter\":\"own\",\"wh\":400000} 2026-04-10..2026-04-10T01:00");
    // 600 kWh and six tenths of the 100 kWh lost, at 50.00 a MWh.
    check_once(
        &contract(power),
        &metered,
        "2026-04",
        "H1 2026-04 capacity 7200.00
         H1 2026-04 power 33.00",
    );
    // The bill of 100.00 by energy: 660 of 1,100 kWh.
    check(
        &contract(power),
        &format!(
            "{metered}\nraw utility_bill {{\"amount\":\"100.00\",\"number\":\"u1\"}} 2026-04-01..2026-05-01 known=2026-05-20"
        ),
        "2026-06-06",
        "CAP-0001 2026-04 total 7233.00 payable 7233.00
         H1 2026-04 capacity 7200.00
         H1 2026-04 power 33.00
         CAP-0002 2026-05 total 7467.00 payable 7467.00
         H1 2026-05 capacity 7440.00
         H1 2026-04 power 27.00 corrects CAP-0001",
    );
    // A bill over two months is split by energy; all of it was in April.
    check(
        &contract(power),
        &format!(
            "{metered}\nraw utility_bill {{\"amount\":\"100.00\",\"number\":\"u1\"}} 2026-04-01..2026-06-01 known=2026-06-02"
        ),
        "2026-06-06",
        "CAP-0001 2026-04 total 7233.00 payable 7233.00
         H1 2026-04 capacity 7200.00
         H1 2026-04 power 33.00
         CAP-0002 2026-05 total 7467.00 payable 7467.00
         H1 2026-05 capacity 7440.00
         H1 2026-04 power 27.00 corrects CAP-0001",
    );
    let indexed = "[power]\nmode = \"index\"\nindex = \"hub\"\nadder = \"4\"";
    let price = "raw energy_price {\"index\":\"hub\",\"per_mwh\":\"40\"} 2026-04-10..2026-04-10T00:30
         raw energy_price {\"index\":\"hub\",\"per_mwh\":\"60\"} 2026-04-10T00:30..2026-04-10T01:00";
    check_once(
        &contract(indexed),
        &format!("{metered}\n{price}"),
        "2026-04",
        "H1 2026-04 capacity 7200.00
         H1 2026-04 power 35.64",
    );
    check_once(
        &contract(indexed),
        &metered,
        "2026-04",
        "H1 2026-04 capacity 7200.00
         because expected an energy price over every metered interval, found none for some; \
         record the price or the utility's bill",
    );
}

#[test]
fn tax_is_on_the_sum_of_its_lines() {
    check(
        &contract("[tax]\ncapacity = \"8.25\""),
        UP,
        "2026-05-06",
        "CAP-0001 2026-04 total 7794.00 payable 7794.00
         H1 2026-04 capacity 7200.00",
    );
}

#[test]
fn an_amendment_settles_the_months_from_its_first() {
    let first = contract("");
    let hash = Contract::read(&first).expect("a contract").hash;
    let second = contract_with(&format!("supersedes = \"{hash}\""), "", "\"2.00\"")
        .replace("effective = 2026-01-01", "effective = 2026-05-01");
    let read = |text: &str| Contract::read(text).expect("a contract");
    let amended = read(&second);
    let learned =
        format!("raw contract_version {{\"sha256\":\"{}\"}} 2026-06-20", amended.hash);
    // Given out of order, the chain finds its order.
    let chain = Versions::chain(vec![amended, read(&first)]).expect("a chain");
    let told = |said: &str| {
        let made = statements(&chain, &facts(said), at("2026-07-06"));
        crate::world::told(&made)
    };
    same(
        &told(UP),
        "CAP-0001 2026-04 total 7200.00 payable 7200.00
         H1 2026-04 capacity 7200.00
         CAP-0002 2026-05 total 14880.00 payable 14880.00
         H1 2026-05 capacity 14880.00
         CAP-0003 2026-06 total 14400.00 payable 14400.00
         H1 2026-06 capacity 14400.00",
    );
    // Signed in June and effective from May: May is corrected.
    same(
        &told(&up(&learned)),
        "CAP-0001 2026-04 total 7200.00 payable 7200.00
         H1 2026-04 capacity 7200.00
         CAP-0002 2026-05 total 7440.00 payable 7440.00
         H1 2026-05 capacity 7440.00
         CAP-0003 2026-06 total 21840.00 payable 21840.00
         H1 2026-06 capacity 14400.00
         H1 2026-05 capacity 7440.00 corrects CAP-0002",
    );
}

#[test]
fn another_contract_on_the_site_is_not_ours() {
    check_once(
        &contract(&sla("")),
        &up("accept OTHER/X1 z 10 2026-04-01
             z down 2026-04-10..2026-04-10T03:00
             raw usage {\"tranche\":\"X1\",\"gpu_seconds\":5} 2026-04-02..2026-04-03
             raw usage {\"tranche\":\"H1\",\"contract\":\"OTHER\",\"gpu_seconds\":5} 2026-04-02..2026-04-03"),
        "2026-04",
        "H1 2026-04 capacity 7200.00",
    );
}

#[test]
fn rights_arise_and_are_not_exercised() {
    let terms = contract(
        "[delay]\nlong_stop_days = 40\n[sla]\ntarget = \"0.99\"\ntiers = []\n\
         [termination]\navailability = { below = \"0.90\", months = 2 }",
    );
    let versions = versions(&terms);
    let said = "accept H1 a 5 2026-04-01
                a available 2026-04-01
                a down 2026-04-10..2026-06-10 known=2026-04-10";
    for (period, expected) in [
        ("2026-04", vec![]),
        ("2026-05", vec!["LongStop 2026-05-11", "AvailabilityTermination 2026-06-01"]),
        ("2026-06", vec!["LongStop 2026-05-11", "AvailabilityTermination 2026-07-01"]),
        ("2026-07", vec!["LongStop 2026-05-11"]),
    ] {
        let as_of = cut(versions.first(), month(period));
        let made = statement(&versions, &facts(said), &[], month(period), as_of);
        let found: Vec<String> = made
            .rights
            .iter()
            .map(|right| format!("{:?} {}", right.kind, right.since))
            .collect();
        assert_eq!(found, expected, "{period}");
        assert!(made.lines.iter().any(|line| line.service == month(period)));
    }
}
