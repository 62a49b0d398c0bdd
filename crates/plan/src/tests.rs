//! A small plan that a person can add up by hand.

use engine::Site;
use engine::site::{
    DecideOn, Envelope, Feeder, Hall, Interconnection, Load, LoadKind, LookAhead,
    Machines, Market, OperatingPoint, Policy, PueCurve, Racks, Rate, Rigs, Terms,
    Tranche,
};
use settle::calendar::{Date, Period};
use settle::contract::Contract;
use settle::exact::Exact;
use settle::tariff::{Adder, Tariff};
use sim::scenario::coin::Coin;
use sim::scenario::copula::Copula;
use sim::scenario::delivery::Slip;
use sim::scenario::failure::Failures;
use sim::scenario::fees::Fees;
use sim::scenario::level::Level;
use sim::scenario::network::Network;
use sim::scenario::power::{Power as PowerModel, Regime};
use sim::scenario::rental::Rental;
use sim::scenario::reversion::Reversion;
use units::{
    EnergyPrice, GpuHourPrice, HashRate, Interval, Money, Power, Pue, Seconds, Share,
    Timestamp,
};

use crate::receipts::{Batch, Ended, Span, receipts};
use crate::*;

pub(crate) fn day(text: &str) -> Date {
    Date::parse(text).expect("a date")
}

pub(crate) fn month(text: &str) -> Period {
    Period::parse(text).expect("a month")
}

pub(crate) fn usd(dollars: i64) -> Money {
    Money::from_usd(dollars)
}

/// 720 GPUs at 2.00 an hour for two years, a fifth ahead and credited over the second.
pub(crate) fn contract() -> Contract {
    read(TERMS)
}

/// A contract as written.
pub(crate) fn read(text: &str) -> Contract {
    Contract::read(text).unwrap_or_else(|problems| panic!("{problems}"))
}

/// What it says.
pub(crate) const TERMS: &str = "schema = \"capacity-contract/1\"\nid = \"CAP\"\nsupplier = \"us\"\n\
         customer = \"them\"\ncurrency = \"USD\"\ntimezone = \"UTC\"\n\
         effective = 2026-01-01\n\
         [billing]\ngrace_days = 5\ndue_days = 30\nrestate_limit_months = 24\n\
         [sla]\nbasis = \"gpu-seconds\"\ntarget = \"0.99\"\n\
         tiers = [ { below = \"0.99\", credit = \"0.10\" } ]\nmonth_cap = \"0.25\"\n\
         [prepayment]\npercent = \"20\"\ndue = \"days-before-delivery:30\"\n\
         credit_from = 13\ncredit_over = 12\nrefundable = \"on-supplier-termination\"\n\
         [delay]\ngrace_days = 10\n\
         credit = { per_day = \"0.01\", of = \"monthly-fee\", cap_days = 30 }\n\
         long_stop_days = 90\n\
         [power]\nmode = \"included\"\n\
         [[tranche]]\nid = \"H1\"\ngpus = 720\n\
         price = { unit = \"gpu-hour\", amount = \"2.00\" }\ndelivery = 2026-04-01\n\
         months = 24\n";

/// A thousand rigs of 3 500 W and 200 TH/s, and ten racks of 130 kW.
fn site() -> Site {
    let envelope = Envelope {
        ramp_up_per_minute: None,
        ramp_down_per_minute: None,
        up_min: Seconds::ZERO,
        down_min: Seconds::ZERO,
    };
    let point = |power, rate| vec![OperatingPoint { power, rate }];
    let rigs = LoadKind::Rigs(Rigs {
        model: "rig".into(),
        machines: Machines {
            count: 1_000,
            standby: Power::ZERO,
            points: point(Power::from_watts(3_500), Rate::Hash(HashRate::from_ths(200))),
        },
        strike: None,
        restart: Seconds::ZERO,
        restart_cost: Money::ZERO,
    });
    let racks = LoadKind::Racks(Racks {
        model: "rack".into(),
        machines: Machines {
            count: 10,
            standby: Power::ZERO,
            points: point(Power::from_kw(130), Rate::Throughput(Share::WHOLE)),
        },
        gpus_per_rack: 72,
        beside_gpus: Power::ZERO,
        first_rack: None,
        terms: Terms::Contracted {
            price: GpuHourPrice::from_micro_usd(2_000_000),
            worth: EnergyPrice::from_usd_per_mwh(1_100),
            tranche: Some(Tranche { contract: "CAP".into(), id: "H1".into() }),
        },
    });
    let load = |name: &str, hall, kind| Load {
        name: name.into(),
        feeder: Some(0),
        hall: Some(hall),
        envelope: envelope.clone(),
        kind,
    };
    let hall = |name: &str, ppm| Hall {
        name: name.into(),
        feeder: 0,
        pue: PueCurve::Constant(Pue::from_ppm(ppm)),
    };
    let always = Interval {
        start: Timestamp::parse("2020-01-01").expect("a date"),
        end: Timestamp::parse("2040-01-01").expect("a date"),
    };
    Site {
        name: "small".into(),
        market: Market { name: "M".into(), settlement_point: "P".into() },
        interconnection: Interconnection {
            import_limit: Power::from_mw(5),
            export_limit: Power::ZERO,
            ramp_up_per_minute: None,
            ramp_down_per_minute: None,
            ramp_emergency_per_minute: None,
        },
        feeders: vec![Feeder {
            name: "main".into(),
            parent: None,
            limit: Power::from_mw(5),
        }],
        halls: vec![hall("shed", 1_000_000), hall("hall", 1_200_000)],
        tariff: Tariff {
            adders: vec![Adder {
                name: "delivery".into(),
                price: EnergyPrice::from_usd_per_mwh(5),
                during: always,
            }],
            blocks: Vec::new(),
            coincident_peaks: Vec::new(),
        },
        pool_fee: Share::ZERO,
        loads: vec![load("rigs", 0, rigs), load("racks", 1, racks)],
        programmes: Vec::new(),
        lock_outs: Vec::new(),
        holds: Vec::new(),
        policy: Policy {
            decide_on: DecideOn::RealTime,
            follows_price: true,
            hysteresis: EnergyPrice::ZERO,
            restart_spread: Seconds::hours(2),
            hashprice_age_max: Seconds::hours(72),
            stale_price_hold: Seconds::hours(1),
            lease: Seconds::hours(1),
            look_ahead: LookAhead::NONE,
        },
    }
}

/// Futures in which nothing ever changes: power at 35, a coin at 100 000, and a network
/// that stands still.
pub(crate) fn still() -> Futures {
    let never = Regime { begins_per_hour: 0.0, ends_per_hour: 1.0 };
    Futures {
        coin: Coin {
            price_usd: 100_000.0,
            drift_per_year: 0.0,
            volatility_per_root_year: 0.0,
            jumps_per_year: 0.0,
            jump_mean: 0.0,
            jump_deviation: 0.0,
        },
        fees: Fees { mean_btc_per_block: 0.0, reversion: Reversion::of(0.1, 0.0) },
        network: Network {
            height: 900_000,
            difficulty: 1e14,
            breakeven_usd_per_ph_day: 3.125 * 100_000.0 * 1e15 * 86_400.0
                / (1e14 * 4_294_967_296.0),
            better_per_year: 0.0,
            switch_off_share: 1.0,
            lag_up_days: 180.0,
            lag_down_days: 45.0,
        },
        power: PowerModel {
            calm_usd_per_mwh: [[35.0; 24]; 12],
            behind_utc_hours: 6,
            level: Level::still(),
            deviation: Reversion::of(0.001, 0.0),
            spike: never,
            spike_by_hour: [1.0; 24],
            scarcity: Reversion::of(1.0, 0.0),
            spike_logarithm: (6.0, 0.5),
            low: never,
            low_depth_usd_per_mwh: 1.0,
            bounds_usd_per_mwh: (-250.0, 5_000.0),
        },
        rental: Rental {
            price_usd_per_gpu_hour: 1.5,
            decline_per_year: 0.0,
            reversion: Reversion::of(0.1, 0.0),
            launches_per_year: 0.0,
            launch_fall: 0.0,
        },
        let_share: Share::from_ppm(800_000),
        failures: Failures {
            gpu_hours_per_incident: 1e18,
            gpus_per_incident: 1.0,
            repair_hours: 1.0,
            counted: 0.0,
            outages_per_year: 0.0,
            outage_hours: 0.0,
        },
        power_days: None,
        together: Copula::APART,
        markets_together: 0.0,
        escalators: Vec::new(),
        delivery_correlation: 0.0,
    }
}

pub(crate) fn punctual() -> Slip {
    Slip { on_time: 1.0, median_days: 0.0, ninetieth_days: 0.0, days_max: 0.0 }
}

pub(crate) fn plan() -> Plan {
    Plan {
        name: "small".into(),
        sites: vec![Place {
            name: "small".into(),
            site: site(),
            running: Running {
                mining_per_mw_month: usd(1_000),
                racks_per_mw_month: usd(10_000),
            },
            market: 0,
            prices: None,
        }],
        first: month("2026-01"),
        months: 12,
        deals: vec![Deal {
            contract: contract(),
            signed: Share::WHOLE,
            on_long_stop: OnLongStop::Ends,
        }],
        conversions: vec![Conversion {
            name: "hall".into(),
            site: 0,
            rigs_out: vec![0],
            racks: vec![1],
            begins: day("2026-02-01"),
            ready: day("2026-04-01"),
            slip: punctual(),
            works: Works {
                cost: usd(3_000_000),
                schedule: vec![Share::from_ppm(600_000), Share::from_ppm(400_000)],
            },
            equipment: Some(Equipment {
                price: usd(10_000_000),
                ships_days_before: 40,
                payable_days: 30,
                cancellable: false,
                residual: Share::ZERO,
            }),
            machines: Owner::Site,
            resale: usd(500_000),
            book_value: usd(800_000),
            serves: Some(Serves { deal: 0, tranche: 0 }),
            dropped: false,
        }],
        loans: vec![Loan {
            secured_on: None,
            name: "term loan".into(),
            kind: LoanKind::DelayedDraw {
                from: None,
                until: month("2026-06"),
                share: Share::from_ppm(500_000),
                undrawn_fee: Share::from_ppm(4_000),
            },
            limit: usd(6_000_000),
            rate: Share::from_ppm(60_000),
            repay_from: month("2026-08"),
            maturity: month("2031-07"),
            repayment: Repayment::Level,
        }],
        covenant: Some(Covenant {
            ratio_min: Share::from_ppm(1_050_000),
            from: month("2026-10"),
            over_months: 3,
        }),
        rules: Rules {
            discount: Share::from_ppm(100_000),
            tax: Share::from_ppm(210_000),
            depreciation_months: 60,
        },
        futures: still(),
        bounds: Bounds { every_months: 3, owners_max: None, breach_max: None },
    }
}

#[test]
fn a_still_future_comes_to_what_it_adds_up_to() {
    let plan = plan();
    assert_eq!(plan.doubts(), []);
    let outcome = plan.path(7, 0);
    let line = |at: usize, line: Line| outcome.months[at].of(line);
    // January: 3.5 MW for 744 hours at 35 and 5 for delivery; 200 PH/s at 62.86 a day.
    assert_eq!(line(0, Line::PowerMining), Money::from_micro_usd(-104_160_000_000));
    let hashprice = 3.125 * 100_000.0 * 1e15 * 86_400.0 / (1e14 * 4_294_967_296.0);
    let mined = line(0, Line::Mining).as_micro_usd() as f64 / 1e6;
    assert!((mined - 200.0 * hashprice * 31.0).abs() < 1.0, "{mined}");
    // Within a rounding of each of 31 days.
    let running = line(0, Line::Running).as_micro_usd() + 3_500_000_000;
    assert!(running.abs() <= 31, "{running}");
    // February: the rigs are sold and the work begins.
    assert_eq!(line(1, Line::Mining), Money::ZERO);
    assert_eq!(line(1, Line::Works), usd(-1_800_000));
    assert_eq!(line(2, Line::Works), usd(-1_200_000));
    assert_eq!(line(1, Line::Resale), usd(500_000));
    // Shipped on 20 February, paid on 22 March, half of it borrowed.
    assert_eq!(line(2, Line::Equipment), usd(-10_000_000));
    assert_eq!(line(2, Line::Drawn), usd(5_000_000));
    // A fifth of 720 GPUs at 2.00 over 17 544 hours, thirty days before delivery.
    assert_eq!(line(2, Line::Prepayment), Money::from_micro_usd(5_052_672_000_000));
    // April: 1.3 MW at an overhead of 1.2 for 720 hours; its fee is paid in June.
    assert_eq!(line(3, Line::PowerRacks), Money::from_micro_usd(-44_928_000_000));
    assert_eq!(line(4, Line::Contract), Money::ZERO);
    assert_eq!(line(5, Line::Contract), usd(1_036_800));
    assert_eq!(line(6, Line::Contract), Money::from_micro_usd(1_071_360_000_000));
    // Interest of half a per cent a month, and the fee on what was not drawn.
    assert_eq!(line(2, Line::Interest), usd(-2_000));
    let month = line(4, Line::Interest).as_micro_usd();
    assert_eq!(month, -25_000_000_000 - 333_333_333);
    // The first of sixty level payments: 96 664.01 with its interest (any loan table).
    let served = -(line(7, Line::Interest) + line(7, Line::Repaid)).as_micro_usd();
    assert!((served - 96_664_010_000).abs() < 10_000, "{served}");
    // Coverage of three months to October: June to August's fees less power and running.
    let ratio = outcome.coverage[0].expect("debt is served");
    let fees = 2.0 * 720.0 * 24.0 * (30.0 + 31.0 + 31.0);
    let cost = 1.56 * 40.0 * 24.0 * 92.0 + 3.0 * 15_600.0;
    let expected = (fees - cost) / (3.0 * 96_664.01);
    assert!((ratio as f64 / 1e6 - expected).abs() < 1e-3, "{ratio} for {expected}");
    let used = outcome.uses[Use::Contract as usize];
    assert_eq!(used.watt_hours, 1_560_000 * 24 * 275);
    assert_eq!(used.earned, Money::from_usd(2 * 720 * 24 * 275));
}

#[test]
fn tax_is_on_profit_after_interest_and_what_things_stand_in_the_books_at() {
    let mut plan = plan();
    if let Some(equipment) = &mut plan.conversions[0].equipment {
        equipment.residual = Share::from_ppm(600_000);
    }
    let outcome = plan.path(7, 0);
    let sum = |of: &dyn Fn(&Month) -> Money| -> f64 {
        outcome.months.iter().map(|month| of(month).as_micro_usd() as f64 / 1e6).sum()
    };
    // What was served by the end of December, paid or not.
    let served = 2.0 * 720.0 * 24.0 * 275.0;
    // Rigs in the books at 800 000 are sold for 500 000, machines for six of ten million.
    let resale = sum(&|month| month.of(Line::Resale));
    assert_eq!(resale, 6_500_000.0);
    let profit = sum(&Month::operating)
        - sum(&|month| month.of(Line::Contract) + month.of(Line::Prepayment))
        + served
        + sum(&|month| month.of(Line::Interest))
        + resale
        - 800_000.0;
    // 3 million of works and 10 of machines: what was not written off when the plan ends
    // goes against what they are sold for.
    let tax = 0.21 * (profit - 13_000_000.0);
    assert!(tax > 100_000.0, "{tax}");
    assert!((sum(&|month| month.of(Line::Tax)) + tax).abs() < 1.0, "{tax}");
}

#[test]
fn what_is_owed_when_a_plan_ends_is_paid_out_of_what_is_left() {
    let plan = plan();
    let outcome = plan.path(7, 0);
    let sum =
        |line: Line| -> Money { outcome.months.iter().map(|month| month.of(line)).sum() };
    let [drawn, repaid, owed] = [Line::Drawn, Line::Repaid, Line::Owed].map(sum);
    assert_eq!(drawn, usd(5_000_000));
    assert!(repaid < Money::ZERO && owed < usd(-4_000_000), "{repaid} {owed}");
    assert_eq!(drawn + repaid + owed, Money::ZERO);
    assert_eq!(outcome.months[11].of(Line::Owed), owed);
}

#[test]
fn lenders_give_no_more_together_than_machines_cost() {
    let mut plan = plan();
    let mut again = plan.loans[0].clone();
    for loan in plan.loans.iter_mut().chain([&mut again]) {
        loan.limit = usd(50_000_000);
        if let LoanKind::DelayedDraw { share, .. } = &mut loan.kind {
            *share = Share::from_ppm(800_000);
        }
    }
    plan.loans.push(again);
    let outcome = plan.path(7, 0);
    // Eight of ten million of the first, and the two that are left of the second.
    assert_eq!(outcome.months[2].of(Line::Drawn), usd(10_000_000));
}

/// A facility of May gives half of the ten million that owners paid for machines in March,
/// and costs nothing before.
#[test]
fn a_first_draw_is_of_all_that_was_paid_before_it() {
    let mut plan = plan();
    let LoanKind::DelayedDraw { from, .. } = &mut plan.loans[0].kind else {
        panic!("a delayed draw")
    };
    *from = Some(month("2026-05"));
    let outcome = plan.path(7, 0);
    let of = |line: Line| -> Vec<Money> {
        outcome.months[..5].iter().map(|month| month.of(line)).collect()
    };
    assert_eq!(of(Line::Equipment)[2], usd(-10_000_000));
    let nothing = Money::ZERO;
    let draws = [nothing, nothing, nothing, nothing, usd(5_000_000)];
    assert_eq!(of(Line::Drawn), draws);
    // 0.4 % a year on six million, in May.
    let fees = [nothing, nothing, nothing, nothing, usd(-2_000)];
    assert_eq!(of(Line::Interest), fees);

    let LoanKind::DelayedDraw { from, .. } = &mut plan.loans[0].kind else {
        panic!("a delayed draw")
    };
    *from = Some(month("2026-07"));
    let doubts = plan.doubts();
    assert!(doubts.iter().any(|doubt| doubt.key == "loans[0].draws_from"), "{doubts:?}");
}

#[test]
fn a_path_is_the_same_however_often_and_staying_is_never_touched_by_deals() {
    let mut plan = plan();
    plan.futures = lively();
    let first = plan.path(3, 41);
    assert_eq!(first, plan.path(3, 41));
    assert_ne!(first, plan.path(3, 42));
    assert_ne!(first, plan.path(4, 41));
    let stay = first.stay.clone();
    plan.loans.clear();
    plan.covenant = None;
    plan.deals[0].signed = Share::ZERO;
    assert_eq!(plan.path(3, 41).stay, stay);
}

/// Futures that move.
pub(crate) fn lively() -> Futures {
    let mut futures = still();
    futures.coin.volatility_per_root_year = 0.5;
    futures.power.deviation = Reversion::of(0.001, 0.3);
    futures.power.spike = Regime { begins_per_hour: 0.01, ends_per_hour: 0.5 };
    futures.rental.reversion = Reversion::of(0.1, 0.2);
    futures.failures.gpu_hours_per_incident = 5_000.0;
    futures.failures.counted = 1.0;
    futures.failures.repair_hours = 8.0;
    futures
}

fn span() -> Span {
    Span { first: month("2026-01"), months: 36 }
}

fn batch(accepted: &str) -> Batch {
    Batch { tranche: 0, unit: 0, size: 720, accepted: day(accepted), lost: vec![0.0; 36] }
}

fn sum(months: &[Money]) -> Money {
    months.iter().copied().sum()
}

#[test]
fn what_is_paid_ahead_is_credited_in_the_second_year() {
    let receipts = receipts(&contract(), span(), &[batch("2026-04-01")], &[], Vec::new());
    let value = Money::from_usd(2 * 720 * 17_544);
    assert_eq!(sum(&receipts.earned[0]), value);
    // All of the term lies in the plan, and so do its payments.
    assert_eq!(sum(&receipts.paid) + sum(&receipts.ahead), value);
    let before = receipts.paid[5..17].iter().copied().sum::<Money>();
    assert_eq!(before, Money::from_usd(2 * 720 * 24 * 365), "the first year in full");
}

#[test]
fn a_month_below_its_target_is_credited_by_the_contracts_tiers() {
    let mut one = batch("2026-04-01");
    one.lost[4] = 0.0101;
    one.lost[5] = 0.0099;
    let receipts = receipts(&contract(), span(), &[one], &[], Vec::new());
    let fee = Money::from_usd(2 * 720 * 24 * 31);
    assert_eq!(
        receipts.earned[0][4],
        fee - Money::from_micro_usd(fee.as_micro_usd() / 10)
    );
    assert_eq!(receipts.earned[0][5], Money::from_usd(2 * 720 * 24 * 30));
}

#[test]
fn a_late_tranche_is_credited_by_the_day_and_an_ended_one_gives_back() {
    let late = receipts(&contract(), span(), &[batch("2026-05-01")], &[], Vec::new());
    // Thirty days late less ten of grace, a hundredth of a month's fee each.
    let fee = Money::from_usd(2 * 720 * 24 * 31);
    let credit = Money::from_micro_usd(fee.as_micro_usd() / 5);
    assert_eq!(late.earned[0][4], fee - credit);

    let ended = Ended { tranche: 0, at: day("2026-06-30") };
    let gone = receipts(&contract(), span(), &[], &[ended], Vec::new());
    assert_eq!(sum(&gone.ahead), Money::from_micro_usd(5_052_672_000_000));
    assert_eq!(sum(&gone.paid), -sum(&gone.ahead));
    assert_eq!(sum(&gone.earned[0]), Money::ZERO);
}

#[test]
fn an_offer_is_signed_as_often_as_it_says_and_else_the_racks_are_let() {
    let mut plan = plan();
    plan.months = 5;
    plan.covenant = None;
    plan.deals[0].signed = Share::from_ppm(300_000);
    let outcomes: Vec<Outcome> = (0..200).map(|path| plan.path(5, path)).collect();
    let signed = outcomes.iter().filter(|outcome| outcome.delivered[0].signed).count();
    assert!((40..85).contains(&signed), "{signed}");
    for outcome in &outcomes {
        let let_out = outcome.uses[Use::Spot as usize].watt_hours > 0;
        assert_ne!(let_out, outcome.delivered[0].signed);
    }
    let answer = Answer::of(&plan, &outcomes).expect("some outcomes");
    assert!((answer.tranches[0].signed - signed as f64 / 200.0).abs() < 1e-12);
}

fn doubted(change: impl Fn(&mut Plan)) -> String {
    let mut plan = plan();
    change(&mut plan);
    let lines: Vec<String> = plan
        .doubts()
        .iter()
        .map(|doubt| format!("{}: {}; {}", doubt.key, doubt.expected, doubt.found))
        .collect();
    lines.join("\n")
}

#[test]
fn what_cannot_be_is_told_and_gives_no_figure() {
    let lead = doubted(|plan| plan.conversions[0].ready = day("2026-01-20"));
    assert!(lead.contains("conversions[0].ready") && lead.contains("-12 days"), "{lead}");
    let limit = doubted(|plan| {
        plan.sites[0].site.interconnection.import_limit = Power::from_kw(1_500);
    });
    assert!(limit.contains("the interconnection's 1.500 MW"), "{limit}");
    assert!(limit.contains("1.560 MW"), "{limit}");
    let feeder =
        doubted(|plan| plan.sites[0].site.feeders[0].limit = Power::from_kw(1_500));
    assert!(feeder.contains("feeder main"), "{feeder}");
    let price = doubted(|plan| {
        plan.deals[0].contract.tranches[0].price.amount = settle::exact::Exact::ZERO;
    });
    assert!(price.contains("a price above nought"), "{price}");
    let less = doubted(|plan| {
        let LoadKind::Racks(racks) = &mut plan.sites[0].site.loads[1].kind else {
            panic!("racks")
        };
        racks.machines.count = 9;
    });
    assert!(less.contains("the 720 of tranche H1; 648"), "{less}");
    let covenant = doubted(|plan| plan.loans[0].maturity = month("2026-11"));
    assert!(covenant.contains("covenant.ratio_min"), "{covenant}");
    assert!(covenant.contains("at best"), "{covenant}");
    let unserved = doubted(|plan| {
        plan.conversions[0].serves = None;
        plan.deals.clear();
        plan.covenant = None;
    });
    assert!(unserved.contains("conversions[0].racks"), "{unserved}");
    let works = doubted(|plan| {
        plan.conversions[0].works.schedule.pop();
    });
    assert!(works.contains("add up to 100; 60"), "{works}");
    let ships = doubted(|plan| {
        if let Some(equipment) = &mut plan.conversions[0].equipment {
            equipment.payable_days = -1;
        }
    });
    assert!(ships.contains("payable_days"), "{ships}");
    let twice = doubted(|plan| {
        let again = plan.conversions[0].clone();
        plan.conversions.push(again);
    });
    assert!(twice.contains("load racks in one conversion"), "{twice}");
    let dear = doubted(|plan| {
        plan.deals[0].contract.tranches[0].price.amount = Exact::whole(7_000);
    });
    assert!(dear.contains("at most 1000 USD per GPU-hour"), "{dear}");
}

#[test]
fn present_value_and_internal_rate_are_those_of_the_textbook() {
    let flows: Vec<Money> = [-100, 60, 60].map(usd).to_vec();
    // 60 / 1.1 + 60 / 1.21 - 100.
    assert!((npv(0.1, &flows) - 4.132_231_404_958_68).abs() < 1e-9);
    // Roots of 60 v^2 + 60 v - 100.
    let per_month = 1.0 / ((-60.0 + (3_600.0_f64 + 24_000.0).sqrt()) / 120.0);
    let found = irr(&flows, 0.01).expect("one rate");
    assert!((found - (per_month.powi(12) - 1.0)).abs() < 1e-9, "{found}");
    assert_eq!(irr(&[usd(100), usd(60)], 0.01), None, "nothing was put in");
    assert_eq!(
        irr(&[-10_000, 23_000, -13_125].map(usd), 0.01),
        None,
        "value rises first"
    );
    // A last month a little below nothing makes a root at -80 % a month, and no doubt.
    let trailing: Vec<Money> = [-10_000, 6_000, 6_000, -200].map(usd).to_vec();
    assert!(irr(&trailing, 0.01).is_some());
    // Roots at -5 % a month and half a per cent, and worth something at one per cent.
    let against: Vec<Money> = [104_740, -204_766, 100_000].map(usd).to_vec();
    assert!(npv(0.01, &against) > 0.0);
    assert_eq!(irr(&against, 0.01), None, "a rate that contradicts the value");
    // Paid ahead, then put in, then earned: the falling root is the return, 10 per cent
    // a month, and the one at 50 per cent is passed over.
    let ahead: Vec<Money> = [10_000, -26_000, 16_500].map(usd).to_vec();
    let found = irr(&ahead, 0.01).expect("one rate");
    assert!((found - (1.1_f64.powi(12) - 1.0)).abs() < 1e-9, "{found}");
    assert!(
        (monthly_rate(Share::from_ppm(100_000)) - 0.007_974_140_428_904).abs() < 1e-12
    );
    let values = [4.0, 1.0, 3.0, 2.0];
    assert_eq!(quantile(&values, 0.5), Some(2.5));
    assert_eq!(quantile(&values, 0.05), Some(1.15));
    assert_eq!(quantile(&[], 0.5), None);
}

#[test]
fn the_break_even_price_makes_converting_worth_as_much_as_staying() {
    let mut plan = plan();
    plan.rules.tax = Share::ZERO;
    let outcomes: Vec<Outcome> = (0..3).map(|path| plan.path(1, path)).collect();
    let answer = Answer::of(&plan, &outcomes).expect("outcomes");
    let price = answer.break_even.usd_per_gpu_hour.expect("a price");
    let text = format!("{price:.6}");
    let tranche = &mut plan.deals[0].contract.tranches[0];
    tranche.price.amount = settle::exact::Exact::parse(&text).expect("a decimal");
    let outcomes: Vec<Outcome> = (0..3).map(|path| plan.path(1, path)).collect();
    let even = Answer::of(&plan, &outcomes).expect("outcomes");
    assert!(answer.npv_gain_usd.mean.abs() > 100_000.0, "{}", answer.npv_gain_usd.mean);
    assert!(even.npv_gain_usd.mean.abs() < 50.0, "{price}: {}", even.npv_gain_usd.mean);
    // Mining pays for its power alone at power over what it earns.
    let mining = answer.per_mwh[Use::Mining as usize].expect("some is mined");
    let hashprice = answer.break_even.hashprice_usd_per_ph_day.expect("a hashprice");
    let share = hashprice / answer.break_even.hashprice_mean;
    assert!((share - mining.power / mining.earned).abs() < 1e-9);
    assert!((mining.power - 40.0).abs() < 1e-9);
}

/// Rigs that run in every hour earn in proportion to the coin, and so does what staying is
/// worth beyond converting.
#[test]
fn at_the_hashprice_to_stay_converting_gains_nothing() {
    let mut plan = plan();
    plan.rules.tax = Share::ZERO;
    let lived = |plan: &Plan| -> Answer {
        let outcomes: Vec<Outcome> = (0..2).map(|path| plan.path(1, path)).collect();
        Answer::of(plan, &outcomes).expect("outcomes")
    };
    // Hash rate stands still, so that hashprice moves with the coin alone.
    plan.futures.network.breakeven_usd_per_ph_day *= 100.0;
    plan.futures.network.switch_off_share = 0.000_1;
    // A little above what makes both worth the same.
    let price = lived(&plan).break_even.usd_per_gpu_hour.expect("a price") * 1.01;
    let text = format!("{price:.6}");
    let tranche = &mut plan.deals[0].contract.tranches[0];
    tranche.price.amount = settle::exact::Exact::parse(&text).expect("a decimal");
    let answer = lived(&plan);
    let even = answer.break_even;
    let to_stay = even.hashprice_to_stay.expect("rigs leave");
    assert!((to_stay / even.hashprice_mean - 1.0).abs() > 0.01);
    plan.futures.coin.price_usd *= to_stay / even.hashprice_mean;
    let gain = lived(&plan).npv_gain_usd.mean;
    assert!(answer.npv_gain_usd.mean.abs() > 100_000.0, "{}", answer.npv_gain_usd.mean);
    assert!(gain.abs() < 2_000.0, "{to_stay}: {gain}");
}

#[test]
fn a_lever_moves_one_thing_and_moves_it_the_right_way() {
    let mut plan = plan();
    plan.futures = lively();
    // At the target: half is never credited, as it is every other month, twice always.
    plan.futures.failures.gpu_hours_per_incident = 800.0;
    plan.conversions[0].slip =
        Slip { on_time: 0.3, median_days: 20.0, ninetieth_days: 50.0, days_max: 80.0 };
    if let Some(equipment) = &mut plan.conversions[0].equipment {
        equipment.residual = Share::from_ppm(100_000);
    }
    let gain = |plan: &Plan| -> f64 {
        let outcomes = (0..12).map(|path| plan.path(2, path));
        let gains = outcomes.map(|o| (o.npv - o.npv_stay).as_micro_usd() as f64 / 1e6);
        gains.sum::<f64>() / 12.0
    };
    let middle = gain(&plan);
    // Whether more of it makes converting worth more; mining is what is given up.
    let better = [
        ("price of power", None),
        ("coin", Some(false)),
        ("network's breakeven", Some(false)),
        ("rent of a GPU-hour", None),
        ("days late", Some(false)),
        ("time to repair", Some(false)),
        ("price of machines", Some(false)),
        ("cost of works", Some(false)),
        ("running racks", Some(false)),
        ("worth of machines", Some(true)),
        ("interest", Some(false)),
        ("discount", None),
    ];
    let levers = plan.levers();
    assert_eq!(levers.len(), better.len());
    for (lever, (name, better)) in levers.iter().zip(better) {
        assert!(lever.name.starts_with(name), "{}", lever.name);
        let [low, high] = [&lever.plans[0], &lever.plans[1]].map(gain);
        match better {
            Some(true) => {
                assert!(low < middle && middle < high, "{name}: {low} {middle} {high}")
            }
            Some(false) => {
                assert!(low > middle && middle > high, "{name}: {low} {middle} {high}")
            }
            None => assert!(name == "rent of a GPU-hour" || low != high, "{name}: {low}"),
        }
    }
}
