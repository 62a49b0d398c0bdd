//! The key that signs checkpoints.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

use super::chain::{from_hex, hex};

/// A signing key, Ed25519.
pub struct Key(SigningKey);

/// What others need to check a signature.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The file cannot be read or made.
    #[error("cannot {doing} the key file {}", path.display())]
    File {
        /// `read` or `create`.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Others than its owner may read the file.
    #[error(
        "expected the key file {} to be readable by its owner alone (mode 0600), found mode \
         {mode:04o}; `chmod 600` it, and make a new key if others may have read it",
        path.display()
    )]
    Open {
        /// Which file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The file holds something else.
    #[error(
        "expected 64 hexadecimal digits in the key file {}, found {found} bytes of something \
         else; restore it from its backup",
        path.display()
    )]
    NotAKey {
        /// Which file.
        path: PathBuf,
        /// How many bytes it holds.
        found: usize,
    },
    /// Text is not a public key.
    #[error("expected a public key of 64 hexadecimal digits, found `{0}`")]
    NotPublic(String),
    /// The system gave no random numbers.
    #[error("expected random numbers from the system, found none: {0}")]
    NoRandomness(String),
}

impl Key {
    /// Reads the key at `path`, or makes one there that its owner alone can read.
    ///
    /// Whoever has the file can sign in the site's name: back it up apart from
    /// the store.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyError> {
        match fs::read(path) {
            Ok(bytes) => Self::from_file(path, &bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let key = Self::generate()?;
                key.write(path).map_err(|source| KeyError::File {
                    doing: "create",
                    path: path.to_owned(),
                    source,
                })?;
                Ok(key)
            }
            Err(source) => {
                Err(KeyError::File { doing: "read", path: path.to_owned(), source })
            }
        }
    }

    /// Reads the key at `path`, which has to be there.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let bytes = fs::read(path).map_err(|source| KeyError::File {
            doing: "read",
            path: path.to_owned(),
            source,
        })?;
        Self::from_file(path, &bytes)
    }

    /// A new key that is nowhere yet.
    pub fn generate() -> Result<Self, KeyError> {
        Ok(Self(SigningKey::from_bytes(&random()?)))
    }

    /// The key whose secret is `seed`. For tests: a real key is generated.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&seed))
    }

    /// The part that others may see.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }

    fn from_file(path: &Path, bytes: &[u8]) -> Result<Self, KeyError> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let kept = fs::metadata(path).map_err(|source| KeyError::File {
                doing: "read",
                path: path.to_owned(),
                source,
            })?;
            let mode = kept.permissions().mode() & 0o7777;
            if mode & 0o077 != 0 {
                return Err(KeyError::Open { path: path.to_owned(), mode });
            }
        }
        let seed =
            std::str::from_utf8(bytes).ok().and_then(|text| from_hex(text.trim_end()));
        let seed = seed.ok_or_else(|| KeyError::NotAKey {
            path: path.to_owned(),
            found: bytes.len(),
        })?;
        Ok(Self::from_seed(seed))
    }

    /// Written beside and linked into place, so that `path` never holds half a key.
    fn write(&self, path: &Path) -> std::io::Result<()> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(".partial");
        let beside = PathBuf::from(beside);
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error);
            }
            Ok(()) | Err(_) => {}
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let mut file = options.open(&beside)?;
        file.write_all(hex(&self.0.to_bytes()).as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::hard_link(&beside, path)?;
        fs::remove_file(&beside)?;
        sync_folder_of(path)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.public())
    }
}

impl PublicKey {
    /// Reads 64 hexadecimal digits.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let wrong = || KeyError::NotPublic(text.to_owned());
        Self::from_bytes(&from_hex::<32>(text.trim()).ok_or_else(wrong)?)
            .ok_or_else(wrong)
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: [u8; 32] = bytes.try_into().ok()?;
        VerifyingKey::from_bytes(&bytes).ok().map(Self)
    }

    /// Its 32 bytes.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// Whether `signature` is this key's, over `message`.
    pub(crate) fn signed(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        // Strict: a signature that somebody could turn into a second valid one
        // is refused.
        self.0.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.to_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.to_bytes()))
    }
}

/// Random bytes of the system.
pub(super) fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| KeyError::NoRandomness(error.to_string()))?;
    Ok(bytes)
}

/// Makes the name of a new file durable.
pub(super) fn sync_folder_of(path: &Path) -> std::io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    File::open(folder)?.sync_all()
}
