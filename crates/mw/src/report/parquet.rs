//! Every interval of a run as two Parquet files: the site's ledger and each load's part.
//!
//! [`Writers`] takes in lines as a run makes them. Rows are kept column by
//! column until a row group is full, so memory does not grow with the run.
//! What is written is exact: integers in base units, with the unit in the
//! column's name. `columns.rs` declares each column once, with its meaning; the
//! files, the reference page and the schema all come from there.

mod columns;
mod plan;
mod reference;
mod table;

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result};
use engine::Site;
use units::Seconds;

use crate::drive::backtest::Line;
use crate::feed::Feed;
use crate::hindsight::Hindsight;
use columns::{IntervalRow, LoadRow};
use table::Table;

pub(super) use columns::source as source_word;
pub use plan::plan;
pub use reference::{page as reference, plan_page as plan_reference};

/// The version of both files' columns; rises when one changes its meaning.
pub const FORMAT: u32 = 1;

/// The file with one row an interval.
pub const INTERVALS: &str = "intervals.parquet";

/// The file with one row an interval and load.
pub const LOADS: &str = "loads.parquet";

/// The file with one row an interval and limit that was worth something in
/// hindsight.
pub const HINDSIGHT: &str = "hindsight.parquet";

/// Writes what limits were worth in hindsight, interval by interval.
pub fn hindsight(dir: &Path, site: &Site, found: &Hindsight) -> Result<()> {
    let path = dir.join(HINDSIGHT);
    let file = File::create(&path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    let mut table = Table::create(file, columns::HINDSIGHT, site)?;
    for rows in found.shadow.chunks(4_096) {
        table.push(rows)?;
    }
    table.finish()
}

/// Writes the detail of a run as it is made.
pub struct Writers<'a> {
    site: &'a Site,
    feed: &'a Feed,
    intervals: Table<columns::Intervals>,
    loads: Table<columns::Loads>,
}

impl<'a> Writers<'a> {
    /// Begins both files in `dir`, which is made if absent; files of an
    /// earlier run there are replaced. `site` and `feed` are the ones the run
    /// is decided and settled on.
    pub fn create(dir: &Path, site: &'a Site, feed: &'a Feed) -> Result<Self> {
        fs::create_dir_all(dir)
            .with_context(|| format!("cannot make the folder {}", dir.display()))?;
        let open = |name| {
            let path = dir.join(name);
            File::create(&path)
                .with_context(|| format!("cannot write {}", path.display()))
        };
        Ok(Self {
            site,
            feed,
            intervals: Table::create(open(INTERVALS)?, columns::INTERVALS, site)?,
            loads: Table::create(open(LOADS)?, columns::LOADS, site)?,
        })
    }

    /// Writes one interval and each load's part of it.
    pub fn line(&mut self, line: &Line<'_>) -> Result<()> {
        let during = line.dispatch.interval;
        let day = during.start.floor(Seconds::hours(24));
        self.intervals.push(&[IntervalRow {
            dispatch: line.dispatch,
            row: line.row,
            always_on: line.always_on,
            paid: self.feed.hashprices.get(&day).copied(),
        }])?;
        let loads = self.site.loads.iter().zip(&line.dispatch.entries);
        let rows: Vec<LoadRow<'_>> = loads
            .zip(&line.row.loads)
            .enumerate()
            .map(|(load, ((shape, entry), part))| LoadRow {
                start: during.start,
                load,
                shape,
                entry,
                part,
            })
            .collect();
        self.loads.push(&rows)
    }

    /// Writes what is left and closes both files.
    pub fn finish(self) -> Result<()> {
        self.intervals.finish()?;
        self.loads.finish()
    }
}
