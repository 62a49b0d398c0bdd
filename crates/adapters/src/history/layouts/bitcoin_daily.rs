//! Bitcoin days in our own columns.
//!
//! `date,price_usd,difficulty,hashrate_th_s,fees_btc,fees_source,blocks,
//! subsidy_btc`, with an optional `height` of the day's last block; fees and
//! subsidy are totals of the day. Whether the price is the day's close or its
//! mean depends on where the file comes from.

use super::super::draft::{Column, Draft};
use super::super::error::HistoryError;
use super::super::table::{Header, Table};
use super::Layout;
use super::coin_metrics::{DayColumns, optional, read_days};

pub(super) const LAYOUT: Layout = Layout { name: "bitcoin days", recognises, read };

fn recognises(header: &Header) -> bool {
    header.has(&["date", "price_usd"])
        && header.find(&["difficulty", "hashrate_th_s"]).is_some()
}

fn read(table: &mut Table<'_>, draft: &mut Draft) -> Result<(), HistoryError> {
    let header = table.header.clone();
    let mut columns = DayColumns {
        day: Column::of(&header, header.place(&["date"]), "a day YYYY-MM-DD"),
        price: Column::new(&header, header.place(&["price_usd"])),
        difficulty: optional(&header, &["difficulty"]),
        network: optional(&header, &["hashrate_th_s"]),
        fees: optional(&header, &["fees_btc"]),
        issued: optional(&header, &["subsidy_btc"]),
        blocks: optional(&header, &["blocks"]),
        height: optional(&header, &["height"]),
    };
    read_days(table, draft, &mut columns)
}
