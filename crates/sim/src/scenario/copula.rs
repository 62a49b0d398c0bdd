//! Factors that move together: a Gaussian copula over the draws of each day.
//!
//! Each factor keeps its own law. What is shared is the bell curve that its day is drawn
//! from: with a correlation matrix R = L L', L lower triangular (Cholesky), the draws of
//! a day are L times as many independent ones. With no correlations L is the identity,
//! and every draw is what it was alone.

use super::draw::Draws;

/// What may move together, day by day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Factor {
    /// A coin's price, jumps apart.
    Coin,
    /// What a block's transactions pay.
    Fees,
    /// The level of power prices.
    Power,
    /// What a GPU-hour rents for, launches apart.
    Rent,
}

/// How many there are.
pub const FACTORS: usize = 4;

impl Factor {
    /// Every factor, in the order of a matrix.
    pub const ALL: [Self; FACTORS] = [Self::Coin, Self::Fees, Self::Power, Self::Rent];

    /// What its draws are for.
    const fn drawn_for(self) -> &'static str {
        match self {
            Self::Coin => "coin",
            Self::Fees => "fees",
            Self::Power => "fuel",
            Self::Rent => "rent",
        }
    }

    /// The step of its draw on a day of the plan, of which 0 is the first: fees draw where
    /// they stand before that, and power counts days since 1970.
    const fn step(self, day: u64, first_day: u64) -> u64 {
        match self {
            Self::Coin | Self::Rent => day,
            Self::Fees => day + 1,
            Self::Power => day + first_day,
        }
    }
}

/// How factors move together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Copula {
    lower: [[f64; FACTORS]; FACTORS],
}

impl Copula {
    /// Each by itself.
    pub const APART: Self = {
        let mut lower = [[0.0; FACTORS]; FACTORS];
        let mut at = 0;
        while at < FACTORS {
            lower[at][at] = 1.0;
            at += 1;
        }
        Self { lower }
    };

    /// By correlations, of which those below the diagonal are read; `None` where no draws
    /// can have all of them at once.
    pub fn of(correlations: &[[f64; FACTORS]; FACTORS]) -> Option<Self> {
        let mut lower = [[0.0; FACTORS]; FACTORS];
        for row in 0..FACTORS {
            for column in 0..=row {
                let told = if row == column { 1.0 } else { correlations[row][column] };
                let before: f64 =
                    (0..column).map(|at| lower[row][at] * lower[column][at]).sum();
                let left = told - before;
                if row != column {
                    lower[row][column] = left / lower[column][column];
                } else if left > 1e-9 {
                    lower[row][row] = left.sqrt();
                } else {
                    return None;
                }
            }
        }
        Some(Self { lower })
    }

    /// The draws of a factor on a path whose first day is so many days after 1970.
    pub fn draws(&self, of: Factor, seed: u64, path: u64, first_day: u64) -> Together {
        let all = Factor::ALL.map(|factor| Draws::of(seed, path, factor.drawn_for()));
        let row = self.lower[of as usize];
        let is_alone = row.iter().enumerate().all(|(at, weight)| {
            let own = at == of as usize;
            *weight == if own { 1.0 } else { 0.0 }
        });
        Together { of, all, row, is_alone, first_day, own: None }
    }
}

/// The draws of one factor, day by day of a plan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Together {
    of: Factor,
    all: [Draws; FACTORS],
    row: [f64; FACTORS],
    is_alone: bool,
    first_day: u64,
    /// How much of these draws another is made of, and what the rest of it is.
    own: Option<(f64, Draws)>,
}

impl Together {
    /// Draws that share so much with these, as a correlation; the rest is `own`.
    #[must_use]
    pub fn beside(self, correlation: f64, own: Draws) -> Self {
        Self { own: Some((correlation, own)), ..self }
    }

    /// The draw of a day from a bell curve of mean 0 and deviation 1.
    pub fn bell(&self, day: u64) -> f64 {
        let shared = self.shared(day);
        match self.own {
            None => shared,
            Some((correlation, own)) => {
                let rest = (1.0 - correlation * correlation).sqrt();
                correlation * shared + rest * own.bell(self.of.step(day, self.first_day))
            }
        }
    }

    fn shared(&self, day: u64) -> f64 {
        let own = |factor: Factor| {
            self.all[factor as usize].bell(factor.step(day, self.first_day))
        };
        if self.is_alone {
            return own(self.of);
        }
        let parts =
            Factor::ALL.into_iter().filter(|factor| self.row[*factor as usize] != 0.0);
        parts.map(|factor| self.row[factor as usize] * own(factor)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAYS: u64 = 100_000;

    /// Coin and fees, coin and power, coin and rent; fees and power, fees and rent; power
    /// and rent.
    fn matrix(of: [f64; 6]) -> [[f64; FACTORS]; FACTORS] {
        let [cf, cp, cr, fp, fr, pr] = of;
        [[1.0, cf, cp, cr], [cf, 1.0, fp, fr], [cp, fp, 1.0, pr], [cr, fr, pr, 1.0]]
    }

    #[test]
    fn draws_have_the_correlations_that_were_told_and_variance_one() {
        let told = matrix([0.5, -0.3, 0.7, 0.2, 0.4, -0.1]);
        let copula = Copula::of(&told).expect("they can be had at once");
        let draws = Factor::ALL.map(|factor| copula.draws(factor, 5, 2, 20_454));
        for one in 0..FACTORS {
            for other in 0..FACTORS {
                let product =
                    (0..DAYS).map(|day| draws[one].bell(day) * draws[other].bell(day));
                let found = product.sum::<f64>() / DAYS as f64;
                // The product of two bells has the variance 1 + r squared.
                let r = told[one][other];
                let most = 4.0 * ((1.0 + r * r) / DAYS as f64).sqrt();
                assert!((found - r).abs() < most, "{one} and {other}: {found} for {r}");
            }
            let lagged =
                (0..DAYS).map(|day| draws[one].bell(day) * draws[0].bell(day + 1));
            assert!(
                (lagged.sum::<f64>() / DAYS as f64).abs() < 4.0 / (DAYS as f64).sqrt()
            );
        }
    }

    #[test]
    fn draws_beside_others_share_as_much_as_was_told() {
        let shared = Copula::APART.draws(Factor::Power, 5, 2, 20_454);
        let own = Draws::of(6, 2, "fuel");
        let told = 0.6;
        let beside = shared.beside(told, own);
        let mean = |of: &dyn Fn(u64) -> f64| (0..DAYS).map(of).sum::<f64>() / DAYS as f64;
        let product = mean(&|day| shared.bell(day) * beside.bell(day));
        let most = 4.0 * ((1.0 + told * told) / DAYS as f64).sqrt();
        assert!((product - told).abs() < most, "{product}");
        let square = mean(&|day| beside.bell(day) * beside.bell(day));
        assert!((square - 1.0).abs() < 4.0 * (2.0 / DAYS as f64).sqrt(), "{square}");
        let whole = shared.beside(1.0, own);
        assert!((0..50).all(|day| whole.bell(day) == shared.bell(day)));
    }

    #[test]
    fn apart_every_draw_is_what_it_was_alone() {
        let alone = Copula::of(&matrix([0.0; 6])).expect("nothing is told");
        assert_eq!(alone, Copula::APART);
        let day = 20_454;
        for (factor, name, first) in [
            (Factor::Coin, "coin", 0),
            (Factor::Fees, "fees", 1),
            (Factor::Power, "fuel", day),
            (Factor::Rent, "rent", 0),
        ] {
            let together = alone.draws(factor, 7, 3, day);
            let own = Draws::of(7, 3, name);
            assert!(
                (0..50).all(|at| together.bell(at) == own.bell(first + at)),
                "{name}"
            );
        }
    }

    #[test]
    fn correlations_that_cannot_be_had_at_once_are_refused() {
        // Two that move as one, and a third that does not move alike with both.
        assert_eq!(Copula::of(&matrix([0.99, 0.9, 0.0, -0.9, 0.0, 0.0])), None);
        assert_eq!(Copula::of(&matrix([1.0, 0.0, 0.0, 0.0, 0.0, 0.0])), None);
        assert!(Copula::of(&matrix([0.99, 0.9, 0.0, 0.9, 0.0, 0.0])).is_some());
    }
}
