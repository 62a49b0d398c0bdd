//! Schedules on small plans, and the worth of waiting against known solutions.

use std::collections::BTreeSet;
use std::ops::Range;

use engine::site::{LoadKind, Terms};
use sim::scenario::draw::Draws;
use sim::scenario::{delivery, maths};
use units::{GpuHourPrice, Power, Seconds, Share};

use crate::tests::{day, lively, month, plan, still, usd};
use crate::*;

/// The small plan, its racks let by the hour: no tenant, no lender, no tax.
fn let_by_the_hour() -> Plan {
    let mut plan = plan();
    plan.deals.clear();
    plan.loans.clear();
    plan.covenant = None;
    plan.rules.tax = Share::ZERO;
    let LoadKind::Racks(racks) = &mut plan.sites[0].site.loads[1].kind else {
        panic!("racks")
    };
    racks.terms = Terms::Uncommitted {
        price: GpuHourPrice::from_micro_usd(1_000_000),
        notice: Seconds::ZERO,
    };
    let one = &mut plan.conversions[0];
    one.serves = None;
    one.equipment = None;
    plan
}

/// Two halls of five racks and half of the rigs each, in the place of one.
fn two_halls() -> Plan {
    let mut plan = let_by_the_hour();
    plan.futures = lively();
    for load in [0, 1] {
        let mut half = plan.sites[0].site.loads[load].clone();
        half.name += " again";
        plan.sites[0].site.loads.push(half);
    }
    for load in &mut plan.sites[0].site.loads {
        match &mut load.kind {
            LoadKind::Rigs(rigs) => rigs.machines.count = 500,
            LoadKind::Racks(racks) => racks.machines.count = 5,
            LoadKind::Battery(_) => panic!("no battery"),
        }
    }
    let mut second = plan.conversions[0].clone();
    second.name = "hall again".into();
    (second.rigs_out, second.racks) = (vec![2], vec![3]);
    // Dearer by far, so that it is better left.
    second.works.cost = usd(30_000_000);
    second.begins = day("2026-05-01");
    second.ready = day("2026-07-01");
    plan.conversions.push(second);
    plan
}

fn search(plan: &Plan, limit: usize, paths: u64) -> (Search, usize) {
    let mut runs = 0;
    let mut run = |plan: &Plan, range: Range<u64>| {
        runs += 1;
        Some(range.map(|path| plan.glimpse(6, path)).collect::<Vec<_>>())
    };
    let trials =
        Trials { seed: 6, choosing: 0..paths, valuing: paths..2 * paths, run: &mut run };
    let found = plan.search(limit, trials);
    (found, runs)
}

#[test]
fn a_glimpse_is_of_the_path_and_staying_of_its_other_life() {
    let mut plan = plan();
    plan.futures = lively();
    let outcome = plan.path(3, 8);
    let glimpse = plan.glimpse(3, 8);
    assert_eq!(glimpse.npv, outcome.npv);
    let net: Vec<_> = outcome.months.iter().map(Month::net).collect();
    assert_eq!(glimpse.net, net);
    // Half of the machines is borrowed, and more than nothing is repaid.
    assert_eq!(glimpse.debt_peak, usd(5_000_000));
    assert_eq!(glimpse.coverage_least, outcome.coverage.iter().flatten().min().copied());
    let staying = plan.staying().glimpse(3, 8);
    assert_eq!(staying.net, outcome.stay);
    assert_eq!((staying.npv, staying.coverage_least), (outcome.npv_stay, None));
}

#[test]
fn a_conversion_begins_in_every_month_it_may_and_keeps_its_lead_time() {
    let mut plan = plan();
    let at = |text| Start::At(month(text));
    // Ready 59 days after its beginning: the last that is ready within the year is
    // October's. A tenant who has signed is not left.
    plan.bounds.every_months = 4;
    assert_eq!(plan.options(), [vec![at("2026-02"), at("2026-06"), at("2026-10")]]);
    plan.deals[0].signed = Share::from_ppm(500_000);
    assert_eq!(plan.options()[0].last(), Some(&Start::Never));
    let later = plan.scheduled(&[at("2026-06")]);
    let one = &later.conversions[0];
    assert_eq!((one.begins, one.ready), (day("2026-06-01"), day("2026-07-30")));
    assert_eq!(later.scheduled(&plan.stated()).conversions[0].ready, day("2026-04-01"));
    // What has begun stays begun.
    plan.conversions[0].begins = day("2025-12-31");
    assert_eq!(plan.options(), [vec![at("2025-12")]]);
}

#[test]
fn an_offer_is_declined_whole_and_what_is_signed_is_not() {
    let mut plan = plan();
    let dropped = plan.scheduled(&[Start::Never]);
    let doubts = dropped.doubts();
    assert!(doubts[0].found.contains("dropped"), "{doubts:?}");
    plan.deals[0].signed = Share::from_ppm(500_000);
    let dropped = plan.scheduled(&[Start::Never]);
    assert_eq!(dropped.doubts(), []);
    let outcome = dropped.path(3, 1);
    assert_eq!(outcome.delivered, []);
    for line in
        [Line::Works, Line::Equipment, Line::Prepayment, Line::Contract, Line::Resale]
    {
        assert!(outcome.months.iter().all(|month| month.of(line).is_zero()), "{line:?}");
    }
    // All that differs from staying is the fee on what is not drawn.
    let fee: units::Money = outcome.months.iter().map(|m| m.of(Line::Interest)).sum();
    assert_eq!(fee, usd(-12_000));
}

#[test]
fn every_schedule_is_looked_at_where_they_are_few_and_the_frontier_is_their_best() {
    let plan = two_halls();
    let (found, runs) = search(&plan, 100, 6);
    let options = plan.options();
    let space = options[0].len() * options[1].len();
    assert_eq!((found.how, found.space, found.stopped), (How::All, space as u128, false));
    assert_eq!((found.looked_at, found.refused, found.beyond), (space, 0, 0));
    assert!(runs > space);
    // Worked out again, one schedule after the other.
    let mut all = Vec::new();
    for first in &options[0] {
        for second in &options[1] {
            let schedule = vec![*first, *second];
            let plan = plan.scheduled(&schedule);
            let mut npv: Vec<f64> = (0..6)
                .map(|path| plan.path(6, path).npv.as_micro_usd() as f64 / 1e6)
                .collect();
            let mean = npv.iter().sum::<f64>() / 6.0;
            npv.sort_by(f64::total_cmp);
            all.push((schedule, mean, npv[0]));
        }
    }
    let unbeaten: BTreeSet<&Schedule> = all
        .iter()
        .filter(|(_, mean, worst)| {
            !all.iter()
                .any(|(_, m, w)| (m > mean && w >= worst) || (m >= mean && w > worst))
        })
        .map(|(schedule, _, _)| schedule)
        .collect();
    let frontier: BTreeSet<&Schedule> =
        found.frontier.iter().map(|tried| &tried.schedule).collect();
    assert_eq!(frontier, unbeaten);
    for tried in &found.frontier {
        assert_eq!(tried.schedule[1], Start::Never, "thirty million never comes back");
        let (_, mean, worst) =
            all.iter().find(|(schedule, ..)| *schedule == tried.schedule).expect("tried");
        assert!((tried.chosen.mean - mean).abs() < 1e-6);
        assert!((tried.chosen.worst - worst).abs() < 1e-6);
        assert_ne!(tried.chosen.mean, tried.valued.mean, "valued over others");
    }
    // One hall at a time comes to the same best mean here, and says that it may not.
    let (moved, _) = search(&plan, space - 1, 6);
    assert_eq!(moved.how, How::Moves { settled: true });
    assert!(moved.looked_at < space);
    assert_eq!(moved.frontier[0], found.frontier[0]);
    let (cut, _) = search(&plan, 3, 6);
    assert_eq!((cut.how, cut.looked_at), (How::Moves { settled: false }, 3));
}

#[test]
fn what_cannot_be_and_what_is_out_of_bounds_is_not_shown() {
    let mut plan = two_halls();
    // Half of the works of the first hall alone is more than owners have.
    plan.bounds.owners_max = Some(usd(1_000_000));
    let (found, _) = search(&plan, 100, 2);
    assert_eq!(found.beyond, found.looked_at - 1);
    assert_eq!(found.frontier.len(), 1);
    assert_eq!(found.frontier[0].schedule, [Start::Never, Start::Never]);
    assert!(found.frontier[0].valued.owners == 0.0);

    // Two halls of racks under contract, and room for one of them: no schedule with
    // both is valued.
    let mut plan = crate::tests::plan();
    plan.deals[0].signed = Share::from_ppm(500_000);
    plan.sites[0].site.interconnection.import_limit = Power::from_kw(1_500);
    let (found, _) = search(&plan, 100, 2);
    assert_eq!((found.looked_at, found.refused), (1, plan.options()[0].len() - 1));
    assert_eq!(found.frontier[0].schedule, [Start::Never]);
}

#[test]
fn a_stopped_search_says_so() {
    let plan = two_halls();
    let mut left = 4;
    let mut run = |plan: &Plan, range: Range<u64>| {
        left -= 1;
        let found: Vec<_> = range.map(|path| plan.glimpse(6, path)).collect();
        (left > 0).then_some(found)
    };
    let trials = Trials { seed: 6, choosing: 0..2, valuing: 2..4, run: &mut run };
    let found = plan.search(100, trials);
    assert!(found.stopped);
    assert_eq!(found.looked_at, 2);
}

/// The American put of Longstaff and Schwartz (2001), table 1, first row: 4.478 by finite
/// differences, at a price of 36, a strike of 40, a rate of 6 %, a volatility of 20 % and
/// 50 dates in the year. Never to sell is worth nothing.
#[test]
fn a_rule_comes_to_the_published_worth_of_an_american_put() {
    let (dates, futures) = (50_usize, 8_000_u64);
    let step = 1.0 / dates as f64;
    let lives = |from: u64| {
        let mut known = vec![Vec::new(); dates];
        let mut values = vec![Vec::new(); dates + 1];
        for path in from..from + futures {
            let draws = Draws::of(1, path, "put");
            let mut price = 36.0_f64;
            for date in 0..dates {
                let drift = (0.06 - 0.2 * 0.2 / 2.0) * step;
                let move_ = 0.2 * step.sqrt() * draws.bell(date as u64);
                price *= maths::exp(drift + move_);
                let discount = maths::exp(-0.06 * step * (date + 1) as f64);
                known[date].push([price, 0.0]);
                values[date].push(discount * (40.0 - price));
            }
            values[dates].push(0.0);
        }
        (values, known)
    };
    let (chosen, knew) = lives(0);
    let rule = Rule::fit(&chosen, &knew);
    let (values, known) = lives(futures);
    let all: Vec<f64> = (0..futures as usize)
        .map(|future| values[rule.choice(|date| known[date][future])][future])
        .collect();
    let mean = all.iter().sum::<f64>() / all.len() as f64;
    let squares = all.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>();
    let error = (squares / all.len() as f64 / all.len() as f64).sqrt();
    // A rule that is not the best falls short by a little, and never exceeds it.
    assert!(mean < 4.478 + 3.0 * error, "{mean} +/- {error}");
    assert!(mean > 4.478 * 0.99 - 3.0 * error, "{mean} +/- {error}");
    // To sell on the first date at once is what it is worth without waiting: 4.
    assert!(mean > 4.3);
}

/// To convert on the first of April or never, where nothing but the coin moves, is a put
/// on the coin: what rigs would have mined is what is given up. Black and Scholes say
/// what it is worth.
#[test]
fn to_convert_once_or_never_is_a_put_on_the_coin() {
    let mut plan = let_by_the_hour();
    plan.months = 6;
    plan.futures = still();
    let volatility = 0.6;
    plan.futures.coin.volatility_per_root_year = volatility;
    // Hash rate answers in a million years.
    plan.futures.network.lag_up_days = 365e6;
    plan.futures.network.lag_down_days = 365e6;
    plan.bounds.every_months = 12;
    let one = &mut plan.conversions[0];
    (one.begins, one.ready) = (day("2026-04-01"), day("2026-04-01"));
    one.resale = units::Money::ZERO;
    one.works = Works { cost: usd(900_000), schedule: vec![Share::WHOLE] };

    // By hand: 720 GPUs at 1.50, 80 % let, against 1.56 MW at 40 and 13 000 to run them;
    // and rigs of 200 PH/s against 3.5 MW at 40 and 3 500.
    let month_rate = 1.1_f64.powf(1.0 / 12.0);
    let hashprice = 3.125 * 100_000.0 * 1e15 * 86_400.0 / (1e14 * 4_294_967_296.0);
    let (mut gained, mut mined) = (-900_000.0 / month_rate.powi(3), 0.0);
    for (month, days) in [(3, 30.0), (4, 31.0), (5, 30.0)] {
        let worth = month_rate.powi(-month);
        let racks =
            720.0 * 24.0 * days * 1.5 * 0.8 - 1.56 * 24.0 * days * 40.0 - 15_600.0;
        let rigs = -3.5 * 24.0 * days * 40.0 - 3_500.0;
        gained += worth * (racks - rigs);
        mined += worth * days * 200.0 * hashprice;
    }
    // max(0, gained - mined * s) where s, the coin of 31 March over that of the
    // beginning, has had ninety daily moves.
    let width = volatility * (90.0_f64 / 365.25).sqrt();
    let score = ((mined / gained).ln() + width * width / 2.0) / width;
    let put = gained * delivery::share_below(width - score)
        - mined * delivery::share_below(-score);
    assert!((0.9..1.1).contains(&(gained / mined)), "near the money: {}", gained / mined);

    let paths = 600;
    let (found, _) = search(&plan, 10, paths);
    let waiting = &found.waiting[0];
    assert_eq!(waiting.begins.len(), 2);
    // What the put pays in each future that valued it, which is known on its day.
    let start = 3.125 * 100_000.0 * 1e15 * 86_400.0 / (1e14 * 4_294_967_296.0);
    let pays: Vec<f64> = (paths..2 * paths)
        .map(|path| {
            let known = plan.known(6, path)[3].hashprice_usd_per_ph_day;
            (gained - mined * known / start).max(0.0)
        })
        .collect();
    let mean = pays.iter().sum::<f64>() / paths as f64;
    let squares = pays.iter().map(|pay| (pay - mean) * (pay - mean)).sum::<f64>();
    let error = (squares / paths as f64 / paths as f64).sqrt();
    assert!((mean - put).abs() < 3.0 * error, "{mean} +/- {error} for {put}");
    // And what the rule came to on top of never converting.
    let never = found.stated.as_ref().map(|_| waiting.fixed);
    assert_eq!(never, Some(Start::Never), "converting in any case is worth less");
    let worth = waiting.deciding_usd - waiting.fixed_usd;
    assert!((worth - put).abs() < 3.0 * waiting.error_usd, "{worth} for {put}");
    assert!((worth - mean).abs() < 0.1 * put, "{worth} for {mean} of the same futures");
}
