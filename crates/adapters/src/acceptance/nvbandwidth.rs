//! The text of `nvbandwidth`: every cell of the matrix of each test.
//!
//! A cell of `N/A` is a pair that is none, such as a GPU and itself. A test that was
//! waived is not there, and so fails where the plan asks for it; its sum has to agree
//! with its cells, so that nothing that was cut off is taken for the whole.

use std::collections::BTreeMap;

use engine::capacity::acceptance::Rate;

use super::{Unreadable, thousandths};

pub(super) fn read(
    file: &str,
    text: &str,
) -> Result<BTreeMap<String, Vec<Rate>>, Unreadable> {
    let mut tests: BTreeMap<String, Vec<Rate>> = BTreeMap::new();
    let mut under_way: Option<(String, Vec<Rate>)> = None;
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
                under_way = Some((name.trim_end_matches('.').to_owned(), Vec::new()));
            }
            ["Waived:", ..] | ["WAIVED", ..] => under_way = None,
            ["SUM", name, sum] => {
                let (test, cells) =
                    under_way.take().filter(|(test, _)| test == name).ok_or_else(
                        || Unreadable::new(at(), "a sum of the test above", name),
                    )?;
                let sum = thousandths(sum)
                    .ok_or_else(|| Unreadable::new(at(), "a sum in GB/s", sum))?;
                let total: i64 = cells.iter().map(|cell| cell.0).sum();
                // Each cell is printed to a hundredth.
                let slack = 10 * (i64::try_from(cells.len()).unwrap_or(0) + 1);
                if cells.is_empty() || (total - sum).abs() > slack {
                    let expected = format!("cells that sum to {}", Rate(sum));
                    return Err(Unreadable::new(at(), expected, Rate(total).to_string()));
                }
                tests.insert(test, cells);
            }
            [first, ref cells @ ..]
                if under_way.is_some()
                    && first.parse::<u32>().is_ok()
                    && cells.iter().any(|cell| cell.contains('.') || *cell == "N/A") =>
            {
                let (_, kept) = under_way.as_mut().expect("a test under way");
                for cell in cells.iter().filter(|cell| **cell != "N/A") {
                    let rate = thousandths(cell)
                        .ok_or_else(|| Unreadable::new(at(), "a cell in GB/s", *cell))?;
                    kept.push(Rate(rate));
                }
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
