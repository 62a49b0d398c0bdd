//! The record of a run's racks together with what is known of its contracts from
//! elsewhere: payments, readings, prices, claims.
//!
//! Both files are lines of facts, each with numbers of its own. Together they stand in
//! the order of their becoming known, those of the racks first, and are numbered anew;
//! what a fact is known by, its source and number there, stays.
//!
//! Invariant: of what happened to racks, the record of the racks alone counts.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use settle::facts::Facts;
use units::Timestamp;

/// The name of the meter that stands for all that are not a tenant's own.
const OTHERS: &str = "others";

/// Kinds that the record of the racks says, and nobody beside it.
const OF_RACKS: [&str; 4] =
    ["acceptance", "unit_state", "incident_classification", "flex"];

/// The lines of the racks' record with those given beside it. A line of either that is
/// no fact is left out.
pub fn together(racks: &str, given: &str) -> String {
    let of_racks = racks.lines().filter_map(fact);
    let beside = given.lines().filter(|line| {
        // Anything may be in a file that others write.
        !line.trim().is_empty() && Facts::read(&format!("{line}\n")).is_ok()
    });
    let beside = beside.filter_map(fact).filter(|(_, fact)| {
        !fact["kind"].as_str().is_some_and(|kind| OF_RACKS.contains(&kind))
    });
    let mut all: Vec<(Timestamp, Value)> = of_racks.chain(beside).collect();
    all.sort_by_key(|(known_at, _)| *known_at);
    let numbered = (1_u64..).zip(all).map(|(seq, (_, mut fact))| {
        fact["seq"] = seq.into();
        if let Some(fields) = fact.as_object_mut() {
            // The chain of a file holds for its own order.
            fields.remove("sha256");
            fields.remove("prev_sha256");
        }
        format!("{fact}\n")
    });
    numbered.collect()
}

fn fact(line: &str) -> Option<(Timestamp, Value)> {
    let fact: Value = serde_json::from_str(line).ok()?;
    let known_at = Timestamp::parse(fact["known_at"].as_str()?).ok()?;
    Some((known_at, fact))
}

/// A contract whose customer reads a part of the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whose {
    /// Its name.
    pub contract: String,
    /// Its tranches.
    pub tranches: Vec<String>,
    /// Whether power is passed through, so that readings and bills are its customer's
    /// to check.
    pub power: bool,
}

/// Passes facts over one by one and leaves what the customer of some contracts reads.
#[derive(Debug)]
pub struct Part<'a> {
    of: &'a [Whose],
    /// Readings of meters that are not theirs, by interval.
    others: BTreeMap<(String, String), BTreeMap<String, i64>>,
    /// What was left so far, by the name that an approval calls it.
    left: Vec<String>,
}

impl<'a> Part<'a> {
    /// Nothing passed yet.
    pub fn of(of: &'a [Whose]) -> Self {
        Self { of, others: BTreeMap::new(), left: Vec::new() }
    }

    /// A fact beside the racks' as the customer reads it; nothing where it is another's.
    pub fn read(&mut self, fact: &Value) -> Option<Value> {
        let body = &fact["body"];
        let kept = match fact["kind"].as_str()? {
            "usage" | "claim" | "dispute" => self.is_theirs(body).then(|| fact.clone()),
            "termination" => {
                let theirs = body["all"].as_bool() == Some(true)
                    && self.names_theirs(body) != Some(false);
                (theirs || self.is_theirs(body)).then(|| fact.clone())
            }
            "payment" => self.pays(body).then(|| fact.clone()),
            "meter_interval" => self.reading(fact),
            "utility_bill" | "energy_price" => {
                self.of.iter().any(|one| one.power).then(|| fact.clone())
            }
            // What everybody may know: an index, the grid's word, force majeure.
            "index_value" | "grid_instruction" | "contract_version" => Some(fact.clone()),
            "notice" => (body["about"] == "force_majeure").then(|| fact.clone()),
            "approval" => self.approved(body).then(|| fact.clone()),
            _ => None,
        }?;
        self.leave(&kept);
        Some(kept)
    }

    /// A fact is left for the customer: an approval may name it.
    pub fn leave(&mut self, fact: &Value) {
        if let (Some(source), Some(number)) =
            (fact["source"].as_str(), fact["source_seq"].as_u64())
        {
            self.left.push(format!("{source}/{number}"));
        }
    }

    /// Whether a fact names one of the contracts; nothing where it names none.
    fn names_theirs(&self, body: &Value) -> Option<bool> {
        let contract = body["contract"].as_str()?;
        Some(self.of.iter().any(|one| one.contract == contract))
    }

    fn has_tranche(&self, tranche: &str, contract: Option<&str>) -> bool {
        self.of.iter().any(|one| {
            contract.is_none_or(|named| named == one.contract)
                && one.tranches.iter().any(|known| known == tranche)
        })
    }

    fn is_theirs(&self, body: &Value) -> bool {
        let tranche = body["tranche"].as_str();
        tranche.is_some_and(|one| self.has_tranche(one, body["contract"].as_str()))
    }

    /// A payment for a prepayment names its tranche; one for a document names it by the
    /// contract, which its number begins with.
    fn pays(&self, body: &Value) -> bool {
        if self.names_theirs(body) == Some(false) {
            return false;
        }
        match body["for"].as_str() {
            Some(purpose) => match purpose.strip_prefix("prepayment:") {
                Some(tranche) => self.has_tranche(tranche, body["contract"].as_str()),
                None => self.of.iter().any(|one| purpose.starts_with(&one.contract)),
            },
            None => self.names_theirs(body) == Some(true),
        }
    }

    fn approved(&self, body: &Value) -> bool {
        let Some(what) = body["approves"].as_str() else { return false };
        let key = what.strip_prefix("quarantine:").or(what.strip_prefix("discard:"));
        match (key, what.strip_prefix("termination-fee:")) {
            (Some(key), _) => self.left.iter().any(|left| left == key),
            (None, Some(tranche)) => self.has_tranche(tranche, body["contract"].as_str()),
            (None, None) => false,
        }
    }

    /// Losses are shared by what every meter of an interval shows: the customer reads
    /// its own meters and the main one, and of all others their sum.
    fn reading(&mut self, fact: &Value) -> Option<Value> {
        if !self.of.iter().any(|one| one.power) {
            return None;
        }
        let body = &fact["body"];
        let meter = body["meter"].as_str()?;
        let theirs = self.is_theirs(body)
            || (body["tranche"].is_null() && self.names_theirs(body) == Some(true));
        if meter == "main" || theirs {
            return Some(fact.clone());
        }
        let instant = |key: &str| fact[key].as_str().map(str::to_owned);
        let during = (instant("valid_from")?, instant("valid_to")?);
        let shown = self.others.entry(during).or_default();
        shown.insert(meter.to_owned(), body["wh"].as_i64()?);
        let sum: i64 = shown.values().sum();
        let mut kept = fact.clone();
        let mut body = Map::new();
        body.insert("meter".to_owned(), json!(OTHERS));
        body.insert("wh".to_owned(), json!(sum));
        kept["body"] = Value::Object(body);
        Some(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(seq: u64, known: &str, kind: &str, body: &str) -> String {
        format!(
            "{{\"seq\":{seq},\"site\":\"s\",\"source\":\"ops\",\"source_seq\":{seq},\
             \"kind\":\"{kind}\",\"valid_from\":\"2026-05-01T00:00Z\",\
             \"valid_to\":\"2026-05-01T01:00Z\",\"known_at\":\"{known}\",\"body\":{body}}}\n"
        )
    }

    fn red() -> Vec<Whose> {
        let tranches = vec!["H1".to_owned()];
        vec![Whose { contract: "RED".to_owned(), tranches, power: true }]
    }

    fn left(of: &[Whose], given: &str) -> Vec<Value> {
        let mut part = Part::of(of);
        let facts = given.lines().filter_map(|line| serde_json::from_str(line).ok());
        facts.filter_map(|fact: Value| part.read(&fact)).collect()
    }

    #[test]
    fn two_files_are_one_record_in_the_order_of_their_becoming_known() {
        let grid = "{\"id\":\"g\"}";
        let racks = line(1, "2026-05-01T02:00Z", "grid_instruction", "{\"id\":\"r1\"}")
            + &line(2, "2026-05-03T00:00Z", "grid_instruction", "{\"id\":\"r2\"}");
        let given = line(7, "2026-05-01T02:00Z", "grid_instruction", grid)
            + "not a fact\n"
            + &line(8, "2026-05-02T00:00Z", "flex", "{\"id\":\"f\",\"tranche\":\"H1\"}")
            + &line(9, "2026-05-04T00:00Z", "grid_instruction", grid);
        let together = together(&racks, &given);
        let facts = Facts::read(&together).expect("one record");
        assert_eq!(facts.all().len(), 4);
        let order: Vec<Value> = together
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .map(|fact: Value| json!([fact["seq"], fact["source_seq"]]))
            .collect();
        // A flex event is the estate's to say.
        assert_eq!(json!(order), json!([[1, 1], [2, 7], [3, 2], [4, 9]]));
    }

    #[test]
    fn a_customer_reads_its_own_payments_and_nobody_elses() {
        let payment =
            |rest: &str| format!("{{\"amount\":\"5\",\"currency\":\"USD\"{rest}}}");
        let theirs = [
            ",\"for\":\"prepayment:H1\"",
            ",\"for\":\"RED-2026-05\"",
            ",\"contract\":\"RED\"",
            ",\"contract\":\"RED\",\"for\":\"prepayment:H1\"",
        ];
        let others = [
            "",
            ",\"for\":\"prepayment:H2\"",
            ",\"for\":\"BLUE-2026-05\"",
            ",\"contract\":\"BLUE\",\"for\":\"prepayment:H1\"",
        ];
        let known = "2026-05-02T00:00Z";
        for (rest, count) in
            theirs.map(|one| (one, 1)).into_iter().chain(others.map(|one| (one, 0)))
        {
            let given = line(1, known, "payment", &payment(rest));
            assert_eq!(left(&red(), &given).len(), count, "{rest}");
        }
    }

    /// Of 900 Wh at the main meter, 500 are its own and 300 of two others; a later
    /// reading of one of those makes it 340.
    #[test]
    fn of_other_meters_a_customer_reads_the_sum() {
        let known = "2026-05-02T00:00Z";
        let reading = |seq, meter: &str, wh: i64, owner: &str| {
            let body = format!("{{\"meter\":\"{meter}\",\"wh\":{wh}{owner}}}");
            line(seq, known, "meter_interval", &body)
        };
        let given = reading(1, "main", 900, "")
            + &reading(2, "m1", 500, ",\"tranche\":\"H1\"")
            + &reading(3, "m2", 200, ",\"tranche\":\"H7\"")
            + &reading(4, "m3", 100, "")
            + &reading(5, "m2", 240, ",\"tranche\":\"H7\"");
        let found: Vec<Value> =
            left(&red(), &given).iter().map(|fact| fact["body"].clone()).collect();
        let expected = json!([
            { "meter": "main", "wh": 900 },
            { "meter": "m1", "wh": 500, "tranche": "H1" },
            { "meter": "others", "wh": 200 },
            { "meter": "others", "wh": 300 },
            { "meter": "others", "wh": 340 },
        ]);
        assert_eq!(json!(found), expected);
        // Without power passed through, readings are none of its business.
        let fixed = vec![Whose { power: false, ..red().remove(0) }];
        assert!(left(&fixed, &given).is_empty());
    }

    #[test]
    fn an_approval_is_read_where_what_it_approves_is() {
        let known = "2026-05-02T00:00Z";
        let given =
            line(1, known, "claim", "{\"tranche\":\"H1\",\"period\":\"2026-04\"}")
                + &line(2, known, "claim", "{\"tranche\":\"H2\",\"period\":\"2026-04\"}")
                + &line(
                    3,
                    known,
                    "approval",
                    "{\"approves\":\"quarantine:ops/1\",\"by\":\"a\"}",
                )
                + &line(
                    4,
                    known,
                    "approval",
                    "{\"approves\":\"discard:ops/2\",\"by\":\"a\"}",
                );
        let numbers: Vec<_> = left(&red(), &given)
            .iter()
            .map(|fact| fact["seq"].as_u64().expect("a number"))
            .collect();
        assert_eq!(numbers, [1, 3]);
    }
}
