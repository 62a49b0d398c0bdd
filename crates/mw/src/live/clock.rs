//! The time of a live run: the wall's, or a simulated site's, which may run
//! faster.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use units::{Seconds, Timestamp};

/// A clock that never goes back.
///
/// It is set once and then counts on by the machine's steady clock, so that a
/// wall clock that is set anew moves no deadline.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// What it showed when it was set.
    set_to: Timestamp,
    set_at: Instant,
    /// How many seconds pass in one second of the wall.
    speed: u32,
}

impl Clock {
    /// The wall's time.
    pub fn wall() -> Self {
        Self::set(wall_now(), 1)
    }

    /// A clock that shows `now` and runs `speed` times as fast as the wall.
    pub fn set(now: Timestamp, speed: u32) -> Self {
        Self { set_to: now, set_at: Instant::now(), speed: speed.max(1) }
    }

    /// What it shows.
    pub fn now(&self) -> Timestamp {
        let passed = self.set_at.elapsed().as_millis() * u128::from(self.speed) / 1_000;
        let passed = i64::try_from(passed).expect("a process runs for less than an age");
        self.set_to + Seconds::from_seconds(passed)
    }

    /// How long by the wall until it shows `at`; nothing if it has.
    pub fn until(&self, at: Timestamp) -> Duration {
        let wanted = (at - self.set_to).as_seconds().max(0).unsigned_abs();
        let wall = Duration::from_millis(wanted * 1_000 / u64::from(self.speed));
        wall.saturating_sub(self.set_at.elapsed())
    }

    /// How many seconds pass in one second of the wall.
    pub fn speed(&self) -> u32 {
        self.speed
    }

    /// How far the wall's clock has moved from this one, by being set anew.
    pub fn off_the_wall(&self) -> Seconds {
        wall_now() - self.now()
    }
}

/// The wall's time, in whole seconds.
#[expect(clippy::disallowed_methods, reason = "a live run is driven by the wall's clock")]
fn wall_now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix_seconds(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
