//! What is known of coming coincident peaks.
//!
//! A forecaster's probability is used as given. Without one, the stated watch
//! rule of the tariff applies: an interval whose demand forecast comes near the
//! highest forecast known for its month may be a peak. Only forecasts already
//! known count, so a month's first hot days are watched more than they deserve.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use settle::tariff::CoincidentPeakRule;
use units::{EnergyPrice, Interval, Power, Share, Timestamp};

use crate::signals::Known;

/// What is known of coming coincident peaks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Peaks {
    /// The highest demand forecast known for each month of a rule, by the
    /// month's start.
    highs: BTreeMap<Timestamp, Power>,
    months: Vec<Interval>,
    demand: BTreeMap<Timestamp, Known<Power>>,
    probability: BTreeMap<Timestamp, Known<Share>>,
}

/// How a coincident peak bears on one interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeakOutlook {
    /// No rule has a peak in this month.
    OutOfSeason,
    /// A rule applies and nothing forecasts its peak.
    NotForecast,
    /// The expected charge per MWh, zero when a peak is not likely.
    Adder(EnergyPrice),
}

impl Peaks {
    /// Nothing known yet of the peaks of these rules.
    pub fn new(rules: &[CoincidentPeakRule]) -> Self {
        let months = rules.iter().flat_map(|rule| rule.months.iter().copied()).collect();
        Self {
            highs: BTreeMap::new(),
            months,
            demand: BTreeMap::new(),
            probability: BTreeMap::new(),
        }
    }

    /// Takes in a demand forecast; a later one for the same interval replaces it.
    pub fn learn_demand(&mut self, demand: Known<Power>, at: Timestamp) {
        forget_before(&mut self.demand, at);
        for month in self.months.iter().filter(|m| m.contains(demand.during.start)) {
            let high = self.highs.entry(month.start).or_insert(demand.value);
            *high = (*high).max(demand.value);
        }
        replace(&mut self.demand, demand);
    }

    /// Takes in a forecaster's probability.
    pub fn learn_probability(&mut self, probability: Known<Share>, at: Timestamp) {
        forget_before(&mut self.probability, at);
        replace(&mut self.probability, probability);
    }

    /// What the peaks of `rules` are expected to add to the cost of a MWh at `at`.
    pub fn outlook(&self, rules: &[CoincidentPeakRule], at: Timestamp) -> PeakOutlook {
        let mut outlook = PeakOutlook::OutOfSeason;
        for rule in rules {
            let Some(month) = rule.month_of(at) else {
                continue;
            };
            outlook = match (self.chance(rule, month, at), outlook) {
                (Some(chance), PeakOutlook::Adder(sum)) => {
                    PeakOutlook::Adder(sum + rule.expected_adder(chance))
                }
                (Some(chance), _) => PeakOutlook::Adder(rule.expected_adder(chance)),
                (None, PeakOutlook::Adder(sum)) => PeakOutlook::Adder(sum),
                (None, _) => PeakOutlook::NotForecast,
            };
        }
        outlook
    }

    fn chance(
        &self,
        rule: &CoincidentPeakRule,
        month: Interval,
        at: Timestamp,
    ) -> Option<Share> {
        if let Some(known) = covering(&self.probability, at) {
            return Some(known.value);
        }
        let forecast = covering(&self.demand, at)?.value;
        let high = self.highs.get(&month.start)?;
        let watched = forecast >= rule.watch.share_of_high.of_power(*high);
        Some(if watched { rule.watch.probability } else { Share::ZERO })
    }
}

fn covering<T: Copy>(
    known: &BTreeMap<Timestamp, Known<T>>,
    at: Timestamp,
) -> Option<Known<T>> {
    let (_, last) = known.range(..=at).next_back()?;
    last.during.contains(at).then_some(*last)
}

fn replace<T: Copy>(kept: &mut BTreeMap<Timestamp, Known<T>>, new: Known<T>) {
    let old = kept.entry(new.during.start).or_insert(new);
    if new.known_at >= old.known_at {
        *old = new;
    }
}

fn forget_before<T: Copy>(kept: &mut BTreeMap<Timestamp, Known<T>>, at: Timestamp) {
    while let Some(first) = kept.first_entry() {
        if first.get().during.end > at {
            break;
        }
        first.remove();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::Source;
    use settle::tariff::PeakWatch;
    use units::{PowerPrice, Seconds};

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("an instant")
    }

    fn four_cp() -> Vec<CoincidentPeakRule> {
        vec![CoincidentPeakRule {
            name: "4CP".into(),
            months: vec![Interval { start: at("2024-08-01"), end: at("2024-09-01") }],
            peaks_per_month: 1,
            peaks_per_year: 4,
            interval: Seconds::minutes(15),
            charge_per_kw_month: PowerPrice::parse_usd_per_kw("6").expect("a price"),
            watch: PeakWatch {
                share_of_high: Share::from_ppm(980_000),
                probability: Share::from_ppm(50_000),
            },
        }]
    }

    fn forecast(start: &str, gigawatts: i64) -> Known<Power> {
        Known {
            value: Power::from_mw(gigawatts * 1_000),
            during: Interval::starting(at(start), Seconds::hours(1)),
            known_at: at("2024-08-19"),
            source: Source::SystemForecast,
        }
    }

    #[test]
    fn only_hours_near_the_months_high_are_watched() {
        let rules = four_cp();
        let mut peaks = Peaks::new(&rules);
        let now = at("2024-08-19");
        peaks.learn_demand(forecast("2024-08-20T20:00Z", 80), now);
        peaks.learn_demand(forecast("2024-08-20T21:00Z", 85), now);
        peaks.learn_demand(forecast("2024-08-20T22:00Z", 84), now);
        let adder = |text| peaks.outlook(&rules, at(text));
        let watched = PeakOutlook::Adder(EnergyPrice::from_usd_per_mwh(3_600));
        assert_eq!(adder("2024-08-20T20:30Z"), PeakOutlook::Adder(EnergyPrice::ZERO));
        assert_eq!(adder("2024-08-20T21:30Z"), watched);
        assert_eq!(adder("2024-08-20T22:30Z"), watched);
        assert_eq!(adder("2024-08-21T22:30Z"), PeakOutlook::NotForecast);
        assert_eq!(adder("2024-09-01T21:00Z"), PeakOutlook::OutOfSeason);
    }
}
