//! Values over time: sorted stretches that do not overlap, made from rows that
//! may repeat, disagree and overlap.

use units::{Interval, Timestamp};

use super::draft::{Key, Observation, SeriesKind, Step};
use super::market::{MarketRules, Verdict};
use super::note::{Note, NoteKind};

/// A value and the stretch it holds, `[start, end)` in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spell {
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) value: i64,
    pub(crate) file: u32,
    pub(crate) row: u32,
}

/// The longest time a dispatch price holds without a new run: a run comes about
/// every five minutes, so after three missed ones it is not believed.
const RUN_SECONDS_MAX: i64 = 900;

/// How long a run's price holds when the next one is missing.
const RUN_SECONDS: i64 = 300;

/// Coldest and hottest outside air believed, in thousandths of a degree:
/// beyond the records kept by the World Meteorological Organization.
const MILLIDEGREES: std::ops::RangeInclusive<i64> = -90_000..=60_000;

/// Demand forecasts believed, in watts: up to a thousand gigawatts.
const WATTS: std::ops::RangeInclusive<i64> = 1..=1_000_000_000_000;

/// An instant for people.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

/// A stretch for people and for the engine.
pub(crate) fn during(start: i64, end: i64) -> Interval {
    Interval { start: at(start), end: at(end) }
}

/// Makes one series of the rows of all its files, in the order of the files.
///
/// A row that repeats the time of another is dropped where it agrees and counts
/// as a correction where it does not. A row that starts inside the one before
/// is dropped.
pub(crate) fn spells(
    key: &Key,
    mut rows: Vec<Observation>,
    names: &[String],
    notes: &mut Vec<Note>,
) -> Vec<Spell> {
    let name = |file: u32| names.get(file as usize).cloned();
    let mut note = |row: &Observation, kind, message, treatment: &str| {
        notes.push(Note {
            file: name(row.file),
            row: Some(u64::from(row.row)),
            point: (!key.point.is_empty()).then(|| key.point.clone()),
            kind,
            message,
            treatment: treatment.to_owned(),
        });
    };
    // Stable, so that rows of one time stay in the order of the files.
    rows.sort_by_key(|row| row.start);
    let mut kept: Vec<Observation> = Vec::with_capacity(rows.len());
    for row in rows {
        let Some(last) = kept.last_mut().filter(|last| last.start == row.start) else {
            kept.push(row);
            continue;
        };
        let place = if last.file == row.file {
            format!("row {}", last.row)
        } else {
            format!("row {} of {}", last.row, name(last.file).unwrap_or_default())
        };
        let message = format!("{} of {} repeats {place}", key.kind, at(row.start));
        if last.value == row.value {
            note(&row, NoteKind::RepeatedRow, message, "dropped");
        } else {
            let message = format!("{message} with another value");
            note(
                &row,
                NoteKind::CorrectedRow,
                message,
                "the later row counts as a correction",
            );
            *last = row;
        }
    }
    let mut spells: Vec<Spell> = Vec::with_capacity(kept.len());
    for (place, row) in kept.iter().enumerate() {
        if spells.last().is_some_and(|last| row.start < last.end) {
            let message = format!(
                "{} of {} starts inside the row before it",
                key.kind,
                at(row.start)
            );
            note(row, NoteKind::OverlappingRow, message, "dropped");
            continue;
        }
        let end = match key.step {
            Step::Seconds(step) => row.start + i64::from(step),
            Step::Runs | Step::ToInfer => match kept.get(place + 1) {
                Some(next) if next.start - row.start <= RUN_SECONDS_MAX => next.start,
                _ => row.start + RUN_SECONDS,
            },
        };
        let Observation { start, value, file, row } = *row;
        spells.push(Spell { start, end, value, file, row });
    }
    spells
}

/// Keeps the values that can be right, with a note for each that is odd.
///
/// A price between the market's limit and what adders and congestion can make
/// of it is kept and noted; beyond that it is missing, so that it raises no load.
pub(crate) fn believed(
    key: &Key,
    spells: &[Spell],
    rules: &'static MarketRules,
    names: &[String],
    notes: &mut Vec<Note>,
) -> Vec<Spell> {
    let mut kept = Vec::with_capacity(spells.len());
    for spell in spells {
        let verdict = match key.kind {
            SeriesKind::Lmp | SeriesKind::Settlement | SeriesKind::DayAhead => {
                rules.judge(spell.start, spell.value)
            }
            SeriesKind::Temperature => inside(MILLIDEGREES.contains(&spell.value)),
            SeriesKind::DemandForecast => inside(WATTS.contains(&spell.value)),
            SeriesKind::PeakProbability | SeriesKind::CoincidentPeak => Verdict::Inside,
        };
        let (kind, treatment) = match verdict {
            Verdict::Inside => {
                kept.push(*spell);
                continue;
            }
            Verdict::Beyond => {
                kept.push(*spell);
                (NoteKind::BeyondCap, "kept as published")
            }
            Verdict::Unbelievable => (NoteKind::Quarantined, "treated as missing"),
        };
        let value = value_text(key.kind, spell.value, rules);
        let limits = if key.kind.is_price() {
            format!(", beyond {}", rules.limits(spell.start))
        } else {
            ", which cannot be right".to_owned()
        };
        notes.push(Note {
            file: names.get(spell.file as usize).cloned(),
            row: Some(u64::from(spell.row)),
            point: (!key.point.is_empty()).then(|| key.point.clone()),
            kind,
            message: format!("{} of {} is {value}{limits}", key.kind, at(spell.start)),
            treatment: treatment.to_owned(),
        });
    }
    kept
}

fn inside(believable: bool) -> Verdict {
    if believable { Verdict::Inside } else { Verdict::Unbelievable }
}

fn value_text(kind: SeriesKind, value: i64, rules: &MarketRules) -> String {
    let text = |scale, places| units::decimal::text(i128::from(value), scale, places);
    match kind {
        SeriesKind::Lmp | SeriesKind::Settlement | SeriesKind::DayAhead => {
            format!("{} {}/MWh", text(6, 2), rules.currency)
        }
        SeriesKind::Temperature => format!("{} °C", text(3, 1)),
        SeriesKind::DemandForecast => format!("{} MW", text(6, 0)),
        SeriesKind::PeakProbability | SeriesKind::CoincidentPeak => text(6, 6),
    }
}

/// Stretches without values between the first and the last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gaps {
    pub(crate) count: usize,
    pub(crate) seconds: i64,
    pub(crate) longest: Option<(i64, i64)>,
}

/// The gaps in sorted stretches.
pub(crate) fn gaps(stretches: impl IntoIterator<Item = (i64, i64)>) -> Gaps {
    let mut gaps = Gaps::default();
    let mut known_until: Option<i64> = None;
    for (start, end) in stretches {
        if let Some(until) = known_until.filter(|until| *until < start) {
            gaps.count += 1;
            gaps.seconds += start - until;
            if gaps.longest.is_none_or(|(from, to)| start - until > to - from) {
                gaps.longest = Some((until, start));
            }
        }
        known_until = Some(end);
    }
    gaps
}

/// The finest of several series at each time; coarser values only where no
/// finer one holds for any part of theirs.
pub(crate) struct Finest {
    pub(crate) spells: Vec<Spell>,
    /// The stretches in which a coarser value gave way, joined.
    pub(crate) gave_way: Vec<(i64, i64)>,
}

/// Lays series over each other, the finest first.
pub(crate) fn finest(series: Vec<Vec<Spell>>) -> Finest {
    let mut spells: Vec<Spell> = Vec::new();
    let mut gave_way = Vec::new();
    for coarser in series {
        if spells.is_empty() {
            spells = coarser;
            continue;
        }
        let mut added = Vec::new();
        for spell in coarser {
            if overlaps(&spells, spell.start, spell.end, |known| (known.start, known.end))
            {
                gave_way.push((spell.start, spell.end));
            } else {
                added.push(spell);
            }
        }
        spells.extend(added);
        spells.sort_by_key(|spell| spell.start);
    }
    Finest { spells, gave_way: joined(gave_way) }
}

/// Whether any of the sorted stretches shares an instant with `[start, end)`.
pub(crate) fn overlaps<T>(
    sorted: &[T],
    start: i64,
    end: i64,
    stretch: impl Fn(&T) -> (i64, i64),
) -> bool {
    let next = sorted.partition_point(|known| stretch(known).1 <= start);
    sorted.get(next).is_some_and(|known| stretch(known).0 < end)
}

/// Joins stretches that touch.
pub(crate) fn joined(mut stretches: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    stretches.sort_unstable();
    let mut joined: Vec<(i64, i64)> = Vec::new();
    for (start, end) in stretches {
        match joined.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => joined.push((start, end)),
        }
    }
    joined
}

/// The first few stretches in words, and how many more there are.
pub(crate) fn listed(stretches: &[(i64, i64)]) -> String {
    let shown: Vec<String> = stretches
        .iter()
        .take(3)
        .map(|(start, end)| during(*start, *end).to_string())
        .collect();
    match stretches.len().saturating_sub(shown.len()) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::market;
    use super::*;

    fn key(step: Step) -> Key {
        Key { kind: SeriesKind::Lmp, market: "ERCOT", point: "HB_WEST".to_owned(), step }
    }

    fn rows(seen: &[(i64, i64)]) -> Vec<Observation> {
        seen.iter()
            .zip(2..)
            .map(|((start, value), row)| Observation {
                start: *start,
                value: *value,
                file: 0,
                row,
            })
            .collect()
    }

    fn check(
        step: Step,
        seen: &[(i64, i64)],
        expected: &[(i64, i64, i64)],
        kinds: &[NoteKind],
    ) {
        let mut notes = Vec::new();
        let names = vec!["a.csv".to_owned()];
        let found = spells(&key(step), rows(seen), &names, &mut notes);
        let found: Vec<_> = found.iter().map(|s| (s.start, s.end, s.value)).collect();
        assert_eq!(found, expected);
        let found: Vec<NoteKind> = notes.iter().map(|note| note.kind).collect();
        assert_eq!(found, kinds);
    }

    #[test]
    fn repeats_are_dropped_or_count_as_corrections() {
        let five = Step::Seconds(300);
        check(
            five,
            &[(600, 3), (0, 1), (300, 2), (300, 2), (300, 9)],
            &[(0, 300, 1), (300, 600, 9), (600, 900, 3)],
            &[NoteKind::RepeatedRow, NoteKind::CorrectedRow],
        );
        check(five, &[(0, 1), (120, 2)], &[(0, 300, 1)], &[NoteKind::OverlappingRow]);
    }

    #[test]
    fn a_run_holds_until_the_next_unless_that_is_late() {
        check(
            Step::Runs,
            &[(13, 1), (310, 2), (1_210, 3), (2_200, 4)],
            &[(13, 310, 1), (310, 1_210, 2), (1_210, 1_510, 3), (2_200, 2_500, 4)],
            &[],
        );
    }

    #[test]
    fn a_price_that_cannot_be_right_is_missing() {
        let series = key(Step::Seconds(300));
        let spell =
            |start, value| Spell { start, end: start + 300, value, file: 0, row: 2 };
        let start = super::super::cell::utc(2024, 7, 1, 0);
        let given = [
            spell(start, 5_200_000_000),
            spell(start + 300, 50_000_000_000),
            spell(start + 600, -2_000_000_000),
        ];
        let mut notes = Vec::new();
        let names = vec!["a.csv".to_owned()];
        let kept = believed(&series, &given, market::known("ERCOT"), &names, &mut notes);
        assert_eq!(kept, &given[..1]);
        let notes: Vec<String> = notes.iter().map(ToString::to_string).collect();
        assert_eq!(
            notes[0],
            "a.csv:2: LMP of 2024-07-01T00:00Z is 5200.00 USD/MWh, beyond cap 5000 and \
             floor -250 USD/MWh; kept as published"
        );
        assert!(notes[1].ends_with("treated as missing"), "{}", notes[1]);
        assert_eq!(notes.len(), 3);
    }

    #[test]
    fn the_finest_wins_and_coarser_fill_the_rest() {
        let spell =
            |start, end| Spell { start, end, value: end - start, file: 0, row: 2 };
        let fine = vec![spell(0, 300), spell(900, 1_200)];
        let coarse = vec![spell(0, 900), spell(1_800, 2_700), spell(2_700, 3_600)];
        let found = finest(vec![fine, coarse]);
        let found_at: Vec<_> = found.spells.iter().map(|s| (s.start, s.end)).collect();
        assert_eq!(found_at, [(0, 300), (900, 1_200), (1_800, 2_700), (2_700, 3_600)]);
        assert_eq!(found.gave_way, [(0, 900)]);
    }

    #[test]
    fn gaps_are_counted_with_the_longest() {
        let found = gaps([(0, 300), (300, 600), (900, 1_200), (3_600, 3_900)]);
        assert_eq!(
            found,
            Gaps { count: 2, seconds: 2_700, longest: Some((1_200, 3_600)) }
        );
    }
}
