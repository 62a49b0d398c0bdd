//! The engine's integration tests: scenarios as scripts, and what holds of any
//! decision.

mod capacity;
mod check;
mod exposures;
mod live;
mod on_offer;
mod properties;
mod scripts;
mod world;
