//! The public contract in `examples/childress-750mw`, settled over its whole term.

use settle::prepayment::signed_value;
use settle::settlement::{cut, differences, statements};
use settle::statement::{LineKind, Statement};
use sim::tenancy::{Pace, term};

use crate::backtest::root;

/// What posted lines of a kind come to, in minor units.
fn sum(made: &[Statement], kind: LineKind) -> i64 {
    let lines = made.iter().flat_map(|one| &one.lines);
    lines.filter(|line| line.kind == kind).map(|line| line.amount.as_minor()).sum()
}

#[test]
fn the_prepayment_ends_at_nothing_and_the_total_is_the_contract_less_credits() {
    let path = root().join("examples/childress-750mw/contract.toml");
    let versions = mw::contract_files::versions(&path).expect("an example");
    let contract = versions.first();
    let text = term(contract, 7, Pace { incidents_a_day: 4 });
    let facts = settle::facts::Facts::read(&text).expect("what is drawn is read");
    let last = facts.all().last().expect("facts").known_at;
    let far = contract.zone.months_after(last, 2);
    let as_of = cut(contract, contract.zone.period(far));
    let made = statements(&versions, &facts, as_of);
    assert!(
        made.iter().all(|one| !one.is_held()),
        "{:?}",
        made.last().map(|one| &one.held)
    );

    let end = made.last().expect("statements");
    for row in &end.prepayment {
        assert_eq!(row.received, row.agreed, "{}", row.tranche);
        assert_eq!(row.applied, row.received, "{}", row.tranche);
        assert!(row.remaining.is_zero() && row.refunded.is_zero(), "{}", row.tranche);
    }
    // Every tranche is in service for five years of 43,824 hours, whenever they begin:
    // what is billed is what was signed, but for a rounding each month.
    let signed: i64 = contract
        .tranches
        .iter()
        .map(|tranche| {
            let value =
                signed_value(contract, tranche) * contract.currency.minor_per_unit();
            i64::try_from(value.floor()).expect("it fits")
        })
        .sum();
    let capacity = sum(&made, LineKind::Capacity);
    assert!((capacity - signed).abs() <= 200, "{capacity} billed, {signed} signed");
    let credits = sum(&made, LineKind::Sla) + sum(&made, LineKind::Delay);
    assert!(sum(&made, LineKind::Delay) < 0 && sum(&made, LineKind::Sla) < 0);
    let total: i64 = made.iter().map(|one| one.total.as_minor()).sum();
    let prepaid = sum(&made, LineKind::Prepayment);
    assert_eq!(total, capacity + credits + prepaid);
    let payable: i64 = made.iter().map(|one| one.payable.as_minor()).sum();
    assert_eq!(payable, total + end.carried_out.as_minor());

    // Built again from contract and facts alone.
    let place = made.len() / 2;
    assert_eq!(
        differences(&versions, &facts, &made[..place], &made[place]),
        Vec::<String>::new()
    );
    let mut altered = made[place].clone();
    altered.lines[0].amount =
        settle::exact::Amount::from_minor(altered.lines[0].amount.as_minor() + 1, 2);
    assert!(!differences(&versions, &facts, &made[..place], &altered).is_empty());
}
