//! Spot offers for GPU capacity, in the order they became known.
//!
//! An offer that cannot be right is no offer, with the same bounds as in a living run;
//! one that was known too late to be taken is left alone.

use engine::{Known, Source};
use units::GpuHourPrice;

use super::draft::OfferRow;
use super::note::{Note, NoteKind, counted};
use super::spell::{at, during};
use crate::growing::SPOT_OFFER_MAX;

/// What is wrong with a row, and what is done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    /// It ends before it begins.
    Empty,
    /// Less than nothing.
    Negative,
    /// More than any GPU is sold for.
    TooMuch,
    /// Known when it was over.
    TooLate,
}

impl Fault {
    fn of(row: &OfferRow) -> Option<Self> {
        match row {
            _ if row.end <= row.start => Some(Self::Empty),
            _ if row.value < 0 => Some(Self::Negative),
            _ if row.value > SPOT_OFFER_MAX.as_micro_usd() => Some(Self::TooMuch),
            _ if row.known_at >= row.end => Some(Self::TooLate),
            _ => None,
        }
    }

    fn note(self, rows: &[&OfferRow], names: &[String]) -> Note {
        let first = rows[0];
        let count = counted(rows.len() as u64, "spot offer");
        let what = match self {
            Self::Empty => "of no length".to_owned(),
            Self::Negative => "below nothing".to_owned(),
            Self::TooMuch => {
                format!("above {SPOT_OFFER_MAX}, a thousand times what a GPU is sold for")
            }
            Self::TooLate => "known when over".to_owned(),
        };
        let (kind, treatment) = match self {
            Self::TooLate => (NoteKind::LeftAlone, "nothing could be decided on them"),
            Self::Empty | Self::Negative | Self::TooMuch => {
                (NoteKind::Quarantined, "treated as missing")
            }
        };
        Note {
            file: names.get(first.file as usize).cloned(),
            row: Some(u64::from(first.line)),
            point: None,
            kind,
            message: format!("{count} {what}, the first of {}", at(first.start)),
            treatment: treatment.to_owned(),
        }
    }
}

/// The offers that rows make, and what was odd about them. Of rows about the same
/// interval that were known at once, the later is a correction.
pub(super) fn offers(
    rows: &[OfferRow],
    names: &[String],
    notes: &mut Vec<Note>,
) -> Vec<Known<GpuHourPrice>> {
    let mut odd: Vec<(u32, Fault, &OfferRow)> =
        rows.iter().filter_map(|row| Some((row.file, Fault::of(row)?, row))).collect();
    odd.sort_by_key(|(file, fault, _)| (*file, *fault));
    for same in odd.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        let rows: Vec<&OfferRow> = same.iter().map(|(_, _, row)| *row).collect();
        notes.push(same[0].1.note(&rows, names));
    }
    let mut kept: Vec<&OfferRow> =
        rows.iter().filter(|row| Fault::of(row).is_none()).collect();
    let of = |row: &OfferRow| (row.known_at, row.start, row.end);
    kept.sort_by_key(|row| (of(row), row.file, row.line));
    for pair in kept.windows(2).filter(|pair| of(pair[0]) == of(pair[1])) {
        let (earlier, later) = (pair[0], pair[1]);
        let (kind, treatment) = match earlier.value == later.value {
            true => (NoteKind::RepeatedRow, "kept once"),
            false => (NoteKind::CorrectedRow, "the later row is used"),
        };
        notes.push(Note {
            file: names.get(later.file as usize).cloned(),
            row: Some(u64::from(later.line)),
            point: None,
            kind,
            message: format!("the spot offer of {} a second time", at(later.start)),
            treatment: treatment.to_owned(),
        });
    }
    kept.dedup_by(|later, earlier| {
        let same = of(later) == of(earlier);
        if same {
            *earlier = *later;
        }
        same
    });
    let known = |row: &&OfferRow| Known {
        value: GpuHourPrice::from_micro_usd(row.value),
        during: during(row.start, row.end),
        known_at: at(row.known_at),
        source: Source::SpotMarket,
    };
    kept.iter().map(known).collect()
}
