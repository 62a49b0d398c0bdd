//! What a GPU-hour rents for on the open market.
//!
//! The logarithm reverts to a level (Schwartz, 1997, model 1) that falls steadily, as
//! the generation ages, and by a step when a new one is launched. Public trackers show
//! all three: H100 from 7 to 12 USD in 2023 to 1.70 in October 2025 and 2.35 in March
//! 2026. No series of GB300 exists yet, so every parameter is an assumption for it.

use super::copula::{Copula, Factor, Together};
use super::draw::Draws;
use super::reversion::{Reversion, Stepping};
use super::{DAYS_PER_YEAR, maths};

/// How rent moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rental {
    /// A GPU-hour on the plan's first day, in USD.
    pub price_usd_per_gpu_hour: f64,
    /// How fast the level falls, a year, compounded without end.
    pub decline_per_year: f64,
    /// How fast rent comes back to the level, and how widely its logarithm strays.
    pub reversion: Reversion,
    /// How many generations are launched in a year.
    pub launches_per_year: f64,
    /// What a launch takes off the level's logarithm; above nought is a fall.
    pub launch_fall: f64,
}

impl Rental {
    /// The path of one future, a day at a time.
    pub fn path(self, seed: u64, path: u64) -> RentalPath {
        self.path_with(seed, path, Copula::APART.draws(Factor::Rent, seed, path, 0))
    }

    /// The same, with moves that others share in.
    pub fn path_with(self, seed: u64, path: u64, moves: Together) -> RentalPath {
        RentalPath {
            rental: self,
            stepping: self.reversion.stepping(1.0 / DAYS_PER_YEAR),
            launches: self.launches_per_year / DAYS_PER_YEAR,
            moves,
            counts: Draws::of(seed, path, "launches"),
            day: 0,
            level: maths::ln(self.price_usd_per_gpu_hour),
            distance: 0.0,
        }
    }
}

/// Rent in one future.
#[derive(Clone, Debug)]
pub struct RentalPath {
    rental: Rental,
    stepping: Stepping,
    launches: f64,
    moves: Together,
    counts: Draws,
    day: u64,
    /// The logarithm that rent reverts to.
    level: f64,
    distance: f64,
}

impl RentalPath {
    /// A GPU-hour of the next day, in USD.
    pub fn next_day(&mut self) -> f64 {
        self.distance = self.stepping.step(self.distance, self.moves.bell(self.day));
        let launches = f64::from(self.counts.count(self.day, self.launches));
        // Rent is above the new level until it has come down to it.
        let fall = launches * self.rental.launch_fall;
        self.level -= self.rental.decline_per_year / DAYS_PER_YEAR + fall;
        self.distance += fall;
        self.day += 1;
        maths::exp(self.level + self.distance)
    }
}
