//! ERCOT SCED LMPs, report NP6-788-CD.
//!
//! `SCEDTimestamp,RepeatedHourFlag,SettlementPoint,LMP`: the market-local time
//! of a run, about every five minutes and not on the minute; `Y` on the
//! repeated autumn hour. A price holds from its run until the next.

use super::super::cell;
use super::super::draft::{Column, Draft, PointColumn, SeriesKind, Step};
use super::super::error::HistoryError;
use super::super::local_time::LocalHours;
use super::super::market;
use super::super::table::{Header, Table};
use super::Layout;
use super::hourly_local::{Flag, LocalNotes};

pub(super) const LAYOUT: Layout =
    Layout { name: "ERCOT SCED LMPs (NP6-788-CD)", recognises, read };

const POINT: &[&str] = &["settlementpoint", "settlementpointname"];

fn recognises(header: &Header) -> bool {
    header.has(&["scedtimestamp", "lmp"]) && header.find(POINT).is_some()
}

fn read(table: &mut Table<'_>, draft: &mut Draft) -> Result<(), HistoryError> {
    let ercot = market::known("ERCOT");
    let header = table.header.clone();
    let point = header.place(POINT);
    let flag = Flag::of(&header, "repeatedhourflag");
    let mut run = Column::of(
        &header,
        header.place(&["scedtimestamp"]),
        "a local time MM/DD/YYYY HH:MM:SS",
    );
    let mut price = Column::new(&header, header.place(&["lmp"]));
    let mut hours = LocalHours::new(ercot.time_zone());
    let mut local = LocalNotes::default();
    let mut points = PointColumn::default();
    while let Some(row) = table.next(draft) {
        let run = run.parse(row, draft, None, cell::civil);
        let name = row.text(point);
        let price = price.number(row, 6, draft, Some(name));
        let Some((day, second)) = run else { continue };
        let (hour, offset) = (second / 3_600, second % 3_600);
        let resolved = hours.resolve(day, hour, offset, name.as_bytes(), flag.read(row));
        let (Some(start), Some(price)) =
            (local.note(resolved, day, hour + 1, row.line, draft), price)
        else {
            continue;
        };
        let place = points.place(SeriesKind::Lmp, Step::Runs, name.as_bytes(), || {
            draft.prices(SeriesKind::Lmp, ercot, name, Step::Runs)
        });
        draft.push(place, start, price, row.line);
    }
    local.finish(&hours, draft);
    draft.finish([&run, &price])
}
