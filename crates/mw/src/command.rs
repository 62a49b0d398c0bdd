//! The program's commands, a file each.

mod backtest;
mod history;
mod replay;

use clap::{Parser, Subcommand};

/// Runs powered sites: mine, serve GPU capacity under contract, store, or sell back.
#[derive(Debug, Parser)]
#[command(name = "mw", version, disable_help_subcommand = true, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what a site would have done and earned over real or made-up history.
    Backtest(backtest::Backtest),
    /// Decide a run again from its journal and compare, byte for byte.
    Replay(replay::Replay),
    /// Check a folder of history, or make one up.
    #[command(subcommand)]
    History(history::History),
}

/// How a command that did its work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As it should: exit code 0.
    Well,
    /// It compared two things, and they differ: exit code 3.
    Differs,
}

/// Carries out what was asked.
pub fn run(arguments: Arguments) -> anyhow::Result<Ending> {
    match arguments.command {
        Command::Backtest(command) => command.run(),
        Command::Replay(command) => command.run(),
        Command::History(command) => command.run(),
    }
}
