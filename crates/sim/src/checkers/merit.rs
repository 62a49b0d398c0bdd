//! Under a limit the worthier comes first: room goes to a load that starts only
//! after those that would pay more for it.

use engine::{Dispatch, Limit, Reason};
use units::{EnergyPrice, Seconds};

use super::books::{Books, Fence};

/// Worths a changeover's bands apart may stand either way.
pub(super) fn in_dispatch(books: &Books, dispatch: &Dispatch, broken: &mut Vec<String>) {
    let hysteresis = books.site.policy.hysteresis;
    // Looking ahead, a load with minimum times is ranked by what its whole run is
    // expected to bring, and not by what this interval does.
    let ranks_by_run = |load: usize| {
        let envelope = &books.site.loads[load].envelope;
        books.site.policy.look_ahead.length > Seconds::ZERO
            && (envelope.up_min > Seconds::ZERO || envelope.down_min > Seconds::ZERO)
    };
    let may_be_out = |worth: EnergyPrice| worth + hysteresis + hysteresis;
    for (short, entry) in dispatch.entries.iter().enumerate() {
        let (Reason::Limited { limit }, Some(worth)) = (entry.reason, entry.worth) else {
            continue;
        };
        let held = |load| {
            (books.by_hand.holds.iter())
                .any(|hold| hold.load == load && hold.during.overlaps(dispatch.interval))
        };
        let fence = match limit {
            Limit::Import | Limit::BestEffort => Fence::Import,
            Limit::Feeder(feeder) => Fence::Feeder(feeder),
            Limit::Export => continue,
        };
        let machines = books.site.loads[short].machines();
        if machines.is_none() || held(short) || ranks_by_run(short) {
            continue;
        }
        let step = crate::world::largest_step(&books.site, short);
        for other in books.under(fence) {
            let taken = &dispatch.entries[other];
            // A load of one operating point says with its worth what all of its
            // machines were started for.
            let machines = books.site.loads[other].machines();
            let by_worth =
                matches!(taken.reason, Reason::WorthIt | Reason::Limited { .. })
                    && machines.is_some_and(|machines| machines.points.len() == 1)
                    && !books.site.loads[other].is_firm()
                    && !held(other)
                    && !ranks_by_run(other);
            let less = taken.worth.is_some_and(|less| may_be_out(less) < worth);
            // What a feeder of its own stops elsewhere is no room for this one.
            let would_do =
                taken.to - taken.from >= step && is_free(books, dispatch, short, fence);
            if by_worth && less && would_do {
                broken.push(format!(
                    "merit: {} takes {} of room for {:?} while {} is short of it at {worth}",
                    books.site.loads[other].name,
                    taken.to - taken.from,
                    taken.worth,
                    books.site.loads[short].name
                ));
            }
        }
    }
}

/// Whether every other limit above a load has room for one more step.
fn is_free(books: &Books, dispatch: &Dispatch, load: usize, but: Fence) -> bool {
    let step = crate::world::largest_step(&books.site, load);
    let others =
        books.fences().filter(|fence| *fence != but && books.is_under(load, *fence));
    others.into_iter().all(|fence| {
        let limit = match fence {
            Fence::Import => dispatch.import_limit,
            Fence::Feeder(feeder) => books.site.feeders[feeder].limit,
        };
        let drawn = books.under(fence).map(|load| dispatch.entries[load].to);
        limit - drawn.map(|to| to.max(units::Power::ZERO)).sum() >= step
    })
}
