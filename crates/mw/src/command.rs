//! The program's commands, a file each.

mod alarm;
mod asking;
mod backtest;
mod backup;
mod books;
mod calibrate;
mod capacity;
mod census;
mod demo;
mod doctor;
mod document;
mod drive;
mod emulate;
mod fleet;
mod grid;
mod history;
mod plan;
mod plan_past;
mod regret;
mod replay;
mod restore;
mod run;
mod settle;
mod source;
mod statement;
mod token;
mod verify;
mod webhook;

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
    /// Show a whole campus at work on this machine: two minutes to see the loop.
    Demo(demo::Demo),
    /// Show what a site would have done and earned over real or made-up history.
    Backtest(backtest::Backtest),
    /// Show how far a site's policy falls short of the optimum in hindsight, by year
    /// and forecast.
    Regret(regret::Regret),
    /// Show what converting a site does to cash, coverage and risk, over many futures.
    Plan(plan::PlanCommand),
    /// Run a site: decide, drive it, and keep the record.
    Run(run::Run),
    /// Look who is on a site's networks, and what is different from the last time.
    Census(census::Census),
    /// Drive a site's devices for a run in another process.
    Drive(drive::Drive),
    /// Be a simulated site that a run can drive from another process.
    Emulate(emulate::Emulate),
    /// Look at loads and machines of a living run, and act on them.
    #[command(subcommand)]
    Fleet(fleet::Fleet),
    /// Look at what the grid asks and allows, and pass on what it says by telephone.
    #[command(subcommand)]
    Grid(grid::Grid),
    /// Bring racks in, accept them against a plan, and show who has what, from files.
    #[command(subcommand)]
    Capacity(capacity::Capacity),
    /// List the alarms of a living run, and say that somebody looks after one.
    #[command(subcommand)]
    Alarm(alarm::Alarm),
    /// Say who may come in to a run by HTTP, in which role, and for how long.
    #[command(subcommand)]
    Token(token::Token),
    /// Say who is posted what a tenant hears of its racks.
    #[command(subcommand)]
    Webhook(webhook::Webhook),
    /// Check what a run needs, and say what to do about what is wrong.
    Doctor(doctor::Doctor),
    /// Decide a run again from its journal and compare, byte for byte.
    Replay(replay::Replay),
    /// Check a run from its records alone: chain, signatures, decisions, metering.
    Verify(verify::Verify),
    /// Copy a live run's store into one file, while the run goes on.
    Backup(backup::Backup),
    /// Make a run's data folder from a backup.
    Restore(restore::Restore),
    /// Settle a contract: every statement that is due, from the facts known at its cut.
    Settle(settle::Settle),
    /// Look at a statement, and check one from contract and facts alone.
    #[command(subcommand)]
    Statement(statement::Statement),
    /// Draft, approve and issue a contract's statements, and dispute them.
    #[command(subcommand)]
    Document(document::Document),
    /// Look at a site's books, write them for other programs, and check them.
    #[command(subcommand)]
    Books(books::Books),
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
    /// It asked for something, and was refused: exit code 3.
    Refused,
    /// It asked a run, and no run lives there: exit code 4.
    NobodyAnswers,
    /// It looked, and something is wrong: exit code 1.
    Wrong,
    /// It judged machines, and some did not pass: exit code 5.
    NotPassed,
}

impl Ending {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Well => 0,
            Self::Wrong => 1,
            Self::Differs | Self::Refused => 3,
            Self::NobodyAnswers => 4,
            Self::NotPassed => 5,
        }
    }
}

/// Carries out what was asked.
pub fn run(arguments: Arguments) -> anyhow::Result<Ending> {
    match arguments.command {
        Command::Demo(command) => command.run(),
        Command::Backtest(command) => command.run(),
        Command::Regret(command) => command.run(),
        Command::Plan(command) => command.run(),
        Command::Run(command) => command.run(),
        Command::Census(command) => command.run(),
        Command::Drive(command) => command.run(),
        Command::Emulate(command) => command.run(),
        Command::Fleet(command) => command.run(),
        Command::Grid(command) => command.run(),
        Command::Alarm(command) => command.run(),
        Command::Capacity(command) => command.run(),
        Command::Token(command) => command.run(),
        Command::Webhook(command) => command.run(),
        Command::Doctor(command) => command.run(),
        Command::Replay(command) => command.run(),
        Command::Verify(command) => command.run(),
        Command::Backup(command) => command.run(),
        Command::Restore(command) => command.run(),
        Command::Settle(command) => command.run(),
        Command::Statement(command) => command.run(),
        Command::Document(command) => command.run(),
        Command::Books(command) => command.run(),
        Command::History(command) => command.run(),
    }
}
