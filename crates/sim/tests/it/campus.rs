//! A campus: leases, generations, tempers, and what is counted.

mod follows;
pub(crate) mod site;

use engine::{
    Lease, Move, Order, OrderBatch, Ranges, ReadBack, Setpoint, Site, Survey, Work,
};
use sim::campus::{Answer, Back, MeterTemper, Often, Temper, Tempers};
use sim::seed::generator;
use sim::{Campus, Plant};
use site::{BATTERY, RIGS, SPOT, TENANT, site};
use units::{Energy, Interval, Power, Seconds, Temperature, Timestamp};

const START: Timestamp = Timestamp::from_unix_seconds(1_700_000_040);

fn seconds(count: i64) -> Seconds {
    Seconds::from_seconds(count)
}

fn ideal(rigs: u32) -> Campus {
    Campus::new(site(rigs), 1, Tempers::none(), START)
}

fn set(text: &str) -> Ranges {
    text.parse().expect("machine numbers")
}

fn lease(until: i64, over: i64) -> Lease {
    Lease { until: START + seconds(until), over: seconds(over) }
}

fn order(load: usize, point: u8, machines: &str) -> Order {
    Order {
        load,
        setpoint: Setpoint::Level(0),
        moves: vec![Move { point, machines: set(machines) }],
    }
}

fn power(watts: i64) -> Order {
    let setpoint = Setpoint::Power(Power::from_watts(watts));
    Order { load: BATTERY, setpoint, moves: Vec::new() }
}

fn batch(generation: u64, lease: Option<Lease>, orders: Vec<Order>) -> OrderBatch {
    OrderBatch { generation, lease, orders }
}

/// What one machine said in an answer: after how many seconds, by its clock, where.
fn said(answers: &[Answer], load: usize, machine: u32) -> Vec<(i64, i64, u8)> {
    let mut said = Vec::new();
    for answer in answers {
        let surveys = answer.receipt.surveys.iter().filter(|survey| survey.load == load);
        for look in surveys.flat_map(Survey::looks).filter(|look| look.machine == machine)
        {
            let by_clock = answer.receipt.observed_at - START;
            said.push((answer.after.as_seconds(), by_clock.as_seconds(), look.point));
        }
    }
    said
}

fn points(campus: &Campus, load: usize, count: u32) -> Vec<u8> {
    (0..count).map(|machine| campus.point(load, machine)).collect()
}

/// Every bit of it.
fn bytes(campus: &Campus) -> Vec<u8> {
    postcard::to_stdvec(campus).expect("a campus is written")
}

/// Orders, leases and weather drawn from a seed, one round.
fn round(campus: &mut Campus, site: &Site, seed: u64, number: u64) -> Vec<Answer> {
    let mut draws = generator(seed, &format!("round {number}"));
    if draws.chance(200_000) {
        let outside = Temperature::from_millidegrees(draws.integer(-5_000..=40_000));
        campus.weather(Some(outside));
    }
    let orders = (0..site.loads.len())
        .map(|load| {
            let (setpoint, moves) = match site.loads[load].machines() {
                None => (
                    Setpoint::Power(Power::from_watts(draws.integer(-500_000..=500_000))),
                    Vec::new(),
                ),
                Some(machines) => {
                    let first = draws.below(u64::from(machines.count)) as u32;
                    let last =
                        first + draws.below(u64::from(machines.count - first)) as u32;
                    let point = draws.integer(0..=2) as u8;
                    let machines = (first..=last).collect();
                    (Setpoint::Level(0), vec![Move { point, machines }])
                }
            };
            Order { load, setpoint, moves }
        })
        .collect();
    let lease = Lease {
        until: campus.now() + seconds(draws.integer(30..=400)),
        over: seconds(draws.integer(0..=120)),
    };
    let late = draws.below(3);
    campus.obey(&batch(number - late.min(number), Some(lease), orders))
}

#[test]
fn energy_agrees_with_the_plant_to_the_joule() {
    let site = site(37);
    let mut draws = generator(3, "schedule");
    let mut plant = Plant::at_rest(site.clone(), START);
    let mut by_level = Campus::new(site.clone(), 3, Tempers::none(), START);
    let mut by_moves = by_level.clone();
    let mut swept = START;
    for generation in 0..400 {
        // Rigs are moved most, also while they warm up.
        let load = *draws.pick(&[RIGS, RIGS, RIGS, TENANT, SPOT, BATTERY]);
        let setpoint = match site.loads[load].machines() {
            Some(machines) => {
                let most = i64::from(machines.level_max());
                Setpoint::Level(draws.integer(0..=most) as u32)
            }
            None => Setpoint::Power(Power::from_watts(draws.integer(-500_000..=500_000))),
        };
        let whole =
            batch(generation, None, vec![Order { load, setpoint, moves: vec![] }]);
        let moves = match (setpoint, site.loads[load].machines()) {
            (Setpoint::Level(level), Some(machines)) => (0..=2_u8)
                .map(|point| {
                    let taken = |at: usize| machines.taken(level, at);
                    let (first, last) = match point {
                        0 => (taken(0), machines.count),
                        1 => (taken(1), taken(0)),
                        _ => (0, taken(1)),
                    };
                    Move { point, machines: (first..last).collect() }
                })
                .filter(|to| !to.machines.is_empty())
                .collect(),
            (Setpoint::Level(_) | Setpoint::Power(_), _) => Vec::new(),
        };
        plant.obey(&whole);
        by_level.obey(&whole);
        by_moves.obey(&batch(generation, None, vec![Order { load, setpoint, moves }]));
        if draws.chance(100_000) {
            let outside = Temperature::from_millidegrees(draws.integer(-5_000..=40_000));
            plant.weather(Some(outside));
            by_level.weather(Some(outside));
            by_moves.weather(Some(outside));
        }
        let to = plant.now() + seconds(draws.integer(0..=400));
        plant.advance(to);
        by_level.advance(to);
        by_moves.advance(to);
        for load in 0..4 {
            assert_eq!(plant.power(load), by_moves.draw_of(load), "load {load} at {to}");
        }
        if draws.chance(300_000) {
            let during = Interval { start: swept, end: to };
            swept = to;
            let (ideal, real) = (plant.sweep(during), by_moves.sweep(during));
            assert_eq!(real, by_level.sweep(during));
            assert_eq!(ideal.site, real.site);
            for (ideal, real) in ideal.readings.iter().zip(&real.readings) {
                assert_eq!(ideal.energy, real.energy);
                agrees(ideal.work, real.work);
            }
        }
    }
    assert!(by_moves.executed().total().starts > 100);
}

/// Hashes to the gigahash; the plant rounds GPU time and charge at every step.
fn agrees(ideal: Work, real: Work) {
    match (ideal, real) {
        (Work::Hashes(ideal), Work::Hashes(real)) => assert_eq!(ideal, real),
        (Work::Gpu(ideal), Work::Gpu(real)) => {
            let apart = real.as_seconds() - ideal.as_seconds();
            assert!((0..=400).contains(&apart), "{ideal} and {real}");
        }
        (Work::Stored(ideal), Work::Stored(real)) => {
            let apart = real.as_joules() - ideal.as_joules();
            assert!(apart.abs() <= 400, "{ideal} and {real}");
        }
        (Work::Hashes(_) | Work::Gpu(_) | Work::Stored(_), other) => {
            panic!("another work: {other:?}")
        }
    }
}

#[test]
fn a_lease_that_ends_lets_machines_fall_one_after_another() {
    let mut campus = ideal(10);
    campus.obey(&batch(
        1,
        Some(lease(300, 100)),
        vec![
            order(RIGS, 2, "0-9"),
            order(TENANT, 2, "0-3"),
            order(SPOT, 1, "0-1"),
            power(-300_000),
        ],
    ));
    campus.advance(START + seconds(299));
    assert_eq!(points(&campus, RIGS, 10), [2; 10]);
    campus.advance(START + seconds(300));
    assert_eq!(points(&campus, RIGS, 3), [0, 2, 2]);
    assert_eq!(campus.setpoint(BATTERY), Setpoint::Power(Power::ZERO));
    assert_eq!(points(&campus, SPOT, 2), [0, 1]);
    campus.advance(START + seconds(319));
    assert_eq!(points(&campus, RIGS, 3), [0, 0, 2]);
    campus.advance(START + seconds(400));
    assert_eq!(points(&campus, RIGS, 10), [0; 10]);
    assert_eq!(points(&campus, SPOT, 2), [0, 0]);
    assert_eq!(points(&campus, TENANT, 4), [2; 4], "what is under contract stays");
    assert_eq!(campus.executed().total().lapsed, 10 + 2 + 1);
}

#[test]
fn a_lease_that_is_kept_holds_on_and_an_order_renews_it() {
    let mut campus = ideal(4);
    campus.obey(&batch(1, Some(lease(60, 0)), vec![order(RIGS, 1, "0-3")]));
    campus.advance(START + seconds(59));
    campus.keep(&lease(120, 0));
    campus.advance(START + seconds(119));
    // A batch for another load says to all that somebody watches.
    campus.obey(&batch(2, Some(lease(180, 0)), vec![power(100)]));
    campus.advance(START + seconds(179));
    assert_eq!(points(&campus, RIGS, 4), [1; 4]);
    assert_eq!(campus.lease_end(RIGS, 3), Some(START + seconds(180)));
    campus.advance(START + seconds(180));
    assert_eq!(points(&campus, RIGS, 4), [0; 4]);
}

#[test]
fn a_machine_that_did_not_hear_the_last_word_falls_on_the_one_before() {
    let mut campus = ideal(100);
    campus.obey(&batch(1, Some(lease(60, 0)), vec![order(RIGS, 1, "0-99")]));
    campus.cut_off(RIGS, &set("40-59"), seconds(90));
    campus.keep(&lease(500, 0));
    campus.advance(START + seconds(60));
    let down: Vec<u32> = (0..100).filter(|m| campus.point(RIGS, *m) == 0).collect();
    assert_eq!(down, (40..60).collect::<Vec<_>>());
    // Back on the network, they hear the next word, and the orders that follow.
    campus.advance(START + seconds(90));
    assert_eq!(campus.lease_end(RIGS, 40), Some(START + seconds(60)));
    campus.keep(&lease(600, 0));
    assert_eq!(campus.lease_end(RIGS, 40), Some(START + seconds(600)));
    campus.obey(&batch(2, Some(lease(600, 0)), vec![order(RIGS, 1, "40-59")]));
    campus.advance(START + seconds(599));
    assert_eq!(points(&campus, RIGS, 100), [1; 100]);
}

#[test]
fn a_shorter_lease_holds_only_for_those_who_heard_it() {
    let mut campus = ideal(4);
    campus.obey(&batch(1, Some(lease(300, 0)), vec![order(RIGS, 1, "0-3")]));
    campus.cut_off(RIGS, &set("2"), seconds(500));
    campus.keep(&lease(100, 0));
    campus.advance(START + seconds(299));
    assert_eq!(points(&campus, RIGS, 4), [0, 0, 1, 0]);
    campus.advance(START + seconds(300));
    assert_eq!(campus.point(RIGS, 2), 0);
}

#[test]
fn a_machine_started_again_warms_up_again() {
    let mut campus = ideal(1);
    for (at, generation, point) in [(0, 1, 2), (200, 2, 0), (400, 3, 2)] {
        campus.advance(START + seconds(at));
        campus.obey(&batch(generation, None, vec![order(RIGS, point, "0")]));
    }
    campus.advance(START + seconds(1_001));
    let during = Interval { start: START, end: campus.now() };
    let hashed = campus.sweep(during).readings[RIGS].work;
    assert_eq!(hashed, Work::Hashes(units::HashRate::from_ths(200) * seconds(1)));
    assert_eq!(campus.executed().of(RIGS, 0).map(|one| one.starts), Some(2));
}

#[test]
fn an_older_order_is_refused_and_answered_with_the_truth() {
    let mut campus = ideal(4);
    campus.obey(&batch(7, None, vec![order(RIGS, 2, "0-1"), power(-1_000)]));
    campus.advance(START + seconds(5));
    let answers = campus.obey(&batch(6, None, vec![order(RIGS, 0, "0-3"), power(1_000)]));
    assert_eq!(points(&campus, RIGS, 4), [2, 2, 0, 0]);
    assert_eq!(campus.draw_of(BATTERY), Power::from_watts(-1_000));
    assert_eq!(said(&answers, RIGS, 0), [(0, 5, 2)]);
    let done = campus.executed();
    assert_eq!(done.of_load(RIGS).iter().map(|one| one.refused).sum::<u32>(), 2);
    assert_eq!(done.of(RIGS, 2).map(|one| (one.executed, one.newest)), Some((1, 6)));
    assert_eq!(done.of(BATTERY, 0).map(|one| one.refused), Some(1));
    // The same generation takes effect again.
    campus.obey(&batch(7, None, vec![order(RIGS, 1, "0")]));
    assert_eq!(campus.point(RIGS, 0), 1);
}

#[test]
fn each_temper_does_what_it_says() {
    // Where the machine is after an order to the second point, how many answers
    // come to it, where the first says it is; then the same after a look.
    let cases = [
        (Temper::Ignores, 0, 1, Some(0), Some(0)),
        (Temper::Mute, 2, 0, None, None),
        (Temper::Lies, 0, 1, Some(2), Some(2)),
        (Temper::Hangs, 0, 0, None, None),
        (Temper::Late, 2, 1, Some(2), Some(2)),
        (Temper::Reverts, 2, 1, Some(2), Some(2)),
        (Temper::Repeats, 2, 2, Some(2), Some(2)),
        (Temper::ClockOff(seconds(-1_800)), 2, 1, Some(2), Some(2)),
    ];
    for (temper, at, answers, says, seen) in cases {
        let mut campus = ideal(3);
        campus.take_temper(RIGS, &set("1"), temper, Seconds::hours(1));
        let answered = campus.obey(&batch(1, None, vec![order(RIGS, 2, "0-2")]));
        assert_eq!(points(&campus, RIGS, 3), [2, at, 2], "{temper:?}");
        let said_it = said(&answered, RIGS, 1);
        assert_eq!(said_it.len(), answers, "{temper:?}: {said_it:?}");
        assert_eq!(said_it.first().map(|(_, _, point)| *point), says, "{temper:?}");
        let late = said_it.first().is_some_and(|(after, _, _)| *after > 0);
        assert_eq!(late, temper == Temper::Late, "{temper:?}");
        let clock = if let Temper::ClockOff(by) = temper { by } else { Seconds::ZERO };
        assert!(said_it.iter().all(|(_, by, _)| *by == clock.as_seconds()), "{temper:?}");
        let asked = ReadBack { loads: vec![], machines: vec![(RIGS, set("1-2"))] };
        let looked = campus.look(&asked);
        let seen_it = said(&looked, RIGS, 1).first().map(|(_, _, point)| *point);
        assert_eq!(seen_it, seen, "{temper:?}");
        let silent = looked.iter().flat_map(|answer| &answer.receipt.surveys);
        let silent: u32 = silent.map(|survey| survey.silent.len()).sum();
        assert_eq!(silent, u32::from(seen.is_none()), "{temper:?}");
        // It ends, and the machine says the truth and does as it is told.
        campus.advance(START + Seconds::hours(1));
        let truth = if temper == Temper::Reverts { 0 } else { at };
        assert_eq!(campus.point(RIGS, 1), truth, "{temper:?}");
        let answered = campus.obey(&batch(2, None, vec![order(RIGS, 1, "1")]));
        assert_eq!(said(&answered, RIGS, 1), [(0, 3_600, 1)], "{temper:?}");
    }
}

#[test]
fn a_temper_that_took_the_place_of_another_has_its_own_end() {
    let mut campus = ideal(1);
    campus.take_temper(RIGS, &set("0"), Temper::Hangs, seconds(60));
    campus.take_temper(RIGS, &set("0"), Temper::Mute, seconds(600));
    campus.advance(START + seconds(599));
    assert_eq!(campus.temper(RIGS, 0), Some(Temper::Mute));
    campus.advance(START + seconds(600));
    assert_eq!(campus.temper(RIGS, 0), None);
}

#[test]
fn a_machine_does_not_go_back_behind_a_newer_order() {
    let mut campus = ideal(1);
    campus.take_temper(RIGS, &set("0"), Temper::Reverts, Seconds::hours(1));
    campus.obey(&batch(1, None, vec![order(RIGS, 2, "0")]));
    campus.advance(START + seconds(5));
    campus.take_temper(RIGS, &set("0"), Temper::Late, seconds(1));
    campus.obey(&batch(2, None, vec![order(RIGS, 1, "0")]));
    campus.take_temper(RIGS, &set("0"), Temper::Reverts, Seconds::hours(1));
    campus.advance(START + seconds(1_000));
    assert_eq!(campus.point(RIGS, 0), 1);
}

#[test]
fn a_liar_is_given_away_by_its_draw() {
    let mut campus = ideal(2);
    campus.obey(&batch(1, None, vec![order(RIGS, 2, "0-1")]));
    campus.take_temper(RIGS, &set("0"), Temper::Lies, Seconds::hours(1));
    let answers = campus.obey(&batch(2, None, vec![order(RIGS, 0, "0-1")]));
    let looks = answers[0].receipt.surveys[0].looks();
    assert_eq!([looks[0].point, looks[1].point], [0, 0]);
    assert_eq!(looks[0].draw, Power::from_watts(3_500));
    assert_eq!(looks[1].draw, Power::from_watts(20));
}

#[test]
fn a_machine_that_half_obeys_never_passes_the_order() {
    let mut seen = std::collections::BTreeSet::new();
    for start in 0..40 {
        let mut campus = Campus::new(site(1), 1, Tempers::none(), START + seconds(start));
        campus.take_temper(RIGS, &set("0"), Temper::HalfObeys, Seconds::hours(1));
        campus.obey(&batch(1, None, vec![order(RIGS, 2, "0")]));
        seen.insert(campus.point(RIGS, 0));
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn a_machine_that_reboots_comes_back_unless_its_lease_is_over() {
    for (back, lease_ends, comes_back_at) in [
        (Back::AtRest, 1_000, 0),
        (Back::AsBefore, 1_000, 1),
        (Back::Full, 1_000, 2),
        (Back::Full, 100, 0),
    ] {
        let mut campus = ideal(2);
        let until = Some(lease(lease_ends, 0));
        campus.obey(&batch(1, until, vec![order(RIGS, 1, "0-1")]));
        campus.reboot(RIGS, &set("0"), back, seconds(120));
        assert_eq!(points(&campus, RIGS, 2), [0, 1]);
        assert!(!campus.hears(RIGS, 0));
        campus.advance(START + seconds(120));
        assert_eq!(campus.point(RIGS, 0), comes_back_at, "{back:?}");
        assert!(campus.hears(RIGS, 0));
    }
    // What is under contract comes back with or without a lease.
    let mut campus = ideal(1);
    campus.obey(&batch(1, Some(lease(10, 0)), vec![order(TENANT, 2, "0-3")]));
    campus.reboot(TENANT, &set("3"), Back::AsBefore, seconds(120));
    campus.advance(START + seconds(120));
    assert_eq!(points(&campus, TENANT, 4), [2; 4]);
}

#[test]
fn an_order_repeated_while_unanswered_is_counted() {
    let mut campus = ideal(3);
    campus.take_temper(RIGS, &set("0"), Temper::Mute, Seconds::hours(1));
    campus.cut_off(RIGS, &set("1"), Seconds::hours(1));
    let one = batch(1, None, vec![order(RIGS, 1, "0-2")]);
    campus.obey(&one);
    campus.obey(&one);
    let repeated = |campus: &Campus| -> Vec<u32> {
        campus.executed().of_load(RIGS).iter().map(|one| one.repeated).collect()
    };
    assert_eq!(repeated(&campus), [1, 1, 0]);
    // Seen since, an order may be given again.
    campus.calm();
    campus.survey();
    campus.obey(&one);
    assert_eq!(repeated(&campus), [1, 1, 0]);
}

#[test]
fn a_survey_shows_everybody_who_answers() {
    let mut campus = ideal(10);
    campus.obey(&batch(1, None, vec![order(RIGS, 2, "3-5"), power(7_000)]));
    campus.cut_off(RIGS, &set("5-6"), Seconds::hours(1));
    let receipt = campus.survey();
    assert_eq!(receipt.observed_at, START);
    assert_eq!(receipt.observed[0].setpoint, Setpoint::Power(Power::from_watts(7_000)));
    let rigs = &receipt.surveys[RIGS];
    assert_eq!(rigs.silent.to_string(), "5-6");
    assert_eq!(rigs.at_point[1].machines.to_string(), "3-4");
    assert_eq!(receipt.surveys.len(), 3);
    campus.take_temper(BATTERY, &set("0"), Temper::Hangs, Seconds::hours(1));
    assert!(campus.survey().observed.is_empty());
}

#[test]
fn the_meter_shows_what_its_temper_makes_of_the_draw() {
    let watts = |watts| Some(Power::from_watts(watts));
    for (temper, shown) in [
        (MeterTemper::Silent, None),
        (MeterTemper::Stuck, watts(1_000)),
        (MeterTemper::Reversed, watts(-3_000)),
        (MeterTemper::Scaled(500_000), watts(1_500)),
    ] {
        let mut only_battery = site(1);
        only_battery.loads.drain(..BATTERY);
        let mut campus = Campus::new(only_battery, 1, Tempers::none(), START);
        let power = |watts| Order { load: 0, ..power(watts) };
        campus.obey(&batch(1, None, vec![power(1_000)]));
        campus.take_meter_temper(temper, Seconds::minutes(1));
        campus.obey(&batch(2, None, vec![power(3_000)]));
        campus.advance(START + seconds(30));
        assert_eq!(campus.show(), shown, "{temper:?}");
        let during = Interval { start: START, end: campus.now() };
        let read = campus.sweep(during).site;
        assert_eq!(read.is_none(), temper == MeterTemper::Silent);
        campus.advance(START + seconds(60));
        assert_eq!(campus.show(), watts(3_000), "{temper:?}");
    }
}

#[test]
fn a_spiking_meter_shows_the_truth_now_and_then() {
    let mut campus = ideal(10).found_running(1_000_000);
    campus.take_meter_temper(MeterTemper::Spiking, Seconds::hours(1));
    let draw = campus.draw();
    let mut true_ones = 0;
    for _ in 0..300 {
        campus.advance(campus.now() + seconds(1));
        true_ones += u32::from(campus.show() == Some(draw));
    }
    assert!((150..250).contains(&true_ones), "{true_ones}");
}

#[test]
fn the_house_is_drawn_and_metered_and_nobody_explains_it() {
    let house = Power::from_kw(200);
    let tempers = Tempers { house, ..Tempers::none() };
    let mut campus = Campus::new(site(1), 1, tempers, START);
    let loads: Power = (0..4).map(|load| campus.draw_of(load)).sum();
    assert_eq!(campus.draw(), loads + house);
    campus.advance(START + Seconds::hours(1));
    let during = Interval { start: START, end: campus.now() };
    let sweep = campus.sweep(during);
    let explained: Energy = sweep.readings.iter().map(|reading| reading.energy).sum();
    assert_eq!(sweep.site.map(|site| site - explained), Some(Energy::from_kwh(200)));
    // Pumps run for a while.
    campus.jump_house(Power::from_kw(100), seconds(90));
    assert_eq!(campus.draw(), loads + Power::from_kw(300));
    campus.advance(campus.now() + seconds(90));
    assert_eq!(campus.draw(), loads + house);
    // It drifts within its range, and jumps.
    let tempers = Tempers {
        house_drift: Power::from_kw(20),
        house_jump: Often::per_hour(1_000_000, 5, 5),
        house_jump_by: Power::from_kw(100),
        ..tempers
    };
    let mut campus = Campus::new(site(1), 1, tempers, START);
    let (mut calm, mut jumped) = (0, 0);
    for _ in 0..2_000 {
        campus.advance(campus.now() + Seconds::minutes(1));
        match (campus.draw_of_house() - house).as_watts() {
            -20_000..=20_000 => calm += 1,
            80_000..=120_000 => jumped += 1,
            beyond => panic!("the house draws {beyond} W beyond its base"),
        }
    }
    assert!(calm > 1_000 && jumped > 50, "{calm} minutes calm, {jumped} with pumps");
}

#[test]
fn the_same_seed_and_calls_give_the_same_campus_however_time_is_cut() {
    let run = |seed: u64, cut: i64| {
        let site = site(200);
        let tempers = Tempers::swarm(&mut generator(seed, "tempers"), Power::from_kw(50));
        let mut campus = Campus::new(site.clone(), seed, tempers, START);
        let mut answers = Vec::new();
        for number in 0..60 {
            answers.push(round(&mut campus, &site, seed, number));
            for _ in 0..60 / cut {
                campus.advance(campus.now() + seconds(cut));
            }
        }
        let during = Interval { start: START, end: campus.now() };
        (answers, campus.sweep(during), campus.survey(), bytes(&campus))
    };
    for seed in 0..6 {
        assert_eq!(run(seed, 1), run(seed, 60), "seed {seed}");
    }
    assert_ne!(run(1, 60).3, run(2, 60).3);
}

#[test]
fn a_campus_written_down_in_mid_flight_goes_on_as_if_nothing_had_been() {
    let site = site(150);
    let tempers = Tempers::swarm(&mut generator(11, "tempers"), Power::from_kw(50));
    let mut campus = Campus::new(site.clone(), 11, tempers, START);
    for number in 0..40 {
        round(&mut campus, &site, 11, number);
        campus.advance(campus.now() + seconds(47));
        let mut read: Campus = postcard::from_bytes(&bytes(&campus)).expect("a campus");
        assert_eq!(bytes(&read), bytes(&campus));
        assert_eq!(
            round(&mut read, &site, 11, number + 1),
            round(&mut campus, &site, 11, number + 1)
        );
        let to = campus.now() + seconds(13);
        read.advance(to);
        campus.advance(to);
        assert_eq!(bytes(&read), bytes(&campus));
    }
}

#[test]
fn what_is_kept_as_sums_is_the_sum_of_the_machines() {
    for seed in 0..4 {
        let site = site(300);
        let tempers = Tempers::swarm(&mut generator(seed, "tempers"), Power::ZERO);
        let mut campus = Campus::new(site.clone(), seed, tempers, START);
        for number in 0..50 {
            round(&mut campus, &site, seed, number);
            campus.advance(campus.now() + seconds(53));
            let mut calm = campus.clone();
            calm.calm();
            let mut loads = Power::ZERO;
            for survey in calm.survey().surveys {
                assert!(survey.silent.is_empty(), "a calm campus answers");
                let plug = survey.looks().iter().map(|look| look.draw).sum();
                loads += plug;
                let level: u32 = survey.looks().iter().map(|l| u32::from(l.point)).sum();
                assert_eq!(calm.setpoint(survey.load), Setpoint::Level(level));
            }
            calm.weather(Some(Temperature::from_millidegrees(99_000)));
            let pue = site.pue_of(RIGS, Some(Temperature::from_millidegrees(99_000)));
            let at_meter: Power = (RIGS..=SPOT).map(|load| calm.draw_of(load)).sum();
            let apart = at_meter - pue.at_meter(loads);
            assert!((0..3).contains(&apart.as_watts()), "seed {seed}: {apart}");
        }
    }
}

#[test]
fn a_calm_campus_does_as_it_is_told() {
    let site = site(500);
    let tempers = Tempers::swarm(&mut generator(5, "tempers"), Power::from_kw(50));
    let mut campus = Campus::new(site.clone(), 5, tempers, START);
    for number in 0..120 {
        round(&mut campus, &site, 5, number);
        campus.advance(campus.now() + seconds(60));
    }
    let moody = (0..500).filter(|m| campus.temper(RIGS, *m).is_some()).count();
    assert!(moody > 50, "the swarm has struck {moody}");
    campus.calm();
    let held =
        Some(Lease { until: campus.now() + Seconds::hours(2), over: Seconds::ZERO });
    let answers = campus.obey(&batch(1_000, held, vec![order(RIGS, 2, "0-499")]));
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].receipt.surveys[0].at_point[0].machines.len(), 500);
    campus.advance(campus.now() + Seconds::hours(1));
    assert_eq!(points(&campus, RIGS, 500), [2; 500]);
    assert_eq!(campus.show(), Some(campus.draw()));
}

#[test]
fn strikes_come_as_often_as_they_say() {
    // Ten thousand rigs, of which one in ten hangs in an hour, for longer than that.
    let tempers =
        Tempers { hangs: Often::per_hour(100_000, 120, 120), ..Tempers::none() };
    let mut campus = Campus::new(site(10_000), 9, tempers, START);
    campus.advance(START + Seconds::hours(1));
    let deaf = (0..10_000).filter(|machine| !campus.hears(RIGS, *machine)).count();
    // Some are struck twice: 1 - exp(-0.1) of ten thousand are 952.
    assert!((930..=975).contains(&deaf), "{deaf} hang");
}

#[test]
fn a_changed_site_keeps_the_loads_it_still_has() {
    let mut campus = ideal(10);
    let held = Some(lease(900, 0));
    let orders = vec![order(RIGS, 2, "0-9"), order(SPOT, 2, "0"), power(-5_000)];
    campus.obey(&batch(3, held, orders));
    campus.take_temper(RIGS, &set("1"), Temper::Hangs, seconds(700));
    campus.advance(START + seconds(500));
    let mut changed = site(12);
    changed.loads.remove(TENANT);
    campus.change(changed);
    assert_eq!(points(&campus, 0, 12), [2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0, 0]);
    assert_eq!(points(&campus, 1, 2), [2, 0]);
    assert_eq!(campus.draw_of(2), Power::from_watts(-5_000));
    assert_eq!(campus.executed().of(0, 0).map(|one| one.newest), Some(3));
    assert!(!campus.hears(0, 1));
    campus.advance(START + seconds(700));
    assert!(campus.hears(0, 1));
    // Rigs started at 0 are warm at 600 and hash until the lease ends at 900.
    campus.advance(START + seconds(1_000));
    assert_eq!(points(&campus, 0, 12), [0; 12]);
    let during = Interval { start: START, end: campus.now() };
    let work = campus.sweep(during).readings[0].work;
    let expected = units::HashRate::from_ths(200).times(10) * seconds(300);
    assert_eq!(work, Work::Hashes(expected));
}

#[test]
fn a_campus_is_found_as_somebody_left_it() {
    let mut campus = ideal(1_000).found_running(500_000);
    let running = (0..1_000).filter(|machine| campus.point(RIGS, *machine) > 0).count();
    assert!((450..550).contains(&running), "{running}");
    assert_eq!(campus.executed().total().executed, 0);
    // On nobody's lease, it stays so.
    let draw = campus.draw();
    campus.advance(START + Seconds::hours(10));
    assert_eq!(campus.draw(), draw);
}

#[test]
fn draws_stay_within_the_noise_and_keep_to_it() {
    let tempers = Tempers { noise_ppm: 20_000, ..Tempers::none() };
    let mut campus = Campus::new(site(1_000), 4, tempers, START);
    campus.obey(&batch(1, None, vec![order(RIGS, 2, "0-999")]));
    let looks = campus.survey().surveys[RIGS].looks();
    let watts: Vec<i64> = looks.iter().map(|look| look.draw.as_watts()).collect();
    assert!(watts.iter().all(|watts| (3_430..=3_570).contains(watts)));
    assert!(watts.iter().any(|w| *w < 3_450) && watts.iter().any(|w| *w > 3_550));
    campus.obey(&batch(2, None, vec![order(RIGS, 0, "0-999")]));
    campus.obey(&batch(3, None, vec![order(RIGS, 2, "0-999")]));
    assert_eq!(campus.survey().surveys[RIGS].looks(), looks);
}
