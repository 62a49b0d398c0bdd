//! Settling a month: contract, facts and what was issued in, a statement out.
//!
//! [`statement`] is a pure function of its arguments. [`Settlement`] gives the
//! same statements and keeps what it has counted, so that a month more costs a
//! month's work; [`statements`] is every statement up to an instant, each from
//! the facts known at its own cut.
//!
//! Months are settled in order and each statement bills differences: what the
//! facts now say is owed for every month so far, less what was issued. A later
//! fact about an earlier month becomes a correction line on the next statement.
//!
//! Invariant: a statement that is held has no number and nothing of it is posted.
//! Invariant: what is owed for a month does not depend on when it is computed,
//! only on the facts known, unless the month is older than the restatement limit.

mod causes;
mod compose;
mod credits;
mod holds;
pub(crate) mod owed;
pub(crate) mod quantities;
mod verify;

pub use verify::differences;

use crate::calendar::Period;
use crate::contract::{Contract, Versions};
use crate::exact::Amount;
use crate::facts::intake::{Intake, Terms};
use crate::facts::{Body, Facts, Quarantined};
use crate::power::{self, PowerMonth};
use crate::statement::{LineKind, Statement};
use owed::{Amounts, Books, Owed};
use quantities::Quantities;
use std::collections::{BTreeMap, BTreeSet};
use units::Timestamp;

/// What is owed, by tranche, month and kind of line.
pub type OwedTable = BTreeMap<(String, Period, LineKind), Amount>;

/// Settles `period` from the facts known by `as_of` and the documents issued.
///
/// The statement is held, with its reasons, when nothing may be posted; it is
/// computed all the same.
pub fn statement(
    versions: &Versions,
    facts: &Facts,
    issued: &[Statement],
    period: Period,
    as_of: Timestamp,
) -> Statement {
    let mut kept = Kept::default();
    kept.advance(versions, facts, as_of, period);
    let mut documents = Documents::default();
    for statement in issued {
        documents.add(statement);
    }
    compose::statement(&kept, versions, facts, &documents, period, as_of)
}

/// Every statement whose cut is at or before `as_of`, from an empty file of
/// issued documents, each from the facts known at its cut.
///
/// A held statement is tried again each day on which facts came in; the last
/// statement is held when nothing released it by `as_of`, and none follows it.
pub fn statements(
    versions: &Versions,
    facts: &Facts,
    as_of: Timestamp,
) -> Vec<Statement> {
    let mut kept = Kept::default();
    let mut documents = Documents::default();
    let mut issued = Vec::new();
    kept.advance(versions, facts, as_of, versions.first().first_delivery().period());
    let mut period = kept.first_period(versions);
    // Facts are taken in as they became known, from the beginning.
    kept = Kept::default();
    let mut at = cut(versions.first(), period);
    let zone = &versions.first().zone;
    while at.max(cut(versions.first(), period)) <= as_of {
        at = at.max(cut(versions.first(), period));
        kept.advance(versions, facts, at, period);
        let made = compose::statement(&kept, versions, facts, &documents, period, at);
        if !made.is_held() {
            documents.add(&made);
            issued.push(made);
            period = period.next();
            continue;
        }
        // The next midnight after which something more is known.
        let next = facts.all().get(facts.known_by(at).len());
        let known = next.map(|fact| fact.known_at).filter(|known| *known <= as_of);
        let Some(known) = known else {
            kept.advance(versions, facts, as_of, period);
            let held =
                compose::statement(&kept, versions, facts, &documents, period, as_of);
            issued.push(held);
            break;
        };
        at = zone.midnight(zone.date(known).plus_days(1)).min(as_of);
    }
    issued
}

/// The instant at which the facts of `period` are cut off: its end and the days
/// of grace of the version that settles it.
pub fn cut(contract: &Contract, period: Period) -> Timestamp {
    let first_day = period.next().first_day();
    contract.zone.midnight(first_day.plus_days(contract.billing.grace_days))
}

/// A settlement that keeps what it has counted.
#[derive(Clone, Debug)]
pub struct Settlement {
    versions: Versions,
    facts: Facts,
    kept: Kept,
    documents: Documents,
}

impl Settlement {
    /// A settlement without issued documents.
    pub fn new(versions: Versions, facts: Facts) -> Self {
        Self { versions, facts, kept: Kept::default(), documents: Documents::default() }
    }

    /// The versions settled by.
    pub fn versions(&self) -> &Versions {
        &self.versions
    }

    /// The facts settled from; append to them as they become known.
    pub fn facts_mut(&mut self) -> &mut Facts {
        &mut self.facts
    }

    /// The facts settled from.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Replaces the chain of versions, when an amendment was signed.
    pub fn amend(&mut self, versions: Versions) {
        self.versions = versions;
        self.kept = Kept::default();
    }

    /// Notes that a statement was issued; held ones are not.
    pub fn issue(&mut self, statement: &Statement) {
        self.documents.add(statement);
    }

    /// Settles `period` from the facts known by `as_of`: the same as
    /// [`statement`], in the time that the new facts take.
    pub fn statement(&mut self, period: Period, as_of: Timestamp) -> Statement {
        self.kept.advance(&self.versions, &self.facts, as_of, period);
        compose::statement(
            &self.kept,
            &self.versions,
            &self.facts,
            &self.documents,
            period,
            as_of,
        )
    }

    /// The statement of `period` as far as it went by `as_of`, which lies within it: what
    /// was counted by then, as if service ended there. It is held, as its month is.
    pub fn so_far(&self, period: Period, as_of: Timestamp) -> Statement {
        let mut kept =
            Kept { quantities: Quantities::until(Some(as_of)), ..Kept::default() };
        kept.advance(&self.versions, &self.facts, as_of, period);
        compose::statement(
            &kept,
            &self.versions,
            &self.facts,
            &self.documents,
            period,
            as_of,
        )
    }

    /// What was counted from the facts known by `as_of`.
    pub(crate) fn advanced(
        &mut self,
        as_of: Timestamp,
        period: Period,
    ) -> (&Kept, &Versions) {
        self.kept.advance(&self.versions, &self.facts, as_of, period);
        (&self.kept, &self.versions)
    }

    /// What is owed for every month up to `period` by the facts known by `as_of`,
    /// whatever was issued.
    pub fn owed(&mut self, period: Period, as_of: Timestamp) -> OwedTable {
        self.kept.advance(&self.versions, &self.facts, as_of, period);
        let nothing = Documents::default();
        let books = self.kept.books(&self.versions, &nothing);
        let places = self.versions.first().currency.places;
        let mut table = OwedTable::new();
        for (tranche, months) in self.kept.owed(&books, period) {
            for month in months {
                for kind in LineKind::ALL {
                    let minor = month.amounts[owed::at(kind)];
                    if minor != 0 {
                        let id = self.kept.intake.record.tranches[tranche].id.clone();
                        let key = (id, books.period(month.place), kind);
                        table.insert(key, Amount::from_minor(minor, places));
                    }
                }
            }
        }
        table
    }

    /// The facts set aside of those known by `as_of`.
    pub fn quarantined(&mut self, as_of: Timestamp) -> Vec<Quarantined> {
        let period = self.versions.first().zone.period(as_of);
        self.kept.advance(&self.versions, &self.facts, as_of, period);
        self.kept.intake.quarantined.values().cloned().collect()
    }

    /// How many facts known by `as_of` said again what was known.
    pub fn duplicates(&mut self, as_of: Timestamp) -> u64 {
        let period = self.versions.first().zone.period(as_of);
        self.kept.advance(&self.versions, &self.facts, as_of, period);
        self.kept.intake.duplicates
    }
}

/// The documents issued, arranged for differences.
#[derive(Clone, Debug, Default)]
pub(crate) struct Documents {
    pub(crate) amounts: BTreeMap<(String, Period), Amounts>,
    /// The number of the document that first billed a tranche's month.
    pub(crate) first_billed: BTreeMap<(String, Period), String>,
    /// The number of a month's first statement.
    pub(crate) of_period: BTreeMap<Period, String>,
    pub(crate) periods: BTreeSet<Period>,
    pub(crate) count: usize,
    pub(crate) revisions: BTreeMap<Period, u32>,
    pub(crate) last: Option<Last>,
}

/// What the next document needs of the last.
#[derive(Clone, Debug)]
pub(crate) struct Last {
    pub(crate) period: Period,
    pub(crate) carried_out: i64,
    pub(crate) last_seq: Option<u64>,
}

impl Documents {
    fn add(&mut self, statement: &Statement) {
        let Some(number) = &statement.number else { return };
        for line in &statement.lines {
            let key = (line.tranche.clone(), line.service);
            let amounts = self.amounts.entry(key.clone()).or_default();
            amounts[owed::at(line.kind)] += line.amount.as_minor();
            self.first_billed.entry(key).or_insert_with(|| number.clone());
        }
        self.of_period.entry(statement.period).or_insert_with(|| number.clone());
        self.periods.insert(statement.period);
        self.count += 1;
        *self.revisions.entry(statement.period).or_default() += 1;
        self.last = Some(Last {
            period: statement.period,
            carried_out: statement.carried_out.as_minor(),
            last_seq: statement.facts.last,
        });
    }
}

/// What was counted so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    pub(crate) intake: Intake,
    pub(crate) quantities: Quantities,
    pub(crate) power: BTreeMap<String, BTreeMap<usize, PowerMonth>>,
    /// How many versions are known.
    pub(crate) known: usize,
}

impl Kept {
    /// Nothing taken in yet.
    fn anew(&self, known: usize) -> Self {
        Self { known, quantities: self.quantities.anew(), ..Self::default() }
    }

    /// Takes in the facts known by `as_of` and counts what they change, with
    /// room for `until`.
    pub(crate) fn advance(
        &mut self,
        versions: &Versions,
        facts: &Facts,
        as_of: Timestamp,
        until: Period,
    ) {
        let prefix = facts.known_by(as_of);
        let known = known_versions(versions, facts, as_of);
        if known != self.known || prefix.len() < self.intake.taken {
            *self = self.anew(known);
        }
        let terms = Terms { versions: &versions.all()[..known] };
        if !self.intake.take(terms, prefix) {
            *self = self.anew(known);
            assert!(self.intake.take(terms, prefix), "a fresh intake takes everything");
        }
        let record = &mut self.intake.record;
        for tranche in terms.versions.iter().flat_map(|contract| &contract.tranches) {
            record.tranche(&tranche.id);
        }
        self.quantities.refresh(record, versions, known, until);
        if record.touched.power {
            record.touched.power = false;
            let first = self.quantities.months.first.expect("made by the refresh");
            self.power = power::months(record, &self.quantities.months, |place| {
                let place = i32::try_from(place).expect("months fit 32 bits");
                versions.settling(first.plus(place), known)
            });
        }
    }

    pub(crate) fn books<'b>(
        &'b self,
        versions: &'b Versions,
        documents: &'b Documents,
    ) -> Books<'b> {
        Books {
            record: &self.intake.record,
            quantities: &self.quantities,
            versions,
            known: self.known,
            power: &self.power,
            issued: &documents.amounts,
            statements: &documents.periods,
        }
    }

    /// The month statements begin with: the first delivery, or an earlier
    /// acceptance that was known by its own month's cut.
    pub(crate) fn first_period(&self, versions: &Versions) -> Period {
        let delivery = versions.first().first_delivery().period();
        self.intake.record.first_accepted.map_or(delivery, |first| first.min(delivery))
    }

    /// What every tranche owes for each month up to `period`, tranches in the
    /// order of the contract.
    pub(crate) fn owed(
        &self,
        books: &Books<'_>,
        period: Period,
    ) -> Vec<(usize, Vec<Owed>)> {
        let versions = books.versions;
        let mut first = self.first_period(versions);
        let zone = &versions.first().zone;
        let record = &self.intake.record;
        let anchors = (0..record.tranches.len()).filter_map(|place| record.anchor(place));
        if let Some(anchor) = anchors.min() {
            first = first.min(zone.period(anchor));
        }
        // What was issued for a month that no acceptance reaches any more is taken back.
        let issued = books.issued.keys().map(|(_, period)| *period);
        first = issued.fold(first, Period::min);
        let table = self.quantities.months.first.expect("made by the refresh");
        first = first.max(table).min(period);
        // Nothing is owed before the first month there is.
        let owed = |tranche| match books.begins_after(period) {
            true => Vec::new(),
            false => books.owed(tranche, first, period),
        };
        self.order(versions, period)
            .into_iter()
            .map(|tranche| (tranche, owed(tranche)))
            .collect()
    }

    /// The tranches in the order of the version that settles `period`, then those
    /// of other versions.
    pub(crate) fn order(&self, versions: &Versions, period: Period) -> Vec<usize> {
        let record = &self.intake.record;
        let settling = versions.settling(period, self.known);
        let others = versions.all()[..self.known].iter();
        let stated = [settling].into_iter().chain(others);
        let mut order = Vec::new();
        for tranche in stated.flat_map(|contract| &contract.tranches) {
            let place = record.tranches.iter().position(|found| found.id == tranche.id);
            let place = place.expect("every tranche of a known version is entered");
            if !order.contains(&place) {
                order.push(place);
            }
        }
        order
    }
}

/// How many versions of the chain are known by `as_of`: a version is known from
/// the fact that says so, or without one from its effective date.
fn known_versions(versions: &Versions, facts: &Facts, as_of: Timestamp) -> usize {
    let mut learned = BTreeMap::new();
    if versions.all().len() > 1 {
        for fact in facts.all() {
            if let Body::ContractVersion { sha256 } = &fact.body {
                learned.entry(*sha256).or_insert(fact.known_at);
            }
        }
    }
    let amendments = versions.all()[1..].iter().take_while(|contract| {
        let from = learned.get(&contract.hash).copied();
        from.unwrap_or_else(|| contract.zone.midnight(contract.effective)) <= as_of
    });
    1 + amendments.count()
}
