//! How a machine's draw and heat follow where the machine is put: at once, or in its own
//! time.
//!
//! All figures here are assumed: firmwares name how long they take, and no manufacturer
//! says how a draw rises or a board warms up.

use serde::{Deserialize, Serialize};
use units::{Seconds, Share, Temperature, Timestamp};

/// How many steps a draw takes to where it goes, at most.
const STEPS: i64 = 20;

/// What a machine's hottest part has that draws nothing, in thousandths of a degree.
const COLD: i64 = 30_000;

/// How much hotter it is at its last point, in thousandths of a degree.
const HOTTER: i64 = 50_000;

/// How draw and heat follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dynamics {
    /// How long a draw takes to rise to where it goes.
    pub rise: Seconds,
    /// How long it takes to fall.
    pub fall: Seconds,
    /// What a machine draws in the second in which it starts, of what it goes to.
    pub inrush: Share,
    /// How long heat takes to come two thirds of the way.
    pub warms_in: Seconds,
    /// How long a machine gives nothing after a start, in place of the site's own.
    pub restart: Option<Seconds>,
}

impl Dynamics {
    /// Draw and heat are at once where they go.
    pub const fn at_once() -> Self {
        Self {
            rise: Seconds::ZERO,
            fall: Seconds::ZERO,
            inrush: Share::WHOLE,
            warms_in: Seconds::ZERO,
            restart: None,
        }
    }

    /// As fast as shows at all: for tests of what drives a site, not of the site.
    pub const fn fast() -> Self {
        Self {
            rise: Seconds::from_seconds(1),
            fall: Seconds::from_seconds(1),
            inrush: Share::from_ppm(100_000),
            warms_in: Seconds::from_seconds(5),
            restart: Some(Seconds::from_seconds(2)),
        }
    }

    /// As real miners are: a fall within seconds, a rise over two minutes, and the site's
    /// own restart.
    pub const fn realistic() -> Self {
        Self {
            rise: Seconds::minutes(2),
            fall: Seconds::from_seconds(5),
            inrush: Share::from_ppm(150_000),
            warms_in: Seconds::minutes(3),
            restart: None,
        }
    }

    /// The way of a draw, in watts, that sets off now.
    pub(super) fn between(&self, from: i64, to: i64, now: Timestamp) -> Follows {
        let lasts = if to >= from { self.rise } else { self.fall };
        match from == to || lasts <= Seconds::ZERO {
            true => Follows::settled(now),
            false => Follows { from, since: now, until: now + lasts },
        }
    }

    /// What a machine that goes to so many watts draws in its first second.
    pub(super) fn inrush_of(&self, watts: i64) -> i64 {
        self.inrush.of_power(units::Power::from_watts(watts)).as_watts()
    }
}

/// The way of a draw to where its machine was put.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Follows {
    /// Watts, when it set off.
    from: i64,
    since: Timestamp,
    until: Timestamp,
}

impl Follows {
    /// It is where it goes.
    pub(super) fn settled(now: Timestamp) -> Self {
        Self { from: 0, since: now, until: now }
    }

    pub(super) fn is_moving(&self) -> bool {
        self.until > self.since
    }

    /// Where it is now on its way to `target`; once there it has settled.
    pub(super) fn at(&mut self, target: i64, now: Timestamp) -> i64 {
        if now >= self.until {
            *self = Self::settled(now);
            return target;
        }
        let (gone, whole) =
            ((now - self.since).as_seconds(), (self.until - self.since).as_seconds());
        self.from + (target - self.from) * gone / whole
    }

    /// When it goes on.
    pub(super) fn next(&self, now: Timestamp) -> Option<Timestamp> {
        let whole = (self.until - self.since).as_seconds();
        let step = Seconds::from_seconds((whole / STEPS).max(1));
        self.is_moving().then(|| (now + step).min(self.until))
    }
}

/// How hot a machine's hottest part is, when that was counted last.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Heat {
    millidegrees: i64,
    at: Timestamp,
}

impl Heat {
    /// As cold as what draws nothing.
    pub(super) fn cold(now: Timestamp) -> Self {
        Self { millidegrees: COLD, at: now }
    }

    /// How hot it is now, having drawn so many of at most so many watts since it was
    /// counted last.
    pub(super) fn now(
        mut self,
        drawn: i64,
        most: i64,
        warms_in: Seconds,
        now: Timestamp,
    ) -> Temperature {
        self.settle(drawn, most, warms_in, now);
        Temperature::from_millidegrees(self.millidegrees)
    }

    /// Counts on to now.
    pub(super) fn settle(
        &mut self,
        drawn: i64,
        most: i64,
        warms_in: Seconds,
        now: Timestamp,
    ) {
        let goal = COLD + HOTTER * drawn / most;
        let whole = warms_in.as_seconds();
        let mut left = (now - self.at).as_seconds();
        self.at = now;
        // After eight times as long it has long been there.
        if left >= whole * 8 {
            self.millidegrees = goal;
            return;
        }
        let step = (whole / 10).max(1);
        while left > 0 {
            let part = left.min(step);
            self.millidegrees += (goal - self.millidegrees) * part / whole;
            left -= part;
        }
    }
}

#[cfg(test)]
mod tests {
    use units::{Seconds, Timestamp};

    use super::{Dynamics, Heat};

    fn second(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    #[test]
    fn a_draw_goes_in_steps_and_arrives() {
        let mut way = Dynamics::realistic().between(100, 3_500, second(0));
        let (mut now, mut drawn) = (second(0), vec![100]);
        while let Some(next) = way.next(now) {
            now = next;
            drawn.push(way.at(3_500, now));
        }
        assert_eq!((now, drawn.last(), drawn.len()), (second(120), Some(&3_500), 21));
        assert!(drawn.is_sorted(), "{drawn:?}");
        assert!(!Dynamics::at_once().between(100, 3_500, second(0)).is_moving());
        assert!(!Dynamics::realistic().between(100, 100, second(0)).is_moving());
    }

    #[test]
    fn heat_comes_two_thirds_of_the_way_in_its_time_and_stays() {
        let after = |seconds| {
            let heat = Heat::cold(second(0));
            let warms_in = Seconds::minutes(3);
            heat.now(3_500, 3_500, warms_in, second(seconds)).as_millidegrees() / 1_000
        };
        assert_eq!(after(0), 30);
        assert!((60..=64).contains(&after(180)), "{}", after(180));
        assert_eq!(after(10_000), 80);
        let at_once = Heat::cold(second(0)).now(0, 3_500, Seconds::ZERO, second(5));
        assert_eq!(at_once.as_millidegrees(), 30_000);
    }
}
