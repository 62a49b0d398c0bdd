//! `mw backtest`: what a site would have done and earned.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use adapters::history;
use anyhow::Context;
use clap::Args;
use engine::journal::{FORMAT, Head};
use units::{Interval, Timestamp};

use super::Ending;
use super::history::write_synthetic;
use crate::answer::{Answer, Tally};
use crate::config::{self, LoadedSite};
use crate::drive::backtest::{Options, run};
use crate::drive::record::Record;
use crate::feed::Feed;
use crate::from_history;
use crate::journal;
use crate::report;
use crate::run_folder::{JOURNAL, RunFolder};

/// Show what a site would have done and earned over real or made-up history.
#[derive(Debug, Args)]
pub(super) struct Backtest {
    /// The site: a folder with a site.toml, or the file itself.
    site: PathBuf,
    /// A folder of market and bitcoin history; may be given several times.
    #[arg(long, value_name = "DIR", required_unless_present = "synth")]
    history: Vec<PathBuf>,
    /// Make up one year of history from this seed instead.
    #[arg(long, value_name = "SEED", conflicts_with = "history")]
    synth: Option<u64>,
    /// The settlement point, in place of the site's own.
    #[arg(long, value_name = "NAME")]
    point: Option<String>,
    /// Where to start, in UTC: a date or an instant with its offset.
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    from: Option<Timestamp>,
    /// Where to end, not included, in UTC: a date or an instant with its offset.
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    to: Option<Timestamp>,
    /// A folder to make, with journal, report and Parquet.
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
        let (feed, range, notes) = self.prepare(&mut loaded)?;
        let answer = match &folder {
            Some(folder) => keep(&loaded, &feed, range, notes, folder.path())?,
            None => decide(&loaded, &feed, range, notes, None, |_| Ok(()))?,
        };
        let summary = report::summary::text(&answer);
        let json = serde_json::to_string_pretty(&report::json::summary(&answer))? + "\n";
        if let Some(folder) = folder {
            folder.write("site.toml", &loaded.text)?;
            folder.write("summary.txt", &summary)?;
            folder.write("summary.json", &json)?;
            folder.write("report.html", &report::html::page(&answer)?)?;
            folder.keep()?;
        }
        print(if self.json { &json } else { &summary })?;
        if let (Some(out), false) = (&self.out, self.json) {
            print(&format!(
                "\nWrote {0}: report.html, summary.json, intervals.parquet, loads.parquet, {JOURNAL}\n\
                 Reasons of an interval: mw replay {0} --explain {1}\n",
                out.display(),
                range.start,
            ))?;
        }
        Ok(Ending::Well)
    }

    /// Reads the history and works out what the run is fed and covers.
    fn prepare(
        &self,
        loaded: &mut LoadedSite,
    ) -> anyhow::Result<(Feed, Interval, Vec<String>)> {
        let mut notes: Vec<String> =
            loaded.warnings.iter().map(|w| format!("site: {w}")).collect();
        let made_up = self.synth.map(Synthetic::new).transpose()?;
        let folders = match &made_up {
            Some(made_up) => std::slice::from_ref(&made_up.folder),
            None => &self.history,
        };
        let own = &mut loaded.site.market;
        let asked = match (&self.point, self.synth) {
            (Some(point), _) => Some(point.clone()),
            (None, Some(_)) => Some(sim::market::POINT.to_owned()),
            (None, None) => None,
        };
        let catalog = history::open(folders)?;
        // A file that could not be read may be the very one that was meant.
        let passed_over: Vec<String> = catalog
            .notes()
            .iter()
            .filter(|note| was_passed_over(note))
            .map(ToString::to_string)
            .collect();
        let market = match &asked {
            Some(_) => None,
            None => history::markets().find(|market| market.name == own.name),
        };
        let point = asked.as_ref().unwrap_or(&own.settlement_point);
        let found = catalog.assemble(point, market.map(|market| market.name)).map_err(
            |error| {
                let mut text = anyhow::Error::from(error);
                if !passed_over.is_empty() {
                    text = anyhow::anyhow!(
                        "{text}\nfiles passed over:\n  {}",
                        passed_over.join("\n  ")
                    );
                }
                text
            },
        )?;
        notes.extend(passed_over);
        if let Some(seed) = self.synth {
            notes.push(format!(
                "history made up from seed {seed}: nothing of it happened"
            ));
        }
        if own.settlement_point != found.point {
            notes.push(format!(
                "decided and settled at {}, not at the site's own {}",
                found.point, own.settlement_point
            ));
        }
        if own.name != found.market.name {
            notes.push(format!(
                "prices are of {}; the tariff's local dates stay those of {}",
                found.market.name, own.name
            ));
        }
        own.settlement_point = found.point.clone();
        own.name = found.market.name.to_owned();
        let feed = from_history::feed(&found);
        let (range, said) =
            from_history::range(&loaded.site, &found, &feed, self.from, self.to)?;
        notes.extend(said);
        for group in history::folded(&found.notes) {
            notes.push(one_line(&group));
        }
        Ok((feed, range, notes))
    }
}

/// Whether a note is about a file of which nothing was used.
fn was_passed_over(note: &history::Note) -> bool {
    use history::NoteKind;
    matches!(note.kind, NoteKind::NotRecognised | NoteKind::Delimiter)
}

/// A group of alike notes about a history in one line.
fn one_line(group: &history::NoteGroup) -> String {
    let first = &group.first[0];
    let more = match group.count {
        1 => String::new(),
        count => format!(" (and {} more of the kind)", count - 1),
    };
    format!("{first}{more}")
}

/// Runs the backtest and writes journal and Parquet into a folder.
fn keep(
    loaded: &LoadedSite,
    feed: &Feed,
    range: Interval,
    notes: Vec<String>,
    folder: &Path,
) -> anyhow::Result<Answer> {
    let head = Head {
        format: FORMAT,
        program: format!("mw {}", env!("CARGO_PKG_VERSION")),
        site: loaded.site.clone(),
        start: range.start,
        range,
    };
    let mut journal = journal::Writer::create(&folder.join(JOURNAL), &head)?;
    let mut tables = report::parquet::Writers::create(folder, &loaded.site, feed)?;
    let answer =
        decide(loaded, feed, range, notes, Some(&mut journal), |line| tables.line(line))?;
    tables.finish()?;
    journal.finish()?;
    Ok(answer)
}

/// Runs the backtest, shows progress, and adds up the answer.
fn decide(
    loaded: &LoadedSite,
    feed: &Feed,
    range: Interval,
    notes: Vec<String>,
    record: Option<&mut dyn Record>,
    mut sink: impl FnMut(&crate::drive::backtest::Line<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<Answer> {
    let mut tally = Tally::new(&loaded.site, feed, range, notes);
    let mut progress = Progress::new(range);
    run(&loaded.site, feed, range, Options { record, compare: true }, |line| {
        tally.add(line);
        progress.reached(line.dispatch.interval.end);
        sink(line)
    })?;
    progress.done();
    Ok(tally.finish())
}

/// A made-up history in a folder that goes when this does.
struct Synthetic {
    folder: PathBuf,
}

impl Synthetic {
    fn new(seed: u64) -> anyhow::Result<Self> {
        let name = format!("mw-synth-{seed}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        write_synthetic(seed, 1, &folder)?;
        Ok(Self { folder })
    }
}

impl Drop for Synthetic {
    fn drop(&mut self) {
        // Best effort: it lies in the system's temporary folder.
        drop(std::fs::remove_dir_all(&self.folder));
    }
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
