//! A site's contracts over a run on a simulated site: what happens is written down,
//! and what is written down says what is at stake.

use engine::{MeteredInterval, Signal, Site};
use settle::contract::{Problems, Versions};
use settle::facts::Facts;
use units::{Interval, Timestamp};

use super::witness::{Moved, Witness};
use super::{Settled, Tenancy};
use crate::ledger::Row;

/// A site's contracts over a run, with who writes down what happens.
#[derive(Debug)]
pub struct OverRun {
    tenancy: Tenancy,
    witness: Witness,
    /// Everything known, as lines.
    record: String,
}

impl OverRun {
    /// The contracts of a site over `range`, after the facts given as lines.
    ///
    /// # Errors
    /// Every line that is no fact.
    pub fn new(
        site: &Site,
        contracts: &[Versions],
        given: &str,
        range: Interval,
    ) -> Result<Self, Problems> {
        let facts = Facts::read(given)?;
        let mut under = Self {
            tenancy: Tenancy::new(site, contracts, &facts),
            witness: Witness::new(site, contracts, &facts, range),
            record: given.to_owned(),
        };
        if !under.record.is_empty() && !under.record.ends_with('\n') {
            under.record.push('\n');
        }
        under.write_down();
        Ok(under)
    }

    fn write_down(&mut self) {
        let lines = self.witness.take();
        self.tenancy.append(&lines).expect("a witness writes facts");
        self.record.push_str(&lines);
    }

    /// What to hear before an interval that begins at `at`.
    pub(crate) fn signals(&mut self, at: Timestamp) -> Vec<Signal> {
        self.witness.begins(at);
        self.write_down();
        self.tenancy.signals(at)
    }

    /// An interval was carried out and metered.
    pub(crate) fn interval(
        &mut self,
        moved: Vec<Moved>,
        metered: &MeteredInterval,
        row: &Row,
    ) {
        for moved in moved {
            self.witness.moved(moved);
        }
        let price = row.settlement.map(|settlement| settlement.price);
        self.witness.metered(metered, price);
    }

    /// What was assumed of the time before the run, in words.
    pub fn assumed(&self) -> Option<String> {
        self.witness.assumed()
    }

    /// Everything known, as lines.
    pub fn record(&self) -> &str {
        &self.record
    }

    /// What the run came to under each contract.
    pub fn settle(&mut self, end: Timestamp) -> Vec<Settled> {
        self.witness.ends(end);
        self.write_down();
        self.tenancy.settle(end)
    }
}
