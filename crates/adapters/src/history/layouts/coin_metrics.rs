//! Coin Metrics community files of bitcoin, newer and older.
//!
//! `time` (older: `date`), `BlkCnt`, `HashRate` in TH/s, `PriceUSD`,
//! `IssTotNtv`, `FeeTotNtv` among many columns, one row a day. Newer files have
//! no difficulty; older ones have `DiffMean`. The price is the day's close in
//! UTC. The last row may be blank.

use super::super::cell;
use super::super::draft::{BitcoinRow, Column, Draft};
use super::super::error::HistoryError;
use super::super::note::{NoteKind, counted};
use super::super::table::{Header, Row, Table};
use super::Layout;

pub(super) const LAYOUT: Layout =
    Layout { name: "Coin Metrics bitcoin days", recognises, read };

const DAY: &[&str] = &["time", "date"];

fn recognises(header: &Header) -> bool {
    header.find(DAY).is_some()
        && header.has(&["priceusd", "blkcnt"])
        && header.find(&["hashrate", "diffmean"]).is_some()
}

fn read(table: &mut Table<'_>, draft: &mut Draft) -> Result<(), HistoryError> {
    let header = table.header.clone();
    let mut columns = DayColumns {
        day: Column::of(&header, header.place(DAY), "a day YYYY-MM-DD"),
        price: Column::new(&header, header.place(&["priceusd"])),
        difficulty: optional(&header, &["diffmean"]),
        network: optional(&header, &["hashrate"]),
        fees: optional(&header, &["feetotntv"]),
        issued: optional(&header, &["isstotntv"]),
        blocks: optional(&header, &["blkcnt"]),
        height: None,
    };
    read_days(table, draft, &mut columns)
}

/// The columns of a file of bitcoin days.
pub(super) struct DayColumns {
    pub(super) day: Column,
    pub(super) price: Column,
    pub(super) difficulty: Option<Column>,
    pub(super) network: Option<Column>,
    pub(super) fees: Option<Column>,
    pub(super) issued: Option<Column>,
    pub(super) blocks: Option<Column>,
    pub(super) height: Option<Column>,
}

/// A column that a file may lack.
pub(super) fn optional(header: &Header, names: &[&str]) -> Option<Column> {
    header.find(names).map(|place| Column::new(header, place))
}

/// Reads rows of days; blanks are left for the assembly to judge.
pub(super) fn read_days(
    table: &mut Table<'_>,
    draft: &mut Draft,
    columns: &mut DayColumns,
) -> Result<(), HistoryError> {
    while let Some(row) = table.next(draft) {
        let day = columns.day.parse(row, draft, None, day);
        let price = columns.price.optional_number(row, 6, draft);
        let mut number = |column: &mut Option<Column>, places| {
            column.as_mut().and_then(|column| column.optional_number(row, places, draft))
        };
        let found = BitcoinRow {
            day: 0,
            price,
            difficulty: number(&mut columns.difficulty, 0),
            network: number(&mut columns.network, 3),
            fees: number(&mut columns.fees, 8),
            issued: number(&mut columns.issued, 8),
            blocks: number(&mut columns.blocks, 0),
            height: number(&mut columns.height, 0),
            file: draft.file,
            row: u32::try_from(row.line).unwrap_or(u32::MAX),
        };
        let Some(day) = day else { continue };
        if found.price.is_none()
            || (found.difficulty.is_none() && found.network.is_none())
        {
            note_incomplete(draft, row, &found);
            continue;
        }
        draft.bitcoin.push(BitcoinRow { day, ..found });
    }
    let days = draft.bitcoin.iter().map(|row| row.day);
    let disorder =
        days.clone().zip(days.skip(1)).filter(|(above, below)| below < above).count();
    if disorder > 0 {
        draft.note(
            NoteKind::Disorder,
            None,
            None,
            format!("{} out of order of time", counted(disorder, "row")),
            "sorted by time".to_owned(),
        );
    }
    let DayColumns { day, price, difficulty, network, fees, issued, blocks, height } =
        columns;
    let optional = [difficulty, network, fees, issued, blocks, height];
    let optional = optional.into_iter().filter_map(|column| column.as_ref());
    draft.finish([&*day, &*price].into_iter().chain(optional))
}

fn note_incomplete(draft: &mut Draft, row: Row<'_>, found: &BitcoinRow) {
    let missing = match (found.price, found.difficulty.or(found.network)) {
        (None, None) => "neither a price nor a difficulty or hash rate",
        (None, Some(_)) => "no price",
        (Some(_), _) => "neither a difficulty nor a hash rate",
    };
    draft.note(
        NoteKind::BlankCell,
        Some(row.line),
        None,
        format!("the day has {missing}"),
        "day missing".to_owned(),
    );
}

/// A day, also where it is written with a time at midnight.
fn day(text: &[u8]) -> Option<i64> {
    let end =
        text.iter().position(|byte| matches!(byte, b'T' | b' ')).unwrap_or(text.len());
    cell::date(&text[..end])
}
