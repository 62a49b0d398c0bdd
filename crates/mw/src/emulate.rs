//! A simulated site that lives by its own clock and is spoken to like a real one.
//!
//! It outlives the program that drives it: when that dies, leases end and the
//! machines fall to their fail-safe levels, as real ones would. Its energy
//! meters keep their intervals, so that one that nobody asked for in time can
//! be had later.

mod cgminer;
pub mod devices;
pub mod machine;
pub mod modbus;
pub mod openadr;
pub mod redfish;
pub mod rigs;
mod whatsminer;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine::{Lease, OrderBatch, ReadBack, Receipt, Site, Source, Sweep};
use serde::{Deserialize, Serialize};
use sim::campus::{Answer, Campus, Dynamics, Execution, Tempers};
use tokio::io::{AsyncRead, AsyncWrite, WriteHalf};
use tokio::net::TcpListener;
use tokio::sync::Mutex as AsyncMutex;
use units::{Energy, Interval, Power, Seconds, Timestamp};

use crate::live::clock::Clock;
use crate::live::wire::{self, FromSite, ToSite};

pub use machine::Machine;

/// How long the meters' own intervals are.
const METER_INTERVAL: Seconds = Seconds::minutes(5);

/// How many intervals the meters keep: a week.
const METER_INTERVALS_KEPT: usize = 7 * 288;

/// How often the interconnection's meter is read, in the site's time.
const DRAW_EVERY: Seconds = Seconds::from_seconds(2);

/// How often a site looks at its clock, by the wall.
const BEAT: Duration = Duration::from_millis(50);

/// What a simulated site truly did and drew so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its time.
    pub now: Timestamp,
    /// What it draws now.
    pub draw: Power,
    /// Every load, in the site's order.
    pub loads: Vec<LoadAccount>,
    /// What its own meter counted, interval by interval, from the first that it still
    /// keeps to the last that has ended.
    pub metered: Vec<(Interval, Option<Energy>)>,
}

/// What the machines of one load truly did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadAccount {
    /// How many are not at rest.
    pub running: u32,
    /// What each did with its orders.
    pub machines: Vec<Execution>,
}

/// A simulated site at work. Clones are the same site.
#[derive(Clone, Debug)]
pub struct Emulated {
    shared: Arc<Mutex<Works>>,
    name: String,
}

#[derive(Debug)]
struct Works {
    campus: Campus,
    clock: Clock,
    /// What the meters counted, by the interval's start.
    metered: BTreeMap<Timestamp, Sweep>,
    /// The interval that the meters count now.
    metering: Interval,
    registers: Registers,
}

/// What the interconnection's registers count, from the beginning on.
#[derive(Clone, Copy, Debug, Default)]
struct Registers {
    /// Net energy up to the last sweep.
    swept: Energy,
    /// Net energy so far.
    net: Energy,
    imported: Energy,
    exported: Energy,
}

impl Emulated {
    /// A site with every machine at rest, by `clock`.
    pub fn new(site: Site, seed: u64, tempers: Tempers, clock: Clock) -> Self {
        let name = site.name.clone();
        let now = clock.now();
        let metering =
            Interval { start: now, end: now.floor(METER_INTERVAL) + METER_INTERVAL };
        let campus = Campus::new(site, seed, tempers, now);
        let (metered, registers) = (BTreeMap::new(), Registers::default());
        let works = Works { campus, clock, metered, metering, registers };
        Self { shared: Arc::new(Mutex::new(works)), name }
    }

    /// The same with draw and heat that follow as `dynamics` say.
    #[must_use]
    pub fn with_dynamics(self, dynamics: Dynamics) -> Self {
        self.with(|works| works.campus.set_dynamics(dynamics));
        self
    }

    /// Serves whoever connects, until the listener or the caller ends.
    pub async fn serve(&self, listener: TcpListener) -> io::Result<()> {
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let site = self.clone();
            // Whoever leaves may come back; the site goes on without.
            tokio::spawn(async move { site.speak(stream).await });
        }
    }

    /// Speaks with one who drives it, until that one leaves.
    pub async fn speak(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) {
        let (mut reader, writer) = tokio::io::split(stream);
        let writer = Arc::new(AsyncMutex::new(writer));
        let hello = self.with(|works| FromSite::Hello {
            site: self.name.clone(),
            loads: works.campus.site().loads.iter().map(|l| l.name.clone()).collect(),
            now: works.clock.now(),
            speed: works.clock.speed(),
        });
        if wire::say(&mut *writer.lock().await, &hello).await.is_err() {
            return;
        }
        let beats = tokio::spawn(self.clone().beat(Arc::clone(&writer)));
        while let Ok(Some(said)) = wire::hear::<ToSite>(&mut reader).await {
            self.hear(said, &writer).await;
        }
        beats.abort();
    }

    /// Does what it is told and answers, each machine in its own time.
    async fn hear<W>(&self, said: ToSite, writer: &Arc<AsyncMutex<WriteHalf<W>>>)
    where
        W: AsyncRead + AsyncWrite + Send + 'static,
    {
        let answers = match said {
            ToSite::Orders(batch) => self.obey(&batch),
            ToSite::Keep(lease) => self.keep(&lease),
            ToSite::Look(asked) => self.look(&asked),
            ToSite::Survey => vec![self.survey()],
            ToSite::Weather(outside) => {
                self.with(|works| works.now().weather(outside));
                Vec::new()
            }
            ToSite::Account => {
                tell(writer, FromSite::Account(Box::new(self.account()))).await;
                Vec::new()
            }
            ToSite::MetersFrom(start) => {
                for sweep in self.meters_from(start) {
                    tell(writer, FromSite::Sweep(sweep)).await;
                }
                Vec::new()
            }
        };
        let clock = self.with(|works| works.clock);
        for Answer { after, receipt } in answers {
            if after == Seconds::ZERO {
                tell(writer, FromSite::Receipt(receipt)).await;
                continue;
            }
            let due = clock.until(clock.now() + after);
            let writer = Arc::clone(writer);
            tokio::spawn(async move {
                tokio::time::sleep(due).await;
                tell(&writer, FromSite::Receipt(receipt)).await;
            });
        }
    }

    /// Lets time pass, and says what the interconnection's meter shows.
    async fn beat<W>(self, writer: Arc<AsyncMutex<WriteHalf<W>>>)
    where
        W: AsyncRead + AsyncWrite + Send + 'static,
    {
        let mut shown_at = self.with(|works| works.clock.now());
        loop {
            tokio::time::sleep(BEAT).await;
            let (now, shows) = self.with(|works| {
                works.advance();
                let now = works.campus.now();
                (now, (now - shown_at >= DRAW_EVERY).then(|| works.campus.show()))
            });
            if let Some(shows) = shows {
                shown_at = now;
                if let Some(power) = shows {
                    tell(
                        &writer,
                        FromSite::Draw { power, at: now, source: Source::Meter },
                    )
                    .await;
                }
            }
        }
    }

    fn obey(&self, batch: &OrderBatch) -> Vec<Answer> {
        self.with(|works| works.now().obey(batch))
    }

    fn keep(&self, lease: &Lease) -> Vec<Answer> {
        self.with(|works| works.now().keep(lease));
        Vec::new()
    }

    fn look(&self, asked: &ReadBack) -> Vec<Answer> {
        self.with(|works| works.now().look(asked))
    }

    fn survey(&self) -> Answer {
        let receipt: Receipt = self.with(|works| works.now().survey());
        Answer { after: Seconds::ZERO, receipt }
    }

    fn meters_from(&self, start: Timestamp) -> Vec<Sweep> {
        self.with(|works| {
            works.advance();
            works.metered.range(start..).map(|(_, sweep)| sweep.clone()).collect()
        })
    }

    /// What was truly done and drawn so far.
    pub fn account(&self) -> Account {
        self.with(|works| {
            let campus = works.now();
            let loads = (0..campus.site().loads.len())
                .map(|load| {
                    let each = campus.executed().of_load(load);
                    let machines = 0..each.len() as u32;
                    let running = machines.filter(|m| campus.point(load, *m) > 0).count();
                    LoadAccount { running: running as u32, machines: each.to_vec() }
                })
                .collect();
            let (now, draw) = (campus.now(), campus.draw());
            let metered = works.metered.values();
            let metered = metered.map(|sweep| (sweep.during, sweep.site)).collect();
            Account { now, draw, loads, metered }
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut Works) -> T) -> T {
        act(&mut self
            .shared
            .lock()
            .expect("a site that stopped in the middle is no site"))
    }
}

impl Works {
    /// The machines, at the present time.
    fn now(&mut self) -> &mut Campus {
        self.advance();
        &mut self.campus
    }

    /// How long so many of the site's seconds are by the wall.
    fn wall(&self, site: Seconds) -> Duration {
        let millis = site.as_seconds().max(0).unsigned_abs() * 1_000;
        Duration::from_millis(millis / u64::from(self.clock.speed()))
    }

    fn advance(&mut self) {
        let now = self.clock.now();
        while self.metering.end <= now {
            let during = self.metering;
            self.campus.advance(during.end);
            self.count();
            self.registers.swept = self.registers.net;
            self.metered.insert(during.start, self.campus.sweep(during));
            self.metering = Interval::starting(during.end, METER_INTERVAL);
        }
        while self.metered.len() > METER_INTERVALS_KEPT {
            self.metered.pop_first();
        }
        self.campus.advance(now);
        self.count();
    }

    /// What the interconnection's registers count, at the present time.
    fn registers(&mut self) -> Registers {
        self.advance();
        self.registers
    }

    /// Registers count what flowed since they last did.
    fn count(&mut self) {
        let registers = &mut self.registers;
        let net = registers.swept + self.campus.energy();
        let flowed = net - registers.net;
        registers.net = net;
        match flowed > Energy::ZERO {
            true => registers.imported += flowed,
            false => registers.exported -= flowed,
        }
    }
}

/// Says something to one who may have left; then it is lost, as on any wire.
async fn tell<W>(writer: &Arc<AsyncMutex<WriteHalf<W>>>, message: FromSite)
where
    W: AsyncRead + AsyncWrite,
{
    drop(wire::say(&mut *writer.lock().await, &message).await);
}
