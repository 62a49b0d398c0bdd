//! What a battery is believed to hold: between two bounds.
//!
//! The bounds are counted on from what the battery was asked, at worst both
//! ways while an order is unanswered. A reading between them closes them; one
//! outside opens them, and one that repeats itself closes nothing, because a
//! meter that sticks looks the same; so does the first one after a gap.

use serde::{Deserialize, Serialize};
use units::{Energy, Interval, Power, Timestamp};

use crate::site::Battery;

/// What a battery is believed to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// The least it can hold.
    pub least: Energy,
    /// The most it can hold.
    pub most: Energy,
    counted_to: Option<Timestamp>,
    /// How far it may have moved since a reading closed the bounds.
    moved: Energy,
    /// The last reading, and when it was taken.
    shown: Option<(Timestamp, Energy)>,
    /// The bounds at the last tick, for a reading that comes after it.
    at_tick: Option<(Timestamp, Energy, Energy)>,
}

/// A reading may pass the bounds by one part in this of what was moved.
const TOLERANCE: i64 = 20;

/// What rounding may come to between two readings.
const ROUNDING: Energy = Energy::from_joules(1_000);

impl Charge {
    /// Exactly so much, as configured.
    pub fn exactly(stored: Energy) -> Self {
        Self {
            least: stored,
            most: stored,
            counted_to: None,
            moved: Energy::ZERO,
            shown: None,
            at_tick: None,
        }
    }

    /// Counts on to `at`, between the two powers it may have had since.
    pub(crate) fn count_on(
        &mut self,
        battery: &Battery,
        at: Timestamp,
        lowest: Power,
        highest: Power,
    ) {
        let since = self.counted_to.replace(at).unwrap_or(at);
        if at <= since {
            self.counted_to = Some(since);
            return;
        }
        let (fall, rise) = (
            battery.stored_by(lowest * (at - since)),
            battery.stored_by(highest * (at - since)),
        );
        self.least += fall;
        self.most += rise;
        self.moved += fall.max(-fall).max(rise).max(-rise);
    }

    pub(crate) fn tick(&mut self, at: Timestamp) {
        self.at_tick = Some((at, self.least, self.most));
    }

    /// Takes in what was read at the end of `during`, up to where the bounds were
    /// counted. A reading of between ticks, heard later, says nothing any more.
    pub(crate) fn read(&mut self, shown: Energy, during: Interval) {
        let at = during.end;
        let first = self.shown.is_none();
        let alive =
            self.shown.is_some_and(|(then, last)| then == during.start && last != shown);
        let (least, most) = match (self.counted_to, self.at_tick) {
            (Some(counted_to), Some((tick, least, most))) if at < counted_to => {
                if tick != at {
                    return;
                }
                (least, most)
            }
            (Some(_) | None, _) => (self.least, self.most),
        };
        self.shown = Some((at, shown));
        let slack = Energy::from_joules(self.moved.as_joules() / TOLERANCE) + ROUNDING;
        let inside = least - slack <= shown && shown <= most + slack;
        let (fall, rise) = (self.least - least, self.most - most);
        if first || (inside && alive) {
            (self.least, self.most) = (shown + fall, shown + rise);
            self.moved = fall.max(-fall).max(rise).max(-rise);
        } else if !inside {
            self.least = self.least.min(shown + fall);
            self.most = self.most.max(shown + rise);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use units::{EnergyPrice, Seconds, Share};

    fn battery() -> Battery {
        Battery {
            charge_max: Power::from_mw(6),
            discharge_max: Power::from_mw(6),
            stored_min: Energy::ZERO,
            stored_max: Energy::from_mwh(12),
            stored_first: Energy::from_mwh(6),
            charge_efficiency: Share::from_ppm(900_000),
            discharge_efficiency: Share::from_ppm(900_000),
            charge_below: EnergyPrice::ZERO,
            discharge_above: EnergyPrice::from_usd_per_mwh(100),
        }
    }

    /// Tells of powers held for minutes and of readings, and expects bounds in kWh.
    fn check(story: &[Told], expected: (i64, i64)) {
        let mut charge = Charge::exactly(Energy::from_mwh(6));
        let mut at = Timestamp::from_unix_seconds(0);
        let mut read_at = at;
        charge.count_on(&battery(), at, Power::ZERO, Power::ZERO);
        for told in story {
            match *told {
                Told::Held { lowest, highest, minutes } => {
                    at = at + Seconds::minutes(minutes);
                    let mw = Power::from_mw;
                    charge.count_on(&battery(), at, mw(lowest), mw(highest));
                }
                Told::Silent => read_at = at,
                Told::Shows(kwh) => {
                    let during = Interval { start: read_at, end: at };
                    charge.read(Energy::from_kwh(kwh), during);
                    read_at = at;
                }
            }
        }
        let kwh = |energy: Energy| energy.as_joules().div_euclid(3_600_000);
        assert_eq!((kwh(charge.least), kwh(charge.most)), expected);
    }

    #[derive(Clone, Copy)]
    enum Told {
        Held { lowest: i64, highest: i64, minutes: i64 },
        Shows(i64),
        Silent,
    }

    fn held(power: i64, minutes: i64) -> Told {
        Told::Held { lowest: power, highest: power, minutes }
    }

    #[test]
    fn what_it_was_asked_counts_where_no_meter_answers() {
        check(&[held(6, 30)], (8_700, 8_700));
        check(&[held(-6, 30)], (2_666, 2_666));
        check(&[Told::Held { lowest: -6, highest: 0, minutes: 30 }], (2_666, 6_000));
    }

    #[test]
    fn a_reading_that_can_be_is_believed() {
        check(&[Told::Shows(6_000), held(6, 30), Told::Shows(8_650)], (8_650, 8_650));
        // Before anything was read, what is configured is a guess.
        check(&[Told::Shows(2_000)], (2_000, 2_000));
    }

    #[test]
    fn a_meter_that_sticks_is_not() {
        let stuck = [Told::Shows(6_000), held(-6, 30), Told::Shows(6_000)];
        check(&stuck, (2_666, 6_000));
        let rests = [&stuck[..], &[held(0, 30), Told::Shows(6_000)]].concat();
        check(&rests, (2_666, 6_000));
        let answers = [&stuck[..], &[held(0, 30), Told::Shows(2_700)]].concat();
        check(&answers, (2_700, 2_700));
        // It stuck at 4 000 while nobody heard it, and may have moved since.
        let range = |minutes| Told::Held { lowest: -6, highest: 0, minutes };
        let unheard =
            [Told::Shows(6_000), range(30), Told::Silent, range(30), Told::Shows(4_000)];
        check(&unheard, (-667, 6_000));
    }
}
