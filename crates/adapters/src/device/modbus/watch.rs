//! Whether a meter that answers still measures, and whether what it says can be.
//!
//! A figure is marked and never dropped: whoever decides has to see it, and to see
//! that it is not to be believed.

use std::time::{Duration, Instant};

use units::{Energy, Power};

use crate::device::Quality;
use crate::meter::Counter;

/// What a site's power can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plausible {
    /// The most that can flow, either way.
    pub most: Power,
}

/// What a reading is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Worth {
    /// When the meter last showed that it measures.
    pub(super) alive_at: Instant,
    /// How far its power is to be believed.
    pub(super) quality: Quality,
}

/// What a meter said before.
#[derive(Debug)]
pub(super) struct Watch {
    plausible: Plausible,
    still_for: Duration,
    moved: Option<(Vec<u16>, Instant)>,
    believed: Option<Power>,
    /// A jump that waits for a second reading to say the same.
    jumped_to: Option<Power>,
    before: Option<Before>,
}

#[derive(Clone, Copy, Debug)]
struct Before {
    power: Power,
    imported: Option<Counter>,
    exported: Option<Counter>,
}

impl Watch {
    pub(super) fn new(plausible: Plausible, still_for: Duration) -> Self {
        Self {
            plausible,
            still_for,
            moved: None,
            believed: None,
            jumped_to: None,
            before: None,
        }
    }

    /// Judges a reading taken `now`. `moves` are the words that move in a meter that
    /// measures: its heartbeat, or all it shows.
    pub(super) fn judge(
        &mut self,
        now: Instant,
        moves: Vec<u16>,
        power: Power,
        imported: Option<Counter>,
        exported: Option<Counter>,
    ) -> Worth {
        let alive_at = match &self.moved {
            Some((before, at)) if *before == moves => *at,
            Some(_) | None => now,
        };
        self.moved = Some((moves, alive_at));
        let still = now.saturating_duration_since(alive_at) > self.still_for;
        let this = Before { power, imported, exported };
        let before = self.before.replace(this);
        let reversed = before.is_some_and(|before| contradicts(before, this));
        let beyond = magnitude(power) > self.plausible.most.as_watts();
        let jump = !beyond && self.jumps(power);
        let quality = match still || reversed || beyond || jump {
            true => Quality::Implausible,
            false => Quality::Measured,
        };
        // What was seen to be still is as old as its last move.
        let alive_at = if still { alive_at } else { now };
        Worth { alive_at, quality }
    }

    /// Whether a reading is a jump that no reading before it said as well. A trip is a
    /// jump too: the second reading after it is believed.
    fn jumps(&mut self, power: Power) -> bool {
        let half = self.plausible.most.as_watts() / 2;
        let near = self.plausible.most.as_watts() / 10;
        let far = |from: Power, by: i64| magnitude(power - from) > by;
        let is_jump = self.believed.is_some_and(|believed| far(believed, half));
        let is_said_again = self.jumped_to.is_some_and(|to| !far(to, near));
        if is_jump && !is_said_again {
            self.jumped_to = Some(power);
            return true;
        }
        self.jumped_to = None;
        self.believed = Some(power);
        false
    }
}

fn magnitude(power: Power) -> i64 {
    power.as_watts().saturating_abs()
}

/// Whether power says one direction twice while the counters went the other way: a
/// current transformer the wrong way round, or a sign that changed.
fn contradicts(before: Before, now: Before) -> bool {
    let went = |now: Option<Counter>, before: Option<Counter>| {
        Some(now?.since(before?)? > Energy::ZERO)
    };
    let (Some(drew), Some(sent)) =
        (went(now.imported, before.imported), went(now.exported, before.exported))
    else {
        return false;
    };
    let both = |is: fn(&Power) -> bool| is(&before.power) && is(&now.power);
    (both(|power| *power > Power::ZERO) && sent && !drew)
        || (both(|power| *power < Power::ZERO) && drew && !sent)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Power = Power::from_mw(100);

    fn watch() -> Watch {
        Watch::new(Plausible { most: MOST }, Duration::from_secs(10))
    }

    fn counter(kwh: i64) -> Option<Counter> {
        Some(Counter { at: Energy::from_kwh(kwh), wraps_at: None })
    }

    /// Readings a second apart, in MW, and what each is worth: `.` measured, `!` not to
    /// be believed.
    fn check(readings: &[i64], expected: &str) {
        let (mut watch, start) = (watch(), Instant::now());
        let mut found = String::new();
        for (at, mw) in (0..).zip(readings) {
            let now = start + Duration::from_secs(at);
            let power = Power::from_mw(*mw);
            let worth = watch.judge(now, vec![at as u16], power, None, None);
            found.push(if worth.quality == Quality::Measured { '.' } else { '!' });
        }
        assert_eq!(found, expected, "{readings:?}");
    }

    #[test]
    fn spikes_are_marked_and_trips_are_believed_the_second_time() {
        check(&[60, 61, 60], "...");
        check(&[60, 600, 60], ".!.");
        check(&[60, 99, 60], "...");
        check(&[90, 20, 90, 91], ".!..");
        check(&[90, 2, 2, 2], ".!..");
        check(&[90, 2, 50, 2], ".!.."); // 50 is near enough to 90.
        check(&[90, 2, -60, 2], ".!!!");
        check(&[-300, 50], "!.");
    }

    #[test]
    fn a_meter_that_stands_still_grows_old() {
        let (mut watch, start) = (watch(), Instant::now());
        for second in 0..=30 {
            let now = start + Duration::from_secs(second);
            let worth = watch.judge(now, vec![7, 7], Power::from_mw(60), None, None);
            if second <= 10 {
                assert_eq!(worth, Worth { alive_at: now, quality: Quality::Measured });
            } else {
                let old = Worth { alive_at: start, quality: Quality::Implausible };
                assert_eq!(worth, old, "{second}");
            }
        }
        let now = start + Duration::from_secs(31);
        let worth = watch.judge(now, vec![7, 8], Power::from_mw(60), None, None);
        assert_eq!(worth, Worth { alive_at: now, quality: Quality::Measured });
    }

    #[test]
    fn counters_tell_a_sign_that_is_wrong() {
        for (power, imported, exported, believed) in [
            (60, 1, 0, true),
            (60, 0, 1, false),
            (60, 0, 0, true),
            (60, 1, 1, true),
            (-5, 0, 1, true),
            (-5, 1, 0, false),
        ] {
            let (mut watch, now) = (watch(), Instant::now());
            let power = Power::from_mw(power);
            watch.judge(now, vec![1], power, counter(100), counter(100));
            let (imported, exported) = (counter(100 + imported), counter(100 + exported));
            let worth = watch.judge(now, vec![2], power, imported, exported);
            let is_believed = worth.quality == Quality::Measured;
            assert_eq!(is_believed, believed, "{power} {imported:?} {exported:?}");
        }
    }
}
