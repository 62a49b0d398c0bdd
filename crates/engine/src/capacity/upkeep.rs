//! Break-fix records and announced work.
//!
//! An incident has what BFX02 of NVIDIA's Requirements for AI Clouds asks for: a
//! stable name, when it opened, was updated and closed, the fault, the machines and
//! when they were handed over. A window of work is announced ahead (OFM01); work
//! that is not done and looked over by its end counts against the site from then on.

use serde::{Deserialize, Serialize};
use units::{Interval, Timestamp};

use super::asset::{BlockNo, RackNo, TrayNo};
use super::estate::{Estate, Led, number};
use super::meter::{Counted, NewFact, Says};
use super::{Body, Class, Event, Output, TrancheOf};

/// Something that did not work, once for all seats of a tenant's tranche that it took
/// down together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Its name, for ever.
    pub id: String,
    /// The rack.
    pub rack: RackNo,
    /// The tenant whose seats they were.
    pub tenant: String,
    /// What was wrong, in words.
    pub fault: String,
    /// Slot and serial number of each machine.
    pub machines: Vec<(String, String)>,
    /// From when.
    pub opened: Timestamp,
    /// When something about it last changed.
    pub updated: Timestamp,
    /// Until when, once no seat is part of it any more.
    pub closed: Option<Timestamp>,
    /// Seats that are part of it now.
    pub open_seats: u32,
    /// The worst that a seat counted as.
    pub worst: Counted,
    /// Seats and stretches of it in which nobody looked.
    pub unknown: Vec<(BlockNo, u8, Interval)>,
    /// What it was found to be, and by which evidence.
    pub class: Option<(Class, Option<String>)>,
    /// When the machines had been given to their tenant.
    pub handed_over: Option<Timestamp>,
}

/// Announced work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Its name, for ever.
    pub id: String,
    /// The machines.
    pub trays: Vec<TrayNo>,
    /// The seats that they had when it was announced.
    pub seats: Vec<(BlockNo, u8)>,
    /// When.
    pub during: Interval,
    /// When it was announced; being put off does not change it.
    pub announced: Timestamp,
    /// Whether it could not wait.
    pub emergency: bool,
    /// What is done, in words.
    pub why: String,
    /// When it was done and looked over.
    pub done: Option<Timestamp>,
}

/// Power that is held lower for a time, as a tranche's contract allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flex {
    /// Its name, for ever.
    pub id: String,
    /// The tranche.
    pub tranche: TrancheOf,
    /// When.
    pub during: Interval,
    /// When it was called.
    pub called: Timestamp,
}

/// Whose edge an instant is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Timer {
    /// A window's, by its place among the windows.
    Window(u32),
    /// A tray's.
    Tray(TrayNo),
}

impl Estate {
    /// The window of a name, by its place.
    pub(super) fn window_named(&self, id: &str) -> Option<usize> {
        self.windows.iter().position(|window| window.id == id)
    }

    /// Takes in what is about windows and incidents.
    pub(super) fn keep_up(&mut self, event: &Event, led: &mut Led) {
        let at = event.at;
        match &event.body {
            Body::Announce { id, trays, window, emergency, why } => {
                let place = number(self.windows.len());
                self.windows.push(Window {
                    id: id.clone(),
                    trays: trays.clone(),
                    seats: trays
                        .iter()
                        .filter_map(|tray| self.tray(*tray).seat)
                        .collect(),
                    during: *window,
                    announced: at,
                    emergency: *emergency,
                    why: why.clone(),
                    done: None,
                });
                for tray in trays {
                    self.trays[tray.place()].window = Some(place);
                }
                self.set_timers(place, *window);
                self.tell_notice(id, *window, led);
                self.count_window(place, at, led);
            }
            Body::Defer { id, window } => {
                let place = self.window_named(id).expect("checked");
                let found = &mut self.windows[place];
                let before = std::mem::replace(&mut found.during, *window);
                let place = number(place);
                for edge in [before.start, before.end] {
                    self.timers.remove(&(edge, Timer::Window(place)));
                }
                self.set_timers(place, *window);
                self.tell_notice(id, *window, led);
            }
            Body::Done { id } => {
                let place = self.window_named(id).expect("checked");
                let found = &mut self.windows[place];
                found.done = Some(at);
                let (trays, during) = (found.trays.clone(), found.during);
                for edge in [during.start, during.end] {
                    self.timers.remove(&(edge, Timer::Window(number(place))));
                }
                for tray in trays {
                    self.trays[tray.place()].window = None;
                    self.count(tray, at, led);
                }
            }
            Body::Flex { id, tranche, during } => {
                let (id, tranche, during) = (id.clone(), tranche.clone(), *during);
                led.outputs.push(Output::Fact(NewFact {
                    valid_from: during.start,
                    valid_to: Some(during.end),
                    known_at: at,
                    says: Says::Flex { id: id.clone(), tranche: tranche.clone() },
                }));
                self.flexes.push(Flex { id, tranche, during, called: at });
            }
            Body::Classify { incident, class, evidence } => {
                let mut all = self.incidents.iter();
                let place = all.position(|known| known.id == *incident).expect("checked");
                let found = &mut self.incidents[place];
                found.class = Some((*class, evidence.clone()));
                found.updated = at;
                if *class == Class::Available {
                    return self.found_available(place, led);
                }
                let found = &self.incidents[place];
                led.outputs.push(Output::Fact(NewFact {
                    valid_from: found.opened,
                    valid_to: None,
                    known_at: at,
                    says: Says::Classification {
                        incident: incident.clone(),
                        class: *class,
                        evidence: evidence.clone(),
                    },
                }));
            }
            Body::Times(_)
            | Body::Shape(_)
            | Body::Rack { .. }
            | Body::Due { .. }
            | Body::Received { .. }
            | Body::Installed { .. }
            | Body::Sweep(_)
            | Body::Tested { .. }
            | Body::TestedByHand { .. }
            | Body::Reserve { .. }
            | Body::Accept { .. }
            | Body::AcceptByHand { .. }
            | Body::HandOver { .. }
            | Body::Return { .. }
            | Body::ReturnTray { .. }
            | Body::PowerCycle { .. }
            | Body::Cordon { .. }
            | Body::Uncordon { .. }
            | Body::Substitute { .. }
            | Body::Pull { .. }
            | Body::Repaired { .. }
            | Body::Retire { .. }
            | Body::Retry { .. }
            | Body::Release { .. }
            | Body::Wake => unreachable!("only windows and incidents come here"),
        }
    }

    fn set_timers(&mut self, window: u32, during: Interval) {
        for edge in [during.start, during.end] {
            self.timers.insert((edge, Timer::Window(window)));
        }
    }

    fn count_window(&mut self, window: u32, at: Timestamp, led: &mut Led) {
        for tray in self.windows[window as usize].trays.clone() {
            self.count(tray, at, led);
        }
    }
}
