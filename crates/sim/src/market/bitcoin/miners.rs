//! The network's miners: they switch off within days of a loss, and build and
//! scrap over weeks of gain and loss.

use crate::market::draw::Wander;
use crate::market::shape::along;
use crate::seed::Generator;

/// All machines there are.
#[derive(Clone, Debug)]
pub(super) struct Miners {
    /// Hashes per second with every machine on.
    installed: f64,
    /// What a PH/s earned a day lately, in USD, over about a week.
    income_week: f64,
    /// The same over about two months: what people build on.
    income_season: f64,
    /// What a PH/s cost to run on the first day, in USD.
    breakeven_first: f64,
    days: f64,
    weather: Wander,
}

/// What the first day's income was worth against its cost.
const MARGIN_FIRST: f64 = 1.12;

/// How fast machines become better, as a simple rate a year: a hash costs half
/// after about six years. An assumption.
const BETTER_PER_YEAR: f64 = 0.16;

/// Of the machines there are, how many run, by income over breakeven: the worst
/// go off first.
const RUNNING: [(f64, f64); 4] = [(0.2, 0.45), (0.5, 0.74), (0.95, 1.0), (1.0, 1.0)];

/// How much the installed base grows in a day, by income over breakeven.
const GROWTH: [(f64, f64); 6] = [
    (0.4, -0.004),
    (0.8, -0.001_2),
    (1.0, 0.0),
    (1.2, 0.001_3),
    (1.6, 0.003),
    (2.5, 0.004_5),
];

impl Miners {
    /// Miners who run `hash_rate` hashes per second at an income in USD a day
    /// and PH/s.
    pub(super) fn new(hash_rate: f64, income: f64, draws: &mut Generator) -> Self {
        Self {
            installed: hash_rate,
            income_week: income,
            income_season: income,
            breakeven_first: income / MARGIN_FIRST,
            days: 0.0,
            weather: Wander::new(0.8, draws),
        }
    }

    /// What a PH/s costs to run for a day, in USD, with the machines of today.
    pub(super) fn breakeven(&self) -> f64 {
        self.breakeven_first / (1.0 + BETTER_PER_YEAR * self.days / 365.0)
    }

    /// Answers a day's income; returns the hashes per second that run.
    pub(super) fn day(&mut self, income: f64, draws: &mut Generator) -> f64 {
        self.income_week += (income - self.income_week) / 7.0;
        self.income_season += (income - self.income_season) / 50.0;
        let breakeven = self.breakeven();
        self.installed *= 1.0 + along(&GROWTH, self.income_season / breakeven);
        self.days += 1.0;
        // Heat, cold and curtailment take some machines off here and there.
        let weather = 1.0 + 0.012 * self.weather.step(draws);
        self.installed * along(&RUNNING, self.income_week / breakeven) * weather
    }
}

#[cfg(test)]
mod tests {
    use super::super::chain::{Chain, income};
    use super::*;
    use crate::seed;

    const REWARD: f64 = 3.15;

    /// Hash rate and difficulty, against the first day, so many days after the
    /// price went from 95 000 USD to `price`.
    fn after(days: u32, price: f64) -> (f64, f64) {
        let mut draws = seed::generator(11, "draws");
        let mut chain = Chain::new(876_000, 1.1e14, &mut draws);
        let mut miners = Miners::new(
            chain.hash_rate_wanted(),
            income(REWARD, 95_000.0, chain.difficulty),
            &mut draws,
        );
        let (hash_rate, difficulty) = (chain.hash_rate_wanted(), chain.difficulty);
        let mut last = hash_rate;
        for _ in 0..days {
            last = miners.day(income(REWARD, price, chain.difficulty), &mut draws);
            chain.day(last, &mut draws);
        }
        (last / hash_rate, chain.difficulty / difficulty)
    }

    #[test]
    fn hash_rate_falls_after_a_crash_and_difficulty_follows() {
        let (hash_rate, _) = after(2, 40_000.0);
        assert!(hash_rate > 0.85, "a loss takes days to be felt: {hash_rate}");
        let (hash_rate, difficulty) = after(60, 40_000.0);
        assert!(hash_rate < 0.85, "{hash_rate}");
        assert!(difficulty < 0.90, "{difficulty}");
    }

    #[test]
    fn hash_rate_rises_after_a_boom_over_weeks() {
        let (hash_rate, _) = after(7, 190_000.0);
        assert!(hash_rate < 1.06, "machines are not built in a week: {hash_rate}");
        let (hash_rate, difficulty) = after(180, 190_000.0);
        assert!(hash_rate > 1.2, "{hash_rate}");
        assert!(difficulty > 1.15, "{difficulty}");
    }
}
