//! The one shape every quantity shares: an integer in a base unit with checked sums.

/// Declares a quantity: a private integer with ordering, hashing, checked `+`
/// and `-`, negation, `Sum` and nothing else. Products are written by hand
/// beside each type.
macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident($repr:ty)) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default,
            serde::Serialize, serde::Deserialize,
        )]
        pub struct $name(pub(crate) $repr);

        impl $name {
            /// Nothing of it.
            pub const ZERO: Self = Self(0);

            /// Whether this is exactly nothing.
            pub const fn is_zero(self) -> bool {
                self.0 == 0
            }
        }

        impl std::ops::Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self(self.0.checked_add(other.0).expect(concat!(stringify!($name), " overflows")))
            }
        }

        impl std::ops::Sub for $name {
            type Output = Self;
            fn sub(self, other: Self) -> Self {
                Self(self.0.checked_sub(other.0).expect(concat!(stringify!($name), " overflows")))
            }
        }

        impl std::ops::Neg for $name {
            type Output = Self;
            fn neg(self) -> Self {
                Self(self.0.checked_neg().expect(concat!(stringify!($name), " overflows")))
            }
        }

        impl std::ops::AddAssign for $name {
            fn add_assign(&mut self, other: Self) {
                *self = *self + other;
            }
        }

        impl std::ops::SubAssign for $name {
            fn sub_assign(&mut self, other: Self) {
                *self = *self - other;
            }
        }

        impl std::iter::Sum for $name {
            fn sum<I: Iterator<Item = Self>>(values: I) -> Self {
                values.fold(Self::ZERO, |total, value| total + value)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }
    };
}

pub(crate) use quantity;

/// Divides rounding to the nearest integer, halves to the even one.
pub(crate) fn div_half_even(numerator: i128, denominator: i128) -> i128 {
    assert!(denominator > 0, "a denominator is positive");
    // Most products of a site fit in 64 bits, where division is many times faster.
    let (quotient, remainder) =
        match (i64::try_from(numerator), i64::try_from(denominator)) {
            (Ok(n), Ok(d)) => (i128::from(n.div_euclid(d)), i128::from(n.rem_euclid(d))),
            _ => {
                let quotient = numerator.div_euclid(denominator);
                (quotient, numerator - quotient * denominator)
            }
        };
    match (remainder * 2).cmp(&denominator) {
        std::cmp::Ordering::Less => quotient,
        std::cmp::Ordering::Greater => quotient + 1,
        std::cmp::Ordering::Equal => quotient + (quotient & 1),
    }
}

/// Narrows an exact result to the base type; a quantity that does not fit is a
/// broken invariant, not an input error.
pub(crate) fn narrow(value: i128) -> i64 {
    i64::try_from(value).expect("a quantity fits in 64 bits")
}

#[cfg(test)]
mod tests {
    use super::div_half_even;
    use proptest::prelude::*;

    #[test]
    fn halves_go_to_the_even_neighbour() {
        let cases =
            [(5, 2, 2), (7, 2, 4), (-5, 2, -2), (-7, 2, -4), (6, 4, 2), (-1, 3, 0)];
        for (numerator, denominator, expected) in cases {
            assert_eq!(
                div_half_even(numerator, denominator),
                expected,
                "{numerator}/{denominator}"
            );
        }
    }

    proptest! {
        #[test]
        fn rounding_moves_by_at_most_half(n in -1_000_000_000_i128..1_000_000_000, d in 1_i128..1_000_000) {
            let error = (div_half_even(n, d) * d - n).abs() * 2;
            prop_assert!(error <= d);
        }
    }
}
