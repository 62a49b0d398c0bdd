//! For how long: orders hold while somebody watches.

use units::{Power, Seconds, Timestamp};

use super::{Act, Lease};
use crate::site::LoadIx;
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
        // Those that run may stand side by side and go one after the other: only
        // with every machine counted does no minute see more than the ramp.
        let nameplate = |load: LoadIx| {
            state.site.loads[load].machines().map_or(Power::ZERO, |machines| {
                self.legs[load].pue.at_meter(machines.ceiling())
            })
        };
        let drawn: Power = (0..self.legs.len()).map(nameplate).sum();
        let over = match state.site.interconnection.ramp_down_per_minute {
            Some(ramp) if ramp > Power::ZERO => {
                let minutes = drawn.as_watts() / ramp.as_watts() + 1;
                Seconds::minutes(minutes)
            }
            Some(_) | None => Seconds::ZERO,
        };
        Some(Lease { until: at + length, over })
    }
}
