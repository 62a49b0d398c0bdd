//! What each hall, megawatt and machine model earned, from a run's own detail.
//!
//! Each interval's power is shared among the loads that drew it, in proportion to
//! their energy, so that the parts sum to what the site paid to the millionth of a
//! dollar. What room for each would have been worth is the optimum's, in hindsight.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use anyhow::{Context, bail};
use engine::Site;
use engine::site::LoadKind;
use parquet::column::reader::{ColumnReader, get_typed_column_reader};
use parquet::data_type::{ByteArrayType, DataType, Int64Type};
use parquet::file::reader::{FileReader, SerializedFileReader};
use settle::books::power::{Accrual, ChargeKind};
use settle::calendar::{Period, Zone};
use settle::exact::{Exact, Rounding};
use units::{Power, Timestamp, decimal};

use crate::records::{Place, Records};
use crate::report::parquet::{HINDSIGHT, INTERVALS, LOADS};

/// What a part of the estate earned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worth {
    /// The hall, the model, or the load.
    pub name: String,
    /// What it can draw at most, at the plug.
    pub capacity: Power,
    /// The part of that which machines draw.
    pub machines: Power,
    /// Energy it took at the meter, in joules; what a battery gave back is taken off.
    pub energy_j: i128,
    /// What its work earned, in millionths of a dollar.
    pub revenue_micro_usd: i64,
    /// Its part of what power cost; negative is a cost.
    pub power_micro_usd: i64,
    /// Wear of its starts; negative.
    pub wear_micro_usd: i64,
    /// Seconds of the run.
    pub seconds: i64,
    /// What a further megawatt-hour of room for it would have added to the optimum in
    /// hindsight, the mean over the run: the shadow prices of the connection and of
    /// the feeders it hangs on. `None` where the run has no hindsight.
    pub shadow_micro_usd_per_mwh: Option<i64>,
    /// Shadow prices per megawatt-hour times seconds, and seconds.
    shadow: (i128, i64),
    /// Watts at the plug that machines were set to, times seconds; nothing for others.
    set_j: i128,
}

/// A run's estate, cut in three ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Estate {
    /// By hall.
    pub halls: Vec<Worth>,
    /// By machine model.
    pub models: Vec<Worth>,
    /// By load.
    pub loads: Vec<Worth>,
    /// Intervals that lacked a price and have no money on either side.
    pub unpriced: u64,
}

impl Worth {
    fn new(name: &str, seconds: i64) -> Self {
        Self {
            name: name.to_owned(),
            capacity: Power::ZERO,
            machines: Power::ZERO,
            energy_j: 0,
            revenue_micro_usd: 0,
            power_micro_usd: 0,
            wear_micro_usd: 0,
            seconds,
            shadow_micro_usd_per_mwh: None,
            shadow: (0, 0),
            set_j: 0,
        }
    }

    fn add(&mut self, other: &Self) {
        self.capacity += other.capacity;
        self.machines += other.machines;
        self.energy_j += other.energy_j;
        self.revenue_micro_usd += other.revenue_micro_usd;
        self.power_micro_usd += other.power_micro_usd;
        self.wear_micro_usd += other.wear_micro_usd;
        self.shadow.0 += other.shadow.0;
        self.shadow.1 += other.shadow.1;
        self.set_j += other.set_j;
    }

    /// Revenue less power and wear.
    pub const fn margin_micro_usd(&self) -> i64 {
        self.revenue_micro_usd + self.power_micro_usd + self.wear_micro_usd
    }

    /// What its machines were set to over what they can draw, at the plug and over the
    /// run, in parts per million. `None` without machines or time.
    pub fn utilisation_ppm(&self) -> Option<i128> {
        let whole = i128::from(self.machines.as_watts()) * i128::from(self.seconds);
        (whole > 0).then(|| self.set_j * 1_000_000 / whole)
    }

    /// Margin for each megawatt it can draw; `None` without any.
    pub fn margin_per_mw_micro_usd(&self) -> Option<i128> {
        let watts = i128::from(self.capacity.as_watts());
        (watts > 0).then(|| i128::from(self.margin_micro_usd()) * 1_000_000 / watts)
    }

    fn finish(mut self) -> Self {
        let (sum, count) = self.shadow;
        self.shadow_micro_usd_per_mwh = (count > 0).then(|| {
            i64::try_from(sum / i128::from(count)).expect("a mean of prices is a price")
        });
        self
    }
}

/// Columns of whole numbers, a null where there is none.
type Whole = Vec<Option<i64>>;

struct Detail {
    reader: SerializedFileReader<File>,
    name: String,
}

impl Detail {
    fn open(run: &Path, file: &str) -> anyhow::Result<Self> {
        let path = run.join(file);
        let name = path.display().to_string();
        let opened = File::open(&path).with_context(|| {
            format!("cannot read {name}: expected the detail of `mw backtest --out`")
        })?;
        let reader = SerializedFileReader::new(opened)
            .with_context(|| format!("{name}: expected a Parquet file"))?;
        Ok(Self { reader, name })
    }

    fn column(&self, wanted: impl Fn(&str) -> bool) -> Option<usize> {
        let schema = self.reader.metadata().file_metadata().schema_descr_ptr();
        (0..schema.num_columns()).find(|place| wanted(schema.column(*place).name()))
    }

    fn needed(&self, name: &str) -> anyhow::Result<usize> {
        self.column(|found| found == name).with_context(|| {
            format!("{}: expected a column {name}, found none", self.name)
        })
    }

    fn whole(&self, place: usize) -> anyhow::Result<Whole> {
        let mut found = Whole::new();
        self.each(place, |reader, rows| {
            let ColumnReader::Int64ColumnReader(_) = &reader else {
                bail!("{}: expected whole numbers in column {place}", self.name);
            };
            found.extend(values::<Int64Type>(reader, rows)?);
            Ok(())
        })?;
        Ok(found)
    }

    fn words(&self, place: usize) -> anyhow::Result<Vec<Option<String>>> {
        let mut found = Vec::new();
        self.each(place, |reader, rows| {
            let ColumnReader::ByteArrayColumnReader(_) = &reader else {
                bail!("{}: expected words in column {place}", self.name);
            };
            for word in values::<ByteArrayType>(reader, rows)? {
                let word = word.map(|word| word.as_utf8().map(str::to_owned));
                found.push(word.transpose()?);
            }
            Ok(())
        })?;
        Ok(found)
    }

    fn each(
        &self,
        place: usize,
        mut read: impl FnMut(ColumnReader, usize) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        for group in 0..self.reader.num_row_groups() {
            let group = self.reader.get_row_group(group)?;
            let rows = usize::try_from(group.metadata().num_rows())?;
            read(group.get_column_reader(place)?, rows)?;
        }
        Ok(())
    }
}

/// The values of a column in one row group, a null where there is none.
fn values<T: DataType>(
    reader: ColumnReader,
    rows: usize,
) -> anyhow::Result<Vec<Option<T::T>>> {
    let mut typed = get_typed_column_reader::<T>(reader);
    let (mut levels, mut values) = (Vec::new(), Vec::new());
    let mut read = 0;
    while read < rows {
        let (records, ..) =
            typed.read_records(rows - read, Some(&mut levels), None, &mut values)?;
        if records == 0 {
            break;
        }
        read += records;
    }
    if levels.is_empty() {
        return Ok(values.into_iter().map(Some).collect());
    }
    let mut values = values.into_iter();
    let value = |level: &i16| if *level > 0 { values.next() } else { None };
    Ok(levels.iter().map(value).collect())
}

/// What one interval's power cost: energy, adders and blocks; `None` without a price.
struct Costs {
    start: Whole,
    end: Whole,
    site_energy: Whole,
    energy: Whole,
    adders: Whole,
    blocks: Whole,
}

impl Costs {
    fn read(run: &Path) -> anyhow::Result<Self> {
        let detail = Detail::open(run, INTERVALS)?;
        let column = |name| detail.whole(detail.needed(name)?);
        Ok(Self {
            start: column("interval_start")?,
            end: column("interval_end")?,
            site_energy: column("site_energy_j")?,
            energy: column("energy_cost_micro_usd")?,
            adders: column("adders_micro_usd")?,
            blocks: column("blocks_micro_usd")?,
        })
    }

    fn total(&self, place: usize) -> Option<i64> {
        Some(self.energy[place]? + self.adders[place]? + self.blocks[place]?)
    }
}

/// What a run says each part of the estate earned.
///
/// # Errors
///
/// When the run has no detail, or the detail is not of its site.
pub fn estate(run: &Path) -> anyhow::Result<Estate> {
    let run_name = run.display().to_string();
    let records = Records::open(&Place::of(&run_name)?)?;
    let site = records.head().site.clone();
    drop(records);
    let costs = Costs::read(run)?;
    let detail = Detail::open(run, LOADS)?;
    let names = detail.words(detail.needed("load")?)?;
    let energy = detail.whole(detail.needed("energy_j")?)?;
    let revenue = detail.whole(detail.needed("revenue_micro_usd")?)?;
    let starts = detail.whole(detail.needed("starts")?)?;
    let level = detail.whole(detail.needed("level")?)?;
    let count = site.loads.len();
    let intervals = costs.start.len();
    if names.len() != intervals * count {
        bail!(
            "{}: expected {count} rows for each of {intervals} intervals, found {}",
            detail.name,
            names.len()
        );
    }
    let seconds = match (costs.start.first(), costs.end.last()) {
        (Some(Some(first)), Some(Some(last))) => (last - first) / 1_000_000,
        _ => 0,
    };
    let mut loads: Vec<Worth> = Vec::with_capacity(count);
    for (place, load) in site.loads.iter().enumerate() {
        let named = names.get(place).map(|name| name.as_deref().unwrap_or("no name"));
        if let Some(name) = named
            && name != load.name
        {
            bail!(
                "{}: expected load {} in row {}, found {name}",
                detail.name,
                load.name,
                place + 1
            );
        }
        let mut worth = Worth::new(&load.name, seconds);
        worth.machines =
            load.machines().map_or(Power::ZERO, engine::site::Machines::ceiling);
        worth.capacity = match &load.kind {
            LoadKind::Battery(battery) => battery.charge_max,
            LoadKind::Rigs(_) | LoadKind::Racks(_) => worth.machines,
        };
        loads.push(worth);
    }
    let mut unpriced = 0;
    for interval in 0..intervals {
        let rows = interval * count..(interval + 1) * count;
        let cost = costs.total(interval);
        let lasted = costs.start[interval].zip(costs.end[interval]);
        let lasted = lasted.map_or(0, |(start, end)| (end - start) / 1_000_000);
        unpriced += u64::from(cost.is_none());
        let weights: Vec<i128> =
            rows.clone().map(|row| i128::from(energy[row].unwrap_or(0).max(0))).collect();
        let parts = shared(cost.unwrap_or(0), &weights);
        for ((row, load), part) in rows.zip(&mut loads).zip(parts) {
            load.energy_j += i128::from(energy[row].unwrap_or(0));
            load.power_micro_usd += part;
            load.revenue_micro_usd += revenue[row].unwrap_or(0);
            let of = &site.loads[row % count];
            if let (Some(machines), Some(level)) = (of.machines(), level[row]) {
                let watts = machines.power_at(u32::try_from(level)?).as_watts();
                load.set_j += i128::from(watts) * i128::from(lasted);
            }
            if let (LoadKind::Rigs(rigs), Some(_)) = (&of.kind, cost) {
                let starts = starts[row].unwrap_or(0);
                load.wear_micro_usd -= rigs.restart_cost.times(starts).as_micro_usd();
            }
        }
    }
    if let Some(rooms) = rooms(run, &site)? {
        for (load, room) in loads.iter_mut().zip(rooms) {
            load.shadow = (room, seconds);
        }
    }
    let by = |name: &dyn Fn(&Site, usize) -> String| -> Vec<Worth> {
        let mut sums: BTreeMap<String, Worth> = BTreeMap::new();
        for (place, load) in loads.iter().enumerate() {
            let name = name(&site, place);
            let sum = sums.entry(name.clone());
            sum.or_insert_with(|| Worth::new(&name, seconds)).add(load);
        }
        sums.into_values().map(Worth::finish).collect()
    };
    let halls = by(&|site, load| match site.loads[load].hall {
        Some(hall) => site.halls[hall].name.clone(),
        None => "outside the halls".to_owned(),
    });
    let models = by(&|site, load| match &site.loads[load].kind {
        LoadKind::Rigs(rigs) => rigs.model.clone(),
        LoadKind::Racks(racks) => racks.model.clone(),
        LoadKind::Battery(_) => "battery".to_owned(),
    });
    let loads = loads.into_iter().map(Worth::finish).collect();
    Ok(Estate { halls, models, loads, unpriced })
}

/// For each load, what a further megawatt of room for it was worth in hindsight, times
/// the seconds it was: of the connection, and of the feeders between.
fn rooms(run: &Path, site: &Site) -> anyhow::Result<Option<Vec<i128>>> {
    if !run.join(HINDSIGHT).is_file() {
        return Ok(None);
    }
    let detail = Detail::open(run, HINDSIGHT)?;
    let start = detail.whole(detail.needed("interval_start")?)?;
    let end = detail.whole(detail.needed("interval_end")?)?;
    let limit = detail.words(detail.needed("limit")?)?;
    let feeder = detail.words(detail.needed("feeder")?)?;
    let worth = detail.whole(detail.needed("worth_micro_usd")?)?;
    let mut rooms = vec![0_i128; site.loads.len()];
    for row in 0..worth.len() {
        let (Some(from), Some(to), Some(worth)) = (start[row], end[row], worth[row])
        else {
            bail!("{}: expected figures in row {}, found none", detail.name, row + 1);
        };
        let weighted = i128::from(worth) * i128::from((to - from) / 1_000_000);
        let limit = limit[row].as_deref();
        let name = feeder[row].as_deref();
        for (room, load) in rooms.iter_mut().zip(&site.loads) {
            let above = |feeder: usize| Some(site.feeders[feeder].name.as_str()) == name;
            let is_between = match limit {
                Some("import") => true,
                Some("feeder") => site.path(load.feeder).any(above),
                _ => false,
            };
            if is_between {
                *room += weighted;
            }
        }
    }
    Ok(Some(rooms))
}

/// Splits a cost in proportion to weights; the parts sum to it. Without any weight the
/// first takes it, so that nothing is lost.
fn shared(cost: i64, weights: &[i128]) -> Vec<i64> {
    let sum: i128 = weights.iter().sum();
    let mut parts = vec![0_i64; weights.len()];
    if sum == 0 {
        if let Some(first) = parts.first_mut() {
            *first = cost;
        }
        return parts;
    }
    let (mut gone, mut given) = (0_i128, 0_i64);
    for (part, weight) in parts.iter_mut().zip(weights) {
        gone += weight;
        let until = i64::try_from(i128::from(cost) * gone / sum).expect("part of a cost");
        *part = until - given;
        given = until;
    }
    parts
}

/// A run's power as accruals by month: energy, adders and blocks, each rounded on its
/// running total.
///
/// # Errors
///
/// When the run has no detail, or its money is not in a currency of the books' places.
pub fn accruals(run: &Path, zone: &Zone, places: u8) -> anyhow::Result<Vec<Accrual>> {
    let costs = Costs::read(run)?;
    let mut months: BTreeMap<Period, (i128, [i128; 3])> = BTreeMap::new();
    for place in 0..costs.start.len() {
        let (Some(start), Some(_)) = (costs.start[place], costs.total(place)) else {
            continue;
        };
        let at = Timestamp::from_unix_seconds(start / 1_000_000);
        let month = months.entry(zone.period(at)).or_default();
        month.0 += i128::from(costs.site_energy[place].unwrap_or(0));
        let parts = [&costs.energy, &costs.adders, &costs.blocks];
        for (sum, part) in month.1.iter_mut().zip(parts) {
            *sum += i128::from(part[place].unwrap_or(0));
        }
    }
    let mut found = Vec::new();
    let mut totals = [(0_i128, 0_i64); 3];
    let (mut joules, mut metered) = (0_i128, 0_i64);
    for (period, (energy, parts)) in months {
        joules += energy;
        let all = i64::try_from(joules / 3_600).context("energy fits")?;
        let wh = all - metered;
        metered = all;
        let charges = ["energy", "adders", "blocks"];
        for ((charge, part), total) in charges.iter().zip(parts).zip(&mut totals) {
            // A cost is negative in a run and positive on a bill.
            total.0 -= part;
            let minor = Exact::ratio(total.0 * 10_i128.pow(places.into()), 1_000_000);
            let minor = i64::try_from(minor.rounded(Rounding::HalfUp))?;
            let amount = minor - total.1;
            total.1 = minor;
            if part == 0 {
                continue;
            }
            found.push(Accrual {
                period,
                charge: (*charge).to_owned(),
                kind: ChargeKind::Cost,
                wh: (*charge == "energy").then_some(wh),
                amount,
            });
        }
    }
    Ok(found)
}

/// The estate as rows of text for a file or a page: name, MW, MWh, utilisation, revenue,
/// power, wear, margin, margin for each MW, shadow price.
pub fn row(worth: &Worth) -> [String; 10] {
    let money = |micro: i128| decimal::text(micro, 6, 2);
    let none = String::new;
    [
        worth.name.clone(),
        worth.capacity.to_mw_text(3),
        decimal::text(worth.energy_j / 3_600, 6, 3),
        worth.utilisation_ppm().map_or_else(none, |ppm| decimal::text(ppm, 4, 2)),
        money(worth.revenue_micro_usd.into()),
        money(worth.power_micro_usd.into()),
        money(worth.wear_micro_usd.into()),
        money(worth.margin_micro_usd().into()),
        worth.margin_per_mw_micro_usd().map_or_else(none, money),
        worth.shadow_micro_usd_per_mwh.map_or_else(none, |price| money(price.into())),
    ]
}

/// The names of [`row`]'s columns.
pub const COLUMNS: [&str; 10] = [
    "name",
    "capacity_mw",
    "energy_mwh",
    "utilisation_percent",
    "revenue_usd",
    "power_usd",
    "wear_usd",
    "margin_usd",
    "margin_usd_per_mw",
    "shadow_price_usd_per_mwh",
];
