//! Where a store is: a file, or a schema of a PostgreSQL database.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

/// The schema that holds a store's tables unless the address names another.
const SCHEMA: &str = "megawatt";

/// Where a store is.
///
/// | text | means |
/// |---|---|
/// | `/var/lib/mw/site.db`, `sqlite:/var/lib/mw/site.db` | a SQLite file |
/// | `postgres://mw@db.example:5432/mw` | a PostgreSQL database |
///
/// A PostgreSQL address takes `schema=` (`megawatt` unless said), `password=`
/// (a reference: `env:NAME` or `file:PATH`, never the password itself),
/// `host=` (a folder with the server's Unix socket), `sslmode=` and
/// `sslrootcert=`. Without `password=` the variable `PGPASSWORD` is used.
/// Without `sslmode=` a server that is not on this machine must prove its name
/// (`verify-full`).
#[derive(Clone)]
pub struct StoreAddress {
    place: Place,
    shown: String,
}

#[derive(Clone)]
pub(super) enum Place {
    Sqlite(PathBuf),
    Postgres(Box<Server>),
}

/// A database on a server, and the schema in it.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) options: PgConnectOptions,
    pub(super) schema: String,
}

/// Why text is not the address of a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// It names neither kind of store.
    #[error("expected a path, `sqlite:PATH` or `postgres://…` as the store, found `{0}`")]
    Unknown(String),
    /// It is empty.
    #[error(
        "expected a path, `sqlite:PATH` or `postgres://…` as the store, found nothing"
    )]
    Empty,
    /// The password stands in the address itself.
    #[error(
        "expected no password in the store's address; give `?password=env:NAME` or \
         `?password=file:PATH`, or set PGPASSWORD"
    )]
    PasswordInAddress,
    /// The password is not a reference, or what it refers to is not there.
    #[error("expected a password from {expected}, found {found}")]
    Password {
        /// What would do.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The address has something that is not known.
    #[error(
        "expected one of schema, password, host, port, user, dbname, sslmode, sslrootcert in \
         the store's address, found `{0}`"
    )]
    UnknownKey(String),
    /// The schema's name would need quotes.
    #[error(
        "expected a schema of lower-case letters, digits and underscores that begins with a \
         letter, found `{0}`"
    )]
    Schema(String),
    /// The driver cannot read the address.
    #[error("expected `postgres://USER@HOST:PORT/DATABASE?…` as the store's address")]
    Unreadable(#[source] sqlx::Error),
}

impl StoreAddress {
    /// Reads an address.
    ///
    /// `environment` looks up a variable: only the program itself may.
    pub fn parse(
        text: &str,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, AddressError> {
        if text.is_empty() || text == "sqlite:" {
            return Err(AddressError::Empty);
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Self::postgres(text, environment);
        }
        if let Some(path) = text.strip_prefix("sqlite://") {
            // Two slashes are how others write it; a third begins the path.
            return Ok(Self::file(Path::new(path)));
        }
        if let Some(path) = text.strip_prefix("sqlite:") {
            return Ok(Self::file(Path::new(path)));
        }
        match text.split_once("://") {
            Some(_) => Err(AddressError::Unknown(without_password(text))),
            None => Ok(Self::file(Path::new(text))),
        }
    }

    /// The address of a SQLite file.
    pub fn file(path: &Path) -> Self {
        let shown = path.display().to_string();
        Self { place: Place::Sqlite(path.to_owned()), shown }
    }

    fn postgres(
        text: &str,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, AddressError> {
        let (base, query) = text.split_once('?').unwrap_or((text, ""));
        let authority = base.split_once("://").map_or("", |(_, rest)| rest);
        let authority = authority.split('/').next().unwrap_or_default();
        if authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':')) {
            return Err(AddressError::PasswordInAddress);
        }
        let mut schema = SCHEMA.to_owned();
        let mut password = environment("PGPASSWORD");
        let mut mode_named = false;
        let mut kept = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            match key {
                "schema" => schema = checked_schema(value)?,
                "password" => password = Some(referred(value, environment)?),
                "sslmode" => {
                    mode_named = true;
                    kept.push(pair);
                }
                "host" | "port" | "user" | "dbname" | "sslrootcert" => kept.push(pair),
                _ => return Err(AddressError::UnknownKey(key.to_owned())),
            }
        }
        let url = if kept.is_empty() {
            base.to_owned()
        } else {
            format!("{base}?{}", kept.join("&"))
        };
        let mut options = PgConnectOptions::from_str(&url)
            .map_err(AddressError::Unreadable)?
            .disable_statement_logging()
            .application_name(&format!("megawatt {schema}"))
            .options([("search_path", schema.as_str())]);
        if !mode_named {
            let is_here = options.get_socket().is_some()
                || matches!(
                    options.get_host(),
                    "localhost" | "127.0.0.1" | "::1" | "[::1]"
                );
            let mode = if is_here { PgSslMode::Prefer } else { PgSslMode::VerifyFull };
            options = options.ssl_mode(mode);
        }
        if let Some(password) = password {
            options = options.password(&password);
        }
        let place = Place::Postgres(Box::new(Server { options, schema }));
        Ok(Self { place, shown: text.to_owned() })
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// The schema that holds the tables; a file has none.
    pub(super) fn schema(&self) -> &str {
        match &self.place {
            Place::Sqlite(_) => "",
            Place::Postgres(server) => &server.schema,
        }
    }

    /// The address as it was written; never a password.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }
}

impl fmt::Display for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// A text that may hold a login, without what is between `:` and `@`.
fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    match rest.rsplit_once('@') {
        Some((_, rest)) => format!("{scheme}://…@{rest}"),
        None => text.to_owned(),
    }
}

fn checked_schema(text: &str) -> Result<String, AddressError> {
    let begins = text.starts_with(|first: char| first.is_ascii_lowercase());
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if begins && text.chars().all(is_plain) && text.len() <= 63 {
        Ok(text.to_owned())
    } else {
        Err(AddressError::Schema(text.to_owned()))
    }
}

/// The password that a reference leads to.
fn referred(
    reference: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<String, AddressError> {
    if let Some(name) = reference.strip_prefix("env:") {
        return environment(name).ok_or_else(|| AddressError::Password {
            expected: format!("the variable {name}"),
            found: "that it is not set".to_owned(),
        });
    }
    if let Some(path) = reference.strip_prefix("file:") {
        let text =
            std::fs::read_to_string(path).map_err(|error| AddressError::Password {
                expected: format!("the file {path}"),
                found: error.to_string(),
            })?;
        return Ok(text.trim_end_matches(['\r', '\n']).to_owned());
    }
    Err(AddressError::Password {
        expected: "`env:NAME` or `file:PATH`".to_owned(),
        found: "something else, which may be the password itself".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let environment = |name: &str| (name == "SECRET").then(|| "s3cret".to_owned());
        let found = match StoreAddress::parse(text, &environment) {
            Ok(address) => match address.place() {
                Place::Sqlite(path) => format!("file {}", path.display()),
                Place::Postgres(server) => {
                    let options = &server.options;
                    let database = options.get_database().unwrap_or("-");
                    let mode = options.get_ssl_mode();
                    format!(
                        "{} {database} {} {mode:?}",
                        options.get_host(),
                        server.schema
                    )
                }
            },
            Err(error) => error.to_string(),
        };
        assert!(found.contains(expected), "{text}: expected {expected}, found {found}");
        assert!(!found.contains("s3cret") && !found.contains("hunter2"), "{found}");
    }

    #[test]
    fn an_address_says_where_or_what_is_wrong_with_it() {
        check("site.db", "file site.db");
        check("sqlite:site.db", "file site.db");
        check("sqlite:///var/site.db", "file /var/site.db");
        check("postgres://mw@localhost/mw", "localhost mw megawatt Prefer");
        check(
            "postgres://mw@db.example/mw?schema=north_1",
            "db.example mw north_1 VerifyFull",
        );
        check("postgres://mw@db.example/mw?sslmode=require", "Require");
        check("postgres://mw@db.example/mw?password=env:SECRET", "db.example");
        check("postgres://mw:hunter2@db.example/mw", "expected no password");
        check(
            "postgres://mw@db.example/mw?password=hunter2",
            "expected a password from `env:",
        );
        check("postgres://mw@db.example/mw?password=env:NONE", "the variable NONE");
        check("postgres://mw@db.example/mw?password=file:/none", "the file /none");
        check("postgres://mw@db.example/mw?schema=A;b", "lower-case letters");
        check("postgres://mw@db.example/mw?speed=9", "found `speed`");
        check("mysql://mw:hunter2@db.example/mw", "found `mysql://…@db.example/mw`");
        check("", "found nothing");
    }
}
