//! The price duration curve, with the prices at which each model breaks even.
//!
//! The share of time goes by its square root: the dearest hour in a hundred takes
//! a tenth of the width, because that is where deciding is worth something.

use std::collections::BTreeMap;

use engine::site::LoadKind;
use units::{EnergyPrice, Seconds};

use super::super::{figures, words};
use super::Figure;
use super::megawatts::usd;
use crate::answer::Answer;
use crate::chart::{Mark, Panel, Pen, Prices, line, text};
use crate::ledger::Use;

const WIDTH: f64 = 1180.0;
const LEFT: f64 = 56.0;
const PLOT: f64 = 690.0;
const TOP: f64 = 26.0;
const HEIGHT: f64 = 330.0;
/// A label's height.
const LABEL: f64 = 15.0;
/// Steps of the curve, even on paper.
const STEPS: i64 = 1_000;
/// Shares of the time to name, in percent.
const SHARES: [(f64, &str); 11] = [
    (0.0, "0"),
    (0.2, "0.2"),
    (1.0, "1"),
    (2.0, "2"),
    (5.0, "5"),
    (10.0, "10"),
    (20.0, "20"),
    (35.0, "35"),
    (50.0, "50"),
    (75.0, "75"),
    (100.0, "100"),
];

/// The picture and what goes with it.
pub(super) struct Picture {
    pub(super) figure: Figure,
    /// The price at each step of the curve, as a list for the script.
    pub(super) values: String,
    /// The hours that have a price.
    pub(super) hours: String,
    pub(super) seconds: i64,
}

/// What one or more loads break even at.
struct BreakEven {
    price: EnergyPrice,
    label: String,
}

/// The curve; `None` where no interval has a price.
pub(super) fn picture(answer: &Answer) -> Option<Picture> {
    let whole: Seconds = answer.prices.iter().map(|(_, held)| *held).sum();
    let (highest, lowest) = (answer.prices.first()?.0, answer.prices.last()?.0);
    if whole == Seconds::ZERO {
        return None;
    }
    let breaks = break_evens(answer, whole);
    let top = breaks.iter().map(|b| b.price).fold(highest, EnergyPrice::max);
    let prices = Prices::new(usd(lowest), usd(top) * 1.1, (HEIGHT, 0.0));
    let across = |percent: f64| (percent / 100.0).sqrt() * PLOT;

    let mut marks = Vec::new();
    for tick in prices.ticks(18.0) {
        let y = TOP + prices.at(tick);
        let class = if tick == 0.0 { "zero" } else { "grid" };
        marks.push(line(class, (LEFT, y), (LEFT + PLOT, y)));
        let name = figures::grouped(&format!("{tick:.0}"));
        marks.push(text("tick end", (LEFT - 6.0, y + 4.0), name));
    }
    for (tick, name) in SHARES {
        let x = LEFT + across(tick);
        marks.push(line("grid time", (x, TOP), (x, TOP + HEIGHT)));
        marks.push(text("tick middle", (x, TOP + HEIGHT + 16.0), name));
    }
    marks.push(text(
        "unit start",
        (0.0, TOP - 12.0),
        "USD/MWh, even to ±20, by factors beyond",
    ));
    marks.push(text(
        "unit end",
        (LEFT + PLOT, TOP + HEIGHT + 32.0),
        "share of the time at or above the price, in %, by its square root",
    ));
    marks.push(text(
        "unit start",
        (LEFT + PLOT + 34.0, TOP - 12.0),
        "Mean break-even, USD/MWh at the meter; price above it",
    ));
    label(&breaks, &prices, &mut marks);

    let at_steps = at_steps(answer, whole);
    let mut curve = Pen::default();
    for (step, price) in at_steps.iter().enumerate() {
        let x = step as f64 / STEPS as f64 * PLOT;
        if step == 0 {
            curve.go(x, prices.at(usd(*price)));
        } else {
            curve.draw(x, prices.at(usd(*price)));
        }
    }
    let mut inside: Vec<Mark> = breaks
        .iter()
        .map(|b| {
            let y = prices.at(usd(b.price));
            line("break-even", (0.0, y), (PLOT, y))
        })
        .collect();
    inside.push(curve.mark("price-mean"));
    let values: Vec<String> =
        at_steps.iter().map(|price| price.to_usd_per_mwh_text(2)).collect();
    Some(Picture {
        figure: Figure {
            id: "duration",
            label: format!(
                "Settlement prices from {highest} down to {lowest}, with break-evens"
            ),
            width: WIDTH,
            height: TOP + HEIGHT + 42.0,
            marks,
            panels: vec![Panel {
                left: LEFT,
                top: TOP,
                width: PLOT,
                height: HEIGHT,
                marks: inside,
            }],
        },
        values: format!("[{}]", values.join(",")),
        hours: words::hours(whole),
        seconds: whole.as_seconds(),
    })
}

/// The price at each step of the time that has one, dearest first.
fn at_steps(answer: &Answer, whole: Seconds) -> Vec<EnergyPrice> {
    let mut prices = answer.prices.iter();
    let (mut price, mut until) = (EnergyPrice::ZERO, 0);
    (0..=STEPS)
        .map(|step| {
            // Even steps on paper are squares of them in time.
            let wanted = whole.as_seconds() * step * step / (STEPS * STEPS);
            while until <= wanted {
                let Some((next, held)) = prices.next() else { break };
                price = *next;
                until += held.as_seconds();
            }
            price
        })
        .collect()
}

/// What rigs break even at, one entry a model and price, with their strikes;
/// dearest first.
fn break_evens(answer: &Answer, whole: Seconds) -> Vec<BreakEven> {
    let mut found: Vec<(EnergyPrice, String)> = Vec::new();
    for (place, load) in answer.loads.iter().enumerate() {
        let (Use::Mining, Some(worth)) = (load.used_for, load.worth_mean) else {
            continue;
        };
        let model = load.model.as_deref().unwrap_or(&load.name);
        let efficiency = words::efficiency(&answer.site, place)
            .map_or(String::new(), |efficiency| {
                format!(", {} J/TH", words::joules_per_terahash(efficiency))
            });
        let one = (worth, format!("{model}{efficiency}"));
        if !found.contains(&one) {
            found.push(one);
        }
    }
    found.extend(strikes(answer));
    found.sort_by(|a, b| b.cmp(a));
    found
        .into_iter()
        .map(|(price, model)| {
            let above: i64 = answer
                .prices
                .iter()
                .take_while(|(paid, _)| *paid > price)
                .map(|(_, held)| held.as_seconds())
                .sum();
            let share = words::percent(i128::from(above), i128::from(whole.as_seconds()));
            BreakEven {
                price,
                label: format!("{}  {model}: {share}", figures::usd_per_mwh(price)),
            }
        })
        .collect()
}

/// The prices above which rigs stop whatever they earn, one entry a price.
fn strikes(answer: &Answer) -> Vec<(EnergyPrice, String)> {
    let mut loads: BTreeMap<EnergyPrice, u64> = BTreeMap::new();
    for load in &answer.site.loads {
        match &load.kind {
            LoadKind::Rigs(rigs) => {
                if let Some(strike) = rigs.strike {
                    *loads.entry(strike).or_default() += 1;
                }
            }
            LoadKind::Racks(_) | LoadKind::Battery(_) => {}
        }
    }
    let of = |loads| words::so_many(loads, "load", "loads");
    loads
        .into_iter()
        .map(|(strike, loads)| (strike, format!("strike of {}", of(loads))))
        .collect()
}

/// Writes the labels beside the plot, moved apart, each led to its line.
fn label(breaks: &[BreakEven], prices: &Prices, marks: &mut Vec<Mark>) {
    let wanted: Vec<f64> = breaks.iter().map(|b| TOP + prices.at(usd(b.price))).collect();
    let mut places: Vec<f64> = Vec::with_capacity(wanted.len());
    for y in &wanted {
        let lowest = places.last().map_or(*y, |above| above + LABEL);
        places.push(y.max(lowest));
    }
    // Moved down as a whole is half the truth: move back up around the middle.
    let drift: f64 = wanted.iter().zip(&places).map(|(want, is)| is - want).sum::<f64>()
        / places.len().max(1) as f64;
    let highest = places.first().map_or(0.0, |first| first - TOP).max(0.0);
    let up = drift.clamp(0.0, highest);
    for ((want, place), b) in wanted.iter().zip(&places).zip(breaks) {
        let (from, to) = (LEFT + PLOT, LEFT + PLOT + 30.0);
        let y = place - up;
        marks.push(line("leader", (from, *want), (to, y)));
        marks.push(text("value start", (to + 4.0, y + 4.0), b.label.clone()));
    }
}
