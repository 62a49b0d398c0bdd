//! Machines that are on or off in a horizon: what a plan of theirs breaks and costs,
//! and how they are told to a program that we did not write.
//!
//! Read from the definition, state by state, as [`plan`] reads the rest.

use engine::decide::ahead::commit::{Before, Machine};
use engine::decide::ahead::{Answer, Dated, Horizon};
use serde_json::{Value, json};

use super::plan;

/// The limits and rules that a plan with machines does not keep, each in words.
/// `on` says when each machine is on: machine by machine, interval by interval.
pub fn broken(
    horizon: &Horizon,
    machines: &[Machine],
    on: &[Vec<bool>],
    answer: &Answer,
) -> Vec<String> {
    if on.len() != machines.len() || on.iter().any(|on| on.len() != horizon.len()) {
        return vec!["on: expected a figure for every machine and interval".to_owned()];
    }
    let mut told = horizon.clone();
    let mut faults = Vec::new();
    for (machine, on) in machines.iter().zip(on) {
        let load = &mut told.loads[machine.load];
        let only = |figure: &Dated| {
            let at = |t: usize| if on[t] { figure.at(t) } else { 0.0 };
            Dated::Each((0..on.len()).map(at).collect())
        };
        (load.floor_mw, load.ceiling_mw) = (only(&load.floor_mw), only(&load.ceiling_mw));
        faults.extend(stands_too_short(machine, on));
    }
    faults.extend(plan::broken(&told, answer));
    faults
}

/// What starts cost, USD.
pub fn starts_usd(machines: &[Machine], on: &[Vec<bool>]) -> f64 {
    let mut total = 0.0;
    for (machine, on) in machines.iter().zip(on) {
        let mut was_on = matches!(machine.before, Before::On(_));
        for is_on in on {
            if *is_on && !was_on {
                total += machine.start_usd;
            }
            was_on = *is_on;
        }
    }
    total
}

/// Runs of a state, with what stood before, that end too early.
fn stands_too_short(machine: &Machine, on: &[bool]) -> Vec<String> {
    let (was_on, stood) = match machine.before {
        Before::On(stood) => (true, stood),
        Before::Off(stood) => (false, stood),
    };
    let mut faults = Vec::new();
    let mut run = (was_on, stood);
    for (t, is_on) in on.iter().enumerate() {
        if *is_on == run.0 {
            run.1 = run.1.saturating_add(1);
            continue;
        }
        let (state, least) =
            if run.0 { ("on", machine.up) } else { ("off", machine.down) };
        if run.1 < least {
            faults.push(format!(
                "interval {t}: machine of load {}: expected {least} intervals {state}, found {}",
                machine.load, run.1
            ));
        }
        run = (*is_on, 1);
    }
    faults
}

/// Writes machines into a horizon that is told as JSON.
pub fn write(told: &mut Value, machines: &[Machine]) {
    for machine in machines {
        let (on_before, held) = match machine.before {
            Before::On(stood) => (true, stood),
            Before::Off(stood) => (false, stood),
        };
        told["loads"][machine.load]["machine"] = json!({
            "up_intervals": machine.up, "down_intervals": machine.down,
            "start_usd": machine.start_usd, "on_before": on_before,
            "held_intervals": held,
        });
    }
}

#[cfg(test)]
mod tests {
    use engine::decide::ahead::{Demand, Grid, Ramp};

    use super::*;

    /// Four hours of a load of 5 MW that is all or nothing.
    fn horizon() -> Horizon {
        let always = Dated::Always;
        Horizon {
            hours: 1.0,
            grid: Grid {
                import_usd_per_mwh: vec![20.0; 4],
                export_usd_per_mwh: None,
                import_limit_mw: always(9.0),
                export_limit_mw: always(0.0),
                base_mw: always(0.0),
                ramp: Ramp::FREE,
                blocks: Vec::new(),
                peaks: Vec::new(),
            },
            feeders: Vec::new(),
            loads: vec![Demand {
                feeder: None,
                segments_mw: vec![5.0],
                floor_mw: always(5.0),
                ceiling_mw: always(5.0),
                ramp: Ramp::FREE,
            }],
            worth_usd_per_mwh: vec![50.0; 4],
            batteries: Vec::new(),
        }
    }

    #[test]
    fn every_rule_is_looked_at() {
        use Before::{Off, On};
        // Before, when it is on, what it draws, what is broken, what starts cost.
        type Case<'a> = (Before, [bool; 4], [f64; 4], &'a [&'a str], f64);
        const O: bool = false;
        const I: bool = true;
        let (none, half) = ([0.0; 4], [0.0, 5.0, 5.0, 0.0]);
        let cases: &[Case<'_>] = &[
            (Off(9), [O; 4], none, &[], 0.0),
            (Off(9), [O, I, I, O], half, &[], 7.0),
            (On(9), [O, O, O, O], none, &[], 0.0),
            (On(9), [I, O, O, O], [5.0, 0.0, 0.0, 0.0], &[], 0.0),
            (
                On(9),
                [O, I, I, O],
                half,
                &["1: machine of load 0: expected 3 intervals off, found 1"],
                7.0,
            ),
            (Off(2), [O, I, I, O], half, &[], 7.0),
            (Off(1), [O, I, I, O], half, &["expected 3 intervals off, found 2"], 7.0),
            (
                Off(9),
                [O, I, O, O],
                [0.0, 5.0, 0.0, 0.0],
                &["expected 2 intervals on, found 1"],
                7.0,
            ),
            (
                On(1),
                [O; 4],
                none,
                &["0: machine of load 0: expected 2 intervals on, found 1"],
                0.0,
            ),
            // What the end of the horizon cuts short may go on beyond it.
            (Off(9), [O, O, O, I], [0.0, 0.0, 0.0, 5.0], &[], 7.0),
            (
                Off(9),
                [O, I, I, O],
                none,
                &["1: floor of load 0", "2: floor of load 0"],
                7.0,
            ),
            (
                Off(9),
                [O; 4],
                half,
                &["1: ceiling of load 0", "2: ceiling of load 0"],
                0.0,
            ),
        ];
        for (before, on, drawn, expected, starts) in cases {
            let machine =
                Machine { load: 0, up: 2, down: 3, start_usd: 7.0, before: *before };
            let answer = Answer {
                segments_mw: drawn.to_vec(),
                exchange_mw: drawn.to_vec(),
                ..Answer::default()
            };
            let on = [on.to_vec()];
            let broken = broken(&horizon(), &[machine], &on, &answer);
            assert_eq!(broken.len(), expected.len(), "{on:?}: {broken:?}");
            for (fault, expected) in broken.iter().zip(*expected) {
                assert!(fault.contains(expected), "expected {expected}, found {fault}");
            }
            assert_eq!(starts_usd(&[machine], &on), *starts);
        }
        assert_eq!(broken(&horizon(), &[], &[vec![]], &Answer::default()).len(), 1);
    }
}
