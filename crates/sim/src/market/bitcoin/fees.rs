//! What transactions pay: little on most days, much in a rush.

use units::Satoshis;

use crate::market::draw::{Wander, between, happens};
use crate::market::shape::along;
use crate::seed::Generator;

/// Fees with quiet days and rushes.
#[derive(Clone, Debug)]
pub(super) struct Fees {
    level: Wander,
    /// What a rush multiplies fees by, less one; fades.
    rush: f64,
}

/// What a day of 144 blocks pays on a usual day, in coins: about the middle of
/// 2025.
const USUAL_PER_DAY: f64 = 4.2;

/// What quiet days come to against usual, from deviations.
const LEVEL: [(f64, f64); 5] =
    [(-3.0, 0.45), (-1.0, 0.72), (0.0, 1.0), (1.0, 1.45), (3.0, 3.2)];

/// The chance that a rush begins on a day: about one a year.
const RUSH_BEGINS: f64 = 1.0 / 300.0;

/// How much of a rush is left the next day.
const RUSH_KEEP: f64 = 0.82;

impl Fees {
    pub(super) fn new(draws: &mut Generator) -> Self {
        Self { level: Wander::new(0.97, draws), rush: 0.0 }
    }

    /// What miners reckon with for a block, in coins.
    pub(super) fn usual_per_block(&self) -> f64 {
        USUAL_PER_DAY / 144.0
    }

    /// What a day of so many blocks pays.
    pub(super) fn day(&mut self, blocks: u32, draws: &mut Generator) -> Satoshis {
        self.rush *= RUSH_KEEP;
        if happens(draws, RUSH_BEGINS) {
            // A square, so that most are small.
            let size = draws.unit();
            self.rush += 2.0 + 60.0 * size * size;
        }
        let quiet = along(&LEVEL, self.level.step(draws)) * between(draws, 0.85, 1.15);
        let coins = USUAL_PER_DAY / 144.0 * f64::from(blocks) * quiet * (1.0 + self.rush);
        Satoshis::from_satoshis((coins * 1e8).round() as i64)
    }
}
