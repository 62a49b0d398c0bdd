//! Power and energy, at whatever place the name beside them says.

use crate::decimal;
use crate::decimal::DecimalError;
use crate::quantity::quantity;
use crate::time::Seconds;

quantity!(
    /// Electrical power, in watts. Positive is drawn from the grid.
    Power(i64)
);

quantity!(
    /// Electrical energy, in joules, so that watts times seconds is exact.
    /// Positive is drawn from the grid.
    Energy(i64)
);

/// Joules in a megawatt-hour.
pub(crate) const JOULES_PER_MWH: i128 = 3_600_000_000;

impl Power {
    /// A power of so many watts.
    pub const fn from_watts(watts: i64) -> Self {
        Self(watts)
    }

    /// A power of so many kilowatts.
    pub const fn from_kw(kilowatts: i64) -> Self {
        Self(kilowatts * 1_000)
    }

    /// A power of so many megawatts.
    pub const fn from_mw(megawatts: i64) -> Self {
        Self(megawatts * 1_000_000)
    }

    /// Reads megawatts written in decimal, to the watt.
    pub fn parse_mw(text: &str) -> Result<Self, DecimalError> {
        decimal::exact(text, 6).map(Self)
    }

    /// Reads kilowatts written in decimal, to the watt.
    pub fn parse_kw(text: &str) -> Result<Self, DecimalError> {
        decimal::exact(text, 3).map(Self)
    }

    /// The watts.
    pub const fn as_watts(self) -> i64 {
        self.0
    }

    /// Megawatts in decimal, with `places` digits.
    pub fn to_mw_text(self, places: u32) -> String {
        decimal::text(i128::from(self.0), 6, places)
    }

    /// This power so many times over.
    pub fn times(self, count: i64) -> Self {
        Self(self.0.checked_mul(count).expect("Power overflows"))
    }
}

impl std::ops::Mul<Seconds> for Power {
    type Output = Energy;
    fn mul(self, duration: Seconds) -> Energy {
        Energy(self.0.checked_mul(duration.as_seconds()).expect("Energy overflows"))
    }
}

impl std::fmt::Display for Power {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("{} MW", self.to_mw_text(3)))
    }
}

impl Energy {
    /// An energy of so many joules.
    pub const fn from_joules(joules: i64) -> Self {
        Self(joules)
    }

    /// An energy of so many kilowatt-hours.
    pub const fn from_kwh(kilowatt_hours: i64) -> Self {
        Self(kilowatt_hours * 3_600_000)
    }

    /// An energy of so many megawatt-hours.
    pub const fn from_mwh(megawatt_hours: i64) -> Self {
        Self(megawatt_hours * 3_600_000_000)
    }

    /// Reads megawatt-hours written in decimal, to the watt-hour.
    pub fn parse_mwh(text: &str) -> Result<Self, DecimalError> {
        decimal::exact(text, 6).map(|watt_hours| Self(watt_hours * 3_600))
    }

    /// The joules.
    pub const fn as_joules(self) -> i64 {
        self.0
    }

    /// Megawatt-hours in decimal, with `places` digits, rounded half to even.
    pub fn to_mwh_text(self, places: u32) -> String {
        let watt_hours =
            crate::quantity::div_half_even(i128::from(self.0) * 1_000, 3_600);
        decimal::text(watt_hours, 9, places)
    }

    /// The steady power that gives this energy in `duration`, rounded down.
    pub fn over(self, duration: Seconds) -> Power {
        Power(self.0.div_euclid(duration.as_seconds()))
    }
}

impl std::fmt::Display for Energy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("{} MWh", self.to_mwh_text(3)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_megawatt_for_a_sced_interval() {
        assert_eq!(Power::from_mw(12) * Seconds::minutes(5), Energy::from_mwh(1));
        assert_eq!(Energy::from_mwh(1).over(Seconds::minutes(5)), Power::from_mw(12));
    }

    #[test]
    fn text_names_the_unit() {
        assert_eq!(Power::from_kw(3_200).to_string(), "3.200 MW");
        assert_eq!(Energy::from_kwh(1_250).to_string(), "1.250 MWh");
        assert_eq!(
            Power::parse_mw("0.0000001").unwrap_err().to_string(),
            "`0.0000001` has more than 6 digits after the point"
        );
    }

    proptest! {
        #[test]
        fn sums_come_apart_again(a in -1_i64 << 60..1 << 60, b in -1_i64 << 60..1 << 60) {
            let (a, b) = (Power::from_watts(a), Power::from_watts(b));
            prop_assert_eq!(a + b - b, a);
            prop_assert_eq!(-(-a), a);
        }
    }
}
