//! A battery behind a profile: told what to draw or give, and read back.
//!
//! What nobody renews goes to rest: a battery with a watchdog does so by itself when
//! whoever told it looks at it no more.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Instant;

use units::{Energy, Power};

use super::figure::Micro;
use super::meter::{energy, power};
use super::profile::{Kind, Meaning, Profile, Register};
use super::registers::{self, Figures};
use super::wire::Wire;
use crate::device::{
    Answer, DeviceText, Doing, Driver, Field, Identity, Look, Quality, Reached, Refusal,
    Running, Unanswered, Wanted,
};

/// What a site says of a battery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatteryLimits {
    /// The most it may draw.
    pub charge_max: Power,
    /// The most it may give, as a positive power.
    pub discharge_max: Power,
    /// What it holds when it is full, where the site knows.
    pub capacity: Option<Energy>,
}

/// A battery spoken to over Modbus TCP.
#[derive(Debug)]
pub struct Battery {
    wire: Wire,
    profile: Profile,
    limits: BatteryLimits,
    beats: AtomicU16,
    /// What it was told last, and the words for it.
    told: Mutex<Option<(Vec<u16>, Power)>>,
}

impl Battery {
    /// A battery at an address, unit by unit number.
    ///
    /// Panics when the profile is not a battery's.
    pub fn new(at: Reached, unit: u8, profile: Profile, limits: BatteryLimits) -> Self {
        assert_eq!(profile.kind, Kind::Battery, "a battery's profile");
        let (beats, told) = (AtomicU16::new(0), Mutex::new(None));
        Self { wire: Wire::new(at, unit), profile, limits, beats, told }
    }

    /// How long it holds what it was told without a beat; `None` is for ever.
    pub fn holds_for(&self) -> Option<std::time::Duration> {
        self.profile.watchdog
    }

    /// Says that somebody still watches. Changes nothing but how long the battery holds
    /// what it was told.
    async fn beat(&self, by: Instant) -> Answer {
        let Some(register) = self.profile.register(Meaning::Watchdog) else {
            return Answer::Accepted;
        };
        let beat = self.beats.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let figure = Micro(i128::from(beat) * register.coding.per_raw);
        let Some(words) = register.coding.words(figure) else {
            return unsupported("a profile whose watchdog holds no counter");
        };
        self.write(register, &words, by).await
    }

    async fn write(&self, register: &Register, words: &[u16], by: Instant) -> Answer {
        match self.wire.write(register.address, words, by).await {
            Ok(Ok(())) => Answer::Accepted,
            Ok(Err(exception)) => exception.answer(),
            Err(why) => Answer::Unknown(why),
        }
    }

    async fn flow(&self, wanted: Power, by: Instant) -> Answer {
        let (least, most) = (-self.limits.discharge_max, self.limits.charge_max);
        if wanted < least || wanted > most {
            return Answer::Refused(Refusal::OutOfRange { least, most, asked: wanted });
        }
        let register = self.profile.register(Meaning::Setpoint);
        let register = register.expect("a battery's profile has a setpoint");
        let figure = Micro(i128::from(wanted.as_watts()) * 1_000_000);
        let Some(words) = register.coding.words_not_above(figure) else {
            return unsupported("a profile whose setpoint holds less than that");
        };
        // The heart beats first: a setpoint that arrives at a battery that was left
        // alone would be dropped. Looking opens a connection that was lost, so that
        // nothing is written twice.
        if let Err(why) = self.figures(by).await {
            return Answer::Unknown(why);
        }
        match self.beat(by).await {
            Answer::Accepted => {}
            refused @ (Answer::Refused(_) | Answer::Unknown(_)) => return refused,
        }
        *self.told.lock().expect("no panic while held") = Some((words.clone(), wanted));
        self.write(register, &words, by).await
    }

    async fn figures(&self, by: Instant) -> Result<Figures, Unanswered> {
        registers::read(&self.wire, &self.profile, by).await
    }

    /// What it is set to. A register has steps: the words that it was told stand for
    /// what was wanted.
    fn set_to(&self, figures: &Figures) -> Option<Power> {
        let words = figures.words(Meaning::Setpoint)?;
        let told = self.told.lock().expect("no panic while held");
        match &*told {
            Some((said, wanted)) if said == words => Some(*wanted),
            Some(_) | None => power(figures.figure(Meaning::Setpoint)?),
        }
    }

    fn stored(&self, figures: &Figures) -> Option<Field<Energy>> {
        if let Some(stored) = figures.figure(Meaning::Stored).and_then(energy) {
            let over = self.limits.capacity.is_some_and(|capacity| stored > capacity);
            let implausible = stored < Energy::ZERO || over;
            return Some(field(stored, implausible, Quality::Reported));
        }
        let share = figures.figure(Meaning::StateOfCharge)?;
        let capacity = i128::from(self.limits.capacity?.as_joules());
        let joules = capacity.checked_mul(share.0)? / 100_000_000;
        let joules = i64::try_from(joules).ok()?;
        let implausible = !(0..=100_000_000).contains(&share.0);
        Some(field(Energy::from_joules(joules), implausible, Quality::Derived))
    }

    fn look_of(&self, figures: &Figures) -> Look {
        let mut look = Look { stored: self.stored(figures), ..Look::default() };
        let most = self.limits.charge_max.max(self.limits.discharge_max).times(2);
        look.draw = figures
            .figure(Meaning::Power)
            .and_then(power)
            .map(|power| field(power, power > most || power < -most, Quality::Reported));
        if let Some(set) = self.set_to(figures) {
            let running = if set.is_zero() { Running::Resting } else { Running::Working };
            look.flow = Some(Field::reported(set));
            look.running = Some(Field::reported(running));
        }
        let status = figures.raw(Meaning::Status).and_then(|raw| u16::try_from(raw).ok());
        if let Some(status) = status.filter(|is| self.profile.fault_states.contains(is)) {
            look.faults.push(DeviceText::of(&format!("status {status}")));
        }
        look
    }
}

fn field<T>(value: T, implausible: bool, otherwise: Quality) -> Field<T> {
    let quality = if implausible { Quality::Implausible } else { otherwise };
    Field { value, at: Instant::now(), quality }
}

fn unsupported(what: &str) -> Answer {
    Answer::Refused(Refusal::Unsupported(DeviceText::of(what)))
}

impl Driver for Battery {
    fn at(&self) -> Reached {
        self.wire.at()
    }

    fn identify(&self, by: Instant) -> Doing<'_, Result<Identity, Unanswered>> {
        Box::pin(async move {
            // A profile says what it is for; that it answers is all that is seen.
            self.figures(by).await?;
            let (least, most) = (-self.limits.discharge_max, self.limits.charge_max);
            Ok(Identity {
                maker: Some(DeviceText::of(&self.profile.maker)),
                model: Some(DeviceText::of(&self.profile.model)),
                serial: None,
                firmware: None,
                limits: Some((least, most)),
            })
        })
    }

    fn look(&self, by: Instant) -> Doing<'_, Result<Look, Unanswered>> {
        Box::pin(async move {
            let figures = self.figures(by).await?;
            // Whoever told it and looks still watches; whoever only looks changes nothing.
            let is_told = self.told.lock().expect("no panic while held").is_some();
            if is_told {
                // A beat that is lost is made up for by the next.
                drop(self.beat(by).await);
            }
            Ok(self.look_of(&figures))
        })
    }

    fn tell(&self, wanted: Wanted, by: Instant) -> Doing<'_, Answer> {
        Box::pin(async move {
            match wanted {
                Wanted::Rest => self.flow(Power::ZERO, by).await,
                Wanted::Flow(power) => self.flow(power, by).await,
                Wanted::AtMost(_) => unsupported("a battery draws or gives a power"),
            }
        })
    }
}
