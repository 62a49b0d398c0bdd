//! Sentences that the summary and the page share: on what a run was decided and
//! settled, what it lacked, and what its peaks came to.

use engine::site::LoadKind;
use engine::{Site, Source};
use units::{Efficiency, EnergyPrice, Money, Seconds, Share};

use super::figures;
use crate::answer::{Answer, LoadTotals, PeakCharge, Totals};
use crate::feed::Basis;
use crate::hindsight::Bounding;

/// Whether the run was compared with the same site always on.
pub(super) fn compared(answer: &Answer) -> bool {
    answer.intervals > 0 && answer.always_on != Totals::default()
}

/// What each megawatt-hour cost, blocks and adders counted; `None` for none.
pub(super) fn paid_per_mwh(totals: &Totals) -> Option<EnergyPrice> {
    (-totals.power()).per_mwh(totals.site - totals.left_out)
}

/// Hours to the tenth.
pub(super) fn hours(time: Seconds) -> String {
    // 360 s are a tenth of an hour.
    let tenths = (time.as_seconds() + 180).div_euclid(360);
    figures::grouped(&format!("{}.{}", tenths / 10, tenths % 10))
}

/// A part of a whole, neither below nothing, as a percentage to the tenth.
pub(super) fn percent(part: i128, whole: i128) -> String {
    let whole = whole.max(1);
    let per_mille = (part * 2_000 + whole) / (2 * whole);
    format!("{}.{} %", per_mille / 10, per_mille % 10)
}

/// What a rig of the load needs for a hash, at the plug; `None` for what does
/// not mine.
pub(super) fn efficiency(site: &Site, load: usize) -> Option<Efficiency> {
    match &site.loads[load].kind {
        LoadKind::Rigs(rigs) => rigs.efficiency(),
        LoadKind::Racks(_) | LoadKind::Battery(_) => None,
    }
}

/// Joules per terahash to the tenth, without the unit.
pub(super) fn joules_per_terahash(efficiency: Efficiency) -> String {
    units::decimal::text(i128::from(efficiency.as_mj_per_th()), 3, 1)
}

/// The part of its machines' time in which a load was asked to run.
pub(super) fn uptime(load: &LoadTotals) -> String {
    load.uptime
        .map_or("-".to_owned(), |share| percent(i128::from(share.as_ppm()), 1_000_000))
}

/// How many of something, with the word for one or for more.
pub(super) fn so_many(count: u64, one: &str, more: &str) -> String {
    format!("{} {}", figures::count(count), if count == 1 { one } else { more })
}

fn intervals(count: u64) -> String {
    so_many(count, "interval", "intervals")
}

/// On which prices the run was decided and settled, a sentence each, the most
/// frequent first.
pub(super) fn footing(answer: &Answer) -> Vec<String> {
    let basis = &answer.basis;
    let mut decided: Vec<_> = basis.decided_on.iter().collect();
    let mut settled: Vec<_> = basis.settled_at.iter().collect();
    decided.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    settled.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let decided = decided.into_iter().map(|(source, count)| {
        format!("decided on {} in {}", decided_on(*source), intervals(*count))
    });
    let settled = settled.into_iter().map(|(basis, count)| {
        format!("settled at {} in {}", settled_at(*basis), intervals(*count))
    });
    decided.chain(settled).collect()
}

fn decided_on(source: Option<Source>) -> &'static str {
    match source {
        Some(Source::Lmp) => "the LMP of the interval",
        Some(Source::SettlementPoint) => "the last settlement price known",
        Some(Source::DayAhead) => "the day-ahead price of the hour",
        // The price board keeps prices of the power market alone.
        Some(
            Source::Bitcoin
            | Source::Weather
            | Source::SystemForecast
            | Source::Grid
            | Source::Meter
            | Source::Looks
            | Source::SpotMarket
            | Source::EarlierDay
            | Source::Quantile
            | Source::Forecaster
            | Source::Foresight,
        ) => "another figure",
        None => "no price, none was known,",
    }
}

fn settled_at(basis: Option<Basis>) -> &'static str {
    match basis {
        Some(Basis::Published) => "the published settlement price",
        Some(Basis::MeanOfLmps) => "the time-weighted mean of the LMPs (derived)",
        Some(Basis::CoarserMean) => "the price published for a longer interval around it",
        None => "no price, the history has none,",
    }
}

/// What the run lacked or had to assume, a sentence each; empty when nothing.
pub(super) fn lacks(answer: &Answer) -> Vec<String> {
    let basis = &answer.basis;
    let mut lacks = Vec::new();
    let mut count = |count: u64, text: &str| {
        if count > 0 {
            lacks.push(format!("{text} in {}", intervals(count)));
        }
    };
    count(basis.not_fresh, "the price to decide on was not fresh");
    count(
        basis.temperature_missing,
        "the outside temperature was missing and the stated overhead held",
    );
    count(
        basis.peak_not_forecast,
        "a coincident peak could fall and nothing forecast it",
    );
    count(basis.limited, "a limit left sheddable load less power than it was worth");
    count(basis.firm_shed, "a limit cut load under contract");
    count(unpriced_intervals(answer), "no settlement price");
    count(basis.no_hashprice, "no hashprice for the day");
    if unpriced_intervals(answer) + basis.no_hashprice > 0 {
        lacks.push(format!(
            "what lacks a price is in no amount of money above, on neither side: {} MWh of the policy's",
            figures::mwh(answer.policy.left_out, 1)
        ));
    }
    if answer.policy.mining_unknown {
        lacks.push(
            "mining revenue and margin are not computed: bitcoin days are missing"
                .to_owned(),
        );
    }
    lacks
}

fn unpriced_intervals(answer: &Answer) -> u64 {
    answer.basis.settled_at.get(&None).copied().unwrap_or(0)
}

/// What a coincident-peak charge came to, in a sentence.
pub(super) fn peak(peak: &PeakCharge, compared: bool) -> String {
    let beside = |other: Option<Money>| match other.filter(|_| compared) {
        Some(other) => format!(" (always on {} USD)", figures::usd(other)),
        None => String::new(),
    };
    let expected = format!(
        "the forecast expected {} USD{}",
        figures::usd(peak.expected),
        beside(Some(peak.expected_always_on))
    );
    match (peak.charge, &peak.missing) {
        (Some(charge), _) => format!(
            "{}: {} USD{} over {}; {expected}",
            peak.name,
            figures::usd(charge),
            beside(peak.always_on),
            so_many(peak.peaks.len() as u64, "peak", "peaks"),
        ),
        (None, Some(missing)) => {
            format!("{}: not computed: {missing}; {expected}", peak.name)
        }
        (None, None) => format!("{}: not computed; {expected}", peak.name),
    }
}

/// What a run came to beside its optimum in hindsight, a sentence each.
pub(super) fn hindsight(answer: &Answer) -> Vec<String> {
    let found = match &answer.hindsight {
        None => return Vec::new(),
        Some(Err(missing)) => return vec![format!("not computed: {missing}")],
        Some(Ok(found)) => found,
    };
    let usd = figures::usd;
    let part = |share: Share| percent(i128::from(share.as_ppm()), 1_000_000);
    let above = found.caught_above_always_on().filter(|_| compared(answer));
    let above = above.map_or(String::new(), |share| {
        format!(", and {} of what it has above always on", part(share))
    });
    let mut sentences = vec![
        format!(
            "best possible {} USD: the optimum of the whole run at its settlement prices, a bound \
             that no site could have earned",
            usd(found.best)
        ),
        match found.caught() {
            Some(caught) => {
                format!(
                    "the policy came to {} USD: {} of it{above}",
                    usd(found.policy),
                    part(caught)
                )
            }
            None => format!("the policy came to {} USD", usd(found.policy)),
        },
        format!(
            "forecast error {} USD: told every price ahead, the same policy comes to {} USD",
            usd(found.forecast_error()),
            usd(found.perfect)
        ),
        format!(
            "decision error {} USD: a look ahead that ends, whole machines, starts, and orders \
             that take time",
            usd(found.decision_error())
        ),
    ];
    if !answer.peaks.is_empty() {
        sentences.push(
            "all less what coincident peaks were expected to cost, which the margin above leaves out"
                .to_owned(),
        );
    }
    sentences.extend(found.limits.iter().map(|worth| {
        format!(
            "one more {} would have added {} USD to the optimum, through {}",
            one_more(worth.limit, &answer.site),
            usd(worth.added),
            intervals(worth.intervals)
        )
    }));
    sentences
}

/// What one more of a limit is.
fn one_more(limit: Bounding, site: &Site) -> String {
    let whose = limit.name(site).unwrap_or("the interconnection");
    match limit {
        Bounding::Import => "MW of interconnection".to_owned(),
        Bounding::Export => "MW of export".to_owned(),
        Bounding::Feeder(_) => format!("MW of feeder {whose}"),
        Bounding::StoreRoom(_) => format!("MWh of {whose}"),
        Bounding::RampUp(_) => format!("MW of ramp up of {whose}, each interval,"),
        Bounding::RampDown(_) => format!("MW of ramp down of {whose}, each interval,"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_and_shares_are_shown_to_the_tenth() {
        assert_eq!(hours(Seconds::minutes(90)), "1.5");
        assert_eq!(hours(Seconds::hours(8_784)), "8,784.0");
        assert_eq!(percent(1, 8), "12.5 %");
        assert_eq!(percent(8_784, 8_784), "100.0 %");
        assert_eq!(percent(0, 0), "0.0 %");
    }
}
