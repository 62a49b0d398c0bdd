//! The answer of a backtest as one page that needs nothing else.
//!
//! Every picture is made here as SVG, so the page is complete without its
//! script; the script adds values under the pointer and zoom. Text that comes
//! from files is escaped by the templates, which are the only place that writes
//! markup.
//!
//! Floats appear here and nowhere before: they are places on paper.

mod duration;
mod megawatts;
mod months;

use anyhow::{Context, Result};
use askama::Template;
use units::Money;

use super::comparison::{self, mean_mw};
use super::{figures, words};
use crate::answer::{Answer, Highlight};
use crate::chart::Figure;

/// The page of an answer: one file of HTML, without any request to elsewhere.
pub fn page(answer: &Answer) -> Result<String> {
    Page::of(answer).render().context("the report's template cannot be filled in")
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    style: &'static str,
    script: &'static str,
    program: &'static str,
    site: &'a str,
    market: String,
    range: String,
    length: String,
    compared: bool,
    headlines: Vec<Headline>,
    comparison: Vec<comparison::Row>,
    head: &'static [&'static str; 4],
    megawatts: megawatts::Picture,
    duration: Option<duration::Picture>,
    months: months::Picture,
    highlights: Vec<Moment<'a>>,
    loads: Vec<LoadLine<'a>>,
    hindsight: Vec<String>,
    peaks: Vec<String>,
    footing: Vec<String>,
    lacks: Vec<String>,
    notes: &'a [String],
}

/// A figure to see first, with what it is compared to.
struct Headline {
    label: &'static str,
    figure: String,
    unit: &'static str,
    beside: String,
}

/// One of the most valuable hours.
struct Moment<'a> {
    hour: String,
    gain: String,
    /// The gain as a part of the best hour's, in percent, for a bar.
    bar: i64,
    price: String,
    drawn: String,
    always_on: String,
    decided: String,
    reasons: &'a [String],
}

/// One load's row.
struct LoadLine<'a> {
    name: &'a str,
    used_for: &'static str,
    model: &'a str,
    efficiency: String,
    worth: String,
    uptime: String,
    mean_mw: String,
    energy: String,
    revenue: String,
    per_mwh: String,
    starts: String,
}

impl<'a> Page<'a> {
    fn of(answer: &'a Answer) -> Self {
        let market = &answer.site.market;
        Self {
            style: include_str!("../../templates/report.css"),
            script: include_str!("../../templates/report.js"),
            program: concat!("mw ", env!("CARGO_PKG_VERSION")),
            site: &answer.site.name,
            market: format!("{} {}", market.name, market.settlement_point),
            range: answer.range.to_string(),
            length: format!(
                "{} h in {}",
                words::hours(answer.range.duration()),
                words::so_many(answer.intervals, "interval", "intervals")
            ),
            compared: words::compared(answer),
            headlines: headlines(answer),
            comparison: comparison::rows(answer),
            head: &comparison::HEAD,
            megawatts: megawatts::picture(answer),
            duration: duration::picture(answer),
            months: months::picture(answer),
            highlights: moments(&answer.highlights),
            loads: loads(answer),
            hindsight: words::hindsight(answer),
            peaks: answer
                .peaks
                .iter()
                .map(|peak| words::peak(peak, words::compared(answer)))
                .collect(),
            footing: words::footing(answer),
            lacks: words::lacks(answer),
            notes: &answer.notes,
        }
    }
}

fn headlines(answer: &Answer) -> Vec<Headline> {
    let (ours, theirs) = (&answer.policy, &answer.always_on);
    let compared = words::compared(answer);
    let span = i128::from(answer.range.duration().as_seconds());
    let beside = |text: String| if compared { text } else { String::new() };
    let gain = figures::above(ours.margin(), theirs.margin());
    let paid = |totals| {
        words::paid_per_mwh(totals).map_or("no energy".to_owned(), |price| {
            format!("{} USD/MWh", figures::usd_per_mwh(price))
        })
    };
    let mut headlines = vec![
        Headline {
            label: "Margin",
            figure: figures::usd_or_not(ours.margin()),
            unit: if ours.mining_unknown { "" } else { "USD" },
            beside: gain.map_or(String::new(), |gain| {
                let sign = if gain > Money::ZERO { "+" } else { "" };
                beside(format!("{sign}{} USD against always on", figures::usd(gain)))
            }),
        },
        Headline {
            label: "Revenue",
            figure: figures::usd_or_not(ours.revenue()),
            unit: if ours.mining_unknown { "" } else { "USD" },
            beside: beside(format!(
                "always on {}",
                figures::usd_or_not(theirs.revenue())
            )),
        },
        Headline {
            label: "Power",
            figure: figures::usd(ours.power()),
            unit: "USD",
            beside: format!(
                "{} paid{}",
                paid(ours),
                beside(format!("; always on {}", paid(theirs)))
            ),
        },
        Headline {
            label: "Energy drawn",
            figure: figures::mwh(ours.site, 0),
            unit: "MWh",
            beside: format!(
                "mean {} MW of {} MW",
                mean_mw(ours.site, answer.range.duration()),
                figures::mw(answer.site.interconnection.import_limit, 1)
            ),
        },
        Headline {
            label: "Curtailed by price",
            figure: words::hours(answer.curtailed),
            unit: "h",
            beside: format!(
                "{} of the time",
                words::percent(i128::from(answer.curtailed.as_seconds()), span)
            ),
        },
    ];
    headlines.extend(answer.peaks.first().map(|peak| Headline {
        label: "Coincident peak",
        figure: peak.charge.map_or("not computed".to_owned(), figures::usd),
        unit: if peak.charge.is_some() { "USD" } else { "" },
        beside: match (peak.charge, peak.always_on) {
            (Some(_), Some(other)) if compared => {
                format!("always on {}; not in the margin", figures::usd(other))
            }
            (Some(_), _) => "not in the margin".to_owned(),
            (None, _) => {
                format!("expected by forecast: {} USD", figures::usd(peak.expected))
            }
        },
    }));
    headlines
}

fn moments(highlights: &[Highlight]) -> Vec<Moment<'_>> {
    let best = highlights.first().map_or(1, |first| first.gain.as_micro_usd().max(1));
    highlights
        .iter()
        .map(|highlight| Moment {
            hour: highlight.during.start.to_string().replace('T', " ").replace('Z', ""),
            gain: figures::usd(highlight.gain),
            bar: highlight.gain.as_micro_usd() / (best / 100).max(1),
            price: highlight
                .price_max
                .map_or("no price".to_owned(), figures::usd_per_mwh),
            drawn: figures::mw(highlight.drawn, 1),
            always_on: figures::mw(highlight.always_on, 1),
            decided: highlight.interval.to_string(),
            reasons: &highlight.reasons,
        })
        .collect()
}

fn loads(answer: &Answer) -> Vec<LoadLine<'_>> {
    let dash = || "-".to_owned();
    answer
        .loads
        .iter()
        .enumerate()
        .map(|(place, load)| LoadLine {
            name: &load.name,
            used_for: load.used_for.name(),
            model: load.model.as_deref().unwrap_or("-"),
            efficiency: words::efficiency(&answer.site, place)
                .map_or_else(dash, words::joules_per_terahash),
            worth: load.worth_mean.map_or_else(dash, figures::usd_per_mwh),
            uptime: words::uptime(load),
            mean_mw: mean_mw(load.energy, answer.range.duration()),
            energy: figures::mwh(load.energy, 1),
            revenue: figures::usd(load.revenue),
            per_mwh: load
                .revenue
                .per_mwh(load.energy)
                .filter(|_| !load.revenue.is_zero())
                .map_or_else(dash, figures::usd_per_mwh),
            starts: figures::count(load.starts),
        })
        .collect()
}
