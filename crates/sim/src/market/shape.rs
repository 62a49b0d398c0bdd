//! Curves as tables: straight lines between points that somebody chose.

/// The height at `x` of the line through `points`, which rise in their first
/// value; flat beyond the ends.
pub(super) fn along(points: &[(f64, f64)], x: f64) -> f64 {
    let above = points.partition_point(|point| point.0 < x);
    if above == 0 {
        return points[0].1;
    }
    if above == points.len() {
        return points[above - 1].1;
    }
    let (left, right) = (points[above - 1], points[above]);
    left.1 + (right.1 - left.1) * ((x - left.0) / (right.0 - left.0))
}

/// The height at `phase` (0 to 1) of a round of values at even distances, each
/// in the middle of its part: with twelve, months.
pub(super) fn around(values: &[f64], phase: f64) -> f64 {
    let place = phase * values.len() as f64 - 0.5;
    let whole = place.floor();
    let count = values.len() as i64;
    let at = |place: i64| values[place.rem_euclid(count) as usize];
    let (left, right) = (at(whole as i64), at(whole as i64 + 1));
    left + (right - left) * (place - whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_flat_beyond_its_ends() {
        let line = [(0.0, 10.0), (10.0, 20.0), (20.0, 0.0)];
        let cases = [(-5.0, 10.0), (0.0, 10.0), (5.0, 15.0), (15.0, 10.0), (99.0, 0.0)];
        for (x, height) in cases {
            assert_eq!(along(&line, x), height, "at {x}");
        }
    }

    #[test]
    fn a_round_closes_on_itself() {
        let months = [0.0, 4.0, 8.0, 4.0];
        let cases = [(0.125, 0.0), (0.25, 2.0), (0.625, 8.0), (0.0, 2.0), (1.0, 2.0)];
        for (phase, height) in cases {
            assert_eq!(around(&months, phase), height, "at {phase}");
        }
    }
}
