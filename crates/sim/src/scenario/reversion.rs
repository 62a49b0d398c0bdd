//! A value that is pulled back to its level: the Ornstein-Uhlenbeck process.
//!
//! Over a time t it keeps the share exp(-pull t) of its distance, and gathers the
//! variance width^2 / (2 pull) (1 - exp(-2 pull t)). Both are exact for any step, so a
//! step of a day and one of an hour draw the same law.

use super::maths;

/// How a value is pulled and how widely it is kicked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reversion {
    /// How fast it comes back, a year: it has come half way after ln 2 over this.
    pub pull_per_year: f64,
    /// How widely it moves in a year, were it not pulled.
    pub width_per_root_year: f64,
}

impl Reversion {
    /// One that comes half way back in `half_life_years` and strays by `deviation`
    /// from its level in the long run.
    pub fn of(half_life_years: f64, deviation: f64) -> Self {
        let pull = std::f64::consts::LN_2 / half_life_years;
        Self { pull_per_year: pull, width_per_root_year: deviation * (2.0 * pull).sqrt() }
    }

    /// How far it strays from its level in the long run.
    pub fn deviation(&self) -> f64 {
        self.width_per_root_year / (2.0 * self.pull_per_year).sqrt()
    }

    /// How the logarithm of a value wanders, where the value strays from one as this says.
    ///
    /// A lognormal of mean one and deviation c has a logarithm of variance ln(1 + c^2).
    pub fn of_logarithm(&self) -> Self {
        let strays = self.deviation();
        let half_life = std::f64::consts::LN_2 / self.pull_per_year;
        Self::of(half_life, maths::ln(1.0 + strays * strays).sqrt())
    }

    /// The same over steps of so many years.
    pub fn stepping(&self, years: f64) -> Stepping {
        let keep = maths::exp(-self.pull_per_year * years);
        Stepping { keep, kick: self.deviation() * (1.0 - keep * keep).sqrt() }
    }
}

/// A reversion over steps of one length.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stepping {
    /// The share of a distance that is left.
    pub keep: f64,
    /// The deviation that is gathered.
    pub kick: f64,
}

impl Stepping {
    /// The distance from the level a step on, for a draw of the bell curve.
    #[inline]
    pub fn step(&self, distance: f64, bell: f64) -> f64 {
        self.keep * distance + self.kick * bell
    }
}
