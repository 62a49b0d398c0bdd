//! Why the store cannot do what was asked.

use std::path::PathBuf;

use super::address::AddressError;
use super::key::KeyError;

/// Why the store cannot do what was asked.
///
/// After an error of the disk or the connection the store can be asked again:
/// see [`Store::append`](super::Store::append).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The address cannot be used.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The signing key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// There is no store at the address.
    #[error("expected a store at {0}, found none; create it, or name another")]
    Missing(String),
    /// There is a store, or something else, where one is to be made.
    #[error("expected nothing at {0}, found something there already; name another place")]
    Taken(String),
    /// A file or schema of somebody else.
    #[error("expected a store of this program at {0}, found something else")]
    NotAStore(String),
    /// A later program made or upgraded the store.
    #[error(
        "{address} has store schema {found}; this program reads up to {known}; \
         use the program that wrote it, or a later one"
    )]
    NewerSchema {
        /// Which store.
        address: String,
        /// Its schema.
        found: i64,
        /// The newest that this program reads.
        known: i64,
    },
    /// Another process writes to the store.
    #[error(
        "expected to be the only writer of {0}, found another; stop the other one first, \
         or open the store to read"
    )]
    InUse(String),
    /// A write was asked of a store that was opened to read.
    #[error("expected a store opened to write, found {0} opened to read")]
    OpenedToRead(String),
    /// The disk, or the space that the database may use, is full.
    #[error(
        "{address} has no space left; nothing of this write is in it; make space and try again"
    )]
    Full {
        /// Which store.
        address: String,
        /// What the database said.
        source: sqlx::Error,
    },
    /// The disk failed to read or write.
    #[error("the disk under {address} failed; look at the disk before going on")]
    Disk {
        /// Which store.
        address: String,
        /// What the database said.
        source: sqlx::Error,
    },
    /// The file cannot be opened.
    #[error(
        "cannot open {address}; check that its folder exists and may be read and written, \
         and that there is space"
    )]
    CannotOpen {
        /// Which store.
        address: String,
        /// What the database said.
        source: sqlx::Error,
    },
    /// The store was made by an earlier program and has not been upgraded.
    #[error(
        "{address} has store schema {found}, expected {known}; open it once to write with \
         this program, which upgrades it"
    )]
    OlderSchema {
        /// Which store.
        address: String,
        /// Its schema.
        found: i64,
        /// The one that this program reads.
        known: i64,
    },
    /// Somebody else holds a lock of the database for too long.
    #[error("{address} is locked by another program; end what holds it and try again")]
    Locked {
        /// Which store.
        address: String,
        /// What the database said.
        source: sqlx::Error,
    },
    /// The server cannot be reached, or the connection broke.
    #[error("cannot reach {address}; check that the server runs and can be reached")]
    Unreachable {
        /// Which store.
        address: String,
        /// What the driver said.
        source: sqlx::Error,
    },
    /// The server refused who asks.
    #[error("{address} refuses the login; check user, password and the server's rules")]
    Refused {
        /// Which store.
        address: String,
        /// What the server said.
        source: sqlx::Error,
    },
    /// The database found its own file damaged.
    #[error("{address} is damaged; restore the last backup")]
    Corrupt {
        /// Which store.
        address: String,
        /// What the database said.
        source: sqlx::Error,
    },
    /// It is not known whether a write was committed.
    #[error(
        "the outcome of a write to {address} is not known yet; append the same records again: \
         what is there already is not written twice"
    )]
    OutcomeUnknown {
        /// Which store.
        address: String,
        /// What went wrong while committing.
        source: Box<StoreError>,
    },
    /// A record does not follow from the one before it.
    #[error(
        "{address}: expected record {seq} to follow from the one before it, found that it \
         does not; verify the store, and restore a backup from before the change"
    )]
    Altered {
        /// Which store.
        address: String,
        /// The first record that is wrong.
        seq: u64,
    },
    /// A record's kind is none that this program knows.
    #[error(
        "{address}: expected a kind of record from 1 to 6 in record {seq}, found {kind}"
    )]
    UnknownKind {
        /// Which store.
        address: String,
        /// Which record.
        seq: u64,
        /// The number found.
        kind: i64,
    },
    /// A record or snapshot is larger than the store takes.
    #[error("expected at most {most} bytes in one {what}, found {found}")]
    TooLarge {
        /// `record` or `snapshot`.
        what: &'static str,
        /// How many there may be.
        most: usize,
        /// How many there are.
        found: usize,
    },
    /// A caller gave a record of a kind that the store makes itself.
    #[error(
        "expected a head, step, outcome or stop, found a {0}, which the store itself makes"
    )]
    OwnKind(&'static str),
    /// A snapshot is to be of a record that is not there.
    #[error("expected a snapshot of a record up to {last}, found one of {of}")]
    NoSuchRecord {
        /// The record named.
        of: u64,
        /// The last there is.
        last: u64,
    },
    /// Checkpoints are to be signed by a key that the store does not know.
    #[error(
        "expected the signing key {pinned}, which the store was made with, found {found}; \
         name the right key file"
    )]
    OtherKey {
        /// The public key in the store.
        pinned: String,
        /// That of the key given.
        found: String,
    },
    /// A copy is not what it was copied from, or the original is altered.
    #[error(
        "expected a store without findings in {place}, found {count}, the first: {first}"
    )]
    Unsound {
        /// What was checked.
        place: String,
        /// How many findings.
        count: u64,
        /// The first of them.
        first: String,
    },
    /// The system refused something with a file.
    #[error("cannot {doing} {}", path.display())]
    File {
        /// What was tried, such as `create`.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Anything else that the database said.
    #[error("{address}: the database refused")]
    Database {
        /// Which store.
        address: String,
        /// What it said.
        source: sqlx::Error,
    },
}

impl StoreError {
    /// Whether the same call may succeed later without anybody changing what is asked:
    /// the disk was full or failed, a lock was held, the server was away.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Full { .. }
            | Self::Disk { .. }
            | Self::CannotOpen { .. }
            | Self::Locked { .. }
            | Self::Unreachable { .. }
            | Self::InUse(_)
            | Self::OutcomeUnknown { .. } => true,
            Self::Address(_)
            | Self::Key(_)
            | Self::Missing(_)
            | Self::Taken(_)
            | Self::NotAStore(_)
            | Self::NewerSchema { .. }
            | Self::OlderSchema { .. }
            | Self::OpenedToRead(_)
            | Self::Refused { .. }
            | Self::Corrupt { .. }
            | Self::Altered { .. }
            | Self::UnknownKind { .. }
            | Self::TooLarge { .. }
            | Self::OwnKind(_)
            | Self::NoSuchRecord { .. }
            | Self::OtherKey { .. }
            | Self::Unsound { .. }
            | Self::File { .. }
            | Self::Database { .. } => false,
        }
    }

    /// What an error of the driver means.
    pub(super) fn of(address: &str, source: sqlx::Error) -> Self {
        let address = address.to_owned();
        let code = source.as_database_error().and_then(|error| error.code());
        match (&source, code.as_deref()) {
            (sqlx::Error::Io(_) | sqlx::Error::Tls(_), _) => {
                Self::Unreachable { address, source }
            }
            (sqlx::Error::WorkerCrashed | sqlx::Error::Protocol(_), _) => {
                Self::Unreachable { address, source }
            }
            (sqlx::Error::Database(_), Some(code)) => match code.parse::<u32>() {
                // SQLite's codes are numbers whose low byte is the kind;
                // PostgreSQL's are five characters.
                Ok(number) if code.len() < 5 => Self::of_sqlite(address, number, source),
                Ok(_) | Err(_) => Self::of_postgres(address, code.to_owned(), source),
            },
            (_, _) => Self::Database { address, source },
        }
    }

    /// <https://www.sqlite.org/rescode.html>
    fn of_sqlite(address: String, code: u32, source: sqlx::Error) -> Self {
        match code & 0xff {
            13 => Self::Full { address, source },
            10 => Self::Disk { address, source },
            14 => Self::CannotOpen { address, source },
            5 | 6 => Self::Locked { address, source },
            11 => Self::Corrupt { address, source },
            26 => Self::NotAStore(address),
            8 => Self::OpenedToRead(address),
            _ => Self::Database { address, source },
        }
    }

    /// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
    fn of_postgres(address: String, code: String, source: sqlx::Error) -> Self {
        match code.as_str() {
            "53100" | "54000" => Self::Full { address, source },
            "58030" => Self::Disk { address, source },
            "55P03" | "40P01" => Self::Locked { address, source },
            "XX001" | "XX002" => Self::Corrupt { address, source },
            // Shutting down, starting up, too many connections, connection lost.
            code if code.starts_with("57P")
                || code.starts_with("08")
                || code == "53300" =>
            {
                Self::Unreachable { address, source }
            }
            code if code.starts_with("28") => Self::Refused { address, source },
            _ => Self::Database { address, source },
        }
    }

    /// A file could not be dealt with.
    pub(super) fn file(
        doing: &'static str,
        path: impl Into<PathBuf>,
        source: std::io::Error,
    ) -> Self {
        Self::File { doing, path: path.into(), source }
    }
}
