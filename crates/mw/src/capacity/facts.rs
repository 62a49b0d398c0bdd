//! The facts of an estate as a file, a tenant's part of them, and counting them again.
//!
//! [`recount()`] knows nothing of the estate: it reads the lines that were exported and
//! adds up seconds, so that a tenant gets the figures from the file alone.

use std::collections::{BTreeMap, BTreeSet};

use engine::capacity::meter::Says;
use engine::capacity::{BlockNo, Estate, NewFact};
use settle::facts::{Body, Facts, Size, State};
use units::Timestamp;

/// The facts that concern one tenant, or all of them; no other tenant's name or seat
/// is in the former.
pub fn of_tenant(
    estate: &Estate,
    facts: &[NewFact],
    tenant: Option<&str>,
) -> Vec<NewFact> {
    let Some(tenant) = tenant else { return facts.to_vec() };
    let mut own = BTreeSet::new();
    for (place, block) in estate.blocks().iter().enumerate() {
        if block.tenant == tenant {
            let number = BlockNo(u32::try_from(place).expect("few blocks"));
            own.extend((0..block.seats.len()).map(|seat| estate.seat_name(number, seat)));
        }
    }
    let incidents: BTreeSet<&str> = estate
        .incidents()
        .iter()
        .filter(|incident| incident.tenant == tenant)
        .map(|incident| incident.id.as_str())
        .collect();
    let windows: BTreeSet<&str> = facts
        .iter()
        .filter_map(|fact| {
            let Says::State { units, reference, .. } = &fact.says else { return None };
            let theirs = units.iter().any(|unit| own.contains(unit));
            reference.as_deref().filter(|_| theirs)
        })
        .collect();
    let mut kept = Vec::new();
    for fact in facts {
        let mut fact = fact.clone();
        let theirs = match &mut fact.says {
            Says::Acceptance { units, .. } => {
                units.iter().all(|(unit, ..)| own.contains(unit))
            }
            Says::State { units, .. } => {
                units.retain(|unit| own.contains(unit));
                !units.is_empty()
            }
            Says::Notice { id } => windows.contains(id.as_str()),
            Says::Flex { tranche, .. } => estate
                .blocks()
                .iter()
                .any(|block| block.tenant == tenant && block.tranche == *tranche),
            Says::Classification { incident, .. } => {
                incidents.contains(incident.as_str())
            }
        };
        if theirs {
            kept.push(fact);
        }
    }
    kept
}

/// The facts as lines of a record.
pub fn lines(facts: &[NewFact], site: &str) -> String {
    (1..).zip(facts).map(|(seq, fact)| fact.line(seq, site)).collect()
}

/// GPU-seconds of one tranche by state, as exported facts say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recount {
    /// By state, in the names of the facts.
    pub by_state: BTreeMap<&'static str, i64>,
}

impl Recount {
    /// Available GPU-seconds, and all that are neither excused nor unknown.
    pub fn availability(&self) -> (i64, i64) {
        let of = |state| self.by_state.get(state).copied().unwrap_or(0);
        let up = of("available");
        (up, up + of("degraded") + of("down"))
    }
}

/// Counts every second of every accepted unit up to an instant, from facts alone.
pub fn recount(facts: &Facts, until: Timestamp) -> BTreeMap<String, Recount> {
    let mut units: BTreeMap<&str, (&str, i64, Timestamp)> = BTreeMap::new();
    let mut states: BTreeMap<&str, BTreeMap<Timestamp, State>> = BTreeMap::new();
    for fact in facts.known_by(until) {
        if let Body::Acceptance(acceptance) = &fact.body {
            for unit in &acceptance.units {
                let gpus = match unit.size {
                    Size::Gpus(gpus) => gpus,
                    Size::Kilowatts(_) => 0,
                };
                units.insert(&unit.unit, (&acceptance.tranche, gpus, fact.valid_from));
            }
        }
        if let Body::UnitState(said) = &fact.body {
            for unit in &said.units {
                let timeline = states.entry(unit).or_default();
                say(timeline, fact.valid_from, fact.valid_to, said.state);
            }
        }
    }
    let mut counted: BTreeMap<String, Recount> = BTreeMap::new();
    for (unit, (tranche, gpus, accepted)) in units {
        let tranche = counted.entry(tranche.to_owned()).or_default();
        let mut add = |from: Timestamp, to: Timestamp, state: State| {
            let (from, to) = (from.max(accepted), to.min(until));
            if from < to {
                let seconds = (to - from).as_seconds() * gpus;
                *tranche.by_state.entry(name(state)).or_default() += seconds;
            }
        };
        let timeline = states.remove(unit).unwrap_or_default();
        let mut standing = (accepted, State::Unknown);
        for (at, state) in timeline {
            add(standing.0, at, standing.1);
            standing = (at, state);
        }
        add(standing.0, until, standing.1);
    }
    counted
}

/// Puts a state into a timeline; one with an end leaves what came after as it was.
fn say(
    timeline: &mut BTreeMap<Timestamp, State>,
    from: Timestamp,
    to: Option<Timestamp>,
    state: State,
) {
    let Some(end) = to else {
        timeline.retain(|at, _| *at < from);
        timeline.insert(from, state);
        return;
    };
    let after = timeline.range(..=end).next_back();
    let after = after.map_or(State::Unknown, |(_, state)| *state);
    timeline.retain(|at, _| *at < from || *at >= end);
    timeline.insert(from, state);
    timeline.entry(end).or_insert(after);
}

/// The name of a state in the facts.
fn name(state: State) -> &'static str {
    match state {
        State::Available => "available",
        State::Degraded => "degraded",
        State::Down => "down",
        State::Planned => "planned",
        State::Grid => "grid",
        State::ForceMajeure => "force_majeure",
        State::CustomerCaused => "customer_caused",
        State::NotAccepted => "not_accepted",
        State::Unknown => "unknown",
    }
}
