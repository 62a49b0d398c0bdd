//! The site's own records as rows: power, bills, mining, payouts, assets, debt.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::bail;
use settle::assets::Asset;
use settle::books::mining::{Earned, GivenUp, Payout};
use settle::books::power::{Accrual, Bill, BillLine, ChargeKind, Decision};
use settle::calendar::{Date, Period};

use super::rows;

/// Digits after the point of a megawatt-hour, down to the watt-hour.
const WH: u32 = 6;
/// Digits after the point of a bitcoin, down to the satoshi.
const SATOSHIS: u32 = 8;
/// Digits after the point of a petahash, down to the gigahash.
const GIGAHASHES: u32 = 6;

/// What was metered: `month, charge, kind, mwh, amount`.
pub fn accruals(path: &Path, places: u32) -> anyhow::Result<Vec<Accrual>> {
    rows::read(path, &["month", "charge", "amount"], &["kind", "mwh"], |row| {
        let kind = match row.text_if("kind").as_deref() {
            None | Some("cost") => ChargeKind::Cost,
            Some("revenue") => ChargeKind::Revenue,
            Some(found) => {
                let found = format!("expected cost or revenue, found `{found}`");
                row.wrong("kind", &found);
                return None;
            }
        };
        let (month, charge) = (row.month("month"), row.text("charge"));
        let (wh, amount) = (row.units_if("mwh", WH), row.units("amount", places));
        Some(Accrual { period: month?, charge: charge?, kind, wh, amount: amount? })
    })
}

/// Bills, a row a charge: `number, date, month, charge, mwh, per_mwh, amount`, and
/// optionally what the whole bill states, `total`, when it was `paid`, and the earlier bill
/// that it `replaces`.
pub fn bills(path: &Path, places: u32) -> anyhow::Result<Vec<Bill>> {
    let needed = ["number", "date", "month", "charge", "amount"];
    let optional = ["mwh", "per_mwh", "total", "paid", "replaces"];
    let read = rows::read(path, &needed, &optional, |row| {
        let (number, date) = (row.text("number"), row.date("date"));
        let (month, charge) = (row.month("month"), row.text("charge"));
        let (wh, per_mwh) = (row.units_if("mwh", WH), row.exact_if("per_mwh"));
        let (amount, total) =
            (row.units("amount", places), row.units_if("total", places));
        let paid = row.date_if("paid");
        let line = BillLine { charge: charge?, wh, per_mwh, amount: amount? };
        let bill = Bill {
            number: number?,
            date: date?,
            period: month?,
            lines: vec![line],
            total,
            paid,
            replaces: row.text_if("replaces"),
        };
        Some((row.number, bill))
    })?;
    let mut bills: Vec<Bill> = Vec::new();
    for (number, row) in read {
        let Some(known) = bills.iter_mut().find(|known| known.number == row.number)
        else {
            bills.push(row);
            continue;
        };
        let same = |a: &Bill, b: &Bill| {
            let total = a.total.is_none() || b.total.is_none() || a.total == b.total;
            a.date == b.date && a.period == b.period && total
        };
        if !same(known, &row) {
            bail!(
                "{}: row {number}: expected the date, month and total that bill {} has in \
                 its first row, found others",
                path.display(),
                row.number
            );
        }
        known.total = known.total.or(row.total);
        known.paid = known.paid.or(row.paid);
        known.replaces = known.replaces.take().or(row.replaces);
        known.lines.extend(row.lines);
    }
    for bill in &bills {
        if let Some(paid) = bill.paid
            && paid < bill.date
        {
            bail!(
                "{}: bill {}: expected it paid on {} or later, found {paid}",
                path.display(),
                bill.number,
                bill.date
            );
        }
    }
    Ok(bills)
}

/// Decisions about disputed bills: `bill, date, by, decision`.
pub fn decisions(path: &Path) -> anyhow::Result<Vec<Decision>> {
    rows::read(path, &["bill", "date", "by", "decision"], &[], |row| {
        let accepted = match row.text("decision")?.as_str() {
            "accepted" => true,
            "taken-back" => false,
            found => {
                let found = format!("expected accepted or taken-back, found `{found}`");
                row.wrong("decision", &found);
                return None;
            }
        };
        let (bill, date, by) = (row.text("bill"), row.date("date"), row.text("by"));
        Some(Decision { bill: bill?, date: date?, by: by?, accepted })
    })
}

/// What each day earned: `day, pool, btc, amount`, and optionally `ph`, the petahashes
/// delivered.
pub fn earned(path: &Path, places: u32) -> anyhow::Result<Vec<Earned>> {
    rows::read(path, &["day", "pool", "btc", "amount"], &["ph"], |row| {
        let (day, pool) = (row.date("day"), row.text("pool"));
        let hashes_gh = row.units_if("ph", GIGAHASHES);
        let satoshis = row.units("btc", SATOSHIS);
        let worth = row.units("amount", places);
        if satoshis.is_some_and(i64::is_negative) || worth.is_some_and(i64::is_negative) {
            row.wrong("btc", "expected what was earned to be 0 or more, found less");
        }
        Some(Earned {
            day: day?,
            pool: pool?,
            hashes_gh,
            satoshis: satoshis?,
            worth: worth?,
        })
    })
}

/// What pools paid: `id, date, pool, from, to, btc`, and optionally `ph`, `fee` and
/// `makes_good`.
pub fn payouts(path: &Path) -> anyhow::Result<Vec<Payout>> {
    let needed = ["id", "date", "pool", "from", "to", "btc"];
    rows::read(path, &needed, &["ph", "fee", "makes_good"], |row| {
        let (id, date, pool) = (row.text("id"), row.date("date"), row.text("pool"));
        let (from, to) = (row.date("from"), row.date("to"));
        let satoshis = row.units("btc", SATOSHIS);
        if satoshis.is_some_and(i64::is_negative) {
            row.wrong("btc", "expected what was paid to be 0 or more, found less");
        }
        let (hashes_gh, fee) = (row.units_if("ph", GIGAHASHES), row.exact_if("fee"));
        let makes_good = row.text_if("makes_good");
        Some(Payout {
            id: id?,
            date: date?,
            pool: pool?,
            from: from?,
            to: to?,
            satoshis: satoshis?,
            hashes_gh,
            fee,
            makes_good,
        })
    })
}

/// What was given up: `payout, date, by`.
pub fn given_up(path: &Path) -> anyhow::Result<Vec<GivenUp>> {
    rows::read(path, &["payout", "date", "by"], &[], |row| {
        let (payout, date, by) = (row.text("payout"), row.date("date"), row.text("by"));
        Some(GivenUp { payout: payout?, date: date?, by: by? })
    })
}

/// The asset register: `id, model, hall, purchased, cost, life_months`, and optionally
/// `in_service, salvage, impaired, impaired_to, disposed, proceeds`.
pub fn assets(path: &Path, places: u32) -> anyhow::Result<Vec<Asset>> {
    let needed = ["id", "model", "hall", "purchased", "cost", "life_months"];
    let optional =
        ["in_service", "salvage", "impaired", "impaired_to", "disposed", "proceeds"];
    let mut rows_of: BTreeMap<String, usize> = BTreeMap::new();
    rows::read(path, &needed, &optional, |row| {
        let (id, model, hall) = (row.text("id"), row.text("model"), row.text("hall"));
        let (purchased, cost) = (row.date("purchased"), row.units("cost", places));
        let life_months = row.units("life_months", 0);
        let in_service = row.date_if("in_service");
        let salvage = row.units_if("salvage", places).unwrap_or(0);
        let impaired = pair(row, ("impaired", "impaired_to"), places);
        let disposed = pair(row, ("disposed", "proceeds"), places);
        let asset = Asset {
            id: id?,
            model: model?,
            hall: hall?,
            purchased: purchased?,
            cost: cost?,
            in_service,
            life_months: life_months?,
            salvage,
            impaired,
            disposed,
        };
        if let Some(first) = rows_of.insert(asset.id.clone(), row.number) {
            row.wrong(
                "id",
                &format!("expected {} once, found it in row {first} too", asset.id),
            );
        }
        for (column, what) in asset.problems() {
            row.wrong(column, &what);
        }
        Some(asset)
    })
}

/// A day and an amount that stand together or not at all.
fn pair(
    row: &mut rows::Row<'_>,
    (day, amount): (&str, &str),
    places: u32,
) -> Option<(Date, i64)> {
    let (on, much) = (row.date_if(day), row.units_if(amount, places));
    match (row.text_if(day), row.text_if(amount)) {
        (Some(_), None) => row.wrong(amount, &format!("expected an amount beside {day}")),
        (None, Some(_)) => row.wrong(day, &format!("expected a day beside {amount}")),
        (Some(_), Some(_)) | (None, None) => {}
    }
    on.zip(much)
}

/// What lenders are owed in a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DebtService {
    /// The month.
    pub period: Period,
    /// Interest, in minor units.
    pub interest: i64,
    /// Principal, in minor units.
    pub principal: i64,
}

/// Debt service: `month, interest, principal`.
pub fn debt(path: &Path, places: u32) -> anyhow::Result<Vec<DebtService>> {
    rows::read(path, &["month", "interest", "principal"], &[], |row| {
        let month = row.month("month");
        let (interest, principal) =
            (row.units("interest", places), row.units("principal", places));
        Some(DebtService { period: month?, interest: interest?, principal: principal? })
    })
}
