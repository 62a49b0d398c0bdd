//! Fixed-point factors: a root that no fraction is, named and bounded.
//!
//! Interest by the month needs the twelfth root of a yearly factor, which is not
//! a fraction. It is kept to eighteen digits, cut off: the true root lies in
//! `[root, root + 10^-18)`, and a test raises both ends to the twelfth power.
//! Products are cut off at eighteen digits too, from 256-bit intermediates, so a
//! chain of n months is off by less than n parts in 10^18: a millionth of a cent
//! on ten billion dollars over a century.

use crate::exact::Exact;

/// Units in one.
const ONE: i128 = 1_000_000_000_000_000_000;

/// A factor that is not negative, in units of 10^-18.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Factor(i128);

impl Factor {
    /// One.
    pub const ONE: Self = Self(ONE);

    /// A fraction, cut off at eighteen digits.
    ///
    /// # Panics
    /// When it is negative or does not fit.
    pub fn of(exact: Exact) -> Self {
        assert!(!exact.is_negative(), "a factor is not negative, found {exact}");
        Self(mul_div(exact.numerator(), ONE, exact.denominator()))
    }

    /// The monthly factor whose twelfth power is `yearly`, cut off: the greatest
    /// one whose twelfth power, rounded up, is not above it.
    ///
    /// # Panics
    /// When `yearly` is below 1 or above 10 000.
    pub fn twelfth_root(yearly: Exact) -> Self {
        assert!(
            yearly >= Exact::ONE && yearly <= Exact::whole(10_000),
            "a yearly factor is from 1 to 10 000, found {yearly}"
        );
        let target = Self::of(yearly);
        // The twelfth root of 10 000 is below 2.2.
        let (mut low, mut high) = (ONE, 3 * ONE);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if Self(middle).twelfth_power_up() <= target {
                low = middle;
            } else {
                high = middle;
            }
        }
        Self(low)
    }

    /// The twelfth power, rounded up at each step: never below the true one.
    fn twelfth_power_up(self) -> Self {
        let up = |a: Self, b: Self| Self(mul_div_up(a.0, b.0, ONE));
        let square = up(self, self);
        let fourth = up(square, square);
        up(up(fourth, fourth), fourth)
    }

    /// The product, cut off.
    pub fn times(self, other: Self) -> Self {
        Self(mul_div(self.0, other.0, ONE))
    }

    /// One divided by this, cut off.
    ///
    /// # Panics
    /// When this is nothing.
    pub fn inverse(self) -> Self {
        Self(mul_div(ONE, ONE, self.0))
    }

    /// This less one: the rate of a factor that is at least one.
    pub const fn less_one(self) -> Self {
        Self(self.0 - ONE)
    }

    /// `amount` times this, towards zero.
    pub fn of_amount(self, amount: i128) -> i128 {
        mul_div(amount, self.0, ONE)
    }

    /// `upper / lower` of two amounts above nothing, cut off.
    ///
    /// # Panics
    /// When `lower` is not above nothing, or the ratio does not fit.
    pub fn ratio(upper: i128, lower: i128) -> Self {
        assert!(lower > 0, "a ratio is to something");
        Self(mul_div(upper, ONE, lower))
    }

    /// The number of units of 10^-18.
    pub const fn units(self) -> i128 {
        self.0
    }

    /// Decimal text with eighteen digits after the point.
    pub fn to_text(self) -> String {
        units::decimal::text(self.0, 18, 18)
    }
}

/// `a x b / d` towards zero, by way of 256 bits.
///
/// # Panics
/// When `d` is not above nothing or the quotient does not fit 127 bits.
fn mul_div(a: i128, b: i128, d: i128) -> i128 {
    let (quotient, _) = divide(a.unsigned_abs(), b.unsigned_abs(), d);
    let size = i128::try_from(quotient).expect("a product of factors fits");
    if (a < 0) == (b < 0) { size } else { -size }
}

/// The same for numbers that are not negative, away from zero.
fn mul_div_up(a: i128, b: i128, d: i128) -> i128 {
    let (quotient, rest) = divide(a.unsigned_abs(), b.unsigned_abs(), d);
    i128::try_from(quotient + u128::from(rest != 0)).expect("a product of factors fits")
}

fn divide(a: u128, b: u128, d: i128) -> (u128, u128) {
    let d = u128::try_from(d).ok().filter(|d| *d > 0).expect("divided by more than 0");
    if let Some(product) = a.checked_mul(b) {
        return (product / d, product % d);
    }
    let (high, low) = wide(a, b);
    assert!(high < d, "a quotient fits 128 bits");
    // Long division, a bit at a time: the rest stays below d, which is below 2^127.
    let (mut rest, mut quotient) = (high, 0_u128);
    for bit in (0..128).rev() {
        rest = (rest << 1) | (low >> bit & 1);
        quotient <<= 1;
        if rest >= d {
            rest -= d;
            quotient |= 1;
        }
    }
    (quotient, rest)
}

/// The 256-bit product in two halves.
fn wide(a: u128, b: u128) -> (u128, u128) {
    const HALF: u128 = u64::MAX as u128;
    let (a1, a0) = (a >> 64, a & HALF);
    let (b1, b0) = (b >> 64, b & HALF);
    let low = a0 * b0;
    let first = a1 * b0 + (low >> 64);
    let second = a0 * b1 + (first & HALF);
    let high = a1 * b1 + (first >> 64) + (second >> 64);
    (high, (second << 64) | (low & HALF))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The twelfth power, cut off at each step: never above the true one.
    fn power_down(factor: Factor) -> Factor {
        let square = factor.times(factor);
        let fourth = square.times(square);
        fourth.times(fourth).times(fourth)
    }

    #[test]
    fn the_root_is_bounded_from_both_sides() {
        for rate in ["0", "0.0001", "0.0596", "0.06", "0.09", "0.12", "1", "9999"] {
            let yearly = Exact::ONE + Exact::parse(rate).expect("a rate");
            let root = Factor::twelfth_root(yearly);
            assert!(root.twelfth_power_up() <= Factor::of(yearly), "{rate}");
            // A unit further up is not below the yearly factor even when cut off,
            // but for the few units that cutting off may cost.
            let next = power_down(Factor(root.0 + 1));
            assert!(next.0 + 30 * next.0 / ONE + 30 >= Factor::of(yearly).0, "{rate}");
        }
        let sixth = Factor::twelfth_root(Exact::parse("1.06").expect("a factor"));
        assert_eq!(&sixth.to_text()[..16], "1.00486755056534");
    }

    proptest! {
        #[test]
        fn a_wide_product_divides_as_a_narrow_one(
            a in 0_u128..1 << 60, b in 0_u128..1 << 60, d in 1_i128..1 << 60, shift in 0_u32..60,
        ) {
            let d_wide = d << shift;
            let (narrow, _) = divide(a, b, d);
            let (wide, _) = divide(a << shift, b, d_wide);
            prop_assert_eq!(narrow, wide);
            // Far beyond 128 bits: a x b x 2^60 / (d x 2^60).
            let (far, _) = divide(a << 60, b, d << 60);
            prop_assert_eq!(narrow, far);
        }
    }
}
