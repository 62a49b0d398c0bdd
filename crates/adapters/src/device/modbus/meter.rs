//! A meter behind a profile.

use std::sync::Mutex;
use std::time::Instant;

use units::{Energy, Power};

use super::figure::Micro;
use super::profile::{Kind, Meaning, Profile};
use super::registers::{self, Figures};
use super::watch::{Plausible, Watch, Worth};
use super::wire::Wire;
use crate::device::{Doing, Field, Quality, Reached, Unanswered};
use crate::meter::{Counter, Meter, Shown};

/// A meter read over Modbus TCP.
#[derive(Debug)]
pub struct ModbusMeter {
    wire: Wire,
    profile: Profile,
    watch: Mutex<Watch>,
}

impl ModbusMeter {
    /// A meter at an address, unit by unit number.
    ///
    /// Panics when the profile is not a meter's.
    pub fn new(at: Reached, unit: u8, profile: Profile, plausible: Plausible) -> Self {
        assert_eq!(profile.kind, Kind::Meter, "a meter's profile");
        let watch = Mutex::new(Watch::new(plausible, profile.still_for));
        Self { wire: Wire::new(at, unit), profile, watch }
    }

    /// Everything its registers hold, unjudged.
    ///
    /// # Errors
    ///
    /// When it does not answer in time, in words, or for its power.
    pub async fn figures(&self, by: Instant) -> Result<Figures, Unanswered> {
        registers::read(&self.wire, &self.profile, by).await
    }

    fn judge(&self, figures: &Figures, shown: &Shown, now: Instant) -> Option<Worth> {
        let moves = figures
            .words(Meaning::Heartbeat)
            .map_or_else(|| figures.all_words(), <[u16]>::to_vec);
        let counter = |field: Option<Field<Counter>>| field.map(|field| field.value);
        let power = shown.power?.value;
        let mut watch = self.watch.lock().expect("a judge that does not panic");
        let (imported, exported) = (counter(shown.imported), counter(shown.exported));
        Some(watch.judge(now, moves, power, imported, exported))
    }
}

impl Meter for ModbusMeter {
    fn at(&self) -> Reached {
        self.wire.at()
    }

    fn read(&self, by: Instant) -> Doing<'_, Result<Shown, Unanswered>> {
        Box::pin(async move {
            let figures = self.figures(by).await?;
            let now = Instant::now();
            let mut shown = shown(&self.profile, &figures, now);
            if let Some(worth) = self.judge(&figures, &shown, now) {
                mark(&mut shown, worth);
            }
            Ok(shown)
        })
    }
}

fn shown(profile: &Profile, figures: &Figures, now: Instant) -> Shown {
    let counter = |means| {
        let at = energy(figures.figure(means)?)?;
        let register = profile.register(means)?;
        let coding = register.coding;
        let wraps_at = match register.rolls_over_at {
            Some(steps) => Some(Micro(i128::from(steps) * coding.per_raw / coding.parts)),
            None => coding.span(),
        };
        let counter = Counter { at, wraps_at: wraps_at.and_then(energy) };
        (at >= Energy::ZERO).then_some(measured(counter, now))
    };
    let power = figures.figure(Meaning::Power).and_then(power);
    Shown {
        power: power.map(|power| measured(power, now)),
        imported: counter(Meaning::EnergyImport),
        exported: counter(Meaning::EnergyExport),
        heartbeat: figures.raw(Meaning::Heartbeat).map(|beat| measured(beat, now)),
    }
}

fn measured<T>(value: T, at: Instant) -> Field<T> {
    Field { value, at, quality: Quality::Measured }
}

/// A meter that stands still is as old as its last move in all it shows; what is wrong
/// with its power is wrong with its power alone.
fn mark(shown: &mut Shown, worth: Worth) {
    if let Some(power) = &mut shown.power {
        (power.at, power.quality) = (worth.alive_at, worth.quality);
    }
    for counter in [&mut shown.imported, &mut shown.exported].into_iter().flatten() {
        counter.at = worth.alive_at;
    }
    if let Some(beat) = &mut shown.heartbeat {
        beat.at = worth.alive_at;
    }
}

/// Watts, rounded half away from nothing; `None` where no site draws so much.
pub(super) fn power(micro: Micro) -> Option<Power> {
    let half = if micro.0 < 0 { -500_000 } else { 500_000 };
    let watts = i64::try_from((micro.0 + half) / 1_000_000).ok()?;
    (watts.unsigned_abs() <= POWER_MAX).then_some(Power::from_watts(watts))
}

/// Joules of watt-hours, rounded down; `None` where they are beyond all counting.
pub(super) fn energy(micro: Micro) -> Option<Energy> {
    let joules = micro.0.checked_mul(3_600)?.div_euclid(1_000_000);
    i64::try_from(joules).ok().map(Energy::from_joules)
}

/// A terawatt: beyond it a register holds something else.
const POWER_MAX: u64 = 1_000_000_000_000;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const MOST: Power = Power::from_mw(100);

    proptest! {
        /// Whatever a meter's registers hold, nothing that cannot be is believed, and
        /// nothing breaks.
        #[test]
        fn no_words_are_believed_that_cannot_be(
            number in 0_usize..5,
            draws in prop::collection::vec(any::<u16>(), 64),
            again in prop::collection::vec(any::<u16>(), 64),
        ) {
            let profile = Profile::shipped().swap_remove(number);
            prop_assume!(profile.kind == Kind::Meter);
            let mut watch = Watch::new(Plausible { most: MOST }, Duration::from_secs(1));
            for words in [draws, again] {
                let mut words = words.into_iter().cycle();
                let mut held = BTreeMap::new();
                for row in &profile.registers {
                    for at in 0..row.coding.width.words() {
                        let place = (row.space, row.address + at);
                        held.insert(place, words.next().expect("a word"));
                    }
                }
                let now = Instant::now();
                let figures = Figures::of(&profile, &held);
                let mut shown = shown(&profile, &figures, now);
                if let Some(power) = shown.power {
                    let moves = figures.all_words();
                    let worth = watch.judge(now, moves, power.value, None, None);
                    mark(&mut shown, worth);
                }
                if let Some(power) = shown.power {
                    let watts = power.value.as_watts();
                    prop_assert!(watts.unsigned_abs() <= POWER_MAX);
                    let beyond = watts.unsigned_abs() > MOST.as_watts().unsigned_abs();
                    prop_assert!(!beyond || power.quality == Quality::Implausible);
                }
                for counter in [shown.imported, shown.exported].into_iter().flatten() {
                    prop_assert!(counter.value.at >= Energy::ZERO);
                }
            }
        }
    }
}
