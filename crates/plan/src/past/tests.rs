//! Pasts whose place in the bands is known.

use units::Timestamp;

use crate::tests::{lively, plan};
use crate::*;

fn lively_plan() -> Plan {
    let mut plan = plan();
    plan.futures = lively();
    plan.months = 15;
    plan
}

/// The markets of a future, as if they had happened.
fn as_if(plan: &Plan, seed: u64, path: u64, days: usize) -> Vec<Day> {
    let mut markets = plan.markets(0, seed, path);
    (0..days).map(|_| markets.next_day()).collect()
}

#[test]
fn a_future_that_comes_true_is_what_was_foreseen() {
    let plan = lively_plan();
    // Fifteen months of 2026 and 2027, and a few days that are no month.
    let days = as_if(&plan, 7, 3, 365 + 90 + 12);
    let past = Past::of(&plan, vec![days]).expect("months");
    assert_eq!(past.months(), 15);
    let held = plan.held(&past, 7, 3);
    assert_eq!(held.foreseen, held.happened);
    let stretches = plan.stretches(&past);
    let named: Vec<_> =
        stretches.iter().map(|s| (s.first.to_string(), s.months)).collect();
    assert_eq!(named, [("2026-01".to_owned(), 12), ("2027-01".to_owned(), 3)]);
    // Against another future only what markets move differs.
    let other = plan.held(&past, 7, 4);
    assert_ne!(other.foreseen, other.happened);
    for (at, figure) in Figure::ALL.into_iter().enumerate() {
        let is_of_markets =
            matches!(figure, Figure::PowerPrice | Figure::Hashprice | Figure::Coin);
        if is_of_markets {
            let both = (other.happened[0][at], held.happened[0][at]);
            assert!(
                (both.0 - both.1).abs() <= 1e-9 * both.0.abs(),
                "{figure:?}: {both:?}"
            );
        }
    }
}

#[test]
fn figures_of_a_stretch_are_sums_of_its_days_and_months() {
    let plan = lively_plan();
    let days = as_if(&plan, 7, 3, 59);
    let past = Past::of(&plan, vec![days.clone()]).expect("months");
    let held = plan.held(&past, 7, 3);
    let [of] = held.happened[..] else { panic!("one stretch") };
    let prices = days.iter().flat_map(|day| day.hours).map(|hour| hour.settled);
    let price = prices.sum::<f64>() / (59.0 * 24.0);
    let hashprice = days.iter().map(|day| day.hashprice_usd_per_ph_day).sum::<f64>();
    assert!((of[Figure::PowerPrice as usize] - price).abs() < 1e-9);
    assert!((of[Figure::Hashprice as usize] - hashprice / 59.0).abs() < 1e-9);
    assert_eq!(of[Figure::Coin as usize], days[58].coin_usd);
    let outcome = plan.path(7, 3);
    let sum = |of: &dyn Fn(&Month) -> units::Money| {
        let sum: units::Money = outcome.months[..2].iter().map(of).sum();
        sum.as_micro_usd() as f64 / 1e6
    };
    assert_eq!(of[Figure::MiningPay as usize], sum(&|month| month.of(Line::Mining)));
    assert_eq!(of[Figure::Operating as usize], sum(&Month::operating));
    assert_eq!(of[Figure::Net as usize], sum(&Month::net));
}

#[test]
fn a_past_of_less_than_a_month_is_none() {
    let plan = lively_plan();
    assert!(Past::of(&plan, vec![as_if(&plan, 7, 3, 30)]).is_none());
    assert_eq!(
        Past::of(&plan, vec![as_if(&plan, 7, 3, 31)]).map(|past| past.months()),
        Some(1)
    );
}

#[test]
fn pasts_from_the_same_futures_fall_anywhere_in_the_bands() {
    let mut plan = lively_plan();
    plan.months = 2;
    let past = |path| Past::of(&plan, vec![as_if(&plan, 7, path, 59)]).expect("months");
    // Three hundred futures imagined; a hundred others come true, one after the other.
    let any = past(1_000);
    let mut held: Vec<Held> = (0..300).map(|path| plan.held(&any, 7, path)).collect();
    let (mut within, mut ranks) = (0, 0.0);
    for path in 1_000..1_100 {
        let past = past(path);
        let happened = plan.held(&past, 7, 0).happened;
        held.iter_mut().for_each(|one| one.happened.clone_from(&happened));
        let verdicts = Verdict::of(&plan, &past, &held);
        assert_eq!(verdicts.len(), Figure::ALL.len());
        let coin = verdicts.iter().find(|one| one.figure == Figure::Coin);
        let coin = coin.expect("a coin");
        within += u32::from(coin.is_within());
        ranks += coin.below;
    }
    // Ranks are even: their mean is a half, give or take four times 0.29 sqrt(1/100 +
    // 1/300); nine of ten are within, give or take three times sqrt(9), and the band's
    // own error.
    assert!((ranks / 100.0 - 0.5).abs() < 0.135, "{ranks}");
    assert!((77..=99).contains(&within), "{within}");
}

#[test]
fn dear_power_that_nobody_foresaw_is_above_every_band_and_mines_less() {
    let plan = lively_plan();
    let mut days = as_if(&plan, 7, 3, 59);
    for hour in days.iter_mut().flat_map(|day| &mut day.hours) {
        hour.known += 500.0;
        hour.settled += 500.0;
    }
    let past = Past::of(&plan, vec![days]).expect("months");
    let held: Vec<Held> = (0..20).map(|path| plan.held(&past, 7, path)).collect();
    let verdicts = Verdict::of(&plan, &past, &held);
    let of = |figure| verdicts.iter().find(|one| one.figure == figure).expect("a figure");
    assert_eq!(of(Figure::PowerPrice).below, 1.0);
    assert!(!of(Figure::PowerPrice).is_within());
    assert_eq!(of(Figure::MiningEnergy).below, 0.0);
    assert_eq!(of(Figure::MiningEnergy).happened, 0.0);
    let start = Timestamp::parse("2026-01-01").expect("a date");
    assert_eq!(plan.zone().month(plan.first).start, start);
}
