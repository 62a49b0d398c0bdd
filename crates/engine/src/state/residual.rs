//! What the site draws beyond what its loads explain, from its own meter.
//!
//! A load may be anywhere between its least and its most while an order is on its
//! way: only what lies beyond that band is unexplained. A reading is some seconds old when
//! it is heard: what was believed at any time since counts. Against limits the most
//! of the last minute counts; while the meter is silent, the most of the last
//! hour before. What the meter cannot have read counts as silence.

use serde::{Deserialize, Serialize};
use units::{Power, Seconds, Timestamp};

/// After this long without a reading the meter counts as silent.
const SILENT_AFTER: Seconds = Seconds::from_seconds(10);

/// A reading that does not change for this long, while loads were moved, is stuck.
const STUCK_AFTER: Seconds = Seconds::minutes(5);

const MINUTE: Seconds = Seconds::minutes(1);
const HOUR: Seconds = Seconds::hours(1);

/// At most so many readings of the last minute are kept.
const READINGS_MAX: usize = 120;

/// So many parts in a hundred of what the site may draw may go unexplained: lights
/// and offices, and what meters are off by.
const UNEXPLAINED_PERCENT: i64 = 2;

/// What the site draws beyond what its loads explain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Residual {
    /// Of the last minute, by time.
    minute: Vec<(Timestamp, Power)>,
    /// The most of each minute of the last hour, by its start.
    hour: Vec<(Timestamp, Power)>,
    /// When a reading was last used, and what it was.
    last: Option<(Timestamp, Power)>,
    /// Since when the meter is silent.
    lost_at: Option<Timestamp>,
    /// The reading that came again and again, since when, and the least and most
    /// that loads were ordered to draw meanwhile.
    same: Option<Same>,
    doubt: Option<Doubt>,
    /// What was believed, by since when, as far back as a reading may be.
    believed: Vec<(Timestamp, Believed)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Same {
    reading: Power,
    since: Timestamp,
    ordered_least: Power,
    ordered_most: Power,
}

/// What loads are believed to draw together, at the meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Believed {
    /// At the least.
    pub least: Power,
    /// As ordered.
    pub ordered: Power,
    /// At the most.
    pub most: Power,
}

/// Why a reading of the site's draw is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Doubt {
    /// It is many times what the site may draw.
    TooHigh,
    /// The site would send back more than it may, by more than may go unexplained:
    /// where it may send back nothing, one at rest reads a little below nothing.
    SendsBackTooMuch,
    /// It has not changed while loads were moved.
    Stuck,
    /// It came too late to be about now.
    Late,
}

/// What may go unexplained either way at a site with an import limit.
pub(crate) fn ordinary(import_limit: Power) -> Power {
    Power::from_watts(import_limit.times(UNEXPLAINED_PERCENT).as_watts() / 100)
}

impl Residual {
    /// What is counted against limits; nothing before the meter ever spoke.
    pub fn beyond(&self) -> Power {
        let seen = if self.lost_at.is_some() { &self.hour } else { &self.minute };
        seen.iter().map(|(_, most)| *most).max().unwrap_or_default().max(Power::ZERO)
    }

    /// What the newest reading shows: negative where less is drawn than loads
    /// explain. Nothing before the meter ever spoke.
    pub fn newest(&self) -> Power {
        self.minute.last().map_or(Power::ZERO, |(_, beyond)| *beyond)
    }

    /// The site's draw as last read.
    pub fn draw(&self) -> Option<Power> {
        self.last.map(|(_, draw)| draw)
    }

    /// Since when the meter is silent.
    pub fn lost_since(&self) -> Option<Timestamp> {
        self.lost_at
    }

    /// Takes in a reading. Returns why it is not believed, when that is new.
    pub(crate) fn hear(
        &mut self,
        draw: Power,
        known_at: Timestamp,
        at: Timestamp,
        believed: Believed,
        import_limit: Power,
        export_limit: Power,
    ) -> Option<Doubt> {
        let doubt = if at - known_at >= SILENT_AFTER {
            Some(Doubt::Late)
        } else if draw > import_limit.times(10) {
            Some(Doubt::TooHigh)
        } else if draw < -(export_limit + ordinary(import_limit)) {
            Some(Doubt::SendsBackTooMuch)
        } else if self.is_stuck(draw, at, believed, import_limit) {
            Some(Doubt::Stuck)
        } else {
            None
        };
        let is_new = doubt.is_some() && doubt != self.doubt;
        self.doubt = doubt;
        let believed = self.believed_since(known_at, at, believed);
        let beyond = (draw - believed.most).max(Power::ZERO)
            + (draw - believed.least).min(Power::ZERO);
        match doubt {
            None => {
                self.lost_at = None;
                self.last = Some((at, draw));
                self.note(at, beyond);
            }
            // It may be true after all: it counts where it asks for less.
            Some(Doubt::Stuck) => {
                if beyond > self.beyond() {
                    self.note(at, beyond);
                }
            }
            Some(Doubt::Late | Doubt::TooHigh | Doubt::SendsBackTooMuch) => {}
        }
        doubt.filter(|_| is_new)
    }

    /// The band of all that was believed since a reading was taken.
    fn believed_since(
        &mut self,
        known_at: Timestamp,
        at: Timestamp,
        now: Believed,
    ) -> Believed {
        if self.believed.last().is_none_or(|(_, last)| *last != now) {
            self.believed.push((at, now));
        }
        let held_at = |when: Timestamp, all: &[(Timestamp, Believed)]| {
            all.partition_point(|(since, _)| *since <= when).saturating_sub(1)
        };
        self.believed.drain(..held_at(at - SILENT_AFTER, &self.believed));
        let from = held_at(known_at, &self.believed);
        self.believed[from..].iter().fold(now, |band, (_, other)| Believed {
            least: band.least.min(other.least),
            most: band.most.max(other.most),
            ..band
        })
    }

    fn note(&mut self, at: Timestamp, beyond: Power) {
        self.minute.retain(|(seen, _)| at - *seen < MINUTE);
        if self.minute.len() >= READINGS_MAX {
            self.minute.remove(0);
        }
        self.minute.push((at, beyond));
        let minute = at.floor(MINUTE);
        self.hour.retain(|(seen, _)| at - *seen < HOUR);
        match self.hour.last_mut() {
            Some((start, most)) if *start == minute => *most = beyond.max(*most),
            Some(_) | None => self.hour.push((minute, beyond)),
        }
    }

    fn is_stuck(
        &mut self,
        reading: Power,
        at: Timestamp,
        believed: Believed,
        import_limit: Power,
    ) -> bool {
        let ordered = believed.ordered;
        let same = match self.same.filter(|same| same.reading == reading) {
            Some(same) => Same {
                ordered_least: same.ordered_least.min(ordered),
                ordered_most: same.ordered_most.max(ordered),
                ..same
            },
            None => {
                Same { reading, since: at, ordered_least: ordered, ordered_most: ordered }
            }
        };
        self.same = Some(same);
        let moved = same.ordered_most - same.ordered_least;
        at - same.since > STUCK_AFTER && moved.times(20) > import_limit
    }

    /// Time passed: whether the meter fell silent.
    pub(crate) fn pass(&mut self, at: Timestamp) -> bool {
        let due = self.next_deadline();
        let lost = due.is_some_and(|due| due <= at);
        if lost {
            self.lost_at = due;
        }
        lost
    }

    /// When the meter counts as silent if nothing more is read.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        let (heard_at, _) = self.last.filter(|_| self.lost_at.is_none())?;
        Some(heard_at + SILENT_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mw(megawatts: i64) -> Power {
        Power::from_mw(megawatts)
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_800_000_000 + seconds)
    }

    /// A site of 60 MW whose loads are believed to draw from 20 to 30 MW.
    fn hear(
        residual: &mut Residual,
        seconds: i64,
        draw: i64,
        ordered: i64,
    ) -> Option<Doubt> {
        let believed = Believed { least: mw(20), ordered: mw(ordered), most: mw(30) };
        residual.pass(at(seconds));
        residual.hear(mw(draw), at(seconds), at(seconds), believed, mw(60), mw(5))
    }

    #[test]
    fn only_what_lies_beyond_the_band_is_unexplained() {
        for (draw, newest) in [(10, -10), (20, 0), (25, 0), (30, 0), (31, 1), (45, 15)] {
            let mut residual = Residual::default();
            assert_eq!(hear(&mut residual, 0, draw, 30), None);
            assert_eq!(residual.newest(), mw(newest), "{draw}");
            assert_eq!(residual.beyond(), mw(newest.max(0)), "{draw}");
        }
    }

    #[test]
    fn a_reading_is_held_against_what_was_believed_when_it_was_taken() {
        let mut residual = Residual::default();
        let band = |least: i64, most: i64| Believed {
            least: mw(least),
            ordered: mw(most),
            most: mw(most),
        };
        let mut hear = |seconds: i64, taken: i64, draw: i64, believed: Believed| {
            residual.hear(mw(draw), at(taken), at(seconds), believed, mw(60), mw(5));
            residual.newest()
        };
        assert_eq!(hear(0, 0, 30, band(30, 30)), mw(0));
        // A battery turned: what was read before shows it as it was.
        assert_eq!(hear(4, 2, 30, band(10, 10)), mw(0));
        assert_eq!(hear(6, 3, 31, band(10, 10)), mw(1));
        // What was read after is held against what is believed now.
        assert_eq!(hear(8, 5, 30, band(10, 10)), mw(20));
        assert_eq!(hear(9, 8, 9, band(10, 10)), -mw(1));
        // What is long past does not count any more.
        assert_eq!(hear(40, 31, 30, band(10, 10)), mw(20));
    }

    #[test]
    fn limits_count_the_most_of_the_last_minute() {
        let mut residual = Residual::default();
        hear(&mut residual, 0, 34, 30);
        for seconds in (5..60).step_by(5) {
            hear(&mut residual, seconds, 31, 30);
        }
        assert_eq!((residual.newest(), residual.beyond()), (mw(1), mw(4)));
        hear(&mut residual, 60, 31, 30);
        assert_eq!(residual.beyond(), mw(1));
    }

    #[test]
    fn a_silent_meter_counts_as_the_most_of_the_hour_until_it_speaks() {
        let mut residual = Residual::default();
        for seconds in (0..600).step_by(5) {
            hear(&mut residual, seconds, if seconds == 100 { 36 } else { 31 }, 30);
        }
        assert_eq!(residual.beyond(), mw(1));
        assert!(!residual.pass(at(604)));
        assert!(residual.pass(at(605)));
        assert_eq!(residual.beyond(), mw(6));
        assert!(!residual.pass(at(90_000)));
        assert_eq!(residual.beyond(), mw(6));
        hear(&mut residual, 90_001, 30, 30);
        assert_eq!(residual.beyond(), mw(0));
    }

    #[test]
    fn what_cannot_have_been_read_counts_as_silence() {
        let mut residual = Residual::default();
        hear(&mut residual, 0, 32, 30);
        assert_eq!(hear(&mut residual, 5, 601, 30), Some(Doubt::TooHigh));
        assert_eq!(hear(&mut residual, 6, 601, 30), None);
        assert_eq!(hear(&mut residual, 7, -30, 30), Some(Doubt::SendsBackTooMuch));
        assert_eq!((residual.newest(), residual.beyond()), (mw(2), mw(2)));
        assert!(residual.pass(at(10)));
    }

    #[test]
    fn a_little_sent_back_beyond_the_limit_is_read() {
        // 2% of 60 MW beyond the 5 MW that the site may send back.
        let edge = Power::from_watts(-6_200_000);
        for (draw, doubt) in
            [(edge, None), (edge - Power::from_watts(1), Some(Doubt::SendsBackTooMuch))]
        {
            let mut residual = Residual::default();
            let believed = Believed { least: -mw(5), ordered: -mw(5), most: -mw(5) };
            let found = residual.hear(draw, at(0), at(0), believed, mw(60), mw(5));
            assert_eq!((found, residual.beyond()), (doubt, mw(0)), "{draw}");
        }
    }

    #[test]
    fn a_stuck_reading_lowers_and_never_raises() {
        let mut residual = Residual::default();
        hear(&mut residual, 0, 33, 30);
        let mut doubts = Vec::new();
        for seconds in (5..400).step_by(5) {
            doubts.extend(hear(&mut residual, seconds, 33, 30 - seconds / 60));
        }
        assert_eq!(doubts, [Doubt::Stuck]);
        assert_eq!(residual.beyond(), mw(3));
    }
}
