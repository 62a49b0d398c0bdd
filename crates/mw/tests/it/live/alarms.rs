//! Alarms reach a contact, are tried again, and are told again after a restart only
//! where nobody was reached.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};

use adapters::deliver::{Channel, Secret, Trust, Webhook, WebhookTarget};
use adapters::store::{Key, Kind, NewRecord, Store, StoreAddress, StoreError};
use engine::{Engine, Event, Input, Output, Trouble, Urgency};
use mw::config;
use mw::live::alarms::{Alarms, Contact, Delivery, End, last_deliveries};
use mw::live::clock::Clock;
use mw::live::status::Board;
use serde_json::Value;
use units::Timestamp;

/// A receiver that answers each message with the next of these codes, then 200.
struct Pager {
    port: u16,
    heard: Receiver<Value>,
}

fn receiver(codes: &[u16]) -> Pager {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (tell, heard) = channel();
    let codes = codes.to_vec();
    std::thread::spawn(move || {
        let codes = codes.into_iter().chain(std::iter::repeat(200));
        for (stream, code) in listener.incoming().zip(codes) {
            answer(stream.expect("a connection"), code, &tell);
        }
    });
    Pager { port, heard }
}

fn answer(mut stream: TcpStream, code: u16, tell: &Sender<Value>) {
    let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a header");
        let header = line.to_ascii_lowercase();
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    let reply = format!("HTTP/1.1 {code} X\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(reply.as_bytes()).expect("a reply");
    // The test may have ended.
    drop(tell.send(serde_json::from_slice(&body).expect("JSON")));
}

fn contact(name: &str, port: u16, from_urgency: Urgency, level: u8) -> Contact {
    let webhook = Webhook::new(WebhookTarget {
        url: format!("http://127.0.0.1:{port}/alarms"),
        secret: Secret::new("sixteen bytes ok".to_owned()),
        allow_plain: false,
        trust: Trust::System,
    });
    let channel = Channel::Webhook(webhook.expect("a target"));
    Contact { name: name.to_owned(), from_urgency, level, channel }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_unix_seconds(1_790_000_000 + second)
}

fn engine() -> Engine {
    let loaded = config::load(&crate::backtest::root().join("examples/mixed-10mw"));
    Engine::live(loaded.expect("an example").site, at(0))
}

fn alarms(contacts: Vec<Contact>) -> Alarms {
    let (mailbox, inbox) = tokio::sync::mpsc::channel(16);
    // The loop is not there, and must not be missed.
    drop(inbox);
    let (clock, board) = (Clock::set(at(0), 1), Board::default());
    let folder = Path::new("north.run");
    Alarms::start(contacts, "north", folder, clock, &board, &mailbox).expect("threads")
}

/// Something is wrong with the program; tells what changed.
fn trouble(engine: &mut Engine, alarms: &mut Alarms, second: i64, what: Trouble) {
    happens(engine, alarms, second, Event::Trouble { what, standing: true });
}

fn happens(engine: &mut Engine, alarms: &mut Alarms, second: i64, event: Event) {
    for output in engine.step(&Input { at: at(second), event }) {
        if let Output::Alarm(change) = output {
            alarms.tell(engine, &change);
        }
    }
}

/// The next record of outcomes.
fn outcome(alarms: &mut Alarms, engine: &Engine) -> NewRecord {
    loop {
        if let Some(record) = alarms.outcomes(engine, 1) {
            return record;
        }
        std::thread::yield_now();
    }
}

fn read(record: &NewRecord) -> Vec<Delivery> {
    assert_eq!(record.kind, Kind::Outcome);
    postcard::from_bytes(&record.bytes).expect("deliveries")
}

#[test]
fn an_alarm_reaches_those_it_is_for_and_nobody_else() {
    let (night, boss) = (receiver(&[]), receiver(&[]));
    let mut alarms = alarms(vec![
        contact("night", night.port, Urgency::Critical, 0),
        contact("boss", boss.port, Urgency::Critical, 1),
    ]);
    let mut engine = engine();
    trouble(&mut engine, &mut alarms, 1, Trouble::StoreFull);
    let message = night.heard.recv().expect("a message");
    assert_eq!(message["urgency"], "now");
    assert_eq!(message["site"], "north");
    let alarm = engine.alarms().standing()[0].clone();
    assert_eq!(message["headline"], alarm.headline());
    assert_eq!(message["id"], format!("north/{}", alarm.message_id()));
    let acknowledge = format!("mw alarm acknowledge north.run {}", alarm.id);
    let said = message["acknowledge_with"].as_str().expect("a command");
    assert!(said.starts_with(&acknowledge), "{said}");

    let deliveries = read(&outcome(&mut alarms, &engine));
    assert_eq!(deliveries.len(), 1);
    assert_eq!(deliveries[0].contact, "night");
    assert_eq!((deliveries[0].end, deliveries[0].attempts), (End::Delivered, 1));
    assert!(boss.heard.try_recv().is_err());
}

#[test]
fn who_was_told_of_an_alarm_is_told_once_that_it_is_over() {
    let (night, boss) = (receiver(&[]), receiver(&[]));
    let mut alarms = alarms(vec![
        contact("boss", boss.port, Urgency::Critical, 1),
        contact("night", night.port, Urgency::Critical, 0),
    ]);
    let mut engine = engine();
    let what = Trouble::StoreFull;
    trouble(&mut engine, &mut alarms, 1, what);
    let told = night.heard.recv().expect("a message");
    happens(&mut engine, &mut alarms, 2, Event::Trouble { what, standing: false });
    for second in [70, 90, 200] {
        happens(&mut engine, &mut alarms, second, Event::Wake);
    }
    let over = night.heard.recv().expect("a message");
    let headline = told["headline"].as_str().expect("a headline");
    assert_eq!(over["headline"], format!("Over: {headline}"));
    assert_eq!(over["urgency"], "notice");
    assert!(night.heard.try_recv().is_err());
    assert!(boss.heard.try_recv().is_err());
}

#[test]
fn the_same_change_is_told_once_and_what_was_delivered_is_not_told_after_a_restart() {
    let night = receiver(&[]);
    let mut first = alarms(vec![contact("night", night.port, Urgency::Critical, 0)]);
    let mut engine = engine();
    trouble(&mut engine, &mut first, 1, Trouble::StoreFull);
    let told = night.heard.recv().expect("a message");
    let known = read(&outcome(&mut first, &engine));

    // Restarted where the journal knows: what comes next is what is new.
    let mut second = alarms(vec![contact("night", night.port, Urgency::Critical, 0)]);
    second.resume(&engine, known);
    trouble(&mut engine, &mut second, 2, Trouble::JournalNotWritable);
    let next = night.heard.recv().expect("a message");
    assert_ne!(next["id"], told["id"]);

    // Restarted where the journal does not: both again, by the same names.
    let mut third = alarms(vec![contact("night", night.port, Urgency::Critical, 0)]);
    third.resume(&engine, Vec::new());
    let mut again: Vec<Value> =
        (0..2).map(|_| night.heard.recv().expect("a message")["id"].clone()).collect();
    again.sort_by_key(Value::to_string);
    let mut both = vec![told["id"].clone(), next["id"].clone()];
    both.sort_by_key(Value::to_string);
    assert_eq!(again, both);
}

#[test]
fn what_is_refused_for_good_is_given_up_and_said() {
    let night = receiver(&[410]);
    let mut alarms = alarms(vec![contact("night", night.port, Urgency::Critical, 0)]);
    let mut engine = engine();
    trouble(&mut engine, &mut alarms, 1, Trouble::StoreFull);
    let deliveries = read(&outcome(&mut alarms, &engine));
    assert_eq!(deliveries[0].end, End::GivenUp);
    assert!(deliveries[0].said.contains("410"), "{deliveries:?}");
}

#[test]
fn a_failed_attempt_is_in_the_record_before_the_next() {
    let night = receiver(&[503]);
    let mut alarms = alarms(vec![contact("night", night.port, Urgency::Critical, 0)]);
    let mut engine = engine();
    trouble(&mut engine, &mut alarms, 1, Trouble::StoreFull);
    let deliveries = read(&outcome(&mut alarms, &engine));
    assert_eq!((deliveries[0].end, deliveries[0].attempts), (End::NotYet, 1));
}

#[test]
fn a_journal_that_cannot_be_written_is_told_without_it_and_once() {
    let night = receiver(&[]);
    let mut alarms = alarms(vec![contact("night", night.port, Urgency::Critical, 0)]);
    let error = StoreError::Missing("north.sqlite".to_owned());
    alarms.journal_failed(&error, at(1));
    alarms.journal_failed(&error, at(2));
    let message = night.heard.recv().expect("a message");
    let body = message["body"].as_str().expect("words");
    assert!(
        body.contains("not in the journal") && body.contains("north.sqlite"),
        "{body}"
    );
    alarms.journal_back();
    alarms.journal_failed(&error, at(60));
    let again = night.heard.recv().expect("a message");
    assert_ne!(again["id"], message["id"]);
    assert!(night.heard.try_recv().is_err());
}

#[test]
fn deliveries_are_read_back_from_the_end_of_a_journal() {
    let folder = crate::backtest::fresh("live-deliveries");
    std::fs::create_dir_all(&folder).expect("a folder");
    let address = StoreAddress::file(&folder.join("journal.sqlite"));
    let delivery = |attempts| Delivery {
        message: "north/alarm-1-1".to_owned(),
        alarm: None,
        level: 0,
        contact: "night".to_owned(),
        attempts,
        end: End::Delivered,
        said: String::new(),
        at: at(1),
    };
    let record = |kind, bytes| NewRecord { at: at(1), kind, bytes };
    let outcome = |attempts| {
        let bytes = postcard::to_stdvec(&vec![delivery(attempts)]).expect("bytes");
        record(Kind::Outcome, bytes)
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let found = runtime.expect("a runtime").block_on(async {
        let key = Key::generate().expect("a key");
        let head = record(Kind::Head, b"head".to_vec());
        let mut store = Store::create(&address, &key.public(), &[head]).await?;
        let step = || record(Kind::Step, b"step".to_vec());
        store.append(&[outcome(1), step(), outcome(2), step()]).await?;
        store.close().await?;
        last_deliveries(&address).await
    });
    assert_eq!(found.expect("a journal"), vec![delivery(2)]);
}
