//! Merit order: every step every load could take, the worthiest first.
//!
//! A load's curve is cut where it stands now. What runs may lose a band of
//! money before it is stopped, because a stop costs a restart; what rests must
//! gain one before it is started. Loads thus change places under a limit only
//! when that pays, by the same rule that lets price move them.

use units::{EnergyPrice, GpuHourPrice, Hashprice, Money, Pue, Share};

use super::outlook::Bands;
use crate::site::{
    Load, LoadIx, LoadKind, Machines, OperatingPoint, Rate, Rigs, Site, Terms,
};
use crate::state::{OnOffer, sold};

/// Some machines of one load, all moving to the same point of its curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Which load.
    pub(crate) load: LoadIx,
    /// Which point of its curve.
    pub(crate) point: usize,
    /// How many machines.
    pub(crate) machines: u32,
    /// Whether they are there already.
    pub(crate) running: bool,
    /// What a MWh at the meter spent on this step is worth.
    pub(crate) worth: EnergyPrice,
    /// What the step is ranked and tested by: worth with its band.
    pub(crate) rank: EnergyPrice,
}

impl Step {
    /// A battery that would charge, for what its energy is worth later.
    pub(crate) fn charging(load: LoadIx, worth: EnergyPrice) -> Self {
        Self { load, point: 0, machines: 1, running: false, worth, rank: worth }
    }
}

/// What each point of a load's curve is worth a MWh at the meter, and how far
/// worth may fall below cost before a running machine stops.
#[derive(Clone, Debug, Default)]
pub(crate) struct Worths {
    /// By point; empty when nobody knows.
    pub(crate) points: Vec<EnergyPrice>,
    /// The band of the first point.
    pub(crate) stop_band: EnergyPrice,
}

/// What worths rest on, beside the site.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct By<'a> {
    /// What mining earns.
    pub(crate) hashprice: Option<Hashprice>,
    /// What a lost MWh at the plug costs, under contract.
    pub(crate) lost: Option<EnergyPrice>,
    /// What is offered for a GPU-hour.
    pub(crate) spot: Option<GpuHourPrice>,
    /// What of the load is on offer.
    pub(crate) on_offer: Option<&'a OnOffer>,
}

impl Worths {
    /// The worths of a load's curve at an overhead; under contract, what a lost MWh
    /// at the plug costs.
    pub(crate) fn of(site: &Site, load: &Load, by: By<'_>, pue: Pue) -> Self {
        match &load.kind {
            LoadKind::Rigs(rigs) => Self::of_rigs(site, load, rigs, by.hashprice, pue),
            LoadKind::Racks(racks) => {
                let posted = match &racks.terms {
                    Terms::Contracted { worth, .. } => {
                        let worth = pue.worth_at_meter(by.lost.unwrap_or(*worth));
                        let points = vec![worth; racks.machines.points.len()];
                        return Self { points, stop_band: EnergyPrice::ZERO };
                    }
                    Terms::Uncommitted { price, .. } => *price,
                };
                let (price, (gpus, racks_of)) = sold(racks, posted, by.on_offer, by.spot);
                let hour = rack_hour(price, gpus, racks_of);
                let worth = |gain: Rate, power: units::Power| match gain {
                    Rate::Throughput(share) => {
                        let earned = share.of_money(hour);
                        earned.per_mwh(power * units::Seconds::hours(1))
                    }
                    Rate::Hash(_) => None,
                };
                let points = marginal(&racks.machines, worth, pue);
                Self { points, stop_band: site.policy.hysteresis }
            }
            LoadKind::Battery(_) => Self::default(),
        }
    }

    fn of_rigs(
        site: &Site,
        load: &Load,
        rigs: &Rigs,
        hashprice: Option<Hashprice>,
        pue: Pue,
    ) -> Self {
        let hysteresis = site.policy.hysteresis;
        if let Some(strike) = rigs.strike {
            let points = vec![strike; rigs.machines.points.len()];
            return Self { points, stop_band: hysteresis };
        }
        let Some(hashprice) = hashprice else {
            return Self::default();
        };
        let after_fee = site.pool_fee.rest();
        let worth = |gain: Rate, power: units::Power| match gain {
            Rate::Hash(rate) => {
                let efficiency = units::Efficiency::of(power, rate)?;
                Some(after_fee.of_price(hashprice.earned_per_mwh(efficiency)))
            }
            Rate::Throughput(_) => None,
        };
        let points = marginal(&rigs.machines, worth, pue);
        let restart = restart_band(site, load, rigs, points.first().copied(), pue);
        Self { points, stop_band: hysteresis + restart }
    }
}

/// What each point of a load's curve truly earns, a MWh at the meter, at a
/// hashprice and an overhead: no strike stands for it. Nothing where it mines and
/// nobody knows what that earns; for racks sold by the hour by `spot`, where that was
/// offered; for racks under contract, what the site file says
/// that a lost MWh costs.
pub fn earned(
    site: &Site,
    load: LoadIx,
    hashprice: Option<Hashprice>,
    spot: Option<GpuHourPrice>,
    pue: Pue,
) -> Vec<EnergyPrice> {
    let shape = &site.loads[load];
    match &shape.kind {
        LoadKind::Rigs(rigs) => {
            let rigs = Rigs { strike: None, ..rigs.clone() };
            Worths::of_rigs(site, shape, &rigs, hashprice, pue).points
        }
        LoadKind::Racks(_) | LoadKind::Battery(_) => {
            let by = By { hashprice, spot, ..By::default() };
            Worths::of(site, shape, by, pue).points
        }
    }
}

/// What stopping now and starting later costs, a MWh of the energy saved while
/// off: wear, and power drawn before the first hash, which would have earned
/// its worth. Spread over the time a curtailment is expected to last, or the
/// minimum time down if that is longer.
fn restart_band(
    site: &Site,
    load: &Load,
    rigs: &Rigs,
    worth: Option<EnergyPrice>,
    pue: Pue,
) -> EnergyPrice {
    let spread = site.policy.restart_spread.max(load.envelope.down_min);
    let saved = pue.at_meter(rigs.machines.step_power(0)) * spread;
    let wear = rigs.restart_cost.per_mwh(saved).unwrap_or_default();
    let lost_ppm = rigs.restart.as_seconds() * 1_000_000 / spread.as_seconds().max(1);
    wear + Share::from_ppm(lost_ppm).of_price(worth.unwrap_or_default())
}

/// The most that an hour of a rack may earn: a MWh of it is worth no more than can be
/// counted, with bands and all, where a step is of a watt or more.
const RACK_HOUR_MAX: i64 = i64::MAX / 4 / 1_000_000;

/// What an hour of a rack earns that sells `gpus` over `racks` of them. More than can be
/// counted is as worthy as anything can be.
fn rack_hour(price: GpuHourPrice, gpus: u32, racks: u32) -> Money {
    let exact = i128::from(price.as_micro_usd()) * i128::from(gpus) / i128::from(racks);
    let most = i128::from(RACK_HOUR_MAX);
    let micro = i64::try_from(exact.clamp(-most, most)).expect("it was clamped");
    Money::from_micro_usd(micro)
}

/// What each point adds over the one before, a MWh at the meter.
fn marginal(
    machines: &Machines,
    worth: impl Fn(Rate, units::Power) -> Option<EnergyPrice>,
    pue: Pue,
) -> Vec<EnergyPrice> {
    (0..machines.points.len())
        .map(|at| {
            let below = at.checked_sub(1).map(|below| machines.points[below]);
            let gain = gain(machines.points[at], below);
            pue.worth_at_meter(worth(gain, machines.step_power(at)).unwrap_or_default())
        })
        .collect()
}

/// What a machine gives more at one point than at the one below.
fn gain(point: OperatingPoint, below: Option<OperatingPoint>) -> Rate {
    match (point.rate, below.map(|below| below.rate)) {
        (Rate::Hash(rate), Some(Rate::Hash(below))) => Rate::Hash(rate - below),
        (Rate::Throughput(share), Some(Rate::Throughput(below))) => {
            Rate::Throughput(share - below)
        }
        (rate, _) => rate,
    }
}

/// Appends the steps of one load that stands at `level`, from `floor` on: what
/// cannot be brought down is no step to take. Nothing ranks above what has to be
/// taken before it.
pub(crate) fn steps_of(
    steps: &mut Vec<Step>,
    load: LoadIx,
    machines: &Machines,
    level: u32,
    floor: u32,
    worths: &Worths,
    bands: impl Fn(usize) -> Bands,
) {
    let (mut running_least, mut resting_least) = (None, None);
    for (point, worth) in worths.points.iter().copied().enumerate() {
        let kept = machines.taken(floor, point);
        let taken = machines.taken(level, point).max(kept);
        let Bands { stop, start } = bands(point);
        let below = |least: &mut Option<EnergyPrice>, rank: EnergyPrice| {
            *least.insert(least.map_or(rank, |least| least.min(rank)))
        };
        let parts = [
            (taken - kept, true, below(&mut running_least, worth + stop)),
            (machines.count - taken, false, below(&mut resting_least, worth - start)),
        ];
        for (count, running, rank) in parts {
            if count > 0 {
                steps.push(Step { load, point, machines: count, running, worth, rank });
            }
        }
    }
}

/// Puts the worthiest first; what is equal stays in the site's order.
pub(crate) fn sort(steps: &mut [Step]) {
    steps.sort_by_key(|step| {
        (std::cmp::Reverse(step.rank), step.load, step.point, !step.running)
    });
}
