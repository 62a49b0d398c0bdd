//! What a living run's tranches stand to lose, worked out from a file of facts that
//! grows.
//!
//! It has a thread of its own: settling takes longer than a turn of the loop should.
//! A line that is no fact is passed over with a warning; the loop goes on with what
//! was known. Statements are made by `mw settle`, which refuses such a file.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use engine::{Signal, Site};
use settle::contract::Versions;
use settle::facts::Facts;
use tokio::sync::mpsc::Sender;
use tokio::sync::watch;
use tracing::warn;
use units::Timestamp;

use super::Happened;
use super::clock::Clock;
use crate::capacity::beside::together;
use crate::tenancy::Tenancy;

/// How often the file is read on.
const EVERY: Duration = Duration::from_secs(1);

/// The most that is read of the file at once.
const READ_BYTES_MAX: u64 = 64 << 20;

/// Where facts come from, and the contracts they are about.
#[derive(Debug)]
pub struct Exposures {
    file: PathBuf,
    read_to: u64,
    /// The beginning of a line whose end is not there yet.
    partial: Vec<u8>,
    line: u64,
    /// Whether the run writes the file itself, and it is there with the first fact.
    own: bool,
    /// What the run writes of its racks, where the file is another, and how long both
    /// were when they were last read.
    racks: Option<(PathBuf, [u64; 2])>,
    facts: Facts,
    site: Site,
    tenancy: Tenancy,
}

impl Exposures {
    /// Nothing read yet.
    pub fn new(file: &Path, site: &Site, contracts: &[Versions]) -> Self {
        let facts = Facts::default();
        let tenancy = Tenancy::new(site, contracts, &facts);
        let file = file.to_owned();
        let partial = Vec::new();
        let (own, racks) = (false, None);
        let site = site.clone();
        Self { file, read_to: 0, partial, line: 0, own, racks, facts, site, tenancy }
    }

    /// The same, of a file that the run writes itself.
    pub fn own(self) -> Self {
        Self { own: true, ..self }
    }

    /// The same, beside what the run itself writes of its racks, once it does.
    pub fn beside(self, racks: &Path) -> Self {
        Self { racks: Some((racks.to_owned(), [0; 2])), ..self }
    }

    /// What changed by what became known until `now`.
    pub fn read_on(&mut self, now: Timestamp) -> Vec<Signal> {
        if let Some((racks, _)) = self.racks.clone()
            && racks.exists()
        {
            if let Err(error) = self.read_both(&racks) {
                let file = self.file.display();
                warn!(event = "facts_unreadable", %file, %error, "exposures stay as they were");
            }
            return self.tenancy.signals(now);
        }
        if self.own && self.read_to == 0 && !self.file.exists() {
            return Vec::new();
        }
        if let Err(error) = self.read() {
            let file = self.file.display();
            warn!(event = "facts_unreadable", %file, %error, "exposures stay as they were");
        }
        self.tenancy.signals(now)
    }

    /// The site file was read anew.
    fn under(&mut self, site: &Site, contracts: &[Versions]) {
        self.site = site.clone();
        self.tenancy = Tenancy::new(site, contracts, &self.facts);
    }

    /// Reads the racks' record and what is known beside it as one, where either grew.
    fn read_both(&mut self, racks: &Path) -> std::io::Result<()> {
        let files = [racks, &self.file];
        let lengths = files.map(|file| file.metadata().map_or(0, |found| found.len()));
        let Some((_, read)) = &mut self.racks else { return Ok(()) };
        if *read == lengths {
            return Ok(());
        }
        *read = lengths;
        let whole = |file: &Path| match std::fs::read_to_string(file) {
            Ok(text) => Ok(text[..text.rfind('\n').map_or(0, |end| end + 1)].to_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Ok(String::new())
            }
            Err(error) => Err(error),
        };
        let both = together(&whole(racks)?, &whole(&self.file)?);
        match Facts::read(&both) {
            Ok(facts) => {
                let nobody = Tenancy::new(&self.site, &[], &Facts::default());
                let before = std::mem::replace(&mut self.tenancy, nobody);
                self.tenancy = before.over(&facts);
                self.facts = facts;
            }
            Err(problems) => {
                let file = self.file.display();
                warn!(event = "facts_unreadable", %file, "{problems}");
            }
        }
        Ok(())
    }

    fn read(&mut self) -> std::io::Result<()> {
        let mut file = File::open(&self.file)?;
        file.seek(SeekFrom::Start(self.read_to))?;
        let mut fresh = Vec::new();
        self.read_to += file.take(READ_BYTES_MAX).read_to_end(&mut fresh)? as u64;
        self.partial.extend(fresh);
        let whole = self.partial.iter().rposition(|byte| *byte == b'\n');
        let rest = self.partial.split_off(whole.map_or(0, |end| end + 1));
        let lines = std::mem::replace(&mut self.partial, rest);
        for line in String::from_utf8_lossy(&lines).lines() {
            self.line += 1;
            let taken = self.facts.append(line).and_then(|()| self.tenancy.append(line));
            if let Err(problems) = taken {
                let (file, place) = (self.file.display(), self.line);
                warn!(event = "fact_passed_over", %file, line = place, "{problems}");
            }
        }
        Ok(())
    }
}

/// Puts exposures into the inbox as facts arrive and months begin, until the run ends.
#[expect(
    clippy::disallowed_methods,
    reason = "a thread that looks at a file now and then waits for nothing else"
)]
pub fn follow(
    mut exposures: Exposures,
    mut contracts: watch::Receiver<Arc<Vec<Versions>>>,
    mut site: watch::Receiver<Arc<Site>>,
    clock: Clock,
    mailbox: Sender<Happened>,
) {
    std::thread::spawn(move || {
        while !mailbox.is_closed() {
            let other_site = site.has_changed().unwrap_or(false);
            if other_site || contracts.has_changed().unwrap_or(false) {
                let now = Arc::clone(&site.borrow_and_update());
                let under = Arc::clone(&contracts.borrow_and_update());
                exposures.under(&now, &under);
            }
            for signal in exposures.read_on(clock.now()) {
                // The loop may have ended already.
                drop(mailbox.blocking_send(Happened::Heard(signal)));
            }
            std::thread::sleep(EVERY);
        }
    });
}
