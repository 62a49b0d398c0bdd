//! What becomes of what travels: answers, orders, readings, ticks.
//!
//! Drawn from the seed, the instant and the place in what was sent, so that it
//! does not depend on what else happened before.

use units::{Seconds, Timestamp};

use crate::seed::{Generator, generator, sub_seed};
use crate::world::{LiveWorld, Mishaps};

/// The way between the process and the campus.
#[derive(Clone, Debug)]
pub(super) struct Network {
    seed: u64,
    mishaps: Mishaps,
    calm_from: Timestamp,
}

impl Network {
    pub(super) fn of(world: &LiveWorld) -> Self {
        Self {
            seed: sub_seed(world.world.seed, "network"),
            mishaps: world.mishaps.clone(),
            calm_from: world.world.calm_from(),
        }
    }

    fn draws(&self, part: &str, at: Timestamp, place: usize) -> Option<Generator> {
        let part = format!("{part} {} {place}", at.as_unix_seconds());
        (at < self.calm_from).then(|| generator(self.seed, &part))
    }

    /// When an answer sent at `sent` that is due at `due` arrives: once, late,
    /// twice or never.
    pub(super) fn arrivals(
        &self,
        sent: Timestamp,
        place: usize,
        due: Timestamp,
    ) -> Vec<Timestamp> {
        let Some(mut draws) = self.draws("answer", sent, place) else {
            return vec![due];
        };
        let delay = Seconds::from_seconds(draws.integer(1..=100));
        let late = draws.chance(self.mishaps.receipt_late_ppm);
        let again = draws.chance(self.mishaps.receipt_repeated_ppm);
        let lost = draws.chance(self.mishaps.receipt_lost_ppm);
        let first = if late { due + delay } else { due };
        let first = (!lost).then_some(first);
        let second = again.then(|| due + delay + delay);
        first.into_iter().chain(second).collect()
    }

    /// Whether a batch of orders reaches nobody.
    pub(super) fn orders_are_lost(&self, at: Timestamp) -> bool {
        let draws = self.draws("orders", at, 0);
        draws.is_some_and(|mut draws| draws.chance(self.mishaps.orders_lost_ppm))
    }

    /// Whether a reading of the interconnection never arrives.
    pub(super) fn draw_is_lost(&self, at: Timestamp) -> bool {
        let draws = self.draws("draw", at, 0);
        draws.is_some_and(|mut draws| draws.chance(self.mishaps.draw_lost_ppm))
    }

    /// How late a tick comes that is due at `at`.
    pub(super) fn tick_delay(&self, at: Timestamp) -> Seconds {
        let draws = self.draws("tick", at, 0);
        let late = draws.and_then(|mut draws| {
            draws.chance(self.mishaps.tick_late_ppm).then(|| draws.integer(1..=60))
        });
        Seconds::from_seconds(late.unwrap_or(0))
    }
}
