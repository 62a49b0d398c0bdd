//! `mw emulate`: a simulated site in a process of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use engine::Site;
use sim::campus::Tempers;
use sim::seed::generator;
use tokio::net::TcpListener;
use units::{Power, Timestamp};

use super::Ending;
use super::backtest::print;
use crate::config;
use crate::emulate::Emulated;
use crate::emulate::devices::{Ways, answer};
use crate::emulate::openadr::BUSINESS;
use crate::emulate::rigs::Timing;
use crate::live::clock::Clock;

/// Be a simulated site that a run can drive from another process.
///
/// It lives by its own clock and outlives the run: when nobody watches, leases end
/// and machines fall to their fail-safe levels.
#[derive(Debug, Args)]
pub(super) struct Emulate {
    /// The site: a folder with a site.toml, or the file itself.
    site: PathBuf,
    /// Where to listen; loopback alone.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7400")]
    listen: SocketAddr,
    /// What its machines are drawn from.
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,
    /// What goes wrong.
    #[arg(long, value_enum, default_value_t = Faults::None)]
    faults: Faults,
    /// Its time when it begins, in UTC; now unless given.
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    from: Option<Timestamp>,
    /// How many of its seconds pass in one of the wall.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = positive)]
    speed: u32,
    /// Also answer at the addresses that the site file gives its devices and its grids'
    /// feeds, over their real protocols; loopback alone.
    #[arg(long)]
    devices: bool,
    /// How long devices take for what they do.
    #[arg(long, value_enum, default_value_t = Profile::Fast, requires = "devices")]
    profile: Profile,
    /// How many of a hundred machines take connections and answer nothing.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "devices",
          value_parser = clap::value_parser!(u32).range(0..=100))]
    hang_percent: u32,
    /// Stop by itself after so many seconds of the wall.
    #[arg(long, value_name = "SECONDS", default_value_t = 86_400)]
    seconds: u64,
}

/// How long emulated devices take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Profile {
    /// They answer at once.
    Fast,
    /// As real ones do: seconds to answer, minutes to start.
    Realistic,
}

impl Profile {
    fn timing(self) -> Timing {
        match self {
            Self::Fast => Timing::Fast,
            Self::Realistic => Timing::Realistic,
        }
    }
}

/// What goes wrong on a simulated site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Faults {
    /// Nothing.
    None,
    /// A little of everything, as on a good day of a large site.
    Few,
    /// Much, drawn from the seed.
    Many,
}

impl Faults {
    /// What goes wrong on `site`, of which pumps and offices draw half a percent.
    pub(super) fn tempers(self, site: &Site, seed: u64) -> Tempers {
        let house = Power::from_watts(site.interconnection.import_limit.as_watts() / 200);
        match self {
            Self::None => Tempers::none(),
            Self::Few => Tempers::few(house),
            Self::Many => Tempers::swarm(&mut generator(seed, "tempers"), house),
        }
    }
}

/// A whole number of at least 1.
pub(super) fn positive(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(number @ 1..=3_600) => Ok(number),
        Ok(_) | Err(_) => {
            Err(format!("expected a whole number from 1 to 3600, found `{text}`"))
        }
    }
}

impl Emulate {
    pub(super) fn run(self) -> anyhow::Result<Ending> {
        if !self.listen.ip().is_loopback() {
            bail!(
                "expected a loopback address to listen on, found {}; a simulated site \
                 asks nobody who they are",
                self.listen
            );
        }
        let loaded = config::load(&self.site)?;
        let clock = match self.from {
            Some(from) => Clock::set(from, self.speed),
            None => Clock::set(Clock::wall().now(), self.speed),
        };
        let tempers = self.faults.tempers(&loaded.site, self.seed);
        let mut site = Emulated::new(loaded.site.clone(), self.seed, tempers, clock);
        if self.devices {
            site = site.with_dynamics(self.profile.timing().dynamics());
        }
        let ways = Ways {
            timing: self.profile.timing(),
            hang_percent: self.hang_percent,
            seed: self.seed,
        };
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime
            .block_on(async {
                let listener = TcpListener::bind(self.listen)
                    .await
                    .with_context(|| format!("cannot listen on {}", self.listen))?;
                let answering = match self.devices {
                    true => Some(answer(&site, &loaded, ways).await?),
                    false => None,
                };
                print(&format!("{}\n", listener.local_addr()?))?;
                if let Some(answering) = &answering {
                    print(&format!(
                        "{} devices answer, {} of them hang\n",
                        answering.devices(),
                        answering.hanging()
                    ))?;
                    for (at, _) in answering.grids() {
                        print(&format!(
                            "a grid answers at {at}, and is told by {BUSINESS}\n"
                        ))?;
                    }
                }
                let end = Duration::from_secs(self.seconds);
                tokio::select! {
                    served = site.serve(listener) => served.map_err(Into::into),
                    () = tokio::time::sleep(end) => Ok(()),
                    stopped = tokio::signal::ctrl_c() => stopped.map_err(Into::into),
                }
            })
            .map(|()| Ending::Well)
    }
}
