//! What power costs and grid programmes pay: accrued by the month, then billed.
//!
//! A month is accrued from what was metered. When the retailer's or the scheduling
//! entity's bill comes, it takes the accrual's place, charge by charge, and every
//! difference is a line with its cause. Differences within the tolerance are trued
//! up; others are in dispute, as an asset, until somebody decides. Nothing is a plug:
//! the causes of a charge sum to its difference exactly.

use super::{Book, Root};
use crate::calendar::{Date, Period};
use crate::exact::{Exact, Rounding};
use std::collections::{BTreeMap, BTreeSet};

/// Whether a charge is paid or received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChargeKind {
    /// It is paid.
    Cost,
    /// A grid programme pays it; a bill shows it below nothing.
    Revenue,
}

/// One charge of a month, from what was metered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accrual {
    /// The month.
    pub period: Period,
    /// What the bill will call it.
    pub charge: String,
    /// Paid or received.
    pub kind: ChargeKind,
    /// The energy it is for, in watt-hours.
    pub wh: Option<i64>,
    /// Minor units, positive is paid.
    pub amount: i64,
}

/// One row of a bill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillLine {
    /// What for.
    pub charge: String,
    /// The energy billed, in watt-hours.
    pub wh: Option<i64>,
    /// The rate per MWh, in units of the currency.
    pub per_mwh: Option<Exact>,
    /// Minor units, positive is paid.
    pub amount: i64,
}

/// A bill for a month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bill {
    /// Its number; once for a biller.
    pub number: String,
    /// The day it is dated.
    pub date: Date,
    /// The month it is for.
    pub period: Period,
    /// Its rows.
    pub lines: Vec<BillLine>,
    /// The total it states, where it does.
    pub total: Option<i64>,
    /// When it was paid, if it was.
    pub paid: Option<Date>,
    /// The earlier bill of the month whose place it takes: a resettlement.
    pub replaces: Option<String>,
}

/// What a person decided about a bill's disputed differences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The bill.
    pub bill: String,
    /// When.
    pub date: Date,
    /// Who.
    pub by: String,
    /// True: the bill is right, and they are a cost. False: the biller takes them back.
    pub accepted: bool,
}

/// Why a bill is not what was accrued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Another amount of energy.
    Quantity,
    /// Another price.
    Price,
    /// The bill's own figures do not multiply.
    Arithmetic,
    /// A charge that nothing was accrued for.
    NotAccrued,
    /// A charge that was accrued and is not on the bill.
    NotBilled,
    /// The rows do not sum to the total.
    Total,
    /// A charge without energy has another amount.
    Amount,
    /// Less than a minor unit, from rounding the same figures.
    Rounding,
}

/// A part of the difference between a bill and what was accrued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The charge; the whole bill for [`Cause::Total`].
    pub charge: String,
    /// Why.
    pub cause: Cause,
    /// Billed less accrued, in minor units.
    pub amount: i64,
    /// How it comes about, in words.
    pub text: String,
    /// Whether it waits for somebody to decide.
    pub disputed: bool,
}

/// Where a bill is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BillState {
    /// Nothing of it is in dispute.
    Agreed,
    /// So much of it waits for a decision, in minor units.
    Disputed(i64),
    /// What was in dispute was accepted.
    Accepted(Decision),
    /// What was in dispute was taken back.
    TakenBack(Decision),
}

/// A bill against what was accrued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconciled {
    /// The bill's number.
    pub number: String,
    /// The month.
    pub period: Period,
    /// What was accrued and not billed before, in minor units.
    pub accrued: i64,
    /// What was billed.
    pub billed: i64,
    /// The differences; they sum to billed less accrued.
    pub differences: Vec<Difference>,
    /// Where it is.
    pub state: BillState,
}

/// Everything about one biller.
#[derive(Clone, Debug)]
pub struct Power<'p> {
    /// The biller's name.
    pub biller: &'p str,
    /// The currency's code and places.
    pub currency: (&'p str, u8),
    /// What was accrued.
    pub accruals: &'p [Accrual],
    /// The bills, in any order.
    pub bills: &'p [Bill],
    /// What was decided.
    pub decisions: &'p [Decision],
    /// The share of a charge up to which a difference of energy or price is trued up.
    pub tolerance: Exact,
}

impl Cause {
    /// The cause's name in accounts and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quantity => "Quantity",
            Self::Price => "Price",
            Self::Arithmetic => "Arithmetic",
            Self::NotAccrued => "NotAccrued",
            Self::NotBilled => "NotBilled",
            Self::Total => "Total",
            Self::Amount => "Amount",
            Self::Rounding => "Rounding",
        }
    }
}

impl Bill {
    /// What is to be paid: the stated total, or the sum of the rows.
    pub fn payable(&self) -> i64 {
        self.total.unwrap_or_else(|| self.rows())
    }

    fn rows(&self) -> i64 {
        self.lines.iter().map(|line| line.amount).sum()
    }

    /// Its rows, as what a bill that replaces it is held against.
    fn charges(&self) -> Charges {
        let mut charges = Charges::new();
        for line in &self.lines {
            let entry = charges.entry(line.charge.clone()).or_insert((None, 0));
            if let Some(wh) = line.wh {
                *entry.0.get_or_insert(0) += wh;
            }
            entry.1 += line.amount;
        }
        charges
    }
}

/// Posts accruals and bills, and says how each bill came out.
///
/// # Errors
/// In words, when two bills have the same number, or a decision is about none.
pub fn post(book: &mut Book, power: &Power<'_>) -> Result<Vec<Reconciled>, String> {
    let (code, places) = power.currency;
    let money = book.commodity(code, places);
    let biller = power.biller;
    let accrued = book.account(Root::Liabilities, &["AccruedPower", biller], money);
    let payable = book.account(Root::Liabilities, &["Payable", biller], money);
    let disputed = book.account(Root::Assets, &["DisputedCharges", biller], money);
    let bank = book.account(Root::Assets, &["Bank", code], money);
    let expense = |book: &mut Book, kind: ChargeKind, charge: &str| match kind {
        ChargeKind::Cost => {
            book.account(Root::Expenses, &["Power", "Accrued", biller, charge], money)
        }
        ChargeKind::Revenue => {
            book.account(Root::Income, &["Grid", biller, charge], money)
        }
    };
    for (place, one) in power.accruals.iter().enumerate() {
        let day = one.period.next().first_day().plus_days(-1);
        let account = expense(book, one.kind, &one.charge);
        let id = format!("power-{biller}-{}-{}-{}", one.period, one.charge, place + 1);
        let text = format!("{} of {}, as metered", one.charge, one.period);
        book.post(day, &id, &text, &[(account, one.amount), (accrued, -one.amount)]);
    }
    let mut bills: Vec<&Bill> = power.bills.iter().collect();
    bills.sort_by(|a, b| (a.date, &a.number).cmp(&(b.date, &b.number)));
    let mut numbers = BTreeSet::new();
    let mut open = open_accruals(power.accruals);
    let mut earlier: BTreeMap<&str, (i64, Charges)> = BTreeMap::new();
    let mut reconciled = Vec::new();
    for bill in bills {
        let number = &bill.number;
        if !numbers.insert(number.as_str()) {
            return Err(format!(
                "bill {number}: expected each number once, found it twice with other content"
            ));
        }
        // A bill takes the place of what was accrued, or of the bill it replaces.
        let (taken, (was, charges)) = match &bill.replaces {
            None => {
                let charges = open.remove(&bill.period).unwrap_or_default();
                let was = charges.values().map(|(_, amount)| amount).sum();
                (accrued, (was, charges))
            }
            Some(replaced) => match earlier.remove(replaced.as_str()) {
                Some(replaced) => (payable, replaced),
                None => {
                    return Err(format!(
                        "bill {number}: expected an earlier bill that it replaces and that \
                         none replaced before, found {replaced}"
                    ));
                }
            },
        };
        let differences = differences(power, bill, was, &charges);
        let billed = bill.payable();
        let mut postings = vec![(taken, was), (payable, -billed)];
        earlier.insert(number, (billed, bill.charges()));
        let mut waits = 0;
        for difference in &differences {
            let account = if difference.disputed {
                waits += difference.amount;
                disputed
            } else {
                let name = ["Power", "TrueUp", biller, difference.cause.name()];
                book.account(Root::Expenses, &name, money)
            };
            postings.push((account, difference.amount));
        }
        let text = format!("bill of {}", bill.period);
        book.post(bill.date, &format!("bill-{biller}-{number}"), &text, &postings);
        if let Some(day) = bill.paid {
            let paid = [(payable, billed), (bank, -billed)];
            book.post(day, &format!("bill-{biller}-{number}-paid"), "paid", &paid);
        }
        let decided = power.decisions.iter().rev().find(|one| one.bill == *number);
        let any = differences.iter().any(|difference| difference.disputed);
        let state = match decided.filter(|_| any) {
            None if any => BillState::Disputed(waits),
            None => BillState::Agreed,
            Some(decision) => {
                let against: Vec<_> = if decision.accepted {
                    let causes = differences.iter().filter(|one| one.disputed);
                    let causes = causes.map(|one| {
                        let name = ["Power", "TrueUp", biller, one.cause.name()];
                        (book.account(Root::Expenses, &name, money), one.amount)
                    });
                    causes.collect()
                } else {
                    vec![(payable, waits)]
                };
                let text = format!(
                    "{}, decided by {}",
                    if decision.accepted { "accepted" } else { "taken back" },
                    decision.by
                );
                let postings = [against, vec![(disputed, -waits)]].concat();
                let id = format!("bill-{biller}-{number}-decided");
                book.post(decision.date.max(bill.date), &id, &text, &postings);
                if decision.accepted {
                    BillState::Accepted(decision.clone())
                } else {
                    BillState::TakenBack(decision.clone())
                }
            }
        };
        reconciled.push(Reconciled {
            number: number.clone(),
            period: bill.period,
            accrued: was,
            billed,
            differences,
            state,
        });
    }
    for decision in power.decisions {
        if !numbers.contains(decision.bill.as_str()) {
            return Err(format!(
                "decision of {}: expected the number of a bill of {biller}, found {}",
                decision.date, decision.bill
            ));
        }
    }
    Ok(reconciled)
}

/// Energy and amount by charge.
type Charges = BTreeMap<String, (Option<i64>, i64)>;

/// What was accrued, by month.
fn open_accruals(accruals: &[Accrual]) -> BTreeMap<Period, Charges> {
    let mut open: BTreeMap<Period, Charges> = BTreeMap::new();
    for one in accruals {
        let charges = open.entry(one.period).or_default();
        let entry = charges.entry(one.charge.clone()).or_insert((None, 0));
        if let Some(wh) = one.wh {
            *entry.0.get_or_insert(0) += wh;
        }
        entry.1 += one.amount;
    }
    open
}

/// How a bill differs from what it takes the place of, charge by charge.
fn differences(
    power: &Power<'_>,
    bill: &Bill,
    was: i64,
    accruals: &Charges,
) -> Vec<Difference> {
    let mut found = Vec::new();
    let charges: BTreeSet<&str> =
        bill.lines.iter().map(|line| line.charge.as_str()).collect();
    for charge in charges {
        let lines: Vec<&BillLine> =
            bill.lines.iter().filter(|line| line.charge == charge).collect();
        charge_differences(power, charge, &lines, accruals.get(charge), &mut found);
    }
    for (charge, (_, amount)) in accruals {
        if !bill.lines.iter().any(|line| line.charge == *charge) && *amount != 0 {
            let text = "accrued and not on the bill".to_owned();
            found.push(Difference {
                charge: charge.clone(),
                cause: Cause::NotBilled,
                amount: -amount,
                text,
                disputed: true,
            });
        }
    }
    // What the earlier bill stated beyond its own rows goes with it.
    let before: i64 = was - accruals.values().map(|(_, amount)| amount).sum::<i64>();
    let off = bill.payable() - bill.rows() - before;
    if off != 0 {
        found.push(Difference {
            charge: "the whole bill".to_owned(),
            cause: Cause::Total,
            amount: off,
            text: format!(
                "its rows come to {} and it states {}",
                bill.rows(),
                bill.payable()
            ),
            disputed: true,
        });
    }
    found
}

fn charge_differences(
    power: &Power<'_>,
    charge: &str,
    lines: &[&BillLine],
    accrued: Option<&(Option<i64>, i64)>,
    found: &mut Vec<Difference>,
) {
    let per = Exact::whole(10_i128.pow(u32::from(power.currency.1)));
    let minor = |exact: Exact| {
        i64::try_from(exact.rounded(Rounding::HalfUp)).expect("an amount fits")
    };
    let mwh = |wh: i64| Exact::ratio(wh.into(), 1_000_000);
    let mut push = |cause, amount: i64, text: String, disputed| {
        if amount != 0 {
            let charge = charge.to_owned();
            found.push(Difference { charge, cause, amount, text, disputed });
        }
    };
    let billed: i64 = lines.iter().map(|line| line.amount).sum();
    // A row whose own figures do not multiply is set right first.
    let mut right = 0;
    for line in lines {
        let figured =
            line.wh.zip(line.per_mwh).map(|(wh, rate)| minor(mwh(wh) * rate * per));
        let figured = figured.unwrap_or(line.amount);
        right += figured;
        let off = line.amount - figured;
        let rounding = off.abs() <= 1;
        let cause = if rounding { Cause::Rounding } else { Cause::Arithmetic };
        let text = format!(
            "its own energy and rate come to {figured}, it states {}",
            line.amount
        );
        push(cause, off, text, !rounding);
    }
    let Some((accrued_wh, accrued)) = accrued else {
        push(Cause::NotAccrued, right, "nothing was accrued for it".to_owned(), true);
        return;
    };
    let difference = right - accrued;
    let within = |part: i64| {
        let part = Exact::whole(i128::from(part.abs()));
        part <= power.tolerance * Exact::whole(i128::from(accrued.abs()))
    };
    let billed_wh: Option<i64> = lines.iter().map(|line| line.wh).sum();
    let (Some(metered), Some(counted)) = (*accrued_wh, billed_wh) else {
        let text = format!("accrued {accrued}, billed {billed}");
        push(Cause::Amount, difference, text, !within(difference));
        return;
    };
    // The other energy at the bill's mean rate; what is left is the price.
    let quantity = if counted == 0 {
        if metered == 0 { 0 } else { -accrued }
    } else {
        let more = Exact::ratio((counted - metered).into(), counted.into());
        minor(Exact::whole(right.into()) * more)
    };
    let price = difference - quantity;
    let text = format!("metered {metered} Wh, billed {counted} Wh");
    push(Cause::Quantity, quantity, text, !within(quantity));
    let rounding = price.abs() <= 1;
    let cause = if rounding { Cause::Rounding } else { Cause::Price };
    let text = "another rate for the energy that was metered".to_owned();
    push(cause, price, text, !rounding && !within(price));
}
