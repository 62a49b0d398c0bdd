//! `mw verify`: what a run's records, or those of a site's books, prove by themselves.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use adapters::store::{
    self, Access, Checkpoint, Expected, PublicKey, Snapshot, Store, Verdict,
};
use anyhow::{Context, bail};
use clap::Args;
use engine::journal::Head;
use serde_json::{Value, json};

use super::Ending;
use super::backtest::print;
use crate::books::file::BooksFile;
use crate::books::{Books, Source};
use crate::capacity::grounds::Rests;
use crate::proof::{Found, Walk};
use crate::records::{Place, Records, runtime};

/// Check a run from its records alone: chain, signatures, decisions, metering.
///
/// Every record has to follow from the one before it, every checkpoint has to be
/// signed, every input decided again has to give the recorded outputs, every
/// snapshot has to be the state that the records lead to, every order has to carry
/// out a decision that keeps to the rules, and every interval has to be metered once.
/// Of accepted racks it says which GPUs rest on evidence that is kept and which on
/// somebody's word.
/// Of a books file, every issued statement is made again from contract and facts, the
/// register's chain and numbers are checked, every entry sums to nothing, and every
/// account is compared with its records. Exit code 3 when something is wrong.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// The run's folder, its journal file, its store's file, or the address of a store;
    /// or a books file or its folder; or an acceptance bundle.
    run: String,
    /// A checkpoint that somebody else kept; may be given several times.
    #[arg(long, value_name = "FILE")]
    witness: Vec<PathBuf>,
    /// The public key that must have signed, from a source other than the store.
    #[arg(long, value_name = "HEX", value_parser = PublicKey::parse)]
    key: Option<PublicKey>,
    /// Check the chain and the signatures alone, and decide nothing again.
    #[arg(long)]
    chain_only: bool,
    /// Print the outcome as JSON.
    #[arg(long)]
    json: bool,
}

/// All that was looked at.
struct Outcome {
    run: String,
    head: Option<Head>,
    chain: Option<Verdict>,
    found: Option<Found>,
    /// What accepted capacity rests on, where the run has racks and its folder is named.
    rests: Option<Rests>,
    /// Why the records were not walked.
    not_walked: Option<String>,
    /// What is wrong, in text.
    wrong: Vec<String>,
    /// How much more is wrong than is listed.
    unlisted: u64,
}

impl Verify {
    pub(super) fn run(self) -> anyhow::Result<Ending> {
        if BooksFile::is_at(Path::new(&self.run)) {
            return self.books();
        }
        if super::capacity::is_bundle(Path::new(&self.run)) {
            return super::capacity::verify_bundle(
                Path::new(&self.run),
                self.key.as_ref(),
                self.json,
            );
        }
        let place = Place::of(&self.run)?;
        let expected = self.expected()?;
        let (chain, snapshots) = match &place {
            Place::Store(address) => {
                let runtime = runtime()?;
                let (verdict, kept) = runtime.block_on(async {
                    let mut store = Store::open(address, Access::Read).await?;
                    let mut progress = Progress::new("chained");
                    let verdict = store::verify(&mut store, &expected, &mut |at, of| {
                        progress.at(at, of)
                    })
                    .await?;
                    // Damaged ones are findings already.
                    let kept = store.kept_snapshots().await.unwrap_or_default();
                    store.close().await?;
                    Ok::<_, anyhow::Error>((verdict, kept))
                })?;
                (Some(verdict), kept)
            }
            Place::File(path) => {
                if self.key.is_some() || !self.witness.is_empty() {
                    bail!(
                        "{} is a journal file, which nobody signed; \
                         --key and --witness need a live run's store",
                        path.display()
                    );
                }
                (None, Vec::new())
            }
        };
        let mut outcome = Outcome {
            run: self.run.clone(),
            head: None,
            wrong: Vec::new(),
            unlisted: 0,
            chain,
            found: None,
            rests: None,
            not_walked: None,
        };
        outcome.walk(&place, !self.chain_only, snapshots)?;
        outcome.gather();
        if self.json {
            print(&format!("{}\n", serde_json::to_string_pretty(&outcome.document())?))?;
        } else {
            print(&outcome.text())?;
        }
        Ok(if outcome.wrong.is_empty() { Ending::Well } else { Ending::Differs })
    }

    /// Checks a site's books.
    fn books(&self) -> anyhow::Result<Ending> {
        if self.key.is_some() || !self.witness.is_empty() || self.chain_only {
            bail!(
                "{} is a books file; --key, --witness and --chain-only are for a run",
                self.run
            );
        }
        let source = Source {
            path: PathBuf::from(&self.run),
            facts: None,
            register: None,
            as_of: None,
        };
        super::books::check(&Books::load(source)?, &[], self.json)
    }

    fn expected(&self) -> anyhow::Result<Expected> {
        let read = |path: &PathBuf| {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            Checkpoint::parse(&text).with_context(|| path.display().to_string())
        };
        let witnessed = self.witness.iter().map(read).collect::<Result<_, _>>()?;
        Ok(Expected { key: self.key, witnessed })
    }
}

impl Outcome {
    /// Walks the records. What this program cannot read is said, and is wrong only
    /// where it is not another program's format.
    fn walk(
        &mut self,
        place: &Place,
        again: bool,
        snapshots: Vec<Snapshot>,
    ) -> anyhow::Result<()> {
        let is_file = matches!(place, Place::File(_));
        if !again && !is_file {
            self.not_walked = Some("only the chain was asked for".to_owned());
            return Ok(());
        }
        let mut records = match Records::open(place) {
            Ok(records) => records,
            Err(error) => {
                self.not_walked = Some(format!("{error:#}"));
                return Ok(());
            }
        };
        self.head = Some(records.head().clone());
        let last = self.chain.as_ref().map_or(0, |chain| chain.tail.seq);
        let mut progress = Progress::new("decided again");
        let mut walk = Walk::begin(records.head(), again, snapshots);
        let walked = records.each(|entry| {
            progress.at(entry.seq, last);
            // What came after the chain was checked is for another time.
            Ok((last == 0 || entry.seq <= last) && walk.take(&entry)?)
        });
        drop(progress);
        let run = Path::new(&self.run);
        let folder = if run.is_dir() { Some(run) } else { run.parent() };
        self.rests = folder.filter(|_| run.exists()).and_then(|at| walk.rests(at));
        let mut found = walk.end();
        if let Err(error) = walked {
            found.unreadable(&error);
        }
        self.found = Some(found);
        Ok(())
    }

    fn gather(&mut self) {
        if let Some(chain) = &self.chain {
            self.wrong.extend(chain.findings.iter().map(ToString::to_string));
            self.unlisted += chain.unlisted;
        }
        if let Some(found) = &self.found {
            self.wrong.extend(found.findings.iter().map(ToString::to_string));
            self.unlisted += found.unlisted;
        }
        if let Some(rests) = &self.rests {
            self.wrong.extend(rests.wrong.iter().cloned());
        }
        // A head that cannot be read at all proves nothing.
        if let (None, Some(why)) = (&self.chain, &self.not_walked) {
            self.wrong.push(why.clone());
        }
    }

    fn text(&self) -> String {
        let mut lines = vec![self.run.clone()];
        if let Some(head) = &self.head {
            lines.push(format!(
                "  site {}, from {}, written by {}",
                head.site.name, head.start, head.program
            ));
        }
        if let Some(chain) = &self.chain {
            lines.push(format!(
                "  chain: {} records up to {}, {} snapshots, {} checkpoints; signed up to record {} by {}",
                chain.records, chain.tail.seq, chain.snapshots, chain.checkpoints, chain.covered, chain.key
            ));
            if chain.covered < chain.tail.seq {
                lines.push(format!(
                    "  records {} to {} are chained and not signed yet",
                    chain.covered + 1,
                    chain.tail.seq
                ));
            }
        }
        if let Some(found) = &self.found {
            lines.push(format!(
                "  steps: {} decided again, {} started, {} snapshots compared with the state",
                found.steps, found.starts, found.snapshots
            ));
            lines.push(format!(
                "  decisions: {}, of them {} against the rules; orders: {}",
                found.dispatches, found.against_the_rules, found.orders
            ));
            let over =
                found.metered_over.map_or("nothing".to_owned(), |over| over.to_string());
            lines.push(format!("  metered: {} intervals, over {over}", found.metered));
        }
        if let Some(rests) = &self.rests {
            lines.extend(rests.lines().into_iter().map(|line| format!("  {line}")));
        }
        if let Some(why) = &self.not_walked {
            lines.push(format!("  nothing was decided again: {why}"));
        }
        if self.wrong.is_empty() {
            lines.push("nothing is wrong".to_owned());
        } else {
            lines.push(format!("{} wrong:", self.wrong.len() as u64 + self.unlisted));
            lines.extend(self.wrong.iter().map(|line| format!("  {line}")));
            if self.unlisted > 0 {
                lines.push(format!("  and {} more", self.unlisted));
            }
        }
        lines.join("\n") + "\n"
    }

    fn document(&self) -> Value {
        let chain = self.chain.as_ref().map(|chain| {
            json!({
                "store": chain.store.to_string(),
                "public_key": chain.key.to_string(),
                "records": chain.records,
                "last_record": chain.tail.seq,
                "chain": chain.tail.chain.to_string(),
                "snapshots": chain.snapshots,
                "checkpoints": chain.checkpoints,
                "signed_up_to_record": chain.covered,
            })
        });
        let found = self.found.as_ref().map(|found| {
            json!({
                "steps": found.steps,
                "starts": found.starts,
                "snapshots_compared": found.snapshots,
                "dispatches": found.dispatches,
                "dispatches_against_the_rules": found.against_the_rules,
                "orders": found.orders,
                "metered_intervals": found.metered,
                "metered_from": found.metered_over.map(|over| over.start.to_string()),
                "metered_to": found.metered_over.map(|over| over.end.to_string()),
            })
        });
        json!({
            "run": self.run,
            "sound": self.wrong.is_empty(),
            "site": self.head.as_ref().map(|head| head.site.name.clone()),
            "program": self.head.as_ref().map(|head| head.program.clone()),
            "chain": chain,
            "records": found,
            "acceptance": self.rests.as_ref().map(Rests::document),
            "not_walked": self.not_walked,
            "findings": self.wrong,
            "findings_unlisted": self.unlisted,
        })
    }
}

/// How far a long pass has come, for a person who watches.
pub(super) struct Progress {
    what: &'static str,
    shown: bool,
    next: u64,
}

/// Records between two looks.
const PROGRESS_EVERY: u64 = 10_000;

impl Progress {
    /// Shows nothing unless standard error is a terminal.
    pub(super) fn new(what: &'static str) -> Self {
        Self { what, shown: false, next: PROGRESS_EVERY }
    }

    /// So many records are done, of so many; 0 is unknown.
    pub(super) fn at(&mut self, done: u64, of: u64) {
        if done < self.next || !std::io::stderr().is_terminal() {
            return;
        }
        self.next = done + PROGRESS_EVERY;
        self.shown = true;
        let of = if of == 0 { String::new() } else { format!(" of {of}") };
        eprint!("\r{done}{of} records {}", self.what);
        // Nobody is told where nobody can be.
        drop(std::io::stderr().flush());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            eprintln!();
        }
    }
}
