//! A plan's futures as arrays, for other programs to decide.
//!
//! ```text
//! cargo run --release -p mw --example plan_arrays -- PLAN PATHS SEED OUT
//! ```
//!
//! Writes `OUT/plan.json`, the site as another program needs it, and `OUT/arrays.bin`: a
//! record for each future, all little-endian. By hour as `f32`: what a MWh costs as known
//! at its start with adders and the expected peak, then what it settles at with adders.
//! By day as `f64`: hashprice known, hashprice paid, rent known. By load and day as `u8`:
//! 0 gone, 1 there, 2 let. Last, as `f64`, what our own run of the future came to: MWh of
//! mining, contract and let, power of mining in USD, and what the pool paid.
//! `plan.json` says how long drawing the markets alone took.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, bail};
use engine::site::{LoadKind, Rate, Terms};
use mw::plan_file;
use plan::{Becomes, HOURS, Line, Plan, Use};
use serde_json::{Value, json};
use units::{Power, Seconds};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, paths, seed, out] = &arguments[..] else {
        bail!("expected PLAN PATHS SEED OUT, found {}", arguments.join(" "));
    };
    let (paths, seed): (u64, u64) = (paths.parse()?, seed.parse()?);
    let out = PathBuf::from(out);
    std::fs::create_dir_all(&out)?;
    let plan = plan_file::load(file.as_ref())?.plan;
    if plan.has_sites() {
        bail!("expected a plan of one site, found {}", plan.sites.len());
    }

    let began = Instant::now();
    let days = days(&plan);
    let mut sum = 0.0;
    for number in 0..paths {
        let mut markets = plan.markets(0, seed, number);
        sum += (0..days).map(|_| markets.next_day().hours[0].settled).sum::<f64>();
    }
    let drawing = began.elapsed().as_secs_f64();
    let mean = sum / paths as f64 / days as f64;

    let mut document = site(&plan)?;
    document["paths"] = json!(paths);
    document["days"] = json!(days);
    document["drawing_s"] = json!(drawing);
    document["midnight_price_mean"] = json!(mean);
    std::fs::write(out.join("plan.json"), document.to_string())?;
    let mut arrays = BufWriter::new(File::create(out.join("arrays.bin"))?);
    for number in 0..paths {
        record(&plan, seed, number, &mut arrays)?;
    }
    arrays.flush().context("cannot write the arrays")
}

fn days(plan: &Plan) -> usize {
    let zone = plan.zone();
    let length = zone.month(plan.end()).start - zone.month(plan.first).start;
    usize::try_from(length.as_seconds() / 86_400).expect("days of a plan")
}

fn mw(power: Power) -> f64 {
    power.as_watts() as f64 / 1e6
}

/// Loads and limits. Only what a plain merit order can do: one operating point a machine.
fn site(plan: &Plan) -> anyhow::Result<Value> {
    let site = &plan.sites[0].site;
    let mut loads = Vec::new();
    for (at, load) in site.loads.iter().enumerate() {
        let machines = load.machines().context("a battery is no part of a plan")?;
        let [point] = machines.points[..] else {
            bail!("{}: expected one operating point, found several", load.name);
        };
        let pue = site.pue_of(at, None);
        let mut one = json!({
            "name": load.name,
            "count": machines.count,
            "watts": pue.at_meter(point.power).as_watts(),
            "rest_watts": pue.at_meter(machines.standby).as_watts(),
            "pue_ppm": pue.as_ppm(),
        });
        match &load.kind {
            LoadKind::Rigs(rigs) => {
                let Rate::Hash(rate) = point.rate else { bail!("rigs hash") };
                one["ghs"] = json!(rate.as_ghs());
                one["restart_s"] = json!(rigs.restart.as_seconds());
                one["restart_usd"] = json!(rigs.restart_cost.as_micro_usd() as f64 / 1e6);
                let spread = site.policy.restart_spread.max(load.envelope.down_min);
                one["spread_s"] = json!(spread.as_seconds());
            }
            LoadKind::Racks(racks) => {
                one["gpus"] = json!(racks.gpus_per_rack);
                one["contract_usd_per_mwh"] = match racks.terms {
                    Terms::Contracted { worth, .. } => {
                        json!(worth.as_micro_usd_per_mwh() as f64 / 1e6)
                    }
                    Terms::Uncommitted { .. } => Value::Null,
                };
            }
            LoadKind::Battery(_) => {}
        }
        loads.push(one);
    }
    let mut limits = vec![json!({
        "name": "connection",
        "mw": mw(site.interconnection.import_limit),
        "loads": (0..site.loads.len()).collect::<Vec<_>>(),
    })];
    for (feeder, shape) in site.feeders.iter().enumerate() {
        let below =
            |load: &usize| site.path(site.loads[*load].feeder).any(|f| f == feeder);
        let loads: Vec<usize> = (0..site.loads.len()).filter(below).collect();
        if !loads.is_empty() {
            limits.push(
                json!({ "name": shape.name, "mw": mw(shape.limit), "loads": loads }),
            );
        }
    }
    let share = |share: units::Share| share.as_ppm() as f64 / 1e6;
    Ok(json!({
        "name": plan.name,
        "loads": loads,
        "limits": limits,
        "pool_fee": share(site.pool_fee),
        "let_share": share(plan.futures.let_share),
        "hysteresis": site.policy.hysteresis.as_micro_usd_per_mwh() as f64 / 1e6,
    }))
}

/// One future.
fn record(
    plan: &Plan,
    seed: u64,
    number: u64,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let loads = &plan.sites[0].site.loads;
    let days = days(plan);
    let (mut known, mut settled) = (Vec::new(), Vec::new());
    let (mut hashprice_known, mut hashprice_paid, mut rent) =
        (Vec::new(), Vec::new(), Vec::new());
    let mut present = vec![0_u8; loads.len() * days];
    let happenings = plan.happenings(0, seed, number);
    let mut next = happenings.iter().peekable();
    let mut there = vec![0_u8; loads.len()];
    let mut markets = plan.markets(0, seed, number);
    let mut rent_known = plan.futures.rental.price_usd_per_gpu_hour;
    let mut at = plan.zone().month(plan.first).start;
    for day in 0..days {
        while let Some(one) = next.next_if(|one| one.at <= at) {
            let is_let = match &loads[one.load].kind {
                LoadKind::Racks(racks) => {
                    matches!(racks.terms, Terms::Uncommitted { .. })
                }
                LoadKind::Rigs(_) | LoadKind::Battery(_) => false,
            };
            there[one.load] = match one.becomes {
                Becomes::Gone => 0,
                Becomes::There => 1 + u8::from(is_let),
                Becomes::Let => 2,
            };
        }
        for (load, standing) in there.iter().enumerate() {
            present[load * days + day] = *standing;
        }
        let today = markets.next_day();
        let paid = today.hashprice.as_micro_usd_per_ph_day() as f64 / 1e6;
        hashprice_known.push(hashprice_paid.last().copied().unwrap_or(paid));
        hashprice_paid.push(paid);
        rent.push(rent_known);
        rent_known = today.rent_usd;
        let adders =
            plan.sites[0].site.tariff.adders_at(at).as_micro_usd_per_mwh() as f64 / 1e6;
        for (hour, price) in today.hours.iter().enumerate() {
            let peak = plan.peak_adder(0, at, today.hour_of_day(hour));
            let peak = peak.as_micro_usd_per_mwh() as f64 / 1e6;
            known.push((price.known + adders + peak) as f32);
            settled.push((price.settled + adders) as f32);
        }
        at = at + Seconds::hours(HOURS as i64);
    }
    for value in known.iter().chain(&settled) {
        out.write_all(&value.to_le_bytes())?;
    }
    for value in hashprice_known.iter().chain(&hashprice_paid).chain(&rent) {
        out.write_all(&value.to_le_bytes())?;
    }
    out.write_all(&present)?;

    let outcome = plan.path(seed, number);
    let of = |of: Use| outcome.uses[of as usize];
    let mwh = |of_use: Use| of(of_use).watt_hours as f64 / 1e6;
    let paid: units::Money =
        outcome.months.iter().map(|month| month.of(Line::Mining)).sum();
    let results = [
        mwh(Use::Mining),
        mwh(Use::Contract),
        mwh(Use::Spot),
        of(Use::Mining).power.as_micro_usd() as f64 / 1e6,
        paid.as_micro_usd() as f64 / 1e6,
    ];
    for value in results {
        out.write_all(&value.to_le_bytes())?;
    }
    Ok(())
}
