//! ERCOT settlement point prices, report NP6-905-CD.
//!
//! `DeliveryDate,DeliveryHour,DeliveryInterval,SettlementPointName,
//! SettlementPointType,SettlementPointPrice,DSTFlag`: market-local date, hour
//! ending 1 to 24, quarter 1 to 4, `Y` on the repeated autumn hour.

use super::super::cell;
use super::super::draft::{Column, Draft, PointColumn, SeriesKind, Step};
use super::super::error::HistoryError;
use super::super::local_time::LocalHours;
use super::super::market;
use super::super::table::{Header, Table};
use super::Layout;
use super::hourly_local::{Flag, LocalNotes, hour_ending};

pub(super) const LAYOUT: Layout =
    Layout { name: "ERCOT settlement point prices (NP6-905-CD)", recognises, read };

const POINT: &[&str] = &["settlementpointname", "settlementpoint"];

fn recognises(header: &Header) -> bool {
    header.has(&[
        "deliverydate",
        "deliveryhour",
        "deliveryinterval",
        "settlementpointprice",
    ]) && header.find(POINT).is_some()
}

fn read(table: &mut Table<'_>, draft: &mut Draft) -> Result<(), HistoryError> {
    let ercot = market::known("ERCOT");
    let header = table.header.clone();
    let point = header.place(POINT);
    let flag = Flag::of(&header, "dstflag");
    let mut date =
        Column::of(&header, header.place(&["deliverydate"]), "a date MM/DD/YYYY");
    let mut hour =
        Column::of(&header, header.place(&["deliveryhour"]), "an hour ending 1 to 24");
    let mut quarter =
        Column::of(&header, header.place(&["deliveryinterval"]), "an interval 1 to 4");
    let mut price = Column::new(&header, header.place(&["settlementpointprice"]));
    let mut hours = LocalHours::new(ercot.time_zone());
    let mut local = LocalNotes::default();
    let mut points = PointColumn::default();
    while let Some(row) = table.next(draft) {
        let day = date.parse(row, draft, None, cell::date);
        let hour = hour.parse(row, draft, None, hour_ending);
        let quarter = quarter.parse(row, draft, None, |text| {
            cell::scaled(text, 0).filter(|quarter| (1..=4).contains(quarter))
        });
        let name = row.text(point);
        let price = price.number(row, 6, draft, Some(name));
        let (Some(day), Some(hour), Some(quarter)) = (day, hour, quarter) else {
            continue;
        };
        let offset = (quarter - 1) * 900;
        let repeat = flag.read(row);
        let resolved = hours.resolve(day, hour - 1, offset, name.as_bytes(), repeat);
        let (Some(start), Some(price)) =
            (local.note(resolved, day, hour, row.line, draft), price)
        else {
            continue;
        };
        let place = points.place(
            SeriesKind::Settlement,
            Step::Seconds(900),
            name.as_bytes(),
            || draft.prices(SeriesKind::Settlement, ercot, name, Step::Seconds(900)),
        );
        draft.push(place, start, price, row.line);
    }
    local.finish(&hours, draft);
    draft.finish([&date, &hour, &quarter, &price])
}
