//! A statement as a person reads it: one page of text.

use settle::exact::Amount;
use settle::statement::{AvailabilityRow, Line, LineKind, Statement};

use super::figures::grouped;
use crate::tenancy::Settled;

/// How wide a page is.
const WIDTH: usize = 100;

/// One statement on a page.
pub fn page(statement: &Statement) -> String {
    let mut page = Page::default();
    let number = match &statement.number {
        Some(number) => format!("Statement {number}"),
        None => "Statement held, without a number: nothing is posted".to_owned(),
    };
    page.ends(&number, &statement.period.to_string());
    page.ends(
        &format!("{} to {}", statement.supplier, statement.customer),
        &format!("{}, due {}", statement.currency, statement.due),
    );
    page.line(&format!(
        "contract {} {}, settled by {}",
        statement.contract, statement.contract_sha256, statement.engine
    ));
    let facts = &statement.facts;
    if let (Some(first), Some(last)) = (facts.first, facts.last) {
        page.line(&format!(
            "{} facts, {first} to {last}, known by {}, chain {}",
            facts.count, statement.as_of, facts.chain_sha256
        ));
    }
    page.held(statement);
    page.lines(statement);
    page.sums(statement);
    page.availability(statement);
    page.prepayment(statement);
    page.rights(statement);
    page.text
}

/// A contract's statements, a line each, and what they come to.
pub fn overview(statements: &[Statement]) -> String {
    let Some(first) = statements.first() else {
        return "no month has been cut off yet\n".to_owned();
    };
    let mut page = Page::default();
    page.line(&format!(
        "{}: {} to {}, in {}",
        first.contract, first.supplier, first.customer, first.currency
    ));
    page.line("");
    page.line(&format!(
        "{:8}  {:22} {:>5} {:>20} {:>20} {:>20}  due",
        "month", "number", "lines", "total", "payable", "credit carried"
    ));
    for one in statements {
        let Some(number) = &one.number else {
            page.line(&format!(
                "{:8}  held: nothing is posted of the {} that it comes to so far",
                one.period.to_string(),
                money(one.total)
            ));
            for hold in &one.held {
                page.line(&format!("{:10}{}", "", hold.text));
            }
            continue;
        };
        page.line(&format!(
            "{:8}  {number:22} {:>5} {:>20} {:>20} {:>20}  {}",
            one.period.to_string(),
            one.lines.len(),
            money(one.total),
            money(one.payable),
            money(one.carried_out),
            one.due,
        ));
    }
    page.line("");
    for (kind, amount) in by_kind(statements) {
        page.line(&format!("{:38} {:>20}", words(kind), money(amount)));
    }
    let posted = statements.iter().filter(|one| !one.is_held());
    let total = sum(posted.clone().map(|one| one.total), first.total.places());
    let payable = sum(posted.map(|one| one.payable), first.total.places());
    page.line(&format!("{:38} {:>20}", "total, with tax", money(total)));
    page.line(&format!("{:38} {:>20}", "payable", money(payable)));
    page.text
}

/// What a run came to under each contract, after its summary.
pub fn after_run(settled: &[Settled]) -> String {
    settled
        .iter()
        .map(|one| match one.statements.is_empty() {
            true => {
                format!("\n{}: no month of it was settled in this run\n", one.contract)
            }
            false => format!("\nStatements of {}", overview(&one.statements)),
        })
        .collect()
}

/// What all posted lines of each kind come to, in the order of kinds.
pub fn by_kind(statements: &[Statement]) -> Vec<(LineKind, Amount)> {
    let posted = || statements.iter().filter(|one| !one.is_held());
    let of = |kind: LineKind| {
        let lines = posted().flat_map(|one| &one.lines);
        let mut amounts =
            lines.filter(|line| line.kind == kind).map(|line| line.amount).peekable();
        let places = amounts.peek()?.places();
        Some((kind, sum(amounts, places)))
    };
    LineKind::ALL.into_iter().filter_map(of).collect()
}

fn sum(amounts: impl Iterator<Item = Amount>, places: u8) -> Amount {
    let minor = amounts
        .map(Amount::as_minor)
        .try_fold(0_i64, i64::checked_add)
        .expect("a contract's amounts fit");
    Amount::from_minor(minor, places)
}

/// What a line is for, in words.
fn words(kind: LineKind) -> &'static str {
    match kind {
        LineKind::Capacity => "capacity",
        LineKind::Shortfall => "shortfall",
        LineKind::Overage => "overage",
        LineKind::Sla => "availability credit",
        LineKind::Delay => "delay credit",
        LineKind::Power => "power",
        LineKind::Prepayment => "prepayment credited",
        LineKind::Refund => "prepayment owed back",
        LineKind::TerminationFee => "termination fee",
    }
}

fn money(amount: Amount) -> String {
    grouped(&amount.to_string())
}

/// A page in the making.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn line(&mut self, text: &str) {
        self.text.push_str(text.trim_end());
        self.text.push('\n');
    }

    /// A line with something at either end.
    fn ends(&mut self, left: &str, right: &str) {
        let gap = WIDTH.saturating_sub(left.chars().count() + right.chars().count());
        self.line(&format!("{left}{}{right}", " ".repeat(gap.max(2))));
    }

    fn held(&mut self, statement: &Statement) {
        if statement.held.is_empty() {
            return;
        }
        self.line("");
        self.line("Held because");
        for hold in &statement.held {
            self.line(&format!("  {}", hold.text));
        }
    }

    fn lines(&mut self, statement: &Statement) {
        self.line("");
        let own = |line: &&Line| line.service == statement.period;
        for line in statement.lines.iter().filter(own) {
            self.entry(line);
        }
        if statement.lines.iter().any(|line| !own(&line)) {
            self.line("");
            self.line("Corrections of earlier months");
        }
        for line in statement.lines.iter().filter(|line| !own(line)) {
            self.entry(line);
            if let Some(correction) = &line.correction {
                let reference = correction.reference.as_deref().unwrap_or("nothing");
                self.line(&format!(
                    "{:12}of {}, first billed by {reference}; facts since: {}",
                    "",
                    line.service,
                    numbers(&correction.causes)
                ));
            }
        }
    }

    fn entry(&mut self, line: &Line) {
        let how = match (&line.quantity, &line.price) {
            (Some(quantity), Some(price)) => {
                let amount = grouped(&quantity.amount.to_text());
                format!("{amount} {} at {price}", quantity.unit)
            }
            (Some(_) | None, _) => line.why.clone(),
        };
        self.ends(
            &format!("{:10}  {}: {how}", line.tranche, words(line.kind)),
            &money(line.amount),
        );
    }

    fn sums(&mut self, statement: &Statement) {
        self.line("");
        let mut sum = |name: &str, amount: Amount| {
            self.line(&format!("{name:>79} {:>20}", money(amount)));
        };
        sum("subtotal", statement.subtotal);
        for tax in &statement.taxes {
            let name =
                format!("tax on {}, {} of {}", words(tax.kind), tax.rate, tax.base);
            sum(&name, tax.amount);
        }
        sum("total", statement.total);
        if !statement.carried_in.is_zero() || !statement.carried_out.is_zero() {
            sum("credit from the statement before", statement.carried_in);
            sum("credit to the next statement", statement.carried_out);
        }
        sum("payable", statement.payable);
    }

    fn availability(&mut self, statement: &Statement) {
        if statement.availability.is_empty() {
            return;
        }
        self.line("");
        self.line("Availability, in unit-seconds");
        for row in &statement.availability {
            self.line(&format!(
                "{:10}  {} of {} {}{}: {} %",
                row.tranche,
                grouped(&row.seconds.available.to_string()),
                grouped(&row.seconds.reserved.to_string()),
                row.unit,
                rest(row),
                row.percent,
            ));
        }
    }

    fn prepayment(&mut self, statement: &Statement) {
        if statement.prepayment.is_empty() {
            return;
        }
        self.line("");
        self.line(&format!(
            "{:10}  {:>21} {:>21} {:>21} {:>21}",
            "Prepayment", "received", "credited", "remaining", "owed back"
        ));
        for row in &statement.prepayment {
            self.line(&format!(
                "{:10}  {:>21} {:>21} {:>21} {:>21}",
                row.tranche,
                money(row.received),
                money(row.applied),
                money(row.remaining),
                money(row.refunded),
            ));
        }
    }

    fn rights(&mut self, statement: &Statement) {
        if statement.rights.is_empty() {
            return;
        }
        self.line("");
        self.line("Rights that have arisen, for people to exercise or not");
        for right in &statement.rights {
            self.line(&format!(
                "{:10}  since {}: {}",
                right.tranche, right.since, right.why
            ));
        }
    }
}

/// The classes of time that are neither available nor empty.
fn rest(row: &AvailabilityRow) -> String {
    let seconds = &row.seconds;
    let classes = [
        ("degraded", seconds.degraded),
        ("down", seconds.down),
        ("planned", seconds.planned),
        ("grid", seconds.grid),
        ("force majeure", seconds.force_majeure),
        ("customer caused", seconds.customer_caused),
        ("flex", seconds.flex),
        ("unknown", seconds.unknown),
    ];
    let there = classes.into_iter().filter(|(_, seconds)| *seconds > 0);
    there.map(|(name, of)| format!(", {name} {}", grouped(&of.to_string()))).collect()
}

/// Numbers as ranges: 3, 5 to 9.
fn numbers(all: &[u64]) -> String {
    const SHOWN: usize = 6;
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for &number in all {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            Some(_) | None => ranges.push((number, number)),
        }
    }
    let more = ranges.len().saturating_sub(SHOWN);
    let mut shown: Vec<String> = ranges
        .iter()
        .take(SHOWN)
        .map(|(first, last)| match last - first {
            0 => first.to_string(),
            _ => format!("{first} to {last}"),
        })
        .collect();
    if more > 0 {
        shown.push(format!("and {more} more ranges"));
    }
    if shown.is_empty() {
        shown.push("none".to_owned());
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_follow_one_another_are_a_range() {
        assert_eq!(numbers(&[]), "none");
        assert_eq!(numbers(&[3]), "3");
        assert_eq!(numbers(&[3, 4, 5, 9]), "3 to 5, 9");
        assert_eq!(
            numbers(&[1, 3, 5, 7, 9, 11, 13]),
            "1, 3, 5, 7, 9, 11, and 1 more ranges"
        );
    }
}
