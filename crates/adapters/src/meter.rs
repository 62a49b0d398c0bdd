//! One electricity meter, as everything above it sees it: what it shows, and whether
//! it still counts.
//!
//! Signs are the site's: drawn from the grid is positive.
//!
//! Invariant: every read ends by its deadline.
//! Invariant: a register that a meter did not give is absent, never a default.

use std::fmt;
use std::time::Instant;

use units::{Energy, Power};

use crate::device::{Doing, Field, Reached, Unanswered};

/// One meter, behind one vendor's protocol.
pub trait Meter: fmt::Debug + Send + Sync {
    /// Where it is.
    fn at(&self) -> Reached;

    /// What it shows now, read from the meter during this call.
    fn read(&self, by: Instant) -> Doing<'_, Result<Shown, Unanswered>>;
}

/// What a meter shows. What it did not give is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Net draw now.
    pub power: Option<Field<Power>>,
    /// What was drawn since the meter was made.
    pub imported: Option<Field<Counter>>,
    /// What was sent back since the meter was made.
    pub exported: Option<Field<Counter>>,
    /// A number that changes with every measurement: one that stands still says that
    /// the meter answers and does not measure.
    pub heartbeat: Option<Field<u64>>,
}

/// A register that counts upward and begins again at zero when it is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    /// What it stands at, not negative.
    pub at: Energy,
    /// Where it begins again at zero; `None` where it never does in a meter's life.
    pub wraps_at: Option<Energy>,
}

impl Counter {
    /// What was counted since `earlier`; `None` where the register went back and that
    /// was no beginning again: another meter, or one that was set anew.
    ///
    /// Going back counts as beginning again only where less than half a register was
    /// counted meanwhile.
    pub fn since(self, earlier: Self) -> Option<Energy> {
        if self.wraps_at != earlier.wraps_at {
            return None;
        }
        if self.at >= earlier.at {
            return Some(self.at - earlier.at);
        }
        let wraps_at = self.wraps_at?;
        let counted = wraps_at - earlier.at + self.at;
        let half = Energy::from_joules(wraps_at.as_joules() / 2);
        (counted < half).then_some(counted)
    }
}

#[cfg(test)]
mod tests {
    use units::Energy;

    use super::Counter;

    #[test]
    fn a_counter_goes_on_after_it_is_full_and_not_after_it_was_set_anew() {
        let full = 4_294_967_296;
        for (earlier, now, wraps, counted) in [
            (100, 100, None, Some(0)),
            (100, 350, None, Some(250)),
            (100, 350, Some(full), Some(250)),
            (full - 10, 5, Some(full), Some(15)),
            (full - 10, 5, None, None),
            // Back by a little is no beginning again.
            (5_000, 4_000, Some(full), None),
            (5_000, 0, Some(full), None),
        ] {
            let wraps_at = wraps.map(Energy::from_joules);
            let counter = |joules| Counter { at: Energy::from_joules(joules), wraps_at };
            let since = counter(now).since(counter(earlier));
            assert_eq!(since, counted.map(Energy::from_joules), "{earlier} {now}");
        }
    }

    #[test]
    fn registers_of_different_length_are_of_different_meters() {
        let at = Energy::from_joules(7);
        let long = Counter { at, wraps_at: None };
        let short = Counter { at, wraps_at: Some(Energy::from_joules(1_000)) };
        assert_eq!(long.since(short), None);
    }
}
