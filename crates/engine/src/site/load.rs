//! A load: anything that can be told how much to draw.
//!
//! An [`Envelope`] says what a load may be asked, apart from what it is asked.
//! Rigs and racks are groups of like [`Machines`] that run at operating points;
//! a battery has no machines and takes any power within its own.

use serde::{Deserialize, Serialize};
use units::{
    Efficiency, Energy, EnergyPrice, GpuHourPrice, HashRate, Money, Power, Seconds, Share,
};

use super::{FeederIx, HallIx};
use crate::decide::Setpoint;

/// Anything that can be told how much to draw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// What people call it.
    pub name: String,
    /// The feeder it hangs on; `None` is the interconnection itself.
    pub feeder: Option<FeederIx>,
    /// The hall it stands in, whose overhead it carries; a battery may have none.
    pub hall: Option<HallIx>,
    /// What it may be asked.
    pub envelope: Envelope,
    /// What it is.
    pub kind: LoadKind,
}

/// What a load may be asked, in time. Floor and ceiling follow from its kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// The most its draw may rise in a minute; `None` is no limit.
    pub ramp_up_per_minute: Option<Power>,
    /// The most its draw may fall in a minute; `None` is no limit.
    pub ramp_down_per_minute: Option<Power>,
    /// Once raised, it is not lowered for price before this.
    pub up_min: Seconds,
    /// Once lowered, it is not raised before this.
    pub down_min: Seconds,
}

impl Envelope {
    /// Whether a change commits it for a while.
    pub fn commits(&self) -> bool {
        !self.up_min.max(self.down_min).is_zero()
    }
}

/// What a load is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LoadKind {
    /// Mining machines of one model.
    Rigs(Rigs),
    /// GPU racks of one kind.
    Racks(Racks),
    /// A battery.
    Battery(Battery),
}

/// A group of like machines and how each can run.
///
/// A group at level `n` has taken `n` steps of its curve: every machine is
/// moved to the first point before any is moved to the second. Level 0 is all
/// at rest, level `count * points` is all at the last point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machines {
    /// How many.
    pub count: u32,
    /// What one draws at rest, at the plug.
    pub standby: Power,
    /// How one can run, in rising power; each further watt gives no more than
    /// the watts before it, so that merit order fills them in order.
    pub points: Vec<OperatingPoint>,
}

/// One way a machine can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatingPoint {
    /// What one machine draws, at the plug.
    pub power: Power,
    /// What one machine gives.
    pub rate: Rate,
}

/// What a machine gives while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rate {
    /// Hashes per second.
    Hash(HashRate),
    /// A share of the throughput of a rack at full power.
    Throughput(Share),
}

/// Mining machines of one model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rigs {
    /// The model, as the machine table names it.
    pub model: String,
    /// How many and how each can run.
    pub machines: Machines,
    /// Curtail above this price, whatever mining earns.
    pub strike: Option<EnergyPrice>,
    /// How long a machine draws power after a start before it hashes.
    pub restart: Seconds,
    /// What one start of one machine costs in wear.
    pub restart_cost: Money,
}

/// GPU racks of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Racks {
    /// The model, as the machine table names it.
    pub model: String,
    /// How many and how each can run.
    pub machines: Machines,
    /// GPUs in one rack.
    pub gpus_per_rack: u32,
    /// What one draws beside its GPUs when it runs, at the plug.
    pub beside_gpus: Power,
    /// The name of the estate's rack that the first machine is; the others follow.
    pub first_rack: Option<String>,
    /// On what terms they serve.
    pub terms: Terms,
}

/// On what terms racks serve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Terms {
    /// Under contract: firm.
    Contracted {
        /// What a GPU-hour earns.
        price: GpuHourPrice,
        /// What a lost MWh at the plug costs: fee, credits, risk. It stands while
        /// the tranche's own exposure is not known.
        worth: EnergyPrice,
        /// The tranche they serve; its exposure is what a lost MWh costs.
        tranche: Option<Tranche>,
    },
    /// Not under contract: sold by the GPU-hour.
    Uncommitted {
        /// What a GPU-hour earns while no spot offer stands.
        price: GpuHourPrice,
        /// For how long who buys by the hour keeps what is promised to a tenant.
        notice: Seconds,
    },
}

/// A slice of capacity under a contract.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tranche {
    /// The contract's name.
    pub contract: String,
    /// The tranche's name in it.
    pub id: String,
}

/// A battery. Powers are at the meter: positive charges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Battery {
    /// The most it can charge with.
    pub charge_max: Power,
    /// The most it can discharge with, as a positive power.
    pub discharge_max: Power,
    /// The least it is let hold.
    pub stored_min: Energy,
    /// The most it can hold.
    pub stored_max: Energy,
    /// What it holds at the start.
    pub stored_first: Energy,
    /// What part of the energy drawn is stored.
    pub charge_efficiency: Share,
    /// What part of the stored energy is given back.
    pub discharge_efficiency: Share,
    /// Charge when power costs no more than this.
    pub charge_below: EnergyPrice,
    /// Discharge when power costs at least this.
    pub discharge_above: EnergyPrice,
}

impl Machines {
    /// The highest level: every machine at its last point.
    pub fn level_max(&self) -> u32 {
        self.count * self.points.len() as u32
    }

    /// The point that machine `number` is at when the group is at `level`: how many
    /// steps of the curve it has taken.
    pub fn point_at(&self, level: u32, number: u32) -> u8 {
        let taken = |at: &usize| self.taken(level, *at) > number;
        let points = (0..self.points.len()).take_while(taken).count();
        u8::try_from(points).expect("a curve has at most 255 points")
    }

    /// How many machines run at `level`.
    pub fn running(&self, level: u32) -> u32 {
        level.min(self.count)
    }

    /// What the group draws at the plug at `level`.
    pub fn power_at(&self, level: u32) -> Power {
        let base = self.standby.times(i64::from(self.count));
        self.points.iter().enumerate().fold(base, |total, (at, _)| {
            total + self.step_power(at).times(i64::from(self.taken(level, at)))
        })
    }

    /// What one machine adds when it moves up to point `at`, at the plug.
    pub fn step_power(&self, at: usize) -> Power {
        let below =
            at.checked_sub(1).map_or(self.standby, |below| self.points[below].power);
        self.points[at].power - below
    }

    /// How many machines have moved up to point `at` or beyond at `level`.
    pub fn taken(&self, level: u32, at: usize) -> u32 {
        level.saturating_sub(self.count * at as u32).min(self.count)
    }

    /// The draw with every machine at rest, at the plug.
    pub fn floor(&self) -> Power {
        self.power_at(0)
    }

    /// What one machine draws at its last point, at the plug.
    pub fn ceiling_of_one(&self) -> Power {
        self.points.last().map_or(self.standby, |point| point.power)
    }

    /// The draw with every machine at its last point, at the plug.
    pub fn ceiling(&self) -> Power {
        self.power_at(self.level_max())
    }
}

impl Battery {
    /// What energy at the meter adds to what is stored; negative takes away.
    /// Rounded towards nothing.
    pub fn stored_by(&self, at_meter: Energy) -> Energy {
        let joules = i128::from(at_meter.as_joules());
        let stored = if joules >= 0 {
            joules * i128::from(self.charge_efficiency.as_ppm()) / 1_000_000
        } else {
            joules * 1_000_000 / i128::from(self.discharge_efficiency.as_ppm().max(1))
        };
        Energy::from_joules(i64::try_from(stored).expect("a stored energy fits"))
    }
}

impl Racks {
    /// The name of the estate's rack that machine `number` is: that of the first,
    /// counted on at the number it ends in.
    pub fn rack_name(&self, number: u32) -> Option<String> {
        let (stem, first, digits) = self.counted()?;
        let at = first + u64::from(number);
        Some(format!("{stem}{at:0digits$}"))
    }

    /// Whether machine `number` is the estate's rack of a name.
    pub fn is_rack(&self, number: u32, name: &str) -> bool {
        let Some((stem, first, digits)) = self.counted() else { return false };
        let Some(end) = name.strip_prefix(stem) else { return false };
        let at = first + u64::from(number);
        // Longer than the first one's only where that has no room.
        let width = digits.max(at.checked_ilog10().map_or(1, |log| log as usize + 1));
        end.len() == width && end.parse() == Ok(at)
    }

    /// What comes before the number that the first rack's name ends in, the number, and
    /// its digits.
    fn counted(&self) -> Option<(&str, u64, usize)> {
        let first = self.first_rack.as_deref()?;
        let digits = first.bytes().rev().take_while(u8::is_ascii_digit).count();
        let (stem, counted) = first.split_at(first.len() - digits);
        // A rack more for each machine stays within 64 bits.
        let number = counted.parse::<u32>().ok()?;
        Some((stem, u64::from(number), digits))
    }

    /// How much of what a rack draws at a point is for each of its GPUs.
    pub fn per_gpu(&self, point: usize) -> Power {
        let power = self.machines.points[point].power - self.beside_gpus;
        Power::from_watts(power.as_watts() / i64::from(self.gpus_per_rack.max(1)))
    }
}

impl Rigs {
    /// The efficiency of a machine at the last point of its curve.
    pub fn efficiency(&self) -> Option<Efficiency> {
        let point = self.machines.points.last()?;
        match point.rate {
            Rate::Hash(rate) => Efficiency::of(point.power, rate),
            Rate::Throughput(_) => None,
        }
    }
}

impl Load {
    /// Its machines, unless it is a battery.
    pub fn machines(&self) -> Option<&Machines> {
        match &self.kind {
            LoadKind::Rigs(rigs) => Some(&rigs.machines),
            LoadKind::Racks(racks) => Some(&racks.machines),
            LoadKind::Battery(_) => None,
        }
    }

    /// A setpoint as this load can have it: a level it has not means its highest.
    /// Nothing where it is the setpoint of another kind of load.
    pub fn within(&self, setpoint: Setpoint) -> Option<Setpoint> {
        match (setpoint, self.machines()) {
            (Setpoint::Level(level), Some(machines)) => {
                Some(Setpoint::Level(level.min(machines.level_max())))
            }
            (Setpoint::Power(power), None) => Some(Setpoint::Power(power)),
            (Setpoint::Level(_), None) | (Setpoint::Power(_), Some(_)) => None,
        }
    }

    /// Whether it is not under contract, and some of its racks may be promised to
    /// tenants all the same.
    pub fn may_be_promised(&self) -> bool {
        match &self.kind {
            LoadKind::Racks(racks) => racks.first_rack.is_some() && !self.is_firm(),
            LoadKind::Rigs(_) | LoadKind::Battery(_) => false,
        }
    }

    /// Whether it is under contract, and so firm.
    pub fn is_firm(&self) -> bool {
        match &self.kind {
            LoadKind::Racks(racks) => matches!(racks.terms, Terms::Contracted { .. }),
            LoadKind::Rigs(_) | LoadKind::Battery(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(first: &str) -> Racks {
        Racks {
            model: "any".to_owned(),
            machines: Machines {
                count: 200,
                standby: Power::ZERO,
                points: vec![OperatingPoint {
                    power: Power::from_kw(100),
                    rate: Rate::Throughput(Share::WHOLE),
                }],
            },
            gpus_per_rack: 72,
            beside_gpus: Power::from_kw(28),
            first_rack: Some(first.to_owned()),
            terms: Terms::Uncommitted {
                price: GpuHourPrice::ZERO,
                notice: Seconds::ZERO,
            },
        }
    }

    #[test]
    fn racks_are_counted_on_from_the_first() {
        for (first, number, name) in [
            ("R0001", 0, "R0001"),
            ("R0001", 9, "R0010"),
            ("hall 2/9", 0, "hall 2/9"),
            ("hall 2/9", 1, "hall 2/10"),
            ("R99", 1, "R100"),
            ("7", 3, "10"),
            ("R0", 0, "R0"),
        ] {
            let racks = named(first);
            assert_eq!(racks.rack_name(number).as_deref(), Some(name));
            assert!(racks.is_rack(number, name), "{first} {number}");
            assert!(!racks.is_rack(number + 1, name), "{first} {number}");
            assert!(!racks.is_rack(number, &format!("{name}0")));
        }
        assert!(!named("R0001").is_rack(9, "R10"), "of another width");
        for none in ["R", "", "R1x", "R99999999999"] {
            assert_eq!(named(none).rack_name(0), None, "{none}");
        }
    }

    #[test]
    fn a_gpu_has_its_part_of_what_is_not_beside_the_gpus() {
        // 72 kW for 72 GPUs.
        assert_eq!(named("R1").per_gpu(0), Power::from_watts(1_000));
    }
}
