//! Devices that answer wrongly, late, without end or not at all: every call ends by
//! its deadline and says why.

use std::future::Future;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use adapters::device::modbus::{Battery, BatteryLimits, ModbusMeter, Plausible, Profile};
use adapters::device::reach::{Allowed, Network};
use adapters::device::{Answer, Driver, Reached, Refusal, Unanswered, Wanted};
use adapters::meter::Meter;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use units::{Energy, Power};

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(test)
}

fn reached(address: SocketAddr) -> Reached {
    let network = Network::parse("127.0.0.0/8").expect("a network");
    Allowed::new(vec![network], Vec::new()).reach(address).expect("loopback is allowed")
}

fn soon() -> Instant {
    Instant::now() + Duration::from_millis(1_500)
}

/// A listener whose every connection is handed to `act`.
async fn device<F>(act: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(act(stream));
        }
    });
    address
}

/// A device that reads one request of twelve bytes after another and answers with what
/// `said` makes of it.
async fn answering(
    said: impl Fn(&[u8; 12]) -> Vec<u8> + Clone + Send + Sync + 'static,
) -> SocketAddr {
    device(move |mut stream| {
        let said = said.clone();
        async move {
            let mut asked = [0; 12];
            while stream.read_exact(&mut asked).await.is_ok() {
                if stream.write_all(&said(&asked)).await.is_err() {
                    return;
                }
            }
        }
    })
    .await
}

/// A frame that answers a request, with this body.
fn frame(asked: &[u8; 12], body: &[u8]) -> Vec<u8> {
    let mut frame = asked[..4].to_vec();
    frame.extend((body.len() as u16 + 1).to_be_bytes());
    frame.push(asked[6]);
    frame.extend(body);
    frame
}

/// All registers asked for, of one word's value.
fn registers(asked: &[u8; 12], off_by: i32, value: u16) -> Vec<u8> {
    let count = i32::from(u16::from_be_bytes([asked[10], asked[11]])) + off_by;
    let mut body = vec![asked[7], (count * 2) as u8];
    body.extend((0..count).flat_map(|_| value.to_be_bytes()));
    body
}

async fn read(address: SocketAddr) -> Result<Option<Power>, Unanswered> {
    let profile = Profile::named("mw-meter").expect("a profile");
    let plausible = Plausible { most: Power::from_mw(100) };
    let meter = ModbusMeter::new(reached(address), 1, profile, plausible);
    let shown = meter.read(soon()).await?;
    Ok(shown.power.map(|power| power.value))
}

#[test]
fn a_meter_that_says_nothing_useful_is_unanswered() {
    run(async {
        let silent = device(|stream| async move {
            tokio::time::sleep(Duration::from_secs(5)).await;
            drop(stream);
        });
        assert_eq!(read(silent.await).await, Err(Unanswered::Late));

        let closing = device(|stream| async move { drop(stream) });
        assert_eq!(read(closing.await).await, Err(Unanswered::Closed));

        let dripping = device(|mut stream| async move {
            while stream.write_all(&[0]).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let found = read(dripping.await).await;
        assert!(
            matches!(found, Err(Unanswered::Late | Unanswered::Nonsense(_))),
            "{found:?}"
        );

        // Letters where a length is expected: a frame that never ends.
        let page = answering(|_| b"HTTP/1.1 200 OK\r\n\r\n<!doctype html>".to_vec());
        assert_eq!(read(page.await).await, Err(Unanswered::Late));

        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let nobody = listener.local_addr().expect("an address");
        drop(listener);
        assert_eq!(read(nobody).await, Err(Unanswered::Unreachable));
    });
}

#[test]
fn an_answer_to_another_question_is_nonsense() {
    type Said = fn(&[u8; 12]) -> Vec<u8>;
    let wrong: [(&str, Said); 6] = [
        ("another transaction", |asked| {
            let mut frame = frame(asked, &registers(asked, 0, 1));
            frame[1] = frame[1].wrapping_add(1);
            frame
        }),
        ("another unit", |asked| {
            let mut frame = frame(asked, &registers(asked, 0, 1));
            frame[6] = 7;
            frame
        }),
        ("fewer words", |asked| frame(asked, &registers(asked, -1, 1))),
        ("more words", |asked| frame(asked, &registers(asked, 1, 1))),
        ("another function", |asked| {
            let mut body = registers(asked, 0, 1);
            body[0] = 3;
            frame(asked, &body)
        }),
        ("exception 2", |asked| frame(asked, &[asked[7] | 0x80, 2])),
    ];
    run(async {
        for (name, said) in wrong {
            let found = read(answering(said).await).await;
            assert!(matches!(found, Err(Unanswered::Nonsense(_))), "{name}: {found:?}");
        }
        let gateway = answering(|asked| frame(asked, &[asked[7] | 0x80, 11])).await;
        assert_eq!(read(gateway).await, Err(Unanswered::Unreachable));
        // And one that is right, so that the others are wrong by what they say.
        let right = answering(|asked| frame(asked, &registers(asked, 0, 1))).await;
        assert_eq!(read(right).await, Ok(Some(Power::from_watts(65_537))));
    });
}

#[test]
fn a_battery_refuses_in_its_own_words() {
    let limits = BatteryLimits {
        charge_max: Power::from_mw(5),
        discharge_max: Power::from_mw(5),
        capacity: Some(Energy::from_mwh(10)),
    };
    let battery = |address| {
        let profile = Profile::named("mw-battery").expect("a profile");
        Battery::new(reached(address), 1, profile, limits)
    };
    run(async {
        for (code, expected) in [(3, "other"), (6, "busy"), (2, "unsupported")] {
            let device = answering(move |asked| match asked[7] {
                3 | 4 => frame(asked, &registers(asked, 0, 0)),
                function => frame(asked, &[function | 0x80, code]),
            });
            let battery = battery(device.await);
            let said = battery.tell(Wanted::Flow(Power::from_mw(1)), soon()).await;
            let found = match said {
                Answer::Refused(Refusal::Other(_)) => "other",
                Answer::Refused(Refusal::Busy(_)) => "busy",
                Answer::Refused(Refusal::Unsupported(_)) => "unsupported",
                Answer::Accepted
                | Answer::Refused(Refusal::Login | Refusal::OutOfRange { .. })
                | Answer::Unknown(_) => "?",
            };
            assert_eq!(found, expected, "{code}: {said:?}");
        }
        // What cannot be is refused without a word on the wire.
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let nobody = battery(listener.local_addr().expect("an address"));
        for wanted in [6, -6] {
            let said = nobody.tell(Wanted::Flow(Power::from_mw(wanted)), soon()).await;
            assert!(
                matches!(said, Answer::Refused(Refusal::OutOfRange { .. })),
                "{said:?}"
            );
        }
        let most = nobody.tell(Wanted::AtMost(Power::from_mw(1)), soon()).await;
        assert!(matches!(most, Answer::Refused(Refusal::Unsupported(_))), "{most:?}");
        // One that reads and does not answer a write may have heard it.
        let mute = answering(|asked| match asked[7] {
            3 | 4 => frame(asked, &registers(asked, 0, 0)),
            _ => Vec::new(),
        });
        let said = battery(mute.await).tell(Wanted::Rest, soon()).await;
        assert_eq!(said, Answer::Unknown(Unanswered::Late));
    });
}
