//! The best plan over the look-ahead: a horizon made from a draft, and what its
//! optimum says of every battery, in exact quantities again.
//!
//! Draw is counted under the limits and what a battery sends back is not, here as
//! in the draft: all draw goes through a circuit of its own, as large as the
//! import limit, beside which batteries hang. Circuits that cannot bind are left
//! out.

use std::cmp::Ordering;

use units::{EnergyPrice, Interval, Power, Seconds};

use crate::decide::ahead::{
    Answer, Dated, Demand, End, Feeder, Grid, Horizon, Ramp, Solver, Store, exact,
};
use crate::decide::{Draft, Entry, Limit};
use crate::site::{Battery, FeederIx, LoadIx, LoadKind, Machines, Site};

/// What a battery does by the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// What it takes in the first step, at the meter; negative gives back.
    pub(crate) power: Power,
    /// What a MWh that it holds is worth at the end of that step.
    pub(crate) stored: EnergyPrice,
}

/// The solver and the room it works in, kept from one plan to the next.
#[derive(Clone, Debug, Default)]
pub(crate) struct Planner {
    solver: Solver,
    answer: Answer,
}

/// How far floating point may stand from what just pays: half a cent.
const WITHIN: EnergyPrice = EnergyPrice::from_micro_usd_per_mwh(5_000);

impl Draft<'_> {
    /// Plans what batteries do. Nothing where what is settled already cannot be
    /// kept up over the look-ahead.
    pub(in crate::decide) fn plan(&mut self) {
        let batteries: Vec<LoadIx> = (0..self.site.loads.len())
            .filter(|load| !self.settled[*load] && self.battery(*load).is_some())
            .collect();
        if batteries.is_empty() {
            return;
        }
        let horizon = self.horizon(&batteries);
        let Planner { solver, answer } = &mut self.memo.planner;
        if solver.solve_into(&horizon, answer).is_err() {
            return;
        }
        let plans: Vec<Option<Plan>> =
            (0..batteries.len()).map(|place| plan_of(answer, place)).collect();
        self.memo.ahead.plans.resize(self.site.loads.len(), None);
        for (load, plan) in batteries.into_iter().zip(plans) {
            self.memo.ahead.plans[load] = plan.filter(|plan| self.pays(load, *plan));
        }
    }

    /// Whether what a battery is planned to do pays at the plan's own prices: where
    /// a plan was not proven the best, they need not bear it out.
    fn pays(&self, load: LoadIx, plan: Plan) -> bool {
        let (Some(battery), Some(cost)) = (self.battery(load), self.cost) else {
            return false;
        };
        match plan.power.cmp(&Power::ZERO) {
            Ordering::Greater => cost <= plan.worth_of_charging(battery) + WITHIN,
            Ordering::Less => cost + WITHIN >= plan.worth_given_back(battery),
            Ordering::Equal => true,
        }
    }

    fn battery(&self, load: LoadIx) -> Option<&Battery> {
        match &self.site.loads[load].kind {
            LoadKind::Battery(battery) => Some(battery),
            LoadKind::Rigs(_) | LoadKind::Racks(_) => None,
        }
    }

    /// The look-ahead as a problem: what is settled draws what it draws, and what
    /// is not is free.
    fn horizon(&self, batteries: &[LoadIx]) -> Horizon {
        let course = &self.memo.course;
        let free: Vec<LoadIx> = (0..self.site.loads.len())
            .filter(|load| {
                !self.settled[*load]
                    && self.site.loads[*load].machines().is_some()
                    && !self.memo.worths[*load].points.is_empty()
            })
            .collect();
        let demands: Vec<(LoadIx, Vec<Power>)> =
            free.into_iter().map(|load| (load, self.widths(load))).collect();
        let circuits = Circuits::of(self, &demands);
        let mut worth = Vec::new();
        for (load, _) in &demands {
            let points = &self.memo.worths[*load].points;
            let mut least = points.first().copied().unwrap_or_default();
            for point in points {
                least = least.min(*point);
                worth.push(exact::usd_per_mwh(least));
            }
        }
        let base: Power = self.dispatch.entries.iter().map(|entry| entry.to).sum();
        let limits = self.limits();
        Horizon {
            hours: exact::hours(course.step),
            grid: Grid {
                import_usd_per_mwh: exact::prices(&course.costs),
                export_usd_per_mwh: Some(exact::prices(&course.exports)),
                import_limit_mw: dated(limits.iter().map(|limit| (*limit).max(base))),
                export_limit_mw: Dated::Always(exact::mw(
                    self.site.interconnection.export_limit,
                )),
                base_mw: Dated::Always(exact::mw(base)),
                ramp: self.ramp(
                    self.site.interconnection.ramp_up_per_minute,
                    self.site.interconnection.ramp_down_per_minute,
                    self.site.interconnection.import_limit
                        + self.site.interconnection.export_limit,
                ),
                blocks: Vec::new(),
                peaks: Vec::new(),
            },
            worth_usd_per_mwh: worth.repeat(course.costs.len()),
            loads: demands
                .iter()
                .map(|(load, widths)| {
                    let envelope = &self.site.loads[*load].envelope;
                    Demand {
                        feeder: circuits.above(self.site, self.site.loads[*load].feeder),
                        segments_mw: widths
                            .iter()
                            .map(|width| exact::mw(*width))
                            .collect(),
                        floor_mw: Dated::Always(0.0),
                        ceiling_mw: Dated::Always(exact::NO_LIMIT),
                        ramp: self.ramp(
                            envelope.ramp_up_per_minute,
                            envelope.ramp_down_per_minute,
                            widths.iter().copied().sum(),
                        ),
                    }
                })
                .collect(),
            batteries: batteries.iter().map(|load| self.store(*load)).collect(),
            feeders: circuits.list,
        }
    }

    /// How wide each point of a load's curve is, at the meter, within its reach.
    fn widths(&self, load: LoadIx) -> Vec<Power> {
        let Some(machines) = self.site.loads[load].machines() else { return Vec::new() };
        let (reach, pue) = (self.memo.reaches[load], self.memo.pues[load]);
        (0..machines.points.len())
            .map(|point| {
                let taken = |level| machines.taken(level, point);
                let count = taken(reach.ceiling).saturating_sub(taken(reach.floor));
                let step: fn(&Machines, usize) -> Power = Machines::step_power;
                pue.at_meter(step(machines, point).times(i64::from(count)))
            })
            .collect()
    }

    /// What may be drawn in each step, by what the grid has asked so far.
    fn limits(&self) -> Vec<Power> {
        let course = &self.memo.course;
        let now = self.dispatch.import().sheddable;
        let quiet = self.state.obligations.is_empty();
        (0..course.costs.len() as i64)
            .map(|place| {
                if quiet || place == 0 {
                    return now;
                }
                let from = self.dispatch.interval.start;
                let start =
                    from + Seconds::from_seconds(course.step.as_seconds() * place);
                let during = Interval::starting(start, course.step);
                let asked = self.state.obligations.in_force(self.site, during);
                asked.sheddable_limit(self.site) - self.dispatch.unexplained
            })
            .collect()
    }

    /// A ramp over a step; free where it is no narrower than all there is to move.
    fn ramp(&self, up: Option<Power>, down: Option<Power>, range: Power) -> Ramp {
        let minutes = self.memo.course.step.as_seconds() / 60;
        let over_step = |ramp: Option<Power>| {
            let watts = i128::from(ramp?.as_watts()) * i128::from(minutes);
            (watts < i128::from(range.as_watts()))
                .then(|| exact::mw(Power::from_watts(watts as i64)))
        };
        Ramp {
            up_mw: over_step(up).unwrap_or(exact::NO_LIMIT),
            down_mw: over_step(down).unwrap_or(exact::NO_LIMIT),
            before_mw: None,
        }
    }

    fn store(&self, load: LoadIx) -> Store {
        let battery = self.battery(load).expect("a battery is planned as one");
        let above = self.site.path(self.site.loads[load].feeder);
        let room = above.map(|feeder| self.room.left_under(Limit::Feeder(feeder))).min();
        let charge = room.map_or(battery.charge_max, |room| {
            battery.charge_max.min(room).max(Power::ZERO)
        });
        let held = self.state.fleet.of(load).charge;
        let least = battery.stored_min.min(battery.stored_max);
        let stored = held.least.max(least).min(battery.stored_max);
        Store {
            feeder: None,
            charge_mw: Dated::Always(exact::mw(charge)),
            discharge_mw: Dated::Always(exact::mw(battery.discharge_max)),
            stored_min_mwh: Dated::Always(exact::mwh(least)),
            stored_max_mwh: Dated::Always(exact::mwh(battery.stored_max)),
            charge_efficiency: exact::part(battery.charge_efficiency),
            discharge_efficiency: exact::part(battery.discharge_efficiency),
            wear_usd_per_mwh: 0.0,
            stored_mwh: exact::mwh(stored),
            end: End::Free,
        }
    }
}

/// Circuits that can bind, in the site's order, below one for all draw.
struct Circuits {
    list: Vec<Feeder>,
    /// Where each feeder of the site stands in the list, if it can bind.
    places: Vec<Option<usize>>,
    /// Whether the first stands for all draw.
    all: bool,
}

impl Circuits {
    fn of(draft: &Draft<'_>, demands: &[(LoadIx, Vec<Power>)]) -> Self {
        let site = draft.site;
        let mut behind = vec![Power::ZERO; site.feeders.len()];
        let mut total = Power::ZERO;
        for (load, widths) in demands {
            let most: Power = widths.iter().copied().sum();
            total += most;
            for feeder in site.path(site.loads[*load].feeder) {
                behind[feeder] += most;
            }
        }
        let drawn = |entry: &Entry| entry.to.max(Power::ZERO);
        let settled: Power = draft.dispatch.entries.iter().map(drawn).sum();
        let left: Vec<Power> = draft.limits().iter().map(|l| *l - settled).collect();
        let mut circuits =
            Self { list: Vec::new(), places: vec![None; site.feeders.len()], all: false };
        if left.iter().any(|left| *left < total) {
            circuits.all = true;
            let limit_mw = dated(left.into_iter().map(|left| left.max(Power::ZERO)));
            circuits.list.push(Feeder { parent: None, limit_mw });
        }
        for (feeder, behind) in behind.iter().enumerate() {
            let left = draft.room.left_under(Limit::Feeder(feeder));
            if *behind > left {
                let parent = circuits.above(site, site.feeders[feeder].parent);
                circuits.places[feeder] = Some(circuits.list.len());
                let limit = exact::mw(left.max(Power::ZERO));
                circuits.list.push(Feeder { parent, limit_mw: Dated::Always(limit) });
            }
        }
        circuits
    }

    /// The nearest circuit of the list on the way up.
    fn above(&self, site: &Site, feeder: Option<FeederIx>) -> Option<usize> {
        let nearest = site.path(feeder).find_map(|feeder| self.places[feeder]);
        nearest.or(self.all.then_some(0))
    }
}

/// What the plan says of a battery; nothing where its figures are none.
fn plan_of(answer: &Answer, place: usize) -> Option<Plan> {
    let charge = *answer.charge_mw.get(place)?;
    let discharge = *answer.discharge_mw.get(place)?;
    let stored = *answer.prices.stored_usd_per_mwh.get(place)?;
    exact::is_a_price(stored).then(|| Plan {
        power: exact::power(charge) - exact::power(discharge),
        stored: exact::price(stored),
    })
}

/// The same always where it is the same, else one each.
fn dated(powers: impl Iterator<Item = Power>) -> Dated {
    let powers: Vec<Power> = powers.collect();
    match powers.first() {
        Some(first) if powers.iter().all(|power| power == first) => {
            Dated::Always(exact::mw(*first))
        }
        Some(_) | None => {
            Dated::Each(powers.iter().map(|power| exact::mw(*power)).collect())
        }
    }
}
