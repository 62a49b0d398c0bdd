//! A site and a market that are not there.
//!
//! Speaks to the engine in its own words only: orders go in, receipts and
//! readings come out.
//!
//! Invariant: may be wrong about the world, never about the rules.
//! Invariant: everything random comes from the one seed it is handed.

pub mod ahead;

pub mod campus;

pub mod capacity;

pub mod hall;

pub mod market;

pub mod plant;

pub mod recount;

pub mod run;

pub mod scenario;

pub mod seed;

pub mod tenancy;

pub mod world;

mod checkers;
mod fault;

pub use campus::Campus;
pub use plant::Plant;
pub use world::World;
