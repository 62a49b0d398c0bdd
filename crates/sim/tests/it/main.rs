//! Tests of simulated worlds as a whole.

mod futures;
mod late_ticks;
mod seeds;
