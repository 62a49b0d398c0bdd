//! What a history holds and what is odd in it, for a person or as a document.

use std::collections::BTreeMap;

use serde::Serialize;

use super::catalog::Catalog;
use super::draft::{Key, SeriesKind, Step};
use super::note::{NoteGroup, counted, folded};
use super::spell::{during, gaps};

/// A history at a glance; prints as a page, serialises as a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Every file met.
    pub files: Vec<FileCheck>,
    /// Everything odd, folded by file and sort.
    pub notes: Vec<NoteGroup>,
    /// Every settlement point with prices.
    pub points: Vec<PointCheck>,
    /// Series that serve every point of a market.
    pub shared: Vec<SharedCheck>,
    /// The bitcoin days, where there are any.
    pub bitcoin: Option<SeriesCheck>,
}

/// A file and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileCheck {
    /// Its name.
    pub name: String,
    /// What it was taken for; `None` where it was left alone.
    pub layout: Option<String>,
    /// Rows below the header.
    pub rows: u64,
    /// The start of its first value, UTC.
    pub first: Option<String>,
    /// The start of its last value, UTC.
    pub last: Option<String>,
    /// The settlement points it has prices of.
    pub points: Vec<String>,
}

/// A settlement point and its series.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PointCheck {
    /// Its market.
    pub market: String,
    /// Whether a file or its layout says so, rather than a name.
    pub market_stated: bool,
    /// Its name.
    pub point: String,
    /// Its series, by kind and rising step.
    pub series: Vec<SeriesCheck>,
}

/// A series that serves every point of a market.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SharedCheck {
    /// The market; `None` where no file names one and it serves them all.
    pub market: Option<String>,
    /// The series.
    pub series: SeriesCheck,
}

/// A series: from when to when, how dense, how whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SeriesCheck {
    /// What it is of, such as `settlement price`.
    pub kind: String,
    /// How long each value holds; `None` where it holds until the next.
    pub step_seconds: Option<u32>,
    /// The start of the first value, UTC.
    pub start: String,
    /// The end of the last value, UTC.
    pub end: String,
    /// How many values.
    pub values: usize,
    /// The part of the time from start to end that has a value, in parts per million.
    pub coverage_ppm: i64,
    /// How many gaps.
    pub gaps: usize,
    /// Seconds in gaps.
    pub gap_seconds: i64,
    /// Where the longest gap starts and ends, UTC.
    pub longest_gap: Option<(String, String)>,
}

impl Catalog {
    /// What the history holds and what is odd in it.
    pub fn check(&self) -> Check {
        let files = self
            .files
            .iter()
            .map(|file| FileCheck {
                name: file.name.clone(),
                layout: file.layout.map(str::to_owned),
                rows: file.rows,
                first: file.span.map(|span| span.start.to_string()),
                last: file.span.map(|span| span.end.to_string()),
                points: file.points.clone(),
            })
            .collect();
        let mut points: BTreeMap<(&str, &str), PointCheck> = BTreeMap::new();
        let mut shared: Vec<SharedCheck> = Vec::new();
        for (key, series) in &self.series {
            let stretches = series.spells.iter().map(|spell| (spell.start, spell.end));
            let Some(check) = of_series(key, stretches) else {
                continue;
            };
            if key.point.is_empty() {
                let market = (!key.market.is_empty()).then(|| key.market.to_owned());
                shared.push(SharedCheck { market, series: check });
                continue;
            }
            let point =
                points.entry((key.market, &key.point)).or_insert_with(|| PointCheck {
                    market: key.market.to_owned(),
                    market_stated: false,
                    point: key.point.clone(),
                    series: Vec::new(),
                });
            point.market_stated |= series.market_stated;
            point.series.push(check);
        }
        let days = self
            .bitcoin
            .iter()
            .map(|day| (day.day.start.as_unix_seconds(), day.day.end.as_unix_seconds()));
        Check {
            files,
            notes: self.notes_by_file(),
            points: points.into_values().collect(),
            shared,
            bitcoin: summary("bitcoin day", Some(86_400), days),
        }
    }
}

impl Catalog {
    /// The notes folded, those of one file together, in the order of the files.
    fn notes_by_file(&self) -> Vec<NoteGroup> {
        let places: BTreeMap<&str, usize> = self
            .files
            .iter()
            .zip(0..)
            .map(|(file, place)| (file.name.as_str(), place))
            .collect();
        let mut groups = folded(&self.notes);
        groups.sort_by_key(|group| {
            let place = group.file.as_deref().and_then(|file| places.get(file));
            (place.copied().unwrap_or(usize::MAX), group.file.clone())
        });
        groups
    }
}

fn of_series(
    key: &Key,
    stretches: impl Iterator<Item = (i64, i64)> + Clone,
) -> Option<SeriesCheck> {
    let step = match key.step {
        Step::Seconds(seconds) => Some(seconds),
        Step::Runs | Step::ToInfer => None,
    };
    let mut check = summary(&key.kind.to_string(), step, stretches)?;
    // Peaks are single intervals of a year; the time between is no gap.
    if key.kind == SeriesKind::CoincidentPeak {
        (check.gaps, check.gap_seconds, check.longest_gap) = (0, 0, None);
        check.coverage_ppm = 1_000_000;
    }
    Some(check)
}

fn summary(
    kind: &str,
    step_seconds: Option<u32>,
    stretches: impl Iterator<Item = (i64, i64)> + Clone,
) -> Option<SeriesCheck> {
    let (start, _) = stretches.clone().next()?;
    let (_, end) = stretches.clone().last()?;
    let found = gaps(stretches.clone());
    let text = |seconds| during(seconds, seconds).start.to_string();
    let whole = (end - start).max(1);
    Some(SeriesCheck {
        kind: kind.to_owned(),
        step_seconds,
        start: text(start),
        end: text(end),
        values: stretches.count(),
        coverage_ppm: i64::try_from(
            i128::from(whole - found.seconds) * 1_000_000 / i128::from(whole),
        )
        .unwrap_or(0),
        gaps: found.count,
        gap_seconds: found.seconds,
        longest_gap: found.longest.map(|(from, to)| (text(from), text(to))),
    })
}

/// Files of one layout in a row that are printed one by one; a folder with a
/// file for every run has tens of thousands.
const FILES_SHOWN: usize = 12;

impl std::fmt::Display for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "Files")?;
        let width =
            self.files.iter().map(|file| file.name.chars().count()).max().unwrap_or(0);
        let mut shown: BTreeMap<&str, usize> = BTreeMap::new();
        let mut folded: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
        for file in &self.files {
            let layout = file.layout.as_deref().unwrap_or("left alone");
            let count = shown.entry(layout).or_default();
            *count += 1;
            if *count > FILES_SHOWN {
                let rest = folded.entry(layout).or_default();
                *rest = (rest.0 + 1, rest.1 + file.rows);
                continue;
            }
            writeln!(f, "  {:<width$}  {}", file.name, file_line(file))?;
        }
        for (layout, (count, rows)) in folded {
            writeln!(
                f,
                "  and {} more of {layout}, {} rows",
                grouped(count),
                grouped(rows)
            )?;
        }

        writeln!(f, "\nNotes")?;
        if self.notes.is_empty() {
            writeln!(f, "  none")?;
        }
        let mut file = None;
        for group in &self.notes {
            if file != Some(&group.file) {
                writeln!(f, "  {}", group.file.as_deref().unwrap_or("over all files"))?;
                file = Some(&group.file);
            }
            for note in &group.first {
                let row = note.row.map_or(String::new(), |row| format!("row {row}"));
                let about =
                    note.point.as_deref().map_or(String::new(), |p| format!("{p}: "));
                writeln!(
                    f,
                    "    {:<10} {:<16} {about}{}; {}",
                    row, group.kind, note.message, note.treatment
                )?;
            }
            let more = group.count - group.first.len();
            if more > 0 {
                let more = grouped(more);
                writeln!(
                    f,
                    "    {:<10} {:<16} and {more} more like these",
                    "", group.kind
                )?;
            }
        }

        writeln!(f, "\nPoints")?;
        if self.points.is_empty() {
            writeln!(f, "  none: no file has prices of power")?;
        }
        for point in &self.points {
            let guess =
                if point.market_stated { "" } else { " (no file says which market)" };
            writeln!(f, "  {} {}{guess}", point.market, point.point)?;
            for series in &point.series {
                writeln!(f, "    {}", series_line(series))?;
            }
        }
        if !self.shared.is_empty() {
            writeln!(f, "\nFor every point")?;
            for shared in &self.shared {
                let market = shared.market.as_deref().unwrap_or("any market");
                writeln!(f, "    {}  {market}", series_line(&shared.series))?;
            }
        }
        writeln!(f, "\nBitcoin")?;
        match &self.bitcoin {
            Some(days) => writeln!(f, "    {}", series_line(days)),
            None => writeln!(
                f,
                "  none: no file has bitcoin days, so mining pay is not computed"
            ),
        }
    }
}

fn file_line(file: &FileCheck) -> String {
    let Some(layout) = &file.layout else {
        let is_csv = file.name.to_ascii_lowercase().ends_with(".csv");
        return if is_csv { "not recognised, left alone" } else { "not CSV, ignored" }
            .to_owned();
    };
    let span = match (&file.first, &file.last) {
        (Some(first), Some(last)) => format!("{first} to {last}"),
        _ => "no values".to_owned(),
    };
    let points = match file.points.as_slice() {
        [] => String::new(),
        few if few.len() <= 5 => format!("  {}", few.join(", ")),
        many => {
            format!("  {} and {} more", many[..4].join(", "), grouped(many.len() - 4))
        }
    };
    format!("{layout:<38} {:>9} rows  {span}{points}", grouped(file.rows))
}

fn series_line(series: &SeriesCheck) -> String {
    let step = series.step_seconds.map_or("by run".to_owned(), |seconds| {
        units::Seconds::from_seconds(i64::from(seconds)).to_string()
    });
    let coverage = units::decimal::text(i128::from(series.coverage_ppm), 4, 2);
    let gaps = match &series.longest_gap {
        None => "no gaps".to_owned(),
        Some((from, to)) => {
            format!("{}, the longest {from} to {to}", counted(series.gaps, "gap"))
        }
    };
    format!(
        "{:<17} {step:>7}  {} to {}  {:>9} values  {coverage:>6} %  {gaps}",
        series.kind,
        series.start,
        series.end,
        grouped(series.values)
    )
}

/// A count with its thousands apart.
fn grouped(count: impl std::fmt::Display) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
