//! Unit-seconds lost to failures in a month.
//!
//! A compound Poisson sum: incidents come at a rate for each GPU-hour, each takes
//! `gpus_per_incident` down for an exponential time. Its mean is n g r and its variance
//! 2 n g^2 r^2, for n incidents expected, g GPUs and a mean repair of r. Beside it,
//! rarely, everything is down together: cooling, power, network.
//!
//! The rate of Llama 3's training is one interruption in 50 677 GPU-hours (419 in 54
//! days on 16 384 H100; arXiv 2407.21783). With NVLink domains an incident may take a
//! rack of 72, and spares may take its place: `counted` is the share that a contract's
//! rule still counts.

use super::HOURS_PER_YEAR;
use super::draw::Draws;

/// How GPUs fail.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Failures {
    /// GPU-hours to an incident.
    pub gpu_hours_per_incident: f64,
    /// GPUs that an incident takes down.
    pub gpus_per_incident: f64,
    /// The mean time to repair, in hours.
    pub repair_hours: f64,
    /// The share of incidents that count: spares take the place of the others.
    pub counted: f64,
    /// How often everything is down together, a year.
    pub outages_per_year: f64,
    /// How long that lasts on average, in hours.
    pub outage_hours: f64,
}

impl Failures {
    /// The share of a month of `hours` that `gpus` lose: month `number` of a path's
    /// tranche `part`. At most all.
    pub fn lost_share(
        &self,
        seed: u64,
        path: u64,
        part: u64,
        number: u64,
        gpus: f64,
        hours: f64,
    ) -> f64 {
        let draws = |factor| Draws::of(seed, path, factor).part(part);
        let mean = gpus * hours / self.gpu_hours_per_incident * self.counted;
        let incidents = draws("incidents").count(number, mean);
        let repairs = draws("repairs").part(number);
        let repair_hours = if incidents <= 30 {
            (0..u64::from(incidents)).map(|one| repairs.wait(one)).sum::<f64>()
        } else {
            // So many exponential times together are close to a bell curve.
            let count = f64::from(incidents);
            (count + count.sqrt() * repairs.bell(0)).max(0.0)
        } * self.repair_hours;
        let single = repair_hours * self.gpus_per_incident / (gpus * hours);
        let outages = draws("outages")
            .count(number, self.outages_per_year * hours / HOURS_PER_YEAR);
        let lengths = draws("outage lengths").part(number);
        let out = (0..u64::from(outages)).map(|one| lengths.wait(one)).sum::<f64>()
            * self.outage_hours
            / hours;
        (single + out).clamp(0.0, 1.0)
    }

    /// The mean share lost.
    pub fn mean_share(&self) -> f64 {
        let single = self.counted * self.gpus_per_incident * self.repair_hours
            / self.gpu_hours_per_incident;
        single + self.outages_per_year * self.outage_hours / HOURS_PER_YEAR
    }

    /// The deviation of the share lost by single incidents in a month.
    pub fn deviation(&self, gpus: f64, hours: f64) -> f64 {
        let mean = gpus * hours / self.gpu_hours_per_incident * self.counted;
        (2.0 * mean).sqrt() * self.gpus_per_incident * self.repair_hours / (gpus * hours)
    }
}
