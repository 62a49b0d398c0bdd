//! `mw history`: check a folder of history, or make one up.

use std::path::{Path, PathBuf};

use adapters::history::{self, SyntheticDay, SyntheticHistory};
use clap::Subcommand;

use super::Ending;
use super::backtest::print;

/// Check a folder of history, or make one up.
#[derive(Debug, Subcommand)]
pub(super) enum History {
    /// Say what each file is, what is odd in it, and what was done about it.
    Check {
        /// Folders of market and bitcoin history, read as one.
        #[arg(value_name = "DIR", required = true)]
        folders: Vec<PathBuf>,
        /// Print it as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make up a plausible history: prices with regimes and spikes, weather, bitcoin.
    Synth {
        /// What everything is drawn from: the same seed gives the same history.
        #[arg(long)]
        seed: u64,
        /// How many years from 2025-01-01.
        #[arg(long, default_value_t = 1,
              value_parser = clap::value_parser!(u32).range(1..=i64::from(sim::market::YEARS_MAX)))]
        years: u32,
        /// The folder to make.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

impl History {
    pub(super) fn run(self) -> anyhow::Result<Ending> {
        match self {
            Self::Check { folders, json } => {
                let check = history::open(&folders)?.check();
                let text = if json {
                    serde_json::to_string_pretty(&check)? + "\n"
                } else {
                    check.to_string()
                };
                print(&text)?;
            }
            Self::Synth { seed, years, out } => {
                write_synthetic(seed, years, &out)?;
                print(&format!(
                    "Wrote {years} made-up years of {} from seed {seed} to {}\n",
                    sim::market::POINT,
                    out.display()
                ))?;
            }
        }
        Ok(Ending::Well)
    }
}

/// Draws a history and writes it to a folder.
pub(super) fn write_synthetic(
    seed: u64,
    years: u32,
    folder: &Path,
) -> anyhow::Result<()> {
    let drawn = sim::market::synthesise(seed, sim::market::usual_start(), years);
    let day = |day: &sim::market::BitcoinDay| SyntheticDay {
        day: day.day,
        price: day.price,
        difficulty: day.difficulty,
        network: day.network,
        fees: day.fees,
        blocks: day.blocks,
        height: day.height,
    };
    let history = SyntheticHistory {
        bitcoin: drawn.bitcoin.iter().map(day).collect(),
        point: drawn.point,
        lmp: drawn.lmp,
        settlement: drawn.settlement,
        day_ahead: drawn.day_ahead,
        temperature: drawn.temperature,
        demand_forecast: drawn.demand_forecast,
    };
    Ok(history::write(folder, &history)?)
}
