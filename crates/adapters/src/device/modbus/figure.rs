//! Words and what they stand for: exact both ways.
//!
//! A figure is in millionths of its base unit: watts, watt-hours, hertz, volts,
//! percent, or none.

use units::{DecimalError, decimal};

/// A figure in millionths of its base unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Micro(pub i128);

/// How a number is laid out in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Width {
    /// One word, without sign.
    U16,
    /// One word, with sign.
    I16,
    /// Two words, without sign.
    U32,
    /// Two words, with sign.
    I32,
    /// Four words, without sign.
    U64,
    /// Four words, with sign.
    I64,
    /// Two words, IEEE 754.
    F32,
}

/// Which word of several comes first. Bytes within a word are always big-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// The most significant one.
    Big,
    /// The least significant one.
    Little,
}

/// How words become a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coding {
    /// How they are laid out.
    pub width: Width,
    /// Which comes first.
    pub order: Order,
    /// A figure is `base + (raw - raw_base) * per_raw / parts`, in millionths.
    pub base: i128,
    /// The raw number that stands for `base`.
    pub raw_base: i128,
    /// What `parts` raw steps add. Negative where the register's sign is not ours.
    pub per_raw: i128,
    /// How many raw steps that is; positive.
    pub parts: i128,
    /// What the register holds where it has no figure.
    pub absent: Option<u64>,
}

impl Width {
    /// How many words.
    pub const fn words(self) -> u16 {
        match self {
            Self::U16 | Self::I16 => 1,
            Self::U32 | Self::I32 | Self::F32 => 2,
            Self::U64 | Self::I64 => 4,
        }
    }

    /// The least and the most raw number; a float has its own.
    const fn bounds(self) -> (i128, i128) {
        match self {
            Self::U16 => (0, u16::MAX as i128),
            Self::I16 => (i16::MIN as i128, i16::MAX as i128),
            Self::U32 => (0, u32::MAX as i128),
            Self::I32 => (i32::MIN as i128, i32::MAX as i128),
            Self::U64 => (0, u64::MAX as i128),
            Self::I64 => (i64::MIN as i128, i64::MAX as i128),
            // Beyond this a float says no whole number exactly.
            Self::F32 => (-(1 << 100), 1 << 100),
        }
    }
}

/// Words as one number, the most significant bit first.
pub(super) fn bits_of(words: &[u16], order: Order) -> u64 {
    let push = |bits: u64, word: &u16| bits << 16 | u64::from(*word);
    match order {
        Order::Big => words.iter().fold(0, push),
        Order::Little => words.iter().rev().fold(0, push),
    }
}

fn words_of(bits: u64, count: u16, order: Order) -> Vec<u16> {
    let words = (0..count).rev().map(|at| (bits >> (16 * at)) as u16);
    match order {
        Order::Big => words.collect(),
        Order::Little => words.rev().collect(),
    }
}

impl Coding {
    /// What words stand for; `None` where they stand for nothing: the register's own
    /// word for that, or no number at all.
    ///
    /// Panics when there are not as many words as the width has.
    pub fn figure(&self, words: &[u16]) -> Option<Micro> {
        assert_eq!(words.len(), usize::from(self.width.words()), "words of a register");
        let bits = bits_of(words, self.order);
        if self.absent == Some(bits) {
            return None;
        }
        let steps = match self.width {
            Width::U16 | Width::U32 | Width::U64 => i128::from(bits),
            Width::I16 => i128::from(bits as u16 as i16),
            Width::I32 => i128::from(bits as u32 as i32),
            Width::I64 => i128::from(bits as i64),
            Width::F32 => return self.of_float(f32::from_bits(bits as u32)),
        };
        let moved = (steps - self.raw_base).checked_mul(self.per_raw)?;
        Some(Micro(self.base + moved.div_euclid(self.parts)))
    }

    fn of_float(&self, value: f32) -> Option<Micro> {
        if !value.is_finite() {
            return None;
        }
        // A float carries seven digits; the product is rounded once.
        let figure = f64::from(value) * self.per_raw as f64 / self.parts as f64;
        (figure.abs() < 1e30).then_some(Micro(figure.round() as i128))
    }

    /// The words for a figure, to the nearest step; `None` where it does not fit.
    pub fn words(&self, figure: Micro) -> Option<Vec<u16>> {
        let count = self.width.words();
        if self.width == Width::F32 {
            let value = figure.0 as f64 * self.parts as f64 / self.per_raw as f64;
            let value = value as f32;
            return value
                .is_finite()
                .then(|| words_of(u64::from(value.to_bits()), count, self.order));
        }
        let steps = self.steps(figure)?;
        let bits = steps as u64 & (u64::MAX >> (64 - 16 * u32::from(count)));
        Some(words_of(bits, count, self.order))
    }

    /// The raw number for a figure, to the nearest step; `None` where it does not fit.
    fn steps(&self, figure: Micro) -> Option<i128> {
        let moved = (figure.0 - self.base).checked_mul(self.parts)?;
        let (per, moved) = match self.per_raw < 0 {
            true => (-self.per_raw, -moved),
            false => (self.per_raw, moved),
        };
        let steps = self.raw_base + (2 * moved + per).div_euclid(2 * per);
        let (least, most) = self.width.bounds();
        (least..=most).contains(&steps).then_some(steps)
    }

    /// The words for a figure, to the step that is not above it: what may be drawn is
    /// not exceeded by rounding.
    pub fn words_not_above(&self, figure: Micro) -> Option<Vec<u16>> {
        let words = self.words(figure)?;
        match self.figure(&words) {
            Some(coded) if coded > figure && self.width != Width::F32 => {
                let step = (self.per_raw.abs() + self.parts - 1) / self.parts;
                self.words(Micro(coded.0 - step))
            }
            _ => Some(words),
        }
    }

    /// What a register without sign counts before it begins again; `None` for one that
    /// counts down too, or with no end in a meter's life.
    pub fn span(&self) -> Option<Micro> {
        let full = match self.width {
            Width::U16 => 1 << 16,
            Width::U32 => 1 << 32,
            Width::U64 | Width::I16 | Width::I32 | Width::I64 | Width::F32 => {
                return None;
            }
        };
        Some(Micro(full * self.per_raw.abs() / self.parts))
    }
}

/// Reads a decimal to millionths.
pub(super) fn millionths(text: &str) -> Result<i128, DecimalError> {
    decimal::exact(text, 6).map(i128::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coding(width: Width, order: Order, per_raw: i128) -> Coding {
        Coding { width, order, base: 0, raw_base: 0, per_raw, parts: 1, absent: None }
    }

    /// One line a trap: words, layout, figure in millionths.
    #[test]
    fn words_stand_for_figures() {
        use Order::{Big, Little};
        use Width::{F32, I16, I32, I64, U16, U32, U64};
        for (words, width, order, per_raw, figure) in [
            (vec![0x1234], U16, Big, 1, 0x1234),
            (vec![0xffff], U16, Big, 1, 65_535),
            (vec![0xffff], I16, Big, 10_000, -10_000),
            (vec![0x0001, 0x86a0], U32, Big, 1_000_000, 100_000_000_000),
            (vec![0x86a0, 0x0001], U32, Little, 1_000_000, 100_000_000_000),
            (vec![0xffff, 0xfffe], I32, Big, 1, -2),
            (vec![0xfffe, 0xffff], I32, Little, 1, -2),
            (vec![0xffff, 0xfffe], U32, Big, 1, 4_294_967_294),
            (vec![0, 0, 0, 7], U64, Big, 1, 7),
            (vec![7, 0, 0, 0], U64, Little, 1, 7),
            (vec![0xffff; 4], U64, Big, 1, i128::from(u64::MAX)),
            (vec![0xffff; 4], I64, Big, 1, -1),
            (vec![0x41dc, 0x0000], F32, Big, 1_000_000, 27_500_000),
            (vec![0x0000, 0x41dc], F32, Little, 1_000_000, 27_500_000),
            (vec![0x0000, 0x0005], I32, Big, -1_000_000, -5_000_000),
        ] {
            let coding = coding(width, order, per_raw);
            assert_eq!(
                coding.figure(&words),
                Some(Micro(figure)),
                "{words:x?} {width:?}"
            );
            assert_eq!(coding.words(Micro(figure)), Some(words), "{figure} {width:?}");
        }
    }

    #[test]
    fn no_number_is_no_figure() {
        let float = coding(Width::F32, Order::Big, 1_000_000);
        for nothing in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 3e38] {
            let bits = nothing.to_bits();
            let words = [(bits >> 16) as u16, bits as u16];
            assert_eq!(float.figure(&words), None, "{nothing}");
        }
        let word = Coding { absent: Some(0x7fff), ..coding(Width::I16, Order::Big, 1) };
        assert_eq!(word.figure(&[0x7fff]), None);
        assert_eq!(word.figure(&[0x7ffe]), Some(Micro(0x7ffe)));
    }

    #[test]
    fn a_range_is_spread_over_raw_numbers() {
        // -108,682.56 kW to 108,682.56 kW over 0 to 9999.
        let end = 108_682_560 * 1_000_000;
        let coding = Coding {
            base: -end,
            per_raw: 2 * end,
            parts: 9_999,
            ..coding(Width::U16, Order::Big, 0)
        };
        assert_eq!(coding.figure(&[0]), Some(Micro(-end)));
        assert_eq!(coding.figure(&[9_999]), Some(Micro(end)));
        let near = coding.words(Micro(0)).expect("words");
        let back = coding.figure(&near).expect("a figure");
        assert!(back.0.abs() <= 2 * end / 9_999, "{back:?}");
    }

    #[test]
    fn an_order_is_rounded_to_draw_no_more() {
        // A register of tenths of a kilowatt, in both signs.
        for sign in [1, -1] {
            let coding = coding(Width::I16, Order::Big, sign * 100_000_000);
            for watts in [-250, -249, -151, -100, -1, 0, 1, 99, 100, 149, 151, 250] {
                let asked = Micro(watts * 1_000_000);
                let words = coding.words_not_above(asked).expect("words");
                let coded = coding.figure(&words).expect("a figure");
                assert!(coded <= asked, "{watts} {coded:?}");
                assert!(asked.0 - coded.0 < 100_000_000, "{watts} {coded:?}");
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_not_written() {
        let word = coding(Width::I16, Order::Big, 1_000_000);
        assert_eq!(word.words(Micro(40_000 * 1_000_000)), None);
        let word = coding(Width::U16, Order::Big, 1_000_000);
        assert_eq!(word.words(Micro(-1_000_000)), None);
    }
}
