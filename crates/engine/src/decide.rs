//! Decides where the megawatts go in one interval.
//!
//! [`decide`] reads the state and returns a [`Dispatch`]: a document that
//! leaves nothing to choose. It changes nothing and asks nobody.
//!
//! An interval is decided by worth against marginal cost, with a band for what a
//! changeover costs. What couples it to those after it is planned over the costs
//! that are expected, and the first step of the plan is what is decided.
//!
//! Invariant: every load of the site appears in the dispatch, with a reason.
//! Invariant: the answer depends on the state and the interval alone.

pub mod ahead;
mod dispatch;
mod kernel;
mod merit;
mod outlook;
mod reason;
pub(crate) mod room;

pub use dispatch::{Dispatch, Entry, Setpoint};
pub use kernel::Kernel;
pub use merit::earned;
pub use outlook::Outlook;
pub use reason::{Limit, Reason};

use std::cmp::Reverse;

use merit::{By, Step, Worths};
use outlook::{Ahead, Course, Plan, Planner, Values};
use room::Room;
use units::{
    EnergyPrice, GpuHourPrice, Hashprice, Interval, Power, Pue, Temperature, Timestamp,
};

use crate::site::{Battery, LoadIx, LoadKind, Machines, ProgrammeIx, Racks, Rigs, Site};
use crate::state::{
    Charge, Freshness, Lift, LiftOf, OnOffer, PeakOutlook, PriceUsed, Reach, State,
};

/// Decides `interval` as dispatch number `generation`.
///
/// Later steps may use only what earlier steps left, so the order below is the
/// order of what matters: people and equipment, then the grid, then contracts,
/// then money.
pub fn decide(
    state: &State,
    memo: &mut Memo,
    interval: Interval,
    generation: u64,
    emergency: bool,
) -> Dispatch {
    memo.refresh(state, interval);
    let mut draft = Draft::new(state, memo, interval, generation, emergency);

    draft.rest_every_load();
    draft.respect_lock_outs();
    draft.respect_trips();
    draft.meet_contracts();
    draft.respect_holds();
    draft.look_ahead();
    draft.move_battery();
    draft.fill_by_value();
    draft.bound_export();
    draft.draw_as_instructed();

    draft.dispatch
}

/// What stays the same from one interval to the next: worths change once a day,
/// merit order when a load moves. Kept because they are asked for every
/// interval; never changes an answer.
#[derive(Clone, Debug, Default)]
pub struct Memo {
    basis: Option<(Option<Hashprice>, Option<Temperature>)>,
    /// What a lost MWh at the plug of each load under contract costs.
    lost: Vec<Option<EnergyPrice>>,
    /// What is offered for a GPU-hour, and what of which load is on offer.
    spot: Option<GpuHourPrice>,
    on_offer: Vec<OnOffer>,
    worths: Vec<Worths>,
    pues: Vec<Pue>,
    /// The setpoint each load stood at when the steps were put in order, and
    /// what it draws there at the meter.
    standing: Vec<(Setpoint, Power)>,
    /// How far each load can be moved.
    reaches: Vec<Reach>,
    /// As low as each load can be brought, and what it draws there at the meter.
    resting: Vec<(Setpoint, Power)>,
    /// Loads under contract, the dearest to lose first.
    firm: Vec<LoadIx>,
    steps: Vec<Step>,
    /// What lies ahead of the interval that is being decided.
    course: Course,
    ahead: Ahead,
    /// Whether the steps are in an order that looks ahead.
    ordered_ahead: bool,
    planner: Planner,
    values: Values,
}

impl Memo {
    fn refresh(&mut self, state: &State, interval: Interval) {
        let site = &state.site;
        let hashprice = state.hashprice_at(interval.start).map(|known| known.value);
        let outside = state.outside(interval.start);
        let count = site.loads.len();
        let reach = |load: LoadIx| state.fleet.reach(site, load);
        let lost = |load: LoadIx| state.exposures.lost_mwh(site, load, interval.start);
        let lost_otherwise =
            (0..count).any(|load| self.lost.get(load) != Some(&lost(load)));
        let spot = state.offers.spot(interval.start).map(|known| known.value);
        let offered_otherwise =
            self.spot != spot || self.on_offer != state.offers.loads();
        let anew = self.basis != Some((hashprice, outside))
            || lost_otherwise
            || offered_otherwise;
        // Only machines that are known one by one get out of reach.
        let reached_otherwise = state.fleet.is_by_machine()
            && (0..count).any(|load| self.reaches.get(load) != Some(&reach(load)));
        if anew || reached_otherwise {
            self.reaches = (0..count).map(reach).collect();
            let rest = |load: LoadIx| match site.loads[load].machines() {
                Some(_) => Setpoint::Level(self.reaches[load].floor),
                None => Setpoint::Power(Power::ZERO),
            };
            self.resting = (0..count)
                .map(|load| (rest(load), site.power_at(load, rest(load), outside)))
                .collect();
            self.standing.clear();
        }
        if anew {
            self.pues = (0..count).map(|load| site.pue_of(load, outside)).collect();
            self.lost = (0..count).map(lost).collect();
            self.spot = spot;
            self.on_offer.clear();
            self.on_offer.extend_from_slice(state.offers.loads());
            let worths = |load: LoadIx| {
                let by = By {
                    hashprice,
                    lost: self.lost[load],
                    spot,
                    on_offer: state.offers.of(load),
                };
                Worths::of(site, &site.loads[load], by, self.pues[load])
            };
            self.worths = (0..count).map(worths).collect();
            self.firm = (0..count).filter(|load| site.loads[*load].is_firm()).collect();
            self.firm
                .sort_by_key(|load| Reverse(self.worths[*load].points.first().copied()));
            self.basis = Some((hashprice, outside));
        }
        let ordered = |load: LoadIx| state.fleet.of(load).ordered;
        let moved = self.standing.is_empty()
            || self
                .standing
                .iter()
                .enumerate()
                .any(|(load, (at, _))| *at != ordered(load));
        if moved {
            self.standing.clear();
            self.standing.extend((0..count).map(|load| {
                (ordered(load), site.power_at(load, ordered(load), outside))
            }));
            self.put_in_order(site);
        }
    }

    fn put_in_order(&mut self, site: &Site) {
        self.steps.clear();
        let hysteresis = site.policy.hysteresis;
        for (load, shape) in site.loads.iter().enumerate() {
            match &shape.kind {
                _ if shape.is_firm() => {}
                LoadKind::Rigs(Rigs { machines, .. })
                | LoadKind::Racks(Racks { machines, .. }) => {
                    let Setpoint::Level(level) = self.standing[load].0 else { continue };
                    let worths = &self.worths[load];
                    let bands =
                        |point| self.ahead.bands_of(load, point, worths, hysteresis);
                    merit::steps_of(
                        &mut self.steps,
                        load,
                        machines,
                        level,
                        self.reaches[load].floor,
                        worths,
                        bands,
                    );
                }
                LoadKind::Battery(battery) => {
                    let plan = self.ahead.plans.get(load).copied().flatten();
                    let worth = plan.map_or_else(
                        || stored_worth(battery),
                        |plan| plan.worth_of_charging(battery),
                    );
                    self.steps.push(Step::charging(load, worth));
                }
            }
        }
        merit::sort(&mut self.steps);
    }

    /// Forgets everything: the site changed.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

/// A dispatch in the making.
struct Draft<'a> {
    state: &'a State,
    site: &'a Site,
    memo: &'a mut Memo,
    room: Room,
    /// What a MWh costs at the margin; `None` when nobody knows.
    cost: Option<EnergyPrice>,
    freshness: Freshness,
    /// Loads that an earlier step has settled.
    settled: Vec<bool>,
    dispatch: Dispatch,
}

impl<'a> Draft<'a> {
    fn new(
        state: &'a State,
        memo: &'a mut Memo,
        interval: Interval,
        generation: u64,
        emergency: bool,
    ) -> Self {
        let site = &state.site;
        let policy = &site.policy;
        let price = state.prices.for_interval(
            interval,
            policy.decide_on,
            policy.stale_price_hold,
        );
        let asked = state.obligations.in_force(site, interval);
        let peak_adder =
            match state.peaks.outlook(&site.tariff.coincident_peaks, interval.start) {
                PeakOutlook::OutOfSeason => Some(EnergyPrice::ZERO),
                PeakOutlook::NotForecast => None,
                PeakOutlook::Adder(adder) => Some(adder),
            };
        let dispatch = Dispatch {
            interval,
            generation,
            emergency,
            price,
            adders: site.tariff.adders_at(interval.start),
            peak_adder,
            hashprice: state.hashprice_at(interval.start),
            outside: state.outside(interval.start),
            import_limit: asked.import_limit(site),
            sheddable_limit: asked.sheddable_limit(site),
            unexplained: state.residual.beyond(),
            outlook: None,
            asked,
            exposures: state.exposures.in_force(interval.start).cloned().collect(),
            spot: state.offers.spot(interval.start),
            on_offer: state.offers_now(),
            entries: Vec::with_capacity(site.loads.len()),
        };
        Self {
            state,
            site,
            memo,
            room: Room::whole(site, dispatch.import()),
            cost: dispatch.cost(),
            freshness: price.map_or(Freshness::Expired, |used| used.freshness),
            settled: vec![false; site.loads.len()],
            dispatch,
        }
    }

    /// Starts from every load as low as it can be brought: what it draws then
    /// cannot be ordered away and comes off every limit first.
    fn rest_every_load(&mut self) {
        for load in 0..self.site.loads.len() {
            let (setpoint, to) = self.memo.resting[load];
            let reach = self.memo.reaches[load];
            let stuck = reach.floor == reach.ceiling
                && self.site.loads[load].machines().is_some_and(|m| m.level_max() > 0);
            let entry = Entry {
                from: self.memo.standing[load].1,
                to,
                setpoint,
                reach,
                worth: self.memo.worths[load].points.first().copied(),
                reason: if stuck {
                    Reason::OutOfReach
                } else {
                    Reason::NotWorthIt { band: EnergyPrice::ZERO }
                },
            };
            self.settled[load] = stuck;
            self.room.take(self.site, load, entry.to);
            self.dispatch.entries.push(entry);
        }
    }

    /// A load that a person works on stays at rest, whatever else is true; one that
    /// is out of service does too.
    fn respect_lock_outs(&mut self) {
        if self.state.lock_outs.is_empty() && self.state.maintenances.is_empty() {
            return;
        }
        for load in 0..self.site.loads.len() {
            let during = self.dispatch.interval;
            let lock_out = self.state.lock_out(load, during);
            let reason = match (lock_out, self.state.maintenance(load, during)) {
                (Some(lock_out), _) => Reason::LockedOut { until: lock_out.until() },
                (None, Some(entry)) => Reason::Maintenance { until: entry.during.end },
                (None, None) => continue,
            };
            self.dispatch.entries[load].reason = reason;
            self.settled[load] = true;
        }
    }

    /// What a programme tripped rests; a battery may still send back.
    fn respect_trips(&mut self) {
        for at in 0..self.dispatch.asked.tripped.len() {
            let programme = self.dispatch.asked.tripped[at];
            for load in 0..self.site.loads.len() {
                if !self.settled[load]
                    && self.site.loads[load].machines().is_some()
                    && self.site.programmes[programme].trips(self.site, load)
                {
                    self.settle(load, Reason::Tripped { programme });
                }
            }
        }
    }

    /// The programme that tripped a load, if one did.
    fn tripped(&self, load: LoadIx) -> Option<ProgrammeIx> {
        let trips =
            |one: &&ProgrammeIx| self.site.programmes[**one].trips(self.site, load);
        self.dispatch.asked.tripped.iter().find(trips).copied()
    }

    /// Contracted racks come before everything that can be shed, the dearest to
    /// lose first; what their contracts' floors leave to cut comes last.
    fn meet_contracts(&mut self) {
        for up_to_floor in [true, false] {
            self.meet_contracts_up_to(up_to_floor);
        }
    }

    fn meet_contracts_up_to(&mut self, floor: bool) {
        for at in 0..self.memo.firm.len() {
            let load = self.memo.firm[at];
            let Some(machines) = self.site.loads[load].machines() else { continue };
            if self.settled[load] {
                continue;
            }
            let held = self.state.hold(load, self.dispatch.interval);
            let ceiling = self.memo.reaches[load].ceiling;
            let asked = held.map_or(ceiling, |hold| {
                self.level_under(load, machines, hold.power).min(ceiling)
            });
            let (wanted, rests) = self.not_too_soon(load, asked);
            let at_floor = self.site.floor_level(load, &self.dispatch.exposures);
            if floor && at_floor < wanted {
                self.raise(load, machines, at_floor);
                continue;
            }
            let (reached, limit) = self.raise(load, machines, wanted);
            self.dispatch.entries[load].reason = match (limit, held) {
                (Some(limit), _) if reached < wanted => Reason::FirmShed { limit },
                (_, Some(hold)) => {
                    Reason::Held { at: hold.power, until: hold.during.end }
                }
                (_, None) if ceiling < machines.level_max() => Reason::OutOfReach,
                (_, None) => Reason::Contracted,
            };
            if let (Some(rests), true) = (rests, reached >= wanted) {
                self.dispatch.entries[load].reason = rests;
            }
            self.settled[load] = true;
        }
    }

    /// The level to raise a load to: not above where it stands while it was
    /// lowered a short while ago, whoever asks; and the reason if it is that.
    fn not_too_soon(&self, load: LoadIx, asked: u32) -> (u32, Option<Reason>) {
        let down_min = self.site.loads[load].envelope.down_min;
        let belief = self.state.fleet.of(load);
        match (belief.kept_down_until(self.dispatch.interval, down_min), belief.ordered) {
            (Some(until), Setpoint::Level(level)) if level < asked => {
                (level, Some(Reason::MinimumDown { until }))
            }
            (Some(_) | None, _) => (asked, None),
        }
    }

    /// A held load stays at its level as far as limits and contracts leave room.
    fn respect_holds(&mut self) {
        if self.state.holds.is_empty() {
            return;
        }
        for load in 0..self.site.loads.len() {
            if self.settled[load] {
                continue;
            }
            let Some(hold) = self.state.hold(load, self.dispatch.interval) else {
                continue;
            };
            let mut reason = Reason::Held { at: hold.power, until: hold.during.end };
            match &self.site.loads[load].kind {
                LoadKind::Rigs(Rigs { machines, .. })
                | LoadKind::Racks(Racks { machines, .. }) => {
                    let asked = self.level_under(load, machines, hold.power);
                    let (wanted, rests) = self.not_too_soon(load, asked);
                    let (_, limit) = self.raise(load, machines, wanted);
                    let limited = limit.map(|limit| Reason::Limited { limit });
                    reason = limited.or(rests).unwrap_or(reason);
                }
                LoadKind::Battery(battery) => {
                    let mut power = self.battery_range(load, battery).hold(hold.power);
                    if let Some(programme) = self.tripped(load)
                        && power > Power::ZERO
                    {
                        (power, reason) = (Power::ZERO, Reason::Tripped { programme });
                    }
                    self.give_battery(load, power);
                }
            }
            self.dispatch.entries[load].reason = reason;
            self.settled[load] = true;
        }
    }

    /// Charges and discharges as planned, and without a plan when power is cheap
    /// and when it is dear by the stated prices; either on a price that can be
    /// trusted.
    ///
    /// A charging battery ranks with the loads in [`Self::fill_by_value`]; one
    /// that discharges asks for nothing.
    fn move_battery(&mut self) {
        for load in 0..self.site.loads.len() {
            let LoadKind::Battery(battery) = &self.site.loads[load].kind else {
                continue;
            };
            if self.settled[load] {
                continue;
            }
            self.dispatch.entries[load].reason = Reason::BatteryRests;
            self.dispatch.entries[load].worth = Some(stored_worth(battery));
            let cost = match self.cost {
                Some(cost) if self.freshness == Freshness::Fresh => cost,
                Some(_) => {
                    self.settle(load, Reason::PriceStale);
                    continue;
                }
                None => {
                    self.settle(load, Reason::PriceUnknown);
                    continue;
                }
            };
            if let Some(plan) = self.planned(load) {
                self.discharge_as_planned(load, battery, plan);
                continue;
            }
            if cost >= battery.discharge_above && self.site.policy.follows_price {
                let wanted = -self.battery_range(load, battery).discharge;
                if wanted < Power::ZERO {
                    self.give_battery(load, wanted);
                    self.settle(load, Reason::Discharging);
                }
            }
        }
    }

    fn planned(&self, load: LoadIx) -> Option<Plan> {
        self.memo.ahead.plans.get(load).copied().flatten()
    }

    /// Gives back what the plan says, as far as the battery holds it. One that is
    /// to charge waits for its turn among the loads.
    fn discharge_as_planned(&mut self, load: LoadIx, battery: &Battery, plan: Plan) {
        let stored = plan.stored;
        self.dispatch.entries[load].worth = Some(plan.worth_of_charging(battery));
        self.dispatch.entries[load].reason = Reason::KeptStored { stored };
        let wanted = plan.power.max(-self.battery_range(load, battery).discharge);
        if wanted < Power::ZERO {
            self.give_battery(load, wanted);
            self.dispatch.entries[load].worth = Some(plan.worth_given_back(battery));
            self.settle(load, Reason::GivenBack { stored });
        }
    }

    /// Gives what room is left to the worthiest steps whose worth covers their
    /// cost.
    ///
    /// What has to stay up comes before what would like to start; in an
    /// emergency, when room is taken away, only worth decides who keeps some.
    fn fill_by_value(&mut self) {
        let steps = std::mem::take(&mut self.memo.steps);
        let mut any_kept_up = false;
        for (load, shape) in self.site.loads.iter().enumerate() {
            any_kept_up |= self.kept_up_until(load).is_some();
            let unknown =
                shape.machines().is_some() && self.memo.worths[load].points.is_empty();
            if unknown && !self.settled[load] {
                self.stay_up_or_rest(load);
            }
        }
        let kept_first = any_kept_up && !self.dispatch.emergency;
        if kept_first {
            for step in &steps {
                if let (Some(until), false) =
                    (self.has_to_stay(step), self.settled[step.load])
                {
                    self.take(step, Reason::MinimumUp { until });
                }
            }
        }
        for step in &steps {
            let stays = if any_kept_up { self.has_to_stay(step) } else { None };
            if self.settled[step.load] || (kept_first && stays.is_some()) {
                continue;
            }
            if self.site.loads[step.load].machines().is_none() {
                self.charge_battery(step.load);
                continue;
            }
            let verdict = stays.map_or_else(
                || self.judge(step),
                |until| Verdict::Take(Reason::MinimumUp { until }),
            );
            match verdict {
                Verdict::Leave(reason) => self.leave(step, reason),
                Verdict::Take(reason) => self.take(step, reason),
            }
        }
        self.memo.steps = steps;
    }

    /// Until when a step has to stay taken, having been taken a short while ago.
    fn has_to_stay(&self, step: &Step) -> Option<Timestamp> {
        self.kept_up_until(step.load).filter(|_| step.running)
    }

    /// A load that nobody knows the worth of rests, once its minimum time up is
    /// over.
    fn stay_up_or_rest(&mut self, load: LoadIx) {
        let ordered = self.state.fleet.of(load).ordered;
        let (Some(until), Setpoint::Level(level @ 1..), Some(machines)) =
            (self.kept_up_until(load), ordered, self.site.loads[load].machines())
        else {
            return self.settle(load, Reason::HashpriceUnknown);
        };
        let (_, limit) = self.raise(load, machines, level);
        let reason =
            limit.map_or(Reason::MinimumUp { until }, |limit| Reason::Limited { limit });
        self.settle(load, reason);
    }

    fn kept_up_until(&self, load: LoadIx) -> Option<Timestamp> {
        let up_min = self.site.loads[load].envelope.up_min;
        self.state.fleet.of(load).kept_up_until(self.dispatch.interval, up_min)
    }

    /// Takes a step as far as limits leave room; a limit that stops it stays the
    /// load's reason.
    fn take(&mut self, step: &Step, reason: Reason) {
        let load = step.load;
        let Some(machines) = self.site.loads[load].machines() else {
            return;
        };
        let Setpoint::Level(now) = self.dispatch.entries[load].setpoint else {
            return;
        };
        let wanted = now + step.machines;
        let beyond = wanted > self.memo.reaches[load].ceiling;
        let (_, limit) = self.raise(load, machines, wanted);
        let entry = &mut self.dispatch.entries[load];
        entry.worth = Some(step.worth);
        entry.reason = match limit {
            Some(limit) => Reason::Limited { limit },
            None if beyond => Reason::OutOfReach,
            None => reason,
        };
        self.settled[load] = limit.is_some() || beyond;
    }

    /// Whether a step's worth covers its cost, and the reason either way.
    fn judge(&self, step: &Step) -> Verdict {
        let down_min = self.site.loads[step.load].envelope.down_min;
        let belief = self.state.fleet.of(step.load);
        let kept_down = belief.kept_down_until(self.dispatch.interval, down_min);
        if !step.running
            && let Some(until) = kept_down
        {
            return Verdict::Leave(Reason::MinimumDown { until });
        }
        if let (Some(programme), false) = (self.dispatch.asked.still, step.running) {
            return Verdict::Leave(Reason::LinkLost { programme });
        }
        if !self.site.policy.follows_price {
            return Verdict::Take(Reason::AlwaysOn);
        }
        let Some(cost) = self.cost else {
            return Verdict::Leave(Reason::PriceUnknown);
        };
        if self.freshness != Freshness::Fresh {
            return if step.running {
                Verdict::Take(Reason::PriceStale)
            } else {
                Verdict::Leave(Reason::PriceStale)
            };
        }
        match (step.rank >= cost, step.worth >= cost) {
            (true, true) => Verdict::Take(Reason::WorthIt),
            (true, false) => {
                Verdict::Take(Reason::KeptOn { band: step.rank - step.worth })
            }
            (false, true) => {
                Verdict::Leave(Reason::KeptOff { band: step.worth - step.rank })
            }
            (false, false) if step.running => {
                Verdict::Leave(Reason::NotWorthIt { band: step.rank - step.worth })
            }
            (false, false) => {
                Verdict::Leave(Reason::NotWorthIt { band: EnergyPrice::ZERO })
            }
        }
    }

    /// Notes why a load goes no higher. The first step left says it, with its
    /// own worth, unless lower steps of the load were taken: then those do.
    fn leave(&mut self, step: &Step, reason: Reason) {
        self.settled[step.load] = true;
        let entry = &mut self.dispatch.entries[step.load];
        if entry.setpoint == Setpoint::Level(entry.reach.floor) {
            entry.worth = Some(step.worth);
            entry.reason = reason;
        }
    }

    fn settle(&mut self, load: LoadIx, reason: Reason) {
        self.dispatch.entries[load].reason = reason;
        self.settled[load] = true;
    }

    /// Raises a load towards `wanted` as far as it reaches and every limit allows.
    /// Returns the level reached, and the limit that stopped it short.
    fn raise(
        &mut self,
        load: LoadIx,
        machines: &Machines,
        wanted: u32,
    ) -> (u32, Option<Limit>) {
        let Setpoint::Level(now) = self.dispatch.entries[load].setpoint else {
            return (0, None);
        };
        let wanted = wanted.min(self.memo.reaches[load].ceiling).max(now);
        let drawn = self.dispatch.entries[load].to;
        let (room, limit) = self.room.left_for(self.site, load);
        let pue = self.memo.pues[load];
        let ceiling = drawn + room.max(Power::ZERO);
        // Most loads go back to where they stand.
        let whole = match self.memo.standing[load] {
            (Setpoint::Level(level), power) if level == wanted => power,
            _ => pue.at_meter(machines.power_at(wanted)),
        };
        let (reached, to) = if whole <= ceiling {
            (wanted, whole)
        } else {
            // A load at its limit mostly stays where it stands.
            let fits = |level| pue.at_meter(machines.power_at(level)) <= ceiling;
            let reached = match self.memo.standing[load].0 {
                Setpoint::Level(level)
                    if now <= level
                        && level < wanted
                        && fits(level)
                        && !fits(level + 1) =>
                {
                    level
                }
                Setpoint::Level(_) | Setpoint::Power(_) => {
                    highest_level(machines, pue, now, wanted, ceiling)
                }
            };
            (reached, pue.at_meter(machines.power_at(reached)))
        };
        self.room.take(self.site, load, to - drawn);
        self.dispatch.entries[load].setpoint = Setpoint::Level(reached);
        self.dispatch.entries[load].to = to;
        (reached, (reached < wanted).then_some(limit))
    }

    /// Draws up to the levels that the grid asks for, whatever the price: the
    /// worthiest steps first, loads whose worth nobody knows last. People, limits
    /// and minimum times down hold as ever.
    fn draw_as_instructed(&mut self) {
        if self.dispatch.asked.lifts.is_empty() {
            return;
        }
        let steps = std::mem::take(&mut self.memo.steps);
        let lifts = std::mem::take(&mut self.dispatch.asked.lifts);
        let lost = self.dispatch.asked.still.is_some();
        for lift in lifts.iter().filter(|lift| !lost || lift.of == LiftOf::Armed) {
            let mut up_to: Vec<u32> =
                self.dispatch.entries.iter().map(|e| e.reach.floor).collect();
            for step in &steps {
                up_to[step.load] += step.machines;
                self.lift(*lift, step.load, up_to[step.load], Some(step.worth));
            }
            for (load, shape) in self.site.loads.iter().enumerate() {
                match &shape.kind {
                    LoadKind::Battery(battery) => self.lift_battery(*lift, load, battery),
                    LoadKind::Rigs(Rigs { machines, .. })
                    | LoadKind::Racks(Racks { machines, .. }) => {
                        self.lift(*lift, load, machines.level_max(), None);
                    }
                }
            }
        }
        self.dispatch.asked.lifts = lifts;
        self.memo.steps = steps;
    }

    /// Raises one load towards `wanted` as far as an instruction is not met yet.
    fn lift(
        &mut self,
        lift: Lift,
        load: LoadIx,
        wanted: u32,
        worth: Option<EnergyPrice>,
    ) {
        let missing = lift.level - self.dispatch.drawn(self.site, lift);
        let (Some(machines), Setpoint::Level(now)) =
            (self.site.loads[load].machines(), self.dispatch.entries[load].setpoint)
        else {
            return;
        };
        let meant = match lift.of {
            LiftOf::Site => !self.site.loads[load].is_firm(),
            LiftOf::Armed => self.site.programmes[lift.programme].trips(self.site, load),
        };
        if missing <= Power::ZERO || !meant || self.may_not_be_lifted(load) {
            return;
        }
        // No more machines than it takes: the last one may pass the level.
        let under = self.dispatch.entries[load].to + missing - Power::from_watts(1);
        let pue = self.memo.pues[load];
        let enough = highest_level(machines, pue, now, machines.level_max(), under) + 1;
        let (wanted, rests) = self.not_too_soon(load, wanted.min(enough));
        let (reached, limit) = self.raise(load, machines, wanted);
        let entry = &mut self.dispatch.entries[load];
        if let Some(rests) = rests {
            entry.reason = rests;
        } else if reached > now {
            let Lift { programme, level, of } = lift;
            entry.reason = Reason::Instructed { programme, level, of };
            entry.worth = worth.or(entry.worth);
        } else if let (Some(limit), false) =
            (limit, matches!(entry.reason, Reason::Instructed { .. }))
        {
            entry.reason = Reason::Limited { limit };
        }
    }

    /// Lets a battery send back less, and charge, as far as an instruction to the
    /// whole site is not met by other loads.
    fn lift_battery(&mut self, lift: Lift, load: LoadIx, battery: &Battery) {
        let missing = lift.level - self.dispatch.drawn(self.site, lift);
        let Setpoint::Power(now) = self.dispatch.entries[load].setpoint else { return };
        let meant = lift.of == LiftOf::Site && self.tripped(load).is_none();
        if missing <= Power::ZERO || !meant || self.may_not_be_lifted(load) {
            return;
        }
        let (room, _) = self.room.left_for(self.site, load);
        let most = self.battery_range(load, battery).charge.min(room.max(Power::ZERO));
        let to = (now + missing).min(most);
        if to > now {
            // What is sent back took no room.
            self.room.take(self.site, load, to.max(Power::ZERO) - now.max(Power::ZERO));
            let entry = &mut self.dispatch.entries[load];
            entry.to = to;
            entry.setpoint = Setpoint::Power(to);
            let Lift { programme, level, of } = lift;
            entry.reason = Reason::Instructed { programme, level, of };
        }
    }

    /// Whether people, or a programme's trip, keep a load where it is.
    fn may_not_be_lifted(&self, load: LoadIx) -> bool {
        if self.state.hold(load, self.dispatch.interval).is_some() {
            return true;
        }
        match self.dispatch.entries[load].reason {
            Reason::LockedOut { .. }
            | Reason::Maintenance { .. }
            | Reason::Held { .. }
            | Reason::Tripped { .. }
            | Reason::OutOfReach => true,
            Reason::Contracted
            | Reason::FirmShed { .. }
            | Reason::WorthIt
            | Reason::KeptOn { .. }
            | Reason::NotWorthIt { .. }
            | Reason::KeptOff { .. }
            | Reason::MinimumUp { .. }
            | Reason::MinimumDown { .. }
            | Reason::Limited { .. }
            | Reason::Instructed { .. }
            | Reason::LinkLost { .. }
            | Reason::PriceStale
            | Reason::PriceUnknown
            | Reason::HashpriceUnknown
            | Reason::AlwaysOn
            | Reason::Charging
            | Reason::Discharging
            | Reason::BatteryRests
            | Reason::Stored { .. }
            | Reason::GivenBack { .. }
            | Reason::KeptStored { .. } => false,
        }
    }

    fn charge_battery(&mut self, load: LoadIx) {
        let LoadKind::Battery(battery) = &self.site.loads[load].kind else {
            return;
        };
        let plan = self.planned(load);
        let cheap = match plan {
            Some(plan) => plan.power > Power::ZERO,
            None => self.cost.is_some_and(|cost| cost <= battery.charge_below),
        };
        if self.settled[load] || !cheap || !self.site.policy.follows_price {
            return;
        }
        if let Some(programme) = self.tripped(load) {
            return self.settle(load, Reason::Tripped { programme });
        }
        if let Some(programme) = self.dispatch.asked.still {
            return self.settle(load, Reason::LinkLost { programme });
        }
        let (room, _) = self.room.left_for(self.site, load);
        let most = self.battery_range(load, battery).charge.min(room.max(Power::ZERO));
        let power = plan.map_or(most, |plan| plan.power.min(most));
        if power > Power::ZERO {
            self.give_battery(load, power);
            let reason = plan
                .map_or(Reason::Charging, |plan| Reason::Stored { stored: plan.stored });
            self.settle(load, reason);
        }
    }

    fn give_battery(&mut self, load: LoadIx, power: Power) {
        let (room, _) = self.room.left_for(self.site, load);
        let to = power.min(room.max(Power::ZERO));
        self.room.take(self.site, load, to.max(Power::ZERO));
        self.dispatch.entries[load].to = to;
        self.dispatch.entries[load].setpoint = Setpoint::Power(to);
    }

    /// How far a battery can go either way for the whole interval.
    fn battery_range(&self, load: LoadIx, battery: &Battery) -> BatteryRange {
        BatteryRange::of(
            battery,
            &self.state.fleet.of(load).charge,
            self.dispatch.interval,
        )
    }

    fn level_under(&self, load: LoadIx, machines: &Machines, power: Power) -> u32 {
        highest_level(machines, self.memo.pues[load], 0, machines.level_max(), power)
    }

    /// Export is bounded when it is known what every load would draw; what the grid
    /// asks for after that draws more, never less.
    fn bound_export(&mut self) {
        let floor = -self.site.interconnection.export_limit;
        let mut excess = floor - self.dispatch.net();
        for load in 0..self.dispatch.entries.len() {
            let entry = &mut self.dispatch.entries[load];
            let Setpoint::Power(power) = entry.setpoint else {
                continue;
            };
            let mut kept = power;
            if excess > Power::ZERO && power < Power::ZERO {
                kept = (power + excess).min(Power::ZERO);
                excess -= kept - power;
                entry.reason = Reason::Limited { limit: Limit::Export };
            }
            entry.to = kept;
            entry.setpoint = Setpoint::Power(kept);
        }
    }
}

enum Verdict {
    Take(Reason),
    Leave(Reason),
}

/// How far a battery can go either way, both as positive powers at the meter.
struct BatteryRange {
    charge: Power,
    discharge: Power,
}

impl BatteryRange {
    /// What it can keep up for the whole of `interval` from what it holds, at
    /// the least for giving back and at the most for taking in.
    fn of(battery: &Battery, charge: &Charge, interval: Interval) -> Self {
        let duration = interval.duration();
        let space = (battery.stored_max - charge.most).max(units::Energy::ZERO);
        let above_min = (charge.least - battery.stored_min).max(units::Energy::ZERO);
        let fill = space.over(duration);
        let fill_at_meter = Power::from_watts(
            fill.as_watts() * 1_000_000 / battery.charge_efficiency.as_ppm().max(1),
        );
        let give_at_meter =
            battery.discharge_efficiency.of_power(above_min.over(duration));
        Self {
            charge: battery.charge_max.min(fill_at_meter),
            discharge: battery.discharge_max.min(give_at_meter),
        }
    }

    fn hold(&self, wanted: Power) -> Power {
        wanted.min(self.charge).max(-self.discharge)
    }
}

/// What a MWh drawn to charge is worth when it comes back at the stated price.
fn stored_worth(battery: &Battery) -> EnergyPrice {
    let back = battery.discharge_efficiency.of_price(battery.discharge_above);
    battery.charge_efficiency.of_price(back)
}

/// The highest level from `now` to `wanted` whose draw is at most `ceiling`;
/// `now` if none is.
pub(crate) fn highest_level(
    machines: &Machines,
    pue: Pue,
    now: u32,
    wanted: u32,
    ceiling: Power,
) -> u32 {
    let fits = |level| pue.at_meter(machines.power_at(level)) <= ceiling;
    if wanted <= now || fits(wanted) {
        return wanted.max(now);
    }
    // Draw rises with level, so halving finds the last one that fits.
    let (mut low, mut high) = (now, wanted);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if fits(middle) { low = middle } else { high = middle }
    }
    low
}

impl Plan {
    /// What a MWh drawn to charge is worth, when what is stored of it is worth what
    /// the plan says.
    fn worth_of_charging(self, battery: &Battery) -> EnergyPrice {
        battery.charge_efficiency.of_price(self.stored)
    }

    /// What a MWh given back takes out of what is stored.
    fn worth_given_back(self, battery: &Battery) -> EnergyPrice {
        let ppm = battery.discharge_efficiency.as_ppm().max(1);
        self.stored.scaled(1_000_000, ppm)
    }
}

impl PriceUsed {
    /// Whether it still counts as a price.
    pub fn is_known(&self) -> bool {
        self.freshness != Freshness::Expired
    }
}
