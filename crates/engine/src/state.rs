//! What is believed: the site now, folded from signals, receipts and requests.
//!
//! Nothing here decides. A value that arrives late, twice or not at all changes
//! what is believed, and how old it is stays visible.

mod by_hand;
mod charge;
mod crew;
mod exposures;
mod fleet;
mod forecasts;
mod obligations;
mod offers;
mod peaks;
mod prices;
mod residual;

pub use charge::Charge;
pub use crew::{Crew, Duty, Machine, Standing};
pub use exposures::Exposures;
pub use fleet::{Fleet, LoadState, Reach};
pub(crate) use forecasts::QUARTER;
pub use forecasts::{Expected, Forecasts};
pub use obligations::{
    CONFIRM_WITHIN, Cap, INSTRUCTIONS_MAX, InForce, Lapse, Lift, LiftOf, NotUsed,
    Obligations, Passed,
};
pub(crate) use offers::sold;
pub use offers::{Offers, OnOffer};
pub use peaks::{PeakOutlook, Peaks};
pub use prices::{Freshness, PriceBoard, PriceUsed};
pub(crate) use residual::ordinary;
pub use residual::{Believed, Doubt, Residual};

use serde::{Deserialize, Serialize};
use units::{Hashprice, Interval, Power, Pue, Seconds, Temperature, Timestamp};

use crate::decide::{Dispatch, Entry, Setpoint};
use crate::people::{Person, RefusedBecause, Request};
use crate::signals::{Ask, Instruction, Known, Signal, Source};
use crate::site::{Hold, LoadIx, LockOut, Maintenance, Site};

/// A temperature older than this is not known any more.
pub const TEMPERATURE_AGE_MAX: Seconds = Seconds::hours(3);

/// What is believed about the site.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    /// The site as configured.
    pub site: Site,
    /// Prices as they became known.
    pub prices: PriceBoard,
    /// Prices that are expected.
    pub forecasts: Forecasts,
    /// The last day's hashprice known.
    pub hashprice: Option<Known<Hashprice>>,
    /// What is known of coming coincident peaks.
    pub peaks: Peaks,
    /// What the grid asked for.
    pub obligations: Obligations,
    /// What its tranches under contract stand to lose.
    pub exposures: Exposures,
    /// What of its racks is on offer, and what is offered for it.
    pub offers: Offers,
    /// What the site draws beyond what its loads explain.
    pub residual: Residual,
    /// What the last decision rested on, where it is decided again if that is worse.
    decided: Decided,
    /// Who works on what: the site's dated entries and those made since.
    pub lock_outs: Vec<LockOut>,
    /// What is held by hand.
    pub holds: Vec<Hold>,
    /// What is out of service.
    pub maintenances: Vec<Maintenance>,
    /// What machines were last told of who works on them.
    marks: Vec<by_hand::Mark>,
    /// Every load.
    pub fleet: Fleet,
    temperature: Option<Known<Temperature>>,
    /// The outside temperature of the last decision, and each load's overhead.
    decided_outside: Option<Temperature>,
    pues: Vec<Pue>,
}

impl State {
    /// What is believed before anything was heard: every load at rest, each group
    /// of like machines one ideal device.
    pub fn new(site: Site) -> Self {
        Self::of(Fleet::at_rest(&site), site)
    }

    /// The same, known machine by machine.
    pub fn by_machine(site: Site) -> Self {
        Self::of(Fleet::by_machine(&site), site)
    }

    fn of(fleet: Fleet, site: Site) -> Self {
        Self {
            prices: PriceBoard::default(),
            forecasts: Forecasts::new(&site.policy.look_ahead),
            hashprice: None,
            peaks: Peaks::new(&site.tariff.coincident_peaks),
            obligations: Obligations::default(),
            exposures: Exposures::default(),
            offers: Offers::default(),
            residual: Residual::default(),
            decided: Decided::default(),
            lock_outs: site.lock_outs.clone(),
            holds: site.holds.clone(),
            maintenances: Vec::new(),
            marks: Vec::new(),
            fleet,
            temperature: None,
            decided_outside: None,
            pues: (0..site.loads.len()).map(|load| site.pue_of(load, None)).collect(),
            site,
        }
    }

    /// Takes over a changed site. What was heard stays heard; dated entries are
    /// the new file's, with those made by hand since.
    pub fn replace_site(&mut self, site: Site) {
        self.carry_by_hand(&site);
        let obligations = std::mem::take(&mut self.obligations);
        self.obligations = obligations.carried_over(&self.site, &site);
        self.peaks = Peaks::new(&site.tariff.coincident_peaks);
        self.forecasts.keep_for(&site.policy.look_ahead);
        self.pues = (0..site.loads.len()).map(|load| site.pue_of(load, None)).collect();
        self.decided_outside = None;
        self.site = site;
        self.forget_marks();
    }

    /// Takes in what a person asked for.
    pub fn serve(
        &mut self,
        by: &Person,
        request: &Request,
        at: Timestamp,
    ) -> Result<(), RefusedBecause> {
        by.readable()?;
        self.serve_by_hand(by, request, at)
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

    /// How long loads hold an order without another word; `None` where each load
    /// is an ideal device that needs none.
    pub(crate) fn lease_length(&self) -> Option<Seconds> {
        self.fleet.is_by_machine().then_some(self.site.policy.lease)
    }

    /// A new dispatch: machines that were left alone take orders again, and those
    /// that a person works on are known to.
    pub(crate) fn aim_crew(&mut self, load: LoadIx, at: Timestamp) {
        self.fleet.change_crew(&self.site, load, |crew, machines| crew.aim(machines, at));
    }

    /// Counts on what every battery holds, up to a decision.
    pub(crate) fn count_charges(&mut self, at: Timestamp) {
        self.fleet.count_charges(&self.site, at);
    }

    /// Drops what ended before `at`, when an interval from `at` on is decided.
    pub(crate) fn forget_before(&mut self, at: Timestamp) {
        self.prices.forget_before(at);
        self.forecasts.forget_before(at);
        self.offers.forget_before(at);
        self.forget_by_hand(at);
        self.obligations.forget_before(&self.site, at);
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
            Signal::Price(price) => {
                self.prices.learn(*price);
                self.forecasts.learn_price(*price);
            }
            Signal::Forecast(forecast) => self.forecasts.learn(forecast, at),
            Signal::Hashprice(hashprice) => keep_newest(&mut self.hashprice, *hashprice),
            Signal::Temperature(outside) => keep_newest(&mut self.temperature, *outside),
            Signal::DemandForecast(demand) => self.peaks.learn_demand(*demand, at),
            Signal::PeakProbability(share) => self.peaks.learn_probability(*share, at),
            Signal::Sweep(sweep) => self.fleet.learn_stored(&self.site, sweep),
            Signal::Exposure(exposure) => self.exposures.learn(&self.site, exposure),
            Signal::SpotOffer(offer) => self.offers.learn(*offer),
            Signal::Instruction(_) | Signal::Heard(_) | Signal::Draw(_) => {}
        }
    }

    /// Takes in what the grid says. A price counts as one of the market, where
    /// nothing nearer to it is known.
    pub(crate) fn learn_instruction(
        &mut self,
        instruction: &Instruction,
        at: Timestamp,
    ) -> Result<(), NotUsed> {
        self.obligations.learn(&self.site, instruction, at)?;
        if let Ask::Price(value) = instruction.ask {
            let Instruction { during, known_at, .. } = *instruction;
            self.prices.learn(Known { value, during, known_at, source: Source::Grid });
        }
        Ok(())
    }

    /// Takes in what the site draws now. Returns why that is not believed, when it
    /// is new.
    pub(crate) fn learn_draw(
        &mut self,
        draw: Known<Power>,
        at: Timestamp,
    ) -> Option<Doubt> {
        let grid = &self.site.interconnection;
        let (import, export) = (grid.import_limit, grid.export_limit);
        let believed = self.believed();
        self.residual.hear(draw.value, draw.known_at, at, believed, import, export)
    }

    /// What loads are believed to draw together.
    pub fn believed(&self) -> Believed {
        let mut sum =
            Believed { least: Power::ZERO, ordered: Power::ZERO, most: Power::ZERO };
        for load in 0..self.site.loads.len() {
            let belief = self.fleet.of(load);
            sum.least += belief.draw_at_least(|s| self.power_now(load, s));
            sum.ordered += self.power_now(load, belief.ordered);
            sum.most += belief.draw_at_most(|s| self.power_now(load, s));
        }
        sum
    }

    /// What the last decision rested on.
    pub(crate) fn decided(&self) -> &Decided {
        &self.decided
    }

    /// A decision was taken at `at`.
    pub(crate) fn was_decided(&mut self, dispatch: &Dispatch, at: Timestamp) {
        let draw = |entry: &Entry| entry.to.max(Power::ZERO);
        self.decided = Decided {
            asked: dispatch.asked.clone(),
            unexplained: dispatch.unexplained,
            drawn: dispatch.entries.iter().map(draw).sum(),
            at: Some(at),
        };
    }

    /// The price that is expected at `at`, by the source that the policy names.
    pub fn expected(&self, at: Timestamp) -> Option<Expected> {
        let day_ahead = || self.prices.day_ahead_at(at);
        self.forecasts.expected(&self.site.policy.look_ahead, at, day_ahead)
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

    /// The tightest limit on import that touches `interval` and binds every load.
    pub fn import_limit(&self, interval: Interval) -> Power {
        self.obligations.in_force(&self.site, interval).import_limit(&self.site)
    }
}

/// What a decision rested on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Decided {
    /// What the grid asked of its interval.
    pub(crate) asked: InForce,
    /// What the site drew beyond what its loads explained.
    pub(crate) unexplained: Power,
    /// What loads were asked to draw together.
    pub(crate) drawn: Power,
    /// When it was taken.
    pub(crate) at: Option<Timestamp>,
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
