//! What happens on a campus by itself, and when: machines that have nothing to
//! do are not touched.

use std::collections::BTreeMap;

use engine::site::LoadIx;
use serde::{Deserialize, Serialize};
use units::Timestamp;

/// What is due, by when; of the same second, in the order it was put down.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Agenda(BTreeMap<Timestamp, Vec<Due>>);

/// Something that happens by itself. What was overtaken in the meantime is left
/// on the agenda, and does nothing when its time comes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum Due {
    /// A machine that was started has warmed up.
    Warm {
        /// Which load.
        load: LoadIx,
        /// Which machine.
        machine: u32,
    },
    /// A machine's draw goes on towards where the machine was put.
    Follow {
        /// Which load.
        load: LoadIx,
        /// Which machine.
        machine: u32,
    },
    /// The lease that a load's machines heard ends for the next of them.
    Lapse(LoadIx),
    /// The lease of a machine that did not hear the last word ends.
    LapseOf {
        /// Which load.
        load: LoadIx,
        /// Which machine.
        machine: u32,
    },
    /// A machine's temper ends.
    Calm {
        /// Which load.
        load: LoadIx,
        /// Which machine.
        machine: u32,
    },
    /// A machine is on the network again.
    Rejoin {
        /// Which load.
        load: LoadIx,
        /// Which machine.
        machine: u32,
    },
    /// A machine has booted.
    Booted {
        /// Which load.
        load: LoadIx,
        /// Which machine.
        machine: u32,
        /// Where it comes back, as in [`super::group::Machine`].
        at: i64,
    },
    /// A machine goes back to where it was before an order.
    Revert {
        /// Which load.
        load: LoadIx,
        /// Which machine.
        machine: u32,
        /// Where it goes back to, as in [`super::group::Machine`].
        at: i64,
        /// The generation of the order.
        generation: u64,
    },
    /// What the house drew more for a while is over.
    House,
    /// Tempers are drawn for the minute to come.
    Minute,
}

impl Agenda {
    pub(super) fn put(&mut self, at: Timestamp, due: Due) {
        self.0.entry(at).or_default().push(due);
    }

    /// What is due first, if that is not after `until`.
    pub(super) fn take(&mut self, until: Timestamp) -> Option<(Timestamp, Vec<Due>)> {
        let first = self.0.first_entry().filter(|first| *first.key() <= until)?;
        Some(first.remove_entry())
    }

    /// Drops what is due for loads; the house and the minutes go on.
    pub(super) fn forget_loads(&mut self) {
        for due in self.0.values_mut() {
            due.retain(|due| matches!(due, Due::House | Due::Minute));
        }
        self.0.retain(|_, due| !due.is_empty());
    }
}
