//! A living run, put together: its engine recovered, its site reached, and everything
//! that speaks to it opened, before the loop takes its first turn.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use adapters::growing::Growing;
use adapters::store::{Key, StoreAddress};
use anyhow::bail;
use engine::Site;
use engine::journal::Step;
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::sync::watch;
use units::Seconds;

use super::clock::Clock;
use super::control::server::Open;
use super::devices::{self, Against};
use super::exposures::{self, Exposures};
use super::feeds;
use super::journal::{Journal, Recovered};
use super::outward::{self, Outward};
use super::racks::{FACTS, InHand, Racks, Seen};
use super::signals::Signals;
use super::status::Board;
use super::watchdog::Watchdog;
use super::{Happened, Live, Rounds, resume};
use crate::capacity;
use crate::config::LoadedSite;
use crate::feed::Feed;
use crate::records::KEY;

/// Messages that may wait for the loop.
pub const INBOX: usize = 4_096;

/// How long after the start of a history a site begins, so that it starts informed.
pub const INFORMED_AFTER: Seconds = Seconds::hours(72);

/// How often a growing file is read on.
const FOLLOW_EVERY: Duration = Duration::from_secs(1);

/// What a living run is put together from.
pub struct Launch<'a> {
    /// The site file.
    pub loaded: &'a LoadedSite,
    /// What is known when, from history.
    pub feed: &'a Feed,
    /// What it drives.
    pub against: Against,
    /// Its data folder.
    pub folder: &'a Path,
    /// Where its journal is.
    pub store: &'a StoreAddress,
    /// What an earlier run left there.
    pub found: Option<Recovered>,
    /// Where the site file is, to read it anew.
    pub site_file: PathBuf,
    /// A file of signals that grows.
    pub signals: Option<&'a Path>,
    /// A file of facts that grows.
    pub facts: Option<&'a Path>,
    /// The folder of `mw capacity` whose racks are taken over, once.
    pub estate: Option<&'a Path>,
    /// Who has the racks in hand.
    pub hands: Option<InHand>,
    /// What it opens towards people and programs.
    pub outward: &'a outward::Options,
}

/// A run that only has to be lived.
pub struct Ready {
    live: Live,
    /// What was made durable at the start and has still to be carried out.
    steps: Vec<Step>,
    /// The socket goes when the run has ended.
    _control: Open,
}

impl Ready {
    /// What others may look at.
    pub fn board(&self) -> Board {
        self.live.board.clone()
    }

    /// Lives until it is told to stop.
    ///
    /// # Errors
    ///
    /// When the journal cannot be written for good.
    pub async fn run(self) -> anyhow::Result<()> {
        self.live.run(self.steps).await
    }
}

impl Launch<'_> {
    /// Puts the run together. On a current runtime.
    ///
    /// # Errors
    ///
    /// When the site cannot be reached or is another, its clock is behind the journal, or
    /// something that is to be opened cannot be.
    pub async fn prepare(
        self,
        mailbox: Sender<Happened>,
        inbox: Receiver<Happened>,
    ) -> anyhow::Result<Ready> {
        let loaded = self.loaded;
        let site = &loaded.site;
        let last = self.found.as_ref().map(|found| found.engine.at());
        let (devices, hello) =
            devices::open(self.against, &site.name, mailbox.clone()).await?;
        let clock = hello.clock;
        let now = clock.now();
        if let Some(last) = last.filter(|last| now < *last) {
            bail!(
                "the site's clock is at {now} and the journal at {last}; \
                 expected the site to be later, start it with --from {last}"
            );
        }
        let found: Recovered = match self.found {
            Some(found) => found,
            None => {
                let key = Key::load_or_create(&self.folder.join(KEY))?;
                Journal::begin(self.store, key, site, now).await?
            }
        };
        let told = found.engine.facts_told();
        let racks = Racks::open(self.folder, &site.name, told, self.store).await?;
        let estate = self.estate.map(|folder| capacity::events_by(folder, now));
        let estate = estate.transpose()?.unwrap_or_default();
        if let Some(folder) = self.estate {
            capacity::judging::take_over(folder, self.folder)?;
        }
        let (engine, journal, steps) = resume(found, site, estate, now).await?;
        let start = last.map_or(now, |last| last.min(now));
        let policy = engine.state().site.policy.look_ahead;
        let signals = Signals::of(self.feed, &policy, start, last);
        let env = |name: &str| std::env::var(name).ok();
        let feeds: Result<Vec<_>, _> =
            loaded.feeds.iter().map(|of| feeds::open(of, &engine, now, &env)).collect();
        let feeds = feeds?;
        let (changed, site_now) = watch::channel(Arc::new(engine.state().site.clone()));
        if let Some(path) = self.signals {
            follow(Growing::new(path), site_now, clock, mailbox.clone());
        }
        let (contracts, contracts_now) =
            watch::channel(Arc::new(loaded.contracts.clone()));
        // Without a file of facts, those that the run itself writes down count.
        let own = self.folder.join(FACTS);
        let exposures = match self.facts {
            Some(path) => Exposures::new(path, site, &loaded.contracts).beside(&own),
            None => Exposures::new(&own, site, &loaded.contracts).own(),
        };
        let site_now = changed.subscribe();
        exposures::follow(exposures, contracts_now, site_now, clock, mailbox.clone());
        let of = outward::For {
            folder: self.folder,
            site_file: self.site_file,
            contacts: &loaded.contacts,
            contracts,
            facts: self.facts,
            engine: &engine,
            clock,
            store: self.store,
            mailbox: &mailbox,
        };
        let Outward { board, alarms, control } = self.outward.open(of).await?;
        for feed in feeds {
            let (site_now, mailbox) = (changed.subscribe(), mailbox.clone());
            feeds::follow(feed, site_now, clock, board.clone(), mailbox);
        }
        let seen = Seen { board: board.clone(), clock, mailbox: mailbox.clone() };
        let live = Live {
            engine,
            journal,
            devices,
            racks: racks.by(self.hands, seen),
            clock,
            signals,
            inbox,
            board,
            alarms,
            watchdog: Watchdog::start(),
            site_loads: hello.loads,
            changed,
            rounds: Rounds::default(),
        };
        Ok(Ready { live, steps, _control: control })
    }
}

/// Puts what is appended to a file into the inbox.
fn follow(
    mut file: Growing,
    site: watch::Receiver<Arc<Site>>,
    clock: Clock,
    mailbox: Sender<Happened>,
) {
    tokio::spawn(async move {
        while !mailbox.is_closed() {
            let site_now = Arc::clone(&site.borrow());
            match file.read_on(&site_now, clock.now()) {
                Ok(grown) => {
                    for bad in grown.bad {
                        tracing::warn!(event = "signal_passed_over", "{bad}");
                    }
                    for signal in grown.signals {
                        // The loop may have ended already.
                        drop(mailbox.send(Happened::Heard(signal)).await);
                    }
                }
                Err(error) => tracing::warn!(event = "signals_unreadable", %error),
            }
            tokio::time::sleep(FOLLOW_EVERY).await;
        }
    });
}
