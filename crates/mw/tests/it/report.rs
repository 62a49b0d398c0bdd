//! What a person gets from a backtest, over a small made-up run.

pub(crate) mod world;

use std::collections::BTreeSet;

use mw::report::{json, parquet, summary};
use serde_json::Value;

#[test]
fn the_summary_reads_at_a_glance() {
    let answer = world::run(6, |_| ());
    insta::assert_snapshot!(summary::text(&answer));
}
