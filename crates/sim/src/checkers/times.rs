//! Minimum times: what was raised stays up for a while, what was lowered stays
//! down for a while, for any reason of price.

use engine::{Dispatch, Reason};
use units::{Seconds, Timestamp};

use super::books::Books;

pub(super) fn in_dispatch(books: &Books, dispatch: &Dispatch, broken: &mut Vec<String>) {
    let start = dispatch.interval.start;
    for (load, entry) in dispatch.entries.iter().enumerate() {
        let account = &books.loads[load];
        let envelope = &books.site.loads[load].envelope;
        let name = &books.site.loads[load].name;
        let within = |moved_at: Option<Timestamp>, least: Seconds| {
            !least.is_zero() && moved_at.is_some_and(|at| start < at + least)
        };
        let down = within(account.lowered_at, envelope.down_min);
        if down && entry.to > entry.from {
            broken.push(format!(
                "minimum time: {name} was lowered at {:?} and is raised at {start}",
                account.lowered_at
            ));
        }
        let up = within(account.raised_at, envelope.up_min);
        let for_price = match entry.reason {
            Reason::LockedOut { .. }
            | Reason::Held { .. }
            | Reason::Contracted
            | Reason::FirmShed { .. }
            | Reason::Maintenance { .. }
            | Reason::OutOfReach
            | Reason::Tripped { .. }
            | Reason::Instructed { .. }
            | Reason::LinkLost { .. }
            | Reason::Limited { .. } => false,
            Reason::WorthIt
            | Reason::KeptOn { .. }
            | Reason::NotWorthIt { .. }
            | Reason::KeptOff { .. }
            | Reason::MinimumUp { .. }
            | Reason::MinimumDown { .. }
            | Reason::PriceStale
            | Reason::PriceUnknown
            | Reason::HashpriceUnknown
            | Reason::AlwaysOn
            | Reason::Charging
            | Reason::Discharging
            | Reason::BatteryRests
            | Reason::Stored { .. }
            | Reason::GivenBack { .. }
            | Reason::KeptStored { .. } => true,
        };
        if up && for_price && entry.to < entry.from {
            broken.push(format!(
                "minimum time: {name} was raised at {:?} and is lowered at {start}: {:?}",
                account.raised_at, entry.reason
            ));
        }
    }
}
