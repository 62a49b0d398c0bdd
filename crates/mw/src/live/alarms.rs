//! Takes alarms to people: who is told, how often it is tried, and what came of it.
//!
//! Each contact has a thread and a queue of its own, so that a mail server that
//! hangs holds up nobody else. What became of every attempt goes into the journal;
//! after a restart what still stands and was told to nobody is told again, with the
//! same message id.
//!
//! Invariant: an alarm is durable before anybody is told, but for one: that the
//! journal cannot be written.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::mpsc::{
    Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel,
};
use std::time::{Duration, Instant};

use adapters::deliver::{self, Channel, Message, Outcome, retry_after};
use adapters::store::{Access, Kind, NewRecord, Store, StoreAddress, StoreError};
use anyhow::Context;
use engine::{Alarm, AlarmChange, AlarmId, Engine, Trouble, Urgency};
use serde::{Deserialize, Serialize};
use tracing::{error, info, warn};
use units::{Seconds, Timestamp};

use super::Happened;
use super::clock::Clock;
use super::status::Board;

/// Messages that may wait for one contact. More than this is a flood, and the newest
/// are dropped: they stand in the list of alarms.
const QUEUE: usize = 256;

/// How long one attempt may take.
const ATTEMPT_WITHIN: Duration = Duration::from_secs(20);

/// After so many failed attempts of one message the contact counts as failing. With
/// waits that double from 10 s this is after about a minute.
const FAILING_AFTER: u32 = 4;

/// While alarms stand, what became of their messages is written again after so many
/// records, so that a restart finds it without reading far back.
const WRITE_AGAIN_AFTER: u64 = 200;

/// How many records a restart looks back for it.
const LOOK_BACK: u64 = 500;

/// Longest word on an outcome that is kept, in characters.
const SAID_MAX: usize = 200;

/// Somebody who is told of alarms.
#[derive(Debug)]
pub struct Contact {
    /// What people call them.
    pub name: String,
    /// How urgent an alarm has to be.
    pub from_urgency: Urgency,
    /// How far up it has to have been taken: 0 is at once.
    pub level: u8,
    /// How they are reached.
    pub channel: Channel,
}

/// What became of one message to one contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The message's id.
    pub message: String,
    /// The alarm it is about.
    pub alarm: Option<AlarmId>,
    /// How far up the alarm was.
    pub level: u8,
    /// Whom it was for.
    pub contact: String,
    /// How often it was tried.
    pub attempts: u32,
    /// What came of it.
    pub end: End,
    /// What the other side, or the attempt, said.
    pub said: String,
    /// When it was last tried.
    pub at: Timestamp,
}

/// What came of a message so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// It is tried again.
    NotYet,
    /// The other side took it over.
    Delivered,
    /// It is not tried any more.
    GivenUp,
    /// The alarm was over before it could be delivered.
    Over,
}

/// Takes alarms to people.
#[derive(Debug)]
pub struct Alarms {
    lines: Vec<Line>,
    letterhead: Letterhead,
    outcomes: Receiver<Delivery>,
    /// What became of messages about alarms that stand, by message and contact.
    deliveries: BTreeMap<(String, String), Delivery>,
    /// What was handed to a line, by message and contact, while its alarm stands.
    sent: BTreeMap<(String, String), Option<AlarmId>>,
    /// Who was told of an alarm that stands, so that they hear when it is over.
    told: BTreeMap<AlarmId, Told>,
    written_at: u64,
    journal_fails: bool,
}

/// What people were told of one alarm.
#[derive(Debug, Default)]
struct Told {
    headline: String,
    /// The lines it went to.
    lines: BTreeSet<usize>,
}

/// The queue of one contact.
#[derive(Debug)]
struct Line {
    name: String,
    from_urgency: Urgency,
    level: u8,
    queue: SyncSender<Word>,
}

/// What every message says of where it comes from.
#[derive(Clone, Debug)]
struct Letterhead {
    site: String,
    folder: String,
}

/// One message on its way.
#[derive(Clone, Debug)]
struct Word {
    message: Message,
    alarm: Option<AlarmId>,
    level: u8,
}

impl Alarms {
    /// Opens a line to every contact. `folder` is the run's data folder, as commands
    /// name it.
    pub fn start(
        contacts: Vec<Contact>,
        site: &str,
        folder: &Path,
        clock: Clock,
        board: &Board,
        mailbox: &tokio::sync::mpsc::Sender<Happened>,
    ) -> anyhow::Result<Self> {
        let (tell, outcomes) = channel();
        let failing = Failing::new(contacts.len());
        let mut lines = Vec::new();
        for (place, contact) in contacts.into_iter().enumerate() {
            let (queue, words) = sync_channel(QUEUE);
            let Contact { name, from_urgency, level, channel } = contact;
            lines.push(Line { name: name.clone(), from_urgency, level, queue });
            let courier = Courier {
                place,
                name,
                channel,
                clock,
                board: board.clone(),
                outcomes: tell.clone(),
                failing: failing.clone(),
                mailbox: mailbox.clone(),
            };
            let thread = std::thread::Builder::new().name("alarms".to_owned());
            thread
                .spawn(move || courier.work(&words))
                .context("cannot start a thread")?;
        }
        Ok(Self {
            lines,
            letterhead: Letterhead {
                site: site.to_owned(),
                folder: folder.display().to_string(),
            },
            outcomes,
            deliveries: BTreeMap::new(),
            sent: BTreeMap::new(),
            told: BTreeMap::new(),
            written_at: 0,
            journal_fails: false,
        })
    }

    /// Tells people of a change that is durable, where they are to be told.
    pub fn tell(&mut self, engine: &Engine, change: &AlarmChange) {
        if let AlarmChange::Flood { more } = change {
            warn!(event = "alarm_flood", more);
            self.send(&self.letterhead.flood(*more, engine.at()), Urgency::Warning);
            return;
        }
        let alarm = change.id().and_then(|id| engine.alarms().get(id));
        if let (true, Some(alarm)) = (change.is_told(), alarm) {
            log_alarm(alarm, change);
            self.send(&self.letterhead.word(alarm, engine.at()), alarm.urgency);
        }
        if let AlarmChange::Cleared { id } = change {
            self.tell_over(*id, engine.at());
        }
    }

    /// Who was told that something is wrong is told once that it is over.
    fn tell_over(&mut self, id: AlarmId, at: Timestamp) {
        let Some(told) = self.told.remove(&id) else { return };
        info!(event = "alarm_over", alarm = id.0, headline = told.headline);
        let word = self.letterhead.over(id, &told.headline, at);
        for line in told.lines {
            self.lines[line].send(word.clone());
        }
    }

    /// The journal cannot be written: people are told at once, without it.
    pub fn journal_failed(&mut self, why: &StoreError, at: Timestamp) {
        if std::mem::replace(&mut self.journal_fails, true) {
            return;
        }
        self.send(&self.letterhead.journal_fails(why, at), Urgency::Critical);
    }

    /// It can be written again.
    pub fn journal_back(&mut self) {
        self.journal_fails = false;
    }

    /// After a restart: tells again what stands and reached nobody, as far as the
    /// journal knows.
    ///
    /// Call it before anything else is told.
    pub fn resume(&mut self, engine: &Engine, deliveries: Vec<Delivery>) {
        for delivery in deliveries {
            self.deliveries.insert(delivery.key(), delivery);
        }
        for delivery in self.deliveries.values().filter(|one| one.end != End::NotYet) {
            self.sent.insert(delivery.key(), delivery.alarm);
        }
        for alarm in engine.alarms().standing() {
            self.send(&self.letterhead.word(alarm, engine.at()), alarm.urgency);
        }
    }

    /// What became of messages since it was last asked, to be made durable. `seq` is
    /// where the journal stands.
    pub fn outcomes(&mut self, engine: &Engine, seq: u64) -> Option<NewRecord> {
        let mut is_new = false;
        while let Ok(delivery) = self.outcomes.try_recv() {
            self.deliveries.insert(delivery.key(), delivery);
            is_new = true;
        }
        let is_old = seq.saturating_sub(self.written_at) >= WRITE_AGAIN_AFTER;
        if !is_new && (self.deliveries.is_empty() || !is_old) {
            return None;
        }
        let deliveries: Vec<&Delivery> = self.deliveries.values().collect();
        let bytes =
            postcard::to_stdvec(&deliveries).expect("what was told can be written");
        self.written_at = seq;
        // It was written once; what is over is not needed again.
        let stands = |alarm: Option<AlarmId>| {
            alarm.is_some_and(|alarm| engine.alarms().get(alarm).is_some())
        };
        self.deliveries.retain(|_, delivery| stands(delivery.alarm));
        self.sent.retain(|_, alarm| stands(*alarm));
        Some(NewRecord { at: engine.at(), kind: Kind::Outcome, bytes })
    }

    /// Hands a word to everybody it is for; nobody gets the same message twice.
    fn send(&mut self, word: &Word, urgency: Urgency) {
        let takes = |line: &&Line| line.takes(urgency, word.level);
        let lines = self.lines.iter().enumerate();
        for (place, line) in lines.filter(|(_, line)| takes(line)) {
            let key = (word.message.id.clone(), line.name.clone());
            if self.sent.insert(key, word.alarm).is_none() {
                line.send(word.clone());
            }
            if let Some(alarm) = word.alarm {
                let told = self.told.entry(alarm).or_default();
                told.headline.clone_from(&word.message.headline);
                told.lines.insert(place);
            }
        }
    }
}

/// Reads what became of messages from the end of a run's journal.
pub async fn last_deliveries(address: &StoreAddress) -> anyhow::Result<Vec<Delivery>> {
    let mut store = Store::open(address, Access::Read).await?;
    let tail = store.tail().await?.seq;
    let mut last = Vec::new();
    let mut records = store.records(tail.saturating_sub(LOOK_BACK).max(1)).await?;
    while let Some(record) = records.next().await? {
        if record.kind == Kind::Outcome {
            last = postcard::from_bytes(&record.bytes).with_context(|| {
                format!("cannot read record {} as outcomes", record.seq)
            })?;
        }
    }
    store.close().await?;
    Ok(last)
}

fn log_alarm(alarm: &Alarm, change: &AlarmChange) {
    let (id, level, headline) = (alarm.id.0, alarm.level, alarm.headline());
    match (change, alarm.urgency) {
        (AlarmChange::Escalated { .. }, _) => {
            error!(event = "alarm_escalated", alarm = id, level, headline);
        }
        (_, Urgency::Critical) => error!(event = "alarm", alarm = id, level, headline),
        (_, Urgency::Warning) => warn!(event = "alarm", alarm = id, level, headline),
        (_, Urgency::Note) => info!(event = "alarm", alarm = id, level, headline),
    }
}

impl Line {
    fn takes(&self, urgency: Urgency, level: u8) -> bool {
        urgency >= self.from_urgency && level >= self.level
    }

    fn send(&self, word: Word) {
        if let Err(full) = self.queue.try_send(word) {
            error!(event = "alarm_not_sent", contact = self.name, why = %full);
        }
    }
}

impl Delivery {
    fn key(&self) -> (String, String) {
        (self.message.clone(), self.contact.clone())
    }
}

impl Letterhead {
    fn word(&self, alarm: &Alarm, at: Timestamp) -> Word {
        let message = Message {
            id: format!("{}/{}", self.site, alarm.message_id()),
            at,
            site: self.site.clone(),
            urgency: on_the_wire(alarm.urgency),
            headline: alarm.headline(),
            body: alarm.body(),
            acknowledge_with: format!(
                "mw alarm acknowledge {} {} --as NAME --role ROLE",
                self.folder, alarm.id
            ),
        };
        Word { message, alarm: Some(alarm.id), level: alarm.level }
    }

    fn over(&self, id: AlarmId, headline: &str, at: Timestamp) -> Word {
        let message = Message {
            id: format!("{}/alarm-{id}-over", self.site),
            at,
            site: self.site.clone(),
            urgency: on_the_wire(Urgency::Note),
            headline: format!("Over: {headline}"),
            body: format!("Alarm {id} is over. There is nothing left to do about it."),
            acknowledge_with: format!("mw alarm list {}", self.folder),
        };
        Word { message, alarm: None, level: 0 }
    }

    fn flood(&self, more: u32, at: Timestamp) -> Word {
        let message = Message {
            id: format!("{}/flood-{}", self.site, at.as_unix_seconds()),
            at,
            site: self.site.clone(),
            urgency: on_the_wire(Urgency::Warning),
            headline: format!("And {more} more alarms were raised within minutes"),
            body: format!(
                "They are not told one by one. They all stand in `mw alarm list {}`, the most \
                 urgent first.",
                self.folder
            ),
            acknowledge_with: format!("mw alarm list {}", self.folder),
        };
        Word { message, alarm: None, level: 0 }
    }

    fn journal_fails(&self, why: &StoreError, at: Timestamp) -> Word {
        let message = Message {
            id: format!("{}/journal-{}", self.site, at.as_unix_seconds()),
            at,
            site: self.site.clone(),
            urgency: on_the_wire(Urgency::Critical),
            headline: "The site is no longer driven: its journal cannot be written"
                .to_owned(),
            body: format!(
                "Nothing is ordered until the journal can be written, and machines fall to \
                 their fail-safe levels as their leases end. The store says: {why}. Make space \
                 or repair it; the run goes on by itself. This message is not in the journal."
            ),
            acknowledge_with: format!("mw doctor {}", self.folder),
        };
        Word { message, alarm: None, level: 0 }
    }
}

fn on_the_wire(urgency: Urgency) -> deliver::Urgency {
    match urgency {
        Urgency::Note => deliver::Urgency::Notice,
        Urgency::Warning => deliver::Urgency::Soon,
        Urgency::Critical => deliver::Urgency::Now,
    }
}

/// Which contacts are failing, shared between their threads.
#[derive(Clone, Debug)]
struct Failing(std::sync::Arc<std::sync::Mutex<Vec<bool>>>);

impl Failing {
    fn new(contacts: usize) -> Self {
        Self(std::sync::Arc::new(std::sync::Mutex::new(vec![false; contacts])))
    }

    /// Notes how one stands. Returns whether all are failing, when that is new.
    fn note(&self, place: usize, fails: bool) -> Option<bool> {
        let mut failing = self.0.lock().expect("whoever held it let it go whole");
        let before = failing.iter().all(|fails| *fails);
        failing[place] = fails;
        let now = failing.iter().all(|fails| *fails);
        (before != now).then_some(now)
    }
}

/// Takes the messages of one contact.
struct Courier {
    place: usize,
    name: String,
    channel: Channel,
    clock: Clock,
    board: Board,
    outcomes: Sender<Delivery>,
    failing: Failing,
    mailbox: tokio::sync::mpsc::Sender<Happened>,
}

/// A message that waits for its next attempt.
struct Waiting {
    due: Instant,
    attempts: u32,
    word: Word,
}

impl Courier {
    fn work(&self, words: &Receiver<Word>) {
        let mut waiting: Vec<Waiting> = Vec::new();
        loop {
            let now = Instant::now();
            // Of what is due, the most urgent goes first.
            let due = waiting.iter().enumerate().filter(|(_, one)| one.due <= now);
            let next = due
                .max_by_key(|(place, one)| {
                    (one.word.message.urgency, std::cmp::Reverse(*place))
                })
                .map(|(place, _)| place);
            if let Some(place) = next {
                let one = waiting.remove(place);
                waiting.extend(self.attempt(one));
                continue;
            }
            let soonest = waiting.iter().map(|one| one.due - now).min();
            let received = match soonest {
                Some(soonest) => words.recv_timeout(soonest),
                None => words.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match received {
                Ok(word) if waiting.len() < QUEUE => {
                    waiting.push(Waiting { due: Instant::now(), attempts: 0, word });
                }
                Ok(_) => error!(
                    event = "alarm_not_sent",
                    contact = self.name,
                    why = "too many wait"
                ),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) if waiting.is_empty() => return,
                Err(RecvTimeoutError::Disconnected) => {
                    std::thread::park_timeout(soonest.unwrap_or_default());
                }
            }
        }
    }

    /// One attempt; what has to be tried again comes back.
    fn attempt(&self, waiting: Waiting) -> Option<Waiting> {
        let Waiting { attempts, word, .. } = waiting;
        if attempts > 0 && self.is_over(&word) {
            self.note(&word, attempts, End::Over, "the alarm is over");
            return None;
        }
        let stamp = Clock::wall().now();
        let outcome = self.channel.deliver(&word.message, stamp, ATTEMPT_WITHIN);
        let attempts = attempts + 1;
        let (again, said) = match &outcome {
            Outcome::Delivered { detail } => {
                info!(
                    event = "alarm_delivered",
                    contact = self.name,
                    message = word.message.id,
                    attempts
                );
                self.note(&word, attempts, End::Delivered, detail);
                self.note_failing(false);
                return None;
            }
            Outcome::Refused { why, again } => (*again, why),
            Outcome::Unknown { why } => (true, why),
        };
        warn!(
            event = "alarm_not_delivered",
            contact = self.name,
            message = word.message.id,
            attempts,
            why = said
        );
        if attempts >= FAILING_AFTER || !again {
            self.note_failing(true);
        }
        match retry_after(attempts).filter(|_| again) {
            Some(wait) => {
                self.note(&word, attempts, End::NotYet, said);
                Some(Waiting { due: Instant::now() + wall(wait), attempts, word })
            }
            None => {
                self.note(&word, attempts, End::GivenUp, said);
                None
            }
        }
    }

    fn is_over(&self, word: &Word) -> bool {
        let Some((status, alarm)) = self.board.status().zip(word.alarm) else {
            return false;
        };
        !status.alarms.iter().any(|standing| standing.id == alarm.0)
    }

    fn note(&self, word: &Word, attempts: u32, end: End, said: &str) {
        match end {
            End::Delivered => self.board.told(true),
            End::GivenUp => self.board.told(false),
            End::NotYet | End::Over => {}
        }
        let delivery = Delivery {
            message: word.message.id.clone(),
            alarm: word.alarm,
            level: word.level,
            contact: self.name.clone(),
            attempts,
            end,
            said: said.chars().take(SAID_MAX).collect(),
            at: self.clock.now(),
        };
        // The loop may have ended.
        drop(self.outcomes.send(delivery));
    }

    fn note_failing(&self, fails: bool) {
        if let Some(all) = self.failing.note(self.place, fails) {
            let trouble = Happened::Trouble(Trouble::DeliveryFailing, all);
            if self.mailbox.blocking_send(trouble).is_err() {
                warn!(event = "loop_ended");
            }
        }
    }
}

fn wall(wait: Seconds) -> Duration {
    Duration::from_secs(wait.as_seconds().max(0).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_contacts_failing_is_said_once_and_taken_back_once() {
        let failing = Failing::new(2);
        assert_eq!(failing.note(0, true), None);
        assert_eq!(failing.note(0, true), None);
        assert_eq!(failing.note(1, true), Some(true));
        assert_eq!(failing.note(1, true), None);
        assert_eq!(failing.note(0, false), Some(false));
        assert_eq!(failing.note(1, false), None);
    }

    #[test]
    fn a_line_takes_what_is_urgent_and_far_up_enough() {
        let check = |from_urgency, level, urgency, at_level, expected| {
            let (queue, _words) = sync_channel(1);
            let line = Line { name: "night".to_owned(), from_urgency, level, queue };
            assert_eq!(line.takes(urgency, at_level), expected);
        };
        check(Urgency::Critical, 0, Urgency::Critical, 0, true);
        check(Urgency::Critical, 0, Urgency::Warning, 3, false);
        check(Urgency::Warning, 2, Urgency::Critical, 1, false);
        check(Urgency::Warning, 2, Urgency::Critical, 2, true);
    }
}
