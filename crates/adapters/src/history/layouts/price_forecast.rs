//! Price forecasts in our own columns: what a forecaster expected, and when that
//! could first be known.
//!
//! `known_at_utc,interval_start_utc,price_forecast_usd_mwh`, one row a price that
//! holds until the next of the same `known_at_utc` begins. `settlement_point` names
//! what the prices are of; without it they are of every point.

use super::super::cell;
use super::super::draft::{Column, Draft, ForecastRow};
use super::super::error::HistoryError;
use super::super::table::{Header, Table};
use super::{Layout, unused};

pub(super) const LAYOUT: Layout = Layout { name: "price forecasts", recognises, read };

const PRICE: &str = "price_forecast_usd_mwh";
const COLUMNS: [&str; 4] =
    ["known_at_utc", "interval_start_utc", PRICE, "settlement_point"];

fn recognises(header: &Header) -> bool {
    header.has(&["known_at_utc", "interval_start_utc", PRICE])
}

fn read(table: &mut Table<'_>, draft: &mut Draft) -> Result<(), HistoryError> {
    let header = table.header.clone();
    let time = |name| Column::of(&header, header.place(&[name]), "a time in UTC");
    let (mut known_at, mut start) = (time("known_at_utc"), time("interval_start_utc"));
    let mut price = Column::new(&header, header.place(&[PRICE]));
    let point = header.find(&["settlement_point"]);
    draft.left_alone("columns this layout does not know", &unused(&header, &COLUMNS));
    while let Some(row) = table.next(draft) {
        let instant = |text: &[u8]| cell::instant(text, true);
        let known_at = known_at.parse(row, draft, None, instant);
        let start = start.parse(row, draft, None, instant);
        let value = price.number(row, 6, draft, None);
        let (Some(known_at), Some(start), Some(value)) = (known_at, start, value) else {
            continue;
        };
        let point = point.map(|place| row.text(place).trim().to_owned());
        let (file, line) = (draft.file, u32::try_from(row.line).unwrap_or(u32::MAX));
        let point = point.filter(|point| !point.is_empty());
        draft.forecasts.push(ForecastRow { point, known_at, start, value, file, line });
    }
    draft.finish([&known_at, &start, &price])
}
