//! What every decision and every order has to keep to, whatever else is true: S2,
//! S3, S4, S13, L4.

use std::collections::BTreeMap;

use engine::check::Facts;
use engine::site::LoadIx;
use engine::state::LiftOf;
use engine::{Dispatch, Limit, Order, OrderBatch, Reason};
use units::{Power, Seconds, Timestamp};

use super::super::wrong_with;
use super::books::{Books, Fence};
use crate::campus::Campus;
use crate::run::live::{Counts, Invariant};

/// After a start, machines are waited for so long.
const SEE_WITHIN: Seconds = Seconds::from_seconds(30);

/// A decision, read by the checker of decisions.
pub(super) fn in_dispatch(
    books: &Books,
    at: Timestamp,
    dispatch: &Dispatch,
    broken: &mut Vec<String>,
    counts: &mut Counts,
) {
    counts.checked(Invariant::S4);
    let expected = books.dispatch.as_ref().map_or(1, |last| last.generation + 1);
    if dispatch.generation != expected {
        broken.push(format!(
            "S4: expected decision {expected}, found {}",
            dispatch.generation
        ));
    }
    levels(books, at, dispatch, broken);
    counts.checked(Invariant::S2);
    let (limits, tripped) = books.limits_and_trips(at, dispatch.interval);
    let facts = Facts {
        site: &books.site,
        limits: &limits,
        tripped: &tripped,
        lock_outs: &books.by_hand.lock_outs,
        holds: &books.by_hand.holds,
    };
    for violation in wrong_with(facts, dispatch, at) {
        let what = match violation.fault {
            engine::check::Fault::FirmShedBeforeSheddable { .. }
            | engine::check::Fault::DearerFirmShed { .. } => "S2",
            engine::check::Fault::LockedOutRuns => "S13",
            engine::check::Fault::OverLimit { .. }
            | engine::check::Fault::NotTightestLimit { .. } => "S1",
            engine::check::Fault::RaisedOnDoubt => "S11",
            engine::check::Fault::NotEveryLoad
            | engine::check::Fault::WrongPower { .. }
            | engine::check::Fault::BeyondEnvelope
            | engine::check::Fault::OutsideReach
            | engine::check::Fault::HoldIgnored
            | engine::check::Fault::ReasonContradicts
            | engine::check::Fault::LimitLeavesRoom { .. }
            | engine::check::Fault::UnexplainedCannotBe
            | engine::check::Fault::InstructionNotMet { .. } => "check",
            engine::check::Fault::TrippedRuns => "S1",
        };
        broken.push(format!("{what}: {violation:?}"));
    }
}

/// What the grid wants drawn is in the decision as a bystander understood it.
fn levels(books: &Books, at: Timestamp, dispatch: &Dispatch, broken: &mut Vec<String>) {
    let expected = books.asked.to_draw(at.max(dispatch.interval.start));
    let mut found = (None, BTreeMap::new(), dispatch.asked.still.is_some());
    for lift in &dispatch.asked.lifts {
        match lift.of {
            LiftOf::Site => found.0 = Some(lift.level),
            LiftOf::Armed => drop(found.1.insert(lift.programme, lift.level)),
        }
    }
    if expected != found {
        broken.push(format!("asked: expected {expected:?} to be drawn, found {found:?}"));
    }
}

/// S4: orders carry out the last decision, and a later one has a higher number.
pub(super) fn generation(
    books: &Books,
    batch: &OrderBatch,
    broken: &mut Vec<String>,
    counts: &mut Counts,
) {
    counts.checked(Invariant::S4);
    let generation = books.dispatch.as_ref().map(|dispatch| dispatch.generation);
    if generation != Some(batch.generation) {
        broken.push(format!(
            "S4: expected orders of generation {generation:?}, found {}",
            batch.generation
        ));
    }
}

/// S4, in truth: nobody carried out anything newer than this batch.
pub(super) fn no_older(
    batch: &OrderBatch,
    campus: &Campus,
    broken: &mut Vec<String>,
    counts: &mut Counts,
) {
    counts.checked(Invariant::S4);
    let newest = campus.executed().total().newest;
    if newest > batch.generation {
        broken.push(format!(
            "S4: orders of generation {} go out after machines carried out {newest}",
            batch.generation
        ));
    }
}

/// L4: after a start, no order before nineteen of twenty machines were seen, or
/// half a minute has passed.
pub(super) fn after_a_start(
    books: &Books,
    at: Timestamp,
    broken: &mut Vec<String>,
    counts: &mut Counts,
) {
    let Some(resumed_at) = books.resumed_at else { return };
    counts.checked(Invariant::L4);
    let batteries = books.batteries.iter().flatten();
    let all = books.crews.iter().map(Vec::len).sum::<usize>() + batteries.clone().count();
    let unseen = books.crews.iter().flatten().filter(|known| known.unseen).count()
        + batteries.filter(|account| account.unseen).count();
    if at - resumed_at < SEE_WITHIN && unseen * 20 > all {
        broken.push(format!(
            "L4: orders at {at}, started at {resumed_at}, with {unseen} of {all} unseen"
        ));
    }
}

/// S3: an order whose outcome is unknown is read back, never repeated.
pub(super) fn no_repeat(
    books: &Books,
    order: &Order,
    broken: &mut Vec<String>,
    counts: &mut Counts,
) {
    counts.checked(Invariant::S3);
    for to in &order.moves {
        for number in to.machines.iter() {
            let known = &books.crews[order.load][number as usize];
            if known.unanswered && known.ordered == to.point {
                broken.push(format!(
                    "S3: expected machine {number} of {} to be read back, found its \
                     order repeated",
                    books.site.loads[order.load].name
                ));
            }
        }
    }
    if let (Some(account), engine::Setpoint::Power(power)) =
        (&books.batteries[order.load], order.setpoint)
        && account.unanswered
        && account.ordered == power
    {
        broken.push(format!(
            "S3: expected {} to be read back, found its order repeated",
            books.site.loads[order.load].name
        ));
    }
}

/// S13: a machine that a person works on is told to rest, and nothing else; nor is
/// a load that they work on raised.
pub(super) fn nobody_is_started(
    books: &Books,
    at: Timestamp,
    order: &Order,
    broken: &mut Vec<String>,
    counts: &mut Counts,
) {
    let load = order.load;
    let name = &books.site.loads[load].name;
    for to in order.moves.iter().filter(|to| to.point > 0) {
        for number in to.machines.iter() {
            counts.checked(Invariant::S13);
            if books.by_hand.is_locked_out(load, number, at) {
                let point = to.point;
                broken.push(format!(
                    "S13: machine {number} of {name} is locked out and ordered to point \
                     {point}"
                ));
            }
        }
    }
    if let (Some(account), engine::Setpoint::Power(power)) =
        (&books.batteries[load], order.setpoint)
        && books.by_hand.is_locked_out(load, 0, at)
        && (power > account.most.max(Power::ZERO)
            || power < account.least.min(Power::ZERO))
    {
        broken.push(format!("S13: {name} is locked out and ordered to {power}"));
    }
}

/// S13, in truth: no order started one.
pub(super) fn nobody_started(
    books: &Books,
    at: Timestamp,
    load: LoadIx,
    before: &[u8],
    after: &[u8],
    broken: &mut Vec<String>,
    counts: &mut Counts,
) {
    for (number, (before, after)) in (0_u32..).zip(before.iter().zip(after)) {
        if before == after || !books.by_hand.is_locked_out(load, number, at) {
            continue;
        }
        counts.checked(Invariant::S13);
        if after > before {
            broken.push(format!(
                "S13: machine {number} of {} is locked out and was started by an order, \
                 from point {before} to {after}",
                books.site.loads[load].name
            ));
        }
    }
}

/// S2: a contract load that a limit cuts goes down only after what can be shed
/// under that limit was ordered down.
pub(super) fn contracts_last(
    books: &Books,
    at: Timestamp,
    order: &Order,
    batch: &OrderBatch,
    broken: &mut Vec<String>,
    counts: &mut Counts,
) {
    let load = order.load;
    let Some(dispatch) = &books.dispatch else { return };
    let Reason::FirmShed { limit } = dispatch.entries[load].reason else { return };
    let fence = match limit {
        Limit::Import | Limit::BestEffort => Fence::Import,
        Limit::Feeder(feeder) => Fence::Feeder(feeder),
        Limit::Export => return,
    };
    let lowers = order.moves.iter().any(|to| {
        let crew = &books.crews[load];
        to.machines.iter().any(|number| to.point < crew[number as usize].ordered)
    });
    if !lowers {
        return;
    }
    counts.checked(Invariant::S2);
    for other in books.under(fence).filter(|load| !books.site.loads[*load].is_firm()) {
        // Machines in trouble are on their way, or take no orders.
        let ordered_now = |number: u32, ordered: u8| {
            let moves = batch.orders.iter().filter(|order| order.load == other);
            let found = moves
                .flat_map(|order| &order.moves)
                .find(|to| to.machines.contains(number));
            found.map_or(ordered, |to| to.point)
        };
        let above = (0_u32..).zip(&books.crews[other]).any(|(number, known)| {
            !known.is_troubled(at, books.grace) && ordered_now(number, known.ordered) > 0
        });
        let target = dispatch.entries[other].to;
        let rests = books.rests_at(other);
        if above && target <= rests {
            broken.push(format!(
                "S2: {} is ordered down at {at} while {} is still above its target",
                books.site.loads[load].name, books.site.loads[other].name
            ));
        }
    }
}
