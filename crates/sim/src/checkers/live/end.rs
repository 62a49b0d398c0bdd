//! L5: who is judged to be what, all along; and liveness: when nothing has gone
//! wrong for a good while, everything has come right.

use engine::state::Standing;
use engine::{Engine, Setpoint};
use units::{Power, Timestamp};

use super::books::{Books, draw, last_point};
use crate::campus::Campus;
use crate::run::live::{Counts, Invariant};

/// Machines are believed where a bystander believes them who was told the same, and
/// nobody is judged silent who is not, or the other way round.
pub(super) fn judged_alike(
    books: &Books,
    at: Timestamp,
    engine: &Engine,
    broken: &mut Vec<String>,
    counts: &mut Counts,
) {
    counts.checked(Invariant::L5);
    for (load, crew) in books.crews.iter().enumerate() {
        let Some(believed) = engine.state().fleet.crew(load) else { continue };
        for (number, (known, machine)) in crew.iter().zip(believed.machines()).enumerate()
        {
            let silent = machine.standing == Standing::Silent;
            let alike = known.ordered == machine.ordered
                && known.unanswered == machine.unanswered
                && known.is_silent() == silent;
            if !alike {
                broken.push(format!(
                    "L5: machine {number} of {} is judged differently at {at}: expected \
                     {known:?}, found {machine:?}",
                    books.site.loads[load].name
                ));
                return;
            }
        }
    }
}

/// Nobody is unbelieved, everything is where it was decided to be, and nothing is
/// locked but what people locked.
pub(super) fn came_right(
    books: &Books,
    at: Timestamp,
    engine: &Engine,
    campus: &Campus,
    broken: &mut Vec<String>,
    counts: &mut Counts,
) {
    counts.checked(Invariant::L5);
    let state = engine.state();
    let mut say = |what: String| broken.push(format!("liveness: {what} at {at}"));
    let Some(dispatch) = &books.dispatch else {
        say("expected a decision, found none".to_owned());
        return;
    };
    for (load, entry) in dispatch.entries.iter().enumerate() {
        let name = &books.site.loads[load].name;
        let (Some(machines), Some(crew)) =
            (books.site.loads[load].machines(), state.fleet.crew(load))
        else {
            let believed = state.fleet.of(load);
            if believed.unanswered || believed.ordered != campus.setpoint(load) {
                say(format!(
                    "expected {name} believed at {:?}, found {believed:?}",
                    campus.setpoint(load)
                ));
            }
            continue;
        };
        for (number, machine) in (0_u32..).zip(crew.machines()) {
            let truth = campus.point(load, number);
            let in_hand = machine.standing == Standing::InHand && !machine.unseen;
            if !in_hand || machine.unanswered || machine.ordered != truth {
                say(format!(
                    "expected machine {number} of {name} believed at {truth}, found \
                     {machine:?}"
                ));
                break;
            }
        }
        // A group of machines at different points may miss its level by a step.
        let plug: Power = crew.machines().iter().map(|m| draw(machines, m.ordered)).sum();
        let Setpoint::Level(level) = entry.setpoint else { continue };
        let wanted = machines.power_at(level);
        let steps =
            (0..last_point(machines)).map(|p| draw(machines, p + 1) - draw(machines, p));
        let step = steps.max().unwrap_or(Power::ZERO);
        if plug > wanted || plug + step < wanted {
            let points: Vec<u8> = crew.machines().iter().map(|m| m.ordered).collect();
            say(format!(
                "expected {name} ordered to {wanted} at the plug (level {level}, {:?}), \
                 found {plug}: {points:?}",
                entry.reason
            ));
        }
    }
    for (load, crew) in books.crews.iter().enumerate() {
        for number in 0..crew.len().max(1) as u32 {
            let locked = state.lock_outs.iter().any(|lock_out| {
                let some = lock_out.machines.as_ref();
                lock_out.load == load
                    && lock_out.is_on(at)
                    && some.is_none_or(|some| some.contains(number))
            });
            if locked != books.by_hand.is_locked_out(load, number, at) {
                say(format!(
                    "machine {number} of {}: expected locked out {}, found {locked}",
                    books.site.loads[load].name, !locked
                ));
            }
        }
    }
}
