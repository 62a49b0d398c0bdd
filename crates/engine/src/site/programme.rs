//! A grid programme that the site has joined: who instructs it, and where it
//! goes when it hears nothing.

use serde::{Deserialize, Serialize};
use units::{Power, Seconds};

use super::LoadIx;

/// A grid programme that the site has joined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Programme {
    /// What people call it.
    pub name: String,
    /// The loads it may trip; empty is every load that can be shed.
    pub loads: Vec<LoadIx>,
    /// How soon an instruction has to be met.
    pub response: Seconds,
    /// The longest an instruction may hold; an open end is cut to this.
    pub longest: Seconds,
    /// After how long without a word the link counts as lost; `None` is a feed
    /// that speaks only when it has something to say.
    pub silent_after: Option<Seconds>,
    /// Where the site goes when the link is lost.
    pub fail_safe: FailSafe,
}

/// Where a site goes when an obligation's link is lost. Ramps hold on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailSafe {
    /// What was asked last stays true: an armed reserve keeps its band.
    Hold,
    /// Draw no more than this.
    Limit(Power),
}
