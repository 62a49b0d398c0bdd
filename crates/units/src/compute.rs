//! What machines turn power into: hashes and GPU time.

use crate::decimal;
use crate::decimal::DecimalError;
use crate::energy::Power;
use crate::quantity::{div_half_even, narrow, quantity};
use crate::time::Seconds;

quantity!(
    /// Hashes per second, in gigahashes per second.
    HashRate(i64)
);

quantity!(
    /// Hashes done, in gigahashes. Wide, because a large fleet fills 64 bits in
    /// a few years.
    Hashes(i128)
);

quantity!(
    /// Energy per hash at the plug, in millijoules per terahash. Lower is better.
    Efficiency(i64)
);

quantity!(
    /// Accelerator time delivered: one GPU, up, for one second.
    GpuSeconds(i64)
);

impl HashRate {
    /// A rate of so many gigahashes per second.
    pub const fn from_ghs(gigahashes: i64) -> Self {
        Self(gigahashes)
    }

    /// A rate of so many terahashes per second.
    pub const fn from_ths(terahashes: i64) -> Self {
        Self(terahashes * 1_000)
    }

    /// Reads terahashes per second written in decimal, to the gigahash.
    pub fn parse_ths(text: &str) -> Result<Self, DecimalError> {
        decimal::exact(text, 3).map(Self)
    }

    /// The gigahashes per second.
    pub const fn as_ghs(self) -> i64 {
        self.0
    }

    /// This rate so many times over.
    pub fn times(self, count: i64) -> Self {
        Self(self.0.checked_mul(count).expect("HashRate overflows"))
    }
}

impl std::ops::Mul<Seconds> for HashRate {
    type Output = Hashes;
    fn mul(self, duration: Seconds) -> Hashes {
        Hashes(i128::from(self.0) * i128::from(duration.as_seconds()))
    }
}

impl std::fmt::Display for HashRate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("{} TH/s", decimal::text(i128::from(self.0), 3, 1)))
    }
}

impl Hashes {
    /// So many gigahashes.
    pub const fn from_gigahashes(gigahashes: i128) -> Self {
        Self(gigahashes)
    }

    /// The gigahashes.
    pub const fn as_gigahashes(self) -> i128 {
        self.0
    }
}

impl std::fmt::Display for Hashes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("{} TH", decimal::text(self.0, 3, 0)))
    }
}

impl Efficiency {
    /// An efficiency of so many millijoules per terahash.
    pub const fn from_mj_per_th(millijoules: i64) -> Self {
        Self(millijoules)
    }

    /// The efficiency of a machine that draws `power` at `rate`; `None` at rest.
    pub fn of(power: Power, rate: HashRate) -> Option<Self> {
        if rate.0 <= 0 {
            return None;
        }
        // W / (GH/s) = J/GH; x 10^3 GH/TH x 10^3 mJ/J.
        let exact = i128::from(power.as_watts()) * 1_000_000;
        Some(Self(narrow(div_half_even(exact, i128::from(rate.0)))))
    }

    /// The millijoules per terahash.
    pub const fn as_mj_per_th(self) -> i64 {
        self.0
    }
}

impl std::ops::Mul<HashRate> for Efficiency {
    type Output = Power;
    fn mul(self, rate: HashRate) -> Power {
        let exact = i128::from(self.0) * i128::from(rate.0);
        Power::from_watts(narrow(div_half_even(exact, 1_000_000)))
    }
}

impl std::fmt::Display for Efficiency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("{} J/TH", decimal::text(i128::from(self.0), 3, 1)))
    }
}

impl GpuSeconds {
    /// So many GPUs up for `duration`.
    pub fn of(gpus: i64, duration: Seconds) -> Self {
        Self(gpus.checked_mul(duration.as_seconds()).expect("GpuSeconds overflows"))
    }

    /// So many GPU-seconds.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds)
    }

    /// The GPU-seconds.
    pub const fn as_seconds(self) -> i64 {
        self.0
    }
}

impl std::fmt::Display for GpuSeconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hours = div_half_even(i128::from(self.0) * 1_000, 3_600);
        f.pad(&format!("{} GPU-hours", decimal::text(hours, 3, 1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rig_draws_its_efficiency_times_its_rate() {
        let rig = Efficiency::from_mj_per_th(17_500) * HashRate::from_ths(200);
        assert_eq!(rig, Power::from_watts(3_500));
        assert_eq!(
            Efficiency::of(rig, HashRate::from_ths(200)),
            Some(Efficiency::from_mj_per_th(17_500))
        );
        assert_eq!(Efficiency::of(rig, HashRate::ZERO), None);
    }

    #[test]
    fn a_gpu_up_for_a_minute() {
        assert_eq!(GpuSeconds::of(72, Seconds::minutes(1)).as_seconds(), 4_320);
        assert_eq!(GpuSeconds::of(72, Seconds::hours(1)).to_string(), "72.0 GPU-hours");
    }
}
