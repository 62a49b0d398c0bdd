//! `mw`: parse, run, print the error chain once.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage, 3 compared and found different.

use std::process::ExitCode;

use clap::Parser;
use mw::command::{Arguments, Ending, run};

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(Ending::Well) => ExitCode::SUCCESS,
        Ok(Ending::Differs) => ExitCode::from(3),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
