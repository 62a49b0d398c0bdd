//! S13: nothing starts a load that a person works on.

use engine::site::LoadIx;
use engine::{Dispatch, Order};
use units::{Power, Timestamp};

use super::books::Books;

/// It is asked to rest.
pub(super) fn in_dispatch(books: &Books, dispatch: &Dispatch, broken: &mut Vec<String>) {
    for lock_out in &books.by_hand.lock_outs {
        let entry = &dispatch.entries[lock_out.load];
        let rest = crate::world::at_rest(&books.site, lock_out.load);
        if lock_out.touches(dispatch.interval) && entry.setpoint != rest {
            broken.push(format!(
                "S13: {} is locked out and asked for {:?}",
                books.site.loads[lock_out.load].name, entry.setpoint
            ));
        }
    }
}

/// No order raises it: on its way down it may stop, never turn round.
pub(super) fn in_order(
    books: &Books,
    at: Timestamp,
    order: &Order,
    broken: &mut Vec<String>,
) {
    if !books.is_locked_out(order.load, at) {
        return;
    }
    let to = books.power_of(order.load, order.setpoint);
    if to > books.worst(order.load).max(books.floor(order.load)) {
        broken.push(format!(
            "S13: {} is locked out and ordered up to {to}",
            books.site.loads[order.load].name
        ));
    }
}

/// It does not move up, whatever made it.
pub(super) fn in_move(
    books: &Books,
    at: Timestamp,
    load: LoadIx,
    power: Power,
    broken: &mut Vec<String>,
) {
    let rises = power > books.loads[load].power.max(books.floor(load));
    if rises && books.is_locked_out(load, at) {
        broken.push(format!(
            "S13: {} is locked out and rises to {power}",
            books.site.loads[load].name
        ));
    }
}
