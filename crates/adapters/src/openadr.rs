//! OpenADR 3.1, as the end that is told: a grid feed whose events become instructions.
//!
//! ```text
//! VTN ──► Client: token, programs, events ──► event: checked ──► Book ──► signals
//!                                               └── quarantined, with the reason
//! ```
//!
//! A VTN passes on what it was given: a price of `"abc"` arrives like any other, and a
//! limit without a duration holds to the year 262142. So type, unit, range, currency
//! and end are checked here. What fails is kept and shown, and never acted on; what has
//! no end is given one, and that is said.
//!
//! Invariant: an event that is not understood changes nothing of what holds, an older
//! version of itself included.
//! Invariant: what is told again in the same words is not told to the engine again.
//! Invariant: a list that lacks an event once withdraws nothing; twice in a row does.
//! Invariant: every call ends by its deadline, and no redirect is followed.

mod book;
mod client;
mod event;
mod feed;
mod period;
mod report;

pub use book::{Book, EventView, Verdict};
pub use client::{Access, Client, ClientError, Program};
pub use event::{Context, PowerUnit, Private, Reading};
pub use feed::{Feed, Heard, chance};
