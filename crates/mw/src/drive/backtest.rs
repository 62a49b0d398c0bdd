//! The record's clock: history released as it became known, on a simulated site.
//!
//! Beside the policy runs the same site always on, through the same engine and
//! the same ledger, so that what curtailing earned is a difference of two
//! ledgers and not an estimate.

use engine::site::LoadIx;
use engine::{Dispatch, Site};
use units::Interval;

use super::record::Record;
use super::{Decided, OnPlant};
use crate::feed::Feed;
use crate::ledger::{Ledger, Row};
use crate::tenancy::OverRun;

/// One decided, metered and priced interval.
pub struct Line<'a> {
    /// The decision.
    pub dispatch: &'a Dispatch,
    /// What it came to.
    pub row: &'a Row,
    /// What the same interval came to with the site always on, where that is
    /// compared.
    pub always_on: Option<&'a Row>,
}

/// What a backtest is asked to do beside deciding.
#[derive(Default)]
pub struct Options<'a> {
    /// Keeps inputs and outputs.
    pub record: Option<&'a mut dyn Record>,
    /// Runs the always-on site beside it.
    pub compare: bool,
    /// The contracts its racks serve, and what became of them.
    pub under: Option<&'a mut OverRun>,
}

/// Runs `site` over `range` of `feed` and hands every line to `sink`.
pub fn run(
    site: &Site,
    feed: &Feed,
    range: Interval,
    options: Options<'_>,
    mut sink: impl FnMut(&Line<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut under = options.under;
    let mut policy = OnPlant::new(site.clone(), range.start, options.record);
    let mut ledger = Ledger::new(site, feed, range);
    let mut always_on =
        options.compare.then(|| OnPlant::new(always_on(site), range.start, None));
    let mut other_ledger = Ledger::new(site, feed, range);

    let mut heard = feed.heard_over(range, &site.policy.look_ahead).peekable();
    for interval in feed.ticks(range) {
        // What became known during an interval is heard when it ends.
        while let Some((_, signal)) = heard.next_if(|(at, _)| *at <= interval.start) {
            policy.hear(interval.start, signal.clone())?;
            if let Some(other) = &mut always_on {
                other.hear(interval.start, signal.clone())?;
            }
        }
        if let Some(under) = &mut under {
            for signal in under.signals(interval.start) {
                policy.hear(interval.start, signal.clone())?;
                if let Some(other) = &mut always_on {
                    other.hear(interval.start, signal)?;
                }
            }
        }
        let Decided { dispatch, metered } = policy.run_interval(interval)?;
        let moved = policy.take_moved();
        let spot = dispatch.spot.map(|offer| offer.value);
        let row = ledger.price(&metered, spot, |load: LoadIx| policy.starts(load));
        if let Some(under) = &mut under {
            under.interval(moved, &metered, row);
        }
        let other = match &mut always_on {
            Some(other) => {
                other.take_moved();
                let decided = other.run_interval(interval)?;
                let starts = |load| other.starts(load);
                Some(other_ledger.price(&decided.metered, spot, starts))
            }
            None => None,
        };
        sink(&Line { dispatch: &dispatch, row, always_on: other })?;
    }
    Ok(())
}

/// The same site, deaf to price. It keeps to limits, contracts and people's
/// requests all the same.
fn always_on(site: &Site) -> Site {
    let mut site = site.clone();
    site.policy.follows_price = false;
    site
}
