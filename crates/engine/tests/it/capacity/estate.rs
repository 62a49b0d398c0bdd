//! The life of a tray: from the dock to its tenant and back, with everything that
//! goes wrong between.

use super::{Campus, evidence, operator};
use engine::capacity::{
    Actor, Asked, BlockNo, Body, Command, Phase, Place, Power, RackNo, Refused, Reported,
    Sweep, TrayNo,
};
use units::Seconds;

/// What every tray of the estate is and waits for, one line each where they differ.
fn standing(campus: &Campus) -> String {
    let mut lines: Vec<String> = Vec::new();
    for place in 0..campus.estate.trays().len() {
        let tray = TrayNo(place as u32);
        let wait =
            campus.estate.wait(tray).map_or("-".to_owned(), |wait| wait.to_string());
        let line = format!("{}: {wait}", campus.estate.tray(tray).phase.name());
        if lines.last() != Some(&line) {
            lines.push(line);
        }
    }
    lines.join("\n")
}

#[test]
fn a_rack_goes_from_the_dock_to_its_tenant_and_comes_back_clean() {
    let mut campus = Campus::new("2026-05-01");
    let rack = campus.put_up("R1", "GB300 NVL72");
    let expect = |campus: &Campus, text: &str| assert_eq!(standing(campus), text);
    expect(
        &campus,
        "installed: expected an answer after 2026-05-01T00:00Z, observed nothing",
    );
    campus.pass(60);
    campus.look();
    expect(
        &campus,
        "discovered: expected an answer after 2026-05-01T00:01Z, observed a last answer \
         of 2026-05-01T00:01Z",
    );
    campus.pass(60);
    campus.look();
    campus.pass(60);
    campus.look();
    expect(
        &campus,
        "burn-in: expected tests passed after 2026-05-01T00:03Z, observed nothing",
    );
    let all = (1 << 18) - 1;
    campus.say(Body::Tested { rack, slots: all, passed: all, evidence: evidence() });
    expect(&campus, "accepted: -");
    let block = campus.deliver("red", "H1", rack, 0..18);
    campus.say(Body::HandOver { block });
    expect(&campus, "accepted: expected the report of image 1, observed no image");
    campus.pass(60);
    campus.look();
    expect(&campus, "in service: -");
    campus.pass(60);
    campus.say(Body::Return { block, why: "end of term".to_owned() });
    expect(&campus, "draining: expected the report of wipe 2, observed no wipe");
    campus.pass(60);
    campus.look();
    expect(&campus, "accepted: -");
    assert!(campus.estate.trays().iter().all(|tray| !tray.dirty));
}

#[test]
fn an_effect_is_done_only_when_a_newer_look_shows_it() {
    let mut campus = Campus::new("2026-05-01");
    let rack = campus.put_up("R1", "small NVL");
    campus.burn_in(rack);
    let block = campus.deliver("red", "H1", rack, 0..4);
    campus.say(Body::HandOver { block });
    campus.pass(60);
    campus.look();
    campus.pass(60);
    campus.say(Body::Return { block, why: "done".to_owned() });
    let tray = campus.tray(rack, 0);
    // The machine claims the wipe already, in a look of the instant of the order and
    // in one that came late.
    for seen_at in [campus.at, campus.at - units::Seconds::minutes(1)] {
        let mut shows = campus.shows[&tray].clone();
        shows.wiped = 2;
        let sweep = Sweep {
            at: seen_at,
            of: Asked::Told,
            changed: vec![(tray, shows)],
            silent: vec![],
            racks: vec![],
        };
        campus.tell(Actor::Site, Body::Sweep(sweep)).expect("taken in");
        assert_eq!(campus.estate.tray(tray).phase, Phase::Draining);
        assert!(campus.estate.tray(tray).dirty);
    }
    // The wipe before last is no wipe.
    campus.pass(60);
    campus.see(tray, |shows| shows.wiped = 1);
    assert!(campus.estate.tray(tray).dirty);
    campus.pass(60);
    campus.see(tray, |shows| shows.wiped = 2);
    assert_eq!(campus.estate.tray(tray).phase, Phase::Accepted);
}

#[test]
fn a_machine_is_ordered_again_only_after_a_look_has_shown_that_nothing_came_of_it() {
    let mut campus = Campus::new("2026-05-01");
    let rack = campus.put_up("R1", "small NVL");
    campus.pass(60);
    let tray = campus.tray(rack, 0);
    for shows in campus.shows.values_mut() {
        shows.power = Power::Off;
    }
    campus.look_only();
    campus.pass(60);
    campus.look_only();
    assert_eq!(campus.pending.get(&tray), Some(&(Command::PowerOn, 1)));
    // An hour without a look: nothing is repeated blindly.
    campus.pending.clear();
    campus.pass(3_600);
    campus.tell(Actor::Site, Body::Wake).expect("taken in");
    assert!(campus.pending.is_empty());
    let mut orders = Vec::new();
    for _ in 0..5 {
        campus.pass(1_000);
        campus.look_only();
        campus.tell(Actor::Site, Body::Wake).expect("taken in");
        orders.extend(campus.pending.remove(&tray));
    }
    assert_eq!(orders, [(Command::PowerOn, 2), (Command::PowerOn, 3)]);
    // After the last attempt a person is told, once, with what is waited for.
    let told: Vec<_> =
        campus.notices.iter().filter(|text| text.starts_with("R1.t00")).collect();
    let said = "R1.t00 is discovered since 2026-05-01T00:01Z: expected power on, observed \
                power off";
    assert_eq!(told, [said]);
    campus.say(Body::Retry { tray });
    assert_eq!(campus.pending.remove(&tray), Some((Command::PowerOn, 4)));
}

#[test]
fn an_order_that_works_in_the_end_needs_nobody_any_more() {
    let mut campus = Campus::new("2026-05-01");
    let rack = campus.put_up("R1", "small NVL");
    campus.burn_in(rack);
    let block = campus.deliver("red", "H1", rack, 0..1);
    campus.say(Body::HandOver { block });
    campus.pass(60);
    campus.look();
    let tray = campus.tray(rack, 0);
    campus.say(Body::PowerCycle { tray });
    for _ in 0..4 {
        campus.pass(1_000);
        campus.look_only();
        campus.tell(Actor::Site, Body::Wake).expect("taken in");
    }
    assert!(campus.estate.tray(tray).told, "three orders had no effect");
    campus.pass(60);
    campus.look();
    let found = campus.estate.tray(tray);
    assert_eq!((found.phase, found.asked), (Phase::InService, None));
    assert!(!found.told);
}

#[test]
fn a_wait_says_what_is_expected_and_what_is_observed() {
    let mut campus = Campus::new("2026-05-01");
    let rack = campus.put_up("R1", "small NVL");
    let tray = campus.tray(rack, 2);
    let wait = |campus: &Campus| campus.estate.wait(tray).expect("waits").to_string();
    campus.pass(60);
    campus.see(tray, |shows| shows.serial = Some("another".to_owned()));
    assert_eq!(
        wait(&campus),
        "expected the serial number that was received, observed another serial number"
    );
    campus.pass(60);
    campus.see(tray, |shows| shows.serial = Some("R1-2".to_owned()));
    campus.pass(60);
    campus.see(tray, |shows| shows.gpus = 0b0111_1111);
    assert_eq!(wait(&campus), "expected 8 GPUs, observed 7 GPUs");
    campus.pass(60);
    campus.see(tray, |shows| shows.gpus = 0xff);
    campus.pass(60);
    campus.see(tray, |shows| shows.health = Reported::Warning);
    assert_eq!(wait(&campus), "expected health that is well, observed health warning");
    campus.pass(60);
    campus.see(tray, |shows| shows.health = Reported::Ok);
    campus.pass(60);
    campus.say(Body::Tested { rack, slots: 4, passed: 0, evidence: evidence() });
    assert_eq!(
        wait(&campus),
        "expected tests passed after 2026-05-01T00:06Z, observed tests failed at \
         2026-05-01T00:07Z"
    );
}

#[test]
fn a_dead_machine_is_released_by_two_people_and_wiped_before_anybody_has_it() {
    let mut campus = Campus::new("2026-05-01");
    let (one, other) =
        (campus.put_up("R1", "small NVL"), campus.put_up("R2", "small NVL"));
    campus.burn_in(one);
    let block = campus.deliver("red", "H1", one, 0..1);
    campus.say(Body::HandOver { block });
    campus.pass(60);
    campus.look();
    let tray = campus.tray(one, 0);
    campus.say(Body::Return { block, why: "done".to_owned() });
    campus.silent.push(tray);
    campus.pass(60);
    campus.look();
    assert_eq!(campus.estate.tray(tray).phase, Phase::Draining);
    let why = || "it does not start".to_owned();
    let refused = campus.tell(operator(), Body::Pull { tray, why: why() });
    assert_eq!(
        refused.expect_err("unwiped").to_string(),
        "expected a wiped machine, or its release by two people, found one that is not wiped"
    );
    for oneself in ["ada", "Ada "] {
        let alone = Body::Release { tray, second: oneself.to_owned(), why: why() };
        assert!(campus.tell(operator(), alone).is_err());
    }
    campus.say(Body::Release { tray, second: "ben".to_owned(), why: why() });
    assert_eq!(campus.estate.tray(tray).phase, Phase::Repair);
    // Another machine takes its slot, and it comes back in another rack.
    campus.say(Body::Repaired { tray, serial: Some("new".to_owned()) });
    assert!(!campus.estate.tray(tray).dirty);
    let moved = campus.tray(other, 3);
    campus.say(Body::Pull { tray: moved, why: "for the machine out of R1".to_owned() });
    campus.say(Body::Repaired { tray: moved, serial: Some("R1-0".to_owned()) });
    assert!(campus.estate.tray(moved).dirty, "a machine keeps what is on it");
    campus.shows.insert(moved, campus.well(moved));
    for _ in 0..3 {
        campus.pass(60);
        campus.look_only();
    }
    // Its orders are numbered on from those of its last slot.
    assert_eq!(
        campus.estate.wait(moved).expect("waits").to_string(),
        "expected the report of wipe 3, observed no wipe"
    );
    campus.pass(60);
    campus.look();
    campus.pass(60);
    campus.look();
    assert_eq!(campus.estate.tray(moved).phase, Phase::BurnIn);
}

#[test]
fn a_machine_that_is_not_the_slots_cannot_answer_for_it() {
    let mut campus = Campus::new("2026-05-01");
    let rack = campus.put_up("R1", "small NVL");
    campus.burn_in(rack);
    let block = campus.deliver("red", "H1", rack, 0..1);
    campus.say(Body::HandOver { block });
    campus.pass(60);
    campus.look();
    campus.say(Body::Return { block, why: "done".to_owned() });
    campus.pass(60);
    let tray = campus.tray(rack, 0);
    campus.see(tray, |shows| {
        shows.serial = Some("stranger".to_owned());
        shows.wiped = 2;
    });
    assert!(campus.estate.tray(tray).dirty);
    assert_eq!(
        campus.notices,
        [
            "R1.t00: expected the machine R1-0, another answers; what it says counts for nothing"
        ]
    );
}

#[test]
fn a_tenant_moves_what_is_theirs_and_cannot_tell_what_is_not() {
    let mut campus = Campus::new("2026-05-01");
    let rack = campus.put_up("R1", "GB300 NVL72");
    campus.burn_in(rack);
    let block = campus.deliver("red", "H1", rack, 0..4);
    campus.say(Body::HandOver { block });
    campus.pass(60);
    campus.look();
    let tray = campus.tray(rack, 0);
    let blue = || Actor::Tenant("blue".to_owned());
    let absent = engine::capacity::BlockNo(99);
    let why = || "mine".to_owned();
    let theirs = campus.tell(blue(), Body::Return { block, why: why() });
    let nowhere = campus.tell(blue(), Body::Return { block: absent, why: why() });
    assert_eq!(theirs, nowhere, "what is another's looks like what is not there");
    assert_eq!(theirs, Err(Refused::NotYours { what: "a block".into() }));
    for body in [
        Body::PowerCycle { tray },
        Body::ReturnTray { tray, fault: why() },
        Body::Cordon { tray, why: why() },
        Body::Substitute { out: tray, into: campus.tray(rack, 9) },
    ] {
        assert_eq!(
            campus.tell(blue(), body),
            Err(Refused::NotYours { what: "a tray".into() })
        );
    }
    let by_the_site_alone = Body::Pull { tray, why: why() };
    let red = Actor::Tenant("red".to_owned());
    let refused = campus.tell(red.clone(), by_the_site_alone);
    assert_eq!(refused, Err(Refused::NotForYou { by: "tenant red".to_owned() }));
    campus.tell(red, Body::PowerCycle { tray }).expect("their own");
}

#[test]
fn a_serial_number_is_in_one_slot_at_a_time() {
    let mut campus = Campus::new("2026-05-01");
    let rack = campus.put_up("R1", "small NVL");
    let tray = campus.tray(rack, 0);
    campus.say(Body::Pull { tray, why: "a look inside".to_owned() });
    let taken = Body::Repaired { tray, serial: Some("R1-3".to_owned()) };
    let refused = campus.tell(operator(), taken).expect_err("in a slot");
    assert_eq!(
        refused.to_string(),
        "expected a machine that is in no slot, found R1-3 in R1.t03"
    );
}

#[test]
fn a_block_is_promised_whole_or_not_at_all() {
    let mut campus = Campus::new("2026-05-01");
    let rack = campus.put_up("R1", "small NVL");
    campus.burn_in(rack);
    campus.reserve("red", "H1", rack, 2..3);
    let blocks = vec![
        engine::capacity::Place { rack, slots: vec![0] },
        engine::capacity::Place { rack, slots: vec![1, 2] },
    ];
    let body = Body::Reserve {
        tenant: "blue".to_owned(),
        tranche: super::tranche("H2"),
        blocks,
        spares: vec![],
        within: None,
    };
    let refused = campus.tell(operator(), body).expect_err("one is taken");
    assert_eq!(refused.to_string(), "expected a free tray, found R1.t02: it has a seat");
    assert!(campus.estate.tray(campus.tray(rack, 0)).seat.is_none());
}

#[test]
fn a_rack_that_never_came_can_be_removed() {
    let mut campus = Campus::new("2026-05-01");
    campus.say(Body::Shape(Campus::small_shape()));
    for name in ["R1", "R2"] {
        campus.say(Body::Rack {
            name: name.to_owned(),
            shape: "small NVL".to_owned(),
            hall: "north".to_owned(),
            due: None,
            meant_for: None,
        });
    }
    // A rack comes as one, of four trays here, and so it does not come.
    let cancelled = || "the order was cancelled".to_owned();
    campus.say(Body::Retire { tray: TrayNo(2), why: cancelled() });
    let phases: Vec<Phase> =
        campus.estate.trays().iter().map(|tray| tray.phase).collect();
    assert_eq!(phases, [[Phase::Retired; 4], [Phase::Ordered; 4]].concat());
    let again = Body::Retire { tray: TrayNo(0), why: cancelled() };
    campus.tell(operator(), again).expect_err("it is gone");
    let serials = (0..4).map(|slot| format!("S{slot}")).collect();
    let late = Body::Received { rack: RackNo(0), serials };
    campus.tell(operator(), late).expect_err("nobody waits for it");
    assert_eq!(campus.estate.next_wake(), None);
}

/// Every block stays on the record for ever: a tenant makes no more than sixteen in an
/// hour that come to nothing.
#[test]
fn a_tenant_cannot_reserve_and_give_back_without_end() {
    let mut campus = Campus::new("2026-05-01");
    let rack = campus.put_up("R1", "GB300 NVL72");
    campus.burn_in(rack);
    let reserve = |by: Actor, campus: &mut Campus| {
        let body = Body::Reserve {
            tenant: "red".to_owned(),
            tranche: super::tranche("H1"),
            blocks: vec![Place { rack, slots: vec![0, 1] }],
            spares: Vec::new(),
            within: None,
        };
        campus.look_only();
        campus.tell(by, body)
    };
    let red = || Actor::Tenant("red".to_owned());
    let begun = campus.at;
    for block in (0..16).map(BlockNo) {
        reserve(red(), &mut campus).expect("sixteen times");
        let back = Body::Return { block, why: "another idea".to_owned() };
        campus.tell(red(), back).expect("theirs");
        campus.pass(60);
    }
    let refused = reserve(red(), &mut campus).expect_err("the seventeenth");
    assert_eq!(
        refused.to_string(),
        "expected at most 16 blocks reserved and given back in an hour, found 16"
    );
    reserve(operator(), &mut campus).expect("the site's people may");
    let back = Body::Return { block: BlockNo(16), why: "taken back".to_owned() };
    campus.say(back);
    // An hour after the first, there is room for one more: two are not counted then.
    campus.at = begun + Seconds::minutes(60) + Seconds::minutes(1);
    reserve(red(), &mut campus).expect("the first two are an hour old");
}

/// Whatever was free when it was asked: what the contract promises is looked at when it
/// is taken in.
#[test]
fn two_requests_at_once_come_to_no_more_than_the_contract_promises() {
    let mut campus = Campus::new("2026-05-01");
    let rack = campus.put_up("R1", "GB300 NVL72");
    campus.burn_in(rack);
    let mut reserve = |slots: std::ops::Range<u8>| {
        let body = Body::Reserve {
            tenant: "red".to_owned(),
            tranche: super::tranche("H1"),
            blocks: vec![Place { rack, slots: slots.collect() }],
            spares: Vec::new(),
            within: Some(40),
        };
        campus.tell(Actor::Tenant("red".to_owned()), body)
    };
    // Trays of four GPUs.
    reserve(0..6).expect("24 of 40");
    let refused = reserve(6..11).expect_err("44 of 40").to_string();
    let expected = "expected no more than the 40 GPUs of the tranche, found 20 beside 24 \
                    that are reserved already";
    assert_eq!(refused, expected);
    reserve(6..10).expect("40 of 40");
}

#[test]
fn a_snapshot_is_the_estate() {
    let mut campus = Campus::new("2026-05-01");
    let rack = campus.put_up("R1", "small NVL");
    campus.burn_in(rack);
    let block = campus.deliver("red", "H1", rack, 0..2);
    campus.say(Body::HandOver { block });
    campus.pass(60);
    campus.look();
    campus.see(campus.tray(rack, 0), |_| {});
    let bytes = postcard::to_stdvec(&campus.estate).expect("a snapshot");
    let again: engine::capacity::Estate = postcard::from_bytes(&bytes).expect("the same");
    assert_eq!(again, campus.estate);
}
