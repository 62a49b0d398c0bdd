//! What a full campus costs: 1,056 racks, 19,008 trays, 76,032 GPUs.
//!
//! `cargo run --release -p sim --example capacity_speed` prints how long it takes
//! to fold in a sweep of every tray (all told, a hundredth, one, all gone dark), to
//! place 512 GPUs, and to start from a snapshot and from every event. The machine's
//! clock is read here, in an example, and never in the engine.
#![expect(clippy::print_stdout, reason = "an example prints what it measured")]
#![expect(clippy::disallowed_methods, reason = "how long it takes is what it measures")]
#![expect(clippy::disallowed_types, reason = "how long it takes is what it measures")]

use std::time::Instant;

use engine::capacity::place::{Sparing, Wanted, place};
use engine::capacity::{
    Actor, Asked, BlockNo, Body, Command, Estate, Event, Output, Phase, Place, Power,
    RackNo, RackShows, Reported, Shows, Sweep, TrancheOf, TrayNo,
};
use settle::contract::Hash;
use units::{Seconds, Timestamp};

const RACKS: u32 = 1_056;
const TRAYS: u8 = 18;

struct Campus {
    estate: Estate,
    at: Timestamp,
    events: Vec<Event>,
    shows: Vec<Shows>,
}

impl Campus {
    fn tell(&mut self, by: Actor, body: Body) {
        let event = Event { at: self.at, by, body };
        let outputs = self.estate.fold(&event).expect("taken in");
        self.events.push(event);
        for output in outputs {
            if let Output::Order { tray, command, generation } = output {
                let shows = &mut self.shows[tray.0 as usize];
                match command {
                    Command::HandOver => shows.image = generation,
                    Command::Wipe => shows.wiped = generation,
                    Command::PowerOn | Command::PowerCycle => {}
                }
            }
        }
    }

    fn say(&mut self, body: Body) {
        self.tell(Actor::Operator("ada".to_owned()), body);
    }

    /// A sweep in which every `nth` tray is told as changed.
    fn sweep(&self, nth: usize) -> Sweep {
        let told = self.shows.iter().enumerate().step_by(nth);
        let changed: Vec<(TrayNo, Shows)> =
            told.map(|(place, shows)| (TrayNo(place as u32), shows.clone())).collect();
        Sweep { at: self.at, of: Asked::All, changed, silent: vec![], racks: vec![] }
    }

    fn look(&mut self) {
        self.at = self.at + Seconds::from_seconds(60);
        let mut sweep = self.sweep(1);
        let whole = RackShows { switches: 0x1ff, shelves: 0xff, leaks: 0 };
        sweep.racks = (0..RACKS).map(|rack| (RackNo(rack), whole)).collect();
        self.tell(Actor::Site, Body::Sweep(sweep));
    }

    /// Every rack accepted, three quarters of them in service in blocks of sixteen.
    fn built() -> Self {
        let mut campus = Self {
            estate: Estate::default(),
            at: Timestamp::parse("2026-05-01").expect("a date"),
            events: Vec::new(),
            shows: Vec::new(),
        };
        for rack in 0..RACKS {
            let name = format!("R{rack:04}");
            let slots = 0..TRAYS;
            let serials: Vec<String> =
                slots.map(|slot| format!("{name}-{slot}")).collect();
            campus.shows.extend(serials.iter().map(|serial| Shows {
                power: Power::On,
                health: Reported::Ok,
                gpus: 0b1111,
                wiped: 0,
                image: 0,
                started: None,
                cap_w: None,
                serial: Some(serial.clone()),
            }));
            campus.say(Body::Rack {
                name,
                shape: "GB300 NVL72".to_owned(),
                hall: format!("hall {}", rack / 132),
                due: None,
                meant_for: None,
            });
            campus.say(Body::Received { rack: RackNo(rack), serials });
            campus.say(Body::Installed { rack: RackNo(rack) });
        }
        for _ in 0..3 {
            campus.look();
        }
        let (all, evidence) = ((1 << TRAYS) - 1, Hash::of(b"bundle"));
        for rack in (0..RACKS).map(RackNo) {
            campus.say(Body::Tested { rack, slots: all, passed: all, evidence });
        }
        for rack in 0..RACKS * 3 / 4 {
            campus.say(Body::Reserve {
                tenant: format!("tenant {}", rack % 4),
                tranche: TrancheOf {
                    contract: "CAP".to_owned(),
                    tranche: "H1".to_owned(),
                },
                blocks: vec![Place { rack: RackNo(rack), slots: (0..16).collect() }],
                spares: vec![],
                within: None,
            });
            campus.say(Body::Accept { block: BlockNo(rack), evidence });
            campus.say(Body::HandOver { block: BlockNo(rack) });
        }
        campus.look();
        campus
    }
}

fn timed<T>(what: &str, times: u32, mut run: impl FnMut() -> T) -> T {
    let (mut best, mut total, mut last) = (u128::MAX, 0, None);
    for _ in 0..times {
        let start = Instant::now();
        let made = run();
        let took = start.elapsed().as_micros();
        last = Some(made);
        best = best.min(took);
        total += took;
    }
    let mean = total / u128::from(times);
    println!("{what:58} {best:>9} us best, {mean:>9} us mean of {times}");
    last.expect("run at least once")
}

fn main() {
    let mut campus = Campus::built();
    let trays = campus.estate.trays();
    let in_service = trays.iter().filter(|tray| tray.phase == Phase::InService).count();
    println!("{} trays, {in_service} of them in service", trays.len());
    for (what, nth) in [
        ("fold a sweep in which every tray is told", 1),
        ("fold a sweep in which a hundredth is", 100),
        ("fold a sweep in which one is", usize::MAX),
    ] {
        let mut estate = campus.estate.clone();
        let mut at = campus.at;
        let sweeps: Vec<Event> = (0..20)
            .map(|_| {
                at = at + Seconds::from_seconds(30);
                let sweep = Sweep { at, ..campus.sweep(nth) };
                Event { at, by: Actor::Site, body: Body::Sweep(sweep) }
            })
            .collect();
        let mut events = sweeps.iter();
        timed(what, 20, || {
            let event = events.next().expect("one for each time");
            estate.fold(event).expect("taken in").len()
        });
    }
    let wanted = Wanted {
        gpus: 512,
        trays_per_block: 16,
        tranche: None,
        spares: Sparing::default(),
    };
    let found = timed("place 512 GPUs in blocks of 16 trays", 100, || {
        place(&campus.estate, &wanted).expect("room")
    });
    println!("  in {} blocks, {} spares kept", found.blocks.len(), found.spares.len());
    let snapshot = postcard::to_stdvec(&campus.estate).expect("a snapshot");
    println!("a snapshot has {} bytes", snapshot.len());
    let again: Estate = timed("start from a snapshot", 5, || {
        postcard::from_bytes(&snapshot).expect("the same snapshot")
    });
    assert!(again == campus.estate, "a snapshot is the estate");
    let folded = timed("start by folding every event since the first rack", 3, || {
        let mut estate = Estate::default();
        for event in &campus.events {
            estate.fold(event).expect("taken in before");
        }
        estate
    });
    println!("  which are {} events", campus.events.len());
    assert!(folded == campus.estate, "folding the record gives the same estate");
    // The worst: the campus loses power between two sweeps, and every seat changes.
    for shows in &mut campus.shows {
        shows.power = Power::Off;
    }
    let at = campus.at + Seconds::from_seconds(30);
    let sweep = Sweep { at, ..campus.sweep(1) };
    let dark = Event { at, by: Actor::Site, body: Body::Sweep(sweep) };
    let mut estates: Vec<Estate> = (0..5).map(|_| campus.estate.clone()).collect();
    timed("fold a sweep in which the whole campus is dark", 5, || {
        let mut estate = estates.pop().expect("one for each time");
        estate.fold(&dark).expect("taken in").len()
    });
}
