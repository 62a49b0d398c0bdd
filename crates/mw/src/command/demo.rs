//! `mw demo`: the whole loop, on this machine, in two minutes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use clap::Args;

use super::Ending;
use super::backtest::print;
use super::emulate::positive;
use super::source::Source;
use crate::demo::{self, Settings};
use crate::live::log::{self, Log};

/// Show a whole campus at work: emulated miners, GPU racks, a battery, a meter and a
/// grid over their real protocols, and the engine that runs them.
///
/// Within two minutes the price spikes, the grid declares an emergency, a tray fails, and
/// a tranche of two more racks is delivered to its tenant.
/// Everything listens on this machine's loopback alone and ends with the program.
#[derive(Debug, Args)]
pub(super) struct Demo {
    #[command(flatten)]
    source: Source,
    /// Where the console listens; loopback alone.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    http: SocketAddr,
    /// How many seconds of the campus pass in one of the wall.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = positive)]
    speed: u32,
    /// Where its journal is kept; a folder of its own, removed at the end, unless given.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Stop by itself after so many seconds of the wall.
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<u64>,
    /// Show the run's own log as well, on standard error.
    #[arg(long)]
    log: bool,
}

impl Demo {
    pub(super) fn run(self) -> anyhow::Result<Ending> {
        if !self.http.ip().is_loopback() {
            bail!("expected a loopback address for the console, found {}", self.http);
        }
        let _log = self.log.then(|| log::start(Log::Text));
        let folder = match &self.data {
            Some(folder) => folder.clone(),
            None => std::env::temp_dir().join(format!("mw-demo-{}", std::process::id())),
        };
        let mut loaded = demo::write_site(&folder)?;
        let source = if self.source.is_given() { self.source } else { Source::synth(7) };
        let (feed, range, _) = source.prepare(&mut loaded, None, None)?;
        let from = demo::begins(range)?;
        let settings = Settings {
            folder: folder.clone(),
            http: self.http,
            speed: self.speed,
            lasts: self.seconds.map(Duration::from_secs),
        };
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut say = |line: &str| print(&format!("{line}\n"));
        let ran = runtime.block_on(demo::run(&settings, &loaded, feed, from, &mut say));
        // What still answers somebody is not waited for.
        runtime.shutdown_background();
        if self.data.is_none() {
            // Nothing of it was real, and the folder is our own.
            drop(std::fs::remove_dir_all(&folder));
        }
        ran.map(|()| Ending::Well)
    }
}
