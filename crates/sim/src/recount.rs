//! A second settlement, slow and obvious, that shares no rule with the first.
//!
//! It reads the same contracts and facts and reaches the same amounts by the
//! plainest road: every statement recounts every month from nothing, one function
//! per rule, in the order of the rules. It exists to disagree.
//!
//! What is shared with the first settlement is what both must mean the same by:
//! exact fractions, the calendar, the files as they were read and the names on a
//! statement.
//!
//! The order of the rules is the order of the modules: which terms hold (`terms`),
//! which facts count (`record`), what each unit was (`timeline`), what that costs
//! (`fees`, `power`) and what comes off (`books`). [`compare`] sets both settlements
//! side by side.

mod books;
mod compare;
mod fees;
mod power;
mod record;
mod terms;
mod timeline;

pub use compare::{Compared, compare};

use std::collections::{BTreeMap, BTreeSet};

use settle::calendar::Period;
use settle::contract::Versions;
use settle::exact::Exact;
use settle::facts::Facts;
use settle::statement::{HoldReason, LineKind, Seconds, Statement};
use units::Timestamp;

/// What identifies an amount: the tranche, the month of service, and what it is for.
pub type Place = (String, Period, LineKind);

/// A statement as a plain table; amounts are in minor units of the currency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recount {
    /// What is owed in all for every month up to the one settled; zeros are left out.
    pub owed: BTreeMap<Place, i64>,
    /// What the statement bills: what is owed less what was issued; zeros are left out.
    pub lines: BTreeMap<Place, i64>,
    /// Tax on the lines of each kind that is taxed; zeros are left out.
    pub taxes: BTreeMap<LineKind, i64>,
    /// The lines and the taxes.
    pub total: i64,
    /// Credit carried from the statement before.
    pub carried_in: i64,
    /// What is to be paid.
    pub payable: i64,
    /// Credit carried to the next statement.
    pub carried_out: i64,
    /// Each tranche's unit-seconds in the month settled.
    pub seconds: BTreeMap<String, Seconds>,
    /// Each tranche's availability in the month settled.
    pub availability: BTreeMap<String, Exact>,
    /// Each tranche's prepayment at the end of the month settled.
    pub prepayment: BTreeMap<String, Prepaid>,
    /// GPU-seconds each tranche has paid for and may still draw.
    pub make_up: BTreeMap<String, Exact>,
    /// Why nothing may be posted; empty when everything may.
    pub held: BTreeSet<Held>,
}

/// A tranche's prepayment, in minor units: received is the sum of the other three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prepaid {
    /// What the contract asks for.
    pub agreed: i64,
    /// What was received.
    pub received: i64,
    /// What was credited.
    pub applied: i64,
    /// What is left.
    pub remaining: i64,
    /// What is owed back.
    pub refunded: i64,
}

/// One reason why nothing may be posted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Held {
    /// The kind of reason.
    pub reason: HoldReason,
    /// The tranche, where it concerns one.
    pub tranche: Option<String>,
    /// The month, where it concerns one.
    pub period: Option<Period>,
    /// The fact that was set aside, where it is one.
    pub seq: Option<u64>,
}

/// A document that was issued, as far as later ones depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// The month it settled.
    pub period: Period,
    /// What it billed.
    pub lines: BTreeMap<Place, i64>,
    /// The credit it carried on.
    pub carried_out: i64,
}

impl Issued {
    /// What the first settlement issued; `None` while it is held.
    pub fn from_statement(statement: &Statement) -> Option<Self> {
        statement.number.as_ref()?;
        let mut lines = BTreeMap::new();
        for line in &statement.lines {
            let place = (line.tranche.clone(), line.service, line.kind);
            *lines.entry(place).or_default() += line.amount.as_minor();
        }
        let carried_out = statement.carried_out.as_minor();
        Some(Self { period: statement.period, lines, carried_out })
    }

    /// What a recount would have issued.
    pub fn from_recount(period: Period, recount: &Recount) -> Self {
        Self { period, lines: recount.lines.clone(), carried_out: recount.carried_out }
    }
}

/// Settles `period` from what was known at `as_of` and what had been issued.
pub fn recount(
    versions: &Versions,
    facts: &Facts,
    issued: &[Issued],
    period: Period,
    as_of: Timestamp,
) -> Recount {
    let terms = terms::Terms::known(versions, facts, as_of);
    let record = record::sort_out(&terms, facts, as_of);
    let books = books::keep(&terms, &record, issued, period);
    let mut held = books.held.clone();
    hold_early(&terms, issued, &record, period, as_of, &mut held);
    let mut recount = bill(&terms, &books, issued, period);
    recount.held = held;
    recount
}

/// Settles every month whose cut is at or before `as_of`, each from what was known
/// at its cut; stops at the first that is held.
pub fn recount_all(
    versions: &Versions,
    facts: &Facts,
    as_of: Timestamp,
) -> Vec<(Period, Recount)> {
    let mut settled: Vec<(Period, Recount)> = Vec::new();
    let mut issued: Vec<Issued> = Vec::new();
    let mut period = first_period(versions, facts, as_of);
    loop {
        let cut = cut_of(versions, facts, period, as_of);
        if cut > as_of {
            return settled;
        }
        let one = recount(versions, facts, &issued, period, cut);
        let is_held = !one.held.is_empty();
        issued.push(Issued::from_recount(period, &one));
        settled.push((period, one));
        if is_held {
            return settled;
        }
        period = period.next();
    }
}

/// The month the first statement is for: that of the first delivery or acceptance.
pub fn first_period(versions: &Versions, facts: &Facts, as_of: Timestamp) -> Period {
    let terms = terms::Terms::known(versions, facts, as_of);
    books::first_period(&terms, &record::sort_out(&terms, facts, as_of))
}

/// The instant at which the facts of a month are cut off.
pub fn cut_of(
    versions: &Versions,
    facts: &Facts,
    period: Period,
    as_of: Timestamp,
) -> Timestamp {
    let terms = terms::Terms::known(versions, facts, as_of);
    Timestamp::from_unix_seconds(terms.cut(period))
}

/// A month is held before its cut, and while a month before it waits.
fn hold_early(
    terms: &terms::Terms<'_>,
    issued: &[Issued],
    record: &record::Record<'_>,
    period: Period,
    as_of: Timestamp,
    held: &mut BTreeSet<Held>,
) {
    let mut hold = |reason| {
        held.insert(Held { reason, tranche: None, period: None, seq: None });
    };
    if as_of.as_unix_seconds() < terms.cut(period) {
        hold(HoldReason::NotCut);
    }
    let expected = match issued.last() {
        Some(last) => last.period.next(),
        None => books::first_period(terms, record),
    };
    if period != expected {
        hold(HoldReason::OutOfOrder);
    }
}

/// Bills the difference between what is owed and what was issued.
fn bill(
    terms: &terms::Terms<'_>,
    books: &books::Books,
    issued: &[Issued],
    period: Period,
) -> Recount {
    let mut lines = books.owed.clone();
    for (place, amount) in issued.iter().flat_map(|one| &one.lines) {
        *lines.entry(place.clone()).or_default() -= amount;
    }
    lines.retain(|_, amount| *amount != 0);
    let contract = terms.of(period);
    let mut sums: BTreeMap<LineKind, i64> = BTreeMap::new();
    for ((_, _, kind), amount) in &lines {
        *sums.entry(*kind).or_default() += amount;
    }
    let mut taxes = BTreeMap::new();
    for (kind, sum) in &sums {
        if let Some(rate) = contract.tax.get(kind) {
            taxes.insert(
                *kind,
                fees::rounded(contract, Exact::whole((*sum).into()) * *rate),
            );
        }
    }
    taxes.retain(|_, tax| *tax != 0);
    let total = sums.values().sum::<i64>() + taxes.values().sum::<i64>();
    let carried_in = issued.last().map_or(0, |last| last.carried_out);
    let mut owed = books.owed.clone();
    owed.retain(|_, amount| *amount != 0);
    Recount {
        owed,
        lines,
        taxes,
        total,
        carried_in,
        payable: (total - carried_in).max(0),
        carried_out: (carried_in - total).max(0),
        seconds: books.seconds.clone(),
        availability: books.availability.clone(),
        prepayment: books.prepayment.clone(),
        make_up: books.make_up.clone(),
        held: BTreeSet::new(),
    }
}
