//! Revenue, power and margin by month, and what deciding earned in each.

use units::Money;

use super::super::figures;
use super::Figure;
use crate::answer::{Answer, Month, Totals};
use crate::chart::{Linear, Mark, Panel, Place, line, text};

const WIDTH: f64 = 1180.0;
const LEFT: f64 = 72.0;
const PLOT: f64 = WIDTH - LEFT - 8.0;
const TOP: f64 = 26.0;
const HEIGHT: f64 = 230.0;
const GAIN_TOP: f64 = TOP + HEIGHT + 44.0;
const GAIN_HEIGHT: f64 = 96.0;

/// The picture and what goes with it.
pub(super) struct Picture {
    pub(super) figure: Figure,
    pub(super) rows: Vec<Row>,
    /// Whether revenue of each kind, and income from power, appear at all.
    pub(super) contracted: bool,
    pub(super) uncommitted: bool,
    pub(super) mining: bool,
}

/// One month of the table, in dollars.
pub(super) struct Row {
    pub(super) month: String,
    pub(super) energy: String,
    pub(super) revenue: String,
    pub(super) power: String,
    pub(super) wear: String,
    pub(super) margin: String,
    pub(super) always_on: String,
    pub(super) gain: String,
}

fn usd(money: Money) -> f64 {
    money.as_micro_usd() as f64 / 1e6
}

/// A part of a month's money, with its look and name.
type Part = (&'static str, &'static str, Money);

fn parts(totals: &Totals) -> [Part; 5] {
    [
        ("bar contracted", "contracted GPU revenue", totals.contracted),
        ("bar uncommitted", "uncommitted GPU revenue", totals.uncommitted),
        ("bar mining", "mining revenue", totals.mining),
        ("bar power", "power", totals.power()),
        ("bar wear", "wear of starts", totals.wear),
    ]
}

/// What deciding earned in a month; nothing where that is not computed, and
/// then its panel is left out.
fn gain(month: &Month) -> Money {
    figures::above(month.policy.margin(), month.always_on.margin()).unwrap_or_default()
}

pub(super) fn picture(answer: &Answer) -> Picture {
    let compared = super::words::compared(answer);
    let mut marks = Vec::new();
    let mut panels = vec![money(answer, compared, &mut marks)];
    if compared && !answer.policy.mining_unknown {
        panels.push(gains(answer, &mut marks));
    }
    let bottom = panels.last().map_or(HEIGHT, |last| last.top + last.height);
    names(answer, bottom, &mut marks);
    let rows = answer
        .months
        .iter()
        .map(|((year, month), part)| Row {
            month: format!("{year:04}-{month:02}"),
            energy: figures::mwh(part.policy.site, 0),
            revenue: figures::usd_or_not(part.policy.revenue()),
            power: figures::usd(part.policy.power()),
            wear: figures::usd(part.policy.wear),
            margin: figures::usd_or_not(part.policy.margin()),
            always_on: figures::usd_or_not(part.always_on.margin()),
            gain: figures::usd(gain(part)),
        })
        .collect();
    Picture {
        figure: Figure {
            id: "months",
            label: "Revenue by kind, power, wear and margin by month".to_owned(),
            width: WIDTH,
            height: bottom + 30.0,
            marks,
            panels,
        },
        rows,
        contracted: !answer.policy.contracted.is_zero(),
        uncommitted: !answer.policy.uncommitted.is_zero(),
        mining: !answer.policy.mining.is_zero(),
    }
}

/// How wide one month is.
fn slot(answer: &Answer) -> f64 {
    PLOT / answer.months.len().max(1) as f64
}

/// Where a month's bar begins, and how wide it is.
fn bar(place: usize, slot: f64) -> (f64, f64) {
    let width = (slot * 0.64).min(90.0);
    ((place as f64 + 0.5) * slot - width / 2.0, width)
}

fn money(answer: &Answer, compared: bool, marks: &mut Vec<Mark>) -> Panel {
    let (mut low, mut high) = (0.0_f64, 0.0_f64);
    for month in answer.months.values() {
        let sum = |sign: f64| -> f64 {
            parts(&month.policy)
                .iter()
                .map(|(_, _, money)| (usd(*money) * sign).max(0.0))
                .sum()
        };
        let margins = [month.policy.margin(), month.always_on.margin()];
        let margins = margins.into_iter().flatten().map(usd);
        high = margins.clone().fold(high.max(sum(1.0)), f64::max);
        low = margins.fold(low.min(-sum(-1.0)), f64::min);
    }
    // Room for a mark at either end.
    let room = (high - low) * 0.05;
    let scale = Linear::new(low - room, high + room, (HEIGHT, 0.0));
    axis(&scale, TOP, 6.0, "Money by month", marks);

    let (slot, mut inside) = (slot(answer), Vec::new());
    for (place, ((year, number), month)) in answer.months.iter().enumerate() {
        let (left, width) = bar(place, slot);
        let (mut up, mut down) = (0.0, 0.0);
        for (class, name, money) in parts(&month.policy) {
            let value = usd(money);
            let base = if value < 0.0 { &mut down } else { &mut up };
            let (from, to) = (*base, *base + value);
            *base = to;
            if money.is_zero() {
                continue;
            }
            let top = scale.at(from.max(to));
            inside.push(Mark::Box {
                class,
                at: Place(left, top),
                width,
                height: scale.at(from.min(to)) - top,
                hint: format!(
                    "{year:04}-{number:02}: {name} {} USD",
                    figures::usd(money)
                ),
            });
        }
        let Some(margin) = month.policy.margin() else { continue };
        let y = scale.at(usd(margin));
        inside.push(line("margin", (left - width / 8.0, y), (left + width * 1.125, y)));
        inside.push(Mark::Dot {
            class: "margin",
            at: Place(left + width / 2.0, y),
            hint: format!("{year:04}-{number:02}: margin {} USD", figures::usd(margin)),
        });
        if let Some(other) = month.always_on.margin().filter(|_| compared) {
            inside.push(Mark::Dot {
                class: "always-on",
                at: Place(left + width / 2.0, scale.at(usd(other))),
                hint: format!(
                    "{year:04}-{number:02}: margin always on {} USD",
                    figures::usd(other)
                ),
            });
        }
    }
    Panel { left: LEFT, top: TOP, width: PLOT, height: HEIGHT, marks: inside }
}

fn gains(answer: &Answer, marks: &mut Vec<Mark>) -> Panel {
    let values = || answer.months.values().map(|month| usd(gain(month)));
    let (low, high) = (values().fold(0.0, f64::min), values().fold(0.0, f64::max));
    // Room for a figure beyond each bar.
    let room = (high - low) * 0.25;
    let beyond = |end: f64| if end == 0.0 { 0.0 } else { room };
    let ends = (low - beyond(low), high + beyond(high));
    let scale = Linear::new(ends.0, ends.1, (GAIN_HEIGHT, 0.0));
    axis(&scale, GAIN_TOP, 3.0, "Margin over always on", marks);
    let (slot, mut inside) = (slot(answer), Vec::new());
    for (place, ((year, number), month)) in answer.months.iter().enumerate() {
        let money = gain(month);
        let (top, foot) = (scale.at(usd(money).max(0.0)), scale.at(usd(money).min(0.0)));
        let (left, width) = bar(place, slot);
        inside.push(Mark::Box {
            class: "bar gain",
            at: Place(left, top),
            width,
            height: foot - top,
            hint: format!(
                "{year:04}-{number:02}: margin over always on {} USD",
                figures::usd(money)
            ),
        });
        if slot >= 70.0 {
            let y = if money < Money::ZERO { foot + 12.0 } else { top - 4.0 };
            let x = left + width / 2.0;
            inside.push(text("value middle", (x, y), figures::usd(money)));
        }
    }
    Panel { left: LEFT, top: GAIN_TOP, width: PLOT, height: GAIN_HEIGHT, marks: inside }
}

/// Draws the lines and names of a scale of money, in the unit that suits it.
fn axis(scale: &Linear, top: f64, count: f64, title: &str, marks: &mut Vec<Mark>) {
    let (ticks, _) = scale.ticks(count);
    let largest = ticks.iter().fold(0.0_f64, |largest, tick| largest.max(tick.abs()));
    let (unit, divisor) = match largest {
        size if size >= 2e6 => ("million USD", 1e6),
        size if size >= 2e3 => ("thousand USD", 1e3),
        _ => ("USD", 1.0),
    };
    let step = ticks.windows(2).next().map_or(1.0, |pair| pair[1] - pair[0]) / divisor;
    let digits = (0..3)
        .find(|digits| {
            let scaled = step * 10_f64.powi(*digits);
            (scaled - scaled.round()).abs() < 1e-6
        })
        .unwrap_or(3) as usize;
    for tick in ticks {
        let y = top + scale.at(tick);
        let class = if tick == 0.0 { "zero" } else { "grid" };
        marks.push(line(class, (LEFT, y), (LEFT + PLOT, y)));
        let name = figures::grouped(&format!("{:.digits$}", tick / divisor));
        marks.push(text("tick end", (LEFT - 6.0, y + 4.0), name));
    }
    marks.push(text("unit start", (0.0, top - 12.0), format!("{title}, {unit}")));
}

/// Names months under the plot, as many as there is room for.
fn names(answer: &Answer, bottom: f64, marks: &mut Vec<Mark>) {
    let slot = slot(answer);
    let every = (62.0 / slot).ceil().max(1.0) as usize;
    for (place, (year, month)) in answer.months.keys().enumerate().step_by(every) {
        let x = LEFT + (place as f64 + 0.5) * slot;
        marks.push(text(
            "tick middle",
            (x, bottom + 16.0),
            format!("{year:04}-{month:02}"),
        ));
    }
}
