//! When a tranche will be there, from how long things really took.

use super::{Campus, at, evidence, tranche};
use engine::capacity::forecast::{Forecast, forecast};
use engine::capacity::{BlockNo, Body, Place, RackNo};

/// A rack on its way, meant for H1.
fn ordered(campus: &mut Campus, name: &str, due: Option<&str>) -> RackNo {
    campus.say(Body::Rack {
        name: name.to_owned(),
        shape: "GB300 NVL72".to_owned(),
        hall: "north".to_owned(),
        due: due.map(at),
        meant_for: Some(tranche("H1")),
    });
    campus.estate.rack_named(name).expect("ordered")
}

fn received(campus: &mut Campus, rack: RackNo) {
    let name = campus.estate.rack(rack).name.clone();
    let serials: Vec<String> = (0..18).map(|slot| format!("{name}-{slot}")).collect();
    campus.say(Body::Received { rack, serials });
}

fn installed(campus: &mut Campus, rack: RackNo) {
    campus.say(Body::Installed { rack });
    for tray in campus.estate.rack(rack).tray_numbers() {
        campus.shows.insert(tray, campus.well(tray));
    }
}

fn of(campus: &Campus, gpus: u32) -> Forecast {
    forecast(&campus.estate, &tranche("H1"), gpus, campus.at)
}

#[test]
fn without_experience_a_phase_takes_what_it_is_allowed() {
    let mut campus = Campus::new("2026-05-01");
    ordered(&mut campus, "R1", Some("2026-05-10"));
    let found = of(&campus, 72);
    // From the dock on: 14 days, 1 day, 8 h, 1 day and 5 days are 21 days and 8 h.
    let date = at("2026-05-31T08:00Z");
    assert_eq!(found.complete(), Some((date, date)));
    assert_eq!(found.racks[0].phase, "ordered");
    // A day that has passed without the rack counts as now.
    campus.until("2026-05-12T03:00Z");
    campus.tell(engine::capacity::Actor::Site, Body::Wake).expect("taken in");
    assert_eq!(of(&campus, 72).complete().expect("a date").0, at("2026-06-02T11:00Z"));
    let rack = RackNo(0);
    campus.say(Body::Due { rack, at: at("2026-05-20") });
    assert_eq!(of(&campus, 72).complete().expect("a date").0, at("2026-06-10T08:00Z"));
}

#[test]
fn a_tranche_without_enough_racks_has_no_date() {
    let mut campus = Campus::new("2026-05-01");
    ordered(&mut campus, "R1", Some("2026-05-10"));
    ordered(&mut campus, "R2", None);
    let found = of(&campus, 100);
    assert_eq!((found.without, found.complete()), (28, None));
    assert_eq!(found.racks.len(), 1);
}

#[test]
fn experience_decides_once_a_rack_is_through() {
    let mut campus = Campus::new("2026-05-01");
    let racks =
        ["R1", "R2", "R3"].map(|name| ordered(&mut campus, name, Some("2026-05-02")));
    campus.until("2026-05-02T00:00Z");
    received(&mut campus, racks[0]);
    // Two days to its slot, then ten minutes each to answer, to power and to health,
    // and 30 hours of burn-in.
    campus.until("2026-05-04T00:00Z");
    installed(&mut campus, racks[0]);
    for _ in 0..3 {
        campus.pass(600);
        campus.look();
    }
    campus.until("2026-05-05T06:30Z");
    campus.look();
    let all = (1 << 18) - 1;
    let slots = all;
    campus.say(Body::Tested { rack: racks[0], slots, passed: all, evidence: evidence() });
    campus.deliver("red", "H1", racks[0], 0..18);
    // R2 was brought in a day ago and is half way to its slot; R3 is late.
    campus.until("2026-05-06T06:30Z");
    campus.look();
    received(&mut campus, racks[1]);
    campus.until("2026-05-07T06:30Z");
    campus.look();
    let found = of(&campus, 3 * 72);
    assert_eq!(found.accepted, [(at("2026-05-05T06:30Z"), 72)]);
    assert_eq!(found.left, 144);
    let dates: Vec<(&str, _)> =
        found.racks.iter().map(|rack| (rack.rack.as_str(), rack.likely)).collect();
    // R2 is in its slot on the 8th, 30 minutes and 30 hours later it is through.
    let (r2, r3) = (at("2026-05-09T13:00Z"), at("2026-05-10T13:00Z"));
    assert_eq!(dates, [("R2", r2), ("R3", r3)]);
    assert_eq!(found.complete(), Some((r3, r3)));
    // A tranche that needs no more than R2 does not wait for R3.
    assert_eq!(of(&campus, 2 * 72).complete(), Some((r2, r2)));
}

#[test]
fn the_slowest_tenth_makes_the_cautious_date() {
    let mut campus = Campus::new("2026-05-01");
    let racks = ["R1", "R2"].map(|name| ordered(&mut campus, name, Some("2026-05-01")));
    for rack in racks {
        received(&mut campus, rack);
        installed(&mut campus, rack);
    }
    for _ in 0..3 {
        campus.pass(60);
        campus.look();
    }
    // Fifteen trays of R1 are through after an hour, three after ten.
    let slots = (1 << 15) - 1;
    campus.until("2026-05-01T01:03Z");
    campus.say(Body::Tested {
        rack: racks[0],
        slots,
        passed: slots,
        evidence: evidence(),
    });
    campus.until("2026-05-01T10:03Z");
    let slots = 0b111 << 15;
    campus.say(Body::Tested {
        rack: racks[0],
        slots,
        passed: slots,
        evidence: evidence(),
    });
    let found = of(&campus, 144);
    let r2 = found.racks.iter().find(|rack| rack.rack == "R2").expect("R2");
    // R2 has been burnt in for as long as the slowest took: now, and now.
    assert_eq!((r2.likely, r2.cautious), (campus.at, campus.at));
    let mut third = campus;
    let rack = ordered(&mut third, "R3", None);
    third.say(Body::Due { rack, at: third.at });
    let found = of(&third, 3 * 72);
    let r3 = found.racks.iter().find(|rack| rack.rack == "R3").expect("R3");
    // It was received and put up at once; three minutes of looks, and then 1 h or 10 h.
    assert_eq!(r3.likely, at("2026-05-01T11:06Z"));
    assert_eq!(r3.cautious, at("2026-05-01T20:06Z"));
}

/// Two racks that passed their tests, and one that is to come.
fn two_and_one() -> (Campus, [RackNo; 3]) {
    let mut campus = Campus::new("2026-05-01");
    let racks = [("R1", None), ("R2", None), ("R3", Some("2026-06-20"))];
    let racks = racks.map(|(name, due)| ordered(&mut campus, name, due));
    for rack in &racks[..2] {
        received(&mut campus, *rack);
        installed(&mut campus, *rack);
        campus.burn_in(*rack);
    }
    (campus, racks)
}

fn racks_of(found: &Forecast) -> Vec<(&str, u32)> {
    found.racks.iter().map(|rack| (rack.rack.as_str(), rack.gpus)).collect()
}

#[test]
fn what_is_promised_brings_its_seats_and_not_its_spares() {
    let (mut campus, racks) = two_and_one();
    for rack in &racks[..2] {
        let spares = [16, 17].map(|slot| campus.tray(*rack, slot));
        campus.say(Body::Reserve {
            tenant: "red".to_owned(),
            tranche: tranche("H1"),
            blocks: vec![Place { rack: *rack, slots: (0..16).collect() }],
            spares: spares.to_vec(),
            within: None,
        });
    }
    // Three times sixteen trays: the third rack brings as many as the others.
    let found = of(&campus, 192);
    assert_eq!(racks_of(&found), [("R1", 64), ("R2", 64), ("R3", 64)]);
    assert_eq!((found.left, found.without), (192, 0));
    // It brings no more, however many are wanted.
    let found = of(&campus, 300);
    assert_eq!(racks_of(&found), [("R1", 64), ("R2", 64), ("R3", 64)]);
    assert_eq!(found.without, 108);
    // Two racks of sixteen are no 144 GPUs without the third.
    let found = of(&campus, 144);
    assert_eq!(racks_of(&found), [("R1", 64), ("R2", 64), ("R3", 16)]);
    assert!(found.complete().expect("a date").0 > at("2026-06-20"));
}

#[test]
fn what_was_taken_back_is_not_there_any_more() {
    let (mut campus, racks) = two_and_one();
    campus.deliver("red", "H1", racks[0], 0..18);
    assert_eq!(of(&campus, 144).left, 72);
    let block = BlockNo(0);
    campus.say(Body::Return { block, why: "its backplane".to_owned() });
    campus.deliver("red", "H1", racks[1], 0..18);
    let found = of(&campus, 144);
    assert_eq!((found.accepted.len(), found.left), (1, 72));
    // What was taken back is to be wiped, and may come again before the third.
    assert_eq!(found.racks[0].rack, "R1");
}

#[test]
fn the_rest_of_a_rack_comes_after_a_part_of_it() {
    let (mut campus, racks) = two_and_one();
    campus.deliver("red", "H1", racks[0], 0..9);
    let found = of(&campus, 72);
    assert_eq!((found.left, racks_of(&found)), (36, vec![("R1", 36)]));
}

#[test]
fn what_another_has_does_not_come_and_what_is_promised_need_not_be_meant_for_it() {
    let (mut campus, racks) = two_and_one();
    campus.deliver("blue", "B1", racks[0], 0..18);
    let found = of(&campus, 72);
    assert_eq!(racks_of(&found), [("R2", 72)]);
    let rack = campus.put_up("R9", "GB300 NVL72");
    campus.burn_in(rack);
    campus.reserve("red", "H1", rack, 0..18);
    assert!(racks_of(&of(&campus, 144)).contains(&("R9", 72)));
}

/// Lateness makes no events: what nothing was heard of is later than it was to be.
#[test]
fn a_rack_that_nothing_was_heard_of_comes_from_now_on() {
    let mut campus = Campus::new("2026-05-01");
    ordered(&mut campus, "R1", Some("2026-05-10"));
    let now = at("2026-12-01");
    let found = forecast(&campus.estate, &tranche("H1"), 72, now);
    assert_eq!(found.complete().expect("a date").0, at("2026-12-22T08:00Z"));
}
