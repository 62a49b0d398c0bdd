//! Readings in, metered intervals out: what was drawn and what it became.
//!
//! A reading that cannot be is marked, never repaired: a meter that is silent
//! is estimated from what its load was set to, one that contradicts it is kept
//! and called doubtful. What the interconnection's meter shows and no load
//! explains stays visible.

use serde::{Deserialize, Serialize};
use units::{Energy, GpuSeconds, Hashes, Interval, Power};

use crate::signals::{Sweep, Work};
use crate::site::{LoadIx, LoadKind};
use crate::state::State;

/// What was drawn over an interval, and what it became.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeteredInterval {
    /// The interval.
    pub during: Interval,
    /// Net energy at the interconnection.
    pub site: Energy,
    /// How the site's figure came about.
    pub site_quality: Quality,
    /// Every load, in the site's order.
    pub loads: Vec<Metered>,
    /// What the site drew beyond the sum of its loads.
    pub unexplained: Energy,
}

/// What one load drew over an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metered {
    /// Energy at the meter, with its share of cooling.
    pub energy: Energy,
    /// What the energy became.
    pub work: Work,
    /// How the figure came about.
    pub quality: Quality,
}

/// How a metered figure came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Quality {
    /// Read, and possible.
    Measured,
    /// Read, and contradicts what the load was set to.
    Doubtful,
    /// Not read: taken from what the load was set to; work counts as none.
    Estimated,
}

/// A reading may pass what its load was set to by one part in this.
const TOLERANCE: i64 = 20;

/// The lowest and highest draw each load was set to since the last reading.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Band {
    loads: Vec<(Power, Power)>,
    /// Whether any load was set to something else since the last reading.
    moved: bool,
}

impl Band {
    /// The band of loads that stay at what they are set to now.
    pub fn of(state: &State) -> Self {
        let set_to = |load| {
            let belief = state.fleet.of(load);
            let ordered = state.power_now(load, belief.ordered);
            if !belief.unanswered {
                return (ordered, ordered);
            }
            let lowest = state.power_now(load, belief.at_least);
            let highest = state.power_now(load, belief.at_most);
            (ordered.min(lowest), ordered.max(highest))
        };
        Self { loads: (0..state.site.loads.len()).map(set_to).collect(), moved: false }
    }

    /// Widens each load's band to what it is set to now.
    pub fn widen(&mut self, state: &State) {
        self.moved = true;
        for (band, now) in self.loads.iter_mut().zip(Self::of(state).loads) {
            *band = (band.0.min(now.0), band.1.max(now.1));
        }
    }
}

/// Meters one sweep against what the loads were set to, and starts the next
/// band.
pub fn meter(state: &State, band: &mut Band, sweep: &Sweep) -> MeteredInterval {
    let duration = sweep.during.duration();
    let mut loads: Vec<Metered> = (0..state.site.loads.len())
        .map(|load| Metered {
            energy: band.loads[load].1 * duration,
            work: no_work(state, load),
            quality: Quality::Estimated,
        })
        .collect();
    for reading in &sweep.readings {
        let (Some(metered), Some((low, high))) =
            (loads.get_mut(reading.load), band.loads.get(reading.load))
        else {
            continue;
        };
        let (low, high) = (*low * duration, *high * duration);
        let possible =
            low - part(low) <= reading.energy && reading.energy <= high + part(high);
        let quality = if possible { Quality::Measured } else { Quality::Doubtful };
        *metered = Metered { energy: reading.energy, work: reading.work, quality };
    }
    let explained: Energy = loads.iter().map(|metered| metered.energy).sum();
    let (site, site_quality) = match sweep.site {
        Some(energy) => (energy, Quality::Measured),
        None => (explained, Quality::Estimated),
    };
    if band.moved {
        *band = Band::of(state);
    }
    MeteredInterval {
        during: sweep.during,
        site,
        site_quality,
        loads,
        unexplained: site - explained,
    }
}

fn part(energy: Energy) -> Energy {
    Energy::from_joules(energy.as_joules().abs() / TOLERANCE)
}

fn no_work(state: &State, load: LoadIx) -> Work {
    match &state.site.loads[load].kind {
        LoadKind::Rigs(_) => Work::Hashes(Hashes::ZERO),
        LoadKind::Racks(_) => Work::Gpu(GpuSeconds::ZERO),
        LoadKind::Battery(_) => Work::Stored(state.fleet.of(load).charge.least),
    }
}
