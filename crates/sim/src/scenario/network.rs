//! The network's hash rate, which answers profit with a lag, and its difficulty.
//!
//! Free entry holds hashprice below what the marginal machine costs to run and buy
//! (Prat and Walter, 2021: an upper bound, since what was bought stays bought): when a
//! PH/s earns more than the breakeven, machines are built over months. They are switched
//! off, over weeks, only when a PH/s earns less than running them costs: a share of the
//! breakeven. In between hash rate stays. Here that is a partial adjustment in
//! logarithms,
//!
//! ```text
//! d ln H / dt = ln(hashprice / breakeven) / lag up           above the breakeven
//!               ln(hashprice / running) / lag down           below what running costs
//! ```
//!
//! With a steady coin the distance then shrinks by e in
//! about a lag, since hashprice falls as hash rate rises, as soon as difficulty has
//! followed. The breakeven falls as machines become better. Difficulty is set anew
//! every 2 016 blocks, at most fourfold, by the time they took; blocks come at the mean
//! pace, without luck.

use settle::mining::{self, subsidy};
use units::{BitcoinPrice, Difficulty, Hashprice, Satoshis};

use super::{DAYS_PER_YEAR, maths};

const RETARGET_BLOCKS: f64 = 2_016.0;
const RETARGET_MAX: f64 = 4.0;
const BLOCK_SECONDS: f64 = 600.0;
const DAY_SECONDS: f64 = 86_400.0;
const HASHES_AT_ONE: f64 = 4_294_967_296.0;

/// Where the network stands, and how it answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Network {
    /// The height of the last block on the plan's first day.
    pub height: u64,
    /// The difficulty then.
    pub difficulty: f64,
    /// What a PH/s has to earn a day for machines to be bought, in USD, then.
    pub breakeven_usd_per_ph_day: f64,
    /// Below what share of that machines are switched off: what running them costs. At
    /// one, hash rate falls as soon as nobody buys.
    pub switch_off_share: f64,
    /// How much less both are a year later, as a share: machines become better.
    pub better_per_year: f64,
    /// How long hash rate takes to come e times nearer when mining pays, in days.
    pub lag_up_days: f64,
    /// The same when it does not.
    pub lag_down_days: f64,
}

/// The chain on one day of one future.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chain {
    /// What a block's subsidy is, in coins.
    pub subsidy_btc: f64,
    /// The day's difficulty.
    pub difficulty: f64,
    /// What a PH/s earned on the day, in USD, subsidy and fees.
    pub hashprice_usd_per_ph_day: f64,
    /// Hashes per second, in EH/s.
    pub network_ehs: f64,
}

impl Chain {
    /// What a PH/s earned on the day as settling works it out, at a coin's price.
    pub fn hashprice(&self, price_usd: f64) -> Hashprice {
        let reward =
            self.hashprice_usd_per_ph_day / (blocks_a_day(self.difficulty) * price_usd);
        mining::hashprice(
            Satoshis::from_satoshis((reward * 1e8).round() as i64),
            BitcoinPrice::from_micro_usd((price_usd * 1e6).round() as i64),
            Difficulty::from_whole(self.difficulty.round() as i64),
        )
    }
}

/// How many blocks a PH/s finds in a day.
fn blocks_a_day(difficulty: f64) -> f64 {
    1e15 * DAY_SECONDS / (difficulty * HASHES_AT_ONE)
}

impl Network {
    /// The path of a future whose coin and fees are told a day at a time.
    pub fn path(self) -> NetworkPath {
        NetworkPath {
            network: self,
            height: self.height as f64,
            difficulty: self.difficulty,
            hash_rate: self.difficulty * HASHES_AT_ONE / BLOCK_SECONDS,
            breakeven: maths::ln(self.breakeven_usd_per_ph_day),
            switch_off: maths::ln(self.switch_off_share),
            better: maths::ln(1.0 - self.better_per_year) / DAYS_PER_YEAR,
            period_days: 0.0,
            period_blocks: (self.height % 2_016) as f64,
            first: true,
        }
    }
}

/// A network in one future.
#[derive(Clone, Debug)]
pub struct NetworkPath {
    network: Network,
    height: f64,
    difficulty: f64,
    hash_rate: f64,
    /// The logarithm of what a PH/s has to earn for machines to be bought.
    breakeven: f64,
    /// What is added to it for machines to be kept running.
    switch_off: f64,
    /// What is added to it a day.
    better: f64,
    /// How long the period has taken, in days, and how many blocks it has.
    period_days: f64,
    period_blocks: f64,
    first: bool,
}

impl NetworkPath {
    /// The next day, at a price of a coin and fees of a block.
    pub fn next_day(&mut self, price_usd: f64, fees_btc_per_block: f64) -> Chain {
        if self.first {
            // What the period had taken before the plan began, at the mean pace.
            self.first = false;
            self.period_days = self.period_blocks * BLOCK_SECONDS / DAY_SECONDS;
        }
        let subsidy_btc = subsidy(self.height as u64 + 1).as_satoshis() as f64 / 1e8;
        let share = blocks_a_day(self.difficulty);
        let hashprice = (subsidy_btc + fees_btc_per_block) * price_usd * share;
        let chain = Chain {
            subsidy_btc,
            difficulty: self.difficulty,
            hashprice_usd_per_ph_day: hashprice,
            network_ehs: self.hash_rate / 1e18,
        };
        self.pass_a_day();
        let gain = maths::ln(hashprice) - self.breakeven;
        let loss = gain - self.switch_off;
        if gain > 0.0 {
            self.hash_rate *= maths::exp(gain / self.network.lag_up_days);
        } else if loss < 0.0 {
            self.hash_rate *= maths::exp(loss / self.network.lag_down_days);
        }
        self.breakeven += self.better;
        chain
    }

    fn pass_a_day(&mut self) {
        let mut left = 1.0;
        loop {
            let per_day =
                self.hash_rate * DAY_SECONDS / (self.difficulty * HASHES_AT_ONE);
            let missing = RETARGET_BLOCKS - self.period_blocks;
            if per_day * left < missing {
                self.period_blocks += per_day * left;
                self.height += per_day * left;
                self.period_days += left;
                return;
            }
            let took = missing / per_day;
            left -= took;
            self.height += missing;
            let days = self.period_days + took;
            let aimed = RETARGET_BLOCKS * BLOCK_SECONDS / DAY_SECONDS;
            let factor = (aimed / days).clamp(1.0 / RETARGET_MAX, RETARGET_MAX);
            self.difficulty *= factor;
            self.period_days = 0.0;
            self.period_blocks = 0.0;
        }
    }
}
