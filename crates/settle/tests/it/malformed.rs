//! Doubtful input: each is set aside with its reason and nothing is posted.

use crate::world::{at, check, contract, facts, lines, said, versions};
use settle::facts::Facts;
use settle::settlement::{Settlement, statements};

const UP: &str = "accept H1 a 10 2026-04-01\na available 2026-04-01\n";

/// Checks that `doubtful` holds April with a reason that contains `reason`, that
/// dropping it releases the statement, and that nothing else holds it.
#[track_caller]
fn check_held(extra: &str, doubtful: &str, reason: &str) {
    let versions = versions(&contract(extra));
    let record = format!("{UP}{doubtful}");
    let made = statements(&versions, &facts(&record), at("2026-05-06"));
    let [held] = made.as_slice() else { panic!("one statement, not {}", made.len()) };
    assert!(held.is_held() && held.number.is_none(), "{:#?}", held.lines);
    assert_eq!(held.held.len(), 1, "{:#?}", held.held);
    let hold = &held.held[0];
    assert!(hold.text.contains(reason), "{}", hold.text);
    // The approval that the reason names drops it, and April is posted.
    let key = hold.text.rsplit_once("discard:").expect("how to drop it").1;
    let known = "2026-05-07";
    let dropped = format!(
        "{record}\nraw approval {{\"approves\":\"discard:{key}\",\"by\":\"x\"}} {known}"
    );
    let made = statements(&versions, &facts(&dropped), at("2026-05-09"));
    assert_eq!(made.len(), 1);
    assert_eq!(made[0].number.as_deref(), Some("CAP-0001"), "{:#?}", made[0].held);
    assert_eq!(made[0].total.to_string(), "7200.00");
}

#[test]
fn doubtful_facts_hold_the_statement_until_somebody_decides() {
    let power = "[power]\nmode = \"pass-through\"\nestimate_per_mwh = \"50\"";
    for (extra, doubtful, reason) in [
        ("", "b down 2026-04-10..2026-04-11", "a unit that was accepted, found b"),
        ("", "a down 2026-04-11..2026-04-10 known=2026-04-12", "expected an end after"),
        ("", "a down 2026-04-10..2026-04-10", "expected an end after"),
        ("", "a down 2026-04-10T00:05:01 known=2026-04-10", "a clock is ahead"),
        ("", "a available 2026-04-10 offset=3", "found it 3 s off"),
        ("", "a available 2026-04-10 offset=-2.5", "found it -2.5 s off"),
        ("", "accept H2 b 1 2026-04-10", "expected a tranche of the contract, found H2"),
        ("", "accept OTHER/X a 10 2026-04-10", "found it accepted for H1 too"),
        ("", "accept H1 b 1 2026-04-10", "at most 10 accepted for H1, found 11"),
        ("", "accept H1 b 1 2026-03-31 known=2026-04-02", "early = \"accept\""),
        ("", "accept H1 b 1kw 2026-04-10", "expected gpus for b, found kw"),
        (
            "",
            "raw usage {\"tranche\":\"H1\",\"gpu_seconds\":1} 2026-04-30..2026-05-02",
            "in one month",
        ),
        (
            "",
            "raw usage {\"tranche\":\"H1\",\"gpu_seconds\":999999999999} 2026-04-01..2026-04-02",
            "use of at most 86400000 GPU-seconds",
        ),
        (
            "",
            "raw usage {\"tranche\":\"H1\",\"gpu_seconds\":5} 2026-04-01..2026-04-03\n\
             raw usage {\"tranche\":\"H1\",\"gpu_seconds\":5} 2026-04-02..2026-04-04",
            "counted once",
        ),
        (
            "",
            "raw index_value {\"index\":\"cpi\",\"value\":\"0\"} 2026-04-02",
            "a value of cpi above 0",
        ),
        (
            power,
            "raw energy_price {\"index\":\"lmp\",\"per_mwh\":\"1000001\"} 2026-04-02..2026-04-03",
            "a price of at most 1000000",
        ),
        (
            "",
            "raw usage {\"tranche\":\"H9\",\"gpu_seconds\":1} 2026-04-01..2026-04-02",
            "a tranche of the contract, found H9",
        ),
        (
            "",
            "raw payment {\"amount\":\"1\",\"currency\":\"EUR\",\"for\":\"prepayment:H1\"} 2026-04-02",
            "expected USD, found EUR",
        ),
        (
            "",
            "raw payment {\"amount\":\"0.001\",\"currency\":\"USD\"} 2026-04-02",
            "2 digits after the point",
        ),
        (
            power,
            "raw meter_interval {\"meter\":\"m\",\"wh\":-1,\"tranche\":\"H1\"} 2026-04-02..2026-04-03",
            "energy of 0 or more on m",
        ),
        (
            power,
            "raw meter_interval {\"meter\":\"main\",\"wh\":0} 2026-04-02..2026-04-03
             raw meter_interval {\"meter\":\"m\",\"wh\":1,\"tranche\":\"H1\"} 2026-04-02..2026-04-03",
            "at most the 0 Wh of the main meter, found 1 Wh",
        ),
    ] {
        check_held(extra, doubtful, reason);
    }
}

#[test]
fn the_same_again_is_counted_and_ignored() {
    let record = format!(
        "{UP}a available 2026-04-02 source_seq=7\na available 2026-04-02 source_seq=7"
    );
    let versions = versions(&contract(""));
    let mut settlement = Settlement::new(versions, facts(&record));
    assert_eq!(settlement.duplicates(at("2026-05-06")), 1);
    assert!(settlement.quarantined(at("2026-05-06")).is_empty());
}

/// A source may count in any order, and its numbers are keys all the same.
#[test]
fn a_number_below_those_before_it_is_a_key_too() {
    let record = facts(
        "accept H1 a 10 2026-04-01 source_seq=9
         a available 2026-04-01 source_seq=5
         a down 2026-04-02T00:00..2026-04-02T01:00 source_seq=7
         a down 2026-04-02T00:00..2026-04-02T01:00 known=2026-04-03 source_seq=7
         a available 2026-04-01 known=2026-04-04 source_seq=5
         a down 2026-04-02T00:00..2026-04-02T02:00 known=2026-04-05 source_seq=5
         a down 2026-04-03T00:00..2026-04-03T01:00 known=2026-04-06 source_seq=9",
    );
    let mut settlement = Settlement::new(versions(&contract("")), record);
    let as_of = at("2026-05-06");
    assert_eq!(settlement.duplicates(as_of), 2);
    let keys: Vec<String> =
        settlement.quarantined(as_of).into_iter().map(|one| one.key).collect();
    assert_eq!(keys, ["ops/5", "ops/9"]);
}

#[test]
fn another_content_under_the_same_key_is_set_aside_and_may_take_its_place() {
    let sla = "[sla]\ntarget = \"1\"\ntiers = [{ below = \"1\", credit = \"0.10\" }]";
    let record = format!(
        "{UP}a down 2026-04-10..2026-04-11 source_seq=7
         a down 2026-04-10..2026-04-12 source_seq=7"
    );
    check(
        &contract(sla),
        &record,
        "2026-05-06",
        "held 2026-04
         H1 2026-04 capacity 7200.00
         H1 2026-04 sla -720.00
         because expected what fact 3 said under the same key, found other content; the first \
         stands; approve quarantine:ops/7 or discard:ops/7",
    );
    let approved = format!(
        "{record}\nraw approval {{\"approves\":\"quarantine:ops/7\",\"by\":\"x\"}} 2026-05-07"
    );
    let made = statements(&versions(&contract(sla)), &facts(&approved), at("2026-05-09"));
    assert_eq!(made[0].availability[0].seconds.down, 2 * 86_400 * 10);
    assert!(made[0].number.is_some());
}

#[test]
fn two_approved_contradictions_each_take_the_place_of_their_first() {
    let sla = "[sla]\ntarget = \"1\"\ntiers = []";
    let record = format!(
        "{UP}a down 2026-04-10..2026-04-11 source_seq=7
         a down 2026-04-12..2026-04-13 source_seq=8
         a available 2026-04-12..2026-04-13 source_seq=8 known=2026-04-14
         a available 2026-04-10..2026-04-11 source_seq=7 known=2026-04-15
         a down 2026-04-10..2026-04-11 source_seq=7 known=2026-04-15
         raw approval {{\"approves\":\"quarantine:ops/8\",\"by\":\"x\"}} 2026-04-16
         raw approval {{\"approves\":\"quarantine:ops/7\",\"by\":\"x\"}} 2026-04-17
         a down 2026-04-10..2026-04-11 source_seq=7 known=2026-04-18
         a available 2026-04-10..2026-04-11 source_seq=7 known=2026-04-18"
    );
    let mut settlement = Settlement::new(versions(&contract(sla)), facts(&record));
    let made = settlement.statement(crate::world::month("2026-04"), at("2026-05-06"));
    assert_eq!(made.availability[0].seconds.down, 0);
    assert_eq!(made.held, []);
    // Either, sent again before the decision or after it, is not doubtful anew.
    assert!(settlement.quarantined(at("2026-05-06")).is_empty());
}

#[test]
fn a_state_that_came_before_its_acceptance_waits_for_it() {
    check(
        &contract(""),
        "a available 2026-04-01 known=2026-04-01
         accept H1 a 10 2026-04-01 known=2026-04-03",
        "2026-05-06",
        "CAP-0001 2026-04 total 7200.00 payable 7200.00
         H1 2026-04 capacity 7200.00",
    );
}

#[test]
fn a_held_month_holds_the_months_after_it() {
    check(
        &contract(""),
        &format!("{UP}b down 2026-04-10..2026-04-11"),
        "2026-07-06",
        "held 2026-04
         H1 2026-04 capacity 7200.00
         because expected a unit that was accepted, found b; approve quarantine:ops/1003 or \
         discard:ops/1003",
    );
}

#[test]
fn months_out_of_order_and_before_their_cut_are_held() {
    let versions = versions(&contract(""));
    let record = facts(UP);
    let mut settlement = Settlement::new(versions, record);
    let held = |settlement: &mut Settlement, period, as_of| {
        let made = settlement.statement(crate::world::month(period), at(as_of));
        let reasons: Vec<String> =
            made.held.iter().map(|hold| format!("{:?}", hold.reason)).collect();
        assert_eq!(made.number.is_some(), reasons.is_empty());
        (made, reasons.join(" "))
    };
    assert_eq!(held(&mut settlement, "2026-05", "2026-06-06").1, "OutOfOrder");
    assert_eq!(held(&mut settlement, "2026-04", "2026-05-05T23:59:59").1, "NotCut");
    let (april, reasons) = held(&mut settlement, "2026-04", "2026-05-06");
    assert_eq!(reasons, "");
    settlement.issue(&april);
    assert_eq!(held(&mut settlement, "2026-06", "2026-07-06").1, "OutOfOrder");
    let (may, _) = held(&mut settlement, "2026-05", "2026-06-06");
    settlement.issue(&may);
    assert_eq!(may.number.as_deref(), Some("CAP-0002"));
    // A closed month is not posted to again.
    assert_eq!(held(&mut settlement, "2026-04", "2026-06-06").1, "OutOfOrder");
}

#[test]
fn what_cannot_be_read_is_refused_with_its_line() {
    let good = lines(&said(UP));
    let refused = |change: &dyn Fn(&str) -> String, reason: &str| {
        let text = change(&good);
        let problems = Facts::read(&text).expect_err(&text);
        assert!(problems.to_string().contains(reason), "{problems}");
        assert_eq!(problems.0[0].line, 2, "{problems}");
    };
    refused(&|text| text.replace("\"seq\":2", "\"seq\":1"), "expected more than 1");
    refused(
        &|text| text.replace("\"state\":\"available\"", "\"state\":\"up\""),
        "found \"up\"",
    );
    refused(
        &|text| text.replace("\"kind\":\"unit_state\"", "\"kind\":\"gossip\""),
        "gossip",
    );
    refused(&|text| text.replace("\"units\":[\"a\"]", "\"unit\":1"), "unit_state");
    refused(
        &|text| {
            text.replace(
                "\"state\":\"available\"",
                "\"state\":\"available\",\"colour\":1",
            )
        },
        "colour",
    );
    let body = "{\"units\":[\"a\"],\"state\":\"available\"}";
    refused(
        &|text| {
            text.replace(
                &format!("{body}}}"),
                &format!("{body},\"sha256\":\"{}\"}}", "0".repeat(64)),
            )
        },
        "from the body as it stands",
    );
    refused(
        &|text| {
            let (first, second) = text.split_once('\n').expect("two lines");
            format!(
                "{first}\n{}",
                second.replace("known_at\":\"2026-04-01", "known_at\":\"2026-03-31")
            )
        },
        "a fact learned late has a late known_at",
    );
    refused(
        &|text| {
            let (first, second) = text.split_once('\n').expect("two lines");
            format!(
                "{first}\n{}",
                second.replace(
                    "valid_from\":\"2026-04-01T00:00:00Z",
                    "valid_from\":\"2026-04-01T00:00:00.5Z"
                )
            )
        },
        "whole seconds",
    );
    refused(
        &|text| {
            let (first, second) = text.split_once('\n').expect("two lines");
            format!("{first}\n{}", second.replace("from\":\"2026", "from\":\"2200"))
        },
        "from 1970 to 2199",
    );
}
