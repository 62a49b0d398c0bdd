//! Prices as they became known, and which one an interval is decided on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use units::{EnergyPrice, Interval, Seconds, Timestamp};

use crate::signals::{Known, Source};
use crate::site::DecideOn;

/// A price stays fresh for its own length after its interval, and no less than this.
const FRESH_AT_LEAST: Seconds = Seconds::minutes(30);

/// Prices as they became known.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PriceBoard {
    lmp: Option<Known<EnergyPrice>>,
    settlement: Option<Known<EnergyPrice>>,
    grid: Option<Known<EnergyPrice>>,
    day_ahead: BTreeMap<Timestamp, Known<EnergyPrice>>,
}

/// The price an interval was decided on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceUsed {
    /// The price, its interval, when it was known and where from.
    pub known: Known<EnergyPrice>,
    /// How far it can be trusted.
    pub freshness: Freshness,
}

/// How far a price can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Freshness {
    /// It is about the interval, or about the one just before.
    Fresh,
    /// It is old: nothing is raised on it.
    Stale,
    /// It is too old to hold on to: the price counts as unknown.
    Expired,
}

impl PriceBoard {
    /// Takes in a price. Prices from other sources than the power market are
    /// not ours to keep.
    pub fn learn(&mut self, price: Known<EnergyPrice>) {
        match price.source {
            Source::Lmp | Source::Foresight => {
                super::keep_newest(&mut self.lmp, price);
            }
            Source::SettlementPoint => super::keep_newest(&mut self.settlement, price),
            Source::DayAhead => {
                let kept = self.day_ahead.entry(price.during.start).or_insert(price);
                if price.known_at >= kept.known_at {
                    *kept = price;
                }
            }
            Source::Grid => super::keep_newest(&mut self.grid, price),
            Source::Bitcoin
            | Source::Weather
            | Source::SystemForecast
            | Source::Meter
            | Source::Looks
            | Source::SpotMarket
            | Source::EarlierDay
            | Source::Quantile
            | Source::Forecaster => {}
        }
    }

    /// Drops day-ahead prices of hours that ended before `at`.
    pub fn forget_before(&mut self, at: Timestamp) {
        while let Some(first) = self.day_ahead.first_entry() {
            if first.get().during.end > at {
                break;
            }
            first.remove();
        }
    }

    /// The price to decide `interval` on, and how far to trust it; `None` when
    /// no price was ever heard.
    pub fn for_interval(
        &self,
        interval: Interval,
        decide_on: DecideOn,
        stale_hold: Seconds,
    ) -> Option<PriceUsed> {
        let day_ahead = match decide_on {
            DecideOn::RealTime => None,
            DecideOn::DayAhead => self.day_ahead_at(interval.start),
        };
        let known = day_ahead.or_else(|| self.real_time(interval.start))?;
        let age = interval.start - known.during.end;
        let fresh = known.during.duration().max(FRESH_AT_LEAST);
        let freshness = if age <= fresh {
            Freshness::Fresh
        } else if age <= fresh + stale_hold {
            Freshness::Stale
        } else {
            Freshness::Expired
        };
        Some(PriceUsed { known, freshness })
    }

    /// The day-ahead price of the hour at `at`.
    pub(super) fn day_ahead_at(&self, at: Timestamp) -> Option<Known<EnergyPrice>> {
        let (_, known) = self.day_ahead.range(..=at).next_back()?;
        known.during.contains(at).then_some(*known)
    }

    /// The LMP of the interval, else a price that the grid told for it, else
    /// whichever of LMP and settlement price is about the later time.
    fn real_time(&self, at: Timestamp) -> Option<Known<EnergyPrice>> {
        let told = self.grid.filter(|grid| grid.during.contains(at));
        match (self.lmp, self.settlement) {
            (Some(lmp), _) if lmp.during.contains(at) => Some(lmp),
            (_, _) if told.is_some() => told,
            (Some(lmp), Some(settlement)) if settlement.during.end > lmp.during.end => {
                Some(settlement)
            }
            (Some(lmp), _) => Some(lmp),
            (None, settlement) => settlement,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(source: Source, start: &str, minutes: i64, usd: i64) -> Known<EnergyPrice> {
        let start = Timestamp::parse(start).expect("an instant");
        let during = Interval::starting(start, Seconds::minutes(minutes));
        let known_at = if source == Source::Lmp { during.start } else { during.end };
        Known { value: EnergyPrice::from_usd_per_mwh(usd), during, known_at, source }
    }

    /// What a tick of five minutes at `at` is decided on, as text.
    fn check(prices: &[Known<EnergyPrice>], at: &str, expected: &str) {
        let mut board = PriceBoard::default();
        prices.iter().for_each(|price| board.learn(*price));
        let at = Timestamp::parse(at).expect("an instant");
        let interval = Interval::starting(at, Seconds::minutes(5));
        let used = board.for_interval(interval, DecideOn::DayAhead, Seconds::hours(1));
        let shown = used.map_or("none".to_owned(), |used| {
            format!("{} {} {:?}", used.known.value, used.known.source, used.freshness)
        });
        assert_eq!(shown, expected);
    }

    #[test]
    fn the_price_of_the_interval_beats_the_last_one_settled() {
        let settled = known(Source::SettlementPoint, "2024-01-01T11:45Z", 15, 30);
        let lmp = known(Source::Lmp, "2024-01-01T12:00Z", 5, 99);
        check(&[lmp, settled], "2024-01-01T12:00Z", "99.00 USD/MWh LMP Fresh");
        check(&[settled], "2024-01-01T12:00Z", "30.00 USD/MWh settlement price Fresh");
        check(&[], "2024-01-01T12:00Z", "none");
    }

    #[test]
    fn a_price_grows_stale_and_then_unknown() {
        let settled = known(Source::SettlementPoint, "2024-01-01T11:45Z", 15, 30);
        check(&[settled], "2024-01-01T12:30Z", "30.00 USD/MWh settlement price Fresh");
        check(&[settled], "2024-01-01T12:35Z", "30.00 USD/MWh settlement price Stale");
        check(&[settled], "2024-01-01T13:35Z", "30.00 USD/MWh settlement price Expired");
    }

    #[test]
    fn a_late_older_price_does_not_replace_a_newer_one() {
        let newer = known(Source::Lmp, "2024-01-01T12:00Z", 5, 50);
        let older = known(Source::Lmp, "2024-01-01T11:55Z", 5, -20);
        check(&[newer, older], "2024-01-01T12:00Z", "50.00 USD/MWh LMP Fresh");
    }

    #[test]
    fn a_day_ahead_price_serves_its_own_hour_only() {
        let hour = known(Source::DayAhead, "2024-01-01T12:00Z", 60, 70);
        let lmp = known(Source::Lmp, "2024-01-01T13:00Z", 5, 20);
        check(&[hour, lmp], "2024-01-01T12:55Z", "70.00 USD/MWh day-ahead price Fresh");
        check(&[hour, lmp], "2024-01-01T13:00Z", "20.00 USD/MWh LMP Fresh");
    }
}
