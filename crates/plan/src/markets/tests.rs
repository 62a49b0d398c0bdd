//! Markets of futures that are put together from days, or move together.

use sim::scenario::blocks::{Blocks, PastDay, Shape};
use sim::scenario::copula::{Copula, FACTORS, Factor};
use sim::scenario::draw::Draws;
use sim::scenario::level::Level;
use sim::scenario::reversion::Reversion;

use crate::tests::{lively, plan};
use crate::*;

/// Two years of days from 2024-01-01 on, which a price of each tells apart.
fn days() -> Blocks {
    let draws = Draws::of(4, 0, "days");
    let days = (0..731_i64)
        .map(|number| PastDay {
            day: 19_723 + number,
            usd_per_mwh: std::array::from_fn(|hour| number as f64 + hour as f64 / 100.0),
            coin_move: Some(0.02 * draws.bell(number as u64)),
        })
        .collect();
    Blocks::of(days, Shape { block_days: 7, season_days: 21 }).expect("two years")
}

fn from_days() -> Plan {
    let mut plan = plan();
    plan.futures = lively();
    plan.futures.power_days = Some(days());
    plan
}

#[test]
fn a_plan_of_days_has_their_hours_and_the_coin_of_the_same_days() {
    let plan = from_days();
    let mut markets = plan.markets(0, 3, 5);
    let mut before = plan.futures.coin.price_usd;
    for _ in 0..365 {
        let today = markets.next_day();
        // Midnight in London is six in the evening in Texas, of the day before.
        assert_eq!(today.first_hour, 18);
        let number = today.hours[23].settled.floor();
        assert_eq!(today.hours[6].settled, number, "the market's day begins");
        assert!((today.hours[23].settled - number - 0.17).abs() < 1e-9);
        assert_eq!(today.hours[9].known, today.hours[8].settled);
        let moved = (today.coin_usd / before).ln();
        let drawn = plan.futures.power_days.as_ref().expect("days").days();
        let told = drawn[number as usize].coin_move.expect("a move");
        // Less what the coin grew by on average, a few parts in ten thousand.
        assert!((moved - told).abs() < 2e-3, "{moved} for {told}");
        before = today.coin_usd;
    }
    assert_eq!(plan.path(3, 5), plan.path(3, 5));
    assert_ne!(plan.path(3, 5), plan.path(3, 6));
}

#[test]
fn what_is_known_at_a_months_beginning_is_what_the_path_shows() {
    let mut together = [[0.0; FACTORS]; FACTORS];
    together[Factor::Rent as usize][Factor::Coin as usize] = 0.7;
    together[Factor::Power as usize][Factor::Fees as usize] = -0.4;
    let mut apart = plan();
    apart.futures = lively();
    let mut correlated = apart.clone();
    correlated.futures.together = Copula::of(&together).expect("they can");
    correlated.futures.power.level = Level::about_one(Reversion::of(1.0, 0.3));
    for plan in [&apart, &correlated, &from_days()] {
        let known = plan.known(9, 2);
        let mut markets = plan.markets(0, 9, 2);
        let mut latest = None;
        for (place, known) in known.iter().enumerate() {
            let month = plan.zone().month(plan.period(place));
            for day in 0..month.duration().as_seconds() / 86_400 {
                let today = markets.next_day();
                let shown = (today.hashprice_usd_per_ph_day, today.rent_usd);
                if day == 0 {
                    let expected = latest.unwrap_or(shown);
                    let found =
                        (known.hashprice_usd_per_ph_day, known.rent_usd_per_gpu_hour);
                    assert_eq!(found, expected, "month {place}");
                }
                latest = Some(shown);
            }
        }
    }
    // Correlated, the coin is what it was; rent is not.
    let day = |plan: &Plan| plan.markets(0, 9, 2).next_day();
    assert_eq!(day(&apart).coin_usd, day(&correlated).coin_usd);
    assert_ne!(day(&apart).rent_usd, day(&correlated).rent_usd);
}
