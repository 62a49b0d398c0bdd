//! One limit over several parts that each take a range.

/// The most that each part may have so that together they have no more than `total`:
/// as much for each as for any other, within its own range. Nothing where even the
/// least of all is too much.
pub(crate) fn share(total: i64, ranges: &[(i64, i64)]) -> Option<Vec<i64>> {
    let at =
        |level: i64| ranges.iter().map(move |(least, most)| level.clamp(*least, *most));
    let fits = |level: i64| at(level).sum::<i64>() <= total;
    let mut low = ranges.iter().map(|(least, _)| *least).min()?;
    let mut high = ranges.iter().map(|(_, most)| *most).max()?;
    if ranges.iter().any(|(least, most)| least > most) || !fits(low) {
        return None;
    }
    while low < high {
        let middle = low + (high - low + 1) / 2;
        if fits(middle) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    Some(at(low).collect())
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn a_limit_is_shared_within_every_range() {
        let gpu = (200, 1_400);
        for (total, ranges, expected) in [
            (4_000, vec![gpu; 4], Some(vec![1_000; 4])),
            // What does not divide stays unused: a limit is never helped by rounding.
            (4_003, vec![gpu; 4], Some(vec![1_000; 4])),
            (9_000, vec![gpu; 4], Some(vec![1_400; 4])),
            (800, vec![gpu; 4], Some(vec![200; 4])),
            (799, vec![gpu; 4], None),
            // One that takes less leaves more for the others.
            (2_500, vec![(200, 700), gpu, gpu], Some(vec![700, 900, 900])),
            (1_500, vec![(600, 700), gpu, gpu], Some(vec![600, 450, 450])),
            (1_000, vec![(900, 100)], None),
            (1_000, vec![], None),
        ] {
            assert_eq!(share(total, &ranges), expected, "{total} over {ranges:?}");
        }
    }
}
