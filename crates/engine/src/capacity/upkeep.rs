//! Break-fix records and announced work.
//!
//! An incident has what BFX02 of NVIDIA's Requirements for AI Clouds asks for: a
//! stable name, when it opened, was updated and closed, the fault, the machines and
//! when they were handed over. A window of work is announced ahead (OFM01); work
//! that is not done and looked over by its end counts against the site from then on.

use std::collections::BTreeSet;

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
    /// The seats that they had when it was announced, or got since.
    pub seats: Vec<(BlockNo, u8)>,
    /// When each of them was told.
    pub since: Vec<Timestamp>,
    /// When.
    pub during: Interval,
    /// When it was announced; being put off does not change it.
    pub announced: Timestamp,
    /// Whether it could not wait.
    pub emergency: bool,
    /// What is done, in the site's own words.
    pub why: String,
    /// What tenants are told is done, where they are told more than that work is.
    pub told: Option<String>,
    /// When it was done and looked over, or called off.
    pub done: Option<Timestamp>,
    /// Whether it was called off before it began.
    pub cancelled: bool,
}

impl Window {
    /// What tenants are told is done; none of it is the site's own words.
    pub fn for_tenants(&self) -> &str {
        match (&self.told, self.emergency) {
            (Some(told), _) => told,
            (None, false) => "planned work",
            (None, true) => "work that could not wait",
        }
    }

    /// The name of the notice that was given of it at an instant: its own when it was
    /// announced, and one apart to whoever got a machine of it later, because whether
    /// that was in time is another question.
    pub(super) fn notice(&self, since: Timestamp) -> String {
        match since == self.announced {
            true => self.id.clone(),
            false => format!("{}+{}", self.id, since.as_unix_seconds()),
        }
    }

    /// The name of the notice that a seat was given of it.
    pub(super) fn notice_of(&self, seat: (BlockNo, u8)) -> String {
        let mut all = self.seats.iter().zip(&self.since);
        let since = all.find(|(known, _)| **known == seat).map(|(_, since)| *since);
        self.notice(since.unwrap_or(self.announced))
    }

    /// Its name and when it is, for whoever is refused because of it.
    fn named(&self) -> String {
        format!("`{}` ({})", self.id, self.during)
    }

    /// Whether it is at the same time as another interval.
    fn meets(&self, other: Interval) -> bool {
        self.during.start < other.end && other.start < self.during.end
    }
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

    /// The window that a tray is being worked on in, whether its time is over or not: of
    /// several the one whose time it is, what was announced ahead before what could not
    /// wait. What is only announced keeps nobody from a machine.
    pub fn worked_on(&self, tray: TrayNo, at: Timestamp) -> Option<&Window> {
        let open = self.tray(tray).windows.iter();
        let begun = open
            .map(|place| &self.windows[*place as usize])
            .filter(|window| window.during.start <= at);
        begun.min_by_key(|window| (window.during.end <= at, window.emergency))
    }

    /// The next window that a tray is to be worked on in, from an instant on.
    pub fn next_work(&self, tray: TrayNo, at: Timestamp) -> Option<&Window> {
        let open = self.tray(tray).windows.iter();
        let to_come = open
            .map(|place| &self.windows[*place as usize])
            .filter(|window| window.during.start > at);
        to_come.min_by_key(|window| window.during.start)
    }

    /// Another window of a tray at the time of an interval, named.
    pub(super) fn other_work(
        &self,
        tray: TrayNo,
        but: Option<usize>,
        during: Interval,
        emergency: bool,
    ) -> Option<String> {
        let open = self.tray(tray).windows.iter().map(|place| *place as usize);
        let others = open.filter(|place| Some(*place) != but);
        let mut others = others.map(|place| &self.windows[place]);
        // What cannot wait does not wait for what was announced.
        let meets =
            |other: &&Window| (other.emergency || !emergency) && other.meets(during);
        let other = others.find(meets)?;
        Some(format!("{} in {}", self.slot_name(tray), other.named()))
    }

    /// Whoever gets a machine that work is announced for is of those it is announced to,
    /// from now on.
    pub(super) fn seat_in_windows(&mut self, tray: TrayNo, led: &mut Led) {
        let Some(seat) = self.tray(tray).seat else { return };
        for place in self.trays[tray.place()].windows.clone() {
            let window = &mut self.windows[place as usize];
            if !window.seats.contains(&seat) {
                window.seats.push(seat);
                window.since.push(self.known);
                let (notice, during) = (window.notice(self.known), window.during);
                self.tell_notice(&notice, during, led);
            }
        }
    }

    /// The names of the notices that a tenant was given of work on its machines.
    pub fn notices_of(&self, tenant: &str) -> BTreeSet<String> {
        let mut given = BTreeSet::new();
        for window in &self.windows {
            for ((block, _), since) in window.seats.iter().zip(&window.since) {
                if self.blocks[block.place()].tenant == tenant {
                    given.insert(window.notice(*since));
                }
            }
        }
        given
    }

    /// Takes in what is about windows and incidents.
    pub(super) fn keep_up(&mut self, event: &Event, led: &mut Led) {
        let at = event.at;
        match &event.body {
            Body::Announce { id, trays, window, emergency, why, .. }
            | Body::AnnounceUntold { id, trays, window, emergency, why } => {
                let mut told = None;
                if let Body::Announce { told: for_tenants, .. } = &event.body {
                    told.clone_from(for_tenants);
                }
                let window = Window {
                    id: id.clone(),
                    trays: trays.clone(),
                    seats: Vec::new(),
                    since: Vec::new(),
                    during: *window,
                    announced: at,
                    emergency: *emergency,
                    why: why.clone(),
                    told,
                    done: None,
                    cancelled: false,
                };
                self.announce(window, led);
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
                let found = &self.windows[place as usize];
                let mut notices: BTreeSet<String> =
                    found.since.iter().map(|since| found.notice(*since)).collect();
                notices.insert(id.clone());
                for notice in notices {
                    self.tell_notice(&notice, *window, led);
                }
            }
            Body::Done { id } => {
                let place = self.window_named(id).expect("checked");
                self.end_window(place, led);
            }
            Body::Cancel { id, .. } => {
                let place = self.window_named(id).expect("checked");
                self.windows[place].cancelled = true;
                self.end_window(place, led);
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

    fn announce(&mut self, mut window: Window, led: &mut Led) {
        let place = number(self.windows.len());
        let (during, trays) = (window.during, window.trays.clone());
        let seats = trays.iter().filter_map(|tray| self.tray(*tray).seat);
        window.seats = seats.collect();
        window.since = vec![self.known; window.seats.len()];
        for tray in trays {
            self.trays[tray.place()].windows.push(place);
        }
        self.set_timers(place, during);
        self.tell_notice(&window.id, during, led);
        self.windows.push(window);
        self.count_window(place, self.known, led);
    }

    /// Work is over, or never begins.
    fn end_window(&mut self, place: usize, led: &mut Led) {
        let (number, at) = (number(place), self.known);
        let found = &mut self.windows[place];
        found.done = Some(at);
        let (trays, during) = (found.trays.clone(), found.during);
        for edge in [during.start, during.end] {
            self.timers.remove(&(edge, Timer::Window(number)));
        }
        for tray in trays {
            self.trays[tray.place()].windows.retain(|open| *open != number);
            self.count(tray, at, led);
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
