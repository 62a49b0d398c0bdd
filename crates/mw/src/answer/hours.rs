//! The hours in which deciding was worth most, against running always on.

use engine::{Dispatch, Site};
use units::{EnergyPrice, Interval, Money, Power, Seconds, Timestamp};

use crate::ledger::Row;

/// How many hours are kept.
const KEPT: usize = 20;

/// One hour in which deciding was worth much.
#[derive(Clone, Debug)]
pub struct Highlight {
    /// The hour.
    pub during: Interval,
    /// What deciding earned in it, over always on.
    pub gain: Money,
    /// The dearest settlement price in it.
    pub price_max: Option<EnergyPrice>,
    /// The interval in it that gained most.
    pub interval: Interval,
    /// What the site drew in that interval.
    pub drawn: Power,
    /// What it would have drawn always on.
    pub always_on: Power,
    /// The reasons of that interval, a line a load.
    pub reasons: Vec<String>,
}

/// The best hours so far, and the one that is running.
#[derive(Default)]
pub(super) struct Hours {
    best: Vec<Hour>,
    now: Option<Hour>,
}

struct Hour {
    start: Timestamp,
    gain: Money,
    price_max: Option<EnergyPrice>,
    /// The interval that gained most, with what it drew and would have drawn.
    peak: (Money, Dispatch, Power, Power),
}

impl Hours {
    pub(super) fn add(&mut self, dispatch: &Dispatch, row: &Row, always_on: &Row) {
        let Some((ours, theirs)) = row.margin().zip(always_on.margin()) else {
            return;
        };
        let gain = ours - theirs;
        let start = dispatch.interval.start.floor(Seconds::hours(1));
        let price = row.settlement.map(|settlement| settlement.price);
        if self.now.as_ref().is_some_and(|hour| hour.start != start) {
            self.close();
        }
        if self.now.is_none() && gain.is_zero() {
            return;
        }
        let duration = dispatch.interval.duration();
        let peak = || {
            (
                gain,
                dispatch.clone(),
                row.site.over(duration),
                always_on.site.over(duration),
            )
        };
        match &mut self.now {
            Some(hour) => {
                hour.gain += gain;
                hour.price_max = hour.price_max.max(price);
                if gain > hour.peak.0 {
                    hour.peak = peak();
                }
            }
            None => self.now = Some(Hour { start, gain, price_max: price, peak: peak() }),
        }
    }

    fn close(&mut self) {
        let Some(hour) = self.now.take().filter(|hour| hour.gain > Money::ZERO) else {
            return;
        };
        let place = self.best.partition_point(|kept| kept.gain >= hour.gain);
        if place < KEPT {
            self.best.insert(place, hour);
            self.best.truncate(KEPT);
        }
    }

    pub(super) fn finish(&mut self, site: &Site) -> Vec<Highlight> {
        self.close();
        std::mem::take(&mut self.best)
            .into_iter()
            .map(|hour| {
                let (_, dispatch, drawn, always_on) = hour.peak;
                Highlight {
                    during: Interval::starting(hour.start, Seconds::hours(1)),
                    gain: hour.gain,
                    price_max: hour.price_max,
                    interval: dispatch.interval,
                    drawn,
                    always_on,
                    reasons: dispatch.explain(site).collect(),
                }
            })
            .collect()
    }
}
