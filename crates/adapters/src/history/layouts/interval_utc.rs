//! Prices, demand forecast and temperature by the start of their interval in UTC.
//!
//! `interval_start_utc` with any of `rt_spp_usd_mwh` (settlement prices),
//! `da_spp_usd_mwh` (day-ahead prices), `da_demand_forecast_mw` and `temp_c`.
//! `settlement_point` and `market` name what the prices are of; without them
//! the file's name does, as in `ercot_hb_houston_rt_15min_2025.csv`.
//! `dst_order_ambiguous` is 1 where the order inside the repeated autumn hour
//! was not certain.

use super::super::cell;
use super::super::draft::{Column, Draft, PointColumn, SeriesKind, Step};
use super::super::error::HistoryError;
use super::super::market::{self, MarketRules};
use super::super::note::{NoteKind, counted};
use super::super::table::{Header, Table};
use super::{Layout, unused};

pub(super) const LAYOUT: Layout = Layout { name: "intervals in UTC", recognises, read };

/// The columns of values, what they are, the places kept, and the step where
/// the rows do not tell.
const VALUES: [(&str, SeriesKind, u32, u32); 4] = [
    ("rt_spp_usd_mwh", SeriesKind::Settlement, 6, 900),
    ("da_spp_usd_mwh", SeriesKind::DayAhead, 6, 3_600),
    ("da_demand_forecast_mw", SeriesKind::DemandForecast, 6, 3_600),
    ("temp_c", SeriesKind::Temperature, 3, 3_600),
];
const OTHER: [&str; 4] =
    ["interval_start_utc", "settlement_point", "market", "dst_order_ambiguous"];

fn recognises(header: &Header) -> bool {
    header.has(&["interval_start_utc"])
        && VALUES.iter().any(|value| header.find(&[value.0]).is_some())
}

/// The market and point that a file's name gives, with `true` where the name
/// follows the pattern `<market>_<point>_rt_…` or `…_da_…`.
fn named_by_file(name: &str) -> (&'static MarketRules, String, bool) {
    let file = name.rsplit('/').next().unwrap_or(name);
    let stem = file.split('.').next().unwrap_or(file).to_ascii_lowercase();
    let words: Vec<&str> = stem.split('_').collect();
    let rules = words.first().and_then(|word| market::named(word));
    let from = usize::from(rules.is_some());
    let until = words.iter().position(|word| matches!(*word, "rt" | "da"));
    let (point, follows) = match until {
        Some(until) if until > from => (words[from..until].join("_"), true),
        _ => (words[from..].join("_"), false),
    };
    let mut point = point.to_ascii_uppercase();
    let rules =
        rules.or_else(|| market::of_point(&point)).unwrap_or(market::known("ERCOT"));
    // The hub average is written without its prefix in file names.
    if rules.name == "ERCOT" && point.starts_with("HUB") {
        point.insert_str(0, "HB_");
    }
    (rules, point, follows)
}

fn read(table: &mut Table<'_>, draft: &mut Draft) -> Result<(), HistoryError> {
    let header = table.header.clone();
    let mut start =
        Column::of(&header, header.place(&["interval_start_utc"]), "a time in UTC");
    let point_place = header.find(&["settlement_point"]);
    let market_place = header.find(&["market"]);
    let ambiguous = header.find(&["dst_order_ambiguous"]);
    let mut values: Vec<(Column, SeriesKind, u32)> = VALUES
        .iter()
        .filter_map(|(name, kind, places, _)| {
            let place = header.find(&[name])?;
            Some((Column::new(&header, place), *kind, *places))
        })
        .collect();
    let used: Vec<&str> = VALUES.iter().map(|value| value.0).chain(OTHER).collect();
    draft.left_alone("columns this layout does not know", &unused(&header, &used));

    let (file_rules, file_point, follows) = named_by_file(&draft.name);
    let priced = values.iter().any(|value| value.1.is_price());
    if priced && point_place.is_none() && !follows {
        draft.note(
            NoteKind::Assumed,
            None,
            None,
            "neither a column `settlement_point` nor a name like \
             `ercot_hb_houston_rt_15min_2025.csv` says which point this is"
                .to_owned(),
            format!("taken as {file_point} of {}", file_rules.name),
        );
    }
    let mut points = PointColumn::default();
    let mut uncertain: Option<(u64, u64)> = None;
    while let Some(row) = table.next(draft) {
        let Some(at) = start.parse(row, draft, None, |text| cell::instant(text, true))
        else {
            continue;
        };
        draft.saw(at);
        if ambiguous.is_some_and(|place| row.field(place) == b"1") {
            uncertain.get_or_insert((0, row.line)).0 += 1;
        }
        let point = point_place.map_or(file_point.as_str(), |place| row.text(place));
        for (column, kind, places) in &mut values {
            let about = kind.is_price().then_some(point);
            let Some(value) = column.number(row, *places, draft, about) else {
                continue;
            };
            let key = about.unwrap_or_default().as_bytes();
            let place = points.place(*kind, Step::ToInfer, key, || {
                let stated =
                    market_place.and_then(|place| market::named(row.text(place)));
                if !kind.is_price() {
                    let rules = stated.or(market::of_file_name(&draft.name));
                    return draft.shared(*kind, rules, Step::ToInfer);
                }
                let by_name =
                    point_place.map_or(Some(file_rules), |_| market::of_point(point));
                let rules = stated.or(by_name).unwrap_or(file_rules);
                let place = draft.prices(*kind, rules, point, Step::ToInfer);
                if stated.is_none() {
                    draft.market_guessed(place);
                }
                place
            });
            draft.push(place, at, value, row.line);
        }
    }
    draft.infer_steps(|kind| {
        VALUES.iter().find(|value| value.1 == kind).map_or(3_600, |value| value.3)
    });
    if let Some((rows, line)) = uncertain {
        draft.note(
            NoteKind::AmbiguousOrder,
            Some(line),
            None,
            format!(
                "{} marked as uncertain in their order inside the autumn hour",
                counted(rows, "row")
            ),
            "kept in the order given".to_owned(),
        );
    }
    draft.finish([&start].into_iter().chain(values.iter().map(|value| &value.0)))
}

#[cfg(test)]
mod tests {
    use super::named_by_file;

    #[test]
    fn a_file_name_names_market_and_point() {
        let cases = [
            ("ercot_hb_houston_rt_15min_2022.csv", ("ERCOT", "HB_HOUSTON", true)),
            ("a/ercot_lz_west_rt_15min_2021.csv", ("ERCOT", "LZ_WEST", true)),
            ("ercot_hubavg_da_load_temp_hourly_2024.csv", ("ERCOT", "HB_HUBAVG", true)),
            ("hb_synth_rt_15min.csv", ("SYNTH", "HB_SYNTH", true)),
            ("prices.csv", ("ERCOT", "PRICES", false)),
        ];
        for (name, expected) in cases {
            let (rules, point, follows) = named_by_file(name);
            assert_eq!((rules.name, point.as_str(), follows), expected, "{name}");
        }
    }
}
