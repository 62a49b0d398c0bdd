//! Credits for late delivery: days late, counted by acceptance.

use crate::contract::{Contract, Tranche};
use crate::exact::Exact;
use crate::facts::record::Record;
use crate::fee::{Values, full_quantity};
use std::collections::BTreeMap;
use units::{Interval, Timestamp};

/// What one acceptance was late.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch {
    pub(crate) accepted: Timestamp,
    pub(crate) days: i64,
    /// The credit before rounding, in units of the currency.
    pub(crate) credit: Exact,
    pub(crate) seq: u64,
}

/// The credits of a tranche's acceptances, and whether an index value that the
/// monthly fee needs is missing.
pub(crate) fn batches(
    record: &Record,
    place: usize,
    contract: &Contract,
    tranche: &Tranche,
) -> (Vec<Batch>, bool) {
    let terms = contract.delay.as_ref();
    let Some((delay, credit)) = terms.and_then(|delay| Some((delay, delay.credit?)))
    else {
        return (Vec::new(), false);
    };
    let Some(anchor) = record.anchor(place) else { return (Vec::new(), false) };
    let mut accepted: BTreeMap<(Timestamp, u64), i64> = BTreeMap::new();
    for tenure in &record.tranches[place].tenures {
        let tenure = &record.tenures[tenure.get()];
        // What comes in the place of another was delivered with that one.
        *accepted.entry((tenure.during.start, tenure.seq)).or_default() +=
            tenure.delivers();
    }
    let mut batches = Vec::new();
    let mut monthly = None;
    let mut incomplete = false;
    for ((at, seq), size) in accepted {
        let days = late(record, contract, tranche, delay.grace_days, at)
            .clamp(0, credit.cap_days);
        if days == 0 || size == 0 {
            continue;
        }
        let (fee, missing) = *monthly.get_or_insert_with(|| {
            let end = contract.zone.months_after(anchor, 1);
            let month = Interval { start: anchor, end };
            full_quantity(tranche, &contract.zone, anchor, month, Values::Known(record))
        });
        incomplete |= missing;
        let part = Exact::ratio(size.into(), tranche.quantity.count().into());
        let credit = credit.per_day * Exact::whole(days.into()) * fee * part;
        batches.push(Batch { accepted: at, days, credit, seq });
    }
    (batches, incomplete)
}

/// Days from delivery to acceptance, less grace and excused whole days.
pub(crate) fn late(
    record: &Record,
    contract: &Contract,
    tranche: &Tranche,
    grace_days: i64,
    accepted: Timestamp,
) -> i64 {
    let days = contract.zone.date(accepted).days_since(tranche.delivery);
    let start = contract.zone.midnight(tranche.delivery);
    let mut windows: Vec<Interval> =
        record.delay_excuses.iter().map(|window| window.value).collect();
    windows.sort_unstable_by_key(|window| window.start);
    let mut at = start;
    let mut excused = 0;
    for window in windows {
        let from = window.start.max(at);
        let to = window.end.min(accepted);
        if from < to {
            excused += (to - from).as_seconds();
            at = to;
        }
    }
    days - grace_days - excused / 86_400
}
