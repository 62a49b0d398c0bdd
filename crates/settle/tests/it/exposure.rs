//! What the next lost GPU-second costs.

use crate::world::{at, contract, facts, month, versions};
use settle::exposure::{Exposure, exposure};
use settle::settlement::statement;

fn of(extra: &str, said: &str, as_of: &str) -> Exposure {
    let versions = versions(&contract(extra));
    exposure(&versions, &facts(said), at(as_of)).remove(0)
}

const UP: &str = "accept H1 a 10 2026-04-01\na available 2026-04-01\n";
const TIERS: &str = "[sla]\ntarget = \"0.995\"\nmonth_cap = \"0.25\"\ntiers = [\
    { below = \"0.995\", credit = \"0.05\" }, { below = \"0.99\", credit = \"0.25\" }]";

#[test]
fn the_steepest_chord_prices_a_lost_second() {
    // April: 7,200 GPU-hours; half a percent is 129,600 GPU-seconds.
    let standing = of(TIERS, UP, "2026-04-10");
    let next = standing.next.expect("a step");
    assert_eq!(next.lost_seconds, 129_601);
    assert_eq!(next.cost.to_string(), "360.00");
    // The second step, 1,800.00 after 259,201 GPU-seconds, is the steeper.
    assert_eq!(standing.slope, settle::exact::Exact::ratio(1_800, 259_201));
    assert_eq!(standing.micro_per_hour(), 24_999_904);
    assert!(standing.fee.is_zero() && standing.termination.is_zero());
}

#[test]
fn past_the_last_step_and_under_an_exhausted_cap_a_second_costs_nothing() {
    let lost = format!("{UP}a down 2026-04-02..2026-04-06");
    let standing = of(TIERS, &lost, "2026-04-10");
    assert_eq!(standing.credit.to_string(), "1800.00");
    assert!(standing.next.is_none() && standing.slope.is_zero());
    let capped = format!("{TIERS}\nyear_cap = \"0\"");
    assert!(of(&capped, UP, "2026-04-10").slope.is_zero());
}

#[test]
fn years_before_the_contract_nothing_is_lost_and_nothing_owed() {
    let versions = versions(&contract(TIERS));
    for said in ["", UP] {
        let facts = facts(said);
        assert!(exposure(&versions, &facts, at("2022-12-15")).is_empty());
        let made = statement(&versions, &facts, &[], month("2022-12"), at("2023-01-06"));
        assert_eq!((made.lines.len(), made.availability.len()), (0, 0));
    }
}

#[test]
fn an_open_outage_counts_up_to_now() {
    let standing = of(TIERS, &format!("{UP}a down 2026-04-09T23:00"), "2026-04-10");
    assert_eq!(standing.lost, settle::exact::Exact::whole(36_000));
    assert_eq!(standing.next.expect("a step").lost_seconds, 129_601 - 36_000);
}

/// Of two hours a month for each of ten GPUs, an event of thirty minutes below the floor
/// took a quarter; the event after it is still to come.
#[test]
fn flex_that_is_left_is_told_with_the_events_that_may_use_it() {
    let terms = "[power_floor]\nwatts_per_gpu = \"899.5\"\n[flex]\nhours_per_month = 2";
    let said = format!(
        "{UP}a available 2026-04-10..2026-04-10T00:30 cap=800\n\
         raw flex {{\"id\":\"x\",\"tranche\":\"H1\"}} 2026-04-10..2026-04-10T01:00\n\
         raw flex {{\"id\":\"y\",\"tranche\":\"H1\"}} 2026-04-12..2026-04-13 known=2026-04-10T12:00"
    );
    let standing = of(terms, &said, "2026-04-11");
    assert_eq!(standing.floor_watts, Some(settle::exact::Exact::ratio(1_799, 2)));
    let [event] = &standing.flex[..] else { panic!("{:?}", standing.flex) };
    assert_eq!((event.fact, event.left), (5, 5_400));
    assert_eq!(event.during.start, at("2026-04-12"));
    // Without hours for it nothing is excused, whatever was called.
    let without = terms.split("[flex]").next().expect("a floor");
    assert!(of(without, &said, "2026-04-11").flex.is_empty());
}

#[test]
fn the_fee_counts_where_use_is_what_is_paid() {
    let paid = of("[take_or_pay]\npercent = \"80\"", UP, "2026-04-10");
    assert_eq!(paid.micro_per_hour(), 1_000_000);
}

#[test]
fn a_month_that_completes_a_right_to_end_is_worth_the_term() {
    let rule = "[sla]\ntarget = \"0.995\"\ntiers = []\n\
                [termination]\navailability = { below = \"0.90\", months = 2 }";
    let bad = format!("{UP}a down 2026-04-10..2026-04-20");
    // The month before was bad: the rest of the term over a tenth of May's hours.
    let standing = of(rule, &bad, "2026-05-01");
    let left = settle::exact::Exact::whole(335 * 240);
    let seconds = settle::exact::Exact::ratio(1, 744 * 3_600 + 1);
    assert_eq!(standing.termination, left * seconds);
    // A first bad month completes nothing.
    assert!(of(rule, UP, "2026-05-01").termination.is_zero());
}

#[test]
fn a_day_more_of_late_delivery_has_its_cost() {
    let delay = "[delay]\ngrace_days = 15\ncredit = { per_day = \"0.005\", of = \"monthly-fee\", cap_days = 60 }";
    for (as_of, cost) in [
        ("2026-04-15", "0.00"),
        ("2026-04-16", "36.00"), // the sixteenth day, on a month of 7,200.00
        ("2026-06-15", "0.00"),  // beyond the cap
    ] {
        assert_eq!(of(delay, "", as_of).delay_day.to_string(), cost, "{as_of}");
    }
}
