//! `mw backtest`: what a site would have done and earned.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::{ArgGroup, Args};
use engine::journal::{FORMAT, Head};
use units::{Interval, Timestamp};

use super::Ending;
use super::settle::file_name;
use super::source::Source;
use crate::answer::{Answer, Tally};
use crate::config::{self, LoadedSite};
use crate::contract_files;
use crate::drive::backtest::{Options, run};
use crate::drive::record::Record;
use crate::feed::Feed;
use crate::hindsight::{self, Past};
use crate::journal;
use crate::report;
use crate::run_folder::{JOURNAL, RunFolder};
use crate::tenancy::{OverRun, Settled};

/// Show what a site would have done and earned over real or made-up history.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("given").args(["history", "synth"]).required(true).multiple(true))]
pub(super) struct Backtest {
    /// The site: a folder with a site.toml, or the file itself.
    site: PathBuf,
    #[command(flatten)]
    source: Source,
    /// Where to start, in UTC: a date or an instant with its offset.
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    from: Option<Timestamp>,
    /// Where to end, not included, in UTC: a date or an instant with its offset.
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    to: Option<Timestamp>,
    /// What happened under the site's contracts before the run: a file of facts, or the
    /// folder of a run that wrote one. What became known later is left out.
    #[arg(long, value_name = "FILE|RUN")]
    facts: Option<PathBuf>,
    /// A folder to make, with journal, report and Parquet; and with facts and
    /// statements where racks serve a contract.
    #[arg(long, value_name = "RUN")]
    out: Option<PathBuf>,
    /// Print the summary as JSON.
    #[arg(long)]
    json: bool,
}

impl Backtest {
    pub(super) fn run(self) -> anyhow::Result<Ending> {
        let mut loaded = config::load(&self.site)?;
        let folder = self.out.as_deref().map(RunFolder::create).transpose()?;
        let (feed, range, mut notes) =
            self.source.prepare(&mut loaded, self.from, self.to)?;
        let mut under = self.contracts(&loaded, range, &mut notes)?;
        let mut past = Past::new(&loaded.site, &feed, range);
        let mut answer = match &folder {
            Some(folder) => keep(
                &loaded,
                &feed,
                range,
                notes,
                under.as_mut(),
                &mut past,
                folder.path(),
            )?,
            None => decide(&loaded, &feed, range, notes, under.as_mut(), None, |line| {
                past.add(line);
                Ok(())
            })?,
        };
        answer.hindsight =
            Some(past.judge(hindsight::perfect(&loaded.site, &feed, range)?));
        let settled =
            under.as_mut().map_or_else(Vec::new, |under| under.settle(range.end));
        let summary =
            report::summary::text(&answer) + &report::statement::after_run(&settled);
        let mut document = report::json::summary(&answer);
        if !settled.is_empty() {
            document["contracts"] = report::json::contracts(&settled);
        }
        let json = serde_json::to_string_pretty(&document)? + "\n";
        if let (Some(folder), Some(under)) = (&folder, &under) {
            keep_statements(folder, &settled, under)?;
        }
        if let Some(folder) = folder {
            folder.write("site.toml", &loaded.text)?;
            folder.write("summary.txt", &summary)?;
            folder.write("summary.json", &json)?;
            folder.write("report.html", &report::html::page(&answer)?)?;
            if let Some(Ok(found)) = &answer.hindsight {
                report::parquet::hindsight(folder.path(), &loaded.site, found)?;
            }
            folder.keep()?;
        }
        print(if self.json { &json } else { &summary })?;
        if let (Some(out), false) = (&self.out, self.json) {
            print(&format!(
                "\nWrote {0}: report.html, summary.json, intervals.parquet, loads.parquet, hindsight.parquet, {JOURNAL}{2}\n\
                 Reasons of an interval: mw replay {0} --explain {1}\n",
                out.display(),
                range.start,
                match under {
                    Some(_) => ", facts.jsonl, statements",
                    None => "",
                },
            ))?;
        }
        Ok(Ending::Well)
    }
}

impl Backtest {
    /// The contracts that the site's racks serve, if any, with the facts given.
    fn contracts(
        &self,
        loaded: &LoadedSite,
        range: Interval,
        notes: &mut Vec<String>,
    ) -> anyhow::Result<Option<OverRun>> {
        if loaded.contracts.is_empty() {
            if self.facts.is_some() {
                bail!(
                    "{}: no racks serve a contract, so --facts is about nothing; write \
                     `contract` and `tranche` in their `contracted` table",
                    loaded.path.display()
                );
            }
            return Ok(None);
        }
        let (given, later) = match &self.facts {
            Some(path) => contract_files::facts_known_by(path, range.start)?,
            None => (String::new(), 0),
        };
        if later > 0 {
            notes.push(format!(
                "{later} facts became known after {} and are left out: the run makes its own",
                range.start
            ));
        }
        let under = OverRun::new(&loaded.site, &loaded.contracts, &given, range)
            .map_err(|problems| anyhow::anyhow!("{problems}"))?;
        notes.extend(under.assumed());
        Ok(Some(under))
    }
}

/// Writes facts and statements into a run's folder.
fn keep_statements(
    folder: &RunFolder,
    settled: &[Settled],
    under: &OverRun,
) -> anyhow::Result<()> {
    folder.write(contract_files::FACTS, under.record())?;
    let inside = folder.path().join(contract_files::STATEMENTS);
    std::fs::create_dir(&inside)
        .with_context(|| format!("cannot make the folder {}", inside.display()))?;
    let issued = settled.iter().flat_map(|one| &one.statements);
    for one in issued.filter(|one| !one.is_held()) {
        let name = format!("{}/{}", contract_files::STATEMENTS, file_name(one, "json"));
        folder.write(&name, &(one.to_json() + "\n"))?;
    }
    Ok(())
}

/// Runs the backtest and writes journal and Parquet into a folder.
fn keep(
    loaded: &LoadedSite,
    feed: &Feed,
    range: Interval,
    notes: Vec<String>,
    under: Option<&mut OverRun>,
    past: &mut Past<'_>,
    folder: &Path,
) -> anyhow::Result<Answer> {
    let head = Head {
        format: FORMAT,
        program: format!("mw {}", env!("CARGO_PKG_VERSION")),
        site: loaded.site.clone(),
        by_machine: false,
        start: range.start,
        range,
    };
    let mut journal = journal::Writer::create(&folder.join(JOURNAL), &head)?;
    let mut tables = report::parquet::Writers::create(folder, &loaded.site, feed)?;
    let answer = decide(loaded, feed, range, notes, under, Some(&mut journal), |line| {
        past.add(line);
        tables.line(line)
    })?;
    tables.finish()?;
    journal.finish()?;
    Ok(answer)
}

/// Runs the backtest, shows progress, and adds up the answer.
fn decide<'a>(
    loaded: &LoadedSite,
    feed: &Feed,
    range: Interval,
    notes: Vec<String>,
    under: Option<&'a mut OverRun>,
    record: Option<&'a mut dyn Record>,
    mut sink: impl FnMut(&crate::drive::backtest::Line<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<Answer> {
    let mut tally = Tally::new(&loaded.site, feed, range, notes);
    let mut progress = Progress::new(range);
    run(&loaded.site, feed, range, Options { record, compare: true, under }, |line| {
        tally.add(line);
        progress.reached(line.dispatch.interval.end);
        sink(line)
    })?;
    progress.done();
    Ok(tally.finish())
}

/// How far a long run has come, for a person who watches.
struct Progress {
    range: Interval,
    shown: Option<Instant>,
    count: u32,
}

impl Progress {
    fn new(range: Interval) -> Self {
        let shown = std::io::stderr().is_terminal().then(Instant::now);
        Self { range, shown, count: 0 }
    }

    fn reached(&mut self, at: Timestamp) {
        self.count += 1;
        if !self.count.is_multiple_of(1_024) {
            return;
        }
        let Some(shown) =
            self.shown.filter(|shown| shown.elapsed() > Duration::from_millis(250))
        else {
            return;
        };
        let done = (at - self.range.start).as_seconds() * 100;
        let percent = done / self.range.duration().as_seconds();
        eprint!("\rdecided up to {at}, {percent} %");
        self.shown = Some(shown + shown.elapsed());
    }

    fn done(&self) {
        if self.shown.is_some() {
            eprint!("\r{:60}\r", "");
        }
    }
}

/// Prints an answer; a reader that went away is no failure of ours.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot print the answer")
        }
        _ => Ok(()),
    }
}
