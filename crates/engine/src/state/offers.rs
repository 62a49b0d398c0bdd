//! What of the site's racks is on offer, as follows from who has them, and what is
//! offered for it.

use serde::{Deserialize, Serialize};
use units::{GpuHourPrice, Timestamp};

use super::crew::Duty;
use crate::capacity::{Estate, RackNo, RackUse};
use crate::signals::Known;
use crate::site::{LoadIx, LoadKind, Racks, Site, Terms};

/// What of a load's racks is on offer, where the site says which racks they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnOffer {
    /// The load.
    pub load: LoadIx,
    /// Racks that are promised, being tested or being wiped.
    pub held: u32,
    /// Those of them that rested when it was decided.
    pub down: u32,
    /// Racks that may be sold by the hour.
    pub offered: u32,
    /// Those of them that are promised, with the notice running.
    pub noticed: u32,
    /// GPUs of the racks on offer that may be sold.
    pub gpus: u32,
    /// When the first notice is over.
    pub until: Option<Timestamp>,
}

/// What is on offer, and what is offered for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offers {
    loads: Vec<OnOffer>,
    /// When a tray on offer was not seen for too long, if no look comes.
    unseen: Option<Timestamp>,
    /// Offers that are not over, in the order in which they were heard.
    spot: Vec<Known<GpuHourPrice>>,
}

/// The most offers that are kept; the oldest goes first.
const SPOT_MAX: usize = 1_024;

impl Offers {
    /// What is on offer, load by load.
    pub fn loads(&self) -> &[OnOffer] {
        &self.loads
    }

    /// What is on offer of one load.
    pub fn of(&self, load: LoadIx) -> Option<&OnOffer> {
        self.loads.iter().find(|one| one.load == load)
    }

    /// The offer for a GPU-hour that stands at `at`: of those about it, the last
    /// known.
    pub fn spot(&self, at: Timestamp) -> Option<Known<GpuHourPrice>> {
        let about = self.spot.iter().filter(|one| one.during.contains(at));
        about.max_by_key(|one| one.known_at).copied()
    }

    /// Keeps an offer. A later one for the same time takes its place.
    pub(super) fn learn(&mut self, offer: Known<GpuHourPrice>) {
        let later = |old: &Known<GpuHourPrice>| {
            old.during == offer.during && old.known_at > offer.known_at
        };
        if self.spot.iter().any(later) {
            return;
        }
        self.spot.retain(|old| old.during != offer.during);
        if self.spot.len() == SPOT_MAX {
            self.spot.remove(0);
        }
        self.spot.push(offer);
    }

    /// Drops offers that were over before `at`.
    pub(super) fn forget_before(&mut self, at: Timestamp) {
        self.spot.retain(|one| one.during.end > at);
    }

    /// When what is on offer changes by itself, and why.
    fn next_change(&self) -> Option<(Timestamp, &'static str)> {
        let notice = self.loads.iter().filter_map(|one| one.until).min();
        let notice = notice.map(|due| (due, "the notice for racks on offer is over"));
        let unseen = self.unseen.map(|due| (due, "a rack on offer was not seen lately"));
        [notice, unseen].into_iter().flatten().min()
    }
}

/// What a load's racks come to by who has them at `at`, and what each may be ordered.
/// Nothing for a load whose racks the site does not name, or that is under contract.
/// Takes note in `unseen` of when the first tray on offer was not seen for too long.
fn on_offer(
    site: &Site,
    estate: &Estate,
    load: LoadIx,
    at: Timestamp,
    unseen: &mut Option<Timestamp>,
) -> Option<(OnOffer, Vec<Duty>)> {
    let LoadKind::Racks(racks) = &site.loads[load].kind else { return None };
    let Terms::Uncommitted { notice, .. } = racks.terms else { return None };
    let first = racks.rack_name(0)?;
    let first = estate.rack_named(&first);
    // Racks mostly came in the order of their names.
    let in_order = |number: u32| {
        let rack = RackNo(first?.0 + number);
        let found = estate.racks().get(rack.0 as usize)?;
        racks.is_rack(number, &found.name).then_some(rack)
    };
    let mut sum =
        OnOffer { load, held: 0, down: 0, offered: 0, noticed: 0, gpus: 0, until: None };
    let duty = |number: u32| {
        let by_name = || estate.rack_named(&racks.rack_name(number)?);
        let rack = in_order(number).or_else(by_name);
        match rack.map(|rack| estate.rack_use(rack, at, notice)) {
            Some(RackUse::Held) => {
                sum.held += 1;
                Duty::Held
            }
            Some(RackUse::Offered { gpus, until, unseen: lapses }) => {
                *unseen = [*unseen, Some(lapses)].into_iter().flatten().min();
                sum.offered += 1;
                sum.noticed += u32::from(until.is_some());
                sum.gpus += gpus;
                sum.until = [sum.until, until].into_iter().flatten().min();
                Duty::Free
            }
            Some(RackUse::Dark) | None => Duty::Dark,
        }
    };
    let duties = (0..racks.machines.count).map(duty).collect();
    Some((sum, duties))
}

/// What a GPU-hour of a load's racks earns, and how many of their GPUs a rack on offer
/// sells: a part and a whole.
pub(crate) fn sold(
    racks: &Racks,
    posted: GpuHourPrice,
    on_offer: Option<&OnOffer>,
    spot: Option<GpuHourPrice>,
) -> (GpuHourPrice, (u32, u32)) {
    let gpus = match on_offer {
        Some(OnOffer { gpus, offered: offered @ 1.., .. }) => (*gpus, *offered),
        Some(_) | None => (racks.gpus_per_rack, 1),
    };
    (spot.unwrap_or(posted), gpus)
}

impl super::State {
    /// Takes on what follows from who has the racks. Returns whether what a decision
    /// rests on changed.
    pub(crate) fn take_offers(&mut self, estate: &Estate, at: Timestamp) -> bool {
        if !self.fleet.is_by_machine() {
            return false;
        }
        let mut changed = false;
        let (mut loads, mut unseen) = (Vec::new(), None);
        for load in 0..self.site.loads.len() {
            if !matches!(self.site.loads[load].kind, LoadKind::Racks(_)) {
                continue;
            }
            let found = on_offer(&self.site, estate, load, at, &mut unseen);
            let duties = found.as_ref().map_or(&[][..], |(_, duties)| duties);
            let taken = self.fleet.change_crew(&self.site, load, |crew, machines| {
                crew.take_duties(machines, duties)
            });
            changed |= taken == Some(true);
            loads.extend(found.map(|(sum, _)| sum));
        }
        changed |= self.offers.loads != loads;
        self.offers.loads = loads;
        self.offers.unseen = unseen;
        changed
    }

    /// What is on offer, and which of what is held rests now.
    pub(crate) fn offers_now(&self) -> Vec<OnOffer> {
        let now = |one: &OnOffer| {
            let crew = self.fleet.crew(one.load);
            OnOffer { down: crew.map_or(0, |crew| crew.sums().held_down), ..*one }
        };
        self.offers.loads.iter().map(now).collect()
    }

    /// The next instant at which a notice is over or a rack was not seen for too long,
    /// and which of the two.
    pub(crate) fn offers_change_at(&self) -> Option<(Timestamp, &'static str)> {
        self.offers.next_change()
    }
}

impl OnOffer {
    /// Racks that cannot be sold and are not held.
    pub fn dark(&self, site: &Site) -> u32 {
        let count = site.loads[self.load].machines().map_or(0, |machines| machines.count);
        count - self.held - self.offered
    }
}
