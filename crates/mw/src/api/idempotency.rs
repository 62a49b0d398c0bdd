//! Idempotency keys: the same key is the same answer, and nothing is done twice.
//!
//! A key is durable in the run's data folder before what came with it is asked of
//! the loop, and its answer before it is sent. A key that was begun by a process that
//! is gone stays unknown: nothing is done by it, and its owner looks at the status.
//!
//! Invariant: of all requests with one key of one person at most one is carried out.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use units::{Seconds, Timestamp};

use super::problem::{Kind, Problem};
use crate::live::status::text::instant;

/// The file of keys in a run's data folder: a line of JSON for each change.
pub const FILE: &str = "idempotency.jsonl";

/// How long a key is kept, by the wall.
pub const KEPT_FOR: Seconds = Seconds::hours(24 * 7);

/// The longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 128;

/// The most keys that are kept.
const KEYS_MAX: usize = 50_000;

/// Keys and what became of them.
#[derive(Debug)]
pub struct Keys {
    path: PathBuf,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    file: File,
    /// By owner and key.
    entries: BTreeMap<(String, String), Entry>,
    lines: usize,
}

/// What is known of a key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    owner: String,
    key: String,
    /// A hash of the request that came with it.
    request: String,
    #[serde(with = "instant")]
    at: Timestamp,
    state: State,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// It is being done, or was when the process ended.
    Begun,
    /// It was answered.
    Answered { status: u16, body: String },
    /// It was not done at all; the key is free again.
    Free,
}

/// What a key is good for.
#[derive(Debug)]
pub enum Begin {
    /// It is new: do it, and say what came of it.
    First(Ticket),
    /// It was answered so before.
    Again {
        /// The status code.
        status: u16,
        /// The body.
        body: String,
    },
}

/// A key that something is done under.
#[derive(Debug)]
pub struct Ticket {
    owner: String,
    key: String,
    request: String,
}

impl Keys {
    /// Reads the keys of a data folder, and leaves out what is too old.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or written.
    pub fn load(folder: &Path, now: Timestamp) -> anyhow::Result<Self> {
        let path = folder.join(FILE);
        let at = || format!("{}", path.display());
        let text = match fs::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(at),
        };
        let mut entries = BTreeMap::new();
        for line in text.lines() {
            // The last line may be cut short: then its change was never acted on.
            let Ok(entry) = serde_json::from_str::<Entry>(line) else { continue };
            entries.insert((entry.owner.clone(), entry.key.clone()), entry);
        }
        entries.retain(|_, entry| is_kept(entry, now));
        let file = written(&path, &entries).with_context(at)?;
        let lines = entries.len();
        Ok(Self { path, kept: Mutex::new(Kept { file, entries, lines }) })
    }

    /// Begins what came with a key, durable when this returns.
    ///
    /// # Errors
    ///
    /// When the key came with another request, is still being answered, or was left
    /// unanswered by an earlier process.
    pub fn begin(
        &self,
        owner: &str,
        key: &str,
        request: &str,
        now: Timestamp,
    ) -> Result<Begin, Problem> {
        let mut kept = self.kept.lock().expect("whoever held it let it go whole");
        let place = (owner.to_owned(), key.to_owned());
        if let Some(entry) = kept.entries.get(&place).filter(|entry| is_kept(entry, now))
        {
            if entry.request != request {
                let why = "this key came with another request before; use a new key for a \
                           new request";
                return Err(Kind::KeyReused.because(why).at("Idempotency-Key"));
            }
            match &entry.state {
                State::Begun => {
                    let why = "the first request with this key was not answered yet, or the \
                               run ended before it was; look at the status, and ask again \
                               under a new key if it was not done";
                    return Err(Kind::KeyInUse.because(why).at("Idempotency-Key"));
                }
                State::Answered { status, body } => {
                    return Ok(Begin::Again { status: *status, body: body.clone() });
                }
                State::Free => {}
            }
        }
        if kept.lines > 2 * kept.entries.len() + 1_000 || kept.entries.len() >= KEYS_MAX {
            self.tidy(&mut kept, now)?;
        }
        if kept.entries.len() >= KEYS_MAX {
            let why =
                "more keys are in use than are kept for seven days; ask more seldom";
            return Err(Kind::TooMany.because(why));
        }
        let entry = Entry {
            owner: owner.to_owned(),
            key: key.to_owned(),
            request: request.to_owned(),
            at: now,
            state: State::Begun,
        };
        kept.write(entry)?;
        let (owner, key) = place;
        Ok(Begin::First(Ticket { owner, key, request: request.to_owned() }))
    }

    /// Keeps what was answered, durable when this returns.
    ///
    /// # Errors
    ///
    /// When it cannot be written: the key stays unknown.
    pub fn answered(
        &self,
        ticket: Ticket,
        status: u16,
        body: &str,
        now: Timestamp,
    ) -> Result<(), Problem> {
        self.end(ticket, State::Answered { status, body: body.to_owned() }, now)
    }

    /// Nothing was done: the key may come again.
    ///
    /// # Errors
    ///
    /// When it cannot be written: the key stays unknown.
    pub fn free(&self, ticket: Ticket, now: Timestamp) -> Result<(), Problem> {
        self.end(ticket, State::Free, now)
    }

    fn end(&self, ticket: Ticket, state: State, now: Timestamp) -> Result<(), Problem> {
        let Ticket { owner, key, request } = ticket;
        let mut kept = self.kept.lock().expect("whoever held it let it go whole");
        kept.write(Entry { owner, key, request, at: now, state })
    }

    fn tidy(&self, kept: &mut Kept, now: Timestamp) -> Result<(), Problem> {
        kept.entries.retain(|_, entry| is_kept(entry, now));
        kept.file = written(&self.path, &kept.entries).map_err(not_written)?;
        kept.lines = kept.entries.len();
        Ok(())
    }
}

impl Kept {
    fn write(&mut self, entry: Entry) -> Result<(), Problem> {
        let mut line = serde_json::to_vec(&entry).expect("a key is JSON");
        line.push(b'\n');
        self.file.write_all(&line).map_err(not_written)?;
        self.file.sync_data().map_err(not_written)?;
        self.lines += 1;
        self.entries.insert((entry.owner.clone(), entry.key.clone()), entry);
        Ok(())
    }
}

fn is_kept(entry: &Entry, now: Timestamp) -> bool {
    now - entry.at < KEPT_FOR && !matches!(entry.state, State::Free)
}

/// Writes the file anew, and leaves it open for what comes.
fn written(path: &Path, entries: &BTreeMap<(String, String), Entry>) -> io::Result<File> {
    let beside = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&beside)?;
    for entry in entries.values() {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        file.write_all(&line)?;
    }
    file.sync_all()?;
    fs::rename(&beside, path)?;
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(file)
}

fn not_written(error: io::Error) -> Problem {
    tracing::error!(event = "idempotency_not_written", %error);
    let why = "the idempotency key cannot be written, so nothing is done under it; see \
               whether the data folder has room";
    Kind::Unavailable.because(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("mw-keys-{name}-{}", std::process::id()));
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    fn first(keys: &Keys, key: &str, request: &str, now: Timestamp) -> Ticket {
        match keys.begin("Ana", key, request, now) {
            Ok(Begin::First(ticket)) => ticket,
            other => panic!("expected a first, found {other:?}"),
        }
    }

    #[test]
    fn the_same_key_is_the_same_answer_also_after_a_restart() {
        let folder = folder("again");
        let now = Timestamp::from_unix_seconds(1_790_000_000);
        let keys = Keys::load(&folder, now).expect("keys");
        let ticket = first(&keys, "k", "hold", now);
        let in_use = keys.begin("Ana", "k", "hold", now).expect_err("in use");
        assert_eq!(in_use.kind, Kind::KeyInUse);
        keys.answered(ticket, 200, "{}", now).expect("written");
        for keys in [keys, Keys::load(&folder, now).expect("keys")] {
            let again = keys.begin("Ana", "k", "hold", now).expect("an answer");
            assert!(matches!(again, Begin::Again { status: 200, .. }), "{again:?}");
            let other = keys.begin("Ana", "k", "release", now).expect_err("another");
            assert_eq!(other.kind, Kind::KeyReused);
        }
        let keys = Keys::load(&folder, now).expect("keys");
        assert!(matches!(keys.begin("Ben", "k", "release", now), Ok(Begin::First(_))));
        let later = now + KEPT_FOR;
        assert!(matches!(keys.begin("Ana", "k", "release", later), Ok(Begin::First(_))));
        drop(fs::remove_dir_all(&folder));
    }

    #[test]
    fn what_a_crash_left_open_is_not_done_again() {
        let folder = folder("crash");
        let now = Timestamp::from_unix_seconds(1_790_000_000);
        let keys = Keys::load(&folder, now).expect("keys");
        first(&keys, "open", "hold", now);
        let ticket = first(&keys, "free", "hold", now);
        keys.free(ticket, now).expect("written");
        drop(keys);
        let mut file = OpenOptions::new()
            .append(true)
            .open(folder.join(FILE))
            .expect("the file of keys");
        file.write_all(b"{\"owner\":\"Ana\",\"key\":\"to").expect("a torn line");
        let keys = Keys::load(&folder, now).expect("keys");
        let open = keys.begin("Ana", "open", "hold", now).expect_err("left open");
        assert_eq!(open.kind, Kind::KeyInUse);
        first(&keys, "free", "hold", now);
        first(&keys, "torn", "hold", now);
        drop(fs::remove_dir_all(&folder));
    }
}
