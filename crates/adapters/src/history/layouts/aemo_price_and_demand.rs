//! AEMO aggregated price and demand files.
//!
//! `REGION,SETTLEMENTDATE,TOTALDEMAND,RRP,PERIODTYPE`: the end of a trading
//! interval in market time (UTC+10 all year), half an hour until the end of
//! September 2021 and five minutes after. The price is the one that settles.

use super::super::draft::{Column, Draft, PointColumn, SeriesKind, Step};
use super::super::error::HistoryError;
use super::super::market;
use super::super::note::{NoteKind, counted};
use super::super::table::{Header, Table};
use super::aemo_dispatch_price::market_instant;
use super::{Layout, unused};

pub(super) const LAYOUT: Layout =
    Layout { name: "AEMO price and demand", recognises, read };

fn recognises(header: &Header) -> bool {
    header.has(&["region", "settlementdate", "rrp"])
}

fn read(table: &mut Table<'_>, draft: &mut Draft) -> Result<(), HistoryError> {
    let nem = market::known("NEM");
    let header = table.header.clone();
    let region = header.place(&["region"]);
    let period = header.find(&["periodtype"]);
    let used = ["region", "settlementdate", "rrp", "periodtype"];
    draft.left_alone(
        "columns that are not prices (TOTALDEMAND is metered, not a forecast)",
        &unused(&header, &used),
    );
    let expected = "a market time YYYY/MM/DD HH:MM:SS";
    let mut end = Column::of(&header, header.place(&["settlementdate"]), expected);
    let mut price = Column::new(&header, header.place(&["rrp"]));
    let mut points = PointColumn::default();
    let mut forecasts: Option<(u64, u64)> = None;
    while let Some(row) = table.next(draft) {
        if let Some(kind) = period.map(|place| row.field(place))
            && !kind.eq_ignore_ascii_case(b"TRADE")
            && !kind.is_empty()
        {
            forecasts.get_or_insert((0, row.line)).0 += 1;
            continue;
        }
        let end = end.parse(row, draft, None, market_instant);
        let name = row.text(region);
        let price = price.number(row, 6, draft, Some(name));
        let (Some(end), Some(price)) = (end, price) else {
            continue;
        };
        // An interval belongs to the rule under which it began; its own length
        // does not matter to that, for both rules meet at a half hour.
        let began = units::Timestamp::from_unix_seconds(end - 1);
        let step = nem.settlement_interval(began).map_or(300, units::Seconds::as_seconds);
        let key = Step::Seconds(u32::try_from(step).expect("a step of minutes"));
        let place = points.place(SeriesKind::Settlement, key, name.as_bytes(), || {
            draft.prices(SeriesKind::Settlement, nem, name, key)
        });
        draft.push(place, end - step, price, row.line);
    }
    if let Some((rows, line)) = forecasts {
        draft.note(
            NoteKind::LeftAlone,
            Some(line),
            None,
            format!(
                "{} with a PERIODTYPE other than TRADE, which are forecasts",
                counted(rows, "row")
            ),
            "left alone".to_owned(),
        );
    }
    draft.finish([&end, &price])
}
