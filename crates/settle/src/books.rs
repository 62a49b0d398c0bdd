//! Double-entry books of a site, in several commodities.
//!
//! A [`Book`] holds accounts, each of one commodity, and entries that sum to
//! nothing in every commodity. Money, bitcoin, energy and GPU time are all
//! ledgered, so that "the main meter is its sub-meters and losses" or "reserved
//! is available, down, excused and unknown" is a sum that a program which we did
//! not write can check.
//!
//! Signs are a bookkeeper's: a debit is positive. Assets and expenses grow by
//! debits; liabilities and income by credits.
//!
//! ```
//! use settle::books::{Book, Root};
//! use settle::calendar::Date;
//! let mut book = Book::new("a site");
//! let usd = book.commodity("USD", 2);
//! let bank = book.account(Root::Assets, &["Bank"], usd);
//! let fees = book.account(Root::Income, &["Fees"], usd);
//! let day = Date::new(2026, 4, 30).unwrap();
//! book.post(day, "fee-1", "April", &[(bank, 100), (fees, -100)]);
//! assert_eq!(book.balance(bank), 100);
//! ```
//!
//! Invariant: an entry that does not sum to nothing stops the program.
//! Invariant: books are made from records; nothing edits them.

mod balances;
mod contract;
pub mod mining;
pub mod power;
mod quantities;
mod tie;

pub use balances::{Balance, MonthEnd, month_ends};
pub use contract::{ContractRecords, PostedContract, post as post_contract};
pub use tie::tie_out;

use crate::calendar::Date;
use std::collections::BTreeMap;

/// Where an account stands in the balance sheet or the profit and loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Root {
    /// What is owned or owed to us.
    Assets,
    /// What is owed by us.
    Liabilities,
    /// What is counted beside money, and where commodities are exchanged.
    Equity,
    /// What was earned.
    Income,
    /// What was spent.
    Expenses,
}

/// A commodity of a book, by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommodityId(u16);

/// An account of a book, by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(u32);

/// Something that is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commodity {
    /// Its name: capitals and digits, such as `USD`, `BTC`, `MWH`.
    pub code: String,
    /// Digits after the point: amounts are whole in the last of them.
    pub places: u8,
}

/// An account of one commodity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Where it stands.
    pub root: Root,
    /// Its whole name, such as `Assets:Bank:USD`.
    pub name: String,
    /// What it counts.
    pub commodity: CommodityId,
}

/// One entry: on a day, so much from some accounts to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The day, in the zone of the record it is from.
    pub date: Date,
    /// What it is from; once in a book.
    pub id: String,
    /// What it is, in words: where an amount is a difference, its cause.
    pub text: String,
    /// Accounts and amounts in the commodity's smallest unit; debits are positive.
    pub postings: Vec<(AccountId, i64)>,
}

/// A site's books.
#[derive(Clone, Debug, Default)]
pub struct Book {
    title: String,
    commodities: Vec<Commodity>,
    accounts: Vec<Account>,
    place_of: BTreeMap<String, AccountId>,
    /// What each part of a name stands for, by the parts before it.
    meant_by: BTreeMap<String, String>,
    entries: Vec<Entry>,
    balances: Vec<i64>,
    sorted: bool,
}

impl Root {
    /// The root's name, as accounting programs know it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Assets => "Assets",
            Self::Liabilities => "Liabilities",
            Self::Equity => "Equity",
            Self::Income => "Income",
            Self::Expenses => "Expenses",
        }
    }
}

impl Book {
    /// Empty books.
    pub fn new(title: &str) -> Self {
        Self { title: title.to_owned(), sorted: true, ..Self::default() }
    }

    /// Whose books they are.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The commodity of that code, entered when it is new.
    ///
    /// # Panics
    /// When it is known with another number of places.
    pub fn commodity(&mut self, code: &str, places: u8) -> CommodityId {
        let found = self.commodities.iter().position(|known| known.code == code);
        let place = found.unwrap_or_else(|| {
            self.commodities.push(Commodity { code: code.to_owned(), places });
            self.commodities.len() - 1
        });
        assert!(
            self.commodities[place].places == places,
            "{code} has one number of places"
        );
        CommodityId(u16::try_from(place).expect("few commodities"))
    }

    /// The account of that name, entered when it is new.
    ///
    /// Parts are names people gave; what an accounting program would not read in
    /// them is replaced, and two names that would then be the same stay apart.
    ///
    /// # Panics
    /// When it is known with another commodity.
    pub fn account(
        &mut self,
        root: Root,
        parts: &[&str],
        commodity: CommodityId,
    ) -> AccountId {
        let mut name = root.name().to_owned();
        for part in parts {
            let safe = safe_part(part);
            let mut tried = format!("{name}:{safe}");
            let mut again = 1;
            while self.meant_by.get(&tried).is_some_and(|meant| meant != part) {
                again += 1;
                tried = format!("{name}:{safe}-{again}");
            }
            if !self.meant_by.contains_key(&tried) {
                self.meant_by.insert(tried.clone(), (*part).to_owned());
            }
            name = tried;
        }
        if let Some(found) = self.place_of.get(&name) {
            assert!(
                self.accounts[found.0 as usize].commodity == commodity,
                "{name} is of one commodity"
            );
            return *found;
        }
        let id = AccountId(u32::try_from(self.accounts.len()).expect("few accounts"));
        self.place_of.insert(name.clone(), id);
        self.accounts.push(Account { root, name, commodity });
        self.balances.push(0);
        id
    }

    /// The account of that name, where it is known.
    pub fn find(&self, root: Root, parts: &[&str]) -> Option<AccountId> {
        let mut name = root.name().to_owned();
        for part in parts {
            let safe = safe_part(part);
            let spelled = (1..).map(|again| match again {
                1 => format!("{name}:{safe}"),
                again => format!("{name}:{safe}-{again}"),
            });
            let meant = spelled.map(|tried| (self.meant_by.get(&tried).cloned(), tried));
            let mut meant = meant.take_while(|(meant, _)| meant.is_some());
            name = meant.find(|(meant, _)| meant.as_deref() == Some(*part))?.1;
        }
        self.named(&name)
    }

    /// Posts an entry. Accounts that occur twice are added up, amounts of nothing
    /// are left out, and an entry of nothing is none.
    ///
    /// # Panics
    /// When it does not sum to nothing in every commodity.
    pub fn post(
        &mut self,
        date: Date,
        id: &str,
        text: &str,
        postings: &[(AccountId, i64)],
    ) {
        let mut kept: Vec<(AccountId, i64)> = Vec::with_capacity(postings.len());
        for (account, amount) in postings {
            match kept.iter_mut().find(|(known, _)| known == account) {
                Some((_, sum)) => *sum = sum.checked_add(*amount).expect("amounts fit"),
                None => kept.push((*account, *amount)),
            }
        }
        kept.retain(|(_, amount)| *amount != 0);
        if kept.is_empty() {
            return;
        }
        for (account, _) in &kept {
            let commodity = self.get(*account).commodity;
            let of = kept.iter().filter(|(a, _)| self.get(*a).commodity == commodity);
            let sum: i128 = of.map(|(_, amount)| i128::from(*amount)).sum();
            assert!(
                sum == 0,
                "entry {id} of {date} sums to nothing, found {sum} in {}",
                self.commodities[commodity.0 as usize].code
            );
        }
        for (account, amount) in &kept {
            let balance = &mut self.balances[account.0 as usize];
            *balance = balance.checked_add(*amount).expect("a balance fits 64 bits");
        }
        self.sorted &= self.entries.last().is_none_or(|last| last.date <= date);
        self.entries.push(Entry {
            date,
            id: id.to_owned(),
            text: text.to_owned(),
            postings: kept,
        });
    }

    /// Puts the entries in the order of their days; of one day, as they were posted.
    pub fn sort(&mut self) {
        if !self.sorted {
            self.entries.sort_by_key(|entry| entry.date);
            self.sorted = true;
        }
    }

    /// The entries, in the order of their days once sorted.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The accounts, in the order they were entered.
    pub fn accounts(&self) -> impl Iterator<Item = (AccountId, &Account)> {
        (0..).map(AccountId).zip(&self.accounts)
    }

    /// The commodities, in the order they were entered.
    pub fn commodities(&self) -> &[Commodity] {
        &self.commodities
    }

    /// An account by its place.
    pub fn get(&self, account: AccountId) -> &Account {
        &self.accounts[account.0 as usize]
    }

    /// What an account counts.
    pub fn commodity_of(&self, account: AccountId) -> &Commodity {
        &self.commodities[self.get(account).commodity.0 as usize]
    }

    /// What all postings to an account come to.
    pub fn balance(&self, account: AccountId) -> i64 {
        self.balances[account.0 as usize]
    }

    /// The account of that whole name.
    pub fn named(&self, name: &str) -> Option<AccountId> {
        self.place_of.get(name).copied()
    }

    /// An amount as text with its commodity's places, without the code.
    pub fn amount(&self, account: AccountId, amount: i64) -> String {
        let places = u32::from(self.commodity_of(account).places);
        units::decimal::text(i128::from(amount), places, places)
    }
}

impl AccountId {
    /// The account's place among a book's accounts.
    pub const fn place(self) -> usize {
        self.0 as usize
    }
}

/// A part of an account's name that accounting programs read: letters, digits and
/// dashes, beginning with a capital or a digit.
fn safe_part(part: &str) -> String {
    let mut safe: String =
        part.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    match safe.chars().next() {
        Some(first) if first.is_ascii_alphanumeric() => {
            safe.replace_range(..1, &first.to_ascii_uppercase().to_string());
        }
        Some(_) | None => safe.insert(0, 'X'),
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_alike_stay_apart() {
        let mut book = Book::new("a site");
        let usd = book.commodity("USD", 2);
        let names = ["tranche 1", "tranche/1", "tranche-1", "Tranche 1", "é", "", "*"];
        let ids: Vec<AccountId> =
            names.map(|name| book.account(Root::Assets, &[name], usd)).to_vec();
        for (place, id) in ids.iter().enumerate() {
            assert_eq!(ids.iter().position(|other| other == id), Some(place));
            assert_eq!(book.account(Root::Assets, &[names[place]], usd), *id);
        }
        let first = &book.get(ids[0]).name;
        assert_eq!(first, "Assets:Tranche-1");
        assert_eq!(book.get(ids[4]).name, "Assets:X-");
    }

    #[test]
    #[should_panic(expected = "sums to nothing, found 1 in USD")]
    fn an_entry_that_is_a_cent_off_stops_the_program() {
        let mut book = Book::new("a site");
        let usd = book.commodity("USD", 2);
        let bank = book.account(Root::Assets, &["Bank"], usd);
        let fees = book.account(Root::Income, &["Fees"], usd);
        let day = Date::new(2026, 4, 30).expect("a day");
        book.post(day, "fee-1", "April", &[(bank, 101), (fees, -100)]);
    }
}
