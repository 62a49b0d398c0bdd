//! What a person gets to read: of a backtest a summary, a page, a document and the
//! detail of every interval; of a contract its statements.
//!
//! Start at [`summary::text`]. Everything here shows an [`Answer`] or the lines
//! it was made of, and computes nothing that the ledger did not.
//!
//! [`Answer`]: crate::answer::Answer

pub mod books;
mod comparison;
pub(crate) mod figures;
pub mod html;
pub mod json;
pub mod parquet;
pub mod plan;
pub mod regret;
pub mod statement;
pub mod summary;
mod words;
