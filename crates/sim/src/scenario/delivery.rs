//! How late a delivery is.
//!
//! On time with some probability, else late by a lognormal number of days that is
//! stated by its median and its ninetieth percentile, as people state it. Deliveries of
//! one supplier share a cause: their draws are joined by a one-factor Gaussian copula,
//! so that any two have the stated correlation of their normal scores.

use super::draw::Draws;
use super::maths;

/// The standard score of the ninetieth percentile.
const NINETIETH: f64 = 1.281_551_565_544_600_4;

/// How late one delivery may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slip {
    /// The probability of being on time.
    pub on_time: f64,
    /// The median of the days late, when late.
    pub median_days: f64,
    /// Their ninetieth percentile: at least the median.
    pub ninetieth_days: f64,
    /// The most days late that are imagined.
    pub days_max: f64,
}

impl Slip {
    /// The days late at a share of the distribution, 0 to 1.
    pub fn days_at(&self, share: f64) -> i64 {
        if share <= self.on_time || self.on_time >= 1.0 || self.median_days <= 0.0 {
            return 0;
        }
        let late =
            ((share - self.on_time) / (1.0 - self.on_time)).clamp(1e-12, 1.0 - 1e-12);
        let width = maths::ln(self.ninetieth_days / self.median_days) / NINETIETH;
        let days = self.median_days * maths::exp(width * maths::bell_quantile(late));
        days.round().clamp(1.0, self.days_max.max(1.0)) as i64
    }
}

/// How late delivery `number` of a path is, in days, when all share a cause with
/// `correlation`, 0 to 1.
pub fn days_late(
    seed: u64,
    path: u64,
    number: u64,
    slip: &Slip,
    correlation: f64,
) -> i64 {
    let common = Draws::of(seed, path, "delivery, common").bell(0);
    let own = Draws::of(seed, path, "delivery").bell(number);
    let score = correlation.sqrt() * common + (1.0 - correlation).sqrt() * own;
    slip.days_at(share_below(score))
}

/// The share of the bell curve below a score: inverts [`maths::bell_quantile`] by
/// halving, so that both are one function.
pub fn share_below(score: f64) -> f64 {
    if score.abs() > 8.0 {
        return if score > 0.0 { 1.0 - 1e-15 } else { 1e-15 };
    }
    let (mut low, mut high) = (1e-16, 1.0 - 1e-16);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if maths::bell_quantile(middle) < score {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low + high) / 2.0
}
