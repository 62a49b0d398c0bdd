//! What a journal is made of.

use units::Timestamp;

use super::chain::Hash;

/// What a record is about. The numbers are part of the format and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// 1: what a run began with.
    Head,
    /// 2: an input and what it led to.
    Step,
    /// 3: what became of something sent, such as an alarm that was delivered.
    Outcome,
    /// 4: the run was ended on purpose.
    Stop,
    /// 5: a snapshot was put beside the journal; names it by its hash.
    Snapshot,
    /// 6: a checkpoint was signed; names it by its hash.
    Checkpoint,
}

/// A record to be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRecord {
    /// When it was made, as its maker says.
    pub at: Timestamp,
    /// What it is about: a head, a step, an outcome or a stop.
    pub kind: Kind,
    /// What it says, in the program's own format.
    pub bytes: Vec<u8>,
}

/// A record of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number, from 1, without gaps.
    pub seq: u64,
    /// When it was made, as its maker said.
    pub at: Timestamp,
    /// What it is about.
    pub kind: Kind,
    /// What it says.
    pub bytes: Vec<u8>,
    /// Its link of the chain.
    pub chain: Hash,
}

impl Kind {
    /// Its number in the journal.
    pub fn number(self) -> u8 {
        match self {
            Self::Head => 1,
            Self::Step => 2,
            Self::Outcome => 3,
            Self::Stop => 4,
            Self::Snapshot => 5,
            Self::Checkpoint => 6,
        }
    }

    /// Its name in text.
    pub fn name(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Step => "step",
            Self::Outcome => "outcome",
            Self::Stop => "stop",
            Self::Snapshot => "snapshot",
            Self::Checkpoint => "checkpoint",
        }
    }

    pub(super) fn from_number(number: i64) -> Option<Self> {
        let all = [
            Self::Head,
            Self::Step,
            Self::Outcome,
            Self::Stop,
            Self::Snapshot,
            Self::Checkpoint,
        ];
        all.into_iter().find(|kind| i64::from(kind.number()) == number)
    }
}
