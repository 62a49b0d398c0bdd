//! Documents from draft to issue: who did what, in an order that cannot be undone.
//!
//! A [`Register`] folds [`Event`]s. A draft is approved by a second person and then
//! issued; what was issued is never edited, it is disputed and corrected by a later
//! document that refers to it. Numbers have no gaps, because a number is drafted only
//! when the one before it was issued, and a draft that was withdrawn leaves its number
//! to the next draft.
//!
//! ```text
//! draft -> approved -> issued -> disputed -> corrected by another, or dismissed
//!   |         |
//!   +---------+--> withdrawn: the number is free again
//! ```
//!
//! The register is pure: whoever keeps it writes one event, or finds that another
//! was written first and asks again. What is refused changes nothing.
//!
//! Invariant: events are chained; each names the hash of all before it.

use crate::calendar::Period;
use crate::contract::Hash;
use crate::statement::Statement;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use units::Timestamp;

/// Something that was done to a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Its place, from 1, without gaps.
    pub place: u64,
    /// When it was done.
    pub at: String,
    /// By whom.
    pub by: String,
    /// The document's number.
    pub number: String,
    /// What was done.
    pub step: Step,
    /// The chain over the events before it.
    pub prev_sha256: Hash,
}

/// What can be done to a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// It was drafted.
    Draft {
        /// The hash of its bytes.
        sha256: Hash,
        /// The contract it settles.
        contract: String,
        /// The month it settles.
        period: Period,
        /// The documents it corrects.
        corrects: Vec<String>,
    },
    /// A second person approved it.
    Approve {
        /// The hash of what was seen.
        sha256: Hash,
    },
    /// It was sent to the customer.
    Issue,
    /// It was taken back before it was issued.
    Withdraw {
        /// Why.
        why: String,
    },
    /// It is said to be wrong.
    Dispute {
        /// Why.
        why: String,
    },
    /// A dispute ended without a correction.
    Dismiss {
        /// Why.
        why: String,
    },
}

/// Where a document is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Drafted by one person.
    Draft {
        /// Who drafted it.
        by: String,
    },
    /// Approved by a second.
    Approved {
        /// Who drafted it.
        drafted: String,
        /// Who approved it.
        approved: String,
        /// When.
        at: String,
    },
    /// With the customer.
    Issued,
    /// With the customer, and said to be wrong.
    Disputed {
        /// Why.
        why: String,
    },
    /// Disputed, and corrected by another document.
    Corrected {
        /// The document that corrects it.
        by: String,
    },
    /// Taken back before it was issued.
    Withdrawn,
}

/// A document and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its number.
    pub number: String,
    /// The contract it settles.
    pub contract: String,
    /// The month it settles.
    pub period: Period,
    /// The hash of its bytes.
    pub sha256: Hash,
    /// The documents it corrects.
    pub corrects: Vec<String>,
    /// Where it is.
    pub state: State,
}

/// Every document, as the events so far leave it.
#[derive(Clone, Debug)]
pub struct Register {
    documents: Vec<Document>,
    /// The last document of each number, by place.
    of_number: BTreeMap<String, usize>,
    /// How many of each contract were issued.
    issued: BTreeMap<String, u64>,
    events: u64,
    chain: Hash,
}

/// Why an event changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The event is not the next one, or does not follow from those before it.
    #[error("expected event {expected} that follows {chain}, found event {found}")]
    OutOfPlace {
        /// The place the next event has.
        expected: u64,
        /// The place it has.
        found: u64,
        /// The chain it has to follow.
        chain: Hash,
    },
    /// There is no such document.
    #[error("expected the number of a document in the register, found {0}")]
    Unknown(String),
    /// The number is not the next of its contract.
    #[error("expected {expected}, the next number of its contract, found {found}")]
    NotNext {
        /// The next number.
        expected: String,
        /// The number found.
        found: String,
    },
    /// A document of that number is on its way already.
    #[error("{number} is {state} already; withdraw it first, or carry on with it")]
    Taken {
        /// The number.
        number: String,
        /// Where it is.
        state: String,
    },
    /// Two pairs of eyes are needed.
    #[error("{number} was drafted by {by}: expected a second person to approve it")]
    SamePerson {
        /// The number.
        number: String,
        /// Who drafted it.
        by: String,
    },
    /// What was seen is not what was drafted.
    #[error("{number} is {drafted}: expected an approval of that, found one of {seen}")]
    OtherContent {
        /// The number.
        number: String,
        /// The hash of what was drafted.
        drafted: Hash,
        /// The hash of what was seen.
        seen: Hash,
    },
    /// It is not where the step begins.
    #[error("{number} is {state}: expected it to be {expected} first")]
    NotThere {
        /// The number.
        number: String,
        /// Where it is.
        state: String,
        /// Where it would have to be.
        expected: &'static str,
    },
    /// Nobody did it.
    #[error("expected the name of the person who does it, found none")]
    Nobody,
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Draft { by } => write!(f, "a draft by {by}"),
            Self::Approved { approved, at, .. } => {
                write!(f, "approved by {approved} at {at}")
            }
            Self::Issued => f.write_str("issued"),
            Self::Disputed { why } => write!(f, "disputed: {why}"),
            Self::Corrected { by } => write!(f, "corrected by {by}"),
            Self::Withdrawn => f.write_str("withdrawn"),
        }
    }
}

impl State {
    /// Whether the customer has it.
    pub const fn is_out(&self) -> bool {
        match self {
            Self::Issued | Self::Disputed { .. } | Self::Corrected { .. } => true,
            Self::Draft { .. } | Self::Approved { .. } | Self::Withdrawn => false,
        }
    }
}

impl Event {
    /// The event's bytes, as they are kept and hashed.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("an event is text and numbers")
    }
}

impl Step {
    /// The draft of a statement.
    pub fn draft(statement: &Statement, bytes: &[u8]) -> Self {
        let corrections = statement.lines.iter().filter_map(|line| {
            line.correction.as_ref().and_then(|correction| correction.reference.clone())
        });
        let corrects: BTreeSet<String> = corrections.collect();
        Self::Draft {
            sha256: Hash::of(bytes),
            contract: statement.contract.clone(),
            period: statement.period,
            corrects: corrects.into_iter().collect(),
        }
    }
}

impl Default for Register {
    fn default() -> Self {
        Self {
            documents: Vec::new(),
            of_number: BTreeMap::new(),
            issued: BTreeMap::new(),
            events: 0,
            chain: Hash::start(),
        }
    }
}

impl Register {
    /// The documents, in the order they were drafted.
    pub fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// The document of a number; of several drafts of it the last.
    pub fn document(&self, number: &str) -> Option<&Document> {
        self.of_number.get(number).map(|place| &self.documents[*place])
    }

    /// The documents of a contract that the customer has, in order.
    pub fn issued<'r>(&'r self, contract: &'r str) -> impl Iterator<Item = &'r Document> {
        let of = self.documents.iter().filter(move |one| one.contract == contract);
        of.filter(|one| one.state.is_out())
    }

    /// The next event, done by `by`.
    pub fn event(&self, at: Timestamp, by: &str, number: &str, step: Step) -> Event {
        Event {
            place: self.events + 1,
            at: at.to_string(),
            by: by.to_owned(),
            number: number.to_owned(),
            step,
            prev_sha256: self.chain,
        }
    }

    /// Takes an event in.
    ///
    /// # Errors
    /// Why it is refused; nothing is changed then.
    pub fn take(&mut self, event: &Event) -> Result<(), Refusal> {
        if event.place != self.events + 1 || event.prev_sha256 != self.chain {
            return Err(Refusal::OutOfPlace {
                expected: self.events + 1,
                found: event.place,
                chain: self.chain,
            });
        }
        if event.by.trim().is_empty() {
            return Err(Refusal::Nobody);
        }
        match &event.step {
            Step::Draft { sha256, contract, period, corrects } => {
                self.may_draft(&event.number, contract)?;
                self.of_number.insert(event.number.clone(), self.documents.len());
                self.documents.push(Document {
                    number: event.number.clone(),
                    contract: contract.clone(),
                    period: *period,
                    sha256: *sha256,
                    corrects: corrects.clone(),
                    state: State::Draft { by: event.by.clone() },
                });
            }
            step @ (Step::Approve { .. }
            | Step::Issue
            | Step::Withdraw { .. }
            | Step::Dispute { .. }
            | Step::Dismiss { .. }) => {
                let state = self.next(event, step)?;
                let place = self.of_number[&event.number];
                if state == State::Issued && !self.documents[place].state.is_out() {
                    let contract = self.documents[place].contract.clone();
                    *self.issued.entry(contract).or_default() += 1;
                    self.correct(place);
                }
                self.documents[place].state = state;
            }
        }
        self.events += 1;
        self.chain = self.chain.chained(event.to_json().as_bytes());
        Ok(())
    }

    fn may_draft(&self, number: &str, contract: &str) -> Result<(), Refusal> {
        if let Some(known) = self.document(number)
            && known.state != State::Withdrawn
        {
            let state = known.state.to_string();
            return Err(Refusal::Taken { number: number.to_owned(), state });
        }
        let issued = self.issued.get(contract).copied().unwrap_or_default();
        let expected = format!("{contract}-{:04}", issued + 1);
        if number != expected {
            return Err(Refusal::NotNext { expected, found: number.to_owned() });
        }
        Ok(())
    }

    /// Where a step leads.
    fn next(&self, event: &Event, step: &Step) -> Result<State, Refusal> {
        let number = event.number.clone();
        let Some(document) = self.document(&number) else {
            return Err(Refusal::Unknown(number));
        };
        let state = &document.state;
        let not_there = |expected| {
            let (number, state) = (number.clone(), state.to_string());
            Err(Refusal::NotThere { number, state, expected })
        };
        match (step, state) {
            (Step::Draft { .. }, _) => unreachable!("a draft makes its own document"),
            (Step::Approve { sha256 }, State::Draft { by }) => {
                if *by == event.by {
                    return Err(Refusal::SamePerson { number, by: by.clone() });
                }
                if *sha256 != document.sha256 {
                    let (drafted, seen) = (document.sha256, *sha256);
                    return Err(Refusal::OtherContent { number, drafted, seen });
                }
                Ok(State::Approved {
                    drafted: by.clone(),
                    approved: event.by.clone(),
                    at: event.at.clone(),
                })
            }
            (Step::Approve { .. }, _) => not_there("a draft"),
            (Step::Issue, State::Approved { .. }) => Ok(State::Issued),
            (Step::Issue, _) => not_there("approved"),
            (Step::Withdraw { .. }, State::Draft { .. } | State::Approved { .. }) => {
                Ok(State::Withdrawn)
            }
            (Step::Withdraw { .. }, _) => not_there("a draft or approved"),
            (Step::Dispute { why }, State::Issued | State::Corrected { .. }) => {
                Ok(State::Disputed { why: why.clone() })
            }
            (Step::Dispute { .. }, _) => not_there("issued"),
            (Step::Dismiss { .. }, State::Disputed { .. }) => Ok(State::Issued),
            (Step::Dismiss { .. }, _) => not_there("disputed"),
        }
    }

    /// The disputed documents that a document just issued corrects.
    fn correct(&mut self, place: usize) {
        let document = &self.documents[place];
        let (number, corrects) = (document.number.clone(), document.corrects.clone());
        for corrected in corrects {
            let Some(found) = self.of_number.get(&corrected).copied() else { continue };
            let found = &mut self.documents[found];
            if matches!(found.state, State::Disputed { .. }) {
                found.state = State::Corrected { by: number.clone() };
            }
        }
    }

    /// What is wrong with the numbers of what was issued, in words: I10.
    pub fn gaps(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (contract, count) in &self.issued {
            let numbers: Vec<&str> =
                self.issued(contract).map(|one| one.number.as_str()).collect();
            let expected: Vec<String> =
                (1..=*count).map(|number| format!("{contract}-{number:04}")).collect();
            if numbers != expected {
                found.push(format!(
                    "expected {} to {} of {contract} once each, found {}",
                    expected.first().map_or("", String::as_str),
                    expected.last().map_or("", String::as_str),
                    numbers.join(", ")
                ));
            }
        }
        found
    }
}
