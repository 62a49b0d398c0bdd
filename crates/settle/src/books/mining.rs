//! What mining earned, and what the pool paid.
//!
//! A day's reward is revenue at its worth on that day, and owed by the pool in
//! satoshis. A payout is held against the days it says it is for; a difference is a
//! line with its cause: fewer shares counted, another fee, or nothing the pool gave a
//! reason for. What is short beyond the tolerance stays an asset, in dispute, until
//! the pool pays it or somebody gives it up.
//!
//! Bitcoin and money are each zero-sum; the two meet in `Equity:Exchange`.

use super::{AccountId, Book, Root};
use crate::calendar::Date;
use crate::exact::{Exact, Rounding};
use std::collections::BTreeMap;

/// What one day earned at one pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earned {
    /// The day.
    pub day: Date,
    /// The pool.
    pub pool: String,
    /// Hashes delivered, in GH, where they were counted.
    pub hashes_gh: Option<i64>,
    /// The reward after the agreed fee.
    pub satoshis: i64,
    /// Its worth on the day, in minor units.
    pub worth: i64,
}

/// What a pool paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payout {
    /// Its name at the pool; once for a pool.
    pub id: String,
    /// The day it came.
    pub date: Date,
    /// The pool.
    pub pool: String,
    /// The first day it is for.
    pub from: Date,
    /// The last day it is for.
    pub to: Date,
    /// What came.
    pub satoshis: i64,
    /// Hashes the pool counted, in GH, where it says so.
    pub hashes_gh: Option<i64>,
    /// The fee it took, as a share, where it says so.
    pub fee: Option<Exact>,
    /// The payout whose shortfall this makes good, where it does.
    pub makes_good: Option<String>,
}

/// Somebody gave up what a pool is short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenUp {
    /// The payout that was short.
    pub payout: String,
    /// When.
    pub date: Date,
    /// Who.
    pub by: String,
}

/// Why a payout is not what was earned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The pool counted other hashes.
    Hashes,
    /// The pool took another fee.
    Fee,
    /// The pool gives no reason.
    Unexplained,
}

/// Where a payout is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayoutState {
    /// It is what was earned, within the tolerance.
    Agreed,
    /// So many satoshis are short (below nothing: too many), and claimed.
    Short(i64),
    /// What was short came later.
    MadeGood,
    /// What was short was given up.
    GivenUp(GivenUp),
}

/// A payout against what was earned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconciled {
    /// The payout.
    pub id: String,
    /// The pool.
    pub pool: String,
    /// Satoshis earned on its days and not paid before.
    pub earned: i64,
    /// Satoshis paid.
    pub paid: i64,
    /// Paid less earned, by cause.
    pub differences: Vec<(Cause, i64)>,
    /// Where it is.
    pub state: PayoutState,
}

/// Everything about mining.
#[derive(Clone, Debug)]
pub struct Mining<'m> {
    /// The currency's code and places.
    pub currency: (&'m str, u8),
    /// What was earned.
    pub earned: &'m [Earned],
    /// What was paid, in any order.
    pub payouts: &'m [Payout],
    /// What was given up.
    pub given_up: &'m [GivenUp],
    /// The fee agreed with each pool, as a share.
    pub fees: &'m BTreeMap<String, Exact>,
    /// The share of what was earned up to which a difference is let pass.
    pub tolerance: Exact,
}

impl Cause {
    /// The cause's name in accounts and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hashes => "Hashes",
            Self::Fee => "Fee",
            Self::Unexplained => "Unexplained",
        }
    }
}

/// A pool's accounts.
struct Accounts {
    receivable: AccountId,
    disputed: AccountId,
    wallet: AccountId,
    exchange: AccountId,
    exchange_money: AccountId,
    income: AccountId,
    difference: AccountId,
}

impl Accounts {
    fn of(book: &mut Book, pool: &str, currency: (&str, u8)) -> Self {
        let bitcoin = book.commodity("BTC", 8);
        let money = book.commodity(currency.0, currency.1);
        Self {
            receivable: book.account(Root::Assets, &["Pool", "Earned", pool], bitcoin),
            disputed: book.account(Root::Assets, &["Pool", "Disputed", pool], bitcoin),
            wallet: book.account(Root::Assets, &["Bitcoin"], bitcoin),
            exchange: book.account(Root::Equity, &["Exchange", "BTC"], bitcoin),
            exchange_money: book.account(Root::Equity, &["Exchange", currency.0], money),
            income: book.account(Root::Income, &["Mining", pool], money),
            difference: book.account(
                Root::Income,
                &["Contra", "PoolDifference", pool],
                money,
            ),
        }
    }
}

fn rounded(exact: Exact) -> i64 {
    i64::try_from(exact.rounded(Rounding::HalfUp)).expect("an amount fits")
}

/// `amount x part / whole`, rounded.
fn share(amount: i64, part: i64, whole: i64) -> i64 {
    if whole == 0 {
        return 0;
    }
    rounded(Exact::ratio(i128::from(amount) * i128::from(part), whole.into()))
}

/// Posts what was earned and paid, and says how each payout came out.
///
/// # Errors
/// In words, when a payout has the id of another or ends before it begins, or something
/// names a payout that is not there. Days that were paid already are not earned again: a
/// second payout for them is too much.
pub fn post(book: &mut Book, mining: &Mining<'_>) -> Result<Vec<Reconciled>, String> {
    let mut open: BTreeMap<(&str, Date), (Option<i64>, i64, i64)> = BTreeMap::new();
    for (place, one) in mining.earned.iter().enumerate() {
        let accounts = Accounts::of(book, &one.pool, mining.currency);
        let id = format!("mining-{}-{}-{}", one.pool, one.day, place + 1);
        let postings = [
            (accounts.receivable, one.satoshis),
            (accounts.exchange, -one.satoshis),
            (accounts.exchange_money, one.worth),
            (accounts.income, -one.worth),
        ];
        book.post(one.day, &id, "mined, at the worth of the day", &postings);
        let day = open.entry((&one.pool, one.day)).or_insert((Some(0), 0, 0));
        day.0 = day.0.zip(one.hashes_gh).map(|(sum, more)| sum + more);
        day.1 += one.satoshis;
        day.2 += one.worth;
    }
    let mut payouts: Vec<&Payout> = mining.payouts.iter().collect();
    payouts.sort_by(|a, b| (a.date, &a.id).cmp(&(b.date, &b.id)));
    let mut reconciled: Vec<Reconciled> = Vec::new();
    let mut worths: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for payout in payouts {
        let id = &payout.id;
        if reconciled.iter().any(|one| one.id == *id && one.pool == payout.pool) {
            return Err(format!(
                "payout {id}: expected each id once, found it twice with other content"
            ));
        }
        let accounts = Accounts::of(book, &payout.pool, mining.currency);
        let entry = format!("payout-{}-{id}", payout.pool);
        if let Some(short) = &payout.makes_good {
            let found = reconciled
                .iter_mut()
                .find(|one| one.id == *short && one.pool == payout.pool);
            let Some(found) = found else {
                return Err(format!(
                    "payout {id}: expected an earlier payout of {} that it makes good, \
                     found {short}",
                    payout.pool
                ));
            };
            let left = match found.state {
                PayoutState::Short(left) => left - payout.satoshis,
                PayoutState::Agreed | PayoutState::MadeGood | PayoutState::GivenUp(_) => {
                    return Err(format!(
                        "payout {id}: expected {short} to be short, found that it is not"
                    ));
                }
            };
            found.state =
                if left == 0 { PayoutState::MadeGood } else { PayoutState::Short(left) };
            let postings = [
                (accounts.wallet, payout.satoshis),
                (accounts.disputed, -payout.satoshis),
            ];
            let text = format!("makes good what {short} was short");
            book.post(payout.date, &entry, &text, &postings);
            reconciled.push(Reconciled {
                id: id.clone(),
                pool: payout.pool.clone(),
                earned: 0,
                paid: payout.satoshis,
                differences: Vec::new(),
                state: PayoutState::Agreed,
            });
            continue;
        }
        if payout.to < payout.from {
            return Err(format!(
                "payout {id}: expected a last day of {} or later, found {}",
                payout.from, payout.to
            ));
        }
        let pool = payout.pool.as_str();
        let days: Vec<Date> = open
            .range((pool, payout.from)..=(pool, payout.to))
            .map(|(key, _)| key.1)
            .collect();
        let mut sum = (Some(0), 0, 0);
        for day in days {
            let known = open.remove(&(pool, day)).expect("it was found");
            sum.0 = sum.0.zip(known.0).map(|(sum, more)| sum + more);
            sum.1 += known.1;
            sum.2 += known.2;
        }
        let (hashes, earned, worth) = sum;
        let differences = differences(mining, payout, hashes, earned);
        let off = payout.satoshis - earned;
        let tolerated = mining.tolerance * Exact::whole(earned.into());
        let agreed = Exact::whole(i128::from(off.abs())) <= tolerated;
        worths.insert(format!("{pool}/{id}"), (earned, worth));
        let mut postings =
            vec![(accounts.wallet, payout.satoshis), (accounts.receivable, -earned)];
        if agreed {
            let value = share(worth, off, earned);
            postings.extend([
                (accounts.exchange, -off),
                (accounts.exchange_money, value),
                (accounts.difference, -value),
            ]);
        } else {
            postings.push((accounts.disputed, -off));
        }
        let text = format!("paid for {} to {}", payout.from, payout.to);
        book.post(payout.date, &entry, &text, &postings);
        let state = if agreed { PayoutState::Agreed } else { PayoutState::Short(-off) };
        reconciled.push(Reconciled {
            id: id.clone(),
            pool: payout.pool.clone(),
            earned,
            paid: payout.satoshis,
            differences,
            state,
        });
    }
    for given_up in mining.given_up {
        let found = reconciled.iter_mut().find(|one| one.id == given_up.payout);
        let Some(found) = found else {
            return Err(format!(
                "given up on {}: expected the id of a payout, found {}",
                given_up.date, given_up.payout
            ));
        };
        let PayoutState::Short(left) = found.state else { continue };
        let accounts = Accounts::of(book, &found.pool, mining.currency);
        let key = format!("{}/{}", found.pool, found.id);
        let (earned, worth) = worths.get(&key).copied().unwrap_or_default();
        let value = share(worth, left, earned);
        let postings = [
            (accounts.disputed, -left),
            (accounts.exchange, left),
            (accounts.exchange_money, -value),
            (accounts.difference, value),
        ];
        let id = format!("payout-{}-{}-given-up", found.pool, found.id);
        let text = format!("given up by {}", given_up.by);
        book.post(given_up.date, &id, &text, &postings);
        found.state = PayoutState::GivenUp(given_up.clone());
    }
    Ok(reconciled)
}

/// Paid less earned, by cause; the causes sum to the difference.
fn differences(
    mining: &Mining<'_>,
    payout: &Payout,
    hashes: Option<i64>,
    earned: i64,
) -> Vec<(Cause, i64)> {
    let off = payout.satoshis - earned;
    let mut left = off;
    let mut found = Vec::new();
    let mut counted = Exact::ONE;
    if let (Some(ours), Some(theirs)) =
        (hashes.filter(|ours| *ours > 0), payout.hashes_gh)
    {
        counted = Exact::ratio(theirs.into(), ours.into());
        let part = rounded(Exact::whole(earned.into()) * (counted - Exact::ONE));
        found.push((Cause::Hashes, part));
        left -= part;
    }
    if let (Some(agreed), Some(taken)) = (mining.fees.get(&payout.pool), payout.fee)
        && *agreed < Exact::ONE
    {
        // What was earned is after the agreed fee; the fee is on what came before it.
        let gross = Exact::whole(earned.into()) / (Exact::ONE - *agreed) * counted;
        let part = rounded(gross * (*agreed - taken));
        found.push((Cause::Fee, part));
        left -= part;
    }
    found.push((Cause::Unexplained, left));
    found.retain(|(_, part)| *part != 0);
    found
}
