//! The system's demand, and what was forecast of it.

use units::Power;

use super::calendar::Hour;
use super::draw::Wander;
use super::shape::along;
use super::weather::WeatherHour;
use crate::seed;

/// The demand of one hour.
#[derive(Clone, Copy, Debug)]
pub(super) struct DemandHour {
    /// What it turned out to be, in gigawatts.
    pub(super) gigawatts: f64,
    /// What was forecast of it the day before, in gigawatts.
    pub(super) forecast_gigawatts: f64,
}

impl DemandHour {
    /// The forecast to the megawatt.
    pub(super) fn forecast(&self) -> Power {
        Power::from_mw((self.forecast_gigawatts * 1_000.0).round() as i64)
    }
}

/// Demand in gigawatts by temperature: heating below, cooling above. Shaped
/// after ERCOT's day-ahead forecasts of 2024 and 2025.
const BY_TEMPERATURE: [(f64, f64); 11] = [
    (-10.0, 78.0),
    (-4.0, 70.0),
    (0.0, 63.5),
    (4.0, 56.0),
    (8.0, 50.0),
    (14.0, 46.5),
    (20.0, 48.0),
    (24.0, 53.0),
    (28.0, 60.5),
    (34.0, 72.0),
    (40.0, 80.0),
];

/// What each hour of the day adds, in gigawatts: a morning and an evening.
const BY_HOUR: [f64; 24] = [
    -4.5, -5.2, -5.5, -5.5, -5.0, -3.4, -0.8, 0.8, 1.0, 0.8, 0.8, 0.8, 0.6, 0.4, 0.5,
    1.0, 2.0, 3.4, 4.4, 4.4, 3.8, 2.4, 0.0, -2.6,
];

/// What a weekend takes away.
const WEEKEND: f64 = 0.95;

/// How much of the warmth of an hour ago a building still holds.
const WARMTH_KEPT: f64 = 0.72;

/// How far a forecast is off, as a share of demand.
const FORECAST_WIDTH: f64 = 0.018;

/// The demand of `hours` in that weather.
pub(super) fn hours(
    seed: u64,
    hours: &[Hour],
    weather: &[WeatherHour],
) -> Vec<DemandHour> {
    let mut habit_draws = seed::generator(seed, "habit");
    let mut forecast_draws = seed::generator(seed, "forecast");
    let mut habit = Wander::new(0.97, &mut habit_draws);
    let mut error = Wander::new(0.94, &mut forecast_draws);
    let mut felt = weather[0].celsius;
    let demand = hours.iter().zip(weather).map(|(hour, weather)| {
        felt = WARMTH_KEPT * felt + (1.0 - WARMTH_KEPT) * weather.celsius;
        let weekday = if hour.weekend { WEEKEND } else { 1.0 };
        let gigawatts = (along(&BY_TEMPERATURE, felt) + BY_HOUR[hour.of_day])
            * weekday
            * (1.0 + 0.012 * habit.step(&mut habit_draws));
        let off = FORECAST_WIDTH * error.step(&mut forecast_draws);
        DemandHour { gigawatts, forecast_gigawatts: gigawatts * (1.0 + off) }
    });
    demand.collect()
}
