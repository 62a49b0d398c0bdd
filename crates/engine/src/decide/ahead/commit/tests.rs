//! Plans with machines that can be checked by hand.

use super::super::conflict::Bound;
use super::super::horizon::{Demand, Grid, Ramp};
use super::*;

/// Hours with prices, an import limit, and loads that are all or nothing.
fn horizon(prices: &[f64], limit_mw: f64, loads: &[(f64, f64)]) -> Horizon {
    let load = |(mw, _): &(f64, f64)| Demand {
        feeder: None,
        segments_mw: vec![*mw],
        floor_mw: Dated::Always(*mw),
        ceiling_mw: Dated::Always(f64::INFINITY),
        ramp: Ramp::FREE,
    };
    let worths = prices.iter().flat_map(|_| loads.iter().map(|(_, worth)| *worth));
    Horizon {
        hours: 1.0,
        grid: Grid {
            import_usd_per_mwh: prices.to_vec(),
            export_usd_per_mwh: None,
            import_limit_mw: Dated::Always(limit_mw),
            export_limit_mw: Dated::Always(0.0),
            base_mw: Dated::Always(0.0),
            ramp: Ramp::FREE,
            blocks: Vec::new(),
            peaks: Vec::new(),
        },
        feeders: Vec::new(),
        loads: loads.iter().map(load).collect(),
        worth_usd_per_mwh: worths.collect(),
        batteries: Vec::new(),
    }
}

fn machine(load: usize, (up, down): (usize, usize), start_usd: f64) -> Machine {
    Machine { load, up, down, start_usd, before: Before::Off(99) }
}

fn drawn(on: &[Vec<bool>]) -> Vec<String> {
    let row = |on: &Vec<bool>| on.iter().map(|on| if *on { '#' } else { '.' }).collect();
    on.iter().map(row).collect()
}

#[test]
fn plans_are_those_found_by_hand() {
    // Prices, import limit, loads as MW and worth, least times and start; when they
    // are on, what that costs, and the bound.
    type Case<'a> = (
        &'a [f64],
        f64,
        &'a [(f64, f64)],
        ((usize, usize), f64),
        &'a [&'a str],
        f64,
        f64,
    );
    let cases: &[Case<'_>] = &[
        // 10 MW at 50: gains 400 an hour at 10, loses 200 at 70; a start costs 300.
        (
            &[10.0, 70.0, 10.0],
            99.0,
            &[(10.0, 50.0)],
            ((1, 1), 300.0),
            &["###"],
            -300.0,
            -300.0,
        ),
        (
            &[10.0, 90.0, 10.0],
            99.0,
            &[(10.0, 50.0)],
            ((1, 1), 300.0),
            &["#.#"],
            -200.0,
            -200.0,
        ),
        // It must stay on for two hours, of which the second costs what the first earns.
        (&[10.0, 90.0, 90.0], 99.0, &[(10.0, 50.0)], ((2, 1), 0.0), &["..."], 0.0, 0.0),
        // Room for one alone, and the worthier takes it: power is worth 50.
        (
            &[10.0],
            10.0,
            &[(10.0, 50.0), (10.0, 60.0)],
            ((1, 1), 0.0),
            &[".", "#"],
            -500.0,
            -500.0,
        ),
        // Room for one and a half: at no price do both want what there is, and at 50
        // prices say 600; with one held on or off they say 400.
        (
            &[10.0],
            15.0,
            &[(10.0, 50.0), (10.0, 50.0)],
            ((1, 1), 0.0),
            &["#", "."],
            -400.0,
            -400.0,
        ),
        // It never fits, and the bound knows.
        (&[10.0, 10.0], 9.0, &[(10.0, 50.0)], ((1, 1), 0.0), &[".."], 0.0, 0.0),
    ];
    for (prices, limit_mw, loads, (times, start), on, cost, bound) in cases {
        let horizon = horizon(prices, *limit_mw, loads);
        let machines: Vec<Machine> =
            (0..loads.len()).map(|load| machine(load, *times, *start)).collect();
        let found = Solver::default()
            .commit(&horizon, &machines, Effort::default())
            .expect("off is a plan");
        let told = (found.cost_usd, found.bound_usd);
        assert!(
            (told.0 - cost).abs() < 1e-6 && (told.1 - bound).abs() < 1e-6,
            "expected {cost}, {bound}, found {told:?}, {:?}",
            drawn(&found.on)
        );
        let is = drawn(&found.on);
        let swapped: Vec<&str> = on.iter().rev().copied().collect();
        assert!(
            is == *on || (loads.len() == 2 && loads[0] == loads[1] && is == swapped),
            "{is:?}"
        );
        assert!((found.gap_usd() - (cost - bound)).abs() < 1e-6);
    }
}

#[test]
fn what_must_stay_on_and_cannot_is_a_conflict() {
    let mut horizon = horizon(&[10.0; 3], 99.0, &[(10.0, 50.0)]);
    horizon.loads[0].ceiling_mw = Dated::Each(vec![99.0, 5.0, 99.0]);
    let own = Machine { before: Before::On(1), ..machine(0, (3, 1), 0.0) };
    let conflict = Solver::default().commit(&horizon, &[own], Effort::default());
    let limits = vec![Bound::Floor(0), Bound::Ceiling(0)];
    assert_eq!(conflict, Err(Conflict { from: 1, to: 2, limits }));
    // Nor is there room.
    horizon.loads[0].ceiling_mw = Dated::Always(99.0);
    horizon.grid.import_limit_mw = Dated::Each(vec![99.0, 5.0, 99.0]);
    let conflict = Solver::default().commit(&horizon, &[own], Effort::default());
    let limits = vec![Bound::Import, Bound::Floor(0)];
    assert_eq!(conflict, Err(Conflict { from: 1, to: 2, limits }));
}

#[test]
fn no_intervals_and_no_machines_are_answered() {
    let empty = horizon(&[], 9.0, &[(10.0, 50.0)]);
    let one = [machine(0, (2, 2), 5.0)];
    let found = Solver::default().commit(&empty, &one, Effort::default());
    assert_eq!(found.map(|found| (found.cost_usd, found.on)), Ok((0.0, vec![vec![]])));
    let plain = horizon(&[10.0, 90.0], 99.0, &[(10.0, 50.0)]);
    let found = Solver::default().commit(&plain, &[], Effort::default()).expect("a plan");
    let solved = Solver::default().solve(&plain).expect("an optimum");
    assert_eq!((found.cost_usd, found.bound_usd), (solved.cost_usd, solved.bound_usd));
}
