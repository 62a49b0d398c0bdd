//! The machines of a load as rigs on addresses of their own: one listener a machine,
//! each with a firmware in front.
//!
//! A firmware keeps what real ones keep, the limit it was set to, who is logged on, its
//! pools, and puts its words in front of [`Machine`]. What a machine does and draws is the
//! campus' affair, and so is what is wrong with it; what is wrong on the wire is a
//! [`Quirk`].
//!
//! Invariant: only loopback is listened on.
//! Invariant: a rig has few connections at a time, and each ends by itself.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use adapters::device::whatsminer::seal::Seal;
use engine::site::Rate;
use sim::campus::Dynamics;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use units::{HashRate, Power};

use super::machine::{Machine, Point};
use super::{cgminer, whatsminer};

/// Connections that a rig has at a time. Real ones have some sixteen.
const CONNECTIONS: usize = 16;

/// Connections that may wait for a rig.
const BACKLOG: u32 = 64;

/// The longest question.
const QUESTION_MAX: usize = 16 * 1024;

/// How long a connection lasts at most; so long does a rig that hangs hold one.
const LASTS: Duration = Duration::from_secs(120);

/// How much of an endless answer is sent at a time.
const PART: usize = 16 * 1024;

/// Whose firmware a rig has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firmware {
    /// MicroBT's, with its encrypted commands.
    Whatsminer,
    /// Luxor's.
    LuxOs,
    /// Bitmain's own: it is only looked at over this API.
    Antminer,
    /// Canaan's own, which answers in text between pipes.
    Avalon,
}

/// How long a rig takes for what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// It answers at once, and changes its limit while it works.
    Fast,
    /// It takes as long to answer as real ones do, and another limit restarts it.
    Realistic,
}

impl Timing {
    /// How the draw and the heat of such machines follow.
    pub fn dynamics(self) -> Dynamics {
        match self {
            Self::Fast => Dynamics::fast(),
            Self::Realistic => Dynamics::realistic(),
        }
    }
}

/// How the rigs of a load are.
#[derive(Clone)]
pub struct Manner {
    /// Whose firmware they have.
    pub firmware: Firmware,
    /// What they say that they are, as the firmware writes it: `M50S_VH50`.
    pub model: String,
    /// The password of those that want one.
    pub password: String,
    /// Where they send their work.
    pub pools: Vec<String>,
    /// How long they take.
    pub timing: Timing,
}

impl fmt::Debug for Manner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Manner({:?} {} {:?})", self.firmware, self.model, self.timing)
    }
}

/// What is wrong with a rig on the wire, beside its machine's temper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quirk {
    /// It answers what is no answer.
    Garbage,
    /// Its answer has no end.
    Endless,
    /// Its answer comes a byte a second.
    Drips,
    /// It closes in the middle of its answer.
    ClosesEarly,
    /// It does what it is told and closes without an answer.
    ActsUnanswered,
    /// It does what it is told, says nothing and keeps the connection open.
    ActsAndHolds,
    /// It takes no command.
    Refuses,
    /// It says that it did as told and does nothing.
    SaysYes,
    /// Its login is another.
    OtherLogin,
    /// Its login is another, and it says so under the seal of that.
    OtherSeal,
    /// It reads and writes sealed texts whose last block is filled with counts.
    CountedSeal,
    /// Its API is read-only.
    ReadOnly,
    /// It answers with another question's number.
    OtherNumber,
    /// Its names are markup.
    Markup,
    /// It sends its work to somebody else.
    OtherPool,
}

/// The rigs of a load. They answer until this goes.
#[derive(Debug)]
pub struct Rigs {
    rigs: Vec<Arc<Rig>>,
    addresses: Vec<SocketAddr>,
    /// Each listener; all end with it.
    _listeners: JoinSet<()>,
}

/// One rig: a machine and what its firmware keeps.
#[derive(Debug)]
pub(super) struct Rig {
    pub(super) machine: Machine,
    pub(super) manner: Arc<Manner>,
    pub(super) points: Vec<Point>,
    pub(super) since: Instant,
    /// What the password makes of the salts that a Whatsminer hands out.
    pub(super) seal: Arc<Seal>,
    kept: Mutex<Kept>,
}

/// What a firmware keeps.
#[derive(Debug)]
pub(super) struct Kept {
    /// The most that it is set to draw.
    pub(super) limit: Power,
    /// Who is logged on.
    pub(super) session: Option<String>,
    /// Since when its token holds.
    pub(super) token: Option<Instant>,
    pub(super) quirk: Option<Quirk>,
}

/// What a firmware says to a question.
#[derive(Debug)]
pub(super) enum Says {
    /// This, after so long.
    Answer(Vec<u8>, Duration),
    /// Nothing, and closes.
    Nothing,
    /// Nothing, and does not close.
    Hangs,
}

impl Rigs {
    /// Lets machines answer, each at its address; port 0 is any. On a current runtime.
    ///
    /// # Errors
    ///
    /// When an address is not loopback or cannot be listened on.
    pub fn listen(
        machines: Vec<Machine>,
        at: &[SocketAddr],
        manner: Manner,
    ) -> io::Result<Self> {
        let seal = Arc::new(Seal::of(&manner.password, &whatsminer::salts()));
        let manner = Arc::new(manner);
        let mut rigs = Vec::with_capacity(machines.len());
        let mut addresses = Vec::with_capacity(machines.len());
        let mut listeners = JoinSet::new();
        for (machine, at) in machines.into_iter().zip(at) {
            let listener = listen_at(*at)?;
            addresses.push(listener.local_addr()?);
            let rig = Rig::new(machine, Arc::clone(&manner), Arc::clone(&seal));
            let rig = Arc::new(rig);
            listeners.spawn(Arc::clone(&rig).serve(listener));
            rigs.push(rig);
        }
        Ok(Self { rigs, addresses, _listeners: listeners })
    }

    /// Where they answer, in the order of the machines.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Gives a rig a quirk, or takes it away.
    pub fn take_quirk(&self, rig: usize, quirk: Option<Quirk>) {
        self.rigs[rig].kept().quirk = quirk;
    }

    /// Lets a rig forget who is logged on, as after half an hour.
    pub fn forget_logins(&self, rig: usize) {
        let mut kept = self.rigs[rig].kept();
        (kept.session, kept.token) = (None, None);
    }
}

fn listen_at(at: SocketAddr) -> io::Result<TcpListener> {
    let found = |what: &str| format!("{what} at {at}");
    if !at.ip().is_loopback() {
        let what =
            found("expected a loopback address for an emulated machine, found one");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    let listen = || {
        let socket = TcpSocket::new_v4()?;
        // So that a site that was just stopped can be started again.
        socket.set_reuseaddr(true)?;
        socket.bind(at)?;
        socket.listen(BACKLOG)
    };
    listen().map_err(|error| {
        let what = found("an emulated machine cannot listen");
        io::Error::new(error.kind(), format!("{what}: {error}"))
    })
}

impl Rig {
    fn new(machine: Machine, manner: Arc<Manner>, seal: Arc<Seal>) -> Self {
        let points = machine.points();
        let most = points.last().map_or(Power::ZERO, |point| point.power);
        let kept = Kept { limit: most, session: None, token: None, quirk: None };
        let kept = Mutex::new(kept);
        Self { machine, manner, points, since: Instant::now(), seal, kept }
    }

    async fn serve(self: Arc<Self>, listener: TcpListener) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let place = Arc::clone(&places).acquire_owned().await;
            let place = place.expect("nobody closes it");
            // A connection that is gone before it is taken is nobody's trouble.
            let Ok((stream, _)) = listener.accept().await else { continue };
            let rig = Arc::clone(&self);
            tokio::spawn(async move {
                drop(tokio::time::timeout(LASTS, rig.answer(stream)).await);
                drop(place);
            });
        }
    }

    /// One connection: a question, and what comes of it.
    async fn answer(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let question = hear(&mut stream).await?;
        let Some(late) = self.machine.answers_after() else {
            return hold(stream).await;
        };
        let quirk = self.kept().quirk;
        let says = match self.manner.firmware {
            Firmware::Whatsminer => whatsminer::answer(self, &question),
            Firmware::LuxOs | Firmware::Antminer | Firmware::Avalon => {
                cgminer::answer(self, &question)
            }
        };
        let (answer, after) = match says {
            Says::Answer(answer, after) => (answer, after + late),
            Says::Nothing => return Ok(()),
            Says::Hangs => return hold(stream).await,
        };
        if !after.is_zero() {
            tokio::time::sleep(after).await;
        }
        self.say(&mut stream, answer, quirk).await
    }

    async fn say(
        &self,
        stream: &mut TcpStream,
        mut answer: Vec<u8>,
        quirk: Option<Quirk>,
    ) -> io::Result<()> {
        match quirk {
            Some(Quirk::Garbage) => {
                stream.write_all(b"\x7f\x45LF\x02<html><body>200 OK").await?;
            }
            Some(Quirk::Endless) => loop {
                stream.write_all(&[b' '; PART]).await?;
            },
            Some(Quirk::Drips) => {
                for byte in answer {
                    stream.write_all(&[byte]).await?;
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
            Some(Quirk::ClosesEarly) => {
                stream.write_all(&answer[..answer.len() / 2]).await?;
            }
            Some(
                Quirk::ActsUnanswered
                | Quirk::ActsAndHolds
                | Quirk::Refuses
                | Quirk::SaysYes
                | Quirk::OtherLogin
                | Quirk::OtherSeal
                | Quirk::CountedSeal
                | Quirk::ReadOnly
                | Quirk::OtherNumber
                | Quirk::Markup
                | Quirk::OtherPool,
            )
            | None => {
                answer.push(0);
                stream.write_all(&answer).await?;
            }
        }
        stream.shutdown().await
    }

    pub(super) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("what a firmware keeps is whole")
    }

    /// What it has given to the point that it is truly at, warm or not.
    pub(super) fn hashrate(&self) -> HashRate {
        let stands = self.machine.stands();
        match self.points[usize::from(stands.point)].rate {
            Rate::Hash(rate) if !stands.starting => rate,
            Rate::Hash(_) | Rate::Throughput(_) => HashRate::ZERO,
        }
    }

    /// The last point of its curve within a limit: 0 where none is.
    pub(super) fn point_within(&self, limit: Power) -> u8 {
        let within = self.points.iter().skip(1).take_while(|point| point.power <= limit);
        u8::try_from(within.count()).expect("a curve has few points")
    }

    /// The limit that it says it has: what it does beyond it, it has by itself.
    pub(super) fn limit(&self) -> Power {
        let at = usize::from(self.machine.stands().says);
        match at {
            0 => self.kept().limit,
            _ => self.kept().limit.max(self.points[at].power),
        }
    }

    /// Sends it to a point, 0 to rest. How long its answer takes; nothing where it gives
    /// none.
    pub(super) fn go_to(&self, point: u8) -> Option<Duration> {
        if self.kept().quirk == Some(Quirk::SaysYes) {
            return self.machine.answers_after();
        }
        let says = self.machine.stands().says;
        let other_limit = says > 0 && point > 0 && says != point;
        if other_limit && self.manner.timing == Timing::Realistic {
            self.machine.go_to(0);
        }
        let after = self.machine.go_to(point)?;
        Some(after + self.takes(Duration::from_millis(700)))
    }

    /// About how long it takes over something, by the rig: between half and three halves.
    pub(super) fn takes(&self, about: Duration) -> Duration {
        match self.manner.timing {
            Timing::Fast => Duration::ZERO,
            Timing::Realistic => about / 2 + about * (self.machine.number() % 97) / 97,
        }
    }

    /// What it calls its model.
    pub(super) fn model(&self) -> String {
        match self.kept().quirk {
            Some(Quirk::Markup) => "<script>alert('M60S')</script>".to_owned(),
            Some(_) | None => self.manner.model.clone(),
        }
    }

    /// Where it sends its work.
    pub(super) fn pools(&self) -> Vec<String> {
        match self.kept().quirk {
            Some(Quirk::OtherPool) => vec!["stratum+tcp://thief.example:3333".to_owned()],
            Some(_) | None => self.manner.pools.clone(),
        }
    }

    /// The hardware address that a machine of this number has.
    pub(super) fn mac(&self) -> String {
        let [_, high, middle, low] = self.machine.number().to_be_bytes();
        format!("C4:11:04:{high:02X}:{middle:02X}:{low:02X}")
    }

    /// How hot it is, in degrees.
    pub(super) fn celsius(&self) -> i64 {
        self.machine.stands().heat.as_millidegrees() / 1_000
    }
}

/// A question: up to the end of its JSON, or what came at once.
async fn hear(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut question = Vec::new();
    let mut part = [0_u8; 2_048];
    loop {
        let read = stream.read(&mut part).await?;
        question.extend_from_slice(&part[..read]);
        let is_whole = question.first() != Some(&b'{')
            || serde_json::from_slice::<serde::de::IgnoredAny>(&question).is_ok();
        if read == 0 || is_whole || question.len() > QUESTION_MAX {
            return Ok(question);
        }
    }
}

/// Says nothing until the other side goes.
async fn hold(mut stream: TcpStream) -> io::Result<()> {
    let mut ignored = [0_u8; 256];
    while stream.read(&mut ignored).await? > 0 {}
    Ok(())
}
