//! A hall of GPU racks that is not there: machines that do what they are told, and
//! looks at them.
//!
//! A machine belongs to its serial number. It carries out the newest order it was
//! given, a while after, and refuses older ones. What is in which slot, the hall reads
//! off the estate: whoever works in a real one tells both.

use std::collections::BTreeMap;

use engine::capacity::{
    Asked, Command, Estate, Power, RackNo, RackShows, Reported, Shows, Sweep, TrayNo,
};
use units::{Seconds, Timestamp};

/// How long a machine takes to do what it was told.
const TAKES: Seconds = Seconds::from_seconds(20);

/// Every machine of a hall.
#[derive(Clone, Debug, Default)]
pub struct Hall {
    by_serial: BTreeMap<String, Machine>,
}

#[derive(Clone, Debug)]
struct Machine {
    shows: Shows,
    answers: bool,
    /// The newest order's number.
    newest: u32,
    /// The newest order, until it is carried out, and when that is.
    pending: Option<(Timestamp, Command, u32)>,
}

/// What befalls a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Befalls {
    /// It loses a GPU.
    GpuLost,
    /// Its controller does not answer.
    Silent,
    /// Its GPUs are held to so many watts each.
    Capped(u32),
    /// Somebody makes it as it should be.
    Mended,
}

impl Hall {
    /// A machine is told something.
    pub fn order(
        &mut self,
        estate: &Estate,
        (tray, command, generation): (TrayNo, Command, u32),
        at: Timestamp,
    ) {
        let machine = self.machine(estate, tray);
        if generation > machine.newest {
            machine.newest = generation;
            machine.pending = Some((at + TAKES, command, generation));
        }
    }

    /// Something befalls the machine in a slot.
    pub fn befall(&mut self, estate: &Estate, tray: TrayNo, befalls: Befalls) {
        let whole = estate.shape_of(estate.tray(tray).rack).all_gpus();
        let machine = self.machine(estate, tray);
        match befalls {
            Befalls::GpuLost => machine.shows.gpus = whole >> 1,
            Befalls::Silent => machine.answers = false,
            Befalls::Capped(watts) => machine.shows.cap_w = Some(watts),
            Befalls::Mended => {
                machine.answers = true;
                machine.shows.gpus = whole;
                machine.shows.cap_w = None;
            }
        }
    }

    /// Looks at every machine in a slot: what is different from the last look. Nothing
    /// where there is no machine.
    pub fn look(&mut self, estate: &Estate, at: Timestamp) -> Option<Sweep> {
        let (mut changed, mut silent) = (Vec::new(), Vec::new());
        let mut any = false;
        for (place, tray) in (0..).zip(estate.trays()) {
            if !tray.phase.is_looked_at() {
                continue;
            }
            any = true;
            let number = TrayNo(place);
            let machine = self.machine(estate, number);
            machine.work(at);
            if !machine.answers {
                silent.push(number);
            } else if tray.look.as_ref().is_none_or(|look| look.shows != machine.shows) {
                changed.push((number, machine.shows.clone()));
            }
        }
        let racks = (0..).zip(estate.racks()).filter_map(|(place, rack)| {
            let number = RackNo(place);
            let switches = (1_u32 << estate.shape_of(number).switch_trays) - 1;
            let switches = u16::try_from(switches).expect("at most 16 switch trays");
            let shows = RackShows { switches, shelves: u8::MAX, leaks: 0 };
            rack.shows.is_none_or(|(_, seen)| seen != shows).then_some((number, shows))
        });
        any.then(|| Sweep { at, of: Asked::All, changed, silent, racks: racks.collect() })
    }

    /// The machine in a slot. One that was seen before is as it was seen then.
    fn machine(&mut self, estate: &Estate, number: TrayNo) -> &mut Machine {
        let tray = estate.tray(number);
        self.by_serial.entry(tray.serial.clone()).or_insert_with(|| {
            let seen = tray.look.as_ref().map(|look| look.shows.clone());
            Machine {
                shows: seen.unwrap_or_else(|| Shows {
                    power: Power::Off,
                    health: Reported::Ok,
                    gpus: estate.shape_of(tray.rack).all_gpus(),
                    wiped: 0,
                    image: 0,
                    started: None,
                    cap_w: None,
                    serial: Some(tray.serial.clone()),
                }),
                answers: true,
                newest: 0,
                pending: None,
            }
        })
    }
}

impl Machine {
    fn work(&mut self, at: Timestamp) {
        let Some((_, command, generation)) = self.pending.filter(|(due, ..)| *due <= at)
        else {
            return;
        };
        self.pending = None;
        match command {
            Command::PowerOn => self.shows.power = Power::On,
            Command::Wipe => self.shows.wiped = generation,
            Command::HandOver => self.shows.image = generation,
            Command::PowerCycle => {
                self.shows.power = Power::On;
                self.shows.started = Some(at);
            }
        }
    }
}
