//! What every unit of a tranche was, second by second, written as pieces of time.

use std::collections::{BTreeMap, BTreeSet};

use settle::contract::{Basis, Contract};
use settle::exact::Exact;
use settle::facts::{About, Body, Fact, State};
use settle::statement::Seconds;

use super::record::{Accepted, Record, end, is_ours, start};
use super::terms::{At, Terms};

/// What a unit is counted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    // The order is that in which the units of a block are added up, but for
    // degraded where it counts in full.
    Available,
    CustomerCaused,
    ForceMajeure,
    Grid,
    Planned,
    Flex,
    Degraded,
    Unknown,
    Down,
}

/// A stretch of time in which so many GPUs or kilowatts were of one class; `None`
/// while they are not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) from: At,
    pub(super) to: At,
    pub(super) class: Option<Class>,
    pub(super) size: i64,
}

/// Everything that is asserted about one unit.
struct Told<'r, 'f> {
    terms: &'r Terms<'r>,
    record: &'r Record<'f>,
    tranche: &'r str,
    states: Vec<&'f Fact>,
}

/// The pieces of every unit, or of every block, of a tranche up to `until`.
pub(super) fn pieces(
    terms: &Terms<'_>,
    record: &Record<'_>,
    tranche: &str,
    until: At,
) -> Vec<Vec<Piece>> {
    let Some(units) = record.accepted.get(tranche) else { return Vec::new() };
    let mut by_unit: Vec<(&Accepted, Vec<Piece>)> = Vec::new();
    for accepted in units {
        let until = until.min(accepted.until);
        if accepted.at >= until {
            continue;
        }
        let told = Told::about(terms, record, tranche, &accepted.unit);
        let excused = told.excused(accepted, until);
        by_unit.push((accepted, within_budgets(terms, excused)));
    }
    // Whether blocks count is settled month by month, so both are kept and joined.
    let mut by_domain: BTreeMap<(&str, At), Vec<Vec<Piece>>> = BTreeMap::new();
    for (accepted, pieces) in &by_unit {
        let domain = match &accepted.domain {
            Some(domain) => (domain.as_str(), 0),
            None => (accepted.unit.as_str(), accepted.at),
        };
        by_domain.entry(domain).or_default().push(pieces.clone());
    }
    let has_blocks = |at: At| block_of(terms.at(at)).is_some();
    let mut all: Vec<Vec<Piece>> = Vec::new();
    for (_, pieces) in by_unit {
        all.push(pieces.into_iter().filter(|piece| !has_blocks(piece.from)).collect());
    }
    for units in by_domain.into_values() {
        let block = as_block(terms, &units);
        all.push(block.into_iter().filter(|piece| has_blocks(piece.from)).collect());
    }
    all.into_iter().map(|one| without_short_incidents(terms, one)).collect()
}

impl<'r, 'f> Told<'r, 'f> {
    fn about(
        terms: &'r Terms<'r>,
        record: &'r Record<'f>,
        tranche: &'r str,
        unit: &str,
    ) -> Self {
        let mut states = Vec::new();
        for fact in &record.facts {
            if let Body::UnitState(said) = &fact.body
                && said.units.iter().any(|named| named == unit)
            {
                states.push(*fact);
            }
        }
        Self { terms, record, tranche, states }
    }

    /// The instants at which anything about the unit can change.
    fn edges(&self, from: At, until: At) -> Vec<At> {
        let mut edges: BTreeSet<At> = BTreeSet::from([from, until]);
        let mut add = |at: At| {
            if from < at && at < until {
                edges.insert(at);
            }
        };
        for fact in &self.states {
            add(start(fact));
            add(end(fact));
        }
        for fact in &self.record.facts {
            let matters = matches!(
                fact.body,
                Body::Notice { .. } | Body::GridInstruction { .. } | Body::Flex { .. }
            );
            if matters {
                add(start(fact));
                add(end(fact));
            }
        }
        let mut period = self.terms.period(from);
        while self.terms.month(period).1 < until {
            add(self.terms.month(period).1);
            period = period.next();
        }
        edges.into_iter().collect()
    }

    /// The unit's classes before any budget.
    fn excused(&self, accepted: &Accepted, until: At) -> Vec<Piece> {
        let edges = self.edges(accepted.at, until);
        let size = accepted.size;
        edges
            .windows(2)
            .map(|pair| Piece {
                from: pair[0],
                to: pair[1],
                class: self.class(pair[0]),
                size,
            })
            .collect()
    }

    /// The assertion that holds at an instant: of the bounded ones that cover it
    /// and the open one that began last, the one known last.
    fn assertion(&self, at: At) -> Option<&'f Fact> {
        let open = self
            .states
            .iter()
            .filter(|fact| fact.valid_to.is_none() && start(fact) <= at)
            .max_by_key(|fact| (start(fact), fact.known_at, fact.seq));
        let bounded = self.states.iter().filter(|fact| {
            fact.valid_to.is_some() && start(fact) <= at && at < end(fact)
        });
        bounded.chain(open).max_by_key(|fact| (fact.known_at, fact.seq)).copied()
    }

    /// The latest finding about an incident, and its evidence where it names some.
    fn finding(&self, incident: Option<&String>) -> Option<(State, Option<&'f String>)> {
        let incident = incident?;
        let mut found = None;
        for fact in &self.record.facts {
            if let Body::IncidentClassification { incident: named, class, reference } =
                &fact.body
                && named == incident
            {
                found = Some((*class, reference.as_ref()));
            }
        }
        found
    }

    /// What the unit is at an instant: `None` when it is not accepted.
    fn class(&self, at: At) -> Option<Class> {
        let Some(fact) = self.assertion(at) else { return Some(Class::Unknown) };
        let Body::UnitState(said) = &fact.body else {
            unreachable!("only unit states were gathered")
        };
        let contract = self.terms.at(at);
        let mut state = said.state;
        let mut evidence = said.reference.as_ref();
        if !matches!(state, State::Available | State::NotAccepted)
            && let Some((class, reference)) = self.finding(said.reference.as_ref())
        {
            state = class;
            evidence = reference.or(evidence);
        }
        let excused = match &contract.sla {
            Some(sla) => sla.excused.clone(),
            None => settle::contract::Excused::default(),
        };
        Some(match state {
            State::NotAccepted => return None,
            State::Unknown => Class::Unknown,
            State::Degraded => Class::Degraded,
            State::Down => Class::Down,
            State::Available => match self.is_below_floor(contract, said.cap_w_per_gpu) {
                false => Class::Available,
                true if self.in_flex(contract, at) => Class::Flex,
                true => Class::Down,
            },
            State::Planned => match excused.planned {
                Some(terms) if self.was_planned(evidence, terms.notice_hours, at) => {
                    Class::Planned
                }
                Some(_) | None => Class::Down,
            },
            State::Grid => match excused.grid {
                Some(_) if self.was_instructed(evidence, at) => Class::Grid,
                Some(_) | None => Class::Down,
            },
            State::ForceMajeure => match excused.force_majeure_notice_hours {
                Some(hours) if self.was_notified(evidence, hours, start(fact)) => {
                    Class::ForceMajeure
                }
                Some(_) | None => Class::Down,
            },
            State::CustomerCaused if excused.customer_caused => Class::CustomerCaused,
            State::CustomerCaused => Class::Down,
        })
    }

    /// A cap below the contract's power floor.
    fn is_below_floor(&self, contract: &Contract, cap: Option<Exact>) -> bool {
        match (contract.power_floor_watts_per_gpu, cap) {
            (Some(floor), Some(cap)) => cap < floor,
            (Some(_) | None, Some(_) | None) => false,
        }
    }

    /// Inside a contracted flex event of the tranche.
    fn in_flex(&self, contract: &Contract, at: At) -> bool {
        contract.flex_hours_per_month.is_some()
            && self.record.facts.iter().any(|fact| {
                let Body::Flex { tranche, .. } = &fact.body else { return false };
                is_ours(self.terms, tranche)
                    && tranche.tranche == self.tranche
                    && covers(fact, at)
            })
    }

    /// A notice of maintenance that covers the instant and was given in time.
    fn was_planned(&self, evidence: Option<&String>, hours: Exact, at: At) -> bool {
        self.record.facts.iter().any(|fact| {
            let Body::Notice { id, about: About::PlannedMaintenance } = &fact.body else {
                return false;
            };
            let given = Exact::whole(fact.known_at.as_unix_seconds().into());
            let window = Exact::whole(start(fact).into());
            Some(id) == evidence
                && covers(fact, at)
                && given + hours * Exact::whole(3_600) <= window
        })
    }

    /// An instruction of the grid operator that covers the instant.
    fn was_instructed(&self, evidence: Option<&String>, at: At) -> bool {
        self.record.facts.iter().any(|fact| {
            let Body::GridInstruction { id } = &fact.body else { return false };
            Some(id) == evidence && covers(fact, at)
        })
    }

    /// A notice of force majeure given soon enough after the state began.
    fn was_notified(&self, evidence: Option<&String>, hours: Exact, began: At) -> bool {
        self.record.facts.iter().any(|fact| {
            let Body::Notice { id, about: About::ForceMajeure } = &fact.body else {
                return false;
            };
            let given = Exact::whole(fact.known_at.as_unix_seconds().into());
            let began = Exact::whole(began.into());
            Some(id) == evidence && given <= began + hours * Exact::whole(3_600)
        })
    }
}

fn covers(fact: &Fact, at: At) -> bool {
    start(fact) <= at && at < end(fact)
}

/// Budgets are each unit's own and consumed in the order of time; what is above is
/// down: maintenance and flex by the month, grid instructions by the year.
fn within_budgets(terms: &Terms<'_>, pieces: Vec<Piece>) -> Vec<Piece> {
    let mut consumed: BTreeMap<(Class, i32), i64> = BTreeMap::new();
    let mut settled = Vec::new();
    for piece in pieces {
        let contract = terms.at(piece.from);
        let excused = contract.sla.as_ref().map(|sla| &sla.excused);
        let period = terms.period(piece.from);
        let (hours, window) = match piece.class {
            Some(Class::Planned) => (
                excused.and_then(|excused| excused.planned?.hours_per_month),
                period.ordinal(),
            ),
            Some(Class::Flex) => (contract.flex_hours_per_month, period.ordinal()),
            Some(Class::Grid) => (
                excused.and_then(|excused| excused.grid?.hours_per_year),
                i32::from(period.year()),
            ),
            Some(
                Class::Available
                | Class::CustomerCaused
                | Class::ForceMajeure
                | Class::Degraded
                | Class::Unknown
                | Class::Down,
            )
            | None => (None, 0),
        };
        let (Some(hours), Some(class)) = (hours, piece.class) else {
            settled.push(piece);
            continue;
        };
        let budget = (hours * Exact::whole(3_600)).floor();
        let budget = i64::try_from(budget).expect("hours are bounded");
        let used = consumed.entry((class, window)).or_default();
        let allowed = (budget - *used).clamp(0, piece.to - piece.from);
        *used += allowed;
        let split = piece.from + allowed;
        settled.push(Piece { to: split, ..piece });
        settled.push(Piece { from: split, class: Some(Class::Down), ..piece });
    }
    settled.retain(|piece| piece.from < piece.to);
    settled
}

fn block_of(contract: &Contract) -> Option<usize> {
    match contract.sla.as_ref()?.basis {
        Basis::GpuSeconds => None,
        Basis::Blocks { needed, .. } => Some(usize::try_from(needed).expect("a count")),
    }
}

/// The units of one domain as one: going through the classes in order, the one at
/// which enough units are added up is the class of them all.
fn as_block(terms: &Terms<'_>, units: &[Vec<Piece>]) -> Vec<Piece> {
    let mut edges: BTreeSet<At> = BTreeSet::new();
    for piece in units.iter().flatten() {
        edges.extend([piece.from, piece.to]);
    }
    let edges: Vec<At> = edges.into_iter().collect();
    let mut block = Vec::new();
    for pair in edges.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let mut classes: Vec<Class> = Vec::new();
        let mut size = 0;
        for piece in units.iter().flatten() {
            if piece.from <= from
                && from < piece.to
                && let Some(class) = piece.class
            {
                classes.push(class);
                size += piece.size;
            }
        }
        // Degraded that counts in full is no better than what nobody knows.
        let in_full = |class: Class| {
            let sla = terms.at(from).sla.as_ref();
            class == Class::Degraded && sla.is_some_and(|sla| sla.degraded == Exact::ONE)
        };
        classes.sort_unstable_by_key(|class| {
            if in_full(*class) { (Class::Unknown, 1) } else { (*class, 0) }
        });
        let class = match (block_of(terms.at(from)), classes.is_empty()) {
            (_, true) | (None, _) => None,
            // Too few units are down, whatever they are.
            (Some(needed), false) => {
                Some(classes.get(needed - 1).copied().unwrap_or(Class::Down))
            }
        };
        block.push(Piece { from, to, class, size });
    }
    block
}

/// A run of down that is too short counts as available; how long it is does not
/// stop at a month's edge. Degraded belongs to the run where it counts in full.
fn without_short_incidents(terms: &Terms<'_>, pieces: Vec<Piece>) -> Vec<Piece> {
    let counts = |piece: &Piece| match piece.class {
        Some(Class::Down) => true,
        Some(Class::Degraded) => {
            let sla = &terms.at(piece.from).sla;
            sla.as_ref().is_none_or(|sla| sla.degraded == Exact::ONE)
        }
        Some(
            Class::Available
            | Class::CustomerCaused
            | Class::ForceMajeure
            | Class::Grid
            | Class::Planned
            | Class::Flex
            | Class::Unknown,
        )
        | None => false,
    };
    let mut settled = pieces.clone();
    let mut place = 0;
    while place < pieces.len() {
        let mut after = place;
        while after < pieces.len()
            && counts(&pieces[after])
            && (after == place || pieces[after].from == pieces[after - 1].to)
        {
            after += 1;
        }
        if after == place {
            place += 1;
            continue;
        }
        let (from, to) = (pieces[place].from, pieces[after - 1].to);
        let least = terms.at(from).sla.as_ref().map_or(0, |sla| sla.min_incident_seconds);
        if to - from < least {
            for piece in &mut settled[place..after] {
                piece.class = Some(Class::Available);
            }
        }
        place = after;
    }
    settled
}

/// The unit-seconds of each class between two instants.
pub(super) fn count(all: &[Vec<Piece>], from: At, to: At) -> Seconds {
    let mut seconds = Seconds::default();
    for piece in all.iter().flatten() {
        let length = (piece.to.min(to) - piece.from.max(from)).max(0);
        let Some(class) = piece.class else { continue };
        let counted = length * piece.size;
        seconds.reserved += counted;
        *match class {
            Class::Available => &mut seconds.available,
            Class::CustomerCaused => &mut seconds.customer_caused,
            Class::ForceMajeure => &mut seconds.force_majeure,
            Class::Grid => &mut seconds.grid,
            Class::Planned => &mut seconds.planned,
            Class::Flex => &mut seconds.flex,
            Class::Degraded => &mut seconds.degraded,
            Class::Unknown => &mut seconds.unknown,
            Class::Down => &mut seconds.down,
        } += counted;
    }
    seconds
}
