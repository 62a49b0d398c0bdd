//! A plan run over what happened: its bands, and where what came stands in them.
//!
//! The futures of a plan are lived as ever. The same plan is lived once more for each of
//! them in the markets as they were: power, coin and hashprice of history. What history
//! does not say (deliveries, failures, deals, rent, the days of peaks) is drawn as it was
//! for that future, so that the two differ by markets alone.
//!
//! Only whole months are compared, and year by year of the plan; a last part of a year is
//! held against the same months of the futures.

#[cfg(test)]
mod tests;

use settle::calendar::Period;

use crate::answer::Band;
use crate::cash::{Line, Month};
use crate::markets::Day;
use crate::operate::MonthMarket;
use crate::path::Lived;
use crate::terms::Plan;

/// Months in a year of a plan.
const YEAR: usize = 12;

/// Markets as they were, from a plan's first day on.
#[derive(Clone, Debug)]
pub struct Past {
    /// By site.
    days: Vec<Vec<Day>>,
    months: usize,
}

/// A figure of a stretch of months.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// The mean settled price of power, in USD/MWh.
    PowerPrice,
    /// The mean hashprice, in USD/PH/day.
    Hashprice,
    /// A coin on the last day, in USD.
    Coin,
    /// Energy mined with, in MWh.
    MiningEnergy,
    /// What the pool paid, in USD.
    MiningPay,
    /// What the pool paid less power of rigs and its adders, in USD.
    MiningMargin,
    /// Cash of running the site, in USD.
    Operating,
    /// All cash, in USD.
    Net,
}

impl Figure {
    /// Every figure, in the order they are shown in.
    pub const ALL: [Self; 8] = [
        Self::PowerPrice,
        Self::Hashprice,
        Self::Coin,
        Self::MiningEnergy,
        Self::MiningPay,
        Self::MiningMargin,
        Self::Operating,
        Self::Net,
    ];
}

/// The figures of one stretch in one world, in the order of [`Figure::ALL`].
type Figures = [f64; Figure::ALL.len()];

/// One future, and the same in the markets as they were: a row for each stretch.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// As it was imagined.
    pub foreseen: Vec<Figures>,
    /// As it came.
    pub happened: Vec<Figures>,
}

/// Months that are compared together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The first of them.
    pub first: Period,
    /// How many.
    pub months: usize,
}

/// Where one figure of one stretch stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// Of which months.
    pub stretch: Stretch,
    /// Which figure.
    pub figure: Figure,
    /// Over futures.
    pub foreseen: Band,
    /// As it came: the mean over what history does not say.
    pub happened: f64,
    /// The share of futures below it, and half of those that are the same.
    pub below: f64,
}

impl Verdict {
    /// Whether nine of ten futures were to have it so.
    pub fn is_within(&self) -> bool {
        (self.foreseen.p5..=self.foreseen.p95).contains(&self.happened)
    }

    /// What many futures and the past say together, stretch by stretch; nothing of none.
    pub fn of(plan: &Plan, past: &Past, held: &[Held]) -> Vec<Self> {
        let mut verdicts = Vec::new();
        for (at, stretch) in plan.stretches(past).into_iter().enumerate() {
            for (place, figure) in Figure::ALL.into_iter().enumerate() {
                let foreseen: Vec<f64> =
                    held.iter().map(|one| one.foreseen[at][place]).collect();
                let Some(band) = Band::of(&foreseen) else { continue };
                let sum: f64 = held.iter().map(|one| one.happened[at][place]).sum();
                let happened = sum / held.len() as f64;
                // A figure that markets do not move differs by how it was summed.
                let same = 1e-9 * happened.abs();
                let rank = |value: &f64| {
                    if (value - happened).abs() <= same {
                        0.5
                    } else {
                        f64::from(u8::from(*value < happened))
                    }
                };
                let below =
                    foreseen.iter().map(rank).sum::<f64>() / foreseen.len() as f64;
                verdicts.push(Self { stretch, figure, foreseen: band, happened, below });
            }
        }
        verdicts
    }
}

impl Past {
    /// As many whole months of `days` as all sites have, a list for each in the plan's order,
    /// from the plan's first day on; `None` where there is not one.
    pub fn of(plan: &Plan, mut days: Vec<Vec<Day>>) -> Option<Self> {
        let zone = plan.zone();
        let least = days.iter().map(Vec::len).min()?;
        let (mut whole, mut months) = (0, 0);
        while months < plan.months {
            let length = zone.month(plan.period(months)).duration().as_seconds();
            let more = whole + usize::try_from(length / 86_400).expect("days of a month");
            if more > least {
                break;
            }
            (whole, months) = (more, months + 1);
        }
        days.iter_mut().for_each(|site| site.truncate(whole));
        (months > 0 && days.len() == plan.sites.len()).then_some(Self { days, months })
    }

    /// The days of a site, whole months of them.
    pub fn days(&self, site: usize) -> &[Day] {
        &self.days[site]
    }

    /// How many months of the plan it has.
    pub fn months(&self) -> usize {
        self.months
    }
}

impl Plan {
    /// The stretches that a past is compared in.
    pub fn stretches(&self, past: &Past) -> Vec<Stretch> {
        (0..past.months)
            .step_by(YEAR)
            .map(|at| Stretch {
                first: self.period(at),
                months: YEAR.min(past.months - at),
            })
            .collect()
    }

    /// Lives future `number` of those that `seed` grows, and the same in the markets as
    /// they were.
    pub fn held(&self, past: &Past, seed: u64, number: u64) -> Held {
        let figures = |lived: &Lived| {
            let markets = lived.markets();
            let rows = (0..past.months).step_by(YEAR);
            rows.map(|at| {
                let until = past.months.min(at + YEAR);
                row(&lived.months[at..until], &markets[at..until])
            })
            .collect()
        };
        Held {
            foreseen: figures(&self.live(seed, number)),
            happened: figures(&self.live_in(Some(past), (seed, number), None)),
        }
    }
}

fn row(months: &[Month], markets: &[MonthMarket]) -> Figures {
    let cash = |of: &dyn Fn(&Month) -> units::Money| {
        let sum: units::Money = months.iter().map(of).sum();
        sum.as_micro_usd() as f64 / 1e6
    };
    let sum = |of: &dyn Fn(&MonthMarket) -> f64| markets.iter().map(of).sum::<f64>();
    let hours = sum(&|month| month.hours as f64);
    let days = sum(&|month| month.days as f64);
    let pay = cash(&|month| month.of(Line::Mining));
    Figure::ALL.map(|figure| match figure {
        Figure::PowerPrice => sum(&|month| month.price_usd_per_mwh) / hours,
        Figure::Hashprice => sum(&|month| month.hashprice_usd_per_ph_day) / days,
        Figure::Coin => markets.last().map_or(0.0, |month| month.coin_usd),
        Figure::MiningEnergy => sum(&|month| month.mining_wh as f64) / 1e6,
        Figure::MiningPay => pay,
        Figure::MiningMargin => pay + cash(&|month| month.of(Line::PowerMining)),
        Figure::Operating => cash(&Month::operating),
        Figure::Net => cash(&Month::net),
    })
}
