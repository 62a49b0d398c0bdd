//! AEMO dispatch prices: the columns of the table DISPATCHPRICE.
//!
//! `SETTLEMENTDATE,REGIONID,INTERVENTION,RRP,…`: the end of a five-minute
//! interval in market time (UTC+10 all year). Under intervention the interval
//! has two runs; 0 is the price run.

use super::super::cell::{self, DAY};
use super::super::draft::{Column, Draft, PointColumn, SeriesKind, Step};
use super::super::error::HistoryError;
use super::super::market;
use super::super::note::{NoteKind, counted};
use super::super::table::{Header, Table};
use super::{Layout, unused};

pub(super) const LAYOUT: Layout =
    Layout { name: "AEMO dispatch prices (DISPATCHPRICE)", recognises, read };

/// Market time is ten hours ahead of UTC all year.
pub(super) const MARKET_TIME: i64 = 10 * 3_600;
const STEP: Step = Step::Seconds(300);

fn recognises(header: &Header) -> bool {
    header.has(&["settlementdate", "regionid", "rrp"])
}

/// Reads `YYYY-MM-DD HH:MM:SS` or `YYYY/MM/DD HH:MM:SS` in market time.
pub(super) fn market_instant(text: &[u8]) -> Option<i64> {
    let (day, second) = cell::civil(text)?;
    Some(day * DAY + second - MARKET_TIME)
}

fn read(table: &mut Table<'_>, draft: &mut Draft) -> Result<(), HistoryError> {
    let nem = market::known("NEM");
    let header = table.header.clone();
    let region = header.place(&["regionid"]);
    let intervention = header.find(&["intervention"]);
    let used = ["settlementdate", "regionid", "intervention", "rrp"];
    draft.left_alone("columns that are not the price of energy", &unused(&header, &used));
    let expected = "a market time YYYY-MM-DD HH:MM:SS";
    let mut end = Column::of(&header, header.place(&["settlementdate"]), expected);
    let mut price = Column::new(&header, header.place(&["rrp"]));
    let mut points = PointColumn::default();
    let mut dropped: Option<(u64, u64)> = None;
    while let Some(row) = table.next(draft) {
        if let Some(run) = intervention.map(|place| row.field(place))
            && !matches!(run, b"0" | b"")
        {
            dropped.get_or_insert((0, row.line)).0 += 1;
            continue;
        }
        let end = end.parse(row, draft, None, market_instant);
        let name = row.text(region);
        let price = price.number(row, 6, draft, Some(name));
        let (Some(end), Some(price)) = (end, price) else {
            continue;
        };
        let place = points.place(SeriesKind::Lmp, STEP, name.as_bytes(), || {
            draft.prices(SeriesKind::Lmp, nem, name, STEP)
        });
        draft.push(place, end - 300, price, row.line);
    }
    if let Some((rows, line)) = dropped {
        draft.note(
            NoteKind::InterventionRun,
            Some(line),
            None,
            format!(
                "{} of an intervention run, which does not set the price",
                counted(rows, "row")
            ),
            "dropped; the price run (INTERVENTION 0) is used".to_owned(),
        );
    }
    draft.finish([&end, &price])
}
