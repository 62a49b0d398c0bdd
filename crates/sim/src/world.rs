//! A whole world drawn from one seed: a site, what happens to it, and what
//! goes wrong.
//!
//! ```
//! let world = sim::World::draw(7);
//! assert_eq!(world.site, sim::World::draw(7).site);
//! ```
//!
//! Invariant: each part is drawn by a generator of its own, so that a site with
//! one more rig has the same weather.

pub(crate) mod estate;
mod happenings;
mod live;
mod options;
mod site;

pub(crate) use live::junk;
pub use live::{LiveWorld, Mishaps};
pub use options::Options;
use site::Size;
pub(crate) use site::{at_rest, largest_step};

use engine::site::LoadIx;
use engine::{Ask, Event, Setpoint, Signal, Site};
use units::{Interval, Money, Power, Seconds, Timestamp};

use crate::seed::{Generator, generator, sub_seed};

/// A site, what happens to it, and what goes wrong.
#[derive(Clone, Debug)]
pub struct World {
    /// What everything here grew from.
    pub seed: u64,
    /// What can happen, and how often.
    pub options: Options,
    /// The site as configured at the start.
    pub site: Site,
    /// When it begins.
    pub start: Timestamp,
    /// How long one decided interval is.
    pub step: Seconds,
    /// How many intervals things go wrong in.
    pub intervals_faulty: u32,
    /// How many follow in which nothing does, and in which all must come right.
    pub intervals_calm: u32,
    /// The fewest machines that a change of the site leaves a load.
    pub(crate) machines_min: u32,
    /// What reaches the engine from outside, and when, earliest first. Ticks,
    /// readings and receipts come from the run.
    pub happenings: Vec<Happening>,
}

/// One thing that reaches the engine from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// When it arrives.
    pub at: Timestamp,
    /// What it is.
    pub event: Event,
}

impl World {
    /// The world of a seed.
    pub fn draw(seed: u64) -> Self {
        let options = Options::draw(&mut generator(seed, "options"));
        Self::draw_with(seed, options)
    }

    /// The world of a seed, with what can happen in it stated.
    pub fn draw_with(seed: u64, options: Options) -> Self {
        let mut clock = generator(seed, "clock");
        let step = Seconds::minutes(*clock.pick(&[5, 5, 15]));
        // Around the turn of a month, so that a coincident peak rule begins,
        // ends or covers the run.
        let first = Timestamp::parse("2024-07-30").expect("a date");
        let start = first + Seconds::hours(clock.integer(0..=72));
        let intervals_faulty = clock.integer(20..=80) as u32;
        let mut site = site::draw(sub_seed(seed, "site"), start, Size::Grouped);
        let faulty =
            Seconds::from_seconds(step.as_seconds() * i64::from(intervals_faulty));
        end_entries(&mut site, start + faulty);
        let mut world = Self {
            seed,
            options,
            site,
            start,
            step,
            intervals_faulty,
            intervals_calm: 0,
            machines_min: 1,
            happenings: Vec::new(),
        };
        world.intervals_calm = world.intervals_to_come_right();
        world.happenings = happenings::draw(&world);
        world
    }

    /// The interval of a place in the run.
    pub fn interval(&self, place: u32) -> Interval {
        let seconds = self.step.as_seconds() * i64::from(place);
        Interval::starting(self.start + Seconds::from_seconds(seconds), self.step)
    }

    /// When faults stop.
    pub fn calm_from(&self) -> Timestamp {
        self.interval(self.intervals_faulty).start
    }

    /// When the run ends.
    pub fn end(&self) -> Timestamp {
        let last = self.intervals_faulty + self.intervals_calm - 1;
        self.interval(last).end
    }

    /// The same world with another future: everything that arrives from `from`
    /// on, or could first be known then, is different. What could be known
    /// before stays the same.
    pub fn with_another_future(&self, from: Timestamp, seed: u64) -> Self {
        let mut another = generator(seed, "another future");
        let mut world = self.clone();
        world.happenings.retain_mut(|happening| {
            let Event::Signal(signal) = &mut happening.event else {
                return happening.at < from || another.chance(500_000);
            };
            let unknown =
                happening.at >= from || signal.known_at().is_some_and(|at| at >= from);
            if unknown {
                disturb(signal, &mut another);
            }
            happening.at < from || another.chance(800_000)
        });
        world
    }

    /// Long enough for every ramp, twice over, and every minimum time.
    fn intervals_to_come_right(&self) -> u32 {
        let resting = self
            .site
            .loads
            .iter()
            .map(|load| load.envelope.up_min.max(load.envelope.down_min))
            .max()
            .unwrap_or(Seconds::ZERO);
        let seconds = (self.ramping() + resting + Seconds::minutes(30)).as_seconds();
        (seconds / self.step.as_seconds() + 2) as u32
    }

    /// How long the ramps may take to do as decided: up and down one after the
    /// other, with half of every minute's ramp left unused by a machine's step.
    pub(crate) fn ramping(&self) -> Seconds {
        let most: Power =
            (0..self.site.loads.len()).map(|load| site::most(&self.site, load)).sum();
        let grid = &self.site.interconnection;
        let of_site = [grid.ramp_up_per_minute, grid.ramp_down_per_minute];
        let of_loads = self.site.loads.iter().flat_map(|load| {
            [load.envelope.ramp_up_per_minute, load.envelope.ramp_down_per_minute]
        });
        let minutes =
            |ramp: Power| 2 * (most.as_watts() / ramp.as_watts().max(1)).min(60);
        let slowest = of_site.into_iter().chain(of_loads).flatten().map(minutes).max();
        Seconds::minutes(slowest.unwrap_or(0) + 3)
    }
}

/// Ends every dated entry by `at`.
fn end_entries(site: &mut Site, at: Timestamp) {
    for lock_out in &mut site.lock_outs {
        lock_out.during.end = lock_out.during.end.min(at);
    }
    for hold in &mut site.holds {
        hold.during.end = hold.during.end.min(at);
    }
    site.lock_outs.retain(|lock_out| lock_out.during.start < lock_out.during.end);
    site.holds.retain(|hold| hold.during.start < hold.during.end);
}

/// Says something else about the same time.
fn disturb(signal: &mut Signal, another: &mut Generator) {
    match signal {
        Signal::Price(known) => {
            let usd = another.integer(-300..=5_000);
            known.value = units::EnergyPrice::from_usd_per_mwh(usd);
        }
        Signal::Hashprice(known) => {
            let micro = another.integer(1_000_000..=200_000_000);
            known.value = units::Hashprice::from_micro_usd_per_ph_day(micro);
        }
        Signal::Temperature(known) => {
            let millidegrees = another.integer(-20_000..=45_000);
            known.value = units::Temperature::from_millidegrees(millidegrees);
        }
        Signal::DemandForecast(known) => {
            known.value = Power::from_mw(another.integer(30_000..=90_000));
        }
        Signal::PeakProbability(known) => {
            known.value = units::Share::from_ppm(another.integer(0..=1_000_000));
        }
        Signal::Instruction(instruction) => {
            instruction.ask = Ask::Limit(Power::from_kw(another.integer(0..=20_000)));
        }
        Signal::Forecast(forecast) => {
            for price in &mut forecast.prices {
                let usd = another.integer(-300..=5_000);
                *price = units::EnergyPrice::from_usd_per_mwh(usd);
            }
        }
        Signal::Exposure(exposure) => {
            exposure.credit = Money::from_micro_usd(another.integer(0..=50_000_000));
        }
        Signal::SpotOffer(known) => {
            known.value =
                units::GpuHourPrice::from_micro_usd(another.integer(0..=20_000_000));
        }
        Signal::Sweep(_) | Signal::Heard(_) | Signal::Draw(_) => {}
    }
}

/// A setpoint of a group whose number of machines changed: it keeps the steps
/// it has taken, as far as it still has them.
pub(crate) fn change_of_count(site: &Site, load: LoadIx, setpoint: Setpoint) -> Setpoint {
    match (setpoint, site.loads[load].machines()) {
        (Setpoint::Level(level), Some(machines)) => {
            Setpoint::Level(level.min(machines.level_max()))
        }
        (setpoint, _) => setpoint,
    }
}
