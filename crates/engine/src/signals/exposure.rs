//! What a tranche under contract stands to lose, worked out from its contract and
//! the facts known.

use serde::{Deserialize, Serialize};
use units::{EnergyPrice, Interval, Money, Power, Seconds, Timestamp};

use crate::site::{LoadIx, LoadKind, Racks, Site, Terms, Tranche};

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
    /// The power of a GPU below which it counts as lost; nothing where any cut does.
    pub floor: Option<Power>,
    /// The flex event that is on, or the next one.
    pub flex: Option<FlexEvent>,
}

/// An event in which power below the floor of a tranche is excused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlexEvent {
    /// Its name.
    pub id: String,
    /// When.
    pub during: Interval,
    /// How much of the month's flex time each GPU has left.
    pub left: Seconds,
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

    /// The same at an instant: while a flex event excuses it, the fee alone.
    pub fn per_hour_at(&self, at: Timestamp) -> Money {
        match self.excused(at) {
            Some(_) => self.fee.clamp(Money::ZERO, HOUR_MAX),
            None => self.per_hour(),
        }
    }

    /// The flex event that excuses power below the floor at an instant.
    pub fn excused(&self, at: Timestamp) -> Option<&FlexEvent> {
        let on = |event: &&FlexEvent| event.during.contains(at) && !event.left.is_zero();
        self.floor.and(self.flex.as_ref().filter(on))
    }

    /// The lowest point of such racks' curve at which no GPU is below the floor; the
    /// last one where none does or there is no floor.
    pub fn floor_point(&self, racks: &Racks) -> usize {
        let last = racks.machines.points.len().saturating_sub(1);
        let Some(floor) = self.floor else { return last };
        (0..last).find(|point| racks.per_gpu(*point) >= floor).unwrap_or(last)
    }

    /// What a lost MWh at the plug of such racks costs at an instant: the hour over
    /// what a rack draws at full power beyond its rest, rounded towards nothing.
    pub fn per_mwh(&self, racks: &Racks, at: Timestamp) -> EnergyPrice {
        let hour = i128::from(self.per_hour_at(at).as_micro_usd());
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

impl Site {
    /// The level of a load under contract from which on no GPU is below its
    /// tranche's floor; its highest where there is no floor.
    pub fn floor_level(&self, load: LoadIx, exposures: &[Exposure]) -> u32 {
        let LoadKind::Racks(racks) = &self.loads[load].kind else { return 0 };
        let known = racks
            .tranche()
            .and_then(|tranche| exposures.iter().find(|known| known.tranche == *tranche));
        let points = racks.machines.points.len();
        let steps = known.map_or(points, |known| known.floor_point(racks) + 1);
        racks.machines.count * u32::try_from(steps).expect("at most 255 points")
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
