//! A curve of prices that are expected, as one forecaster saw them at one time.

use serde::{Deserialize, Serialize};
use units::{EnergyPrice, Interval, Seconds, Timestamp};

use super::Source;

/// Prices that are expected of the site's settlement point.
///
/// A later one says it anew for the time that it covers, and leaves what an
/// earlier one said of other times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecast {
    /// When the first price holds.
    pub from: Timestamp,
    /// How long each price holds.
    pub step: Seconds,
    /// What is expected, step by step.
    pub prices: Vec<EnergyPrice>,
    /// When it could first be known.
    pub known_at: Timestamp,
    /// Where it comes from.
    pub source: Source,
}

impl Forecast {
    /// The prices with when each is expected to hold; none of a curve whose step
    /// takes no time.
    pub fn steps(&self) -> impl Iterator<Item = (Interval, EnergyPrice)> + '_ {
        let (from, step) = (self.from.as_unix_seconds(), self.step.as_seconds());
        let prices = if step > 0 { self.prices.as_slice() } else { &[] };
        prices.iter().enumerate().map_while(move |(place, price)| {
            let start =
                step.checked_mul(i64::try_from(place).ok()?)?.checked_add(from)?;
            let end = start.checked_add(step)?;
            let instant = Timestamp::from_unix_seconds;
            Some((Interval { start: instant(start), end: instant(end) }, *price))
        })
    }
}
