//! A tranche that is delivered while one watches: two racks from the dock to a tenant,
//! and a machine of theirs that fails and is replaced. A third is free for whoever tries
//! to reserve it.
//!
//! People and the tenant say what they would say; the machines are a simulated hall's,
//! and do as they are told in their own time.

use std::time::Duration;

use engine::capacity::place::{Sparing, Wanted, place};
use engine::capacity::{Actor, BlockNo, Body, Estate, Phase, RackNo, TrancheOf, TrayNo};

/// Who has the tranche.
pub const TENANT: &str = "aurora";

/// The racks that come.
const RACKS: [&str; 3] = ["D1", "D2", "D3"];

/// Trays of each block; the others of its domain are kept as spares.
const TRAYS_PER_BLOCK: u8 = 16;

/// GPUs that are reserved: a block of each rack.
const GPUS: u32 = 128;

/// What comes next, and not before its time by the wall from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Arrive,
    Test,
    Reserve,
    HandOver,
    Serve,
    Fail,
    Replace,
    Restore,
    Over,
}

/// A delivery under way.
#[derive(Debug)]
pub struct Delivery {
    step: Step,
}

/// What is said of racks now, and what the terminal says of it.
#[derive(Debug)]
pub struct Said {
    /// Who says what.
    pub events: Vec<(Actor, Body)>,
    /// The words.
    pub words: &'static str,
}

impl Default for Delivery {
    fn default() -> Self {
        Self { step: Step::Arrive }
    }
}

impl Delivery {
    /// What comes next, once its time has come and the racks have come so far.
    pub fn next(&mut self, estate: Option<&Estate>, since: Duration) -> Option<Said> {
        let (after, next) = match self.step {
            Step::Arrive => (3, Step::Test),
            Step::Test => (15, Step::Reserve),
            Step::Reserve => (25, Step::HandOver),
            Step::HandOver => (32, Step::Serve),
            Step::Serve => (32, Step::Fail),
            Step::Fail => (75, Step::Replace),
            Step::Replace => (80, Step::Restore),
            Step::Restore => (80, Step::Over),
            Step::Over => return None,
        };
        if since < Duration::from_secs(after) {
            return None;
        }
        let said = match (self.step, estate) {
            (Step::Arrive, _) => arrive(),
            (_, None) => return None,
            (Step::Test, Some(estate)) => test(estate)?,
            (Step::Reserve, Some(estate)) => reserve(estate)?,
            (Step::HandOver, Some(estate)) => hand_over(estate)?,
            (Step::Serve, Some(estate)) => serves(estate)?,
            (Step::Fail, Some(estate)) => fail(estate)?,
            (Step::Replace, Some(estate)) => replace(estate)?,
            (Step::Restore, Some(estate)) => restored(estate)?,
            (Step::Over, Some(_)) => return None,
        };
        self.step = next;
        Some(said)
    }
}

/// What machines that are not there are accepted on.
const NO_TESTS: &str = "a demonstration: nothing was ever tested";

fn crew() -> Actor {
    Actor::Operator("crew".to_owned())
}

fn tenant() -> Actor {
    Actor::Tenant(TENANT.to_owned())
}

fn tranche() -> TrancheOf {
    TrancheOf { contract: "AURORA".to_owned(), tranche: "H1".to_owned() }
}

fn arrive() -> Said {
    let mut events = Vec::new();
    for (number, name) in (0..).zip(RACKS) {
        let rack = RackNo(number);
        events.push(Body::Rack {
            name: name.to_owned(),
            shape: "GB300 NVL72".to_owned(),
            hall: "hall-1".to_owned(),
            due: None,
            meant_for: (name != "D3").then(tranche),
        });
        let serials = (0..18).map(|slot| format!("DEMO-{name}-{slot:02}")).collect();
        events.push(Body::Received { rack, serials });
        events.push(Body::Installed { rack });
    }
    Said {
        events: events.into_iter().map(|body| (crew(), body)).collect(),
        words: "Three GB300 racks arrive and are put up, two meant for aurora's tranche H1.",
    }
}

/// How many trays are in a phase.
fn count(estate: &Estate, phase: Phase) -> usize {
    estate.trays().iter().filter(|tray| tray.phase == phase).count()
}

fn test(estate: &Estate) -> Option<Said> {
    if count(estate, Phase::BurnIn) < estate.trays().len() {
        return None;
    }
    let slots = (1 << 18) - 1;
    let tested = (0..).take(RACKS.len()).map(|number| {
        let (rack, why) = (RackNo(number), NO_TESTS.to_owned());
        (crew(), Body::TestedByHand { rack, slots, passed: slots, why })
    });
    Some(Said {
        events: tested.collect(),
        words: "Every tray was found, has power and is healthy; all pass their tests.",
    })
}

fn reserve(estate: &Estate) -> Option<Said> {
    let wanted = Wanted {
        model: None,
        gpus: GPUS,
        trays_per_block: TRAYS_PER_BLOCK,
        tranche: Some(tranche()),
        spares: Sparing::default(),
    };
    let found = place(estate, &wanted).ok()?;
    let (blocks, spares) = (found.blocks, found.spares);
    let tenant_of = TENANT.to_owned();
    let body = Body::Reserve {
        tenant: tenant_of,
        tranche: tranche(),
        blocks,
        spares,
        within: None,
    };
    Some(Said {
        events: vec![(tenant(), body)],
        words: "aurora reserves 128 GPUs: 16 trays of each NVLink domain, spares beside them.",
    })
}

/// The blocks of the tranche; whoever tries the other one may have some too.
fn blocks(estate: &Estate) -> Vec<BlockNo> {
    let all = (0..).map(BlockNo).zip(estate.blocks());
    let of_it = all.filter(|(_, block)| block.is_live() && block.tranche == tranche());
    of_it.map(|(number, _)| number).collect()
}

fn hand_over(estate: &Estate) -> Option<Said> {
    let blocks = blocks(estate);
    if blocks.is_empty() {
        return None;
    }
    let mut events = Vec::new();
    for block in blocks {
        let why = NO_TESTS.to_owned();
        events.push((tenant(), Body::AcceptByHand { block, why }));
        events.push((crew(), Body::HandOver { block }));
    }
    Some(Said { events, words: "aurora accepts both blocks; they are handed over." })
}

/// How many machines of the tranche serve.
fn serving(estate: &Estate) -> usize {
    let seats = blocks(estate).into_iter().filter_map(|block| estate.block(block));
    let trays = seats.flat_map(|block| block.seats.iter().copied().flatten());
    trays.filter(|tray| estate.tray(*tray).phase == Phase::InService).count()
}

fn serves(estate: &Estate) -> Option<Said> {
    (serving(estate) == 32).then(|| Said {
        events: Vec::new(),
        words: "128 of the tranche's 144 GPUs are in service, and every second counts.",
    })
}

/// The machine that fails.
fn fails(estate: &Estate) -> Option<TrayNo> {
    let first = *blocks(estate).first()?;
    estate.block(first)?.seats.get(4).copied().flatten()
}

fn fail(estate: &Estate) -> Option<Said> {
    let tray = fails(estate)?;
    let fault = "a GPU fell off the bus".to_owned();
    Some(Said {
        events: vec![(tenant(), Body::ReturnTray { tray, fault })],
        words: "aurora gives a machine back: a GPU fell off the bus. Its seat is down.",
    })
}

fn replace(estate: &Estate) -> Option<Said> {
    let out = fails(estate)?;
    let of_rack = estate.rack(estate.tray(out).rack).tray_numbers();
    let mut free = of_rack.filter(|tray| estate.unfree(*tray).is_none());
    let into = free.next()?;
    Some(Said {
        events: vec![(crew(), Body::Substitute { out, into })],
        words: "A spare of the same domain takes the seat over.",
    })
}

fn restored(estate: &Estate) -> Option<Said> {
    (serving(estate) == 32).then(|| Said {
        events: Vec::new(),
        words: "128 GPUs are in service again; the incident is on the record.",
    })
}

#[cfg(test)]
mod tests {
    use engine::capacity::{Event, Output};
    use sim::hall::Hall;
    use units::{Seconds, Timestamp};

    use super::*;

    #[test]
    fn the_tranche_is_delivered_within_two_minutes_of_a_demonstration() {
        let start = Timestamp::parse("2025-07-04T16:00Z").expect("a time");
        let (mut estate, mut hall) = (Estate::default(), Hall::default());
        let mut delivery = Delivery::default();
        let mut words = Vec::new();
        for second in 0..120_u32 {
            // Ten seconds of the campus in one of the wall, and a look in each.
            let at = start + Seconds::from_seconds(i64::from(second) * 10);
            let mut orders = Vec::new();
            let mut tell = |estate: &mut Estate, by, body| {
                let outputs = estate.fold(&Event { at, by, body }).expect("it may be");
                for output in outputs {
                    if let Output::Order { tray, command, generation } = output {
                        orders.push((tray, command, generation));
                    }
                }
            };
            let since = Duration::from_secs(second.into());
            if let Some(said) = delivery.next(Some(&estate), since) {
                words.push((second, said.words));
                for (by, body) in said.events {
                    tell(&mut estate, by, body);
                }
            }
            if let Some(sweep) = hall.look(&estate, at) {
                tell(&mut estate, Actor::Site, Body::Sweep(sweep));
            }
            for order in orders {
                hall.order(&estate, order, at);
            }
        }
        assert_eq!(delivery.step, Step::Over, "{words:?}");
        assert_eq!(words.len(), 8);
        assert_eq!(estate.incidents().len(), 1);
        assert!(estate.incidents()[0].closed.is_some());
        assert!(words.iter().all(|(second, _)| *second < 100), "{words:?}");
        assert_eq!(estate.blocks().iter().filter(|one| one.tenant == TENANT).count(), 2);
    }
}
