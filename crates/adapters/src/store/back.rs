//! The two databases behind the store, and every statement they are given.
//!
//! One text serves both wherever it can. All numbers are 64 bits wide in both.

use std::path::Path;
use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use super::address::Server;
use super::chain::{Hash, StoreId};
use super::key::PublicKey;

/// How long a database file may stay locked by a program that is not ours.
const LOCKED_FOR: Duration = Duration::from_secs(2);

/// What brings a store from one schema to the next, for SQLite and for
/// PostgreSQL. The first makes an empty store. Only ever added to.
const MIGRATIONS: &[(&str, &str)] = &[(
    "CREATE TABLE store (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        schema INTEGER NOT NULL,
        id BLOB NOT NULL,
        public_key BLOB NOT NULL
    ) STRICT;
    CREATE TABLE records (
        seq INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        kind INTEGER NOT NULL,
        bytes BLOB NOT NULL,
        chain BLOB NOT NULL
    ) STRICT;
    CREATE TABLE snapshots (
        record INTEGER PRIMARY KEY,
        bytes BLOB NOT NULL
    ) STRICT;
    CREATE TABLE checkpoints (
        number INTEGER PRIMARY KEY,
        seq INTEGER NOT NULL,
        at INTEGER NOT NULL,
        chain BLOB NOT NULL,
        signature BLOB NOT NULL
    ) STRICT;",
    "CREATE TABLE store (
        one BIGINT PRIMARY KEY CHECK (one = 1),
        schema BIGINT NOT NULL,
        id BYTEA NOT NULL,
        public_key BYTEA NOT NULL
    );
    CREATE TABLE records (
        seq BIGINT PRIMARY KEY,
        at BIGINT NOT NULL,
        kind BIGINT NOT NULL,
        bytes BYTEA NOT NULL,
        chain BYTEA NOT NULL
    );
    CREATE TABLE snapshots (
        record BIGINT PRIMARY KEY,
        bytes BYTEA NOT NULL
    );
    CREATE TABLE checkpoints (
        number BIGINT PRIMARY KEY,
        seq BIGINT NOT NULL,
        at BIGINT NOT NULL,
        chain BYTEA NOT NULL,
        signature BYTEA NOT NULL
    );",
)];

/// The schema that this program writes.
pub(super) const SCHEMA: i64 = MIGRATIONS.len() as i64;

/// A connection to one of the two.
pub(super) enum Back {
    Sqlite(Box<SqliteConnection>),
    Postgres(Box<PgConnection>),
}

/// A record as a row: nothing in it is believed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) seq: i64,
    pub(super) at: i64,
    pub(super) kind: i64,
    pub(super) bytes: Vec<u8>,
    pub(super) chain: Vec<u8>,
}

/// A checkpoint as a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CheckpointRow {
    pub(super) number: i64,
    pub(super) seq: i64,
    pub(super) at: i64,
    pub(super) chain: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

/// What is written together with records.
pub(super) enum Beside<'a> {
    Nothing,
    /// A snapshot of that record, after which only so many are kept.
    Snapshot {
        record: i64,
        bytes: &'a [u8],
        keep: i64,
    },
    Checkpoint(&'a CheckpointRow),
}

/// What a database holds before it is known to be a store.
pub(super) enum Contents {
    Nothing,
    SomethingElse,
    Store,
}

impl std::fmt::Debug for Back {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sqlite(_) => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        })
    }
}

type Result<T> = std::result::Result<T, sqlx::Error>;

/// The same statement for either connection.
macro_rules! either {
    ($back:expr, $connection:ident => $body:expr) => {
        match $back {
            Back::Sqlite($connection) => {
                let $connection = &mut **$connection;
                $body
            }
            Back::Postgres($connection) => {
                let $connection = &mut **$connection;
                $body
            }
        }
    };
}

impl Back {
    /// Opens a file, to write durably or to read.
    pub(super) async fn sqlite(path: &Path, write: bool, create: bool) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(LOCKED_FOR)
            .disable_statement_logging();
        let options = if write {
            options
                .create_if_missing(create)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                // A disk's own cache is emptied too where that has to be asked for.
                .pragma("fullfsync", "1")
                .pragma("checkpoint_fullfsync", "1")
        } else {
            options.read_only(true)
        };
        Ok(Self::Sqlite(Box::new(options.connect().await?)))
    }

    /// Opens a file that is put in place only when it is whole, so that it
    /// needs no journal of its own.
    pub(super) async fn sqlite_unsafe(path: &Path) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Off)
            .synchronous(SqliteSynchronous::Off)
            .disable_statement_logging();
        Ok(Self::Sqlite(Box::new(options.connect().await?)))
    }

    /// Connects to a server.
    pub(super) async fn postgres(server: &Server) -> Result<Self> {
        let mut connection = server.options.connect().await?;
        sqlx::query("SET synchronous_commit = on").execute(&mut connection).await?;
        Ok(Self::Postgres(Box::new(connection)))
    }

    /// Takes the lock that one writer of the schema holds as long as its
    /// session lives; says whether it was free.
    pub(super) async fn lock(&mut self, schema: &str) -> Result<bool> {
        match self {
            Self::Sqlite(_) => Ok(true),
            Self::Postgres(connection) => {
                let hash = Hash::of(format!("megawatt writer {schema}").as_bytes());
                let key = i64::from_le_bytes(hash.0[..8].try_into().expect("8 bytes"));
                sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
                    .bind(key)
                    .fetch_one(&mut **connection)
                    .await
            }
        }
    }

    /// Ends the connection; what it had not committed is gone.
    pub(super) async fn close(self) -> Result<()> {
        match self {
            Self::Sqlite(connection) => connection.close().await,
            Self::Postgres(connection) => connection.close().await,
        }
    }

    /// Ends the connection without waiting for an answer.
    pub(super) async fn abandon(self) {
        // It is given up because it failed; that it fails again says nothing.
        let _ = match self {
            Self::Sqlite(connection) => connection.close().await,
            Self::Postgres(connection) => connection.close_hard().await,
        };
    }

    /// What is in the file or the schema.
    pub(super) async fn contents(&mut self) -> Result<Contents> {
        let names: Vec<(String,)> = match self {
            Self::Sqlite(connection) => {
                let sql = "SELECT name FROM sqlite_master WHERE type = 'table'";
                sqlx::query_as(sql).fetch_all(&mut **connection).await?
            }
            Self::Postgres(connection) => {
                let sql = "SELECT tablename::text FROM pg_tables \
                           WHERE schemaname = current_schema()";
                sqlx::query_as(sql).fetch_all(&mut **connection).await?
            }
        };
        Ok(match names.len() {
            0 => Contents::Nothing,
            _ if names.iter().any(|(name,)| name == "store") => Contents::Store,
            _ => Contents::SomethingElse,
        })
    }

    /// Makes the tables; within a transaction.
    pub(super) async fn make(
        &mut self,
        schema: &str,
        id: StoreId,
        key: &PublicKey,
    ) -> Result<()> {
        if let Self::Postgres(connection) = self {
            // The name is letters, digits and underscores: the address saw to it.
            let sql = format!("CREATE SCHEMA IF NOT EXISTS {schema}");
            sqlx::query(AssertSqlSafe(sql)).execute(&mut **connection).await?;
        }
        for (sqlite, postgres) in MIGRATIONS {
            self.run(sqlite, postgres).await?;
        }
        either!(self, connection => {
            sqlx::query("INSERT INTO store (one, schema, id, public_key) VALUES (1, $1, $2, $3)")
                .bind(SCHEMA)
                .bind(&id.0[..])
                .bind(&key.to_bytes()[..])
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    /// Brings the tables from an earlier schema to this program's.
    pub(super) async fn migrate(&mut self, from: i64) -> Result<()> {
        self.begin().await?;
        for (sqlite, postgres) in
            MIGRATIONS.iter().skip(usize::try_from(from).unwrap_or(0))
        {
            self.run(sqlite, postgres).await?;
        }
        either!(self, connection => {
            sqlx::query("UPDATE store SET schema = $1").bind(SCHEMA).execute(connection).await?;
        });
        self.commit().await
    }

    async fn run(&mut self, sqlite: &'static str, postgres: &'static str) -> Result<()> {
        match self {
            Self::Sqlite(connection) => {
                sqlx::raw_sql(sqlite).execute(&mut **connection).await?;
            }
            Self::Postgres(connection) => {
                sqlx::raw_sql(postgres).execute(&mut **connection).await?;
            }
        }
        Ok(())
    }

    /// Schema, id and public key.
    pub(super) async fn identity(&mut self) -> Result<(i64, Vec<u8>, Vec<u8>)> {
        let sql = "SELECT schema, id, public_key FROM store WHERE one = 1";
        either!(self, connection => sqlx::query_as(sql).fetch_one(connection).await)
    }

    /// Begins a transaction that writes.
    pub(super) async fn begin(&mut self) -> Result<()> {
        self.run("BEGIN IMMEDIATE", "BEGIN").await
    }

    /// Begins a transaction that sees one state of the database throughout.
    pub(super) async fn begin_to_read(&mut self) -> Result<()> {
        self.run("BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
    }

    /// Makes a transaction durable.
    pub(super) async fn commit(&mut self) -> Result<()> {
        self.run("COMMIT", "COMMIT").await
    }

    /// Writes records and what belongs to them; within a transaction.
    pub(super) async fn insert(
        &mut self,
        rows: &[Row],
        beside: &Beside<'_>,
    ) -> Result<()> {
        for row in rows {
            either!(self, connection => {
                sqlx::query(
                    "INSERT INTO records (seq, at, kind, bytes, chain) VALUES ($1, $2, $3, $4, $5)",
                )
                .bind(row.seq)
                .bind(row.at)
                .bind(row.kind)
                .bind(&row.bytes[..])
                .bind(&row.chain[..])
                .execute(connection)
                .await?;
            });
        }
        match beside {
            Beside::Nothing => Ok(()),
            Beside::Snapshot { record, bytes, keep } => {
                self.insert_snapshot(*record, bytes).await?;
                either!(self, connection => {
                    sqlx::query(
                        "DELETE FROM snapshots WHERE record NOT IN \
                         (SELECT record FROM snapshots ORDER BY record DESC LIMIT $1)",
                    )
                    .bind(*keep)
                    .execute(connection)
                    .await?;
                });
                Ok(())
            }
            Beside::Checkpoint(row) => self.insert_checkpoint(row).await,
        }
    }

    pub(super) async fn insert_snapshot(
        &mut self,
        record: i64,
        bytes: &[u8],
    ) -> Result<()> {
        either!(self, connection => {
            sqlx::query("INSERT INTO snapshots (record, bytes) VALUES ($1, $2)")
                .bind(record)
                .bind(bytes)
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    pub(super) async fn insert_checkpoint(&mut self, row: &CheckpointRow) -> Result<()> {
        either!(self, connection => {
            sqlx::query(
                "INSERT INTO checkpoints (number, seq, at, chain, signature) \
                 VALUES ($1, $2, $3, $4, $5)",
            )
            .bind(row.number)
            .bind(row.seq)
            .bind(row.at)
            .bind(&row.chain[..])
            .bind(&row.signature[..])
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// The last record's number, time and chain.
    pub(super) async fn tail(&mut self) -> Result<Option<(i64, i64, Vec<u8>)>> {
        let sql = "SELECT seq, at, chain FROM records ORDER BY seq DESC LIMIT 1";
        either!(self, connection => sqlx::query_as(sql).fetch_optional(connection).await)
    }

    /// Up to `most` records from `seq` on, in order.
    pub(super) async fn page(&mut self, seq: i64, most: i64) -> Result<Vec<Row>> {
        let sql = "SELECT seq, at, kind, bytes, chain FROM records \
                   WHERE seq >= $1 ORDER BY seq LIMIT $2";
        type Columns = (i64, i64, i64, Vec<u8>, Vec<u8>);
        let rows: Vec<Columns> = either!(self, connection => {
            sqlx::query_as(sql).bind(seq).bind(most).fetch_all(connection).await?
        });
        let row = |(seq, at, kind, bytes, chain)| Row { seq, at, kind, bytes, chain };
        Ok(rows.into_iter().map(row).collect())
    }

    /// The records that have a snapshot, the newest first.
    pub(super) async fn snapshots(&mut self) -> Result<Vec<i64>> {
        let sql = "SELECT record FROM snapshots ORDER BY record DESC";
        either!(self, connection => sqlx::query_scalar(sql).fetch_all(connection).await)
    }

    /// The snapshot that a record names.
    pub(super) async fn snapshot(&mut self, record: i64) -> Result<Option<Vec<u8>>> {
        let sql = "SELECT bytes FROM snapshots WHERE record = $1";
        either!(self, connection => {
            sqlx::query_scalar(sql).bind(record).fetch_optional(connection).await
        })
    }

    /// Checkpoints from a number on, at most 1,000.
    pub(super) async fn checkpoints(&mut self, from: i64) -> Result<Vec<CheckpointRow>> {
        let sql = "SELECT number, seq, at, chain, signature FROM checkpoints \
                   WHERE number >= $1 ORDER BY number LIMIT 1000";
        type Columns = (i64, i64, i64, Vec<u8>, Vec<u8>);
        let rows: Vec<Columns> = either!(self, connection => {
            sqlx::query_as(sql).bind(from).fetch_all(connection).await?
        });
        let row = |(number, seq, at, chain, signature)| CheckpointRow {
            number,
            seq,
            at,
            chain,
            signature,
        };
        Ok(rows.into_iter().map(row).collect())
    }

    /// The last checkpoint's number.
    pub(super) async fn last_checkpoint(&mut self) -> Result<Option<i64>> {
        let sql = "SELECT number FROM checkpoints ORDER BY number DESC LIMIT 1";
        either!(self, connection => sqlx::query_scalar(sql).fetch_optional(connection).await)
    }

    /// What the database itself finds wrong with its file; nothing for a server.
    pub(super) async fn own_check(&mut self) -> Result<Vec<String>> {
        match self {
            Self::Sqlite(connection) => {
                let found: Vec<String> = sqlx::query_scalar("PRAGMA quick_check(20)")
                    .fetch_all(&mut **connection)
                    .await?;
                Ok(found.into_iter().filter(|line| line != "ok").collect())
            }
            Self::Postgres(_) => Ok(Vec::new()),
        }
    }
}
