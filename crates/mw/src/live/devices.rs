//! The site's side of a live run: what is said to it and what it says.
//!
//! A link that is lost is opened again; what was said meanwhile is lost, and so
//! not answered: the engine reads it back.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use engine::{Known, Signal};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use units::Interval;
use units::Seconds;

use super::Happened;
use super::clock::Clock;
use super::wire::{self, FromSite, ToSite};
use crate::emulate::Emulated;
use crate::fleet::Driven;

/// Messages that may wait for the site. More are lost, like on any wire.
const OUTBOX: usize = 1_024;

/// How long a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// How long to wait before a lost link is opened again.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Where the site is.
#[derive(Clone, Debug)]
pub enum Against {
    /// Simulated, in this process.
    Sim(Emulated),
    /// Its devices, driven by this process.
    Devices(Driven),
    /// In a process of its own.
    Address(SocketAddr),
}

/// The site, as the loop sees it.
#[derive(Debug)]
pub struct Devices {
    outbox: Sender<ToSite>,
}

impl Devices {
    /// Says something to the site. Where the link is lost or choked it is not
    /// heard: what is not answered is read back.
    pub fn say(&self, message: ToSite) {
        if self.outbox.try_send(message).is_err() {
            tracing::warn!(event = "not_said", "the link to the site is lost or choked");
        }
    }
}

/// What a site said of itself when its link was opened.
#[derive(Clone, Debug)]
pub struct Hello {
    /// Its clock.
    pub clock: Clock,
    /// What its loads are called, in the order in which it numbers them.
    pub loads: Vec<String>,
}

/// Opens the link to a site named `name`. What it says goes to `inbox`.
pub async fn open(
    against: Against,
    name: &str,
    inbox: Sender<Happened>,
) -> anyhow::Result<(Devices, Hello)> {
    let (outbox, waiting) = channel(OUTBOX);
    let (stream, hello) = connect(&against, name).await?;
    let clock = hello.clock;
    let link = Link { against, name: name.to_owned(), clock, waiting, inbox };
    tokio::spawn(link.stay(stream));
    Ok((Devices { outbox }, hello))
}

/// Either end of a link.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

async fn connect(
    against: &Against,
    name: &str,
) -> anyhow::Result<(Box<dyn Stream>, Hello)> {
    let mut stream: Box<dyn Stream> = match against {
        Against::Sim(site) => {
            let (ours, theirs) = tokio::io::duplex(1 << 20);
            let site = site.clone();
            tokio::spawn(async move { site.speak(theirs).await });
            Box::new(ours)
        }
        Against::Devices(site) => {
            let (ours, theirs) = tokio::io::duplex(1 << 20);
            let site = site.clone();
            tokio::spawn(async move { site.speak(theirs).await });
            Box::new(ours)
        }
        Against::Address(address) => {
            let stream =
                tokio::time::timeout(CONNECT_WITHIN, TcpStream::connect(address));
            let stream = stream.await.context("no answer in time");
            let stream = stream.and_then(|stream| stream.map_err(Into::into));
            let stream =
                stream.with_context(|| format!("cannot reach the site at {address}"))?;
            stream.set_nodelay(true)?;
            Box::new(stream)
        }
    };
    let hello = tokio::time::timeout(CONNECT_WITHIN, wire::hear(&mut stream)).await;
    match hello.context("the site did not say who it is")?? {
        Some(FromSite::Hello { site, loads, now, speed }) => {
            if site != name {
                bail!("expected the site `{name}`, found `{site}`; check --against");
            }
            Ok((stream, Hello { clock: Clock::set(now, speed), loads }))
        }
        Some(
            FromSite::Receipt(_)
            | FromSite::Draw { .. }
            | FromSite::Sweep(_)
            | FromSite::Account(_),
        )
        | None => {
            bail!("expected the site to say who it is first")
        }
    }
}

/// The link to a site.
struct Link {
    against: Against,
    name: String,
    clock: Clock,
    waiting: Receiver<ToSite>,
    inbox: Sender<Happened>,
}

impl Link {
    /// Carries messages both ways, and opens the link again where it is lost.
    async fn stay(mut self, mut stream: Box<dyn Stream>) {
        loop {
            let ended = self.speak(stream).await;
            if ended == Ended::ByUs || self.inbox.send(Happened::LinkLost).await.is_err()
            {
                return;
            }
            let loads;
            (stream, loads) = loop {
                tokio::time::sleep(AGAIN_AFTER).await;
                // What was said into the gap was not heard.
                while self.waiting.try_recv().is_ok() {}
                if self.waiting.is_closed() {
                    return;
                }
                if let Ok((stream, hello)) = connect(&self.against, &self.name).await {
                    break (stream, hello.loads);
                }
            };
            if self.inbox.send(Happened::LinkBack { loads }).await.is_err() {
                return;
            }
        }
    }

    /// Carries messages both ways until either side ends.
    async fn speak(&mut self, stream: Box<dyn Stream>) -> Ended {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let (inbox, waiting, clock) = (&self.inbox, &mut self.waiting, self.clock);
        let heard = async {
            while let Ok(Some(said)) = wire::hear::<FromSite>(&mut reader).await {
                if let Some(happened) = understood(said, clock)
                    && inbox.send(happened).await.is_err()
                {
                    return Ended::ByUs;
                }
            }
            Ended::ByThem
        };
        let said = async {
            while let Some(message) = waiting.recv().await {
                if wire::say(&mut writer, &message).await.is_err() {
                    return Ended::ByThem;
                }
            }
            Ended::ByUs
        };
        tokio::select! {
            ended = heard => ended,
            ended = said => ended,
        }
    }
}

#[derive(PartialEq, Eq)]
enum Ended {
    ByUs,
    ByThem,
}

/// What the site said, as the engine takes it. A reading is known when it reaches us:
/// the site's clock may be a little fast.
fn understood(said: FromSite, clock: Clock) -> Option<Happened> {
    match said {
        FromSite::Hello { .. } | FromSite::Account(_) => None,
        FromSite::Receipt(receipt) => Some(Happened::Seen(receipt)),
        FromSite::Draw { power, at, source } => {
            let at = at.min(clock.now());
            let during = Interval::starting(at, Seconds::from_seconds(1));
            let draw = Known { value: power, during, known_at: at, source };
            Some(Happened::Heard(Signal::Draw(draw)))
        }
        FromSite::Sweep(sweep) => Some(Happened::Heard(Signal::Sweep(sweep))),
    }
}
