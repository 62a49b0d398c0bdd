//! `mw plan backtest`: a plan's bands, and where what happened stands in them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use adapters::history;
use anyhow::bail;
use clap::Args;
use plan::Verdict;

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
    /// The settlement point, in place of the site's own.
    #[arg(long, value_name = "NAME")]
    point: Option<String>,
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
        let market = &plan.site.market;
        let (point, of) = match &self.point {
            Some(point) => (point, None),
            None => {
                let known = history::markets().find(|known| known.name == market.name);
                (&market.settlement_point, known.map(|market| market.name))
            }
        };
        let history = history::open(&self.history)?.assemble(point, of)?;
        let covered = plan_past::read(plan, &history)?;
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
        let of = report::plan::Over {
            point: &history.point,
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
