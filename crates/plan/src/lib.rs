//! Years ahead: which megawatts stop mining and become GPU capacity, when, paid by
//! whom, and what happens if it turns out otherwise.
//!
//! A [`Plan`] is everything that was decided and assumed, checked. [`Plan::path`] lives
//! one future of it: hour by hour by the engine's own kernel on what was known then,
//! month by month by `settle` on what was delivered, and gives an [`Outcome`] of whole
//! millionths of a dollar. An [`Answer`] is read from outcomes in the order of their
//! paths, so that it is the same however they were spread over threads or machines.
//!
//! Start at [`Plan::path`].
//!
//! Invariant: no IO, no clock, no threads, no hash order; everything random comes from
//! the seed it is handed.
//! Invariant: a decision rests on what was known when its hour began.
//! Invariant: a path depends on plan, seed and number alone.

mod answer;
mod by_site;
mod cash;
mod charged;
mod doubt;
mod finance;
mod markets;
mod operate;
mod past;
mod path;
mod receipts;
mod schedule;
mod terms;
mod tornado;
mod value;
mod waiting;

pub use answer::{Answer, Band, BreakEven, PerMwh, SiteAnswer, TrancheRisk};
pub use by_site::SiteTotals;
pub use cash::{Line, Month};
pub use doubt::Doubt;
pub use markets::{Day, HOURS, Markets};
pub use operate::{Becomes, Happening};
pub use past::{Figure, Held, Past, Stretch, Verdict};
pub use path::{Delivered, Outcome, SpentBefore, Use, UseTotals};
pub use receipts::Receipts;
pub use schedule::{
    Glimpse, How, Reason, Run, Schedule, Search, Start, Trials, Tried, Worth,
};
pub use terms::{
    Bounds, Conversion, Covenant, Deal, Equipment, Escalator, Futures, Loan, LoanKind,
    OnLongStop, Owner, Place, Plan, Prices, Repayment, Rules, Running, Serves, Works,
};
pub use tornado::Lever;
pub use value::{irr, monthly_rate, npv, quantile};
pub use waiting::{FUTURES_MIN, Known, Rule, Waiting};

#[cfg(test)]
mod tests;

/// Raised whenever the same plan and seed come to other figures: parts of a run are put
/// together only where they are of one.
pub const MODEL: u32 = 4;
