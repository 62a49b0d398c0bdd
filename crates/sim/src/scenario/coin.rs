//! A coin's price: geometric Brownian motion with jumps.
//!
//! Merton (1976): d ln S = (drift - volatility^2 / 2 - rate k) dt + volatility dW + J,
//! with jumps J of a bell curve at a rate, and k = E[exp J] - 1, so that the mean is
//! S exp(drift t) whatever the jumps. With a rate of nought it is geometric Brownian
//! motion. Volatility does not cluster here as it does in the world.

use super::copula::{Copula, Factor, Together};
use super::draw::Draws;
use super::{DAYS_PER_YEAR, maths};

/// How a coin's price moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coin {
    /// The price on the plan's first day, in USD.
    pub price_usd: f64,
    /// How its mean grows, a year, compounded without end.
    pub drift_per_year: f64,
    /// How widely its logarithm moves in a year, jumps apart.
    pub volatility_per_root_year: f64,
    /// How many jumps a year has.
    pub jumps_per_year: f64,
    /// The mean jump of the logarithm.
    pub jump_mean: f64,
    /// The deviation of a jump of the logarithm.
    pub jump_deviation: f64,
}

impl Coin {
    /// What the jumps add to the mean growth, a year.
    fn of_jumps(&self) -> f64 {
        let half = self.jump_deviation * self.jump_deviation / 2.0;
        self.jumps_per_year * (maths::exp(self.jump_mean + half) - 1.0)
    }

    /// The path of one future, a day at a time.
    pub fn path(self, seed: u64, path: u64) -> CoinPath {
        self.path_with(seed, path, Copula::APART.draws(Factor::Coin, seed, path, 0))
    }

    /// The same, with moves that others share in.
    pub fn path_with(self, seed: u64, path: u64, moves: Together) -> CoinPath {
        let years = 1.0 / DAYS_PER_YEAR;
        let spread = self.volatility_per_root_year * self.volatility_per_root_year / 2.0;
        CoinPath {
            coin: self,
            drift: (self.drift_per_year - spread - self.of_jumps()) * years,
            kick: self.volatility_per_root_year * years.sqrt(),
            jumps: self.jumps_per_year * years,
            moves,
            counts: Draws::of(seed, path, "coin jumps"),
            sizes: Draws::of(seed, path, "coin jump sizes"),
            day: 0,
            logarithm: maths::ln(self.price_usd),
        }
    }
}

/// A coin's price in one future.
#[derive(Clone, Debug)]
pub struct CoinPath {
    coin: Coin,
    drift: f64,
    kick: f64,
    jumps: f64,
    moves: Together,
    counts: Draws,
    sizes: Draws,
    day: u64,
    logarithm: f64,
}

impl CoinPath {
    /// The price of the next day where its logarithm moves by so much beside its drift,
    /// in place of a draw.
    pub fn next_day_moving(&mut self, by: f64) -> f64 {
        self.logarithm += self.coin.drift_per_year / DAYS_PER_YEAR + by;
        self.day += 1;
        maths::exp(self.logarithm)
    }

    /// The price of the next day, in USD.
    pub fn next_day(&mut self) -> f64 {
        self.logarithm += self.drift + self.kick * self.moves.bell(self.day);
        let jumps = self.counts.count(self.day, self.jumps);
        if jumps > 0 {
            // So many jumps together are one with their summed mean and variance.
            let count = f64::from(jumps);
            self.logarithm += count * self.coin.jump_mean
                + count.sqrt() * self.coin.jump_deviation * self.sizes.bell(self.day);
        }
        self.day += 1;
        maths::exp(self.logarithm)
    }
}
