//! From exact quantities to the floats of a horizon, and back.
//!
//! An answer is snapped to the nearest watt or millionth of a dollar; what is
//! beyond all figures becomes the largest there is.

use units::{Energy, EnergyPrice, Power, Seconds, Share};

/// A width or ramp that nothing limits.
pub const NO_LIMIT: f64 = f64::INFINITY;

/// A power in MW.
pub fn mw(power: Power) -> f64 {
    power.as_watts() as f64 / 1e6
}

/// An energy in MWh.
pub fn mwh(energy: Energy) -> f64 {
    energy.as_joules() as f64 / 3.6e9
}

/// A price in USD/MWh.
pub fn usd_per_mwh(price: EnergyPrice) -> f64 {
    price.as_micro_usd_per_mwh() as f64 / 1e6
}

/// A part of a whole.
pub fn part(share: Share) -> f64 {
    share.as_ppm() as f64 / 1e6
}

/// A duration in hours.
pub fn hours(duration: Seconds) -> f64 {
    duration.as_seconds() as f64 / 3_600.0
}

/// The power of so many MW, to the nearest watt.
pub fn power(mw: f64) -> Power {
    Power::from_watts((mw * 1e6).round() as i64)
}

/// The price of so many USD/MWh, to the nearest millionth.
pub fn price(usd_per_mwh: f64) -> EnergyPrice {
    EnergyPrice::from_micro_usd_per_mwh((usd_per_mwh * 1e6).round() as i64)
}

/// Prices in USD/MWh.
pub fn prices(prices: &[EnergyPrice]) -> Vec<f64> {
    prices.iter().map(|price| usd_per_mwh(*price)).collect()
}

/// Whether a figure can be a price: a number below a million dollars a MWh.
pub fn is_a_price(usd_per_mwh: f64) -> bool {
    usd_per_mwh.abs() <= 1e6
}
