//! The emulated VTN and the feed that reads it, without a run around them.

use std::thread;

use adapters::deliver::{Secret, Trust};
use adapters::openadr::{
    Access, Book, Client, Context, Feed, Heard, Private, Reading, Verdict,
};
use engine::{Ask, Signal};
use mw::emulate::openadr::{Quirk, VEN, Vtn};
use mw::live::clock::Clock;
use serde_json::json;
use tokio::net::TcpListener;
use units::{Power, Seconds, Timestamp};

/// A VTN that lives as long as the test; and its URL.
pub(crate) fn vtn(program: &str) -> (Vtn, String) {
    let vtn = Vtn::new(program, Clock::wall());
    let served = vtn.clone();
    let (tell, told) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("an address");
            tell.send(address).expect("a test");
            served.serve(listener).await
        })
    });
    let address = told.recv().expect("an address");
    (vtn, format!("http://{address}"))
}

pub(crate) fn feed_as(login: &str, url: &str, program: &str) -> Feed {
    let (id, secret) = login.split_once(':').expect("a login");
    let client = Client::new(Access {
        url: url.to_owned(),
        client_id: Secret::new(id.to_owned()),
        client_secret: Secret::new(secret.to_owned()),
        allow_plain: false,
        trust: Trust::System,
    });
    let reading = Reading {
        emergency_limit: Some(Power::from_mw(1)),
        private: Private { arm: Some("MW_ARM".to_owned()), ..Private::default() },
        ..Reading::default()
    };
    Feed::new(client.expect("a client"), program, "north", Book::new(0, reading, []))
}

pub(crate) fn context() -> Context {
    Context {
        now: Clock::wall().now(),
        draw: Some(Power::from_mw(8)),
        import_limit: Power::from_mw(10),
        longest: Seconds::hours(4),
    }
}

pub(crate) fn asks(heard: &Heard) -> Vec<Ask> {
    let asks = heard.signals.iter().filter_map(|signal| {
        let Signal::Instruction(told) = signal else { return None };
        Some(told.ask)
    });
    asks.collect()
}

#[test]
fn events_become_instructions_and_junk_is_quarantined() {
    let (vtn, url) = vtn("large-load");
    let mut feed = feed_as(VEN, &url, "large-load");
    let limit = vtn.limit(Power::from_mw(5), Seconds::hours(1));
    vtn.emergency("EEA3", Seconds::minutes(30));
    let junk = vtn.tell("PRICE", json!("abc"), Seconds::hours(1), 1);
    let open = vtn.create(json!({
        "intervals": [{"id": 0, "payloads": [
            {"type": "IMPORT_CAPACITY_LIMIT", "values": [7000.0]}]}],
    }));
    vtn.tell("MW_OTHER", json!(1), Seconds::hours(1), 1);
    let heard = feed.poll(&context()).expect("a poll");
    assert_eq!(
        asks(&heard),
        [
            Ask::Limit(Power::from_mw(5)),
            Ask::Limit(Power::from_mw(1)),
            Ask::Limit(Power::from_mw(7)),
        ]
    );
    let view =
        |id: &str| heard.views.iter().find(|view| view.id == id).expect("a view").clone();
    assert_eq!(view(&limit).verdict, Verdict::Acted);
    assert!(
        matches!(view(&junk).verdict, Verdict::Quarantined(why) if why.contains("number"))
    );
    assert!(view(&open).end_imposed);
    assert_eq!(view(&open).during.expect("a time").duration(), Seconds::hours(4));

    // Changed, then cancelled: once may be a mistake of a list, twice is none.
    vtn.change(
        &limit,
        json!({
            "intervalPeriod": {"start": "0001-01-01T00:00:00Z", "duration": "PT1H"},
            "intervals": [{"id": 0, "payloads": [
                {"type": "IMPORT_CAPACITY_LIMIT", "values": [3000]}]}],
        }),
    );
    let heard = feed.poll(&context()).expect("a poll");
    assert_eq!(asks(&heard), [Ask::Limit(Power::from_mw(3))]);
    assert!(vtn.cancel(&limit));
    assert_eq!(asks(&feed.poll(&context()).expect("a poll")), []);
    assert_eq!(asks(&feed.poll(&context()).expect("a poll")), [Ask::Withdraw]);
}

#[test]
fn a_vtn_in_trouble_changes_nothing_and_is_heard_again() {
    let (vtn, url) = vtn("large-load");
    let mut feed = feed_as(VEN, &url, "large-load");
    vtn.limit(Power::from_mw(5), Seconds::hours(1));
    assert_eq!(asks(&feed.poll(&context()).expect("a poll")).len(), 1);
    // A token that expired is fetched anew without a word.
    vtn.set(Quirk::TokenExpired, true);
    assert_eq!(asks(&feed.poll(&context()).expect("a poll")), []);
    for (quirk, says) in [
        (Quirk::Html, "found no JSON but"),
        (Quirk::Failing, "found 500"),
        (Quirk::Forbidden, "does not accept the login"),
    ] {
        vtn.set(quirk, true);
        let why = feed.poll(&context()).expect_err("trouble").to_string();
        assert!(why.contains(says), "{quirk:?}: {why}");
        vtn.set(quirk, false);
        let heard = feed.poll(&context()).expect("a poll");
        assert_eq!(heard.signals, [Signal::Heard(0)], "{quirk:?}");
    }
    // An empty list with 200 withdraws nothing the first time.
    vtn.set(Quirk::Forgets, true);
    assert_eq!(asks(&feed.poll(&context()).expect("a poll")), []);
    vtn.set(Quirk::Forgets, false);
    assert_eq!(asks(&feed.poll(&context()).expect("a poll")), []);
}

#[test]
fn a_report_that_an_event_asks_for_is_filed_once() {
    let (vtn, url) = vtn("large-load");
    let mut feed = feed_as(VEN, &url, "large-load");
    let start = context().now;
    let id = vtn.create(json!({
        "reportDescriptors": [{"payloadType": "USAGE"}, {"payloadType": "DEMAND"}],
        "intervalPeriod": {"start": start.to_string(), "duration": "PT1M"},
        "intervals": [{"id": 0, "payloads": [
            {"type": "IMPORT_CAPACITY_LIMIT", "values": [9000]}]}],
    }));
    for second in [0, 30, 61, 66] {
        let now = start + Seconds::from_seconds(second);
        let heard = feed.poll(&Context { now, ..context() }).expect("a poll");
        let expected = if second == 61 { vec![(id.clone(), Ok(()))] } else { vec![] };
        assert_eq!(heard.reports, expected, "{second}");
    }
    let reports = vtn.reports();
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0]["clientName"], "north");
    let payloads = &reports[0]["resources"][0]["intervals"][0]["payloads"];
    assert_eq!(payloads[1], json!({"type": "DEMAND", "values": [8000.0]}));
}

#[test]
fn a_wrong_login_or_program_says_so() {
    let (_vtn, url) = vtn("large-load");
    let why = feed_as("ven-client:wrong", &url, "large-load").poll(&context());
    assert!(why.expect_err("a login").to_string().contains("login"));
    let why = feed_as(VEN, &url, "small-load").poll(&context());
    let why = why.expect_err("a program").to_string();
    assert!(why.contains("no program `small-load`, found `large-load`"), "{why}");
}

#[test]
fn a_feed_is_asked_sooner_while_something_holds() {
    let (vtn, url) = vtn("large-load");
    let mut feed = feed_as(VEN, &url, "large-load");
    let now: Timestamp = context().now;
    feed.poll(&context()).expect("a poll");
    let waits = [0, 7, 20_000, 1_234_567].map(|chance| feed.next_in(now, chance));
    assert!(waits.iter().all(|wait| (10..=30).contains(&wait.as_secs())), "{waits:?}");
    vtn.limit(Power::from_mw(5), Seconds::hours(1));
    feed.poll(&context()).expect("a poll");
    assert_eq!(feed.next_in(now, 7).as_secs(), 5);
}
