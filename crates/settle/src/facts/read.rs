//! Reading facts from JSON lines: what cannot be read is refused with its line.

use super::{
    About, Acceptance, AcceptedUnit, Approves, Body, Cause, Fact, Facts, MeterOwner,
    Purpose, Size, State, TrancheName, UnitState,
};
use crate::calendar::Period;
use crate::contract::{Hash, Problem, Problems};
use crate::exact::Exact;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::sync::Arc;
use units::Timestamp;

/// Problems listed before reading gives up; a file of another kind has one a line.
const PROBLEMS_MAX: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    seq: u64,
    #[serde(borrow)]
    site: Cow<'a, str>,
    #[serde(borrow)]
    source: Cow<'a, str>,
    source_seq: u64,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    valid_from: Cow<'a, str>,
    #[serde(borrow, default)]
    valid_to: Option<Cow<'a, str>>,
    #[serde(borrow)]
    known_at: Cow<'a, str>,
    #[serde(borrow)]
    body: &'a RawValue,
    #[serde(borrow, default)]
    sha256: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    prev_sha256: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    clock_offset_seconds: Option<&'a RawValue>,
}

impl Facts {
    /// Reads a record from JSON lines; empty lines are skipped.
    ///
    /// # Errors
    /// Every line that cannot be read, is of an unknown kind, breaks the rise of
    /// `seq` or lets `known_at` fall, or whose hash is not that of its body.
    pub fn read(text: &str) -> Result<Self, Problems> {
        let mut facts = Self::default();
        facts.append(text)?;
        Ok(facts)
    }

    /// Reads further lines of the same record.
    ///
    /// # Errors
    /// As [`Facts::read`]; nothing is appended then.
    pub fn append(&mut self, text: &str) -> Result<(), Problems> {
        let before = self.facts.len();
        let mut problems = Vec::new();
        for (place, line) in text.lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            match read_line(line, self.facts.last()) {
                Ok(fact) => self.facts.push(fact),
                Err((key, text)) => {
                    problems.push(Problem { line: place + 1, key: key.to_owned(), text });
                    if problems.len() == PROBLEMS_MAX {
                        break;
                    }
                }
            }
        }
        if problems.is_empty() {
            return Ok(());
        }
        self.facts.truncate(before);
        Err(Problems(problems))
    }
}

type Wrong = (&'static str, String);

fn instant(key: &'static str, text: &str) -> Result<Timestamp, Wrong> {
    // A date alone would be read as a midnight nobody wrote.
    let at = Timestamp::parse(text).ok().filter(|at| {
        text.contains('T')
            && (0..super::TOO_LATE.as_unix_seconds()).contains(&at.as_unix_seconds())
    });
    at.ok_or_else(|| {
        let text = format!(
            "expected an instant from 1970 to 2199 in whole seconds with its offset, \
             such as 2026-04-01T00:00:00Z, found \"{text}\""
        );
        (key, text)
    })
}

fn read_line(line: &str, before: Option<&Fact>) -> Result<Fact, Wrong> {
    let read: Line<'_> = serde_json::from_str(line)
        .map_err(|error| ("", format!("expected the keys of a fact, found: {error}")))?;
    let known_at = instant("known_at", &read.known_at)?;
    if let Some(before) = before {
        if read.seq <= before.seq {
            let text = format!(
                "expected more than {} on the line before, found {}",
                before.seq, read.seq
            );
            return Err(("seq", text));
        }
        if known_at < before.known_at {
            let text = format!(
                "expected {} or later, known on the line before, found {known_at}; \
                 a fact learned late has a late known_at",
                before.known_at
            );
            return Err(("known_at", text));
        }
    }
    check_hash(&read)?;
    let clock_offset_seconds = match read.clock_offset_seconds {
        Some(raw) => Some(number("clock_offset_seconds", raw.get().trim_matches('"'))?),
        None => None,
    };
    Ok(Fact {
        seq: read.seq,
        valid_from: instant("valid_from", &read.valid_from)?,
        valid_to: match &read.valid_to {
            Some(text) => Some(instant("valid_to", text)?),
            None => None,
        },
        known_at,
        clock_offset_seconds,
        body: read_body(&read.kind, read.body.get())?,
        chain: before.map_or(Hash::start(), |fact| fact.chain).chained(line.as_bytes()),
        source_seq: read.source_seq,
        site: shared(&read.site, before.map(|fact| &fact.site)),
        source: shared(&read.source, before.map(|fact| &fact.source)),
    })
}

/// A name, the one before it where that is the same.
fn shared(name: &str, before: Option<&Arc<str>>) -> Arc<str> {
    before.filter(|before| ***before == *name).cloned().unwrap_or_else(|| name.into())
}

/// The hash a line carries must be that of its body, chained to the one it names.
fn check_hash(read: &Line<'_>) -> Result<(), Wrong> {
    let parse = |key, text: &Option<Cow<'_, str>>| match text {
        Some(text) => match Hash::parse(text) {
            Some(hash) => Ok(Some(hash)),
            None => {
                Err((key, format!("expected 64 hexadecimal digits, found \"{text}\"")))
            }
        },
        None => Ok(None),
    };
    let previous = parse("prev_sha256", &read.prev_sha256)?.unwrap_or(Hash::start());
    let Some(stated) = parse("sha256", &read.sha256)? else { return Ok(()) };
    let found = previous.chained(read.body.get().as_bytes());
    if found == stated {
        return Ok(());
    }
    let text = format!("expected {found} from the body as it stands, found {stated}");
    Err(("sha256", text))
}

fn number(key: &'static str, text: &str) -> Result<Exact, Wrong> {
    Exact::parse(text).map_err(|error| (key, error.to_string()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenAcceptance {
    contract: String,
    tranche: String,
    units: Vec<WrittenUnit>,
    #[serde(default)]
    replaces: Vec<String>,
    #[serde(default)]
    #[expect(dead_code, reason = "kept in the record; it moves no money")]
    evidence: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenUnit {
    unit: String,
    gpus: Option<i64>,
    kw: Option<i64>,
    domain: Option<String>,
    #[serde(default)]
    #[expect(dead_code, reason = "a slot's serial number moves no money")]
    serial: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenState {
    unit: Option<String>,
    units: Option<Vec<String>>,
    state: String,
    #[serde(rename = "ref")]
    reference: Option<String>,
    cap_w_per_gpu: Option<serde_json::Value>,
}

/// The bodies whose keys are few; each kind names those it needs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    contract: Option<String>,
    tranche: Option<String>,
    period: Option<String>,
    incident: Option<String>,
    class: Option<String>,
    #[serde(rename = "ref")]
    reference: Option<String>,
    id: Option<String>,
    about: Option<String>,
    gpu_seconds: Option<i64>,
    meter: Option<String>,
    wh: Option<i64>,
    index: Option<String>,
    per_mwh: Option<String>,
    value: Option<String>,
    amount: Option<String>,
    number: Option<String>,
    currency: Option<String>,
    #[serde(rename = "for")]
    purpose: Option<String>,
    approves: Option<String>,
    by: Option<String>,
    cause: Option<String>,
    sha256: Option<String>,
}

fn state(key: &'static str, text: &str) -> Result<State, Wrong> {
    Ok(match text {
        "available" => State::Available,
        "degraded" => State::Degraded,
        "down" => State::Down,
        "planned" => State::Planned,
        "grid" => State::Grid,
        "force_majeure" => State::ForceMajeure,
        "customer_caused" => State::CustomerCaused,
        "not_accepted" => State::NotAccepted,
        "unknown" => State::Unknown,
        _ => {
            let text = format!(
                "expected available, degraded, down, planned, grid, force_majeure, \
                 customer_caused, not_accepted or unknown, found \"{text}\""
            );
            return Err((key, text));
        }
    })
}

fn read_body(kind: &str, body: &str) -> Result<Body, Wrong> {
    fn from<'a, T: Deserialize<'a>>(kind: &str, body: &'a str) -> Result<T, Wrong> {
        serde_json::from_str(body)
            .map_err(|error| ("body", format!("expected the keys of {kind}: {error}")))
    }
    match kind {
        "acceptance" => return acceptance(from(kind, body)?),
        "unit_state" => return unit_state(from(kind, body)?),
        _ => {}
    }
    let needed = keys_of(kind)?;
    let written: serde_json::Map<String, serde_json::Value> = from(kind, body)?;
    for key in written.keys() {
        if !needed.contains(&key.as_str()) {
            let text = format!(
                "expected the keys {} of {kind}, found `{key}`",
                needed.join(", ")
            );
            return Err(("body", text));
        }
    }
    simple_body(kind, from(kind, body)?)
}

/// The keys the body of a kind may have.
fn keys_of(kind: &str) -> Result<&'static [&'static str], Wrong> {
    Ok(match kind {
        "incident_classification" => &["incident", "class", "ref"],
        "notice" => &["id", "about"],
        "grid_instruction" => &["id"],
        "flex" => &["id", "tranche", "contract"],
        "usage" => &["tranche", "contract", "gpu_seconds"],
        "meter_interval" => &["meter", "wh", "tranche", "contract"],
        "energy_price" => &["index", "per_mwh"],
        "index_value" => &["index", "value"],
        "utility_bill" => &["amount", "number"],
        "payment" => &["amount", "currency", "for", "contract"],
        "claim" | "dispute" => &["tranche", "contract", "period"],
        "approval" => &["approves", "amount", "by"],
        "termination" => &["tranche", "contract", "cause"],
        "contract_version" => &["sha256"],
        _ => {
            let text = format!(
                "expected one of acceptance, unit_state, incident_classification, notice, \
                 grid_instruction, flex, usage, meter_interval, energy_price, index_value, \
                 utility_bill, payment, claim, dispute, approval, termination, \
                 contract_version, found \"{kind}\""
            );
            return Err(("kind", text));
        }
    })
}

fn acceptance(written: WrittenAcceptance) -> Result<Body, Wrong> {
    let mut units: Vec<AcceptedUnit> = Vec::with_capacity(written.units.len());
    let mut names = std::collections::BTreeSet::new();
    for unit in written.units {
        let size = match (unit.gpus, unit.kw) {
            (Some(gpus), None) if (1..=1_000_000_000).contains(&gpus) => Size::Gpus(gpus),
            (None, Some(kw)) if (1..=1_000_000_000).contains(&kw) => Size::Kilowatts(kw),
            _ => {
                let text = format!("expected gpus or kw above 0 for {}", unit.unit);
                return Err(("body.units", text));
            }
        };
        if !names.insert(unit.unit.clone()) {
            return Err((
                "body.units",
                format!("expected {} once, found it twice", unit.unit),
            ));
        }
        units.push(AcceptedUnit { unit: unit.unit, size, domain: unit.domain });
    }
    if units.is_empty() {
        return Err(("body.units", "expected at least one unit, found none".to_owned()));
    }
    // A unit cannot leave twice, nor make room for itself.
    for unit in &written.replaces {
        if !names.insert(unit.clone()) {
            return Err((
                "body.replaces",
                format!(
                    "expected other units than those accepted, each once, found {unit}"
                ),
            ));
        }
    }
    let (contract, tranche, replaces) =
        (written.contract, written.tranche, written.replaces);
    Ok(Body::Acceptance(Acceptance { contract, tranche, units, replaces }))
}

fn unit_state(written: WrittenState) -> Result<Body, Wrong> {
    let units = match (written.unit, written.units) {
        (Some(unit), None) => vec![unit],
        (None, Some(units)) if !units.is_empty() => units,
        _ => {
            let text = "expected either unit or units, found both or neither".to_owned();
            return Err(("body.unit", text));
        }
    };
    let cap_w_per_gpu = match written.cap_w_per_gpu {
        Some(serde_json::Value::String(text)) => {
            Some(number("body.cap_w_per_gpu", &text)?)
        }
        Some(value) => Some(number("body.cap_w_per_gpu", &value.to_string())?),
        None => None,
    };
    let state = state("body.state", &written.state)?;
    let reference = written.reference;
    Ok(Body::UnitState(UnitState { units, state, reference, cap_w_per_gpu }))
}

fn simple_body(kind: &str, written: Written) -> Result<Body, Wrong> {
    fn need<T>(key: &'static str, found: Option<T>) -> Result<T, Wrong> {
        found.ok_or_else(|| ("body", format!("expected the key `{key}`, found nothing")))
    }
    let contract = written.contract.clone();
    let named = |tranche: String| TrancheName { contract: contract.clone(), tranche };
    let tranche = |found: Option<String>| need("tranche", found).map(&named);
    let period = |found: Option<String>| {
        let text = need("period", found)?;
        Period::parse(&text).ok_or_else(|| {
            ("body.period", format!("expected a month such as 2026-05, found \"{text}\""))
        })
    };
    Ok(match kind {
        "incident_classification" => Body::IncidentClassification {
            incident: need("incident", written.incident)?,
            class: match state("body.class", &need("class", written.class)?)? {
                State::Available | State::NotAccepted | State::Unknown => {
                    let text = "expected down, degraded, planned, grid, force_majeure or \
                                customer_caused";
                    return Err(("body.class", text.to_owned()));
                }
                class @ (State::Degraded
                | State::Down
                | State::Planned
                | State::Grid
                | State::ForceMajeure
                | State::CustomerCaused) => class,
            },
            reference: written.reference,
        },
        "notice" => Body::Notice {
            id: need("id", written.id)?,
            about: match need("about", written.about)?.as_str() {
                "planned_maintenance" => About::PlannedMaintenance,
                "force_majeure" => About::ForceMajeure,
                found => {
                    let text = format!(
                        "expected planned_maintenance or force_majeure, found \"{found}\""
                    );
                    return Err(("body.about", text));
                }
            },
        },
        "grid_instruction" => Body::GridInstruction { id: need("id", written.id)? },
        "flex" => {
            Body::Flex { id: need("id", written.id)?, tranche: tranche(written.tranche)? }
        }
        "usage" => Body::Usage {
            tranche: tranche(written.tranche)?,
            gpu_seconds: need("gpu_seconds", written.gpu_seconds)?,
        },
        "meter_interval" => Body::MeterInterval {
            meter: need("meter", written.meter)?,
            wh: need("wh", written.wh)?,
            owner: match (written.tranche, written.contract.clone()) {
                (Some(tranche), _) => MeterOwner::Tranche(named(tranche)),
                (None, Some(contract)) => MeterOwner::Contract(contract),
                (None, None) => MeterOwner::Site,
            },
        },
        "energy_price" => Body::EnergyPrice {
            index: need("index", written.index)?,
            per_mwh: number("body.per_mwh", &need("per_mwh", written.per_mwh)?)?,
        },
        "index_value" => Body::IndexValue {
            index: need("index", written.index)?,
            value: number("body.value", &need("value", written.value)?)?,
        },
        "utility_bill" => Body::UtilityBill {
            amount: number("body.amount", &need("amount", written.amount)?)?,
            number: need("number", written.number)?,
        },
        "payment" => Body::Payment {
            amount: number("body.amount", &need("amount", written.amount)?)?,
            currency: need("currency", written.currency)?,
            purpose: match written.purpose {
                None => Purpose::Unstated,
                Some(text) => match text.strip_prefix("prepayment:") {
                    Some(tranche) => Purpose::Prepayment(named(tranche.to_owned())),
                    None => Purpose::Document(text),
                },
            },
        },
        "claim" => Body::Claim {
            tranche: tranche(written.tranche)?,
            period: period(written.period)?,
        },
        "dispute" => Body::Dispute {
            tranche: tranche(written.tranche)?,
            period: period(written.period)?,
        },
        "approval" => Body::Approval {
            approves: approves(&need("approves", written.approves)?)?,
            amount: match written.amount {
                Some(text) => Some(number("body.amount", &text)?),
                None => None,
            },
            by: need("by", written.by)?,
        },
        "termination" => Body::Termination {
            tranche: match need("tranche", written.tranche)? {
                all if all == "all" => None,
                name => Some(named(name)),
            },
            cause: match need("cause", written.cause)?.as_str() {
                "supplier" => Cause::Supplier,
                "customer" => Cause::Customer,
                "convenience" => Cause::Convenience,
                "long_stop" => Cause::LongStop,
                found => {
                    let text = format!(
                        "expected supplier, customer, convenience or long_stop, \
                         found \"{found}\""
                    );
                    return Err(("body.cause", text));
                }
            },
        },
        "contract_version" => {
            let text = need("sha256", written.sha256)?;
            let sha256 = Hash::parse(&text).ok_or_else(|| {
                (
                    "body.sha256",
                    format!("expected 64 hexadecimal digits, found \"{text}\""),
                )
            })?;
            Body::ContractVersion { sha256 }
        }
        _ => unreachable!("`keys_of` has refused other kinds"),
    })
}

fn approves(text: &str) -> Result<Approves, Wrong> {
    let fact = |key: &str| -> Option<(String, u64)> {
        // The source may itself contain a slash.
        let (source, source_seq) = key.rsplit_once('/')?;
        Some((source.to_owned(), source_seq.parse().ok()?))
    };
    let found = match text.split_once(':') {
        Some(("quarantine", key)) => fact(key)
            .map(|(source, source_seq)| Approves::Quarantined { source, source_seq }),
        Some(("discard", key)) => fact(key)
            .map(|(source, source_seq)| Approves::Discarded { source, source_seq }),
        Some(("termination-fee", tranche)) => {
            Some(Approves::TerminationFee { tranche: tranche.to_owned() })
        }
        _ => None,
    };
    found.ok_or_else(|| {
        let text = format!(
            "expected quarantine:SOURCE/SOURCE_SEQ, discard:SOURCE/SOURCE_SEQ or \
             termination-fee:TRANCHE, found \"{text}\""
        );
        ("body.approves", text)
    })
}
