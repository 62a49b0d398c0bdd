//! Who is on the site's networks: a search, and what is different from the last one.
//!
//! [`search`] knocks at addresses at a steady pace and asks whoever opens what it is;
//! [`Census`] is what was found, kept from one search to the next; [`Difference`] is what
//! a person has to know of.
//!
//! Invariant: only allowed networks are searched, and never the program's own listeners:
//! whoever is asked was [`Reached`].
//! Invariant: an address is knocked at once in a search, and no faster than the pace, over
//! all and in one /24.
//! Invariant: who was found once and is not any more stays in the census as missing.

mod differences;

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use units::Timestamp;

pub use differences::{Difference, Expected};

use crate::device::{Driver, Identity, Reached, Unanswered};

/// How fast is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How many addresses are knocked at in a second, over all networks.
    pub per_second: u32,
    /// The same in one /24: a switch, and often a small one.
    pub per_second_in_subnet: u32,
    /// How long an address may take to open.
    pub open_within: Duration,
    /// How long whoever opened may take to say what it is.
    pub identify_within: Duration,
}

impl Pace {
    /// So many addresses a second, at most 50 of them in one /24.
    pub fn of(per_second: u32) -> Self {
        Self {
            per_second: per_second.max(1),
            per_second_in_subnet: 50,
            open_within: Duration::from_secs(2),
            identify_within: Duration::from_secs(5),
        }
    }
}

/// One address to knock at, and who may be there: asked in turn until one is understood.
#[derive(Debug)]
pub struct Target {
    /// Where.
    pub at: Reached,
    /// What may be spoken there, by name, and a driver for it.
    pub speaks: Vec<(&'static str, Arc<dyn Driver>)>,
}

/// What a device said it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// What it speaks; `unknown` where somebody opened and was not understood.
    pub speaks: String,
    /// Who made it.
    pub maker: Option<String>,
    /// Its model.
    pub model: Option<String>,
    /// Its serial number, or its hardware address.
    pub serial: Option<String>,
    /// Its firmware.
    pub firmware: Option<String>,
    /// Where it sends its work, most preferred first.
    pub pools: Vec<String>,
}

/// A device as the census keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What it said it is, when it was found last.
    pub found: Found,
    /// When it was found there first.
    pub first_seen: Timestamp,
    /// When it was found there last.
    pub last_seen: Timestamp,
}

/// Who was found where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Census {
    /// When the last search began.
    pub taken_at: Option<Timestamp>,
    /// Who was found, by address and port.
    pub devices: BTreeMap<String, Entry>,
}

impl Census {
    /// The census after another search: what was found now, and what was found before and
    /// is missing.
    #[must_use]
    pub fn after(&self, found: BTreeMap<String, Found>, at: Timestamp) -> Self {
        let mut devices = self.devices.clone();
        for (address, found) in found {
            let before = devices.get(&address);
            let first_seen = before.map_or(at, |entry| entry.first_seen);
            devices.insert(address, Entry { found, first_seen, last_seen: at });
        }
        Self { taken_at: Some(at), devices }
    }
}

/// Knocks at every target and asks who opens. `heard` is told of every address that is
/// done, and how many are left.
pub async fn search(
    targets: Vec<Target>,
    pace: Pace,
    mut heard: impl FnMut(usize),
) -> BTreeMap<String, Found> {
    let mut waiting = by_subnet(targets);
    let mut left: usize = waiting.values().map(|subnet| subnet.targets.len()).sum();
    let mut asked = JoinSet::new();
    let mut found = BTreeMap::new();
    let beat = Duration::from_secs(1) / pace.per_second;
    let within = Duration::from_secs(1) / pace.per_second_in_subnet.max(1);
    let mut beats = tokio::time::interval(beat);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Subnets in turn, so that no switch is knocked at in a burst.
    let mut turns: VecDeque<u32> = waiting.keys().copied().collect();
    while !turns.is_empty() || !asked.is_empty() {
        tokio::select! {
            Some(joined) = asked.join_next() => {
                left -= 1;
                heard(left);
                if let Ok(Some((at, what))) = joined {
                    found.insert(at, what);
                }
            }
            _ = beats.tick(), if !turns.is_empty() => {
                let now = Instant::now();
                let due = turns.iter().position(|turn| waiting[turn].from <= now);
                let Some(turn) = due.and_then(|due| turns.remove(due)) else { continue };
                let subnet = waiting.get_mut(&turn).expect("a subnet in turn");
                subnet.from = now + within;
                if let Some(target) = subnet.targets.pop_front() {
                    asked.spawn(ask(target, pace));
                }
                if !subnet.targets.is_empty() {
                    turns.push_back(turn);
                }
            }
        }
    }
    found
}

struct Subnet {
    targets: VecDeque<Target>,
    /// When it may be knocked at next.
    from: Instant,
}

fn by_subnet(targets: Vec<Target>) -> BTreeMap<u32, Subnet> {
    let mut subnets = BTreeMap::new();
    for target in targets {
        let of = match target.at.address().ip() {
            IpAddr::V4(address) => u32::from(address) >> 8,
            IpAddr::V6(_) => 0,
        };
        let empty = || Subnet { targets: VecDeque::new(), from: Instant::now() };
        subnets.entry(of).or_insert_with(empty).targets.push_back(target);
    }
    subnets
}

/// Who is at an address; `None` where nobody opens.
async fn ask(target: Target, pace: Pace) -> Option<(String, Found)> {
    let opens = Instant::now() + pace.open_within;
    // Nobody is asked anything where nobody opens.
    drop(target.at.connect(opens.into_std()).await.ok()?);
    let at = target.at.to_string();
    for (speaks, driver) in target.speaks {
        let by = Instant::now() + pace.identify_within;
        let identity = tokio::time::timeout_at(by, driver.identify(by.into_std())).await;
        let Ok(Ok(identity)) = identity else {
            // It keeps who it is from us, and still is one of these.
            if let Ok(Err(Unanswered::Login)) = identity {
                return Some((
                    at,
                    Found { speaks: speaks.to_owned(), ..Found::default() },
                ));
            }
            continue;
        };
        if identity == Identity::default() {
            continue;
        }
        let by = Instant::now() + pace.identify_within;
        let look = tokio::time::timeout_at(by, driver.look(by.into_std())).await;
        let pools = match look {
            Ok(Ok(look)) => {
                look.pools.iter().map(|pool| pool.as_str().to_owned()).collect()
            }
            Ok(Err(_)) | Err(_) => Vec::new(),
        };
        let text = |text: Option<crate::device::DeviceText>| {
            text.map(|text| text.as_str().to_owned())
        };
        let found = Found {
            speaks: speaks.to_owned(),
            maker: text(identity.maker),
            model: text(identity.model),
            serial: text(identity.serial),
            firmware: text(identity.firmware),
            pools,
        };
        return Some((at, found));
    }
    Some((at, Found { speaks: "unknown".to_owned(), ..Found::default() }))
}
