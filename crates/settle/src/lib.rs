//! What is owed, from what was metered.
//!
//! Holds what pricing a site's power and its mining needs: the [`tariff`] that
//! turns metered energy into a cost, and the [`mining`] pay that turns hashes
//! into revenue. Pure functions of their arguments; a counterparty can build
//! this crate alone and recompute every figure.
//!
//! Invariant: no floating point, and each amount is rounded once.
//! Invariant: depends on `units` alone, and knows nothing of decisions.

// Every amount is exact, so that every machine reaches the same one.
#![deny(clippy::float_arithmetic)]

pub mod mining;
pub mod tariff;
