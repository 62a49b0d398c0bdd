//! An estate from the dock to the statement.

mod arrivals;
mod dates;
mod domains;
mod estate;
mod heard;
mod metering;
mod money;
mod placing;
mod woken;
mod works;

use std::collections::BTreeMap;

use engine::capacity::{
    Actor, Asked, BlockNo, Body, Command, Estate, Event, NewFact, Output, Phase, Place,
    Power, RackNo, RackShows, Refused, Reported, Shape, Shows, Sweep, TrancheOf, TrayNo,
};
use settle::contract::Hash;
use units::{Seconds, Timestamp};

/// A campus with machines that do what they are told when they are looked at.
pub(crate) struct Campus {
    pub(crate) estate: Estate,
    pub(crate) at: Timestamp,
    pub(crate) shows: BTreeMap<TrayNo, Shows>,
    /// What each machine was ordered, and does at the next look.
    pub(crate) pending: BTreeMap<TrayNo, (Command, u32)>,
    pub(crate) facts: Vec<NewFact>,
    pub(crate) notices: Vec<String>,
    /// What was taken in, in order.
    pub(crate) events: Vec<Event>,
    /// Machines that do not answer.
    pub(crate) silent: Vec<TrayNo>,
}

pub(crate) fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("an instant")
}

pub(crate) fn tranche(id: &str) -> TrancheOf {
    TrancheOf { contract: "CAP".to_owned(), tranche: id.to_owned() }
}

pub(crate) fn operator() -> Actor {
    Actor::Operator("ada".to_owned())
}

pub(crate) fn evidence() -> Hash {
    Hash::of(b"a bundle")
}

impl Campus {
    pub(crate) fn new(start: &str) -> Self {
        Self {
            estate: Estate::default(),
            at: at(start),
            shows: BTreeMap::new(),
            pending: BTreeMap::new(),
            facts: Vec::new(),
            notices: Vec::new(),
            events: Vec::new(),
            silent: Vec::new(),
        }
    }

    /// Tells the estate something now; what follows is carried out.
    pub(crate) fn tell(&mut self, by: Actor, body: Body) -> Result<(), Refused> {
        let event = Event { at: self.at, by, body };
        let before = self.estate.clone();
        let outputs = match self.estate.fold(&event) {
            Ok(outputs) => outputs,
            Err(refused) => {
                assert_eq!(self.estate, before, "a refused event changes nothing");
                return Err(refused);
            }
        };
        self.events.push(event);
        for output in outputs {
            match output {
                Output::Order { tray, command, generation } => {
                    self.pending.insert(tray, (command, generation));
                }
                Output::Fact(fact) => self.facts.push(fact),
                Output::Notice { text, .. } => self.notices.push(text),
                Output::Moved { .. } | Output::Told { .. } => {}
            }
        }
        Ok(())
    }

    pub(crate) fn say(&mut self, body: Body) {
        if let Err(refused) = self.tell(operator(), body) {
            panic!("at {}: {refused}", self.at);
        }
    }

    pub(crate) fn pass(&mut self, seconds: i64) {
        self.at = self.at + Seconds::from_seconds(seconds);
    }

    pub(crate) fn until(&mut self, text: &str) {
        assert!(self.at <= at(text), "time runs on");
        self.at = at(text);
    }

    /// A generation that is not known without being told: four trays of eight GPUs, which
    /// a switch tray joins into one domain.
    pub(crate) fn small_shape() -> Shape {
        Shape {
            name: "small NVL".to_owned(),
            trays: 4,
            gpus_per_tray: 8,
            switch_trays: 1,
            power_shelves: 2,
            leak_detectors: 1,
        }
    }

    /// Orders a rack, brings it in and puts it up.
    pub(crate) fn put_up(&mut self, name: &str, shape: &str) -> RackNo {
        if shape == "small NVL" && self.estate.racks().is_empty() {
            self.say(Body::Shape(Self::small_shape()));
        }
        self.say(Body::Rack {
            name: name.to_owned(),
            shape: shape.to_owned(),
            hall: "north".to_owned(),
            due: None,
            meant_for: None,
        });
        let rack = self.estate.rack_named(name).expect("ordered");
        let trays = self.estate.rack(rack).trays;
        let serials = (0..trays).map(|slot| format!("{name}-{slot}")).collect();
        self.say(Body::Received { rack, serials });
        self.say(Body::Installed { rack });
        for tray in self.estate.rack(rack).tray_numbers() {
            self.shows.insert(tray, self.well(tray));
        }
        rack
    }

    /// A healthy machine with the slot's serial number.
    pub(crate) fn well(&self, tray: TrayNo) -> Shows {
        let found = self.estate.tray(tray);
        Shows {
            power: Power::On,
            health: Reported::Ok,
            gpus: self.estate.shape_of(found.rack).all_gpus(),
            wiped: 0,
            image: 0,
            started: None,
            cap_w: None,
            serial: Some(found.serial.clone()),
        }
    }

    /// Looks at every machine, after each did what it was told.
    pub(crate) fn look(&mut self) {
        for (tray, (command, generation)) in std::mem::take(&mut self.pending) {
            let shows = self.shows.get_mut(&tray).expect("a machine");
            match command {
                Command::PowerOn => shows.power = Power::On,
                Command::Wipe => shows.wiped = generation,
                Command::HandOver => shows.image = generation,
                Command::PowerCycle => shows.started = Some(self.at),
            }
        }
        self.look_only();
    }

    /// Looks at every machine as it is.
    pub(crate) fn look_only(&mut self) {
        let changed: Vec<(TrayNo, Shows)> = self
            .shows
            .iter()
            .filter(|(tray, _)| !self.silent.contains(tray))
            .map(|(tray, shows)| (*tray, shows.clone()))
            .collect();
        let rack = RackShows { switches: 0x1ff, shelves: 0xff, leaks: 0 };
        let racks = (0..self.estate.racks().len())
            .filter(|place| self.estate.racks()[*place].shows.is_none())
            .map(|place| (RackNo(place as u32), rack))
            .collect();
        let silent = self.silent.clone();
        let sweep = Sweep { at: self.at, of: Asked::All, changed, silent, racks };
        if let Err(refused) = self.tell(Actor::Site, Body::Sweep(sweep)) {
            panic!("{refused}");
        }
    }

    /// Shows the estate one machine changed, now.
    pub(crate) fn see(&mut self, tray: TrayNo, change: impl FnOnce(&mut Shows)) {
        let shows = self.shows.get_mut(&tray).expect("a machine");
        change(shows);
        let changed = vec![(tray, shows.clone())];
        let sweep = Sweep {
            at: self.at,
            of: Asked::Told,
            changed,
            silent: Vec::new(),
            racks: Vec::new(),
        };
        if let Err(refused) = self.tell(Actor::Site, Body::Sweep(sweep)) {
            panic!("{refused}");
        }
    }

    /// Shows the estate what one rack shows beside its trays, now.
    pub(crate) fn see_rack(&mut self, rack: RackNo, shows: RackShows) {
        let sweep = Sweep {
            at: self.at,
            of: Asked::Told,
            changed: Vec::new(),
            silent: Vec::new(),
            racks: vec![(rack, shows)],
        };
        if let Err(refused) = self.tell(Actor::Site, Body::Sweep(sweep)) {
            panic!("{refused}");
        }
    }

    /// Takes every tray of a rack that stands up to where it is accepted.
    pub(crate) fn burn_in(&mut self, rack: RackNo) {
        for _ in 0..3 {
            self.pass(60);
            self.look();
        }
        self.pass(60);
        let trays = self.estate.rack(rack).trays;
        let slots = (1_u64 << trays) - 1;
        self.say(Body::Tested { rack, slots, passed: slots, evidence: evidence() });
        self.pass(60);
        self.look();
        for tray in self.estate.rack(rack).tray_numbers() {
            assert_eq!(self.estate.tray(tray).phase, Phase::Accepted);
        }
    }

    /// Promises a tenant the first trays of a rack, and accepts them.
    pub(crate) fn deliver(
        &mut self,
        tenant: &str,
        id: &str,
        rack: RackNo,
        slots: std::ops::Range<u8>,
    ) -> BlockNo {
        let block = self.reserve(tenant, id, rack, slots);
        self.say(Body::Accept { block, evidence: evidence() });
        block
    }

    pub(crate) fn reserve(
        &mut self,
        tenant: &str,
        id: &str,
        rack: RackNo,
        slots: std::ops::Range<u8>,
    ) -> BlockNo {
        let block = BlockNo(self.estate.blocks().len() as u32);
        self.say(Body::Reserve {
            tenant: tenant.to_owned(),
            tranche: tranche(id),
            blocks: vec![Place { rack, slots: slots.collect() }],
            spares: Vec::new(),
            within: None,
        });
        block
    }

    pub(crate) fn tray(&self, rack: RackNo, slot: u32) -> TrayNo {
        TrayNo(self.estate.rack(rack).first.0 + slot)
    }

    /// The facts as a record.
    pub(crate) fn record(&self) -> String {
        let lines = self.facts.iter().enumerate();
        lines.map(|(place, fact)| fact.line(place as u64 + 1, "east")).collect()
    }
}
