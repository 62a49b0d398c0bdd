//! What the grid asks, in one form, whichever feed it came by.

use serde::{Deserialize, Serialize};
use units::{EnergyPrice, Interval, Power, Timestamp};

use crate::site::ProgrammeIx;

/// Something the grid asks of the site.
///
/// A later one of the same programme and name replaces the one before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instruction {
    /// What the feed calls it: the same name is the same instruction.
    pub name: String,
    /// Under which programme.
    pub programme: ProgrammeIx,
    /// What is asked.
    pub ask: Ask,
    /// When it holds. It always has an end.
    pub during: Interval,
    /// Whether contract load may stay on where it cannot be met otherwise.
    pub best_effort: bool,
    /// When it could first be known.
    pub known_at: Timestamp,
}

/// What an instruction asks. Powers are at the interconnection's meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    /// Draw no more than this.
    Limit(Power),
    /// Draw this, as near as loads allow, until the end.
    DispatchTo(Power),
    /// Draw this now; replaced every few minutes.
    BasePoint(Power),
    /// Keep at least this drawn, so that it can be tripped.
    Arm(Power),
    /// No reserve is kept any more.
    Disarm,
    /// The programme's loads are off, at once, until restored.
    Trip,
    /// The programme's loads may come back, staged.
    Restore,
    /// Draw no more than this, as a test of the real path.
    Test(Power),
    /// A price at the settlement point. It never relaxes a limit.
    Price(EnergyPrice),
    /// What the name stood for does not hold any more.
    Withdraw,
}
