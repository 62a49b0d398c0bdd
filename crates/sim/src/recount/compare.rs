//! Where the two settlements differ.

use std::collections::BTreeMap;

use settle::calendar::Period;
use settle::contract::Versions;
use settle::facts::{Body, Facts};
use settle::settlement;
use settle::statement::{HoldReason, Statement};
use units::Timestamp;

use super::{Held, Issued, Place, Prepaid, Recount, recount};

/// How much was compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Statements.
    pub statements: u64,
    /// Statements that were held, by both.
    pub held: u64,
    /// Lines.
    pub lines: u64,
    /// Lines that correct an earlier statement.
    pub corrections: u64,
}

impl std::ops::AddAssign for Compared {
    fn add_assign(&mut self, other: Self) {
        self.statements += other.statements;
        self.held += other.held;
        self.lines += other.lines;
        self.corrections += other.corrections;
    }
}

/// Settles everything up to `as_of` both ways.
///
/// # Errors
/// The first difference, with the facts it may rest on.
pub fn compare(
    versions: &Versions,
    facts: &Facts,
    as_of: Timestamp,
) -> Result<Compared, String> {
    let statements = settlement::statements(versions, facts, as_of);
    let mut compared = Compared::default();
    let mut issued: Vec<Issued> = Vec::new();
    let mut documents: Vec<Statement> = Vec::new();
    let mut period = super::first_period(versions, facts, as_of);
    let mut is_over = false;
    for statement in &statements {
        if is_over {
            return Err(format!("{} follows a statement that is held", statement.period));
        }
        // The first month can move while nothing is issued.
        if !issued.is_empty() && statement.period != period {
            return Err(format!("{} instead of {period}", statement.period));
        }
        period = statement.period;
        let at_cut = super::cut_of(versions, facts, period, as_of);
        if statement.as_of < at_cut {
            return Err(format!("{period} is settled before its cut"));
        }
        if statement.as_of > at_cut {
            let early =
                settlement::statement(versions, facts, &documents, period, at_cut);
            if !early.is_held() {
                let at = statement.as_of;
                return Err(format!("{period} waits until {at} and needs not to"));
            }
            one(versions, facts, &issued, &early, &mut compared)?;
        }
        let again =
            settlement::statement(versions, facts, &documents, period, statement.as_of);
        if again.to_json() != statement.to_json() {
            return Err(format!("{period} alone is not {period} in a row"));
        }
        one(versions, facts, &issued, statement, &mut compared)?;
        match Issued::from_statement(statement) {
            Some(one) => {
                documents.push(statement.clone());
                issued.push(one);
            }
            None => is_over = true,
        }
        period = period.next();
    }
    if !is_over && super::cut_of(versions, facts, period, as_of) <= as_of {
        return Err(format!("{period} is missing"));
    }
    // What comes after the last is computed too, as it would be at the very end.
    let after = settlement::statement(versions, facts, &documents, period, as_of);
    one(versions, facts, &issued, &after, &mut compared)?;
    Ok(compared)
}

/// Compares one statement with its recount.
fn one(
    versions: &Versions,
    facts: &Facts,
    issued: &[Issued],
    statement: &Statement,
    compared: &mut Compared,
) -> Result<(), String> {
    let period = statement.period;
    let counted = recount(versions, facts, issued, period, statement.as_of);
    compared.statements += 1;
    compared.held += u64::from(statement.is_held());
    compared.lines += counted.lines.len() as u64;
    compared.corrections +=
        counted.lines.keys().filter(|(_, service, _)| *service < period).count() as u64;
    let Some((what, rows)) = first_difference(&counted, statement, issued.is_empty())
    else {
        return Ok(());
    };
    let mut text = format!("{period} as of {}: {what}\n", statement.as_of);
    for row in rows {
        text.push_str(&format!("  {row}\n"));
    }
    text.push_str(&concerned(facts, period, statement.as_of));
    Err(text)
}

/// The facts that are known and touch a month, or have no month.
fn concerned(facts: &Facts, period: Period, as_of: Timestamp) -> String {
    let mut text = String::from("facts concerned\n");
    let first = period.previous().first_day().to_string();
    let first = Timestamp::parse(&first).expect("a date is read");
    for fact in facts.known_by(as_of) {
        let touches = fact.valid_to.is_none_or(|to| to >= first)
            && !matches!(fact.body, Body::Payment { .. });
        if touches {
            text.push_str(&format!(
                "  {} {} to {:?} known {}: {:?}\n",
                fact.seq, fact.valid_from, fact.valid_to, fact.known_at, fact.body
            ));
        }
    }
    text
}

/// The first table that differs, and its rows that do: ours, then theirs.
fn first_difference(
    ours: &Recount,
    theirs: &Statement,
    is_first: bool,
) -> Option<(&'static str, Vec<String>)> {
    let held: Vec<Held> = theirs
        .held
        .iter()
        .map(|hold| Held {
            reason: hold.reason,
            tranche: hold.tranche.clone(),
            period: hold.period,
            seq: hold.seq,
        })
        .collect();
    if theirs.is_held() == held.is_empty() {
        return Some(("a number and a hold, or neither", Vec::new()));
    }
    let mut their_lines: BTreeMap<Place, i64> = BTreeMap::new();
    for line in &theirs.lines {
        let place = (line.tranche.clone(), line.service, line.kind);
        *their_lines.entry(place).or_default() += line.amount.as_minor();
    }
    let taxes = theirs
        .taxes
        .iter()
        .filter(|tax| !tax.amount.is_zero())
        .map(|tax| (tax.kind, tax.amount.as_minor()))
        .collect();
    let seconds = theirs
        .availability
        .iter()
        .map(|row| (row.tranche.clone(), row.seconds))
        .collect();
    let availability = theirs
        .availability
        .iter()
        .map(|row| (row.tranche.clone(), row.availability))
        .collect();
    let prepayment: BTreeMap<String, Prepaid> = theirs
        .prepayment
        .iter()
        .map(|row| {
            let prepaid = Prepaid {
                agreed: row.agreed.as_minor(),
                received: row.received.as_minor(),
                applied: row.applied.as_minor(),
                remaining: row.remaining.as_minor(),
                refunded: row.refunded.as_minor(),
            };
            (row.tranche.clone(), prepaid)
        })
        .collect();
    let make_up = theirs
        .make_up
        .iter()
        .filter(|row| !row.balance.is_zero())
        .map(|row| (row.tranche.clone(), row.balance))
        .collect();
    let sums = [
        ("total", ours.total, theirs.total.as_minor()),
        ("carried in", ours.carried_in, theirs.carried_in.as_minor()),
        ("payable", ours.payable, theirs.payable.as_minor()),
        ("carried out", ours.carried_out, theirs.carried_out.as_minor()),
    ];
    let (our_sums, their_sums) = (
        sums.iter().map(|(name, ours, _)| (*name, *ours)).collect(),
        sums.iter().map(|(name, _, theirs)| (*name, *theirs)).collect(),
    );
    // A price missing in the first month of service is missing in every month that
    // a delay is counted in; which of them are named is no matter.
    let as_set = |held: &mut dyn Iterator<Item = Held>| -> BTreeMap<Held, ()> {
        held.map(|held| match held.reason {
            HoldReason::PriceMissing => (Held { period: None, ..held }, ()),
            HoldReason::NotCut
            | HoldReason::OutOfOrder
            | HoldReason::Quarantined
            | HoldReason::Unknown
            | HoldReason::UsageMissing
            | HoldReason::ApprovalTooHigh => (held, ()),
        })
        .collect()
    };
    // Where the first month of all lies can change while nothing is issued.
    let counts = |held: &Held| !is_first || held.reason != HoldReason::OutOfOrder;
    let our_held = as_set(&mut ours.held.iter().filter(|held| counts(held)).cloned());
    let their_held = as_set(&mut held.into_iter().filter(counts));
    let mut our_seconds = ours.seconds.clone();
    our_seconds.retain(|_, seconds| seconds.reserved != 0);
    let mut their_seconds: BTreeMap<_, _> = seconds;
    their_seconds
        .retain(|_, seconds: &mut settle::statement::Seconds| seconds.reserved != 0);
    let mut our_availability = ours.availability.clone();
    our_availability.retain(|tranche, _| our_seconds.contains_key(tranche));
    let mut their_availability: BTreeMap<_, _> = availability;
    their_availability.retain(|tranche, _| our_seconds.contains_key(tranche));
    let mut our_make_up = ours.make_up.clone();
    our_make_up.retain(|_, balance| !balance.is_zero());
    // Where usage or a price is missing, nothing says what is owed meanwhile.
    let lacks_amounts = ours.held.iter().any(|held| match held.reason {
        HoldReason::PriceMissing | HoldReason::UsageMissing => true,
        HoldReason::NotCut
        | HoldReason::OutOfOrder
        | HoldReason::Quarantined
        | HoldReason::Unknown
        | HoldReason::ApprovalTooHigh => false,
    });
    let tables = [
        ("holds", rows(&our_held, &their_held)),
        ("seconds", rows(&our_seconds, &their_seconds)),
        ("availability", rows(&our_availability, &their_availability)),
        ("lines", rows(&ours.lines, &their_lines)),
        ("taxes", rows(&ours.taxes, &taxes)),
        ("prepayment", rows(&ours.prepayment, &prepayment)),
        ("make-up", rows(&our_make_up, &make_up)),
        ("sums", rows(&our_sums, &their_sums)),
    ];
    let compared = if lacks_amounts { 3 } else { tables.len() };
    tables.into_iter().take(compared).find(|(_, rows)| !rows.is_empty())
}

/// The rows in which two tables differ.
fn rows<K, V>(ours: &BTreeMap<K, V>, theirs: &BTreeMap<K, V>) -> Vec<String>
where
    K: Ord + std::fmt::Debug,
    V: PartialEq + std::fmt::Debug,
{
    let mut rows = Vec::new();
    for key in ours.keys().chain(theirs.keys().filter(|key| !ours.contains_key(key))) {
        let (our, their) = (ours.get(key), theirs.get(key));
        if our != their {
            rows.push(format!("{key:?}: recounted {our:?}, settled {their:?}"));
        }
    }
    rows
}
