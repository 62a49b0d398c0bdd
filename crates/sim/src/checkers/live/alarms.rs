//! S1's other half: what cannot be brought below a limit has an alarm that stands;
//! and when all has come right, no alarm is left.

use std::collections::BTreeMap;

use engine::Engine;
use engine::alarm::{AlarmChange, AlarmId, What};
use units::Timestamp;

use crate::run::live::{Counts, Invariant};

/// The alarms that stand, by the record.
#[derive(Clone, Debug, Default)]
pub(super) struct Alarms(BTreeMap<AlarmId, What>);

impl Alarms {
    pub(super) fn hear(&mut self, change: &AlarmChange, counts: &mut Counts) {
        if change.is_told() {
            counts.note("alarms told");
        }
        match change {
            AlarmChange::Suspected { id, what, .. }
            | AlarmChange::Raised { id, what, .. }
            | AlarmChange::Grew { id, what }
            | AlarmChange::Shrank { id, what } => {
                self.0.insert(*id, what.clone());
            }
            AlarmChange::Dropped { id } | AlarmChange::Cleared { id } => {
                self.0.remove(id);
            }
            AlarmChange::Escalated { .. }
            | AlarmChange::Gone { .. }
            | AlarmChange::Returned { .. }
            | AlarmChange::Flood { .. } => {}
        }
    }

    /// Whether one stands that says that a limit may be passed.
    pub(super) fn say_above(&self) -> bool {
        self.0.values().any(|what| {
            matches!(
                what,
                What::MayExceed { .. }
                    | What::AboveLimit { .. }
                    | What::ContractCut { .. }
            )
        })
    }
}

/// What went wrong is over, and so are its alarms.
pub(super) fn are_over(
    engine: &Engine,
    at: Timestamp,
    broken: &mut Vec<String>,
    counts: &mut Counts,
) {
    counts.checked(Invariant::L5);
    for alarm in engine.alarms().standing() {
        let is_over = match alarm.what {
            What::Silent { .. }
            | What::Defiant { .. }
            | What::LinkSilent { .. }
            | What::MeterSilent { .. }
            | What::LockedOutRuns { .. }
            | What::HeldDown { .. }
            | What::Quarantined { .. } => true,
            What::MayExceed { .. }
            | What::AboveLimit { .. }
            | What::ContractCut { .. }
            | What::Unexplained { .. }
            | What::LockOutOverdue { .. }
            | What::PriceStale { .. }
            | What::HashpriceStale { .. }
            | What::Program(_)
            | What::TraysOverdue { .. }
            | What::OfRacks(_) => false,
        };
        if is_over {
            broken.push(format!(
                "liveness: expected no alarm of what is over, found {alarm:?} at {at}"
            ));
        }
    }
}
