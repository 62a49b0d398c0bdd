//! When one machine had best be on, if what being on costs in each interval is known.
//!
//! A machine is free to change only once it has stood long enough, so two costs an
//! interval tell all: that of what is left for one that may stop, and for one that
//! may start. A start takes the machine through its least time on in one step, a
//! stop through its least time off. Backwards over the horizon, this looks at every
//! permitted way once: exact, in time proportional to the number of intervals.

use super::{Before, Machine};

/// A way to be on and off, and what it costs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Way {
    /// Interval by interval.
    pub(super) on: Vec<bool>,
    /// With its starts, USD.
    pub(super) usd: f64,
}

/// The way that costs least where an interval on costs `on_usd`, infinite where the
/// machine cannot be on; of two that cost the same the one that changes later.
pub(super) fn best(machine: &Machine, on_usd: &[f64]) -> Way {
    best_with(machine, on_usd, |_| false)
}

/// The same of the ways that are on where they must; what that costs is infinite
/// where there is none.
pub(super) fn best_with(
    machine: &Machine,
    on_usd: &[f64],
    must: impl Fn(usize) -> bool,
) -> Way {
    let n = on_usd.len();
    let off_usd: Vec<f64> =
        (0..n).map(|t| if must(t) { f64::INFINITY } else { 0.0 }).collect();
    let offs = Sums::of(&off_usd);
    let (up, down) = (machine.up.max(1), machine.down.max(1));
    let sums = Sums::of(on_usd);
    // What is left from each interval on, for who may stop and who may start.
    let (mut running, mut resting) = (vec![0.0; n + 1], vec![0.0; n + 1]);
    let stop = |resting: &[f64], t: usize| {
        let to = t.saturating_add(down).min(n);
        offs.between(t, to) + resting[to]
    };
    let start = |running: &[f64], t: usize| {
        let to = t.saturating_add(up).min(n);
        machine.start_usd + sums.between(t, to) + running[to]
    };
    for t in (0..n).rev() {
        running[t] = (on_usd[t] + running[t + 1]).min(stop(&resting, t));
        resting[t] = (off_usd[t] + resting[t + 1]).min(start(&running, t));
    }
    let mut is_on = matches!(machine.before, Before::On(_));
    let mut t = machine.stays_on().max(machine.stays_off()).min(n);
    let held = if is_on { &sums } else { &offs }.between(0, t);
    let usd = held + if is_on { running[t] } else { resting[t] };
    let mut on = vec![false; n];
    on[..t].fill(is_on);
    while t < n {
        let to = if is_on {
            if on_usd[t] + running[t + 1] <= stop(&resting, t) {
                t + 1
            } else {
                is_on = false;
                t.saturating_add(down).min(n)
            }
        } else if off_usd[t] + resting[t + 1] <= start(&running, t) {
            t + 1
        } else {
            is_on = true;
            t.saturating_add(up).min(n)
        };
        on[t..to].fill(is_on);
        t = to;
    }
    Way { on, usd }
}

/// The permitted way that differs in the fewest intervals from a wish.
pub(super) fn nearest(machine: &Machine, can: &[bool], wish: &[bool]) -> Vec<bool> {
    let usd = can.iter().zip(wish).map(|(can, wish)| match (can, wish) {
        (false, _) => f64::INFINITY,
        (true, true) => -1.0,
        (true, false) => 1.0,
    });
    let free = Machine { start_usd: 0.0, ..*machine };
    best(&free, &usd.collect::<Vec<f64>>()).on
}

/// Whether a machine stands in each state for as long as it must.
pub(super) fn permits(machine: &Machine, on: &[bool]) -> bool {
    let (mut was_on, mut stood) = match machine.before {
        Before::On(stood) => (true, stood),
        Before::Off(stood) => (false, stood),
    };
    for is_on in on {
        if *is_on != was_on {
            if stood < if was_on { machine.up } else { machine.down } {
                return false;
            }
            (was_on, stood) = (*is_on, 0);
        }
        stood = stood.saturating_add(1);
    }
    true
}

/// How often a machine starts.
pub(super) fn starts(machine: &Machine, on: &[bool]) -> usize {
    let mut was_on = matches!(machine.before, Before::On(_));
    let mut count = 0;
    for is_on in on {
        count += usize::from(*is_on && !was_on);
        was_on = *is_on;
    }
    count
}

/// Sums from the first interval on, with what is infinite counted apart.
struct Sums {
    usd: Vec<f64>,
    barred: Vec<usize>,
}

impl Sums {
    fn of(on_usd: &[f64]) -> Self {
        let (mut usd, mut barred) = (vec![0.0], vec![0]);
        let (mut total, mut count) = (0.0, 0);
        for cost in on_usd {
            if *cost == f64::INFINITY {
                count += 1;
            } else {
                total += cost;
            }
            usd.push(total);
            barred.push(count);
        }
        Self { usd, barred }
    }

    fn between(&self, from: usize, to: usize) -> f64 {
        if self.barred[to] > self.barred[from] {
            return f64::INFINITY;
        }
        self.usd[to] - self.usd[from]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: f64 = f64::INFINITY;

    #[test]
    fn the_best_way_is_found_by_hand() {
        use Before::{Off, On};
        // Before, least time on and off, what a start costs, what each interval
        // costs; when it is on and what that comes to.
        type Case<'a> = (Before, (usize, usize), f64, &'a [f64], &'a str, f64);
        let cases: &[Case<'_>] = &[
            (Off(9), (1, 1), 5.0, &[-9.0, 3.0, -9.0], "###", -10.0),
            (Off(9), (1, 1), 2.0, &[-9.0, 3.0, -9.0], "#.#", -14.0),
            (Off(9), (1, 1), 5.0, &[-4.0, 9.0, -4.0], "...", 0.0),
            // A start that pays only because it is kept on.
            (Off(9), (3, 1), 1.0, &[-4.0, -4.0, 2.0], "###", -5.0),
            (Off(9), (3, 1), 1.0, &[-1.0, 4.0, 4.0], "...", 0.0),
            // The horizon ends before the least time does.
            (Off(9), (3, 1), 1.0, &[4.0, 4.0, -2.0], "..#", -1.0),
            // Stopping costs the intervals in which it may not start again.
            (On(9), (1, 2), 0.0, &[3.0, -4.0, -9.0], "###", -10.0),
            (On(9), (1, 2), 0.0, &[3.0, -4.0, -9.0, -1.0], "####", -11.0),
            (On(9), (1, 2), 0.0, &[3.0, 2.0, -9.0], "..#", -9.0),
            // What stood too short a time stands on.
            (On(1), (3, 1), 0.0, &[5.0, 5.0, 5.0], "##.", 10.0),
            (Off(1), (1, 3), 0.0, &[-5.0, -5.0, -5.0], "..#", -5.0),
            // It cannot be on in the second.
            (Off(9), (2, 1), 0.0, &[-9.0, X, -1.0, -1.0], "..##", -2.0),
            (On(9), (2, 1), 0.0, &[-9.0, X, -1.0, -1.0], "#.##", -11.0),
        ];
        for (before, (up, down), start_usd, on_usd, expected, usd) in cases {
            let (before, up, down, start_usd) = (*before, *up, *down, *start_usd);
            let machine = Machine { load: 0, up, down, start_usd, before };
            let way = best(&machine, on_usd);
            let on = way.on.iter().map(|on| if *on { '#' } else { '.' });
            assert_eq!((on.collect::<String>().as_str(), way.usd), (*expected, *usd));
            assert!(permits(&machine, &way.on), "{machine:?}");
        }
    }

    /// Every way there is, against the one that is found.
    #[test]
    fn no_permitted_way_costs_less() {
        let figures = [-7.0, 4.0, 2.0, -5.0, 6.0, -3.0, 1.0, -8.0];
        let mut seen = 0;
        for case in 0..2_000_usize {
            let digit = |place: u32, base: usize| case / 7_usize.pow(place) % base;
            let stood = digit(2, 4);
            let before =
                if case % 2 == 0 { Before::On(stood) } else { Before::Off(stood) };
            let machine = Machine {
                load: 0,
                up: digit(0, 4),
                down: digit(1, 4),
                start_usd: digit(3, 6) as f64,
                before,
            };
            let usd: Vec<f64> = (0..7).map(|t| figures[(t * 3 + case) % 8]).collect();
            let ways = (0..1_u32 << usd.len()).filter_map(|way| {
                let on: Vec<bool> = (0..usd.len()).map(|t| way >> t & 1 == 1).collect();
                let spent = usd.iter().zip(&on).filter(|(_, on)| **on);
                let spent: f64 = spent.map(|(usd, _)| usd).sum();
                let started = starts(&machine, &on) as f64 * machine.start_usd;
                permits(&machine, &on).then_some(spent + started)
            });
            let least = ways.fold(f64::INFINITY, f64::min);
            let way = best(&machine, &usd);
            assert_eq!(way.usd, least, "{machine:?} {usd:?}");
            seen += usize::from(way.on.contains(&true));
        }
        assert!(seen > 1_000, "{seen}");
    }
}
