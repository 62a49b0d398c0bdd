//! A site's books as a person reads them: accounts, differences, revenue, what a lender
//! asks, and what was checked.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};
use settle::books::mining::PayoutState;
use settle::books::power::BillState;
use settle::calendar::Period;
use settle::revenue::{Schedule, remaining};
use units::decimal;

use super::figures::grouped;
use crate::books::worth::{self, Estate};
use crate::books::{Books, OneContract};

fn minor(amount: i64, places: u8) -> String {
    let places = u32::from(places);
    decimal::text(i128::from(amount), places, places)
}

/// Every account with its commodity, what it comes to, and what moved it month by month.
pub fn accounts(books: &Books) -> Value {
    let moved = roll_forward(books);
    let each = books.book.accounts().map(|(id, account)| {
        let commodity = books.book.commodity_of(id);
        let months = moved.get(&id.place()).into_iter().flatten();
        let months: Vec<Value> = months
            .map(|(period, row)| {
                json!({
                    "month": period.to_string(),
                    "opening": minor(row.opening, commodity.places),
                    "debits": minor(row.debits, commodity.places),
                    "credits": minor(row.credits, commodity.places),
                    "closing": minor(row.closing(), commodity.places),
                })
            })
            .collect();
        json!({
            "account": account.name,
            "commodity": commodity.code,
            "balance": minor(books.book.balance(id), commodity.places),
            "months": months,
        })
    });
    json!({
        "site": books.book.title(),
        "entries": books.book.entries().len(),
        "accounts": each.collect::<Vec<_>>(),
    })
}

/// What moved an account in a month; debits are positive, credits below nothing.
#[derive(Clone, Copy, Debug, Default)]
struct Moved {
    opening: i64,
    debits: i64,
    credits: i64,
}

impl Moved {
    fn closing(&self) -> i64 {
        self.opening + self.debits + self.credits
    }
}

/// Each account's months in which something moved it, by the account's place.
fn roll_forward(books: &Books) -> BTreeMap<usize, BTreeMap<Period, Moved>> {
    let mut accounts: BTreeMap<usize, BTreeMap<Period, Moved>> = BTreeMap::new();
    for entry in books.book.entries() {
        for (account, amount) in &entry.postings {
            let months = accounts.entry(account.place()).or_default();
            let last = months.last_key_value().map_or(0, |(_, last)| last.closing());
            let month = months
                .entry(entry.date.period())
                .or_insert(Moved { opening: last, ..Moved::default() });
            if *amount > 0 {
                month.debits += amount;
            } else {
                month.credits += amount;
            }
        }
    }
    accounts
}

/// The accounts on a page.
pub fn accounts_text(books: &Books) -> String {
    let mut text =
        format!("{}: {} entries\n\n", books.book.title(), books.book.entries().len());
    let mut rows: Vec<(String, String)> = books
        .book
        .accounts()
        .filter(|(id, _)| books.book.entries().is_empty() || books.book.balance(*id) != 0)
        .map(|(id, account)| {
            let commodity = books.book.commodity_of(id);
            let amount = minor(books.book.balance(id), commodity.places);
            (account.name.clone(), format!("{} {:6}", grouped(&amount), commodity.code))
        })
        .collect();
    rows.sort();
    for (name, amount) in rows {
        let _ = writeln!(text, "{name:64} {amount:>35}");
    }
    text
}

/// How bills and payouts came out.
pub fn reconciled(books: &Books) -> Value {
    let money = |amount: i64| minor(amount, books.currency.places);
    let bitcoin = |amount: i64| minor(amount, 8);
    let bills = books
        .bills
        .iter()
        .flat_map(|(biller, bills)| bills.iter().map(move |bill| (biller, bill)));
    let bills = bills.map(|(biller, bill)| {
        let differences = bill.differences.iter().map(|one| {
            json!({
                "charge": one.charge,
                "cause": one.cause.name(),
                "amount": money(one.amount),
                "why": one.text,
                "disputed": one.disputed,
            })
        });
        let (state, waits) = bill_state(&bill.state);
        json!({
            "biller": biller,
            "bill": bill.number,
            "month": bill.period.to_string(),
            "accrued": money(bill.accrued),
            "billed": money(bill.billed),
            "state": state,
            "waits_for_a_decision": waits.map(money),
            "differences": differences.collect::<Vec<_>>(),
        })
    });
    let payouts = books.payouts.iter().map(|payout| {
        let causes = payout.differences.iter();
        let causes = causes
            .map(|(cause, part)| json!({"cause": cause.name(), "btc": bitcoin(*part)}));
        let (state, short) = payout_state(&payout.state);
        json!({
            "pool": payout.pool,
            "payout": payout.id,
            "earned_btc": bitcoin(payout.earned),
            "paid_btc": bitcoin(payout.paid),
            "state": state,
            "short_btc": short.map(bitcoin),
            "differences": causes.collect::<Vec<_>>(),
        })
    });
    json!({
        "bills": bills.collect::<Vec<_>>(),
        "payouts": payouts.collect::<Vec<_>>(),
        "documents": documents(books),
    })
}

/// Where the documents of a register are.
fn documents(books: &Books) -> Vec<Value> {
    let kept = books.contracts.iter().filter_map(|one| one.register.as_ref());
    kept.flat_map(|(_, register)| register.documents())
        .map(|document| {
            json!({
                "number": document.number,
                "month": document.period.to_string(),
                "state": document.state.to_string(),
                "corrects": document.corrects,
            })
        })
        .collect()
}

fn bill_state(state: &BillState) -> (String, Option<i64>) {
    match state {
        BillState::Agreed => ("agreed".to_owned(), None),
        BillState::Disputed(amount) => ("disputed".to_owned(), Some(*amount)),
        BillState::Accepted(one) => {
            (format!("accepted by {} on {}", one.by, one.date), None)
        }
        BillState::TakenBack(one) => {
            (format!("taken back, decided by {} on {}", one.by, one.date), None)
        }
    }
}

fn payout_state(state: &PayoutState) -> (String, Option<i64>) {
    match state {
        PayoutState::Agreed => ("agreed".to_owned(), None),
        PayoutState::Short(short) if *short < 0 => {
            ("paid too much".to_owned(), Some(*short))
        }
        PayoutState::Short(short) => ("short".to_owned(), Some(*short)),
        PayoutState::MadeGood => ("made good".to_owned(), None),
        PayoutState::GivenUp(one) => {
            (format!("given up by {} on {}", one.by, one.date), None)
        }
    }
}

/// The same on a page.
pub fn reconciled_text(books: &Books) -> String {
    let money = |amount: i64| grouped(&minor(amount, books.currency.places));
    let mut text = String::new();
    for (biller, bills) in &books.bills {
        for bill in bills {
            let (state, waits) = bill_state(&bill.state);
            let _ = writeln!(
                text,
                "{biller} {} for {}: accrued {}, billed {}: {state}",
                bill.number,
                bill.period,
                money(bill.accrued),
                money(bill.billed),
            );
            for one in &bill.differences {
                let mark = if one.disputed { "?" } else { " " };
                let _ = writeln!(
                    text,
                    "  {mark} {:20} {:12} {:>18}  {}",
                    one.charge,
                    one.cause.name(),
                    money(one.amount),
                    one.text
                );
            }
            if let Some(waits) = waits {
                let _ = writeln!(text, "  {} wait for a decision", money(waits));
            }
        }
    }
    for payout in &books.payouts {
        let (state, short) = payout_state(&payout.state);
        let _ = writeln!(
            text,
            "{} payout {}: earned {} BTC, paid {} BTC: {state}",
            payout.pool,
            payout.id,
            minor(payout.earned, 8),
            minor(payout.paid, 8),
        );
        for (cause, part) in &payout.differences {
            let _ = writeln!(text, "    {:12} {:>18} BTC", cause.name(), minor(*part, 8));
        }
        if let Some(short) = short {
            let _ = writeln!(text, "  {} BTC are claimed", minor(short, 8));
        }
    }
    let kept = books.contracts.iter().filter_map(|one| one.register.as_ref());
    for document in kept.flat_map(|(_, register)| register.documents()) {
        let _ = writeln!(
            text,
            "{} of {}: {}",
            document.number, document.period, document.state
        );
    }
    if text.is_empty() {
        text.push_str("no bill, payout or register is named by the records\n");
    }
    text
}

/// Sums of a schedule that people ask for first.
struct Sums {
    fees: i64,
    revenue: i64,
    interest: i64,
}

fn sums(schedule: &Schedule) -> Sums {
    let sum =
        |of: fn(&settle::revenue::Month) -> i64| schedule.months.iter().map(of).sum();
    Sums {
        fees: sum(|month| month.fee),
        revenue: sum(|month| month.step.revenue),
        interest: sum(|month| month.step.interest),
    }
}

fn schedules(books: &Books) -> impl Iterator<Item = (&OneContract, &Schedule)> {
    books
        .contracts
        .iter()
        .flat_map(|one| one.posted.schedules.iter().map(move |schedule| (one, schedule)))
}

/// Revenue by tranche and month, and what remains by time band.
pub fn revenue(books: &Books) -> Value {
    let tranches = schedules(books).map(|(one, schedule)| {
        let money = |amount: i64| minor(amount, schedule.places);
        let months = schedule.months.iter().map(|month| {
            json!({
                "month": month.period.to_string(),
                "state": if month.settled { "settled" } else { "expected" },
                "opening": money(month.step.opening),
                "paid_ahead": money(month.step.paid),
                "paid_at_start": money(month.paid_at_start),
                "interest": money(month.step.interest),
                "fee": money(month.fee),
                "credited": money(month.credited),
                "billed": money(month.step.billed),
                "revenue": money(month.step.revenue),
                "closing": money(month.step.closing),
            })
        });
        let sums = sums(schedule);
        json!({
            "contract": one.versions.first().id,
            "tranche": schedule.tranche,
            "standard": schedule.policy.standard.name(),
            "yearly_rate": schedule.policy.rate.map(settle::exact::Exact::to_text),
            "monthly_factor": schedule.monthly.to_text(),
            "fees": money(sums.fees),
            "revenue": money(sums.revenue),
            "interest": money(sums.interest),
            "months": months.collect::<Vec<_>>(),
        })
    });
    let remains = books.contracts.iter().map(|one| {
        let contract = one.versions.first();
        let bands = remaining(&one.posted.schedules).into_iter().map(|band| {
            json!({
                "from_months": band.from,
                "until_months": band.until,
                "amount": minor(band.amount, contract.currency.places),
            })
        });
        json!({
            "contract": contract.id,
            "currency": contract.currency.code,
            "after": one.issued.last().map(|last| last.period.to_string()),
            "bands": bands.collect::<Vec<_>>(),
        })
    });
    json!({
        "note": NOTE,
        "tranches": tranches.collect::<Vec<_>>(),
        "remaining": remains.collect::<Vec<_>>(),
    })
}

/// What every page of revenue says.
const NOTE: &str = "computed and shown; the accountant decides";

/// Every month of every tranche as CSV.
///
/// # Errors
/// When the text cannot be made; that is a fault of ours.
pub fn revenue_csv(books: &Books) -> anyhow::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "contract",
        "tranche",
        "month",
        "state",
        "opening",
        "paid_ahead",
        "paid_at_start",
        "interest",
        "fee",
        "credited",
        "billed",
        "revenue",
        "closing",
    ])?;
    for (one, schedule) in schedules(books) {
        for month in &schedule.months {
            let step = &month.step;
            let amounts = [
                step.opening,
                step.paid,
                month.paid_at_start,
                step.interest,
                month.fee,
                month.credited,
                step.billed,
                step.revenue,
                step.closing,
            ];
            let mut row = vec![
                one.versions.first().id.clone(),
                schedule.tranche.clone(),
                month.period.to_string(),
                if month.settled { "settled" } else { "expected" }.to_owned(),
            ];
            row.extend(amounts.into_iter().map(|amount| minor(amount, schedule.places)));
            writer.write_record(row)?;
        }
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

/// Revenue on a page: each tranche's sums by year, and what remains.
pub fn revenue_text(books: &Books) -> String {
    let mut text = format!("{NOTE}\n");
    for (one, schedule) in schedules(books) {
        let money = |amount: i64| grouped(&minor(amount, schedule.places));
        let rate = match schedule.policy.rate {
            Some(rate) => format!(
                "{} a year, {} a month",
                rate.to_text(),
                &schedule.monthly.to_text()[..14]
            ),
            None => "without interest".to_owned(),
        };
        let _ = writeln!(
            text,
            "\n{} {}: {}, {rate}\n\n{:6} {:>20} {:>20} {:>20} {:>20}",
            one.versions.first().id,
            schedule.tranche,
            schedule.policy.standard.name(),
            "year",
            "billed",
            "interest",
            "revenue",
            "liability"
        );
        let mut years: BTreeMap<i16, (i64, i64, i64, i64)> = BTreeMap::new();
        for month in &schedule.months {
            let year = years.entry(month.period.year()).or_default();
            year.0 += month.step.billed;
            year.1 += month.step.interest;
            year.2 += month.step.revenue;
            year.3 = month.step.closing;
        }
        for (year, (billed, interest, revenue, closing)) in years {
            let _ = writeln!(
                text,
                "{year:<6} {:>20} {:>20} {:>20} {:>20}",
                money(billed),
                money(interest),
                money(revenue),
                money(closing)
            );
        }
        let sums = sums(schedule);
        let _ = writeln!(
            text,
            "fees {}, revenue {}, interest {}",
            money(sums.fees),
            money(sums.revenue),
            money(sums.interest)
        );
    }
    for one in &books.contracts {
        let contract = one.versions.first();
        let _ = writeln!(text, "\n{}: still to be recognised", contract.id);
        for band in remaining(&one.posted.schedules) {
            let span = match band.until {
                Some(until) => format!("months {} to {until}", band.from + 1),
                None => format!("after month {}", band.from),
            };
            let amount = grouped(&minor(band.amount, contract.currency.places));
            let _ = writeln!(text, "  {span:20} {amount:>22} {}", contract.currency.code);
        }
    }
    text
}

/// The lender's pack on a page.
pub fn lender_text(document: &Value) -> String {
    let cell = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => "none".to_owned(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    };
    let mut text =
        format!("{}, in {}\n", cell(&document["site"]), cell(&document["currency"]));
    let coverage = &document["coverage"];
    if coverage.is_null() {
        text.push_str("coverage: no debt service is named by the records\n");
    } else {
        let _ = writeln!(
            text,
            "coverage on actuals, twelve months to {}: {} against a covenant of {}, holds: {}",
            cell(&coverage["twelve_months_to"]),
            cell(&coverage["ratio"]),
            cell(&coverage["covenant"]),
            cell(&coverage["holds"])
        );
    }
    let _ = writeln!(
        text,
        "\n{:8} {:9} {:>20} {:>20} {:>20}",
        "month", "state", "contracted", "received", "debt service"
    );
    for month in document["cash"].as_array().into_iter().flatten() {
        let _ = writeln!(
            text,
            "{:8} {:9} {:>20} {:>20} {:>20}",
            cell(&month["month"]),
            cell(&month["state"]),
            grouped(&cell(&month["contracted"])),
            grouped(&cell(&month["received"])),
            grouped(&cell(&month["debt_service"])),
        );
    }
    text.push_str("\nacceptance\n");
    for tranche in document["tranches"].as_array().into_iter().flatten() {
        let accepted = tranche["acceptances"].as_array();
        let sum: i64 = accepted
            .into_iter()
            .flatten()
            .filter_map(|one| one["quantity"].as_i64())
            .sum();
        let _ = writeln!(
            text,
            "  {} {}: {sum} of {} accepted, delivery {}",
            cell(&tranche["contract"]),
            cell(&tranche["tranche"]),
            tranche["quantity"],
            cell(&tranche["delivery"]),
        );
        for one in accepted.into_iter().flatten() {
            let _ = writeln!(
                text,
                "    {} at {}, {} in {} units, chain {}",
                cell(&one["source"]),
                cell(&one["at"]),
                one["quantity"],
                one["units"],
                cell(&one["chain_sha256"]),
            );
        }
    }
    text.push_str("\ncredits given\n");
    for one in document["credits"].as_array().into_iter().flatten() {
        let _ = writeln!(
            text,
            "  {}: availability {}, delay {}, of {} billed: {}",
            cell(&one["contract"]),
            grouped(&cell(&one["availability"])),
            grouped(&cell(&one["delay"])),
            grouped(&cell(&one["billed"])),
            cell(&one["share_of_billed"]),
        );
    }
    text.push_str("\nconcentration of what is still to come\n");
    for one in document["concentration"].as_array().into_iter().flatten() {
        let _ = writeln!(
            text,
            "  {}: {} {}, {}",
            cell(&one["customer"]),
            grouped(&cell(&one["still_to_come"])),
            cell(&one["currency"]),
            cell(&one["share"]),
        );
    }
    for one in document["rights"].as_array().into_iter().flatten() {
        let _ = writeln!(
            text,
            "right of {} {}: {}",
            cell(&one["contract"]),
            cell(&one["tranche"]),
            cell(&one["why"])
        );
    }
    text
}

/// The estate on a page.
pub fn worth_text(estate: &Estate) -> String {
    let mut text = String::new();
    let cuts = [
        ("by hall", &estate.halls),
        ("by model", &estate.models),
        ("by load", &estate.loads),
    ];
    for (title, rows) in cuts {
        let _ = writeln!(
            text,
            "{title:26} {:>10} {:>14} {:>7} {:>16} {:>16} {:>16} {:>14} {:>9}",
            "MW", "MWh", "used %", "revenue", "power", "margin", "margin/MW", "shadow"
        );
        for row in rows {
            let [name, mw, mwh, used, revenue, power, _, margin, per_mw, shadow] =
                worth::row(row);
            let [mwh, revenue, power, margin, per_mw] =
                [mwh, revenue, power, margin, per_mw].map(|text| grouped(&text));
            let _ = writeln!(
                text,
                "  {name:24} {mw:>10} {mwh:>14} {used:>7} {revenue:>16} {power:>16} \
                 {margin:>16} {per_mw:>14} {shadow:>9}"
            );
        }
        text.push('\n');
    }
    if estate.unpriced > 0 {
        let _ = writeln!(
            text,
            "{} intervals lacked a price and have no money on either side",
            estate.unpriced
        );
    }
    text
}

/// What was checked, and what is wrong.
pub fn checked_text(books: &Books, found: &[String]) -> String {
    let statements: usize = books.contracts.iter().map(|one| one.issued.len()).sum();
    let mut text = format!(
        "{}\n  {} contracts, {statements} statements made again from contract and facts\n  \
         {} entries, {} accounts, each against its records\n",
        books.book.title(),
        books.contracts.len(),
        books.book.entries().len(),
        books.book.accounts().count(),
    );
    for (_, register) in books.contracts.iter().filter_map(|one| one.register.as_ref()) {
        let _ =
            writeln!(text, "  {} documents in the register", register.documents().len());
    }
    if found.is_empty() {
        text.push_str("nothing is wrong\n");
        return text;
    }
    let _ = writeln!(text, "{} wrong:", found.len());
    for one in found {
        let _ = writeln!(text, "  {one}");
    }
    text
}
