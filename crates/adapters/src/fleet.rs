//! A site's devices together: orders by machine number become requests by address, and
//! what is seen becomes what the engine understands.
//!
//! ```text
//! orders, leases, questions ──► member ──► line ──► Driver ──► the device
//!          receipts, sweeps ◄── member ◄──────────── Look, Answer ◄──┘
//! ```
//!
//! `member` is one device and what it is to be, `line` who is asked next,
//! `health` who is only probed, `meters` what was drawn, `works` all of them
//! without a wire; this file puts the wire to it.
//!
//! No miner and no tray reverts by itself. The fleet holds the lease for them: what
//! nobody renews goes to rest, machine by machine in turn.
//!
//! Invariant: a device is asked one thing at a time.
//! Invariant: an order of an older generation never takes effect after a newer one.
//! Invariant: what a device says it did is reported as seen, or not at all.
//! Invariant: no more is asked at once than the network bears, overall and behind one
//! switch, and what is urgent has room.

mod curve;
mod health;
mod line;
mod member;
mod meters;
mod works;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use engine::site::LoadIx;
use engine::{Lease, OrderBatch, ReadBack, Receipt, Site, Source, Sweep};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::watch;
use tokio::task::{AbortHandle, Id, JoinSet};
use tokio::time::{Instant, MissedTickBehavior};
use units::{Power, Seconds, Temperature, Timestamp};

pub use member::NotDone;

use crate::device::{Answer, DeviceText, Driver, Quality, Unanswered};
use crate::meter::{Meter, Shown};
use member::{Ask, Came};
use works::{DeviceIx, Question, Works};

/// How often the fleet looks at its clock.
const BEAT: Duration = Duration::from_millis(50);

/// How often what was seen is said.
const SAID_EVERY: Duration = Duration::from_millis(200);

/// What is said to the fleet and waits for it.
const INBOX: usize = 1_024;

/// A driver that does not keep its deadline is left so much later.
const GRACE: Duration = Duration::from_millis(500);

/// What a meter measured longer ago than this is not what it shows now.
const SHOWN_HOLDS: Duration = Duration::from_secs(10);

/// The site's time, which is the wall's and never goes back.
pub type SiteTime = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What a fleet is made of.
#[derive(Debug)]
pub struct Parts {
    /// The site.
    pub site: Site,
    /// The device of each machine of each load, in the site's order; a battery is one.
    /// A load whose devices nobody knows has none.
    pub loads: Vec<Vec<Arc<dyn Driver>>>,
    /// The meter at the interconnection.
    pub meter: Option<Arc<dyn Meter>>,
    /// How fast it goes.
    pub pace: Pace,
    /// What holds until somebody says otherwise.
    pub lease: Lease,
}

/// How fast a fleet asks, and how long it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The most devices that are asked at once.
    pub at_once: usize,
    /// The most of them behind one switch: in one /24.
    pub per_subnet: usize,
    /// How long a look may take.
    pub look_within: Duration,
    /// How long a device may take to answer an order.
    pub tell_within: Duration,
    /// How often the interconnection's meter is read.
    pub meter_every: Duration,
    /// How long the meters' intervals are.
    pub interval: Seconds,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            at_once: 512,
            per_subnet: 64,
            look_within: Duration::from_secs(3),
            tell_within: Duration::from_secs(4),
            meter_every: Duration::from_secs(2),
            interval: Seconds::minutes(5),
        }
    }
}

/// What is said to a fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Carry out these orders.
    Orders(OrderBatch),
    /// Somebody watches: hold what was ordered until then.
    Keep(Lease),
    /// Say where these are.
    Look(ReadBack),
    /// Say where every machine is.
    Survey,
    /// The weather, which halls' overheads follow.
    Weather(Option<Temperature>),
    /// Say the meters' intervals again from here on.
    MetersFrom(Timestamp),
}

/// What a fleet says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Where machines were seen.
    Receipt(Receipt),
    /// What the site draws.
    Draw {
        /// Net draw.
        power: Power,
        /// When that was so.
        at: Timestamp,
        /// Who says it: the meter, or the machines where there is none.
        source: Source,
    },
    /// What was metered over one interval.
    Sweep(Sweep),
    /// A machine could not be brought to what it was ordered.
    NotDone {
        /// Which load.
        load: LoadIx,
        /// Which machine of it.
        machine: u32,
        /// Why.
        why: NotDone,
    },
}

/// How a fleet stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// How many devices there are.
    pub devices: usize,
    /// How many of them did not answer of late and are only probed.
    pub probed_only: usize,
    /// How many are being asked now.
    pub asked: usize,
}

/// A fleet at work. When it is dropped nobody asks anything of the devices any more.
#[derive(Clone, Debug)]
pub struct Fleet {
    told: Sender<Told>,
    standing: watch::Receiver<Standing>,
}

impl Fleet {
    /// Puts a fleet to work. What it has to say goes to `said`; nobody is asked
    /// anything before somebody wants something.
    pub fn start(parts: Parts, time: SiteTime, said: Sender<Said>) -> Self {
        let (told, inbox) = channel(INBOX);
        let (stands, standing) = watch::channel(Standing::default());
        tokio::spawn(Work::new(parts, time, said, stands).run(inbox));
        Self { told, standing }
    }

    /// Says something to the fleet.
    pub async fn tell(&self, told: Told) {
        // A fleet ends only where nobody listens to it any more.
        drop(self.told.send(told).await);
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        *self.standing.borrow()
    }
}

/// The fleet's one task.
struct Work {
    works: Works,
    drivers: Vec<Arc<dyn Driver>>,
    meter: Option<Arc<dyn Meter>>,
    pace: Pace,
    time: SiteTime,
    said: Sender<Said>,
    stands: watch::Sender<Standing>,
    asking: JoinSet<(DeviceIx, Came)>,
    /// Who a task asks, should it not come back.
    tasks: BTreeMap<Id, (DeviceIx, Ask)>,
}

impl Work {
    fn new(
        parts: Parts,
        time: SiteTime,
        said: Sender<Said>,
        stands: watch::Sender<Standing>,
    ) -> Self {
        let Parts { site, loads, meter, pace, lease } = parts;
        let addresses: Vec<Vec<_>> = loads
            .iter()
            .map(|drivers| drivers.iter().map(|d| d.at().address().ip()).collect())
            .collect();
        let drivers = loads.into_iter().flatten().collect();
        let began = (time(), Instant::now());
        Self {
            works: Works::new(site, &addresses, meter.is_some(), &pace, lease, began),
            drivers,
            meter,
            pace,
            time,
            said,
            stands,
            asking: JoinSet::new(),
            tasks: BTreeMap::new(),
        }
    }

    async fn run(mut self, mut inbox: Receiver<Told>) {
        let (reads, mut meter_reads) = channel(4);
        let _reading = self.meter.clone().map(|meter| {
            let (time, every) = (Arc::clone(&self.time), self.pace.meter_every);
            Aborts(tokio::spawn(read_on(meter, time, every, reads)).abort_handle())
        });
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut said_at = Instant::now();
        loop {
            tokio::select! {
                told = inbox.recv() => match told {
                    Some(told) => {
                        if !self.hear(told).await {
                            return;
                        }
                    }
                    None => return,
                },
                Some(joined) = self.asking.join_next_with_id() => {
                    self.came(joined);
                    while let Some(joined) = self.asking.try_join_next_with_id() {
                        self.came(joined);
                    }
                }
                Some((at, shown)) = meter_reads.recv() => self.shown(at, &shown).await,
                _ = beat.tick() => {}
            }
            let now = Instant::now();
            let at = (self.time)();
            self.works.pass(at, now);
            for said in self.works.metered(at, now) {
                self.say(said).await;
            }
            if now >= said_at + SAID_EVERY {
                said_at = now;
                for (load, machine, why) in self.works.not_done() {
                    self.say(Said::NotDone { load, machine, why }).await;
                }
                for receipt in self.works.receipts() {
                    self.say(Said::Receipt(receipt)).await;
                }
                let (devices, probed_only) = self.works.counts();
                let asked = self.asking.len();
                self.stands.send_replace(Standing { devices, probed_only, asked });
            }
            self.ask_on(at, now);
            if self.said.is_closed() {
                return;
            }
        }
    }

    /// Takes in what somebody says; `false` where nobody listens any more.
    async fn hear(&mut self, told: Told) -> bool {
        let now = Instant::now();
        let at = (self.time)();
        match told {
            Told::Orders(batch) => self.works.obey(&batch, now),
            Told::Keep(lease) => self.works.keep(lease),
            Told::Look(asked) => self.works.look(&asked, at, now),
            Told::Survey => self.works.survey(at, now),
            Told::Weather(outside) => self.works.weather(outside),
            Told::MetersFrom(start) => {
                for sweep in self.works.meters.from(start) {
                    self.say(Said::Sweep(sweep)).await;
                }
            }
        }
        !self.said.is_closed()
    }

    /// Asks as many as the network bears.
    fn ask_on(&mut self, at: Timestamp, now: Instant) {
        while let Some(Question { device, ask }) = self.works.next(at, now) {
            let driver = Arc::clone(&self.drivers[device]);
            let within = match ask {
                Ask::Look => self.pace.look_within,
                Ask::Tell(_) => self.pace.tell_within,
            };
            let asked = self.asking.spawn(async move {
                (device, put(driver.as_ref(), ask, now + within).await)
            });
            self.tasks.insert(asked.id(), (device, ask));
        }
    }

    fn came(&mut self, joined: Result<(Id, (DeviceIx, Came)), tokio::task::JoinError>) {
        let (device, came) = match joined {
            Ok((id, came)) => {
                self.tasks.remove(&id);
                came
            }
            Err(error) => {
                let Some((device, ask)) = self.tasks.remove(&error.id()) else { return };
                // What a device says must not take the others with it.
                let why = Unanswered::Nonsense(DeviceText::of("its driver failed"));
                (device, unanswered(ask, why))
            }
        };
        self.works.came(device, came, Instant::now());
    }

    async fn shown(&mut self, at: Timestamp, shown: &Shown) {
        self.works.shown(shown, at);
        let power = shown.power.filter(|power| {
            power.quality > Quality::Implausible
                && power.age(Instant::now().into_std()) <= SHOWN_HOLDS
        });
        if let Some(power) = power {
            let source = Source::Meter;
            self.say(Said::Draw { power: power.value, at, source }).await;
        }
    }

    async fn say(&self, said: Said) {
        // Whoever listened may have left; the loop sees to that.
        drop(self.said.send(said).await);
    }
}

/// Puts one question to a device. The deadline holds whatever the driver does.
async fn put(driver: &dyn Driver, ask: Ask, by: Instant) -> Came {
    let deadline = by.into_std();
    let asked = async {
        match ask {
            Ask::Tell(wanted) => Came::Told(driver.tell(wanted, deadline).await),
            Ask::Look => Came::Looked(driver.look(deadline).await.map(Box::new)),
        }
    };
    let came = tokio::time::timeout_at(by + GRACE, asked).await;
    came.unwrap_or_else(|_| unanswered(ask, Unanswered::Late))
}

fn unanswered(ask: Ask, why: Unanswered) -> Came {
    match ask {
        Ask::Tell(_) => Came::Told(Answer::Unknown(why)),
        Ask::Look => Came::Looked(Err(why)),
    }
}

/// Reads a meter from time to time.
async fn read_on(
    meter: Arc<dyn Meter>,
    time: SiteTime,
    every: Duration,
    reads: Sender<(Timestamp, Shown)>,
) {
    let mut turn = tokio::time::interval(every);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turn.tick().await;
        let at = time();
        let by = Instant::now() + every.mul_f32(0.75);
        let read = tokio::time::timeout_at(by + GRACE, meter.read(by.into_std())).await;
        // A meter that does not answer shows nothing; whoever misses it sees that.
        if let Ok(Ok(shown)) = read
            && reads.send((at, shown)).await.is_err()
        {
            return;
        }
    }
}

/// Ends a task when it is dropped.
struct Aborts(AbortHandle);

impl Drop for Aborts {
    fn drop(&mut self) {
        self.0.abort();
    }
}
