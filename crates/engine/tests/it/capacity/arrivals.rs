//! Racks that come in part, shapes that became known later, and what is accepted on
//! somebody's word.

use super::{Campus, evidence, operator};
use engine::capacity::acceptance::{Subject, word};
use engine::capacity::{Actor, Body, Phase, Refused, TrayNo};

fn order(campus: &mut Campus, name: &str, shape: &str) -> engine::capacity::RackNo {
    campus.say(Body::Rack {
        name: name.to_owned(),
        shape: shape.to_owned(),
        hall: "north".to_owned(),
        due: None,
        meant_for: None,
    });
    campus.estate.rack_named(name).expect("ordered")
}

fn count(campus: &Campus, phase: Phase) -> usize {
    campus.estate.trays().iter().filter(|tray| tray.phase == phase).count()
}

/// Seventeen of eighteen come, are put up and tested; the last comes later.
#[test]
fn a_rack_that_comes_in_part_goes_on_and_the_rest_is_missing() {
    let mut campus = Campus::new("2026-05-01");
    let rack = order(&mut campus, "R1", "GB300 NVL72");
    let serials: Vec<String> = (0..18).map(|slot| format!("R1-{slot}")).collect();
    let without = |missing: usize| {
        let mut some = serials.clone();
        some[missing].clear();
        some
    };
    campus.say(Body::Received { rack, serials: without(3) });
    assert_eq!(
        campus.notices,
        ["R1.t03: expected a machine with its rack, none came; it is ordered still"]
    );
    campus.say(Body::Installed { rack });
    assert_eq!(
        (count(&campus, Phase::Installed), count(&campus, Phase::Ordered)),
        (17, 1)
    );
    // Nothing, the same again, and a machine that is in its slot already are refused.
    let refused = |campus: &mut Campus, serials: Vec<String>| {
        campus.tell(operator(), Body::Received { rack, serials }).expect_err("refused")
    };
    let unfit = refused(&mut campus, vec![String::new(); 18]);
    assert_eq!(unfit.to_string(), "expected a serial number, found none");
    let unfit = refused(&mut campus, serials.clone());
    assert_eq!(unfit.to_string(), "expected R1.t00 ordered, found installed");
    let unfit = campus.tell(operator(), Body::Installed { rack }).expect_err("refused");
    assert_eq!(unfit.to_string(), "expected R1.t00 received, found installed");

    for tray in campus.estate.rack(rack).tray_numbers() {
        let well = campus.well(tray);
        campus.shows.insert(tray, well);
    }
    for _ in 0..3 {
        campus.pass(60);
        campus.look();
    }
    let subject = Subject::of(&campus.estate, rack, campus.at);
    assert_eq!((subject.slots.len(), subject.bits()), (17, 0x3_fff7));
    let slots = subject.bits();
    campus.say(Body::Tested { rack, slots, passed: slots, evidence: evidence() });
    assert_eq!(count(&campus, Phase::Accepted), 17);

    let mut late = vec![String::new(); 18];
    late[3] = "R1-3".to_owned();
    campus.say(Body::Received { rack, serials: late });
    campus.say(Body::Installed { rack });
    let tray = TrayNo(3);
    campus.shows.insert(tray, campus.well(tray));
    let since = campus.at;
    for _ in 0..3 {
        campus.pass(60);
        campus.look();
    }
    // It is judged in a domain where seventeen others stand.
    let subject = Subject::of(&campus.estate, rack, campus.at);
    assert_eq!(subject.slots.keys().collect::<Vec<_>>(), [&3]);
    assert_eq!((subject.beside, subject.others), (17, 0));
    assert!(subject.slots[&3].since > since, "what ran before is none of its burn-in");
}

#[test]
fn what_did_not_come_is_given_up_and_what_is_here_stays() {
    let mut campus = Campus::new("2026-05-01");
    let rack = order(&mut campus, "R1", "HGX H100");
    let serials = ["A", "B", "", ""].map(str::to_owned).to_vec();
    campus.say(Body::Received { rack, serials });
    campus.say(Body::Retire { tray: TrayNo(2), why: "never built".to_owned() });
    assert_eq!((count(&campus, Phase::Retired), count(&campus, Phase::Received)), (2, 2));
}

#[test]
fn a_shape_that_became_known_later_is_there_when_it_is_ordered() {
    let mut campus = Campus::new("2026-05-01");
    let before = campus.estate.clone();
    let rack = campus.put_up("R1", "HGX B200");
    let shape = campus.estate.shape_of(rack);
    assert_eq!((shape.gpus(), shape.switch_trays, shape.leak_detectors), (32, 0, 0));
    let subject = Subject::of(&campus.estate, rack, campus.at);
    assert_eq!((subject.one_domain, subject.leak_detectors), (false, 0));
    // An estate without it is made of what it was made of.
    assert_eq!(before, engine::capacity::Estate::default());
    let twice = campus.put_up("R2", "HGX B200");
    assert_eq!(campus.estate.rack(twice).shape, campus.estate.rack(rack).shape);
}

/// On somebody's word a tray and a block are accepted, and the facts name whose.
#[test]
fn a_block_is_accepted_by_hand_and_its_fact_names_the_word() {
    let mut campus = Campus::new("2026-05-01");
    let rack = campus.put_up("R1", "HGX H100");
    for _ in 0..3 {
        campus.pass(60);
        campus.look();
    }
    let by_hand = |why: &str| Body::TestedByHand {
        rack,
        slots: 0b1111,
        passed: 0b1111,
        why: why.to_owned(),
    };
    let unfit = campus.tell(operator(), by_hand(" ")).expect_err("no reason");
    assert_eq!(unfit.to_string(), "expected why they count so, found nothing");
    let site = campus.tell(Actor::Site, by_hand("x")).expect_err("not a person");
    assert!(matches!(site, Refused::NotForYou { .. }));
    campus.say(by_hand("the vendor's own report, seen by ada"));
    assert_eq!(count(&campus, Phase::Accepted), 4);
    campus.pass(60);
    campus.look();
    let block = campus.reserve("red", "H1", rack, 0..1);
    let red = Actor::Tenant("red".to_owned());
    let accept = |why: &str| Body::AcceptByHand { block, why: why.to_owned() };
    let blue = Actor::Tenant("blue".to_owned());
    let theirs = campus.tell(blue, accept("x")).expect_err("another's");
    assert!(matches!(theirs, Refused::NotYours { .. }));
    campus.tell(red.clone(), accept("")).expect_err("no reason");
    campus.tell(red.clone(), accept("our own run of a week")).expect("accepted");
    let line = campus.facts[0].line(1, "s");
    let hash = word(&red, "our own run of a week");
    assert!(line.contains(&format!("\"evidence\":\"{hash}\"")), "{line}");
    assert_ne!(hash, word(&operator(), "our own run of a week"));
}
