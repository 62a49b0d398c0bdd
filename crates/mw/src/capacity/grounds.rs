//! What accepted capacity rests on: evidence that is kept and judged again, or
//! somebody's word.
//!
//! The record names evidence by its hash; the file of that hash has to be there, be
//! signed, lead to its verdict again, and say of a machine in a seat that it passed. A
//! lender is told which of a tranche's GPUs that holds for, and who vouches for the
//! others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use adapters::acceptance::{Bundle, Evidence};
use adapters::store::PublicKey;
use engine::capacity::{Actor, BlockNo, Body, Estate, Event, RackNo, TrancheOf, Tray};
use serde_json::{Value, json};
use settle::contract::Hash;
use units::Timestamp;

use super::judging::BUNDLES;

/// What somebody said of trays or a block, and what they went by.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Claim {
    by: Actor,
    at: Timestamp,
    on: On,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum On {
    /// Evidence of this hash.
    Evidence(Hash),
    /// Their own word.
    Word(String),
}

/// A verdict that the record has of a rack.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Said {
    at: Timestamp,
    rack: RackNo,
    slots: u64,
    passed: u64,
    evidence: Hash,
}

/// Everything of acceptance that a record says.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    /// The last word on each tray.
    tested: BTreeMap<(RackNo, u8), Claim>,
    accepted: BTreeMap<BlockNo, Claim>,
    verdicts: Vec<Said>,
}

impl Claims {
    /// Takes in an event that was not refused.
    pub fn take(&mut self, event: &Event) {
        let claim = |on: On| Claim { by: event.by.clone(), at: event.at, on };
        let body = &event.body;
        if let Body::Tested { rack, slots, passed, evidence } = body {
            let (rack, slots, passed, evidence) = (*rack, *slots, *passed, *evidence);
            self.verdicts.push(Said { at: event.at, rack, slots, passed, evidence });
            self.of_slots(rack, slots, &claim(On::Evidence(evidence)));
        } else if let Body::TestedByHand { rack, slots, why, .. } = body {
            self.of_slots(*rack, *slots, &claim(On::Word(why.clone())));
        } else if let Body::Accept { block, evidence } = body {
            self.accepted.insert(*block, claim(On::Evidence(*evidence)));
        } else if let Body::AcceptByHand { block, why } = body {
            self.accepted.insert(*block, claim(On::Word(why.clone())));
        }
    }

    fn of_slots(&mut self, rack: RackNo, slots: u64, claim: &Claim) {
        for slot in (0..64).filter(|slot| slots & (1 << slot) != 0) {
            self.tested.insert((rack, slot), claim.clone());
        }
    }

    /// Whether nothing was ever tested or accepted.
    pub fn is_empty(&self) -> bool {
        self.tested.is_empty() && self.accepted.is_empty()
    }
}

/// Evidence of one hash, as it was found in a folder.
///
/// # Errors
///
/// In words: that it is not there, or what is wrong with it.
pub fn evidence(folder: &Path, hash: &Hash) -> Result<(Evidence, PublicKey), String> {
    let path = folder.join(BUNDLES).join(format!("{hash}.json"));
    let text = std::fs::read_to_string(&path)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let wrong = |why: String| format!("{}: {why}", path.display());
    let bundle = Bundle::parse(&text).map_err(|error| wrong(error.to_string()))?;
    if bundle.hash() != *hash {
        return Err(wrong(format!("expected the evidence {hash}, found another")));
    }
    let key = bundle.key();
    let evidence = bundle.verify(&key).map_err(|error| wrong(error.to_string()))?;
    Ok((evidence, key))
}

/// Whether evidence says that a machine passed in a slot.
pub fn covers(evidence: &Evidence, rack: &str, tray: &Tray) -> bool {
    evidence.racks.iter().any(|judged| {
        let slot = judged.subject.slots.get(&tray.slot);
        judged.rack == rack
            && slot.is_some_and(|slot| slot.serial == tray.serial)
            && judged.verdict.passed & (1 << tray.slot) != 0
    })
}

/// What the live blocks of a tranche rest on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grounds {
    /// GPUs that evidence is kept for.
    pub on_evidence: u32,
    /// The evidence.
    pub bundles: BTreeSet<String>,
    /// GPUs that somebody vouches for.
    pub on_word: u32,
    /// Who, and what they said.
    pub words: BTreeSet<String>,
}

/// What all tranches rest on.
#[derive(Clone, Debug, Default)]
pub struct Rests {
    /// Each tranche.
    pub tranches: BTreeMap<TrancheOf, Grounds>,
    /// Who signed.
    pub keys: BTreeSet<String>,
    /// Evidence that says something else than the record does.
    pub wrong: Vec<String>,
}

/// What the accepted capacity of a record rests on, by the evidence in a folder. The
/// record has the hash of it all, so that whoever signed it said what it says then.
pub fn rests(estate: &Estate, claims: &Claims, folder: &Path) -> Rests {
    let mut rests = Rests::default();
    let mut kept: BTreeMap<Hash, Option<Evidence>> = BTreeMap::new();
    let named = claims.verdicts.iter().map(|said| said.evidence);
    let accepted = claims.accepted.values().filter_map(|claim| match claim.on {
        On::Evidence(hash) => Some(hash),
        On::Word(_) => None,
    });
    for hash in named.chain(accepted).collect::<BTreeSet<Hash>>() {
        let there = folder.join(BUNDLES).join(format!("{hash}.json")).exists();
        let found = match evidence(folder, &hash) {
            Ok((evidence, signer)) => {
                rests.keys.insert(signer.to_string());
                Some(evidence)
            }
            // What never was there is somebody's word; what is there has to be right.
            Err(why) => {
                if there {
                    rests.wrong.push(why);
                }
                None
            }
        };
        kept.insert(hash, found);
    }
    for said in &claims.verdicts {
        let Some(Some(evidence)) = kept.get(&said.evidence) else { continue };
        let name = &estate.rack(said.rack).name;
        let judged = evidence.racks.iter().find(|judged| judged.rack == *name);
        let same = judged.is_some_and(|judged| {
            judged.subject.bits() == said.slots && judged.verdict.passed == said.passed
        });
        if !same {
            rests.wrong.push(format!(
                "{name} at {}: the record says slots {:#x} of {:#x} passed, the evidence {} \
                 says otherwise",
                said.at, said.passed, said.slots, said.evidence
            ));
        }
    }
    for (number, block) in (0..).map(BlockNo).zip(estate.blocks()) {
        let Some(accepted) = claims.accepted.get(&number) else { continue };
        if !block.is_live() {
            continue;
        }
        let gpus = u32::from(estate.shape_of(block.rack).gpus_per_tray);
        let grounds = rests.tranches.entry(block.tranche.clone()).or_default();
        for tray in block.seats.iter().copied().flatten().map(|tray| estate.tray(tray)) {
            let rack = &estate.rack(tray.rack).name;
            let tested = claims.tested.get(&(tray.rack, tray.slot));
            match vouched(accepted, tested, &kept, rack, tray) {
                Ok(hash) => {
                    grounds.on_evidence += gpus;
                    grounds.bundles.insert(hash.to_string());
                }
                Err(word) => {
                    grounds.on_word += gpus;
                    grounds.words.insert(word);
                }
            }
        }
    }
    rests
}

/// The evidence that a machine in a seat rests on, or in words who vouches for it.
fn vouched(
    accepted: &Claim,
    tested: Option<&Claim>,
    kept: &BTreeMap<Hash, Option<Evidence>>,
    rack: &str,
    tray: &Tray,
) -> Result<Hash, String> {
    let evidence = |hash: &Hash| kept.get(hash).and_then(Option::as_ref);
    let words = |claim: &Claim, what: &str| match &claim.on {
        On::Word(why) => format!("{what} by hand by {} at {}: {why}", claim.by, claim.at),
        On::Evidence(hash) => format!(
            "{what} by {} at {}, naming evidence {hash} that is not kept for it",
            claim.by, claim.at
        ),
    };
    match &accepted.on {
        On::Evidence(hash) if evidence(hash).is_some() => {}
        On::Evidence(_) | On::Word(_) => return Err(words(accepted, "accepted")),
    }
    let Some(tested) = tested else {
        return Err(words(accepted, "accepted without a test"));
    };
    if let On::Evidence(hash) = &tested.on
        && evidence(hash).is_some_and(|found| covers(found, rack, tray))
    {
        return Ok(*hash);
    }
    Err(words(tested, "tested"))
}

impl Rests {
    /// A line for each tranche, and for each who vouches.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (tranche, grounds) in &self.tranches {
            lines.push(format!(
                "{}/{}: {} GPUs accepted on evidence that is kept and judged again, {} on \
                 somebody's word",
                tranche.contract, tranche.tranche, grounds.on_evidence, grounds.on_word
            ));
            lines.extend(grounds.words.iter().map(|word| format!("  {word}")));
        }
        lines.extend(self.keys.iter().map(|key| format!("evidence signed by {key}")));
        lines
    }

    /// The same as JSON.
    pub fn document(&self) -> Value {
        let tranches = self.tranches.iter().map(|(tranche, grounds)| {
            json!({
                "contract": tranche.contract,
                "tranche": tranche.tranche,
                "gpus_on_evidence": grounds.on_evidence,
                "evidence": grounds.bundles,
                "gpus_on_somebodys_word": grounds.on_word,
                "words": grounds.words,
            })
        });
        json!({
            "tranches": tranches.collect::<Vec<_>>(),
            "signed_by": self.keys,
            "wrong": self.wrong,
        })
    }
}
