//! A program of a VTN, asked again and again.

use std::time::Duration;

use engine::Signal;
use units::{Seconds, Timestamp};

use super::book::{Book, EventView};
use super::client::{Client, ClientError, Program};
use super::event::Context;
use super::report::Samples;

/// A feed: whom to ask, and what is known.
#[derive(Debug)]
pub struct Feed {
    client: Client,
    name: String,
    program: Option<Program>,
    /// Polls since the program was looked up.
    polls: u32,
    book: Book,
    samples: Samples,
    /// Who files reports.
    site: String,
}

/// What one poll brought.
#[derive(Debug)]
pub struct Heard {
    /// What the engine has to hear.
    pub signals: Vec<Signal>,
    /// Every event as it is known.
    pub views: Vec<EventView>,
    /// Reports that were asked for, by event: filed, or why not.
    pub reports: Vec<(String, Result<(), String>)>,
}

/// How long a poll may take.
const POLL_WITHIN: Duration = Duration::from_secs(8);

/// A feed is asked no sooner than this, and no later than twice as much after it.
const POLL_AFTER: u64 = 10;
const POLL_SPREAD: u64 = 20;

/// How soon it is asked while something holds.
const POLL_ACTIVE: Duration = Duration::from_secs(5);

/// How often what the program says of its payloads is looked up.
const LOOK_UP_EVERY: u32 = 120;

/// Any number; 0 where the machine has none to give, which makes a wait the shortest.
pub fn chance() -> u64 {
    let mut bytes = [0; 8];
    match getrandom::fill(&mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes),
        Err(_) => 0,
    }
}

impl Feed {
    /// A feed of the program that the VTN calls `name`, or that has it for an id.
    /// `site` is whose reports it files.
    pub fn new(client: Client, name: &str, site: &str, book: Book) -> Self {
        let (name, site) = (name.to_owned(), site.to_owned());
        let samples = Samples::default();
        Self { client, name, program: None, polls: 0, book, samples, site }
    }

    /// Which VTN it is of.
    pub fn place(&self) -> &str {
        self.client.place()
    }

    /// Asks once. Blocks: call it where blocking is allowed.
    ///
    /// # Errors
    ///
    /// When the VTN was not heard: then nothing is known, and nothing changed.
    pub fn poll(&mut self, context: &Context) -> Result<Heard, ClientError> {
        self.samples.note(context.now, context.draw);
        if self.polls.is_multiple_of(LOOK_UP_EVERY) {
            self.program = Some(self.client.program(&self.name, POLL_WITHIN)?);
        }
        let program = self.program.as_ref().expect("looked up before the first poll");
        let events = self.client.events(&program.id, POLL_WITHIN)?;
        self.polls = self.polls.wrapping_add(1);
        let signals = self.book.take(&events, &program.descriptors, context);
        let reports = self.file_reports(context.now);
        Ok(Heard { signals, views: self.book.views().cloned().collect(), reports })
    }

    /// Files what is due. One that a VTN does not take now is filed with the next poll.
    fn file_reports(&mut self, now: Timestamp) -> Vec<(String, Result<(), String>)> {
        let mut filed = Vec::new();
        for due in self.book.reports_due(now) {
            let Some(report) = self.samples.report(&due, &self.site) else {
                self.book.reported(&due.event);
                let why = "the meter was not heard while the event held";
                filed.push((due.event, Err(why.to_owned())));
                continue;
            };
            match self.client.report(&report, POLL_WITHIN) {
                Ok(()) => {
                    self.book.reported(&due.event);
                    filed.push((due.event, Ok(())));
                }
                Err(error) => {
                    filed.push((due.event, Err(error.to_string())));
                    break;
                }
            }
        }
        filed
    }

    /// How long to wait before it is asked again; `chance` is any number, so that not
    /// every site asks at once.
    pub fn next_in(&self, now: Timestamp, chance: u64) -> Duration {
        match self.book.is_active(now, Seconds::minutes(1)) {
            true => POLL_ACTIVE,
            false => {
                let spread = chance % (POLL_SPREAD * 1_000 + 1);
                Duration::from_millis(POLL_AFTER * 1_000 + spread)
            }
        }
    }
}
