//! What power costs: the settlement price, adders, fixed-price blocks and the
//! coincident-peak charge, all as dated data.

use serde::{Deserialize, Serialize};
use units::{
    Energy, EnergyPrice, Interval, Money, Power, PowerPrice, Seconds, Share, Timestamp,
};

/// Everything that turns a site's metered energy into a cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tariff {
    /// Charges on each imported MWh beside the settlement price.
    pub adders: Vec<Adder>,
    /// Power bought ahead at a fixed price.
    pub blocks: Vec<FixedPriceBlock>,
    /// Charges on demand at the system's peaks.
    pub coincident_peaks: Vec<CoincidentPeakRule>,
}

/// A charge on each imported MWh: delivery, losses, retail fee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adder {
    /// What the bill calls it.
    pub name: String,
    /// What it costs.
    pub price: EnergyPrice,
    /// When it applies.
    pub during: Interval,
}

/// Power bought ahead: `power` in every instant of `during`, at `price`.
///
/// Settled financially: what the site does not use goes back at the settlement
/// price, so the price it decides on stays the settlement price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixedPriceBlock {
    /// What the supply contract calls it.
    pub name: String,
    /// How much is bought.
    pub power: Power,
    /// At what price.
    pub price: EnergyPrice,
    /// For how long.
    pub during: Interval,
}

/// A transmission charge set by demand in the system's peak intervals.
///
/// The mean of the site's demand in the year's peaks is billed at `charge` for
/// each of twelve months.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoincidentPeakRule {
    /// What the tariff calls it, such as 4CP.
    pub name: String,
    /// The market-local months in which a peak can fall, as UTC intervals.
    pub months: Vec<Interval>,
    /// How many peaks each of those months has.
    pub peaks_per_month: u32,
    /// How many peaks a full year of the rule has.
    pub peaks_per_year: u32,
    /// How long a peak interval is.
    pub interval: Seconds,
    /// The charge per kW and month on the mean demand in the peaks.
    pub charge_per_kw_month: PowerPrice,
    /// When a forecast makes an interval worth watching.
    pub watch: PeakWatch,
}

/// When the system's demand forecast makes an interval a likely peak.
///
/// A plain stated rule: an interval is watched when its demand forecast is at
/// least `share_of_high` of the highest forecast known for its month, and then
/// has `probability` of being a peak.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeakWatch {
    /// How near the month's highest forecast the interval must be.
    pub share_of_high: Share,
    /// How likely a watched interval is then taken to be a peak.
    pub probability: Share,
}

/// What one metered interval of power came to; costs are negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PowerBill {
    /// Net energy at the settlement price: a cost to import, income to export.
    pub energy: Money,
    /// Adders on imported energy.
    pub adders: Money,
    /// Fixed-price blocks against the settlement price.
    pub blocks: Money,
}

impl PowerBill {
    /// Everything together.
    pub fn total(self) -> Money {
        self.energy + self.adders + self.blocks
    }
}

impl Tariff {
    /// The sum of the adders in force at `at`.
    pub fn adders_at(&self, at: Timestamp) -> EnergyPrice {
        self.adders.iter().filter(|a| a.during.contains(at)).map(|a| a.price).sum()
    }

    /// Bills `net` energy (import positive) metered over `during` at the
    /// settlement price. An adder or block applies to an interval whose start
    /// it covers. Each amount is rounded once, half to even.
    pub fn bill(
        &self,
        during: Interval,
        net: Energy,
        settlement: EnergyPrice,
    ) -> PowerBill {
        let imported = net.max(Energy::ZERO);
        let blocks = self
            .blocks
            .iter()
            .filter(|block| block.during.contains(during.start))
            .map(|block| (settlement - block.price).of(block.power * during.duration()))
            .sum();
        PowerBill {
            energy: -settlement.of(net),
            adders: -self.adders_at(during.start).of(imported),
            blocks,
        }
    }
}

impl CoincidentPeakRule {
    /// Whether a peak can fall at `at`, and in which month of the rule.
    pub fn month_of(&self, at: Timestamp) -> Option<Interval> {
        self.months.iter().copied().find(|month| month.contains(at))
    }

    /// What a kilowatt drawn through one whole peak interval adds to the year's
    /// charge: twelve months of the charge, spread over the year's peaks.
    fn charge_per_kw_in_a_peak(&self) -> i128 {
        i128::from(self.charge_per_kw_month.as_micro_usd_per_kw()) * 12
            / i128::from(self.peaks_per_year)
    }

    /// What a MWh in an interval is expected to add to the charge, when the
    /// interval is a peak with `probability`. Rounded down.
    pub fn expected_adder(&self, probability: Share) -> EnergyPrice {
        // USD/kW over the interval's hours is USD/kWh; a thousand of those make a MWh.
        let per_mwh = self.charge_per_kw_in_a_peak() * 1_000 * 3_600
            / i128::from(self.interval.as_seconds());
        let expected = per_mwh * i128::from(probability.as_ppm()) / 1_000_000;
        let micro = i64::try_from(expected).expect("an adder fits in 64 bits");
        EnergyPrice::from_micro_usd_per_mwh(micro)
    }

    /// The year's charge from the mean demands metered in peaks, as a cost.
    /// Peaks not yet metered count as nothing. Rounded towards zero.
    pub fn charge(&self, demands: &[Power]) -> Money {
        let kilowatt_charges: i128 = demands
            .iter()
            .map(|demand| {
                i128::from(demand.as_watts()) * self.charge_per_kw_in_a_peak() / 1_000
            })
            .sum();
        -Money::from_micro_usd(
            i64::try_from(kilowatt_charges).expect("a charge fits in 64 bits"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("an instant")
    }

    fn quarter_hour() -> Interval {
        Interval::starting(at("2024-08-20T21:00Z"), Seconds::minutes(15))
    }

    fn year() -> Interval {
        Interval { start: at("2024-01-01"), end: at("2025-01-01") }
    }

    fn tariff() -> Tariff {
        Tariff {
            adders: vec![Adder {
                name: "delivery".into(),
                price: EnergyPrice::from_usd_per_mwh(3),
                during: year(),
            }],
            blocks: vec![FixedPriceBlock {
                name: "hedge".into(),
                power: Power::from_mw(40),
                price: EnergyPrice::from_usd_per_mwh(30),
                during: year(),
            }],
            coincident_peaks: Vec::new(),
        }
    }

    #[test]
    fn a_block_pays_the_spot_it_does_not_use() {
        let spike = EnergyPrice::from_usd_per_mwh(2_000);
        let off = tariff().bill(quarter_hour(), Energy::ZERO, spike);
        assert_eq!(off.blocks, Money::from_usd(10 * (2_000 - 30)));
        assert_eq!(off.total(), off.blocks);
        // Using all of it costs the fixed price and the adders, whatever the spot.
        let on = tariff().bill(quarter_hour(), Energy::from_mwh(10), spike);
        assert_eq!(on.total(), -Money::from_usd(10 * (30 + 3)));
    }

    #[test]
    fn export_earns_the_price_and_pays_no_adder() {
        let bill = tariff().bill(
            quarter_hour(),
            Energy::from_mwh(-5),
            EnergyPrice::from_usd_per_mwh(100),
        );
        assert_eq!((bill.energy, bill.adders), (Money::from_usd(500), Money::ZERO));
    }

    #[test]
    fn a_kilowatt_in_every_peak_costs_twelve_months() {
        let rule = CoincidentPeakRule {
            name: "4CP".into(),
            months: vec![Interval { start: at("2024-08-01"), end: at("2024-09-01") }],
            peaks_per_month: 1,
            peaks_per_year: 4,
            interval: Seconds::minutes(15),
            charge_per_kw_month: PowerPrice::parse_usd_per_kw("6").expect("a price"),
            watch: PeakWatch { share_of_high: Share::WHOLE, probability: Share::WHOLE },
        };
        assert_eq!(rule.charge(&[Power::from_kw(1); 4]), -Money::from_usd(72));
        // 18 USD/kW in a certain quarter of an hour is 72 000 USD/MWh.
        assert_eq!(
            rule.expected_adder(Share::WHOLE),
            EnergyPrice::from_usd_per_mwh(72_000)
        );
        assert_eq!(
            rule.expected_adder(Share::from_ppm(50_000)),
            EnergyPrice::from_usd_per_mwh(3_600)
        );
        assert!(rule.month_of(at("2024-09-01")).is_none());
    }
}
