//! Other currencies to dollars, by a dated table of yearly average rates.
//!
//! An interval is converted at the average of the calendar year before it: that
//! one was known by then. It is a stated simplification, wrong by as much as
//! the rate moved since; it is noted wherever it is used.

use units::EnergyPrice;

use super::cell::days;
use super::market::Currency;

/// One year's average: thousandths of the currency for a dollar.
struct Rate(i64, i64);

/// Source: IRS, yearly average currency exchange rates. 2017 to 2022 were seen
/// in a copy of the table as revised in February 2023; the other years are
/// unchecked.
const AUD: &[Rate] = &[
    Rate(2015, 1_332),
    Rate(2016, 1_345),
    Rate(2017, 1_358),
    Rate(2018, 1_340),
    Rate(2019, 1_439),
    Rate(2020, 1_452),
    Rate(2021, 1_332),
    Rate(2022, 1_442),
    Rate(2023, 1_506),
    Rate(2024, 1_516),
];

/// Source: as above.
const CAD: &[Rate] = &[
    Rate(2017, 1_350),
    Rate(2018, 1_297),
    Rate(2019, 1_327),
    Rate(2020, 1_341),
    Rate(2021, 1_254),
    Rate(2022, 1_301),
    Rate(2023, 1_350),
    Rate(2024, 1_370),
];

/// The year whose average converts an interval that starts at `at`, and the
/// thousandths of the currency for a dollar; `None` for dollars.
pub(crate) fn rate(currency: Currency, at: i64) -> Option<(i64, i64)> {
    let table = match currency {
        Currency::Usd => return None,
        Currency::Aud => AUD,
        Currency::Cad => CAD,
    };
    // Every table has a row, and before its first year there is none better.
    let rate = table
        .iter()
        .rev()
        .find(|rate| days(rate.0 + 1, 1, 1) * super::cell::DAY <= at)
        .unwrap_or(&table[0]);
    Some((rate.0, rate.1))
}

/// A price in millionths of `currency` per MWh in dollars.
pub(crate) fn to_usd(currency: Currency, at: i64, micro: i64) -> EnergyPrice {
    let price = EnergyPrice::from_micro_usd_per_mwh(micro);
    match rate(currency, at) {
        Some((_, thousandths)) => price.scaled(1_000, thousandths),
        None => price,
    }
}

#[cfg(test)]
mod tests {
    use super::super::cell::utc;
    use super::*;

    #[test]
    fn the_year_before_converts() {
        let cases = [
            (utc(2018, 4, 1, 0), (2017, 1_358)),
            (utc(2017, 12, 31, 23), (2016, 1_345)),
            (utc(2018, 1, 1, 0), (2017, 1_358)),
            (utc(2010, 1, 1, 0), (2015, 1_332)),
            (utc(2030, 1, 1, 0), (2024, 1_516)),
        ];
        for (at, expected) in cases {
            assert_eq!(rate(Currency::Aud, at), Some(expected), "{at}");
        }
        assert_eq!(
            to_usd(Currency::Aud, utc(2018, 4, 1, 0), 67_900_000).to_string(),
            "50.00 USD/MWh"
        );
        assert_eq!(to_usd(Currency::Usd, 0, 5).as_micro_usd_per_mwh(), 5);
    }
}
