//! From a market's history to what a backtest is fed, and the range it covers.

use std::collections::BTreeMap;

use adapters::history::{Derivation, History, Settled};
use engine::site::LoadKind;
use engine::{Known, Signal, Site, Source};
use units::{EnergyPrice, Interval, Seconds, Timestamp};

use crate::feed::{Basis, Feed, Settlement};

/// How long a settlement interval is where neither market nor history says.
const STEP_UNKNOWN: Seconds = Seconds::minutes(15);

/// Why a history cannot feed a site.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The site mines and nothing says what mining earns.
    #[error(
        "the site mines and the history has no bitcoin days, so nothing says what mining earns; \
         add a folder that has them with a second --history, or give every rig load a \
         strike_usd_per_mwh"
    )]
    NoBitcoin,
    /// The point has prices, none of them of the real-time market.
    #[error(
        "expected real-time prices of {0}, settlement prices or LMPs, found day-ahead prices alone; \
         add a folder that has them with a second --history, or name another --point"
    )]
    DayAheadAlone(String),
    /// The range asked for and the history do not meet.
    #[error(
        "expected --from and --to within the history of {point}, which covers {covered}; found {asked}"
    )]
    NoOverlap {
        /// The settlement point.
        point: String,
        /// What its prices cover.
        covered: Interval,
        /// What was asked for.
        asked: String,
    },
    /// The range ends before it starts.
    #[error("expected --from before --to, found {from} and {to}")]
    Backwards {
        /// Where it was to start.
        from: Timestamp,
        /// Where it was to end.
        to: Timestamp,
    },
}

/// What a backtest of `site` is fed from `history`.
pub fn feed(history: &History) -> Feed {
    let mut signals: Vec<(Timestamp, Signal)> = Vec::new();
    signals
        .extend(history.lmp.iter().map(|known| (known.known_at, Signal::Price(*known))));
    signals.extend(
        known_settlements(&history.settlement).map(|k| (k.known_at, Signal::Price(k))),
    );
    signals.extend(
        history.day_ahead.iter().map(|known| (known.known_at, Signal::Price(*known))),
    );
    signals.extend(history.bitcoin.iter().map(|day| {
        let known = Known {
            value: day.hashprice,
            during: day.day,
            known_at: day.known_at,
            source: Source::Bitcoin,
        };
        (day.known_at, Signal::Hashprice(known))
    }));
    signals.extend(
        history
            .temperature
            .iter()
            .map(|known| (known.known_at, Signal::Temperature(*known))),
    );
    signals.extend(
        history
            .demand_forecast
            .iter()
            .map(|known| (known.known_at, Signal::DemandForecast(*known))),
    );
    signals.extend(
        history
            .peak_probability
            .iter()
            .map(|known| (known.known_at, Signal::PeakProbability(*known))),
    );
    signals.extend(
        history
            .price_forecasts
            .iter()
            .map(|curve| (curve.known_at, Signal::Forecast(curve.clone()))),
    );
    signals.extend(
        history
            .spot_offers
            .iter()
            .map(|offer| (offer.known_at, Signal::SpotOffer(*offer))),
    );
    // Stable, so what became known at one instant keeps the order above.
    signals.sort_by_key(|(known_at, _)| *known_at);
    Feed {
        signals,
        settlements: history.settlement.iter().map(settlement).collect(),
        hashprices: history
            .bitcoin
            .iter()
            .map(|day| (day.day.start, day.hashprice))
            .collect(),
        coincident_peaks: history.coincident_peaks.clone(),
        lmp_starts: history.lmp.iter().map(|known| known.during.start).collect(),
        settlement_steps: settlement_steps(history),
    }
}

fn settlement(settled: &Settled) -> Settlement {
    Settlement {
        during: settled.during,
        price: settled.price,
        basis: match settled.derived {
            Derivation::Published => Basis::Published,
            Derivation::MeanLmp => Basis::MeanOfLmps,
            Derivation::HourlyMean => Basis::CoarserMean,
        },
    }
}

/// Settlement prices as something to decide on. A mean of LMPs says nothing the
/// LMPs did not; the parts of a longer mean are heard as the one price they are.
fn known_settlements(
    settled: &[Settled],
) -> impl Iterator<Item = Known<EnergyPrice>> + '_ {
    let one_price = |a: &Settled, b: &Settled| {
        a.derived == Derivation::HourlyMean
            && (a.derived, a.known_at, a.price) == (b.derived, b.known_at, b.price)
    };
    settled
        .chunk_by(one_price)
        .filter(|chunk| chunk[0].derived != Derivation::MeanLmp)
        .map(|chunk| Known {
            value: chunk[0].price,
            during: Interval {
                start: chunk[0].during.start,
                end: chunk[chunk.len() - 1].during.end,
            },
            known_at: chunk[0].known_at,
            source: Source::SettlementPoint,
        })
}

/// The market's settlement interval over time; where its rules do not say, the
/// one most common in the history.
fn settlement_steps(history: &History) -> Vec<(Timestamp, Seconds)> {
    let Some(covered) = covered(history) else { return vec![(EPOCH, STEP_UNKNOWN)] };
    let mut counts: BTreeMap<Seconds, usize> = BTreeMap::new();
    for settled in &history.settlement {
        *counts.entry(settled.during.duration()).or_default() += 1;
    }
    let usual = counts
        .into_iter()
        .max_by_key(|(_, count)| *count)
        .map_or(STEP_UNKNOWN, |(s, _)| s);
    let mut steps: Vec<(Timestamp, Seconds)> = Vec::new();
    let mut at = covered.start;
    while at < covered.end {
        let step = history.market.settlement_interval(at).unwrap_or(usual);
        if steps.last().is_none_or(|(_, last)| *last != step) {
            steps.push((at, step));
        }
        at = at + Seconds::hours(1);
    }
    steps
}

const EPOCH: Timestamp = Timestamp::from_unix_seconds(0);

/// What real-time prices, of either kind, cover from first to last.
fn covered(history: &History) -> Option<Interval> {
    let lmp = history.lmp.first().zip(history.lmp.last());
    let lmp = lmp.map(|(first, last)| (first.during.start, last.during.end));
    let settled = history.settlement.first().zip(history.settlement.last());
    let settled = settled.map(|(first, last)| (first.during.start, last.during.end));
    let (start, end) = match (lmp, settled) {
        (Some((a, b)), Some((c, d))) => (a.min(c), b.max(d)),
        (one, other) => one.or(other)?,
    };
    Some(Interval { start, end })
}

/// The range a backtest covers, and what to say about how it was chosen.
///
/// Without `--from` and `--to` it is everything for which there are prices and,
/// for a site that mines at what mining earns, bitcoin days. What is asked for
/// beyond the prices is cut off, and said.
pub fn range(
    site: &Site,
    history: &History,
    feed: &Feed,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> Result<(Interval, Vec<String>), FeedError> {
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        return Err(FeedError::Backwards { from, to });
    }
    let covered = covered(history)
        .ok_or_else(|| FeedError::DayAheadAlone(history.point.clone()))?;
    let needs_bitcoin = site.loads.iter().any(|load| match &load.kind {
        LoadKind::Rigs(rigs) => rigs.strike.is_none(),
        LoadKind::Racks(_) | LoadKind::Battery(_) => false,
    });
    let bitcoin = history.bitcoin.first().zip(history.bitcoin.last());
    let mut whole = covered;
    match bitcoin {
        Some((first, last)) if needs_bitcoin => {
            whole.start = whole.start.max(first.known_at);
            whole.end = whole.end.min(last.day.end);
        }
        None if needs_bitcoin => return Err(FeedError::NoBitcoin),
        _ => {}
    }
    let mut chosen =
        Interval { start: from.unwrap_or(whole.start), end: to.unwrap_or(whole.end) };
    let mut notes = Vec::new();
    if chosen.start < covered.start {
        chosen.start = covered.start;
        notes.push(format!("prices start at {}: so does the run", covered.start));
    }
    if chosen.end > covered.end {
        chosen.end = covered.end;
        notes.push(format!("prices end at {}: so does the run", covered.end));
    }
    // Whole settlement intervals only: half of one has no price of its own.
    let step = feed.settlement_step(chosen.start);
    if chosen.start.floor(step) < chosen.start {
        chosen.start = chosen.start.floor(step) + step;
    }
    chosen.end = chosen.end.floor(feed.settlement_step(chosen.end));
    if chosen.start >= chosen.end {
        let asked = |at: Option<Timestamp>| {
            at.map_or("not given".to_owned(), |at| at.to_string())
        };
        return Err(FeedError::NoOverlap {
            point: history.point.clone(),
            covered: if needs_bitcoin { whole } else { covered },
            asked: format!("--from {} and --to {}", asked(from), asked(to)),
        });
    }
    if needs_bitcoin && let Some((first, last)) = bitcoin {
        if chosen.start < first.known_at {
            notes.push(format!(
                "bitcoin days are known from {}: mining rests until then",
                first.known_at
            ));
        }
        if chosen.end > last.day.end {
            notes.push(format!(
                "bitcoin days end at {}: after that mining revenue is not computed, and mining \
                 stops once the last hashprice is too old",
                last.day.end
            ));
        }
    }
    if from.is_none() && chosen.start > covered.start {
        notes.push(format!(
            "the run starts at {}, with the first bitcoin day known",
            chosen.start
        ));
    }
    if to.is_none() && chosen.end < covered.end.floor(step) {
        notes.push(format!("the run ends at {}, with the last bitcoin day", chosen.end));
    }
    Ok((chosen, notes))
}
