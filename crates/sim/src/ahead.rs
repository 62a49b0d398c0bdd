//! What is decided ahead, looked over apart from the solver.
//!
//! [`draw`](draw::draw) makes a horizon from a seed; [`plan`] reads an answer's
//! plan and works out what it costs and what it breaks; [`bound`](bound::bound)
//! reads an answer's prices and works out what nothing can go below. A plan that
//! breaks nothing and costs as little as the bound is the optimum, whoever found
//! it. [`machines`] does the same of loads that are on or off. [`shrink`](mod@shrink) makes one that fails readable, [`json`] is how it is told to a program that we did not write, and
//! [`reference`](mod@reference) is the site whose speed is measured.
//!
//! Invariant: shares the statement of the problem with the solver and nothing
//! else.

pub mod bound;
pub mod draw;
pub mod json;
pub mod machines;
pub mod plan;
pub mod reference;
pub mod shrink;

/// What two workings-out of one sum of money may differ by, USD: a millionth of
/// it, and a thousandth of a millionth of what was added and taken away to get it.
pub fn within_usd(total: f64, gross: f64) -> f64 {
    1e-6 * total.abs().max(1.0) + 1e-9 * gross
}
