//! Bitcoin, day by day: price, miners and chain answering each other.

mod chain;
mod fees;
mod miners;
mod price;

use settle::mining::subsidy;
use units::{BitcoinPrice, Difficulty, HashRate, Satoshis, Timestamp};

use super::{DAY, usual_start};
use crate::seed;
use chain::Chain;
use fees::Fees;
use miners::Miners;
use price::Price;

/// Bitcoin's figures of one UTC day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BitcoinDay {
    /// The day's first instant.
    pub day: Timestamp,
    /// What a coin cost, in whole cents.
    pub price: BitcoinPrice,
    /// The difficulty of the day's last block.
    pub difficulty: Difficulty,
    /// The network's hash rate as its blocks show it, so noisy by their luck:
    /// the hashes the day's blocks stand for, over the day.
    pub network: HashRate,
    /// What the day's transactions paid to have been included.
    pub fees: Satoshis,
    /// How many blocks the day had.
    pub blocks: u32,
    /// The height of the day's last block.
    pub height: u64,
}

/// What a coin cost on 2025-01-01, about, in USD.
const PRICE_FIRST: f64 = 95_000.0;

/// The difficulty of 2025-01-01, about.
const DIFFICULTY_FIRST: f64 = 1.1e14;

/// The height at the start of 2025, about.
const HEIGHT_FIRST: i64 = 876_000;

/// Blocks a day at the pace the protocol aims for.
const BLOCKS_PER_DAY: i64 = 144;

/// The rows of `days` days from `start`, a midnight.
pub(super) fn days(seed: u64, start: Timestamp, days: i64) -> Vec<BitcoinDay> {
    let mut price_draws = seed::generator(seed, "price");
    let mut miner_draws = seed::generator(seed, "miners");
    let mut block_draws = seed::generator(seed, "blocks");
    let mut fee_draws = seed::generator(seed, "fees");

    let age = (start - usual_start()).as_seconds() / DAY.as_seconds();
    let height = (HEIGHT_FIRST + BLOCKS_PER_DAY * age).max(0);
    let mut chain = Chain::new(height.unsigned_abs(), DIFFICULTY_FIRST, &mut block_draws);
    let mut price = Price::new(PRICE_FIRST);
    let mut fees = Fees::new(&mut fee_draws);
    let reward = coins(subsidy(chain.height)) + fees.usual_per_block();
    let income = chain::income(reward, PRICE_FIRST, chain.difficulty);
    let mut miners = Miners::new(chain.hash_rate_wanted(), income, &mut miner_draws);

    let starts = std::iter::successors(Some(start), |day| Some(*day + DAY));
    let rows = starts.take(days as usize).map(|day| {
        let reward = coins(subsidy(chain.height + 1)) + fees.usual_per_block();
        let cost = chain::cost(reward, miners.breakeven(), chain.difficulty);
        let usd = price.day(cost, &mut price_draws);
        let income = chain::income(reward, usd, chain.difficulty);
        let hash_rate = miners.day(income, &mut miner_draws);
        let mined = chain.day(hash_rate, &mut block_draws);
        BitcoinDay {
            day,
            price: BitcoinPrice::from_micro_usd((usd * 100.0).round() as i64 * 10_000),
            difficulty: Difficulty::from_whole(mined.difficulty as i64),
            network: HashRate::from_ghs((mined.hashes / 86_400.0 / 1e9).round() as i64),
            fees: fees.day(mined.blocks, &mut fee_draws),
            blocks: mined.blocks,
            height: chain.height,
        }
    });
    rows.collect()
}

fn coins(satoshis: Satoshis) -> f64 {
    satoshis.as_satoshis() as f64 / 1e8
}
