//! What every account comes to at the end of every month.

use super::{AccountId, Book};
use crate::calendar::{Date, Period};

/// An account's balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// The account.
    pub account: AccountId,
    /// What everything posted to it so far comes to.
    pub amount: i64,
}

/// Every account at the end of a month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonthEnd {
    /// The month.
    pub period: Period,
    /// How many entries, in order, were posted by its end.
    pub entries: usize,
    /// Every account that was ever posted to by then, in the order of accounts.
    pub balances: Vec<Balance>,
}

impl MonthEnd {
    /// The last day of the month.
    pub fn last_day(&self) -> Date {
        self.period.next().first_day().plus_days(-1)
    }
}

/// Every account at the end of every month from the first entry to the last.
///
/// # Panics
/// When the entries are not sorted.
pub fn month_ends(book: &Book) -> Vec<MonthEnd> {
    let (Some(first), Some(last)) = (book.entries().first(), book.entries().last())
    else {
        return Vec::new();
    };
    let mut ends = Vec::new();
    let mut balances: Vec<Option<i64>> = vec![None; book.accounts.len()];
    let mut posted = 0;
    let mut period = first.date.period();
    while period <= last.date.period() {
        while let Some(entry) = book.entries().get(posted)
            && entry.date.period() <= period
        {
            assert!(entry.date.period() == period, "entries are in the order of days");
            for (account, amount) in &entry.postings {
                *balances[account.place()].get_or_insert(0) += amount;
            }
            posted += 1;
        }
        let reached = book.accounts().filter_map(|(account, _)| {
            let amount = balances[account.place()]?;
            Some(Balance { account, amount })
        });
        ends.push(MonthEnd { period, entries: posted, balances: reached.collect() });
        period = period.next();
    }
    ends
}
