//! `mw run`: a site, alive.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use adapters::fleet::Pace;
use adapters::store::{Key, Store, StoreAddress};
use anyhow::{Context, bail};
use clap::{ArgGroup, Args};
use sim::hall::Hall;
use tokio::sync::mpsc::{Sender, channel};
use units::Timestamp;

use super::Ending;
use super::emulate::{Faults, positive};
use super::source::Source;
use crate::census;
use crate::config::{self, LoadedSite};
use crate::emulate::Emulated;
use crate::feed::Feed;
use crate::fleet::pins::{self, Pins};
use crate::fleet::{Driven, open};
use crate::live::Happened;
use crate::live::clock::Clock;
use crate::live::devices::Against;
use crate::live::journal::Journal;
use crate::live::launch::{INBOX, INFORMED_AFTER, Launch};
use crate::live::outward;
use crate::live::racks::{Hands, InHand};
use crate::live::trays::Trays;
use crate::records::{KEY, STORE};

/// Run a site: decide every interval, drive the machines, and keep the record.
///
/// A run lives in a data folder with its journal, key and control socket. Started
/// again on the same folder it goes on where it was.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("given").args(["history", "synth", "signals"]).required(true).multiple(true))]
pub(super) struct Run {
    /// The site: a folder with a site.toml, or the file itself.
    site: PathBuf,
    /// What to drive: `devices` for those that the site file names, `sim` for a
    /// simulated site in this process, or the address of an `mw drive` or `mw emulate`.
    #[arg(long, value_name = "devices|sim|ADDRESS", value_parser = Target::parse, required_unless_present = "shadow")]
    against: Option<Target>,
    /// Watch first: the wall's clock and what becomes known now, and orders that go
    /// to a simulated site in this process and nowhere else.
    #[arg(long, requires = "signals", conflicts_with_all = ["against", "from", "speed"])]
    shadow: bool,
    /// A file that grows by a line of JSON for each thing that becomes known.
    #[arg(long, value_name = "FILE")]
    signals: Option<PathBuf>,
    /// A file of facts that grows: what happened under the contracts that the site's
    /// racks serve. What each tranche stands to lose is worked out from it.
    #[arg(long, value_name = "FILE")]
    facts: Option<PathBuf>,
    /// Where the run's journal, key and control socket are.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Keep the journal here instead of in the data folder: a path, `sqlite:PATH`
    /// or `postgres://…`.
    #[arg(long, value_name = "STORE")]
    store: Option<String>,
    #[command(flatten)]
    source: Source,
    /// The simulated site's time when the run begins, in UTC.
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    from: Option<Timestamp>,
    /// How many seconds of the simulated site pass in one of the wall.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = positive)]
    speed: u32,
    /// What goes wrong on the simulated site.
    #[arg(long, value_enum, default_value_t = Faults::None)]
    faults: Faults,
    /// Stop by itself after so many seconds of the wall.
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<u64>,
    /// Take over the racks that `mw capacity` keeps in this folder. Once: from then on
    /// the run has them.
    #[arg(long, value_name = "DIR")]
    capacity: Option<PathBuf>,
    /// Who has the racks in hand: `sim` for machines that are not there, `devices` for
    /// the trays that the site file has Redfish addresses for.
    #[arg(long, value_enum, value_name = "HANDS")]
    racks: Option<Hands>,
    #[command(flatten)]
    outward: outward::Options,
}

/// What a run drives.
#[derive(Clone, Copy, Debug)]
enum Target {
    Sim,
    Devices,
    Address(SocketAddr),
}

impl Target {
    fn parse(text: &str) -> Result<Self, String> {
        if text == "sim" {
            return Ok(Self::Sim);
        }
        if text == "devices" {
            return Ok(Self::Devices);
        }
        text.parse().map(Self::Address).map_err(|_| {
            format!("expected `devices`, `sim` or an address such as 127.0.0.1:7400, found `{text}`")
        })
    }
}

/// How long a run that was told to stop may take to end its journal. What is durable
/// by then is what there is.
const STOP_WITHIN: Duration = Duration::from_secs(30);

impl Run {
    pub(super) fn run(self) -> anyhow::Result<Ending> {
        let _log = self.outward.log();
        let mut loaded = config::load(&self.site)?;
        if self.facts.is_some() && loaded.contracts.is_empty() {
            bail!(
                "{}: no racks serve a contract, so --facts is about nothing; write \
                 `contract` and `tranche` in their `contracted` table",
                loaded.path.display()
            );
        }
        let mut feed = Feed::default();
        let mut from = Clock::wall().now();
        if self.source.is_given() {
            let (given, range, notes) = self.source.prepare(&mut loaded, None, None)?;
            for note in notes {
                tracing::info!(event = "note", note);
            }
            feed = given;
            if !self.shadow {
                from = (range.start + INFORMED_AFTER).min(range.end);
            }
        }
        let from = self.from.unwrap_or(from);
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.live(loaded, &feed, from))?;
        Ok(Ending::Well)
    }

    async fn live(
        self,
        loaded: LoadedSite,
        feed: &Feed,
        from: Timestamp,
    ) -> anyhow::Result<()> {
        let site = &loaded.site;
        let folder = self.data_folder(&site.name)?;
        let address = match &self.store {
            Some(text) => StoreAddress::parse(text, &|name| std::env::var(name).ok())?,
            None => StoreAddress::file(&folder.join(STORE)),
        };
        let key = folder.join(KEY);
        let found = match Store::exists(&address).await? {
            true => Some(Journal::recover(&address, Key::load(&key)?).await?),
            false => None,
        };
        let last = found.as_ref().map(|found| found.engine.at());

        let (mailbox, inbox) = channel(INBOX);
        let pins = Pins::read(&folder)?;
        let hands = self.hands(&loaded, &pins)?;
        let against = match self.against {
            Some(Target::Address(address)) => Against::Address(address),
            Some(Target::Devices) => {
                let ourselves = self.outward.listens();
                let (pace, clock) = (Pace::default(), Clock::wall());
                Against::Devices(Driven::start(&loaded, ourselves, pace, clock, pins)?)
            }
            None => {
                let tempers = self.faults.tempers(site, 1);
                Against::Sim(Emulated::new(site.clone(), 1, tempers, Clock::wall()))
            }
            Some(Target::Sim) => {
                let clock = Clock::set(last.unwrap_or(from), self.speed);
                let tempers = self.faults.tempers(site, 1);
                Against::Sim(Emulated::new(site.clone(), 1, tempers, clock))
            }
        };
        let ready = Launch {
            loaded: &loaded,
            feed,
            against,
            folder: &folder,
            store: &address,
            found,
            site_file: self.site.clone(),
            signals: self.signals.as_deref(),
            facts: self.facts.as_deref(),
            estate: self.capacity.as_deref(),
            hands,
            outward: &self.outward,
        }
        .prepare(mailbox.clone(), inbox)
        .await?;
        census::follow(folder.clone(), mailbox.clone());
        pins::follow(folder.clone(), mailbox.clone());
        stop_when_told(&mailbox, self.seconds)?;
        ready.run().await
    }

    /// Opens what is to have the racks in hand.
    fn hands(&self, loaded: &LoadedSite, pins: &Pins) -> anyhow::Result<Option<InHand>> {
        Ok(match self.racks {
            None => None,
            Some(Hands::Sim) => Some(InHand::Hall(Hall::default())),
            Some(Hands::Devices) => {
                let env = |name: &str| std::env::var(name).ok();
                let found = open::trays(loaded, self.outward.listens(), &env, pins)?;
                if found.is_empty() {
                    bail!(
                        "{}: expected racks with Redfish devices and a `first_rack` for \
                         `--racks devices`, found none",
                        loaded.path.display()
                    );
                }
                // Who drives devices keeps what they showed already.
                if !matches!(self.against, Some(Target::Devices)) {
                    pins.clone().keep_on();
                }
                let beside = open::beside(loaded, self.outward.listens())?;
                let joined = open::joined(loaded, self.outward.listens(), &env, pins)?;
                Some(InHand::Trays(Trays::of(found).beside(beside).joined(joined)))
            }
        })
    }

    fn data_folder(&self, name: &str) -> anyhow::Result<PathBuf> {
        let folder =
            self.data.clone().unwrap_or_else(|| Path::new(&format!("{name}.run")).into());
        // Names, reasons and instructions are nobody else's.
        let mut private = std::fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(&mut private, 0o700);
        private.recursive(true).create(&folder).with_context(|| {
            format!("cannot make the data folder {}", folder.display())
        })?;
        Ok(folder)
    }
}

/// Puts a stop into the inbox on SIGINT and SIGTERM, and when the time is up.
fn stop_when_told(
    mailbox: &Sender<Happened>,
    seconds: Option<u64>,
) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mailbox = mailbox.clone();
    tokio::spawn(async move {
        let time_is_up = async {
            match seconds {
                Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = time_is_up => {}
        }
        // The loop may have ended already.
        drop(mailbox.send(Happened::Stop(None)).await);
        tokio::time::sleep(STOP_WITHIN).await;
        tracing::error!(
            event = "stop_forced",
            "the journal could not be ended; ending without"
        );
        std::process::exit(1);
    });
    Ok(())
}
