//! What a block's transactions pay: mean-reverting in its logarithm.
//!
//! Schwartz (1997), model 1, on coins a block: quiet for weeks, and now and then many
//! times as much. Stationary from the first day.

use super::copula::{Copula, Factor, Together};
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
        self.path_with(seed, path, Copula::APART.draws(Factor::Fees, seed, path, 0))
    }

    /// The same, with moves that others share in.
    pub fn path_with(self, seed: u64, path: u64, moves: Together) -> FeesPath {
        let deviation = self.reversion.deviation();
        // Where they stand before the first day is theirs alone.
        let stands = Draws::of(seed, path, "fees");
        FeesPath {
            // The mean of a lognormal is above its middle.
            middle: self.mean_btc_per_block * maths::exp(-deviation * deviation / 2.0),
            stepping: self.reversion.stepping(1.0 / DAYS_PER_YEAR),
            distance: deviation * stands.bell(0),
            moves,
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
    moves: Together,
    day: u64,
}

impl FeesPath {
    /// What a block of the next day pays on average, in coins.
    pub fn next_day(&mut self) -> f64 {
        self.distance = self.stepping.step(self.distance, self.moves.bell(self.day));
        self.day += 1;
        self.middle * maths::exp(self.distance)
    }
}
