//! Settlement prices of a point: published, or made from what was published.
//!
//! In order of preference: a price published at the market's own interval (or
//! finer), the time-weighted mean of the dispatch prices over that interval, a
//! published mean over a longer one.

use units::{EnergyPrice, Interval, Seconds, Timestamp};

use super::spell::{at, during, joined, overlaps};

/// A settlement price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The interval it settles.
    pub during: Interval,
    /// The price.
    pub price: EnergyPrice,
    /// When it could first be known: the end of the interval it was published
    /// or formed for.
    pub known_at: Timestamp,
    /// Where it comes from.
    pub derived: Derivation,
}

/// Where a settlement price comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Derivation {
    /// Published at the market's own interval or finer.
    Published,
    /// The time-weighted mean of the dispatch prices over the interval.
    MeanLmp,
    /// A mean published over a longer interval, such as an hour.
    HourlyMean,
}

/// A price and the stretch it holds, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Priced {
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) price: EnergyPrice,
}

/// The settlement prices of a point, and what gave way to what.
#[derive(Debug, Default)]
pub(crate) struct Settlement {
    pub(crate) prices: Vec<Settled>,
    /// Stretches in which a published price gave way to a finer one.
    pub(crate) gave_way: Vec<(i64, i64)>,
    /// Intervals with too few dispatch prices for a mean.
    pub(crate) too_thin: Vec<(i64, i64)>,
}

/// Makes the settlement prices of `published` series, the finest first, and of
/// `lmp`. `interval_at` gives the market's settlement interval in seconds.
pub(crate) fn settle(
    published: &[Vec<Priced>],
    lmp: &[Priced],
    interval_at: impl Fn(i64) -> i64,
) -> Settlement {
    let mut found = Settlement::default();
    for series in published {
        let own = series.iter().filter(|p| p.end - p.start <= interval_at(p.start));
        let own = own.map(|priced| Settled {
            during: during(priced.start, priced.end),
            price: priced.price,
            known_at: at(priced.end),
            derived: Derivation::Published,
        });
        found.lay_under(own, true);
    }
    let means = means(lmp, &interval_at, &mut found.too_thin);
    found.lay_under(means.into_iter(), false);
    for series in published {
        let coarse = series.iter().filter(|p| p.end - p.start > interval_at(p.start));
        let slots = coarse.flat_map(|priced| slots(*priced, &interval_at));
        found.lay_under(slots, true);
    }
    found.gave_way = joined(std::mem::take(&mut found.gave_way));
    // A thin interval that a published price covers after all is no loss.
    let prices = &found.prices;
    found.too_thin.retain(|(start, end)| !overlaps(prices, *start, *end, stretch));
    found
}

fn stretch(settled: &Settled) -> (i64, i64) {
    (settled.during.start.as_unix_seconds(), settled.during.end.as_unix_seconds())
}

impl Settlement {
    /// Adds prices where none stands yet.
    fn lay_under(&mut self, prices: impl Iterator<Item = Settled>, notes: bool) {
        let mut added = Vec::new();
        for settled in prices {
            let (start, end) = stretch(&settled);
            if !overlaps(&self.prices, start, end, stretch) {
                added.push(settled);
            } else if notes {
                self.gave_way.push((start, end));
            }
        }
        self.prices.extend(added);
        self.prices.sort_by_key(|settled| settled.during.start);
    }
}

/// The mean of the dispatch prices in each settlement interval of which they
/// cover at least two thirds.
fn means(
    lmp: &[Priced],
    interval_at: &impl Fn(i64) -> i64,
    too_thin: &mut Vec<(i64, i64)>,
) -> Vec<Settled> {
    let mut means = Vec::new();
    let mut first = 0;
    let mut from = i64::MIN;
    while first < lmp.len() {
        let begin = lmp[first].start.max(from);
        let length = interval_at(begin);
        let start = begin.div_euclid(length) * length;
        let end = start + length;
        let inside: Vec<(EnergyPrice, Seconds)> = lmp[first..]
            .iter()
            .take_while(|priced| priced.start < end)
            .map(|priced| {
                let held = priced.end.min(end) - priced.start.max(start);
                (priced.price, Seconds::from_seconds(held))
            })
            .collect();
        let covered: Seconds = inside.iter().map(|held| held.1).sum();
        if covered.as_seconds() * 3 >= length * 2 {
            let price =
                EnergyPrice::mean(inside.iter().copied()).expect("it covers some time");
            means.push(Settled {
                during: during(start, end),
                price,
                known_at: at(end),
                derived: Derivation::MeanLmp,
            });
        } else {
            too_thin.push((start, end));
        }
        first += lmp[first..].iter().take_while(|priced| priced.end <= end).count();
        from = end;
    }
    means
}

/// The settlement intervals inside a longer one, each at its mean and known
/// only when the longer one ends.
fn slots(priced: Priced, interval_at: &impl Fn(i64) -> i64) -> Vec<Settled> {
    let mut slots = Vec::new();
    let mut start = priced.start;
    while start < priced.end {
        let length = interval_at(start);
        let end = ((start.div_euclid(length) + 1) * length).min(priced.end);
        slots.push(Settled {
            during: during(start, end),
            price: priced.price,
            known_at: at(priced.end),
            derived: Derivation::HourlyMean,
        });
        start = end;
    }
    slots
}

#[cfg(test)]
mod tests {
    use super::*;

    const Q: i64 = 900;

    fn priced(start: i64, seconds: i64, dollars: i64) -> Priced {
        Priced {
            start,
            end: start + seconds,
            price: EnergyPrice::from_usd_per_mwh(dollars),
        }
    }

    fn check(published: &[Vec<Priced>], lmp: &[Priced], expected: &[&str]) {
        let found = settle(published, lmp, |_| Q);
        let found: Vec<String> = found
            .prices
            .iter()
            .map(|settled| {
                let (start, end) = stretch(settled);
                let known = settled.known_at.as_unix_seconds();
                let price = settled.price.to_usd_per_mwh_text(2);
                format!("{start}-{end} {price} {:?} {known}", settled.derived)
            })
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_markets_own_price_wins_over_means() {
        let lmp = [priced(0, 300, 10), priced(300, 300, 20), priced(600, 300, 60)];
        check(&[vec![priced(0, Q, 31)]], &lmp, &["0-900 31.00 Published 900"]);
        check(&[], &lmp, &["0-900 30.00 MeanLmp 900"]);
        check(
            &[vec![priced(0, 3_600, 7)]],
            &lmp,
            &[
                "0-900 30.00 MeanLmp 900",
                "900-1800 7.00 HourlyMean 3600",
                "1800-2700 7.00 HourlyMean 3600",
                "2700-3600 7.00 HourlyMean 3600",
            ],
        );
    }

    #[test]
    fn an_interval_with_more_than_a_third_missing_has_no_mean() {
        check(
            &[],
            &[priced(0, 300, 10), priced(300, 300, 20)],
            &["0-900 15.00 MeanLmp 900"],
        );
        check(&[], &[priced(0, 300, 10)], &[]);
        assert_eq!(settle(&[], &[priced(0, 300, 10)], |_| Q).too_thin, [(0, Q)]);
    }

    #[test]
    fn runs_off_the_minute_count_by_the_time_they_held() {
        // 13 s of the first run lie in the interval before.
        let lmp = [priced(887, 313, 10), priced(1_200, 600, 40)];
        check(&[], &lmp, &["900-1800 30.00 MeanLmp 1800"]);
    }

    #[test]
    fn finer_prices_win_over_coarser_published_ones() {
        let five = vec![priced(0, 300, 1), priced(300, 300, 2), priced(600, 300, 3)];
        let quarter = vec![priced(0, Q, 9), priced(Q, Q, 8)];
        let found = settle(&[five, quarter], &[], |_| Q);
        assert_eq!(found.prices.len(), 4);
        assert_eq!(found.gave_way, [(0, Q)]);
    }
}
