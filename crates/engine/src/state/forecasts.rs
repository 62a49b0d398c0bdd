//! Prices that are expected, by quarter of an hour.
//!
//! What was heard of past quarters is kept for as many days as the policy asks;
//! what a forecaster said of coming ones until they are over. Nothing is ever
//! expected that was not heard before.
//!
//! Days are of twenty-four hours in UTC: where clocks change, the same time of
//! the day before is an hour off for a day.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use units::{EnergyPrice, Interval, Seconds, Timestamp};

use crate::signals::{Forecast, Known, Source};
use crate::site::{ForecastFrom, LookAhead};

/// How finely prices are expected.
pub(crate) const QUARTER: Seconds = Seconds::minutes(15);

const QUARTERS_A_DAY: i64 = 96;

/// How many days back the price of an earlier day is looked for: as many as the
/// longest look ahead, so that the last hour of it has one.
const DAYS_BACK: u32 = 4;

/// How many days a quantile is of at least; of fewer it is the day before's.
const DAYS_LEAST: usize = 3;

/// The longest stretch one price is taken to be about.
const STRETCH_MAX: Seconds = Seconds::hours(24);

/// Prices that are expected.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Forecasts {
    /// What was heard of past quarters, each at its number modulo the length.
    heard: Vec<Quarter>,
    /// What a forecaster said, by the quarter's number.
    told: BTreeMap<i64, Quarter>,
}

/// The time-weighted mean of what is known of one quarter of an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Quarter {
    /// Its number since 1970.
    number: i64,
    /// Prices times seconds, in millionths of a dollar per MWh.
    weighted: i128,
    seconds: i64,
    source: Source,
    known_at: Timestamp,
    /// When the last part of it begins, and what that is of both sums: heard again
    /// it counts once, corrected it counts as corrected.
    last: (Timestamp, i128, i64),
}

/// A price that is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The price.
    pub price: EnergyPrice,
    /// Whose word it is.
    pub source: Source,
    /// When what it rests on was known.
    pub known_at: Timestamp,
}

impl Forecasts {
    /// Nothing heard yet.
    pub fn new(policy: &LookAhead) -> Self {
        Self { heard: vec![Quarter::NONE; kept(policy)], told: BTreeMap::new() }
    }

    /// Keeps what another policy asks for, of what is there.
    pub(crate) fn keep_for(&mut self, policy: &LookAhead) {
        if self.heard.len() != kept(policy) {
            let mut heard = std::mem::take(&mut self.heard);
            heard.sort_by_key(|quarter| quarter.number);
            self.heard = vec![Quarter::NONE; kept(policy)];
            for quarter in heard.into_iter().filter(|quarter| quarter.seconds > 0) {
                if let Some(slot) = self.slot(quarter.number) {
                    self.heard[slot] = quarter;
                }
            }
        }
    }

    /// Takes in what an interval cost. A settlement price takes the place of
    /// dispatch prices.
    pub fn learn_price(&mut self, price: Known<EnergyPrice>) {
        match price.source {
            Source::Lmp | Source::SettlementPoint | Source::Foresight => {}
            Source::DayAhead
            | Source::Bitcoin
            | Source::Weather
            | Source::SystemForecast
            | Source::Grid
            | Source::Meter
            | Source::Looks
            | Source::SpotMarket
            | Source::EarlierDay
            | Source::Quantile
            | Source::Forecaster => return,
        }
        for (number, part) in quarters(price.during) {
            let Some(slot) = self.slot(number) else { return };
            let part = Quarter::part(number, part, price);
            let quarter = &mut self.heard[slot];
            let settled = quarter.source == Source::SettlementPoint;
            if quarter.number < number {
                *quarter = part;
            } else if quarter.number == number
                && (!settled || price.source == Source::SettlementPoint)
            {
                quarter.take(part);
            }
        }
    }

    /// Takes in a forecaster's curve, as far as anybody looks ahead.
    pub fn learn(&mut self, forecast: &Forecast, at: Timestamp) {
        let known_at = forecast.known_at;
        let horizon = at + LookAhead::LONGEST + STRETCH_MAX;
        let wanted =
            forecast.steps().skip_while(|(during, _)| during.end <= at).take_while(
                |(during, _)| during.start < horizon && during.duration() <= STRETCH_MAX,
            );
        for (during, value) in wanted {
            let price = Known { value, during, known_at, source: forecast.source };
            for (number, part) in quarters(during) {
                let part = Quarter::part(number, part, price);
                let quarter = self.told.entry(number).or_insert(Quarter::NONE);
                if known_at > quarter.known_at || quarter.seconds == 0 {
                    *quarter = part;
                } else if known_at == quarter.known_at {
                    quarter.take(part);
                }
            }
        }
    }

    /// Drops what was expected of quarters that are over by `at`.
    pub(crate) fn forget_before(&mut self, at: Timestamp) {
        let now = number_of(at);
        while self.told.first_key_value().is_some_and(|(number, _)| *number < now) {
            self.told.pop_first();
        }
    }

    /// The price that is expected at `at`.
    pub(crate) fn expected(
        &self,
        policy: &LookAhead,
        at: Timestamp,
        day_ahead: impl FnOnce() -> Option<Known<EnergyPrice>>,
    ) -> Option<Expected> {
        let number = number_of(at);
        let first = match policy.forecast {
            ForecastFrom::Persistence => None,
            ForecastFrom::DayAhead => day_ahead().map(|known| Expected {
                price: known.value,
                source: known.source,
                known_at: known.known_at,
            }),
            ForecastFrom::Quantile { share, days } => {
                self.quantile(number, share.as_ppm(), days)
            }
            ForecastFrom::Told => self.told.get(&number).and_then(Quarter::expected),
        };
        first.or_else(|| self.day_before(number))
    }

    /// What the same quarter of the last day known cost.
    fn day_before(&self, number: i64) -> Option<Expected> {
        (1..=i64::from(DAYS_BACK))
            .find_map(|days| self.heard_at(number - days * QUARTERS_A_DAY))
            .and_then(Quarter::expected)
            .map(|expected| Expected { source: Source::EarlierDay, ..expected })
    }

    /// A quantile of what the same quarter of earlier days cost: the price that
    /// stands at that share of the way from the lowest to the highest.
    fn quantile(&self, number: i64, ppm: i64, days: u32) -> Option<Expected> {
        let mut known: Vec<Expected> = (1..=i64::from(days))
            .filter_map(|day| self.heard_at(number - day * QUARTERS_A_DAY))
            .filter_map(Quarter::expected)
            .collect();
        if known.len() < DAYS_LEAST.min(days as usize) {
            return None;
        }
        let known_at = known.iter().map(|expected| expected.known_at).max()?;
        let place = (known.len() as i64 - 1) * ppm.clamp(0, 1_000_000) / 1_000_000;
        let (_, middle, _) =
            known.select_nth_unstable_by_key(place as usize, |expected| expected.price);
        Some(Expected { price: middle.price, source: Source::Quantile, known_at })
    }

    fn slot(&self, number: i64) -> Option<usize> {
        let length = i64::try_from(self.heard.len()).ok().filter(|length| *length > 0)?;
        usize::try_from(number.rem_euclid(length)).ok()
    }

    fn heard_at(&self, number: i64) -> Option<&Quarter> {
        let quarter = self.heard.get(self.slot(number)?)?;
        (quarter.number == number).then_some(quarter)
    }
}

impl Quarter {
    const NONE: Self = Self {
        number: i64::MIN,
        weighted: 0,
        seconds: 0,
        source: Source::Lmp,
        known_at: Timestamp::from_unix_seconds(0),
        last: (Timestamp::from_unix_seconds(0), 0, 0),
    };

    fn part(number: i64, part: Interval, price: Known<EnergyPrice>) -> Self {
        let seconds = part.duration().as_seconds();
        let micro = i128::from(price.value.as_micro_usd_per_mwh());
        let weighted = micro * i128::from(seconds);
        Self {
            number,
            weighted,
            seconds,
            source: price.source,
            known_at: price.known_at,
            last: (part.start, weighted, seconds),
        }
    }

    /// Adds a part. One of another source begins it anew, and one before the last
    /// was counted.
    fn take(&mut self, part: Self) {
        if part.source != self.source {
            *self = part;
            return;
        }
        let (start, weighted, seconds) = self.last;
        if part.last.0 < start {
            return;
        }
        if part.last.0 == start {
            self.weighted -= weighted;
            self.seconds -= seconds;
        }
        self.weighted += part.weighted;
        self.seconds += part.seconds;
        self.last = part.last;
        self.known_at = self.known_at.max(part.known_at);
    }

    fn expected(&self) -> Option<Expected> {
        let mean = self.weighted.checked_div(i128::from(self.seconds))?;
        let price = EnergyPrice::from_micro_usd_per_mwh(i64::try_from(mean).ok()?);
        Some(Expected { price, source: self.source, known_at: self.known_at })
    }
}

/// How many quarters a policy needs kept.
fn kept(policy: &LookAhead) -> usize {
    let days = match policy.forecast {
        _ if policy.length <= Seconds::ZERO => 0,
        ForecastFrom::Persistence | ForecastFrom::DayAhead | ForecastFrom::Told => {
            DAYS_BACK
        }
        ForecastFrom::Quantile { days, .. } => days.max(DAYS_BACK) + 1,
    };
    days as usize * QUARTERS_A_DAY as usize
}

fn number_of(at: Timestamp) -> i64 {
    at.as_unix_seconds().div_euclid(QUARTER.as_seconds())
}

/// The quarters that an interval touches, with what part of each.
fn quarters(during: Interval) -> impl Iterator<Item = (i64, Interval)> {
    let length = QUARTER.as_seconds();
    let start = during.start.as_unix_seconds();
    let end = during.end.as_unix_seconds().min(start + STRETCH_MAX.as_seconds());
    let first = start.div_euclid(length);
    (first..).map_while(move |number| {
        let (from, to) = ((number * length).max(start), ((number + 1) * length).min(end));
        let instant = Timestamp::from_unix_seconds;
        (from < to).then(|| (number, Interval { start: instant(from), end: instant(to) }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use units::Share;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("an instant")
    }

    fn known(source: Source, start: &str, minutes: i64, usd: i64) -> Known<EnergyPrice> {
        let during = Interval::starting(at(start), Seconds::minutes(minutes));
        let value = EnergyPrice::from_usd_per_mwh(usd);
        Known { value, during, known_at: during.end, source }
    }

    fn policy(forecast: ForecastFrom) -> LookAhead {
        LookAhead { length: Seconds::hours(24), forecast }
    }

    /// What is expected at a time, as text.
    fn check(forecasts: &Forecasts, policy: &LookAhead, time: &str, expected: &str) {
        let found = forecasts.expected(policy, at(time), || None);
        let shown = found.map_or("nothing".to_owned(), |found| {
            format!("{} by {}", found.price, found.source)
        });
        assert_eq!(shown, expected, "at {time}");
    }

    #[test]
    fn the_day_before_is_expected_again() {
        let policy = policy(ForecastFrom::Persistence);
        let mut forecasts = Forecasts::new(&policy);
        forecasts.learn_price(known(Source::Lmp, "2024-03-01T10:00Z", 5, 30));
        forecasts.learn_price(known(Source::Lmp, "2024-03-01T10:05Z", 10, 60));
        let shown = "50.00 USD/MWh by price of the day before";
        check(&forecasts, &policy, "2024-03-02T10:14Z", shown);
        check(&forecasts, &policy, "2024-03-03T10:00Z", shown);
        check(&forecasts, &policy, "2024-03-02T10:15Z", "nothing");
        // Heard again, it counts once.
        forecasts.learn_price(known(Source::Lmp, "2024-03-01T10:05Z", 10, 60));
        check(&forecasts, &policy, "2024-03-02T10:14Z", shown);
        // What it settled at is what it cost, whenever that is heard.
        forecasts.learn_price(known(
            Source::SettlementPoint,
            "2024-03-01T10:00Z",
            15,
            44,
        ));
        forecasts.learn_price(known(Source::Lmp, "2024-03-01T10:10Z", 5, 900));
        let settled = "44.00 USD/MWh by price of the day before";
        check(&forecasts, &policy, "2024-03-02T10:00Z", settled);
        // A corrected price takes the place of the one before.
        forecasts.learn_price(known(
            Source::SettlementPoint,
            "2024-03-01T10:00Z",
            15,
            45,
        ));
        let settled = "45.00 USD/MWh by price of the day before";
        check(&forecasts, &policy, "2024-03-02T10:00Z", settled);
    }

    #[test]
    fn a_quantile_is_of_the_same_time_of_earlier_days() {
        let median = ForecastFrom::Quantile { share: Share::from_ppm(500_000), days: 5 };
        let policy = policy(median);
        let mut forecasts = Forecasts::new(&policy);
        for (day, usd) in [(1, 10), (2, 900), (3, 20), (4, 30), (5, 40), (6, 50)] {
            let start = format!("2024-03-0{day}T10:00Z");
            forecasts.learn_price(known(Source::SettlementPoint, &start, 15, usd));
        }
        // Of 900, 20, 30, 40 and 50: five days back and no more.
        let shown = "40.00 USD/MWh by quantile of earlier days";
        check(&forecasts, &policy, "2024-03-07T10:05Z", shown);
        check(&forecasts, &policy, "2024-03-07T10:20Z", "nothing");
    }

    #[test]
    fn a_later_curve_says_it_anew_for_the_time_it_covers() {
        let policy = policy(ForecastFrom::Told);
        let mut forecasts = Forecasts::new(&policy);
        let curve = |from, minutes, usd: [i64; 3], known_at| Forecast {
            from: at(from),
            step: Seconds::minutes(minutes),
            prices: usd.map(EnergyPrice::from_usd_per_mwh).to_vec(),
            known_at: at(known_at),
            source: Source::Forecaster,
        };
        let now = at("2024-03-01T09:00Z");
        let first = curve("2024-03-01T10:00Z", 60, [10, 20, 30], "2024-03-01T08:00Z");
        forecasts.learn(&first, now);
        let second = curve("2024-03-01T11:00Z", 5, [60, 70, 80], "2024-03-01T09:00Z");
        forecasts.learn(&second, now);
        forecasts.learn(&first, now);
        let by = |usd: &str| format!("{usd} USD/MWh by price forecast");
        check(&forecasts, &policy, "2024-03-01T10:59Z", &by("10.00"));
        check(&forecasts, &policy, "2024-03-01T11:00Z", &by("70.00"));
        check(&forecasts, &policy, "2024-03-01T11:15Z", &by("20.00"));
        check(&forecasts, &policy, "2024-03-01T13:00Z", "nothing");
        let none = curve("2024-03-01T10:00Z", 0, [1, 1, 1], "2024-03-01T09:00Z");
        forecasts.learn(&none, now);
        check(&forecasts, &policy, "2024-03-01T10:00Z", &by("10.00"));
        forecasts.forget_before(at("2024-03-01T11:00Z"));
        check(&forecasts, &policy, "2024-03-01T10:59Z", "nothing");
    }
}
