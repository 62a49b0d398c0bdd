//! Draws with a shape, made of uniform ones without any library function.

use crate::seed::Generator;

/// A draw from a bell curve of mean 0 and deviation 1, cut off near 4.9.
///
/// The sum of eight uniform draws of 16 bits (Irwin and Hall).
pub(super) fn bell(generator: &mut Generator) -> f64 {
    const DRAWS: f64 = 8.0;
    const WIDTH: f64 = 65_536.0;
    let sixteenths = |word: u64| {
        (word & 0xffff) + (word >> 16 & 0xffff) + (word >> 32 & 0xffff) + (word >> 48)
    };
    let sum = sixteenths(generator.next_u64()) + sixteenths(generator.next_u64());
    // The mean of one draw is (WIDTH - 1) / 2, its variance nearly WIDTH^2 / 12.
    let deviation = WIDTH * (DRAWS / 12.0).sqrt();
    (sum as f64 - DRAWS * (WIDTH - 1.0) / 2.0) / deviation
}

/// A waiting time of mean 1, each instant as likely as the next.
///
/// Von Neumann's method (1951): compares uniform draws, takes no logarithm.
pub(super) fn wait(generator: &mut Generator) -> f64 {
    let mut whole = 0.0;
    loop {
        let first = generator.unit();
        let mut last = first;
        let mut falling = 1_u32;
        loop {
            let next = generator.unit();
            if next >= last {
                break;
            }
            last = next;
            falling += 1;
        }
        if falling % 2 == 1 {
            return whole + first;
        }
        whole += 1.0;
    }
}

/// A draw between two values, each as likely as the next.
pub(super) fn between(generator: &mut Generator, low: f64, high: f64) -> f64 {
    low + (high - low) * generator.unit()
}

/// Whether something of this probability happens.
pub(super) fn happens(generator: &mut Generator, probability: f64) -> bool {
    generator.unit() < probability
}

/// A value that wanders about nought and forgets: a first-order autoregression.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wander {
    value: f64,
    keep: f64,
    kick: f64,
}

impl Wander {
    /// Starts anywhere it could be. Keeps the share `keep` of itself at each
    /// step, and has a deviation of 1.
    pub(super) fn new(keep: f64, generator: &mut Generator) -> Self {
        Self { value: bell(generator), keep, kick: (1.0 - keep * keep).sqrt() }
    }

    /// Moves a step on.
    pub(super) fn step(&mut self, generator: &mut Generator) -> f64 {
        self.value = self.keep * self.value + self.kick * bell(generator);
        self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed;

    /// Mean, variance, and the shares beyond 1 and 2.
    fn moments(draw: impl Fn(&mut Generator) -> f64) -> [f64; 4] {
        const COUNT: u32 = 200_000;
        let mut generator = seed::generator(3, "moments");
        let draws: Vec<f64> = (0..COUNT).map(|_| draw(&mut generator)).collect();
        let mean = draws.iter().sum::<f64>() / f64::from(COUNT);
        let spread = draws.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>();
        let beyond = |limit: f64| {
            draws.iter().filter(|x| **x > limit).count() as f64 / f64::from(COUNT)
        };
        [mean, spread / f64::from(COUNT), beyond(1.0), beyond(2.0)]
    }

    fn check(drawn: [f64; 4], expected: [f64; 4]) {
        for (drawn, expected) in drawn.into_iter().zip(expected) {
            assert!((drawn - expected).abs() < 0.01, "{drawn} for {expected}");
        }
    }

    #[test]
    fn a_bell_has_the_tails_of_one() {
        check(moments(bell), [0.0, 1.0, 0.159, 0.023]);
    }

    #[test]
    fn a_wait_is_exponential() {
        check(moments(wait), [1.0, 1.0, 0.368, 0.135]);
    }

    #[test]
    fn a_wander_keeps_its_width() {
        let mut generator = seed::generator(3, "wander");
        let mut wander = Wander::new(0.9, &mut generator);
        let squares: f64 = (0..100_000)
            .map(|_| wander.step(&mut generator))
            .map(|value| value * value)
            .sum();
        assert!((squares / 100_000.0 - 1.0).abs() < 0.05, "{squares}");
    }
}
