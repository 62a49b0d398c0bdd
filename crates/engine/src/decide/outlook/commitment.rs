//! What being on or off commits a load to, by the costs that are expected.
//!
//! A load with minimum times that is raised now has to stay up for a while, and
//! one that is lowered now has to stay down; a start costs wear and power that
//! earns nothing. What each way is worth from the next step on is worked out
//! exactly, from the last step to the first: with `on` and `off` the most that
//! can be gained from step `k` on by a load that is free to change there,
//!
//! ```text
//! on[k]  = max( gain[k] + on[k+1],  off[k + down] )
//! off[k] = max( off[k+1],  gain[k..k + up] - start + on[k + up] )
//! ```
//!
//! The difference between both ways, spread over the step that is decided, is
//! how far worth may fall below the cost before the load stops, or has to rise
//! above it before it starts.

use units::{EnergyPrice, Seconds};

use crate::decide::merit::Worths;

/// A band wider than this is as good as this: a million dollars a MWh.
const BAND_MAX: i128 = 1_000_000_000_000;

/// What changing over is worth waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bands {
    /// How far worth may fall below the cost before what runs stops.
    pub(crate) stop: EnergyPrice,
    /// How far worth has to rise above the cost before what rests starts.
    pub(crate) start: EnergyPrice,
}

impl Bands {
    /// The stated bands of a point of a load's curve, where nothing commits it.
    pub(crate) fn stated(point: usize, of: &Worths, hysteresis: EnergyPrice) -> Self {
        let stop = if point == 0 { of.stop_band } else { hysteresis };
        Self { stop, start: hysteresis }
    }
}

/// What a load is committed to by a change.
#[derive(Clone, Copy, Debug)]
pub(super) struct Commitment {
    /// What a MWh at the meter is worth.
    pub(super) worth: EnergyPrice,
    /// How long it stays up once raised.
    pub(super) up: Seconds,
    /// How long it stays down once lowered.
    pub(super) down: Seconds,
    /// What a start costs: so much a MWh for so long.
    pub(super) start: (EnergyPrice, Seconds),
}

/// Values from the last step to the first; kept so that they are not made anew.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values {
    /// What is gained before each step, in millionths of a dollar per MWh times
    /// seconds.
    gained: Vec<i128>,
    on: Vec<i128>,
    off: Vec<i128>,
}

impl Values {
    /// The bands of a load in the first of steps that cost so much each.
    pub(super) fn bands(
        &mut self,
        commitment: Commitment,
        costs: &[EnergyPrice],
        step: Seconds,
    ) -> Bands {
        let Commitment { worth, up, down, start: (price, spread) } = commitment;
        let seconds = i128::from(step.as_seconds());
        let start =
            i128::from(price.as_micro_usd_per_mwh()) * i128::from(spread.as_seconds());
        let steps = |time: Seconds| {
            let steps = (time.as_seconds() + step.as_seconds() - 1) / step.as_seconds();
            usize::try_from(steps).unwrap_or(0).max(1)
        };
        let (up, down, count) = (steps(up), steps(down), costs.len());
        let Self { gained, on, off } = self;
        gained.clear();
        gained.push(0);
        for cost in costs {
            let gain = i128::from((worth - *cost).as_micro_usd_per_mwh()) * seconds;
            gained.push(gained[gained.len() - 1] + gain);
        }
        on.clear();
        on.resize(count + 1, 0);
        off.clear();
        off.resize(count + 1, 0);
        let started = |on: &[i128], k: usize| {
            let free = (k + up).min(count);
            gained[free] - gained[k] - start + on[free]
        };
        for k in (0..count).rev() {
            off[k] = off[k + 1].max(started(on, k));
            on[k] =
                (gained[k + 1] - gained[k] + on[k + 1]).max(off[(k + down).min(count)]);
        }
        let next = 1.min(count);
        let price = |value: i128| {
            let micro = (value / seconds).clamp(-BAND_MAX, BAND_MAX);
            EnergyPrice::from_micro_usd_per_mwh(micro as i64)
        };
        Bands {
            stop: price(on[next] - off[down.min(count)]),
            start: price(off[next] - started(on, 0) + gained[next]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bands of a load that is worth 50, with starts at 8 for an hour, by
    /// hourly costs.
    fn check(up: i64, down: i64, costs: &[i64], expected: (i64, i64)) {
        let usd = EnergyPrice::from_usd_per_mwh;
        let costs: Vec<EnergyPrice> = costs.iter().map(|cost| usd(*cost)).collect();
        let hour = Seconds::hours(1);
        let commitment = Commitment {
            worth: usd(50),
            up: Seconds::hours(up),
            down: Seconds::hours(down),
            start: (usd(8), hour),
        };
        let found = Values::default().bands(commitment, &costs, hour);
        assert_eq!(found, Bands { stop: usd(expected.0), start: usd(expected.1) });
    }

    #[test]
    fn a_stop_has_to_pay_for_the_start_after_it() {
        // One dear hour, then cheap: back on costs a start of 8.
        check(0, 0, &[55, 30, 30], (8, 0));
        // Dear until the end: nothing is started again.
        check(0, 0, &[55, 60, 60], (0, 8));
    }

    #[test]
    fn what_has_to_stay_down_misses_what_comes() {
        // Down for three hours misses twice 20, and a start.
        check(0, 3, &[55, 30, 30, 30], (20 + 20 + 8, 0));
        // Down for two misses one.
        check(0, 2, &[55, 30, 30, 30], (20 + 8, 0));
    }

    #[test]
    fn what_has_to_stay_up_is_started_for_good_hours_alone() {
        // Up for three hours runs through one at 150: 100 lost there, 20 gained
        // after, and a start.
        check(3, 0, &[40, 150, 30], (0, 100 + 8 - 20 + 12));
    }
}
