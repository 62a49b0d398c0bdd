//! What a block's transactions pay: mean-reverting in its logarithm.
//!
//! Schwartz (1997), model 1, on coins a block: quiet for weeks, and now and then many
//! times as much. Stationary from the first day.

use super::draw::Draws;
use super::reversion::{Reversion, Stepping};
use super::{DAYS_PER_YEAR, maths};

/// How fees move.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fees {
    /// The mean of what a block's transactions pay, in coins.
    pub mean_btc_per_block: f64,
    /// How fast a rush fades, and how widely the logarithm strays.
    pub reversion: Reversion,
}

impl Fees {
    /// The path of one future, a day at a time.
    pub fn path(self, seed: u64, path: u64) -> FeesPath {
        let deviation = self.reversion.deviation();
        let draws = Draws::of(seed, path, "fees");
        FeesPath {
            // The mean of a lognormal is above its middle.
            middle: self.mean_btc_per_block * maths::exp(-deviation * deviation / 2.0),
            stepping: self.reversion.stepping(1.0 / DAYS_PER_YEAR),
            distance: deviation * draws.bell(0),
            draws,
            day: 0,
        }
    }
}

/// Fees in one future.
#[derive(Clone, Debug)]
pub struct FeesPath {
    middle: f64,
    stepping: Stepping,
    distance: f64,
    draws: Draws,
    day: u64,
}

impl FeesPath {
    /// What a block of the next day pays on average, in coins.
    pub fn next_day(&mut self) -> f64 {
        self.day += 1;
        self.distance = self.stepping.step(self.distance, self.draws.bell(self.day));
        self.middle * maths::exp(self.distance)
    }
}
