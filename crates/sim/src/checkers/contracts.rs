//! S2: contract load is never shed while sheddable load remains on the same
//! limit.

use engine::site::LoadIx;
use engine::{Dispatch, Order, OrderBatch, Reason, Setpoint};
use units::{Power, Timestamp};

use super::books::{Books, Fence};

/// A contract load cut in a dispatch has a limit above it under which nothing
/// that could be shed would make room for one more of its machines.
pub(super) fn in_dispatch(books: &Books, dispatch: &Dispatch, broken: &mut Vec<String>) {
    for (load, entry) in dispatch.entries.iter().enumerate() {
        let (true, Some(machines), Setpoint::Level(level)) = (
            books.site.loads[load].is_firm(),
            books.site.loads[load].machines(),
            entry.setpoint,
        ) else {
            continue;
        };
        let by_hand = (books.by_hand.lock_outs.iter())
            .any(|l| l.load == load && l.touches(dispatch.interval))
            || (books.by_hand.holds.iter())
                .any(|h| h.load == load && h.during.overlaps(dispatch.interval));
        let resting = matches!(entry.reason, Reason::MinimumDown { .. });
        if level >= machines.level_max() || by_hand || resting {
            continue;
        }
        let above =
            |level| books.site.power_at(load, Setpoint::Level(level), dispatch.outside);
        let next = above(level + 1) - entry.to;
        let excused = books
            .fences()
            .filter(|fence| books.is_under(load, *fence))
            .any(|fence| room_if_all_shed(books, dispatch, fence) < next);
        if !excused {
            broken.push(format!(
                "S2: {} is cut while shedding others would make room for it",
                books.site.loads[load].name
            ));
        }
    }
}

fn room_if_all_shed(books: &Books, dispatch: &Dispatch, fence: Fence) -> Power {
    let limit = match fence {
        Fence::Import => dispatch.import_limit,
        Fence::Feeder(feeder) => books.site.feeders[feeder].limit,
    };
    let kept = |load: LoadIx| {
        if books.site.loads[load].is_firm() {
            dispatch.entries[load].to
        } else {
            let rest = crate::world::at_rest(&books.site, load);
            books.site.power_at(load, rest, dispatch.outside)
        }
    };
    limit - books.under(fence).map(kept).sum()
}

/// A contract load that a limit cuts goes down only after what can be shed
/// under that limit was ordered down.
pub(super) fn in_order(
    books: &Books,
    at: Timestamp,
    order: &Order,
    batch: &OrderBatch,
    broken: &mut Vec<String>,
) {
    let load = order.load;
    let account = &books.loads[load];
    let lowers =
        books.power_of(load, order.setpoint) < books.power_of(load, account.ordered);
    let Some(dispatch) = &books.dispatch else {
        return;
    };
    let Reason::FirmShed { limit } = dispatch.entries[load].reason else {
        return;
    };
    if !lowers {
        return;
    }
    let fence = match limit {
        engine::Limit::Import | engine::Limit::BestEffort => Fence::Import,
        engine::Limit::Feeder(feeder) => Fence::Feeder(feeder),
        engine::Limit::Export => return,
    };
    for other in books.under(fence) {
        let troubled = books.loads[other].troubled_at.is_some_and(|troubled| {
            books
                .interval
                .is_none_or(|interval| troubled >= interval.start - interval.duration())
        });
        if books.site.loads[other].is_firm() || troubled {
            continue;
        }
        let ordered = (batch.orders.iter())
            .find(|order| order.load == other)
            .map_or(books.loads[other].ordered, |order| order.setpoint);
        let target = dispatch.entries[other].setpoint;
        let target = books.power_of(other, target).max(Power::ZERO);
        if books.power_of(other, ordered) > target {
            broken.push(format!(
                "S2: {} is ordered down at {at} while {} is still above its target",
                books.site.loads[load].name, books.site.loads[other].name
            ));
        }
    }
}

/// When all has come right, no contract load is short unless a limit or a
/// person says so.
pub(super) fn at_end(books: &Books, dispatch: &Dispatch, broken: &mut Vec<String>) {
    for (load, entry) in dispatch.entries.iter().enumerate() {
        let (true, Some(machines)) =
            (books.site.loads[load].is_firm(), books.site.loads[load].machines())
        else {
            continue;
        };
        let short = entry.setpoint != Setpoint::Level(machines.level_max());
        if short && !matches!(entry.reason, Reason::FirmShed { .. }) {
            broken.push(format!(
                "liveness: {} is short: {:?}",
                books.site.loads[load].name, entry.reason
            ));
        }
    }
}
