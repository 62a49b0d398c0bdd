//! What a tranche under contract stands to lose, worked out from its contract and
//! the facts known.

use serde::{Deserialize, Serialize};
use units::{EnergyPrice, Interval, Money, Power, Timestamp};

use crate::site::{Racks, Terms, Tranche};

/// What the next lost hour of a tranche costs.
///
/// A later one of the same tranche takes the place of the one before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exposure {
    /// The tranche.
    pub tranche: Tranche,
    /// The contract's month it is for: steps and caps are counted by month, and
    /// after its end nothing is known any more.
    pub during: Interval,
    /// When the facts it rests on were known.
    pub known_at: Timestamp,
    /// The last of those facts, by its number in the record.
    pub last_fact: Option<u64>,
    /// What it is stated for.
    pub of: Capacity,
    /// The availability credit that an hour of it adds, at the steepest.
    pub credit: Money,
    /// The fee that is lost with the hour, where use is what is paid.
    pub fee: Money,
    /// The worth of the rest of the term, where the hour brings a right to end it
    /// nearer.
    pub ending: Money,
}

/// What an exposure is stated for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Capacity {
    /// One GPU.
    Gpu,
    /// One kilowatt at the plug.
    Kilowatt,
}

/// The most an hour of one GPU or kilowatt counts as: a thousand million dollars.
/// Beyond it there is nothing left to rank.
const HOUR_MAX: Money = Money::from_micro_usd(1_000_000_000_000_000);

impl Exposure {
    /// The three parts together, for one hour.
    pub fn per_hour(&self) -> Money {
        let part = |part: Money| part.clamp(Money::ZERO, HOUR_MAX);
        (part(self.credit) + part(self.fee) + part(self.ending)).min(HOUR_MAX)
    }

    /// What a lost MWh at the plug of such racks costs: the hour over what a rack
    /// draws at full power beyond its rest, rounded towards nothing.
    pub fn per_mwh(&self, racks: &Racks) -> EnergyPrice {
        let hour = i128::from(self.per_hour().as_micro_usd());
        let per_mwh = match self.of {
            Capacity::Kilowatt => hour * 1_000,
            Capacity::Gpu => {
                let watts = i128::from(freed_by(racks).as_watts()).max(1);
                hour * i128::from(racks.gpus_per_rack) * 1_000_000 / watts
            }
        };
        let per_mwh = i64::try_from(per_mwh).unwrap_or(i64::MAX);
        EnergyPrice::from_micro_usd_per_mwh(per_mwh.min(MWH_MAX))
    }
}

impl Exposure {
    /// What turns the hour into a MWh.
    pub(crate) fn rack_text(&self, racks: &Racks) -> String {
        match self.of {
            Capacity::Gpu => {
                format!("{} GPUs in {}", racks.gpus_per_rack, freed_by(racks))
            }
            Capacity::Kilowatt => "1000 kW in a MW".to_owned(),
        }
    }
}

/// What stopping one rack frees at the plug.
fn freed_by(racks: &Racks) -> Power {
    let machines = &racks.machines;
    let full = machines.points.last().map_or(machines.standby, |point| point.power);
    full - machines.standby
}

/// What keeps sums of prices within 64 bits.
const MWH_MAX: i64 = i64::MAX / 8;

impl Racks {
    /// The tranche they serve, where the site names it.
    pub fn tranche(&self) -> Option<&Tranche> {
        match &self.terms {
            Terms::Contracted { tranche, .. } => tranche.as_ref(),
            Terms::Uncommitted { .. } => None,
        }
    }
}

impl std::fmt::Display for Exposure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let of = match self.of {
            Capacity::Gpu => "GPU-hour",
            Capacity::Kilowatt => "kW-hour",
        };
        write!(f, "{} under {} loses ", self.tranche.id, self.tranche.contract)?;
        let parts =
            [("credit", self.credit), ("fee", self.fee), ("right to end", self.ending)];
        let mut there = parts.iter().filter(|(_, part)| !part.is_zero()).peekable();
        if there.peek().is_none() {
            write!(f, "nothing for a {of}")?;
        } else {
            write!(f, "{} for a {of}: ", self.per_hour())?;
        }
        while let Some((name, part)) = there.next() {
            write!(f, "{name} {part}")?;
            if there.peek().is_some() {
                f.write_str(" + ")?;
            }
        }
        match self.last_fact {
            Some(fact) => write!(f, ", by facts to {fact} known {}", self.known_at),
            None => write!(f, ", before any fact"),
        }
    }
}
