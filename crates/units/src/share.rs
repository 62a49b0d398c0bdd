//! Ratios with a name, and the outside temperature they depend on.

use crate::decimal;
use crate::decimal::DecimalError;
use crate::energy::Power;
use crate::money::{EnergyPrice, Money};
use crate::quantity::{div_half_even, narrow, quantity};

quantity!(
    /// A part of a whole, in parts per million.
    Share(i64)
);

quantity!(
    /// Facility power over IT power, in parts per million; at least one.
    Pue(i64)
);

quantity!(
    /// Outside air temperature, in thousandths of a degree Celsius.
    Temperature(i64)
);

const MILLION: i128 = 1_000_000;

impl Share {
    /// The whole.
    pub const WHOLE: Self = Self(1_000_000);

    /// So many parts per million.
    pub const fn from_ppm(ppm: i64) -> Self {
        Self(ppm)
    }

    /// Reads a percentage written in decimal.
    pub fn parse_percent(text: &str) -> Result<Self, DecimalError> {
        decimal::exact(text, 4).map(Self)
    }

    /// The parts per million.
    pub const fn as_ppm(self) -> i64 {
        self.0
    }

    /// What is left of the whole.
    pub fn rest(self) -> Self {
        Self::WHOLE - self
    }

    /// This share of some money, rounded half to even.
    pub fn of_money(self, money: Money) -> Money {
        let exact = i128::from(money.as_micro_usd()) * i128::from(self.0);
        Money::from_micro_usd(narrow(div_half_even(exact, MILLION)))
    }

    /// This share of a price, rounded half to even.
    pub fn of_price(self, price: EnergyPrice) -> EnergyPrice {
        let exact = i128::from(price.as_micro_usd_per_mwh()) * i128::from(self.0);
        EnergyPrice::from_micro_usd_per_mwh(narrow(div_half_even(exact, MILLION)))
    }

    /// This share of a power, rounded down.
    pub fn of_power(self, power: Power) -> Power {
        let exact = i128::from(power.as_watts()) * i128::from(self.0);
        Power::from_watts(narrow(exact.div_euclid(MILLION)))
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("{} %", decimal::text(i128::from(self.0), 4, 2)))
    }
}

impl Pue {
    /// No overhead at all.
    pub const ONE: Self = Self(1_000_000);

    /// So many parts per million: 1.10 is 1 100 000.
    pub const fn from_ppm(ppm: i64) -> Self {
        Self(ppm)
    }

    /// Reads a ratio written in decimal.
    pub fn parse(text: &str) -> Result<Self, DecimalError> {
        decimal::exact(text, 6).map(Self)
    }

    /// The parts per million.
    pub const fn as_ppm(self) -> i64 {
        self.0
    }

    /// What IT power draws at the meter with its share of cooling, rounded up.
    pub fn at_meter(self, it: Power) -> Power {
        // Up to four terawatts the product fits in 64 bits; no site is larger.
        let product = it.as_watts().checked_mul(self.0).expect("Power overflows");
        Power::from_watts(-(-product).div_euclid(1_000_000))
    }

    /// The most IT power that draws no more than so much at the meter.
    pub fn at_plug(self, at_meter: Power) -> Power {
        let exact = i128::from(at_meter.as_watts()) * MILLION;
        Power::from_watts(narrow(exact.div_euclid(i128::from(self.0))))
    }

    /// What a worth per MWh of IT energy is per MWh at the meter, rounded half to even.
    pub fn worth_at_meter(self, worth: EnergyPrice) -> EnergyPrice {
        let exact = i128::from(worth.as_micro_usd_per_mwh()) * MILLION;
        EnergyPrice::from_micro_usd_per_mwh(narrow(div_half_even(
            exact,
            i128::from(self.0),
        )))
    }
}

impl std::fmt::Display for Pue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("PUE {}", decimal::text(i128::from(self.0), 6, 3)))
    }
}

impl Temperature {
    /// So many thousandths of a degree Celsius.
    pub const fn from_millidegrees(millidegrees: i64) -> Self {
        Self(millidegrees)
    }

    /// Reads degrees Celsius written in decimal, rounding to the thousandth.
    pub fn parse_celsius(text: &str) -> Result<Self, DecimalError> {
        decimal::rounded(text, 3).map(Self)
    }

    /// The thousandths of a degree Celsius.
    pub const fn as_millidegrees(self) -> i64 {
        self.0
    }
}

impl std::fmt::Display for Temperature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("{} °C", decimal::text(i128::from(self.0), 3, 1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cooling_comes_on_top() {
        let pue = Pue::parse("1.10").expect("a ratio");
        assert_eq!(pue.at_meter(Power::from_mw(50)), Power::from_mw(55));
        assert_eq!(pue.at_meter(Power::from_watts(1)), Power::from_watts(2));
    }

    proptest! {
        #[test]
        fn the_meter_never_shows_less_than_the_machines(watts in 0_i64..1 << 40, ppm in 1_000_000_i64..3_000_000) {
            let it = Power::from_watts(watts);
            let shown = Pue::from_ppm(ppm).at_meter(it);
            prop_assert!(shown >= it);
            prop_assert!(i128::from(shown.as_watts()) * MILLION - i128::from(watts) * i128::from(ppm) < MILLION);
        }
    }
}
