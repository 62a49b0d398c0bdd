//! Unit-seconds by tranche, month and class, kept while facts come in.
//!
//! Only the units a new fact speaks of are resolved again; what they counted
//! before is taken off and what they count now is added.

use crate::calendar::{Date, Period};
use crate::contract::{Contract, Versions};
use crate::facts::record::Record;
use crate::statement::Seconds;
use crate::timeline::{self, Class, Era, Months, Stretch};
use std::collections::{BTreeMap, BTreeSet};
use units::{Interval, Timestamp};

/// Long before any contract.
const LONG_AGO: Timestamp = Timestamp::from_unix_seconds(-10_000_000_000);

/// Unit-seconds by tranche, month and class.
#[derive(Clone, Debug, Default)]
pub(crate) struct Quantities {
    pub(crate) months: Months,
    /// By tenure.
    stretches: Vec<Vec<Stretch>>,
    /// By tranche and domain, where blocks are counted.
    blocks: BTreeMap<(usize, String), Block>,
    /// By tranche and month.
    tallies: Vec<Vec<Seconds>>,
}

#[derive(Clone, Debug, Default)]
struct Block {
    tenures: BTreeSet<usize>,
    stretches: Vec<Stretch>,
}

/// The time each known version settles and its tranche's service then.
pub(crate) fn eras<'c>(
    record: &Record,
    tranche: usize,
    versions: &'c Versions,
    known: usize,
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
        if let Some(ending) = found.ending {
            end = end.min(ending.at);
        }
        let service = Interval { start: anchor.max(from), end: end.min(to) };
        if service.start < service.end {
            eras.push(Era { contract, service });
        }
    }
    eras
}

impl Quantities {
    /// Counts again what changed. `until` is the last month that is asked for.
    pub(crate) fn refresh(
        &mut self,
        record: &mut Record,
        versions: &Versions,
        known: usize,
        until: Period,
    ) {
        let mut touched = std::mem::take(&mut record.touched);
        let eras: Vec<Vec<Era<'_>>> = (0..record.tranches.len())
            .map(|tranche| eras(record, tranche, versions, known))
            .collect();
        let spans = eras.iter().flatten().map(|era| era.service);
        if self.widen(versions.first(), first_day(versions, known), until, spans) {
            touched.tranches.extend(0..record.tranches.len());
            touched.power = true;
        }
        record.touched.power = touched.power;
        let months = self.months.count();
        self.tallies.resize_with(record.tranches.len(), Vec::new);
        self.stretches.resize_with(record.tenures.len(), Vec::new);
        for tranche in &touched.tranches {
            self.tallies[*tranche] = vec![Seconds::default(); months];
            self.blocks.retain(|(of, _), _| of != tranche);
            for tenure in &record.tranches[*tranche].tenures {
                self.stretches[*tenure] = Vec::new();
            }
        }
        let mut tenures: BTreeSet<usize> = BTreeSet::new();
        for tranche in &touched.tranches {
            tenures.extend(&record.tranches[*tranche].tenures);
        }
        for slot in &touched.slots {
            tenures.extend(&record.slots[*slot].tenures);
        }
        let mut blocks: BTreeSet<(usize, String)> = BTreeSet::new();
        for place in tenures {
            let tenure = &record.tenures[place];
            let tranche = tenure.tranche;
            let tally = &mut self.tallies[tranche];
            tally.resize(months, Seconds::default());
            let now = timeline::unit(record, tenure, &eras[tranche], &self.months);
            let before = std::mem::replace(&mut self.stretches[place], now);
            if eras[tranche].iter().any(|era| timeline::in_blocks(era.contract)) {
                // A unit without a domain is a block of its own.
                let domain = tenure.domain.clone();
                let domain = domain.unwrap_or_else(|| format!("\u{0}{place}"));
                let key = (tranche, domain);
                self.blocks.entry(key.clone()).or_default().tenures.insert(place);
                blocks.insert(key);
            } else {
                add(tally, &self.months, &before, -1);
                add(tally, &self.months, &self.stretches[place], 1);
            }
        }
        for key in blocks {
            let tally = &mut self.tallies[key.0];
            let block = self.blocks.get_mut(&key).expect("it was entered above");
            let members: Vec<&[Stretch]> = block
                .tenures
                .iter()
                .map(|place| self.stretches[*place].as_slice())
                .collect();
            let now = timeline::block(&members, &eras[key.0]);
            add(tally, &self.months, &block.stretches, -1);
            add(tally, &self.months, &now, 1);
            block.stretches = now;
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
        let tally = self.tallies.get(tranche).and_then(|tally| tally.get(place));
        tally.copied().unwrap_or_default()
    }

    /// The seconds of a tranche by class within one month's `during`.
    pub(crate) fn seconds_in(
        &self,
        record: &Record,
        tranche: usize,
        during: Interval,
    ) -> Seconds {
        let mut tally = vec![Seconds::default(); self.months.count()];
        if during.start >= during.end {
            return Seconds::default();
        }
        let cut = |stretch: &Stretch| Stretch {
            start: stretch.start.max(during.start),
            end: stretch.end.min(during.end),
            ..*stretch
        };
        let mut parts: Vec<Stretch> = Vec::new();
        let mut blocks = self.blocks.range((tranche, String::new())..).peekable();
        match blocks.peek() {
            Some(((of, _), _)) if *of == tranche => {
                for (_, block) in blocks.take_while(|((of, _), _)| *of == tranche) {
                    let inside = block.stretches.iter().filter(|stretch| {
                        stretch.start < during.end && during.start < stretch.end
                    });
                    parts.extend(inside.map(cut));
                }
            }
            Some(_) | None => parts.extend(self.within(record, tranche, during).map(cut)),
        }
        add(&mut tally, &self.months, &parts, 1);
        tally[self.months.place(during.start)]
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

    /// The facts that say a unit was not available within `during`, and what each
    /// refers to.
    pub(crate) fn facts_in(
        &self,
        record: &Record,
        tranche: usize,
        during: Interval,
    ) -> BTreeSet<(u64, Option<usize>)> {
        self.within(record, tranche, during)
            .filter(|stretch| stretch.class != Class::Available)
            .filter_map(|stretch| Some((stretch.seq?, stretch.reference)))
            .collect()
    }

    fn within<'q>(
        &'q self,
        record: &'q Record,
        tranche: usize,
        during: Interval,
    ) -> impl Iterator<Item = &'q Stretch> {
        let tenures = record.tranches[tranche].tenures.iter();
        tenures.flat_map(move |tenure| {
            let stretches = &self.stretches[*tenure];
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

fn add(tally: &mut [Seconds], months: &Months, stretches: &[Stretch], sign: i64) {
    for stretch in stretches {
        let mut at = stretch.start;
        let mut place = months.place(at);
        while at < stretch.end {
            let end = months.end(place).min(stretch.end);
            let seconds = (end - at).as_seconds() * stretch.size * sign;
            let month = &mut tally[place];
            month.reserved += seconds;
            *match stretch.class {
                Class::Available => &mut month.available,
                Class::CustomerCaused => &mut month.customer_caused,
                Class::ForceMajeure => &mut month.force_majeure,
                Class::Grid => &mut month.grid,
                Class::Planned => &mut month.planned,
                Class::Flex => &mut month.flex,
                Class::Degraded => &mut month.degraded,
                Class::Unknown => &mut month.unknown,
                Class::Down => &mut month.down,
            } += seconds;
            at = end;
            place += 1;
        }
    }
}
