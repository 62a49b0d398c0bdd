//! The text of `nvbandwidth`: every cell of the matrix of each test.
//!
//! A cell of `N/A` is a pair that is none, such as a GPU and itself. A test that was
//! waived is not there, and so fails where the plan asks for it; its sum has to agree
//! with its cells, so that nothing that was cut off is taken for the whole. A test that
//! is there twice is an error: which of the two counts, nobody says.

use std::collections::BTreeMap;

use engine::capacity::acceptance::{Matrix, Rate};

use super::prefix::stripped;
use super::{Unreadable, thousandths};

/// A matrix while it is read.
#[derive(Default)]
struct Reading {
    columns: Option<usize>,
    /// Of each row the column of each cell that has no figure.
    gaps: Vec<Vec<usize>>,
    cells: Vec<Rate>,
}

impl Reading {
    fn whole(self) -> Matrix {
        let columns = self.columns.unwrap_or(0);
        let square = self.gaps.len() == columns;
        let rows = self.gaps.iter().enumerate();
        let missing = rows.flat_map(|(row, gaps)| {
            gaps.iter().filter(move |column| !(square && **column == row))
        });
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Matrix {
            columns: count(columns),
            rows: count(self.gaps.len()),
            missing: count(missing.count()),
            cells: self.cells,
        }
    }
}

pub(super) fn read(
    file: &str,
    text: &str,
) -> Result<BTreeMap<String, Matrix>, Unreadable> {
    let text = stripped(file, text, true)?;
    let mut tests: BTreeMap<String, Matrix> = BTreeMap::new();
    let mut under_way: Option<(String, Reading)> = None;
    for (place, line) in text.lines().enumerate() {
        let at = || format!("{file}, line {}", place + 1);
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["Running", name] => {
                if let Some((before, _)) = under_way {
                    return Err(Unreadable::new(
                        at(),
                        format!("the sum of {before}"),
                        line,
                    ));
                }
                let name = name.trim_end_matches('.').to_owned();
                if tests.contains_key(&name) {
                    let found = format!("{name} a second time");
                    return Err(Unreadable::new(at(), "each test once", found));
                }
                under_way = Some((name, Reading::default()));
            }
            ["Waived:", ..] | ["WAIVED", ..] => under_way = None,
            ["SUM", name, sum] => {
                let (test, reading) =
                    under_way.take().filter(|(test, _)| test == name).ok_or_else(
                        || Unreadable::new(at(), "a sum of the test above", name),
                    )?;
                let sum = thousandths(sum)
                    .ok_or_else(|| Unreadable::new(at(), "a sum in GB/s", sum))?;
                let total: i64 = reading.cells.iter().map(|cell| cell.0).sum();
                // Each cell is printed to a hundredth.
                let slack = 10 * (i64::try_from(reading.cells.len()).unwrap_or(0) + 1);
                if reading.cells.is_empty() || (total - sum).abs() > slack {
                    let expected = format!("cells that sum to {}", Rate(sum));
                    return Err(Unreadable::new(at(), expected, Rate(total).to_string()));
                }
                tests.insert(test, reading.whole());
            }
            [first, ref cells @ ..] if first.parse::<u32>().is_ok() => {
                let Some((_, reading)) = &mut under_way else { continue };
                let figures =
                    cells.iter().any(|cell| cell.contains('.') || *cell == "N/A");
                if !figures {
                    // The line above the matrix numbers its columns.
                    if reading.columns.is_none() {
                        reading.columns = Some(words.len());
                    }
                    continue;
                }
                let columns = reading.columns.unwrap_or(0);
                if cells.len() != columns {
                    let expected = format!("{columns} cells, as the line above numbers");
                    return Err(Unreadable::new(at(), expected, cells.len().to_string()));
                }
                let mut gaps = Vec::new();
                for (column, cell) in cells.iter().enumerate() {
                    if *cell == "N/A" {
                        gaps.push(column);
                        continue;
                    }
                    let rate = thousandths(cell)
                        .ok_or_else(|| Unreadable::new(at(), "a cell in GB/s", *cell))?;
                    reading.cells.push(Rate(rate));
                }
                reading.gaps.push(gaps);
            }
            _ => {}
        }
    }
    if let Some((test, _)) = under_way {
        return Err(Unreadable::new(file, format!("the sum of {test}"), "the end"));
    }
    match tests.is_empty() {
        true => Err(Unreadable::new(file, "at least one test", "none")),
        false => Ok(tests),
    }
}
