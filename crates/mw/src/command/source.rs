//! Where a run's prices and bitcoin days come from: folders of history, or a seed.

use std::path::PathBuf;

use adapters::history;
use clap::Args;
use units::{Interval, Timestamp};

use super::history::write_synthetic;
use crate::config::LoadedSite;
use crate::feed::Feed;
use crate::from_history;

/// Where a run's prices and bitcoin days come from.
#[derive(Debug, Args)]
pub(super) struct Source {
    /// A folder of market and bitcoin history; may be given several times.
    #[arg(long, value_name = "DIR")]
    history: Vec<PathBuf>,
    /// Make up one year of history from this seed instead.
    #[arg(long, value_name = "SEED", conflicts_with = "history")]
    synth: Option<u64>,
    /// The settlement point, in place of the site's own.
    #[arg(long, value_name = "NAME")]
    point: Option<String>,
}

impl Source {
    /// A year made up from a seed.
    pub(super) fn synth(seed: u64) -> Self {
        Self { history: Vec::new(), synth: Some(seed), point: None }
    }

    /// Whether there is any.
    pub(super) fn is_given(&self) -> bool {
        !self.history.is_empty() || self.synth.is_some()
    }

    /// Reads the history and works out what the run is fed and covers.
    pub(super) fn prepare(
        &self,
        loaded: &mut LoadedSite,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
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
        let (range, said) = from_history::range(&loaded.site, &found, &feed, from, to)?;
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
