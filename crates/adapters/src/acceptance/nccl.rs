//! The text of a program of nccl-tests, such as `all_reduce_perf`.
//!
//! What counts is the largest size that was run, the lesser of its two bus bandwidths,
//! wrong results at any size, and how many ranks took part. Lines of other programs
//! between are passed over; a run that did not come to its end is an error.

use engine::capacity::acceptance::{Collective, Rate};

use super::{Unreadable, thousandths};

pub(super) fn read(file: &str, text: &str) -> Result<Collective, Unreadable> {
    let mut ranks = 0;
    let mut largest: Option<(u64, Rate)> = None;
    let mut wrong: u64 = 0;
    let mut ended = false;
    for (place, line) in text.lines().enumerate() {
        let at = || format!("{file}, line {}", place + 1);
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["#", "Rank", rank, ..] if rank.parse::<u32>().is_ok() => ranks += 1,
            ["#", "Out", "of", "bounds", "values", ":", count, verdict, ..] => {
                ended = true;
                let count: u64 = count.parse().map_err(|_| {
                    Unreadable::new(at(), "a count of values out of bounds", count)
                })?;
                if verdict != "OK" || count > 0 {
                    wrong = wrong.max(count).max(1);
                }
            }
            // size count type redop root, then time algbw busbw #wrong, twice.
            [size, count, _, _, _, ref runs @ ..]
                if size.bytes().all(|byte| byte.is_ascii_digit())
                    && count.bytes().all(|byte| byte.is_ascii_digit()) =>
            {
                let [_, _, out, out_wrong, _, _, inside, in_wrong] = runs[..] else {
                    let found = format!("{} columns", words.len());
                    return Err(Unreadable::new(at(), "13 columns of a size", found));
                };
                let bytes: u64 = size
                    .parse()
                    .map_err(|_| Unreadable::new(at(), "a size in bytes", size))?;
                let rate = |text: &str| {
                    thousandths(text).map(Rate).ok_or_else(|| {
                        Unreadable::new(at(), "a bus bandwidth in GB/s", text)
                    })
                };
                for count in [out_wrong, in_wrong] {
                    wrong += match count {
                        // What was not checked is not right.
                        "N/A" => 1,
                        count => count.parse::<u64>().map_err(|_| {
                            Unreadable::new(at(), "a count of wrong results", count)
                        })?,
                    };
                }
                let busbw = rate(out)?.min(rate(inside)?);
                if largest.is_none_or(|(before, _)| bytes >= before) {
                    largest = Some((bytes, busbw));
                }
            }
            _ => {}
        }
    }
    let missing = |expected: &str| Unreadable::new(file, expected, "none");
    let (bytes, busbw) = largest.ok_or_else(|| missing("at least one size"))?;
    if !ended {
        return Err(missing("the line `# Out of bounds values` at its end"));
    }
    if ranks == 0 {
        return Err(missing("a line `#  Rank` for every GPU"));
    }
    Ok(Collective { ranks, bytes, busbw, wrong })
}
