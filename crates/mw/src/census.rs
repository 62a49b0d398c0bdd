//! The census of a site's networks: whom to look for, and what was kept of the last one.

pub mod pools;

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use adapters::census::{Census, Difference, Expected, Target};
use adapters::device::reach::Network;
use anyhow::{Context, bail};
use engine::Trouble;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::Sender;

use crate::config::LoadedSite;
use crate::fleet::open;
use crate::fleet::pins::Pins;
use crate::live::Happened;
use crate::small_file;

/// Its name in a run's data folder.
pub const FILE: &str = "census.json";

/// The most addresses that are searched: at 200 a second, eleven minutes.
const ADDRESSES_MAX: usize = 1 << 17;

/// The largest census that is read: some hundred thousand devices.
const BYTES_MAX: u64 = 256 << 20;

/// How often a run looks whether there is a new one.
const FOLLOW_EVERY: Duration = Duration::from_secs(10);

/// The census, and what was different in the last one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// Who was found where.
    pub census: Census,
    /// What was different from the one before, or from the site file.
    pub differences: Vec<Difference>,
}

/// Whom to look for, and what the site file says of them.
#[derive(Debug)]
pub struct Plan {
    /// Where to knock.
    pub targets: Vec<Target>,
    /// What is expected, by address.
    pub expected: BTreeMap<String, Expected>,
}

impl Plan {
    /// Every address of the allowed networks: the site's devices with their logins, and
    /// strangers without. Whoever shows another certificate than its pin is shown none.
    ///
    /// # Errors
    ///
    /// When the site file allows no network, there is too much to search, or a login is
    /// not where the file says.
    pub fn of(
        loaded: &LoadedSite,
        within: &[Network],
        ourselves: Vec<SocketAddr>,
        env: &dyn Fn(&str) -> Option<String>,
        pins: &Pins,
    ) -> anyhow::Result<Self> {
        let allowed = &loaded.devices.allowed;
        if allowed.is_empty() {
            bail!(
                "{}: expected networks that may be searched, found none; write \
                 `[network]` with `allow`",
                loaded.path.display()
            );
        }
        let within = if within.is_empty() { allowed.as_slice() } else { within };
        let addresses = addresses(within)?;
        let open::Known { devices, strangers } =
            open::known(loaded, ourselves, env, pins)?;
        let mut targets = Vec::new();
        let mut expected = BTreeMap::new();
        let is_within = |at: SocketAddr| match at.ip() {
            IpAddr::V4(at) => within.iter().any(|network| network.contains(at)),
            IpAddr::V6(_) => false,
        };
        for device in devices {
            let at = device.target.at;
            if is_within(at.address()) {
                let (load, pools) = (device.load, device.pools);
                expected.insert(at.to_string(), Expected { load, pools });
                targets.push(device.target);
            }
        }
        for address in addresses {
            for stranger in strangers.at(address) {
                if !expected.contains_key(&stranger.at.to_string()) {
                    targets.push(stranger);
                }
            }
        }
        Ok(Self { targets, expected })
    }
}

/// Every address of some networks where a device can be, each once.
fn addresses(within: &[Network]) -> anyhow::Result<Vec<Ipv4Addr>> {
    let can_be = |at: &Ipv4Addr| !matches!(at.octets()[3], 0 | 255);
    let all = within.iter().flat_map(Network::addresses).filter(can_be);
    let mut list: Vec<_> = all.take(ADDRESSES_MAX + 1).collect();
    if list.len() > ADDRESSES_MAX {
        bail!(
            "expected at most {ADDRESSES_MAX} addresses to search, found more; name the \
             networks to search now with --network"
        );
    }
    list.sort_unstable();
    list.dedup();
    Ok(list)
}

/// Where the census of a data folder is.
pub fn file_of(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

/// What was kept; nothing where there was no census yet.
///
/// # Errors
///
/// When it cannot be read, or is no census.
pub fn read(folder: &Path) -> anyhow::Result<Option<Kept>> {
    let path = file_of(folder);
    let told = || format!("cannot read the census {}", path.display());
    let length = match fs::metadata(&path) {
        Ok(about) => about.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(told),
    };
    if length > BYTES_MAX {
        bail!("{}: expected at most {BYTES_MAX} bytes, found {length}", told());
    }
    let text = fs::read_to_string(&path).with_context(told)?;
    let kept = serde_json::from_str(&text).with_context(|| {
        format!("{}; put it aside, and the next census is the first", told())
    })?;
    Ok(Some(kept))
}

/// Keeps a census in place of the one before, whole or not at all.
///
/// # Errors
///
/// When it cannot be written.
pub fn write(folder: &Path, kept: &Kept) -> anyhow::Result<()> {
    let path = file_of(folder);
    let told = || format!("cannot keep the census {}", path.display());
    small_file::replace_json(&path, kept).with_context(told)
}

/// Which of the program's troubles a census stands for, each with whether it does.
pub fn troubles(differences: &[Difference]) -> [(Trouble, bool); 3] {
    let is_of = |difference: &Difference| match difference {
        Difference::Pools { .. } | Difference::Unagreed { .. } => Trouble::PoolsChanged,
        Difference::Missing { .. } => Trouble::DevicesMissing,
        Difference::New { .. }
        | Difference::Moved { .. }
        | Difference::Replaced { .. }
        | Difference::Firmware { .. } => Trouble::DevicesChanged,
    };
    [Trouble::PoolsChanged, Trouble::DevicesMissing, Trouble::DevicesChanged].map(
        |what| (what, differences.iter().any(|difference| is_of(difference) == what)),
    )
}

/// Tells the loop of every census that is kept in its data folder, until it ends.
pub fn follow(folder: PathBuf, inbox: Sender<Happened>) {
    tokio::spawn(async move {
        let mut read_at: Option<SystemTime> = None;
        loop {
            let changed_at =
                fs::metadata(file_of(&folder)).and_then(|about| about.modified()).ok();
            if changed_at.is_some() && changed_at != read_at {
                read_at = changed_at;
                match read(&folder) {
                    Ok(kept) => {
                        let differences = kept.unwrap_or_default().differences;
                        tracing::info!(event = "census", differences = differences.len());
                        for (what, stands) in troubles(&differences) {
                            let trouble = Happened::Trouble(what, stands);
                            if inbox.send(trouble).await.is_err() {
                                return;
                            }
                        }
                    }
                    Err(error) => {
                        let error = format!("{error:#}");
                        tracing::warn!(event = "census_not_read", error);
                    }
                }
            }
            tokio::time::sleep(FOLLOW_EVERY).await;
            if inbox.is_closed() {
                return;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use adapters::census::Difference;
    use engine::Trouble;

    use super::{Kept, read, troubles, write};

    fn pools() -> Difference {
        Difference::Pools {
            address: "10.0.0.1:4028".to_owned(),
            from: vec!["stratum+tcp://ours:3333".to_owned()],
            to: vec!["stratum+tcp://theirs:3333".to_owned()],
            pinned: true,
        }
    }

    #[test]
    fn a_census_is_kept_and_read_again() {
        let name = format!("mw-census-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        assert!(read(&folder).expect("nothing is wrong").is_none());
        let kept = Kept { differences: vec![pools()], ..Kept::default() };
        write(&folder, &kept).expect("it can be written");
        assert_eq!(read(&folder).expect("a census"), Some(kept));
        std::fs::write(super::file_of(&folder), "{").expect("written");
        assert!(read(&folder).is_err());
        std::fs::remove_dir_all(&folder).expect("it was there");
    }

    #[test]
    fn what_is_different_becomes_an_alarm_and_what_is_not_ends_it() {
        let missing = Difference::Missing { address: "a".to_owned(), last_seen: None };
        let stands = |differences: &[Difference]| {
            let all = troubles(differences).into_iter();
            all.filter(|(_, stands)| *stands).map(|(what, _)| what).collect::<Vec<_>>()
        };
        assert_eq!(stands(&[]), []);
        assert_eq!(stands(&[pools()]), [Trouble::PoolsChanged]);
        assert_eq!(
            stands(&[missing, pools()]),
            [Trouble::PoolsChanged, Trouble::DevicesMissing]
        );
    }
}
