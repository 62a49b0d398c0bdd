//! What is wrong with racks and with what tenants have of them, as alarms.
//!
//! Of one rack there is one alarm of a kind, and of one tenant one: however many trays
//! are struck, a person is woken once.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Urgency;
use super::what::Words;
use crate::capacity::meter::Counted;
use crate::capacity::{BlockNo, Estate, Phase, RackNo};

/// What is wrong with a rack, or with what a tenant has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OfRacks {
    /// Water is where it should not be.
    Leak {
        /// The rack.
        rack: String,
        /// Detectors that found it.
        detectors: u32,
        /// GPUs of the rack that tenants have.
        gpus: u32,
    },
    /// Switch trays are down, so that the rack is no whole NVLink domain.
    DomainLost {
        /// The rack.
        rack: String,
        /// Switch trays that are down.
        down: u32,
        /// Of how many.
        of: u32,
        /// GPUs of the rack that tenants have.
        gpus: u32,
    },
    /// Fewer power shelves work than carry the rack at full load.
    ShelvesDown {
        /// The rack.
        rack: String,
        /// Power shelves that work.
        up: u32,
        /// Of how many.
        of: u32,
        /// How many it needs.
        needed: u32,
        /// GPUs of the rack that tenants have.
        gpus: u32,
    },
    /// A tenant has less than it was given: accepted seats are down, unknown or degraded.
    SeatsLost {
        /// The tenant.
        tenant: String,
        /// GPUs of its seats that are.
        gpus: u32,
        /// Those of them of which nobody knows.
        unknown: u32,
        /// GPUs of all its accepted seats.
        of: u32,
        /// The first seat of them.
        first: String,
        /// What that counts as.
        counted: Counted,
    },
}

/// All that is wrong with racks and with what tenants have, as the estate stands.
pub(crate) fn all(estate: &Estate) -> Vec<OfRacks> {
    let racks = (0..).map(RackNo).take(estate.racks().len());
    let mut wrong: Vec<OfRacks> = racks.flat_map(|rack| of_rack(estate, rack)).collect();
    wrong.extend(of_tenants(estate));
    wrong
}

fn of_rack(estate: &Estate, number: RackNo) -> Vec<OfRacks> {
    let (rack, shape) = (estate.rack(number), estate.shape_of(number));
    let Some((_, shows)) = rack.shows else { return Vec::new() };
    let (down, up) = (shape.switches_down(&shows), shape.shelves_up(&shows));
    let needed = u32::from(shape.shelves_needed());
    if down == 0 && up >= needed && shows.leaks == 0 {
        return Vec::new();
    }
    let trays = || rack.tray_numbers().map(|tray| estate.tray(tray));
    if trays().all(|tray| tray.phase == Phase::Retired) {
        return Vec::new();
    }
    let seats = trays().filter(|tray| tray.seat.is_some()).count();
    let gpus = u32::try_from(seats).unwrap_or(0) * u32::from(shape.gpus_per_tray);
    let name = || rack.name.clone();
    let mut wrong = Vec::new();
    if shows.leaks != 0 {
        let detectors = shows.leaks.count_ones();
        wrong.push(OfRacks::Leak { rack: name(), detectors, gpus });
    }
    if down > 0 {
        let of = u32::from(shape.switch_trays);
        wrong.push(OfRacks::DomainLost { rack: name(), down, of, gpus });
    }
    if up < needed {
        let of = u32::from(shape.power_shelves);
        wrong.push(OfRacks::ShelvesDown { rack: name(), up, of, needed, gpus });
    }
    wrong
}

fn of_tenants(estate: &Estate) -> Vec<OfRacks> {
    let mut has: BTreeMap<&str, u32> = BTreeMap::new();
    let mut lost: BTreeMap<&str, (u32, u32, String, Counted)> = BTreeMap::new();
    for (number, block) in (0..).map(BlockNo).zip(estate.blocks()) {
        if !block.is_live() || block.accepted.is_none() {
            continue;
        }
        let gpus = u32::from(estate.shape_of(block.rack).gpus_per_tray);
        for seat in 0..block.seats.len() {
            let Some(meter) = estate.seat_meter(number, seat) else { continue };
            *has.entry(&block.tenant).or_default() += gpus;
            let unknown = match meter.counted {
                Counted::Available | Counted::CustomerCaused | Counted::Planned => {
                    continue;
                }
                Counted::Unknown => gpus,
                Counted::Degraded | Counted::Down => 0,
            };
            let first = || (0, 0, estate.seat_name(number, seat), meter.counted);
            let sums = lost.entry(&block.tenant).or_insert_with(first);
            sums.0 += gpus;
            sums.1 += unknown;
        }
    }
    let lost = lost.into_iter();
    lost.map(|(tenant, (gpus, unknown, first, counted))| {
        let of = has.get(tenant).copied().unwrap_or(gpus);
        OfRacks::SeatsLost {
            tenant: tenant.to_owned(),
            gpus,
            unknown,
            of,
            first,
            counted,
        }
    })
    .collect()
}

impl OfRacks {
    /// What it is about: the kind, and the rack or the tenant.
    pub(super) fn about(&self) -> (u8, &str) {
        match self {
            Self::Leak { rack, .. } => (0, rack),
            Self::DomainLost { rack, .. } => (1, rack),
            Self::ShelvesDown { rack, .. } => (2, rack),
            Self::SeatsLost { tenant, .. } => (3, tenant),
        }
    }

    pub(super) fn urgency(&self) -> Urgency {
        let critical = match self {
            // Water and power do not wait, whoever has the rack.
            Self::Leak { .. } => true,
            Self::DomainLost { gpus, .. } | Self::ShelvesDown { gpus, .. } => *gpus > 0,
            Self::SeatsLost { gpus, of, .. } => u64::from(*gpus) * 5 >= u64::from(*of),
        };
        if critical { Urgency::Critical } else { Urgency::Warning }
    }

    pub(super) fn size(&self) -> u64 {
        u64::from(match self {
            Self::Leak { detectors, .. } => *detectors,
            Self::DomainLost { down, .. } => *down,
            Self::ShelvesDown { up, needed, .. } => needed - up,
            Self::SeatsLost { gpus, .. } => *gpus,
        })
    }

    pub(super) fn words(&self) -> Words {
        let (consequence, cause, action) = match self {
            Self::Leak { rack, detectors, gpus } => (
                format!(
                    "Water may reach live parts of rack `{rack}`{}.",
                    of_tenants_gpus(*gpus)
                ),
                match detectors {
                    1 => "A leak detector of it is wet.".to_owned(),
                    detectors => format!("{detectors} leak detectors of it are wet."),
                },
                "Close its coolant valves and cut its power before anybody touches it; \
                 then look for where it comes from."
                    .to_owned(),
            ),
            Self::DomainLost { rack, down, of, gpus } => (
                match gpus {
                    0 => format!("Nobody can be given anything of rack `{rack}`."),
                    gpus => format!(
                        "{gpus} GPUs that tenants have in rack `{rack}` count as degraded: \
                         they do not reach each other at full speed."
                    ),
                },
                match down {
                    1 => format!("One of its {of} switch trays is down."),
                    down => format!("{down} of its {of} switch trays are down."),
                },
                "Look at the switch trays, their power and their cables; announce an \
                 emergency window where tenants have to make way."
                    .to_owned(),
            ),
            Self::ShelvesDown { rack, up, of, needed, gpus } => (
                format!(
                    "Rack `{rack}` may lose its power under load{}.",
                    of_tenants_gpus(*gpus)
                ),
                match up {
                    1 => format!("One of its {of} power shelves works; it needs {needed}."),
                    up => {
                        format!("{up} of its {of} power shelves work; it needs {needed}.")
                    }
                },
                "Look at the breakers and at the feeds of its shelves; cap its power until \
                 they are back."
                    .to_owned(),
            ),
            Self::SeatsLost { tenant, gpus, unknown, of, first, counted } => (
                format!(
                    "`{tenant}` does not have {gpus} of its {of} GPUs as they were accepted."
                ),
                format!(
                    "{first} counts as {}{}.",
                    counted.name(),
                    match unknown {
                        0 => String::new(),
                        unknown => format!("; of {unknown} GPUs nobody knows anything"),
                    }
                ),
                "See its open incidents; give it spares for what fails, and look whether \
                 the controllers answer where nothing is known."
                    .to_owned(),
            ),
        };
        Words { consequence, cause, action }
    }
}

fn of_tenants_gpus(gpus: u32) -> String {
    match gpus {
        0 => String::new(),
        gpus => format!(", and {gpus} GPUs that tenants have are in it"),
    }
}
