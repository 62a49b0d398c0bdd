//! What the site draws beside its loads, and what its meter makes of it all.

use serde::{Deserialize, Serialize};
use units::{Power, Timestamp};

use super::temper::{MeterTemper, Tempers};
use crate::seed::Generator;

/// Lights, offices and pumps: what no load explains.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct House {
    base: Power,
    drift: Power,
    jump: Power,
    jump_until: Timestamp,
}

impl House {
    pub(super) fn new(tempers: &Tempers, now: Timestamp) -> Self {
        Self {
            base: tempers.house,
            drift: Power::ZERO,
            jump: Power::ZERO,
            jump_until: now,
        }
    }

    pub(super) fn power(&self) -> Power {
        self.base + self.drift + self.jump
    }

    /// A minute passes: it drifts by up to a fiftieth of its range, and pumps start
    /// or stop.
    pub(super) fn stir(
        &mut self,
        tempers: &Tempers,
        now: Timestamp,
        draws: &mut Generator,
    ) {
        let range = tempers.house_drift.as_watts();
        let step = draws.integer(-(range / 50)..=range / 50);
        let drift = (self.drift.as_watts() + step).clamp(-range, range);
        self.drift = Power::from_watts(drift);
        if tempers.house_jump.strikes(1, draws) > 0 {
            self.jump(tempers.house_jump_by, now + tempers.house_jump.length(draws));
        }
        self.end_jump(now);
    }

    /// Pumps stop, if their time is over.
    pub(super) fn end_jump(&mut self, now: Timestamp) {
        if now >= self.jump_until {
            self.jump = Power::ZERO;
        }
    }

    pub(super) fn jump(&mut self, by: Power, until: Timestamp) {
        self.jump = by;
        self.jump_until = until;
    }
}

/// The meter at the interconnection.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Meter {
    wrong: Option<Wrong>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Wrong {
    temper: MeterTemper,
    until: Timestamp,
    /// What it showed when that began.
    showed: Power,
}

impl Meter {
    pub(super) fn take(&mut self, temper: MeterTemper, until: Timestamp, draw: Power) {
        self.wrong = Some(Wrong { temper, until, showed: draw });
    }

    pub(super) fn calm(&mut self) {
        self.wrong = None;
    }

    fn wrong(&self, now: Timestamp) -> Option<Wrong> {
        self.wrong.filter(|wrong| now < wrong.until)
    }

    pub(super) fn is_silent(&self, now: Timestamp) -> bool {
        self.wrong(now).is_some_and(|wrong| wrong.temper == MeterTemper::Silent)
    }

    /// What it shows of a draw.
    pub(super) fn show(
        &self,
        now: Timestamp,
        draw: Power,
        draws: impl FnOnce() -> Generator,
    ) -> Option<Power> {
        let Some(wrong) = self.wrong(now) else { return Some(draw) };
        match wrong.temper {
            MeterTemper::Silent => None,
            MeterTemper::Stuck => Some(wrong.showed),
            MeterTemper::Spiking => {
                let mut draws = draws();
                let (spike, times) = (draws.chance(333_333), draws.integer(2..=20));
                Some(if spike { draw.times(times) } else { draw })
            }
            MeterTemper::Reversed => Some(-draw),
            MeterTemper::Scaled(ppm) => {
                let watts = i128::from(draw.as_watts()) * i128::from(ppm) / 1_000_000;
                let watts = i64::try_from(watts).expect("a shown power fits in 64 bits");
                Some(Power::from_watts(watts))
            }
        }
    }

    /// A minute passes.
    pub(super) fn stir(
        &mut self,
        tempers: &Tempers,
        now: Timestamp,
        draw: Power,
        draws: &mut Generator,
    ) {
        let scale = *draws.pick(&[100_000, 500_000, 2_000_000, 10_000_000]);
        let kinds = [
            (tempers.meter_silent, MeterTemper::Silent),
            (tempers.meter_stuck, MeterTemper::Stuck),
            (tempers.meter_spiking, MeterTemper::Spiking),
            (tempers.meter_reversed, MeterTemper::Reversed),
            (tempers.meter_scaled, MeterTemper::Scaled(scale)),
        ];
        for (often, temper) in kinds {
            let length = often.length(draws);
            if often.strikes(1, draws) > 0 && self.wrong(now).is_none() {
                self.take(temper, now + length, draw);
            }
        }
    }
}
