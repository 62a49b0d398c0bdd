//! What the answers of cgminer's API mean, in JSON and between pipes, firmware by
//! firmware. Source: cgminer's `API-README`, and the answers that firmwares were seen to
//! give.

use std::fmt;

use serde_json::{Map, Value};

use super::super::said::{self, HashUnit};
use super::super::{DeviceText, Field, Identity, Look, Quality, Running, Unanswered};

/// Of its pools, the most that are kept.
const POOLS_MAX: usize = 8;

/// Of the parts of an answer between pipes, the most that are read.
const PARTS_MAX: usize = 4_000;

/// Whose firmware it is, by its own word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Luxor's.
    LuxOs,
    /// Braiins OS.
    Braiins,
    /// Bitmain's own.
    Antminer,
    /// Canaan's own.
    Avalon,
    /// Another one.
    Other,
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LuxOs => "LuxOS",
            Self::Braiins => "Braiins OS",
            Self::Antminer => "Bitmain's firmware",
            Self::Avalon => "Canaan's firmware",
            Self::Other => "this firmware",
        })
    }
}

/// An answer in either form, as the JSON form has it.
///
/// # Errors
///
/// When it is neither, or answers somebody else's question.
pub fn parse(answer: &[u8]) -> Result<Value, Unanswered> {
    let first = answer.iter().find(|byte| !byte.is_ascii_whitespace());
    let answer = match first {
        Some(b'{' | b'[' | b',') => said::json(answer)?,
        Some(_) => between_pipes(&String::from_utf8_lossy(answer))?,
        None => return Err(Unanswered::Closed),
    };
    // Every answer of this API has the same number; whoever gives another speaks of
    // something else.
    match answer.get("id").and_then(Value::as_i64) {
        None | Some(0 | 1) if answer.is_object() => Ok(answer),
        None | Some(_) => Err(nonsense("an answer to another question")),
    }
}

/// `STATUS=S,Code=11|SUMMARY,Elapsed=5,MHS av=1.0|` as `{"STATUS":[{"STATUS":"S",…}],…}`.
fn between_pipes(text: &str) -> Result<Value, Unanswered> {
    let mut sections: Map<String, Value> = Map::new();
    for record in
        text.split('|').filter(|record| !record.trim().is_empty()).take(PARTS_MAX)
    {
        let mut fields = Map::new();
        let mut last: Option<String> = None;
        let (head, rest) = record.split_once(',').unwrap_or((record, ""));
        let (name, number) = head.split_once('=').unwrap_or((head, ""));
        if !number.is_empty() {
            fields.insert(name.trim().to_owned(), Value::from(number));
        }
        for part in rest.split(',').take(PARTS_MAX) {
            match (part.split_once('='), &last) {
                (Some((key, value)), _) if !key.contains('[') => {
                    fields.insert(key.trim().to_owned(), Value::from(value));
                    last = Some(key.trim().to_owned());
                }
                // A comma within a value.
                (_, Some(key)) => {
                    let so_far = fields[key].as_str().unwrap_or_default();
                    let longer = Value::from(format!("{so_far},{part}"));
                    fields.insert(key.clone(), longer);
                }
                (_, None) => {}
            }
        }
        let name = match name.trim() {
            "POOL" => "POOLS",
            "ASC" | "PGA" | "GPU" => "DEVS",
            other => other,
        };
        let list = sections.entry(name).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(list) = list {
            list.push(Value::Object(fields));
        }
    }
    match sections.contains_key("STATUS") {
        true => Ok(Value::Object(sections)),
        false => Err(nonsense("expected an answer of cgminer's API")),
    }
}

/// Why an answer says no; nothing where it does not.
pub fn refusal(answer: &Value) -> Option<DeviceText> {
    let status = match &answer["STATUS"] {
        Value::Array(list) => list.first()?,
        Value::String(_) => answer,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
            return None;
        }
    };
    let no = matches!(status["STATUS"].as_str(), Some("E" | "F"));
    no.then(|| DeviceText::of(status["Msg"].as_str().unwrap_or("no reason")))
}

/// Whose firmware it is and what else `version` says.
///
/// # Errors
///
/// When it is no answer to `version`.
pub fn version(answer: &Value) -> Result<(Family, Identity), Unanswered> {
    let said = &answer["VERSION"][0];
    let Some(keys) = said.as_object() else {
        return Err(nonsense("the answer to version has no VERSION"));
    };
    let has = |name: &str| keys.keys().any(|key| key.eq_ignore_ascii_case(name));
    let says = |key: &str, what: &str| {
        said[key].as_str().is_some_and(|text| text.to_lowercase().contains(what))
    };
    let family = if has("LUXminer") {
        Family::LuxOs
    } else if ["BOSminer", "BOSminer+", "BOSer"].iter().any(|name| has(name)) {
        Family::Braiins
    } else if says("PROD", "avalon") {
        Family::Avalon
    } else if says("Type", "antminer") {
        Family::Antminer
    } else {
        Family::Other
    };
    let firsts = |keys: &[&str]| keys.iter().find_map(|key| said::text(&said[*key]));
    let (maker, model, firmware) = match family {
        Family::LuxOs => (Some("Bitmain"), firsts(&["Type"]), firsts(&["LUXminer"])),
        Family::Braiins => {
            let firmware = firsts(&["BOSer", "BOSminer+", "BOSminer"]);
            (None, firsts(&["Type"]), firmware)
        }
        Family::Avalon => {
            let firmware = firsts(&["LVERSION", "CGVERSION", "CGMiner"]);
            (Some("Canaan"), firsts(&["PROD", "MODEL"]), firmware)
        }
        Family::Antminer => {
            let firmware = firsts(&["CompileTime", "BMMiner", "Miner"]);
            (Some("Bitmain"), firsts(&["Type"]), firmware)
        }
        Family::Other => {
            (None, firsts(&["Type", "MODEL"]), firsts(&["Miner", "CGMiner"]))
        }
    };
    let identity = Identity {
        maker: maker.map(DeviceText::of),
        model,
        serial: firsts(&["DNA", "MAC"]),
        firmware,
        limits: None,
    };
    Ok((family, identity))
}

/// What `devdetails` adds where `version` said nothing.
pub(super) fn details(identity: &mut Identity, answer: &Value) {
    let model = said::text(&answer["DEVDETAILS"][0]["Model"]);
    identity.model = identity.model.take().or(model);
}

/// What a look asks a firmware; the first it must answer.
pub(super) fn questions(family: Family) -> &'static [&'static str] {
    match family {
        Family::LuxOs => &["summary", "config", "power", "profiles", "pools", "devs"],
        Family::Braiins => &["summary", "pools", "devs", "tunerstatus"],
        Family::Antminer | Family::Avalon | Family::Other => {
            &["summary", "pools", "stats"]
        }
    }
}

/// How a miner stands that cannot be told anything: whether it is at rest, it has no
/// words for; that it hashes shows.
pub fn look(answers: &Value) -> Result<Look, Unanswered> {
    let summary = &answers["SUMMARY"][0];
    if !summary.is_object() {
        return Err(nonsense("the answer to summary has no SUMMARY"));
    }
    let avalon = Avalon::of(answers);
    let tuner = &answers["TUNERSTATUS"][0];
    let hashrate = hashrate(summary);
    let hashes = hashrate.filter(|rate| !rate.value.is_zero());
    let resting = avalon.is_off().then(|| Field::reported(Running::Resting));
    let estimate = said::watts(&tuner["ApproximateMinerPowerConsumption"]);
    let estimate = estimate
        .map(|draw| Field { quality: draw.quality.min(Quality::Derived), ..draw });
    Ok(Look {
        running: resting.or(hashes.map(|rate| Field {
            value: Running::Working,
            at: rate.at,
            quality: Quality::Derived,
        })),
        limit: said::watts(&tuner["PowerLimit"]).filter(|limit| !limit.value.is_zero()),
        draw: avalon.draw().or(estimate),
        hashrate,
        hottest: said::hottest(parts(answers).chain(avalon.hottest())),
        pools: pools(answers),
        ..Look::default()
    })
}

/// How fast it hashes, by the shortest average that it gives.
pub(super) fn hashrate(summary: &Value) -> Option<Field<units::HashRate>> {
    let of = |unit| {
        let (name, keys) = match unit {
            HashUnit::Giga => ("GHS", ["5s", "1m", "av"]),
            HashUnit::Mega => ("MHS", ["5s", "1m", "av"]),
            HashUnit::Tera => ("THS", ["5s", "1m", "av"]),
        };
        keys.iter()
            .find_map(|key| said::hashrate(&summary[format!("{name} {key}")], unit))
    };
    [HashUnit::Giga, HashUnit::Mega, HashUnit::Tera].into_iter().find_map(of)
}

/// How hot the boards are: of each, and of the chips where they are told of.
pub(super) fn parts(answers: &Value) -> impl Iterator<Item = Field<units::Temperature>> {
    let lists = ["DEVS", "STATS"].map(|name| answers[name].as_array());
    let figures = lists.into_iter().flatten().flatten().filter_map(Value::as_object);
    figures.flatten().filter_map(|(key, value)| {
        let key = key.to_ascii_lowercase();
        let is_heat = key == "temperature"
            || key == "temp_max"
            || key.strip_prefix("temp").is_some_and(|rest| rest.parse::<u8>().is_ok())
            || key.starts_with("chip temp max");
        is_heat.then(|| said::celsius(value)).flatten()
    })
}

/// Where it sends its work.
pub(super) fn pools(answers: &Value) -> Vec<DeviceText> {
    let list = answers["POOLS"].as_array();
    let urls = list.into_iter().flatten().filter_map(|pool| said::text(&pool["URL"]));
    urls.take(POOLS_MAX).collect()
}

/// What Canaan's firmware writes into its statistics: `Name[value] Name[value]`.
struct Avalon<'a>(Option<&'a str>);

impl<'a> Avalon<'a> {
    fn of(answers: &'a Value) -> Self {
        let lists = answers["STATS"].as_array();
        let figures = lists.into_iter().flatten().filter_map(Value::as_object).flatten();
        let is_written = |key: &str| key.starts_with("MM ID0");
        let mut texts =
            figures.filter_map(|(key, value)| value.as_str().filter(|_| is_written(key)));
        Self(texts.next())
    }

    /// What is between the brackets after a name.
    fn between(&self, name: &str) -> Option<&'a str> {
        let text = self.0?;
        let before = format!(" {name}[");
        let from = text.find(&before)? + before.len();
        let rest = &text[from..];
        rest.find(']').map(|end| &rest[..end])
    }

    /// What it draws at the plug: the fifth figure of its power supply.
    fn draw(&self) -> Option<Field<units::Power>> {
        let watts = self.between("PS")?.split_whitespace().nth(4)?;
        let draw = said::watts(&Value::from(watts))?;
        // At nothing at all it would not answer.
        (!draw.value.is_zero()).then_some(draw)
    }

    fn hottest(&self) -> Option<Field<units::Temperature>> {
        said::celsius(&Value::from(self.between("TMax")?))
    }

    /// Whether it was switched off by a command.
    fn is_off(&self) -> bool {
        let idle = self.between("SYSTEMSTATU").is_some_and(|said| said.contains("Idle"));
        let by_command = self.between("SoftOFF").is_some_and(|said| said.trim() != "0");
        idle && by_command
    }
}

pub(super) fn nonsense(what: &str) -> Unanswered {
    Unanswered::Nonsense(DeviceText::of(what))
}
