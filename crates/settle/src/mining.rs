//! Mining pay: from difficulty, reward and price to dollars for hashes.
//!
//! The chain pays `R` bitcoin a block and a block takes `D * 2^32` hashes on
//! average, so a petahash per second earns in a day
//!
//! ```text
//! hashprice = 10^15 * 86 400 * R * P / (D * 2^32)
//! ```
//!
//! with `R` the subsidy and the mean fees of a block, and `P` the price. A pool
//! that pays FPPS pays that, less its fee, whether or not it finds blocks.
//! Source: the Bitcoin protocol (expected hashes per block, subsidy schedule).

use units::{BitcoinPrice, Difficulty, Hashes, Hashprice, Money, Satoshis, Share};

/// Blocks between two halvings of the subsidy.
pub const HALVING_BLOCKS: u64 = 210_000;

/// The subsidy of the block at `height`: 50 BTC, halved every 210 000 blocks.
pub fn subsidy(height: u64) -> Satoshis {
    let halvings = u32::try_from(height / HALVING_BLOCKS).unwrap_or(u32::MAX);
    Satoshis::from_satoshis(5_000_000_000_i64.checked_shr(halvings).unwrap_or(0))
}

/// What a petahash per second earns in a day at `difficulty`, when a block
/// carries `reward` and a coin costs `price`. Rounded half to even.
pub fn hashprice(
    reward: Satoshis,
    price: BitcoinPrice,
    difficulty: Difficulty,
) -> Hashprice {
    assert!(difficulty.as_whole() > 0, "a difficulty is positive");
    // 10^15 * 86 400 / (10^8 * 2^32), reduced: 52 734 375 / 262 144.
    const NUMERATOR: i128 = 52_734_375;
    const DENOMINATOR: i128 = 262_144;
    let exact =
        i128::from(reward.as_satoshis()) * i128::from(price.as_micro_usd()) * NUMERATOR;
    let divisor = DENOMINATOR * i128::from(difficulty.as_whole());
    let twice_rounded = (2 * exact + divisor).div_euclid(2 * divisor);
    let micro = i64::try_from(twice_rounded).expect("a hashprice fits in 64 bits");
    Hashprice::from_micro_usd_per_ph_day(micro)
}

/// What a pool pays for `hashes` at `hashprice` after its fee, rounded once.
pub fn pay(hashes: Hashes, hashprice: Hashprice, pool_fee: Share) -> Money {
    hashprice.share_of(hashes, pool_fee.rest())
}

#[cfg(test)]
mod tests {
    use super::*;
    use units::{Efficiency, HashRate};

    /// Coin Metrics, 2025-12-29: network 1 134 974 870.44 TH/s, 154 blocks,
    /// 481.25 BTC issued, 2.80614 BTC of fees, 87 133.51 USD.
    fn december_29() -> Hashprice {
        let network = HashRate::from_ghs(1_134_974_870_440);
        let difficulty = Difficulty::implied(network, 154);
        assert_eq!(difficulty.as_whole() / 1_000_000_000, 148_258);
        let paid = Satoshis::parse_btc("481.25").unwrap()
            + Satoshis::parse_btc("2.80614").unwrap();
        let reward = paid.among(154);
        assert_eq!(reward.as_satoshis() / 100, 3_143_221);
        hashprice(reward, BitcoinPrice::parse_usd("87133.51").unwrap(), difficulty)
    }

    #[test]
    fn the_worked_day_pays_what_was_published() {
        assert_eq!(december_29().as_micro_usd_per_ph_day() / 1_000, 37_161);
        assert_eq!(december_29().to_string(), "37.16 USD/PH/day");
    }

    #[test]
    fn the_worked_day_breaks_even_where_it_was_published() {
        let published = [
            (21_500, "72.0"),
            (17_500, "88.5"),
            (15_000, "103.2"),
            (13_500, "114.7"),
            (12_000, "129.0"),
            (9_500, "163.0"),
        ];
        for (mj_per_th, usd_per_mwh) in published {
            let earned =
                december_29().earned_per_mwh(Efficiency::from_mj_per_th(mj_per_th));
            assert_eq!(earned.to_usd_per_mwh_text(1), usd_per_mwh, "{mj_per_th} mJ/TH");
        }
    }

    #[test]
    fn the_subsidy_halves_by_height() {
        let cases = [
            (0, 5_000_000_000),
            (209_999, 5_000_000_000),
            (840_000, 312_500_000),
            (1_049_999, 312_500_000),
            (1_050_000, 156_250_000),
            (210_000 * 40, 0),
            (u64::MAX, 0),
        ];
        for (height, satoshis) in cases {
            assert_eq!(subsidy(height).as_satoshis(), satoshis, "height {height}");
        }
    }

    #[test]
    fn a_pool_keeps_its_fee() {
        let day = HashRate::from_ghs(1_000_000) * units::Seconds::hours(24);
        let hashprice = Hashprice::from_micro_usd_per_ph_day(50_000_000);
        assert_eq!(pay(day, hashprice, Share::from_ppm(20_000)), Money::from_usd(49));
    }
}
