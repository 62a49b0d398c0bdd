//! What a backtest is fed: signals in the order they became known, and the
//! prices it is settled at afterwards.

use std::collections::BTreeMap;

use engine::Signal;
use engine::site::{ForecastFrom, LookAhead};
use units::{EnergyPrice, Hashprice, Interval, Seconds, Timestamp};

/// How long before a run's start its signals begin, so that it starts informed;
/// longer where the policy looks further back.
const LEAD: Seconds = Seconds::hours(72);

/// What a backtest is fed.
#[derive(Clone, Debug, Default)]
pub struct Feed {
    /// Signals with the time each could first be known, earliest first.
    pub signals: Vec<(Timestamp, Signal)>,
    /// Settlement prices, earliest first, none overlapping.
    pub settlements: Vec<Settlement>,
    /// What a petahash per second earned on each day, by the day's start.
    pub hashprices: BTreeMap<Timestamp, Hashprice>,
    /// The system's published coincident peaks.
    pub coincident_peaks: Vec<Interval>,
    /// The instants at which there is something new to decide on: the starts of
    /// LMP intervals.
    pub lmp_starts: Vec<Timestamp>,
    /// How long the market's own settlement interval is, from when on; the
    /// first holds for all time before it too. At least one.
    pub settlement_steps: Vec<(Timestamp, Seconds)>,
}

/// The price an interval is settled at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The settlement interval.
    pub during: Interval,
    /// Its price.
    pub price: EnergyPrice,
    /// How the price came about.
    pub basis: Basis,
}

/// How a settlement price came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basis {
    /// Published for the interval.
    Published,
    /// The time-weighted mean of the LMPs over the interval.
    MeanOfLmps,
    /// Published for a longer interval around it.
    CoarserMean,
}

impl Basis {
    /// The word a table shows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::MeanOfLmps => "mean_of_lmps",
            Self::CoarserMean => "coarser_mean",
        }
    }
}

impl Feed {
    /// The signals a run over `range` hears, each at the time it hears it: what
    /// was known shortly before the start, or as long before as the policy looks
    /// back, is heard at the start.
    pub fn heard_over(
        &self,
        range: Interval,
        policy: &LookAhead,
    ) -> impl Iterator<Item = (Timestamp, &Signal)> {
        let lead = match policy.forecast {
            ForecastFrom::Quantile { days, .. } => {
                LEAD.max(Seconds::hours(24 * i64::from(days + 1)))
            }
            ForecastFrom::Persistence | ForecastFrom::DayAhead | ForecastFrom::Told => {
                LEAD
            }
        };
        let first =
            self.signals.partition_point(|(known_at, _)| *known_at < range.start - lead);
        self.signals[first..]
            .iter()
            .take_while(move |(known_at, _)| *known_at < range.end)
            .map(move |(known_at, signal)| ((*known_at).max(range.start), signal))
    }

    /// Whether any day that `range` touches has a hashprice.
    pub fn pays_mining(&self, range: Interval) -> bool {
        let first = range.start.floor(Seconds::hours(24));
        self.hashprices.range(first..range.end).next().is_some()
    }

    /// How long the market's own settlement interval is at `at`.
    pub fn settlement_step(&self, at: Timestamp) -> Seconds {
        let later = self.settlement_steps.partition_point(|(from, _)| *from <= at);
        self.settlement_steps[later.saturating_sub(1)].1
    }

    /// The intervals a run over `range` decides: the market's settlement
    /// intervals, cut wherever a new LMP became known inside one.
    pub fn ticks(&self, range: Interval) -> impl Iterator<Item = Interval> {
        let mut next = range.start;
        let mut lmp = self.lmp_starts.partition_point(|start| *start <= range.start);
        std::iter::from_fn(move || {
            if next >= range.end {
                return None;
            }
            let start = next;
            let step = self.settlement_step(start);
            let settled = (start.floor(step) + step).min(range.end);
            while self.lmp_starts.get(lmp).is_some_and(|at| *at <= start) {
                lmp += 1;
            }
            let end = self.lmp_starts.get(lmp).map_or(settled, |at| (*at).min(settled));
            next = end;
            Some(Interval { start, end })
        })
    }
}

/// Looks up what covers an instant, in lists walked forwards.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cursor {
    next: usize,
}

impl Cursor {
    /// The settlement that covers `during`'s start, moving on past those that
    /// ended.
    pub fn settlement(&mut self, feed: &Feed, during: Interval) -> Option<Settlement> {
        while feed
            .settlements
            .get(self.next)
            .is_some_and(|s| s.during.end <= during.start)
        {
            self.next += 1;
        }
        let candidate = feed.settlements.get(self.next)?;
        candidate.during.contains(during.start).then_some(*candidate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("an instant")
    }

    #[test]
    fn ticks_follow_new_lmps_within_settlement_intervals() {
        let feed = Feed {
            lmp_starts: vec![
                at("2024-01-01T00:00Z"),
                at("2024-01-01T00:05:12Z"),
                at("2024-01-01T00:31Z"),
            ],
            settlement_steps: vec![(at("2024-01-01"), Seconds::minutes(15))],
            ..Feed::default()
        };
        let range =
            Interval { start: at("2024-01-01T00:00Z"), end: at("2024-01-01T00:45Z") };
        let shown: Vec<String> = feed
            .ticks(range)
            .map(|tick| tick.start.to_string()[11..].to_owned())
            .collect();
        assert_eq!(shown, ["00:00Z", "00:05:12Z", "00:15Z", "00:30Z", "00:31Z"]);
    }
}
