//! Grid programmes as meant: who instructs the site, and where it goes when it
//! hears nothing.

use engine::site::{FailSafe, LoadIx, Programme};
use units::{Power, Seconds};

use super::loads::Loads;
use super::problem::Findings;
use super::written::{Table, nearest};

/// Reads the programmes. A site that names none is instructed by its grid, which
/// speaks only when it has something to say.
pub(super) fn programmes(
    root: &Table,
    loads: &Loads,
    import_limit: Power,
    found: &mut Findings<'_>,
) -> Vec<Programme> {
    let tables = root.tables("programmes");
    if tables.is_empty() {
        return vec![grid()];
    }
    let mut list: Vec<Programme> = Vec::new();
    for entry in tables {
        let Some(name) = entry.text("name") else { continue };
        if list.iter().any(|one| one.name == name) {
            let (at, key) = (entry.at("name"), entry.key("name"));
            let expected = "a name that no other programme has";
            found.problem(at, key, expected, entry.shown("name"), "");
            continue;
        }
        let limit = entry.power("fail_safe_limit_mw");
        if let Some(limit) = limit.filter(|limit| *limit > import_limit) {
            let key = "fail_safe_limit_mw";
            let expected = format!("at most the import limit of {import_limit}");
            let found_text = limit.to_string();
            found.problem(entry.at(key), entry.key(key), expected, found_text, "");
        }
        list.push(Programme {
            name: name.to_owned(),
            loads: named_loads(entry, loads, found),
            response: entry.seconds("response_seconds").unwrap_or(Seconds::ZERO),
            longest: entry.seconds("longest_hours").unwrap_or(Seconds::ZERO),
            silent_after: entry.seconds("silent_after_seconds"),
            fail_safe: limit.map_or(FailSafe::Hold, FailSafe::Limit),
        });
    }
    list
}

fn grid() -> Programme {
    Programme {
        name: "grid".to_owned(),
        loads: Vec::new(),
        response: Seconds::minutes(10),
        longest: Seconds::hours(24),
        silent_after: None,
        fail_safe: FailSafe::Hold,
    }
}

fn named_loads(entry: &Table, loads: &Loads, found: &mut Findings<'_>) -> Vec<LoadIx> {
    let key = "loads";
    let mut list = Vec::new();
    for name in entry.names(key).unwrap_or_default() {
        let all = || loads.list.iter().map(|load| load.name.as_str());
        match all().position(|load| load == name) {
            Some(load) if loads.list[load].may_be_promised() => {
                let expected = "loads that can be tripped whole";
                let shown = format!("\"{name}\", whose racks may be promised");
                let remedy = "leave it out, or take its `first_rack` away";
                found.problem(entry.at(key), entry.key(key), expected, shown, remedy);
            }
            Some(load) => list.push(load),
            None => {
                let remedy = nearest(name, all())
                    .map_or(String::new(), |near| format!("did you mean \"{near}\"?"));
                let (at, key) = (entry.at(key), entry.key(key));
                found.problem(at, key, "names of loads", format!("\"{name}\""), remedy);
            }
        }
    }
    list.sort_unstable();
    list
}
