//! Unit-seconds by tranche, month and class, kept while facts come in.
//!
//! Only the units a new fact speaks of are resolved again; what they counted
//! before is taken off and what they count now is added.

use crate::calendar::{Date, Period};
use crate::contract::{Contract, Versions};
use crate::facts::record::{Place, Record};
use crate::statement::Seconds;
use crate::timeline::{self, Class, Era, Months, Resolver, Stretch};
use std::collections::{BTreeMap, BTreeSet};
use units::{Interval, Timestamp};

/// Long before any contract.
const LONG_AGO: Timestamp = Timestamp::from_unix_seconds(-10_000_000_000);

/// Unit-seconds by tranche, month and class.
#[derive(Clone, Debug, Default)]
pub(crate) struct Quantities {
    pub(crate) months: Months,
    /// By tenure.
    stretches: Vec<Box<[Stretch]>>,
    /// Where blocks are counted.
    blocks: BTreeMap<(usize, Domain), Block>,
    /// By tranche.
    tallies: Vec<Tally>,
    /// What the tallies come to, by tranche and month.
    seconds: Vec<Vec<Seconds>>,
    /// Where counting ends, for a month that goes on.
    until: Option<Timestamp>,
}

/// What counts together in a tranche.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Domain {
    /// The units of a domain, by its number in the record.
    Named(Place),
    /// A unit without one, by its tenure.
    Alone(Place),
}

#[derive(Clone, Debug, Default)]
struct Block {
    tenures: BTreeSet<Place>,
    stretches: Vec<Stretch>,
}

/// Unit-seconds of a tranche by class, kept by their edges.
///
/// A stretch is many months long, and is entered at two instants: from its start on
/// so many units more stand in its class, and from its end on so many fewer. What
/// stands at an instant fills its month to the end, and every later month wholly.
#[derive(Clone, Debug, Default)]
struct Tally(Vec<Edges>);

/// What changes in a month, by class.
#[derive(Clone, Copy, Debug, Default)]
struct Edges {
    /// Unit-seconds from the changes within the month to its end.
    seconds: [i64; Class::COUNT],
    /// How many units more stand in the class when the month is over.
    units: [i64; Class::COUNT],
}

/// The time each known version settles and its tranche's service then.
pub(crate) fn eras<'c>(
    record: &Record,
    tranche: usize,
    versions: &'c Versions,
    known: usize,
    until: Option<Timestamp>,
) -> Vec<Era<'c>> {
    let Some(anchor) = record.anchor(tranche) else { return Vec::new() };
    let found = &record.tranches[tranche];
    let versions = &versions.all()[..known];
    let mut eras = Vec::new();
    for (place, contract) in versions.iter().enumerate() {
        let Some(stated) = contract.tranche(&found.id) else { continue };
        let zone = &contract.zone;
        let from = if place == 0 { LONG_AGO } else { zone.midnight(contract.effective) };
        let to = versions
            .get(place + 1)
            .map_or(crate::facts::FOR_EVER, |next| zone.midnight(next.effective));
        let mut end = zone.months_after(anchor, stated.months);
        for earlier in found.ending.map(|ending| ending.at).into_iter().chain(until) {
            end = end.min(earlier);
        }
        let service = Interval { start: anchor.max(from), end: end.min(to) };
        if service.start < service.end {
            eras.push(Era { contract, service });
        }
    }
    eras
}

impl Quantities {
    /// Nothing counted yet, and nothing that comes after an instant ever.
    pub(crate) fn until(until: Option<Timestamp>) -> Self {
        Self { until, ..Self::default() }
    }

    /// Nothing counted yet, up to the same instant.
    pub(crate) fn anew(&self) -> Self {
        Self::until(self.until)
    }

    /// Counts again what changed. `until` is the last month that is asked for.
    pub(crate) fn refresh(
        &mut self,
        record: &mut Record,
        versions: &Versions,
        known: usize,
        until: Period,
    ) {
        let eras: Vec<Vec<Era<'_>>> = (0..record.tranches.len())
            .map(|tranche| eras(record, tranche, versions, known, self.until))
            .collect();
        let spans = eras.iter().flatten().map(|era| era.service);
        if self.widen(versions.first(), first_day(versions, known), until, spans) {
            record.touched.tranches.extend(0..record.tranches.len());
            record.touched.power = true;
        }
        let slots = record.touched.take_slots();
        let tranches = std::mem::take(&mut record.touched.tranches);
        let record = &*record;
        let months = self.months.count();
        self.tallies.resize_with(record.tranches.len(), || Tally::of(months));
        self.seconds.resize_with(record.tranches.len(), Vec::new);
        self.stretches.resize_with(record.tenures.len(), Box::default);
        for tranche in &tranches {
            self.tallies[*tranche] = Tally::of(months);
            self.blocks.retain(|(of, _), _| of != tranche);
            for tenure in &record.tranches[*tranche].tenures {
                self.stretches[tenure.get()] = Box::default();
            }
        }
        let anew = tranches.iter().flat_map(|tranche| &record.tranches[*tranche].tenures);
        let of_slots = slots.iter().flat_map(|slot| &record.slots[slot.get()].tenures);
        let others = of_slots.filter(|place| {
            let tenure = &record.tenures[place.get()];
            !tranches.contains(&tenure.tranche)
        });
        let mut resolver = Resolver::default();
        let mut blocks: BTreeSet<(usize, Domain)> = BTreeSet::new();
        let mut counted: BTreeSet<usize> = tranches.clone();
        for place in anew.chain(others) {
            let tenure = &record.tenures[place.get()];
            let (tranche, eras) = (tenure.tranche, &eras[tenure.tranche]);
            counted.insert(tranche);
            let now = resolver.unit(record, tenure, eras, &self.months);
            let before = std::mem::replace(&mut self.stretches[place.get()], now.into());
            if eras.iter().any(|era| timeline::in_blocks(era.contract)) {
                // A unit without a domain is a block of its own.
                let domain = tenure.domain.map_or(Domain::Alone(*place), Domain::Named);
                let block = self.blocks.entry((tranche, domain)).or_default();
                block.tenures.insert(*place);
                blocks.insert((tranche, domain));
            } else {
                let tally = &mut self.tallies[tranche];
                tally.add(&self.months, &before, -1);
                tally.add(&self.months, now, 1);
            }
        }
        for key in blocks {
            let block = self.blocks.get_mut(&key).expect("it was entered above");
            let members: Vec<&[Stretch]> =
                block.tenures.iter().map(|place| &*self.stretches[place.get()]).collect();
            let now = timeline::block(&members, &eras[key.0]);
            let tally = &mut self.tallies[key.0];
            tally.add(&self.months, &block.stretches, -1);
            tally.add(&self.months, &now, 1);
            block.stretches = now;
        }
        for tranche in counted {
            self.seconds[tranche] = self.tallies[tranche].months(&self.months);
        }
    }

    /// Sees that the table of months covers everything; true when it was made anew.
    fn widen(
        &mut self,
        contract: &Contract,
        first: Date,
        until: Period,
        spans: impl Iterator<Item = Interval>,
    ) -> bool {
        let zone = &contract.zone;
        let mut need =
            Interval { start: zone.midnight(first), end: zone.month(until).end };
        // A month long before the contract is not asked anything of.
        need.end = need.end.max(need.start);
        for span in spans {
            need.start = need.start.min(span.start);
            need.end = need.end.max(span.end);
        }
        if self.months.covers(need) {
            return false;
        }
        // Room on both sides, so that a growing record seldom makes it anew.
        let first = zone.period(need.start).plus(-12);
        let last = zone.period(need.end).plus(24);
        self.months = Months::between(zone, first, last);
        true
    }

    /// The seconds of a tranche in a month.
    pub(crate) fn seconds(&self, tranche: usize, place: usize) -> Seconds {
        let months = self.seconds.get(tranche);
        months.and_then(|months| months.get(place)).copied().unwrap_or_default()
    }

    /// The seconds of a tranche by class within `during`.
    pub(crate) fn seconds_in(
        &self,
        record: &Record,
        tranche: usize,
        during: Interval,
    ) -> Seconds {
        let mut seconds = [0; Class::COUNT];
        let mut count = |stretch: &Stretch| {
            let start = stretch.start.max(during.start);
            let end = stretch.end.min(during.end);
            if start < end {
                seconds[stretch.class as usize] +=
                    (end - start).as_seconds() * stretch.size;
            }
        };
        let first = (tranche, Domain::Named(Place::new(0)));
        let mut blocks = self
            .blocks
            .range(first..)
            .take_while(|((of, _), _)| *of == tranche)
            .peekable();
        if blocks.peek().is_some() {
            blocks.flat_map(|(_, block)| &block.stretches).for_each(count);
        } else {
            self.within(record, tranche, during).for_each(&mut count);
        }
        seconds_of(seconds)
    }

    /// The unit-seconds of a tranche reserved within `during`.
    pub(crate) fn reserved_in(
        &self,
        record: &Record,
        tranche: usize,
        during: Interval,
    ) -> i64 {
        self.within(record, tranche, during)
            .map(|stretch| {
                let start = stretch.start.max(during.start);
                let end = stretch.end.min(during.end);
                (end - start).as_seconds() * stretch.size
            })
            .sum()
    }

    /// What says that a unit of a tranche was not available, by month from `first` to
    /// `last`, as places in [`Record::said`]; once each, in the order it was let in.
    pub(crate) fn said_in(
        &self,
        record: &Record,
        tranche: usize,
        first: usize,
        last: usize,
    ) -> Vec<Vec<Place>> {
        let during = Interval {
            start: self.months.month(first).start,
            end: self.months.month(last).end,
        };
        let mut found = vec![Vec::new(); last - first + 1];
        for stretch in self.within(record, tranche, during) {
            let Some(said) = stretch.said else { continue };
            if stretch.class == Class::Available {
                continue;
            }
            let begun = self.months.place(stretch.start.max(during.start));
            for place in begun..=last {
                if self.months.month(place).start >= stretch.end {
                    break;
                }
                found[place - first].push(said);
            }
        }
        for said in &mut found {
            said.sort_unstable();
            said.dedup();
        }
        found
    }

    fn within<'q>(
        &'q self,
        record: &'q Record,
        tranche: usize,
        during: Interval,
    ) -> impl Iterator<Item = &'q Stretch> {
        let tenures = record.tranches[tranche].tenures.iter();
        tenures.flat_map(move |tenure| {
            let stretches = &self.stretches[tenure.get()];
            let first = stretches.partition_point(|stretch| stretch.end <= during.start);
            stretches[first..]
                .iter()
                .take_while(move |stretch| stretch.start < during.end)
        })
    }
}

/// The first day any known version has a tranche delivered.
fn first_day(versions: &Versions, known: usize) -> Date {
    let dates = versions.all()[..known].iter().map(Contract::first_delivery);
    dates.min().expect("a version is known")
}

impl Tally {
    /// Nothing in any of so many months.
    fn of(months: usize) -> Self {
        Self(vec![Edges::default(); months])
    }

    /// Adds stretches, or takes them off where `sign` is -1.
    fn add(&mut self, months: &Months, stretches: &[Stretch], sign: i64) {
        for stretch in stretches {
            let class = stretch.class as usize;
            for (at, units) in [(stretch.start, sign), (stretch.end, -sign)] {
                let units = units * stretch.size;
                let place = months.place(at);
                // What changes when the last month is over changes none.
                if let Some(edges) = self.0.get_mut(place) {
                    edges.seconds[class] += units * (months.end(place) - at).as_seconds();
                    edges.units[class] += units;
                }
            }
        }
    }

    /// The unit-seconds of each month.
    fn months(&self, months: &Months) -> Vec<Seconds> {
        let mut standing = [0; Class::COUNT];
        let filled = self.0.iter().enumerate().map(|(place, edges)| {
            let length = months.month(place).duration().as_seconds();
            let mut seconds = edges.seconds;
            for (class, seconds) in seconds.iter_mut().enumerate() {
                *seconds += standing[class] * length;
                standing[class] += edges.units[class];
            }
            seconds_of(seconds)
        });
        filled.collect()
    }
}

/// Seconds by class under their names, and their sum.
fn seconds_of(seconds: [i64; Class::COUNT]) -> Seconds {
    let of = |class: Class| seconds[class as usize];
    Seconds {
        reserved: seconds.iter().sum(),
        available: of(Class::Available),
        customer_caused: of(Class::CustomerCaused),
        force_majeure: of(Class::ForceMajeure),
        grid: of(Class::Grid),
        planned: of(Class::Planned),
        flex: of(Class::Flex),
        degraded: of(Class::Degraded),
        unknown: of(Class::Unknown),
        down: of(Class::Down),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::Zone;

    /// A stretch within a month, one to its very end, one over many months and one to
    /// the end of all, each counted month by month beside the tally.
    #[test]
    fn a_tally_is_what_each_month_holds_of_each_stretch() {
        let zone = Zone::named("Europe/Berlin").expect("a zone");
        let month = |text| Period::parse(text).expect("a month");
        let months = Months::between(&zone, month("2026-01"), month("2027-02"));
        let at = |text| Timestamp::parse(text).expect("an instant");
        let end = months.month(months.count() - 1).end;
        let stretch =
            |start, end, class, size| Stretch { start, end, class, size, said: None };
        let march = zone.month(month("2026-03"));
        let stretches = [
            stretch(
                at("2026-02-03T04:05:06Z"),
                at("2026-02-07T08:09:10Z"),
                Class::Down,
                3,
            ),
            stretch(at("2026-02-07T08:09:10Z"), march.end, Class::Grid, 4),
            stretch(march.end, at("2026-12-24T18:00:00Z"), Class::Available, 5),
            stretch(at("2026-12-24T18:00:00Z"), end, Class::Down, 7),
        ];
        let mut tally = Tally::of(months.count());
        tally.add(&months, &stretches, 1);
        for (place, found) in tally.months(&months).iter().enumerate() {
            let month = months.month(place);
            let within = |class| {
                let inside = stretches.iter().filter(|stretch| stretch.class == class);
                let seconds = inside.map(|stretch| {
                    let end = stretch.end.min(month.end);
                    (end - stretch.start.max(month.start)).as_seconds().max(0)
                        * stretch.size
                });
                seconds.sum::<i64>()
            };
            assert_eq!(found.down, within(Class::Down), "month {place}");
            assert_eq!(found.grid, within(Class::Grid), "month {place}");
            assert_eq!(found.available, within(Class::Available), "month {place}");
            assert_eq!(found.reserved, found.down + found.grid + found.available);
        }
        tally.add(&months, &stretches, -1);
        assert!(tally.months(&months).iter().all(|month| *month == Seconds::default()));
    }
}
