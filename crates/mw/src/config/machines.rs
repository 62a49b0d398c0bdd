//! Machine models: the table that comes with the program, and the site's own.

use std::collections::BTreeMap;

use engine::site::{OperatingPoint, Rate};
use units::{Power, Share};

use super::keys::MACHINE_TABLE;
use super::problem::Findings;
use super::written::{Table, nearest, read};

/// The table that comes with the program.
pub(super) const TABLE: &str = include_str!("machines.toml");

/// A machine model as its row says it.
#[derive(Clone)]
pub(super) struct Model {
    /// Draw at rest, at the plug.
    pub(super) standby: Power,
    /// How it can run, in rising power.
    pub(super) points: Vec<OperatingPoint>,
    /// GPUs in one, for racks; zero for rigs.
    pub(super) gpus: u32,
    /// What one draws at full power beside its GPUs, for racks whose row says what
    /// those may draw.
    pub(super) beside_gpus: Option<Power>,
    /// Whether its row has a curve of its own.
    pub(super) has_curve: bool,
}

/// Models by name.
pub(super) struct Models {
    kind: &'static str,
    by_name: BTreeMap<String, Option<Model>>,
}

/// The most points a curve may have. Chosen: a firmware has about thirty presets.
const POINTS_MAX: usize = 64;

impl Models {
    /// Models of rigs and of racks: of the program's table, then the site's own.
    pub(super) fn of(site: &Table, found: &mut Findings<'_>) -> (Self, Self) {
        let mut scratch = Findings::new(TABLE);
        let table = table(&mut scratch);
        assert!(scratch.is_clean(), "the machine table is right");
        (
            Self::of_kind("rig_models", rig_model, &table, site, found),
            Self::of_kind("rack_models", rack_model, &table, site, found),
        )
    }

    fn of_kind(
        kind: &'static str,
        row: fn(&Table, &mut Findings<'_>) -> Option<Model>,
        table: &Table,
        site: &Table,
        found: &mut Findings<'_>,
    ) -> Self {
        let mut by_name = BTreeMap::new();
        let mut scratch = Findings::new(TABLE);
        for table in table.tables(kind) {
            let name = table.text("name").expect("a row has a name").to_owned();
            let twice = by_name.insert(name, row(table, &mut scratch));
            assert!(twice.is_none(), "a model is in the table once");
        }
        assert!(scratch.is_clean(), "the machine table is right");

        let mut own = Vec::new();
        for table in site.tables(kind) {
            let Some(name) = table.text("name") else {
                continue;
            };
            if own.contains(&name) {
                let remedy = "give each model a name of its own";
                let twice = format!("\"{name}\" a second time");
                found.problem(
                    table.at("name"),
                    table.key("name"),
                    "a new name",
                    twice,
                    remedy,
                );
            } else if by_name.contains_key(name) {
                let text =
                    format!("\"{name}\" takes the place of the machine table's row");
                found.warning(table.at("name"), &table.key("name"), text);
            }
            own.push(name);
            by_name.insert(name.to_owned(), row(table, found));
        }
        Self { kind, by_name }
    }

    /// The model a load names, if it is known and right.
    pub(super) fn named_by(
        &self,
        load: &Table,
        found: &mut Findings<'_>,
    ) -> Option<&Model> {
        let name = load.text("model")?;
        if let Some(model) = self.by_name.get(name) {
            return model.as_ref();
        }
        let near = nearest(name, self.by_name.keys().map(String::as_str));
        let remedy = match near {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("add it as `[[{}]]` with its source", self.kind),
        };
        let expected = "a model of the machine table or the site's own";
        found.problem(
            load.at("model"),
            load.key("model"),
            expected,
            load.shown("model"),
            remedy,
        );
        None
    }
}

/// The program's table, read.
pub(super) fn table(found: &mut Findings<'_>) -> Table {
    read(&MACHINE_TABLE, found).expect("the machine table is TOML")
}

fn rig_model(row: &Table, found: &mut Findings<'_>) -> Option<Model> {
    let sold = OperatingPoint {
        power: row.power("power_w")?,
        rate: Rate::Hash(row.hash_rate("hashrate_ths")?),
    };
    let standby = row.power("standby_w")?;
    let points = tuning(row, found).unwrap_or_else(|| vec![sold]);
    check_curve(row, "tuning", "power_w", standby, &points, found);
    let has_curve = row.writes("tuning");
    Some(Model { standby, points, gpus: 0, beside_gpus: None, has_curve })
}

/// A row of the table, or of a site's own models of racks.
pub(super) fn rack_model(row: &Table, found: &mut Findings<'_>) -> Option<Model> {
    let full = OperatingPoint {
        power: row.power("power_kw")?,
        rate: Rate::Throughput(Share::WHOLE),
    };
    let standby = row.power("standby_kw")?;
    let points = power_curve(row, found).unwrap_or_else(|| vec![full]);
    check_curve(row, "power_curve", "power_kw", standby, &points, found);
    let gpus = row.count("gpus_per_rack")?;
    let beside_gpus = beside_gpus(row, gpus, found);
    let has_curve = row.writes("power_curve");
    Some(Model { standby, points, gpus, beside_gpus, has_curve })
}

/// What the highest limits of a rack's GPUs leave of its full power.
fn beside_gpus(row: &Table, gpus: u32, found: &mut Findings<'_>) -> Option<Power> {
    let key = "gpu_limit_w";
    let limit = row.power(key)?;
    let left = row.power("power_kw")? - limit.times(i64::from(gpus));
    if left < Power::ZERO {
        let expected = format!("{gpus} GPUs that draw no more than `power_kw` together");
        let remedy = "write the limit of one GPU, and the draw of the whole rack";
        found.problem(row.at(key), row.key(key), expected, row.shown(key), remedy);
        return None;
    }
    Some(left)
}

/// The tuning curve of a rig or model, if it has one of its own.
pub(super) fn tuning(
    table: &Table,
    found: &mut Findings<'_>,
) -> Option<Vec<OperatingPoint>> {
    curve(table, "tuning", found, |point| {
        Some(OperatingPoint {
            power: point.power("power_w")?,
            rate: Rate::Hash(point.hash_rate("hashrate_ths")?),
        })
    })
}

/// The power curve of a rack or model, if it has one of its own.
pub(super) fn power_curve(
    table: &Table,
    found: &mut Findings<'_>,
) -> Option<Vec<OperatingPoint>> {
    let points = curve(table, "power_curve", found, |point| {
        Some(OperatingPoint {
            power: point.power("power_kw")?,
            rate: Rate::Throughput(point.share("throughput_percent")?),
        })
    })?;
    let written = table.tables("power_curve");
    let last = points.last().filter(|_| points.len() == written.len());
    if last.is_some_and(|last| last.rate != Rate::Throughput(Share::WHOLE)) {
        let point = &written[written.len() - 1];
        found.problem(
            point.at("throughput_percent"),
            point.key("throughput_percent"),
            "100 at the last point",
            point.shown("throughput_percent"),
            "throughput is a part of that at full power: the last point is full power",
        );
    }
    Some(points)
}

fn curve(
    table: &Table,
    key: &str,
    found: &mut Findings<'_>,
    point: impl Fn(&Table) -> Option<OperatingPoint>,
) -> Option<Vec<OperatingPoint>> {
    if !table.writes(key) {
        return None;
    }
    let written = table.tables(key);
    if written.is_empty() || written.len() > POINTS_MAX {
        let expected = format!("1 to {POINTS_MAX} points");
        let many = written.len().to_string();
        let remedy = "leave the key out to run at the model's own";
        found.problem(table.at(key), table.key(key), expected, many, remedy);
    }
    Some(written.iter().filter_map(point).collect())
}

/// What a rate counts to, in its own small unit, so that two can be compared.
fn amount(rate: Rate) -> i128 {
    match rate {
        Rate::Hash(rate) => i128::from(rate.as_ghs()),
        Rate::Throughput(share) => i128::from(share.as_ppm()),
    }
}

/// A power in MW with no more digits than it has, so that two that differ are
/// never written alike.
pub(super) fn in_mw(power: Power) -> String {
    let text = power.to_mw_text(6);
    format!("{} MW", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Checks that a curve rises and that each further watt gives no more than the
/// watts before it, from rest on.
pub(super) fn check_curve(
    table: &Table,
    key: &str,
    power_key: &str,
    standby: Power,
    points: &[OperatingPoint],
    found: &mut Findings<'_>,
) {
    // A wrong point is left out of the curve: its neighbours cannot be judged.
    let written = table.tables(key);
    let own = table.writes(key);
    if own && written.len() != points.len() {
        return;
    }
    let mut below = (i128::from(standby.as_watts()), 0);
    let mut slope_before: Option<(i128, i128)> = None;
    for (ix, point) in points.iter().enumerate() {
        let here = (i128::from(point.power.as_watts()), amount(point.rate));
        let (more_power, more_rate) = (here.0 - below.0, here.1 - below.1);
        // A model's own point has no table of its own: the model's keys stand for it.
        let (at, path) = match own {
            true => (written[ix].start(), written[ix].path().to_owned()),
            false => (table.start(), table.path().to_owned()),
        };
        if more_power <= 0 || more_rate <= 0 {
            let expected = match ix {
                0 => {
                    format!("more power than the {} W drawn at rest", standby.as_watts())
                }
                _ => "more power and a higher rate than the point before".to_owned(),
            };
            let what = match own {
                true => written[ix].shown(power_key),
                false => format!("{} W", point.power.as_watts()),
            };
            let remedy = "list the points in rising power";
            found.problem(at, path, expected, what, remedy);
            return;
        }
        if let Some((power_before, rate_before)) = slope_before
            && more_rate * power_before > rate_before * more_power
        {
            found.problem(
                at,
                path,
                "a point whose further watts give no more than the watts before them",
                "one where they give more",
                "leave out the point before it: half the machines at this point and half \
                 at the one below do better",
            );
            return;
        }
        slope_before = Some((more_power, more_rate));
        below = here;
    }
}
