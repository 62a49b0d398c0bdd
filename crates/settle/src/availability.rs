//! Availability as an exact fraction and the credit its tier gives.

use crate::contract::{GapPolicy, Sla};
use crate::exact::Exact;
use crate::statement::Seconds;

/// A month's availability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Availability {
    /// The unit-seconds that count: reserved less excused.
    pub(crate) counted: Exact,
    /// Those of them that were lost.
    pub(crate) lost: Exact,
    /// (counted - lost) / counted; 1 where nothing counts.
    pub(crate) fraction: Exact,
    /// The credit as a share of the month's fee, after the month's cap.
    pub(crate) credit: Exact,
}

/// The unit-seconds that count and those lost.
pub(crate) fn of(sla: Option<&Sla>, seconds: &Seconds) -> Availability {
    let left_out = match sla.map(|sla| sla.gap_policy) {
        Some(GapPolicy::Exclude) => seconds.unknown,
        Some(GapPolicy::Ask) | None => 0,
    };
    let counted = seconds.reserved - seconds.excused() - left_out;
    let degraded = sla.map_or(Exact::ONE, |sla| sla.degraded);
    let lost = Exact::whole(seconds.down.into())
        + degraded * Exact::whole(seconds.degraded.into());
    let counted = Exact::whole(counted.into());
    let fraction = fraction(counted, lost);
    let credit = sla.map_or(Exact::ZERO, |sla| credit(sla, fraction));
    Availability { counted, lost, fraction, credit }
}

/// What is left of `counted` after `lost`; 1 where nothing counts.
pub(crate) fn fraction(counted: Exact, lost: Exact) -> Exact {
    if counted.is_zero() { Exact::ONE } else { (counted - lost) / counted }
}

/// The highest credit of the tiers that availability is strictly below, at most
/// the month's cap.
pub(crate) fn credit(sla: &Sla, fraction: Exact) -> Exact {
    let reached = sla.tiers.iter().filter(|tier| fraction < tier.below);
    let highest = reached.map(|tier| tier.credit).max().unwrap_or(Exact::ZERO);
    highest.min(sla.month_cap)
}
