//! S11: bad input never raises load.
//!
//! Here: a decision uses a price that was heard, is known, and is the one to
//! use; how fresh it is says its age alone; and on a price that is not fresh
//! nothing rises that can be shed, unless a person holds it there. What else
//! bad input may not do is tried out on a copy of the engine in
//! [`crate::run`].

use engine::site::DecideOn;
use engine::{Dispatch, Freshness, Known, Signal, Source};
use units::{EnergyPrice, Power, Seconds, Timestamp};

use super::books::Books;

/// Whether a signal is about a time that nobody can know of yet: published
/// later, or about an interval that has not begun, or not ended.
pub(super) fn nobody_knows_yet(signal: &Signal, at: Timestamp) -> bool {
    fn later<T>(known: &Known<T>, at: Timestamp) -> bool {
        let about = match known.source {
            Source::Lmp | Source::Weather | Source::Meter | Source::Looks => {
                known.during.start > at
            }
            Source::SettlementPoint | Source::Bitcoin => known.during.end > at,
            Source::DayAhead
            | Source::SystemForecast
            | Source::Grid
            | Source::EarlierDay
            | Source::Quantile
            | Source::Forecaster
            | Source::SpotMarket
            | Source::Foresight => false,
        };
        about || known.known_at > at
    }
    match signal {
        Signal::Price(known) => later(known, at),
        Signal::Hashprice(known) => later(known, at),
        Signal::Temperature(known) => later(known, at),
        Signal::DemandForecast(known) => later(known, at),
        Signal::PeakProbability(known) => later(known, at),
        Signal::Draw(known) => later(known, at),
        Signal::SpotOffer(known) => later(known, at),
        Signal::Instruction(instruction) => instruction.known_at > at,
        Signal::Exposure(exposure) => exposure.known_at > at,
        Signal::Heard(_) => false,
        Signal::Sweep(sweep) => sweep.during.end > at,
        Signal::Forecast(forecast) => forecast.known_at > at,
    }
}

/// Every price that was heard and could be known when it was.
#[derive(Clone, Debug, Default)]
pub(super) struct Prices {
    heard: Vec<Known<EnergyPrice>>,
}

impl Prices {
    pub(super) fn hear(&mut self, signal: &Signal) {
        if let Signal::Price(price) = signal {
            self.heard.push(*price);
        }
    }

    pub(super) fn in_dispatch(
        &self,
        books: &Books,
        dispatch: &Dispatch,
        at: Timestamp,
        broken: &mut Vec<String>,
    ) {
        let expected = self.to_use(books, dispatch);
        let found = dispatch.price.map(|used| used.known);
        if expected != found {
            broken.push(format!(
                "S11: expected the decision on {expected:?}, found {found:?}"
            ));
        }
        if found.is_some_and(|price| price.known_at > at) {
            broken.push("S11: decided on a price that is not known yet".to_owned());
        }
        let freshness = expected.map(|price| freshness(books, dispatch, price));
        if dispatch.price.map(|used| used.freshness) != freshness {
            broken.push(format!(
                "S11: expected a price that is {freshness:?}, found {:?}",
                dispatch.price
            ));
        }
        let fresh = freshness == Some(Freshness::Fresh);
        if fresh || !books.site.policy.follows_price {
            return;
        }
        for (load, entry) in dispatch.entries.iter().enumerate() {
            let held = (books.by_hand.holds.iter())
                .any(|hold| hold.load == load && hold.during.overlaps(dispatch.interval));
            let rises = entry.to > entry.from.max(Power::ZERO);
            if rises && !held && !books.site.loads[load].is_firm() {
                broken.push(format!(
                    "S11: {} rises from {} to {} on a price that is {freshness:?}",
                    books.site.loads[load].name, entry.from, entry.to
                ));
            }
        }
    }

    /// The price to decide on: of the day-ahead prices for the hour the last
    /// published, where the site decides on those; else the LMP of the
    /// interval; else the last thing known of LMP and settlement.
    fn to_use(&self, books: &Books, dispatch: &Dispatch) -> Option<Known<EnergyPrice>> {
        let start = dispatch.interval.start;
        let newest = |source: Source| {
            // Among equals the last heard, which is the last of the maxima.
            self.heard
                .iter()
                .filter(|price| price.source == source)
                .max_by_key(|price| (price.during.start, price.known_at))
        };
        let day_ahead = (self.heard.iter())
            .filter(|price| price.source == Source::DayAhead)
            .filter(|price| price.during.contains(start))
            .max_by_key(|price| price.known_at);
        let (lmp, settled) = (newest(Source::Lmp), newest(Source::SettlementPoint));
        let real_time = match (lmp, settled) {
            (Some(lmp), Some(settled)) => {
                let of_now = lmp.during.contains(start);
                let later = settled.during.end > lmp.during.end;
                Some(if later && !of_now { settled } else { lmp })
            }
            (lmp, settled) => lmp.or(settled),
        };
        let by_day = books.site.policy.decide_on == DecideOn::DayAhead;
        day_ahead.filter(|_| by_day).or(real_time).copied()
    }
}

/// Fresh for half an hour or its own length after its interval; stale while the
/// policy holds on to it.
fn freshness(books: &Books, dispatch: &Dispatch, price: Known<EnergyPrice>) -> Freshness {
    let age = dispatch.interval.start - price.during.end;
    let fresh = price.during.duration().max(Seconds::minutes(30));
    if age <= fresh {
        Freshness::Fresh
    } else if age <= fresh + books.site.policy.stale_price_hold {
        Freshness::Stale
    } else {
        Freshness::Expired
    }
}
