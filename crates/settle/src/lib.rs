//! What is owed, from what was metered.
//!
//! Holds the pricing of a site's power and mining, and the settlement of
//! capacity contracts. Pure functions of their arguments; a counterparty can
//! build this crate alone and recompute every figure.
//!
//! The flow of a settlement:
//!
//! ```text
//! contract file -> contract::Contract::read -> contract::Versions
//! JSON lines    -> facts::Facts::read       -> intake: duplicates, quarantine
//!   -> timeline: each unit's states, excuses, budgets, blocks, to the second
//!   -> quantities: unit-seconds by tranche, month and class
//!   -> money: fee, availability and delay credits, power, prepayment
//!   -> difference against what was issued
//!   -> statement::Statement
//! ```
//!
//! Start at [`settlement::statement`]. [`exposure`] says what the next lost
//! unit-second costs; [`tariff`] turns metered energy into a cost and [`mining`]
//! turns hashes into revenue.
//!
//! Invariant: no floating point, and each amount is rounded once.
//! Invariant: depends on `units` alone, and knows nothing of decisions.

// Every amount is exact, so that every machine reaches the same one.
#![deny(clippy::float_arithmetic)]

mod availability;
pub mod calendar;
pub mod contract;
mod delay;
pub mod exact;
pub mod exposure;
pub mod facts;
mod fee;
pub mod mining;
mod names;
mod power;
pub mod prepayment;
pub mod settlement;
pub mod statement;
pub mod tariff;
mod timeline;
