//! Rows of a CSV file, read strictly: every problem with its file, row and column.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use settle::calendar::{Date, Period};
use settle::exact::Exact;

/// The largest file that is read.
const BYTES_MAX: u64 = 1 << 30;

/// Problems that are listed before reading gives up.
const PROBLEMS_MAX: usize = 50;

/// A row of a file, with the cells it has under the names of their columns.
#[derive(Debug)]
pub struct Row<'r> {
    /// Which row, from 1 after the head.
    pub number: usize,
    cells: BTreeMap<&'r str, &'r str>,
    problems: &'r mut Vec<String>,
}

/// Reads every row of a file with `read`.
///
/// The head names the columns, in any order: those of `needed` must be there, those of
/// `optional` may, others may not.
///
/// # Errors
///
/// Every problem of the file, or that it cannot be read.
pub fn read<T>(
    path: &Path,
    needed: &[&str],
    optional: &[&str],
    mut row: impl FnMut(&mut Row<'_>) -> Option<T>,
) -> anyhow::Result<Vec<T>> {
    let name = path.display();
    let size = fs::metadata(path).with_context(|| format!("cannot read {name}"))?.len();
    if size > BYTES_MAX {
        bail!("{name}: expected at most {BYTES_MAX} bytes, found {size}");
    }
    let text = fs::read(path).with_context(|| format!("cannot read {name}"))?;
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&text);
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .from_reader(text);
    let head = reader
        .headers()
        .with_context(|| format!("{name}: expected a row of column names first"))?
        .clone();
    let mut problems = Vec::new();
    for column in needed {
        if !head.iter().any(|found| found == *column) {
            problems.push(format!("expected a column `{column}`, found none"));
        }
    }
    for (place, column) in head.iter().enumerate() {
        if !needed.contains(&column) && !optional.contains(&column) {
            let known = [needed, optional].concat().join(", ");
            problems.push(format!("expected the columns {known}, found `{column}`"));
        }
        if head.iter().take(place).any(|before| before == column) {
            problems.push(format!("expected the column `{column}` once, found it twice"));
        }
    }
    let mut found = Vec::new();
    if problems.is_empty() {
        for (place, record) in reader.records().enumerate() {
            if problems.len() >= PROBLEMS_MAX {
                break;
            }
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    problems.push(format!("row {}: {error}", place + 1));
                    continue;
                }
            };
            let before = problems.len();
            let cells =
                head.iter().zip(record.iter()).filter(|(_, cell)| !cell.is_empty());
            let mut one = Row {
                number: place + 1,
                cells: cells.collect(),
                problems: &mut problems,
            };
            let read = row(&mut one);
            if problems.len() == before {
                found.extend(read);
            }
        }
    }
    if problems.is_empty() {
        return Ok(found);
    }
    let listed: Vec<String> =
        problems.iter().map(|problem| format!("{name}: {problem}")).collect();
    bail!("{}", listed.join("\n"))
}

impl Row<'_> {
    /// Notes what is wrong with a cell.
    pub fn wrong(&mut self, column: &str, what: &str) {
        self.problems.push(format!("row {}, {column}: {what}", self.number));
    }

    /// A cell that may be empty.
    pub fn text_if(&self, column: &str) -> Option<String> {
        self.cells.get(column).map(|cell| (*cell).to_owned())
    }

    /// A cell that may not be empty.
    pub fn text(&mut self, column: &str) -> Option<String> {
        let found = self.text_if(column);
        if found.is_none() {
            self.wrong(column, "expected a value, found nothing");
        }
        found
    }

    fn parsed<T>(
        &mut self,
        column: &str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let cell = self.text_if(column)?;
        let value = parse(&cell);
        if value.is_none() {
            self.wrong(column, &format!("expected {expected}, found `{cell}`"));
        }
        value
    }

    fn needed<T>(&mut self, column: &str, value: Option<T>) -> Option<T> {
        if value.is_none() && self.text_if(column).is_none() {
            self.wrong(column, "expected a value, found nothing");
        }
        value
    }

    /// A day that may be left out.
    pub fn date_if(&mut self, column: &str) -> Option<Date> {
        self.parsed(column, "a day such as 2026-05-31", Date::parse)
    }

    /// A day.
    pub fn date(&mut self, column: &str) -> Option<Date> {
        let value = self.date_if(column);
        self.needed(column, value)
    }

    /// A month.
    pub fn month(&mut self, column: &str) -> Option<Period> {
        let value = self.parsed(column, "a month such as 2026-05", Period::parse);
        self.needed(column, value)
    }

    /// An exact number that may be left out.
    pub fn exact_if(&mut self, column: &str) -> Option<Exact> {
        self.parsed(column, "a decimal number such as -12.5", |text| {
            Exact::parse(text).ok()
        })
    }

    /// A number of `10^-places`; more digits are an error. May be left out.
    pub fn units_if(&mut self, column: &str, places: u32) -> Option<i64> {
        let expected =
            format!("a decimal number with at most {places} digits after the point");
        self.parsed(column, &expected, |text| units::decimal::exact(text, places).ok())
    }

    /// A number of `10^-places`; more digits are an error.
    pub fn units(&mut self, column: &str, places: u32) -> Option<i64> {
        let value = self.units_if(column, places);
        self.needed(column, value)
    }
}
