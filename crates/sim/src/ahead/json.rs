//! Horizons as JSON: how one is told to a program that we did not write, and kept
//! in a file.
//!
//! Names are those of [`Horizon`]. A figure that is the same in every interval is
//! a number, one that is not a list; what is infinite is null. The end of a store
//! is `{}`, `{"at_mwh": 100}` or `{"worth": [[mwh, usd_per_mwh], …]}`.

use engine::decide::ahead::{
    Block, Bound, Conflict, Dated, Demand, End, Feeder, Grid, Horizon, Peak, Ramp, Store,
};
use serde_json::{Value, json};

/// A horizon as JSON.
pub fn write(horizon: &Horizon) -> Value {
    let grid = &horizon.grid;
    let blocks = grid.blocks.iter().map(|block| {
        json!({
            "from": block.from, "to": block.to, "mw": block.mw,
            "resale_usd_per_mwh": dated(&block.resale_usd_per_mwh),
        })
    });
    let peaks = grid.peaks.iter().map(|peak| {
        json!({
            "from": peak.from, "to": peak.to, "usd_per_mw": peak.usd_per_mw,
            "already_mw": peak.already_mw,
        })
    });
    let feeders = horizon.feeders.iter().map(
        |feeder| json!({ "parent": feeder.parent, "limit_mw": dated(&feeder.limit_mw) }),
    );
    let loads = horizon.loads.iter().map(|load| {
        json!({
            "feeder": load.feeder, "segments_mw": load.segments_mw,
            "floor_mw": dated(&load.floor_mw), "ceiling_mw": dated(&load.ceiling_mw),
            "ramp": ramp(&load.ramp),
        })
    });
    let batteries = horizon.batteries.iter().map(|store| {
        json!({
            "feeder": store.feeder,
            "charge_mw": dated(&store.charge_mw),
            "discharge_mw": dated(&store.discharge_mw),
            "stored_min_mwh": dated(&store.stored_min_mwh),
            "stored_max_mwh": dated(&store.stored_max_mwh),
            "charge_efficiency": store.charge_efficiency,
            "discharge_efficiency": store.discharge_efficiency,
            "wear_usd_per_mwh": store.wear_usd_per_mwh,
            "stored_mwh": store.stored_mwh,
            "end": end(&store.end),
        })
    });
    json!({
        "hours": horizon.hours,
        "grid": {
            "import_usd_per_mwh": grid.import_usd_per_mwh,
            "export_usd_per_mwh": grid.export_usd_per_mwh,
            "import_limit_mw": dated(&grid.import_limit_mw),
            "export_limit_mw": dated(&grid.export_limit_mw),
            "base_mw": dated(&grid.base_mw),
            "ramp": ramp(&grid.ramp),
            "blocks": blocks.collect::<Vec<_>>(),
            "peaks": peaks.collect::<Vec<_>>(),
        },
        "feeders": feeders.collect::<Vec<_>>(),
        "loads": loads.collect::<Vec<_>>(),
        "worth_usd_per_mwh": horizon.worth_usd_per_mwh,
        "batteries": batteries.collect::<Vec<_>>(),
    })
}

/// Limits that are said to conflict, as JSON.
pub fn write_conflict(conflict: &Conflict) -> Value {
    let limits: Vec<String> = conflict.limits.iter().map(name).collect();
    json!({ "from": conflict.from, "to": conflict.to, "limits": limits })
}

fn name(bound: &Bound) -> String {
    match bound {
        Bound::Import => "Import".into(),
        Bound::Export => "Export".into(),
        Bound::ExchangeRamp => "ExchangeRamp".into(),
        Bound::Feeder(place) => format!("Feeder {place}"),
        Bound::Floor(place) => format!("Floor {place}"),
        Bound::Ceiling(place) => format!("Ceiling {place}"),
        Bound::LoadRamp(place) => format!("LoadRamp {place}"),
        Bound::StorePower(place) => format!("StorePower {place}"),
        Bound::Stored(place) => format!("Stored {place}"),
    }
}

fn dated(value: &Dated) -> Value {
    match value {
        // Infinity becomes null.
        Dated::Always(value) => json!(value),
        Dated::Each(values) => json!(values),
    }
}

fn ramp(ramp: &Ramp) -> Value {
    json!({ "up_mw": ramp.up_mw, "down_mw": ramp.down_mw, "before_mw": ramp.before_mw })
}

fn end(end: &End) -> Value {
    match end {
        End::Free => json!({}),
        End::At(mwh) => json!({ "at_mwh": mwh }),
        End::Worth(parts) => json!({ "worth": parts }),
    }
}

/// A horizon from JSON, or the name of what is missing or odd.
pub fn read(value: &Value) -> Result<Horizon, String> {
    let grid = &value["grid"];
    let pays = &grid["export_usd_per_mwh"];
    Ok(Horizon {
        hours: number(value, "hours")?,
        grid: Grid {
            import_usd_per_mwh: numbers(grid, "import_usd_per_mwh")?,
            export_usd_per_mwh: if pays.is_null() {
                None
            } else {
                Some(numbers(grid, "export_usd_per_mwh")?)
            },
            import_limit_mw: read_dated(grid, "import_limit_mw")?,
            export_limit_mw: read_dated(grid, "export_limit_mw")?,
            base_mw: read_dated(grid, "base_mw")?,
            ramp: read_ramp(grid)?,
            blocks: each(grid, "blocks", |block| {
                Ok(Block {
                    from: place(block, "from")?,
                    to: place(block, "to")?,
                    mw: number(block, "mw")?,
                    resale_usd_per_mwh: read_dated(block, "resale_usd_per_mwh")?,
                })
            })?,
            peaks: each(grid, "peaks", |peak| {
                Ok(Peak {
                    from: place(peak, "from")?,
                    to: place(peak, "to")?,
                    usd_per_mw: number(peak, "usd_per_mw")?,
                    already_mw: number(peak, "already_mw")?,
                })
            })?,
        },
        feeders: each(value, "feeders", |feeder| {
            Ok(Feeder {
                parent: optional_place(feeder, "parent")?,
                limit_mw: read_dated(feeder, "limit_mw")?,
            })
        })?,
        loads: each(value, "loads", |load| {
            Ok(Demand {
                feeder: optional_place(load, "feeder")?,
                segments_mw: numbers(load, "segments_mw")?,
                floor_mw: read_dated(load, "floor_mw")?,
                ceiling_mw: read_dated(load, "ceiling_mw")?,
                ramp: read_ramp(load)?,
            })
        })?,
        worth_usd_per_mwh: numbers(value, "worth_usd_per_mwh")?,
        batteries: each(value, "batteries", |store| {
            Ok(Store {
                feeder: optional_place(store, "feeder")?,
                charge_mw: read_dated(store, "charge_mw")?,
                discharge_mw: read_dated(store, "discharge_mw")?,
                stored_min_mwh: read_dated(store, "stored_min_mwh")?,
                stored_max_mwh: read_dated(store, "stored_max_mwh")?,
                charge_efficiency: number(store, "charge_efficiency")?,
                discharge_efficiency: number(store, "discharge_efficiency")?,
                wear_usd_per_mwh: number(store, "wear_usd_per_mwh")?,
                stored_mwh: number(store, "stored_mwh")?,
                end: read_end(&store["end"])?,
            })
        })?,
    })
}

/// What of `value` is a number; null is infinite.
fn as_number(value: &Value, key: &str) -> Result<f64, String> {
    let found = if value.is_null() { Some(f64::INFINITY) } else { value.as_f64() };
    found.ok_or_else(|| format!("{key}: expected a number, found {value}"))
}

fn number(value: &Value, key: &str) -> Result<f64, String> {
    as_number(value.get(key).ok_or_else(|| missing(key))?, key)
}

/// A list of numbers.
pub fn numbers(value: &Value, key: &str) -> Result<Vec<f64>, String> {
    list(value, key)?.iter().map(|value| as_number(value, key)).collect()
}

fn place(value: &Value, key: &str) -> Result<usize, String> {
    optional_place(value, key)?.ok_or_else(|| missing(key))
}

fn optional_place(value: &Value, key: &str) -> Result<Option<usize>, String> {
    let found = value.get(key).ok_or_else(|| missing(key))?;
    if found.is_null() {
        return Ok(None);
    }
    let place = found.as_u64().and_then(|place| usize::try_from(place).ok());
    place.map(Some).ok_or_else(|| format!("{key}: expected a place, found {found}"))
}

fn read_dated(value: &Value, key: &str) -> Result<Dated, String> {
    if value.get(key).is_some_and(Value::is_array) {
        return numbers(value, key).map(Dated::Each);
    }
    number(value, key).map(Dated::Always)
}

fn read_ramp(value: &Value) -> Result<Ramp, String> {
    let ramp = &value["ramp"];
    let before = &ramp["before_mw"];
    let before_mw =
        if before.is_null() { None } else { Some(as_number(before, "before_mw")?) };
    Ok(Ramp {
        up_mw: number(ramp, "up_mw")?,
        down_mw: number(ramp, "down_mw")?,
        before_mw,
    })
}

fn read_end(end: &Value) -> Result<End, String> {
    if end.get("at_mwh").is_some() {
        return number(end, "at_mwh").map(End::At);
    }
    if end.get("worth").is_none() {
        return Ok(End::Free);
    }
    let part =
        |part: &Value| Ok((as_number(&part[0], "worth")?, as_number(&part[1], "worth")?));
    each(end, "worth", part).map(End::Worth)
}

fn each<T>(
    value: &Value,
    key: &str,
    one: impl Fn(&Value) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    list(value, key)?.iter().map(one).collect()
}

fn list<'a>(value: &'a Value, key: &str) -> Result<&'a Vec<Value>, String> {
    let found = value.get(key).ok_or_else(|| missing(key))?;
    found.as_array().ok_or_else(|| format!("{key}: expected a list, found {found}"))
}

fn missing(key: &str) -> String {
    format!("expected {key}, found none")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ahead::draw;

    #[test]
    fn what_is_written_is_read_back() {
        for seed in 0..200 {
            let horizon = draw::draw(seed);
            let text = write(&horizon).to_string();
            let back = read(&serde_json::from_str(&text).expect("JSON"));
            assert_eq!(back.as_ref(), Ok(&horizon), "seed {seed}");
        }
    }
}
