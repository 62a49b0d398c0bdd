//! A site's contracts as a run goes: the record of facts that grows, and what each
//! tranche in service stands to lose by it.
//!
//! A driver appends facts as they become known and asks for exposures; those that
//! changed become signals. What happened on a simulated site is written down by
//! [`witness`].

mod over_run;
pub mod witness;

pub use over_run::OverRun;

use std::collections::BTreeMap;

use engine::site::{LoadKind, Tranche};
use engine::{Capacity, Exposure, FlexEvent, Signal, Site};
use settle::contract::{Problems, Quantity, Versions};
use settle::exact::Exact;
use settle::exposure::micro_per_hour;
use settle::facts::{Body, Facts};
use settle::settlement::{Settlement, cut, statements};
use settle::statement::Statement;
use units::{Interval, Money, Power, Seconds, Timestamp};

/// The contracts that a site's racks serve, and the facts known about them.
#[derive(Debug)]
pub struct Tenancy {
    contracts: Vec<Served>,
    worked_out: Option<WorkedOut>,
}

/// What exposures were last worked out from, and how long that holds.
#[derive(Clone, Copy, Debug)]
struct WorkedOut {
    /// How many facts were known.
    facts: usize,
    /// The end of the month or of the flex event that ends first, or while capacity is
    /// being lost, the next hour.
    until: Timestamp,
}

/// How often exposures are worked out anew while capacity is being lost, or may be
/// since a fact arrived.
const WHILE_LOSING: Seconds = Seconds::hours(1);

/// A figure is said again when it rose or fell by one part in so many: who is cut
/// first under a limit does not change with every second lost.
const SAID_AGAIN: u64 = 5;

/// One contract.
#[derive(Debug)]
struct Served {
    settlement: Settlement,
    /// The tranches that the site's racks serve.
    tranches: Vec<String>,
    /// What was last said of each.
    said: BTreeMap<String, Exposure>,
    /// Unit-seconds of each that were lost when that was last worked out.
    lost: BTreeMap<String, Exact>,
}

/// A contract's statements after a run.
#[derive(Clone, Debug)]
pub struct Settled {
    /// What both parties call the contract.
    pub contract: String,
    /// Those of months that were cut off, and the month that the run ends in, held.
    pub statements: Vec<Statement>,
}

impl Tenancy {
    /// The contracts that racks of `site` serve, with the facts known so far.
    pub fn new(site: &Site, contracts: &[Versions], facts: &Facts) -> Self {
        let served = contracts.iter().filter_map(|versions| {
            let id = &versions.first().id;
            let tranches: Vec<String> = tranches_of(site)
                .filter(|tranche| tranche.contract == *id)
                .map(|tranche| tranche.id.clone())
                .collect();
            (!tranches.is_empty()).then(|| Served {
                settlement: Settlement::new(versions.clone(), facts.clone()),
                tranches,
                said: BTreeMap::new(),
                lost: BTreeMap::new(),
            })
        });
        Self { contracts: served.collect(), worked_out: None }
    }

    /// The same contracts over another record; what was said of them stays said.
    pub fn over(self, facts: &Facts) -> Self {
        let over = |served: Served| {
            let versions = served.settlement.versions().clone();
            Served { settlement: Settlement::new(versions, facts.clone()), ..served }
        };
        let contracts = self.contracts.into_iter().map(over).collect();
        Self { contracts, worked_out: None }
    }

    /// Takes in further lines of the record.
    ///
    /// # Errors
    /// Every line that is no fact; nothing is taken in then.
    pub fn append(&mut self, lines: &str) -> Result<(), Problems> {
        for contract in &mut self.contracts {
            contract.settlement.facts_mut().append(lines)?;
        }
        Ok(())
    }

    /// What changed of what tranches in service stand to lose at `now`, by the facts
    /// known then.
    pub fn signals(&mut self, now: Timestamp) -> Vec<Signal> {
        let Some(first) = self.contracts.first() else { return Vec::new() };
        let known = first.settlement.facts().known_by(now).len();
        let before = self.worked_out;
        if before.is_some_and(|one| one.facts == known && now < one.until) {
            return Vec::new();
        }
        let mut losing = before.is_none_or(|one| one.facts != known);
        let mut month_ends = Vec::new();
        let mut changed = Vec::new();
        for contract in &mut self.contracts {
            let month = contract.month(now);
            month_ends.push(month.end);
            let (fresh, lost_more) = contract.exposures(now, month);
            changed.extend(fresh);
            losing |= lost_more;
        }
        let hour = losing.then_some(now + WHILE_LOSING);
        let said = self.contracts.iter().flat_map(|contract| contract.said.values());
        let flex_ends = said.filter_map(|one| Some(one.flex.as_ref()?.during.end));
        let flex_ends = flex_ends.filter(|end| *end > now);
        let until = month_ends.into_iter().chain(hour).chain(flex_ends);
        let until = until.min().expect("a contract");
        self.worked_out = Some(WorkedOut { facts: known, until });
        changed.into_iter().map(Signal::Exposure).collect()
    }

    /// Settles what a run up to `end` came to: each month that ended by then at its
    /// cut, and the one it ends in as far as it went.
    pub fn settle(&mut self, end: Timestamp) -> Vec<Settled> {
        self.contracts.iter_mut().map(|contract| contract.settle(end)).collect()
    }
}

impl Served {
    fn month(&self, at: Timestamp) -> Interval {
        let zone = &self.settlement.versions().first().zone;
        zone.month(zone.period(at))
    }

    /// What changed of what tranches in service stand to lose in `month`, and whether
    /// more of it was lost than when that was last worked out.
    fn exposures(&mut self, now: Timestamp, month: Interval) -> (Vec<Exposure>, bool) {
        let last = self.settlement.facts().known_by(now).last();
        let (known_at, last_fact) = match last {
            Some(fact) => (fact.known_at, Some(fact.seq)),
            None => (now, None),
        };
        let contract = self.settlement.versions().first().id.clone();
        let mut changed = Vec::new();
        let mut lost_more = false;
        for found in self.settlement.exposure(now) {
            let lost = self.lost.insert(found.tranche.clone(), found.lost);
            lost_more |= lost.is_some_and(|lost| lost < found.lost);
            if found.counted.is_zero() || !self.tranches.contains(&found.tranche) {
                continue;
            }
            let part = |exact| Money::from_micro_usd(micro_per_hour(exact));
            let new = Exposure {
                tranche: Tranche {
                    contract: contract.clone(),
                    id: found.tranche.clone(),
                },
                during: month,
                known_at,
                last_fact,
                of: match found.quantity {
                    Quantity::Gpus(_) => Capacity::Gpu,
                    Quantity::Kilowatts(_) => Capacity::Kilowatt,
                },
                credit: part(found.slope),
                fee: part(found.fee),
                ending: part(found.termination),
                floor: found.floor_watts.map(watts_up),
                flex: found
                    .flex
                    .iter()
                    .min_by_key(|event| event.during.start)
                    .and_then(|event| self.flex_event(event)),
            };
            if !self.said.get(&found.tranche).is_some_and(|old| is_much_as(old, &new)) {
                self.said.insert(found.tranche, new.clone());
                changed.push(new);
            }
        }
        (changed, lost_more)
    }

    /// A flex event by the name that its fact gives it.
    fn flex_event(&self, event: &settle::exposure::FlexEvent) -> Option<FlexEvent> {
        let facts = self.settlement.facts().all();
        let fact = facts.iter().find(|fact| fact.seq == event.fact)?;
        let Body::Flex { id, .. } = &fact.body else { return None };
        let (during, left) = (event.during, Seconds::from_seconds(event.left));
        Some(FlexEvent { id: id.clone(), during, left })
    }

    fn settle(&mut self, end: Timestamp) -> Settled {
        let versions = self.settlement.versions().clone();
        let first = versions.first();
        // The month that holds the run's last second, or the one after it where that
        // second ends a month.
        let going_on = first.zone.period(end);
        let done = cut(first, going_on.previous());
        let as_of = end.max(done);
        let mut made = statements(&versions, self.settlement.facts(), as_of);
        let complete = first.zone.month(going_on).start == end;
        let held = made.last().is_some_and(Statement::is_held);
        if !complete && !held && going_on >= first.first_delivery().period() {
            for one in &made {
                self.settlement.issue(one);
            }
            made.push(self.settlement.so_far(going_on, end));
        }
        Settled { contract: first.id.clone(), statements: made }
    }
}

/// A floor in whole watts: no less than it is.
fn watts_up(floor: Exact) -> Power {
    let watts = -(-floor).floor();
    Power::from_watts(i64::try_from(watts).unwrap_or(i64::MAX))
}

/// Whether an exposure says much the same as the one before it, of the same month.
fn is_much_as(old: &Exposure, new: &Exposure) -> bool {
    let much_as = |old: Money, new: Money| {
        let (old, new) = (old.as_micro_usd(), new.as_micro_usd());
        (old == 0) == (new == 0) && old.abs_diff(new) <= old.unsigned_abs() / SAID_AGAIN
    };
    old.during == new.during
        && much_as(old.credit, new.credit)
        && much_as(old.fee, new.fee)
        && much_as(old.ending, new.ending)
        && old.floor == new.floor
        && old.flex == new.flex
}

/// The tranches that racks of a site serve, load by load.
fn tranches_of(site: &Site) -> impl Iterator<Item = &Tranche> {
    site.loads.iter().filter_map(|load| match &load.kind {
        LoadKind::Racks(racks) => racks.tranche(),
        LoadKind::Rigs(_) | LoadKind::Battery(_) => None,
    })
}
