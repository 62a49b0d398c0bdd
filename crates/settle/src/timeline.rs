//! A unit's states over time: what was said, excused and counted, to the second.
//!
//! [`unit`] resolves the assertions about one slot into stretches without gaps
//! or overlaps, and [`block`] joins the stretches of the units of one domain.
//! Both are functions of the record and the terms alone.
//!
//! Invariant: the stretches of a unit cover its time in service exactly, less
//! the time in which it was said not to be accepted.

use crate::calendar::{Period, Zone};
use crate::contract::{Basis, Contract};
use crate::exact::Exact;
use crate::facts::record::{Assertion, Place, Record, Slot, Tenure};
use crate::facts::{About, State};
use std::collections::BinaryHeap;
use units::{Interval, Timestamp};

/// What a second of a unit counts as. The order is that in which the units of a
/// block are added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    Available,
    CustomerCaused,
    ForceMajeure,
    Grid,
    Planned,
    Flex,
    Degraded,
    Unknown,
    Down,
}

impl Class {
    /// How many classes there are.
    pub(crate) const COUNT: usize = Self::Down as usize + 1;
}

/// A stretch of time in one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) class: Class,
    /// How much stands in it: GPUs or kilowatts.
    pub(crate) size: i64,
    /// What says so, where something does, by place in [`Record::said`].
    pub(crate) said: Option<Place>,
}

/// The time in which one version of the contract settles, and its tranche's
/// service then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Era<'c> {
    pub(crate) contract: &'c Contract,
    /// The tranche's service as far as this version settles it.
    pub(crate) service: Interval,
}

/// The edges of calendar months, found once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Months {
    pub(crate) first: Option<Period>,
    /// The start of each, and the end of the last.
    starts: Vec<Timestamp>,
    /// The month at the start of each stride of [`STRIDE_SECONDS`]. No month is shorter,
    /// so that one more may begin in it and no other.
    at_stride: Vec<usize>,
}

/// Twenty days.
const STRIDE_SECONDS: i64 = 20 * 86_400;

impl Months {
    /// The months from `first` to `last`, both included.
    pub(crate) fn between(zone: &Zone, first: Period, last: Period) -> Self {
        let count = last.months_since(first) + 2;
        let starts: Vec<Timestamp> = (0..count)
            .map(|month| zone.midnight(first.plus(month).first_day()))
            .collect();
        let mut at_stride = Vec::new();
        let (mut at, mut place) = (starts[0], 0);
        while at < starts[starts.len() - 1] {
            while starts[place + 1] <= at {
                place += 1;
            }
            at_stride.push(place);
            at = at + units::Seconds::from_seconds(STRIDE_SECONDS);
        }
        Self { first: Some(first), starts, at_stride }
    }

    /// How many months there are.
    pub(crate) fn count(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    pub(crate) fn covers(&self, during: Interval) -> bool {
        let ends = self.starts.first().zip(self.starts.last());
        ends.is_some_and(|(first, last)| *first <= during.start && during.end <= *last)
    }

    /// The place of the month an instant lies in; the number of months for their end.
    pub(crate) fn place(&self, at: Timestamp) -> usize {
        let stride = (at - self.starts[0]).as_seconds().div_euclid(STRIDE_SECONDS);
        let stride = usize::try_from(stride).expect("an instant within the months");
        let place = self.at_stride.get(stride).copied().unwrap_or(self.count() - 1);
        place + usize::from(self.starts[place + 1] <= at)
    }

    /// The instant after the month at `place`.
    pub(crate) fn end(&self, place: usize) -> Timestamp {
        self.starts[place + 1]
    }

    pub(crate) fn month(&self, place: usize) -> Interval {
        Interval { start: self.starts[place], end: self.starts[place + 1] }
    }

    /// The year of the month at `place`, counted so that a year's months share it.
    fn year(&self, place: usize) -> i32 {
        let first = self.first.map_or(0, Period::ordinal);
        let place = i32::try_from(place).expect("months fit 32 bits");
        (first + place).div_euclid(12)
    }
}

/// Whole seconds of hours, rounded down: a budget is never more than agreed.
fn seconds(hours: Exact) -> i64 {
    let seconds = (hours * Exact::whole(3_600)).floor();
    i64::try_from(seconds).expect("hours are bounded where they are read")
}

/// Resolves units one after another; the lists it works on are used again for each.
#[derive(Default)]
pub(crate) struct Resolver<'r> {
    /// Of the unit's slot, what was said with an end and what without one.
    bounded: Vec<Said<'r>>,
    open: Vec<Said<'r>>,
    /// What was said with an end and covers the instant looked at, by `seq`.
    covering: BinaryHeap<(u64, usize)>,
    winners: Vec<(Interval, Option<Said<'r>>)>,
    stretches: Vec<Stretch>,
}

/// An assertion and its place in the record.
type Said<'r> = (Place, &'r Assertion);

impl<'r> Resolver<'r> {
    /// Resolves one unit's stretches over its service.
    pub(crate) fn unit(
        &mut self,
        record: &'r Record,
        tenure: &Tenure,
        eras: &[Era<'_>],
        months: &Months,
    ) -> &[Stretch] {
        let slot = &record.slots[tenure.slot.get()];
        self.stretches.clear();
        for era in eras {
            let counts = tenure.counts();
            let start = era.service.start.max(counts.start);
            let end = era.service.end.min(counts.end);
            if start >= end {
                continue;
            }
            self.win(record, slot, Interval { start, end });
            for (during, said) in &self.winners {
                excuse(record, tenure, era.contract, *during, *said, &mut self.stretches);
            }
        }
        spend_budgets(eras, months, &mut self.stretches);
        forgive_short(eras, &mut self.stretches, false);
        &self.stretches
    }

    /// Finds which assertion holds when, within `span`: of every bounded one that
    /// covers an instant and the open one that began last, the latest known.
    fn win(&mut self, record: &'r Record, slot: &Slot, span: Interval) {
        self.bounded.clear();
        self.open.clear();
        self.covering.clear();
        self.winners.clear();
        for place in &slot.said {
            let said = record.assertion(*place);
            if !said.during.overlaps(span) {
                continue;
            }
            let list = if said.is_open() { &mut self.open } else { &mut self.bounded };
            list.push((*place, said));
        }
        self.bounded.sort_unstable_by_key(|(_, said)| said.during.start);
        self.open.sort_unstable_by_key(|(_, said)| (said.during.start, said.seq));
        let (mut next_bounded, mut next_open) = (0, 0);
        let mut standing: Option<Said<'r>> = None;
        let mut at = span.start;
        while at < span.end {
            // From one instant to the next at which another may win.
            let mut end = span.end;
            while let Some(said) = self.open.get(next_open) {
                if said.1.during.start > at {
                    end = end.min(said.1.during.start);
                    break;
                }
                standing = Some(*said);
                next_open += 1;
            }
            while let Some((_, said)) = self.bounded.get(next_bounded) {
                if said.during.start > at {
                    end = end.min(said.during.start);
                    break;
                }
                self.covering.push((said.seq, next_bounded));
                next_bounded += 1;
            }
            let top = loop {
                let Some((_, place)) = self.covering.peek() else { break None };
                let top = self.bounded[*place];
                if top.1.during.end > at {
                    end = end.min(top.1.during.end);
                    break Some(top);
                }
                self.covering.pop();
            };
            let winner = match (top, standing) {
                (Some(top), Some(standing)) if standing.1.seq > top.1.seq => {
                    Some(standing)
                }
                (Some(top), _) => Some(top),
                (None, standing) => standing,
            };
            match self.winners.last_mut() {
                Some((during, before))
                    if before.map(|said| said.0) == winner.map(|said| said.0) =>
                {
                    during.end = end;
                }
                Some(_) | None => {
                    self.winners.push((Interval { start: at, end }, winner));
                }
            }
            at = end;
        }
    }
}

pub(crate) fn in_blocks(contract: &Contract) -> bool {
    match contract.sla.as_ref().map(|sla| sla.basis) {
        Some(Basis::Blocks { .. }) => true,
        Some(Basis::GpuSeconds) | None => false,
    }
}

/// The evidence and the state of an assertion after its incident was classified.
fn classified(record: &Record, said: &Assertion) -> (State, Option<Place>) {
    let class = said.reference.and_then(|incident| record.evidence(incident)?.class);
    match (said.state, class) {
        (State::Available | State::NotAccepted, _) | (_, None) => {
            (said.state, said.reference)
        }
        (
            State::Degraded
            | State::Down
            | State::Planned
            | State::Grid
            | State::ForceMajeure
            | State::CustomerCaused
            | State::Unknown,
            Some(class),
        ) => (class.value.0, class.value.1.or(said.reference)),
    }
}

/// Adds the stretches of one assertion: what is excused by its evidence, and
/// down where it is not.
fn excuse(
    record: &Record,
    tenure: &Tenure,
    contract: &Contract,
    during: Interval,
    said: Option<Said<'_>>,
    stretches: &mut Vec<Stretch>,
) {
    let mut add = |start: Timestamp, end: Timestamp, class: Class| {
        if start < end {
            let said = said.map(|(place, _)| place);
            stretches.push(Stretch { start, end, class, size: tenure.size, said });
        }
    };
    let Some((_, said)) = said else {
        return add(during.start, during.end, Class::Unknown);
    };
    let (state, reference) = classified(record, said);
    let evidence = reference.and_then(|reference| record.evidence(reference));
    let excused = contract.sla.as_ref().map(|sla| &sla.excused);
    let mut windows: Vec<Interval> = Vec::new();
    let (inside, outside) = match state {
        State::NotAccepted => return,
        State::Unknown => (Class::Unknown, Class::Unknown),
        State::Degraded => (Class::Degraded, Class::Degraded),
        State::Down => (Class::Down, Class::Down),
        State::CustomerCaused => match excused {
            Some(excused) if excused.customer_caused => {
                (Class::CustomerCaused, Class::CustomerCaused)
            }
            Some(_) | None => (Class::Down, Class::Down),
        },
        State::Available => {
            let floor = contract.power_floor_watts_per_gpu;
            let cap = said.cap_w_per_gpu.map(|cap| record.caps[cap.get()]);
            match cap.zip(floor) {
                Some((cap, floor)) if cap < floor => {
                    if contract.flex_hours_per_month.is_some() {
                        let events = &record.tranches[tenure.tranche].flex;
                        windows.extend(events.iter().map(|event| event.value));
                    }
                    (Class::Flex, Class::Down)
                }
                Some(_) | None => (Class::Available, Class::Available),
            }
        }
        State::Planned => {
            if let Some(planned) = excused.and_then(|excused| excused.planned) {
                let ahead =
                    units::Seconds::from_seconds(seconds_up(planned.notice_hours));
                let notices = evidence.iter().flat_map(|evidence| &evidence.notices);
                let in_time = notices.filter(|notice| {
                    notice.about == About::PlannedMaintenance
                        && notice.known_at + ahead <= notice.window.start
                });
                windows.extend(in_time.map(|notice| notice.window));
            }
            (Class::Planned, Class::Down)
        }
        State::Grid => {
            if excused.is_some_and(|excused| excused.grid.is_some()) {
                let found = evidence.iter().flat_map(|evidence| &evidence.instructions);
                windows.extend(found.map(|instruction| instruction.value));
            }
            (Class::Grid, Class::Down)
        }
        State::ForceMajeure => {
            let hours = excused.and_then(|excused| excused.force_majeure_notice_hours);
            let in_time = hours.is_some_and(|hours| {
                let after = units::Seconds::from_seconds(seconds(hours));
                evidence.is_some_and(|evidence| {
                    evidence.notices.iter().any(|notice| {
                        notice.about == About::ForceMajeure
                            && notice.known_at <= said.during.start + after
                    })
                })
            });
            let class = if in_time { Class::ForceMajeure } else { Class::Down };
            (class, class)
        }
    };
    if inside == outside {
        return add(during.start, during.end, inside);
    }
    windows.sort_unstable_by_key(|window| window.start);
    let mut at = during.start;
    for window in windows {
        let start = window.start.max(at).min(during.end);
        let end = window.end.min(during.end);
        if start < end {
            add(at, start, outside);
            add(start, end, inside);
            at = end;
        }
    }
    add(at, during.end, outside);
}

/// Whole seconds of hours, rounded up: a notice is never shorter than agreed.
fn seconds_up(hours: Exact) -> i64 {
    let seconds = -(-(hours * Exact::whole(3_600))).floor();
    i64::try_from(seconds).expect("hours are bounded where they are read")
}

/// Turns excused time above a unit's budgets into down, in the order of time.
fn spend_budgets(eras: &[Era<'_>], months: &Months, stretches: &mut Vec<Stretch>) {
    let budgeted =
        |class: Class| matches!(class, Class::Planned | Class::Grid | Class::Flex);
    if !stretches.iter().any(|stretch| budgeted(stretch.class)) {
        return;
    }
    let mut spent = Vec::with_capacity(stretches.len() + 2);
    // Used so far, and in which month or year, for each budget.
    let (mut planned, mut flex, mut grid) = ((0, -1), (0, -1), (0, -1));
    for stretch in stretches.iter() {
        if !budgeted(stretch.class) {
            spent.push(*stretch);
            continue;
        }
        let mut at = stretch.start;
        while at < stretch.end {
            let place = months.place(at);
            let end = months.end(place).min(stretch.end);
            let contract = settling(eras, at);
            let excused = contract.sla.as_ref().map(|sla| &sla.excused);
            let month = i32::try_from(place).expect("months fit 32 bits");
            let (used, now, limit) = match stretch.class {
                Class::Planned => {
                    let planned_terms = excused.and_then(|excused| excused.planned);
                    let hours = planned_terms.and_then(|terms| terms.hours_per_month);
                    (&mut planned, month, hours)
                }
                Class::Flex => (&mut flex, month, contract.flex_hours_per_month),
                Class::Grid => {
                    let grid_terms = excused.and_then(|excused| excused.grid);
                    let hours = grid_terms.and_then(|terms| terms.hours_per_year);
                    (&mut grid, months.year(place), hours)
                }
                Class::Available
                | Class::CustomerCaused
                | Class::ForceMajeure
                | Class::Degraded
                | Class::Unknown
                | Class::Down => unreachable!("only budgeted classes come here"),
            };
            if used.1 != now {
                *used = (0, now);
            }
            let left = limit.map_or(i64::MAX, |hours| seconds(hours) - used.0).max(0);
            let length = (end - at).as_seconds();
            let within = length.min(left);
            used.0 += within;
            let turn = at + units::Seconds::from_seconds(within);
            for (start, end, class) in
                [(at, turn, stretch.class), (turn, end, Class::Down)]
            {
                if start < end {
                    spent.push(Stretch { start, end, class, ..*stretch });
                }
            }
            at = end;
        }
    }
    *stretches = spent;
}

/// The version in whose service an instant lies.
fn settling<'c>(eras: &[Era<'c>], at: Timestamp) -> &'c Contract {
    let found = eras.iter().find(|era| era.service.contains(at));
    found.expect("a stretch lies in the service of a version").contract
}

/// Counts runs of down that are shorter than the least incident as available.
///
/// A run is of what is counted: of a block where blocks are counted, otherwise
/// of a unit. The length of the whole run decides.
fn forgive_short(eras: &[Era<'_>], stretches: &mut [Stretch], blocks: bool) {
    let rule = |at: Timestamp| {
        let contract = settling(eras, at);
        contract.sla.as_ref().map_or((0, false), |sla| {
            let counted = in_blocks(contract) == blocks;
            let least = if counted { sla.min_incident_seconds } else { 0 };
            (least, sla.degraded == Exact::ONE)
        })
    };
    let mut first = 0;
    while first < stretches.len() {
        let counts = |stretch: &Stretch| match stretch.class {
            Class::Down => true,
            Class::Degraded => rule(stretch.start).1,
            Class::Available
            | Class::CustomerCaused
            | Class::ForceMajeure
            | Class::Grid
            | Class::Planned
            | Class::Flex
            | Class::Unknown => false,
        };
        if !counts(&stretches[first]) {
            first += 1;
            continue;
        }
        let mut last = first;
        while let Some(next) = stretches.get(last + 1)
            && next.start == stretches[last].end
            && counts(next)
        {
            last += 1;
        }
        let run = (stretches[last].end - stretches[first].start).as_seconds();
        for stretch in &mut stretches[first..=last] {
            if run < rule(stretch.start).0 {
                stretch.class = Class::Available;
            }
        }
        first = last + 1;
    }
}

/// Joins the stretches of the units of one domain: at every instant the whole
/// block is in the class at which, from the best, enough units are found.
pub(crate) fn block(members: &[&[Stretch]], eras: &[Era<'_>]) -> Vec<Stretch> {
    let all = || members.iter().flat_map(|member| member.iter());
    let mut edges: Vec<Timestamp> =
        all().flat_map(|stretch| [stretch.start, stretch.end]).collect();
    edges.extend(eras.iter().flat_map(|era| [era.service.start, era.service.end]));
    edges.sort_unstable();
    edges.dedup();
    let mut places = vec![0; members.len()];
    let mut joined: Vec<Stretch> = Vec::new();
    for pair in edges.windows(2) {
        let (start, end) = (pair[0], pair[1]);
        let mut counts = [0_u32; Class::COUNT];
        let (mut accepted, mut size) = (0_u32, 0);
        for (member, place) in members.iter().zip(&mut places) {
            while member.get(*place).is_some_and(|stretch| stretch.end <= start) {
                *place += 1;
            }
            if let Some(stretch) = member.get(*place)
                && stretch.start <= start
            {
                counts[stretch.class as usize] += 1;
                accepted += 1;
                size += stretch.size;
            }
        }
        if accepted == 0 {
            continue;
        }
        let basis = settling(eras, start).sla.as_ref().map(|sla| sla.basis);
        let Some(Basis::Blocks { needed, .. }) = basis else {
            // A version that counts units by themselves: each keeps its class.
            for (class, _) in CLASSES.iter().zip(counts).filter(|(_, count)| *count > 0) {
                let size = members
                    .iter()
                    .zip(&places)
                    .filter_map(|(member, place)| member.get(*place))
                    .filter(|stretch| stretch.start <= start && stretch.class == *class)
                    .map(|stretch| stretch.size)
                    .sum();
                joined.push(Stretch { start, end, class: *class, size, said: None });
            }
            continue;
        };
        let sla = settling(eras, start).sla.as_ref();
        let order = best_first(sla.is_some_and(|sla| sla.degraded == Exact::ONE));
        let mut sum = 0;
        let reached = order.into_iter().find(|class| {
            sum += counts[*class as usize];
            sum >= needed
        });
        let class = match reached {
            Some(class) if accepted >= needed => class,
            Some(_) | None => Class::Down,
        };
        match joined.last_mut() {
            Some(before)
                if before.end == start
                    && before.class == class
                    && before.size == size =>
            {
                before.end = end;
            }
            _ => joined.push(Stretch { start, end, class, size, said: None }),
        }
    }
    forgive_short(eras, &mut joined, true);
    joined
}

/// The order in which the units of a block are added up. Where a degraded second
/// counts wholly as down, a unit that nobody knows of may be better.
fn best_first(degraded_is_down: bool) -> [Class; Class::COUNT] {
    let mut order = CLASSES;
    if degraded_is_down {
        order.swap(Class::Degraded as usize, Class::Unknown as usize);
    }
    order
}

/// Every class, best first.
const CLASSES: [Class; Class::COUNT] = [
    Class::Available,
    Class::CustomerCaused,
    Class::ForceMajeure,
    Class::Grid,
    Class::Planned,
    Class::Flex,
    Class::Degraded,
    Class::Unknown,
    Class::Down,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instant_is_placed_in_its_month() {
        let zone = Zone::named("America/Chicago").expect("a zone");
        let month = |text| Period::parse(text).expect("a month");
        let (first, last) = (month("2027-11"), month("2029-03"));
        let months = Months::between(&zone, first, last);
        let second = units::Seconds::from_seconds(1);
        for place in 0..months.count() {
            let edges = zone.month(first.plus(i32::try_from(place).expect("small")));
            assert_eq!(months.month(place), edges);
            let (start, end) = (edges.start, edges.end);
            for at in [start, start + second, start + units::Seconds::hours(14 * 24)] {
                assert_eq!(months.place(at), place, "{at}");
            }
            assert_eq!(months.place(end - second), place);
        }
        assert_eq!(months.place(zone.month(last).end), months.count());
    }
}
