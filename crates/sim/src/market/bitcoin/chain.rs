//! Blocks one by one, and the difficulty they retarget.

use crate::market::draw::wait;
use crate::seed::Generator;

/// Blocks between two retargets, by the Bitcoin protocol.
const RETARGET_BLOCKS: u64 = 2_016;

/// Seconds between two blocks that a retarget aims for.
const BLOCK_SECONDS: f64 = 600.0;

/// How far one retarget may go, either way, by the Bitcoin protocol.
const RETARGET_MAX: f64 = 4.0;

/// Hashes a block takes at difficulty 1, on average: 2^32.
const HASHES_AT_ONE: f64 = 4_294_967_296.0;

const DAY_SECONDS: f64 = 86_400.0;

/// A chain that grows as fast as hashes come.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    /// The height of the last block.
    pub(super) height: u64,
    /// The difficulty of the next block.
    pub(super) difficulty: f64,
    /// Seconds since the chain's first day began.
    now: f64,
    /// When the first block of this retarget period came.
    period_began: f64,
    /// How much of the work on the next block is left, where 1 is the mean.
    work_left: f64,
}

/// What one day brought.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mined {
    /// How many blocks.
    pub(super) blocks: u32,
    /// The difficulty of the last one.
    pub(super) difficulty: f64,
    /// The hashes that blocks of their difficulty take on average.
    pub(super) hashes: f64,
}

impl Chain {
    /// A chain at a height, as if its blocks had kept their pace since the last
    /// retarget.
    pub(super) fn new(height: u64, difficulty: f64, draws: &mut Generator) -> Self {
        let into_period = (height % RETARGET_BLOCKS) as f64;
        Self {
            height,
            difficulty,
            now: 0.0,
            period_began: -into_period * BLOCK_SECONDS,
            work_left: wait(draws),
        }
    }

    /// The hashes per second at which blocks keep their pace.
    pub(super) fn hash_rate_wanted(&self) -> f64 {
        self.difficulty * HASHES_AT_ONE / BLOCK_SECONDS
    }

    /// Lets a day pass at so many hashes per second.
    pub(super) fn day(&mut self, hash_rate: f64, draws: &mut Generator) -> Mined {
        let end = self.now + DAY_SECONDS;
        let mut mined = Mined { blocks: 0, difficulty: self.difficulty, hashes: 0.0 };
        loop {
            let block_seconds = self.difficulty * HASHES_AT_ONE / hash_rate;
            let found = self.now + self.work_left * block_seconds;
            if found >= end {
                self.work_left -= (end - self.now) / block_seconds;
                self.now = end;
                return mined;
            }
            self.now = found;
            self.work_left = wait(draws);
            self.height += 1;
            mined.blocks += 1;
            mined.difficulty = self.difficulty;
            mined.hashes += self.difficulty * HASHES_AT_ONE;
            self.retarget();
        }
    }

    /// Sets the difficulty anew behind the last block of a period.
    fn retarget(&mut self) {
        let place = self.height % RETARGET_BLOCKS;
        if place == 0 {
            self.period_began = self.now;
        } else if place == RETARGET_BLOCKS - 1 {
            let aimed = RETARGET_BLOCKS as f64 * BLOCK_SECONDS;
            let took = (self.now - self.period_began)
                .clamp(aimed / RETARGET_MAX, aimed * RETARGET_MAX);
            self.difficulty = (self.difficulty * aimed / took).round().max(1.0);
        }
    }
}

/// What a petahash per second earns in a day, in USD, at a reward in coins.
pub(super) fn income(reward: f64, price: f64, difficulty: f64) -> f64 {
    reward * price * petahash_day_share(difficulty)
}

/// What a coin costs to mine, in USD, when a petahash per second costs
/// `breakeven` USD a day.
pub(super) fn cost(reward: f64, breakeven: f64, difficulty: f64) -> f64 {
    breakeven / (reward * petahash_day_share(difficulty))
}

/// How many blocks a petahash per second finds in a day.
fn petahash_day_share(difficulty: f64) -> f64 {
    1e15 * DAY_SECONDS / (difficulty * HASHES_AT_ONE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed;

    /// The difficulty after so many days at a multiple of the wanted hash rate.
    fn difficulty_after(days: u32, pace: f64) -> f64 {
        let mut draws = seed::generator(5, "blocks");
        let mut chain = Chain::new(0, 1e14, &mut draws);
        let hash_rate = chain.hash_rate_wanted() * pace;
        for _ in 0..days {
            chain.day(hash_rate, &mut draws);
        }
        chain.difficulty / 1e14
    }

    #[test]
    fn a_retarget_brings_blocks_back_to_ten_minutes() {
        for pace in [0.8, 1.0, 1.25, 2.0] {
            let settled = difficulty_after(60, pace);
            assert!((settled / pace - 1.0).abs() < 0.1, "pace {pace}: {settled}");
        }
    }

    #[test]
    fn a_retarget_goes_no_further_than_four_times() {
        // At a hundred times the pace the first period is over within the day.
        let mut draws = seed::generator(5, "blocks");
        let mut chain = Chain::new(0, 1e14, &mut draws);
        let hash_rate = chain.hash_rate_wanted() * 100.0;
        while chain.height < RETARGET_BLOCKS {
            chain.day(hash_rate / 50.0, &mut draws);
        }
        let first = chain.difficulty;
        assert!(first > 1.8e14 && first < 2.2e14, "{first}");
        chain.day(hash_rate, &mut draws);
        assert!(chain.difficulty <= first * 4.0 * 4.0 * 4.0, "{}", chain.difficulty);
        assert_eq!(difficulty_after(1, 20.0), 4.0);
    }

    #[test]
    fn a_petahash_earns_what_settling_says() {
        // The same day as in `settle::mining`: 37.16 USD/PH/day.
        let earned = income(3.143_221, 87_133.51, 148.258e12);
        assert!((earned - 37.16).abs() < 0.01, "{earned}");
        let cost = cost(3.143_221, earned, 148.258e12);
        assert!((cost - 87_133.51).abs() < 0.01, "{cost}");
    }
}
