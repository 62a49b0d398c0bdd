//! What is believed: the site now, folded from signals, receipts and requests.
//!
//! Nothing here decides. A value that arrives late, twice or not at all changes
//! what is believed, and how old it is stays visible.

mod charge;
mod fleet;
mod peaks;
mod prices;

pub use charge::Charge;
pub use fleet::{Fleet, LoadState};
pub use peaks::{PeakOutlook, Peaks};
pub use prices::{Freshness, PriceBoard, PriceUsed};

use units::{Hashprice, Interval, Power, Pue, Seconds, Temperature, Timestamp};

use crate::decide::Setpoint;
use crate::signals::{Known, Signal};
use crate::site::{Hold, LoadIx, LockOut, Site};
use crate::step::{RefusedBecause, Request};

/// A temperature older than this is not known any more.
pub const TEMPERATURE_AGE_MAX: Seconds = Seconds::hours(3);

/// What is believed about the site.
#[derive(Clone, Debug)]
pub struct State {
    /// The site as configured.
    pub site: Site,
    /// Prices as they became known.
    pub prices: PriceBoard,
    /// The last day's hashprice known.
    pub hashprice: Option<Known<Hashprice>>,
    /// What is known of coming coincident peaks.
    pub peaks: Peaks,
    /// Limits the grid has set, with their times.
    pub limits: Vec<Known<Power>>,
    /// Who works on what: the site's dated entries and those made since.
    pub lock_outs: Vec<LockOut>,
    /// What is held by hand.
    pub holds: Vec<Hold>,
    /// Every load.
    pub fleet: Fleet,
    temperature: Option<Known<Temperature>>,
    /// The outside temperature of the last decision, and each load's overhead.
    decided_outside: Option<Temperature>,
    pues: Vec<Pue>,
}

impl State {
    /// What is believed before anything was heard: every load at rest.
    pub fn new(site: Site) -> Self {
        Self {
            prices: PriceBoard::default(),
            hashprice: None,
            peaks: Peaks::new(&site.tariff.coincident_peaks),
            limits: Vec::new(),
            lock_outs: site.lock_outs.clone(),
            holds: site.holds.clone(),
            fleet: Fleet::at_rest(&site),
            temperature: None,
            decided_outside: None,
            pues: (0..site.loads.len()).map(|load| site.pue_of(load, None)).collect(),
            site,
        }
    }

    /// Takes over a changed site. What was heard stays heard; dated entries are
    /// the new file's, with those made by hand since.
    pub fn replace_site(&mut self, site: Site) {
        let same_load = |load: LoadIx| site.load_named(&self.site.loads[load].name);
        let by_hand =
            self.lock_outs.iter().filter(|entry| !self.site.lock_outs.contains(entry));
        let kept = by_hand.filter_map(|entry| {
            same_load(entry.load).map(|load| LockOut { load, ..entry.clone() })
        });
        self.lock_outs =
            site.lock_outs.iter().cloned().chain(kept.collect::<Vec<_>>()).collect();
        let by_hand = self.holds.iter().filter(|entry| !self.site.holds.contains(entry));
        let kept = by_hand.filter_map(|entry| {
            same_load(entry.load).map(|load| Hold { load, ..entry.clone() })
        });
        self.holds = site.holds.iter().cloned().chain(kept.collect::<Vec<_>>()).collect();
        self.peaks = Peaks::new(&site.tariff.coincident_peaks);
        self.pues = (0..site.loads.len()).map(|load| site.pue_of(load, None)).collect();
        self.decided_outside = None;
        self.site = site;
    }

    /// Takes in what a person asked for.
    pub fn serve(
        &mut self,
        request: &Request,
        at: Timestamp,
    ) -> Result<(), RefusedBecause> {
        let load = match request {
            Request::LockOut(lock_out) => lock_out.load,
            Request::Hold(hold) => hold.load,
            Request::Release { load, .. } | Request::EndHold(load) => *load,
        };
        if load >= self.site.loads.len() {
            return Err(RefusedBecause::NoSuchLoad);
        }
        match request {
            Request::LockOut(lock_out) => self.lock_outs.push(lock_out.clone()),
            Request::Hold(hold) => {
                self.holds.retain(|kept| {
                    kept.load != load || !kept.during.overlaps(hold.during)
                });
                self.holds.push(hold.clone());
            }
            Request::Release { role, .. } => {
                let now =
                    |entry: &LockOut| entry.load == load && entry.during.contains(at);
                if self.lock_outs.iter().any(|entry| now(entry) && entry.role != *role) {
                    return Err(RefusedBecause::AnotherRoleLockedItOut);
                }
                self.lock_outs.retain(|entry| !now(entry));
            }
            Request::EndHold(_) => {
                self.holds.retain(|kept| kept.load != load || !kept.during.contains(at));
            }
        }
        Ok(())
    }

    /// What a load draws at the meter at a setpoint, at the overhead of the last
    /// decision.
    pub fn power_now(&self, load: LoadIx, setpoint: Setpoint) -> Power {
        match (setpoint, self.site.loads[load].machines()) {
            (Setpoint::Level(level), Some(machines)) => {
                self.pues[load].at_meter(machines.power_at(level))
            }
            (Setpoint::Level(_), None) => Power::ZERO,
            (Setpoint::Power(power), _) => power,
        }
    }

    /// Counts on what every battery holds, up to a decision.
    pub(crate) fn count_charges(&mut self, at: Timestamp) {
        self.fleet.count_charges(&self.site, at);
    }

    /// Drops what ended before `at`, when an interval from `at` on is decided.
    pub(crate) fn forget_before(&mut self, at: Timestamp) {
        self.prices.forget_before(at);
        self.limits.retain(|limit| limit.during.end > at);
    }

    /// Keeps the overheads that a decision was taken at. Returns whether they
    /// changed.
    pub(crate) fn overheads_at(&mut self, outside: Option<Temperature>) -> bool {
        if outside == self.decided_outside {
            return false;
        }
        self.decided_outside = outside;
        for (load, pue) in self.pues.iter_mut().enumerate() {
            *pue = self.site.pue_of(load, outside);
        }
        true
    }

    /// Takes in a signal that reached us at `at`. Readings are the meter's
    /// business and change only what a battery is believed to hold.
    pub fn learn(&mut self, signal: &Signal, at: Timestamp) {
        match signal {
            Signal::Price(price) => self.prices.learn(*price),
            Signal::Hashprice(hashprice) => keep_newest(&mut self.hashprice, *hashprice),
            Signal::Temperature(outside) => keep_newest(&mut self.temperature, *outside),
            Signal::DemandForecast(demand) => self.peaks.learn_demand(*demand, at),
            Signal::PeakProbability(share) => self.peaks.learn_probability(*share, at),
            Signal::ImportLimit(limit) => {
                self.limits.push(*limit);
            }
            Signal::Sweep(sweep) => self.fleet.learn_stored(&self.site, sweep),
        }
    }

    /// The outside temperature at `at`, if one is known and not too old.
    pub fn outside(&self, at: Timestamp) -> Option<Temperature> {
        self.temperature
            .filter(|known| at - known.during.end <= TEMPERATURE_AGE_MAX)
            .map(|known| known.value)
    }

    /// The hashprice to decide on at `at`: the newest known, unless it is older
    /// than the policy allows.
    pub fn hashprice_at(&self, at: Timestamp) -> Option<Known<Hashprice>> {
        let age_max = self.site.policy.hashprice_age_max;
        self.hashprice.filter(|known| at - known.during.end <= age_max)
    }

    /// The tightest limit on import that touches `interval`.
    pub fn import_limit(&self, interval: Interval) -> Power {
        self.limits
            .iter()
            .filter(|limit| limit.during.overlaps(interval))
            .map(|limit| limit.value)
            .fold(self.site.interconnection.import_limit, Power::min)
            .max(Power::ZERO)
    }

    /// The lock-out on a load that touches `interval`.
    pub fn lock_out(&self, load: LoadIx, interval: Interval) -> Option<&LockOut> {
        self.lock_outs.iter().find(|l| l.load == load && l.during.overlaps(interval))
    }

    /// Whether a person works on a load at `at`.
    pub fn is_locked_out(&self, load: LoadIx, at: Timestamp) -> bool {
        self.lock_outs.iter().any(|l| l.load == load && l.during.contains(at))
    }

    /// The hold on a load that touches `interval`; of several, the lowest.
    pub fn hold(&self, load: LoadIx, interval: Interval) -> Option<&Hold> {
        let touching = |h: &&Hold| h.load == load && h.during.overlaps(interval);
        self.holds.iter().filter(touching).min_by_key(|h| h.power)
    }
}

/// A later interval wins; within one interval, the later knowledge does.
fn keep_newest<T: Copy>(kept: &mut Option<Known<T>>, new: Known<T>) {
    let newer = kept.is_none_or(|old| {
        (new.during.start, new.known_at) >= (old.during.start, old.known_at)
    });
    if newer {
        *kept = Some(new);
    }
}
