//! The engine: one thing that happened goes in, what to do about it comes out.
//!
//! ```text
//! signals ──► state ──► decide ──► act ──► meter
//! ```
//!
//! [`Engine::step`] takes an [`Input`] and returns [`Output`]s. It asks nobody
//! the time, reads nothing and cannot fail: a bad reading becomes a note, a
//! broken invariant stops the program. The modules are the flow's words in the
//! flow's order.
//!
//! Invariant: no IO, no clock, no async, no randomness, no hash order; floats in
//! [`decide::ahead`] alone, snapped to exact quantities on the way out.

// Every amount is exact, so that every machine reaches the same one.
#![deny(clippy::float_arithmetic)]

pub mod ranges;

pub mod site;

pub mod signals;

pub mod people;

pub mod state;

pub mod decide;

pub mod act;

pub mod alarm;

pub mod capacity;

pub mod meter;

pub mod check;

pub mod journal;

mod step;

pub use act::{
    Lease, Look, Move, Observed, Order, OrderBatch, ReadBack, Receipt, Survey,
};
pub use alarm::{Alarm, AlarmBook, AlarmChange, AlarmId, Trouble, Urgency};
pub use decide::{Dispatch, Entry, Limit, Reason, Setpoint};
pub use meter::{Metered, MeteredInterval, Quality};
pub use people::{Accepted, Person, RefusedBecause, Request};
pub use ranges::Ranges;
pub use signals::{
    Ask, Capacity, Exposure, FlexEvent, Forecast, Instruction, Known, Reading, Signal,
    Source, Sweep, Work,
};
pub use site::Site;
pub use state::{Freshness, State};
pub use step::{Change, Engine, Event, Input, Notice, Output};
