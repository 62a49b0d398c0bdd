//! Alarms: what is wrong now, who was told, and who looks after it.
//!
//! `what_is_wrong` reads the engine and lists what is wrong, each with the
//! figures of its sentence. `AlarmBook::review` compares that with what stands
//! and says what changed. A change changes the book when it is made and when it is
//! read in the record, so that a restart tells nobody twice.
//!
//! Invariant: what a person was told is not told again, unless it got worse or its
//! time to go further up has come.

mod book;
mod racks;
mod watch;
mod what;

use serde::{Deserialize, Serialize};
use units::Timestamp;

pub use book::AlarmBook;
pub use racks::OfRacks;
pub use what::{Group, LimitNamed, Unheard, What};

pub(crate) use racks::all as of_racks;
pub(crate) use watch::{View, next_deadline, what_is_wrong};

use crate::people::Person;

/// Which alarm: numbers rise, and one that was told is never used again.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct AlarmId(pub u32);

impl std::fmt::Display for AlarmId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// How soon somebody must act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Urgency {
    /// Nothing to do now; good to know.
    Note,
    /// Somebody looks within the shift.
    Warning,
    /// Somebody acts now, at night too.
    Critical,
}

impl std::fmt::Display for Urgency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Critical => "critical",
        })
    }
}

/// What is wrong with the program itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Trouble {
    /// What happens cannot be written down, so nothing new is ordered.
    JournalNotWritable,
    /// The store has no room left.
    StoreFull,
    /// The machine's clock went back, or far ahead.
    ClockJumped,
    /// Alarms do not reach anybody by some channel.
    DeliveryFailing,
    /// The site does not answer at all.
    SiteLinkLost,
    /// Devices send their work elsewhere than they are to.
    PoolsChanged,
    /// Devices were found by the census before and are not any more.
    DevicesMissing,
    /// The census found devices that are new, moved, replaced, or of another firmware.
    DevicesChanged,
    /// Devices show another certificate than the one that was kept of them.
    CertificatesChanged,
}

/// An alarm that stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// Its number.
    pub id: AlarmId,
    /// What is wrong, with the figures as they were last told or halved.
    pub what: What,
    /// How soon somebody must act.
    pub urgency: Urgency,
    /// Since when it has been wrong.
    pub since: Timestamp,
    /// How often it came back, having been gone for a short while.
    pub returns: u32,
    /// How far up it has been taken: 0 is not at all.
    pub level: u8,
    /// Who looks after it.
    pub acknowledged: Option<Person>,
    /// How far it has come.
    stage: Stage,
    /// Whether somebody was told, and not of a flood as a whole.
    told: bool,
    /// How often somebody was told.
    tellings: u32,
    /// Since when it has had this urgency: it goes further up from then on.
    urgent_since: Timestamp,
    /// The largest size that was told.
    size_told: u64,
}

/// How far an alarm has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    /// Wrong, and not for long enough yet to be told.
    Suspected {
        /// When it is told.
        until: Timestamp,
    },
    /// Wrong.
    Wrong,
    /// Not wrong any more, and not for long enough yet to be over.
    Gone {
        /// Since when.
        since: Timestamp,
    },
}

/// One change of what stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AlarmChange {
    /// Something is wrong, and it is told when that lasts.
    Suspected {
        /// Its number.
        id: AlarmId,
        /// What is wrong.
        what: What,
        /// When it is told.
        until: Timestamp,
    },
    /// It went away before anybody was told.
    Dropped {
        /// Its number.
        id: AlarmId,
    },
    /// Something is wrong.
    Raised {
        /// Its number.
        id: AlarmId,
        /// What is wrong.
        what: What,
        /// Whether people are told; in a flood they are told how many there are.
        told: bool,
    },
    /// It got worse: more urgent, or twice what was told. People are told.
    Grew {
        /// Its number.
        id: AlarmId,
        /// What is wrong now.
        what: What,
    },
    /// It is half what it was, or less.
    Shrank {
        /// Its number.
        id: AlarmId,
        /// What is wrong now.
        what: What,
    },
    /// Nobody has acknowledged it: people further up are told.
    Escalated {
        /// Its number.
        id: AlarmId,
        /// How far up: from 1.
        level: u8,
    },
    /// It is not wrong any more, for now.
    Gone {
        /// Its number.
        id: AlarmId,
    },
    /// It is wrong again, before it was over.
    Returned {
        /// Its number.
        id: AlarmId,
    },
    /// It is over.
    Cleared {
        /// Its number.
        id: AlarmId,
    },
    /// So many more were raised in a flood. People are told that.
    Flood {
        /// How many.
        more: u32,
    },
}

impl AlarmChange {
    /// Which alarm it is about; `None` for a flood.
    pub fn id(&self) -> Option<AlarmId> {
        match self {
            Self::Suspected { id, .. }
            | Self::Dropped { id }
            | Self::Raised { id, .. }
            | Self::Grew { id, .. }
            | Self::Shrank { id, .. }
            | Self::Escalated { id, .. }
            | Self::Gone { id }
            | Self::Returned { id }
            | Self::Cleared { id } => Some(*id),
            Self::Flood { .. } => None,
        }
    }

    /// Whether people are told.
    pub fn is_told(&self) -> bool {
        match self {
            Self::Raised { told, .. } => *told,
            Self::Grew { .. } | Self::Escalated { .. } | Self::Flood { .. } => true,
            Self::Suspected { .. }
            | Self::Dropped { .. }
            | Self::Shrank { .. }
            | Self::Gone { .. }
            | Self::Returned { .. }
            | Self::Cleared { .. } => false,
        }
    }
}

impl Alarm {
    /// The consequence, in one sentence.
    pub fn headline(&self) -> String {
        self.what.words().consequence
    }

    /// The consequence, the cause and what to do, a sentence each, with what else
    /// is known of the alarm on a line of its own.
    pub fn body(&self) -> String {
        let words = self.what.words();
        let mut known =
            format!("Alarm {}, {}, since {}", self.id, self.urgency, self.since);
        if self.returns > 0 {
            known.push_str(&format!("; came back {} times", self.returns));
        }
        match &self.acknowledged {
            Some(by) => {
                known.push_str(&format!("; {} ({}) looks after it", by.name, by.role));
            }
            None if self.level > 0 => {
                known.push_str(&format!(
                    "; nobody has acknowledged it, level {}",
                    self.level
                ));
            }
            None => {}
        }
        format!("{} {} {}\n{known}.", words.consequence, words.cause, words.action)
    }

    /// Names what was last told of it: the same word of the same alarm has the same
    /// name, so that a receiver can drop doubles.
    pub fn message_id(&self) -> String {
        format!("alarm-{}-{}", self.id, self.tellings)
    }

    /// Whether it is wrong now, and not only waiting to be over.
    pub fn is_wrong_now(&self) -> bool {
        match self.stage {
            Stage::Wrong => true,
            Stage::Suspected { .. } | Stage::Gone { .. } => false,
        }
    }
}
