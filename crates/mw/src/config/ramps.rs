//! Ramps against machines: a ramp lets at least one machine move.

use engine::Site;
use engine::site::LoadIx;
use units::Power;

use super::machines::in_mw;
use super::network::worst_pue;
use super::problem::Findings;
use super::written::Table;

/// Notes every ramp that is smaller than the largest step of one machine behind
/// it: that load could never move.
pub(super) fn check_ramps(root: &Table, site: &Site, found: &mut Findings<'_>) {
    let largest = (0..site.loads.len()).filter_map(|load| step(site, load)).max();
    if let (Some(table), Some((step, load))) = (root.table("interconnection"), largest) {
        let keys = [
            "ramp_up_mw_per_minute",
            "ramp_down_mw_per_minute",
            "ramp_emergency_mw_per_minute",
        ];
        keys.iter().for_each(|key| check(table, key, site, step, load, found));
    }
    for table in ["rigs", "racks"].iter().flat_map(|kind| root.tables(kind)) {
        let load = table.text("name").and_then(|name| site.load_named(name));
        if let Some((step, load)) = load.and_then(|load| step(site, load)) {
            for key in ["ramp_up_mw_per_minute", "ramp_down_mw_per_minute"] {
                check(table, key, site, step, load, found);
            }
        }
    }
}

/// The most that one machine of a load moves at once, at the meter at worst.
fn step(site: &Site, load: LoadIx) -> Option<(Power, LoadIx)> {
    let machines = site.loads[load].machines()?;
    let steps = (0..machines.points.len()).map(|at| machines.step_power(at));
    Some((worst_pue(site, load).at_meter(steps.max()?), load))
}

fn check(
    table: &Table,
    key: &str,
    site: &Site,
    step: Power,
    load: LoadIx,
    found: &mut Findings<'_>,
) {
    if table.power(key).is_none_or(|ramp| ramp >= step) {
        return;
    }
    let name = &site.loads[load].name;
    let expected =
        format!("at least {}, what one machine of \"{name}\" moves at once", in_mw(step));
    let remedy = "with less it could never move";
    found.problem(table.at(key), table.key(key), expected, table.shown(key), remedy);
}
