//! Files of the gridstatus library: `get_spp` and `get_lmp`.
//!
//! `Time,Interval Start,Interval End,Location,Location Type,Market,SPP` (or
//! `LMP` with its components): times with their UTC offset, the market's name
//! in `Market`. Only ERCOT's prices come as `SPP`; for an `LMP` the file's name
//! or the location says which market it is.

use super::super::cell;
use super::super::draft::{Column, Draft, PointColumn, SeriesKind, Step};
use super::super::error::HistoryError;
use super::super::market;
use super::super::note::{NoteKind, counted, duration_text};
use super::super::table::{Header, Table};
use super::Layout;

pub(super) const LAYOUT: Layout = Layout { name: "gridstatus prices", recognises, read };

const START: &[&str] =
    &["interval start", "interval_start_utc", "interval_start", "time"];
const END: &[&str] = &["interval end", "interval_end_utc", "interval_end"];
const PRICE: &[&str] = &["spp", "lmp"];

/// The longest dispatch interval: a longer real-time price is a mean that is
/// known only when it ends.
pub(super) const DISPATCH_SECONDS_MAX: i64 = 300;

fn recognises(header: &Header) -> bool {
    header.has(&["location", "market"])
        && header.find(START).is_some()
        && header.find(END).is_some()
        && header.find(PRICE).is_some()
}

/// What the `Market` cell and the interval say a price is.
fn kind(market: &str, seconds: i64, is_spp: bool) -> Option<SeriesKind> {
    let market = market.to_ascii_uppercase();
    if market.starts_with("DAY_AHEAD") || market == "DAM" {
        Some(SeriesKind::DayAhead)
    } else if market.starts_with("REAL_TIME") || market == "RTM" {
        let dispatch = seconds <= DISPATCH_SECONDS_MAX && !is_spp;
        Some(if dispatch { SeriesKind::Lmp } else { SeriesKind::Settlement })
    } else {
        None
    }
}

/// The length that the `Market` cell states, in seconds.
fn stated_seconds(market: &str) -> Option<i64> {
    let market = market.to_ascii_uppercase();
    match market.rsplit_once("_MIN") {
        Some((words, "")) => {
            words.rsplit('_').next()?.parse::<i64>().ok().map(|n| n * 60)
        }
        _ if market.ends_with("_HOURLY") => Some(3_600),
        _ => None,
    }
}

fn read(table: &mut Table<'_>, draft: &mut Draft) -> Result<(), HistoryError> {
    let header = table.header.clone();
    let (start_place, end_place) = (header.place(START), header.place(END));
    let (location, market_place) =
        (header.place(&["location"]), header.place(&["market"]));
    let price_place = header.place(PRICE);
    let is_spp = header.name(price_place).eq_ignore_ascii_case("spp");
    let utc_by_name = header.name(start_place).to_ascii_lowercase().ends_with("_utc");
    let expected = "a time with its UTC offset";
    let mut start = Column::of(&header, start_place, expected);
    let mut end = Column::of(&header, end_place, expected);
    let mut price = Column::new(&header, price_place);
    let mut points = PointColumn::default();
    let mut other_markets = std::collections::BTreeMap::<String, (u64, u64)>::new();
    let by_file_name = market::of_file_name(&draft.name);
    while let Some(row) = table.next(draft) {
        let from = start.parse(row, draft, None, |text| cell::instant(text, utc_by_name));
        let until = end.parse(row, draft, None, |text| cell::instant(text, utc_by_name));
        let point = row.text(location);
        let price = price.number(row, 6, draft, Some(point));
        let (Some(from), Some(until)) = (from, until) else {
            continue;
        };
        let seconds = until - from;
        let stated = stated_seconds(row.text(market_place));
        let as_stated = stated.is_none_or(|stated| stated == seconds);
        if !(1..=cell::DAY).contains(&seconds) || !as_stated {
            draft.note(
                NoteKind::UnreadableCell,
                Some(row.line),
                Some(point),
                format!("the interval ends {} after it starts", duration_text(seconds)),
                "row skipped".to_owned(),
            );
            continue;
        }
        let Some(kind) = kind(row.text(market_place), seconds, is_spp) else {
            let seen = other_markets.entry(row.text(market_place).to_owned());
            seen.or_insert((0, row.line)).0 += 1;
            continue;
        };
        let Some(price) = price else { continue };
        let step = Step::Seconds(u32::try_from(seconds).unwrap_or(u32::MAX));
        let place = points.place(kind, step, point.as_bytes(), || {
            let ercot = is_spp.then(|| market::known("ERCOT"));
            let found = ercot.or(market::of_point(point)).or(by_file_name);
            let place =
                draft.prices(kind, found.unwrap_or(market::known("OTHER")), point, step);
            if ercot.is_none() {
                draft.market_guessed(place);
            }
            place
        });
        draft.push(place, from, price, row.line);
    }
    for (name, (rows, line)) in other_markets {
        draft.note(
            NoteKind::LeftAlone,
            Some(line),
            None,
            format!(
                "{} of the market `{name}`, neither real-time nor day-ahead",
                counted(rows, "row")
            ),
            "left alone".to_owned(),
        );
    }
    draft.finish([&start, &end, &price])
}
