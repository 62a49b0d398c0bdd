//! What an NVLink domain is, what may be put together, and what may be taken on.

use super::{Campus, evidence, operator, tranche};
use engine::capacity::index::index;
use engine::capacity::meter::{Counted, Says};
use engine::capacity::place::{NoRoom, Sparing, Wanted, place};
use engine::capacity::{Actor, BlockNo, Body, Place, RackNo, RackShows, TrayNo};

const WHOLE: RackShows = RackShows { switches: 0x1ff, shelves: 0xff, leaks: 0 };

fn campus(racks: &[(&str, &str)]) -> Campus {
    let mut campus = Campus::new("2026-05-01");
    let racks: Vec<RackNo> =
        racks.iter().map(|(name, shape)| campus.put_up(name, shape)).collect();
    for rack in racks {
        campus.burn_in(rack);
    }
    campus
}

fn wanted(gpus: u32, trays_per_block: u8) -> Wanted {
    let (model, spares) = (None, Sparing::default());
    Wanted { gpus, trays_per_block, model, tranche: Some(tranche("H1")), spares }
}

fn reserve(blocks: &[(u32, &[u8])]) -> Body {
    Body::Reserve {
        tenant: "red".to_owned(),
        tranche: tranche("H1"),
        blocks: blocks
            .iter()
            .map(|(rack, slots)| Place { rack: RackNo(*rack), slots: slots.to_vec() })
            .collect(),
        spares: Vec::new(),
        within: None,
    }
}

#[test]
fn a_box_is_a_domain_of_its_own() {
    let mut campus = campus(&[("A1", "HGX H100")]);
    let found = place(&campus.estate, &wanted(16, 1)).expect("room");
    let blocks: Vec<&[u8]> = found.blocks.iter().map(|block| &block.slots[..]).collect();
    assert_eq!(blocks, [[0], [1]]);
    assert!(
        found.reasons[0].starts_with("A1: a tray that is a domain of its own, "),
        "{:?}",
        found.reasons
    );
    // Four boxes are no block, whoever writes it down.
    let none = place(&campus.estate, &wanted(32, 4)).expect_err("no domain of four");
    assert_eq!(
        none.to_string(),
        "expected room for 1 blocks, found 0; racks passed over: 1 because each of its \
         trays is an NVLink domain of its own"
    );
    let refused = campus.tell(operator(), reserve(&[(0, &[0, 1])])).expect_err("two");
    assert!(refused.to_string().starts_with("expected blocks of one tray"), "{refused}");
    // Index and facts name the box.
    campus.say(reserve(&[(0, &[0]), (0, &[2])]));
    for block in [0, 1] {
        campus.say(Body::Accept { block: BlockNo(block), evidence: evidence() });
    }
    let list = index(&campus.estate, Some("red"));
    let domains: Vec<&str> = list.iter().map(|one| one.nvlink_domain.as_str()).collect();
    assert_eq!(domains, ["A1.t00", "A1.t02"]);
    let told: Vec<&str> = campus
        .facts
        .iter()
        .filter_map(|fact| {
            let (Says::Acceptance { domain, .. } | Says::Succession { domain, .. }) =
                &fact.says
            else {
                return None;
            };
            Some(domain.as_str())
        })
        .collect();
    assert_eq!(told, ["A1.t00", "A1.t02"]);
}

#[test]
fn a_leak_at_one_box_is_nothing_of_its_neighbours() {
    let mut campus = campus(&[("A1", "HGX H100"), ("R1", "GB300 NVL72")]);
    campus.say(reserve(&[(0, &[0])]));
    let joined = campus.reserve("blue", "B1", RackNo(1), 0..2);
    for block in [BlockNo(0), joined] {
        campus.say(Body::Accept { block, evidence: evidence() });
    }
    campus.pass(30);
    for rack in [RackNo(0), RackNo(1)] {
        campus.see_rack(rack, RackShows { leaks: 1, ..WHOLE });
    }
    let counted =
        |block, seat| campus.estate.seat_meter(block, seat).expect("accepted").counted;
    assert_eq!(counted(BlockNo(0), 0), Counted::Available);
    assert_eq!(counted(joined, 1), Counted::Degraded);
    // Another box of that rack can still be given, a tray of that domain cannot.
    assert_eq!(campus.estate.unfree(campus.tray(RackNo(0), 3)), None);
    let why = campus.estate.unfree(campus.tray(RackNo(1), 9));
    assert_eq!(why, Some("its NVLink domain was not seen whole"));
    assert_eq!(campus.estate.domain_is_whole(TrayNo(0)), Some(true));
}

#[test]
fn a_tranche_is_of_one_model() {
    let mut campus = campus(&[
        ("R1", "GB300 NVL72"),
        ("R2", "GB200 NVL72"),
        ("R3", "GB200 NVL72"),
        ("A1", "HGX H100"),
    ]);
    // 3 blocks of 16 trays: two models together would have them, none alone.
    let none = place(&campus.estate, &wanted(192, 16)).expect_err("no three of one");
    assert!(matches!(none, NoRoom::TooLittle { wanted: 3, found: 2, .. }), "{none}");
    // Nothing said: the model with the most room, and why.
    let found = place(&campus.estate, &wanted(64, 16)).expect("room");
    assert_eq!(found.blocks[0].rack, RackNo(1));
    assert_eq!(
        found.reasons.last().map(String::as_str),
        Some("all of GB200 NVL72, the model with the most room for it")
    );
    // Where that one has none for it, the next.
    let found = place(&campus.estate, &wanted(8, 1)).expect("room");
    assert!(found.blocks.iter().all(|block| block.rack != RackNo(3)));
    // What is named is what it is.
    let named =
        |model: &str, gpus| Wanted { model: Some(model.into()), ..wanted(gpus, 16) };
    let found = place(&campus.estate, &named("GB300 NVL72", 64)).expect("room");
    assert_eq!(found.blocks[0].rack, RackNo(0));
    let unknown = place(&campus.estate, &named("GB301", 64)).expect_err("no such");
    assert_eq!(
        unknown.to_string(),
        "expected a model that is here (GB200 NVL72, GB300 NVL72, HGX H100), found `GB301`"
    );
    // By hand neither: nor in one reservation, nor in a later one.
    let mixed = campus.tell(operator(), reserve(&[(0, &[0]), (1, &[0])]));
    assert_eq!(
        mixed.expect_err("two models").to_string(),
        "expected blocks of one model, found GB200 NVL72 in R2"
    );
    campus.say(reserve(&[(0, &[0, 1])]));
    let later = campus.tell(operator(), reserve(&[(1, &[0, 1])]));
    assert_eq!(
        later.expect_err("another").to_string(),
        "expected GB300 NVL72, as the tranche has, found GB200 NVL72 in R2"
    );
    let found = place(&campus.estate, &wanted(16, 4)).expect("room");
    assert_eq!(found.blocks[0].rack, RackNo(0));
    assert_eq!(
        found.reasons.last().map(String::as_str),
        Some("all of GB300 NVL72, as the tranche's other blocks are")
    );
    let other = place(&campus.estate, &named("GB200 NVL72", 64)).expect_err("another");
    assert!(matches!(other, NoRoom::OtherModel { .. }), "{other}");
    // Another tranche is another matter.
    campus.reserve("red", "H2", RackNo(1), 0..2);
}

#[test]
fn nothing_is_taken_on_in_a_broken_domain() {
    let mut campus = campus(&[("R1", "GB300 NVL72")]);
    let block = campus.reserve("red", "H1", RackNo(0), 0..4);
    campus.pass(5);
    campus.see_rack(RackNo(0), RackShows { switches: 0x1fe, shelves: 0xff, leaks: 2 });
    let accept = || Body::Accept { block, evidence: evidence() };
    let red = Actor::Tenant("red".to_owned());
    let why = "expected a whole NVLink domain, found R1.t00: its NVLink domain is not \
               whole: 1 of 9 switch trays down, a leak";
    let refused = campus.tell(red, accept()).expect_err("it is broken");
    assert_eq!(refused.to_string(), why);
    let refused = campus.tell(operator(), Body::HandOver { block }).expect_err("broken");
    assert_eq!(refused.to_string(), why);
    // Health and reason of a seat are of its domain, too.
    let list = index(&campus.estate, Some("red"));
    assert!(list.iter().all(|seat| !seat.healthy));
    assert_eq!(
        list[0].reason,
        "accepted, and its NVLink domain is not whole: 1 of 9 switch trays down, a leak"
    );
    assert_eq!(campus.notices, ["R1: 8 of 9 switch trays work, a detector finds a leak"]);
    campus.pass(5);
    campus.see_rack(RackNo(0), WHOLE);
    campus.say(accept());
    campus.say(Body::HandOver { block });
    assert!(index(&campus.estate, None).iter().all(|seat| seat.healthy));
}

#[test]
fn a_record_is_folded_by_the_rules_of_when_it_was_made() {
    let mut campus = campus(&[("A1", "HGX H100"), ("R1", "GB300 NVL72")]);
    // As it was allowed once: four boxes, two models, taken on while it leaked.
    let mut estate = campus.estate.clone();
    let mut tell = |by, body| {
        let event = engine::capacity::Event { at: campus.at, by, body };
        let strict = estate.clone().fold(&event);
        estate.refold(&event).expect("it was taken in");
        strict.is_err()
    };
    assert!(tell(operator(), reserve(&[(0, &[0, 1, 2, 3]), (1, &[0])])));
    campus.pass(5);
    let mut leaks = campus.estate.clone();
    campus.see_rack(RackNo(1), RackShows { leaks: 1, ..WHOLE });
    let seen = campus.events.last().expect("a look").clone();
    estate.refold(&seen).expect("taken in");
    leaks.refold(&seen).expect("taken in");
    let (block, at) = (BlockNo(1), campus.at);
    let body = Body::Accept { block, evidence: evidence() };
    let accepted = engine::capacity::Event { at, by: operator(), body };
    estate.clone().fold(&accepted).expect_err("not any more");
    estate.refold(&accepted).expect("it was taken in");
    assert!(estate.block(block).expect("a block").accepted.is_some());
    // What is not there is not there in a record either.
    leaks.refold(&accepted).expect_err("no such block");
}
