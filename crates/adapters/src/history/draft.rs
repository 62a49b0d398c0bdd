//! What one file gave while it is read: series in the making, and notes.

use std::collections::BTreeMap;

use super::cell;
use super::error::HistoryError;
use super::market::MarketRules;
use super::note::{Note, NoteKind, counted};
use super::table::{Header, Row};

/// What a series is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SeriesKind {
    /// Dispatch prices, known when their interval starts.
    Lmp,
    /// Settlement prices, known when their interval ends.
    Settlement,
    /// Day-ahead prices.
    DayAhead,
    /// Outside air temperature.
    Temperature,
    /// The system's forecast demand.
    DemandForecast,
    /// How likely an interval is to be a coincident peak.
    PeakProbability,
    /// Published coincident peaks.
    CoincidentPeak,
}

impl std::fmt::Display for SeriesKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Lmp => "LMP",
            Self::Settlement => "settlement price",
            Self::DayAhead => "day-ahead price",
            Self::Temperature => "temperature",
            Self::DemandForecast => "demand forecast",
            Self::PeakProbability => "peak probability",
            Self::CoincidentPeak => "coincident peak",
        })
    }
}

impl SeriesKind {
    /// Whether it is a price of power.
    pub fn is_price(self) -> bool {
        match self {
            Self::Lmp | Self::Settlement | Self::DayAhead => true,
            Self::Temperature
            | Self::DemandForecast
            | Self::PeakProbability
            | Self::CoincidentPeak => false,
        }
    }
}

/// How long each value of a series holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// From its run until the next run.
    Runs,
    /// So many seconds.
    Seconds(u32),
    /// Not known until the whole file is read.
    ToInfer,
}

/// What tells one series from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) kind: SeriesKind,
    /// The market's name; empty for what serves every market.
    pub(crate) market: &'static str,
    /// The settlement point; empty for what serves every point.
    pub(crate) point: String,
    pub(crate) step: Step,
}

/// One value of a file: integers in the base unit of its kind, prices in
/// millionths of the market's currency.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observation {
    pub(crate) start: i64,
    pub(crate) value: i64,
    /// Which file, by its place in the catalog.
    pub(crate) file: u32,
    /// The line in the file.
    pub(crate) row: u32,
}

/// A series as it stands in one file.
#[derive(Debug)]
pub(crate) struct Draught {
    pub(crate) key: Key,
    pub(crate) observations: Vec<Observation>,
    /// Whether a row started before the one above it, and the first such line.
    disorder: Option<(u64, u64)>,
    /// Whether the file or its layout says which market this is.
    pub(crate) market_stated: bool,
}

/// One row of a bitcoin file: what the source has of a day.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BitcoinRow {
    /// Days since 1970.
    pub(crate) day: i64,
    /// Millionths of a dollar.
    pub(crate) price: Option<i64>,
    /// Whole.
    pub(crate) difficulty: Option<i64>,
    /// Gigahashes per second.
    pub(crate) network: Option<i64>,
    /// Satoshis of the whole day.
    pub(crate) fees: Option<i64>,
    /// Satoshis issued in the whole day.
    pub(crate) issued: Option<i64>,
    /// Blocks of the day.
    pub(crate) blocks: Option<i64>,
    /// Height of the last block of the day.
    pub(crate) height: Option<i64>,
    pub(crate) file: u32,
    pub(crate) row: u32,
}

/// One price of a forecast.
#[derive(Clone, Debug)]
pub(crate) struct ForecastRow {
    /// The settlement point; `None` is every point.
    pub(crate) point: Option<String>,
    pub(crate) known_at: i64,
    pub(crate) start: i64,
    /// Millionths of a dollar.
    pub(crate) value: i64,
    pub(crate) file: u32,
    pub(crate) line: u32,
}

/// One offer for a GPU-hour.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OfferRow {
    pub(crate) known_at: i64,
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// Millionths of a dollar.
    pub(crate) value: i64,
    pub(crate) file: u32,
    pub(crate) line: u32,
}

/// Everything read from one file.
#[derive(Debug)]
pub(crate) struct Draft {
    /// The file's place in the catalog.
    pub(crate) file: u32,
    /// The file's name as notes show it.
    pub(crate) name: String,
    /// Rows below the header.
    pub(crate) rows: u64,
    pub(crate) notes: Vec<Note>,
    pub(crate) series: Vec<Draught>,
    pub(crate) bitcoin: Vec<BitcoinRow>,
    pub(crate) forecasts: Vec<ForecastRow>,
    pub(crate) offers: Vec<OfferRow>,
    /// The starts of the file's rows, where a layout has no other step.
    starts: Vec<i64>,
    places: BTreeMap<Key, usize>,
}

/// A column of numbers, with a count of what could be read.
#[derive(Debug)]
pub(crate) struct Column {
    place: usize,
    name: String,
    expected: &'static str,
    read: u64,
    /// The first cell that could not be read, and its line.
    unreadable: Option<(String, u64)>,
}

/// How many characters of a cell a note shows.
const SHOWN: usize = 40;

impl Draft {
    pub(crate) fn new(file: u32, name: String) -> Self {
        Self {
            file,
            name,
            rows: 0,
            notes: Vec::new(),
            series: Vec::new(),
            bitcoin: Vec::new(),
            forecasts: Vec::new(),
            offers: Vec::new(),
            starts: Vec::new(),
            places: BTreeMap::new(),
        }
    }

    /// Notes something odd.
    pub(crate) fn note(
        &mut self,
        kind: NoteKind,
        row: Option<u64>,
        point: Option<&str>,
        message: String,
        treatment: String,
    ) {
        self.notes.push(Note {
            file: Some(self.name.clone()),
            row,
            point: point.map(str::to_owned),
            kind,
            message,
            treatment,
        });
    }

    /// The place of a price series, which is begun when it is new.
    pub(crate) fn prices(
        &mut self,
        kind: SeriesKind,
        market: &'static MarketRules,
        point: &str,
        step: Step,
    ) -> usize {
        self.begin(Key { kind, market: market.name, point: point.to_owned(), step })
    }

    /// The place of a series that serves every point of a market, or of every
    /// market where the file names none.
    pub(crate) fn shared(
        &mut self,
        kind: SeriesKind,
        market: Option<&'static MarketRules>,
        step: Step,
    ) -> usize {
        let market = market.map_or("", |rules| rules.name);
        self.begin(Key { kind, market, point: String::new(), step })
    }

    fn begin(&mut self, key: Key) -> usize {
        if let Some(place) = self.places.get(&key) {
            return *place;
        }
        let place = self.series.len();
        self.places.insert(key.clone(), place);
        self.series.push(Draught {
            key,
            observations: Vec::new(),
            disorder: None,
            market_stated: true,
        });
        place
    }

    /// Says that the series' market was guessed.
    pub(crate) fn market_guessed(&mut self, place: usize) {
        self.series[place].market_stated = false;
    }

    /// Adds a value that starts at `start`.
    pub(crate) fn push(&mut self, place: usize, start: i64, value: i64, line: u64) {
        let row = u32::try_from(line).unwrap_or(u32::MAX);
        let file = self.file;
        let draught = &mut self.series[place];
        if draught.observations.last().is_some_and(|last| start < last.start) {
            let disorder = draught.disorder.get_or_insert((0, line));
            disorder.0 += 1;
        }
        draught.observations.push(Observation { start, value, file, row });
    }

    /// Says that a row of the file starts at `start`, whatever its cells hold.
    pub(crate) fn saw(&mut self, start: i64) {
        self.starts.push(start);
    }

    /// Takes the steps of all series from the rows. A series has the file's step
    /// where any two of its values are that close, else its own most common one:
    /// a file may have hourly values in rows of quarter hours, and a column with
    /// many blanks keeps the file's step. `fallback` where there are too few rows
    /// or they are more than a day apart.
    pub(crate) fn infer_steps(&mut self, fallback: impl Fn(SeriesKind) -> u32) {
        let file_step = most_common(&differences(std::mem::take(&mut self.starts)));
        for draught in &mut self.series {
            if draught.key.step != Step::ToInfer {
                continue;
            }
            let starts = draught.observations.iter().map(|seen| seen.start).collect();
            let own = differences(starts);
            let step = file_step
                .filter(|step| own.is_empty() || own.contains_key(step))
                .or_else(|| most_common(&own));
            let step = step.and_then(|step| u32::try_from(step).ok());
            draught.key.step = Step::Seconds(step.unwrap_or(fallback(draught.key.kind)));
        }
    }

    /// Ends the reading: one note for disorder, and an error for a column in
    /// which nothing could be read.
    pub(crate) fn finish<'c>(
        &mut self,
        columns: impl IntoIterator<Item = &'c Column>,
    ) -> Result<(), HistoryError> {
        for column in columns {
            column.check(&self.name)?;
        }
        let disorder = self.series.iter().filter_map(|draught| draught.disorder);
        let all = disorder.fold((0_u64, u64::MAX), |all, (count, first)| {
            (all.0.max(count), all.1.min(first))
        });
        if all.0 > 0 {
            self.note(
                NoteKind::Disorder,
                Some(all.1),
                None,
                format!("{} out of order of time", counted(all.0, "row")),
                "sorted by time".to_owned(),
            );
        }
        Ok(())
    }

    /// Notes columns of a layout that are not used.
    pub(crate) fn left_alone(&mut self, what: &str, names: &[&str]) {
        if names.is_empty() {
            return;
        }
        let shown = names.iter().take(6).copied().collect::<Vec<_>>().join(", ");
        let rest = names.len().saturating_sub(6);
        let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        self.note(
            NoteKind::LeftAlone,
            Some(1),
            None,
            format!("{what}: {shown}{more}"),
            "recognised, left alone".to_owned(),
        );
    }
}

/// How often each distance between neighbours occurs.
fn differences(mut starts: Vec<i64>) -> BTreeMap<i64, usize> {
    starts.sort_unstable();
    starts.dedup();
    let mut counts = BTreeMap::new();
    for pair in starts.windows(2) {
        *counts.entry(pair[1] - pair[0]).or_default() += 1;
    }
    counts
}

/// The most common distance of at most a day, the shorter where two are as common.
fn most_common(counts: &BTreeMap<i64, usize>) -> Option<i64> {
    let most = counts.values().copied().max()?;
    let (step, _) = counts.iter().find(|(_, count)| **count == most)?;
    Some(*step).filter(|step| *step <= cell::DAY)
}

impl Column {
    /// A column of numbers.
    pub(crate) fn new(header: &Header, place: usize) -> Self {
        Self::of(header, place, "a number")
    }

    /// A column of something else, such as times.
    pub(crate) fn of(header: &Header, place: usize, expected: &'static str) -> Self {
        Self {
            place,
            name: header.name(place).to_owned(),
            expected,
            read: 0,
            unreadable: None,
        }
    }

    /// Reads a number scaled by `10^places`. A blank or unreadable cell is
    /// noted and missing.
    pub(crate) fn number(
        &mut self,
        row: Row<'_>,
        places: u32,
        draft: &mut Draft,
        point: Option<&str>,
    ) -> Option<i64> {
        self.parse(row, draft, point, |cell| cell::scaled(cell, places))
    }

    /// Reads a number where a blank is usual and needs no note.
    pub(crate) fn optional_number(
        &mut self,
        row: Row<'_>,
        places: u32,
        draft: &mut Draft,
    ) -> Option<i64> {
        if cell::is_blank(row.field(self.place)) {
            return None;
        }
        self.number(row, places, draft, None)
    }

    /// Reads a cell with `parse`. A blank or unreadable cell is noted and missing.
    pub(crate) fn parse<T>(
        &mut self,
        row: Row<'_>,
        draft: &mut Draft,
        point: Option<&str>,
        parse: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Option<T> {
        let cell = row.field(self.place);
        if let Some(value) = parse(cell) {
            self.read += 1;
            return Some(value);
        }
        if cell::is_blank(cell) {
            draft.note(
                NoteKind::BlankCell,
                Some(row.line),
                point,
                format!("`{}` is blank", self.name),
                "missing".to_owned(),
            );
            return None;
        }
        let shown: String = row.text(self.place).chars().take(SHOWN).collect();
        draft.note(
            NoteKind::UnreadableCell,
            Some(row.line),
            point,
            format!("`{}` holds `{shown}`, expected {}", self.name, self.expected),
            "missing".to_owned(),
        );
        self.unreadable.get_or_insert((shown, row.line));
        None
    }

    fn check(&self, file: &str) -> Result<(), HistoryError> {
        match &self.unreadable {
            Some((found, row)) if self.read == 0 => Err(HistoryError::ColumnUnreadable {
                file: file.to_owned(),
                column: self.name.clone(),
                expected: self.expected,
                found: found.clone(),
                row: *row,
            }),
            _ => Ok(()),
        }
    }
}

/// Finds the series of a point named in each row without making its key anew.
#[derive(Default)]
pub(crate) struct PointColumn {
    places: BTreeMap<(SeriesKind, Step), BTreeMap<Vec<u8>, usize>>,
}

impl PointColumn {
    /// The series' place, begun by `begin` when the point is new.
    pub(crate) fn place(
        &mut self,
        kind: SeriesKind,
        step: Step,
        point: &[u8],
        begin: impl FnOnce() -> usize,
    ) -> usize {
        let points = self.places.entry((kind, step)).or_default();
        if let Some(place) = points.get(point) {
            return *place;
        }
        let place = begin();
        points.insert(point.to_vec(), place);
        place
    }
}
