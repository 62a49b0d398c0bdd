//! Services that lie, hang and mislead: every call ends by its deadline and says what
//! was wrong.

use std::time::{Duration, Instant};

use adapters::device::redfish::{Security, Tray};
use adapters::device::{Driver, Outcome, Unanswered, Wanted, carry_out};
use mw::emulate::redfish::Fault;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{by, driver, emulated, reached, run, serve, settings, watts};

/// Soon, for what never answers.
fn soon() -> Instant {
    Instant::now() + Duration::from_millis(600)
}

/// What a look at a tray with this fault comes to, in a word.
fn look_with(fault: Fault, is_known: bool) -> String {
    run(async {
        let tray = emulated(1).found_working();
        let served = serve(std::slice::from_ref(&tray)).await;
        let driver = driver(served.addresses[0]);
        if is_known {
            driver.look(by()).await.expect("a look");
        }
        tray.take(fault);
        let until = if fault == Fault::Hangs { soon() } else { by() };
        if fault == Fault::Unreachable {
            // The listener closes when its task runs next.
            while tokio::net::TcpStream::connect(served.addresses[0]).await.is_ok() {
                tokio::task::yield_now().await;
            }
        }
        let found = driver.look(until).await;
        // What is late is late by no more than a slow machine makes it.
        let grace = Duration::from_secs(5);
        assert!(Instant::now() < until + grace, "{fault:?} held us up");
        match found {
            Ok(_) => "a look".to_owned(),
            Err(Unanswered::Nonsense(what)) => format!("nonsense: {what}"),
            Err(why) => format!("{why:?}"),
        }
    })
}

#[test]
fn a_hostile_service_holds_nobody_up() {
    for (fault, expected) in [
        (Fault::Hangs, "Late"),
        (Fault::Unreachable, "Unreachable"),
        (Fault::Redirects, "nonsense: 307 elsewhere, not followed: /redfish/v1/"),
        (Fault::Endless, "nonsense: more than 4 MiB in one answer"),
        (Fault::Markup, "a look"),
        (Fault::SaysYes, "a look"),
    ] {
        let found = look_with(fault, false);
        assert!(found.starts_with(expected), "{fault:?}: {found}");
    }
    // A service that was known goes wrong under a connection that is open.
    assert_eq!(look_with(Fault::Hangs, true), "Late");
    let found = look_with(Fault::Redirects, true);
    assert!(found.starts_with("nonsense: 307 elsewhere"), "{found}");
}

#[test]
fn a_yes_without_a_deed_is_not_done() {
    run(async {
        let tray = emulated(1).found_working();
        let served = serve(std::slice::from_ref(&tray)).await;
        let driver = driver(served.addresses[0]);
        tray.take(Fault::SaysYes);
        for wanted in [Wanted::AtMost(watts(4_000)), Wanted::Rest] {
            let until = Instant::now() + Duration::from_secs(3);
            let outcome = carry_out(&driver, wanted, until).await;
            assert_eq!(outcome, Outcome::Unknown(Unanswered::NotShown), "{wanted:?}");
        }
        assert!(tray.is_working());
    });
}

#[test]
fn markup_in_names_does_not_survive() {
    run(async {
        let tray = emulated(1).found_working();
        let served = serve(std::slice::from_ref(&tray)).await;
        tray.take(Fault::Markup);
        let driver = driver(served.addresses[0]);
        let identity = driver.identify(by()).await.expect("an identity");
        let parts = driver.parts(by()).await.expect("its parts");
        let said = format!("{identity:?} {parts:?}");
        assert!(said.contains("?script?") && !said.contains('<'), "{said}");
    });
}

#[test]
fn a_login_that_is_refused_is_not_tried_again_at_once() {
    run(async {
        let tray = emulated(1).found_working();
        let served = serve(std::slice::from_ref(&tray)).await;
        let driver = Tray::new(reached(served.addresses[0]), settings("wrong"));
        for _ in 0..3 {
            assert_eq!(driver.look(by()).await, Err(Unanswered::Login));
        }
        assert_eq!(tray.logins(), (0, 1));
    });
}

#[test]
fn a_session_is_used_until_it_is_forgotten() {
    run(async {
        let tray = emulated(1).found_working();
        let served = serve(std::slice::from_ref(&tray)).await;
        let driver = driver(served.addresses[0]);
        for _ in 0..3 {
            driver.look(by()).await.expect("a look");
        }
        assert_eq!(tray.logins(), (1, 0));
        tray.forget_sessions();
        driver.look(by()).await.expect("a look");
        assert_eq!(tray.logins(), (2, 0));
    });
}

/// What a look comes to at a listener that answers every connection with these bytes
/// and closes it, after the request.
fn look_at(answer: &'static [u8], security: Security) -> Unanswered {
    run(async {
        let listener = TcpListener::bind("127.44.1.1:0").await.expect("an address");
        let at = listener.local_addr().expect("an address");
        let serves = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4_096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answer).await;
            }
        });
        let mut settings = settings("secret");
        settings.security = security;
        settings.login = None;
        let driver = Tray::new(reached(at), settings);
        let why = driver.look(by()).await.expect_err("no look");
        serves.abort();
        why
    })
}

#[test]
fn what_is_not_of_the_protocol_is_nonsense() {
    for (answer, expected) in [
        (&b""[..], "Closed"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "Nonsense"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n<ht>", "Nonsense"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]", "Nonsense"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\n{", "Closed"),
        (b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n", "Nonsense"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", "Nonsense"),
        (b"HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n", "Login"),
        // Links that lead elsewhere lead nowhere: there is no system.
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 57\r\n\r\n{\"Systems\":{\"@odata.id\":\"http://169.254.169.254/latest\"}}",
            "Nonsense",
        ),
    ] {
        let found = format!("{:?}", look_at(answer, Security::Plain));
        let said = String::from_utf8_lossy(answer);
        assert!(found.starts_with(expected), "{said}: {found}");
    }
    // A service without TLS, spoken to over TLS.
    let pinned = Security::Pinned(Default::default());
    let found = look_at(b"HTTP/1.1 400 Bad Request\r\n\r\n", pinned);
    assert!(matches!(found, Unanswered::Nonsense(_)), "{found:?}");
}
