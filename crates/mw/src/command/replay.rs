//! `mw replay`: the same decisions again, and the reasons of one of them.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use engine::check::{Facts, check};
use engine::{Dispatch, Engine, Output, Site};
use units::Timestamp;

use super::Ending;
use super::backtest::print;
use crate::journal::Reader;
use crate::run_folder::JOURNAL;

/// Decide a run again from its journal and compare, byte for byte.
///
/// Every decision is also held against the rules by a check that shares nothing
/// with deciding.
#[derive(Debug, Args)]
pub(super) struct Replay {
    /// The run's folder, or its journal.
    run: PathBuf,
    /// Print the decision of the interval around this time, with its reasons.
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    explain: Option<Timestamp>,
    /// Print the outcome as JSON.
    #[arg(long)]
    json: bool,
}

impl Replay {
    pub(super) fn run(self) -> anyhow::Result<Ending> {
        let path =
            if self.run.is_dir() { self.run.join(JOURNAL) } else { self.run.clone() };
        let (head, mut journal) = Reader::open(&path)?;
        if let Some(at) = self.explain
            && !head.range.contains(at)
        {
            bail!(
                "expected a time within the run, which covers {}; found {at}",
                head.range
            );
        }
        let mut engine = Engine::new(head.site.clone(), head.start);
        let mut steps: u64 = 0;
        let mut dispatches: u64 = 0;
        let mut violations: u64 = 0;
        let mut worst: Option<String> = None;
        let mut explained: Option<Dispatch> = None;
        while let Some(step) = journal.next_step()? {
            steps += 1;
            let again = engine.step(&step.input);
            if postcard::to_stdvec(&again)? != postcard::to_stdvec(&step.outputs)? {
                return self.differs(&head.site, steps, &step.outputs, &again);
            }
            for output in again {
                let Output::Dispatch(dispatch) = output else { continue };
                dispatches += 1;
                let state = engine.state();
                let facts = Facts {
                    site: &state.site,
                    limits: &state.limits,
                    lock_outs: &state.lock_outs,
                    holds: &state.holds,
                };
                let found = check(facts, &dispatch);
                if let Some(first) = found.first() {
                    violations += found.len() as u64;
                    worst.get_or_insert_with(|| {
                        format!("{}: {first:?}", dispatch.interval)
                    });
                }
                // Of several decisions about one instant the last one held.
                if self.explain.is_some_and(|at| dispatch.interval.contains(at)) {
                    explained = Some(dispatch);
                }
            }
        }
        match (self.explain, self.json) {
            (Some(at), _) => {
                let dispatch =
                    explained.with_context(|| format!("nothing was decided for {at}"))?;
                print(&explain(&head.site, &dispatch))?;
            }
            (None, true) => print(&format!(
                "{}\n",
                serde_json::json!({
                    "identical": true,
                    "steps": steps,
                    "dispatches": dispatches,
                    "violations": violations,
                })
            ))?,
            (None, false) => print(&format!(
                "{} over {}: {dispatches} decisions in {steps} steps, again the same byte for byte as in the journal; \
                 {violations} against the rules\n",
                head.site.name, head.range
            ))?,
        }
        if let Some(worst) = worst {
            bail!("{violations} decisions against the rules, the first in {worst}");
        }
        Ok(Ending::Well)
    }

    /// Prints the first step that came out differently.
    fn differs(
        &self,
        site: &Site,
        step: u64,
        recorded: &[Output],
        again: &[Output],
    ) -> anyhow::Result<Ending> {
        if self.json {
            let outcome = serde_json::json!({ "identical": false, "first_difference_at_step": step });
            print(&format!("{outcome}\n"))?;
            return Ok(Ending::Differs);
        }
        print(&format!(
            "step {step} came out differently\n\nrecorded:\n{}\nagain:\n{}",
            shown(site, recorded),
            shown(site, again)
        ))?;
        Ok(Ending::Differs)
    }
}

fn shown(site: &Site, outputs: &[Output]) -> String {
    let one = |output: &Output| match output {
        Output::Dispatch(dispatch) => explain(site, dispatch),
        Output::Orders(_)
        | Output::ReadBack(_)
        | Output::Metered(_)
        | Output::Notice(_) => {
            format!("{output:?}\n")
        }
    };
    outputs.iter().map(one).collect()
}

/// A decision as a person reads it: what it stood on, and a line a load.
fn explain(site: &Site, dispatch: &Dispatch) -> String {
    let mut text = format!(
        "{}, dispatch {}{}\n",
        dispatch.interval,
        dispatch.generation,
        if dispatch.emergency { ", emergency" } else { "" }
    );
    text.push_str(&format!("draws {} of {}\n", dispatch.net(), dispatch.import_limit));
    for line in dispatch.explain(site) {
        text.push_str(&line);
        text.push('\n');
    }
    text
}
