//! Webhooks against receivers that answer, refuse, hang, drip and lie.

use std::net::TcpListener;
use std::time::Instant;

use adapters::deliver::{
    Channel, Message, Outcome, Secret, TargetError, Trust, Webhook, WebhookTarget,
};
use units::Timestamp;

use crate::deliver_receivers::{
    AUTHORITY, LONG, RAN_AWAY, ROOMY, Receiver, SHORT, Serve, Wire, answers, message,
    said, word,
};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn target(url: String) -> WebhookTarget {
    WebhookTarget {
        url,
        secret: Secret::new("sixteen bytes ok".into()),
        allow_plain: false,
        trust: Trust::Only { pem: AUTHORITY.into() },
    }
}

fn channel(url: String) -> Channel {
    Channel::Webhook(Webhook::new(target(url)).expect("a target"))
}

fn deliver(
    channel: &Channel,
    message: &Message,
    deadline: std::time::Duration,
) -> Outcome {
    let begun = Instant::now();
    let now = Timestamp::from_unix_seconds(1_700_000_060);
    let outcome = channel.deliver(message, now, deadline);
    assert!(deadline == LONG || begun.elapsed() < RAN_AWAY, "{outcome:?}");
    outcome
}

/// One attempt at a receiver in the open.
fn check(serve: Serve, deadline: std::time::Duration, expected: &str, words: &str) {
    let receiver = Receiver::start(vec![serve]);
    let channel = channel(format!("http://127.0.0.1:{}/t0ken", receiver.port));
    let outcome = deliver(&channel, &message(), deadline);
    let text = said(&outcome);
    assert_eq!(word(&outcome), expected, "{text}");
    assert!(text.contains(words), "expected `{words}` in: {text}");
    assert!(!text.contains("t0ken"), "{text}");
    assert!(!text.contains('\n'), "{text}");
    drop(channel);
    receiver.heard();
}

#[test]
fn what_is_posted_is_what_the_reference_says() {
    let receiver = Receiver::start(vec![answers(OK)]);
    let channel = channel(format!("http://127.0.0.1:{}/alarms?k=v", receiver.port));
    let host = format!("127.0.0.1:{}", receiver.port);
    let outcome = deliver(&channel, &message(), LONG);
    assert_eq!(word(&outcome), "delivered", "{outcome:?}");
    let body = concat!(
        r#"{"id":"north/import-limit:2","at":"2023-11-14T22:13:20Z","site":"north","#,
        r#""urgency":"now","headline":"Hall B is 1.2 MW over its feeder's limit","#,
        r#""body":"Feeder F2 carries 6.2 MW; its limit is 5.0 MW.\n.\nRigs: no answer.","#,
        r#""acknowledge_with":"mw grid acknowledge north/import-limit:2"}"#,
    );
    // `{ printf 1700000060.; cat body; } | openssl dgst -sha256 -hmac 'sixteen bytes ok'`
    let signature = "bafa6645bc7ae1ceeeffeb6cd3e2261f3b6037585cd631489447924afab958d1";
    let head = format!(
        "POST /alarms?k=v HTTP/1.1\r\nHost: {host}\r\nUser-Agent: megawatt\r\n\
         Accept: */*\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Idempotency-Key: north/import-limit:2\r\n\
         X-Megawatt-Timestamp: 1700000060\r\nX-Megawatt-Signature: v1={signature}\r\n\
         Connection: close\r\n\r\n",
        body.len(),
    );
    assert_eq!(receiver.heard(), [head + body]);
}

#[test]
fn the_answer_of_a_receiver_decides() {
    let check = |answer, expected, words| check(answers(answer), LONG, expected, words);
    check(OK, "delivered", "200 OK");
    check("HTTP/1.1 204 No Content\r\n\r\n", "delivered", "204 No Content");
    check(
        "HTTP/1.1 202\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "delivered",
        "202",
    );
    check(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n\
         HTTP/1.1 201 Created\r\n\r\n",
        "delivered",
        "201 Created",
    );
    check(
        "HTTP/1.1 422 No\r\nContent-Length: 13\r\n\r\nno\r\nsuch key!",
        "refused",
        "found 422 No: no  such key!",
    );
    check("HTTP/1.1 401 Unauthorized\r\n\r\n", "refused", "401 Unauthorized");
    check("HTTP/1.1 429 Too Many Requests\r\n\r\n", "refused for now", "429");
    check("HTTP/1.1 503 \r\n\r\n", "refused for now", "503");
    // The verdict stands once the status is whole.
    check("HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\ncut", "delivered", "200");
}

#[test]
fn what_is_no_answer_leaves_the_outcome_unknown() {
    let check = |answer, words| check(answers(answer), LONG, "unknown", words);
    check("", "found the connection closed");
    check("HTTP/1.1 20", "found the connection closed");
    check("220 mail.example ESMTP\r\n", "found `220 mail.example ESMTP`");
    check("HTTP/1.1 777 \x1b[31mred\r\n\r\n", "found `HTTP/1.1 777  [31mred`");
}

#[test]
fn a_refused_message_is_the_same_when_it_is_sent_again() {
    let receiver = Receiver::start(vec![
        answers("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"),
        answers(OK),
    ]);
    let channel = channel(format!("http://localhost:{}/", receiver.port));
    let outcome = deliver(&channel, &message(), LONG);
    assert_eq!(word(&outcome), "refused for now", "{outcome:?}");
    let outcome = deliver(&channel, &message(), LONG);
    assert_eq!(word(&outcome), "delivered", "{outcome:?}");
    let heard = receiver.heard();
    assert_eq!(heard[0], heard[1]);
}

#[test]
fn a_receiver_that_hangs_is_left_at_the_deadline() {
    let late = "found none before the deadline";
    // Never reads: the message is in its socket all the same.
    check(
        Box::new(|wire: Wire| {
            wire.hang();
            String::new()
        }),
        ROOMY,
        "unknown",
        late,
    );
    check(
        Box::new(|mut wire: Wire| {
            let request = wire.request();
            wire.hang();
            request
        }),
        ROOMY,
        "unknown",
        late,
    );
    // Answers, and never finishes: the verdict stands.
    check(
        Box::new(|mut wire: Wire| {
            let request = wire.request();
            wire.say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
            wire.hang();
            request
        }),
        ROOMY,
        "delivered",
        "200 OK",
    );
}

#[test]
fn a_reply_byte_by_byte_ends_at_the_deadline() {
    let dripping = |text: &'static str| -> Serve {
        Box::new(move |mut wire: Wire| {
            let request = wire.request();
            wire.drip(text);
            request
        })
    };
    check(dripping("HTTP/1.1 100 Continue\r\n\r\n"), ROOMY, "unknown", "deadline");
    check(dripping("x"), ROOMY, "unknown", "deadline");
}

#[test]
fn a_reply_without_end_is_cut_off() {
    let endless = |first: &'static str| -> Serve {
        Box::new(move |mut wire: Wire| {
            let request = wire.request();
            wire.say(first);
            wire.say(&"x".repeat(200_000));
            wire.hang();
            request
        })
    };
    check(endless("HTTP/1.1 200 "), LONG, "unknown", "found more than 16384 bytes");
    check(endless("HTTP/1.1 500 Oops\r\nX: "), LONG, "refused for now", "500 Oops");
    check(endless("HTTP/1.1 200 OK\r\n\r\n"), LONG, "delivered", "200 OK");
}

#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").expect("a free port");
    elsewhere.set_nonblocking(true).expect("a socket that does not wait");
    let port = elsewhere.local_addr().expect("a bound socket").port();
    for code in ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent"] {
        let serve: Serve = Box::new(move |mut wire: Wire| {
            let request = wire.request();
            wire.say(&format!(
                "HTTP/1.1 {code}\r\nLocation: http://127.0.0.1:{port}/\r\n\r\n"
            ));
            request
        });
        check(serve, LONG, "refused", "redirects are not followed");
        assert!(elsewhere.accept().is_err(), "{code}");
    }
}

#[test]
fn nobody_there_is_refused_for_now() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("a bound socket").port();
    drop(listener);
    let outcome =
        deliver(&channel(format!("http://127.0.0.1:{port}/")), &message(), LONG);
    assert_eq!(word(&outcome), "refused for now");
    assert!(said(&outcome).contains("refused"), "{outcome:?}");
}

#[test]
fn over_tls_the_receiver_is_checked() {
    let secure: fn() -> Serve = || {
        Box::new(|wire: Wire| match wire.secured() {
            Some(mut wire) => {
                let request = wire.request();
                wire.say(OK);
                request
            }
            None => String::new(),
        })
    };
    let check = |serve: Serve, host: &str, trust: Trust, deadline, expected: &str| {
        let receiver = Receiver::start(vec![serve]);
        let url = format!("https://{host}:{}/", receiver.port);
        let webhook = Webhook::new(WebhookTarget { trust, ..target(url) });
        let channel = Channel::Webhook(webhook.expect("a target"));
        let outcome = deliver(&channel, &message(), deadline);
        assert_eq!(word(&outcome), expected, "{outcome:?}");
        receiver.heard().remove(0)
    };
    let ours = || Trust::Only { pem: AUTHORITY.into() };
    let request = check(secure(), "localhost", ours(), LONG, "delivered");
    assert!(request.contains("Idempotency-Key: north/import-limit:2"), "{request}");
    check(secure(), "127.0.0.1", ours(), LONG, "delivered");
    // Signed by somebody whom this target does not trust.
    let receiver = include_str!("../../../../fixtures/tls/receiver.pem").to_owned();
    let request = check(
        secure(),
        "localhost",
        Trust::Only { pem: receiver },
        LONG,
        "refused for now",
    );
    assert_eq!(request, "", "nothing is said to a stranger");
    // Speaks no TLS, or nothing.
    let request = check(
        Box::new(|mut wire: Wire| {
            wire.say("HTTP/1.1 400 Bad Request\r\n\r\n");
            let line = wire.line();
            String::from(if line.contains("POST") { "POST" } else { "" })
        }),
        "localhost",
        ours(),
        SHORT,
        "refused for now",
    );
    assert_eq!(request, "", "nothing is said in the open");
    let hang = |wire: Wire| {
        wire.hang();
        String::new()
    };
    check(Box::new(hang), "localhost", ours(), SHORT, "refused for now");
}

#[test]
fn what_a_message_says_stays_where_it_belongs() {
    let receiver = Receiver::start(vec![answers(OK)]);
    let channel = channel(format!("http://127.0.0.1:{}/", receiver.port));
    let message = Message {
        id: "a\r\nX-Evil: 1".into(),
        headline: "Größe ⚡\r\nX-Evil: 2".into(),
        body: "x".repeat(100_000),
        ..message()
    };
    let outcome = deliver(&channel, &message, LONG);
    assert_eq!(word(&outcome), "delivered", "{outcome:?}");
    let request = receiver.heard().remove(0);
    let (head, body) = request.split_once("\r\n\r\n").expect("a head");
    assert!(!head.lines().any(|line| line.starts_with("X-Evil")), "{head}");
    assert!(head.contains("Idempotency-Key: a%0D%0AX-Evil:%201"), "{head}");
    let posted: serde_json::Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(posted["headline"], "Größe ⚡  X-Evil: 2");
    assert_eq!(posted["id"], "a\r\nX-Evil: 1");
    assert_eq!(posted["body"].as_str().expect("text").chars().count(), 8_000);
}

#[test]
fn a_target_that_is_not_safe_is_refused_before_anything_is_sent() {
    let check = |url: &str, allow_plain, expected: Option<&str>| {
        let made = Webhook::new(WebhookTarget { allow_plain, ..target(url.into()) });
        let found = made.err().map(|error| error.to_string());
        match (found, expected) {
            (None, None) => {}
            (Some(found), Some(words)) => assert!(found.contains(words), "{found}"),
            (found, expected) => panic!("{url}: {found:?}, {expected:?}"),
        }
    };
    check("https://pager.example/x", false, None);
    check("http://pager.example/x", false, Some("expected https to pager.example"));
    check("http://pager.example/x", true, None);
    check("http://192.0.2.1/x", false, Some("expected https"));
    check("http://localhost.pager.example/x", false, Some("expected https"));
    check("http://127.0.0.1.pager.example/x", false, Some("expected https"));
    check("http://localhost/x", false, None);
    check("http://127.8.9.1/x", false, None);
    check("http://[::1]/x", false, None);
    check("pager.example/x", false, Some("no `://`"));

    let secret = Secret::new("short".into());
    let made =
        Webhook::new(WebhookTarget { secret, ..target("https://a.example".into()) });
    assert_eq!(made.err(), Some(TargetError::ShortSecret { expected: 16, found: 5 }));
    let trust = Trust::Only { pem: "no PEM".into() };
    let made =
        Webhook::new(WebhookTarget { trust, ..target("https://a.example".into()) });
    let error = made.expect_err("nobody to trust").to_string();
    assert_eq!(error, "expected certificate authorities in the PEM text, found none");
}

#[test]
fn nothing_that_is_shown_holds_a_secret() {
    let target = target("https://pager.example/t0ken".into());
    let shown = format!("{target:?}");
    let channel = Channel::Webhook(Webhook::new(target).expect("a target"));
    let shown = format!("{shown} {channel:?} {}", channel.place());
    assert!(shown.contains("pager.example"), "{shown}");
    assert!(!shown.contains("t0ken") && !shown.contains("sixteen"), "{shown}");
}
