//! The hash chain: each record's value follows from the one before it.
//!
//! ```text
//! chain(0) = SHA-256("megawatt store 1" 00 ‖ store id (16) ‖ public key (32))
//! chain(n) = SHA-256(chain(n-1) ‖ n (8) ‖ at (8) ‖ kind (1) ‖ length (8) ‖ bytes)
//! ```
//!
//! Numbers are little-endian; `at` is signed. The layout never changes for a
//! store: a new one would be a new tag.

use std::fmt;

use sha2::{Digest, Sha256};

use super::key::PublicKey;

const TAG: &[u8] = b"megawatt store 1\0";

/// A link of the chain, or any SHA-256.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash(pub [u8; 32]);

/// Which store, drawn at random when it is made and the same in its copies.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct StoreId(pub [u8; 16]);

impl Hash {
    /// The hash of some bytes.
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The value before the first record.
    pub(super) fn first(id: StoreId, key: &PublicKey) -> Self {
        let mut hash = Sha256::new();
        hash.update(TAG);
        hash.update(id.0);
        hash.update(key.to_bytes());
        Self(hash.finalize().into())
    }

    /// The value after a record.
    pub(super) fn then(self, seq: i64, at: i64, kind: u8, bytes: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update(seq.to_le_bytes());
        hash.update(at.to_le_bytes());
        hash.update([kind]);
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
        Self(hash.finalize().into())
    }
}

/// Bytes as lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        for half in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(half), 16).expect("half a byte"));
        }
    }
    text
}

/// The bytes that hexadecimal digits stand for, if there are exactly `N`.
pub(super) fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != N * 2 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; N];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[index * 2..index * 2 + 2], 16).ok()?;
    }
    Some(bytes)
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}
