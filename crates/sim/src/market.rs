//! A plausible market history from one seed: power, weather, demand, bitcoin.
//!
//! [`synthesise`] draws what a site's backtest reads, for a settlement point
//! that is not there. Nothing of any real series is copied; what was matched is
//! its manner. Lowest and highest year of real ERCOT prices (settlement at hub
//! Houston, 15 minutes, 2022 to 2025; dispatch at hubs Houston and West,
//! 5 minutes, 2024; public market data) beside 2025 as seeds 0 to 9 draw it:
//!
//! | price of power, USD/MWh             | ERCOT         | drawn          |
//! |-------------------------------------|---------------|----------------|
//! | mean of a year                      | 26 to 69      | 27 to 40       |
//! | median                              | 20 to 47      | 22 to 27       |
//! | 1st, 5th percentile, lowest         | -13, -3       | -11, 1         |
//! | 95th, 99th percentile, highest      | 115, 572      | 80, 333        |
//! | share below nought                  | 1.1 to 10.3 % | 1.5 to 4.6 %   |
//! | share above 200                     | 0.4 to 2.6 %  | 0.6 to 1.7 %   |
//! | share above 1 000                   | 0.02 to 0.7 % | 0.06 to 0.3 %  |
//! | autocorrelation after 5 minutes     | 0.91 to 0.92  | 0.92 to 0.96   |
//! | autocorrelation after 15 minutes    | 0.86 to 0.91  | 0.89, all ten  |
//! | autocorrelation after a day         | 0.29 to 0.51  | 0.43 to 0.66   |
//! | mean stretch above 200, minutes     | 38 to 53      | 64, all ten    |
//! | day-ahead against real time         | 0.69 to 0.74  | 0.71 to 0.84   |
//!
//! Autocorrelations and the last row, a correlation of hourly means, are of
//! prices cut at 300 USD/MWh, since a few spikes would drown the rest. Days
//! resemble each other more than real ones do, and shortages are a little long.
//!
//! Bitcoin starts at the levels of 2025-01-01: about 95 000 USD, a difficulty of
//! 1.1e14, height 876 000. From 2022 to early 2026 its real price moved by 2.7 %
//! a day (kurtosis 7.8) and its difficulty by -7 to +9 % a retarget (public daily
//! series); drawn over ten years, by 2.5 to 2.9 % (kurtosis 4.6 to 6.1) and by up
//! to 20 % a retarget, down most of all after a halving.
//!
//! What answers what: temperature makes demand; demand less wind and sun makes
//! the power price and how likely it is to become tight or scarce; price and
//! reward make the network's hash rate within weeks; hash rate makes blocks;
//! blocks make difficulty; difficulty makes the cost of a coin, which pulls at
//! the price. Power and bitcoin do not answer each other.
//!
//! What it leaves out: trends of the power market (each year is drawn alike,
//! with a fuel level that wanders), holidays, daylight saving (the market's
//! clock is six hours behind UTC all year), and grids that fail for days.
//!
//! Invariant: a year more leaves the years before as they were.
//! Invariant: the same on every machine. Inside are floats, but only `+ - * /`,
//! square roots, comparisons and rounding, which IEEE 754 defines to the last
//! bit: no exponential, logarithm, sine or power. Bell curves are sums of
//! uniform draws, waiting times come from comparing draws, and curved shapes
//! are tables. What leaves is whole: cents per MWh, megawatts, satoshis.

mod bitcoin;
mod calendar;
mod demand;
mod draw;
mod power;
mod shape;
mod weather;

pub use bitcoin::BitcoinDay;

use units::{EnergyPrice, Power, Seconds, Temperature, Timestamp};

use crate::seed::sub_seed;

/// The settlement point of every synthetic history.
pub const POINT: &str = "HB_SYNTH";

/// The most the market lets a price be, in USD/MWh: ERCOT's system-wide cap
/// since 2022-01-01 (Public Utility Commission of Texas, project 52631).
pub const PRICE_CAP_USD_PER_MWH: i64 = 5_000;

/// The most years one call draws.
pub const YEARS_MAX: u32 = 20;

/// How long a dispatch price holds.
pub const LMP_INTERVAL: Seconds = Seconds::minutes(5);

/// How long a settlement price holds.
pub const SETTLEMENT_INTERVAL: Seconds = Seconds::minutes(15);

/// How long a day-ahead price, a temperature and a demand forecast hold.
pub const HOUR: Seconds = Seconds::hours(1);

/// How long a row of bitcoin figures holds.
pub const DAY: Seconds = Seconds::hours(24);

/// A history that never happened. Every series is gapless and in order, and
/// each value stands beside the start of its interval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntheticHistory {
    /// The settlement point the prices are of.
    pub point: String,
    /// Real-time dispatch prices, every 5 minutes, in whole cents per MWh.
    pub lmp: Vec<(Timestamp, EnergyPrice)>,
    /// Real-time settlement prices, every 15 minutes, in whole cents per MWh:
    /// the mean of the three dispatch prices and a small reserve adder.
    pub settlement: Vec<(Timestamp, EnergyPrice)>,
    /// Day-ahead prices, hourly, in whole cents per MWh: what the market
    /// expected of the hour the day before.
    pub day_ahead: Vec<(Timestamp, EnergyPrice)>,
    /// Outside air temperature, hourly.
    pub temperature: Vec<(Timestamp, Temperature)>,
    /// The system's demand as forecast the day before, hourly, in whole MW.
    pub demand_forecast: Vec<(Timestamp, Power)>,
    /// Bitcoin's figures, a row for each UTC day.
    pub bitcoin: Vec<BitcoinDay>,
}

/// Where a synthetic history starts unless told otherwise: 2025-01-01 UTC.
pub const fn usual_start() -> Timestamp {
    Timestamp::from_unix_seconds(1_735_689_600)
}

/// Draws `years` calendar years from the UTC day that `start` lies in.
///
/// The same seed and start give the same history; more years give the same
/// first years. Bitcoin's height follows the calendar (876 000 at
/// [`usual_start`], 144 blocks a day either way); its other levels are those of
/// 2025 wherever it starts.
///
/// Panics unless `years` is 1 to [`YEARS_MAX`].
pub fn synthesise(seed: u64, start: Timestamp, years: u32) -> SyntheticHistory {
    assert!(
        (1..=YEARS_MAX).contains(&years),
        "expected 1 to {YEARS_MAX} years, found {years}"
    );
    let start = start.floor(DAY);
    let days = (anniversary(start, years) - start).as_seconds() / DAY.as_seconds();
    let hours = calendar::hours(start, days * 24);

    let weather = weather::hours(sub_seed(seed, "weather"), &hours);
    let demand = demand::hours(sub_seed(seed, "demand"), &hours, &weather);
    let power = power::prices(sub_seed(seed, "power"), &hours, &weather, &demand);
    let bitcoin = bitcoin::days(sub_seed(seed, "bitcoin"), start, days);

    // The last hour only shows where the one before it was heading.
    let temperatures = weather.iter().map(|hour| hour.temperature()).collect();
    let forecasts = demand.iter().map(|hour| hour.forecast()).collect();
    let whole_hours = days as usize * 24;
    SyntheticHistory {
        point: POINT.to_owned(),
        lmp: dated(start, LMP_INTERVAL, power.lmp),
        settlement: dated(start, SETTLEMENT_INTERVAL, power.settlement),
        day_ahead: dated(start, HOUR, power.day_ahead),
        temperature: dated(start, HOUR, first(temperatures, whole_hours)),
        demand_forecast: dated(start, HOUR, first(forecasts, whole_hours)),
        bitcoin,
    }
}

/// The same day so many years on; the day before for a 29 February without one.
fn anniversary(start: Timestamp, years: u32) -> Timestamp {
    let (year, month, day) = start.utc_date();
    let day = if (month, day) == (2, 29) { 28 } else { day };
    let text = format!("{:04}-{month:02}-{day:02}", i64::from(year) + i64::from(years));
    Timestamp::parse(&text).expect("a date within ten millennia")
}

fn first<T>(mut values: Vec<T>, count: usize) -> Vec<T> {
    values.truncate(count);
    values
}

fn dated<T>(start: Timestamp, step: Seconds, values: Vec<T>) -> Vec<(Timestamp, T)> {
    let starts = std::iter::successors(Some(start), |at| Some(*at + step));
    starts.zip(values).collect()
}

#[cfg(test)]
mod tests;
