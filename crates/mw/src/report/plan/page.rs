//! A plan's answer as one page that needs nothing else.
//!
//! Pictures are made here as SVG; text that comes from files is escaped by the template.

use anyhow::{Context, Result};
use askama::Template;
use plan::{Answer, Line, Month, Outcome, Plan, Search};
use units::Money;

use super::{
    Bar, Tornado, hundredths, millions, schedule, text as summary, tornado, usd,
};
use crate::chart::{Figure, Linear, Mark, Panel, Pen, Place, line, text};

mod frontier;
mod sites;

const WIDTH: f64 = 1180.0;
const LEFT: f64 = 72.0;
const PLOT: f64 = WIDTH - LEFT - 8.0;
const TOP: f64 = 26.0;
const HEIGHT: f64 = 260.0;
const MILLION: f64 = 1e6;

#[derive(Template)]
#[template(path = "plan.html")]
struct Page<'a> {
    style: &'static str,
    program: &'static str,
    name: &'a str,
    range: String,
    futures: String,
    headlines: Vec<Headline>,
    parts: Vec<Part>,
    cash: Figure,
    net: Figure,
    gain: Figure,
    sites: Option<Figure>,
    tornado: Option<Figure>,
    tornado_futures: u64,
    frontier: Option<Figure>,
    text: String,
}

/// A figure to see first.
struct Headline {
    label: &'static str,
    figure: String,
    unit: &'static str,
    beside: String,
}

/// A part of a month's cash, with its look.
struct Part {
    class: &'static str,
    name: &'static str,
    lines: &'static [Line],
}

/// The parts of a month's cash, from the foot of the stack.
const PARTS: [Part; 7] = [
    Part {
        class: "bar contracted",
        name: "tenants, and what they pay ahead",
        lines: &[Line::Contract, Line::Prepayment, Line::Closed],
    },
    Part { class: "bar uncommitted", name: "racks let", lines: &[Line::Spot] },
    Part { class: "bar mining", name: "mining", lines: &[Line::Mining] },
    Part {
        class: "bar power",
        name: "power, peaks and running",
        lines: &[
            Line::PowerMining,
            Line::PowerRacks,
            Line::Blocks,
            Line::Peaks,
            Line::Running,
        ],
    },
    Part {
        class: "bar wear",
        name: "works and machines, less what is sold",
        lines: &[Line::Works, Line::Equipment, Line::Resale],
    },
    Part {
        class: "bar battery",
        name: "lenders",
        lines: &[Line::Drawn, Line::Interest, Line::Repaid, Line::Owed],
    },
    Part { class: "bar gain", name: "tax", lines: &[Line::Tax] },
];

impl Part {
    fn of(&self, month: &Month) -> f64 {
        usd(self.lines.iter().map(|line| month.of(*line)).sum::<Money>())
    }
}

/// The page of an answer: one file of HTML, without any request to elsewhere.
///
/// # Errors
///
/// When the template cannot be filled in.
pub fn page(
    plan: &Plan,
    answer: &Answer,
    outcomes: &[Outcome],
    (seed, asked): (u64, u64),
    of: &Tornado,
    search: Option<&Search>,
) -> Result<String> {
    let page = Page {
        style: include_str!("../../../templates/report.css"),
        program: concat!("mw ", env!("CARGO_PKG_VERSION")),
        name: &plan.name,
        range: format!("{} to {}", plan.first, plan.end().previous()),
        futures: format!("{} futures from seed {seed}", answer.paths),
        headlines: headlines(plan, answer),
        parts: PARTS.into(),
        cash: cash(plan, answer),
        net: net(plan, answer),
        gain: gain(outcomes),
        sites: sites::figure(plan, answer),
        tornado: of.bars.first().map(|first| tornado_figure(&of.bars, first.middle_usd)),
        tornado_futures: of.futures,
        frontier: search.and_then(|search| frontier::figure(plan, search)),
        text: summary(plan, answer, seed, asked)
            + &tornado(of)
            + &search.map_or_else(String::new, |search| schedule(plan, search)),
    };
    page.render().context("the plan's template cannot be filled in")
}

fn headlines(plan: &Plan, answer: &Answer) -> Vec<Headline> {
    let gain = answer.npv_gain_usd;
    let mut found = vec![
        Headline {
            label: "Converting over staying",
            figure: millions(gain.mean),
            unit: "million USD",
            beside: format!("5 to 95 %: {} to {}", millions(gain.p5), millions(gain.p95)),
        },
        Headline {
            label: "Futures in which it is worth more",
            figure: format!("{:.1}", answer.gains * 100.0),
            unit: "%",
            beside: format!("at {} a year", plan.rules.discount),
        },
        Headline {
            label: "Most that owners put in",
            figure: millions(answer.funding_usd.p50),
            unit: "million USD",
            beside: format!("one in twenty: {}", millions(answer.funding_usd.p95)),
        },
    ];
    if let (Some(least), Some(breach)) = (answer.coverage_least, answer.breach) {
        found.push(Headline {
            label: "Least coverage of a future",
            figure: hundredths(least.p50),
            unit: "",
            beside: format!("below the covenant in {:.1} %", breach * 100.0),
        });
    }
    found
}

/// Where a month's bar begins, and how wide it is.
fn slot(place: usize, count: usize) -> (f64, f64) {
    let width = PLOT / count.max(1) as f64;
    (place as f64 * width + width * 0.1, width * 0.8)
}

/// Draws the lines and names of a scale of millions.
fn axis(scale: &Linear, title: &str, marks: &mut Vec<Mark>) {
    let (ticks, digits) = scale.ticks(6.0);
    for tick in ticks {
        let y = TOP + scale.at(tick);
        let class = if tick == 0.0 { "zero" } else { "grid" };
        marks.push(line(class, (LEFT, y), (LEFT + PLOT, y)));
        marks.push(text("tick end", (LEFT - 6.0, y + 4.0), format!("{tick:.digits$}")));
    }
    marks.push(text("unit start", (0.0, TOP - 12.0), title));
}

/// Names every twelfth month under the plot.
fn names(plan: &Plan, count: usize, marks: &mut Vec<Mark>) {
    for place in (0..count).step_by(12) {
        let (x, _) = slot(place, count);
        let name = plan.period(place).to_string();
        marks.push(text("tick start", (LEFT + x, TOP + HEIGHT + 16.0), name));
    }
}

fn figure(id: &'static str, label: &str, marks: Vec<Mark>, inside: Vec<Mark>) -> Figure {
    let panel =
        Panel { left: LEFT, top: TOP, width: PLOT, height: HEIGHT, marks: inside };
    Figure {
        id,
        label: label.to_owned(),
        width: WIDTH,
        height: TOP + HEIGHT + 30.0,
        marks,
        panels: vec![panel],
    }
}

fn cash(plan: &Plan, answer: &Answer) -> Figure {
    let sum = |month: &Month, sign: f64| -> f64 {
        PARTS.iter().map(|part| (part.of(month) / MILLION * sign).max(0.0)).sum()
    };
    let high = answer.months.iter().map(|month| sum(month, 1.0)).fold(1.0, f64::max);
    let low = answer.months.iter().map(|month| sum(month, -1.0)).fold(0.0, f64::max);
    let scale = Linear::new(-low, high, (HEIGHT, 0.0));
    let (mut marks, mut inside) = (Vec::new(), Vec::new());
    axis(&scale, "Cash, million USD", &mut marks);
    names(plan, answer.months.len(), &mut marks);
    for (place, month) in answer.months.iter().enumerate() {
        let (left, width) = slot(place, answer.months.len());
        let (mut up, mut down) = (0.0, 0.0);
        for part in &PARTS {
            let value = part.of(month) / MILLION;
            let base = if value < 0.0 { &mut down } else { &mut up };
            let (from, to) = (*base, *base + value);
            *base = to;
            let top = scale.at(from.max(to));
            if value != 0.0 {
                inside.push(Mark::Box {
                    class: part.class,
                    at: Place(left, top),
                    width,
                    height: scale.at(from.min(to)) - top,
                    hint: format!("{}: {} {value:.1}", plan.period(place), part.name),
                });
            }
        }
    }
    figure("cash", "Mean cash by month and kind", marks, inside)
}

fn net(plan: &Plan, answer: &Answer) -> Figure {
    let bands = &answer.net_usd;
    let low = bands.iter().map(|band| band.p5 / MILLION).fold(0.0, f64::min);
    let high = bands.iter().map(|band| band.p95 / MILLION).fold(1.0, f64::max);
    let scale = Linear::new(low, high, (HEIGHT, 0.0));
    let (mut marks, mut area, mut middle) = (Vec::new(), Pen::default(), Pen::default());
    axis(&scale, "Net cash, million USD", &mut marks);
    names(plan, bands.len(), &mut marks);
    let x = |place: usize| {
        let (left, width) = slot(place, bands.len());
        left + width / 2.0
    };
    for (place, band) in bands.iter().enumerate() {
        let (upper, value) = (scale.at(band.p95 / MILLION), scale.at(band.p50 / MILLION));
        if place == 0 {
            area.go(x(place), upper);
            middle.go(x(place), value);
        } else {
            area.draw(x(place), upper);
            middle.draw(x(place), value);
        }
    }
    for (place, band) in bands.iter().enumerate().rev() {
        area.draw(x(place), scale.at(band.p5 / MILLION));
    }
    area.close();
    let inside = vec![area.mark("band"), middle.mark("price-mean")];
    figure("net", "Net cash by month, the middle and the band of futures", marks, inside)
}

/// How many futures gain how much, in at most forty steps.
fn gain(outcomes: &[Outcome]) -> Figure {
    let gains: Vec<f64> =
        outcomes.iter().map(|o| usd(o.npv - o.npv_stay) / MILLION).collect();
    let low = gains.iter().copied().fold(0.0, f64::min);
    let high = gains.iter().copied().fold(1.0, f64::max);
    let across = Linear::new(low, high, (0.0, PLOT));
    let count = outcomes.len().clamp(1, 40);
    let mut steps = vec![0_u32; count];
    for gain in &gains {
        let place = (across.at(*gain) / PLOT * count as f64) as usize;
        steps[place.min(count - 1)] += 1;
    }
    let most = f64::from(steps.iter().copied().max().unwrap_or(1));
    let scale = Linear::new(0.0, most, (HEIGHT, 0.0));
    let (mut marks, mut inside) = (Vec::new(), Vec::new());
    axis(&scale, "Futures", &mut marks);
    let (ticks, digits) = across.ticks(10.0);
    for tick in ticks {
        let x = LEFT + across.at(tick);
        let name = format!("{tick:.digits$}");
        marks.push(text("tick middle", (x, TOP + HEIGHT + 16.0), name));
    }
    for (place, futures) in steps.into_iter().enumerate() {
        let (left, width) = slot(place, count);
        let top = scale.at(f64::from(futures));
        inside.push(Mark::Box {
            class: "bar contracted",
            at: Place(left, top),
            width,
            height: HEIGHT - top,
            hint: format!("{futures} futures"),
        });
    }
    inside.push(line("limit", (across.at(0.0), 0.0), (across.at(0.0), HEIGHT)));
    figure(
        "gain",
        "Converting over staying, million USD, by number of futures",
        marks,
        inside,
    )
}

fn tornado_figure(bars: &[Bar], middle_usd: f64) -> Figure {
    const ROW: f64 = 24.0;
    const NAMES: f64 = 330.0;
    let ends = || bars.iter().flat_map(|bar| [bar.low_usd, bar.high_usd, middle_usd]);
    let low = ends().fold(f64::INFINITY, f64::min) / MILLION;
    let high = ends().fold(f64::NEG_INFINITY, f64::max) / MILLION;
    let width = WIDTH - NAMES - 80.0;
    let scale = Linear::new(low, high, (0.0, width));
    let height = bars.len() as f64 * ROW;
    let (mut marks, mut inside) = (Vec::new(), Vec::new());
    for (place, bar) in bars.iter().enumerate() {
        let top = place as f64 * ROW;
        marks.push(text("tick end", (NAMES - 8.0, TOP + top + 16.0), bar.name));
        for (class, value) in
            [("bar contracted", bar.low_usd), ("bar uncommitted", bar.high_usd)]
        {
            let (from, to) = (scale.at(middle_usd / MILLION), scale.at(value / MILLION));
            inside.push(Mark::Box {
                class,
                at: Place(from.min(to), top + 3.0),
                width: (to - from).abs(),
                height: ROW - 6.0,
                hint: format!("{}: {}", bar.name, millions(value)),
            });
        }
    }
    let (ticks, digits) = scale.ticks(8.0);
    for tick in ticks {
        let x = NAMES + scale.at(tick);
        marks.push(text(
            "tick middle",
            (x, TOP + height + 16.0),
            format!("{tick:.digits$}"),
        ));
    }
    marks.push(text(
        "unit start",
        (0.0, TOP - 12.0),
        "Converting over staying, million USD",
    ));
    Figure {
        id: "tornado",
        label: "What each assumption does to converting over staying".to_owned(),
        width: WIDTH,
        height: TOP + height + 30.0,
        marks,
        panels: vec![Panel { left: NAMES, top: TOP, width, height, marks: inside }],
    }
}
