//! What a person is woken for, of racks and of what tenants have of them.

use super::{Campus, at};
use engine::alarm::{Alarm, AlarmChange, OfRacks, Urgency, What};
use engine::capacity::{Body, Event, Power, RackNo, RackShows};
use engine::{Engine, Input, Output};
use units::{Seconds, Timestamp};

use crate::world;

const WHOLE: RackShows = RackShows { switches: 0x1ff, shelves: 0xff, leaks: 0 };

struct Watched {
    campus: Campus,
    engine: Engine,
    told: Vec<String>,
}

impl Watched {
    /// Two racks, and a tenant with twelve trays of the first.
    fn new() -> Self {
        let mut campus = Campus::new("2026-05-01");
        let racks = ["R1", "R2"].map(|name| campus.put_up(name, "GB300 NVL72"));
        for rack in racks {
            campus.burn_in(rack);
        }
        let block = campus.deliver("red", "H1", racks[0], 0..12);
        campus.say(Body::HandOver { block });
        campus.pass(60);
        campus.look();
        let engine = Engine::live(world::site(), at("2026-05-01"));
        let mut watched = Self { campus, engine, told: Vec::new() };
        watched.tell();
        assert!(watched.stands().is_empty());
        watched
    }

    /// Tells the engine what the campus took in.
    fn tell(&mut self) {
        for event in std::mem::take(&mut self.campus.events) {
            let at = event.at;
            self.step(at, engine::Event::Estate(Box::<Event>::new(event)));
        }
    }

    fn step(&mut self, at: Timestamp, event: engine::Event) {
        for output in self.engine.step(&Input { at, event }) {
            if let Output::Alarm(change) = output
                && change.is_told()
                && let AlarmChange::Raised { what, .. } | AlarmChange::Grew { what, .. } =
                    change
                && let What::OfRacks(_) = what
            {
                self.told.push(what.consequence());
            }
        }
    }

    fn rack(&mut self, rack: u32, shows: RackShows) {
        self.campus.pass(5);
        self.campus.see_rack(RackNo(rack), shows);
        self.tell();
    }

    /// Time passes, with a look a minute.
    fn pass(&mut self, minutes: i64) {
        for _ in 0..minutes {
            self.campus.pass(60);
            self.campus.look();
            self.tell();
            self.step(self.campus.at, engine::Event::Wake);
        }
    }

    fn stands(&self) -> Vec<&Alarm> {
        let all = self.engine.alarms().standing().into_iter();
        all.filter(|one| matches!(one.what, What::OfRacks(_))).collect()
    }
}

#[test]
fn a_leak_wakes_somebody_at_once_and_is_over_when_it_is() {
    let mut site = Watched::new();
    site.rack(0, RackShows { leaks: 1, ..WHOLE });
    assert_eq!(
        site.told,
        [
            "Water may reach live parts of rack `R1`, and 48 GPUs that tenants have are in it."
        ]
    );
    let stands = site.stands();
    assert_eq!((stands.len(), stands[0].urgency), (1, Urgency::Critical));
    assert!(stands[0].body().contains("A leak detector of it is wet. Close its"));
    // The tenant's seats that count as degraded are one more, once that lasts.
    site.pass(3);
    assert_eq!(site.told.len(), 2, "{:?}", site.told);
    assert_eq!(
        site.told[1],
        "`red` does not have 48 of its 48 GPUs as they were accepted."
    );
    site.rack(0, WHOLE);
    site.pass(3);
    assert!(site.stands().is_empty(), "{:?}", site.stands());
    assert_eq!(site.told.len(), 2);
}

#[test]
fn a_lost_domain_and_too_few_shelves_are_one_alarm_a_rack_each() {
    let mut site = Watched::new();
    site.rack(0, RackShows { switches: 0x1fe, shelves: 0x07, leaks: 0 });
    site.rack(1, RackShows { switches: 0, shelves: 0x0f, leaks: 0 });
    let said = |site: &Watched| {
        let lines = site.stands().into_iter();
        lines.map(|one| format!("{} {}", one.urgency, one.headline())).collect::<Vec<_>>()
    };
    assert_eq!(
        said(&site),
        [
            "critical 48 GPUs that tenants have in rack `R1` count as degraded: they do not \
             reach each other at full speed.",
            "critical Rack `R1` may lose its power under load, and 48 GPUs that tenants have \
             are in it.",
            // Four shelves of eight carry it, and nobody has anything of it.
            "warning Nobody can be given anything of rack `R2`.",
        ]
    );
    assert!(
        site.stands()[1].body().contains("3 of its 8 power shelves work; it needs 4.")
    );
    // More of the same is no new alarm; twice as much is told once more.
    site.rack(0, RackShows { switches: 0x1fc, shelves: 0x07, leaks: 0 });
    assert_eq!(site.stands().len(), 3);
    assert_eq!(site.told.len(), 4);
    // Up and down again within a minute tells nobody anything.
    site.rack(0, WHOLE);
    site.rack(0, RackShows { switches: 0x1fe, ..WHOLE });
    assert_eq!(site.told.len(), 4);
}

#[test]
fn a_tenant_that_has_less_than_it_was_given_is_one_alarm() {
    let mut site = Watched::new();
    let tray = site.campus.tray(RackNo(0), 3);
    site.campus.shows.get_mut(&tray).expect("a machine").power = Power::Off;
    site.pass(1);
    // A machine that restarts is back before anybody is woken.
    assert!(site.told.is_empty());
    site.pass(2);
    assert_eq!(
        site.told,
        ["`red` does not have 4 of its 48 GPUs as they were accepted."]
    );
    assert_eq!(site.stands()[0].urgency, Urgency::Warning);
    let what = &site.stands()[0].what;
    let What::OfRacks(OfRacks::SeatsLost { tenant, first, .. }) = what else {
        panic!("expected the tenant's seats, found {what:?}");
    };
    assert_eq!((tenant.as_str(), first.as_str()), ("red", "H1/R1/b0.03"));
    // A fifth of what it has is not for tomorrow.
    for slot in [4, 5] {
        let tray = site.campus.tray(RackNo(0), slot);
        site.campus.shows.get_mut(&tray).expect("a machine").power = Power::Off;
    }
    site.pass(1);
    assert_eq!(site.stands()[0].urgency, Urgency::Critical);
    assert_eq!(site.told.len(), 2);
    // Nobody looks any more: what is not known counts too, and says so.
    site.campus.pass(400);
    site.step(site.campus.at, engine::Event::Wake);
    site.step(site.campus.at + Seconds::minutes(3), engine::Event::Wake);
    assert!(site.stands()[0].body().contains("of 48 GPUs nobody knows anything"));
}

#[test]
fn a_snapshot_knows_what_is_wrong() {
    let mut site = Watched::new();
    site.rack(0, RackShows { leaks: 1, ..WHOLE });
    let bytes = postcard::to_stdvec(&site.engine).expect("a state");
    let mut again: Engine = postcard::from_bytes(&bytes).expect("a snapshot");
    let at = site.campus.at + Seconds::from_seconds(1);
    let outputs = again.step(&Input { at, event: engine::Event::Wake });
    let gone =
        |output: &Output| matches!(output, Output::Alarm(AlarmChange::Gone { .. }));
    assert!(!outputs.iter().any(gone), "{outputs:?}");
}
