//! `mw`: parse, run, print the error chain once.
//!
//! Exit codes: 0 done, 1 failed or found something wrong, 2 wrong usage, 3 compared
//! and found different, or asked and refused, 4 nobody answers.

use std::process::ExitCode;

use clap::Parser;
use mw::command::{Arguments, run};

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(ending) => ExitCode::from(ending.code()),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
