//! The decision for one interval, as a document.
//!
//! A dispatch leaves nothing to choose: every load of the site appears, in the
//! site's order, with a setpoint and a reason that can be checked from the
//! figures in the same document.

use serde::{Deserialize, Serialize};
use units::{
    EnergyPrice, GpuHourPrice, Hashprice, Interval, Power, Temperature, Timestamp,
};

use super::room::Import;
use super::{Outlook, Reason};
use crate::signals::{Exposure, Known};
use crate::site::{LoadIx, LoadKind, Site};
use crate::state::{InForce, Lift, LiftOf, OnOffer, PriceUsed, Reach};

/// What a load is asked to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Setpoint {
    /// How many steps of its curve a group of machines has taken.
    Level(u32),
    /// What a battery takes at the meter; negative gives back.
    Power(Power),
}

/// The decision for one interval.
#[must_use = "a dispatch that nobody carries out is not a decision"]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispatch {
    /// What it decides.
    pub interval: Interval,
    /// Rises by one with each decision; an order of an older one is refused.
    pub generation: u64,
    /// Whether it answers an emergency, between ticks.
    pub emergency: bool,
    /// The price it was decided on; `None` when none was ever heard.
    pub price: Option<PriceUsed>,
    /// The tariff's adders per imported MWh.
    pub adders: EnergyPrice,
    /// What a coincident peak is expected to add per MWh; `None` where a rule
    /// applies and nothing forecasts its peak.
    pub peak_adder: Option<EnergyPrice>,
    /// The hashprice it was decided on.
    pub hashprice: Option<Known<Hashprice>>,
    /// The outside temperature its overheads were taken at.
    pub outside: Option<Temperature>,
    /// The tightest limit on import that binds every load.
    pub import_limit: Power,
    /// The tightest that binds what can be shed: the same, or a best-effort one
    /// below it.
    pub sheddable_limit: Power,
    /// What the site draws beyond what its loads explain: it comes off both.
    pub unexplained: Power,
    /// On what it looked ahead; `None` where it did not.
    pub outlook: Option<Outlook>,
    /// What the grid asks of the interval.
    pub asked: InForce,
    /// What tranches under contract stand to lose, by tranche.
    pub exposures: Vec<Exposure>,
    /// What is offered for a GPU-hour of racks on offer.
    pub spot: Option<Known<GpuHourPrice>>,
    /// What of its racks is on offer, by load.
    pub on_offer: Vec<OnOffer>,
    /// One entry a load, in the site's order.
    pub entries: Vec<Entry>,
}

/// What one load is asked, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What it was asked before, at the meter.
    pub from: Power,
    /// What it is asked now, at the meter.
    pub to: Power,
    /// The same, as the load takes it.
    pub setpoint: Setpoint,
    /// How far it could be moved, in levels; nothing for a battery.
    pub reach: Reach,
    /// What its marginal MWh at the meter is worth; `None` where nobody knows.
    pub worth: Option<EnergyPrice>,
    /// Why.
    pub reason: Reason,
}

impl Dispatch {
    /// What a MWh costs at the margin; `None` when no price is known or the one
    /// known has expired.
    pub fn cost(&self) -> Option<EnergyPrice> {
        let price = self.price.filter(PriceUsed::is_known)?;
        Some(price.known.value + self.adders + self.peak_adder.unwrap_or_default())
    }

    /// What loads together may draw, with what no load explains taken off.
    pub(crate) fn import(&self) -> Import {
        let left = |limit: Power| limit - self.unexplained;
        Import { all: left(self.import_limit), sheddable: left(self.sheddable_limit) }
    }

    /// What counts towards a level to draw up to: the whole site with what no load
    /// explains, or the loads that a programme may trip.
    pub fn drawn(&self, site: &Site, lift: Lift) -> Power {
        match lift.of {
            LiftOf::Site => self.net() + self.unexplained,
            LiftOf::Armed => {
                let programme = &site.programmes[lift.programme];
                let trips = |(load, _): &(LoadIx, &Entry)| programme.trips(site, *load);
                let entries = self.entries.iter().enumerate().filter(trips);
                entries.map(|(_, entry)| entry.to.max(Power::ZERO)).sum()
            }
        }
    }

    /// What the whole site is asked to draw, at the meter.
    pub fn net(&self) -> Power {
        self.entries.iter().map(|entry| entry.to).sum()
    }

    /// One line a load: when, which, from what to what, and why.
    pub fn explain<'a>(&'a self, site: &'a Site) -> impl Iterator<Item = String> + 'a {
        let width = site.loads.iter().map(|load| load.name.len()).max().unwrap_or(0);
        (0..self.entries.len()).map(move |load| self.explain_load(site, load, width))
    }

    /// The line of one load, its name padded to `width`.
    pub fn explain_load(&self, site: &Site, load: LoadIx, width: usize) -> String {
        let entry = &self.entries[load];
        format!(
            "{}  {:width$}  {:>9} -> {:>9} MW  {}",
            clock(self.interval.start),
            site.loads[load].name,
            entry.from.to_mw_text(3),
            entry.to.to_mw_text(3),
            entry.reason.explain(self, site, load),
        )
    }
}

/// Hours and minutes of an instant, in UTC.
pub(super) fn clock(at: Timestamp) -> String {
    let seconds = at.as_unix_seconds().rem_euclid(86_400);
    format!("{:02}:{:02}", seconds / 3_600, seconds % 3_600 / 60)
}

impl Site {
    /// What a load draws at the meter at a setpoint, with its share of cooling
    /// at an outside temperature.
    pub fn power_at(
        &self,
        load: LoadIx,
        setpoint: Setpoint,
        outside: Option<Temperature>,
    ) -> Power {
        match (setpoint, &self.loads[load].kind) {
            (Setpoint::Power(power), _) => power,
            (Setpoint::Level(level), LoadKind::Rigs(rigs)) => {
                self.pue_of(load, outside).at_meter(rigs.machines.power_at(level))
            }
            (Setpoint::Level(level), LoadKind::Racks(racks)) => {
                self.pue_of(load, outside).at_meter(racks.machines.power_at(level))
            }
            (Setpoint::Level(_), LoadKind::Battery(_)) => Power::ZERO,
        }
    }
}
