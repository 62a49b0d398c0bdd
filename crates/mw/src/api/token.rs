//! Tokens: who may come in by HTTP, in which role, for how long.
//!
//! `tokens.json` in the run's data folder holds what a token may do and the hash of
//! it, never the token. It is written by `mw token` and read anew by a living run
//! whenever it has changed, so that a token that is revoked is out at once.
//!
//! Invariant: a token is shown once, when it is made, and is nowhere else.
//! Invariant: the owner is a person; two tokens of an owner are one person.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::bail;
use engine::Person;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use units::{Seconds, Timestamp};

use super::role::{Permission, Role};
use super::secret::{random, text_of};
use crate::live::status::text::instant;
use crate::small_file;

/// The file of tokens in a run's data folder.
pub const FILE: &str = "tokens.json";
const WRITTEN_BY: &str = "mw token create";

/// What every token begins with, so that a leaked one is recognised.
pub const PREFIX: &str = "mw_pat_";

/// The longest that a token may be good for.
pub const LONGEST: Seconds = Seconds::hours(24 * 366);

/// The most tokens a run may have.
const TOKENS_MAX: usize = 1_000;

/// The file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    format: u32,
    tokens: Vec<Token>,
}

impl Default for Kept {
    fn default() -> Self {
        Self { format: small_file::FORMAT, tokens: Vec::new() }
    }
}

/// A token, but for the token itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Its name: part of the token, and no secret.
    pub id: String,
    /// SHA-256 of the whole token, as URL-safe base64.
    hash: String,
    /// The person it belongs to, as the record has them.
    pub owner: String,
    /// What they may do.
    pub role: Role,
    /// What the record calls their role, where it is another word.
    #[serde(default)]
    pub title: Option<String>,
    /// All that it may be used for, where that is less than the role may.
    #[serde(default)]
    pub scope: Option<Vec<Permission>>,
    /// The tenant its owner comes from: all that it shows of the site is theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// When it was made.
    #[serde(with = "instant")]
    pub made_at: Timestamp,
    /// When it ends.
    #[serde(with = "instant")]
    pub expires_at: Timestamp,
}

/// What is asked of a new token.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The person.
    pub owner: String,
    /// What they may do.
    pub role: Role,
    /// What the record calls their role.
    pub title: Option<String>,
    /// All that it may be used for.
    pub scope: Option<Vec<Permission>>,
    /// The tenant the person comes from; of the role `tenant` alone.
    pub tenant: Option<String>,
    /// For how long.
    pub lasts: Seconds,
}

impl Token {
    /// The person, as the record has them.
    pub fn person(&self) -> Person {
        let role = self.title.clone().unwrap_or_else(|| self.role.word().to_owned());
        Person { name: self.owner.clone(), role }
    }

    /// Whether its owner may do something with it.
    pub fn may(&self, wanted: Permission) -> bool {
        let in_scope = self.scope.as_ref().is_none_or(|scope| scope.contains(&wanted));
        // One of a tenant that is not named has nothing to see.
        let somebodys = self.role != Role::Tenant || self.tenant.is_some();
        let may = in_scope && somebodys || wanted == Permission::SeeSelf;
        self.role.may(wanted) && may
    }
}

/// Makes a token, and returns it: nobody can ask for it again.
///
/// # Errors
///
/// When the owner cannot be shown to others, looks like another owner, or the file
/// cannot be written.
pub fn create(
    folder: &Path,
    wanted: Wanted,
    now: Timestamp,
) -> anyhow::Result<(Token, String)> {
    let person = Person {
        name: wanted.owner.clone(),
        role: wanted.title.clone().unwrap_or_else(|| wanted.role.word().to_owned()),
    };
    if let Err(why) = person.readable() {
        bail!("expected an owner and a title that others can read: {why:?}");
    }
    match (wanted.role, &wanted.tenant) {
        (Role::Tenant, Some(tenant)) if !tenant.trim().is_empty() => {}
        (Role::Tenant, _) => bail!(
            "expected the tenant that a token of the role `tenant` is for, as the racks' \
             record has it; name it with --tenant"
        ),
        (_, Some(tenant)) => bail!(
            "expected a tenant with the role `tenant` alone, found `{tenant}` with `{}`",
            wanted.role.word()
        ),
        (_, None) => {}
    }
    if wanted.lasts <= Seconds::ZERO || wanted.lasts > LONGEST {
        bail!("expected a token that lasts between a second and 366 days");
    }
    change(folder, |kept| {
        if kept.tokens.len() >= TOKENS_MAX {
            bail!("expected at most {TOKENS_MAX} tokens; revoke some first");
        }
        // Two spellings would be two people, who could agree with each other.
        let alike = |token: &&Token| folded(&token.owner) == folded(&wanted.owner);
        if let Some(other) =
            kept.tokens.iter().find(alike).filter(|other| other.owner != wanted.owner)
        {
            bail!(
                "the owner `{}` looks like `{}`, who has the token {}; if they are one \
                 person, write the name the same",
                wanted.owner,
                other.owner,
                other.id
            );
        }
        let id = random::<4>()?.map(|byte| format!("{byte:02x}")).concat();
        let secret = format!("{PREFIX}{id}_{}", text_of(&random::<32>()?));
        let token = Token {
            id,
            hash: hash_of(&secret),
            owner: wanted.owner,
            role: wanted.role,
            title: wanted.title,
            scope: wanted.scope,
            tenant: wanted.tenant,
            made_at: now,
            expires_at: now + wanted.lasts,
        };
        kept.tokens.push(token.clone());
        Ok((token, secret))
    })
}

/// Every token of a data folder, the oldest first.
///
/// # Errors
///
/// When the file cannot be read.
pub fn list(folder: &Path) -> anyhow::Result<Vec<Token>> {
    Ok(read(&folder.join(FILE))?.tokens)
}

/// Takes a token out. Returns whether it was there.
///
/// # Errors
///
/// When the file cannot be read or written.
pub fn revoke(folder: &Path, id: &str) -> anyhow::Result<bool> {
    change(folder, |kept| {
        let before = kept.tokens.len();
        kept.tokens.retain(|token| token.id != id);
        Ok(kept.tokens.len() < before)
    })
}

fn folded(owner: &str) -> String {
    owner.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

fn hash_of(secret: &str) -> String {
    text_of(&Sha256::digest(secret.as_bytes()))
}

fn read(path: &Path) -> anyhow::Result<Kept> {
    Ok(small_file::read(path, WRITTEN_BY)?.unwrap_or_default())
}

fn change<T>(
    folder: &Path,
    how: impl FnOnce(&mut Kept) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    small_file::change(&folder.join(FILE), WRITTEN_BY, how)
}

/// The tokens of a living run, as the file has them now.
#[derive(Debug)]
pub struct Register {
    path: PathBuf,
    read: Mutex<Read>,
}

#[derive(Debug, Default)]
struct Read {
    /// Which file was read: its number, length and time of change.
    of: Option<(u64, u64, i64, i64)>,
    tokens: Arc<Vec<Token>>,
}

impl Register {
    /// The tokens in a data folder.
    pub fn of(folder: &Path) -> Self {
        Self { path: folder.join(FILE), read: Mutex::default() }
    }

    /// The token that this is, if it is good at `now`.
    pub fn known(&self, secret: &str, now: Timestamp) -> Option<Token> {
        let rest = secret.strip_prefix(PREFIX)?;
        let (id, _) = rest.split_once('_')?;
        let token = self.named(id, now)?;
        same(token.hash.as_bytes(), hash_of(secret).as_bytes()).then_some(token)
    }

    /// The token of a name, if it is good at `now`.
    pub fn named(&self, id: &str, now: Timestamp) -> Option<Token> {
        let tokens = self.tokens();
        let token = tokens.iter().find(|token| token.id == id)?;
        (now < token.expires_at).then(|| token.clone())
    }

    /// Where the file cannot be read, nobody is known.
    fn tokens(&self) -> Arc<Vec<Token>> {
        let found = fs::metadata(&self.path).ok();
        let of = found.map(|it| (it.ino(), it.len(), it.mtime(), it.mtime_nsec()));
        let mut kept = self.read.lock().expect("whoever held it let it go whole");
        if kept.of != of {
            let read = read(&self.path).unwrap_or_else(|error| {
                tracing::error!(
                    event = "tokens_unreadable",
                    error = format!("{error:#}")
                );
                Kept::default()
            });
            *kept = Read { of, tokens: Arc::new(read.tokens) };
        }
        Arc::clone(&kept.tokens)
    }
}

/// Compares without saying by its time where two differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("mw-token-{name}-{}", std::process::id()));
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    fn wanted(owner: &str, role: Role) -> Wanted {
        let lasts = Seconds::hours(1);
        let (title, scope, tenant) = (None, None, None);
        Wanted { owner: owner.to_owned(), role, title, scope, tenant, lasts }
    }

    #[test]
    fn a_token_is_known_until_it_ends_or_is_revoked() {
        let folder = folder("life");
        let now = Timestamp::from_unix_seconds(1_790_000_000);
        let (token, secret) =
            create(&folder, wanted("Ana", Role::Viewer), now).expect("a token");
        let register = Register::of(&folder);
        assert_eq!(register.known(&secret, now), Some(token.clone()));
        assert_eq!(register.known(&secret, now + Seconds::hours(1)), None);
        let mut wrong = secret.clone();
        wrong.replace_range(secret.len() - 2.., "AA");
        for not_one in
            [wrong.as_str(), "", PREFIX, "mw_pat__", "mw_pat_x", token.id.as_str()]
        {
            assert_eq!(register.known(not_one, now), None, "{not_one}");
        }
        let text = fs::read_to_string(folder.join(FILE)).expect("a file");
        assert!(!text.contains(&secret) && text.contains(&token.id));
        assert!(revoke(&folder, &token.id).expect("written"));
        assert!(!revoke(&folder, &token.id).expect("written"));
        assert_eq!(register.known(&secret, now), None);
        drop(fs::remove_dir_all(&folder));
    }

    #[test]
    fn two_spellings_of_a_name_are_not_two_people() {
        let folder = folder("spelling");
        let now = Timestamp::from_unix_seconds(1_790_000_000);
        create(&folder, wanted("Ana Petrović", Role::Operator), now).expect("a token");
        create(&folder, wanted("Ana Petrović", Role::Viewer), now).expect("one more");
        for other in ["ana petrović", "Ana  Petrović", "ANA PETROVIĆ"] {
            let error = create(&folder, wanted(other, Role::Operator), now);
            let error = error.expect_err(other).to_string();
            assert!(error.contains("looks like"), "{other}: {error}");
        }
        create(&folder, wanted("Ana ", Role::Operator), now).expect_err("padded");
        drop(fs::remove_dir_all(&folder));
    }

    #[test]
    fn a_tenants_token_is_bound_to_the_tenant() {
        let folder = folder("tenant");
        let now = Timestamp::from_unix_seconds(1_790_000_000);
        create(&folder, wanted("Ana", Role::Tenant), now).expect_err("whose");
        let of = |role| Wanted { tenant: Some("red".to_owned()), ..wanted("Ana", role) };
        create(&folder, of(Role::Operator), now).expect_err("one of the site's");
        let (token, _) = create(&folder, of(Role::Tenant), now).expect("a token");
        assert!(token.may(Permission::SeeRacks) && token.may(Permission::UseRacks));
        assert!(!token.may(Permission::RunRacks) && !token.may(Permission::SeeSite));
        // One that was made before tenants had a name shows nothing.
        let nobodys = Token { tenant: None, ..token };
        assert!(!nobodys.may(Permission::SeeRacks) && nobodys.may(Permission::SeeSelf));
        drop(fs::remove_dir_all(&folder));
    }

    #[test]
    fn a_scope_takes_away_and_never_adds() {
        let now = Timestamp::from_unix_seconds(0);
        let token = |role, scope: Option<Vec<Permission>>| Token {
            id: String::new(),
            hash: String::new(),
            owner: "Ana".to_owned(),
            role,
            title: None,
            scope,
            tenant: None,
            made_at: now,
            expires_at: now,
        };
        let narrow = token(Role::Operator, Some(vec![Permission::SeeSite]));
        assert!(narrow.may(Permission::SeeSite) && !narrow.may(Permission::HandLoads));
        let wide = token(Role::Viewer, Some(vec![Permission::HandLoads]));
        assert!(!wide.may(Permission::HandLoads) && !wide.may(Permission::SeeSite));
        assert!(wide.may(Permission::SeeSelf));
    }
}
