//! E-mail against servers that take, refuse, hang and speak in the open.

use std::time::{Duration, Instant};

use adapters::deliver::{
    Channel, Email, EmailTarget, Login, Message, Secret, Security, Trust,
};
use units::Timestamp;

use crate::deliver_receivers::{
    AUTHORITY, LONG, Manners, RAN_AWAY, ROOMY, Receiver, SHORT, Serve, Wire, mail,
    message, said, word,
};

fn target(port: u16, security: Security) -> EmailTarget {
    EmailTarget {
        host: "localhost".into(),
        port,
        security,
        from: "mw@site.example".into(),
        to: vec!["a@night.example".into()],
        login: None,
        trust: Trust::Only { pem: AUTHORITY.into() },
    }
}

fn login() -> Option<Login> {
    Some(Login { user: "mw".into(), password: Secret::new("hunter2".into()) })
}

/// One attempt; returns what the server heard.
fn check(
    serve: Serve,
    change: impl FnOnce(&mut EmailTarget),
    message: &Message,
    deadline: Duration,
    expected: (&str, &str),
) -> String {
    let receiver = Receiver::start(vec![serve]);
    let mut target = target(receiver.port, Security::None);
    change(&mut target);
    let channel = Channel::Email(Email::new(target).expect("a target"));
    let begun = Instant::now();
    let now = Timestamp::from_unix_seconds(1_700_000_060);
    let outcome = channel.deliver(message, now, deadline);
    assert!(deadline == LONG || begun.elapsed() < RAN_AWAY, "{outcome:?}");
    let text = said(&outcome);
    assert_eq!(word(&outcome), expected.0, "{text}");
    assert!(text.contains(expected.1), "expected `{}` in: {text}", expected.1);
    assert!(!text.contains("hunter2") && !text.contains('\n'), "{text}");
    receiver.heard().remove(0)
}

/// One attempt of the usual message in the open.
fn replies(
    replies: &'static [(&'static str, &'static str)],
    deadline: Duration,
    expected: &str,
    words: &str,
) -> String {
    let serve = mail(Manners { replies, ..Manners::default() });
    check(serve, |_| {}, &message(), deadline, (expected, words))
}

#[test]
fn a_letter_is_handed_over_with_its_dots_doubled() {
    let heard = replies(&[], LONG, "delivered", "answered 250 2.0.0 queued as 42");
    let (envelope, letter) = heard.split_once("DATA\r\n").expect("a letter");
    assert_eq!(
        envelope,
        "EHLO [127.0.0.1]\r\nMAIL FROM:<mw@site.example>\r\nRCPT TO:<a@night.example>\r\n"
    );
    assert!(letter.starts_with("Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"), "{letter}");
    assert!(letter.contains("5.0 MW.\r\n..\r\nRigs: no answer.\r\n"), "{letter}");
    assert!(letter.ends_with("import-limit:2\r\n.\r\nQUIT\r\n"), "{letter}");
}

#[test]
fn the_replies_of_a_server_decide() {
    let check = |said, expected, words| {
        replies(said, LONG, expected, words);
    };
    check(&[("", "554 go away")], "refused", "554 go away");
    check(&[("", "421 busy")], "refused for now", "421 busy");
    check(&[("EHLO", "502 what")], "refused", "502 what");
    check(&[("MAIL", "451 later")], "refused for now", "451 later");
    check(&[("MAIL", "550 not you")], "refused", "550 not you");
    check(
        &[("RCPT", "450 greylisted")],
        "refused for now",
        "a@night.example was not taken",
    );
    check(&[("RCPT", "550-no\r\n550 such user")], "refused", "550 no such user");
    check(&[("DATA", "452 full")], "refused for now", "452 full");
    check(&[(".", "451 later")], "refused for now", "451 later");
    check(&[(".", "554 spam")], "refused", "554 spam");
    check(&[(".", "250")], "delivered", "answered 250");
    check(&[("MAIL", "banana")], "refused for now", "found `banana`");
    check(&[("MAIL", "25")], "refused for now", "found `25`");
    check(&[(".", "354 more")], "unknown", "354 more");
    check(&[(".", "banana")], "unknown", "found `banana`");
    check(&[("MAIL", "close")], "refused for now", "found the connection closed");
    check(&[(".", "close")], "unknown", "found the connection closed");
}

#[test]
fn a_server_that_hangs_is_left_at_the_deadline() {
    let check = |said, expected| {
        let deadline = if expected == "unknown" { ROOMY } else { SHORT };
        replies(said, deadline, expected, "found none before the deadline");
    };
    check(&[("", "hang")], "refused for now");
    check(&[("EHLO", "hang")], "refused for now");
    check(&[("RCPT", "hang")], "refused for now");
    check(&[("DATA", "hang")], "refused for now");
    check(&[(".", "hang")], "unknown");
    // The letter is the server's by then, and nobody waits for a farewell.
    replies(&[("QUIT", "hang")], LONG, "delivered", "queued");
}

#[test]
fn a_reply_that_drips_or_never_ends_is_cut_off() {
    let late = ("refused for now", "found none before the deadline");
    let drip: Serve = Box::new(|wire: Wire| {
        wire.drip("220-still here\r\n");
        String::new()
    });
    check(drip, |_| {}, &message(), SHORT, late);
    let long = ("refused for now", "found more than");
    for text in ["x", "220-again\r\n"] {
        let endless: Serve = Box::new(move |mut wire: Wire| {
            wire.say(&text.repeat(100_000));
            wire.hang();
            String::new()
        });
        check(endless, |_| {}, &message(), LONG, long);
    }
}

#[test]
fn one_recipient_that_is_taken_is_enough_and_the_others_are_named() {
    let manners =
        Manners { replies: &[("RCPT TO:<b@", "550 unknown")], ..Manners::default() };
    let two = |target: &mut EmailTarget| target.to.push("b@day.example".into());
    let expected = ("delivered", "; b@day.example was not taken: 550 unknown");
    let heard = check(mail(manners), two, &message(), LONG, expected);
    assert!(heard.contains("To: a@night.example,\r\n b@day.example\r\n"), "{heard}");
}

#[test]
fn starttls_is_used_or_nothing_is_said() {
    let start = |target: &mut EmailTarget| {
        target.security = Security::StartTls;
        target.login = login();
    };
    let check = |manners, deadline, expected| {
        let heard = check(mail(manners), start, &message(), deadline, expected);
        let (open, private) = heard.split_once("TLS\r\nTLS\r\n").unwrap_or((&heard, ""));
        assert!(!open.contains("AUTH") && !open.contains("MAIL"), "{heard}");
        private.to_owned()
    };
    let offered = Manners {
        offers: &["STARTTLS", "AUTH LOGIN"],
        offers_in_private: &["AUTH PLAIN LOGIN"],
        ..Manners::default()
    };
    let private = check(offered, LONG, ("delivered", "queued"));
    // base64 of NUL mw NUL hunter2
    assert!(
        private.starts_with("EHLO [127.0.0.1]\r\nAUTH PLAIN AG13AGh1bnRlcjI=\r\nMAIL"),
        "{private}"
    );
    let none = Manners { offers: &["AUTH PLAIN"], ..Manners::default() };
    check(none, LONG, ("refused for now", "nothing is sent in the open"));
    let refused = Manners { replies: &[("STARTTLS", "454 not now")], ..offered };
    check(refused, LONG, ("refused for now", "454 not now"));
    let refused = Manners { replies: &[("STARTTLS", "502 never")], ..offered };
    check(refused, LONG, ("refused for now", "502 never"));
    // What somebody in between adds in the open is not taken as private.
    let added =
        Manners { replies: &[("STARTTLS", "220 go\r\n250 AUTH PLAIN")], ..offered };
    check(added, LONG, ("refused for now", "found `more than was asked for`"));
}

#[test]
fn tls_from_the_first_byte_logs_in_the_way_that_is_offered() {
    let private = |target: &mut EmailTarget| {
        target.security = Security::Tls;
        target.login = login();
    };
    let check = |manners: Manners, expected| {
        let manners = Manners { is_tls: true, ..manners };
        check(mail(manners), private, &message(), LONG, expected)
    };
    let either =
        Manners { offers_in_private: &["SIZE 1000", "AUTH=PLAIN"], ..Manners::default() };
    check(either, ("delivered", "queued"));
    let wrong = Manners { replies: &[("AUTH", "535 wrong")], ..either };
    let heard = check(wrong, ("refused", "535 wrong"));
    assert!(!heard.contains("MAIL"), "{heard}");
    let steps = Manners {
        offers_in_private: &["AUTH LOGIN"],
        replies: &[
            ("AUTH LOGIN", "334 VXNlcm5hbWU6"),
            ("bXc=", "334 UGFzc3dvcmQ6"),
            ("aHVudGVyMg==", "235 welcome"),
        ],
        ..Manners::default()
    };
    check(steps, ("delivered", "queued"));
    let neither = Manners { offers_in_private: &["AUTH GSSAPI"], ..Manners::default() };
    check(neither, ("refused", "expected"));
}

#[test]
fn a_server_that_cannot_prove_who_it_is_hears_nothing() {
    let stranger = |target: &mut EmailTarget| {
        target.security = Security::Tls;
        let pem = include_str!("../../../../fixtures/tls/receiver.pem").to_owned();
        target.trust = Trust::Only { pem };
    };
    let manners = Manners { is_tls: true, ..Manners::default() };
    let expected = ("refused for now", "certificate");
    let heard = check(mail(manners), stranger, &message(), LONG, expected);
    assert_eq!(heard, "");
}

#[test]
fn a_headline_adds_no_header_and_no_recipient() {
    let message = Message {
        id: "a\r\nBcc: evil@example.org".into(),
        headline: "Hall B\r\nBcc: evil@example.org\r\n\r\n.\r\nMAIL FROM:<x@y>".into(),
        body: "one\r\n.\r\nRCPT TO:<evil@example.org>\r\nGröße \u{202E}".into(),
        site: "north\r\n.\r\nQUIT".into(),
        ..message()
    };
    let serve = mail(Manners::default());
    let heard = check(serve, |_| {}, &message, LONG, ("delivered", "queued"));
    let starts = |with: &str| heard.lines().filter(|line| line.starts_with(with)).count();
    assert_eq!(starts("Bcc:"), 0, "{heard}");
    assert_eq!(starts("MAIL FROM"), 1, "{heard}");
    assert_eq!(heard.lines().filter(|line| *line == ".").count(), 1, "{heard}");
    assert!(heard.contains("Subject: Hall B  Bcc: evil@example.org"), "{heard}");
    assert!(
        heard.contains("X-Megawatt-Alarm: a%0D%0ABcc:%20evil%40example.org"),
        "{heard}"
    );
    assert!(heard.is_ascii(), "{heard}");
}

#[test]
fn a_target_that_cannot_work_is_refused_when_it_is_configured() {
    let check = |change: &dyn Fn(&mut EmailTarget), expected: &str| {
        let mut target = target(2_525, Security::Tls);
        change(&mut target);
        let error = Email::new(target).expect_err(expected).to_string();
        assert_eq!(error, expected);
    };
    let plain = "expected `tls` or `starttls` to the mail server mail.example, \
                 found `none`, which is for this machine's loopback alone";
    check(
        &|target| {
            target.host = "mail.example".into();
            target.security = Security::None;
        },
        plain,
    );
    check(
        &|target| target.host = "a b".into(),
        "expected a host's name or address, found `a b`",
    );
    check(&|target| target.port = 0, "expected a port from 1 to 65535, found 0");
    check(&|target| target.to.clear(), "expected at least one recipient, found none");
    let address = "expected an e-mail address like name@host.example, found `a@b>  DATA`";
    check(&|target| target.from = "a@b>\r\nDATA".into(), address);
    check(&|target| target.to[0] = "a@b>\r\nDATA".into(), address);
    check(
        &|target| {
            let password = Secret::new("a\0b".into());
            target.login = Some(Login { user: "mw".into(), password });
        },
        "expected a user and a password without NUL, found one",
    );
}
