//! Tests of simulated worlds as a whole.

mod ahead_oracle;
mod campus;
mod capacity;
mod futures;
mod kernel;
mod late_ticks;
mod live;
mod recount;
mod seeds;
