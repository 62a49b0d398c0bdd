//! Random numbers as a tree: one generator per part, all grown from one seed.
//!
//! Each part of a simulated world draws from its own [`Generator`], made from
//! the seed and the part's name. A part that draws more, or a new part, leaves
//! every other part as it was: adding a rig does not change the weather.
//!
//! ```
//! let mut weather = sim::seed::generator(7, "weather");
//! let mut faults = sim::seed::generator(7, "faults");
//! assert_ne!(weather.next_u64(), faults.next_u64());
//! assert!((1..=6).contains(&faults.integer(1..=6)));
//! ```
//!
//! Invariant: the same seed and name give the same draws on every machine. Only
//! integers and `+ - *` on floats are used, and the generator is PCG64
//! (XSL-RR 128/64) set up from numbers made here, not by a library's choice.

use std::ops::RangeInclusive;

use rand_core::Rng;
use rand_pcg::Pcg64;

const MILLION: u64 = 1_000_000;

/// The seed of one part of what `seed` grows; a part may have parts of its own.
pub fn sub_seed(seed: u64, part: &str) -> u64 {
    // FNV-1a (Fowler, Noll and Vo) over the name, started from the mixed seed.
    let start = mix(seed ^ 0xcbf2_9ce4_8422_2325);
    let hash = part.bytes().fold(start, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    mix(hash)
}

/// The generator of one part of what `seed` grows.
pub fn generator(seed: u64, part: &str) -> Generator {
    let own = sub_seed(seed, part);
    let word = |place: u64| u128::from(mix(own.wrapping_add(place.wrapping_mul(GOLDEN))));
    Generator(Pcg64::new(word(1) << 64 | word(2), word(3) << 64 | word(4)))
}

/// One of many numbers under a seed, each by itself: the output of SplitMix64 that
/// starts at `seed`, so many steps on.
#[inline]
pub fn numbered(seed: u64, number: u64) -> u64 {
    mix(seed.wrapping_add(number.wrapping_add(1).wrapping_mul(GOLDEN)))
}

/// Steps that spread well over 64 bits: 2^64 over the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Spreads every bit of a number over all of it: the finisher of SplitMix64
/// (Steele, Lea and Flood, 2014).
#[inline]
fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// Draws for one part of a simulated world.
#[derive(Clone, Debug)]
pub struct Generator(Pcg64);

impl Generator {
    /// Sixty-four random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A whole number in `range`, each as likely as the next.
    ///
    /// Panics on an empty range, and on one of all 2^64 numbers.
    pub fn integer(&mut self, range: RangeInclusive<i64>) -> i64 {
        let (low, high) = (*range.start(), *range.end());
        assert!(low <= high, "a range to draw from is not empty");
        let span = high.abs_diff(low).checked_add(1).expect("a range below 2^64");
        low.wrapping_add_unsigned(self.below(span))
    }

    /// A whole number below `bound`, each as likely as the next.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "something lies below the bound");
        // Lemire's method: the high half of a product, and the few low halves
        // that would favour some numbers drawn again.
        let unfair = bound.wrapping_neg() % bound;
        loop {
            let product = u128::from(self.next_u64()) * u128::from(bound);
            if product as u64 >= unfair {
                return (product >> 64) as u64;
            }
        }
    }

    /// Whether something happens that does so `ppm` times in a million.
    pub fn chance(&mut self, ppm: u32) -> bool {
        self.below(MILLION) < u64::from(ppm)
    }

    /// One of `choices`, each as likely as the next.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as u64) as usize]
    }

    /// A float in `[0, 1)`, a multiple of 2^-53, so that it is exact.
    pub fn unit(&mut self) -> f64 {
        const STEP: f64 = 1.0 / (1_u64 << 53) as f64;
        (self.next_u64() >> 11) as f64 * STEP
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_keeps_its_draws() {
        // Written down once: another version of the program must draw the same.
        let draws = |seed, part| {
            let mut generator = generator(seed, part);
            [generator.next_u64(), generator.next_u64()]
        };
        assert_eq!(
            draws(7, "weather"),
            [8_883_168_620_247_080_471, 17_152_165_414_218_975_139]
        );
        assert_ne!(draws(7, "weather"), draws(8, "weather"));
        assert_ne!(draws(7, "weather"), draws(7, "weathers"));
        assert_ne!(draws(0, ""), draws(1, ""));
        assert_ne!(
            sub_seed(sub_seed(7, "site"), "rigs"),
            sub_seed(sub_seed(7, "rigs"), "site")
        );
    }

    #[test]
    fn every_number_of_a_range_comes_up_about_as_often() {
        let mut generator = generator(1, "dice");
        let mut seen = [0_u32; 6];
        for _ in 0..60_000 {
            seen[(generator.integer(-3..=2) + 3) as usize] += 1;
        }
        for (face, count) in seen.into_iter().enumerate() {
            assert!((9_500..10_500).contains(&count), "face {face}: {count}");
        }
        assert_eq!(generator.integer(5..=5), 5);
        assert_eq!(generator.integer(i64::MIN..=i64::MIN), i64::MIN);
        assert!(generator.integer(i64::MIN + 1..=i64::MAX) > i64::MIN);
    }

    #[test]
    fn a_chance_is_taken_as_often_as_it_says() {
        let mut generator = generator(1, "coin");
        let cases = [(0, 0, 0), (1_000_000, 100_000, 100_000), (250_000, 24_400, 25_600)];
        for (ppm, low, high) in cases {
            let taken = (0..100_000).filter(|_| generator.chance(ppm)).count();
            assert!((low..=high).contains(&taken), "{ppm} ppm: {taken}");
        }
    }

    #[test]
    fn a_unit_float_stays_below_one_and_has_the_middle_as_its_mean() {
        let mut generator = generator(1, "unit");
        let mut total = 0.0;
        for _ in 0..100_000 {
            let draw = generator.unit();
            assert!((0.0..1.0).contains(&draw));
            total += draw;
        }
        assert!((total / 100_000.0 - 0.5_f64).abs() < 0.01, "{total}");
    }

    #[test]
    fn a_pick_reaches_every_choice() {
        let mut generator = generator(1, "pick");
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..100 {
            seen.insert(*generator.pick(&["rigs", "racks", "battery"]));
        }
        assert_eq!(seen.len(), 3);
    }
}
