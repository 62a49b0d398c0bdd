//! The project's own commands: `cargo xtask test`, `ci`, `lint`, `tidy`, `sim`, `kill`, `mutants`, `scorecard`, `docs`, `bench`.
#![expect(clippy::print_stdout, reason = "a command line answers on standard output")]

mod bench;
mod ci;
mod docs;
mod kill;
mod mutants;
mod oracles;
mod postgres;
mod scorecard;
mod shell;
mod sim;
mod test;
mod tidy;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Install what the tests need and run all of them.
    Test(test::TestArgs),
    /// Run all that must pass before a change lands: tests, lints, comparisons.
    Ci,
    /// Run everything of `ci` that is not a test run.
    Lint,
    /// Check the rules of the repository that no compiler knows.
    Tidy,
    /// Draw sites, markets and faults from seeds and check what must always be true.
    Sim(sim::SimArgs),
    /// End live runs at hundreds of points and check what is left of them.
    Kill(kill::KillArgs),
    /// Plant known faults in the code and demand that what should find each does.
    Mutants(mutants::MutantsArgs),
    /// Write what must always be true against what goes wrong, with the counts of the last `sim`.
    Scorecard(scorecard::ScorecardArgs),
    /// Write the reference pages that are made from code.
    Docs,
    /// Measure a year's backtest, the cost of a decision, a live run, a large contract or ledger.
    Bench(bench::BenchArgs),
}

/// Whether there is such a command.
fn has_command(name: &str) -> bool {
    Arguments::command().get_subcommands().any(|command| command.get_name() == name)
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Test(arguments) => test::run(&arguments),
        Command::Ci => ci::run(),
        Command::Lint => ci::lint(),
        Command::Tidy => tidy::run(),
        Command::Sim(arguments) => sim::run(&arguments),
        Command::Kill(arguments) => kill::run(&arguments),
        Command::Mutants(arguments) => mutants::run(&arguments),
        Command::Scorecard(arguments) => scorecard::run(&arguments),
        Command::Docs => docs::run(),
        Command::Bench(arguments) => bench::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
