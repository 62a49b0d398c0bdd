//! Market and bitcoin history: folders of files as UTC series.
//!
//! [`open`] reads every file of a few folders once, by the names of its columns
//! and not by its name. [`Catalog::assemble`] gives the [`History`] of one
//! settlement point: half-open UTC intervals with the value and the time at
//! which it could first be known. Market days, hour ending 24, the hours that
//! daylight saving skips and repeats, and other currencies end here.
//!
//! Everything odd is a [`Note`] with file, row and treatment. Nothing is made
//! up: what is missing stays missing, and a value that cannot be right counts
//! as missing, so that it raises no load.
//!
//! What is known when:
//!
//! | series | known |
//! |---|---|
//! | dispatch price (LMP) | when its interval starts |
//! | settlement price | when its interval ends |
//! | mean over a longer interval | when the longer interval ends |
//! | day-ahead price, demand forecast | at the market's hour of publication, the day before |
//! | price forecast, spot offer | when its file says |
//! | temperature | when its hour ends |
//! | bitcoin day | when the day ends |
//!
//! ```
//! let folder = "../../fixtures/history/own".into();
//! let catalog = adapters::history::open(&[folder])?;
//! let history = catalog.assemble("HB_NAMED", Some("ERCOT"))?;
//! assert_eq!(history.lmp.len(), 5);
//! assert_eq!(history.lmp[0].known_at, history.lmp[0].during.start);
//! assert_eq!(history.settlement[0].known_at, history.settlement[0].during.end);
//! # Ok::<(), adapters::history::HistoryError>(())
//! ```
//!
//! [`check`](Catalog::check) says all of it for a person or as a document;
//! [`write()`] puts a synthetic history into files that read back to the same.

mod assemble;
mod bitcoin;
mod catalog;
mod cell;
pub mod check;
mod currency;
mod draft;
mod error;
mod forecast;
mod layouts;
mod local_time;
mod market;
mod note;
mod offer;
mod settlement;
mod spell;
mod table;
pub mod write;

use std::path::PathBuf;

pub use assemble::History;
pub use bitcoin::{
    BitcoinDay, BitcoinDerivation, BlocksSource, DifficultySource, SubsidySource,
    height_about,
};
pub use catalog::{Catalog, FileRead};
pub use draft::SeriesKind;
pub use error::HistoryError;
pub use market::{Currency, MarketRules};
pub use note::{Note, NoteGroup, NoteKind, folded};
pub use settlement::{Derivation, Settled};
pub use write::{SyntheticDay, SyntheticHistory, write};

/// Reads every CSV file of the folders, not of folders inside them.
///
/// A file that no layout recognises is left alone with a note. It is an error
/// when a folder cannot be read, or when a column that a recognised layout
/// needs has nothing readable in any row.
pub fn open(folders: &[PathBuf]) -> Result<Catalog, HistoryError> {
    catalog::open(folders)
}

/// The markets whose rules are known.
pub fn markets() -> impl Iterator<Item = &'static MarketRules> {
    market::MARKETS.iter().filter(|market| market.name != "OTHER")
}

impl Catalog {
    /// The files met, by name within each folder.
    pub fn files(&self) -> &[FileRead] {
        &self.files
    }

    /// Everything odd in any file.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// The settlement points with prices, each with its market and its series.
    pub fn points(&self) -> Vec<check::PointCheck> {
        self.check().points
    }
}
