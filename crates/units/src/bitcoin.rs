//! What bitcoin counts in: satoshis, dollars per coin, and difficulty.

use crate::compute::HashRate;
use crate::decimal;
use crate::decimal::DecimalError;
use crate::quantity::{div_half_even, narrow, quantity};

quantity!(
    /// Bitcoin, in satoshis: hundred-millionths of a coin.
    Satoshis(i64)
);

quantity!(
    /// What a whole bitcoin costs, in millionths of a dollar.
    BitcoinPrice(i64)
);

quantity!(
    /// How hard a block is: expected hashes per block are this times 2^32.
    /// Whole, because the fraction is below one part in 10^14 today.
    Difficulty(i64)
);

impl Satoshis {
    /// So many satoshis.
    pub const fn from_satoshis(satoshis: i64) -> Self {
        Self(satoshis)
    }

    /// Reads bitcoin written in decimal, rounding to the satoshi.
    pub fn parse_btc(text: &str) -> Result<Self, DecimalError> {
        decimal::rounded(text, 8).map(Self)
    }

    /// The satoshis.
    pub const fn as_satoshis(self) -> i64 {
        self.0
    }

    /// An even share among `count`, rounded half to even.
    pub fn among(self, count: i64) -> Self {
        Self(narrow(div_half_even(i128::from(self.0), i128::from(count))))
    }
}

impl std::fmt::Display for Satoshis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("{} BTC", decimal::text(i128::from(self.0), 8, 8)))
    }
}

impl BitcoinPrice {
    /// So many millionths of a dollar a coin.
    pub const fn from_micro_usd(micro: i64) -> Self {
        Self(micro)
    }

    /// Reads dollars a coin written in decimal, rounding to the millionth.
    pub fn parse_usd(text: &str) -> Result<Self, DecimalError> {
        decimal::rounded(text, 6).map(Self)
    }

    /// The millionths of a dollar a coin.
    pub const fn as_micro_usd(self) -> i64 {
        self.0
    }
}

impl std::fmt::Display for BitcoinPrice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("{} USD/BTC", decimal::text(i128::from(self.0), 6, 2)))
    }
}

impl Difficulty {
    /// A difficulty, whole.
    pub const fn from_whole(whole: i64) -> Self {
        Self(whole)
    }

    /// Reads a difficulty written in decimal, rounding to the whole.
    pub fn parse(text: &str) -> Result<Self, DecimalError> {
        decimal::rounded(text, 0).map(Self)
    }

    /// The difficulty a day's hash rate estimate came from: the network's rate
    /// as published is `D * 2^32 * blocks / 86 400`, so this undoes it.
    pub fn implied(network: HashRate, blocks: i64) -> Self {
        let hashes = i128::from(network.as_ghs()) * 1_000_000_000 * 86_400;
        Self(narrow(div_half_even(hashes, i128::from(blocks) << 32)))
    }

    /// The difficulty, whole.
    pub const fn as_whole(self) -> i64 {
        self.0
    }
}

impl std::fmt::Display for Difficulty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("difficulty {}", self.0))
    }
}
