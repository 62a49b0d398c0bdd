//! A run held against the best that could have come of it.
//!
//! Two comparisons split what a run left on the table:
//!
//! - **the optimum in hindsight**, over the whole run at its settlement prices and
//!   the hashprices mining was paid at, of everything that money decides: what
//!   people, the grid and contracts settled stays as it was. Machines are divided
//!   at will, start at no cost and draw nothing to warm up, so no site could have
//!   earned it: it is a bound;
//! - **the same policy with perfect forecasts**: the same engine, looking as far
//!   ahead, told what prices were to be.
//!
//! What perfect forecasts would have added is the forecast error; what then is
//! still missing to the optimum is the decision error: a look ahead that ends,
//! whole machines, starts, and orders that take time.
//!
//! Coincident peaks count in all of them at the charge that was expected when each
//! interval was decided, so that power that was cut to avoid one is no regret.

mod foresight;
mod horizon;
mod past;

pub use foresight::perfect;
pub use past::Past;

use engine::Site;
use engine::site::{FeederIx, LoadIx};
use units::{EnergyPrice, Interval, Money, Share};

use crate::drive::backtest::{Options, run};
use crate::feed::Feed;

/// A run held against the best that could have come of it. Every amount is margin
/// less what coincident peaks were expected to cost.
#[derive(Clone, Debug)]
pub struct Hindsight {
    /// What the policy came to.
    pub policy: Money,
    /// What the site always on came to, where that was compared.
    pub always_on: Option<Money>,
    /// What the policy would have come to with perfect forecasts.
    pub perfect: Money,
    /// The optimum in hindsight: a bound that no site could have earned.
    pub best: Money,
    /// What one more of each limit would have added to the optimum; those of which
    /// more would have been worth something.
    pub limits: Vec<LimitWorth>,
    /// The same interval by interval, where it is not nothing.
    pub shadow: Vec<Shadow>,
}

/// Something that limits the optimum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bounding {
    /// What the site may draw.
    Import,
    /// What the site may send back.
    Export,
    /// A feeder.
    Feeder(FeederIx),
    /// What a battery can hold.
    StoreRoom(LoadIx),
    /// How fast draw may rise: a load's, or the site's.
    RampUp(Option<LoadIx>),
    /// How fast it may fall.
    RampDown(Option<LoadIx>),
}

/// What one more of a limit would have added over the run: one MW, of a battery
/// one MWh, of a ramp one MW an interval.
#[derive(Clone, Copy, Debug)]
pub struct LimitWorth {
    /// Which limit.
    pub limit: Bounding,
    /// What it would have added.
    pub added: Money,
    /// In how many intervals it stood in the way.
    pub intervals: u64,
}

/// What a limit was worth in one interval.
#[derive(Clone, Copy, Debug)]
pub struct Shadow {
    /// The interval.
    pub during: Interval,
    /// Which limit.
    pub limit: Bounding,
    /// What one more would have added: of a MW for an hour, of a MWh of room, of a
    /// MW of ramp.
    pub price: EnergyPrice,
}

impl Hindsight {
    /// What perfect forecasts would have added.
    pub fn forecast_error(&self) -> Money {
        self.perfect - self.policy
    }

    /// What even perfect forecasts leave missing to the optimum.
    pub fn decision_error(&self) -> Money {
        self.best - self.perfect
    }

    /// How much of the optimum the policy caught; nothing where that is no profit.
    pub fn caught(&self) -> Option<Share> {
        share(self.policy, self.best)
    }

    /// How much it caught of what the optimum has above the site always on.
    pub fn caught_above_always_on(&self) -> Option<Share> {
        let base = self.always_on?;
        share(self.policy - base, self.best - base)
    }
}

fn share(part: Money, whole: Money) -> Option<Share> {
    let (part, whole) = (part.as_micro_usd(), whole.as_micro_usd());
    let ppm = i128::from(part) * 1_000_000 / i128::from(whole).max(1);
    (whole > 0).then(|| Share::from_ppm(i64::try_from(ppm).unwrap_or(0)))
}

impl Bounding {
    /// The word a column or key shows.
    pub fn key(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Export => "export",
            Self::Feeder(_) => "feeder",
            Self::StoreRoom(_) => "store_room",
            Self::RampUp(_) => "ramp_up",
            Self::RampDown(_) => "ramp_down",
        }
    }

    /// Of what it is a limit, where the site has more than one.
    pub fn name(self, site: &Site) -> Option<&str> {
        match self {
            Self::Import | Self::Export => None,
            Self::Feeder(feeder) => Some(&site.feeders[feeder].name),
            Self::StoreRoom(load) => Some(&site.loads[load].name),
            Self::RampUp(load) | Self::RampDown(load) => {
                load.map(|load| site.loads[load].name.as_str())
            }
        }
    }
}

/// Runs a site with its policy and tells what it came to beside the optimum.
///
/// # Errors
///
/// What is missing to compute it, as a sentence.
pub fn judge(
    site: &Site,
    feed: &Feed,
    range: Interval,
) -> anyhow::Result<Result<Hindsight, String>> {
    let mut past = Past::new(site, feed, range);
    run(site, feed, range, Options { compare: true, ..Options::default() }, |line| {
        past.add(line);
        Ok(())
    })?;
    let perfect = perfect(site, feed, range)?;
    Ok(past.judge(perfect))
}
