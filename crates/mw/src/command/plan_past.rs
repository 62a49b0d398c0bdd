//! `mw plan backtest`: a plan's bands, and where what happened stands in them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use adapters::history;
use anyhow::{Context, bail};
use clap::Args;
use plan::{Plan, Verdict};

use super::Ending;
use super::backtest::print;
use super::plan::{Progress, stop_on_ctrl_c, threads};
use crate::{plan_file, plan_past, plan_run, report};

/// Run a plan over what happened since, and show where it stands in the plan's bands.
///
/// Each future is lived twice: as it was imagined, and with power, coin and hashprice as
/// they were. What history does not say (deliveries, failures, deals, rent) is drawn for
/// both alike. Let `mw plan calibrate --as-of` write the futures of a plan that is to be
/// judged: it reads nothing that became known later.
#[derive(Debug, Args)]
pub(super) struct RunOver {
    /// The plan: a folder with a plan.toml, or the file itself.
    plan: PathBuf,
    /// A folder of market and bitcoin history; may be given several times.
    #[arg(long, value_name = "DIR", required = true)]
    history: Vec<PathBuf>,
    /// The settlement point, in place of the site's own; for one of several sites
    /// SITE=NAME, once for each.
    #[arg(long, value_name = "[SITE=]NAME")]
    point: Vec<String>,
    /// How many futures.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    paths: u64,
    /// What futures grow from: the same seed gives the same futures.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// On how many threads; as many as there are processors.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1_024))]
    threads: Option<u16>,
    /// Print the answer as JSON.
    #[arg(long)]
    json: bool,
}

impl RunOver {
    pub(super) fn run(self) -> anyhow::Result<Ending> {
        let loaded = plan_file::load(&self.plan)?;
        let plan = &loaded.plan;
        let points = points(plan, &self.point)?;
        let opened = history::open(&self.history)?;
        let mut histories = Vec::new();
        for (place, point) in plan.sites.iter().zip(points) {
            let market = &place.site.market;
            let known = history::markets().find(|known| known.name == market.name);
            let (point, of) = match point {
                Some(point) => (point, None),
                None => (&*market.settlement_point, known.map(|market| market.name)),
            };
            histories.push(opened.assemble(point, of)?);
        }
        let covered = plan_past::read(plan, &histories)?;
        let stop = Arc::new(AtomicBool::new(false));
        stop_on_ctrl_c(Arc::clone(&stop))?;
        let progress = Progress::new(self.paths);
        let held = plan_run::hold(
            plan,
            &covered.past,
            (self.seed, self.paths),
            threads(self.threads),
            &stop,
            &|count| progress.reached(count),
        );
        progress.done();
        let verdicts = Verdict::of(plan, &covered.past, &held);
        if verdicts.is_empty() {
            bail!("no future was finished; let it run longer, or ask for fewer");
        }
        let names: Vec<&str> = histories.iter().map(|one| one.point.as_str()).collect();
        let over = names.join(" and ");
        let of = report::plan::Over {
            point: &over,
            covered: &covered,
            seed: self.seed,
            paths: held.len(),
            verdicts: &verdicts,
        };
        print(&if self.json {
            serde_json::to_string_pretty(&of.document(plan))? + "\n"
        } else {
            of.text(plan)
        })?;
        Ok(Ending::Well)
    }
}

/// The point that each site is told to settle at, in the plan's order.
fn points<'a>(plan: &Plan, told: &'a [String]) -> anyhow::Result<Vec<Option<&'a str>>> {
    let mut points = vec![None; plan.sites.len()];
    for one in told {
        let (site, point) = match one.split_once('=') {
            _ if !plan.has_sites() => (0, one.as_str()),
            Some((name, point)) => {
                let site = plan.sites.iter().position(|place| place.name == name);
                (site.with_context(|| unknown_site(plan, one))?, point)
            }
            None => bail!(unknown_site(plan, one)),
        };
        if points[site].replace(point).is_some() {
            bail!(
                "--point: expected one for each site, found two for {}; leave one out",
                plan.sites[site].name
            );
        }
    }
    Ok(points)
}

fn unknown_site(plan: &Plan, found: &str) -> String {
    let names: Vec<&str> = plan.sites.iter().map(|place| &*place.name).collect();
    format!(
        "--point: expected SITE=NAME with a site of the plan ({}), found \"{found}\"; write it \
         once for each site that settles elsewhere than its file says",
        names.join(", ")
    )
}
