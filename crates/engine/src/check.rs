//! Reads any dispatch and lists what is wrong with it.
//!
//! Written against the rules, not against `decide`: it shares the site's and
//! the tariff's arithmetic and none of the deciding. It runs after every step
//! of a simulation and on demand.

use serde::{Deserialize, Serialize};
use units::{EnergyPrice, Interval, Power};

use crate::decide::{Dispatch, Entry, Limit, Reason, Setpoint};
use crate::site::{FeederIx, Hold, LoadIx, LoadKind, LockOut, Site};
use crate::state::{Cap, Freshness, Lift, LiftOf, Reach, State};

/// What was true when a dispatch was made, as far as it is no part of it.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The site.
    pub site: &'a Site,
    /// Levels that the grid let nothing be drawn above by then.
    pub limits: &'a [Cap],
    /// Loads that a grid programme had tripped by then.
    pub tripped: &'a [LoadIx],
    /// Who worked on what.
    pub lock_outs: &'a [LockOut],
    /// What was held by hand.
    pub holds: &'a [Hold],
}

/// One thing wrong with a dispatch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// Which load, where it is about one.
    pub load: Option<LoadIx>,
    /// What is wrong.
    pub fault: Fault,
}

/// What can be wrong with a dispatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// There is not one entry for each load.
    NotEveryLoad,
    /// The power at the meter is not what the setpoint draws.
    WrongPower {
        /// What the setpoint draws.
        expected: Power,
    },
    /// The setpoint is beyond what the load can take.
    BeyondEnvelope,
    /// The load is asked for less or more than its machines that take orders can
    /// bring it to, or that range itself cannot be.
    OutsideReach,
    /// What is drawn is above a limit, and something above its floor is under it.
    OverLimit {
        /// Which limit.
        limit: Limit,
        /// By how much.
        by: Power,
    },
    /// A load that a person works on is asked to run.
    LockedOutRuns,
    /// A held load is asked for something else, with no limit in the way.
    HoldIgnored,
    /// A load under contract is cut while one on the same limit, which could be
    /// shed, draws more than its floor.
    FirmShedBeforeSheddable {
        /// The load that could be shed.
        instead: LoadIx,
    },
    /// A load under contract is cut while one that is cheaper to lose serves on the
    /// same limit.
    DearerFirmShed {
        /// The load that is cheaper to lose.
        instead: LoadIx,
    },
    /// A load is raised on a price that is stale or unknown.
    RaisedOnDoubt,
    /// The reason does not follow from the dispatch's own figures.
    ReasonContradicts,
    /// The limit named as reason leaves room for another machine.
    LimitLeavesRoom {
        /// How much.
        room: Power,
    },
    /// The import limit is not the tightest in force.
    NotTightestLimit {
        /// The tightest.
        expected: Power,
    },
    /// A load that a grid programme tripped is asked to run.
    TrippedRuns,
    /// The grid asks for a level to be drawn, and a load could draw more of it.
    InstructionNotMet {
        /// By how much.
        by: Power,
    },
    /// More is taken off the limits than a meter can have shown.
    UnexplainedCannotBe,
}

/// How near to worth the cost of what is planned has to be: the plan is worked out
/// in floating point, and a battery may stand where charging just pays.
const PLANNED_WITHIN: EnergyPrice = EnergyPrice::from_micro_usd_per_mwh(10_000);

/// Lists what is wrong with a dispatch.
pub fn check(facts: Facts<'_>, dispatch: &Dispatch) -> Vec<Violation> {
    let mut audit = Audit { facts, site: facts.site, dispatch, found: Vec::new() };
    if dispatch.entries.len() != facts.site.loads.len() {
        audit.report(None, Fault::NotEveryLoad);
        return audit.found;
    }
    audit.setpoints();
    audit.limits();
    audit.people();
    audit.instructions();
    audit.contracts();
    audit.doubts();
    audit.reasons();
    audit.found
}

/// Lists what is wrong with a dispatch by what is believed now, when it is made.
pub fn check_now(state: &State, dispatch: &Dispatch) -> Vec<Violation> {
    let limits = state.obligations.caps(&state.site);
    let tripped = state.obligations.tripped_loads(&state.site, dispatch.interval);
    let facts = Facts {
        site: &state.site,
        limits: &limits,
        tripped: &tripped,
        lock_outs: &state.lock_outs,
        holds: &state.holds,
    };
    check(facts, dispatch)
}

struct Audit<'a> {
    facts: Facts<'a>,
    site: &'a Site,
    dispatch: &'a Dispatch,
    found: Vec<Violation>,
}

impl Audit<'_> {
    fn report(&mut self, load: Option<LoadIx>, fault: Fault) {
        self.found.push(Violation { load, fault });
    }

    /// As low as a load can be brought.
    fn floor(&self, load: LoadIx) -> Power {
        match &self.site.loads[load].kind {
            LoadKind::Rigs(_) | LoadKind::Racks(_) => {
                let floor = Setpoint::Level(self.dispatch.entries[load].reach.floor);
                self.site.power_at(load, floor, self.dispatch.outside)
            }
            LoadKind::Battery(_) => Power::ZERO,
        }
    }

    /// The least that a load can draw; negative for a battery, which sends back.
    fn lowest(&self, load: LoadIx) -> Power {
        match &self.site.loads[load].kind {
            LoadKind::Rigs(_) | LoadKind::Racks(_) => self.floor(load),
            LoadKind::Battery(battery) => -battery.discharge_max,
        }
    }

    /// Whether a load of machines stays within what it can be brought to.
    fn is_within_reach(&self, load: LoadIx) -> bool {
        let entry = &self.dispatch.entries[load];
        let (Some(machines), Setpoint::Level(level)) =
            (self.site.loads[load].machines(), entry.setpoint)
        else {
            return true;
        };
        let Reach { floor, ceiling } = entry.reach;
        floor <= level && level <= ceiling && ceiling <= machines.level_max()
    }

    fn setpoints(&mut self) {
        for (load, entry) in self.dispatch.entries.iter().enumerate() {
            let expected =
                self.site.power_at(load, entry.setpoint, self.dispatch.outside);
            if expected != entry.to {
                self.report(Some(load), Fault::WrongPower { expected });
            }
            let within = match (&self.site.loads[load].kind, entry.setpoint) {
                (LoadKind::Rigs(rigs), Setpoint::Level(level)) => {
                    level <= rigs.machines.level_max()
                }
                (LoadKind::Racks(racks), Setpoint::Level(level)) => {
                    level <= racks.machines.level_max()
                }
                (LoadKind::Battery(battery), Setpoint::Power(power)) => {
                    -battery.discharge_max <= power && power <= battery.charge_max
                }
                (LoadKind::Rigs(_) | LoadKind::Racks(_), Setpoint::Power(_))
                | (LoadKind::Battery(_), Setpoint::Level(_)) => false,
            };
            if !within {
                self.report(Some(load), Fault::BeyondEnvelope);
            }
            if !self.is_within_reach(load) {
                self.report(Some(load), Fault::OutsideReach);
            }
        }
    }

    /// The limits above a load, from its own feeder to the interconnection.
    fn limits_above(&self, load: LoadIx) -> Vec<Limit> {
        let feeders = self.site.path(self.site.loads[load].feeder).map(Limit::Feeder);
        feeders.chain([Limit::Import]).collect()
    }

    fn is_under(&self, load: LoadIx, limit: Limit) -> bool {
        if limit == Limit::BestEffort {
            return !self.site.loads[load].is_firm();
        }
        self.limits_above(load).contains(&limit)
    }

    /// What is left under a limit when draw alone is counted.
    fn headroom(&self, limit: Limit) -> Power {
        let size = match limit {
            Limit::Import => self.dispatch.import_limit - self.dispatch.unexplained,
            Limit::BestEffort => {
                self.dispatch.sheddable_limit - self.dispatch.unexplained
            }
            Limit::Export => self.site.interconnection.export_limit,
            Limit::Feeder(ix) => self.site.feeders[ix].limit,
        };
        let counts = |load| limit == Limit::BestEffort || self.is_under(load, limit);
        let drawn: Power = (self.dispatch.entries.iter().enumerate())
            .filter(|(load, _)| counts(*load))
            .map(|(_, entry)| entry.to.max(Power::ZERO))
            .sum();
        size - drawn
    }

    fn limits(&mut self) {
        let tightest = |best_effort: bool| {
            (self.facts.limits.iter())
                .filter(|cap| cap.during.overlaps(self.dispatch.interval))
                .filter(|cap| best_effort || !cap.best_effort)
                .map(|cap| cap.level.max(Power::ZERO))
                .fold(self.site.interconnection.import_limit, Power::min)
        };
        for (expected, found) in [
            (tightest(false), self.dispatch.import_limit),
            (tightest(true), self.dispatch.sheddable_limit),
        ] {
            if expected != found {
                self.report(None, Fault::NotTightestLimit { expected });
            }
        }
        if self.dispatch.unexplained < Power::ZERO {
            self.report(None, Fault::UnexplainedCannotBe);
        }
        let feeders = 0..self.site.feeders.len() as FeederIx;
        for limit in feeders.map(Limit::Feeder).chain([Limit::Import, Limit::BestEffort])
        {
            let over = -self.headroom(limit);
            let can_be_lowered =
                (self.dispatch.entries.iter().enumerate()).any(|(load, entry)| {
                    self.is_under(load, limit) && entry.to > self.floor(load)
                });
            if over > Power::ZERO && can_be_lowered {
                self.report(None, Fault::OverLimit { limit, by: over });
            }
        }
        let exported = -self.dispatch.net() - self.site.interconnection.export_limit;
        if exported > Power::ZERO {
            self.report(None, Fault::OverLimit { limit: Limit::Export, by: exported });
        }
    }

    fn people(&mut self) {
        let during = self.dispatch.interval;
        // Which machines of a load run is not in the dispatch.
        let whole = |l: &&LockOut| l.machines.is_none() && l.touches(during);
        for lock_out in self.facts.lock_outs.iter().filter(whole) {
            let entry = &self.dispatch.entries[lock_out.load];
            if entry.to != self.floor(lock_out.load) {
                self.report(Some(lock_out.load), Fault::LockedOutRuns);
            }
        }
        for hold in self.facts.holds.iter().filter(|hold| hold.during.overlaps(during)) {
            let entry = &self.dispatch.entries[hold.load];
            if entry.to > hold.power.max(self.floor(hold.load)) {
                self.report(Some(hold.load), Fault::HoldIgnored);
            }
        }
    }

    fn instructions(&mut self) {
        for load in self.facts.tripped {
            let entry = &self.dispatch.entries[*load];
            if entry.to.max(Power::ZERO) > self.floor(*load) {
                self.report(Some(*load), Fault::TrippedRuns);
            }
        }
        let lost = self.dispatch.asked.still.is_some();
        for lift in &self.dispatch.asked.lifts {
            let by = lift.level - self.dispatch.drawn(self.site, *lift);
            if by <= Power::ZERO || (lost && lift.of == LiftOf::Site) {
                continue;
            }
            for load in 0..self.site.loads.len() {
                if self.is_meant(*lift, load) && self.could_draw_more(load) {
                    self.report(Some(load), Fault::InstructionNotMet { by });
                }
            }
        }
    }

    /// Whether a lift raises a load.
    fn is_meant(&self, lift: Lift, load: LoadIx) -> bool {
        match lift.of {
            LiftOf::Site => !self.site.loads[load].is_firm(),
            LiftOf::Armed => self.site.programmes[lift.programme].trips(self.site, load),
        }
    }

    /// Whether a load may take one more step, and every limit leaves room for it.
    fn could_draw_more(&self, load: LoadIx) -> bool {
        let kept = matches!(
            self.dispatch.entries[load].reason,
            Reason::LockedOut { .. }
                | Reason::Maintenance { .. }
                | Reason::Held { .. }
                | Reason::Tripped { .. }
                | Reason::MinimumDown { .. }
                | Reason::OutOfReach
        );
        let Some(next) = self.next_step(load) else { return false };
        let limits = self.limits_above(load).into_iter().chain([Limit::BestEffort]);
        !kept
            && limits
                .filter(|limit| self.is_under(load, *limit))
                .all(|limit| self.headroom(limit) >= next)
    }

    fn contracts(&mut self) {
        for (load, entry) in self.dispatch.entries.iter().enumerate() {
            let Reason::FirmShed { limit } = entry.reason else {
                continue;
            };
            let sheddable = |other: &LoadIx| {
                !self.site.loads[*other].is_firm()
                    && self.is_under(*other, limit)
                    && self.dispatch.entries[*other].to > self.floor(*other)
            };
            // Room that is too small for one more machine under contract may
            // serve another load.
            let freed: Power = (0..self.site.loads.len())
                .filter(sheddable)
                .map(|other| {
                    let drawn = self.dispatch.entries[other].to.max(Power::ZERO);
                    drawn - self.floor(other)
                })
                .sum();
            if self.next_step(load).is_none_or(|next| self.headroom(limit) + freed < next)
            {
                continue;
            }
            let instead = (0..self.site.loads.len()).find(sheddable);
            if let Some(instead) = instead {
                self.report(Some(load), Fault::FirmShedBeforeSheddable { instead });
            }
        }
        self.dearest_first();
        // A load under contract that is cut must say so.
        for (load, entry) in self.dispatch.entries.iter().enumerate() {
            let Some(machines) = self.site.loads[load].machines() else {
                continue;
            };
            let whole = entry.setpoint == Setpoint::Level(machines.level_max());
            let excused = matches!(
                entry.reason,
                Reason::FirmShed { .. }
                    | Reason::LockedOut { .. }
                    | Reason::Maintenance { .. }
                    | Reason::Held { .. }
                    | Reason::MinimumDown { .. }
                    | Reason::OutOfReach
            );
            if self.site.loads[load].is_firm() && !whole && !excused {
                self.report(Some(load), Fault::ReasonContradicts);
            }
        }
    }

    /// Of loads under contract on one limit, the dearest to lose are served first.
    fn dearest_first(&mut self) {
        for (load, entry) in self.dispatch.entries.iter().enumerate() {
            let Reason::FirmShed { limit } = entry.reason else { continue };
            // What it would have with one more step is worth nothing above the floor.
            let lost = match self.is_below_contract(load) {
                true => entry.worth,
                false => Some(EnergyPrice::ZERO),
            };
            let cheaper = |other: &LoadIx| {
                let there = &self.dispatch.entries[*other];
                let by_contract =
                    matches!(there.reason, Reason::Contracted | Reason::FirmShed { .. });
                by_contract
                    && self.next_lost(*other) < lost
                    && self.is_under(*other, limit)
                    && there.to > self.lost_down_to(*other)
            };
            let served = (0..self.site.loads.len()).filter(cheaper);
            let freed: Power = served
                .map(|other| self.dispatch.entries[other].to - self.lost_down_to(other))
                .sum();
            let would_do = self
                .next_step(load)
                .is_some_and(|next| self.headroom(limit) + freed >= next);
            if let (true, Some(instead)) =
                (would_do, (0..self.site.loads.len()).find(cheaper))
            {
                self.report(Some(load), Fault::DearerFirmShed { instead });
            }
        }
    }

    /// Whether a load under contract draws more than its contract's floor asks for.
    fn above_contract(&self, load: LoadIx) -> Option<u32> {
        let level = self.site.floor_level(load, &self.dispatch.exposures);
        let Setpoint::Level(at) = self.dispatch.entries[load].setpoint else {
            return None;
        };
        (self.site.loads[load].is_firm() && at > level).then_some(level)
    }

    /// Whether a load under contract draws less than its contract's floor asks for.
    fn is_below_contract(&self, load: LoadIx) -> bool {
        let level = self.site.floor_level(load, &self.dispatch.exposures);
        matches!(self.dispatch.entries[load].setpoint, Setpoint::Level(at) if at < level)
    }

    /// What the next MWh costs that a load under contract loses: nothing above its
    /// contract's floor.
    fn next_lost(&self, load: LoadIx) -> Option<EnergyPrice> {
        match self.above_contract(load) {
            Some(_) => Some(EnergyPrice::ZERO),
            None => self.dispatch.entries[load].worth,
        }
    }

    /// As low as a load can be brought at what its next lost MWh costs.
    fn lost_down_to(&self, load: LoadIx) -> Power {
        let floor = self.floor(load);
        self.above_contract(load).map_or(floor, |level| {
            let at = Setpoint::Level(level);
            self.site.power_at(load, at, self.dispatch.outside).max(floor)
        })
    }

    fn doubts(&mut self) {
        let fresh =
            self.dispatch.price.is_some_and(|used| used.freshness == Freshness::Fresh);
        if fresh || !self.site.policy.follows_price {
            return;
        }
        for (load, entry) in self.dispatch.entries.iter().enumerate() {
            let by_hand = (self.facts.holds.iter())
                .any(|h| h.load == load && h.during.overlaps(self.dispatch.interval));
            let firm = self.site.loads[load].is_firm();
            let rose = entry.to > entry.from.max(self.floor(load));
            let told = matches!(entry.reason, Reason::Instructed { .. });
            if rose && !by_hand && !firm && !told {
                self.report(Some(load), Fault::RaisedOnDoubt);
            }
        }
    }

    fn reasons(&mut self) {
        let cost = self.dispatch.cost();
        for (load, entry) in self.dispatch.entries.iter().enumerate() {
            if !self.follows(load, entry, cost) {
                self.report(Some(load), Fault::ReasonContradicts);
            }
            let (Reason::Limited { limit } | Reason::FirmShed { limit }) = entry.reason
            else {
                continue;
            };
            let room = self.headroom(limit);
            let Some(next) = self.next_step(load) else { continue };
            if limit != Limit::Export && room >= next {
                self.report(Some(load), Fault::LimitLeavesRoom { room });
            }
        }
    }

    /// What the last step that a load took draws; nothing at its lowest.
    fn last_step(&self, load: LoadIx) -> Power {
        let entry = &self.dispatch.entries[load];
        match entry.setpoint {
            Setpoint::Level(level) if level > entry.reach.floor => {
                let below = Setpoint::Level(level - 1);
                entry.to - self.site.power_at(load, below, self.dispatch.outside)
            }
            Setpoint::Level(_) => Power::ZERO,
            // A battery moves by the watt.
            Setpoint::Power(_) => Power::from_watts(1),
        }
    }

    /// What one more step of a load would draw; nothing at its highest, or for a
    /// battery.
    fn next_step(&self, load: LoadIx) -> Option<Power> {
        let entry = &self.dispatch.entries[load];
        match (self.site.loads[load].machines(), entry.setpoint) {
            (Some(_), Setpoint::Level(level)) if level < entry.reach.ceiling => {
                let above = Setpoint::Level(level + 1);
                Some(self.site.power_at(load, above, self.dispatch.outside) - entry.to)
            }
            (Some(_) | None, _) => None,
        }
    }

    /// Whether what a lift asked for raised loads no further than it takes: the one
    /// raised last may pass the level, by a step of its own.
    fn lifted_no_further(&self, lift: Lift) -> bool {
        let lifts = &self.dispatch.asked.lifts;
        let Some(place) = lifts.iter().position(|other| *other == lift) else {
            return false;
        };
        // Lifts are met one after another: this one knew of none that came later.
        let later = &lifts[place + 1..];
        let (mut step, mut since) = (Power::ZERO, Power::ZERO);
        for (load, entry) in self.dispatch.entries.iter().enumerate() {
            let (is_by_this, is_by_later) =
                if let Reason::Instructed { programme, level, of } = entry.reason {
                    let by = Lift { programme, level, of };
                    (by == lift, later.contains(&by))
                } else if let Reason::MinimumDown { .. } = entry.reason {
                    // Any lift it is meant by may have brought it back to where it stood.
                    let meant = |lift: &Lift| self.is_meant(*lift, load);
                    (meant(&lift), later.iter().any(meant))
                } else {
                    continue;
                };
            if is_by_this {
                step = step.max(self.last_step(load));
            }
            if is_by_later {
                since += self.counted(lift, load, entry.to)
                    - self.counted(lift, load, self.lowest(load));
            }
        }
        self.dispatch.drawn(self.site, lift) - since - step < lift.level
    }

    /// What a load that draws `power` counts towards a lift's level.
    fn counted(&self, lift: Lift, load: LoadIx, power: Power) -> Power {
        match lift.of {
            LiftOf::Site => power,
            LiftOf::Armed => {
                let power = if self.is_meant(lift, load) { power } else { Power::ZERO };
                power.max(Power::ZERO)
            }
        }
    }

    /// Whether a reason follows from the figures beside it.
    fn follows(&self, load: LoadIx, entry: &Entry, cost: Option<EnergyPrice>) -> bool {
        let at_floor = entry.to == self.floor(load);
        let worth_and_cost = entry.worth.zip(cost);
        let touches = |during: Interval| during.overlaps(self.dispatch.interval);
        match entry.reason {
            Reason::LockedOut { until } => (self.facts.lock_outs.iter()).any(|l| {
                l.load == load && l.until() == until && l.touches(self.dispatch.interval)
            }),
            Reason::Maintenance { until } => {
                at_floor && until > self.dispatch.interval.start
            }
            Reason::Held { at, until } => (self.facts.holds.iter()).any(|h| {
                h.load == load
                    && h.power == at
                    && h.during.end == until
                    && touches(h.during)
            }),
            Reason::Contracted => self.site.loads[load].is_firm(),
            Reason::FirmShed { .. } => self.site.loads[load].is_firm(),
            Reason::WorthIt => worth_and_cost.is_some_and(|(worth, cost)| worth >= cost),
            Reason::KeptOn { band } => worth_and_cost
                .is_some_and(|(worth, cost)| worth < cost && worth + band >= cost),
            Reason::NotWorthIt { band } => {
                at_floor
                    && worth_and_cost.is_some_and(|(worth, cost)| worth + band < cost)
            }
            Reason::KeptOff { band } => {
                at_floor
                    && worth_and_cost
                        .is_some_and(|(worth, cost)| worth >= cost && worth < cost + band)
            }
            Reason::MinimumUp { until } => {
                // Machines that take no orders may be all that is up.
                let is_up = !at_floor || entry.reach.floor > 0;
                is_up && until > self.dispatch.interval.start
            }
            Reason::MinimumDown { until } => {
                entry.to <= entry.from.max(self.floor(load))
                    && until > self.dispatch.interval.start
            }
            Reason::Limited { .. } => true,
            Reason::Tripped { programme } => {
                at_floor && self.dispatch.asked.tripped.contains(&programme)
            }
            Reason::Instructed { programme, level, of } => {
                self.lifted_no_further(Lift { programme, level, of })
            }
            Reason::LinkLost { programme } => {
                self.dispatch.asked.still == Some(programme)
                    && entry.to <= entry.from.max(self.floor(load))
            }
            Reason::OutOfReach => self.site.loads[load].machines().is_some_and(|m| {
                entry.setpoint == Setpoint::Level(entry.reach.ceiling)
                    && (entry.reach.ceiling < m.level_max()
                        || entry.reach.floor == entry.reach.ceiling)
            }),
            Reason::PriceStale => {
                self.dispatch.price.is_some_and(|used| used.freshness == Freshness::Stale)
            }
            Reason::PriceUnknown => cost.is_none(),
            Reason::HashpriceUnknown => at_floor && self.dispatch.hashprice.is_none(),
            Reason::AlwaysOn => !self.site.policy.follows_price,
            Reason::Charging => match &self.site.loads[load].kind {
                LoadKind::Battery(battery) => {
                    cost.is_some_and(|cost| cost <= battery.charge_below)
                }
                LoadKind::Rigs(_) | LoadKind::Racks(_) => false,
            },
            Reason::Discharging => match &self.site.loads[load].kind {
                LoadKind::Battery(battery) => {
                    cost.is_some_and(|cost| cost >= battery.discharge_above)
                }
                LoadKind::Rigs(_) | LoadKind::Racks(_) => false,
            },
            Reason::BatteryRests => entry.to.is_zero(),
            Reason::Stored { stored } => {
                let worth = self.through(load, stored, true);
                entry.to > Power::ZERO
                    && self.dispatch.outlook.is_some()
                    && worth_and_cost.zip(worth).is_some_and(|((said, cost), worth)| {
                        said == worth && cost <= worth + PLANNED_WITHIN
                    })
            }
            Reason::GivenBack { stored } => {
                let worth = self.through(load, stored, false);
                entry.to < Power::ZERO
                    && self.dispatch.outlook.is_some()
                    && worth_and_cost.zip(worth).is_some_and(|((said, cost), worth)| {
                        said == worth && cost + PLANNED_WITHIN >= worth
                    })
            }
            Reason::KeptStored { .. } => {
                entry.to.is_zero() && self.dispatch.outlook.is_some()
            }
        }
    }

    /// What a MWh at the meter is worth that charges a battery, or that it gives
    /// back, where a stored one is worth so much.
    fn through(
        &self,
        load: LoadIx,
        stored: EnergyPrice,
        charging: bool,
    ) -> Option<EnergyPrice> {
        match &self.site.loads[load].kind {
            LoadKind::Battery(battery) if charging => {
                Some(battery.charge_efficiency.of_price(stored))
            }
            LoadKind::Battery(battery) => {
                let ppm = battery.discharge_efficiency.as_ppm().max(1);
                Some(stored.scaled(1_000_000, ppm))
            }
            LoadKind::Rigs(_) | LoadKind::Racks(_) => None,
        }
    }
}
