//! How a Whatsminer is told something: the login's proof, and commands under a key made
//! from it.
//!
//! The key and the token are MD5-crypt hashes of the password with salts that the miner
//! hands out, and commands and their answers go through AES-256 block by block. By
//! today's measure that is weak, and it is what the firmware has: it keeps out mistakes,
//! not somebody who listens on the wire. Source: MicroBT's public API documents (2.0).

use std::fmt;

use aes::Aes256;
use aes::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use sha2::{Digest, Sha256};

/// What an AES block has.
const BLOCK: usize = 16;

/// What opens a miner for a while: the token that goes into each command, and the key
/// that the command goes under. Its `Debug` shows neither.
#[derive(Clone)]
pub struct Seal {
    token: String,
    cipher: Aes256,
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal(..)")
    }
}

/// How the last block of a text is filled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fill {
    /// With zeros, as MicroBT's own programs do.
    #[default]
    Zeros,
    /// With as many bytes as are filled, each saying how many (PKCS #7).
    Counts,
}

impl Fill {
    /// The other way.
    pub fn other(self) -> Self {
        match self {
            Self::Zeros => Self::Counts,
            Self::Counts => Self::Zeros,
        }
    }
}

/// What a miner hands out when it is asked for a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Salts {
    /// The password's own salt; it changes with the password alone.
    pub salt: String,
    /// The token's salt.
    pub new_salt: String,
    /// The last digits of the miner's time.
    pub time: String,
}

impl Seal {
    /// The seal that a password makes with what the miner handed out.
    pub fn of(password: &str, salts: &Salts) -> Self {
        let of_password = md5_crypt(password.as_bytes(), salts.salt.as_bytes());
        let with_time = format!("{of_password}{}", salts.time);
        let token = md5_crypt(with_time.as_bytes(), salts.new_salt.as_bytes());
        let key = Sha256::digest(of_password.as_bytes());
        Self { token, cipher: Aes256::new(&Array::from(<[u8; 32]>::from(key))) }
    }

    /// What goes into a command beside its words.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// A text under the key, in base 64.
    pub fn close(&self, text: &str, fill: Fill) -> String {
        let mut bytes = text.as_bytes().to_vec();
        match fill {
            Fill::Zeros => bytes.resize(bytes.len().next_multiple_of(BLOCK), 0),
            Fill::Counts => {
                let count = BLOCK - bytes.len() % BLOCK;
                let byte = u8::try_from(count).expect("a block is short");
                bytes.resize(bytes.len() + count, byte);
            }
        }
        for block in blocks(&mut bytes) {
            self.cipher.encrypt_block(block);
        }
        STANDARD.encode(bytes)
    }

    /// What was under the key, without what fills its last block, zeros or counts; nothing
    /// where this is no such text. Under another key it is noise.
    pub fn open(&self, closed: &str) -> Option<Vec<u8>> {
        let mut bytes = self.opened(closed)?;
        let end = match counted(&bytes) {
            Some(count) => bytes.len() - count,
            None => bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1),
        };
        bytes.truncate(end);
        Some(bytes)
    }

    /// Whether the last block is filled this way.
    pub fn is_filled(&self, closed: &str, fill: Fill) -> bool {
        let counted = self.opened(closed).and_then(|bytes| counted(&bytes));
        counted.is_some() == (fill == Fill::Counts)
    }

    fn opened(&self, closed: &str) -> Option<Vec<u8>> {
        let plain: String = closed.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let mut bytes = STANDARD.decode(plain).ok()?;
        if !bytes.len().is_multiple_of(BLOCK) {
            return None;
        }
        for block in blocks(&mut bytes) {
            self.cipher.decrypt_block(block);
        }
        Some(bytes)
    }
}

/// How many bytes at the end are a fill of counts, if they are one.
fn counted(bytes: &[u8]) -> Option<usize> {
    let count = usize::from(*bytes.last()?);
    let mut fill = bytes.iter().rev().take(count);
    let is_one = (1..=BLOCK).contains(&count)
        && bytes.len() >= count
        && fill.all(|byte| usize::from(*byte) == count);
    is_one.then_some(count)
}

/// The whole blocks of these bytes.
fn blocks(bytes: &mut [u8]) -> impl Iterator<Item = &mut aes::Block> {
    bytes.chunks_exact_mut(BLOCK).map(|block| {
        <&mut aes::Block>::try_from(block).expect("a chunk has the size of a block")
    })
}

/// The hash part of the MD5-based crypt of Unix (`$1$salt$`), after P.-H. Kamp's
/// description. The salt counts up to its eighth byte.
pub fn md5_crypt(password: &[u8], salt: &[u8]) -> String {
    let salt = &salt[..salt.len().min(8)];
    let inner: [u8; 16] = Md5::new()
        .chain_update(password)
        .chain_update(salt)
        .chain_update(password)
        .finalize()
        .into();

    let mut first =
        Md5::new().chain_update(password).chain_update(b"$1$").chain_update(salt);
    let mut left = password.len();
    while left > 0 {
        first.update(&inner[..left.min(16)]);
        left -= left.min(16);
    }
    let mut bits = password.len();
    while bits > 0 {
        match bits & 1 {
            1 => first.update([0]),
            _ => first.update(&password[..1]),
        }
        bits >>= 1;
    }
    let mut hash: [u8; 16] = first.finalize().into();

    for round in 0..1_000 {
        let mut next = Md5::new();
        match round % 2 {
            1 => next.update(password),
            _ => next.update(hash),
        }
        if round % 3 != 0 {
            next.update(salt);
        }
        if round % 7 != 0 {
            next.update(password);
        }
        match round % 2 {
            1 => next.update(hash),
            _ => next.update(password),
        }
        hash = next.finalize().into();
    }

    let mut text = String::with_capacity(22);
    for (high, middle, low) in
        [(0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5)]
    {
        let three = [hash[high], hash[middle], hash[low]];
        let bits = three.into_iter().fold(0, |bits, byte| bits << 8 | u32::from(byte));
        push_letters(&mut text, bits, 4);
    }
    push_letters(&mut text, u32::from(hash[11]), 2);
    text
}

/// Six bits a letter, lowest first.
fn push_letters(text: &mut String, mut bits: u32, count: usize) {
    const LETTERS: &[u8; 64] =
        b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    for _ in 0..count {
        text.push(char::from(LETTERS[(bits & 63) as usize]));
        bits >>= 6;
    }
}

#[cfg(test)]
mod tests {
    use super::{Fill, Salts, Seal, md5_crypt};

    /// By OpenSSL 3: `openssl passwd -1 -salt SALT PASSWORD`.
    #[test]
    fn the_hash_is_that_of_unix() {
        for (password, salt, expected) in VECTORS {
            assert_eq!(md5_crypt(password.as_bytes(), salt.as_bytes()), *expected);
        }
    }

    const VECTORS: &[(&str, &str, &str)] = &[
        ("admin", "BQ5hoXV9", "RxmaDUO33TS7O26yeMHZ81"),
        ("", "abcdefgh", "M55TzYaaccxVGbptZWaxX/"),
        ("a", "x", "P8VObTrxaqT4VBmnH06P8."),
        ("correct horse battery staple", "8sFt66rZ", "SfXK51./IOa5wZMKROmSv0"),
        ("Grün", "saltsalt", "801l7N46pmHm1JO0fRDX/1"),
        ("0123456789abcdef", "12345678", "QzvqVyjsfEisWRspy9tfx1"),
    ];

    fn seal(password: &str) -> Seal {
        let salts = Salts {
            salt: "BQ5hoXV9".into(),
            new_salt: "jbzkfQls".into(),
            time: "5626".into(),
        };
        Seal::of(password, &salts)
    }

    /// By `pyasic` 0.79: what it makes of the same salts and command.
    #[test]
    fn a_seal_is_what_another_program_makes() {
        let seal = seal("admin");
        assert_eq!(seal.token(), "w.BNbkCV6n1aNWgiBWLzT/");
        let closed =
            seal.close("{\"cmd\": \"power_off\", \"respbefore\": \"true\"}", Fill::Zeros);
        assert_eq!(
            closed,
            "YJracrWpLn2XvqWuNiNqyg70K64pfivIJhwE32DXNCdWOG6Phk5dJrSsSWemH3SI"
        );
    }

    #[test]
    fn what_was_closed_opens_with_the_same_password_alone() {
        for text in ["", "x", "sixteen letters.", "{\"cmd\":\"power_off\"}"] {
            for fill in [Fill::Zeros, Fill::Counts] {
                let closed = seal("admin").close(text, fill);
                assert_eq!(seal("admin").open(&closed), Some(text.as_bytes().to_vec()));
                let other = seal("other").open(&closed);
                assert!(text.is_empty() || other != Some(text.into()));
            }
        }
        for wrong in ["!", "AAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAA=="] {
            assert_eq!(seal("admin").open(wrong), None, "{wrong}");
        }
        assert_eq!(format!("{:?}", seal("admin")), "Seal(..)");
    }

    /// Answers of an emulator of others, whose seal fills with counts; its salts and key
    /// were its own (`admin` and `other`).
    #[test]
    fn what_another_emulator_sealed_opens() {
        let salts = Salts {
            salt: "5QAHiKMb".into(),
            new_salt: "kowEj187".into(),
            time: "0000".into(),
        };
        let opens = |password: &str, closed: &str| {
            let opened = Seal::of(password, &salts).open(closed).expect("it is sealed");
            serde_json::from_slice::<serde_json::Value>(&opened).ok()
        };
        let done = "6MjnV800xHMu2doJweD/TQYjbIh9IzP8XYmWEtGXn3ZQq9Le4D2cp0dpm2XX29S4WHfy\
                    0WJdkxyGITSGGCFJSQwbvOpRb+vglL0iHEvs9CYoYj+HbM1oE7qcgex+rVbm";
        assert_eq!(opens("admin", done).expect("JSON")["Code"], 131);
        let other = "ci+EvjezANgVwE9QmfMvv7A2IgLJe449pupxTyWGC9SdZ4LDRic45oHe1CoyxJFc34AO\
                     57kZ4cutHeEm8g2IHAaJE4UxlIE9SllSrVumtEizFYzXNsSuNQMuAhr+etGm";
        assert_eq!(opens("other", other).expect("JSON")["Code"], 23);
        assert_eq!(opens("admin", other), None);
    }
}
