//! What markets do in one future, a day at a time: as drawn from the seed, or as they were.
//!
//! A decision of a day's hours knows the price at each hour's start, and of coin, hash
//! rate and rent what the day before showed.

#[cfg(test)]
mod tests;

use settle::calendar::Period;
use sim::scenario::blocks::BlocksPath;
use sim::scenario::coin::CoinPath;
use sim::scenario::copula::Factor;
use sim::scenario::fees::FeesPath;
use sim::scenario::network::{Chain, NetworkPath};
use sim::scenario::power::{Hour, PowerPath};
use sim::scenario::rental::RentalPath;
use units::{EnergyPrice, Hashprice, Money, Power, Share, Timestamp};

use crate::past::Past;
use crate::terms::Plan;
use sim::scenario::draw::Draws;

/// The hour of the market's day in which a peak is expected: late afternoon.
const PEAK_HOUR: usize = 16;

/// The hours of a day.
pub const HOURS: usize = 24;

/// One UTC day of one future.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Day {
    /// The price of power in each hour.
    pub hours: [Hour; HOURS],
    /// The hour of the market's day that the first of them is, 0 to 23.
    pub first_hour: usize,
    /// A coin, in USD.
    pub coin_usd: f64,
    /// What a PH/s earned, as settling works it out.
    pub hashprice: Hashprice,
    /// The same in USD, before it is rounded.
    pub hashprice_usd_per_ph_day: f64,
    /// What a GPU-hour rents for, in USD.
    pub rent_usd: f64,
}

impl Day {
    /// The hour of the market's day of an hour of this one.
    pub fn hour_of_day(&self, hour: usize) -> usize {
        (self.first_hour + hour) % HOURS
    }
}

/// Where the hours of power come from.
#[derive(Clone, Debug)]
enum Hours<'a> {
    Drawn(PowerPath<'a>),
    /// Days of history.
    Days(BlocksPath<'a>),
}

impl Hours<'_> {
    #[inline]
    fn next_hour(&mut self) -> Hour {
        match self {
            Self::Drawn(path) => path.next_hour(),
            Self::Days(path) => path.next_hour(),
        }
    }

    fn hour_of_day(&self) -> usize {
        match self {
            Self::Drawn(path) => path.hour_of_day(),
            Self::Days(path) => path.hour_of_day(),
        }
    }

    /// A whole UTC day.
    fn next_day(&mut self) -> [Hour; HOURS] {
        std::array::from_fn(|_| self.next_hour())
    }

    /// What the coin moved by on the day of history that stands for the one that was just
    /// asked for: its evening is the market's afternoon of the same date.
    fn coin_move(&self) -> Option<f64> {
        match self {
            Self::Drawn(_) => None,
            Self::Days(path) => path.coin_move(),
        }
    }
}

/// Markets of one future, day by day from the plan's first.
#[derive(Clone, Debug)]
pub struct Markets<'a> {
    coin: CoinPath,
    fees: FeesPath,
    network: NetworkPath,
    rental: RentalPath,
    power: Hours<'a>,
    past: Option<&'a Past>,
    day: usize,
}

impl Plan {
    /// Markets of future `number` of those that `seed` grows.
    pub fn markets(&self, seed: u64, number: u64) -> Markets<'_> {
        let start = self.zone().month(self.first).start;
        let futures = &self.futures;
        let first_day = futures.power.first_day(start);
        let draws = |of| futures.together.draws(of, seed, number, first_day);
        let fuel = draws(Factor::Power);
        let power = &futures.power;
        let hours = match &futures.power_days {
            None => Hours::Drawn(power.path_with(seed, number, start, fuel)),
            Some(days) => {
                let hour = start.as_unix_seconds().div_euclid(3_600);
                Hours::Days(days.path(
                    (seed, number),
                    hour - power.behind_utc_hours,
                    power.level,
                    fuel,
                    power.bounds_usd_per_mwh,
                ))
            }
        };
        Markets {
            coin: futures.coin.path_with(seed, number, draws(Factor::Coin)),
            fees: futures.fees.path_with(seed, number, draws(Factor::Fees)),
            network: futures.network.path(),
            rental: futures.rental.path_with(seed, number, draws(Factor::Rent)),
            power: hours,
            past: None,
            day: 0,
        }
    }

    /// The same, but power, coin and network as they were; what history does not say is
    /// drawn.
    pub(crate) fn markets_of<'a>(
        &'a self,
        past: Option<&'a Past>,
        seed: u64,
        number: u64,
    ) -> Markets<'a> {
        Markets { past, ..self.markets(seed, number) }
    }

    /// What a MWh drawn in an hour of the market's day is expected to add to the charge
    /// for demand at the system's peaks.
    #[inline]
    pub fn peak_adder(&self, at: Timestamp, hour_of_day: usize) -> EnergyPrice {
        if hour_of_day != PEAK_HOUR {
            return EnergyPrice::ZERO;
        }
        let rules = &self.site.tariff.coincident_peaks;
        let watched = rules.iter().filter_map(|rule| {
            let month = rule.month_of(at)?;
            let days = month.duration().as_seconds() / 86_400;
            let peaks = i64::from(rule.peaks_per_month);
            // The hour is watched whole, and the peak is one part of it.
            let parts = 3_600 / rule.interval.as_seconds().clamp(1, 3_600);
            let ppm = peaks * 1_000_000 / (days.max(1) * parts);
            Some(rule.expected_adder(Share::from_ppm(ppm)))
        });
        watched.fold(EnergyPrice::ZERO, |sum, adder| sum + adder)
    }
}

impl Markets<'_> {
    fn mine_a_day(&mut self, coin_move: Option<f64>) -> (f64, Chain) {
        let coin_usd = match coin_move {
            Some(by) => self.coin.next_day_moving(by),
            None => self.coin.next_day(),
        };
        (coin_usd, self.network.next_day(coin_usd, self.fees.next_day()))
    }

    /// Hashprice and rent of the next day, in USD a PH/s and a GPU-hour, where nobody asks
    /// what power costs: a future is asked for days like this or for whole ones.
    pub(crate) fn next_day_without_power(&mut self) -> (f64, f64) {
        // The coin may move as on the days that power is of.
        let coin_move = match &mut self.power {
            Hours::Drawn(_) => None,
            hours @ Hours::Days(_) => {
                hours.next_day();
                hours.coin_move()
            }
        };
        let (_, chain) = self.mine_a_day(coin_move);
        (chain.hashprice_usd_per_ph_day, self.rental.next_day())
    }

    /// The next day.
    pub fn next_day(&mut self) -> Day {
        let rent_usd = self.rental.next_day();
        let day = self.day;
        self.day += 1;
        if let Some(past) = self.past {
            return Day { rent_usd, ..past.days[day] };
        }
        let first_hour = self.power.hour_of_day();
        let hours = self.power.next_day();
        let (coin_usd, chain) = self.mine_a_day(self.power.coin_move());
        Day {
            hours,
            first_hour,
            coin_usd,
            hashprice: chain.hashprice(coin_usd),
            hashprice_usd_per_ph_day: chain.hashprice_usd_per_ph_day,
            rent_usd,
        }
    }
}

/// The system's peaks, as far as the site pays for its demand in them.
///
/// Each day of a month that has a peak, one hour is watched; which day it falls on is
/// drawn. The charge of a calendar year's peaks is billed in twelve parts in the year
/// after. Peaks before the plan began are not known to it.
pub(crate) struct Peaks<'a> {
    plan: &'a Plan,
    draws: Draws,
    /// Demand metered in peaks, by rule and year.
    metered: Vec<(usize, i16, Power)>,
}

impl<'a> Peaks<'a> {
    pub(crate) fn new(plan: &'a Plan, seed: u64, path: u64) -> Self {
        Self { plan, draws: Draws::of(seed, path, "peaks"), metered: Vec::new() }
    }

    /// Notes the draw of an hour, if it was a peak.
    #[inline]
    pub(crate) fn note(&mut self, at: Timestamp, hour_of_day: usize, draw: Power) {
        if hour_of_day != PEAK_HOUR {
            return;
        }
        for (rule, of) in self.plan.site.tariff.coincident_peaks.iter().enumerate() {
            let Some(month) = of.month_of(at) else { continue };
            let days = (month.duration().as_seconds() / 86_400).max(1);
            let today = (at - month.start).as_seconds() / 86_400;
            for peak in 0..u64::from(of.peaks_per_month) {
                let number = month.start.as_unix_seconds() as u64 + peak;
                let unit = self.draws.part(rule as u64).unit(number);
                if (unit * days as f64) as i64 == today {
                    self.metered.push((rule, at.utc_date().0, draw));
                }
            }
        }
    }

    /// A month's part of what the year before came to.
    pub(crate) fn charge(&self, month: Period) -> Money {
        let mut total = Money::ZERO;
        for (rule, of) in self.plan.site.tariff.coincident_peaks.iter().enumerate() {
            let year_before = month.year() - 1;
            let peaks: Vec<Power> = self
                .metered
                .iter()
                .filter(|(by, year, _)| *by == rule && *year == year_before)
                .map(|(_, _, draw)| *draw)
                .collect();
            if !peaks.is_empty() {
                total += Money::from_micro_usd(of.charge(&peaks).as_micro_usd() / 12);
            }
        }
        total
    }
}
