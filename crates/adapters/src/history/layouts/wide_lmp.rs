//! Real-time prices of several points, one column each.
//!
//! `interval_start_utc,<POINT>,<POINT>,…`. At a step of up to five minutes the
//! values are dispatch prices, known when their interval starts; at a longer
//! step they can only be means, so they are taken as settlement prices.

use super::super::cell;
use super::super::draft::{Column, Draft, SeriesKind, Step};
use super::super::error::HistoryError;
use super::super::market;
use super::super::note::NoteKind;
use super::super::table::{Header, Table};
use super::Layout;
use super::gridstatus::DISPATCH_SECONDS_MAX;

pub(super) const LAYOUT: Layout =
    Layout { name: "real-time prices, a column a point", recognises, read };

const START: &str = "interval_start_utc";

/// A mark that our own files carry beside the prices.
const MARK: &str = "dst_order_ambiguous";

fn recognises(header: &Header) -> bool {
    let mut points = header.names().filter(|name| !is_ours(name)).peekable();
    header.has(&[START]) && points.peek().is_some() && points.all(is_point)
}

fn is_ours(name: &str) -> bool {
    name.eq_ignore_ascii_case(START) || name.eq_ignore_ascii_case(MARK)
}

/// Whether a column's name can be a settlement point: capitals, digits and marks.
fn is_point(name: &str) -> bool {
    let allowed = |c: char| {
        c.is_ascii_uppercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '.' | '/')
    };
    name.chars().all(allowed) && name.chars().any(|c| c.is_ascii_uppercase())
}

fn read(table: &mut Table<'_>, draft: &mut Draft) -> Result<(), HistoryError> {
    let header = table.header.clone();
    let start_place = header.place(&[START]);
    let mut start = Column::of(&header, start_place, "a time in UTC");
    let by_file_name = market::of_file_name(&draft.name);
    let mut columns = Vec::new();
    let mut guessed = Vec::new();
    for (place, point) in header.names().enumerate() {
        if is_ours(point) {
            continue;
        }
        let found = market::of_point(point).or(by_file_name);
        if found.is_none() {
            guessed.push(point);
        }
        let rules = found.unwrap_or(market::known("ERCOT"));
        let series = draft.prices(SeriesKind::Lmp, rules, point, Step::ToInfer);
        draft.market_guessed(series);
        columns.push((Column::new(&header, place), point, series));
    }
    if let Some(first) = guessed.first() {
        draft.note(
            NoteKind::Assumed,
            Some(1),
            None,
            format!("nothing says which market {first} belongs to"),
            format!("{} points taken as ERCOT's", guessed.len()),
        );
    }
    while let Some(row) = table.next(draft) {
        let Some(at) = start.parse(row, draft, None, |text| cell::instant(text, true))
        else {
            continue;
        };
        draft.saw(at);
        for (column, point, series) in &mut columns {
            if let Some(price) = column.number(row, 6, draft, Some(point)) {
                draft.push(*series, at, price, row.line);
            }
        }
    }
    draft.infer_steps(|_| 300);
    let mut longest = 0;
    for draught in &mut draft.series {
        if let Step::Seconds(step) = draught.key.step
            && i64::from(step) > DISPATCH_SECONDS_MAX
        {
            draught.key.kind = SeriesKind::Settlement;
            longest = longest.max(step);
        }
    }
    if longest > 0 {
        draft.note(
            NoteKind::Assumed,
            None,
            None,
            format!(
                "prices every {} min cannot be dispatch prices, which come every five",
                longest / 60
            ),
            "taken as settlement prices, known when their interval ends".to_owned(),
        );
    }
    draft.finish([&start].into_iter().chain(columns.iter().map(|column| &column.0)))
}
