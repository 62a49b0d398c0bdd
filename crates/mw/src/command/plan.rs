//! `mw plan`: what converting sites does to cash, coverage and risk.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use plan::{Answer, Outcome, Search};

use super::Ending;
use super::backtest::print;
use super::calibrate::Calibrate;
use super::plan_past::RunOver;
use crate::plan_file::{self, LoadedPlan};
use crate::plan_run::{self, Shard, ShardFile};
use crate::report;
use crate::report::plan::Tornado;

/// Show what converting sites does to cash, coverage and risk, over many futures.
///
/// Each future is decided hour by hour on what was known then, and settled by the
/// contracts themselves. The same seed gives the same figures on any number of threads
/// or machines. Ctrl-C keeps the futures that are finished; a part (`--shard`) is written
/// whole or not at all.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct PlanCommand {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    run: Option<Run>,
}

#[derive(Debug, Subcommand)]
enum Part {
    Calibrate(Calibrate),
    Backtest(RunOver),
    /// Put the parts of a run together: the same figures as from one machine.
    Merge {
        /// The plan: a folder with a plan.toml, or the file itself.
        plan: PathBuf,
        /// What `--shard` wrote, every part.
        #[arg(value_name = "PART", required = true)]
        parts: Vec<PathBuf>,
        /// A folder for every future, its cash by month and its tranches, as Parquet.
        #[arg(long, value_name = "DIR")]
        parquet: Option<PathBuf>,
        /// Write the answer as one page with pictures, too.
        #[arg(long, value_name = "FILE")]
        report: Option<PathBuf>,
        /// Print the answer as JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
struct Run {
    /// The plan: a folder with a plan.toml, or the file itself.
    plan: PathBuf,
    /// How many futures.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    paths: u64,
    /// What futures grow from: the same seed gives the same futures.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// On how many threads; as many as there are processors.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1_024))]
    threads: Option<u16>,
    /// Run one part of them, such as 3/8, and write it to --out for `mw plan merge`.
    #[arg(long, value_name = "I/N", requires = "out")]
    shard: Option<Shard>,
    /// The file of this part.
    #[arg(long, value_name = "FILE", requires = "shard")]
    out: Option<PathBuf>,
    /// Show what matters, too: each assumption moved by itself, over so many of the
    /// same futures.
    #[arg(long, value_name = "PATHS", conflicts_with = "shard",
          value_parser = clap::value_parser!(u64).range(1..=100_000))]
    tornado: Option<u64>,
    /// Look for the schedule, too: which conversions to begin when or not at all, over
    /// so many futures that choose and as many others that value (200).
    #[arg(long, value_name = "PATHS", conflicts_with = "shard", num_args = 0..=1,
          require_equals = true, default_missing_value = "200",
          value_parser = clap::value_parser!(u64).range(2..=100_000))]
    schedule: Option<u64>,
    /// Value no more than so many schedules to choose from: all where there are no more,
    /// else moves from the one in the file.
    #[arg(long, value_name = "COUNT", requires = "schedule", default_value_t = 100,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    schedules_max: u32,
    /// Write the answer as one page with pictures, too.
    #[arg(long, value_name = "FILE", conflicts_with = "shard")]
    report: Option<PathBuf>,
    /// A folder for every future, its cash by month and its tranches, as Parquet.
    #[arg(long, value_name = "DIR", conflicts_with = "shard")]
    parquet: Option<PathBuf>,
    /// Print the answer as JSON.
    #[arg(long)]
    json: bool,
}

impl PlanCommand {
    pub(super) fn run(self) -> anyhow::Result<Ending> {
        match (self.part, self.run) {
            (Some(Part::Calibrate(command)), _) => command.run(),
            (Some(Part::Backtest(command)), _) => command.run(),
            (Some(Part::Merge { plan, parts, parquet, report, json }), _) => {
                let to =
                    Targets { report: report.as_deref(), parquet: parquet.as_deref() };
                merge(&plan_file::load(&plan)?, &parts, to, json)
            }
            (None, Some(run)) => run.run(),
            (None, None) => bail!("expected a plan, found none; write `mw plan PLAN`"),
        }
    }
}

/// Prints what outcomes say.
fn show(
    loaded: &LoadedPlan,
    outcomes: &[Outcome],
    (seed, asked): (u64, u64),
    tornado: &Tornado,
    search: Option<&Search>,
    json: bool,
) -> anyhow::Result<()> {
    let answer = Answer::of(&loaded.plan, outcomes)
        .context("no future was finished; let it run longer, or ask for fewer")?;
    print(&if json {
        let mut document = report::plan::document(&loaded.plan, &answer, seed, asked);
        if tornado.futures > 0 {
            document["tornado_left_out"] = tornado.left_out.into();
            document["tornado"] = report::plan::tornado_document(&tornado.bars);
            document["tornado_paths"] = tornado.futures.into();
        }
        if let Some(search) = search {
            document["schedule"] = report::plan::schedule_document(&loaded.plan, search);
        }
        serde_json::to_string_pretty(&document)? + "\n"
    } else {
        report::plan::text(&loaded.plan, &answer, seed, asked)
            + &report::plan::tornado(tornado)
            + &search.map_or_else(String::new, |search| {
                report::plan::schedule(&loaded.plan, search)
            })
    })
}

/// Where an answer is written beside the terminal.
#[derive(Clone, Copy)]
struct Targets<'a> {
    report: Option<&'a Path>,
    parquet: Option<&'a Path>,
}

impl Targets<'_> {
    /// Finds what cannot be written before anything is run.
    fn check(self) -> anyhow::Result<()> {
        if let Some(path) = self.report {
            can_be_written(path)
                .with_context(|| format!("cannot write the page {}", path.display()))?;
        }
        if let Some(folder) = self.parquet {
            std::fs::create_dir_all(folder).with_context(|| {
                format!("cannot make the folder {}", folder.display())
            })?;
            can_be_written(&folder.join("paths.parquet"))
                .with_context(|| format!("cannot write into {}", folder.display()))?;
        }
        Ok(())
    }

    /// Writes every future as Parquet, and the page, where they were named.
    fn write(
        self,
        loaded: &LoadedPlan,
        outcomes: &[Outcome],
        of: (u64, u64),
        tornado: &Tornado,
        search: Option<&Search>,
    ) -> anyhow::Result<()> {
        if let Some(folder) = self.parquet {
            report::parquet::plan(folder, &loaded.plan, outcomes)?;
            eprintln!("Wrote {} futures to {}", outcomes.len(), folder.display());
        }
        if let Some(path) = self.report {
            let answer = Answer::of(&loaded.plan, outcomes).context("no future")?;
            let page =
                report::plan::page(&loaded.plan, &answer, outcomes, of, tornado, search)?;
            std::fs::write(path, page)
                .with_context(|| format!("cannot write the page {}", path.display()))?;
            eprintln!("Wrote {}", path.display());
        }
        Ok(())
    }
}

/// Opens a file for writing, and leaves what was there as it was.
fn can_be_written(path: &Path) -> std::io::Result<()> {
    let was_there = path.exists();
    std::fs::OpenOptions::new().append(true).create(true).open(path)?;
    if was_there { Ok(()) } else { std::fs::remove_file(path) }
}

fn merge(
    loaded: &LoadedPlan,
    parts: &[PathBuf],
    to: Targets<'_>,
    json: bool,
) -> anyhow::Result<Ending> {
    to.check()?;
    let read = |path: &PathBuf| ShardFile::read(path, loaded.hash);
    let parts = parts.iter().map(read).collect::<anyhow::Result<Vec<_>>>()?;
    let (seed, paths, outcomes) = ShardFile::merge(parts, &loaded.plan)?;
    let (of, tornado) = ((seed, paths), Tornado::default());
    show(loaded, &outcomes, of, &tornado, None, json)?;
    to.write(loaded, &outcomes, of, &tornado, None)?;
    Ok(Ending::Well)
}

impl Run {
    fn run(self) -> anyhow::Result<Ending> {
        let loaded = plan_file::load(&self.plan)?;
        let to =
            Targets { report: self.report.as_deref(), parquet: self.parquet.as_deref() };
        to.check()?;
        if let Some(out) = &self.out {
            can_be_written(out)
                .with_context(|| format!("cannot write the part {}", out.display()))?;
        }
        let threads = threads(self.threads);
        let range = match self.shard {
            Some(shard) => shard.range(self.paths),
            None => 0..self.paths,
        };
        let stop = Arc::new(AtomicBool::new(false));
        stop_on_ctrl_c(Arc::clone(&stop))?;
        let progress = Progress::new(range.end - range.start);
        let done = |count| progress.reached(count);
        let found = plan_run::run(&loaded.plan, self.seed, range, threads, &stop, &done);
        progress.done();
        if let Some(out) = &self.out {
            if stop.load(Ordering::Relaxed) {
                bail!(
                    "stopped after {} of {} futures; a part is written whole, so run it again",
                    found.outcomes.len(),
                    found.asked
                );
            }
            let file =
                ShardFile::new(loaded.hash, self.seed, self.paths, &found.outcomes);
            let text = serde_json::to_string(&file)? + "\n";
            std::fs::write(out, text)
                .with_context(|| format!("cannot write the part {}", out.display()))?;
            eprintln!("Wrote {} futures to {}", found.outcomes.len(), out.display());
            return Ok(Ending::Well);
        }
        let tornado = match self.tornado {
            Some(futures) => self.tornado(&loaded, futures, threads, &stop),
            None => Tornado::default(),
        };
        let search =
            self.schedule.map(|paths| self.search(&loaded, paths, threads, &stop));
        let of = (self.seed, self.paths);
        show(&loaded, &found.outcomes, of, &tornado, search.as_ref(), self.json)?;
        to.write(&loaded, &found.outcomes, of, &tornado, search.as_ref())?;
        Ok(Ending::Well)
    }

    /// Other schedules, and what waiting is worth.
    fn search(
        &self,
        loaded: &LoadedPlan,
        paths: u64,
        threads: usize,
        stop: &AtomicBool,
    ) -> Search {
        let limit = usize::try_from(self.schedules_max).expect("a count fits");
        let progress = Progress::open();
        let done = |count| progress.reached(count);
        let found = plan_run::search(
            &loaded.plan,
            self.seed,
            (paths, limit),
            threads,
            stop,
            &done,
        );
        progress.done();
        found
    }

    /// What converting is worth with each assumption moved, the most that matters first;
    /// what was stopped half way is left out.
    fn tornado(
        &self,
        loaded: &LoadedPlan,
        paths: u64,
        threads: usize,
        stop: &AtomicBool,
    ) -> Tornado {
        let levers = loaded.plan.levers();
        let progress = Progress::new(paths * (1 + 2 * levers.len() as u64));
        let runs = std::sync::atomic::AtomicU64::new(0);
        let gain = |plan: &plan::Plan| -> Option<f64> {
            let done = |_| progress.reached(runs.fetch_add(1, Ordering::Relaxed) + 1);
            let found = plan_run::run(plan, self.seed, 0..paths, threads, stop, &done);
            let whole = found.outcomes.len() as u64 == found.asked;
            Answer::of(plan, &found.outcomes)
                .filter(|_| whole)
                .map(|answer| answer.npv_gain_usd.mean)
        };
        let (middle, moved) = (gain(&loaded.plan), levers.len());
        let mut bars = Vec::new();
        for lever in levers {
            let [low, high] = &lever.plans;
            if let (Some(middle_usd), Some(low_usd), Some(high_usd)) =
                (middle, gain(low), gain(high))
            {
                let name = lever.name;
                bars.push(report::plan::Bar { name, low_usd, middle_usd, high_usd });
            }
        }
        progress.done();
        bars.sort_by(|a, b| b.spread().total_cmp(&a.spread()));
        Tornado { futures: paths, left_out: moved - bars.len(), bars }
    }
}

/// As many threads as were asked for, or as there are processors.
pub(super) fn threads(asked: Option<u16>) -> usize {
    match asked {
        Some(threads) => usize::from(threads),
        None => std::thread::available_parallelism().map_or(1, usize::from),
    }
}

/// Lets Ctrl-C set the flag: the futures that are finished are shown. A second one ends
/// the program as it always does.
pub(super) fn stop_on_ctrl_c(stop: Arc<AtomicBool>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .context("cannot listen for Ctrl-C")?;
    // It ends with the program.
    std::thread::spawn(move || {
        runtime.block_on(async {
            if tokio::signal::ctrl_c().await.is_ok() {
                stop.store(true, Ordering::Relaxed);
            }
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(130);
            }
        });
    });
    Ok(())
}

/// How many futures are finished, for a person who watches.
pub(super) struct Progress {
    /// Nothing where nobody knows.
    of: Option<u64>,
    begun: Instant,
    shown: Option<Mutex<Instant>>,
}

impl Progress {
    pub(super) fn new(of: u64) -> Self {
        let now = Instant::now();
        let shown = std::io::stderr().is_terminal().then(|| Mutex::new(now));
        Self { of: Some(of), begun: now, shown }
    }

    /// Of nobody knows how many.
    fn open() -> Self {
        Self { of: None, ..Self::new(0) }
    }

    pub(super) fn reached(&self, count: u64) {
        let Some(shown) = &self.shown else { return };
        let mut shown = shown.lock().expect("nobody panics while it shows");
        if shown.elapsed() < Duration::from_millis(250) {
            return;
        }
        *shown = Instant::now();
        let Some(of) = self.of else {
            eprint!("\r{count} futures of other schedules   ");
            return;
        };
        let left =
            self.begun.elapsed().as_secs_f64() / count as f64 * (of - count) as f64;
        eprint!("\r{count} of {of} futures, about {left:.0} s left   ");
    }

    pub(super) fn done(&self) {
        if self.shown.is_some() {
            eprint!("\r{:60}\r", "");
        }
    }
}
