//! What lies ahead of a decision: the costs that are expected, what each battery
//! does by the best plan over them, and what minimum times commit loads to.
//!
//! The plan is the optimum over the look-ahead at the costs that are expected;
//! the first step of it is carried out, and at the next tick it is made anew. It
//! moves nothing past what comes before money: what people, instructions, limits
//! and contracts settled stands in it as it is, and what it says of a battery is
//! cut to the room that the others leave.
//!
//! Invariant: where intervals are not coupled, by a battery, a ramp that can bind
//! or a minimum time, nothing is looked ahead for.

mod commitment;
mod plan;

pub(crate) use commitment::{Bands, Values};
pub(crate) use plan::{Plan, Planner};

use serde::{Deserialize, Serialize};
use units::{EnergyPrice, Interval, Seconds, Timestamp};

use crate::signals::Source;
use crate::site::{LoadIx, LookAhead, Site};
use crate::state::{PeakOutlook, QUARTER, State};

use super::{Draft, merit};
use commitment::Commitment;

/// The least that has to be expected for a look ahead: an hour.
const LEAST: Seconds = Seconds::hours(1);

/// On what a decision looked ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outlook {
    /// Whose prices are expected of the step after the interval.
    pub source: Source,
    /// When the newest of the prices that it rests on was known.
    pub known_at: Timestamp,
    /// Up to when prices are expected.
    pub until: Timestamp,
}

/// What lies ahead of the interval that is decided.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ahead {
    /// What each load's battery is planned to do; nothing for other loads.
    pub(crate) plans: Vec<Option<Plan>>,
    /// What each load's minimum times commit it to, point by point of its curve;
    /// empty for those that have none.
    pub(crate) bands: Vec<Vec<Bands>>,
}

/// What a MWh is expected to cost and to bring, step by step.
#[derive(Clone, Debug, Default)]
pub(crate) struct Course {
    /// When the first step begins.
    pub(crate) from: Option<Timestamp>,
    pub(crate) step: Seconds,
    /// What one drawn costs.
    pub(crate) costs: Vec<EnergyPrice>,
    /// What one sent back brings: no more than one drawn costs.
    pub(crate) exports: Vec<EnergyPrice>,
}

impl Site {
    /// Whether what is done in one interval bears on another: through what a
    /// battery holds, a ramp, or a minimum time.
    pub(crate) fn couples_intervals(&self) -> bool {
        let grid = &self.interconnection;
        let ramps = [grid.ramp_up_per_minute, grid.ramp_down_per_minute];
        ramps.iter().any(Option::is_some)
            || self.loads.iter().any(|load| {
                let envelope = &load.envelope;
                load.machines().is_none()
                    || envelope.ramp_up_per_minute.is_some()
                    || envelope.ramp_down_per_minute.is_some()
                    || envelope.commits()
            })
    }
}

impl Course {
    /// Lays out what is expected from the start of `interval` on, where it costs
    /// `cost` and sending back brings `price`. The steps are quarters of an hour,
    /// or as long as the interval is.
    fn lay(
        &mut self,
        state: &State,
        interval: Interval,
        cost: EnergyPrice,
        price: EnergyPrice,
    ) -> Option<Outlook> {
        let length = interval.duration().as_seconds().max(1);
        let quarters = (length + QUARTER.as_seconds() - 1) / QUARTER.as_seconds();
        self.step = Seconds::from_seconds(quarters * QUARTER.as_seconds());
        self.from = Some(interval.start);
        self.costs.clear();
        self.exports.clear();
        self.costs.push(cost);
        self.exports.push(price.min(cost));
        let policy = state.site.policy.look_ahead;
        let end = interval.start + policy.length.min(LookAhead::LONGEST);
        let mut outlook: Option<Outlook> = None;
        let mut at = interval.start + self.step;
        while at < end {
            let Some((price, expected)) = mean(state, at, quarters) else { break };
            let adders = state.site.tariff.adders_at(at);
            let peak = match state.peaks.outlook(&state.site.tariff.coincident_peaks, at)
            {
                PeakOutlook::OutOfSeason | PeakOutlook::NotForecast => EnergyPrice::ZERO,
                PeakOutlook::Adder(adder) => adder,
            };
            let cost = price + adders + peak;
            self.costs.push(cost);
            self.exports.push(price.min(cost));
            at = at + self.step;
            let so_far = outlook.get_or_insert(Outlook { until: at, ..expected });
            so_far.known_at = so_far.known_at.max(expected.known_at);
            so_far.until = at;
        }
        outlook.filter(|outlook| outlook.until - interval.start >= LEAST)
    }
}

/// The mean of what is expected over so many quarters from `at` on.
fn mean(state: &State, at: Timestamp, quarters: i64) -> Option<(EnergyPrice, Outlook)> {
    let first = state.expected(at)?;
    let mut outlook =
        Outlook { source: first.source, known_at: first.known_at, until: at };
    let mut sum = i128::from(first.price.as_micro_usd_per_mwh());
    for quarter in 1..quarters {
        let later = Seconds::from_seconds(quarter * QUARTER.as_seconds());
        let next = state.expected(at + later)?;
        outlook.known_at = outlook.known_at.max(next.known_at);
        sum += i128::from(next.price.as_micro_usd_per_mwh());
    }
    let mean = i64::try_from(sum / i128::from(quarters)).ok()?;
    Some((EnergyPrice::from_micro_usd_per_mwh(mean), outlook))
}

impl Draft<'_> {
    /// Looks ahead over what is expected, on a price that can be trusted: what
    /// every battery does by the best plan, and what minimum times commit to.
    ///
    /// Where nothing is expected, or nothing couples the intervals, the stated
    /// prices and bands hold.
    pub(super) fn look_ahead(&mut self) {
        let outlook = self.lay_course();
        self.dispatch.outlook = outlook;
        self.memo.ahead.plans.clear();
        self.memo.ahead.bands.clear();
        if outlook.is_some() {
            self.commit();
            self.plan();
        }
        let looked =
            !self.memo.ahead.plans.is_empty() || !self.memo.ahead.bands.is_empty();
        if looked || self.memo.ordered_ahead {
            self.memo.put_in_order(self.site);
            self.memo.ordered_ahead = looked;
        }
    }

    fn lay_course(&mut self) -> Option<Outlook> {
        let policy = &self.site.policy;
        if policy.look_ahead.length <= Seconds::ZERO
            || !policy.follows_price
            || self.freshness != crate::state::Freshness::Fresh
            || !self.site.couples_intervals()
        {
            return None;
        }
        let (cost, price) = (self.cost?, self.dispatch.price?.known.value);
        let interval = self.dispatch.interval;
        self.memo.course.lay(self.state, interval, cost, price)
    }

    /// What the minimum times of every load commit it to.
    fn commit(&mut self) {
        let memo = &mut *self.memo;
        let policy = &self.site.policy;
        memo.ahead.bands.resize(self.site.loads.len(), Vec::new());
        for (load, shape) in self.site.loads.iter().enumerate() {
            let envelope = &shape.envelope;
            if shape.is_firm() || !envelope.commits() {
                continue;
            }
            let worths = &memo.worths[load];
            let restart = worths.stop_band - policy.hysteresis;
            let spread = policy.restart_spread.max(envelope.down_min);
            memo.ahead.bands[load] = (worths.points.iter().enumerate())
                .map(|(point, worth)| {
                    let start = if point == 0 { restart } else { EnergyPrice::ZERO };
                    let commitment = Commitment {
                        worth: *worth,
                        up: envelope.up_min,
                        down: envelope.down_min,
                        start: (start, spread),
                    };
                    let course = &memo.course;
                    memo.values.bands(commitment, &course.costs, course.step)
                })
                .collect();
        }
    }
}

impl Ahead {
    /// The bands of a point of a load's curve: what it is committed to, and no
    /// less than the stated ones where nothing commits it.
    pub(crate) fn bands_of(
        &self,
        load: LoadIx,
        point: usize,
        stated: &merit::Worths,
        hysteresis: EnergyPrice,
    ) -> Bands {
        let committed = self.bands.get(load).and_then(|bands| bands.get(point));
        match committed {
            Some(bands) => Bands {
                stop: bands.stop.max(hysteresis),
                start: bands.start.max(hysteresis),
            },
            None => Bands::stated(point, stated, hysteresis),
        }
    }
}
