//! Futures from one seed: what a plan imagines of the years ahead.
//!
//! Each module is one uncertain thing, as a model with few parameters that a person
//! can state, calibrate or doubt. What they rest on:
//!
//! | module | model | source |
//! |---|---|---|
//! | [`coin`] | a coin's price: geometric Brownian motion with jumps | Merton, 1976 |
//! | [`network`] | hash rate that answers profit with a lag, and the difficulty that follows it | Prat and Walter, 2021, for entry up to the breakeven; the retarget rule of the Bitcoin protocol |
//! | [`fees`] | what a block's transactions pay: mean-reverting in its logarithm | Schwartz, 1997, model 1 |
//! | [`power`] | a price with calm, spiking and negative regimes about a seasonal mean | Huisman and Mahieu, 2003 |
//! | [`level`] | how fuel moves all prices of power over months, from where they stand | Ornstein-Uhlenbeck of the logarithm |
//! | [`blocks`] | power by blocks of days as they were, with the coin's moves of the same days | seasonal block bootstrap; Künsch, 1989 |
//! | [`rental`] | a GPU-hour on the open market: reverts to a cost that falls, and falls further at launches | Schwartz, 1997, with jumps |
//! | [`copula`] | coin, fees, power and rent that move together, day by day | Gaussian copula |
//! | [`delivery`] | how late a delivery is: on time, or lognormal; several share a cause | lognormal durations; one-factor Gaussian copula |
//! | [`failure`] | unit-seconds lost in a month: compound Poisson, and rare outages of all | counts of arXiv 2407.21783 |
//!
//! Every draw is a function of seed, path, what it is for and the step: see
//! [`draw::Draws`]. A path is the same whoever draws it, in whatever order, and one
//! more factor leaves the others as they were.
//!
//! Invariant: the same on every machine. Floats meet only in `+ - * /` and square
//! roots, which IEEE 754 defines to the last bit; [`maths`] makes exponentials and
//! logarithms of those.
//! Invariant: a value for a step depends on no draw of a later one.

pub mod blocks;
pub mod calibrate;
pub mod coin;
pub mod copula;
pub mod delivery;
pub mod draw;
pub mod failure;
pub mod fees;
pub mod level;
pub mod maths;
pub mod network;
pub mod power;
pub mod rental;
pub mod reversion;

/// Days in a year, for rates a year.
pub const DAYS_PER_YEAR: f64 = 365.25;

/// Hours in a year, for rates a year.
pub const HOURS_PER_YEAR: f64 = 8_766.0;

#[cfg(test)]
mod tests;
