//! A run held against its optimum: the split adds up, nothing passes the bound, and
//! the bound is what a pencil finds where nothing couples intervals.

use engine::site::{ForecastFrom, LoadKind, LookAhead, Site};
use mw::drive::backtest::{Options, run};
use mw::hindsight::{Bounding, Hindsight, Past, judge, perfect};
use units::{EnergyPrice, Interval, Money, Power, Pue, Seconds};

use crate::report::world;

fn judged(site: &Site, range: Interval) -> Hindsight {
    let feed = world::feed(range);
    judge(site, &feed, range)
        .expect("a run without a record")
        .expect("nothing is missing")
}

#[test]
fn no_policy_passes_the_optimum_and_the_split_adds_up() {
    let mut site = world::site();
    let range = world::range(12);
    for (length, forecast) in [
        (0, ForecastFrom::Persistence),
        (24, ForecastFrom::Persistence),
        (6, ForecastFrom::DayAhead),
    ] {
        site.policy.look_ahead = LookAhead { length: Seconds::hours(length), forecast };
        let found = judged(&site, range);
        assert!(found.policy <= found.best, "{found:?}");
        assert!(found.perfect <= found.best, "{found:?}");
        let sum = found.policy + found.forecast_error() + found.decision_error();
        assert_eq!(sum, found.best);
        assert!(found.limits.iter().all(|worth| worth.added > Money::ZERO));
    }
}

#[test]
fn perfect_forecasts_plan_a_battery_better_than_the_day_before_does() {
    let mut site = world::site();
    site.policy.look_ahead =
        LookAhead { length: Seconds::hours(24), forecast: ForecastFrom::Persistence };
    let found = judged(&site, world::range(12));
    assert!(found.forecast_error() > Money::ZERO, "{found:?}");
}

/// Without batteries and limits in the way every interval stands alone: each
/// machine runs where its day's hashes pay for their power.
#[test]
fn where_nothing_couples_intervals_the_optimum_is_found_by_hand() {
    let mut site = world::site();
    site.loads.retain(|load| matches!(load.kind, LoadKind::Rigs(_)));
    site.loads.truncate(1);
    site.tariff.coincident_peaks.clear();
    site.interconnection.import_limit = Power::from_mw(1_000);
    for feeder in &mut site.feeders {
        feeder.limit = Power::from_mw(1_000);
    }
    let range = world::range(6);
    let feed = world::feed(range);
    let mut past = Past::new(&site, &feed, range);
    let mut by_hand = Money::ZERO;
    let options = Options::default();
    run(&site, &feed, range, options, |line| {
        past.add(line);
        let during = line.dispatch.interval;
        let (Some(settled), Some(bill)) = (line.row.settlement, line.row.bill) else {
            return Ok(());
        };
        let cost = settled.price + site.tariff.adders_at(during.start);
        let day = during.start.floor(Seconds::hours(24));
        let hashprice = feed.hashprices.get(&day).copied();
        let pue = site.pue_of(0, line.dispatch.outside);
        let machines = site.loads[0].machines().expect("rigs are machines");
        let rest = pue.at_meter(machines.floor()) * during.duration();
        by_hand += bill.blocks - cost.of(rest);
        let earned = engine::decide::earned(&site, 0, hashprice, None, pue);
        for (point, worth) in earned.into_iter().enumerate() {
            let power = machines.step_power(point).times(i64::from(machines.count));
            let gain = (worth - cost).max(EnergyPrice::ZERO);
            by_hand += gain.of(Pue::at_meter(pue, power) * during.duration());
        }
        Ok(())
    })
    .expect("a run without a record");
    let told = perfect(&site, &feed, range).expect("a run without a record");
    let found = past.judge(told).expect("nothing is missing");
    let apart = (found.best - by_hand).as_micro_usd().abs();
    assert!(apart < 10_000, "{} by hand, found {found:?}", by_hand.to_usd_text(2));
    let binding = |worth: &mw::hindsight::LimitWorth| worth.limit == Bounding::Import;
    assert!(!found.limits.iter().any(binding));
}
