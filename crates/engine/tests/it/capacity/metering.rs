//! Seconds of seats, from changes of state.

use super::{Campus, at, operator};
use engine::capacity::meter::{Counted, Says, Tally};
use engine::capacity::{Actor, Body, Class, NewFact, Phase, Power, Reported, TrayNo};
use units::{Interval, Seconds};

/// A campus with two seats in service and one second look at them a minute.
fn served() -> (Campus, TrayNo, TrayNo) {
    let mut campus = Campus::new("2026-05-01");
    let rack = campus.put_up("R1", "small NVL");
    campus.burn_in(rack);
    let block = campus.deliver("red", "H1", rack, 0..2);
    campus.say(Body::HandOver { block });
    campus.pass(60);
    campus.look();
    campus.facts.clear();
    let trays = (campus.tray(rack, 0), campus.tray(rack, 1));
    (campus, trays.0, trays.1)
}

/// A fact in a line: from when, which seats, what, and its reference.
fn line(fact: &NewFact) -> String {
    let from = fact.valid_from.to_string();
    match &fact.says {
        Says::State { units, counted, reference, cap_w } => {
            let seats: Vec<&str> =
                units.iter().map(|unit| &unit[unit.len() - 2..]).collect();
            let reference = reference.as_deref().unwrap_or("-");
            let cap = cap_w.map_or(String::new(), |cap| format!(" at {cap} W"));
            format!(
                "{} {} {} {reference}{cap}",
                &from[5..],
                seats.join(","),
                counted.name()
            )
        }
        Says::Notice { id } => {
            let to = fact.valid_to.expect("a window").to_string();
            format!("{} to {} notice {id}", &from[5..], &to[5..])
        }
        Says::Flex { id, tranche } => {
            let to = fact.valid_to.expect("an event ends").to_string();
            format!("{} to {} flex {id} of {}", &from[5..], &to[5..], tranche.tranche)
        }
        Says::Classification { incident, class, evidence } => {
            format!("{} {incident} is {} {evidence:?}", &from[5..], class.name())
        }
        Says::Acceptance { units, .. } => {
            format!("{} accepted {}", &from[5..], units.len())
        }
        Says::Succession { units, replaces, .. } => {
            let seats: Vec<&str> = replaces
                .iter()
                .map(|unit| unit.rsplit('/').next().unwrap_or(unit))
                .collect();
            format!("{} accepted {} for {}", &from[5..], units.len(), seats.join(","))
        }
    }
}

fn check(campus: &Campus, expected: &[&str]) {
    let found: Vec<String> = campus.facts.iter().map(line).collect();
    assert_eq!(found, expected);
}

fn tally(campus: &Campus, seat: usize) -> Tally {
    let block = engine::capacity::BlockNo(0);
    campus.estate.seat_tally(block, seat, campus.at)
}

#[test]
fn acceptance_says_what_every_seat_counts_as_from_then_on() {
    let mut campus = Campus::new("2026-05-01");
    let rack = campus.put_up("R1", "small NVL");
    campus.burn_in(rack);
    let block = campus.reserve("red", "H1", rack, 0..2);
    campus.until("2026-05-01T00:10:07Z");
    campus.see(campus.tray(rack, 1), |shows| shows.gpus = 0x7f);
    let accept = || Body::Accept { block, evidence: super::evidence() };
    assert!(campus.tell(operator(), accept()).is_err(), "a GPU is missing");
    campus.pass(60);
    campus.shows.get_mut(&campus.tray(rack, 1)).expect("a machine").gpus = 0xff;
    campus.look();
    campus.say(accept());
    check(&campus, &["05-01T00:11:07Z accepted 2", "05-01T00:11:07Z 00,01 available -"]);
}

#[test]
fn an_acceptance_names_what_it_may_replace_the_longest_gone_first() {
    let mut campus = Campus::new("2026-05-01");
    let racks = ["R1", "R2"].map(|name| campus.put_up(name, "small NVL"));
    for rack in racks {
        campus.burn_in(rack);
    }
    let red = |campus: &mut Campus, rack, slots| campus.deliver("red", "H1", rack, slots);
    let first = red(&mut campus, racks[0], 0..1);
    let second = red(&mut campus, racks[0], 1..2);
    red(&mut campus, racks[0], 2..3);
    let other = campus.deliver("red", "H2", racks[0], 3..4);
    campus.pass(1);
    campus.look();
    let why = || "it fails".to_owned();
    campus.say(Body::Return { block: other, why: why() });
    campus.say(Body::Return { block: second, why: why() });
    campus.pass(1);
    let kept = campus.tray(racks[0], 2);
    campus.say(Body::Cordon { tray: kept, why: why() });
    campus.say(Body::Return { block: first, why: why() });
    campus.pass(1);
    campus.look();
    let facts = |campus: &mut Campus, tenant, id, slots| {
        campus.facts.clear();
        let before = campus.at.to_string();
        campus.deliver(tenant, id, racks[1], slots);
        line(&campus.facts[0]).replace(&before[5..], "now")
    };
    assert_eq!(
        facts(&mut campus, "red", "H1", 0..1),
        "now accepted 1 for b1.00,b0.00,b2.00"
    );
    assert_eq!(facts(&mut campus, "red", "H2", 1..2), "now accepted 1 for b3.00");
    // What is another tranche's or another tenant's is not named.
    assert_eq!(facts(&mut campus, "red", "H3", 2..3), "now accepted 1");
    assert_eq!(facts(&mut campus, "blue", "H1", 3..4), "now accepted 1");
}

#[test]
fn a_failure_counts_from_the_look_that_showed_it_to_the_look_that_showed_its_end() {
    let (mut campus, tray, _) = served();
    campus.until("2026-05-01T00:09:13Z");
    campus.see(tray, |shows| shows.power = Power::Off);
    campus.until("2026-05-01T00:11:40Z");
    campus.see(tray, |shows| shows.health = Reported::Warning);
    campus.until("2026-05-01T00:12:00Z");
    campus.see(tray, |shows| shows.power = Power::On);
    campus.until("2026-05-01T00:12:41Z");
    campus.see(tray, |shows| shows.health = Reported::Ok);
    check(
        &campus,
        &[
            "05-01T00:09:13Z 00 down I1",
            "05-01T00:12Z 00 degraded I1",
            "05-01T00:12:41Z 00 available -",
        ],
    );
    // Accepted at 00:05; down 167 s, degraded 41 s.
    let expected = Tally { available: 253, degraded: 41, down: 167, ..Tally::default() };
    assert_eq!(tally(&campus, 0), expected);
    let incident = &campus.estate.incidents()[0];
    assert_eq!(incident.opened, at("2026-05-01T00:09:13Z"));
    assert_eq!(incident.closed, Some(at("2026-05-01T00:12:41Z")));
    assert_eq!(incident.fault, "no power");
    assert_eq!(incident.machines, [("R1.t00".to_owned(), "R1-0".to_owned())]);
    assert_eq!(incident.worst, Counted::Down);
    assert_eq!(incident.handed_over, Some(at("2026-05-01T00:05Z")));
}

#[test]
fn a_machine_that_nobody_saw_is_neither_up_nor_down_since_it_was_last_seen() {
    let (mut campus, tray, _) = served();
    // Last seen at 00:06; five minutes of silence are allowed.
    campus.silent.push(tray);
    campus.until("2026-05-01T00:11Z");
    campus.look();
    check(&campus, &[]);
    campus.until("2026-05-01T00:11:01Z");
    campus.look();
    campus.until("2026-05-01T00:16Z");
    campus.silent.clear();
    campus.look();
    check(&campus, &["05-01T00:06Z 00 unknown I1", "05-01T00:16Z 00 available -"]);
    assert_eq!(tally(&campus, 0).unknown, 10 * 60);
    assert_eq!(tally(&campus, 0).total(), 11 * 60);
    // The tenant's own log shows that it worked.
    campus.facts.clear();
    let class = Class::Available;
    let was_up = || Body::Classify { incident: "I1".to_owned(), class, evidence: None };
    campus.say(was_up());
    let [fact] = &campus.facts[..] else { panic!("one fact") };
    assert_eq!(line(fact), "05-01T00:06Z 00 available -");
    assert_eq!(fact.valid_to, Some(at("2026-05-01T00:16Z")));
    let up = Tally { available: 11 * 60, ..Tally::default() };
    assert_eq!(tally(&campus, 0), up);
    assert!(campus.tell(operator(), was_up()).is_err(), "said once");
    assert_eq!(campus.estate.racks()[0].failures, 0, "not to be seen is no failure");
}

#[test]
fn a_gap_in_the_looks_is_unknown_even_when_nothing_happened_in_it() {
    let (mut campus, ..) = served();
    campus.until("2026-05-01T00:11:01Z");
    campus.look();
    check(
        &campus,
        &["05-01T00:06Z 00,01 unknown I1", "05-01T00:11:01Z 00,01 available -"],
    );
}

#[test]
fn announced_work_is_planned_inside_its_window_and_down_beyond_it() {
    let (mut campus, tray, _) = served();
    let window =
        Interval { start: at("2026-05-20T02:00Z"), end: at("2026-05-20T02:30:30Z") };
    let announce = |window| Body::Announce {
        id: "M7".to_owned(),
        trays: vec![tray],
        window,
        emergency: false,
        why: "firmware".to_owned(),
        told: None,
    };
    let soon = Interval { start: at("2026-05-14T00:00Z"), ..window };
    let refused = campus.tell(operator(), announce(soon)).expect_err("too soon");
    assert_eq!(
        refused.to_string(),
        "expected notice of 336 h, found a start at 2026-05-14T00:00Z"
    );
    campus.say(announce(window));
    campus.until("2026-05-20T01:59Z");
    campus.look();
    campus.facts.drain(1..);
    // Nothing happens at the window's edges; they count all the same.
    campus.until("2026-05-20T02:04Z");
    campus.see(tray, |shows| shows.power = Power::Off);
    campus.until("2026-05-20T02:35Z");
    campus.see(tray, |shows| shows.power = Power::On);
    campus.until("2026-05-20T02:36:10Z");
    campus.say(Body::Done { id: "M7".to_owned() });
    check(
        &campus,
        &[
            "05-20T02:00Z to 05-20T02:30:30Z notice M7",
            "05-20T02:00Z 00 planned M7",
            "05-20T02:30:30Z 00 down I2",
            "05-20T02:36:10Z 00 available -",
        ],
    );
    assert_eq!(tally(&campus, 0).planned, 1_830);
    assert_eq!(tally(&campus, 0).down, 340);
}

#[test]
fn a_tenant_puts_work_off_and_not_for_ever() {
    let (mut campus, tray, _) = served();
    let window = Interval::starting(at("2026-05-20T02:00Z"), Seconds::hours(1));
    campus.say(Body::Announce {
        id: "M7".to_owned(),
        trays: vec![tray],
        window,
        emergency: false,
        why: "firmware".to_owned(),
        told: None,
    });
    let red = || Actor::Tenant("red".to_owned());
    let to = |text| Body::Defer {
        id: "M7".to_owned(),
        window: Interval::starting(at(text), Seconds::hours(1)),
    };
    assert!(campus.tell(red(), to("2026-06-20")).is_err());
    assert!(campus.tell(red(), to("2026-05-19")).is_err());
    assert!(campus.tell(Actor::Tenant("blue".to_owned()), to("2026-05-27")).is_err());
    campus.until("2026-05-10T00:00Z");
    campus.tell(red(), to("2026-05-27")).expect("put off");
    // The latest start stays at twice the notice after it was announced.
    let refused = campus.tell(red(), to("2026-06-05")).expect_err("too late");
    assert_eq!(
        refused.to_string(),
        "expected a start by 2026-05-29T00:06Z, found 2026-06-05T00:00Z"
    );
    campus.until("2026-05-20T02:30Z");
    campus.look();
    assert_eq!(tally(&campus, 0).planned, 0);
    campus.until("2026-05-27T00:01Z");
    campus.look();
    assert_eq!(tally(&campus, 0).planned, 60);
}

#[test]
fn how_long_work_takes_is_not_the_tenants_to_say() {
    let (mut campus, tray, _) = served();
    let start = at("2026-05-20T02:00Z");
    campus.say(Body::Announce {
        id: "M7".to_owned(),
        trays: vec![tray],
        window: Interval::starting(start, Seconds::hours(8)),
        emergency: false,
        why: "firmware".to_owned(),
        told: None,
    });
    let start = start + Seconds::hours(24);
    let defer = |long| Body::Defer {
        id: "M7".to_owned(),
        window: Interval::starting(start, long),
    };
    let red = || Actor::Tenant("red".to_owned());
    let second = Seconds::from_seconds(1);
    let refused = campus.tell(red(), defer(second)).expect_err("too short");
    assert_eq!(refused.to_string(), "expected a window of 8 h, found 1 s");
    campus.tell(red(), defer(Seconds::hours(24 * 365))).expect_err("too long");
    campus.tell(red(), defer(Seconds::hours(8))).expect("as long as before");
    let start = start + second;
    let longer = Interval::starting(start, Seconds::hours(9));
    campus.say(Body::Defer { id: "M7".to_owned(), window: longer });
}

#[test]
fn a_power_cycle_that_the_tenant_asked_for_is_theirs_for_as_long_as_it_may_take() {
    let (mut campus, tray, other) = served();
    campus.until("2026-05-01T00:10Z");
    let red = || Actor::Tenant("red".to_owned());
    campus.tell(red(), Body::PowerCycle { tray }).expect("theirs");
    campus.tell(red(), Body::PowerCycle { tray: other }).expect("theirs");
    campus.until("2026-05-01T00:11:15Z");
    campus.pending.remove(&other);
    campus.look();
    // One started again; the other is off, and stays so.
    campus.pass(1);
    campus.see(other, |shows| shows.power = Power::Off);
    campus.until("2026-05-01T00:26Z");
    campus.look();
    let request = |slot| format!("power-cycle/R1.t0{slot}/1777594200");
    check(
        &campus,
        &[
            &format!("05-01T00:10Z 00 customer_caused {}", request(0)),
            &format!("05-01T00:10Z 01 customer_caused {}", request(1)),
            "05-01T00:11:15Z 00 available -",
            // Fifteen minutes are allowed, and nobody looked for as long.
            "05-01T00:11:15Z 00 unknown I1",
            "05-01T00:25Z 01 unknown I2",
            "05-01T00:26Z 00 available -",
            "05-01T00:26Z 01 down I2",
        ],
    );
}

#[test]
fn a_spare_takes_a_seat_over_and_its_name_stays() {
    let (mut campus, tray, _) = served();
    let spare = TrayNo(2);
    campus.until("2026-05-01T00:10Z");
    campus.see(tray, |shows| shows.health = Reported::Critical);
    campus.until("2026-05-01T00:10:30Z");
    campus.look();
    campus.until("2026-05-01T00:10:50Z");
    campus.say(Body::Substitute { out: tray, into: spare });
    assert_eq!(campus.pending.get(&spare).map(|asked| asked.1), Some(1));
    campus.until("2026-05-01T00:14:05Z");
    campus.look();
    check(&campus, &["05-01T00:10Z 00 down I1", "05-01T00:14:05Z 00 available -"]);
    let seats = engine::capacity::index::index(&campus.estate, Some("red"));
    assert_eq!(seats[0].id, "H1/R1/b0.00");
    assert_eq!(seats[0].slot.as_deref(), Some("R1.t02"));
    assert_eq!(seats[0].serial.as_deref(), Some("R1-2"));
}

/// A tenant that wants another machine in place of one that works waits for it by its
/// own wish, for as long as the site may take; longer is the site's.
#[test]
fn a_machine_that_worked_is_replaced_in_the_tenants_own_time() {
    let (mut campus, tray, other) = served();
    let red = || Actor::Tenant("red".to_owned());
    let (spare, second) = (TrayNo(2), TrayNo(3));
    campus.until("2026-05-01T00:10Z");
    campus.look_only();
    campus.tell(red(), Body::Substitute { out: tray, into: spare }).expect("theirs");
    campus.until("2026-05-01T00:11:15Z");
    campus.look();
    // Another hears nothing of what it is told.
    campus.tell(red(), Body::Substitute { out: other, into: second }).expect("theirs");
    campus.pending.clear();
    for minute in 12..=27 {
        campus.until(&format!("2026-05-01T00:{minute}Z"));
        campus.look_only();
    }
    campus.pending.insert(
        second,
        (engine::capacity::Command::HandOver, campus.estate.tray(second).generation),
    );
    campus.until("2026-05-01T00:28Z");
    campus.look();
    check(
        &campus,
        &[
            "05-01T00:10Z 00 customer_caused replace/R1.t02/1777594200",
            "05-01T00:11:15Z 00 available -",
            "05-01T00:11:15Z 01 customer_caused replace/R1.t03/1777594275",
            "05-01T00:26:15Z 01 down I1",
            "05-01T00:28Z 01 available -",
        ],
    );
    // Where the machine had failed, the wait is down from the first second to the last.
    let (mut campus, tray, _) = served();
    campus.until("2026-05-01T00:10Z");
    campus.see(tray, |shows| shows.health = Reported::Critical);
    campus.tell(red(), Body::Substitute { out: tray, into: spare }).expect("theirs");
    campus.until("2026-05-01T00:11Z");
    campus.look();
    check(&campus, &["05-01T00:10Z 00 down I1", "05-01T00:11Z 00 available -"]);
}

#[test]
fn a_broken_domain_degrades_every_seat_in_it_as_one_incident() {
    let (mut campus, ..) = served();
    let rack = engine::capacity::RackNo(0);
    campus.until("2026-05-01T00:10:20Z");
    let leak = engine::capacity::RackShows { switches: 0x1ff, shelves: 0xff, leaks: 1 };
    let sweep = engine::capacity::Sweep {
        at: campus.at,
        of: engine::capacity::Asked::Told,
        changed: vec![],
        silent: vec![],
        racks: vec![(rack, leak)],
    };
    campus.tell(Actor::Site, Body::Sweep(sweep)).expect("taken in");
    check(&campus, &["05-01T00:10:20Z 00,01 degraded I1"]);
    assert_eq!(campus.estate.incidents()[0].machines.len(), 2);
    campus.facts.clear();
    campus.say(Body::Classify {
        incident: "I1".to_owned(),
        class: Class::Grid,
        evidence: Some("ERCOT-17".to_owned()),
    });
    check(&campus, &["05-01T00:10:20Z I1 is grid Some(\"ERCOT-17\")"]);
}

#[test]
fn a_power_limit_is_told_with_the_state() {
    let (mut campus, tray, _) = served();
    campus.until("2026-05-01T00:10Z");
    campus.see(tray, |shows| shows.cap_w = Some(700));
    check(&campus, &["05-01T00:10Z 00 available - at 700 W"]);
}

#[test]
fn what_is_given_back_counts_as_the_tenants_and_what_is_taken_back_as_down() {
    for (by, counted) in [
        (Actor::Tenant("red".to_owned()), Counted::CustomerCaused),
        (operator(), Counted::Down),
    ] {
        let (mut campus, ..) = served();
        campus.until("2026-05-01T00:10Z");
        let block = engine::capacity::BlockNo(0);
        campus.tell(by, Body::Return { block, why: "enough".to_owned() }).expect("told");
        campus.until("2026-05-01T00:11Z");
        let meter = campus.estate.seat_meter(block, 0).expect("counted");
        assert_eq!((meter.counted, meter.since), (counted, at("2026-05-01T00:10Z")));
    }
}

/// The image's first boot takes power and GPUs away for a while, and counts against nobody;
/// what is still away when the order has had its time counts from then on, to the second.
#[test]
fn a_first_boot_has_its_time_and_no_more() {
    let mut campus = Campus::new("2026-05-01");
    let rack = campus.put_up("R1", "GB300 NVL72");
    campus.burn_in(rack);
    let block = campus.deliver("red", "H1", rack, 0..2);
    campus.look();
    let facts = campus.facts.len();
    campus.say(Body::HandOver { block });
    let given = campus.at;
    let (first, second) = (campus.tray(rack, 0), campus.tray(rack, 1));
    campus.pending.clear();
    for tray in [first, second] {
        let shows = campus.shows.get_mut(&tray).expect("a machine");
        (shows.power, shows.gpus) = (Power::Off, 0);
    }
    let generation = campus.estate.tray(first).generation;
    for minute in 1..=14 {
        campus.pass(60);
        if minute == 5 {
            let shows = campus.shows.get_mut(&first).expect("a machine");
            (shows.power, shows.gpus, shows.image) = (Power::On, 0b1111, generation);
        }
        campus.look_only();
    }
    assert_eq!(campus.estate.tray(first).phase, Phase::InService);
    let said = |campus: &Campus| campus.facts[facts..].len();
    assert_eq!(said(&campus), 0, "{:?}", &campus.facts[facts..]);
    // It is time: without anybody looking, an engine wakes for it.
    let due = given + campus.estate.times().response;
    let wakes = campus.estate.next_wake().expect("a wake");
    assert_eq!(wakes, (due, "a boot has had its time"));
    campus.at = due;
    campus.tell(Actor::Site, Body::Wake).expect("time passes");
    assert_eq!(said(&campus), 1);
    assert_eq!(campus.facts[facts].valid_from, due);
    let down = "R1.t01";
    let open = campus.estate.incidents().iter().find(|one| one.closed.is_none());
    let open = open.expect("an incident");
    assert_eq!((open.fault.as_str(), open.machines[0].0.as_str()), ("no power", down));
}
