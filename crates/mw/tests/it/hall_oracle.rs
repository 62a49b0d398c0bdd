//! Our driver against `simhall`, a hall of GB300 trays that other people wrote. It is only
//! looked at: its trays take no orders over Redfish.

mod estate;

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use adapters::device::redfish::{Security, Shutdown, Tray, TraySettings};
use adapters::device::{Answer, Driver, Look, Running, Wanted};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::redfish::{by, reached, run, watts};

/// The hall at work; it ends with this.
struct Hall {
    child: Child,
    at: SocketAddr,
}

impl Drop for Hall {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Hall {
    /// `None` where it is not installed.
    async fn open() -> Option<Self> {
        let Some(python) = std::env::var_os("MW_ORACLE_FOCUS_PYTHON") else {
            eprintln!("skipped: MW_ORACLE_FOCUS_PYTHON names no Python with simhall");
            return None;
        };
        let program = Path::new(&python).with_file_name("simhall");
        if !program.exists() {
            eprintln!("skipped: {} is absent", program.display());
            return None;
        }
        // A port that was free a moment ago.
        let free = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = free.local_addr().expect("an address");
        drop(free);
        let child = Command::new(program)
            .args(["serve", "--golden", "hall-b", "--port", &at.port().to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let hall = Self { child: child.expect("a program that starts"), at };
        let until = by();
        while TcpStream::connect(at).await.is_err() {
            assert!(Instant::now() < until, "the hall does not open");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Some(hall)
    }

    /// Tells the hall that something goes wrong, or that somebody does something.
    fn tell(&self, what: &str, body: &str) {
        self.ask("POST", what, body);
    }

    /// What the hall says of itself.
    fn state(&self) -> serde_json::Value {
        serde_json::from_str(&self.ask("GET", "state", "")).expect("JSON")
    }

    fn ask(&self, method: &str, what: &str, body: &str) -> String {
        let mut stream = std::net::TcpStream::connect(self.at).expect("the hall");
        let length = body.len();
        // In the old protocol answers come whole, and not in pieces.
        let head = format!(
            "{method} /sim/{what} HTTP/1.0\r\nHost: hall\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(head.as_bytes()).expect("it listens");
        let mut said = String::new();
        stream.read_to_string(&mut said).expect("it answers");
        let (head, body) = said.split_once("\r\n\r\n").expect("an answer");
        assert!(head.starts_with("HTTP/1.1 20"), "{said}");
        body.to_owned()
    }

    /// A driver of one of its trays. All of them are at one address, each under a path of
    /// its own; in front of it each gets an address, as real ones have.
    async fn tray(&self, node: &str) -> Tray {
        let settings = TraySettings {
            login: None,
            security: Security::Plain,
            beside_gpus: watts(1_000),
            unlimited: Some(watts(7_000)),
            shutdown: Shutdown::Graceful,
            drives: None,
        };
        Tray::new(reached(self.front(node).await), settings)
    }

    /// An address of a tray's own, for its controller and its exporter.
    async fn front(&self, node: &str) -> SocketAddr {
        let front = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = front.local_addr().expect("an address");
        let (behind, node) = (self.at, node.to_owned());
        tokio::spawn(async move {
            while let Ok((stream, _)) = front.accept().await {
                tokio::spawn(under(stream, behind, format!("/dev/{node}")));
            }
        });
        at
    }
}

/// Passes requests on, their paths under another.
async fn under(
    stream: TcpStream,
    behind: SocketAddr,
    path: String,
) -> std::io::Result<()> {
    let (from, mut to) = stream.into_split();
    let (mut answers, mut asks) = TcpStream::connect(behind).await?.into_split();
    tokio::spawn(async move { tokio::io::copy(&mut answers, &mut to).await });
    let mut from = BufReader::new(from);
    loop {
        let (mut first, mut line, mut length) = (String::new(), String::new(), 0_u64);
        if from.read_line(&mut first).await? == 0 {
            return Ok(());
        }
        asks.write_all(first.replacen(" /", &format!(" {path}/"), 1).as_bytes()).await?;
        while from.read_line(&mut line).await? > 2 {
            let header = line.to_ascii_lowercase();
            if let Some(said) = header.strip_prefix("content-length:") {
                length = said.trim().parse().unwrap_or(0);
            }
            asks.write_all(line.as_bytes()).await?;
            line.clear();
        }
        asks.write_all(b"\r\n").await?;
        tokio::io::copy(&mut (&mut from).take(length), &mut asks).await?;
    }
}

async fn look(tray: &Tray) -> Look {
    tray.look(by()).await.expect("a look")
}

/// A tray of the hall is known, found at work and off, and its leak is seen; an order that
/// it does not take is not called done.
#[test]
fn a_hall_of_others_is_looked_at() {
    run(async {
        let Some(hall) = Hall::open().await else { return };
        let tray = hall.tray("node1").await;
        let identity = tray.identify(by()).await.expect("an identity");
        assert_eq!(identity.maker.expect("a maker").as_str(), "NVIDIA");
        let model = identity.model.expect("a model");
        assert_eq!(model.as_str(), "GB300 NVL72 compute tray");
        let serial = identity.serial.expect("a serial number");
        assert!(serial.as_str().starts_with("SN-N1-"), "{serial}");

        let well = look(&tray).await;
        assert_eq!(well.running.map(|it| it.value), Some(Running::Working));
        // It says nothing of what it draws, and nothing is made up.
        assert_eq!((well.draw, well.faults.as_slice()), (None, &[][..]), "{well:?}");

        hall.tell("faults", r#"{"kind": "coolant_leak", "node": "node1"}"#);
        let wet = look(&tray).await;
        let leaks = |look: &Look| {
            look.faults.iter().any(|fault| fault.as_str().contains("leak detector"))
        };
        assert!(leaks(&wet), "{:?}", wet.faults);
        let other = hall.tray("node2").await;
        assert!(!leaks(&look(&other).await), "the neighbour is dry");

        let told = other.tell(Wanted::Rest, by()).await;
        assert!(!matches!(told, Answer::Accepted), "{told:?}");
        assert!(!look(&other).await.shows(Wanted::Rest));
        hall.tell("actions", r#"{"kind": "power_off", "device": "node2"}"#);
        assert!(look(&other).await.shows(Wanted::Rest));
        assert!(!look(&tray).await.shows(Wanted::Rest));

        hall.tell("faults", r#"{"kind": "unreachable_node", "node": "node1"}"#);
        let soon = Instant::now() + Duration::from_millis(1_500);
        let found = tray.look(soon).await;
        assert!(found.is_err(), "{found:?}");
    });
}
