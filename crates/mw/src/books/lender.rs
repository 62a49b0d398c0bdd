//! The lender's pack: what a lender asks of a site's contracts, from the records.
//!
//! Contracted cash month by month, coverage of debt service on what was really received,
//! the evidence that each tranche was accepted, the credits given, and how much hangs on
//! one customer. Every figure can be found again in the statements and facts it is from.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use settle::books::Root;
use settle::calendar::Period;
use settle::contract::Currency;
use settle::exact::Exact;
use settle::facts::{Body, Size};
use settle::statement::LineKind;

use super::{Books, OneContract};

/// One month of cash, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cash {
    /// What contracts bill or are expected to bill, less what was paid ahead.
    pub contracted: i64,
    /// Whether every part of it was settled; otherwise it is expected.
    pub settled: bool,
    /// What came into the bank from customers.
    pub received: i64,
    /// What went to lenders, or is due to.
    pub debt_service: i64,
}

/// Contracted and received cash by month, from the first month of either to the last.
pub fn cash(books: &Books) -> BTreeMap<Period, Cash> {
    let mut months: BTreeMap<Period, Cash> = BTreeMap::new();
    for contract in &books.contracts {
        for schedule in &contract.posted.schedules {
            for month in &schedule.months {
                let cash = months
                    .entry(month.period)
                    .or_insert(Cash { settled: true, ..Cash::default() });
                cash.contracted += month.step.billed + month.step.paid;
                cash.settled &= month.settled;
            }
        }
    }
    let banks: Vec<_> = books
        .book
        .accounts()
        .filter(|(_, account)| account.name.starts_with("Assets:Bank:"))
        .map(|(id, _)| id)
        .collect();
    for entry in books.book.entries() {
        // Money of customers stands against what they owe or paid ahead.
        let theirs = entry.postings.iter().any(|(account, _)| {
            let name = &books.book.get(*account).name;
            name.starts_with("Assets:Receivable:")
                || name.starts_with("Assets:UnappliedCash:")
                || name.starts_with("Liabilities:Contract:")
        });
        let bank = entry.postings.iter().filter(|(account, _)| banks.contains(account));
        let came: i64 = bank.map(|(_, amount)| amount).sum();
        if theirs && came != 0 {
            months.entry(entry.date.period()).or_default().received += came;
        }
    }
    if let Some((service, _)) = &books.debt {
        for one in service {
            let month = months.entry(one.period).or_default();
            month.debt_service += one.interest + one.principal;
        }
    }
    months
}

/// Operating cash over debt service of the twelve months up to `until`, on actuals:
/// what was received less what power cost. `None` without debt service in them.
pub fn coverage(books: &Books, until: Period) -> Option<Exact> {
    let within = |period: Period| (0..12).contains(&until.months_since(period));
    let (service, _) = books.debt.as_ref()?;
    let owed: i64 = service
        .iter()
        .filter(|one| within(one.period))
        .map(|one| one.interest + one.principal)
        .sum();
    let received: i64 = cash(books)
        .iter()
        .filter(|(period, _)| within(**period))
        .map(|(_, cash)| cash.received)
        .sum();
    let entries = books.book.entries().iter().filter(|entry| within(entry.date.period()));
    let spent: i64 = entries
        .flat_map(|entry| &entry.postings)
        .filter(|(account, _)| {
            let account = books.book.get(*account);
            account.root == Root::Expenses && account.name.starts_with("Expenses:Power:")
        })
        .map(|(_, amount)| amount)
        .sum();
    (owed > 0).then(|| Exact::ratio((received - spent).into(), owed.into()))
}

/// The last month of which everything was settled.
pub fn last_settled(books: &Books) -> Option<Period> {
    let issued = books.contracts.iter().flat_map(|contract| contract.issued.last());
    issued.map(|statement| statement.period).min()
}

/// The pack as a document, every amount as text in the currency of its contract.
pub fn document(books: &Books) -> Value {
    let until = last_settled(books);
    let money = |currency: &Currency, minor: i64| {
        let places = u32::from(currency.places);
        units::decimal::text(i128::from(minor), places, places)
    };
    let site = &books.currency;
    let cash: Vec<Value> = cash(books)
        .iter()
        .map(|(period, cash)| {
            json!({
                "month": period.to_string(),
                "state": if cash.settled { "settled" } else { "expected" },
                "contracted": money(site, cash.contracted),
                "received": money(site, cash.received),
                "debt_service": money(site, cash.debt_service),
            })
        })
        .collect();
    let coverage = until.and_then(|until| {
        let ratio = coverage(books, until)?;
        let covenant = books.debt.as_ref().and_then(|(_, covenant)| *covenant);
        Some(json!({
            "twelve_months_to": until.to_string(),
            "ratio": ratio.to_text_cut(4),
            "covenant": covenant.map(Exact::to_text),
            "holds": covenant.map(|covenant| ratio >= covenant),
        }))
    });
    json!({
        "site": books.book.title(),
        "currency": site.code,
        "cash": cash,
        "coverage": coverage,
        "tranches": tranches(books),
        "credits": credits(books),
        "concentration": concentration(books),
        "rights": rights(books),
    })
}

/// Each tranche: when it was accepted, how much of it, and by which facts.
fn tranches(books: &Books) -> Vec<Value> {
    let mut found = Vec::new();
    for contract in &books.contracts {
        let terms = contract.versions.all().last().expect("a version");
        let posted: Vec<_> = contract.facts.known_by(contract.as_of).iter().collect();
        for tranche in &terms.tranches {
            let accepted = posted.iter().filter_map(|fact| {
                let Body::Acceptance(accepted) = &fact.body else { return None };
                let ours =
                    accepted.contract == terms.id && accepted.tranche == tranche.id;
                ours.then(|| {
                    let sizes = accepted.units.iter().map(|unit| match unit.size {
                        Size::Gpus(count) | Size::Kilowatts(count) => count,
                    });
                    json!({
                        "fact": fact.seq,
                        "at": fact.valid_from.to_string(),
                        "source": format!("{}/{}", fact.source, fact.source_seq),
                        "units": accepted.units.len(),
                        "quantity": sizes.sum::<i64>(),
                        "chain_sha256": fact.chain.to_string(),
                    })
                })
            });
            found.push(json!({
                "contract": terms.id,
                "tranche": tranche.id,
                "delivery": tranche.delivery.to_string(),
                "quantity": tranche.quantity.count(),
                "acceptances": accepted.collect::<Vec<_>>(),
            }));
        }
    }
    found
}

fn sum(contract: &OneContract, kinds: &[LineKind]) -> i64 {
    let lines = contract.issued.iter().flat_map(|statement| &statement.lines);
    let chosen = lines.filter(|line| kinds.contains(&line.kind));
    chosen.map(|line| line.amount.as_minor()).sum()
}

/// What was given back for missed availability and late delivery, against what was
/// billed.
fn credits(books: &Books) -> Vec<Value> {
    let each = books.contracts.iter().map(|contract| {
        let terms = contract.versions.first();
        let money = |minor: i64| {
            let places = u32::from(terms.currency.places);
            units::decimal::text(i128::from(minor), places, places)
        };
        let billed =
            sum(contract, &[LineKind::Capacity, LineKind::Shortfall, LineKind::Overage]);
        let credits = sum(contract, &[LineKind::Sla, LineKind::Delay]);
        let share = (billed > 0).then(|| Exact::ratio((-credits).into(), billed.into()));
        json!({
            "contract": terms.id,
            "billed": money(billed),
            "availability": money(sum(contract, &[LineKind::Sla])),
            "delay": money(sum(contract, &[LineKind::Delay])),
            "share_of_billed": share.map(|share| share.to_text_cut(6)),
        })
    });
    each.collect()
}

/// Each customer's share of everything still to come, largest first.
fn concentration(books: &Books) -> Vec<Value> {
    let mut sums: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for contract in &books.contracts {
        let terms = contract.versions.first();
        let schedules = contract.posted.schedules.iter();
        let coming = schedules.flat_map(|schedule| &schedule.months);
        let coming = coming.filter(|month| !month.settled);
        let sum: i64 = coming.map(|month| month.step.billed).sum();
        *sums.entry((&terms.customer, &terms.currency.code)).or_default() += sum;
    }
    let mut shares: Vec<_> = sums.into_iter().collect();
    shares.sort_by_key(|(name, sum)| (std::cmp::Reverse(*sum), *name));
    let totals = shares.clone();
    let share = |((customer, code), sum): ((&str, &str), i64)| {
        let same = totals.iter().filter(|((_, other), _)| *other == code);
        let total: i64 = same.map(|(_, sum)| sum).sum();
        let places = Currency::of_code(code).map_or(2, |currency| currency.places);
        let places = u32::from(places);
        let part = (total > 0).then(|| Exact::ratio(sum.into(), total.into()));
        json!({
            "customer": customer,
            "currency": code,
            "still_to_come": units::decimal::text(i128::from(sum), places, places),
            "share": part.map(|part| part.to_text_cut(4)),
        })
    };
    shares.into_iter().map(share).collect()
}

/// Rights that stand on the last statement of each contract.
fn rights(books: &Books) -> Vec<Value> {
    let last = books.contracts.iter().filter_map(|contract| contract.issued.last());
    let rights = last.flat_map(|statement| {
        statement.rights.iter().map(move |right| (statement, right))
    });
    rights
        .map(|(statement, right)| {
            json!({
                "contract": statement.contract,
                "tranche": right.tranche,
                "since": right.since.to_string(),
                "why": right.why,
            })
        })
        .collect()
}
