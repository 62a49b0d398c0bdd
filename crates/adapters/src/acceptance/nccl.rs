//! The text of a program of nccl-tests, such as `all_reduce_perf`.
//!
//! What counts is the largest size that was run, the lesser of its two bus bandwidths,
//! wrong results at any size, and which GPUs took part. Lines of other programs between
//! are passed over; a run that did not come to its end is an error, and so are two in
//! one file.
//!
//! Programs that cannot work in place run there all the same and check nothing
//! (`reportErrors` in nccl-tests): they print `N/A`, which is not wrong, and neither is
//! the bandwidth beside it one of theirs.

use std::collections::BTreeSet;

use engine::capacity::acceptance::{Collective, Rate};

use super::prefix::stripped;
use super::{Unreadable, thousandths};

/// Collectives that nccl-tests does not check in place.
const NOT_IN_PLACE: [&str; 3] = ["alltoall", "alltoallv", "sendrecv"];

pub(super) fn read(
    file: &str,
    collective: &str,
    text: &str,
) -> Result<Collective, Unreadable> {
    let text = stripped(file, text, false)?;
    let mut ranks: BTreeSet<u32> = BTreeSet::new();
    let mut gpus: BTreeSet<(&str, String)> = BTreeSet::new();
    let mut largest: Option<(u64, Rate)> = None;
    let mut wrong: u64 = 0;
    let mut ended = false;
    for (place, line) in text.lines().enumerate() {
        let at = || format!("{file}, line {}", place + 1);
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["#", "Collective", "test", "starting:", program, ..] => {
                let name = program.rsplit('/').next().unwrap_or(program);
                let of = name.trim_end_matches("_perf");
                if of != collective {
                    let expected = format!("a run of {collective}_perf");
                    return Err(Unreadable::new(at(), expected, program));
                }
            }
            ["#", "Rank", rank, ref rest @ ..] if rank.parse::<u32>().is_ok() => {
                let rank = rank.parse().expect("a number");
                let (host, device) = device(rest).ok_or_else(|| {
                    Unreadable::new(at(), "`on HOST device NUMBER` of a rank", line)
                })?;
                if ended || !ranks.insert(rank) {
                    let found = format!("rank {rank} a second time");
                    return Err(Unreadable::new(at(), "one run", found));
                }
                gpus.insert((host, device));
            }
            ["#", "Out", "of", "bounds", "values", ":", count, verdict, ..] => {
                if ended {
                    return Err(Unreadable::new(at(), "one run", "a second one"));
                }
                ended = true;
                let count: u64 = count.parse().map_err(|_| {
                    Unreadable::new(at(), "a count of values out of bounds", count)
                })?;
                if verdict != "OK" || count > 0 {
                    wrong = wrong.max(count).max(1);
                }
            }
            // size count type redop root, then time algbw busbw #wrong, twice; with -T
            // the day and the time behind them.
            [size, count, _, _, _, ref runs @ ..]
                if size.bytes().all(|byte| byte.is_ascii_digit())
                    && count.bytes().all(|byte| byte.is_ascii_digit()) =>
            {
                if ended {
                    return Err(Unreadable::new(at(), "one run", "a second one"));
                }
                let runs = match runs {
                    [first @ .., day, _] if runs.len() == 10 && day.contains('-') => {
                        first
                    }
                    runs => runs,
                };
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
                let counted = |count: &str| match count {
                    // What was not checked is not right.
                    "N/A" => Ok(1),
                    count => count.parse::<u64>().map_err(|_| {
                        Unreadable::new(at(), "a count of wrong results", count)
                    }),
                };
                wrong += counted(out_wrong)?;
                let mut busbw = rate(out)?;
                if !(in_wrong == "N/A" && NOT_IN_PLACE.contains(&collective)) {
                    wrong += counted(in_wrong)?;
                    busbw = busbw.min(rate(inside)?);
                }
                // Of several runs at one size the least counts.
                largest = Some(match largest {
                    Some((before, rate)) if before > bytes => (before, rate),
                    Some((before, rate)) if before == bytes => (bytes, rate.min(busbw)),
                    Some(_) | None => (bytes, busbw),
                });
            }
            _ => {}
        }
    }
    let missing = |expected: &str| Unreadable::new(file, expected, "none");
    let (bytes, busbw) = largest.ok_or_else(|| missing("at least one size"))?;
    if !ended {
        return Err(missing("the line `# Out of bounds values` at its end"));
    }
    if ranks.is_empty() {
        return Err(missing("a line `#  Rank` for every GPU"));
    }
    let hosts: BTreeSet<&str> = gpus.iter().map(|(host, _)| *host).collect();
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Ok(Collective {
        ranks: count(ranks.len()),
        gpus: count(gpus.len()),
        hosts: count(hosts.len()),
        bytes,
        busbw,
        wrong,
    })
}

/// The host of a rank and what tells its GPU there: number and bus, since jobs that show
/// each rank one GPU alone number them all 0.
fn device<'t>(words: &[&'t str]) -> Option<(&'t str, String)> {
    let on = words.iter().position(|word| *word == "on")?;
    let host = words.get(on + 1)?;
    let number = words[on..].iter().position(|word| *word == "device")? + on + 1;
    let bus = words.get(number + 1).filter(|word| word.starts_with('[')).unwrap_or(&"");
    Some((host, format!("{} {bus}", words.get(number)?)))
}
