//! From a market's history to markets as they were, for a plan.
//!
//! A plan counts in UTC days. An hour settles at the mean of its settlement prices, and a
//! decision at its start knows the newest real-time price that could be known then: a
//! dispatch price of the interval that begins, or a settlement price of one that ended.
//!
//! Invariant: nothing is known in an hour that history did not show by its start.

use adapters::history::{BitcoinDay, History};
use plan::{Day, HOURS, Past, Plan};
use sim::scenario::power::Hour;
use units::{EnergyPrice, Seconds, Timestamp};

/// The longest stretch without a price that is bridged with the one before.
const HOURS_MISSING_MAX: usize = 24;

/// The same of bitcoin days.
const DAYS_MISSING_MAX: usize = 3;

/// What history has of a plan's months.
#[derive(Clone, Debug)]
pub struct Covered {
    /// Markets as they were.
    pub past: Past,
    /// Hours without a price, taken as the one before.
    pub hours_bridged: usize,
    /// Days without bitcoin, taken as the one before.
    pub days_bridged: usize,
}

/// History has not one whole month of the plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected real-time prices at {point} and bitcoin days for all of {first}, the plan's first \
     month; found prices {prices} and bitcoin {bitcoin}; add history, or plan from an earlier month"
)]
pub struct NothingCovered {
    point: String,
    first: String,
    prices: String,
    bitcoin: String,
}

/// Markets as they were from the plan's first day on, as far as history of every site goes:
/// one for each, in the plan's order.
///
/// # Errors
/// Where one has not one whole month of the plan.
pub fn read(plan: &Plan, histories: &[History]) -> Result<Covered, NothingCovered> {
    let found: Vec<AtSite> = histories
        .iter()
        .enumerate()
        .map(|(site, history)| at_site(plan, site, history))
        .collect();
    let days = found.iter().map(|site| site.days.clone()).collect();
    let Some(past) = Past::of(plan, days) else {
        // The shortest is what is in the way.
        let shortest = histories.iter().zip(&found).min_by_key(|(_, at)| at.days.len());
        let (history, _) = shortest.expect("a plan has a site");
        return Err(NothingCovered {
            point: history.point.clone(),
            first: plan.first.to_string(),
            prices: span(history.settlement.iter().map(|one| one.during.start)),
            bitcoin: span(history.bitcoin.iter().map(|day| day.day.start)),
        });
    };
    let kept = |site: usize| &found[site].bridged[..past.days(site).len()];
    let hours = (0..found.len()).flat_map(kept).map(|(hours, _)| hours);
    // Bitcoin is the same at every site.
    let days = kept(0).iter().map(|(_, days)| days);
    Ok(Covered { hours_bridged: hours.sum(), days_bridged: days.sum(), past })
}

/// The days of a site, and what was bridged in each: hours and bitcoin.
struct AtSite {
    days: Vec<Day>,
    bridged: Vec<(usize, usize)>,
}

fn at_site(plan: &Plan, site: usize, history: &History) -> AtSite {
    let start = plan.zone().month(plan.first).start;
    // Nothing is bridged at the end: what is not there yet has not happened.
    let day = Seconds::hours(24);
    let ends = [
        Some(plan.zone().month(plan.end()).start),
        history.settlement.last().map(|one| one.during.end.floor(day)),
        history.bitcoin.last().map(|one| one.day.end),
    ];
    let end = ends.into_iter().map(|end| end.unwrap_or(start)).min().unwrap_or(start);
    let mut prices = Prices::new(history);
    let mut bitcoin = history.bitcoin.iter().peekable();
    let (mut days, mut bridged) = (Vec::new(), Vec::new());
    let mut days_missing = 0;
    let mut last: Option<BitcoinDay> = None;
    let mut at = start;
    while at < end {
        let mut is_found = false;
        while let Some(day) = bitcoin.next_if(|day| day.day.start <= at) {
            is_found = day.day.start == at;
            last = Some(*day);
        }
        days_missing = if is_found { 0 } else { days_missing + 1 };
        let Some(coin) = last.filter(|_| days_missing <= DAYS_MISSING_MAX) else {
            break;
        };
        let Some((hours, missing)) = prices.day(at) else { break };
        bridged.push((missing, usize::from(!is_found)));
        days.push(Day {
            hours,
            first_hour: local_hour(plan, site, at),
            coin_usd: coin.price.as_micro_usd() as f64 / 1e6,
            hashprice: coin.hashprice,
            hashprice_usd_per_ph_day: coin.hashprice.as_micro_usd_per_ph_day() as f64
                / 1e6,
            // No history has it: it is drawn.
            rent_usd: 0.0,
        });
        at = at + day;
    }
    AtSite { days, bridged }
}

/// The hour of the market's day, as the plan's power counts it.
fn local_hour(plan: &Plan, site: usize, at: Timestamp) -> usize {
    let behind = plan.power_at(site).0.behind_utc_hours;
    let hours = at.as_unix_seconds().div_euclid(3_600) - behind;
    usize::try_from(hours.rem_euclid(24)).expect("an hour of a day")
}

fn span(mut starts: impl DoubleEndedIterator<Item = Timestamp>) -> String {
    match (starts.next(), starts.next_back()) {
        (Some(first), Some(last)) => format!("from {first} to {last}"),
        (Some(one), None) => format!("of {one} alone"),
        (None, _) => "none".to_owned(),
    }
}

/// Prices read in order of time.
struct Prices<'a> {
    history: &'a History,
    /// The next of each series that is not known yet, and that does not settle yet.
    lmp: usize,
    settled: usize,
    settles: usize,
    known: Option<(Timestamp, EnergyPrice)>,
    /// What the last hour settled at.
    before: Option<f64>,
    missing: usize,
}

impl<'a> Prices<'a> {
    fn new(history: &'a History) -> Self {
        Self {
            history,
            lmp: 0,
            settled: 0,
            settles: 0,
            known: None,
            before: None,
            missing: 0,
        }
    }

    /// The hours of a day, and how many were bridged; `None` where too many follow one
    /// another.
    fn day(&mut self, start: Timestamp) -> Option<([Hour; HOURS], usize)> {
        let mut hours = [Hour { known: 0.0, settled: 0.0 }; HOURS];
        let mut bridged = 0;
        for (number, hour) in hours.iter_mut().enumerate() {
            let at = start + Seconds::hours(number as i64);
            self.learn(at);
            let settled = match self.settle(at) {
                Some(price) => {
                    self.missing = 0;
                    price
                }
                None => {
                    self.missing += 1;
                    bridged += 1;
                    self.before.filter(|_| self.missing <= HOURS_MISSING_MAX)?
                }
            };
            // The first hour of all has nothing before it.
            let known =
                self.known.map_or(self.before.unwrap_or(settled), |known| usd(known.1));
            self.before = Some(settled);
            *hour = Hour { known, settled };
        }
        Some((hours, bridged))
    }

    /// Takes in what could be known at an instant.
    fn learn(&mut self, at: Timestamp) {
        let mut newer = |known_at: Timestamp, price| {
            if self.known.is_none_or(|(before, _)| before <= known_at) {
                self.known = Some((known_at, price));
            }
        };
        while let Some(one) =
            self.history.settlement.get(self.settled).filter(|one| one.known_at <= at)
        {
            newer(one.known_at, one.price);
            self.settled += 1;
        }
        // A dispatch price is of what begins, so it goes before a mean of what ended.
        while let Some(one) =
            self.history.lmp.get(self.lmp).filter(|one| one.known_at <= at)
        {
            newer(one.known_at, one.value);
            self.lmp += 1;
        }
    }

    /// The mean over an hour of what settles in it; `None` where nothing does.
    fn settle(&mut self, at: Timestamp) -> Option<f64> {
        let end = at + Seconds::hours(1);
        let (mut sum, mut seconds) = (0.0, 0);
        while let Some(one) =
            self.history.settlement.get(self.settles).filter(|one| one.during.start < end)
        {
            let from = one.during.start.max(at);
            let part = (one.during.end.min(end) - from).as_seconds().max(0);
            sum += usd(one.price) * part as f64;
            seconds += part;
            if one.during.end > end {
                break;
            }
            self.settles += 1;
        }
        (seconds > 0).then(|| sum / seconds as f64)
    }
}

fn usd(price: EnergyPrice) -> f64 {
    price.as_micro_usd_per_mwh() as f64 / 1e6
}

#[cfg(test)]
mod tests;
