//! Random walks through the life of a hundred racks.
//!
//! A walk draws ten thousand events from a seed: racks come, machines fail and
//! recover, tenants reserve, take, complain and give back, people repair, replace and
//! release, looks are late, missing or lie by omission, and many a request names what
//! is not the speaker's. `machines` is what is really there; `bystander` keeps
//! obvious books of its own from what was told and said, and compares. In the end the
//! faults stop, everybody does what is waited for, and everything has to come free.

mod bystander;
mod machines;
mod people;

use std::collections::BTreeMap;

use engine::capacity::{Actor, Body, Estate, Event, Output, Refused};
use units::{Seconds, Timestamp};

use crate::seed::{Generator, generator};
use bystander::Bystander;
use machines::Machines;

/// How many events a walk draws.
pub const EVENTS: u32 = 10_000;

/// Rounds in which everything has to come free once the faults have stopped.
const ROUNDS: u32 = 80;

/// What always holds of an estate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holds {
    /// No machine is in two places and no seat is counted twice.
    CountedOnce,
    /// No machine is given to anybody before its wipe was seen.
    WipedBefore,
    /// No tenant sees or moves what is another's.
    OwnAlone,
    /// Nothing is stuck for good.
    NoDeadEnd,
    /// Every second of a seat counts once, and as what was seen.
    EverySecond,
    /// Folding the record again gives the same estate.
    Folds,
    /// An order has a new number and waits for a newer look.
    NewerLook,
    /// What is promised and taken on is of one NVLink domain that is whole, that nobody
    /// works on, and of the model of its tranche.
    OneDomain,
}

impl Holds {
    /// Its name in a failure.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CountedOnce => "C1",
            Self::WipedBefore => "C2",
            Self::OwnAlone => "C3",
            Self::NoDeadEnd => "C4",
            Self::EverySecond => "C5",
            Self::Folds => "C6",
            Self::NewerLook => "C7",
            Self::OneDomain => "C8",
        }
    }
}

/// What a walk found wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The seed.
    pub seed: u64,
    /// After how many events.
    pub events: u64,
    /// When.
    pub at: Timestamp,
    /// What does not hold.
    pub holds: Holds,
    /// How it shows.
    pub text: String,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (name, text) = (self.holds.name(), &self.text);
        write!(f, "broken at {}: {name}: {text}\n  ", self.at)?;
        write!(f, "capacity seed {}, after {} events", self.seed, self.events)
    }
}

/// A walk that held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walked {
    /// Events taken in.
    pub events: u64,
    /// How often each thing happened.
    pub counts: BTreeMap<&'static str, u64>,
}

/// A walk under way.
struct Walk {
    seed: u64,
    at: Timestamp,
    estate: Estate,
    machines: Machines,
    bystander: Bystander,
    events: Vec<Event>,
    counts: BTreeMap<&'static str, u64>,
    draws: Generator,
}

/// Walks from a seed.
///
/// # Errors
///
/// [`Broken`] with the first thing that does not hold.
pub fn walk(seed: u64) -> Result<Walked, Broken> {
    let mut walk = Walk {
        seed,
        at: Timestamp::from_unix_seconds(1_780_000_000),
        estate: Estate::default(),
        machines: Machines::new(generator(seed, "machines")),
        bystander: Bystander::default(),
        events: Vec::new(),
        counts: BTreeMap::new(),
        draws: generator(seed, "walk"),
    };
    for _ in 0..EVENTS {
        walk.step()?;
    }
    walk.calm()?;
    for pair in walk.estate.incidents().windows(2) {
        let [one, other] = pair else { continue };
        let at_once = (one.rack, &one.fault, one.opened)
            == (other.rack, &other.fault, other.opened);
        if at_once && one.tenant != other.tenant {
            *walk.counts.entry("two tenants in one fault").or_default() += 1;
        }
    }
    let folded = walk.events.iter().try_fold(Estate::default(), |mut estate, event| {
        estate.fold(event).map(|_| estate)
    });
    if folded.as_ref() != Ok(&walk.estate) {
        return Err(walk.broken(Holds::Folds, "the record leads elsewhere".to_owned()));
    }
    Ok(Walked { events: walk.estate.events(), counts: walk.counts })
}

impl Walk {
    fn broken(&self, holds: Holds, text: String) -> Broken {
        let events = self.estate.events();
        Broken { seed: self.seed, events, at: self.at, holds, text }
    }

    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    fn pass(&mut self, most: i64) {
        let seconds = self.draws.integer(0..=most);
        self.at = self.at + Seconds::from_seconds(seconds);
    }

    /// Says something, and lets the bystander look at what came of it.
    fn tell(&mut self, by: Actor, body: Body) -> Result<Result<(), Refused>, Broken> {
        let event = Event { at: self.at, by, body };
        let unchanged = self.draws.chance(2_000).then(|| self.estate.clone());
        let outputs = match self.estate.fold(&event) {
            Ok(outputs) => outputs,
            Err(refused) => {
                if unchanged.is_some_and(|before| before != self.estate) {
                    let text = format!("refused and changed something: {refused}");
                    return Err(self.broken(Holds::Folds, text));
                }
                self.count("refused");
                let seen = self.bystander.refused(&event, &refused);
                seen.map_err(|(holds, text)| self.broken(holds, text))?;
                return Ok(Err(refused));
            }
        };
        for output in &outputs {
            if let Output::Order { tray, command, generation } = output {
                self.machines.order(*tray, *command, *generation);
            }
        }
        let seen = self.bystander.watch(&event, &outputs, &self.estate);
        seen.map_err(|(holds, text)| self.broken(holds, text))?;
        self.events.push(event);
        Ok(Ok(()))
    }
}
