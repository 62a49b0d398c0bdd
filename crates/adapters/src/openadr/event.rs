//! One event: checked in type, unit, range, currency and end, and turned into what is
//! asked and when.

use engine::Ask;
use serde_json::{Map, Value};
use units::{EnergyPrice, Interval, Power, Seconds, Timestamp, decimal};

use super::period::{Period, bounded, duration_of};
use crate::device::DeviceText;

/// How a site reads a program's events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The unit of powers whose descriptor names none; without it such are not read.
    pub power_unit: Option<PowerUnit>,
    /// The most the site may draw in a grid emergency.
    pub emergency_limit: Option<Power>,
    /// The most it may draw at the levels 1, 2 and 3 of `SIMPLE`.
    pub simple_limits: [Option<Power>; 3],
    /// Words of the program's own.
    pub private: Private,
}

/// What a number of power counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerUnit {
    /// Kilowatts.
    Kilowatts,
    /// Megawatts.
    Megawatts,
}

/// Payload types that a program made up, by what they ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Private {
    /// Keep at least this drawn.
    pub arm: Option<String>,
    /// No band is kept any more.
    pub disarm: Option<String>,
    /// Draw this now.
    pub base_point: Option<String>,
    /// The programme's loads are off.
    pub trip: Option<String>,
    /// They may come back.
    pub restore: Option<String>,
    /// Draw no more than this, as a test.
    pub test: Option<String>,
}

/// What an event is read against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// The site's time.
    pub now: Timestamp,
    /// What the site draws, where a meter says so.
    pub draw: Option<Power>,
    /// The most it may draw.
    pub import_limit: Power,
    /// The longest anything may hold.
    pub longest: Seconds,
}

/// Something that is asked, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Which interval of the event.
    pub(super) number: usize,
    pub(super) ask: Ask,
    pub(super) during: Interval,
}

/// What an event comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Understood {
    pub(super) parts: Vec<Part>,
    /// What is shown and not acted on.
    pub(super) shown: Vec<String>,
    /// Whether an end is ours.
    pub(super) end_imposed: bool,
}

/// The most intervals of an event.
const INTERVALS_MAX: usize = 512;

/// A level above so many times what the site may draw is no level.
const ABSURD: i64 = 10;

/// A price beyond this many millionths of a dollar a MWh is no price.
const PRICE_MAX: i64 = 25_000_000_000;

/// What is known of payloads beside their numbers.
pub(super) type Descriptors<'a> = &'a [Value];

/// Reads an event. `program` are the descriptors of its program.
///
/// # Errors
///
/// What is wrong with it: then nothing of it is used.
pub(super) fn understand(
    event: &Map<String, Value>,
    program: Descriptors<'_>,
    reading: &Reading,
    context: &Context,
) -> Result<Understood, String> {
    let own = match event.get("payloadDescriptors") {
        None | Some(Value::Null) => &[][..],
        Some(Value::Array(list)) => list,
        Some(_) => return Err("expected payloadDescriptors as a list".to_owned()),
    };
    let usual = match event.get("intervalPeriod") {
        None | Some(Value::Null) => None,
        Some(value) => Some(Period::read(value)?),
    };
    let intervals = match event.get("intervals") {
        Some(Value::Array(list)) if !list.is_empty() => list,
        _ => return Err("expected at least one interval, found none".to_owned()),
    };
    if intervals.len() > INTERVALS_MAX {
        return Err(format!("expected at most {INTERVALS_MAX} intervals"));
    }
    let whole = duration_of(event.get("duration"))?;
    let reader = Reader { own, program, reading, context };
    let mut understood = Understood::default();
    let mut next = usual.and_then(|usual| usual.start).unwrap_or(context.now);
    let end = whole.map(|whole| next + whole);
    for (number, interval) in intervals.iter().enumerate() {
        let interval = interval.as_object().ok_or("expected intervals of keys")?;
        let period = match interval.get("intervalPeriod") {
            None | Some(Value::Null) => usual,
            Some(value) => Some(Period::read(value)?),
        };
        let is_own = interval.get("intervalPeriod").is_some_and(|own| !own.is_null());
        let start = period.filter(|_| is_own).and_then(|own| own.start).unwrap_or(next);
        check_time(start, context.now)?;
        let duration = period.and_then(|period| period.duration);
        // Without a duration, an interval lasts as long as its event.
        let duration = duration.or(end.filter(|end| *end > start).map(|end| end - start));
        if duration.is_none() && number + 1 < intervals.len() {
            return Err("expected a duration where another interval follows".to_owned());
        }
        let (mut during, imposed) = bounded(start, duration, context.longest);
        if let Some(end) = end {
            during.end = during.end.min(end);
        }
        next = duration.map_or(during.end, |duration| start + duration);
        if during.end <= during.start {
            continue;
        }
        let before = understood.parts.len();
        reader.payloads(interval, number, during, &mut understood)?;
        understood.end_imposed |= imposed && understood.parts.len() > before;
    }
    Ok(understood)
}

/// A lifetime away is no time of an event.
fn check_time(at: Timestamp, now: Timestamp) -> Result<(), String> {
    let away = at.as_unix_seconds().abs_diff(now.as_unix_seconds());
    match away > 366 * 86_400 {
        true => Err(format!("expected a start within a year of now, found {at}")),
        false => Ok(()),
    }
}

struct Reader<'a> {
    own: Descriptors<'a>,
    program: Descriptors<'a>,
    reading: &'a Reading,
    context: &'a Context,
}

impl Reader<'_> {
    fn payloads(
        &self,
        interval: &Map<String, Value>,
        number: usize,
        during: Interval,
        understood: &mut Understood,
    ) -> Result<(), String> {
        let payloads = match interval.get("payloads") {
            Some(Value::Array(list)) if !list.is_empty() => list,
            _ => return Err("expected payloads in every interval".to_owned()),
        };
        let mut asked = None;
        for payload in payloads {
            let kind = payload.get("type").and_then(Value::as_str);
            let kind = kind.ok_or("expected a type at every payload")?;
            let values = payload.get("values").and_then(Value::as_array);
            let [value] = values.map_or(&[][..], Vec::as_slice) else {
                return Err(format!("expected one value of {}", DeviceText::of(kind)));
            };
            match self.ask(kind, value)? {
                Meant::Ask(_) if asked.is_some() => {
                    return Err(
                        "expected one thing asked in an interval, found two".to_owned()
                    );
                }
                Meant::Ask(ask) => asked = Some(ask),
                Meant::Nothing => {}
                Meant::Shown(text) => understood.shown.push(text),
            }
        }
        if let Some(ask) = asked {
            understood.parts.push(Part { number, ask, during });
        }
        Ok(())
    }

    fn ask(&self, kind: &str, value: &Value) -> Result<Meant, String> {
        let private = &self.reading.private;
        let is = |own: &Option<String>| own.as_deref() == Some(kind);
        let ask = match kind {
            _ if is(&private.arm) => Ask::Arm(self.power(kind, value)?),
            _ if is(&private.base_point) => Ask::BasePoint(self.power(kind, value)?),
            _ if is(&private.test) => Ask::Test(self.power(kind, value)?),
            _ if is(&private.disarm) => Ask::Disarm,
            _ if is(&private.trip) => Ask::Trip,
            _ if is(&private.restore) => Ask::Restore,
            "IMPORT_CAPACITY_LIMIT" => Ask::Limit(self.power(kind, value)?),
            "DISPATCH_SETPOINT" => Ask::DispatchTo(self.power(kind, value)?),
            "DISPATCH_SETPOINT_RELATIVE" => Ask::DispatchTo(self.relative(kind, value)?),
            "SIMPLE" => return self.simple(value),
            "PRICE" => Ask::Price(self.price(kind, value)?),
            "ALERT_GRID_EMERGENCY" => return self.emergency(value),
            "EXPORT_PRICE" => {
                let price = self.price(kind, value)?;
                return Ok(Meant::Shown(format!("export price {price}")));
            }
            _ => {
                let said = format!(
                    "{} {}: nothing is done about it",
                    DeviceText::of(kind),
                    DeviceText::of(&value.to_string())
                );
                return Ok(Meant::Shown(said));
            }
        };
        Ok(Meant::Ask(ask))
    }

    fn simple(&self, value: &Value) -> Result<Meant, String> {
        let level = match value.as_u64() {
            Some(level @ 0..=3) => level as usize,
            Some(_) | None => {
                return Err(wrong("a level of SIMPLE from 0 to 3", value));
            }
        };
        if level == 0 {
            return Ok(Meant::Nothing);
        }
        let limits = self.reading.simple_limits[..level].iter().flatten();
        match limits.min() {
            Some(limit) => Ok(Meant::Ask(Ask::Limit(*limit))),
            None => Err(format!(
                "SIMPLE level {level} has no limit; write `simple_{level}_limit_mw`"
            )),
        }
    }

    fn emergency(&self, value: &Value) -> Result<Meant, String> {
        let said = value.as_str().ok_or_else(|| wrong("an emergency's text", value))?;
        Ok(match self.reading.emergency_limit {
            Some(limit) => Meant::Ask(Ask::Limit(limit)),
            None => Meant::Shown(format!(
                "grid emergency {}: the site has no `emergency_limit_mw`",
                DeviceText::of(said)
            )),
        })
    }

    /// A level of the site, not negative and not absurd.
    fn power(&self, kind: &str, value: &Value) -> Result<Power, String> {
        self.level(self.signed_power(kind, value)?)
    }

    fn level(&self, level: Power) -> Result<Power, String> {
        let most = self.context.import_limit.times(ABSURD);
        match level < Power::ZERO || level > most {
            true => Err(format!("expected a level from 0 to {most}, found {level}")),
            false => Ok(level),
        }
    }

    /// A change of what is drawn now, counted once, when it is first read.
    fn relative(&self, kind: &str, value: &Value) -> Result<Power, String> {
        let change = self.signed_power(kind, value)?;
        let draw = self.context.draw.ok_or(
            "expected a draw that a meter shows, which a relative setpoint is counted \
             from, found none",
        )?;
        let most = self.context.import_limit.times(ABSURD);
        if change > most || -change > most {
            return Err(format!("expected a change of at most {most}, found {change}"));
        }
        self.level((draw + change).max(Power::ZERO))
    }

    fn signed_power(&self, kind: &str, value: &Value) -> Result<Power, String> {
        let unit = match self.descriptor(kind, "units") {
            None => self.reading.power_unit.ok_or_else(|| {
                format!(
                    "expected a payloadDescriptor with the unit of {}, found none; \
                     write `power_unit` if the program's rules name it",
                    DeviceText::of(kind)
                )
            })?,
            Some(Value::String(unit)) if unit == "KW" => PowerUnit::Kilowatts,
            Some(Value::String(unit)) if unit == "MW" => PowerUnit::Megawatts,
            Some(other) => return Err(wrong("KW or MW", other)),
        };
        let places = match unit {
            PowerUnit::Kilowatts => 3,
            PowerUnit::Megawatts => 6,
        };
        number(value, places).map(Power::from_watts)
    }

    fn price(&self, kind: &str, value: &Value) -> Result<EnergyPrice, String> {
        match self.descriptor(kind, "currency") {
            Some(Value::String(currency)) if currency == "USD" => {}
            Some(other) => return Err(wrong("a currency of USD", other)),
            None => return Err(format!("expected the currency of {kind}, found none")),
        }
        // Dollars to millionths, and a kilowatt-hour to a megawatt-hour.
        let places = match self.descriptor(kind, "units") {
            Some(Value::String(unit)) if unit == "KWH" => 9,
            Some(Value::String(unit)) if unit == "MWH" => 6,
            Some(other) => return Err(wrong("a price per KWH or MWH", other)),
            None => return Err(format!("expected the unit of {kind}, found none")),
        };
        let price = number(value, places)?;
        if price.unsigned_abs() > PRICE_MAX.unsigned_abs() {
            return Err(wrong("a price up to 25,000 USD/MWh", value));
        }
        Ok(EnergyPrice::from_micro_usd_per_mwh(price))
    }

    /// What a descriptor of this payload says, the event's own first.
    fn descriptor(&self, kind: &str, key: &str) -> Option<&Value> {
        let of = |list: Descriptors<'_>| {
            let is = |one: &&Value| {
                one.get("payloadType").and_then(Value::as_str) == Some(kind)
            };
            list.iter().find(is).map(|_| ())
        };
        let list = if of(self.own).is_some() { self.own } else { self.program };
        let found = list
            .iter()
            .find(|one| one.get("payloadType").and_then(Value::as_str) == Some(kind))?;
        found.get(key).filter(|value| !value.is_null())
    }
}

/// What a payload means.
enum Meant {
    Ask(Ask),
    /// Everything is as usual.
    Nothing,
    Shown(String),
}

/// A number to so many places. What is text is no number, whatever it says.
fn number(value: &Value, places: u32) -> Result<i64, String> {
    let Value::Number(number) = value else {
        return Err(wrong("a number", value));
    };
    decimal::rounded(&number.to_string(), places).map_err(|error| error.to_string())
}

fn wrong(expected: &str, found: &Value) -> String {
    format!("expected {expected}, found `{}`", DeviceText::of(&found.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: i64 = 1_780_000_000;

    fn reading() -> Reading {
        Reading {
            power_unit: Some(PowerUnit::Kilowatts),
            emergency_limit: Some(Power::from_mw(5)),
            simple_limits: [Some(Power::from_mw(20)), None, Some(Power::from_mw(2))],
            private: Private {
                arm: Some("LSSI_ARM".to_owned()),
                disarm: Some("LSSI_DISARM".to_owned()),
                base_point: Some("BP".to_owned()),
                ..Private::default()
            },
        }
    }

    fn read_with(event: Value, reading: &Reading) -> String {
        let context = Context {
            now: Timestamp::from_unix_seconds(NOW),
            draw: Some(Power::from_mw(30)),
            import_limit: Power::from_mw(40),
            longest: Seconds::hours(4),
        };
        let event = event.as_object().expect("an object").clone();
        match understand(&event, &[], reading, &context) {
            Err(why) => format!("quarantined: {why}"),
            Ok(understood) => {
                let mut said: Vec<String> = understood
                    .parts
                    .iter()
                    .map(|part| {
                        let seconds = |at: Timestamp| at.as_unix_seconds() - NOW;
                        let (from, to) = (part.during.start, part.during.end);
                        format!("{:?} {}..{}", part.ask, seconds(from), seconds(to))
                    })
                    .collect();
                said.extend(understood.shown.iter().map(|text| format!("shown: {text}")));
                if understood.end_imposed {
                    said.push("end imposed".to_owned());
                }
                said.join("; ")
            }
        }
    }

    fn payload(kind: &str, value: Value) -> Value {
        json!({"intervals": [{"id": 0, "payloads": [{"type": kind, "values": [value]}]}],
               "intervalPeriod": {"start": "0001-01-01T00:00:00Z", "duration": "PT1H"},
               "payloadDescriptors": [
                   {"payloadType": "PRICE", "units": "KWH", "currency": "USD"}]})
    }

    /// A line a payload: what it means, or why it is not used.
    #[test]
    fn payloads_mean_what_they_say_or_nothing() {
        for (kind, value, expected) in [
            ("IMPORT_CAPACITY_LIMIT", json!(12000.0), "Limit(12.000 MW) 0..3600"),
            ("IMPORT_CAPACITY_LIMIT", json!(0), "Limit(0.000 MW) 0..3600"),
            ("IMPORT_CAPACITY_LIMIT", json!("12000"), "quarantined: expected a number"),
            ("IMPORT_CAPACITY_LIMIT", json!(-1), "quarantined: expected a level"),
            ("IMPORT_CAPACITY_LIMIT", json!(400001), "quarantined: expected a level"),
            ("IMPORT_CAPACITY_LIMIT", json!(1e300), "quarantined: "),
            ("IMPORT_CAPACITY_LIMIT", json!(null), "quarantined: expected a number"),
            ("IMPORT_CAPACITY_LIMIT", json!([1]), "quarantined: expected a number"),
            ("IMPORT_CAPACITY_LIMIT", json!(true), "quarantined: expected a number"),
            ("DISPATCH_SETPOINT", json!(27000), "DispatchTo(27.000 MW) 0..3600"),
            ("DISPATCH_SETPOINT_RELATIVE", json!(-5000), "DispatchTo(25.000 MW) 0..3600"),
            ("DISPATCH_SETPOINT_RELATIVE", json!(-50000), "DispatchTo(0.000 MW) 0..3600"),
            ("DISPATCH_SETPOINT_RELATIVE", json!(9e9), "quarantined: expected a change"),
            ("SIMPLE", json!(0), ""),
            ("SIMPLE", json!(1), "Limit(20.000 MW) 0..3600"),
            ("SIMPLE", json!(2), "Limit(20.000 MW) 0..3600"),
            ("SIMPLE", json!(3), "Limit(2.000 MW) 0..3600"),
            ("SIMPLE", json!(4), "quarantined: expected a level of SIMPLE"),
            ("SIMPLE", json!(1.5), "quarantined: expected a level of SIMPLE"),
            ("SIMPLE", json!(-1), "quarantined: expected a level of SIMPLE"),
            ("PRICE", json!(0.031), "Price(31.00 USD/MWh) 0..3600"),
            ("PRICE", json!(-0.02), "Price(-20.00 USD/MWh) 0..3600"),
            ("PRICE", json!("abc"), "quarantined: expected a number"),
            ("PRICE", json!(26), "quarantined: expected a price"),
            ("EXPORT_PRICE", json!(0.01), "quarantined: expected the currency"),
            ("ALERT_GRID_EMERGENCY", json!("EEA3"), "Limit(5.000 MW) 0..3600"),
            (
                "ALERT_GRID_EMERGENCY",
                json!(3),
                "quarantined: expected an emergency's text",
            ),
            (
                "ALERT_OTHER",
                json!("<b>"),
                "shown: ALERT_OTHER ??b??: nothing is done about it",
            ),
            ("GHG", json!(0.4), "shown: GHG 0.4: nothing is done about it"),
            (
                "CONTROL_SETPOINT",
                json!(0),
                "shown: CONTROL_SETPOINT 0: nothing is done about it",
            ),
            ("LSSI_ARM", json!(20000), "Arm(20.000 MW) 0..3600"),
            ("LSSI_DISARM", json!(1), "Disarm 0..3600"),
            ("BP", json!(18000), "BasePoint(18.000 MW) 0..3600"),
            ("LSSI_OTHER", json!(1), "shown: LSSI_OTHER 1: nothing is done about it"),
        ] {
            let found = read_with(payload(kind, value.clone()), &reading());
            let same = found == expected
                || (expected.starts_with("quarantined") && found.starts_with(expected));
            assert!(same, "{kind} {value}: {found}");
        }
    }

    #[test]
    fn units_and_currencies_are_never_guessed() {
        let unread = Reading { power_unit: None, ..reading() };
        let limit = payload("IMPORT_CAPACITY_LIMIT", json!(12));
        assert!(
            read_with(limit.clone(), &unread).contains("expected a payloadDescriptor")
        );
        for (unit, expected) in [
            ("KW", "Limit(0.012 MW) 0..3600"),
            ("MW", "Limit(12.000 MW) 0..3600"),
            ("KWH", "quarantined: expected KW or MW, found `?KWH?`"),
            ("AMPS", "quarantined: expected KW or MW, found `?AMPS?`"),
        ] {
            let mut limit = limit.clone();
            limit["payloadDescriptors"] =
                json!([{"payloadType": "IMPORT_CAPACITY_LIMIT", "units": unit}]);
            assert_eq!(read_with(limit, &unread), expected, "{unit}");
        }
        for (descriptor, says) in [
            (json!({"units": "KWH", "currency": "EUR"}), "a currency of USD"),
            (json!({"units": "KWH"}), "the currency of PRICE"),
            (json!({"units": "KW", "currency": "USD"}), "a price per KWH or MWH"),
            (json!({"currency": "USD"}), "the unit of PRICE"),
        ] {
            let mut price = payload("PRICE", json!(0.03));
            price["payloadDescriptors"] = json!([descriptor]);
            price["payloadDescriptors"][0]["payloadType"] = json!("PRICE");
            let found = read_with(price, &reading());
            assert!(found.starts_with("quarantined") && found.contains(says), "{found}");
        }
    }

    #[test]
    fn what_has_no_end_is_given_one_and_that_is_said() {
        let mut open = payload("IMPORT_CAPACITY_LIMIT", json!(5000));
        open["intervalPeriod"] = Value::Null;
        let told = "Limit(5.000 MW) 0..14400; end imposed";
        assert_eq!(read_with(open.clone(), &reading()), told);
        open["intervalPeriod"] =
            json!({"start": "0001-01-01T00:00:00Z", "duration": "P9999Y"});
        assert_eq!(read_with(open.clone(), &reading()), told);
        open["intervalPeriod"] = json!({"duration": "PT5H"});
        assert_eq!(read_with(open.clone(), &reading()), told);
        open["duration"] = json!("PT2H");
        open["intervalPeriod"] = json!({"start": "0001-01-01T00:00:00Z"});
        assert_eq!(read_with(open, &reading()), "Limit(5.000 MW) 0..7200");
    }

    #[test]
    fn intervals_follow_each_other() {
        let mut steps = payload("DISPATCH_SETPOINT", json!(27000));
        let level = |kw: i64| json!({"id": 0, "payloads": [{"type": "DISPATCH_SETPOINT", "values": [kw]}]});
        steps["intervals"] = json!([level(27000), level(20000)]);
        steps["intervalPeriod"]["duration"] = json!("PT5M");
        assert_eq!(
            read_with(steps.clone(), &reading()),
            "DispatchTo(27.000 MW) 0..300; DispatchTo(20.000 MW) 300..600"
        );
        steps["intervals"][1]["intervalPeriod"] =
            json!({"start": "2026-05-28T20:43:20Z", "duration": "PT10M"});
        assert_eq!(
            read_with(steps.clone(), &reading()),
            "DispatchTo(27.000 MW) 0..300; DispatchTo(20.000 MW) 1000..1600"
        );
        steps["intervalPeriod"] = json!({"start": "0001-01-01T00:00:00Z"});
        assert!(read_with(steps, &reading()).contains("expected a duration"));
    }

    #[test]
    fn one_bad_part_spoils_the_event() {
        let mut mixed = payload("IMPORT_CAPACITY_LIMIT", json!(5000));
        mixed["intervals"][0]["payloads"]
            .as_array_mut()
            .expect("payloads")
            .push(json!({"type": "PRICE", "values": ["abc"]}));
        assert!(read_with(mixed, &reading()).starts_with("quarantined"));
        for broken in [
            json!({}),
            json!({"intervals": []}),
            json!({"intervals": {}}),
            json!({"intervals": [1]}),
            json!({"intervals": [{"payloads": []}]}),
            json!({"intervals": [{"payloads": [{"type": "SIMPLE", "values": []}]}]}),
            json!({"intervals": [{"payloads": [{"type": "SIMPLE", "values": [1, 2]}]}]}),
            json!({"intervals": [{"payloads": [{"values": [1]}]}]}),
            json!({"intervals": [{"payloads": [{"type": "SIMPLE", "values": [1]}]}],
                   "intervalPeriod": {"start": "9999-01-01T00:00:00Z"}}),
        ] {
            let found = read_with(broken.clone(), &reading());
            assert!(found.starts_with("quarantined"), "{broken} {found}");
        }
    }
}
