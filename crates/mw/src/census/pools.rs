//! The pools that a site's machines are held to: pinned by the site file, and changed only
//! where two people agree.
//!
//! What the site file says at the first census is what is pinned. Whoever edits the file
//! later changes nothing by it alone: machines are held to what was agreed on, and that
//! the file says something else is a difference, until a second person has agreed to it.
//! People are who their tokens say they are.
//!
//! Invariant: what is pinned changes by two different people's word on the same pools.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use adapters::census::Difference;
use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use units::Timestamp;

use crate::api::role::Permission;
use crate::api::token::Register;
use crate::config::LoadedSite;
use crate::small_file;

/// Its name in a run's data folder.
pub const FILE: &str = "pools.json";

/// What was agreed on, load by load.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agreed {
    /// Where each load's machines are to send their work.
    pub pinned: BTreeMap<String, Pinned>,
    /// What one person wants and nobody has agreed to yet.
    pub asked: BTreeMap<String, Asked>,
}

/// The pools that a load is held to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pinned {
    /// The pools, most preferred first.
    pub pools: Vec<String>,
    /// Since when.
    pub since: Timestamp,
    /// Who agreed; nobody did to what the site file said first.
    pub by: Vec<String>,
}

/// What one person wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// The pools, as the site file had them then.
    pub pools: Vec<String>,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// What came of a person's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// A second person has to agree.
    Asked,
    /// Two people agree: it is pinned.
    Pinned,
}

/// What a site file says of the pools of each load whose devices it places.
pub fn written(loaded: &LoadedSite) -> BTreeMap<String, Vec<String>> {
    let loads = loaded.site.loads.iter().zip(&loaded.devices.loads);
    loads
        .filter_map(|(load, placed)| {
            Some((load.name.clone(), placed.as_ref()?.pools.clone()))
        })
        .collect()
}

/// Who a token of the folder's belongs to, if they may agree: operators and admins.
///
/// # Errors
///
/// When it is no token of the folder's, has ended, or its owner may not.
pub fn person(folder: &Path, secret: &str, now: Timestamp) -> anyhow::Result<String> {
    let token = Register::of(folder).known(secret.trim(), now);
    let token = token.with_context(|| {
        format!(
            "expected a token of {}, found one that is not or has ended; make one with \
             `mw token create`",
            folder.display()
        )
    })?;
    if !token.may(Permission::HandLoads) && !token.may(Permission::Reload) {
        bail!(
            "expected the token of an operator or an admin, found {}'s, who is neither",
            token.owner
        );
    }
    Ok(token.owner)
}

impl Agreed {
    /// What a data folder has; nothing where there is none yet.
    ///
    /// # Errors
    ///
    /// When it cannot be read: then nobody knows what was agreed on.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = file_of(folder);
        let told = || format!("cannot read the pools {}", path.display());
        match fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).with_context(|| {
                format!("{}; put it aside, and what the site file says is pinned", told())
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Ok(Self::default())
            }
            Err(error) => Err(error).with_context(told),
        }
    }

    /// Keeps it, whole or not at all.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let path = file_of(folder);
        let told = || format!("cannot keep the pools {}", path.display());
        small_file::replace_json(&path, self).with_context(told)
    }

    /// Pins what a site file says of loads that have nothing pinned yet.
    pub fn pin_first(&mut self, written: &BTreeMap<String, Vec<String>>, at: Timestamp) {
        for (load, pools) in written.iter().filter(|(_, pools)| !pools.is_empty()) {
            let first = || Pinned { pools: pools.clone(), since: at, by: Vec::new() };
            self.pinned.entry(load.clone()).or_insert_with(first);
        }
    }

    /// Where machines of a load are to send their work.
    pub fn of(&self, load: &str) -> &[String] {
        self.pinned.get(load).map_or(&[], |pinned| &pinned.pools)
    }

    /// Where a site file says otherwise than was agreed on.
    pub fn differences(
        &self,
        written: &BTreeMap<String, Vec<String>>,
    ) -> Vec<Difference> {
        let differs = |(load, written): (&String, &Vec<String>)| {
            let agreed = self.of(load);
            (agreed != written.as_slice()).then(|| Difference::Unagreed {
                load: load.clone(),
                agreed: agreed.to_vec(),
                written: written.clone(),
            })
        };
        written.iter().filter_map(differs).collect()
    }

    /// A person wants what the site file says of a load, or agrees to it.
    ///
    /// # Errors
    ///
    /// When the load is not in the site file, its pools are already pinned, or it is the
    /// same person again.
    pub fn agree(
        &mut self,
        load: &str,
        written: &BTreeMap<String, Vec<String>>,
        by: &str,
        at: Timestamp,
    ) -> anyhow::Result<Came> {
        let Some(pools) = written.get(load) else {
            bail!("expected a load of the site file with `devices`, found `{load}`");
        };
        if self.of(load) == pools.as_slice() {
            bail!(
                "expected other pools than are pinned, found the same; nothing is to agree on"
            );
        }
        match self.asked.get(load) {
            Some(asked) if asked.pools == *pools && asked.by == by => bail!(
                "expected another person than {by}, who asked for it at {}; two have to agree",
                asked.at
            ),
            Some(asked) if asked.pools == *pools => {
                let both = vec![asked.by.clone(), by.to_owned()];
                let pinned = Pinned { pools: pools.clone(), since: at, by: both };
                self.pinned.insert(load.to_owned(), pinned);
                self.asked.remove(load);
                Ok(Came::Pinned)
            }
            // What was asked for is not what the file says any more.
            Some(_) | None => {
                let asked = Asked { pools: pools.clone(), by: by.to_owned(), at };
                self.asked.insert(load.to_owned(), asked);
                Ok(Came::Asked)
            }
        }
    }
}

fn file_of(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use units::Timestamp;

    use super::{Agreed, Came};

    const AT: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);

    fn says(pool: &str) -> BTreeMap<String, Vec<String>> {
        let pools = if pool.is_empty() { Vec::new() } else { vec![pool.to_owned()] };
        [("rigs".to_owned(), pools)].into()
    }

    #[test]
    fn one_person_changes_nothing_and_two_do() {
        let mut agreed = Agreed::default();
        agreed.pin_first(&says("ours"), AT);
        assert_eq!(agreed.differences(&says("ours")), []);
        // Whoever edits the file, or takes its pools out, changes nothing by it.
        for edited in ["theirs", ""] {
            agreed.pin_first(&says(edited), AT);
            assert_eq!(agreed.of("rigs"), ["ours"]);
            assert_eq!(agreed.differences(&says(edited)).len(), 1, "{edited}");
        }
        let mut agree = |pool, by| {
            agreed.agree("rigs", &says(pool), by, AT).map_err(|error| error.to_string())
        };
        assert_eq!(agree("new", "ana"), Ok(Came::Asked));
        let again = agree("new", "ana").expect_err("the same person");
        assert!(again.contains("another person than ana"), "{again}");
        // The file changed meanwhile: the second person's word is about something else.
        assert_eq!(agree("theirs", "ben"), Ok(Came::Asked));
        assert_eq!(agree("new", "ana"), Ok(Came::Asked));
        assert_eq!(agree("new", "ben"), Ok(Came::Pinned));
        let same = agree("new", "cleo").expect_err("it is pinned");
        assert!(same.contains("the same"), "{same}");
        assert_eq!(agreed.of("rigs"), ["new"]);
        assert_eq!(agreed.pinned["rigs"].by, ["ana", "ben"]);
        assert_eq!((agreed.differences(&says("new")), agreed.asked.len()), (vec![], 0));
        assert!(agreed.agree("nobody", &says("new"), "ana", AT).is_err());
    }
}
