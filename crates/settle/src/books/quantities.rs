//! Time and energy as zero-sum entries, so that what was counted can be checked.
//!
//! Reserved unit-seconds are the sum of their classes, and what the main meter
//! counted is the sum of its sub-meters and the losses. Each month posts the
//! difference of all months so far to what was posted before, so that what is
//! learned later of an earlier month is in the month that learned it.

use super::{Book, Root};
use crate::calendar::{Date, Period};
use crate::contract::{Quantity, Versions};
use crate::facts::MeterOwner;
use crate::facts::record::MAIN;
use crate::settlement::Kept;
use crate::statement::Seconds;
use std::collections::BTreeMap;

/// What was posted so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Quantities {
    seconds: BTreeMap<String, [i64; 9]>,
    energy: BTreeMap<String, i64>,
}

/// The classes of time, by name.
fn classes(seconds: &Seconds) -> [(&'static str, i64); 9] {
    [
        ("Available", seconds.available),
        ("Degraded", seconds.degraded),
        ("Down", seconds.down),
        ("Planned", seconds.planned),
        ("Grid", seconds.grid),
        ("ForceMajeure", seconds.force_majeure),
        ("CustomerCaused", seconds.customer_caused),
        ("Flex", seconds.flex),
        ("Unknown", seconds.unknown),
    ]
}

impl Quantities {
    /// Posts what is now known of all months up to `period` above what was posted.
    pub(super) fn post(
        &mut self,
        book: &mut Book,
        kept: &Kept,
        versions: &Versions,
        period: Period,
        day: Date,
    ) {
        let Some(first) = kept.quantities.months.first else { return };
        let Ok(last) = usize::try_from(period.months_since(first)) else { return };
        let contract = versions.settling(period, kept.known.max(1));
        let id = contract.id.as_str();
        for (place, tranche) in kept.intake.record.tranches.iter().enumerate() {
            let known = versions.all().iter().rev();
            let mut known = known.filter_map(|version| version.tranche(&tranche.id));
            let Some(terms) = known.next() else { continue };
            let (code, unit) = match terms.quantity {
                Quantity::Gpus(_) => ("GPUSEC", "GpuSeconds"),
                Quantity::Kilowatts(_) => ("KWSEC", "KilowattSeconds"),
            };
            let commodity = book.commodity(code, 0);
            let mut totals = [0_i64; 9];
            for month in 0..=last {
                let seconds = kept.quantities.seconds(place, month);
                for (total, (_, class)) in totals.iter_mut().zip(classes(&seconds)) {
                    *total += class;
                }
            }
            let before = self.seconds.entry(tranche.id.clone()).or_default();
            let names = classes(&Seconds::default()).map(|(name, _)| name);
            let mut reserved = 0;
            let mut postings = Vec::new();
            for ((name, total), before) in names.iter().zip(totals).zip(before.iter_mut())
            {
                let part = total - *before;
                *before = total;
                reserved += part;
                if part != 0 {
                    let name = [unit, id, &tranche.id, name];
                    postings.push((book.account(Root::Equity, &name, commodity), part));
                }
            }
            if !postings.is_empty() {
                let name = [unit, id, &tranche.id, "Reserved"];
                postings.push((book.account(Root::Equity, &name, commodity), -reserved));
            }
            let entry = format!("{id}-{}-{period}-time", tranche.id);
            let text = format!("{period}, {}: reserved time by class", tranche.id);
            book.post(day, &entry, &text, &postings);
        }
        self.energy(book, kept, id, (period, last), day);
    }

    fn energy(
        &mut self,
        book: &mut Book,
        kept: &Kept,
        id: &str,
        (period, last): (Period, usize),
        day: Date,
    ) {
        let months = &kept.quantities.months;
        let mut totals: BTreeMap<String, i64> = BTreeMap::new();
        for ((start, end), readings) in &kept.intake.record.readings {
            let during = units::Interval { start: *start, end: *end };
            if !months.covers(during) || months.place(*start) > last {
                continue;
            }
            let mut own = 0;
            for (name, reading) in readings {
                if name != MAIN {
                    own += reading.wh;
                    let owner = match &reading.owner {
                        MeterOwner::Site => "Site",
                        MeterOwner::Tranche(name) => &name.tranche,
                        MeterOwner::Contract(id) => id,
                    };
                    *totals.entry(owner.to_owned()).or_default() += reading.wh;
                }
            }
            // Without a reading of the main meter the losses are not known.
            let main = readings.get(MAIN).map_or(own, |main| main.wh);
            *totals.entry(String::new()).or_default() += main - own;
        }
        if totals.is_empty() {
            return;
        }
        let commodity = book.commodity("MWH", 6);
        let mut main = 0;
        let mut postings = Vec::new();
        for (owner, total) in totals {
            let before = self.energy.entry(owner.clone()).or_default();
            let part = total - *before;
            *before = total;
            main += part;
            let account = match owner.as_str() {
                "" => book.account(Root::Equity, &["Energy", id, "Losses"], commodity),
                owner => {
                    let name = ["Energy", id, "Metered", owner];
                    book.account(Root::Equity, &name, commodity)
                }
            };
            postings.push((account, part));
        }
        let account = book.account(Root::Equity, &["Energy", id, "MainMeter"], commodity);
        postings.push((account, -main));
        let entry = format!("{id}-{period}-energy");
        let text = format!("{period}, energy of the main meter by what it went to");
        book.post(day, &entry, &text, &postings);
    }
}
