//! What happens in a demonstration, and when: a spike of the price, an emergency of the
//! grid, a tray that fails and comes back.

use std::time::Duration;

use engine::{Known, Signal, Source};
use units::{EnergyPrice, Interval, Seconds, Timestamp};

use crate::feed::Feed;
use crate::live::INTERVAL;

/// What happens at one moment of a demonstration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scene {
    /// The price rises to many times what it was. Markets need nobody to do that.
    Spike,
    /// The grid asks for power in an emergency.
    Emergency,
    /// A tray falls silent.
    TrayFails,
    /// It is there again.
    TrayBack,
}

impl Scene {
    /// The scenes of a demonstration, by the wall from its start, earliest first.
    pub const ALL: [(Duration, Self); 4] = [
        (Duration::from_secs(25), Self::Spike),
        (Duration::from_secs(60), Self::Emergency),
        (Duration::from_secs(85), Self::TrayFails),
        (Duration::from_secs(115), Self::TrayBack),
    ];

    /// What the terminal says of it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Spike => "The next price will be many times what it was.",
            Self::Emergency => "The grid declares an emergency over OpenADR.",
            Self::TrayFails => "A tray of the tenant's first rack stops answering.",
            Self::TrayBack => "The tray answers again.",
        }
    }
}

/// How long the grid's emergency lasts, by the site's clock.
pub const EMERGENCY_LASTS: Seconds = Seconds::minutes(10);

/// What energy costs while the price spikes.
const SPIKE: EnergyPrice = EnergyPrice::from_micro_usd_per_mwh(940_000_000);

/// How many intervals it spikes for.
const SPIKE_INTERVALS: i64 = 2;

/// The first whole interval after the spike's scene, at this speed from this start.
pub fn spike(from: Timestamp, speed: u32) -> Interval {
    let after = Scene::ALL[0].0.as_secs() * u64::from(speed);
    let after = Seconds::from_seconds(i64::try_from(after).unwrap_or(i64::MAX / 2));
    let start = (from + after).floor(INTERVAL) + INTERVAL;
    let long = Seconds::from_seconds(INTERVAL.as_seconds() * SPIKE_INTERVALS);
    Interval::starting(start, long)
}

/// Puts a spike into what a run is fed: real-time prices within it become many times
/// what they were. Where the market's own prices are for longer, intervals get one each.
pub fn with_spike(feed: &mut Feed, during: Interval) {
    let is_replaced = |signal: &Signal| {
        let Signal::Price(known) = signal else { return false };
        during.contains(known.during.start) && known.source == Source::Lmp
    };
    feed.signals.retain(|(_, signal)| !is_replaced(signal));
    let mut start = during.start;
    while start < during.end {
        let known = Known {
            value: SPIKE,
            during: Interval::starting(start, INTERVAL),
            known_at: start,
            source: Source::Lmp,
        };
        let place = feed.signals.partition_point(|(at, _)| *at <= start);
        feed.signals.insert(place, (start, Signal::Price(known)));
        start = start + INTERVAL;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spike_begins_with_an_interval_after_its_scene() {
        let from = Timestamp::parse("2025-07-04T16:02:10Z").expect("a time");
        let spike = spike(from, 15);
        assert_eq!(spike.start.to_string(), "2025-07-04T16:10Z");
        assert_eq!(spike.duration(), Seconds::minutes(10));
    }

    #[test]
    fn prices_within_a_spike_are_replaced_and_others_stay() {
        let at = |text| Timestamp::parse(text).expect("a time");
        let price = |start: Timestamp, usd: i64| {
            let value = EnergyPrice::from_micro_usd_per_mwh(usd * 1_000_000);
            let during = Interval::starting(start, INTERVAL);
            let source = Source::Lmp;
            (start, Signal::Price(Known { value, during, known_at: start, source }))
        };
        let starts =
            [at("2025-07-04T16:05Z"), at("2025-07-04T16:10Z"), at("2025-07-04T16:20Z")];
        let signals = starts.map(|start| price(start, 30)).to_vec();
        let mut feed = Feed { signals, ..Feed::default() };
        with_spike(&mut feed, Interval::starting(starts[1], Seconds::minutes(10)));
        let prices: Vec<(String, i64)> = feed
            .signals
            .iter()
            .map(|(at, signal)| {
                let Signal::Price(known) = signal else { panic!("a price") };
                (at.to_string(), known.value.as_micro_usd_per_mwh() / 1_000_000)
            })
            .collect();
        let expected = [("16:05", 30), ("16:10", 940), ("16:15", 940), ("16:20", 30)];
        let expected = expected.map(|(at, usd)| (format!("2025-07-04T{at}Z"), usd));
        assert_eq!(prices, expected);
    }
}
