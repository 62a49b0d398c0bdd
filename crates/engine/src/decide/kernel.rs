//! The decision of one interval, at the level of groups and without its document.
//!
//! A plan of years asks for the same decision tens of millions of times, and reads
//! neither reasons nor setpoints. A [`Kernel`] takes the same steps in the same order
//! under the same limits as [`decide`](super::decide): loads at rest, then contracts,
//! then whatever is worth its cost, the worthiest first. What it leaves out is what
//! nothing in a plan says: people, instructions, batteries, and what couples one
//! interval to another within the hour.
//!
//! Invariant: where those are absent, the levels are those of the dispatch.
//! Invariant: nothing is allocated for an interval in which only the cost is another.

use std::cmp::Reverse;

use units::{EnergyPrice, Hashprice, Power, Pue};

use super::highest_level;
use super::merit::{self, By, Step, Worths};
use super::outlook::Bands;
use super::room::{Import, Room};
use crate::site::{LoadIx, LoadKind, Racks, Rigs, Site, Terms};

/// Decides the intervals of one imagined site, one after the other.
#[derive(Clone, Debug)]
pub struct Kernel {
    site: Site,
    present: Vec<bool>,
    hashprice: Option<Hashprice>,
    pues: Vec<Pue>,
    worths: Vec<Worths>,
    /// Loads under contract, the dearest to lose first.
    firm: Vec<LoadIx>,
    /// What is left under every limit once contracts are met.
    after_firm: Room,
    /// Level and draw of each load after rest and contracts.
    least: Vec<(u32, Power)>,
    steps: Vec<Step>,
    room: Room,
    /// Level and draw of each load in the decision in the making.
    next: Vec<(u32, Power)>,
    levels: Vec<u32>,
    draws: Vec<Power>,
    draw: Power,
    settled: Vec<bool>,
    /// Whether loads, terms or worths changed since the last decision.
    changed: bool,
    /// Between which costs the last decision stands as it is: above the first, up to
    /// the second.
    stands: Option<(EnergyPrice, EnergyPrice)>,
}

impl Kernel {
    /// A site whose loads are all present and at rest.
    ///
    /// Panics on a site with a battery: what it holds is not decided here.
    pub fn new(site: Site) -> Self {
        assert!(
            site.loads.iter().all(|load| load.machines().is_some()),
            "a kernel decides machines; a battery couples intervals"
        );
        let count = site.loads.len();
        let room = Room::whole(&site, Import::whole(&site));
        Self {
            present: vec![true; count],
            hashprice: None,
            pues: (0..count).map(|load| site.pue_of(load, None)).collect(),
            worths: vec![Worths::default(); count],
            firm: Vec::with_capacity(count),
            after_firm: room.clone(),
            least: vec![(0, Power::ZERO); count],
            steps: Vec::with_capacity(count * 8),
            room,
            next: vec![(0, Power::ZERO); count],
            levels: vec![0; count],
            draws: vec![Power::ZERO; count],
            draw: Power::ZERO,
            settled: vec![false; count],
            changed: true,
            stands: None,
            site,
        }
    }

    /// The site as it is now.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// What a petahash per second is known to earn.
    pub fn set_hashprice(&mut self, hashprice: Option<Hashprice>) {
        self.changed |= self.hashprice != hashprice;
        self.hashprice = hashprice;
    }

    /// Whether a load is there at all.
    pub fn set_present(&mut self, load: LoadIx, present: bool) {
        self.changed |= self.present[load] != present;
        self.present[load] = present;
    }

    /// On what terms racks serve; nothing for other loads.
    pub fn set_terms(&mut self, load: LoadIx, of: Terms) {
        if let LoadKind::Racks(Racks { terms, .. }) = &mut self.site.loads[load].kind {
            self.changed |= *terms != of;
            *terms = of;
        }
    }

    /// The level of each load, as last decided.
    pub fn levels(&self) -> &[u32] {
        &self.levels
    }

    /// What each load draws at the meter, as last decided.
    pub fn draws(&self) -> &[Power] {
        &self.draws
    }

    /// What all of them draw.
    pub fn draw(&self) -> Power {
        self.draw
    }

    /// Decides an interval in which a MWh costs `cost`; returns whether any load
    /// changes its level.
    pub fn decide(&mut self, cost: EnergyPrice) -> bool {
        if self.changed {
            self.refresh();
        } else if let Some((above, up_to)) = self.stands
            && above < cost
            && cost <= up_to
        {
            return false;
        }
        self.room.copy_from(&self.after_firm);
        self.next.copy_from_slice(&self.least);
        self.settled.fill(false);
        let (mut above, mut up_to) = (LEAST, MOST);
        for at in 0..self.steps.len() {
            let step = self.steps[at];
            if self.site.policy.follows_price && step.rank < cost {
                // Every step that follows ranks no higher.
                above = step.rank;
                break;
            }
            if !self.settled[step.load] {
                up_to = step.rank;
                self.take(&step);
            }
        }
        if !self.site.policy.follows_price {
            up_to = MOST;
        }
        let moved = self.next.iter().zip(&self.levels).any(|(next, now)| next.0 != *now);
        self.draw = Power::ZERO;
        for (load, (level, draw)) in self.next.iter().enumerate() {
            self.levels[load] = *level;
            self.draws[load] = *draw;
            self.draw += *draw;
        }
        self.stands = if moved {
            // Steps are cut where loads stand, and they stand elsewhere now.
            self.put_in_order();
            None
        } else {
            Some((above, up_to))
        };
        moved
    }

    /// Works out worths, and what rest and contracts leave.
    fn refresh(&mut self) {
        self.changed = false;
        self.stands = None;
        for load in 0..self.site.loads.len() {
            let shape = &self.site.loads[load];
            let by = By { hashprice: self.hashprice, ..By::default() };
            self.worths[load] = Worths::of(&self.site, shape, by, self.pues[load]);
        }
        self.firm.clear();
        let firm =
            |load: &LoadIx| self.present[*load] && self.site.loads[*load].is_firm();
        self.firm.extend((0..self.site.loads.len()).filter(firm));
        let worths = &self.worths;
        self.firm.sort_by_key(|load| Reverse(worths[*load].points.first().copied()));

        self.room = Room::whole(&self.site, Import::whole(&self.site));
        for load in 0..self.site.loads.len() {
            let machines =
                self.site.loads[load].machines().filter(|_| self.present[load]);
            let rest =
                machines.map_or(Power::ZERO, |m| self.pues[load].at_meter(m.floor()));
            self.room.take(&self.site, load, rest);
            self.next[load] = (0, rest);
            if !self.present[load] {
                self.levels[load] = 0;
            }
        }
        for at in 0..self.firm.len() {
            let load = self.firm[at];
            let Some(machines) = self.site.loads[load].machines() else { continue };
            self.raise(load, machines.level_max());
        }
        self.least.copy_from_slice(&self.next);
        self.after_firm = self.room.clone();
        self.put_in_order();
    }

    fn put_in_order(&mut self) {
        self.steps.clear();
        let hysteresis = self.site.policy.hysteresis;
        for (load, shape) in self.site.loads.iter().enumerate() {
            let (LoadKind::Rigs(Rigs { machines, .. })
            | LoadKind::Racks(Racks { machines, .. })) = &shape.kind
            else {
                continue;
            };
            if !self.present[load] || shape.is_firm() {
                continue;
            }
            let worths = &self.worths[load];
            let bands = |point| Bands::stated(point, worths, hysteresis);
            let level = self.levels[load];
            merit::steps_of(&mut self.steps, load, machines, level, 0, worths, bands);
        }
        merit::sort(&mut self.steps);
    }

    /// Takes a step as far as limits leave room; a limit that stops it stops the load.
    fn take(&mut self, step: &Step) {
        let wanted = self.next[step.load].0 + step.machines;
        self.raise(step.load, wanted);
        self.settled[step.load] = self.next[step.load].0 < wanted;
    }

    /// Raises a load towards `wanted` as far as every limit allows.
    fn raise(&mut self, load: LoadIx, wanted: u32) {
        let Some(machines) = self.site.loads[load].machines() else { return };
        let (now, drawn) = self.next[load];
        let (room, _) = self.room.left_for(&self.site, load);
        let pue = self.pues[load];
        let ceiling = drawn + room.max(Power::ZERO);
        let reached = highest_level(machines, pue, now, wanted, ceiling);
        let to = pue.at_meter(machines.power_at(reached));
        self.room.take(&self.site, load, to - drawn);
        self.next[load] = (reached, to);
    }
}

const LEAST: EnergyPrice = EnergyPrice::from_micro_usd_per_mwh(i64::MIN);
const MOST: EnergyPrice = EnergyPrice::from_micro_usd_per_mwh(i64::MAX);
