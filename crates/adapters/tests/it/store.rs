//! The store, over SQLite and over PostgreSQL: one list of cases for both.
//!
//! The cases over PostgreSQL need a server, whose address is in
//! `MW_ORACLE_POSTGRES`; without one they are skipped and say so.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::Poll;

use adapters::store::{
    Access, Checkpoint, Expected, Key, Kind, NewRecord, Record, Store, StoreAddress,
    StoreError, Verdict, backup, restore, verify,
};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};
use units::Timestamp;

/// A database to run a case in, and a folder for its files.
pub(crate) struct Bench {
    pub(crate) folder: PathBuf,
    server: Option<String>,
    name: &'static str,
}

/// Runs a case over both databases.
macro_rules! cases {
    ($($case:ident,)*) => {
        mod over_sqlite {
            $(#[test] fn $case() { super::run(false, stringify!($case), super::$case); })*
        }
        /// The word `oracle` in the path is how comparisons are selected.
        mod over_postgres_oracle {
            $(#[test] fn $case() { super::run(true, stringify!($case), super::$case); })*
        }
    };
}

cases! {
    what_was_appended_is_there_after_opening_again,
    a_batch_that_fails_in_the_middle_leaves_nothing,
    a_second_writer_is_refused_until_the_first_ends,
    a_reader_sees_what_is_committed_and_nothing_else,
    a_write_that_was_given_up_is_not_done_twice,
    a_connection_that_broke_is_made_again,
    a_snapshot_is_read_back_and_a_damaged_one_passed_over,
    every_alteration_of_a_row_is_found,
    a_witness_finds_a_journal_that_was_cut_or_written_anew,
    a_checkpoint_survives_its_text_and_no_other,
    a_backup_made_while_writing_restores_to_the_same_chain,
    what_is_no_store_is_refused_with_a_reason,
    a_killed_writer_loses_nothing_that_it_acknowledged,
}

fn run<F>(on_server: bool, name: &'static str, case: fn(Bench) -> F)
where
    F: Future<Output = ()>,
{
    let server = std::env::var("MW_ORACLE_POSTGRES").ok();
    if on_server && server.is_none() {
        eprintln!("skipped: {name} over PostgreSQL: no server in MW_ORACLE_POSTGRES");
        return;
    }
    let kind = if on_server { "postgres" } else { "sqlite" };
    let folder = folder(&format!("{kind}_{name}"));
    let bench =
        Bench { folder: folder.clone(), server: server.filter(|_| on_server), name };
    block_on(case(bench));
    std::fs::remove_dir_all(folder).expect("the test's own folder");
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().expect("a runtime").block_on(future)
}

/// An empty folder of a test's own.
pub(crate) fn folder(name: &str) -> PathBuf {
    let own = format!("store_{name}_{}", std::process::id());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(own);
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
        Ok(()) | Err(_) => {}
    }
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

impl Bench {
    /// An address of the case's own with nothing at it.
    async fn address(&self, part: &str) -> StoreAddress {
        let Some(server) = &self.server else {
            return StoreAddress::file(&self.folder.join(part));
        };
        let schema = self.schema(part);
        let drop = format!("DROP SCHEMA IF EXISTS {schema} CASCADE");
        self.on_server(&drop).await.expect("a schema of our own");
        let ends = if server.contains('?') { "&" } else { "?" };
        let text = format!("{server}{ends}schema={schema}");
        StoreAddress::parse(&text, &|_| None).expect("an address")
    }

    /// A name short enough for a schema.
    fn schema(&self, part: &str) -> String {
        let name: String = self.name.chars().filter(|c| !"aeiou".contains(*c)).collect();
        format!("t_{name:.40}_{part}")
    }

    async fn on_server(&self, sql: &str) -> Result<u64, sqlx::Error> {
        let server = self.server.as_deref().expect("a server");
        let mut connection = PgConnection::connect(server).await?;
        let done =
            sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await?;
        connection.close().await?;
        Ok(done.rows_affected())
    }

    /// What somebody with access to the database could do.
    async fn sql(&self, part: &str, sql: &str) -> u64 {
        let rows = if self.server.is_some() {
            let schema = self.schema(part);
            self.on_server(&format!("SET search_path = {schema}; {sql}")).await
        } else {
            let mut connection = self.file(part).await;
            let sql = AssertSqlSafe(sql.to_owned());
            let done = sqlx::raw_sql(sql).execute(&mut connection).await;
            connection.close().await.expect("a close");
            done.map(|done| done.rows_affected())
        };
        rows.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    async fn file(&self, part: &str) -> SqliteConnection {
        let path = self.folder.join(part);
        SqliteConnection::connect(&path.display().to_string()).await.expect("a file")
    }

    /// Copies a closed store by hand.
    async fn copy(&self, from: &str, to: &str) {
        if self.server.is_none() {
            std::fs::copy(self.folder.join(from), self.folder.join(to)).expect("a copy");
            return;
        }
        let (from, to) = (self.schema(from), self.schema(to));
        let mut sql = format!("CREATE SCHEMA {to};");
        for table in ["store", "records", "snapshots", "checkpoints"] {
            sql += &format!(
                "CREATE TABLE {to}.{table} (LIKE {from}.{table} INCLUDING ALL);
                 INSERT INTO {to}.{table} SELECT * FROM {from}.{table};"
            );
        }
        self.on_server(&sql).await.expect("a copy");
    }

    /// A byte string's expression with its first byte turned round.
    fn flipped(&self, column: &str) -> String {
        if self.server.is_some() {
            format!("set_byte({column}, 0, 255 - get_byte({column}, 0))")
        } else {
            // SQLite cannot compute with bytes; a zero byte stands where there
            // was none, or a one.
            format!(
                "CAST(CASE substr({column}, 1, 1) WHEN x'00' THEN x'01' ELSE x'00' END \
                 || substr({column}, 2) AS BLOB)"
            )
        }
    }
}

fn key() -> Key {
    Key::from_seed([7; 32])
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(1_790_000_000 + seconds)
}

fn new(kind: Kind, seconds: i64, text: &str) -> NewRecord {
    NewRecord { at: at(seconds), kind, bytes: text.as_bytes().to_vec() }
}

fn steps(from: u64, count: u64) -> Vec<NewRecord> {
    let step = |n: u64| new(Kind::Step, n as i64, &format!("step {n}"));
    (from..from + count).map(step).collect()
}

/// A store with a head and nine steps.
async fn ten(address: &StoreAddress) -> Store {
    let head = new(Kind::Head, 0, "a site");
    let mut store =
        Store::create(address, &key().public(), &[head]).await.expect("a store");
    store.append(&steps(2, 9)).await.expect("room");
    store
}

async fn all(store: &mut Store) -> Vec<Record> {
    let mut records = store.records(1).await.expect("records");
    let mut read = Vec::new();
    while let Some(record) = records.next().await.expect("a record") {
        read.push(record);
    }
    read
}

async fn verdict(address: &StoreAddress, expected: &Expected) -> Verdict {
    let mut store = Store::open(address, Access::Read).await.expect("a store");
    let verdict = verify(&mut store, expected, &mut |_, _| {}).await.expect("a verdict");
    store.close().await.expect("a close");
    verdict
}

fn said(verdict: &Verdict) -> String {
    verdict.findings.iter().map(|finding| format!("{finding}\n")).collect()
}

async fn what_was_appended_is_there_after_opening_again(bench: Bench) {
    let address = bench.address("a").await;
    let mut store = ten(&address).await;
    let stop = new(Kind::Stop, 11, "");
    let outcome = new(Kind::Outcome, 10, "delivered");
    let appended = store.append(&[outcome, stop]).await.expect("room");
    assert_eq!(appended.seq, 12);
    assert_eq!(store.append(&[]).await.expect("nothing to do"), appended);
    let (id, written) = (store.id(), all(&mut store).await);
    store.close().await.expect("a close");

    let mut store = Store::open(&address, Access::Write).await.expect("a store");
    assert_eq!(store.id(), id);
    assert_eq!(store.tail().await.expect("a tail"), appended);
    assert_eq!(all(&mut store).await, written);
    let (first, last) = (&written[0], &written[11]);
    assert_eq!(
        (first.seq, first.kind, &first.bytes[..]),
        (1, Kind::Head, &b"a site"[..])
    );
    assert_eq!((last.seq, last.kind, last.at), (12, Kind::Stop, at(11)));

    let mut from_the_middle = store.records(11).await.expect("records");
    let read = from_the_middle.next().await.expect("a record").expect("the eleventh");
    assert_eq!(read, written[10]);
    assert_eq!(store.append(&steps(13, 1)).await.expect("room").seq, 13);
    store.close().await.expect("a close");
    assert!(verdict(&address, &Expected::default()).await.is_sound());
}

async fn a_batch_that_fails_in_the_middle_leaves_nothing(bench: Bench) {
    let address = bench.address("a").await;
    let mut store = ten(&address).await;
    // A row that stands where the second of the batch belongs.
    let in_the_way = "INSERT INTO records SELECT 12, at, kind, bytes, chain FROM records \
                      WHERE seq = 1";
    bench.sql("a", in_the_way).await;
    let error = store.append(&steps(11, 3)).await.expect_err("something in the way");
    assert!(matches!(error, StoreError::Database { .. }), "{error}");
    assert_eq!(bench.sql("a", "DELETE FROM records WHERE seq = 11").await, 0);
    assert_eq!(bench.sql("a", "DELETE FROM records WHERE seq = 12").await, 1);

    assert_eq!(store.append(&steps(11, 3)).await.expect("room").seq, 13);
    store.close().await.expect("a close");
    assert!(verdict(&address, &Expected::default()).await.is_sound());
}

async fn a_second_writer_is_refused_until_the_first_ends(bench: Bench) {
    let address = bench.address("a").await;
    let first = ten(&address).await;
    let error = Store::open(&address, Access::Write).await.expect_err("a writer");
    assert!(matches!(error, StoreError::InUse(_)) && error.may_pass(), "{error}");
    let head = new(Kind::Head, 0, "another");
    let error = Store::create(&address, &key().public(), &[head]).await;
    assert!(matches!(error, Err(StoreError::InUse(_))), "{error:?}");
    let mut reader = Store::open(&address, Access::Read).await.expect("a reader");
    let error = reader.append(&steps(11, 1)).await.expect_err("a reader");
    assert!(matches!(error, StoreError::OpenedToRead(_)), "{error}");
    first.close().await.expect("a close");
    let second = Store::open(&address, Access::Write).await.expect("the lock is free");
    second.close().await.expect("a close");
}

async fn a_reader_sees_what_is_committed_and_nothing_else(bench: Bench) {
    let address = bench.address("a").await;
    let mut writer = ten(&address).await;
    let mut reader = Store::open(&address, Access::Read).await.expect("a reader");
    let mut seen = reader.records(10).await.expect("records");
    assert_eq!(seen.next().await.expect("a record").expect("the tenth").seq, 10);
    assert_eq!(seen.next().await.expect("no error"), None);

    // A write under way, as another connection would do it.
    let insert = "INSERT INTO records SELECT 11, at, kind, bytes, chain FROM records \
                  WHERE seq = 1";
    if let Some(server) = &bench.server {
        let mut other = PgConnection::connect(server).await.expect("a connection");
        let schema = bench.schema("a");
        let sql = format!("SET search_path = {schema}; BEGIN; {insert}");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut other).await.expect("an insert");
        assert_eq!(seen.next().await.expect("no error"), None);
        other.close().await.expect("a close");
    } else {
        let mut other = bench.file("a").await;
        let sql = format!("BEGIN IMMEDIATE; {insert}");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut other).await.expect("an insert");
        assert_eq!(seen.next().await.expect("no error"), None);
        other.close().await.expect("a close");
    }

    writer.append(&steps(11, 2)).await.expect("room");
    assert_eq!(seen.next().await.expect("a record").expect("the eleventh").seq, 11);
    assert_eq!(reader.tail().await.expect("a tail").seq, 12);
}

/// Drops a write after each number of polls there can be.
async fn a_write_that_was_given_up_is_not_done_twice(bench: Bench) {
    let address = bench.address("a").await;
    let mut store = ten(&address).await;
    let mut seq = 10;
    let mut finished = 0;
    for polls in 0..120 {
        let records = steps(seq + 1, 3);
        let done = {
            let mut write = pin!(store.append(&records));
            let mut left = polls;
            std::future::poll_fn(|context| {
                if left == 0 {
                    return Poll::Ready(None);
                }
                left -= 1;
                write.as_mut().poll(context).map(Some)
            })
            .await
        };
        finished += u32::from(done.is_some());
        // What is retried may have grown meanwhile.
        let more = steps(seq + 1, 4);
        let again = if done.is_some() { &more[3..] } else { &more[..] };
        seq += 4;
        assert_eq!(store.append(again).await.expect("room").seq, seq, "{polls} polls");
    }
    assert!(finished > 0, "no write ended within the polls it was given");
    let read = all(&mut store).await;
    let texts: Vec<_> = read[1..].iter().map(|record| record.bytes.clone()).collect();
    let expected: Vec<_> = steps(2, seq - 1).into_iter().map(|step| step.bytes).collect();
    assert_eq!(texts, expected);
    store.close().await.expect("a close");
}

async fn a_connection_that_broke_is_made_again(bench: Bench) {
    if bench.server.is_none() {
        // A file has no connection that could break.
        return;
    }
    let address = bench.address("a").await;
    let mut store = ten(&address).await;
    let mut reader = Store::open(&address, Access::Read).await.expect("a reader");
    // Its own sessions alone: other cases run beside it.
    let end_all = format!(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity \
         WHERE application_name = 'megawatt {}'",
        bench.schema("a")
    );
    assert_eq!(bench.on_server(&end_all).await.expect("to end sessions"), 2);
    let error = store.append(&steps(11, 2)).await.expect_err("the session ended");
    assert!(error.may_pass(), "{error}");
    assert_eq!(store.append(&steps(11, 2)).await.expect("a new session").seq, 12);
    let error = Store::open(&address, Access::Write).await.expect_err("a writer");
    assert!(matches!(error, StoreError::InUse(_)), "{error}");
    let error = reader.tail().await.expect_err("the session ended");
    assert!(error.may_pass(), "{error}");
    assert_eq!(reader.tail().await.expect("a new session").seq, 12);
}

async fn a_snapshot_is_read_back_and_a_damaged_one_passed_over(bench: Bench) {
    let address = bench.address("a").await;
    let mut store = ten(&address).await;
    assert_eq!(store.last_snapshot().await.expect("no error"), None);
    for of in 6..=10 {
        let state = vec![of as u8; 100_000];
        store.put_snapshot(of, at(20), 3, &state).await.expect("room");
    }
    let error = store.put_snapshot(99, at(20), 3, b"").await.expect_err("no such record");
    assert!(matches!(error, StoreError::NoSuchRecord { of: 99, last: 15 }), "{error}");
    let last = store.last_snapshot().await.expect("no error").expect("one");
    assert_eq!((last.of, last.record, last.format), (10, 15, 3));
    assert_eq!((last.bytes, last.passed_over), (vec![10; 100_000], vec![]));
    assert_eq!(bench.sql("a", "UPDATE snapshots SET record = record").await, 3);

    let flipped = bench.flipped("bytes");
    let damage = format!("UPDATE snapshots SET bytes = {flipped} WHERE record = 15");
    assert_eq!(bench.sql("a", &damage).await, 1);
    let last = store.last_snapshot().await.expect("no error").expect("one");
    assert_eq!((last.of, last.passed_over), (9, vec![15]));
    bench.sql("a", "DELETE FROM snapshots WHERE record = 14").await;
    let last = store.last_snapshot().await.expect("no error").expect("one");
    assert_eq!(last.of, 8);
    store.close().await.expect("a close");
    let verdict = verdict(&address, &Expected::default()).await;
    assert_eq!(
        said(&verdict),
        "the snapshot of record 15 is not what the journal says\n\
         the snapshot of record 14 is missing\n"
    );
}

/// Each row alters a store in one way, through plain SQL, and says what is to
/// be found: every finding, or none of them where the store is refused.
async fn every_alteration_of_a_row_is_found(bench: Bench) {
    let flip = |table: &str, column: &str, which: &str| {
        let flipped = bench.flipped(column);
        format!("UPDATE {table} SET {column} = {flipped} WHERE {which}")
    };
    let copy = |seq: &str, of: i64| {
        format!(
            "INSERT INTO records SELECT {seq}, at, kind, bytes, chain FROM records \
             WHERE seq = {of}"
        )
    };
    // Two rows change places through a number that no row has.
    let swap = "UPDATE records SET seq = 99 WHERE seq = 4; \
                UPDATE records SET seq = 4 WHERE seq = 5; \
                UPDATE records SET seq = 5 WHERE seq = 99";
    let alterations: Vec<(String, &str)> = vec![
        (flip("records", "bytes", "seq = 4"), "record 4 does not follow from the one before it\n"),
        (flip("records", "chain", "seq = 4"), "record 4 does not follow from the one before it\n"),
        (flip("records", "chain", "seq = 13"), "record 13 does not follow"),
        ("UPDATE records SET at = at + 1 WHERE seq = 4".into(), "record 4 does not follow"),
        ("UPDATE records SET kind = 3 WHERE seq = 4".into(), "record 4 does not follow"),
        ("UPDATE records SET kind = 258 WHERE seq = 4".into(), "record 4 is of kind 258"),
        ("UPDATE records SET seq = 40 WHERE seq = 4".into(), "record 4 is missing"),
        ("UPDATE records SET seq = -4 WHERE seq = 4".into(), "number -4"),
        ("UPDATE records SET bytes = bytes WHERE seq = 4".into(), ""),
        ("DELETE FROM records WHERE seq = 4".into(), "record 4 is missing\n"),
        ("DELETE FROM records WHERE seq BETWEEN 4 AND 6".into(), "records 4 to 6 are missing\n"),
        ("DELETE FROM records WHERE seq = 1".into(), "record 1 is missing\n"),
        ("DELETE FROM records WHERE seq = 13".into(), "checkpoint 2 that the journal does not name"),
        ("DELETE FROM records WHERE seq > 9".into(), "the journal ends at record 9; it had 12"),
        ("DELETE FROM records".into(), "the journal ends at record 0; it had 10"),
        (swap.into(), "record 4 does not follow from the one before it\nrecord 5 does not follow"),
        (copy("14", 4), "record 14 does not follow"),
        (copy("0", 4), "number 0"),
        (
            format!("UPDATE records SET seq = seq + 100 WHERE seq > 4; {}; \
                     UPDATE records SET seq = seq - 99 WHERE seq > 100", copy("5", 4)),
            "record 5 does not follow",
        ),
        (flip("snapshots", "bytes", "record = 12"), "the snapshot of record 12 is not what"),
        ("UPDATE snapshots SET record = 9".into(), "snapshot 9 that the journal does not name"),
        ("DELETE FROM snapshots".into(), "the snapshot of record 12 is missing"),
        ("INSERT INTO snapshots SELECT 5, bytes FROM snapshots".into(), "snapshot 5 that"),
        (flip("checkpoints", "chain", "number = 1"), "checkpoint 1 is not signed by the key"),
        (flip("checkpoints", "signature", "number = 1"), "checkpoint 1 is not signed by the key"),
        ("UPDATE checkpoints SET at = at + 1 WHERE number = 1".into(), "checkpoint 1 is not signed"),
        ("UPDATE checkpoints SET seq = 9 WHERE number = 1".into(), "checkpoint 1 is not signed"),
        ("UPDATE checkpoints SET number = 9 WHERE number = 1".into(), "checkpoint 9 is not signed"),
        ("DELETE FROM checkpoints WHERE number = 1".into(), "checkpoint 1 is missing\n"),
        ("DELETE FROM checkpoints WHERE number = 2".into(), "checkpoint 2 is missing\n"),
        (
            "INSERT INTO checkpoints SELECT 3, seq, at, chain, signature FROM checkpoints \
             WHERE number = 1".into(),
            "checkpoint 3 is not signed by the key",
        ),
        (flip("store", "id", "one = 1"), "record 1 does not follow"),
        ("UPDATE store SET schema = 99".into(), "refused: "),
        (flip("store", "public_key", "one = 1"), ""),
        ("DELETE FROM store".into(), "refused: "),
    ];
    let original = bench.address("o").await;
    let mut store = ten(&original).await;
    store.checkpoint(&key(), at(20)).await.expect("room");
    store.put_snapshot(10, at(21), 1, &[1, 2, 3, 4, 5]).await.expect("room");
    store.checkpoint(&key(), at(22)).await.expect("room");
    store.close().await.expect("a close");
    let before = verdict(&original, &Expected::default()).await;
    assert_eq!((said(&before).as_str(), before.records, before.covered), ("", 13, 12));
    for (index, (alteration, expected)) in alterations.iter().enumerate() {
        let part = format!("a{index}");
        let address = bench.address(&part).await;
        bench.copy("o", &part).await;
        bench.sql(&part, alteration).await;
        let found = match Store::open(&address, Access::Read).await {
            Ok(store) => {
                store.close().await.expect("a close");
                said(&verdict(&address, &Expected::default()).await)
            }
            Err(error) => format!("refused: {error}"),
        };
        let whole = expected.is_empty() && found.is_empty();
        let is_unchanged = alteration.contains("bytes = bytes");
        assert!(
            if expected.is_empty() {
                whole == is_unchanged
            } else {
                found.contains(expected)
            },
            "{alteration}\nexpected {expected}\nfound {found}"
        );
        if expected.ends_with('\n') {
            assert_eq!(&found, expected, "{alteration}");
        }
    }
}

async fn a_witness_finds_a_journal_that_was_cut_or_written_anew(bench: Bench) {
    let address = bench.address("a").await;
    let mut store = ten(&address).await;
    let kept = store.checkpoint(&key(), at(20)).await.expect("room");
    store.append(&steps(12, 4)).await.expect("room");
    let later = store.checkpoint(&key(), at(30)).await.expect("room");
    store.close().await.expect("a close");
    let expected = Expected {
        key: Some(key().public()),
        witnessed: vec![kept.clone(), later.clone()],
    };
    let sound = verdict(&address, &expected).await;
    assert_eq!((said(&sound).as_str(), sound.covered), ("", 15));

    // Cut where nothing in the store itself tells of it.
    bench.sql("a", "DELETE FROM records WHERE seq > 11").await;
    bench.sql("a", "DELETE FROM checkpoints WHERE number > 1").await;
    assert_eq!(said(&verdict(&address, &Expected::default()).await), "");
    assert_eq!(
        said(&verdict(&address, &expected).await),
        "the journal ends at record 11; it had 15 at the witness's checkpoint 2\n"
    );
    // Written on differently after the cut.
    let mut store = Store::open(&address, Access::Write).await.expect("a store");
    store.append(&steps(50, 6)).await.expect("room");
    store.close().await.expect("a close");
    assert_eq!(said(&verdict(&address, &Expected::default()).await), "");
    let anew = said(&verdict(&address, &expected).await);
    assert_eq!(
        anew,
        "the journal up to record 15 is not the one that the witness's checkpoint 2 signed\n"
    );

    // A witness's text that is of another store, or not signed.
    let other = bench.address("b").await;
    let mut store = ten(&other).await;
    let foreign = store.checkpoint(&key(), at(20)).await.expect("room");
    store.close().await.expect("a close");
    let forged = Checkpoint { seq: 9, ..kept };
    let expected = Expected { key: None, witnessed: vec![foreign, forged] };
    let found = said(&verdict(&address, &expected).await);
    assert!(found.contains("the witness's checkpoint 1 is of the store"), "{found}");
    assert!(found.contains("the witness's checkpoint 1 is not signed"), "{found}");

    // Another key than the one that was expected.
    let stranger = Key::from_seed([8; 32]);
    let expected = Expected { key: Some(stranger.public()), witnessed: Vec::new() };
    let found = said(&verdict(&address, &expected).await);
    assert!(found.contains("expected the key"), "{found}");
    assert!(found.contains("checkpoint 1 is not signed by the key"), "{found}");
    let mut store = Store::open(&address, Access::Write).await.expect("a store");
    let error = store.checkpoint(&stranger, at(40)).await.expect_err("another key");
    assert!(matches!(error, StoreError::OtherKey { .. }), "{error}");
    store.close().await.expect("a close");
}

async fn a_checkpoint_survives_its_text_and_no_other(bench: Bench) {
    let address = bench.address("a").await;
    let mut store = ten(&address).await;
    let signed = store.checkpoint(&key(), at(20)).await.expect("room");
    assert_eq!(store.last_checkpoint().await.expect("no error"), Some(signed.clone()));
    store.close().await.expect("a close");
    assert_eq!((signed.number, signed.seq), (1, 10));
    assert!(signed.is_signed_by(&key().public()));
    let text = signed.to_json();
    assert_eq!(Checkpoint::parse(&text).expect("its own text"), signed);
    for (from, to) in [
        ("\"seq\":10", "\"seq\":11"),
        ("\"number\":1", "\"number\":2"),
        ("\"at_unix_seconds\":1790000020", "\"at_unix_seconds\":1790000021"),
    ] {
        assert!(text.contains(from), "{text}");
        let changed = Checkpoint::parse(&text.replace(from, to)).expect("a checkpoint");
        assert!(!changed.is_signed_by(&key().public()), "{to}");
    }
    let later = text.replace("\"megawatt_checkpoint\":1", "\"megawatt_checkpoint\":2");
    for broken in ["", "{}", "[]", &text[..80], &later] {
        let error = Checkpoint::parse(broken).expect_err("no checkpoint").to_string();
        assert!(error.starts_with("expected the text of a checkpoint, found"), "{error}");
    }
}

async fn a_backup_made_while_writing_restores_to_the_same_chain(bench: Bench) {
    let address = bench.address("a").await;
    let mut store = ten(&address).await;
    store.put_snapshot(10, at(20), 1, &[9; 5_000]).await.expect("room");
    store.checkpoint(&key(), at(21)).await.expect("room");
    for from in 0..40 {
        store.append(&steps(13 + from * 25, 25)).await.expect("room");
    }
    let mut reader = Store::open(&address, Access::Read).await.expect("a reader");
    let file = bench.folder.join("backup.db");
    let partial = bench.folder.join("backup.db.partial");
    std::fs::write(&partial, "left by one that was cut off").expect("a file");
    let writing = async {
        for from in 40..80 {
            store.append(&steps(13 + from * 25, 25)).await.expect("room");
        }
    };
    let mut told = 0;
    let mut progress = |done, _| told = done;
    let backing_up = backup(&mut reader, &file, &mut progress);
    let ((), copied) = both(writing, backing_up).await;
    let copied = copied.expect("a backup");
    assert_eq!(told, copied.tail.seq);
    assert!(copied.tail.seq >= 1_012 && !partial.exists(), "{copied:?}");
    assert_eq!(store.tail().await.expect("a tail").seq, 2_012);
    let error = backup(&mut reader, &file, &mut |_, _| {}).await.expect_err("a file");
    assert!(matches!(error, StoreError::Taken(_)), "{error}");
    let original = store.record(copied.tail.seq).await.expect("a record");
    assert_eq!(original.chain, copied.tail.chain);
    store.close().await.expect("a close");

    // Into the same kind of store, and into a file.
    let mut places = vec![StoreAddress::file(&bench.folder.join("restored.db"))];
    places.push(bench.address("b").await);
    for place in places {
        let expected = Expected { key: Some(key().public()), witnessed: Vec::new() };
        let verdict =
            restore(&file, &place, &expected, &mut |_, _| {}).await.expect("room");
        assert_eq!((verdict.tail, verdict.snapshots), (copied.tail, 1), "{place}");
        let error = restore(&file, &place, &expected, &mut |_, _| {}).await;
        assert!(matches!(error, Err(StoreError::Taken(_))), "{error:?}");
        let mut restored = Store::open(&place, Access::Write).await.expect("a store");
        let snapshot = restored.last_snapshot().await.expect("no error").expect("one");
        assert_eq!(snapshot.bytes, [9; 5_000]);
        let more = steps(copied.tail.seq + 1, 1);
        assert_eq!(restored.append(&more).await.expect("room").seq, copied.tail.seq + 1);
        restored.close().await.expect("a close");
    }

    // A backup that was altered is not restored, and leaves nothing behind.
    let mut altered =
        SqliteConnection::connect(&file.display().to_string()).await.expect("it");
    let sql = "UPDATE records SET at = 0 WHERE seq = 7";
    sqlx::raw_sql(sql).execute(&mut altered).await.expect("an update");
    altered.close().await.expect("a close");
    let place = bench.address("c").await;
    let error = restore(&file, &place, &Expected::default(), &mut |_, _| {}).await;
    assert!(matches!(error, Err(StoreError::Unsound { count: 1, .. })), "{error:?}");
    assert!(!Store::exists(&place).await.expect("no error"));
    // Nor is an altered store backed up.
    bench.sql("a", "UPDATE records SET at = 0 WHERE seq = 7").await;
    let file = bench.folder.join("second.db");
    let error = backup(&mut reader, &file, &mut |_, _| {}).await;
    assert!(matches!(error, Err(StoreError::Altered { seq: 7, .. })), "{error:?}");
    assert!(!file.exists());
}

/// Polls two futures in turn until both are done.
async fn both<A, B>(a: impl Future<Output = A>, b: impl Future<Output = B>) -> (A, B) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut first, mut second) = (None, None);
    std::future::poll_fn(|context| {
        if first.is_none()
            && let Poll::Ready(done) = a.as_mut().poll(context)
        {
            first = Some(done);
        }
        if second.is_none()
            && let Poll::Ready(done) = b.as_mut().poll(context)
        {
            second = Some(done);
        }
        match (first.take(), second.take()) {
            (Some(a), Some(b)) => Poll::Ready((a, b)),
            (a, b) => {
                (first, second) = (a, b);
                Poll::Pending
            }
        }
    })
    .await
}

async fn what_is_no_store_is_refused_with_a_reason(bench: Bench) {
    let address = bench.address("a").await;
    let error = Store::open(&address, Access::Write).await.expect_err("nothing there");
    assert!(matches!(error, StoreError::Missing(_)), "{error}");
    assert!(!Store::exists(&address).await.expect("no error"));
    ten(&address).await.close().await.expect("a close");
    assert!(Store::exists(&address).await.expect("no error"));
    let head = new(Kind::Head, 0, "another");
    let error = Store::create(&address, &key().public(), &[head]).await;
    assert!(matches!(error, Err(StoreError::Taken(_))), "{error:?}");

    bench.sql("a", "UPDATE store SET schema = 2").await;
    let error = Store::open(&address, Access::Write).await.expect_err("a newer schema");
    let text = error.to_string();
    assert!(text.ends_with(
        "has store schema 2; this program reads up to 1; \
         use the program that wrote it, or a later one"
    ));
    bench.sql("a", "ALTER TABLE store RENAME TO shop").await;
    let error = Store::open(&address, Access::Read).await.expect_err("no store");
    assert!(matches!(error, StoreError::NotAStore(_)), "{error}");
    bench.sql("a", "CREATE TABLE store (name TEXT)").await;
    let error = Store::open(&address, Access::Read).await.expect_err("no store");
    assert!(matches!(error, StoreError::NotAStore(_)), "{error}");

    let address = bench.address("b").await;
    let own = new(Kind::Snapshot, 0, "mine");
    let error = Store::create(&address, &key().public(), &[own]).await;
    assert!(matches!(error, Err(StoreError::OwnKind("snapshot"))), "{error:?}");
    if bench.server.is_none() {
        let path = bench.folder.join("text.db");
        std::fs::write(&path, "this is a text and no database at all".repeat(40))
            .expect("it");
        let error = Store::open(&StoreAddress::file(&path), Access::Read).await;
        assert!(matches!(error, Err(StoreError::NotAStore(_))), "{error:?}");
    } else {
        let gone = StoreAddress::parse("postgres://mw@127.0.0.1:1/mw", &|_| None);
        let error = Store::open(&gone.expect("an address"), Access::Read).await;
        assert!(matches!(error, Err(StoreError::Unreachable { .. })), "{error:?}");
    }
}

/// Says where the child of the test below is to write.
const CHILD: &str = "MW_TEST_STORE_CHILD";

/// A child process appends as fast as it can and says what was acknowledged;
/// it is killed at whatever it does when so many were read.
async fn a_killed_writer_loses_nothing_that_it_acknowledged(bench: Bench) {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};

    let address = bench.address("a").await;
    ten(&address).await.close().await.expect("a close");
    let mut seq = 10;
    for round in 0..15_u32 {
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "store::the_child_that_is_killed", "--nocapture"])
            .env(CHILD, address.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let acknowledged = lines.filter_map(|line| {
            let line = line.expect("text");
            line.strip_prefix("acknowledged ").and_then(|seq| seq.parse::<u64>().ok())
        });
        let last = acknowledged.take(1 + (round * 7 % 23) as usize).last();
        child.kill().expect("a kill");
        child.wait().expect("an end");
        let last = last.expect("at least one was acknowledged");

        let mut store = open_when_free(&address).await;
        let tail = store.tail().await.expect("a tail");
        assert!(tail.seq >= last && last > seq, "round {round}: {last} then {tail:?}");
        seq = tail.seq;
        let verdict = verify(&mut store, &Expected::default(), &mut |_, _| {}).await;
        assert_eq!(said(&verdict.expect("a verdict")), "", "round {round}");
        store.close().await.expect("a close");
    }
}

/// A server may notice only after a moment that its client is gone; a file's
/// lock is free at once.
async fn open_when_free(address: &StoreAddress) -> Store {
    let tries = if address.to_string().starts_with("postgres") { 2_000 } else { 1 };
    for _ in 1..tries {
        match Store::open(address, Access::Write).await {
            Err(StoreError::InUse(_)) => {}
            opened => return opened.expect("a store"),
        }
    }
    Store::open(address, Access::Write).await.expect("the lock is free")
}

/// No test by itself: what the test above starts and kills.
#[test]
fn the_child_that_is_killed() {
    use std::io::Write as _;

    let Ok(address) = std::env::var(CHILD) else { return };
    let address = StoreAddress::parse(&address, &|_| None).expect("an address");
    block_on(async {
        let mut store = Store::open(&address, Access::Write).await.expect("a store");
        let mut tail = store.tail().await.expect("a tail");
        loop {
            let count = 1 + tail.seq % 5;
            tail = store.append(&steps(tail.seq + 1, count)).await.expect("room");
            if tail.seq % 3 == 0 {
                store.put_snapshot(tail.seq, at(1), 1, &[0; 3_000]).await.expect("room");
                store.checkpoint(&key(), at(2)).await.expect("room");
                tail = store.tail().await.expect("a tail");
            }
            let mut out = std::io::stdout().lock();
            writeln!(out, "acknowledged {}", tail.seq).expect("a reader");
            out.flush().expect("a reader");
        }
    });
}
