//! What is different: from the census before, and from what the site file says.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use units::Timestamp;

use super::{Census, Entry};

/// What the site file expects at an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// Which load it belongs to.
    pub load: String,
    /// Where it is to send its work; empty is not watched.
    pub pools: Vec<String>,
}

/// One thing that a person has to know of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Difference {
    /// It was there before, or the site file says that it is, and nobody opens.
    Missing {
        /// Where.
        address: String,
        /// When it was found last; `None` is never.
        last_seen: Option<Timestamp>,
    },
    /// Nobody was there before.
    New {
        /// Where.
        address: String,
        /// Whether the site file says so.
        expected: bool,
        /// What it says it is.
        what: String,
    },
    /// A device is at another address than before.
    Moved {
        /// Its serial number.
        serial: String,
        /// Where it was.
        from: String,
        /// Where it is.
        to: String,
    },
    /// Another device answers at an address.
    Replaced {
        /// Where.
        address: String,
        /// The serial number before.
        from: String,
        /// The serial number now.
        to: String,
    },
    /// Its firmware is another.
    Firmware {
        /// Where.
        address: String,
        /// Before.
        from: String,
        /// Now.
        to: String,
    },
    /// It sends its work elsewhere than before, or than the site file says.
    Pools {
        /// Where.
        address: String,
        /// Where it sent it, or was to.
        from: Vec<String>,
        /// Where it sends it now.
        to: Vec<String>,
        /// Whether the site file says otherwise.
        pinned: bool,
    },
    /// The site file names other pools than people agreed on.
    Unagreed {
        /// Of which load.
        load: String,
        /// What was agreed on.
        agreed: Vec<String>,
        /// What the file says.
        written: Vec<String>,
    },
}

impl Difference {
    /// The address that it is about, or the load.
    pub fn address(&self) -> &str {
        match self {
            Self::Missing { address, .. }
            | Self::New { address, .. }
            | Self::Replaced { address, .. }
            | Self::Firmware { address, .. }
            | Self::Pools { address, .. } => address,
            Self::Moved { to, .. } => to,
            Self::Unagreed { load, .. } => load,
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { address, last_seen: Some(at) } => {
                write!(f, "{address} is missing, it was found last at {at}")
            }
            Self::Missing { address, last_seen: None } => {
                write!(f, "{address} is missing, it was never found")
            }
            Self::New { address, expected: true, what } => {
                write!(f, "{address} is new: {what}")
            }
            Self::New { address, expected: false, what } => {
                write!(f, "{address} is new, and in no load of the site file: {what}")
            }
            Self::Moved { serial, from, to } => {
                write!(f, "{serial} was at {from} and is at {to}")
            }
            Self::Replaced { address, from, to } => {
                write!(f, "{address} was {from} and is {to}")
            }
            Self::Firmware { address, from, to } => {
                write!(f, "{address} had firmware {from} and has {to}")
            }
            Self::Pools { address, from, to, pinned } => {
                let (from, to) = (from.join(", "), to.join(", "));
                let was =
                    if *pinned { "is to send its work to" } else { "sent its work to" };
                write!(f, "{address} {was} {from}, and sends it to {to}")
            }
            Self::Unagreed { load, agreed, written } => {
                let named = |pools: &[String]| match pools {
                    [] => "no pool".to_owned(),
                    pools => pools.join(", "),
                };
                let (agreed, written) = (named(agreed), named(written));
                write!(
                    f,
                    "{load} is to send its work to {agreed}, and the site file says \
                     {written}; two people have to agree"
                )
            }
        }
    }
}

impl Census {
    /// What is different now from `before` and from what is `expected`, by address.
    pub fn differences(
        &self,
        before: &Self,
        expected: &BTreeMap<String, Expected>,
    ) -> Vec<Difference> {
        let is_here = |entry: &Entry| Some(entry.last_seen) == self.taken_at;
        let was_there = |entry: &Entry| Some(entry.last_seen) == before.taken_at;
        let here: BTreeMap<&str, &Entry> = self
            .devices
            .iter()
            .filter(|(_, entry)| is_here(entry))
            .map(|(address, entry)| (address.as_str(), entry))
            .collect();
        let mut list = Vec::new();
        let by_serial: BTreeMap<&str, &str> = before
            .devices
            .iter()
            .filter_map(|(address, entry)| {
                Some((entry.found.serial.as_deref()?, address.as_str()))
            })
            .collect();
        for (address, entry) in &here {
            list.extend(changes(
                address,
                entry,
                before.devices.get(*address),
                &by_serial,
                &here,
                expected.get(*address),
                before.taken_at.is_some(),
            ));
        }
        let moved: Vec<String> = list
            .iter()
            .filter_map(|difference| match difference {
                Difference::Moved { from, .. } => Some(from.clone()),
                Difference::Missing { .. }
                | Difference::New { .. }
                | Difference::Replaced { .. }
                | Difference::Firmware { .. }
                | Difference::Pools { .. }
                | Difference::Unagreed { .. } => None,
            })
            .collect();
        for (address, entry) in &self.devices {
            let known = was_there(entry) || expected.contains_key(address);
            if !is_here(entry) && known && !moved.contains(address) {
                let last_seen = Some(entry.last_seen);
                list.push(Difference::Missing { address: address.clone(), last_seen });
            }
        }
        for address in expected.keys().filter(|at| !self.devices.contains_key(*at)) {
            list.push(Difference::Missing { address: address.clone(), last_seen: None });
        }
        list.sort_by(|a, b| a.address().cmp(b.address()));
        list
    }
}

/// What is different about one device that is there.
fn changes(
    address: &str,
    now: &Entry,
    before: Option<&Entry>,
    by_serial: &BTreeMap<&str, &str>,
    here: &BTreeMap<&str, &Entry>,
    expected: Option<&Expected>,
    is_second: bool,
) -> Vec<Difference> {
    let mut list = Vec::new();
    let at = || address.to_owned();
    let found = &now.found;
    let serial = found.serial.as_deref();
    // Where it was before, unless another of that number is still there.
    let from = serial.and_then(|serial| by_serial.get(serial)).filter(|from| {
        let there = here.get(*from).and_then(|entry| entry.found.serial.as_deref());
        **from != address && there != serial
    });
    if let (Some(from), Some(serial)) = (from, serial) {
        let (serial, from) = (serial.to_owned(), (*from).to_owned());
        list.push(Difference::Moved { serial, from, to: at() });
    } else if before.is_none() && (is_second || expected.is_none()) {
        let what = [&found.maker, &found.model, &found.serial];
        let said: Vec<_> = what.into_iter().flatten().map(String::as_str).collect();
        let what = if said.is_empty() { found.speaks.clone() } else { said.join(" ") };
        list.push(Difference::New { address: at(), expected: expected.is_some(), what });
    }
    let pinned = expected.map_or(&[][..], |expected| &expected.pools);
    let strays = !pinned.is_empty()
        && !found.pools.is_empty()
        && found.pools.iter().any(|pool| !pinned.contains(pool));
    if strays {
        let (from, to) = (pinned.to_vec(), found.pools.clone());
        list.push(Difference::Pools { address: at(), from, to, pinned: true });
    }
    let Some(before) = before.map(|entry| &entry.found) else {
        return list;
    };
    if let (Some(from), Some(to)) = (&before.serial, &found.serial)
        && from != to
    {
        let (from, to) = (from.clone(), to.clone());
        list.push(Difference::Replaced { address: at(), from, to });
    } else if let (Some(from), Some(to)) = (&before.firmware, &found.firmware)
        && from != to
    {
        let (from, to) = (from.clone(), to.clone());
        list.push(Difference::Firmware { address: at(), from, to });
    }
    let both = !before.pools.is_empty() && !found.pools.is_empty();
    if !strays && both && before.pools != found.pools {
        let (from, to) = (before.pools.clone(), found.pools.clone());
        list.push(Difference::Pools { address: at(), from, to, pinned: false });
    }
    list
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use units::{Seconds, Timestamp};

    use super::Expected;
    use crate::census::{Census, Found};

    const FIRST: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);

    /// `address serial firmware pool`, a device a line; `-` is not said.
    fn found(text: &str) -> BTreeMap<String, Found> {
        let devices = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let device = |line: &str| {
            let words: Vec<_> = line.split_whitespace().collect();
            let said = |at: usize| {
                words.get(at).filter(|word| **word != "-").map(|word| (*word).to_owned())
            };
            let found = Found {
                speaks: "whatsminer".to_owned(),
                serial: said(1),
                firmware: said(2),
                pools: said(3).into_iter().collect(),
                ..Found::default()
            };
            (words[0].to_owned(), found)
        };
        devices.map(device).collect()
    }

    fn check(before: &str, now: &str, expected: &[&str]) {
        let expects =
            Expected { load: "rigs".to_owned(), pools: vec!["ours".to_owned()] };
        let said = ["a", "b", "c"].map(|at| (at.to_owned(), expects.clone()));
        let before = Census::default().after(found(before), FIRST);
        let now = before.after(found(now), FIRST + Seconds::hours(24));
        let differences = now.differences(&before, &said.into());
        let shown: Vec<_> = differences.iter().map(ToString::to_string).collect();
        assert_eq!(shown, expected, "{differences:?}");
    }

    #[test]
    fn what_is_different_is_told_and_what_is_the_same_is_not() {
        let all = "a 1 v1 ours\n b 2 v1 ours\n c 3 v1 ours";
        check(all, all, &[]);
        let cases = [
            (
                "a 1 v1 ours\n b 2 v1 ours",
                "c is missing, it was found last at 2027-01-15T08:00Z",
            ),
            ("a 1 v1 ours\n b 2 v2 ours\n c 3 v1 ours", "b had firmware v1 and has v2"),
            ("a 1 v1 ours\n b 9 v2 ours\n c 3 v1 ours", "b was 2 and is 9"),
            (
                "a 1 v1 ours\n b 2 v1 ours\n c 3 v1 theirs",
                "c is to send its work to ours, and sends it to theirs",
            ),
            (
                "a 1 v1 ours\n b 2 v1 ours\n c 3 v1 ours\n d 4 v1 -",
                "d is new, and in no load of the site file: 4",
            ),
            ("a 1 v1 ours\n b 2 v1 ours\n d 3 v1 -", "3 was at c and is at d"),
        ];
        for (now, expected) in cases {
            check(all, now, &[expected]);
        }
    }

    #[test]
    fn what_does_not_say_what_it_is_has_not_changed() {
        check(
            "a 1 v1 ours\n b 2 v1 ours\n c 3 v1 ours",
            "a - - -\n b 2 v1 ours\n c 3 - ours",
            &[],
        );
    }

    #[test]
    fn the_first_census_tells_of_what_the_site_file_does_not() {
        let now = Census::default().after(found("a 1 v1 ours\n x 7 v1 -"), FIRST);
        let expects = Expected::default();
        let said = ["a", "b"].map(|at| (at.to_owned(), expects.clone()));
        let differences = now.differences(&Census::default(), &said.into());
        let shown: Vec<_> = differences.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "b is missing, it was never found",
                "x is new, and in no load of the site file: 7"
            ]
        );
    }

    #[test]
    fn who_is_missing_stays_in_the_census() {
        let before = Census::default().after(found("a 1 v1 ours"), FIRST);
        let now = before.after(BTreeMap::new(), FIRST + Seconds::hours(24));
        assert_eq!(now.devices["a"].last_seen, FIRST);
        let again = now.after(BTreeMap::new(), FIRST + Seconds::hours(48));
        let expects = [("a".to_owned(), Expected::default())];
        assert_eq!(again.differences(&now, &expects.into()).len(), 1);
        // Who belongs nowhere and is gone is told of once.
        assert_eq!(again.differences(&now, &BTreeMap::new()), []);
    }
}
