//! Evidence: the tools' outputs, the plan and the verdict, in one signed file.
//!
//! Whoever has the file and the site's public key can check that nothing in it was
//! altered since it was signed, and judge the tools' outputs again by the plan that is
//! in it. What is signed are the bytes that are kept:
//!
//! ```text
//! "megawatt acceptance 2" 00 ‖ SHA-256 of the body's text
//! ```

use engine::capacity::acceptance::{Check, Subject, Verdict, judge};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use settle::contract::Hash;

use super::{read_plan, read_results};
use crate::store::{Key, PublicKey};

const TAG: &[u8] = b"megawatt acceptance 2\0";

/// The form of the file. In form 1 neither when tools ran nor on which GPUs was judged,
/// and what it says cannot be judged again.
const FORM: u64 = 2;

/// What was judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What it is for, in words: the tranche, or the racks.
    pub of: String,
    /// When it was judged, in seconds since 1970 in UTC.
    pub at_unix_seconds: i64,
    /// The plan, as it was written.
    pub plan: String,
    /// Each rack.
    pub racks: Vec<RackEvidence>,
}

/// What was judged of one rack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RackEvidence {
    /// Its name.
    pub rack: String,
    /// The machines that were judged, and what stands beside them.
    pub subject: Subject,
    /// The tools' outputs, by name, as they were written.
    pub files: Vec<(String, String)>,
    /// What it came to.
    pub verdict: Verdict,
}

/// A signed body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    body: String,
    key: PublicKey,
    signature: [u8; 64],
}

/// What is wrong with a bundle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// It is no bundle.
    #[error("expected an acceptance bundle of form {FORM}, found {0}")]
    NotABundle(String),
    /// Its signature is not that of the key.
    #[error("expected the signature of {key} over the body, found another")]
    Signature {
        /// The key.
        key: String,
    },
    /// Judging again came to something else.
    #[error("{rack}: expected the verdict that the outputs lead to, found {found}")]
    Verdict {
        /// The rack.
        rack: String,
        /// What differs.
        found: String,
    },
}

impl Evidence {
    /// Signs it.
    ///
    /// # Panics
    ///
    /// Never: the body is plain text and numbers.
    pub fn signed(&self, key: &Key) -> Bundle {
        let body = serde_json::to_string(self).expect("text and numbers");
        let signature = key.sign(&message(&body));
        Bundle { body, key: key.public(), signature }
    }
}

impl Bundle {
    /// The file's text.
    pub fn to_json(&self) -> String {
        let signature: String =
            self.signature.iter().map(|byte| format!("{byte:02x}")).collect();
        let text = json!({
            "megawatt_acceptance": FORM,
            "public_key": self.key.to_string(),
            "signature": signature,
            "body": self.body,
        });
        format!("{text}\n")
    }

    /// Reads the file's text.
    ///
    /// # Errors
    ///
    /// [`BundleError::NotABundle`].
    pub fn parse(text: &str) -> Result<Self, BundleError> {
        let wrong = |found: &str| BundleError::NotABundle(found.to_owned());
        let value: Value =
            serde_json::from_str(text).map_err(|error| wrong(&error.to_string()))?;
        if value["megawatt_acceptance"].as_u64() != Some(FORM) {
            return Err(wrong(&value["megawatt_acceptance"].to_string()));
        }
        let part = |key: &str| {
            value[key].as_str().ok_or_else(|| wrong(&format!("no text `{key}`")))
        };
        let key = PublicKey::parse(part("public_key")?)
            .map_err(|error| wrong(&error.to_string()))?;
        let hex = part("signature")?;
        let mut signature = [0; 64];
        if hex.len() != 128 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong("a signature without 128 hexadecimal digits"));
        }
        for (byte, place) in signature.iter_mut().zip((0..128).step_by(2)) {
            *byte = u8::from_str_radix(&hex[place..place + 2], 16)
                .map_err(|error| wrong(&error.to_string()))?;
        }
        Ok(Self { body: part("body")?.to_owned(), key, signature })
    }

    /// Whose signature it has.
    pub fn key(&self) -> PublicKey {
        self.key
    }

    /// The hash that an acceptance names it by.
    pub fn hash(&self) -> Hash {
        Hash::of(self.body.as_bytes())
    }

    /// Checks the signature, judges everything again, and returns what was judged.
    ///
    /// # Errors
    ///
    /// [`BundleError`] with the first thing that is wrong.
    pub fn verify(&self, key: &PublicKey) -> Result<Evidence, BundleError> {
        if *key != self.key || !key.signed(&message(&self.body), &self.signature) {
            return Err(BundleError::Signature { key: key.to_string() });
        }
        let evidence: Evidence = serde_json::from_str(&self.body)
            .map_err(|error| BundleError::NotABundle(error.to_string()))?;
        let plan = read_plan("plan", &evidence.plan)
            .map_err(|error| BundleError::NotABundle(error.to_string()))?;
        for rack in &evidence.racks {
            let results = read_results(&rack.files);
            let again = judge(&plan, &rack.subject, &results);
            if again != rack.verdict {
                let differs = |(kept, made): (&Check, &Check)| {
                    (kept != made).then(|| kept.to_string())
                };
                let mut pairs = rack.verdict.checks.iter().zip(&again.checks);
                let found = pairs.find_map(differs);
                let found = found.unwrap_or_else(|| "other checks".to_owned());
                return Err(BundleError::Verdict { rack: rack.rack.clone(), found });
            }
        }
        Ok(evidence)
    }
}

fn message(body: &str) -> Vec<u8> {
    let mut message = TAG.to_vec();
    message.extend(Hash::of(body.as_bytes()).0);
    message
}
