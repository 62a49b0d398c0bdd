//! The machines that are really there, whatever anybody believes.
//!
//! A machine belongs to its serial number, not to its slot. It carries out the
//! newest order it was given, when it can, and refuses older ones.

use std::collections::BTreeMap;

use engine::capacity::{Command, Power, RackNo, RackShows, Reported, Shows, TrayNo};
use units::Timestamp;

use crate::seed::Generator;

/// One machine.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) shows: Shows,
    /// Whether its controller answers.
    pub(super) answers: bool,
    /// Whether it carries out orders.
    pub(super) obeys: bool,
    /// The newest order, not carried out yet.
    pending: Option<(Command, u32)>,
    /// The newest order's number, in whatever slot.
    newest: u32,
}

/// Every machine and where it is.
#[derive(Clone, Debug)]
pub(super) struct Machines {
    draws: Generator,
    pub(super) by_serial: BTreeMap<String, Machine>,
    /// What is in each slot.
    pub(super) slots: BTreeMap<TrayNo, String>,
    pub(super) racks: BTreeMap<RackNo, RackShows>,
    made: u32,
}

impl Machines {
    pub(super) fn new(draws: Generator) -> Self {
        Self {
            draws,
            by_serial: BTreeMap::new(),
            slots: BTreeMap::new(),
            racks: BTreeMap::new(),
            made: 0,
        }
    }

    /// A machine fresh from the factory; its serial number.
    pub(super) fn make(&mut self, gpus: u8) -> String {
        self.made += 1;
        let serial = format!("S{:05}", self.made);
        let machine = Machine {
            shows: Shows {
                power: if self.draws.chance(100_000) { Power::Off } else { Power::On },
                health: Reported::Ok,
                gpus,
                wiped: 0,
                image: 0,
                started: None,
                cap_w: None,
                serial: Some(serial.clone()),
            },
            answers: true,
            obeys: true,
            pending: None,
            newest: 0,
        };
        self.by_serial.insert(serial.clone(), machine);
        serial
    }

    pub(super) fn in_slot(&mut self, tray: TrayNo) -> Option<&mut Machine> {
        self.by_serial.get_mut(self.slots.get(&tray)?)
    }

    /// Puts a machine into a slot; one that was there is on the shelf now.
    pub(super) fn put(&mut self, tray: TrayNo, serial: &str) {
        self.slots.insert(tray, serial.to_owned());
        if let Some(machine) = self.by_serial.get_mut(serial) {
            machine.pending = None;
        }
    }

    pub(super) fn order(&mut self, tray: TrayNo, command: Command, generation: u32) {
        if let Some(machine) = self.in_slot(tray)
            && generation > machine.newest
        {
            machine.newest = generation;
            machine.pending = Some((command, generation));
        }
    }

    /// Lets machines do what they were told, or some of it.
    pub(super) fn work(&mut self, at: Timestamp, reluctant: bool) {
        for serial in self.slots.values() {
            let machine = self.by_serial.get_mut(serial).expect("made");
            let does = machine.obeys && !(reluctant && self.draws.chance(300_000));
            let Some((command, generation)) = machine.pending.filter(|_| does) else {
                continue;
            };
            machine.pending = None;
            match command {
                Command::PowerOn => machine.shows.power = Power::On,
                Command::Wipe => machine.shows.wiped = generation,
                Command::HandOver => machine.shows.image = generation,
                Command::PowerCycle => {
                    machine.shows.power = Power::On;
                    machine.shows.started = Some(at);
                }
            }
        }
    }

    /// Something happens to one machine; what.
    pub(super) fn befall(&mut self, tray: TrayNo, gpus: u8) -> Option<&'static str> {
        let kind = self.draws.below(9);
        let gpu = 1_u8 << self.draws.below(u64::from(gpus.count_ones()));
        let machine = self.in_slot(tray)?;
        Some(match kind {
            0 => {
                machine.shows.power = Power::Off;
                "power lost"
            }
            1 => {
                machine.shows.health = Reported::Critical;
                "critical health"
            }
            2 => {
                machine.shows.health = Reported::Warning;
                "health warning"
            }
            3 => {
                machine.shows.gpus &= !gpu;
                "GPU lost"
            }
            4 => {
                machine.answers = false;
                "controller silent"
            }
            5 => {
                machine.obeys = false;
                "orders ignored"
            }
            6 => {
                machine.shows.cap_w = Some(700);
                "power capped"
            }
            _ => {
                self.mend(tray, gpus);
                "recovered by itself"
            }
        })
    }

    /// A machine is as it should be again; what is on it stays.
    pub(super) fn mend(&mut self, tray: TrayNo, gpus: u8) {
        if let Some(machine) = self.in_slot(tray) {
            machine.shows.power = Power::On;
            machine.shows.health = Reported::Ok;
            machine.shows.gpus = gpus;
            machine.shows.cap_w = None;
            machine.answers = true;
            machine.obeys = true;
        }
    }
}
