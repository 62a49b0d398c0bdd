//! What an optimum over a horizon takes, on arrays from a file:
//! `dispatch_speed ARRAYS CASE [--runs N] [--steps K] [--intervals N] [--only PART]
//! [--dump FILE]`.
//!
//! `ARRAYS` is what `xtask/dispatch/year.py` writes. `CASE` is `year`,
//! `year-ramps`, `rolling`, `rolling-ramps`, `full`, `pressed`, or `scale` and `scale-ramps`,
//! which print what twice the horizon and ten times the loads take. `--intervals`
//! looks at the first of them alone; `--only once`, `twice` or `tenfold` solves that
//! part of a scaling case a single time and `--only none` builds it and solves
//! nothing, for a program that counts instructions. `--dump`
//! writes what was solved as JSON, for a program that solves it another way: the
//! whole horizon, or every so manieth window of the rolling ones with what it came
//! to. Time is CPU time of the process, from arrays in to primal and duals out, the
//! median of the runs, which share a solver and the room of an answer.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a benchmark reads files and the clock"
)]

use std::fs::File;
use std::io::{BufWriter, Write};
use std::time::{Duration, Instant};

use engine::decide::ahead::{Answer, Dated, End, Found, Horizon, Solver};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use sim::ahead::reference::{
    CLASSES_MW, HOURS, Ramps, STORED_MWH, UNSERVED_USD_PER_MWH, full, pressed, reference,
    reference_cost_usd,
};
use sim::ahead::{json, plan};

/// A day.
const WINDOW: usize = 96;

/// How many windows of a rolling run are written down for comparison.
const SAMPLES: usize = 200;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: dispatch_speed ARRAYS CASE [--runs N] [--steps K] [--intervals N] \
                 [--only PART] [--dump FILE]";
    let mut arrays = Arrays::read(&arguments.next().ok_or(usage)?)?;
    let case = arguments.next().ok_or(usage)?;
    let (mut runs, mut steps, mut dump, mut only) = (5, usize::MAX, None, None);
    while let Some(flag) = arguments.next() {
        let value = arguments.next().ok_or(usage)?;
        match flag.as_str() {
            "--runs" => runs = value.parse()?,
            "--steps" => steps = value.parse()?,
            "--intervals" => {
                let n: usize = value.parse()?;
                arrays.prices.truncate(n);
                arrays.worths.truncate(n * CLASSES_MW.len());
            }
            "--only" => only = Some(value),
            "--dump" => dump = Some(BufWriter::new(File::create(value)?)),
            _ => return Err(usage.into()),
        }
    }
    let ramps = if case.ends_with("-ramps") { Ramps::Kept } else { Ramps::Free };
    let end = || End::At(STORED_MWH);
    let mut line = match case.as_str() {
        "year" | "year-ramps" => {
            let build = || vec![reference(&arrays.prices, &arrays.worths, ramps, end())];
            whole(runs, build, dump)?
        }
        "full" => whole(runs, || arrays.days(full), dump)?,
        "pressed" => whole(runs, || arrays.days(pressed), dump)?,
        "rolling" | "rolling-ramps" => rolling(&arrays, ramps, runs, steps, dump)?,
        "scale" | "scale-ramps" => match only {
            Some(part) => scale_only(&arrays, ramps, &part)?,
            None => scale(&arrays, ramps, runs)?,
        },
        _ => return Err(usage.into()),
    };
    line["case"] = json!(case);
    line["peak_mb"] = json!(peak_mb()?);
    println!("{line}");
    Ok(())
}

/// What every program is handed.
struct Arrays {
    prices: Vec<f64>,
    /// Of each class, interval by interval.
    worths: Vec<f64>,
}

impl Arrays {
    fn read(path: &str) -> Result<Self, Box<dyn std::error::Error>> {
        let bytes = std::fs::read(path)?;
        let words: Vec<[u8; 8]> = bytes.as_chunks().0.to_vec();
        let n = words.first().map_or(0, |word| u64::from_le_bytes(*word)) as usize;
        if words.len() != 1 + n * (1 + CLASSES_MW.len()) {
            return Err(format!("{path}: expected the arrays of {n} intervals").into());
        }
        let figures: Vec<f64> =
            words[1..].iter().map(|word| f64::from_le_bytes(*word)).collect();
        Ok(Self { prices: figures[..n].to_vec(), worths: figures[n..].to_vec() })
    }
}

impl Arrays {
    /// Everything at once, a day at a time: as far as a site looks ahead with
    /// feeders, blocks and a peak that is charged by the month.
    fn days(&self, site: impl Fn(&[f64], &[f64]) -> Horizon) -> Vec<Horizon> {
        let classes = CLASSES_MW.len();
        let worths = self.worths.chunks_exact(WINDOW * classes);
        (self.prices.chunks_exact(WINDOW).zip(worths)).map(|(p, w)| site(p, w)).collect()
    }
}

/// CPU time of this process so far.
fn cpu() -> Duration {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(spent.tv_sec as u64, spent.tv_nsec as u32)
}

fn median(mut spent: Vec<f64>) -> f64 {
    spent.sort_by(f64::total_cmp);
    spent[spent.len() / 2]
}

/// The largest resident size of this process so far, MB.
fn peak_mb() -> Result<f64, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kb: f64 = line.ok_or("no peak")?.trim().trim_end_matches(" kB").parse()?;
    Ok((kb * 1.024 / 100.0).round() / 10.0)
}

/// Horizons, each as one problem.
fn whole(
    runs: usize,
    build: impl Fn() -> Vec<Horizon>,
    dump: Option<BufWriter<File>>,
) -> Result<Value, Box<dyn std::error::Error>> {
    let mut spent = Vec::new();
    let (mut solver, mut answer) = (Solver::default(), Answer::default());
    let (mut found, mut general) = (Found::default(), 0);
    let (mut intervals, mut cost_usd, mut bound_usd) = (0, 0.0, 0.0);
    for _ in 0..runs {
        (found, general) = (Found::default(), 0);
        (intervals, cost_usd, bound_usd) = (0, 0.0, 0.0);
        let began = cpu();
        for horizon in build() {
            solver.solve_into(&horizon, &mut answer)?;
            found.windows += answer.found.windows;
            found.pivots += answer.found.pivots;
            found.passes += answer.found.passes;
            general += usize::from(answer.found.general);
            intervals += horizon.len();
            cost_usd += answer.cost_usd;
            bound_usd += answer.bound_usd;
        }
        spent.push((cpu() - began).as_secs_f64());
    }
    // Looked over by who shares nothing with the solver, and not timed.
    let mut broken = 0;
    for horizon in build() {
        solver.solve_into(&horizon, &mut answer)?;
        broken += plan::broken(&horizon, &answer).len();
    }
    if let Some(mut file) = dump {
        for horizon in build() {
            writeln!(file, "{}", json!({ "horizon": json::write(&horizon) }))?;
        }
    }
    // As the reference problem counts: what is not served costs.
    let objective = |usd| reference_cost_usd(intervals, usd);
    Ok(json!({
        "runs": runs, "cpu_s": median(spent), "objective": objective(cost_usd),
        "bound": objective(bound_usd), "offset": objective(0.0), "windows": found.windows,
        "pivots": found.pivots, "passes": found.passes,
        "general": general, "broken": broken,
    }))
}

/// A decision each quarter of an hour, a day ahead with perfect prices, of which
/// the first interval is carried out; over full windows only.
fn rolling(
    arrays: &Arrays,
    ramps: Ramps,
    runs: usize,
    steps: usize,
    mut dump: Option<BufWriter<File>>,
) -> Result<Value, Box<dyn std::error::Error>> {
    let steps = steps.min(arrays.prices.len().saturating_sub(WINDOW));
    let mut spent = Vec::new();
    let mut done = Rolled::default();
    for run in 0..runs {
        let keep = if run == 0 { dump.as_mut() } else { None };
        let began = cpu();
        done = roll(arrays, ramps, steps, keep)?;
        let taken = (cpu() - began).as_secs_f64();
        // Writing down what is compared is not part of deciding.
        if run > 0 || dump.is_none() || runs == 1 {
            spent.push(taken);
        }
    }
    done.walls.sort_unstable();
    let at =
        |percent: usize| done.walls[(done.walls.len() - 1) * percent / 100] as f64 / 1e3;
    let cpu_s = median(spent);
    Ok(json!({
        "runs": runs, "steps": steps, "cpu_s": cpu_s,
        "cpu_per_step_us": cpu_s / steps as f64 * 1e6, "p50_us": at(50), "p99_us": at(99),
        "profit": done.profit_usd, "windows": done.windows, "pivots": done.pivots,
        "general": done.general,
    }))
}

#[derive(Default)]
struct Rolled {
    profit_usd: f64,
    windows: usize,
    pivots: usize,
    /// Decisions that needed the method for the general case.
    general: usize,
    /// What each decision took, nanoseconds by the wall's clock.
    walls: Vec<u64>,
}

fn roll(
    arrays: &Arrays,
    ramps: Ramps,
    steps: usize,
    mut dump: Option<&mut BufWriter<File>>,
) -> Result<Rolled, Box<dyn std::error::Error>> {
    let (classes, loads) = (CLASSES_MW.len(), CLASSES_MW.len() + 1);
    let first = (&arrays.prices[..WINDOW], &arrays.worths[..WINDOW * classes]);
    let mut horizon = reference(first.0, first.1, ramps, End::Free);
    let mut solver = Solver::default();
    let mut answer = Answer::default();
    let mut rolled = Rolled { walls: Vec::with_capacity(steps), ..Rolled::default() };
    for step in 0..steps {
        let began = Instant::now();
        // Everything is handed anew but the state.
        horizon
            .grid
            .import_usd_per_mwh
            .copy_from_slice(&arrays.prices[step..step + WINDOW]);
        let worths = arrays.worths[step * classes..].chunks_exact(classes);
        for (own, new) in horizon.worth_usd_per_mwh.chunks_exact_mut(loads).zip(worths) {
            own[..classes].copy_from_slice(new);
        }
        solver.solve_into(&horizon, &mut answer)?;
        rolled.walls.push(began.elapsed().as_nanos() as u64);
        if let Some(file) = dump.as_mut().filter(|_| step % (steps / SAMPLES).max(1) == 0)
        {
            let line = json!({
                "horizon": json::write(&horizon), "objective": answer.cost_usd,
                "offset": reference_cost_usd(WINDOW, 0.0),
            });
            writeln!(file, "{line}")?;
        }
        let drawn = &answer.segments_mw[..loads];
        let earned =
            drawn.iter().zip(&horizon.worth_usd_per_mwh).map(|(mw, usd)| mw * usd);
        let energy = answer.exchange_mw[0] * horizon.grid.import_usd_per_mwh[0];
        rolled.profit_usd += HOURS * (earned.sum::<f64>() - energy);
        rolled.profit_usd -=
            HOURS * sim::ahead::reference::GPUS_MW * UNSERVED_USD_PER_MWH;
        rolled.windows += answer.found.windows;
        rolled.pivots += answer.found.pivots;
        rolled.general += usize::from(answer.found.general);

        horizon.batteries[0].stored_mwh = answer.stored_mwh[0].clamp(0.0, 200.0);
        if ramps == Ramps::Kept {
            horizon.grid.ramp.before_mw = Some(answer.exchange_mw[0]);
            for (load, mw) in horizon.loads[..classes].iter_mut().zip(drawn) {
                load.ramp.before_mw = Some(*mw);
            }
        }
    }
    Ok(rolled)
}

/// The reference year, twice its horizon, and ten times its loads.
fn scaled(arrays: &Arrays, ramps: Ramps) -> [Horizon; 3] {
    let twice =
        Arrays { prices: arrays.prices.repeat(2), worths: arrays.worths.repeat(2) };
    let of = |arrays: &Arrays| {
        reference(&arrays.prices, &arrays.worths, ramps, End::At(STORED_MWH))
    };
    let once = of(arrays);
    let many = tenfold(&once);
    [once, of(&twice), many]
}

/// What twice the horizon and ten times the loads take. The three take turns, so
/// that what else the machine does meets all of them alike.
fn scale(
    arrays: &Arrays,
    ramps: Ramps,
    runs: usize,
) -> Result<Value, Box<dyn std::error::Error>> {
    let horizons = scaled(arrays, ramps);
    let mut spent = [const { Vec::new() }; 3];
    let (mut pivots, mut general) = ([0; 3], 0);
    // As in the other cases, runs share a solver and the room of an answer.
    let mut kept: [(Solver, Answer); 3] = Default::default();
    for _ in 0..runs {
        for (at, horizon) in horizons.iter().enumerate() {
            let (solver, answer) = &mut kept[at];
            let began = cpu();
            solver.solve_into(horizon, answer)?;
            spent[at].push((cpu() - began).as_secs_f64());
            pivots[at] = answer.found.pivots;
            general += usize::from(answer.found.general);
        }
    }
    let [once, twice, many] = spent.map(median);
    Ok(json!({
        "runs": runs, "cpu_s": once, "twice_the_horizon": twice / once,
        "ten_times_the_loads": many / once, "pivots": pivots, "general": general,
    }))
}

/// One of the three, or none, a single time.
fn scale_only(
    arrays: &Arrays,
    ramps: Ramps,
    part: &str,
) -> Result<Value, Box<dyn std::error::Error>> {
    let horizons = scaled(arrays, ramps);
    let which = ["once", "twice", "tenfold"].iter().position(|name| *name == part);
    let Some(horizon) = which.and_then(|which| horizons.get(which)) else {
        return if part == "none" {
            Ok(json!({}))
        } else {
            Err(format!("expected once, twice, tenfold or none, found {part}").into())
        };
    };
    let found = Solver::default().solve(horizon)?.found;
    Ok(json!({ "pivots": found.pivots, "windows": found.windows }))
}

/// Each load as ten of a tenth of its size, worth a little more and less.
fn tenfold(horizon: &Horizon) -> Horizon {
    let mut many = horizon.clone();
    many.loads.clear();
    for load in &horizon.loads {
        let mut tenth = load.clone();
        tenth.segments_mw.iter_mut().for_each(|mw| *mw /= 10.0);
        tenth.ramp.up_mw /= 10.0;
        tenth.ramp.down_mw /= 10.0;
        if let Dated::Always(mw) = &mut tenth.floor_mw {
            *mw /= 10.0;
        }
        many.loads.extend(std::iter::repeat_n(tenth, 10));
    }
    let spread = |worth: &f64| {
        let worth = *worth;
        (0..10).map(move |part| worth * (1.0 + 0.002 * (f64::from(part) - 4.5)))
    };
    many.worth_usd_per_mwh = horizon.worth_usd_per_mwh.iter().flat_map(spread).collect();
    many
}
