//! Looks ahead: the best that can be done over a horizon of known prices.
//!
//! [`Solver::solve`] takes a [`Horizon`] and returns its optimum with a shadow
//! price for every limit, or the limits that contradict each other.
//!
//! Without ramps, stored energy alone couples intervals: each interval is a market
//! (`loads`, `stage`), the market a convex function of the energy gained, and these are
//! convolved from one interval to the next (`stored`, `free`). The few intervals
//! that break a ramp are repaired in windows, as small linear programs (`ramps`,
//! `window`, `simplex`, `factor`). Peak charges are sought as caps around all that (`peaks`),
//! and what does not come apart is one window (`whole`). Every answer carries a
//! bound that is worked out from its prices and not from its plan (`certify`).

#![expect(
    clippy::float_arithmetic,
    reason = "prices of limits are real numbers; whoever asks snaps the answer back"
)]
#![expect(
    clippy::needless_range_loop,
    clippy::too_many_arguments,
    reason = "an index is an interval, a row or a place in several arrays at once"
)]

mod answer;
mod certify;
pub mod commit;
mod conflict;
mod diagnose;
pub mod exact;
mod factor;
mod free;
mod horizon;
mod known;
mod loads;
mod peaks;
mod ramps;
mod simplex;
mod stage;
mod stored;
mod whole;
mod window;

pub use answer::{Answer, Found, Prices, RampPrice};
pub use conflict::{Bound, Conflict};
pub use horizon::{Block, Dated, Demand, End, Feeder, Grid, Horizon, Peak, Ramp, Store};

use free::Free;
use horizon::Cap;
use ramps::{Repair, Unrepaired};
use window::Window;

/// Finds optima; keeps its buffers from one to the next.
#[derive(Clone, Debug, Default)]
pub struct Solver {
    free: Free,
    repair: Repair,
    whole: Window,
    caps: Vec<Cap>,
}

impl Solver {
    /// The optimum over `horizon`; [`Answer::bound_usd`] says how near it is, and
    /// [`Found::relaxed`] whether ramps had to be given up.
    ///
    /// # Errors
    ///
    /// The fewest limits that cannot be kept together.
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
        if horizon.is_empty() {
            answer.fit(horizon);
            return Ok(());
        }
        self.try_into(horizon, answer).map_err(|found| diagnose::diagnose(horizon, found))
    }

    fn try_into(
        &mut self,
        horizon: &Horizon,
        answer: &mut Answer,
    ) -> Result<(), Conflict> {
        if let Some(conflict) = horizon.end_contradicts() {
            return Err(conflict);
        }
        self.free.begin();
        self.repair.begin();
        self.caps.clear();
        self.caps.resize(horizon.len(), Cap::NONE);
        if horizon.grid.peaks.is_empty() {
            self.solve_capped(horizon, answer)?;
            answer.prices.peak_usd_per_mwh.fill(0.0);
            certify::price_exchange(horizon, &mut answer.prices);
        } else {
            peaks::solve(self, horizon, answer)?;
        }
        certify::price_rooms(horizon, answer);
        answer.price(horizon);
        answer.bound_usd = certify::bound(horizon, &answer.prices);
        Ok(())
    }

    /// The optimum at what the caps say of peaks.
    fn solve_capped(
        &mut self,
        horizon: &Horizon,
        answer: &mut Answer,
    ) -> Result<(), Conflict> {
        if horizon.batteries.len() > 1 {
            if let Some(conflict) = horizon.contradiction() {
                return Err(conflict);
            }
            answer.fit(horizon);
            return whole::solve(&mut self.whole, None, horizon, &self.caps, answer)
                .or_else(|failure| failure.told(answer));
        }
        self.free.forward(horizon, &self.caps)?;
        self.free.trace(horizon, &self.caps, answer)?;
        match self.repair.repair(horizon, &mut self.free, &self.caps, answer) {
            Ok(()) => Ok(()),
            Err(Unrepaired::Conflict(conflict)) => Err(conflict),
            Err(Unrepaired::TooWide) => {
                let free = Some(&mut self.free);
                whole::solve(&mut self.whole, free, horizon, &self.caps, answer)
                    .or_else(|failure| failure.told(answer))
            }
        }
    }
}
