//! What markets do in one future, a day at a time: as drawn from the seed, or as they were.
//!
//! A decision of a day's hours knows the price at each hour's start, and of coin, hash
//! rate and rent what the day before showed.

use settle::calendar::Period;
use sim::scenario::coin::CoinPath;
use sim::scenario::fees::FeesPath;
use sim::scenario::network::NetworkPath;
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

/// Markets of one future, day by day from the plan's first.
#[derive(Clone, Debug)]
pub struct Markets<'a> {
    coin: CoinPath,
    fees: FeesPath,
    network: NetworkPath,
    rental: RentalPath,
    power: PowerPath<'a>,
    past: Option<&'a Past>,
    day: usize,
}

impl Plan {
    /// Markets of future `number` of those that `seed` grows.
    pub fn markets(&self, seed: u64, number: u64) -> Markets<'_> {
        let start = self.zone().month(self.first).start;
        let futures = &self.futures;
        Markets {
            coin: futures.coin.path(seed, number),
            fees: futures.fees.path(seed, number),
            network: futures.network.path(),
            rental: futures.rental.path(seed, number),
            power: futures.power.path(seed, number, start),
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
    /// The next day.
    pub fn next_day(&mut self) -> Day {
        let rent_usd = self.rental.next_day();
        let day = self.day;
        self.day += 1;
        if let Some(past) = self.past {
            return Day { rent_usd, ..past.days[day] };
        }
        let coin_usd = self.coin.next_day();
        let chain = self.network.next_day(coin_usd, self.fees.next_day());
        let first_hour = self.power.hour_of_day();
        Day {
            hours: std::array::from_fn(|_| self.power.next_hour()),
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
