//! The racks' side of a living run: orders go out, looks come in, and what `settle`
//! counts is written down.
//!
//! Facts are lines of `facts.jsonl` in the run's data folder, numbered as the estate
//! told them. The journal has them too: what a killed run had not written yet is made
//! up from it at the next start.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use adapters::store::{Access, Store, StoreAddress};
use anyhow::{Context, bail};
use engine::capacity::{Actor, Body, Command, NewFact, Output, TrayNo};
use sim::hall::Hall;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tracing::{error, info, warn};
use units::Seconds;

use super::Happened;
use super::clock::Clock;
use super::journal::step_of;
use super::status::Board;
use super::trays::{self, Trays};

/// The file of facts in a run's data folder.
pub const FACTS: &str = "facts.jsonl";

/// Orders that may wait for a hall. More are lost, and given again.
const OUTBOX: usize = 65_536;

/// How often a simulated hall is looked at, in its time.
const LOOK_EVERY: Seconds = Seconds::from_seconds(10);

/// An order to a machine: which, what, and its number there.
pub type Ordered = (TrayNo, Command, u32);

/// Who has the racks of a run in hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Hands {
    /// Machines that are not there, in this process.
    Sim,
    /// Those that the site file has Redfish addresses for, in loads that name their
    /// `first_rack`.
    Devices,
}

/// What has the racks of a run in hand.
#[derive(Clone, Debug)]
pub enum InHand {
    /// Machines that are not there.
    Hall(Hall),
    /// Trays behind their controllers.
    Trays(Trays),
}

/// The racks, as the loop sees them.
#[derive(Debug)]
pub struct Racks {
    hall: Option<Sender<Ordered>>,
    facts: Told,
}

impl Racks {
    /// The racks of a run whose estate has told `told` facts by its journal.
    ///
    /// # Errors
    ///
    /// When the facts cannot be read or written, or are not of this run.
    pub async fn open(
        folder: &Path,
        site: &str,
        told: u64,
        store: &StoreAddress,
    ) -> anyhow::Result<Self> {
        let facts = Told::open(&folder.join(FACTS), site, told, store).await?;
        Ok(Self { hall: None, facts })
    }

    /// Opens what has them in hand.
    pub fn by(mut self, hands: Option<InHand>, of: Seen) -> Self {
        let Some(hands) = hands else { return self };
        let (hall, orders) = channel(OUTBOX);
        self.hall = Some(hall);
        match hands {
            InHand::Hall(hall) => tokio::spawn(simulate(hall, of, orders)),
            InHand::Trays(trays) => tokio::spawn(trays::drive(trays, of, orders)),
        };
        self
    }

    /// Carries out what followed, once it is durable.
    pub fn carry_out(&mut self, output: &Output) {
        match output {
            Output::Order { tray, command, generation } => {
                let order = (*tray, *command, *generation);
                let said = self.hall.as_ref().map(|hall| hall.try_send(order).is_ok());
                if said != Some(true) {
                    // It is given again when no look shows it, and then a person hears.
                    warn!(
                        event = "rack_order_not_said",
                        tray = tray.0,
                        order = command.name()
                    );
                }
            }
            Output::Fact(fact) => self.facts.tell(fact),
            Output::Moved { .. } | Output::Notice { .. } | Output::Told { .. } => {}
        }
    }
}

/// What a simulated hall sees of the run.
#[derive(Clone, Debug)]
pub struct Seen {
    /// How things stand.
    pub board: Board,
    /// The site's time.
    pub clock: Clock,
    /// The loop's inbox.
    pub mailbox: Sender<Happened>,
}

/// Lets machines that are not there do what they are told, and looks at them.
async fn simulate(mut hall: Hall, of: Seen, mut orders: Receiver<Ordered>) {
    while !of.mailbox.is_closed() {
        let next = of.clock.now() + LOOK_EVERY;
        if let Some(estate) = of.board.estate() {
            let now = of.clock.now();
            while let Ok(order) = orders.try_recv() {
                hall.order(&estate, order, now);
            }
            if let Some(sweep) = hall.look(&estate, now) {
                let body = Box::new(Body::Sweep(sweep));
                let happened = Happened::Estate { by: Actor::Site, body, answer: None };
                // The loop may have ended already.
                drop(of.mailbox.send(happened).await);
            }
        }
        tokio::time::sleep(of.clock.until(next)).await;
    }
}

/// The file of facts.
#[derive(Debug)]
struct Told {
    path: PathBuf,
    site: String,
    /// The number of the last fact.
    last: u64,
    /// Whether it cannot be written. What is missing is made up at the next start.
    failed: bool,
}

impl Told {
    async fn open(
        path: &Path,
        site: &str,
        told: u64,
        store: &StoreAddress,
    ) -> anyhow::Result<Self> {
        let (path_of, site) = (path.to_owned(), site.to_owned());
        let mut facts = Self { path: path_of, site, last: 0, failed: false };
        facts.last = facts.written()?;
        if facts.last > told {
            bail!(
                "{}: expected at most the {told} facts that the journal has, found {}; the \
                 journal is an older copy: move the file away and start again, and it is \
                 written anew",
                path.display(),
                facts.last
            );
        }
        if facts.last < told {
            let from = facts.last;
            facts.make_up(store).await?;
            info!(event = "facts_made_up", from, to = facts.last);
        }
        Ok(facts)
    }

    /// How many facts are in the file. A line that was cut off is taken out.
    fn written(&self) -> anyhow::Result<u64> {
        let at = || format!("cannot read the facts {}", self.path.display());
        let mut options = OpenOptions::new();
        let mut file = match options.read(true).write(true).open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(error).with_context(at),
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).with_context(at)?;
        let whole =
            bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64).with_context(at)?;
        Ok(bytes[..whole].iter().filter(|byte| **byte == b'\n').count() as u64)
    }

    /// Writes what the journal has and the file has not.
    async fn make_up(&mut self, store: &StoreAddress) -> anyhow::Result<()> {
        let mut store = Store::open(store, Access::Read).await?;
        let mut passed = 0;
        let mut records = store.records(1).await?;
        while let Some(record) = records.next().await? {
            let Some(step) = step_of(&record)? else { continue };
            for output in &step.outputs {
                let engine::Output::Estate(Output::Fact(fact)) = output else { continue };
                passed += 1;
                if passed > self.last {
                    self.tell(fact);
                }
            }
        }
        if self.failed {
            bail!("cannot write the facts {}", self.path.display());
        }
        Ok(())
    }

    /// Writes a fact down.
    fn tell(&mut self, fact: &NewFact) {
        self.last += 1;
        if self.failed {
            return;
        }
        let mut options = OpenOptions::new();
        let line = fact.line(self.last, &self.site);
        let written = options
            .create(true)
            .append(true)
            .open(&self.path)
            .and_then(|mut file: File| file.write_all(line.as_bytes()));
        if let Err(error) = written {
            let file = self.path.display();
            error!(event = "facts_not_written", %file, %error, "made up at the next start");
            // A line after one that was cut off would be read as one with it.
            self.failed = true;
        }
    }
}
