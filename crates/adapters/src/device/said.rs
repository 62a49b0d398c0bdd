//! Figures out of what a miner said: numbers that may be written as text, each kept
//! only if it is there, and marked where no such machine can be so.

use serde_json::Value;
use units::{HashRate, Power, Temperature};

use super::{DeviceText, Field, Quality, Unanswered};

/// The most a miner draws: twice the largest that is sold.
const DRAW_MAX: Power = Power::from_watts(30_000);

/// The most a miner hashes: twice the fastest that is sold.
const HASHRATE_MAX: HashRate = HashRate::from_ths(3_000);

/// The coldest and the hottest that a part of a miner is while it answers.
const CELSIUS: std::ops::RangeInclusive<f64> = -60.0..=150.0;

/// An answer as JSON. What some firmwares get wrong in it is mended.
///
/// # Errors
///
/// When it is no JSON all the same.
pub fn json(answer: &[u8]) -> Result<Value, Unanswered> {
    if let Ok(value) = serde_json::from_slice(answer) {
        return Ok(value);
    }
    let text = String::from_utf8_lossy(answer);
    let nonsense = || Unanswered::Nonsense(DeviceText::of(&text));
    // Known from the field: commas too many or missing, line ends within texts, numbers
    // that are none, and a list written with an object's members.
    let mended: String = text.chars().filter(|c| !c.is_control()).collect();
    let mended = mended.trim().trim_start_matches(',');
    let mended = mended
        .replace(",}", "}")
        .replace(",]", "]")
        .replace("}{", "},{")
        .replace("[,{", "[{")
        .replace(":inf", ":null")
        .replace(":nan", ":null")
        .replace(":-nan", ":null");
    let mended = match mended.starts_with('"') {
        true => format!("{{{mended}"),
        false => mended,
    };
    serde_json::from_str(&mended).map_err(|_| nonsense())
}

/// A number, or a text that is one.
pub fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    number.filter(|number| number.is_finite())
}

/// A text that says something.
pub fn text(value: &Value) -> Option<DeviceText> {
    let text = value.as_str().filter(|text| !text.trim().is_empty())?;
    Some(DeviceText::of(text))
}

/// A true or false, in the ways in which miners write them.
pub fn yes(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(yes) => Some(*yes),
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "y" | "yes" | "1" => Some(true),
            "false" | "n" | "no" | "0" => Some(false),
            _ => None,
        },
        Value::Number(number) => number.as_i64().map(|number| number != 0),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Watts; a negative number is how firmwares say that they do not know.
pub fn watts(value: &Value) -> Option<Field<Power>> {
    let watts = number(value).filter(|watts| *watts >= 0.0)?;
    let power = Power::from_watts(whole(watts)?);
    Some(marked(power, power <= DRAW_MAX))
}

/// A hash rate, from how many of `unit`.
pub fn hashrate(value: &Value, unit: HashUnit) -> Option<Field<HashRate>> {
    let count = number(value).filter(|count| *count >= 0.0)?;
    let gigahashes = match unit {
        HashUnit::Mega => count / 1_000.0,
        HashUnit::Giga => count,
        HashUnit::Tera => count * 1_000.0,
    };
    let rate = HashRate::from_ghs(whole(gigahashes)?);
    Some(marked(rate, rate <= HASHRATE_MAX))
}

/// What hash rates are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashUnit {
    /// Megahashes a second.
    Mega,
    /// Gigahashes a second.
    Giga,
    /// Terahashes a second.
    Tera,
}

/// Degrees; a zero is how firmwares say that there is no such sensor.
pub fn celsius(value: &Value) -> Option<Field<Temperature>> {
    let degrees = number(value).filter(|degrees| *degrees != 0.0)?;
    let temperature = Temperature::from_millidegrees(whole(degrees * 1_000.0)?);
    Some(marked(temperature, CELSIUS.contains(&degrees)))
}

/// The hottest of these.
pub fn hottest(
    parts: impl Iterator<Item = Field<Temperature>>,
) -> Option<Field<Temperature>> {
    parts.max_by_key(|part| (part.quality, part.value))
}

fn whole(number: f64) -> Option<i64> {
    let within = number.abs() <= 1e15;
    within.then(|| number.round() as i64)
}

fn marked<T>(value: T, plausible: bool) -> Field<T> {
    let field = Field::reported(value);
    match plausible {
        true => field,
        false => Field { quality: Quality::Implausible, ..field },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json as value};

    use super::{HashUnit, celsius, hashrate, json, watts, yes};
    use crate::device::Quality;

    #[test]
    fn what_firmwares_get_wrong_is_mended() {
        for (said, expected) in [
            ("{\"a\":1,}", Some(value!({"a": 1}))),
            ("{\"a\":[{\"b\":1}{\"c\":2}]}", Some(value!({"a": [{"b": 1}, {"c": 2}]}))),
            ("{\"a\":[,{\"b\":1}]}", Some(value!({"a": [{"b": 1}]}))),
            ("{\"a\":\"two\nlines\"}", Some(value!({"a": "twolines"}))),
            ("{\"a\":inf,\"b\":-nan}", Some(value!({"a": null, "b": null}))),
            (",\"id\":1}", Some(value!({"id": 1}))),
            ("<html>", None),
            ("", None),
        ] {
            assert_eq!(json(said.as_bytes()).ok(), expected, "{said}");
        }
    }

    #[test]
    fn a_figure_is_there_or_absent_and_marked_where_it_cannot_be() {
        let draw = |said: Value| watts(&said).map(|it| (it.value.as_watts(), it.quality));
        assert_eq!(draw(value!(3_412)), Some((3_412, Quality::Reported)));
        assert_eq!(draw(value!("3412")), Some((3_412, Quality::Reported)));
        assert_eq!(draw(value!(3_000_000)), Some((3_000_000, Quality::Implausible)));
        for none in [value!(-1), value!("auto"), value!(null), value!(1e300), value!([])]
        {
            assert_eq!(draw(none.clone()), None, "{none}");
        }
        let rate = |said, unit| hashrate(&said, unit).map(|it| it.value.as_ghs());
        assert_eq!(rate(value!(124_500_000.0), HashUnit::Mega), Some(124_500));
        assert_eq!(rate(value!("124.5"), HashUnit::Tera), Some(124_500));
        let heat = |said| celsius(&said).map(|it| it.value.as_millidegrees());
        assert_eq!((heat(value!(81.5)), heat(value!(0))), (Some(81_500), None));
        assert_eq!((yes(&value!("false")), yes(&value!(""))), (Some(false), None));
    }
}
