//! `mw regret`: how far a policy falls short of the optimum in hindsight.

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use engine::site::{ForecastFrom, LookAhead};
use engine::{Signal, Source as From};
use units::{Interval, Seconds, Share, Timestamp};

use super::Ending;
use super::backtest::print;
use super::source::Source;
use crate::config;
use crate::drive::backtest::{Options, run};
use crate::feed::Feed;
use crate::hindsight::{Past, perfect};
use crate::report::regret::{self, Line};

/// Show how far a site's policy falls short of the optimum in hindsight, by year and
/// forecast.
///
/// Each calendar year in UTC is run once for each forecast that the history can feed,
/// once without a look ahead, and once told every price ahead.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("given").args(["history", "synth"]).required(true).multiple(true))]
pub(super) struct Regret {
    /// The site: a folder with a site.toml, or the file itself.
    site: PathBuf,
    #[command(flatten)]
    source: Source,
    /// Where to start, in UTC: a date or an instant with its offset.
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    from: Option<Timestamp>,
    /// Where to end, not included, in UTC: a date or an instant with its offset.
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    to: Option<Timestamp>,
    /// Print the table as JSON.
    #[arg(long)]
    json: bool,
}

impl Regret {
    pub(super) fn run(self) -> anyhow::Result<Ending> {
        let mut loaded = config::load(&self.site)?;
        let (feed, range, _) = self.source.prepare(&mut loaded, self.from, self.to)?;
        let mut lines = Vec::new();
        for year in years(range) {
            let mut site = loaded.site.clone();
            let told = perfect(&site, &feed, year)?;
            let mut always_on = None;
            for (name, look_ahead) in policies(site.policy.look_ahead, &feed, year) {
                site.policy.look_ahead = look_ahead;
                let mut past = Past::new(&site, &feed, year);
                // Always on is the same whatever is forecast.
                let compare = always_on.is_none();
                let options = Options { compare, ..Options::default() };
                run(&site, &feed, year, options, |line| {
                    past.add(line);
                    Ok(())
                })?;
                let found = past.judge(told).map(|mut found| {
                    found.always_on = found.always_on.or(always_on);
                    always_on = found.always_on;
                    found
                });
                lines.push(Line { during: year, forecast: name, found });
            }
        }
        print(&if self.json {
            serde_json::to_string_pretty(&regret::document(&loaded.site, &lines))? + "\n"
        } else {
            regret::text(&loaded.site, &lines)
        })?;
        Ok(Ending::Well)
    }
}

/// The calendar years of a range, the first and last as far as it reaches.
fn years(range: Interval) -> Vec<Interval> {
    let mut years = Vec::new();
    let mut start = range.start;
    while start < range.end {
        let (year, ..) = start.utc_date();
        let next = Timestamp::parse(&format!("{:04}-01-01", year + 1));
        let end = next.map_or(range.end, |next| next.min(range.end));
        years.push(Interval { start, end });
        start = end;
    }
    years
}

/// What is compared: no look ahead, and one on each forecast that the feed has.
fn policies(
    own: LookAhead,
    feed: &Feed,
    during: Interval,
) -> Vec<(&'static str, LookAhead)> {
    let length = if own.length.is_zero() { Seconds::hours(24) } else { own.length };
    let on = |forecast| LookAhead { length, forecast };
    let half = ForecastFrom::Quantile { share: Share::from_ppm(500_000), days: 28 };
    let mut policies = vec![
        ("none", LookAhead::NONE),
        ("persistence", on(ForecastFrom::Persistence)),
        ("median of 28 days", on(half)),
    ];
    // A day ahead of the next year's first day is no year of day-ahead prices.
    let signals = || feed.heard_over(during, &own).map(|(_, signal)| signal);
    let day_ahead: i64 = signals()
        .filter_map(|signal| match signal {
            Signal::Price(price) if price.source == From::DayAhead => Some(price.during),
            Signal::Price(_)
            | Signal::Hashprice(_)
            | Signal::Temperature(_)
            | Signal::DemandForecast(_)
            | Signal::PeakProbability(_)
            | Signal::Instruction(_)
            | Signal::Heard(_)
            | Signal::Draw(_)
            | Signal::Sweep(_)
            | Signal::Exposure(_)
            | Signal::SpotOffer(_)
            | Signal::Forecast(_) => None,
        })
        .filter(|hour| during.contains(hour.start))
        .map(|hour| hour.duration().as_seconds())
        .sum();
    if day_ahead * 2 >= during.duration().as_seconds() {
        policies.push(("day-ahead", on(ForecastFrom::DayAhead)));
    }
    if signals().any(|signal| matches!(signal, Signal::Forecast(_))) {
        policies.push(("file", on(ForecastFrom::Told)));
    }
    policies
}
