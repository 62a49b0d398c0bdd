//! Megawatts by use over time, stacked, with the price over them.

use std::fmt::Write as _;

use units::EnergyPrice;

use super::super::figures;
use super::Figure;
use crate::answer::{Answer, Bucket};
use crate::chart::{Linear, Mark, Panel, Pen, Place, Prices, Time, line, stack, text};
use crate::ledger::Use;

const WIDTH: f64 = 1180.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 66.0;
const PLOT: f64 = WIDTH - LEFT - RIGHT;
const PRICE_TOP: f64 = 26.0;
const PRICE_HEIGHT: f64 = 150.0;
const POWER_TOP: f64 = 206.0;
const POWER_HEIGHT: f64 = 250.0;
const HEIGHT: f64 = 484.0;

/// The picture and what goes with it.
pub(super) struct Picture {
    pub(super) figure: Figure,
    /// The uses shown, in the order of the stack from its foot.
    pub(super) uses: Vec<Used>,
    /// How long one step of the picture is.
    pub(super) step: String,
    /// The figures of each step, as a list for the script.
    pub(super) values: String,
}

/// A use as the legend shows it.
pub(super) struct Used {
    pub(super) key: &'static str,
    pub(super) name: &'static str,
}

/// Dollars per MWh as a place's value.
pub(super) fn usd(price: EnergyPrice) -> f64 {
    price.as_micro_usd_per_mwh() as f64 / 1e6
}

fn megawatts(bucket: &Bucket, used_for: Use) -> f64 {
    bucket.power(used_for).as_watts() as f64 / 1e6
}

pub(super) fn picture(answer: &Answer) -> Picture {
    let time = Time::new(answer.range, (0.0, PLOT));
    let uses: Vec<Use> = Use::ALL
        .into_iter()
        .filter(|wanted| answer.loads.iter().any(|load| load.used_for == *wanted))
        .collect();
    let mut marks = Vec::new();
    let price_panel = price(answer, &time, &mut marks);
    let power_panel = power(answer, &time, &uses, &mut marks);
    for (at, name) in time.ticks() {
        let x = LEFT + time.at(at);
        for (top, height) in [(PRICE_TOP, PRICE_HEIGHT), (POWER_TOP, POWER_HEIGHT)] {
            marks.push(line("grid time", (x, top), (x, top + height)));
        }
        let foot = POWER_TOP + POWER_HEIGHT;
        marks.push(line("axis time", (x, foot), (x, foot + 5.0)));
        marks.push(text("tick time start", (x + 3.0, foot + 16.0), name));
    }
    Picture {
        figure: Figure {
            id: "megawatts",
            label: format!(
                "Settlement price and megawatts by use over time, {}, in UTC",
                answer.range
            ),
            width: WIDTH,
            height: HEIGHT,
            marks,
            panels: vec![price_panel, power_panel],
        },
        step: answer
            .picture
            .first()
            .map_or(String::new(), |bucket| bucket.during.duration().to_string()),
        values: values(answer, &uses),
        uses: uses
            .into_iter()
            .map(|used_for| Used { key: used_for.key(), name: used_for.name() })
            .collect(),
    }
}

fn price(answer: &Answer, time: &Time, marks: &mut Vec<Mark>) -> Panel {
    let means = answer.picture.iter().filter_map(Bucket::price_mean).map(usd);
    let highs = answer.picture.iter().filter_map(|b| b.price_max).map(usd);
    let low = means.fold(0.0, f64::min);
    let high = highs.fold(0.0, f64::max);
    let prices = Prices::new(low, high * 1.8, (PRICE_HEIGHT, 0.0));
    for tick in prices.ticks(17.0) {
        let y = PRICE_TOP + prices.at(tick);
        let class = if tick == 0.0 { "zero" } else { "grid" };
        marks.push(line(class, (LEFT, y), (LEFT + PLOT, y)));
        let name = figures::grouped(&format!("{tick:.0}"));
        marks.push(text("tick start", (LEFT + PLOT + 6.0, y + 4.0), name));
    }
    marks.push(text(
        "unit end",
        (WIDTH, PRICE_TOP - 12.0),
        "USD/MWh, even to ±20, by factors beyond",
    ));
    marks.push(text(
        "unit start",
        (LEFT, PRICE_TOP - 12.0),
        "Settlement price: mean (line) and highest (bar) of each step",
    ));

    let (mut mean, mut bars) = (Pen::default(), Pen::default());
    let mut after_gap = true;
    for bucket in &answer.picture {
        let (left, right) = edges(time, answer, bucket);
        let Some((average, highest)) = bucket.price_mean().zip(bucket.price_max) else {
            after_gap = true;
            continue;
        };
        let y = prices.at(usd(average));
        if after_gap {
            mean.go(left, y);
        } else {
            mean.draw(left, y);
        }
        mean.draw(right, y);
        after_gap = false;
        let middle = (left + right) / 2.0;
        bars.go(middle, y);
        bars.draw(middle, prices.at(usd(highest)));
    }
    let panel = Panel {
        left: LEFT,
        top: PRICE_TOP,
        width: PLOT,
        height: PRICE_HEIGHT,
        marks: vec![bars.mark("price-high"), mean.mark("price-mean")],
    };
    if let Some(top) = answer.picture.iter().max_by_key(|bucket| bucket.price_max)
        && let Some(highest) = top.price_max
    {
        let (left, right) = edges(time, answer, top);
        let (x, y) = (LEFT + (left + right) / 2.0, PRICE_TOP + prices.at(usd(highest)));
        marks.push(Mark::Dot {
            class: "highest whole",
            at: Place(x, y),
            hint: String::new(),
        });
        let beyond_middle = x > LEFT + PLOT / 2.0;
        let (class, x) = if beyond_middle {
            ("value whole end", x - 7.0)
        } else {
            ("value whole start", x + 7.0)
        };
        let name = format!(
            "highest {} USD/MWh, in the {} from {}",
            figures::usd_per_mwh(highest),
            top.during.duration(),
            top.during.start,
        );
        marks.push(text(class, (x, y + 4.0), name));
    }
    panel
}

/// Where a bucket begins and ends on paper; the last may reach past the run.
fn edges(time: &Time, answer: &Answer, bucket: &Bucket) -> (f64, f64) {
    let start = bucket.during.start.max(answer.range.start);
    let end = bucket.during.end.min(answer.range.end);
    (time.at(start), time.at(end))
}

fn power(answer: &Answer, time: &Time, uses: &[Use], marks: &mut Vec<Mark>) -> Panel {
    let stacked = |bucket: &Bucket, sign: f64| -> f64 {
        uses.iter().map(|used_for| (megawatts(bucket, *used_for) * sign).max(0.0)).sum()
    };
    let drawn = answer.picture.iter().map(|b| stacked(b, 1.0)).fold(0.0, f64::max);
    let given = answer.picture.iter().map(|b| stacked(b, -1.0)).fold(0.0, f64::max);
    let limit = answer.site.interconnection.import_limit.as_watts() as f64 / 1e6;
    let shows_limit = limit <= drawn * 2.0;
    let high = if shows_limit { drawn.max(limit) } else { drawn };
    let scale = Linear::new(-given * 1.05, high * 1.05, (POWER_HEIGHT, 0.0));
    let (ticks, digits) = scale.ticks(6.0);
    for tick in ticks {
        let y = POWER_TOP + scale.at(tick);
        let class = if tick == 0.0 { "zero" } else { "grid" };
        marks.push(line(class, (LEFT, y), (LEFT + PLOT, y)));
        let name = figures::grouped(&format!("{tick:.digits$}"));
        marks.push(text("tick end", (LEFT - 6.0, y + 4.0), name));
    }
    marks.push(text("unit start", (LEFT, POWER_TOP - 10.0), "MW at the meter, by use"));

    let edges: Vec<(f64, f64)> =
        answer.picture.iter().map(|bucket| edges(time, answer, bucket)).collect();
    let sizes: Vec<Vec<f64>> = uses
        .iter()
        .map(|used_for| answer.picture.iter().map(|b| megawatts(b, *used_for)).collect())
        .collect();
    let mut layers = Vec::new();
    for (used_for, pen) in uses.iter().zip(stack(&edges, &sizes, &scale)) {
        if !pen.is_up() {
            layers.push(pen.mark(area(*used_for)));
        }
    }
    if shows_limit {
        let y = scale.at(limit);
        layers.push(line("limit", (0.0, y), (PLOT, y)));
        marks.push(text(
            "value end",
            (LEFT + PLOT, POWER_TOP - 10.0),
            format!(
                "dashed: import limit {} MW",
                figures::mw(answer.site.interconnection.import_limit, 1)
            ),
        ));
    }
    Panel { left: LEFT, top: POWER_TOP, width: PLOT, height: POWER_HEIGHT, marks: layers }
}

/// The look of a use's area.
fn area(used_for: Use) -> &'static str {
    match used_for {
        Use::Contracted => "area contracted",
        Use::Uncommitted => "area uncommitted",
        Use::Mining => "area mining",
        Use::Battery => "area battery",
    }
}

/// One entry a step: where it lies on paper and when, prices, and megawatts by
/// use. Digits, commas, brackets and `null` alone, so that no text of a file can
/// be among them.
fn values(answer: &Answer, uses: &[Use]) -> String {
    let time = Time::new(answer.range, (0.0, PLOT));
    let mut text = String::from("[");
    for (place, bucket) in answer.picture.iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        let (left, right) = edges(&time, answer, bucket);
        let price = |price: Option<EnergyPrice>| {
            price.map_or("null".to_owned(), |price| price.to_usd_per_mwh_text(2))
        };
        write!(
            text,
            "[{left:.1},{right:.1},{},{},{},{}",
            bucket.during.start.as_unix_seconds(),
            bucket.during.end.as_unix_seconds(),
            price(bucket.price_mean()),
            price(bucket.price_max),
        )
        .expect("a string takes all text");
        for used_for in uses {
            text.push(',');
            text.push_str(&bucket.power(*used_for).to_mw_text(2));
        }
        text.push(']');
    }
    text.push(']');
    text
}
