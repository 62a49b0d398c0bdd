//! What is wrong now, read off the engine's state.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use units::{Interval, Power, Seconds, Timestamp};

use super::what::{Group, LimitNamed, Unheard, What};
use super::{OfRacks, Trouble};
use crate::act::{Act, is_under};
use crate::capacity::Kept;
use crate::decide::{Limit, Setpoint};
use crate::ranges::Ranges;
use crate::site::{LoadIx, LoadKind, LockOut, ProgrammeIx, Site};
use crate::state::{Freshness, NotUsed, Standing, State, ordinary};

/// How long loads may be in doubt where no programme asks for a faster response:
/// longer than a slow sweep.
const RESPONSE: Seconds = Seconds::minutes(1);

/// A response faster than this is no time to see anything.
const RESPONSE_MIN: Seconds = Seconds::from_seconds(10);

/// The meter lags loads that move by a few readings.
const ABOVE_LIMIT_FOR: Seconds = Seconds::from_seconds(15);

/// Draw that no load explains may be a load on its way for so long.
const UNEXPLAINED_FOR: Seconds = Seconds::minutes(1);

/// A meter that was silent for ten seconds may speak again.
const METER_SILENT_FOR: Seconds = Seconds::from_seconds(20);

/// After a start, feeds say what they know within this.
const PRICE_STALE_FOR: Seconds = Seconds::minutes(1);

/// What was running when it was locked out comes to rest within this once it is
/// ordered to, or something is wrong.
const AT_REST_WITHIN: Seconds = Seconds::minutes(1);

/// What is on offer comes down, is seen to be down, and a held rack starts within this.
const HELD_STARTS_WITHIN: Seconds = Seconds::minutes(5);

/// A machine that restarts, or is given in another's place, is back within this or
/// somebody has to look.
const SEATS_LOST_FOR: Seconds = Seconds::minutes(2);

/// What could not be used stays an alarm for this long.
const QUARANTINED_FOR: Seconds = Seconds::minutes(10);

/// What was said once and is not kept anywhere else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Heard {
    /// What is wrong with the program itself.
    pub(super) troubles: BTreeSet<Trouble>,
    /// What could not be used, by programme.
    quarantined: BTreeMap<String, Quarantine>,
}

/// What a programme said that could not be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Quarantine {
    /// Why not, the last time.
    why: String,
    /// How often in a row.
    count: u32,
    /// When last.
    last: Timestamp,
}

/// What is looked at.
pub(crate) struct View<'a> {
    pub(crate) state: &'a State,
    pub(crate) act: &'a Act,
    pub(crate) interval: Option<Interval>,
    pub(crate) at: Timestamp,
    pub(crate) heard: &'a Heard,
    /// The site's racks, where there are any.
    pub(crate) racks: Option<&'a Kept>,
}

/// Something that is wrong.
#[derive(Clone, Debug)]
pub(crate) struct Wrong {
    pub(super) what: What,
    /// How long it has to last before people are told.
    pub(super) delay: Seconds,
}

impl Heard {
    /// Takes in that something a programme said could not be used.
    pub(crate) fn quarantine(
        &mut self,
        site: &Site,
        programme: ProgrammeIx,
        why: NotUsed,
        at: Timestamp,
    ) {
        self.quarantined.retain(|_, entry| at - entry.last < QUARANTINED_FOR);
        let name = site.programmes.get(programme);
        let name = name.map_or("a programme not joined", |joined| joined.name.as_str());
        let before = self.quarantined.get(name).map_or(0, |entry| entry.count);
        let count = before.saturating_add(1);
        let entry = Quarantine { why: why.explain(site), count, last: at };
        self.quarantined.insert(name.to_owned(), entry);
    }
}

/// Everything that is wrong now.
pub(crate) fn what_is_wrong(view: &View<'_>) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    for load in 0..view.state.site.loads.len() {
        wrong.extend(view.locked_out_runs(load));
        wrong.extend(view.contract_cut(load));
        wrong.extend(view.out_of_hand(load));
        wrong.extend(view.held_down(load));
    }
    wrong.extend(view.limits());
    wrong.extend(view.meter());
    wrong.extend(view.overdue());
    wrong.extend(view.links());
    wrong.extend(view.prices());
    for (programme, entry) in &view.heard.quarantined {
        if view.at - entry.last < QUARANTINED_FOR {
            let (programme, why) = (programme.clone(), entry.why.clone());
            let what = What::Quarantined { programme, why, count: entry.count };
            wrong.push(Wrong::at_once(what));
        }
    }
    if let Some(overdue) = view.racks.and_then(Kept::overdue) {
        let (first, waits) = (overdue.first.clone(), overdue.waits.clone());
        let what = What::TraysOverdue { trays: overdue.trays, first, waits };
        wrong.push(Wrong::at_once(what));
    }
    for what in view.racks.map_or(&[][..], Kept::wrong) {
        let delay = match what {
            OfRacks::SeatsLost { .. } => SEATS_LOST_FOR,
            OfRacks::Leak { .. }
            | OfRacks::DomainLost { .. }
            | OfRacks::ShelvesDown { .. } => Seconds::ZERO,
        };
        wrong.push(Wrong::after(delay, What::OfRacks(what.clone())));
    }
    let troubles = view.heard.troubles.iter();
    wrong.extend(troubles.map(|trouble| Wrong::at_once(What::Program(*trouble))));
    wrong
}

/// When something may become wrong, or be no more, without anything happening.
pub(crate) fn next_deadline(view: &View<'_>) -> Option<Timestamp> {
    let lock_outs = view.state.lock_outs.iter().filter(|l| l.until_released);
    let ends = lock_outs.flat_map(|l| [l.during.end, l.during.start + AT_REST_WITHIN]);
    let quarantined = view.heard.quarantined.values();
    ends.chain(quarantined.map(|entry| entry.last + QUARANTINED_FOR))
        .filter(|due| *due > view.at)
        .min()
}

impl Wrong {
    fn at_once(what: What) -> Self {
        Self { what, delay: Seconds::ZERO }
    }

    fn after(delay: Seconds, what: What) -> Self {
        Self { what, delay }
    }
}

impl View<'_> {
    fn name(&self, load: LoadIx) -> String {
        self.state.site.loads[load].name.clone()
    }

    /// Some of the machines of a load.
    fn group(&self, load: LoadIx, count: u32) -> Group {
        let shape = &self.state.site.loads[load];
        Group {
            load: shape.name.clone(),
            racks: matches!(shape.kind, LoadKind::Racks(_)),
            firm: shape.is_firm(),
            count,
            of: shape.machines().map_or(1, |machines| machines.count),
        }
    }

    fn limit(&self, limit: Limit) -> (LimitNamed, Power) {
        let site = &self.state.site;
        match limit {
            Limit::Feeder(feeder) => {
                let feeder = &site.feeders[feeder];
                (LimitNamed::Feeder(feeder.name.clone()), feeder.limit)
            }
            Limit::Export => (LimitNamed::Export, site.interconnection.export_limit),
            // What is under contract stays on under a best-effort limit.
            Limit::Import | Limit::BestEffort => {
                (LimitNamed::Import, self.import_limit())
            }
        }
    }

    /// The tightest limit on what the site draws at this moment.
    fn import_limit(&self) -> Power {
        self.state.import_limit(Interval::starting(self.at, Seconds::from_seconds(1)))
    }

    /// A load that somebody works on runs, though it was ordered to rest.
    fn locked_out_runs(&self, load: LoadIx) -> Option<Wrong> {
        let state = self.state;
        let is_meant = |l: &&LockOut| {
            l.load == load
                && l.is_on(self.at)
                && self.at - l.during.start >= AT_REST_WITHIN
        };
        let mut lock_outs = state.lock_outs.iter().filter(is_meant).peekable();
        lock_outs.peek()?;
        let (machines, draw) = match state.fleet.crew(load) {
            Some(crew) if crew.sums().locked_out_running == 0 => return None,
            Some(crew) => {
                let meant: Vec<&LockOut> = lock_outs.collect();
                let (machines, draw) = crew.runs_locked_out(|machine| {
                    let has = |some: &Ranges| some.contains(machine);
                    meant.iter().any(|l| l.machines.as_ref().is_none_or(has))
                });
                if machines.is_empty() {
                    return None;
                }
                (Some(machines), draw)
            }
            None => {
                let belief = state.fleet.of(load);
                let draw = state.power_now(load, belief.at_most);
                if belief.unanswered || draw.is_zero() {
                    return None;
                }
                (None, draw)
            }
        };
        let roles = state.locked_out_by(load, self.at);
        let load = self.name(load);
        Some(Wrong::at_once(What::LockedOutRuns { load, machines, draw, roles }))
    }

    /// A limit cuts what is under contract.
    fn contract_cut(&self, load: LoadIx) -> Option<Wrong> {
        let (limit, target) = self.act.cut(load)?;
        let (Setpoint::Level(level), Some(machines)) =
            (target, self.state.site.loads[load].machines())
        else {
            return None;
        };
        let last = machines.points.len().saturating_sub(1);
        let cut = machines.count - machines.taken(level, last);
        let (limit, size) = self.limit(limit);
        let racks = self.group(load, cut);
        (cut > 0).then(|| Wrong::at_once(What::ContractCut { racks, limit, size }))
    }

    /// Machines that answer nobody, and machines that do as they like.
    fn out_of_hand(&self, load: LoadIx) -> Vec<Wrong> {
        let Some(crew) = self.state.fleet.crew(load) else { return Vec::new() };
        let sums = crew.sums();
        let since = |standing| crew.standing_since(standing).unwrap_or(self.at);
        let mut wrong = Vec::new();
        if sums.silent > 0 {
            let machines = self.group(load, sums.silent);
            let since = since(Standing::Silent);
            wrong.push(Wrong::at_once(What::Silent { machines, since }));
        }
        if sums.defiant > 0 {
            let machines = self.group(load, sums.defiant);
            let since = since(Standing::Defiant);
            wrong.push(Wrong::at_once(What::Defiant { machines, since }));
        }
        wrong
    }

    /// Held racks that are down for longer than it takes to make way for them.
    fn held_down(&self, load: LoadIx) -> Option<Wrong> {
        let down = self.state.fleet.crew(load)?.held_down_unasked();
        let racks = self.group(load, down);
        (down > 0).then(|| Wrong::after(HELD_STARTS_WITHIN, What::HeldDown { racks }))
    }

    /// Limits that loads may be above at worst, for longer than the fastest
    /// programme lets them.
    fn limits(&self) -> Vec<Wrong> {
        let site = &self.state.site;
        let fastest = site.programmes.iter().map(|programme| programme.response).min();
        let delay = fastest.map_or(RESPONSE, |fastest| fastest.max(RESPONSE_MIN));
        let passed = self.act.passed_at_worst(self.state, self.at);
        let wrong = passed.into_iter().map(|(limit, by, all_shed)| {
            let unheard = self.unheard_under(limit);
            let (limit, size) = self.limit(limit);
            Wrong::after(delay, What::MayExceed { limit, size, by, unheard, all_shed })
        });
        wrong.collect()
    }

    /// The load under a limit whose machines leave most in doubt.
    fn unheard_under(&self, limit: Limit) -> Option<Unheard> {
        let site = &self.state.site;
        let (load, count, since) = (0..site.loads.len())
            .filter(|load| is_under(site, *load, limit))
            .filter_map(|load| {
                let (count, since) = self.state.fleet.crew(load)?.unheard()?;
                Some((load, count, since))
            })
            .max_by_key(|(load, ..)| self.act.doubt(self.state, *load))?;
        Some(Unheard { machines: self.group(load, count), since })
    }

    /// What the interconnection's meter shows, or does not.
    fn meter(&self) -> Vec<Wrong> {
        let residual = &self.state.residual;
        if let Some(since) = residual.lost_since() {
            return vec![Wrong::after(METER_SILENT_FOR, What::MeterSilent { since })];
        }
        let mut wrong = Vec::new();
        let size = self.import_limit();
        if let Some(draw) = residual.draw().filter(|draw| *draw > size) {
            let what = What::AboveLimit { size, draw };
            wrong.push(Wrong::after(ABOVE_LIMIT_FOR, what));
        }
        let draw = residual.newest();
        let import_limit = self.state.site.interconnection.import_limit;
        if draw.as_watts().abs() > ordinary(import_limit).as_watts() {
            let what = What::Unexplained { draw, import_limit };
            wrong.push(Wrong::after(UNEXPLAINED_FOR, what));
        }
        wrong
    }

    /// Lock-outs that were to be over by now.
    fn overdue(&self) -> Vec<Wrong> {
        let overdue = |l: &&LockOut| l.until_released && l.during.end <= self.at;
        let wrong = self.state.lock_outs.iter().filter(overdue).map(|l| {
            Wrong::at_once(What::LockOutOverdue {
                load: self.name(l.load),
                machines: l.machines.clone(),
                role: l.role.clone(),
                reason: l.reason.clone(),
                expected: l.during.end,
            })
        });
        wrong.collect()
    }

    /// Programmes whose link is silent.
    fn links(&self) -> Vec<Wrong> {
        let programmes = self.state.site.programmes.iter().enumerate();
        let wrong = programmes.filter_map(|(ix, programme)| {
            let since = self.state.obligations.lost_since(ix)?;
            let (name, fail_safe) = (programme.name.clone(), programme.fail_safe);
            Some(Wrong::at_once(What::LinkSilent { programme: name, since, fail_safe }))
        });
        wrong.collect()
    }

    /// Figures without which nothing is started.
    fn prices(&self) -> Vec<Wrong> {
        let (state, policy) = (self.state, &self.state.site.policy);
        let Some(interval) = self.interval else { return Vec::new() };
        let mut wrong = Vec::new();
        if policy.follows_price {
            let used = state.prices.for_interval(
                interval,
                policy.decide_on,
                policy.stale_price_hold,
            );
            if used.is_none_or(|used| used.freshness != Freshness::Fresh) {
                let last = used.map(|used| used.known.during.end);
                wrong.push(Wrong::after(PRICE_STALE_FOR, What::PriceStale { last }));
            }
        }
        let rigs_by_worth = state.site.loads.iter().any(|load| match &load.kind {
            LoadKind::Rigs(rigs) => rigs.strike.is_none(),
            LoadKind::Racks(_) | LoadKind::Battery(_) => false,
        });
        if rigs_by_worth && state.hashprice_at(interval.start).is_none() {
            let last = state.hashprice.map(|known| known.during.end);
            wrong.push(Wrong::after(PRICE_STALE_FOR, What::HashpriceStale { last }));
        }
        wrong
    }
}
