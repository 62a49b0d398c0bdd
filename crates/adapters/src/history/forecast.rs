//! Price forecasts of a point, as curves in the order they became known.

use engine::{Forecast, Source};
use units::{EnergyPrice, Seconds, Timestamp};

use super::draft::ForecastRow;
use super::market::{MarketRules, Verdict};
use super::note::{Note, NoteKind};
use super::spell::at;

/// How long a price holds that none follows: an hour.
const ALONE: i64 = 3_600;

/// The longest step of a curve: two prices further apart have a gap between them.
const STEP_MAX: i64 = 24 * 3_600;

/// The curves of a point: rows of one time of knowing, from one step to the next.
/// The later of two rows about the same interval is used.
pub(super) fn curves(
    rows: &[ForecastRow],
    point: &str,
    rules: &MarketRules,
    names: &[String],
    notes: &mut Vec<Note>,
) -> Vec<Forecast> {
    let here = |row: &&ForecastRow| {
        row.point.as_ref().is_none_or(|named| named.eq_ignore_ascii_case(point))
    };
    let mut kept: Vec<&ForecastRow> = Vec::new();
    let mut unbelievable = (0_u64, None);
    for row in rows.iter().filter(here) {
        match rules.judge(row.start, row.value) {
            Verdict::Inside | Verdict::Beyond => kept.push(row),
            Verdict::Unbelievable => {
                unbelievable.0 += 1;
                unbelievable.1.get_or_insert(row);
            }
        }
    }
    if let (count, Some(first)) = unbelievable {
        notes.push(Note {
            file: names.get(first.file as usize).cloned(),
            row: Some(u64::from(first.line)),
            point: Some(point.to_owned()),
            kind: NoteKind::Quarantined,
            message: format!(
                "{count} price forecasts beyond {}, the first of {}",
                rules.limits(first.start),
                at(first.start)
            ),
            treatment: "treated as missing".to_owned(),
        });
    }
    kept.sort_by_key(|row| (row.known_at, row.start, row.file, row.line));
    kept.dedup_by(|later, earlier| {
        let same = (later.known_at, later.start) == (earlier.known_at, earlier.start);
        if same {
            *earlier = *later;
        }
        same
    });
    let mut curves = Vec::new();
    for known in kept.chunk_by(|a, b| a.known_at == b.known_at) {
        let mut rest = known;
        while let Some(first) = rest.first() {
            let step = rest.get(1).map(|next| next.start - first.start);
            let step = step.filter(|step| *step <= STEP_MAX).unwrap_or(ALONE);
            let even =
                rest.windows(2).take_while(|pair| pair[1].start - pair[0].start == step);
            let (curve, after) = rest.split_at(even.count() + 1);
            curves.push(curve_of(curve, step));
            rest = after;
        }
    }
    curves
}

fn curve_of(rows: &[&ForecastRow], step: i64) -> Forecast {
    Forecast {
        from: at(rows[0].start),
        step: Seconds::from_seconds(step),
        prices: rows
            .iter()
            .map(|row| EnergyPrice::from_micro_usd_per_mwh(row.value))
            .collect(),
        known_at: Timestamp::from_unix_seconds(rows[0].known_at),
        source: Source::Forecaster,
    }
}
