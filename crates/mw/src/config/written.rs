//! The file as written: TOML read against the declared keys, each number exact
//! and each value with its place in the file.
//!
//! A number is taken from the text of the file, never through a float. What is
//! wrong is noted and left out, so that one reading finds all there is to find.

use std::collections::BTreeMap;

use jiff::civil;
use jiff::tz::TimeZone;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use units::{
    DecimalError, Energy, EnergyPrice, GpuHourPrice, HashRate, Money, Power, PowerPrice,
    Pue, Seconds, Share, Temperature, Timestamp, decimal,
};

use super::keys::{Key, Kind, Need, Quantity, Range, Section, UNIT_ENDINGS};
use super::problem::Findings;

/// One table of a file.
pub(super) struct Table {
    section: &'static Section,
    /// The keys that lead here, such as `rigs[2]`; empty at the top.
    path: String,
    /// Where it begins.
    at: usize,
    fields: BTreeMap<&'static str, Field>,
}

struct Field {
    /// Where it is written; for a default, where its table begins.
    at: usize,
    /// As it is written, shortened.
    shown: String,
    /// `None` where what is written is wrong.
    value: Option<Value>,
}

enum Value {
    Text(String),
    Flag(bool),
    Count(u32),
    Power(Power),
    Energy(Energy),
    Share(Share),
    Pue(Pue),
    Temperature(Temperature),
    HashRate(HashRate),
    EnergyPrice(EnergyPrice),
    GpuHourPrice(GpuHourPrice),
    PowerPrice(PowerPrice),
    Money(Money),
    Seconds(Seconds),
    Date(Date),
    Months(Vec<i8>),
    Names(Vec<String>),
    Table(Box<Table>),
    Tables(Vec<Table>),
}

/// A date as written: what it means depends on the market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Date {
    /// A day of the market: its first instant.
    Day(civil::Date),
    /// An instant, written with its offset.
    Instant(Timestamp),
}

/// The years a site file may speak of.
pub(super) const YEARS: std::ops::RangeInclusive<i16> = 1990..=2100;

/// The most entries of one kind. Chosen: far above any site, and a file at the
/// limit is still read at once.
const ENTRIES_MAX: usize = 2_000;

/// The longest text, in characters: a name or a reason, not a letter.
const TEXT_MAX: usize = 500;

impl Date {
    /// The instant it means in a market.
    pub(super) fn in_market(self, zone: &TimeZone) -> Timestamp {
        match self {
            Self::Day(day) => first_instant(day, zone),
            Self::Instant(instant) => instant,
        }
    }
}

impl std::fmt::Display for Date {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Day(day) => write!(f, "{day}"),
            Self::Instant(instant) => write!(f, "{instant}"),
        }
    }
}

/// The first instant of a market day. Where midnight is skipped, the first
/// instant after.
pub(super) fn first_instant(day: civil::Date, zone: &TimeZone) -> Timestamp {
    let midnight =
        day.to_zoned(zone.clone()).expect("a day of a year that may be written");
    Timestamp::from_unix_seconds(midnight.timestamp().as_second())
}

/// Reads TOML against a section; `None` when it is not TOML.
pub(super) fn read(section: &'static Section, found: &mut Findings<'_>) -> Option<Table> {
    let (tree, errors) = DeTable::parse_recoverable(found.text());
    for error in &errors {
        let at = error.span().map_or(0, |span| span.start);
        let mut said = error.message().lines();
        let what = said.next().unwrap_or("something else").to_owned();
        let rest = said.collect::<Vec<_>>().join(", ");
        found.problem(at, "", "TOML", what, rest);
    }
    let table =
        |found: &mut _| Table::read(section, String::new(), 0, tree.get_ref(), found);
    errors.is_empty().then(|| table(found))
}

/// The table that stands for one that is not written, where every key of it may
/// be left out.
pub(super) fn defaults(section: &'static Section) -> Table {
    let mut scratch = Findings::new("");
    let table = Table::read(section, String::new(), 0, &DeTable::new(), &mut scratch);
    assert!(scratch.is_clean(), "no key of it is required");
    table
}

impl Table {
    fn read(
        section: &'static Section,
        path: String,
        at: usize,
        tree: &DeTable<'_>,
        found: &mut Findings<'_>,
    ) -> Self {
        let mut table = Self { section, path, at, fields: BTreeMap::new() };
        let mut meant = Vec::new();
        for (name, value) in tree {
            match section.keys.iter().find(|key| key.name == name.get_ref().as_ref()) {
                Some(key) => {
                    let field = table.field(key, name.span().start, value, found);
                    table.fields.insert(key.name, field);
                }
                None => meant.extend(table.unknown(name, found)),
            }
        }
        for key in section.keys {
            if !table.fields.contains_key(key.name) {
                table.fill(key, &meant, found);
            }
        }
        table
    }

    /// Reads one field.
    fn field(
        &self,
        key: &'static Key,
        at: usize,
        written: &Spanned<DeValue<'_>>,
        found: &mut Findings<'_>,
    ) -> Field {
        let path = self.key(key.name);
        Field {
            at,
            shown: shown(written, found.text()),
            value: value(key.kind, &path, at, written, found),
        }
    }

    /// Gives a key that is not written its default, or notes that it is missing.
    fn fill(&mut self, key: &'static Key, meant: &[&str], found: &mut Findings<'_>) {
        match key.need {
            Need::Optional => {}
            Need::Required if meant.contains(&key.name) => {}
            Need::Required => {
                let remedy = match key.kind {
                    Kind::Table(_) => format!("write `[{}]`", self.key(key.name)),
                    Kind::Tables(_) => format!("write `[[{}]]`", self.key(key.name)),
                    Kind::Text
                    | Kind::Choice(_)
                    | Kind::Flag
                    | Kind::Number(..)
                    | Kind::Date
                    | Kind::Months
                    | Kind::Names => format!("write `{} = ..`", key.name),
                };
                found.problem(
                    self.at,
                    self.key(key.name),
                    wanted(key.kind),
                    "nothing",
                    remedy,
                );
            }
            Need::Default(default) => {
                let written =
                    DeValue::parse(default).expect("a declared default is TOML");
                let mut scratch = Findings::new(default);
                let mut field = self.field(key, self.at, &written, &mut scratch);
                assert!(scratch.is_clean(), "the default of `{}` is right", key.name);
                field.at = self.at;
                self.fields.insert(key.name, field);
            }
        }
    }

    /// Notes a key that is not declared; returns the keys that may be meant.
    fn unknown(
        &self,
        name: &Spanned<std::borrow::Cow<'_, str>>,
        found: &mut Findings<'_>,
    ) -> Vec<&'static str> {
        let written = name.get_ref().as_ref();
        let known = || self.section.keys.iter().map(|key| key.name);
        let stem = |key: &str| {
            let ending = UNIT_ENDINGS.iter().find(|ending| key.ends_with(**ending));
            ending.map_or(key.to_owned(), |ending| {
                key[..key.len() - ending.len()].to_owned()
            })
        };
        let with_unit: Vec<_> = known()
            .filter(|key| key.len() > written.len() && stem(key) == written)
            .collect();
        let other_unit: Vec<_> = known()
            .filter(|key| stem(key) == stem(written) && stem(key) != **key)
            .collect();
        let near: Vec<_> = nearest(written, known()).into_iter().collect();
        let (meant, remedy) = if !with_unit.is_empty() {
            let remedy =
                format!("the unit is missing: write {}", quoted(&with_unit, " or "));
            (with_unit, remedy)
        } else if !other_unit.is_empty() {
            let remedy = format!(
                "it is counted in another unit: write {}",
                quoted(&other_unit, " or ")
            );
            (other_unit, remedy)
        } else if !near.is_empty() {
            let remedy = format!("did you mean {}?", quoted(&near, " or "));
            (near, remedy)
        } else {
            let all: Vec<_> = known().collect();
            (Vec::new(), format!("the keys here are {}", quoted(&all, ", ")))
        };
        let place = match self.path.as_str() {
            "" => "a key of a site file".to_owned(),
            path => format!("a key of `{path}`"),
        };
        let found_key = format!("the unknown key `{written}`");
        found.problem(name.span().start, self.key(written), place, found_key, remedy);
        meant
    }

    /// The keys that lead to `key`.
    pub(super) fn key(&self, key: &str) -> String {
        match self.path.as_str() {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        }
    }

    /// The keys that lead here.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Where this table begins.
    pub(super) fn start(&self) -> usize {
        self.at
    }

    /// Where `key` is written, or else where its table begins.
    pub(super) fn at(&self, key: &str) -> usize {
        self.lookup(key).map_or(self.at, |field| field.at)
    }

    /// What `key` is written as, shortened.
    pub(super) fn shown(&self, key: &str) -> String {
        self.lookup(key).map_or("nothing".to_owned(), |field| field.shown.clone())
    }

    /// Whether a table like this may have `key`.
    pub(super) fn declares(&self, key: &str) -> bool {
        self.section.keys.iter().any(|declared| declared.name == key)
    }

    /// Whether `key` is written, right or wrong.
    pub(super) fn writes(&self, key: &str) -> bool {
        self.lookup(key).is_some()
    }

    /// The table under `key`, if there is a right one.
    pub(super) fn table(&self, key: &str) -> Option<&Self> {
        let Value::Table(table) = self.value(key)? else { undeclared(key) };
        Some(table)
    }

    /// The tables under `key`.
    pub(super) fn tables(&self, key: &str) -> &[Self] {
        let Some(value) = self.value(key) else {
            return &[];
        };
        let Value::Tables(tables) = value else { undeclared(key) };
        tables
    }

    /// The months under `key`.
    pub(super) fn months(&self, key: &str) -> Option<&[i8]> {
        let Value::Months(months) = self.value(key)? else { undeclared(key) };
        Some(months)
    }

    /// The names under `key`.
    pub(super) fn names(&self, key: &str) -> Option<&[String]> {
        let Value::Names(names) = self.value(key)? else { undeclared(key) };
        Some(names)
    }

    /// The words under `key`.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        let Value::Text(text) = self.value(key)? else { undeclared(key) };
        Some(text)
    }

    fn value(&self, key: &str) -> Option<&Value> {
        self.lookup(key)?.value.as_ref()
    }

    fn lookup(&self, key: &str) -> Option<&Field> {
        assert!(self.declares(key), "`{key}` is declared");
        self.fields.get(key)
    }
}

/// Stops: the reader and the declaration of `key` differ.
fn undeclared(key: &str) -> ! {
    panic!("`{key}` is declared as another kind than it is read as")
}

macro_rules! readings {
    ($($name:ident: $variant:ident),* $(,)?) => {
        impl Table {
            $(
                #[doc = concat!("The right ", stringify!($name), " under `key`, if there is one.")]
                pub(super) fn $name(&self, key: &str) -> Option<$variant> {
                    let Value::$variant(value) = self.value(key)? else { undeclared(key) };
                    Some(*value)
                }
            )*
        }
    };
}

type Flag = bool;
type Count = u32;

readings! {
    flag: Flag,
    count: Count,
    power: Power,
    energy: Energy,
    share: Share,
    pue: Pue,
    temperature: Temperature,
    hash_rate: HashRate,
    energy_price: EnergyPrice,
    gpu_hour_price: GpuHourPrice,
    power_price: PowerPrice,
    money: Money,
    seconds: Seconds,
    date: Date,
}

/// Reads one value; `None` when it is wrong, which is noted.
fn value(
    kind: Kind,
    path: &str,
    at: usize,
    written: &Spanned<DeValue<'_>>,
    found: &mut Findings<'_>,
) -> Option<Value> {
    let here = written.get_ref();
    match (kind, here) {
        (Kind::Text, DeValue::String(text)) => {
            words(path, at, text, found).map(Value::Text)
        }
        (Kind::Choice(choices), DeValue::String(text))
            if choices.contains(&text.as_ref()) =>
        {
            Some(Value::Text(text.to_string()))
        }
        (Kind::Flag, DeValue::Boolean(flag)) => Some(Value::Flag(*flag)),
        (Kind::Number(quantity, range), DeValue::Integer(number))
            if number.radix() == 10 =>
        {
            self::number(quantity, range, path, at, number.as_str(), found)
        }
        (Kind::Number(quantity, range), DeValue::Float(number)) => {
            self::number(quantity, range, path, at, number.as_str(), found)
        }
        (Kind::Date, DeValue::Datetime(written)) => {
            let day = written.date.and_then(|day| {
                civil::Date::new(day.year as i16, day.month as i8, day.day as i8).ok()
            });
            let parts = (day, written.time.is_some(), written.offset.is_some());
            date(path, at, parts, &written.to_string(), found).map(Value::Date)
        }
        (Kind::Months, DeValue::Array(list)) => months(path, at, list, found),
        (Kind::Names, DeValue::Array(list)) => names(path, at, list, found),
        (Kind::Table(section), DeValue::Table(tree)) => {
            let table = Table::read(section, path.to_owned(), at, tree, found);
            Some(Value::Table(Box::new(table)))
        }
        (Kind::Tables(_), DeValue::Array(list)) if list.len() > ENTRIES_MAX => {
            let expected = format!("at most {ENTRIES_MAX} entries");
            found.problem(at, path, expected, list.len().to_string(), "");
            None
        }
        (Kind::Tables(section), DeValue::Array(list)) => {
            let tables = list.iter().enumerate().filter_map(|(ix, entry)| {
                let path = format!("{path}[{ix}]");
                let at = entry.span().start;
                let DeValue::Table(tree) = entry.get_ref() else {
                    let what = described(entry, found.text());
                    found.problem(at, path, "a table", what, "");
                    return None;
                };
                Some(Table::read(section, path, at, tree, found))
            });
            Some(Value::Tables(tables.collect()))
        }
        _ => {
            let remedy = remedy(kind, path, here);
            let what = described(written, found.text());
            found.problem(at, path, wanted(kind), what, remedy);
            None
        }
    }
}

/// What to do about a value of another kind than wanted.
fn remedy(kind: Kind, path: &str, written: &DeValue<'_>) -> String {
    let text = written.as_str().unwrap_or_default().trim();
    let starts_as_number =
        text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    match kind {
        Kind::Number(..) if decimal::rounded(text, 6).is_ok() => {
            "write it without quotes".to_owned()
        }
        Kind::Number(..) if starts_as_number => {
            "write the number alone: the unit is part of the key".to_owned()
        }
        Kind::Number(..) if written.is_integer() => "write it in decimal".to_owned(),
        Kind::Number(..) => String::new(),
        Kind::Date if Timestamp::parse(text).is_ok() => {
            "write it without quotes".to_owned()
        }
        Kind::Flag if ["true", "false"].contains(&text) => {
            "write it without quotes".to_owned()
        }
        Kind::Table(_) => format!("write `[{path}]`"),
        Kind::Tables(_) => format!("write `[[{path}]]`"),
        Kind::Text
        | Kind::Choice(_)
        | Kind::Flag
        | Kind::Date
        | Kind::Months
        | Kind::Names => String::new(),
    }
}

/// What a kind wants, as the end of "expected ..".
fn wanted(kind: Kind) -> String {
    match kind {
        Kind::Text => "text".to_owned(),
        Kind::Choice(choices) => {
            let choices: Vec<_> =
                choices.iter().map(|choice| format!("\"{choice}\"")).collect();
            choices.join(" or ")
        }
        Kind::Flag => "true or false".to_owned(),
        Kind::Number(quantity, range) => wanted_number(quantity, range),
        Kind::Date => "a date (2025-01-31) or an instant with its offset \
                       (2025-01-31T14:00:00-06:00)"
            .to_owned(),
        Kind::Months => "a list of months, 1 to 12, each once".to_owned(),
        Kind::Names => "a list of names, each once".to_owned(),
        Kind::Table(_) => "a table".to_owned(),
        Kind::Tables(_) => "a list of tables".to_owned(),
    }
}

fn wanted_number(quantity: Quantity, range: Range) -> String {
    let unit = quantity.unit();
    let (least, most) = quantity.bounds();
    match range {
        Range::Positive => format!("a {unit} above 0 and at most {most}"),
        Range::NotNegative => format!("a {unit} from {} to {most}", least.max(0)),
        Range::Any => format!("a {unit} from {least} to {most}"),
    }
}

fn words(path: &str, at: usize, text: &str, found: &mut Findings<'_>) -> Option<String> {
    let problem = if text.trim().is_empty() {
        "nothing but space"
    } else if text.chars().any(char::is_control) {
        "a line break or another control character in it"
    } else if text.chars().count() > TEXT_MAX {
        "a longer one"
    } else {
        return Some(text.to_owned());
    };
    found.problem(
        at,
        path,
        format!("text on one line, at most {TEXT_MAX} characters"),
        problem,
        "",
    );
    None
}

/// Reads a number from its own digits.
fn number(
    quantity: Quantity,
    range: Range,
    path: &str,
    at: usize,
    text: &str,
    found: &mut Findings<'_>,
) -> Option<Value> {
    let places = quantity.places();
    let scale = 10_i64.pow(places);
    let (least, most) = quantity.bounds();
    let mut wrong = |expected: String| {
        found.problem(at, path, expected, text, "");
        None
    };
    let base = match decimal::exact(text, places) {
        Ok(base) => base,
        Err(DecimalError::TooFine { .. }) if places > 0 => {
            return wrong(format!("at most {places} digits after the point"));
        }
        Err(
            DecimalError::TooFine { .. }
            | DecimalError::TooLarge(_)
            | DecimalError::NotANumber(_),
        ) => return wrong(wanted_number(quantity, range)),
    };
    let signed_right = match range {
        Range::Any => true,
        Range::NotNegative => base >= 0,
        Range::Positive => base > 0,
    };
    if !signed_right || base < least * scale || base > most * scale {
        return wrong(wanted_number(quantity, range));
    }
    let whole_seconds = |seconds: i64| {
        (seconds % scale == 0)
            .then(|| Value::Seconds(Seconds::from_seconds(seconds / scale)))
    };
    let value = match quantity {
        Quantity::Count => {
            Value::Count(u32::try_from(base).expect("a count within its bounds"))
        }
        Quantity::Megawatts | Quantity::Kilowatts | Quantity::Watts => {
            Value::Power(Power::from_watts(base))
        }
        Quantity::MegawattHours => Value::Energy(Energy::from_joules(base * 3_600)),
        Quantity::Percent => Value::Share(Share::from_ppm(base)),
        Quantity::Ratio => Value::Pue(Pue::from_ppm(base)),
        Quantity::Celsius => Value::Temperature(Temperature::from_millidegrees(base)),
        Quantity::TerahashPerSecond => Value::HashRate(HashRate::from_ghs(base)),
        Quantity::UsdPerMwh => {
            Value::EnergyPrice(EnergyPrice::from_micro_usd_per_mwh(base))
        }
        Quantity::UsdPerGpuHour => {
            Value::GpuHourPrice(GpuHourPrice::from_micro_usd(base))
        }
        Quantity::UsdPerKwMonth => {
            Value::PowerPrice(PowerPrice::from_micro_usd_per_kw(base))
        }
        Quantity::Usd => Value::Money(Money::from_micro_usd(base)),
        Quantity::Seconds => Value::Seconds(Seconds::from_seconds(base)),
        Quantity::Minutes | Quantity::Hours => {
            let seconds = if quantity == Quantity::Hours { 3_600 } else { 60 };
            match whole_seconds(base * seconds) {
                Some(value) => value,
                None => return wrong("a time of whole seconds".to_owned()),
            }
        }
    };
    Some(value)
}

/// Reads a date from its day, whether it has a time and whether that has an
/// offset, and the whole as text.
fn date(
    path: &str,
    at: usize,
    parts: (Option<civil::Date>, bool, bool),
    text: &str,
    found: &mut Findings<'_>,
) -> Option<Date> {
    let remedy = match parts {
        (None, ..) => "write the day",
        (Some(day), ..) if !YEARS.contains(&day.year()) => {
            "a site file speaks of the years 1990 to 2100"
        }
        (Some(day), false, _) => return Some(Date::Day(day)),
        (Some(_), true, false) => "write its offset from UTC: `Z`, or such as `-06:00`",
        (Some(_), true, true) => match Timestamp::parse(text) {
            Ok(instant) => return Some(Date::Instant(instant)),
            Err(_) => "write whole seconds",
        },
    };
    found.problem(at, path, wanted(Kind::Date), text, remedy);
    None
}

fn months(
    path: &str,
    at: usize,
    list: &toml::de::DeArray<'_>,
    found: &mut Findings<'_>,
) -> Option<Value> {
    let mut months = Vec::new();
    let mut wrong = |what: String| {
        found.problem(at, path, wanted(Kind::Months), what, "");
        None
    };
    for entry in list.iter() {
        let month = entry
            .get_ref()
            .as_integer()
            .and_then(|month| month.as_str().parse::<i8>().ok());
        match month {
            Some(month) if months.contains(&month) => {
                return wrong(format!("{month} twice"));
            }
            Some(month @ 1..=12) => months.push(month),
            _ => return wrong(format!("a month {}", plain(entry))),
        }
    }
    if months.is_empty() {
        return wrong("an empty list".to_owned());
    }
    months.sort_unstable();
    Some(Value::Months(months))
}

fn names(
    path: &str,
    at: usize,
    list: &toml::de::DeArray<'_>,
    found: &mut Findings<'_>,
) -> Option<Value> {
    let mut names: Vec<String> = Vec::new();
    let mut wrong = |what: String| {
        found.problem(at, path, wanted(Kind::Names), what, "");
        None
    };
    for entry in list.iter() {
        match entry.get_ref().as_str() {
            Some(name) if names.iter().any(|other| other == name) => {
                return wrong(format!("\"{name}\" twice"));
            }
            Some(name) => names.push(name.to_owned()),
            None => return wrong(plain(entry)),
        }
    }
    if names.is_empty() {
        return wrong("an empty list".to_owned());
    }
    Some(Value::Names(names))
}

fn plain(written: &Spanned<DeValue<'_>>) -> String {
    match written.get_ref() {
        DeValue::String(text) => format!("\"{text}\""),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(date) => date.to_string(),
        DeValue::Array(_) => "list".to_owned(),
        DeValue::Table(_) => "table".to_owned(),
    }
}

/// How long what was found may get before it is cut.
const SHOWN_MAX: usize = 60;

/// A value as it is written, cut to one short line.
fn shown(written: &Spanned<DeValue<'_>>, text: &str) -> String {
    let source = text.get(written.span()).unwrap_or_default();
    let line = source.lines().next().unwrap_or_default();
    match line.char_indices().nth(SHOWN_MAX) {
        Some((cut, _)) => format!("{}..", &line[..cut]),
        None if source.lines().count() > 1 => format!("{line} .."),
        None => line.to_owned(),
    }
}

/// A value with its kind, as the end of "found ..".
fn described(written: &Spanned<DeValue<'_>>, text: &str) -> String {
    match written.get_ref() {
        DeValue::String(_) => format!("the text {}", shown(written, text)),
        DeValue::Integer(_) | DeValue::Float(_) => {
            format!("the number {}", shown(written, text))
        }
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(date) => format!("the date {date}"),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// Names in backquotes, joined.
pub(super) fn quoted(names: &[&str], between: &str) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(between)
}

/// The longest name that is compared with others.
const NEAR_MAX: usize = 100;

/// The one of `known` that `written` is most likely a slip of, if any is near.
pub(super) fn nearest<'k>(
    written: &str,
    known: impl Iterator<Item = &'k str>,
) -> Option<&'k str> {
    // A slip changes a letter in four at most; what differs more was meant.
    let letters = written.chars().count();
    let slips_max = match letters {
        0..3 => return None,
        3..=NEAR_MAX => (letters / 4).max(1),
        _ => return None,
    };
    known
        .map(|known| (slips(written, known), known))
        .filter(|(slips, _)| *slips <= slips_max)
        .min()
        .map(|(_, known)| known)
}

/// How many letters must be changed, added, dropped or swapped to make one of
/// the other, whatever their case.
fn slips(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.to_lowercase().chars().collect();
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let dropped = rows[i - 1][j].min(rows[i][j - 1]) + 1;
                let swapped =
                    i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                let swap = if swapped { rows[i - 2][j - 2] + 1 } else { usize::MAX };
                change.min(dropped).min(swap)
            };
        }
    }
    rows[a.len()][b.len()]
}
