//! Coincident peaks in our own columns: forecast probabilities, and the peaks
//! that were published afterwards.
//!
//! `interval_start_utc,peak_probability` with a number from 0 to 1, known when
//! its interval starts; `interval_start_utc,coincident_peak_interval_minutes`
//! with one row a published peak.

use super::super::cell;
use super::super::draft::{Column, Draft, SeriesKind, Step};
use super::super::error::HistoryError;
use super::super::market;
use super::super::table::{Header, Table};
use super::Layout;

pub(super) const LAYOUT: Layout = Layout { name: "coincident peaks", recognises, read };

const PROBABILITY: &str = "peak_probability";
const PUBLISHED: &str = "coincident_peak_interval_minutes";

fn recognises(header: &Header) -> bool {
    header.has(&["interval_start_utc"])
        && header.find(&[PROBABILITY, PUBLISHED]).is_some()
}

fn read(table: &mut Table<'_>, draft: &mut Draft) -> Result<(), HistoryError> {
    let header = table.header.clone();
    let expected = "a time in UTC";
    let mut start = Column::of(&header, header.place(&["interval_start_utc"]), expected);
    let mut probability = header
        .find(&[PROBABILITY])
        .map(|place| Column::of(&header, place, "a probability from 0 to 1"));
    let mut minutes = header
        .find(&[PUBLISHED])
        .map(|place| Column::of(&header, place, "minutes from 1 to 60"));
    let rules = market::of_file_name(&draft.name);
    let series = draft.shared(SeriesKind::PeakProbability, rules, Step::ToInfer);
    while let Some(row) = table.next(draft) {
        let start = start.parse(row, draft, None, |text| cell::instant(text, true));
        let share = probability.as_mut().and_then(|column| {
            column.parse(row, draft, None, |text| {
                cell::scaled(text, 6).filter(|ppm| (0..=1_000_000).contains(ppm))
            })
        });
        let length = minutes.as_mut().and_then(|column| {
            column.parse(row, draft, None, |text| {
                cell::scaled(text, 0).filter(|minutes| (1..=60).contains(minutes))
            })
        });
        let Some(start) = start else { continue };
        if let Some(share) = share {
            draft.saw(start);
            draft.push(series, start, share, row.line);
        }
        if let Some(length) = length {
            let seconds = u32::try_from(length * 60).expect("at most an hour");
            let peaks =
                draft.shared(SeriesKind::CoincidentPeak, rules, Step::Seconds(seconds));
            draft.push(peaks, start, 1, row.line);
        }
    }
    draft.infer_steps(|_| 900);
    draft.finish([&start].into_iter().chain(&probability).chain(&minutes))
}
