//! A level: how fuel moves all prices of power, or scarcity how often they spike.
//!
//! Its logarithm is pulled back to that of one (an Ornstein-Uhlenbeck process), from where
//! it stands when the plan begins. On any day its mean is where it would be with nothing
//! drawn: a start of 0.7 is 0.7^k then, where k is the share of the distance that is left.
//! So prices have the mean that calm prices and a forward say, and not a lognormal's
//! more or less. Where nobody knows how it stands, it begins anywhere in its own law.

use super::maths;
use super::reversion::{Reversion, Stepping};

/// How the level wanders, and from where.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// How its logarithm is pulled and kicked.
    pub reversion: Reversion,
    /// What calm prices are of their means as the plan begins: one where they are alike.
    pub starts: f64,
}

impl Level {
    /// One that begins at one.
    pub fn about_one(reversion: Reversion) -> Self {
        Self { reversion, starts: 1.0 }
    }

    /// One that never moves.
    pub fn still() -> Self {
        Self::about_one(Reversion::of(1.0, 0.0))
    }

    /// Its way over steps of so many years.
    pub fn path(&self, years: f64) -> LevelPath {
        LevelPath {
            stepping: self.reversion.stepping(years),
            expected: maths::ln(self.starts),
            stray: 0.0,
            variance: 0.0,
        }
    }
}

impl Reversion {
    /// The way of a level of mean one that may stand anywhere, by a draw of the bell curve.
    pub fn level_from(&self, bell: f64, years: f64) -> LevelPath {
        let deviation = self.deviation();
        LevelPath {
            stepping: self.stepping(years),
            expected: 0.0,
            stray: deviation * bell,
            variance: deviation * deviation,
        }
    }
}

/// The level in one future.
#[derive(Clone, Copy, Debug)]
pub struct LevelPath {
    stepping: Stepping,
    /// The logarithm with nothing drawn.
    expected: f64,
    /// What was drawn beside it, and its variance by now.
    stray: f64,
    variance: f64,
}

impl LevelPath {
    /// The level a step on, for a draw of the bell curve.
    pub fn step(&mut self, bell: f64) -> f64 {
        let Stepping { keep, kick } = self.stepping;
        self.expected *= keep;
        self.stray = self.stepping.step(self.stray, bell);
        self.variance = keep * keep * self.variance + kick * kick;
        maths::exp(self.expected + self.stray - self.variance / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::DAYS_PER_YEAR;
    use super::super::draw::Draws;
    use super::*;

    #[test]
    fn its_mean_goes_from_where_it_stands_to_one_and_its_spread_grows_with_time() {
        // Half way back after half a year.
        let level = Level { reversion: Reversion::of(0.5, 0.4), starts: 0.6 };
        let paths = 8_000;
        // After a day, half a year, and two years: the mean, and the logarithm's middle
        // and variance.
        let days = [1_u64, 183, 731];
        let told = days.map(|day| {
            let keep = 0.5_f64.powf(day as f64 / DAYS_PER_YEAR / 0.5);
            let variance = 0.16 * (1.0 - keep * keep);
            (0.6_f64.powf(keep), keep * 0.6_f64.ln() - variance / 2.0, variance)
        });
        let (mut sums, mut squares) = ([0.0; 3], [0.0; 3]);
        for number in 0..paths {
            let draws = Draws::of(5, number, "level");
            let mut path = level.path(1.0 / DAYS_PER_YEAR);
            for day in 1..=days[2] {
                let found = path.step(draws.bell(day));
                if let Some(place) = days.iter().position(|at| *at == day) {
                    let stray = maths::ln(found) - told[place].1;
                    sums[place] += found;
                    squares[place] += stray * stray;
                }
            }
        }
        for (place, (told, _, variance)) in told.into_iter().enumerate() {
            let mean = sums[place] / paths as f64;
            // The deviation of a lognormal of that variance, over the root of the number.
            let error = told * (variance.exp() - 1.0).sqrt() / (paths as f64).sqrt();
            assert!((mean - told).abs() < 4.0 * error, "{place}: {mean} for {told}");
            let found = squares[place] / paths as f64;
            assert!(
                (found / variance - 1.0).abs() < 0.07,
                "{place}: {found}, {variance}"
            );
        }
    }

    #[test]
    fn one_that_may_stand_anywhere_has_its_mean_and_spread_on_every_day() {
        let reversion = Reversion::of(1.0, 0.8);
        let paths = 8_000;
        let (mut sums, mut squares) = ([0.0; 2], [0.0; 2]);
        for number in 0..paths {
            let draws = Draws::of(6, number, "level");
            let mut path =
                reversion.level_from(draws.bell(u64::MAX), 1.0 / DAYS_PER_YEAR);
            for day in 0..400 {
                let found = path.step(draws.bell(day));
                if let Some(place) = [0, 399].iter().position(|at| *at == day) {
                    sums[place] += found;
                    squares[place] +=
                        (maths::ln(found) + 0.32) * (maths::ln(found) + 0.32);
                }
            }
        }
        for place in 0..2 {
            let mean = sums[place] / paths as f64;
            let error = (0.64_f64.exp() - 1.0).sqrt() / (paths as f64).sqrt();
            assert!((mean - 1.0).abs() < 4.0 * error, "{mean}");
            let variance = squares[place] / paths as f64;
            assert!((variance / 0.64 - 1.0).abs() < 0.07, "{variance}");
        }
    }
}
