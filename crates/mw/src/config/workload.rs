//! Throughput against power where nobody measured it: a curve by what runs on a rack.
//!
//! A limit on power reaches a rack's GPUs alone: what it draws beside them stays. A
//! class of work says how much throughput a GPU keeps at a part of its full power, and
//! of the points that follow a rack gets those at which it does better than whole racks
//! at rest beside whole racks at full power would, so that the curve is concave.

use engine::site::{OperatingPoint, Rate};
use units::{Power, Share};

/// What runs on racks, as far as power goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Workload {
    /// Answers of a model in service: bound by memory.
    Inference,
    /// The middle of the two others, where nobody says which.
    Mixed,
    /// Pretraining: bound by arithmetic.
    Training,
}

/// Their names, as a site file writes them.
pub(super) const NAMES: &[&str] = &["inference", "mixed", "training"];

/// What is kept at six, five and four sevenths of a GPU's power, in tenths of a percent.
///
/// An H100 at 600 of its 700 W loses 5 to 8 % on inference (factryze.ai,
/// glossary/power-capping) and 10 to 15 % of the steps of a pretraining
/// (scale-atlas/power/power-capping), both read on 2026-12-01: here the middle of each.
/// Assumed: that other GPUs lose as much at the same part of their power, and that each
/// further seventh costs 1 % more than the one before it.
const KEPT: [(Workload, [i64; 3]); 3] = [
    (Workload::Inference, [935, 860, 775]),
    (Workload::Mixed, [905, 800, 685]),
    (Workload::Training, [875, 740, 595]),
];

/// A rack as its full power and its rest describe it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rack {
    /// Draw at full power.
    pub(super) full: Power,
    /// Draw at rest.
    pub(super) standby: Power,
    /// What it draws beside its GPUs.
    pub(super) beside_gpus: Power,
    /// Its GPUs.
    pub(super) gpus: u32,
}

impl Workload {
    /// Every class, as [`NAMES`] lists them.
    pub(super) const ALL: [Self; 3] = [Self::Inference, Self::Mixed, Self::Training];

    /// The class of a name.
    pub(super) fn named(name: &str) -> Option<Self> {
        let at = NAMES.iter().position(|known| *known == name)?;
        Some(Self::ALL[at])
    }

    /// How a rack can run that does such work, in rising power.
    pub(super) fn points(self, rack: Rack) -> Vec<OperatingPoint> {
        let full =
            OperatingPoint { power: rack.full, rate: Rate::Throughput(Share::WHOLE) };
        let gpus = i64::from(rack.gpus.max(1));
        let of_one = (rack.full - rack.beside_gpus).as_watts() / gpus;
        let (_, kept) = KEPT.iter().find(|(class, _)| *class == self).expect("a class");
        let mut points = vec![full];
        for (sevenths, kept) in (4..=6).rev().zip(kept) {
            // A limit is told in whole watts.
            let power = Power::from_watts(of_one * sevenths / 7 * gpus);
            points.push(OperatingPoint {
                power: rack.beside_gpus + power,
                rate: Rate::Throughput(Share::from_ppm(kept * 1_000)),
            });
        }
        points.reverse();
        points.retain(|point| point.power > rack.standby && point.power <= rack.full);
        if points.is_empty() {
            // What is wrong with the rest is said where the curve is checked.
            return vec![full];
        }
        concave(rack.standby, &points)
    }
}

/// The points that are above every line between two others, from rest on.
fn concave(standby: Power, points: &[OperatingPoint]) -> Vec<OperatingPoint> {
    let at = |point: &OperatingPoint| {
        let Rate::Throughput(share) = point.rate else { unreachable!("a rack's rate") };
        (i128::from(point.power.as_watts()), i128::from(share.as_ppm()))
    };
    let rest = (i128::from(standby.as_watts()), 0);
    let mut kept: Vec<OperatingPoint> = Vec::new();
    for point in points {
        while let Some(last) = kept.last() {
            let before = kept.len().checked_sub(2).map_or(rest, |ix| at(&kept[ix]));
            let (last, here) = (at(last), at(point));
            let rises = (last.1 - before.1) * (here.0 - last.0);
            if rises > (here.1 - last.1) * (last.0 - before.0) {
                break;
            }
            kept.pop();
        }
        kept.push(*point);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each class comes to, in kW and tenths of a percent.
    fn check(rack: Rack, expected: [&[(i64, i64)]; 3]) {
        for (class, expected) in Workload::ALL.into_iter().zip(expected) {
            let points: Vec<_> = class
                .points(rack)
                .iter()
                .map(|point| {
                    let Rate::Throughput(share) = point.rate else { panic!("a rate") };
                    (point.power.as_watts(), share.as_ppm() / 1_000)
                })
                .collect();
            assert_eq!(points, expected, "{class:?}");
        }
    }

    fn rack(full: i64, standby: i64, beside: i64, gpus: u32) -> Rack {
        let [full, standby, beside_gpus] = [full, standby, beside].map(Power::from_watts);
        Rack { full, standby, beside_gpus, gpus }
    }

    /// 31.2 kW stay, and a seventh of 72 times 1,400 W is 14.4 kW. In training, 13.5 %
    /// for the second seventh is more than the 0.889 % that a kW brings from rest on.
    #[test]
    fn a_rack_of_gb300_keeps_what_it_draws_beside_its_gpus() {
        check(
            rack(132_000, 20_000, 31_200, 72),
            [
                &[(88_800, 775), (103_200, 860), (117_600, 935), (132_000, 1_000)],
                &[(88_800, 685), (103_200, 800), (117_600, 905), (132_000, 1_000)],
                &[(117_600, 875), (132_000, 1_000)],
            ],
        );
    }

    /// A seventh of eight times 700 W is 0.8 kW of 10.2: whole systems at rest save more
    /// for what they cost than limits do, but for inference.
    #[test]
    fn where_half_of_the_power_is_beside_the_gpus_whole_systems_rest() {
        check(
            rack(10_200, 1_500, 4_600, 8),
            [
                &[(7_800, 775), (8_600, 860), (9_400, 935), (10_200, 1_000)],
                &[(10_200, 1_000)],
                &[(10_200, 1_000)],
            ],
        );
    }

    #[test]
    fn a_rack_without_power_for_gpus_runs_whole() {
        check(rack(10_000, 9_990, 10_000, 8), [&[(10_000, 1_000)]; 3]);
        check(rack(10_000, 10_000, 5_000, 8), [&[(10_000, 1_000)]; 3]);
    }
}
