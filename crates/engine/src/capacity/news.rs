//! What a tenant is to hear of: what happened to its own, and nothing of anybody else's.
//!
//! News follow from an event and what came of it, as the estate stands right after. They
//! change nothing and no fact rests on them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use units::{Interval, Timestamp};

use super::asset::BlockNo;
use super::meter::{Counted, Says};
use super::phase::Phase;
use super::{Actor, Body, Class, Estate, Event, Output, TrayNo, Window};

/// Something a tenant is to hear of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum News {
    /// A block came to this.
    Block {
        /// Which.
        block: BlockNo,
        /// To what.
        is: BlockIs,
    },
    /// The machine of a seat went to another phase, or another took its place.
    Seat {
        /// The seat's name.
        seat: String,
        /// The slot of the machine that is in it.
        slot: String,
        /// The serial number of that machine.
        serial: String,
        /// Where it is.
        phase: Phase,
    },
    /// Seats count as something else.
    Counted {
        /// Their names.
        seats: Vec<String>,
        /// As what.
        counted: Counted,
        /// Since when.
        since: Timestamp,
        /// The incident, window or request it refers to.
        reference: Option<String>,
    },
    /// Announced work.
    Window {
        /// Its name.
        id: String,
        /// When.
        during: Interval,
        /// The tenant's seats that are worked on.
        seats: Vec<String>,
        /// Whether it could not wait.
        emergency: bool,
        /// Whether it is done.
        done: bool,
    },
    /// Power is held lower for a time, as the contract allows.
    Flex {
        /// Its name.
        id: String,
        /// When.
        during: Interval,
    },
    /// An incident was found to be something.
    Incident {
        /// Its name.
        id: String,
        /// What it was.
        class: Class,
    },
    /// Announced work is called off.
    Cancelled {
        /// Its name.
        id: String,
        /// The tenant's seats that were to be worked on.
        seats: Vec<String>,
    },
}

/// What became of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockIs {
    /// It is promised.
    Reserved,
    /// Its seconds are counted.
    Accepted,
    /// It was given to its tenant.
    HandedOver,
    /// It was given back, or taken back.
    Returned,
}

/// What tenants hear of an event that was taken in, and of what came of it.
pub(super) fn news(estate: &Estate, event: &Event, outputs: &[Output]) -> Vec<Output> {
    let mut told = Told::default();
    told.of_event(estate, event);
    for output in outputs {
        match output {
            Output::Moved { tray, .. } => told.seat(estate, *tray),
            Output::Fact(fact) => {
                if let Says::State { units, counted, reference, .. } = &fact.says {
                    let mut seats: BTreeMap<&str, Vec<String>> = BTreeMap::new();
                    for unit in units {
                        if let Some((block, _)) = estate.seat_named(unit) {
                            let tenant = &estate.blocks()[block.place()].tenant;
                            seats.entry(tenant).or_default().push(unit.clone());
                        }
                    }
                    for (tenant, seats) in seats {
                        let (counted, reference) = (*counted, reference.clone());
                        let since = fact.valid_from;
                        told.tell(
                            tenant,
                            News::Counted { seats, counted, since, reference },
                        );
                    }
                }
            }
            Output::Order { .. } | Output::Notice { .. } | Output::Told { .. } => {}
        }
    }
    told.0
}

#[derive(Default)]
struct Told(Vec<Output>);

impl Told {
    fn tell(&mut self, tenant: &str, news: News) {
        self.0.push(Output::Told { tenant: tenant.to_owned(), news });
    }

    fn block(&mut self, estate: &Estate, block: BlockNo, is: BlockIs) {
        if let Some(found) = estate.block(block) {
            self.tell(&found.tenant, News::Block { block, is });
        }
    }

    fn seat(&mut self, estate: &Estate, number: TrayNo) {
        let tray = estate.tray(number);
        let Some((block, seat)) = tray.seat else { return };
        let news = News::Seat {
            seat: estate.seat_name(block, usize::from(seat)),
            slot: estate.slot_name(number),
            serial: tray.serial.clone(),
            phase: tray.phase,
        };
        self.tell(&estate.blocks()[block.place()].tenant, news);
    }

    fn window(&mut self, estate: &Estate, id: &str) {
        let Some(window) = estate.windows().iter().find(|window| window.id == id) else {
            return;
        };
        for (tenant, seats) in by_tenant(estate, window.seats.iter().copied()) {
            self.tell(tenant, is_window(window, seats));
        }
    }

    fn cancelled(&mut self, estate: &Estate, id: &str) {
        let Some(window) = estate.windows().iter().find(|window| window.id == id) else {
            return;
        };
        for (tenant, seats) in by_tenant(estate, window.seats.iter().copied()) {
            self.tell(tenant, News::Cancelled { id: id.to_owned(), seats });
        }
    }

    /// Whoever is given machines hears what work is announced for them.
    fn work_to_come(&mut self, estate: &Estate, trays: impl Iterator<Item = TrayNo>) {
        let mut seats: BTreeMap<u32, Vec<(BlockNo, u8)>> = BTreeMap::new();
        for tray in trays.map(|tray| estate.tray(tray)) {
            for window in &tray.windows {
                seats.entry(*window).or_default().extend(tray.seat);
            }
        }
        for (window, seats) in seats {
            let window = &estate.windows()[window as usize];
            for (tenant, seats) in by_tenant(estate, seats.into_iter()) {
                self.tell(tenant, is_window(window, seats));
            }
        }
    }

    fn of_event(&mut self, estate: &Estate, event: &Event) {
        match &event.body {
            Body::Reserve { blocks, .. } => {
                let count = estate.blocks().len();
                for place in count - blocks.len()..count {
                    let block = BlockNo(super::estate::number(place));
                    self.block(estate, block, BlockIs::Reserved);
                    let seats = estate.blocks()[block.place()].seats.iter();
                    self.work_to_come(estate, seats.copied().flatten());
                }
            }
            Body::Accept { block, .. } | Body::AcceptByHand { block, .. } => {
                self.block(estate, *block, BlockIs::Accepted);
            }
            Body::HandOver { block } => {
                self.block(estate, *block, BlockIs::HandedOver);
            }
            Body::Return { block, .. } => self.block(estate, *block, BlockIs::Returned),
            Body::Substitute { into, .. } => {
                self.seat(estate, *into);
                self.work_to_come(estate, [*into].into_iter());
            }
            Body::Announce { id, .. }
            | Body::AnnounceUntold { id, .. }
            | Body::Defer { id, .. }
            | Body::Done { id } => self.window(estate, id),
            Body::Cancel { id, .. } => self.cancelled(estate, id),
            Body::Flex { id, tranche, during } => {
                let live = estate.blocks().iter().filter(|block| block.is_live());
                let tenants: BTreeSet<&str> = live
                    .filter(|block| block.tranche == *tranche)
                    .map(|block| block.tenant.as_str())
                    .collect();
                for tenant in tenants {
                    self.tell(tenant, News::Flex { id: id.clone(), during: *during });
                }
            }
            Body::Classify { incident, class, .. } => {
                let found = estate.incidents().iter().find(|known| known.id == *incident);
                if let Some(found) = found {
                    let news = News::Incident { id: incident.clone(), class: *class };
                    self.tell(&found.tenant, news);
                }
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
            | Body::ReturnTray { .. }
            | Body::PowerCycle { .. }
            | Body::Cordon { .. }
            | Body::Uncordon { .. }
            | Body::Pull { .. }
            | Body::Repaired { .. }
            | Body::Retire { .. }
            | Body::Retry { .. }
            | Body::Release { .. }
            | Body::Wake => {}
        }
    }
}

/// The names of seats by whose they are.
fn by_tenant(
    estate: &Estate,
    seats: impl Iterator<Item = (BlockNo, u8)>,
) -> BTreeMap<&str, Vec<String>> {
    let mut names: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (block, seat) in seats {
        let tenant = &estate.blocks()[block.place()].tenant;
        let name = estate.seat_name(block, usize::from(seat));
        names.entry(tenant).or_default().push(name);
    }
    names
}

fn is_window(window: &Window, seats: Vec<String>) -> News {
    News::Window {
        id: window.id.clone(),
        during: window.during,
        seats,
        emergency: window.emergency,
        done: window.done.is_some(),
    }
}

/// Whether somebody is the tenant that an incident or a window concerns.
pub fn concerns(estate: &Estate, seats: &[(BlockNo, u8)], who: &Actor) -> bool {
    match who {
        Actor::Tenant(name) => {
            seats.iter().any(|(block, _)| estate.blocks()[block.place()].tenant == *name)
        }
        Actor::Operator(_) | Actor::Site => true,
    }
}
