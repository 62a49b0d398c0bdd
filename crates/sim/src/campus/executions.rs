//! What machines truly did with the orders they were given.

use engine::site::LoadIx;
use serde::{Deserialize, Serialize};

/// What every machine did with its orders, load by load; a load that is one
/// device counts as one machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Executions(pub(super) Vec<Vec<Execution>>);

/// What one machine did with its orders so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execution {
    /// Orders it carried out, or went part of the way with.
    pub executed: u32,
    /// Orders it refused, having carried out one of a newer generation.
    pub refused: u32,
    /// Orders that asked the same of it again while it had not answered the one
    /// before: sent, whether it heard them or not.
    pub repeated: u32,
    /// Times it went to its fail-safe level because its lease had ended.
    pub lapsed: u32,
    /// Starts, whoever asked for them.
    pub starts: u32,
    /// The newest generation it carried out.
    pub newest: u64,
}

impl Executions {
    /// One machine of one load; nothing where there is none.
    pub fn of(&self, load: LoadIx, machine: u32) -> Option<&Execution> {
        self.0.get(load)?.get(machine as usize)
    }

    /// The machines of a load.
    pub fn of_load(&self, load: LoadIx) -> &[Execution] {
        self.0.get(load).map_or(&[], Vec::as_slice)
    }

    /// Everything together; the newest generation of all.
    pub fn total(&self) -> Execution {
        self.0.iter().flatten().fold(Execution::default(), |total, one| Execution {
            executed: total.executed.saturating_add(one.executed),
            refused: total.refused.saturating_add(one.refused),
            repeated: total.repeated.saturating_add(one.repeated),
            lapsed: total.lapsed.saturating_add(one.lapsed),
            starts: total.starts.saturating_add(one.starts),
            newest: total.newest.max(one.newest),
        })
    }
}
