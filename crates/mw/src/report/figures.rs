//! Numbers as a person reads them: thousands apart, a sign where there is one.

use units::{Energy, EnergyPrice, Money, Power};

/// Puts a comma between thousands in a decimal number.
pub(crate) fn grouped(number: &str) -> String {
    let (sign, size) = match number.strip_prefix('-') {
        Some(size) => ("-", size),
        None => ("", number),
    };
    let (whole, fraction) = match size.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (size, None),
    };
    // A rounded nothing has no sign.
    let sign = if size.bytes().all(|b| matches!(b, b'0' | b'.')) { "" } else { sign };
    let mut text = sign.to_owned();
    for (place, digit) in whole.char_indices() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if let Some(fraction) = fraction {
        text.push('.');
        text.push_str(fraction);
    }
    text
}

/// A count.
pub(super) fn count(count: u64) -> String {
    grouped(&count.to_string())
}

/// Money in whole dollars, without the unit.
pub(super) fn usd(money: Money) -> String {
    grouped(&money.to_usd_text(0))
}

/// Energy in megawatt-hours, without the unit.
pub(super) fn mwh(energy: Energy, places: u32) -> String {
    grouped(&energy.to_mwh_text(places))
}

/// A price in dollars per MWh to the cent, without the unit.
pub(super) fn usd_per_mwh(price: EnergyPrice) -> String {
    grouped(&price.to_usd_per_mwh_text(2))
}

/// Power in megawatts, without the unit.
pub(super) fn mw(power: Power, places: u32) -> String {
    grouped(&power.to_mw_text(places))
}

/// Dollars, or that they are not computed.
pub(super) fn usd_or_not(money: Option<Money>) -> String {
    money.map_or("not computed".to_owned(), usd)
}

/// What one amount is above another, where both are computed.
pub(super) fn above(ours: Option<Money>, theirs: Option<Money>) -> Option<Money> {
    Some(ours? - theirs?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        let cases = [
            ("0", "0"),
            ("999", "999"),
            ("1000", "1,000"),
            ("-1234567.891", "-1,234,567.891"),
            ("-100.00", "-100.00"),
            ("-0.00", "0.00"),
            ("105120", "105,120"),
        ];
        for (number, expected) in cases {
            assert_eq!(grouped(number), expected);
        }
    }
}
