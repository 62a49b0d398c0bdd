//! S1: no order raises what machines draw at worst above a limit, and what is
//! above one comes down; L1: those that can be shed are told to within their time.

use std::collections::BTreeMap;

use engine::site::Site;
use units::{Power, Seconds, Timestamp};

use super::books::{Books, Fence};
use crate::run::live::{Counts, Invariant};
use crate::world::LiveWorld;

const MINUTE: Seconds = Seconds::minutes(1);

/// How soon a machine that is in order does as told, and is heard to have.
const ANSWERED_WITHIN: Seconds = Seconds::minutes(2);

/// Since when there is too much under each limit.
#[derive(Clone, Debug)]
pub(super) struct Excesses {
    /// Of what draws, machines that fail to do as told at their worst.
    drawn: BTreeMap<usize, Excess>,
    /// Of what was ordered, whatever became of the orders.
    ordered: BTreeMap<usize, Excess>,
    /// How long the site's ramps take at the most.
    ramping: Seconds,
}

#[derive(Clone, Copy, Debug)]
struct Excess {
    since: Timestamp,
    limit: Power,
    most: Power,
}

impl Excess {
    /// What is above a limit now; since when, unless that limit fell meanwhile.
    fn of(before: Option<Self>, at: Timestamp, power: Power, limit: Power) -> Self {
        let new = Self { since: at, limit, most: power - limit };
        match before {
            Some(known) if limit >= known.limit => {
                Self { most: known.most.max(new.most), ..known }
            }
            Some(_) | None => new,
        }
    }
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
        Self {
            drawn: BTreeMap::new(),
            ordered: BTreeMap::new(),
            ramping: world.world.ramping(),
        }
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
            self.drawn.clear();
            self.ordered.clear();
            return;
        }
        self.of_draw(books, at, alarm, broken, counts);
        self.of_orders(books, at, broken, counts);
    }

    /// What draws above a limit comes down, or an alarm stands.
    fn of_draw(
        &mut self,
        books: &Books,
        at: Timestamp,
        alarm: bool,
        broken: &mut Vec<String>,
        counts: &mut Counts,
    ) {
        let settled: Vec<Power> =
            (0..books.site.loads.len()).map(|load| books.settled(load, at)).collect();
        for (place, fence) in books.fences().enumerate() {
            let drawn: Power = books.under(fence).map(|load| settled[load]).sum();
            let limit = books.limit(fence, at);
            if drawn <= limit {
                if let Some(excess) = self.drawn.remove(&place) {
                    counts.stood_above.push((at - excess.since).as_seconds());
                }
                continue;
            }
            counts.checked(Invariant::S1);
            let before = self.drawn.get(&place).copied();
            let excess = Excess::of(before, at, drawn, limit);
            self.drawn.insert(place, excess);
            let needs = time_to_shed(&books.site, excess.most);
            let deadline = excess.since + ANSWERED_WITHIN + books.grace + needs;
            if at <= deadline || at - excess.since <= self.ramping {
                continue;
            }
            let since = excess.since;
            let still = if let Some(what) = something_left_to_shed(books, fence, at) {
                format!("{what} is left to shed")
            } else if !alarm {
                "no alarm stands".to_owned()
            } else {
                continue;
            };
            broken.push(format!(
                "S1: draw under {fence:?} is {drawn}, above {limit} since {since}, and \
                 {still}"
            ));
        }
    }

    /// Orders bring what can be shed below a limit as soon as the ramp lets them;
    /// nobody's answer is waited for.
    fn of_orders(
        &mut self,
        books: &Books,
        at: Timestamp,
        broken: &mut Vec<String>,
        counts: &mut Counts,
    ) {
        let ordered: Vec<Power> = (0..books.site.loads.len())
            .map(|load| books.as_ordered(load).max(Power::ZERO))
            .collect();
        for (place, fence) in books.fences().enumerate() {
            let asked: Power = books.under(fence).map(|load| ordered[load]).sum();
            let limit = books.limit(fence, at);
            if asked <= limit {
                if self.ordered.remove(&place).is_some() {
                    counts.checked(Invariant::L1);
                }
                continue;
            }
            let before = self.ordered.get(&place).copied();
            let excess = Excess::of(before, at, asked, limit);
            self.ordered.insert(place, excess);
            let deadline = excess.since + MINUTE + time_to_shed(&books.site, excess.most);
            if at > deadline
                && let Some(what) = something_left_to_shed(books, fence, at)
            {
                broken.push(format!(
                    "L1: orders under {fence:?} come to {asked}, above {limit} since {}, \
                     and {what} is left to shed",
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
            // What somebody has is not shed with what is on offer.
            let on = (0..)
                .zip(&books.crews[load])
                .filter(|(number, _)| !books.promised.is_or_was_held(load, *number))
                .filter(|(_, known)| {
                    known.ordered > 0 && !known.is_troubled(at, books.grace)
                })
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
