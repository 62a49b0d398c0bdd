//! Contracts and what happened under them, drawn from a seed.
//!
//! A [`Tenancy`] is what a settlement is given, as text, so that the readers are
//! exercised too: the files of a contract's versions and the record of facts.
//! [`Tenancy::draw`] draws small ones in which every term and every fault of a
//! record comes up over many seeds; [`Tenancy::large`] draws the record of a large
//! contract as a site would leave it.
//!
//! ```
//! let tenancy = sim::tenancy::Tenancy::draw(7);
//! assert!(!tenancy.versions().all().is_empty());
//! assert!(!tenancy.facts().all().is_empty());
//! ```
//!
//! Invariant: the same seed gives the same text on every machine.

mod faults;
mod happenings;
mod large;
mod log;
mod signed;
mod term;

pub use large::Scale;
pub use term::{Pace, term};

use settle::contract::{Contract, Versions};
use settle::facts::Facts;
use units::Timestamp;

/// Contract files and a record, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenancy {
    /// The files of the contract's versions, the first first.
    pub contracts: Vec<String>,
    /// The record, one fact a line.
    pub facts: String,
    /// An instant by which everything in the record is known.
    pub as_of: Timestamp,
}

impl Tenancy {
    /// A small contract and its record; mostly well formed, with a share of every
    /// fault a record can have.
    pub fn draw(seed: u64) -> Self {
        let signed = signed::Signed::draw(seed);
        let mut log = log::Log::default();
        happenings::happen(seed, &signed, &mut log);
        faults::spoil(seed, &signed, &mut log);
        let as_of = log.last_known().max(signed.end()) + 40 * log::DAY;
        Self {
            contracts: signed.versions(),
            facts: log.text(),
            as_of: Timestamp::from_unix_seconds(as_of),
        }
    }

    /// A large contract and the record its site leaves.
    pub fn large(seed: u64, scale: Scale) -> Self {
        large::draw(seed, scale)
    }

    /// The versions as the reader reads them.
    ///
    /// # Panics
    /// When the reader refuses what was drawn: one of the two is wrong.
    pub fn versions(&self) -> Versions {
        let read = |text: &String| {
            Contract::read(text).unwrap_or_else(|problems| {
                panic!("a drawn contract is read:\n{problems}\n{text}")
            })
        };
        let contracts = self.contracts.iter().map(read).collect();
        Versions::chain(contracts)
            .unwrap_or_else(|problems| panic!("drawn versions form a chain:\n{problems}"))
    }

    /// The record as the reader reads it.
    ///
    /// # Panics
    /// When the reader refuses what was drawn: one of the two is wrong.
    pub fn facts(&self) -> Facts {
        Facts::read(&self.facts)
            .unwrap_or_else(|problems| panic!("a drawn record is read:\n{problems}"))
    }
}
