//! Units that come in the place of others in a full tranche, one table each.
//!
//! The tranche has ten GPUs; a day of five of them is 120 GPU-hours. April has 7,200
//! GPU-hours of ten and May 7,440.

use crate::rules::{check_hours, check_hours_of, sla};
use crate::world::{at, check_once, contract, facts, lines, month, said, versions};
use settle::facts::Facts;
use settle::settlement::Settlement;

const FULL: &str = "accept H1 a,b 5 2026-04-01\na,b available 2026-04-01\n";

fn full(more: &str) -> String {
    format!("{FULL}{more}")
}

/// The reasons for which facts are set aside in the end.
#[track_caller]
fn check_set_aside(contract: &str, said: &str, expected: &[&str]) {
    let (versions, facts) = (versions(contract), facts(said));
    let mut settlement = Settlement::new(versions, facts);
    let found = settlement.quarantined(at("2027-01-01"));
    let found: Vec<String> = found.into_iter().map(|one| one.reason).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_unit_counts_in_the_place_of_another_from_its_acceptance_on() {
    let terms = contract(&sla(""));
    let c = "accept H1 c 5 2026-04-12 replaces=a\nc available 2026-04-12\n";
    for (said, april, may) in [
        (
            // Two days down, then replaced; what is said of it after that is of
            // nobody.
            format!("a down 2026-04-10\n{c}"),
            "reserved 7200 available 6960 down 240",
            "reserved 7440 available 7440",
        ),
        (
            // Given back at its tenant's wish, then replaced.
            format!("a customer_caused 2026-04-10\n{c}"),
            "reserved 7200 available 6960 customer_caused 240",
            "reserved 7440 available 7440",
        ),
        (
            // Accepted a second after two days: five seconds more are 1/720 of an
            // hour.
            format!("a down 2026-04-10\n{}", c.replace("04-12", "04-12T00:00:01")),
            "reserved 7200 available 5011199/720 down 172801/720",
            "reserved 7440 available 7440",
        ),
        (
            // Accepted after the end of the month.
            "a down 2026-04-29
             accept H1 c 5 2026-05-02 replaces=a
             c available 2026-05-02"
                .to_owned(),
            "reserved 7200 available 6960 down 240",
            "reserved 7440 available 7320 down 120",
        ),
        (
            // Accepted with the month: the second before it is down, the one after
            // not.
            "a down 2026-04-29
             accept H1 c 5 2026-05-01 replaces=a
             c available 2026-05-01"
                .to_owned(),
            "reserved 7200 available 6960 down 240",
            "reserved 7440 available 7440",
        ),
        (
            // Accepted, and known only eight days later.
            format!("a down 2026-04-10\n{}", c.replace("=a", "=a known=2026-04-20")),
            "reserved 7200 available 6960 down 240",
            "reserved 7440 available 7440",
        ),
        (
            // Replaced twice: two days down each.
            format!(
                "a down 2026-04-10\n{c}c down 2026-04-18
                 accept H1 d 5 2026-04-20 replaces=a,c
                 d available 2026-04-20"
            ),
            "reserved 7200 available 6720 down 480",
            "reserved 7440 available 7440",
        ),
        (
            // The replacement fails too: eleven days of April and all of May.
            format!("a down 2026-04-10\n{c}c down 2026-04-20"),
            "reserved 7200 available 5640 down 1560",
            "reserved 7440 available 3720 down 3720",
        ),
        (
            // The first comes back in the place of its replacement.
            format!(
                "a down 2026-04-10\n{c}accept H1 a 5 2026-04-20 replaces=c
                 a available 2026-04-20"
            ),
            "reserved 7200 available 6960 down 240",
            "reserved 7440 available 7440",
        ),
        (
            // Both are replaced at once.
            "a,b down 2026-04-10
             accept H1 c,d 5 2026-04-12 replaces=a,b
             c,d available 2026-04-12"
                .to_owned(),
            "reserved 7200 available 6720 down 480",
            "reserved 7440 available 7440",
        ),
        (
            // Two are named and one is needed: the first leaves.
            format!("a down 2026-04-10\n{}", c.replace("=a", "=a,b")),
            "reserved 7200 available 6960 down 240",
            "reserved 7440 available 7440",
        ),
        (
            // Nobody named was ever accepted, and then one who was.
            format!("a down 2026-04-10\n{}", c.replace("=a", "=x,a")),
            "reserved 7200 available 6960 down 240",
            "reserved 7440 available 7440",
        ),
    ] {
        check_set_aside(&terms, &full(&said), &[]);
        check_hours(&terms, &full(&said), april);
        check_hours_of("2026-05", &terms, &full(&said), may);
    }
}

#[test]
fn more_than_the_quantity_never_counts() {
    let terms = contract(&sla(""));
    let much = |found: u32| format!("expected at most 10 accepted for H1, found {found}");
    for (said, set_aside, april) in [
        (
            // In nobody's place, though another is down.
            "a down 2026-04-10
             accept H1 c 5 2026-04-12",
            vec![much(15)],
            "reserved 7200 available 4680 down 2520",
        ),
        (
            // Two in the place of one: neither counts, and the one goes on.
            "a down 2026-04-10
             accept H1 c,d 5 2026-04-12 replaces=a",
            vec![much(15)],
            "reserved 7200 available 4680 down 2520",
        ),
        (
            // A second in the place of one that left already.
            "a down 2026-04-10
             accept H1 c 5 2026-04-12 replaces=a
             c available 2026-04-12
             accept H1 d 5 2026-04-20 replaces=a",
            vec![much(15)],
            "reserved 7200 available 6960 down 240",
        ),
        (
            // One of a time in which the replaced one still counted.
            "a down 2026-04-10
             accept H1 c 5 2026-04-12 replaces=a
             c available 2026-04-12
             accept H1 d 5 2026-04-11 known=2026-04-21",
            vec![much(15)],
            "reserved 7200 available 6960 down 240",
        ),
        (
            // One of such a time in the place of the other, which leaves then: b is
            // down for a day until the 11th, a for two until the 12th.
            "a,b down 2026-04-10
             accept H1 c 5 2026-04-12 replaces=a
             c available 2026-04-12
             accept H1 d 5 2026-04-11 replaces=b known=2026-04-21
             d available 2026-04-11 known=2026-04-21",
            vec![],
            "reserved 7200 available 6840 down 360",
        ),
        (
            // A smaller one takes the place of a whole one: 3 GPUs for 19 days are
            // 1,368, and 5 for 11 days of which one and a half down 1,320.
            "a down 2026-04-10T12:00
             accept H1 c 3 2026-04-12 replaces=a
             c available 2026-04-12",
            vec![],
            "reserved 6288 available 6108 down 180",
        ),
    ] {
        check_set_aside(
            &terms,
            &full(said),
            &set_aside.iter().map(String::as_str).collect::<Vec<_>>(),
        );
        check_hours(&terms, &full(said), april);
    }
}

#[test]
fn what_there_is_room_for_replaces_nothing() {
    // Eight of ten; two more stand beside the one that is down for 21 days.
    check_hours(
        &contract(&sla("")),
        "accept H1 a,b 4 2026-04-01
         a,b available 2026-04-01
         a down 2026-04-10
         accept H1 c 2 2026-04-12 replaces=a
         c available 2026-04-12",
        "reserved 6672 available 4656 down 2016",
    );
}

#[test]
fn an_acceptance_said_again_says_again_what_it_replaces() {
    let terms = contract(&sla(""));
    let c = "a down 2026-04-10\naccept H1 c 5 2026-04-12 replaces=a\n\
             c available 2026-04-12\n";
    for (again, set_aside, april) in [
        (
            // It was a day later: a is down for three days.
            "accept H1 c 5 2026-04-13 replaces=a known=2026-04-20",
            0,
            "reserved 7200 available 6840 down 360",
        ),
        (
            // It was a day earlier, and nobody knows what it was then.
            "accept H1 c 5 2026-04-11 replaces=a known=2026-04-20",
            0,
            "reserved 7200 available 6960 down 120 unknown 120",
        ),
        (
            // It took the place of the other: a is down to the month's end.
            "accept H1 c 5 2026-04-12 replaces=b known=2026-04-20",
            0,
            "reserved 7200 available 4680 down 2520",
        ),
        (
            // It took nobody's place: it is set aside, and what was said first stands.
            "accept H1 c 5 2026-04-12 known=2026-04-20",
            1,
            "reserved 7200 available 6960 down 240",
        ),
        (
            // A was accepted a day later than said, long before it was replaced.
            "accept H1 a 5 2026-04-02 known=2026-04-20",
            0,
            "reserved 7080 available 6840 down 240",
        ),
    ] {
        let said = full(&format!("{c}{again}"));
        let (versions, facts) = (versions(&terms), facts(&said));
        let mut settlement = Settlement::new(versions, facts);
        assert_eq!(settlement.quarantined(at("2026-05-06")).len(), set_aside);
        check_hours(&terms, &said, april);
    }
}

#[test]
fn an_acceptance_let_in_above_the_quantity_ends_what_it_can() {
    check_hours(
        &contract(&sla("")),
        &full(
            "a down 2026-04-10
             accept H1 c,d 5 2026-04-12 replaces=a source_seq=7
             c,d available 2026-04-12
             raw approval {\"approves\":\"quarantine:ops/7\",\"by\":\"x\"} 2026-04-13",
        ),
        "reserved 9480 available 9240 down 240",
    );
}

#[test]
fn a_block_is_replaced_within_its_domain() {
    let blocks = sla("basis = \"blocks\"\n[sla.block]\nunits = 2\nneeded = 2");
    let rack = "accept H1 a,b 2 2026-04-01 domain=d\na,b available 2026-04-01\n";
    // The tranche has room for more, the domain has not.
    check_hours(
        &contract(&blocks),
        &format!(
            "{rack}a down 2026-04-10
             accept H1 c,e 2 2026-04-12 domain=d replaces=a,b
             c,e available 2026-04-12"
        ),
        "reserved 2880 available 2688 down 192",
    );
    check_set_aside(
        &contract(&blocks),
        &format!("{rack}accept H1 c,e 2 2026-04-12 domain=d replaces=a"),
        &["expected at most 2 units in d, found 3"],
    );
}

#[test]
fn a_replacement_is_no_late_delivery_and_the_credit_is_for_the_time_down() {
    let terms = contract(&format!(
        "{}[delay]\ncredit = {{ per_day = \"0.005\", of = \"monthly-fee\", cap_days = 60 }}",
        sla("")
    ));
    // 240 of 7,200 hours down: below the target, and a tenth of the fee.
    check_once(
        &terms,
        &full(
            "a down 2026-04-10
             accept H1 c 5 2026-04-12 replaces=a
             c available 2026-04-12",
        ),
        "2026-04",
        "H1 2026-04 capacity 7200.00
         H1 2026-04 sla -720.00",
    );
    // Half is ten days late: 5/10 of 7,200 at a twentieth. It is replaced the day after.
    check_once(
        &terms,
        "accept H1 a 5 2026-04-01
         accept H1 b 5 2026-04-11
         accept H1 c 5 2026-04-12 replaces=b
         a available 2026-04-01
         b available 2026-04-11
         c available 2026-04-12",
        "2026-04",
        "H1 2026-04 capacity 6000.00
         H1 2026-04 delay -180.00",
    );
}

#[test]
fn a_record_that_grows_comes_to_what_it_comes_to_at_once() {
    let terms = versions(&contract(&sla("")));
    let said = said(&full(
        "a down 2026-04-10
         accept H1 c 5 2026-04-12 replaces=a
         c available 2026-04-12
         accept H1 c 5 2026-04-13 replaces=a known=2026-04-14
         c down 2026-04-18
         accept H1 a 5 2026-04-20 replaces=c
         a available 2026-04-20",
    ));
    let whole = Facts::read(&lines(&said)).expect("facts");
    let fresh = || Settlement::new(terms.clone(), whole.clone());
    let mut kept = fresh();
    for fact in whole.all() {
        let as_of = fact.known_at;
        let grown = kept.owed(month("2026-04"), as_of);
        assert_eq!(grown, fresh().owed(month("2026-04"), as_of), "{as_of}");
    }
}

#[test]
fn a_unit_neither_replaces_itself_nor_leaves_twice() {
    for names in ["c", "a,a"] {
        let text =
            lines(&said(&full(&format!("accept H1 c 5 2026-04-12 replaces={names}"))));
        let problems = Facts::read(&text).expect_err("refused").to_string();
        let expected = "expected other units than those accepted, each once, found";
        assert!(problems.contains(expected), "{problems}");
    }
}
