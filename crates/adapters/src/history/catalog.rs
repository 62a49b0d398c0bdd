//! Folders of files, each recognised by its header and read once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use engine::Known;
use units::{GpuHourPrice, Interval};

use super::bitcoin::{self, BitcoinDay};
use super::draft::{Draft, ForecastRow, Key, Observation};
use super::error::HistoryError;
use super::layouts;
use super::market;
use super::note::{Note, NoteKind};
use super::offer;
use super::spell::{Spell, believed, during, spells};
use super::table::{NotATable, Table};

/// Everything in the folders of a history, read and sorted.
#[derive(Debug)]
pub struct Catalog {
    pub(super) folders: Vec<PathBuf>,
    pub(super) files: Vec<FileRead>,
    pub(super) notes: Vec<Note>,
    /// The names of the files, by the number that values carry.
    pub(super) names: Vec<String>,
    pub(super) series: BTreeMap<Key, Series>,
    pub(super) bitcoin: Vec<BitcoinDay>,
    pub(super) forecasts: Vec<ForecastRow>,
    pub(super) spot_offers: Vec<Known<GpuHourPrice>>,
    /// The files that have bitcoin days.
    pub(super) bitcoin_files: BTreeSet<u32>,
    /// The files that have spot offers.
    pub(super) offer_files: BTreeSet<u32>,
}

/// One series of all files together.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) spells: Vec<Spell>,
    /// Whether a file or its layout says which market this is.
    pub(super) market_stated: bool,
}

/// A file and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRead {
    /// Its name, with its folder's where there are several folders.
    pub name: String,
    /// What it was taken for; `None` where it was left alone.
    pub layout: Option<&'static str>,
    /// Rows below the header.
    pub rows: u64,
    /// From the first to the last value, the last one's length left out.
    pub span: Option<Interval>,
    /// The settlement points it has prices of.
    pub points: Vec<String>,
}

/// Reads every file of the folders.
pub(super) fn open(folders: &[PathBuf]) -> Result<Catalog, HistoryError> {
    let mut catalog = Catalog {
        folders: folders.to_vec(),
        files: Vec::new(),
        notes: Vec::new(),
        names: Vec::new(),
        series: BTreeMap::new(),
        bitcoin: Vec::new(),
        forecasts: Vec::new(),
        spot_offers: Vec::new(),
        bitcoin_files: BTreeSet::new(),
        offer_files: BTreeSet::new(),
    };
    let mut rows: BTreeMap<Key, (Vec<Observation>, bool)> = BTreeMap::new();
    let (mut bitcoin_rows, mut offers) = (Vec::new(), Vec::new());
    for folder in folders {
        for path in entries(folder)? {
            let Some(mut draft) = catalog.read(folder, &path, folders.len() > 1)? else {
                continue;
            };
            bitcoin_rows.append(&mut draft.bitcoin);
            catalog.forecasts.append(&mut draft.forecasts);
            offers.append(&mut draft.offers);
            catalog.notes.append(&mut draft.notes);
            for draught in draft.series {
                let seen = rows.entry(draught.key).or_insert_with(|| (Vec::new(), false));
                seen.0.extend(draught.observations);
                seen.1 |= draught.market_stated;
            }
        }
    }
    for (key, (observations, market_stated)) in rows {
        if observations.is_empty() {
            continue;
        }
        let spells = spells(&key, observations, &catalog.names, &mut catalog.notes);
        // What serves every market is judged by none.
        let rules = market::named(key.market).unwrap_or(market::known("OTHER"));
        believed(&key, &spells, rules, &catalog.names, &mut catalog.notes);
        catalog.series.insert(key, Series { spells, market_stated });
    }
    catalog.offer_files = offers.iter().map(|row| row.file).collect();
    catalog.spot_offers = offer::offers(&offers, &catalog.names, &mut catalog.notes);
    catalog.bitcoin_files = bitcoin_rows.iter().map(|row| row.file).collect();
    let (days, notes) = bitcoin::days_of(&bitcoin_rows, &catalog.names);
    catalog.bitcoin = days;
    catalog.notes.extend(notes);
    Ok(catalog)
}

/// What lies in a folder, by name.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, HistoryError> {
    let failed =
        |doing, source| HistoryError::Io { doing, path: folder.to_owned(), source };
    match std::fs::metadata(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(HistoryError::FolderMissing(folder.to_owned()));
        }
        Err(error) => return Err(failed("read", error)),
        Ok(found) if !found.is_dir() => {
            return Err(HistoryError::NotAFolder(folder.to_owned()));
        }
        Ok(_) => (),
    }
    let mut paths = std::fs::read_dir(folder)
        .map_err(|error| failed("list", error))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<PathBuf>, std::io::Error>>()
        .map_err(|error| failed("list", error))?;
    paths.sort();
    Ok(paths)
}

impl Catalog {
    /// Reads one entry of a folder; `None` where it is not a file to read.
    fn read(
        &mut self,
        folder: &Path,
        path: &Path,
        several_folders: bool,
    ) -> Result<Option<Draft>, HistoryError> {
        let file = lossy_name(path);
        let name =
            if several_folders { format!("{}/{file}", lossy_name(folder)) } else { file };
        let failed =
            |source| HistoryError::Io { doing: "read", path: path.to_owned(), source };
        if std::fs::metadata(path).map_err(failed)?.is_dir() {
            self.notes.push(Note {
                file: Some(name),
                row: None,
                point: None,
                kind: NoteKind::Ignored,
                message: "a folder inside the folder".to_owned(),
                treatment: "not looked into; name it to read it too".to_owned(),
            });
            return Ok(None);
        }
        let is_csv = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("csv"));
        if !is_csv {
            self.left_alone(name, 0);
            return Ok(None);
        }
        let bytes = std::fs::read(path).map_err(failed)?;
        let number = u32::try_from(self.names.len()).expect("fewer files than 2^32");
        let mut draft = Draft::new(number, name.clone());
        let mut table = match Table::open(&bytes, &mut draft) {
            Ok(table) => table,
            Err(why) => {
                let message = match why {
                    NotATable::Empty => "the file is empty",
                    NotATable::Utf16 => "the file is UTF-16, expected UTF-8",
                    NotATable::NotUtf8 => "the file is not UTF-8 text",
                };
                self.not_recognised(&name, message.to_owned());
                self.left_alone(name, 0);
                return Ok(None);
            }
        };
        let layout =
            layouts::ALL.iter().find(|layout| (layout.recognises)(&table.header));
        let Some(layout) = layout else {
            let columns: Vec<&str> = table.header.names().take(6).collect();
            let columns: String = columns.join(", ").chars().take(100).collect();
            self.not_recognised(&name, format!("no layout has the columns: {columns}"));
            self.left_alone(name, 0);
            return Ok(None);
        };
        (layout.read)(&mut table, &mut draft)?;
        if draft.rows == 0 {
            draft.note(
                NoteKind::BlankCell,
                None,
                None,
                "a header and no rows".to_owned(),
                "nothing to read".to_owned(),
            );
        }
        self.names.push(name.clone());
        self.files.push(FileRead {
            name,
            layout: Some(layout.name),
            rows: draft.rows,
            span: span(&draft),
            points: points(&draft),
        });
        Ok(Some(draft))
    }

    fn left_alone(&mut self, name: String, rows: u64) {
        self.files.push(FileRead {
            name,
            layout: None,
            rows,
            span: None,
            points: Vec::new(),
        });
    }

    fn not_recognised(&mut self, name: &str, message: String) {
        self.notes.push(Note {
            file: Some(name.to_owned()),
            row: Some(1),
            point: None,
            kind: NoteKind::NotRecognised,
            message,
            treatment: "not recognised, left alone".to_owned(),
        });
    }
}

fn lossy_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

fn span(draft: &Draft) -> Option<Interval> {
    let seen = draft.series.iter().flat_map(|draught| &draught.observations);
    let day = super::cell::DAY;
    let starts = (seen.map(|seen| seen.start))
        .chain(draft.bitcoin.iter().map(|row| row.day * day))
        .chain(draft.forecasts.iter().map(|row| row.start))
        .chain(draft.offers.iter().map(|row| row.start));
    let (first, last) = starts.fold((i64::MAX, i64::MIN), |(first, last), start| {
        (first.min(start), last.max(start))
    });
    (first <= last).then(|| during(first, last))
}

fn points(draft: &Draft) -> Vec<String> {
    let mut points: Vec<String> = draft
        .series
        .iter()
        .filter(|draught| !draught.observations.is_empty())
        .map(|draught| draught.key.point.clone())
        .filter(|point| !point.is_empty())
        .collect();
    points.sort();
    points.dedup();
    points
}
