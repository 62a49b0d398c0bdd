//! What goes wrong on the way: signals, orders, receipts and readings that are
//! late, lost, repeated, revised, halved or stuck.
//!
//! What happens to a signal is drawn with the world. What happens to an order
//! or a reading is drawn from the seed, the instant and the load it is about,
//! so that it does not depend on what else happened before.

use std::collections::BTreeMap;

use engine::site::LoadIx;
use engine::{Event, Known, Reading, Setpoint, Signal, Sweep};
use units::{EnergyPrice, Power, Seconds, Timestamp};

use crate::seed::{Generator, generator, sub_seed};
use crate::world::{Happening, Options, World};

/// What arrives of what is true, and when.
pub(crate) fn deliver(
    draws: &mut Generator,
    world: &World,
    truth: Vec<Signal>,
) -> Vec<Happening> {
    let mut happenings = Vec::new();
    let options = &world.options;
    for signal in truth {
        let known_at = signal.known_at().expect("what is true says when it is known");
        // Every signal takes the same draws, whatever its fate.
        let (lost, late) = (
            draws.chance(options.signal_lost_ppm),
            draws.chance(options.signal_late_ppm),
        );
        let (early, again) = (
            draws.chance(options.signal_early_ppm),
            draws.chance(options.signal_repeated_ppm),
        );
        let revised = draws.chance(options.signal_revised_ppm);
        let delay = Seconds::from_seconds(draws.integer(1..=4_000));
        let value = draws.integer(-40..=300);
        let calm = known_at >= world.calm_from();
        if !calm && early {
            happenings.push(Happening {
                at: (known_at - delay).max(world.start),
                event: Event::Signal(signal.clone()),
            });
        }
        if !calm && lost {
            continue;
        }
        let at = if late && !calm { known_at + delay } else { known_at };
        let at = at.max(world.start);
        happenings.push(Happening { at, event: Event::Signal(signal.clone()) });
        if calm {
            continue;
        }
        if again {
            happenings
                .push(Happening { at: at + delay, event: Event::Signal(signal.clone()) });
        }
        if let (true, Signal::Price(price)) = (revised, &signal) {
            happenings.push(Happening {
                at: at + delay,
                event: Event::Signal(Signal::Price(Known {
                    value: EnergyPrice::from_usd_per_mwh(value),
                    known_at: at + delay,
                    ..*price
                })),
            });
        }
    }
    happenings.retain(|happening| happening.at < world.end());
    happenings
}

/// What becomes of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrderFate {
    /// The load does as it is told.
    Obeyed,
    /// It never hears of it.
    Lost,
    /// It goes part of the way, to here.
    Half(Setpoint),
}

/// What becomes of a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReceiptFate {
    /// When it arrives; `None` is never.
    pub(crate) at: Option<Timestamp>,
    /// When it arrives again.
    pub(crate) again: Option<Timestamp>,
}

/// Where things go wrong while a world runs.
#[derive(Clone, Debug)]
pub(crate) struct Faults {
    seed: u64,
    options: Options,
    start: Timestamp,
    calm_from: Timestamp,
    stuck: BTreeMap<LoadIx, Stuck>,
}

#[derive(Clone, Debug)]
struct Stuck {
    shows: Reading,
    until: Timestamp,
}

impl Faults {
    pub(crate) fn of(world: &World) -> Self {
        Self {
            seed: sub_seed(world.seed, "faults"),
            options: world.options.clone(),
            start: world.start,
            calm_from: world.calm_from(),
            stuck: BTreeMap::new(),
        }
    }

    fn draws(&self, part: &str, at: Timestamp, load: LoadIx) -> Generator {
        let part = format!("{part} {} {load}", at.as_unix_seconds());
        generator(self.seed, &part)
    }

    /// What becomes of an order given at `at` to a load that stands at `from`.
    pub(crate) fn order(
        &self,
        at: Timestamp,
        load: LoadIx,
        from: Setpoint,
        to: Setpoint,
    ) -> OrderFate {
        if at >= self.calm_from {
            return OrderFate::Obeyed;
        }
        let mut draws = self.draws("order", at, load);
        if draws.chance(self.options.order_lost_ppm) {
            return OrderFate::Lost;
        }
        if !draws.chance(self.options.order_half_ppm) {
            return OrderFate::Obeyed;
        }
        let mut between = |a: i64, b: i64| draws.integer(a.min(b)..=a.max(b));
        OrderFate::Half(match (from, to) {
            (Setpoint::Level(from), Setpoint::Level(to)) => {
                Setpoint::Level(between(i64::from(from), i64::from(to)) as u32)
            }
            (Setpoint::Power(from), Setpoint::Power(to)) => Setpoint::Power(
                Power::from_watts(between(from.as_watts(), to.as_watts())),
            ),
            (Setpoint::Level(_) | Setpoint::Power(_), to) => to,
        })
    }

    /// What becomes of a receipt written at `at`.
    pub(crate) fn receipt(&self, at: Timestamp, load: LoadIx) -> ReceiptFate {
        let mut fate = ReceiptFate { at: Some(at), again: None };
        if at >= self.calm_from {
            return fate;
        }
        let mut draws = self.draws("receipt", at, load);
        let delay = Seconds::from_seconds(draws.integer(1..=100));
        if draws.chance(self.options.receipt_late_ppm) {
            fate.at = Some(at + delay);
        }
        if draws.chance(self.options.receipt_repeated_ppm) {
            fate.again = Some(at + delay + delay);
        }
        if draws.chance(self.options.receipt_lost_ppm) {
            fate.at = None;
        }
        fate
    }

    /// How late a tick comes that is due at `at`.
    pub(crate) fn tick_delay(&self, at: Timestamp) -> Seconds {
        let mut draws = self.draws("tick", at, 0);
        let late = at < self.calm_from && draws.chance(self.options.tick_late_ppm);
        Seconds::from_seconds(if late { draws.integer(1..=90) } else { 0 })
    }

    /// What arrives of a sweep, and when.
    pub(crate) fn sweep(&mut self, mut sweep: Sweep) -> Option<(Timestamp, Sweep)> {
        let at = sweep.during.end;
        // A site begins with its meters at work.
        if at >= self.calm_from || sweep.during.start == self.start {
            return Some((at, sweep));
        }
        let mut draws = self.draws("sweep", at, 0);
        let mut kept = Vec::new();
        for reading in sweep.readings {
            let silent = draws.chance(self.options.meter_silent_ppm);
            let sticks = draws.chance(self.options.meter_stuck_ppm);
            let length = Seconds::from_seconds(draws.integer(300..=7_200));
            let shows = match self.stuck.get(&reading.load) {
                Some(stuck) if at < stuck.until => stuck.shows.clone(),
                Some(_) | None => reading,
            };
            if sticks {
                self.stuck.entry(shows.load).or_insert_with(|| Stuck {
                    shows: shows.clone(),
                    until: at + length,
                });
            }
            if !silent {
                kept.push(shows);
            }
        }
        self.stuck.retain(|_, stuck| at < stuck.until);
        sweep.readings = kept;
        if draws.chance(self.options.site_meter_silent_ppm) {
            sweep.site = None;
        }
        if draws.chance(self.options.sweep_lost_ppm) {
            return None;
        }
        let delay = draws.integer(1..=40);
        let late = draws.chance(self.options.sweep_late_ppm);
        let at = if late { at + Seconds::from_seconds(delay) } else { at };
        Some((at, sweep))
    }
}
