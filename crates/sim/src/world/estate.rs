//! Racks of a live site that tenants may have: which load they are, and how they came to
//! stand there.
//!
//! A drawn estate is a record like any other: racks were ordered, put up and tested
//! before the run begins, each of one tray, so that hundreds of seeds can be run. What
//! happens to them in the run is drawn while it runs, from what there is by then.

use engine::capacity::{
    Actor, Body, Estate, Event, Output, Phase, RackNo, Shape, TrayNo,
};
use engine::site::{LoadIx, LoadKind, Racks, Site, Terms};
use settle::contract::Hash;
use units::{Power, Seconds, Timestamp};

use super::site::{most, rest};
use crate::hall::Hall;
use crate::seed::Generator;

/// How long before the run the racks were put up.
const BEFORE: Seconds = Seconds::hours(1);

/// How often machines were looked at then.
const LOOKED_AT: Seconds = Seconds::minutes(1);

/// What happened to the racks of a load before the run began.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    /// The load.
    pub(crate) load: LoadIx,
    /// The record, in order.
    pub(crate) events: Vec<Event>,
}

/// Ties a load by the hour to racks of an estate, where the site has one and the draws
/// say so. Its limits leave room for all of them at full power, as a site file's do.
pub(super) fn draw(
    draws: &mut Generator,
    site: &mut Site,
    start: Timestamp,
) -> Option<Standing> {
    let by_the_hour = |load: &LoadIx| match &site.loads[*load].kind {
        LoadKind::Racks(racks) => matches!(racks.terms, Terms::Uncommitted { .. }),
        LoadKind::Rigs(_) | LoadKind::Battery(_) => false,
    };
    let load = (0..site.loads.len()).find(by_the_hour)?;
    if !draws.chance(750_000) {
        return None;
    }
    let room = most(site, load) - rest(site, load);
    make_room(site, load, room);
    let LoadKind::Racks(Racks { first_rack, terms, machines, .. }) =
        &mut site.loads[load].kind
    else {
        unreachable!("racks by the hour")
    };
    *first_rack = Some("R01".to_owned());
    if let Terms::Uncommitted { notice, .. } = terms {
        *notice = Seconds::minutes(*draws.pick(&[0, 0, 5, 20]));
    }
    // Some have not come yet.
    let missing = draws.below(3).min(u64::from(machines.count) - 1) as u32;
    let racks = machines.count - missing;
    Some(Standing { load, events: put_up(draws, racks, start) })
}

fn make_room(site: &mut Site, load: LoadIx, room: Power) {
    let above: Vec<_> = site.path(site.loads[load].feeder).collect();
    for feeder in above {
        site.feeders[feeder].limit += room;
    }
    site.interconnection.import_limit += room;
}

/// The record of racks that were ordered, put up, looked at and tested; some are still
/// to be tested.
fn put_up(draws: &mut Generator, racks: u32, start: Timestamp) -> Vec<Event> {
    let mut yard = Yard {
        at: start - BEFORE,
        estate: Estate::default(),
        hall: Hall::default(),
        events: Vec::new(),
    };
    let shape = Shape {
        name: "one tray".to_owned(),
        trays: 1,
        gpus_per_tray: 8,
        switch_trays: 0,
        power_shelves: 2,
        leak_detectors: 0,
    };
    yard.say(Body::Shape(shape));
    for number in 0..racks {
        let name = format!("R{:02}", number + 1);
        yard.say(Body::Rack {
            name: name.clone(),
            shape: "one tray".to_owned(),
            hall: "north".to_owned(),
            due: None,
            meant_for: None,
        });
        let rack = RackNo(number);
        yard.say(Body::Received { rack, serials: vec![format!("{name}-0")] });
        yard.say(Body::Installed { rack });
    }
    while yard.at < start - LOOKED_AT {
        yard.at = yard.at + LOOKED_AT;
        if let Some(sweep) = yard.hall.look(&yard.estate, yard.at) {
            yard.tell(Actor::Site, Body::Sweep(sweep));
        }
        for number in 0..racks {
            let burns_in = yard.estate.tray(TrayNo(number)).phase == Phase::BurnIn;
            if burns_in && draws.chance(100_000) {
                yard.say(tested(RackNo(number)));
            }
        }
        let accepted = |number| yard.estate.tray(TrayNo(number)).phase == Phase::Accepted;
        let left = (0..racks).filter(|number| !accepted(*number)).count();
        if left <= 1 && draws.chance(100_000) {
            break;
        }
    }
    yard.events
}

/// A rack of one tray passed its tests.
pub(crate) fn tested(rack: RackNo) -> Body {
    Body::Tested { rack, slots: 1, passed: 1, evidence: evidence() }
}

pub(crate) fn evidence() -> Hash {
    Hash::of(b"a bundle")
}

/// Where racks are put up.
struct Yard {
    at: Timestamp,
    estate: Estate,
    hall: Hall,
    events: Vec<Event>,
}

impl Yard {
    fn say(&mut self, body: Body) {
        self.tell(Actor::Operator("ada".to_owned()), body);
    }

    fn tell(&mut self, by: Actor, body: Body) {
        let event = Event { at: self.at, by, body };
        let outputs = self.estate.fold(&event).unwrap_or_else(|refused| {
            panic!("what was drawn of an estate is right: {refused}")
        });
        for output in outputs {
            if let Output::Order { tray, command, generation } = output {
                self.hall.order(&self.estate, (tray, command, generation), self.at);
            }
        }
        self.events.push(event);
    }
}
