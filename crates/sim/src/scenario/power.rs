//! The price of power: calm about a seasonal mean, with spikes and negative stretches.
//!
//! A Markov chain of three regimes by the hour, after Huisman and Mahieu (2003), who
//! show that spikes modelled as jumps of a mean-reverting price are mistaken for fast
//! reversion. Calm: the month's and hour's mean, times a level that wanders over months
//! (fuel), times a lognormal of mean one that fades in hours: calm prices stay above
//! nought, as those that it is calibrated on do. Spike: a lognormal price, drawn when it begins, that holds until
//! it ends; how often they begin wanders too, since years of scarcity have many times
//! the spikes of others. Low: below nought by an exponential amount, drawn likewise.
//!
//! A decision at an hour's start knows the price then. The hour settles at the mean of
//! that price and the one at its end, so a spike that begins within the hour is paid
//! for and was not foreseen.

use units::Timestamp;

use super::copula::{Copula, Factor, Together};
use super::draw::Draws;
use super::level::{Level, LevelPath};
use super::reversion::{Reversion, Stepping};
use super::{HOURS_PER_YEAR, maths};

/// A regime beside the calm one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Regime {
    /// The probability in a calm hour that it begins.
    pub begins_per_hour: f64,
    /// The probability in an hour that it ends.
    pub ends_per_hour: f64,
}

impl Regime {
    /// Hours in it against hours of calm, in the long run.
    fn to_calm(self) -> f64 {
        if self.begins_per_hour <= 0.0 {
            0.0
        } else {
            self.begins_per_hour / self.ends_per_hour
        }
    }
}

/// How the price moves.
#[derive(Clone, Debug, PartialEq)]
pub struct Power {
    /// The mean of calm prices by month and hour of the market's day, in USD/MWh.
    pub calm_usd_per_mwh: [[f64; 24]; 12],
    /// How far behind UTC the market's clock is, in hours.
    pub behind_utc_hours: i64,
    /// How all calm prices wander together.
    pub level: Level,
    /// How a calm price over its mean wanders about one: how far it strays, and how fast
    /// its logarithm comes back.
    pub deviation: Reversion,
    /// When spikes come and go.
    pub spike: Regime,
    /// How much likelier than usual a spike begins, by hour of the market's day.
    pub spike_by_hour: [f64; 24],
    /// How many times as often they begin as usual: how its logarithm wanders.
    pub scarcity: Reversion,
    /// The mean and deviation of a spike's logarithm, in USD/MWh.
    pub spike_logarithm: (f64, f64),
    /// When prices below nought come and go.
    pub low: Regime,
    /// How far below nought, on average, in USD/MWh.
    pub low_depth_usd_per_mwh: f64,
    /// The least and the most that the market lets a price be, in USD/MWh.
    pub bounds_usd_per_mwh: (f64, f64),
}

impl Power {
    /// The shares of hours in calm, spike and low, in the long run, where spikes come
    /// alike at every hour.
    pub fn shares(&self) -> [f64; 3] {
        let (spike, low) = (self.spike.to_calm(), self.low.to_calm());
        let calm = 1.0 / (1.0 + spike + low);
        [calm, spike * calm, low * calm]
    }

    /// The mean price in the long run, where spikes come alike at every hour and the
    /// bounds do not bind.
    pub fn mean_usd_per_mwh(&self) -> f64 {
        let [calm, spike, low] = self.shares();
        let months = self.calm_usd_per_mwh.iter().flatten().sum::<f64>();
        let (mean, deviation) = self.spike_logarithm;
        calm * months / 288.0 + spike * maths::exp(mean + deviation * deviation / 2.0)
            - low * self.low_depth_usd_per_mwh
    }

    /// The same with calm prices scaled so that the mean comes to a forward price: a
    /// forward prices what is expected, spikes and all. `None` where calm prices would
    /// have to be below nought.
    #[must_use]
    pub fn at_forward(mut self, forward_usd_per_mwh: f64) -> Option<Self> {
        let [calm, ..] = self.shares();
        let of_calm = calm * self.calm_usd_per_mwh.iter().flatten().sum::<f64>() / 288.0;
        let rest = self.mean_usd_per_mwh() - of_calm;
        let scale = (forward_usd_per_mwh - rest) / of_calm;
        if scale.is_nan() || scale <= 0.0 {
            return None;
        }
        for price in self.calm_usd_per_mwh.iter_mut().flatten() {
            *price *= scale;
        }
        Some(self)
    }

    /// The path of one future, an hour at a time from `start`.
    pub fn path(&self, seed: u64, path: u64, start: Timestamp) -> PowerPath<'_> {
        let first_day = self.first_day(start);
        let fuel = Copula::APART.draws(Factor::Power, seed, path, first_day);
        self.path_with(seed, path, start, fuel)
    }

    /// The market's day that `start` is in, since 1970.
    pub fn first_day(&self, start: Timestamp) -> u64 {
        let hours = start.as_unix_seconds().div_euclid(3_600) - self.behind_utc_hours;
        hours.div_euclid(24) as u64
    }

    /// The same, with a level that others share in.
    pub fn path_with(
        &self,
        seed: u64,
        path: u64,
        start: Timestamp,
        fuel: Together,
    ) -> PowerPath<'_> {
        let years = 1.0 / HOURS_PER_YEAR;
        let deviations = Draws::of(seed, path, "power");
        let scarcity = Draws::of(seed, path, "scarcity");
        let deviation = self.deviation.of_logarithm();
        let spread = deviation.deviation();
        let mut begun = PowerPath {
            power: self,
            hours: start.as_unix_seconds().div_euclid(3_600) - self.behind_utc_hours,
            month: 0,
            step: 0,
            regimes: Draws::of(seed, path, "regimes"),
            sizes: Draws::of(seed, path, "regime sizes"),
            deviations,
            fuel,
            first_day: self.first_day(start),
            level: self.level.path(24.0 * years),
            stepping: deviation.stepping(years),
            half_variance: spread * spread / 2.0,
            factor: 1.0,
            scarcity: self.scarcity.level_from(scarcity.bell(u64::MAX), 24.0 * years),
            scarcities: scarcity,
            spikes: 1.0,
            deviation: spread * deviations.bell(u64::MAX),
            regime: Now::Calm,
            price: 0.0,
        };
        begun.new_day();
        begun.price = begun.draw();
        begun
    }
}

/// What the price of one hour was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hour {
    /// What was known when it began, in USD/MWh.
    pub known: f64,
    /// What it settles at, in USD/MWh.
    pub settled: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Now {
    Calm,
    /// At a price that holds.
    At(f64, bool),
}

/// The price of power in one future.
#[derive(Clone, Debug)]
pub struct PowerPath<'a> {
    power: &'a Power,
    /// Hours since 1970 by the market's clock.
    hours: i64,
    month: usize,
    step: u64,
    regimes: Draws,
    sizes: Draws,
    deviations: Draws,
    fuel: Together,
    first_day: u64,
    level: LevelPath,
    scarcity: LevelPath,
    scarcities: Draws,
    /// How many times as often as usual spikes begin.
    spikes: f64,
    stepping: Stepping,
    /// Half the variance of a calm price's logarithm, by which its mean is above its
    /// middle.
    half_variance: f64,
    factor: f64,
    deviation: f64,
    regime: Now,
    /// The price at the hour's start.
    price: f64,
}

impl PowerPath<'_> {
    /// The next hour.
    #[inline]
    pub fn next_hour(&mut self) -> Hour {
        let known = self.price;
        self.hours += 1;
        self.step += 1;
        if self.hours.rem_euclid(24) == 0 {
            self.new_day();
        }
        self.price = self.draw();
        Hour { known, settled: (known + self.price) / 2.0 }
    }

    /// The hour of the market's day that comes next, 0 to 23.
    pub fn hour_of_day(&self) -> usize {
        self.hours.rem_euclid(24) as usize
    }

    fn new_day(&mut self) {
        let local = Timestamp::from_unix_seconds(self.hours * 3_600);
        self.month = local.utc_date().1 as usize - 1;
        let day = self.hours.div_euclid(24) as u64;
        let bell = self.fuel.bell(day - self.first_day);
        self.factor = self.level.step(bell);
        if self.power.scarcity.deviation() > 0.0 {
            self.spikes = self.scarcity.step(self.scarcities.bell(day - self.first_day));
        }
    }

    /// The price at the start of the hour `self.hours`.
    fn draw(&mut self) -> f64 {
        let power = self.power;
        let hour = self.hours.rem_euclid(24) as usize;
        let unit = self.regimes.unit(self.step);
        self.regime = match self.regime {
            Now::Calm => {
                let spike =
                    power.spike.begins_per_hour * power.spike_by_hour[hour] * self.spikes;
                if unit < spike {
                    let (mean, deviation) = power.spike_logarithm;
                    let size = mean + deviation * self.sizes.bell(self.step);
                    Now::At(maths::exp(size), true)
                } else if unit < spike + power.low.begins_per_hour {
                    let depth = power.low_depth_usd_per_mwh * self.sizes.wait(self.step);
                    Now::At(-depth, false)
                } else {
                    Now::Calm
                }
            }
            Now::At(_, true) if unit < power.spike.ends_per_hour => Now::Calm,
            Now::At(_, false) if unit < power.low.ends_per_hour => Now::Calm,
            Now::At(..) => self.regime,
        };
        self.deviation =
            self.stepping.step(self.deviation, self.deviations.bell(self.step));
        let price = match self.regime {
            Now::Calm => {
                let mean = power.calm_usd_per_mwh[self.month][hour];
                mean * self.factor * maths::exp(self.deviation - self.half_variance)
            }
            Now::At(price, _) => price,
        };
        price.clamp(power.bounds_usd_per_mwh.0, power.bounds_usd_per_mwh.1)
    }
}
