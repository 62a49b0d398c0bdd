//! S1: no order raises worst-case draw above a limit, and what is above one
//! comes down within its time.

use std::collections::BTreeMap;

use engine::Setpoint;
use units::{Power, Seconds, Timestamp};

use super::MINUTE;
use super::books::{Books, Fence};
use crate::world::World;

/// Since when draw is above each limit.
#[derive(Clone, Debug)]
pub(super) struct Excesses {
    since: BTreeMap<usize, Excess>,
    /// How long orders gone astray may keep draw up: a read-back, and then the
    /// next decision.
    astray: Seconds,
    excused_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
struct Excess {
    since: Timestamp,
    limit: Power,
    most: Power,
}

/// What every limit's loads draw at worst, in the order of [`Books::fences`].
pub(super) fn at_worst(books: &Books) -> Vec<Power> {
    let sum = |fence| books.under(fence).map(|load| books.worst(load)).sum();
    books.fences().map(sum).collect()
}

/// Whether draw is above some limit as far as the engine can know.
pub(super) fn over_some_limit(books: &Books, at: Timestamp) -> bool {
    books.fences().any(|fence| {
        let drawn: Power =
            (books.under(fence)).map(|load| books.worst_believable(load)).sum();
        drawn > books.limit(fence, at).min(decided_limit(books, fence))
    })
}

/// The limit that the last decision kept to, which looks ahead to the end of
/// its interval.
fn decided_limit(books: &Books, fence: Fence) -> Power {
    match (fence, &books.dispatch) {
        (Fence::Import, Some(dispatch)) => dispatch.import_limit,
        (Fence::Import | Fence::Feeder(_), _) => Power::from_mw(1_000_000),
    }
}

/// Orders may leave draw above a limit, they may not raise it there.
pub(super) fn of_orders(
    books: &Books,
    at: Timestamp,
    before: &[Power],
    broken: &mut Vec<String>,
) {
    let after = at_worst(books);
    for ((fence, before), after) in books.fences().zip(before).zip(after) {
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
    pub(super) fn of(world: &World) -> Self {
        Self {
            since: BTreeMap::new(),
            astray: world.step + Seconds::minutes(4),
            excused_at: None,
        }
    }

    /// Something outside the engine's power put draw up or an order astray.
    pub(super) fn excuse(&mut self, at: Timestamp) {
        self.excused_at = Some(at);
    }

    pub(super) fn after(
        &mut self,
        books: &Books,
        at: Timestamp,
        broken: &mut Vec<String>,
    ) {
        for (place, fence) in books.fences().enumerate() {
            let drawn: Power = books.under(fence).map(|load| books.worst(load)).sum();
            let limit = books.limit(fence, at);
            if drawn <= limit {
                self.since.remove(&place);
                continue;
            }
            let excess = self.since.entry(place).or_insert(Excess {
                since: at,
                limit,
                most: drawn - limit,
            });
            if limit < excess.limit {
                *excess = Excess { since: at, limit, most: drawn - limit };
            }
            let mut deadline = excess.since + time_to_shed(books, excess.most);
            if let Some(excused_at) = self.excused_at {
                let again = excused_at + self.astray + time_to_shed(books, excess.most);
                deadline = deadline.max(again);
            }
            // Waits for the tick, when that is late.
            let Some(interval) = books.interval.filter(|i| i.contains(at)) else {
                continue;
            };
            let deadline =
                deadline.max(interval.start + time_to_shed(books, excess.most));
            let all_off = books
                .under(fence)
                .filter(|load| !books.site.loads[*load].is_firm())
                .all(|load| {
                    let ordered = books.power_of(load, books.loads[load].ordered);
                    ordered <= books.floor(load)
                });
            // What a battery sends back stands against what is drawn: where
            // the site may send back no more, it has to stop first.
            let net: Power = books.loads.iter().map(|account| account.power).sum();
            let could_shed = net + books.site.interconnection.export_limit;
            let batteries_stop = books.loads.iter().any(|account| {
                matches!(account.setpoint, Setpoint::Power(_))
                    && account.raised_at.is_some_and(|raised| at - raised <= MINUTE)
            });
            let can_shed = could_shed >= drawn - limit && !batteries_stop;
            if at > deadline && !all_off && can_shed {
                broken.push(format!(
                    "S1: draw under {fence:?} is {drawn}, above {limit} since {}, and \
                     something is left to shed",
                    excess.since
                ));
            }
        }
    }
}

/// How long the emergency ramp needs for so much, when every step of a machine
/// may leave half of a minute's ramp unused.
fn time_to_shed(books: &Books, excess: Power) -> Seconds {
    let grid = &books.site.interconnection;
    let minutes = match grid.ramp_emergency_per_minute {
        None => 0,
        Some(ramp) => 2 * (excess.as_watts() / ramp.as_watts().max(1) + 1),
    };
    Seconds::minutes(minutes)
}
