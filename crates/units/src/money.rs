//! Money and the prices that make it.
//!
//! Everything is in millionths of a United States dollar. A product with a
//! quantity rounds once, half to even, and says so.

use crate::compute::{Efficiency, GpuSeconds, Hashes};
use crate::decimal;
use crate::decimal::DecimalError;
use crate::energy::{Energy, JOULES_PER_MWH};
use crate::quantity::{div_half_even, narrow, quantity};
use crate::share::Share;
use crate::time::Seconds;

quantity!(
    /// Money, in millionths of a dollar. Positive is to the operator.
    Money(i64)
);

quantity!(
    /// What a megawatt-hour costs or earns, in millionths of a dollar per MWh.
    EnergyPrice(i64)
);

quantity!(
    /// What a petahash per second earns in a day, in millionths of a dollar.
    Hashprice(i64)
);

quantity!(
    /// What one GPU earns in an hour, in millionths of a dollar.
    GpuHourPrice(i64)
);

quantity!(
    /// A charge for power, in millionths of a dollar per kilowatt.
    PowerPrice(i64)
);

/// Gigahashes in a petahash per second kept up for a day.
const GIGAHASHES_PER_PH_DAY: i128 = 1_000_000 * 86_400;

impl Money {
    /// So many millionths of a dollar.
    pub const fn from_micro_usd(micro: i64) -> Self {
        Self(micro)
    }

    /// So many whole dollars.
    pub const fn from_usd(dollars: i64) -> Self {
        Self(dollars * 1_000_000)
    }

    /// Reads dollars written in decimal, to the millionth.
    pub fn parse_usd(text: &str) -> Result<Self, DecimalError> {
        decimal::exact(text, 6).map(Self)
    }

    /// The millionths of a dollar.
    pub const fn as_micro_usd(self) -> i64 {
        self.0
    }

    /// Dollars in decimal, with `places` digits, rounded half to even.
    pub fn to_usd_text(self, places: u32) -> String {
        decimal::text(i128::from(self.0), 6, places)
    }

    /// This money so many times over.
    pub fn times(self, count: i64) -> Self {
        Self(self.0.checked_mul(count).expect("Money overflows"))
    }

    /// What this money comes to for each megawatt-hour of `energy`, rounded
    /// half to even; `None` for no energy.
    pub fn per_mwh(self, energy: Energy) -> Option<EnergyPrice> {
        let joules = i128::from(energy.as_joules());
        if joules == 0 {
            return None;
        }
        let exact = i128::from(self.0) * JOULES_PER_MWH * joules.signum();
        Some(EnergyPrice(narrow(div_half_even(exact, joules.abs()))))
    }
}

impl std::fmt::Display for Money {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("{} USD", self.to_usd_text(2)))
    }
}

impl EnergyPrice {
    /// The dearest price there is: stands for a price nobody knows.
    pub const MAX: Self = Self(i64::MAX / 4);

    /// A price of so many millionths of a dollar per MWh.
    pub const fn from_micro_usd_per_mwh(micro: i64) -> Self {
        Self(micro)
    }

    /// A price of so many whole dollars per MWh.
    pub const fn from_usd_per_mwh(dollars: i64) -> Self {
        Self(dollars * 1_000_000)
    }

    /// Reads dollars per MWh written in decimal, to the millionth.
    pub fn parse_usd_per_mwh(text: &str) -> Result<Self, DecimalError> {
        decimal::exact(text, 6).map(Self)
    }

    /// Reads a published price, rounding half to even to the millionth.
    pub fn parse_published(text: &str) -> Result<Self, DecimalError> {
        decimal::rounded(text, 6).map(Self)
    }

    /// The millionths of a dollar per MWh.
    pub const fn as_micro_usd_per_mwh(self) -> i64 {
        self.0
    }

    /// The mean of prices, each weighted by how long it held, rounded half to
    /// even; `None` where none held for any time.
    ///
    /// ```
    /// use units::{EnergyPrice, Seconds};
    /// let held = [(EnergyPrice::from_usd_per_mwh(10), Seconds::minutes(10)),
    ///             (EnergyPrice::from_usd_per_mwh(40), Seconds::minutes(5))];
    /// assert_eq!(EnergyPrice::mean(held), Some(EnergyPrice::from_usd_per_mwh(20)));
    /// ```
    pub fn mean(held: impl IntoIterator<Item = (Self, Seconds)>) -> Option<Self> {
        let (weighted, time) =
            held.into_iter().fold((0_i128, 0_i128), |sum, (price, time)| {
                let seconds = i128::from(time.as_seconds());
                (sum.0 + i128::from(price.0) * seconds, sum.1 + seconds)
            });
        (time > 0).then(|| Self(narrow(div_half_even(weighted, time))))
    }

    /// This price times a ratio of whole numbers, rounded half to even: how a
    /// rate of exchange turns another currency into dollars.
    pub fn scaled(self, numerator: i64, denominator: i64) -> Self {
        let exact = i128::from(self.0) * i128::from(numerator);
        Self(narrow(div_half_even(exact, i128::from(denominator))))
    }

    /// What `energy` costs at this price, rounded half to even.
    pub fn of(self, energy: Energy) -> Money {
        let exact = i128::from(self.0) * i128::from(energy.as_joules());
        Money(narrow(div_half_even(exact, JOULES_PER_MWH)))
    }

    /// Dollars per MWh in decimal, with `places` digits.
    pub fn to_usd_per_mwh_text(self, places: u32) -> String {
        decimal::text(i128::from(self.0), 6, places)
    }
}

impl std::fmt::Display for EnergyPrice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("{} USD/MWh", self.to_usd_per_mwh_text(2)))
    }
}

impl Hashprice {
    /// A hashprice of so many millionths of a dollar per PH/s and day.
    pub const fn from_micro_usd_per_ph_day(micro: i64) -> Self {
        Self(micro)
    }

    /// The millionths of a dollar per PH/s and day.
    pub const fn as_micro_usd_per_ph_day(self) -> i64 {
        self.0
    }

    /// What a megawatt-hour earns when spent at `efficiency`: the power price
    /// at which mining breaks even, rounded half to even.
    ///
    /// A petahash per second for a day is 86 400 x 1 000 TH.
    pub fn earned_per_mwh(self, efficiency: Efficiency) -> EnergyPrice {
        const TH_PER_PH_DAY: i128 = 86_400 * 1_000;
        let millijoules_per_ph_day =
            i128::from(efficiency.as_mj_per_th()) * TH_PER_PH_DAY;
        let exact = i128::from(self.0) * JOULES_PER_MWH * 1_000;
        EnergyPrice(narrow(div_half_even(exact, millijoules_per_ph_day)))
    }

    /// What `hashes` earn, rounded half to even.
    pub fn of(self, hashes: Hashes) -> Money {
        self.share_of(hashes, Share::WHOLE)
    }

    /// What a share of the earnings of `hashes` comes to, rounded once, half to
    /// even.
    pub fn share_of(self, hashes: Hashes, share: Share) -> Money {
        let exact =
            i128::from(self.0) * hashes.as_gigahashes() * i128::from(share.as_ppm());
        Money(narrow(div_half_even(exact, GIGAHASHES_PER_PH_DAY * 1_000_000)))
    }
}

impl std::fmt::Display for Hashprice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("{} USD/PH/day", decimal::text(i128::from(self.0), 6, 2)))
    }
}

impl GpuHourPrice {
    /// A price of so many millionths of a dollar per GPU-hour.
    pub const fn from_micro_usd(micro: i64) -> Self {
        Self(micro)
    }

    /// Reads dollars per GPU-hour written in decimal, to the millionth.
    pub fn parse_usd(text: &str) -> Result<Self, DecimalError> {
        decimal::exact(text, 6).map(Self)
    }

    /// The millionths of a dollar per GPU-hour.
    pub const fn as_micro_usd(self) -> i64 {
        self.0
    }

    /// What `time` earns, rounded half to even.
    pub fn of(self, time: GpuSeconds) -> Money {
        let exact = i128::from(self.0) * i128::from(time.as_seconds());
        Money(narrow(div_half_even(exact, 3_600)))
    }
}

impl std::fmt::Display for GpuHourPrice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("{} USD/GPU-hour", decimal::text(i128::from(self.0), 6, 2)))
    }
}

impl PowerPrice {
    /// A charge of so many millionths of a dollar per kilowatt.
    pub const fn from_micro_usd_per_kw(micro: i64) -> Self {
        Self(micro)
    }

    /// Reads dollars per kilowatt written in decimal, to the millionth.
    pub fn parse_usd_per_kw(text: &str) -> Result<Self, DecimalError> {
        decimal::exact(text, 6).map(Self)
    }

    /// The millionths of a dollar per kilowatt.
    pub const fn as_micro_usd_per_kw(self) -> i64 {
        self.0
    }

    /// This charge so many times over.
    pub fn times(self, count: i64) -> Self {
        Self(self.0.checked_mul(count).expect("PowerPrice overflows"))
    }
}

impl std::fmt::Display for PowerPrice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("{} USD/kW", decimal::text(i128::from(self.0), 6, 2)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::HashRate;
    use crate::energy::Power;
    use proptest::prelude::*;

    #[test]
    fn mining_breaks_even_at() {
        // The table of the worked example: 37.161625 USD/PH/day.
        let hashprice = Hashprice::from_micro_usd_per_ph_day(37_161_625);
        let cases = [
            (21_500, "72.02 USD/MWh"),
            (17_500, "88.48 USD/MWh"),
            (15_000, "103.23 USD/MWh"),
            (13_500, "114.70 USD/MWh"),
            (12_000, "129.03 USD/MWh"),
            (9_500, "162.99 USD/MWh"),
        ];
        for (mj_per_th, expected) in cases {
            let efficiency = Efficiency::from_mj_per_th(mj_per_th);
            assert_eq!(hashprice.earned_per_mwh(efficiency).to_string(), expected);
        }
    }

    #[test]
    fn an_hour_of_mining_earns_its_breakeven() {
        let hashprice = Hashprice::from_micro_usd_per_ph_day(50_000_000);
        let (power, rate) = (Power::from_watts(3_500), HashRate::from_ths(200));
        let earned = hashprice.of((rate * Seconds::hours(1)).times(1_000_000));
        let energy = power.times(1_000_000) * Seconds::hours(1);
        let efficiency = Efficiency::of(power, rate).expect("it hashes");
        assert_eq!(earned.per_mwh(energy), Some(hashprice.earned_per_mwh(efficiency)));
    }

    impl Hashes {
        fn times(self, count: i128) -> Self {
            Self(self.0 * count)
        }
    }

    #[test]
    fn a_cost_rounds_once_half_to_even() {
        let price = EnergyPrice::from_micro_usd_per_mwh(1);
        assert_eq!(price.of(Energy::from_joules(1_800_000_000)), Money::ZERO);
        assert_eq!(price.of(Energy::from_joules(5_400_000_000)).as_micro_usd(), 2);
        assert_eq!(price.of(Energy::from_joules(-5_400_000_000)).as_micro_usd(), -2);
    }

    proptest! {
        #[test]
        fn costs_add_up_to_a_rounding(price in -9_000_000_000_i64..9_000_000_000,
                                      a in 0_i64..1 << 40, b in 0_i64..1 << 40) {
            let price = EnergyPrice(price);
            let (a, b) = (Energy::from_joules(a), Energy::from_joules(b));
            let apart = price.of(a) + price.of(b);
            let off = (price.of(a + b) - apart).as_micro_usd().abs();
            prop_assert!(off <= 1);
        }
    }
}
