//! Temperature, wind and sun, hour by hour.

use units::Temperature;

use super::calendar::Hour;
use super::draw::Wander;
use super::shape::{along, around};
use crate::seed;

/// The weather of one hour.
#[derive(Clone, Copy, Debug)]
pub(super) struct WeatherHour {
    /// Degrees Celsius.
    pub(super) celsius: f64,
    /// What the region's wind turbines make of their capacity, 0 to 1.
    pub(super) wind: f64,
    /// What the region's solar plants make of their capacity, 0 to 1.
    pub(super) sun: f64,
}

impl WeatherHour {
    /// The temperature to the thousandth of a degree.
    pub(super) fn temperature(&self) -> Temperature {
        Temperature::from_millidegrees((self.celsius * 1_000.0).round() as i64)
    }
}

/// Mean temperature of each month, in degrees Celsius: Texas as observed in
/// 2024 and 2025, rounded.
const MONTH_MEAN: [f64; 12] =
    [7.5, 12.0, 17.0, 20.5, 24.5, 28.0, 29.0, 29.5, 26.5, 22.0, 16.0, 11.0];

/// How wide a month's weather is: cold fronts in winter, little in summer.
const MONTH_WIDTH: [f64; 12] =
    [6.0, 5.5, 4.5, 4.0, 3.0, 2.2, 2.0, 2.2, 2.8, 3.8, 4.8, 5.5];

/// What each hour of the day adds to the day's mean: coolest at six, warmest
/// at four in the afternoon.
const HOUR_WARMTH: [f64; 24] = [
    -2.4, -3.0, -3.6, -4.1, -4.5, -4.9, -5.0, -4.3, -2.8, -1.0, 0.8, 2.4, 3.7, 4.6, 5.1,
    5.3, 5.1, 4.5, 3.3, 1.9, 0.6, -0.4, -1.2, -1.8,
];

/// How much more wind than usual blows in each month, in deviations.
const MONTH_WIND: [f64; 12] =
    [0.15, 0.25, 0.50, 0.65, 0.45, 0.05, -0.35, -0.45, -0.35, 0.10, 0.15, 0.15];

/// How much more wind than usual blows in each hour, in deviations: West Texas
/// wind is a night wind.
const HOUR_WIND: [f64; 24] = [
    0.54, 0.55, 0.52, 0.46, 0.38, 0.28, 0.17, 0.05, -0.12, -0.25, -0.34, -0.40, -0.43,
    -0.43, -0.41, -0.38, -0.34, -0.27, -0.15, 0.06, 0.25, 0.38, 0.46, 0.51,
];

/// From how windy it is, in deviations, to the share of capacity.
const WIND_SHARE: [(f64, f64); 7] = [
    (-3.0, 0.01),
    (-2.0, 0.05),
    (-1.0, 0.16),
    (0.0, 0.34),
    (1.0, 0.54),
    (2.0, 0.70),
    (3.0, 0.78),
];

/// What a clear sky gives at each hour, of capacity, at the equinoxes.
const HOUR_SUN: [f64; 24] = [
    0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.02, 0.17, 0.45, 0.66, 0.76, 0.81, 0.82, 0.81, 0.79,
    0.73, 0.60, 0.36, 0.09, 0.0, 0.0, 0.0, 0.0, 0.0,
];

/// What each month makes of that: longer days and a higher sun in summer.
const MONTH_SUN: [f64; 12] =
    [0.72, 0.80, 0.92, 1.00, 1.05, 1.10, 1.10, 1.06, 0.98, 0.90, 0.76, 0.68];

/// What the sky lets through, from how clear it is in deviations.
const SKY: [(f64, f64); 5] =
    [(-2.5, 0.20), (-1.0, 0.60), (0.0, 0.86), (1.0, 0.97), (2.0, 1.0)];

/// The weather of `hours`.
pub(super) fn hours(seed: u64, hours: &[Hour]) -> Vec<WeatherHour> {
    let mut fronts_draws = seed::generator(seed, "fronts");
    let mut gust_draws = seed::generator(seed, "wind");
    let mut sky_draws = seed::generator(seed, "sky");
    // A front takes days to pass, a windy spell one, and the sky clears in hours.
    let mut front = Wander::new(0.988, &mut fronts_draws);
    let mut flutter = Wander::new(0.8, &mut fronts_draws);
    let mut wind = Wander::new(0.972, &mut gust_draws);
    let mut sky = Wander::new(0.95, &mut sky_draws);

    let weather = hours.iter().map(|hour| {
        let celsius = around(&MONTH_MEAN, hour.season)
            + around(&MONTH_WIDTH, hour.season) * front.step(&mut fronts_draws)
            + 0.6 * flutter.step(&mut fronts_draws)
            + HOUR_WARMTH[hour.of_day];
        let windy = wind.step(&mut gust_draws)
            + around(&MONTH_WIND, hour.season)
            + HOUR_WIND[hour.of_day];
        let sun = HOUR_SUN[hour.of_day]
            * around(&MONTH_SUN, hour.season)
            * along(&SKY, sky.step(&mut sky_draws));
        WeatherHour { celsius, wind: along(&WIND_SHARE, windy), sun }
    });
    weather.collect()
}
