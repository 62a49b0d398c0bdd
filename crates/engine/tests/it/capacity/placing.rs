//! Where blocks go, and why.

use super::{Campus, tranche};
use engine::capacity::place::{NoRoom, Placement, Sparing, Wanted, place};
use engine::capacity::{Actor, Body, Place, Power, RackNo};

fn campus(racks: u32) -> Campus {
    let mut campus = Campus::new("2026-05-01");
    let racks: Vec<RackNo> = (1..=racks)
        .map(|rack| campus.put_up(&format!("R{rack}"), "GB300 NVL72"))
        .collect();
    for rack in racks {
        campus.burn_in(rack);
    }
    campus
}

fn wanted(gpus: u32, trays_per_block: u8) -> Wanted {
    Wanted {
        gpus,
        trays_per_block,
        model: None,
        tranche: None,
        spares: Sparing::default(),
    }
}

fn racks(found: &Placement) -> Vec<u32> {
    found.blocks.iter().map(|block| block.rack.0 + 1).collect()
}

/// Lets a tray of a rack fail so often, while a tenant has it.
fn fail(campus: &mut Campus, rack: RackNo, slot: u8, times: u32) {
    let block = campus.deliver("green", "H9", rack, slot..slot + 1);
    let tray = campus.tray(rack, u32::from(slot));
    for _ in 0..times {
        for power in [Power::Off, Power::On] {
            campus.pass(10);
            campus.see(tray, |shows| shows.power = power);
        }
    }
    campus.say(Body::Return { block, why: "done".to_owned() });
}

#[test]
fn blocks_of_sixteen_take_a_domain_each_and_keep_a_spare() {
    let campus = campus(3);
    let found = place(&campus.estate, &wanted(128, 16)).expect("room");
    assert_eq!(racks(&found), [1, 2]);
    assert!(found.blocks.iter().all(|block| block.slots.len() == 16));
    assert_eq!(found.spares.len(), 2);
    assert_eq!(
        found.reasons[0],
        "R1: 16 trays of one domain, 2 left with 1 kept as spares, 0 failures in its time"
    );
}

#[test]
fn a_domain_that_is_broken_already_is_filled_before_a_whole_one() {
    let mut campus = campus(3);
    let rack = RackNo(1);
    campus.reserve("green", "H9", rack, 0..8);
    let found = place(&campus.estate, &wanted(32, 8)).expect("room");
    assert_eq!(racks(&found), [2]);
    assert_eq!(found.blocks[0].slots, (8..16).collect::<Vec<u8>>());
}

#[test]
fn spares_stay_where_machines_fail_and_seats_go_to_those_that_do_not() {
    let mut campus = campus(2);
    fail(&mut campus, RackNo(0), 4, 3);
    campus.look();
    // R1 has earned a second spare by failing: seventeen trays fit R2 alone.
    let found = place(&campus.estate, &wanted(68, 17)).expect("room");
    assert_eq!(racks(&found), [2]);
    // Sixteen fit both; in R1 the tray that failed is one of the two that are kept.
    let found = place(&campus.estate, &wanted(128, 16)).expect("room");
    let first = found.blocks.iter().find(|block| block.rack == RackNo(0)).expect("R1");
    assert!(!first.slots.contains(&4));
    assert!(found.spares.contains(&campus.tray(RackNo(0), 4)));
    // Where nothing else is left, spares are broken into, the steadier rack first.
    let found = place(&campus.estate, &wanted(72, 18)).expect("room");
    assert_eq!(racks(&found), [2]);
    assert!(found.reasons[0].contains("out of its spares"), "{:?}", found.reasons);
}

#[test]
fn what_cannot_be_placed_says_what_stands_against_it() {
    let mut campus = campus(2);
    assert_eq!(
        place(&campus.estate, &wanted(100, 16)).expect_err("no multiple"),
        NoRoom::NotWhole { gpus: 100, per_block: 64 }
    );
    campus.reserve("green", "H9", RackNo(0), 0..18);
    let against = place(&campus.estate, &wanted(128, 16)).expect_err("one is full");
    assert_eq!(
        against.to_string(),
        "expected room for 2 blocks, found 1; racks passed over: 1 because it has a seat"
    );
}

#[test]
fn a_placement_is_taken_whole_and_its_spares_are_kept() {
    let mut campus = campus(2);
    let found = place(&campus.estate, &wanted(64, 16)).expect("room");
    campus.say(Body::Reserve {
        tenant: "red".to_owned(),
        tranche: tranche("H1"),
        blocks: found.blocks.clone(),
        spares: found.spares.clone(),
        within: None,
    });
    assert!(campus.estate.tray(found.spares[0]).spare);
    // Placing the same again is refused: nothing is given twice.
    let again = Body::Reserve {
        tenant: "blue".to_owned(),
        tranche: tranche("H2"),
        blocks: found.blocks,
        spares: vec![],
        within: None,
    };
    assert!(campus.tell(Actor::Tenant("blue".to_owned()), again).is_err());
}

#[test]
fn spares_are_kept_for_as_long_as_anybody_has_a_block_beside_them() {
    let mut campus = campus(1);
    let rack = RackNo(0);
    let spare = campus.tray(rack, 17);
    for (tenant, slots) in [("red", 0..8), ("blue", 8..16)] {
        campus.say(Body::Reserve {
            tenant: tenant.to_owned(),
            tranche: tranche(tenant),
            blocks: vec![Place { rack, slots: slots.collect() }],
            spares: if tenant == "red" { vec![spare] } else { Vec::new() },
            within: None,
        });
    }
    for (block, kept) in [(0, true), (1, false)] {
        let block = engine::capacity::BlockNo(block);
        campus.say(Body::Return { block, why: "done".to_owned() });
        assert_eq!(campus.estate.tray(spare).spare, kept);
    }
    let found = place(&campus.estate, &wanted(72, 18)).expect("all of the rack");
    assert_eq!(found.blocks[0].slots.len(), 18);
}

#[test]
fn a_tenants_list_holds_its_own_seats_and_nothing_else() {
    let mut campus = campus(1);
    campus.reserve("green", "H9", RackNo(0), 0..8);
    campus.deliver("red", "H1", RackNo(0), 8..10);
    let index = |tenant| engine::capacity::index::index(&campus.estate, tenant);
    assert_eq!(index(None).len(), 10);
    let red = index(Some("red"));
    assert_eq!(red.len(), 2);
    assert!(
        red.iter().all(|seat| seat.tenant == "red" && seat.delivered && !seat.in_use)
    );
    assert_eq!(red[0].reason, "accepted, and not handed over yet");
    assert_eq!(index(Some("green"))[0].reason, "passed its tests, and not accepted yet");
    assert!(index(Some("nobody")).is_empty());
}
