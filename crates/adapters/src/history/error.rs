//! Why a history cannot be used.

use std::path::PathBuf;

/// Why a history cannot be read or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// There is nothing at the path.
    #[error("expected a folder of history files, found nothing at `{}`; name a folder that exists", .0.display())]
    FolderMissing(PathBuf),
    /// The path is a file.
    #[error("expected a folder of history files, found the file `{}`; name the folder it lies in", .0.display())]
    NotAFolder(PathBuf),
    /// The system refused to read or write.
    #[error("cannot {doing} `{}`", path.display())]
    Io {
        /// What was tried, such as `read`.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A column that the layout needs holds nothing that can be read.
    #[error(
        "`{file}`: expected {expected} in column `{column}`, found `{found}` in row {row} and \
         nothing readable in any row; correct the column or take the file out of the folder"
    )]
    ColumnUnreadable {
        /// The file.
        file: String,
        /// The column's name in its header.
        column: String,
        /// What the column should hold.
        expected: &'static str,
        /// What its first cell with text holds.
        found: String,
        /// That cell's line, from 1.
        row: u64,
    },
    /// No file of the history has a price of power.
    #[error(
        "expected at least one series of power prices, found none in {0}; \
         `mw history check` says what each file was taken for"
    )]
    NoPrices(String),
    /// No file of the history has the settlement point.
    #[error(
        "expected prices for the settlement point `{point}`, found {}; name one of these",
        listed(points)
    )]
    PointNotFound {
        /// What was asked for.
        point: String,
        /// The points there are, the most alike first.
        points: Vec<String>,
    },
    /// The settlement point belongs to another market than was asked for.
    #[error(
        "expected `{point}` in the market {asked}, found it in {found}; name that market"
    )]
    PointInOtherMarket {
        /// The point.
        point: String,
        /// The market asked for.
        asked: String,
        /// The markets that have the point.
        found: String,
    },
    /// The market asked for is not in the table of market rules.
    #[error("expected a market of {known}, found `{asked}`")]
    MarketNotKnown {
        /// What was asked for.
        asked: String,
        /// The markets there are.
        known: String,
    },
    /// The folder to write to has something in it.
    #[error("expected an empty or new folder to write to, found files in `{}`; name another", .0.display())]
    FolderNotEmpty(PathBuf),
}

/// How many points an error lists before it only counts the rest.
const LISTED: usize = 12;

fn listed(points: &[String]) -> String {
    let mut text = points.iter().take(LISTED).cloned().collect::<Vec<_>>().join(", ");
    if points.len() > LISTED {
        text.push_str(&format!(" and {} more", points.len() - LISTED));
    }
    text
}
