//! Loads as meant: rigs, racks and batteries, in that order and the file's.

use engine::site::{
    Battery, Envelope, Load, LoadKind, Machines, OperatingPoint, Racks, Rigs, Terms,
};
use units::{Energy, Power, Seconds, Share};

use super::contracts::Contracts;
use super::machines::{Model, Models, check_curve, power_curve, tuning};
use super::network::{Feeders, Halls, Names};
use super::problem::Findings;
use super::workload::{self, Workload};
use super::written::Table;

/// The loads of a file, and where each table of the file went.
pub(super) struct Loads {
    pub(super) list: Vec<Load>,
    names: Names,
    /// The place in `list` of each table of the file; `None` where it is wrong.
    place: Vec<Option<usize>>,
}

impl Loads {
    /// Reads every load.
    pub(super) fn of(
        root: &Table,
        feeders: &Feeders,
        halls: &Halls,
        contracts: &mut Contracts,
        found: &mut Findings<'_>,
    ) -> Self {
        let [rigs, racks, batteries] =
            ["rigs", "racks", "batteries"].map(|key| root.tables(key));
        let (rig_models, rack_models) = Models::of(root, found);
        let names = Names::of("load", rigs.iter().chain(racks).chain(batteries), found);

        let mut read = Vec::new();
        for table in rigs {
            let model = rig_models.named_by(table, found).cloned();
            let hall = halls.of_load(table, found);
            read.push(self::rigs(table, model, found).map(|rigs| (rigs, hall, None)));
        }
        for table in racks {
            let model = rack_models.named_by(table, found).cloned();
            let hall = halls.of_load(table, found);
            let racks = self::racks(table, model, contracts, found);
            read.push(racks.map(|racks| (racks, hall, None)));
        }
        for table in batteries {
            let feeder = feeders.named_by(table, "feeder", found);
            read.push(battery(table, found).map(|battery| (battery, None, feeder)));
        }

        let tables = rigs.iter().chain(racks).chain(batteries);
        let mut list = Vec::new();
        let mut place = Vec::new();
        for (table, load) in tables.zip(read) {
            place.push(load.is_some().then_some(list.len()));
            list.extend(load.map(|(kind, hall, feeder)| Load {
                name: table.text("name").unwrap_or_default().to_owned(),
                feeder: hall.map(|hall| halls.list[hall].feeder).or(feeder),
                hall,
                envelope: envelope(table, &kind),
                kind,
            }));
        }
        if place.is_empty() {
            let expected = "at least one load";
            let remedy = "write `[[rigs]]`, `[[racks]]` or `[[batteries]]`";
            found.problem(root.start(), "", expected, "none", remedy);
        }
        Self { list, names, place }
    }

    /// Every table of a load, and its place among the loads; `None` where it is wrong.
    pub(super) fn tables<'t>(
        &'t self,
        root: &'t Table,
    ) -> impl Iterator<Item = (&'t Table, Option<usize>)> {
        let tables = ["rigs", "racks", "batteries"].map(|key| root.tables(key));
        tables.into_iter().flatten().zip(self.place.iter().copied())
    }

    /// The load an entry names, if it is known and right.
    pub(super) fn named_by(
        &self,
        entry: &Table,
        found: &mut Findings<'_>,
    ) -> Option<usize> {
        self.names.named_by(entry, "load", found).and_then(|ix| self.place[ix])
    }
}

fn envelope(table: &Table, kind: &LoadKind) -> Envelope {
    let (up_min, down_min) = match kind {
        LoadKind::Rigs(_) | LoadKind::Racks(_) => {
            (table.seconds("min_up_minutes"), table.seconds("min_down_minutes"))
        }
        // A battery turns round at once.
        LoadKind::Battery(_) => (None, None),
    };
    Envelope {
        ramp_up_per_minute: table.power("ramp_up_mw_per_minute"),
        ramp_down_per_minute: table.power("ramp_down_mw_per_minute"),
        up_min: up_min.unwrap_or(Seconds::ZERO),
        down_min: down_min.unwrap_or(Seconds::ZERO),
    }
}

/// The machines of a load: its model's, or its own curve and rest.
fn machines(
    table: &Table,
    keys: [&str; 3],
    model: &Model,
    own: Option<Vec<OperatingPoint>>,
    found: &mut Findings<'_>,
) -> Option<Machines> {
    let [curve_key, power_key, standby_key] = keys;
    let standby = table.power(standby_key).unwrap_or(model.standby);
    let points = own.unwrap_or_else(|| model.points.clone());
    // What is wrong with a curve is noted where it is read.
    if points.is_empty() || table.tables(curve_key).len() > points.len() {
        return None;
    }
    if table.writes(curve_key) || table.writes(standby_key) {
        check_curve(table, curve_key, power_key, standby, &points, found);
    }
    Some(Machines { count: table.count("count")?, standby, points })
}

fn rigs(
    table: &Table,
    model: Option<Model>,
    found: &mut Findings<'_>,
) -> Option<LoadKind> {
    let own = tuning(table, found);
    let model = model?;
    let machines =
        machines(table, ["tuning", "power_w", "standby_w"], &model, own, found)?;
    Some(LoadKind::Rigs(Rigs {
        model: table.text("model")?.to_owned(),
        machines,
        strike: table.energy_price("strike_usd_per_mwh"),
        restart: table.seconds("restart_minutes")?,
        restart_cost: table.money("restart_cost_usd")?,
    }))
}

fn racks(
    table: &Table,
    model: Option<Model>,
    contracts: &mut Contracts,
    found: &mut Findings<'_>,
) -> Option<LoadKind> {
    let own = power_curve(table, found);
    let terms = terms(table, contracts, found);
    let model = model?;
    let keys = ["power_curve", "power_kw", "standby_kw"];
    let by_work = by_workload(table, &model, found);
    let machines = machines(table, keys, &model, own.or(by_work), found)?;
    let left = model.beside_gpus.filter(|left| *left <= machines.ceiling_of_one());
    let beside_gpus = table.power("beside_gpus_kw").or(left);
    let racks = Racks {
        model: table.text("model")?.to_owned(),
        gpus_per_rack: model.gpus,
        beside_gpus: beside_gpus.unwrap_or(machines.standby),
        first_rack: table.text("first_rack").map(str::to_owned),
        machines,
        terms: terms?,
    };
    check_names(table, &racks, found);
    if let Some(contracted) = table.table("contracted") {
        contracts.count(contracted, &racks, found);
    }
    Some(LoadKind::Racks(racks))
}

/// The curve of what runs on racks, where it counts: neither they nor their model have
/// one of their own, and it is known what a limit on GPUs leaves.
fn by_workload(
    table: &Table,
    model: &Model,
    found: &mut Findings<'_>,
) -> Option<Vec<OperatingPoint>> {
    let key = "workload";
    let said = table.text(key).and_then(Workload::named);
    let own = table.writes("power_curve");
    let beside = model.beside_gpus.filter(|_| !own && !model.has_curve);
    let Some(beside) = beside else {
        if said.is_some() {
            let expected = match own || model.has_curve {
                true => "no `workload` beside a curve, the load's or its model's",
                false => "a model that says `gpu_limit_w`",
            };
            let remedy = "leave it out, or write the curve as `power_curve`";
            found.problem(
                table.at(key),
                table.key(key),
                expected,
                table.shown(key),
                remedy,
            );
        }
        return None;
    };
    // A load whose racks may be promised keeps whole ones up: what is held is then
    // exact, unless somebody asks for a curve.
    if said.is_none() && table.writes("first_rack") {
        return None;
    }
    let full = model.points.last()?.power;
    let beside_gpus = table.power("beside_gpus_kw").unwrap_or(beside).min(full);
    let standby = table.power("standby_kw").unwrap_or(model.standby);
    let rack = workload::Rack { full, standby, beside_gpus, gpus: model.gpus };
    Some(said.unwrap_or(Workload::Mixed).points(rack))
}

/// Notes a first rack that cannot be counted on from, and power beside the GPUs that
/// leaves them none.
fn check_names(table: &Table, racks: &Racks, found: &mut Findings<'_>) {
    let key = "first_rack";
    if table.writes(key) && racks.rack_name(racks.machines.count - 1).is_none() {
        let expected = "a name that ends in a number, such as `R0001`";
        found.problem(table.at(key), table.key(key), expected, table.shown(key), "");
    }
    let key = "beside_gpus_kw";
    if table.writes(key) && racks.beside_gpus > racks.machines.ceiling_of_one() {
        let expected = "no more than one draws at full power";
        found.problem(table.at(key), table.key(key), expected, table.shown(key), "");
    }
}

fn terms(
    table: &Table,
    contracts: &mut Contracts,
    found: &mut Findings<'_>,
) -> Option<Terms> {
    match (table.writes("contracted"), table.writes("uncommitted")) {
        (true, false) => {
            let contract = table.table("contracted")?;
            Some(Terms::Contracted {
                price: contract.gpu_hour_price("price_usd_per_gpu_hour")?,
                worth: contract.energy_price("worth_usd_per_mwh")?,
                tranche: contracts.tranche(contract, found)?,
            })
        }
        (false, true) => {
            let sold = table.table("uncommitted")?;
            Some(Terms::Uncommitted {
                price: sold.gpu_hour_price("price_usd_per_gpu_hour")?,
                notice: sold.seconds("notice_minutes").unwrap_or(Seconds::ZERO),
            })
        }
        (both, _) => {
            let what = if both { "both" } else { "neither" };
            let expected = "`contracted` or `uncommitted`";
            found.problem(
                table.start(),
                table.path(),
                expected,
                what,
                "write one of them",
            );
            None
        }
    }
}

fn battery(table: &Table, found: &mut Findings<'_>) -> Option<LoadKind> {
    let share = |key| table.share(key);
    let (least, most) = (share("stored_min_percent")?, share("stored_max_percent")?);
    let first = share("stored_first_percent")?;
    let [least_text, most_text] =
        ["stored_min_percent", "stored_max_percent"].map(|key| table.shown(key));
    if least >= most {
        let expected = format!("less than `stored_max_percent`, {most_text}");
        let key = "stored_min_percent";
        found.problem(table.at(key), table.key(key), expected, least_text, "");
    } else if first < least || first > most {
        let key = "stored_first_percent";
        let expected =
            format!("a number from {least_text} to {most_text}, what it may hold");
        found.problem(table.at(key), table.key(key), expected, table.shown(key), "");
    }
    let charge_below = table.energy_price("charge_below_usd_per_mwh")?;
    let discharge_above = table.energy_price("discharge_above_usd_per_mwh")?;
    if charge_below >= discharge_above {
        let key = "discharge_above_usd_per_mwh";
        let expected = format!(
            "more than `charge_below_usd_per_mwh`, {}",
            table.shown("charge_below_usd_per_mwh"),
        );
        let remedy = "a battery cannot charge and discharge at one price";
        found.problem(table.at(key), table.key(key), expected, table.shown(key), remedy);
    }
    let capacity = table.energy("capacity_mwh")?;
    Some(LoadKind::Battery(Battery {
        charge_max: table.power("charge_mw")?,
        discharge_max: table.power("discharge_mw")?,
        stored_min: share_of(least, capacity),
        stored_max: share_of(most, capacity),
        stored_first: share_of(first, capacity),
        charge_efficiency: share("charge_efficiency_percent")?,
        discharge_efficiency: share("discharge_efficiency_percent")?,
        charge_below,
        discharge_above,
    }))
}

/// A share of an energy, rounded down: a rising share never gives less.
fn share_of(share: Share, energy: Energy) -> Energy {
    let exact = i128::from(energy.as_joules()) * i128::from(share.as_ppm()) / 1_000_000;
    Energy::from_joules(i64::try_from(exact).expect("a part of an energy fits"))
}

/// The least and the most a load can be asked to draw at the plug.
pub(super) fn reach(load: &Load) -> (Power, Power) {
    match &load.kind {
        LoadKind::Rigs(rigs) => (rigs.machines.floor(), rigs.machines.ceiling()),
        LoadKind::Racks(racks) => (racks.machines.floor(), racks.machines.ceiling()),
        LoadKind::Battery(battery) => (-battery.discharge_max, battery.charge_max),
    }
}
