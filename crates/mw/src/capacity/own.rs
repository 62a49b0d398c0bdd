//! What a tenant calls its own: names and numbers from which nothing of others follows.
//!
//! The site numbers blocks, incidents and facts through, and its record holds those
//! numbers. A tenant that read them could count what others reserve and how often they
//! fail. So a tenant reads numbers of its own, counted over what is its alone: block `b7`
//! of the site may be its `b-0`, incident `I12` its `I-1`. They are as stable as the
//! site's, because nothing is ever taken out of either. The dash tells the two apart, so
//! that a name that was translated already stays as it is.

use std::collections::BTreeMap;

use engine::capacity::{BlockNo, Estate, News};
use serde_json::Value;

/// The names and numbers that one tenant has for what is its.
#[derive(Clone, Debug)]
pub struct Own<'e> {
    estate: &'e Estate,
    /// Its blocks, in order.
    blocks: Vec<BlockNo>,
    /// The names of its incidents, in order.
    incidents: Vec<&'e str>,
}

impl<'e> Own<'e> {
    /// Counts what is a tenant's.
    pub fn of(estate: &'e Estate, tenant: &str) -> Self {
        let blocks = (0..).map(BlockNo).zip(estate.blocks());
        let blocks = blocks.filter(|(_, block)| block.tenant == tenant);
        let incidents = estate.incidents().iter().filter(|one| one.tenant == tenant);
        Self {
            estate,
            blocks: blocks.map(|(number, _)| number).collect(),
            incidents: incidents.map(|one| one.id.as_str()).collect(),
        }
    }

    /// Its number for a block of its; one that is not there yet is its next.
    pub fn block(&self, block: BlockNo) -> u32 {
        let there = u32::try_from(self.estate.blocks().len()).unwrap_or(u32::MAX);
        let before = self.blocks.partition_point(|one| *one < block);
        let before = u32::try_from(before).unwrap_or(u32::MAX);
        before.saturating_add(block.0.saturating_sub(there))
    }

    /// The block that it has a number for.
    pub fn block_of(&self, number: u32) -> Option<BlockNo> {
        self.blocks.get(number as usize).copied()
    }

    /// The seat that it has a name for.
    pub fn seat_of(&self, name: &str) -> Option<(BlockNo, u8)> {
        let (_, number) = name.rsplit_once("/b-")?;
        let (block, seat) = number.split_once('.')?;
        let block = self.block_of(block.parse().ok()?)?;
        let seat: u8 = seat.parse().ok()?;
        let inside = usize::from(seat) < self.estate.block(block)?.seats.len();
        let of_site = inside.then(|| self.estate.seat_name(block, usize::from(seat)))?;
        (self.named(&of_site) == name).then_some((block, seat))
    }

    /// What it calls something that the site has a name for: a seat, an incident, a
    /// request to return a block. Any other name is everybody's.
    pub fn named(&self, name: &str) -> String {
        if let Some((of, number)) = name.rsplit_once("/b")
            && let Some((block, seat)) = number.split_once('.')
            && let (Ok(block), Ok(_)) = (block.parse(), seat.parse::<u8>())
        {
            return format!("{of}/b-{}.{seat}", self.block(BlockNo(block)));
        }
        if let Some(place) = self.incidents.iter().position(|id| *id == name) {
            return format!("I-{}", place + 1);
        }
        let returned = name.strip_prefix("return/b").map(str::parse);
        match returned {
            Some(Ok(block)) => format!("return/b-{}", self.block(BlockNo(block))),
            Some(Err(_)) | None => name.to_owned(),
        }
    }

    /// What it hears, under its own names.
    pub fn news(&self, news: &News) -> News {
        let all = |names: &[String]| names.iter().map(|name| self.named(name)).collect();
        match news {
            News::Block { block, is } => {
                News::Block { block: BlockNo(self.block(*block)), is: *is }
            }
            News::Seat { seat, slot, serial, phase } => News::Seat {
                seat: self.named(seat),
                slot: slot.clone(),
                serial: serial.clone(),
                phase: *phase,
            },
            News::Counted { seats, counted, since, reference } => News::Counted {
                seats: all(seats),
                counted: *counted,
                since: *since,
                reference: reference.as_ref().map(|name| self.named(name)),
            },
            News::Window { id, during, seats, emergency, done } => News::Window {
                id: id.clone(),
                during: *during,
                seats: all(seats),
                emergency: *emergency,
                done: *done,
            },
            News::Cancelled { id, seats } => {
                News::Cancelled { id: id.clone(), seats: all(seats) }
            }
            News::Flex { .. } => news.clone(),
            News::Incident { id, class } => {
                News::Incident { id: self.named(id), class: *class }
            }
        }
    }

    /// Whether the estate knows what it hears of.
    pub fn knows(&self, news: &News) -> bool {
        let knows = |id: &str| !id.starts_with('I') || self.incidents.contains(&id);
        match news {
            News::Block { block, .. } => self.blocks.contains(block),
            News::Counted { reference: Some(id), .. } => knows(id),
            News::Incident { id, .. } => knows(id),
            News::Counted { .. }
            | News::Seat { .. }
            | News::Window { .. }
            | News::Cancelled { .. }
            | News::Flex { .. } => true,
        }
    }

    /// The facts of a tenant's part of the record under its own names and numbers.
    ///
    /// Those of the racks are numbered from 1, one after the other, so that the tenant
    /// sees that none is missing; what an approval says of them follows.
    pub fn facts(&self, facts: &mut [Value]) {
        let mut numbers: BTreeMap<String, String> = BTreeMap::new();
        for fact in facts.iter_mut().filter(|fact| fact["source"] == "capacity") {
            let number = numbers.len() + 1;
            let before = format!("capacity/{}", fact["source_seq"]);
            numbers.insert(before, format!("capacity/{number}"));
            fact["source_seq"] = number.into();
        }
        for (seq, fact) in (1_u64..).zip(facts) {
            fact["seq"] = seq.into();
            let of_approval = (fact["kind"] == "approval").then_some(&numbers);
            self.rename(&mut fact["body"], false, of_approval);
        }
    }

    fn rename(
        &self,
        value: &mut Value,
        is_name: bool,
        numbers: Option<&BTreeMap<String, String>>,
    ) {
        match value {
            Value::String(text) if is_name => *text = self.named(text),
            Value::String(text) => {
                if let Some(own) = numbers.and_then(|numbers| numbers.get(text)) {
                    text.clone_from(own);
                }
            }
            Value::Array(all) => {
                all.iter_mut().for_each(|one| self.rename(one, is_name, numbers));
            }
            Value::Object(all) => {
                for (key, one) in all {
                    let names = matches!(
                        key.as_str(),
                        "unit" | "units" | "replaces" | "ref" | "incident"
                    );
                    self.rename(one, names, numbers);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::capacity::{Block, RackNo, TrancheOf};
    use serde_json::json;
    use units::Timestamp;

    use super::*;

    /// Blocks of red, blue and red again.
    fn estate() -> Estate {
        let block = |tenant: &str| Block {
            tenant: tenant.to_owned(),
            tranche: TrancheOf { contract: "CAP".to_owned(), tranche: "H1".to_owned() },
            rack: RackNo(0),
            seats: vec![None, None],
            reserved: Timestamp::from_unix_seconds(0),
            accepted: None,
            handed_over: None,
            returned: None,
        };
        let mut value = serde_json::to_value(Estate::default()).expect("an estate");
        value["blocks"] = json!([block("red"), block("blue"), block("red")]);
        value["meters"] = json!([[], [], []]);
        value["racks"] = json!([{
            "name": "R1", "shape": 0, "hall": "A", "due": null, "meant_for": null,
            "first": 0, "trays": 18, "shows": null, "failures": 0,
        }]);
        serde_json::from_value(value).expect("an estate")
    }

    #[test]
    fn a_tenants_numbers_are_of_its_own_alone_and_name_what_they_named() {
        let estate = estate();
        let (red, blue) = (Own::of(&estate, "red"), Own::of(&estate, "blue"));
        assert_eq!(red.named("H1/R1/b2.01"), "H1/R1/b-1.01");
        assert_eq!(blue.named("H1/R1/b1.00"), "H1/R1/b-0.00");
        assert_eq!(red.seat_of("H1/R1/b-1.01"), Some((BlockNo(2), 1)));
        for other in ["H1/R1/b2.01", "H1/R1/b-2.01", "H1/R1/b-1.02", "H2/R1/b-1.01"] {
            assert_eq!(red.seat_of(other), None, "{other}");
        }
        // What was translated stays, and what is everybody's too.
        for name in ["H1/R1/b-1.01", "fw", "power-cycle/R1.t00/12"] {
            assert_eq!(red.named(name), name);
        }
        assert_eq!(red.named("return/b2"), "return/b-1");
        // A block that would come next is the next of its own.
        assert_eq!((red.block(BlockNo(3)), blue.block(BlockNo(4))), (2, 2));
    }

    #[test]
    fn a_tenants_facts_are_numbered_through() {
        let estate = estate();
        let mut facts = [
            json!({"seq": 7, "source": "capacity", "source_seq": 7, "kind": "unit_state",
                "body": {"units": ["H1/R1/b2.00"], "state": "down", "ref": "I9"}}),
            json!({"seq": 8, "source": "ops", "source_seq": 3, "kind": "approval",
                "body": {"of": "capacity/7", "by": "ada"}}),
            json!({"seq": 12, "source": "capacity", "source_seq": 11, "kind": "acceptance",
                "body": {"units": [{"unit": "H1/R1/b0.01", "gpus": 4, "domain": "R1"}],
                    "replaces": ["H1/R1/b2.00"]}}),
        ];
        Own::of(&estate, "red").facts(&mut facts);
        let numbers = facts.iter().map(|fact| (&fact["seq"], &fact["source_seq"]));
        let numbers: Vec<String> =
            numbers.map(|(seq, of_source)| format!("{seq} {of_source}")).collect();
        assert_eq!(numbers, ["1 1", "2 3", "3 2"]);
        assert_eq!(facts[0]["body"]["units"], json!(["H1/R1/b-1.00"]));
        assert_eq!(facts[1]["body"]["of"], "capacity/1");
        assert_eq!(facts[2]["body"]["units"][0]["unit"], "H1/R1/b-0.01");
        assert_eq!(facts[2]["body"]["replaces"], json!(["H1/R1/b-1.00"]));
    }
}
