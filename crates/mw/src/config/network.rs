//! Feeders as a tree, halls on it, and the limits against what cannot be shed.

use std::collections::BTreeMap;

use engine::Site;
use engine::site::{Feeder, FeederIx, Hall, HallIx, LoadIx, LoadKind, PueCurve, Terms};
use units::{Power, Pue};

use super::machines::in_mw;
use super::problem::Findings;
use super::written::{Table, nearest};

/// What stands for a limit that is written wrong: nothing passes it.
const NO_LIMIT: Power = Power::from_mw(1_000_000);

/// Names of one kind and what each stands for.
pub(super) struct Names {
    kind: &'static str,
    by_name: BTreeMap<String, usize>,
}

impl Names {
    /// Notes names that are written twice.
    pub(super) fn of<'t>(
        kind: &'static str,
        tables: impl Iterator<Item = &'t Table>,
        found: &mut Findings<'_>,
    ) -> Self {
        let mut by_name = BTreeMap::new();
        for (ix, table) in tables.enumerate() {
            let Some(name) = table.text("name") else {
                continue;
            };
            if by_name.contains_key(name) {
                let expected = format!("a new name for a {kind}");
                let twice = format!("\"{name}\" a second time");
                found.problem(table.at("name"), table.key("name"), expected, twice, "");
            } else {
                by_name.insert(name.to_owned(), ix);
            }
        }
        Self { kind, by_name }
    }

    /// What the name under `key` stands for, if it is known.
    pub(super) fn named_by(
        &self,
        table: &Table,
        key: &str,
        found: &mut Findings<'_>,
    ) -> Option<usize> {
        let name = table.text(key)?;
        if let Some(ix) = self.by_name.get(name) {
            return Some(*ix);
        }
        let near = nearest(name, self.by_name.keys().map(String::as_str));
        let remedy = match near {
            Some(near) => format!("did you mean \"{near}\"?"),
            None if self.by_name.is_empty() => {
                format!("the file has no {} at all", self.kind)
            }
            None => {
                let all: Vec<_> =
                    self.by_name.keys().map(|name| format!("\"{name}\"")).collect();
                format!("there are {}", all.join(", "))
            }
        };
        let expected = format!("the name of a {}", self.kind);
        found.problem(table.at(key), table.key(key), expected, table.shown(key), remedy);
        None
    }
}

/// Feeders in order, and where each table of the file went.
pub(super) struct Feeders {
    pub(super) list: Vec<Feeder>,
    names: Names,
    /// The place in `list` of each table of the file.
    place: Vec<FeederIx>,
    /// The table of each feeder in `list`.
    table: Vec<usize>,
}

impl Feeders {
    /// Puts parents before children; notes loops and unknown parents.
    pub(super) fn of(root: &Table, found: &mut Findings<'_>) -> Self {
        let tables = root.tables("feeders");
        let names = Names::of("feeder", tables.iter(), found);
        let mut parents: Vec<_> =
            tables.iter().map(|table| names.named_by(table, "parent", found)).collect();
        cut_loops(tables, &mut parents, found);

        let depth =
            |ix: usize| std::iter::successors(parents[ix], |up| parents[*up]).count();
        let mut table: Vec<_> = (0..tables.len()).collect();
        table.sort_by_key(|ix| depth(*ix));
        let mut place = vec![0; tables.len()];
        for (at, ix) in table.iter().enumerate() {
            place[*ix] = at;
        }
        let list = table.iter().map(|ix| Feeder {
            name: tables[*ix].text("name").unwrap_or_default().to_owned(),
            parent: parents[*ix].map(|parent| place[parent]),
            limit: tables[*ix].power("limit_mw").unwrap_or(NO_LIMIT),
        });
        Self { list: list.collect(), names, place, table }
    }

    /// The feeder under `key`, if it is known.
    pub(super) fn named_by(
        &self,
        table: &Table,
        key: &str,
        found: &mut Findings<'_>,
    ) -> Option<FeederIx> {
        self.names.named_by(table, key, found).map(|ix| self.place[ix])
    }
}

/// Notes each loop of parents once, and cuts it so that the rest can be read.
fn cut_loops(tables: &[Table], parents: &mut [Option<usize>], found: &mut Findings<'_>) {
    for start in 0..tables.len() {
        let mut path = vec![start];
        while let Some(up) = parents[path[path.len() - 1]] {
            path.push(up);
            if up == start {
                let names: Vec<_> = path
                    .iter()
                    .map(|ix| tables[*ix].text("name").unwrap_or("?"))
                    .collect();
                let table = &tables[start];
                found.problem(
                    table.at("parent"),
                    table.key("parent"),
                    "feeders that lead to the interconnection",
                    format!("a loop: {}", names.join(" -> ")),
                    "leave `parent` out of the feeder nearest the interconnection",
                );
                parents[start] = None;
                break;
            }
            // A loop further up is noted when its own first feeder is the start.
            if path.len() > tables.len() {
                break;
            }
        }
    }
}

/// Halls, and their names.
pub(super) struct Halls {
    pub(super) list: Vec<Hall>,
    names: Names,
}

impl Halls {
    /// Reads the halls and their overheads.
    pub(super) fn of(root: &Table, feeders: &Feeders, found: &mut Findings<'_>) -> Self {
        let tables = root.tables("halls");
        let names = Names::of("hall", tables.iter(), found);
        let list = tables.iter().map(|table| Hall {
            name: table.text("name").unwrap_or_default().to_owned(),
            feeder: feeders.named_by(table, "feeder", found).unwrap_or_default(),
            pue: pue(table, found).unwrap_or(PueCurve::Constant(Pue::ONE)),
        });
        Self { list: list.collect(), names }
    }

    /// The hall a load stands in, if it is known.
    pub(super) fn of_load(
        &self,
        load: &Table,
        found: &mut Findings<'_>,
    ) -> Option<HallIx> {
        self.names.named_by(load, "hall", found)
    }
}

fn pue(hall: &Table, found: &mut Findings<'_>) -> Option<PueCurve> {
    let missing_key = "pue_where_temperature_missing";
    match (hall.writes("pue"), hall.writes("pue_by_temperature")) {
        (true, false) => {
            if hall.writes(missing_key) {
                found.problem(
                    hall.at(missing_key),
                    hall.key(missing_key),
                    "it beside `pue_by_temperature` only",
                    "it beside `pue`",
                    "leave it out: `pue` holds in all weather",
                );
            }
            hall.pue("pue").map(PueCurve::Constant)
        }
        (false, true) => pue_by_temperature(hall, missing_key, found),
        (both, _) => {
            let what = if both { "both" } else { "neither" };
            let expected = "`pue` or `pue_by_temperature`";
            found.problem(hall.start(), hall.path(), expected, what, "write one of them");
            None
        }
    }
}

fn pue_by_temperature(
    hall: &Table,
    missing_key: &str,
    found: &mut Findings<'_>,
) -> Option<PueCurve> {
    let tables = hall.tables("pue_by_temperature");
    let points: Vec<_> = tables
        .iter()
        .filter_map(|point| {
            Some((point.temperature("temperature_c")?, point.pue("pue")?))
        })
        .collect();
    if tables.is_empty() {
        let at = hall.at("pue_by_temperature");
        found.problem(
            at,
            hall.key("pue_by_temperature"),
            "at least one point",
            "none",
            "",
        );
        return None;
    }
    if points.len() < tables.len() {
        return None;
    }
    for (ix, pair) in points.windows(2).enumerate() {
        if pair[1].0 <= pair[0].0 {
            let point = &tables[ix + 1];
            let expected = format!("more than {}", tables[ix].shown("temperature_c"));
            found.problem(
                point.at("temperature_c"),
                point.key("temperature_c"),
                expected,
                point.shown("temperature_c"),
                "list the points in rising temperature",
            );
        }
    }
    let dearest = points.iter().map(|(_, pue)| *pue).max()?;
    if !hall.writes(missing_key) {
        found.problem(
            hall.at("pue_by_temperature"),
            hall.key(missing_key),
            "what holds while the temperature is not known",
            "nothing",
            format!("write `{missing_key} = {}` or more", ratio_text(dearest)),
        );
        return None;
    }
    let missing = hall.pue(missing_key)?;
    if missing < dearest {
        found.problem(
            hall.at(missing_key),
            hall.key(missing_key),
            format!("at least {}, the highest of the table", ratio_text(dearest)),
            hall.shown(missing_key),
            "a limit must hold whatever the weather is",
        );
    }
    Some(PueCurve::ByTemperature { points, missing })
}

fn ratio_text(pue: Pue) -> String {
    units::decimal::text(i128::from(pue.as_ppm()), 6, 3)
}

/// The most overhead a load's machines can carry.
pub(super) fn worst_pue(site: &Site, load: LoadIx) -> Pue {
    let hall = site.loads[load].hall.map(|hall| &site.halls[hall].pue);
    match hall {
        None => Pue::ONE,
        Some(PueCurve::Constant(pue)) => *pue,
        Some(PueCurve::ByTemperature { points, missing }) => {
            points.iter().fold(*missing, |worst, (_, pue)| worst.max(*pue))
        }
    }
}

/// What a load draws at the meter whatever is decided, at the worst overhead:
/// rest, or full power under contract or where racks may come under one.
fn floor(site: &Site, load: LoadIx) -> Power {
    let at_plug = match &site.loads[load].kind {
        LoadKind::Rigs(rigs) => rigs.machines.floor(),
        LoadKind::Racks(racks) => match racks.terms {
            Terms::Contracted { .. } => racks.machines.ceiling(),
            // Each of them may be promised to a tenant.
            Terms::Uncommitted { .. } if site.loads[load].may_be_promised() => {
                racks.machines.ceiling()
            }
            Terms::Uncommitted { .. } => racks.machines.floor(),
        },
        LoadKind::Battery(_) => Power::ZERO,
    };
    worst_pue(site, load).at_meter(at_plug)
}

/// Notes every limit below what the loads behind it draw whatever is decided.
pub(super) fn check_limits(
    site: &Site,
    root: &Table,
    feeders: &Feeders,
    found: &mut Findings<'_>,
) {
    if let Some(interconnection) = root.table("interconnection") {
        let every: Vec<_> = (0..site.loads.len()).collect();
        check_limit(site, interconnection, "import_limit_mw", &every, found);
    }
    for (ix, feeder) in site.feeders.iter().enumerate() {
        let table = &root.tables("feeders")[feeders.table[ix]];
        let behind: Vec<_> = (0..site.loads.len())
            .filter(|load| site.path(site.loads[*load].feeder).any(|up| up == ix))
            .collect();
        check_limit(site, table, "limit_mw", &behind, found);
        let above = feeder.parent.map_or(site.interconnection.import_limit, |parent| {
            site.feeders[parent].limit
        });
        if feeder.limit > above && feeder.limit != NO_LIMIT {
            let parent = feeder.parent.map_or("the interconnection", |parent| {
                site.feeders[parent].name.as_str()
            });
            let (limit, above) = (in_mw(feeder.limit), in_mw(above));
            let text = format!("{limit} is more than the {above} of {parent} above it");
            found.warning(table.at("limit_mw"), &table.key("limit_mw"), text);
        }
        if behind.is_empty() {
            let text = format!("nothing hangs on feeder \"{}\"", feeder.name);
            found.warning(table.start(), table.path(), text);
        }
    }
    for (hall, table) in root.tables("halls").iter().enumerate() {
        if !site.loads.iter().any(|load| load.hall == Some(hall)) {
            let text = format!("nothing stands in hall \"{}\"", site.halls[hall].name);
            found.warning(table.start(), table.path(), text);
        }
    }
}

fn check_limit(
    site: &Site,
    table: &Table,
    key: &str,
    behind: &[LoadIx],
    found: &mut Findings<'_>,
) {
    let Some(limit) = table.power(key) else {
        return;
    };
    let mut floors: Vec<_> =
        behind.iter().map(|load| (floor(site, *load), *load)).collect();
    let sum: Power = floors.iter().map(|(floor, _)| *floor).sum();
    if limit >= sum {
        return;
    }
    floors.sort_by_key(|(floor, load)| (std::cmp::Reverse(*floor), *load));
    let parts: Vec<_> = floors
        .iter()
        .filter(|(floor, _)| !floor.is_zero())
        .map(|(floor, load)| format!("{} {}", site.loads[*load].name, in_mw(*floor)))
        .collect();
    let expected = format!(
        "at least {}, which the loads behind it draw whatever is decided ({})",
        in_mw(sum),
        parts.join(", "),
    );
    let remedy = "raise the limit or put fewer machines behind it; counted are rigs and \
                  uncommitted racks at rest and contracted racks and those with a \
                  `first_rack` at full power, at the worst PUE";
    found.problem(table.at(key), table.key(key), expected, format!("{limit}"), remedy);
}
