//! Where a run's inputs and outputs are kept as they happen.

use engine::{Input, Output};

/// Keeps every input with what it led to.
pub trait Record {
    /// Keeps one step.
    fn step(&mut self, input: &Input, outputs: &[Output]) -> anyhow::Result<()>;
}
