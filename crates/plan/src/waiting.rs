//! What it is worth to decide when the time comes instead of now.
//!
//! A rule is fitted backwards over some futures and tried on others (Longstaff and
//! Schwartz, 2001): at each date, what beginning there is worth over waiting is
//! regressed on what is then known, and it is begun where the regression says that it is
//! worth more. A rule looks at nothing that lies ahead, and is valued over futures that
//! did not fit it: it may fall short of the best rule, but its worth is not flattered.

use sim::scenario::maths;

use crate::schedule::Start;
use crate::terms::Plan;

/// What is known when a month begins, of what a choice may rest on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Known {
    /// Yesterday's hashprice.
    pub hashprice_usd_per_ph_day: f64,
    /// Yesterday's rent.
    pub rent_usd_per_gpu_hour: f64,
}

impl Known {
    /// What is regressed on: logarithms, as both move in proportion.
    pub(crate) fn figures(&self) -> [f64; 2] {
        [maths::ln(self.hashprice_usd_per_ph_day), maths::ln(self.rent_usd_per_gpu_hour)]
    }
}

/// What waiting is worth for one conversion, the others begun as stated.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    /// Its place among the plan's.
    pub conversion: usize,
    /// The best beginning that can be fixed now, by the futures that chose it.
    pub fixed: Start,
    /// The mean value of the plan with that, in USD, over the others.
    pub fixed_usd: f64,
    /// The same where it is decided at each date, by the rule.
    pub deciding_usd: f64,
    /// The standard error of the difference, future by future.
    pub error_usd: f64,
    /// How often the rule begins when, as shares of futures.
    pub begins: Vec<(Start, f64)>,
}

/// Products and powers of what is known that a fit adds up.
const TERMS: usize = 8;

/// How many futures a rule is fitted to at the least: ten for each term. Of fewer it
/// would learn their chances by heart.
pub const FUTURES_MIN: u64 = 10 * TERMS as u64;

fn terms([x, y]: [f64; 2]) -> [f64; TERMS] {
    [1.0, x, y, x * x, x * y, y * y, x * x * x, y * y * y]
}

/// When to take a choice and when to wait, learned from futures.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule(Vec<Fit>);

/// What taking a choice is worth over waiting, by what is known.
#[derive(Clone, Debug, PartialEq)]
struct Fit {
    mean: [f64; 2],
    deviation: [f64; 2],
    /// Between what it was fitted, in deviations; beyond, it is taken as at the edge.
    edges: [(f64, f64); 2],
    weights: [f64; TERMS],
}

impl Rule {
    /// From `values[choice][future]`, the value of taking that choice, and what is known
    /// then; the last choice is what is left where none was taken.
    ///
    /// # Panics
    /// Where choices differ in how many futures they have, or there are none.
    pub fn fit(values: &[Vec<f64>], known: &[Vec<[f64; 2]>]) -> Self {
        let (last, before) = values.split_last().expect("there is a choice");
        let mut waited = last.clone();
        let mut fits = Vec::new();
        for (taken, known) in before.iter().zip(known).rev() {
            assert_eq!(taken.len(), waited.len(), "every choice has the same futures");
            let more: Vec<f64> = taken.iter().zip(&waited).map(|(a, b)| a - b).collect();
            let fit = Fit::of(known, &more);
            for (future, known) in known.iter().enumerate() {
                if fit.at(*known) > 0.0 {
                    waited[future] = taken[future];
                }
            }
            fits.push(fit);
        }
        fits.reverse();
        Self(fits)
    }

    /// Which choice is taken in a future where `known` is what is known at each.
    pub fn choice(&self, known: impl Fn(usize) -> [f64; 2]) -> usize {
        let take = |at: &usize| self.0[*at].at(known(*at)) > 0.0;
        (0..self.0.len()).find(take).unwrap_or(self.0.len())
    }
}

impl Fit {
    /// By least squares; what can be told from nothing else that is known is left out.
    fn of(known: &[[f64; 2]], more: &[f64]) -> Self {
        let count = known.len() as f64;
        let mut fit = Self {
            mean: [0.0; 2],
            deviation: [0.0; 2],
            edges: [(0.0, 0.0); 2],
            weights: [0.0; TERMS],
        };
        for figure in 0..2 {
            let mean = known.iter().map(|of| of[figure]).sum::<f64>() / count;
            let squares =
                known.iter().map(|of| (of[figure] - mean) * (of[figure] - mean));
            let deviation = (squares.sum::<f64>() / count).sqrt();
            fit.mean[figure] = mean;
            // What never moves says nothing; what is left of it is rounding.
            fit.deviation[figure] =
                if deviation > 1e-9 * mean.abs().max(1.0) { deviation } else { 0.0 };
        }
        for figure in 0..2 {
            let scaled = known.iter().map(|of| fit.scaled(*of, figure));
            fit.edges[figure] = scaled
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), at| {
                    (low.min(at), high.max(at))
                });
        }
        let rows: Vec<[f64; TERMS]> = known.iter().map(|of| fit.row(*of)).collect();
        fit.weights = least_squares(&rows, more);
        fit
    }

    fn scaled(&self, known: [f64; 2], figure: usize) -> f64 {
        if self.deviation[figure] == 0.0 {
            return 0.0;
        }
        (known[figure] - self.mean[figure]) / self.deviation[figure]
    }

    fn row(&self, known: [f64; 2]) -> [f64; TERMS] {
        terms([0, 1].map(|figure| {
            let (low, high) = self.edges[figure];
            self.scaled(known, figure).clamp(low, high)
        }))
    }

    fn at(&self, known: [f64; 2]) -> f64 {
        self.row(known).iter().zip(&self.weights).map(|(a, b)| a * b).sum()
    }
}

/// Weights of columns by Gram and Schmidt, modified; a column that the ones before it
/// make up has none.
fn least_squares(rows: &[[f64; TERMS]], wanted: &[f64]) -> [f64; TERMS] {
    let column = |at: usize| rows.iter().map(|row| row[at]).collect::<Vec<f64>>();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut across: Vec<Option<Vec<f64>>> = Vec::new();
    let mut upper = [[0.0; TERMS]; TERMS];
    let mut left = wanted.to_vec();
    let mut found = [0.0; TERMS];
    for at in 0..TERMS {
        let mut own = column(at);
        let whole = dot(&own, &own).sqrt();
        for (before, unit) in across.iter().enumerate() {
            let Some(unit) = unit else { continue };
            let part = dot(unit, &own);
            upper[before][at] = part;
            own.iter_mut().zip(unit).for_each(|(own, unit)| *own -= part * unit);
        }
        let length = dot(&own, &own).sqrt();
        if length <= 1e-8 * whole || length == 0.0 {
            across.push(None);
            continue;
        }
        upper[at][at] = length;
        own.iter_mut().for_each(|own| *own /= length);
        found[at] = dot(&own, &left);
        left.iter_mut().zip(&own).for_each(|(left, own)| *left -= found[at] * own);
        across.push(Some(own));
    }
    let mut weights = [0.0; TERMS];
    for at in (0..TERMS).rev() {
        if across[at].is_some() {
            let later: f64 = (at + 1..TERMS).map(|to| upper[at][to] * weights[to]).sum();
            weights[at] = (found[at] - later) / upper[at][at];
        }
    }
    weights
}

/// What waiting is worth: values and what is known by choice and future, of the futures
/// that choose and of those that value.
pub(crate) fn of(
    conversion: usize,
    choices: &[Start],
    (chosen, knew): (&[Vec<f64>], &[Vec<[f64; 2]>]),
    (valued, know): (&[Vec<f64>], &[Vec<[f64; 2]>]),
) -> Waiting {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let rule = Rule::fit(chosen, knew);
    let mut fixed = 0;
    for at in 1..choices.len() {
        if mean(&chosen[at]) > mean(&chosen[fixed]) {
            fixed = at;
        }
    }
    let futures = valued[0].len();
    let taken: Vec<usize> =
        (0..futures).map(|future| rule.choice(|at| know[at][future])).collect();
    let deciding: Vec<f64> =
        taken.iter().enumerate().map(|(future, at)| valued[*at][future]).collect();
    let more: Vec<f64> =
        deciding.iter().zip(&valued[fixed]).map(|(a, b)| a - b).collect();
    let squares = more.iter().map(|one| (one - mean(&more)) * (one - mean(&more)));
    let count = futures as f64;
    let begins = choices.iter().enumerate().map(|(at, start)| {
        let often = taken.iter().filter(|one| **one == at).count();
        (*start, often as f64 / count)
    });
    Waiting {
        conversion,
        fixed: choices[fixed],
        fixed_usd: mean(&valued[fixed]),
        deciding_usd: mean(&deciding),
        error_usd: (squares.sum::<f64>() / (count - 1.0).max(1.0) / count).sqrt(),
        begins: begins.collect(),
    }
}

impl Plan {
    /// What is known at the beginning of each month of a future, as [`Plan::path`] draws
    /// it; on the first day of all, what that day shows.
    pub fn known(&self, seed: u64, path: u64) -> Vec<Known> {
        let mut markets = self.markets(0, seed, path);
        let zone = self.zone();
        let mut latest: Option<Known> = None;
        let mut known = Vec::with_capacity(self.months);
        for place in 0..self.months {
            let days = zone.month(self.period(place)).duration().as_seconds() / 86_400;
            for day in 0..days {
                let (hashprice_usd_per_ph_day, rent_usd_per_gpu_hour) =
                    markets.next_day_without_power();
                let today = Known { hashprice_usd_per_ph_day, rent_usd_per_gpu_hour };
                if day == 0 {
                    known.push(latest.unwrap_or(today));
                }
                latest = Some(today);
            }
        }
        known
    }
}
