//! The record of a run: its inputs, and what each led to.
//!
//! A run is the list of its inputs: folding them through an engine of the same
//! version gives the same outputs, byte for byte. The outputs are recorded
//! beside them, so that a replay has something to be held against and a restart
//! something to fold.
//!
//! Types here are the format. A change to any type inside raises [`FORMAT`];
//! [`is_read`] says which formats the program reads.

use serde::{Deserialize, Serialize};
use units::{Interval, Timestamp};

use crate::{Input, Output, Site};

/// The version of the format. Raised by any change to a type inside.
pub const FORMAT: u32 = 9;

/// The oldest format that means today what it meant: since then only something that can
/// be said was added, behind all that could be.
pub const OLDEST: u32 = 7;

/// Whether a state that is kept beside a record of a format is one that this program
/// would keep. Another is passed over, and the record folded from before it.
pub const fn is_state_read(format: u32) -> bool {
    format == FORMAT
}

/// Whether this program reads a format.
pub const fn is_read(format: u32) -> bool {
    OLDEST <= format && format <= FORMAT
}

/// What a run began with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The format of the records that follow.
    pub format: u32,
    /// The program that wrote them.
    pub program: String,
    /// The site as meant.
    pub site: Site,
    /// Whether the site is known machine by machine.
    pub by_machine: bool,
    /// When the engine started.
    pub start: Timestamp,
    /// What the run covers.
    pub range: Interval,
}

/// One input and what it led to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What happened.
    pub input: Input,
    /// What the engine said.
    pub outputs: Vec<Output>,
}

/// How a complete run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// How many steps there were.
    pub steps: u64,
}
