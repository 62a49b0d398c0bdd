//! Our feed against the VTN of OpenLEADR, which other people wrote. It takes long to build,
//! so it is only met where `MW_ORACLE_VTN` is its URL on this machine, with the users
//! `bl-client:bl-secret`, who may write programs and events, and `ven-client:ven-secret`.

use std::io::{Read, Write};
use std::net::TcpStream;

use adapters::deliver::{Secret, Trust};
use adapters::openadr::{
    Access, Book, Client, Context, Feed, PowerUnit, Reading, Verdict,
};
use engine::Ask;
use mw::emulate::openadr::{BUSINESS, VEN};
use mw::live::clock::Clock;
use serde_json::{Value, json};
use units::{Power, Seconds};

use crate::emulated_openadr::asks;

/// Whoever tells the VTN something.
struct Business {
    authority: String,
    token: String,
}

impl Business {
    fn of(url: &str) -> Self {
        let authority = url.strip_prefix("http://").expect("plain HTTP on this machine");
        let mut business = Self { authority: authority.to_owned(), token: String::new() };
        let (id, secret) = BUSINESS.split_once(':').expect("a login");
        let form = format!(
            "grant_type=client_credentials&client_id={id}&client_secret={secret}"
        );
        let kind = "application/x-www-form-urlencoded";
        let (status, said) = business.ask("POST", "/auth/token", kind, &form);
        assert_eq!(status, 200, "{said}");
        business.token = said["access_token"].as_str().expect("a token").to_owned();
        business
    }

    fn ask(&self, method: &str, path: &str, kind: &str, body: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.authority).expect("the VTN");
        let (authority, token, length) = (&self.authority, &self.token, body.len());
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {authority}\r\nContent-Type: {kind}\r\n\
             Authorization: Bearer {token}\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n{body}"
        );
        stream.write_all(head.as_bytes()).expect("it listens");
        let mut said = String::new();
        stream.read_to_string(&mut said).expect("it answers");
        let status =
            said.get(9..12).and_then(|code| code.parse().ok()).expect("a status");
        let body = said.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (status, serde_json::from_str(body).unwrap_or_default())
    }

    /// Makes something, and returns its id.
    fn make(&self, path: &str, what: &Value) -> String {
        let (status, said) =
            self.ask("POST", path, "application/json", &what.to_string());
        assert_eq!(status, 201, "{path} {what}: {said}");
        said["id"].as_str().expect("an id").to_owned()
    }
}

/// Limits and alerts are acted on, junk that the VTN lets through is not, what is taken
/// back is withdrawn, and whoever is only told cannot tell.
#[test]
fn events_of_the_vtn_of_others_are_read() {
    let Ok(url) = std::env::var("MW_ORACLE_VTN") else {
        eprintln!("skipped: MW_ORACLE_VTN is not the URL of an OpenLEADR VTN");
        return;
    };
    let business = Business::of(&url);
    let now = Clock::wall().now().floor(Seconds::minutes(1));
    let name = format!("large-load-{}", Clock::wall().now().as_unix_seconds());
    let program = business.make("/programs", &json!({ "programName": name }));
    let event = |name: &str, kind: &str, value: Value, timed: bool| {
        let mut event = json!({
            "programID": program, "eventName": name, "priority": 0,
            "intervals": [{"id": 0, "payloads": [{"type": kind, "values": [value]}]}],
        });
        if timed {
            let start = now.to_string().replace('Z', ":00Z");
            event["intervalPeriod"] = json!({ "start": start, "duration": "PT1H" });
        }
        business.make("/events", &event)
    };
    let limit = event("curtail", "IMPORT_CAPACITY_LIMIT", json!(5_000.0), true);
    let alert = event("emergency", "ALERT_GRID_EMERGENCY", json!("EEA3"), true);
    let junk = event("junk", "PRICE", json!("abc"), true);
    let open = event("open", "IMPORT_CAPACITY_LIMIT", json!(7_000.0), false);

    let (id, secret) = VEN.split_once(':').expect("a login");
    let client = Client::new(Access {
        url,
        client_id: Secret::new(id.to_owned()),
        client_secret: Secret::new(secret.to_owned()),
        allow_plain: false,
        trust: Trust::System,
    });
    let reading = Reading {
        power_unit: Some(PowerUnit::Kilowatts),
        emergency_limit: Some(Power::from_mw(1)),
        ..Reading::default()
    };
    let book = Book::new(0, reading, []);
    let mut feed = Feed::new(client.expect("a client"), &name, "north", book);
    let context = || Context {
        now: Clock::wall().now(),
        draw: Some(Power::from_mw(8)),
        import_limit: Power::from_mw(10),
        longest: Seconds::hours(4),
    };
    let heard = feed.poll(&context()).expect("a poll");
    let mut told = asks(&heard);
    told.sort_by_key(|ask| format!("{ask:?}"));
    let limits = [1, 5, 7].map(|megawatts| Ask::Limit(Power::from_mw(megawatts)));
    assert_eq!(told, limits);
    let view = |id: &str| {
        let found = heard.views.iter().find(|view| view.id == id);
        found.expect("every event is in view").clone()
    };
    for id in [&limit, &alert] {
        assert_eq!(view(id).verdict, Verdict::Acted);
    }
    assert!(matches!(view(&junk).verdict, Verdict::Quarantined(_)));
    assert!(view(&open).end_imposed);

    let (status, _) =
        business.ask("DELETE", &format!("/events/{limit}"), "text/plain", "");
    assert_eq!(status, 200);
    assert_eq!(asks(&feed.poll(&context()).expect("a poll")), []);
    assert_eq!(asks(&feed.poll(&context()).expect("a poll")), [Ask::Withdraw]);
}
