//! Decimal text to exact integers and back: the only door for written numbers.
//!
//! A number that people or markets wrote is read as decimal text and scaled to
//! the base unit. It is never a float on the way.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

/// Why text is not a decimal number of the wanted size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// The text is not a plain or scientific decimal number.
    #[error("expected a decimal number, found `{0}`")]
    NotANumber(String),
    /// The number is too large for the quantity.
    #[error("`{0}` is too large for this quantity")]
    TooLarge(String),
    /// The number has digits beyond the smallest unit kept.
    #[error("`{text}` has more than {places} digits after the point")]
    TooFine {
        /// What was written.
        text: String,
        /// How many digits are kept.
        places: u32,
    },
}

fn parse(text: &str) -> Result<Decimal, DecimalError> {
    let text = text.trim();
    let plain = text.strip_prefix('+').unwrap_or(text);
    let scientific = plain.bytes().any(|b| b == b'e' || b == b'E');
    let parsed = if scientific { Decimal::from_scientific(plain) } else { plain.parse() };
    // `Decimal` allows `_` between digits; markets and site files do not.
    match parsed {
        Ok(value) if !plain.contains('_') => Ok(value),
        _ => Err(DecimalError::NotANumber(text.to_owned())),
    }
}

fn widen(value: Decimal, text: &str, places: u32) -> Result<i64, DecimalError> {
    let too_large = || DecimalError::TooLarge(text.trim().to_owned());
    let scale = Decimal::from(10_i64.checked_pow(places).expect("at most 18 places"));
    value
        .checked_mul(scale)
        .and_then(|scaled| scaled.trunc().to_i64())
        .ok_or_else(too_large)
}

/// Reads decimal text as an integer count of `10^-places`, rounding half to even.
///
/// For figures that markets publish with more digits than we keep.
///
/// ```
/// assert_eq!(units::decimal::rounded("67.58327", 6), Ok(67_583_270));
/// assert_eq!(units::decimal::rounded("4.064095502e+10", 0), Ok(40_640_955_020));
/// ```
pub fn rounded(text: &str, places: u32) -> Result<i64, DecimalError> {
    let value = parse(text)?;
    widen(value.round_dp(places), text, places)
}

/// Reads decimal text as an integer count of `10^-places`; more digits are an error.
///
/// For figures that people write in a site file or contract.
pub fn exact(text: &str, places: u32) -> Result<i64, DecimalError> {
    let value = parse(text)?.normalize();
    if value.scale() > places {
        return Err(DecimalError::TooFine { text: text.trim().to_owned(), places });
    }
    widen(value, text, places)
}

/// Writes an integer count of `10^-scale` with `places` digits, rounding half to even.
///
/// ```
/// assert_eq!(units::decimal::text(-12_345_678, 6, 2), "-12.35");
/// ```
pub fn text(value: i128, scale: u32, places: u32) -> String {
    let (value, places_kept) = if places < scale {
        (crate::quantity::div_half_even(value, 10_i128.pow(scale - places)), places)
    } else {
        (value * 10_i128.pow(places - scale), places)
    };
    let unit = 10_u128.pow(places_kept);
    let sign = if value < 0 { "-" } else { "" };
    let size = value.unsigned_abs();
    match places_kept {
        0 => format!("{sign}{size}"),
        width => format!(
            "{sign}{}.{:0width$}",
            size / unit,
            size % unit,
            width = width as usize
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_not_a_number_is_refused() {
        for wrong in ["", " ", "abc", "1_000", "1,000", "NaN", "inf", "0x10", "--1", "1e"]
        {
            assert!(rounded(wrong, 6).is_err(), "{wrong}");
        }
        assert_eq!(
            exact("1.2345678", 6).unwrap_err().to_string(),
            "`1.2345678` has more than 6 digits after the point"
        );
        assert!(matches!(rounded("1e25", 6), Err(DecimalError::TooLarge(_))));
    }

    #[test]
    fn signs_and_exponents_are_read() {
        assert_eq!(exact("+1.5", 3), Ok(1_500));
        assert_eq!(exact("-0.001", 3), Ok(-1));
        assert_eq!(exact("1.50000000", 1), Ok(15));
        assert_eq!(rounded("1.5e-3", 4), Ok(15));
    }

    proptest! {
        #[test]
        fn text_reads_back(value in -1_000_000_000_000_i64..1_000_000_000_000) {
            prop_assert_eq!(exact(&text(i128::from(value), 6, 6), 6), Ok(value));
        }
    }
}
