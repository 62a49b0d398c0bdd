//! What reserved capacity costs: prices over time, used, unused and overused.

use crate::calendar::Zone;
use crate::contract::{Price, PriceUnit, Tranche};
use crate::exact::Exact;
use crate::facts::record::Record;
use std::collections::BTreeSet;
use units::{Interval, Timestamp};

/// A price that holds for a while.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    pub(crate) during: Interval,
    /// Per GPU-hour or per month, in units of the currency.
    pub(crate) price: Exact,
    /// Whether the index value it needs is missing.
    pub(crate) missing: bool,
    /// The fact the index value is from.
    pub(crate) seq: Option<u64>,
}

/// Where an index value comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Values<'r> {
    /// From the record.
    Known(&'r Record),
    /// The base, for values that are fixed at signing.
    Base,
}

/// The amount as the steps state it at an instant.
fn stated(price: &Price, zone: &Zone, at: Timestamp) -> Exact {
    let begun = price.steps.iter().rev().find(|step| zone.midnight(step.from) <= at);
    begun.map_or(price.amount, |step| step.amount)
}

/// The prices of a tranche within `during`, split at each instant of change.
pub(crate) fn pieces(
    tranche: &Tranche,
    zone: &Zone,
    during: Interval,
    values: Values<'_>,
) -> Vec<Piece> {
    let price = &tranche.price;
    if price.steps.is_empty() && price.index.is_none() {
        let piece = Piece { during, price: price.amount, missing: false, seq: None };
        return vec![piece];
    }
    let mut edges: BTreeSet<Timestamp> = [during.start, during.end].into();
    edges.extend(price.steps.iter().map(|step| zone.midnight(step.from)));
    if let (Some(index), Values::Known(record)) = (&price.index, values) {
        let values = record.index_values.get(&index.name);
        edges.extend(values.into_iter().flatten().map(|value| value.value.0));
    }
    let edges: Vec<Timestamp> = edges.range(during.start..=during.end).copied().collect();
    let mut pieces: Vec<Piece> = Vec::new();
    for pair in edges.windows(2) {
        let during = Interval { start: pair[0], end: pair[1] };
        let amount = stated(price, zone, during.start);
        let (factor, missing, seq) = match (&price.index, values) {
            (None, _) => (Exact::ONE, false, None),
            (Some(index), values) => {
                let found = match values {
                    Values::Known(record) => record.index_at(&index.name, during.start),
                    Values::Base => None,
                };
                let missing = found.is_none() && matches!(values, Values::Known(_));
                let value = found.map_or(index.base, |found| found.value);
                let mut ratio = value / index.base;
                if let Some(floor) = index.floor {
                    ratio = ratio.max(floor);
                }
                if let Some(cap) = index.cap {
                    ratio = ratio.min(cap);
                }
                let factor = Exact::ONE - index.share + index.share * ratio;
                (factor, missing, found.map(|found| found.seq))
            }
        };
        pieces.push(Piece { during, price: amount * factor, missing, seq });
    }
    pieces
}

/// What the full quantity of a tranche costs over `during`, in units of the
/// currency: by elapsed time for a price per GPU-hour, by months counted from
/// `anchor` for a price per month.
pub(crate) fn full_quantity(
    tranche: &Tranche,
    zone: &Zone,
    anchor: Timestamp,
    during: Interval,
    values: Values<'_>,
) -> (Exact, bool) {
    let pieces = pieces(tranche, zone, during, values);
    let missing = pieces.iter().any(|piece| piece.missing);
    let value = match tranche.price.unit {
        PriceUnit::GpuHour => {
            let quantity = i128::from(tranche.quantity.count());
            let parts = pieces.iter().map(|piece| {
                let seconds = i128::from(piece.during.duration().as_seconds());
                piece.price * Exact::ratio(quantity * seconds, 3_600)
            });
            parts.sum()
        }
        PriceUnit::MwMonth | PriceUnit::Flat => {
            let mut value = Exact::ZERO;
            let mut start = anchor;
            let mut pieces = pieces.iter().peekable();
            for month in 1.. {
                if start >= during.end {
                    break;
                }
                let end = zone.months_after(anchor, month);
                let length = i128::from((end - start).as_seconds());
                while let Some(piece) = pieces.peek() {
                    let from = piece.during.start.max(start);
                    let to = piece.during.end.min(end);
                    if from < to {
                        let seconds = i128::from((to - from).as_seconds());
                        value += piece.price * Exact::ratio(seconds, length);
                    }
                    if piece.during.end > end {
                        break;
                    }
                    pieces.next();
                }
                start = end;
            }
            value
        }
    };
    (value, missing)
}

/// The mean of prices weighted by `weights`, or by time where all are nothing.
pub(crate) fn mean(pieces: &[Piece], weights: &[i64]) -> Exact {
    let total: i128 = weights.iter().copied().map(i128::from).sum();
    if let Some(first) = pieces.first()
        && pieces.iter().all(|piece| piece.price == first.price)
    {
        return first.price;
    }
    if total == 0 {
        let seconds: Vec<i64> =
            pieces.iter().map(|piece| piece.during.duration().as_seconds()).collect();
        return if seconds.iter().all(|seconds| *seconds == 0) {
            Exact::ZERO
        } else {
            mean(pieces, &seconds)
        };
    }
    let parts = pieces.iter().zip(weights);
    parts.map(|(piece, weight)| piece.price * Exact::ratio((*weight).into(), total)).sum()
}

/// What a month's quantities come to, before rounding, in units of the currency.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fee {
    pub(crate) capacity: Exact,
    pub(crate) shortfall: Exact,
    pub(crate) overage: Exact,
    /// Unit-seconds billed as capacity.
    pub(crate) capacity_seconds: Exact,
    /// GPU-seconds paid and not used.
    pub(crate) shortfall_seconds: Exact,
    /// GPU-seconds used above what was reserved, after what was drawn from
    /// earlier shortfalls.
    pub(crate) overage_seconds: Exact,
    /// GPU-seconds drawn from earlier shortfalls.
    pub(crate) drawn_seconds: Exact,
    /// The price of the month.
    pub(crate) price: Exact,
}

/// Paid but unused quantity, by the month it was paid in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Balance {
    /// The last month in which it may be drawn, and how much is left.
    lots: Vec<(usize, Exact)>,
}

impl Balance {
    /// What may be drawn in the month at `place`.
    pub(crate) fn left(&self, place: usize) -> Exact {
        let lots = self.lots.iter().filter(|lot| lot.0 >= place);
        lots.map(|lot| lot.1).sum()
    }

    /// Draws up to `wanted`, the oldest first; returns what was drawn.
    pub(crate) fn draw(&mut self, place: usize, wanted: Exact) -> Exact {
        self.lots.retain(|lot| lot.0 >= place && !lot.1.is_zero());
        let mut drawn = Exact::ZERO;
        for lot in &mut self.lots {
            let part = lot.1.min(wanted - drawn);
            lot.1 = lot.1 - part;
            drawn += part;
        }
        drawn
    }

    /// Adds what was paid and not used, to be drawn by the month at `last`.
    pub(crate) fn add(&mut self, last: usize, seconds: Exact) {
        self.lots.push((last, seconds));
    }
}

/// What quantities come to at the month's price.
pub(crate) fn fee(
    tranche: &Tranche,
    share: Exact,
    month_seconds: i64,
    reserved: i64,
    used: Option<i64>,
    price: Exact,
) -> Fee {
    let whole = |seconds: i64| Exact::whole(seconds.into());
    let reserved_seconds = whole(reserved);
    match tranche.price.unit {
        PriceUnit::GpuHour => {
            let used = whole(used.unwrap_or(reserved));
            let hourly = price * Exact::ratio(1, 3_600);
            let over = tranche.price.overage.unwrap_or(price) * Exact::ratio(1, 3_600);
            let capacity_seconds = used.min(reserved_seconds);
            let shortfall_seconds = (share * reserved_seconds - used).max(Exact::ZERO);
            let overage_seconds = (used - reserved_seconds).max(Exact::ZERO);
            Fee {
                capacity: hourly * capacity_seconds,
                shortfall: hourly * shortfall_seconds,
                overage: over * overage_seconds,
                capacity_seconds,
                shortfall_seconds,
                overage_seconds,
                drawn_seconds: Exact::ZERO,
                price,
            }
        }
        PriceUnit::MwMonth | PriceUnit::Flat => {
            let full = i128::from(tranche.quantity.count()) * i128::from(month_seconds);
            Fee {
                capacity: price * Exact::ratio(reserved.into(), full),
                capacity_seconds: reserved_seconds,
                price,
                ..Fee::default()
            }
        }
    }
}
