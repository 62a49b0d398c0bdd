//! What markets do in one future, a day at a time: as drawn from the seed, or as they were.
//!
//! A decision of a day's hours knows the price at each hour's start, and of coin, hash
//! rate and rent what the day before showed.

#[cfg(test)]
mod tests;

use settle::calendar::Period;
use settle::tariff::CoincidentPeakRule;
use sim::scenario::blocks::{Blocks, BlocksPath};
use sim::scenario::coin::CoinPath;
use sim::scenario::copula::Factor;
use sim::scenario::fees::FeesPath;
use sim::scenario::network::{Chain, NetworkPath};
use sim::scenario::power::{Hour, PowerPath};
use sim::scenario::rental::RentalPath;
use sim::seed;
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
    /// The first site's days, where the coin moves by them and this is another site.
    moves: Option<BlocksPath<'a>>,
    past: Option<&'a [Day]>,
    day: usize,
}

impl Plan {
    /// What the price of power at a site grows from: other markets have draws of their own.
    fn market_seed(&self, site: usize, seed: u64) -> u64 {
        match self.sites[site].market {
            0 => seed,
            other => seed::numbered(seed::sub_seed(seed, "market"), other as u64),
        }
    }

    /// The price of power at a site in a future, hour by hour.
    fn hours(&self, site: usize, seed: u64, number: u64) -> Hours<'_> {
        let start = self.zone().month(self.first).start;
        let (power, days) = self.power_at(site);
        let together = &self.futures.together;
        let first_day = power.first_day(start);
        let fuel = together.draws(Factor::Power, seed, number, first_day);
        let market = self.market_seed(site, seed);
        let fuel = match self.sites[site].market {
            0 => fuel,
            _ => {
                let own = Draws::of(market, number, "fuel");
                fuel.beside(self.futures.markets_together, own)
            }
        };
        match days {
            None => Hours::Drawn(power.path_with(market, number, start, fuel)),
            Some(days) => {
                let hour = start.as_unix_seconds().div_euclid(3_600);
                Hours::Days(days.path(
                    (market, number),
                    hour - power.behind_utc_hours,
                    power.level,
                    fuel,
                    power.bounds_usd_per_mwh,
                ))
            }
        }
    }

    /// Markets at a site in future `number` of those that `seed` grows: coin, network and
    /// rent are the same at each.
    pub fn markets(&self, site: usize, seed: u64, number: u64) -> Markets<'_> {
        let start = self.zone().month(self.first).start;
        let futures = &self.futures;
        let first_day = self.power_at(0).0.first_day(start);
        let draws = |of| futures.together.draws(of, seed, number, first_day);
        let leads = self.power_at(0).1.is_some_and(Blocks::has_coin);
        let leads = (site > 0 && leads).then(|| self.hours(0, seed, number));
        let moves = leads.and_then(|hours| match hours {
            Hours::Days(path) => Some(path),
            Hours::Drawn(_) => None,
        });
        Markets {
            coin: futures.coin.path_with(seed, number, draws(Factor::Coin)),
            fees: futures.fees.path_with(seed, number, draws(Factor::Fees)),
            network: futures.network.path(),
            rental: futures.rental.path_with(seed, number, draws(Factor::Rent)),
            power: self.hours(site, seed, number),
            moves,
            past: None,
            day: 0,
        }
    }

    /// The same, but power, coin and network as they were; what history does not say is
    /// drawn.
    pub(crate) fn markets_of<'a>(
        &'a self,
        site: usize,
        past: Option<&'a Past>,
        seed: u64,
        number: u64,
    ) -> Markets<'a> {
        let past = past.map(|past| past.days(site));
        Markets { past, ..self.markets(site, seed, number) }
    }

    /// What a MWh drawn at a site in an hour of the market's day is expected to add to the
    /// charge for demand at the system's peaks.
    #[inline]
    pub fn peak_adder(
        &self,
        site: usize,
        at: Timestamp,
        hour_of_day: usize,
    ) -> EnergyPrice {
        if hour_of_day != PEAK_HOUR {
            return EnergyPrice::ZERO;
        }
        let rules = &self.sites[site].site.tariff.coincident_peaks;
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
    /// What the coin moves by on the day that power was asked for: as it did on the first
    /// site's days.
    fn coin_move(&mut self) -> Option<f64> {
        let Some(first) = &mut self.moves else { return self.power.coin_move() };
        for _ in 0..HOURS {
            first.next_hour();
        }
        first.coin_move()
    }

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
        if let hours @ Hours::Days(_) = &mut self.power {
            hours.next_day();
        }
        let coin_move = self.coin_move();
        let (_, chain) = self.mine_a_day(coin_move);
        (chain.hashprice_usd_per_ph_day, self.rental.next_day())
    }

    /// The next day.
    pub fn next_day(&mut self) -> Day {
        let rent_usd = self.rental.next_day();
        let day = self.day;
        self.day += 1;
        if let Some(past) = self.past {
            return Day { rent_usd, ..past[day] };
        }
        let first_hour = self.power.hour_of_day();
        let hours = self.power.next_day();
        let coin_move = self.coin_move();
        let (coin_usd, chain) = self.mine_a_day(coin_move);
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
    site: usize,
    draws: Draws,
    /// Demand metered in peaks, by rule and year.
    metered: Vec<(usize, i16, Power)>,
}

impl<'a> Peaks<'a> {
    /// The peaks of a site's market: sites of one market meet the same.
    pub(crate) fn new(plan: &'a Plan, site: usize, seed: u64, path: u64) -> Self {
        let draws = Draws::of(plan.market_seed(site, seed), path, "peaks");
        Self { plan, site, draws, metered: Vec::new() }
    }

    fn rules(&self) -> &'a [CoincidentPeakRule] {
        &self.plan.sites[self.site].site.tariff.coincident_peaks
    }

    /// Notes the draw of an hour, if it was a peak.
    #[inline]
    pub(crate) fn note(&mut self, at: Timestamp, hour_of_day: usize, draw: Power) {
        if hour_of_day != PEAK_HOUR {
            return;
        }
        for (rule, of) in self.rules().iter().enumerate() {
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
        for (rule, of) in self.rules().iter().enumerate() {
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
