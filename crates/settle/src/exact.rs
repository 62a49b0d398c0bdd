//! Exact fractions: every quantity between a reading and a rounded line.
//!
//! An [`Exact`] is a fraction of two 128-bit integers in lowest terms. Sums and
//! products are checked: one that does not fit stops the program with its
//! operands, because a wrong sum is worse than none. The readers of contracts
//! and facts bound what is written (see [`Exact::parse`]) so that this does not
//! happen to figures a contract can hold.
//!
//! ```
//! use settle::exact::{Exact, Rounding};
//! let third = Exact::ratio(1, 3);
//! assert_eq!(third + third + third, Exact::ONE);
//! assert_eq!(Exact::parse("2.5").unwrap().rounded(Rounding::HalfUp), 3);
//! assert_eq!(Exact::parse("2.5").unwrap().rounded(Rounding::HalfEven), 2);
//! ```

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::cmp::Ordering;

/// Digits a written number may have before the point.
const DIGITS_WHOLE_MAX: usize = 15;
/// Digits a written number may have after the point.
const DIGITS_FRACTION_MAX: usize = 12;

/// An exact fraction in lowest terms with a positive denominator.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Exact {
    numerator: i128,
    denominator: i128,
}

/// How an exact amount becomes a whole number of minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rounding {
    /// To the nearest; a half goes away from zero.
    HalfUp,
    /// To the nearest; a half goes to the even neighbour.
    HalfEven,
}

/// Why text is not an exact number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a decimal number of at most 15 digits before the point and 12 after, found `{0}`"
)]
pub struct ExactError(String);

fn gcd(a: u128, b: u128) -> u128 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        // Division in 64 bits is many times faster, and most figures fit.
        if let (Ok(x), Ok(y)) = (u64::try_from(a), u64::try_from(b)) {
            let (mut x, mut y) = (x, y);
            while y != 0 {
                (x, y) = (y, x % y);
            }
            return u128::from(x);
        }
        (a, b) = (b, a % b);
    }
    a
}

/// Greatest common divisor of two positive numbers, as a signed one.
fn common(a: i128, b: i128) -> i128 {
    i128::try_from(gcd(a.unsigned_abs(), b.unsigned_abs()))
        .expect("a divisor of a number in range is in range")
}

impl Exact {
    /// Nothing.
    pub const ZERO: Self = Self { numerator: 0, denominator: 1 };
    /// One.
    pub const ONE: Self = Self { numerator: 1, denominator: 1 };

    /// A whole number.
    pub const fn whole(value: i128) -> Self {
        Self { numerator: value, denominator: 1 }
    }

    /// The fraction `numerator / denominator` in lowest terms.
    ///
    /// # Panics
    /// When the denominator is zero.
    pub fn ratio(numerator: i128, denominator: i128) -> Self {
        assert!(denominator != 0, "a denominator is not zero");
        if numerator == 0 {
            return Self::ZERO;
        }
        let divisor = common(numerator, denominator) * denominator.signum();
        Self { numerator: numerator / divisor, denominator: denominator / divisor }
    }

    /// Reads a plain decimal number, such as `-2.40`.
    ///
    /// At most 15 digits before the point and 12 after: wide enough for any
    /// price, narrow enough that products of a few of them stay in range.
    pub fn parse(text: &str) -> Result<Self, ExactError> {
        let wrong = || ExactError(text.to_owned());
        let (sign, digits) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let well_formed = !whole.is_empty()
            && whole.len() <= DIGITS_WHOLE_MAX
            && fraction.len() <= DIGITS_FRACTION_MAX
            && whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit())
            && !(digits.contains('.') && fraction.is_empty());
        if !well_formed {
            return Err(wrong());
        }
        let numerator: i128 =
            format!("{whole}{fraction}").parse().map_err(|_| wrong())?;
        let places = u32::try_from(fraction.len()).expect("at most twelve digits");
        Ok(Self::ratio(sign * numerator, 10_i128.pow(places)))
    }

    /// The upper part of the fraction.
    pub const fn numerator(self) -> i128 {
        self.numerator
    }

    /// The lower part of the fraction; positive.
    pub const fn denominator(self) -> i128 {
        self.denominator
    }

    /// Whether this is exactly nothing.
    pub const fn is_zero(self) -> bool {
        self.numerator == 0
    }

    /// Whether this is below nothing.
    pub const fn is_negative(self) -> bool {
        self.numerator < 0
    }

    /// The greatest whole number not above this.
    pub const fn floor(self) -> i128 {
        self.numerator.div_euclid(self.denominator)
    }

    /// The greatest whole number not above `factor` times the sum of `parts`.
    ///
    /// Fractions of many months may share no denominator that fits; their sum is
    /// first bounded from below and above to a trillionth, which nearly always
    /// decides, and only then added up exactly.
    ///
    /// # Panics
    /// When the bounds do not decide and the exact sum does not fit 128 bits.
    pub fn floor_of_sum(factor: Self, parts: &[Self]) -> i128 {
        assert!(!factor.is_negative(), "a factor is not negative");
        const FINE: i128 = 1_000_000_000_000;
        let (mut low, mut high) = (0_i128, 0_i128);
        for part in parts {
            let fine = *part * Self::whole(FINE);
            low += fine.floor();
            high += fine.floor() + i128::from(fine.denominator != 1);
        }
        let bound = |fine: i128| (factor * Self::ratio(fine, FINE)).floor();
        let (low, high) = (bound(low), bound(high));
        if low == high {
            return low;
        }
        (factor * parts.iter().copied().sum()).floor()
    }

    /// The nearest whole number, by the named rule for halves.
    ///
    /// # Panics
    /// When twice the remainder does not fit 128 bits.
    pub fn rounded(self, rounding: Rounding) -> i128 {
        let whole = self.floor();
        let rest = self.numerator - whole * self.denominator;
        let twice = rest.checked_mul(2).expect("an exact fraction is in range");
        match twice.cmp(&self.denominator) {
            Ordering::Less => whole,
            Ordering::Greater => whole + 1,
            Ordering::Equal => match rounding {
                // Away from zero: up for a positive amount, down for a negative.
                Rounding::HalfUp if self.numerator < 0 => whole,
                Rounding::HalfUp => whole + 1,
                Rounding::HalfEven => whole + whole.rem_euclid(2),
            },
        }
    }

    /// This number or `other`, whichever is greater.
    pub fn max(self, other: Self) -> Self {
        if self < other { other } else { self }
    }

    /// This number or `other`, whichever is less.
    pub fn min(self, other: Self) -> Self {
        if other < self { other } else { self }
    }

    /// Decimal text where that is exact, otherwise a fraction such as `1/3`.
    pub fn to_text(self) -> String {
        let mut places = 0;
        let mut scale = 1_i128;
        while places < 24 && scale % self.denominator != 0 {
            scale *= 10;
            places += 1;
        }
        if scale % self.denominator != 0 {
            return format!("{}/{}", self.numerator, self.denominator);
        }
        match self.numerator.checked_mul(scale / self.denominator) {
            Some(value) => units::decimal::text(value, places, places),
            None => format!("{}/{}", self.numerator, self.denominator),
        }
    }

    /// Decimal text with so many digits, cut off and not rounded up, so that a
    /// figure never reads better than it is. For reading only.
    pub fn to_text_cut(self, places: u32) -> String {
        let scaled = self * Self::whole(10_i128.pow(places));
        units::decimal::text(scaled.floor(), places, places)
    }

    fn checked_add(self, other: Self) -> Option<Self> {
        if self.denominator == other.denominator {
            let sum = self.numerator.checked_add(other.numerator)?;
            return Some(Self::ratio(sum, self.denominator));
        }
        let shared = common(self.denominator, other.denominator);
        let left = other.denominator / shared;
        let right = self.denominator / shared;
        let sum = self
            .numerator
            .checked_mul(left)?
            .checked_add(other.numerator.checked_mul(right)?)?;
        Some(Self::ratio(sum, self.denominator.checked_mul(left)?))
    }

    fn checked_mul(self, other: Self) -> Option<Self> {
        if self.numerator == 0 || other.numerator == 0 {
            return Some(Self::ZERO);
        }
        let across = common(self.numerator, other.denominator);
        let back = common(other.numerator, self.denominator);
        Some(Self {
            numerator: (self.numerator / across).checked_mul(other.numerator / back)?,
            denominator: (self.denominator / back)
                .checked_mul(other.denominator / across)?,
        })
    }
}

impl Default for Exact {
    fn default() -> Self {
        Self::ZERO
    }
}

impl std::ops::Add for Exact {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        self.checked_add(other)
            .unwrap_or_else(|| panic!("{self} + {other} does not fit 128 bits"))
    }
}

impl std::ops::AddAssign for Exact {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl std::ops::Neg for Exact {
    type Output = Self;
    fn neg(self) -> Self {
        Self { numerator: -self.numerator, denominator: self.denominator }
    }
}

impl std::ops::Sub for Exact {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl std::ops::Mul for Exact {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        self.checked_mul(other)
            .unwrap_or_else(|| panic!("{self} x {other} does not fit 128 bits"))
    }
}

impl std::ops::Div for Exact {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        assert!(other.numerator != 0, "{self} is not divided by zero");
        let sign = other.numerator.signum();
        self * Self {
            numerator: other.denominator * sign,
            denominator: other.numerator * sign,
        }
    }
}

impl std::iter::Sum for Exact {
    fn sum<I: Iterator<Item = Self>>(values: I) -> Self {
        values.fold(Self::ZERO, |total, value| total + value)
    }
}

impl Ord for Exact {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.denominator == other.denominator {
            return self.numerator.cmp(&other.numerator);
        }
        let products = self
            .numerator
            .checked_mul(other.denominator)
            .zip(other.numerator.checked_mul(self.denominator));
        match products {
            Some((left, right)) => left.cmp(&right),
            None => (*self - *other).numerator.cmp(&0),
        }
    }
}

impl PartialOrd for Exact {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl std::fmt::Display for Exact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.denominator == 1 {
            write!(f, "{}", self.numerator)
        } else {
            write!(f, "{}/{}", self.numerator, self.denominator)
        }
    }
}

impl std::fmt::Debug for Exact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (upper, lower) = text.split_once('/').unwrap_or((&text, "1"));
        match (upper.parse::<i128>(), lower.parse::<i128>()) {
            (Ok(upper), Ok(lower)) if lower > 0 => Ok(Self::ratio(upper, lower)),
            _ => Err(serde::de::Error::custom(format!(
                "expected a fraction such as 1/3, found `{text}`"
            ))),
        }
    }
}

/// An amount on a document: whole minor units of a currency.
///
/// Positive is owed to the supplier. Written as a decimal string with the
/// currency's number of places.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount {
    minor: i64,
    places: u8,
}

impl Amount {
    /// So many minor units of a currency with `places` digits after the point.
    pub const fn from_minor(minor: i64, places: u8) -> Self {
        Self { minor, places }
    }

    /// The minor units: cents, for dollars.
    pub const fn as_minor(self) -> i64 {
        self.minor
    }

    /// The digits after the point.
    pub const fn places(self) -> u8 {
        self.places
    }

    /// Whether nothing is owed.
    pub const fn is_zero(self) -> bool {
        self.minor == 0
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let places = u32::from(self.places);
        f.pad(&units::decimal::text(i128::from(self.minor), places, places))
    }
}

impl std::fmt::Debug for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let places = text.split_once('.').map_or(0, |(_, cents)| cents.len());
        let wrong =
            || serde::de::Error::custom(format!("expected an amount, found `{text}`"));
        let places = u32::try_from(places).map_err(|_| wrong())?;
        let minor = units::decimal::exact(&text, places).map_err(|_| wrong())?;
        Ok(Self { minor, places: u8::try_from(places).map_err(|_| wrong())? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn halves_go_where_the_rule_says() {
        let cases = [(5, 2, 3, 2), (7, 2, 4, 4), (-5, 2, -3, -2), (-7, 2, -4, -4)];
        for (upper, lower, up, even) in cases {
            let exact = Exact::ratio(upper, lower);
            assert_eq!(exact.rounded(Rounding::HalfUp), up, "{exact}");
            assert_eq!(exact.rounded(Rounding::HalfEven), even, "{exact}");
        }
        assert_eq!(Exact::ratio(-1, 3).rounded(Rounding::HalfUp), 0);
    }

    #[test]
    fn what_is_not_a_decimal_is_refused() {
        for wrong in
            ["", "-", ".5", "5.", "1e3", "1_0", "+1", " 1", "0x1", "1.0000000000001"]
        {
            assert!(Exact::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Exact::parse("-2.40").unwrap(), Exact::ratio(-12, 5));
    }

    #[test]
    #[should_panic(expected = "does not fit 128 bits")]
    fn an_overflow_stops_the_program() {
        let huge = Exact::whole(i128::MAX);
        let _ = huge + huge;
    }

    #[test]
    fn a_sum_without_a_common_denominator_has_a_floor() {
        // Twelve primes near ten thousand million: their product has 120 digits.
        let primes = [
            10_000_000_019_i128,
            10_000_000_033,
            10_000_000_061,
            10_000_000_069,
            10_000_000_097,
            10_000_000_103,
            10_000_000_121,
            10_000_000_141,
            10_000_000_147,
            10_000_000_207,
            10_000_000_259,
            10_000_000_277,
        ];
        let parts: Vec<Exact> =
            primes.iter().map(|prime| Exact::ratio(prime * 100 + 1, *prime)).collect();
        assert_eq!(Exact::floor_of_sum(Exact::ONE, &parts), 1_200);
        assert_eq!(Exact::floor_of_sum(Exact::ratio(1, 10), &parts), 120);
        // Where the bounds do not decide, the exact sum does.
        let thirds = [Exact::ratio(1, 3); 3];
        assert_eq!(Exact::floor_of_sum(Exact::ONE, &thirds), 1);
    }

    #[test]
    fn amounts_read_back_as_written() {
        for (amount, text) in [
            (Amount::from_minor(-5, 2), "\"-0.05\""),
            (Amount::from_minor(1_234_567, 2), "\"12345.67\""),
            (Amount::from_minor(1_234, 0), "\"1234\""),
        ] {
            assert_eq!(serde_json::to_string(&amount).unwrap(), text);
            assert_eq!(serde_json::from_str::<Amount>(text).unwrap(), amount);
        }
    }

    proptest! {
        #[test]
        fn fractions_obey_their_laws(
            a in -1_000_000_000_i128..1_000_000_000, b in 1_i128..1_000_000,
            c in -1_000_000_000_i128..1_000_000_000, d in 1_i128..1_000_000,
        ) {
            let (x, y) = (Exact::ratio(a, b), Exact::ratio(c, d));
            prop_assert_eq!(x + y - y, x);
            prop_assert_eq!(x * y, y * x);
            prop_assert_eq!(x < y, a * d < c * b);
            if c != 0 {
                prop_assert_eq!(x / y * y, x);
            }
            let error = Exact::whole(x.rounded(Rounding::HalfUp)) - x;
            prop_assert!(error + error <= Exact::ONE && Exact::ZERO - error - error <= Exact::ONE);
        }
    }
}
