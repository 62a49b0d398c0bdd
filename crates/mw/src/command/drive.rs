//! `mw drive`: a site's devices behind a process of their own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use adapters::fleet::Pace;
use anyhow::{Context, bail};
use clap::Args;
use tokio::net::TcpListener;

use super::Ending;
use super::backtest::print;
use crate::config;
use crate::fleet::Driven;
use crate::fleet::pins::Pins;
use crate::live::clock::Clock;
use crate::live::log::{self, Log};

/// Drive a site's devices for a run in another process.
///
/// It outlives the run: when nobody renews their lease, machines go to their fail-safe
/// levels in turn. `mw run --against ADDRESS` connects to it.
#[derive(Debug, Args)]
pub(super) struct Drive {
    /// The site: a folder with a site.toml, or the file itself.
    site: PathBuf,
    /// Where to listen; loopback alone.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7401")]
    listen: SocketAddr,
    /// Where the certificates that devices showed first are kept: the data folder of the run,
    /// which raises an alarm when one changes. Without it they are forgotten at the end.
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Stop by itself after so many seconds.
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<u64>,
    /// How the log is written, to standard error.
    #[arg(long, value_enum, default_value_t = Log::Text)]
    log: Log,
}

impl Drive {
    pub(super) fn run(self) -> anyhow::Result<Ending> {
        if !self.listen.ip().is_loopback() {
            bail!(
                "expected a loopback address to listen on, found {}; whoever reaches it \
                 drives the site, and it asks nobody who they are",
                self.listen
            );
        }
        let _log = log::start(self.log);
        let loaded = config::load(&self.site)?;
        let pins = self.data.as_deref().map(Pins::read).transpose()?.unwrap_or_default();
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime
            .block_on(async {
                let listener = TcpListener::bind(self.listen)
                    .await
                    .with_context(|| format!("cannot listen on {}", self.listen))?;
                let address = listener.local_addr()?;
                let site = Driven::start(
                    &loaded,
                    vec![address],
                    Pace::default(),
                    Clock::wall(),
                    pins,
                )?;
                print(&format!("{address}\n"))?;
                let time_is_up = async {
                    match self.seconds {
                        Some(seconds) => {
                            tokio::time::sleep(Duration::from_secs(seconds)).await;
                        }
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    served = site.serve(listener) => served.map_err(Into::into),
                    () = time_is_up => Ok(()),
                    stopped = tokio::signal::ctrl_c() => stopped.map_err(Into::into),
                }
            })
            .map(|()| Ending::Well)
    }
}
