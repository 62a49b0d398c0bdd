//! Several sites in one plan, held against one site and against their sum.

use engine::site::{LoadKind, Racks};
use settle::contract::Quantity;
use sim::scenario::level::Level;
use sim::scenario::power::{Hour, Regime};
use sim::scenario::reversion::Reversion;
use units::{Money, Power};

use super::split;
use crate::tests::{plan, usd};
use crate::{Line, Place, Plan};

/// The small plan in markets that move.
fn moving() -> Plan {
    let mut plan = plan();
    let regime = |begins_per_hour| Regime { begins_per_hour, ends_per_hour: 0.3 };
    let power = &mut plan.futures.power;
    power.level = Level::about_one(Reversion::of(0.5, 0.2));
    power.deviation = Reversion::of(0.001, 0.3);
    (power.spike, power.low) = (regime(0.01), regime(0.01));
    plan.futures.coin.volatility_per_root_year = 0.5;
    plan.futures.rental.reversion = Reversion::of(0.1, 0.2);
    // Nothing is borrowed, so that nothing hangs on who borrows it.
    plan.loans.clear();
    plan.covenant = None;
    plan
}

fn gpus(plan: &mut Plan, count: u32) {
    plan.deals[0].contract.tranches[0].quantity = Quantity::Gpus(count.into());
}

/// The plan's site twice, each with its conversion, and a tranche of both.
fn twice(plan: &Plan, market: usize) -> Plan {
    let mut twice = plan.clone();
    let other = Place { name: "other".into(), market, ..plan.sites[0].clone() };
    twice.sites.push(other);
    let mut conversion = plan.conversions[0].clone();
    conversion.site = 1;
    conversion.name = "other hall".into();
    twice.conversions.push(conversion);
    gpus(&mut twice, 1_440);
    twice
}

/// The plan's site with two of everything.
fn doubled(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    let double = |power: &mut Power| *power = Power::from_watts(2 * power.as_watts());
    let site = &mut plan.sites[0].site;
    double(&mut site.interconnection.import_limit);
    site.feeders.iter_mut().for_each(|feeder| double(&mut feeder.limit));
    for load in &mut site.loads {
        match &mut load.kind {
            LoadKind::Rigs(rigs) => rigs.machines.count *= 2,
            LoadKind::Racks(Racks { machines, .. }) => machines.count *= 2,
            LoadKind::Battery(_) => {}
        }
    }
    for conversion in &mut plan.conversions {
        for money in [
            &mut conversion.works.cost,
            &mut conversion.resale,
            &mut conversion.book_value,
        ] {
            *money += *money;
        }
        let equipment = conversion.equipment.as_mut().expect("machines");
        equipment.price += equipment.price;
    }
    gpus(&mut plan, 1_440);
    plan
}

#[test]
fn two_sites_that_are_copies_in_one_market_are_one_site_of_twice_the_size() {
    let plan = moving();
    let (two, one) = (twice(&plan, 0), doubled(&plan));
    assert_eq!((two.doubts(), one.doubts()), (vec![], vec![]));
    for path in 0..3 {
        let (two, one) = (two.path(7, path), one.path(7, path));
        for (place, (a, b)) in two.months.iter().zip(&one.months).enumerate() {
            for line in Line::ALL {
                // Each of 31 days is rounded for each site.
                let off = (a.of(line) - b.of(line)).as_micro_usd();
                assert!(off.abs() <= 100, "{line:?} of month {place} is off by {off}");
            }
        }
        let energy = |of: &crate::Outcome| of.uses.map(|one| one.watt_hours);
        assert_eq!(energy(&two), energy(&one));
        assert!(energy(&two).iter().take(2).all(|wh| *wh > 0), "both are lived");
        assert_eq!(two.price_micro_usd_per_mwh, one.price_micro_usd_per_mwh);
        assert!((two.npv - one.npv).as_micro_usd().abs() < 10_000);
        // Copies come to the same, and what the tenant pays is halved.
        assert_eq!(two.sites[0], two.sites[1]);
        assert!(two.sites[0].uses[1].earned > usd(1_000_000));
    }
}

#[test]
fn sites_add_up_to_the_plan() {
    // Half the racks of the other site make what it brings of the tranche a third.
    let mut plan = twice(&moving(), 1);
    let LoadKind::Racks(racks) = &mut plan.sites[1].site.loads[1].kind else {
        panic!("racks")
    };
    racks.machines.count = 5;
    gpus(&mut plan, 1_080);
    assert_eq!(plan.doubts(), []);
    for path in 0..5 {
        let outcome = plan.path(11, path);
        for (of, used) in outcome.uses.iter().enumerate() {
            let sum = |of: &dyn Fn(&super::SiteTotals) -> i64| -> i64 {
                outcome.sites.iter().map(of).sum()
            };
            assert_eq!(sum(&|one| one.uses[of].watt_hours), used.watt_hours);
            let earned = used.earned.as_micro_usd();
            assert_eq!(sum(&|one| one.uses[of].earned.as_micro_usd()), earned);
            let power = used.power.as_micro_usd();
            assert_eq!(sum(&|one| one.uses[of].power.as_micro_usd()), power);
        }
        let line = |lines: &[Line]| -> Money {
            let months = outcome.months.iter();
            months.flat_map(|m| lines.iter().map(|line| m.of(*line))).sum()
        };
        let of = |of: fn(&super::SiteTotals) -> Money| -> Money {
            outcome.sites.iter().map(of).sum()
        };
        assert_eq!(of(|one| one.running), line(&[Line::Running]));
        let built = line(&[Line::Works, Line::Equipment, Line::Resale]);
        assert_eq!(of(|one| one.built), built);
        // Two parts and one, as both are accepted on the same day.
        let [a, b] = [0, 1].map(|at| outcome.sites[at].uses[1].earned.as_micro_usd());
        assert!((a - 2 * b).abs() <= 3 * 12, "{a} and {b}");
        assert_ne!(outcome.sites[0].price_micro_usd_per_mwh, 0);
    }
}

fn hours(plan: &Plan, site: usize) -> Vec<Hour> {
    let mut markets = plan.markets(site, 5, 1);
    (0..300).flat_map(|_| markets.next_day().hours).collect()
}

#[test]
fn one_market_is_the_same_at_every_site_and_another_has_its_own() {
    let plan = moving();
    let (same, other) = (twice(&plan, 0), twice(&plan, 1));
    assert_eq!(hours(&same, 0), hours(&plan, 0));
    assert_eq!(hours(&same, 1), hours(&plan, 0));
    assert_eq!(hours(&other, 0), hours(&plan, 0));
    let (a, b) = (hours(&other, 0), hours(&other, 1));
    let spikes = |hours: &[Hour]| -> Vec<bool> {
        hours.iter().map(|hour| hour.known > 150.0).collect()
    };
    let (mine, theirs) = (spikes(&a), spikes(&b));
    let both = mine.iter().zip(&theirs).filter(|(a, b)| **a && **b).count();
    let [mine, theirs] = [mine, theirs].map(|all| all.iter().filter(|a| **a).count());
    // Some 230 hours each of 7 200; by chance 8 are of both.
    assert!(mine > 100 && theirs > 100 && both < 30, "{mine}, {theirs}, {both}");
    // Coin, network and rent are everybody's.
    let rest = |site| {
        let mut markets = other.markets(site, 5, 1);
        let day = |_| {
            let day = markets.next_day();
            (day.coin_usd, day.hashprice, day.rent_usd)
        };
        (0..300).map(day).collect::<Vec<_>>()
    };
    assert_eq!(rest(0), rest(1));
    // What moves the level of one market can be all that moves the other's.
    let mut level = twice(&plan, 1);
    level.futures.markets_together = 1.0;
    let power = &mut level.futures.power;
    power.deviation = Reversion::of(0.001, 0.0);
    (power.spike.begins_per_hour, power.low.begins_per_hour) = (0.0, 0.0);
    assert_eq!(hours(&level, 0), hours(&level, 1));
    level.futures.markets_together = 0.0;
    assert_ne!(hours(&level, 0), hours(&level, 1));
}

#[test]
fn a_site_keeps_its_own_limits_and_is_named_where_they_are_broken() {
    let mut plan = twice(&moving(), 1);
    // Racks of 1.56 MW at the meter stand at each; their sum breaks no limit.
    plan.sites[1].site.interconnection.import_limit = Power::from_kw(1_500);
    let doubts = plan.doubts();
    let [doubt] = &doubts[..] else { panic!("{doubts:?}") };
    assert!(doubt.expected.contains("1.500 MW at other"), "{doubt:?}");
    plan.sites[1].site.interconnection.import_limit = Power::from_kw(1_600);
    assert_eq!(plan.doubts(), []);
    // Of the rigs of 3.5 MW there fewer than half fit.
    let outcome = plan.path(3, 0);
    let mined = outcome.sites.iter().map(|one| one.uses[0].watt_hours);
    let mined: Vec<i64> = mined.collect();
    assert!(mined[0] > 2 * mined[1], "{mined:?}");
}

#[test]
fn parts_add_up_to_what_is_split() {
    for micro in [1_i64, -1, 7, 1_000_003, -999_999_999_999_937] {
        for weights in [vec![1, 1, 1], vec![0, 5, 2], vec![3, 0, 0], vec![7, 11, 13]] {
            let parts: Vec<Money> =
                split(Money::from_micro_usd(micro), &weights).collect();
            let sum: Money = parts.iter().copied().sum();
            assert_eq!(sum.as_micro_usd(), micro);
            let whole: i128 = weights.iter().sum();
            for (part, weight) in parts.iter().zip(&weights) {
                let exact = i128::from(micro) * weight / whole;
                assert!((i128::from(part.as_micro_usd()) - exact).abs() <= 1);
            }
        }
    }
}
