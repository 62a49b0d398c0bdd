//! Lock-outs and holds as meant: dated entries about loads.

use engine::Site;
use engine::site::{Hold, LoadIx, LockOut};
use jiff::tz::TimeZone;
use units::{Interval, Power};

use super::loads::{Loads, reach};
use super::machines::in_mw;
use super::network::worst_pue;
use super::problem::Findings;
use super::tariff::during;
use super::written::Table;

/// Reads the lock-outs.
pub(super) fn lock_outs(
    root: &Table,
    loads: &Loads,
    zone: &TimeZone,
    found: &mut Findings<'_>,
) -> Vec<LockOut> {
    let mut list = Vec::new();
    for entry in root.tables("lock_outs") {
        let load = loads.named_by(entry, found);
        let during = during(entry, zone, found);
        let words = entry.text("role").zip(entry.text("reason"));
        if let (Some(load), Some(during), Some((role, reason))) = (load, during, words) {
            list.push(LockOut {
                load,
                machines: None,
                during,
                until_released: false,
                role: role.to_owned(),
                reason: reason.to_owned(),
            });
        }
    }
    list
}

/// Reads the holds against the site they are about.
pub(super) fn holds(
    root: &Table,
    site: &Site,
    loads: &Loads,
    zone: &TimeZone,
    found: &mut Findings<'_>,
) -> Vec<Hold> {
    let mut list: Vec<Hold> = Vec::new();
    for entry in root.tables("holds") {
        let load = loads.named_by(entry, found);
        let during = during(entry, zone, found);
        let power = entry.power("power_mw");
        if let (Some(load), Some(power)) = (load, power) {
            check_level(entry, site, load, power, found);
        }
        let (Some(load), Some(during), Some(power), Some(reason)) =
            (load, during, power, entry.text("reason"))
        else {
            continue;
        };
        check_alone(entry, site, load, during, &list, found);
        let (role, reason) = ("site file".to_owned(), reason.to_owned());
        list.push(Hold { load, power, during, role, reason });
    }
    list
}

/// Notes a level that the load, or a limit above it, does not allow.
fn check_level(
    entry: &Table,
    site: &Site,
    load: LoadIx,
    power: Power,
    found: &mut Findings<'_>,
) {
    let (at, key) = (entry.at("power_mw"), entry.key("power_mw"));
    let name = &site.loads[load].name;
    let pue = worst_pue(site, load);
    let (least, most) = reach(&site.loads[load]);
    // Machines at rest draw something; a hold at nothing means rest.
    let least = least.min(Power::ZERO);
    let most = pue.at_meter(most);
    if power < least || power > most {
        let expected =
            format!("from {} to {}, what \"{name}\" can draw", in_mw(least), in_mw(most));
        found.problem(at, key, expected, in_mw(power), "");
        return;
    }
    let limits = site
        .path(site.loads[load].feeder)
        .map(|feeder| (site.feeders[feeder].limit, site.feeders[feeder].name.as_str()))
        .chain([(site.interconnection.import_limit, "the interconnection")]);
    if let Some((limit, of)) = limits.min()
        && power > limit
    {
        let expected = format!("at most {}, the limit of {of}", in_mw(limit));
        found.problem(at, key, expected, in_mw(power), "");
        return;
    }
    if site.loads[load].is_firm() && power < most {
        let text = format!(
            "holds \"{name}\", which is under contract, below its {}",
            in_mw(most)
        );
        found.warning(at, &key, text);
    }
}

/// Notes a second hold of the same load at the same time.
fn check_alone(
    entry: &Table,
    site: &Site,
    load: LoadIx,
    during: Interval,
    earlier: &[Hold],
    found: &mut Findings<'_>,
) {
    let other =
        earlier.iter().find(|hold| hold.load == load && hold.during.overlaps(during));
    if let Some(other) = other {
        found.problem(
            entry.at("from"),
            entry.path(),
            format!("one hold of \"{}\" at a time", site.loads[load].name),
            format!("{during} beside {}", other.during),
            "end the one where the other begins",
        );
    }
}
