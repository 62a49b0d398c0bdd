//! Exponential, logarithm and the bell curve's quantile, the same on every machine.
//!
//! A C library's `exp` may differ in the last bit from another's; these are sums and
//! products of floats in a fixed order.

/// ln 2 in two parts: the first has zeros at its end, so that a small whole number
/// times it is exact.
const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
const LN_2: f64 = std::f64::consts::LN_2;

/// e to the power of `x`; nothing below -700, and no more than at 700.
pub fn exp(x: f64) -> f64 {
    if x < -700.0 {
        return 0.0;
    }
    let x = x.min(700.0);
    let doublings = (x / LN_2).round();
    let rest = (x - doublings * LN_2_HIGH) - doublings * LN_2_LOW;
    // Taylor's series: below half of ln 2 its fourteenth term is under 1e-17.
    let mut sum = 1.0;
    for term in (1..=13).rev() {
        sum = 1.0 + rest / f64::from(term) * sum;
    }
    let power = f64::from_bits(((1_023 + doublings as i64) as u64) << 52);
    sum * power
}

/// The natural logarithm of a number above nought.
///
/// Panics on nought, on less, and on what is no number.
pub fn ln(x: f64) -> f64 {
    assert!(x > 0.0 && x.is_finite(), "a logarithm is of a number above nought");
    // Below the least normal number the exponent's bits say nothing.
    let (x, shift) =
        if x < f64::MIN_POSITIVE { (x * 2.0_f64.powi(54), 54.0) } else { (x, 0.0) };
    let bits = x.to_bits();
    let mut exponent = ((bits >> 52) & 0x7ff) as i64 - 1_023;
    let mut mantissa =
        f64::from_bits((bits & 0x000f_ffff_ffff_ffff) | 0x3ff0_0000_0000_0000);
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa /= 2.0;
        exponent += 1;
    }
    // ln m = 2 artanh s; |s| is below 0.172, so the twelfth term is under 1e-19.
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let mut sum = 0.0;
    for term in (0..12).rev() {
        sum = sum * square + 1.0 / f64::from(2 * term + 1);
    }
    let exponent = exponent as f64 - shift;
    exponent * LN_2_HIGH + (2.0 * s * sum + exponent * LN_2_LOW)
}

/// `base` to the power of `exponent`, for a base above nought.
pub fn power(base: f64, exponent: f64) -> f64 {
    exp(exponent * ln(base))
}

/// The value below which a bell curve of mean 0 and deviation 1 has the share `p`.
///
/// Wichura's algorithm AS 241, PPND16 (Applied Statistics 37, 1988): within about
/// 1e-16 of the value. Panics unless `p` lies between nought and one.
pub fn bell_quantile(p: f64) -> f64 {
    assert!(p > 0.0 && p < 1.0, "a share lies between nought and one");
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * ratio(r, &CENTRAL);
    }
    let tail = if q < 0.0 { p } else { 1.0 - p };
    let r = (-ln(tail)).sqrt();
    let value = if r <= 5.0 { ratio(r - 1.6, &TAIL) } else { ratio(r - 5.0, &FAR_TAIL) };
    if q < 0.0 { -value } else { value }
}

/// A polynomial over another, coefficients from the constant on.
fn ratio(r: f64, of: &[[f64; 8]; 2]) -> f64 {
    let at = |coefficients: &[f64; 8]| {
        coefficients.iter().rev().fold(0.0, |sum, coefficient| sum * r + coefficient)
    };
    at(&of[0]) / at(&of[1])
}

#[expect(clippy::excessive_precision, reason = "as the paper prints them")]
const CENTRAL: [[f64; 8]; 2] = [
    [
        3.3871328727963666080e0,
        1.3314166789178437745e2,
        1.9715909503065514427e3,
        1.3731693765509461125e4,
        4.5921953931549871457e4,
        6.7265770927008700853e4,
        3.3430575583588128105e4,
        2.5090809287301226727e3,
    ],
    [
        1.0,
        4.2313330701600911252e1,
        6.8718700749205790830e2,
        5.3941960214247511077e3,
        2.1213794301586595867e4,
        3.9307895800092710610e4,
        2.8729085735721942674e4,
        5.2264952788528545610e3,
    ],
];

#[expect(clippy::excessive_precision, reason = "as the paper prints them")]
const TAIL: [[f64; 8]; 2] = [
    [
        1.42343711074968357734e0,
        4.63033784615654529590e0,
        5.76949722146069140550e0,
        3.64784832476320460504e0,
        1.27045825245236838258e0,
        2.41780725177450611770e-1,
        2.27238449892691845833e-2,
        7.74545014278341407640e-4,
    ],
    [
        1.0,
        2.05319162663775882187e0,
        1.67638483018380384940e0,
        6.89767334985100004550e-1,
        1.48103976427480074590e-1,
        1.51986665636164571966e-2,
        5.47593808499534494600e-4,
        1.05075007164441684324e-9,
    ],
];

#[expect(clippy::excessive_precision, reason = "as the paper prints them")]
const FAR_TAIL: [[f64; 8]; 2] = [
    [
        6.65790464350110377720e0,
        5.46378491116411436990e0,
        1.78482653991729133580e0,
        2.96560571828504891230e-1,
        2.65321895265761230930e-2,
        1.24266094738807843860e-3,
        2.71155556874348757815e-5,
        2.01033439929228813265e-7,
    ],
    [
        1.0,
        5.99832206555887937690e-1,
        1.36929880922735805310e-1,
        1.48753612908506148525e-2,
        7.86869131145613259100e-4,
        1.84631831751005468180e-5,
        1.42151175831644588870e-7,
        2.04426310338993978564e-15,
    ],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponential_and_logarithm_are_those_of_a_library() {
        for step in -4_000..4_000 {
            let x = f64::from(step) * 0.0173;
            let (ours, theirs) = (exp(x), x.exp());
            assert!((ours / theirs - 1.0).abs() < 4e-15, "exp {x}: {ours} {theirs}");
            let y = theirs * 1.37;
            assert!((ln(y) - y.ln()).abs() < 4e-16 * y.ln().abs().max(4.0), "ln {y}");
        }
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(-1e9), 0.0);
        assert_eq!(ln(1.0), 0.0);
        assert!((power(1.1, 1.0 / 12.0) - 1.007_974_140_428_904).abs() < 1e-14);
    }

    #[test]
    fn quantiles_of_the_bell_curve_are_the_published_ones() {
        // The checks of Wichura's paper, and the table everybody knows.
        let cases = [
            (0.25, -0.674_489_750_196_081_7),
            (0.001, -3.090_232_306_167_813_5),
            (1e-20, -9.262_340_089_798_408),
            (0.975, 1.959_963_984_540_054),
            (0.5, 0.0),
        ];
        for (p, value) in cases {
            assert!(
                (bell_quantile(p) - value).abs() < 1e-12,
                "{p}: {}",
                bell_quantile(p)
            );
        }
    }

    #[test]
    #[should_panic(expected = "a number above nought")]
    fn nought_has_no_logarithm() {
        ln(0.0);
    }
}
