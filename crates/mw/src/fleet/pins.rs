//! The certificates that devices showed first, kept from one start to the next.
//!
//! Trust on first use: a controller signs its own certificate, so what it showed first is
//! written down, and one that shows another is not spoken to until a person has taken its
//! line out of the file. A run that lives in the same folder raises an alarm by it.
//!
//! Invariant: a line is written once and never changed by the program.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use adapters::device::redfish::{Fingerprint, Pin};
use anyhow::{Context, bail};
use engine::Trouble;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::Sender;
use tokio::time::MissedTickBehavior;

use crate::live::Happened;
use crate::small_file;

/// Its name in a run's data folder.
pub const FILE: &str = "certificates.json";

/// The largest that is read: some hundred thousand devices.
const BYTES_MAX: u64 = 32 << 20;

/// How often is written down what is new.
const KEEP_EVERY: Duration = Duration::from_secs(2);

/// How often a run looks whether anything is different.
const FOLLOW_EVERY: Duration = Duration::from_secs(5);

/// What is in the file: SHA-256 of certificates, by address and port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// What each showed first.
    pub pinned: BTreeMap<String, String>,
    /// What some show now instead.
    pub refused: BTreeMap<String, String>,
}

/// The pins of a site's devices. Clones are the same pins.
#[derive(Clone, Debug, Default)]
pub struct Pins(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Nothing: they are forgotten with the program.
    path: Option<PathBuf>,
    known: BTreeMap<String, Fingerprint>,
    pins: Mutex<BTreeMap<String, Pin>>,
    written: Mutex<Kept>,
}

impl Pins {
    /// Those of a data folder; none yet where it has no file of them.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or is not one of certificates: then nobody knows who
    /// is to be trusted.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(FILE);
        let written = read(&path)?.unwrap_or_default();
        let mut known = BTreeMap::new();
        for (address, text) in &written.pinned {
            let fingerprint = Fingerprint::parse(text).with_context(|| {
                format!(
                    "{}: expected 64 hexadecimal digits for {address}, found `{text}`; \
                     take the line out to trust what it shows next",
                    path.display()
                )
            })?;
            known.insert(address.clone(), fingerprint);
        }
        let written = Mutex::new(written);
        let path = Some(path);
        Ok(Self(Arc::new(Shared { path, known, pins: Mutex::default(), written })))
    }

    /// The pin of the device at an address, one for all who speak to it.
    pub fn of(&self, at: SocketAddr) -> Pin {
        let at = at.to_string();
        let mut pins = self.0.pins.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.0.known.get(&at).copied();
        pins.entry(at).or_insert_with(|| Pin::new(known)).clone()
    }

    /// As they stand. Devices that nobody asked for keep their lines.
    fn stand(&self) -> Kept {
        let mut kept = Kept {
            pinned: self
                .0
                .known
                .iter()
                .map(|(at, it)| (at.clone(), it.to_string()))
                .collect(),
            refused: BTreeMap::new(),
        };
        let pins = self.0.pins.lock().unwrap_or_else(PoisonError::into_inner);
        for (at, pin) in pins.iter() {
            if let Some(pinned) = pin.fingerprint() {
                kept.pinned.insert(at.clone(), pinned.to_string());
            }
            if let Some(refused) = pin.refused() {
                kept.refused.insert(at.clone(), refused.to_string());
            }
        }
        kept
    }

    /// Writes down what is new, whole or not at all.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn keep(&self) -> anyhow::Result<()> {
        let Some(path) = &self.0.path else { return Ok(()) };
        let stand = self.stand();
        let mut written = self.0.written.lock().unwrap_or_else(PoisonError::into_inner);
        if *written == stand {
            return Ok(());
        }
        let told = || format!("cannot keep the certificates {}", path.display());
        small_file::replace_json(path, &stand).with_context(told)?;
        for (address, shown) in &stand.refused {
            if written.refused.get(address) != Some(shown) {
                tracing::error!(event = "certificate_changed", address, shown);
            }
        }
        *written = stand;
        Ok(())
    }

    /// Writes down what is new from time to time, on a current runtime, until that ends.
    pub fn keep_on(self) {
        if self.0.path.is_none() {
            return;
        }
        tokio::spawn(async move {
            let mut turn = tokio::time::interval(KEEP_EVERY);
            turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                turn.tick().await;
                if let Err(error) = self.keep() {
                    tracing::warn!(
                        event = "certificates_not_kept",
                        error = format!("{error:#}")
                    );
                }
            }
        });
    }
}

fn read(path: &Path) -> anyhow::Result<Option<Kept>> {
    let told = || format!("cannot read the certificates {}", path.display());
    let length = match fs::metadata(path) {
        Ok(about) => about.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(told),
    };
    if length > BYTES_MAX {
        bail!("{}: expected at most {BYTES_MAX} bytes, found {length}", told());
    }
    let text = fs::read_to_string(path).with_context(told)?;
    Ok(Some(serde_json::from_str(&text).with_context(|| {
        format!("{}; put it aside, and whatever devices show next is trusted", told())
    })?))
}

/// Tells the loop whether devices show other certificates than they did, by the file in
/// its data folder, until it ends.
pub fn follow(folder: PathBuf, inbox: Sender<Happened>) {
    tokio::spawn(async move {
        let path = folder.join(FILE);
        let mut read_at: Option<SystemTime> = None;
        while !inbox.is_closed() {
            let changed_at = fs::metadata(&path).and_then(|about| about.modified()).ok();
            if changed_at.is_some() && changed_at != read_at {
                read_at = changed_at;
                match read(&path) {
                    Ok(kept) => {
                        let stands = !kept.unwrap_or_default().refused.is_empty();
                        let trouble =
                            Happened::Trouble(Trouble::CertificatesChanged, stands);
                        if inbox.send(trouble).await.is_err() {
                            return;
                        }
                    }
                    Err(error) => {
                        let error = format!("{error:#}");
                        tracing::warn!(event = "certificates_not_read", error);
                    }
                }
            }
            tokio::time::sleep(FOLLOW_EVERY).await;
        }
    });
}
