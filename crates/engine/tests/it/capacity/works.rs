//! Announced work: when it keeps anybody from a machine, what goes beside it, what of it
//! tenants read; and a slot whose machine was retired.

use super::{Campus, at, operator};
use engine::capacity::index::index;
use engine::capacity::meter::Counted;
use engine::capacity::news::News;
use engine::capacity::{
    Actor, BlockNo, Body, Kept, Output, Phase, Place, RackNo, Refused, TrayNo,
};
use units::{Interval, Seconds};

fn served() -> (Campus, BlockNo) {
    let mut campus = Campus::new("2026-05-01");
    let rack = campus.put_up("R1", "GB300 NVL72");
    campus.burn_in(rack);
    let block = campus.deliver("red", "H1", rack, 0..4);
    campus.say(Body::HandOver { block });
    campus.pass(60);
    campus.look();
    campus.facts.clear();
    (campus, block)
}

fn work(id: &str, trays: &[u32], window: Interval, emergency: bool) -> Body {
    Body::Announce {
        id: id.to_owned(),
        trays: trays.iter().map(|tray| TrayNo(*tray)).collect(),
        window,
        emergency,
        why: "the neighbour's NIC, ticket 4711".to_owned(),
        told: None,
    }
}

fn days(campus: &Campus, days: i64) -> Interval {
    Interval::starting(campus.at + Seconds::hours(24 * days), Seconds::hours(2))
}

fn refusal(refused: Result<(), Refused>) -> String {
    refused.expect_err("it may not be").to_string()
}

#[test]
fn work_that_is_only_announced_keeps_nobody_from_a_machine() {
    let (mut campus, block) = served();
    let all: Vec<u32> = (0..18).collect();
    let window = days(&campus, 90);
    campus.say(work("fw", &all, window, false));
    campus.pass(60);
    campus.look();
    campus.say(Body::Substitute { out: TrayNo(0), into: TrayNo(16) });
    campus.reserve("blue", "B1", RackNo(0), 8..10);
    // Whoever gets such a machine is one of those it is announced to.
    let own: Vec<_> = campus.estate.windows()[0].seats.clone();
    assert!(own.contains(&(block, 0)) && own.contains(&(BlockNo(1), 1)));
    let list = index(&campus.estate, Some("blue"));
    assert_eq!(list[0].reason, format!("accepted; work fw from {window}: planned work"));
    // Their notice is one apart: whether it was in time is another question.
    let at = campus.at.as_unix_seconds();
    let own = |tenant| campus.estate.notices_of(tenant).into_iter().collect::<Vec<_>>();
    assert_eq!((own("red"), own("blue")), (vec!["fw".into()], vec![format!("fw+{at}")]));
    // From its start on it does, and says which.
    campus.at = window.start;
    campus.look();
    let into = TrayNo(17);
    assert_eq!(campus.estate.unfree(into), Some("it is being worked on"));
    assert_eq!(
        refusal(campus.tell(operator(), Body::Substitute { out: TrayNo(1), into })),
        format!("expected a free tray, found it is being worked on in `fw` ({window})")
    );
    let red = Actor::Tenant("red".to_owned());
    assert_eq!(
        refusal(campus.tell(red, Body::Substitute { out: TrayNo(1), into })),
        "expected a free tray, found it is being worked on"
    );
    campus.say(Body::Done { id: "fw".to_owned() });
    assert_eq!(campus.estate.unfree(into), None);
}

#[test]
fn who_is_given_a_machine_hears_of_the_work_on_it() {
    let (mut campus, _) = served();
    let mut kept = Kept::default();
    for event in std::mem::take(&mut campus.events) {
        kept.take(&event, event.at).expect("the record holds");
    }
    let window = days(&campus, 20);
    campus.say(work("fw", &[3, 8], window, false));
    campus.reserve("blue", "B1", RackNo(0), 8..10);
    let mut heard = Vec::new();
    for event in std::mem::take(&mut campus.events) {
        for output in kept.take(&event, event.at).expect("the record holds") {
            if let Output::Told { tenant, news: News::Window { id, seats, .. } } = output
            {
                heard.push(format!("{tenant} {id} {}", seats.join(" ")));
            }
        }
    }
    assert_eq!(heard, ["red fw H1/R1/b0.03", "blue fw B1/R1/b1.00"]);
    // What has no work to come is placed first.
    let wanted = engine::capacity::place::Wanted {
        gpus: 12 * 4,
        trays_per_block: 12,
        model: None,
        tranche: None,
        spares: engine::capacity::place::Sparing {
            least: 0,
            failures_per_spare: 0,
            most: 0,
        },
    };
    let found = engine::capacity::place::place(&campus.estate, &wanted).expect("room");
    assert!(!found.blocks[0].slots.contains(&8), "{:?}", found.blocks);
}

#[test]
fn an_emergency_does_not_wait_for_what_was_announced() {
    let (mut campus, block) = served();
    let fw = days(&campus, 14);
    campus.say(work("fw", &[0, 1], fw, false));
    // In minutes, on a machine of another window; and at the time of one.
    let soon = Interval::starting(campus.at + Seconds::minutes(1), Seconds::hours(1));
    campus.say(work("leak", &[0], soon, true));
    let counted = |campus: &Campus| {
        let meter = campus.estate.seat_meter(block, 0).expect("accepted");
        (meter.counted, meter.reference.clone())
    };
    campus.at = soon.start;
    campus.look();
    assert_eq!(counted(&campus), (Counted::Planned, Some("leak".to_owned())));
    // Another emergency then is one too many, and hears which there is.
    assert_eq!(
        refusal(campus.tell(operator(), work("again", &[0], soon, true))),
        format!(
            "expected machines in no other window at that time, found R1.t00 in `leak` \
             ({soon})"
        )
    );
    campus.pass(600);
    campus.say(Body::Done { id: "leak".to_owned() });
    campus.look();
    assert_eq!(counted(&campus).0, Counted::Available);
    // The announced one is still there, and counts at its time.
    campus.at = fw.start;
    campus.look();
    assert_eq!(counted(&campus), (Counted::Planned, Some("fw".to_owned())));
    campus.at = fw.end;
    campus.look();
    assert_eq!(counted(&campus).0, Counted::Down);
    // What could wait is not announced for the time of other work.
    let later = days(&campus, 20);
    campus.say(work("pump", &[0], later, false));
    let refused = refusal(campus.tell(operator(), work("valve", &[0, 3], later, false)));
    assert!(refused.ends_with(&format!("found R1.t00 in `pump` ({later})")), "{refused}");
    let other = days(&campus, 30);
    campus.say(work("valve", &[0, 3], other, false));
    let shifted = Interval { start: other.start, end: other.end };
    let defer = Body::Defer { id: "pump".to_owned(), window: shifted };
    let refused = refusal(campus.tell(operator(), defer));
    assert!(refused.contains("`valve`"), "{refused}");
}

#[test]
fn work_that_has_not_begun_is_called_off_and_its_tenants_hear_it() {
    let (mut campus, _) = served();
    let fw = days(&campus, 14);
    campus.say(work("fw", &[0, 9], fw, false));
    let cancel = |id: &str| Body::Cancel { id: id.to_owned(), why: "no need".to_owned() };
    let red = || Actor::Tenant("red".to_owned());
    campus.tell(red(), cancel("fw")).expect_err("it is not theirs to call off");
    campus.tell(operator(), cancel("none")).expect_err("no such window");
    let mut kept = Kept::default();
    campus.say(cancel("fw"));
    let mut last = Vec::new();
    for event in &campus.events {
        last = kept.take(event, event.at).expect("the record holds");
    }
    let told = Output::Told {
        tenant: "red".to_owned(),
        news: News::Cancelled {
            id: "fw".to_owned(),
            seats: vec!["H1/R1/b0.00".to_owned()],
        },
    };
    assert_eq!(last, [told]);
    assert_eq!(
        refusal(campus.tell(operator(), cancel("fw"))),
        "expected a window to come, found `fw`, which is called off"
    );
    campus.at = fw.start;
    campus.look();
    let meter = campus.estate.seat_meter(BlockNo(0), 0).expect("accepted");
    assert_eq!(meter.counted, Counted::Available);
    assert!(campus.estate.windows()[0].cancelled);
    // What has begun is done, not called off.
    let next = days(&campus, 14);
    campus.say(work("fw2", &[0], next, false));
    campus.at = next.start;
    let refused = refusal(campus.tell(operator(), cancel("fw2")));
    assert!(refused.contains("`fw2`, which began at"), "{refused}");
    campus.say(Body::Done { id: "fw2".to_owned() });
}

#[test]
fn the_sites_words_are_not_the_tenants() {
    let (mut campus, _) = served();
    let window = Interval::starting(campus.at + Seconds::minutes(1), Seconds::hours(1));
    campus.say(work("x", &[0], window, true));
    campus.at = window.start;
    campus.look();
    let reason =
        |campus: &Campus, tenant| index(&campus.estate, tenant)[0].reason.clone();
    assert!(reason(&campus, None).ends_with(": the neighbour's NIC, ticket 4711"));
    assert!(reason(&campus, Some("red")).ends_with(": work that could not wait"));
    campus.say(Body::Done { id: "x".to_owned() });
    campus.pass(60);
    let start = campus.at + Seconds::hours(14 * 24);
    campus.say(Body::Announce {
        id: "y".to_owned(),
        trays: vec![TrayNo(0)],
        window: Interval::starting(start, Seconds::hours(1)),
        emergency: false,
        why: "ticket 4712".to_owned(),
        told: Some("new GPU firmware".to_owned()),
    });
    assert_eq!(campus.estate.windows()[1].for_tenants(), "new GPU firmware");
    // What a journal of before holds is where it was: 22nd of all that can be said.
    let before = Body::AnnounceUntold {
        id: "z".to_owned(),
        trays: vec![TrayNo(1)],
        window: days(&campus, 30),
        emergency: false,
        why: "ticket 4713".to_owned(),
    };
    let first = |body: &Body| postcard::to_stdvec(body).expect("it is written")[0];
    assert_eq!((first(&before), first(&Body::Wake)), (22, 27));
    campus.say(before);
    assert_eq!(campus.estate.windows()[2].for_tenants(), "planned work");
}

#[test]
fn another_machine_comes_into_a_retired_ones_slot() {
    let mut campus = Campus::new("2026-05-01");
    let rack = campus.put_up("R1", "GB300 NVL72");
    campus.burn_in(rack);
    let tray = campus.tray(rack, 16);
    campus.say(Body::Pull { tray, why: "dead".to_owned() });
    campus.say(Body::Retire { tray, why: "sent back".to_owned() });
    campus.shows.remove(&tray);
    campus.pass(60);
    campus.look();
    let repaired =
        |serial: Option<&str>| Body::Repaired { tray, serial: serial.map(str::to_owned) };
    assert_eq!(
        refusal(campus.tell(operator(), repaired(None))),
        "expected another machine's serial number, found none: the machine that was in it \
         is retired"
    );
    campus.say(repaired(Some("NEW-1")));
    campus.shows.insert(tray, campus.well(tray));
    for _ in 0..3 {
        campus.pass(60);
        campus.look();
    }
    assert_eq!(campus.estate.tray(tray).phase, Phase::BurnIn);
    assert_eq!(campus.estate.slot_name(tray), "R1.t16");
    let (slots, evidence) = (1 << 16, super::evidence());
    campus.pass(60);
    campus.say(Body::Tested { rack, slots, passed: slots, evidence });
    campus.look();
    let blocks = vec![Place { rack, slots: vec![16] }];
    campus.say(Body::Reserve {
        tenant: "red".to_owned(),
        tranche: super::tranche("H1"),
        blocks,
        spares: Vec::new(),
        within: None,
    });
    // An order that was called off left no slot behind.
    let mut other = Campus::new("2026-05-01");
    other.say(Body::Rack {
        name: "R9".to_owned(),
        shape: "GB300 NVL72".to_owned(),
        hall: "north".to_owned(),
        due: Some(at("2026-06-01")),
        meant_for: None,
    });
    other.say(Body::Retire { tray: TrayNo(0), why: "called off".to_owned() });
    let body = Body::Repaired { tray: TrayNo(0), serial: Some("NEW-2".to_owned()) };
    let refused = refusal(other.tell(operator(), body));
    assert!(refused.starts_with("expected a slot of a rack that is there"), "{refused}");
}
