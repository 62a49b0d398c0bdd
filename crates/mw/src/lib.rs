//! The program's parts: configuration, drivers, the ledger, reports and commands.

pub mod answer;
pub mod config;
pub mod drive;
pub mod feed;
pub mod journal;
pub mod ledger;
