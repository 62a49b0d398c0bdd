//! A site's real devices, spoken to like any site: in this process, or by one that
//! connects.
//!
//! [`mod@open`] makes drivers from what the site file says, `adapters::fleet` is the fleet
//! itself; here it gets the wire that a run speaks, see [`crate::live::wire`]. As a
//! process of its own it outlives the run: when nobody renews the lease, machines go to
//! their fail-safe levels.

pub mod open;
pub mod pins;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use adapters::device::Driver as _;
use adapters::device::modbus::Battery;
use adapters::fleet::{Fleet, Pace, Parts, Said, SiteTime, Standing, Told};
use engine::Lease;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::MissedTickBehavior;
use tracing::{info, warn};

use crate::config::LoadedSite;
use crate::live::clock::Clock;
use crate::live::wire::{self, FromSite, ToSite};
use open::{Opened, open};
use pins::Pins;

/// What the fleet said and nobody took yet. More is lost, like on any wire.
const SAID: usize = 1_024;

/// What was not done is told of this often.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// A fleet at work, as a site. Clones are the same site.
#[derive(Clone, Debug)]
pub struct Driven {
    fleet: Fleet,
    said: broadcast::Sender<Arc<FromSite>>,
    name: String,
    loads: Vec<String>,
    clock: Clock,
}

impl Driven {
    /// Puts the site's devices to work, by `clock`: the wall's, but where they are
    /// emulated. `ourselves` are the program's own listeners, which are no devices; `pins`
    /// the certificates that devices showed before. On a current runtime.
    ///
    /// # Errors
    ///
    /// When the site file does not say where any device is, or a driver cannot be made.
    pub fn start(
        loaded: &LoadedSite,
        ourselves: Vec<SocketAddr>,
        pace: Pace,
        clock: Clock,
        pins: Pins,
    ) -> anyhow::Result<Self> {
        let site = &loaded.site;
        let env = |name: &str| std::env::var(name).ok();
        let Opened { loads, meter, batteries } = open(loaded, ourselves, &env, &pins)?;
        pins.keep_on();
        if loads.iter().all(Vec::is_empty) {
            anyhow::bail!(
                "{}: expected to find where devices are, found no load with `devices`; \
                 write `[rigs.devices]`, `[racks.devices]` or `[batteries.device]`",
                loaded.path.display()
            );
        }
        for (load, _) in site.loads.iter().zip(&loads).filter(|(_, d)| d.is_empty()) {
            let says = "the site file does not say where its devices are: it is counted \
                        at its most";
            warn!(event = "load_without_devices", load = load.name, "{says}");
        }
        if meter.is_none() {
            let says = "what the site draws is what its machines say";
            warn!(event = "no_meter", "{says}");
        }
        for battery in batteries {
            tokio::spawn(beat(battery));
        }
        // What another left running falls too, if nobody comes.
        let over = site.falls_over(|load| site.pue_of(load, None));
        let lease = Lease { until: clock.now() + site.policy.lease, over };
        let devices: usize = loads.iter().map(Vec::len).sum();
        info!(event = "fleet_started", devices, lease_until = %lease.until);
        let parts = Parts { site: site.clone(), loads, meter, pace, lease };
        let time: SiteTime = Arc::new(move || clock.now());
        let (says, hears) = channel(SAID);
        let fleet = Fleet::start(parts, time, says);
        let (said, _) = broadcast::channel(SAID);
        let loads: Vec<String> =
            site.loads.iter().map(|load| load.name.clone()).collect();
        tokio::spawn(pass_on(hears, said.clone(), loads.clone()));
        Ok(Self { fleet, said, name: site.name.clone(), loads, clock })
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        self.fleet.standing()
    }

    /// Serves whoever connects, until the listener or the caller ends.
    pub async fn serve(&self, listener: TcpListener) -> io::Result<()> {
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let site = self.clone();
            // Whoever leaves may come back; the fleet goes on without.
            tokio::spawn(async move { site.speak(stream).await });
        }
    }

    /// Speaks with one who drives it, until that one leaves.
    pub async fn speak(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let mut said = self.said.subscribe();
        let hello = FromSite::Hello {
            site: self.name.clone(),
            loads: self.loads.clone(),
            now: self.clock.now(),
            speed: self.clock.speed(),
        };
        if wire::say(&mut writer, &hello).await.is_err() {
            return;
        }
        let saying = tokio::spawn(async move {
            loop {
                match said.recv().await {
                    Ok(message) => {
                        if wire::say(&mut writer, message.as_ref()).await.is_err() {
                            return;
                        }
                    }
                    Err(RecvError::Lagged(lost)) => {
                        warn!(event = "not_heard", lost, "the run is slow to listen");
                    }
                    Err(RecvError::Closed) => return,
                }
            }
        });
        while let Ok(Some(said)) = wire::hear::<ToSite>(&mut reader).await {
            self.hear(said).await;
        }
        saying.abort();
    }

    async fn hear(&self, said: ToSite) {
        let told = match said {
            ToSite::Orders(batch) => Told::Orders(batch),
            ToSite::Keep(lease) => Told::Keep(lease),
            ToSite::Look(asked) => Told::Look(asked),
            ToSite::Survey => Told::Survey,
            ToSite::Weather(outside) => Told::Weather(outside),
            ToSite::MetersFrom(start) => Told::MetersFrom(start),
            // What was truly done nobody knows of real devices.
            ToSite::Account => return,
        };
        self.fleet.tell(told).await;
    }
}

/// Looks at a battery three times as often as it wants to hear that somebody watches:
/// a look says so, where the battery was set. What nobody ordered any more the fleet
/// brings to nothing itself.
async fn beat(battery: Arc<Battery>) {
    let Some(holds) = battery.holds_for() else { return };
    let mut turn = tokio::time::interval(holds / 3);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turn.tick().await;
        // One that does not hear it rests by itself, and is seen to.
        drop(battery.look((tokio::time::Instant::now() + holds / 3).into_std()).await);
    }
}

/// Passes on what the fleet says to whoever listens now, and writes down what could not
/// be done.
async fn pass_on(
    mut hears: Receiver<Said>,
    said: broadcast::Sender<Arc<FromSite>>,
    loads: Vec<String>,
) {
    let mut turn = tokio::time::interval(TELL_EVERY);
    let mut not_done = 0_u32;
    let mut last = None;
    loop {
        let heard = tokio::select! {
            heard = hears.recv() => heard,
            _ = turn.tick() => {
                if let Some((load, machine, why)) = last.take() {
                    let load: &String = &loads[load];
                    let why = format!("{why:?}");
                    warn!(event = "not_done", machines = not_done, load, machine, why);
                    not_done = 0;
                }
                continue;
            }
        };
        let message = match heard {
            Some(Said::Receipt(receipt)) => FromSite::Receipt(receipt),
            Some(Said::Draw { power, at, source }) => {
                FromSite::Draw { power, at, source }
            }
            Some(Said::Sweep(sweep)) => FromSite::Sweep(sweep),
            Some(Said::NotDone { load, machine, why }) => {
                not_done += 1;
                last = Some((load, machine, why));
                continue;
            }
            None => return,
        };
        // Nobody may be listening now.
        drop(said.send(Arc::new(message)));
    }
}
