//! Peers that are no miners, or bad ones.

use std::time::{Duration, Instant};

use adapters::device::{Answer, Unanswered, Wanted};

use super::peer::{Act, Peer};
use super::{PATIENCE, block_on, by, cgminer, whatsminer};

/// How long a peer that never ends is borne with.
const SHORT: Duration = Duration::from_millis(400);

/// What is met, without its words.
fn kind(why: &Unanswered) -> &'static str {
    match why {
        Unanswered::Unreachable => "unreachable",
        Unanswered::Late => "late",
        Unanswered::Closed => "closed",
        Unanswered::Nonsense(_) => "nonsense",
        Unanswered::Login => "login",
        Unanswered::NotShown => "not shown",
    }
}

#[test]
fn every_call_ends_by_its_deadline_and_says_what_it_met() {
    let say = |answer: &str| Act::Say(answer.to_owned());
    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    let wide = format!("{{\"VERSION\":[{}{{}}]}}", "{},".repeat(20_000));
    for (act, expected) in [
        (Act::Close, "closed"),
        (Act::Hang, "late"),
        (Act::Drip, "late"),
        (Act::SayOn("{\"STATUS\":[".to_owned()), "late"),
        (Act::Endless, "nonsense"),
        (say("<html><body>Moved</body></html>"), "nonsense"),
        (say("HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/\r\n\r\n"), "nonsense"),
        (say("{}"), "nonsense"),
        (say("[]"), "nonsense"),
        (say("null"), "nonsense"),
        (
            say("{\"VERSION\":[{\"Type\":5}],\"Msg\":{\"fw_ver\":5},\"id\":99}"),
            "nonsense",
        ),
        (say("{\"STATUS\":\"E\",\"Code\":14,\"Msg\":\"invalid cmd\"}"), "nonsense"),
        (say(&deep), "nonsense"),
        (say(&wide), "nonsense"),
        (say("\u{1}\u{2}\u{fffd}"), "nonsense"),
    ] {
        let patience = if expected == "late" { SHORT } else { PATIENCE };
        block_on(async {
            let peer = Peer::always(act.clone()).await;
            for driver in [whatsminer(&peer), cgminer(&peer)] {
                let from = Instant::now();
                let call = |found: Option<Unanswered>, what: &str| {
                    let found = found.as_ref().map(kind);
                    assert_eq!(found, Some(expected), "{act:?} {what} {driver:?}");
                };
                // An answer that has every name may name nothing else.
                if !matches!(&act, Act::Say(said) if said.starts_with("{\"VERSION\":[{},"))
                {
                    call(driver.identify(by(patience)).await.err(), "identify");
                }
                call(driver.look(by(patience)).await.err(), "look");
                let told = driver.tell(Wanted::Rest, by(patience)).await;
                match told {
                    Answer::Unknown(why) => call(Some(why), "tell"),
                    // It was refused or is not a miner that can be told.
                    Answer::Refused(_) => {}
                    Answer::Accepted => panic!("{act:?} is no yes"),
                }
                assert!(from.elapsed() < PATIENCE, "{act:?}");
            }
        });
    }
}

/// Nobody at the address is nobody, never a miner that works.
#[test]
fn a_dead_miner_is_unreachable() {
    block_on(async {
        let (a, b) = {
            let peer = Peer::always(Act::Close).await;
            (whatsminer(&peer), cgminer(&peer))
        };
        for driver in [a, b] {
            // The port is given back when the peer's task has ended.
            let gone = loop {
                match driver.look(by(PATIENCE)).await {
                    Err(Unanswered::Closed) => tokio::task::yield_now().await,
                    other => break other,
                }
            };
            assert_eq!(gone, Err(Unanswered::Unreachable));
            assert_eq!(
                driver.tell(Wanted::Rest, by(PATIENCE)).await,
                Answer::Unknown(Unanswered::Unreachable)
            );
        }
    });
}

/// A look that was not asked for in time is late, and nothing else is tried.
#[test]
fn a_deadline_that_has_passed_is_late() {
    block_on(async {
        let peer = Peer::always(Act::Hang).await;
        for driver in [whatsminer(&peer), cgminer(&peer)] {
            let past = Instant::now();
            assert_eq!(driver.look(past).await, Err(Unanswered::Late));
            assert_eq!(
                driver.tell(Wanted::Rest, past).await,
                Answer::Unknown(Unanswered::Late)
            );
        }
    });
}
