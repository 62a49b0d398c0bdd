//! Draws by counter: each is a function of what it is for, not of what came before.

use super::maths;
use crate::seed;

/// The draws of one factor of one path, by step.
///
/// Counter-based (Salmon and others, 2011): the state is the key, and a draw the
/// finisher of SplitMix64 over key and step, so a path can be drawn on any machine
/// in any order, and two plans with the same seed meet the same futures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draws {
    key: u64,
}

impl Draws {
    /// The draws of a factor, such as `power`, on a path of what `seed` grows.
    pub fn of(seed: u64, path: u64, factor: &str) -> Self {
        Self { key: seed::numbered(seed::sub_seed(seed, factor), path) }
    }

    /// The draws of one of several like parts of the factor.
    pub fn part(self, number: u64) -> Self {
        Self { key: seed::numbered(self.key, number) }
    }

    /// A float strictly between nought and one, each as likely as the next.
    #[inline]
    pub fn unit(self, step: u64) -> f64 {
        const STEP: f64 = 1.0 / (1_u64 << 53) as f64;
        ((seed::numbered(self.key, step) >> 11) as f64 + 0.5) * STEP
    }

    /// A draw from a bell curve of mean 0 and deviation 1.
    #[inline]
    pub fn bell(self, step: u64) -> f64 {
        maths::bell_quantile(self.unit(step))
    }

    /// A waiting time of mean 1, each instant as likely as the next.
    pub fn wait(self, step: u64) -> f64 {
        -maths::ln(self.unit(step))
    }

    /// How often something happened that does so `mean` times on average: by
    /// inversion, so of one draw; beyond a mean of 30 the nearest whole number of the
    /// bell curve.
    pub fn count(self, step: u64, mean: f64) -> u32 {
        if mean <= 0.0 {
            return 0;
        }
        if mean > 30.0 {
            return (mean + mean.sqrt() * self.bell(step)).round().max(0.0) as u32;
        }
        let unit = self.unit(step);
        let mut share = maths::exp(-mean);
        let (mut below, mut count) = (share, 0);
        while unit > below && count < 200 {
            count += 1;
            share *= mean / f64::from(count);
            below += share;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: u64 = 200_000;

    fn mean(of: impl Fn(u64) -> f64) -> f64 {
        (0..STEPS).map(of).sum::<f64>() / STEPS as f64
    }

    #[test]
    fn a_draw_depends_on_seed_path_factor_and_step_alone() {
        // Written down once: another version of the program must draw the same.
        let draws = Draws::of(7, 3, "power");
        assert_eq!(draws.unit(11), 0.571_929_594_998_446_2);
        let others = [
            Draws::of(8, 3, "power").unit(11),
            Draws::of(7, 4, "power").unit(11),
            Draws::of(7, 3, "coin").unit(11),
            draws.unit(12),
            draws.part(0).unit(11),
            draws.part(1).unit(11),
        ];
        let mut bits: Vec<u64> = others.iter().map(|draw| draw.to_bits()).collect();
        bits.push(draws.unit(11).to_bits());
        bits.sort_unstable();
        bits.dedup();
        assert_eq!(bits.len(), 7);
    }

    #[test]
    fn draws_have_the_moments_of_their_laws() {
        let draws = Draws::of(1, 0, "moments");
        let near = |found: f64, expected: f64, deviation: f64| {
            // Four standard errors.
            let most = 4.0 * deviation / (STEPS as f64).sqrt();
            assert!((found - expected).abs() < most, "{found} for {expected}");
        };
        near(mean(|step| draws.unit(step)), 0.5, (1.0_f64 / 12.0).sqrt());
        near(mean(|step| draws.bell(step)), 0.0, 1.0);
        near(mean(|step| draws.bell(step) * draws.bell(step)), 1.0, 2.0_f64.sqrt());
        near(mean(|step| draws.wait(step)), 1.0, 1.0);
        near(mean(|step| draws.bell(step) * draws.bell(step + 1)), 0.0, 1.0);
        let other = Draws::of(1, 1, "moments");
        near(mean(|step| draws.bell(step) * other.bell(step)), 0.0, 1.0);
        for rate in [0.02, 3.5, 270.0] {
            near(mean(|step| f64::from(draws.count(step, rate))), rate, rate.sqrt());
            let square = |step| (f64::from(draws.count(step, rate)) - rate).powi(2);
            near(mean(square), rate, (rate + 2.0 * rate * rate).sqrt());
        }
        assert_eq!(draws.count(0, 0.0), 0);
    }
}
