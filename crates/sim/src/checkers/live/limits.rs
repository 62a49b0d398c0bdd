//! S1: no order raises what machines draw at worst above a limit, and what is
//! above one comes down; L1: within its time.

use std::collections::BTreeMap;

use engine::site::Site;
use units::{Power, Seconds, Timestamp};

use super::books::{Books, Fence};
use crate::run::live::{Counts, Invariant};
use crate::world::LiveWorld;

const MINUTE: Seconds = Seconds::minutes(1);

/// How soon a machine that is in order does as told, and is heard to have.
const ANSWERED_WITHIN: Seconds = Seconds::minutes(2);

/// Since when draw is above each limit.
#[derive(Clone, Debug)]
pub(super) struct Excesses {
    since: BTreeMap<usize, Excess>,
    /// How long the site's ramps take at the most.
    ramping: Seconds,
}

#[derive(Clone, Copy, Debug)]
struct Excess {
    since: Timestamp,
    limit: Power,
    most: Power,
}

/// What the loads under every limit draw at worst, in the order of the fences.
pub(super) fn at_worst(books: &Books) -> Vec<Power> {
    let loads = 0..books.site.loads.len();
    let worst: Vec<Power> = loads.map(|load| books.worst(load)).collect();
    let sum = |fence| books.under(fence).map(|load| worst[load]).sum();
    books.fences().map(sum).collect()
}

/// Whether draw is above some limit at worst.
pub(super) fn over_some_limit(books: &Books, at: Timestamp) -> bool {
    let decided = |fence| match (fence, &books.dispatch) {
        (Fence::Import, Some(dispatch)) => {
            dispatch.import_limit.min(dispatch.sheddable_limit) - dispatch.unexplained
        }
        (Fence::Import | Fence::Feeder(_), _) => Power::from_mw(1_000_000),
    };
    let over = |(fence, worst): (Fence, Power)| {
        worst > books.limit(fence, at).min(decided(fence))
    };
    books.fences().zip(at_worst(books)).any(over)
}

/// Orders may leave draw above a limit, they may not raise it there.
pub(super) fn of_orders(
    books: &Books,
    at: Timestamp,
    before: &[Power],
    broken: &mut Vec<String>,
    counts: &mut Counts,
) {
    counts.checked(Invariant::S1);
    for ((fence, before), after) in books.fences().zip(before).zip(at_worst(books)) {
        let limit = books.limit(fence, at);
        if after > limit && after > *before {
            broken.push(format!(
                "S1: orders raise worst-case draw under {fence:?} from {before} to \
                 {after}, above {limit}"
            ));
        }
    }
}

impl Excesses {
    pub(super) fn of(world: &LiveWorld) -> Self {
        Self { since: BTreeMap::new(), ramping: world.world.ramping() }
    }

    /// A step is done.
    pub(super) fn after(
        &mut self,
        books: &Books,
        at: Timestamp,
        alarm: bool,
        broken: &mut Vec<String>,
        counts: &mut Counts,
    ) {
        // After a start, nothing is shed before machines were seen.
        if books.resumed_at.is_some() || books.dispatch.is_none() {
            self.since.clear();
            return;
        }
        let settled: Vec<Power> =
            (0..books.site.loads.len()).map(|load| books.settled(load, at)).collect();
        for (place, fence) in books.fences().enumerate() {
            let drawn: Power = books.under(fence).map(|load| settled[load]).sum();
            let limit = books.limit(fence, at);
            if drawn <= limit {
                if let Some(excess) = self.since.remove(&place) {
                    counts.fell_within.push((at - excess.since).as_seconds());
                    counts.checked(Invariant::L1);
                }
                continue;
            }
            counts.checked(Invariant::S1);
            let excess = self.since.entry(place).or_insert(Excess {
                since: at,
                limit,
                most: drawn - limit,
            });
            if limit < excess.limit {
                *excess = Excess { since: at, limit, most: drawn - limit };
            }
            excess.most = excess.most.max(drawn - limit);
            let needs = time_to_shed(&books.site, excess.most);
            let deadline = excess.since + ANSWERED_WITHIN + books.grace + needs;
            if at <= deadline || at - excess.since <= self.ramping {
                continue;
            }
            if let Some(what) = something_left_to_shed(books, fence, at) {
                // It is above a limit, and it was to be below it in time.
                for invariant in ["S1", "L1"] {
                    broken.push(format!(
                        "{invariant}: draw under {fence:?} is {drawn}, above {limit} since \
                         {}, and {what} is left to shed",
                        excess.since
                    ));
                }
            } else if !alarm {
                broken.push(format!(
                    "S1: draw under {fence:?} is {drawn}, above {limit} since {}, and no \
                     alarm stands",
                    excess.since
                ));
            }
        }
    }
}

/// What under a limit takes orders, can be shed, and is not ordered off.
fn something_left_to_shed(books: &Books, fence: Fence, at: Timestamp) -> Option<String> {
    // What a battery sends back stands against what is drawn: where the site may
    // send back no more, others cannot come down.
    let net: Power = (0..books.site.loads.len()).map(|load| books.as_ordered(load)).sum();
    let sends_back = books.batteries.iter().flatten().any(|account| {
        account.least < Power::ZERO
            || account.raised_at.is_some_and(|raised| at - raised <= MINUTE)
    });
    let export = books.site.interconnection.export_limit;
    if sends_back && net + export <= Power::ZERO {
        return None;
    }
    books.under(fence).filter(|load| !books.site.loads[*load].is_firm()).find_map(
        |load| {
            let name = &books.site.loads[load].name;
            if let Some(account) = &books.batteries[load] {
                return (account.ordered > Power::ZERO).then(|| name.clone());
            }
            let on = books.crews[load]
                .iter()
                .filter(|known| known.ordered > 0 && !known.is_troubled(at, books.grace))
                .count();
            (on > 0).then(|| format!("{on} of {name}"))
        },
    )
}

/// How long the emergency ramp needs for so much, when every step of a machine may
/// leave half of a minute's ramp unused.
fn time_to_shed(site: &Site, excess: Power) -> Seconds {
    let minutes = match site.interconnection.ramp_emergency_per_minute {
        None => 0,
        Some(ramp) => 2 * (excess.as_watts() / ramp.as_watts().max(1) + 1),
    };
    Seconds::minutes(minutes)
}
