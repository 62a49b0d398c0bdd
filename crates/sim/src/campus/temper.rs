//! How machines and meters fail to do as they are told, and how often.

use serde::{Deserialize, Serialize};
use units::{Power, Seconds};

use crate::seed::Generator;

/// What is wrong with one machine, or one load that is a single device. It has
/// one temper at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Temper {
    /// It stays as it is whatever it is told, and says so. Not even the end of its
    /// lease moves it.
    Ignores,
    /// It acts, and answers nobody.
    Mute,
    /// It says that it did as told, and stays as it is. What it draws gives it away.
    Lies,
    /// It goes part of the way, or stays, and says where it is.
    HalfObeys,
    /// It hears nothing, answers nobody, and stays as it is.
    Hangs,
    /// It acts, and answers after 1 to 100 s.
    Late,
    /// It does as it is told, and goes back by itself after 10 to 300 s.
    Reverts,
    /// It answers, and answers the same again after 1 to 100 s.
    Repeats,
    /// Its clock is off by so much: positive is fast.
    ClockOff(Seconds),
}

/// Where a machine comes back that has rebooted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Back {
    /// At rest.
    AtRest,
    /// Where it was.
    AsBefore,
    /// At the last point of its curve.
    Full,
}

/// What is wrong with the meter at the interconnection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MeterTemper {
    /// It shows nothing.
    Silent,
    /// It goes on showing what it showed last.
    Stuck,
    /// Now and then it shows many times the draw.
    Spiking,
    /// It shows draw as sent back, and the other way round.
    Reversed,
    /// It shows so many parts in a million of the draw.
    Scaled(u32),
}

/// How often something goes wrong, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Often {
    /// How many machines in a million it befalls in an hour.
    pub ppm_per_hour: u32,
    /// The shortest it lasts.
    pub least: Seconds,
    /// The longest it lasts.
    pub most: Seconds,
}

impl Often {
    /// It does not happen.
    pub const NEVER: Self =
        Self { ppm_per_hour: 0, least: Seconds::minutes(1), most: Seconds::minutes(1) };

    /// It befalls so many machines in a million in an hour, for some minutes.
    pub const fn per_hour(ppm: u32, least: i64, most: i64) -> Self {
        Self {
            ppm_per_hour: ppm,
            least: Seconds::minutes(least),
            most: Seconds::minutes(most),
        }
    }

    /// How many of `count` it befalls in a minute.
    pub(super) fn strikes(&self, count: u64, draws: &mut Generator) -> u64 {
        const MILLION_MINUTES: u64 = 60_000_000;
        let expected = count * u64::from(self.ppm_per_hour);
        let (whole, rest) = (expected / MILLION_MINUTES, expected % MILLION_MINUTES);
        whole + u64::from(rest > 0 && draws.below(MILLION_MINUTES) < rest)
    }

    /// For how long, this time.
    pub(super) fn length(&self, draws: &mut Generator) -> Seconds {
        let (least, most) = (self.least.as_seconds(), self.most.as_seconds());
        Seconds::from_seconds(draws.integer(least..=most.max(least)))
    }
}

/// How often what goes wrong on a campus, and what it draws beside its loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tempers {
    /// How far a machine's draw may be from its model's, up or down, in millionths.
    pub noise_ppm: u32,
    /// See [`Temper::Ignores`].
    pub ignores: Often,
    /// See [`Temper::Mute`].
    pub mute: Often,
    /// See [`Temper::Lies`].
    pub lies: Often,
    /// See [`Temper::HalfObeys`].
    pub half_obeys: Often,
    /// See [`Temper::Hangs`].
    pub hangs: Often,
    /// See [`Temper::Late`].
    pub late: Often,
    /// See [`Temper::Reverts`].
    pub reverts: Often,
    /// See [`Temper::Repeats`].
    pub repeats: Often,
    /// See [`Temper::ClockOff`]: by up to an hour.
    pub clock_off: Often,
    /// A machine reboots by itself, and comes back at rest, as before or at full.
    pub reboots: Often,
    /// The switch above a machine fails: 48 machines in a row hear and say nothing.
    pub switch_off: Often,
    /// See [`MeterTemper::Silent`]; of a million meters in an hour.
    pub meter_silent: Often,
    /// See [`MeterTemper::Stuck`].
    pub meter_stuck: Often,
    /// See [`MeterTemper::Spiking`].
    pub meter_spiking: Often,
    /// See [`MeterTemper::Reversed`].
    pub meter_reversed: Often,
    /// See [`MeterTemper::Scaled`]: to a tenth, a half, double or ten times.
    pub meter_scaled: Often,
    /// What the house draws: lights, offices, pumps, at the meter.
    pub house: Power,
    /// How far that drifts, up or down.
    pub house_drift: Power,
    /// Pumps start; of a million sites in an hour.
    pub house_jump: Often,
    /// What they draw.
    pub house_jump_by: Power,
}

impl Tempers {
    /// Nothing goes wrong, machines draw what their model says, and the house
    /// draws nothing.
    pub const fn none() -> Self {
        Self {
            noise_ppm: 0,
            ignores: Often::NEVER,
            mute: Often::NEVER,
            lies: Often::NEVER,
            half_obeys: Often::NEVER,
            hangs: Often::NEVER,
            late: Often::NEVER,
            reverts: Often::NEVER,
            repeats: Often::NEVER,
            clock_off: Often::NEVER,
            reboots: Often::NEVER,
            switch_off: Often::NEVER,
            meter_silent: Often::NEVER,
            meter_stuck: Often::NEVER,
            meter_spiking: Often::NEVER,
            meter_reversed: Often::NEVER,
            meter_scaled: Often::NEVER,
            house: Power::ZERO,
            house_drift: Power::ZERO,
            house_jump: Often::NEVER,
            house_jump_by: Power::ZERO,
        }
    }

    /// A little of everything, as on a good day of a large site; the house draws
    /// `house`.
    pub fn few(house: Power) -> Self {
        Self {
            noise_ppm: 20_000,
            ignores: Often::per_hour(500, 5, 60),
            mute: Often::per_hour(500, 2, 30),
            lies: Often::per_hour(200, 5, 60),
            half_obeys: Often::per_hour(300, 5, 60),
            hangs: Often::per_hour(1_000, 2, 60),
            late: Often::per_hour(5_000, 5, 60),
            reverts: Often::per_hour(200, 5, 30),
            repeats: Often::per_hour(2_000, 5, 60),
            clock_off: Often::per_hour(1_000, 30, 240),
            reboots: Often::per_hour(1_000, 1, 5),
            switch_off: Often::per_hour(100, 2, 15),
            meter_silent: Often::per_hour(100_000, 1, 10),
            meter_stuck: Often::per_hour(50_000, 1, 20),
            meter_spiking: Often::per_hour(50_000, 1, 5),
            meter_reversed: Often::per_hour(10_000, 1, 10),
            meter_scaled: Often::per_hour(10_000, 1, 30),
            house,
            house_drift: Power::from_watts(house.as_watts() / 10),
            house_jump: Often::per_hour(200_000, 5, 30),
            house_jump_by: Power::from_watts(house.as_watts() / 2),
        }
    }

    /// Each rate drawn by itself, many of them none at all; the house draws `house`.
    pub fn swarm(draws: &mut Generator, house: Power) -> Self {
        let noise_ppm = draws.integer(0..=20_000) as u32;
        let mut often = |most: i64, longest: i64| {
            // Every rate takes the same draws, whatever comes of it.
            let (none, ppm) = (draws.chance(400_000), draws.integer(0..=most) as u32);
            let longest = draws.integer(1..=longest);
            if none { Often::NEVER } else { Often::per_hour(ppm, 1, longest) }
        };
        Self {
            noise_ppm,
            ignores: often(300_000, 60),
            mute: often(300_000, 60),
            lies: often(200_000, 60),
            half_obeys: often(300_000, 60),
            hangs: often(300_000, 60),
            late: often(500_000, 60),
            reverts: often(200_000, 60),
            repeats: often(300_000, 60),
            clock_off: often(200_000, 240),
            reboots: often(300_000, 10),
            switch_off: often(50_000, 30),
            meter_silent: often(600_000, 30),
            meter_stuck: often(600_000, 30),
            meter_spiking: often(600_000, 20),
            meter_reversed: often(300_000, 20),
            meter_scaled: often(300_000, 30),
            house,
            house_drift: Power::from_watts(house.as_watts() / 5),
            house_jump: often(600_000, 30),
            house_jump_by: house,
        }
    }

    /// The same with nothing going wrong any more: machines keep their own draw,
    /// and the house stays.
    pub fn calmed(self) -> Self {
        Self {
            noise_ppm: self.noise_ppm,
            house: self.house,
            house_drift: self.house_drift,
            ..Self::none()
        }
    }

    /// Whether anything can happen by itself.
    pub(super) fn stir(&self) -> bool {
        *self != Self { noise_ppm: self.noise_ppm, house: self.house, ..Self::none() }
    }
}
