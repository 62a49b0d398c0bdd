//! Looks ahead: the best that can be done over a horizon of known prices.
//!
//! [`Solver::solve`] takes a [`Horizon`] and returns its optimum with a shadow
//! price for every limit, or the limits that contradict each other.

#![expect(
    clippy::float_arithmetic,
    reason = "prices of limits are real numbers; whoever asks snaps the answer back"
)]

mod answer;
mod certify;
mod conflict;
mod free;
mod horizon;
mod stage;
mod stored;

pub use answer::{Answer, Found, Prices, RampPrice};
pub use conflict::{Bound, Conflict};
pub use horizon::{Block, Dated, Demand, End, Feeder, Grid, Horizon, Peak, Ramp, Store};

use free::Free;

/// Finds optima; keeps its buffers from one to the next.
#[derive(Clone, Debug, Default)]
pub struct Solver {
    free: Free,
    caps: Vec<f64>,
}

impl Solver {
    /// The optimum over `horizon`.
    pub fn solve(&mut self, horizon: &Horizon) -> Result<Answer, Conflict> {
        let mut answer = Answer::default();
        self.solve_into(horizon, &mut answer)?;
        Ok(answer)
    }

    /// The same into an answer whose room is used again.
    pub fn solve_into(
        &mut self,
        horizon: &Horizon,
        answer: &mut Answer,
    ) -> Result<(), Conflict> {
        self.caps.clear();
        self.caps.extend((0..horizon.len()).map(|t| horizon.grid.import_limit_mw.at(t)));
        self.free.forward(horizon, &self.caps)?;
        self.free.trace(horizon, &self.caps, answer)?;
        answer.price(horizon);
        answer.bound_usd = certify::bound(horizon, &answer.prices);
        Ok(())
    }
}
