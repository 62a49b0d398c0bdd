//! `mw census`: who is on the site's networks, and what is different.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use adapters::census::{Difference, Pace, search};
use adapters::device::reach::Network;
use anyhow::{Context, bail};
use clap::Args;
use units::Timestamp;

use super::Ending;
use super::asking::line;
use super::backtest::print;
use crate::census::pools::{self, Agreed, Came};
use crate::census::{self, Kept, Plan};
use crate::config;
use crate::fleet::pins::Pins;
use crate::live::clock::Clock;

/// Look who is on the site's networks, and tell what is different from the last time and
/// from the site file.
///
/// Only networks that the site file allows are searched, at its pace. The census is kept
/// in the run's data folder; a run that lives there raises alarms by it. Exit code 3 says
/// that something is different.
#[derive(Debug, Args)]
pub(super) struct Census {
    /// The site: a folder with a site.toml, or the file itself.
    site: PathBuf,
    /// The run's data folder.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Search these of the allowed networks alone, such as 10.20.3.0/24.
    #[arg(long, value_name = "NETWORK", value_parser = Network::parse)]
    network: Vec<Network>,
    /// Do not search: show what the last census found.
    #[arg(long)]
    show: bool,
    /// Agree to the pools that the site file has for this load now: two people have to,
    /// before machines are held to them.
    #[arg(long, value_name = "LOAD", requires = "token", conflicts_with = "show")]
    agree_pools: Option<String>,
    /// Where your token of the run is: `env:NAME` or `file:PATH`.
    #[arg(long, value_name = "WHERE")]
    token: Option<String>,
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
}

impl Census {
    pub(super) fn run(self) -> anyhow::Result<Ending> {
        let loaded = config::load(&self.site)?;
        let name = format!("{}.run", loaded.site.name);
        let folder = self.data.clone().unwrap_or_else(|| Path::new(&name).into());
        let before = census::read(&folder)?;
        if self.show {
            let Some(kept) = before else {
                bail!("{}: expected a census, found none yet", folder.display());
            };
            return self.tell(&kept);
        }
        let env = |name: &str| std::env::var(name).ok();
        let written = pools::written(&loaded);
        let at = Clock::wall().now();
        if let (Some(load), Some(token)) = (&self.agree_pools, &self.token) {
            return self.agree(load, token, &folder, &written, at);
        }
        let mut agreed = Agreed::read(&folder)?;
        agreed.pin_first(&written, at);
        agreed.write(&folder)?;
        let Plan { targets, mut expected } =
            Plan::of(&loaded, &self.network, Vec::new(), &env, &Pins::read(&folder)?)?;
        for expected in expected.values_mut() {
            expected.pools = agreed.of(&expected.load).to_vec();
        }
        let before = before.unwrap_or_default().census;
        let pace = Pace::of(loaded.devices.search_per_second);
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let all = targets.len();
        let found = runtime.block_on(search(targets, pace, |left| {
            if left % 1_000 == 0 {
                tracing::info!(event = "searching", left, all);
            }
        }));
        let now = before.after(found, at);
        let mut differences = now.differences(&before, &expected);
        if !self.network.is_empty() {
            // What was not searched is not missing.
            differences.retain(|difference| is_searched(difference, &self.network));
        }
        differences.extend(agreed.differences(&written));
        let kept = Kept { census: now, differences };
        census::write(&folder, &kept)?;
        self.tell(&kept)
    }

    /// One person agrees to what the site file says.
    fn agree(
        &self,
        load: &str,
        token: &str,
        folder: &Path,
        written: &BTreeMap<String, Vec<String>>,
        at: Timestamp,
    ) -> anyhow::Result<Ending> {
        let secret = match token.split_once(':') {
            Some(("env", name)) => std::env::var(name)
                .with_context(|| format!("expected a token in {name}, found none"))?,
            Some(("file", path)) => std::fs::read_to_string(path)
                .with_context(|| format!("cannot read the token in {path}"))?,
            _ => bail!("expected `env:NAME` or `file:PATH` after --token"),
        };
        let by = pools::person(folder, &secret, at)?;
        let mut agreed = Agreed::read(folder)?;
        agreed.pin_first(written, at);
        let came = agreed.agree(load, written, &by, at)?;
        agreed.write(folder)?;
        let pools = written.get(load).map(|pools| pools.join(", ")).unwrap_or_default();
        print(&match came {
            Came::Asked => {
                format!("{by} wants {load} at {pools}; another has to agree\n")
            }
            Came::Pinned => format!("{load} is held to {pools}; {by} agreed\n"),
        })?;
        Ok(Ending::Well)
    }

    fn tell(&self, kept: &Kept) -> anyhow::Result<Ending> {
        let mut text = String::new();
        if self.json {
            text = line(kept);
        } else {
            let taken = kept.census.taken_at;
            let here = |entry: &&adapters::census::Entry| Some(entry.last_seen) == taken;
            let mut by_kind: BTreeMap<String, usize> = BTreeMap::new();
            for entry in kept.census.devices.values().filter(here) {
                let found = &entry.found;
                let model = found.model.as_deref().unwrap_or("of no model it tells");
                *by_kind.entry(format!("{} {model}", found.speaks)).or_default() += 1;
            }
            let all: usize = by_kind.values().sum();
            let at = taken.map_or("never".to_owned(), |at| at.to_string());
            text.push_str(&format!("{all} devices at {at}\n"));
            for (kind, count) in by_kind {
                text.push_str(&format!("{count:>7}  {kind}\n"));
            }
            match kept.differences.as_slice() {
                [] => text.push_str("nothing is different\n"),
                list => {
                    text.push_str(&format!("{} differences:\n", list.len()));
                    for difference in list {
                        text.push_str(&format!("  {difference}\n"));
                    }
                }
            }
        }
        print(&text)?;
        match kept.differences.is_empty() {
            true => Ok(Ending::Well),
            false => Ok(Ending::Differs),
        }
    }
}

fn is_searched(difference: &Difference, networks: &[Network]) -> bool {
    let at = difference.address().parse::<std::net::SocketAddr>();
    match at.map(|at| at.ip()) {
        Ok(std::net::IpAddr::V4(at)) => {
            networks.iter().any(|network| network.contains(at))
        }
        Ok(std::net::IpAddr::V6(_)) | Err(_) => true,
    }
}
