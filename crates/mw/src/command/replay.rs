//! `mw replay`: the same decisions again, and the reasons of one of them.

use anyhow::{Context, bail};
use clap::Args;
use engine::check::check_now;
use engine::{Dispatch, Output, Site};
use units::{Interval, Timestamp};

use super::Ending;
use super::backtest::print;
use crate::proof::engine_of;
use crate::records::{Place, Records, What};

/// Decide a run again from its journal and compare, byte for byte.
///
/// Every decision is also held against the rules by a check that shares nothing
/// with deciding.
#[derive(Debug, Args)]
pub(super) struct Replay {
    /// The run's folder, its journal file, its store's file, or the address of a store.
    run: String,
    /// Print the decision of the interval around this time, with its reasons.
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    explain: Option<Timestamp>,
    /// Print the outcome as JSON.
    #[arg(long)]
    json: bool,
}

impl Replay {
    pub(super) fn run(self) -> anyhow::Result<Ending> {
        let mut records = Records::open(&Place::of(&self.run)?)?;
        let head = records.head().clone();
        // A live run's head cannot know how long it will be.
        if let Some(at) = self.explain
            && !head.by_machine
            && !head.range.contains(at)
        {
            bail!(
                "expected a time within the run, which covers {}; found {at}",
                head.range
            );
        }
        let mut engine = engine_of(&head);
        let mut steps: u64 = 0;
        let mut dispatches: u64 = 0;
        let mut violations: u64 = 0;
        let mut worst: Option<String> = None;
        let mut explained: Option<(Site, Dispatch)> = None;
        let mut different: Option<(Vec<Output>, Vec<Output>)> = None;
        records.each(|entry| {
            let What::Step(step) = entry.what else { return Ok(true) };
            steps += 1;
            if step.input.at < engine.at() {
                bail!("expected record {} to be no earlier than {}, found {}; run `mw verify`", entry.seq, engine.at(), step.input.at);
            }
            let again = engine.step(&step.input);
            if postcard::to_stdvec(&again)? != postcard::to_stdvec(&step.outputs)? {
                different = Some((step.outputs, again));
                return Ok(false);
            }
            for output in again {
                let Output::Dispatch(dispatch) = output else { continue };
                dispatches += 1;
                let found = check_now(engine.state(), &dispatch);
                if let Some(first) = found.first() {
                    violations += found.len() as u64;
                    worst.get_or_insert_with(|| {
                        format!("{}: {first:?}", dispatch.interval)
                    });
                }
                // Of several decisions about one instant the last one held.
                if self.explain.is_some_and(|at| dispatch.interval.contains(at)) {
                    explained = Some((engine.state().site.clone(), dispatch));
                }
            }
            Ok(true)
        })?;
        if let Some((recorded, again)) = different {
            return self.differs(&engine.state().site, steps, &recorded, &again);
        }
        let range = match head.by_machine {
            true => Interval { start: head.start, end: engine.at().max(head.start) },
            false => head.range,
        };
        match (self.explain, self.json) {
            (Some(at), _) => {
                let (site, dispatch) =
                    explained.with_context(|| format!("nothing was decided for {at}"))?;
                print(&explain(&site, &dispatch))?;
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
                head.site.name, range
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
        | Output::Keep(_)
        | Output::Metered(_)
        | Output::Alarm(_)
        | Output::Estate(_)
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
