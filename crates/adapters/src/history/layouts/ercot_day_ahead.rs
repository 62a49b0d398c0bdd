//! ERCOT day-ahead settlement point prices, report NP4-190-CD.
//!
//! `DeliveryDate,HourEnding,SettlementPoint,SettlementPointPrice,DSTFlag`:
//! market-local date, hour ending `HH:00`, `Y` on the repeated autumn hour.

use super::super::cell;
use super::super::draft::{Column, Draft, PointColumn, SeriesKind, Step};
use super::super::error::HistoryError;
use super::super::local_time::LocalHours;
use super::super::market;
use super::super::table::{Header, Table};
use super::Layout;
use super::hourly_local::{Flag, LocalNotes, hour_ending};

pub(super) const LAYOUT: Layout =
    Layout { name: "ERCOT day-ahead prices (NP4-190-CD)", recognises, read };

const POINT: &[&str] = &["settlementpoint", "settlementpointname"];
const HOUR: Step = Step::Seconds(3_600);

fn recognises(header: &Header) -> bool {
    header.has(&["deliverydate", "hourending", "settlementpointprice"])
        && header.find(POINT).is_some()
}

fn read(table: &mut Table<'_>, draft: &mut Draft) -> Result<(), HistoryError> {
    let ercot = market::known("ERCOT");
    let header = table.header.clone();
    let point = header.place(POINT);
    let flag = Flag::of(&header, "dstflag");
    let mut date =
        Column::of(&header, header.place(&["deliverydate"]), "a date MM/DD/YYYY");
    let mut hour = Column::of(
        &header,
        header.place(&["hourending"]),
        "an hour ending 01:00 to 24:00",
    );
    let mut price = Column::new(&header, header.place(&["settlementpointprice"]));
    let mut hours = LocalHours::new(ercot.time_zone());
    let mut local = LocalNotes::default();
    let mut points = PointColumn::default();
    while let Some(row) = table.next(draft) {
        let day = date.parse(row, draft, None, cell::date);
        let hour = hour.parse(row, draft, None, hour_ending);
        let name = row.text(point);
        let price = price.number(row, 6, draft, Some(name));
        let (Some(day), Some(hour)) = (day, hour) else {
            continue;
        };
        let resolved = hours.resolve(day, hour - 1, 0, name.as_bytes(), flag.read(row));
        let (Some(start), Some(price)) =
            (local.note(resolved, day, hour, row.line, draft), price)
        else {
            continue;
        };
        let place = points.place(SeriesKind::DayAhead, HOUR, name.as_bytes(), || {
            draft.prices(SeriesKind::DayAhead, ercot, name, HOUR)
        });
        draft.push(place, start, price, row.line);
    }
    local.finish(&hours, draft);
    draft.finish([&date, &hour, &price])
}
