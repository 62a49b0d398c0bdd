//! Power prices: what net demand costs, and what happens when it runs short.
//!
//! Each hour has a net demand (demand less wind and sun) and with it a price
//! along the market's offers. Every five minutes the market is calm, tight or
//! scarce; how soon it changes over depends on how near net demand is to what
//! can be had. Day-ahead prices come from forecasts of the same and from what
//! scarcity costs on average, never from how the hour went.

use units::EnergyPrice;

use super::calendar::Hour;
use super::demand::DemandHour;
use super::draw::{Wander, bell, between, happens};
use super::shape::along;
use super::weather::WeatherHour;
use super::{LMP_INTERVAL, PRICE_CAP_USD_PER_MWH};
use crate::seed;
use crate::seed::Generator;

/// What a power market published.
#[derive(Clone, Debug)]
pub(super) struct Prices {
    /// Every five minutes.
    pub(super) lmp: Vec<EnergyPrice>,
    /// Every fifteen minutes.
    pub(super) settlement: Vec<EnergyPrice>,
    /// Every hour.
    pub(super) day_ahead: Vec<EnergyPrice>,
}

/// Wind and solar capacity, in gigawatts.
const WIND_CAPACITY: f64 = 39.0;
const SOLAR_CAPACITY: f64 = 22.0;

/// The least a price falls to, in USD/MWh: wind is paid about that to run.
const PRICE_FLOOR: f64 = -35.0;

const PRICE_CAP: f64 = PRICE_CAP_USD_PER_MWH as f64;

/// Dispatch intervals in an hour, and in a settlement interval.
const PER_HOUR: usize = 12;
const PER_SETTLEMENT: usize = 3;

/// What the market offers, from gigawatts of net demand to USD/MWh: wind that
/// is paid to run, then gas, then what seldom runs.
const OFFERS: [(f64, f64); 14] = [
    (2.0, -27.0),
    (7.0, -16.0),
    (13.5, -2.0),
    (15.0, 2.0),
    (18.0, 11.0),
    (22.0, 17.0),
    (27.0, 20.5),
    (32.0, 23.5),
    (38.0, 27.5),
    (44.0, 33.0),
    (50.0, 41.0),
    (56.0, 52.0),
    (62.0, 66.0),
    (72.0, 125.0),
];

/// The chance in a dispatch interval of each change, by net demand.
const CALM_TO_TIGHT: [(f64, f64); 6] = [
    (20.0, 0.002_5),
    (38.0, 0.006),
    (48.0, 0.012),
    (58.0, 0.022),
    (66.0, 0.07),
    (72.0, 0.25),
];
const TIGHT_TO_CALM: [(f64, f64); 4] =
    [(35.0, 0.30), (50.0, 0.20), (62.0, 0.10), (70.0, 0.015)];
const TIGHT_TO_SCARCE: [(f64, f64); 5] =
    [(30.0, 0.006), (46.0, 0.012), (58.0, 0.016), (64.0, 0.03), (71.0, 0.09)];
const SCARCE_TO_TIGHT: [(f64, f64); 4] =
    [(35.0, 0.30), (52.0, 0.22), (63.0, 0.19), (71.0, 0.08)];

/// What scarcity is expected to add to an hour, in USD/MWh, by net demand.
const SCARCITY_EXPECTED: [(f64, f64); 7] = [
    (34.0, 0.8),
    (44.0, 1.5),
    (52.0, 4.0),
    (59.0, 12.0),
    (65.0, 50.0),
    (71.0, 350.0),
    (77.0, 1_800.0),
];

/// What the fuel behind an offer costs against usual, from deviations.
const FUEL: [(f64, f64); 5] =
    [(-3.0, 0.66), (-1.0, 0.86), (0.0, 1.0), (1.0, 1.20), (3.0, 1.70)];

/// How a price came about in one hour.
#[derive(Clone, Copy, Debug)]
struct Hourly {
    /// Net demand and units out of order, in gigawatts.
    net: f64,
    /// What that costs while the market is calm, in USD/MWh.
    calm_price: f64,
}

/// How near the market is to running short.
#[derive(Clone, Copy, Debug)]
enum Regime {
    Calm,
    /// Dearer offers are needed: a share on top of the calm price.
    Tight {
        premium: f64,
    },
    /// Reserves run short: so many USD/MWh on top.
    Scarce {
        adder: f64,
    },
}

/// The prices of all `hours` but the last.
pub(super) fn prices(
    seed: u64,
    hours: &[Hour],
    weather: &[WeatherHour],
    demand: &[DemandHour],
) -> Prices {
    let (hourly, day_ahead) = hourly(seed, hours, weather, demand);
    let lmp = lmp(seed, &hourly);
    let settlement = settlement(seed, &lmp);
    Prices { lmp, settlement, day_ahead }
}

fn hourly(
    seed: u64,
    hours: &[Hour],
    weather: &[WeatherHour],
    demand: &[DemandHour],
) -> (Vec<Hourly>, Vec<EnergyPrice>) {
    let mut fuel_draws = seed::generator(seed, "fuel");
    let mut outage_draws = seed::generator(seed, "outages");
    let mut forecast_draws = seed::generator(seed, "day ahead");
    // Fuel wanders over months, outages over days, a forecast's error over hours.
    let mut fuel = Wander::new(0.985, &mut fuel_draws);
    let mut outages = Wander::new(0.985, &mut outage_draws);
    let mut error = Wander::new(0.92, &mut forecast_draws);

    let mut hourly = Vec::with_capacity(hours.len());
    let mut day_ahead = Vec::with_capacity(hours.len());
    let mut fuel_now = along(&FUEL, fuel.step(&mut fuel_draws));
    let mut day = hours[0].day;
    for ((hour, weather), demand) in hours.iter().zip(weather).zip(demand) {
        if hour.day != day {
            day = hour.day;
            fuel_now = along(&FUEL, fuel.step(&mut fuel_draws));
        }
        let renewable = WIND_CAPACITY * weather.wind + SOLAR_CAPACITY * weather.sun;
        let out = 2.2 * outages.step(&mut outage_draws);
        let net = demand.gigawatts - renewable + out;
        hourly.push(Hourly { net, calm_price: calm_price(net, fuel_now) });
        // Wind is harder to foresee than demand, outages are not foreseen.
        let foreseen =
            demand.forecast_gigawatts - renewable + 3.0 * error.step(&mut forecast_draws);
        let expected = calm_price(foreseen, fuel_now).max(-12.0)
            + along(&SCARCITY_EXPECTED, foreseen)
            + 0.8 * bell(&mut forecast_draws);
        day_ahead.push(published(expected));
    }
    day_ahead.pop();
    (hourly, day_ahead)
}

/// What net demand costs while the market is calm, in USD/MWh.
fn calm_price(net: f64, fuel: f64) -> f64 {
    let offer = along(&OFFERS, net);
    if offer > 0.0 { offer * fuel } else { offer }
}

fn lmp(seed: u64, hourly: &[Hourly]) -> Vec<EnergyPrice> {
    let mut regime_draws = seed::generator(seed, "regimes");
    let mut flutter_draws = seed::generator(seed, "flutter");
    let mut flutter = Wander::new(0.60, &mut flutter_draws);
    let mut regime = Regime::Calm;
    let mut lmp = Vec::with_capacity(hourly.len() * PER_HOUR);
    for pair in hourly.windows(2) {
        for step in 0..PER_HOUR {
            let share = step as f64 / PER_HOUR as f64;
            let net = pair[0].net + (pair[1].net - pair[0].net) * share;
            let calm =
                pair[0].calm_price + (pair[1].calm_price - pair[0].calm_price) * share;
            regime = next(regime, net, &mut regime_draws);
            let width = 2.2 + 0.19 * calm.abs();
            let fluttered = calm + width * flutter.step(&mut flutter_draws);
            let price = match regime {
                Regime::Calm => fluttered,
                Regime::Tight { premium } => fluttered + premium * calm.max(18.0),
                Regime::Scarce { adder } => fluttered + adder,
            };
            lmp.push(published(price));
        }
    }
    lmp
}

/// The regime of the next dispatch interval at a net demand.
fn next(regime: Regime, net: f64, draws: &mut Generator) -> Regime {
    let chance = draws.unit();
    match regime {
        Regime::Calm if chance < along(&CALM_TO_TIGHT, net) => tight(draws),
        Regime::Calm => Regime::Calm,
        Regime::Tight { premium } => {
            let to_scarce = along(&TIGHT_TO_SCARCE, net);
            if chance < to_scarce {
                scarce(draws)
            } else if chance < to_scarce + along(&TIGHT_TO_CALM, net) {
                Regime::Calm
            } else {
                // Offers move up and down the stack from run to run.
                let moved = premium * (1.0 + 0.10 * bell(draws));
                Regime::Tight { premium: moved.clamp(0.2, 6.0) }
            }
        }
        Regime::Scarce { .. } if chance < along(&SCARCE_TO_TIGHT, net) => tight(draws),
        Regime::Scarce { adder } => {
            // Scarcity feeds on itself a little until it passes.
            let moved = adder * (1.03 + 0.16 * bell(draws));
            Regime::Scarce { adder: moved.clamp(100.0, 2.0 * PRICE_CAP) }
        }
    }
}

fn tight(draws: &mut Generator) -> Regime {
    Regime::Tight { premium: between(draws, 0.3, 2.2) }
}

/// How deep a shortage is: most are shallow, one in eight goes to the cap.
fn scarce(draws: &mut Generator) -> Regime {
    let (low, high) = if happens(draws, 0.62) {
        (120.0, 500.0)
    } else if happens(draws, 0.67) {
        (500.0, 1_800.0)
    } else {
        (1_800.0, 7_000.0)
    };
    Regime::Scarce { adder: between(draws, low, high) }
}

fn settlement(seed: u64, lmp: &[EnergyPrice]) -> Vec<EnergyPrice> {
    let mut adder_draws = seed::generator(seed, "reserve adder");
    let mut adder = |price: f64| {
        // Nothing three times in four; else cents, more when power is dear.
        if happens(&mut adder_draws, 0.75) {
            return 0.0;
        }
        between(&mut adder_draws, 0.0, 0.08) * (1.0 + price.abs() / 50.0)
    };
    let quarter_hours = lmp.chunks_exact(PER_SETTLEMENT).map(|runs| {
        let held = runs.iter().map(|price| (*price, LMP_INTERVAL));
        let mean = EnergyPrice::mean(held).expect("three runs held");
        let mean = mean.as_micro_usd_per_mwh() as f64 / 1_000_000.0;
        published(mean + adder(mean))
    });
    quarter_hours.collect()
}

/// A price as the market prints it: within its bounds, in whole cents.
fn published(usd_per_mwh: f64) -> EnergyPrice {
    let cents = (usd_per_mwh.clamp(PRICE_FLOOR, PRICE_CAP) * 100.0).round() as i64;
    EnergyPrice::from_micro_usd_per_mwh(cents * 10_000)
}
