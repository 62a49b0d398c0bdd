//! The facts of an estate as a file, a tenant's part of them, and counting them again.
//!
//! [`recount()`] knows nothing of the estate: it reads the lines that were exported and
//! adds up seconds, so that a tenant gets the figures from the file alone.

use std::collections::{BTreeMap, BTreeSet};

use engine::capacity::meter::Says;
use engine::capacity::{BlockNo, Estate, NewFact};
use settle::contract::Contract;
use settle::facts::{Acceptance, Body, Facts, Size, State};
use units::Timestamp;

use super::own::Own;

/// The facts that concern one tenant, under its own names, or all of them; no other
/// tenant's name or seat is in the former, and nothing from which they could be counted.
pub fn of_tenant(
    estate: &Estate,
    facts: &[NewFact],
    tenant: Option<&str>,
) -> Vec<NewFact> {
    let Some(tenant) = tenant else { return facts.to_vec() };
    let (names, notices) = (Own::of(estate, tenant), estate.notices_of(tenant));
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
    let mut kept = Vec::new();
    for fact in facts {
        let mut fact = fact.clone();
        let theirs = match &mut fact.says {
            Says::Acceptance { units, .. } | Says::Succession { units, .. } => {
                units.iter().all(|(unit, ..)| own.contains(unit))
            }
            Says::State { units, .. } => {
                units.retain(|unit| own.contains(unit));
                !units.is_empty()
            }
            Says::Notice { id } => notices.contains(id),
            Says::Flex { tranche, .. } => estate
                .blocks()
                .iter()
                .any(|block| block.tenant == tenant && block.tranche == *tranche),
            Says::Classification { incident, .. } => {
                incidents.contains(incident.as_str())
            }
        };
        if theirs {
            rename(&names, &mut fact.says);
            kept.push(fact);
        }
    }
    kept
}

/// Puts a tenant's names for its own into a fact of its.
fn rename(names: &Own<'_>, says: &mut Says) {
    let own = |name: &mut String| *name = names.named(name);
    match says {
        Says::Acceptance { units, .. } => {
            units.iter_mut().for_each(|one| own(&mut one.0))
        }
        Says::Succession { units, replaces, .. } => {
            units.iter_mut().for_each(|one| own(&mut one.0));
            replaces.iter_mut().for_each(own);
        }
        Says::State { units, reference, .. } => {
            units.iter_mut().for_each(own);
            reference.iter_mut().for_each(own);
        }
        Says::Classification { incident, evidence, .. } => {
            own(incident);
            evidence.iter_mut().for_each(own);
        }
        Says::Notice { .. } | Says::Flex { .. } => {}
    }
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

/// A unit's time in its tranche.
struct Term<'f> {
    tranche: &'f str,
    gpus: i64,
    accepted: Timestamp,
    /// When another took its place; the end of all where none did.
    left: Timestamp,
}

/// Counts every second of every accepted unit up to an instant, from facts alone.
///
/// With a contract a unit whose place another took in a full tranche counts until then;
/// without one nobody knows what is full, and each counts beside the others.
pub fn recount(
    facts: &Facts,
    contract: Option<&Contract>,
    until: Timestamp,
) -> BTreeMap<String, Recount> {
    let mut units: BTreeMap<&str, Term<'_>> = BTreeMap::new();
    let mut states: BTreeMap<&str, BTreeMap<Timestamp, State>> = BTreeMap::new();
    for fact in facts.known_by(until) {
        if let Body::Acceptance(acceptance) = &fact.body {
            for unit in &acceptance.units {
                let gpus = match unit.size {
                    Size::Gpus(gpus) => gpus,
                    Size::Kilowatts(_) => 0,
                };
                let (tranche, accepted) = (acceptance.tranche.as_str(), fact.valid_from);
                units.insert(&unit.unit, Term { tranche, gpus, accepted, left: until });
            }
            let signed = contract.filter(|signed| signed.id == acceptance.contract);
            if let Some(signed) = signed.and_then(|c| c.tranche(&acceptance.tranche)) {
                let (full, from) = (signed.quantity.count(), fact.valid_from);
                make_room(&mut units, acceptance, full, from);
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
    for (unit, Term { tranche, gpus, accepted, left }) in units {
        let tranche = counted.entry(tranche.to_owned()).or_default();
        let mut add = |from: Timestamp, to: Timestamp, state: State| {
            let (from, to) = (from.max(accepted), to.min(left));
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
        add(standing.0, left, standing.1);
    }
    counted
}

/// Ends the time of units that an acceptance replaces, as long as more than `full` are
/// in the tranche.
fn make_room<'f>(
    units: &mut BTreeMap<&'f str, Term<'f>>,
    acceptance: &'f Acceptance,
    full: i64,
    from: Timestamp,
) {
    let in_it = |term: &Term<'_>| term.tranche == acceptance.tranche && from < term.left;
    for name in &acceptance.replaces {
        let there: i64 =
            units.values().filter(|term| in_it(term)).map(|term| term.gpus).sum();
        let term = units.get_mut(name.as_str());
        if let Some(term) = term.filter(|term| in_it(term) && there > full) {
            term.left = from;
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use settle::calendar::Period;
    use settle::contract::Versions;
    use settle::settlement::{cut, statement};

    const CONTRACT: &str = "schema = \"capacity-contract/1\"\nid = \"CAP\"\n\
        supplier = \"site-co\"\ncustomer = \"red\"\ncurrency = \"USD\"\n\
        timezone = \"UTC\"\neffective = 2026-01-01\n[billing]\ngrace_days = 5\n\
        due_days = 30\nrestate_limit_months = 24\n[[tranche]]\nid = \"H1\"\n\
        gpus = 10\nprice = { unit = \"gpu-hour\", amount = \"1.00\" }\n\
        delivery = 2026-04-01\nmonths = 12\n";

    /// `a` is down from the 10th, and `c` takes its place on the 12th at 07:30:01; `d`
    /// of three more GPUs may take the place of `b` on the 20th, and there is no room
    /// for it beside what is there.
    const TOLD: [(&str, &str, &str); 6] = [
        (
            "acceptance",
            "2026-04-01T00:00:00Z",
            r#"{"contract":"CAP","tranche":"H1","units":[{"unit":"a","gpus":5},{"unit":"b","gpus":5}]}"#,
        ),
        (
            "unit_state",
            "2026-04-01T00:00:00Z",
            r#"{"units":["a","b"],"state":"available"}"#,
        ),
        ("unit_state", "2026-04-10T00:00:00Z", r#"{"unit":"a","state":"down"}"#),
        (
            "acceptance",
            "2026-04-12T07:30:01Z",
            r#"{"contract":"CAP","tranche":"H1","units":[{"unit":"c","gpus":5}],"replaces":["x","a","b"]}"#,
        ),
        ("unit_state", "2026-04-12T07:30:01Z", r#"{"unit":"c","state":"available"}"#),
        (
            "acceptance",
            "2026-04-20T00:00:00Z",
            r#"{"contract":"CAP","tranche":"H1","units":[{"unit":"d","gpus":3}],"replaces":["a","b"]}"#,
        ),
    ];

    #[test]
    fn what_was_replaced_is_counted_as_it_is_settled() {
        let mut text = String::new();
        for (seq, (kind, at, body)) in (1..).zip(TOLD) {
            text.push_str(&format!(
                "{{\"seq\":{seq},\"site\":\"east\",\"source\":\"capacity\",\
                 \"source_seq\":{seq},\"kind\":\"{kind}\",\"valid_from\":\"{at}\",\
                 \"known_at\":\"{at}\",\"body\":{body}}}\n"
            ));
        }
        let facts = Facts::read(&text).unwrap_or_else(|fault| panic!("{fault}"));
        let contract = Contract::read(CONTRACT).unwrap_or_else(|fault| panic!("{fault}"));
        let may = Timestamp::parse("2026-05-01").expect("an instant");
        let of = |contract: Option<&Contract>| {
            let found = recount(&facts, contract, may).remove("H1").expect("a tranche");
            let of = |state| found.by_state.get(state).copied().unwrap_or(0);
            [of("available"), of("down"), of("unknown")]
        };
        // Down for 2 days 7:30:01, 199,801 s. Available: five GPUs for 9 days and from
        // then for 1,614,599 s, and five for 19 days. Nobody said what `d` was, for 11.
        let settled =
            [5 * (9 * 86_400 + 1_614_599 + 19 * 86_400), 5 * 199_801, 3 * 11 * 86_400];
        assert_eq!(of(Some(&contract)), settled);
        // Beside the others: `b` goes on for 11 days, and `a` is down to the end.
        let beside = [settled[0] + 5 * 11 * 86_400, 5 * 21 * 86_400, settled[2]];
        assert_eq!(of(None), beside);
        let april = Period::parse("2026-04").expect("a month");
        let versions = Versions::single(contract).expect("one version");
        let as_of = cut(versions.first(), april);
        let made = statement(&versions, &facts, &[], april, as_of);
        let row = &made.availability[0].seconds;
        assert_eq!([row.available, row.down, row.unknown], settled);
        assert_eq!(row.reserved, settled.iter().sum::<i64>());
    }
}
