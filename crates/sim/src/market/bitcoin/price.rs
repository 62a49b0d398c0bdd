//! What a coin costs from day to day.

use crate::market::draw::{bell, between, happens};
use crate::seed::Generator;

/// A price with moods.
#[derive(Clone, Debug)]
pub(super) struct Price {
    usd: f64,
    first: f64,
    days: f64,
    mood: Mood,
}

/// What buyers and sellers expect.
#[derive(Clone, Copy, Debug)]
enum Mood {
    Quiet,
    Rising,
    Falling,
}

/// How fast the level that the price comes back to rises, as a simple rate a
/// year. An assumption, and no forecast.
const RISE_PER_YEAR: f64 = 0.15;

/// How much of its distance to that level the price makes up in a day.
const PULL: f64 = 0.004;

/// The chance that a mood ends on a day: a quiet one lasts two months, the
/// others about six weeks.
const QUIET_ENDS: f64 = 1.0 / 60.0;
const OTHERS_END: f64 = 1.0 / 45.0;

/// The chance of a day that makes the news.
const SHOCK: f64 = 0.008;

impl Price {
    /// A price that starts at so many USD.
    pub(super) fn new(usd: f64) -> Self {
        Self { usd, first: usd, days: 0.0, mood: Mood::Quiet }
    }

    /// Moves a day on, when a coin costs `cost` USD to mine.
    pub(super) fn day(&mut self, cost: f64, draws: &mut Generator) -> f64 {
        self.days += 1.0;
        self.mood = next(self.mood, draws);
        let (drift, width) = match self.mood {
            Mood::Quiet => (0.000_2, 0.018),
            Mood::Rising => (0.002_2, 0.030),
            Mood::Falling => (-0.002_4, 0.036),
        };
        // Half way, as a ratio, between where it rises to and what a coin costs.
        let trend = self.first * (1.0 + RISE_PER_YEAR * self.days / 365.0);
        let level = (trend * cost).sqrt();
        let pull = (PULL * (level / self.usd - 1.0)).clamp(-0.01, 0.01);
        let mut change = drift + pull + width * bell(draws);
        if happens(draws, SHOCK) {
            change += between(draws, -0.16, 0.15);
        }
        self.usd *= 1.0 + change.clamp(-0.30, 0.30);
        self.usd
    }
}

fn next(mood: Mood, draws: &mut Generator) -> Mood {
    match mood {
        Mood::Quiet if !happens(draws, QUIET_ENDS) => Mood::Quiet,
        Mood::Quiet if happens(draws, 0.5) => Mood::Rising,
        Mood::Quiet => Mood::Falling,
        Mood::Rising | Mood::Falling if !happens(draws, OTHERS_END) => mood,
        Mood::Rising | Mood::Falling => Mood::Quiet,
    }
}
