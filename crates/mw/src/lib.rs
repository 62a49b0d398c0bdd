//! The program's parts: configuration, drivers, the ledger, reports and commands.

pub mod answer;
pub mod api;
pub mod books;
pub mod capacity;
pub mod census;
mod chart;
pub mod command;
pub mod config;
pub mod console;
pub mod contract_files;
pub mod demo;
pub mod drive;
pub mod emulate;
pub mod feed;
pub mod fleet;
pub mod from_history;
pub mod hindsight;
pub mod journal;
pub mod ledger;
pub mod live;
pub mod proof;
pub mod records;
pub mod report;
pub mod run_folder;
pub mod small_file;
pub mod tenancy;
