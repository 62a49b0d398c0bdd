//! What is missed, ended, kept, left and paid before a plan, added up by hand.

use engine::site::LoadKind;
use settle::contract::{Claim, Refundable};
use sim::scenario::delivery::Slip;
use units::{Money, Share};

use crate::receipts::{Batch, Span, receipts};
use crate::tests::{TERMS, contract, day, month, plan, read, usd};
use crate::*;

/// What is paid ahead: a fifth of 720 GPUs at 2.00 over 17 544 hours.
const AHEAD: i64 = 5_052_672_000_000;

/// The small plan without lenders, tax or discount, so that worth is the sum of cash.
fn simple() -> Plan {
    let mut plan = plan();
    plan.loans.clear();
    plan.covenant = None;
    plan.rules.tax = Share::ZERO;
    plan.rules.discount = Share::ZERO;
    plan
}

/// Always so many days late.
fn late(days: f64) -> Slip {
    Slip { on_time: 0.0, median_days: days, ninetieth_days: days, days_max: days }
}

fn sum(outcome: &Outcome, line: Line) -> Money {
    outcome.months.iter().map(|month| month.of(line)).sum()
}

fn near(found: Money, expected: f64) {
    let found = found.as_micro_usd() as f64 / 1e6;
    assert!((found - expected).abs() < 1.0, "{found} for {expected}");
}

/// A day of 1.56 MW at 35 and 5 for delivery, and a month of running them.
const POWER: f64 = 1.56 * 40.0 * 24.0;
const RUNNING: f64 = 15_600.0;

#[test]
fn a_missed_long_stop_costs_the_difference_to_the_same_future_on_time() {
    let mut plan = simple();
    // Ten days after the long stop: on the tenth of July.
    plan.conversions[0].slip = late(100.0);
    let outcome = plan.path(1, 0);
    let found = outcome.delivered[0];
    assert_eq!((found.days_late, found.missed), (100, true));
    let fees = 2.0 * 720.0 * 24.0 * 275.0;
    let rent = 1.5 * 0.8 * 720.0 * 24.0 * 175.0;
    // Power and running of a hundred days that nobody drew them in.
    let saved = POWER * 100.0 + RUNNING * (9.0 - 5.0 - 22.0 / 31.0);
    near(found.cost, fees - rent - saved);
    assert_eq!(sum(&outcome, Line::Contract), Money::from_micro_usd(-AHEAD));

    plan.deals[0].on_long_stop = OnLongStop::Waits;
    let waits = plan.path(1, 0);
    let credit = 0.3 * 2.0 * 720.0 * 24.0 * 31.0;
    near(waits.delivered[0].cost, 2.0 * 720.0 * 24.0 * 100.0 + credit - saved);

    // An order that is cancelled once the tenant has left, before it is shipped: machines
    // are not paid, and nothing is drawn.
    plan.deals[0].on_long_stop = OnLongStop::Ends;
    let equipment = plan.conversions[0].equipment.as_mut().expect("an order");
    *equipment = Equipment { cancellable: true, ships_days_before: 5, ..*equipment };
    let cancelled = plan.path(1, 0);
    assert_eq!(sum(&cancelled, Line::Equipment), Money::ZERO);
    assert_eq!(cancelled.uses[Use::Spot as usize], UseTotals::default());
    let on_time = fees - POWER * 275.0 - RUNNING * 9.0 - 10_000_000.0;
    near(cancelled.delivered[0].cost, on_time);

    // At a discount and after tax it is the difference of both present values.
    plan.rules = crate::tests::plan().rules;
    let missed = plan.path(1, 0);
    plan.conversions[0].slip = crate::tests::punctual();
    let punctual = plan.path(1, 0);
    assert_eq!(missed.delivered[0].cost, punctual.npv - missed.npv);
    assert_eq!(punctual.delivered[0].cost, Money::ZERO);
}

#[test]
fn a_plan_that_ends_within_a_contract_settles_with_the_tenant() {
    let mut plan = simple();
    let fees = |days: i64| Money::from_usd(2 * 720 * 24 * days);
    let tenants = |outcome: &Outcome| {
        [Line::Contract, Line::Prepayment, Line::Closed].map(|line| sum(outcome, line))
    };
    // November's fee is due in January and December's in February; nothing of what was
    // paid ahead is credited in the first year.
    let [paid, ahead, closed] = tenants(&plan.path(1, 0));
    assert_eq!(ahead, Money::from_micro_usd(AHEAD));
    assert_eq!(closed, fees(61) - ahead);
    assert_eq!(paid + ahead + closed, fees(275));
    // Wherever it is cut, tenants have paid for what they were served and no more.
    for (months, days) in [(3, 0), (5, 61), (18, 456), (26, 700), (30, 731)] {
        plan.months = months;
        let outcome = plan.path(1, 0);
        assert_eq!(tenants(&outcome).into_iter().sum::<Money>(), fees(days), "{months}");
        assert_eq!(outcome.months[months - 1].of(Line::Closed), tenants(&outcome)[2]);
    }
    // The last fee is paid within two months of the term's end, and nothing is open.
    assert_eq!(tenants(&plan.path(1, 0))[2], Money::ZERO);
    // A refund that would be paid after the plan is owed when it ends.
    plan.months = 6;
    plan.conversions[0].slip = late(100.0);
    let [paid, ahead, closed] = tenants(&plan.path(1, 0));
    assert_eq!((paid, ahead + closed), (Money::ZERO, Money::ZERO));
}

#[test]
fn a_covenant_is_tested_while_something_is_owed() {
    let mut plan = plan();
    plan.loans[0].maturity = month("2026-11");
    plan.loans[0].repayment = Repayment::Bullet;
    let outcome = plan.path(1, 0);
    // Tested at the end of October; in November it is repaid, and nobody tests any more.
    assert_eq!(outcome.coverage.len(), 3);
    assert!(outcome.coverage[0].is_some(), "{:?}", outcome.coverage);
    assert_eq!(outcome.coverage[1..], [None, None]);
    assert_eq!(plan.doubts(), []);
    // What is owed beyond the plan is tested to its end.
    plan.loans[0].maturity = month("2028-11");
    assert!(plan.path(1, 0).coverage.iter().all(Option::is_some));
}

#[test]
fn what_it_costs_to_run_racks_is_certain_to_lenders() {
    let mut plan = plan();
    let said = |plan: &Plan| {
        plan.doubts().iter().map(|doubt| doubt.found.clone()).collect::<String>()
    };
    // Fees of 92 days, 2 x 720 x 24 a day, less three months' running over three payments
    // of 96 664.01.
    plan.covenant = plan
        .covenant
        .map(|one| Covenant { ratio_min: Share::from_ppm(10_900_000), ..one });
    assert!(said(&plan).contains("10.803 at best in 2026-10"), "{}", said(&plan));
    plan.sites[0].running.racks_per_mw_month = Money::ZERO;
    // 2 x 720 x 24 x 92 days over 3 x 96 664.01 is 10.964.
    assert_eq!(said(&plan), "");
}

#[test]
fn a_covenant_needs_a_contract_that_may_be_signed() {
    let mut plan = plan();
    plan.deals[0].signed = Share::ZERO;
    let doubts = plan.doubts();
    assert!(
        doubts.iter().any(|doubt| doubt.found.contains("0.000 at best")),
        "{doubts:?}"
    );
}

#[test]
fn rigs_that_left_before_the_plan_mine_in_neither_life() {
    let mut plan = simple();
    let stay = plan.path(1, 0).stay;
    assert!(stay.iter().all(|month| *month > Money::ZERO), "rigs mine: {stay:?}");
    plan.conversions[0].begins = day("2025-12-31");
    let outcome = plan.path(1, 0);
    assert_eq!(outcome.stay, vec![Money::ZERO; 12]);
    assert_eq!(sum(&outcome, Line::Mining), Money::ZERO);
    assert_eq!(outcome.npv_stay, Money::ZERO);
    // So it is for a search, which holds schedules against staying.
    assert_eq!(plan.staying().glimpse(1, 0).net, outcome.stay);
}

#[test]
fn machines_paid_before_the_plan_are_told_and_are_there_in_either_life() {
    let mut plan = simple();
    let before = plan.path(1, 0);
    let order = plan.conversions[0].equipment.as_mut().expect("an order");
    order.residual = Share::from_ppm(200_000);
    order.ships_days_before = 200;
    // Even where they come late.
    plan.conversions[0].slip = late(60.0);
    let spent = plan.spent_before();
    assert_eq!((spent.works, spent.machines), (Money::ZERO, usd(10_000_000)));
    let outcome = plan.path(1, 0);
    assert_eq!(sum(&outcome, Line::Equipment), Money::ZERO);
    // Two million when the plan ends, and the rigs' half a million.
    assert_eq!(sum(&outcome, Line::Resale), usd(2_500_000));
    let last = outcome.stay[11] - before.stay[11];
    assert_eq!(last, usd(2_000_000));
    assert_eq!(outcome.stay[..11], before.stay[..11]);
    assert_eq!(plan.staying().glimpse(1, 0).net, outcome.stay);
    // Works of before count nowhere: six of ten in the month before the plan.
    plan.conversions[0].begins = day("2025-12-15");
    assert_eq!(plan.spent_before().works, usd(1_800_000));
}

/// The small plan with a lease: 1.3 MW at 200 000 a month, and the tenant's machines.
fn leased() -> Plan {
    let mut plan = simple();
    let text = TERMS
        .replace("gpus = 720\n", "")
        .replace(
            "unit = \"gpu-hour\", amount = \"2.00\"",
            "unit = \"mw-month\", amount = \"200000\", mw = \"1.3\"",
        )
        .replace("months = 24", "months = 6")
        .replace(
            "credit_from = 13\ncredit_over = 12",
            "credit_from = 2\ncredit_over = 4",
        );
    plan.deals[0].contract = read(&text);
    plan.conversions[0].equipment = None;
    plan.conversions[0].machines = Owner::Tenant;
    plan
}

#[test]
fn a_tenants_machines_are_nobody_elses() {
    let mut plan = leased();
    assert_eq!(plan.doubts(), []);
    let served = |outcome: &Outcome| {
        assert_eq!(outcome.uses[Use::Spot as usize], UseTotals::default());
        assert_eq!(sum(outcome, Line::Spot), Money::ZERO);
        outcome.uses[Use::Contract as usize].watt_hours
    };
    // Six months to the end of September: 183 days, and nothing is drawn after.
    let outcome = plan.path(1, 0);
    assert_eq!(served(&outcome), 1_560_000 * 24 * 183);
    assert_eq!(outcome.months[9].of(Line::PowerRacks), Money::ZERO);
    assert_eq!(outcome.months[9].of(Line::Running), Money::ZERO);
    // Where it is the site's, it is let after.
    plan.conversions[0].machines = Owner::Site;
    let ours = plan.path(1, 0).uses[Use::Spot as usize].watt_hours;
    assert_eq!(ours, 1_560_000 * 24 * 92);
    plan.conversions[0].machines = Owner::Tenant;
    // A rent at which converting is worth as much as staying.
    let answer = Answer::of(&plan, &[outcome]).expect("a future");
    assert_eq!(answer.break_even.rent_now, Some(200_000.0 / 1_300.0));
    let even = answer.break_even.usd_per_kw_month.expect("a rent");
    let gain = answer.npv_gain_usd.mean;
    let all = 6.0 * 200_000.0;
    assert!((even - 200_000.0 / 1_300.0 * (1.0 - gain / all)).abs() < 1e-6, "{even}");
    // Missed, or not signed: nobody brings machines.
    plan.conversions[0].slip = late(100.0);
    assert_eq!(served(&plan.path(1, 0)), 0);
    plan.conversions[0].slip = crate::tests::punctual();
    plan.deals[0].signed = Share::ZERO;
    assert_eq!(served(&plan.path(1, 0)), 0);
    // Nobody pays for a tenant's machines.
    plan.conversions[0].equipment = crate::tests::plan().conversions[0].equipment;
    assert!(plan.doubts().iter().any(|doubt| doubt.key == "conversions[0].machines"));
}

#[test]
fn machines_for_an_offer_that_is_not_signed_are_cancelled_where_they_can_be() {
    let mut plan = simple();
    plan.deals[0].signed = Share::ZERO;
    let bought = plan.path(1, 0);
    assert_eq!(sum(&bought, Line::Equipment), usd(-10_000_000));
    assert!(bought.uses[Use::Spot as usize].watt_hours > 0);
    let order = plan.conversions[0].equipment.as_mut().expect("an order");
    order.cancellable = true;
    let cancelled = plan.path(1, 0);
    assert_eq!(sum(&cancelled, Line::Equipment), Money::ZERO);
    assert_eq!(cancelled.uses[Use::Spot as usize], UseTotals::default());
    // The building stands, and is paid.
    assert_eq!(sum(&cancelled, Line::Works), usd(-3_000_000));
    // Shipped on 20 February, before it was to be signed: too late.
    plan.deals[0].contract.effective = day("2026-02-20");
    assert_eq!(sum(&plan.path(1, 0), Line::Equipment), usd(-10_000_000));
}

#[test]
fn a_prepayment_that_is_kept_is_taxed_when_the_tranche_ends() {
    let mut plan = simple();
    plan.rules.tax = Share::from_ppm(210_000);
    plan.conversions[0].equipment = None;
    plan.conversions[0].works.cost = Money::ZERO;
    plan.conversions[0].slip = late(100.0);
    let given_back = plan.path(1, 0);
    let terms = plan.deals[0].contract.prepayment.as_mut().expect("paid ahead");
    terms.refundable = Refundable::Never;
    let kept = plan.path(1, 0);
    let tax = sum(&kept, Line::Tax) - sum(&given_back, Line::Tax);
    near(tax, -0.21 * AHEAD as f64 / 1e6);
    assert_eq!(sum(&kept, Line::Contract), Money::ZERO);
    assert_eq!(sum(&kept, Line::Closed), Money::ZERO);
}

#[test]
fn a_tenant_who_may_claim_credits_claims_them_all() {
    let mut one = Batch {
        tranche: 0,
        unit: 0,
        size: 720,
        accepted: day("2026-04-01"),
        lost: vec![0.0; 12],
    };
    one.lost[4] = 0.02;
    let span = Span { first: month("2026-01"), months: 12 };
    let mut contract = contract();
    let given =
        receipts(&super::aggregate(&contract), span, &[one.clone()], &[], Vec::new());
    let sla = contract.sla.as_mut().expect("service levels");
    sla.claim = Claim::Customer { days: 30 };
    let claimed = receipts(&super::aggregate(&contract), span, &[one], &[], Vec::new());
    assert_eq!(claimed, given);
    // A tenth of May's fee.
    let fee = Money::from_usd(2 * 720 * 24 * 31);
    assert_eq!(given.earned[0][4], Money::from_micro_usd(fee.as_micro_usd() / 10 * 9));
}

/// Two tranches of five racks each, the second delivered on a day.
fn two_tranches(second: &str) -> Plan {
    let mut plan = simple();
    let tranche = TERMS.split_once("[[tranche]]").expect("a tranche").1;
    let other = tranche.replace("H1", "H2").replace("2026-04-01", second);
    let text = format!("{TERMS}[[tranche]]{other}").replace("gpus = 720", "gpus = 360");
    plan.deals[0].contract = read(&text);
    plan.deals[0].on_long_stop = OnLongStop::EndsOrder;
    let loads = &mut plan.sites[0].site.loads;
    if let LoadKind::Racks(racks) = &mut loads[1].kind {
        racks.machines.count = 5;
    }
    let mut again = loads[1].clone();
    again.name = "racks again".into();
    loads.push(again);
    let mut hall = plan.conversions[0].clone();
    hall.name = "hall again".into();
    (hall.rigs_out, hall.racks) = (Vec::new(), vec![2]);
    hall.ready = day(second);
    hall.serves = Some(Serves { deal: 0, tranche: 1 });
    plan.conversions.push(hall);
    plan
}

#[test]
fn an_order_ends_with_its_first_tranche_and_a_later_one_ends_alone() {
    let served = |plan: &Plan| {
        let outcome = plan.path(1, 0);
        let missed: Vec<bool> = outcome.delivered.iter().map(|one| one.missed).collect();
        (
            outcome.uses[Use::Contract as usize].earned,
            missed,
            sum(&outcome, Line::Prepayment),
        )
    };
    let fees = |days: i64| Money::from_usd(2 * 360 * 24 * days);
    let half = Money::from_micro_usd(AHEAD / 2);
    let mut plan = two_tranches("2026-06-01");
    assert_eq!(plan.doubts(), []);
    // Both serve: 275 days and 214.
    assert_eq!(served(&plan), (fees(275 + 214), vec![false, false], half + half));
    // The first is missed on the thirtieth of June, and the second served until then.
    plan.conversions[0].slip = late(100.0);
    assert_eq!(served(&plan), (fees(29), vec![true, false], half + half));
    let whole = plan.path(1, 0).delivered[0].cost;
    plan.deals[0].on_long_stop = OnLongStop::Ends;
    assert_eq!(served(&plan), (fees(214), vec![true, false], half + half));
    let alone = plan.path(1, 0).delivered[0].cost;
    // It costs the second's fees of 185 days more, less what its racks are let for.
    let rent = 1.5 * 0.8 * 360.0 * 24.0 * 185.0;
    near(whole - alone, 2.0 * 360.0 * 24.0 * 185.0 - rent);
    // With the first in service, missing the second ends the second.
    plan.deals[0].on_long_stop = OnLongStop::EndsOrder;
    plan.conversions[0].slip = crate::tests::punctual();
    plan.conversions[1].slip = late(100.0);
    assert_eq!(served(&plan), (fees(275), vec![false, true], half + half));
    // What was to be paid ahead after the end of the order never is.
    let mut later = two_tranches("2026-09-01");
    later.conversions[0].slip = late(100.0);
    assert_eq!(served(&later), (Money::ZERO, vec![true, false], half));
}

#[test]
fn of_no_futures_there_is_no_answer() {
    assert_eq!(Answer::of(&plan(), &[]), None);
}
