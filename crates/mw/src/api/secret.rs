//! The secret of a run's HTTP door: it signs cursors and sessions.
//!
//! 32 random bytes in the data folder, for the run's user alone; what is signed is
//! good after a restart, and for this run only.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The secret's file in a run's data folder.
pub const FILE: &str = "http.key";

/// Signs and checks.
#[derive(Clone)]
pub struct Secret([u8; 32]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Random bytes from the system.
///
/// # Errors
///
/// When the system has none to give.
pub fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    match getrandom::fill(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(error) => {
            bail!("expected random numbers from the system, found none: {error}")
        }
    }
}

/// Bytes as text that can stand in an address.
pub fn text_of(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// The bytes of such a text.
pub fn bytes_of(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}

impl Secret {
    /// Reads the secret of a data folder, or makes one.
    ///
    /// # Errors
    ///
    /// When it cannot be read or made, or others could read it.
    pub fn load_or_create(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(FILE);
        let at = || format!("{}", path.display());
        match fs::read(&path) {
            Ok(bytes) => {
                let mode = fs::metadata(&path).with_context(at)?.permissions().mode();
                if mode & 0o077 != 0 {
                    bail!(
                        "{}: expected a secret that its owner alone can read, found mode \
                         {:o}; remove it, and a new one is made",
                        path.display(),
                        mode & 0o7777
                    );
                }
                let found = bytes.len();
                let Ok(bytes) = <[u8; 32]>::try_from(bytes) else {
                    bail!(
                        "{}: expected a secret of 32 bytes, found {found}; remove it, and a \
                         new one is made",
                        path.display()
                    );
                };
                Ok(Self(bytes))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let bytes = random()?;
                let mut options = OpenOptions::new();
                options.write(true).create_new(true).mode(0o600);
                let mut file = options.open(&path).with_context(at)?;
                file.write_all(&bytes).with_context(at)?;
                file.sync_all().with_context(at)?;
                Ok(Self(bytes))
            }
            Err(error) => Err(error).with_context(at),
        }
    }

    /// The signature of some text, for a use that has a word of its own.
    pub fn sign(&self, word: &str, text: &str) -> String {
        text_of(&self.mac(word, text).finalize().into_bytes())
    }

    /// Whether a signature is that of the text. Takes as long for a wrong one.
    pub fn is_of(&self, signature: &str, word: &str, text: &str) -> bool {
        let Some(bytes) = bytes_of(signature) else { return false };
        self.mac(word, text).verify_slice(&bytes).is_ok()
    }

    fn mac(&self, word: &str, text: &str) -> Hmac<Sha256> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes every key");
        mac.update(word.as_bytes());
        mac.update(&[0]);
        mac.update(text.as_bytes());
        mac
    }

    /// A secret for tests.
    #[cfg(test)]
    pub(super) fn of(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}
