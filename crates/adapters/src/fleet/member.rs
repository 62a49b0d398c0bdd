//! One device of the fleet: what it is to be, what it was told, what it showed.
//!
//! Nothing here connects to anything: [`Member::next`] says what to ask of the device
//! next, and what came of it is handed back.
//!
//! Invariant: of two orders the device is told the newer one, or both in their order.
//! Invariant: it is told again only after a look, made since, did not show it.

use std::time::Duration;

use tokio::time::Instant;

use super::health::Health;
use super::line::Urgency;
use crate::device::{Answer, Look, Refusal, Unanswered, Wanted};

/// How long an order is pursued. Shorter than the engine waits before it takes a
/// machine at its look again: what is given up here is not done later behind its back.
const ORDER_WITHIN: Duration = Duration::from_secs(25);

/// How long a device that did not answer an order may be on its way to it.
const UNHEARD_FOR: Duration = Duration::from_secs(2);

/// How often a device is told one order.
const TELLS_MAX: u8 = 3;

/// How long between looks for an order at first, and at most.
const LOOK_AGAIN: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(2)];

/// How long a device that is busy is left alone.
const BUSY_FOR: Duration = Duration::from_secs(2);

/// How long after a first silence a device is looked at once more.
const SECOND_LOOK: Duration = Duration::from_millis(300);

/// What a device is asked next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// Told to be that.
    Tell(Wanted),
    /// Looked at.
    Look,
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Came {
    /// Of telling it.
    Told(Answer),
    /// Of looking.
    Looked(Result<Box<Look>, Unanswered>),
}

/// What is to be known of an answer.
#[derive(Debug)]
pub(super) enum News {
    /// Nothing yet.
    None,
    /// It was seen, and the look is newer than any order.
    Seen(Box<Look>),
    /// It does not answer.
    Silent,
}

/// What became of an order, where it was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotDone {
    /// The device refused it.
    Refused(Refusal),
    /// The device answers, and does not show it.
    NotShown,
    /// The device does not answer.
    Unanswered(Unanswered),
}

/// An order on its way.
#[derive(Clone, Copy, Debug)]
struct Order {
    wanted: Wanted,
    /// Given up then; a device whose lease is over is pursued until it rests.
    until: Option<Instant>,
    tells: u8,
    told_at: Option<Instant>,
    /// Whether it said yes.
    heard: bool,
    /// Whether a look since it was told answered.
    looked: bool,
    looks: u8,
}

/// One device.
#[derive(Debug)]
pub(super) struct Member {
    order: Option<Order>,
    /// Counts orders, so that an answer to an older question is known as such.
    serial: u64,
    /// The newest generation it was ordered by.
    generation: u64,
    /// What it is being asked, and at which serial.
    asking: Option<(Ask, u64)>,
    not_before: Instant,
    /// Somebody waits for a look.
    asked: Option<Urgency>,
    pub(super) health: Health,
    /// Why it does not answer its order so far.
    failing: Option<NotDone>,
    /// Why its last order was given up, until somebody is told.
    pub(super) given_up: Option<NotDone>,
}

impl Member {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            order: None,
            serial: 0,
            generation: 0,
            asking: None,
            not_before: now,
            asked: None,
            health: Health::default(),
            failing: None,
            given_up: None,
        }
    }

    /// An order of a dispatch. An older one than it already has is not heard.
    pub(super) fn order(
        &mut self,
        wanted: Wanted,
        generation: u64,
        now: Instant,
    ) -> bool {
        if generation < self.generation {
            return false;
        }
        self.generation = generation;
        self.put(wanted, Some(now + ORDER_WITHIN), now);
        true
    }

    /// Nobody watches any more: it goes to `wanted`, however long that takes.
    pub(super) fn fall(&mut self, wanted: Wanted, now: Instant) {
        self.put(wanted, None, now);
    }

    /// Somebody watches again: what it was not told yet because nobody did, it is not.
    pub(super) fn stop_falling(&mut self) {
        if self.order.is_some_and(|order| order.until.is_none()) {
            self.order = None;
        }
    }

    fn put(&mut self, wanted: Wanted, until: Option<Instant>, now: Instant) {
        self.serial += 1;
        self.failing = None;
        self.not_before = now;
        self.order = Some(Order {
            wanted,
            until,
            tells: 0,
            told_at: None,
            heard: false,
            looked: true,
            looks: 0,
        });
    }

    /// Somebody wants to know how it stands.
    pub(super) fn ask(&mut self, urgency: Urgency) {
        self.asked = Some(self.asked.map_or(urgency, |asked| asked.min(urgency)));
    }

    /// When it may be asked next, and how urgent that is; `None` where nobody wants
    /// anything of it, or it is being asked.
    pub(super) fn due(&self, now: Instant) -> Option<(Instant, Urgency)> {
        if self.asking.is_some() {
            return None;
        }
        let from = self.health.asked_from(now).max(self.not_before);
        let urgency = match (self.order, self.asked) {
            (Some(_), _) => Urgency::Order,
            (None, asked) => asked?,
        };
        let urgency = if self.health.is_parked() { Urgency::Probe } else { urgency };
        Some((from.max(now), urgency))
    }

    /// What to ask of it now. A device that did not answer of late is looked at before
    /// it is told anything.
    pub(super) fn next(&mut self, now: Instant) -> Option<Ask> {
        // An order that waited too long for its turn is not told any more.
        self.expire(now);
        let (from, _) = self.due(now)?;
        if from > now {
            return None;
        }
        let ask = match self.order.as_mut() {
            Some(order) if order.is_to_tell(now) && !self.health.is_parked() => {
                order.tells += 1;
                order.told_at = Some(now);
                order.looked = false;
                order.looks = 0;
                Ask::Tell(order.wanted)
            }
            Some(_) | None => Ask::Look,
        };
        self.health.asks(now);
        self.asking = Some((ask, self.serial));
        Some(ask)
    }

    /// Takes in what came of what it was asked last; `choked` where many others do not
    /// answer either.
    pub(super) fn came(&mut self, came: Came, choked: bool, now: Instant) -> News {
        let Some((_, serial)) = self.asking.take() else {
            return News::None;
        };
        let newest = serial == self.serial;
        match came {
            Came::Told(answer) => {
                self.told(answer, newest, choked, now);
                News::None
            }
            Came::Looked(Ok(look)) => self.looked(*look, newest, now),
            Came::Looked(Err(why)) => self.silent(why, newest, choked, now),
        }
    }

    fn told(&mut self, answer: Answer, newest: bool, choked: bool, now: Instant) {
        match &answer {
            Answer::Unknown(Unanswered::Late | Unanswered::Unreachable) => {
                self.health.silent(now, choked);
            }
            Answer::Accepted | Answer::Refused(_) | Answer::Unknown(_) => {
                self.health.answered();
            }
        }
        if !newest {
            return;
        }
        let Some(order) = self.order.as_mut() else { return };
        match answer {
            Answer::Accepted => order.heard = true,
            Answer::Unknown(_) => {}
            Answer::Refused(Refusal::Busy(_)) => {
                // It changed nothing, so asking again later repeats nothing.
                order.tells -= 1;
                order.told_at = None;
                order.looked = true;
                self.not_before = now + BUSY_FOR;
            }
            Answer::Refused(why) => self.give_up(NotDone::Refused(why), now),
        }
        self.expire(now);
    }

    fn looked(&mut self, look: Look, newest: bool, now: Instant) -> News {
        self.health.answered();
        let asked = self.asked.is_some();
        if !newest {
            // It was looked at before it was told what it is to be now.
            return News::None;
        }
        let Some(order) = self.order.as_mut() else {
            self.asked = None;
            return News::Seen(Box::new(look));
        };
        let told = order.told_at.is_some();
        if look.shows(order.wanted) && (told || order.until.is_none()) {
            self.order = None;
            self.asked = None;
            self.failing = None;
            return News::Seen(Box::new(look));
        }
        self.failing = None;
        order.looked = true;
        order.looks = order.looks.saturating_add(1);
        let [first, most] = LOOK_AGAIN;
        self.not_before = match told {
            true => now + first.saturating_mul(1 << order.looks.min(4)).min(most),
            false => now,
        };
        self.expire(now);
        if self.order.is_none() || asked {
            self.asked = None;
            return News::Seen(Box::new(look));
        }
        News::None
    }

    fn silent(
        &mut self,
        why: Unanswered,
        newest: bool,
        choked: bool,
        now: Instant,
    ) -> News {
        let was_well = self.health.is_well();
        match why {
            Unanswered::Late | Unanswered::Unreachable | Unanswered::Closed => {
                self.health.silent(now, choked);
            }
            Unanswered::Nonsense(_) | Unanswered::Login | Unanswered::NotShown => {
                self.health.answered();
            }
        }
        if !newest {
            return News::None;
        }
        // Once is nothing: a packet is lost, a switch is choked.
        self.not_before = now + SECOND_LOOK;
        if was_well && self.asked.is_some() {
            return News::None;
        }
        if let Some(order) = &mut self.order {
            order.looks = order.looks.saturating_add(1);
            let [_, most] = LOOK_AGAIN;
            self.not_before = now + most;
        }
        self.failing = self.order.map(|_| NotDone::Unanswered(why));
        self.expire(now);
        self.asked = None;
        News::Silent
    }

    /// Gives up an order whose time is over: it is told nothing more of it.
    fn expire(&mut self, now: Instant) {
        let over = |order: &Order| order.until.is_some_and(|until| now >= until);
        if self.order.as_ref().is_some_and(over) {
            let why = self.failing.take().unwrap_or(NotDone::NotShown);
            self.give_up(why, now);
        }
    }

    /// An order is not pursued any more; how the device stands is looked at.
    fn give_up(&mut self, why: NotDone, now: Instant) {
        self.order = None;
        self.given_up = Some(why);
        self.not_before = now;
        self.ask(Urgency::ReadBack);
    }
}

impl Order {
    /// Whether the device may be told: it was not yet, or was looked at since and had
    /// time to follow.
    fn is_to_tell(&self, now: Instant) -> bool {
        let Some(at) = self.told_at else {
            return true;
        };
        // Who said yes is believed to try; who said nothing may not have heard. Who
        // falls is told until it rests.
        let falls = self.until.is_none();
        let again = falls || !self.heard && self.tells < TELLS_MAX;
        again && self.looked && now >= at + UNHEARD_FOR
    }
}
