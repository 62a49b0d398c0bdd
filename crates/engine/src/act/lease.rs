//! For how long: orders hold while somebody watches.

use units::Timestamp;

use super::{Act, Lease};
use crate::state::State;

impl Act {
    /// The lease to hand out now, if every load's is half over: loads that are
    /// there hold their orders only so long as somebody watches.
    pub(crate) fn lease_to_keep(&self, state: &State, at: Timestamp) -> Option<Lease> {
        let length = state.lease_length()?;
        let due = self.lease.is_none_or(|lease| at >= lease.until - length.half());
        if !due || self.waits_until(state, at).is_some() {
            return None;
        }
        self.new_lease(state, at)
    }

    /// Whether the wake that should have kept the lease was missed: a quarter of it is
    /// left.
    pub(crate) fn lease_runs_out(&self, state: &State, at: Timestamp) -> bool {
        let length = state.lease_length().map(|length| length.half().half());
        let lease = self.lease.zip(length);
        lease.is_some_and(|(lease, quarter)| at >= lease.until - quarter)
    }

    /// A lease from `at` on. Were it to end, loads would fall to their fail-safe
    /// levels over the time that the site's ramp asks for.
    pub(super) fn new_lease(&self, state: &State, at: Timestamp) -> Option<Lease> {
        let length = state.lease_length()?;
        let over = state.site.falls_over(|load| self.legs[load].pue);
        Some(Lease { until: at + length, over })
    }
}
