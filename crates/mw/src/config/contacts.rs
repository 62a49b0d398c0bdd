//! Contacts as meant: who is told of alarms, and how they are reached.
//!
//! A secret is named and not written: where it is kept, and nothing of it, is in a
//! site file. It is looked up when a run starts.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use adapters::deliver::Security;
use engine::Urgency;

use super::problem::Findings;
use super::written::Table;

/// Somebody who is told of alarms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// What people call them.
    pub name: String,
    /// How urgent an alarm has to be.
    pub from_urgency: Urgency,
    /// How far up it has to have been taken: 0 is at once.
    pub level: u8,
    /// How they are reached.
    pub by: ReachedBy,
}

/// How a contact is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReachedBy {
    /// An HTTP receiver.
    Webhook {
        /// Where it is.
        url: String,
        /// What messages are signed with.
        secret: KeptIn,
        /// Whether plain HTTP may go to another machine.
        allow_plain: bool,
        /// Certificate authorities in place of the machine's own, as PEM.
        authorities: Option<KeptIn>,
    },
    /// A mail server.
    Email {
        /// Its name or address.
        host: String,
        /// Its port.
        port: u16,
        /// How the connection is kept private.
        security: Security,
        /// The sender's address.
        from: String,
        /// The recipients' addresses.
        to: Vec<String>,
        /// Whom to log in as, and the password.
        login: Option<(String, KeptIn)>,
        /// Certificate authorities in place of the machine's own, as PEM.
        authorities: Option<KeptIn>,
    },
}

/// Where something is kept that is not written into a site file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeptIn {
    /// An environment variable.
    Env(String),
    /// A file; a path that is not absolute starts at the site file's folder.
    File(PathBuf),
}

/// How far up an alarm can be taken.
const LEVEL_MAX: u32 = 3;

impl KeptIn {
    fn parse(text: &str, folder: &Path) -> Option<Self> {
        match text.split_once(':')? {
            ("env", name) if !name.is_empty() => Some(Self::Env(name.to_owned())),
            ("file", path) if !path.is_empty() => Some(Self::File(folder.join(path))),
            _ => None,
        }
    }
}

impl std::fmt::Display for KeptIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Env(name) => write!(f, "the environment variable {name}"),
            Self::File(path) => write!(f, "the file {}", path.display()),
        }
    }
}

/// Reads the contacts of a site file in `folder`.
pub(super) fn contacts(
    root: &Table,
    folder: &Path,
    found: &mut Findings<'_>,
) -> Vec<Contact> {
    let mut names = BTreeSet::new();
    let mut list = Vec::new();
    for entry in root.tables("contacts") {
        let name = entry.text("name");
        if let Some(name) = name.filter(|name| !names.insert((*name).to_owned())) {
            let what = format!("a second `{name}`");
            found.problem(
                entry.at("name"),
                entry.key("name"),
                "a name of its own",
                what,
                "",
            );
        }
        let level = level(entry, found);
        let by = reached_by(entry, folder, found);
        let from_urgency = match entry.text("from_urgency") {
            Some("note") => Urgency::Note,
            Some("critical") => Urgency::Critical,
            _ => Urgency::Warning,
        };
        if let (Some(name), Some(level), Some(by)) = (name, level, by) {
            list.push(Contact { name: name.to_owned(), from_urgency, level, by });
        }
    }
    list
}

fn level(entry: &Table, found: &mut Findings<'_>) -> Option<u8> {
    let level = entry.count("level")?;
    if level > LEVEL_MAX {
        let expected = format!("a level from 0 to {LEVEL_MAX}");
        let remedy = "alarms are taken no further up";
        let (at, key) = (entry.at("level"), entry.key("level"));
        found.problem(at, key, expected, entry.shown("level"), remedy);
        return None;
    }
    u8::try_from(level).ok()
}

fn reached_by(
    entry: &Table,
    folder: &Path,
    found: &mut Findings<'_>,
) -> Option<ReachedBy> {
    match (entry.writes("webhook"), entry.writes("email")) {
        (true, false) => webhook(entry.table("webhook")?, folder, found),
        (false, true) => email(entry.table("email")?, folder, found),
        (both, _) => {
            let what = if both { "both" } else { "neither" };
            let remedy = "give each way to be reached a contact of its own";
            let expected = "`webhook` or `email`";
            found.problem(entry.start(), entry.path(), expected, what, remedy);
            None
        }
    }
}

fn webhook(table: &Table, folder: &Path, found: &mut Findings<'_>) -> Option<ReachedBy> {
    let secret = kept_in(table, "secret", folder, found);
    let authorities = kept_in(table, "authorities", folder, found);
    Some(ReachedBy::Webhook {
        url: table.text("url")?.to_owned(),
        secret: secret?,
        allow_plain: table.flag("allow_plain").unwrap_or(false),
        authorities,
    })
}

fn email(table: &Table, folder: &Path, found: &mut Findings<'_>) -> Option<ReachedBy> {
    let password = kept_in(table, "password", folder, found);
    let authorities = kept_in(table, "authorities", folder, found);
    let login = match (table.text("user"), password) {
        (Some(user), Some(password)) => Some((user.to_owned(), password)),
        _ if table.writes("user") == table.writes("password") => None,
        _ => {
            let what =
                if table.writes("user") { "`user` alone" } else { "`password` alone" };
            let expected = "`user` and `password`, or neither";
            found.problem(table.start(), table.path(), expected, what, "");
            return None;
        }
    };
    let port = port(table, "port", found)?;
    let to = table.text("to")?.split(',').map(|address| address.trim().to_owned());
    Some(ReachedBy::Email {
        host: table.text("host")?.to_owned(),
        port,
        security: match table.text("security") {
            Some("starttls") => Security::StartTls,
            Some("none") => Security::None,
            _ => Security::Tls,
        },
        from: table.text("from")?.to_owned(),
        to: to.collect(),
        login,
        authorities,
    })
}

/// A port to connect to.
pub(super) fn port(table: &Table, key: &str, found: &mut Findings<'_>) -> Option<u16> {
    let port = u16::try_from(table.count(key)?).ok();
    if port.is_none() {
        let expected = "a port from 1 to 65535";
        found.problem(table.at(key), table.key(key), expected, table.shown(key), "");
    }
    port
}

/// Where a secret is kept. What is written instead may be the secret itself, and is
/// not repeated.
pub(super) fn kept_in(
    table: &Table,
    key: &str,
    folder: &Path,
    found: &mut Findings<'_>,
) -> Option<KeptIn> {
    let kept = KeptIn::parse(table.text(key)?, folder);
    if kept.is_none() {
        let remedy = "keep it out of the site file, and say where it is";
        let expected = "`env:NAME` or `file:PATH`";
        found.problem(table.at(key), table.key(key), expected, "something else", remedy);
    }
    kept
}
