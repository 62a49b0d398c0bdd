//! What a run would be fed, had everybody known what was to come.

use engine::site::{DecideOn, ForecastFrom, LookAhead};
use engine::{Forecast, Known, Signal, Site, Source};
use units::{Interval, Money, Seconds, Timestamp};

use super::past::worth_of;
use crate::drive::backtest::{Options, run};
use crate::feed::{Feed, Settlement};

/// How often a perfect forecast is given, each for as far as anybody looks ahead.
const EVERY: Seconds = Seconds::hours(6);

/// What the policy of `site` comes to when it is told every settlement price and
/// hashprice of what is to come: margin less what coincident peaks were expected to
/// cost. `None` where it cannot be computed.
pub fn perfect(
    site: &Site,
    feed: &Feed,
    range: Interval,
) -> anyhow::Result<Option<Money>> {
    let mut site = site.clone();
    site.policy.decide_on = DecideOn::RealTime;
    site.policy.look_ahead.forecast = ForecastFrom::Told;
    let feed = foretold(feed, range);
    let mut sum = Some(Money::ZERO);
    run(&site, &feed, range, Options::default(), |line| {
        if line.row.computed {
            sum = sum.zip(worth_of(line.row, line.dispatch)).map(|(sum, row)| sum + row);
        }
        Ok(())
    })?;
    Ok(sum)
}

/// The same feed with prices and hashprices told before they were.
fn foretold(feed: &Feed, range: Interval) -> Feed {
    let mut foretold = feed.clone();
    foretold.signals.retain(|(_, signal)| {
        !matches!(signal, Signal::Price(_) | Signal::Hashprice(_) | Signal::Forecast(_))
    });
    let within = |settled: &&Settlement| settled.during.overlaps(range);
    let prices = feed.settlements.iter().filter(within).map(|settled| {
        let Settlement { during, price, .. } = *settled;
        let at = during.start;
        let (value, source) = (price, Source::Foresight);
        (at, Signal::Price(Known { value, during, known_at: at, source }))
    });
    let hashprices = feed.hashprices.iter().map(|(day, value)| {
        let during = Interval::starting(*day, Seconds::hours(24));
        let (value, source) = (*value, Source::Foresight);
        (*day, Signal::Hashprice(Known { value, during, known_at: *day, source }))
    });
    let mut told: Vec<(Timestamp, Signal)> = prices.chain(hashprices).collect();
    let mut at = range.start;
    while at < range.end {
        let ahead = Interval { start: at, end: at + LookAhead::LONGEST + EVERY };
        told.extend(curves(&feed.settlements, ahead).map(|curve| (at, curve)));
        at = at + EVERY;
    }
    foretold.signals.extend(told);
    foretold.signals.sort_by_key(|(known_at, _)| *known_at);
    foretold
}

/// The settlement prices of a stretch as curves: one as long as they follow each
/// other in steps of one length.
fn curves(settlements: &[Settlement], ahead: Interval) -> impl Iterator<Item = Signal> {
    let first = settlements.partition_point(|settled| settled.during.end <= ahead.start);
    let after = settlements.partition_point(|settled| settled.during.start < ahead.end);
    let follows = |a: &Settlement, b: &Settlement| {
        a.during.end == b.during.start && a.during.duration() == b.during.duration()
    };
    settlements[first..after.max(first)].chunk_by(follows).map(move |chunk| {
        Signal::Forecast(Forecast {
            from: chunk[0].during.start,
            step: chunk[0].during.duration(),
            prices: chunk.iter().map(|settled| settled.price).collect(),
            known_at: ahead.start,
            source: Source::Foresight,
        })
    })
}
