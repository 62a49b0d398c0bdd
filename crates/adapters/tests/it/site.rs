//! A site that is as small as a site can be.

use engine::Site;
use engine::site::{
    DecideOn, FailSafe, Interconnection, LookAhead, Market, Policy, Programme,
};
use settle::tariff::Tariff;
use units::{EnergyPrice, Power, Seconds, Share};

/// A site without loads that has joined one programme.
pub(crate) fn with_programme(name: &str) -> Site {
    Site {
        name: "empty".into(),
        market: Market { name: "ERCOT".into(), settlement_point: "HB_WEST".into() },
        interconnection: Interconnection {
            import_limit: Power::from_mw(6),
            export_limit: Power::ZERO,
            ramp_up_per_minute: None,
            ramp_down_per_minute: None,
            ramp_emergency_per_minute: None,
        },
        feeders: Vec::new(),
        halls: Vec::new(),
        tariff: Tariff {
            adders: Vec::new(),
            blocks: Vec::new(),
            coincident_peaks: Vec::new(),
        },
        pool_fee: Share::ZERO,
        loads: Vec::new(),
        programmes: vec![Programme {
            name: name.into(),
            loads: Vec::new(),
            response: Seconds::minutes(10),
            longest: Seconds::hours(24),
            silent_after: None,
            fail_safe: FailSafe::Hold,
        }],
        lock_outs: Vec::new(),
        holds: Vec::new(),
        policy: Policy {
            decide_on: DecideOn::RealTime,
            follows_price: true,
            hysteresis: EnergyPrice::ZERO,
            restart_spread: Seconds::hours(2),
            hashprice_age_max: Seconds::hours(72),
            stale_price_hold: Seconds::hours(1),
            lease: Seconds::minutes(10),
            look_ahead: LookAhead::NONE,
        },
    }
}
