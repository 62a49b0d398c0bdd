//! Spot offers in our own columns: what was offered for a GPU-hour, and when that could
//! first be known.
//!
//! `known_at_utc,interval_start_utc,interval_end_utc,spot_offer_usd_gpu_hour`, one row an
//! offer. They are of the site's racks, whatever point it settles at.

use super::super::cell;
use super::super::draft::{Column, Draft, OfferRow};
use super::super::error::HistoryError;
use super::super::table::{Header, Table};
use super::{Layout, unused};

pub(super) const LAYOUT: Layout = Layout { name: "spot offers", recognises, read };

const COLUMNS: [&str; 4] =
    ["known_at_utc", "interval_start_utc", "interval_end_utc", "spot_offer_usd_gpu_hour"];

fn recognises(header: &Header) -> bool {
    header.has(&COLUMNS)
}

fn read(table: &mut Table<'_>, draft: &mut Draft) -> Result<(), HistoryError> {
    let header = table.header.clone();
    let time = |name| Column::of(&header, header.place(&[name]), "a time in UTC");
    let [known_at, start, end, price] = COLUMNS;
    let (mut known_at, mut start, mut end) = (time(known_at), time(start), time(end));
    let mut price = Column::new(&header, header.place(&[price]));
    draft.left_alone("columns this layout does not know", &unused(&header, &COLUMNS));
    while let Some(row) = table.next(draft) {
        let instant = |text: &[u8]| cell::instant(text, true);
        let known_at = known_at.parse(row, draft, None, instant);
        let start = start.parse(row, draft, None, instant);
        let end = end.parse(row, draft, None, instant);
        let value = price.number(row, 6, draft, None);
        let (Some(known_at), Some(start), Some(end), Some(value)) =
            (known_at, start, end, value)
        else {
            continue;
        };
        let (file, line) = (draft.file, u32::try_from(row.line).unwrap_or(u32::MAX));
        draft.offers.push(OfferRow { known_at, start, end, value, file, line });
    }
    draft.finish([&known_at, &start, &end, &price])
}
