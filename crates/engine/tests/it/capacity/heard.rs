//! An estate within an engine: what tenants hear, and what time alone brings.

use super::{Campus, at, evidence, operator, tranche};
use engine::capacity::news::{BlockIs, News};
use engine::capacity::{
    Actor, Asked, Body, Class, Estate, Event, Kept, NewFact, Output, Place, RackShows,
    Sweep,
};
use engine::{Engine, Input};
use units::{Interval, Seconds};

use crate::world;

/// Two tenants in one rack, told to an engine's estate as a record.
fn record() -> (Campus, Vec<Event>) {
    let mut campus = Campus::new("2026-05-01");
    let rack = campus.put_up("R1", "GB300 NVL72");
    campus.burn_in(rack);
    let red = campus.deliver("red", "H1", rack, 0..4);
    let blue = campus.deliver("blue", "B1", rack, 4..8);
    campus.say(Body::HandOver { block: red });
    campus.say(Body::HandOver { block: blue });
    campus.pass(60);
    campus.look();
    let events = std::mem::take(&mut campus.events);
    (campus, events)
}

fn heard(outputs: &[Output], tenant: &str) -> Vec<News> {
    let of = |output: &Output| {
        let Output::Told { tenant: whose, news } = output else { return None };
        (whose == tenant).then(|| news.clone())
    };
    outputs.iter().filter_map(of).collect()
}

#[test]
fn tenants_hear_what_happens_to_their_own_and_nothing_else() {
    let (campus, events) = record();
    let mut kept = Kept::default();
    let mut all = Vec::new();
    for event in &events {
        all.extend(kept.take(event, event.at).expect("the record holds"));
    }
    assert_eq!(kept.estate(), &campus.estate, "to be heard changes nothing");
    let (red, blue) = (heard(&all, "red"), heard(&all, "blue"));
    let is = |news: &News| {
        let News::Block { is, .. } = news else { return None };
        Some(*is)
    };
    let whole = [BlockIs::Reserved, BlockIs::Accepted, BlockIs::HandedOver];
    assert_eq!(red.iter().filter_map(is).collect::<Vec<_>>(), whole);
    assert_eq!(blue.iter().filter_map(is).collect::<Vec<_>>(), whole);
    let text = format!("{red:?}");
    assert!(
        text.contains("H1/R1/b0.00") && !text.contains("B1/") && !text.contains("t04")
    );

    // Work on a machine of each: each hears of its own seat.
    let now = events.last().expect("some").at;
    let window = Interval::starting(now + Seconds::hours(15 * 24), Seconds::hours(1));
    let rack = engine::capacity::RackNo(0);
    let trays = vec![campus.tray(rack, 3), campus.tray(rack, 4)];
    let (id, why) = ("W1".to_owned(), "a valve".to_owned());
    let body = Body::Announce { id, trays, window, emergency: false, why, told: None };
    let said = Event { at: now, by: operator(), body };
    let outputs = kept.take(&said, now).expect("announced");
    let seats = |tenant| match &heard(&outputs, tenant)[..] {
        [News::Window { seats, during, .. }] => {
            assert_eq!(*during, window);
            seats.clone()
        }
        other => panic!("expected one window, found {other:?}"),
    };
    assert_eq!(seats("red"), ["H1/R1/b0.03"]);
    assert_eq!(seats("blue"), ["B1/R1/b1.00"]);
}

#[test]
fn a_fault_that_two_tenants_share_is_an_incident_of_each() {
    let (mut campus, events) = record();
    let mut kept = Kept::default();
    for event in &events {
        kept.take(event, event.at).expect("the record holds");
    }
    campus.pass(60);
    let leak = RackShows { switches: 0x1ff, shelves: 0xff, leaks: 1 };
    let sweep = Sweep {
        at: campus.at,
        of: Asked::Told,
        changed: Vec::new(),
        silent: Vec::new(),
        racks: vec![(engine::capacity::RackNo(0), leak)],
    };
    let seen = Event { at: campus.at, by: Actor::Site, body: Body::Sweep(sweep) };
    let outputs = kept.take(&seen, campus.at).expect("taken in");
    for (tenant, id, tranche, slot) in
        [("red", "I1", "H1/R1/b0", "R1.t00"), ("blue", "I2", "B1/R1/b1", "R1.t04")]
    {
        let [News::Counted { seats, reference, .. }] = &heard(&outputs, tenant)[..]
        else {
            panic!("expected one change for {tenant}");
        };
        assert_eq!(reference.as_deref(), Some(id));
        assert_eq!(seats.len(), 4);
        assert!(seats.iter().all(|seat| seat.starts_with(tranche)), "{seats:?}");
        let all = kept.estate().incidents();
        let theirs = all.iter().find(|known| known.id == id).expect("an incident");
        assert_eq!((theirs.tenant.as_str(), theirs.machines.len()), (tenant, 4));
        assert_eq!(theirs.machines[0].0, slot);
    }
    // What one was found to be is said to its tenant and to nobody else.
    let (incident, class) = ("I2".to_owned(), Class::Grid);
    let body = Body::Classify { incident, class, evidence: None };
    let said = Event { at: campus.at, by: operator(), body };
    let outputs = kept.take(&said, campus.at).expect("classified");
    assert_eq!(heard(&outputs, "red"), []);
    let id = "I2".to_owned();
    assert_eq!(heard(&outputs, "blue"), [News::Incident { id, class }]);
}

#[test]
fn a_flex_event_is_called_ahead_once_for_a_tranche_that_is_there() {
    let (mut campus, _) = record();
    let flex = |id: &str, of: &str, hours: i64, at| Body::Flex {
        id: id.to_owned(),
        tranche: tranche(of),
        during: Interval::starting(at + Seconds::hours(hours), Seconds::hours(1)),
    };
    let now = campus.at;
    campus.facts.clear();
    campus.say(flex("F1", "H1", 1, now));
    let line = |fact: &NewFact| fact.line(7, "east");
    assert!(
        line(&campus.facts[0]).ends_with(
            "\"kind\":\"flex\",\"valid_from\":\"2026-05-01T01:06:00Z\",\
             \"valid_to\":\"2026-05-01T02:06:00Z\",\"known_at\":\"2026-05-01T00:06:00Z\",\
             \"body\":{\"id\":\"F1\",\"contract\":\"CAP\",\"tranche\":\"H1\"}}\n"
        ),
        "{}",
        line(&campus.facts[0])
    );
    for (id, of, hours) in
        [("F1", "H1", 2), ("F2", "H9", 1), ("F3", "H1", -1), ("", "H1", 1)]
    {
        campus.tell(operator(), flex(id, of, hours, now)).expect_err(id);
    }
    let red = Actor::Tenant("red".to_owned());
    campus.tell(red, flex("F4", "H1", 1, now)).expect_err("not a tenant's to call");
    assert_eq!(campus.estate.flexes().len(), 1);
}

#[test]
fn an_engine_wakes_for_its_racks_and_folds_to_the_same() {
    let (_, events) = record();
    let start = at("2026-05-01");
    let mut engine = Engine::live(world::site(), start);
    let mut steps = Vec::new();
    let mut step = |engine: &mut Engine, at, event| {
        let input = Input { at, event };
        let outputs = engine.step(&input);
        steps.push(engine::journal::Step { input, outputs: outputs.clone() });
        outputs
    };
    let last = events.last().expect("some").at;
    for event in events {
        step(&mut engine, last, engine::Event::Estate(Box::new(event)));
    }
    // Nobody looks any more: the seats are unknown from the last look on, and the
    // engine asks to be woken for it.
    let silent = last + Seconds::minutes(5) + Seconds::from_seconds(1);
    let mut woken = Vec::new();
    while woken.is_empty() {
        let (due, _) = engine.next_wake();
        let due = due.max(engine.at() + Seconds::from_seconds(1));
        assert!(due <= silent, "expected to be woken by {silent}, found {due}");
        for output in step(&mut engine, due, engine::Event::Wake) {
            if let engine::Output::Estate(Output::Fact(fact)) = output {
                woken.push(fact);
            }
        }
    }
    assert_eq!((woken[0].valid_from, woken[0].known_at), (last, silent));
    let (next, _) = engine.next_wake();
    assert!(next <= silent + Seconds::hours(1));

    let mut folded = Engine::live(world::site(), start);
    for step in &steps {
        folded.fold(step);
    }
    let bytes = |engine: &Engine| postcard::to_stdvec(engine).expect("a state");
    assert_eq!(bytes(&folded), bytes(&engine));
    assert_eq!(folded.facts_told(), engine.facts_told());
    let again: Engine = postcard::from_bytes(&bytes(&engine)).expect("a snapshot");
    assert_eq!(again.estate(), engine.estate());
}

/// A journal was written by the rules of then: what was refused stays so, what was taken
/// in too, and the facts that have numbers are those that were told.
#[test]
fn a_record_of_before_is_folded_as_it_was() {
    let mut campus = Campus::new("2026-05-01");
    let rack = campus.put_up("A1", "HGX H100");
    campus.burn_in(rack);
    let mut engine = Engine::live(world::site(), at("2026-05-01"));
    for event in std::mem::take(&mut campus.events) {
        let input = Input { at: event.at, event: engine::Event::Estate(Box::new(event)) };
        let outputs = engine.step(&input);
        assert!(!outputs.iter().any(|output| {
            matches!(output, engine::Output::Notice(engine::Notice::EstateRefused { .. }))
        }));
    }
    let told = engine.facts_told();
    let reserve = |slots: &[u8]| Body::Reserve {
        tenant: "red".to_owned(),
        tranche: tranche("H1"),
        blocks: vec![Place { rack, slots: slots.to_vec() }],
        spares: Vec::new(),
        within: None,
    };
    let step = |body, outputs| engine::journal::Step {
        input: Input {
            at: campus.at,
            event: engine::Event::Estate(Box::new(Event {
                at: campus.at,
                by: operator(),
                body,
            })),
        },
        outputs,
    };
    // Four boxes were one block once.
    let refused = |outputs: &[engine::Output]| {
        outputs.iter().any(|output| {
            matches!(output, engine::Output::Notice(engine::Notice::EstateRefused { .. }))
        })
    };
    let four = step(reserve(&[0, 1]), Vec::new());
    assert!(refused(&engine.clone().step(&four.input)));
    let fact = NewFact {
        valid_from: campus.at,
        valid_to: None,
        known_at: campus.at,
        says: engine::capacity::meter::Says::Notice { id: "fw".to_owned() },
    };
    let four = engine::journal::Step {
        outputs: vec![engine::Output::Estate(Output::Fact(fact))],
        ..four
    };
    engine.fold(&four);
    let blocks = |engine: &Engine| engine.estate().expect("racks").blocks().len();
    assert_eq!((blocks(&engine), engine.facts_told()), (1, told + 1));
    // What was refused then may be today, and did not happen.
    let why = engine::capacity::Refused::NotForYou { by: "ada".to_owned() };
    let notice = engine::Notice::EstateRefused { by: operator(), why };
    let one = step(reserve(&[3]), vec![engine::Output::Notice(notice)]);
    assert!(!refused(&engine.clone().step(&one.input)));
    engine.fold(&one);
    assert_eq!((blocks(&engine), engine.facts_told()), (1, told + 1));
}

#[test]
fn what_no_calendar_has_is_refused() {
    let mut estate = Estate::default();
    let far = units::Timestamp::from_unix_seconds(i64::MAX / 2);
    let mut tell = |body| {
        let event = Event { at: at("2026-05-01"), by: operator(), body };
        estate.fold(&event)
    };
    let times = engine::capacity::Times::default();
    let silence = Seconds::from_seconds(i64::MAX);
    tell(Body::Times(engine::capacity::Times { silence, ..times }))
        .expect_err("too long");
    let none = Seconds::ZERO;
    tell(Body::Times(engine::capacity::Times { response: none, ..times }))
        .expect_err("no time at all");
    tell(Body::Times(times)).expect("as it is");
    let rack = |due| Body::Rack {
        name: "R1".to_owned(),
        shape: "GB300 NVL72".to_owned(),
        hall: "A".to_owned(),
        due,
        meant_for: None,
    };
    tell(rack(Some(far))).expect_err("no such time");
    tell(rack(None)).expect("ordered");
    let blocks = vec![Place { rack: engine::capacity::RackNo(0), slots: vec![0] }];
    let (tenant, tranche, spares) = ("red".to_owned(), tranche("H1"), Vec::new());
    tell(Body::Reserve { tenant, tranche, blocks, spares, within: None })
        .expect_err("not accepted");
    let block = engine::capacity::BlockNo(0);
    tell(Body::Accept { block, evidence: evidence() }).expect_err("no block");
}

#[test]
fn trays_that_wait_too_long_are_an_alarm_until_they_go_on() {
    let start = at("2026-05-01");
    let mut campus = Campus::new("2026-05-01");
    campus.put_up("R1", "GB300 NVL72");
    let mut engine = Engine::live(world::site(), start);
    let tell = |engine: &mut Engine, at, event| engine.step(&Input { at, event });
    for event in std::mem::take(&mut campus.events) {
        tell(&mut engine, start, engine::Event::Estate(Box::new(event)));
    }
    let stands = |engine: &Engine| {
        let all = engine.alarms().standing().into_iter();
        let ours = all
            .filter(|one| matches!(one.what, engine::alarm::What::TraysOverdue { .. }));
        ours.map(|one| one.what.consequence()).collect::<Vec<_>>()
    };
    let later = start + Seconds::hours(24);
    tell(&mut engine, later - Seconds::from_seconds(1), engine::Event::Wake);
    assert!(stands(&engine).is_empty());
    tell(&mut engine, later, engine::Event::Wake);
    assert_eq!(stands(&engine), ["18 trays of GPU racks do not come on by themselves."]);
    campus.at = later;
    campus.pass(60);
    campus.look();
    for event in std::mem::take(&mut campus.events) {
        tell(&mut engine, campus.at, engine::Event::Estate(Box::new(event)));
    }
    let after = campus.at + Seconds::hours(1);
    tell(&mut engine, after, engine::Event::Wake);
    assert!(stands(&engine).is_empty(), "{:?}", stands(&engine));
}

/// A machine that refuses what was ordered of it: nobody waits out the attempts.
#[test]
fn a_refused_order_is_an_alarm_at_once_that_says_why() {
    let mut campus = Campus::new("2026-05-01");
    let rack = campus.put_up("R1", "GB300 NVL72");
    let first = campus.estate.rack(rack).first;
    for shows in campus.shows.values_mut() {
        shows.power = engine::capacity::Power::Off;
    }
    // Found at the first look, told to switch on at the second.
    for _ in 0..2 {
        campus.pass(60);
        campus.look_only();
    }
    let mut engine = Engine::live(world::site(), at("2026-05-01"));
    let tell = |engine: &mut Engine, at, event: Event| {
        let event = engine::Event::Estate(Box::new(event));
        engine.step(&Input { at, event });
    };
    for event in std::mem::take(&mut campus.events) {
        tell(&mut engine, event.at, event);
    }
    let stands = |engine: &Engine| {
        let all = engine.alarms().standing().into_iter();
        let ours = all
            .filter(|one| matches!(one.what, engine::alarm::What::TraysOverdue { .. }));
        ours.map(engine::alarm::Alarm::body).collect::<Vec<_>>()
    };
    assert!(stands(&engine).is_empty());
    let cordon = |why: &str| Body::Cordon { tray: first, why: why.to_owned() };
    let said = |campus: &mut Campus, by, body| {
        campus.tell(by, body).expect("it may be said");
        campus.events.pop().expect("it was taken in")
    };
    let refused =
        said(&mut campus, Actor::Site, cordon("the order was refused: no reset"));
    tell(&mut engine, campus.at, refused);
    let alarm = stands(&engine);
    assert_eq!(alarm.len(), 1, "{alarm:?}");
    for part in ["R1.t00 is discovered", "power on", "the order was refused: no reset"] {
        assert!(alarm[0].contains(part), "{alarm:?}");
    }
    assert_eq!(campus.notices, ["R1.t00: the order was refused: no reset"]);
    // What a person kept another for stays, and nobody waits for anything of a third.
    let (other, third) = (engine::capacity::TrayNo(1), engine::capacity::TrayNo(2));
    let mine = Body::Cordon { tray: other, why: "a bent pin".to_owned() };
    said(&mut campus, operator(), mine);
    let again = Body::Cordon { tray: other, why: "it refuses".to_owned() };
    said(&mut campus, Actor::Site, again);
    assert_eq!(campus.estate.tray(other).cordon.as_deref(), Some("a bent pin"));
    assert!(campus.estate.tray(other).told && !campus.estate.tray(third).told);
    campus.pending.clear();
    // A tray that went on is no alarm any more.
    for shows in campus.shows.values_mut() {
        shows.power = engine::capacity::Power::On;
    }
    campus.pass(60);
    campus.look();
    assert!(!campus.estate.tray(first).told);
}
