//! What can go wrong in a world, and how often.

use crate::seed::Generator;

/// How often each thing goes wrong, in a million chances.
///
/// Drawn too: some runs are calm, some see a little of everything, and in a
/// swarm each rate is drawn by itself, so that faults meet in every mixture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How the rates were drawn, as a report shows it.
    pub mood: &'static str,
    /// A signal never arrives.
    pub signal_lost_ppm: u32,
    /// A signal arrives some intervals after it could be known.
    pub signal_late_ppm: u32,
    /// A signal arrives again.
    pub signal_repeated_ppm: u32,
    /// A price is published anew with another value.
    pub signal_revised_ppm: u32,
    /// A signal claims to be known before anybody could know it.
    pub signal_early_ppm: u32,
    /// A load's meter shows what it showed before, for a while.
    pub meter_stuck_ppm: u32,
    /// A load's meter does not answer.
    pub meter_silent_ppm: u32,
    /// The meter of the site does not answer.
    pub site_meter_silent_ppm: u32,
    /// A whole sweep is lost.
    pub sweep_lost_ppm: u32,
    /// A sweep arrives some seconds late.
    pub sweep_late_ppm: u32,
    /// An order never reaches its load.
    pub order_lost_ppm: u32,
    /// A load goes part of the way.
    pub order_half_ppm: u32,
    /// A receipt never arrives.
    pub receipt_lost_ppm: u32,
    /// A receipt arrives some seconds late.
    pub receipt_late_ppm: u32,
    /// A receipt arrives again, later.
    pub receipt_repeated_ppm: u32,
    /// A tick comes some seconds after its interval began.
    pub tick_late_ppm: u32,
    /// The grid sets a limit, in an interval.
    pub import_limit_ppm: u32,
    /// A person asks for something, in an interval.
    pub request_ppm: u32,
    /// The site file is read anew, in an interval.
    pub change_ppm: u32,
}

impl Options {
    /// One of the three moods.
    pub fn draw(draws: &mut Generator) -> Self {
        match draws.below(10) {
            0 | 1 => Self::calm(),
            2..=4 => Self::lite(),
            _ => Self::swarm(draws),
        }
    }

    /// Nothing goes wrong; the grid and people act all the same.
    pub fn calm() -> Self {
        Self {
            mood: "calm",
            signal_lost_ppm: 0,
            signal_late_ppm: 0,
            signal_repeated_ppm: 0,
            signal_revised_ppm: 0,
            signal_early_ppm: 0,
            meter_stuck_ppm: 0,
            meter_silent_ppm: 0,
            site_meter_silent_ppm: 0,
            sweep_lost_ppm: 0,
            sweep_late_ppm: 0,
            order_lost_ppm: 0,
            order_half_ppm: 0,
            receipt_lost_ppm: 0,
            receipt_late_ppm: 0,
            receipt_repeated_ppm: 0,
            tick_late_ppm: 0,
            import_limit_ppm: 60_000,
            request_ppm: 60_000,
            change_ppm: 10_000,
        }
    }

    /// A little of everything.
    pub fn lite() -> Self {
        const SELDOM: u32 = 20_000;
        Self {
            mood: "lite",
            signal_lost_ppm: SELDOM,
            signal_late_ppm: SELDOM,
            signal_repeated_ppm: SELDOM,
            signal_revised_ppm: SELDOM,
            signal_early_ppm: SELDOM,
            meter_stuck_ppm: SELDOM,
            meter_silent_ppm: SELDOM,
            site_meter_silent_ppm: SELDOM,
            sweep_lost_ppm: SELDOM,
            sweep_late_ppm: SELDOM,
            order_lost_ppm: SELDOM,
            order_half_ppm: SELDOM,
            receipt_lost_ppm: SELDOM,
            receipt_late_ppm: SELDOM,
            receipt_repeated_ppm: SELDOM,
            tick_late_ppm: SELDOM,
            ..Self::calm()
        }
    }

    /// Each rate drawn by itself, many of them none at all.
    pub fn swarm(draws: &mut Generator) -> Self {
        let mut rate = |most: i64| {
            if draws.chance(400_000) { 0 } else { draws.integer(0..=most) as u32 }
        };
        Self {
            mood: "swarm",
            signal_lost_ppm: rate(500_000),
            signal_late_ppm: rate(300_000),
            signal_repeated_ppm: rate(300_000),
            signal_revised_ppm: rate(300_000),
            signal_early_ppm: rate(200_000),
            meter_stuck_ppm: rate(300_000),
            meter_silent_ppm: rate(300_000),
            site_meter_silent_ppm: rate(300_000),
            sweep_lost_ppm: rate(200_000),
            sweep_late_ppm: rate(300_000),
            order_lost_ppm: rate(300_000),
            order_half_ppm: rate(300_000),
            receipt_lost_ppm: rate(300_000),
            receipt_late_ppm: rate(500_000),
            receipt_repeated_ppm: rate(200_000),
            tick_late_ppm: rate(200_000),
            import_limit_ppm: rate(300_000),
            request_ppm: rate(300_000),
            change_ppm: rate(50_000),
        }
    }
}
