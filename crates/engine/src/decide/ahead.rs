//! Looks ahead: the best that can be done over a horizon of known prices.
//!
//! [`Solver::solve`] takes a [`Horizon`] and returns its optimum with a shadow
//! price for every limit, or the limits that contradict each other.

#![expect(
    clippy::float_arithmetic,
    reason = "prices of limits are real numbers; whoever asks snaps the answer back to exact quantities"
)]

mod answer;
mod horizon;

pub use answer::{Answer, Found, Prices, RampPrice};
pub use horizon::{Block, Dated, Demand, End, Feeder, Grid, Horizon, Peak, Ramp, Store};

/// Limits that cannot all be kept.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}", self.say())]
pub struct Conflict {
    /// Between which intervals, the last one excluded.
    pub from: usize,
    /// One past the last interval.
    pub to: usize,
    /// What contradicts.
    pub limits: Vec<Bound>,
}

/// Something that limits or demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bound {
    /// The import limit.
    Import,
    /// The export limit.
    Export,
    /// A ramp of the exchange.
    ExchangeRamp,
    /// A feeder.
    Feeder(usize),
    /// The least a load must draw.
    Floor(usize),
    /// The most a load may draw.
    Ceiling(usize),
    /// A ramp of a load.
    LoadRamp(usize),
    /// What a store can take in or give back.
    StorePower(usize),
    /// What a store can or must hold.
    Stored(usize),
}

impl Conflict {
    fn say(&self) -> String {
        let names: Vec<String> =
            self.limits.iter().map(|limit| format!("{limit:?}")).collect();
        format!(
            "in intervals {}..{}: {} cannot all be kept",
            self.from,
            self.to,
            names.join(", ")
        )
    }
}

/// Finds optima; keeps its buffers from one to the next.
#[derive(Debug, Default)]
pub struct Solver {}

impl Solver {
    /// The optimum over `horizon`.
    pub fn solve(&mut self, _horizon: &Horizon) -> Result<Answer, Conflict> {
        unimplemented!("the method follows in the next change")
    }
}
