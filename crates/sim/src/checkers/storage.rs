//! A battery is never asked for more than it holds, or to hold more than it can.

use engine::site::{Battery, LoadKind};
use engine::{Dispatch, Entry};
use units::{Energy, Power};

use super::books::Books;

/// What rounding may come to in a run.
const ROUNDING: Energy = Energy::from_joules(100_000);

/// Held to the truth, not to what the meter says.
pub(super) fn in_dispatch(
    books: &Books,
    dispatch: &Dispatch,
    stored: &[Energy],
    broken: &mut Vec<String>,
) {
    for (load, entry) in dispatch.entries.iter().enumerate() {
        let LoadKind::Battery(battery) = &books.site.loads[load].kind else {
            continue;
        };
        if let Some(what) = fault(battery, dispatch, entry, stored[load]) {
            let name = &books.site.loads[load].name;
            broken.push(format!("battery: {name} {what}, asked for {}", entry.to));
        }
    }
}

fn fault(
    battery: &Battery,
    dispatch: &Dispatch,
    entry: &Entry,
    stored: Energy,
) -> Option<String> {
    let moved = entry.to * dispatch.interval.duration();
    let ppm = |energy: Energy, numerator: i64, denominator: i64| {
        let exact = i128::from(energy.as_joules()) * i128::from(numerator)
            / i128::from(denominator);
        Energy::from_joules(i64::try_from(exact).expect("an energy fits"))
    };
    if entry.to < Power::ZERO {
        let end = stored + ppm(moved, 1_000_000, battery.discharge_efficiency.as_ppm());
        let overdrawn = end < battery.stored_min - ROUNDING;
        return overdrawn.then(|| format!("holds {stored} and would fall to {end}"));
    }
    if entry.to > Power::ZERO {
        let end = stored + ppm(moved, battery.charge_efficiency.as_ppm(), 1_000_000);
        let overfull = end > battery.stored_max + ROUNDING;
        return overfull.then(|| format!("holds {stored} and would rise to {end}"));
    }
    None
}
